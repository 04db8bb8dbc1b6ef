/* What renewd should have done: nothing is lost, no wait is stretched, nobody is forgotten. It is
 * looked at while nothing stands in the way. */
#include "tests/sim/accounts.h"
#include "tests/sim/pauses.h"

#include <stdio.h>

/* For so long a job that is due and free may go unclaimed; and after a step of the wall clock, one
 * that waits for that clock. */
#define LATE_MS 50
#define STEP_SEEN_MS 700
/* For so long after a start or a disaster renewd is left to find its way. */
#define CALM_MS (30 * SECOND)
/* For so long a message that has settled may be without its job: after a start all conversations
 * are judged, 32 at once. */
#define JUDGED_MS (2 * MINUTE + world.conversations_n * INT64_C(60))

bool sim_is_entitled(int message) {
  const struct message *m = &world.m[message];
  const struct conversation *c = &world.c[m->conversation];
  bool is_new = m->observed_at != m->created_at &&
                m->observed_at <= world.m[c->last].last_message_at + CK_AHEAD_MS &&
                m->created_at - m->observed_at <= sim_rules.max_age;
  return m->assistant && m->live && is_new && m->came > c->auto_since;
}

static bool is_calm(void) {
  int64_t recovered;
  if (!renewd.up || !renewd.connected || renewd.stopping || !store.up) return false;
  if (sim_recovers(&recovered)) return false;
  int64_t since = renewd.calm_since > recovered ? renewd.calm_since : recovered;
  return world.boot > since + CALM_MS;
}

static void later(int64_t *at, int64_t other) {
  if (other > *at) *at = other;
}

/* When a wait is over at the latest: what the store says comes a while after it has said it. */
static int64_t ends(const struct wait *w) {
  int64_t stored = w->stored + renewd.lag;
  return w->by == renewd.knows && w->until > stored ? w->until : stored;
}

static int64_t rests(const struct conversation *c) { return c->told_until ? ends(&c->rest) : 0; }

/* Of the accounts that it may have, the worse one. */
static int64_t unpaused_since(const struct job *j) {
  int own = world.c[j->conversation].account,
      other = j->target < 0 ? -1 : world.t[j->target].account;
  int64_t since = sim_unpaused_since(j, own), more = sim_unpaused_since(j, other);
  return more > since ? more : since;
}

static bool is_known(const struct job *j) {
  return j->status == PENDING && j->told_run == renewd.run && j->told_version == j->version &&
         j->target >= 0 && j->target != renewd.unserved;
}

/* Whatever its account is, of those that it may have. */
static bool is_paused(const struct job *j) {
  int own = world.c[j->conversation].account,
      other = j->target < 0 ? -1 : world.t[j->target].account;
  return sim_unpaused_since(j, own) == RENEW_NEVER && sim_unpaused_since(j, other) == RENEW_NEVER;
}

/* A job that was tried goes first, also if it waits; and one of another target may, for a turn of
 * which the conversation waits. */
static bool waits_for_another(const struct job *of) {
  const struct conversation *c = &world.c[of->conversation];
  for (int id = c->newest; id >= c->oldest; id = world.j[id].older) {
    const struct job *j = &world.j[id];
    if (j->status != PENDING || is_paused(j)) continue;
    if ((j->attempts > 0 && of->attempts == 0) || j->target != of->target) return true;
  }
  return false;
}

/* Its target has had a turn to give since; RENEW_NEVER: it has none. */
static int64_t open_since(const struct job *j) {
  const struct target *t = sim_target(j->target);
  int under = t->before + t->sending;
  if (t->before || under >= RENEW_SLOTS_OF_A_TARGET) return RENEW_NEVER;
  if (under && sim_slots() >= RENEW_SLOTS) return RENEW_NEVER;
  int64_t at = t->begun_at + SPACING;
  later(&at, t->calm_since);
  later(&at, t->leased.at + SPACING);
  return at;
}

/* With what the core would say of it, and of its conversation's other jobs. */
static void fail_late(const struct job *j, int64_t from) {
  const struct renew_job *known = renew_core_job(&renewd.core, ck_str_of(j->name));
  struct renew_held h = {.state = "held by nothing"};
  if (known) renew_is_held(&h, &renewd.core, known, now());
  for (const struct renew_job *o = known ? known->of->jobs : NULL; o; o = o->next)
    fprintf(stderr, "sim:   %s is %s%s, in phase %d, tried %lld times, due in %lld ms, to %s\n",
            o->node.id, o->status == RENEW_PENDING ? "pending" : "running",
            o->unsure ? ", unsure" : "", (int)o->phase, (long long)o->attempt_count,
            (long long)(o->due - now().boot), o->lane->node.id);
  sim_fail("job %s is late by %lld ms; for renewd it is %s: %s", j->name,
           (long long)(world.boot - from), known ? h.state : "unknown", h.reason ? h.reason : "-");
}

/* It is not held, and a page that may have it is on its way, or is asked for again soon. */
static bool is_asked_for(const struct job *j) {
  const struct renew_upcoming *u = &renewd.core.upcoming;
  return !j->automatic && !j->last_attempt_at &&
         !renew_core_job(&renewd.core, ck_str_of(j->name)) &&
         (u->ticket.number || u->at > now().boot);
}

static void check_job(int id) {
  const struct job *j = &world.j[id];
  const struct conversation *c = sim_told_conversation(j->conversation);
  bool calendar = j->wait.calendar, renewds = j->automatic && !j->anyway;
  if (renewd.asks_waits || !is_known(j) || sim_is_superseded(j) || c->automation == RENEW_PAUSED)
    return;
  if (calendar && j->next > now().wall) return;
  if ((c->braked_all || renewds) && world.boot < c->braked_until) return;
  int64_t from = calendar ? world.stepped_at + STEP_SEEN_MS : ends(&j->wait);
  if (calendar) later(&from, world.boot - (now().wall - j->next));
  if (c->braked_calendar) later(&from, world.stepped_at + STEP_SEEN_MS);
  later(&from, c->calm_since);
  later(&from, renewd.waits_at);
  later(&from, c->braked_until == RENEW_NEVER ? 0 : c->braked_until);
  if (j->automatic) later(&from, rests(c));
  if (renewds) later(&from, c->changed_at + DELAY);
  int64_t unpaused = unpaused_since(j);
  if (unpaused) later(&from, world.stepped_at + STEP_SEEN_MS);
  later(&from, unpaused);
  later(&from, renewd.pauses_at);
  if (from == RENEW_NEVER) return;
  if (world.boot <= from + LATE_MS) return;
  later(&from, open_since(j));
  later(&from, sim_account_open_since(j));
  if (from == RENEW_NEVER || waits_for_another(j) || is_asked_for(j)) return;
  if (world.boot > from + LATE_MS) fail_late(j, from);
}

/* It should have been judged, also if its conversation was put on auto after it; or it should have
 * a follow-up. What the store said then decides: a step of the clock may have changed what it would
 * say. */
static bool is_forgotten(const struct conversation *c) {
  if (c->automation != RENEW_AUTO || c->last < 0 || world.m[c->last].has_job) return false;
  const struct message *m = &world.m[c->last];
  return m->judged != renewd.knows || (m->entitled && sim_is_entitled(c->last));
}

static void check_message(int conversation) {
  const struct conversation *c = sim_told_conversation(conversation);
  int64_t from = c->calm_since;
  later(&from, c->changed_at + DELAY);
  if (world.boot <= from + JUDGED_MS || world.boot <= renewd.calm_since + JUDGED_MS) return;
  if (!is_forgotten(c)) return;
  char name[24];
  sim_conversation_name(name, conversation);
  const struct renew_conversation *known = renew_core_conversation(&renewd.core, ck_str_of(name));
  const struct message *m = &world.m[c->last];
  sim_fail(
      "message %d of %s has no follow-up %lld ms after it settled; for renewd its turn is %d, it "
      "is %sjudged, and %u are asked about; it came %lld versions after auto, judged %u of %u",
      c->last, name, (long long)(world.boot - from), known ? (int)known->turn : -1,
      known && known->judged ? "" : "not ", renewd.core.assessing,
      (long long)(m->came - c->auto_since), m->judged, renewd.knows);
}

/* What must wait again is not left to its client. */
static void check_offer(const struct job *j) {
  const struct conversation *c = sim_told_conversation(j->conversation);
  if (sim_stage(j) != STAGE_OPEN || world.boot <= c->calm_since + CALM_MS) return;
  SIM_CHECK(c->automation != RENEW_PAUSED, "job %s is offered in a pause", j->name);
  int64_t paused = sim_paused_since(j, j->offered_to);
  SIM_CHECK(paused == RENEW_NEVER || world.boot <= paused + CALM_MS, "job %s is offered in a pause",
            j->name);
  sim_check_account_offer(j);
}

/* A conversation may have had hundreds of jobs. */
static void forget_old_jobs(struct conversation *c) {
  int oldest = c->newest + 1;
  for (int job = c->newest; job >= c->oldest; job = world.j[job].older)
    if (world.j[job].status != OVER || world.j[job].told_version != world.j[job].version)
      oldest = job;
  c->oldest = oldest;
}

void sim_check(int id) {
  world.n.checked++;
  if (!is_calm()) return;
  forget_old_jobs(&world.c[id]);
  const struct conversation *c = sim_told_conversation(id);
  if (c->told_version != c->version) return;
  check_message(id);
  for (int job = c->newest; job >= c->oldest; job = world.j[job].older) check_offer(&world.j[job]);
  if (c->under || c->running >= 0) return;
  for (int job = c->newest; job >= c->oldest; job = world.j[job].older) {
    const struct job *j = &world.j[job];
    bool untold = j->told_run == renewd.run && j->told_version != j->version;
    if (j->offer || untold) return;
  }
  for (int job = c->newest; job >= c->oldest; job = world.j[job].older) check_job(job);
}

/* In the end only that waits which waits for its owner. */
void sim_check_at_end(void) {
  int64_t since = world.boot - 10 * MINUTE; /* what was due since then may be under way */
  for (int id = 0; id < world.jobs; id++) {
    const struct job *j = &world.j[id];
    const struct conversation *c = sim_told_conversation(j->conversation);
    SIM_CHECK(j->status != RUNNING, "job %s runs for ever", j->name);
    if (j->status == OVER) continue;
    SIM_CHECK(!sim_is_superseded(j), "job %s, which nobody wants, waits for ever", j->name);
    bool waits = c->automation == RENEW_PAUSED || j->target < 0 || c->under > 0 ||
                 c->braked_until == RENEW_NEVER ||
                 (j->wait.calendar ? j->next > now().wall : ends(&j->wait) > since) ||
                 (j->automatic && rests(c) > since) || unpaused_since(j) > since ||
                 sim_account_open_since(j) > since;
    if (!waits) fail_late(j, since);
  }
  for (int id = 0; id < world.conversations_n; id++) {
    const struct conversation *c = &world.c[id];
    SIM_CHECK(!is_forgotten(c), "message %d has no follow-up", c->last);
  }
}
