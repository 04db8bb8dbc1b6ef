/* One turn of the worker: take batches, send a slice, tell outcomes, ask for more. It owns the
 * sockets and the clock; what becomes of a batch is decided in batches/. */
#include "syncd/worker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/calendar.h"
#include "proto/clock.h"
#include "proto/doors.h"
#include "proto/histogram.h"
#include "proto/hostname.h"
#include "proto/log.h"
#include "proto/map.h"
#include "proto/push.h"
#include "syncd/batches/pipeline.h"
#include "syncd/beside.h"
#include "syncd/demand.h"
#include "syncd/held.h"
#include "syncd/sinks/sink.h"
#include "syncd/sinks/witness_query.h"

#define REPORT_MS 1000
#define HELD_MS 1000
#define REPORT_LEAST_MS 100   /* after a change of state, or when all is answered */
#define OUTCOMES_UNDER_WAY 16 /* without a receipt; no further ones are pushed */
#define STOP_MS 3000          /* at the end, for the answer to the slice that the sink has */
/* … and for receipts after that; without them the range is only leased again */
#define STOP_OUTCOMES_MS 500
/* The last frames have this long to leave the process. */
#define LAST_WORDS_MS 100
/* With so few requests left at the sink, those already under way elsewhere may use them up. */
#define RATE_LOW 8
/* A probe that hangs for longer would only delay the next one. */
#define PROBE_MS 1000
/* Tokens are asked for in advance, but only a few: they expire if they are not used in time. */
#define TOKENS_AHEAD 4

struct worker {
  const struct sync_sink *sink;
  void *sink_self;
  void *work;
  struct ck_memory_unacked *outcomes;
  struct ck_push *push;
  struct sync_pipeline pipeline;
  struct sync_demand demand;
  char id[96];
  struct sync_query probe; /* a request that changes nothing: does anything get through? */
  bool probing;
  struct sync_witness witness;
  struct sync_beside beside; /* a task that the store has asked for */
  int64_t rate_left;         /* requests left, as the sink said; -1: it did not say */
  int64_t push_due, held_due, report_due, reported_at, stopping_at;
  const char *reported_state;
  unsigned reported_parked;
  uint64_t reported_requests;
  int64_t complained_at;
  struct spent {
    uint64_t requests, rows, written;
  } spent, told;                /* since the start; the part of it that the store has been told */
  struct ck_histogram requests; /* how long the sink's answers took */
  int64_t asked_at;             /* ck_mono_us: when it got the request that is under way */
  struct ck_buf out;
};

/* ---- reports, and what is told to the store ---- */

static void complain(struct worker *w, const char *what, const char *event, const char *reason) {
  bool news = strncmp(w->pipeline.last_error, reason, sizeof w->pipeline.last_error - 1) != 0;
  int64_t now = ck_boot_ms();
  if (!news && now - w->complained_at < 30000) return;
  w->complained_at = now;
  ck_log(CK_WARN, w->id, event, "what=%s reason=%s", what, ck_quotedz(reason));
}

static void refuse(struct worker *w, const char *event, const char *reason) {
  complain(w, "batch", event, reason);
  sync_text_copy(w->pipeline.last_error, reason);
}

/* The rest of the ring works without the mirror, so this is logged once and is no reason to
 * exit. */
static void must_be_set(struct worker *w, const char *what) {
  sync_text_copy(w->pipeline.last_error, what);
  w->complained_at = ck_boot_ms();
  ck_log(CK_ERROR, w->id, "sink_stopped", "reason=%s", ck_quotedz(what));
}

static void put_info(struct ck_buf *b, const struct worker *w) {
  struct ck_map m = ck_map_open(b);
  ck_pair_text(&m, "sink", w->sink->name);
  ck_pair_name(&m, "held");
  sync_held_list(b, &w->pipeline);
  ck_pair_text(&m, "state", w->reported_state);
  ck_pair_uint(&m, "requests", w->spent.requests);
  ck_pair_uint(&m, "rows", w->spent.rows);
  ck_pair_uint(&m, "written", w->spent.written);
  ck_pair_uint(&m, "parked", w->reported_parked);
  ck_pair_name(&m, "paused");
  sync_paused_list(b, &w->pipeline);
  sync_hold_pair(&m, &w->pipeline.held);
  if (w->rate_left < 0)
    ck_pair_nil(&m, "left");
  else
    ck_pair_int(&m, "left", w->rate_left);
  ck_pair_text(&m, "last_error", w->pipeline.last_error);
  struct ck_map times = ck_pair_map(&m, "times");
  ck_pair_histogram(&times, "request", &w->requests);
  ck_map_close(&times);
  ck_map_close(&m);
}

static void report(struct worker *w, int64_t now) {
  ck_buf_clear(&w->out);
  put_info(&w->out, w);
  struct ck_report r = {CK_LIT("syncd"), ck_str_of(w->id), ck_str_of(ck_hostname()),
                        getpid(),        ck_up_since(),    ck_buf_view(&w->out)};
  ck_push_report(w->push, &r);
  w->reported_requests = w->spent.requests;
  w->reported_at = now;
  w->report_due = now + REPORT_MS;
}

static void report_if_due(struct worker *w) {
  int64_t now = ck_boot_ms();
  const char *state = sync_pipeline_state(&w->pipeline, now);
  unsigned parked = sync_pipeline_parked(&w->pipeline);
  bool rested = !w->pipeline.first && w->spent.requests != w->reported_requests;
  if (state != w->reported_state || parked != w->reported_parked || rested) {
    w->reported_state = state;
    w->reported_parked = parked;
    if (w->reported_at + REPORT_LEAST_MS < w->report_due)
      w->report_due = w->reported_at + REPORT_LEAST_MS;
  }
  if (now >= w->report_due) report(w, now);
}

/* HELD: every second, and at once if a lease is returned. If the door does not take the frame now,
 * the returned leases are said again at the next turn. */
static void say_held_if_due(struct worker *w) {
  int64_t now = ck_boot_ms();
  if (now < w->held_due && !w->pipeline.returned) return;
  ck_buf_clear(&w->out);
  sync_held_encode(&w->out, &w->pipeline, w->id, w->sink->name);
  if (ck_send(w->work, ck_buf_view(&w->out)) == 0) sync_held_said(&w->pipeline);
  w->held_due = now + HELD_MS;
}

/* ---- outcomes ---- */

static void outcome_receipted(void *self, uint64_t number, char result, struct ck_str reason) {
  struct worker *w = self;
  (void)number;
  if (!ck_memory_unacked_pending(w->outcomes)) w->witness.telling = false;
  if (result == 'r') ck_log(CK_INFO, w->id, "outcome_refused", "reason=%s", ck_quoted(reason));
}

static void say_witness(struct worker *w) {
  ck_buf_clear(&w->out);
  sync_witness_encode(&w->witness, w->sink->name, &w->out);
  ck_memory_unacked_add(w->outcomes, ck_buf_view(&w->out));
  w->push_due = 0;
  w->witness.telling = true;
}

static void say_outcome(struct worker *w, const struct sync_batch *batch) {
  struct ck_buf dead = {0};
  struct ck_mutation m = {.kind = CK_OP_SYNCED};
  ck_put_array(&dead, batch->dead_letter_count);
  ck_buf_str(&dead, ck_buf_view(&batch->dead_letters));
  m.as.synced = (struct ck_synced){ck_str_of(w->sink->name),
                                   batch->generation,
                                   batch->after,
                                   batch->upto,
                                   ck_buf_view(&dead),
                                   batch->witnessed ? batch->upto : 0};
  ck_buf_clear(&w->out);
  ck_put_array(&w->out, 1);
  ck_mutation_encode(&w->out, &m);
  ck_memory_unacked_add(w->outcomes, ck_buf_view(&w->out));
  w->push_due = 0;
  ck_log(batch->dead_letter_count ? CK_WARN : CK_DEBUG, w->id, "synced",
         "after=%llu upto=%llu dead_letters=%u", (unsigned long long)batch->after,
         (unsigned long long)batch->upto, batch->dead_letter_count);
  ck_buf_free(&dead);
}

/* Said as often as the report: what a day costs is known a second later, at the price of at most
 * one changeset a second. */
static void say_spent(struct worker *w) {
  struct ck_mutation m = {.kind = CK_OP_SPENT};
  if (w->told.requests == w->spent.requests ||
      ck_memory_unacked_pending(w->outcomes) >= OUTCOMES_UNDER_WAY)
    return;
  m.as.spent = (struct ck_spent){ck_str_of(w->sink->name), w->spent.requests - w->told.requests,
                                 w->spent.rows - w->told.rows, w->spent.written - w->told.written};
  ck_buf_clear(&w->out);
  ck_put_array(&w->out, 1);
  ck_mutation_encode(&w->out, &m);
  ck_memory_unacked_add(w->outcomes, ck_buf_view(&w->out));
  w->push_due = 0;
  w->told = w->spent;
}

static void finish(struct worker *w) {
  for (struct sync_batch *batch; (batch = sync_pipeline_answered(&w->pipeline));) {
    say_outcome(w, batch);
    sync_pipeline_drop(batch);
  }
}

/* ---- what the store gives ---- */

static void take_batch(struct worker *w, struct ck_str bytes) {
  struct ck_buf frame = {0};
  struct sync_batch batch;
  struct ck_err err;
  ck_buf_str(&frame, bytes);
  if (sync_batch_decode(&batch, ck_buf_view(&frame), &err)) {
    refuse(w, "batch_refused", err.text);
  } else if (strcmp(batch.sink, w->sink->name) != 0) {
    ck_fail(&err, "the batch is for sink %.40s, this is %s", batch.sink, w->sink->name);
    refuse(w, "batch_left", err.text);
  } else {
    sync_demand_batch(&w->demand, batch.n > 0, ck_boot_ms());
    memcpy(w->witness.run, batch.witness.run, sizeof batch.witness.run);
    sync_pipeline_add(&w->pipeline, &batch, &frame, ck_boot_ms());
  }
  sync_batch_free(&batch);
  ck_buf_free(&frame);
}

/* A batch is large and has a decoder of its own, so here only the frame's kind is read. */
static bool is_batch(struct ck_str bytes) {
  struct ck_reader r = ck_reader_of(bytes);
  uint32_t fields;
  uint64_t wire, kind;
  return ck_read_array(&r, &fields) == 0 && ck_read_uint(&r, &wire) == 0 &&
         ck_read_uint(&r, &kind) == 0 && kind == CK_MSG_BATCH;
}

static void on_frame(struct worker *w, struct ck_str bytes) {
  struct ck_message m;
  struct ck_err err;
  if (is_batch(bytes)) {
    take_batch(w, bytes);
  } else if (ck_message_decode(&m, bytes.s, bytes.n, &err)) {
    refuse(w, "frame_refused", err.text);
  } else if (m.kind == CK_MSG_GRANT) {
    sync_demand_grant(&w->demand, &m.as.grant, ck_boot_ms());
    sync_witness_want(&w->witness, m.as.grant.run);
    if (m.as.grant.task.n && sync_beside_start(&w->beside, m.as.grant.task, &err))
      refuse(w, "task_failed", err.text);
  } else if (m.kind == CK_MSG_PROBLEM) {
    char *reason = ck_str_dup(m.as.problem.reason);
    refuse(w, "no_work", reason);
    free(reason);
  } else {
    refuse(w, "frame_refused", ck_message_name(m.kind));
  }
}

static void take_all(struct worker *w) {
  zmq_msg_t frame;
  while (ck_recv(w->work, &frame) == 0) {
    on_frame(w, ck_frame(&frame));
    zmq_msg_close(&frame);
  }
}

/* If it could not be read, it is tried again when the sink as a whole is. */
static bool may_ask_witness(const struct worker *w, int64_t now) {
  return w->witness.wanted && now >= w->pipeline.again;
}

static void say_demand(struct worker *w) {
  struct ck_message m = {.kind = CK_MSG_DEMAND};
  int64_t now = ck_boot_ms();
  bool waits = sync_witness_open(&w->witness);
  unsigned room = w->stopping_at || waits ? 0 : sync_pipeline_room(&w->pipeline),
           ready = w->stopping_at ? 0 : sync_pipeline_ready(&w->pipeline, TOKENS_AHEAD, now);
  ready += may_ask_witness(w, now) && !w->stopping_at;
  bool probe = !w->stopping_at && sync_pipeline_probe(&w->pipeline, now);
  if (!sync_demand_say(&w->demand, room, ready, probe, now, &m.as.demand)) return;
  m.as.demand.worker = ck_str_of(w->id);
  m.as.demand.sink = ck_str_of(w->sink->name);
  ck_buf_clear(&w->out);
  ck_message_encode(&w->out, &m);
  ck_send(w->work, ck_buf_view(&w->out)); /* a frame that does not get through is said again */
}

/* ---- the sink ---- */

/* The sink's rate limit concerns all workers, so the store is told of it. */
static void obey_rate(struct worker *w, const struct sync_answer *a, int64_t now) {
  w->rate_left = a->rate_said ? a->rate_left : -1;
  if (a->rate_said && a->rate_left <= RATE_LOW) {
    sync_demand_hold(&w->demand, now + a->rate_ms);
    sync_pipeline_held(&w->pipeline, SYNC_WAIT, now + a->rate_ms,
                       "its Ratelimit header says that few requests are left");
  }
  if (w->pipeline.hold) sync_demand_hold(&w->demand, w->pipeline.hold);
  w->pipeline.hold = 0;
}

static void probed(struct worker *w, const struct sync_answer *a) {
  w->probing = false;
  if (a->class != SYNC_DONE) complain(w, sync_class_name(a->class), "sink_failed", a->text);
  sync_pipeline_probed(&w->pipeline, a, ck_boot_ms());
  obey_rate(w, a, ck_boot_ms());
}

static void ask_witness(struct worker *w) {
  w->witness.wanted = false;
  w->witness.asking = true;
  w->witness.query.restart(w->witness.query.self);
  w->sink->query(w->sink_self, &w->witness.query);
}

static void witness_read(struct worker *w, const struct sync_answer *a) {
  int64_t now = ck_boot_ms();
  w->witness.asking = false;
  w->witness.wanted = a->class != SYNC_DONE;
  if (a->class != SYNC_DONE) complain(w, sync_class_name(a->class), "sink_failed", a->text);
  sync_pipeline_witness(&w->pipeline, a, now, CK_DAY_MS - ck_now_ms() % CK_DAY_MS);
  obey_rate(w, a, now);
  if (a->class == SYNC_DONE) say_witness(w);
}

static void answered(struct worker *w, const struct sync_answer *a, size_t rows) {
  if (a->class == SYNC_DONE) {
    w->spent.rows += rows;
    w->spent.written += a->written;
    w->pipeline.sent_batch->witnessed = ck_mirror_witness_kept(w->pipeline.sent->witness);
  } else {
    complain(w, sync_class_name(a->class), "sink_failed", a->text);
  }
  sync_pipeline_answer(&w->pipeline, a, ck_boot_ms(), CK_DAY_MS - ck_now_ms() % CK_DAY_MS);
  obey_rate(w, a, ck_boot_ms());
  if (w->pipeline.unfit) w->witness.wanted = true;
  w->pipeline.unfit = false;
}

static void step(struct worker *w) {
  struct sync_answer a;
  size_t rows = w->pipeline.sent ? w->pipeline.sent->n : 0;
  if (!w->sink->step(w->sink_self, &a)) return;
  ck_histogram_note(&w->requests, ck_mono_us() - w->asked_at);
  if (w->witness.asking)
    witness_read(w, &a);
  else if (w->probing)
    probed(w, &a);
  else
    answered(w, &a, rows);
}

static bool sink_is_busy(const struct worker *w) {
  return w->pipeline.sent || w->probing || w->witness.asking;
}

static void begin(struct worker *w) {
  int64_t now = ck_boot_ms();
  w->asked_at = ck_mono_us();
  if (w->stopping_at || !sync_demand_may_send(&w->demand, now)) return;
  if (may_ask_witness(w, now)) {
    ask_witness(w);
    sync_demand_sent(&w->demand);
    ++w->spent.requests;
    return;
  }
  struct sync_slice *slice = sync_pipeline_pick(&w->pipeline, now);
  w->probing = !slice && sync_pipeline_probe(&w->pipeline, now);
  if (slice)
    w->sink->begin(w->sink_self, slice);
  else if (w->probing)
    w->sink->query(w->sink_self, &w->probe);
  else
    return;
  sync_demand_sent(&w->demand);
  ++w->spent.requests;
}

static void apply(struct worker *w) {
  /* An instant sink (null, sqlite) gets one slice a turn, so that the loop stays responsive; a
   * remote one gets its next slice before anything else is done. */
  if (!sink_is_busy(w)) begin(w);
  if (sink_is_busy(w)) step(w);
  if (!sink_is_busy(w)) begin(w);
  finish(w);
  sync_pipeline_postpone(&w->pipeline);
}

/* ---- the daemon ---- */

void sync_worker_end(void *self) {
  struct worker *w = self;
  sync_beside_end(&w->beside);
  if (w->sink_self) w->sink->close(&w->sink_self);
  ck_push_free(&w->push);
  ck_memory_unacked_free(&w->outcomes);
  ck_door_close(&w->work, LAST_WORDS_MS);
  sync_pipeline_free(&w->pipeline);
  ck_buf_free(&w->out);
  free(w);
}

static int open_all(struct worker *w, const struct ck_settings *s, struct ck_err *err) {
  const char *name = ck_settings_sink(s, err);
  if (!name) return -1;
  w->sink = sync_sink_named(name);
  if (!w->sink) return ck_fail(err, "sync.sinks: %s: there is no such sink", name);
  sync_pipeline_init(&w->pipeline, &w->sink->limits, ck_set_int(s, CK_SET_SYNC_BACKOFF_MAX),
                     (uint64_t)ck_mono_us() ^ ((uint64_t)getpid() << 32));
  char slot[32];
  snprintf(slot, sizeof slot, "syncd-%s", name);
  if (ck_producer_slot(slot, w->id, err)) return -1;
  int opened = w->sink->open(&w->sink_self, s, err);
  if (opened < 0) return -1;
  if (opened > 0) must_be_set(w, err->text);
  w->outcomes = ck_memory_unacked_new(outcome_receipted, w);
  struct ck_unacked unacked = ck_memory_unacked_ops(w->outcomes);
  w->push = ck_push_new(s, w->id, &unacked, OUTCOMES_UNDER_WAY, err);
  if (!w->push) return -1;
  w->pipeline.probes = w->sink->query != NULL;
  w->demand.counted = w->sink->counted && ck_set_int(s, CK_SET_D1_RATE) > 0;
  w->work = ck_door_connect(s, CK_DOOR_WORK, err);
  return w->work ? 0 : -1;
}

static void no_row(void *self, const struct ck_str *cells, size_t n) {
  (void)self, (void)cells, (void)n;
}

int sync_worker_start(void **self, const struct ck_settings *s, struct ck_err *err) {
  struct worker *w = ck_zalloc(sizeof *w);
  *self = w;
  w->reported_state = "idle";
  w->rate_left = -1;
  w->probe = (struct sync_query){
      .kind = SYNC_QUERY_SQL, .sql = "SELECT 1", .row = no_row, .timeout = PROBE_MS};
  sync_witness_init(&w->witness);
  if (open_all(w, s, err) == 0) return 0;
  sync_worker_end(w);
  *self = NULL;
  return -1;
}

/* A slice that is ready but has no token waits for the store's grant. */
static void wait_for_slices(const struct worker *w, struct ck_wait *wait) {
  int64_t now = ck_boot_ms(), wake = sync_pipeline_wake(&w->pipeline);
  if (wake > now || sync_demand_may_send(&w->demand, now)) ck_wait_until(wait, wake);
}

void sync_worker_wait(void *self, struct ck_wait *wait) {
  struct worker *w = self;
  zmq_pollitem_t items[2];
  int n = ck_push_items(w->push, items);
  for (int i = 0; i < n; ++i) ck_wait_for(wait, items[i].socket, items[i].fd, items[i].events);
  ck_wait_for(wait, w->work, -1, ZMQ_POLLIN);
  if (w->pipeline.unread) ck_wait_until(wait, w->pipeline.again);
  if (w->demand.batches || w->demand.tokens || w->demand.probe) ck_wait_until(wait, w->demand.due);
  ck_wait_until(wait, w->push_due);
  ck_wait_until(wait, w->held_due);
  ck_wait_until(wait, w->report_due);
  if (sink_is_busy(w))
    w->sink->wait(w->sink_self, wait);
  else if (!w->stopping_at)
    wait_for_slices(w, wait);
}

int sync_worker_turn(void *self) {
  struct worker *w = self;
  struct ck_err err;
  if (!w->stopping_at && sync_beside_look(&w->beside, &err)) refuse(w, "task_failed", err.text);
  take_all(w);
  apply(w);
  say_held_if_due(w);
  if (ck_boot_ms() >= w->report_due && !sink_is_busy(w)) say_spent(w);
  int ms = ck_push_step(w->push);
  w->push_due = ms < 0 ? INT64_MAX : ck_boot_ms() + ms;
  if (ck_push_usurped(w->push)) return -1;
  say_demand(w); /* the receipt of the witness lets batches be taken */
  report_if_due(w);
  return 0;
}

bool sync_worker_stop(void *self) {
  struct worker *w = self;
  int64_t now = ck_boot_ms();
  if (!w->stopping_at) w->stopping_at = now;
  sync_pipeline_return_all(&w->pipeline);
  say_held_if_due(w);
  if (!sink_is_busy(w)) say_spent(w);
  int64_t since = now - w->stopping_at;
  if (w->pipeline.sent) return since >= STOP_MS;
  return ck_memory_unacked_pending(w->outcomes) == 0 || since >= STOP_OUTCOMES_MS;
}
