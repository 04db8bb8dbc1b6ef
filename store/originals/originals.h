/* The originals: the pieces of sources, as they came, from which records were read
 * (proto/originals.h). They are kept compressed, some of them together in a block, so that what was
 * imported once can be given back byte for byte and read again by a later reader.
 *
 *   BLOCK ──► block_parts ──► blocks ◄── originals ◄── messages.original, executions.original
 *             data, ≤ 1 MiB   one zstd   place in the
 *                             frame      block, who read it
 *
 * An original is there when its block is whole, that is, when all parts have come. Only originals
 * say what is in a block: bytes that none names are left over, until the block is packed again
 * (packing.c).
 *
 * This is the folder's only header for the rest of store/. Functions that return int return -1 with
 * the reason in err, unless they say otherwise.
 */
#ifndef CK_STORE_ORIGINALS_H
#define CK_STORE_ORIGINALS_H

#include "proto/originals.h"
#include "proto/wire.h"
#include "store/database/db.h"

#include <stdatomic.h>

/* The SQL that makes the tables and indexes. */
extern const char originals_schema[];

/* ---- the writer's ---- */

struct originals;

/* For the writer's connection only. NULL with the reason. */
struct originals *originals_new(sqlite3 *db, struct ck_err *err);
void originals_free(struct originals **o);

/* Applies a BLOCK, within the writer's transaction. -1: it is refused; *failed: the database failed
 * instead. */
int originals_put(struct originals *o, const struct ck_block *m, bool *failed, struct ck_err *err);

/* ---- what is kept out ----
 *
 * An original that has something that was forgotten is deleted as a whole, with all others of its
 * conversation or log, which have mostly the same; and it is kept out when it comes again. A block
 * is written again without it. with: the id of what was forgotten. */

/* The original of this id, which a row that is left out came with, is kept out. 0 or -1. */
int originals_keep_out(struct originals *o, struct ck_str id, struct ck_str with,
                       struct ck_err *err);
/* 1: it is kept out, so no record may name it; 0; -1. */
int originals_keeps_out(struct originals *o, struct ck_str id, struct ck_err *err);

/* The original of this id, or all those of a conversation that are there, are kept out, and go with
 * originals_forget_some. 0 or -1. */
int originals_forget(struct originals *o, struct ck_str id, struct ck_str with, struct ck_err *err);
int originals_forget_conversation(struct originals *o, struct ck_str platform,
                                  struct ck_str conversation, struct ck_str with,
                                  struct ck_err *err);
/* Deletes what is kept out because of `with`, and the logs of that, as far as *budget goes: it is
 * lowered by what was done, of which a row of a table is 1. No record names them any more. 1:
 * nothing is left; 0: call it again; -1. */
int originals_forget_some(struct originals *o, struct ck_str with, int64_t *budget,
                          struct ck_err *err);
/* They may come again. 0 or -1. */
int originals_allow(struct originals *o, struct ck_str with, struct ck_err *err);
/* To be called when the transaction's records are in the database: none of them names what was kept
 * out. *unnamed: records may have changed in the database by that. 0 or -1. */
int originals_settle(struct originals *o, bool *unnamed, struct ck_err *err);
/* The transaction was rolled back. */
void originals_abandon(struct originals *o);

/* ---- packing ----
 *
 * The originals of a conversation that came several times are packed together: the newest first,
 * each older one after it. To zstd an older one is then mostly a copy of the newer, and costs next
 * to nothing. Without it, ten exports of a growing account would take five times the last one.
 *
 * A thread of its own, with a lower priority, reads and compresses; the writer only writes the
 * result, in steps of a few milliseconds between two commits, and only when nothing has been
 * committed for PACKING_IDLE_MS, or packing has waited for PACKING_LATE_MS. Until the last step,
 * which is one transaction, everything is as it was. What a crash leaves half done is removed at
 * the next start.
 *
 * A conversation is read and written again each time that it has grown. Originals of more than
 * 32 MiB stay where they are: packing them would need more memory than the store is to have.
 *
 * The thread joins runs of a log, too (join.c): one log after another, of those to which many runs
 * have come; and every PACKING_LATE_MS, and at the start, of all that have grown. */

#define PACKING_IDLE_MS 300
#define PACKING_LATE_MS 60000

struct packing;

/* Starts the thread. writer: the writer's connection; stop: the store ends. NULL with the reason.
 */
struct packing *packing_start(sqlite3 *writer, const _Atomic bool *stop, struct ck_err *err);
/* Call it before the writer's connection is closed. */
void packing_stop(struct packing **p);
/* The writer's part, outside a transaction: what is to be done now (ck_boot_ms). Returns true if it
 * wants its next turn soon. */
bool packing_turn(struct packing *p, int64_t now);

/* ---- for one thread that reads ---- */

struct originals_reader;

/* db: the thread's own connection. NULL with the reason. */
struct originals_reader *originals_reader_new(sqlite3 *db, struct ck_err *err);
void originals_reader_free(struct originals_reader **r);

/* True while memory is kept for the next FETCH of the same original, or one after it. Free it with
 * originals_reader_rest when none has come for a while. */
bool originals_reader_continues(const struct originals_reader *r);
void originals_reader_rest(struct originals_reader *r);

/* Appends the list `had` of the answer to HAVE. -1: *code is the PROBLEM's. */
int originals_have(struct originals_reader *r, const struct ck_have *q, struct ck_buf *had,
                   const char **code, struct ck_err *err);

/* Fills in the answer to FETCH. It is kept in body, which is to be empty. -1: *code is the
 * PROBLEM's. */
int originals_fetch(struct originals_reader *r, const struct ck_fetch *q, struct ck_buf *body,
                    struct ck_fetched *answer, const char **code, struct ck_err *err);

/* ---- doctor's ---- */

struct originals_check {
  void *self;
  void (*damaged)(void *self, const char *what); /* an original, and what is wrong with it */
  void (*missing)(void *self, const char *id);   /* records name it, and it is not there */
  bool (*goes_on)(void *self);                   /* between two transactions; false: cancelled */
};

/* Unpacks every block, hashes every original, and looks for those that records name. *count is
 * raised by the originals looked at; NULL: only looks for those that records name. */
int originals_check(sqlite3 *db, const struct originals_check *ops, uint64_t *count,
                    struct ck_err *err);

#endif
