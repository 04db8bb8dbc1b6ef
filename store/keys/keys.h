/* The index of messages by id: which version, and so which row, has an id.
 *
 * It keeps one promise: with ten million messages stored, the store writes at 0.6 or more of
 * the rate of an empty one (bench/growth.c). A UNIQUE index on messages (id) cannot keep it. Ids
 * are random, so nearly every new message reads and dirties an index page of its own, and the more
 * messages there are, the farther apart those pages lie:
 *
 *                                            UNIQUE (id)       these layers
 *   1 million stored: bytes written, MB      1,069-1,121       492-511
 *                     changesets a second    3,300-3,700       4,100-7,800
 *   10 million, pages not in memory:         0.12-0.17 *       0.70-0.71
 *                     share of the rate of an empty store
 *   * measured with an index in two steps, a small and a large one, which is better than UNIQUE.
 *
 * (60,000 changesets at 256 in flight in each row; docs/store.md, "What ten million messages
 * cost".)
 *
 *   message          temp.message_keys_memory             message_keys_sorted
 *   written ──┬────► memory stage: the newest 65,536 ──►  layer 0 │ layer 1 │ … │ newest layer
 *             │      ids, ordered by id          merge    each ordered by id; full layers stay as
 *             ▼                                           they are
 *       message_keys_new
 *       the same ids in order of version: a start loads the memory stage from it
 *
 * - A merge moves ids from the memory stage into their layers, in order of id, so that many go to
 *   one page. Each merge continues where the last one ended; one pass from the least id to the
 *   greatest is a sweep. message_keys_sweeps says how far the sweep has come.
 * - Only the newest layer grows. Once it is full the next layer begins, and no page of the full one
 *   is written again, unless one of its messages changes. An id keeps its layer for life.
 * - Each layer has a Bloom filter of its ids (filter.h), so that a new id, which is in no layer,
 * need not be looked up in any.
 *
 * All of this is part of the transaction that writes the messages; the memory stage is a temporary
 * table, so that a rollback undoes it too. message_keys_new and message_keys_sorted together hold
 * id and version of every message and nothing else (some in both).
 *
 * This is the folder's only header for the rest of store/. Functions that return int return -1 with
 * the reason in err.
 */
#ifndef CK_STORE_KEYS_H
#define CK_STORE_KEYS_H

#include "store/database/db.h"

/* ---- the writer's ---- */

struct keys;

/* Loads the memory stage. For the writer's connection only. NULL with the reason. */
struct keys *keys_new(sqlite3 *db, struct ck_err *err);
void keys_free(struct keys **k);
/* Overrides the measured sizes, for tests, which have few messages: how many ids stay in the memory
 * stage, the least that a merge moves, and what the first layer takes (if it has not begun). */
void keys_resize(struct keys *k, int64_t memory, int64_t merge, int64_t first_layer);

/* True: no message has this id, for certain. False: one may have it. Reads no table. */
bool keys_absent(const struct keys *k, struct ck_str id);
/* The version of the message with this id. 1; 0 when there is none; -1. If somebody deleted the
 * message's row by hand, its id still leads to the version that it had. */
int keys_find(struct keys *k, struct ck_str id, uint64_t *version, struct ck_err *err);

/* Records that a message was written: a new one (old 0), or one moved on from version `old`. Inside
 * the transaction. A new one may have an id that is known but leads to no message. 0 or -1. */
int keys_put(struct keys *k, struct ck_str id, uint64_t old, uint64_t version, struct ck_err *err);
/* Records that a message was deleted: its id is known no more. Inside the transaction. 0 or -1. */
int keys_delete(struct keys *k, struct ck_str id, struct ck_err *err);
/* Merges what is due, and stores what is due of the filter. Call it after the transaction's last
 * keys_put; head: the newest version. 0 or -1. */
int keys_merge(struct keys *k, uint64_t head, struct ck_err *err);
/* To be called when the transaction has ended. */
void keys_committed(struct keys *k);
void keys_rolled_back(struct keys *k);

/* ---- every other connection's ---- */

/* An SQL condition: this row of message_keys_sorted has this id (an SQL expression). Looks into
 * each layer. */
#define KEYS_SORTED_IS(id) "layer IN (SELECT layer FROM message_keys_layers) AND id = " id

/* An SQL expression: the version of the message with this id, or NULL. message_keys_new has no
 * index by id: its newest rows are read first, and all of them if the id is nowhere (20 ms at
 * most). */
#define KEYS_VERSION_OF(id) \
  "coalesce((SELECT version FROM message_keys_sorted WHERE " KEYS_SORTED_IS( \
      id) ")," \
          " (SELECT version FROM message_keys_new WHERE id = " id \
          " ORDER BY version DESC LIMIT 1))"

/* An SQL condition: no message has this id. For many ids: reads message_keys_new once for all. */
#define KEYS_NONE_OF(id) \
  "NOT EXISTS (SELECT 1 FROM message_keys_sorted WHERE " KEYS_SORTED_IS( \
      id) ")" \
          " AND " id " NOT IN (SELECT id FROM message_keys_new)"

/* Appends a query of `version, id` of the messages whose id meets `condition`, an SQL condition on
 * `id`. It is unordered; a caller may add ` ORDER BY id`, for which SQLite merges the layers. 0 or
 * -1. */
int keys_select(sqlite3 *db, struct ck_buf *sql, const char *condition, struct ck_err *err);

/* The highest version that the index knows, also of messages that are gone. 0 or -1. */
int keys_highest(sqlite3 *db, uint64_t *version, struct ck_err *err);

/* The tables, the view `message_ids (id, version)` for people, and their first rows. */
extern const char keys_schema[];

/* ---- doctor's ---- */

/* The check that the tables hold the id and version of every message, and nothing else.
 *
 * Messages are ordered by version and keys by id, so looking each up in the other would cost a page
 * for each. Instead both are read in their own order. A hash of each (id, version) is added for a
 * message and subtracted for a key, in 65,536 sums chosen by the id's hash: if both agree, all sums
 * are 0. Only ids of a sum that is not 0 are then looked up one by one, to name the wrong one. On
 * any connection, inside a read transaction. */
struct keys_check;

/* Called for each contradiction. Returns false to end the check. */
typedef bool keys_problem_fn(void *self, const char *what);

struct keys_check *keys_check_new(sqlite3 *db, keys_problem_fn *problem, void *self);
void keys_check_free(struct keys_check **c);
/* Call it for each message, in any order. */
void keys_check_message(struct keys_check *c, struct ck_str id, int64_t version);
/* After the last message: reads the keys and reports what is wrong. -1: they cannot be read. */
int keys_check_end(struct keys_check *c, struct ck_err *err);
/* The whole check: the above, for all rows of messages. 0 or -1. */
int keys_check(sqlite3 *db, keys_problem_fn *problem, void *self, struct ck_err *err);

/* Looks for every id in the stored filter and counts those that it denies; *denied is one of them
 * (on the heap, to be freed) unless *count is 0. Holds 16 MiB of the filter at a time, so at ten
 * million messages it reads the tables twice. 0 or -1. */
int keys_check_filter(sqlite3 *db, uint64_t *count, char **denied, struct ck_err *err);

#endif
