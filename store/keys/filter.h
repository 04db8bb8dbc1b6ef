/* Which layer of message_keys_sorted an id may be in, told without reading the table.
 *
 * Nearly every message that arrives is new. To see that in the tables takes a page of each layer,
 * which at ten million messages comes from the disk. So each layer has a Bloom filter (bloom.h) of
 * all ids that it was ever given, 16 bits for each, in memory and stored.
 *
 * A layer is twice as large as the one before, up to a million ids (2 MiB of filter); so nothing is
 * ever read again to make a larger filter. At 33 million ids, 64 MiB, no layer follows any more:
 * the last one takes all ids that come, and its filter answers "may be here" ever more often.
 *
 *            begins           is full                        its last sweep ends
 *   (none) ─────────► newest ─────────► closing ──────────────────────────────► closed
 *                 takes new ids,        new ids go to the next layer;           is never
 *                 sweeps store it       one last sweep stores it                written again
 *
 * The filter is stored in parts. A sweep stores the parts of one layer in turn, a few in each
 * commit, and then the next sweep begins. Its row in message_keys_sweeps has what the parts hold:
 * every id written up to stored_version. Later ids are in message_keys_new, which is not trimmed
 * before, and are added when the store starts. Both the stored and the loaded filter may hold more
 * ids than there are (rolled back, or gone), never fewer. Storing is part of the transaction that
 * writes messages.
 *
 * There is no filter until the first ids leave the memory stage for layer 0. After a start, parts
 * of closed layers are loaded at a few per commit; until a layer is loaded it may have any id.
 *
 * Writer's connection only. Functions that return int return -1 with the reason in err.
 */
#ifndef CK_STORE_KEYS_FILTER_H
#define CK_STORE_KEYS_FILTER_H

#include "store/database/db.h"

struct filter;

/* Loads the layers that are not closed and adds the ids that are not stored. NULL with the reason.
 */
struct filter *filter_new(sqlite3 *db, struct ck_err *err);
void filter_free(struct filter **f);
/* For tests: how many ids the first layer takes, where filter_build has not begun it. */
void filter_resize(struct filter *f, int64_t first_layer);

bool filter_exists(const struct filter *f);
/* True: no message has this id, for certain. False: one may have it, or not all is loaded yet. */
bool filter_absent(const struct filter *f, struct ck_str id);
/* The newest layer below `layer` (INT_MAX: of all) that may have the id; -1: none. */
int filter_candidate_below(const struct filter *f, int layer, struct ck_str id);
/* The layer that new ids get. */
int filter_newest(const struct filter *f);

/* The next three inside a transaction.
 *
 * Builds the filter from all ids in the tables. Reads them all: half a minute for ten million. */
int filter_build(struct filter *f, struct ck_err *err);
/* Adds the id of a message that was written; it belongs to this layer. No filter: does nothing. */
void filter_add(struct filter *f, int64_t layer, struct ck_str id);
/* Loads a few parts that are missing and stores those that are due. After the last filter_add;
 * head: the newest version; sweep_ids: a sweep takes as long as so many ids take to come. */
int filter_store(struct filter *f, uint64_t head, int64_t sweep_ids, struct ck_err *err);
/* How the transaction ended. */
void filter_committed(struct filter *f);
void filter_rolled_back(struct filter *f);

#endif
