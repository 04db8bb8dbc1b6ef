/* A piece of a text finds it, from the beginning of a word, or of a part of one, to the end of one:
 * any piece of a run, and whatever scripts stand beside each other. In lower case too, from there
 * to the end of a whole word. CONVKEEP_TEST_SEED=N repeats a failure. */
#include <criterion/criterion.h>
#include <sqlite3.h>

#include "store/search/fts.h"
#include "store/search/marks.h"
#include "store/search/split.h"
#include "tests/unit/test_sanitized.h"
#include "tests/unit/test_store_help.h"

#define TEXTS 3000
#define ROUNDS 30000
#define ATOMS_MAX 14
#define EDGES 64

/* The first are of the words that have parts, and come more often. */
static const char *const atoms[] = {
    "a", "b", "ok", "user", "By", "Id", "HTTP", "X", "Case", "snake", "_", "4", "42", "v1.",
    /* other letters */
    "é", "É", "ß", "ﬁ", "Æ", "Ё", "жук", "Ω", "ά", "ש", "عرب", "हि", "न्दी", "Ａ", "ｂ", "７", "İ",
    "①",
    /* what is skipped */
    "\u0301", "\u0308", "\u00ad", "\u200b", "\u200d", "\ufe0f", "\u20e3",
    /* runs */
    "ไ", "ท", "ย", "กำ", "\u0e31", "数", "据", "库", "デ", "タ", "ー", "ﾃ", "ﾞ", "か", "\u3099",
    "は", "\u309a", "한", "국", "\u1112", "\u1161", "\u11ab", "🎉", "👍", "🏽", "𠮷", "မြ", "ខ្ម",
    /* between words */
    " ", "-", ".", "/", "，", "\n", "\"", "\xff", "\xe6\x95"};
#define ATOMS (sizeof atoms / sizeof *atoms)
#define OF_NAMES 14

static struct ck_buf texts[TEXTS];

static void make_text(struct ck_buf *b) {
  for (uint64_t i = 0, n = 1 + sh_below(ATOMS_MAX); i < n; ++i)
    ck_buf_text(b, atoms[sh_below(sh_below(2) ? OF_NAMES : ATOMS)]);
}

struct edges {
  size_t from[EDGES], to[EDGES];
  size_t n;
  bool whole; /* a word's parts end where it ends */
};

static int note_edges(void *self, const struct search_token *t) {
  struct edges *e = self;
  if (t->beside && e->whole && t->to > e->to[e->n - 1]) e->to[e->n - 1] = t->to;
  if (t->beside || e->n == EDGES) return 0;
  e->from[e->n] = t->from;
  e->to[e->n++] = t->run && !t->last ? t->from : t->to;
  return 0;
}

static struct ck_str piece_of(struct ck_str text, bool whole) {
  struct edges e = {.whole = whole};
  search_tokens(text, note_edges, &e);
  if (e.n == 0) return (struct ck_str){0};
  size_t first = sh_below(e.n), last = first + sh_below(e.n - first);
  size_t to = e.to[last] > e.from[last] ? e.to[last] : last + 1 < e.n ? e.from[last + 1] : text.n;
  return (struct ck_str){text.s + e.from[first], to - e.from[first]};
}

static void run(sqlite3 *db, const char *sql) {
  cr_assert_eq(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK, "%s", sqlite3_errmsg(db));
}

static sqlite3_stmt *prepare(sqlite3 *db, const char *sql) {
  sqlite3_stmt *s;
  cr_assert_eq(sqlite3_prepare_v2(db, sql, -1, &s, NULL), SQLITE_OK, "%s", sqlite3_errmsg(db));
  return s;
}

static void bind(sqlite3_stmt *s, int at, struct ck_str text) {
  sqlite3_bind_text(s, at, text.s, (int)text.n, SQLITE_STATIC);
}

static void put(sqlite3_stmt *s, int number, struct ck_buf *tokens) {
  sqlite3_bind_int(s, 1, number);
  bind(s, 2, ck_buf_view(tokens));
  cr_assert_eq(sqlite3_step(s), SQLITE_DONE);
  sqlite3_reset(s);
  ck_buf_clear(tokens);
}

/* The texts and an index of them. */
static sqlite3 *make_index(void) {
  struct ck_err err;
  struct ck_buf words = {0}, runs = {0};
  sqlite3 *db;
  cr_assert_eq(sqlite3_open(":memory:", &db), SQLITE_OK);
  cr_assert_eq(search_fts_register(db, &err), 0, "%s", err.text);
  run(db, "CREATE VIRTUAL TABLE words USING fts5(text, content='', tokenize=convkeep);"
          "CREATE VIRTUAL TABLE runs USING fts5(pieces, content='', detail=none,"
          " tokenize=convkeep); BEGIN");
  sqlite3_stmt *w = prepare(db, "INSERT INTO words (rowid, text) VALUES (?1, ?2)"),
               *r = prepare(db, "INSERT INTO runs (rowid, pieces) VALUES (?1, ?2)");
  for (int i = 0; i < TEXTS; ++i) {
    make_text(&texts[i]);
    search_split(ck_buf_view(&texts[i]), SEARCH_TEXT, &words, &runs);
    put(w, i, &words);
    put(r, i, &runs);
  }
  sqlite3_finalize(w);
  sqlite3_finalize(r);
  ck_buf_free(&words);
  ck_buf_free(&runs);
  run(db, "COMMIT");
  return db;
}

/* s: statements that ask words and runs for an expression and a text's number. */
static bool matches(sqlite3_stmt *s, int text, struct ck_buf *match) {
  if (match->len == 0) return true;
  bind(s, 1, ck_buf_view(match));
  sqlite3_bind_int(s, 2, text);
  bool found = sqlite3_step(s) == SQLITE_ROW;
  sqlite3_reset(s);
  return found;
}

static bool finds(sqlite3_stmt *const s[2], int text, struct ck_str piece) {
  struct search_match m = {0};
  cr_assert(search_match(&m, piece, false, SEARCH_IN(SEARCH_TEXT)));
  bool found = matches(s[0], text, &m.words) && matches(s[1], text, &m.runs);
  search_match_free(&m);
  return found;
}

struct wanted {
  size_t from, to;
  bool found;
};

static bool look(void *self, const struct search_mark *mark) {
  struct wanted *w = self;
  w->found |= mark->from == w->from && mark->to <= w->to;
  return !w->found;
}

/* Where the piece stands, if it is asked for in these letters. */
static bool marks(struct ck_str text, struct ck_str piece, struct ck_str asked) {
  struct search_query q = {.term_count = 1};
  size_t from = (size_t)(piece.s - text.s);
  struct wanted w = {.from = from, .to = from + piece.n};
  q.terms[0] = (struct search_term){SEARCH_PHRASE, SEARCH_IN(SEARCH_TEXT), false, asked};
  struct search_marks *m = search_marks_new(&q);
  search_marks_find(m, text, SEARCH_TEXT, look, &w);
  search_marks_free(&m);
  return w.found;
}

typedef void each_fn(sqlite3_stmt *const s[2], int at, struct ck_str text, struct ck_str piece);

static void each_piece(bool whole, each_fn *fn) {
  sqlite3 *db = make_index();
  sqlite3_stmt *s[] = {prepare(db, "SELECT 1 FROM words WHERE words MATCH ?1 AND rowid = ?2"),
                       prepare(db, "SELECT 1 FROM runs WHERE runs MATCH ?1 AND rowid = ?2")};
  for (int i = 0; i < ROUNDS; ++i) {
    int at = (int)sh_below(TEXTS);
    struct ck_str text = ck_buf_view(&texts[at]), piece = piece_of(text, whole);
    if (piece.n) fn(s, at, text, piece);
  }
  sqlite3_finalize(s[0]);
  sqlite3_finalize(s[1]);
  sqlite3_close(db);
  for (int i = 0; i < TEXTS; ++i) ck_buf_free(&texts[i]);
}

static void check_piece(sqlite3_stmt *const s[2], int at, struct ck_str text, struct ck_str piece) {
  cr_expect(finds(s, at, piece), "\"%.*s\" does not find \"%s\"", (int)piece.n, piece.s, text.s);
  cr_expect(marks(text, piece, piece), "\"%.*s\" is not marked in \"%s\"", (int)piece.n, piece.s,
            text.s);
}

Test(search_pieces, find_their_text_and_are_marked_in_it, .timeout = 60 * SLOWER) {
  each_piece(false, check_piece);
}

/* As LIKE finds it: "getuserbyid ok" in a text with "getUserById ok". */
static void check_lower(sqlite3_stmt *const s[2], int at, struct ck_str text, struct ck_str piece) {
  char lower[512];
  cr_assert_lt(piece.n, sizeof lower);
  for (size_t i = 0; i < piece.n; ++i)
    lower[i] = piece.s[i] >= 'A' && piece.s[i] <= 'Z' ? (char)(piece.s[i] + 'a' - 'A') : piece.s[i];
  struct ck_str asked = {lower, piece.n};
  cr_expect(finds(s, at, asked), "\"%.*s\" does not find \"%s\"", (int)piece.n, lower, text.s);
  cr_expect(marks(text, piece, asked), "\"%.*s\" is not marked in \"%s\"", (int)piece.n, lower,
            text.s);
}

Test(search_pieces, find_their_text_in_lower_case, .timeout = 60 * SLOWER) {
  each_piece(true, check_lower);
}
