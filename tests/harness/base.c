/* The test's folder, failures, files, JSON, random numbers; see base.h. */
#include "tests/harness/base.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "tests/harness/process.h"
#include "tests/harness/ring.h"

static struct {
  char story[96], folder[PATH_MAX], build[PATH_MAX], root[PATH_MAX], inputs[PATH_MAX];
  char reason[PATH_MAX + 2048];
  bool begun, failed, ended, lengthy;
  int slower;
  bool tsan;
  unsigned kills, deliveries, rounds, minutes, flips;
  uint64_t seed, state;
} test;

static void find_places(void) {
  const char *build = getenv("CONVKEEP_BUILD");
  if (realpath(build && *build ? build : "build", test.build) == NULL)
    cr_assert_fail("no build folder: set CONVKEEP_BUILD or call from the project's root");
  char here[PATH_MAX];
  T_CHECK(getcwd(here, sizeof here) != NULL, "no working directory");
  if (access("proto/records.h", R_OK) != 0)
    snprintf(here, sizeof here, "%.*s", (int)(strrchr(test.build, '/') - test.build), test.build);
  snprintf(test.root, sizeof test.root, "%s", here);
  const char *inputs = getenv("CONVKEEP_TEST_INPUTS");
  char guess[PATH_MAX];
  if (inputs == NULL) {
    T_CHECK(snprintf(guess, sizeof guess, "%s/../shared/inputs", test.root) < (int)sizeof guess,
            "the path of the project is too long");
    inputs = guess;
  }
  if (realpath(inputs, test.inputs) == NULL) test.inputs[0] = 0;
}

/* Removes settings that the caller made for another ring. */
static void clean_environment(void) {
  extern char **environ;
  for (bool again = true; again;) {
    again = false;
    for (char **e = environ; *e; e++) {
      if (strncmp(*e, "CONVKEEP_", 9) != 0) continue;
      char name[128];
      snprintf(name, sizeof name, "%.*s", (int)strcspn(*e, "="), *e);
      unsetenv(name);
      again = true;
      break;
    }
  }
  unsetenv("XDG_DATA_HOME");
}

static void find_sanitizer(void) {
  char path[PATH_MAX + 32];
  size_t n = 0;
  snprintf(path, sizeof path, "%s/libexec/convkeep/store", test.build);
  char *program = t_read_file(path, &n);
  test.tsan = program && memmem(program, n, "__tsan_init", 11);
  test.slower = test.tsan || (program && memmem(program, n, "__asan_init", 11)) ? 4 : 1;
  free(program);
}

int t_slower(void) { return test.slower ? test.slower : 1; }
bool t_tsan(void) { return test.tsan; }

static void choose_seed(void) {
  const char *given = getenv("CONVKEEP_TEST_SEED");
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  test.seed = given && *given
                  ? strtoull(given, NULL, 0)
                  : ((uint64_t)now.tv_sec * 1000003u + (uint64_t)now.tv_nsec) % 1000000007u;
  test.state = 0;
}

void t_asan_option(const char *option) {
  const char *given = getenv("ASAN_OPTIONS");
  char options[400];
  snprintf(options, sizeof options, "%s:%s", given ? given : "", option);
  setenv("ASAN_OPTIONS", options, 1);
}

static unsigned number_of(const char *variable) {
  const char *text = getenv(variable);
  return text ? (unsigned)strtoul(text, NULL, 10) : 0;
}

void t_begin(const char *story) {
  snprintf(test.story, sizeof test.story, "%s", story);
  find_places();
  find_sanitizer();
  choose_seed();
  const char *fault = getenv("CONVKEEP_FAULT"), *lengthy = getenv("CONVKEEP_LONG");
  test.lengthy = (fault && strcmp(fault, "long") == 0) || (lengthy && strcmp(lengthy, "1") == 0);
  test.kills = number_of("CONVKEEP_TEST_KILLS");
  test.deliveries = number_of("CONVKEEP_TEST_DELIVERIES");
  test.rounds = number_of("CONVKEEP_TEST_ROUNDS");
  test.minutes = number_of("CONVKEEP_TEST_MINUTES");
  test.flips = number_of("CONVKEEP_TEST_FLIPS");
  clean_environment();
  const char *tmp = getenv("TMPDIR");
  snprintf(test.folder, sizeof test.folder, "%s/convkeep-%s.XXXXXX", tmp && *tmp ? tmp : "/tmp",
           story);
  T_CHECK(mkdtemp(test.folder) != NULL, "cannot make %s: %s", test.folder, strerror(errno));
  test.begun = true;
  char path[PATH_MAX + 8];
  snprintf(path, sizeof path, "%s/out", test.folder);
  T_CHECK(mkdir(path, 0700) == 0, "cannot make %s", path);
  snprintf(path, sizeof path, "%s/data", test.folder);
  T_CHECK(mkdir(path, 0700) == 0 && chdir(path) == 0, "cannot make %s", path);
  setenv("CONVKEEP_DATA", path, 1);
  setenv("NO_COLOR", "1", 1);
  setenv("TZ", "UTC0", 1);
  setenv("PAGER", "cat", 1);
  setenv("CONVKEEP_RENEW_DELAY", "20ms", 1); /* in stories, messages are whole at once */
  setenv("CONVKEEP_WEB_LISTEN", "127.0.0.1:0", 1);
  /* Orphaned grandchildren become children of this process, so that they are found. */
  prctl(PR_SET_CHILD_SUBREAPER, 1);
}

static void remove_tree(const char *path) {
  struct stat st;
  if (lstat(path, &st) != 0) return;
  if (!S_ISDIR(st.st_mode)) {
    unlink(path);
    return;
  }
  DIR *d = opendir(path);
  for (struct dirent *e; d && (e = readdir(d));) {
    if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) continue;
    char below[PATH_MAX];
    if (snprintf(below, sizeof below, "%s/%s", path, e->d_name) < (int)sizeof below)
      remove_tree(below);
  }
  if (d) closedir(d);
  /* The test may have mounted a file system there. */
  if (rmdir(path) != 0 && errno == EBUSY && umount2(path, MNT_DETACH) == 0) rmdir(path);
}

void t_end(void) {
  t_down();
  t_check_left();
  test.ended = true;
}

/* At exit czmq ends its context and waits forever while a socket is open, and a test that failed
 * has not closed its sockets. */
static void leave_at_once(int status, void *unused) {
  (void)unused;
  fflush(NULL);
  _exit(status);
}

void t_after(void) {
  if (!test.begun) return;
  if (!test.ended) on_exit(leave_at_once, NULL);
  t_processes_kill();
  t_ring_forget();
  if (chdir("/") != 0) return;
  if (test.ended && !test.failed) remove_tree(test.folder);
}

void t_failing(const char *fmt, ...) {
  va_list ap;
  va_start(ap, fmt);
  char what[1024];
  vsnprintf(what, sizeof what, fmt, ap);
  va_end(ap);
  int n = snprintf(test.reason, sizeof test.reason, "%s", what);
  if (test.begun && n > 0 && (size_t)n < sizeof test.reason)
    snprintf(test.reason + n, sizeof test.reason - (size_t)n, "\n  folder kept: %s  seed: %" PRIu64,
             test.folder, test.seed);
  if (!test.failed) t_processes_tell();
  test.failed = true;
}

const char *t_reason(void) { return test.reason; }

bool t_has_failed(void) { return test.failed; }

void t_note(const char *fmt, ...) {
  va_list ap;
  va_start(ap, fmt);
  fprintf(stderr, "  %s: ", test.story);
  vfprintf(stderr, fmt, ap);
  fputc('\n', stderr);
  va_end(ap);
}

void t_skip(const char *fmt, ...) {
  char why[512];
  va_list ap;
  va_start(ap, fmt);
  vsnprintf(why, sizeof why, fmt, ap);
  va_end(ap);
  t_note("left out: %s", why);
  test.ended = true;
  cr_skip_test("%s", why);
  abort();
}

const char *t_folder(void) { return test.folder; }

const char *t_build(void) { return test.build; }

const char *t_root(void) { return test.root; }

const char *t_inputs(void) { return test.inputs[0] ? test.inputs : NULL; }

bool t_long(void) { return test.lengthy; }

unsigned t_kills(void) { return test.kills; }
unsigned t_deliveries(void) { return test.deliveries; }
unsigned t_rounds(void) { return test.rounds; }
unsigned t_minutes(void) { return test.minutes; }
unsigned t_flips(void) { return test.flips; }

void t_pause(int ms) {
  struct timespec wait = {ms / 1000, (long)(ms % 1000) * 1000000};
  nanosleep(&wait, NULL);
}

void t_set(const char *name, const char *value) {
  char variable[128] = "CONVKEEP_";
  size_t n = strlen(variable);
  for (const char *c = name; *c && n + 1 < sizeof variable; c++)
    variable[n++] = (char)(*c == '.' ? '_' : (*c >= 'a' && *c <= 'z') ? *c - 32 : *c);
  variable[n] = 0;
  setenv(variable, value, 1);
  t_settings_changed();
}

void t_setf(const char *name, const char *fmt, ...) {
  char value[1024];
  va_list ap;
  va_start(ap, fmt);
  vsnprintf(value, sizeof value, fmt, ap);
  va_end(ap);
  t_set(name, value);
}

/* ---- files ---- */

char *t_read_file(const char *path, size_t *size) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return NULL;
  struct ck_buf b = {0};
  ssize_t n;
  while ((n = read(fd, ck_buf_room(&b, 65536), 65536)) > 0) b.len += (size_t)n;
  close(fd);
  if (size) *size = b.len;
  ck_buf_cstr(&b);
  return b.data;
}

void t_write_file(const char *path, const void *bytes, size_t size) {
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  T_CHECK(fd >= 0, "cannot write %s: %s", path, strerror(errno));
  const char *p = bytes;
  while (size > 0) {
    ssize_t n = write(fd, p, size);
    T_CHECK(n > 0, "cannot write %s: %s", path, strerror(errno));
    p += n;
    size -= (size_t)n;
  }
  close(fd);
}

void t_write_text(const char *path, const char *text) { t_write_file(path, text, strlen(text)); }

bool t_exists(const char *path) { return access(path, F_OK) == 0; }

int t_walk(const char *dir, void (*each)(const char *path, void *self), void *self) {
  DIR *d = opendir(dir);
  int n = 0;
  for (struct dirent *e; d && (e = readdir(d));) {
    if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) continue;
    char path[PATH_MAX];
    struct stat st;
    if (snprintf(path, sizeof path, "%s/%s", dir, e->d_name) >= (int)sizeof path ||
        lstat(path, &st) != 0)
      continue;
    if (S_ISDIR(st.st_mode)) {
      n += t_walk(path, each, self);
      continue;
    }
    n++;
    if (each) each(path, self);
  }
  if (d) closedir(d);
  return n;
}

json_t *t_read_lines(const char *path) {
  json_t *lines = json_array();
  char *text = t_read_file(path, NULL);
  for (char *line = text; line && *line;) {
    char *end = strchr(line, '\n');
    size_t n = end ? (size_t)(end - line) : strlen(line);
    json_error_t error;
    json_t *value = json_loadb(line, n, JSON_DECODE_ANY, &error);
    T_CHECK(value != NULL, "%s: a line that is not JSON (%s): %.*s", path, error.text,
            (int)(n > 300 ? 300 : n), line);
    json_array_append_new(lines, value);
    line += n + (end ? 1 : 0);
  }
  free(text);
  return lines;
}

/* ---- JSON ---- */

json_t *t_json(const char *fmt, ...) {
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
  json_error_t error;
  json_t *value = json_loads(text, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
  T_CHECK(value != NULL, "the test's own JSON is wrong (%s): %s", error.text, text);
  free(text);
  return value;
}

json_t *t_at(json_t *from, const char *path) {
  while (from && *path) {
    char name[128];
    size_t n = strcspn(path, ".");
    snprintf(name, sizeof name, "%.*s", (int)n, path);
    from = json_is_array(from) ? json_array_get(from, strtoul(name, NULL, 10))
                               : json_object_get(from, name);
    path += n + (path[n] == '.');
  }
  return from;
}

int64_t t_int_at(json_t *from, const char *path, int64_t otherwise) {
  json_t *value = t_at(from, path);
  return json_is_integer(value) ? json_integer_value(value) : otherwise;
}

const char *t_text_at(json_t *from, const char *path) {
  return json_string_value(t_at(from, path));
}

/* ---- random numbers: splitmix64 ---- */

uint64_t t_seed(void) { return test.seed; }

uint64_t t_random(void) {
  if (test.state == 0) {
    test.state = test.seed ^ 0x9e3779b97f4a7c15u;
    t_note("seed %" PRIu64 " (CONVKEEP_TEST_SEED)", test.seed);
  }
  uint64_t z = (test.state += 0x9e3779b97f4a7c15u);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

uint64_t t_random_below(uint64_t n) { return t_random() % n; }
