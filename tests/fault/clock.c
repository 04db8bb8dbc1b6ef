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
#include "tests/harness/http.h"
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

/* The daemons that are started from here on have a clock that can be stepped, and is off by
 * `seconds`. */
static void preload(int64_t seconds) {
  char file[512], shim[512];
  snprintf(file, sizeof file, "%s/clock", t_folder());
  snprintf(shim, sizeof shim, "%s/tests/clock_step.so", t_build());
  step_clock(seconds);
  setenv("CLOCK_STEP_FILE", file, 1);
  setenv("LD_PRELOAD", shim, 1);
  if (T_SLOWER > 1) /* AddressSanitizer insists on being the first library */
    setenv("ASAN_OPTIONS", "verify_asan_link_order=0:abort_on_error=0:exitcode=99", 1);
}

static void up_at(int64_t seconds) {
  preload(seconds);
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

/* ---- jobs ---- */

#define WAIT_S 4 /* that the target asks for */

/* A job by hand to this target, which is due at that time of the ring's clock. */
static void job_at(struct t_producer *p, const char *name, const char *url, int64_t at) {
  t_taken(p, 'n', "messages",
          "{'id': '%s', 'platform': 'x', 'conversation_id': '%s', 'role': 'assistant', "
          "'raw_text': 't', 'observed_at': 1}",
          name, name);
  t_taken(p, 'n', "local_conversations", "{'local_conversation_id': 'x:%s', 'platform': 'x'}",
          name);
  t_taken(
      p, 'n', "renewal_jobs",
      "{'job_id': 'hand-%s', 'local_conversation_id': 'x:%s', 'message_id': '%s', "
      "'payload': 'go on', 'target_snapshot': {'kind': 'webhook', 'payload': {'url': '%shook'}}, "
      "'next_attempt_at': %lld}",
      name, name, name, url, (long long)at);
}

static struct t_http *up_with_web(void) {
  preload(0);
  struct t_http *h = t_http_start("200");
  t_set("renew.spacing", "0s");
  t_set("renew.backoff", "1ms");
  t_set("renew.webhook.allow", t_http_url(h));
  t_up();
  return h;
}

static int64_t apart(struct t_http *h, int first) {
  return t_http_request(h, first + 1)->at - t_http_request(h, first)->at;
}

/* A target asks for some seconds; the clock is stepped meanwhile. */
static void wait_over(struct t_http *h, struct t_producer *p, int64_t *off, int64_t step) {
  char name[32], script[16];
  int n = t_http_count(h);
  snprintf(name, sizeof name, "w%d", n);
  snprintf(script, sizeof script, "503/%d 200", WAIT_S);
  t_http_script(h, script);
  job_at(p, name, t_http_url(h), ck_now_ms() + *off * 1000);
  T_UNTIL(20000,
          t_http_count(h) > n && t_status_int("jobs.pending", 0) == 1 &&
              t_status_int("jobs.running", -1) == 0,
          "no first attempt");
  *off += step;
  step_clock(*off);
  T_UNTIL(WAIT_S * 1000 + 6000, t_http_count(h) > n + 1, "no second attempt after a step of %lld s",
          (long long)step);
  int64_t ms = apart(h, n);
  t_note("a step of %lld s: the next attempt came after %lld ms", (long long)step, (long long)ms);
  T_CHECK(ms >= WAIT_S * 1000 - 50 && ms < WAIT_S * 1000 + 2500 * T_SLOWER,
          "a step of %lld s: the next attempt came after %lld ms, not %d s", (long long)step,
          (long long)ms, WAIT_S);
  T_UNTIL(20000, t_status_int("jobs.pending", -1) == 0, "it is not done");
}

/* Steps of a second, an hour and ten years, both ways. */
T_STORY(clock, a_wait_is_not_moved, 120) {
  static const int64_t steps[] = {1, -1, 3600, -3600, 10 * 365 * DAY, -10 * 365 * DAY};
  struct t_http *h = up_with_web();
  struct t_producer *p = t_producer("hand");
  int64_t off = 0;
  for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) wait_over(h, p, &off, steps[i]);
  t_http_stop(&h);
}

/* Nothing comes before the clock shows the time, however it gets there. */
T_STORY(clock, a_calendar_time_follows_the_clock, 90) {
  struct t_http *h = up_with_web();
  struct t_producer *p = t_producer("hand");
  job_at(p, "later", t_http_url(h), ck_now_ms() + 10 * 365 * (int64_t)DAY * 1000);
  T_UNTIL(20000, t_status_int("jobs.pending", 0) == 1, "there is no job");
  step_clock(10 * 365 * (int64_t)DAY - 60);
  int64_t until = ck_boot_ms() + 1500;
  while (ck_boot_ms() < until) T_CHECK(t_http_count(h) == 0, "it came a minute before its time");
  step_clock(10 * 365 * (int64_t)DAY + 1);
  int64_t begin = ck_boot_ms();
  T_UNTIL(4000 * T_SLOWER, t_http_count(h) == 1, "it did not follow the clock");
  t_note("it came %lld ms after the step", (long long)(ck_boot_ms() - begin));
  t_http_stop(&h);
}

/* The clock is set back by ten years while renewd is away: the wait is no longer than it was. */
T_STORY(clock, a_wait_is_rebased_at_the_start, 90) {
  struct t_http *h = up_with_web();
  struct t_producer *p = t_producer("hand");
  char script[16];
  snprintf(script, sizeof script, "503/%d 200", WAIT_S);
  t_http_script(h, script);
  job_at(p, "w", t_http_url(h), ck_now_ms());
  T_UNTIL(20000, t_http_count(h) == 1 && t_status_int("jobs.pending", 0) == 1, "no first attempt");
  pid_t old = t_kill("renewd", SIGKILL);
  step_clock(-10 * 365 * (int64_t)DAY);
  t_wait_other("renewd", old, 20000);
  T_UNTIL(WAIT_S * 1000 + 8000, t_http_count(h) == 2, "no second attempt");
  t_note("the next attempt came after %lld ms", (long long)apart(h, 0));
  T_CHECK(apart(h, 0) < 2 * WAIT_S * 1000 + 4000 * T_SLOWER, "the wait was stretched to %lld ms",
          (long long)apart(h, 0));
  t_http_stop(&h);
}

/* More jobs than renewd holds: those that it does not hold are delivered like the others, each
 * once, after it was killed while it asked for them, too. */
#define MANY 25000
#define AT_ONCE 250

static void put_far(struct t_producer *p, int i, int64_t at) {
  char row[400];
  snprintf(row, sizeof row,
           "{'id': 'f%d', 'platform': 'x', 'conversation_id': 'f', 'role': 'assistant', "
           "'raw_text': 't', 'observed_at': 1}",
           i);
  t_put(p, "messages", row);
  snprintf(row, sizeof row, "{'local_conversation_id': 'x:f%d', 'platform': 'x'}", i);
  t_put(p, "local_conversations", row);
  snprintf(row, sizeof row,
           "{'job_id': 'far-%d', 'local_conversation_id': 'x:f%d', 'message_id': 'f%d', 'payload': "
           "'go on', 'target_snapshot': {'kind': 'null', 'id': 'n%d'}, 'next_attempt_at': %lld}",
           i, i, i, i % 32, (long long)at);
  t_put(p, "renewal_jobs", row);
}

T_STORY(clock, more_jobs_than_are_held, 240) {
  struct t_http *h = up_with_web();
  struct t_producer *p = t_producer("hand");
  int64_t day = DAY * INT64_C(1000), begun = ck_now_ms();
  for (int i = 0; i < MANY; i++) {
    put_far(p, i, begun + day + i / 100);
    if (i % AT_ONCE == AT_ONCE - 1) T_CHECK(t_commit(p) == 'n', "not put: %s", t_refusal(p));
  }
  job_at(p, "near", t_http_url(h), ck_now_ms());
  job_at(p, "farther", t_http_url(h), begun + 2 * day);
  T_UNTIL(20000, t_http_count(h) == 1, "the one that is due is not delivered");
  step_clock(DAY + 3600);
  T_UNTIL(60000 * T_SLOWER, t_status_int("jobs.done", 0) > MANY / 10, "few are delivered");
  pid_t old = t_kill("renewd", SIGKILL);
  t_wait_other("renewd", old, 20000);
  T_UNTIL(120000 * T_SLOWER,
          t_status_int("jobs.pending", 0) == 1 && t_status_int("jobs.running", 1) == 0,
          "%lld are left", (long long)t_status_int("jobs.pending", 0));
  T_CHECK(t_status_int("jobs.done", 0) == MANY + 1, "%lld are done, not %d",
          (long long)t_status_int("jobs.done", 0), MANY + 1);
  T_CHECK(t_http_count(h) == 1, "one came a day before its time");
  t_http_stop(&h);
}
