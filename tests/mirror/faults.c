/* After any answer of the mirror, or none, in the end the mirror equals the database, and only rows
 * that are themselves at fault are dead letters. */
#include <stdio.h>
#include <string.h>

#include "tests/mirror/stories.h"

void story_connections_that_break_before_and_after_the_commit(const struct mirror *m) {
  static const char *const faults[] = {
      "reset-before 1", "reset-after 1", "eof-before 1",   "eof-after 1",   "reset-after 3",
      "eof-after 2",    "pass 1",        "reset-before 4", "stall-after 1", "stall-before 1"};
  mirror_start(m);
  m->proxy();
  t_set(m->timeout, "700ms");
  mirror_schema(m);
  t_daemon("store", NULL);
  t_daemon("syncd", NULL);
  struct t_producer *p = t_producer("test");
  for (int i = 0; i < (int)(sizeof faults / sizeof *faults); ++i) {
    mirror_proxy_say(faults[i]);
    for (int k = 0; k < 10; ++k) {
      mirror_write(p, (i * 7 + k) % 40, 1, i * 100 + k);
      t_pause(10);
    }
  }
  mirror_same(m, 20000);
  mirror_none_dead();
  mirror_proxy_say("refuse on");
  mirror_write(p, 0, 40, 4242);
  T_UNTIL(20000, *mirror_last_error() != 0, "nothing listens, and nobody says so");
  mirror_proxy_say("refuse off");
  mirror_same(m, 10000);
  mirror_none_dead();
  mirror_stop(m);
}

void story_workers_that_are_killed_again_and_again(const struct mirror *m) {
  mirror_ring(m);
  struct t_process *second;
  mirror_workers(&second, 1);
  struct t_producer *p = t_producer("test");
  for (int round = 0; round < 8; ++round) {
    mirror_write(p, round * 10, 40, round);
    t_pause((int)t_random_below(30));
    t_signal(second, SIGKILL);
    t_wait_end(second, 20000);
    mirror_workers(&second, 1);
  }
  mirror_same(m, 30000); /* a lease of a dead worker ends after 10 s */
  mirror_none_dead();
  mirror_end_workers(&second, 1);
  mirror_stop(m);
}

/* ---- the fault of a row, of a table ---- */

void story_a_row_that_is_refused_is_a_dead_letter_and_the_others_go_on(const struct mirror *m) {
  mirror_start(m);
  mirror_schema(m);
  m->refuse("id = 'm7-1' AND raw_text NOT LIKE 'mended%'");
  t_daemon("store", NULL);
  struct t_producer *p = t_producer("test");
  mirror_write(p, 1, 50, 0);
  t_daemon("syncd", NULL);
  mirror_settle(10000);
  mirror_one_dead("m7-1", m->refused);
  T_CHECK(m->number("SELECT count(*) AS n FROM messages") == 149, "the others are there");
  /* Its next version replaces it. */
  t_taken(p, 'u', "messages",
          "{'id':'m7-1','platform':'p','role':'user','raw_text':'mended','observed_at':9000}");
  mirror_same(m, 10000);
  mirror_stop(m);
}

void story_a_missing_table_is_paused_until_it_is_mended(const struct mirror *m) {
  mirror_start(m);
  mirror_schema(m);
  m->sql("ALTER TABLE sessions RENAME TO hidden");
  t_daemon("store", NULL);
  t_daemon("syncd", NULL);
  struct t_producer *p = t_producer("test");
  /* Each is a batch of its own, with rows of that table. */
  for (int i = 0; i < 300; ++i) {
    char sql[100];
    mirror_write(p, i, 1, 0);
    if (i % 3) continue;
    snprintf(sql, sizeof sql, "SELECT count(*) AS n FROM renewal_jobs WHERE job_id = 'j%d'", i);
    T_UNTIL(20000, m->number(sql) == 1, "after %d batches the other tables do not go on: %s", i,
            mirror_last_error());
  }
  T_UNTIL(20000, strstr(mirror_last_error(), m->no_table) != NULL, "its last error is '%s'",
          mirror_last_error());
  T_CHECK(t_status_int(t_sync("backlog"), -1) > 0, "nothing was postponed");
  m->sql("ALTER TABLE hidden RENAME TO sessions");
  mirror_same(m, 10000);
  mirror_none_dead();
  T_UNTIL(20000, *mirror_last_error() == 0, "its last error is still '%s'", mirror_last_error());
  mirror_stop(m);
}
