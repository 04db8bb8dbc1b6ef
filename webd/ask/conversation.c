/* What a person changes of a conversation, as `convkeep set` does. */
#include "webd/ask/change.h"

#include <stdlib.h>

#include "proto/clock.h"

struct act {
  struct web_change as;
  struct ck_conversation_change change;
  json_t *texts; /* what the change borrows */
};

static void forget(void *self) {
  struct act *a = self;
  json_decref(a->texts);
}

static void put(struct ck_buf *b, const struct ck_row *row, bool again) {
  struct ck_mutation m = {.kind = CK_OP_RESUME};
  m.as.resume.conversation_id = ck_row_key(row);
  ck_put_array(b, again ? 2 : 1);
  ck_mutation_row(b, CK_OP_UPDATE, row);
  if (again) ck_mutation_encode(b, &m);
}

/* Says which member is wrong. */
static void fail_in_member(struct ck_err *err, const char *option) {
  char *member = ck_strdup(option);
  for (char *c = member; *c; ++c)
    if (*c == '-') *c = '_';
  ck_fail_in(err, "%s", member);
  free(member);
}

/* 0, or -1 with the reason. */
static int changeset(struct act *a, struct ck_buf *b, struct ck_err *err) {
  struct ck_row row = {.table = CK_CONVERSATIONS};
  struct ck_buf renewal = {0};
  struct ck_err bad;
  const char *option = "",
             *was = json_string_value(json_object_get(a->as.row, "automation_status")),
             *before = json_string_value(json_object_get(a->as.row, "renewal"));
  int64_t now = ck_now_ms();
  row.v[CK_CONVERSATIONS_LOCAL_CONVERSATION_ID] = ck_textz(a->as.id);
  int rc = ck_change_check(&a->change, &option, err) ||
           ck_change_columns(&a->change, now, &row, &option, err) ||
           ck_change_follow_ups(&a->change, ck_str_of(before ? before : ""), now, &row, &renewal,
                                &bad, &option, err);
  if (rc)
    fail_in_member(err, option);
  else
    put(b, &row, ck_change_was(&row, was ? was : ""));
  ck_buf_free(&renewal);
  return rc ? -1 : 0;
}

static void got(void *self, bool there, json_t *row) {
  struct act *a = self;
  struct ck_buf mutations = {0};
  struct ck_err err;
  if (!web_change_got(&a->as, there, row, "there is no conversation of that id")) return;
  if (changeset(a, &mutations, &err))
    web_change_finish(&a->as, WEB_INVALID, err.text);
  else
    web_change_write(&a->as, ck_buf_view(&mutations));
  ck_buf_free(&mutations);
}

void web_change_conversation(const struct web_store *s, struct ck_str id,
                             const struct ck_conversation_change *change, json_t *texts, int ms,
                             web_changed_fn *done, void *self) {
  struct act *a = ck_zalloc(sizeof *a);
  *a = (struct act){{*s, ms, done, self, "local_conversations", "local_conversation_id",
                     ck_str_dup(id), NULL, forget},
                    *change,
                    texts};
  web_change_begin(&a->as, got);
}
