/* Settings: the file, the environment, the flags, the errors, and the secrets. */
#include "proto/settings.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char path[] = "/tmp/ck-settings-XXXXXX.conf";
static struct ck_err err;

static void begin(void) {
  int fd = mkstemps(path, 5);
  close(fd);
}

static void end(void) { unlink(path); }

TestSuite(settings, .init = begin, .fini = end);

/* Loads a file of this text; the error stays in err. */
static struct ck_settings *load(const char *text) {
  FILE *f = fopen(path, "w");
  fputs(text, f);
  fclose(f);
  err.text[0] = '\0';
  return ck_settings_load(path, &err);
}

static void refused(const char *text, const char *reason) {
  struct ck_settings *s = load(text);
  char expected[512];
  snprintf(expected, sizeof expected, "%s:%s", path, reason);
  cr_expect_null(s, "%s", text);
  cr_expect_str_eq(err.text, expected, "%s", err.text);
  if (s) ck_settings_free(&s);
}

Test(settings, defaults_hold) {
  struct ck_settings *s = ck_settings_load(NULL, &err);
  cr_assert_not_null(s, "%s", err.text);
  cr_assert_str_eq(ck_set_text(s, CK_SET_SYNC_SINKS), "sqlite");
  cr_assert_str_eq(ck_set_text(s, CK_SET_D1_ACCOUNT), "");
  cr_assert_eq(ck_set_int(s, CK_SET_RENEW_BACKOFF_MAX), 900000);
  cr_assert_eq(ck_set_int(s, CK_SET_RENEW_MAX_ATTEMPTS), 3);
  cr_assert_null(ck_set_word(s, CK_SET_RENEW_WEBHOOK_ALLOW, 0));
  cr_assert_str_eq(ck_set_word(s, CK_SET_SYNC_SINKS, 0), "sqlite");
  cr_assert_null(ck_set_word(s, CK_SET_SYNC_SINKS, 1));
  cr_assert_null(ck_set_word(s, CK_SET_SYNC_BATCH, 0));
  struct ck_exec exec;
  cr_assert_not(ck_set_exec(s, "x", &exec));
  cr_assert_not(ck_set_has_exec(s));
  struct ck_setting_view v;
  int n = 0;
  while (ck_settings_view(s, n, &v)) {
    cr_assert_str_eq(v.from, "default");
    n++;
  }
  cr_assert_eq(n, CK_SETTINGS);
  ck_settings_free(&s);
  cr_assert_null(s);
  ck_settings_free(&s);
}

Test(settings, a_missing_file_is_none) {
  err.text[0] = '\0';
  struct ck_settings *s = ck_settings_load("/nowhere/convkeep.conf", &err);
  cr_assert_not_null(s);
  cr_assert_str_empty(err.text, "it is no error");
  ck_settings_free(&s);
  cr_assert_null(ck_settings_load("/tmp", &err), "a folder is no file");
}

/* The program and its arguments, with and without quotes. */
static void check_programs(const struct ck_settings *s) {
  struct ck_exec exec;
  cr_assert(ck_set_exec(s, "notify", &exec));
  char *const *argv = exec.argv;
  cr_assert_str_eq(argv[0], "/bin/echo");
  cr_assert_str_eq(argv[1], "two words");
  cr_assert_str_eq(argv[2], "ab cd");
  cr_assert_str_eq(argv[3], "");
  cr_assert_null(argv[4]);
  cr_assert(exec.timeout == 30000 && !exec.env && !exec.folder && exec.input == CK_EXEC_DELIVERY);
  cr_assert(ck_set_exec(s, "Other-1", &exec));
  cr_assert_str_eq(exec.argv[0], "/path with blank/x");
  cr_assert_eq(exec.timeout, 1800000);
  cr_assert_str_eq(exec.folder, "{cwd}");
  cr_assert_str_eq(exec.env[1], "B=two words");
  cr_assert_null(exec.env[2]);
  cr_assert_eq(exec.input, CK_EXEC_ARGUMENT);
  cr_assert_not(ck_set_exec(s, "other-1", &exec));
}

static void check_views(const struct ck_settings *s) {
  struct ck_setting_view v;
  cr_assert(ck_settings_view(s, CK_SET_SYNC_BACKOFF_MAX, &v));
  char from[300];
  snprintf(from, sizeof from, "%s:13", path);
  cr_assert_str_eq(v.from, from);
  cr_assert_str_eq(v.value, "2min");
  cr_assert(ck_settings_view(s, CK_SETTINGS + 1, &v));
  cr_assert_str_eq(v.name, "renew.exec.Other-1");
  cr_assert(ck_settings_view(s, CK_SETTINGS + 5, &v));
  cr_assert_str_eq(v.name, "renew.exec.Other-1.input");
  cr_assert_not(ck_settings_view(s, CK_SETTINGS + 6, &v));
}

Test(settings, both_spellings) {
  struct ck_settings *s = load("# a comment\n"
                               "d1\n"
                               "    account = \"acc # 1\"   # quoted\n"
                               "    database = plain value # not quoted\r\n"
                               "\n"
                               "  # a comment anywhere\n"
                               "renew\n"
                               "    webhook\n"
                               "        allow = https://a/  http://b/\n"
                               "    webhook.idempotent = 'https://c/'\n"
                               "    exec\n"
                               "        notify = /bin/echo \"two words\" a\"b c\"d \"\"\n"
                               "sync.backoff_max = 2min\n"
                               "renew.exec.Other-1 = '\"/path with blank/x\" y'\n"
                               "renew.exec.Other-1.timeout = 30min\n"
                               "renew.exec.Other-1.folder = {cwd}\n"
                               "renew.exec.Other-1.env = 'A={home} \"B=two words\"'\n"
                               "renew.exec.Other-1.input = argument\n");
  cr_assert_not_null(s, "%s", err.text);
  cr_assert_str_eq(ck_set_text(s, CK_SET_D1_ACCOUNT), "acc # 1");
  cr_assert_str_eq(ck_set_text(s, CK_SET_D1_DATABASE), "plain value");
  cr_assert_str_eq(ck_set_word(s, CK_SET_RENEW_WEBHOOK_ALLOW, 0), "https://a/");
  cr_assert_str_eq(ck_set_word(s, CK_SET_RENEW_WEBHOOK_ALLOW, 1), "http://b/");
  cr_assert_null(ck_set_word(s, CK_SET_RENEW_WEBHOOK_ALLOW, 2));
  cr_assert_null(ck_set_word(s, CK_SET_RENEW_WEBHOOK_ALLOW, 9));
  cr_assert_str_eq(ck_set_word(s, CK_SET_RENEW_WEBHOOK_IDEMPOTENT, 0), "https://c/");
  cr_assert_eq(ck_set_int(s, CK_SET_SYNC_BACKOFF_MAX), 120000);
  check_programs(s);
  check_views(s);
  ck_settings_free(&s);
}

Test(settings, what_is_wrong_is_named_with_its_line) {
  refused("\nsync.sinc = d1\n", "2: unknown setting \"sync.sinc\"; did you mean sync.sinks?");
  refused("sync\n    sinks = \"sqlite d2\"\n",
          "2: sync.sinks: must be one of sqlite|d1|postgres|null, not \"d2\"");
  refused("sync.sinks = \"d1 sqlite d1\"\n", "1: sync.sinks: names d1 twice");
  refused("sync.sinks = \" \"\n",
          "1: sync.sinks: must name at least one of sqlite|d1|postgres|null");
  refused("sync.batch = 12x",
          "1: sync.batch: must be an integer from 1000 to 1900000, not \"12x\"");
  refused("sync.batch = 999",
          "1: sync.batch: must be an integer from 1000 to 1900000, not \"999\"");
  refused("store.batch = 99999999999999999999",
          "1: store.batch: must be an integer from 1 to 100000, not \"99999999999999999999\"");
  refused("d1.timeout = 5", "1: d1.timeout: must be a duration (a number and ms, s, min, h or d, "
                            "as in 15min) from 100ms to 10min, not \"5\"");
  refused("d1.timeout = 99ms", "1: d1.timeout: must be a duration (a number and ms, s, min, "
                               "h or d, as in 15min) from 100ms to 10min, not \"99ms\"");
  refused("renew.delay = -1s", "1: renew.delay: must be a duration (a number and ms, s, min, "
                               "h or d, as in 15min) from 0ms to 365d, not \"-1s\"");
  refused("d1.account = a\n\nd1\n    account = b\n",
          "4: d1.account is given twice, first in line 1");
  refused("renew.exec.a = x\nrenew.exec.a = y\n",
          "2: renew.exec.a is given twice, first in line 1");
  refused("renew.exec.a = \n", "1: renew.exec.a: must name a program");
  refused("renew.exec.a = x \"y\n", "1: renew.exec.a: a quote is not closed");
  refused("renew.exec.a.env = B\n", "1: renew.exec.a.env: must be words NAME=VALUE, not \"B\"");
  refused("renew.exec.a.input = pipe\n",
          "1: renew.exec.a.input: must be one of delivery|payload|none|argument, "
          "not \"pipe\"");
  refused("renew.exec.a.timeout = 2d\n",
          "1: renew.exec.a.timeout: must be a duration (a number and ms, s, min, h or d, "
          "as in 15min) from 10ms to 1d, not \"2d\"");
  refused("renew.exec.a.colour = x\n", "1: unknown setting \"renew.exec.a.colour\"");
  refused("renew.exec. = x\n", "1: unknown setting \"renew.exec.\"");
  refused("colours\n    red = 1\n", "1: unknown section \"colours\"");
  refused("d1.account\n", "1: there is no value for \"d1.account\"");
  refused("d1 = x\n", "1: unknown setting \"d1\"");
  refused("d1.account = \"x\n", "1: the quote is not closed");
  refused("d1.account = \"x\" y\n", "1: there is something after the closing quote");
  refused("d1.account x\n", "1: \"=\" was expected after the name");
  refused("= x\n", "1: a name was expected");
  refused("d1\n  account = x\n", "2: must be indented by 4 blanks a level");
  refused("d1\n\taccount = x\n", "2: must be indented by 4 blanks a level");
  refused("    d1.account = x\n", "1: is indented too far");
  refused("d1\n        account = x\n", "2: is indented too far");
  refused("d1.account = \xff\n", "1: the line is not UTF-8 text");
  char line[1200] = "d1.account = ";
  memset(line + 13, 'x', 1100);
  refused(line, "1: the line is too long");
}

static void account_is(const char *text, const char *value) {
  struct ck_settings *s = load(text);
  cr_assert(s, "%s: %s", text, err.text);
  cr_expect_str_eq(ck_set_text(s, CK_SET_D1_ACCOUNT), value, "%s", text);
  ck_settings_free(&s);
}

Test(settings, values_with_and_without_quotes) {
  account_is("d1.account = a b  c  \n", "a b  c");
  account_is("d1.account=a=b#c\n", "a=b");
  account_is("d1.account =    # nothing\n", "");
  account_is("d1.account =", "");
  account_is("d1.account = \"\"", "");
  account_is("d1.account = \" # 'x' \" # y\n", " # 'x' ");
  account_is("d1.account\t= 'a\\n \"b\"'\r\n", "a\\n \"b\"");
  account_is("d1.account = a\"b'c", "a\"b'c");
  account_is("d1 # of Cloudflare\n\n    # more\n    account = x\n", "x");
  account_is("renew\n    webhook\nd1\n    account = x\n", "x");
  refused("d1.account = '\"", "1: the quote is not closed");
  refused("sync.batch = 5000\n    more = 1\n",
          "2: unknown setting \"sync.batch.more\"; did you mean sync.batch?");
  refused("d1\n    account = x\n        y = 1\n",
          "3: unknown setting \"d1.account.y\"; did you mean d1.account?");
  refused("nothing.such = 1\n= x\n", "1: unknown setting \"nothing.such\"");
}

Test(settings, flag_before_environment_before_file) {
  setenv("CONVKEEP_D1_ACCOUNT", "env", 1);
  setenv("CONVKEEP_RENEW_WEBHOOK_ALLOW", "http://e/", 1);
  setenv("CONVKEEP_RENEW_EXEC_NOTIFY", "/bin/env-one x", 1);
  setenv("CONVKEEP_RENEW_EXEC_NOTIFY__TIMEOUT", "7s", 1);
  struct ck_settings *s =
      load("d1.account = file\nrenew.exec.notify = /bin/file-one\nd1.database = file\n");
  cr_assert_not_null(s, "%s", err.text);
  cr_assert_str_eq(ck_set_text(s, CK_SET_D1_ACCOUNT), "env");
  cr_assert_str_eq(ck_set_text(s, CK_SET_D1_DATABASE), "file");
  struct ck_exec exec;
  cr_assert(ck_set_exec(s, "notify", &exec));
  cr_assert_str_eq(exec.argv[0], "/bin/env-one");
  cr_assert_eq(exec.timeout, 7000);
  struct ck_setting_view v;
  cr_assert(ck_settings_view(s, CK_SET_D1_ACCOUNT, &v));
  cr_assert_str_eq(v.from, "CONVKEEP_D1_ACCOUNT");
  cr_assert_eq(ck_settings_flag(s, "d1.account", "flag", &err), 0);
  cr_assert_str_eq(ck_set_text(s, CK_SET_D1_ACCOUNT), "flag");
  cr_assert_eq(ck_settings_flag(s, "d1.acount", "flag", &err), -1);
  cr_assert_str_eq(err.text, "flag: unknown setting \"d1.acount\"; did you mean d1.account?");
  cr_assert_eq(ck_settings_flag(s, "log.level", "loud", &err), -1);
  cr_assert_str_eq(ck_set_text(s, CK_SET_LOG_LEVEL), "info", "a refused flag changes nothing");
  ck_settings_free(&s);
  setenv("CONVKEEP_STORE_BATCH", "many", 1);
  cr_assert_null(ck_settings_load(NULL, &err));
  cr_assert_str_eq(
      err.text,
      "CONVKEEP_STORE_BATCH: store.batch: must be an integer from 1 to 100000, not \"many\"");
}

Test(settings, one_word_names_setting_and_value) {
  struct ck_settings *s = ck_settings_load(NULL, &err);
  cr_assert_eq(ck_settings_assign(s, "d1.account=a=b", &err), 0, "%s", err.text);
  cr_assert_str_eq(ck_set_text(s, CK_SET_D1_ACCOUNT), "a=b");
  cr_assert_eq(ck_settings_assign(s, "d1.account=", &err), 0);
  cr_assert_str_eq(ck_set_text(s, CK_SET_D1_ACCOUNT), "");
  cr_assert_eq(ck_settings_assign(s, "d1.account", &err), -1);
  cr_assert_str_eq(err.text, "--set d1.account: must be NAME=VALUE");
  cr_assert_eq(ck_settings_assign(s, "=x", &err), -1);
  cr_assert_str_eq(err.text, "flag: unknown setting \"\"");
  ck_settings_free(&s);
}

Test(settings, durations) {
  static const struct {
    const char *text;
    int64_t ms;
  } good[] = {{"0ms", 0},        {"250ms", 250},  {"1s", 1000},
              {"15min", 900000}, {"2h", 7200000}, {"3d", 259200000}},
    bad[] = {{"", 0},
             {"s", 0},
             {"1", 0},
             {"1 s", 0},
             {"1sec", 0},
             {"1.5s", 0},
             {"99999999999999999d", 0},
             {"+1s", 0},
             {"1m", 0}};
  struct ck_settings *s = ck_settings_load(NULL, &err);
  for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
    cr_expect_eq(ck_settings_flag(s, "renew.delay", good[i].text, &err), 0, "%s", err.text);
    cr_expect_eq(ck_set_int(s, CK_SET_RENEW_DELAY), good[i].ms);
  }
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    cr_expect_eq(ck_settings_flag(s, "renew.delay", bad[i].text, &err), -1, "%s", bad[i].text);
  ck_settings_free(&s);
}

/* The default file has every setting as a comment. With the comments removed, it sets each to its
 * default. */
Test(settings, the_default_file_holds_every_setting) {
  unlink(path);
  cr_assert_eq(ck_settings_write_default(path, &err), 0, "%s", err.text);
  struct stat st;
  cr_assert_eq(stat(path, &st), 0);
  cr_assert_eq(st.st_mode & 0777, 0600);
  struct ck_settings *s = ck_settings_load(path, &err);
  cr_assert_not_null(s, "%s", err.text);
  ck_settings_free(&s);

  FILE *f = fopen(path, "r");
  char line[1024];
  struct ck_buf all = {0};
  while (fgets(line, sizeof line, f)) {
    char *equals = strstr(line, " = ");
    bool setting = equals && line[0] == '#' && !memchr(line + 2, ' ', (size_t)(equals - line - 2));
    ck_buf_text(&all, setting ? line + 2 : line);
  }
  fclose(f);
  s = load(ck_buf_cstr(&all));
  cr_assert_not_null(s, "%s", err.text);
  struct ck_settings *plain = ck_settings_load(NULL, &err);
  for (int i = 0; i < CK_SETTINGS; i++) {
    struct ck_setting_view v;
    cr_assert(ck_settings_view(s, i, &v));
    cr_assert(strncmp(v.from, path, strlen(path)) == 0, "%s is not in the file", v.name);
    cr_assert_str_eq(v.value, ck_set_text(plain, (enum ck_setting)i));
  }
  struct ck_exec exec;
  cr_assert(ck_set_exec(s, "NAME", &exec));
  cr_assert(exec.timeout == 1800000 && exec.folder && exec.env && exec.input == CK_EXEC_PAYLOAD);
  ck_settings_free(&s);
  ck_settings_free(&plain);
  ck_buf_free(&all);

  s = load("d1.account = mine\n");
  ck_settings_free(&s);
  cr_assert_eq(ck_settings_write_default(path, &err), 0);
  s = ck_settings_load(path, &err);
  cr_assert_str_eq(ck_set_text(s, CK_SET_D1_ACCOUNT), "mine", "what is there stays");
  ck_settings_free(&s);
  cr_assert_eq(ck_settings_write_default("/nowhere/convkeep.conf", &err), -1);
}

static void token_is(const char *file, const char *expected) {
  FILE *f = fopen(path, "w");
  fputs(file, f);
  fclose(f);
  struct ck_settings *s = ck_settings_load(NULL, &err);
  ck_settings_flag(s, "d1.token_file", path, &err);
  char *token = ck_settings_d1_token(s, &err);
  if (expected)
    cr_expect(token && strcmp(token, expected) == 0, "%s, not %s", token ? token : err.text,
              expected);
  else
    cr_expect_null(token);
  free(token);
  ck_settings_free(&s);
}

/* Changing a setting leaves the file its owner, group and mode. */
Test(settings, the_file_stays_whose_it_is) {
  struct stat st;
  bool root = geteuid() == 0;
  struct ck_settings *s = load("ingest.watch = off\n");
  cr_assert_not_null(s, "%s", err.text);
  ck_settings_free(&s);
  cr_assert_eq(chmod(path, 0640), 0);
  if (root) cr_assert_eq(chown(path, 0, 54321), 0);
  cr_assert_eq(ck_settings_write(path, "ingest.watch", "on", &err), 0, "%s", err.text);
  cr_assert_eq(stat(path, &st), 0);
  cr_expect_eq(st.st_mode & 07777, 0640);
  cr_expect_eq(st.st_uid, geteuid());
  if (root) cr_expect_eq(st.st_gid, 54321);
}

Test(settings, the_d1_token) {
  token_is("secret-1\n", "secret-1");
  token_is("  secret-2 \r\nsecond line\n", "secret-2");
  token_is("secret-3", "secret-3");
  token_is("", NULL);
  token_is(" \nx\n", NULL);
  token_is("two words\n", NULL);
  setenv("CONVKEEP_D1_TOKEN", " from-env ", 1);
  token_is("secret-1\n", "from-env");
  setenv("CONVKEEP_D1_TOKEN", "a\r\nx-evil: 1", 1);
  token_is("secret-1\n", NULL);
  unsetenv("CONVKEEP_D1_TOKEN");
  struct ck_settings *s = ck_settings_load(NULL, &err);
  cr_assert_null(ck_settings_d1_token(s, &err));
  cr_assert(strstr(err.text, "no D1 token") && strstr(err.text, "d1.token_file") &&
                strstr(err.text, "CONVKEEP_D1_TOKEN"),
            "%s", err.text);
  ck_settings_flag(s, "d1.token_file", "/nowhere/token", &err);
  cr_assert_null(ck_settings_d1_token(s, &err));
  cr_assert_str_eq(err.text, "/nowhere/token: No such file or directory (named by d1.token_file)");
  ck_settings_free(&s);
}

static void is_known_by(const char *text, const char *sink, const char *name) {
  struct ck_settings *s = load(text);
  cr_assert(s, "%s", err.text);
  char *mirror = ck_settings_mirror(s, sink);
  cr_expect_str_eq(mirror, name);
  free(mirror);
  ck_settings_free(&s);
}

/* The store keeps the mirror's cursor, and the progress of its verification, under this name. */
Test(settings, another_database_is_another_mirror) {
  is_known_by("d1\n    database = \"other\"\n", "sqlite", "sqlite");
  is_known_by("d1\n    database = \"one\"\n", "d1", "d1:one");
  is_known_by("postgres\n    host = \"h\"\n    port = 5433\n    database = \"two\"\n", "postgres",
              "postgres:h:5433/two");
}

Test(settings, a_syncd_serves_one_sink) {
  struct ck_settings *s = load("sync.sinks = \"sqlite d1\"\n");
  cr_expect(ck_settings_has_sink(s, "d1") && !ck_settings_has_sink(s, "postgres"));
  cr_expect_null(ck_settings_sink(s, &err));
  cr_expect_str_eq(err.text, "sync.sinks: a syncd serves one of them (sqlite d1); name it, as with"
                             " --set sync.sinks=sqlite");
  ck_settings_flag(s, "sync.sinks", "d1", &err);
  cr_expect_str_eq(ck_settings_sink(s, &err), "d1");
  ck_settings_free(&s);
}
