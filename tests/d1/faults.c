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
  T_UNTIL(20000, strcmp(mirror_state(), "waiting") == 0, "it is %s, not waiting", mirror_state());
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

/* The hold in `sync status`: its class, what its reason has, and in how many ms it ends; and in its
 * text. -1: there is none. */
static int64_t held(const char *class, const char *reason) {
  json_t *status = t_status(1000);
  const char *its = t_text_at(status, t_sync("hold.class")),
             *why = t_text_at(status, t_sync("hold.reason"));
  bool is = its && why && strcmp(its, class) == 0 && strstr(why, reason);
  int64_t ms = is ? t_int_at(status, t_sync("hold.until"), 0) - t_int_at(status, "at", 0) : -1;
  json_decref(status);
  return ms;
}

static void said(const char *class, const char *reason) {
  struct t_result r = t_convkeep("sync", "status");
  const char *line = strstr(r.out, "held");
  T_CHECK(line && strstr(line, class) && strstr(line, reason) && strstr(line, "until "),
          "sync status says: %s", r.out);
  t_result_free(&r);
}

T_STORY(d1_faults, a_hold_is_shown_with_its_reason_and_its_end, 60) {
  d1_start();
  d1_ring();
  struct t_producer *p = t_producer("test");
  d1_fault("{'status':429,'headers':{'retry-after':'8'}}");
  mirror_write(p, 0, 5, 0);
  T_UNTIL(20000, held("wait", "status 429") >= 0, "429 is not shown");
  int64_t left = held("wait", "status 429");
  T_CHECK(left > 3000 && left <= 9000, "it ends in %lld ms", (long long)left);
  said("wait", "429");
  d1_same(15000);
  T_UNTIL(20000, t_status_int(t_sync("hold.until"), 0) == 0, "a hold that is over is still shown");
  d1_fault("{'message':'D1_ERROR: Currently processing a long-running export.'}");
  mirror_write(p, 5, 5, 0);
  T_UNTIL(20000, held("wait", "long-running export") >= 0, "an export is not shown");
  said("wait", "export");
  d1_same(20000);
  d1_fault("{'message':'free tier daily row write limit.'}");
  mirror_write(p, 10, 5, 0);
  T_UNTIL(20000, held("quota", "daily row write limit") >= 0, "the quota is not shown");
  int64_t day = 86400000, midnight = day - ck_now_ms() % day;
  left = held("quota", "daily");
  T_CHECK(left > midnight - 30000 && left < midnight + day / 10,
          "it ends in %lld ms, the day in %lld", (long long)left, (long long)midnight);
  said("quota", "daily row write limit");
  d1_stop();
}

/* A front door may say anything. */
T_STORY(d1_faults, pages_that_are_not_the_apis_go_by_their_status, 60) {
  static const char *const pages[] = {
      "{'status':503,'body':'<html>rate limit exceeded, come back later</html>','count':3}",
      "{'status':404,'body':'<html>what you ask for could not be found</html>','count':3}",
      "{'status':400,'body':'{\\u0022error\\u0022:\\u0022daily quota, no such "
      "table\\u0022}','count':3}",
      "{'status':502,'body':'Authentication error','headers':{'ratelimit':"
      "'\\u0022default\\u0022;r=0;t=50'},'count':3}"};
  d1_start();
  d1_ring();
  struct t_producer *p = t_producer("test");
  for (int i = 0; i < (int)(sizeof pages / sizeof *pages); ++i) {
    d1_fault(pages[i]);
    mirror_write(p, i * 5, 5, 0);
    d1_same(10000);
    T_CHECK(d1_stat("faults_left") == 0, "%s met no request", pages[i]);
    T_CHECK(t_status_int(t_sync("hold.until"), 0) == 0 &&
                t_status_int(t_sync("rate.held_ms"), -1) == 0,
            "%s holds something", pages[i]);
  }
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
  T_UNTIL(20000, strcmp(mirror_state(), "stopped") == 0, "it is %s, not stopped", mirror_state());
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
  d1_same(20000);
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
    T_CHECK(t_wait_end(p, 20000) == 1, "%s is taken", bad[i]);
    T_CHECK(t_complained(p, "d1.endpoint"), "the reason does not name d1.endpoint");
    t_do(1, "sync", "schema", "--apply");
  }
  d1_stop();
}
