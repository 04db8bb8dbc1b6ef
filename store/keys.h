/* Where a message stands, by its id.
 *
 * Ids are random: one index of them all, that takes each at once, has a page to read and to write for nearly every message, and the more there are, the
 * farther apart they lie. So they stand in layers, each in the order of its ids, and only the newest layer grows: message_keys_sorted. Once it has its
 * million the next is begun, and its pages are not touched again; which layer an id may be in is told by the layer's filter (store/filter.h).
 *
 * And an id waits in memory first, and with its version in message_keys_new, which only grows at its end. A pass goes through those in memory in the order of
 * their text, again and again, and moves some at every commit into their layer, many of a page together. All of it is in the transaction that writes the
 * messages themselves. What is in memory is a temporary table, so that it is undone with the rest.
 *
 * An id has its layer from the moment it is first written, and keeps it when its message changes. The two tables together hold the id and version of every
 * message, and nothing else (some of them twice). Writer's connection only.
 */
#ifndef CK_STORE_KEYS_H
#define CK_STORE_KEYS_H

#include "store/db.h"

struct keys;

/* Reads what has not been moved on; creates temp.message_keys (id, version, layer). NULL with the reason. */
struct keys *keys_new(sqlite3 *db, struct ck_err *err);
void keys_free(struct keys **k);
/* How many ids stay in memory, and how many are moved on together at least, where that is not to be as it was measured to be best: tests have few messages. */
void keys_keep(struct keys *k, int64_t memory, int64_t together);
/* How many ids the first layer takes, where it is not there yet. Likewise. */
void keys_keep_filter(struct keys *k, int64_t first);

/* No message has this id: nothing need be looked for. False where one perhaps has. */
bool keys_miss(const struct keys *k, struct ck_str id);
/* The version of the message with this id. 1; 0 when there is none; -1 with the reason. */
int keys_find(struct keys *k, struct ck_str id, uint64_t *version, struct ck_err *err);

/* A message was written: new (old 0), or moved from the version `old`. Inside the transaction. -1 with the reason. */
int keys_put(struct keys *k, struct ck_str id, uint64_t old, uint64_t version, struct ck_err *err);
/* Moves on what is to be moved on. Behind the last keys_put of a transaction; head: its newest version. -1 with the reason. */
int keys_move_on(struct keys *k, uint64_t head, struct ck_err *err);
/* How the transaction ended. */
void keys_committed(struct keys *k);
void keys_undone(struct keys *k);

/* SQL for every other connection: a condition under which a row of message_keys_sorted is that of this id; id: an SQL expression. Looks into each layer. */
#define KEYS_SORTED_IS(id) "layer IN (SELECT layer FROM message_keys_layers) AND id = " id

/* The version of the message with this id, NULL where there is none. What is in memory only has no index here: the newest are looked at first, and where there
 * is no such id all of them, which takes some 20 ms at most. */
#define KEYS_VERSION_OF(id) \
  "coalesce((SELECT version FROM message_keys_sorted WHERE " KEYS_SORTED_IS(id) "), (SELECT version FROM message_keys_new WHERE id = " id \
                                                                                " ORDER BY version DESC LIMIT 1))"

/* Whether there is no message with this id; of many, which is when message_keys_new is read once for all of them. */
#define KEYS_NONE_OF(id) "NOT EXISTS (SELECT 1 FROM message_keys_sorted WHERE " KEYS_SORTED_IS(id) ") AND " id " NOT IN (SELECT id FROM message_keys_new)"

#endif
