/* The settings and the data folder of a command (cli.h). */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cli.h"
#include "proto/daemon.h"
#include "proto/file.h"
#include "proto/folder.h"
#include "proto/log.h"
#include "proto/places.h"

static int apply_flags(struct cli *c) {
  struct ck_err err;
  for (int i = 0; i < c->set_count; ++i)
    if (ck_settings_assign(c->settings, c->set_flags[i], &err))
      return cli_usage_error(c, NULL, "%s", err.text);
  return CLI_GO_ON;
}

int cli_load(struct cli *c) {
  struct ck_err err;
  if (c->settings) return CLI_GO_ON;
  char *dir = ck_data_dir(c->data_flag, &err);
  if (!dir) {
    return cli_fail(c, CLI_USAGE, NULL, "%s", err.text);
  }
  c->dir = ck_absolute(dir);
  free(dir);
  c->config =
      c->config_flag ? ck_absolute(c->config_flag) : ck_sprintf("%s/" CK_PLACE_SETTINGS, c->dir);
  if (c->config_flag && access(c->config, R_OK)) {
    cli_error(c, c->config, "%s; name a readable settings file", strerror(errno));
    return CLI_FAILED;
  }
  if (!c->config_flag && ck_no_other_kind(AT_FDCWD, c->config, &err))
    ck_fail_in(&err, "%s", c->config);
  else
    c->settings = ck_settings_load(c->config, &err);
  if (!c->settings) {
    cli_error(c, NULL, "%s", err.text);
    return CLI_FAILED;
  }
  enum ck_level level;
  if (ck_log_level_parse(ck_set_text(c->settings, CK_SET_LOG_LEVEL), &level) == 0)
    ck_log_setup("convkeep", level > CK_WARN ? level : CK_WARN);
  return apply_flags(c);
}

int cli_enter(struct cli *c, bool create) {
  struct ck_err err;
  struct stat st;
  umask(077);
  if (!create && stat(c->dir, &st)) {
    return cli_fail(c, CLI_NOBODY, c->dir,
                    "no such data folder; name another with --data, or create it with convkeep up "
                    "or convkeep import FILE");
  }
  if (ck_data_enter(c->dir, &err) == 0) return CLI_GO_ON;
  cli_error(c, NULL, "%s", err.text);
  return CLI_FAILED;
}
