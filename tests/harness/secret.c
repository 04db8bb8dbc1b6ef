/* Searching for leaked secrets; see secret.h. */
#include "tests/harness/secret.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/harness/base.h"
#include "tests/harness/ring.h"

#define LINE_MAX_BYTES 8192
#define WORDS_MAX 8
#define COMMAND_MS 60000

static struct {
  const char *secret, *other;
  pthread_t thread;
  atomic_bool stop;
  char told[300]; /* the first command line with a secret */
  char words[WORDS_MAX][64];
  atomic_uint seen; /* by bit: words[i] was on a command line */
} watch;

/* Reads one of a process's files, with blanks for NULs. Returns its length; 0: it cannot be read.
 */
static ssize_t read_of(const char *pid, const char *file, char *line, size_t bytes) {
  char path[300];
  snprintf(path, sizeof path, "/proc/%s/%s", pid, file);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  ssize_t n = fd < 0 ? 0 : read(fd, line, bytes - 1);
  if (fd >= 0) close(fd);
  if (n < 0) n = 0;
  for (ssize_t i = 0; i < n; ++i)
    if (!line[i]) line[i] = ' ';
  line[n] = '\0';
  return n;
}

static bool is_ours(const char *line) {
  return strstr(line, "libexec/convkeep/") || strstr(line, "bin/convkeep ");
}

/* Reads a command line. Returns its length; 0 if the process is gone or does not belong to this
 * test: another test may use the same secrets. Where one with a secret works, only root can see. */
static ssize_t command_line(const char *pid, char line[LINE_MAX_BYTES]) {
  char path[300], cwd[PATH_MAX];
  snprintf(path, sizeof path, "/proc/%s/cwd", pid);
  ssize_t length = readlink(path, cwd, sizeof cwd - 1);
  bool hidden = length < 0 && errno == EACCES;
  cwd[length > 0 ? length : 0] = '\0';
  if (!hidden && strncmp(cwd, t_folder(), strlen(t_folder())) != 0) return 0;
  ssize_t n = read_of(pid, "cmdline", line, LINE_MAX_BYTES);
  return hidden && !is_ours(line) ? 0 : n;
}

void t_secret_in_no_environment(const char *secret, const char *other) {
  static char line[LINE_MAX_BYTES], environment[1 << 17];
  int daemons = 0;
  DIR *d = opendir("/proc");
  for (struct dirent *e; d && (e = readdir(d));) {
    if (!isdigit((unsigned char)e->d_name[0]) || !command_line(e->d_name, line) || !is_ours(line))
      continue;
    daemons += strstr(line, "libexec/convkeep/") != NULL;
    read_of(e->d_name, "environ", environment, sizeof environment);
    T_CHECK(!strstr(environment, secret) && !strstr(environment, other),
            "the environment of %s has a secret", line);
  }
  if (d) closedir(d);
  T_CHECK(daemons >= 4, "only %d daemons were looked at", daemons);
}

static void look(const char *line) {
  if (!watch.told[0] && (strstr(line, watch.secret) || strstr(line, watch.other)))
    snprintf(watch.told, sizeof watch.told, "%.200s", line);
  for (unsigned i = 0; i < WORDS_MAX && watch.words[i][0]; ++i)
    if (strstr(line, watch.words[i])) atomic_fetch_or(&watch.seen, 1u << i);
}

static void *run(void *nothing) {
  static char line[LINE_MAX_BYTES];
  while (!atomic_load(&watch.stop)) {
    DIR *d = opendir("/proc");
    for (struct dirent *e; d && (e = readdir(d));)
      if (isdigit((unsigned char)e->d_name[0]) && command_line(e->d_name, line)) look(line);
    if (d) closedir(d);
    usleep(2000);
  }
  return nothing;
}

void t_secret_watch(const char *secret, const char *other) {
  static const char *const words[] = {
      "libexec/convkeep/store", "libexec/convkeep/syncd", "verify", "repair", "schema", "doctor"};
  watch.secret = secret;
  watch.other = other;
  watch.told[0] = '\0';
  for (size_t i = 0; i < sizeof words / sizeof *words; ++i)
    snprintf(watch.words[i], sizeof watch.words[i], "%s", words[i]);
  atomic_store(&watch.seen, 0);
  atomic_store(&watch.stop, false);
  T_CHECK(pthread_create(&watch.thread, NULL, run, NULL) == 0, "no thread");
}

void t_secret_unwatched(void) {
  atomic_store(&watch.stop, true);
  pthread_join(watch.thread, NULL);
  T_CHECK(!watch.told[0], "a command line has a secret: %s", watch.told);
  for (unsigned i = 0; i < WORDS_MAX && watch.words[i][0]; ++i)
    T_CHECK(atomic_load(&watch.seen) & 1u << i, "the watch never saw '%s': it proves nothing",
            watch.words[i]);
}

void t_secret_nowhere(const char *secret, const char *other, const char *const except[]) {
  char names[8][100];
  char file[PATH_MAX], both[300];
  snprintf(file, sizeof file, "%s/out/secrets", t_folder());
  snprintf(both, sizeof both, "%s\n%s\n", secret, other);
  t_write_text(file, both);
  const char *argv[16] = {"/bin/grep", "-rlaF", "-f", file, "--exclude=secrets"};
  int n = 5;
  for (int i = 0; except[i] && i < 8; ++i) {
    size_t length = strlen(except[i]);
    bool folder = except[i][length - 1] == '/';
    snprintf(names[i], sizeof names[i], "--exclude%s=%.*s", folder ? "-dir" : "",
             (int)(length - folder), except[i]);
    argv[n++] = names[i];
  }
  argv[n++] = t_folder();
  argv[n] = NULL;
  struct t_result r = t_run("grep", NULL, COMMAND_MS, argv);
  T_CHECK(r.code == 1, "a secret is in %s", r.out);
  t_result_free(&r);
}

void t_secret_ask_all(void) {
  static const char *const all[][6] = {
      {"status"},         {"sync", "status"},
      {"sync", "verify"}, {"sync", "verify", "--deep"},
      {"sync", "repair"}, {"sync", "schema", "--apply"},
      {"config"},         {"doctor"},
  };
  for (size_t i = 0; i < sizeof all / sizeof *all; ++i) {
    const char *words[8] = {0};
    int n = 0;
    for (; all[i][n]; ++n) words[n] = all[i][n];
    for (int json = 0; json < 2; ++json) {
      words[n] = json ? "--json" : NULL;
      struct t_result r = t_convkeep_words(NULL, words);
      t_result_free(&r);
    }
  }
}
