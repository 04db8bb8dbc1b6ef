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
#include <stddef.h>
#include "proto/settings.h"
#include "proto/text.h"

/* Exit codes. CLI_USAGE: the command line is wrong. CLI_NOBODY: no daemon or data folder there. */
enum cli_exit { CLI_DONE = 0, CLI_FAILED = 1, CLI_USAGE = 2, CLI_NOBODY = 3 };
/* Not an exit code: the command continues. */
#define CLI_GO_ON (-1)

struct cli;

/* What a word of the command line is: an argument, or the value of an option. Parsing, --help and
 * all that is made from the tables of commands follow it. */
enum cli_kind_of {
  CLI_SWITCH, /* an option without a value */
  CLI_TEXT,
  CLI_WORDS,  /* several words in one text */
  CLI_NUMBER, /* a whole number; `word` may name other values too: "N|all" */
  CLI_TIME,   /* TIME of docs/cli.md */
  CLI_FILE,
  CLI_FOLDER,
  CLI_CHOICE,       /* one of `word`, "a|b|c" */
  CLI_CONVERSATION, /* CONVERSATION of docs/cli.md */
  CLI_MESSAGE,      /* ids */
  CLI_EXECUTION,
  CLI_SESSION,
  CLI_LINK,
  CLI_JOB,
  CLI_RECORD, /* the id of a record of any table */
  CLI_ID,     /* any other id or key */
  CLI_PLATFORM,
  CLI_SETTING /* NAME=VALUE */
};

/* How it may be given. */
enum {
  CLI_OPTIONAL = 1, /* an argument that may be left out; so may every later one */
  CLI_MANY = 2,     /* the last argument: any number of them; an option: it may be repeated */
  CLI_REQUIRED = 4, /* an option that must be given, as the usage shows; the command checks it */
  CLI_MINUS = 8     /* an argument that may begin with one dash; such words are no options */
};

/* An argument. A NULL word ends the table. */
struct cli_argument {
  const char *word; /* as the usage shows it: "CONVERSATION", "retry|cancel|why" */
  enum cli_kind_of kind;
  unsigned flags;
  const char *choices; /* of CLI_CHOICE, if they are too many to be the word; else NULL */
};

#define CLI_ARGUMENT(word, kind, flags) \
  { word, kind, flags, NULL }

/* An option, `--name`. A NULL name ends the table. */
struct cli_option {
  const char *name;
  enum cli_kind_of kind;
  const char *word; /* the value as the usage shows it; NULL: a switch */
  size_t at;        /* where it goes in the command's struct: a bool, or a const char * */
  const char *help; /* one sentence */
  char letter;      /* `-o`; 0: none */
  unsigned flags;
};

/* A switch, and an option with a value, that go into a member of a struct. */
#define CLI_FLAG(name, type, member, help) \
  { name, CLI_SWITCH, NULL, offsetof(type, member), help, 0, 0 }
#define CLI_VALUE(name, kind, word, type, member, help) \
  { name, kind, word, offsetof(type, member), help, 0, 0 }

/* The commands, as --help groups them. */
enum cli_group { CLI_TO_READ, CLI_TO_FOLLOW_UP, CLI_TO_RUN, CLI_TO_KEEP, CLI_GROUPS };
extern const char *const cli_group_names[CLI_GROUPS];

struct cli_command {
  const char *name;
  enum cli_group group;
  const char *brief;                    /* one line for the list of commands */
  const struct cli_argument *arguments; /* NULL: none */
  const struct cli_option *options;     /* NULL: none; the global ones are in cli_globals */
  const char *help;                     /* what --help prints between the usage and the options */
  int (*run)(struct cli *c, int argc, char **argv);
  void (*more)(struct ck_buf *b); /* appends what --help prints after the options; NULL: nothing */
};

extern const struct cli_command *const cli_commands[]; /* NULL-terminated, in the order of --help */
extern const struct cli_option cli_globals[];          /* what every command takes */

struct cli {
  const struct cli_command *command;
  const char *data_flag, *config_flag;
  const char *const *set_flags; /* NAME=VALUE, set_count of them */
  int set_count;
  bool json;
  bool json_errors;   /* --json is among the words; until they are parsed, that is enough */
  bool only_words;    /* "--" came before the command: no word after it is an option */
  int cwd;            /* the folder the program was started in */
  char *dir, *config; /* absolute; set by cli_load() */
  struct ck_settings *settings;
  struct cli_client *client; /* set by cli_connect() */
};

/* ---- the command line ---- */

/* Takes the options that the command's table does not list. take() returns 0, or -1 after reporting
 * the error. value is NULL if the option is the last word. */
struct cli_others {
  int (*take)(void *self, const char *name, const char *value);
  void *self;
};

/* Parses the options in argv[1…] (the command's own into `into`, then the global ones, then
 * `others`) and leaves the arguments in argv[1…*argc-1]. into: the struct that the table's `at` are
 * of; NULL if there are no options. others: NULL: none. Returns CLI_GO_ON or the exit code:
 * CLI_DONE after printing help or version, CLI_USAGE after reporting what is wrong, too few or too
 * many arguments and a value that is none of its choices among it. */
int cli_options(struct cli *c, int *argc, char **argv, void *into);
int cli_options_and(struct cli *c, int *argc, char **argv, void *into,
                    const struct cli_others *others);

/* Like cli_options, for the global options before the command. Stops at the first word that is not
 * an option, or after "--", after which cli_options takes no options either; *at is the index of
 * the command in argv. Without any, prints a short help and returns CLI_DONE. */
int cli_global_options(struct cli *c, int argc, char **argv, int *at);
/* As if `--set value` was given. value must last. */
void cli_add_set(struct cli *c, const char *value);

/* The value of an option as a moment (proto/moment.h), in ms; as for cli_number(). */
int cli_moment(const struct cli *c, const char *option, const char *text, int64_t *ms);
/* The value of an option as a whole number from least to most (0 or more). text: NULL: it was not
 * given, and *value stays. Returns CLI_GO_ON, or CLI_USAGE after reporting what is wrong. */
int cli_number(const struct cli *c, const char *option, const char *text, int64_t least,
               int64_t most, int64_t *value);

/* The value as one of the choices "a|b|c". option: where it was given, for the error; NULL: it is
 * an argument. Returns CLI_GO_ON, or CLI_USAGE after reporting them and the one that may have been
 * meant. */
int cli_choice(const struct cli *c, const char *option, const char *value, const char *choices);

/* ---- help ---- */

/* What the words CONVERSATION and TIME stand for. */
#define CLI_HELP_CONVERSATION \
  "an id, the beginning of one (8 characters or more), PLATFORM:ID, a title,\n" \
  "or the address of its page. If several are meant, the error names them."
#define CLI_HELP_TIME \
  "2026-11-22, 2026-11-22 20:02 (in your time zone unless it names one, such as Z),\n" \
  "milliseconds since 1970, now, or +10min or -2d (ms, s, min, h, d)."

/* Prints one command's --help; all commands, for `convkeep --help`; what `convkeep` alone says. */
void cli_help(const struct cli_command *command);
void cli_help_all(void);
void cli_help_short(void);
/* Appends what follows "convkeep ": name, arguments and options. */
void cli_usage(struct ck_buf *b, const struct cli_command *command);
/* Appends the same as the help has it, its lines broken at 80 columns. */
void cli_help_usage(struct ck_buf *b, const struct cli_command *command);
/* Appends a help text, its lines broken at 80 columns. */
void cli_help_text(struct ck_buf *b, const char *text);
/* A paragraph of a help text, or an item of a list in it: "  word   what it is". */
struct cli_help_item {
  size_t indent, hang; /* the columns in which it begins, and in which its text does */
  struct ck_buf head;  /* the word and the blanks after it; empty: a paragraph */
  struct ck_buf text;  /* without line breaks; empty: an empty line */
};
/* Takes the next one from *p and moves on; false at the end. Zero-initialise item before the first;
 * cli_help_item_free frees it after the last. */
bool cli_help_next(const char **p, struct cli_help_item *item);
void cli_help_item_free(struct cli_help_item *item);
/* Appends how an option is given: "-o FILE, --output FILE". */
void cli_help_option(struct ck_buf *b, const struct cli_option *option);
/* Appends a line for each option: how it is given and its sentence, broken at 80 columns. */
void cli_help_options(struct ck_buf *b, const struct cli_option *options);

/* ---- errors ----
 *
 * An error is one line on standard error: `convkeep: COMMAND: where: what is wrong; what to do`.
 * With --json it is one object: {"error": what is wrong, "where", "hint": what to do, "code": the
 * exit code that it leads to}; where and hint may be null. The first "; " of the text is what parts
 * the two.
 *
 * where: a file, option, id or address; NULL for none. What a terminal would obey is shown by its
 * code. */

/* Reports the error and returns the code. */
int cli_fail(const struct cli *c, enum cli_exit code, const char *where, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* The same with CLI_FAILED. */
void cli_error(const struct cli *c, const char *where, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* The same with CLI_DONE: something to know that is no failure. */
void cli_warn(const struct cli *c, const char *where, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* The same with a pointer to the help. Returns CLI_USAGE. */
int cli_usage_error(const struct cli *c, const char *where, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Asks on the terminal. CLI_GO_ON: yes. CLI_DONE: no. If nobody is there to be asked, an error that
 * begins with the question. */
int cli_agreed(const struct cli *c, const char *question);

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

/* NULL: there is none of that name. */
const struct cli_command *cli_command_named(const char *name);
/* Reports that, and which may have been meant. Returns CLI_USAGE. */
int cli_no_such_command(const struct cli *c, const char *name);

extern const struct cli_command cli_up, cli_import, cli_status, cli_list, cli_show, cli_set,
    cli_renew, cli_plan, cli_jobs, cli_pause, cli_resume, cli_sync, cli_config, cli_ping, cli_keys,
    cli_backup, cli_restore, cli_doctor, cli_rebuild, cli_read, cli_export, cli_original,
    cli_search, cli_watch, cli_forget, cli_web, cli_browser, cli_open;

#endif
