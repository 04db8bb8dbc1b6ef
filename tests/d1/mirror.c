/* The mirror in D1 equals the database, with no more requests and writes than needed. */
#include "tests/d1/d1.h"
#include "tests/mirror/stories.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

T_STORY(d1_mirror, all_six_tables_arrive_and_the_same_again_sends_nothing, 60) {
  d1_start();
  d1_ring();
  struct t_producer *p = t_producer("test");
  mirror_write(p, 1, 100, 0);
  d1_same(10000);
  int64_t version = t_status_int("version", -1), requests = d1_stat("requests"),
          written = d1_stat("rows_written");
  T_CHECK(d1_int("SELECT count(*) AS n FROM messages") == 300, "300 messages are in D1");
  t_note("%lld rows in %lld requests, %lld rows written", 100LL * MIRROR_ROWS_EACH,
         (long long)requests, (long long)written);
  mirror_write(p, 1, 100, 0);
  t_pause(300);
  T_CHECK(t_status_int("version", -1) == version, "the same again makes no version");
  /* The comparison sent one request through the REST API: the count. */
  T_CHECK(d1_stat("requests") == requests + 1, "the same again is sent to D1: %lld requests more",
          (long long)(d1_stat("requests") - requests - 1));
  mirror_write(p, 50, 100, 7);
  d1_same(10000);
  d1_stop();
}

/* A burst of 250 changes of one record, as fast as the store takes them: with d1.rate only a few of
 * its states are sent. */
T_STORY(d1_mirror, many_changes_of_one_record_are_few_writes, 60) {
  d1_start();
  t_set("d1.rate", "1050");
  d1_ring();
  struct t_producer *p = t_producer("test");
  t_taken(p, 'n', "local_conversations", "{'local_conversation_id':'c','platform':'p'}");
  mirror_settle(20000);
  int64_t before = d1_stat("rows_written");
  for (int i = 0; i < 250; ++i) {
    char row[100];
    snprintf(row, sizeof row, "{'local_conversation_id':'c','platform':'p','title':'%03d'}", i);
    t_put(p, "local_conversations", row);
    if (i % 10 == 9) T_CHECK(t_commit(p) == 'u', "the store does not take it: %s", t_refusal(p));
  }
  d1_same(10000);
  int64_t writes = d1_stat("rows_written") - before;
  t_note("250 changes, %lld rows written", (long long)writes);
  T_CHECK(writes <= 10, "250 changes of one record were %lld writes", (long long)writes);
  d1_stop();
}

/* As a person does it: run the printed schema, start the ring with one command, import an export,
 * and import it again. */
T_STORY(d1_mirror, an_export_goes_in_by_the_command_line, 60) {
  if (!t_inputs()) t_skip("no exports here");
  char file[4096];
  snprintf(file, sizeof file, "%s/chatgpt/realazthat-conversations.json", t_inputs());
  d1_start();
  struct t_result schema = t_convkeep("sync", "schema");
  T_CHECK(schema.code == 0, "sync schema ended with %d: %s", schema.code, schema.err);
  json_decref(d1_sql("%s", schema.out));
  t_result_free(&schema);
  t_up();
  json_decref(t_import(0, file));
  d1_same(10000);
  T_CHECK(d1_int("SELECT count(*) AS n FROM messages") == 44, "44 messages are in D1");
  T_CHECK(d1_int("SELECT count(*) AS n FROM executions") == 11, "11 executions are in D1");
  int64_t requests = d1_stat("requests"), version = t_status_int("version", -1);
  json_decref(t_import(0, file));
  t_pause(300);
  T_CHECK(t_status_int("version", -1) == version, "the same export makes no version");
  T_CHECK(d1_stat("requests") == requests, "the same export is sent to D1");
  d1_stop();
}

static void check_old_rows(void) {
  T_CHECK(d1_int("SELECT count(*) AS n FROM messages WHERE id = 'other' AND raw_text = 'kept' AND "
                 "version = 0") == 1,
          "a row that nobody wrote again stays");
  json_decref(d1_sql("DELETE FROM messages WHERE id = 'other'; DELETE FROM local_conversations "
                     "WHERE local_conversation_id = 'c-old'"));
}

T_STORY(d1_mirror, an_old_database_is_brought_up_and_goes_on_being_filled, 60) {
  d1_start();
  d1_predecessor();
  d1_bring_up();
  t_daemon("store", NULL);
  t_daemon("syncd", NULL);
  mirror_write(t_producer("test"), 1, 60, 0);
  mirror_settle(10000);
  T_CHECK(t_status_int(t_sync("dead_letters"), -1) == 0, "%lld dead letters",
          (long long)t_status_int(t_sync("dead_letters"), -1));
  check_old_rows();
  d1_same(20000);
  d1_stop();
}

/* The parents of executions change again and again, so their newest states are in later batches
 * than their children. */
T_STORY(d1_mirror, children_that_come_before_their_parents_wait_for_them, 90) {
  d1_start();
  d1_predecessor();
  d1_bring_up();
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
  mirror_settle(30000);
  T_CHECK(t_status_int(t_sync("dead_letters"), -1) == 0, "%lld dead letters",
          (long long)t_status_int(t_sync("dead_letters"), -1));
  check_old_rows();
  d1_same(20000);
  d1_stop();
}

T_STORY(d1_mirror, what_is_unique_changes_hands_across_a_backlog, 60) {
  story_what_is_unique_changes_hands_across_a_backlog(&mirror_d1);
}
T_STORY(d1_mirror, what_is_unique_changes_hands_in_mirror_db, 60) {
  story_what_is_unique_changes_hands_across_a_backlog(&mirror_sqlite);
}
