/* convkeep config [--check]: lists the settings, or checks that they can work. */
#include "cli/rows.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "cli/out.h"
#include "proto/check.h"

/* ---- --check: settings that are well-formed but cannot work ---- */

struct check {
  struct cli *c;
  int wrong;
};

static void wrong(void *self, enum ck_setting which, bool starts, const char *why) {
  struct check *k = self;
  struct ck_setting_view v;
  ck_settings_view(k->c->settings, (int)which, &v);
  bool named = strncmp(why, v.name, strlen(v.name)) == 0;
  cli_error(k->c, v.from, "%s%s%s", named ? "" : v.name, named ? "" : ": ", why);
  ++k->wrong;
  (void)starts;
}

/* The bits of the programs that are named; without names: of all. */
static unsigned programs(int count, char **names) {
  unsigned named = 0;
  for (int i = 0; i < count; ++i) named |= ck_check_program(names[i]);
  return count ? named : CK_CHECK_ALL;
}

/* Paths are relative to the data folder; if there is none yet, it will be made in the last folder
 * on its way that there is. */
static int enter(struct cli *c) {
  char *dir = ck_strdup(c->dir);
  int rc;
  while ((rc = chdir(*dir ? dir : "/")) && errno == ENOENT && *dir) {
    char *slash = strrchr(dir, '/');
    *(slash ? slash : dir) = '\0';
  }
  if (rc) cli_error(c, c->dir, "%s", strerror(errno));
  free(dir);
  return rc;
}

static int check_settings(struct cli *c, unsigned which) {
  struct check k = {c, 0};
  if (enter(c)) return CLI_FAILED;
  const struct ck_check check = {c->settings, wrong, &k};
  ck_check_doors(&check, which);
  if (which & CK_CHECK_SYNCD) ck_check_mirror(&check);
  if (which & CK_CHECK_RENEWD) ck_check_renewal(&check);
  if (which & CK_CHECK_WEBD) ck_check_web(&check);
  if (k.wrong) return CLI_FAILED;
  if (c->json)
    puts("{\"ok\":true}");
  else
    puts("ok");
  return CLI_DONE;
}

/* ---- the list ---- */

static void json_setting(const struct ck_setting_view *v) {
  json_t *line = json_object();
  json_object_set_new(line, "name", json_string(v->name));
  json_object_set_new(line, "value", json_string(v->value));
  json_object_set_new(line, "from", json_string(v->from));
  json_object_set_new(line, "help", json_string(v->help));
  cli_json_line(line);
  json_decref(line);
}

static void print_settings(const struct cli *c) {
  static const char *const titles[] = {"setting", "value", "from", "what it is"};
  struct cli_table *t = cli_table_new(4, titles);
  struct ck_setting_view v;
  for (int i = 0; ck_settings_view(c->settings, i, &v); ++i) {
    bool given = strcmp(v.from, "default") != 0;
    cli_table_cell(t, CLI_PLAIN, ck_str_of(v.name));
    cli_table_cell(t, given ? CLI_BOLD : CLI_PLAIN, ck_str_of(v.value));
    cli_table_cell(t, given ? CLI_GREEN : CLI_DIM, ck_str_of(v.from));
    cli_table_cell(t, CLI_DIM, ck_str_of(v.help));
  }
  struct ck_buf line = {0};
  ck_buf_text(&line, "file: ");
  cli_safe_text(&line, ck_str_of(c->config), false);
  ck_buf_text(&line, access(c->config, F_OK) ? " (missing; convkeep up creates it)\n\n" : "\n\n");
  cli_print(&line);
  ck_buf_free(&line);
  cli_table_print(&t);
}

struct wish {
  bool check;
};

static int run(struct cli *c, int argc, char **argv) {
  struct wish wish = {0};
  int rc = cli_options(c, &argc, argv, &wish);
  if (rc != CLI_GO_ON) return rc;
  unsigned which = programs(argc - 1, argv + 1);
  if (argc > 1 && !wish.check)
    return cli_usage_error(c, NULL, "only --check takes words: store, ingest, renewd, webd, syncd");
  rc = cli_load(c);
  /* A bad --set is what --check is to find, as in the file. */
  if (rc != CLI_GO_ON) return wish.check ? CLI_FAILED : rc;
  if (wish.check) return check_settings(c, which);
  struct ck_setting_view v;
  for (int i = 0; c->json && ck_settings_view(c->settings, i, &v); ++i) json_setting(&v);
  if (!c->json) print_settings(c);
  return CLI_DONE;
}

static const struct cli_argument arguments[] = {
    CLI_ARGUMENT("store|ingest|renewd|webd|syncd", CLI_CHOICE, CLI_OPTIONAL | CLI_MANY), {0}};
static const struct cli_option options[] = {
    CLI_FLAG("check", struct wish, check,
             "only checks whether the programs, or those that are named, can start with them on "
             "this machine, and do their work; exit 1 if not"),
    {0}};

const struct cli_command cli_config = {
    "config",
    CLI_TO_RUN,
    "show every setting, its value and where it comes from",
    arguments,
    options,
    "A setting comes from the flag --set NAME=VALUE, else from the environment (CONVKEEP_ and\n"
    "its name in capitals, with _ for each dot: CONVKEEP_D1_TOKEN_FILE for d1.token_file),\n"
    "else from the file (--config, else DIR/convkeep.conf), else it has its default. Unknown\n"
    "names and invalid values are errors, reported with file and line.",
    run,
    NULL};
