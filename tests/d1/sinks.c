/* A mirror here beside one in D1: each of sync.sinks has a cursor, a worker, a witness and alarms
 * of its own, and none waits for another. */
#include <stdio.h>
#include <string.h>

#include "tests/d1/d1.h"
#include "tests/mirror/stories.h"

static void both_same(void) {
  t_settle(30000);
  mirror_sqlite.compare();
  mirror_d1.compare();
}

static void set_sinks(const char *sinks) {
  t_set("sync.sinks", sinks);
  t_settings_changed();
}

/* Both are filled, by a syncd each. */
static struct t_producer *begin(void) {
  d1_start();
  set_sinks("sqlite d1");
  t_do(0, "sync", "schema", "--apply");
  t_up();
  struct t_producer *p = t_producer("test");
  mirror_write(p, 0, 20, 0);
  both_same();
  return p;
}

T_STORY(d1_sinks, both_have_everything, 120) {
  struct t_producer *p = begin();
  T_CHECK(t_mirror_int("sqlite", "workers") == 1 && t_mirror_int("d1", "workers") == 1,
          "not a worker each");
  T_CHECK(t_mirror_says("sqlite", "witness.state", "fits") &&
              t_mirror_says("d1", "witness.state", "fits"),
          "a witness does not fit");
  T_CHECK(mirror_sqlite.number("SELECT count(*) AS n FROM convkeep_mirror") == 1 &&
              d1_int("SELECT count(*) AS n FROM convkeep_mirror") == 1,
          "one has no witness");
  json_t *lines = t_lines(0, "sync", "status");
  T_CHECK(json_array_size(lines) == 2 && strcmp(t_text_at(lines, "0.sink"), "sqlite") == 0 &&
              strcmp(t_text_at(lines, "1.sink"), "d1") == 0,
          "`sync status` says %s", json_dumps(lines, 0));
  json_decref(lines);
  lines = t_lines(0, "sync", "verify", "--deep");
  T_CHECK(json_array_size(lines) == 2 && strcmp(t_text_at(lines, "1.sink"), "d1") == 0,
          "`sync verify` says %s", json_dumps(lines, 0));
  json_decref(lines);
  /* A worker, the other worker and the store are killed while much comes. */
  pid_t here = t_kill("syncd-sqlite", SIGKILL);
  mirror_write(p, 0, 20, 1);
  pid_t there = t_kill("syncd-d1", SIGKILL);
  mirror_write(p, 10, 20, 2);
  T_UNTIL(20000, t_pid("syncd-sqlite") && t_pid("syncd-sqlite") != here, "it does not come back");
  T_UNTIL(20000, t_pid("syncd-d1") && t_pid("syncd-d1") != there, "it does not come back");
  pid_t store = t_kill("store", SIGKILL);
  t_wait_other("store", store, 20000);
  mirror_write(t_producer("later"), 0, 40, 3);
  both_same();
  d1_stop();
}

T_STORY(d1_sinks, one_that_is_away_holds_up_no_other, 120) {
  struct t_producer *p = begin();
  d1_kill();
  mirror_write(p, 0, 30, 1);
  T_UNTIL(20000, t_mirror_has_all("sqlite"), "mirror.db waits for D1");
  mirror_sqlite.compare();
  T_CHECK(t_mirror_int("d1", "pending") > 0 && t_mirror_int("sqlite", "pending") == 0,
          "what is away is done?");
  T_UNTIL(15000, t_mirror_says("d1", "alarm", "stalled"), "D1 is no alarm");
  T_CHECK(t_mirror_says("sqlite", "alarm", NULL), "it is one of mirror.db's too");
  t_says(0, "d1: nothing gets into the mirror", "status");
  t_do(0, "sync", "verify", "--sink", "sqlite");
  d1_again();
  both_same();
  d1_stop();
}

T_STORY(d1_sinks, what_is_forgotten_goes_from_both, 120) {
  begin();
  t_do(0, "forget", "--yes", "c3");
  both_same();
  const char *left = "SELECT count(*) AS n FROM messages WHERE conversation_id = 'r3'";
  T_CHECK(mirror_sqlite.number(left) == 0 && d1_int(left) == 0, "it is still there");
  t_do(0, "sync", "verify");
  d1_stop();
}

/* A row that D1 refuses is none of mirror.db's business. */
T_STORY(d1_sinks, each_has_its_own_dead_letters, 120) {
  struct t_producer *p = begin();
  mirror_d1.refuse("id = 'm3-1'");
  mirror_write(p, 0, 10, 1);
  T_UNTIL(30000, t_mirror_int("d1", "dead_letters") == 1, "it is no dead letter");
  T_UNTIL(20000, t_mirror_has_all("sqlite") && t_mirror_has_all("d1"), "something waits");
  mirror_sqlite.compare();
  T_CHECK(t_mirror_int("sqlite", "dead_letters") == 0, "it is one of mirror.db's too");
  mirror_d1.accept();
  json_t *lines = t_lines(0, "sync", "retry", "--sink", "sqlite");
  T_CHECK(t_int_at(lines, "0.retried", -1) == 0, "there was one of mirror.db's");
  json_decref(lines);
  lines = t_lines(0, "sync", "retry");
  T_CHECK(t_int_at(lines, "0.retried", -1) == 1, "it is not sent again");
  json_decref(lines);
  both_same();
  T_CHECK(t_mirror_int("d1", "dead_letters") == 0, "it is still dead");
  d1_stop();
}

/* One mirror is another store's: that is about this mirror. The database was set back: that is
 * about all. */
T_STORY(d1_sinks, an_alarm_of_one, 120) {
  struct t_producer *p = begin();
  json_decref(d1_sql("UPDATE convkeep_mirror SET store_id = 'f00d', run = 'beef'"));
  mirror_write(p, 0, 10, 1);
  T_UNTIL(20000, t_mirror_says("d1", "alarm", "other_store"), "it is no alarm");
  t_says(0, "d1: other_store", "status");
  t_doctor_finds(1, "mirror", "wrong", "d1:");
  mirror_write(p, 10, 10, 1);
  T_UNTIL(20000, t_mirror_has_all("sqlite"), "mirror.db waits");
  T_CHECK(t_mirror_says("sqlite", "alarm", NULL), "it is one of mirror.db's too");
  mirror_sqlite.compare();
  t_says(2, "say in which sink", "sync", "adopt");
  t_says(2, "sqlite d1", "sync", "backfill");
  t_says(2, "sqlite d1", "sync", "schema");
  t_says(2, "sync.sinks has sqlite d1", "sync", "verify", "--sink", "postgres");
  t_do(0, "sync", "adopt", "--sink", "d1");
  both_same();
  json_decref(d1_sql("UPDATE convkeep_mirror SET version = 3000000000000000000"));
  mirror_write(p, 0, 1, 2);
  T_UNTIL(20000, t_mirror_says("d1", "alarm", "set_back"), "it is no alarm");
  T_UNTIL(20000, t_mirror_says("sqlite", "alarm", "held"), "mirror.db goes on");
  mirror_write(p, 0, 10, 2);
  /* Nor does it after a restart, before D1's witness was read again. */
  t_ring_forget();
  t_down();
  d1_kill();
  t_up();
  mirror_write(t_producer("later"), 0, 10, 3);
  T_CHECK(t_mirror_says("sqlite", "alarm", "held"), "mirror.db goes on");
  t_says(0, "held", "sync", "status", "--sink", "sqlite");
  t_says(1, "was set back", "sync", "repair", "--sink", "sqlite");
  T_CHECK(mirror_sqlite.number("SELECT count(*) AS n FROM local_conversations"
                               " WHERE title IN ('title 3')") == 0,
          "it was written to");
  d1_again();
  t_do(0, "sync", "adopt", "--sink", "d1");
  both_same();
  d1_stop();
}

/* A sink that is added is filled from the start. One that is taken out is known, holds nothing up,
 * and goes on where it was. */
T_STORY(d1_sinks, one_is_added_and_taken_out, 120) {
  d1_start();
  set_sinks("sqlite");
  t_up();
  mirror_write(t_producer("test"), 0, 20, 0);
  t_settle(20000);
  t_ring_forget();
  t_down();
  set_sinks("sqlite d1");
  t_do(0, "sync", "schema", "--apply", "--sink", "d1");
  t_up();
  both_same();
  t_ring_forget();
  t_down();
  set_sinks("sqlite");
  t_up();
  t_says(0, "not used", "status");
  json_t *s = t_status(2000);
  T_CHECK(strncmp(t_text_at(s, "sync_unused.0.mirror"), "d1:", 3) == 0 &&
              t_int_at(s, "sync_unused.0.cursor", 0) > 0 && !t_at(s, "sync.d1"),
          "status: %s", json_dumps(t_at(s, "sync_unused"), 0));
  json_decref(s);
  mirror_write(t_producer("test"), 10, 20, 1);
  t_settle(20000);
  mirror_sqlite.compare();
  t_ring_forget();
  t_down();
  set_sinks("sqlite d1");
  int64_t written = d1_stat("rows_written");
  t_up();
  both_same();
  T_CHECK(d1_stat("rows_written") > written, "nothing was written");
  d1_stop();
}

/* A syncd serves one sink; one that the store does not fill is told so. */
T_STORY(d1_sinks, a_worker_says_which_sink_it_serves, 60) {
  d1_start();
  set_sinks("sqlite d1");
  t_do(0, "sync", "schema", "--apply");
  t_daemon("store", NULL);
  struct t_process *both = t_daemon_try("syncd", NULL);
  T_UNTIL(10000, t_complained(both, "a syncd serves one of them (sqlite d1)"), "it says nothing");
  t_wait_end(both, 20000);
  t_daemon("syncd", (const char *const[]){"--set", "sync.sinks=d1", NULL});
  mirror_write(t_producer("test"), 0, 10, 0);
  T_UNTIL(20000, t_mirror_has_all("d1"), "its worker does nothing");
  mirror_d1.compare();
  T_CHECK(t_mirror_int("sqlite", "cursor") == 0 && t_mirror_int("sqlite", "workers") == 0,
          "mirror.db has a worker");
  struct t_process *other =
      t_daemon("syncd", (const char *const[]){"--set", "sync.sinks=null", NULL});
  T_UNTIL(10000,
          t_complained(other, "sync.sinks of the store has sqlite, d1, not this worker's null"),
          "it is not told");
  t_daemon("syncd", (const char *const[]){"--set", "sync.sinks=sqlite", NULL});
  both_same();
  d1_stop();
}
