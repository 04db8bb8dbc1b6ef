/* What renewd may do: checked at each of its steps, by what the owner did, what the targets got,
 * and what renewd was told. */
#include "tests/sim/accounts.h"
#include "tests/sim/pauses.h"

/* ---- what it is told ---- */

struct conversation *sim_told_conversation(int id) {
  struct conversation *c = &world.c[id];
  if (c->told_run != renewd.run) {
    c->told_run = renewd.run;
    c->told_version = 0;
    c->told = RENEW_MANUAL;
    c->told_last = c->told_account = -1;
    c->changed_at = c->told_until = c->braked_until = 0;
    c->calm_since = world.boot;
  }
  if (c->under_run != renewd.run) {
    c->under_run = renewd.run;
    c->under = 0;
  }
  return c;
}

void sim_held(int id, int64_t ms) {
  struct conversation *c = sim_told_conversation(id);
  if (c->calm_since < world.boot + ms) c->calm_since = world.boot + ms;
}

/* When a wait is over at the soonest: as renewd knows it, or the store. */
static int64_t ends(const struct wait *w) {
  return w->by == renewd.knows && w->until < w->stored ? w->until : w->stored;
}

static void unbrake(struct conversation *c) { c->braked_until = 0; }

void sim_tells_conversation(int id, uint64_t version, enum renew_automation automation, int last,
                            int account, int64_t cooldown_until) {
  struct conversation *c = sim_told_conversation(id);
  sim_held(id, 0);
  if (last != c->told_last) c->changed_at = world.boot;
  c->told_until = cooldown_until;
  c->told_last = last;
  c->told_account = account;
  c->told = automation;
  c->told_version = version;
  unbrake(c);
}

void sim_tells_message(int conversation, int message) {
  struct conversation *c = sim_told_conversation(conversation);
  sim_held(conversation, 0);
  if (c->told_last != message) return;
  c->changed_at = world.boot;
  if (!c->braked_all) unbrake(c); /* the 60 of an hour are braked whatever is said */
}

void sim_tells_job(int id, uint64_t version, enum status status, int64_t next, int target) {
  struct job *j = &world.j[id];
  sim_held(j->conversation, 0);
  sim_stage_told(id, status);
  if (status == PENDING && j->automatic && !j->anyway)
    unbrake(sim_told_conversation(j->conversation));
  j->told_run = renewd.run;
  j->told_version = version;
  j->told_next = next;
  j->told_target = target;
}

/* ---- what it makes ---- */

void sim_check_judged(int conversation, int message) {
  const struct conversation *c = sim_told_conversation(conversation);
  SIM_CHECK(c->told_last == message && c->told == RENEW_AUTO,
            "message %d is judged, which is not the last one of a conversation on auto", message);
}

void sim_check_put(int conversation, int message, int64_t wait) {
  const struct conversation *c = sim_told_conversation(conversation);
  SIM_CHECK(c->told_last == message && c->told == RENEW_AUTO,
            "message %d gets a follow-up, which is not the last one of a conversation on auto",
            message);
  SIM_CHECK(world.boot >= c->changed_at + DELAY, "message %d is judged %lld ms after it changed",
            message, (long long)(world.boot - c->changed_at));
  SIM_CHECK(
      world.m[message].entitled,
      "message %d gets a follow-up, and is none that should: %s, %s, came %lld ms after it was "
      "seen, %lld versions after auto",
      message, world.m[message].assistant ? "an answer" : "a person's",
      world.m[message].live ? "live" : "history",
      (long long)(world.m[message].created_at - world.m[message].observed_at),
      (long long)(world.m[message].came - c->auto_since));
  int64_t rests = c->told_until && ends(&c->rest) > world.boot ? ends(&c->rest) - world.boot : 0;
  SIM_CHECK(c->told_until != c->cooldown_until || wait >= rests,
            "the follow-up to message %d is due in %lld ms; its conversation rests %lld ms",
            message, (long long)wait, (long long)rests);
}

/* ---- the past ---- */

static bool is_quiet(int64_t wall) {
  int64_t hour = wall / HOUR % 24;
  return hour >= 22 || hour < 4;
}

/* May it go, as far as deliveries within a time are concerned? */
static enum renew_brake by_rate(int64_t age, int64_t span, int64_t *wait) {
  *wait = span - age;
  return age < span ? RENEW_BRAKED : RENEW_FREELY;
}

static enum renew_brake by_rules(struct conversation *c, const struct question *q, int64_t *wait) {
  const struct renew_past *p = &q->a.past;
  const struct message *m = &world.m[q->message];
  int64_t wall = now().wall;
  if (q->until && wall >= q->until) return RENEW_STOPPED;
  bool asks = m->says == ASKS || m->says == WAITS_FOR_OWNER;
  if (!p->resumed && ((asks && !q->asks_freely) || m->says == FINISHED || p->alike))
    return RENEW_STOPPED;
  if (p->in_a_row) return RENEW_STOPPED;
  if (q->quiet && is_quiet(wall)) {
    c->braked_calendar = true;
    *wait = DAY;
    return RENEW_BRAKED;
  }
  return p->per_day ? by_rate(p->day_age, DAY, wait) : RENEW_FREELY;
}

/* Its row may have come since. */
void sim_account_known(const struct question *q) {
  struct conversation *c = sim_told_conversation(q->conversation);
  if (!q->a.problem && q->a.head >= c->told_version) c->told_account = q->account;
}

/* The rules of docs/renewal.md, once more. */
void sim_past_known(const struct question *q) {
  struct job *j = &world.j[q->job];
  struct conversation *c = sim_told_conversation(q->conversation);
  enum renew_brake brake = RENEW_FREELY;
  int64_t wait = 0;
  bool was_calendar = c->braked_calendar;
  j->may_go = !q->a.problem;
  if (q->a.problem) return;
  sim_account_known(q);
  j->charged = c->told_account >= 0 ? c->told_account
               : j->slot >= 0       ? world.t[j->slot].account
                                    : -1;
  c->braked_calendar = false;
  if (j->automatic && !q->a.past.anyway && q->message >= 0) brake = by_rules(c, q, &wait);
  bool all = brake == RENEW_FREELY && q->a.past.has_sixtieth;
  if (all) brake = by_rate(q->a.past.sixtieth_age, HOUR, &wait);
  j->may_go = brake == RENEW_FREELY;
  if (j->may_go) c->braked_calendar = was_calendar; /* until it goes */
  if (j->may_go) return;
  c->braked_all = all;
  c->braked_until = brake == RENEW_STOPPED ? RENEW_NEVER : world.boot + wait;
}

/* ---- the claim ---- */

/* What an earlier run has offered, and its client has not claimed, holds up its conversation. */
static void check_offers(const struct job *of) {
  const struct conversation *c = &world.c[of->conversation];
  for (int id = c->newest; id >= c->oldest; id = world.j[id].older) {
    const struct job *j = &world.j[id];
    SIM_CHECK(j == of || !j->offer || j->offer_run == renewd.run,
              "job %s is claimed while %s is offered", of->name, j->name);
  }
}

/* Rates, by the true clock, or as the store knows it after another start of the machine. before:
 * the attempts before this one. */
static void check_rate(const struct conversation *c, int before, int most, int64_t span,
                       const char *name) {
  if (before < most) return;
  const struct attempt *a = &c->attempts[before - most];
  int64_t ago = world.boot - (a->known < a->boot ? a->known : a->boot);
  SIM_CHECK(ago >= span, "%s: %d deliveries within %lld ms", name, most + 1, (long long)ago);
}

static void check_rates(const struct conversation *c, int before, const struct job *j) {
  check_rate(c, before, HOURLY, HOUR, j->name);
  if (j->automatic && !j->anyway) check_rate(c, before, PER_DAY, DAY, j->name);
}

/* An offer begins like a claim. */
void sim_check_claim(int id) {
  const struct job *j = &world.j[id];
  struct conversation *c = sim_told_conversation(j->conversation);
  bool calendar = j->wait.calendar, renewds = j->automatic && !j->anyway;
  SIM_CHECK(!renewd.stopping, "job %s is claimed while renewd stops", j->name);
  SIM_CHECK(sim_stage(j) == STAGE_ASKED, "job %s is claimed out of turn", j->name);
  SIM_CHECK(j->may_go, "job %s is claimed though it is braked or stopped", j->name);
  SIM_CHECK(!calendar || j->told_next != j->next || now().wall >= j->next,
            "job %s is claimed %lld ms before its time", j->name,
            (long long)(j->told_next - now().wall));
  SIM_CHECK(calendar || j->told_next != j->next || world.boot >= ends(&j->wait),
            "job %s is claimed %lld ms before its wait is over", j->name,
            (long long)(ends(&j->wait) - world.boot));
  SIM_CHECK(!j->automatic || !c->told_until || c->told_until != c->cooldown_until ||
                world.boot >= ends(&c->rest),
            "conversation %d is not left to rest, for %lld ms", j->conversation,
            (long long)(ends(&c->rest) - world.boot));
  SIM_CHECK(c->told != RENEW_PAUSED && !sim_told_paused(j, j->charged),
            "job %s is claimed in a pause", j->name);
  bool offered = world.t[j->target].channel == BROWSER;
  sim_check_account(j, offered);
  check_offers(j);
  if (offered) check_rates(c, c->attempts_n, j);
  if (renewds || c->braked_all) unbrake(c); /* else its brake is not asked about */
  if (!renewds) return;
  SIM_CHECK(c->told == RENEW_AUTO, "job %s is claimed though its conversation is manual", j->name);
  SIM_CHECK(c->told_last == j->message, "job %s is claimed after an answer", j->name);
  SIM_CHECK(world.boot >= c->changed_at + DELAY, "job %s is claimed before its message has settled",
            j->name);
}

void sim_check_lease(int id) {
  const struct job *j = &world.j[id];
  const struct conversation *c = &world.c[j->conversation];
  const struct attempt *a = &c->attempts[c->attempts_n - 1];
  struct target *t = &world.t[j->target];
  if (t->leased.run != renewd.run) t->former = t->leased;
  t->leased = (struct leased){id, a->boot, a->at, world.offset, renewd.run};
  sim_account_leased(j, t->leased);
  /* An offer that was made before another start of the machine is as good as it was then. */
  if (!j->offer || j->offer_start == world.started) check_rates(c, c->attempts_n - 1, j);
}

/* ---- the first byte ---- */

/* Of an earlier run's deliveries renewd knows what the jobs' rows say. */
static void check_apart(const struct job *j) {
  const struct target *t = &world.t[j->target];
  const struct leased *f = t->leased.run == renewd.run ? &t->former : &t->leased;
  bool here = t->run == renewd.run && t->begun_at >= renewd.up_since;
  bool known =
      f->job >= 0 && renewd.began_offset <= f->offset &&
      (world.j[f->job].status != OVER || world.c[world.j[f->job].conversation].newest == f->job);
  int64_t since = here ? t->begun_at : known ? f->at : -DAY;
  SIM_CHECK(world.boot >= since + SPACING, "two deliveries to target %d are %lld ms apart",
            j->target, (long long)(world.boot - since));
}

void sim_check_send(int id) {
  const struct job *j = &world.j[id];
  const struct conversation *c = sim_told_conversation(j->conversation);
  bool renewds = j->automatic && !j->anyway;
  world.n.deliveries++;
  world.n.by_hand += !j->automatic;
  SIM_CHECK(!renewd.stopping, "job %s is sent while renewd stops", j->name);
  SIM_CHECK(sim_stage(j) == STAGE_LEASING, "job %s is sent out of turn", j->name);
  bool leased = j->status == RUNNING && !j->unknown && j->lease_run == renewd.run && !j->taken;
  SIM_CHECK(leased || (j->taken_away && !j->told_over), "job %s is sent without its lease",
            j->name);
  SIM_CHECK(!j->told_over, "job %s is sent, though it was cancelled", j->name);
  SIM_CHECK(world.t[j->target].channel != BROWSER, "job %s is its client's", j->name);
  SIM_CHECK(!j->may_have_arrived || sim_repeatable(j->target), "job %s is sent blindly again",
            j->name);
  SIM_CHECK(!j->read.paused && c->told != RENEW_PAUSED, "job %s is sent in a pause", j->name);
  int account = sim_account_of(j) == j->charged ? j->charged : -1;
  SIM_CHECK(!sim_told_paused(j, account), "job %s is sent in a pause of which renewd was told",
            j->name);
  sim_check_account_send(j);
  SIM_CHECK(!renewds || !j->read.superseded, "job %s is sent after an answer", j->name);
  SIM_CHECK(!renewds || (c->told == RENEW_AUTO && c->told_last == j->message),
            "job %s is sent after an answer of which renewd was told", j->name);
  check_apart(j);
}

/* ---- the end ---- */

static bool is_within(int64_t x, int64_t from, int64_t to) { return x >= from && x <= to; }

static int64_t doubled(int64_t first, int64_t longest, int64_t times) {
  while (times-- > 0 && first < longest) first *= 2;
  return first < longest ? first : longest;
}

/* What the target's answer makes of it: the table of docs/renewal.md. */
static void check_result(const struct job *j, const struct telling *t) {
  const struct renew_result *r = &j->result;
  if (j->taken_away || j->leased_wishes != j->wishes) return; /* the store refuses it */
  const struct renew_rules *rules = &sim_rules;
  int64_t wall = now().wall, wait = t->next_at - wall, asked = r->retry_after, most, left;
  bool fits = t->outcome == r->outcome;
  if (r->limit && j->charged >= 0) {
    SIM_CHECK(t->outcome == RENEW_RELEASED && !wait,
              "job %s met a limit, and ends as %s, in %lld ms", j->name,
              renew_outcome_name(t->outcome), (long long)wait);
    return;
  }
  switch (r->outcome) {
  case RENEW_DONE:
    fits = fits && t->cooldown_until == wall + rules->cooldown;
    break;
  case RENEW_RETRY:
    most = doubled(rules->backoff, rules->backoff_max, j->attempts - 1);
    if (j->attempts >= rules->max_attempts)
      fits = t->outcome == RENEW_FAILED;
    else
      fits = fits && (is_within(wait, asked, asked) || is_within(wait, asked, most));
    break;
  case RENEW_UNREACHED:
    most = doubled(30 * SECOND, 30 * MINUTE, j->unreached);
    left = rules->give_up;
    if (j->unreached) left -= world.boot - j->unreached_at - j->lag;
    if (left <= 0)
      fits = t->outcome == RENEW_FAILED;
    else
      fits = fits && is_within(wait, most / 2 < left ? most / 2 : left, most < left ? most : left);
    break;
  case RENEW_RELEASED:
    most = doubled(5 * SECOND, 30 * MINUTE, j->released - 1);
    fits = fits && wait == (asked > most ? asked : most);
    break;
  case RENEW_FAILED:
  case RENEW_UNKNOWN:
    break;
  }
  SIM_CHECK(fits, "attempt %lld of job %s: its target said %s, %lld ms; it ends as %s, in %lld ms",
            (long long)j->attempts, j->name, renew_outcome_name(r->outcome), (long long)asked,
            renew_outcome_name(t->outcome), (long long)wait);
  SIM_CHECK(r->outcome == RENEW_DONE || !t->cooldown_until, "job %s: a rest without a delivery",
            j->name);
}

static void check_recovered(const struct job *j, const struct telling *t) {
  if (!t->token[0]) {
    SIM_CHECK(j->unknown || !j->taken || world.boot >= j->lease.until,
              "the lease of job %s is ended before it runs out", j->name);
    SIM_CHECK(t->outcome == RENEW_UNKNOWN, "a client's lease ends as %s",
              renew_outcome_name(t->outcome));
    return;
  }
  SIM_CHECK(j->lease_run != renewd.run || j->status != RUNNING || j->unknown,
            "job %s is recovered by the run that claimed it", j->name);
  bool again = t->outcome == RENEW_RELEASED && t->next_at == now().wall;
  SIM_CHECK(sim_repeatable(j->target) ? again : t->outcome == RENEW_UNKNOWN,
            "job %s of a dead run ends as %s", j->name, renew_outcome_name(t->outcome));
}

void sim_check_end(int id, const struct telling *t, const struct ck_limit *limit) {
  struct job *j = &world.j[id];
  enum stage stage = sim_stage(j);
  if (stage == STAGE_SENDING && j->has_result)
    sim_check_limit(j, limit);
  else
    SIM_CHECK(!limit, "a limit is told with job %s, which has no result", j->name);
  if (stage == STAGE_SENDING && j->has_result)
    check_result(j, t);
  else if (stage == STAGE_LEASING)
    SIM_CHECK(t->outcome == RENEW_RELEASED && t->next_at == now().wall,
              "job %s was not sent, and ends as %s", j->name, renew_outcome_name(t->outcome));
  else if (stage == STAGE_LOOKING)
    check_recovered(j, t);
  else
    sim_fail("attempt %lld of job %s ends before it has a result", (long long)t->attempt, j->name);
  j->has_result = false;
}
