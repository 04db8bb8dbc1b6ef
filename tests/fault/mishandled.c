/* A data folder under the hands of a person, a cleaner or a backup program: files and folders are
 * removed, renamed, replaced by older ones, emptied, cut, made links, given other modes, or the
 * disk is full; while the ring is up and while it is down; at random, from a seed.
 *
 * What holds after each round: every acknowledged message is there; or a start is refused with a
 * reason that names a file; or status or doctor has an alarm that does. No process crashes, none is
 * started again and again, and nothing outside the folder is touched.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/harness/base.h"
#include "tests/harness/database.h"
#include "tests/harness/ring.h"
#include "tests/harness/talk.h"

#define MESSAGES_MAX 100000
#define COPIES 3 /* older copies of the folder, in ../older/0 … */

static const char *const targets[] = {"artifact.db",
                                      "artifact.db",
                                      "artifact.db",
                                      "artifact.db-wal",
                                      "artifact.db-shm",
                                      "mirror.db",
                                      "mirror.db-wal",
                                      "witness",
                                      "artifacts",
                                      "artifacts/.cursor",
                                      "artifacts/.names",
                                      "artifacts/conversations",
                                      "artifacts/conversations/*",
                                      "spool",
                                      "spool/*.seg",
                                      "spool/producer",
                                      "spool/released",
                                      "run",
                                      "run/*.pid",
                                      "run/intake",
                                      "run/snapshot",
                                      "logs",
                                      "logs/store.log",
                                      "logs/ingest.log",
                                      "keys",
                                      "convkeep.conf",
                                      ".",
                                      "artifact.db*",
                                      "*"};

/* T: the target; O: an older copy of the folder; S: ../outside, which nobody may touch. */
static const struct {
  const char *name, *command;
} actions[] = {
    {"removed", "rm -rf -- $T"},
    {"removed", "rm -rf -- $T"},
    {"renamed", "for f in $T; do mv -- \"$f\" \"$f.away\"; done"},
    {"replaced by an older one",
     "for f in $T; do rm -rf -- \"$f\"; cp -a \"$O/$f\" \"$f\"; done; true"},
    {"replaced by an older one",
     "for f in $T; do rm -rf -- \"$f\"; cp -a \"$O/$f\" \"$f\"; done; true"},
    {"overwritten by an older one", "for f in $T; do cp -r \"$O/$f\" \"$f\"; done; true"},
    {"emptied", "for f in $T; do [ -f \"$f\" ] && : >\"$f\" || rm -rf -- \"$f\"/*; done"},
    {"cut in half",
     "for f in $T; do [ ! -f \"$f\" ] || truncate -s $(($(stat -c %s \"$f\") / 2)) \"$f\"; done"},
    {"made a symbolic link to something else",
     "for f in $T; do rm -rf -- \"$f\"; ln -s \"$S/text\" \"$f\"; done"},
    {"made a symbolic link to a folder",
     "for f in $T; do rm -rf -- \"$f\"; ln -s \"$S/folder\" \"$f\"; done"},
    {"made a symbolic link to nothing",
     "for f in $T; do rm -rf -- \"$f\"; ln -s \"$S/nothing\" \"$f\"; done"},
    {"made a hard link of something else",
     "for f in $T; do rm -rf -- \"$f\"; ln \"$S/text\" \"$f\"; done"},
    {"made a folder", "for f in $T; do rm -rf -- \"$f\"; mkdir -- \"$f\"; done"},
    {"given mode 0", "chmod 0 $T"},
    {"given mode 777", "chmod 777 $T"},
    {"given to somebody else", "chown 12345:12345 $T"},
};

/* ---- the ledger ---- */

static bool acknowledged[MESSAGES_MAX];
static int next_message;

/* Imports some messages; they are acknowledged if the command says so. */
static bool import_some(void) {
  int from = next_message, n = 1 + (int)t_random_below(20);
  struct ck_buf lines = {0};
  for (int i = from; i < from + n; i++)
    ck_buf_printf(&lines,
                  "{\"platform\":\"x\",\"text\":\"number %d\",\"role\":\"user\",\"message_id\":"
                  "\"s%06d\",\"conversation_id\":\"c\",\"observed_at\":%d}\n",
                  i, i, i + 1);
  next_message += n;
  T_CHECK(next_message < MESSAGES_MAX, "too many messages");
  t_write_file("../out/some.jsonl", lines.data, lines.len);
  ck_buf_free(&lines);
  char file[400];
  snprintf(file, sizeof file, "%s/out/some.jsonl", t_folder());
  struct t_result r = t_convkeep("import", file);
  bool taken = r.code == 0;
  T_CHECK(r.code <= 3, "import ended with %d: %s", r.code, r.err);
  T_CHECK(taken || r.err[0], "import failed and says nothing");
  for (int i = from; i < from + n; i++) acknowledged[i] = taken;
  t_result_free(&r);
  return taken;
}

/* How many acknowledged messages are not in the database; -1: it cannot be read. */
static int missing(void) {
  static bool there[MESSAGES_MAX];
  memset(there, 0, sizeof there);
  sqlite3 *db = NULL;
  sqlite3_stmt *s = NULL;
  int rc = sqlite3_open_v2("artifact.db", &db, SQLITE_OPEN_READONLY, NULL);
  if (rc == SQLITE_OK) rc = sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
  if (rc == SQLITE_OK) rc = sqlite3_busy_timeout(db, 2000);
  if (rc == SQLITE_OK)
    rc = sqlite3_prepare_v2(db, "SELECT id, raw_text FROM messages", -1, &s, NULL);
  while (rc == SQLITE_OK && (rc = sqlite3_step(s)) == SQLITE_ROW) {
    const char *id = (const char *)sqlite3_column_text(s, 0),
               *text = (const char *)sqlite3_column_text(s, 1);
    int i = atoi(id + 1);
    there[i] = strncmp(text, "number ", 7) == 0 && atoi(text + 7) == i;
    rc = SQLITE_OK;
  }
  sqlite3_finalize(s);
  sqlite3_close(db);
  if (rc != SQLITE_DONE) return -1;
  int n = 0;
  for (int i = 0; i < next_message; i++) n += acknowledged[i] && !there[i];
  return n;
}

/* ---- the folder ---- */

static void shell(const char *command) { T_CHECK(system(command) == 0, "%s", command); }

static const char *path_of(const char *below) {
  static char path[4][600];
  static int turn;
  char *at = path[turn++ % 4];
  snprintf(at, sizeof path[0], "%s/%s", t_folder(), below);
  return at;
}

/* What the data folder was before the round, and what was acknowledged then. */
static int good_messages;

static void keep_good(void) {
  shell("rm -rf ../good && cp -a . ../good && rm -f ../good/ballast");
  good_messages = next_message;
}

/* The folder itself may have gone; when it is a disk of its own, it stays. */
static void back_to_good(void) {
  T_CHECK(chdir(path_of("")) == 0, "no folder");
  shell("rm -rf data.away; mkdir -p data; find data -mindepth 1 -delete; cp -a good/. data");
  T_CHECK(chdir(path_of("data")) == 0, "no data folder");
  for (int i = good_messages; i < next_message; i++) acknowledged[i] = false;
}

static void begin_world(void) {
  shell("find . -mindepth 1 -delete; rm -rf ../older; mkdir -p ../older/0 ../older/1 ../older/2");
  memset(acknowledged, 0, sizeof acknowledged);
  next_message = 0;
}

static void keep_older(void) {
  int k = (int)t_random_below(COPIES);
  char command[100];
  snprintf(command, sizeof command, "rm -rf ../older/%d && cp -a ../good ../older/%d", k, k);
  shell(command);
}

/* The times of folders tell nothing: a file that was there for a moment changes them. */
static void make_outside(void) {
  shell("mkdir -p ../outside/folder && echo text >../outside/text && echo x >../outside/folder/f");
  shell("cd ../outside && find . -type d -printf '%p %m %U\n' -o -printf '%p %m %U %s %T@\n' | "
        "sort >../out/outside");
}

static void check_outside(void) {
  char command[700];
  snprintf(command, sizeof command,
           "cd %s && find . -type d -printf '%%p %%m %%U\n' -o -printf '%%p %%m %%U %%s %%T@\n' | "
           "sort | diff %s -",
           path_of("outside"), path_of("out/outside"));
  shell(command);
}

/* ---- a hand ---- */

static char did[400]; /* in this round */

static bool whole_folder(const char *target) {
  return strcmp(target, ".") == 0 || strcmp(target, "*") == 0;
}

/* With all of it gone, or as old as the database, nothing in the folder can tell. */
static bool can_tell(const char *target, const char *action, bool up) {
  if (!whole_folder(target)) return true;
  bool gone = strcmp(action, "removed") == 0 || strcmp(action, "renamed") == 0;
  return up && gone;
}

/* True: all of the folder was taken away. */
static bool mishandle(bool up, bool last) {
  const char *target, *name;
  size_t k;
  do {
    target = targets[t_random_below(sizeof targets / sizeof *targets)];
    k = t_random_below(sizeof actions / sizeof *actions);
    name = actions[k].name;
  } while (!can_tell(target, name, up) || (!last && strstr(name, "link")));
  size_t n = strlen(did);
  snprintf(did + n, sizeof did - n, "%s%s %s %s", n ? ", then " : "", up ? "up:" : "down:", target,
           name);
  struct ck_buf text = {0};
  ck_buf_printf(&text, "cd %s; shopt -s nullglob; T='%s' O=%s/%d S=%s\n", path_of("data"), target,
                path_of("older"), (int)t_random_below(COPIES), path_of("outside"));
  if (strcmp(target, ".") == 0)
    ck_buf_text(&text,
                strcmp(name, "removed") == 0 ? "cd ..; rm -rf data" : "cd ..; mv data data.away");
  else
    ck_buf_text(&text, actions[k].command);
  ck_buf_text(&text, "\n");
  int fd = open(path_of("out/hand.sh"), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  T_CHECK(fd >= 0 && write(fd, text.data, text.len) == (ssize_t)text.len, "no script");
  close(fd);
  ck_buf_free(&text);
  char command[700];
  snprintf(command, sizeof command, "bash %s 2>/dev/null", path_of("out/hand.sh"));
  int ignored = system(command);
  (void)ignored;
  return whole_folder(target);
}

static void fill(void) {
  static char block[65536];
  size_t leave = t_random_below(300 << 10);
  int fd = open("ballast", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) return;
  while (write(fd, block, sizeof block) > 0) continue;
  off_t size = lseek(fd, 0, SEEK_END);
  if (size > (off_t)leave && ftruncate(fd, size - (off_t)leave)) T_FAIL("ballast");
  close(fd);
  size_t n = strlen(did);
  snprintf(did + n, sizeof did - n, "%sthe disk full but for %zu", n ? ", then " : "", leave);
}

/* ---- what is said ---- */

static bool names_a_file(const char *text) {
  static const char *const names[] = {"artifact.db", "mirror.db", "artifacts", "spool",
                                      "run/",        "logs",      "keys",      "convkeep.conf",
                                      "witness",     "/data",     "disk"};
  for (size_t i = 0; text && i < sizeof names / sizeof *names; i++)
    if (strstr(text, names[i])) return true;
  return false;
}

/* status or doctor says that something is wrong, and with what. */
static bool alarmed(void) {
  struct t_result r = t_convkeep("status", "--json");
  json_t *status = r.code == 0 ? json_loads(r.out, JSON_DISABLE_EOF_CHECK, NULL) : NULL;
  bool yes = names_a_file(t_text_at(status, "alarm"));
  size_t i;
  json_t *one;
  json_array_foreach(t_at(status, "daemons"), i, one) yes |=
      names_a_file(t_text_at(one, "info.last_error"));
  yes |= r.code != 0 && names_a_file(r.err);
  json_decref(status);
  t_result_free(&r);
  if (yes) return true;
  r = t_convkeep("doctor");
  yes = r.code == 1 && (names_a_file(r.out) || names_a_file(r.err));
  t_result_free(&r);
  return yes;
}

/* ---- the ring ---- */

static struct t_process *ring;

static bool begin_ring(void) {
  char program[600];
  snprintf(program, sizeof program, "%s/bin/convkeep", t_build());
  const char *argv[] = {program, "up", NULL};
  ring = t_start("up", NULL, false, argv);
  int64_t until = ck_boot_ms() + 8000 * T_SLOWER;
  while (!t_said_line(ring, "ready") && !t_ended(ring) && ck_boot_ms() < until) t_pause(10);
  T_CHECK(t_said_line(ring, "ready") || t_ended(ring) || alarmed(),
          "`up` is neither ready nor ended, and nothing says why, after: %s", did);
  return !t_ended(ring);
}

/* Each daemon waits twice as long after each failure, so this is more than what a few seconds are
 * worth. */
static void check_ring(void) {
  static const char *const daemons[] = {"store", "ingest", "renewd", "syncd", "webd"};
  /* Who cuts off a file that a process has mapped ends it with SIGBUS: SQLite maps its -shm.
   * rounds() has AddressSanitizer leave that signal alone. */
  bool mapped = strstr(did, ".db-shm") || strstr(did, "*");
  T_CHECK(!t_complained(ring, "event=died signal=") ||
              (mapped && t_complained(ring, "event=died signal=7 ")),
          "a daemon crashed after: %s", did);
  char *said = t_read_file(ring->err, NULL);
  for (int d = 0; d < 5; d++) {
    char part[40];
    int died = 0;
    snprintf(part, sizeof part, "id=%s event=died", daemons[d]);
    for (const char *at = said; at && (at = strstr(at, part)); at++) died++;
    T_CHECK(died <= 6, "%s was started %d times after: %s", daemons[d], died, did);
  }
  free(said);
}

static void end_ring(bool kill_it) {
  t_talk_forget();
  if (ring && !t_ended(ring)) t_signal(ring, kill_it ? SIGKILL : SIGINT);
  if (ring) {
    int code = t_wait_end(ring, 10000);
    T_CHECK(code <= 1 || code == 128 + SIGKILL, "up ended with %d after: %s", code, did);
    check_ring();
  }
  pid_t here[1];
  T_UNTIL(10000, t_processes_here(here, 1) == 0, "a daemon outlives `up` after: %s", did);
  ring = NULL;
}

/* ---- the verdict ---- */

static bool refusal_names_it(void) {
  char *said = t_read_file(ring->err, NULL);
  bool yes = said && strstr(said, "convkeep: up: ") && names_a_file(strstr(said, "convkeep: up: "));
  free(said);
  return yes;
}

enum verdict { WHOLE, REFUSED, ALARMED, VERDICTS };
static const char *const verdict_names[] = {"whole", "refused", "alarm"};

static enum verdict judge(void) {
  if (begin_ring()) {
    int64_t least = ck_boot_ms() + 300, until = ck_boot_ms() + 8000 * T_SLOWER;
    while (!t_ended(ring) && ck_boot_ms() < until && (missing() != 0 || ck_boot_ms() < least)) {
      if (missing() != 0 && ck_boot_ms() > least + 1000 && alarmed()) return ALARMED;
      t_pause(50);
    }
    check_ring();
  }
  if (t_ended(ring)) {
    T_CHECK(refusal_names_it(), "the ring ended, and no reason names a file after: %s", did);
    return REFUSED;
  }
  int lost = missing();
  if (lost == 0) return WHOLE;
  T_CHECK(alarmed(), "%d acknowledged messages are missing, and nothing says so, after: %s", lost,
          did);
  return ALARMED;
}

/* ---- rounds ---- */

static unsigned verdicts[VERDICTS];

static void round_of(bool small) {
  did[0] = 0;
  bool up = t_random_below(2), kill_it = t_random_below(3) == 0, full = small && t_random_below(2);
  int hands = 1 + (int)t_random_below(2);
  bool taken = false;
  if (up && begin_ring()) import_some();
  if (full && t_random_below(2)) fill();
  if (up && kill_it && t_random_below(2)) end_ring(true), up = false;
  for (int i = 0; i < hands && !(full && did[0]); i++) taken |= mishandle(up, i == hands - 1);
  if (full && !strstr(did, "the disk full")) fill();
  if (up && chdir(path_of("data")) == 0) {
    if (!taken && t_random_below(2)) import_some();
    if (t_random_below(2)) t_pause((int)t_random_below(1500));
  }
  /* A store that is killed before it has seen that all is gone leaves nothing that could tell. */
  if (ring) end_ring(kill_it && !taken);
  /* A folder that was moved is whole where it is; what its path leads to is another one. */
  T_CHECK(chdir(path_of("")) == 0, "no folder");
  shell("[ ! -d data.away ] || { rm -rf data; mv data.away data; }");
  if (mkdir(path_of("data"), 0700) && errno != EEXIST) T_FAIL("no data folder");
  T_CHECK(chdir(path_of("data")) == 0, "no data folder");
  enum verdict v = judge();
  if (full) {
    end_ring(false);
    unlink("ballast");
    v = judge();
  }
  end_ring(false);
  check_outside();
  verdicts[v]++;
  if (t_rounds()) t_note("%s: %s", verdict_names[v], did);
  if (v != WHOLE || strstr(did, "link") || t_random_below(2)) back_to_good();
}

static void rounds(bool small, unsigned n) {
  t_asan_option("handle_sigbus=0");
  make_outside();
  begin_world();
  for (unsigned i = 0; i < n; i++) {
    if (next_message > 1000) begin_world();
    t_up();
    T_CHECK(import_some(), "an import into a whole folder failed, after: %s", did);
    t_down();
    keep_good();
    if (i < COPIES || t_random_below(2)) keep_older();
    round_of(small);
  }
  t_note("%u rounds: %u whole, %u refused, %u alarms", n, verdicts[WHOLE], verdicts[REFUSED],
         verdicts[ALARMED]);
  back_to_good();
  begin_world(); /* what was renamed is still there, such as sockets */
}

T_STORY(mishandled, at_random, 2000) { rounds(false, t_rounds() ? t_rounds() : t_long() ? 60 : 7); }

/* Visible only to this test and its children; it needs root. */
T_STORY(mishandled, on_a_disk_that_fills_up, 2000) {
  if (geteuid() != 0) t_skip("a small disk can be mounted by root only");
  if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
    t_skip("no file system of one's own here: %s", strerror(errno));
  if (mount("none", ".", "tmpfs", MS_NOSUID | MS_NODEV, "size=80m,mode=0700") != 0)
    t_skip("a small disk cannot be mounted here: %s", strerror(errno));
  T_CHECK(chdir(path_of("data")) == 0, "no data folder");
  rounds(true, t_rounds() ? t_rounds() : t_long() ? 30 : 4);
}
