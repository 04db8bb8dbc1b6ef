/* sync verify and repair: changes that a person made to a mirror are found, all of them and nothing
 * else, and repaired. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/lock.h"
#include "tests/mirror/stories.h"

/* run/sync-WHAT-SINK, and `end`. */
static const char *beside(const char *what, const char *end) {
  static char path[64];
  snprintf(path, sizeof path, "run/sync-%s-%s%s", what,
           ck_set_word(t_settings(), CK_SET_SYNC_SINKS, 0), end);
  return path;
}

static const struct {
  const char *table, *key, *how, *sql;
} done_by_hand[] = {
    {"messages", "m3-1", "missing", "DELETE FROM messages WHERE id = 'm3-1'"},
    {"messages", "m4-1", "other", "UPDATE messages SET version = version - 1 WHERE id = 'm4-1'"},
    {"messages", "m5-1", "other",
     "UPDATE messages SET version = version + 1000000 WHERE id = 'm5-1'"},
    {"messages", "m6-1", "other",
     "UPDATE messages SET version = 9223372036854775807 WHERE id = 'm6-1'"},
    {"messages", "by-hand", "extra",
     "INSERT INTO messages (id, platform, role, raw_text, observed_at, static_path, created_at)"
     " VALUES ('by-hand', 'p', 'user', '', 1, 'x', 1)"},
    /* Neither the count nor the sum of the versions shows these: */
    {"executions", "e9", "missing",
     "UPDATE executions SET instruction_id = 'e9x' WHERE instruction_id = 'e9'"},
    {"executions", "e9x", "extra", ""},
    {"sessions", "s7", "other",
     "UPDATE sessions SET version ="
     " (SELECT sum(version) FROM sessions WHERE id IN ('s7', 's8')) - version"
     " WHERE id IN ('s7', 's8')"},
    {"sessions", "s8", "other", ""},
    {"conversation_links", "l11", "missing",
     "DELETE FROM conversation_links WHERE link_id IN ('l11', 'l12')"},
    {"conversation_links", "l12", "missing", ""},
    {"local_conversations", "c120", "missing",
     "DELETE FROM local_conversations WHERE local_conversation_id = 'c120'"},
};
#define BY_HAND (sizeof done_by_hand / sizeof *done_by_hand)

static void nothing_wrong(void) {
  json_t *lines = t_lines(0, "sync", "verify");
  T_CHECK(json_array_size(lines) == 1, "%zu findings where nothing is wrong",
          json_array_size(lines) - 1);
  json_decref(lines);
}

void story_what_was_done_by_hand_is_found_and_mended(const struct mirror *m) {
  mirror_ring(m);
  struct t_producer *p = t_producer("test");
  mirror_write(p, 1, 120, 0);
  mirror_settle(10000);
  nothing_wrong();
  for (size_t i = 0; i < BY_HAND; ++i)
    if (*done_by_hand[i].sql) m->sql(done_by_hand[i].sql);
  json_t *lines = t_lines(1, "sync", "verify");
  for (size_t i = 0; i < BY_HAND; ++i)
    T_CHECK(mirror_found(lines, done_by_hand[i].table, done_by_hand[i].key, done_by_hand[i].how),
            "%s is not found as %s", done_by_hand[i].key, done_by_hand[i].how);
  T_CHECK(json_array_size(lines) == BY_HAND + 1, "%zu findings", json_array_size(lines) - 1);
  json_decref(lines);
  int64_t before = m->written ? m->written() : 0;
  lines = t_lines(0, "sync", "repair");
  T_CHECK(mirror_said(lines, "left") == 0 && mirror_said(lines, "written") == (int64_t)BY_HAND,
          "%lld written, %lld left", (long long)mirror_said(lines, "written"),
          (long long)mirror_said(lines, "left"));
  json_decref(lines);
  if (m->written) {
    int64_t written = m->written() - before;
    T_CHECK(written >= (int64_t)BY_HAND && written <= 3 * (int64_t)BY_HAND,
            "%lld rows written for %zu that differ", (long long)written, BY_HAND);
  }
  mirror_same(m, 10000);
  nothing_wrong();
  mirror_stop(m);
}

/* ---- every column ---- */

void story_one_changed_byte_is_found_by_deep(const struct mirror *m) {
  mirror_ring(m);
  struct t_producer *p = t_producer("test");
  mirror_write(p, 1, 60, 0);
  mirror_settle(10000);
  m->sql("UPDATE messages SET raw_text = replace(raw_text, 'text', 'texT') WHERE id = 'm7-2'");
  m->sql("UPDATE renewal_jobs SET next_attempt_at = next_attempt_at - 1 WHERE job_id = 'j30'");
  m->sql("UPDATE local_conversations SET summary = '' WHERE local_conversation_id = 'c4'");
  nothing_wrong();
  json_t *lines = t_lines(1, "sync", "verify", "--deep");
  T_CHECK(mirror_found(lines, "messages", "m7-2", "different"), "one changed byte is not found");
  T_CHECK(mirror_found(lines, "renewal_jobs", "j30", "different"),
          "a number beyond 2^53 that is one less is not found");
  T_CHECK(mirror_found(lines, "local_conversations", "c4", "different"),
          "an empty text in the place of NULL is not found");
  T_CHECK(json_array_size(lines) == 4, "%zu findings", json_array_size(lines) - 1);
  json_decref(lines);
  json_decref(t_lines(0, "sync", "repair", "--deep"));
  mirror_same(m, 10000);
  mirror_stop(m);
}

void story_an_interrupted_deep_goes_on_where_it_was(const struct mirror *m) {
  mirror_ring(m);
  mirror_write(t_producer("test"), 1, 60, 0);
  mirror_settle(10000);
  m->sql("UPDATE messages SET summary = 'x' WHERE id = 'm7-2'; UPDATE renewal_jobs SET payload = "
         "'x' WHERE job_id = 'j30'");
  m->hold("sessions");
  struct t_process *first = mirror_task("verify", "--deep");
  T_UNTIL(10000, m->holds(), "it does not come to the sessions");
  t_signal(first, SIGKILL);
  t_wait_end(first, 20000);
  m->release();
  T_CHECK(t_said(first, "m7-2"), "what comes before the interruption is said");
  json_t *lines = t_lines(1, "sync", "verify", "--deep");
  T_CHECK(!mirror_found(lines, "messages", "m7-2", "different") &&
              mirror_found(lines, "renewal_jobs", "j30", "different"),
          "it does not go on where it was");
  T_CHECK(mirror_said(lines, "different") == 2, "what was found before counts too");
  T_CHECK(!t_exists(beside("deep", ".json")), "its note is left");
  json_decref(lines);
  mirror_stop(m);
}

/* ---- while both are written to ---- */

/* Changes conversations; each change is a row in all six tables. */
static void write_while(struct t_producer *p, struct t_process *verify) {
  for (int i = 0; !t_ended(verify); ++i) {
    mirror_write(p, 1 + (int)t_random_below(400), 1, i);
    t_pause(5);
  }
}

void story_what_is_under_way_is_no_finding(const struct mirror *m) {
  mirror_ring(m);
  struct t_producer *p = t_producer("test");
  mirror_write(p, 1, 400, 0);
  mirror_settle(20000);
  m->slow(40);
  for (int round = 0; round < (t_long() ? 50 : 2); ++round) {
    struct t_process *verify = mirror_task("verify", round % 2 ? "--deep" : NULL);
    write_while(p, verify);
    char *text = t_read_file(verify->out, NULL);
    T_CHECK(t_wait_end(verify, 1) == 0, "a false alarm: %.600s", text);
    free(text);
  }
  /* Real differences are found nevertheless. */
  mirror_write(p, 401, 1, 0);
  mirror_settle(10000);
  m->sql("DELETE FROM messages WHERE id = 'm401-0'; UPDATE sessions SET version = 1 WHERE id = "
         "'s401'");
  struct t_process *verify = mirror_task("verify", NULL);
  write_while(p, verify);
  T_CHECK(t_wait_end(verify, 1) == 1 && t_said(verify, "m401-0") && t_said(verify, "s401"),
          "it is not found");
  m->slow(0);
  mirror_stop(m);
}

/* ---- what it costs ---- */

/* The same rows on both sides: version i for the i-th, keys in random order. */
static void fill_both(const struct mirror *m, int n) {
  char sql[2000];
  t_daemon("store", NULL);
  t_down();
  snprintf(sql, sizeof sql,
           "INSERT INTO messages (" MIRROR_FILLED_COLUMNS
           ", live) WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)"
           " SELECT " MIRROR_FILLED_IN_SQLITE ", 1 FROM n;"
           "INSERT INTO message_keys_sorted SELECT 0, id, version FROM messages ORDER BY id;"
           "UPDATE store SET messages = %d; INSERT INTO sinks (name, cursor) VALUES ('%s', %d)",
           n, n, m->place(), n);
  t_sql_run("artifact.db", sql);
  m->fill(n);
}

static void key_of(char key[64], unsigned i) { snprintf(key, 64, "%08x%024x", i * 2654435761u, i); }

/* Verifies two equal sides, and holds what it says against what the mirror counted. */
static void verify_equal_sides(const struct mirror *m, int n) {
  T_UNTIL(20000, mirror_fits(), "no worker has read the witness");
  int64_t before = m->requests ? m->requests() : 0;
  json_t *lines = t_lines(0, "sync", "verify");
  int64_t requests = mirror_said(lines, "requests");
  if (m->requests)
    T_CHECK(m->requests() - before == requests, "%lld requests came, %lld are said",
            (long long)(m->requests() - before), (long long)requests);
  t_note("%d records, nothing wrong: %lld requests, %lld ms", n, (long long)requests,
         (long long)mirror_said(lines, "ms"));
  T_CHECK(mirror_said(lines, "records") == n, "it counts %lld records",
          (long long)mirror_said(lines, "records"));
  T_CHECK(requests > 0 && requests <= 8 + n / 50000, "%lld requests where nothing is wrong",
          (long long)requests);
  json_decref(lines);
}

/* Four rows of the mirror that are wrong: one gone, two with each other's versions, one extra. */
struct wrong {
  char gone[64], first[64], second[64];
};

static void make_wrong(const struct mirror *m, int n, struct wrong *w) {
  char sql[1000];
  key_of(w->gone, (unsigned)n / 3);
  key_of(w->first, (unsigned)n / 5);
  key_of(w->second, (unsigned)n / 7);
  snprintf(sql, sizeof sql,
           "DELETE FROM messages WHERE id = '%s';"
           "UPDATE messages SET version ="
           " (SELECT sum(version) FROM messages WHERE id IN ('%s', '%s')) - version"
           " WHERE id IN ('%s', '%s');"
           "INSERT INTO messages (" MIRROR_FILLED_COLUMNS ")"
           " SELECT 'by-hand', platform, role, raw_text, observed_at, static_path, created_at,"
           " version FROM messages LIMIT 1",
           w->gone, w->first, w->second, w->first, w->second);
  m->sql(sql);
}

static void check_found(const char *out, const struct wrong *w) {
  int64_t most = t_long() ? 100 : 40;
  json_t *lines = t_read_lines(out);
  T_CHECK(json_array_size(lines) == 5 && mirror_found(lines, "messages", w->gone, "missing") &&
              mirror_found(lines, "messages", w->first, "other") &&
              mirror_found(lines, "messages", w->second, "other") &&
              mirror_found(lines, "messages", "by-hand", "extra"),
          "%zu findings", json_array_size(lines) - 1);
  t_note("4 rows wrong, 200 changes a second: %lld requests, %lld ms, %lld under way at the end",
         (long long)mirror_said(lines, "requests"), (long long)mirror_said(lines, "ms"),
         (long long)mirror_said(lines, "under_way"));
  T_CHECK(mirror_said(lines, "requests") <= most && mirror_said(lines, "ms") <= 60000,
          "%lld requests, %lld ms", (long long)mirror_said(lines, "requests"),
          (long long)mirror_said(lines, "ms"));
  json_decref(lines);
}

void story_many_records_cost_few_requests(const struct mirror *m) {
  int n = t_long() ? 1000000 : 30000;
  struct wrong wrong;
  mirror_start(m);
  mirror_schema(m);
  fill_both(m, n);
  t_daemon("store", NULL);
  t_daemon("syncd", NULL);
  verify_equal_sides(m, n);
  make_wrong(m, n, &wrong);
  struct t_producer *p = t_producer("test");
  struct t_process *verify = mirror_task("verify", NULL);
  /* 200 changes a second meanwhile. */
  for (int i = 0; !t_ended(verify); ++i) {
    mirror_write(p, (int)t_random_below(300), 1, i);
    t_pause(40);
  }
  T_CHECK(t_wait_end(verify, 1) == 1, "what is wrong is not found");
  check_found(verify->out, &wrong);
  mirror_stop(m);
}

/* ---- every column of many ---- */

static int64_t noted(void) {
  json_t *note = json_load_file(beside("deep", ".json"), 0, NULL);
  int64_t done = t_int_at(note, "done", 0);
  json_decref(note);
  return done;
}

/* Changes a byte in the record with the last key, beyond the place where a run is killed. */
static void change_a_byte(const struct mirror *m, int n, char key[64]) {
  char sql[300];
  unsigned last = 1;
  for (unsigned i = 1; i <= (unsigned)n; ++i)
    if (i * 2654435761u > last * 2654435761u) last = i;
  key_of(key, last);
  snprintf(sql, sizeof sql,
           "UPDATE messages SET raw_text ="
           " substr(raw_text, 1, 200) || 'y' || substr(raw_text, 202) WHERE id = '%s'",
           key);
  m->sql(sql);
  T_CHECK(m->number("SELECT count(*) AS n FROM messages"
                    " WHERE raw_text LIKE '%y%' AND length(raw_text) = 400") == 1,
          "no byte was changed");
}

static int64_t deep_finds(const char *key, int64_t *ms) {
  struct t_process *verify = mirror_task("verify", "--deep");
  T_CHECK(t_wait_end(verify, 300000) == 1, "what is wrong is not found");
  json_t *lines = t_read_lines(verify->out);
  int64_t requests = mirror_said(lines, "requests");
  *ms = mirror_said(lines, "ms");
  T_CHECK(mirror_found(lines, "messages", key, "different") && json_array_size(lines) == 2,
          "the changed byte is not found, or more than that");
  json_decref(lines);
  return requests;
}

void story_one_changed_byte_among_many(const struct mirror *m) {
  int n = t_long() ? 1000000 : 20000;
  char key[64];
  mirror_start(m);
  mirror_schema(m);
  fill_both(m, n);
  t_daemon("store", NULL);
  t_daemon("syncd", NULL);
  change_a_byte(m, n, key);
  struct t_process *first = mirror_task("verify", "--deep");
  T_UNTIL(300000, noted() >= n / 2 || t_ended(first), "it does not get to the middle");
  t_signal(first, SIGKILL);
  t_wait_end(first, 20000);
  int64_t done = noted(), ms;
  T_CHECK(done >= n / 2 && done < n, "it was not killed in the middle: %lld", (long long)done);
  int64_t rest = deep_finds(key, &ms), all = deep_finds(key, &ms);
  t_note("%d records: %lld requests, %lld ms; from %lld on, where a run was killed, %lld requests",
         n, (long long)all, (long long)ms, (long long)done, (long long)rest);
  T_CHECK(rest < all, "it did not continue, but started over");
  T_CHECK(t_wait_end(mirror_task("repair", "--deep"), 300000) == 0, "the repair leaves something");
  T_CHECK(m->number("SELECT count(*) AS n FROM messages WHERE raw_text LIKE '%y%'") == 0,
          "it is not repaired");
  mirror_stop(m);
}

/* What the store asks for at night may take longer than until it asks another worker. */
void story_one_comparison_at_a_time(const struct mirror *m) {
  struct ck_lock lock = {.fd = -1};
  struct ck_err err;
  mirror_ring(m);
  mirror_write(t_producer("test"), 1, 5, 0);
  mirror_same(m, 10000);
  T_CHECK(ck_lock_file(&lock, beside("verify", ".lock"), &err) == 0, "%s", err.text);
  t_says(1, "another comparison is under way", "sync", "verify");
  t_says(1, "another comparison is under way", "sync", "repair");
  ck_lock_end(&lock);
  T_CHECK(ck_lock_file(&lock, beside("deep", ".lock"), &err) == 0, "%s", err.text);
  t_says(1, "another comparison of every column is under way", "sync", "verify", "--deep");
  t_do(0, "sync", "verify");
  ck_lock_end(&lock);
  mirror_stop(m);
}
