/* What a person changes of a conversation, as `convkeep set` does. */
#include "webd/ask/ask.h"

#include <stdlib.h>

#include "proto/clock.h"

struct act {
  struct web_store store;
  struct ck_conversation_change change;
  json_t *texts; /* what the change borrows */
  int ms;
  web_changed_fn *done;
  void *self;
  char *id;
  json_t *row;
};

static void finish(struct act *a, enum web_end end, const char *reason) {
  a->done(a->self, &(struct web_changed){end, reason, end == WEB_DONE ? a->row : NULL});
  json_decref(a->row);
  json_decref(a->texts);
  free(a->id);
  free(a);
}

static void got_again(void *self, bool there, json_t *row) {
  struct act *a = self;
  json_decref(a->row);
  a->row = json_incref(row);
  finish(a, !there ? WEB_SILENCE : row ? WEB_DONE : WEB_NONE, "");
}

static void receipted(void *self, const struct web_receipt *r) {
  struct act *a = self;
  if (r->result == '?') {
    finish(a, WEB_SILENCE, "");
  } else if (r->result == 'r') {
    char *reason = ck_str_dup(r->reason);
    finish(a, WEB_DENIED, reason);
    free(reason);
  } else {
    web_row(a->store.ask, "local_conversations", "local_conversation_id", ck_str_of(a->id), a->ms,
            got_again, a);
  }
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
  const char *option = "", *was = json_string_value(json_object_get(a->row, "automation_status")),
             *before = json_string_value(json_object_get(a->row, "renewal"));
  int64_t now = ck_now_ms();
  row.v[CK_CONVERSATIONS_LOCAL_CONVERSATION_ID] = ck_textz(a->id);
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

static void act(struct act *a) {
  struct ck_buf mutations = {0};
  struct ck_err err;
  if (changeset(a, &mutations, &err))
    finish(a, WEB_INVALID, err.text);
  else if (web_write(a->store.write, ck_buf_view(&mutations), a->ms, receipted, a))
    finish(a, WEB_DENIED, "it is larger than a changeset can be");
  ck_buf_free(&mutations);
}

static void got(void *self, bool there, json_t *row) {
  struct act *a = self;
  a->row = json_incref(row);
  if (!there)
    finish(a, WEB_SILENCE, "");
  else if (!row)
    finish(a, WEB_NONE, "there is no conversation of that id");
  else
    act(a);
}

void web_change_conversation(const struct web_store *s, struct ck_str id,
                             const struct ck_conversation_change *change, json_t *texts, int ms,
                             web_changed_fn *done, void *self) {
  struct act *a = ck_zalloc(sizeof *a);
  *a = (struct act){.store = *s,
                    .change = *change,
                    .texts = texts,
                    .ms = ms,
                    .done = done,
                    .self = self,
                    .id = ck_str_dup(id)};
  web_row(s->ask, "local_conversations", "local_conversation_id", id, ms, got, a);
}
