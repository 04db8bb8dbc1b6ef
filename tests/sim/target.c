/* The targets, and what their channels make of it: a delivery arrives or does not, is taken or is
 * refused, and has a result, which may be late. Only here is it known what has arrived. */
#include "tests/sim/accounts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "renewd/core/result.h"
#include "renewd/result_line.h"

/* Some have no account; some share one. */
static int account_of(int id) {
  static const int of[] = {-1, 0, 0, 1, 1, 2, 2, -1};
  return of[id % 8] < 0 ? -1 : id / 8 * 3 + of[id % 8];
}

void sim_target_payload(char out[64], int id) {
  const struct target *t = &world.t[id];
  char account[24], url[24] = "";
  bool has_url = t->channel == WEBHOOK || t->channel == SURE_WEBHOOK;
  sim_account_name(account, t->account);
  if (has_url) snprintf(url, sizeof url, "\"url\":\"http://h/%d\"", id);
  if (t->account >= 0)
    snprintf(out, 64, "{%s%s\"account\":\"%s\"}", url, has_url ? "," : "", account);
  else
    snprintf(out, 64, has_url ? "{%s}" : "", url);
}

void sim_targets_begin(void) {
  static const enum channel channels[] = {WEBHOOK, COMMAND, SURE_WEBHOOK, BROWSER,
                                          COMMAND, NULLS,   WEBHOOK,      COMMAND};
  static const char *const kinds[] = {"null", "webhook", "webhook", "exec", "feed"};
  world.targets_n = world.conversations_n / 40 < 8 ? 8 : world.conversations_n / 40;
  world.t = ck_zalloc((size_t)world.targets_n * sizeof *world.t);
  for (int id = 0; id < world.targets_n; id++) {
    struct target *t = &world.t[id];
    t->channel = channels[id % 8];
    t->account = account_of(id);
    t->leased.job = t->former.job = -1;
    char payload[64];
    sim_target_payload(payload, id);
    int n = snprintf(t->snapshot, sizeof t->snapshot, "{\"kind\":\"%s\",\"id\":\"%d\"",
                     kinds[t->channel], id);
    if (payload[0])
      n += snprintf(t->snapshot + n, sizeof t->snapshot - (size_t)n, ",\"payload\":%s", payload);
    snprintf(t->snapshot + n, sizeof t->snapshot - (size_t)n, "}");
  }
}

/* What waiting does not cure. */
#define PAY "You're out of extra usage"

/* What becomes of one delivery. */
struct fate {
  bool arrives, accepts;
  bool lasts; /* the limit: until a person has paid */
  int64_t arrives_in, ends_in;
  struct renew_result r;
};

static int64_t takes(int target) {
  bool slow = target % 8 == 7; /* a turn of an agent */
  if (slow) return 20 * SECOND + chance(MINUTE);
  return one_in(200) ? chance(10 * MINUTE) : one_in(30) ? chance(30 * SECOND) : 5 + chance(300);
}

/* How long what its account has, or without one the target, stays used up after its end; 0: it is
 * not. Services do not know it always. */
static int64_t used_up(struct fate *f, const struct target *t, int account) {
  const struct account *a = account >= 0 ? &world.a[account] : NULL;
  int64_t until = a ? a->used_up_until : t->limited_until, left = until - world.boot - f->ends_in;
  f->lasts = a && a->lasts && until == RENEW_NEVER;
  if (until == RENEW_NEVER || left <= 0) return until == RENEW_NEVER ? HOUR : 0;
  return one_in(6) ? 1 + chance(left) : left;
}

/* The webhook's server answers, or the line is cut after the request. */
static void fate_of_webhook(struct fate *f, const struct target *t, int account) {
  static const struct {
    int status, out_of;
  } answers[] = {{503, 12}, {404, 60}, {429, 40}, {408, 60}, {301, 200}, {204, 8}};
  int status = 200;
  if (one_in(25)) { /* no connection */
    f->arrives = false;
    renew_result_set(&f->r, RENEW_UNREACHED, "not sent: refused");
    return;
  }
  if (one_in(60)) {
    f->accepts = one_in(2);
    renew_result_set(&f->r, t->channel == SURE_WEBHOOK ? RENEW_RETRY : RENEW_UNKNOWN,
                     "sent, no answer");
    return;
  }
  for (size_t i = 0; i < sizeof answers / sizeof *answers; i++)
    if (one_in(answers[i].out_of)) status = answers[i].status;
  int64_t limited = used_up(f, t, account);
  f->lasts = false; /* it has no words for that */
  if (limited) status = 429;
  f->accepts = status / 100 == 2;
  renew_result_set(&f->r, renew_http_outcome(status), "http %d", status);
  f->r.http_status = status;
  if (limited) f->r.retry_after = limited;
  if (!limited && f->r.outcome == RENEW_RETRY && one_in(account >= 0 ? 20 : 3))
    f->r.retry_after = chance(10 * MINUTE);
  f->r.limit = f->r.retry_after && (status == 429 || status == 503);
  if (f->r.limit) f->r.limit_until = now().wall + f->ends_in + f->r.retry_after;
  SIM_CHECK((f->r.outcome == RENEW_DONE) == f->accepts, "status %d counts as %s", status,
            renew_outcome_name(f->r.outcome));
  bool again = status == 429 || status == 408 || status == 503;
  SIM_CHECK((f->r.outcome == RENEW_RETRY) == again, "status %d counts as %s", status,
            renew_outcome_name(f->r.outcome));
}

/* The command prints what came of it, and is read at its end. */
static void fate_of_command(struct fate *f, const struct target *t, int account) {
  static const struct {
    const char *word;
    enum renew_outcome outcome;
    int out_of;
  } words[] = {{"retry", RENEW_RETRY, 15},
               {"failed", RENEW_FAILED, 60},
               {"unknown", RENEW_UNKNOWN, 80},
               {"released", RENEW_RELEASED, 40}};
  const char *word = "done";
  enum renew_outcome outcome = RENEW_DONE;
  char line[128];
  if (one_in(60)) { /* it cannot be run */
    f->arrives = false;
    renew_result_set(&f->r, RENEW_UNREACHED, "no such file");
    return;
  }
  for (size_t i = 0; i < sizeof words / sizeof *words; i++)
    if (one_in(words[i].out_of)) word = words[i].word, outcome = words[i].outcome;
  int64_t then = now().wall + f->ends_in, wait = used_up(f, t, account), untold = 0;
  if (wait) {
    word = "limit";
    outcome = RENEW_RELEASED;
    if (f->lasts || (account >= 0 && one_in(8))) untold = 15 * MINUTE;
    if (untold) wait = 0;
  } else if (outcome == RENEW_RETRY && one_in(3)) {
    wait = chance(10 * MINUTE);
  }
  int n = snprintf(line, sizeof line, "{\"outcome\": \"%s\"", word);
  if (wait)
    n += snprintf(line + n, sizeof line - (size_t)n, ", \"until\": %lld", (long long)(then + wait));
  if (f->lasts) n += snprintf(line + n, sizeof line - (size_t)n, ", \"text\": \"" PAY "\"");
  snprintf(line + n, sizeof line - (size_t)n, "}");
  f->accepts = outcome == RENEW_DONE || (outcome == RENEW_UNKNOWN && one_in(2));
  SIM_CHECK(renew_result_line(&f->r, ck_str_of(line), then) && f->r.outcome == outcome &&
                f->r.retry_after == wait + untold,
            "%s is read as %s, %lld ms", line, renew_outcome_name(f->r.outcome),
            (long long)f->r.retry_after);
}

void sim_deliver(int job, uint64_t ticket) {
  struct job *j = &world.j[job];
  struct target *t = &world.t[j->target];
  struct fate f = {.arrives = true, .accepts = true, .r = {.exit_code = -1}};
  if (!world.ending && one_in(1500))
    t->limited_until = world.boot + chance(one_in(4) ? 5 * HOUR : 10 * MINUTE);
  if (j->charged >= 0) sim_account_used(j->charged);
  f.ends_in = t->channel == NULLS ? 0 : takes(world.j[job].target);
  /* A service that has nothing left takes its time to say so. */
  if (f.ends_in && sim_is_used_up(j->charged) && one_in(2))
    f.ends_in += ACCOUNT_SPACING + chance(5 * SECOND);
  f.arrives_in = chance(f.ends_in);
  if (t->channel == COMMAND)
    fate_of_command(&f, t, j->charged);
  else if (t->channel != NULLS)
    fate_of_webhook(&f, t, j->charged);
  else
    renew_result_set(&f.r, RENEW_DONE, "%s", "");
  if (f.arrives) {
    struct event *e = sim_add(ARRIVES, f.arrives_in, job);
    e->run = renewd.run;
    e->accepts = f.accepts;
    e->number = (uint64_t)j->leased_wishes;
  }
  j->lasts = f.lasts;
  j->begun_at = world.boot;
  struct event *e = sim_add(RESULT, f.ends_in, job);
  e->run = renewd.run;
  e->ticket = ticket;
  e->outcome = ck_zalloc(sizeof f.r);
  *e->outcome = f.r;
}

void sim_arrives(const struct event *e) {
  struct job *j = &world.j[e->id];
  if (!e->accepts) return;
  if (e->number != (uint64_t)j->wishes) { /* it was sent before its owner wanted it again */
    sim_other_side(j->conversation);
    return;
  }
  if (j->accepted) {
    SIM_CHECK(sim_repeatable(j->target), "job %s arrived twice, without a reason", j->name);
    world.n.accepted_again++;
    return;
  }
  j->accepted = true;
  world.n.accepted++;
  sim_other_side(j->conversation);
}

/* What a delivery of the account will have met is told while the next one is on its way. */
void sim_limit_comes(int account) {
  struct event *result = NULL;
  for (size_t i = 0; i < world.events.count && !result; i++) {
    struct event *e = (struct event *)(void *)world.events.v[i];
    bool own = e->kind == RESULT && e->run == renewd.run && world.j[e->id].charged == account;
    if (own && e->outcome->limit) result = e;
  }
  int64_t at = world.boot + chance(8);
  if (result && at < result->timer.at) ck_heap_set(&world.events, &result->timer, at);
}

/* A command ends; of a request the line is cut. What has not arrived by then does not, mostly. */
void sim_delivery_ends(uint64_t ticket) {
  struct event *result = NULL;
  for (size_t i = 0; i < world.events.count && !result; i++) {
    struct event *e = (struct event *)(void *)world.events.v[i];
    if (e->kind == RESULT && e->run == renewd.run && e->ticket == ticket) result = e;
  }
  if (!result || one_in(4)) return; /* it takes as long all the same */
  int64_t at = world.boot + chance(500);
  if (at < result->timer.at) ck_heap_set(&world.events, &result->timer, at);
  if (at < result->timer.at) renew_result_set(result->outcome, RENEW_UNKNOWN, "it was ended");
}

/* A request that was sent may be taken all the same; a command ends with renewd. */
void sim_targets_cut(struct event *e) {
  if (e->kind != ARRIVES || !e->run) return;
  bool goes_on = world.t[world.j[e->id].target].channel != COMMAND && one_in(2);
  if (!goes_on) e->accepts = false;
  e->run = 0;
}
