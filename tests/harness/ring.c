/* Running the ring and the command line in a test; see ring.h. */
#include "tests/harness/ring.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/harness/base.h"
#include "tests/harness/database.h"
#include "tests/harness/talk.h"

static struct {
  struct t_process *up, *daemons[32];
  int daemon_count;
  struct ck_settings *settings, *former[64]; /* former: open sockets may still use them */
  int former_count;
} ring;

static const char *program(const char *below) {
  static char path[4][PATH_MAX];
  static int turn;
  char *at = path[turn++ % 4];
  snprintf(at, PATH_MAX, "%s/%s", t_build(), below);
  return at;
}

int t_up(void) {
  T_CHECK(ring.up == NULL || t_ended(ring.up), "the ring is up already");
  int64_t begin = ck_boot_ms();
  const char *argv[] = {program("bin/convkeep"), "up", NULL};
  ring.up = t_start("up", NULL, false, argv);
  int64_t until = begin + 20000 * T_SLOWER;
  while (!t_said_line(ring.up, "ready")) {
    T_CHECK(!t_ended(ring.up), "`up` ended before it was ready");
    T_CHECK(ck_boot_ms() < until, "`up` was not ready within 20 s");
    t_pause(5);
  }
  return (int)(ck_boot_ms() - begin);
}

struct t_process *t_up_process(void) {
  return ring.up;
}

static void end(struct t_process *p, int sig) {
  if (t_ended(p)) return;
  t_signal(p, sig);
  int code = t_wait_end(p, 5500);
  T_CHECK(code == 0, "%s ended with %d when it was asked to end", p->name, code);
}

void t_down(void) {
  t_talk_forget();
  if (ring.up) end(ring.up, SIGINT);
  ring.up = NULL;
  for (int i = ring.daemon_count; i-- > 0;) end(ring.daemons[i], SIGTERM);
  ring.daemon_count = 0;
}

struct t_process *t_daemon_try(const char *name, const char *const more[]) {
  const char *argv[24] = {NULL, "--data", getenv("CONVKEEP_DATA")};
  char below[64];
  snprintf(below, sizeof below, "libexec/convkeep/%s", name);
  argv[0] = program(below);
  int n = 3;
  for (int i = 0; more && more[i] && n < 23; i++) argv[n++] = more[i];
  return t_start(name, NULL, true, argv);
}

struct t_process *t_daemon(const char *name, const char *const more[]) {
  struct t_process *p = t_daemon_try(name, more);
  t_wait_ready(p, 20000);
  T_CHECK(ring.daemon_count < 32, "too many daemons in one test");
  ring.daemons[ring.daemon_count++] = p;
  return p;
}

static const char *first_sink(void) { return ck_set_word(t_settings(), CK_SET_SYNC_SINKS, 0); }

const char *t_sync(const char *member) {
  static char paths[16][80];
  static unsigned at;
  char *path = paths[at++ % 16];
  snprintf(path, sizeof *paths, "sync.%s.%s", first_sink(), member);
  return path;
}

pid_t t_pid(const char *name) {
  char path[96];
  if (strcmp(name, "syncd") == 0)
    snprintf(path, sizeof path, "run/syncd-%s-0.pid", first_sink());
  else
    snprintf(path, sizeof path, "run/%s%s.pid", name, strncmp(name, "syncd", 5) == 0 ? "-0" : "");
  char *text = t_read_file(path, NULL);
  pid_t pid = text ? (pid_t)atol(text) : 0;
  free(text);
  return pid > 0 && kill(pid, 0) == 0 ? pid : 0;
}

/* None of its threads runs; or it has ended. */
static bool stands_still(pid_t pid) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
  DIR *tasks = opendir(path);
  bool still = true;
  for (struct dirent *e; tasks && still && (e = readdir(tasks));) {
    if (e->d_name[0] == '.') continue;
    char *file = ck_sprintf("%s/%s/stat", path, e->d_name), *text = t_read_file(file, NULL);
    const char *state = text ? strrchr(text, ')') : NULL;
    still = !state || state[2] == 'T' || state[2] == 'Z';
    free(text);
    free(file);
  }
  if (tasks) closedir(tasks);
  return still;
}

pid_t t_kill(const char *name, int sig) {
  pid_t pid = 0;
  T_UNTIL(10000, (pid = t_pid(name)) != 0, "%s is not running, so it cannot be killed", name);
  kill(pid, sig);
  if (sig == SIGSTOP) T_UNTIL(10000, stands_still(pid), "%s goes on although it is stopped", name);
  return pid;
}

json_t *t_daemon_entry(json_t *status, const char *name, int k) {
  size_t i;
  json_t *entry;
  json_array_foreach(t_at(status, "daemons"), i, entry) {
    const char *its = t_text_at(entry, "name");
    if (its && strcmp(its, name) == 0 && k-- == 0) return entry;
  }
  return NULL;
}

static bool shows(const char *name, pid_t pid) {
  json_t *status = t_status(200);
  bool yes = false;
  json_t *entry;
  for (int k = 0; !yes && (entry = t_daemon_entry(status, name, k)); k++)
    yes = t_int_at(entry, "pid", 0) == pid;
  json_decref(status);
  return yes;
}

void t_wait_other(const char *name, pid_t old, int ms) {
  pid_t now = 0;
  T_UNTIL(ms, (now = t_pid(name)) != 0 && now != old && shows(name, now),
          "%s did not come back within %d ms", name, ms);
}

/* ---- the command line ---- */

struct t_result t_convkeep_words(const char *input, const char *const words[]) {
  const char *argv[40] = {program("bin/convkeep")};
  int n = 1;
  for (int i = 0; words[i] && n < 39; i++) argv[n++] = words[i];
  return t_run(words[0], input, 60000, argv);
}

static void check_code(int code, const char *const words[], const struct t_result *r) {
  char said[256] = "";
  for (int i = 0; words[i] && strlen(said) < 160; i++)
    snprintf(said + strlen(said), sizeof said - strlen(said), " %.60s", words[i]);
  T_CHECK(r->code == code, "convkeep%s ended with %d, not %d: %s%.400s", said, r->code, code,
          r->err, r->out);
}

void t_do_words(int code, const char *input, const char *const words[]) {
  struct t_result r = t_convkeep_words(input, words);
  check_code(code, words, &r);
  t_result_free(&r);
}

json_t *t_lines_words(int code, const char *input, const char *const words[]) {
  struct t_result r = t_convkeep_words(input, words);
  check_code(code, words, &r);
  t_write_text("../out/lines.jsonl", r.out);
  t_result_free(&r);
  return t_read_lines("../out/lines.jsonl");
}

void t_says_words(int code, const char *part, const char *const words[]) {
  struct t_result r = t_convkeep_words(NULL, words);
  T_CHECK(r.code == code && (strstr(r.out, part) || strstr(r.err, part)),
          "%s %s ended with %d: %s%s", words[0], words[1] ? words[1] : "", r.code, r.out, r.err);
  t_result_free(&r);
}

void t_import_lines(int code, const char *fmt, ...) {
  va_list ap, again;
  va_start(ap, fmt);
  va_copy(again, ap);
  int n = vsnprintf(NULL, 0, fmt, ap);
  char *text = ck_alloc((size_t)n + 1);
  vsnprintf(text, (size_t)n + 1, fmt, again);
  va_end(again);
  va_end(ap);
  for (char *c = text; *c; c++)
    if (*c == '\'') *c = '"';
  t_write_file("../out/lines.in", text, (size_t)n);
  free(text);
  t_do_in(code, "../out/lines.in", "import", "-");
}

json_t *t_import(int code, const char *file) {
  json_t *lines = t_lines(code, "import", file);
  T_CHECK(json_array_size(lines) == 1, "`import %s --json` gave %zu lines, not one", file,
          json_array_size(lines));
  json_t *line = json_incref(json_array_get(lines, 0));
  json_decref(lines);
  return line;
}

void t_import_counts(const char *file, int added, int updated, int unchanged, int failed) {
  json_t *line = t_import(failed > 0 ? 1 : 0, file);
  char *said = json_dumps(line, 0);
  T_CHECK(t_int_at(line, "new", -1) == added && t_int_at(line, "updated", -1) == updated &&
              t_int_at(line, "unchanged", -1) == unchanged &&
              t_int_at(line, "failed", -1) == failed,
          "%s: %d new, %d updated, %d unchanged, %d failed were expected: %s", file, added, updated,
          unchanged, failed, said);
  free(said);
  json_decref(line);
}

struct t_result t_import_pipe(const char *file) {
  char command[4096];
  snprintf(command, sizeof command, "cat %s | %s --data . --json import -", file,
           program("bin/convkeep"));
  return t_run("import", NULL, 60000, (const char *const[]){"/bin/sh", "-c", command, NULL});
}

void t_doctor_finds(int code, const char *check, const char *result, const char *part) {
  json_t *lines = t_lines(code, "doctor"), *line;
  size_t i;
  bool found = false;
  json_array_foreach(lines, i, line) found |= strcmp(t_text_at(line, "check"), check) == 0 &&
                                              strcmp(t_text_at(line, "result"), result) == 0 &&
                                              strstr(t_text_at(line, "text"), part);
  T_CHECK(found, "%s: %s, \"%s\" was expected: %s", check, result, part,
          json_dumps(lines, JSON_INDENT(1)));
  json_decref(lines);
}

/* ---- the ring's state ---- */

int64_t t_status_int(const char *path, int64_t otherwise) {
  json_t *status = t_status(1000);
  int64_t value = t_int_at(status, path, otherwise);
  json_decref(status);
  return value;
}

int64_t t_mirror_int(const char *sink, const char *member) {
  char path[80];
  snprintf(path, sizeof path, "sync.%s.%s", sink, member);
  return t_status_int(path, -1);
}

bool t_mirror_says(const char *sink, const char *member, const char *word) {
  char path[80];
  snprintf(path, sizeof path, "sync.%s.%s", sink, member);
  json_t *s = t_status(2000);
  const char *said = t_text_at(s, path);
  bool is = word ? said && strcmp(said, word) == 0 : s && !said;
  json_decref(s);
  return is;
}

bool t_mirror_has_all(const char *sink) {
  return t_status_int("version", -2) == t_mirror_int(sink, "cursor");
}

/* The number of observations in the spool, from ingest itself if it runs here; -1: no answer. The
 * store's status only has ingest's last report, and before the first one it shows an empty spool.
 */
static int64_t left_in_spool(void) {
  struct ck_message request = {.kind = CK_MSG_STATUS}, answer = {0};
  struct ck_err err;
  zmq_msg_t frame;
  if (!t_pid("ingest")) return 0;
  if (t_ask(CK_DOOR_OBSERVE, &request, &answer, &frame, 1000, &err)) return -1;
  json_t *info = t_json_of(answer.as.info.info);
  int64_t left = t_int_at(info, "spool_pending", -1);
  json_decref(info);
  zmq_msg_close(&frame);
  return left;
}

/* How far the mirror that is least far is; -1: not known. */
static int64_t mirrored(json_t *status) {
  int64_t least = -1;
  const char *sink;
  json_t *one, *all = json_object_get(status, "sync");
  json_object_foreach(all, sink, one) {
    int64_t cursor = t_int_at(one, "cursor", -1);
    if (least < 0 || cursor < least) least = cursor;
  }
  return least;
}

/* What is left to do; "" if nothing. The spool is read before the status, in the order in which an
 * observation passes them. */
static const char *unfinished(void) {
  static char what[160];
  int64_t waiting = left_in_spool();
  json_t *s = t_status(1000);
  int64_t head = t_int_at(s, "version", -1), spool = t_int_at(s, "spool.pending", -1),
          cursor = mirrored(s);
  if (waiting) spool = waiting;
  int64_t files = t_int_at(s, "artifacts.cursor", -1);
  snprintf(what, sizeof what,
           "version %lld, spool.pending %lld, sync.cursor %lld, artifacts.cursor %lld",
           (long long)head, (long long)spool, (long long)cursor, (long long)files);
  if (head >= 0 && spool == 0 && cursor == head && files == head) what[0] = 0;
  json_decref(s);
  return what;
}

void t_settle(int ms) {
  char before[160] = "";
  int64_t until = 0;
  for (const char *left; *(left = unfinished()); t_pause(10)) {
    if (strcmp(left, before) != 0) until = ck_boot_ms() + (int64_t)ms * T_SLOWER;
    T_CHECK(ck_boot_ms() < until, "for %d ms nothing has gone on: %s", ms, left);
    snprintf(before, sizeof before, "%s", left);
  }
}

static bool marked(int64_t version) {
  char *cursor = t_read_file("artifacts/.cursor", NULL);
  const char *blank = cursor ? strchr(cursor, ' ') : NULL;
  bool yes = blank && strtoll(blank, NULL, 10) == version;
  free(cursor);
  return yes;
}

void t_down_marked(void) {
  t_settle(20000);
  int64_t version = t_status_int("version", -1);
  if (!marked(version)) { /* written at most every 10 s, but soon after a start */
    t_down();
    t_up();
    T_UNTIL(60000, marked(version), "the readable files do not become durable");
  }
  t_down();
}

void t_whole(int ms) {
  t_settle(ms);
  t_check_database("artifact.db");
  t_check_mirror("artifact.db", "mirror.db");
  t_check_artifacts("artifact.db");
}

/* ---- the test's own connections ---- */

void t_settings_changed(void) {
  if (ring.settings && ring.former_count < 64) ring.former[ring.former_count++] = ring.settings;
  ring.settings = NULL;
}

const struct ck_settings *t_settings(void) {
  if (ring.settings) return ring.settings;
  struct ck_err err = {""};
  ring.settings = ck_settings_load("convkeep.conf", &err);
  T_CHECK(ring.settings != NULL, "the settings cannot be read: %s", err.text);
  return ring.settings;
}

void t_ring_forget(void) {
  t_talk_forget();
  t_settings_changed();
  while (ring.former_count > 0) ck_settings_free(&ring.former[--ring.former_count]);
}
