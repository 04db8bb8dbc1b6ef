/* Jobs: what their rows say, and the life of each as a table of what follows from what.
 *
 *   WAITS        TURN: QUERIED            RUNNING: LOOKING
 *   QUERIED      ANSWERED: CLAIMING, READING, or FOLLOWING if it runs; rest if it must wait
 *   CLAIMING     RECEIPTED: LEASING, or at once what follows from it; FOLLOWING if refused
 *   LEASING      ANSWERED: SENDING; ENDING if nothing is to be sent; FOLLOWING if not ours
 *   SENDING      RESULTED: ENDING
 *   ENDING       RECEIPTED: FOLLOWING
 *   FOLLOWING     FOLLOWED: rest, or LOOKING if it runs
 *   READING      ANSWERED: OFFERING; WITHDRAWING if no client could read it; FOLLOWING if unknown
 *                PENDING: rest
 *   OFFERING     RECEIPTED: OPEN; FOLLOWING if refused      PENDING: rest
 *   OPEN         HELD: WITHDRAWING        PENDING: rest    RUNNING: LOOKING
 *   WITHDRAWING  RECEIPTED: FOLLOWING
 *   TAKEN        TIMED: LOOKING           PENDING: rest    RUNNING: LOOKING
 *   LOOKING      ANSWERED: TAKEN, ENDING or FOLLOWING; rest if its end is unknown
 *                PENDING: rest            RUNNING: LOOKING, from the beginning
 *
 * rest: WAITS; gone, if its row says that it is over. OVER: gone, forgotten with what it waits for;
 * but what has a slot goes on to its end. A PENDING or RUNNING that is not here changes nothing but
 * what is known of the row. Every other event that is not here cannot happen: it fails an
 * assertion. */
#include "renewd/core/inner.h"

#include <assert.h>
#include <stdlib.h>

#include "proto/account.h"

static struct renew_job *of_node(struct renew_node *n) { return (struct renew_job *)n; }
static struct renew_job *of_timer(struct ck_timer *t) {
  return (struct renew_job *)((char *)t - offsetof(struct renew_job, timer));
}

struct renew_job *renew_core_job(const struct renew_core *core, struct ck_str id) {
  return of_node(renew_index_find(&core->jobs, id));
}

/* ---- phases ---- */

/* It is offered, or its client has it, or that is about to be so or over. */
static bool is_left_to_client(const struct renew_job *j) {
  return j->client && !j->slot && j->phase != RENEW_WAITS && j->phase != RENEW_QUERIED;
}

/* Adds what the job counts for, or takes it away. */
static void count(struct renew_core *core, const struct renew_job *j, size_t one) {
  if (is_left_to_client(j)) renew_pace_leave_to_client(&core->pace, j->lane, one == 1);
  if (j->slot && j->phase != RENEW_FOLLOWING) core->unfinished += one;
  if (j->phase == RENEW_LOOKING || (j->phase == RENEW_ENDING && !j->slot)) core->recovering += one;
}

void renew_job_enter(struct renew_core *core, struct renew_job *j, enum renew_phase next) {
  count(core, j, (size_t)-1);
  renew_ticket_drop(&core->tickets, &j->ticket);
  ck_heap_drop(j->phase == RENEW_TAKEN ? &core->taken : &core->following, &j->timer);
  j->phase = next;
  count(core, j, 1);
}

uint64_t renew_job_await(struct renew_core *core, struct renew_job *j, enum renew_phase next) {
  renew_job_enter(core, j, next);
  return renew_ticket_take(&core->tickets, &j->ticket, RENEW_OF_JOB);
}

void renew_job_take_slot(struct renew_core *core, struct renew_job *j) {
  count(core, j, (size_t)-1);
  j->slot = j->lane;
  j->begun = j->left = false;
  renew_pace_claim(&core->pace, j->slot);
  count(core, j, 1);
}

void renew_job_begin(struct renew_core *core, struct renew_job *j) {
  j->begun = true;
  renew_pace_begin(&core->pace, j->slot, core->now.boot);
}

void renew_job_leave_slot(struct renew_core *core, struct renew_job *j) {
  if (!j->slot || j->left) return;
  renew_pace_end(&core->pace, j->slot, j->begun, core->now.boot);
  j->left = true;
}

void renew_job_free_slot(struct renew_core *core, struct renew_job *j) {
  if (!j->slot) return;
  renew_job_leave_slot(core, j);
  count(core, j, (size_t)-1);
  j->slot = NULL;
  count(core, j, 1);
}

void renew_job_follow(struct renew_core *core, struct renew_job *j, uint64_t version) {
  renew_job_leave_slot(core, j);
  renew_trying_free(j);
  renew_job_enter(core, j, RENEW_FOLLOWING);
  ck_heap_set(&core->following, &j->timer, version > INT64_MAX ? INT64_MAX : (int64_t)version);
}

static void job_free(struct renew_core *core, struct renew_job *j) {
  struct renew_job **at = &j->of->jobs;
  while (*at != j) at = &(*at)->next;
  *at = j->next;
  renew_job_enter(core, j, RENEW_WAITS);
  renew_job_free_slot(core, j);
  renew_trying_free(j);
  renew_ticket_drop(&core->tickets, &j->proposal);
  renew_doubt_end(core, j);
  renew_upcoming_count(core, j, false);
  renew_index_remove(&core->jobs, &j->node);
  if (j->of->lane == j->lane) renew_conversation_unplace(core, j->of);
  renew_pace_part(&core->pace, j->lane);
  free(j->node.id);
  free(j->client);
  free(j->account);
  free(j->no_target);
  free(j);
}

/* ---- the rules that are common ---- */

static void nothing(struct renew_core *core, struct renew_job *j, const struct renew_event *e) {
  (void)core, (void)j, (void)e;
}

static void gone(struct renew_core *core, struct renew_job *j, const struct renew_event *e) {
  (void)e;
  if (j->slot) return; /* its attempt goes on to its end */
  struct renew_conversation *c = j->of;
  job_free(core, j);
  renew_conversation_place(core, c);
  renew_conversation_drop(core, c);
}

void renew_job_rest(struct renew_core *core, struct renew_job *j, const struct renew_event *e) {
  renew_job_free_slot(core, j);
  renew_trying_free(j);
  if (j->status == RENEW_OVER) {
    gone(core, j, e);
    return;
  }
  renew_job_enter(core, j, RENEW_WAITS);
  renew_conversation_touch(core, j->of);
}

/* Its row runs though our part is over: a client was faster, or END was refused. */
static void followed(struct renew_core *core, struct renew_job *j, const struct renew_event *e) {
  renew_job_free_slot(core, j);
  if (j->status != RENEW_RUNNING) {
    renew_job_rest(core, j, e);
  } else if (j->unleased) {
    struct renew_line *l =
        renew_say(core->out, RENEW_SAY_WARN, j->node.id, "running_without_lease");
    renew_say_text(core->out, l, "conversation", ck_str_of(j->of->node.id));
    renew_job_rest(core, j, e);
  } else {
    renew_look(core, j, e);
  }
}

static renew_job_rule *const rules[RENEW_PHASES][RENEW_JOB_EVENTS] = {
    [RENEW_WAITS] = {[RENEW_JOB_TURN] = renew_query_past,
                     [RENEW_JOB_PENDING] = nothing,
                     [RENEW_JOB_RUNNING] = renew_look_at_run,
                     [RENEW_JOB_OVER] = gone},
    [RENEW_QUERIED] = {[RENEW_JOB_ANSWERED] = renew_past_known,
                       [RENEW_JOB_PENDING] = nothing,
                       [RENEW_JOB_RUNNING] = nothing,
                       [RENEW_JOB_OVER] = nothing},
    [RENEW_CLAIMING] = {[RENEW_JOB_RECEIPTED] = renew_claim_receipted,
                        [RENEW_JOB_PENDING] = nothing,
                        [RENEW_JOB_RUNNING] = nothing,
                        [RENEW_JOB_OVER] = nothing},
    [RENEW_LEASING] = {[RENEW_JOB_ANSWERED] = renew_lease_known,
                       [RENEW_JOB_PENDING] = nothing,
                       [RENEW_JOB_RUNNING] = nothing,
                       [RENEW_JOB_OVER] = nothing},
    [RENEW_SENDING] = {[RENEW_JOB_RESULTED] = renew_resulted,
                       [RENEW_JOB_PENDING] = nothing,
                       [RENEW_JOB_RUNNING] = nothing,
                       [RENEW_JOB_OVER] = nothing},
    [RENEW_ENDING] = {[RENEW_JOB_RECEIPTED] = renew_end_receipted,
                      [RENEW_JOB_PENDING] = nothing,
                      [RENEW_JOB_RUNNING] = nothing,
                      [RENEW_JOB_OVER] = gone},
    [RENEW_FOLLOWING] = {[RENEW_JOB_FOLLOWED] = followed,
                         [RENEW_JOB_PENDING] = nothing,
                         [RENEW_JOB_RUNNING] = nothing,
                         [RENEW_JOB_OVER] = gone},
    [RENEW_READING] = {[RENEW_JOB_ANSWERED] = renew_offer_read,
                       [RENEW_JOB_PENDING] = renew_job_rest,
                       [RENEW_JOB_RUNNING] = nothing,
                       [RENEW_JOB_OVER] = gone},
    [RENEW_OFFERING] = {[RENEW_JOB_RECEIPTED] = renew_offer_receipted,
                        [RENEW_JOB_PENDING] = renew_job_rest,
                        [RENEW_JOB_RUNNING] = nothing,
                        [RENEW_JOB_OVER] = gone},
    [RENEW_OPEN] = {[RENEW_JOB_HELD] = renew_offer_withdraw,
                    [RENEW_JOB_PENDING] = renew_job_rest,
                    [RENEW_JOB_RUNNING] = renew_look,
                    [RENEW_JOB_OVER] = gone},
    [RENEW_WITHDRAWING] = {[RENEW_JOB_RECEIPTED] = renew_withdraw_receipted,
                           [RENEW_JOB_PENDING] = nothing,
                           [RENEW_JOB_RUNNING] = nothing,
                           [RENEW_JOB_OVER] = gone},
    [RENEW_TAKEN] = {[RENEW_JOB_TIMED] = renew_look,
                     [RENEW_JOB_PENDING] = renew_job_rest,
                     [RENEW_JOB_RUNNING] = renew_look,
                     [RENEW_JOB_OVER] = gone},
    [RENEW_LOOKING] = {[RENEW_JOB_ANSWERED] = renew_looked,
                       [RENEW_JOB_PENDING] = renew_job_rest,
                       [RENEW_JOB_RUNNING] = renew_look,
                       [RENEW_JOB_OVER] = gone},
};

void renew_job_step(struct renew_core *core, struct renew_job *j, enum renew_job_event what,
                    const struct renew_event *e) {
  renew_job_rule *follows = rules[j->phase][what];
  assert(follows); /* else the table has no such event */
  follows(core, j, e);
}

void renew_jobs_followed(struct renew_core *core) {
  struct ck_timer *t;
  while (core->live && (t = ck_heap_top(&core->following)) && (uint64_t)t->at <= core->version)
    renew_job_step(core, of_timer(t), RENEW_JOB_FOLLOWED, NULL);
}

/* ---- rows ---- */

/* The row of a conversation on manual of which nothing is held was left out: whether that rests, if
 * a person wants one of its follow-ups anyway, is asked for. */
static void rest_of(struct renew_core *core, const struct renew_job *j) {
  struct renew_conversation *c = j->of;
  bool may_rest = j->automatic && c->automation == RENEW_MANUAL && !c->cooldown_until;
  if (may_rest && !c->unsure) c->unsure = renew_wait_unsure(core, c);
}

static struct renew_job *job_get(struct renew_core *core, const struct ck_row *row) {
  struct renew_job *j = renew_core_job(core, ck_row_key(row));
  if (j) return j;
  j = ck_zalloc(sizeof *j);
  j->node.id = ck_str_dup(ck_row_key(row));
  j->automatic = ck_job_is_automatic(ck_row_key(row), ck_row_text(row, CK_JOBS_MESSAGE_ID));
  j->next_attempt_at = j->due = RENEW_NEVER;
  j->created_at = ck_row_int(row, CK_JOBS_CREATED_AT, 0);
  j->of = renew_conversation_get(core, ck_row_text(row, CK_JOBS_LOCAL_CONVERSATION_ID));
  j->next = j->of->jobs;
  j->of->jobs = j;
  rest_of(core, j);
  renew_index_add(&core->jobs, &j->node);
  return j;
}

/* What a job's row says of its target. Free the texts. */
struct to {
  struct ck_buf key;
  char *client, *account;
};

static struct to to_of(const struct renew_target *target) {
  struct to to = {0};
  struct ck_buf account = {0};
  const char *client = renew_target_client(target);
  renew_target_key(&to.key, target);
  ck_account_name(&account, &(struct ck_account_facts){.platform = ck_str_of(target->platform),
                                                       .kind = ck_str_of(target->kind),
                                                       .id = ck_str_of(target->id),
                                                       .client_id = ck_str_of(target->client_id),
                                                       .payload = ck_str_of(target->payload),
                                                       .known = ck_str_of(target->account)});
  if (client) to.client = ck_strdup(client);
  if (account.len) to.account = ck_str_dup(ck_buf_view(&account));
  ck_buf_free(&account);
  return to;
}

/* c: whose owner may name another account; NULL: it is not known. A target that cannot be read has
 * a lane with the jobs without. */
static struct renew_lane *join_lane(struct renew_core *core, struct ck_str key,
                                    const struct renew_conversation *c, const char *account) {
  const char *named = c && c->account ? c->account : account;
  struct renew_lane *lane = renew_pace_join(&core->pace, key, ck_str_of(named));
  renew_account_joined(core, lane);
  return lane;
}

/* client: of the lane. */
static void enter_lane(struct renew_core *core, struct renew_job *j, struct renew_lane *lane,
                       char *client) {
  count(core, j, (size_t)-1);
  if (j->lane && j->of->lane == j->lane) renew_conversation_unplace(core, j->of);
  if (j->lane) renew_pace_part(&core->pace, j->lane);
  j->lane = lane;
  j->client = client;
  count(core, j, 1);
}

static void take_lane(struct renew_core *core, struct renew_job *j,
                      const struct renew_target *target) {
  struct to to = to_of(target);
  char *before = j->client;
  free(j->account);
  j->account = to.account;
  enter_lane(core, j, join_lane(core, ck_buf_view(&to.key), j->of, j->account), to.client);
  free(before);
  ck_buf_free(&to.key);
}

void renew_job_change_lane(struct renew_core *core, struct renew_job *j) {
  struct ck_str key = ck_str_of(j->lane->gates[RENEW_GATE_TARGET]->node.id);
  enter_lane(core, j, join_lane(core, key, j->of, j->account), j->client);
}

void renew_job_begun(struct renew_core *core, const struct ck_row *row, int64_t ago) {
  const struct renew_job *known = renew_core_job(core, ck_row_key(row));
  if (known && known->slot) return; /* it is this run's */
  if (ago < 0 || (ago >= core->pace.spacing && ago >= core->pace.account_spacing)) return;
  struct renew_target target;
  renew_target_parse(&target, ck_row_text(row, CK_JOBS_TARGET_SNAPSHOT), NULL);
  struct to to = to_of(&target);
  renew_target_free(&target);
  const struct renew_conversation *c =
      renew_core_conversation(core, ck_row_text(row, CK_JOBS_LOCAL_CONVERSATION_ID));
  struct renew_lane *lane = join_lane(core, ck_buf_view(&to.key), c, to.account);
  renew_pace_began(&core->pace, lane, core->now.boot - ago);
  renew_pace_part(&core->pace, lane);
  free(to.client);
  free(to.account);
  ck_buf_free(&to.key);
}

static void take_times(struct renew_core *core, struct renew_job *j, const struct ck_row *row) {
  j->attempt_count = ck_row_int(row, CK_JOBS_ATTEMPT_COUNT, 0);
  int64_t next = renew_clamp(ck_row_int(row, CK_JOBS_NEXT_ATTEMPT_AT, RENEW_NEVER));
  if (next == j->next_attempt_at) return;
  j->next_attempt_at = next;
  /* The end of a wait that has begun does not move with the wall clock. */
  const struct renew_conversation *c = j->of;
  const struct renew_wait rest = {c->cooldown_until, c->rest},
                          *waits[] = {&j->told, &rest, &c->made};
  bool mine = false;
  j->due = renew_rebase(next, core->now);
  for (int i = 2; i >= 0; i--) {
    bool is = waits[i]->wall == next && !(waits[i] == &rest && c->unsure);
    if (is) j->due = waits[i]->boot;
    mine |= is;
  }
  j->calendar = !j->automatic && !j->tried; /* a person has said when */
  j->unsure = mine || j->calendar || next == RENEW_NEVER ? 0 : renew_wait_unsure(core, j->of);
}

static void row_over(struct renew_core *core, struct renew_job *j) {
  j->status = RENEW_OVER;
  renew_upcoming_count(core, j, false);
  renew_job_step(core, j, RENEW_JOB_OVER, NULL);
}

/* A client delivered it, which tells that its account's limit is over, if it was claimed after that
 * had ended. */
static void client_worked(struct renew_core *core, const struct renew_job *j,
                          const struct ck_row *row) {
  struct ck_mutation m;
  int64_t began = renew_rebase(renew_clamp(ck_row_int(row, CK_JOBS_LAST_ATTEMPT_AT, 0)), core->now);
  if (j->client && !j->slot && renew_account_worked(core, renew_lane_account(j->lane), began, &m))
    renew_tell(core->out, 0, &m);
}

/* An attempt of it has begun, charged or not. */
static bool was_tried(const struct ck_row *row) {
  return row->v[CK_JOBS_LAST_ATTEMPT_AT].state == CK_INT;
}

void renew_job_take(struct renew_core *core, const struct ck_row *row) {
  bool running = ck_str_is(ck_row_text(row, CK_JOBS_STATUS), "running");
  struct renew_job *j = job_get(core, row);
  struct renew_target target = {0};
  bool read = false;
  renew_doubt_end(core, j);
  /* One that runs has no turn before it has another row. */
  if (!running || !j->lane) {
    read = renew_target_parse(&target, ck_row_text(row, CK_JOBS_TARGET_SNAPSHOT), NULL) == 0;
    take_lane(core, j, &target);
  }
  j->tried = was_tried(row);
  take_times(core, j, row);
  j->status = running ? RENEW_RUNNING : RENEW_PENDING;
  if (!running) renew_account_wished(core, j);
  renew_upcoming_count(core, j, renew_upcoming_is(j));
  if (!running) renew_address_job(core, j, read ? &target : NULL);
  renew_target_free(&target);
  /* A person may want it anyway. */
  if (!running && j->automatic && !j->anyway) renew_conversation_unbrake(j->of);
  renew_job_step(core, j, running ? RENEW_JOB_RUNNING : RENEW_JOB_PENDING, NULL);
  renew_conversation_touch(core, j->of);
}

/* Not known, and not to be. */
static bool is_far(struct renew_core *core, const struct ck_row *row) {
  struct ck_str id = ck_row_key(row);
  if (renew_core_job(core, id) || was_tried(row)) return false;
  if (ck_str_starts(id, CK_JOB_OF_RENEWD)) return false; /* no page has it (SINCE, wire.h) */
  return renew_upcoming_is_far(core,
                               renew_clamp(ck_row_int(row, CK_JOBS_NEXT_ATTEMPT_AT, RENEW_NEVER)));
}

void renew_job_row(struct renew_core *core, const struct ck_row *row) {
  struct ck_str status = ck_row_text(row, CK_JOBS_STATUS);
  bool running = ck_str_is(status, "running");
  bool over = !running && !ck_str_is(status, "pending");
  struct renew_conversation *c =
      renew_core_conversation(core, ck_row_text(row, CK_JOBS_LOCAL_CONVERSATION_ID));
  if (c && c->last.id && ck_str_is(ck_row_text(row, CK_JOBS_MESSAGE_ID), c->last.id))
    renew_turn_step(core, c, RENEW_TURN_HAS_JOB, NULL);
  renew_job_begun(core, row, core->now.wall - ck_row_int(row, CK_JOBS_LAST_ATTEMPT_AT, 0));
  renew_upcoming_over(core, ck_row_key(row), over);
  if (over) {
    struct renew_job *known = renew_core_job(core, ck_row_key(row));
    if (known && ck_str_is(status, "done")) client_worked(core, known, row);
    if (known && ck_str_is(status, "failed")) renew_attempt_cancelled(core, known);
    if (known) row_over(core, known);
  } else if (running || !is_far(core, row)) {
    renew_job_take(core, row);
  }
}

/* ---- all of them ---- */

static void reset(void *self, struct renew_node *n) {
  struct renew_core *core = self;
  struct renew_job *j = of_node(n);
  bool settles = j->slot && j->phase == RENEW_FOLLOWING;
  if (settles)
    ck_heap_set(&core->following, &j->timer, 0); /* that of the old history never comes */
  row_over(core, j);
}

void renew_jobs_reset(struct renew_core *core) { renew_index_each(&core->jobs, reset, core); }

static void free_job(void *self, struct renew_node *n) { job_free(self, of_node(n)); }

void renew_jobs_free(struct renew_core *core) { renew_index_each(&core->jobs, free_job, core); }
