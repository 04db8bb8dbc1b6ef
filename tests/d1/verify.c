/* sync verify and repair on D1 and on mirror.db. */
#include <string.h>

#include "tests/d1/d1.h"
#include "tests/mirror/stories.h"

T_STORY(d1_verify, what_was_done_by_hand_is_found_and_mended, 60) {
  story_what_was_done_by_hand_is_found_and_mended(&mirror_d1);
}
T_STORY(d1_verify, what_was_done_by_hand_is_found_and_mended_in_mirror_db, 60) {
  story_what_was_done_by_hand_is_found_and_mended(&mirror_sqlite);
}
T_STORY(d1_verify, one_changed_byte_is_found_by_deep, 60) {
  story_one_changed_byte_is_found_by_deep(&mirror_d1);
}
T_STORY(d1_verify, one_changed_byte_is_found_by_deep_in_mirror_db, 60) {
  story_one_changed_byte_is_found_by_deep(&mirror_sqlite);
}
T_STORY(d1_verify, an_interrupted_deep_goes_on_where_it_was, 60) {
  story_an_interrupted_deep_goes_on_where_it_was(&mirror_d1);
}
T_STORY(d1_verify, what_is_under_way_is_no_finding, 60) {
  story_what_is_under_way_is_no_finding(&mirror_d1);
}
T_STORY(d1_verify, many_records_cost_few_requests, 300) {
  story_many_records_cost_few_requests(&mirror_d1);
}
T_STORY(d1_verify, one_changed_byte_among_many, 900) {
  story_one_changed_byte_among_many(&mirror_d1);
}

/* Without the ring: records that were never mirrored are not findings. */
T_STORY(d1_verify, the_ring_is_down_and_much_is_not_mirrored_yet, 60) {
  t_daemon("store", NULL);
  t_daemon("syncd", NULL);
  struct t_producer *p = t_producer("test");
  mirror_write(p, 1, 60, 0);
  mirror_settle(10000);
  t_kill("syncd", SIGTERM);
  T_UNTIL(20000, t_pid("syncd") == 0, "syncd does not end");
  mirror_write(p, 40, 60, 1);
  t_ring_forget();
  t_down();
  t_sql_run("mirror.db", "DELETE FROM sessions WHERE id IN ('s1', 's50')");
  json_t *lines = t_lines(1, "sync", "verify");
  T_CHECK(mirror_found(lines, "sessions", "s1", "missing") && json_array_size(lines) == 2,
          "%zu findings", json_array_size(lines) - 1);
  T_CHECK(mirror_said(lines, "under_way") > 60, "%lld under way",
          (long long)mirror_said(lines, "under_way"));
  json_decref(lines);
}

T_STORY(d1_verify, it_tries_again_what_d1_does_not_answer, 60) {
  d1_start();
  d1_ring();
  mirror_write(t_producer("test"), 1, 30, 0);
  mirror_settle(10000);
  mirror_d1.sql("DELETE FROM messages WHERE id = 'm3-1'; UPDATE messages SET version = version + 5 "
                "WHERE id = 'm4-1'");
  d1_fault(
      "[{'status':500,'match':'0x0'},{'cut':'short','match':'0x0'},"
      "{'message':'Network connection lost.','match':'AS v'},{'message':'Network connection lost.',"
      "'commit':true,'match':'SET version = 0'},{'status':429,'headers':{'retry-after':'1'},"
      "'match':'0x0'},{'message':'Exceeded its memory limit','match':'0x0'},{'cut':'half',"
      "'match':'INSERT'}]");
  json_t *lines = t_lines(0, "sync", "repair");
  T_CHECK(mirror_said(lines, "missing") == 1 && mirror_said(lines, "other") == 1 &&
              mirror_said(lines, "left") == 0,
          "what it found and mended is not all");
  json_decref(lines);
  mirror_same(&mirror_d1, 20000);
  d1_fault("{'status':403,'code':10000,'message':'Authentication error'}");
  t_do(1, "sync", "verify");
  d1_stop();
}

T_STORY(d1_verify, a_mirror_that_keeps_nothing_cannot_be_verified, 30) {
  t_set("sync.sinks", "null");
  t_daemon("store", NULL);
  mirror_write(t_producer("test"), 1, 1, 0);
  struct t_result r = t_convkeep("sync", "verify");
  T_CHECK(r.code == 1 && strstr(r.err, "null"), "it ended with %d: %s", r.code, r.err);
  t_result_free(&r);
}

/* A trigger in D1 spoils the row again after the repair, and its version is right: only a second
 * deep pass finds it. */
T_STORY(d1_verify, what_does_not_become_right_is_left, 60) {
  d1_start();
  d1_ring();
  mirror_write(t_producer("test"), 1, 10, 0);
  mirror_settle(10000);
  json_decref(d1_sql("%s", "CREATE TRIGGER spoils AFTER UPDATE OF raw_text ON messages WHEN NEW.id "
                           "= 'm3-1' BEGIN UPDATE messages SET raw_text = 'spoilt' WHERE "
                           "id = 'm3-1'; END"));
  mirror_d1.sql("UPDATE messages SET raw_text = 'x' WHERE id = 'm3-1'; UPDATE messages SET "
                "raw_text = 'y' WHERE id = 'm4-1'");
  json_t *lines = t_lines(1, "sync", "repair", "--deep");
  T_CHECK(mirror_said(lines, "different") == 2 && mirror_said(lines, "left") == 1,
          "%lld different, %lld left", (long long)mirror_said(lines, "different"),
          (long long)mirror_said(lines, "left"));
  json_decref(lines);
  json_decref(d1_sql("DROP TRIGGER spoils"));
  lines = t_lines(0, "sync", "repair", "--deep");
  T_CHECK(mirror_said(lines, "different") == 1 && mirror_said(lines, "left") == 0, "%lld left",
          (long long)mirror_said(lines, "left"));
  json_decref(lines);
  d1_same(20000);
  d1_stop();
}

T_STORY(d1_verify, one_comparison_at_a_time, 60) { story_one_comparison_at_a_time(&mirror_sqlite); }
