/* The mirror in a real D1: the same as the database, at the cost of no request too many. */
#include "tests/d1/d1.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

T_STORY(d1_mirror, all_six_tables_arrive_and_the_same_again_sends_nothing, 60) {
  d1_start();
  d1_ring();
  struct t_producer *p = t_producer("test");
  d1_write(p, 1, 100, 0);
  d1_same(10000);
  int64_t version = t_status_int("version", -1), requests = d1_stat("requests"), written = d1_stat("rows_written");
  T_CHECK(d1_int("SELECT count(*) AS n FROM messages") == 300, "300 messages are in D1");
  t_note("%lld rows in %lld requests, %lld rows written", 100LL * D1_ROWS_EACH, (long long)requests, (long long)written);
  d1_write(p, 1, 100, 0);
  t_pause(300);
  T_CHECK(t_status_int("version", -1) == version, "the same again makes no version");
  /* The comparison itself asked for nothing through the REST paths but the count. */
  T_CHECK(d1_stat("requests") == requests + 1, "the same again is sent to D1: %lld requests more", (long long)(d1_stat("requests") - requests - 1));
  d1_write(p, 50, 100, 7);
  d1_same(10000);
  d1_stop();
}

/* A burst of 250 changes of one record, at the speed of the store: the meter lets a few of its states through. */
T_STORY(d1_mirror, many_changes_of_one_record_are_few_writes, 60) {
  d1_start();
  t_set("d1.rate", "1050");
  d1_ring();
  struct t_producer *p = t_producer("test");
  t_taken(p, 'n', "local_conversations", "{'local_conversation_id':'c','platform':'p'}");
  d1_settle(5000);
  int64_t before = d1_stat("rows_written");
  for (int i = 0; i < 250; ++i) {
    char row[100];
    snprintf(row, sizeof row, "{'local_conversation_id':'c','platform':'p','title':'%d'}", i);
    t_put(p, "local_conversations", row);
    if (i % 10 == 9) T_CHECK(t_commit(p) == 'u', "the store does not take it: %s", t_refusal(p));
  }
  d1_same(10000);
  int64_t writes = d1_stat("rows_written") - before;
  t_note("250 changes, %lld rows written", (long long)writes);
  T_CHECK(writes <= 10, "250 changes of one record were %lld writes", (long long)writes);
  d1_stop();
}

/* A person's way: the schema as the program prints it, the ring by one command, an export, and the same export again. */
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
  T_CHECK(d1_int("SELECT count(*) AS n FROM messages WHERE id = 'other' AND raw_text = 'kept' AND version = 0") == 1, "a row that nobody wrote again stays");
  json_decref(d1_sql("DELETE FROM messages WHERE id = 'other'; DELETE FROM local_conversations WHERE local_conversation_id = 'c-old'"));
}

T_STORY(d1_mirror, an_old_database_is_brought_up_and_goes_on_being_filled, 60) {
  d1_start();
  d1_predecessor();
  d1_schema(true);
  t_daemon("store", NULL);
  t_daemon("syncd", NULL);
  d1_write(t_producer("test"), 1, 60, 0);
  d1_settle(10000);
  T_CHECK(t_status_int("sync.dead", -1) == 0, "%lld dead letters", (long long)t_status_int("sync.dead", -1));
  check_old_rows();
  d1_same(1000);
  d1_stop();
}

/* Newest states first come late: the executions' messages change again and again, so they stand in later batches than their children. */
T_STORY(d1_mirror, children_that_come_before_their_parents_wait_for_them, 90) {
  d1_start();
  d1_predecessor();
  d1_schema(true);
  t_set("sync.batch", "20000");
  t_daemon("store", NULL);
  struct t_producer *p = t_producer("test");
  d1_write(p, 1, 100, 0);
  for (int i = 1; i <= 100; ++i) t_taken(p, 'u', "messages", "{'id':'m%d-1','platform':'p','role':'assistant','raw_text':'longer','observed_at':5000}", i);
  for (int i = 1; i <= 100; ++i) t_taken(p, 'u', "local_conversations", "{'local_conversation_id':'c%d','platform':'p','title':'later'}", i);
  t_daemon("syncd", NULL);
  d1_settle(30000);
  T_CHECK(t_status_int("sync.dead", -1) == 0, "%lld dead letters", (long long)t_status_int("sync.dead", -1));
  check_old_rows();
  d1_same(1000);
  d1_stop();
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
  static const char special[] = "\0\x01\t\n\r\"\\'/;%_[]{},:\x7f";
  ck_buf_clear(b);
  for (uint64_t n = t_random_below(t_random_below(40) ? 40 : 4000); n; --n) {
    uint32_t c = (uint32_t)t_random_below(0x110000);
    uint64_t kind = t_random_below(3);
    if (kind == 0) c = (unsigned char)special[t_random_below(sizeof special)];
    if (kind == 1) c = (uint32_t)(' ' + t_random_below(95));
    if (c >= 0xd800 && c < 0xe000) c = 0xfffd;
    put_utf8(b, c);
  }
}

static int64_t any_time(void) {
  static const int64_t odd[] = {0, 1, -1, INT64_MAX, INT64_MIN, 9007199254740993, -9007199254740993, 4294967296};
  return t_random_below(2) ? odd[t_random_below(sizeof odd / sizeof *odd)] : (int64_t)t_random();
}

/* Messages take any text to the byte and any integer as their time. */
static void put_message(struct t_producer *p, struct ck_buf *text, int i) {
  struct ck_row row = {.table = CK_MESSAGES};
  struct ck_buf mutation = {0};
  char id[24];
  snprintf(id, sizeof id, "v%d", i);
  any_text(text);
  row.v[CK_MESSAGES_ID] = ck_textz(id);
  row.v[CK_MESSAGES_PLATFORM] = ck_textz("0123");
  row.v[CK_MESSAGES_ROLE] = ck_textz("1e3");
  row.v[CK_MESSAGES_RAW_TEXT] = ck_text(ck_buf_view(text));
  row.v[CK_MESSAGES_OBSERVED_AT] = ck_int(any_time());
  row.v[CK_MESSAGES_CREATED_AT] = ck_int(any_time());
  row.v[CK_MESSAGES_STATIC_PATH] = ck_textz("msg/x.txt");
  if (t_random_below(2)) row.v[CK_MESSAGES_PAGE_URL] = ck_null();
  ck_mutation_row(&mutation, CK_OP_PUT, &row);
  t_mutate_raw(p, ck_buf_view(&mutation));
  ck_buf_free(&mutation);
}

T_STORY(d1_mirror, values_are_the_same_there, 120) {
  d1_start();
  d1_ring();
  struct t_producer *p = t_producer("test");
  struct ck_buf text = {0};
  int n = t_long() ? 200000 : 4000;
  for (int i = 0; i < n;) {
    for (int k = 0; k < 200; ++k) put_message(p, &text, i++);
    char result = t_commit(p);
    T_CHECK(result == 'n', "the store does not take it: %s", t_refusal(p));
  }
  d1_same(t_long() ? 300000 : 20000);
  T_CHECK(t_status_int("sync.dead", -1) == 0, "nothing is dead");
  ck_buf_free(&text);
  d1_stop();
}

static void put_long(struct t_producer *p, const char *id, size_t bytes, char filled) {
  struct ck_row row = {.table = CK_MESSAGES};
  struct ck_buf mutation = {0};
  char *text = malloc(bytes);
  memset(text, filled, bytes);
  row.v[CK_MESSAGES_ID] = ck_textz(id);
  row.v[CK_MESSAGES_PLATFORM] = ck_textz("p");
  row.v[CK_MESSAGES_ROLE] = ck_textz("user");
  row.v[CK_MESSAGES_RAW_TEXT] = ck_text((struct ck_str){text, bytes});
  row.v[CK_MESSAGES_OBSERVED_AT] = ck_int(INT64_MAX);
  ck_mutation_row(&mutation, CK_OP_PUT, &row);
  t_mutate_raw(p, ck_buf_view(&mutation));
  free(text);
  ck_buf_free(&mutation);
  char result = t_commit(p);
  T_CHECK(result == 'n', "the store does not take it: %s", t_refusal(p));
}

T_STORY(d1_mirror, texts_of_2_mb_go_and_larger_ones_are_set_aside, 60) {
  d1_start();
  d1_ring();
  struct t_producer *p = t_producer("test");
  put_long(p, "near", 1999000, 'a');
  put_long(p, "escaped", 1500000, '"'); /* as JSON larger than a parameter may be */
  put_long(p, "over", 2000001, 'a');
  d1_write(p, 1, 3, 0);
  d1_settle(20000);
  T_CHECK(d1_int("SELECT length(raw_text) AS n FROM messages WHERE id = 'near'") == 1999000, "near is whole");
  T_CHECK(d1_int("SELECT observed_at = 9223372036854775807 AS n FROM messages WHERE id = 'near'") == 1, "its time is exact");
  T_CHECK(d1_int("SELECT length(raw_text) AS n FROM messages WHERE id = 'escaped'") == 1500000, "escaped is whole");
  T_CHECK(d1_int("SELECT count(*) AS n FROM messages WHERE id = 'over'") == 0, "over is not there");
  T_CHECK(t_status_int("sync.dead", -1) == 1, "one dead letter");
  json_t *dead = t_query("dead_letters", NULL, 10, 0);
  const char *reason = t_text_at(dead, "0.reason"), *key = t_text_at(dead, "0.key");
  T_CHECK(key && strcmp(key, "over") == 0 && reason && strstr(reason, "2000001 bytes"), "the dead letter is %s: %s", key ? key : "none", reason ? reason : "");
  json_decref(dead);
  d1_stop();
}
