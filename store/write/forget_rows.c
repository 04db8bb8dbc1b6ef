/* What a FORGET takes out: the records, and what the store's own tables, the originals and the
 * attachments have of them. */
#include <stdlib.h>

#include "store/write/forget.h"

/* What goes: a row for each record, with its table's place in ck_tables; and whose messages go.
 * message: a message's id, and so what goes with it alone. */
#define SCHEMA \
  "CREATE TEMP TABLE IF NOT EXISTS forget_rows (t INTEGER NOT NULL, key TEXT NOT NULL," \
  " version INTEGER NOT NULL, platform TEXT, conversation TEXT, path TEXT," \
  " PRIMARY KEY (t, key))" \
  " WITHOUT ROWID;" \
  "CREATE TEMP TABLE IF NOT EXISTS forget_homes (platform TEXT NOT NULL," \
  " conversation TEXT NOT NULL, PRIMARY KEY (platform, conversation)) WITHOUT ROWID;" \
  "CREATE TEMP TABLE IF NOT EXISTS forget_files (hash TEXT PRIMARY KEY) WITHOUT ROWID;" \
  "DELETE FROM temp.forget_rows; DELETE FROM temp.forget_homes; DELETE FROM temp.forget_files"

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
static const char *const of_conversation[] = {
    "INSERT OR IGNORE INTO temp.forget_homes SELECT platform, remote_conversation_id"
    " FROM conversation_links WHERE local_conversation_id = ?1"
    " AND remote_conversation_id IS NOT NULL",
    "INSERT OR IGNORE INTO temp.forget_homes SELECT c.platform, substr(?1, length(c.platform) + 2)"
    " FROM local_conversations c WHERE c.local_conversation_id = ?1"
    " AND substr(?1, 1, length(c.platform) + 1) = c.platform || ':'"
    " AND length(?1) > length(c.platform) + 1"
    " AND NOT EXISTS (SELECT 1 FROM conversation_links l WHERE l.platform = c.platform"
    "  AND l.remote_conversation_id = substr(?1, length(c.platform) + 2)"
    "  AND l.local_conversation_id <> ?1)",
    ROWS "SELECT " TABLE_CONVERSATIONS ", local_conversation_id, version, platform, NULL, NULL"
         " FROM local_conversations WHERE local_conversation_id = ?1",
    ROWS "SELECT " TABLE_LINKS ", link_id, version, platform, remote_conversation_id, NULL"
         " FROM conversation_links WHERE local_conversation_id = ?1",
    ROWS "SELECT " TABLE_JOBS ", job_id, version, NULL, NULL, NULL FROM renewal_jobs"
         " WHERE local_conversation_id = ?1",
    ROWS "SELECT " TABLE_MESSAGES ", m.id, m.version, m.platform, m.conversation_id, m.static_path"
         " FROM temp.forget_homes h CROSS JOIN messages m ON m.conversation_id = h.conversation"
         " AND +m.platform = h.platform",
    ROWS "SELECT " TABLE_SESSIONS ", s.id, s.version, s.platform, s.conversation_id, s.static_path"
         " FROM temp.forget_homes h CROSS JOIN sessions s ON s.conversation_id = h.conversation"
         " AND +s.platform = h.platform"};

/* The files that messages m name: each by the source's id of it. */
#define NAMED_BY_M \
  " CROSS JOIN json_each(CASE WHEN json_valid(m.details) THEN m.details END, '$.attachments') a" \
  " CROSS JOIN attachment_names n ON n.file = CASE a.type WHEN 'object'" \
  "  THEN json_extract(a.value, '$.file') END AND n.file <> ''"

/* Before the rows go: the files that they name. */
static const char *const files[] = {
    "INSERT OR IGNORE INTO temp.forget_files SELECT n.hash FROM messages m" NAMED_BY_M
    " WHERE m.version IN " GONE(TABLE_MESSAGES)};

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
    " (SELECT platform, conversation FROM temp.forget_homes)"
    " AND EXISTS (SELECT 1 FROM temp.forget_rows WHERE t = " TABLE_CONVERSATIONS ")",
    "DELETE FROM renewal_jobs WHERE version IN " GONE(TABLE_JOBS),
    "DELETE FROM conversation_links WHERE version IN " GONE(TABLE_LINKS),
    "DELETE FROM executions WHERE version IN " GONE(TABLE_EXECUTIONS),
    "DELETE FROM sessions WHERE version IN " GONE(TABLE_SESSIONS),
    "DELETE FROM messages WHERE version IN " GONE(TABLE_MESSAGES),
    "DELETE FROM local_conversations WHERE version IN " GONE(TABLE_CONVERSATIONS)};

/* Afterwards: a file that another message names stays. All messages are read once, if there is any
 * file. */
static const char *const files_kept[] = {
    "DELETE FROM temp.forget_files WHERE hash IN (SELECT n.hash"
    " FROM (SELECT 1 FROM temp.forget_files LIMIT 1) CROSS JOIN messages m" NAMED_BY_M ")",
    "INSERT OR IGNORE INTO forgotten_files SELECT hash, ?1 FROM temp.forget_files",
    "DELETE FROM attachments WHERE hash IN (SELECT hash FROM temp.forget_files)",
    "DELETE FROM attachment_names WHERE hash IN (SELECT hash FROM temp.forget_files)"};

/* What was forgotten of the same conversations before has kept originals out that have this, too:
 * they stay out when only that is taken back. */
#define HOMES \
  "(SELECT platform, conversation FROM temp.forget_homes UNION SELECT platform, conversation" \
  " FROM temp.forget_rows WHERE t = " TABLE_MESSAGES " AND conversation IS NOT NULL)"
#define BEFORE \
  "(SELECT f.forgotten_with FROM " HOMES " h JOIN forgotten f" \
  " ON f.conversation_id = h.conversation AND f.platform = h.platform)"
static const char *const kept_out[] = {
    "INSERT OR IGNORE INTO forgotten_originals SELECT id, ?1 FROM forgotten_originals"
    " WHERE forgotten_with IN " BEFORE,
    "INSERT OR IGNORE INTO forgotten_logs SELECT log, ?1 FROM forgotten_logs"
    " WHERE forgotten_with IN " BEFORE};

const char forget_rows_sql[] = "SELECT t, key, platform, conversation, path FROM temp.forget_rows"
                               " ORDER BY t DESC, key";
const char forget_homes_sql[] = "SELECT platform, conversation FROM temp.forget_homes";

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* ---- SQL ---- */

/* A statement with ?1 the id and ?2 the version, as far as it has them. */
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

int forget_collect(struct apply *a, const struct forget *f, struct ck_err *err) {
  if (db_exec(a->db, SCHEMA, err)) return apply_failed(a);
  if (f->conversation ? forget_run(a, of_conversation, COUNT(of_conversation), f, err)
                      : forget_run(a, of_message, COUNT(of_message), f, err))
    return -1;
  return forget_run(a, with_messages, COUNT(with_messages), f, err) ||
                 forget_run(a, files, COUNT(files), f, err)
             ? -1
             : 0;
}

/* An attempt under way would end in nothing, and its message would come back as a new one. */
int forget_check_jobs(struct apply *a, const struct forget *f, struct ck_err *err) {
  sqlite3_stmt *s = forget_begin(a,
                                 "SELECT job_id FROM renewal_jobs WHERE status = 'running'"
                                 " AND version IN " GONE(TABLE_JOBS) " ORDER BY job_id LIMIT 1",
                                 f, err);
  int rc = s ? forget_next(a, s, err) : -1;
  if (rc > 0) {
    struct ck_str id = ck_utf8_cut(db_str(s, 0), 100);
    ck_fail(err,
            "forget: an attempt of the follow-up %.*s is under way, or its end is unknown: end it"
            " with `convkeep jobs cancel %.*s`, and forget then",
            (int)id.n, id.s, (int)id.n, id.s);
    rc = -1;
  }
  sqlite3_finalize(s);
  return rc;
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

/* ---- originals and files ---- */

/* Those that the records name. */
static int keep_originals_out(struct apply *a, const struct forget *f, struct ck_err *err) {
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
    if (originals_keep_out(a->originals, db_str(s, 0), f->with, err)) {
      rc = apply_failed(a);
      break;
    }
  sqlite3_finalize(s);
  return rc;
}

/* All originals of the conversation, also those of older exports. */
static int forget_originals(struct apply *a, const struct forget *f, struct ck_err *err) {
  struct originals_home *homes = NULL;
  struct ck_arena arena = {0};
  size_t n = 0;
  sqlite3_stmt *s =
      forget_begin(a,
                   "SELECT platform, conversation FROM temp.forget_homes UNION SELECT"
                   " platform, conversation FROM temp.forget_rows WHERE t = " TABLE_MESSAGES
                   " AND conversation IS NOT NULL",
                   f, err);
  int rc;
  while ((rc = s ? forget_next(a, s, err) : -1) > 0) {
    homes = ck_realloc(homes, (n + 1) * sizeof *homes);
    homes[n++] = (struct originals_home){ck_arena_copy(&arena, db_str(s, 0)),
                                         ck_arena_copy(&arena, db_str(s, 1))};
  }
  sqlite3_finalize(s);
  if (rc == 0 && originals_forget(a->originals, homes, n, f->with, err)) rc = apply_failed(a);
  free(homes);
  ck_arena_free(&arena);
  return rc;
}

int apply_delete_files(struct apply *a, struct ck_err *err) {
  sqlite3_stmt *s = db_prepare(a->db,
                               "SELECT hash FROM forgotten_files"
                               " WHERE hash NOT IN (SELECT hash FROM attachments)",
                               err);
  int rc = s ? SQLITE_ROW : -1, bad = 0;
  while (bad == 0 && rc == SQLITE_ROW && (rc = sqlite3_step(s)) == SQLITE_ROW)
    bad = attachments_delete(a->attachments, db_str(s, 0), err);
  if (s && bad == 0 && rc != SQLITE_DONE) bad = db_fail(a->db, "forgotten_files", err);
  sqlite3_finalize(s);
  return s && bad == 0 ? 0 : -1;
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
  const struct forget by_name = {.id = f->with};
  return keep_originals_out(a, f, err) || forget_run(a, deletes, COUNT(deletes), f, err) ||
                 forget_run(a, files_kept, COUNT(files_kept), &by_name, err) ||
                 delete_keys(a, f, err) || forget_originals(a, f, err) ||
                 forget_run(a, kept_out, COUNT(kept_out), &by_name, err)
             ? -1
             : 0;
}

void forget_end(struct apply *a) {
  struct ck_err ignored;
  db_exec(a->db,
          "DROP TABLE IF EXISTS temp.forget_rows; DROP TABLE IF EXISTS temp.forget_homes;"
          "DROP TABLE IF EXISTS temp.forget_files",
          &ignored);
}
