/* doctor finds what is wrong, names it, and says what to do. rebuild makes the readable files
 * again.
 */
#include "tests/harness/base.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/harness/database.h"
#include "tests/harness/ring.h"
#include "tests/harness/talk.h"

/* Fails unless doctor exits with 0 and every line is ok or a note. */
static void finds_nothing(void) {
  json_t *lines = t_lines(0, "doctor"), *line;
  size_t i;
  json_array_foreach(lines, i, line)
      T_CHECK(strcmp(t_text_at(line, "result"), "wrong") != 0, "%s: %s", t_text_at(line, "check"),
              t_text_at(line, "text"));
  T_CHECK(json_array_size(lines) >= 10, "only %zu checks", json_array_size(lines));
  json_decref(lines);
}

static void some(void) {
  struct ck_buf b = {0};
  for (int i = 0; i < 60; i++)
    ck_buf_printf(&b,
                  "{\"platform\":\"x\",\"text\":\"text %d\",\"message_id\":\"m%d\","
                  "\"role\":\"user\",\"conversation_id\":\"c%d\",\"observed_at\":%d,"
                  "\"execution\":{\"instruction_id\":\"e%d\",\"target\":\"shell\",\"tool\":\"ls\","
                  "\"result_ok\":1,\"result\":\"out\",\"executed_at\":%d}}\n",
                  i, i, i % 9, 1700000000 + i, i, 1700000000 + i);
  t_write_file("../out/some", b.data, b.len);
  ck_buf_free(&b);
  t_do_in(0, "../out/some", "import", "-");
}

T_STORY(doctor, a_ring_that_is_well, 90) {
  t_up();
  some();
  t_settle(10000);
  finds_nothing();
  t_doctor_finds(0, "mirror", "ok", "rows are the same");
  t_doctor_finds(0, "artifacts", "ok", "conversations have their files");
  struct t_result r = t_convkeep("doctor");
  T_CHECK(r.code == 0 && strstr(r.out, "ok    database"), "exit %d: %s", r.code, r.out);
  t_result_free(&r);
  t_down();
  finds_nothing();
  t_up();
  t_whole(10000);
}

#define says(part, ...) \
  do { \
    struct t_result said_ = t_convkeep(__VA_ARGS__); \
    T_CHECK(said_.code == 1 && strstr(said_.err, part), "exit %d: %s", said_.code, said_.err); \
    t_result_free(&said_); \
  } while (0)

/* What somebody put into the database while the ring is up, and while it is down. */
T_STORY(doctor, a_strangers_trigger, 90) {
  static const char trigger[] = "CREATE TRIGGER spy AFTER INSERT ON messages BEGIN"
                                " UPDATE local_conversations SET automation_status = 'auto'; END";
  t_up();
  some();
  t_settle(10000);
  t_do(0, "backup", "../out/copy.db");
  t_doctor_finds(0, "schema", "ok", "");
  t_sql_run("artifact.db", trigger);
  t_doctor_finds(1, "schema", "wrong", "the trigger spy is not convkeep's");
  t_sql_run("artifact.db", "DROP TRIGGER spy");
  t_doctor_finds(0, "schema", "ok", "");
  t_down();
  t_sql_run("artifact.db", trigger);
  says("DROP trigger", "doctor");
  says("DROP trigger", "up");
  t_sql_run("artifact.db", "DROP TRIGGER spy");
  t_sql_run("../out/copy.db", trigger);
  says("DROP trigger", "restore", "../out/copy.db");
  T_CHECK(!t_exists("artifact.db.restore"), "the refused copy is left");
  t_up();
  T_CHECK(t_count("messages") == 60, "%lld messages", (long long)t_count("messages"));
  T_CHECK(t_sql_int("artifact.db", "SELECT count(*) FROM local_conversations"
                                   " WHERE automation_status = 'auto'") == 0,
          "the trigger has fired");
}

/* They can be imported again, and doctor says so until they are. */
T_STORY(doctor, rows_that_were_deleted_by_hand, 90) {
  static const char *const tables[] = {"messages", "executions", "sessions", "local_conversations",
                                       "conversation_links"};
  long long before[5];
  t_up();
  some();
  t_settle(10000);
  for (int i = 0; i < 5; i++) before[i] = (long long)t_count(tables[i]);
  for (int down = 0; down < 2; down++) {
    if (down) t_down();
    for (int i = 0; i < 5; i++) {
      char *sql = ck_sprintf("DELETE FROM %s WHERE version %% 2 = %d", tables[i], down);
      t_sql_run("artifact.db", sql);
      free(sql);
    }
    if (down) t_up();
    t_doctor_finds(1, "counts", "wrong", "missing");
    t_doctor_finds(1, "keys", "wrong", "leads to no message");
    t_doctor_finds(1, "sessions", "note", "which has ");
    t_do_in(0, "../out/some", "import", "-");
    for (int i = 0; i < 5; i++)
      T_CHECK(t_count(tables[i]) == before[i], "%s: %lld, not %lld", tables[i],
              (long long)t_count(tables[i]), before[i]);
    if (down) t_do(0, "rebuild", "seals"); /* of the pages that another program wrote */
    t_settle(10000);
    finds_nothing();
  }
}

/* No false alarm while everything moves. */
/* What some other program has made of it; whoever says the message again, the store makes it right.
 */
T_STORY(doctor, a_summary_of_another_text, 90) {
  t_up();
  some();
  t_settle(10000);
  t_doctor_finds(0, "summaries", "ok", "120 are the beginning of their text");
  t_sql_run("artifact.db", "UPDATE messages SET summary = 'other' WHERE id = 'm7';"
                           "UPDATE executions SET result_summary = NULL WHERE message_id = 'm8'");
  t_doctor_finds(1, "summaries", "wrong",
                 "2 of 120 are not the beginning of their text, the first:"
                 " messages m7");
  t_do(0, "rebuild", "messages");
  t_settle(10000);
  t_doctor_finds(0, "summaries", "ok", "");
}

T_STORY(doctor, under_load, 90) {
  t_up();
  char program[600];
  snprintf(program, sizeof program, "%s/bin/convkeep", t_build());
  struct t_producer *p = t_producer("test");
  for (int round = 0, n = 0; round < 5; round++) {
    const char *const argv[] = {program, "doctor", NULL};
    struct t_process *doctor = t_start("doctor", NULL, false, argv);
    for (; !t_ended(doctor); n++) {
      t_write(p, "messages",
              "{'id': 'm%d', 'platform': 'x', 'role': 'user',"
              " 'raw_text': 'text %d', 'observed_at': %d}",
              n % 500, n, n);
      t_write(p, "local_conversations",
              "{'local_conversation_id': 'c%d', 'platform': 'x', 'title': 'title %d'}", n % 50, n);
    }
    T_CHECK(t_wait_end(doctor, 1000) == 0, "doctor found something in round %d", round);
  }
  t_whole(20000);
}

T_STORY(doctor, files_that_are_missing, 90) {
  t_up();
  some();
  t_settle(10000);
  T_CHECK(system("cd artifacts/conversations; rm \"$(ls | grep md | head -1)\";"
                 " truncate -s 0 \"$(ls | grep json | tail -1)\"") == 0,
          "no shell");
  t_doctor_finds(1, "artifacts", "wrong", "2 files are missing");
  t_do(0, "rebuild", "artifacts");
  t_write_text("artifacts/conversations/stray.md", "of nobody");
  t_doctor_finds(0, "artifacts", "note", "1 file belongs to no conversation");
  T_CHECK(unlink("artifacts/conversations/stray.md") == 0, "doctor has deleted the stray file");
  t_down_marked();
  T_CHECK(system("cd artifacts/conversations; sed -i 's/\\(raw_text\":\"tex\\)t/\\1b/' *.json") ==
              0,
          "no shell");
  t_doctor_finds(1, "artifacts", "wrong", "9 conversations are not what their .json says");
  t_do(0, "rebuild", "artifacts");
  t_check_artifacts("artifact.db");
  t_do(2, "rebuild", "nothing");
}

T_STORY(doctor, files_of_records_that_are_missing, 90) {
  t_set("artifacts.form", "records");
  t_up();
  some();
  t_settle(10000);
  T_CHECK(system("find artifacts/msg -name 'm7.txt' -delete;"
                 " find artifacts/exec -name 'e9.json' -exec truncate -s 0 {} +") == 0,
          "no shell");
  t_doctor_finds(1, "artifacts", "wrong", "2 files are missing");
  t_do(0, "rebuild", "artifacts");
  t_write_text("artifacts/msg/stray.txt", "of nobody");
  t_doctor_finds(0, "artifacts", "note", "1 file belongs to no record");
  T_CHECK(unlink("artifacts/msg/stray.txt") == 0, "doctor has deleted the stray file");
  t_whole(10000);
  t_down_marked();
  T_CHECK(system("find artifacts/msg -name 'm8.*' -delete") == 0, "no shell");
  t_doctor_finds(1, "artifacts", "wrong", "2 files are missing");
  json_t *lines = t_lines(0, "rebuild", "artifacts");
  T_CHECK(t_int_at(json_array_get(lines, 0), "records", -1) > 120, "too few records were made");
  json_decref(lines);
  t_check_artifacts("artifact.db");
}

T_STORY(doctor, a_mirror_that_differs, 90) {
  t_up();
  some();
  t_settle(10000);
  t_down();
  t_sql_run("mirror.db", "UPDATE messages SET raw_text = 'not so' WHERE id = 'm3'");
  t_doctor_finds(1, "mirror", "wrong", "1 different, the first: messages m3");
  t_sql_run("mirror.db", "UPDATE messages SET raw_text = 'text 3' WHERE id = 'm3';"
                         " DELETE FROM executions WHERE instruction_id = 'e4'");
  t_doctor_finds(1, "mirror", "wrong", "1 row missing");
  t_sql_run("mirror.db", "UPDATE sessions SET version = 1 WHERE id LIKE 'x:c1@%'");
  t_doctor_finds(1, "mirror", "wrong", "1 older");
  unlink("mirror.db");
  t_doctor_finds(1, "mirror", "wrong", "although it was made up to");
  char copy[600];
  snprintf(copy, sizeof copy, "%s/out/copy.db", t_folder());
  t_do(0, "backup", copy);
  t_do(0, "restore", copy);
  t_up();
  t_settle(10000);
  finds_nothing();
  t_check_mirror("artifact.db", "mirror.db");
}

/* Faults that must not be possible, made by hand. */
/* A person's own things in the mirror are no damage, and are named. */
T_STORY(doctor, a_mirror_with_things_of_ones_own, 90) {
  t_up();
  some();
  t_settle(10000);
  t_sql_run("mirror.db",
            "CREATE TABLE notes (id TEXT); CREATE VIEW mine AS SELECT id FROM messages;"
            " CREATE TRIGGER changes AFTER INSERT ON messages BEGIN"
            " UPDATE messages SET summary = 'x' WHERE id = NEW.id; END");
  t_doctor_finds(0, "mirror", "note", "table notes, trigger changes, view mine");
  t_sql_run("mirror.db", "DROP TRIGGER changes; DROP VIEW mine; DROP TABLE notes");
  json_t *lines = t_lines(0, "doctor");
  char *all = json_dumps(lines, 0);
  T_CHECK(!strstr(all, "does not make"), "convkeep's own are named: %s", all);
  free(all);
  json_decref(lines);
}

T_STORY(doctor, a_database_that_contradicts_itself, 90) {
  t_up();
  some();
  t_settle(10000);
  t_down();
  t_sql_run("artifact.db", "PRAGMA foreign_keys = OFF;"
                           " UPDATE executions SET message_id = 'nobody'"
                           " WHERE instruction_id = 'e5'");
  t_doctor_finds(1, "references", "wrong", "executions");
  t_sql_run("artifact.db", "UPDATE executions SET message_id = 'm5' WHERE instruction_id = 'e5';"
                           " UPDATE store SET messages = messages + 2");
  t_doctor_finds(1, "counts", "wrong", "messages: 2 missing, 60 are there, 62 were counted");
  t_sql_run("artifact.db", "UPDATE store SET messages = 60;"
                           " UPDATE message_keys_new SET id = 'nobody' WHERE id = 'm7'");
  t_doctor_finds(1, "keys", "wrong", "message m7 is not found by its id");
  t_sql_run("artifact.db", "UPDATE message_keys_new SET id = 'm7' WHERE id = 'nobody';"
                           " UPDATE sessions SET version = (SELECT max(version) FROM messages)"
                           " WHERE version = (SELECT min(version) FROM sessions)");
  t_doctor_finds(1, "versions", "wrong", "given twice");
  t_sql_run("artifact.db", "INSERT INTO leases VALUES ('job', 1, 'token', 'running', 0, '', 0, 0,"
                           " 0, 0, 0)");
  t_doctor_finds(1, "leases", "wrong", "the lease of job has no running job");
  t_sql_run("artifact.db",
            "DELETE FROM leases;"
            " INSERT INTO attempts (version, job_id, attempt, token, client,"
            " local_conversation_id, message_id, charged, claimed, begun, at,"
            " start, boot) VALUES (1, 'job', 2, '', '', 'c', 'm', 1, 1, 1, 1, 0, 0)");
  t_doctor_finds(1, "leases", "wrong", "attempt 2 of job has no end, but the job does not run");
}

T_STORY(doctor, a_damaged_database, 60) {
  t_up();
  some();
  t_settle(10000);
  t_down();
  /* A page in the middle, not the schema, which is in the first page. */
  FILE *f = fopen("artifact.db", "r+");
  T_CHECK(f && fseek(f, 0, SEEK_END) == 0, "no database");
  long page = ftell(f) / 4096 / 2;
  fseek(f, page * 4096, SEEK_SET);
  for (int i = 0; i < 4096; i++) fputc(0x5a, f);
  fclose(f);
  json_t *lines = t_lines(1, "doctor");
  json_decref(lines);
  /* Then the schema too: no store starts on that. */
  f = fopen("artifact.db", "r+");
  for (int i = 0; i < 4096; i++) fputc(0x5a, f);
  fclose(f);
  t_doctor_finds(1, "store", "wrong", "does not start");
}

T_STORY(doctor, doors_that_stand_open, 60) {
  t_up();
  some();
  t_settle(10000);
  t_do(0, "keys", "init");
  T_CHECK(chmod("keys/store.key_secret", 0644) == 0 && chmod("convkeep.conf", 0640) == 0, "chmod");
  t_doctor_finds(1, "permissions", "wrong", "keys/store.key_secret is open to others (644); ");
  T_CHECK(chmod("keys/store.key_secret", 0600) == 0 && chmod("convkeep.conf", 0600) == 0, "chmod");
  finds_nothing();
}

/* Puts a digit into spool/released that its checksum does not cover: ingest takes it for no note.
 */
static void spoil_released(void) {
  char note[128] = "";
  FILE *f = fopen("spool/released", "r+");
  T_CHECK(f && fgets(note, sizeof note, f), "spool/released cannot be read");
  char *number = strchr(note, ' ');
  T_CHECK(number, "spool/released is %s", note);
  number[1] = '1';
  rewind(f);
  T_CHECK(fputs(note, f) >= 0 && fclose(f) == 0, "spool/released cannot be written");
}

/* A database older than the spool beside it, as after a restore, is noted, and is not wrong. */
T_STORY(doctor, a_spool_that_is_ahead, 60) {
  t_up();
  some();
  char copy[600];
  snprintf(copy, sizeof copy, "%s/out/copy.db", t_folder());
  t_do(0, "backup", copy);
  some();
  t_import_lines(0, "{'platform': 'x', 'text': 'later', 'message_id': 'later', 'role': 'user', "
                    "'conversation_id': 'c', 'observed_at': 1}\n");
  t_settle(10000);
  t_down();
  t_do(0, "restore", copy);
  t_doctor_finds(0, "spool", "note", "observations that it had confirmed");
  spoil_released();
  t_doctor_finds(0, "spool", "ok", "it continues where the database ends");
  t_up();
  t_settle(10000);
  finds_nothing();
}
