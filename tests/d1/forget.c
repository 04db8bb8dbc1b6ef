/* What is forgotten, in D1 and in mirror.db. */
#include "tests/d1/d1.h"
#include "tests/mirror/stories.h"

T_STORY(d1_forget, what_is_forgotten_is_deleted, 60) {
  story_what_is_forgotten_is_deleted(&mirror_d1);
}

T_STORY(d1_forget, a_backfill_deletes_what_is_forgotten, 60) {
  story_a_backfill_deletes_what_is_forgotten(&mirror_d1);
}

T_STORY(d1_forget, repair_knows_what_is_forgotten, 60) {
  story_repair_knows_what_is_forgotten(&mirror_d1);
}

T_STORY(d1_forget, what_is_taken_back_is_mirrored, 60) {
  story_what_is_taken_back_is_mirrored(&mirror_d1);
}

T_STORY(d1_forget, what_is_forgotten_while_workers_are_killed, 60) {
  story_what_is_forgotten_while_workers_are_killed(&mirror_d1);
}

T_STORY(sqlite_forget, what_is_forgotten_is_deleted, 60) {
  story_what_is_forgotten_is_deleted(&mirror_sqlite);
}

T_STORY(sqlite_forget, a_backfill_deletes_what_is_forgotten, 60) {
  story_a_backfill_deletes_what_is_forgotten(&mirror_sqlite);
}

T_STORY(sqlite_forget, repair_knows_what_is_forgotten, 60) {
  story_repair_knows_what_is_forgotten(&mirror_sqlite);
}

T_STORY(sqlite_forget, what_is_taken_back_is_mirrored, 60) {
  story_what_is_taken_back_is_mirrored(&mirror_sqlite);
}

T_STORY(sqlite_forget, what_is_forgotten_while_workers_are_killed, 60) {
  story_what_is_forgotten_while_workers_are_killed(&mirror_sqlite);
}
