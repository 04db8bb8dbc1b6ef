/* Backups made while the ring works, and restores. */
#include "tests/harness/base.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/harness/database.h"
#include "tests/harness/ring.h"
#include "tests/harness/talk.h"
#include "tests/unreleased.h"

static const char *copy_file(void) {
  static char path[600];
  snprintf(path, sizeof path, "%s/out/copy.db", t_folder());
  return path;
}

static void import_messages(int from, int to) {
  struct ck_buf b = {0};
  for (int i = from; i < to; i++)
    ck_buf_printf(&b,
                  "{\"platform\":\"x\",\"text\":\"text number %d\",\"message_id\":\"m%d\","
                  "\"role\":\"user\",\"conversation_id\":\"c%d\",\"observed_at\":%d}\n",
                  i, i, i % 7, 1700000000 + i);
  t_write_file("../out/some", b.data, b.len);
  ck_buf_free(&b);
  t_do_in(0, "../out/some", "import", "-");
}

/* How many files match a shell pattern. */
static int count_of(const char *pattern) {
  char command[700], line[32] = "";
  snprintf(command, sizeof command, "ls -d %s 2>/dev/null | wc -l", pattern);
  FILE *f = popen(command, "r");
  T_CHECK(f && fgets(line, sizeof line, f), "no shell");
  pclose(f);
  return atoi(line);
}

/* The contents of artifacts/.cursor; "" if there is none. */
static const char *artifact_cursor(void) {
  static char text[200];
  char *line = t_read_file("artifacts/.cursor", NULL);
  snprintf(text, sizeof text, "%s", line ? line : "");
  free(line);
  return text;
}

/* Fails unless the command exits with `code` and has `part` in its error text. */
static void complains(int code, const char *part, const char *const words[]) {
  struct t_result r = t_convkeep_words(NULL, words);
  T_CHECK(r.code == code && strstr(r.err, part), "exit %d and \"%s\" were expected: exit %d, %s",
          code, part, r.code, r.err);
  t_result_free(&r);
}
#define t_complains(code, part, ...) complains(code, part, (const char *const[]){__VA_ARGS__, NULL})

/* Rows are written in pairs, first in one changeset each, then one row a changeset. A copy of one
 * moment has at most one pair that is incomplete. */
T_STORY(backup, of_one_moment_while_it_is_written_to, 120) {
  t_up();
  struct t_producer *p = t_producer("test");
  struct ck_buf big = {0};
  for (int i = 0; i < 2000; i++) ck_buf_text(&big, "0123456789");
  char program[600], row[22000];
  snprintf(program, sizeof program, "%s/bin/convkeep", t_build());
  int n = 0, during = 0;
  for (; n < 400; n++) {
    snprintf(row, sizeof row,
             "{'id': 'a%d', 'platform': 'x', 'role': 'user', 'raw_text': '%s', 'observed_at': %d}",
             n, ck_buf_cstr(&big), n);
    t_put(p, "messages", row);
    snprintf(row, sizeof row,
             "{'id': 'b%d', 'platform': 'x', 'role': 'user', 'raw_text': '%s', 'observed_at': %d}",
             n, ck_buf_cstr(&big), n);
    t_put(p, "messages", row);
    T_CHECK(t_commit(p) == 'n', "pair %d: %s", n, t_refusal(p));
  }
  const char *const argv[] = {program, "backup", copy_file(), "--json", NULL};
  struct t_process *backup = t_start("backup", NULL, false, argv);
  for (; !t_ended(backup) || during < 20; n++, during++) {
#define SHORT "'platform': 'x', 'role': 'user', 'raw_text': 'short'"
    t_taken(p, 'n', "messages", "{'id': 'a%d', " SHORT ", 'observed_at': %d}", n, n);
    t_taken(p, 'n', "messages", "{'id': 'b%d', " SHORT ", 'observed_at': %d}", n, n);
  }
  T_CHECK(t_wait_end(backup, 1000) == 0, "the backup failed");
  t_check_database(copy_file());
  int64_t as = t_sql_int(copy_file(), "SELECT count(*) FROM messages WHERE id LIKE 'a%'"),
          bs = t_sql_int(copy_file(), "SELECT count(*) FROM messages WHERE id LIKE 'b%'");
  T_CHECK(as >= 400 && as - bs >= 0 && as - bs <= 1,
          "the copy has %lld of the first and %lld of the second rows of %d pairs", (long long)as,
          (long long)bs, n);
  T_CHECK(t_sql_int(copy_file(), "SELECT count(*) = (SELECT messages FROM store) FROM messages") ==
              1,
          "the copy's counts are not its rows");
  T_CHECK(t_sql_int(copy_file(), "SELECT applied FROM producers WHERE id = 'test'") >= 400,
          "the copy does not know the producer");
  T_CHECK(count_of("../out/.*tmp* ../out/copy.db-*") == 0, "something is left beside the copy");
  struct stat st;
  T_CHECK(stat(copy_file(), &st) == 0 && (st.st_mode & 0777) == 0600,
          "the copy is open to others: %03o", (unsigned)st.st_mode & 0777);
  t_note("%d commits went on meanwhile", during * 2);
  ck_buf_free(&big);
  t_whole(20000);
}

T_STORY(backup, refuses_harmful_places, 60) {
  t_up();
  import_messages(0, 10);
  t_do(0, "backup", copy_file());
  t_complains(1, "--force replaces it", "backup", copy_file());
  t_do(0, "backup", copy_file(), "--force");
  t_complains(1, "the ring's own", "backup", "artifact.db", "--force");
  t_complains(1, "the ring's own", "backup", "./artifact.db-wal", "--force");
  t_complains(1, "No such file", "backup", "../nowhere/copy.db");
  t_complains(1, "no file", "backup", "../out", "--force");
  t_complains(2, "FILE", "backup");
  t_complains(1, "the ring is up", "restore", copy_file());
  t_whole(10000);
}

/* A restore is refused beside any daemon, also one that runs without `up`, as under systemd. */
T_STORY(backup, no_restore_beside_a_daemon, 60) {
  static const char *const names[] = {"store", "ingest", "renewd", "webd", "syncd"};
  import_messages(0, 10);
  t_do(0, "backup", copy_file());
  for (size_t i = 0; i < 5; i++) {
    struct t_process *alone =
        t_daemon_try(names[i], NULL); /* not ready without a store, but running */
    T_UNTIL(10000, t_pid(names[i]) != 0, "%s does not start", names[i]);
    t_complains(1, "the ring is up", "restore", copy_file());
    t_signal(alone, SIGTERM);
    t_wait_end(alone, 10000);
  }
  T_CHECK(count_of("artifact.db.*") == 0, "something is left of the restore");
}

/* The store that makes the copy is killed: the command asks the next one, and the copy is whole. */
T_STORY(backup, the_store_dies_meanwhile, 90) {
  t_up();
  import_messages(0, 3000);
  char program[600];
  snprintf(program, sizeof program, "%s/bin/convkeep", t_build());
  const char *const argv[] = {program, "backup", copy_file(), NULL};
  struct t_process *backup = t_start("backup", NULL, false, argv);
  pid_t old = t_kill("store", SIGKILL);
  T_CHECK(t_wait_end(backup, 20000) == 0 || t_exists("../out/copy.db"),
          "no copy, although the store was started again");
  t_wait_other("store", old, 10000);
  t_check_database(copy_file());
  T_CHECK(t_sql_int(copy_file(), "SELECT count(*) FROM messages") == 3000, "the copy is not whole");
  t_whole(20000);
}

/* After a restore the database has what was in the backup and nothing later; the ring goes on, the
 * mirror says what the database says, and imports bring back what is missing. */
T_STORY(backup, restored, 120) {
  t_up();
  import_messages(0, 200);
  t_settle(10000);
  t_do(0, "backup", copy_file());
  import_messages(100, 300);
  t_import_lines(0, "{'platform': 'x', 'text': 'changed since', 'message_id': 'm5', 'role': "
                    "'user', 'conversation_id': 'c5', 'observed_at': 1800000000}\n");
  t_whole(10000);
  int64_t head = t_status_int("version", -1);
  t_down();

  json_t *lines = t_lines(0, "restore", copy_file());
  json_t *line = json_array_get(lines, 0);
  T_CHECK(t_int_at(line, "version", -1) == head + 1, "the versions go on at %lld, not after %lld",
          (long long)t_int_at(line, "version", -1), (long long)head);
  T_CHECK(t_text_at(line, "before") &&
              t_sql_int(t_text_at(line, "before"), "SELECT count(*) FROM messages") == 300,
          "the former database is not kept whole");
  json_decref(lines);
  T_CHECK(t_count("messages") == 200, "%lld messages were restored",
          (long long)t_count("messages"));
  T_CHECK(count_of("artifact.db.restore* artifact.db.swap*") == 0,
          "something is left of the restore");

  t_up();
  t_settle(20000);
  t_check_mirror("artifact.db", "mirror.db");
  t_do(0, "doctor");
  import_messages(100, 300);
  t_import_lines(0, "{'platform': 'x', 'text': 'changed since', 'message_id': 'm5', 'role': "
                    "'user', 'conversation_id': 'c5', 'observed_at': 1800000000}\n");
  t_whole(20000);
  T_CHECK(t_count("messages") == 300, "%lld messages after the import",
          (long long)t_count("messages"));
  T_CHECK(t_status_int("version", -1) > head + 1, "a version was given twice");
}

/* As on another machine: an empty folder, and nothing but the backup. */
T_STORY(backup, restored_into_an_empty_folder, 60) {
  t_do(2, "backup", copy_file(), "--data");
  import_messages(0, 20);
  t_do(0, "backup", copy_file());
  T_CHECK(system("rm -rf artifact.db* mirror.db* artifacts spool logs keys convkeep.conf") == 0,
          "no shell");
  t_do(0, "restore", copy_file());
  T_CHECK(t_count("messages") == 20, "%lld messages were restored", (long long)t_count("messages"));
  /* The restore has raised the head far above the versions of the records; pending is the number of
   * records. */
  json_t *status = t_lines(0, "status"), *records = t_at(status, "0.records"), *n;
  const char *table;
  int64_t all = 0;
  json_object_foreach(records, table, n) all += json_integer_value(n);
  T_CHECK(t_int_at(status, "0.version", 0) > 1000000000 && all > 20 &&
              t_int_at(status, "0.sync.sqlite.pending", -1) == all,
          "%lld records, and %lld are pending", (long long)all,
          (long long)t_int_at(status, "0.sync.sqlite.pending", -1));
  json_decref(status);
  t_up();
  import_messages(20, 30);
  t_whole(20000);
  T_CHECK(t_count("messages") == 30, "%lld messages after the import",
          (long long)t_count("messages"));
}

T_STORY(backup, a_restore_that_is_refused_changes_nothing, 60) {
  t_up();
  import_messages(0, 20);
  t_do(0, "backup", copy_file());
  t_whole(10000);
  t_down();
  t_write_text("../out/text.db", "no database at all, but a text");
  t_complains(1, "not an SQLite file", "restore", "../out/text.db");
  t_complains(1, "No such file", "restore", "../out/nothing.db");
  FILE *f = fopen("../out/copy.db", "r+");
  T_CHECK(f && fseek(f, 4 * 4096, SEEK_SET) == 0, "no copy");
  for (int i = 0; i < 3 * 4096; i++) fputc(0x5a, f);
  fclose(f);
  t_complains(1, "it is damaged", "restore", copy_file());
  T_CHECK(count_of("artifact.db.*") == 0, "something is left of the restore");
  t_up();
  t_whole(10000);
  T_CHECK(t_count("messages") == 20, "%lld messages are left", (long long)t_count("messages"));
}

/* Every command refuses a database from before the first format with the same sentence, and leaves
 * it unchanged. */
T_STORY(backup, an_unreleased_database_is_refused, 60) {
  static const char why[] = ": this database was made by an unreleased convkeep, before the first "
                            "format, and cannot be used by this one; nothing was changed";
  t_up();
  import_messages(0, 20);
  t_whole(10000);
  t_down();
  t_sql_run("../out/unreleased.db", unreleased_sql);
  t_complains(1, "out/unreleased.db", "restore", "../out/unreleased.db");
  t_complains(1, why, "restore", "../out/unreleased.db");
  T_CHECK(count_of("artifact.db.*") == 0, "something is left of the restore");
  T_CHECK(t_count("messages") == 20, "%lld messages are left", (long long)t_count("messages"));
  T_CHECK(system("rm artifact.db* && cp ../out/unreleased.db artifact.db") == 0, "no shell");
  t_complains(1, "artifact.db", "up");
  t_complains(1, why, "up");
  t_complains(1, why, "doctor");
  t_complains(1, why, "status");
  T_CHECK(system("cmp ../out/unreleased.db artifact.db") == 0, "the database was changed");
}

/* SQLite's own check finds nothing wrong with such a file. */
T_STORY(backup, a_copy_whose_records_point_to_nothing_is_refused, 60) {
  import_messages(0, 20);
  t_do(0, "backup", copy_file());
  t_sql_run(copy_file(), "PRAGMA foreign_keys = OFF; DELETE FROM local_conversations");
  t_complains(1, "it is damaged", "restore", copy_file());
  T_CHECK(count_of("artifact.db.*") == 0, "something is left of the restore");
  T_CHECK(t_count("local_conversations") == 7, "the database was replaced");
}

/* The command dies after it has staged the copy: the next start completes the restore. */
T_STORY(backup, an_interrupted_restore_is_completed, 60) {
  t_up();
  import_messages(0, 10);
  t_do(0, "backup", copy_file());
  import_messages(10, 20);
  t_whole(10000);
  t_down();
  T_CHECK(system("cp ../out/copy.db artifact.db.restore") == 0, "no shell");
  t_up();
  t_settle(20000);
  T_CHECK(t_count("messages") == 10, "%lld messages, not the backup's",
          (long long)t_count("messages"));
  t_check_mirror("artifact.db", "mirror.db");
}

#define WHERE "'platform': 'x', 'conversation_id': 'c', 'target': {'kind': 'exec', 'id': 'note'}, "

/* An answer of that moment; an old one would be followed up by nobody. */
static void import_answer(int64_t at) {
  t_import_lines(
      0, "{" WHERE "'message_id': 'a', 'role': 'assistant', 'text': 'b.', 'observed_at': %lld}\n",
      (long long)at);
}

/* A follow-up that is due in the backup may have been delivered since. */
T_STORY(backup, nothing_is_sent_twice_by_a_restore, 90) {
  t_set("renew.exec.note", "tee -a ../out/delivered");
  t_setf("renew.cooldown", "%s", "10ms");
  t_setf("renew.delay", "%s", "10ms");
  t_up();
  t_import_lines(0, "{" WHERE
                    "'message_id': 'q', 'role': 'user', 'text': 'a?', 'observed_at': 1000}\n");
  t_do(0, "set", "x:c", "--automation", "auto");
  t_do(0, "backup", copy_file());
  int64_t at = ck_now_ms();
  import_answer(at);
  T_UNTIL(10000, t_status_int("jobs.done", 0) == 1, "the follow-up was not delivered");
  t_down();
  json_t *lines = t_lines(0, "restore", copy_file());
  T_CHECK(t_int_at(json_array_get(lines, 0), "paused", -1) == 1, "the conversation was not paused");
  json_decref(lines);
  t_up();
  import_answer(at);
  t_pause(1500);
  T_CHECK(t_status_int("jobs.done", -1) == 0 && t_status_int("jobs.pending", -1) == 0,
          "a job was made for a message that had been followed up");
  t_whole(10000);
}

/* Without `restore`: the file was copied back, or the whole disk was. The readable files show that
 * the database had been further. */
T_STORY(backup, put_back_by_hand, 120) {
  t_set("renew.exec.note", "tee -a ../out/delivered");
  t_setf("renew.cooldown", "%s", "10ms");
  t_setf("renew.delay", "%s", "10ms");
  t_up();
  import_messages(0, 20);
  t_import_lines(0, "{" WHERE
                    "'message_id': 'q', 'role': 'user', 'text': 'a?', 'observed_at': 1000}\n");
  t_do(0, "set", "x:c", "--automation", "auto");
  t_settle(20000);
  t_down();
  T_CHECK(system("cp artifact.db ../out/copy.db") == 0, "no shell");
  t_up();
  import_messages(10, 40);
  int64_t at = ck_now_ms();
  import_answer(at);
  T_UNTIL(10000, t_status_int("jobs.done", 0) == 1, "the follow-up was not delivered");
  t_whole(20000);
  int64_t head = t_status_int("version", -1);
  char line[100];
  snprintf(line, sizeof line, " %lld ", (long long)head);
  T_UNTIL(30000, strstr(artifact_cursor(), line), "the files' cursor is not at %lld: %s",
          (long long)head, artifact_cursor());
  t_down();
  T_CHECK(system("rm -f artifact.db-wal artifact.db-shm; cp ../out/copy.db artifact.db") == 0,
          "no shell");
  t_up();
  T_CHECK(t_status_int("version", -1) > head,
          "versions are given twice: the head is %lld, and was %lld",
          (long long)t_status_int("version", -1), (long long)head);
  import_answer(at);
  t_pause(1500);
  T_CHECK(t_status_int("jobs.done", -1) == 0 && t_status_int("jobs.pending", -1) == 0,
          "a job was made for a message that had been followed up");
  /* The lost records are still in the mirror; after the import, every record of the database must
   * become the same there. */
  import_messages(10, 40);
  t_settle(20000);
  t_do(0, "sync", "repair", "--deep");
  t_whole(20000);
}

/* Requests that make no sense are refused with a reason. */
T_STORY(backup, tasks_that_make_no_sense, 60) {
  t_daemon("store", NULL);
  struct t_producer *p = t_producer("test");
  t_taken(p, 'n', "messages",
          "{'id': 'm', 'platform': 'x', 'role': 'user', 'raw_text': 'a', 'observed_at': 1}");
  struct ck_buf options = {0};
  struct ck_message request = {.kind = CK_MSG_TASK}, answer = {0};
  struct ck_err err = {{0}};
  zmq_msg_t frame;
  ck_put_map(&options, 0);
  request.as.task = (struct ck_task){0, CK_LIT("nothing"), CK_LIT("1"), ck_buf_view(&options)};
  T_CHECK(t_ask(CK_DOOR_SNAPSHOT, &request, &answer, &frame, 10000, &err) == -1 &&
              strstr(err.text, "this store knows no task"),
          "%s", err.text);
  request.as.task = (struct ck_task){0, CK_LIT("doctor"), CK_LIT(""), ck_buf_view(&options)};
  T_CHECK(t_ask(CK_DOOR_SNAPSHOT, &request, &answer, &frame, 10000, &err) == -1 &&
              strstr(err.text, "task.id"),
          "%s", err.text);
  request.as.task = (struct ck_task){0, CK_LIT("backup"), CK_LIT("1"), ck_buf_view(&options)};
  bool failed = false;
  for (int i = 0; i < 100 && !failed; i++) {
    T_CHECK(t_ask(CK_DOOR_SNAPSHOT, &request, &answer, &frame, 10000, &err) == 0, "%s", err.text);
    json_t *info = t_json_of(answer.as.info.info);
    failed = strcmp(t_text_at(info, "state"), "failed") == 0 &&
             strstr(t_text_at(info, "error"), "absolute path");
    json_decref(info);
    zmq_msg_close(&frame);
    t_pause(20);
  }
  T_CHECK(failed, "a backup to no file was not refused");
  ck_buf_free(&options);
}
