/* The tasks that a person starts: verify, repair, retry, backfill, schema. */
#include "tests/mirror/stories.h"
#include "tests/postgres/postgres.h"

T_STORY(postgres_verify, what_was_done_by_hand_is_found_and_mended, 60) {
  story_what_was_done_by_hand_is_found_and_mended(&mirror_postgres);
}
T_STORY(postgres_verify, one_changed_byte_is_found_by_deep, 60) {
  story_one_changed_byte_is_found_by_deep(&mirror_postgres);
}
T_STORY(postgres_verify, an_interrupted_deep_goes_on_where_it_was, 60) {
  story_an_interrupted_deep_goes_on_where_it_was(&mirror_postgres);
}
T_STORY(postgres_verify, what_is_under_way_is_no_finding, 60) {
  story_what_is_under_way_is_no_finding(&mirror_postgres);
}
T_STORY(postgres_verify, many_records_cost_few_requests, 300) {
  story_many_records_cost_few_requests(&mirror_postgres);
}

T_STORY(postgres_retry, dead_letters_are_sent_again, 60) {
  story_dead_letters_are_sent_again(&mirror_postgres);
}
T_STORY(postgres_retry, a_later_version_takes_the_dead_letters_place, 60) {
  story_a_later_version_takes_the_dead_letters_place(&mirror_postgres);
}

T_STORY(postgres_backfill, an_empty_database_is_filled_and_live_changes_do_not_wait, 120) {
  story_an_empty_mirror_is_filled_and_live_changes_do_not_wait(&mirror_postgres);
}
T_STORY(postgres_backfill, where_nothing_is_missing_nothing_is_written, 60) {
  story_where_nothing_is_missing_nothing_is_written(&mirror_postgres);
}
T_STORY(postgres_backfill, a_paused_table_does_not_hold_up_the_others, 90) {
  story_a_paused_table_does_not_hold_up_the_others_backfill(&mirror_postgres);
}

T_STORY(postgres_schema, an_empty_database_is_made_ready, 60) {
  story_an_empty_database_is_made_ready(&mirror_postgres);
}
T_STORY(postgres_schema, what_is_missing_is_made_and_nothing_else, 60) {
  story_what_is_missing_is_made_and_nothing_else(&mirror_postgres);
}
T_STORY(postgres_schema, the_places_of_messages_come_to_an_older_mirror, 60) {
  story_the_places_of_messages_come_to_an_older_mirror(&mirror_postgres);
}
T_STORY(postgres_schema, rows_in_the_way_of_a_unique_index_are_named, 60) {
  story_rows_in_the_way_of_a_unique_index_are_named(
      &mirror_postgres,
      "ALTER TABLE messages OWNER TO ring; ALTER TABLE conversation_links OWNER TO ring");
}
T_STORY(postgres_schema, what_is_printed_is_what_is_missing, 60) {
  story_what_is_printed_is_what_is_missing(&mirror_postgres, "ALTER TABLE sessions OWNER TO ring");
}
T_STORY(postgres_schema, the_predecessors_indexes_are_made_on_demand, 60) {
  story_the_predecessors_indexes_are_made_on_demand(&mirror_postgres);
}
T_STORY(postgres_schema, a_missing_unique_constraint_is_made, 60) {
  pg_start();
  pg_sql("CREATE TABLE messages (id text, platform text, conversation_id text, role text, raw_text "
         "text, summary text, observed_at bigint, static_path text, "
         "page_url text, page_title text, organization_id text, created_at bigint); ALTER TABLE "
         "messages OWNER TO ring");
  story_a_missing_unique_constraint_is_made(
      &mirror_postgres,
      "column parent_id, column position, column version, unique index on id, index "
      "messages_conversation");
}

/* A connection that breaks while a task compares and repairs is tried again. */
T_STORY(postgres_verify, it_tries_again_when_the_connection_breaks, 60) {
  pg_start();
  pg_proxy();
  t_set("postgres.timeout", "1s");
  pg_ring();
  mirror_write(t_producer("test"), 1, 30, 0);
  mirror_settle(10000);
  t_down();
  pg_sql("DELETE FROM messages WHERE id = 'm3-1'; UPDATE messages SET version = version + 5 WHERE "
         "id = 'm4-1'; UPDATE sessions SET summary = 'x' WHERE id = 's9'");
  mirror_proxy_say("reset-before 1");
  mirror_proxy_say("pass 3");
  mirror_proxy_say("eof-after 1");
  mirror_proxy_say("pass 3");
  mirror_proxy_say("reset-after 1");
  mirror_proxy_say("pass 4");
  mirror_proxy_say("eof-before 1");
  mirror_proxy_say("pass 5");
  mirror_proxy_say("stall-after 1");
  mirror_proxy_say("pass 6");
  mirror_proxy_say("reset-after 1");
  json_t *lines = t_lines(0, "sync", "repair", "--deep");
  T_CHECK(mirror_said(lines, "missing") == 1 && mirror_said(lines, "other") == 1 &&
              mirror_said(lines, "different") == 1 && mirror_said(lines, "left") == 0,
          "what it found and mended is not all");
  json_decref(lines);
  t_daemon("store", NULL);
  t_daemon("syncd", NULL);
  pg_same(20000);
  pg_stop();
}

T_STORY(postgres_verify, a_wrong_password_ends_it, 60) {
  pg_start();
  pg_ring();
  mirror_write(t_producer("test"), 1, 3, 0);
  mirror_settle(10000);
  pg_sql("ALTER ROLE ring PASSWORD 'another'");
  t_do(1, "sync", "verify");
  pg_stop();
}
