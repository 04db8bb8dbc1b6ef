/* mirror.db, with several workers that are killed. */
#include "tests/d1/d1.h"
#include "tests/mirror/stories.h"

#include <string.h>

T_STORY(d1_sqlite, workers_share_the_file_and_are_killed, 120) {
  struct t_process *workers[3];
  t_set("sync.batch", "20000");
  t_daemon("store", NULL);
  t_daemon("syncd", NULL);
  for (int i = 0; i < 3; ++i) t_wait_ready(workers[i] = t_daemon_try("syncd", NULL), 20000);
  struct t_producer *p = t_producer("test");
  for (int round = 0; round < 10; ++round) {
    mirror_write(p, round * 20, 60, round);
    t_pause((int)t_random_below(20));
    struct t_process **victim = &workers[t_random_below(3)];
    t_signal(*victim, SIGKILL);
    t_wait_end(*victim, 20000);
    t_wait_ready(*victim = t_daemon_try("syncd", NULL), 20000);
  }
  mirror_settle(30000);
  t_check_mirror("artifact.db", "mirror.db");
  T_CHECK(t_sql_int("mirror.db",
                    "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok'") ==
              0,
          "mirror.db is broken");
  T_CHECK(t_status_int(t_sync("dead_letters"), -1) == 0, "nothing is dead");
  for (int i = 0; i < 3; ++i) {
    t_signal(workers[i], SIGTERM);
    T_CHECK(t_wait_end(workers[i], 20000) == 0, "it ends when asked");
  }
}

/* A stopped worker loses its lease, because it reports no more. When it continues, its late
 * statements change nothing. */
T_STORY(d1_sqlite, a_worker_that_was_stopped_wakes_up_as_a_zombie, 90) {
  t_set("sync.batch", "20000");
  t_daemon("store", NULL);
  t_daemon("syncd", NULL);
  struct t_process *zombie = t_daemon_try("syncd", NULL);
  t_wait_ready(zombie, 20000);
  struct t_producer *p = t_producer("test");
  mirror_write(p, 0, 20, 0);
  t_signal(zombie, SIGSTOP);
  mirror_write(p, 0, 60, 1);
  t_pause(11000); /* a lease without reports ends after 10 s */
  mirror_write(p, 0, 60, 2);
  t_signal(zombie, SIGCONT);
  mirror_settle(40000);
  t_pause(300);
  t_check_mirror("artifact.db", "mirror.db");
  t_signal(zombie, SIGTERM);
  T_CHECK(t_wait_end(zombie, 20000) == 0, "it ends when asked");
}

/* A hold is shown for mirror.db too, until it is over. */
T_STORY(d1_sqlite, what_holds_it_is_shown, 30) {
  t_set("sync.backoff_max", "2s");
  t_daemon("store", NULL);
  t_daemon("syncd", NULL);
  struct t_producer *p = t_producer("test");
  mirror_write(p, 0, 5, 0);
  mirror_settle(10000);
  t_sql_run("mirror.db", "CREATE TRIGGER full BEFORE INSERT ON messages BEGIN"
                         " SELECT raise(ABORT, 'database or disk is full'); END");
  mirror_write(p, 5, 5, 0);
  T_UNTIL(10000, t_status_int(t_sync("hold.until"), 0) > 0, "the hold is not shown");
  json_t *status = t_status(1000);
  T_CHECK(strcmp(t_text_at(status, t_sync("hold.class")), "stop") == 0 &&
              strstr(t_text_at(status, t_sync("hold.reason")), "disk is full"),
          "the hold is %s", json_dumps(json_object_get(status, "sync"), 0));
  json_decref(status);
  struct t_result r = t_convkeep("sync", "status");
  T_CHECK(strstr(r.out, "stop, until ") && strstr(r.out, "disk is full"), "it says %s", r.out);
  t_result_free(&r);
  t_sql_run("mirror.db", "DROP TRIGGER full");
  mirror_settle(10000);
  T_UNTIL(20000, t_status_int(t_sync("hold.until"), 0) == 0, "a hold that is over is still shown");
}

T_STORY(d1_sqlite, the_predecessors_indexes_are_made_on_demand, 60) {
  story_the_predecessors_indexes_are_made_on_demand(&mirror_sqlite);
}

/* Its own tables have the constraints; somebody has made this one by hand. */
T_STORY(d1_sqlite, rows_in_the_way_of_a_unique_index_are_named, 30) {
  mirror_ring(&mirror_sqlite);
  mirror_write(t_producer("test"), 1, 5, 0);
  mirror_settle(10000);
  t_down();
  t_sql_run("mirror.db", "DROP VIEW conversation_links_iso; CREATE TABLE l AS SELECT * FROM"
                         " conversation_links; DROP TABLE conversation_links; ALTER TABLE l RENAME"
                         " TO conversation_links; UPDATE conversation_links SET"
                         " remote_conversation_id = 'same' WHERE link_id IN ('l2', 'l4')");
  struct t_result r = t_convkeep("sync", "schema", "--apply");
  T_CHECK(r.code == 1 &&
              strstr(r.err, "conversation_links: 2 rows share their platform,"
                            " remote_conversation_id, which must be unique") &&
              strstr(r.err, "l2 (p, same)") && strstr(r.err, "l4 (p, same)"),
          "it ended with %d and said %s", r.code, r.err);
  t_result_free(&r);
  t_sql_run("mirror.db", "UPDATE conversation_links SET version = 0, remote_conversation_id ="
                         " link_id");
  t_do(0, "sync", "schema", "--apply");
  t_daemon("store", NULL);
  t_do(0, "sync", "repair", "--deep");
  t_check_mirror("artifact.db", "mirror.db");
}
