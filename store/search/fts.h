/* The tokenizer `convkeep` of FTS5: of a text that is stored, which search_split has cut, and of an
 * expression, which search_match has made, the tokens stand between blanks. */
#ifndef CK_STORE_SEARCH_FTS_H
#define CK_STORE_SEARCH_FTS_H

#include <sqlite3.h>

#include "proto/error.h"

/* Makes the tokenizer known to a connection. -1 with the reason. */
int search_fts_register(sqlite3 *db, struct ck_err *err);

/* FTS5's functions of a connection; NULL: this SQLite has none. */
fts5_api *search_fts_api(sqlite3 *db);

#endif
