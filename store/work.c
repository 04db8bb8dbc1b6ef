#include "store/work.h"

#include <stdlib.h>

#include "proto/clock.h"
#include "proto/doors.h"
#include "proto/log.h"
#include "proto/wire.h"
#include "store/scan.h"

/* While nobody takes work: how soon to look again for a worker. */
#define IDLE_MS 100
#define PER_WORKER 2

struct work {
  struct shared *shared;
  struct leases *leases;
  struct reports *reports;
  pthread_t thread;
  bool started;
  void *door;
  sqlite3 *db;
  struct scan *scan;
  size_t batch_bytes;
  const char *sink;
  struct ck_buf changes, out;
};

/* The records with versions in (after, limit], newest state, until the batch is full. *upto: how far it reaches. */
static int gather(struct work *w, uint64_t after, uint64_t limit, uint64_t *upto, struct ck_err *err) {
  uint64_t head, version;
  struct ck_row row;
  ck_buf_clear(&w->changes);
  if (scan_begin(w->scan, after, 0, &head, err)) return -1;
  size_t open = ck_open_array(&w->changes);
  uint32_t n = 0;
  int rc;
  *upto = limit < head ? limit : head;
  while ((rc = scan_next(w->scan, &version, &row, err)) > 0 && version <= *upto) {
    bool fits = scan_encode(&w->changes, version, &row);
    n += fits;
    if (fits && w->changes.len < w->batch_bytes) continue;
    *upto = fits ? version : version - 1;
    break;
  }
  scan_end(w->scan);
  ck_close_array(&w->changes, open, n);
  return rc < 0 ? -1 : 0;
}

static bool send_batch(struct work *w, const struct lease *l) {
  struct ck_message m = {.kind = CK_MSG_BATCH};
  m.as.batch = (struct ck_batch){ck_str_of(w->shared->store_id), ck_str_of(w->sink), l->generation, l->after, l->upto, ck_buf_view(&w->changes)};
  ck_buf_clear(&w->out);
  ck_message_encode(&w->out, &m);
  return ck_send(w->door, ck_buf_view(&w->out)) == 0;
}

/* A lost lease's range, again. The whole range must be gathered: it was one batch before, and what has been overtaken since is smaller. */
static bool grant_again(struct work *w, const struct lease *l) {
  struct ck_err err;
  uint64_t upto;
  size_t limit = w->batch_bytes;
  w->batch_bytes = CK_FRAME_MAX;
  int rc = gather(w, l->after, l->upto, &upto, &err);
  w->batch_bytes = limit;
  if (rc) {
    ck_log(CK_ERROR, "-", "unreadable", "reason=%s", ck_quotedz(err.text));
    return false;
  }
  ck_log(CK_WARN, "-", "lease_expired", "after=%llu upto=%llu generation=%llu", (unsigned long long)l->after, (unsigned long long)l->upto,
         (unsigned long long)l->generation);
  return send_batch(w, l);
}

static bool grant_next(struct work *w, uint64_t after) {
  struct ck_err err;
  uint64_t upto;
  if (gather(w, after, UINT64_MAX, &upto, &err)) {
    ck_log(CK_ERROR, "-", "unreadable", "reason=%s", ck_quotedz(err.text));
    return false;
  }
  if (upto <= after) return false;
  struct lease l = leases_grant(w->leases, upto, ck_boot_ms());
  if (send_batch(w, &l)) return true;
  leases_unsent(w->leases, l.generation);
  return false;
}

static bool door_takes(struct work *w) {
  int events = 0;
  size_t n = sizeof events;
  zmq_getsockopt(w->door, ZMQ_EVENTS, &events, &n);
  return (events & ZMQ_POLLOUT) != 0;
}

/* One batch; true when there may be another. */
static bool turn(struct work *w) {
  struct lease again;
  if (!door_takes(w)) return false;
  if (leases_expired(w->leases, ck_boot_ms(), &again)) {
    if (grant_again(w, &again)) return true;
    leases_unsent(w->leases, again.generation);
    return false;
  }
  size_t in_flight;
  uint64_t next = leases_next(w->leases, &in_flight);
  unsigned workers = reports_workers(w->reports);
  size_t most = PER_WORKER * (size_t)(workers ? workers : 1) + reports_parked(w->reports);
  if (next >= atomic_load(&w->shared->head) || leases_full(w->leases) || in_flight >= most) return false;
  return grant_next(w, next);
}

static int wait_ms(struct work *w) {
  size_t in_flight;
  if (leases_next(w->leases, &in_flight) < atomic_load(&w->shared->head)) return IDLE_MS;
  int64_t left = leases_deadline(w->leases);
  if (left == INT64_MAX) return -1;
  left -= ck_boot_ms();
  return left < 0 ? 0 : left > 60000 ? 60000 : (int)left;
}

static void *run(void *self) {
  struct work *w = self;
  while (!atomic_load(&w->shared->stop)) {
    while (!atomic_load(&w->shared->stop) && turn(w)) {
    }
    /* A batch's megabytes are not held while nobody wants one. */
    ck_buf_free(&w->changes);
    ck_buf_free(&w->out);
    zmq_pollitem_t item = {NULL, w->shared->wake[WAKE_WORK], ZMQ_POLLIN, 0};
    int ms = wait_ms(w);
    zmq_poll(&item, 1, ms == 0 ? IDLE_MS : ms);
    shared_woken(w->shared, WAKE_WORK);
  }
  ck_door_close(&w->door, 0);
  return NULL;
}

struct work *work_start(struct shared *shared, struct leases *leases, struct reports *reports, struct ck_err *err) {
  struct work *w = ck_zalloc(sizeof *w);
  w->shared = shared;
  w->leases = leases;
  w->reports = reports;
  w->batch_bytes = (size_t)ck_set_int(shared->settings, CK_SET_SYNC_BATCH);
  w->sink = ck_set_text(shared->settings, CK_SET_SYNC_SINK);
  bool ok = db_open_reader(&w->db, err) == 0 && (w->scan = scan_new(w->db, err)) && (w->door = ck_door_bind(shared->settings, CK_DOOR_WORK, err));
  if (ok) w->started = pthread_create(&w->thread, NULL, run, w) == 0;
  if (ok && !w->started) ck_fail(err, "work: cannot start a thread");
  if (!w->started) work_stop(&w);
  return w;
}

void work_stop(struct work **work) {
  struct work *w = *work;
  if (!w) return;
  if (w->started) pthread_join(w->thread, NULL);
  ck_door_close(&w->door, 0);
  scan_free(&w->scan);
  db_close(&w->db);
  ck_buf_free(&w->changes);
  ck_buf_free(&w->out);
  free(w);
  *work = NULL;
}
