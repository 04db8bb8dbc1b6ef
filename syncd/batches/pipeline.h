/* The pipeline: the batches that this worker holds, which slice the sink gets next, and what
 * becomes of a slice after each answer (the table in slice.h). No sockets; `now` is an argument.
 *
 *   sync_pipeline_add ──► slices ──► sync_pipeline_pick ──► the sink
 *                           ▲                                  │
 *                           └─────── sync_pipeline_answer ◄────┘
 *                                     │                │
 *             sync_pipeline_answered ◄┘                └► sync_pipeline_returned
 *             the outcome is told                        the store leases the range again
 *
 * An answer about the sink as a whole (down, overloaded, rate limit, no access) moves no slice: it
 * holds everything back until `again`.
 *
 * A batch is returned to the store in four cases: a foreign key stops it for the first time (it
 * comes again with what its rows point to); the mirror's witness is not as expected; the worker
 * ends; or it is postponed, because it needs a person and enough such batches are held already. */
#ifndef SYNCD_PIPELINE_H
#define SYNCD_PIPELINE_H

#include "proto/random.h"
#include "syncd/batches/answer.h"
#include "syncd/batches/plan.h"

/* How many ACTIVE batches are held at most. Others do not count: otherwise a row could wait for
 * ever for a later batch that never fits in. */
#define SYNC_ACTIVE_MAX 2
#define SYNC_PARKED_MAX 64
#define SYNC_PARKED_BYTES (16u << 20)
/* So many BLOCKED batches are held, to find out when their cause is repaired. Further ones are
 * postponed. */
#define SYNC_BLOCKED_MAX 16
#define SYNC_BLOCKED_BYTES (4u << 20)
/* How long a row may wait for what it points to (ms), not counting the time in which the sink does
 * not work or a table is paused. */
#define SYNC_EARLY_MAX (5 * 60 * 1000)
/* So many batches that a foreign key stopped are remembered, so that none is returned twice for
 * it. */
#define SYNC_RETURNED_MAX 64

/* Why nothing is sent for a while: the sink has said so. */
struct sync_hold {
  int64_t until;         /* boot ms */
  enum sync_class class; /* WAIT, QUOTA or STOP */
  char reason[SYNC_TEXT];
};

/* Times are boot ms. */
struct sync_pipeline {
  const struct sync_limits *limits;
  int64_t backoff_max; /* ms */
  /* The sink has a cheap request. If it has none, a failed slice is tried as often as that request
   * would be. */
  bool probes;
  struct sync_batch *first;
  struct sync_batch *returned; /* to be returned to the store */
  bool foreign_keys;           /* the sink checks foreign keys */
  bool postpones; /* it would postpone such ranges again: the store should not grant them */
  /* `after` of the batches returned for a foreign key; a ring */
  uint64_t returned_after[SYNC_RETURNED_MAX];
  size_t returned_count;
  /* The slice at the sink, or NULL. */
  struct sync_batch *sent_batch;
  struct sync_slice *sent;
  /* The sink as a whole. */
  int64_t again; /* no slice is sent before this */
  int tries;
  int64_t hold;          /* the sink said that no worker may send before this; 0: it did not say */
  struct sync_hold held; /* the last one, which is over if its end has passed */
  int64_t probe_at;      /* nothing gets through: when to send the cheap request; 0: never */
  uint64_t through;      /* requests that got through */
  bool stopped;          /* it needs a person */
  bool unfit;  /* a witness was not as expected: it is to be read, and the store to be told */
  bool unread; /* it could not be read; until `again` nothing is tried */
  int64_t table_again[CK_TABLES]; /* the table is paused until this; 0: it is not paused */
  int64_t early_again;            /* no EARLY slice is sent before this */
  int early_tries;
  /* The clock that measures how long EARLY slices wait: since when it is stopped (0: it runs), and
   * for how long it was stopped before. */
  int64_t still_since, still_ms;
  bool others_turn; /* a READY slice was sent last, so another one is next */
  struct ck_random random;
  char last_error[SYNC_TEXT];
};

void sync_pipeline_init(struct sync_pipeline *p, const struct sync_limits *limits,
                        int64_t backoff_max, uint64_t seed);
void sync_pipeline_free(struct sync_pipeline *p);

/* How many more batches may be added. */
unsigned sync_pipeline_room(const struct sync_pipeline *p);

/* Adds a decoded batch and its frame; both move into the pipeline and are left empty. A held batch
 * that overlaps the new one has been leased again: it is dropped, unless the sink has it. */
void sync_pipeline_add(struct sync_pipeline *p, struct sync_batch *batch, struct ck_buf *frame,
                       int64_t now);

/* When there will be something to send. INT64_MAX: not before a batch or an answer comes. */
int64_t sync_pipeline_wake(const struct sync_pipeline *p);

/* How many slices could be sent now, one after another; at most `most`. */
unsigned sync_pipeline_ready(const struct sync_pipeline *p, unsigned most, int64_t now);

/* The next slice for the sink, or NULL. The sink has it until sync_pipeline_answer. */
struct sync_slice *sync_pipeline_pick(struct sync_pipeline *p, int64_t now);

/* The sink's answer to the slice that was picked. today_left: ms until the day ends (UTC). */
void sync_pipeline_answer(struct sync_pipeline *p, const struct sync_answer *a, int64_t now,
                          int64_t today_left);

/* While nothing gets through, the waits between tries grow long. A request that changes nothing
 * finds out sooner that the sink is back. sync_pipeline_probe: whether to send one now.
 * sync_pipeline_probed: its answer, which ends the wait or sets the time of the next probe. */
bool sync_pipeline_probe(const struct sync_pipeline *p, int64_t now);
void sync_pipeline_probed(struct sync_pipeline *p, const struct sync_answer *a, int64_t now);

/* The answer to the question for the witness, which holds everything back if there is none; as
 * sync_pipeline_answer. */
void sync_pipeline_witness(struct sync_pipeline *p, const struct sync_answer *a, int64_t now,
                           int64_t today_left);

/* Notes a hold, for the report only; one that ends later stays. */
void sync_pipeline_held(struct sync_pipeline *p, enum sync_class class, int64_t until,
                        const char *reason);

/* Postpones BLOCKED batches, except the first few, so that later changes can proceed however many
 * batches are blocked. */
void sync_pipeline_postpone(struct sync_pipeline *p);
/* Returns every batch that the sink does not have. */
void sync_pipeline_return_all(struct sync_pipeline *p);
/* Takes out a batch that is to be returned to the store; NULL if there is none. The caller owns it:
 * sync_pipeline_drop. */
struct sync_batch *sync_pipeline_returned(struct sync_pipeline *p);
/* The same for a batch that is ANSWERED. */
struct sync_batch *sync_pipeline_answered(struct sync_pipeline *p);
/* Frees a batch that was taken out. */
void sync_pipeline_drop(struct sync_batch *batch);

/* How many batches are PARKED or BLOCKED. */
unsigned sync_pipeline_parked(const struct sync_pipeline *p);

/* For the report. working: the sink has a slice, or one could be sent now. stopped: it needs a
 * person. waiting: batches are held, but nothing can be sent now. idle: no batch is held. */
const char *sync_pipeline_state(const struct sync_pipeline *p, int64_t now);

#endif
