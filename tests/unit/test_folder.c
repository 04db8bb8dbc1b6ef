/* The data folder: where it is, whose it may be, and the links on the way to it. */
#include "proto/file.h"
#include "proto/folder.h"
#include "proto/settings.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define OTHER 54321 /* a user who is neither root nor the caller */

static char home[32];
static struct ck_err err;

static void begin(void) {
  strcpy(home, "/tmp/ck-folder-XXXXXX");
  cr_assert(mkdtemp(home) && chmod(home, 0755) == 0 && chdir(home) == 0);
  unsetenv("CONVKEEP_DATA");
  unsetenv("XDG_DATA_HOME");
  err.text[0] = '\0';
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *f) {
  (void)st, (void)type, (void)f;
  return remove(path);
}

static void end(void) {
  cr_assert_eq(chdir("/"), 0);
  nftw(home, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

TestSuite(folder, .init = begin, .fini = end);

static void expect_dir(const char *expected) {
  char *dir = ck_data_dir(NULL, &err);
  cr_assert(dir, "%s", err.text);
  cr_expect_str_eq(dir, expected);
  free(dir);
}

Test(folder, where_it_is) {
  setenv("HOME", "/h", 1);
  expect_dir("/h/.local/share/convkeep");
  setenv("XDG_DATA_HOME", "x", 1);
  expect_dir("/h/.local/share/convkeep");
  setenv("XDG_DATA_HOME", "/x", 1);
  expect_dir("/x/convkeep");
  setenv("CONVKEEP_DATA", "d", 1);
  expect_dir("d");
}

Test(folder, without_a_home_it_is_nowhere) {
  static const char *const homes[] = {NULL, "", "here", "./x"};
  for (size_t i = 0; i < sizeof homes / sizeof *homes; i++) {
    if (homes[i])
      setenv("HOME", homes[i], 1);
    else
      unsetenv("HOME");
    cr_assert_null(ck_data_dir(NULL, &err), "HOME=%s", homes[i]);
    cr_expect(strstr(err.text, "HOME is not"), "%s", err.text);
  }
}

static mode_t mode_of(const char *path) {
  struct stat st;
  cr_assert_eq(stat(path, &st), 0, "%s", path);
  return st.st_mode & 0777;
}

Test(folder, is_made_for_its_owner_alone) {
  umask(077);
  cr_assert_eq(ck_data_visit("a/b/", &err), 1, "%s", err.text);
  cr_assert_neq(access("a", F_OK), 0);
  cr_assert_eq(ck_data_enter("a/./b/", &err), 0, "%s", err.text);
  cr_expect_eq(mode_of("."), 0700);
  cr_expect_eq(mode_of("keys/clients"), 0700);
  cr_assert_eq(chdir(home), 0);
  cr_assert_eq(ck_data_visit("a/b", &err), 0, "%s", err.text);
  cr_expect_eq(mode_of("spool"), 0700);
}

static void refused(const char *dir, const char *words) {
  cr_assert_eq(chdir(home), 0);
  cr_assert_eq(ck_data_enter(dir, &err), -1, "%s was taken", dir);
  cr_expect(strstr(err.text, words), "no \"%s\" in: %s", words, err.text);
  cr_expect(strncmp(err.text, dir, strlen(dir)) == 0, "it is not named: %s", err.text);
}

Test(folder, in_which_others_write_is_refused) {
  static const char *const inside[] = {
      ".", "run", "logs", "logs/renewal", "keys", "keys/clients", "spool", "web", "artifacts"};
  cr_assert_eq(ck_data_enter("d", &err), 0, "%s", err.text);
  for (size_t i = 0; i < sizeof inside / sizeof *inside; i++)
    for (mode_t open_to = 0020; open_to; open_to = open_to == 0020 ? 0002 : 0) {
      char path[64];
      snprintf(path, sizeof path, "%s/d/%s", home, inside[i]);
      cr_assert_eq(chmod(path, 0700 | open_to), 0);
      refused("d", "others may write to it (mode 7");
      cr_expect(strstr(err.text, "chmod go-w"), "%s", err.text);
      cr_assert_eq(chmod(path, 0700), 0);
    }
  cr_assert_eq(chdir(home), 0);
  cr_assert_eq(ck_data_enter("d", &err), 0, "%s", err.text);
}

static void root_only(void) {
  if (geteuid() != 0) cr_skip_test("only root can give a file to another user");
}

Test(folder, of_another_user_is_refused) {
  root_only();
  cr_assert_eq(ck_data_enter("d", &err), 0, "%s", err.text);
  cr_assert_eq(chdir(home), 0);
  cr_assert_eq(chown("d", OTHER, OTHER), 0);
  refused("d", "it belongs to user 54321, and this is user 0");
  cr_assert_eq(chdir(home), 0);
  cr_assert_eq(chown("d", 0, 0) || chown("d/spool", OTHER, OTHER), 0);
  refused("d", "spool: it belongs to user 54321");
}

/* Runs it as that user; returns its exit code. */
static int as_other(int (*what)(void)) {
  pid_t pid = fork();
  int status;
  if (pid == 0) {
    if (setgid(OTHER) || setuid(OTHER)) _exit(99);
    _exit(what());
  }
  cr_assert_eq(waitpid(pid, &status, 0), pid);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 98;
}

static int enter_d(void) {
  if (ck_data_enter("d", &err) == 0) return 0;
  return strstr(err.text, "belongs to user 0, and this is user 54321; give it") ? 1 : 2;
}

/* As a container's volume that root made, for a daemon that is not root. */
Test(folder, of_root_is_right_if_the_caller_can_write_there) {
  root_only();
  cr_assert(mkdir("d", 0755) == 0 && chmod("d", 0755) == 0);
  cr_expect_eq(as_other(enter_d), 1, "the reason does not say who is who");
  cr_assert_eq(chown("d", OTHER, OTHER), 0);
  cr_expect_eq(as_other(enter_d), 0);
  cr_assert_eq(chown("d", 0, 0), 0);
  cr_expect_eq(as_other(enter_d), 0, "all that it needs is there, and its own");
}

Test(folder, is_found_through_links_of_the_caller_only) {
  cr_assert_eq(ck_data_enter("d", &err), 0, "%s", err.text);
  cr_assert_eq(chdir(home), 0);
  cr_assert_eq(symlink("d", "one") || symlink("./one/../one", "two"), 0);
  cr_assert_eq(ck_data_visit("two", &err), 0, "%s", err.text);
  cr_expect_eq(access("spool", F_OK), 0, "this is another folder");
  cr_assert_eq(chdir(home) || symlink("loop", "loop"), 0);
  refused("loop", "symbolic links");
  root_only();
  cr_assert_eq(lchown("one", OTHER, OTHER), 0);
  refused("two", "a symbolic link of another user's (54321) is on the way");
}

Test(folder, links_in_it_are_refused) {
  static const char *const inside[] = {"run",   "logs", "logs/renewal", "keys",
                                       "spool", "web",  "artifacts"};
  for (size_t i = 0; i < sizeof inside / sizeof *inside; i++) {
    char dir[8], path[64];
    snprintf(dir, sizeof dir, "d%zu", i);
    cr_assert_eq(mkdir(dir, 0700) || mkdir("there", 0700), 0);
    snprintf(path, sizeof path, "%s/logs", dir);
    if (strcmp(inside[i], "logs/renewal") == 0) cr_assert_eq(mkdir(path, 0700), 0);
    snprintf(path, sizeof path, "%s/%s", dir, inside[i]);
    char target[64];
    snprintf(target, sizeof target, "%s/there", home);
    cr_assert_eq(symlink(target, path), 0);
    refused(dir, "it must be a folder, and no symbolic link");
    cr_assert_eq(chdir(home), 0);
    cr_assert_eq(rmdir("there"), 0, "something was made at the other end");
  }
}

/* ---- files that are read for what they say ---- */

static void write_file(const char *name, const char *text) {
  FILE *f = fopen(name, "w");
  cr_assert(f && fputs(text, f) >= 0 && fclose(f) == 0);
}

static const char *settings_refused(void) {
  struct ck_settings *s = ck_settings_load("c", &err);
  if (!s) return err.text;
  ck_settings_free(&s);
  return "";
}

Test(folder, settings_of_others_are_refused) {
  umask(022);
  write_file("c", "renew.max_attempts = 3\n");
  cr_expect_str_eq(settings_refused(), "");
  cr_assert_eq(chmod("c", 0666), 0);
  cr_expect(strstr(settings_refused(), "c: others may write to it (mode 666)"), "%s", err.text);
  cr_assert_eq(chmod("c", 0620), 0);
  cr_expect(strstr(settings_refused(), "others may write"), "%s", err.text);
  cr_assert_eq(chmod("c", 0600), 0);
  root_only();
  cr_assert_eq(chown("c", OTHER, OTHER), 0);
  cr_expect(strstr(settings_refused(), "c: it belongs to user 54321"), "%s", err.text);
}

Test(folder, secrets_of_others_are_refused) {
  struct ck_settings *s = ck_settings_load(NULL, &err);
  unsetenv("CONVKEEP_D1_TOKEN");
  unsetenv("CONVKEEP_POSTGRES_PASSWORD");
  umask(022);
  write_file("token", "abc\n");
  cr_assert_eq(ck_settings_flag(s, "d1.token_file", "token", &err) ||
                   ck_settings_flag(s, "postgres.password_file", "token", &err),
               0);
  char *token = ck_settings_d1_token(s, &err);
  cr_assert_str_eq(token, "abc", "%s", err.text);
  free(token);
  cr_assert_eq(chmod("token", 0602), 0);
  cr_expect_null(ck_settings_d1_token(s, &err));
  cr_expect_str_eq(err.text,
                   "token: others may write to it (mode 602); take that away (chmod go-w)");
  cr_expect_null(ck_settings_postgres_password(s, &err));
  cr_expect(strstr(err.text, "others may write"), "%s", err.text);
  ck_settings_free(&s);
}
