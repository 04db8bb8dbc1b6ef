/* kill -9 at random moments of an import: what was acknowledged is there, once, and everything that follows from it. */
#include <inttypes.h>
#include <stdlib.h>

#include "tests/fault/load.h"
#include "tests/harness/base.h"
#include "tests/harness/database.h"
#include "tests/harness/ring.h"
#include "tests/harness/talk.h"

#define KILLS 50
#define OBSERVATIONS 20000
/* The long form: so many times as many of both. */
#define LONG_TIMES 5
#define KINDS 5

static const char *const victims[KINDS] = {"store", "ingest", "renewd", "syncd", NULL /* all at once */};

/* False when the victim does not run just now: the next moment will do. */
static bool kill_one(const char *name) {
  pid_t pid = t_pid(name);
  return pid > 0 && kill(pid, SIGKILL) == 0;
}

static void kill_all(void) {
  for (int i = 0; i < KINDS - 1; i++) kill_one(victims[i]);
  t_signal(t_up_process(), SIGKILL);
  t_wait_end(t_up_process(), 5000);
  t_up();
}

/* Conversations on auto meanwhile, so that renewd has something to lose too. */
static void some_on_auto(void) {
  struct t_producer *p = t_producer("automation");
  for (int i = 0; i < 10; i++) {
    t_taken(p, 'n', "local_conversations", "{'local_conversation_id': 'load:c%d', 'platform': 'load', 'automation_status': 'auto'}", i);
    t_taken(
        p, 'n', "conversation_links",
        "{'link_id': 'link:load:c%d', 'local_conversation_id': 'load:c%d', 'platform': 'load', 'remote_conversation_id': 'c%d', 'target_kind': 'null', 'observed_at': 1}",
        i, i, i);
  }
  t_talk_forget();
}

static int by_value(const void *a, const void *b) {
  unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;
  return x < y ? -1 : x > y;
}

T_STORY(kill, each_and_all_at_random_moments, 1200) {
  unsigned times = t_long() ? LONG_TIMES : 1, kills = KILLS * times, observations = OBSERVATIONS * times, moments[KILLS * LONG_TIMES], done = 0;
  int count[KINDS] = {0};
  for (unsigned i = 0; i < kills; i++) moments[i] = (unsigned)t_random_below(observations);
  qsort(moments, kills, sizeof *moments, by_value);
  unsigned first = (unsigned)t_random_below(KINDS);
  t_set("renew.cooldown", "0s");
  t_up();
  some_on_auto();
  int64_t begin = ck_boot_ms();
  struct load *l = load_new(observations, 200);
  while (!load_done(l)) {
    T_CHECK(ck_boot_ms() - begin < 900000, "%u of %u were taken after 15 minutes; the last problem: %s", load_taken(l), observations, load_last_problem(l));
    load_step(l);
    if (done == kills || load_sent(l) < moments[done]) continue;
    unsigned kind = (first + done) % KINDS;
    if (victims[kind] == NULL)
      kill_all();
    else if (!kill_one(victims[kind]))
      continue;
    count[kind]++;
    done++;
  }
  T_CHECK(done == kills, "only %u of %u kills found their moment", done, kills);
  t_note("%u kills (store %d, ingest %d, renewd %d, syncd %d, all %d), %u observations taken after %lld ms", kills, count[0], count[1], count[2], count[3],
         count[4], observations, (long long)(ck_boot_ms() - begin));
  T_UNTIL(60000, t_status_int("jobs.pending", -1) == 0 && t_status_int("jobs.running", -1) == 0, "jobs are left: %s", json_dumps(t_status(1000), 0));
  T_CHECK(t_status_int("jobs.done", 0) > 0 && t_status_int("jobs.failed", -1) == 0 && t_status_int("jobs.unknown", -1) == 0, "jobs: %s",
          json_dumps(t_at(t_status(1000), "jobs"), 0));
  load_check(&l, 60000 * (int)times);
  t_note("whole after %lld ms", (long long)(ck_boot_ms() - begin));
}
