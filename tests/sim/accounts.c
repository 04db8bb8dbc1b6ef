/* See accounts.h: the services, the store's limits, and what renewd knows of them. */
#include "tests/sim/accounts.h"

#include "tests/sim/pauses.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* So many limits are on a page. */
#define PAGE 4
/* What lasts is paid for, and resumed, in so long at most. */
#define PAID_MS (5 * HOUR)
/* In so long renewd hears of what its owner has done, and asks. */
#define HEARD_MS (30 * SECOND)
/* A job by hand that is due so soon after it was made is one for now. */
#define AT_ONCE (5 * SECOND)

void sim_accounts_begin(void) {
  world.accounts_n = world.targets_n / 8 * 3 + 1 + world.conversations_n / 100;
  world.a = ck_zalloc((size_t)world.accounts_n * sizeof *world.a);
  for (int id = 0; id < world.accounts_n; id++)
    world.a[id].leased.job = world.a[id].former.job = -1;
}

void sim_accounts_free(void) { free(world.a); }

void sim_account_name(char out[24], int account) {
  out[0] = '\0';
  if (account >= 0) snprintf(out, 24, "acct-%05d", account); /* in the order of their numbers */
}

int sim_account_named(struct ck_str name) { return name.n ? atoi(name.s + 5) : -1; }

int sim_account_of(const struct job *j) {
  int own = world.c[j->conversation].account;
  return own >= 0 ? own : j->target >= 0 ? world.t[j->target].account : -1;
}

struct account *sim_account(int id) {
  struct account *a = &world.a[id];
  if (a->run == renewd.run) return a;
  a->run = renewd.run;
  a->known = (struct renew_limited){0};
  a->asked = a->before = a->sending = 0;
  a->calm_since = world.boot;
  return a;
}

/* ---- the service ---- */

void sim_account_used(int id) {
  struct account *a = &world.a[id];
  if (world.ending || !one_in(60) || a->used_up_until > world.boot) return;
  a->used_up_until = world.boot + chance(one_in(4) ? 5 * HOUR : 10 * MINUTE);
  a->lasts = one_in(3);
  if (a->lasts) a->used_up_until = RENEW_NEVER;
}

bool sim_is_used_up(int id) { return id >= 0 && world.a[id].used_up_until > world.boot; }

/* ---- the store ---- */

void sim_limit_told(int id, const struct renew_limited *limit, int64_t at) {
  struct account *a = &world.a[id];
  if (a->there && a->row.at >= limit->at) return;
  a->there = true;
  a->row = *limit;
  a->row_at = at;
  a->resumed_at = 0;
  a->length = limit->until - now().wall;
  a->written = now().wall;
  a->ends = limit->until ? world.boot + a->length : RENEW_NEVER;
  if (limit->until || limit->over) return;
  sim_add(UNLIMITS, chance(PAID_MS), id);
  sim_makes_under(id);
}

/* The owner has paid, mostly. */
void sim_owner_resumes_account(int id) {
  struct account *a = &world.a[id];
  if (world.ending || !one_in(5)) a->used_up_until = 0;
  if (!a->there || a->row.over || (a->row.until && a->ends <= world.boot)) return;
  world.n.unlimited++;
  a->row.until = a->written = now().wall;
  a->length = 0;
  a->ends = a->resumed_at = world.boot;
  sim_beat(chance(5));
}

void sim_unlimits(const struct event *e) {
  const struct account *a = &world.a[e->id];
  if (a->row.until || a->row.over) return;
  if (!store.up)
    sim_add(UNLIMITS, 1 + chance(MINUTE), e->id);
  else
    sim_owner_resumes_account(e->id);
}

/* By name; the cursor is the last one. */
void sim_limits_page(struct question *q) {
  int id = q->cursor[0] ? atoi(q->cursor) + 1 : 0;
  free(q->limits);
  q->limits = ck_zalloc(PAGE * (sizeof *q->limits + 24));
  char(*names)[24] = (char(*)[24])(void *)(q->limits + PAGE);
  q->next[0] = '\0';
  q->a.n = 0;
  for (; id < world.accounts_n && q->a.n < PAGE; id++) {
    const struct account *a = &world.a[id];
    if (!a->there) continue;
    char *name = names[q->a.n];
    sim_account_name(name, id);
    q->limits[q->a.n++] = (struct renew_limit_row){ck_str_of(name), CK_LIT("no more"), a->row,
                                                   a->row.until ? a->ends - world.boot : 0};
  }
  if (q->a.n == PAGE) snprintf(q->next, sizeof q->next, "%d", id - 1);
  q->a.limits = q->limits;
  q->a.cursor = ck_str_of(q->next);
}

/* ---- what renewd knows ---- */

static void know(struct account *a, const struct renew_limited *l, int64_t at, int64_t soonest,
                 int64_t latest) {
  a->known_at = at;
  a->steps = at < world.stepped_at ? world.steps - 1 : world.steps;
  a->known = *l;
  a->soonest = l->until ? soonest : RENEW_NEVER;
  a->latest = l->until ? latest : RENEW_NEVER;
  a->calm_since = world.boot;
}

void sim_limits_known(const struct question *q) {
  if (q->a.problem) return;
  for (size_t i = 0; i < q->a.n; i++) {
    const struct renew_limit_row *r = &q->limits[i];
    struct account *a = sim_account(sim_account_named(r->account));
    const struct renew_limited *k = &a->known, *l = &r->limit;
    if (l->at < k->at || (l->at == k->at && l->until == k->until)) continue;
    know(a, l, a->row_at, q->asked_at + r->left, world.boot + r->left);
  }
}

static bool is_limited(const struct account *a) { return a->known.times && !a->known.over; }

/* ---- what it tells ---- */

/* By the clocks that the rows have, or by the present one: before a step back of the wall clock a
 * later time is none, as long as it is ahead of that clock. */
static bool seems_later(int64_t created_at, const struct account *a) {
  int64_t at = world.boot + (created_at - now().wall);
  return (created_at > a->known.at || at > a->known_at) && created_at <= now().wall + CK_AHEAD_MS;
}

static int account_of_target(int target) { return target < 0 ? -1 : world.t[target].account; }

/* As renewd was told of the job and its conversation: what has changed since it does not know yet.
 * A page may tell it of another target before the row does. */
static bool may_be_of(const struct job *j, int account) {
  const struct conversation *c = sim_told_conversation(j->conversation);
  int told = j->told_run == renewd.run ? account_of_target(j->told_target) : -1;
  if (c->told_account >= 0) return c->told_account == account;
  return told == account || account_of_target(j->target) == account;
}

/* Its owner wants it at once. */
static bool is_for_now(const struct job *j) {
  bool told = j->told_run == renewd.run && j->told_next <= j->created_at + AT_ONCE;
  return !j->automatic && (told || j->next <= j->created_at + AT_ONCE);
}

/* A job by hand, for now, of that account, since the limit was known. */
static bool is_wished(int account, const struct account *a) {
  for (int id = world.jobs - 1; id >= 0; id--) {
    const struct job *j = &world.j[id];
    bool later = j->made_at >= a->known_at - CK_AHEAD_MS || seems_later(j->created_at, a);
    if (later && is_for_now(j) && may_be_of(j, account)) return true;
  }
  return false;
}

/* One without an end ends: why? A step of the clock since may hide it. */
static void check_tried(const struct telling *t, const struct account *a, enum tell with) {
  const struct message *m = with == TELL_PUT ? &world.m[t->message] : NULL;
  bool asked = m ? m->at >= a->known_at - CK_AHEAD_MS || seems_later(m->created_at, a)
                 : is_wished(t->account, a);
  world.n.tried++;
  SIM_CHECK(asked || a->steps != world.steps,
            "the limit of account %d, which has no end, ends by itself", t->account);
}

static struct renew_limited limit_of(const struct ck_limit *m) {
  return (struct renew_limited){m->until, m->since, m->times, m->at, m->over};
}

void sim_tells_limit(struct telling *t, const struct ck_limit *m, enum tell with) {
  t->account = sim_account_named(m->account);
  t->limits = true;
  t->learned = world.boot;
  t->limit = limit_of(m);
  struct account *a = sim_account(t->account);
  if (t->limit.at == a->known.at) return; /* once more */
  bool tried = is_limited(a) && !a->known.until && m->until == now().wall && !m->over;
  SIM_CHECK(t->limit.at > a->known.at, "account %d: an old limit is told", t->account);
  world.n.limits += !m->over && !tried;
  world.n.lasting += !m->until;
  world.n.over += m->over;
  if (tried) check_tried(t, a, with);
  int64_t end = world.boot + (t->limit.until - now().wall);
  if (m->over) end = a->soonest;
  know(a, &t->limit, world.boot, end, end);
}

/* ---- its slots ---- */

void sim_account_count(const struct job *j, int one) {
  struct account *a;
  for (int i = 0; j->stage == STAGE_ASKED && i < 2; i++) {
    if (j->maybe[i] < 0) continue;
    a = sim_account(j->maybe[i]);
    a->asked += one;
    a->calm_since = world.boot;
  }
  if (j->stage == STAGE_ASKED || j->charged < 0) return;
  a = sim_account(j->charged);
  a->calm_since = world.boot;
  if (j->sent)
    a->sending += one;
  else
    a->before += one;
}

/* ---- the referee ---- */

void sim_check_account(const struct job *j, bool offer) {
  if (j->charged < 0) return;
  const struct account *a = sim_account(j->charged);
  bool untold = a->there && a->row.at > a->known.at && !a->row.over;
  SIM_CHECK(!untold || world.boot >= a->ends,
            "job %s is claimed under a limit that the store has, and renewd did not ask about",
            j->name);
  SIM_CHECK(world.boot >= a->begun_at + ACCOUNT_SPACING || a->begun_at < renewd.up_since,
            "two deliveries of account %d are %lld ms apart", j->charged,
            (long long)(world.boot - a->begun_at));
  if (!is_limited(a)) return;
  SIM_CHECK(a->known.until, "job %s is claimed, though its account's limit lasts", j->name);
  SIM_CHECK(world.boot >= a->soonest, "job %s is claimed %lld ms before its account's limit ends",
            j->name, (long long)(a->soonest - world.boot));
  SIM_CHECK(offer || a->before + a->sending == 0,
            "job %s is not the only one that tries whether its account's limit is over", j->name);
}

void sim_check_account_offer(const struct job *j) {
  if (j->offered_to < 0) return;
  const struct account *a = sim_account(j->offered_to);
  bool calm = world.boot > a->known_at + HEARD_MS;
  SIM_CHECK(!is_limited(a) || !calm || world.boot >= a->latest,
            "job %s is offered under its account's limit", j->name);
}

/* Of what an earlier run has begun renewd knows the account, unless that is another one since, or
 * the owner of a conversation on manual has named it. */
static bool is_known_of(const struct leased *f, int account) {
  const struct job *of = f->job >= 0 ? &world.j[f->job] : NULL;
  const struct conversation *c = of ? &world.c[of->conversation] : NULL;
  bool named = c && c->account >= 0 && c->automation == RENEW_MANUAL;
  return of && !named && renewd.began_offset <= f->offset && sim_account_of(of) == account &&
         (of->status != OVER || c->newest == f->job);
}

/* Unless its conversation's account is another one since. */
void sim_check_account_send(const struct job *j) {
  if (j->charged < 0) return;
  const struct account *a = sim_account(j->charged);
  bool same = sim_account_of(j) == j->charged;
  SIM_CHECK(!same || !is_limited(a) || world.boot >= a->soonest,
            "job %s is sent under its account's limit", j->name);
  const struct leased *f = a->leased.run == renewd.run ? &a->former : &a->leased;
  bool here = a->begun_at >= renewd.up_since;
  int64_t since = here ? a->begun_at : is_known_of(f, j->charged) ? f->at : -DAY;
  SIM_CHECK(world.boot >= since + ACCOUNT_SPACING, "two deliveries of account %d are %lld ms apart",
            j->charged, (long long)(world.boot - since));
}

void sim_check_account_slots(const struct job *j) {
  if (j->charged < 0) return;
  const struct account *a = sim_account(j->charged);
  SIM_CHECK(a->before + a->sending <= ACCOUNT_SLOTS, "account %d has too many deliveries",
            j->charged);
}

void sim_account_leased(const struct job *j, struct leased leased) {
  if (j->charged < 0 || j->told_run != renewd.run) return;
  struct account *a = sim_account(j->charged);
  if (a->leased.run != renewd.run) a->former = a->leased;
  a->leased = leased;
}

/* The table of docs/renewal.md: how a time is taken. */
static void check_taken(const struct job *j, const struct account *a, const struct renew_limited *l,
                        bool lasts) {
  const struct renew_result *r = &j->result;
  int64_t wall = now().wall, wait = l->until - wall, told = r->limit_until - wall;
  const struct renew_limited *k = &a->known;
  SIM_CHECK(!l->over, "job %s met a limit, which is said to be over", j->name);
  if (lasts) {
    SIM_CHECK(!l->until, "a limit that lasts ends in %lld ms", (long long)wait);
    return;
  }
  if (!l->until) {
    SIM_CHECK(l->times >= 6, "a limit that was reached %lld times has no end", (long long)l->times);
    return;
  }
  SIM_CHECK(wait <= 8 * DAY, "a limit of %lld ms", (long long)wait);
  if (a->steps != world.steps) return; /* whether it is of a row is not known */
  bool first = !k->times || k->over || wall - k->until >= HOUR;
  bool passed = told <= 0, again = !first && k->until > wall;
  int64_t least = first ? told : again ? 0 : MINUTE, most = first ? told : HOUR;
  if (passed) least = again ? a->soonest - world.boot : 15 * MINUTE;
  if (passed) most = again ? a->latest - world.boot : first ? 15 * MINUTE : 4 * HOUR;
  for (int64_t n = 2; !passed && !first && n < l->times; n++) most *= 2;
  if (!passed && most < told && first) most = told;
  if (!passed && again && most < told) most = told;
  SIM_CHECK(wait >= least && (wait <= most || (!passed && wait <= told)),
            "limit %lld of account %d, told to last %lld ms, lasts %lld", (long long)l->times,
            j->charged, (long long)told, (long long)wait);
}

void sim_check_limit(const struct job *j, const struct ck_limit *m) {
  const struct renew_result *r = &j->result;
  struct renew_limited told, *limit = NULL;
  if (m) *(limit = &told) = limit_of(m);
  if (j->charged < 0) {
    SIM_CHECK(!limit, "job %s has no account, and one's limit is told", j->name);
    return;
  }
  const struct account *a = sim_account(j->charged);
  bool lasting = is_limited(a) && !a->known.until;
  SIM_CHECK(!m || sim_account_named(m->account) == j->charged, "job %s is charged elsewhere",
            j->name);
  if (r->limit) {
    SIM_CHECK(lasting ? !limit : limit != NULL, "job %s met a limit, and renewd %s", j->name,
              lasting ? "tells it again" : "does not tell it");
    if (limit) check_taken(j, a, limit, j->lasts);
    return;
  }
  bool ends = r->outcome == RENEW_DONE && is_limited(a) && j->begun_at >= a->latest;
  bool may_end = r->outcome == RENEW_DONE && is_limited(a) && j->begun_at >= a->soonest;
  SIM_CHECK(!limit || (limit->over && may_end), "job %s ends account %d's limit", j->name,
            j->charged);
  SIM_CHECK(!ends || limit, "job %s arrived, and account %d is limited still", j->name, j->charged);
}

/* ---- what should have been done ---- */

/* Its owner has resumed it, and renewd has had the time to ask. */
static bool is_resumed(const struct account *a) {
  return a->row.at == a->known.at && a->resumed_at && world.boot > a->resumed_at + HEARD_MS &&
         world.boot > renewd.calm_since + HEARD_MS;
}

static int64_t open_since(const struct account *a, bool limited) {
  int under = a->before + a->sending;
  if (a->asked || a->before || under >= ACCOUNT_SLOTS) return RENEW_NEVER;
  if (limited && (under || (world.boot < a->latest && !is_resumed(a)))) return RENEW_NEVER;
  int64_t since[] = {a->calm_since, a->begun_at + ACCOUNT_SPACING, a->leased.at + ACCOUNT_SPACING,
                     limited && !is_resumed(a) ? a->latest : 0},
          at = 0;
  for (size_t i = 0; i < sizeof since / sizeof *since; i++)
    if (since[i] > at) at = since[i];
  return at;
}

/* Of a conversation on manual renewd may not know what its owner says of the account, but for the
 * limit of another one. One offer is open of an account under a limit. */
int64_t sim_account_open_since(const struct job *j) {
  const struct conversation *c = &world.c[j->conversation];
  int all[] = {c->account, world.t[j->target].account};
  bool named = c->account >= 0 && world.boot > c->calm_since + HEARD_MS;
  int64_t at = 0;
  for (int i = 0; i < 2; i++) {
    if (all[i] < 0) continue;
    const struct account *a = sim_account(all[i]);
    bool limited = is_limited(a) && (all[i] == c->account || !named);
    bool offered = limited && world.t[j->target].channel == BROWSER;
    int64_t since = offered ? RENEW_NEVER : open_since(a, limited);
    if (since > at) at = since;
  }
  return at;
}
