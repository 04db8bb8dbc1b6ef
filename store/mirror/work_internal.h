/* Shared by work.c (the thread, its door) and outlet.c (what is given for one mirror). For no other
 * file. */
#ifndef CK_STORE_WORK_INTERNAL_H
#define CK_STORE_WORK_INTERNAL_H

#include <pthread.h>

#include "proto/zone.h"
#include "store/context.h"
#include "store/database/scan.h"
#include "store/mirror/demand.h"
#include "store/mirror/held.h"
#include "store/mirror/mirrors.h"
#include "store/mirror/parents.h"

/* What the thread keeps of one mirror: who asks for its work, and what was given. */
struct outlet {
  struct work *work;
  struct mirror *mirror;
  struct demands demands;
  struct held held;
  int64_t complained_at, probe_at;
  int64_t granted_at; /* the last batch */
  bool unreadable;    /* its last batch could not be gathered */
  bool backlog_turn;  /* the last batch was a piece of a backlog */
  bool batch_turn;    /* tokens were given, and no batch since */
};

struct work {
  struct context *context;
  struct outlet outlets[CK_SINKS_MAX]; /* one for each of context->mirrors */
  size_t n;
  pthread_t thread;
  bool started;
  void *door;
  sqlite3 *db;
  struct scan *scan;
  struct parents *parents;
  size_t batch_bytes;
  struct ck_zone *zone; /* of this machine */
  struct ck_buf changes;
};

/* Gives one thing that is due: a batch, tokens, a probe, a task or the question for the witness.
 * True: there may be another. */
bool outlet_turn(struct outlet *o);
/* When something can be given; the past if it could not, though it was due. INT64_MAX: nothing. */
int64_t outlet_due(struct outlet *o, int64_t now);

/* A worker of this mirror's has said so. */
void outlet_demand(struct outlet *o, struct ck_str identity, const struct ck_demand *said,
                   int64_t now);

#endif
