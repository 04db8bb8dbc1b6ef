/* A year of a thousand conversations, with crashes at any moment, steps of the wall clock by up to
 * a day, and a store whose receipts and rows arrive late. The decisions are those of renewd's
 * core, all of them; the store, the targets and the people are simulated. A referee checks each
 * event. A failure names its seed, and CONVKEEP_TEST_SEED=N repeats it. */
#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/test_sanitized.h"
#include "test_renewd_year.h"

/* The world, the run, and the referee of the whole. */
struct world world;

const struct renew_rules rules = {.max_age = HOUR,
                                  .cooldown = MINUTE,
                                  .backoff = 1000,
                                  .backoff_max = 15 * MINUTE,
                                  .max_attempts = 4,
                                  .give_up = 12 * HOUR};

/* ---- the referee ---- */

static bool blocked_by_order(int id) {
  const struct job *j = &world.j[id];
  if (j->attempts > 0) return false;
  for (int other = 0; other < world.jobs; other++)
    if (world.j[other].conversation == j->conversation && world.j[other].status == PENDING &&
        world.j[other].attempts > 0)
      return true;
  return false;
}

/* The job's target has no turn to give at this moment. */
static bool is_closed(const char *job) {
  const struct renew_job *j = renew_core_job(&world.core, ck_str_of(job));
  if (!j) return false;
  const struct renew_gate *target = j->lane->gates[RENEW_GATE_TARGET];
  cr_assert(target->open_at == RENEW_NEVER ? target->ours > 0
                                           : target->open_at <= world.boot + SPACING,
            "the target %s is closed for too long", target->node.id);
  return target->open_at > world.boot - LATE_MAX || target->ours >= RENEW_SLOTS_OF_A_TARGET;
}

static void check_lateness(void) {
  if (!world.up) return;
  world.checked++;
  for (int id = 0; id < world.jobs; id++) {
    const struct job *j = &world.j[id];
    const struct conversation *c = &world.c[j->conversation];
    if (j->status != PENDING || j->known_next != j->next)
      continue; /* else renewd cannot know yet */
    if (c->automation == RENEW_PAUSED || year_is_superseded(j)) continue;
    char conversation[40];
    year_conversation_name(conversation, j->conversation);
    const struct renew_conversation *known =
        renew_core_conversation(&world.core, ck_str_of(conversation));
    if (known && renew_conversation_is_busy(known)) continue;
    if (is_closed(j->name)) continue;
    bool calendar = !j->automatic && j->attempts == 0;
    if (calendar && (now().wall < j->next + LATE_MAX || world.boot < world.stepped_at + STEP_SEEN))
      continue;
    int64_t from = calendar ? 0 : j->due;
    if (j->automatic && known && known->rest > from) from = known->rest;
    if (j->automatic && !j->anyway && known && known->settled > from) from = known->settled;
    if (c->free_since > from) from = c->free_since;
    cr_assert(world.boot <= from + LATE_MAX || blocked_by_order(id), "job %d is late by %lld ms",
              id, (long long)(world.boot - from));
  }
}

static void check_once(void) {
  int *count = calloc((size_t)world.messages, sizeof *count);
  for (int id = 0; id < world.jobs; id++)
    if (world.j[id].message >= 0) count[world.j[id].message]++;
  for (int m = 0; m < world.messages; m++)
    cr_assert_leq(count[m], 1, "message %d has %d jobs", m, count[m]);
  free(count);
}

/* ---- the run ---- */

static void happen(const struct event *e) {
  bool from_dead = e->run && (e->run != world.run || !world.up);
  switch (e->kind) {
  case MESSAGE:
    year_message(e->id, !one_in(4));
    break;
  case AUTOMATE:
    year_automate(e->id);
    break;
  case GROW:
    year_grow(e->id);
    break;
  case BY_HAND:
    year_message(e->id, false);
    year_new_job(e->id, world.c[e->id].last_message, false, now().wall + chance(3 * DAY));
    break;
  case STEP:
    world.offset += chance(2 * DAY) - DAY;
    world.stepped_at = world.boot;
    break;
  case CRASH:
    if (world.up) year_crash();
    break;
  case START:
    year_start();
    break;
  case PERSON:
    year_person(e->id);
    break;
  case QUERY:
    if (!from_dead) year_queried_in_store(e);
    break;
  case PUT:
    if (!from_dead) year_put(e);
    break;
  case CLAIM:
    if (!from_dead) year_claimed_in_store(e);
    break;
  case SUPERSEDE:
    if (!from_dead) year_supersede_in_store(e);
    break;
  case OFFER:
    if (!from_dead) year_offer(e);
    break;
  case WITHDRAW:
    if (!from_dead) year_withdraw(e);
    break;
  case CLIENT_CLAIM:
    year_client_claim(e);
    break;
  case CLIENT_END:
    year_client_end(e);
    break;
  case END:
    if (!from_dead) year_end_in_store(e);
    break;
  default:
    if (!from_dead) year_happens(e);
  }
}

static void plan_the_year(void) {
  for (int id = 0; id < CONVERSATIONS; id++) {
    world.c[id] = (struct conversation){
        .automation = one_in(10) ? RENEW_MANUAL : RENEW_AUTO, .last_message = -1, .auto_since = 1};
    for (int64_t i = chance(24); i >= 0; i--) {
      int64_t at = chance(YEAR);
      for (int64_t burst = chance(3); burst >= 0; burst--) {
        int64_t then = at + chance(one_in(2) ? 5000 : 10 * MINUTE);
        year_add(MESSAGE, then, 0, id);
        /* An answer about when the follow-up to it would go out. */
        if (one_in(4)) year_add(MESSAGE, then + DELAY + chance(30), 0, id);
        if (one_in(2)) year_add(GROW, then + chance(2 * DELAY), 0, id);
      }
    }
    for (int64_t i = chance(12); i >= 0; i--) year_add(GROW, chance(YEAR), 0, id);
    if (one_in(3)) year_add(AUTOMATE, chance(YEAR), 0, id);
    if (one_in(3)) year_add(BY_HAND, chance(YEAR), 0, id);
  }
  for (int i = 0; i < 60; i++) year_add(STEP, chance(YEAR), 0, 0);
}

/* A third of the crashes come shortly after an event, where the windows for mistakes are. */
static void maybe_crash(const struct event *e) {
  bool asks = e->kind == QUERY || e->kind == ANSWER;
  /* A start asks about every conversation, and must not be the end of it. */
  if (!world.up || (asks && e->parts & RENEW_ABOUT_MESSAGE)) return;
  bool touchy = asks || e->kind == PUT || e->kind == CLAIM || e->kind == RECEIPT ||
                e->kind == SENT || e->kind == END;
  if (one_in(touchy ? 300 : 3000)) year_add(CRASH, chance(5), 0, 0);
}

static void run_year(uint64_t seed) {
  memset(&world, 0, sizeof world);
  world.random.state = seed;
  world.offset = EPOCH;
  world.j = calloc(JOBS_MAX, sizeof *world.j);
  world.m = calloc(JOBS_MAX, sizeof *world.m);
  world.job_of_message = calloc(JOBS_MAX, sizeof *world.job_of_message);
  plan_the_year();
  year_start();
  while (world.events.count && world.boot < YEAR + 30 * DAY) {
    int64_t due = world.up ? year_wakes() : RENEW_NEVER;
    if (due < ck_heap_top(&world.events)->at) {
      world.boot = due > world.boot ? due : world.boot;
      year_tick();
      continue;
    }
    struct event *e = year_take();
    world.boot = e->timer.at;
    happen(e);
    maybe_crash(e);
    if (one_in(40)) check_lateness();
    free(e);
  }
  check_once();
}

static void clean_up(void) {
  while (world.events.count) free(year_take());
  ck_heap_free(&world.events);
  free(world.j);
  free(world.m);
  free(world.job_of_message);
  renew_index_free(&world.names);
  if (world.up) renew_core_free(&world.core);
  renew_effects_free(&world.effects);
}

Test(renewd_schedule, a_year, .timeout = 120 * SLOWER) {
  const char *given = getenv("CONVKEEP_TEST_SEED");
  uint64_t seed = given ? strtoull(given, NULL, 10) : (uint64_t)ck_now_ms();
  fprintf(stderr, "renewd_schedule: CONVKEEP_TEST_SEED=%llu\n", (unsigned long long)seed);
  run_year(seed);
  fprintf(stderr,
          "renewd_schedule: %d messages, %d jobs, %ld sent, %ld done, %ld crashes, %ld unknown, "
          "%ld refused, %ld superseded, %ld released, %ld anyway, %ld declined, %ld looks\n",
          world.messages, world.jobs, world.sent, world.done, world.crashes, world.unknown,
          world.refused, world.superseded, world.released, world.anyway, world.declined,
          world.checked);
  fprintf(stderr, "renewd_schedule: the client claimed %ld, let %ld run out; %ld withdrawn\n",
          world.claimed_by_client, world.expired, world.withdrawn);
  cr_assert_gt(world.claimed_by_client, 200);
  cr_assert_gt(world.expired, 10);
  cr_assert_gt(world.withdrawn, 5);
  cr_assert_gt(world.superseded, 200);
  cr_assert_gt(world.released, 10);
  cr_assert_gt(world.declined, 100);
  cr_assert_gt(world.done, 5000);
  cr_assert_gt(world.crashes, 50);
  cr_assert_gt(world.unknown, 10);
  int left = 0;
  for (int id = 0; id < world.jobs; id++) {
    const struct job *j = &world.j[id];
    bool waits = world.c[j->conversation].automation != RENEW_AUTO;
    if (j->status != OVER && !waits) left++;
    cr_assert(j->status != RUNNING || j->unknown, "job %d runs for ever", id);
  }
  cr_assert_leq(left, world.jobs / 100, "%d jobs were forgotten", left);
  clean_up();
}
