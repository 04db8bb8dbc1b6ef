/* Scarce resources: another process (the stranger) holds the database's lock, folders cannot be
 * written, no descriptors, no memory. Acknowledged observations are stored afterwards, and
 * everything goes on by itself. The load and its ledger are in load.h. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/fault/load.h"
#include "tests/harness/base.h"
#include "tests/harness/database.h"
#include "tests/harness/ring.h"
#include "tests/harness/talk.h"

#define OBSERVATIONS 2500
/* Observations before the fault; the rest come during it and after. */
#define BEFORE 500

static void load_for(struct load *l, int ms) {
  load_allow(l, OBSERVATIONS);
  for (int64_t until = ck_boot_ms() + ms; ck_boot_ms() < until;) load_step(l);
}

static struct load *begin_load(size_t text) {
  t_up();
  struct load *l = load_new(OBSERVATIONS, text);
  load_allow(l, BEFORE);
  for (int64_t until = ck_boot_ms() + 30000 * T_SLOWER; load_taken(l) < BEFORE; load_step(l))
    T_CHECK(ck_boot_ms() < until, "%u of %u were taken; %s", load_taken(l), BEFORE,
            load_last_problem(l));
  return l;
}

/* `status` answers, and the store's own error has this in it; "": there is none. */
static bool store_says(const char *part) {
  json_t *status = t_status(5000);
  const char *said =
      status ? t_text_at(t_daemon_entry(status, "store", 0), "info.last_error") : NULL;
  bool says = said && (*part ? strstr(said, part) != NULL : *said == 0);
  json_decref(status);
  return says;
}

static void to_the_end(struct load *l) {
  for (int64_t until = ck_boot_ms() + 90000 * T_SLOWER; !load_done(l); load_step(l))
    T_CHECK(ck_boot_ms() < until, "%u of %u were taken since everything is there again; %s",
            load_taken(l), OBSERVATIONS, load_last_problem(l));
  load_check(&l, 60000);
  T_CHECK(store_says(""), "all is well, and the status does not say so");
}

/* ---- the stranger's lock ---- */

static sqlite3 *stranger_begins(void) {
  sqlite3 *db;
  T_CHECK(sqlite3_open("artifact.db", &db) == SQLITE_OK, "the stranger cannot open the database");
  sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
  sqlite3_exec(db, "PRAGMA wal_autocheckpoint = 0", NULL, NULL, NULL);
  sqlite3_busy_timeout(db, 10000);
  T_CHECK(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL) == SQLITE_OK,
          "the stranger gets no lock: %s", sqlite3_errmsg(db));
  return db;
}

static void stranger_ends(sqlite3 *db) {
  sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
  sqlite3_close(db);
}

/* Nothing is committed, but stored records can be read, and ingest goes on accepting. */
T_STORY(scarce, a_stranger_holds_the_lock, 120) {
  struct load *l = begin_load(200);
  sqlite3 *stranger = stranger_begins();
  int64_t version = t_sql_int("artifact.db", "SELECT max(version) FROM messages");
  load_for(l, 4000);
  T_CHECK(load_taken(l) > BEFORE, "nothing was taken while the database was locked; %s",
          load_last_problem(l));
  T_CHECK(t_sql_int("artifact.db", "SELECT max(version) FROM messages") == version,
          "something was committed beside the stranger's lock");
  T_UNTIL(10000, store_says("locked"), "the status does not say that a stranger holds the lock");
  stranger_ends(stranger);
  to_the_end(l);
}

/* The store is killed meanwhile: it cannot start until the lock is released. */
T_STORY(scarce, a_stranger_holds_the_lock_at_the_start, 120) {
  struct load *l = begin_load(200);
  sqlite3 *stranger = stranger_begins();
  t_kill("store", SIGKILL);
  load_for(l, 5000);
  stranger_ends(stranger);
  to_the_end(l);
}

/* ---- commits that fail after everything was applied ---- */

static void no_room(bool is) {
  int fd = open("../no_room", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  T_CHECK(fd >= 0 && pwrite(fd, is ? "1" : "\0", 1, 0) == 1, "the disk cannot be filled");
  close(fd);
}

/* After a failed commit the store must not take for stored what it has in memory: the producers
 * send everything again. */
T_STORY(scarce, no_room_for_the_wal, 120) {
  char file[512], shim[512];
  snprintf(file, sizeof file, "%s/no_room", t_folder());
  snprintf(shim, sizeof shim, "%s/tests/no_room.so", t_build());
  no_room(false);
  setenv("NO_ROOM_FILE", file, 1);
  setenv("LD_PRELOAD", shim, 1);
  if (T_SLOWER > 1) /* ASan insists on being the first library. */
    setenv("ASAN_OPTIONS", "verify_asan_link_order=0:abort_on_error=0:exitcode=99", 1);
  struct load *l = begin_load(200);
  unsetenv("LD_PRELOAD");
  for (int i = 0; i < 4; i++) {
    int64_t before = t_sql_int("artifact.db", "SELECT messages FROM store");
    no_room(true);
    load_allow(l, load_sent(l) + 300);
    for (int64_t until = ck_boot_ms() + 30000 * T_SLOWER; !store_says("full"); load_step(l))
      T_CHECK(ck_boot_ms() < until, "the status does not say that there is no room, round %d", i);
    no_room(false);
    for (int64_t until = ck_boot_ms() + 30000 * T_SLOWER;
         t_sql_int("artifact.db", "SELECT messages FROM store") == before; load_step(l))
      T_CHECK(ck_boot_ms() < until, "it does not go on when there is room, round %d", i);
  }
  load_allow(l, OBSERVATIONS);
  to_the_end(l);
}

/* ---- folders that cannot be written ---- */

static void own_mounts(void) {
  if (geteuid() != 0) t_skip("a folder can be made read-only for root by root only");
  if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
    t_skip("no mounts of one's own here: %s", strerror(errno));
}

static void read_only(const char *path) {
  if (mount(path, path, NULL, MS_BIND, NULL) != 0 ||
      mount(NULL, path, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL) != 0)
    t_skip("%s cannot be made read-only here: %s", path, strerror(errno));
}

static void writable_again(const char *path) {
  T_CHECK(umount2(path, MNT_DETACH) == 0, "%s: %s", path, strerror(errno));
}

static void a_folder(const char *path, int ms) {
  own_mounts();
  struct load *l = begin_load(200);
  read_only(path);
  load_for(l, ms);
  T_UNTIL(10000, t_status_int("version", -1) >= 0,
          "the store does not answer while %s/ is read-only", path);
  writable_again(path);
  to_the_end(l);
}

T_STORY(scarce, artifacts_are_read_only, 150) { a_folder("artifacts", 3000); }

/* An ingest that is killed meanwhile cannot open its spool, and says so. */
T_STORY(scarce, the_spool_is_read_only, 150) {
  own_mounts();
  struct load *l = begin_load(200);
  read_only("spool");
  t_kill("ingest", SIGKILL);
  load_for(l, 2000);
  char *log = t_read_file("logs/ingest.log", NULL);
  T_CHECK(log && strstr(log, "Read-only file system"), "ingest does not say why it does not start");
  free(log);
  writable_again("spool");
  to_the_end(l);
}

/* Each command that needs to write there says what a person can do. */
static void check_advice(const char *folder) {
  static const char *const commands[][6] = {
      {"up"},
      {"status"},
      {"list", "messages"},
      {"import", "/dev/null"},
      {"doctor"},
      {"sync", "status"},
      {"rebuild", "artifacts"},
      {"pause", "x:c"},
      {"jobs", "why", "x:c"},
      {"set", "x:c", "--automation", "auto"},
      {"config", "--check"},
  };
  for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
    struct t_result r = t_convkeep_words(NULL, commands[i]);
    T_CHECK(r.code == 1 || r.code == 2 || r.code == 3, "%s on a read-only folder ended with %d",
            commands[i][0], r.code);
    T_CHECK(strstr(r.err, folder) &&
                strstr(r.err, "cannot be written: let this user write it and what is in it, or "
                              "mount it writable (Read-only file system)"),
            "%s does not say what to do: %s", commands[i][0], r.err);
    t_result_free(&r);
  }
}

/* The ring does not start in a read-only folder: one line says so, and nothing is left. */
T_STORY(scarce, all_of_it_read_only, 60) {
  own_mounts();
  t_up();
  t_import_lines(0, "{'platform': 'x', 'text': 'before', 'role': 'user', 'message_id': 'm1', "
                    "'conversation_id': 'c', 'observed_at': 1}");
  t_settle(20000);
  t_down();
  char folder[512];
  snprintf(folder, sizeof folder, "%s", getenv("CONVKEEP_DATA"));
  T_CHECK(chdir("/") == 0, "no root");
  read_only(folder);
  check_advice(folder);
  writable_again(folder);
  T_CHECK(chdir(folder) == 0, "no folder");
  t_up();
  t_whole(20000);
  T_CHECK(t_count("messages") == 1, "the message is not there any more");
}

/* ---- no descriptors, no memory ---- */

static rlim_t descriptors_of(pid_t pid) {
  char path[64];
  rlim_t n = 0;
  snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
  DIR *d = opendir(path);
  for (struct dirent *e; d && (e = readdir(d));) n += e->d_name[0] != '.';
  if (d) closedir(d);
  return n;
}

static rlim_t address_space_of(pid_t pid) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/statm", (int)pid);
  char *text = t_read_file(path, NULL);
  rlim_t pages = text ? strtoul(text, NULL, 10) : 0;
  free(text);
  return pages * (rlim_t)sysconf(_SC_PAGESIZE);
}

static bool alive(const char *name, pid_t pid) { return t_pid(name) == pid; }

/* Limits this process until it ends or the limit is lifted. */
static void limit(pid_t pid, int what, rlim_t most) {
  struct rlimit now;
  if (prlimit(pid, what, NULL, &now) != 0) return; /* it has ended; its successor has no limit */
  now.rlim_cur = most < now.rlim_max ? most : now.rlim_max;
  prlimit(pid, what, &now, NULL);
}

static void squeeze(const char *name, int what, rlim_t most) {
  pid_t pid = t_pid(name);
  T_CHECK(pid != 0, "%s does not run", name);
  limit(pid, what, most);
}

static const char *const names[] = {"store", "ingest", "renewd", "syncd", "webd"};
enum { MEMBERS = sizeof names / sizeof *names };

/* Connects to webd; -1: it cannot be. */
static int connect_to_webd(void) {
  json_t *status = t_status(5000);
  const char *address =
      status ? t_text_at(t_daemon_entry(status, "webd", 0), "info.address") : NULL;
  const char *port = address ? strrchr(address, ':') : NULL;
  struct sockaddr_in to = {.sin_family = AF_INET,
                           .sin_port = htons(port ? (uint16_t)atoi(port + 1) : 0),
                           .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int fd = port ? socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) : -1;
  if (fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof to)) {
    close(fd);
    fd = -1;
  }
  json_decref(status);
  return fd;
}

static bool webd_answers(void) {
  static const char question[] = "GET /v1/status HTTP/1.1\r\nHost: here\r\n\r\n";
  char answer[9] = "";
  int fd = connect_to_webd();
  struct pollfd wait = {fd, POLLIN, 0};
  bool answers = fd >= 0 && send(fd, question, sizeof question - 1, MSG_NOSIGNAL) > 0 &&
                 poll(&wait, 1, 5000) > 0 && read(fd, answer, sizeof answer - 1) > 0 &&
                 strcmp(answer, "HTTP/1.1") == 0;
  if (fd >= 0) close(fd);
  return answers;
}

/* Others keep connecting, and each accepted connection takes a descriptor. */
T_STORY(scarce, no_descriptors, 150) {
  static const enum ck_door doors[] = {CK_DOOR_INTAKE, CK_DOOR_FEED, CK_DOOR_WORK, CK_DOOR_SNAPSHOT,
                                       CK_DOOR_OBSERVE};
  int open[120], n = 0;
  pid_t before[MEMBERS];
  struct load *l = begin_load(200);
  T_UNTIL(20000, webd_answers(), "webd does not answer");
  for (int i = 0; i < MEMBERS; i++)
    squeeze(names[i], RLIMIT_NOFILE, descriptors_of(before[i] = t_pid(names[i])) + 2);
  for (int i = 0; i < 100; i++) {
    int fd = t_plain_connect(doors[i % 5]);
    if (fd >= 0) open[n++] = fd;
  }
  for (int i = 0; i < 20; i++) {
    int fd = connect_to_webd();
    if (fd >= 0) open[n++] = fd;
  }
  load_for(l, 3000);
  for (int i = 0; i < n; i++) close(open[i]);
  for (int i = 0; i < MEMBERS; i++) {
    t_note("%s %s", names[i],
           alive(names[i], before[i]) ? "survived it" : "ended, and was started again");
    limit(before[i], RLIMIT_NOFILE, 1024);
  }
  to_the_end(l);
  T_UNTIL(20000, webd_answers(), "webd does not answer");
}

/* A process that cannot allocate ends, and is started again. */
T_STORY(scarce, no_memory, 150) {
  struct load *l = begin_load(4000);
  for (int i = 0; i < MEMBERS; i++) {
    pid_t pid = t_pid(names[i]);
    squeeze(names[i], RLIMIT_AS, address_space_of(pid));
    load_for(l, 1500);
    t_note("%s %s", names[i],
           alive(names[i], pid) ? "survived it" : "ended, and was started again");
    limit(pid, RLIMIT_AS, RLIM_INFINITY);
  }
  to_the_end(l);
  T_UNTIL(20000, webd_answers(), "webd does not answer");
}
