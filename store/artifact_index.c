#include "store/artifact_index.h"

#include <stdlib.h>

#include "proto/clock.h"

#define DAY_MS INT64_C(86400000)
#define BEGINNING_BYTES 200

struct artifact_index {
  sqlite3 *db;
  sqlite3_stmt *messages, *latest;
};

/* `+platform` keeps the planner from walking a platform's every message of a day where the conversation has three. */
static const char messages_sql[] = "SELECT id, substr(role, 1, 200), observed_at, static_path, substr(coalesce(summary, raw_text), 1, 400) FROM messages"
                                   " WHERE conversation_id IS ?1 AND +platform = ?2 AND observed_at >= ?3 AND observed_at <= ?4"
                                   " ORDER BY observed_at DESC, id DESC LIMIT ?5";

/* There is no index on last_activity_at alone, so: the newest of each platform by its index, and of those the newest. */
static sqlite3_stmt *prepare_latest(sqlite3 *db, struct ck_err *err) {
  struct ck_buf sql = {0};
  ck_buf_text(&sql, "WITH RECURSIVE p (name) AS (SELECT min(platform) FROM sessions UNION ALL"
                    " SELECT (SELECT min(platform) FROM sessions WHERE platform > name) FROM p WHERE name IS NOT NULL) SELECT ");
  db_columns(&sql, CK_SESSIONS, "s.");
  ck_buf_text(&sql, " FROM p CROSS JOIN sessions s ON s.version IN (SELECT version FROM sessions i WHERE i.platform = p.name"
                    " ORDER BY i.last_activity_at DESC, i.id LIMIT ?1) ORDER BY s.last_activity_at DESC, s.id LIMIT ?1");
  sqlite3_stmt *s = db_prepare(db, ck_buf_cstr(&sql), err);
  ck_buf_free(&sql);
  return s;
}

struct artifact_index *artifact_index_new(sqlite3 *db, struct ck_err *err) {
  struct artifact_index *x = ck_zalloc(sizeof *x);
  x->db = db;
  x->messages = db_prepare(db, messages_sql, err);
  if (x->messages) x->latest = prepare_latest(db, err);
  if (!x->latest) artifact_index_free(&x);
  return x;
}

void artifact_index_free(struct artifact_index **x) {
  if (!*x) return;
  sqlite3_finalize((*x)->messages);
  sqlite3_finalize((*x)->latest);
  free(*x);
  *x = NULL;
}

void artifact_row_keep(struct ck_row *to, const struct ck_row *row, struct ck_arena *arena) {
  *to = *row;
  for (int c = 0; c < ck_tables[row->table].columns; c++)
    if (row->v[c].state == CK_TEXT) to->v[c].as.s = ck_arena_copy(arena, row->v[c].as.s);
}

/* ---- a session's messages ---- */

/* The day at the end of the id. */
static bool day_of_id(struct ck_str id, int64_t *from) {
  const size_t n = sizeof "@YYYY-MM-DD" - 1;
  if (id.n < n || id.s[id.n - n] != '@') return false;
  return ck_time_parse(id.s + id.n - n + 1, n - 1, from) == 0;
}

static void bind_span(sqlite3_stmt *s, const struct ck_row *session) {
  int64_t from, upto;
  if (day_of_id(ck_row_key(session), &from)) {
    upto = from + DAY_MS - 1;
  } else {
    from = ck_row_int(session, CK_SESSIONS_STARTED_AT, INT64_MIN);
    upto = ck_row_int(session, CK_SESSIONS_LAST_ACTIVITY_AT, INT64_MAX);
  }
  sqlite3_bind_int64(s, 3, from);
  sqlite3_bind_int64(s, 4, upto);
}

static struct ck_value kept_text(sqlite3_stmt *s, int column, struct ck_arena *arena) {
  if (sqlite3_column_type(s, column) == SQLITE_NULL) return ck_null();
  return ck_text(ck_arena_copy(arena, db_str(s, column)));
}

/* The beginning of its summary, or of its text where its producer gave none. */
static struct ck_value summary_of(sqlite3_stmt *s, struct ck_arena *arena) {
  struct ck_buf beginning = {0};
  ck_buf_summary(&beginning, db_str(s, 4), BEGINNING_BYTES);
  struct ck_value v = beginning.len ? ck_text(ck_arena_copy(arena, ck_buf_view(&beginning))) : ck_null();
  ck_buf_free(&beginning);
  return v;
}

static void read_message(sqlite3_stmt *s, struct ck_row *row, struct ck_arena *arena) {
  *row = (struct ck_row){.table = CK_MESSAGES};
  row->v[CK_MESSAGES_ID] = kept_text(s, 0, arena);
  row->v[CK_MESSAGES_ROLE] = kept_text(s, 1, arena);
  row->v[CK_MESSAGES_OBSERVED_AT] = ck_int(sqlite3_column_int64(s, 2));
  row->v[CK_MESSAGES_STATIC_PATH] = kept_text(s, 3, arena);
  row->v[CK_MESSAGES_SUMMARY] = summary_of(s, arena);
}

int artifact_index_messages(struct artifact_index *x, const struct ck_row *session, struct ck_row *rows, int most, struct ck_arena *arena, struct ck_err *err) {
  sqlite3_stmt *s = x->messages;
  db_bind_value(s, 1, &session->v[CK_SESSIONS_CONVERSATION_ID]);
  db_bind_value(s, 2, &session->v[CK_SESSIONS_PLATFORM]);
  bind_span(s, session);
  sqlite3_bind_int(s, 5, most);
  int count = 0, rc;
  while ((rc = sqlite3_step(s)) == SQLITE_ROW && count < most) read_message(s, &rows[count++], arena);
  if (rc != SQLITE_DONE && rc != SQLITE_ROW) count = db_fail(x->db, "messages of a session", err);
  sqlite3_reset(s);
  sqlite3_clear_bindings(s); /* the bound text is the caller's */
  return count;
}

/* ---- the sessions last active ---- */

static int read_sessions(struct artifact_index *x, struct artifact_session *sessions, struct ck_arena *arena, struct ck_err *err) {
  sqlite3_stmt *s = x->latest;
  sqlite3_bind_int(s, 1, LATEST_SESSIONS);
  int count = 0, rc;
  while ((rc = sqlite3_step(s)) == SQLITE_ROW && count < LATEST_SESSIONS) {
    struct ck_row row = {.table = CK_SESSIONS};
    db_row(s, 0, CK_SESSIONS, &row);
    artifact_row_keep(&sessions[count++].row, &row, arena);
  }
  if (rc != SQLITE_DONE && rc != SQLITE_ROW) count = db_fail(x->db, "the sessions last active", err);
  sqlite3_reset(s);
  return count;
}

static int read_latest(struct artifact_index *x, struct artifact_session *sessions, struct ck_arena *arena, struct ck_err *err) {
  int count = read_sessions(x, sessions, arena, err);
  for (int i = 0; i < count; i++) {
    struct ck_row *rows = ck_arena_get(arena, LATEST_MESSAGES * sizeof *rows);
    sessions[i].messages = rows;
    sessions[i].count = artifact_index_messages(x, &sessions[i].row, rows, LATEST_MESSAGES, arena, err);
    if (sessions[i].count < 0) return -1;
  }
  return count;
}

int artifact_index_latest(struct artifact_index *x, struct artifact_session sessions[LATEST_SESSIONS], struct ck_arena *arena, struct ck_err *err) {
  if (db_exec(x->db, "BEGIN", err)) return -1;
  int count = read_latest(x, sessions, arena, err);
  sqlite3_exec(x->db, "COMMIT", NULL, NULL, NULL);
  return count;
}
