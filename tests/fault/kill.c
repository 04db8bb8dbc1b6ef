/* kill -9 at random moments of an import: every acknowledged observation is stored once, with
 * everything that is made from it.
 *
 *   CONVKEEP_TEST_KILLS   how many kills in random_moments (200)
 *   CONVKEEP_TEST_SEED    the seed of the random numbers
 */
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/fault/load.h"
#include "tests/fault/moment.h"
#include "tests/harness/base.h"
#include "tests/harness/database.h"
#include "tests/harness/ring.h"
#include "tests/harness/talk.h"

#define KILLS 200
/* The most milliseconds between two kills; on average half of that. */
#define APART_MS 160
/* There are three kinds of kills, chosen at random: at any moment, while the victim starts, and
 * while it writes certain files. How long to wait for the second and the third. */
#define START_UP_MS 60
#define AIM_MS 400
/* While a kill waits for its moment, the load may run ahead by this many observations: rare moments
 * come with bytes written. */
#define BURST 400
#define READY_MS 3000
/* Observations a second: enough that there is always work, but not so many that the mirror and the
 * artifacts, which are compared at the end, take longer than the kills. */
#define A_SECOND 300
#define OBSERVATIONS_MAX 900000
#define STUCK_MS 120000

#define UP_KILLS 15
#define UP_OBSERVATIONS 4000
#define MEMBERS 5
static const char *const names[MEMBERS] = {"store", "ingest", "renewd", "syncd", "webd"};

/* Puts some conversations on auto, so that renewd has something to lose too. */
static void some_on_auto(void) {
  struct t_producer *p = t_producer("automation");
  for (int i = 0; i < 40; i++) {
    t_taken(p, 'n', "local_conversations",
            "{'local_conversation_id': 'load:c%d', 'platform': 'load',"
            " 'automation_status': 'auto'}",
            i);
    t_taken(p, 'n', "conversation_links",
            "{'link_id': 'link:load:c%d', 'local_conversation_id': 'load:c%d',"
            " 'platform': 'load', 'remote_conversation_id': 'c%d',"
            " 'target_kind': 'null', 'observed_at': 1}",
            i, i, i);
  }
  t_talk_forget();
}

static void check_jobs(void) {
  T_UNTIL(60000,
          t_status_int("jobs.pending", -1) == 0 && t_status_int("jobs.running", -1) == 0 &&
              t_status_int("jobs.done", 0) > 0,
          "jobs are left, or none was done: %s", json_dumps(t_status(1000), 0));
  T_CHECK(t_status_int("jobs.failed", -1) == 0 && t_status_int("jobs.unknown", -1) == 0, "jobs: %s",
          json_dumps(t_at(t_status(1000), "jobs"), 0));
}

/* ---- the five daemons, without `up`, whose delays before a restart would grow each time ---- */

struct campaign {
  struct t_process *member[MEMBERS];
  bool ready[MEMBERS];
  struct load *load;
  int64_t begin;
  unsigned ahead, kills, wanted, by_member[MEMBERS], together, by_moment[MOMENTS];
};

static void start_member(struct campaign *c, int i) {
  c->member[i] = t_daemon_try(names[i], NULL);
  c->ready[i] = false;
}

static bool look_ready(struct campaign *c, int i) {
  struct pollfd line = {c->member[i]->ready, POLLIN, 0};
  char word[8] = "";
  if (c->ready[i] || c->member[i]->ready < 0 || poll(&line, 1, 0) <= 0) return c->ready[i];
  c->ready[i] = read(c->member[i]->ready, word, 6) == 6 && strcmp(word, "ready\n") == 0;
  close(c->member[i]->ready);
  c->member[i]->ready = -1;
  return c->ready[i];
}

/* Starts those again that have ended. None may have ended other than by SIGKILL. */
static void revive(struct campaign *c) {
  for (int i = 0; i < MEMBERS; i++) {
    look_ready(c, i);
    if (!t_ended(c->member[i])) continue;
    int status = c->member[i]->status;
    T_CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL,
            "%s ended by itself with status %#x", names[i], (unsigned)status);
    if (c->member[i]->ready >= 0) close(c->member[i]->ready);
    start_member(c, i);
  }
}

static void kill_member(struct campaign *c, int i) {
  look_ready(c, i);
  if (t_ended(c->member[i])) return;
  c->by_moment[moment_of(c->member[i]->pid, c->ready[i])]++;
  kill(c->member[i]->pid, SIGKILL);
  t_wait_end(c->member[i], 10000);
  c->by_member[i]++;
  c->kills++;
}

/* Most often one daemon, sometimes several, sometimes all. */
static unsigned choose_victims(void) {
  uint64_t how = t_random_below(10);
  if (how < 6) return 1u << t_random_below(MEMBERS);
  return how < 9 ? 1 + (unsigned)t_random_below((1u << MEMBERS) - 1) : (1u << MEMBERS) - 1;
}

static void work(struct campaign *c, int ms) {
  load_allow(c->load, (unsigned)((ck_boot_ms() - c->begin) * A_SECOND / 1000) + c->ahead);
  load_step_within(c->load, ms);
}

static void work_until(struct campaign *c, int64_t until) {
  for (int64_t left; (left = until - ck_boot_ms()) > 0;) work(c, left < 4 ? (int)left : 4);
}

/* Waits for up to a millisecond, so that kills do not fall on the clock's ticks. */
static void any_instant(void) {
  struct timespec instant = {0, (long)t_random_below(1000000)};
  nanosleep(&instant, NULL);
}

static bool all_ready(struct campaign *c, unsigned victims) {
  for (int i = 0; i < MEMBERS; i++)
    if (victims & 1u << i && !look_ready(c, i)) return false;
  return true;
}

/* Waits until the store or ingest is at one of these moments. Most often that is soon; if not, any
 * moment will do. */
static void take_aim(struct campaign *c, unsigned victims) {
  static const struct {
    int member;
    enum moment moment;
  } aims[] = {{0, MOMENT_WAL}, {0, MOMENT_CHECKPOINT}, {1, MOMENT_SPOOL}, {1, MOMENT_NEW_SEGMENT}};
  size_t aim = t_random_below(sizeof aims / sizeof *aims);
  if (!(victims & 1u << aims[aim].member)) return;
  c->ahead += BURST;
  for (int64_t until = ck_boot_ms() + AIM_MS;
       ck_boot_ms() < until &&
       moment_of(c->member[aims[aim].member]->pid, true) != aims[aim].moment;)
    if (t_random_below(8) == 0) work(c, 0);
}

static void kill_some(struct campaign *c) {
  unsigned victims = choose_victims(), before = c->kills;
  if (t_random_below(3) > 0) {
    for (int64_t until = ck_boot_ms() + READY_MS; ck_boot_ms() < until && !all_ready(c, victims);)
      work(c, 1);
    work_until(c, ck_boot_ms() + 1 + (int64_t)t_random_below(APART_MS));
    if (t_random_below(2) == 0)
      take_aim(c, victims);
    else
      any_instant();
  } else {
    work_until(c, ck_boot_ms() + (int64_t)t_random_below(START_UP_MS));
    any_instant();
  }
  for (int i = 0; i < MEMBERS; i++)
    if (victims & 1u << i) kill_member(c, i);
  if (c->kills > before + 1) c->together++;
  revive(c);
}

static void strike_until_done(struct campaign *c) {
  unsigned taken = 0;
  int64_t progress = ck_boot_ms();
  while (c->kills < c->wanted) {
    kill_some(c);
    if (load_taken(c->load) != taken) progress = ck_boot_ms();
    taken = load_taken(c->load);
    T_CHECK(ck_boot_ms() - progress < STUCK_MS,
            "nothing was taken for %d ms, after %u kills; the last problem: %s", STUCK_MS, c->kills,
            load_last_problem(c->load));
    T_CHECK(load_sent(c->load) < OBSERVATIONS_MAX,
            "%u observations were sent after %u kills of %u: more kills than one ring can show",
            OBSERVATIONS_MAX, c->kills, c->wanted);
  }
}

static void end_members(struct campaign *c) {
  t_talk_forget();
  for (int i = MEMBERS; i-- > 0;) t_signal(c->member[i], SIGTERM);
  for (int i = 0; i < MEMBERS; i++)
    T_CHECK(t_wait_end(c->member[i], 10000) == 0, "%s did not end well when it was asked to",
            names[i]);
}

static void say(const struct campaign *c, unsigned taken, int64_t ms) {
  struct ck_buf where = {0}, whose = {0};
  for (int i = 0; i < MOMENTS; i++)
    ck_buf_printf(&where, "%s%s %u", i ? ", " : "", moment_name((enum moment)i), c->by_moment[i]);
  for (int i = 0; i < MEMBERS; i++) ck_buf_printf(&whose, "%s %u, ", names[i], c->by_member[i]);
  t_note("%u kills (%s%u times several at once) in %lld s, %u observations taken", c->kills,
         ck_buf_cstr(&whose), c->together, (long long)(ms / 1000), taken);
  t_note("while: %s", ck_buf_cstr(&where));
  ck_buf_free(&where);
  ck_buf_free(&whose);
}

T_STORY(kill, random_moments, 1200) {
  struct campaign c = {.wanted = t_kills() ? t_kills() : KILLS};
  t_set("renew.cooldown", "0s");
  t_set("renew.spacing", "0s");
  t_set("renew.max_age", "7d");
  t_random(); /* reports the seed */
  for (int i = 0; i < MEMBERS; i++) start_member(&c, i);
  some_on_auto();
  c.load = load_new(OBSERVATIONS_MAX, 500);
  c.begin = ck_boot_ms();
  strike_until_done(&c);
  load_stop(c.load);
  for (int64_t until = ck_boot_ms() + STUCK_MS * T_SLOWER; !load_quiet(c.load); load_step(c.load))
    T_CHECK(ck_boot_ms() < until, "%u of %u were acknowledged after the last kill; %s",
            load_taken(c.load), load_sent(c.load), load_last_problem(c.load));
  unsigned taken = load_taken(c.load);
  say(&c, taken, ck_boot_ms() - c.begin);
  T_CHECK(taken > c.kills, "%u observations during %u kills are too few", taken, c.kills);
  revive(&c);
  check_jobs();
  load_check(&c.load, 300000);
  end_members(&c);
}

/* ---- below `up`, which is killed with them at times ---- */

static bool kill_one(const char *name) {
  pid_t pid = t_pid(name);
  return pid > 0 && kill(pid, SIGKILL) == 0;
}

static void kill_all(void) {
  for (int i = 0; i < MEMBERS; i++) kill_one(names[i]);
  t_signal(t_up_process(), SIGKILL);
  t_wait_end(t_up_process(), 20000);
  t_up();
}

static int by_value(const void *a, const void *b) {
  unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;
  return x < y ? -1 : x > y;
}

T_STORY(kill, below_up, 300) {
  unsigned moments[UP_KILLS], done = 0;
  for (unsigned i = 0; i < UP_KILLS; i++) moments[i] = (unsigned)t_random_below(UP_OBSERVATIONS);
  qsort(moments, UP_KILLS, sizeof *moments, by_value);
  t_set("renew.cooldown", "0s");
  t_set("renew.spacing", "0s");
  t_set("renew.max_age", "7d");
  t_up();
  some_on_auto();
  int64_t begin = ck_boot_ms();
  struct load *l = load_new(UP_OBSERVATIONS, 200);
  while (!load_done(l)) {
    T_CHECK(ck_boot_ms() - begin < 240000 * T_SLOWER, "%u of %u were taken; the last problem: %s",
            load_taken(l), UP_OBSERVATIONS, load_last_problem(l));
    load_step(l);
    if (done == UP_KILLS || load_sent(l) < moments[done]) continue;
    unsigned which = done % (MEMBERS + 1);
    if (which == MEMBERS)
      kill_all();
    else if (!kill_one(names[which]))
      continue; /* it is not running: try again at the next step */
    done++;
  }
  T_CHECK(done == UP_KILLS, "only %u of %u kills found their moment", done, UP_KILLS);
  t_note("%u kills, %u observations taken after %lld ms", done, UP_OBSERVATIONS,
         (long long)(ck_boot_ms() - begin));
  check_jobs();
  load_check(&l, 60000);
}
