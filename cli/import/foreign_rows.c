/* See foreign_rows.h. */
#include "cli/import/foreign_rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "cli/import/foreign_notes.h"
#include "cli/import/foreign_table.h"
#include "cli/import/foreign_value.h"
#include "proto/summary.h"
#include "proto/wire.h"

#define WORK_MAX 50000 /* calls of the progress handler without a row: the statement ends */
#define ROW_BYTES 4
#define RECORD_BYTES (CK_FRAME_MAX - (64u << 10)) /* of text in a record, as the store takes it */

struct reader {
  sqlite3 *db;
  const struct foreign_visitor *visitor;
  struct foreign_notes *notes;
  struct foreign_table tables[CK_TABLES];
  bool stopped;  /* by the visitor */
  unsigned work; /* calls of the progress handler since the last row */
  uint64_t most; /* rows that a table can have: no row is smaller than ROW_BYTES */
  struct ck_arena arena;
  struct ck_buf json;
};

static int at_work(void *self) {
  struct reader *r = self;
  if (r->visitor->wait(r->visitor->self)) r->stopped = true;
  return r->stopped || ++r->work > WORK_MAX;
}

/* ---- one row becomes a record ---- */

static int take_columns(struct reader *r, const struct foreign_table *t, sqlite3_stmt *s,
                        struct ck_row *row, struct ck_err *err) {
  const struct ck_table_info *info = &ck_tables[t->table];
  bool replaced = false;
  size_t bytes = 0;
  int i = 1;
  for (int c = 0; c < info->columns; ++c) {
    const struct ck_field *field = &info->fields[c];
    struct ck_value *v = &row->v[c];
    if (t->has[c] && foreign_value(v, field, s, i++, &replaced, &r->arena, err))
      return ck_fail_in(err, "%s.%s", info->name, field->name);
    if (v->state == CK_LEFT_OUT && (field->flags & CK_REQUIRED))
      return ck_fail(err, "%s.%s: is NULL", info->name, field->name);
    if (v->state == CK_TEXT) bytes += v->as.s.n;
  }
  if (replaced) r->visitor->note(r->visitor->self, "text that is not UTF-8, mended");
  if (bytes <= RECORD_BYTES) return 0;
  return ck_fail(err, "%s: the record has %zu bytes of text, the limit is %u", info->name, bytes,
                 RECORD_BYTES);
}

/* Its originals go in by themselves (foreign_originals.h), and ingest says what came of which. */
static void leave_original_out(struct ck_row *row) {
  if (row->table == CK_MESSAGES) row->v[CK_MESSAGES_ORIGINAL] = (struct ck_value){0};
  if (row->table == CK_EXECUTIONS) row->v[CK_EXECUTIONS_ORIGINAL] = (struct ck_value){0};
}

/* Does the summary say only how the text begins, however long it is? */
static bool begins_with(struct ck_str text, struct ck_str summary) {
  static const char *const marks[] = {"…", "..."};
  struct ck_buf beginning = {0}, words = {0};
  ck_buf_summary(&words, summary, summary.n);
  size_t n = words.len;
  for (size_t i = 0; i < sizeof marks / sizeof *marks; ++i) {
    size_t mark = strlen(marks[i]);
    if (n >= mark && memcmp(words.data + n - mark, marks[i], mark) == 0) n -= mark;
  }
  while (n && words.data[n - 1] == ' ') --n;
  ck_buf_summary(&beginning, text, n + 2 * CK_SUMMARY_MARK); /* n bytes and more, if it is cut */
  bool same = n <= beginning.len && (!n || memcmp(beginning.data, words.data, n) == 0);
  ck_buf_free(&beginning);
  ck_buf_free(&words);
  return same;
}

/* The store makes a summary where it has the text. */
static void leave_summary_out(struct reader *r, struct ck_row *row) {
  const struct ck_summary_of *s = &ck_summaries[row->table];
  if (!ck_is_made_summary(row, s->column) || row->v[s->column].state != CK_TEXT) return;
  if (!begins_with(row->v[s->text].as.s, row->v[s->column].as.s))
    r->visitor->note(r->visitor->self,
                     "summaries that are not the beginning of the text, left out");
  row->v[s->column] = (struct ck_value){0};
}

static int64_t age_of(const struct ck_row *row) {
  static const int columns[CK_TABLES][2] = {
      [CK_MESSAGES] = {CK_MESSAGES_OBSERVED_AT, CK_MESSAGES_OBSERVED_AT},
      [CK_EXECUTIONS] = {CK_EXECUTIONS_EXECUTED_AT, CK_EXECUTIONS_EXECUTED_AT},
      [CK_SESSIONS] = {CK_SESSIONS_LAST_ACTIVITY_AT, CK_SESSIONS_LAST_ACTIVITY_AT},
      [CK_CONVERSATIONS] = {CK_CONVERSATIONS_LAST_MESSAGE_AT, CK_CONVERSATIONS_UPDATED_AT},
      [CK_LINKS] = {CK_LINKS_OBSERVED_AT, CK_LINKS_OBSERVED_AT},
      [CK_JOBS] = {CK_JOBS_UPDATED_AT, CK_JOBS_UPDATED_AT}};
  const int *c = columns[row->table];
  return ck_row_int(row, c[0], ck_row_int(row, c[1], 0));
}

static void take_remote(struct reader *r, struct foreign_row *to) {
  const struct ck_row *row = &to->row;
  if (row->table == CK_MESSAGES) {
    to->platform = ck_row_text(row, CK_MESSAGES_PLATFORM);
    to->remote = ck_row_text(row, CK_MESSAGES_CONVERSATION_ID);
    foreign_notes_message(r->notes, ck_row_key(row), to->platform, to->remote);
  } else if (row->table == CK_EXECUTIONS) {
    foreign_notes_of_message(r->notes, ck_row_text(row, CK_EXECUTIONS_MESSAGE_ID), &to->platform,
                             &to->remote);
  } else if (row->table != CK_SESSIONS) {
    int c = row->table == CK_CONVERSATIONS ? CK_CONVERSATIONS_LOCAL_CONVERSATION_ID
            : row->table == CK_LINKS       ? CK_LINKS_LOCAL_CONVERSATION_ID
                                           : CK_JOBS_LOCAL_CONVERSATION_ID;
    foreign_notes_of_conversation(r->notes, ck_row_text(row, c), &to->platform, &to->remote);
  }
}

/* "messages m1, row 7", as far as it is known. */
static void name_row(char out[FOREIGN_PLACE], const struct foreign_table *t,
                     const struct ck_row *row, sqlite3_stmt *s) {
  struct ck_str key = ck_utf8_cut(ck_row_key(row), 100);
  if (!ck_utf8_ok(key)) key.n = 0;
  int n = snprintf(out, FOREIGN_PLACE, "%s%s%.*s", ck_tables[t->table].name, key.n ? " " : "",
                   (int)key.n, key.n ? key.s : "");
  if (t->rowid && n > 0 && n < FOREIGN_PLACE)
    snprintf(out + n, (size_t)(FOREIGN_PLACE - n), ", row %lld",
             (long long)sqlite3_column_int64(s, 0));
}

static int take_row(struct reader *r, const struct foreign_table *t, sqlite3_stmt *s) {
  struct foreign_row to = {.row.table = t->table};
  char place[FOREIGN_PLACE];
  struct ck_err err;
  ck_arena_reset(&r->arena);
  bool bad = take_columns(r, t, s, &to.row, &err) != 0;
  name_row(place, t, &to.row, s);
  if (bad) {
    ck_buf_clear(&r->json);
    foreign_row_json(&r->json, s);
    r->visitor->failure(r->visitor->self, t->table, place, err.text, ck_buf_view(&r->json));
    return 0;
  }
  leave_original_out(&to.row);
  leave_summary_out(r, &to.row);
  to.age = age_of(&to.row);
  take_remote(r, &to);
  return r->visitor->row(r->visitor->self, &to, place);
}

/* ---- notes, before any row is handed over ---- */

static struct ck_str text_at(sqlite3_stmt *s, int i) {
  const char *p = (const char *)sqlite3_column_text(s, i);
  return (struct ck_str){p ? p : "", p ? (size_t)sqlite3_column_bytes(s, i) : 0};
}

/* The place of a column among those of foreign_table_rows. */
static int place_of(const struct foreign_table *t, int column) {
  int i = 1;
  for (int c = 0; c < column; ++c) i += t->has[c];
  return i;
}

static int note_link(struct reader *r, const struct foreign_table *t, sqlite3_stmt *s) {
  if (t->has[CK_LINKS_REMOTE_CONVERSATION_ID])
    foreign_notes_link(r->notes, text_at(s, place_of(t, CK_LINKS_LOCAL_CONVERSATION_ID)),
                       text_at(s, place_of(t, CK_LINKS_PLATFORM)),
                       text_at(s, place_of(t, CK_LINKS_REMOTE_CONVERSATION_ID)),
                       sqlite3_column_int64(s, place_of(t, CK_LINKS_OBSERVED_AT)));
  return 0;
}

static int note_execution(struct reader *r, const struct foreign_table *t, sqlite3_stmt *s) {
  foreign_notes_wanted(r->notes, text_at(s, place_of(t, CK_EXECUTIONS_MESSAGE_ID)));
  return 0;
}

/* ---- the rows of a table ---- */

typedef int taker(struct reader *r, const struct foreign_table *t, sqlite3_stmt *s);

/* A damaged tree, or one that was made to, can lead to its rows again and again: a row's rowid is
 * above the last one's, and there are no more rows than the file has room for. */
static bool in_order(const struct reader *r, const struct foreign_table *t, int64_t rowid,
                     int64_t next, uint64_t count) {
  return t->rowid ? rowid >= next : count <= r->most;
}

/* Hands over the rows from `from` on. SQLITE_DONE: to the end. Else SQLite's error; *next is then
 * the rowid after the last one that was read. */
static int run(struct reader *r, const struct foreign_table *t, int64_t from, int64_t *next,
               taker *take, struct ck_err *err) {
  sqlite3_stmt *s = foreign_table_rows(r->db, t, true, err);
  uint64_t count = 0;
  if (s) err->text[0] = '\0';
  int rc = s ? SQLITE_ROW : SQLITE_ERROR;
  *next = from;
  r->work = 0;
  if (s && t->rowid) sqlite3_bind_int64(s, 1, from);
  while (rc == SQLITE_ROW && (rc = sqlite3_step(s)) == SQLITE_ROW) {
    int64_t id = sqlite3_column_int64(s, 0);
    if (!in_order(r, t, id, *next, ++count)) {
      ck_fail(err, "its rows are out of order");
      rc = SQLITE_CORRUPT;
      break;
    }
    r->work = 0;
    if (take(r, t, s)) r->stopped = true;
    if (r->stopped || (t->rowid && id == INT64_MAX)) rc = SQLITE_DONE;
    if (id < INT64_MAX) *next = id + 1;
  }
  if (s && rc == SQLITE_INTERRUPT)
    ck_fail(err, "it takes too long to read");
  else if (s && rc != SQLITE_DONE && !err->text[0])
    ck_fail(err, "%s", foreign_why(r->db));
  sqlite3_finalize(s);
  return rc;
}

/* Looks for the first row from `from` on, without its columns. SQLITE_ROW, with its rowid;
 * SQLITE_DONE: there is none; else SQLite's error. */
static int probe(struct reader *r, const struct foreign_table *t, int64_t from, int64_t *rowid) {
  sqlite3_stmt *s = foreign_table_rows(r->db, t, false, NULL);
  if (!s) return SQLITE_ERROR;
  sqlite3_bind_int64(s, 1, from);
  r->work = 0;
  int rc = sqlite3_step(s);
  *rowid = rc == SQLITE_ROW ? sqlite3_column_int64(s, 0) : 0;
  sqlite3_finalize(s);
  return rc == SQLITE_ROW && *rowid < from ? SQLITE_CORRUPT : rc;
}

static bool can_read_on(struct reader *r, const struct foreign_table *t, int64_t from) {
  int64_t rowid;
  int rc = probe(r, t, from, &rowid);
  return rc == SQLITE_ROW || rc == SQLITE_DONE;
}

/* *to: a rowid after `from`, which cannot be looked for, from which on rows can be read again: with
 * growing strides first, then halving the last one. Rowids begin at 1 as a rule, so strides do not
 * begin far below. False: there is none. */
static bool find_good(struct reader *r, const struct foreign_table *t, int64_t from, int64_t *to) {
  int64_t bad = from < 0 && !can_read_on(r, t, 0) ? 0 : from, good;
  for (int64_t stride = 1;; stride *= 2) {
    good = bad < INT64_MAX - stride ? bad + stride : INT64_MAX;
    if (r->stopped) return false;
    if (can_read_on(r, t, good)) break;
    if (good == INT64_MAX || stride > INT64_MAX / 2) return false;
    bad = good;
  }
  while (good - bad > 1 && !r->stopped) {
    int64_t middle = bad + (good - bad) / 2;
    if (can_read_on(r, t, middle))
      good = middle;
    else
      bad = middle;
  }
  *to = good;
  return true;
}

static void tell_damage(struct reader *r, const struct foreign_table *t, int64_t from, int64_t to,
                        const char *reason) {
  char place[FOREIGN_PLACE];
  const char *name = ck_tables[t->table].name;
  if (!t->rowid)
    snprintf(place, sizeof place, "%s", name);
  else if (to == INT64_MAX)
    snprintf(place, sizeof place, "%s, from row %lld on", name, (long long)from);
  else if (to - 1 == from)
    snprintf(place, sizeof place, "%s, row %lld", name, (long long)from);
  else
    snprintf(place, sizeof place, "%s, rows from %lld up to %lld", name, (long long)from,
             (long long)to - 1);
  r->visitor->failure(r->visitor->self, t->table, place, reason, (struct ck_str){0});
}

/* After an error at the row `from` or the next one. *from: where to go on; false: nowhere. */
static bool skip_damage(struct reader *r, const struct foreign_table *t, int64_t *from,
                        const char *reason, bool quiet) {
  int64_t rowid, begun = *from, to = INT64_MAX;
  int rc = t->rowid ? probe(r, t, begun, &rowid) : SQLITE_ERROR;
  bool more = false;
  if (rc == SQLITE_ROW && rowid < INT64_MAX) { /* the row is there, but not all of its columns */
    begun = rowid;
    to = rowid + 1;
    more = true;
  } else if (rc != SQLITE_ROW && rc != SQLITE_DONE && t->rowid) {
    more = find_good(r, t, begun, &to);
  }
  if (!quiet && !r->stopped) tell_damage(r, t, begun, to, reason);
  *from = to;
  return more;
}

/* Hands over every row that can be read. quiet: damage is told another time. */
static void scan(struct reader *r, enum ck_table table, taker *take, bool quiet) {
  const struct foreign_table *t = &r->tables[table];
  int64_t from = INT64_MIN, next;
  struct ck_err err;
  while (t->there && !r->stopped) {
    int rc = run(r, t, from, &next, take, &err);
    if (rc == SQLITE_DONE || r->stopped) return;
    from = next;
    if (rc == SQLITE_INTERRUPT && !quiet) tell_damage(r, t, from, INT64_MAX, err.text);
    if (rc == SQLITE_INTERRUPT || !skip_damage(r, t, &from, err.text, quiet)) return;
  }
}

/* ---- all of it ---- */

static int64_t pragma(const struct reader *r, const char *sql) {
  sqlite3_stmt *s = foreign_prepare(r->db, sql, NULL);
  int64_t value = s && sqlite3_step(s) == SQLITE_ROW ? sqlite3_column_int64(s, 0) : 0;
  sqlite3_finalize(s);
  return value;
}

static int look(struct reader *r, struct ck_err *err) {
  bool any = false;
  r->most = (uint64_t)(pragma(r, "PRAGMA page_count") * pragma(r, "PRAGMA page_size") / ROW_BYTES);
  for (int t = 0; t < CK_FORGOTTEN; ++t) {
    if (foreign_table_look(r->db, (enum ck_table)t, &r->tables[t], err)) return -1;
    any |= r->tables[t].there;
  }
  if (any) return 0;
  const char *why = NULL;
  for (int t = 0; t < CK_FORGOTTEN && !why; ++t) why = r->tables[t].fault;
  ck_fail(err, "this is an SQLite database without convkeep's tables%s%s", why ? ": " : "",
          why ? why : "");
  return 1;
}

static void read_all(struct reader *r) {
  for (int t = 0; t < CK_FORGOTTEN; ++t)
    if (r->tables[t].fault)
      r->visitor->failure(r->visitor->self, (enum ck_table)t, ck_tables[t].name, r->tables[t].fault,
                          (struct ck_str){0});
  scan(r, CK_LINKS, note_link, true);
  scan(r, CK_EXECUTIONS, note_execution, true);
  for (int t = 0; t < CK_FORGOTTEN; ++t) scan(r, (enum ck_table)t, take_row, false);
}

int foreign_rows_read(const char *file, const struct foreign_visitor *visitor, struct ck_err *err) {
  struct reader r = {.visitor = visitor};
  int rc = foreign_open(file, &r.db, err);
  if (rc == 0) rc = look(&r, err);
  if (rc == 0) {
    r.notes = foreign_notes_new(err);
    if (!r.notes) rc = -1;
  }
  if (rc == 0) {
    sqlite3_progress_handler(r.db, FOREIGN_STEP, at_work, &r);
    read_all(&r);
    rc = r.stopped ? 2 : 0;
  }
  for (int t = 0; t < CK_FORGOTTEN; ++t) foreign_table_free(&r.tables[t]);
  foreign_notes_free(&r.notes);
  ck_arena_free(&r.arena);
  ck_buf_free(&r.json);
  sqlite3_close(r.db);
  return rc;
}
