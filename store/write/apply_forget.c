/* FORGET and REMEMBER: a conversation or a message goes, with all that belongs to it, and a record
 * in `forgotten` for each that goes keeps it away.
 *
 * A FORGET is alone in its transaction (intake.c), so all that it is about is in the database, and
 * nothing of it is in the cache. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/write/apply_internal.h"

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
static const char *const with_messages[] =
    {
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

/* Before the rows go: the files that they name. A message names one by the source's id of it. */
static const char *const files[] = {
    "INSERT OR IGNORE INTO temp.forget_files SELECT n.hash FROM messages m"
    " CROSS JOIN json_each(m.details, '$.attachments') a"
    " CROSS JOIN attachment_names n ON n.file = json_extract(a.value, '$.file')"
    " WHERE m.version IN " GONE(TABLE_MESSAGES) " AND json_valid(m.details) AND n.file <> ''"};

/* Children first. */
static const char *const deletes[] = {
    "DELETE FROM leases WHERE job_id IN " KEYS(TABLE_JOBS),
    "DELETE FROM anyway WHERE job_id IN " KEYS(TABLE_JOBS),
    "DELETE FROM unreached WHERE job_id IN " KEYS(TABLE_JOBS),
    "DELETE FROM offers WHERE job_id IN " KEYS(TABLE_JOBS),
    "DELETE FROM attempts WHERE job_id IN " KEYS(TABLE_JOBS) " OR local_conversation_id IN " KEYS(
        TABLE_CONVERSATIONS),
    "UPDATE attempts SET text = NULL, error = NULL WHERE sent_message_id IN " KEYS(TABLE_MESSAGES),
    "DELETE FROM sent WHERE job_id IN " KEYS(TABLE_JOBS) " OR message_id IN " KEYS(TABLE_MESSAGES),
    "DELETE FROM pauses WHERE (kind = 'job' AND name IN " KEYS(
        TABLE_JOBS) ") OR (kind = 'conversation' AND name IN " KEYS(TABLE_CONVERSATIONS) ")",
    "DELETE FROM automation WHERE local_conversation_id IN " KEYS(TABLE_CONVERSATIONS),
    "DELETE FROM captures WHERE (platform, conversation) IN"
    " (SELECT platform, conversation FROM temp.forget_homes)"
    " AND EXISTS (SELECT 1 FROM temp.forget_rows WHERE t = " TABLE_CONVERSATIONS ")",
    "DELETE FROM renewal_jobs WHERE version IN " GONE(TABLE_JOBS),
    "DELETE FROM conversation_links WHERE version IN " GONE(TABLE_LINKS),
    "DELETE FROM executions WHERE version IN " GONE(TABLE_EXECUTIONS),
    "DELETE FROM sessions WHERE version IN " GONE(TABLE_SESSIONS),
    "DELETE FROM messages WHERE version IN " GONE(TABLE_MESSAGES),
    "DELETE FROM local_conversations WHERE version IN " GONE(TABLE_CONVERSATIONS)};

/* Afterwards: a file that another message names stays. */
static const char *const files_kept[] = {
    "DELETE FROM temp.forget_files WHERE EXISTS (SELECT 1 FROM attachment_names n, messages m"
    " WHERE n.hash = forget_files.hash AND n.file <> '' AND m.details IS NOT NULL"
    " AND instr(m.details, n.file) > 0)",
    "INSERT OR IGNORE INTO forgotten_files SELECT hash, ?1 FROM temp.forget_files",
    "DELETE FROM attachments WHERE hash IN (SELECT hash FROM temp.forget_files)",
    "DELETE FROM attachment_names WHERE hash IN (SELECT hash FROM temp.forget_files)"};

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* What a FORGET is about. */
struct forget {
  bool conversation;
  struct ck_str id;
  uint64_t version;   /* of the message */
  struct ck_str with; /* "TABLE/KEY" of it */
};

/* ---- SQL ---- */

/* A statement with ?1 the id and ?2 the version, as far as it has them. */
static sqlite3_stmt *begin(struct apply *a, const char *sql, const struct forget *f,
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
static int next(struct apply *a, sqlite3_stmt *s, struct ck_err *err) {
  int rc = sqlite3_step(s);
  if (rc == SQLITE_ROW) return 1;
  if (rc == SQLITE_DONE) return 0;
  db_fail(a->db, "forget", err);
  return apply_failed(a);
}

static int run_all(struct apply *a, const char *const *sql, size_t n, const struct forget *f,
                   struct ck_err *err) {
  for (size_t i = 0; i < n; ++i) {
    sqlite3_stmt *s = begin(a, sql[i], f, err);
    int rc = s ? next(a, s, err) : -1;
    sqlite3_finalize(s);
    if (rc < 0) return -1;
  }
  return 0;
}

/* Keys, in an arena of their own. */
struct key_list {
  struct ck_str *at;
  size_t n;
  struct ck_arena arena;
};

static void add_key(struct key_list *l, struct ck_str key) {
  l->at = ck_realloc(l->at, (l->n + 1) * sizeof *l->at);
  l->at[l->n++] = ck_arena_copy(&l->arena, key);
}

static void free_keys(struct key_list *l) {
  free(l->at);
  ck_arena_free(&l->arena);
}

/* The first column of all rows. Finalizes the statement, which may be NULL. 0 or -1. */
static int list_keys(struct apply *a, sqlite3_stmt *s, struct key_list *l, struct ck_err *err) {
  int rc;
  while ((rc = s ? next(a, s, err) : -1) > 0) add_key(l, db_str(s, 0));
  sqlite3_finalize(s);
  return rc;
}

/* ---- what goes ---- */

static int find_message(struct apply *a, struct forget *f, struct ck_err *err) {
  const struct entry *e = apply_find(a, CK_MESSAGES, f->id, err);
  if (!e) return -1;
  f->version = e->exists ? e->stored : 0;
  return e->exists;
}

/* 1; 0: there is none; -1. */
static int find(struct apply *a, struct forget *f, struct ck_err *err) {
  if (!f->conversation) return find_message(a, f, err);
  const struct entry *e = apply_find(a, CK_CONVERSATIONS, f->id, err);
  return e ? e->exists : -1;
}

static int collect(struct apply *a, const struct forget *f, struct ck_err *err) {
  if (db_exec(a->db, SCHEMA, err)) return apply_failed(a);
  if (f->conversation ? run_all(a, of_conversation, COUNT(of_conversation), f, err)
                      : run_all(a, of_message, COUNT(of_message), f, err))
    return -1;
  return run_all(a, with_messages, COUNT(with_messages), f, err) ||
                 run_all(a, files, COUNT(files), f, err)
             ? -1
             : 0;
}

/* An attempt under way would end in nothing, and its message would come back as a new one. */
static int check_jobs(struct apply *a, const struct forget *f, struct ck_err *err) {
  sqlite3_stmt *s = begin(a,
                          "SELECT job_id FROM renewal_jobs WHERE status = 'running'"
                          " AND version IN " GONE(TABLE_JOBS) " ORDER BY job_id LIMIT 1",
                          f, err);
  int rc = s ? next(a, s, err) : -1;
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

/* ---- originals and files ---- */

/* Those that the records name. */
static int keep_originals_out(struct apply *a, const struct forget *f, struct ck_err *err) {
  sqlite3_stmt *s =
      begin(a,
            "SELECT original FROM messages WHERE original IS NOT NULL"
            " AND version IN " GONE(
                TABLE_MESSAGES) " UNION SELECT original FROM"
                                " executions WHERE original IS NOT NULL AND version IN " GONE(
                                    TABLE_EXECUTIONS),
            f, err);
  int rc;
  while ((rc = s ? next(a, s, err) : -1) > 0)
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
  sqlite3_stmt *s = begin(a,
                          "SELECT platform, conversation FROM temp.forget_homes UNION SELECT"
                          " platform, conversation FROM temp.forget_rows WHERE t = " TABLE_MESSAGES
                          " AND conversation IS NOT NULL",
                          f, err);
  int rc;
  while ((rc = s ? next(a, s, err) : -1) > 0) {
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

/* Before the commit: if that fails, FORGET comes again, and finds them gone. */
static int forget_files(struct apply *a, const struct forget *f, struct ck_err *err) {
  sqlite3_stmt *s = begin(a, "SELECT hash FROM temp.forget_files", f, err);
  int rc;
  while ((rc = s ? next(a, s, err) : -1) > 0)
    if (attachments_delete(a->attachments, db_str(s, 0), err)) {
      rc = apply_failed(a);
      break;
    }
  sqlite3_finalize(s);
  return rc;
}

/* ---- what stays ---- */

/* What is kept of a record besides its key: whose it was, and where its files are. */
struct gone {
  struct ck_value platform, conversation, path;
};

/* Puts the record that keeps another one away. */
static int keep_away(struct apply *a, const struct forget *f, enum ck_table t, struct ck_str key,
                     const struct gone *g, struct ck_err *err) {
  struct ck_buf id = {0};
  struct ck_row row = {.table = CK_FORGOTTEN};
  ck_forgotten_id(&id, t, key);
  struct entry *e = apply_find(a, CK_FORGOTTEN, ck_buf_view(&id), err);
  row.v[CK_FORGOTTEN_FORGOTTEN_ID] = ck_text(ck_buf_view(&id));
  row.v[CK_FORGOTTEN_TABLE_NAME] = ck_textz(ck_tables[t].name);
  row.v[CK_FORGOTTEN_RECORD_KEY] = ck_text(key);
  row.v[CK_FORGOTTEN_FORGOTTEN_WITH] = ck_text(f->with);
  row.v[CK_FORGOTTEN_PLATFORM] = g->platform;
  row.v[CK_FORGOTTEN_CONVERSATION_ID] = g->conversation;
  row.v[CK_FORGOTTEN_STATIC_PATH] = g->path;
  row.v[CK_FORGOTTEN_FORGOTTEN_AT] = ck_int(a->now);
  row.v[CK_FORGOTTEN_TAKEN_BACK] = ck_int(0);
  int rc = e ? apply_change(a, e, &row, err) : -1;
  ck_buf_free(&id);
  return rc;
}

static struct ck_value text_or_null(sqlite3_stmt *s, int column) {
  return sqlite3_column_type(s, column) == SQLITE_NULL ? ck_null() : ck_text(db_str(s, column));
}

/* In the order of the tables, the last one first: children before their parents. */
static int keep_all_away(struct apply *a, const struct forget *f, struct ck_err *err) {
  sqlite3_stmt *s = begin(a,
                          "SELECT t, key, platform, conversation, path FROM temp.forget_rows"
                          " ORDER BY t DESC, key",
                          f, err);
  int rc;
  while ((rc = s ? next(a, s, err) : -1) > 0) {
    enum ck_table t = (enum ck_table)sqlite3_column_int(s, 0);
    a->fresh[t] -= 1;
    const struct gone g = {text_or_null(s, 2), text_or_null(s, 3), text_or_null(s, 4)};
    if (keep_away(a, f, t, db_str(s, 1), &g, err)) {
      rc = -1;
      break;
    }
  }
  sqlite3_finalize(s);
  return rc;
}

/* What an export calls the conversation, which may be another id than its own here. */
static int keep_homes_away(struct apply *a, const struct forget *f, struct ck_err *err) {
  sqlite3_stmt *s =
      begin(a,
            "SELECT platform, conversation FROM temp.forget_homes"
            " WHERE platform || ':' || conversation NOT IN " KEYS(TABLE_CONVERSATIONS),
            f, err);
  struct ck_buf key = {0};
  int rc;
  while ((rc = s ? next(a, s, err) : -1) > 0) {
    ck_buf_clear(&key);
    apply_home_key(&key, db_str(s, 0), db_str(s, 1));
    const struct gone g = {text_or_null(s, 0), ck_null(), ck_null()};
    if (keep_away(a, f, CK_CONVERSATIONS, ck_buf_view(&key), &g, err)) {
      rc = -1;
      break;
    }
  }
  sqlite3_finalize(s);
  ck_buf_free(&key);
  return rc;
}

static int delete_keys(struct apply *a, const struct forget *f, struct ck_err *err) {
  sqlite3_stmt *s = begin(a, "SELECT key FROM temp.forget_rows WHERE t = " TABLE_MESSAGES, f, err);
  int rc;
  while ((rc = s ? next(a, s, err) : -1) > 0)
    if (keys_delete(tables_keys(a->tables), db_str(s, 0), err)) {
      rc = apply_failed(a);
      break;
    }
  sqlite3_finalize(s);
  return rc;
}

/* ---- what is left of a conversation without the message ---- */

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

/* What stood last before it: the message above it, else the newest one. */
#define LAST_OF \
  "SELECT id, observed_at FROM messages WHERE conversation_id IS ?1 AND +platform = ?2" \
  " ORDER BY id = ?3 DESC, observed_at DESC, version DESC LIMIT 1"

static int find_last(struct apply *a, const struct ck_row *gone, struct ck_row *conversation,
                     struct ck_arena *arena, struct ck_err *err) {
  sqlite3_stmt *s = ask_of(a, LAST_OF, gone, ck_row_text(gone, CK_MESSAGES_PARENT_ID), err);
  int rc = s ? next(a, s, err) : -1;
  conversation->v[CK_CONVERSATIONS_LAST_MESSAGE_ID] =
      rc > 0 ? ck_text(ck_arena_copy(arena, db_str(s, 0))) : ck_null();
  conversation->v[CK_CONVERSATIONS_LAST_MESSAGE_AT] =
      rc > 0 ? ck_int(sqlite3_column_int64(s, 1)) : ck_null();
  sqlite3_finalize(s);
  return rc < 0 ? -1 : 0;
}

/* Its last message is another one: a person decides whether that is followed up. Its summary may
 * say what is forgotten. */
static int mend_conversation(struct apply *a, const struct ck_row *gone, struct ck_str id,
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
    row.v[CK_CONVERSATIONS_UPDATED_AT] = ck_int(a->now);
    rc = apply_change(a, e, &row, err);
  }
  ck_arena_free(&arena);
  return rc;
}

/* Conversations whose message it was, or whose last message. */
#define CONVERSATIONS_OF \
  "SELECT local_conversation_id FROM conversation_links WHERE platform = ?2" \
  " AND remote_conversation_id = ?1 UNION SELECT local_conversation_id FROM local_conversations" \
  " WHERE last_message_id = ?3"
/* The session that has counted it: that of the day on which it was first observed. */
#define SESSION_OF \
  "SELECT id FROM sessions WHERE conversation_id IS ?1 AND +platform = ?2" \
  " AND substr(id, -10) = replace(substr(?3, 5, 10), '/', '-') LIMIT 1"

static int mend_conversations(struct apply *a, const struct ck_row *gone, struct ck_err *err) {
  struct key_list keys = {0};
  int rc = list_keys(a, ask_of(a, CONVERSATIONS_OF, gone, ck_row_key(gone), err), &keys, err);
  for (size_t i = 0; i < keys.n && rc == 0; ++i) rc = mend_conversation(a, gone, keys.at[i], err);
  free_keys(&keys);
  return rc;
}

static void count_down(struct ck_value *count, int64_t n) {
  if (count->state == CK_INT) count->as.i = count->as.i > n ? count->as.i - n : 0;
}

static int mend_session(struct apply *a, const struct ck_row *gone, int64_t executions,
                        struct ck_err *err) {
  struct key_list keys = {0};
  struct ck_str path = ck_row_text(gone, CK_MESSAGES_STATIC_PATH);
  int rc = list_keys(a, ask_of(a, SESSION_OF, gone, path, err), &keys, err);
  struct entry *e = rc == 0 && keys.n ? apply_find(a, CK_SESSIONS, keys.at[0], err) : NULL;
  if (keys.n && !e) rc = -1;
  if (e && e->exists) {
    struct ck_row row = e->row;
    count_down(&row.v[CK_SESSIONS_MESSAGE_COUNT], 1);
    count_down(&row.v[CK_SESSIONS_EXECUTION_COUNT], executions);
    rc = apply_change(a, e, &row, err);
  }
  free_keys(&keys);
  return rc;
}

/* ---- both kinds ---- */

static int count_executions(struct apply *a, const struct forget *f, int64_t *n,
                            struct ck_err *err) {
  sqlite3_stmt *s =
      begin(a, "SELECT count(*) FROM temp.forget_rows WHERE t = " TABLE_EXECUTIONS, f, err);
  int rc = s ? next(a, s, err) : -1;
  *n = rc > 0 ? sqlite3_column_int64(s, 0) : 0;
  sqlite3_finalize(s);
  return rc < 0 ? -1 : 0;
}

static int remove_all(struct apply *a, const struct forget *f, struct ck_err *err) {
  const struct forget by_name = {.id = f->with};
  if (keep_originals_out(a, f, err) || run_all(a, deletes, COUNT(deletes), f, err) ||
      run_all(a, files_kept, COUNT(files_kept), &by_name, err) || forget_files(a, f, err) ||
      delete_keys(a, f, err) || forget_originals(a, f, err))
    return -1;
  cache_clear(a->cache); /* it has some of what is gone */
  a->pauses_changed = a->forgot = a->any_forgotten = true;
  return keep_all_away(a, f, err) || keep_homes_away(a, f, err) ? -1 : 0;
}

static int forget_message(struct apply *a, const struct forget *f, struct ck_err *err) {
  struct ck_arena arena = {0};
  struct ck_row gone;
  int64_t executions;
  const struct entry *e = apply_find(a, CK_MESSAGES, f->id, err);
  if (!e || count_executions(a, f, &executions, err)) return -1;
  gone = e->row;
  for (int c = 0; c < CK_MESSAGES_COLUMNS; ++c)
    if (gone.v[c].state == CK_TEXT) gone.v[c].as.s = ck_arena_copy(&arena, gone.v[c].as.s);
  int rc = remove_all(a, f, err) || mend_session(a, &gone, executions, err) ||
                   mend_conversations(a, &gone, err)
               ? -1
               : 0;
  ck_arena_free(&arena);
  return rc;
}

static int read_kind(struct forget *f, struct ck_str kind, struct ck_str id, struct ck_buf *with,
                     struct ck_err *err) {
  if (!ck_choice_ok(CK_FORGET_KINDS, kind))
    return ck_fail(err, "forget.kind: must be conversation or message");
  *f = (struct forget){.conversation = ck_str_is(kind, "conversation"), .id = ck_trim(id)};
  if (!f->id.n) return ck_fail(err, "forget.id: is required");
  ck_forgotten_id(with, f->conversation ? CK_CONVERSATIONS : CK_MESSAGES, f->id);
  f->with = ck_buf_view(with);
  return 0;
}

static int forget(struct apply *a, struct forget *f, struct ck_err *err) {
  size_t dirty;
  cache_dirty(a->cache, &dirty);
  if (dirty) return ck_fail(err, "forget: must be alone in its changeset");
  int there = find(a, f, err);
  if (there < 0) return -1;
  if (!there) {
    const struct entry *e = apply_find(a, CK_FORGOTTEN, f->with, err);
    if (!e) return -1;
    if (e->exists) return 0;
    struct ck_str id = ck_utf8_cut(f->id, 100);
    return ck_fail(err, "forget.id: there is no %s '%.*s'",
                   f->conversation ? "conversation" : "message", (int)id.n, id.s);
  }
  if (apply_savepoint(a, err) || collect(a, f, err) || check_jobs(a, f, err)) return -1;
  return f->conversation ? remove_all(a, f, err) : forget_message(a, f, err);
}

int mutate_forget(struct apply *a, const struct ck_forget *m, struct ck_err *err) {
  struct forget f;
  struct ck_buf with = {0};
  struct ck_err ignored;
  int rc = read_kind(&f, m->kind, m->id, &with, err) || forget(a, &f, err) ? -1 : 0;
  db_exec(a->db,
          "DROP TABLE IF EXISTS temp.forget_rows; DROP TABLE IF EXISTS temp.forget_homes;"
          "DROP TABLE IF EXISTS temp.forget_files",
          &ignored);
  ck_buf_free(&with);
  return rc;
}

/* ---- taking it back ---- */

static int allow(struct apply *a, struct ck_str id, struct ck_err *err) {
  struct entry *e = apply_find(a, CK_FORGOTTEN, id, err);
  if (!e) return -1;
  struct ck_row row = e->row;
  if (!e->exists || ck_row_int(&row, CK_FORGOTTEN_TAKEN_BACK, 0)) return 0;
  row.v[CK_FORGOTTEN_TAKEN_BACK] = ck_int(1);
  return apply_change(a, e, &row, err);
}

static int remember(struct apply *a, const struct forget *f, struct ck_err *err) {
  struct key_list keys = {0};
  sqlite3_stmt *s = db_prepare(a->db,
                               "SELECT forgotten_id FROM forgotten WHERE forgotten_with = ?1"
                               " ORDER BY version",
                               err);
  if (!s) return apply_failed(a);
  db_bind_str(s, 1, f->with);
  int rc = list_keys(a, s, &keys, err);
  struct ck_str id = ck_utf8_cut(f->id, 100);
  if (rc == 0 && keys.n == 0)
    rc = ck_fail(err, "remember.id: nothing was forgotten with '%.*s'", (int)id.n, id.s);
  for (size_t i = 0; i < keys.n && rc == 0; ++i) rc = allow(a, keys.at[i], err);
  free_keys(&keys);
  if (rc || apply_savepoint(a, err)) return -1;
  static const char *const allow_files[] = {
      "DELETE FROM forgotten_files WHERE forgotten_with = ?1"};
  const struct forget by_name = {.id = f->with};
  if (run_all(a, allow_files, 1, &by_name, err)) return -1;
  return originals_allow(a->originals, f->with, err) ? apply_failed(a) : 0;
}

int mutate_remember(struct apply *a, const struct ck_remember *m, struct ck_err *err) {
  struct forget f;
  struct ck_buf with = {0};
  int rc = read_kind(&f, m->kind, m->id, &with, err) || remember(a, &f, err) ? -1 : 0;
  ck_buf_free(&with);
  return rc;
}
