/* One value of a foreign database becomes one of a record. Types may be loose there: a number can
 * be text, a time too. */
#ifndef CLI_IMPORT_FOREIGN_VALUE_H
#define CLI_IMPORT_FOREIGN_VALUE_H

#include <sqlite3.h>

#include "proto/error.h"
#include "proto/records.h"

/* Converts column `i` of the statement's row. NULL becomes CK_LEFT_OUT, and so does a blank where
 * the field has a default. *replaced is set if bytes that are no UTF-8 were replaced by U+FFFD,
 * which happens to no key. Text is borrowed from the row or the arena. 0, or -1: why it does not
 * fit. */
int foreign_value(struct ck_value *v, const struct ck_field *field, sqlite3_stmt *s, int i,
                  bool *replaced, struct ck_arena *arena, struct ck_err *err);

/* Appends the row as JSON, an object of its named columns, for people: at most some 64 KiB, texts
 * are cut, and blobs are told by their size. */
void foreign_row_json(struct ck_buf *b, sqlite3_stmt *s);

#endif
