/* A delivery: one attempt of one job, from the claim until the follower has seen all its results.
 *
 * Nothing is sent before the store has durably given us the lease. No job of the conversation is
 * claimed again before the follower has reached the version of the last receipt. */
#include "renewd/renewd.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/clock.h"
#include "proto/log.h"
#include "proto/map.h"
#include "renewd/attempts.h"

/* After a refusal the job is not claimed again for this long. */
#define REFUSED_HOLD_MS 1000

/*              the next phase, after
 *   ASKING     CLAIMING (the conversation is not braked); freed if it is, or nothing is known
 *   CLAIMING   LEASING (CLAIM's receipt); SETTLING if it was refused
 *   LEASING    SENDING (lease and job were read); ENDING if nothing is to be sent; SETTLING if the
 *              lease is not ours
 *   SENDING    ENDING (the channel has the result)
 *   ENDING     SETTLING (END's receipt)
 *   SETTLING   freed (the follower has reached the version) */
enum phase { ASKING, CLAIMING, LEASING, SENDING, ENDING, SETTLING };

#define TO(phase) (1u << (phase))
static const unsigned may_become[] = {
    [ASKING] = TO(CLAIMING),
    [CLAIMING] = TO(LEASING) | TO(SETTLING),
    [LEASING] = TO(SENDING) | TO(ENDING) | TO(SETTLING),
    [SENDING] = TO(ENDING),
    [ENDING] = TO(SETTLING),
    [SETTLING] = 0,
};

struct renew_delivery {
  struct renewd *r;
  struct renew_delivery *next;
  enum phase phase;
  char *job_id, *conversation_id, *message_id;
  bool may_be_superseded;
  int64_t next_attempt_at; /* wall: the job's when it was taken */
  struct renew_past past;
  char token[33];
  bool leased; /* the store's lease is ours */
  /* The conversation's row in the store, read with the lease. */
  bool paused, manual;
  char *last_message_id;
  uint64_t version; /* the store's when lease and job were read; then the one to be followed */
  struct renew_count count;
  int64_t hold; /* boot: the job is not to be claimed before; 0: none */
  char *payload, *payload_kind, *snapshot;
  struct renew_target target;
  struct ck_buf body;
  const struct renew_channel *channel;
  void *sending;
  int64_t started_us;
};

static void delivery_free(struct renew_delivery *d) {
  struct renew_delivery **at = &d->r->deliveries;
  while (*at != d) at = &(*at)->next;
  *at = d->next;
  free(d->job_id);
  free(d->conversation_id);
  free(d->message_id);
  free(d->last_message_id);
  free(d->payload);
  free(d->payload_kind);
  free(d->snapshot);
  renew_target_free(&d->target);
  ck_buf_free(&d->body);
  free(d);
}

static void enter(struct renew_delivery *d, enum phase next) {
  assert(may_become[d->phase] & TO(next));
  d->phase = next;
}

/* ---- the end ---- */

static void end_receipted(void *self, char result, struct ck_str reason, uint64_t version) {
  struct renew_delivery *d = self;
  if (result == 'r') {
    ck_log(CK_WARN, d->job_id, "end_refused", "attempt=%lld reason=%s", (long long)d->count.attempt,
           ck_quoted(reason));
    d->hold = ck_boot_after(REFUSED_HOLD_MS);
  }
  d->version = version;
  enter(d, SETTLING);
}

static void finish(struct renew_delivery *d, const struct renew_result *result) {
  struct renewd *r = d->r;
  int64_t now = ck_now_ms();
  struct renew_verdict v = renew_judge(&r->rules, &r->random, result, &d->count, now);
  int64_t took = d->started_us ? (ck_mono_us() - d->started_us) / 1000 : -1;
  if (result->error[0]) renew_outcomes_error(r->outcomes, result->error);
  ck_log(v.outcome == RENEW_DONE ? CK_INFO : CK_WARN, d->job_id, "attempted",
         "attempt=%lld channel=%s outcome=%s took_ms=%lld error=%s", (long long)d->count.attempt,
         d->target.kind ? d->target.kind : "-", renew_outcome_name(v.outcome), (long long)took,
         ck_quotedz(result->error));
  renew_attempt_log(&(struct renew_attempt){now,
                                            d->count.attempt,
                                            ck_str_of(d->job_id),
                                            ck_str_of(d->conversation_id),
                                            ck_str_of(d->message_id),
                                            &d->target,
                                            result,
                                            &v,
                                            took,
                                            {0}});
  enter(d, ENDING);
  renew_outcomes_end(r->outcomes,
                     &(struct renew_ending){ck_str_of(d->job_id), ck_str_of(d->token),
                                            d->count.attempt, now, result, &v},
                     end_receipted, d);
}

static void finish_as(struct renew_delivery *d, enum renew_outcome outcome, const char *error) {
  struct renew_result result;
  renew_result_set(&result, outcome, "%s", error);
  finish(d, &result);
}

/* ---- sending ---- */

/* Why not to send after all: somebody may have stopped it or answered since the claim. The store's
 * row is newer than what was followed when the queries were sent, and older than what came since.
 * NULL: send. */
static const char *held_back(const struct renew_delivery *d) {
  const struct renew_job *j = renew_state_job(&d->r->state, ck_str_of(d->job_id));
  if (d->r->stopping) return "renewd is stopping";
  if (d->paused || (j && j->of->automation == RENEW_PAUSED)) return "the conversation was paused";
  bool superseded = d->manual || (d->last_message_id[0] && d->message_id[0] &&
                                  strcmp(d->last_message_id, d->message_id) != 0);
  if (d->may_be_superseded && (superseded || (j && renew_state_is_superseded(j))))
    return "superseded since the claim";
  return NULL;
}

static void send(struct renew_delivery *d) {
  struct renewd *r = d->r;
  struct ck_err err;
  struct renew_result result;
  const char *held = held_back(d);
  if (held) {
    finish_as(d, RENEW_RELEASED, held);
    return;
  }
  renew_target_parse(&d->target, ck_str_of(d->snapshot), NULL);
  d->channel = renew_channel_of(&d->target);
  if (!d->channel) {
    finish_as(d, RENEW_RELEASED, "its target has changed since the claim");
    return;
  }
  struct renew_letter letter = {.job_id = ck_str_of(d->job_id),
                                .conversation_id = ck_str_of(d->conversation_id),
                                .payload = ck_str_of(d->payload),
                                .payload_kind = ck_str_of(d->payload_kind),
                                .attempt = d->count.attempt,
                                .target = &d->target};
  void *open = NULL;
  if (renew_letter_json(&d->body, &letter, &err) ||
      !(open = renew_channel_open(&r->channels, d->channel, &err))) {
    finish_as(d, RENEW_FAILED, err.text);
    return;
  }
  enter(d, SENDING);
  renew_state_begin(&r->state, ck_str_of(d->job_id), renew_now());
  d->started_us = ck_mono_us();
  d->sending = d->channel->start(
      open,
      &(struct renew_parcel){d->job_id, &d->target, ck_buf_view(&d->body), ck_str_of(d->payload)},
      &result);
  if (!d->sending) finish(d, &result);
}

/* ---- the lease ---- */

static void lease_known(void *self, const char *problem) {
  struct renew_delivery *d = self;
  struct ck_err err;
  if (d->leased && problem) {
    finish_as(d, RENEW_RELEASED, problem);
  } else if (!d->leased) {
    ck_log(CK_WARN, d->job_id, "not_leased", "reason=%s",
           ck_quotedz("the store's lease is not ours; nothing was sent"));
    d->hold = ck_boot_after(REFUSED_HOLD_MS);
    enter(d, SETTLING);
  } else if (renew_resolve_snapshot(d->r->settings, ck_str_of(d->snapshot), &err)) {
    finish_as(d, RENEW_RELEASED, err.text); /* its row has changed since the claim */
  } else {
    send(d);
  }
}

static void lease_came(void *self, const struct renew_reply *reply) {
  struct renew_delivery *d = self;
  d->leased = ck_str_is(ck_map_str(reply->first, "token"), d->token) &&
              ck_str_is(ck_map_str(reply->first, "state"), "running");
  d->count.attempt = ck_map_int(reply->first, "attempt", 0);
  if (reply->head > d->version) d->version = reply->head;
}

static void unreached_came(void *self, const struct renew_reply *reply) {
  struct renew_delivery *d = self;
  d->count.unreached = ck_map_int(reply->first, "count", 0);
  d->count.unreached_since = ck_map_int(reply->first, "since", 0);
}

static void job_came(void *self, const struct renew_reply *reply) {
  struct renew_delivery *d = self;
  if (reply->head > d->version) d->version = reply->head;
  d->message_id = ck_str_dup(ck_map_str(reply->first, "message_id"));
  d->payload = ck_str_dup(ck_map_str(reply->first, "payload"));
  d->payload_kind = ck_str_dup(ck_map_str(reply->first, "payload_kind"));
  d->snapshot = ck_str_dup(ck_map_str(reply->first, "target_snapshot"));
  d->count.max_attempts = ck_map_int(reply->first, "max_attempts", 1);
}

static void conversation_came(void *self, const struct renew_reply *reply) {
  struct renew_delivery *d = self;
  struct ck_str automation = ck_map_str(reply->first, "automation_status");
  if (reply->head > d->version) d->version = reply->head;
  d->paused = ck_str_is(automation, "paused");
  d->manual = !d->paused && !ck_str_is(automation, "auto");
  d->last_message_id = ck_str_dup(ck_map_str(reply->first, "last_message_id"));
}

static void claim_receipted(void *self, char result, struct ck_str reason, uint64_t version) {
  struct renew_delivery *d = self;
  if (result == 'r') {
    ck_log(CK_WARN, d->job_id, "claim_refused", "reason=%s", ck_quoted(reason));
    d->hold = ck_boot_after(REFUSED_HOLD_MS);
    d->version = version;
    enter(d, SETTLING);
    return;
  }
  /* The result may be '?', unknown. The lease tells: it has our token, or it has not. */
  struct ck_value id = ck_textz(d->job_id);
  const struct renew_query queries[] = {{"leases", {{"job_id", id}}, lease_came},
                                        {"unreached", {{"job_id", id}}, unreached_came},
                                        {"renewal_jobs", {{"job_id", id}}, job_came},
                                        {"local_conversations",
                                         {{"local_conversation_id", ck_textz(d->conversation_id)}},
                                         conversation_came}};
  enter(d, LEASING);
  renew_query_all(d->r->queries, queries, 4, lease_known, d);
}

static void claim(struct renew_delivery *d) {
  int64_t now = ck_now_ms();
  struct ck_mutation m = {.kind = CK_OP_CLAIM};
  ck_random_id(d->token);
  /* The job is due by the boot clock; after a step back, the wall clock may not be there yet. */
  m.as.claim = (struct ck_claim){.job_id = ck_str_of(d->job_id),
                                 .token = ck_str_of(d->token),
                                 .at = now > d->next_attempt_at ? now : d->next_attempt_at};
  enter(d, CLAIMING);
  renew_outcomes_add(d->r->outcomes, &m, claim_receipted, d);
}

/* ---- the brake ---- */

static void past_came(void *self, const struct renew_reply *reply) {
  struct renew_delivery *d = self;
  d->past.sixtieth_at = ck_map_int(reply->first, "sixtieth_at", INT64_MIN);
  d->past.has_sixtieth = d->past.sixtieth_at != INT64_MIN;
  d->past.stopped = ck_map_int(reply->first, "stopped", 0);
}

/* Its turn has come: a client's job is left to the client. */
static void go(struct renew_delivery *d) {
  struct renew_job *j = renew_state_job(&d->r->state, ck_str_of(d->job_id));
  if (j && j->client && j->state == RENEW_JOB_OURS) {
    renew_offer(d->r, j);
    delivery_free(d);
  } else {
    claim(d);
  }
}

static void past_known(void *self, const char *problem) {
  struct renew_delivery *d = self;
  struct renewd *r = d->r;
  struct renew_now now = renew_now();
  int64_t wait;
  enum renew_brake brake = renew_brake(&d->past, d->may_be_superseded, now.wall, &wait);
  if (!problem && !r->stopping && brake == RENEW_FREELY) {
    go(d);
    return;
  }
  if (problem || r->stopping) {
    renew_state_settle(&r->state, ck_str_of(d->job_id), ck_boot_after(REFUSED_HOLD_MS), now);
  } else {
    int64_t until = brake == RENEW_STOPPED ? RENEW_NEVER : now.boot + wait;
    ck_log(CK_WARN, d->conversation_id, "braked", "job=%s wait_ms=%lld", d->job_id,
           (long long)wait);
    renew_state_brake(&r->state, ck_str_of(d->job_id), (struct renew_braked){brake, until}, now);
  }
  delivery_free(d);
}

static void query_past(struct renew_delivery *d) {
  const struct renew_query brakes = {"brakes",
                                     {{"local_conversation_id", ck_textz(d->conversation_id)},
                                      {"in_a_row", ck_int(d->r->rules.in_a_row)}},
                                     past_came};
  renew_query_all(d->r->queries, &brakes, 1, past_known, d);
}

void renew_claim(struct renewd *r) {
  for (struct renew_job *j; (j = renew_state_claim(&r->state, renew_now()));) {
    struct renew_delivery *d = ck_zalloc(sizeof *d);
    d->r = r;
    d->job_id = ck_strdup(j->node.id);
    d->conversation_id = ck_strdup(j->of->node.id);
    d->may_be_superseded = j->automatic && !j->anyway;
    d->next_attempt_at = j->next_attempt_at;
    d->next = r->deliveries;
    r->deliveries = d;
    query_past(d);
  }
}

/* ---- each turn ---- */

static bool finish_if_over(struct renew_delivery *d) {
  struct renew_result result;
  if (d->phase != SENDING || !d->channel->over(d->sending, &result)) return false;
  d->sending = NULL;
  finish(d, &result);
  return true;
}

/* Live, too: one commit's changes may come in two frames, of which only the second reaches the
 * head. */
static bool is_followed(const struct renew_delivery *d) {
  return d->phase == SETTLING && ck_follow_cursor(d->r->follow) >= d->version &&
         ck_follow_live(d->r->follow);
}

void renew_deliver(struct renewd *r) {
  const struct renew_channel *c;
  void *open;
  for (int i = 0; renew_channel_at(&r->channels, i, &c, &open); i++)
    if (open) c->pump(open);
  for (struct renew_delivery *d = r->deliveries, *next; d; d = next) {
    next = d->next;
    if (finish_if_over(d) || !is_followed(d)) continue;
    renew_state_settle(&r->state, ck_str_of(d->job_id), d->hold, renew_now());
    delivery_free(d);
  }
}

void renew_delivery_reset(struct renewd *r) {
  for (struct renew_delivery *d = r->deliveries; d; d = d->next)
    if (d->phase == SETTLING) d->version = 0;
}

void renew_abandon(struct renewd *r) {
  while (r->deliveries) {
    struct renew_delivery *d = r->deliveries;
    if (d->phase == SENDING) {
      ck_log(CK_WARN, d->job_id, "abandoned", "attempt=%lld", (long long)d->count.attempt);
      d->channel->abandon(d->sending);
    }
    delivery_free(d);
  }
}

bool renew_unfinished(const struct renewd *r) {
  for (const struct renew_delivery *d = r->deliveries; d; d = d->next)
    if (d->phase < SETTLING) return true;
  return false;
}
