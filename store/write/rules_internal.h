/* What the files of the rules share. */
#ifndef CK_STORE_RULES_INTERNAL_H
#define CK_STORE_RULES_INTERNAL_H

#include "store/write/rules.h"

/* Says that this column of the write is refused, and of which record. Returns -1. */
int rules_refuse(struct ck_err *err, const struct ck_row *row, int column, const char *what);

#endif
