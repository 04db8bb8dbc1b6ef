/* doctor's look at the index. It changes nothing. */
#ifndef CK_STORE_SEARCH_CHECK_H
#define CK_STORE_SEARCH_CHECK_H

#include "store/database/db.h"

struct search_checked {
  uint64_t cursor;           /* the index has all records up to this version */
  uint64_t messages, titles; /* that can be found */
  uint64_t missing;          /* messages and titles up to the cursor that have no entry … */
  int64_t first_missing;     /* … the version of the first */
};

/* Looks at the pages and words of the index, and for an entry of each message and title of the
 * database. goes_on is called between two pieces of reading of the database; false ends the check.
 * An index that is not made yet is one that has nothing, up to version 0.
 * 0; or -1 with the reason: the index is damaged, or cannot be read. */
int search_check(sqlite3 *database, bool (*goes_on)(void *self), void *self,
                 struct search_checked *out, struct ck_err *err);

#endif
