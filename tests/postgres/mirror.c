/* The mirror in a real PostgreSQL: the same as the database, and nothing is written twice. */
#include "tests/postgres/postgres.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

T_STORY(postgres_mirror, all_six_tables_arrive_and_the_same_again_sends_nothing, 60) {
  pg_start();
  pg_ring();
  struct t_producer *p = t_producer("test");
  pg_write(p, 1, 100, 0);
  pg_same(10000);
  T_CHECK(pg_int("SELECT count(*) FROM messages") == 300, "300 messages are there");
  int64_t version = t_status_int("version", -1);
  pg_write(p, 1, 100, 0);
  t_pause(300);
  T_CHECK(t_status_int("version", -1) == version, "the same again makes no version");
  pg_write(p, 50, 100, 7);
  pg_same(10000);
  pg_none_dead();
  pg_stop();
}

/* A worker that had no time to report is leased the same again. What the rows were written by (xmin) tells who wrote them last. */
T_STORY(postgres_mirror, a_replay_writes_no_row, 60) {
  pg_start();
  pg_schema();
  t_daemon("store", NULL);
  struct t_process *first = t_daemon_try("syncd", NULL);
  t_wait_ready(first, 5000);
  pg_write(t_producer("test"), 1, 50, 0);
  pg_settle(10000);
  t_signal(first, SIGTERM);
  t_wait_end(first, 5000);
  int64_t before = pg_int("SELECT max(xmin::text::bigint) FROM messages");
  t_down();
  t_sql_run("artifact.db", "UPDATE sinks SET cursor = 0");
  t_daemon("store", NULL);
  t_daemon("syncd", NULL);
  pg_same(10000);
  T_UNTIL(5000, pg_reported("info.rows") == 50 * PG_ROWS_EACH, "%lld rows were sent again", (long long)pg_reported("info.rows"));
  T_CHECK(pg_reported("info.written") == 0, "%lld of them were written", (long long)pg_reported("info.written"));
  T_CHECK(pg_int("SELECT max(xmin::text::bigint) FROM messages") == before, "a row was written again");
  pg_stop();
}

T_STORY(postgres_mirror, an_older_version_changes_nothing, 60) {
  pg_start();
  pg_ring();
  pg_write(t_producer("test"), 1, 3, 0);
  pg_settle(10000);
  pg_sql("UPDATE messages SET version = 1000000, raw_text = 'newer' WHERE id = 'm1-0'");
  t_taken(t_producer("test"), 'u', "messages", "{'id':'m1-0','platform':'p','role':'user','raw_text':'older','observed_at':5000}");
  pg_settle(10000);
  T_CHECK(pg_int("SELECT count(*) FROM messages WHERE id = 'm1-0' AND raw_text = 'newer' AND version = 1000000") == 1, "an older version replaced a newer one");
  pg_stop();
}

/* What is unique beside the key goes from record to record: the newer one has it. */
T_STORY(postgres_mirror, a_link_under_another_key_is_taken_over, 60) {
  pg_start();
  pg_schema();
  pg_sql(
      "INSERT INTO conversation_links (link_id, local_conversation_id, platform, remote_conversation_id, is_active, observed_at, created_at, updated_at, version)"
      " VALUES ('strange', 'c', 'p', 'r2', 1, 1, 1, 1, 0)");
  t_daemon("store", NULL);
  t_daemon("syncd", NULL);
  pg_write(t_producer("test"), 1, 10, 0);
  pg_same(10000);
  pg_none_dead();
  T_CHECK(pg_int("SELECT count(*) FROM conversation_links WHERE link_id = 'strange'") == 0, "the old link is still there");
  pg_stop();
}

T_STORY(postgres_mirror, the_schema_is_made_once_and_mended, 60) {
  pg_start();
  pg_schema();
  json_t *lines = t_lines(0, "sync", "schema", "--apply");
  T_CHECK(t_int_at(lines, "0.statements", t_int_at(lines, "0.result.statements", -1)) == 0, "a second time %s", json_dumps(lines, 0));
  json_decref(lines);
  pg_sql("ALTER TABLE sessions DROP COLUMN summary; DROP INDEX messages_conversation; DROP TABLE renewal_jobs");
  pg_ring();
  pg_write(t_producer("test"), 1, 5, 0);
  pg_same(10000);
  T_CHECK(pg_int("SELECT count(*) FROM pg_indexes WHERE indexname = 'messages_conversation'") == 1, "the index is there again");
  pg_stop();
}

/* A person's way: `sync schema` prints what psql runs. */
T_STORY(postgres_mirror, the_printed_schema_is_what_psql_runs, 60) {
  pg_start();
  struct t_result schema = t_convkeep("sync", "schema");
  T_CHECK(schema.code == 0, "sync schema ended with %d: %s", schema.code, schema.err);
  pg_sql("%s", schema.out);
  pg_sql("GRANT ALL ON ALL TABLES IN SCHEMA public TO ring");
  t_result_free(&schema);
  t_daemon("store", NULL);
  t_daemon("syncd", NULL);
  pg_write(t_producer("test"), 1, 5, 0);
  pg_same(10000);
  pg_stop();
}

/* ---- values ---- */

static void put_utf8(struct ck_buf *b, uint32_t c) {
  char s[4];
  size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
  for (size_t i = n; i-- > 1; c >>= 6) s[i] = (char)(0x80 | (c & 0x3f));
  s[0] = (char)(n == 1 ? c : (0xf0u << (4 - n) & 0xffu) | c);
  ck_buf_add(b, s, n);
}

static void any_text(struct ck_buf *b) {
  static const char special[] = "\x01\t\n\r\"\\'/;%_[]{},:\x7f";
  ck_buf_clear(b);
  for (uint64_t n = t_random_below(t_random_below(40) ? 40 : 4000); n; --n) {
    uint32_t c = 1 + (uint32_t)t_random_below(0x10ffff);
    uint64_t kind = t_random_below(3);
    if (kind == 0) c = (unsigned char)special[t_random_below(sizeof special - 1)];
    if (kind == 1) c = (uint32_t)(' ' + t_random_below(95));
    if (c >= 0xd800 && c < 0xe000) c = 0xfffd;
    put_utf8(b, c);
  }
}

static int64_t any_time(void) {
  static const int64_t odd[] = {0, 1, -1, INT64_MAX, INT64_MIN, 9007199254740993, -9007199254740993, 4294967296};
  return t_random_below(2) ? odd[t_random_below(sizeof odd / sizeof *odd)] : (int64_t)t_random();
}

static void put_message(struct t_producer *p, const char *id, struct ck_str text) {
  struct ck_row row = {.table = CK_MESSAGES};
  struct ck_buf mutation = {0};
  row.v[CK_MESSAGES_ID] = ck_textz(id);
  row.v[CK_MESSAGES_PLATFORM] = ck_textz("0123");
  row.v[CK_MESSAGES_ROLE] = ck_textz("NULL");
  row.v[CK_MESSAGES_RAW_TEXT] = ck_text(text);
  row.v[CK_MESSAGES_OBSERVED_AT] = ck_int(any_time());
  row.v[CK_MESSAGES_CREATED_AT] = ck_int(any_time());
  row.v[CK_MESSAGES_STATIC_PATH] = ck_textz("msg/x.txt");
  if (t_random_below(2)) row.v[CK_MESSAGES_PAGE_URL] = ck_null();
  ck_mutation_row(&mutation, CK_OP_PUT, &row);
  t_mutate_raw(p, ck_buf_view(&mutation));
  ck_buf_free(&mutation);
}

static void must_commit(struct t_producer *p) {
  char result = t_commit(p);
  T_CHECK(result == 'n', "the store does not take it: %s", t_refusal(p));
}

T_STORY(postgres_mirror, values_are_the_same_there, 120) {
  pg_start();
  pg_ring();
  struct t_producer *p = t_producer("test");
  struct ck_buf text = {0};
  char id[24];
  int n = t_long() ? 200000 : 4000;
  for (int i = 0; i < n;) {
    for (int k = 0; k < 200; ++k) {
      snprintf(id, sizeof id, "v%d", i++);
      any_text(&text);
      put_message(p, id, ck_buf_view(&text));
    }
    must_commit(p);
  }
  pg_same(t_long() ? 300000 : 20000);
  pg_none_dead();
  ck_buf_free(&text);
  pg_stop();
}

/* PostgreSQL cannot store U+0000: the record is named, everything beside it goes in, and its next version replaces it. */
T_STORY(postgres_mirror, a_text_with_nul_is_set_aside_and_named, 60) {
  pg_start();
  pg_ring();
  struct t_producer *p = t_producer("test");
  put_message(p, "with-nul", (struct ck_str){"a\0b", 3});
  put_message(p, "large", (struct ck_str){memset(malloc(3000000), 'a', 3000000), 3000000});
  must_commit(p);
  pg_write(p, 1, 3, 0);
  pg_settle(20000);
  json_t *dead = t_query("dead_letters", NULL, 10, 0);
  const char *reason = t_text_at(dead, "0.reason"), *key = t_text_at(dead, "0.key");
  T_CHECK(json_array_size(dead) == 1 && key && strcmp(key, "with-nul") == 0, "%zu dead letters, the first is %s", json_array_size(dead), key ? key : "none");
  T_CHECK(reason && strstr(reason, "raw_text has a U+0000"), "the reason is %s", reason ? reason : "none");
  json_decref(dead);
  T_CHECK(pg_int("SELECT length(raw_text) FROM messages WHERE id = 'large'") == 3000000, "a text of 3 MB is whole");
  t_taken(p, 'u', "messages", "{'id':'with-nul','platform':'0123','role':'NULL','raw_text':'mended','observed_at':%lld}", (long long)INT64_MAX);
  pg_same(10000);
  pg_stop();
}

/* ---- verify and repair ---- */

static json_t *deep(int code, const char *word) { return t_lines(code, "sync", word, "--deep"); }

T_STORY(postgres_mirror, verify_finds_what_is_wrong_and_repair_mends_it, 120) {
  pg_start();
  pg_ring();
  struct t_producer *p = t_producer("test");
  pg_write(p, 1, 400, 0);
  pg_same(20000);
  json_decref(deep(0, "verify"));
  pg_sql("DELETE FROM messages WHERE id = 'm17-1'");
  pg_sql("UPDATE sessions SET version = version - 1 WHERE id = 's33'");
  pg_sql("UPDATE messages SET raw_text = raw_text || 'x' WHERE id = 'm200-2'");
  pg_sql(
      "INSERT INTO messages (id, platform, role, raw_text, observed_at, static_path, created_at, version) VALUES ('zz', 'p', 'user', 'x', 1, 'msg/x.txt', 1, 5)");
  json_t *found = deep(1, "verify");
  char *text = json_dumps(found, 0);
  static const char *const wrong[] = {"m17-1", "s33", "m200-2", "zz"};
  for (size_t i = 0; i < 4; ++i) T_CHECK(strstr(text, wrong[i]), "%s was not found: %s", wrong[i], text);
  free(text);
  json_decref(found);
  json_decref(deep(0, "repair"));
  pg_same(20000);
  json_decref(deep(0, "verify"));
  pg_stop();
}
