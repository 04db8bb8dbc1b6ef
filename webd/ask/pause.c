/* Pauses, as `convkeep pause` and `resume` make and end them: a conversation that is paused without
 * an end has the status `paused`; every other pause is a state of the store's. */
#include "webd/ask/change.h"

#include <stdlib.h>

#include "proto/clock.h"
#include "proto/pause_change.h"

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

static uint32_t put_begin(const struct act *a, struct ck_buf *b) {
  ck_pause_put(b, a->kind, a->name, a->until);
  return 1;
}

/* An account's limit ends with its pause. */
static uint32_t put_end(const struct act *a, struct ck_buf *b) {
  bool account = strcmp(a->kind, "account") == 0;
  ck_pause_put_end(b, a->kind, a->name);
  if (account) ck_pause_put_limit_end(b, a->name);
  return account ? 2 : 1;
}

static uint32_t put_status(const struct act *a, struct ck_buf *b, const char *to) {
  ck_pause_put_status(b, a->name, to, ck_now_ms());
  return 1;
}

/* One that is on auto already may have been stopped. */
static uint32_t put_conversation(const struct act *a, struct ck_buf *b) {
  const char *status = json_string_value(json_object_get(a->as.row, "automation_status"));
  bool is_paused = status && strcmp(status, "paused") == 0,
       is_auto = status && strcmp(status, "auto") == 0;
  if (a->paused) return a->until ? put_begin(a, b) : is_paused ? 0 : put_status(a, b, "paused");
  uint32_t n = put_end(a, b);
  if (is_paused) return n + put_status(a, b, a->to);
  if (is_auto) ck_pause_put_going_on(b, a->name);
  return is_auto ? n + 1 : n;
}

static bool is_conversation(const struct act *a) { return a->as.list != NULL; }

static void act(struct act *a) {
  struct ck_buf mutations = {0}, all = {0};
  uint32_t n = is_conversation(a) ? put_conversation(a, &mutations)
               : a->paused        ? put_begin(a, &mutations)
                                  : put_end(a, &mutations);
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
