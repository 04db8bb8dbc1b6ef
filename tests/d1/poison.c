/* One bad row among a thousand is found with few requests and becomes a dead letter with its
 * reason; nothing else waits for it. */
#include "tests/d1/d1.h"

#include <stdio.h>
#include <string.h>

#define ROWS 1000
#define BAD 777
#define DELAY_MAX 5000 /* ms, of other changes */
#define REQUESTS_MAX 21

/* Writes one changeset of a thousand messages; the bad one says so in its text. */
static void write_thousand(struct t_producer *p, const char *prefix) {
  char row[200];
  for (int i = 0; i < ROWS; ++i) {
    snprintf(row, sizeof row,
             "{'id':'%s%d','platform':'p','role':'user','raw_text':'%s','observed_at':1}", prefix,
             i, i == BAD ? "bad" : "good");
    t_put(p, "messages", row);
  }
  T_CHECK(t_commit(p) == 'n', "they are refused: %s", t_refusal(p));
}

static void refuse_bad(void) {
  json_decref(d1_sql("%s", "CREATE TRIGGER bad BEFORE INSERT ON messages WHEN NEW.raw_text = 'bad' "
                           "BEGIN SELECT raise(ABORT, 'CHECK constraint failed: bad'); END"));
}

static int64_t dead(void) { return t_status_int(t_sync("dead_letters"), -1); }

static int64_t there(const char *prefix) {
  char sql[100];
  snprintf(sql, sizeof sql, "SELECT count(*) AS n FROM messages WHERE id LIKE '%s%%'", prefix);
  return d1_int(sql);
}

/* Writes one change at a time and waits for it, until the bad row is found. Returns the longest
 * time (ms) from a receipt until D1 had the change. */
static int64_t live_until_found(struct t_producer *p, int64_t wanted, int *changes) {
  int64_t most = 0;
  char sql[100];
  for (*changes = 0; dead() < wanted; ++*changes) {
    t_taken(p, 'n', "messages",
            "{'id':'live%d','platform':'p','role':'user','raw_text':'good','observed_at':1}",
            *changes);
    int64_t began = ck_boot_ms();
    snprintf(sql, sizeof sql, "SELECT count(*) AS n FROM messages WHERE id = 'live%d'", *changes);
    T_UNTIL(60000, d1_int(sql) == 1, "a change does not come to D1 while a bad row is looked for");
    if (ck_boot_ms() - began > most) most = ck_boot_ms() - began;
  }
  return most;
}

static void mended(struct t_producer *p) {
  /* Retried in vain, and then with success; the other one is replaced by a later version. */
  json_decref(t_lines(0, "sync", "retry", "a777"));
  mirror_settle(20000);
  T_CHECK(dead() == 2, "%lld dead letters after a retry in vain", (long long)dead());
  t_taken(p, 'u', "messages",
          "{'id':'b777','platform':'p','role':'user','raw_text':'good','observed_at':2}");
  mirror_settle(20000);
  T_CHECK(dead() == 1, "%lld dead letters after one's later version", (long long)dead());
  json_decref(d1_sql("DROP TRIGGER bad"));
  json_decref(t_lines(0, "sync", "retry", "a777"));
  d1_same(20000);
  T_CHECK(dead() == 0, "%lld dead letters are left", (long long)dead());
}

/* A bad row's requests come from the reserve, which is full again half a minute after the start, or
 * after the last bad row. */
static void await_reserve(void) {
  T_UNTIL(60000, t_status_int(t_sync("rate.left"), -1) >= REQUESTS_MAX + 4,
          "only %lld requests are left", (long long)t_status_int(t_sync("rate.left"), -1));
}

/* With Cloudflare's rate limit. */
T_STORY(d1_poison, one_bad_row_in_a_thousand_delays_nobody, 120) {
  d1_start();
  t_set("d1.rate", "1050");
  d1_schema();
  refuse_bad();
  t_daemon("store", NULL);
  t_daemon("syncd", NULL);
  struct t_producer *p = t_producer("test"), *other = t_producer("other");
  await_reserve();
  int64_t before = d1_stat("requests"), began = ck_boot_ms();
  write_thousand(p, "a");
  mirror_settle(30000);
  int64_t requests = d1_stat("requests") - before;
  t_note("alone: found in %lld requests, %lld ms", (long long)requests,
         (long long)(ck_boot_ms() - began));
  T_CHECK(dead() == 1 && there("a") == ROWS - 1, "%lld dead, %lld there", (long long)dead(),
          (long long)there("a"));
  T_CHECK(requests <= REQUESTS_MAX, "found in %lld requests", (long long)requests);
  json_t *letters = t_query("dead_letters", NULL, 10, 0);
  T_CHECK(strcmp(t_text_at(letters, "0.key"), "a777") == 0 &&
              strstr(t_text_at(letters, "0.reason"), "CHECK constraint failed: bad"),
          "it is %s: %s", t_text_at(letters, "0.key"), t_text_at(letters, "0.reason"));
  json_decref(letters);
  int changes;
  await_reserve();
  write_thousand(p, "b");
  began = ck_boot_ms();
  int64_t most = live_until_found(other, 2, &changes);
  t_note("with %d changes meanwhile: found after %lld ms, the slowest of them in D1 after %lld ms",
         changes, (long long)(ck_boot_ms() - began), (long long)most);
  T_CHECK(changes >= 1, "no change meanwhile");
  T_CHECK(most <= DELAY_MAX, "a change took %lld ms", (long long)most);
  mended(p);
  d1_stop();
}
