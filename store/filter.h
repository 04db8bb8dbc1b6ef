/* Which ids no message has, without a look at the tables.
 *
 * Nearly every message that comes is new, and to see that from message_keys_small and message_keys_large takes a page of each, which at ten million messages
 * comes from the disk. So there is a Bloom filter (store/bloom.h) of all ids that were ever written, 16 bits for each: in memory, and stored.
 *
 * It is made of layers, each twice as large as the one before up to 4 MiB; ids are added to the newest, and once that is full another is begun, so that nothing
 * is ever read again to make a greater one. From 33 million ids on no layer follows: the last takes in all that come, and answers "perhaps" ever more often.
 *
 * A layer is stored in parts. A pass writes those of the newest, one after the other, and begins anew at the end, as the passes of store/keys.h do: what was
 * written up to the version `upto` is in the parts; the ids above it are in message_keys_new, which is not trimmed before, and are added when the store starts.
 * What is stored and what is in memory may hold more than there is (what was rolled back, what has gone), never less. A full layer is passed over once more,
 * and then never written again. All of it is in the transaction that writes the messages.
 *
 * There is no filter until the first ids leave the memory. After a start the parts are read a few at each commit, and until all are there the tables are
 * asked, as without a filter. Writer's connection only.
 */
#ifndef CK_STORE_FILTER_H
#define CK_STORE_FILTER_H

#include "store/db.h"

struct filter;

/* Reads what must be there at once: the newest layer, and the ids that are not in the parts. NULL with the reason. */
struct filter *filter_new(sqlite3 *db, struct ck_err *err);
void filter_free(struct filter **f);
/* How many ids the first layer is for; those after it follow. For filter_make. */
void filter_keep(struct filter *f, int64_t first);

bool filter_exists(const struct filter *f);
/* No message has this id. False: perhaps one has, or it is not known yet. */
bool filter_misses(const struct filter *f, struct ck_str id);

/* All four inside a transaction; -1 with the reason.
 *
 * Makes it of all ids that the tables of keys hold. Reads them all: for ten million half a minute. */
int filter_make(struct filter *f, struct ck_err *err);
/* A message with this id was written. Nothing where there is no filter. */
void filter_add(struct filter *f, struct ck_str id);
/* Reads a few parts that are not there yet, and stores those that are due. Behind the last filter_add of a transaction; head: its newest version; round: the
 * pass comes round once in so many ids. */
int filter_save(struct filter *f, uint64_t head, int64_t round, struct ck_err *err);
/* How the transaction ended. */
void filter_committed(struct filter *f);
void filter_undone(struct filter *f);

/* For doctor, on any connection, inside a read transaction: looks for every id in what is stored, and counts those that it misses. 16 MiB of it at a time, so
 * that at ten million messages the tables are read twice. *missed: an id (on the heap, to be freed) where *count is not 0. -1 with the reason. */
int filter_check(sqlite3 *db, uint64_t *count, char **missed, struct ck_err *err);

#endif
