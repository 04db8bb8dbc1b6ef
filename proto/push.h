/* The producer's half: numbers changesets, sends them, resends what has no receipt, and lets go of what has one.
 *
 *      ┌──────┐ HELLO  ┌─────────┐ WELCOME ┌───────────┐
 *      │ idle ├───────►│ greeting├────────►│ streaming ├──┐ receipts; no progress for 300 ms: LAST, go back, backoff
 *      └──────┘        └────▲────┘         └─────┬─────┘◄─┘
 *                           └────────────────────┘ another store id, a gap below what is kept
 *
 * Where the changesets are kept is the owner's: a spool on disk (ingest) or memory (renewd, syncd, the command line).
 */
#ifndef CK_PROTO_PUSH_H
#define CK_PROTO_PUSH_H

#include "proto/settings.h"
#include "proto/wire.h"
#include <zmq.h>

/* What keeps the changesets. Numbers are without gap: first() … last(). */
struct ck_unacked {
  void *self;
  uint64_t (*first)(void *self); /* the oldest that has no receipt; last()+1 when there is none */
  uint64_t (*last)(void *self);  /* the newest; 0 when there never was one */
  /* The mutations array of one number, valid until the next call. false: it cannot be read. */
  bool (*get)(void *self, uint64_t number, struct ck_str *mutations);
  /* result: n u = r, or ? where the store did not say (its receipt was lost beyond what it
   * remembers). reason: empty unless r. Called once for each number, ascending; on return first()
   * is number + 1. */
  void (*receipt)(void *self, uint64_t number, char result, struct ck_str reason);
  /* The store knows this producer up to `applied`, beyond last(): the next number must be above it.
   * May be NULL when that cannot be. */
  void (*skip)(void *self, uint64_t applied);
  /* The answer to HELLO says that the store has applied this producer up to `applied`; asked before
   * any receipt. Returns how far the keep can believe that: what is here behind it was never sent,
   * so whatever was applied under those numbers was another's. May be NULL: believed. */
  uint64_t (*believe)(void *self, uint64_t applied);
};

struct ck_push;

/* producer is copied. Sockets are made here: PUSH to intake, SUB to feed for receipts, DEALER to
 * snapshot. NULL with the reason. */
struct ck_push *ck_push_new(const struct ck_settings *s, const char *producer,
                            const struct ck_unacked *unacked, unsigned window, struct ck_err *err);
void ck_push_free(struct ck_push **push);

/* The sockets to wait on (ZMQ_POLLIN), at most 2; ck_push_step when one is readable, when the keep
 * grew, and at the latest after the milliseconds it returned
 * (-1: only when something happens). Never blocks. */
int ck_push_items(struct ck_push *push, zmq_pollitem_t items[2]);
int ck_push_step(struct ck_push *push);

bool ck_push_streaming(const struct ck_push *push); /* the store has answered */
/* Another uses this producer id, or has used it: nothing is sent under it any more. Stop, or begin
 * again with another id. */
bool ck_push_usurped(const struct ck_push *push);
const char *ck_push_producer(const struct ck_push *push);
/* The store's version that its last receipt gave (RECEIPT, WELCOME); 0 before the first. While
 * ck_unacked.receipt is called: of the receipt at hand, so who has followed up to it has seen all
 * that this number changed. */
uint64_t ck_push_version(const struct ck_push *push);

/* Sends an unnumbered REPORT; lost when nobody listens. */
void ck_push_report(struct ck_push *push, const struct ck_report *report);

/* A keep in memory, for producers whose changesets can be made again. */
struct ck_memory_unacked;
struct ck_memory_unacked *ck_memory_unacked_new(void (*done)(void *self, uint64_t number,
                                                             char result, struct ck_str reason),
                                                void *self);
void ck_memory_unacked_free(struct ck_memory_unacked **unacked);
struct ck_unacked ck_memory_unacked_ops(struct ck_memory_unacked *unacked);
/* mutations: an encoded array, copied. Returns its number, which may still rise by skip() before it
 * is first sent: `done` says the final one, so owners that must match use the order. */
uint64_t ck_memory_unacked_add(struct ck_memory_unacked *unacked, struct ck_str mutations);
size_t ck_memory_unacked_pending(const struct ck_memory_unacked *unacked);

/* A producer id that lasts: the first free slot "NAME-HOST-K" whose lock file run/NAME-K.lock this
 * process can take; the lock is held until exit. 0 or -1. */
int ck_producer_slot(const char *name, char out[96], struct ck_err *err);

#endif
