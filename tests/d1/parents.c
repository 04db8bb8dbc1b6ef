/* The predecessor's foreign keys: no row waits for a parent that the store has, wherever in a
 * backlog it is. */
#include <stdio.h>

#include "tests/d1/d1.h"

/* Changes the parents after their children, so that all parents are at the other end of the
 * backlog. */
static void change_parents(struct t_producer *p, int n) {
  char row[200];
  for (int i = 1; i <= n; ++i) {
    snprintf(row, sizeof row, "{'local_conversation_id':'c%d','platform':'p','title':'it goes on'}",
             i);
    t_put(p, "local_conversations", row);
    snprintf(row, sizeof row,
             "{'id':'m%d-1','platform':'p','role':'user','raw_text':'edited','observed_at':9000}",
             i);
    t_put(p, "messages", row);
    T_CHECK(t_commit(p) == 'u', "a parent does not go on: %s", t_refusal(p));
  }
}

/* More batches than a worker may hold, each with children whose parents come last: none may wait
 * for a later batch. Then the same as a backfill, while children change whose parents are in the
 * backlog. */
T_STORY(d1_parents, children_do_not_wait_for_parents_at_the_other_end_of_a_backlog, 120) {
  const int n = t_long() ? 5000 : 400;
  d1_start();
  d1_predecessor();
  json_decref(d1_sql(
      "DELETE FROM conversation_links; DELETE FROM local_conversations; DELETE FROM messages"));
  json_decref(t_lines(0, "sync", "schema", "--apply"));
  t_set("sync.batch", "2500");
  t_daemon("store", NULL);
  struct t_producer *p = t_producer("test");
  mirror_write(p, 1, n, 0);
  change_parents(p, n);
  int64_t versions = t_status_int("version", -1), before = d1_stat("requests"),
          began = ck_boot_ms();
  t_daemon("syncd", NULL);
  mirror_settle(60000);
  mirror_none_dead();
  int64_t requests = d1_stat("requests") - before;
  t_note("%lld versions, children first: %lld requests, %lld ms", (long long)versions,
         (long long)requests, (long long)(ck_boot_ms() - began));
  T_CHECK(requests > 150, "only %lld requests: there is no backlog", (long long)requests);
  d1_same(20000);
  json_decref(d1_sql("PRAGMA defer_foreign_keys = on; DELETE FROM renewal_jobs; DELETE FROM "
                     "conversation_links; DELETE FROM executions; DELETE FROM sessions; "
                     "DELETE FROM local_conversations; DELETE FROM messages"));
  json_decref(d1_control("settings", "{'latency_ms':20}"));
  struct t_process *fill = mirror_task("backfill", NULL);
  T_UNTIL(20000, t_status_int(t_sync("backlog"), -1) > 0, "it does not begin");
  for (int i = 0; i < 20 && t_status_int(t_sync("backlog"), -1) > 0; ++i)
    mirror_write(p, n - i, 1, 7);
  T_CHECK(t_status_int(t_sync("backlog"), -1) > 0, "it was too short");
  json_decref(d1_control("settings", "{'latency_ms':0}"));
  T_CHECK(t_wait_end(fill, 60000) == 0, "the command does not wait for the end");
  mirror_settle(20000);
  mirror_none_dead();
  d1_same(20000);
  d1_stop();
}

/* If a message is refused, what points to it is refused at once too: it does not wait for 5
 * minutes, and holds up nothing else. */
T_STORY(d1_parents, what_points_to_a_refused_record_is_a_dead_letter_with_it, 60) {
  d1_start();
  d1_predecessor();
  json_decref(t_lines(0, "sync", "schema", "--apply"));
  json_decref(d1_sql(
      "DELETE FROM conversation_links; DELETE FROM local_conversations; DELETE FROM messages"));
  mirror_d1.refuse("id = 'm7-1'");
  t_daemon("store", NULL);
  t_daemon("syncd", NULL);
  struct t_producer *p = t_producer("test");
  mirror_write(p, 1, 20, 0);
  mirror_settle(10000);
  T_CHECK(mirror_dead() == 3, "%lld dead letters: not the message, its execution and its job",
          (long long)mirror_dead());
  /* Later, in a batch without the message. */
  t_taken(p, 'u', "executions",
          "{'instruction_id':'e7','message_id':'m7-1','target':'t','tool':'x','result_ok':0,"
          "'executed_at':2001}");
  mirror_settle(10000);
  T_CHECK(mirror_dead() == 3, "%lld dead letters", (long long)mirror_dead());
  mirror_d1.accept();
  json_decref(t_lines(0, "sync", "retry"));
  d1_same(10000);
  mirror_none_dead();
  d1_stop();
}
