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
 * An answer that concerns the sink as a whole (down, overloaded, rate limit, no access) moves no
 * slice: it holds everything back until `again`.
 *
 * A batch is returned to the store when a foreign key stops it for the first time (it comes again
 * with what its rows point to), when the worker ends, or when it is postponed: it waits for a
 * person, and enough such batches are held already. */
#ifndef SYNCD_PIPELINE_H
#define SYNCD_PIPELINE_H

#include "proto/random.h"
#include "syncd/sinks/sink.h"

/* How many ACTIVE batches are held at most; others do not count, so that a row that waits for a
 * later batch does not wait for ever. */
#define SYNC_ACTIVE_MAX 2
#define SYNC_PARKED_MAX 64
#define SYNC_PARKED_BYTES (16u << 20)
/* So many BLOCKED batches are held, to find out when what blocks them is mended. Further ones are
 * postponed. */
#define SYNC_BLOCKED_MAX 16
#define SYNC_BLOCKED_BYTES (4u << 20)
/* How long a row may wait for what it points to, in ms, while the sink works and no table is
 * paused. */
#define SYNC_EARLY_MAX (5 * 60 * 1000)
/* So many batches that a foreign key stopped are remembered: none is returned twice for it. */
#define SYNC_RETURNED_MAX 64

/* Times are boot ms. */
struct sync_pipeline {
  const struct sync_limits *limits;
  int64_t backoff_max; /* ms */
  /* The sink has a request that costs little. Where it has none, what failed is tried again as
   * often as that request would be sent. */
  bool probes;
  struct sync_batch *first;
  struct sync_batch *returned; /* to be returned to the store */
  bool foreign_keys;           /* the sink checks them */
  bool postpones;              /* it would postpone such ranges again: they should not be granted */
  /* `after` of the batches that a foreign key stopped */
  uint64_t returned_after[SYNC_RETURNED_MAX];
  size_t returned_count;
  /* What the sink has, or NULL. */
  struct sync_batch *sent_batch;
  struct sync_slice *sent;
  /* The sink as a whole. */
  int64_t again; /* nothing is sent before */
  int tries;
  int64_t hold;     /* no worker sends anything before, as the sink said; 0: it did not */
  int64_t probe_at; /* nothing gets through: when to send the cheap request; 0: not */
  uint64_t through; /* requests that got through */
  bool stopped;     /* a person has to mend something */
  int64_t table_again[CK_TABLES]; /* the table is paused until then; 0: it is not paused */
  int64_t early_again;            /* no EARLY slice is sent before */
  int early_tries;
  /* The clock that EARLY slices wait by: since when it stands still (0: it goes), and for how long
   * it did before. */
  int64_t still_since, still_ms;
  bool others_turn; /* a READY slice was sent last */
  struct ck_random random;
  char last_error[SYNC_TEXT];
};

void sync_pipeline_init(struct sync_pipeline *p, const struct sync_limits *limits,
                        int64_t backoff_max, uint64_t seed);
void sync_pipeline_free(struct sync_pipeline *p);

/* How many more batches may be added. */
unsigned sync_pipeline_room(const struct sync_pipeline *p);

/* Adds a decoded batch and its frame, which are the pipeline's then; both are left empty. A batch
 * that covers some of the same range was leased again, so it is dropped, unless the sink has it. */
void sync_pipeline_add(struct sync_pipeline *p, struct sync_batch *batch, struct ck_buf *frame,
                       int64_t now);

/* When there is something to send. INT64_MAX: not before a batch or an answer comes. */
int64_t sync_pipeline_wake(const struct sync_pipeline *p);

/* How many slices could be sent one after another now; no more than `most`. */
unsigned sync_pipeline_ready(const struct sync_pipeline *p, unsigned most, int64_t now);

/* The next slice for the sink, or NULL. */
struct sync_slice *sync_pipeline_pick(struct sync_pipeline *p, int64_t now);

/* The sink's answer to the slice that was picked. today_left: ms until the day (UTC) ends. */
void sync_pipeline_answer(struct sync_pipeline *p, const struct sync_answer *a, int64_t now,
                          int64_t today_left);

/* While nothing gets through, the waits before the next try grow long. A request that changes
 * nothing tells sooner that the sink is back. True when it is time for one; its answer ends the
 * wait or puts off the next one. */
bool sync_pipeline_probe(const struct sync_pipeline *p, int64_t now);
void sync_pipeline_probed(struct sync_pipeline *p, const struct sync_answer *a, int64_t now);

/* Postpones the BLOCKED batches, except the first few, so that later changes get by, however many
 * batches are blocked. */
void sync_pipeline_postpone(struct sync_pipeline *p);
/* Returns every batch that the sink does not have. */
void sync_pipeline_return_all(struct sync_pipeline *p);
/* A batch that is to be returned to the store, taken out; NULL when there is none. It is the
 * caller's: sync_pipeline_drop. */
struct sync_batch *sync_pipeline_returned(struct sync_pipeline *p);
/* A batch that is ANSWERED, likewise. */
struct sync_batch *sync_pipeline_answered(struct sync_pipeline *p);
/* Frees a batch that was taken out. */
void sync_pipeline_drop(struct sync_batch *batch);

/* How many batches are PARKED or BLOCKED. */
unsigned sync_pipeline_parked(const struct sync_pipeline *p);

/* working: the sink has something. stopped: a person has to mend something. waiting: batches are
 * held, but none can be sent now. idle: none is held. */
const char *sync_pipeline_state(const struct sync_pipeline *p, int64_t now);

#endif
