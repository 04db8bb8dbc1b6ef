/* What all commands share: the parsed call, the command table, options and error reporting.
 *
 * Each command is one file with one `const struct cli_command`; main.c lists them. run() gets argv
 * with the command's name in argv[0] and returns the exit code. cli_enter() and cli_connect()
 * change the working directory to the data folder, so open files named by the user relative to
 * c->cwd.
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <jansson.h>
#include "proto/settings.h"
#include "proto/text.h"

/* Exit codes. CLI_USAGE: the command line is wrong. CLI_NOBODY: no daemon or data folder there. */
enum cli_exit { CLI_DONE = 0, CLI_FAILED = 1, CLI_USAGE = 2, CLI_NOBODY = 3 };
/* Not an exit code: the command continues. */
#define CLI_GO_ON (-1)

struct cli;

struct cli_command {
  const char *name;
  const char *usage; /* what follows the name */
  const char *brief; /* one line for the list of commands */
  const char *help;  /* what --help prints below the usage line */
  int (*run)(struct cli *c, int argc, char **argv);
};

struct cli {
  const struct cli_command *command;
  const struct cli_command *const *commands; /* NULL-terminated, for help */
  const char *data_flag, *config_flag;
  const char *const *set_flags; /* NAME=VALUE, set_count of them */
  int set_count;
  bool json;
  bool only_words;    /* "--" came before the command: no word after it is an option */
  int cwd;            /* the folder the program was started in */
  char *dir, *config; /* absolute; set by cli_load() */
  struct ck_settings *settings;
  struct cli_client *client; /* set by cli_connect() */
};

/* ---- the command line ---- */

/* `--name VALUE` if `value` is set, a switch if `flag` is set. A NULL name ends the table. */
struct cli_option {
  const char *name;
  const char **value;
  bool *flag;
};

/* Handles options that the table does not list. take() returns 0, or -1 after reporting the error.
 * value is NULL if the option is the last word. */
struct cli_others {
  int (*take)(void *self, const char *name, const char *value);
  void *self;
};

/* What a command accepts besides the global options. */
struct cli_syntax {
  const struct cli_option *options; /* NULL: none */
  const struct cli_others *others;  /* NULL: none */
  int least, most;                  /* arguments; most < 0: no limit */
};

/* Parses the options in argv[1…] (the command's own, then the global ones, then `others`) and
 * leaves the remaining arguments in argv[1…*argc-1]. Returns CLI_GO_ON or the exit code: CLI_DONE
 * after printing help or version, CLI_USAGE after reporting what is wrong, too few or too many
 * arguments among it. */
int cli_options(struct cli *c, int *argc, char **argv, struct cli_syntax syntax);

/* Like cli_options, for the global options before the command. Stops at the first word that is not
 * an option, or after "--", after which cli_options takes no options either; *at is the index of
 * the command in argv. Without any, prints a short help and returns CLI_DONE. */
int cli_global_options(struct cli *c, int argc, char **argv, int *at);

/* The value of an option as a whole number from least to most (0 or more). text: NULL: it was not
 * given, and *value stays. Returns CLI_GO_ON, or CLI_USAGE after reporting what is wrong. */
int cli_number(const struct cli *c, const char *option, const char *text, int64_t least,
               int64_t most, int64_t *value);

/* Prints one command's --help. */
void cli_help(const struct cli_command *command);

/* ---- errors ---- */

/* Prints one line to standard error: `convkeep: COMMAND: where: what is wrong, and what to do`.
 * where: a file, option, id or address; NULL for none. Control characters become blanks. */
void cli_error(const struct cli *c, const char *where, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* The same, with a pointer to the help. Returns CLI_USAGE. */
int cli_usage_error(const struct cli *c, const char *where, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* ---- folder and settings ---- */

/* Reads the settings from flags, environment and file, and fills c->dir and c->config. Does nothing
 * the second time. Returns CLI_GO_ON, or the exit code after reporting the error. */
int cli_load(struct cli *c);
/* The address of the store's snapshot door, for error lines. */
const char *cli_store_place(const struct cli *c);
/* Makes the data folder the working directory. create: creates it and its sub-folders if missing;
 * otherwise a missing folder is CLI_NOBODY. Returns CLI_GO_ON, or the exit code after reporting the
 * error. */
int cli_enter(struct cli *c, bool create);
/* Frees what cli_load() and cli_connect() allocated; stops the private ring, if any. */
void cli_close(struct cli *c);

/* ---- the commands ---- */
extern const struct cli_command cli_up, cli_import, cli_status, cli_list, cli_show, cli_set,
    cli_renew, cli_jobs, cli_pause, cli_resume, cli_sync, cli_config, cli_ping, cli_keys,
    cli_backup, cli_restore, cli_doctor, cli_rebuild, cli_read, cli_original;

#endif
