/* See test_ingest_watch.h. */
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include "proto/clock.h"
#include "proto/file.h"
#include "proto/map.h"
#include "test_ingest_collect.h"
#include "test_ingest_watch.h"

#define SPOOL "watch-spool"
#define TURN_MS 50
#define REST_MS 30000           /* all work comes sooner */
#define STORE_NOW 1793000000000 /* 2026-10-26: after the lines of the samples */

/* ---- the clock ---- */

static int64_t began, passed;

static int64_t wall(void) { return began + passed; }
static int64_t boot(void) { return 1000000 + passed; }

/* ---- the store's side ---- */

static void on_receipt(void *self, uint64_t number, char result, struct ck_str reason,
                       const struct ck_counts *counts) {
  ingest_readings_receipt(&((struct wr_rig *)self)->readings, number, result, reason, counts);
}

static void on_renumbered(void *self, uint64_t from, uint64_t by) {
  ingest_readings_renumbered(&((struct wr_rig *)self)->readings, from, by);
}

static void apply(struct wr_rig *r, uint64_t number) {
  struct ck_unacked unacked = ingest_spool_unacked(r->spool);
  struct ck_str changeset;
  struct ck_mutation m;
  uint32_t n;
  cr_assert(ingest_spool_get(r->spool, number, &changeset));
  struct ck_reader reader = ck_reader_of(changeset);
  cr_assert_eq(ck_read_array(&reader, &n), 0);
  for (; n; --n) {
    cr_assert_eq(ck_mutation_decode(&m, &reader, NULL), 0);
    sh_mutate(&r->store, &m);
  }
  char letter = sh_apply(&r->store);
  cr_assert_neq(letter, 'r', "%s", r->store.reason.text);
  cr_assert_eq(sh_commit(&r->store), 0, "%s", r->store.reason.text);
  unacked.receipt(unacked.self, number, letter, (struct ck_str){0});
  ++r->taken;
}

static void give(struct wr_rig *r) {
  cr_assert(ingest_accept_sync(&r->acceptor));
  for (; !r->away && r->next <= ingest_spool_durable(r->spool); ++r->next) apply(r, r->next);
}

/* It has none of the originals. */
static void answer(struct wr_rig *r) {
  for (struct ingest_reading *one = r->readings.head; one; one = one->next)
    if (one->question) ingest_readings_had(&r->readings, one->question, (struct ck_str){0});
}

/* ---- ingest's side ---- */

static void open_spool(struct wr_rig *r) {
  const struct ingest_spool_ops ops = {r, on_receipt, on_renumbered};
  struct ck_err err;
  mkdir(SPOOL, 0700);
  mkdir("run", 0700);
  r->spool = ingest_spool_open(SPOOL, &ops, &err);
  cr_assert(r->spool, "%s", err.text);
  ingest_accept_init(&r->acceptor, r->spool, SPOOL);
  r->readings = (struct ingest_readings){.acceptor = &r->acceptor};
  r->lookup = ingest_lookup_new(r->settings, &err);
  cr_assert(r->lookup, "%s", err.text);
  r->next = 1;
}

static void close_spool(struct wr_rig *r) {
  wr_kill(r);
  ingest_readings_end(&r->readings);
  ingest_lookup_free(&r->lookup);
  ingest_accept_free(&r->acceptor);
  ingest_spool_close(&r->spool);
}

void wr_start(struct wr_rig *r) {
  const struct ck_watched list = {(char[]){"it"}, r->folder, true};
  r->watch = ingest_watch_new(&r->readings, SPOOL);
  ingest_watch_follow(r->watch, &list, 1);
}

void wr_kill(struct wr_rig *r) { ingest_watch_free(&r->watch); }

void wr_step(struct wr_rig *r) {
  passed += TURN_MS;
  answer(r);
  ingest_watch_step(r->watch, r->store_id, r->away ? NULL : r->lookup, true);
  give(r);
}

static bool has_events(const struct wr_rig *r) {
  struct pollfd fd = {ingest_watch_fd(r->watch), POLLIN, 0};
  return poll(&fd, 1, 0) > 0;
}

static bool is_waiting(const struct wr_rig *r) {
  for (const struct ingest_reading *one = r->readings.head; one; one = one->next)
    if (one->question || !ingest_reading_receipted(one)) return true;
  return false;
}

void wr_settle(struct wr_rig *r) {
  unsigned turns = 0, quiet = 0;
  while (quiet < 2) {
    cr_assert_lt(++turns, 100000u, "it has never done");
    wr_step(r);
    int64_t until = ingest_watch_until(r->watch);
    bool rests = until - boot() > REST_MS && !has_events(r) && !is_waiting(r);
    if (!rests && until != INT64_MAX && until > boot()) passed += until - boot();
    quiet = rests ? quiet + 1 : 0;
  }
}

/* ---- the life of it ---- */

static const char *const sources[WR_LOGS] = {"/tests/golden/sources/claude-code-session.jsonl",
                                             "/tests/golden/sources/claude-code-agent.jsonl",
                                             "/tests/golden/sources/claude-code-fork.jsonl"};
static struct ck_buf logs[WR_LOGS];

/* Before the test has a folder of its own. */
static void load_logs(void) {
  for (size_t i = 0; i < WR_LOGS; ++i)
    if (!logs[i].len) cr_assert(load_own(&logs[i], sources[i]), "%s", sources[i]);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw) {
  (void)st, (void)type, (void)ftw;
  return remove(path);
}

static void make_home(struct wr_rig *r) { cr_assert_eq(mkdir(r->folder, 0700), 0); }
static void empty_home(struct wr_rig *r) { nftw(r->folder, remove_one, 8, FTW_DEPTH | FTW_PHYS); }

void wr_open(struct wr_rig *r) {
  struct ck_err err;
  load_logs();
  began = ck_now_ms();
  ck_clock_replace(wall, boot);
  *r = (struct wr_rig){.home = "/tmp/ckwatch.XXXXXX", .store_id = (char[]){"store-1"}};
  cr_assert(mkdtemp(r->home));
  r->folder = ck_sprintf("%s/projects", r->home);
  r->settings = ck_settings_load(NULL, &err);
  cr_assert(r->settings, "%s", err.text);
  r->store_id = ck_strdup("store-1");
  make_home(r);
  sh_open(&r->store);
  r->store.now = STORE_NOW;
  r->store.has_clocks = true;
  open_spool(r);
}

void wr_again(struct wr_rig *r) {
  close_spool(r);
  sh_close(&r->store);
  empty_home(r);
  make_home(r);
  r->away = false;
  r->taken = 0;
  sh_open(&r->store);
  r->store.now = STORE_NOW;
  r->store.has_clocks = true;
  open_spool(r);
}

void wr_close(struct wr_rig *r) {
  close_spool(r);
  sh_close(&r->store);
  empty_home(r);
  cr_expect_eq(rmdir(r->home), 0);
  ck_settings_free(&r->settings);
  free(r->store_id);
  free(r->folder);
}

void wr_import(struct wr_rig *r, const char *name) {
  char *path = wr_path(r, name);
  struct ck_buf all = {0};
  struct ingest_reading *one = ingest_reading_new(&r->readings, ck_str_of(path), false, 0);
  cr_assert_eq(ck_read_file(AT_FDCWD, path, 0, SIZE_MAX, &all, NULL), 0);
  ingest_reader_feed(one->reader, all.data, all.len);
  ingest_reader_end(one->reader);
  ingest_reading_go(one, NULL);
  ingest_blocks_flush(&one->blocks);
  give(r);
  ingest_reading_free(&one);
  ck_buf_free(&all);
  free(path);
}

/* ---- files ---- */

char *wr_path(struct wr_rig *r, const char *name) {
  char *path = ck_sprintf("%s/%s", r->folder, name);
  for (char *at = path + strlen(r->folder) + 1; (at = strchr(at, '/')); *at++ = '/') {
    *at = '\0';
    mkdir(path, 0700);
  }
  return path;
}

static void put(struct wr_rig *r, const char *name, struct ck_str bytes, int flags) {
  char *path = wr_path(r, name);
  int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0600);
  cr_assert(fd >= 0 && ck_write_all(fd, bytes) == 0 && close(fd) == 0, "%s", path);
  free(path);
}

void wr_write(struct wr_rig *r, const char *name, struct ck_str bytes) {
  put(r, name, bytes, O_TRUNC);
}
void wr_append(struct wr_rig *r, const char *name, struct ck_str bytes) {
  put(r, name, bytes, O_APPEND);
}

void wr_rename(struct wr_rig *r, const char *from, const char *to) {
  char *a = wr_path(r, from), *b = wr_path(r, to);
  cr_assert_eq(rename(a, b), 0, "%s", a);
  free(a);
  free(b);
}

void wr_remove(struct wr_rig *r, const char *name) {
  char *path = wr_path(r, name);
  cr_assert_eq(remove(path), 0, "%s", path);
  free(path);
}

struct ck_buf wr_packed(struct ck_str bytes) {
  struct ck_buf out = {0};
  size_t room = ZSTD_compressBound(bytes.n);
  size_t n = ZSTD_compress(ck_buf_room(&out, room), room, bytes.s, bytes.n, 3);
  cr_assert(!ZSTD_isError(n));
  out.len = n;
  return out;
}

/* ---- the logs, and what an import of them gives ---- */

const char *const wr_log_names[] = {"-x/a.jsonl", "-x/a/subagents/agent-1.jsonl", "-x/c.jsonl"};

static struct ck_buf expected, got;

struct ck_str wr_log(size_t i) {
  return ck_buf_view(&logs[i]);
}

struct ck_str wr_log_part(size_t i, size_t from, size_t to) {
  return (struct ck_str){wr_log(i).s + from, to - from};
}

void wr_expect_this(struct wr_rig *r) { sh_dump_said(&r->store, &expected); }

void wr_expect(struct wr_rig *r, size_t n) {
  for (size_t i = 0; i < n; ++i) {
    wr_write(r, wr_log_names[i], wr_log(i));
    wr_import(r, wr_log_names[i]);
  }
  wr_expect_this(r);
  wr_again(r);
}

bool wr_has_expected(struct wr_rig *r) {
  sh_dump_said(&r->store, &got);
  return ck_str_eq(ck_buf_view(&got), ck_buf_view(&expected));
}

void wr_same(struct wr_rig *r, const char *how, uint64_t at) {
  if (wr_has_expected(r)) return;
  size_t i = 0;
  while (i < got.len && i < expected.len && got.data[i] == expected.data[i]) ++i;
  size_t from = i > 300 ? i - 300 : 0;
  cr_assert(false, "%s (%llu):\n%.*s\ninstead of:\n%.*s", how, (unsigned long long)at, 600,
            got.data + from, 600, expected.data + from);
}

void wr_rests(struct wr_rig *r, const char *how) {
  uint64_t before = r->taken;
  wr_settle(r);
  cr_expect_eq(r->taken, before, "%s: %llu changesets", how,
               (unsigned long long)(r->taken - before));
}

/* ---- what is said of it ---- */

static struct ck_str info(struct wr_rig *r, struct ck_buf *b) {
  struct ck_reader reader;
  struct ck_str map;
  uint32_t n;
  ingest_watch_encode(b, r->watch);
  reader = ck_reader_of(ck_buf_view(b));
  cr_assert(ck_read_array(&reader, &n) == 0 && n == 1);
  cr_assert_eq(ck_read_raw(&reader, &map), 0);
  return map;
}

int64_t wr_says(struct wr_rig *r, const char *member) {
  struct ck_buf b = {0};
  int64_t v = ck_map_int(info(r, &b), member, -1);
  ck_buf_free(&b);
  return v;
}

const char *wr_text(struct wr_rig *r, const char *member) {
  static char text[400];
  struct ck_buf b = {0};
  struct ck_str said = ck_map_str(info(r, &b), member);
  snprintf(text, sizeof text, "%.*s", (int)said.n, said.n ? said.s : "");
  ck_buf_free(&b);
  return text;
}

const char *wr_error(struct wr_rig *r) { return wr_text(r, "error"); }
