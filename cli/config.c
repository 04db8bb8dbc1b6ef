/* convkeep config [--check]: lists the settings, or checks that they can work. */
#include "cli/rows.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "cli/out.h"

/* ---- --check: settings that are well-formed but cannot work ---- */

struct check {
  struct cli *c;
  int wrong;
};

static void wrong(struct check *k, const char *name, const char *what) {
  cli_error(k->c, name, "%s", what);
  ++k->wrong;
}

static void check_d1(struct check *k) {
  const struct ck_settings *s = k->c->settings;
  struct ck_err err;
  const char *endpoint = ck_set_text(s, CK_SET_D1_ENDPOINT);
  if (strcmp(ck_set_text(s, CK_SET_SYNC_SINK), "d1") != 0) return;
  if (!*ck_set_text(s, CK_SET_D1_ACCOUNT))
    wrong(k, "d1.account", "sync.sink is d1 and the Cloudflare account id is missing: set it");
  if (!*ck_set_text(s, CK_SET_D1_DATABASE))
    wrong(k, "d1.database", "sync.sink is d1 and the database id is missing: set it");
  if (strncmp(endpoint, "https://", 8) != 0 && strncmp(endpoint, "http://", 7) != 0)
    wrong(k, "d1.endpoint", "it must start with https:// or http://");
  char *token = ck_settings_d1_token(s, &err);
  if (!token) wrong(k, "d1.token_file", err.text);
  free(token);
}

static void check_postgres(struct check *k) {
  static const enum ck_setting needed[] = {CK_SET_POSTGRES_HOST, CK_SET_POSTGRES_DATABASE,
                                           CK_SET_POSTGRES_USER};
  static const char *const names[] = {"postgres.host", "postgres.database", "postgres.user"};
  const struct ck_settings *s = k->c->settings;
  struct ck_err err;
  if (strcmp(ck_set_text(s, CK_SET_SYNC_SINK), "postgres") != 0) return;
  for (size_t i = 0; i < sizeof needed / sizeof *needed; ++i)
    if (!*ck_set_text(s, needed[i]))
      wrong(k, names[i], "sync.sink is postgres and this is missing: set it");
  char *password = ck_settings_postgres_password(s, &err);
  if (!password) wrong(k, "postgres.password_file", err.text);
  if (password) explicit_bzero(password, strlen(password));
  free(password);
}

static void check_doors(struct check *k) {
  static const enum ck_setting doors[] = {CK_SET_DOOR_INTAKE, CK_SET_DOOR_FEED, CK_SET_DOOR_WORK,
                                          CK_SET_DOOR_SNAPSHOT, CK_SET_DOOR_OBSERVE};
  static const char *const names[] = {"door.intake", "door.feed", "door.work", "door.snapshot",
                                      "door.observe"};
  for (size_t i = 0; i < sizeof doors / sizeof *doors; ++i) {
    const char *place = ck_set_text(k->c->settings, doors[i]);
    if (strncmp(place, "ipc://", 6) != 0 && strncmp(place, "tcp://", 6) != 0)
      wrong(k, names[i], "it must start with ipc:// or tcp://");
  }
}

static void check_webhooks(struct check *k) {
  static const enum ck_setting lists[] = {CK_SET_RENEW_WEBHOOK_ALLOW,
                                          CK_SET_RENEW_WEBHOOK_IDEMPOTENT};
  static const char *const names[] = {"renew.webhook.allow", "renew.webhook.idempotent"};
  for (size_t i = 0; i < 2; ++i)
    for (int w = 0; ck_set_word(k->c->settings, lists[i], w); ++w) {
      const char *prefix = ck_set_word(k->c->settings, lists[i], w);
      if (strncmp(prefix, "https://", 8) != 0 && strncmp(prefix, "http://", 7) != 0)
        wrong(k, names[i], "each word must start with https:// or http://");
    }
}

static int check(struct cli *c) {
  struct check k = {c, 0};
  check_d1(&k);
  check_postgres(&k);
  check_doors(&k);
  check_webhooks(&k);
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

static int run(struct cli *c, int argc, char **argv) {
  bool only_check = false;
  const struct cli_option options[] = {{"check", NULL, &only_check}, {NULL, NULL, NULL}};
  int rc = cli_options(c, &argc, argv, (struct cli_syntax){.options = options});
  if (rc != CLI_GO_ON) return rc;
  rc = cli_load(c);
  /* A bad --set is what --check is to find, as in the file. */
  if (rc != CLI_GO_ON) return only_check ? CLI_FAILED : rc;
  if (only_check) return check(c);
  struct ck_setting_view v;
  for (int i = 0; c->json && ck_settings_view(c->settings, i, &v); ++i) json_setting(&v);
  if (!c->json) print_settings(c);
  return CLI_DONE;
}

const struct cli_command cli_config = {
    "config", "[--check]", "show every setting, its value and where it comes from",
    "A setting comes from the flag --set NAME=VALUE, else from the environment (for example\n"
    "CONVKEEP_D1_TOKEN_FILE for d1.token_file), else from the file (--config, else\n"
    "DIR/convkeep.conf), else it has its default. Unknown names and invalid values are errors,\n"
    "reported with file and line.\n\n"
    "  --check   only checks whether the settings can work: the chosen sink has what it needs,\n"
    "            and the doors' addresses are possible. Exit 1 if not.",
    run};
