/* Tells which layer of message_keys_sorted an id may be in, without reading the table.
 *
 * Nearly every message that arrives is new. To see that in the tables would take a page of each
 * layer, which at ten million messages comes from the disk. So each layer has a Bloom filter
 * (bloom.h) of all ids that it was ever given, 16 bits for each, in memory and stored.
 *
 * Each layer is twice as large as the one before, up to a million ids (2 MiB of filter), so no ids
 * need to be read again to make a larger filter. After 33 million ids (64 MiB) there is no next
 * layer: the last one takes all ids, and its filter says "may be here" more and more often.
 *
 *            begins           is full                        its last sweep ends
 *   (none) ─────────► newest ─────────► closing ──────────────────────────────► closed
 *                 takes new ids,        new ids go to the next layer;           is never
 *                 sweeps store it       one last sweep stores it                written again
 *
 * The filter is stored in parts. A sweep stores the parts of one layer in turn, a few in each
 * commit; then the next sweep begins. Its row in message_keys_sweeps says what the parts hold:
 * every id written up to stored_version. Later ids stay in message_keys_new until a sweep has
 * stored them, and a start adds them to the filter. Both the stored and the loaded filter may hold
 * ids that do not exist (rolled back, or gone), but never lack one. Storing is part of the
 * transaction that writes messages.
 *
 * There is no filter until the first ids leave the memory stage for layer 0. After a start, closed
 * layers are loaded a few parts per commit; until a layer is loaded, it may have any id.
 *
 * Writer's connection only. Functions that return int return -1 with the reason in err.
 */
#ifndef CK_STORE_KEYS_FILTER_H
#define CK_STORE_KEYS_FILTER_H

#include "store/database/db.h"

struct filter;

/* Loads the layers that are not closed, adds the ids that are not stored. NULL with the reason. */
struct filter *filter_new(sqlite3 *db, struct ck_err *err);
void filter_free(struct filter **f);
/* For tests: how many ids the first layer takes, if filter_build has not begun it yet. */
void filter_resize(struct filter *f, int64_t first_layer);

bool filter_exists(const struct filter *f);
/* True: no message has this id, for certain. False: one may have it, or not all is loaded yet. */
bool filter_absent(const struct filter *f, struct ck_str id);
/* The newest layer below `layer` (INT_MAX: of all) that may have the id; -1: none. */
int filter_candidate_below(const struct filter *f, int layer, struct ck_str id);
/* The layer that new ids get. */
int filter_newest(const struct filter *f);

/* The next three belong inside a transaction.
 *
 * Builds the filter from all ids in the tables, which takes half a minute for ten million. */
int filter_build(struct filter *f, struct ck_err *err);
/* Adds the id of a message that was written to its layer. Does nothing if there is no filter. */
void filter_add(struct filter *f, int64_t layer, struct ck_str id);
/* Loads a few parts that are missing, and stores those that are due. Call it after the
 * transaction's last filter_add; head: the newest version; sweep_ids: a sweep lasts until so many
 * ids have come. */
int filter_store(struct filter *f, uint64_t head, int64_t sweep_ids, struct ck_err *err);
/* To be called when the transaction has ended. */
void filter_committed(struct filter *f);
void filter_rolled_back(struct filter *f);

#endif
