/* After any answer of D1, or none, in the end the mirror equals the database, and only rows that
 * are themselves at fault are dead letters. */
#include <stdlib.h>
#include <string.h>

#include "tests/d1/d1.h"
#include "tests/mirror/stories.h"

T_STORY(d1_faults, connections_that_break_before_and_after_the_commit, 120) {
  story_connections_that_break_before_and_after_the_commit(&mirror_d1);
}
T_STORY(d1_faults, workers_that_are_killed_again_and_again, 120) {
  story_workers_that_are_killed_again_and_again(&mirror_d1);
}
T_STORY(d1_faults, a_row_that_is_refused_is_a_dead_letter_and_the_others_go_on, 120) {
  story_a_row_that_is_refused_is_a_dead_letter_and_the_others_go_on(&mirror_d1);
}
T_STORY(d1_faults, a_missing_table_is_paused_until_it_is_mended, 120) {
  story_a_missing_table_is_paused_until_it_is_mended(&mirror_d1);
}

/* Writes one conversation at a time while faults are left, so that each fault meets a request. */
static void write_until_used(struct t_producer *p) {
  int i = 0;
  while (d1_stat("faults_left") > 0) {
    T_CHECK(i < 2000, "%lld faults met no request", (long long)d1_stat("faults_left"));
    mirror_write(p, i % 200, 1, i);
    ++i;
    t_pause(5);
  }
}

T_STORY(d1_faults, every_answer_that_means_again, 120) {
  d1_start();
  d1_ring();
  struct t_producer *p = t_producer("test");
  mirror_write(p, 0, 20, 99);
  mirror_settle(10000);
  d1_fault("[{'status':429,'headers':{'retry-after':'1'}},"
           "{'status':500,'count':3},"
           "{'status':502,'body':'<html>','commit':true},"
           "{'cut':'half'},"
           "{},"
           "{'cut':'short'},"
           "{'message':'Network connection lost.','commit':true,'count':2},"
           "{'message':'Network connection lost.'},"
           "{'message':'Internal error in D1 DB storage caused object to be reset.'},"
           "{'message':'D1 DB reset because its code was updated.','commit':true},"
           "{'message':'Replica disconnected from primary.'},"
           "{'message':'Cannot resolve D1 DB due to transient issue on remote node.'},"
           "{'message':'D1 DB is overloaded. Requests queued for too long.','count':2},"
           "{'message':'D1 DB is overloaded. Too many requests queued.','status':429},"
           "{'message':'D1 DB exceeded its CPU time limit and was reset.'},"
           "{'message':'Your account is doing too many concurrent storage operations.'},"
           "{'message':'Internal error while starting up D1 DB storage caused object to be reset.',"
           "'commit':true},"
           "{'message':'D1 DB exceeded its memory limit and was reset.'},"
           "{'message':'D1 DB storage operation exceeded timeout which caused object to be reset.',"
           "'commit':true},"
           "{'message':'never heard of','count':2},"
           "{'status':200,'body':'','commit':true},"
           "{'status':200,'body':'[]'},"
           "{'status':200,'body':'{}','commit':true},"
           "{'status':503,'probability':0.5,'count':20}]");
  write_until_used(p);
  d1_same(20000);
  mirror_none_dead();
  d1_stop();
}

T_STORY(d1_faults, a_long_running_export_and_429_are_waited_for, 60) {
  d1_start();
  d1_ring();
  struct t_producer *p = t_producer("test");
  d1_fault("{'status':429,'headers':{'retry-after':'2'}}");
  int64_t begin = ck_boot_ms();
  mirror_write(p, 0, 5, 0);
  T_UNTIL(3000, strcmp(mirror_state(), "waiting") == 0, "it is %s, not waiting", mirror_state());
  d1_same(10000);
  int64_t took = ck_boot_ms() - begin;
  T_CHECK(took >= 2000 && took < 5000, "Retry-After: 2 was obeyed after %lld ms", (long long)took);
  /* D1 does not say how long it takes. */
  d1_fault("{'message':'D1_ERROR: Currently processing a long-running export.'}");
  begin = ck_boot_ms();
  mirror_write(p, 5, 5, 0);
  d1_same(20000);
  took = ck_boot_ms() - begin;
  T_CHECK(took >= 10000 && took < 13000, "an export was waited for %lld ms", (long long)took);
  mirror_none_dead();
  d1_stop();
}

/* CONVKEEP_LONG=1: for a minute. */
T_STORY(d1_faults, d1_is_gone_for_a_while, 180) {
  d1_start();
  d1_ring();
  struct t_producer *p = t_producer("test");
  mirror_write(p, 0, 50, 0);
  d1_kill();
  int64_t until = ck_boot_ms() + (t_long() ? 60000 : 3000);
  for (int i = 1; ck_boot_ms() < until; ++i) {
    mirror_write(p, i % 300, 1, i);
    t_pause(10);
  }
  T_CHECK(strstr(mirror_last_error(), "curl 7"), "its last error is '%s'", mirror_last_error());
  d1_again();
  d1_same(20000);
  mirror_none_dead();
  d1_stop();
}

/* ---- faults of the configuration ---- */

T_STORY(d1_faults, a_wrong_token_stops_it_until_the_file_has_another, 60) {
  d1_start();
  t_write_text("keys-token", "very-secret\n");
  unsetenv("CONVKEEP_D1_TOKEN");
  t_set("d1.token_file", "keys-token");
  t_set("sync.backoff_max", "1s");
  d1_ring();
  mirror_write(t_producer("test"), 0, 2, 0);
  T_UNTIL(5000, strcmp(mirror_state(), "stopped") == 0, "it is %s, not stopped", mirror_state());
  T_CHECK(strstr(mirror_last_error(), "Authentication error"), "its last error is '%s'",
          mirror_last_error());
  int64_t requests = d1_stat("requests");
  t_pause(500);
  T_CHECK(d1_stat("requests") <= requests + 1, "it goes on knocking");
  json_t *status = t_status(1000);
  char *text = json_dumps(status, 0);
  T_CHECK(!strstr(text, "very-secret"), "the status tells the token");
  free(text);
  json_decref(status);
  t_write_text("keys-token", "peer-token\n");
  d1_same(5000);
  d1_stop();
  struct t_result r = t_run("grep", NULL, 5000,
                            (const char *[]){"/bin/grep", "-rlE", "very-secret|peer-token",
                                             "--exclude=keys-token", t_folder(), NULL});
  T_CHECK(r.code == 1, "the token stands in %s", r.out);
  t_result_free(&r);
}

T_STORY(d1_faults, an_address_that_would_give_the_token_away_is_refused, 30) {
  static const char *const bad[] = {"http://example.com/client/v4",
                                    "ftp://127.0.0.1/",
                                    "http://127.0.0.1.example.com/",
                                    "https://user:pass@example.com/",
                                    "http://localhost.example.com",
                                    "HTTP://example.com/",
                                    "http://127.0.0.1@example.com/",
                                    "http://[::ffff:127.0.0.1]/",
                                    "http://0.0.0.0/",
                                    "http://127.1.example.com/",
                                    "file:///etc/passwd",
                                    ""};
  d1_start();
  for (size_t i = 0; i < sizeof bad / sizeof *bad; ++i) {
    t_set("d1.endpoint", bad[i]);
    struct t_process *p = t_daemon_try("syncd", NULL);
    T_CHECK(t_wait_end(p, 5000) == 1, "%s is taken", bad[i]);
    T_CHECK(t_complained(p, "d1.endpoint"), "the reason does not name d1.endpoint");
    t_do(1, "sync", "schema", "--apply");
  }
  d1_stop();
}
