/* See client.h. The store's receipts come in the order of its changesets, so those without one form
 * a queue. */
#include "tests/harness/client.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "proto/push.h"
#include "tests/harness/base.h"
#include "tests/harness/ring.h"
#include "tests/harness/talk.h"

#define LOOK_MS 500
#define ANSWER_MS 100

struct delivery {
  struct delivery *next;
  char *job_id, *offer, *body, token[33];
  uint64_t attempt;
  enum { CLAIMING, ASKED, HOLDING, ENDING } state; /* ASKED: is the claim ours? */
  struct t_client_plan plan;
  int64_t until, extend_at; /* boot; extend_at 0: not to be extended */
};

struct t_client {
  char *id;
  struct t_client_plan (*plan)(void *self, const char *job_id);
  void *self;
  void *feed, *snapshot;
  struct ck_push *push;
  struct ck_memory_unacked *unacked;
  struct delivery *all;
  char **waiting; /* the job ids of the changesets without a receipt, in order; NULL: of none */
  size_t waiting_count;
  int64_t look_at;
  struct t_typed *typed;
  size_t typed_count;
  unsigned claimed, refused;
};

static struct delivery *find(const struct t_client *c, struct ck_str job_id) {
  struct delivery *d = c->all;
  while (d && !ck_str_is(job_id, d->job_id)) d = d->next;
  return d;
}

static void drop(struct t_client *c, struct delivery *d) {
  struct delivery **at = &c->all;
  while (*at != d) at = &(*at)->next;
  *at = d->next;
  free(d->job_id), free(d->offer), free(d->body), free(d);
}

/* ---- to the store ---- */

/* of: the delivery that its receipt is for; NULL: its receipt does not matter. */
static void tell(struct t_client *c, const struct ck_mutation *m, const struct delivery *of) {
  struct ck_buf b = {0};
  ck_put_array(&b, 1);
  ck_mutation_encode(&b, m);
  ck_memory_unacked_add(c->unacked, ck_buf_view(&b));
  c->waiting = ck_realloc(c->waiting, (c->waiting_count + 1) * sizeof *c->waiting);
  c->waiting[c->waiting_count++] = of ? ck_strdup(of->job_id) : NULL;
  ck_buf_free(&b);
}

static void claim(struct t_client *c, struct delivery *d) {
  struct ck_mutation m = {.kind = CK_OP_CLAIM};
  m.as.claim = (struct ck_claim){.job_id = ck_str_of(d->job_id),
                                 .token = ck_str_of(d->token),
                                 .at = ck_now_ms(),
                                 .client = ck_str_of(c->id),
                                 .offer = ck_str_of(d->offer),
                                 .lease = (uint64_t)d->plan.lease_ms};
  d->state = CLAIMING;
  tell(c, &m, d);
}

static void extend(struct t_client *c, const struct delivery *d, bool matters) {
  struct ck_mutation m = {.kind = CK_OP_EXTEND};
  m.as.extend = (struct ck_extend){ck_str_of(d->job_id), d->attempt, ck_str_of(d->token),
                                   (uint64_t)d->plan.lease_ms};
  tell(c, &m, matters ? d : NULL);
}

static void end(struct t_client *c, struct delivery *d) {
  static const char *const outcomes[] = {"done", "released", "unknown"};
  struct ck_mutation m = {.kind = CK_OP_END};
  m.as.end = (struct ck_end){.job_id = ck_str_of(d->job_id),
                             .attempt = d->attempt,
                             .token = ck_str_of(d->token),
                             .outcome = ck_str_of(outcomes[d->plan.end]),
                             .error = d->plan.end == T_SENT ? CK_LIT("") : CK_LIT("as planned"),
                             .at = ck_now_ms()};
  d->state = ENDING;
  tell(c, &m, d);
}

static void hold(struct t_client *c, struct delivery *d) {
  c->claimed++;
  d->state = HOLDING;
  d->until = ck_boot_after(d->plan.hold_ms);
  d->extend_at = ck_boot_after(d->plan.hold_ms / 2);
}

/* Nothing is typed before the store has said durably that the attempt is ours. If it no longer
 * knows the claim's result (?), only the holder of the token can extend the lease. */
static void receipted(void *self, uint64_t number, char result, struct ck_str reason) {
  struct t_client *c = self;
  (void)number, (void)reason;
  char *job_id = c->waiting[0];
  memmove(c->waiting, c->waiting + 1, --c->waiting_count * sizeof *c->waiting);
  struct delivery *d = job_id ? find(c, ck_str_of(job_id)) : NULL;
  free(job_id);
  if (!d) return;
  if (d->state == ENDING) {
    drop(c, d);
  } else if (result == 'r') {
    c->refused++;
    drop(c, d);
  } else if (result == '?' && d->state == CLAIMING) {
    d->state = ASKED;
    extend(c, d, true);
  } else {
    hold(c, d);
  }
}

/* ---- offers ---- */

static void take(struct t_client *c, struct ck_str job_id, struct ck_str offer,
                 struct ck_str body) {
  if (find(c, job_id)) return;
  json_t *told = json_loadb(body.s, body.n, 0, NULL);
  T_CHECK(told != NULL, "an offer's body is not JSON: %.*s", (int)body.n, body.s);
  struct delivery *d = ck_zalloc(sizeof *d);
  d->job_id = ck_str_dup(job_id);
  d->offer = ck_str_dup(offer);
  d->body = ck_str_dup(body);
  d->attempt = (uint64_t)t_int_at(told, "attempt", 0);
  ck_random_id(d->token);
  d->plan = c->plan(c->self, d->job_id);
  d->next = c->all;
  c->all = d;
  json_decref(told);
  claim(c, d);
}

static void hear(struct t_client *c) {
  struct ck_buf b = {0};
  struct ck_message m;
  struct ck_err err;
  while (t_raw_recv(c->feed, &b, 0)) {
    T_CHECK(ck_message_decode(&m, b.data, b.len, &err) == 0 && m.kind == CK_MSG_DELIVERY,
            "not a delivery: %s", err.text);
    T_CHECK(ck_str_is(m.as.delivery.client, c->id), "a delivery for %.*s came to %s",
            (int)m.as.delivery.client.n, m.as.delivery.client.s, c->id);
    take(c, m.as.delivery.job_id, m.as.delivery.offer, m.as.delivery.body);
  }
  ck_buf_free(&b);
}

/* What was published while the store or the connection was away waits in `offers`. */
static void look(struct t_client *c) {
  struct ck_buf filter = {0};
  struct ck_message request = {.kind = CK_MSG_QUERY}, answer;
  zmq_msg_t frame;
  struct ck_err err;
  size_t i;
  json_t *row;
  if (ck_boot_ms() < c->look_at) return;
  c->look_at = ck_boot_after(LOOK_MS);
  ck_put_map(&filter, 1);
  ck_put_text(&filter, "client");
  ck_put_text(&filter, c->id);
  request.as.query =
      (struct ck_query){.table = CK_LIT("offers"), .filters = ck_buf_view(&filter), .limit = 100};
  int rc = ck_ask(c->snapshot, &request, &answer, &frame, ANSWER_MS, &err);
  ck_buf_free(&filter);
  if (rc) return; /* it is asked again */
  T_CHECK(answer.kind == CK_MSG_ROWS, "offers: %s", ck_message_name(answer.kind));
  json_t *rows = t_json_of(answer.as.rows.rows);
  json_array_foreach(rows, i, row)
      take(c, ck_str_of(t_text_at(row, "job_id")), ck_str_of(t_text_at(row, "offer")),
           ck_str_of(t_text_at(row, "body")));
  json_decref(rows);
  zmq_msg_close(&frame);
}

/* ---- typing ---- */

static void type(struct t_client *c, const struct delivery *d) {
  c->typed = ck_realloc(c->typed, (c->typed_count + 1) * sizeof *c->typed);
  c->typed[c->typed_count++] =
      (struct t_typed){ck_strdup(d->job_id), ck_strdup(d->body), ck_now_ms()};
}

static void hold_on(struct t_client *c, struct delivery *d) {
  int64_t now = ck_boot_ms();
  if (d->extend_at && now >= d->extend_at) {
    d->extend_at = 0;
    if (d->plan.end != T_FORGOTTEN) extend(c, d, false);
  }
  if (now < d->until) return;
  if (d->plan.types) type(c, d);
  if (d->plan.end == T_FORGOTTEN)
    drop(c, d);
  else
    end(c, d);
}

/* ---- for tests ---- */

struct t_client *t_client_new(const char *id,
                              struct t_client_plan (*plan)(void *self, const char *job_id),
                              void *self) {
  struct t_client *c = ck_zalloc(sizeof *c);
  struct ck_err err = {""};
  c->id = ck_strdup(id);
  c->plan = plan;
  c->self = self;
  c->feed = t_raw_socket(CK_DOOR_FEED, ZMQ_SUB);
  char *topic = ck_topic(CK_TOPIC_DELIVERY, ck_str_of(id));
  zmq_setsockopt(c->feed, ZMQ_SUBSCRIBE, topic, strlen(topic));
  free(topic);
  c->snapshot = ck_door_connect(t_settings(), CK_DOOR_SNAPSHOT, &err);
  c->unacked = ck_memory_unacked_new(receipted, c);
  struct ck_unacked ops = ck_memory_unacked_ops(c->unacked);
  c->push = ck_push_new(t_settings(), id, &ops, 16, &err);
  T_CHECK(c->snapshot && c->push, "a client cannot connect: %s", err.text);
  return c;
}

void t_client_step(struct t_client *c) {
  ck_push_step(c->push);
  T_CHECK(!ck_push_usurped(c->push), "another process is client %s", c->id);
  hear(c);
  look(c);
  for (struct delivery *d = c->all, *next; d; d = next) {
    next = d->next;
    if (d->state == HOLDING) hold_on(c, d);
  }
  ck_push_step(c->push);
}

int t_client_busy(const struct t_client *c) {
  int n = 0;
  for (const struct delivery *d = c->all; d; d = d->next) n++;
  return n;
}

const struct t_typed *t_client_typed(const struct t_client *c, size_t *n) {
  *n = c->typed_count;
  return c->typed;
}

unsigned t_client_claimed(const struct t_client *c) { return c->claimed; }
unsigned t_client_refused(const struct t_client *c) { return c->refused; }

void t_client_free(struct t_client **client) {
  struct t_client *c = *client;
  while (c->all) drop(c, c->all);
  for (size_t i = 0; i < c->typed_count; i++) free(c->typed[i].job_id), free(c->typed[i].body);
  for (size_t i = 0; i < c->waiting_count; i++) free(c->waiting[i]);
  free(c->typed), free(c->waiting), free(c->id);
  ck_push_free(&c->push);
  ck_memory_unacked_free(&c->unacked);
  ck_door_close(&c->snapshot, 0);
  t_raw_close(c->feed);
  free(c);
  *client = NULL;
}
