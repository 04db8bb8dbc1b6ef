/* Folders that are followed: the rows are those of an import of the finished files, whatever
 * happens to the files and whoever is killed meanwhile. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <archive.h>

#include "tests/harness/archive.h"
#include "tests/harness/base.h"
#include "tests/harness/database.h"
#include "tests/harness/ring.h"
#include "tests/harness/rows.h"

#define SESSIONS 6
#define TURNS 12
#define STEPS 240
#define KILLS 8

struct session {
  char path[256];
  struct ck_buf text; /* of the finished file */
  size_t written;
  unsigned moves;
};

static struct session sessions[SESSIONS];
static char home[200], projects[220];

static unsigned below(unsigned n) { return (unsigned)t_random_below(n); }

/* ---- what a session says ---- */

static void add_head(struct ck_buf *b, int s, int turn, int second, const char *uuid,
                     const char *above, const char *type) {
  ck_buf_printf(b,
                "{\"sessionId\":\"session-%d\",\"cwd\":\"/work/%d\",\"type\":\"%s\","
                "\"uuid\":\"s%d-%d-%s\",\"timestamp\":\"2026-10-0%dT1%d:%02d:%02d.000Z\",",
                s, s, type, s, turn, uuid, s + 1, turn / 10, turn % 10, second);
  if (*above)
    ck_buf_printf(b, "\"parentUuid\":\"s%d-%d-%s\",", s,
                  *above == 'u' ? turn : turn - (*above == 'r'), above);
  else
    ck_buf_text(b, "\"parentUuid\":null,");
}

/* A question, an answer in two lines with a call, and the call's result. */
static void add_turn(struct ck_buf *b, int s, int turn) {
  unsigned long_one = below(4) == 0 ? 30000 : 40;
  add_head(b, s, turn, 1, "u", turn ? "r" : "", "user");
  ck_buf_printf(b, "\"message\":{\"role\":\"user\",\"content\":\"question %d of session %d\"}}\n",
                turn, s);
  add_head(b, s, turn, 2, "a", "u", "assistant");
  ck_buf_printf(b,
                "\"message\":{\"id\":\"m%d-%d\",\"role\":\"assistant\",\"model\":\"it\","
                "\"content\":[{\"type\":\"text\",\"text\":\"%0*d\"}],"
                "\"usage\":{\"output_tokens\":%d}}}\n",
                s, turn, (int)long_one, turn, turn);
  ck_buf_printf(b,
                "{\"sessionId\":\"session-%d\",\"type\":\"assistant\",\"uuid\":\"s%d-%d-b\","
                "\"parentUuid\":\"s%d-%d-a\",\"timestamp\":\"2026-10-0%dT1%d:%02d:03.000Z\","
                "\"message\":{\"id\":\"m%d-%d\",\"role\":\"assistant\",\"content\":["
                "{\"type\":\"tool_use\",\"id\":\"t%d-%d\",\"name\":\"Bash\",\"input\":{\"n\":%d}}],"
                "\"usage\":{\"output_tokens\":%d}}}\n",
                s, s, turn, s, turn, s + 1, turn / 10, turn % 10, s, turn, s, turn, turn, turn + 5);
  ck_buf_printf(b,
                "{\"sessionId\":\"session-%d\",\"type\":\"user\",\"uuid\":\"s%d-%d-r\","
                "\"parentUuid\":\"s%d-%d-b\",\"timestamp\":\"2026-10-0%dT1%d:%02d:04.000Z\","
                "\"message\":{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\","
                "\"tool_use_id\":\"t%d-%d\",\"content\":\"result %d\"}]}}\n",
                s, s, turn, s, turn, s + 1, turn / 10, turn % 10, s, turn, turn);
  if (below(3) == 0)
    ck_buf_printf(b,
                  "{\"type\":\"custom-title\",\"sessionId\":\"session-%d\","
                  "\"customTitle\":\"title %d\"}\n",
                  s, turn);
}

static void write_whole(const struct session *one) {
  t_write_file(one->path, one->text.data, one->text.len);
}

static void make_sessions(void) {
  char folder[256];
  snprintf(home, sizeof home, "%s/home", t_folder());
  snprintf(projects, sizeof projects, "%s/.claude/projects", home);
  T_CHECK(mkdir(home, 0700) == 0, "%s", home);
  snprintf(folder, sizeof folder, "%s/.claude", home);
  T_CHECK(mkdir(folder, 0700) == 0 && mkdir(projects, 0700) == 0, "%s", projects);
  setenv("HOME", home, 1);
  unsetenv("CLAUDE_CONFIG_DIR");
  unsetenv("CODEX_HOME");
  for (int s = 0; s < SESSIONS; ++s) {
    struct session *one = &sessions[s];
    snprintf(one->path, sizeof one->path, "%s/%d.jsonl", projects, s);
    for (int turn = 0; turn < TURNS; ++turn) add_turn(&one->text, s, turn);
    if (s % 2) --one->text.len; /* no line feed at its end */
  }
}

/* ---- what becomes of it ---- */

static json_t *import_whole(void) {
  char *data = ck_strdup(getenv("CONVKEEP_DATA"));
  for (int s = 0; s < SESSIONS; ++s) write_whole(&sessions[s]);
  setenv("CONVKEEP_DATA", "imported", 1);
  t_do(0, "import", projects);
  setenv("CONVKEEP_DATA", data, 1);
  free(data);
  for (int s = 0; s < SESSIONS; ++s) T_CHECK(unlink(sessions[s].path) == 0, "unlink");
  return t_rows("imported/artifact.db");
}

/* ---- what happens ---- */

static void append(struct session *one, size_t n) {
  size_t left = one->text.len - one->written;
  FILE *f = fopen(one->path, "a");
  if (n > left) n = left;
  T_CHECK(f && fwrite(one->text.data + one->written, 1, n, f) == n && fclose(f) == 0, "%s",
          one->path);
  one->written += n;
}

static void move(struct session *one) {
  char to[256];
  int s = (int)(one - sessions);
  snprintf(to, sizeof to, "%s/-%u", projects, ++one->moves);
  mkdir(to, 0700);
  snprintf(to, sizeof to, "%s/-%u/%d.jsonl", projects, one->moves, s);
  if (one->written) T_CHECK(rename(one->path, to) == 0, "%s", one->path);
  memcpy(one->path, to, sizeof to);
}

/* Written again beside itself, and put in its place. */
static void replace(struct session *one) {
  char beside[270];
  if (!one->written) return;
  snprintf(beside, sizeof beside, "%s.tmp", one->path);
  t_write_file(beside, one->text.data, one->written);
  T_CHECK(rename(beside, one->path) == 0, "%s", one->path);
}

static void compress(struct session *one) {
  char packed[270];
  const struct t_member whole = {"it", ck_buf_view(&one->text)};
  struct ck_buf bytes = t_archive(0, ARCHIVE_FILTER_ZSTD, &whole, 1);
  snprintf(packed, sizeof packed, "%s.zst", one->path);
  t_write_file(packed, bytes.data, bytes.len);
  T_CHECK(unlink(one->path) == 0, "%s", one->path);
  memcpy(one->path, packed, sizeof one->path);
  ck_buf_free(&bytes);
}

static void kill_one(const char *name) {
  pid_t old = t_kill(name, SIGKILL);
  t_wait_other(name, old, 20000);
}

static void play(void) {
  for (int step = 0; step < STEPS; ++step) {
    struct session *one = &sessions[below(SESSIONS)];
    if (step % (STEPS / KILLS) == STEPS / KILLS - 1)
      kill_one(step / (STEPS / KILLS) % 2 ? "store" : "ingest");
    switch (below(12)) {
    case 0:
      move(one);
      break;
    case 1:
      replace(one);
      break;
    default:
      append(one, 1 + below(below(2) ? 400 : 4000));
    }
    t_pause((int)below(12));
  }
  for (int s = 0; s < SESSIONS; ++s) append(&sessions[s], SIZE_MAX);
  compress(&sessions[2]);
}

/* What ingest says of the sessions of Claude Code. */
static json_t *source(void) {
  json_t *lines = t_lines(0, "watch");
  json_t *one = json_incref(t_at(lines, "0.sources.0"));
  json_decref(lines);
  return one;
}

static void wait_for_files(int64_t files) {
  int64_t n = -1, behind = -1;
  for (int i = 0; i < 400 * T_SLOWER && (n != files || behind); ++i) {
    json_t *one = source();
    n = t_int_at(one, "files", -1);
    behind = t_int_at(one, "behind", -1);
    if (n != files || behind) t_pause(50);
    json_decref(one);
  }
  T_CHECK(n == files && behind == 0, "%lld files, %lld bytes behind", (long long)n,
          (long long)behind);
}

/* Killed, and without the files that it has taken, it keeps the rows, and gives nothing again. */
static void check_rest(const json_t *expected) {
  wait_for_files(SESSIONS);
  T_CHECK(unlink(sessions[0].path) == 0, "unlink");
  t_settle(20000);
  int64_t head = t_status_int("version", -1);
  kill_one("ingest");
  wait_for_files(SESSIONS - 1);
  t_settle(20000);
  T_CHECK(t_status_int("version", -1) == head, "records have changed after a restart");
  t_wait_rows(expected, 20000);
}

T_STORY(watch, the_rows_of_the_finished_files_whoever_is_killed, 180) {
  make_sessions();
  json_t *expected = import_whole();
  T_CHECK(json_array_size(json_array_get(expected, 0)) == SESSIONS * TURNS * 2, "the import");
  t_set("ingest.watch", "on");
  t_up();
  play();
  t_wait_rows(expected, 20000);
  check_rest(expected);
  json_decref(expected);
  t_whole(20000);
  t_doctor_finds(0, "originals", "ok", "");
}

/* ingest reports to the store once a second. */
static void wait_for_status(const char *part) {
  for (int i = 0; i < 100 * T_SLOWER; ++i) {
    struct t_result r = t_convkeep("status");
    bool there = strstr(r.out, part) != NULL;
    t_result_free(&r);
    if (there) return;
    t_pause(50);
  }
  T_CHECK(false, "status does not say \"%s\"", part);
}

/* The command: what it names, what it sets, and what becomes of it at once. */
T_STORY(watch, on_and_off, 60) {
  make_sessions();
  write_whole(&sessions[0]);
  t_up();
  struct t_result r = t_convkeep("watch");
  T_CHECK(r.code == 0 && strstr(r.out, "watch is off"), "%s%s", r.out, r.err);
  t_result_free(&r);
  r = t_convkeep("watch", "on");
  T_CHECK(r.code == 2 && strstr(r.err, "--yes"), "nobody was asked: %s%s", r.out, r.err);
  t_result_free(&r);
  json_t *lines = t_lines(0, "watch", "on", "--yes");
  T_CHECK(json_is_true(t_at(lines, "0.on")) && json_is_true(t_at(lines, "0.running")) &&
              t_int_at(lines, "0.sources.0.files", -1) == 1 &&
              t_int_at(lines, "0.sources.0.bytes", -1) == (int64_t)sessions[0].text.len,
          "%s", json_dumps(lines, 0));
  json_decref(lines);
  wait_for_files(1);
  T_CHECK(t_count("messages") == TURNS * 2, "%lld messages", (long long)t_count("messages"));
  json_t *one = source();
  T_CHECK(t_int_at(one, "taken_at", 0) > 0 && json_is_null(t_at(one, "error")), "%s",
          json_dumps(one, 0));
  json_decref(one);
  wait_for_status("claude: 1 file, the last capture");
  t_do(0, "watch", "off");
  write_whole(&sessions[1]);
  t_do(0, "watch", "on", "--yes"); /* and it finds what has come meanwhile */
  wait_for_files(2);
  t_do(0, "watch", "off");
  lines = t_lines(0, "watch");
  T_CHECK(json_is_false(t_at(lines, "0.on")) && !json_array_size(t_at(lines, "0.sources")), "%s",
          json_dumps(lines, 0));
  json_decref(lines);
}

/* The environment of the ring says so, and that of the command does not. */
T_STORY(watch, what_ingest_does_is_said, 60) {
  make_sessions();
  write_whole(&sessions[0]);
  setenv("CONVKEEP_INGEST_WATCH", "on", 1);
  t_up();
  unsetenv("CONVKEEP_INGEST_WATCH");
  wait_for_files(1);
  json_t *lines = t_lines(0, "watch");
  T_CHECK(json_is_true(t_at(lines, "0.on")) && json_is_true(t_at(lines, "0.running")), "%s",
          json_dumps(lines, 0));
  json_decref(lines);
  struct t_result r = t_convkeep("watch");
  T_CHECK(r.code == 0 && strstr(r.out, "claude") && !strstr(r.out, "off"), "%s%s", r.out, r.err);
  t_result_free(&r);
  t_down();
  r = t_convkeep("watch");
  T_CHECK(r.code == 0 && strstr(r.out, "watch is off"), "%s%s", r.out, r.err);
  t_result_free(&r);
}

/* ---- when no events come ---- */

#define FOLDERS 12
#define LIMIT "4"

/* The ring in a user namespace, whose limit of watches is its own. */
static struct t_process *up_with_few_watches(void) {
  char command[400];
  snprintf(command, sizeof command,
           "echo " LIMIT " >/proc/sys/user/max_inotify_watches && exec %s/bin/convkeep up",
           t_build());
  const char *argv[] = {"/usr/bin/unshare", "-Ur", "sh", "-c", command, NULL};
  struct t_process *p = t_start("up", NULL, false, argv);
  T_UNTIL(20000, t_said_line(p, "ready") || t_ended(p), "`up` was not ready within 20 s");
  if (t_ended(p)) t_skip("there is no user namespace of one's own here");
  return p;
}

static void write_in_folders(const char *name, int s) {
  char path[300];
  for (int i = 0; i < FOLDERS; ++i) {
    snprintf(path, sizeof path, "%s/-%d", projects, i);
    mkdir(path, 0700);
    snprintf(path, sizeof path, "%s/-%d/%s.jsonl", projects, i, name);
    t_write_file(path, sessions[s].text.data, sessions[s].text.len);
  }
}

/* They are looked at again and again, which `watch` and `status` say. */
T_STORY(watch, more_folders_than_can_be_watched, 90) {
  make_sessions();
  write_in_folders("a", 0);
  t_set("ingest.watch", "on");
  struct t_process *up = up_with_few_watches();
  wait_for_files(FOLDERS);
  json_t *one = source();
  T_CHECK(strcmp(t_text_at(one, "how"), "rescans") == 0 &&
              strstr(t_text_at(one, "slow"), "max_user_watches"),
          "%s", json_dumps(one, 0));
  json_decref(one);
  write_in_folders("b", 2);
  wait_for_files(2 * FOLDERS);
  T_UNTIL(20000, t_count("messages") == 2 * TURNS * 2, "%lld messages",
          (long long)t_count("messages"));
  wait_for_status("max_user_watches");
  t_signal(up, SIGINT);
  T_CHECK(t_wait_end(up, 10000) == 0, "`up` did not end well");
}
