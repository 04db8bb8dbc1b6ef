/* The owner of the conversations, and the other side of them. What they do goes to the store at
 * once, if it is up. */
#include "tests/sim/accounts.h"
#include "tests/sim/pauses.h"

#include <stdio.h>
#include <string.h>

/* How often the owner looks at a conversation. */
#define LOOKS_MS (5 * HOUR)

static int64_t seen_now(void) { return now().wall - 1 - chance(2000); }

/* Most messages are new; some are history that is imported, some do not say when they were said,
 * and some come from a machine whose clock is ahead. */
static int64_t seen_at(bool *live) {
  int64_t wall = now().wall;
  *live = !one_in(40);
  if (one_in(40)) return wall - sim_rules.max_age - 1 - chance(50 * DAY);
  if (one_in(40)) return wall;
  if (one_in(60)) return wall + CK_AHEAD_MS + 1 + chance(YEAR);
  return seen_now();
}

static enum says any_words(void) {
  return one_in(30)   ? ASKS
         : one_in(40) ? FINISHED
         : one_in(40) ? WAITS_FOR_OWNER
         : one_in(8)  ? ASKS_TO_CONTINUE
         : one_in(15) ? ALIKE_TEXT
                      : PLAIN;
}

void sim_answers(int id) {
  if (!store.up) {
    sim_add(ANSWERS, chance(5 * SECOND), id);
    return;
  }
  bool live;
  int64_t at = seen_at(&live);
  int m = sim_new_message(id, true, live, any_words(), at);
  for (int64_t n = chance(2); n > 0; n--) sim_add(GROWS, chance(2 * DELAY), m);
  /* An answer goes on about when the follow-up to its beginning would go out. */
  if (one_in(6)) sim_add(ANSWERS, DELAY + chance(40), id);
  if (one_in(20)) sim_add(ANSWERS, chance(DELAY), id);
  sim_feed();
}

void sim_grows(int message) {
  struct message *m = &world.m[message];
  if (!store.up || world.c[m->conversation].last != message) return;
  m->text++;
  if (m->says == WAITS_FOR_OWNER && one_in(3)) m->says = PLAIN; /* somebody has decided there */
  sim_message_changed(message);
  sim_feed();
}

/* The page shows the follow-up as a person's message, which it is not. */
void sim_other_side(int id) {
  if (store.up && one_in(3)) {
    sim_new_message(id, false, true, ALIKE_TEXT, seen_now());
    sim_feed();
  }
  if (world.ending || one_in(25)) return;
  sim_add(ANSWERS, SECOND + chance(one_in(3) ? 10 * SECOND : 5 * MINUTE), id);
}

/* ---- what the owner does ---- */

static void says(int id) {
  sim_new_message(id, false, true, PLAIN, seen_now());
  sim_add(ANSWERS, SECOND + chance(2 * MINUTE), id);
}

static void set_automation(int id, enum renew_automation to) {
  struct conversation *c = &world.c[id];
  if (to == RENEW_AUTO && c->automation != RENEW_AUTO) c->auto_since = store.version + 1;
  c->automation = to;
  uint64_t version = store.version + 1;
  if (to == RENEW_AUTO) c->person = c->resumed = version;
  sim_conversation_changed(id);
}

static void pauses(int id) {
  struct conversation *c = &world.c[id];
  enum renew_automation to = one_in(3) ? RENEW_MANUAL : RENEW_PAUSED;
  set_automation(id, c->automation == RENEW_AUTO ? to : RENEW_AUTO);
}

static void resumes(int id) {
  struct conversation *c = &world.c[id];
  if (c->automation != RENEW_AUTO) {
    set_automation(id, RENEW_AUTO);
    return;
  }
  world.n.resumed++;
  c->person = c->resumed = store.version + 1;
  sim_conversation_changed(id);
}

static void edits(int id) {
  struct conversation *c = &world.c[id];
  if (c->last >= 0) sim_add(GROWS, 0, c->last);
}

/* Members that are not given are as the settings say. */
static void says_rules(int id) {
  struct conversation *c = &world.c[id];
  int n = 0;
  char *to = c->renewal;
  size_t room = sizeof c->renewal;
  n += snprintf(to, room, "{\"question\":%s", c->asks_freely ? "false" : "true");
  if (c->until) n += snprintf(to + n, room - (size_t)n, ",\"until\":%lld", (long long)c->until);
  if (c->quiet) n += snprintf(to + n, room - (size_t)n, ",\"quiet\":\"%s\"", QUIET);
  if (c->in_a_row) n += snprintf(to + n, room - (size_t)n, ",\"in_a_row\":%d", c->in_a_row);
  char account[24];
  sim_account_name(account, c->account);
  if (account[0]) n += snprintf(to + n, room - (size_t)n, ",\"account\":\"%s\"", account);
  snprintf(to + n, room - (size_t)n, "}");
  sim_conversation_changed(id);
}

static void sets_rules(int id) {
  struct conversation *c = &world.c[id];
  c->until = one_in(4) ? now().wall + chance(2 * DAY) : 0;
  c->quiet = one_in(3);
  c->asks_freely = one_in(4);
  c->in_a_row = one_in(3) ? 1 + (int)chance(3) : 0;
  c->account = one_in(6) ? (int)chance(world.accounts_n - 1) : -1;
  says_rules(id);
}

/* untried: and by hand. */
static struct wait by_calendar(int64_t at, bool untried) {
  struct wait w = sim_wait(at - now().wall, 0);
  w.calendar = untried || at > now().wall;
  return w;
}

static bool is_untried(const struct job *j) { return !j->automatic && !j->last_attempt_at; }

static void makes(int id, int jobs) {
  struct conversation *c = &world.c[id];
  if (c->last < 0) return;
  for (int i = 0; i < jobs; i++) {
    int m = i ? sim_new_message(id, true, true, PLAIN, seen_now()) : c->last;
    if (world.m[m].has_job) continue;
    int64_t at = now().wall + (one_in(2) ? 0 : chance(one_in(2) ? HOUR : DAY));
    sim_new_job(id, m, false, c->target, at, by_calendar(at, true));
  }
}

static void renews(int id) { makes(id, one_in(60) ? 70 : 1); }

/* Who makes jobs where an account's limit lasts may have named another one for them. */
void sim_makes_under(int account) {
  int n = world.conversations_n, from = (int)chance(n - 1), id = -1;
  for (int i = 0; i < n && id < 0; i++) {
    const struct conversation *c = &world.c[(from + i) % n];
    if (c->target >= 0 && world.t[c->target].account == account) id = (from + i) % n;
  }
  if (id < 0 || world.ending) return;
  if (one_in(2)) {
    set_automation(id, RENEW_MANUAL);
    world.c[id].account = (int)chance(world.accounts_n - 1);
    says_rules(id);
  }
  sim_add(MAKES, chance(one_in(2) ? SECOND : HOUR), id);
}

void sim_makes(int id) {
  if (!store.up || world.ending) return;
  makes(id, 1 + (int)chance(2));
  sim_feed();
}

static int some_job(int id, bool over) {
  int found = -1, looked = 0;
  for (int job = world.c[id].newest; job >= 0 && looked < 8; job = world.j[job].older, looked++)
    if (world.j[job].status == (over ? OVER : PENDING) && (found < 0 || one_in(2))) found = job;
  return found;
}

/* A delivery may be under way: its attempt is over for the store, and may have arrived. */
static void cancels(int id) {
  struct conversation *c = &world.c[id];
  bool running = c->running >= 0 && !one_in(3);
  int job = running ? c->running : some_job(id, false);
  if (job < 0) return;
  world.n.cancelled++;
  world.n.cancelled_running += running;
  world.j[job].status = OVER;
  world.j[job].failed = true;
  world.j[job].taken_away |= running;
  world.j[job].taken = 0;
  if (running) c->running = -1;
  sim_job_changed(job);
}

void sim_meddles(int id) {
  if (!store.up || world.ending) return;
  if (one_in(4))
    sim_owner_pauses(id);
  else if (one_in(4))
    cancels(id);
  else if (one_in(3))
    sets_rules(id);
  else if (one_in(2))
    pauses(id);
  else
    says(id);
  sim_feed();
}

static void snoozes(int id) {
  int job = some_job(id, false);
  if (job < 0 || sim_is_superseded(&world.j[job])) return;
  world.n.snoozed++;
  world.j[job].next = now().wall + chance(HOUR);
  world.j[job].wait = by_calendar(world.j[job].next, is_untried(&world.j[job]));
  sim_job_changed(job);
}

/* A failed job, or one whose end is unknown, begins anew: that is a reason to send it again. */
static void begins_anew(int job) {
  struct job *j = &world.j[job];
  struct conversation *c = &world.c[j->conversation];
  if (job < c->oldest) c->oldest = job;
  if (sim_is_superseded(j)) {
    if (one_in(2)) return;
    j->anyway = true;
    world.n.anyway++;
  }
  j->status = PENDING;
  j->failed = false;
  j->wishes++;
  j->attempts = j->unreached = 0;
  j->accepted = j->may_have_arrived = j->unknown = false;
  j->taken = 0;
  j->target = -1;
  j->next = now().wall;
  j->wait = by_calendar(j->next, is_untried(j));
  sim_job_changed(job);
}

static void retries(int id) {
  int job = some_job(id, true);
  if (job >= 0 && !world.j[job].accepted) begins_anew(job);
}

static void resumes_account(int id) {
  (void)id;
  sim_owner_resumes_account((int)chance(world.accounts_n - 1));
}

static void resumes_pause(int id) {
  (void)id;
  sim_owner_ends_pauses(false);
}

static void moves(int id) {
  world.c[id].target = (int)chance(world.targets_n - 1);
  sim_link_changed(id);
}

void sim_life(int id) {
  static void (*const acts[])(int) = {
      says,   says,  says,    says,    resumes,          resumes,         resumes,
      edits,  edits, cancels, snoozes, retries,          sets_rules,      renews,
      renews, moves, pauses,  pauses,  sim_owner_pauses, resumes_account, resumes_pause};
  if (world.ending) return;
  sim_add(LIFE, chance(2 * LOOKS_MS), id);
  if (!store.up) return;
  acts[chance(sizeof acts / sizeof *acts - 1)](id);
  if (world.c[id].automation != RENEW_AUTO && one_in(2)) set_automation(id, RENEW_AUTO);
  sim_feed();
}

void sim_decides(int id) {
  struct job *j = &world.j[id];
  if (j->status != RUNNING || !j->unknown) return;
  if (!store.up) {
    sim_add(DECIDES, MINUTE, id);
    return;
  }
  if (!world.ending && one_in(2)) begins_anew(id);
  if (j->status == RUNNING) {
    j->status = OVER;
    j->failed = true;
    j->unknown = false;
    j->taken = 0;
    sim_job_changed(id);
  }
  sim_feed();
}

void sim_owner_begins(void) {
  for (int id = 0; id < world.conversations_n; id++) {
    world.c[id] = (struct conversation){.automation = one_in(20) ? RENEW_MANUAL : RENEW_AUTO,
                                        .last = -1,
                                        .account = -1,
                                        .auto_since = 1,
                                        .newest = -1,
                                        .running = -1,
                                        .target = (int)chance(world.targets_n - 1)};
    if (one_in(12)) world.c[id].target = -1;
    sim_add(LIFE, chance(LOOKS_MS), id);
  }
}
