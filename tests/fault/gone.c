/* A database that is gone: no empty one takes its place while something in the folder shows that a
 * store was here; `up --new-store` is the way on, and a folder in which no store was starts. A
 * database whose name is lost under a running store: what was acknowledged is saved, and nothing
 * more is acknowledged. A database that is older than it was: an alarm.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/harness/base.h"
#include "tests/harness/database.h"
#include "tests/harness/ring.h"
#include "tests/harness/talk.h"

#define GONE "artifact.db is missing or empty, but a store was here: "

/* Imports messages from..to-1; the exit code. */
static int import_some(int from, int to) {
  struct ck_buf lines = {0};
  for (int i = from; i < to; i++)
    ck_buf_printf(&lines,
                  "{\"platform\":\"x\",\"text\":\"number %d\",\"role\":\"user\",\"message_id\":"
                  "\"s%04d\",\"conversation_id\":\"c\",\"observed_at\":%d}\n",
                  i, i, i + 1);
  t_write_file("../out/some.jsonl", lines.data, lines.len);
  ck_buf_free(&lines);
  struct t_result r = t_convkeep("import", "../out/some.jsonl");
  int code = r.code;
  t_result_free(&r);
  return code;
}

static void check_there(int n) {
  T_CHECK(t_sql_int("artifact.db", "SELECT count(*) FROM messages") == n, "%lld messages of %d",
          (long long)t_sql_int("artifact.db", "SELECT count(*) FROM messages"), n);
}

static void shell(const char *command) { T_CHECK(system(command) == 0, "%s", command); }

/* Fails unless the command ends with this code and an error that has each of the parts. */
static void refused(int code, const char *const words[], const char *part, const char *other) {
  bool reads = strcmp(words[0], "import") == 0;
  struct t_result r = t_convkeep_words(reads ? "../out/one.jsonl" : NULL, words);
  T_CHECK(r.code == code, "%s ended with %d, not %d: %s%s", words[0], r.code, code, r.err, r.out);
  T_CHECK(strstr(r.err, part) && strstr(r.err, other), "%s does not say \"%s\" and \"%s\": %s",
          words[0], part, other, r.err);
  t_result_free(&r);
}

/* No command makes a database, and each says what was found and how to go on. */
static void all_refuse(const char *found) {
  t_write_text("../out/one.jsonl",
               "{\"platform\":\"x\",\"text\":\"one\",\"conversation_id\":\"c\"}\n");
  refused(1, (const char *const[]){"up", NULL}, GONE, found);
  refused(1, (const char *const[]){"status", NULL}, GONE, found);
  refused(1, (const char *const[]){"list", "messages", NULL}, found, "convkeep restore");
  refused(1, (const char *const[]){"import", "-", NULL}, found, "convkeep up --new-store");
  struct stat st;
  T_CHECK(stat("artifact.db", &st) || st.st_size <= 4096, "there is a database now");
}

/* ---- down ---- */

static void full_folder(void) {
  t_up();
  T_CHECK(import_some(0, 30) == 0, "the import failed");
  t_down_marked();
  T_CHECK(t_exists("witness") && t_exists("mirror.db"), "the folder is not as expected");
  shell("cp -a . ../full");
}

static void begin_again(void) { shell("rm -rf ./* ../out/one.jsonl && cp -a ../full/. ."); }

/* Leaves only one thing that shows that a store was here. */
static const struct {
  const char *remove, *found;
} alone[] = {
    {"rm -r artifact.db mirror.db artifacts spool", "here: witness."},
    {"rm -r artifact.db witness artifacts spool", "here: mirror.db."},
    {"rm -r artifact.db witness mirror.db spool", "here: artifacts/."},
    {"rm -r artifact.db witness mirror.db artifacts/.cursor spool", "here: artifacts/."},
    {"rm -r artifact.db witness mirror.db artifacts", "here: spool/released."},
    {"mv artifact.db artifact.db.before-20261122T200200Z && rm -r witness mirror.db artifacts "
     "spool",
     "restore artifact.db.before-20261122T200200Z`"},
    {"rm -r witness artifacts spool && truncate -s 0 artifact.db", "here: mirror.db."},
    {"rm -r mirror.db artifacts spool artifact.db && sqlite3 artifact.db VACUUM", "here: witness."},
};

T_STORY(gone, each_witness_alone_is_enough, 120) {
  full_folder();
  for (size_t i = 0; i < sizeof alone / sizeof *alone; i++) {
    begin_again();
    shell(alone[i].remove);
    all_refuse(alone[i].found);
  }
  begin_again();
  t_up();
  t_whole(20000);
  check_there(30);
}

/* What is in a folder in which no store was, and in one whose first start was killed. */
T_STORY(gone, no_witness_no_refusal, 90) {
  shell("mkdir -p spool artifacts logs keys run && touch convkeep.conf logs/store.log keys/a");
  struct t_process *ingest = t_daemon_try("ingest", NULL);
  struct ck_err err = {""};
  t_wait_ready(ingest, 20000);
  T_UNTIL(10000,
          t_observe("{'platform':'x','text':'early','message_id':'e','conversation_id':'c'}", &err),
          "it is not accepted: %s", err.text);
  t_signal(ingest, SIGKILL);
  t_wait_end(ingest, 10000);
  t_up();
  t_whole(20000);
  check_there(1);
  t_down();
  shell("rm -r ./* && touch artifact.db");
  t_up();
  t_whole(20000);
}

T_STORY(gone, a_first_start_killed_at_any_moment, 120) {
  const char *argv[] = {NULL, "up", NULL};
  char program[512];
  snprintf(program, sizeof program, "%s/bin/convkeep", t_build());
  argv[0] = program;
  for (int i = 0; i < (t_long() ? 60 : 20); i++) {
    shell("rm -rf ./*");
    struct t_process *up = t_start("first", NULL, false, argv);
    t_pause((int)t_random_below(60));
    t_signal(up, SIGKILL);
    t_wait_end(up, 10000);
    pid_t here[1];
    T_UNTIL(10000, t_processes_here(here, 1) == 0, "a daemon outlives `up`");
    t_up();
    t_down();
  }
}

/* ---- a new store ---- */

T_STORY(gone, a_new_store_keeps_the_old_files_and_begins_above_them, 120) {
  full_folder();
  t_up();
  refused(1, (const char *const[]){"up", "--new-store", NULL}, "already runs", "");
  t_down();
  refused(1, (const char *const[]){"up", "--new-store", NULL}, "there is a database",
          "artifact.db");
  T_CHECK(!t_exists("artifact.db.new"), "the wish for a new store is left");
  t_up();
  int64_t head = t_status_int("version", -1);
  json_t *status = t_status(1000);
  char *id = ck_strdup(t_text_at(status, "store_id"));
  json_decref(status);
  t_down();
  shell("rm artifact.db");
  refused(0, (const char *const[]){"up", "--new-store", "--once", NULL}, "", "");
  shell("ls -d mirror.db.before-* artifacts.before-*/conversations/* >../out/kept");
  t_up();
  status = t_status(1000);
  T_CHECK(strcmp(id, t_text_at(status, "store_id")) != 0, "the new store has the former one's id");
  json_decref(status);
  free(id);
  T_CHECK(t_status_int("version", -1) > head, "versions are given again");
  T_CHECK(import_some(20, 40) == 0, "the import failed");
  t_whole(20000);
  check_there(20);
  T_CHECK(t_sql_int("mirror.db", "SELECT min(version) FROM messages") > head,
          "the mirror has a version of the former store");
}

/* ---- under a running store ---- */

static void ring_ends(const char *part, const char *other) {
  struct t_process *up = t_up_process();
  int64_t began = ck_boot_ms();
  int code = t_wait_end(up, 20000);
  t_note("the ring ended after %lld ms", (long long)(ck_boot_ms() - began));
  T_CHECK(code == 1, "up ended with %d", code);
  T_CHECK(t_complained(up, part) && t_complained(up, other), "up does not say \"%s\" and \"%s\"",
          part, other);
  t_talk_forget();
}

/* Imports until it fails. Returns how many messages were acknowledged. */
static int import_until_it_fails(int from) {
  for (int64_t until = ck_boot_ms() + 15000 * T_SLOWER; import_some(from, from + 1) == 0; from++)
    T_CHECK(ck_boot_ms() < until, "imports go on although the database is gone");
  return from;
}

static void put_back_what_was_saved(void) {
  FILE *f = popen("ls artifact.db.saved-*", "r");
  char name[100] = "";
  T_CHECK(f && fgets(name, sizeof name, f), "nothing was saved");
  pclose(f);
  name[strcspn(name, "\n")] = 0;
  t_do(0, "restore", name);
}

T_STORY(gone, removed_under_a_running_store, 120) {
  t_up();
  T_CHECK(import_some(0, 30) == 0, "the import failed");
  shell("rm artifact.db*");
  int n = import_until_it_fails(30);
  ring_ends("artifact.db was removed or renamed", "convkeep restore artifact.db.saved-");
  all_refuse("convkeep restore artifact.db.saved-");
  put_back_what_was_saved();
  t_up();
  t_whole(20000);
  T_CHECK(t_count("messages") >= n, "%lld messages, and %d were acknowledged",
          (long long)t_count("messages"), n);
}

T_STORY(gone, replaced_under_a_running_store, 120) {
  full_folder();
  t_up();
  T_CHECK(import_some(30, 60) == 0, "the import failed");
  shell("cp ../full/artifact.db other && mv other artifact.db");
  ring_ends("artifact.db was replaced by another", "convkeep restore artifact.db.saved-");
  put_back_what_was_saved();
  t_up();
  t_whole(20000);
  check_there(60);
}

/* The database itself is there, and gets what the WAL had. */
T_STORY(gone, the_wal_removed_under_a_running_store, 120) {
  static const char *const files[] = {"rm artifact.db-wal", "rm artifact.db-shm",
                                      "mv artifact.db-wal w; touch artifact.db-wal"};
  for (int i = 0; i < 3; i++) {
    t_up();
    T_CHECK(import_some(i * 10, i * 10 + 10) == 0, "the import failed");
    shell(files[i]);
    ring_ends("artifact.db-", "all of it is in artifact.db");
    t_up();
    t_whole(20000);
    check_there(i * 10 + 10);
    T_CHECK(t_sql_int("artifact.db", "SELECT alarm = '' FROM store") == 1, "there is an alarm");
    t_down();
  }
}

T_STORY(gone, the_folder_renamed_under_a_running_store, 120) {
  t_up();
  T_CHECK(import_some(0, 20) == 0, "the import failed");
  shell("cd .. && mv data elsewhere && mkdir data");
  ring_ends("was replaced by another", "");
  shell("cd .. && rmdir data && mv elsewhere data");
  t_up();
  t_whole(20000);
  check_there(20);
}

T_STORY(gone, a_stop_right_after_the_removal, 120) {
  t_up();
  T_CHECK(import_some(0, 20) == 0, "the import failed");
  shell("rm artifact.db*");
  t_signal(t_up_process(), SIGINT);
  t_wait_end(t_up_process(), 20000);
  t_talk_forget();
  put_back_what_was_saved();
  t_up();
  t_whole(20000);
  check_there(20);
}

/* ---- older than it was ---- */

static void alarm_says(const char *part) {
  json_t *status = t_status(1000);
  const char *alarm = t_text_at(status, "alarm");
  T_CHECK(alarm && strstr(alarm, part), "the alarm is not about \"%s\": %s", part,
          alarm ? alarm : "none");
  json_decref(status);
  struct t_result r = t_convkeep("status");
  T_CHECK(strstr(r.out, part) && strstr(r.out, "alarm"), "status does not show it: %s", r.out);
  t_result_free(&r);
  r = t_convkeep("doctor");
  T_CHECK(r.code == 1 && strstr(r.out, part), "doctor does not show it: %s", r.out);
  t_result_free(&r);
}

static const struct {
  const char *spoil, *says;
} older[] = {
    /* The newest of the witnesses is the only one that knows. */
    {"rm -r artifacts spool", "it ends at version"},
    {"rm -r witness spool", "artifacts has the files up to"},
    {"rm -r witness artifacts", "spool has receipts"},
    /* Without a new version, the runs tell. */
    {"", "it ends at version"},
};

T_STORY(gone, an_older_copy_is_an_alarm, 200) {
  full_folder();
  t_up();
  T_CHECK(import_some(30, 60) == 0, "the import failed");
  t_down_marked();
  shell("cp -a . ../later");
  for (size_t i = 0; i < sizeof older / sizeof *older; i++) {
    shell("rm -rf ./* ./.??* && cp -a ../later/. . && cp ../full/artifact.db artifact.db");
    if (*older[i].spoil) shell(older[i].spoil);
    int64_t head = t_sql_int("../later/artifact.db", "SELECT max(version) FROM messages");
    t_up();
    alarm_says(older[i].says);
    T_CHECK(t_status_int("version", -1) > head, "versions are given again");
    T_CHECK(import_some(25, 60) == 0, "the import failed");
    t_down();
    t_up();
    alarm_says(older[i].says);
    t_settle(20000);
    t_check_database("artifact.db");
    check_there(60);
    t_down();
  }
}

/* The version in the witness. */
static int64_t noted(void) {
  char *note = t_read_file("witness", NULL), *version = note ? strchr(note, ' ') : NULL;
  if (version) version = strchr(version + 1, ' ');
  int64_t v = version ? strtoll(version, NULL, 10) : -1;
  free(note);
  return v;
}

/* The WAL of a store that was killed is what it committed last. */
T_STORY(gone, a_wal_removed_after_a_kill_is_an_alarm, 120) {
  full_folder();
  t_up();
  T_CHECK(import_some(30, 60) == 0, "the import failed");
  T_UNTIL(10000, noted() == t_status_int("version", -1), "the witness does not follow");
  t_signal(t_up_process(), SIGKILL);
  t_wait_end(t_up_process(), 10000);
  pid_t here[1];
  T_UNTIL(10000, t_processes_here(here, 1) == 0, "a daemon outlives `up`");
  t_talk_forget();
  shell("rm artifact.db-wal");
  t_up();
  alarm_says("it ends at version");
}
