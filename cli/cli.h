/* What the commands share: the call as the person typed it, the table of commands, options, and how
 * an error is said.
 *
 * A command is one file with one `const struct cli_command`; main.c lists them. Its run() gets argv
 * with the command's word at 0 and returns the exit code. The working directory is the data folder
 * once cli_enter() or cli_connect() was called, so files that the caller names are opened from
 * c->cwd.
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <jansson.h>
#include "proto/settings.h"
#include "proto/text.h"

enum cli_exit { CLI_DONE = 0, CLI_FAILED = 1, CLI_USAGE = 2, CLI_NOBODY = 3 };
/* Not an exit code: the command is to go on. */
#define CLI_GO_ON (-1)

struct cli;

struct cli_command {
  const char *name;
  const char *usage; /* the words behind the name */
  const char *brief; /* one line for the list of commands */
  const char *help;  /* what --help says below the usage line */
  int (*run)(struct cli *c, int argc, char **argv);
};

struct cli {
  const struct cli_command *command;
  const struct cli_command *const *commands; /* NULL-terminated, for help */
  const char *data_flag, *config_flag;
  const char *const *set_flags; /* NAME=VALUE, set_count of them */
  int set_count;
  bool json;
  int cwd;            /* the folder that the caller stood in */
  char *dir, *config; /* absolute, once cli_load() was called */
  struct ck_settings *settings;
  struct cli_client *client; /* once cli_connect() was called */
};

/* ---- the words of a call ---- */

/* --name VALUE where `value` is set, a switch where `flag` is. The table ends with a NULL name. */
struct cli_option {
  const char *name;
  const char **value;
  bool *flag;
};

/* Takes options that a table does not name: 0, or -1 after it said what is wrong. value is NULL at
 * the end of the line. */
struct cli_others {
  int (*take)(void *self, const char *name, const char *value);
  void *self;
};

/* Takes the options of argv[1…] (the command's own, the global ones, then others) and leaves the
 * remaining words in argv[1…*argc-1], at least `least` and at most `most` of them (most < 0: no
 * limit). CLI_GO_ON, or the exit code: help was asked for and given, or the words are off and that
 * was said. */
int cli_options(struct cli *c, int *argc, char **argv, const struct cli_option *options,
                const struct cli_others *others, int least, int most);

/* As cli_options for the global flags in front of the command: stops at the first word that is
 * none. *at: its place in argv. */
int cli_global_options(struct cli *c, int argc, char **argv, int *at);

/* Writes what --help says of one command. */
void cli_help(const struct cli_command *command);

/* ---- errors: one line on standard error: convkeep: COMMAND: where: what, and what to do ---- */
void cli_error(const struct cli *c, const char *where, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* The same, returning CLI_USAGE and naming the help. */
int cli_usage_error(const struct cli *c, const char *where, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* ---- folder and settings ---- */

/* Reads settings from flags, environment and file, and fills dir and config. CLI_GO_ON, or the exit
 * code after saying why. */
int cli_load(struct cli *c);
/* The door that the store answers at, for error lines. */
const char *cli_store_place(const struct cli *c);
/* Enters the data folder. create: makes it and what belongs into it; else it has to be there
 * (CLI_NOBODY). CLI_GO_ON or the exit code. */
int cli_enter(struct cli *c, bool create);
/* Frees what the two and cli_connect() made; ends a private store. */
void cli_close(struct cli *c);

/* ---- the commands ---- */
extern const struct cli_command cli_up, cli_import, cli_status, cli_list, cli_show, cli_set,
    cli_renew, cli_jobs, cli_pause, cli_resume, cli_sync, cli_config, cli_ping, cli_keys,
    cli_backup, cli_restore, cli_doctor, cli_rebuild;

#endif
