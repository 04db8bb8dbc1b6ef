/* The mirror in PostgreSQL equals the database, and nothing is written twice. */
#include "tests/mirror/stories.h"
#include "tests/postgres/postgres.h"

T_STORY(postgres_mirror, all_six_tables_arrive_and_the_same_again_sends_nothing, 60) {
  pg_start();
  pg_ring();
  struct t_producer *p = t_producer("test");
  mirror_write(p, 1, 100, 0);
  pg_same(10000);
  T_CHECK(pg_int("SELECT count(*) FROM messages") == 300, "300 messages are there");
  int64_t version = t_status_int("version", -1);
  mirror_write(p, 1, 100, 0);
  t_pause(300);
  T_CHECK(t_status_int("version", -1) == version, "the same again makes no version");
  mirror_write(p, 50, 100, 7);
  pg_same(10000);
  mirror_none_dead();
  pg_stop();
}

/* If a worker ended before it could tell an outcome, the same range is leased again. xmin shows
 * which transaction last wrote a row. */
T_STORY(postgres_mirror, a_replay_writes_no_row, 60) {
  pg_start();
  pg_schema();
  t_daemon("store", NULL);
  struct t_process *first = t_daemon_try("syncd", NULL);
  t_wait_ready(first, 20000);
  mirror_write(t_producer("test"), 1, 50, 0);
  mirror_settle(10000);
  t_signal(first, SIGTERM);
  t_wait_end(first, 20000);
  int64_t before = pg_int("SELECT max(xmin::text::bigint) FROM messages");
  t_down();
  t_sql_run("artifact.db", "UPDATE sinks SET cursor = 0");
  t_daemon("store", NULL);
  t_daemon("syncd", NULL);
  pg_same(10000);
  T_UNTIL(20000, mirror_reported("info.rows") == 50 * MIRROR_ROWS_EACH, "%lld rows were sent again",
          (long long)mirror_reported("info.rows"));
  T_CHECK(mirror_reported("info.written") == 1, "%lld rows were written, with the witness",
          (long long)mirror_reported("info.written"));
  T_CHECK(pg_int("SELECT max(xmin::text::bigint) FROM messages") == before,
          "a row was written again");
  pg_stop();
}

T_STORY(postgres_mirror, an_older_version_changes_nothing, 60) {
  pg_start();
  pg_ring();
  mirror_write(t_producer("test"), 1, 3, 0);
  mirror_settle(10000);
  pg_sql("UPDATE messages SET version = 1000000, raw_text = 'newer' WHERE id = 'm1-0'");
  t_taken(t_producer("test"), 'u', "messages",
          "{'id':'m1-0','platform':'p','role':'user','raw_text':'older','observed_at':5000}");
  mirror_settle(10000);
  T_CHECK(pg_int("SELECT count(*) FROM messages WHERE id = 'm1-0' AND raw_text = 'newer' AND "
                 "version = 1000000") == 1,
          "an older version replaced a newer one");
  pg_stop();
}

/* Unique values pass from record to record: the newer one has them. */
T_STORY(postgres_mirror, a_link_under_another_key_is_taken_over, 60) {
  pg_start();
  pg_schema();
  pg_sql("INSERT INTO conversation_links (link_id, local_conversation_id, platform, "
         "remote_conversation_id, is_active, observed_at, created_at, updated_at, version)"
         " VALUES ('strange', 'c', 'p', 'r2', 1, 1, 1, 1, 0)");
  t_daemon("store", NULL);
  t_daemon("syncd", NULL);
  mirror_write(t_producer("test"), 1, 10, 0);
  pg_same(10000);
  mirror_none_dead();
  T_CHECK(pg_int("SELECT count(*) FROM conversation_links WHERE link_id = 'strange'") == 0,
          "the old link is still there");
  pg_stop();
}

T_STORY(postgres_mirror, what_is_unique_changes_hands_across_a_backlog, 60) {
  story_what_is_unique_changes_hands_across_a_backlog(&mirror_postgres);
}

/* As a person does it: psql runs what `sync schema` prints. */
T_STORY(postgres_mirror, the_printed_schema_is_what_psql_runs, 60) {
  pg_start();
  struct t_result schema = t_convkeep("sync", "schema");
  T_CHECK(schema.code == 0, "sync schema ended with %d: %s", schema.code, schema.err);
  pg_sql("%s", schema.out);
  pg_sql("GRANT ALL ON ALL TABLES IN SCHEMA public TO ring");
  t_result_free(&schema);
  t_daemon("store", NULL);
  t_daemon("syncd", NULL);
  mirror_write(t_producer("test"), 1, 5, 0);
  pg_same(10000);
  pg_stop();
}

/* ---- values ---- */

T_STORY(postgres_mirror, values_are_the_same_there, 300) {
  story_values_are_the_same(&mirror_postgres);
}
T_STORY(postgres_mirror, bad_bytes_in_the_database_are_dead_letters, 60) {
  story_bad_bytes_in_the_database_are_dead_letters(&mirror_postgres);
}
T_STORY(postgres_mirror, texts_of_7_mb_are_the_same, 60) {
  story_texts_of_7_mb_are_the_same(&mirror_postgres);
}

/* Indexed values may have about 2,700 bytes. A row with a longer one, even compressed, is a dead
 * letter, and its next version replaces it. */
T_STORY(postgres_mirror, a_text_too_long_for_its_index_is_a_dead_letter_and_named, 60) {
  char remote[4001];
  pg_start();
  pg_ring();
  struct t_producer *p = t_producer("test");
  for (size_t i = 0; i < sizeof remote - 1; ++i) remote[i] = (char)('a' + t_random_below(26));
  remote[sizeof remote - 1] = '\0';
  mirror_write(p, 1, 30, 0);
  t_taken(p, 'n', "conversation_links",
          "{'link_id':'long','local_conversation_id':'c7','platform':'p',"
          "'remote_conversation_id':'%s','observed_at':1}",
          remote);
  mirror_write(p, 31, 30, 0);
  mirror_settle(20000);
  mirror_one_dead("long", "54000");
  t_taken(p, 'u', "conversation_links",
          "{'link_id':'long','local_conversation_id':'c7','platform':'p',"
          "'remote_conversation_id':'short','observed_at':2}");
  pg_same(10000);
  mirror_none_dead();
  pg_stop();
}

/* PostgreSQL cannot store U+0000: the record is named, everything else gets in, and its next
 * version replaces it. */
T_STORY(postgres_mirror, a_text_with_nul_is_a_dead_letter_and_named, 60) {
  pg_start();
  pg_ring();
  struct t_producer *p = t_producer("test");
  t_taken(
      p, 'n', "messages",
      "{'id':'with-nul','platform':'0123','role':'NULL','raw_text':'a\\u0000b','observed_at':1}");
  mirror_write(p, 1, 3, 0);
  mirror_settle(20000);
  mirror_one_dead("with-nul", "raw_text has a U+0000");
  T_CHECK(pg_int("SELECT count(*) FROM messages") == 9, "what is beside it is there");
  t_updated(
      p, 'u', "", "messages",
      "{'id':'with-nul','platform':'0123','role':'NULL','raw_text':'mended','observed_at':%lld}",
      (long long)INT64_MAX);
  pg_same(10000);
  mirror_none_dead();
  pg_stop();
}
