/* See fts.h. */
#include "store/search/fts.h"

#include "store/search/tokens.h"

struct sink {
  void *context;
  int (*token)(void *context, int flags, const char *text, int n, int from, int to);
};

static int give(void *self, const struct search_token *t) {
  struct sink *s = self;
  return s->token(s->context, t->beside ? FTS5_TOKEN_COLOCATED : 0, t->text.s, (int)t->text.n,
                  (int)t->from, (int)t->to);
}

/* The tokens of an expression. */
static int give_words(struct sink *s, const char *text, int n) {
  int rc = SQLITE_OK;
  for (int at = 0, end; at < n && rc == SQLITE_OK; at = end + 1) {
    for (end = at; end < n && text[end] != ' '; ++end) continue;
    if (end > at) rc = s->token(s->context, 0, text + at, end - at, at, end);
  }
  return rc;
}

static int tokenize(Fts5Tokenizer *self, void *context, int flags, const char *text, int n,
                    int (*token)(void *, int, const char *, int, int, int)) {
  struct sink s = {context, token};
  (void)self;
  if (flags & FTS5_TOKENIZE_QUERY) return give_words(&s, text, n);
  return search_tokens((struct ck_str){text, (size_t)n}, give, &s);
}

/* There is nothing to keep for a table. */
static int create(void *unused, const char **options, int count, Fts5Tokenizer **out) {
  static char nothing;
  (void)unused;
  (void)options;
  *out = (Fts5Tokenizer *)&nothing;
  return count ? SQLITE_ERROR : SQLITE_OK;
}

static void delete (Fts5Tokenizer *unused) { (void)unused; }

fts5_api *search_fts_api(sqlite3 *db) {
  fts5_api *api = NULL;
  sqlite3_stmt *s = NULL;
  if (sqlite3_prepare_v2(db, "SELECT fts5(?1)", -1, &s, NULL) == SQLITE_OK) {
    sqlite3_bind_pointer(s, 1, &api, "fts5_api_ptr", NULL);
    sqlite3_step(s);
  }
  sqlite3_finalize(s);
  return api;
}

int search_fts_register(sqlite3 *db, struct ck_err *err) {
  fts5_tokenizer functions = {create, delete, tokenize};
  fts5_api *api = search_fts_api(db);
  if (search_tokens_ready(err)) return -1;
  if (!api || api->xCreateTokenizer(api, "convkeep", NULL, &functions, NULL) != SQLITE_OK)
    return ck_fail(err, "search: this SQLite has no FTS5");
  return 0;
}
