/* The SQL function has_words(text, words): 1 if the text contains every one of the words, 0, or
 * NULL if it has no text (proto/words.h). */
#ifndef CK_STORE_HAS_WORDS_H
#define CK_STORE_HAS_WORDS_H

#include <sqlite3.h>

#include "proto/error.h"

/* Gives it to a connection. 0, or -1 with the reason. */
int has_words_sql(sqlite3 *db, struct ck_err *err);

#endif
