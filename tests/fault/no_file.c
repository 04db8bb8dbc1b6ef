/* Something else has the name of a file that a start opens: a FIFO without a writer, a socket, a
 * folder, a link to a device. No process waits for it, the error names it, and when the file is
 * back, nothing is missing. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/harness/base.h"
#include "tests/harness/database.h"
#include "tests/harness/ring.h"
#include "tests/harness/talk.h"

#define ASIDE "../out/aside"

static void make_fifo(const char *path) { T_CHECK(mkfifo(path, 0600) == 0, "cannot make a FIFO"); }

static void make_folder(const char *path) {
  T_CHECK(mkdir(path, 0700) == 0, "cannot make a folder");
}

/* To a device that can be read without end. */
static void make_link(const char *path) {
  T_CHECK(symlink("/dev/zero", path) == 0, "cannot make a link");
}

static void make_socket(const char *path) {
  struct sockaddr_un at = {.sun_family = AF_UNIX};
  snprintf(at.sun_path, sizeof at.sun_path, "%s", path);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  T_CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&at, sizeof at) == 0, "cannot make a socket");
  close(fd);
}

static const struct kind {
  const char *name;
  void (*make)(const char *path);
} kinds[] = {{"a FIFO", make_fifo},
             {"a socket", make_socket},
             {"a folder", make_folder},
             {"a symbolic link", make_link}};

/* Puts it in the file's place. Returns whether there was a file. */
static bool put(const struct kind *k, const char *path) {
  bool was = t_exists(path);
  if (was) T_CHECK(rename(path, ASIDE) == 0, "cannot move %s", path);
  k->make(path);
  return was;
}

static void put_back(const char *path, bool was) {
  /* The ring itself removes what is in run/. */
  T_CHECK(remove(path) == 0 || !was, "%s has gone", path);
  if (was) T_CHECK(rename(ASIDE, path) == 0, "cannot move %s", path);
}

static void fill(void) {
  t_up();
  t_import_lines(0, "{'platform': 'x', 'text': 'good', 'role': 'user', 'message_id': 'good', "
                    "'observed_at': 1}\n");
  t_settle(20000);
  t_down();
}

static void all_is_there(void) {
  t_up();
  t_import_lines(0, "{'platform': 'x', 'text': 'better', 'role': 'user', 'message_id': 'better', "
                    "'observed_at': 2}\n");
  t_whole(20000);
  T_CHECK(t_sql_int("artifact.db", "SELECT count(*) FROM messages") == 2, "something is missing");
}

/* `convkeep WORDS` fails in time, and says what the thing is. */
static void refused(const char *path, const struct kind *k, const char *const words[]) {
  char said[512];
  snprintf(said, sizeof said, "%s: it is %s, not a file", path, k->name);
  bool was = put(k, path);
  struct t_result r = t_convkeep_words(NULL, words);
  T_CHECK(r.code == 1, "%s is %s, and convkeep %s ended with %d: %s", path, k->name, words[0],
          r.code, r.err);
  T_CHECK(strstr(r.err, said) || strstr(r.out, said), "\"%s\" is not said by convkeep %s: %s%s",
          said, words[0], r.err, r.out);
  t_result_free(&r);
  put_back(path, was);
}

T_STORY(no_file, the_settings, 60) {
  fill();
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
    refused("convkeep.conf", &kinds[i], (const char *const[]){"up", "--once", NULL});
    refused("convkeep.conf", &kinds[i], (const char *const[]){"config", NULL});
  }
  struct t_result r = t_convkeep("--config", "/dev/zero", "config");
  T_CHECK(r.code == 1 && strstr(r.err, "/dev/zero: it is a device, not a file"), "%d: %s", r.code,
          r.err);
  t_result_free(&r);
  all_is_there();
}

static void first_segment(char path[300]) {
  DIR *dir = opendir("spool");
  path[0] = 0;
  for (struct dirent *e; dir && (e = readdir(dir));)
    if (strstr(e->d_name, ".seg")) snprintf(path, 300, "spool/%s", e->d_name);
  if (dir) closedir(dir);
  T_CHECK(path[0], "the spool has no segment");
}

/* The daemon that opens the file says so, and `up` gives up. */
T_STORY(no_file, what_a_daemon_opens, 120) {
  char segment[300];
  fill();
  first_segment(segment);
  const char *const files[] = {"artifact.db",     "artifact.db-wal", "artifact.db-shm",
                               "spool/producer",  "spool/released",  "spool/unsent",
                               "spool/renounced", segment,           "mirror.db",
                               "mirror.db-lock",  "logs/store.log",  "run/store.pid"};
  for (size_t i = 0; i < sizeof files / sizeof *files; i++)
    refused(files[i], &kinds[0], (const char *const[]){"up", "--once", NULL});
  all_is_there();
}

T_STORY(no_file, what_doctor_compares, 60) {
  fill();
  refused("mirror.db", &kinds[0], (const char *const[]){"doctor", NULL});
  refused("spool/released", &kinds[0], (const char *const[]){"doctor", NULL});
  all_is_there();
}

/* The readable files are not made; everything else goes on. */
T_STORY(no_file, the_cursor_of_the_readable_files, 60) {
  fill();
  bool was = put(&kinds[0], "artifacts/.cursor");
  t_up();
  T_CHECK(was, "there was no cursor");
  t_import_lines(0, "{'platform': 'x', 'text': 'x', 'role': 'user', 'message_id': 'meanwhile', "
                    "'observed_at': 1}\n");
  struct t_result r = t_convkeep("status");
  T_CHECK(strstr(r.out, "artifacts/.cursor: it is a FIFO, not a file"),
          "the status does not say it: %s", r.out);
  t_result_free(&r);
  put_back("artifacts/.cursor", was);
  t_whole(20000);
}

/* `up --once` does all the rest, and does not hang. */
T_STORY(no_file, the_cursor_of_the_readable_files_at_once, 120) {
  fill();
  /* Not the link, which is replaced. */
  for (size_t i = 0; kinds[i].make != make_link; i++) {
    t_import_lines(0,
                   "{'platform': 'x', 'text': 'x', 'role': 'user', 'message_id': 'beside %s', "
                   "'observed_at': 1}\n",
                   kinds[i].name);
    refused("artifacts/.cursor", &kinds[i], (const char *const[]){"up", "--once", NULL});
    T_CHECK(t_sql_int("mirror.db", "SELECT count(*) FROM messages") == (int64_t)i + 2,
            "the rest was not done");
  }
  t_do(0, "up", "--once");
  t_check_artifacts("artifact.db");
}

T_STORY(no_file, what_is_to_be_restored, 60) {
  fill();
  make_fifo("../out/backup.db");
  struct t_result r = t_convkeep("restore", "../out/backup.db");
  T_CHECK(r.code == 1 && strstr(r.err, "../out/backup.db: it is a FIFO, not a file"), "%d: %s",
          r.code, r.err);
  t_result_free(&r);
  all_is_there();
}
