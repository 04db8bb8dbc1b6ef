#include "syncd/worker.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/clock.h"
#include "proto/doors.h"
#include "proto/log.h"
#include "proto/push.h"
#include "syncd/jobs.h"

#define REPORT_MS 1000
#define REPORT_LEAST_MS 100 /* at a change of state, and when all is done that was held */
#define OUTCOMES_UNDER_WAY 16
#define STOP_MS 3000         /* for the slice that the sink has */
#define STOP_OUTCOMES_MS 500 /* for receipts after that; without them the range is only leased again */
#define DAY_MS 86400000

struct worker {
  const struct sync_sink *sink;
  void *sink_self;
  void *work;
  struct ck_memory_keep *outcomes;
  struct ck_push *push;
  struct sync_jobs jobs;
  char id[96];
  int64_t push_due, report_due, reported_at, stopping_at;
  const char *reported_state;
  unsigned reported_parked; /* the store hands out so many batches more */
  uint64_t reported_requests;
  int64_t complained_at;
  uint64_t requests, rows, written;
  struct ck_buf out;
};

/* ---- what there is to say ---- */

static void complain(struct worker *w, const char *what, const char *event, const char *reason) {
  bool news = strncmp(w->jobs.last_error, reason, sizeof w->jobs.last_error - 1) != 0;
  int64_t now = ck_boot_ms();
  if (!news && now - w->complained_at < 30000) return;
  w->complained_at = now;
  ck_log(CK_WARN, w->id, event, "what=%s reason=%s", what, ck_quotedz(reason));
}

static void refuse(struct worker *w, const char *event, const char *reason) {
  complain(w, "batch", event, reason);
  sync_text_copy(w->jobs.last_error, reason);
}

/* The rest of the ring does its work without the mirror, so this is said once and no reason to end. */
static void must_be_set(struct worker *w, const char *what) {
  sync_text_copy(w->jobs.last_error, what);
  w->complained_at = ck_boot_ms();
  ck_log(CK_ERROR, w->id, "sink_stopped", "reason=%s", ck_quotedz(what));
}

static void put_held(struct ck_buf *b, const struct sync_jobs *j) {
  uint32_t n = 0;
  size_t opened = ck_open_array(b);
  for (const struct sync_job *job = j->first; job; job = job->next, ++n) {
    ck_put_array(b, 3);
    ck_put_uint(b, job->batch.generation);
    ck_put_uint(b, job->batch.after);
    ck_put_uint(b, job->batch.upto);
  }
  ck_close_array(b, opened, n);
}

static void put_paused(struct ck_buf *b, const struct sync_jobs *j) {
  uint32_t n = 0;
  size_t opened = ck_open_array(b);
  for (enum ck_table t = 0; t < CK_TABLES; ++t) {
    if (!j->table_again[t]) continue;
    ck_put_text(b, ck_tables[t].name);
    ++n;
  }
  ck_close_array(b, opened, n);
}

static void report(struct worker *w, int64_t now) {
  ck_buf_clear(&w->out);
  ck_put_map(&w->out, 9);
  ck_put_text(&w->out, "sink");
  ck_put_text(&w->out, w->sink->name);
  ck_put_text(&w->out, "held");
  put_held(&w->out, &w->jobs);
  ck_put_text(&w->out, "state");
  ck_put_text(&w->out, w->reported_state);
  ck_put_text(&w->out, "requests");
  ck_put_uint(&w->out, w->requests);
  ck_put_text(&w->out, "rows");
  ck_put_uint(&w->out, w->rows);
  ck_put_text(&w->out, "written");
  ck_put_uint(&w->out, w->written);
  ck_put_text(&w->out, "parked");
  ck_put_uint(&w->out, w->reported_parked);
  ck_put_text(&w->out, "paused");
  put_paused(&w->out, &w->jobs);
  ck_put_text(&w->out, "last_error");
  ck_put_text(&w->out, w->jobs.last_error);
  struct ck_report r = {CK_LIT("syncd"), ck_str_of(w->id), ck_str_of(ck_hostname()), getpid(), ck_up_since(), ck_buf_view(&w->out)};
  ck_push_report(w->push, &r);
  w->reported_requests = w->requests;
  w->reported_at = now;
  w->report_due = now + REPORT_MS;
}

static void report_if_due(struct worker *w) {
  int64_t now = ck_boot_ms();
  const char *state = sync_jobs_state(&w->jobs, now);
  unsigned parked = sync_jobs_parked(&w->jobs);
  bool rested = !w->jobs.first && w->requests != w->reported_requests;
  if (state != w->reported_state || parked != w->reported_parked || rested) {
    w->reported_state = state;
    w->reported_parked = parked;
    if (w->reported_at + REPORT_LEAST_MS < w->report_due) w->report_due = w->reported_at + REPORT_LEAST_MS;
  }
  if (now >= w->report_due) report(w, now);
}

/* ---- outcomes ---- */

static void outcome_receipted(void *self, uint64_t number, char result, struct ck_str reason) {
  struct worker *w = self;
  (void)number;
  if (result == 'r') ck_log(CK_INFO, w->id, "outcome_refused", "reason=%s", ck_quoted(reason));
}

static void say_outcome(struct worker *w, const struct sync_job *job) {
  struct ck_buf dead = {0};
  struct ck_mutation m = {.kind = CK_OP_SYNCED};
  ck_put_array(&dead, job->dead_count);
  ck_buf_str(&dead, ck_buf_view(&job->dead));
  m.as.synced = (struct ck_synced){ck_str_of(w->sink->name), job->batch.generation, job->batch.after, job->batch.upto, ck_buf_view(&dead)};
  ck_buf_clear(&w->out);
  ck_put_array(&w->out, 1);
  ck_mutation_encode(&w->out, &m);
  ck_memory_keep_add(w->outcomes, ck_buf_view(&w->out));
  w->push_due = 0;
  ck_log(job->dead_count ? CK_WARN : CK_DEBUG, w->id, "synced", "after=%llu upto=%llu dead=%u", (unsigned long long)job->batch.after,
         (unsigned long long)job->batch.upto, job->dead_count);
  ck_buf_free(&dead);
}

static void finish(struct worker *w) {
  for (struct sync_job *job; (job = sync_jobs_finished(&w->jobs));) {
    say_outcome(w, job);
    sync_job_free(job);
  }
}

/* ---- batches in ---- */

static void take(struct worker *w, struct ck_str bytes) {
  struct ck_buf frame = {0};
  struct sync_batch batch;
  struct ck_err err;
  ck_buf_str(&frame, bytes);
  if (sync_batch_decode(&batch, ck_buf_view(&frame), &err)) {
    refuse(w, "batch_refused", err.text);
  } else if (strcmp(batch.sink, w->sink->name) != 0) {
    ck_fail(&err, "a batch for sink %.40s came, this one is %s", batch.sink, w->sink->name);
    refuse(w, "batch_left", err.text);
  } else {
    sync_jobs_add(&w->jobs, &batch, &frame, ck_boot_ms());
  }
  sync_batch_free(&batch);
  ck_buf_free(&frame);
}

static bool wants_more(const struct worker *w) { return !w->stopping_at && sync_jobs_room(&w->jobs); }

static void take_batches(struct worker *w) {
  zmq_msg_t frame;
  while (wants_more(w) && ck_recv(w->work, &frame) == 0) {
    take(w, ck_frame(&frame));
    zmq_msg_close(&frame);
  }
}

/* ---- the sink ---- */

static void answered(struct worker *w, const struct sync_answer *a, size_t rows) {
  if (a->class == SYNC_DONE) {
    w->rows += rows;
    w->written += a->written;
  } else {
    complain(w, sync_class_name(a->class), "sink_failed", a->text);
  }
  sync_jobs_answer(&w->jobs, a, ck_boot_ms(), DAY_MS - ck_now_ms() % DAY_MS);
}

static void step(struct worker *w) {
  struct sync_answer a;
  size_t rows = w->jobs.piece->slice.n;
  if (w->sink->step(w->sink_self, &a)) answered(w, &a, rows);
}

static void apply(struct worker *w) {
  /* An instant sink (null, sqlite) gets one slice a turn, so that the loop lives. */
  if (!w->jobs.piece) {
    struct sync_slice *slice = w->stopping_at ? NULL : sync_jobs_pick(&w->jobs, ck_boot_ms());
    if (slice) w->sink->begin(w->sink_self, slice);
    w->requests += slice != NULL;
  }
  if (w->jobs.piece) step(w);
  finish(w);
}

/* ---- the daemon ---- */

static void worker_end(void *self) {
  struct worker *w = self;
  if (w->sink_self) w->sink->close(&w->sink_self);
  ck_push_free(&w->push);
  ck_memory_keep_free(&w->outcomes);
  ck_door_close(&w->work, 0);
  sync_jobs_free(&w->jobs);
  ck_buf_free(&w->out);
  free(w);
}

static int open_all(struct worker *w, const struct ck_settings *s, struct ck_err *err) {
  const char *name = ck_set_text(s, CK_SET_SYNC_SINK);
  w->sink = sync_sink_named(name);
  if (!w->sink) return ck_fail(err, "sync.sink: %s: there is no such sink", name);
  sync_jobs_init(&w->jobs, &w->sink->limits, ck_set_int(s, CK_SET_SYNC_BACKOFF_MAX), (uint64_t)ck_mono_us() ^ ((uint64_t)getpid() << 32));
  if (ck_producer_slot("syncd", w->id, err)) return -1;
  int opened = w->sink->open(&w->sink_self, s, err);
  if (opened < 0) return -1;
  if (opened > 0) must_be_set(w, err->text);
  w->outcomes = ck_memory_keep_new(outcome_receipted, w);
  struct ck_keep keep = ck_memory_keep_ops(w->outcomes);
  w->push = ck_push_new(s, w->id, &keep, OUTCOMES_UNDER_WAY, err);
  if (!w->push) return -1;
  w->work = ck_door_connect(s, CK_DOOR_WORK, err);
  return w->work ? 0 : -1;
}

static int worker_start(void **self, const struct ck_settings *s, struct ck_err *err) {
  struct worker *w = ck_zalloc(sizeof *w);
  *self = w;
  w->reported_state = "idle";
  if (open_all(w, s, err) == 0) return 0;
  worker_end(w);
  *self = NULL;
  return -1;
}

static void worker_wait(void *self, struct ck_wait *wait) {
  struct worker *w = self;
  zmq_pollitem_t items[2];
  int n = ck_push_items(w->push, items);
  for (int i = 0; i < n; ++i) ck_wait_for(wait, items[i].socket, items[i].fd, items[i].events);
  if (wants_more(w)) ck_wait_for(wait, w->work, -1, ZMQ_POLLIN);
  ck_wait_until(wait, w->push_due);
  ck_wait_until(wait, w->report_due);
  if (w->jobs.piece)
    w->sink->wait(w->sink_self, wait);
  else if (!w->stopping_at)
    ck_wait_until(wait, sync_jobs_wake(&w->jobs));
}

static int worker_turn(void *self) {
  struct worker *w = self;
  take_batches(w);
  apply(w);
  int ms = ck_push_step(w->push);
  w->push_due = ms < 0 ? INT64_MAX : ck_boot_ms() + ms;
  if (ck_push_usurped(w->push)) return -1;
  report_if_due(w);
  return 0;
}

static bool worker_ready(void *self) {
  (void)self;
  return true;
}

static bool worker_stop(void *self) {
  struct worker *w = self;
  int64_t now = ck_boot_ms();
  if (!w->stopping_at) w->stopping_at = now;
  int64_t since = now - w->stopping_at;
  if (w->jobs.piece) return since >= STOP_MS;
  return ck_memory_keep_pending(w->outcomes) == 0 || since >= STOP_OUTCOMES_MS;
}

const struct ck_daemon sync_daemon = {
    .name = "syncd",
    .many = true,
    .start = worker_start,
    .wait = worker_wait,
    .turn = worker_turn,
    .ready = worker_ready,
    .stop = worker_stop,
    .end = worker_end,
};
