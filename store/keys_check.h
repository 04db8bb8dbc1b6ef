/* Do the tables of keys (store/keys.h) say the id and version of every message, and nothing else?
 *
 * Messages are in the order of their versions and ids in the order of their text, so to look for each in the other would cost a page for each. Both sides are
 * read in their own order instead, and a hash of each (id, version) is added up for the one and taken away for the other, in 65,536 sums by the id's hash:
 * where both say the same, all are 0. Only where one is not, the ids of that sum are looked for, one by one, to say which it is. For doctor, on any connection,
 * inside a read transaction.
 */
#ifndef CK_STORE_KEYS_CHECK_H
#define CK_STORE_KEYS_CHECK_H

#include "store/db.h"

struct keys_check;

/* Is told of something that contradicts. False: that is enough, no more need be found. */
typedef bool keys_wrong_fn(void *self, const char *what);

struct keys_check *keys_check_new(sqlite3 *db, keys_wrong_fn *wrong, void *self);
void keys_check_free(struct keys_check **c);
/* For each message, in any order. */
void keys_check_message(struct keys_check *c, struct ck_str id, int64_t version);
/* Behind the last of them: reads the keys, and tells of what is wrong. -1: they cannot be read, with the reason. */
int keys_check_end(struct keys_check *c, struct ck_err *err);

/* All of it. */
int keys_check(sqlite3 *db, keys_wrong_fn *wrong, void *self, struct ck_err *err);

#endif
