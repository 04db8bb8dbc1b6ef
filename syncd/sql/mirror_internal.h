/* Shared by the files that make the mirror's SQL (syncd/sql/); for these only. */
#ifndef SYNCD_MIRROR_INTERNAL_H
#define SYNCD_MIRROR_INTERNAL_H

#include "syncd/sql/mirror.h"

/* Appends the expression by which a statement reads a column of the row it brings. column: its
 * place in the list; the one after the last is the version. */
typedef void mirror_column(struct ck_buf *sql, enum ck_table t, int column);
/* Appends the condition that `holder` has the row's unique columns, under another key. */
void mirror_held_by(struct ck_buf *sql, enum ck_table t, const char *holder, mirror_column *of_row);
/* Appends the condition that the row was not forgotten at a higher version. */
void mirror_not_forgotten(struct ck_buf *sql, enum ck_table t, mirror_column *of_row);

#endif
