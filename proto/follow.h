/* The follower's half of the wire: hands over every change once and in order, from the beginning or
 * from a cursor on.
 *
 * It subscribes to the feed, then asks SINCE its cursor until an answer reaches the store's head;
 * from then on it is live, and takes from the feed only what begins exactly at its cursor. It
 * catches up with SINCE again after a gap, after a heartbeat whose head is above the cursor, and
 * after 3 s without a heartbeat. When the store has another id, the owner is told to forget
 * everything (reset) and all changes come again from 0.
 */
#ifndef CK_PROTO_FOLLOW_H
#define CK_PROTO_FOLLOW_H

#include "proto/settings.h"
#include "proto/wire.h"
#include <zmq.h>

struct ck_follow_ops {
  void *self;
  /* One change, in ascending versions. The row's text is valid during the call. */
  void (*change)(void *self, uint64_t version, const struct ck_row *row);
  /* All changes up to this version have been handed over. live: they came with the feed, or they
   * reach the store's head. */
  void (*upto)(void *self, const char *store_id, uint64_t version, bool live);
  /* Forget everything: the changes that follow are another store's history, from its beginning. */
  void (*reset)(void *self, const char *store_id);
  /* A heartbeat of that store came. May be NULL. */
  void (*beat)(void *self, const struct ck_beat *beat);
};

struct ck_follow;

/* Connects to the feed and the snapshot door; the first step asks for changes. *ops and store_id
 * are copied; s must outlive the follower. tables: bit mask of enum ck_table, 0 for all; only their
 * changes are handed over. store_id, cursor: where to go on; "" and 0 for the beginning. NULL with
 * the reason: a door cannot be connected. */
struct ck_follow *ck_follow_new(const struct ck_settings *s, const struct ck_follow_ops *ops,
                                unsigned tables, const char *store_id, uint64_t cursor,
                                struct ck_err *err);
/* Once the follower has been live, also hands over the changes of these tables (a bit mask): what
 * changes from then on, without the history of tables of which that is not needed. To be called
 * before the first step. After a reset it holds again from the moment at which it is live. */
void ck_follow_also(struct ck_follow *f, unsigned tables);
/* Of what does not change any more until the follower is live, only conversations and jobs without
 * which follow-ups cannot be scheduled are handed over (SINCE, wire.h). To be called before the
 * first step, of a follower from the beginning. */
void ck_follow_brief(struct ck_follow *f);
/* Sets *f to NULL; *f may be NULL. Calls nothing. */
void ck_follow_free(struct ck_follow **f);

/* The sockets to wait on (ZMQ_POLLIN); returns how many, at most 2. They may change with each
 * step. */
int ck_follow_items(struct ck_follow *f, zmq_pollitem_t items[2]);
/* Does what can be done without blocking; all of ops is called from here. To be called when a
 * socket is readable, and at the latest after the milliseconds that it returned. */
int ck_follow_step(struct ck_follow *f);

/* True while the head has been reached and heartbeats come. */
bool ck_follow_live(const struct ck_follow *f);
/* The version up to which all changes have been handed over. */
uint64_t ck_follow_cursor(const struct ck_follow *f);

#endif
