/* See fts.h. */
#include "store/search/fts.h"

#include <string.h>

#include "store/search/split.h"
#include "store/search/tokens.h"

static int tokenize(Fts5Tokenizer *self, void *context, int flags, const char *text, int n,
                    int (*token)(void *, int, const char *, int, int, int)) {
  int rc = SQLITE_OK;
  (void)self;
  (void)flags;
  for (int at = 0, end; at < n && rc == SQLITE_OK; at = end + 1) {
    const char *blank = memchr(text + at, ' ', (size_t)(n - at));
    bool beside = text[at] == SEARCH_BESIDE;
    end = blank ? (int)(blank - text) : n;
    at += beside;
    if (end > at)
      rc = token(context, beside ? FTS5_TOKEN_COLOCATED : 0, text + at, end - at, at, end);
  }
  return rc;
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
