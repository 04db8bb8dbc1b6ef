/* A daemon that is stopped for a while (SIGSTOP) is not started again, and loses nothing. */
#include "tests/fault/load.h"
#include "tests/harness/base.h"
#include "tests/harness/ring.h"

static void stop_for(const char *name, int ms, struct load *l) {
  pid_t pid = t_kill(name, SIGSTOP);
  int64_t until = ck_boot_ms() + ms;
  while (ck_boot_ms() < until) load_step(l);
  kill(pid, SIGCONT);
  T_CHECK(t_pid(name) == pid, "%s was started again though it was only stopped", name);
}

/* ms: how long the daemon is stopped; two minutes in the long variant. */
static void story(const char *name, int ms) {
  if (t_long()) ms = 120000;
  t_up();
  struct load *l = load_new(4000, 200);
  while (load_sent(l) < 1000) load_step(l);
  stop_for(name, ms, l);
  int64_t on = ck_boot_ms(), until = on + 60000 * T_SLOWER;
  while (!load_done(l)) {
    T_CHECK(ck_boot_ms() < until, "%u of 4000 were taken a minute after %s went on; %s",
            load_taken(l), name, load_last_problem(l));
    load_step(l);
  }
  int64_t taken = ck_boot_ms();
  load_check(&l, 60000);
  t_note("%s was stopped for %d ms: all taken %lld ms after it went on, whole after %lld", name, ms,
         (long long)(taken - on), (long long)(ck_boot_ms() - on));
}

T_STORY(stop, the_store, 150) { story("store", 4000); }

T_STORY(stop, the_ingest, 150) { story("ingest", 1500); }

T_STORY(stop, the_syncd, 150) { story("syncd", 1500); }

T_STORY(stop, the_renewd, 150) { story("renewd", 1500); }

T_STORY(stop, the_webd, 150) { story("webd", 1500); }
