/* Conversations: what their rows say, and when the next job of each may go. */
#include "renewd/core/inner.h"

#include <stddef.h>
#include <stdlib.h>

#include "proto/account.h"

static struct renew_conversation *of_node(struct renew_node *n) {
  return (struct renew_conversation *)n;
}
static struct renew_conversation *of_timer(struct ck_timer *t) {
  return (struct renew_conversation *)((char *)t - offsetof(struct renew_conversation, timer));
}

int64_t renew_clamp(int64_t wall) {
  return wall < 0 ? 0 : wall > RENEW_TIME_LIMIT ? RENEW_NEVER : wall;
}

int64_t renew_rebase(int64_t wall, struct renew_now now) {
  return wall == RENEW_NEVER ? RENEW_NEVER : now.boot + (wall - now.wall);
}

/* ---- when ---- */

bool renew_conversation_is_busy(const struct renew_conversation *c) {
  for (const struct renew_job *j = c->jobs; j; j = j->next)
    if (j->phase != RENEW_WAITS) return true;
  return false;
}

/* The boot time at which the job may go, if it were the conversation's only one. */
static int64_t goes_at(const struct renew_core *core, const struct renew_job *j) {
  const struct renew_conversation *c = j->of;
  struct renew_now now = core->now;
  if (j->status != RENEW_PENDING || j->next_attempt_at == RENEW_NEVER || j->no_target)
    return RENEW_NEVER;
  if (j->unsure || (j->automatic && c->unsure)) return RENEW_NEVER;
  if (c->automation == RENEW_PAUSED || renew_job_is_superseded(j)) return RENEW_NEVER;
  const struct renew_pause *pause = renew_job_pause(core, j);
  int64_t paused = pause ? renew_rebase(pause->until, now) : 0;
  if (paused == RENEW_NEVER) return RENEW_NEVER;
  int64_t due = renew_job_due(j, now);
  if (renew_job_is_braked(j) && c->braked.until > due) due = c->braked.until;
  if (paused > due) due = paused;
  if (j->automatic && c->rest > due) due = c->rest;
  if (j->automatic && !j->anyway && c->settled > due) due = c->settled;
  return j->hold > due ? j->hold : due;
}

bool renew_job_may_go(const struct renew_core *core, const struct renew_job *j) {
  return goes_at(core, j) <= core->now.boot && !renew_job_is_limited(core, j);
}

/* One that a pause, a brake or its conversation's rest holds goes before no other. */
static bool goes_first(const struct renew_core *core, const struct renew_job *j) {
  if (j->attempt_count == 0 || renew_job_pause(core, j)) return false;
  if (j->automatic && j->of->rest > core->now.boot) return false;
  return !renew_job_is_braked(j) || j->of->braked.until <= core->now.boot;
}

/* The order of jobs: those already attempted first, then by due time, age and id. */
static bool before(const struct renew_core *core, const struct renew_job *a, int64_t a_due,
                   const struct renew_job *b, int64_t b_due) {
  bool a_first = goes_first(core, a);
  if (a_first != goes_first(core, b)) return a_first;
  if (a_due != b_due) return a_due < b_due;
  if (a->created_at != b->created_at) return a->created_at < b->created_at;
  return strcmp(a->node.id, b->node.id) < 0;
}

static struct renew_job *next_job(const struct renew_core *core, const struct renew_conversation *c,
                                  int64_t *due) {
  struct renew_job *best = NULL;
  *due = RENEW_NEVER;
  if (renew_conversation_is_busy(c)) return NULL;
  for (struct renew_job *j = c->jobs; j; j = j->next) {
    int64_t at = goes_at(core, j);
    if (j->unsure && j->status == RENEW_PENDING) { /* it may have to go first */
      *due = RENEW_NEVER;
      return NULL;
    }
    if (at == RENEW_NEVER || (best && !before(core, j, at, best, *due))) continue;
    best = j;
    *due = at;
  }
  return best;
}

/* ---- in the lanes ---- */

/* A step of the wall clock may make another job the next one. */
static bool has_calendar(const struct renew_core *core, const struct renew_conversation *c) {
  for (const struct renew_job *j = c->jobs; j; j = j->next) {
    bool braked = c->braked.calendar && renew_job_is_braked(j);
    if ((braked || j->calendar || renew_job_pause(core, j)) && goes_at(core, j) != RENEW_NEVER)
      return true;
  }
  return false;
}

void renew_conversation_place(struct renew_core *core, struct renew_conversation *c) {
  int64_t due;
  struct renew_job *j = next_job(core, c, &due);
  bool calendar = j && has_calendar(core, c);
  c->next = j;
  if (calendar && core->calendars == 0) core->offset = core->now.wall - core->now.boot;
  if (calendar != c->calendar) core->calendars += calendar ? 1 : (size_t)-1;
  c->calendar = calendar;
  struct renew_lane *lane = j ? j->lane : NULL;
  if (c->lane && c->lane != lane) renew_pace_leave(&core->pace, c->lane, &c->timer);
  c->lane = lane;
  if (lane) renew_pace_wait(&core->pace, lane, &c->timer, due);
}

void renew_conversation_unplace(struct renew_core *core, struct renew_conversation *c) {
  if (c->lane) renew_pace_leave(&core->pace, c->lane, &c->timer);
  c->lane = NULL;
  if (c->calendar) core->calendars--;
  c->calendar = false;
}

/* A brake until a time of the day is asked about again. */
static void place_calendar(void *self, struct renew_node *n) {
  struct renew_conversation *c = of_node(n);
  if (!c->calendar) return;
  if (c->braked.calendar) renew_conversation_brake(c, (struct renew_braked){.brake = RENEW_FREELY});
  renew_conversation_place(self, c);
}

void renew_conversations_follow_clock(struct renew_core *core) {
  int64_t offset = core->now.wall - core->now.boot, moved = offset - core->offset;
  if (!core->calendars || (moved > -2 && moved < 2)) return;
  core->offset = offset;
  renew_index_each(&core->conversations, place_calendar, core);
}

struct renew_job *renew_conversations_next_job(struct renew_core *core) {
  for (struct ck_timer *t; (t = renew_pace_next(&core->pace, core->now.boot));) {
    struct renew_conversation *c = of_timer(t);
    int64_t due;
    struct renew_job *j = next_job(core, c, &due);
    if (due <= core->now.boot && j->lane == c->lane) return j;
    /* The wall clock has moved by less than is noticed; or another job goes first by now, which
     * waits for its own lane. */
    renew_conversation_place(core, c);
  }
  return NULL;
}

void renew_conversation_touch(struct renew_core *core, struct renew_conversation *c) {
  renew_conversation_place(core, c);
  if (c->touched || !c->jobs) return;
  c->touched = true;
  c->next_touched = NULL;
  if (core->touched.head)
    core->touched.tail->next_touched = c;
  else
    core->touched.head = c;
  core->touched.tail = c;
}

void renew_conversation_brake(struct renew_conversation *c, struct renew_braked braked) {
  free(c->braked.why);
  c->braked = braked;
}

void renew_conversation_unbrake(struct renew_conversation *c) {
  c->changed = true;
  renew_conversation_brake(c, (struct renew_braked){.brake = RENEW_FREELY});
}

bool renew_job_is_braked(const struct renew_job *j) {
  const struct renew_braked *b = &j->of->braked;
  return b->brake != RENEW_FREELY && (b->all || (j->automatic && !j->anyway));
}

/* ---- rows ---- */

struct renew_conversation *renew_core_conversation(const struct renew_core *core,
                                                   struct ck_str id) {
  return of_node(renew_index_find(&core->conversations, id));
}

struct renew_conversation *renew_conversation_get(struct renew_core *core, struct ck_str id) {
  struct renew_conversation *c = renew_core_conversation(core, id);
  if (c) return c;
  c = ck_zalloc(sizeof *c);
  c->node.id = ck_str_dup(id);
  renew_index_add(&core->conversations, &c->node);
  return c;
}

/* There are few of them, and very many conversations. */
void renew_conversation_platform(struct renew_core *core, struct renew_conversation *c,
                                 struct ck_str platform) {
  if (!platform.n) return;
  struct renew_node *n = renew_index_find(&core->platforms, platform);
  if (!n) {
    n = ck_zalloc(sizeof *n);
    n->id = ck_str_dup(platform);
    renew_index_add(&core->platforms, n);
  }
  c->platform = n->id;
}

static void conversation_free(struct renew_core *core, struct renew_conversation *c) {
  renew_turn_forget(core, c);
  renew_conversation_unplace(core, c);
  renew_index_remove(&core->conversations, &c->node);
  free(c->braked.why);
  free(c->account);
  free(c->node.id);
  free(c);
}

void renew_conversation_drop(struct renew_core *core, struct renew_conversation *c) {
  if (c->automation != RENEW_MANUAL || c->jobs || c->turn != RENEW_QUIET || c->touched ||
      c->asked || c->addressing != RENEW_ADDRESSED)
    return;
  conversation_free(core, c);
}

bool renew_conversation_account(struct renew_core *core, struct renew_conversation *c,
                                struct ck_str renewal) {
  struct ck_renewal own;
  struct ck_buf name = {0};
  ck_renewal_read(&own, renewal, NULL); /* what cannot be read stops the job */
  ck_account_name(&name, &(struct ck_account_facts){.own = ck_str_of(own.account)});
  bool changes = !ck_str_eq(ck_buf_view(&name), ck_str_of(c->account));
  if (changes) {
    free(c->account);
    c->account = name.len ? ck_str_dup(ck_buf_view(&name)) : NULL;
    for (struct renew_job *j = c->jobs; j; j = j->next) renew_job_change_lane(core, j);
    for (struct renew_job *j = c->jobs; j; j = j->next)
      if (j->phase == RENEW_OPEN) renew_job_step(core, j, RENEW_JOB_HELD, NULL);
  }
  bool news = changes || !c->account_known;
  c->account_known = true;
  for (struct renew_job *j = news ? c->jobs : NULL; j; j = j->next)
    if (j->status == RENEW_PENDING) renew_account_wished(core, j);
  ck_buf_free(&name);
  ck_renewal_free(&own);
  return changes;
}

/* No clock makes it longer than one may be. */
static int64_t rest_of(struct renew_core *core, struct renew_conversation *c) {
  bool told = c->told.wall && c->told.wall == c->cooldown_until;
  c->unsure = !c->cooldown_until || told ? 0 : renew_wait_unsure(core, c);
  if (told) return c->told.boot;
  int64_t rest = renew_rebase(c->cooldown_until, core->now), longest = CK_CLIENT_TIME_MAX_MS;
  if (core->set.rules.cooldown > longest) longest = core->set.rules.cooldown;
  return rest < core->now.boot + longest ? rest : core->now.boot + longest;
}

void renew_conversation_row(struct renew_core *core, const struct ck_row *row) {
  struct ck_str automation = ck_row_text(row, CK_CONVERSATIONS_AUTOMATION_STATUS);
  struct renew_conversation *c = renew_core_conversation(core, ck_row_key(row));
  if (!c && renew_automation_of(automation) == RENEW_MANUAL) return;
  if (!c) c = renew_conversation_get(core, ck_row_key(row));
  renew_conversation_platform(core, c, ck_row_text(row, CK_CONVERSATIONS_PLATFORM));
  renew_turn_conversation_row(core, c, row);
  renew_conversation_account(core, c, ck_row_text(row, CK_CONVERSATIONS_RENEWAL));
  int64_t until = renew_clamp(ck_row_int(row, CK_CONVERSATIONS_COOLDOWN_UNTIL, 0));
  if (until != c->cooldown_until) {
    c->cooldown_until = until;
    c->rest = rest_of(core, c);
    renew_turn_rests(core, c);
  }
  renew_conversation_unbrake(c);
  renew_conversation_touch(core, c);
  renew_conversation_drop(core, c);
}

/* ---- all of them ---- */

static void forget(void *self, struct renew_node *n) {
  struct renew_core *core = self;
  struct renew_conversation *c = of_node(n);
  renew_turn_forget(core, c);
  renew_address_forget(core, c);
  c->touched = c->asked = c->account_known = false;
  c->unsure = 0;
  c->cooldown_until = c->rest = c->settled = 0;
  c->told = c->made = (struct renew_wait){0};
  renew_conversation_unbrake(c);
  renew_conversation_unplace(core, c);
  renew_conversation_drop(core, c);
}

void renew_conversations_reset(struct renew_core *core) {
  core->touched = core->unaddressed = core->waits.queue = (struct renew_queue){0};
  core->waits.asked = 0;
  core->waits.started = false;
  renew_index_each(&core->conversations, forget, core);
}

static void free_platform(void *self, struct renew_node *n) {
  (void)self;
  free(n->id);
  free(n);
}

void renew_platforms_free(struct renew_core *core) {
  renew_index_each(&core->platforms, free_platform, NULL);
  renew_index_free(&core->platforms);
}
