/* What a FORGET takes out: the records, and what the store's own tables, the originals and the
 * attachments have of them. */
#include <stdlib.h>

#include "store/write/forget.h"

/* What goes with this transaction: a row for each record, with its table's place in ck_tables. */
#define SCHEMA \
  "CREATE TEMP TABLE IF NOT EXISTS forget_rows (t INTEGER NOT NULL, key TEXT NOT NULL," \
  " version INTEGER NOT NULL, platform TEXT, conversation TEXT, path TEXT," \
  " PRIMARY KEY (t, key))" \
  " WITHOUT ROWID; DELETE FROM temp.forget_rows"

#define TABLE_MESSAGES "0"
#define TABLE_EXECUTIONS "1"
#define TABLE_SESSIONS "2"
#define TABLE_CONVERSATIONS "3"
#define TABLE_LINKS "4"
#define TABLE_JOBS "5"
_Static_assert(CK_MESSAGES == 0 && CK_EXECUTIONS == 1 && CK_SESSIONS == 2 &&
                   CK_CONVERSATIONS == 3 && CK_LINKS == 4 && CK_JOBS == 5,
               "the numbers above");

#define ROWS "INSERT OR IGNORE INTO temp.forget_rows "
#define GONE(table) "(SELECT version FROM temp.forget_rows WHERE t = " table ")"
#define KEYS(table) "(SELECT key FROM temp.forget_rows WHERE t = " table ")"

/* Of a message: its executions, and its jobs; and the job whose delivery it was, which says the
 * same. */
static const char *const with_messages[] = {
    ROWS "SELECT " TABLE_EXECUTIONS ", instruction_id, version, NULL, NULL, static_path"
         " FROM executions"
         " WHERE message_id IN " KEYS(TABLE_MESSAGES),
    ROWS "SELECT " TABLE_JOBS ", job_id, version, NULL, NULL, NULL FROM renewal_jobs"
         " WHERE message_id IN " KEYS(TABLE_MESSAGES),
    ROWS "SELECT " TABLE_JOBS
         ", job_id, version, NULL, NULL, NULL FROM renewal_jobs WHERE job_id IN"
         " (SELECT job_id FROM sent WHERE message_id IN " KEYS(
             TABLE_MESSAGES) "  UNION SELECT job_id FROM attempts WHERE sent_message_id "
                             "IN " KEYS(TABLE_MESSAGES) ")"};

static const char *const of_message[] = {
    ROWS "SELECT " TABLE_MESSAGES ", id, version, platform, conversation_id, static_path"
         " FROM messages"
         " WHERE id = ?1 AND version = ?2"};

/* The id of a conversation says whose it is, unless another one has the link. */
static const char *const homes[] = {
    "INSERT OR IGNORE INTO forgetting_homes SELECT remote_conversation_id, platform, ?3"
    " FROM conversation_links WHERE local_conversation_id = ?1"
    " AND remote_conversation_id IS NOT NULL",
    "INSERT OR IGNORE INTO forgetting_homes SELECT substr(?1, length(c.platform) + 2), c.platform,"
    " ?3 FROM local_conversations c WHERE c.local_conversation_id = ?1"
    " AND substr(?1, 1, length(c.platform) + 1) = c.platform || ':'"
    " AND length(?1) > length(c.platform) + 1"
    " AND NOT EXISTS (SELECT 1 FROM conversation_links l WHERE l.platform = c.platform"
    "  AND l.remote_conversation_id = substr(?1, length(c.platform) + 2)"
    "  AND l.local_conversation_id <> ?1)"};

#define IN_HOMES(table) \
  " FROM forgetting_homes h CROSS JOIN " table " x ON x.conversation_id = h.conversation" \
  " AND +x.platform = h.platform WHERE h.number = ?3"

/* Of a conversation, at most ?4 of each. When its own record goes, nothing refers to it. */
static const char *const of_conversation[] = {
    ROWS "SELECT " TABLE_JOBS ", job_id, version, NULL, NULL, NULL FROM renewal_jobs"
         " WHERE local_conversation_id = ?1 LIMIT ?4",
    ROWS "SELECT " TABLE_LINKS ", link_id, version, platform, remote_conversation_id, NULL"
         " FROM conversation_links WHERE local_conversation_id = ?1 LIMIT ?4",
    ROWS "SELECT " TABLE_CONVERSATIONS ", local_conversation_id, version, platform, NULL, NULL"
         " FROM local_conversations WHERE local_conversation_id = ?1",
    ROWS "SELECT " TABLE_SESSIONS
         ", x.id, x.version, x.platform, x.conversation_id, x.static_path" IN_HOMES(
             "sessions") " LIMIT ?4"};

static const char messages_in_homes[] = "SELECT x.id, x.version, (SELECT count(*) FROM executions "
                                        "e WHERE e.message_id = x.id)" IN_HOMES("messages");

/* Of a message that has more of them than go at once. */
static const char *const executions_of[] = {
    ROWS "SELECT " TABLE_EXECUTIONS ", instruction_id, version, NULL, NULL, static_path"
         " FROM executions WHERE message_id = ?1 LIMIT ?4"};

/* Children first. */
static const char *const deletes[] = {
    "DELETE FROM leases WHERE job_id IN " KEYS(TABLE_JOBS),
    "DELETE FROM anyway WHERE job_id IN " KEYS(TABLE_JOBS),
    "DELETE FROM unreached WHERE job_id IN " KEYS(TABLE_JOBS),
    "DELETE FROM waits WHERE kind = 'job' AND id IN " KEYS(TABLE_JOBS),
    "DELETE FROM waits WHERE kind = 'conversation' AND id IN " KEYS(TABLE_CONVERSATIONS),
    "DELETE FROM offers WHERE job_id IN " KEYS(TABLE_JOBS),
    "DELETE FROM attempts WHERE job_id IN " KEYS(TABLE_JOBS) " OR local_conversation_id IN " KEYS(
        TABLE_CONVERSATIONS),
    /* An answer is the text of the attempt before it. */
    "UPDATE attempts SET text = NULL, error = NULL WHERE sent_message_id IN " KEYS(
        TABLE_MESSAGES) " OR local_conversation_id IN (SELECT l.local_conversation_id"
                        " FROM temp.forget_rows r JOIN conversation_links l"
                        " ON l.remote_conversation_id = r.conversation AND l.platform = r.platform"
                        " WHERE r.t = " TABLE_MESSAGES ")",
    "DELETE FROM sent WHERE job_id IN " KEYS(TABLE_JOBS) " OR message_id IN " KEYS(TABLE_MESSAGES),
    "DELETE FROM pauses WHERE (kind = 'job' AND name IN " KEYS(
        TABLE_JOBS) ") OR (kind = 'conversation' AND name IN " KEYS(TABLE_CONVERSATIONS) ")",
    "DELETE FROM automation WHERE local_conversation_id IN " KEYS(TABLE_CONVERSATIONS),
    "DELETE FROM older WHERE local_conversation_id IN " KEYS(
        TABLE_CONVERSATIONS) " OR message_id IN " KEYS(TABLE_MESSAGES),
    "DELETE FROM captures WHERE (platform, conversation) IN"
    " (SELECT platform, conversation FROM forgetting_homes WHERE number = ?3)"
    " AND EXISTS (SELECT 1 FROM temp.forget_rows WHERE t = " TABLE_CONVERSATIONS ")",
    "DELETE FROM renewal_jobs WHERE version IN " GONE(TABLE_JOBS),
    "DELETE FROM conversation_links WHERE version IN " GONE(TABLE_LINKS),
    "DELETE FROM executions WHERE version IN " GONE(TABLE_EXECUTIONS),
    "DELETE FROM sessions WHERE version IN " GONE(TABLE_SESSIONS),
    "DELETE FROM messages WHERE version IN " GONE(TABLE_MESSAGES),
    "DELETE FROM local_conversations WHERE version IN " GONE(TABLE_CONVERSATIONS)};

/* What was forgotten of the same conversations before has kept originals out that have this, too:
 * they stay out when only that is taken back. */
#define HOMES \
  "(SELECT platform, conversation FROM forgetting_homes WHERE number = ?3" \
  " UNION SELECT platform, conversation" \
  " FROM temp.forget_rows WHERE t = " TABLE_MESSAGES " AND conversation IS NOT NULL)"
#define BEFORE \
  "(SELECT f.forgotten_with FROM " HOMES " h JOIN forgotten f" \
  " ON f.conversation_id = h.conversation AND f.platform = h.platform)"
static const char *const kept_out[] = {
    "INSERT OR IGNORE INTO forgotten_originals SELECT id, ?5 FROM forgotten_originals"
    " WHERE forgotten_with IN " BEFORE,
    "INSERT OR IGNORE INTO forgotten_logs SELECT log, ?5 FROM forgotten_logs"
    " WHERE forgotten_with IN " BEFORE};

const char forget_rows_sql[] = "SELECT t, key, platform, conversation, path FROM temp.forget_rows"
                               " ORDER BY t DESC, key";
/* What belongs to an attempt that has not ended, or not surely: its message, and those that it
 * made.
 */
const char forget_running_sql[] =
    "SELECT job_id, local_conversation_id, message_id FROM renewal_jobs WHERE status = 'running'"
    " UNION ALL SELECT job_id, j.local_conversation_id, s.message_id FROM renewal_jobs j"
    " JOIN sent s USING (job_id) WHERE j.status = 'running'"
    " UNION ALL SELECT job_id, j.local_conversation_id, a.sent_message_id FROM renewal_jobs j"
    " JOIN attempts a USING (job_id) WHERE j.status = 'running' AND a.sent_message_id IS NOT NULL";
const char forget_homes_sql[] =
    "SELECT platform, conversation FROM forgetting_homes WHERE number = ?3";

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* ---- SQL ---- */

sqlite3_stmt *forget_begin(struct apply *a, const char *sql, const struct forget *f,
                           struct ck_err *err) {
  sqlite3_stmt *s = db_prepare(a->db, sql, err);
  if (!s) {
    apply_failed(a);
    return NULL;
  }
  int n = sqlite3_bind_parameter_count(s);
  if (n > 0) db_bind_str(s, 1, f->id);
  if (n > 1) sqlite3_bind_int64(s, 2, (sqlite3_int64)f->version);
  if (n > 2) sqlite3_bind_int64(s, 3, f->number);
  if (n > 3) sqlite3_bind_int64(s, 4, f->limit);
  if (n > 4) db_bind_str(s, 5, f->with);
  return s;
}

/* 1: a row; 0: the end; -1. */
int forget_next(struct apply *a, sqlite3_stmt *s, struct ck_err *err) {
  int rc = sqlite3_step(s);
  if (rc == SQLITE_ROW) return 1;
  if (rc == SQLITE_DONE) return 0;
  db_fail(a->db, "forget", err);
  return apply_failed(a);
}

int forget_run(struct apply *a, const char *const *sql, size_t n, const struct forget *f,
               struct ck_err *err) {
  for (size_t i = 0; i < n; ++i) {
    sqlite3_stmt *s = forget_begin(a, sql[i], f, err);
    int rc = s ? forget_next(a, s, err) : -1;
    sqlite3_finalize(s);
    if (rc < 0) return -1;
  }
  return 0;
}

static void add_key(struct forget_keys *l, struct ck_str key) {
  l->at = ck_realloc(l->at, (l->n + 1) * sizeof *l->at);
  l->at[l->n++] = ck_arena_copy(&l->arena, key);
}

void forget_keys_free(struct forget_keys *l) {
  free(l->at);
  ck_arena_free(&l->arena);
}

/* The first column of all rows. Finalizes the statement, which may be NULL. 0 or -1. */
int forget_keys(struct apply *a, sqlite3_stmt *s, struct forget_keys *l, struct ck_err *err) {
  int rc;
  while ((rc = s ? forget_next(a, s, err) : -1) > 0) add_key(l, db_str(s, 0));
  sqlite3_finalize(s);
  return rc;
}

/* ---- what goes ---- */

int forget_find_homes(struct apply *a, const struct forget *f, struct ck_err *err) {
  return forget_run(a, homes, COUNT(homes), f, err);
}

/* Runs a statement that adds rows, and takes them off what may go. */
static int collect(struct apply *a, const char *const *sql, struct forget *f, struct ck_err *err) {
  if (f->limit <= 0) return 0;
  if (forget_run(a, sql, 1, f, err)) return -1;
  f->limit -= sqlite3_changes(a->db);
  return 0;
}

static int take_message(struct apply *a, sqlite3_stmt *insert, sqlite3_stmt *m,
                        struct ck_err *err) {
  sqlite3_bind_int64(insert, 1, sqlite3_column_int64(m, 1));
  int rc = forget_next(a, insert, err);
  sqlite3_reset(insert);
  return rc < 0 ? -1 : 0;
}

/* Messages with their executions, until f->limit is used up. One that has too many leaves only
 * executions this time. */
static int take_messages(struct apply *a, sqlite3_stmt *insert, sqlite3_stmt *m, struct forget *f,
                         struct ck_err *err) {
  const int64_t first = f->limit;
  int rc = 0;
  while (f->limit > 0 && (rc = forget_next(a, m, err)) > 0) {
    int64_t cost = 1 + sqlite3_column_int64(m, 2);
    struct forget one = {.id = db_str(m, 0), .limit = f->limit};
    if (cost <= f->limit && take_message(a, insert, m, err)) return -1;
    if (cost > f->limit && f->limit == first && forget_run(a, executions_of, 1, &one, err))
      return -1;
    f->limit = cost <= f->limit ? f->limit - cost : 0;
  }
  return rc < 0 ? -1 : 0;
}

static int collect_messages(struct apply *a, struct forget *f, struct ck_err *err) {
  static const char insert_sql[] =
      ROWS "SELECT " TABLE_MESSAGES ", id, version, platform, conversation_id, static_path"
           " FROM messages WHERE version = ?1";
  if (f->limit <= 0) return 0;
  sqlite3_stmt *m = forget_begin(a, messages_in_homes, f, err);
  sqlite3_stmt *insert = m ? db_prepare(a->db, insert_sql, err) : NULL;
  int rc = insert ? take_messages(a, insert, m, f, err) : m ? apply_failed(a) : -1;
  sqlite3_finalize(m);
  sqlite3_finalize(insert);
  return rc;
}

static int collect_conversation(struct apply *a, struct forget *f, struct ck_err *err) {
  for (size_t i = 0; i < COUNT(of_conversation); ++i)
    if (collect(a, &of_conversation[i], f, err)) return -1;
  return collect_messages(a, f, err);
}

int forget_collect(struct apply *a, struct forget *f, struct ck_err *err) {
  if (db_exec(a->db, SCHEMA, err)) return apply_failed(a);
  if (f->conversation ? collect_conversation(a, f, err)
                      : forget_run(a, of_message, COUNT(of_message), f, err))
    return -1;
  return forget_run(a, with_messages, COUNT(with_messages), f, err) || forget_files_named(a, f, err)
             ? -1
             : 0;
}

int forget_count_executions(struct apply *a, const struct forget *f, int64_t *n,
                            struct ck_err *err) {
  sqlite3_stmt *s =
      forget_begin(a, "SELECT count(*) FROM temp.forget_rows WHERE t = " TABLE_EXECUTIONS, f, err);
  int rc = s ? forget_next(a, s, err) : -1;
  *n = rc > 0 ? sqlite3_column_int64(s, 0) : 0;
  sqlite3_finalize(s);
  return rc < 0 ? -1 : 0;
}

/* ---- originals ---- */

/* Those that the records name. */
static int forget_originals(struct apply *a, const struct forget *f, struct ck_err *err) {
  sqlite3_stmt *s = forget_begin(
      a,
      "SELECT original FROM messages WHERE original IS NOT NULL"
      " AND version IN " GONE(
          TABLE_MESSAGES) " UNION SELECT original FROM"
                          " executions WHERE original IS NOT NULL AND version IN " GONE(
                              TABLE_EXECUTIONS),
      f, err);
  int rc;
  while ((rc = s ? forget_next(a, s, err) : -1) > 0)
    if (originals_forget(a->originals, db_str(s, 0), f->with, err)) {
      rc = apply_failed(a);
      break;
    }
  sqlite3_finalize(s);
  return rc;
}

int forget_originals_of(struct apply *a, const struct forget *f, struct ck_err *err) {
  sqlite3_stmt *s = forget_begin(a, "SELECT * FROM " HOMES, f, err);
  int rc;
  while ((rc = s ? forget_next(a, s, err) : -1) > 0)
    if (originals_forget_conversation(a->originals, db_str(s, 0), db_str(s, 1), f->with, err)) {
      rc = apply_failed(a);
      break;
    }
  sqlite3_finalize(s);
  return rc < 0 ? -1 : forget_run(a, kept_out, COUNT(kept_out), f, err);
}

static int delete_keys(struct apply *a, const struct forget *f, struct ck_err *err) {
  sqlite3_stmt *s =
      forget_begin(a, "SELECT key FROM temp.forget_rows WHERE t = " TABLE_MESSAGES, f, err);
  int rc;
  while ((rc = s ? forget_next(a, s, err) : -1) > 0)
    if (keys_delete(tables_keys(a->tables), db_str(s, 0), err)) {
      rc = apply_failed(a);
      break;
    }
  sqlite3_finalize(s);
  return rc;
}

/* ---- all of it ---- */

int forget_delete(struct apply *a, const struct forget *f, struct ck_err *err) {
  return forget_originals(a, f, err) || forget_run(a, deletes, COUNT(deletes), f, err) ||
                 delete_keys(a, f, err)
             ? -1
             : 0;
}

void forget_end(struct apply *a) {
  struct ck_err ignored;
  db_exec(a->db, "DROP TABLE IF EXISTS temp.forget_rows", &ignored);
}
