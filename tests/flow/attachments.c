/* The files that lie beside the conversations of an export are kept once, and found by the name
 * that messages have for them. */
#include <archive.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/attachment.h"
#include "proto/sha256.h"
#include "tests/harness/archive.h"
#include "tests/harness/base.h"
#include "tests/harness/database.h"
#include "tests/harness/ring.h"
#include "tests/harness/talk.h"

#define FILE_ID "file-Lp8qkpA7PBzrPMkzs8qDsJ"
#define CHAT \
  "[{\"id\":\"c1\",\"title\":\"t\",\"create_time\":1700000000.0,\"mapping\":{\"n\":{\"id\":\"n\"," \
  "\"message\":{\"id\":\"m1\",\"author\":{\"role\":\"user\"},\"create_time\":1700000000.5," \
  "\"content\":{\"content_type\":\"multimodal_text\",\"parts\":[{\"content_type\":" \
  "\"image_asset_pointer\",\"asset_pointer\":\"file-service://" FILE_ID "\"},\"look\"]}}," \
  "\"parent\":null,\"children\":[]}},\"current_node\":\"n\"}]"
#define PNG "\x89PNG\r\n\x1a\n and what a picture has"

#define TEXT(name, text) \
  { name, CK_LIT(text) }

/* A file of n bytes that are not the same twice; the caller frees it. */
static char *noise(size_t n) {
  char *bytes = ck_alloc(n);
  for (size_t i = 0; i < n; ++i) bytes[i] = (char)t_random();
  return bytes;
}

static void write_zip(const char *path, const struct t_member *files, size_t n) {
  struct ck_buf b = t_archive(ARCHIVE_FORMAT_ZIP, ARCHIVE_FILTER_NONE, files, n);
  t_write_file(path, b.data, b.len);
  ck_buf_free(&b);
}

static json_t *line_of(json_t *lines, const char *format) {
  size_t i;
  json_t *line;
  json_array_foreach(lines, i,
                     line) if (t_text_at(line, "format") &&
                               strcmp(t_text_at(line, "format"), format) == 0) return line;
  return NULL;
}

/* Imports it; the counts of its attachments must be these. */
static void import_counts(int code, const char *path, int added, int updated, int unchanged,
                          int failed) {
  json_t *lines = t_lines(code, "import", path), *line = line_of(lines, "attachments");
  T_CHECK(line && t_int_at(line, "new", -1) == added && t_int_at(line, "updated", -1) == updated &&
              t_int_at(line, "unchanged", -1) == unchanged &&
              t_int_at(line, "failed", -1) == failed,
          "%d new, %d updated, %d unchanged, %d failed were expected: %s", added, updated,
          unchanged, failed, json_dumps(lines, 0));
  json_decref(lines);
}

/* The attachment with this value of a filter must have these bytes, at the path that is listed. */
static void has_bytes(const char *filter, const char *value, struct ck_str bytes) {
  char option[32];
  size_t n;
  snprintf(option, sizeof option, "--%s", filter);
  json_t *lines = t_lines(0, "list", "attachments", option, value);
  T_CHECK(json_array_size(lines) == 1 && t_int_at(lines, "0.there", 0) == 1, "%s: %s", value,
          json_dumps(lines, 0));
  char *content = t_read_file(t_text_at(lines, "0.path"), &n);
  T_CHECK(content && n == bytes.n && memcmp(content, bytes.s, n) == 0, "%s has other bytes", value);
  free(content);
  json_decref(lines);
}

static int counted;
static void count_file(const char *path, void *self) {
  (void)path, (void)self;
  ++counted;
}
static int files_kept(void) {
  counted = 0;
  t_walk("attachments", count_file, NULL);
  return counted;
}

T_STORY(attachments, a_zip_with_images_and_documents, 60) {
  char *big = noise(3 << 20);
  memcpy(big, "PK\3\4", 4);
  const struct t_member files[] = {TEXT(FILE_ID "-photo one.png", PNG),
                                   TEXT("conversations.json", CHAT),
                                   {"user-1/report.docx", {big, 3 << 20}},
                                   TEXT("../../climbs.png", "climbs"),
                                   TEXT("dalle-generations/same.webp", "climbs"),
                                   TEXT("chat.html", "<html>"),
                                   TEXT(".DS_Store", "x"),
                                   TEXT("__MACOSX/._a.png", "x")};
  t_up();
  write_zip("export.zip", files, 8);
  import_counts(0, "export.zip", 3, 1, 0, 0);
  has_bytes("file", FILE_ID, CK_LIT(PNG));
  has_bytes("name", "user-1/report.docx", (struct ck_str){big, 3 << 20});
  has_bytes("name", "../../climbs.png", CK_LIT("climbs"));
  has_bytes("name", "dalle-generations/same.webp", CK_LIT("climbs"));
  T_CHECK(files_kept() == 3, "%d files", files_kept());
  T_CHECK(!t_exists("../climbs.png") && !t_exists("../../climbs.png"), "a name became a path");
  import_counts(0, "export.zip", 0, 0, 4, 0);
  T_CHECK(files_kept() == 3, "%d files", files_kept());
  t_whole(20000);
  free(big);
}

/* From a folder, where each archive in it is one of its own, and from a pipe; the names are the
 * same as in a zip, so that the same export counts once. */
T_STORY(attachments, a_folder_and_a_pipe, 60) {
  const struct t_member inner[] = {TEXT("user-1/in.png", "in")};
  const struct t_member files[] = {TEXT("conversations.json", CHAT), TEXT("a.png", "a")};
  mkdir("export", 0700);
  mkdir("export/user-1", 0700);
  t_write_text("export/conversations.json", CHAT);
  t_write_text("export/a.png", "a");
  t_write_text("export/user-1/b.pdf", "%PDF b");
  write_zip("export/more.zip", inner, 1);
  write_zip("export/user-1/table.xlsx", inner, 1); /* a document, though it is a zip */
  mkdir("pictures", 0700);
  t_write_text("pictures/holiday.png", "no");
  t_write_text("pictures/" FILE_ID ".dat", PNG);
  t_up();
  import_counts(0, "export", 4, 0, 0, 0);
  has_bytes("name", "more.zip: user-1/in.png", CK_LIT("in"));
  has_bytes("name", "a.png", CK_LIT("a"));
  import_counts(0, "pictures", 1, 0, 0, 0); /* without conversations: only what has a file's id */
  has_bytes("file", FILE_ID, CK_LIT(PNG));
  write_zip("export.zip", files, 2);
  struct t_result r = t_import_pipe("export.zip");
  T_CHECK(r.code == 0 && strstr(r.out, "attachments"), "%s%s", r.out, r.err);
  t_result_free(&r);
  T_CHECK(files_kept() == 5, "%d files", files_kept());
  import_counts(0, "export.zip", 0, 0, 1, 0);
}

T_STORY(attachments, off_by_the_setting, 60) {
  const struct t_member files[] = {TEXT("conversations.json", CHAT), TEXT("a.png", "a")};
  write_zip("export.zip", files, 2);
  t_up();
  json_t *lines = t_lines(0, "import", "export.zip", "--set", "import.attachments=off");
  T_CHECK(!line_of(lines, "attachments") && files_kept() == 0, "%s", json_dumps(lines, 0));
  T_CHECK(t_int_at(lines, "1.other_files", 0) == 1, "%s", json_dumps(lines, 0));
  json_decref(lines);
}

/* A member that cannot be read is said, and the others are kept. */
T_STORY(attachments, one_that_is_damaged, 60) {
  char *bytes = noise(300000);
  const struct t_member files[] = {TEXT("conversations.json", CHAT),
                                   {FILE_ID "-bad.png", {bytes, 300000}},
                                   TEXT("good.png", "good")};
  struct ck_buf b = t_archive(ARCHIVE_FORMAT_ZIP, ARCHIVE_FILTER_NONE, files, 3);
  char *in = memmem(b.data, b.len, FILE_ID, strlen(FILE_ID));
  memset(in + 250000, 0xff, 20000);
  t_write_file("export.zip", b.data, b.len);
  t_up();
  import_counts(1, "export.zip", 1, 0, 0, 1);
  has_bytes("name", "good.png", CK_LIT("good"));
  T_CHECK(files_kept() == 1, "%d files", files_kept());
  ck_buf_free(&b);
  free(bytes);
}

/* A file that somebody has deleted is there again after the next import; doctor and the list say
 * that it is missing. */
T_STORY(attachments, one_that_was_deleted_comes_back, 60) {
  const struct t_member files[] = {TEXT("conversations.json", CHAT), TEXT("a.png", "a")};
  char path[300];
  t_up();
  write_zip("export.zip", files, 2);
  import_counts(0, "export.zip", 1, 0, 0, 0);
  json_t *lines = t_lines(0, "list", "attachments");
  snprintf(path, sizeof path, "%s", t_text_at(lines, "0.path"));
  json_decref(lines);
  T_CHECK(unlink(path) == 0, "%s", path);
  lines = t_lines(0, "list", "attachments");
  T_CHECK(t_int_at(lines, "0.there", 1) == 0, "%s", json_dumps(lines, 0));
  json_decref(lines);
  json_decref(t_lines(0, "import", "export.zip"));
  has_bytes("name", "a.png", CK_LIT("a"));
}

/* While the store is away they wait in the spool, and are there when it is back. */
T_STORY(attachments, while_the_store_is_away, 90) {
  char *big = noise(5 << 20);
  const struct t_member files[] = {
      TEXT("conversations.json", CHAT), {FILE_ID "-big.png", {big, 5 << 20}}, TEXT("a.png", "a")};
  write_zip("export.zip", files, 3);
  struct t_process *store = t_daemon("store", NULL), *ingest = t_daemon("ingest", NULL);
  t_import_lines(0, "{'platform': 'x', 'text': 'before', 'role': 'user', 'message_id': 'before', "
                    "'conversation_id': 'c', 'observed_at': 1}\n");
  t_talk_forget();
  t_kill("store", SIGKILL);
  t_wait_end(store, 20000);
  json_t *lines = t_lines(0, "import", "export.zip");
  T_CHECK(t_int_at(line_of(lines, "attachments"), "waiting", 0) == 2, "%s", json_dumps(lines, 0));
  json_decref(lines);
  T_CHECK(files_kept() == 0, "%d files", files_kept());
  t_signal(ingest, SIGKILL);
  t_wait_end(ingest, 20000);
  t_up();
  t_whole(20000);
  has_bytes("file", FILE_ID, (struct ck_str){big, 5 << 20});
  import_counts(0, "export.zip", 0, 0, 2, 0);
  free(big);
}

/* ---- upkeep ---- */

/* The path of the one with this name. */
static const char *path_of(const char *name) {
  static char path[300];
  json_t *lines = t_lines(0, "list", "attachments", "--name", name);
  snprintf(path, sizeof path, "%s", t_text_at(lines, "0.path"));
  json_decref(lines);
  return path;
}

static void import_two(void) {
  const struct t_member files[] = {TEXT("conversations.json", CHAT), TEXT("a.png", "picture a"),
                                   TEXT("b.png", "picture b")};
  write_zip("export.zip", files, 3);
  import_counts(0, "export.zip", 2, 0, 0, 0);
}

T_STORY(attachments, doctor_finds_what_is_missing_or_damaged, 90) {
  t_up();
  import_two();
  t_settle(20000);
  t_doctor_finds(0, "attachments", "ok", "2 are whole, 18 bytes");
  t_write_text("attachments/stray", "of nobody");
  char *part = ck_sprintf("attachments/%064d.part", 7);
  t_write_text(part, "half");
  t_doctor_finds(0, "attachments", "note", "1 file belongs to no attachment");
  t_doctor_finds(0, "attachments", "note", "1 is not whole yet");
  T_CHECK(unlink(part) == 0 && unlink("attachments/stray") == 0, "doctor has deleted something");
  free(part);
  t_write_text(path_of("a.png"), "picture A");
  t_doctor_finds(1, "attachments", "wrong", "0 missing, 1 damaged");
  T_CHECK(unlink(path_of("b.png")) == 0, "no file");
  t_doctor_finds(1, "attachments", "wrong", "1 missing, 1 damaged");
  /* As its advice says. */
  T_CHECK(unlink(path_of("a.png")) == 0, "no file");
  json_decref(t_lines(0, "import", "export.zip"));
  t_doctor_finds(0, "attachments", "ok", "2 are whole");
}

T_STORY(attachments, a_backup_has_them_and_a_restore_brings_them_back, 120) {
  const struct t_member more[] = {TEXT("conversations.json", CHAT), TEXT("c.png", "picture c")};
  char copy[600];
  snprintf(copy, sizeof copy, "%s/out/copy.db", t_folder());
  t_up();
  import_two();
  json_t *lines = t_lines(0, "backup", copy);
  T_CHECK(t_int_at(lines, "0.attachments", 0) == 2, "%s", json_dumps(lines, 0));
  json_decref(lines);
  write_zip("more.zip", more, 2);
  import_counts(0, "more.zip", 1, 0, 0, 0);
  lines = t_lines(0, "backup", copy, "--force");
  T_CHECK(t_int_at(lines, "0.attachments", 0) == 1, "not only the new one: %s",
          json_dumps(lines, 0));
  json_decref(lines);
  t_down();
  T_CHECK(system("rm -r attachments") == 0, "no shell");
  lines = t_lines(0, "restore", copy);
  T_CHECK(t_int_at(lines, "0.attachments", 0) == 3 &&
              t_int_at(lines, "0.attachments_missing", -1) == 0,
          "%s", json_dumps(lines, 0));
  json_decref(lines);
  has_bytes("name", "a.png", CK_LIT("picture a"));
  has_bytes("name", "c.png", CK_LIT("picture c"));
  /* A backup whose folder was left behind is restored, and says what is missing. */
  T_CHECK(system("rm -r attachments") == 0, "no shell");
  T_CHECK(rename(copy, "copy.alone") == 0, "no copy");
  lines = t_lines(1, "restore", "copy.alone");
  T_CHECK(t_int_at(lines, "0.attachments_missing", 0) == 3, "%s", json_dumps(lines, 0));
  json_decref(lines);
  T_CHECK(system("rm -r attachments; cp -r ../out/attachments attachments") == 0, "no shell");
  t_doctor_finds(0, "attachments", "ok", "3 are whole");
}

T_STORY(attachments, a_backup_says_what_it_cannot_copy, 90) {
  char copy[600];
  snprintf(copy, sizeof copy, "%s/out/copy.db", t_folder());
  t_up();
  import_two();
  t_write_text(path_of("a.png"), "picture A");
  json_t *lines = t_lines(1, "backup", copy);
  T_CHECK(t_int_at(lines, "0.attachments", 0) == 1 && t_int_at(lines, "0.attachments_bad", 0) == 1,
          "%s", json_dumps(lines, 0));
  json_decref(lines);
}

/* ---- those of another data folder ---- */

#define OURS "artifact.db* artifacts attachments logs mirror.db* search.db* spool witness"

static void run_shell(const char *command) { T_CHECK(system(command) == 0, "%s", command); }

/* Ends the ring and moves what its store has made to another place; then begins again. */
static void move_away(const char *place) {
  char command[200];
  t_down();
  snprintf(command, sizeof command,
           "mkdir -p %s; for f in %s; do if [ -e $f ]; then mv $f %s; fi; done", place, OURS,
           place);
  run_shell(command);
  t_up();
}

/* The path of the file in another data folder; valid until the next call. */
static const char *in_folder(const char *folder, struct ck_str bytes) {
  static char path[200];
  char hash[CK_SHA256_HEX + 1], name[CK_ATTACHMENT_PATH];
  struct ck_sha256 sum;
  ck_sha256_begin(&sum);
  ck_sha256_add(&sum, bytes);
  ck_sha256_end_hex(&sum, hash);
  ck_attachment_path(name, ck_str_of(hash), true);
  snprintf(path, sizeof path, "%s/attachments/%s", folder, name);
  return path;
}

/* A database lists its attachments, and they come with it: from its folder, from beside the file
 * alone, and from an archive, by the names that they have there. */
T_STORY(attachments, of_another_data_folder, 120) {
  char *big = noise(3 << 20);
  struct ck_str large = {big, 3 << 20};
  const struct t_member files[] = {TEXT("conversations.json", CHAT),
                                   TEXT(FILE_ID ".dat", PNG),
                                   TEXT("a.png", "a"),
                                   TEXT("other/a too.png", "a"),
                                   {"user-1/report.docx", large}};
  t_up();
  write_zip("../export.zip", files, 5);
  import_counts(0, "../export.zip", 3, 1, 0, 0);
  move_away("../first");
  import_counts(0, "../first", 3, 1, 0, 0);
  has_bytes("file", FILE_ID, CK_LIT(PNG));
  has_bytes("name", "other/a too.png", CK_LIT("a"));
  has_bytes("name", "user-1/report.docx", large);
  t_doctor_finds(0, "attachments", "ok", "3 are whole");
  import_counts(0, "../first", 0, 0, 4, 0);
  import_counts(0, "../first/artifact.db", 0, 0, 4, 0);
  T_CHECK(files_kept() == 3, "%d files", files_kept());
  move_away("../second");
  import_counts(0, "../second/artifact.db", 3, 1, 0, 0);
  has_bytes("name", "user-1/report.docx", large);
  move_away("../third");
  run_shell("cd .. && tar czf third.tgz third");
  import_counts(0, "../third.tgz", 3, 1, 0, 0);
  has_bytes("name", "a.png", CK_LIT("a"));
  has_bytes("name", "user-1/report.docx", large);
  import_counts(0, "../third.tgz", 0, 0, 4, 0);
  free(big);
}

/* What is missing or damaged there is said, name by name, and the others come; unless it is here
 * already. */
T_STORY(attachments, missing_in_another_data_folder, 120) {
  const struct t_member files[] = {TEXT("conversations.json", CHAT), TEXT(FILE_ID ".dat", PNG),
                                   TEXT("a.png", "a"), TEXT("other/a too.png", "a"),
                                   TEXT("b.png", "b")};
  t_up();
  write_zip("../export.zip", files, 5);
  import_counts(0, "../export.zip", 3, 1, 0, 0);
  move_away("../other");
  T_CHECK(unlink(in_folder("../other", CK_LIT("a"))) == 0, "a is not there");
  t_write_text(in_folder("../other", CK_LIT("b")), "B");
  json_t *lines = t_lines(1, "import", "../other"), *line = line_of(lines, "attachments");
  T_CHECK(t_int_at(line, "new", 0) == 1 && t_int_at(line, "failed", 0) == 3, "%s",
          json_dumps(lines, 0));
  char *told = json_dumps(t_at(line, "failures"), 0);
  T_CHECK(strstr(told, "other/a too.png") && strstr(told, "No such file") &&
              strstr(told, "b.png") && strstr(told, "damaged"),
          "%s", told);
  free(told);
  json_decref(lines);
  import_counts(1, "../other/artifact.db", 0, 0, 1, 3);
  import_counts(0, "../export.zip", 2, 1, 1, 0);
  import_counts(0, "../other", 0, 0, 4, 0);
}
