/* The work door's thread: batches, tokens and probes out; DEMAND and HELD in; and its loop. */
#include "store/mirror/work.h"

#include <errno.h>
#include <stdlib.h>

#include "proto/clock.h"
#include "proto/doors.h"
#include "proto/log.h"
#include "proto/wire.h"
#include "proto/zone.h"
#include "store/mirror/fit.h"
#include "store/mirror/held.h"
#include "store/mirror/meter.h"
#include "store/mirror/parents.h"
#include "store/mirror/demand.h"
#include "store/rejected.h"
#include "store/database/scan.h"

/* How soon to try again when work is due and yet could not be given. */
#define AGAIN_MS 100
#define HOLD_MAX 86400000 /* ms; the longest pause that a worker can ask for */
#define PROBE_MS 1600     /* between two probes of a sink that is down */

struct work {
  struct context *context;
  struct leases *leases;
  struct meter *meter;
  pthread_t thread;
  bool started;
  void *door;
  sqlite3 *db;
  struct scan *scan;
  struct parents *parents;
  size_t batch_bytes;
  const char *sink;
  struct ck_zone *zone; /* of this machine */
  struct demands demands;
  struct held held;
  int64_t complained_at, probe_at;
  int64_t granted_at; /* the last batch */
  bool backlog_turn;  /* the last batch was a piece of a backlog */
  bool batch_turn;    /* tokens were given, and no batch since */
  struct ck_buf changes;
};

/* A batch as it is being gathered; its changes are in work.changes. */
struct batch {
  uint64_t after, upto; /* the range (after, upto]; a full batch lowers upto */
  size_t bytes_max;     /* full at this size */
  bool with_parents;    /* add what the records point to */
  uint32_t records;     /* parents included */
  bool all_parents;     /* everything that the records point to is in it */
};

static int64_t earlier(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t later(int64_t a, int64_t b) { return a > b ? a : b; }

/* ---- what goes out ---- */

static bool send_to(struct work *w, const struct demand *to, const struct ck_message *m) {
  struct ck_buf out = {0};
  ck_message_encode(&out, m);
  return ck_send_to_owned(w->door, (struct ck_str){to->identity, to->identity_n}, &out) == 0;
}

/* Adds records in the order of their versions. Lowers b->upto to the last one if the batch is full
 * before the range ends. */
static int add_records(struct work *w, struct batch *b, struct ck_err *err) {
  uint64_t version;
  struct ck_row row;
  int rc;
  while ((rc = scan_next(w->scan, &version, &row, err)) > 0 && version <= b->upto) {
    if (!scan_encode(&w->changes, version, &row)) {
      b->upto = version - 1;
      return 0;
    }
    ++b->records;
    if (b->with_parents && parents_note(w->parents, version, &row, err)) return -1;
    if (w->changes.len + parents_bytes(w->parents) < b->bytes_max) continue;
    b->upto = version;
    return 0;
  }
  return rc < 0 ? -1 : 0;
}

static void add_parents(struct work *w, struct batch *b) {
  b->records += parents_put(w->parents, b->upto, &w->changes, &b->all_parents);
  b->all_parents &= b->with_parents;
}

/* Fills work.changes with the newest state of the batch's records. -1: they cannot be read. */
static int gather(struct work *w, struct batch *b, struct ck_err *err) {
  uint64_t head;
  ck_buf_clear(&w->changes);
  if (scan_begin(w->scan, b->after, 0, &head, err)) return -1;
  if (b->upto > head) b->upto = head;
  parents_begin(w->parents, b->after, leases_cursor(w->leases));
  size_t open = ck_open_array(&w->changes);
  int rc = add_records(w, b, err);
  scan_end(w->scan);
  add_parents(w, b);
  ck_close_array(&w->changes, open, b->records);
  return rc;
}

static bool send_batch(struct work *w, struct demand *to, const struct lease *l, bool all_parents) {
  context_trouble(w->context, TROUBLE_BATCHES, NULL);
  struct ck_message m = {.kind = CK_MSG_BATCH};
  struct fit_view fit;
  fit_read(w->context->fit, &fit);
  m.as.batch = (struct ck_batch){.store_id = ck_str_of(w->context->store_id),
                                 .sink = ck_str_of(w->sink),
                                 .generation = l->generation,
                                 .after = l->after,
                                 .upto = l->upto,
                                 .changes = ck_buf_view(&w->changes),
                                 .parents = all_parents,
                                 .run = ck_str_of(fit_run(w->context->fit)),
                                 .before = ck_str_of(fit.before),
                                 .least = fit.least};
  if (!send_to(w, to, &m)) {
    leases_return(w->leases, l->generation);
    demands_forget(&w->demands, to); /* gone, or not reading; if it is there, it asks again */
    return false;
  }
  --to->batches;
  w->granted_at = ck_boot_ms();
  w->batch_turn = false;
  demands_served(&w->demands, to);
  return true;
}

static bool unreadable(struct work *w, const struct ck_err *err) {
  int64_t now = ck_boot_ms();
  if (now - w->complained_at >= 1000)
    ck_log(CK_ERROR, "-", "unreadable", "reason=%s", ck_quotedz(err->text));
  w->complained_at = now;
  context_trouble(w->context, TROUBLE_BATCHES, err->text);
  return false;
}

/* This range fitted into one frame before, and can only have shrunk, unless its parents are now
 * included. If it does not fit any more, the lease is split; if there is no room for another lease,
 * the range goes without parents. */
static int gather_again(struct work *w, struct lease *l, struct batch *b, struct ck_err *err) {
  bool parents = w->held.parents;
  *b = (struct batch){.after = l->after,
                      .upto = l->upto,
                      .bytes_max = parents ? w->batch_bytes : CK_FRAME_MAX,
                      .with_parents = parents};
  if (gather(w, b, err)) return -1;
  if (b->upto >= l->upto) return 0;
  if (leases_split(w->leases, l->generation, b->upto)) {
    l->upto = b->upto;
    return 0;
  }
  *b = (struct batch){.after = l->after, .upto = l->upto, .bytes_max = CK_FRAME_MAX};
  return gather(w, b, err);
}

/* Sends a range whose lease expired, or was returned, once more. */
static bool grant_again(struct work *w, struct demand *to, struct lease *l) {
  struct ck_err err;
  struct batch b;
  if (gather_again(w, l, &b, &err)) {
    leases_return(w->leases, l->generation);
    return unreadable(w, &err);
  }
  ck_log(CK_INFO, to->worker, "leased_again", "after=%llu upto=%llu generation=%llu",
         (unsigned long long)l->after, (unsigned long long)l->upto,
         (unsigned long long)l->generation);
  if (b.records) meter_batch(w->meter, ck_boot_ms());
  return send_batch(w, to, l, b.all_parents);
}

static bool grant_new(struct work *w, struct demand *to, uint64_t after, uint64_t limit,
                      int64_t now) {
  struct ck_err err;
  struct batch b = {
      .after = after, .upto = limit, .bytes_max = w->batch_bytes, .with_parents = w->held.parents};
  if (gather(w, &b, &err)) return unreadable(w, &err);
  if (b.upto <= after) return false;
  struct lease l = leases_grant(w->leases, after, b.upto, now);
  if (!l.generation) return true; /* `sync backfill` has restarted the mirror meanwhile */
  if (b.records) meter_batch(w->meter, now);
  return send_batch(w, to, &l, b.all_parents);
}

/* When a piece of a backlog, (*after, *upto], may be granted. A postponed one waits until no worker
 * would postpone it again. INT64_MAX: there is none. */
static int64_t backlog_at(struct work *w, int64_t now, uint64_t *after, uint64_t *upto) {
  int64_t until = held_postpones_until(&w->held, now);
  if (leases_backlog_next(w->leases, until <= now, after, upto)) return now;
  return leases_backlog_next(w->leases, true, after, upto) ? until : INT64_MAX;
}

static bool fits(const struct work *w) { return fit_ask_at(w->context->fit) == INT64_MAX; }

/* Gives one batch; true: there may be another. New changes and backlog take turns, so that neither
 * waits for the end of the other. */
static bool give_batch(struct work *w) {
  int64_t now = ck_boot_ms();
  struct demand *to = demands_batch(&w->demands, now);
  struct lease again;
  if (!to || !fits(w) || pace_next(&w->context->pace, w->granted_at) > now ||
      meter_batch_at(w->meter, now) > now)
    return false;
  if (leases_regrant(w->leases, now, &again)) return grant_again(w, to, &again);
  size_t in_flight;
  uint64_t next = leases_next(w->leases, &in_flight), after, upto;
  if (leases_full(w->leases)) return false;
  bool fresh = next < atomic_load(&w->context->head),
       backlog = backlog_at(w, now, &after, &upto) <= now;
  w->backlog_turn = backlog && (!fresh || !w->backlog_turn);
  if (w->backlog_turn) return grant_new(w, to, after, upto, now);
  return fresh && grant_new(w, to, next, UINT64_MAX, now);
}

/* When there is something for a worker that wants a batch: new changes, a backlog, or the range of
 * an expired lease. INT64_MAX: nothing yet. */
static int64_t there_at(struct work *w, int64_t now) {
  size_t in_flight;
  uint64_t after, upto;
  if (!demands_batch(&w->demands, now) || !fits(w)) return INT64_MAX;
  if (leases_full(w->leases)) return leases_deadline(w->leases);
  if (leases_next(w->leases, &in_flight) < atomic_load(&w->context->head)) return now;
  return earlier(backlog_at(w, now, &after, &upto), leases_deadline(w->leases));
}

/* When it is to be sent. */
static int64_t work_at(struct work *w, int64_t now) {
  return later(there_at(w, now), pace_next(&w->context->pace, w->granted_at));
}

/* Tokens and batches take turns too, so that the requests of split batches do not use up the whole
 * rate. */
static bool is_tokens_turn(struct work *w, int64_t now) {
  return !w->batch_turn || work_at(w, now) > now;
}

static bool grant(struct work *w, struct demand *to, unsigned tokens, const char *run,
                  const char *task) {
  struct ck_message m = {.kind = CK_MSG_GRANT};
  m.as.grant = (struct ck_grant){to->request, tokens, CK_TOKEN_MS, ck_str_of(run), ck_str_of(task)};
  demands_served(&w->demands, to);
  if (!send_to(w, to, &m)) demands_forget(&w->demands, to);
  return true;
}

static bool give_tokens(struct work *w) {
  int64_t now = ck_boot_ms();
  struct demand *to = is_tokens_turn(w, now) ? demands_tokens(&w->demands, now) : NULL;
  unsigned n = to ? meter_tokens(w->meter, (unsigned)to->tokens, now) : 0;
  if (!n) return false;
  to->tokens -= n;
  w->batch_turn = true;
  return grant(w, to, n, "", "");
}

/* While the sink is down, the workers probe it in turn, so that all of them together cost no more
 * requests than one. */
static bool give_probe(struct work *w) {
  int64_t now = ck_boot_ms();
  struct demand *to = now >= w->probe_at ? demands_probe(&w->demands, now) : NULL;
  if (!to || !meter_tokens(w->meter, 1, now)) return false;
  w->probe_at = now + PROBE_MS;
  to->probe = false;
  return grant(w, to, 1, "", "");
}

/* When a worker that wants batches is to read the mirror's witness first. */
static int64_t witness_at(struct work *w, int64_t now) {
  int64_t at = demands_batch(&w->demands, now) ? fit_ask_at(w->context->fit) : INT64_MAX;
  return at == INT64_MAX ? at : later(at, meter_token_at(w->meter, now));
}

static bool ask_witness(struct work *w) {
  int64_t now = ck_boot_ms();
  struct demand *to = witness_at(w, now) <= now ? demands_batch(&w->demands, now) : NULL;
  if (!to || !meter_tokens(w->meter, 1, now)) return false;
  fit_asked(w->context->fit, now);
  return grant(w, to, 1, fit_run(w->context->fit), "");
}

/* What compares the mirror with the database runs beside a worker. */
static bool give_task(struct work *w) {
  int64_t now = ck_boot_ms(), wall = ck_now_ms();
  struct demand *to = demands_batch(&w->demands, now);
  int64_t shown = wall + 1000 * ck_zone_offset(w->zone, wall / 1000);
  const char *task =
      to ? fit_task_due(w->context->fit, leases_cursor(w->leases), now, wall, shown) : NULL;
  if (!task) return false;
  fit_task_asked(w->context->fit, now);
  ck_log(CK_INFO, to->worker, "task", "words=%s", ck_quotedz(task));
  return grant(w, to, 0, "", task);
}

/* ---- what comes in ---- */

static void refuse(struct work *w, struct ck_str frame, const char *reason) {
  atomic_fetch_add(&w->context->rejected, 1);
  ck_log(CK_WARN, "-", "rejected", "door=work bytes=%zu reason=%s", frame.n, ck_quotedz(reason));
  rejected_keep("work", frame, reason);
}

static void other_sink(struct work *w, struct demand *from, struct ck_str theirs) {
  struct ck_err err;
  struct ck_message m = {.kind = CK_MSG_PROBLEM};
  ck_fail(&err, "the store's sink is %s, this worker's %.*s", w->sink,
          (int)ck_utf8_cut(theirs, 40).n, theirs.s);
  m.as.problem = (struct ck_problem){from->request, CK_LIT("sink"), ck_str_of(err.text)};
  send_to(w, from, &m);
  demands_forget(&w->demands, from);
}

static void take_demand(struct work *w, struct ck_str identity, const struct ck_demand *said,
                        int64_t now) {
  struct demand *from = demands_take(&w->demands, identity, said, now);
  if (from && !ck_str_is(said->sink, w->sink))
    other_sink(w, from, said->sink);
  else if (from && said->hold)
    meter_pause(w->meter, said->hold < HOLD_MAX ? (int64_t)said->hold : HOLD_MAX, now);
}

/* A worker with another sink has no lease from this run, so its HELD is ignored; its DEMAND gets a
 * PROBLEM that says why. */
static void take_held(struct work *w, const struct ck_held *said, struct ck_str frame,
                      int64_t now) {
  struct ck_err err;
  if (ck_str_is(said->sink, w->sink) && held_take(&w->held, said, w->leases, now, &err))
    refuse(w, frame, err.text);
}

static void take_frame(struct work *w, struct ck_str identity, struct ck_str frame) {
  struct ck_message m;
  struct ck_err err;
  if (ck_message_decode(&m, frame.s, frame.n, &err))
    refuse(w, frame, err.text);
  else if (m.kind == CK_MSG_DEMAND)
    take_demand(w, identity, &m.as.demand, ck_boot_ms());
  else if (m.kind == CK_MSG_HELD)
    take_held(w, &m.as.held, frame, ck_boot_ms());
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

static int64_t batch_due(struct work *w, int64_t now) {
  int64_t at = work_at(w, now);
  return at == INT64_MAX ? at : later(at, meter_batch_at(w->meter, now));
}

static int wait_ms(struct work *w) {
  int64_t now = ck_boot_ms(), due = batch_due(w, now);
  if (demands_tokens(&w->demands, now) && is_tokens_turn(w, now))
    due = earlier(due, meter_token_at(w->meter, now));
  if (demands_probe(&w->demands, now))
    due = earlier(due, later(w->probe_at, meter_token_at(w->meter, now)));
  due = earlier(due, witness_at(w, now));
  if (due == INT64_MAX) return -1;
  /* Due now, and yet it was not given: the reason has been logged. */
  return due <= now ? AGAIN_MS : due - now < 60000 ? (int)(due - now) : 60000;
}

static void *run(void *self) {
  struct work *w = self;
  while (!atomic_load(&w->context->stop)) {
    take_frames(w);
    while (!atomic_load(&w->context->stop) &&
           (give_tokens(w) || give_probe(w) || ask_witness(w) || give_task(w) || give_batch(w)))
      take_frames(w);
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

struct work *work_start(struct context *context, struct leases *leases, struct ck_err *err) {
  struct work *w = ck_zalloc(sizeof *w);
  w->context = context;
  w->leases = leases;
  w->meter = context->meter;
  w->batch_bytes = (size_t)ck_set_int(context->settings, CK_SET_SYNC_BATCH);
  w->sink = ck_set_text(context->settings, CK_SET_SYNC_SINK);
  bool ok = db_open_reader(&w->db, err) == 0 && (w->scan = scan_new(w->db, err)) &&
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
  demands_free(&w->demands);
  ck_zone_free(&w->zone);
  ck_buf_free(&w->changes);
  free(w);
  *work = NULL;
}
