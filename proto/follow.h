/* The follower's half: every change once and in order, from a snapshot or a cursor on, or a clear
 * word that there is a gap to be fetched.
 *
 * Subscribes first, then asks SINCE its cursor until it has reached the head, then takes from the
 * feed only what starts exactly at its cursor. A jump, a heartbeat beyond the cursor that stays, or
 * 3 s without one: catch up again. Another store id: reset(), and everything from 0.
 */
#ifndef CK_PROTO_FOLLOW_H
#define CK_PROTO_FOLLOW_H

#include "proto/settings.h"
#include "proto/wire.h"
#include <zmq.h>

struct ck_follow_ops {
  void *self;
  /* One change, ascending versions. The row's text is valid during the call. */
  void (*change)(void *self, uint64_t version, const struct ck_row *row);
  /* All changes up to this version have been handed over. live: they came with the feed or the head
   * has been reached. */
  void (*upto)(void *self, const char *store_id, uint64_t version, bool live);
  /* Forget everything: another history begins. */
  void (*reset)(void *self, const char *store_id);
};

struct ck_follow;

/* tables: bit mask of enum ck_table, 0 for all. store_id/cursor: where to go on ("" and 0: from the
 * start). */
struct ck_follow *ck_follow_new(const struct ck_settings *s, const struct ck_follow_ops *ops,
                                unsigned tables, const char *store_id, uint64_t cursor,
                                struct ck_err *err);
void ck_follow_free(struct ck_follow **f);
int ck_follow_items(struct ck_follow *f, zmq_pollitem_t items[2]);
int ck_follow_step(struct ck_follow *f);        /* as ck_push_step */
bool ck_follow_live(const struct ck_follow *f); /* the head has been reached and heartbeats come */
uint64_t ck_follow_cursor(const struct ck_follow *f);

#endif
