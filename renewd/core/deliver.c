/* An attempt of ours, from its turn to its end.
 *
 * Nothing is sent before the store has durably given us the lease. No job of the conversation is
 * claimed again before everything that came of the attempt has been followed. */
#include "renewd/core/inner.h"
#include "renewd/core/limit.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "proto/map.h"

void renew_trying_free(struct renew_job *j) {
  if (!j->trying) return;
  free(j->trying->channel);
  free(j->trying);
  j->trying = NULL;
}

/* It may be superseded or stopped. */
static bool is_renewds(const struct renew_job *j) { return j->automatic && !j->anyway; }

/* ---- its turn, and the brake ---- */

void renew_query_past(struct renew_core *core, struct renew_job *j, const struct renew_event *e) {
  (void)e;
  renew_job_take_slot(core, j);
  j->of->changed = false;
  struct renew_question q = {.parts = RENEW_ABOUT_PAST,
                             .job_id = ck_str_of(j->node.id),
                             .conversation_id = ck_str_of(j->of->node.id)};
  /* Only the brake holds up what a person made. */
  if (j->automatic) q.message_id = ck_str_of(j->of->last.id);
  if (j->automatic) q.rules = &core->set.stops;
  renew_query(core->out, renew_job_await(core, j, RENEW_QUERIED), &q);
  renew_conversation_place(core, j->of);
}

static void claim(struct renew_core *core, struct renew_job *j) {
  struct ck_mutation m = {.kind = CK_OP_CLAIM};
  j->trying = ck_zalloc(sizeof *j->trying);
  renew_core_token(core, j->trying->token);
  /* The job is due by the boot clock; after a step back, the wall clock may not be there yet. */
  bool reached = core->now.wall > j->next_attempt_at;
  m.as.claim = (struct ck_claim){.job_id = ck_str_of(j->node.id),
                                 .token = ck_str_of(j->trying->token),
                                 .at = reached ? core->now.wall : j->next_attempt_at,
                                 .account = renew_lane_account(j->lane)};
  renew_tell(core->out, renew_job_await(core, j, RENEW_CLAIMING), &m);
}

/* If a row that may end it has come meanwhile, the brake is not set: the job may have its turn
 * again, and asks again. */
static void brake(struct renew_core *core, struct renew_job *j, const struct renew_stop *s) {
  bool stopped = s->brake == RENEW_STOPPED;
  struct renew_line *l =
      renew_say(core->out, RENEW_SAY_WARN, j->of->node.id, stopped ? "stopped" : "braked");
  renew_say_word(core->out, l, "job", j->node.id);
  renew_say_number(l, "wait_ms", s->wait);
  renew_say_text(core->out, l, "reason", ck_str_of(s->why));
  if (!j->of->changed && j->status != RENEW_OVER)
    renew_conversation_brake(j->of,
                             (struct renew_braked){s->brake, s->all, s->calendar,
                                                   stopped ? RENEW_NEVER : core->now.boot + s->wait,
                                                   ck_strdup(s->why)});
  renew_job_rest(core, j, NULL);
}

static struct renew_stop stop_of(struct renew_core *core, struct renew_job *j,
                                 const struct renew_past *known) {
  struct renew_past past = *known;
  past.has_account = renew_lane_account(j->lane).n > 0;
  return renew_stop(&core->set.stops, &past, is_renewds(j), core->now.wall);
}

void renew_past_known(struct renew_core *core, struct renew_job *j, const struct renew_event *e) {
  const struct renew_answer *a = e->as.answer;
  if (a->past.anyway) j->anyway = true;
  renew_conversation_platform(core, j->of, a->past.platform);
  bool older = j->of->account_known && a->head < core->version; /* its row may have come since */
  bool moved = !a->problem && !older && renew_conversation_account(core, j->of, a->past.renewal);
  moved |= j->lane != j->slot; /* by a row that came meanwhile: its turn was another's */
  moved |= renew_pace_is_crowded(j->slot);
  struct renew_stop stop = stop_of(core, j, &a->past);
  if (a->problem || core->stopping) {
    j->hold = core->now.boot + RENEW_AGAIN_MS;
    renew_job_rest(core, j, e);
  } else if (j->status == RENEW_RUNNING) {
    renew_job_follow(core, j, a->head); /* an older offer of it was claimed */
  } else if (j->status == RENEW_OVER || moved || !renew_job_may_go(core, j)) {
    renew_job_rest(core, j, e);
  } else if (stop.brake != RENEW_FREELY) {
    brake(core, j, &stop);
  } else if (j->client) {
    renew_offer_begin(core, j, e);
  } else {
    claim(core, j);
  }
}

/* ---- the lease ---- */

void renew_attempt_cancelled(struct renew_core *core, struct renew_job *j) {
  if (!j->trying || j->trying->cancelled || j->phase == RENEW_ENDING) return;
  j->trying->cancelled = true;
  renew_say_number(renew_say(core->out, RENEW_SAY_INFO, j->node.id, "cancelled"), "attempt",
                   j->trying->count.attempt);
  if (j->phase == RENEW_SENDING) renew_cancel(core->out, j->ticket.number);
}

/* The time that the result tells, or its words. */
static struct renew_limit told_limit(const struct renew_core *core, const struct renew_result *r) {
  const struct renew_clocks clocks = {core->set.stops.zone, core->set.stops.zones};
  const struct renew_refusal told = {.refused = true, .until = r->limit_until};
  return renew_limit_of(ck_str_of(r->text), &told, true, core->now.wall, &clocks);
}

/* Without an account a limit is the job's own. */
static void wait_alone(const struct renew_core *core, const struct renew_result *r,
                       struct renew_verdict *v) {
  const struct renew_limit told = told_limit(core, r);
  struct renew_limited own = {0};
  if (told.kind == RENEW_LIMIT_LASTS) {
    *v = (struct renew_verdict){.outcome = RENEW_FAILED};
    snprintf(v->why, sizeof v->why, "nothing was sent; waiting does not cure it");
  } else if (!r->limit_until && told.until) { /* else it waits so long already */
    renew_limit_take(&own, told.until, core->now.wall);
    if (own.until > v->next_attempt_at) v->next_attempt_at = own.until;
  }
}

/* What follows for the attempt's account, if it has one. True: *m is what the store is told of it.
 */
static bool judge_account(struct renew_core *core, const struct renew_job *j,
                          const struct renew_result *r, struct renew_verdict *v,
                          struct ck_mutation *m) {
  struct ck_str account = renew_lane_account(j->slot);
  if (!account.n && r->limit && v->outcome == RENEW_RELEASED) wait_alone(core, r, v);
  if (!account.n) return false;
  if (!r->limit)
    return v->outcome == RENEW_DONE &&
           renew_account_worked(core, account, j->trying->started_at, m);
  const struct renew_limit told = told_limit(core, r);
  bool news =
      renew_account_limited(core, account, &told, ck_str_of(r->text[0] ? r->text : r->error), m);
  *v = (struct renew_verdict){.outcome = RENEW_RELEASED, .next_attempt_at = core->now.wall};
  snprintf(v->why, sizeof v->why, "its account's limit is reached; not charged; again when %s",
           renew_limit_lasts(&renew_account_known(core, account)->limit) ? "a person ends it"
                                                                         : "it ends");
  return news;
}

static void resulted(struct renew_core *core, struct renew_job *j,
                     const struct renew_result *result) {
  struct renew_trying *t = j->trying;
  struct ck_mutation limit;
  if (t->started_at) t->count.unreached_age += core->now.boot - t->started_at;
  struct renew_verdict v =
      renew_judge(&core->set.rules, &core->random, result, &t->count, core->now.wall);
  bool limited = judge_account(core, j, result, &v, &limit);
  int64_t took = t->started_at ? core->now.boot - t->started_at : -1;
  struct renew_line *l =
      renew_say(core->out, v.outcome == RENEW_DONE ? RENEW_SAY_INFO : RENEW_SAY_WARN, j->node.id,
                "attempted");
  renew_say_number(l, "attempt", t->count.attempt);
  renew_say_word(core->out, l, "channel", t->channel ? t->channel : "-");
  renew_say_word(core->out, l, "outcome", renew_outcome_name(v.outcome));
  renew_say_number(l, "took_ms", took);
  /* What a target has said is in the attempt's row alone, which can be forgotten. */
  if (v.outcome == RENEW_UNREACHED)
    renew_say_text(core->out, l, "error", ck_str_of(result->error));
  else if (result->http_status)
    renew_say_number(l, "http_status", result->http_status);
  else if (result->exit_code >= 0)
    renew_say_number(l, "exit", result->exit_code);
  const struct renew_lease lease = {.token = ck_str_of(t->token), .attempt = t->count.attempt};
  if (t->cancelled) {
    if (limited) renew_tell(core->out, 0, &limit);
    renew_job_follow(core, j, 0);
    return;
  }
  renew_job_tell_end(core, j, &lease, &v, result, took);
  if (limited) renew_limit_tell(core, &limit, j->ticket.number);
}

static void end_as(struct renew_core *core, struct renew_job *j, enum renew_outcome outcome,
                   const char *error) {
  struct renew_result result;
  renew_result_set(&result, outcome, "%s", error);
  renew_core_error(core, result.error);
  resulted(core, j, &result);
}

/* It is as somebody wants it: no error. */
static void hold_back(struct renew_core *core, struct renew_job *j, const char *why) {
  struct renew_result result;
  renew_result_set(&result, RENEW_RELEASED, "%s", why);
  resulted(core, j, &result);
}

/* Why not to send after all: somebody may have stopped it or answered since the claim. The store's
 * row is newer than what had been followed when it was asked for, and older than what has come
 * since. NULL: send. */
static const char *held_back(const struct renew_core *core, const struct renew_job *j,
                             const struct renew_answer *a) {
  if (core->stopping) return "renewd is stopping";
  if (j->trying->cancelled) return "it was cancelled";
  if (a->paused || (j->status != RENEW_OVER && j->of->automation == RENEW_PAUSED))
    return "the conversation was paused";
  if (renew_job_pause(core, j)) return "it was paused";
  if (renew_job_is_limited(core, j)) return "its account's limit is reached";
  bool answered = a->last_message_id.n && a->job.message_id.n &&
                  !ck_str_eq(a->last_message_id, a->job.message_id);
  if (is_renewds(j) && (a->manual || answered || renew_job_is_superseded(j)))
    return "superseded since the claim";
  return NULL;
}

static void deliver(struct renew_core *core, struct renew_job *j, const struct renew_answer *a,
                    const struct renew_target *target) {
  struct ck_err err;
  struct ck_buf body = {0};
  struct renew_letter letter = {.job_id = ck_str_of(j->node.id),
                                .conversation_id = ck_str_of(j->of->node.id),
                                .payload = a->job.payload,
                                .payload_kind = a->job.payload_kind,
                                .attempt = a->lease.attempt,
                                .target = target};
  if (renew_letter_json(&body, &letter, &err)) {
    end_as(core, j, RENEW_FAILED, err.text);
  } else {
    renew_job_begin(core, j);
    j->trying->started_at = core->now.boot;
    j->trying->channel = ck_strdup(target->kind);
    renew_send(core->out, renew_job_await(core, j, RENEW_SENDING), ck_str_of(j->node.id),
               a->job.snapshot, ck_buf_view(&body), a->job.payload);
  }
  ck_buf_free(&body);
}

static void send_or_release(struct renew_core *core, struct renew_job *j,
                            const struct renew_answer *a) {
  struct ck_err err;
  struct renew_target target;
  const char *held = held_back(core, j, a);
  /* Its row may have changed since the claim. */
  if (renew_target_parse(&target, a->job.snapshot, &err) ||
      renew_resolve_target(&core->set, &target, &err))
    end_as(core, j, RENEW_RELEASED, err.text);
  else if (held)
    hold_back(core, j, held);
  else if (renew_target_of_client(&target))
    end_as(core, j, RENEW_RELEASED, "its target has changed since the claim");
  else
    deliver(core, j, a, &target);
  renew_target_free(&target);
}

/* Whether the lease is ours is not known, but that nothing was sent is; so if it is ours, it ends.
 */
static void end_unasked(struct renew_core *core, struct renew_job *j, const char *problem) {
  j->trying->count.attempt = j->attempt_count + (j->status == RENEW_PENDING);
  end_as(core, j, RENEW_RELEASED, problem);
}

static void lease_known(struct renew_core *core, struct renew_job *j,
                        const struct renew_answer *a) {
  struct renew_trying *t = j->trying;
  if (a->problem) {
    end_unasked(core, j, a->problem);
    return;
  }
  if (!a->lease.running || !ck_str_is(a->lease.token, t->token)) {
    renew_say_text(core->out, renew_say(core->out, RENEW_SAY_WARN, j->node.id, "not_leased"),
                   "reason", CK_LIT("the store's lease is not ours; nothing was sent"));
    j->hold = core->now.boot + RENEW_AGAIN_MS;
    renew_job_follow(core, j, a->head);
    return;
  }
  t->count = (struct renew_count){.attempt = a->lease.attempt,
                                  .max_attempts = a->job.max_attempts,
                                  .unreached = a->unreached,
                                  .unreached_age = a->unreached_age};
  send_or_release(core, j, a);
}

void renew_lease_known(struct renew_core *core, struct renew_job *j, const struct renew_event *e) {
  lease_known(core, j, e->as.answer);
}

/* What came before the claim is followed, and so may be what came after it: then the job is not as
 * the receipt says. */
static bool is_as_claimed(const struct renew_core *core, const struct renew_job *j,
                          const struct renew_event *e) {
  const struct renew_answer *a = e->as.receipt.claimed;
  return a && core->live && e->as.receipt.version <= core->version && j->status == RENEW_RUNNING &&
         j->attempt_count == a->lease.attempt;
}

void renew_claim_receipted(struct renew_core *core, struct renew_job *j,
                           const struct renew_event *e) {
  if (e->as.receipt.result == 'r') {
    renew_say_text(core->out, renew_say(core->out, RENEW_SAY_WARN, j->node.id, "claim_refused"),
                   "reason", e->as.receipt.reason);
    j->hold = core->now.boot + RENEW_AGAIN_MS;
    renew_job_follow(core, j, e->as.receipt.version);
    return;
  }
  if (is_as_claimed(core, j, e)) {
    lease_known(core, j, e->as.receipt.claimed);
    return;
  }
  /* The result may be '?', unknown. The lease tells: it has our token, or it has not. */
  renew_query(core->out, renew_job_await(core, j, RENEW_LEASING),
              &(struct renew_question){.parts = RENEW_ABOUT_LEASE | RENEW_ABOUT_UNREACHED |
                                                RENEW_ABOUT_JOB | RENEW_ABOUT_CONVERSATION,
                                       .job_id = ck_str_of(j->node.id),
                                       .conversation_id = ck_str_of(j->of->node.id)});
}

/* ---- the end ---- */

void renew_resulted(struct renew_core *core, struct renew_job *j, const struct renew_event *e) {
  bool released = e->as.result->outcome == RENEW_RELEASED;
  bool waits_by_itself = e->as.result->limit && renew_lane_account(j->slot).n > 0;
  j->released = released && !waits_by_itself ? j->released + 1 : 0;
  j->trying->count.released = j->released;
  if (e->as.result->error[0] && !waits_by_itself && !j->trying->cancelled)
    renew_core_error(core, e->as.result->error);
  resulted(core, j, e->as.result);
}

/* For the attempt's row in the store. */
static void put_result(struct ck_buf *b, const struct renew_result *r, const char *why,
                       int64_t took_ms) {
  struct ck_map m = ck_map_open(b);
  if (r->http_status) ck_pair_int(&m, "http_status", r->http_status);
  if (r->exit_code >= 0) ck_pair_int(&m, "exit", r->exit_code);
  if (r->cost >= 0) {
    ck_pair_name(&m, "cost");
    ck_put_float(b, r->cost);
  }
  if (r->tokens >= 0) ck_pair_int(&m, "tokens", r->tokens);
  if (r->text[0]) ck_pair_text(&m, "text", r->text);
  if (took_ms >= 0) ck_pair_int(&m, "took_ms", took_ms);
  if (why[0]) ck_pair_text(&m, "why", why);
  ck_map_close(&m);
}

void renew_job_tell_end(struct renew_core *core, struct renew_job *j, const struct renew_lease *l,
                        const struct renew_verdict *v, const struct renew_result *result,
                        int64_t took_ms) {
  struct ck_buf map = {0};
  struct ck_mutation m = {.kind = CK_OP_END};
  put_result(&map, result, v->why, took_ms);
  if (v->next_attempt_at)
    j->told = (struct renew_wait){v->next_attempt_at, renew_rebase(v->next_attempt_at, core->now)};
  if (v->cooldown_until)
    j->of->told =
        (struct renew_wait){v->cooldown_until, renew_rebase(v->cooldown_until, core->now)};
  m.as.end = (struct ck_end){.job_id = ck_str_of(j->node.id),
                             .attempt = (uint64_t)l->attempt,
                             .token = l->token,
                             .outcome = ck_str_of(renew_outcome_name(v->outcome)),
                             .error = ck_str_of(result->error),
                             .next_attempt_at = v->next_attempt_at,
                             .cooldown_until = v->cooldown_until,
                             .at = core->now.wall,
                             .result = ck_buf_view(&map)};
  renew_tell(core->out, renew_job_await(core, j, RENEW_ENDING), &m);
  renew_job_leave_slot(core, j);
  ck_buf_free(&map);
}

void renew_end_receipted(struct renew_core *core, struct renew_job *j,
                         const struct renew_event *e) {
  renew_limit_receipted(core, e);
  if (e->as.receipt.result == 'r') {
    renew_say_text(core->out, renew_say(core->out, RENEW_SAY_WARN, j->node.id, "end_refused"),
                   "reason", e->as.receipt.reason);
    j->hold = core->now.boot + RENEW_AGAIN_MS;
  }
  renew_job_follow(core, j, e->as.receipt.version);
}
