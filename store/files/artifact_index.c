/* Three statements: a session's messages, the last message of its conversation, and the sessions
 * last active. */
#include "store/files/artifact_index.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/calendar.h"
#include "proto/clock.h"
#include "proto/reading.h"

struct artifact_index {
  sqlite3 *db;
  sqlite3_stmt *messages, *last, *latest;
};

/* `+platform` keeps the planner from walking all messages of a platform's day when the conversation
 * has three. A message belongs to the day on which it was first observed, however often it was seen
 * again; that day is in its static_path (?6: the folder of the session's day). ?7: if the path
 * names no day, observed_at decides. */
static const char messages_sql[] =
    "SELECT id, substr(role, 1, 200), observed_at, static_path, summary, parent_id, position"
    " FROM messages"
    " WHERE conversation_id IS ?1 AND +platform = ?2 AND observed_at >= ?3 AND observed_at <= ?4"
    " AND (?6 IS NULL OR substr(static_path, 1, length(?6)) = ?6"
    " OR (?7 AND static_path NOT GLOB '" CK_MESSAGES_FOLDER
    "[0-9][0-9][0-9][0-9]/[0-9][0-9]/[0-9][0-9]/*'))"
    " ORDER BY observed_at DESC, id DESC LIMIT ?5";

static const char last_sql[] =
    "SELECT c.last_message_id FROM conversation_links l"
    " JOIN local_conversations c ON c.local_conversation_id = l.local_conversation_id"
    " WHERE l.platform = ?1 AND l.remote_conversation_id = ?2";

static sqlite3_stmt *prepare_latest(sqlite3 *db, struct ck_err *err) {
  struct ck_buf sql = {0};
  ck_buf_text(&sql, "SELECT ");
  db_columns(&sql, CK_SESSIONS, "");
  ck_buf_text(&sql, " FROM sessions ORDER BY last_activity_at DESC, id LIMIT ?1");
  sqlite3_stmt *s = db_prepare(db, ck_buf_cstr(&sql), err);
  ck_buf_free(&sql);
  return s;
}

struct artifact_index *artifact_index_new(sqlite3 *db, struct ck_err *err) {
  struct artifact_index *x = ck_zalloc(sizeof *x);
  x->db = db;
  x->messages = db_prepare(db, messages_sql, err);
  if (x->messages) x->last = db_prepare(db, last_sql, err);
  if (x->last) x->latest = prepare_latest(db, err);
  if (!x->latest) artifact_index_free(&x);
  return x;
}

void artifact_index_free(struct artifact_index **x) {
  if (!*x) return;
  sqlite3_finalize((*x)->messages);
  sqlite3_finalize((*x)->last);
  sqlite3_finalize((*x)->latest);
  free(*x);
  *x = NULL;
}

void artifact_row_copy(struct ck_row *to, const struct ck_row *row, struct ck_arena *arena) {
  *to = *row;
  for (int c = 0; c < ck_tables[row->table].columns; c++)
    if (row->v[c].state == CK_TEXT) to->v[c].as.s = ck_arena_copy(arena, row->v[c].as.s);
}

/* ---- a session's messages ---- */

/* *from: the start of the day that the id ends with. false: it ends with none. */
static bool day_of_id(struct ck_str id, int64_t *from) {
  const size_t n = sizeof "@YYYY-MM-DD" - 1;
  if (id.n < n || id.s[id.n - n] != '@') return false;
  return ck_time_parse(id.s + id.n - n + 1, n - 1, from) == 0;
}

/* The part of a conversation that a session covers. */
struct span {
  int64_t from, upto;
  char folder[sizeof CK_MESSAGES_FOLDER "YYYY/MM/DD/"]; /* empty: the session's id names no day */
};

static struct span span_of(const struct ck_row *session) {
  struct span span = {0};
  struct ck_str id = ck_row_key(session);
  if (day_of_id(id, &span.from)) {
    const char *day = id.s + id.n - 10;
    span.upto = span.from + CK_DAY_MS - 1;
    snprintf(span.folder, sizeof span.folder, CK_MESSAGES_FOLDER "%.4s/%.2s/%.2s/", day, day + 5,
             day + 8);
  } else {
    span.from = ck_row_int(session, CK_SESSIONS_STARTED_AT, INT64_MIN);
    span.upto = ck_row_int(session, CK_SESSIONS_LAST_ACTIVITY_AT, INT64_MAX);
  }
  return span;
}

static struct ck_value text_of(sqlite3_stmt *s, int column, struct ck_arena *arena) {
  if (sqlite3_column_type(s, column) == SQLITE_NULL) return ck_null();
  return ck_text(ck_arena_copy(arena, db_str(s, column)));
}

static void read_message(sqlite3_stmt *s, struct ck_row *row, struct ck_arena *arena) {
  *row = (struct ck_row){.table = CK_MESSAGES};
  row->v[CK_MESSAGES_ID] = text_of(s, 0, arena);
  row->v[CK_MESSAGES_ROLE] = text_of(s, 1, arena);
  row->v[CK_MESSAGES_OBSERVED_AT] = ck_int(sqlite3_column_int64(s, 2));
  row->v[CK_MESSAGES_STATIC_PATH] = text_of(s, 3, arena);
  row->v[CK_MESSAGES_SUMMARY] = text_of(s, 4, arena);
  row->v[CK_MESSAGES_PARENT_ID] = text_of(s, 5, arena);
  row->v[CK_MESSAGES_POSITION] =
      sqlite3_column_type(s, 6) == SQLITE_NULL ? ck_null() : ck_int(sqlite3_column_int64(s, 6));
}

/* Newest first. moved: only messages that were seen again after the session's day. */
static int read_messages(struct artifact_index *x, const struct ck_row *session, bool moved,
                         struct ck_row *rows, int most, struct ck_arena *arena,
                         struct ck_err *err) {
  sqlite3_stmt *s = x->messages;
  const struct span span = span_of(session);
  db_bind_value(s, 1, &session->v[CK_SESSIONS_CONVERSATION_ID]);
  db_bind_value(s, 2, &session->v[CK_SESSIONS_PLATFORM]);
  sqlite3_bind_int64(s, 3, moved ? span.upto + 1 : span.from);
  sqlite3_bind_int64(s, 4, moved ? INT64_MAX : span.upto);
  sqlite3_bind_int(s, 5, most);
  if (span.folder[0]) db_bind_str(s, 6, ck_str_of(span.folder));
  sqlite3_bind_int(s, 7, !moved);
  int count = 0, rc;
  while ((rc = sqlite3_step(s)) == SQLITE_ROW && count < most)
    read_message(s, &rows[count++], arena);
  if (rc != SQLITE_DONE && rc != SQLITE_ROW) count = db_fail(x->db, "messages of a session", err);
  sqlite3_reset(s);
  sqlite3_clear_bindings(s); /* the bound text is the caller's */
  return count;
}

/* Newest first. Moved messages are looked for only if some are missing, because that reads
 * everything that the conversation has had since. */
static int read_newest(struct artifact_index *x, const struct ck_row *session, struct ck_row *rows,
                       int most, struct ck_arena *arena, struct ck_err *err) {
  int count = read_messages(x, session, false, rows, most, arena, err);
  int64_t counted = ck_row_int(session, CK_SESSIONS_MESSAGE_COUNT, 0);
  if (counted > most) counted = most;
  if (count < 0 || count >= counted || !span_of(session).folder[0]) return count;
  int missing = (int)counted - count;
  struct ck_row *moved = ck_arena_get(arena, (size_t)missing * sizeof *moved);
  int found = read_messages(x, session, true, moved, missing, arena, err);
  if (found <= 0) return found < 0 ? -1 : count;
  memmove(rows + found, rows, (size_t)count * sizeof *rows);
  memcpy(rows, moved, (size_t)found * sizeof *rows);
  return count + found;
}

/* The last message of the session's conversation; empty if it is not known. */
static int last_message(struct artifact_index *x, const struct ck_row *session,
                        struct ck_arena *arena, struct ck_str *last, struct ck_err *err) {
  sqlite3_stmt *s = x->last;
  *last = (struct ck_str){NULL, 0};
  db_bind_value(s, 1, &session->v[CK_SESSIONS_PLATFORM]);
  db_bind_value(s, 2, &session->v[CK_SESSIONS_CONVERSATION_ID]);
  int rc = sqlite3_step(s);
  if (rc == SQLITE_ROW) *last = ck_arena_copy(arena, db_str(s, 0));
  int failed = rc != SQLITE_ROW && rc != SQLITE_DONE ? db_fail(x->db, "a last message", err) : 0;
  sqlite3_reset(s);
  sqlite3_clear_bindings(s);
  return failed;
}

static void put_in_order(const struct ck_row *rows, int count, struct ck_str last,
                         struct artifact_message *messages) {
  struct ck_reading *r = ck_reading_new();
  for (int i = 0; i < count; i++)
    ck_reading_add(r,
                   &(struct ck_place){.id = ck_row_key(&rows[i]),
                                      .parent_id = ck_row_text(&rows[i], CK_MESSAGES_PARENT_ID),
                                      .position = ck_row_int(&rows[i], CK_MESSAGES_POSITION, -1),
                                      .at = ck_row_int(&rows[i], CK_MESSAGES_OBSERVED_AT, 0),
                                      .turn = ck_turn_of(ck_row_text(&rows[i], CK_MESSAGES_ROLE))},
                   0);
  ck_reading_order(r, last);
  size_t steps;
  const struct ck_step *step = ck_reading_steps(r, &steps);
  for (size_t i = 0; i < steps; i++)
    messages[i] = (struct artifact_message){
        rows[step[i].row], step[i].branch > 1 || (!step[i].placed && ck_reading_has_tree(r))};
  ck_reading_free(&r);
}

int artifact_index_messages(struct artifact_index *x, const struct ck_row *session,
                            struct artifact_message *messages, int most, struct ck_arena *arena,
                            struct ck_err *err) {
  struct ck_row *rows = ck_arena_get(arena, (size_t)most * sizeof *rows);
  struct ck_str last;
  int count = read_newest(x, session, rows, most, arena, err);
  if (count < 0 || last_message(x, session, arena, &last, err)) return -1;
  put_in_order(rows, count, last, messages);
  return count;
}

/* ---- the sessions last active ---- */

static int read_sessions(struct artifact_index *x, struct artifact_session *sessions,
                         struct ck_arena *arena, struct ck_err *err) {
  sqlite3_stmt *s = x->latest;
  sqlite3_bind_int(s, 1, LATEST_SESSIONS);
  int count = 0, rc;
  while ((rc = sqlite3_step(s)) == SQLITE_ROW && count < LATEST_SESSIONS) {
    struct ck_row row = {.table = CK_SESSIONS};
    db_row(s, 0, CK_SESSIONS, &row);
    artifact_row_copy(&sessions[count++].row, &row, arena);
  }
  if (rc != SQLITE_DONE && rc != SQLITE_ROW)
    count = db_fail(x->db, "the sessions last active", err);
  sqlite3_reset(s);
  return count;
}

static int read_latest(struct artifact_index *x, struct artifact_session *sessions,
                       struct ck_arena *arena, struct ck_err *err) {
  int count = read_sessions(x, sessions, arena, err);
  for (int i = 0; i < count; i++) {
    struct artifact_message *messages = ck_arena_get(arena, LATEST_MESSAGES * sizeof *messages);
    sessions[i].messages = messages;
    sessions[i].count =
        artifact_index_messages(x, &sessions[i].row, messages, LATEST_MESSAGES, arena, err);
    if (sessions[i].count < 0) return -1;
  }
  return count;
}

int artifact_index_latest(struct artifact_index *x,
                          struct artifact_session sessions[LATEST_SESSIONS], struct ck_arena *arena,
                          struct ck_err *err) {
  if (db_exec(x->db, "BEGIN", err)) return -1;
  int count = read_latest(x, sessions, arena, err);
  sqlite3_exec(x->db, "COMMIT", NULL, NULL, NULL);
  return count;
}
