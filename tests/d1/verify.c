/* sync verify, repair and schema --apply: what was done to a mirror by hand is found, all of it and nothing else, and mended. */
#include "tests/d1/d1.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The same story with D1 and with mirror.db. */
static void start(bool d1) {
  if (d1) {
    d1_start();
    d1_ring();
  } else {
    t_daemon("store", NULL);
    t_daemon("syncd", NULL);
  }
}

static void by_hand(bool d1, const char *sql) {
  if (d1)
    json_decref(d1_sql("%s", sql));
  else
    t_sql_run("mirror.db", sql);
}

static void same(bool d1) {
  if (d1)
    d1_same(10000);
  else
    t_check_mirror("artifact.db", "mirror.db");
}

/* The lines of a command; the last is the result. */
static json_t *result_of(json_t *lines) { return json_array_get(lines, json_array_size(lines) - 1); }

static int64_t said(json_t *lines, const char *name) { return t_int_at(result_of(lines), name, -1); }

static bool found(json_t *lines, const char *table, const char *key, const char *how) {
  size_t i;
  json_t *line;
  json_array_foreach(lines, i, line) {
    const char *its_table = t_text_at(line, "table"), *its_key = t_text_at(line, "key"), *its_how = t_text_at(line, "how");
    if (its_key && strcmp(its_table, table) == 0 && strcmp(its_key, key) == 0 && strcmp(its_how, how) == 0) return true;
  }
  return false;
}

static const struct {
  const char *table, *key, *how, *sql;
} done_by_hand[] = {
    {"messages", "m3-1", "missing", "DELETE FROM messages WHERE id = 'm3-1'"},
    {"messages", "m4-1", "other", "UPDATE messages SET version = version - 1 WHERE id = 'm4-1'"},
    {"messages", "m5-1", "other", "UPDATE messages SET version = version + 1000000 WHERE id = 'm5-1'"},
    {"messages", "m6-1", "other", "UPDATE messages SET version = 9223372036854775807 WHERE id = 'm6-1'"},
    {"messages", "by-hand", "extra",
     "INSERT INTO messages (id, platform, role, raw_text, observed_at, static_path, created_at) VALUES ('by-hand', 'p', 'user', '', 1, 'x', 1)"},
    /* Neither the count nor the sum of the versions tells these: */
    {"executions", "e9", "missing", "UPDATE executions SET instruction_id = 'e9x' WHERE instruction_id = 'e9'"},
    {"executions", "e9x", "extra", ""},
    {"sessions", "s7", "other",
     "UPDATE sessions SET version = (SELECT sum(version) FROM sessions WHERE id IN ('s7', 's8')) - version WHERE id IN ('s7', 's8')"},
    {"sessions", "s8", "other", ""},
    {"conversation_links", "l11", "missing", "DELETE FROM conversation_links WHERE link_id IN ('l11', 'l12')"},
    {"conversation_links", "l12", "missing", ""},
    {"local_conversations", "c120", "missing", "DELETE FROM local_conversations WHERE local_conversation_id = 'c120'"},
};
#define BY_HAND (sizeof done_by_hand / sizeof *done_by_hand)

static void nothing_wrong(void) {
  json_t *lines = t_lines(0, "sync", "verify");
  T_CHECK(json_array_size(lines) == 1, "%zu findings where nothing is wrong", json_array_size(lines) - 1);
  json_decref(lines);
}

static void found_and_mended(bool d1) {
  start(d1);
  struct t_producer *p = t_producer("test");
  d1_write(p, 1, 120, 0);
  d1_settle(10000);
  nothing_wrong();
  for (size_t i = 0; i < BY_HAND; ++i)
    if (*done_by_hand[i].sql) by_hand(d1, done_by_hand[i].sql);
  json_t *lines = t_lines(1, "sync", "verify");
  for (size_t i = 0; i < BY_HAND; ++i)
    T_CHECK(found(lines, done_by_hand[i].table, done_by_hand[i].key, done_by_hand[i].how), "%s is not found as %s", done_by_hand[i].key, done_by_hand[i].how);
  T_CHECK(json_array_size(lines) == BY_HAND + 1, "%zu findings", json_array_size(lines) - 1);
  json_decref(lines);
  int64_t before = d1 ? d1_stat("rows_written") : 0;
  lines = t_lines(0, "sync", "repair");
  T_CHECK(said(lines, "left") == 0 && said(lines, "written") == (int64_t)BY_HAND, "%lld written, %lld left", (long long)said(lines, "written"),
          (long long)said(lines, "left"));
  json_decref(lines);
  if (d1) {
    int64_t written = d1_stat("rows_written") - before;
    T_CHECK(written <= 3 * (int64_t)BY_HAND, "%lld rows written in D1 for %zu that differ", (long long)written, BY_HAND);
  }
  same(d1);
  nothing_wrong();
  if (d1) d1_stop();
}

T_STORY(d1_verify, what_was_done_by_hand_is_found_and_mended, 60) { found_and_mended(true); }
T_STORY(d1_verify, what_was_done_by_hand_is_found_and_mended_in_mirror_db, 60) { found_and_mended(false); }

/* ---- every column ---- */

static void one_byte(bool d1) {
  start(d1);
  struct t_producer *p = t_producer("test");
  d1_write(p, 1, 60, 0);
  d1_settle(10000);
  by_hand(d1, "UPDATE messages SET raw_text = replace(raw_text, 'text', 'texT') WHERE id = 'm7-2'");
  by_hand(d1, "UPDATE renewal_jobs SET next_attempt_at = next_attempt_at - 1 WHERE job_id = 'j30'");
  by_hand(d1, "UPDATE local_conversations SET summary = '' WHERE local_conversation_id = 'c4'");
  nothing_wrong();
  json_t *lines = t_lines(1, "sync", "verify", "--deep");
  T_CHECK(found(lines, "messages", "m7-2", "different"), "one changed byte is not found");
  T_CHECK(found(lines, "renewal_jobs", "j30", "different"), "a number beyond 2^53 that is one less is not found");
  T_CHECK(found(lines, "local_conversations", "c4", "different"), "an empty text in the place of NULL is not found");
  T_CHECK(json_array_size(lines) == 4, "%zu findings", json_array_size(lines) - 1);
  json_decref(lines);
  json_decref(t_lines(0, "sync", "repair", "--deep"));
  same(d1);
  if (d1) d1_stop();
}

T_STORY(d1_verify, one_changed_byte_is_found_by_deep, 60) { one_byte(true); }
T_STORY(d1_verify, one_changed_byte_is_found_by_deep_in_mirror_db, 60) { one_byte(false); }

T_STORY(d1_verify, an_interrupted_deep_goes_on_where_it_was, 60) {
  d1_start();
  d1_ring();
  d1_write(t_producer("test"), 1, 60, 0);
  d1_settle(10000);
  by_hand(true, "UPDATE messages SET summary = 'x' WHERE id = 'm7-2'; UPDATE renewal_jobs SET payload = 'x' WHERE job_id = 'j30'");
  d1_fault("{'match':'FROM sessions m WHERE m.id =','count':1,'delay_before_ms':60000}");
  char program[4096];
  snprintf(program, sizeof program, "%s/bin/convkeep", t_build());
  struct t_process *first = t_start("verify", NULL, false, (const char *[]){program, "sync", "verify", "--deep", "--json", NULL});
  T_UNTIL(10000, d1_stat("faults_left") == 0, "it does not come to the sessions");
  t_signal(first, SIGKILL);
  t_wait_end(first, 5000);
  T_CHECK(t_said(first, "m7-2"), "what comes before the interruption is said");
  json_t *lines = t_lines(1, "sync", "verify", "--deep");
  T_CHECK(!found(lines, "messages", "m7-2", "different") && found(lines, "renewal_jobs", "j30", "different"), "it does not go on where it was");
  T_CHECK(said(lines, "different") == 2, "what was found before counts too");
  T_CHECK(!t_exists("run/sync-deep.json"), "its note is left");
  json_decref(lines);
  d1_stop();
}

/* ---- while both are written to ---- */

/* Conversations change, each change a row in all six tables. */
static void write_while(struct t_producer *p, struct t_process *verify) {
  for (int i = 0; !t_ended(verify); ++i) {
    d1_write(p, 1 + (int)t_random_below(400), 1, i);
    t_pause(5);
  }
}

T_STORY(d1_verify, what_is_under_way_is_no_finding, 60) {
  char program[4096];
  d1_start();
  d1_ring();
  struct t_producer *p = t_producer("test");
  d1_write(p, 1, 400, 0);
  d1_settle(20000);
  json_decref(d1_control("settings", "{'latency_ms':40}"));
  snprintf(program, sizeof program, "%s/bin/convkeep", t_build());
  for (int round = 0; round < (t_long() ? 50 : 2); ++round) {
    const char *deep = round % 2 ? "--deep" : NULL;
    struct t_process *verify = t_start("verify", NULL, false, (const char *[]){program, "sync", "verify", "--json", deep, NULL});
    write_while(p, verify);
    char *text = t_read_file(verify->out, NULL);
    T_CHECK(t_wait_end(verify, 1) == 0, "a false alarm: %.600s", text);
    free(text);
  }
  /* What is wrong is found among it all the same. */
  by_hand(true, "DELETE FROM messages WHERE id = 'm401-0'; UPDATE sessions SET version = 1 WHERE id = 's401'");
  d1_write(p, 401, 1, 0);
  d1_settle(10000);
  by_hand(true, "DELETE FROM messages WHERE id = 'm401-0'; UPDATE sessions SET version = 1 WHERE id = 's401'");
  struct t_process *verify = t_start("verify", NULL, false, (const char *[]){program, "sync", "verify", "--json", NULL});
  write_while(p, verify);
  T_CHECK(t_wait_end(verify, 1) == 1 && t_said(verify, "m401-0") && t_said(verify, "s401"), "it is not found");
  json_decref(d1_control("settings", "{'latency_ms':0}"));
  d1_stop();
}

/* Without the ring: what was never mirrored is no finding either. */
T_STORY(d1_verify, the_ring_is_down_and_much_is_not_mirrored_yet, 60) {
  t_daemon("store", NULL);
  t_daemon("syncd", NULL);
  struct t_producer *p = t_producer("test");
  d1_write(p, 1, 60, 0);
  d1_settle(10000);
  t_kill("syncd", SIGTERM);
  T_UNTIL(5000, t_pid("syncd") == 0, "syncd does not end");
  d1_write(p, 40, 60, 1);
  t_ring_forget();
  t_down();
  t_sql_run("mirror.db", "DELETE FROM sessions WHERE id IN ('s1', 's50')");
  json_t *lines = t_lines(1, "sync", "verify");
  T_CHECK(found(lines, "sessions", "s1", "missing") && json_array_size(lines) == 2, "%zu findings", json_array_size(lines) - 1);
  T_CHECK(said(lines, "under_way") > 60, "%lld under way", (long long)said(lines, "under_way"));
  json_decref(lines);
}

/* ---- what it costs, and what stands in its way ---- */

/* The same rows on both sides, made by SQL on either: version i for the i-th, keys without order. */
#define A_ROW "printf('%%08x', i * 2654435761 %% 4294967296) || printf('%%024x', i), 'p', 'user', printf('%%.*c', 400, 'x'), i, 'msg/x.txt', 1, i"
#define COLUMNS "id, platform, role, raw_text, observed_at, static_path, created_at, version"
#define NUMBERS "WITH RECURSIVE n (i) AS (SELECT %d UNION ALL SELECT i + 1 FROM n WHERE i < %d)"

static void fill_both(int n) {
  char sql[2000];
  t_daemon("store", NULL);
  t_down();
  snprintf(sql, sizeof sql,
           "INSERT INTO messages (" COLUMNS ") " NUMBERS " SELECT " A_ROW " FROM n;"
           "INSERT INTO message_keys_large SELECT id, version FROM messages ORDER BY id;"
           "UPDATE store SET messages = %d; INSERT INTO sinks VALUES ('d1:db-test', %d)",
           1, n, n, n);
  t_sql_run("artifact.db", sql);
  for (int from = 1; from <= n; from += 100000) {
    int to = from + 99999 < n ? from + 99999 : n;
    json_decref(d1_sql("INSERT INTO messages (" COLUMNS ") " NUMBERS " SELECT " A_ROW " FROM n", from, to));
  }
}

static void key_of(char key[64], unsigned i) { snprintf(key, 64, "%08x%024x", i * 2654435761u, i); }

/* CONVKEEP_LONG=1: the million that issue 4 asks for, within 60 s and 100 requests. */
T_STORY(d1_verify, many_records_cost_few_requests, 300) {
  int n = t_long() ? 1000000 : 30000;
  int64_t most = t_long() ? 100 : 40;
  char program[4096], gone[64], first[64], second[64];
  d1_start();
  d1_schema(false);
  fill_both(n);
  t_daemon("store", NULL);
  t_daemon("syncd", NULL);
  int64_t before = d1_stat("requests");
  json_t *lines = t_lines(0, "sync", "verify");
  int64_t requests = d1_stat("requests") - before;
  t_note("%d records, nothing wrong: %lld requests, %lld ms", n, (long long)requests, (long long)said(lines, "ms"));
  T_CHECK(said(lines, "records") == n && said(lines, "requests") == requests, "it counts %lld records, %lld requests", (long long)said(lines, "records"),
          (long long)said(lines, "requests"));
  T_CHECK(requests <= 8 + n / 50000, "%lld requests where nothing is wrong", (long long)requests);
  json_decref(lines);
  key_of(gone, (unsigned)n / 3);
  key_of(first, (unsigned)n / 5);
  key_of(second, (unsigned)n / 7);
  json_decref(d1_sql(
      "DELETE FROM messages WHERE id = '%s'; UPDATE messages SET version = (SELECT sum(version) FROM messages WHERE id IN ('%s', '%s')) - version WHERE id IN ('%s', '%s');"
      "INSERT INTO messages (" COLUMNS ") SELECT 'by-hand', platform, role, raw_text, observed_at, static_path, created_at, version FROM messages LIMIT 1",
      gone, first, second, first, second));
  struct t_producer *p = t_producer("test");
  snprintf(program, sizeof program, "%s/bin/convkeep", t_build());
  before = d1_stat("requests");
  struct t_process *verify = t_start("verify", NULL, false, (const char *[]){program, "sync", "verify", "--json", NULL});
  /* 200 changes a second meanwhile. */
  for (int i = 0; !t_ended(verify); ++i) {
    d1_write(p, (int)t_random_below(300), 1, i);
    t_pause(40);
  }
  T_CHECK(t_wait_end(verify, 1) == 1, "what is wrong is not found");
  lines = t_read_lines(verify->out);
  T_CHECK(json_array_size(lines) == 5 && found(lines, "messages", gone, "missing") && found(lines, "messages", first, "other") &&
              found(lines, "messages", second, "other") && found(lines, "messages", "by-hand", "extra"),
          "%zu findings", json_array_size(lines) - 1);
  t_note("4 rows wrong, 200 changes a second: %lld requests, %lld ms, %lld under way at the end", (long long)said(lines, "requests"),
         (long long)said(lines, "ms"), (long long)said(lines, "under_way"));
  T_CHECK(said(lines, "requests") <= most && said(lines, "ms") <= 60000, "%lld requests, %lld ms", (long long)said(lines, "requests"),
          (long long)said(lines, "ms"));
  json_decref(lines);
  d1_stop();
}

T_STORY(d1_verify, it_tries_again_what_d1_does_not_answer, 60) {
  d1_start();
  d1_ring();
  d1_write(t_producer("test"), 1, 30, 0);
  d1_settle(10000);
  by_hand(true, "DELETE FROM messages WHERE id = 'm3-1'; UPDATE messages SET version = version + 5 WHERE id = 'm4-1'");
  d1_fault(
      "[{'status':500,'match':'0x0'},{'cut':'short','match':'0x0'},{'message':'Network connection lost.','match':'AS v'},{'message':'Network connection lost.','commit':true,'match':'SET version = 0'},{'status':429,'headers':{'retry-after':'1'},'match':'0x0'},"
      "{'message':'Exceeded its memory limit','match':'0x0'},{'cut':'half','match':'INSERT'}]");
  json_t *lines = t_lines(0, "sync", "repair");
  T_CHECK(said(lines, "missing") == 1 && said(lines, "other") == 1 && said(lines, "left") == 0, "what it found and mended is not all");
  json_decref(lines);
  d1_same(1000);
  d1_fault("{'status':403,'code':10000,'message':'Authentication error'}");
  t_do(1, "sync", "verify");
  d1_stop();
}

T_STORY(d1_verify, a_mirror_that_keeps_nothing_cannot_be_verified, 30) {
  t_set("sync.sink", "null");
  t_daemon("store", NULL);
  d1_write(t_producer("test"), 1, 1, 0);
  struct t_result r = t_convkeep("sync", "verify");
  T_CHECK(r.code == 1 && strstr(r.err, "null"), "it ended with %d: %s", r.code, r.err);
  t_result_free(&r);
}
