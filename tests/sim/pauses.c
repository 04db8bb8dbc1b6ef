/* See pauses.h. A pause is a state of everything, an account, a platform, a conversation or a job;
 * with an end, which is a calendar time, or without. renewd hears of a change by a heartbeat, and
 * then asks for all of them. */
#include "tests/sim/pauses.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/accounts.h"

/* What the owner pauses until further notice is resumed in so long at most. */
#define RESUMED_MS (3 * HOUR)
#define MOST 256

enum kind_of { EVERYTHING, ACCOUNT, PLATFORM, CONVERSATION, JOB };
#define KINDS_OF 5

struct pause {
  enum kind_of kind;
  int id;         /* of what; 0 of everything */
  int64_t until;  /* wall; RENEW_NEVER: none */
  int64_t since;  /* told: boot, when renewd was told of it first */
  unsigned steps; /* of the wall clock before that */
};

struct table {
  struct pause v[MOST];
  int n;
};

static struct table stored, told;
static unsigned told_run;

void sim_pauses_begin(void) { stored.n = told.n = 0; }
void sim_platform_name(char out[8], int platform) { snprintf(out, 8, "p%d", platform); }

/* ---- which of them holds ---- */

static bool is_about(const struct pause *p, const struct job *j, int account) {
  const int ids[KINDS_OF] = {0, account, sim_platform_of(j->conversation), j->conversation,
                             (int)(j - world.j)};
  return ids[p->kind] == p->id;
}

static bool holds(const struct pause *p, const struct job *j, int account) {
  return p->until > now().wall && is_about(p, j, account);
}

bool sim_is_paused(const struct job *j, int account) {
  for (int i = 0; i < stored.n; i++)
    if (holds(&stored.v[i], j, account)) return true;
  return false;
}

static const struct table *told_table(void) {
  if (told_run != renewd.run) told.n = 0;
  told_run = renewd.run;
  return &told;
}

bool sim_told_paused(const struct job *j, int account) {
  const struct table *t = told_table();
  for (int i = 0; i < t->n; i++)
    if (holds(&t->v[i], j, account)) return true;
  return false;
}

/* One that had passed, and holds again since that clock was set back, is not noticed. */
int64_t sim_paused_since(const struct job *j, int account) {
  const struct table *t = told_table();
  int64_t since = RENEW_NEVER;
  for (int i = 0; i < t->n; i++)
    if (holds(&t->v[i], j, account) && t->v[i].steps == world.steps && t->v[i].since < since)
      since = t->v[i].since;
  return since;
}

/* Of one that has passed, the wall clock says when. */
int64_t sim_unpaused_since(const struct job *j, int account) {
  const struct table *t = told_table();
  int64_t since = 0;
  for (int i = 0; i < t->n; i++) {
    const struct pause *p = &t->v[i];
    if (!is_about(p, j, account)) continue;
    if (p->until > now().wall) return RENEW_NEVER;
    int64_t ended = world.boot - (now().wall - p->until); /* long ago, by a step of that clock */
    if (ended < 1) ended = 1;
    if (ended > since) since = ended;
  }
  return since;
}

/* ---- changes ---- */

static void drop(struct table *t, int i) {
  memmove(&t->v[i], &t->v[i + 1], (size_t)(--t->n - i) * sizeof *t->v);
}

static int find(const struct table *t, enum kind_of kind, int id) {
  for (int i = 0; i < t->n; i++)
    if (t->v[i].kind == kind && t->v[i].id == id) return i;
  return -1;
}

/* Those that have passed are forgotten with the next change. */
static void changed(void) {
  for (int i = stored.n - 1; i >= 0; i--)
    if (stored.v[i].until <= now().wall) drop(&stored, i);
  sim_beat(chance(5));
}

static void resume(int i) {
  world.n.unpaused++;
  drop(&stored, i);
  changed();
}

void sim_pause_ends(int job) {
  int i = find(&stored, JOB, job);
  if (i < 0) return;
  drop(&stored, i);
  changed();
}

static void put(enum kind_of kind, int id) {
  int i = find(&stored, kind, id);
  if (i < 0 && stored.n == MOST) return;
  if (i < 0) stored.v[i = stored.n++] = (struct pause){.kind = kind, .id = id};
  bool ends = one_in(2);
  stored.v[i].until = ends ? now().wall + 1 + chance(one_in(2) ? HOUR : 10 * MINUTE) : RENEW_NEVER;
  world.n.paused++;
  if (!ends) sim_add(UNPAUSES, chance(RESUMED_MS), id)->number = (uint64_t)kind;
  changed();
}

void sim_unpauses(const struct event *e) {
  int i = find(&stored, (enum kind_of)e->number, e->id);
  if (i < 0 || stored.v[i].until != RENEW_NEVER) return;
  if (!store.up)
    sim_add(UNPAUSES, 1 + chance(MINUTE), e->id)->number = e->number;
  else
    resume(i);
}

/* One that was tried, if there is; -1: none. */
static int some_job(int id) {
  int found = -1, looked = 0;
  for (int job = world.c[id].newest; job >= 0 && looked < 40; job = world.j[job].older, looked++) {
    const struct job *j = &world.j[job];
    if (j->status != OVER && (found < 0 || (j->status == PENDING && j->attempts > 0))) found = job;
  }
  return found;
}

/* The more conversations there are, the more often one of their owner's acts is this one, and the
 * longer renewd looks at all of them then. */
void sim_owner_pauses(int id) {
  int64_t scarce = 1 + world.conversations_n / 20;
  if (!one_in(1 + world.conversations_n / 2500)) return;
  int job = some_job(id);
  if (one_in(scarce))
    put(EVERYTHING, 0);
  else if (one_in(scarce / PLATFORMS + 1))
    put(PLATFORM, sim_platform_of(id));
  else if (one_in(4))
    put(ACCOUNT, (int)chance(world.accounts_n - 1));
  else if (one_in(2) && job >= 0)
    put(JOB, job);
  else
    put(CONVERSATION, id);
}

void sim_owner_holds(int job) {
  if (!store.up || world.ending || world.j[job].status == OVER) return;
  put(JOB, job);
  sim_makes(world.j[job].conversation);
}

void sim_owner_ends_pauses(bool all) {
  for (int i = stored.n - 1; i >= 0; i--)
    if (i < stored.n && (all ? one_in(2) : one_in(stored.n))) resume(i);
}

/* ---- renewd ---- */

void sim_beat(int64_t in) {
  if (renewd.up && renewd.connected) sim_between(BEATS, in);
}

void sim_beats(void) {
  struct event *e = sim_between(PAUSED, one_in(300) ? chance(2 * SECOND) : 1 + chance(3));
  e->pauses = ck_zalloc(sizeof stored);
  memcpy(e->pauses, &stored, sizeof stored);
}

/* When renewd was told of each first stays. */
static void note(const struct table *all) {
  struct table before = *told_table();
  told = *all;
  for (int i = 0; i < told.n; i++) {
    int was = find(&before, told.v[i].kind, told.v[i].id);
    bool same = was >= 0 && before.v[was].until == told.v[i].until;
    told.v[i].since = same ? before.v[was].since : world.boot;
    told.v[i].steps = same ? before.v[was].steps : world.steps;
  }
  renewd.pauses_at = world.boot;
}

static void tell(const struct table *all) {
  static const char *const words[] = {"everything", "account", "platform", "conversation", "job"};
  struct renew_pause_row *rows = ck_zalloc(MOST * sizeof *rows);
  char(*names)[40] = ck_zalloc(MOST * sizeof *names);
  for (int i = 0; i < all->n; i++) {
    const struct pause *p = &all->v[i];
    char *name = names[i];
    if (p->kind == ACCOUNT) sim_account_name(name, p->id);
    if (p->kind == PLATFORM) sim_platform_name(name, p->id);
    if (p->kind == CONVERSATION) sim_conversation_name(name, p->id);
    if (p->kind == JOB) snprintf(name, sizeof *names, "%s", world.j[p->id].name);
    rows[i] = (struct renew_pause_row){ck_str_of(words[p->kind]), ck_str_of(name), p->until};
  }
  note(all);
  sim_step(&(struct renew_event){.kind = RENEW_PAUSES,
                                 .as.pauses = {.rows = rows, .n = (size_t)all->n}});
  free(names);
  free(rows);
}

void sim_pauses_come(const struct event *e) { tell(e->pauses); }
void sim_pauses_told(void) { tell(&stored); }
