/* The pace of deliveries: how many go to one target at once, and how far apart they begin. Each
 * target has a lane, in which conversations wait for it, so that a target that is hung or busy
 * holds up nobody else. Pure: no clock, no I/O; all times are boot time in milliseconds. */
#ifndef RENEWD_CORE_PACE_H
#define RENEWD_CORE_PACE_H

#include "proto/heap.h"
#include "proto/text.h"
#include "renewd/core/index.h"

#define RENEW_NEVER INT64_MAX

/* Deliveries at once: to one target; and to all together, but a target that has none under way
 * always gets its first. */
#define RENEW_SLOTS_OF_A_TARGET 4
#define RENEW_SLOTS 64

struct renew_lane {
  struct renew_node node; /* its id is the target's key (target.h); first */
  struct ck_heap waiting; /* conversations, by when the next job of each may be claimed */
  struct ck_timer timer;  /* when the first of them may be, or when the lane can be dropped */
  struct ck_heap *in;     /* that this timer is in */
  unsigned jobs;          /* that belong to it */
  unsigned ours;          /* deliveries under way */
  int64_t open_at;        /* none begins before; RENEW_NEVER: one is claimed, but not begun */
};

/* Zero-initialise, then set spacing. */
struct renew_pace {
  int64_t spacing; /* from one beginning to the next in a lane; 0: several may begin at once */
  unsigned ours;   /* deliveries under way in all lanes */
  struct renew_index lanes;
  struct ck_heap idle, busy; /* lanes in which something waits, without and with a delivery */
  struct ck_heap unused;     /* lanes without a job, until they need not be remembered */
};

/* The lane of that key, with one job more. */
struct renew_lane *renew_pace_join(struct renew_pace *p, struct ck_str key);
/* One job less. */
void renew_pace_part(struct renew_pace *p, struct renew_lane *l);

/* A conversation waits in the lane until the given time, or for a turn after it; called again, it
 * changes the time. The timer must be in no other lane. */
void renew_pace_wait(struct renew_pace *p, struct renew_lane *l, struct ck_timer *t, int64_t at);
/* It does not wait any more. */
void renew_pace_leave(struct renew_pace *p, struct renew_lane *l, struct ck_timer *t);

/* The conversation whose turn it is; NULL for none. It waits on until it leaves. */
struct ck_timer *renew_pace_next(struct renew_pace *p, int64_t now);
/* When there will be one; RENEW_NEVER when that takes a call of the others first. */
int64_t renew_pace_due(const struct renew_pace *p);

/* One of its deliveries is claimed: it has a slot, and if there is a spacing, the lane is closed
 * until it begins or ends. */
void renew_pace_claim(struct renew_pace *p, struct renew_lane *l);
/* It begins now. */
void renew_pace_begin(struct renew_pace *p, struct renew_lane *l, int64_t now);
/* It is over; begun: renew_pace_begin was called for it. */
void renew_pace_end(struct renew_pace *p, struct renew_lane *l, bool begun, int64_t now);
/* Another process began one at that time. */
void renew_pace_began(struct renew_pace *p, struct renew_lane *l, int64_t at);

/* Frees everything. No conversation may wait any more. */
void renew_pace_free(struct renew_pace *p);

#endif
