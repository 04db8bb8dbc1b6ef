/* See job_words.h. */
#include "proto/job_words.h"

#include <jansson.h>

#include "proto/records.h"

static const struct {
  const char *state, *words;
} held[] = {
    {"settling", "its message may still change: it must be unchanged for renew.delay"},
    {"resting", "its conversation rests"},
    {"offered", "it is offered to its client, which has to claim it"},
    {"busy", "another delivery of its conversation goes first"},
    {"slots", "its target has as many deliveries under way as it may have (slots)"},
    {"spacing", "another delivery to its target began a moment ago (renew.spacing)"},
    {"account_slots", "its account has as many deliveries under way as it may have "
                      "(renew.account.slots)"},
    {"account_spacing", "another delivery of its account began a moment ago "
                        "(renew.account.spacing)"},
};

const char *ck_job_held_words(struct ck_str state) {
  for (size_t i = 0; i < sizeof held / sizeof *held; ++i)
    if (ck_str_is(state, held[i].state)) return held[i].words;
  return NULL;
}

static const char *text(const json_t *o, const char *name) {
  const char *value = json_string_value(json_object_get(o, name));
  return value ? value : "";
}

void ck_job_place(struct ck_buf *b, struct ck_str snapshot) {
  if (!snapshot.n) return;
  json_t *target = json_loadb(snapshot.s, snapshot.n, 0, NULL);
  const char *kind = text(target, "kind"), *client = text(target, "client_id"),
             *url = text(json_object_get(target, "payload"), "url");
  bool clients = ck_kind_is_clients(ck_str_of(kind));
  const char *place = clients && *client ? client : *url ? url : text(target, "id");
  ck_buf_printf(b, "%s %s", clients ? "client" : kind, place);
  json_decref(target);
}
