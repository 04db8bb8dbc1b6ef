/* Does the mirror's witness fit this store? The witness is a row of the mirror: which store filled
 * it, in which run, and up to which version. A worker reads it once in each run of the store, and
 * again if it was not there as expected when something was to be written; the writer compares it
 * with the store's own account (store/write/apply_witness.c). No batch is handed out unless it
 * fits. Locked inside; `now` is ck_boot_ms. */
#ifndef CK_STORE_FIT_H
#define CK_STORE_FIT_H

#include <stdbool.h>
#include <stdint.h>

#define FIT_RUN 17    /* bytes of a run's id, with its end */
#define FIT_BEFORE 80 /* … of STORE_ID/RUN */

struct fit;

enum fit_state {
  FIT_UNKNOWN, /* it was not read in this run, or somebody has taken the mirror over since */
  FIT_YES,
  FIT_NO /* an alarm; it is read again from time to time */
};

struct fit_view {
  enum fit_state state;
  char before[FIT_BEFORE]; /* as in BATCH */
  uint64_t least;
};

/* What is known of the mirror's contents. */
struct fit_check {
  int64_t at;      /* wall clock of the last comparison, or of the first batch */
  bool unproven;   /* another history has written to it, and it was not repaired deeply since */
  uint64_t behind; /* … once it has all up to this version */
  bool left;       /* … and the last repair could not repair all of it */
};

/* Begins a run. run: its id, of FIT_RUN - 1 letters; "": the sink keeps no witness, so it always
 * fits. set_back: in the last run the witness said that the database was set back. */
struct fit *fit_new(const char *run, bool set_back);
void fit_free(struct fit **f);

/* The run's id; "" if the sink keeps no witness. */
const char *fit_run(const struct fit *f);
void fit_read(struct fit *f, struct fit_view *v);
/* By the last comparison, of this run or of one before it, the database was set back, and nobody
 * has taken the mirror over since. */
bool fit_set_back(struct fit *f);

/* ---- the writer, once it is durable ---- */

/* The witness was compared. set_back: it does not fit, because the database was set back. before,
 * least: as in BATCH, if it fits. */
void fit_compared(struct fit *f, bool fits, bool set_back, const char *before, uint64_t least);
/* What is known of the witness does not hold any more: a worker has to read it again. */
void fit_forget(struct fit *f);
/* The witness has this version at least. */
void fit_confirmed(struct fit *f, uint64_t version);

/* now: ck_boot_ms. A repair that has left something is tried again after a quarter of an hour, then
 * after twice as long, up to a day. */
void fit_checked(struct fit *f, const struct fit_check *check, int64_t now);

/* ---- the work thread ---- */

/* The task that is due: CK_TASK_REPAIR, CK_TASK_VERIFY (once a day, at night) or NULL. cursor: all
 * up to it is mirrored. wall: the wall clock; shown: what a clock on the wall shows. Call
 * fit_task_asked when a worker was asked. */
const char *fit_task_due(struct fit *f, uint64_t cursor, int64_t now, int64_t wall, int64_t shown);
void fit_task_asked(struct fit *f, int64_t now);

/* When a worker is to be asked to read it; INT64_MAX: never. */
int64_t fit_ask_at(struct fit *f);
/* One was asked. */
void fit_asked(struct fit *f, int64_t now);

#endif
