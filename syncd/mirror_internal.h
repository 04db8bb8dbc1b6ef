/* What the files that make the mirror's SQL share. */
#ifndef SYNCD_MIRROR_INTERNAL_H
#define SYNCD_MIRROR_INTERNAL_H

#include "syncd/sql/mirror.h"

/* How a statement writes a column of the row that it brings; the one behind the last is the
 * version. */
typedef void mirror_column(struct ck_buf *sql, enum ck_table t, int column);
/* `holder` has what is unique of the row, under another key. */
void mirror_held_by(struct ck_buf *sql, enum ck_table t, const char *holder, mirror_column *of_row);

#endif
