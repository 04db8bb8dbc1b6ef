/* usage: sim [--seed N] [--conversations N] [--deliveries N] [--trace FILE] [--twice]
 *
 * Runs until so many deliveries have begun and what they began is over. --trace writes everything
 * that happened; --twice runs again with the same seed, and compares. */
#include "tests/sim/accounts.h"
#include "tests/sim/pauses.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "proto/quiet.h"

struct world world;

const struct renew_rules sim_rules = {.max_age = HOUR,
                                      .cooldown = MINUTE,
                                      .backoff = 1000,
                                      .backoff_max = 15 * MINUTE,
                                      .max_attempts = 4,
                                      .give_up = 12 * HOUR};
struct renew_settings sim_settings;

static struct ck_zone *utc;

static const struct ck_zone *zone(const void *self, struct ck_str name, struct ck_err *err) {
  (void)self;
  return ck_str_is(name, "UTC") ? utc : (ck_fail(err, "no such zone"), NULL);
}

/* ---- disasters ---- */

/* They come by themselves and, half of them, right after something has happened. */
static int64_t disaster_every(void) {
  return 4 * MINUTE + 4 * MINUTE * world.conversations_n / 1000;
}

static void kill_one(bool of_store, int64_t in) {
  if (of_store ? !store.up : !renewd.up) return;
  world.n.renewd_kills += !of_store;
  sim_add(of_store ? STORE_DIES : RENEWD_DIES, in, 0);
}

static void stop_renewd(void) {
  if (!renewd.up || renewd.stopping) return;
  world.n.renewd_stops++;
  struct event *stop = sim_add(RENEWD_STOPS, 0, 0), *end = sim_add(RENEWD_ENDS, 3 * SECOND, 0);
  stop->run = end->run = renewd.run;
}

static void disaster(void) {
  if (world.ending) return;
  sim_add(DISASTER, chance(2 * disaster_every()), 0);
  switch (chance(9)) {
  case 0:
  case 1:
    sim_add(STEP, 0, 0);
    if (one_in(3)) kill_one(false, chance(SECOND));
    break;
  case 2:
    sim_add(SUSPEND, 0, 0);
    break;
  case 3:
    stop_renewd();
    break;
  case 4:
    if (one_in(3)) sim_add(HISTORY, 0, 0)->run = renewd.run;
    break;
  case 5:
    sim_disconnect();
    break;
  default:
    if (one_in(8))
      sim_add(REBOOT, 0, 0);
    else
      kill_one(one_in(3), 0);
  }
}

/* Right after something has happened. */
static void maybe_disaster(const struct event *e) {
  /* The more conversations there are, the longer a start takes. */
  int64_t scarce = 1 + world.conversations_n / 2000;
  if (world.ending || !one_in(300 * scarce * (1 + world.disasters[e->kind] / 8))) return;
  world.disasters[e->kind]++;
  switch (chance(6)) {
  case 0:
    stop_renewd();
    break;
  case 1:
    sim_add(STEP, chance(5), 0);
    break;
  case 2:
    sim_disconnect();
    break;
  default:
    if (one_in(8))
      sim_add(REBOOT, chance(5), 0);
    else
      kill_one(one_in(3), chance(5));
  }
}

void sim_steps_clock(int64_t by) {
  world.offset += by;
  world.steps++;
  world.stepped_at = world.boot;
}

/* From a second to ten years, either way; never further than that from the beginning. */
static void step_clock(void) {
  static const int64_t sizes[] = {SECOND, 10 * SECOND, MINUTE, HOUR,
                                  DAY,    30 * DAY,    YEAR,   10 * YEAR};
  int64_t by = sizes[chance(7)], off = world.offset - EPOCH;
  if (one_in(2)) by = -by;
  if (off + by > 12 * YEAR || off + by < -12 * YEAR) by = -by;
  if (off > YEAR && one_in(2)) by = -off;
  if (off < -YEAR && one_in(2)) by = -off;
  sim_steps_clock(by);
  world.n.clock_steps++;
}

/* Nothing runs meanwhile, and both clocks go on. */
static void suspend(void) {
  world.boot += one_in(3) ? chance(10 * HOUR) : chance(5 * MINUTE);
  renewd.calm_since = world.boot;
  world.n.suspends++;
}

/* Its clock is right afterwards, or was stepped, or goes on from where it was. */
static void reboot(void) {
  int64_t before = world.boot;
  sim_reboot();
  if (one_in(3))
    step_clock();
  else if (one_in(2))
    sim_steps_clock(before - world.boot);
}

/* ---- events ---- */

static void happens(struct event *e) {
  switch (e->kind) {
  case LIFE:
    sim_life(e->id);
    break;
  case ANSWERS:
    sim_answers(e->id);
    break;
  case GROWS:
    sim_grows(e->id);
    break;
  case MEDDLES:
    sim_meddles(e->id);
    break;
  case MAKES:
    sim_makes(e->id);
    break;
  case HOLDS:
    sim_owner_holds(e->id);
    break;
  case UNPAUSES:
    sim_unpauses(e);
    break;
  case UNLIMITS:
    sim_unlimits(e);
    break;
  case DECIDES:
    sim_decides(e->id);
    break;
  case DISASTER:
    disaster();
    break;
  case ARRIVES:
    sim_arrives(e);
    break;
  case CLIENT_CLAIMS:
    sim_client_claims(e);
    break;
  case CLIENT_ENDS:
    sim_client_ends(e);
    break;
  case STEP:
    step_clock();
    break;
  case SUSPEND:
    suspend();
    break;
  case REBOOT:
    reboot();
    break;
  case RENEWD_DIES:
    if (renewd.up) sim_renewd_dies();
    break;
  case RENEWD_STARTS:
    if (!renewd.up) sim_renewd_starts();
    break;
  case STORE_DIES:
    if (store.up) sim_store_dies();
    break;
  case STORE_STARTS:
    if (e->life == store.life) sim_store_starts();
    break;
  case TOLD:
    sim_told(e);
    break;
  case COMMIT:
    sim_commit(e);
    break;
  default:
    sim_renewd_event(e);
  }
}

/* ---- the run ---- */

static void begin(uint64_t seed) {
  world.random.state = world.seed = seed;
  world.offset = EPOCH;
  world.hash = UINT64_C(0xcbf29ce484222325);
  sim_settings = (struct renew_settings){.rules = sim_rules,
                                         .stops = {.in_a_row = IN_A_ROW,
                                                   .alike = ALIKE,
                                                   .per_day = PER_DAY,
                                                   .question = true,
                                                   .question_ok = CK_LIT("continue"),
                                                   .text = CK_LIT(STOP_TEXT),
                                                   .zone = zone},
                                         .delay = DELAY,
                                         .spacing = SPACING,
                                         .account_spacing = ACCOUNT_SPACING,
                                         .account_slots = ACCOUNT_SLOTS,
                                         .ahead = (size_t)world.conversations_n / 20,
                                         .payload = "continue"};
  world.c = ck_zalloc((size_t)world.conversations_n * sizeof *world.c);
  store = (struct store){.up = true, .life = 1, .version = 1};
  renewd = (struct renewd){.tail = &renewd.head, .unserved = -1, .run = world.runs};
  sim_targets_begin();
  sim_accounts_begin();
  sim_pauses_begin();
  sim_owner_begins();
  sim_add(DISASTER, disaster_every(), 0);
  sim_renewd_starts();
}

static void free_name(void *self, struct renew_node *n) {
  (void)self;
  free(n->id);
  free(n);
}

static void end(void) {
  for (struct event *e; (e = sim_take());) sim_event_free(e);
  ck_heap_free(&world.events);
  renew_index_each(&world.names, free_name, NULL);
  renew_index_free(&world.names);
  sim_store_free();
  sim_renewd_free();
  free(world.c);
  free(world.j);
  free(world.m);
  free(world.t);
  sim_accounts_free();
}

/* The disasters are over, and the settings have everything. */
static void wind_down(void) {
  world.ending = true;
  world.ending_at = world.boot;
  sim_owner_ends_pauses(true);
  for (int id = 0; id < world.accounts_n; id++) world.a[id].used_up_until = 0;
  if (renewd.up) sim_add(RENEWD_DIES, 0, 0);
}

static void one_event(void) {
  const struct ck_timer *first = ck_heap_top(&world.events);
  int64_t due = sim_wakes();
  if (!first || due < first->at) {
    if (due > world.boot) world.boot = due;
    sim_tick();
    return;
  }
  struct event *e = sim_take();
  if (e->timer.at > world.boot) world.boot = e->timer.at;
  world.n.events++;
  happens(e);
  maybe_disaster(e);
  sim_event_free(e);
}

static void run(uint64_t seed) {
  int turn = 0;
  begin(seed);
  while (!world.ending || world.boot < world.ending_at + 5 * DAY) {
    if (!world.ending && world.n.deliveries >= world.deliveries_wanted) wind_down();
    if (!world.events.count && sim_wakes() == RENEW_NEVER) break;
    one_event();
    sim_check(turn++ % world.conversations_n);
  }
  sim_check_at_end();
}

/* ---- the figures ---- */

static void tell_figures(double seconds) {
  const struct figures *n = &world.n;
  printf("sim: %lld events, %lld steps of the core, %d conversations, %d messages, %d jobs, %lld "
         "days, %.1f s\n",
         n->events, n->steps, world.conversations_n, world.messages, world.jobs,
         (long long)(world.boot / DAY), seconds);
  printf(
      "sim: %lld deliveries (%lld by hand, %lld by clients), %lld accepted, %lld of them offered "
      "again to a target that knows them; %lld done, %lld retry, %lld unreached, %lld released, "
      "%lld failed, %lld unknown\n",
      n->deliveries, n->by_hand, n->claimed, n->accepted, n->accepted_again, n->done, n->retried,
      n->unreached, n->released, n->failed, n->unknown);
  printf("sim: %lld superseded, %lld declined, %lld braked, %lld stopped, %lld resumed, %lld "
         "cancelled, %lld snoozed, %lld anyway, %lld refused, %lld leases ran out\n",
         n->superseded, n->declined, n->braked, n->stopped, n->resumed, n->cancelled, n->snoozed,
         n->anyway, n->refused, n->expired);
  printf(
      "sim: renewd killed %lld and stopped %lld times, the store killed %lld times; %lld attempts "
      "recovered, %lld answers lost, %lld of them problems, %lld doubled, %lld steps of the clock, "
      "%lld suspends, %lld reboots, %lld histories\n",
      n->renewd_kills, n->renewd_stops, n->store_kills, n->recovered, n->lost, n->problems,
      n->doubled, n->clock_steps, n->suspends, n->reboots, n->histories);
  printf(
      "sim: %lld pauses, %lld of them resumed; %lld limits, %lld without an end, %lld tried again, "
      "%lld over, %lld ended by their owner; %lld cancelled while they ran\n",
      n->paused, n->unpaused, n->limits, n->lasting, n->tried, n->over, n->unlimited,
      n->cancelled_running);
  printf("sim: trace %016llx\n", (unsigned long long)world.hash);
}

static bool number(const char *text, long long *to) {
  char *end;
  if (!text) return false;
  *to = strtoll(text, &end, 10);
  return *text && !*end && *to > 0;
}

static int usage(void) {
  fprintf(stderr, "usage: sim [--seed N] [--conversations N] [--deliveries N] [--trace FILE] "
                  "[--twice]\n");
  return 2;
}

static void run_with(const struct world *wanted) {
  unsigned runs = renewd.run;
  world = *wanted;
  world.runs = runs;
  fprintf(stderr, "sim: --seed %llu --conversations %d --deliveries %lld\n",
          (unsigned long long)world.seed, world.conversations_n, world.deliveries_wanted);
  clock_t began = clock();
  run(world.seed);
  tell_figures((double)(clock() - began) / CLOCKS_PER_SEC);
}

int main(int argc, char **argv) {
  struct ck_err err;
  struct world wanted = {.conversations_n = 200, .deliveries_wanted = 5000};
  long long n, seed = ck_now_ms();
  bool twice = false;
  for (int i = 1; i < argc; i++) {
    if (strcmp(argv[i], "--twice") == 0) {
      twice = true;
    } else if (strcmp(argv[i], "--trace") == 0 && argv[i + 1]) {
      if (!(wanted.trace = fopen(argv[++i], "w"))) {
        perror(argv[i]);
        return 2;
      }
    } else {
      const char *name = argv[i];
      if (!number(argv[i + 1], &n)) return usage();
      i++;
      if (strcmp(name, "--seed") == 0)
        seed = n;
      else if (strcmp(name, "--conversations") == 0)
        wanted.conversations_n = (int)n;
      else if (strcmp(name, "--deliveries") == 0)
        wanted.deliveries_wanted = n;
      else
        return usage();
    }
  }
  wanted.seed = (uint64_t)seed;
  if (!(utc = ck_zone_open(CK_LIT("UTC"), &err))) {
    fprintf(stderr, "sim: the zone UTC: %s\n", err.text);
    return 2;
  }
  run_with(&wanted);
  uint64_t hash = world.hash;
  end();
  if (twice) {
    run_with(&wanted);
    SIM_CHECK(world.hash == hash, "the same seed gives other steps");
    end();
  }
  ck_zone_free(&utc);
  if (wanted.trace) fclose(wanted.trace);
  return 0;
}
