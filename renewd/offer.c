/* Jobs that their clients deliver: an offer waits in the store, without limit of time and without a
 * charge, until its client claims it. The attempt is the client's from there to its end; renewd
 * looks only whether its lease has run out. Meanwhile the conversation has no other delivery. */
#include "renewd/renewd.h"

#include <assert.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/clock.h"
#include "proto/log.h"
#include "proto/map.h"
#include "renewd/attempts.h"

/* After a refusal, or without an answer from the store, it is tried again after this long. */
#define AGAIN_MS 1000

/*               the next phase, after
 *   READING     OFFERING (what the offer says was read); SETTLING if that failed
 *   OFFERING    OPEN (OFFER's receipt); SETTLING if it was refused
 *   OPEN        TAKEN (its row says that the job runs); WITHDRAWING if the job must wait again
 *   WITHDRAWING SETTLING (WITHDRAW's receipt)
 *   TAKEN       ENDING (the lease has run out)
 *   ENDING      TAKEN (END's receipt): the lease is read again, whether END was refused or not
 *   SETTLING    TAKEN if the client was faster
 *
 * It is over as soon as the job's row says so; in TAKEN also when the attempt is unknown; in
 * SETTLING once renewd has followed everything that the receipt covers. */
enum phase { READING, OFFERING, OPEN, WITHDRAWING, TAKEN, ENDING, SETTLING };

#define TO(phase) (1u << (phase))
static const unsigned may_become[] = {
    [READING] = TO(OFFERING) | TO(SETTLING),
    [OFFERING] = TO(OPEN) | TO(SETTLING),
    [OPEN] = TO(TAKEN) | TO(WITHDRAWING),
    [WITHDRAWING] = TO(SETTLING),
    [TAKEN] = TO(ENDING),
    [ENDING] = TO(TAKEN),
    [SETTLING] = TO(TAKEN),
};

struct offer {
  struct renew_node node;     /* its id is the job's; first */
  struct renew_waiter waiter; /* once it is over */
  struct renewd *r;
  enum phase phase;
  unsigned out;     /* answers and receipts to come, for which this is kept */
  bool over;        /* it is kept for those only, a waiter and not in the index */
  uint64_t version; /* READING: of the job; SETTLING: to be followed */
  int64_t hold;     /* SETTLING: the job is not to be claimed before */
  int64_t until;    /* TAKEN: when the lease runs out */
  int64_t attempt;
  bool unknown; /* TAKEN: the lease's state, as it was read */
  bool again;   /* TAKEN: the row has changed since the lease was asked for */
  bool refused; /* TAKEN: the store refused END, so the lease goes on */
  char *conversation_id, *message_id, *last_message_id, *payload, *payload_kind, *snapshot;
};

static void enter(struct offer *o, enum phase next) {
  assert(may_become[o->phase] & TO(next));
  o->phase = next;
  o->r->offers.changed = true;
}

static void offer_free(struct offer *o) {
  free(o->message_id);
  free(o->last_message_id);
  free(o->payload);
  free(o->payload_kind);
  free(o->snapshot);
  free(o->conversation_id);
  free(o->node.id);
  free(o);
}

static void over_free(struct renew_waiter *w) {
  offer_free((struct offer *)((char *)w - offsetof(struct offer, waiter)));
}

static struct offer *offer_new(struct renewd *r, struct renew_job *j, enum phase phase) {
  struct offer *o = ck_zalloc(sizeof *o);
  o->r = r;
  o->phase = phase;
  o->until = RENEW_NEVER;
  o->node.id = ck_strdup(j->node.id);
  o->conversation_id = ck_strdup(j->of->node.id);
  renew_index_add(&r->offers.all, &o->node);
  renew_state_offer(&r->state, j, renew_now());
  return o;
}

/* The offer is over: the job, if it still waits, may be claimed again. */
static void finish(struct offer *o, int64_t hold) {
  renew_index_remove(&o->r->offers.all, &o->node);
  renew_state_offered(&o->r->state, ck_str_of(o->node.id), hold, renew_now());
  o->over = true;
  if (o->out)
    renew_waiter_add(&o->r->waiters, &o->waiter, over_free);
  else
    offer_free(o);
}

/* An answer or receipt came. False: nobody waits for it any more. */
static bool arrived(struct offer *o) {
  o->out--;
  if (o->over && !o->out) {
    renew_waiter_remove(&o->waiter);
    offer_free(o);
    return false;
  }
  return !o->over;
}

/* ---- offering ---- */

static void settle(struct offer *o, uint64_t version, int64_t hold) {
  o->version = version;
  o->hold = hold;
  enter(o, SETTLING);
}

static void offer_receipted(void *self, char result, struct ck_str reason, uint64_t version) {
  struct offer *o = self;
  if (!arrived(o)) return;
  if (result == 'r') {
    ck_log(CK_WARN, o->node.id, "offer_refused", "reason=%s", ck_quoted(reason));
    settle(o, version, ck_boot_after(AGAIN_MS));
  } else {
    enter(o, OPEN);
  }
}

static void send_offer(struct offer *o, const struct renew_target *target, struct ck_str body) {
  struct renewd *r = o->r;
  char id[33];
  ck_random_id(id);
  struct ck_mutation m = {.kind = CK_OP_OFFER};
  m.as.offer = (struct ck_offer){.job_id = ck_str_of(o->node.id),
                                 .client = ck_str_of(renew_target_client(target)),
                                 .offer = ck_str_of(id),
                                 .body = body,
                                 .rest = (uint64_t)r->rules.cooldown,
                                 .version = o->version};
  enter(o, OFFERING);
  o->out++;
  renew_outcomes_add(r->outcomes, &m, offer_receipted, o);
}

static void cancelled(void *self, char result, struct ck_str reason, uint64_t version) {
  struct offer *o = self;
  (void)result;
  (void)reason;
  if (arrived(o)) settle(o, version, ck_boot_after(AGAIN_MS));
}

/* No client could read it, however often it is offered. */
static void cancel(struct offer *o, const char *why) {
  struct ck_mutation m = {.kind = CK_OP_CANCEL};
  m.as.cancel = (struct ck_cancel){ck_str_of(o->node.id), ck_str_of(why), ck_now_ms()};
  enter(o, OFFERING);
  o->out++;
  renew_outcomes_add(o->r->outcomes, &m, cancelled, o);
}

static void write_offer(struct offer *o, const struct renew_target *target) {
  const struct renew_letter letter = {.job_id = ck_str_of(o->node.id),
                                      .conversation_id = ck_str_of(o->conversation_id),
                                      .payload = ck_str_of(o->payload),
                                      .payload_kind = ck_str_of(o->payload_kind),
                                      .attempt = o->attempt,
                                      .target = target,
                                      .message_id = ck_str_of(o->message_id),
                                      .last_message_id = ck_str_of(o->last_message_id)};
  struct ck_buf body = {0};
  struct ck_err err;
  if (renew_letter_json(&body, &letter, &err))
    cancel(o, err.text);
  else
    send_offer(o, target, ck_buf_view(&body));
  ck_buf_free(&body);
}

static void offer_read(void *self, const char *problem) {
  struct offer *o = self;
  struct renew_target target = {0};
  if (!arrived(o)) return;
  if (problem) renew_outcomes_error(o->r->outcomes, problem);
  if (!problem && renew_target_parse(&target, ck_str_of(o->snapshot), NULL) == 0 &&
      renew_target_client(&target))
    write_offer(o, &target);
  else
    settle(o, 0, ck_boot_after(AGAIN_MS)); /* if its row has changed, it comes */
  renew_target_free(&target);
}

static void job_came(void *self, const struct renew_reply *reply) {
  struct offer *o = self;
  o->version = reply->head;
  o->attempt = ck_map_int(reply->first, "attempt_count", 0) + 1;
  o->message_id = ck_str_dup(ck_map_str(reply->first, "message_id"));
  o->payload = ck_str_dup(ck_map_str(reply->first, "payload"));
  o->payload_kind = ck_str_dup(ck_map_str(reply->first, "payload_kind"));
  o->snapshot = ck_str_dup(ck_map_str(reply->first, "target_snapshot"));
}

static void conversation_came(void *self, const struct renew_reply *reply) {
  struct offer *o = self;
  o->last_message_id = ck_str_dup(ck_map_str(reply->first, "last_message_id"));
}

void renew_offer(struct renewd *r, struct renew_job *j) {
  struct offer *o = offer_new(r, j, READING);
  const struct renew_query queries[] = {
      {"renewal_jobs", {{"job_id", ck_textz(o->node.id)}}, job_came},
      {"local_conversations",
       {{"local_conversation_id", ck_textz(o->conversation_id)}},
       conversation_came}};
  o->out++;
  renew_query_all(r->queries, queries, 2, offer_read, o);
}

static void withdrawn(void *self, char result, struct ck_str reason, uint64_t version) {
  struct offer *o = self;
  (void)result;
  (void)reason;
  if (arrived(o)) settle(o, version, 0);
}

static void withdraw(struct offer *o) {
  struct ck_mutation m = {.kind = CK_OP_WITHDRAW};
  m.as.withdraw.job_id = ck_str_of(o->node.id);
  ck_log(CK_INFO, o->node.id, "withdrawn", "conversation=%s", ck_quotedz(o->conversation_id));
  enter(o, WITHDRAWING);
  o->out++;
  renew_outcomes_add(o->r->outcomes, &m, withdrawn, o);
}

/* ---- the client's attempt ---- */

static void read_lease(struct offer *o);

static void lease_known(void *self, const char *problem) {
  struct offer *o = self;
  if (!arrived(o)) return;
  if (o->again) {
    read_lease(o);
  } else if (problem) {
    o->until = ck_boot_after(AGAIN_MS);
  } else if (o->unknown) {
    finish(o, 0);
    return;
  }
  o->r->offers.changed = true;
}

/* The store's clock and ours are the same one, unless the store is elsewhere: then END is tried
 * again rather than at once. */
static void lease_came(void *self, const struct renew_reply *reply) {
  struct offer *o = self;
  struct renew_now now = renew_now();
  struct ck_str state = ck_map_str(reply->first, "state");
  o->unknown = ck_str_is(state, "unknown");
  o->attempt = ck_map_int(reply->first, "attempt", 0);
  o->until = RENEW_NEVER; /* without a lease it has ended, and the row comes */
  if (!ck_str_is(state, "running")) return;
  int64_t left = ck_map_int(reply->first, "until", 0) - now.wall, least = o->refused ? AGAIN_MS : 0;
  o->until = now.boot + (left > least ? left : least);
}

static void read_lease(struct offer *o) {
  const struct renew_query lease = {"leases", {{"job_id", ck_textz(o->node.id)}}, lease_came};
  o->again = false;
  o->out++;
  renew_query_all(o->r->queries, &lease, 1, lease_known, o);
}

static void take(struct offer *o) {
  enter(o, TAKEN);
  o->refused = false;
  read_lease(o);
}

void renew_offer_taken(struct renewd *r, struct renew_job *j) {
  struct offer *o = offer_new(r, j, TAKEN);
  read_lease(o);
}

static void expired(void *self, char result, struct ck_str reason, uint64_t version) {
  struct offer *o = self;
  (void)version;
  if (result == 'r') ck_log(CK_INFO, o->node.id, "lease_goes_on", "reason=%s", ck_quoted(reason));
  if (!arrived(o)) return;
  enter(o, TAKEN);
  o->refused = result == 'r';
  read_lease(o);
}

static void expire(struct offer *o) {
  struct renewd *r = o->r;
  int64_t now = ck_now_ms();
  struct ck_mutation m = {.kind = CK_OP_END};
  char path[RENEW_LOG_PATH];
  renew_log_path(path, now);
  m.as.end = (struct ck_end){.job_id = ck_str_of(o->node.id),
                             .attempt = (uint64_t)o->attempt,
                             .outcome = ck_str_of(renew_outcome_name(RENEW_UNKNOWN)),
                             .error = CK_LIT("the client claimed it, and its lease ran out"),
                             .log_path = ck_str_of(path),
                             .at = now};
  enter(o, ENDING);
  o->out++;
  renew_outcomes_add(r->outcomes, &m, expired, o);
}

/* ---- rows ---- */

/* Whatever changes a job withdraws its offer. */
static void row_pending(struct offer *o) {
  if (o->phase == TAKEN || o->phase == ENDING || o->phase == OPEN) finish(o, 0);
}

static void row_running(struct offer *o) {
  if (o->phase == OPEN)
    take(o);
  else if (o->phase == TAKEN && o->out)
    o->again = true;
  else if (o->phase == TAKEN)
    read_lease(o);
}

void renew_offer_row(struct renewd *r, const struct ck_row *row) {
  struct offer *o = (struct offer *)renew_index_find(&r->offers.all, ck_row_key(row));
  struct ck_str status = ck_row_text(row, CK_JOBS_STATUS);
  if (!o) return;
  if (ck_str_is(status, "pending")) {
    row_pending(o);
  } else if (ck_str_is(status, "running")) {
    row_running(o);
  } else {
    finish(o, 0);
  }
}

/* ---- offers that a former run has made ---- */

static void page_came(void *self, const struct renew_reply *reply) {
  struct renewd *r = self;
  struct ck_reader rows = ck_reader_of(reply->all);
  struct ck_str row;
  uint32_t n = 0;
  if (r->offers.reset || ck_read_array(&rows, &n)) n = 0;
  r->offers.loaded = reply->rows < RENEW_PAGE && !reply->problem && !r->offers.reset;
  for (; n && ck_read_raw(&rows, &row) == 0; n--) {
    struct renew_job *j = renew_state_job(&r->state, ck_map_str(row, "job_id"));
    if (j && !j->running && j->state == RENEW_JOB_FREE) offer_new(r, j, OPEN);
  }
}

static void page_known(void *self, const char *problem) {
  struct renewd *r = self;
  if (problem) renew_outcomes_error(r->outcomes, problem);
  r->offers.loading = false;
  r->offers.pages = r->offers.reset || problem ? 0 : r->offers.pages + 1;
  r->offers.reset = false;
  r->offers.changed = true;
}

void renew_offers_load(struct renewd *r) {
  if (r->offers.loaded || r->offers.loading || !r->recovered || r->recovering) return;
  r->offers.loading = true;
  renew_query_page(r->queries, "offers", r->offers.pages * RENEW_PAGE, page_came, page_known, r);
}

/* ---- each turn ---- */

static void step(void *self, struct renew_node *node) {
  struct renewd *r = self;
  struct offer *o = (struct offer *)node;
  const struct renew_job *j = renew_state_job(&r->state, ck_str_of(node->id));
  struct renew_now now = renew_now();
  if (o->phase == OPEN && j && j->running) {
    take(o);
  } else if (o->phase == OPEN && (!j || !renew_state_may_go(j, now))) {
    withdraw(o);
  } else if (o->phase == TAKEN && !o->out && now.boot >= o->until) {
    expire(o);
  } else if (o->phase == SETTLING && ck_follow_cursor(r->follow) >= o->version &&
             ck_follow_live(r->follow)) {
    if (j && j->running)
      take(o);
    else
      finish(o, o->hold);
    return;
  }
  if (o->phase == TAKEN && !o->out && o->until < r->offers.at) r->offers.at = o->until;
}

void renew_offers_step(struct renewd *r) {
  if (!r->offers.changed && ck_boot_ms() < r->offers.at) return;
  r->offers.changed = false;
  r->offers.at = RENEW_NEVER;
  renew_index_each(&r->offers.all, step, r);
}

/* ---- all of it ---- */

static void reset(void *self, struct renew_node *node) {
  (void)self;
  finish((struct offer *)node, 0);
}

void renew_offers_reset(struct renewd *r) {
  renew_index_each(&r->offers.all, reset, r);
  r->offers.loaded = false;
  r->offers.reset = r->offers.loading;
  r->offers.pages = 0;
}

static void drop(void *self, struct renew_node *node) {
  struct renewd *r = self;
  renew_index_remove(&r->offers.all, node);
  offer_free((struct offer *)node);
}

void renew_offers_free(struct renewd *r) {
  renew_index_each(&r->offers.all, drop, r);
  renew_index_free(&r->offers.all);
}
