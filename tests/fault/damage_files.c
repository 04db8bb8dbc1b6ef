/* Damage in the files beside the databases: doctor names the file and what to do, and `backup
 * --check` a backup that is not as it was made. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/harness/base.h"
#include "tests/harness/database.h"
#include "tests/harness/ring.h"

static void flip(const char *file, long at) {
  FILE *f = fopen(file, "r+");
  int byte = -1;
  T_CHECK(f && fseek(f, at, at < 0 ? SEEK_END : SEEK_SET) == 0 && (byte = fgetc(f)) != EOF &&
              fseek(f, -1, SEEK_CUR) == 0 && fputc(byte ^ 4, f) != EOF && fclose(f) == 0,
          "%s cannot be changed at %ld", file, at);
}

static json_t *finding(json_t *lines, const char *check, const char *result) {
  json_t *line;
  size_t i;
  json_array_foreach(lines, i, line) {
    if (strcmp(t_text_at(line, "check"), check) == 0 &&
        strcmp(t_text_at(line, "result"), result) == 0)
      return line;
  }
  return NULL;
}

/* Doctor's line for it is wrong, and has these words. */
static void check_found(const char *check, const char *text, const char *advice) {
  json_t *lines = t_lines(1, "doctor"), *line = finding(lines, check, "wrong");
  T_CHECK(line && strstr(t_text_at(line, "text"), text) &&
              strstr(t_text_at(line, "advice"), advice),
          "doctor says of %s: %s", check, json_dumps(lines, 0));
  json_decref(lines);
}

static void check_sound(void) { json_decref(t_lines(0, "doctor")); }

static void some_messages(void) {
  t_up();
  t_import_lines(0, "{'platform': 'x', 'conversation_id': 'c1', 'message_id': 'm1', 'text': 'one',"
                    " 'role': 'user', 'observed_at': 5}\n{'platform': 'x', 'conversation_id':"
                    " 'c2', 'message_id': 'm2', 'text': 'two', 'role': 'user', 'observed_at':"
                    " 6}\n");
}

T_STORY(damage_files, the_witness, 60) {
  some_messages();
  t_down_marked();
  check_sound();
  flip("witness", 40);
  check_found("witness", "witness: it was not as written", "check the disk");
  check_sound(); /* it was made again */
  T_CHECK(truncate("witness", 0) == 0, "truncate");
  check_found("witness", "witness", "check the disk");
  check_sound();
}

/* Of two lines one is damaged: the other one still counts when a backup is put back. */
T_STORY(damage_files, what_was_forgotten, 90) {
  some_messages();
  t_do(0, "backup", "../out/before.db");
  t_do(0, "forget", "x:c1", "--yes");
  t_do(0, "forget", "x:c2", "--yes");
  t_down();
  check_sound();
  size_t n;
  char *text = t_read_file("forgotten", &n);
  T_CHECK(n > 20, "forgotten: %s", text);
  flip("forgotten", 20);
  check_found("forgotten", "line 1 is not as written", "`convkeep forget` it again");
  t_do(0, "restore", "../out/before.db");
  struct t_result r = t_convkeep("forget", "--again");
  T_CHECK(r.code == 1 && strstr(r.out, "x:c2") && strstr(r.err, "line 1 is not as written"),
          "exit %d: %s%s", r.code, r.out, r.err);
  t_result_free(&r);
  t_write_file("forgotten", text, n); /* somebody puts it right */
  t_says(0, "x:c1", "forget", "--again");
  T_CHECK(t_count("messages") == 0, "a message is left");
  T_CHECK(truncate("forgotten", 0) == 0, "truncate");
  check_found("forgotten", "forgotten: it lacks 2 ids", "convkeep forget --again notes it");
  t_do(0, "forget", "--again");
  check_sound();
  t_write_file("forgotten", text, n - 5); /* the power went while it was noted */
  t_do(0, "forget", "--undo", "x:c1");
  char *after = t_read_file("forgotten", NULL);
  T_CHECK(strstr(after, "\n{\"kind\":\"conversation\",\"id\":\"x:c1\"") &&
              after[strlen(after) - 1] == '\n',
          "the next line is lost: %s", after);
  free(after);
  free(text);
}

T_STORY(damage_files, the_quarantine, 60) {
  some_messages();
  t_import_lines(1, "{'platform': 'x', 'text': 'a', 'message_id': 'o1', 'observed_at': 5,"
                    " 'odd': 1}\n{'text': 'nobody said it'}\n");
  T_UNTIL(10000, t_exists("spool/refused.jsonl") && t_exists("spool/unknown.jsonl"), "quarantine");
  t_down_marked();
  check_sound();
  flip("spool/refused.jsonl", 30);
  check_found("spool", "spool/refused.jsonl: line 1 is not as written", "check the disk");
  flip("spool/refused.jsonl", 30);
  flip("spool/unknown.jsonl", -3);
  check_found("spool", "spool/unknown.jsonl: line 1 is not as written", "check the disk");
}

/* Of each file: the bytes from the line that has the key on. */
static long key_at(const char *file, const char *member) {
  char *text = t_read_file(file, NULL), *at = strstr(text, member);
  T_CHECK(at, "%s has no %s: %s", file, member, text);
  long place = strchr(at, '"') - text + 1;
  free(text);
  return place;
}

static void flip_key(const char *file, const char *member) { flip(file, key_at(file, member) + 4); }

/* The key ends before it begins: what follows is no line of the file, and nobody is shown it. */
static void end_key(const char *file, const char *member) {
  size_t n;
  long at = key_at(file, member);
  char *text = t_read_file(file, &n), key[31] = "";
  memcpy(key, text + at + 5, sizeof key - 1);
  text[at] = '"';
  t_write_file(file, text, n);
  check_found("curve", file, "keys init");
  struct t_result r = t_convkeep("doctor");
  T_CHECK(!strstr(r.out, key) && !strstr(r.err, key), "it shows a key: %s%s", r.out, r.err);
  t_result_free(&r);
  free(text);
}

T_STORY(damage_files, keys, 90) {
  static const char *const files[][2] = {{"keys/store.key", "public-key"},
                                         {"keys/store.key_secret", "secret-key"},
                                         {"keys/client.key_secret", "public-key"},
                                         {"keys/clients/client.key", "public-key"},
                                         {"keys/store.pub", "public-key"}};
  some_messages();
  t_down_marked();
  t_do(0, "keys", "init");
  T_CHECK(system("cp keys/store.key keys/store.pub") == 0, "cp");
  check_sound();
  for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
    flip_key(files[i][0], files[i][1]);
    check_found("curve", strstr(files[i][0], "store") ? "keys/store" : "keys/client", "keys init");
    flip_key(files[i][0], files[i][1]);
  }
  check_sound();
  end_key("keys/store.key_secret", "secret-key");
}

static void first_md(const char *path, void *found) {
  if (strstr(path, ".md") && !*(char **)found) *(char **)found = ck_strdup(path);
}

/* The readable files are for people: those beside the .json count as well. */
T_STORY(damage_files, a_readable_file, 90) {
  char *md = NULL;
  some_messages();
  t_down_marked();
  check_sound();
  t_walk("artifacts/conversations", first_md, &md);
  flip(md, -3);
  check_found("artifacts", md, "convkeep rebuild artifacts");
  t_do(0, "rebuild", "artifacts");
  check_sound();
  flip("artifacts/.names", 4200);
  check_sound(); /* the store has found it, and made it and the files again */
  t_up();
  t_settle(20000);
  t_sql_run_sealed("artifacts/.names", "PRAGMA wal_checkpoint(TRUNCATE)");
  flip("artifacts/.names", 4200);
  check_found("artifacts", "artifacts/.names", "convkeep rebuild artifacts");
  t_do(0, "rebuild", "artifacts");
  check_sound();
  free(md);
}

T_STORY(damage_files, a_text_of_records, 90) {
  setenv("CONVKEEP_ARTIFACTS_FORM", "records", 1);
  some_messages();
  t_settle(20000);
  t_down_marked();
  check_sound();
  t_up(); /* a start writes the index again */
  t_settle(20000);
  flip("artifacts/session/latest.txt", 8);
  check_found("artifacts", "artifacts/session/latest.txt", "convkeep rebuild artifacts");
  t_do(0, "rebuild", "artifacts");
  check_sound();
  T_CHECK(
      system("for f in $(find artifacts/msg -name '*.txt' | head -1); do sed -i s/o/0/ $f; done") ==
          0,
      "sed");
  check_found("artifacts", "1 .txt file is not as written", "convkeep rebuild artifacts");
}

T_STORY(damage_files, a_backup, 90) {
  struct stat st;
  some_messages();
  t_do(0, "backup", "../out/kept.db");
  t_says(0, "kept.db: sound, version", "backup", "--check", "../out/kept.db");
  T_CHECK(stat("../out/kept.db", &st) == 0, "stat");
  for (long at = 4096 + 4000; at < st.st_size; at += 8 * 4096) {
    flip("../out/kept.db", at);
    t_says(1, "kept.db", "backup", "--check", "../out/kept.db");
    flip("../out/kept.db", at);
  }
  T_CHECK(truncate("../out/kept.db", st.st_size / 2 / 4096 * 4096) == 0, "truncate");
  t_says(1, "it is damaged", "backup", "--check", "../out/kept.db");
  T_CHECK(truncate("../out/kept.db", 0) == 0, "truncate");
  t_says(1, "kept.db", "backup", "--check", "../out/kept.db");
  t_says(1, "there is no such file", "backup", "--check", "../out/none.db");
}
