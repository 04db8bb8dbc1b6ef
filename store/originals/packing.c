/* The packing thread, and whose turn it is: its own, or the writer's. */
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "proto/log.h"
#include "store/originals/pack_write.h"

#define NICENESS 5

/* Whose turn it is. */
enum turn {
  NOBODYS,  /* nothing waits */
  THREADS,  /* it makes a pack */
  WRITERS,  /* the pack goes into the tables */
  DROPPING, /* so are the blocks that are gone taken out */
};

struct packing {
  pthread_t thread;
  pthread_mutex_t lock;
  pthread_cond_t wake;
  bool started, ends;
  const _Atomic bool *stop;
  sqlite3 *reader;
  struct unpack *unpack;
  enum turn turn;
  struct pack pack; /* of whose turn it is */
  /* the writer's */
  sqlite3 *db;
  struct pack_writer *writer;
  int64_t written;         /* rows, when a turn was last taken */
  bool looks;              /* something was written: look whether anything waits */
  int64_t looked_at;       /* when that was last done */
  int64_t moved_at, since; /* when something was last written; since when packing waits, or 0 */
  int64_t
      logs_at;   /* when all logs that have grown are joined; 0: none has grown; 1: at the start */
  bool all_logs; /* this is done, */
  int64_t after; /* and was for the logs up to this one */
};

/* ---- the thread ---- */

static void *run(void *self) {
  struct packing *p = self;
  setpriority(PRIO_PROCESS, 0, NICENESS); /* on Linux: of this thread */
  pthread_mutex_lock(&p->lock);
  while (!p->ends) {
    if (p->turn != THREADS) {
      pthread_cond_wait(&p->wake, &p->lock);
      continue;
    }
    struct ck_err err;
    pthread_mutex_unlock(&p->lock);
    malloc_trim(0); /* what an import has freed makes room for what is packed */
    const struct pack_with with = {p->reader, p->unpack, p->stop};
    int rc = pack_make(&p->pack, &with, (struct pack_logs){p->all_logs ? &p->after : NULL}, &err);
    if (rc < 0) ck_log(CK_WARN, "-", "packing_failed", "reason=%s", ck_quotedz(err.text));
    pthread_mutex_lock(&p->lock);
    p->turn = rc > 0 ? WRITERS : DROPPING;
  }
  pthread_mutex_unlock(&p->lock);
  return NULL;
}

/* ---- the writer ---- */

static void end_pack(struct packing *p, enum turn next) {
  if (next == DROPPING && p->pack.log && p->pack.log_upto == INT64_MAX) p->after = p->pack.log;
  pack_free(&p->pack);
  p->turn = next;
}

/* Does anything wait? Looked up only when something was committed. Logs that have grown a little
 * wait until it is their time; then all are joined, one after another. */
static bool waits(struct packing *p, int64_t now) {
  struct ck_err err;
  bool any = false, logs = false;
  p->looked_at = now;
  if (pack_waits(p->writer, p->all_logs ? &p->after : NULL, &any, &logs, &err)) return false;
  if (p->all_logs && !logs) {
    p->all_logs = false;
    p->logs_at = 0;
    p->looks = true; /* some may have grown again */
  }
  if (logs && !p->logs_at) p->logs_at = now + PACKING_LATE_MS;
  return any || p->all_logs;
}

static void begin_all_logs(struct packing *p) {
  p->all_logs = true;
  p->after = INT64_MIN;
  p->looks = true;
}

/* Under the lock. A failed step is undone, and what is left of it removed at the next start; it is
 * tried again when something has been committed. */
static void take_step(struct packing *p, int64_t now) {
  struct ck_err err;
  int rc = p->turn == WRITERS ? pack_write_step(p->writer, &p->pack, &err)
                              : pack_drop_step(p->writer, &err);
  if (rc > 0) return;
  if (rc < 0) {
    ck_log(CK_WARN, "-", "packing_failed", "reason=%s", ck_quotedz(err.text));
    end_pack(p, NOBODYS);
  } else if (p->turn == WRITERS) {
    end_pack(p, DROPPING);
  } else {
    end_pack(p, NOBODYS);
    p->since = waits(p, now) ? p->moved_at : 0;
  }
}

/* SQLite counts the rows that this connection has written. A block may come without a new version.
 */
static void look(struct packing *p, int64_t now) {
  int64_t written = sqlite3_total_changes64(p->db);
  if (p->moved_at && written == p->written) return;
  p->written = written;
  p->moved_at = now;
  if (p->since == 0) p->looks = true;
}

bool packing_turn(struct packing *p, int64_t now) {
  pthread_mutex_lock(&p->lock);
  look(p, now);
  bool quiet = now - p->moved_at >= PACKING_IDLE_MS;
  if (p->turn == NOBODYS && !p->all_logs && p->logs_at && now >= p->logs_at) begin_all_logs(p);
  bool late = now - p->looked_at >= PACKING_LATE_MS;
  if (p->looks && (quiet || late)) {
    p->looks = false;
    p->since = waits(p, now) ? now : 0;
  }
  if (p->since && now - p->since >= PACKING_LATE_MS) quiet = true;
  if (p->turn == NOBODYS && p->since && quiet) {
    p->turn = THREADS;
    pthread_cond_signal(&p->wake);
  } else if (p->turn >= WRITERS && quiet) {
    take_step(p, now);
    p->written = sqlite3_total_changes64(p->db);
  }
  bool soon = p->turn != NOBODYS || p->since;
  pthread_mutex_unlock(&p->lock);
  return soon;
}

/* ---- start and end ---- */

static int prepare(struct packing *p, struct ck_err *err) {
  if (!(p->writer = pack_writer_new(p->db, err))) return -1;
  return db_open_maker(&p->reader, err) || !(p->unpack = unpack_new(p->reader, err)) ? -1 : 0;
}

/* With all signals blocked: the main thread handles them. */
static int start_thread(struct packing *p, struct ck_err *err) {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, &before);
  p->started = pthread_create(&p->thread, NULL, run, p) == 0;
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  return p->started ? 0 : ck_fail(err, "packing: cannot start a thread");
}

struct packing *packing_start(sqlite3 *writer, const _Atomic bool *stop, struct ck_err *err) {
  struct packing *p = ck_zalloc(sizeof *p);
  p->db = writer;
  p->stop = stop;
  p->turn = DROPPING;
  p->logs_at = 1;
  pthread_mutex_init(&p->lock, NULL);
  pthread_cond_init(&p->wake, NULL);
  if (prepare(p, err) || start_thread(p, err)) packing_stop(&p);
  return p;
}

void packing_stop(struct packing **packing) {
  struct packing *p = *packing;
  if (!p) return;
  pthread_mutex_lock(&p->lock);
  p->ends = true;
  pthread_cond_signal(&p->wake);
  pthread_mutex_unlock(&p->lock);
  if (p->started) pthread_join(p->thread, NULL);
  pack_writer_free(&p->writer);
  pack_free(&p->pack);
  unpack_free(&p->unpack);
  db_close(&p->reader);
  pthread_cond_destroy(&p->wake);
  pthread_mutex_destroy(&p->lock);
  free(p);
  *packing = NULL;
}
