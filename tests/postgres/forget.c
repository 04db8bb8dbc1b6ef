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

T_STORY(postgres_forget, a_reader_does_not_stop_forgetting, 60) {
  story_a_reader_does_not_stop_forgetting(
      &mirror_postgres, "BEGIN; LOCK TABLE forgotten IN ACCESS SHARE MODE", "COMMIT");
}
T_STORY(postgres_forget, forgetting_waits_for_writers, 60) {
  story_forgetting_waits_for_writers(
      &mirror_postgres, "BEGIN; SELECT pg_advisory_xact_lock_shared(7164206874913563002)",
      "SELECT count(*) AS n FROM pg_locks WHERE locktype = 'advisory' AND NOT granted", "COMMIT");
}
