/* What the store's threads share. The writer (main thread) owns the database and the intake. The
 * readers (snapshot, searching, work, artifacts, search) each have a read-only connection, and an
 * eventfd that wakes them. */
#ifndef CK_STORE_CONTEXT_H
#define CK_STORE_CONTEXT_H

#include <pthread.h>
#include <stdatomic.h>

#include "proto/error.h"
#include "proto/histogram.h"
#include "proto/settings.h"
#include "proto/text.h"
#include "store/pace.h"

enum { WAKE_SNAPSHOT, WAKE_SEARCH, WAKE_WORK, WAKE_ARTIFACTS, WAKE_INDEX, WAKES };

/* What may be stuck, and why; shown by `status`. */
enum trouble_of { TROUBLE_COMMITS, TROUBLE_BATCHES, TROUBLE_FILES, TROUBLE_SEARCH, TROUBLES };

struct trouble {
  int64_t at;           /* wall clock */
  struct ck_err reason; /* empty: no trouble */
};

struct tasks;
struct backup_copy;
struct mirrors;
struct wal_guard;

struct context {
  const struct ck_settings *settings;
  char store_id[33];
  struct ck_err alarm;             /* the database was older than it had been, and how that is
                                      known; set before the threads start; "": it was not */
  bool witness_damaged;            /* as this run found it; set before the threads start */
  struct tasks *tasks;             /* tasks that a person asks for (task.h) */
  struct backup_copy *backup_copy; /* copies of the database, made by the writer (backup_copy.h) */
  struct mirrors *mirrors;         /* what is mirrored, and how far (mirrors.h) */
  struct wal_guard *wal;           /* limits the WAL (wal_guard.h) */
  struct pace pace;                /* how fast files and batches are made (pace.h) */
  uint64_t run;                    /* counts the starts of this database */
  _Atomic uint64_t head;           /* newest durable version */
  _Atomic uint64_t artifacts_cursor; /* the readable files show all up to here */
  _Atomic bool artifacts_looked;     /* their thread has been through once: the cursor is known */
  _Atomic bool artifacts_again;      /* make all files again; their thread clears it as it begins */
  _Atomic uint64_t search_cursor;    /* the index of the search has all up to here */
  _Atomic bool search_again;         /* make it again; its thread clears it as it begins */
  _Atomic bool sealing;      /* a person takes the pages as they are; the writer clears it */
  _Atomic uint64_t sealed;   /* pages that had another seal, when it last did so */
  _Atomic bool forgetting;   /* the disk still has what was forgotten: the WAL, or a file */
  _Atomic uint64_t rejected; /* frames that could not be decoded */
  _Atomic bool stop;         /* the threads are to end */
  struct ck_histogram sync_wal, sync_database; /* how long the fsyncs of these take */
  struct ck_histogram commits; /* from applying to the receipts, of commits with changesets */
  pthread_mutex_t lock;        /* of trouble[] */
  struct trouble trouble[TROUBLES];
  int wake[WAKES]; /* eventfds */
};

/* Makes the eventfds and the lock. 0, or -1 with the reason. */
int context_open(struct context *s, struct ck_err *err);
void context_close(struct context *s);
void context_wake(struct context *s);                /* wakes all readers */
void context_wake_one(struct context *s, int which); /* which: WAKE_… */
void context_woken(struct context *s, int which);    /* resets the eventfd of a woken reader */

/* Notes a trouble; reason NULL: it is over. Any thread. */
void context_trouble(struct context *s, enum trouble_of whose, const char *reason);
/* This trouble; its reason is empty if there is none. Any thread. */
struct trouble context_trouble_of(struct context *s, enum trouble_of whose);
/* The newest trouble; its reason is empty if all is well. Any thread. */
struct trouble context_newest_trouble(struct context *s);

#endif
