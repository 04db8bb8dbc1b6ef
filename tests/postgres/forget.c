/* What is forgotten, in PostgreSQL. */
#include "tests/mirror/stories.h"
#include "tests/postgres/postgres.h"

T_STORY(postgres_forget, what_is_forgotten_is_deleted, 60) {
  story_what_is_forgotten_is_deleted(&mirror_postgres);
}

T_STORY(postgres_forget, a_backfill_deletes_what_is_forgotten, 60) {
  story_a_backfill_deletes_what_is_forgotten(&mirror_postgres);
}

T_STORY(postgres_forget, repair_knows_what_is_forgotten, 60) {
  story_repair_knows_what_is_forgotten(&mirror_postgres);
}

T_STORY(postgres_forget, what_is_taken_back_is_mirrored, 60) {
  story_what_is_taken_back_is_mirrored(&mirror_postgres);
}

T_STORY(postgres_forget, what_is_forgotten_while_workers_are_killed, 60) {
  story_what_is_forgotten_while_workers_are_killed(&mirror_postgres);
}
