/* Pauses, as `convkeep pause` and `resume` make and end them: a conversation that is paused without
 * an end has the status `paused`; every other pause is a state of the store's. */
#include "webd/ask/change.h"

#include <stdlib.h>

#include "proto/clock.h"

struct act {
  struct web_change as;
  bool paused;
  int64_t until;
  char *kind, *name, *to;
};

static void forget(void *self) {
  struct act *a = self;
  free(a->kind);
  free(a->name);
  free(a->to);
}

/* ---- the changeset ---- */

static uint32_t put_pause(const struct act *a, struct ck_buf *b) {
  struct ck_mutation m = {.kind = CK_OP_PAUSE};
  m.as.pause = (struct ck_pause){ck_str_of(a->kind), ck_str_of(a->name), a->until};
  ck_mutation_encode(b, &m);
  return 1;
}

/* An account's limit ends with its pause. */
static uint32_t put_unpause(const struct act *a, struct ck_buf *b) {
  struct ck_mutation m = {.kind = CK_OP_UNPAUSE};
  bool account = strcmp(a->kind, "account") == 0;
  m.as.unpause = (struct ck_unpause){ck_str_of(a->kind), ck_str_of(a->name)};
  ck_mutation_encode(b, &m);
  if (!account) return 1;
  m = (struct ck_mutation){.kind = CK_OP_UNLIMIT};
  m.as.unlimit.account = ck_str_of(a->name);
  ck_mutation_encode(b, &m);
  return 2;
}

static uint32_t put_status(const struct act *a, struct ck_buf *b, const char *to) {
  struct ck_row row = {.table = CK_CONVERSATIONS};
  row.v[CK_CONVERSATIONS_LOCAL_CONVERSATION_ID] = ck_textz(a->name);
  row.v[CK_CONVERSATIONS_AUTOMATION_STATUS] = ck_textz(to);
  row.v[CK_CONVERSATIONS_PAUSED_AT] = strcmp(to, "paused") == 0 ? ck_int(ck_now_ms()) : ck_null();
  ck_mutation_row(b, CK_OP_UPDATE, &row);
  return 1;
}

/* One that is on auto already may have been stopped. */
static uint32_t put_resume(const struct act *a, struct ck_buf *b) {
  struct ck_mutation m = {.kind = CK_OP_RESUME};
  m.as.resume = (struct ck_resume){ck_str_of(a->name)};
  ck_mutation_encode(b, &m);
  return 1;
}

static uint32_t put_conversation(const struct act *a, struct ck_buf *b) {
  const char *status = json_string_value(json_object_get(a->as.row, "automation_status"));
  bool is_paused = status && strcmp(status, "paused") == 0,
       is_auto = status && strcmp(status, "auto") == 0;
  if (a->paused) return a->until ? put_pause(a, b) : is_paused ? 0 : put_status(a, b, "paused");
  uint32_t n = put_unpause(a, b);
  if (is_paused) return n + put_status(a, b, a->to);
  return is_auto ? n + put_resume(a, b) : n;
}

static bool is_conversation(const struct act *a) { return a->as.list != NULL; }

static void act(struct act *a) {
  struct ck_buf mutations = {0}, all = {0};
  uint32_t n = is_conversation(a) ? put_conversation(a, &mutations)
               : a->paused        ? put_pause(a, &mutations)
                                  : put_unpause(a, &mutations);
  ck_put_array(&all, n);
  ck_buf_str(&all, ck_buf_view(&mutations));
  if (n == 0)
    web_change_finish(&a->as, WEB_DONE, "");
  else
    web_change_write(&a->as, ck_buf_view(&all));
  ck_buf_free(&mutations);
  ck_buf_free(&all);
}

static void got_conversation(void *self, bool there, json_t *row) {
  struct act *a = self;
  if (web_change_got(&a->as, there, row, "there is no conversation of that id")) act(a);
}

void web_change_pause(const struct web_store *s, const struct web_pause_wish *wish, int ms,
                      web_changed_fn *done, void *self) {
  struct act *a = ck_zalloc(sizeof *a);
  *a = (struct act){{*s, ms, done, self, NULL, NULL, ck_strdup(wish->name), NULL, forget},
                    wish->paused,
                    wish->until,
                    ck_strdup(wish->kind),
                    ck_strdup(wish->name),
                    ck_strdup(wish->to ? wish->to : "auto")};
  if (strcmp(wish->kind, "conversation") == 0) {
    a->as.list = "local_conversations";
    a->as.column = "local_conversation_id";
  }
  if (is_conversation(a))
    web_change_begin(&a->as, got_conversation);
  else
    act(a);
}
