/* What is given for one mirror: batches of what it does not have yet, tokens, probes, tasks. Each
 * mirror has its own workers and turns, so none waits for another. */
#include <stdlib.h>

#include "proto/clock.h"
#include "proto/doors.h"
#include "proto/log.h"
#include "proto/wire.h"
#include "store/mirror/work_internal.h"

#define HOLD_MAX 86400000 /* ms; the longest pause that a worker can ask for */
#define PROBE_MS 1600     /* between two probes of a sink that is down */

static int64_t earlier(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t later(int64_t a, int64_t b) { return a > b ? a : b; }

/* A batch as it is being gathered; its changes are in work.changes. */
struct batch {
  uint64_t after, upto; /* the range (after, upto]; a full batch lowers upto */
  size_t bytes_max;     /* full at this size */
  bool with_parents;    /* add what the records point to */
  uint32_t records;     /* parents included */
  bool all_parents;     /* everything that the records point to is in it */
};

/* ---- what goes out ---- */

static bool send_to(struct outlet *o, const struct demand *to, const struct ck_message *m) {
  struct ck_buf out = {0};
  ck_message_encode(&out, m);
  return ck_send_to_owned(o->work->door, (struct ck_str){to->identity, to->identity_n}, &out) == 0;
}

/* Adds records in the order of their versions. Lowers b->upto to the last one if the batch is full
 * before the range ends. */
static int add_records(struct outlet *o, struct batch *b, struct ck_err *err) {
  uint64_t version;
  struct ck_row row;
  int rc;
  while ((rc = scan_next(o->work->scan, &version, &row, err)) > 0 && version <= b->upto) {
    if (!scan_encode(&o->work->changes, version, &row)) {
      b->upto = version - 1;
      return 0;
    }
    ++b->records;
    if (b->with_parents && parents_note(o->work->parents, version, &row, err)) return -1;
    if (o->work->changes.len + parents_bytes(o->work->parents) < b->bytes_max) continue;
    b->upto = version;
    return 0;
  }
  return rc < 0 ? -1 : 0;
}

static void add_parents(struct outlet *o, struct batch *b) {
  b->records += parents_put(o->work->parents, b->upto, &o->work->changes, &b->all_parents);
  b->all_parents &= b->with_parents;
}

/* Fills work.changes with the newest state of the batch's records. -1: they cannot be read. */
static int gather(struct outlet *o, struct batch *b, struct ck_err *err) {
  uint64_t head;
  ck_buf_clear(&o->work->changes);
  if (scan_begin(o->work->scan, b->after, 0, &head, err)) return -1;
  if (b->upto > head) b->upto = head;
  parents_begin(o->work->parents, b->after, leases_cursor(o->mirror->leases));
  size_t open = ck_open_array(&o->work->changes);
  int rc = add_records(o, b, err);
  scan_end(o->work->scan);
  add_parents(o, b);
  ck_close_array(&o->work->changes, open, b->records);
  return rc;
}

/* The trouble is over when no mirror's batch is in it any more: it could be gathered, or nobody
 * asks for it. */
static void readable(struct outlet *o) {
  bool any = false;
  o->unreadable = false;
  for (size_t i = 0; i < o->work->n; ++i) any |= o->work->outlets[i].unreadable;
  if (!any) context_trouble(o->work->context, TROUBLE_BATCHES, NULL);
}

static bool send_batch(struct outlet *o, struct demand *to, const struct lease *l,
                       bool all_parents) {
  readable(o);
  struct ck_message m = {.kind = CK_MSG_BATCH};
  struct fit_view fit;
  fit_read(o->mirror->fit, &fit);
  m.as.batch = (struct ck_batch){.store_id = ck_str_of(o->work->context->store_id),
                                 .sink = ck_str_of(o->mirror->sink),
                                 .generation = l->generation,
                                 .after = l->after,
                                 .upto = l->upto,
                                 .changes = ck_buf_view(&o->work->changes),
                                 .parents = all_parents,
                                 .run = ck_str_of(fit_run(o->mirror->fit)),
                                 .before = ck_str_of(fit.before),
                                 .least = fit.least};
  if (!send_to(o, to, &m)) {
    leases_return(o->mirror->leases, l->generation);
    demands_forget(&o->demands, to); /* gone, or not reading; if it is there, it asks again */
    return false;
  }
  --to->batches;
  o->granted_at = ck_boot_ms();
  o->batch_turn = false;
  demands_served(&o->demands, to);
  return true;
}

static bool unreadable(struct outlet *o, const struct ck_err *err) {
  int64_t now = ck_boot_ms();
  if (now - o->complained_at >= 1000)
    ck_log(CK_ERROR, o->mirror->sink, "unreadable", "reason=%s", ck_quotedz(err->text));
  o->complained_at = now;
  o->unreadable = true;
  context_trouble(o->work->context, TROUBLE_BATCHES, err->text);
  return false;
}

/* This range fitted into one frame before, and can only have shrunk, unless its parents are now
 * included. If it does not fit any more, the lease is split; if there is no room for another lease,
 * the range goes without parents. */
static int gather_again(struct outlet *o, struct lease *l, struct batch *b, struct ck_err *err) {
  bool parents = o->held.parents;
  *b = (struct batch){.after = l->after,
                      .upto = l->upto,
                      .bytes_max = parents ? o->work->batch_bytes : CK_FRAME_MAX,
                      .with_parents = parents};
  if (gather(o, b, err)) return -1;
  if (b->upto >= l->upto) return 0;
  if (leases_split(o->mirror->leases, l->generation, b->upto)) {
    l->upto = b->upto;
    return 0;
  }
  *b = (struct batch){.after = l->after, .upto = l->upto, .bytes_max = CK_FRAME_MAX};
  return gather(o, b, err);
}

/* Sends a range whose lease expired, or was returned, once more. */
static bool grant_again(struct outlet *o, struct demand *to, struct lease *l) {
  struct ck_err err;
  struct batch b;
  if (gather_again(o, l, &b, &err)) {
    leases_return(o->mirror->leases, l->generation);
    return unreadable(o, &err);
  }
  ck_log(CK_INFO, to->worker, "leased_again", "after=%llu upto=%llu generation=%llu",
         (unsigned long long)l->after, (unsigned long long)l->upto,
         (unsigned long long)l->generation);
  if (b.records) meter_batch(o->mirror->meter, ck_boot_ms());
  return send_batch(o, to, l, b.all_parents);
}

static bool grant_new(struct outlet *o, struct demand *to, uint64_t after, uint64_t limit,
                      int64_t now) {
  struct ck_err err;
  struct batch b = {.after = after,
                    .upto = limit,
                    .bytes_max = o->work->batch_bytes,
                    .with_parents = o->held.parents};
  if (gather(o, &b, &err)) return unreadable(o, &err);
  if (b.upto <= after) return false;
  struct lease l = leases_grant(o->mirror->leases, after, b.upto, now);
  if (!l.generation) return true; /* `sync backfill` has restarted the mirror meanwhile */
  if (b.records) meter_batch(o->mirror->meter, now);
  return send_batch(o, to, &l, b.all_parents);
}

/* When a piece of a backlog, (*after, *upto], may be granted. A postponed one waits until no worker
 * would postpone it again. INT64_MAX: there is none. */
static int64_t backlog_at(struct outlet *o, int64_t now, uint64_t *after, uint64_t *upto) {
  int64_t until = held_postpones_until(&o->held, now);
  if (leases_backlog_next(o->mirror->leases, until <= now, after, upto)) return now;
  return leases_backlog_next(o->mirror->leases, true, after, upto) ? until : INT64_MAX;
}

static bool fits(const struct outlet *o) {
  return fit_ask_at(o->mirror->fit) == INT64_MAX && !mirrors_set_back(o->work->context->mirrors);
}

/* Gives one batch; true: there may be another. New changes and backlog take turns, so that neither
 * waits for the end of the other. */
static bool give_batch(struct outlet *o) {
  int64_t now = ck_boot_ms();
  struct demand *to = demands_batch(&o->demands, now);
  struct lease again;
  if (!to || !fits(o) || pace_next(&o->work->context->pace, o->granted_at) > now ||
      meter_batch_at(o->mirror->meter, now) > now)
    return false;
  if (leases_regrant(o->mirror->leases, now, &again)) return grant_again(o, to, &again);
  size_t in_flight;
  uint64_t next = leases_next(o->mirror->leases, &in_flight), after, upto;
  if (leases_full(o->mirror->leases)) return false;
  bool fresh = next < atomic_load(&o->work->context->head),
       backlog = backlog_at(o, now, &after, &upto) <= now;
  o->backlog_turn = backlog && (!fresh || !o->backlog_turn);
  if (o->backlog_turn) return grant_new(o, to, after, upto, now);
  return fresh && grant_new(o, to, next, UINT64_MAX, now);
}

/* When there is something for a worker that wants a batch: new changes, a backlog, or the range of
 * an expired lease. INT64_MAX: nothing yet. */
static int64_t there_at(struct outlet *o, int64_t now) {
  size_t in_flight;
  uint64_t after, upto;
  if (!demands_batch(&o->demands, now) || !fits(o)) return INT64_MAX;
  if (leases_full(o->mirror->leases)) return leases_deadline(o->mirror->leases);
  if (leases_next(o->mirror->leases, &in_flight) < atomic_load(&o->work->context->head)) return now;
  return earlier(backlog_at(o, now, &after, &upto), leases_deadline(o->mirror->leases));
}

/* When it is to be sent. */
static int64_t work_at(struct outlet *o, int64_t now) {
  return later(there_at(o, now), pace_next(&o->work->context->pace, o->granted_at));
}

/* Tokens and batches take turns too, so that the requests of split batches do not use up the whole
 * rate. */
static bool is_tokens_turn(struct outlet *o, int64_t now) {
  return !o->batch_turn || work_at(o, now) > now;
}

static bool grant(struct outlet *o, struct demand *to, unsigned tokens, const char *run,
                  const char *task) {
  struct ck_message m = {.kind = CK_MSG_GRANT};
  m.as.grant = (struct ck_grant){to->request, tokens, CK_TOKEN_MS, ck_str_of(run), ck_str_of(task)};
  demands_served(&o->demands, to);
  if (!send_to(o, to, &m)) demands_forget(&o->demands, to);
  return true;
}

static bool give_tokens(struct outlet *o) {
  int64_t now = ck_boot_ms();
  struct demand *to = is_tokens_turn(o, now) ? demands_tokens(&o->demands, now) : NULL;
  unsigned n = to ? meter_tokens(o->mirror->meter, (unsigned)to->tokens, now) : 0;
  if (!n) return false;
  to->tokens -= n;
  o->batch_turn = true;
  return grant(o, to, n, "", "");
}

/* While the sink is down, the workers probe it in turn, so that all of them together cost no more
 * requests than one. */
static bool give_probe(struct outlet *o) {
  int64_t now = ck_boot_ms();
  struct demand *to = now >= o->probe_at ? demands_probe(&o->demands, now) : NULL;
  if (!to || !meter_tokens(o->mirror->meter, 1, now)) return false;
  o->probe_at = now + PROBE_MS;
  to->probe = false;
  return grant(o, to, 1, "", "");
}

/* When a worker that wants batches is to read the mirror's witness first. */
static int64_t witness_at(struct outlet *o, int64_t now) {
  int64_t at = demands_batch(&o->demands, now) ? fit_ask_at(o->mirror->fit) : INT64_MAX;
  return at == INT64_MAX ? at : later(at, meter_token_at(o->mirror->meter, now));
}

static bool ask_witness(struct outlet *o) {
  int64_t now = ck_boot_ms();
  struct demand *to = witness_at(o, now) <= now ? demands_batch(&o->demands, now) : NULL;
  if (!to || !meter_tokens(o->mirror->meter, 1, now)) return false;
  fit_asked(o->mirror->fit, now);
  return grant(o, to, 1, fit_run(o->mirror->fit), "");
}

/* What compares the mirror with the database runs beside a worker. */
static bool give_task(struct outlet *o) {
  int64_t now = ck_boot_ms(), wall = ck_now_ms();
  struct demand *to = demands_batch(&o->demands, now);
  int64_t shown = wall + 1000 * ck_zone_offset(o->work->zone, wall / 1000);
  const char *task = to && fits(o) ? fit_task_due(o->mirror->fit, leases_cursor(o->mirror->leases),
                                                  now, wall, shown)
                                   : NULL;
  if (!task) return false;
  fit_task_asked(o->mirror->fit, now);
  ck_log(CK_INFO, to->worker, "task", "words=%s", ck_quotedz(task));
  return grant(o, to, 0, "", task);
}

/* ---- the turn ---- */

bool outlet_turn(struct outlet *o) {
  if (o->unreadable && !demands_batch(&o->demands, ck_boot_ms())) readable(o);
  return give_tokens(o) || give_probe(o) || ask_witness(o) || give_task(o) || give_batch(o);
}

static int64_t batch_due(struct outlet *o, int64_t now) {
  int64_t at = work_at(o, now);
  return at == INT64_MAX ? at : later(at, meter_batch_at(o->mirror->meter, now));
}

int64_t outlet_due(struct outlet *o, int64_t now) {
  int64_t due = o->unreadable ? now : batch_due(o, now);
  if (demands_tokens(&o->demands, now) && is_tokens_turn(o, now))
    due = earlier(due, meter_token_at(o->mirror->meter, now));
  if (demands_probe(&o->demands, now))
    due = earlier(due, later(o->probe_at, meter_token_at(o->mirror->meter, now)));
  return earlier(due, witness_at(o, now));
}

void outlet_demand(struct outlet *o, struct ck_str identity, const struct ck_demand *said,
                   int64_t now) {
  if (demands_take(&o->demands, identity, said, now) && said->hold)
    meter_pause(o->mirror->meter, said->hold < HOLD_MAX ? (int64_t)said->hold : HOLD_MAX, now);
}
