/* The targets, and what their channels make of it: a delivery arrives or does not, is taken or is
 * refused, and has a result, which may be late. Only here is it known what has arrived. */
#include "tests/sim/sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "renewd/core/result.h"
#include "renewd/result_line.h"

void sim_targets_begin(void) {
  static const enum channel channels[] = {WEBHOOK, COMMAND, SURE_WEBHOOK, BROWSER,
                                          COMMAND, NULLS,   WEBHOOK,      COMMAND};
  static const char *const kinds[] = {"null", "webhook", "webhook", "exec", "feed"};
  world.targets_n = world.conversations_n / 40 < 8 ? 8 : world.conversations_n / 40;
  world.t = ck_zalloc((size_t)world.targets_n * sizeof *world.t);
  for (int id = 0; id < world.targets_n; id++) {
    struct target *t = &world.t[id];
    t->channel = channels[id % 8];
    t->leased.job = t->former.job = -1;
    int n = snprintf(t->snapshot, sizeof t->snapshot, "{\"kind\":\"%s\",\"id\":\"%d\"",
                     kinds[t->channel], id);
    bool has_url = t->channel == WEBHOOK || t->channel == SURE_WEBHOOK;
    if (has_url)
      n += snprintf(t->snapshot + n, sizeof t->snapshot - (size_t)n,
                    ",\"payload\":{\"url\":\"http://h/%d\"}", id);
    snprintf(t->snapshot + n, sizeof t->snapshot - (size_t)n, "}");
  }
}

/* What becomes of one delivery. */
struct fate {
  bool arrives, accepts;
  int64_t arrives_in, ends_in;
  struct renew_result r;
};

static int64_t takes(int target) {
  bool slow = target % 8 == 7; /* a turn of an agent */
  if (slow) return 20 * SECOND + chance(MINUTE);
  return one_in(200) ? chance(10 * MINUTE) : one_in(30) ? chance(30 * SECOND) : 5 + chance(300);
}

/* The webhook's server answers, or the line is cut after the request. */
static void fate_of_webhook(struct fate *f, const struct target *t) {
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
  bool limited = t->limited_until > world.boot + f->ends_in;
  if (limited) status = 429;
  f->accepts = status / 100 == 2;
  renew_result_set(&f->r, renew_http_outcome(status), "http %d", status);
  f->r.http_status = status;
  if (limited) f->r.retry_after = t->limited_until - world.boot - f->ends_in;
  if (!limited && f->r.outcome == RENEW_RETRY && one_in(3)) f->r.retry_after = chance(10 * MINUTE);
  SIM_CHECK((f->r.outcome == RENEW_DONE) == f->accepts, "status %d counts as %s", status,
            renew_outcome_name(f->r.outcome));
  bool again = status == 429 || status == 408 || status == 503;
  SIM_CHECK((f->r.outcome == RENEW_RETRY) == again, "status %d counts as %s", status,
            renew_outcome_name(f->r.outcome));
}

/* The command prints what came of it, and is read at its end. */
static void fate_of_command(struct fate *f, const struct target *t) {
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
  char line[96];
  if (one_in(60)) { /* it cannot be run */
    f->arrives = false;
    renew_result_set(&f->r, RENEW_UNREACHED, "no such file");
    return;
  }
  for (size_t i = 0; i < sizeof words / sizeof *words; i++)
    if (one_in(words[i].out_of)) word = words[i].word, outcome = words[i].outcome;
  int64_t then = now().wall + f->ends_in, wait = 0;
  if (t->limited_until > world.boot + f->ends_in) {
    word = "limit";
    outcome = RENEW_RELEASED;
    wait = t->limited_until - world.boot - f->ends_in;
  } else if (outcome == RENEW_RETRY && one_in(3)) {
    wait = chance(10 * MINUTE);
  }
  int n = snprintf(line, sizeof line, "{\"outcome\": \"%s\"", word);
  if (wait)
    n += snprintf(line + n, sizeof line - (size_t)n, ", \"until\": %lld", (long long)(then + wait));
  snprintf(line + n, sizeof line - (size_t)n, "}");
  f->accepts = outcome == RENEW_DONE || (outcome == RENEW_UNKNOWN && one_in(2));
  SIM_CHECK(renew_result_line(&f->r, ck_str_of(line), then) && f->r.outcome == outcome &&
                f->r.retry_after == wait,
            "%s is read as %s, %lld ms", line, renew_outcome_name(f->r.outcome),
            (long long)f->r.retry_after);
}

void sim_deliver(int job, uint64_t ticket) {
  struct target *t = &world.t[world.j[job].target];
  struct fate f = {.arrives = true, .accepts = true, .r = {.exit_code = -1}};
  f.ends_in = t->channel == NULLS ? 0 : takes(world.j[job].target);
  f.arrives_in = chance(f.ends_in);
  if (!world.ending && one_in(1500))
    t->limited_until = world.boot + chance(one_in(4) ? 5 * HOUR : 10 * MINUTE);
  if (t->channel == COMMAND)
    fate_of_command(&f, t);
  else if (t->channel != NULLS)
    fate_of_webhook(&f, t);
  else
    renew_result_set(&f.r, RENEW_DONE, "%s", "");
  if (f.arrives) {
    struct event *e = sim_add(ARRIVES, f.arrives_in, job);
    e->run = renewd.run;
    e->accepts = f.accepts;
  }
  struct event *e = sim_add(RESULT, f.ends_in, job);
  e->run = renewd.run;
  e->ticket = ticket;
  e->outcome = ck_zalloc(sizeof f.r);
  *e->outcome = f.r;
}

void sim_arrives(const struct event *e) {
  struct job *j = &world.j[e->id];
  if (!e->accepts) return;
  if (j->accepted) {
    SIM_CHECK(sim_repeatable(j->target), "job %s arrived twice, without a reason", j->name);
    world.n.accepted_again++;
    return;
  }
  j->accepted = true;
  world.n.accepted++;
  sim_other_side(j->conversation);
}

/* A request that was sent may be taken all the same; a command ends with renewd. */
void sim_targets_cut(struct event *e) {
  if (e->kind != ARRIVES || !e->run) return;
  bool goes_on = world.t[world.j[e->id].target].channel != COMMAND && one_in(2);
  if (!goes_on) e->accepts = false;
  e->run = 0;
}
