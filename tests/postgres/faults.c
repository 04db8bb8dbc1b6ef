/* Whatever PostgreSQL answers, or does not: in the end the mirror is the database, and nothing is set aside but what is at fault itself. */
#include "tests/postgres/postgres.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

T_STORY(postgres_faults, the_server_is_killed_and_comes_back, 120) {
  pg_start();
  pg_ring();
  struct t_producer *p = t_producer("test");
  for (int round = 0; round < 4; ++round) {
    mirror_write(p, round * 10, 40, round);
    pg_kill();
    mirror_write(p, round * 10, 20, 100 + round);
    T_UNTIL(5000, *mirror_last_error() != 0, "nobody is there, and nobody says so");
    pg_again();
    pg_same(20000);
  }
  mirror_none_dead();
  pg_stop();
}

T_STORY(postgres_faults, connections_that_break_before_and_after_the_commit, 120) {
  static const char *const faults[] = {"reset-before 1", "reset-after 1", "eof-before 1",   "eof-after 1",   "reset-after 3",
                                       "eof-after 2",    "pass 1",        "reset-before 4", "stall-after 1", "stall-before 1"};
  pg_start();
  pg_proxy();
  t_set("postgres.timeout", "700ms");
  pg_ring();
  struct t_producer *p = t_producer("test");
  for (int i = 0; i < (int)(sizeof faults / sizeof *faults); ++i) {
    mirror_proxy_say(faults[i]);
    for (int k = 0; k < 10; ++k) {
      mirror_write(p, (i * 7 + k) % 40, 1, i * 100 + k);
      t_pause(10);
    }
  }
  pg_same(20000);
  mirror_none_dead();
  mirror_proxy_say("refuse on");
  mirror_write(p, 0, 40, 4242);
  T_UNTIL(5000, *mirror_last_error() != 0, "nothing listens, and nobody says so");
  mirror_proxy_say("refuse off");
  pg_same(10000);
  mirror_none_dead();
  pg_stop();
}

/* A person's hand, again and again, wherever the worker is. */
T_STORY(postgres_faults, backends_are_terminated_while_it_writes, 120) {
  pg_start();
  pg_ring();
  struct t_producer *p = t_producer("test");
  for (int i = 0; i < 60; ++i) {
    mirror_write(p, i * 3, 6, i);
    pg_sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'convkeep'");
  }
  pg_same(20000);
  mirror_none_dead();
  pg_stop();
}

T_STORY(postgres_faults, two_workers_that_are_killed, 120) {
  pg_start();
  pg_ring();
  struct t_process *second = t_daemon_try("syncd", NULL);
  t_wait_ready(second, 5000);
  struct t_producer *p = t_producer("test");
  for (int round = 0; round < 8; ++round) {
    mirror_write(p, round * 10, 40, round);
    t_pause((int)t_random_below(30));
    t_signal(second, SIGKILL);
    t_wait_end(second, 5000);
    second = t_daemon_try("syncd", NULL);
    t_wait_ready(second, 5000);
  }
  pg_same(30000); /* a lease of a dead worker ends after 10 s */
  mirror_none_dead();
  t_signal(second, SIGTERM);
  T_CHECK(t_wait_end(second, 5000) == 0, "it ends when asked");
  pg_stop();
}

/* ---- one row's, one table's, everybody's fault ---- */

T_STORY(postgres_faults, a_row_that_is_refused_is_set_aside_and_the_others_go_on, 60) {
  pg_start();
  pg_schema();
  pg_sql("ALTER TABLE messages ADD CONSTRAINT bad CHECK (id <> 'm7-1' OR raw_text LIKE 'mended%%')");
  t_daemon("store", NULL);
  struct t_producer *p = t_producer("test");
  mirror_write(p, 1, 50, 0);
  t_daemon("syncd", NULL);
  mirror_settle(10000);
  mirror_one_dead("m7-1", "23514");
  T_CHECK(pg_int("SELECT count(*) FROM messages") == 149, "the others are there");
  t_taken(p, 'u', "messages", "{'id':'m7-1','platform':'p','role':'user','raw_text':'mended','observed_at':9000}");
  pg_same(10000);
  pg_stop();
}

/* Each is found by halving: many requests, one straight after the other. */
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
  T_UNTIL(3000, mirror_reported("info.rows") == 1000 * MIRROR_ROWS_EACH - 10, "%lld rows are sent", (long long)mirror_reported("info.rows"));
  int64_t requests = mirror_reported("info.requests");
  t_note("10 bad rows among %d: %lld requests, %lld ms", 1000 * MIRROR_ROWS_EACH, (long long)requests, (long long)ms);
  T_CHECK(mirror_dead() == 10, "%lld dead letters, not 10", (long long)mirror_dead());
  T_CHECK(requests <= 10 * 2 * 13 + 20, "%lld requests for 10 rows among 2^13", (long long)requests);
  T_CHECK(ms <= 8000, "%lld ms", (long long)ms);
  pg_stop();
}

T_STORY(postgres_faults, a_missing_table_is_paused_until_it_is_mended, 60) {
  pg_start();
  pg_schema();
  pg_sql("ALTER TABLE sessions RENAME TO hidden");
  t_daemon("store", NULL);
  t_daemon("syncd", NULL);
  mirror_write(t_producer("test"), 0, 20, 0);
  T_UNTIL(5000, strstr(mirror_last_error(), "42P01") != NULL, "its last error is '%s'", mirror_last_error());
  T_UNTIL(5000, pg_int("SELECT count(*) FROM renewal_jobs") == 20, "the other tables go on");
  pg_sql("ALTER TABLE hidden RENAME TO sessions");
  pg_same(5000);
  mirror_none_dead();
  T_UNTIL(3000, *mirror_last_error() == 0, "its last error is still '%s'", mirror_last_error());
  pg_stop();
}

/* With foreign keys of the owner's own, a child that comes before its parent waits for it, and what is beside it goes in. */
T_STORY(postgres_faults, children_that_come_before_their_parents_wait_for_them, 90) {
  pg_start();
  pg_schema();
  pg_sql(
      "ALTER TABLE executions ADD FOREIGN KEY (message_id) REFERENCES messages; ALTER TABLE conversation_links ADD FOREIGN KEY (local_conversation_id) REFERENCES"
      " local_conversations; ALTER TABLE renewal_jobs ADD FOREIGN KEY (message_id) REFERENCES messages");
  t_set("sync.batch", "20000");
  t_daemon("store", NULL);
  struct t_producer *p = t_producer("test");
  mirror_write(p, 1, 100, 0);
  for (int i = 1; i <= 100; ++i) t_taken(p, 'u', "messages", "{'id':'m%d-1','platform':'p','role':'assistant','raw_text':'longer','observed_at':5000}", i);
  for (int i = 1; i <= 100; ++i) t_taken(p, 'u', "local_conversations", "{'local_conversation_id':'c%d','platform':'p','title':'later'}", i);
  t_daemon("syncd", NULL);
  pg_same(30000);
  mirror_none_dead();
  pg_stop();
}

/* Somebody else's transaction holds a row: the slice waits for it, and goes in when it ends. */
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
  T_UNTIL(5000, strcmp(mirror_state(), "stopped") == 0, "it is %s, not stopped", mirror_state());
  T_CHECK(strstr(mirror_last_error(), "password authentication failed"), "its last error is '%s'", mirror_last_error());
  json_t *status = t_status(1000);
  char *text = json_dumps(status, 0);
  T_CHECK(!strstr(text, "very-secret"), "the status tells the password");
  free(text);
  json_decref(status);
  t_write_text("keys-password", PG_PASSWORD "\n");
  pg_same(5000);
  pg_stop();
  struct t_result r = t_run("grep", NULL, 5000,
                            (const char *[]){"/bin/grep", "-rlE", "very-secret|" PG_PASSWORD, "--exclude=keys-password", "--exclude-dir=pg", t_folder(), NULL});
  T_CHECK(r.code == 1, "the password stands in %s", r.out);
  t_result_free(&r);
}

/* The server of the tests has no certificate, so a connection that must be verified is refused, and nothing is sent. */
T_STORY(postgres_faults, what_leaves_the_machine_must_be_verified, 30) {
  pg_start();
  pg_schema();
  t_daemon("store", NULL);
  mirror_write(t_producer("test"), 0, 2, 0);
  t_setf("postgres.host", "%s", "ip6-localhost.localdomain,127.0.0.1");
  t_daemon("syncd", NULL);
  T_UNTIL(8000, strcmp(mirror_state(), "stopped") == 0, "it is %s, not stopped: %s", mirror_state(), mirror_last_error());
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
  T_UNTIL(5000, strcmp(mirror_state(), "stopped") == 0, "it is %s, not stopped", mirror_state());
  T_CHECK(strstr(mirror_last_error(), "3D000"), "its last error is '%s'", mirror_last_error());
  pg_stop();
}
