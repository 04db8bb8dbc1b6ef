/* What is left of a conversation without one of its messages: its last message, its counts, and
 * nothing that may say what that was. */
#include "store/write/forget.h"

#include "proto/ages.h"
#include "proto/job_change.h"

/* ?1 and ?2: the message's conversation and platform. */
static sqlite3_stmt *ask_of(struct apply *a, const char *sql, const struct ck_row *gone,
                            struct ck_str third, struct ck_err *err) {
  sqlite3_stmt *s = db_prepare(a->db, sql, err);
  if (!s) {
    apply_failed(a);
    return NULL;
  }
  db_bind_value(s, 1, &gone->v[CK_MESSAGES_CONVERSATION_ID]);
  db_bind_value(s, 2, &gone->v[CK_MESSAGES_PLATFORM]);
  if (third.n) db_bind_str(s, 3, third);
  return s;
}

typedef int mend(struct apply *a, const struct ck_row *gone, struct ck_str key, struct ck_err *err);

/* Mends each that s finds, when all are found. s may be NULL: it failed. */
static int mend_each(struct apply *a, sqlite3_stmt *s, const struct ck_row *gone, mend *one,
                     struct ck_err *err) {
  struct forget_keys keys = {0};
  int rc = forget_keys(a, s, &keys, err);
  for (size_t i = 0; i < keys.n && rc == 0; ++i) rc = one(a, gone, keys.at[i], err);
  forget_keys_free(&keys);
  return rc;
}

/* What stood last before it: the message above it, else the newest one. Which others are of its
 * conversation, a message that does not name one does not say. */
#define LAST_OF \
  "SELECT id, observed_at FROM messages WHERE conversation_id IS ?1 AND +platform = ?2" \
  " AND (?1 IS NOT NULL OR id = ?3)" \
  " ORDER BY id = ?3 DESC, observed_at DESC, version DESC LIMIT 1"

static int find_last(struct apply *a, const struct ck_row *gone, struct ck_row *conversation,
                     struct ck_arena *arena, struct ck_err *err) {
  sqlite3_stmt *s = ask_of(a, LAST_OF, gone, ck_row_text(gone, CK_MESSAGES_PARENT_ID), err);
  int rc = s ? forget_next(a, s, err) : -1;
  conversation->v[CK_CONVERSATIONS_LAST_MESSAGE_ID] =
      rc > 0 ? ck_text(ck_arena_copy(arena, db_str(s, 0))) : ck_null();
  conversation->v[CK_CONVERSATIONS_LAST_MESSAGE_AT] =
      rc > 0 ? ck_int(sqlite3_column_int64(s, 1)) : ck_null();
  sqlite3_finalize(s);
  return rc < 0 ? -1 : 0;
}

/* Its last message is another one: a person decides whether that is followed up. Its summary may
 * say what is forgotten. */
static int mend_last(struct apply *a, const struct ck_row *gone, struct ck_str id,
                     struct ck_err *err) {
  struct ck_arena arena = {0};
  struct entry *e = apply_find(a, CK_CONVERSATIONS, id, err);
  if (!e) return -1;
  struct ck_row row = e->row;
  bool last = ck_str_eq(ck_row_text(&row, CK_CONVERSATIONS_LAST_MESSAGE_ID), ck_row_key(gone));
  int rc = last ? find_last(a, gone, &row, &arena, err) : 0;
  row.v[CK_CONVERSATIONS_SUMMARY] = ck_null();
  if (last && ck_str_is(ck_row_text(&row, CK_CONVERSATIONS_AUTOMATION_STATUS), "auto")) {
    row.v[CK_CONVERSATIONS_AUTOMATION_STATUS] = ck_textz("paused");
    row.v[CK_CONVERSATIONS_PAUSED_AT] = ck_int(a->now);
  }
  bool changes = last || e->row.v[CK_CONVERSATIONS_SUMMARY].state == CK_TEXT;
  if (rc == 0 && changes) {
    char text[CK_AGES_BYTES];
    int64_t ages[CK_COLUMNS_MAX];
    ck_ages_read(ages, &e->row);
    row.v[CK_CONVERSATIONS_AGES] = ck_text(ck_ages_write(text, &row, ages));
    row.v[CK_CONVERSATIONS_UPDATED_AT] = ck_int(a->now);
    rc = apply_change(a, e, &row, err);
  }
  ck_arena_free(&arena);
  return rc;
}

/* Jobs whose last attempt may have told an answer, as its row may have: what we have said of one
 * stays. */
#define JOBS_OF \
  "SELECT job_id FROM renewal_jobs WHERE local_conversation_id = ?1 AND last_error IS NOT NULL" \
  " AND last_error NOT GLOB '" CK_SUPERSEDED "*' AND last_error NOT GLOB '" CK_JOB_CANCELLED "*'" \
  " ORDER BY job_id"

static int mend_job(struct apply *a, const struct ck_row *gone, struct ck_str id,
                    struct ck_err *err) {
  (void)gone;
  struct entry *e = apply_find(a, CK_JOBS, id, err);
  if (!e) return -1;
  struct ck_row row = e->row;
  row.v[CK_JOBS_LAST_ERROR] = ck_null();
  row.v[CK_JOBS_UPDATED_AT] = ck_int(a->now);
  return apply_change(a, e, &row, err);
}

static int mend_conversation(struct apply *a, const struct ck_row *gone, struct ck_str id,
                             struct ck_err *err) {
  if (mend_last(a, gone, id, err)) return -1;
  sqlite3_stmt *s = db_prepare(a->db, JOBS_OF, err);
  if (!s) return apply_failed(a);
  db_bind_str(s, 1, id);
  return mend_each(a, s, gone, mend_job, err);
}

/* Conversations whose message it was, or whose last message. */
#define CONVERSATIONS_OF \
  "SELECT local_conversation_id FROM conversation_links WHERE platform = ?2" \
  " AND remote_conversation_id = ?1 UNION SELECT local_conversation_id FROM local_conversations" \
  " WHERE last_message_id = ?3"
/* Sessions whose source has made the summary of all messages, also of this one. */
#define SUMMARISED \
  "SELECT id FROM sessions WHERE conversation_id IS ?1 AND +platform = ?2" \
  " AND summary IS NOT NULL ORDER BY id"
/* The session that has counted it: that of the day on which it was first observed. */
#define SESSION_OF \
  "SELECT id FROM sessions WHERE conversation_id IS ?1 AND +platform = ?2" \
  " AND substr(id, -10) = replace(substr(?3, 5, 10), '/', '-') LIMIT 1"

static int mend_conversations(struct apply *a, const struct ck_row *gone, struct ck_err *err) {
  sqlite3_stmt *s = ask_of(a, CONVERSATIONS_OF, gone, ck_row_key(gone), err);
  return mend_each(a, s, gone, mend_conversation, err);
}

static int clear_summary(struct apply *a, const struct ck_row *gone, struct ck_str session,
                         struct ck_err *err) {
  (void)gone;
  struct entry *e = apply_find(a, CK_SESSIONS, session, err);
  if (!e) return -1;
  struct ck_row row = e->row;
  row.v[CK_SESSIONS_SUMMARY] = ck_null();
  return apply_change(a, e, &row, err);
}

static int clear_summaries(struct apply *a, const struct ck_row *gone, struct ck_err *err) {
  sqlite3_stmt *s = ask_of(a, SUMMARISED, gone, (struct ck_str){0}, err);
  return mend_each(a, s, gone, clear_summary, err);
}

/* True: it is another count now. */
static bool count_down(struct ck_value *count, int64_t n) {
  int64_t before = count->state == CK_INT ? count->as.i : 0;
  if (before > 0) count->as.i = before > n ? before - n : 0;
  return before > 0 && n > 0;
}

static int mend_session(struct apply *a, const struct ck_row *gone, int64_t executions,
                        struct ck_err *err) {
  struct forget_keys keys = {0};
  struct ck_str path = ck_row_text(gone, CK_MESSAGES_STATIC_PATH);
  int rc = forget_keys(a, ask_of(a, SESSION_OF, gone, path, err), &keys, err);
  struct entry *e = rc == 0 && keys.n ? apply_find(a, CK_SESSIONS, keys.at[0], err) : NULL;
  if (keys.n && !e) rc = -1;
  if (e && e->exists) {
    struct ck_row row = e->row;
    bool changes = count_down(&row.v[CK_SESSIONS_MESSAGE_COUNT], 1);
    changes |= count_down(&row.v[CK_SESSIONS_EXECUTION_COUNT], executions);
    if (changes) rc = apply_change(a, e, &row, err);
  }
  forget_keys_free(&keys);
  return rc;
}

int forget_mend(struct apply *a, const struct ck_row *gone, int64_t executions,
                struct ck_err *err) {
  return clear_summaries(a, gone, err) || mend_session(a, gone, executions, err) ||
                 mend_conversations(a, gone, err)
             ? -1
             : 0;
}
