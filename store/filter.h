/* Which layer of message_keys_sorted (store/keys.h) an id may be in, without a look at the table.
 *
 * Nearly every message that comes is new, and to see that from the table takes a page of each layer, which at ten million messages comes from the disk. So each
 * layer has a Bloom filter (store/bloom.h) of all ids that were ever given to it, 16 bits for each: in memory, and stored.
 *
 * A layer is twice as large as the one before, up to a million ids in 2 MiB. New ids are given to the newest; once that is full another is begun, so that
 * nothing is ever read again to make a greater one. From 33 million ids on, 64 MiB, no layer follows: the last takes in all that come, and its filter answers
 * "perhaps" ever more often.
 *
 * A layer's filter is stored in parts. A pass writes those of the newest, one after the other, and begins anew at the end, as the pass of store/keys.h does:
 * what was written up to the version `upto` is in the parts; the ids above it are in message_keys_new with their layers, which is not trimmed before, and are
 * added when the store starts. What is stored and what is in memory may hold more than there is (what was rolled back, what has gone), never less. A full layer
 * is passed over once more while new ids come into the next, and then never written again. All of it is in the transaction that writes the messages.
 *
 * There is no filter until the first ids leave the memory, which are those of layer 0. After a start the parts are read a few at each commit, and until they
 * are there the layers are asked, as without a filter. Writer's connection only.
 */
#ifndef CK_STORE_FILTER_H
#define CK_STORE_FILTER_H

#include "store/db.h"

struct filter;

/* Reads what must be there at once: the newest layer, the one before where the pass is still there, and the ids that are not in the parts. NULL with the
 * reason. */
struct filter *filter_new(sqlite3 *db, struct ck_err *err);
void filter_free(struct filter **f);
/* How many ids the first layer is for; those after it follow. For filter_make. */
void filter_keep(struct filter *f, int64_t first);

bool filter_exists(const struct filter *f);
/* No message has this id. False: perhaps one has, or it is not known yet. */
bool filter_misses(const struct filter *f, struct ck_str id);
/* The newest layer below this one (INT_MAX: of all) that may have the id; -1: none has. */
int filter_layer_below(const struct filter *f, int layer, struct ck_str id);
/* The layer of ids that come now. */
int filter_newest(const struct filter *f);

/* All three inside a transaction; -1 with the reason.
 *
 * Makes it of all ids that the tables of keys hold. Reads them all: for ten million half a minute. */
int filter_make(struct filter *f, struct ck_err *err);
/* A message was written with this id, which has this layer. Nothing where there is no filter. */
void filter_add(struct filter *f, int64_t layer, struct ck_str id);
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
