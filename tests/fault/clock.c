/* The wall clock is set forward by a day, and back by two, under load. Nothing waits for it, and no
 * observation is taken twice or lost. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/fault/load.h"
#include "tests/harness/base.h"
#include "tests/harness/ring.h"
#include "tests/harness/talk.h"

#define OBSERVATIONS 3000
#define DAY (24 * 3600)

/* Overwrites the file in place: the daemons have it mapped, and truncating it would kill them. */
static void step_clock(int64_t seconds) {
  int fd = open("../clock", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  T_CHECK(fd >= 0 && pwrite(fd, &seconds, sizeof seconds, 0) == sizeof seconds,
          "the clock cannot be stepped");
  close(fd);
}

static bool log_has(const char *part) {
  char *log = t_read_file("logs/renewd.log", NULL);
  bool has = log && strstr(log, part);
  free(log);
  return has;
}

/* Fails unless the ring's clock is off by that much: a daemon that is ready logs the day. */
static void check_day(int64_t off) {
  char day[16];
  time_t at = time(NULL) + off;
  struct tm utc;
  gmtime_r(&at, &utc);
  strftime(day, sizeof day, "%Y-%m-%d", &utc);
  pid_t old = t_kill("renewd", SIGKILL);
  t_wait_other("renewd", old, 20000);
  T_UNTIL(20000, log_has(day), "the log has nothing of %s: the clock was not stepped", day);
}

static void load_to(struct load *l, unsigned n) {
  load_allow(l, n);
  for (int64_t until = ck_boot_ms() + 60000 * T_SLOWER; load_taken(l) < n; load_step(l))
    T_CHECK(ck_boot_ms() < until, "%u of %u were taken; %s", load_taken(l), n,
            load_last_problem(l));
}

/* A conversation on auto, so that renewd has jobs with times. */
static void deliver(const char *id) {
  struct t_producer *p = t_producer(id);
  t_taken(p, 'n', "local_conversations",
          "{'local_conversation_id': 'load:%s', 'platform': 'load', 'automation_status': 'auto'}",
          id);
  t_taken(p, 'n', "conversation_links",
          "{'link_id': 'l:%s', 'local_conversation_id': 'load:%s', 'platform': 'load',"
          " 'remote_conversation_id': '%s', 'target_kind': 'null', 'observed_at': 1}",
          id, id, id);
  t_talk_forget();
}

/* Starts the ring under a clock that can be stepped, and is off by `seconds`. */
static void up_at(int64_t seconds) {
  char file[512], shim[512];
  snprintf(file, sizeof file, "%s/clock", t_folder());
  snprintf(shim, sizeof shim, "%s/tests/clock_step.so", t_build());
  step_clock(seconds);
  setenv("CLOCK_STEP_FILE", file, 1);
  setenv("LD_PRELOAD", shim, 1);
  if (T_SLOWER > 1) /* AddressSanitizer insists on being the first library */
    setenv("ASAN_OPTIONS", "verify_asan_link_order=0:abort_on_error=0:exitcode=99", 1);
  t_set("renew.cooldown", "0s");
  t_set("renew.spacing", "0s");
  t_set("renew.max_age", "7d");
  t_up();
}

static void jobs_are_done(void) {
  T_UNTIL(30000,
          t_status_int("jobs.done", 0) > 0 && t_status_int("jobs.pending", -1) == 0 &&
              t_status_int("jobs.running", -1) == 0,
          "jobs are left: %s", json_dumps(t_status(1000), 0));
}

T_STORY(clock, steps_of_a_day, 150) {
  up_at(0);
  deliver("c1");
  struct load *l = load_new(OBSERVATIONS, 200);
  load_to(l, 600);
  step_clock(DAY);
  load_set_clock(l, DAY);
  load_to(l, 1400);
  check_day(DAY);
  load_to(l, 1800);
  step_clock(-DAY);
  load_set_clock(l, -DAY);
  load_to(l, 2600);
  check_day(-DAY);
  load_to(l, OBSERVATIONS);
  /* A job that was made a day ahead is due on that day: stored times are wall-clock times
   * (docs/renewal.md). */
  step_clock(DAY);
  check_day(DAY);
  unsetenv("LD_PRELOAD");
  jobs_are_done();
  load_check(&l, 60000);
}

/* A machine without a battery for its clock starts in 1970; in 2107 the time does not fit into 32
 * bits, not even unsigned. */
T_STORY(clock, years_1970_and_2107, 150) {
  int64_t to_1970 = -(int64_t)time(NULL) + 60, to_2107 = INT64_C(4323456789) - (int64_t)time(NULL);
  up_at(to_1970);
  deliver("c1");
  struct load *l = load_new(OBSERVATIONS, 200);
  load_set_clock(l, to_1970);
  load_to(l, 1200);
  check_day(to_1970);
  jobs_are_done();
  step_clock(to_2107);
  load_set_clock(l, to_2107);
  load_to(l, OBSERVATIONS);
  check_day(to_2107);
  unsetenv("LD_PRELOAD");
  jobs_are_done();
  load_check(&l, 60000);
}
