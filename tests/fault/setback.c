/* A spool restored from a backup older than the store's database, or used by two processes: the
 * store knows numbers of this producer that this spool never sent. Observations accepted under
 * those numbers must not be lost.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/harness/base.h"
#include "tests/harness/database.h"
#include "tests/harness/ring.h"
#include "tests/harness/talk.h"

static void copy_one(const char *path, void *to) {
  char target[512];
  size_t n;
  if (strstr(path, "/damaged/")) return;
  char *bytes = t_read_file(path, &n);
  snprintf(target, sizeof target, "%s%s", (const char *)to, strrchr(path, '/'));
  t_write_file(target, bytes, n);
  free(bytes);
}

static void copy_spool(const char *from, const char *to) {
  mkdir(to, 0700);
  t_walk(from, copy_one, (void *)(uintptr_t)to);
}

/* A second ingest on a copy of the folder; NULL: none so far. It ends when it finds that its id is
 * in use, and keep_twin starts it again. */
static struct t_process *twin;

static bool keep_twin(void) {
  char program[512], folder[512];
  if (twin && !t_ended(twin)) return true;
  snprintf(program, sizeof program, "%s/libexec/convkeep/ingest", t_build());
  snprintf(folder, sizeof folder, "%s/twin", t_folder());
  const char *argv[] = {program, "--data", folder, NULL};
  twin = t_start("twin", NULL, true, argv);
  t_wait_ready(twin, 20000);
  return true;
}

/* Sends observations from..to-1 until each is acknowledged. */
static void observe(int from, int to) {
  struct ck_err err = {""};
  for (int i = from; i < to; i++) {
    char one[200];
    snprintf(one, sizeof one,
             "{'platform': 'x', 'text': 'number %d', 'role': 'user', 'message_id': 's%04d', "
             "'conversation_id': 'c', 'observed_at': %d}",
             i, i, i + 1);
    T_UNTIL(40000, (!twin || keep_twin()) && t_observe(one, &err) > 0,
            "observation %d is not accepted: %s", i, err.text);
  }
}

static void check_all_there(int n) {
  for (int i = 0; i < n; i++) {
    char sql[160];
    snprintf(sql, sizeof sql,
             "SELECT count(*) FROM messages WHERE platform = 'x' AND id = 's%04d' "
             "AND raw_text = 'number %d'",
             i, i);
    T_CHECK(t_sql_int("artifact.db", sql) == 1, "observation %d was acknowledged and is lost", i);
  }
  T_CHECK(t_count("messages") == n, "%lld messages, not %d", (long long)t_count("messages"), n);
}

/* 30 observations are in the backup, 30 more only in the database. */
static void set_the_spool_back(void) {
  t_up();
  observe(0, 30);
  t_settle(20000);
  t_down();
  copy_spool("spool", "../backup");
  t_up();
  observe(30, 60);
  t_settle(20000);
  t_down();
  T_CHECK(rename("spool", "../spool.lost") == 0, "the spool cannot be moved");
  copy_spool("../backup", "spool");
}

static void whole_with(int n) {
  t_up();
  t_whole(30000);
  check_all_there(n);
  observe(n, n + 10);
  t_whole(30000);
  check_all_there(n + 10);
}

/* ingest without a store. */
static struct t_process *ingest_alone(void) {
  struct t_process *p = t_daemon_try("ingest", NULL);
  t_wait_ready(p, 20000);
  return p;
}

T_STORY(setback, accepted_before_the_store_answers, 90) {
  set_the_spool_back();
  struct t_process *ingest = ingest_alone();
  observe(60, 75);
  t_signal(ingest, SIGTERM);
  t_wait_end(ingest, 10000);
  whole_with(75);
}

T_STORY(setback, more_than_the_store_knows_and_a_kill, 90) {
  set_the_spool_back();
  struct t_process *ingest = ingest_alone();
  observe(60, 110);
  t_signal(ingest, SIGKILL);
  t_wait_end(ingest, 10000);
  ingest = ingest_alone();
  observe(110, 120);
  t_signal(ingest, SIGKILL);
  t_wait_end(ingest, 10000);
  whole_with(120);
}

/* The store runs first, so no number that it knows is used again. */
T_STORY(setback, under_a_running_store, 90) {
  set_the_spool_back();
  whole_with(60);
}

/* ---- a copy of the spool in use at the same time ---- */

static void talk_to(const char *folder) {
  t_talk_forget();
  t_setf("door.observe", "ipc://%s/%s/run/observe", t_folder(), folder);
}

T_STORY(setback, two_with_one_id, 120) {
  static const char *const doors[] = {"intake", "feed", "snapshot"};
  for (int i = 0; i < 3; i++) {
    char name[32];
    snprintf(name, sizeof name, "door.%s", doors[i]);
    t_setf(name, "ipc://%s/data/run/%s", t_folder(), doors[i]);
  }
  talk_to("data");
  t_up();
  observe(0, 20);
  t_settle(20000);
  T_CHECK(mkdir("../twin", 0700) == 0, "no folder for the twin");
  copy_spool("spool", "../twin/spool");
  observe(20, 30);
  int n = 30;
  for (int round = 0; round < 5; round++, n += 20) {
    talk_to("twin");
    keep_twin();
    observe(n, n + 10);
    talk_to("data");
    observe(n + 10, n + 20);
  }
  talk_to("twin");
  T_UNTIL(20000, keep_twin() && t_count("messages") == n, "%lld messages of %d",
          (long long)t_count("messages"), n);
  t_signal(twin, SIGTERM);
  t_wait_end(twin, 10000);
  talk_to("data");
  t_whole(30000);
  check_all_there(n);
  char *a = t_read_file("spool/producer", NULL), *b = t_read_file("../twin/spool/producer", NULL);
  T_CHECK(a && b && strcmp(a, b) != 0, "both still use the producer id %s", a);
  free(a), free(b);
}
