/* The table of commands. Declared in cli.h. */
#include "cli/cli.h"

#include <string.h>
#include "proto/near.h"

const struct cli_command *const cli_commands[] = {
    &cli_import, &cli_list,     &cli_search, &cli_read,    &cli_export, &cli_open,
    &cli_show,   &cli_original, &cli_set,    &cli_renew,   &cli_plan,   &cli_jobs,
    &cli_pause,  &cli_resume,   &cli_up,     &cli_status,  &cli_watch,  &cli_ping,
    &cli_sync,   &cli_config,   &cli_backup, &cli_restore, &cli_doctor, &cli_rebuild,
    &cli_forget, &cli_keys,     &cli_web,    &cli_browser, NULL};

const struct cli_command *cli_command_named(const char *name) {
  for (const struct cli_command *const *p = cli_commands; *p; ++p)
    if (strcmp((*p)->name, name) == 0) return *p;
  return NULL;
}

int cli_no_such_command(const struct cli *c, const char *name) {
  struct ck_near near = ck_near_to(ck_str_of(name));
  struct ck_buf meant = {0};
  for (const struct cli_command *const *p = cli_commands; *p; ++p)
    ck_near_try(&near, ck_str_of((*p)->name));
  ck_near_text(&meant, &near, "");
  int rc = cli_usage_error(c, name, "no such command%s", ck_buf_cstr(&meant));
  ck_buf_free(&meant);
  return rc;
}
