/* Which messages of a followed file are live: those that were written while it was followed,
 * however often they are read, and whoever reads them. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "proto/clock.h"
#include "test_ingest_watch.h"

#define LOG "-x/a.jsonl"
#define ROUNDS 40

static struct wr_rig r;

static void setup(void) { wr_open(&r); }
static void teardown(void) { wr_close(&r); }

TestSuite(watch_live, .init = setup, .fini = teardown, .timeout = 120);

/* ---- lines ---- */

/* A line of somebody, so many milliseconds from now. */
static void say(const char *name, const char *role, const char *id, int64_t from_now) {
  char at[CK_TIME_TEXT];
  ck_time_text(at, ck_now_ms() + from_now);
  char *text =
      ck_sprintf("{\"type\":\"%s\",\"uuid\":\"%s\",\"sessionId\":\"S\",\"timestamp\":\"%s\","
                 "\"message\":{\"role\":\"%s\",\"id\":\"m-%s\",\"content\":[{\"type\":"
                 "\"text\",\"text\":\"%s\"}]}}\n",
                 role, id, at, role, id, id);
  wr_append(&r, name, ck_str_of(text));
  free(text);
}

/* The message is live: 1; 0: it is not; -1: it is not there. */
static int64_t live(const char *id) {
  char *sql = ck_sprintf("SELECT coalesce(max(live), -1) FROM messages WHERE id = '%s'", id);
  int64_t n = sh_int(&r.store, sql);
  free(sql);
  return n;
}

/* ---- one file ---- */

Test(watch_live, what_was_there_is_history_and_what_comes_is_live) {
  say(LOG, "user", "u1", -1000);
  wr_start(&r);
  wr_settle(&r);
  say(LOG, "assistant", "a1", -1000);
  wr_settle(&r);
  cr_expect_eq(live("u1"), 0);
  cr_expect_eq(live("a1"), 1);
  wr_import(&r, LOG);
  cr_expect_eq(live("u1"), 0);
  cr_expect_eq(live("a1"), 1);
}

Test(watch_live, what_was_written_while_nobody_looked) {
  say(LOG, "user", "u1", -1000);
  wr_start(&r);
  wr_settle(&r);
  wr_kill(&r);
  say(LOG, "assistant", "a1", -1000);
  wr_start(&r);
  wr_settle(&r);
  cr_expect_eq(live("u1"), 0);
  cr_expect_eq(live("a1"), 1);
}

Test(watch_live, an_import_comes_first) {
  say(LOG, "user", "u1", -1000);
  wr_start(&r);
  wr_settle(&r);
  say(LOG, "assistant", "a1", -1000);
  wr_import(&r, LOG);
  wr_settle(&r);
  cr_expect_eq(live("a1"), 0);
}

/* Also if nothing of it was read before it ended. */
Test(watch_live, a_file_that_is_made) {
  wr_start(&r);
  wr_settle(&r);
  say(LOG, "user", "old", -86400000);
  say(LOG, "user", "u1", -1000);
  wr_step(&r);
  wr_kill(&r);
  say(LOG, "assistant", "a1", -1000);
  wr_start(&r);
  wr_settle(&r);
  cr_expect_eq(live("old"), 0, "what was said before the file was made is a copy");
  cr_expect_eq(live("u1"), 1);
  cr_expect_eq(live("a1"), 1);
}

/* All of it before the watch hears of any. */
Test(watch_live, a_file_in_a_folder_that_is_made_and_gets_its_mode) {
  wr_start(&r);
  wr_settle(&r);
  char *folder = ck_sprintf("%s/-new", r.folder);
  cr_assert(mkdir(folder, 0777) == 0 && chmod(folder, 0700) == 0);
  free(folder);
  say("-new/b.jsonl", "assistant", "a1", -1000);
  wr_settle(&r);
  cr_expect_eq(live("a1"), 1);
}

Test(watch_live, a_file_that_comes_while_nobody_looks) {
  wr_start(&r);
  wr_settle(&r);
  wr_kill(&r);
  say(LOG, "user", "u1", -1000);
  wr_start(&r);
  wr_settle(&r);
  say(LOG, "assistant", "a1", -1000);
  wr_settle(&r);
  cr_expect_eq(live("u1"), 0);
  cr_expect_eq(live("a1"), 1);
}

Test(watch_live, a_file_that_moves_goes_on) {
  say(LOG, "user", "u1", -1000);
  wr_start(&r);
  wr_settle(&r);
  wr_rename(&r, LOG, "-y/b.jsonl");
  say("-y/b.jsonl", "assistant", "a1", -1000);
  wr_settle(&r);
  cr_expect_eq(live("u1"), 0);
  cr_expect_eq(live("a1"), 1);
}

Test(watch_live, another_file_of_its_name) {
  say(LOG, "user", "u1", -1000);
  wr_start(&r);
  wr_settle(&r);
  say("-x/new", "user", "u2", -1000);
  say("-x/new", "assistant", "a2", -1000);
  wr_rename(&r, "-x/new", LOG);
  wr_settle(&r);
  say(LOG, "assistant", "a3", -1000);
  wr_settle(&r);
  cr_expect_eq(live("u2"), 0);
  cr_expect_eq(live("a2"), 0);
  cr_expect_eq(live("a3"), 1);
}

/* The line was being written when the file was read. */
Test(watch_live, half_a_line) {
  struct ck_str whole = wr_log(0);
  const char *end = memchr(whole.s, '\n', whole.n);
  size_t first = (size_t)(end + 1 - whole.s), half = first + 100;
  wr_write(&r, LOG, wr_log_part(0, 0, half));
  wr_start(&r);
  wr_settle(&r);
  int64_t n = sh_int(&r.store, "SELECT count(*) FROM messages");
  wr_append(&r, LOG, wr_log_part(0, half, whole.n));
  wr_settle(&r);
  cr_expect_eq(sh_int(&r.store, "SELECT count(*) FROM messages WHERE live = 0"), n);
  cr_expect_gt(sh_int(&r.store, "SELECT count(*) FROM messages WHERE live = 1"), 0);
}

Test(watch_live, a_compressed_file_is_history) {
  say("-x/t.jsonl", "user", "u1", -1000);
  wr_start(&r);
  wr_settle(&r);
  struct ck_buf packed = wr_packed(wr_log(0));
  wr_write(&r, "-x/p.jsonl.zst", ck_buf_view(&packed));
  wr_settle(&r);
  cr_expect_gt(sh_int(&r.store, "SELECT count(*) FROM messages"), 1);
  cr_expect_eq(sh_int(&r.store, "SELECT sum(live) FROM messages"), 0);
  ck_buf_free(&packed);
}

/* ---- any order of what may happen ---- */

static unsigned seed;
static size_t below(size_t n) {
  seed = seed * 1664525 + 1013904223;
  return (seed >> 8) % n;
}

static void run(const char *sql) {
  cr_assert_eq(sqlite3_exec(r.store.db, sql, NULL, NULL, NULL), SQLITE_OK, "%s", sql);
}

/* What is there for the first time came so. */
static void came(int is_live) {
  char *sql = ck_sprintf("INSERT OR IGNORE INTO told SELECT id, %d FROM messages", is_live);
  run(sql);
  free(sql);
}

static void check(const char *when) {
  int64_t wrong = sh_int(
      &r.store, "SELECT count(*) FROM messages m JOIN told t ON t.id = m.id AND t.live <> m.live");
  cr_assert_eq(wrong, 0, "seed %u: %lld messages after %s", seed, (long long)wrong, when);
}

static void restart(void) {
  wr_kill(&r);
  wr_start(&r);
}

static void play(void) {
  size_t n = wr_log(0).n, at = below(n);
  wr_write(&r, LOG, wr_log_part(0, 0, at));
  run("CREATE TEMP TABLE told (id PRIMARY KEY, live)");
  wr_start(&r);
  wr_settle(&r);
  came(0);
  while (at < n) {
    size_t to = at + 1 + below(3000);
    if (to > n) to = n;
    size_t how = below(5);
    if (how == 0) wr_kill(&r);
    wr_append(&r, LOG, wr_log_part(0, at, to));
    if (how == 0) wr_start(&r);
    if (how == 1) wr_import(&r, LOG);
    if (how == 1) came(0);
    if (how == 2) wr_step(&r);
    if (how == 2) restart();
    if (how == 3) wr_rename(&r, LOG, "-x/moving.jsonl");
    wr_settle(&r);
    if (how == 3) wr_rename(&r, "-x/moving.jsonl", LOG);
    if (how == 4) wr_import(&r, LOG);
    came(1);
    check("an append");
    at = to;
  }
  wr_settle(&r);
  came(1);
  check("all");
  wr_same(&r, "any order", seed);
  wr_import(&r, LOG);
  check("another import");
  wr_same(&r, "and an import", seed);
}

Test(watch_live, the_rows_of_an_import_and_live_what_was_seen) {
  wr_expect(&r, 1);
  for (unsigned i = 1; i <= ROUNDS; ++i) {
    seed = i;
    play();
    wr_again(&r);
  }
}
