/* The work door's thread: DEMAND and HELD in, what each mirror's workers are given out (outlet.c).
 */
#include "store/mirror/work.h"

#include <errno.h>
#include <stdlib.h>

#include "proto/clock.h"
#include "proto/doors.h"
#include "proto/log.h"
#include "proto/wire.h"
#include "store/mirror/work_internal.h"
#include "store/rejected.h"

/* How soon to try again when work is due and yet could not be given. */
#define AGAIN_MS 100

/* ---- what comes in ---- */

static void refuse(struct work *w, struct ck_str frame, const char *reason) {
  atomic_fetch_add(&w->context->rejected, 1);
  ck_log(CK_WARN, "-", "rejected", "door=work bytes=%zu reason=%s", frame.n, ck_quotedz(reason));
  rejected_keep("work", frame, reason);
}

/* NULL: this store has no mirror there. */
static struct outlet *outlet_of(struct work *w, struct ck_str sink) {
  for (size_t i = 0; i < w->n; ++i)
    if (ck_str_is(sink, w->outlets[i].mirror->sink)) return &w->outlets[i];
  return NULL;
}

static void no_such_sink(struct work *w, struct ck_str identity, const struct ck_demand *said) {
  struct ck_err err;
  struct ck_buf out = {0};
  struct ck_message m = {.kind = CK_MSG_PROBLEM};
  char *names = mirrors_names(w->context->mirrors);
  ck_fail(&err, "sync.sinks of the store has %s, not this worker's %.*s", names,
          (int)ck_utf8_cut(said->sink, 40).n, said->sink.n ? said->sink.s : "");
  free(names);
  m.as.problem = (struct ck_problem){said->request, CK_LIT("sink"), ck_str_of(err.text)};
  ck_message_encode(&out, &m);
  ck_send_to_owned(w->door, identity, &out);
}

static void take_demand(struct work *w, struct ck_str identity, const struct ck_demand *said) {
  struct outlet *o = outlet_of(w, said->sink);
  if (o)
    outlet_demand(o, identity, said, ck_boot_ms());
  else
    no_such_sink(w, identity, said);
}

/* A worker of another sink has no lease from this run, so its HELD is ignored; its DEMAND gets a
 * PROBLEM that says why. */
static void take_held(struct work *w, const struct ck_held *said, struct ck_str frame) {
  struct ck_err err;
  struct outlet *o = outlet_of(w, said->sink);
  if (o && held_take(&o->held, said, o->mirror->leases, ck_boot_ms(), &err))
    refuse(w, frame, err.text);
}

static void take_frame(struct work *w, struct ck_str identity, struct ck_str frame) {
  struct ck_message m;
  struct ck_err err;
  if (ck_message_decode(&m, frame.s, frame.n, &err))
    refuse(w, frame, err.text);
  else if (m.kind == CK_MSG_DEMAND)
    take_demand(w, identity, &m.as.demand);
  else if (m.kind == CK_MSG_HELD)
    take_held(w, &m.as.held, frame);
  else
    refuse(w, frame, "the work door takes DEMAND and HELD only");
}

static void take_frames(struct work *w) {
  zmq_msg_t peer, frame;
  for (;;) {
    if (ck_recv2(w->door, &peer, &frame)) {
      if (errno != EPROTO) return;
      atomic_fetch_add(&w->context->rejected, 1);
      continue;
    }
    take_frame(w, ck_frame(&peer), ck_frame(&frame));
    zmq_msg_close(&peer);
    zmq_msg_close(&frame);
  }
}

/* ---- the thread ---- */

/* One thing for each mirror. True: there may be more. */
static bool give(struct work *w) {
  bool any = false;
  for (size_t i = 0; i < w->n; ++i) any |= outlet_turn(&w->outlets[i]);
  return any;
}

static int wait_ms(struct work *w) {
  int64_t now = ck_boot_ms(), due = INT64_MAX;
  for (size_t i = 0; i < w->n; ++i) {
    int64_t its = outlet_due(&w->outlets[i], now);
    /* Due now, and yet it was not given: the reason has been logged. */
    if (its <= now) its = now + AGAIN_MS;
    if (its < due) due = its;
  }
  if (due == INT64_MAX) return -1;
  return due - now < 60000 ? (int)(due - now) : 60000;
}

static void *run(void *self) {
  struct work *w = self;
  while (!atomic_load(&w->context->stop)) {
    take_frames(w);
    while (!atomic_load(&w->context->stop) && give(w)) take_frames(w);
    /* Do not hold a batch's megabytes while no worker wants one. */
    ck_buf_free(&w->changes);
    zmq_pollitem_t items[] = {{w->door, 0, ZMQ_POLLIN, 0},
                              {NULL, w->context->wake[WAKE_WORK], ZMQ_POLLIN, 0}};
    zmq_poll(items, 2, wait_ms(w));
    context_woken(w->context, WAKE_WORK);
  }
  ck_door_close(&w->door, 0);
  return NULL;
}

struct work *work_start(struct context *context, struct ck_err *err) {
  struct work *w = ck_zalloc(sizeof *w);
  w->context = context;
  for (; w->n < context->mirrors->n; ++w->n)
    w->outlets[w->n] = (struct outlet){.work = w, .mirror = &context->mirrors->at[w->n]};
  w->batch_bytes = (size_t)ck_set_int(context->settings, CK_SET_SYNC_BATCH);
  bool ok = db_open_maker(&w->db, err) == 0 && (w->scan = scan_new(w->db, err)) &&
            (w->parents = parents_new(w->db, err)) &&
            (w->zone = ck_zone_open((struct ck_str){0}, err)) &&
            (w->door = ck_door_bind(context->settings, CK_DOOR_WORK, err));
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
  parents_free(&w->parents);
  db_close(&w->db);
  for (size_t i = 0; i < w->n; ++i) demands_free(&w->outlets[i].demands);
  ck_zone_free(&w->zone);
  ck_buf_free(&w->changes);
  free(w);
  *work = NULL;
}
