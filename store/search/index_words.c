/* The tables of words: of each part one of words and one of pieces of runs.
 *
 * FTS5 writes the words of each transaction as lists of their own, and merges some of these now and
 * then. The lists of a full part are merged into one, which is 8 % smaller: piece by piece,
 * with the transactions in which the next part is filled, which takes the room that becomes free.
 */
#include <stdlib.h>

#include "store/search/index_internal.h"
#include "store/search/split.h"

/* Without places and lengths, which take most of the room. */
#define WORDS \
  "CREATE VIRTUAL TABLE words# USING fts5(text, title, tool, content='', columnsize=0," \
  " tokenize=convkeep)"
#define RUNS \
  "CREATE VIRTUAL TABLE runs# USING fts5(pieces, content='', detail=none, columnsize=0," \
  " tokenize=convkeep)"
#define PUT_WORDS "INSERT INTO words# (rowid, text, title, tool) VALUES (?1, ?2, ?3, ?4)"
#define PUT_RUNS "INSERT INTO runs# (rowid, pieces) VALUES (?1, ?2)"

/* A part has a page of 4 KiB for about 10,000 bytes of text; the next one must not be full before
 * all of them are merged. */
#define BYTES_A_PAGE 4000
/* More than this is not kept for the next item. */
#define KEPT_BYTES (1u << 20)

/* ---- a statement about a part ---- */

int search_index_parts(sqlite3 *db, int64_t *parts, struct ck_err *err) {
  int64_t next;
  if (db_int(db, "SELECT next FROM search_state", 1, &next, err)) return -1;
  *parts = next > 1 ? (next - 1) / SEARCH_PART + 1 : 0;
  return 0;
}

sqlite3_stmt *search_index_part(sqlite3 *db, const char *sql, int64_t part, struct ck_err *err) {
  struct ck_buf text = {0};
  for (; *sql; ++sql) {
    if (*sql == '#')
      ck_buf_printf(&text, "%lld", (long long)part);
    else
      ck_buf_add(&text, sql, 1);
  }
  sqlite3_stmt *s = db_prepare(db, ck_buf_cstr(&text), err);
  ck_buf_free(&text);
  return s;
}

/* ---- putting ---- */

void index_words_forget(struct search_index *x) {
  sqlite3_finalize(x->words);
  sqlite3_finalize(x->runs);
  x->words = x->runs = NULL;
  x->bytes = 0;
}

void index_words_close(struct search_index *x) {
  index_words_forget(x);
  for (int c = 0; c < SEARCH_COLUMNS; ++c) ck_buf_free(&x->text[c]);
  ck_buf_free(&x->pieces);
}

static int make_table(struct search_index *x, const char *sql, int64_t part, struct ck_err *err) {
  sqlite3_stmt *s = search_index_part(x->db, sql, part, err);
  int rc = s ? sqlite3_step(s) : SQLITE_ERROR;
  sqlite3_finalize(s);
  return rc == SQLITE_DONE ? 0 : -1;
}

/* Entries are numbered from 1. */
static int need_part(struct search_index *x, int64_t entry, struct ck_err *err) {
  int64_t part = entry / SEARCH_PART;
  bool first = entry == 1 || entry % SEARCH_PART == 0;
  if (x->words && !first) return 0;
  size_t bytes = x->bytes;
  index_words_forget(x);
  x->bytes = bytes;
  if (!first || (make_table(x, WORDS, part, err) == 0 && make_table(x, RUNS, part, err) == 0)) {
    x->words = search_index_part(x->db, PUT_WORDS, part, err);
    x->runs = x->words ? search_index_part(x->db, PUT_RUNS, part, err) : NULL;
  }
  return x->runs ? 0 : index_fail(x, "a part", err);
}

static int put(struct search_index *x, sqlite3_stmt *s, int64_t entry, const struct ck_buf *texts,
               int count, struct ck_err *err) {
  sqlite3_bind_int64(s, 1, entry);
  for (int i = 0; i < count; ++i) db_bind_str(s, i + 2, ck_buf_view(&texts[i]));
  int rc = sqlite3_step(s);
  sqlite3_reset(s);
  sqlite3_clear_bindings(s);
  return rc == SQLITE_DONE ? 0 : index_fail(x, "words", err);
}

/* Fills x->text and x->pieces. False: there are no words. */
static bool split(struct search_index *x, const struct search_item *item) {
  struct ck_buf *text = x->text;
  enum search_column own = item->is_title ? SEARCH_TITLE : SEARCH_TEXT;
  search_split(item->text, own, &text[own], &x->pieces);
  search_split(item->tool, SEARCH_TOOL, &text[SEARCH_TOOL], &x->pieces);
  x->bytes += item->text.n + item->tool.n;
  return text[SEARCH_TEXT].len + text[SEARCH_TITLE].len + text[SEARCH_TOOL].len > 0;
}

static void clear(struct ck_buf *b) {
  if (b->cap > KEPT_BYTES)
    ck_buf_free(b);
  else
    ck_buf_clear(b);
}

int index_words_put(struct search_index *x, const struct search_item *item, int64_t entry,
                    struct ck_err *err) {
  if (need_part(x, entry, err)) return -1;
  bool words = split(x, item);
  int rc = words ? put(x, x->words, entry, x->text, SEARCH_COLUMNS, err) : 0;
  if (rc == 0 && x->pieces.len) rc = put(x, x->runs, entry, &x->pieces, 1, err);
  for (int c = 0; c < SEARCH_COLUMNS; ++c) clear(&x->text[c]);
  clear(&x->pieces);
  return rc;
}

/* ---- merging ---- */

/* *done: there was nothing to merge. */
static int merge(struct search_index *x, const char *sql, int64_t part, int pages, bool *done,
                 struct ck_err *err) {
  int before = sqlite3_total_changes(x->db);
  sqlite3_stmt *s = search_index_part(x->db, sql, part, err);
  if (!s) return -1;
  sqlite3_bind_int(s, 1, -pages); /* less than 0: until there is one list */
  int rc = sqlite3_step(s);
  sqlite3_finalize(s);
  *done = sqlite3_total_changes(x->db) - before < 2; /* so FTS5 says it */
  return rc == SQLITE_DONE ? 0 : index_fail(x, "merging", err);
}

int index_words_merge(struct search_index *x, struct ck_err *err) {
  static const char *const tables[] = {"INSERT INTO words# (words#, rank) VALUES ('merge', ?1)",
                                       "INSERT INTO runs# (runs#, rank) VALUES ('merge', ?1)"};
  int pages = (int)(x->bytes / BYTES_A_PAGE) + 1;
  bool done = true;
  x->bytes = 0;
  if (x->state.merged >= (x->state.next - 1) / SEARCH_PART) return 0;
  for (size_t i = 0; i < sizeof tables / sizeof *tables && done; ++i)
    if (merge(x, tables[i], x->state.merged, pages, &done, err)) return -1;
  x->state.merged += done;
  return 0;
}
