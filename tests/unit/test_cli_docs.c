/* docs/cli.md, the command line's contract, lists every setting, filter, command and option of the
 * program. docker-compose.yml passes on every setting that applies to containers. */
#include <criterion/criterion.h>
#include <ctype.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "cli/out.h"
#include "proto/visible.h"
#include "cli/rows.h"
#include "proto/filters.h"

static char *page, *compose;

static char *read_file(const char *path) {
  FILE *f = fopen(path, "r");
  if (!f) return NULL;
  struct ck_buf b = {0};
  for (size_t n = 1; n;) {
    char *room = ck_buf_room(&b, 65536);
    n = fread(room, 1, 65536, f);
    b.len += n;
  }
  fclose(f);
  ck_buf_cstr(&b);
  return b.data;
}

static void read_page(void) {
  page = read_file("docs/cli.md");
  compose = read_file("docker-compose.yml");
}

static void free_page(void) {
  free(page);
  free(compose);
  page = compose = NULL;
}

TestSuite(cli_docs, .init = read_page, .fini = free_page);

#define NEED_PAGE() \
  if (!page) cr_skip_test("docs/cli.md is not below the working directory")

Test(cli_docs, every_setting_with_its_default) {
  NEED_PAGE();
  struct ck_err err;
  struct ck_setting_view v;
  struct ck_settings *s = ck_settings_load("/nonexistent", &err);
  cr_assert(s);
  for (int i = 0; ck_settings_view(s, i, &v); ++i) {
    if (strcmp(v.from, "default") != 0) continue;
    char *row = *v.value ? ck_sprintf("| `%s` | `%s` | %s |", v.name, v.value, v.help)
                         : ck_sprintf("| `%s` | | %s |", v.name, v.help);
    cr_expect(strstr(page, row), "missing: %s", row);
    free(row);
  }
  ck_settings_free(&s);
}

Test(cli_docs, every_filter_of_every_list) {
  NEED_PAGE();
  for (int k = 0; k < CLI_KINDS; ++k) {
    struct ck_buf names = {0};
    ck_filter_names(&names, cli_kinds[k].table, "|");
    char *all = ck_str_dup(ck_buf_view(&names)), *rest = all;
    cr_expect(strstr(page, cli_kinds[k].word), "missing: %s", cli_kinds[k].word);
    cr_expect(*rest, "%s has no filter", cli_kinds[k].word);
    for (char *one; (one = strsep(&rest, "|"));) {
      char *flag = ck_sprintf("--%s", one);
      for (char *p = flag; *p; ++p)
        if (*p == '_') *p = '-';
      cr_expect(strstr(page, flag), "missing: %s %s", cli_kinds[k].word, flag);
      free(flag);
    }
    free(all);
    ck_buf_free(&names);
  }
}

Test(cli_docs, every_command_with_its_options) {
  NEED_PAGE();
  for (int i = 0; cli_commands[i]; ++i) {
    cr_expect(strstr(page, cli_commands[i]->name), "missing: %s", cli_commands[i]->name);
    for (const struct cli_option *o = cli_commands[i]->options; o && o->name; ++o) {
      char *flag = ck_sprintf("--%s", o->name);
      cr_expect(strstr(page, flag), "missing: %s %s", cli_commands[i]->name, flag);
      free(flag);
    }
  }
}

/* What man pages and completions are made from. */
static void check_option(const char *where, const struct cli_option *o) {
  cr_expect(*o->help && o->help[strlen(o->help) - 1] != '.', "%s --%s: %s", where, o->name,
            o->help);
  cr_expect_eq(o->kind == CLI_SWITCH, o->word == NULL, "%s --%s", where, o->name);
  cr_expect(o->kind != CLI_CHOICE || strchr(o->word, '|'), "%s --%s: %s", where, o->name, o->word);
}

Test(cli_docs, every_option_says_what_it_takes_and_does) {
  for (int i = 0; cli_commands[i]; ++i)
    for (const struct cli_option *o = cli_commands[i]->options; o && o->name; ++o)
      check_option(cli_commands[i]->name, o);
  for (const struct cli_option *o = cli_globals; o->name; ++o) check_option("convkeep", o);
}

/* The filters of a list as options are those that the store knows, with the same choices. */
static void check_filters(const struct cli_kind *kind, struct ck_buf *words) {
  size_t known = 0, listed = 0;
  struct ck_buf names = {0};
  ck_filter_names(&names, kind->table, "|");
  for (size_t i = 0; i < names.len; ++i) known += names.data[i] == '|';
  for (const struct cli_option *o = kind->filters; o->name; ++o, ++listed) {
    struct ck_filter f;
    char *name = ck_strdup(o->name);
    for (char *p = name; *p; ++p)
      if (*p == '-') *p = '_';
    cr_assert_eq(ck_filter_named(&f, kind->table, ck_str_of(name)), 0, "%s --%s", kind->word, name);
    const char *choices = f.field ? f.field->choices : NULL;
    cr_expect(!choices || strncmp(choices, o->word, strlen(choices)) == 0, "%s --%s: %s",
              kind->word, name, o->word);
    bool time =
        f.by == CK_BY_SINCE || f.by == CK_BY_UNTIL || (f.field && f.field->kind == CK_K_TIME);
    cr_expect_eq(time, o->kind == CLI_TIME, "%s --%s", kind->word, name);
    check_option(kind->word, o);
    free(name);
  }
  cr_expect_eq(listed, known + 1, "%s: %zu of %zu filters", kind->word, listed, known + 1);
  ck_buf_printf(words, "%s%s", words->len ? "|" : "", kind->word);
  ck_buf_free(&names);
}

Test(cli_docs, every_filter_is_an_option) {
  struct ck_buf words = {0};
  for (int i = 0; i < CLI_KINDS; ++i) check_filters(&cli_kinds[i], &words);
  cr_expect_str_eq(ck_buf_cstr(&words), CLI_KIND_WORDS);
  ck_buf_free(&words);
}

/* No line of a help text is wider than a terminal. */
Test(cli_docs, help_fits_80_columns) {
  setlocale(LC_CTYPE, "C.UTF-8");
  for (int i = 0; cli_commands[i]; ++i) {
    struct ck_buf b = {0};
    cli_help_usage(&b, cli_commands[i]);
    cli_help_text(&b, cli_commands[i]->help);
    cli_help_options(&b, cli_commands[i]->options);
    if (cli_commands[i]->more) cli_commands[i]->more(&b);
    ck_buf_cstr(&b);
    char *rest = b.data;
    for (char *line; (line = strsep(&rest, "\n"));)
      cr_expect_leq(ck_text_width(ck_str_of(line)), 80u, "%s: %s", cli_commands[i]->name, line);
    ck_buf_free(&b);
  }
}

/* Not the doors or the mirror's file, which are on the volume, nor renew.exec and watch; where webd
 * listens is said in its command. */
Test(cli_docs, every_setting_reaches_a_container) {
  if (!compose) cr_skip_test("docker-compose.yml is not below the working directory");
  struct ck_err err;
  struct ck_setting_view v;
  struct ck_settings *s = ck_settings_load("/nonexistent", &err);
  cr_assert(s);
  for (int i = 0; ck_settings_view(s, i, &v); ++i) {
    bool own = strncmp(v.name, "door.", 5) == 0 || strcmp(v.name, "sync.sqlite.file") == 0 ||
               strncmp(v.name, "renew.exec.", 11) == 0 || strncmp(v.name, CK_WATCH, 6) == 0 ||
               strcmp(v.name, "web.listen") == 0 ||
               strcmp(v.name, "web.published_on_loopback") == 0;
    char *line = ck_sprintf("\n    - CONVKEEP_%s\n", v.name);
    for (char *p = strstr(line, "CONVKEEP_"); *p; ++p)
      *p = *p == '.' ? '_' : (char)toupper((unsigned char)*p);
    cr_expect(own || strstr(compose, line), "docker-compose.yml does not hand on %s", v.name);
    free(line);
  }
  cr_expect(!strstr(compose, "- CONVKEEP_D1_TOKEN\n") &&
                !strstr(compose, "- CONVKEEP_POSTGRES_PASSWORD\n"),
            "docker-compose.yml puts a secret into the environment of all");
  cr_expect(strstr(compose, "\n    secrets: [d1_token, postgres_password]\n"),
            "docker-compose.yml does not hand on the secrets");
  ck_settings_free(&s);
}
