/* The pace of deliveries: how many go to one target at once, and by one account, and how far apart
 * they begin. What goes to one target by one account has a lane, in which conversations wait, so
 * that a target that is hung or busy, or an account whose limit is reached, holds up nobody else.
 * Pure: no clock, no I/O; all times are boot time in milliseconds. */
#ifndef RENEWD_CORE_PACE_H
#define RENEWD_CORE_PACE_H

#include "proto/heap.h"
#include "proto/text.h"
#include "renewd/core/index.h"

#define RENEW_NEVER INT64_MAX

/* Deliveries at once: to one target; and to all together, but a target that has none under way
 * always gets its first. */
#define RENEW_SLOTS_OF_A_TARGET 4
#define RENEW_SLOTS 256

/* What its lanes share: a target, or an account. */
struct renew_gate {
  struct renew_node node; /* its id is the target's key (target.h), or the account; first */
  struct renew_lane *lanes;
  unsigned ours;   /* deliveries under way */
  int64_t open_at; /* none begins before; RENEW_NEVER: one is claimed, but not begun */
  bool limited;    /* of an account: until a delivery shows otherwise, one at a time */
  int64_t until;   /* limited: none begins before */
};

enum { RENEW_GATE_TARGET, RENEW_GATE_ACCOUNT, RENEW_GATES };

struct renew_lane {
  struct renew_node node;                  /* first */
  struct renew_gate *gates[RENEW_GATES];   /* ACCOUNT: NULL without one */
  struct renew_lane *next_of[RENEW_GATES]; /* of the gate's */
  struct ck_heap waiting; /* conversations, by when the next job of each may be claimed */
  struct ck_timer timer;  /* when the first of them may be, or when the lane can be dropped */
  struct ck_heap *in;     /* that this timer is in */
  unsigned jobs;          /* that belong to it */
  unsigned ours;          /* deliveries under way */
  unsigned theirs;        /* jobs that are left to their client: offered, or claimed by it */
  uint64_t served;        /* its last turn, or when it came, by renew_pace.turns */
};

/* Zero-initialise, then set what paces it: spacing is from one beginning to the next, and 0 lets
 * several begin at once; 0 slots are any number. */
struct renew_pace {
  int64_t spacing, account_spacing;
  unsigned account_slots;
  unsigned ours; /* deliveries under way in all lanes */
  uint64_t
      turns; /* of lanes; of two that open at the same time, the one served longer ago is first */
  struct renew_index lanes, gates[RENEW_GATES];
  struct ck_heap idle, busy; /* lanes in which something waits, whose target has no delivery, or
                                some */
  struct ck_heap unused;     /* lanes without a job, until they need not be remembered */
};

/* The lane to the target with that key by that account (empty: none), with one job more. */
struct renew_lane *renew_pace_join(struct renew_pace *p, struct ck_str target,
                                   struct ck_str account);
/* One job less. */
void renew_pace_part(struct renew_pace *p, struct renew_lane *l);
/* The account's limit: none begins before `until`, then one at a time. Not limited: it is over. An
 * account without lanes is not known here. */
void renew_pace_limit(struct renew_pace *p, struct ck_str account, bool limited, int64_t until);
/* One more of its jobs is left to its client, or one less. They take no slots; but until the limit
 * of an account is known to be over, there is one in each lane. */
void renew_pace_leave_to_client(struct renew_pace *p, struct renew_lane *l, bool one_more);
/* The slots of the target or of the account are all taken. NULL: no. */
const struct renew_gate *renew_pace_full(const struct renew_pace *p, const struct renew_lane *l);
/* Its account's limit has come since one of its turns began: others are under way, and only one may
 * try whether the limit is over. */
bool renew_pace_is_crowded(const struct renew_lane *l);

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
