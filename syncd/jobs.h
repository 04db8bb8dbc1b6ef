/* The batches in hand, cut into slices, and what becomes of a slice after each answer: no sockets, `now` is an argument.
 *
 *   fresh ──► done                       a slice of a batch that arrived
 *     │  ▲
 *     ▼  │ halves, tables apart
 *   fault ──► parked (early, table, odd) waits alone, its batch's other slices go on; tried again by itself
 *     ├─────► dead                       one row, set aside with its reason
 *     └─────► handed back                a foreign key, for the first time: the store leases the batch anew, with what its rows point to
 *
 * What concerns the sink as a whole (down, overloaded, rate limit, no access) holds everything back instead: `again`.
 */
#ifndef SYNCD_JOBS_H
#define SYNCD_JOBS_H

#include "proto/random.h"
#include "syncd/sink.h"

/* Fresh batches at most; parked ones do not count, so that what waits for a later batch does not wait for ever. */
#define SYNC_IN_HAND 2
#define SYNC_PARKED_MAX 64
/* So many that wait for a person are kept: they find out when it is mended. Further ones are put off. */
#define SYNC_KEPT_MAX 16
#define SYNC_KEPT_BYTES (4u << 20)
#define SYNC_PARKED_BYTES (16u << 20)
/* How long a row may wait for what it points to, while the sink works and no table is paused. */
#define SYNC_EARLY_MAX (5 * 60 * 1000)
/* So many batches that were handed back are remembered: no one twice. */
#define SYNC_BACK_MAX 64

enum sync_parked { SYNC_FRESH, SYNC_PARKED_EARLY, SYNC_PARKED_TABLE, SYNC_PARKED_ODD };

struct sync_piece {
  struct sync_piece *next;
  struct sync_slice slice;
  enum sync_parked parked;
  bool suspect; /* one of its rows is at fault, or was */
  int tries;
  int64_t not_before; /* boot ms */
  bool waits;         /* it has been early */
  int64_t since;      /* … first at, by the clock that stands still while the sink does not work */
  unsigned blamed;    /* how often it failed while others got through */
  uint64_t through;   /* sync_jobs.through at its last failure */
};

struct sync_job {
  struct sync_job *next;
  struct sync_batch batch;
  struct ck_buf frame; /* what the rows point into; empty once only kept rows are left */
  struct sync_piece *pieces;
  struct ck_buf dead; /* encoded entries [table, key, version, reason] */
  uint32_t dead_count;
  size_t bytes; /* held, about */
  bool postponed;
};

struct sync_jobs {
  const struct sync_limits *limits;
  int64_t backoff_max;
  bool probes; /* the sink has a request that costs little; else what failed is tried again as often as that would be */
  struct sync_job *first;
  struct sync_job *back; /* to be handed back */
  bool foreign_keys;     /* the sink checks them */
  bool postpones;        /* what was put off would be put off again */
  uint64_t back_after[SYNC_BACK_MAX];
  size_t back_count;
  /* The piece that the sink has, and its job. */
  struct sync_job *job;
  struct sync_piece *piece;
  /* The sink as a whole: not before `again`. */
  int64_t again;
  int tries;
  int64_t hold;     /* nobody at all before that: the sink said so; 0: not said */
  int64_t probe_at; /* nothing gets through: when to knock with a cheap request; 0: not */
  int64_t down_since, down_ms;
  uint64_t through;               /* requests that got through */
  bool stopped;                   /* a person has to mend something */
  int64_t table_again[CK_TABLES]; /* paused until; 0: not paused */
  int64_t early_again;            /* no early rows before that */
  int early_tries;
  bool others_turn; /* what is fresh and fine has had its turn */
  struct ck_random random;
  char last_error[SYNC_TEXT];
};

void sync_jobs_init(struct sync_jobs *j, const struct sync_limits *limits, int64_t backoff_max, uint64_t seed);
void sync_jobs_free(struct sync_jobs *j);

/* How many more batches may be taken in. */
unsigned sync_jobs_room(const struct sync_jobs *j);

/* Takes a decoded batch and its frame over (both are empty afterwards). A batch in hand that covers some of the same range has been leased anew, so it is let
 * go, unless the sink has it. */
void sync_jobs_add(struct sync_jobs *j, struct sync_batch *batch, struct ck_buf *frame, int64_t now);

/* When there is a slice for the sink: now or earlier, later, or INT64_MAX: not before a batch or an answer comes. */
int64_t sync_jobs_wake(const struct sync_jobs *j);

/* How many slices could be given to the sink one after another now; no more than `most`. */
unsigned sync_jobs_ready(const struct sync_jobs *j, unsigned most, int64_t now);

/* The next slice for the sink, or NULL. */
struct sync_slice *sync_jobs_pick(struct sync_jobs *j, int64_t now);

/* What the sink answered to the slice that was picked. today_left: milliseconds until the day (UTC) ends. */
void sync_jobs_answer(struct sync_jobs *j, const struct sync_answer *a, int64_t now, int64_t today_left);

/* While nothing gets through, the waits before the next try grow long. A request that changes nothing tells sooner that the sink is back. True when it is
 * time for one; its answer ends the wait or puts the next one off. */
bool sync_jobs_probe(const struct sync_jobs *j, int64_t now);
void sync_jobs_probed(struct sync_jobs *j, const struct sync_answer *a, int64_t now);

/* Hands back, to be postponed, what waits for nothing but a person (a paused table, errors that nobody knows), but for the first few: so that any number of
 * other changes gets by. */
void sync_jobs_postpone(struct sync_jobs *j);
/* Hands back everything that the sink does not have. */
void sync_jobs_give_back(struct sync_jobs *j);
/* A job that is to be handed back, taken out; NULL when there is none. Free with sync_job_free. */
struct sync_job *sync_jobs_returned(struct sync_jobs *j);

/* A job of which nothing is left, taken out; NULL when there is none. Free with sync_job_free. */
struct sync_job *sync_jobs_finished(struct sync_jobs *j);
void sync_job_free(struct sync_job *job);

/* Batches of which only parked pieces are left: they wait for another batch or for a person. */
unsigned sync_jobs_parked(const struct sync_jobs *j);

/* working: the sink has something; stopped; waiting: something is in hand but held back; idle. */
const char *sync_jobs_state(const struct sync_jobs *j, int64_t now);

#endif
