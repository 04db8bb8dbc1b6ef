/* The producer's half of the wire: numbers changesets, sends them, sends again those without a
 * receipt, and gives each its result once its receipt has come.
 *
 *           HELLO ┌──────────┐  WELCOME   ┌───────────┐ ──┐ no progress for 300 ms, doubling to
 *   (new) ──────► │ greeting │ ─────────► │ streaming │   │ 5 s: LAST. Its WELCOME says from which
 *                 └──────────┘ ◄───────── └───────────┘ ◄─┘ number on to send again.
 *                              another          │
 *                              store id,        │ PROBLEM `epoch`, or a WELCOME that cannot be
 *                              other PROBLEM    ▼ ours (believe): nothing more is sent.
 *                                          ┌─────────┐
 *                                          │ usurped │
 *                                          └─────────┘
 *
 * The owner keeps the unacked changesets, those without a receipt: ingest in a spool on disk;
 * renewd, syncd and the command line in memory (ck_memory_unacked). Nothing here blocks or has a
 * thread; the owner's loop waits on ck_push_items and calls ck_push_step.
 */
#ifndef CK_PROTO_PUSH_H
#define CK_PROTO_PUSH_H

#include "proto/settings.h"
#include "proto/wire.h"
#include <zmq.h>

/* The unacked changesets, as the owner keeps them: numbers first() to last() without a gap. Every
 * call gets `self`. */
struct ck_unacked {
  void *self;
  /* The oldest number without a receipt; last() + 1 when all have one; 0: nothing is kept across
   * runs and the store has not said yet where to go on. */
  uint64_t (*first)(void *self);
  /* The newest number; 0 when there never was one. */
  uint64_t (*last)(void *self);
  /* The encoded mutations of one number, valid until the next call. false: they cannot be read. */
  bool (*get)(void *self, uint64_t number, struct ck_str *mutations);
  /* The number has its receipt. result: a letter of RECEIPT, or ? when the store no longer
   * remembers it. reason: empty unless result is r. Called once for each number, ascending; after
   * it first() must be number + 1. */
  void (*receipt)(void *self, uint64_t number, char result, struct ck_str reason);
  /* The store has applied this producer up to `applied`, which is above last(): the next number
   * must be above it too. NULL where that cannot happen. */
  void (*skip)(void *self, uint64_t applied);
  /* WELCOME says that the store has applied this producer up to `applied`; called before any
   * receipt. Returns the highest number the owner can vouch for: nothing above it was ever sent
   * from here, so whatever was applied there came from another process that uses this producer id.
   * NULL: the store is believed. */
  uint64_t (*believe)(void *self, uint64_t applied);
  /* Called before `receipt` for a number whose result does not tell what became of its messages, if
   * the store still remembers its counts. NULL where nobody counts. */
  void (*counts)(void *self, const struct ck_counts *counts);
  /* Called before `receipt` for a number that was a claim of renewd's, if the store tells what it
   * found; texts are borrowed. NULL where nobody claims. */
  void (*claimed)(void *self, const struct ck_claimed *claimed);
};

struct ck_push;

/* No changeset is sent while those in flight have this many bytes: ZeroMQ keeps them in memory,
 * here and in the store. Two of the store's batches: one is applied while the next one comes. */
#define CK_PUSH_BYTES (2u << 20)

/* Connects to the intake (changesets), the feed (receipts) and the snapshot door (HELLO, LAST), and
 * says HELLO. producer is copied, *unacked too; s must outlive the push. window: at most so many
 * changesets are sent ahead of the last receipt. NULL with the reason in err: a door cannot be
 * connected. */
struct ck_push *ck_push_new(const struct ck_settings *s, const char *producer,
                            const struct ck_unacked *unacked, unsigned window, struct ck_err *err);
/* Closes the sockets and sets *push to NULL; *push may be NULL. Changesets without a receipt stay
 * with their owner. */
void ck_push_free(struct ck_push **push);

/* Fills items with the sockets to wait on (ZMQ_POLLIN) and returns how many, at most 2. They may
 * change with each step. */
int ck_push_items(struct ck_push *push, zmq_pollitem_t items[2]);
/* Does what can be done without blocking: takes answers and receipts, sends changesets, asks again.
 * To be called when a socket is readable, when a changeset was added, and at the latest after the
 * milliseconds that it returned. -1: usurped. */
int ck_push_step(struct ck_push *push);

/* From now on no changeset above this number is sent; the rest goes on. UINT64_MAX, as at first:
 * all are. */
void ck_push_upto(struct ck_push *push, uint64_t number);

/* Milliseconds since anything was last heard from the store: an answer, a receipt, or the beat that
 * it sends several times a second. Before the first: since ck_push_new. */
int64_t ck_push_silent_ms(const struct ck_push *push);
/* True once the store has answered HELLO. */
bool ck_push_streaming(const struct ck_push *push);
/* The id of the store that has answered HELLO last; "" before the first. Valid until the next step.
 */
const char *ck_push_store(const struct ck_push *push);
/* True when another process uses this producer id, or has used it. Nothing more is sent under the
 * id: stop, or begin again with another one. */
bool ck_push_usurped(const struct ck_push *push);
/* The id; valid as long as the push. */
const char *ck_push_producer(const struct ck_push *push);
/* The store's version in its last RECEIPT or WELCOME; 0 before the first. During
 * ck_unacked.receipt it is the version of the receipt at hand: a follower that has reached it has
 * seen everything that this number changed. */
uint64_t ck_push_version(const struct ck_push *push);

/* Sends a REPORT, without a number; it is lost if the store does not listen. */
void ck_push_report(struct ck_push *push, const struct ck_report *report);

/* ---- unacked changesets in memory, for producers that can make theirs again ---- */

struct ck_memory_unacked;
/* done: called for each receipt (ck_unacked.receipt), with self. Out of memory ends the process. */
struct ck_memory_unacked *ck_memory_unacked_new(void (*done)(void *self, uint64_t number,
                                                             char result, struct ck_str reason),
                                                void *self);
/* From now on `claimed` (ck_unacked.claimed) is called too, before `done` of the same number. */
void ck_memory_unacked_claims(struct ck_memory_unacked *unacked,
                              void (*claimed)(void *self, const struct ck_claimed *claimed));
void ck_memory_unacked_free(struct ck_memory_unacked **unacked);
/* For ck_push_new; valid as long as unacked. */
struct ck_unacked ck_memory_unacked_ops(struct ck_memory_unacked *unacked);
/* Adds a changeset. mutations: an encoded array, copied. Returns its number, which skip() may still
 * raise before it is first sent; `done` gets the final one. Owners that match receipts with
 * changesets go by the order. */
uint64_t ck_memory_unacked_add(struct ck_memory_unacked *unacked, struct ck_str mutations);
/* How many changesets have no receipt yet. */
size_t ck_memory_unacked_pending(const struct ck_memory_unacked *unacked);

/* ---- producer ids that last ---- */

/* Takes the first id "NAME-HOST-K" (K from 0) whose lock file run/NAME-K.lock no other process
 * holds; the lock lasts until this process ends. out is terminated. 0; or -1 with the reason: a
 * lock file cannot be used, or all 1000 are taken. */
int ck_producer_slot(const char *name, char out[96], struct ck_err *err);

#endif
