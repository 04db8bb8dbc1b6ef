/* sync backfill on D1 and on mirror.db: see tests/mirror/backfill.c. */
#include <stdio.h>

#include "tests/d1/d1.h"
#include "tests/mirror/stories.h"

T_STORY(d1_backfill, an_empty_database_is_filled_and_live_changes_do_not_wait, 120) {
  story_an_empty_mirror_is_filled_and_live_changes_do_not_wait(&mirror_d1);
}
T_STORY(d1_backfill, where_nothing_is_missing_nothing_is_written, 60) {
  story_where_nothing_is_missing_nothing_is_written(&mirror_d1);
}
T_STORY(d1_backfill, where_nothing_is_missing_nothing_is_written_in_mirror_db, 60) {
  story_where_nothing_is_missing_nothing_is_written(&mirror_sqlite);
}

T_STORY(d1_backfill, a_paused_table_does_not_hold_up_the_others, 90) {
  story_a_paused_table_does_not_hold_up_the_others_backfill(&mirror_d1);
}

T_STORY(d1_backfill, the_ring_is_down_and_the_mirror_is_gone, 60) {
  t_daemon("store", NULL);
  t_daemon("syncd", NULL);
  mirror_write(t_producer("test"), 1, 100, 0);
  mirror_settle(10000);
  t_ring_forget();
  t_down();
  T_CHECK(remove("mirror.db") == 0, "mirror.db is not there");
  json_decref(t_lines(0, "sync", "backfill"));
  t_check_mirror("artifact.db", "mirror.db");
}
