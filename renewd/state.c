/* Conversations and jobs: what their rows say, when jobs are due, and their states. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "renewd/state_internal.h"
#include "renewd/target.h"

/* Later times (from the year 287396 on) count as never, so that no sum overflows. */
#define TIME_LIMIT INT64_C(9000000000000000)

static struct renew_job *job_of(struct renew_node *n) { return (struct renew_job *)n; }
static struct renew_conversation *conversation_of(struct renew_node *n) {
  return (struct renew_conversation *)n;
}
static struct renew_conversation *conversation_of_timer(struct ck_timer *t) {
  return (struct renew_conversation *)((char *)t - offsetof(struct renew_conversation, timer));
}

static int64_t clamp(int64_t wall) { return wall < 0 ? 0 : wall > TIME_LIMIT ? RENEW_NEVER : wall; }
static int64_t rebase(int64_t wall, struct renew_now now) {
  return wall == RENEW_NEVER ? RENEW_NEVER : now.boot + (wall - now.wall);
}

/* ---- states: the tables are in state.h ---- */

static const unsigned job_may_become[] = {
    [RENEW_JOB_FREE] = TO(RENEW_JOB_OURS) | TO(RENEW_JOB_RECOVERING) | TO(RENEW_JOB_OFFERED),
    [RENEW_JOB_RECOVERING] = TO(RENEW_JOB_FREE),
    [RENEW_JOB_OURS] = TO(RENEW_JOB_GONE) | TO(RENEW_JOB_FREE) | TO(RENEW_JOB_OFFERED),
    [RENEW_JOB_OFFERED] = TO(RENEW_JOB_FREE),
    [RENEW_JOB_GONE] = TO(RENEW_JOB_OURS),
};

static void job_become(struct renew_job *j, enum renew_job_state next) {
  assert(job_may_become[j->state] & TO(next));
  j->state = next;
}

static bool is_ours(const struct renew_job *j) {
  return j->state == RENEW_JOB_OURS || j->state == RENEW_JOB_GONE;
}

bool renew_state_busy(const struct renew_conversation *c) {
  for (const struct renew_job *j = c->jobs; j; j = j->next)
    if (is_ours(j) || j->state == RENEW_JOB_OFFERED) return true;
  return false;
}

/* ---- when ---- */

static bool on_calendar(const struct renew_job *j) {
  return !j->automatic && j->attempt_count == 0;
}

/* The boot time at which the job may go, if it were the conversation's only one. */
static int64_t goes_at(const struct renew_job *j, struct renew_now now) {
  const struct renew_conversation *c = j->of;
  if (j->running || j->next_attempt_at == RENEW_NEVER || j->no_target) return RENEW_NEVER;
  if (c->automation == RENEW_PAUSED || renew_state_is_superseded(j)) return RENEW_NEVER;
  int64_t due = on_calendar(j) ? rebase(j->next_attempt_at, now) : j->due;
  if (c->braked.brake == RENEW_STOPPED && j->automatic && !j->anyway) return RENEW_NEVER;
  if (c->braked.brake == RENEW_HOURLY && c->braked.until > due) due = c->braked.until;
  if (j->automatic && c->rest > due) due = c->rest;
  if (j->automatic && !j->anyway && c->settled > due) due = c->settled;
  return j->hold > due ? j->hold : due;
}

/* When it may be claimed. */
static int64_t due_of(const struct renew_job *j, struct renew_now now) {
  return j->state == RENEW_JOB_FREE ? goes_at(j, now) : RENEW_NEVER;
}

bool renew_state_may_go(const struct renew_job *j, struct renew_now now) {
  return goes_at(j, now) <= now.boot;
}

/* The order of jobs: those already attempted first, then by due time, age and id. */
static bool before(const struct renew_job *a, int64_t a_due, const struct renew_job *b,
                   int64_t b_due) {
  if ((a->attempt_count > 0) != (b->attempt_count > 0)) return a->attempt_count > 0;
  if (a_due != b_due) return a_due < b_due;
  if (a->created_at != b->created_at) return a->created_at < b->created_at;
  return strcmp(a->node.id, b->node.id) < 0;
}

static struct renew_job *next_job(const struct renew_conversation *c, struct renew_now now,
                                  int64_t *due) {
  struct renew_job *best = NULL;
  *due = RENEW_NEVER;
  if (renew_state_busy(c)) return NULL;
  for (struct renew_job *j = c->jobs; j; j = j->next) {
    int64_t at = due_of(j, now);
    if (at == RENEW_NEVER || (best && !before(j, at, best, *due))) continue;
    best = j;
    *due = at;
  }
  return best;
}

void renew_state_place(struct renew_state *st, struct renew_conversation *c, struct renew_now now) {
  int64_t due;
  struct renew_job *j = next_job(c, now, &due);
  bool calendar = j && on_calendar(j);
  if (calendar && st->calendars == 0) st->offset = now.wall - now.boot;
  if (calendar != c->calendar) st->calendars += calendar ? 1 : (size_t)-1;
  c->calendar = calendar;
  struct renew_lane *lane = j ? j->lane : NULL;
  if (c->lane && c->lane != lane) renew_pace_leave(&st->pace, c->lane, &c->timer);
  c->lane = lane;
  if (lane) renew_pace_wait(&st->pace, lane, &c->timer, due);
}

static void set_brake(struct renew_state *st, struct renew_conversation *c,
                      struct renew_braked braked) {
  c->braked = braked;
  if (braked.brake == RENEW_FREELY)
    ck_heap_drop(&st->braked, &c->braked_timer);
  else
    ck_heap_set(&st->braked, &c->braked_timer, braked.until);
}

static void unplace(struct renew_state *st, struct renew_conversation *c) {
  if (c->lane) renew_pace_leave(&st->pace, c->lane, &c->timer);
  c->lane = NULL;
  if (c->calendar) st->calendars--;
  c->calendar = false;
}

struct placing {
  struct renew_state *st;
  struct renew_now now;
};

static void place_calendar(void *self, struct renew_node *n) {
  const struct placing *p = self;
  if (conversation_of(n)->calendar) renew_state_place(p->st, conversation_of(n), p->now);
}

/* After a step of the wall clock, calendar times have other boot times. */
static void follow_clock(struct renew_state *st, struct renew_now now) {
  int64_t offset = now.wall - now.boot, moved = offset - st->offset;
  if (!st->calendars || (moved > -2 && moved < 2)) return;
  st->offset = offset;
  renew_index_each(&st->conversations, place_calendar, &(struct placing){st, now});
}

struct renew_job *renew_state_claim(struct renew_state *st, struct renew_now now) {
  follow_clock(st, now);
  for (struct ck_timer *t; (t = renew_pace_next(&st->pace, now.boot));) {
    struct renew_conversation *c = conversation_of_timer(t);
    int64_t due;
    struct renew_job *j = next_job(c, now, &due);
    if (due <= now.boot) {
      job_become(j, RENEW_JOB_OURS);
      j->slot = j->lane;
      j->begun = c->changed = false;
      renew_pace_claim(&st->pace, j->slot);
      renew_state_place(st, c, now);
      return j;
    }
    /* The wall clock has moved by less than follow_clock notices. */
    renew_state_place(st, c, now);
  }
  return NULL;
}

int64_t renew_state_due(struct renew_state *st, struct renew_now now) {
  follow_clock(st, now);
  return renew_pace_due(&st->pace);
}

void renew_state_begin(struct renew_state *st, struct ck_str job_id, struct renew_now now) {
  struct renew_job *j = renew_state_job(st, job_id);
  assert(j && is_ours(j));
  j->begun = true;
  renew_pace_begin(&st->pace, j->slot, now.boot);
}

/* ---- conversations ---- */

struct renew_conversation *renew_state_conversation(const struct renew_state *st,
                                                    struct ck_str id) {
  return conversation_of(renew_index_find(&st->conversations, id));
}

static struct renew_conversation *conversation_get(struct renew_state *st, struct ck_str id) {
  struct renew_conversation *c = renew_state_conversation(st, id);
  if (c) return c;
  c = ck_zalloc(sizeof *c);
  c->node.id = ck_str_dup(id);
  renew_index_add(&st->conversations, &c->node);
  return c;
}

void renew_state_drop_unneeded(struct renew_state *st, struct renew_conversation *c) {
  if (c->automation != RENEW_MANUAL || c->jobs || c->querying != RENEW_QUIET || c->checking) return;
  renew_state_turn_forget(st, c);
  unplace(st, c);
  ck_heap_drop(&st->braked, &c->braked_timer);
  renew_index_remove(&st->conversations, &c->node);
  free(c->node.id);
  free(c);
}

static void conversation_row(struct renew_state *st, const struct ck_row *row,
                             struct renew_now now) {
  struct ck_str automation = ck_row_text(row, CK_CONVERSATIONS_AUTOMATION_STATUS);
  if (renew_automation_of(automation) == RENEW_MANUAL &&
      !renew_state_conversation(st, ck_row_key(row)))
    return;
  struct renew_conversation *c = conversation_get(st, ck_row_key(row));
  renew_state_turn_row(st, c, row, now);
  int64_t until = clamp(ck_row_int(row, CK_CONVERSATIONS_COOLDOWN_UNTIL, 0));
  if (until != c->cooldown_until) {
    c->cooldown_until = until;
    c->rest = rebase(until, now);
  }
  c->changed = true;
  set_brake(st, c, (struct renew_braked){.brake = RENEW_FREELY});
  renew_state_place(st, c, now);
  renew_state_drop_unneeded(st, c);
}

/* ---- jobs ---- */

struct renew_job *renew_state_job(const struct renew_state *st, struct ck_str id) {
  return job_of(renew_index_find(&st->jobs, id));
}

static void job_drop(struct renew_state *st, struct renew_job *j) {
  struct renew_job **at = &j->of->jobs;
  while (*at != j) at = &(*at)->next;
  *at = j->next;
  renew_index_remove(&st->jobs, &j->node);
  if (j->of->lane == j->lane) unplace(st, j->of);
  renew_pace_part(&st->pace, j->lane);
  free(j->node.id);
  free(j->client);
  free(j->no_target);
  free(j);
}

static struct renew_job *job_get(struct renew_state *st, const struct ck_row *row) {
  struct renew_job *j = renew_state_job(st, ck_row_key(row));
  if (j) return j;
  j = ck_zalloc(sizeof *j);
  j->node.id = ck_str_dup(ck_row_key(row));
  j->automatic = ck_job_is_automatic(ck_row_key(row), ck_row_text(row, CK_JOBS_MESSAGE_ID));
  j->next_attempt_at = j->due = RENEW_NEVER;
  j->created_at = ck_row_int(row, CK_JOBS_CREATED_AT, 0);
  j->of = conversation_get(st, ck_row_text(row, CK_JOBS_LOCAL_CONVERSATION_ID));
  j->next = j->of->jobs;
  j->of->jobs = j;
  renew_index_add(&st->jobs, &j->node);
  return j;
}

/* The lane of the row's target; a target that cannot be read has one with the jobs without.
 * *client: who delivers there, for the caller to free; NULL: renewd does. */
static struct renew_lane *join_lane(struct renew_state *st, const struct ck_row *row,
                                    char **client) {
  struct renew_target target;
  struct ck_buf key = {0};
  renew_target_parse(&target, ck_row_text(row, CK_JOBS_TARGET_SNAPSHOT), NULL);
  renew_target_key(&key, &target);
  struct renew_lane *lane = renew_pace_join(&st->pace, ck_buf_view(&key));
  const char *named = renew_target_client(&target);
  *client = named ? ck_strdup(named) : NULL;
  renew_target_free(&target);
  ck_buf_free(&key);
  return lane;
}

static void job_lane(struct renew_state *st, struct renew_job *j, const struct ck_row *row) {
  free(j->client);
  struct renew_lane *lane = join_lane(st, row, &j->client);
  if (j->lane && j->of->lane == j->lane) unplace(st, j->of);
  if (j->lane) renew_pace_part(&st->pace, j->lane);
  j->lane = lane;
}

/* An attempt that another run of renewd made a moment ago: its target is to be left alone for the
 * rest of the spacing. */
static void note_attempt(struct renew_state *st, const struct ck_row *row, struct renew_now now) {
  int64_t ago = now.wall - ck_row_int(row, CK_JOBS_LAST_ATTEMPT_AT, 0);
  if (ago < 0 || ago >= st->pace.spacing) return;
  char *client;
  struct renew_lane *lane = join_lane(st, row, &client);
  free(client);
  renew_pace_began(&st->pace, lane, now.boot - ago);
  renew_pace_part(&st->pace, lane);
}

/* The job is done or failed, or its history was reset. While it is ours it is kept. */
static void job_over(struct renew_state *st, struct renew_job *j) {
  if (!is_ours(j))
    job_drop(st, j);
  else if (j->state == RENEW_JOB_OURS)
    job_become(j, RENEW_JOB_GONE);
}

static void job_row(struct renew_state *st, const struct ck_row *row, struct renew_now now) {
  struct ck_str status = ck_row_text(row, CK_JOBS_STATUS);
  bool running = ck_str_is(status, "running");
  struct renew_conversation *known =
      renew_state_conversation(st, ck_row_text(row, CK_JOBS_LOCAL_CONVERSATION_ID));
  if (known) renew_state_turn_job(st, known, ck_row_text(row, CK_JOBS_MESSAGE_ID));
  note_attempt(st, row, now);
  if (!running && !ck_str_is(status, "pending")) {
    struct renew_job *j = renew_state_job(st, ck_row_key(row));
    if (!j) return;
    struct renew_conversation *c = j->of;
    job_over(st, j);
    renew_state_place(st, c, now);
    renew_state_drop_unneeded(st, c);
    return;
  }
  struct renew_job *j = job_get(st, row);
  if (j->state == RENEW_JOB_GONE) job_become(j, RENEW_JOB_OURS);
  job_lane(st, j, row);
  j->running = running;
  j->attempt_count = ck_row_int(row, CK_JOBS_ATTEMPT_COUNT, 0);
  int64_t next = clamp(ck_row_int(row, CK_JOBS_NEXT_ATTEMPT_AT, RENEW_NEVER));
  if (next != j->next_attempt_at) {
    j->next_attempt_at = next;
    /* The end of a rest that has begun does not move with the wall clock. */
    j->due = next == j->of->cooldown_until ? j->of->rest : rebase(next, now);
  }
  renew_state_check(st, j->of);
  renew_state_place(st, j->of, now);
}

void renew_state_row(struct renew_state *st, const struct ck_row *row, struct renew_now now) {
  if (row->table == CK_CONVERSATIONS) conversation_row(st, row, now);
  if (row->table == CK_JOBS) job_row(st, row, now);
  if (row->table == CK_MESSAGES) renew_state_message_row(st, row, now);
}

void renew_state_settle(struct renew_state *st, struct ck_str job_id, int64_t hold,
                        struct renew_now now) {
  struct renew_job *j = renew_state_job(st, job_id);
  assert(j && is_ours(j)); /* kept until now */
  struct renew_conversation *c = j->of;
  j->hold = hold;
  renew_pace_end(&st->pace, j->slot, j->begun, now.boot);
  j->slot = NULL;
  if (j->state == RENEW_JOB_GONE)
    job_drop(st, j);
  else
    job_become(j, RENEW_JOB_FREE);
  renew_state_check(st, c);
  renew_state_place(st, c, now);
  renew_state_drop_unneeded(st, c);
}

void renew_state_offer(struct renew_state *st, struct renew_job *j, struct renew_now now) {
  if (is_ours(j)) {
    renew_state_begin(st, ck_str_of(j->node.id), now);
    renew_pace_end(&st->pace, j->slot, true, now.boot);
    j->slot = NULL;
  }
  job_become(j, RENEW_JOB_OFFERED);
  renew_state_place(st, j->of, now);
}

void renew_state_offered(struct renew_state *st, struct ck_str job_id, int64_t hold,
                         struct renew_now now) {
  struct renew_job *j = renew_state_job(st, job_id);
  if (!j || j->state != RENEW_JOB_OFFERED) return;
  j->hold = hold;
  job_become(j, RENEW_JOB_FREE);
  renew_state_check(st, j->of);
  renew_state_place(st, j->of, now);
}

void renew_state_target(struct renew_state *st, struct renew_job *j, const char *no_target,
                        struct renew_now now) {
  char *reason = no_target ? ck_strdup(no_target) : NULL; /* it may be j->no_target itself */
  free(j->no_target);
  j->no_target = reason;
  renew_state_place(st, j->of, now);
}

void renew_state_brake(struct renew_state *st, struct ck_str job_id, struct renew_braked braked,
                       struct renew_now now) {
  struct renew_job *j = renew_state_job(st, job_id);
  assert(j && is_ours(j));
  if (!j->of->changed && j->state == RENEW_JOB_OURS) set_brake(st, j->of, braked);
  renew_state_settle(st, job_id, 0, now);
}

bool renew_state_recover(struct renew_job *j) {
  if (!j->running || j->state != RENEW_JOB_FREE) return false;
  job_become(j, RENEW_JOB_RECOVERING);
  return true;
}

void renew_state_recovered(struct renew_state *st, struct ck_str job_id, struct renew_now now) {
  struct renew_job *j = renew_state_job(st, job_id);
  if (!j || j->state != RENEW_JOB_RECOVERING) return; /* it was dropped meanwhile */
  job_become(j, RENEW_JOB_FREE);
  renew_state_check(st, j->of);
  renew_state_place(st, j->of, now);
}

/* ---- all of it ---- */

static void forget_job(void *self, struct renew_node *n) { job_over(self, job_of(n)); }

static void forget_conversation(void *self, struct renew_node *n) {
  struct renew_state *st = self;
  struct renew_conversation *c = conversation_of(n);
  renew_state_turn_forget(st, c);
  c->checking = false;
  c->cooldown_until = c->rest = c->settled = 0;
  c->changed = true;
  set_brake(st, c, (struct renew_braked){.brake = RENEW_FREELY});
  unplace(st, c);
  renew_state_drop_unneeded(st, c);
}

void renew_state_reset(struct renew_state *st) {
  st->checks = NULL;
  renew_index_each(&st->jobs, forget_job, st);
  renew_index_each(&st->conversations, forget_conversation, st);
}

/* For renew_state_free: also what is ours. */
static void drop_job(void *self, struct renew_node *n) { job_drop(self, job_of(n)); }

static void drop_querying(void *self, struct renew_node *n) {
  renew_state_turn_forget(self, conversation_of(n));
  conversation_of(n)->querying = RENEW_QUIET; /* nobody waits for the answers */
}

void renew_state_free(struct renew_state *st) {
  renew_index_each(&st->jobs, drop_job, st);
  renew_index_each(&st->conversations, drop_querying, st);
  renew_state_reset(st);
  renew_index_free(&st->jobs);
  renew_index_free(&st->conversations);
  renew_pace_free(&st->pace);
  renew_index_free(&st->lasts);
  ck_heap_free(&st->settling);
  ck_heap_free(&st->braked);
}
