/* Mutation ADOPT: a row of another database with the six tables, as it stands there. It is merged
 * as any PUT is; but what is imported sends nothing, so whatever would send waits until a person
 * lets it go on. docs/records.md has the rules. */
#include <stdlib.h>

#include "store/files/static_path.h"
#include "store/write/apply_internal.h"

#define WAS_RUNNING \
  "imported while it was running: whether it was delivered is not known; jobs retry sends it " \
  "again"

/* ---- which conversation it is here ---- */

int apply_linked(struct apply *a, struct ck_str platform, struct ck_str remote, struct ck_str *id,
                 struct ck_err *err) {
  struct ck_row like = {.table = CK_LINKS};
  struct entry *link;
  *id = (struct ck_str){0};
  if (!platform.n || !remote.n) return 0;
  like.v[CK_LINKS_PLATFORM] = ck_text(platform);
  like.v[CK_LINKS_REMOTE_CONVERSATION_ID] = ck_text(remote);
  if (apply_find_unique(a, &like, &link, err)) return -1;
  if (link) *id = ck_row_text(&link->row, CK_LINKS_LOCAL_CONVERSATION_ID);
  return 0;
}

/* Turns a local_conversation_id that is unknown here to that of the conversation's link. */
static int find_home(struct apply *a, struct ck_value *id, struct ck_str platform,
                     struct ck_str remote, struct ck_err *err) {
  struct ck_str here;
  if (id->state != CK_TEXT || !ck_trim(id->as.s).n) return 0;
  const struct entry *e = apply_find(a, CK_CONVERSATIONS, ck_trim(id->as.s), err);
  if (!e) return -1;
  if (e->exists) return 0;
  if (apply_linked(a, platform, remote, &here, err)) return -1;
  if (here.n) *id = ck_text(ck_arena_copy(&a->frame, here));
  return 0;
}

int apply_find_home(struct apply *a, struct ck_row *write, struct ck_err *err) {
  int c = write->table == CK_CONVERSATIONS ? CK_CONVERSATIONS_LOCAL_CONVERSATION_ID
                                           : CK_LINKS_LOCAL_CONVERSATION_ID;
  struct ck_str platform =
                    ck_row_text(write, write->table == CK_CONVERSATIONS ? CK_CONVERSATIONS_PLATFORM
                                                                        : CK_LINKS_PLATFORM),
                id = ck_row_text(write, c);
  if (!platform.n || id.n < platform.n + 2 || memcmp(id.s, platform.s, platform.n) != 0 ||
      id.s[platform.n] != ':')
    return 0;
  struct ck_str remote = {id.s + platform.n + 1, id.n - platform.n - 1};
  return find_home(a, &write->v[c], platform, remote, err);
}

/* ---- what would send waits ---- */

static bool has_automation(const struct entry *conversation, const char *status) {
  return conversation->exists &&
         ck_str_is(ck_row_text(&conversation->row, CK_CONVERSATIONS_AUTOMATION_STATUS), status);
}

static int pause_conversation(struct apply *a, struct ck_str id, struct ck_err *err) {
  struct ck_row write = {.table = CK_CONVERSATIONS};
  write.v[CK_CONVERSATIONS_LOCAL_CONVERSATION_ID] = ck_text(id);
  write.v[CK_CONVERSATIONS_AUTOMATION_STATUS] = ck_textz("paused");
  write.v[CK_CONVERSATIONS_PAUSED_AT] = ck_int(a->now);
  return apply_update(a, &write, err);
}

/* The message has changed: pauses its conversation if it is on auto and this is its last one. */
static int pause_at_message(struct apply *a, const struct ck_row *message, struct ck_err *err) {
  struct ck_str id;
  if (apply_linked(a, ck_row_text(message, CK_MESSAGES_PLATFORM),
                   ck_row_text(message, CK_MESSAGES_CONVERSATION_ID), &id, err))
    return -1;
  if (!id.n) return 0;
  const struct entry *e = apply_find(a, CK_CONVERSATIONS, id, err);
  if (!e) return -1;
  bool last =
      ck_str_eq(ck_row_text(&e->row, CK_CONVERSATIONS_LAST_MESSAGE_ID), ck_row_key(message));
  return last && has_automation(e, "auto") ? pause_conversation(a, id, err) : 0;
}

/* ---- each table ---- */

/* A message that came after its conversation was put on auto may be followed up, so none comes
 * later than now. */
static int adopt_message(struct apply *a, struct ck_row *w, int64_t age, struct ck_err *err) {
  uint64_t head = a->head;
  struct ck_value *came = &w->v[CK_MESSAGES_CREATED_AT];
  w->v[CK_MESSAGES_LIVE] = ck_int(0);
  if (came->state == CK_INT && came->as.i > a->now) *came = ck_int(a->now);
  if (apply_put(a, w, age, err)) return -1;
  return a->head == head ? 0 : pause_at_message(a, w, err);
}

static void take_greater(struct ck_value *given, struct ck_value here) {
  if (here.state == CK_INT && given->state == CK_INT && given->as.i < here.as.i) *given = here;
}

static int adopt_session(struct apply *a, struct ck_row *w, int64_t age, struct ck_err *err) {
  const struct entry *e = apply_find(a, CK_SESSIONS, ck_trim(ck_row_key(w)), err);
  if (!e) return -1;
  struct ck_value *messages = &w->v[CK_SESSIONS_MESSAGE_COUNT],
                  *executions = &w->v[CK_SESSIONS_EXECUTION_COUNT];
  if (messages->state == CK_LEFT_OUT) *messages = ck_int(0); /* not counted by the store */
  if (executions->state == CK_LEFT_OUT) *executions = ck_int(0);
  if (e->exists) {
    take_greater(messages, e->row.v[CK_SESSIONS_MESSAGE_COUNT]);
    take_greater(executions, e->row.v[CK_SESSIONS_EXECUTION_COUNT]);
  }
  return apply_put(a, w, age, err);
}

/* Its automation is that of the other database, except that auto becomes paused. */
static void take_automation(const struct apply *a, struct ck_row *w) {
  struct ck_value *status = &w->v[CK_CONVERSATIONS_AUTOMATION_STATUS];
  if (status->state != CK_TEXT || !ck_str_is(ck_trim(status->as.s), "auto")) return;
  *status = ck_textz("paused");
  w->v[CK_CONVERSATIONS_PAUSED_AT] = ck_int(a->now);
}

/* NULL where a value must be stays, and is refused. */
static void leave_out(struct ck_row *w, const int *columns, size_t n) {
  for (size_t i = 0; i < n; ++i) {
    struct ck_value *v = &w->v[columns[i]];
    bool optional = ck_tables[w->table].fields[columns[i]].flags & CK_OPTIONAL;
    if (v->state != CK_NULL || optional) *v = (struct ck_value){0};
  }
}

static void leave_automation_out(struct ck_row *w) {
  static const int columns[] = {CK_CONVERSATIONS_AUTOMATION_STATUS, CK_CONVERSATIONS_PAUSED_AT,
                                CK_CONVERSATIONS_COOLDOWN_UNTIL};
  leave_out(w, columns, sizeof columns / sizeof *columns);
}

/* What the owner has said here stays, whatever he said there. */
static void leave_owners_out(const struct entry *here, struct ck_row *w) {
  int64_t ours[CK_COLUMNS_MAX], theirs[CK_COLUMNS_MAX];
  if (w->v[CK_CONVERSATIONS_AGES].state != CK_TEXT) return;
  ck_ages_read(ours, &here->row);
  ck_ages_read(theirs, w);
  for (int c = 0; c < CK_CONVERSATIONS_COLUMNS; ++c) {
    bool aged = ck_tables[CK_CONVERSATIONS].fields[c].flags & CK_AGED;
    if (aged && ours[c] == CK_AGE_OWNER && theirs[c] == CK_AGE_OWNER)
      w->v[c] = (struct ck_value){0};
  }
}

static int adopt_conversation(struct apply *a, struct ck_row *w, const struct ck_adopt *m,
                              struct ck_err *err) {
  if (find_home(a, &w->v[CK_CONVERSATIONS_LOCAL_CONVERSATION_ID], m->platform, m->conversation,
                err))
    return -1;
  const struct entry *e = apply_find(a, CK_CONVERSATIONS, ck_trim(ck_row_key(w)), err);
  if (!e) return -1;
  if (e->exists) {
    leave_automation_out(w);
    leave_owners_out(e, w);
  } else {
    take_automation(a, w);
  }
  char *last = ck_str_dup(ck_row_text(&e->row, CK_CONVERSATIONS_LAST_MESSAGE_ID));
  int rc = apply_put(a, w, m->age, err);
  bool moved = !ck_str_is(ck_row_text(&e->row, CK_CONVERSATIONS_LAST_MESSAGE_ID), last);
  free(last);
  return rc == 0 && moved && has_automation(e, "auto") ? pause_conversation(a, ck_row_key(w), err)
                                                       : rc;
}

static int adopt_link(struct apply *a, struct ck_row *w, const struct ck_adopt *m,
                      struct ck_err *err) {
  struct ck_value *id = &w->v[CK_LINKS_LOCAL_CONVERSATION_ID];
  struct ck_str here;
  if (apply_linked(a, ck_trim(ck_row_text(w, CK_LINKS_PLATFORM)),
                   ck_trim(ck_row_text(w, CK_LINKS_REMOTE_CONVERSATION_ID)), &here, err))
    return -1;
  if (here.n)
    *id = (struct ck_value){0};
  else if (find_home(a, id, m->platform, m->conversation, err))
    return -1;
  return apply_put(a, w, m->age, err);
}

/* The job that is here keeps what it says, and where. */
static void leave_words_out(struct ck_row *w) {
  static const int columns[] = {CK_JOBS_LOCAL_CONVERSATION_ID, CK_JOBS_PAYLOAD,
                                CK_JOBS_PAYLOAD_KIND};
  leave_out(w, columns, sizeof columns / sizeof *columns);
}

static void fail_running(const struct apply *a, struct ck_row *w) {
  w->v[CK_JOBS_STATUS] = ck_textz("failed");
  w->v[CK_JOBS_LAST_ERROR] = ck_textz(WAS_RUNNING);
  w->v[CK_JOBS_FINISHED_AT] = ck_int(a->now);
  w->v[CK_JOBS_NEXT_ATTEMPT_AT] = ck_null();
}

static int adopt_job(struct apply *a, struct ck_row *w, const struct ck_adopt *m,
                     struct ck_err *err) {
  uint64_t head = a->head;
  struct ck_value *id = &w->v[CK_JOBS_LOCAL_CONVERSATION_ID];
  struct ck_str status = ck_trim(ck_row_text(w, CK_JOBS_STATUS));
  bool waits = !status.n || ck_str_is(status, "pending");
  if (ck_str_is(status, "running")) fail_running(a, w);
  if (find_home(a, id, m->platform, m->conversation, err) ||
      identity_means(a, &w->v[CK_JOBS_MESSAGE_ID], err))
    return -1;
  int over = apply_leaves_out(a, w, err);
  if (over) return over > 0 ? 0 : -1;
  const struct entry *here = apply_find(a, CK_JOBS, ck_trim(ck_row_key(w)), err);
  if (!here) return -1;
  if (here->exists) leave_words_out(w);
  if (apply_put(a, w, m->age, err)) return -1;
  if (!waits || a->head == head) return 0;
  const struct entry *e = apply_find(a, CK_CONVERSATIONS, id->as.s, err);
  if (!e) return -1;
  return has_automation(e, "paused") ? 0 : pause_conversation(a, id->as.s, err);
}

int mutate_adopt(struct apply *a, const struct ck_adopt *m, struct ck_err *err) {
  struct ck_row row;
  if (apply_decode_row(a, &row, m->table, m->row, err)) return -1;
  int path = ck_tables[row.table].path;
  identity_of(a, ck_trim(m->platform), ck_trim(m->conversation));
  identity_of_source(a, &row);
  if (path >= 0 && row.v[path].state == CK_TEXT &&
      !static_path_ok(row.table, ck_trim(row.v[path].as.s), ck_trim(ck_row_key(&row))))
    row.v[path] = (struct ck_value){0};
  switch (row.table) {
  case CK_MESSAGES:
    return adopt_message(a, &row, m->age, err);
  case CK_SESSIONS:
    return adopt_session(a, &row, m->age, err);
  case CK_CONVERSATIONS:
    return adopt_conversation(a, &row, m, err);
  case CK_LINKS:
    return adopt_link(a, &row, m, err);
  case CK_JOBS:
    return adopt_job(a, &row, m, err);
  default:
    return apply_put(a, &row, m->age, err);
  }
}
