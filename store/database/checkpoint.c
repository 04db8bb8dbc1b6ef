/* See checkpoint.h: the thread's part first, then the writer's. */
#include "store/database/checkpoint.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "proto/clock.h"
#include "proto/log.h"
#include "proto/states.h"

/* Pages that the writer may copy itself. */
#define FEW 150u
/* Pages at which it must wait for the thread: 64 MiB less what one commit may add. */
#define TOO_MANY 11000u
/* If the WAL was not restarted (a reader still needed it, or the disk was full), the next
 * checkpoint is due after this fraction of first_due. */
#define AGAIN 8
/* The thread copies in rounds, each what came during the one before. It stops after so many, or
 * when a round leaves no less than the one before; the writer copies the rest. */
#define ROUNDS 8
#define BUSY_MS 1
#define WAIT_US 100000
/* If readers overlap, so that there is always one, the WAL is never free to restart. From TOO_MANY
 * pages on, the writer therefore waits so long for them to end. */
#define READERS_END_MS 200
/* A WAL that somebody reads cannot be emptied: that is tried again after this. */
#define EMPTY_AGAIN_MS 1000

/*          enough pages   the thread has    the writer copies
 *          are in the WAL copied its part   the last of them
 *   REST   BULK
 *   BULK                  LAST              REST, if there is no thread
 *   LAST                                    REST */
enum state { REST, BULK, LAST };

static const unsigned may_become[] = {
    [REST] = CK_TO(BULK),
    [BULK] = CK_TO(LAST) | CK_TO(REST),
    [LAST] = CK_TO(REST),
};

struct checkpoint {
  sqlite3 *writer;
  sqlite3 *checkpointer;   /* the thread checkpoints by it */
  sqlite3 *pin;            /* the thread's read transaction */
  _Atomic unsigned pages;  /* in the WAL, as of the last commit */
  _Atomic unsigned copied; /* of these, in the database file as of the last round */
  _Atomic bool empties;    /* the WAL is to be emptied, */
  int64_t empty_at;        /* but not before this (ck_boot_ms) */
  unsigned first_due, due; /* pages at which the next checkpoint begins: after a restart, and now */
  unsigned wait_from;      /* pages at which the writer next waits for readers */
  pthread_t thread;
  pthread_mutex_t lock;
  pthread_cond_t changed;
  bool started, stop;
  enum state state; /* under the lock */
};

/* Under the lock. */
static void become(struct checkpoint *c, enum state next) { CK_BECOME(may_become, c->state, next); }

/* ---- the thread's part ---- */

/* SQLite syncs the database file only after it has copied the whole WAL. This sync leaves little to
 * write to the disk for the writer's checkpoint. */
static int sync_database(sqlite3 *db, struct ck_err *err) {
  sqlite3_file *file = NULL;
  int rc = sqlite3_file_control(db, "main", SQLITE_FCNTL_FILE_POINTER, &file);
  if (rc == SQLITE_OK) rc = file->pMethods->xSync(file, SQLITE_SYNC_NORMAL);
  return rc == SQLITE_OK ? 0 : db_fail_code(rc, DB_FILE, err);
}

/* 0; 1: busy; -1. A passive checkpoint never waits and calls no busy handler. */
static int checkpoint(sqlite3 *db, int mode, int *copied, struct ck_err *err) {
  int all = 0;
  int rc = sqlite3_wal_checkpoint_v2(db, "main", mode, &all, copied);
  return rc == SQLITE_OK ? 0 : rc == SQLITE_BUSY ? 1 : db_fail(db, "checkpoint", err);
}

int checkpoint_bulk(struct checkpoint *c, unsigned *left, struct ck_err *err) {
  int done = 0;
  /* This read transaction must begin before the checkpoint looks at the WAL and end after it. */
  int rc = db_exec(c->pin, "BEGIN; SELECT 1 FROM sqlite_schema", err);
  if (rc == 0) rc = checkpoint(c->checkpointer, SQLITE_CHECKPOINT_PASSIVE, &done, err);
  if (rc == 0) rc = sync_database(c->checkpointer, err);
  if (!sqlite3_get_autocommit(c->pin)) sqlite3_exec(c->pin, "COMMIT", NULL, NULL, NULL);
  if (rc) return rc;
  unsigned now = atomic_load(&c->pages), copied = (unsigned)done;
  atomic_store(&c->copied, copied);
  *left = now > copied ? now - copied : 0;
  return 0;
}

static void copy_the_bulk(struct checkpoint *c) {
  struct ck_err err = {{0}};
  unsigned left = UINT32_MAX, before = UINT32_MAX;
  const struct timespec moment = {0, BUSY_MS * 1000000};
  for (int i = 0; i < ROUNDS && left > FEW; ++i) {
    int rc = checkpoint_bulk(c, &left, &err);
    if (rc < 0) ck_log(CK_ERROR, DB_FILE, "not_checkpointed", "reason=%s", ck_quotedz(err.text));
    if (rc < 0 || (rc == 0 && left >= before)) return;
    if (rc > 0)
      nanosleep(&moment, NULL);
    else
      before = left;
  }
}

static void *run(void *self) {
  struct checkpoint *c = self;
  pthread_mutex_lock(&c->lock);
  while (!c->stop) {
    if (c->state != BULK) {
      pthread_cond_wait(&c->changed, &c->lock);
      continue;
    }
    pthread_mutex_unlock(&c->lock);
    copy_the_bulk(c);
    pthread_mutex_lock(&c->lock);
    become(c, LAST);
    pthread_cond_broadcast(&c->changed);
  }
  pthread_mutex_unlock(&c->lock);
  return NULL;
}

/* ---- the writer's part ---- */

static int committed(void *self, sqlite3 *db, const char *name, int pages) {
  struct checkpoint *c = self;
  (void)db, (void)name;
  unsigned now = (unsigned)pages;
  if (now < atomic_load(&c->pages)) {
    /* The WAL was restarted. */
    c->due = c->first_due;
    c->wait_from = TOO_MANY;
    atomic_store(&c->copied, 0);
  }
  atomic_store(&c->pages, now);
  return SQLITE_OK;
}

/* Not at every checkpoint of a WAL that large: somebody may read for days. */
static int wait_for_readers(struct checkpoint *c, int *copied, struct ck_err *err) {
  c->wait_from = atomic_load(&c->pages) + TOO_MANY / AGAIN;
  sqlite3_busy_timeout(c->writer, READERS_END_MS);
  int rc = checkpoint(c->writer, SQLITE_CHECKPOINT_RESTART, copied, err);
  sqlite3_busy_timeout(c->writer, DB_BUSY_MS);
  return rc;
}

static void copy_the_last(struct checkpoint *c) {
  struct ck_err err;
  bool wait = atomic_load(&c->pages) >= c->wait_from;
  int done = 0, rc = wait ? wait_for_readers(c, &done, &err)
                          : checkpoint(c->writer, SQLITE_CHECKPOINT_PASSIVE, &done, &err);
  if (rc < 0) ck_log(CK_ERROR, DB_FILE, "not_checkpointed", "reason=%s", ck_quotedz(err.text));
  if (rc > 0 && !wait)
    ck_log(CK_WARN, DB_FILE, "not_checkpointed", "reason='another process copies the WAL'");
  if (done > 0) atomic_store(&c->copied, (unsigned)done);
  c->due = atomic_load(&c->pages) + c->first_due / AGAIN;
}

static bool too_many(const struct checkpoint *c) { return atomic_load(&c->pages) >= TOO_MANY; }

/* Under the lock. Waits WAIT_US at most, because the writer has questions to answer, and a WAL that
 * another process's reader held up takes seconds to copy. */
static void wait_for_thread(struct checkpoint *c) {
  int64_t until = ck_mono_us() + WAIT_US;
  const struct timespec at = {until / 1000000, until % 1000000 * 1000};
  while (c->started && c->state == BULK && too_many(c) &&
         pthread_cond_timedwait(&c->changed, &c->lock, &at) == 0)
    continue;
}

void checkpoint_again(struct checkpoint *c) { c->due = 0; }

void checkpoint_empty(struct checkpoint *c) { atomic_store(&c->empties, true); }

bool checkpoint_emptying(const struct checkpoint *c) { return atomic_load(&c->empties); }

/* While the thread rests, and nobody else can restart the WAL: the writer's alone, as its
 * checkpoint of the last pages is. */
static void empty(struct checkpoint *c) {
  struct ck_err err;
  int done = 0;
  if (ck_boot_ms() < c->empty_at) return;
  sqlite3_busy_timeout(c->writer, READERS_END_MS);
  int rc = checkpoint(c->writer, SQLITE_CHECKPOINT_TRUNCATE, &done, &err);
  sqlite3_busy_timeout(c->writer, DB_BUSY_MS);
  if (rc < 0) ck_log(CK_ERROR, DB_FILE, "not_checkpointed", "reason=%s", ck_quotedz(err.text));
  c->empty_at = rc ? ck_boot_ms() + EMPTY_AGAIN_MS : 0;
  if (rc) return;
  sqlite3_db_release_memory(c->writer); /* which may have it, too (proto/sqlite_pages.h) */
  if (db_grow_wal(c->writer, &err))     /* a smaller one is slower, and no harm */
    ck_log(CK_WARN, DB_FILE "-wal", "not_grown", "reason=%s", ck_quotedz(err.text));
  atomic_store(&c->pages, 0);
  atomic_store(&c->copied, 0);
  atomic_store(&c->empties, false);
  c->due = c->first_due;
  c->wait_from = TOO_MANY;
}

bool checkpoint_turn(struct checkpoint *c) {
  pthread_mutex_lock(&c->lock);
  if (c->state == REST && atomic_load(&c->pages) >= c->due) {
    become(c, BULK);
    pthread_cond_broadcast(&c->changed);
  }
  wait_for_thread(c);
  bool alone = !c->started && c->state == BULK, last = c->state == LAST || alone;
  if (last) become(c, REST);
  bool copying = c->started && c->state == BULK && too_many(c);
  bool rests = c->state == REST && !last;
  pthread_mutex_unlock(&c->lock);
  if (alone) copy_the_bulk(c);
  if (last) copy_the_last(c);
  if (rests && atomic_load(&c->empties)) empty(c);
  return copying;
}

unsigned checkpoint_wal_pages(const struct checkpoint *c) { return atomic_load(&c->pages); }

unsigned checkpoint_left(const struct checkpoint *c) {
  unsigned pages = atomic_load(&c->pages), copied = atomic_load(&c->copied);
  return pages > copied ? pages - copied : 0;
}

/* ---- start and end ---- */

struct checkpoint *checkpoint_new(sqlite3 *writer, unsigned due, struct ck_err *err) {
  struct checkpoint *c = ck_zalloc(sizeof *c);
  c->writer = writer;
  c->first_due = c->due = due;
  c->wait_from = TOO_MANY;
  pthread_mutex_init(&c->lock, NULL);
  pthread_condattr_t clock;
  pthread_condattr_init(&clock);
  pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
  pthread_cond_init(&c->changed, &clock);
  pthread_condattr_destroy(&clock);
  if (db_open_reader(&c->pin, err) || db_open_checkpointer(&c->checkpointer, err)) {
    checkpoint_free(&c);
    return NULL;
  }
  sqlite3_wal_hook(writer, committed, c);
  return c;
}

/* All signals go to the main thread. */
int checkpoint_start(struct checkpoint *c, struct ck_err *err) {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, &before);
  c->started = pthread_create(&c->thread, NULL, run, c) == 0;
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  return c->started ? 0 : ck_fail(err, "checkpoint: cannot start a thread");
}

void checkpoint_free(struct checkpoint **checkpoint) {
  struct checkpoint *c = *checkpoint;
  if (!c) return;
  pthread_mutex_lock(&c->lock);
  c->stop = true;
  pthread_cond_broadcast(&c->changed);
  pthread_mutex_unlock(&c->lock);
  if (c->started) pthread_join(c->thread, NULL);
  sqlite3_wal_hook(c->writer, NULL, NULL);
  db_close(&c->checkpointer);
  db_close(&c->pin);
  pthread_mutex_destroy(&c->lock);
  pthread_cond_destroy(&c->changed);
  free(c);
  *checkpoint = NULL;
}
