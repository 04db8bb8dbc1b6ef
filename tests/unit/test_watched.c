/* Which folders are followed, and changing a setting in the file. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/file.h"
#include "proto/watched.h"

static char file[] = "/tmp/ck-watched-XXXXXX.conf";
static struct ck_err err;
static struct ck_settings *s;
static struct ck_watched *list;
static size_t n;

static void setup(void) {
  close(mkstemps(file, 5));
  setenv("HOME", "/home/ada", 1);
  unsetenv("CLAUDE_CONFIG_DIR");
  unsetenv("CODEX_HOME");
}
static void teardown(void) { unlink(file); }

TestSuite(watched, .init = setup, .fini = teardown);

static void write_file(const char *text) {
  int fd = open(file, O_WRONLY | O_TRUNC | O_CLOEXEC);
  cr_assert_eq(ck_write_all(fd, ck_str_of(text)), 0);
  close(fd);
}

static void load(const char *text) {
  write_file(text);
  s = ck_settings_load(file, &err);
  cr_assert(s, "%s", err.text);
  n = ck_watched_list(s, &list);
}

static void is(size_t i, const char *name, const char *folder) {
  cr_assert_lt(i, n);
  cr_expect_str_eq(list[i].name, name);
  cr_expect_str_eq(list[i].folder, folder);
}

static void done(size_t expected) {
  cr_expect_eq(n, expected, "%zu folders", n);
  ck_watched_free(list, n);
  ck_settings_free(&s);
}

Test(watched, where_the_programs_keep_their_sessions) {
  load("");
  is(0, "claude", "/home/ada/.claude/projects");
  is(1, "codex", "/home/ada/.codex/sessions");
  is(2, "codex_archived", "/home/ada/.codex/archived_sessions");
  cr_expect_not(list[0].given);
  done(3);
  setenv("CLAUDE_CONFIG_DIR", "/c", 1);
  setenv("CODEX_HOME", "/x/", 1);
  load("");
  is(0, "claude", "/c/projects");
  is(1, "codex", "/x//sessions");
  done(3);
  setenv("CLAUDE_CONFIG_DIR", "", 1); /* as if it were not set */
  unsetenv("CODEX_HOME");
  load("");
  is(0, "claude", "/home/ada/.claude/projects");
  done(3);
}

Test(watched, folders_of_settings) {
  load("watch.claude = ~/other/\nwatch.codex = \"\"\nwatch\n    mine = /logs\n");
  is(0, "claude", "/home/ada/other");
  cr_expect(list[0].given);
  is(1, "codex_archived", "/home/ada/.codex/archived_sessions");
  is(2, "mine", "/logs");
  done(3);
  setenv("CONVKEEP_WATCH_MINE", "/env", 1);
  load("watch.mine = /logs\n");
  is(3, "mine", "/env");
  done(4);
  unsetenv("CONVKEEP_WATCH_MINE");
}

/* A file is followed once. */
Test(watched, folders_within_others) {
  load("watch.a = /w\nwatch.b = /w/x\nwatch.c = /w\nwatch.d = /wx\nwatch.codex = /w/codex\n");
  is(2, "a", "/w");
  is(3, "d", "/wx");
  done(4);
}

Test(watched, no_such_folder) {
  write_file("watch.a = logs\n");
  cr_expect_null(ck_settings_load(file, &err));
  cr_expect(strstr(err.text, "watch.a: must be an absolute path"), "%s", err.text);
  write_file("watch.a.b = /logs\n");
  cr_expect_null(ck_settings_load(file, &err));
}

Test(watched, which_files) {
  static const char *const yes[] = {"a.jsonl", "a.jsonl.zst", "b.ndjson", "b.ndjson.zst",
                                    "agent-7.meta.json"};
  static const char *const no[] = {
      "a.json", ".a.jsonl", "a.jsonl.tmp", "a.meta.json", ".agent-7.meta.json",
      "a.zst",  "jsonl",    "a.jsonl~"};
  for (size_t i = 0; i < sizeof yes / sizeof *yes; ++i)
    cr_expect(ck_watched_is_log(yes[i]), "%s", yes[i]);
  for (size_t i = 0; i < sizeof no / sizeof *no; ++i)
    cr_expect_not(ck_watched_is_log(no[i]), "%s", no[i]);
}

/* ---- ck_settings_write ---- */

static void becomes(const char *before, const char *name, const char *value, const char *after) {
  struct ck_buf b = {0};
  struct stat st;
  write_file(before);
  cr_assert_eq(ck_settings_write(file, name, value, &err), 0, "%s", err.text);
  cr_assert_eq(ck_read_file(AT_FDCWD, file, 0, SIZE_MAX, &b, NULL), 0);
  cr_expect_str_eq(ck_buf_cstr(&b), after);
  cr_expect(stat(file, &st) == 0 && (st.st_mode & 0777) == 0600);
  ck_buf_free(&b);
}

Test(watched, a_setting_is_changed_in_the_file) {
  becomes("", "ingest.watch", "on", "ingest.watch = on\n");
  becomes("# x\nlog.level = info", "ingest.watch", "on",
          "# x\nlog.level = info\ningest.watch = on\n");
  becomes("# ingest.watch = off\n\n# y\n", "ingest.watch", "on", "ingest.watch = on\n\n# y\n");
  becomes("ingest.watch = on # mine\nd1.rate = 5\n", "ingest.watch", "off",
          "ingest.watch = off\nd1.rate = 5\n");
  becomes("ingest\n    watch = on\n    window = 9\n", "ingest.watch", "off",
          "ingest\n    watch = off\n    window = 9\n");
  becomes("# ingest.watch = off\ningest.watch = off\n", "ingest.watch", "on",
          "# ingest.watch = off\ningest.watch = on\n");
  becomes("#ingest.watchful = x\n", "ingest.watch", "on",
          "#ingest.watchful = x\ningest.watch = on\n");
  becomes("", "watch.claude", "/a b/c", "watch.claude = \"/a b/c\"\n");
}

Test(watched, the_mode_of_the_file_stays) {
  struct stat st;
  write_file("");
  cr_assert_eq(chmod(file, 0640), 0);
  cr_assert_eq(ck_settings_write(file, "ingest.watch", "on", &err), 0, "%s", err.text);
  cr_expect(stat(file, &st) == 0 && (st.st_mode & 07777) == 0640, "%o", (unsigned)st.st_mode);
}

Test(watched, a_file_that_cannot_be_replaced) {
  char beside[sizeof file + 8];
  snprintf(beside, sizeof beside, "%s.new", file);
  write_file("");
  cr_assert_eq(mkdir(beside, 0700), 0);
  cr_expect_eq(ck_settings_write(file, "ingest.watch", "on", &err), -1);
  cr_expect(strstr(err.text, file) && !strstr(err.text, "(null)"), "%s", err.text);
  cr_expect_eq(rmdir(beside), 0);
}

/* A new file has every setting, and this one. */
Test(watched, a_file_that_is_not_there) {
  unlink(file);
  cr_assert_eq(ck_settings_write(file, "ingest.watch", "on", &err), 0, "%s", err.text);
  s = ck_settings_load(file, &err);
  cr_assert(s, "%s", err.text);
  cr_expect_str_eq(ck_set_text(s, CK_SET_INGEST_WATCH), "on");
  ck_settings_free(&s);
}
