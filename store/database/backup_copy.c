/* See backup_copy.h: the writer's part first, then that of the thread that asked. */
#include "store/database/backup_copy.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "proto/sqlite_pages.h"

/* At most half a millisecond between two commits. */
#define STEP_PAGES 64
/* Pages between two syncs of the copy. The writer pauses when it is twice as far ahead of them. */
#define FLUSH_PAGES 2048
#define LOOK_MS 10

struct backup_copy {
  pthread_mutex_t lock;
  struct backup_request *copy; /* NULL: none is asked for. Later fields are this copy's */
  bool give_up, over, closed;
  int rc;
  sqlite3_backup *backup;     /* the writer's thread only */
  _Atomic int copied, synced; /* pages */
};

struct backup_copy *backup_copy_new(void) {
  struct backup_copy *c = ck_zalloc(sizeof *c);
  pthread_mutex_init(&c->lock, NULL);
  return c;
}

void backup_copy_free(struct backup_copy **backup_copy) {
  struct backup_copy *c = *backup_copy;
  if (!c) return;
  pthread_mutex_destroy(&c->lock);
  free(c);
  *backup_copy = NULL;
}

/* ---- the writer ---- */

/* Under the lock. */
static void end(struct backup_copy *c, int rc) {
  int finished = c->backup ? sqlite3_backup_finish(c->backup) : rc;
  c->backup = NULL;
  c->rc = rc == SQLITE_DONE ? finished : rc;
  c->over = true;
}

/* SQLITE_OK: more is left; SQLITE_DONE; else an error. */
static int step(struct backup_copy *c, sqlite3 *writer) {
  if (!c->backup) ck_sqlite_pages_guard_copy(c->copy->to, writer);
  if (!c->backup) c->backup = sqlite3_backup_init(c->copy->to, "main", writer, "main");
  if (!c->backup) return sqlite3_extended_errcode(c->copy->to);
  int rc = sqlite3_backup_step(c->backup, STEP_PAGES);
  int all = sqlite3_backup_pagecount(c->backup), copied = all - sqlite3_backup_remaining(c->backup);
  atomic_store(&c->copied, copied);
  atomic_store(c->copy->total, (uint64_t)all);
  atomic_store(c->copy->done, (uint64_t)copied);
  return rc;
}

enum backup_copy_next backup_copy_turn(struct backup_copy *c, sqlite3 *writer, uint64_t head) {
  enum backup_copy_next next = BACKUP_COPY_NOTHING;
  pthread_mutex_lock(&c->lock);
  if (c->copy && !c->over) {
    bool ahead = atomic_load(&c->copied) > atomic_load(&c->synced) + 2 * FLUSH_PAGES;
    int rc = c->give_up ? SQLITE_INTERRUPT : ahead ? SQLITE_OK : step(c, writer);
    c->copy->head = head;
    if (rc != SQLITE_OK) end(c, rc);
    next = rc != SQLITE_OK ? BACKUP_COPY_NOTHING : ahead ? BACKUP_COPY_SOON : BACKUP_COPY_NOW;
  }
  pthread_mutex_unlock(&c->lock);
  return next;
}

void backup_copy_close(struct backup_copy *c) {
  pthread_mutex_lock(&c->lock);
  c->closed = true;
  if (c->copy && !c->over) end(c, SQLITE_INTERRUPT);
  pthread_mutex_unlock(&c->lock);
}

/* ---- the thread that asked ---- */

static void wait_a_little(struct backup_copy *c) {
  const struct timespec look = {0, LOOK_MS * 1000000};
  pthread_mutex_unlock(&c->lock);
  nanosleep(&look, NULL);
  pthread_mutex_lock(&c->lock);
}

/* A failure is not handled here: the fsync at the end reports it again. */
static void sync_copy(struct backup_copy *c, const struct backup_request *copy) {
  int copied = atomic_load(&c->copied);
  if (copied < atomic_load(&c->synced) + FLUSH_PAGES) return;
  pthread_mutex_unlock(&c->lock);
  fdatasync(copy->fd);
  atomic_store(&c->synced, copied);
  pthread_mutex_lock(&c->lock);
}

int backup_copy_run(struct backup_copy *c, struct backup_request *copy, struct ck_err *err) {
  pthread_mutex_lock(&c->lock);
  c->over = c->closed;
  c->rc = SQLITE_INTERRUPT;
  c->give_up = false;
  atomic_store(&c->copied, 0);
  atomic_store(&c->synced, 0);
  c->copy = copy;
  while (!c->over) {
    c->give_up = copy->ends(copy->task);
    sync_copy(c, copy);
    if (!c->over) wait_a_little(c);
  }
  c->copy = NULL;
  int rc = c->rc;
  pthread_mutex_unlock(&c->lock);
  if (rc == SQLITE_OK) return 0;
  if (rc == SQLITE_INTERRUPT) return ck_fail(err, BACKUP_COPY_GIVEN_UP);
  return ck_fail(err, "%s (%d)", sqlite3_errstr(rc), rc);
}
