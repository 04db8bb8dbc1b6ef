/* docs/cli.md, the command line's contract, lists every setting, filter, command and option of the
 * program. docker-compose.yml passes on every setting that applies to containers. */
#include <criterion/criterion.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>
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
  static const struct cli_command *const commands[] = {
      &cli_up,     &cli_import,  &cli_status, &cli_list,   &cli_read, &cli_show,   &cli_set,
      &cli_renew,  &cli_jobs,    &cli_pause,  &cli_resume, &cli_sync, &cli_backup, &cli_restore,
      &cli_doctor, &cli_rebuild, &cli_config, &cli_ping,   &cli_keys};
  for (size_t i = 0; i < sizeof commands / sizeof *commands; ++i) {
    cr_expect(strstr(page, commands[i]->name), "missing: %s", commands[i]->name);
    for (const char *p = commands[i]->usage; (p = strstr(p, "--")); p += 2) {
      struct ck_str flag = {p, strcspn(p, " ]|")};
      char *text = ck_str_dup(flag);
      cr_expect(strstr(page, text) || strcmp(text, "--FIELD") == 0, "missing: %s %s",
                commands[i]->name, text);
      free(text);
    }
  }
}

/* Not the doors or the mirror's file, which are on the volume, nor renew.exec. */
Test(cli_docs, every_setting_reaches_a_container) {
  if (!compose) cr_skip_test("docker-compose.yml is not below the working directory");
  struct ck_err err;
  struct ck_setting_view v;
  struct ck_settings *s = ck_settings_load("/nonexistent", &err);
  cr_assert(s);
  for (int i = 0; ck_settings_view(s, i, &v); ++i) {
    bool own = strncmp(v.name, "door.", 5) == 0 || strcmp(v.name, "sync.sqlite.file") == 0 ||
               strncmp(v.name, "renew.exec.", 11) == 0;
    char *line = ck_sprintf("\n    - CONVKEEP_%s\n", v.name);
    for (char *p = strstr(line, "CONVKEEP_"); *p; ++p)
      *p = *p == '.' ? '_' : (char)toupper((unsigned char)*p);
    cr_expect(own || strstr(compose, line), "docker-compose.yml does not hand on %s", v.name);
    free(line);
  }
  cr_expect(strstr(compose, "\n    - CONVKEEP_D1_TOKEN\n"),
            "docker-compose.yml does not hand on the D1 token");
  ck_settings_free(&s);
}
