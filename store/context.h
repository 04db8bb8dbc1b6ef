/* What the store's threads tell each other. The writer (main thread) owns the database and the
 * intake; the readers (snapshot, work, artifacts) have a read-only connection each and are told of
 * new versions by an eventfd. */
#ifndef CK_STORE_CONTEXT_H
#define CK_STORE_CONTEXT_H

#include <pthread.h>
#include <stdatomic.h>

#include "proto/error.h"
#include "proto/settings.h"
#include "proto/text.h"

enum { WAKE_SNAPSHOT, WAKE_WORK, WAKE_ARTIFACTS, WAKES };

/* Whose work does not go on, and why: `status` says it. */
enum trouble_of { TROUBLE_COMMITS, TROUBLE_BATCHES, TROUBLE_FILES, TROUBLES };

struct trouble {
  int64_t at;           /* wall clock */
  struct ck_err reason; /* empty: there is none */
};

struct tasks;
struct backup_copy;
struct meter;
struct lag;
struct wal_guard;

struct context {
  const struct ck_settings *settings;
  char store_id[33];
  struct tasks *tasks;               /* what is asked for by hand (task.h) */
  struct backup_copy *backup_copy;   /* the writer copies the database for it (backup_copy.h) */
  struct meter *meter;               /* requests to the sink (meter.h) */
  struct lag *lag;                   /* how the mirror gets on (lag.h) */
  struct wal_guard *wal;             /* how large the WAL may get (wal_guard.h) */
  uint64_t run;                      /* counts the starts of this database */
  _Atomic uint64_t head;             /* newest durable version */
  _Atomic uint64_t artifacts_cursor; /* artifacts stand for all up to here */
  _Atomic bool artifacts_looked;     /* … and that is known: their thread has been round once */
  _Atomic bool artifacts_again; /* all files are to be made again; their thread clears it once it
                                   has begun */
  _Atomic uint64_t rejected;    /* frames that could not be read at all */
  _Atomic bool stop;
  pthread_mutex_t lock; /* of the troubles */
  struct trouble trouble[TROUBLES];
  int wake[WAKES]; /* eventfds */
};

int context_open(struct context *s, struct ck_err *err);
void context_close(struct context *s);
void context_wake(struct context *s);                /* all readers */
void context_wake_one(struct context *s, int which); /* one of them */
void context_woken(struct context *s, int which);    /* empties the eventfd */

/* reason NULL: it goes on. */
void context_trouble(struct context *s, enum trouble_of whose, const char *reason);
/* The newest; without a reason where all is well. */
struct trouble context_newest_trouble(struct context *s);

#endif
