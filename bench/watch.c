/* Following logs: how late a message is in the database, what it costs beside an import of the
 * finished files, what a start costs at which nothing has changed, and what rest costs.
 * Environment: BENCH_WATCH, the files that are known at a start: 50000; 0 leaves that out. */
#include <jansson.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench/common.h"
#include "proto/clock.h"

#define SESSIONS 20
#define LINES_A_SECOND 100 /* of all sessions together */
#define LAG_SECONDS 30
#define LAG_MS 1000 /* the bound, of 99 of 100 */
#define TEXT_BYTES 400
#define KNOWN 50000
#define START_S 2.0
#define STILL_MS 700 /* without processor time: it rests */
#define REST_SECONDS 20
#define PATIENCE_S 1800
#define SMALL 2000 /* files that are imported, of two messages each */
#define SMALL_MS 20

struct ring {
  pid_t store, ingest;
};

/* The folder that is followed, beside the data folders. */
static char *followed;

static void follow(bool on) {
  setenv("CONVKEEP_INGEST_WATCH", on ? "on" : "off", 1);
  setenv("CONVKEEP_WATCH_CLAUDE", followed, 1);
  setenv("CONVKEEP_WATCH_CODEX", "", 1);
  setenv("CONVKEEP_WATCH_CODEX_ARCHIVED", "", 1);
}

static void make_folder(void) {
  static const char *const parts[] = {"", "/.claude", "/.claude/projects", "/.claude/projects/-x"};
  free(followed);
  followed = ck_sprintf("%s/followed-%lld", getenv("CONVKEEP_BENCH_DATA"), (long long)ck_mono_us());
  for (size_t i = 0; i < sizeof parts / sizeof *parts; ++i) {
    char *path = ck_sprintf("%s%s", followed, parts[i]);
    if (mkdir(path, 0700)) bench_fail("%s", path);
    free(path);
  }
  char *projects = ck_sprintf("%s/.claude/projects", followed);
  free(followed);
  followed = projects;
}

static struct ring begin(void) {
  struct ring r;
  r.store = bench_daemon("store");
  r.ingest = bench_daemon("ingest");
  return r;
}

static void end(struct ring *r) {
  bench_stop(&r->ingest);
  bench_stop(&r->store);
}

static double cpu_of(const struct ring *r) { return bench_cpu(r->store) + bench_cpu(r->ingest); }

static bool is_running(pid_t pid) {
  char state = 0, *path = ck_sprintf("/proc/%d/stat", (int)pid);
  FILE *f = fopen(path, "re");
  if (!f || fscanf(f, "%*d %*s %c", &state) != 1) bench_fail("%s", path);
  fclose(f);
  free(path);
  return state == 'R' || state == 'D';
}

/* Waits until it rests. Returns when it began to, as ck_mono_us(). */
static int64_t when_still(pid_t pid) {
  double used = bench_cpu(pid);
  int64_t busy = ck_mono_us(), began = busy;
  for (int64_t now = busy; now - busy < STILL_MS * 1000; now = ck_mono_us()) {
    double now_used = bench_cpu(pid);
    if (now_used - used > 0.002 || is_running(pid)) busy = now;
    if (busy == now) used = now_used;
    if (now - began > PATIENCE_S * 1000000ll) bench_fail("it does not come to rest");
    usleep(5000);
  }
  return busy;
}

/* ---- lines ---- */

/* A question or an answer; its text begins with its number and the time, in microseconds. */
static void put_line(struct ck_buf *b, int session, unsigned n, unsigned turn, int64_t at) {
  bool user = turn % 2 == 0;
  char above[40] = "null", id[24] = "";
  if (turn) snprintf(above, sizeof above, "\"s%d-%u\"", session, turn - 1);
  if (!user) snprintf(id, sizeof id, "\"id\":\"m%d-%u\",", session, turn);
  ck_buf_printf(b,
                "{\"parentUuid\":%s,\"isSidechain\":false,\"cwd\":\"/x\",\"sessionId\":\"s%d\","
                "\"version\":\"2.1.150\",\"type\":\"%s\",\"uuid\":\"s%d-%u\",\"timestamp\":"
                "\"2026-10-05T%02u:%02u:%02u.000Z\",\"message\":{%s\"role\":\"%s\",\"content\":"
                "[{\"type\":\"text\",\"text\":\"%u %lld %0*d\"}]}}\n",
                above, session, user ? "user" : "assistant", session, turn, turn / 3600 % 24,
                turn / 60 % 60, turn % 60, id, user ? "user" : "assistant", n, (long long)at,
                TEXT_BYTES, 0);
}

static void append(int session, const struct ck_buf *line) {
  char *path = ck_sprintf("%s/-x/%d.jsonl", followed, session);
  FILE *f = fopen(path, "ae");
  if (!f || fwrite(line->data, 1, line->len, f) != line->len || fclose(f)) bench_fail("%s", path);
  free(path);
}

/* ---- the lag ---- */

struct lag {
  sqlite3 *db;
  sqlite3_stmt *newer;
  int64_t version;
  bool *seen;
  unsigned said, got, turns[SESSIONS];
  struct bench_series ms;
};

static void open_database(struct lag *l) {
  if (sqlite3_open_v2("file:artifact.db?mode=ro", &l->db, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI,
                      NULL) ||
      sqlite3_prepare_v2(l->db,
                         "SELECT version, raw_text FROM messages WHERE version > ?1"
                         " ORDER BY version",
                         -1, &l->newer, NULL))
    bench_fail("artifact.db: %s", sqlite3_errmsg(l->db));
}

static void look(struct lag *l) {
  sqlite3_bind_int64(l->newer, 1, l->version);
  while (sqlite3_step(l->newer) == SQLITE_ROW) {
    unsigned n;
    long long at;
    l->version = sqlite3_column_int64(l->newer, 0);
    if (sscanf((const char *)sqlite3_column_text(l->newer, 1), "%u %lld", &n, &at) != 2 ||
        n >= l->said || l->seen[n])
      continue;
    l->seen[n] = true;
    ++l->got;
    bench_add(&l->ms, (double)(ck_mono_us() - at) / 1000);
  }
  sqlite3_reset(l->newer);
}

static void say(struct lag *l) {
  struct ck_buf line = {0};
  int session = (int)(l->said % SESSIONS);
  put_line(&line, session, l->said, l->turns[session]++, ck_mono_us());
  append(session, &line);
  ++l->said;
  ck_buf_free(&line);
}

static void measure(struct lag *l) {
  unsigned total = LINES_A_SECOND * LAG_SECONDS;
  int64_t began = ck_mono_us();
  l->seen = ck_zalloc(total);
  while (l->got < total) {
    int64_t now = ck_mono_us() - began;
    if (now > PATIENCE_S * 1000000ll) bench_fail("%u of %u messages came", l->got, total);
    while (l->said < total && (int64_t)l->said * 1000000 / LINES_A_SECOND < now) say(l);
    look(l);
    usleep(2000);
  }
  sqlite3_finalize(l->newer);
  sqlite3_close(l->db);
  free(l->seen);
}

/* An import of the finished files; its processor time, of all processes. */
static double import_finished(void) {
  char *program = bench_program("../bin/convkeep");
  bench_enter("watch-import");
  follow(false);
  struct ring r = begin();
  double before = bench_cpu_children(), used = cpu_of(&r);
  bench_run("import.json",
            (const char *const[]){program, "--data", ".", "--json", "import", followed, NULL});
  when_still(r.store);
  used = cpu_of(&r) - used + bench_cpu_children() - before;
  end(&r);
  bench_leave();
  free(program);
  return used;
}

static void measure_lag(void) {
  struct lag l = {0};
  make_folder();
  bench_enter("watch-lag");
  follow(true);
  struct ring r = begin();
  double before = cpu_of(&r);
  open_database(&l);
  measure(&l);
  when_still(r.store);
  double ingest = bench_cpu(r.ingest), used = cpu_of(&r) - before;
  end(&r);
  bench_leave();
  double import = import_finished(), p99 = bench_share(&l.ms, 0.99);
  printf("%d sessions of Claude Code grow by %d lines a second together, for %d s. From a line's "
         "writing to its message in the database: half within %s ms, 99 of 100 within %s ms (%s), "
         "all within %s ms.\n\n",
         SESSIONS, LINES_A_SECOND, LAG_SECONDS, bench_number(bench_share(&l.ms, 0.5), 0),
         bench_number(p99, 0),
         bench_verdict("From a line's writing to its message in the database", p99, false, LAG_MS,
                       " ms"),
         bench_number(bench_share(&l.ms, 1), 0));
  printf(
      "That took %s ms of ingest's processor time for each message, and %s ms of the store's, with "
      "its readable files, which are written again as sessions grow. An import of the finished "
      "files takes %s ms in all, so following costs %s times as much.\n\n",
      bench_number(ingest * 1000 / l.said, 2), bench_number((used - ingest) * 1000 / l.said, 2),
      bench_number(import * 1000 / l.said, 2), bench_number(used / import, 1));
  bench_free(&l.ms);
}

/* ---- rest ---- */

static void measure_rest(bool on, double *wakes, double *cpu_ms) {
  bench_enter(on ? "watch-on" : "watch-off");
  follow(on);
  struct ring r = begin();
  sleep(2);
  double before = bench_waits(r.ingest), used = bench_cpu(r.ingest);
  sleep(REST_SECONDS);
  *wakes = (bench_waits(r.ingest) - before) / REST_SECONDS;
  *cpu_ms = (bench_cpu(r.ingest) - used) * 1000 / REST_SECONDS;
  end(&r);
  bench_leave();
}

static void print_rest(void) {
  double on[2], off[2];
  measure_rest(true, &on[0], &on[1]);
  measure_rest(false, &off[0], &off[1]);
  printf("At rest, with these %d sessions followed, ingest wakes up %s times a second and takes %s "
         "ms of processor time a second; with following off %s times and %s ms. Following adds "
         "%s.\n\n",
         SESSIONS, bench_number(on[0], 1), bench_number(on[1], 2), bench_number(off[0], 1),
         bench_number(off[1], 2),
         bench_verdict("Wake-ups that following adds at rest", on[0] - off[0], false, 0.5,
                       " a second"));
}

/* ---- a start ---- */

static unsigned known_files(void) {
  const char *text = getenv("BENCH_WATCH");
  return text ? (unsigned)atoi(text) : KNOWN;
}

static void write_files(unsigned n) {
  struct ck_buf line = {0};
  for (unsigned i = 0; i < n; ++i) {
    ck_buf_clear(&line);
    put_line(&line, (int)i, i, 0, 0);
    put_line(&line, (int)i, i, 1, 0);
    append((int)i, &line);
  }
  ck_buf_free(&line);
}

/* Files that it knows, and bytes that are behind. */
static double watch_says(const char *program, const char *member) {
  bench_run("watch.json", (const char *const[]){program, "--data", ".", "--json", "watch", NULL});
  json_t *line = json_load_file("watch.json", JSON_DISABLE_EOF_CHECK, NULL);
  const json_t *one = json_array_get(json_object_get(line, "sources"), 0);
  double value = (double)json_integer_value(json_object_get(one, member));
  json_decref(line);
  return value;
}

static void measure_start(unsigned n) {
  char *program = bench_program("../bin/convkeep");
  setenv("CONVKEEP_ARTIFACTS_FORM", "none", 1);
  make_folder();
  write_files(n);
  bench_enter("watch-start");
  follow(true);
  struct ring r = begin();
  int64_t began = ck_mono_us();
  for (double files = 0; files < n || watch_says(program, "behind") > 0; usleep(500000)) {
    files = watch_says(program, "files");
    if (ck_mono_us() - began > PATIENCE_S * 1000000ll) bench_fail("%.0f of %u files", files, n);
  }
  double first = (double)(ck_mono_us() - began) / 1e6, first_cpu = bench_cpu(r.ingest),
         first_mib = bench_memory(r.ingest, "VmHWM");
  bench_stop(&r.ingest);
  bench_calm();
  began = ck_mono_us();
  r.ingest = bench_daemon("ingest");
  double seconds = (double)(when_still(r.ingest) - began) / 1e6;
  if (watch_says(program, "files") != n) bench_fail("not all files are known after the start");
  printf("A start at which none of %s files has changed: %s s until ingest rests (%s), %s s of its "
         "processor time, %s MiB at most. When nobody had read them yet, they took %s s, %s s of "
         "ingest's processor time, and %s MiB.\n",
         bench_number(n, 0), bench_number(seconds, 2),
         bench_verdict("A start at which none of 50,000 followed files has changed", seconds, false,
                       START_S, " s"),
         bench_number(bench_cpu(r.ingest), 2), bench_number(bench_memory(r.ingest, "VmHWM"), 0),
         bench_number(first, 0), bench_number(first_cpu, 1), bench_number(first_mib, 0));
  end(&r);
  bench_leave();
  free(program);
}

/* ---- many small files ---- */

/* An import waits for nothing but the disk between two files. */
static void measure_small(void) {
  char *program = bench_program("../bin/convkeep");
  make_folder();
  write_files(SMALL);
  bench_enter("watch-small");
  follow(false);
  struct ring r = begin();
  double ms = 1000 / (double)SMALL *
              bench_run("import.json", (const char *const[]){program, "--data", ".", "--json",
                                                             "import", followed, NULL});
  end(&r);
  bench_leave();
  free(program);
  printf("`convkeep import` of %d sessions of two messages takes %s ms each (%s).\n\n", SMALL,
         bench_number(ms, 1),
         bench_verdict("An import of a session of two messages", ms, false, SMALL_MS, " ms"));
}

int main(void) {
  printf("## Following logs\n\n");
  measure_lag();
  measure_small();
  print_rest();
  if (known_files()) measure_start(known_files());
  free(followed);
  return 0;
}
