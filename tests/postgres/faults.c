/* After any answer of PostgreSQL, or none, in the end the mirror equals the database, and only rows
 * that are themselves at fault are dead letters. */
#include <stdlib.h>
#include <string.h>

#include "tests/mirror/stories.h"
#include "tests/postgres/postgres.h"

T_STORY(postgres_faults, connections_that_break_before_and_after_the_commit, 120) {
  story_connections_that_break_before_and_after_the_commit(&mirror_postgres);
}
T_STORY(postgres_faults, workers_that_are_killed_again_and_again, 120) {
  story_workers_that_are_killed_again_and_again(&mirror_postgres);
}
T_STORY(postgres_faults, a_row_that_is_refused_is_a_dead_letter_and_the_others_go_on, 120) {
  story_a_row_that_is_refused_is_a_dead_letter_and_the_others_go_on(&mirror_postgres);
}
T_STORY(postgres_faults, a_missing_table_is_paused_until_it_is_mended, 120) {
  story_a_missing_table_is_paused_until_it_is_mended(&mirror_postgres);
}

T_STORY(postgres_faults, the_server_is_killed_and_comes_back, 120) {
  pg_start();
  pg_ring();
  struct t_producer *p = t_producer("test");
  for (int round = 0; round < 4; ++round) {
    mirror_write(p, round * 10, 40, round);
    pg_kill();
    mirror_write(p, round * 10, 20, 100 + round);
    T_UNTIL(20000, *mirror_last_error() != 0, "nobody is there, and nobody says so");
    pg_again();
    pg_same(20000);
  }
  mirror_none_dead();
  pg_stop();
}

/* As a person would, again and again, wherever the worker is. */
T_STORY(postgres_faults, backends_are_terminated_while_it_writes, 120) {
  pg_start();
  pg_ring();
  struct t_producer *p = t_producer("test");
  for (int i = 0; i < 60; ++i) {
    mirror_write(p, i * 3, 6, i);
    pg_sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = "
           "'convkeep'");
  }
  pg_same(20000);
  mirror_none_dead();
  pg_stop();
}

/* ---- the fault of a row, of a table, of the configuration ---- */

/* Each is found by halving: many requests, one right after the other. */
T_STORY(postgres_faults, many_bad_rows_are_found_without_a_pause, 60) {
  pg_start();
  pg_schema();
  pg_sql("ALTER TABLE messages ADD CONSTRAINT bad CHECK (id NOT LIKE 'm%%00-1')");
  t_daemon("store", NULL);
  mirror_write_together(t_producer("test"), 1, 1000, 0);
  int64_t began = ck_boot_ms();
  t_daemon("syncd", NULL);
  mirror_settle(30000);
  int64_t ms = ck_boot_ms() - began;
  T_UNTIL(20000, mirror_reported("info.rows") == 1000 * MIRROR_ROWS_EACH - 10, "%lld rows are sent",
          (long long)mirror_reported("info.rows"));
  int64_t requests = mirror_reported("info.requests");
  t_note("10 bad rows among %d: %lld requests, %lld ms", 1000 * MIRROR_ROWS_EACH,
         (long long)requests, (long long)ms);
  T_CHECK(mirror_dead() == 10, "%lld dead letters, not 10", (long long)mirror_dead());
  T_CHECK(requests <= 10 * 2 * 13 + 20, "%lld requests for 10 rows among 2^13",
          (long long)requests);
  T_CHECK(ms <= 20000, "%lld ms", (long long)ms);
  pg_stop();
}

/* With foreign keys that the owner added, a child that comes before its parent waits for it, and
 * the rest of its slice is written. */
T_STORY(postgres_faults, children_that_come_before_their_parents_wait_for_them, 90) {
  pg_start();
  pg_schema();
  pg_sql("ALTER TABLE executions ADD FOREIGN KEY (message_id) REFERENCES messages;"
         "ALTER TABLE conversation_links"
         " ADD FOREIGN KEY (local_conversation_id) REFERENCES local_conversations;"
         "ALTER TABLE renewal_jobs ADD FOREIGN KEY (message_id) REFERENCES messages");
  t_set("sync.batch", "20000");
  t_daemon("store", NULL);
  struct t_producer *p = t_producer("test");
  mirror_write(p, 1, 100, 0);
  for (int i = 1; i <= 100; ++i)
    t_taken(
        p, 'u', "messages",
        "{'id':'m%d-1','platform':'p','role':'assistant','raw_text':'longer','observed_at':5000}",
        i);
  for (int i = 1; i <= 100; ++i)
    t_updated(p, 'u', "", "local_conversations", "{'local_conversation_id':'c%d','title':'later'}",
              i);
  t_daemon("syncd", NULL);
  pg_same(30000);
  mirror_none_dead();
  pg_stop();
}

/* Another transaction has a row locked: the slice waits for it, and gets in when it ends. */
T_STORY(postgres_faults, two_workers_and_a_stranger_lock_the_same_rows, 90) {
  pg_start();
  pg_ring();
  struct t_producer *p = t_producer("test");
  mirror_write(p, 0, 30, 0);
  mirror_settle(10000);
  pg_sql("BEGIN; UPDATE messages SET page_title = page_title WHERE id = 'm3-0'");
  mirror_write(p, 0, 30, 1);
  t_pause(300);
  pg_sql("COMMIT");
  pg_same(15000);
  mirror_none_dead();
  pg_stop();
}

T_STORY(postgres_faults, a_wrong_password_stops_it_until_the_file_has_another, 60) {
  pg_start();
  t_write_text("keys-password", "very-secret\n");
  unsetenv("CONVKEEP_POSTGRES_PASSWORD");
  pg_sql("ALTER ROLE ring PASSWORD 'very-secret'");
  t_set("postgres.password_file", "keys-password");
  t_set("sync.backoff_max", "1s");
  pg_schema();
  pg_sql("ALTER ROLE ring PASSWORD '" PG_PASSWORD "'");
  t_daemon("store", NULL);
  t_daemon("syncd", NULL);
  mirror_write(t_producer("test"), 0, 2, 0);
  T_UNTIL(20000, strcmp(mirror_state(), "stopped") == 0, "it is %s, not stopped", mirror_state());
  T_CHECK(strstr(mirror_last_error(), "password authentication failed"), "its last error is '%s'",
          mirror_last_error());
  json_t *status = t_status(1000);
  char *text = json_dumps(status, 0);
  T_CHECK(!strstr(text, "very-secret"), "the status tells the password");
  free(text);
  json_decref(status);
  t_write_text("keys-password", PG_PASSWORD "\n");
  pg_same(20000);
  pg_stop();
  struct t_result r =
      t_run("grep", NULL, 5000,
            (const char *[]){"/bin/grep", "-rlE", "very-secret|" PG_PASSWORD,
                             "--exclude=keys-password", "--exclude-dir=pg", t_folder(), NULL});
  T_CHECK(r.code == 1, "the password is in %s", r.out);
  t_result_free(&r);
}

/* The test's server has no certificate, so a connection that must be verified is refused, and
 * nothing is sent. */
T_STORY(postgres_faults, what_leaves_the_machine_must_be_verified, 30) {
  pg_start();
  pg_schema();
  t_daemon("store", NULL);
  mirror_write(t_producer("test"), 0, 2, 0);
  t_setf("postgres.host", "%s", "ip6-localhost.localdomain,127.0.0.1");
  t_daemon("syncd", NULL);
  T_UNTIL(20000, strcmp(mirror_state(), "stopped") == 0, "it is %s, not stopped: %s",
          mirror_state(), mirror_last_error());
  T_CHECK(strstr(mirror_last_error(), "SSL"), "its last error is '%s'", mirror_last_error());
  T_CHECK(pg_int("SELECT count(*) FROM messages") == 0, "something was sent in clear text");
  pg_stop();
}

T_STORY(postgres_faults, a_database_that_is_not_there_stops_it, 30) {
  pg_start();
  pg_schema();
  t_set("postgres.database", "elsewhere");
  t_daemon("store", NULL);
  t_daemon("syncd", NULL);
  mirror_write(t_producer("test"), 0, 1, 0);
  T_UNTIL(20000, strcmp(mirror_state(), "stopped") == 0, "it is %s, not stopped", mirror_state());
  T_CHECK(strstr(mirror_last_error(), "3D000"), "its last error is '%s'", mirror_last_error());
  pg_stop();
}
