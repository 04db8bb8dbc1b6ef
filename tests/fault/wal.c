/* The WAL: small under any steady load, and bounded while another process (the stranger) keeps a
 * read transaction open. The load and its ledger are in load.h. */
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/clock.h"
#include "tests/fault/load.h"
#include "tests/harness/base.h"
#include "tests/harness/database.h"
#include "tests/harness/ring.h"
#include "tests/harness/talk.h"

#define MIB (1 << 20)
#define LIMIT_MIB 96
#define TEXT 40000
#define OBSERVATIONS 5000u
/* How far beyond the limit it may go: one commit, and producers' HELLOs. */
#define SLACK_MIB 24
#define STEADY_MIB 64

static off_t wal_bytes(void) {
  struct stat st;
  return stat("artifact.db-wal", &st) == 0 ? st.st_size : 0;
}

/* ---- the stranger ---- */

static pid_t stranger_begins(void) {
  int ready[2];
  char byte;
  T_CHECK(pipe(ready) == 0, "no pipe");
  pid_t pid = fork();
  if (pid == 0) {
    sqlite3 *db;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prctl(PR_SET_NAME, "stranger");
    if (sqlite3_open_v2("artifact.db", &db, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK) _exit(1);
    if (sqlite3_exec(db, "BEGIN; SELECT count(*) FROM messages", NULL, NULL, NULL) != SQLITE_OK ||
        write(ready[1], "!", 1) != 1)
      _exit(1);
    for (;;) pause();
  }
  close(ready[1]);
  T_CHECK(pid > 0 && read(ready[0], &byte, 1) == 1, "the stranger cannot read");
  close(ready[0]);
  return pid;
}

static void stranger_ends(pid_t pid) {
  kill(pid, SIGKILL);
  waitpid(pid, NULL, 0);
}

/* ---- what the ring says ---- */

static bool alarm_is(const char *alarm, pid_t pid) {
  json_t *status = t_status(3000);
  const char *word = status ? t_text_at(status, "wal.alarm") : NULL;
  bool same =
      status &&
      (alarm ? word && strcmp(word, alarm) == 0 && t_int_at(status, "wal.pid", 0) == pid : !word);
  if (same && alarm) same = strcmp(t_text_at(status, "wal.program"), "stranger") == 0;
  json_decref(status);
  return same;
}

static void load_until(struct load *l, int ms, bool (*done)(struct load *l, pid_t pid), pid_t pid,
                       const char *what) {
  for (int64_t until = ck_boot_ms() + ms * T_SLOWER; !done(l, pid); load_step(l))
    T_CHECK(ck_boot_ms() < until, "%s: %u taken, a WAL of %lld bytes; %s", what, load_taken(l),
            (long long)wal_bytes(), load_last_problem(l));
}

static bool grows(struct load *l, pid_t pid) {
  (void)l;
  return wal_bytes() > (off_t)STEADY_MIB * MIB && alarm_is("grows", pid);
}

static bool is_full(struct load *l, pid_t pid) {
  (void)l;
  return wal_bytes() > (off_t)(LIMIT_MIB - 8) * MIB && alarm_is("full", pid);
}

static bool all_taken(struct load *l, pid_t pid) {
  (void)pid;
  return load_done(l);
}

static void log_names(const char *event, pid_t pid) {
  char *log = t_read_file("logs/store.log", NULL), *line = log ? strstr(log, event) : NULL, who[48];
  snprintf(who, sizeof who, "reader=%d program=", (int)pid);
  const char *named = line ? strstr(line, who) : NULL;
  T_CHECK(named && named < line + strcspn(line, "\n"), "%s: no line that names process %d", event,
          (int)pid);
  free(log);
}

/* Nothing is committed, nothing is lost, and questions are answered. */
static void stands_still(struct load *l) {
  int64_t version = t_status_int("version", -1);
  for (int64_t until = ck_boot_ms() + 3000; ck_boot_ms() < until; load_step(l))
    T_CHECK(wal_bytes() <= (off_t)(LIMIT_MIB + SLACK_MIB) * MIB,
            "a WAL of %lld bytes, and the limit is %d MiB", (long long)wal_bytes(), LIMIT_MIB);
  T_CHECK(t_status_int("version", -1) == version, "something was written beyond the limit");
  T_CHECK(t_status_int("spool.pending", -1) >= 0, "the status does not answer");
}

T_STORY(wal, a_stranger_reads_for_long, 240) {
  t_setf("store.wal_limit", "%d", LIMIT_MIB);
  t_up();
  struct load *l = load_new(OBSERVATIONS, TEXT);
  pid_t pid = stranger_begins();
  load_until(l, 60000, grows, pid, "no alarm");
  log_names("event=wal_grows", pid);
  struct t_result r = t_convkeep("status");
  char who[48];
  snprintf(who, sizeof who, "process %d (stranger)", (int)pid);
  T_CHECK(strstr(r.out, "WAL alarm") && strstr(r.out, who),
          "the status does not name process %d: %s", (int)pid, r.out);
  t_result_free(&r);
  load_until(l, 60000, is_full, pid, "the limit was not reached");
  log_names("event=wal_full", pid);
  stands_still(l);
  /* doctor examines a copy now, because a read transaction would hold the WAL up even more. */
  r = t_convkeep("doctor");
  T_CHECK(r.code == 0 && strstr(r.out, "every page and index is sound") &&
              !strstr(r.out, "not examined"),
          "doctor beside the stranger: exit %d: %s", r.code,
          strstr(r.out, "\nwrong") ? strstr(r.out, "\nwrong") : r.out);
  t_result_free(&r);
  unsigned taken = load_taken(l);
  stranger_ends(pid);
  load_until(l, 90000, all_taken, 0, "it does not go on by itself");
  t_note("%u of %u were taken when the stranger went", taken, OBSERVATIONS);
  load_check(&l, 90000);
  T_CHECK(alarm_is(NULL, 0), "the alarm stays");
  T_CHECK(wal_bytes() <= (off_t)STEADY_MIB * MIB, "the WAL keeps %lld bytes",
          (long long)wal_bytes());
}

/* ---- without strangers ---- */

/* SINCE 0: the slowest reader of the ring itself. */
static void read_all(void) {
  struct ck_message ask = {.kind = CK_MSG_SINCE}, answer;
  struct ck_err err;
  zmq_msg_t frame;
  ask.as.since = (struct ck_since){0};
  T_CHECK(t_ask(CK_DOOR_SNAPSHOT, &ask, &answer, &frame, 5000, &err) == 0, "SINCE: %s", err.text);
  zmq_msg_close(&frame);
}

/* Starts doctor and backup in turn, each when the other has ended. */
static void tend(struct t_process **task, unsigned *n) {
  if (*task && !t_ended(*task)) return;
  if (*task) T_CHECK(t_wait_end(*task, 0) == 0, "%s did not end well", (*task)->name);
  char *program = ck_sprintf("%s/bin/convkeep", t_build()),
       *copy = ck_sprintf("%s/out/copy.db", t_folder());
  const char *doctor[] = {program, "doctor", NULL},
             *backup[] = {program, "backup", copy, "--force", NULL};
  bool examine = (*n)++ % 2 == 0;
  *task = t_start(examine ? "doctor" : "backup", NULL, false, examine ? doctor : backup);
  free(program);
  free(copy);
}

T_STORY(wal, stays_small_under_load, 240) {
  struct t_process *task = NULL;
  unsigned tasks = 0;
  off_t most = 0;
  t_up();
  struct load *l = load_new(t_long() ? 10 * OBSERVATIONS : OBSERVATIONS, TEXT);
  for (int64_t until = ck_boot_ms() + (t_long() ? 200000 : 90000) * T_SLOWER; !load_done(l);) {
    T_CHECK(ck_boot_ms() < until, "%u were taken; %s", load_taken(l), load_last_problem(l));
    load_step(l);
    tend(&task, &tasks);
    read_all();
    if (wal_bytes() > most) most = wal_bytes();
  }
  T_CHECK(most <= (off_t)STEADY_MIB * MIB, "a WAL of %lld bytes", (long long)most);
  t_note("%u times doctor and backup; the WAL at most %lld KiB", tasks, (long long)most / 1024);
  T_CHECK(t_wait_end(task, 60000) == 0, "%s did not end well", task->name);
  load_check(&l, 90000);
}
