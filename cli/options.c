/* Parses the command line, reports errors, prints help. Declared in cli.h. */
#include "cli/cli.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "proto/daemon.h"

const char *cli_store_place(const struct cli *c) {
  return ck_set_text(c->settings, CK_SET_DOOR_SNAPSHOT);
}

void cli_error(const struct cli *c, const char *where, const char *fmt, ...) {
  struct ck_buf line = {0};
  va_list args;
  va_start(args, fmt);
  char text[1024];
  vsnprintf(text, sizeof text, fmt, args);
  va_end(args);
  ck_buf_text(&line, "convkeep: ");
  if (c->command) ck_buf_printf(&line, "%s: ", c->command->name);
  if (where && *where) ck_buf_printf(&line, "%s: ", where);
  ck_buf_text(&line, text);
  /* One line, whatever a file name or a peer's reason holds. */
  for (size_t i = 0; i < line.len; ++i)
    if ((unsigned char)line.data[i] < 0x20 || line.data[i] == 0x7f) line.data[i] = ' ';
  ck_buf_text(&line, "\n");
  fwrite(line.data, 1, line.len, stderr);
  ck_buf_free(&line);
}

int cli_usage_error(const struct cli *c, const char *where, const char *fmt, ...) {
  va_list args;
  va_start(args, fmt);
  char text[1024];
  vsnprintf(text, sizeof text, fmt, args);
  va_end(args);
  if (c->command)
    cli_error(c, where, "%s; see convkeep %s --help", text, c->command->name);
  else
    cli_error(c, where, "%s; see convkeep --help", text);
  return CLI_USAGE;
}

void cli_help(const struct cli_command *command) {
  printf("usage: convkeep %s%s%s\n\n%s\n", command->name, *command->usage ? " " : "",
         command->usage, command->help);
}

static void general_help(const struct cli *c) {
  puts("usage: convkeep [--data DIR] [--config FILE] [--json] COMMAND …\n\n"
       "Keeps AI chat conversations in a database and in readable files on this machine,\n"
       "mirrors them to another database, and sends follow-ups.\n");
  for (const struct cli_command *const *p = c->commands; *p; ++p)
    printf("  %-9s %s\n", (*p)->name, (*p)->brief);
  puts("\n"
       "  --data DIR        the data folder; default: $CONVKEEP_DATA, else\n"
       "                    $XDG_DATA_HOME/convkeep, else ~/.local/share/convkeep\n"
       "  --config FILE     the settings file; default: DIR/convkeep.conf\n"
       "  --set NAME=VALUE  overrides one setting; may be repeated\n"
       "  --json            prints one JSON object a line, times in milliseconds\n"
       "  --help, --version\n\n"
       "`convkeep COMMAND --help` explains a command.\n"
       "Exit codes: 0 done, 1 something failed, 2 wrong usage, 3 nobody answers.\n"
       "First steps: `convkeep up` in one terminal, `convkeep import conversations.json` in\n"
       "another, then `convkeep status`.");
}

/* What `convkeep` alone says. */
static void short_help(void) {
  puts("convkeep keeps AI chat conversations in a database and in readable files on this machine.\n"
       "\n"
       "  convkeep import export.zip     takes in an export, as it was downloaded\n"
       "  convkeep list conversations    shows what there is, the newest first\n"
       "  convkeep read TITLE            shows a conversation from its beginning to its end\n"
       "  convkeep status                shows what runs and what waits\n"
       "  convkeep up                    runs all parts: capture, mirror, follow-ups\n"
       "\n"
       "convkeep --help lists all commands, convkeep COMMAND --help explains one.");
}

static void add_set(struct cli *c, const char *value) {
  const char **grown = ck_alloc(((size_t)c->set_count + 1) * sizeof *grown);
  for (int i = 0; i < c->set_count; ++i) grown[i] = c->set_flags[i];
  grown[c->set_count] = value;
  free((void *)(uintptr_t)c->set_flags);
  c->set_flags = grown;
  c->set_count++;
}

/* One option: its name without the dashes, its value if given as --name=value (else NULL), and the
 * index of the next word. */
struct word {
  char name[64];
  const char *value;
  int argc;
  char **argv;
  int next;
};

static int word_of(const struct cli *c, int argc, char **argv, int at, struct word *w) {
  const char *text = argv[at];
  if (strcmp(text, "-h") == 0) text = "--help";
  if (strcmp(text, "-o") == 0) text = "--output";
  if (strncmp(text, "--", 2) != 0) return cli_usage_error(c, text, "unknown option");
  const char *equals = strchr(text, '=');
  size_t n = equals ? (size_t)(equals - text - 2) : strlen(text + 2);
  if (n == 0 || n >= sizeof w->name) return cli_usage_error(c, text, "unknown option");
  memcpy(w->name, text + 2, n);
  w->name[n] = '\0';
  w->value = equals ? equals + 1 : NULL;
  w->argc = argc;
  w->argv = argv;
  w->next = at + 1;
  return CLI_GO_ON;
}

static int take_value(const struct cli *c, struct word *w, const char **value) {
  if (!w->value && w->next < w->argc) w->value = w->argv[w->next++];
  if (!w->value) return cli_usage_error(c, w->argv[w->next - 1], "it needs a value");
  *value = w->value;
  return CLI_GO_ON;
}

static int take_flag(const struct cli *c, const struct word *w, bool *flag) {
  if (w->value) return cli_usage_error(c, w->argv[w->next - 1], "--%s takes no value", w->name);
  *flag = true;
  return CLI_GO_ON;
}

/* *found: whether it is a global option. */
static int take_global(struct cli *c, struct word *w, bool *found) {
  bool help = false, version = false;
  const char *set = NULL;
  const struct cli_option globals[] = {
      {"data", &c->data_flag, NULL}, {"config", &c->config_flag, NULL},
      {"set", &set, NULL},           {"json", NULL, &c->json},
      {"help", NULL, &help},         {"version", NULL, &version}};
  for (size_t i = 0; i < sizeof globals / sizeof *globals; ++i) {
    if (strcmp(globals[i].name, w->name) != 0) continue;
    *found = true;
    int rc =
        globals[i].value ? take_value(c, w, globals[i].value) : take_flag(c, w, globals[i].flag);
    if (rc != CLI_GO_ON) return rc;
    if (globals[i].value && globals[i].value != &set && !**globals[i].value)
      return cli_usage_error(c, w->name, "the value must not be empty");
    if (set && !strchr(set, '=')) return cli_usage_error(c, set, "--set takes NAME=VALUE");
    if (set) add_set(c, set);
    if (help && c->command) cli_help(c->command);
    if (help && !c->command) general_help(c);
    if (version) puts("convkeep " CK_VERSION_TEXT);
    return help || version ? CLI_DONE : CLI_GO_ON;
  }
  *found = false;
  return CLI_GO_ON;
}

static int take_option(struct cli *c, struct word *w, const struct cli_option *options,
                       const struct cli_others *others) {
  for (const struct cli_option *o = options; o && o->name; ++o)
    if (strcmp(o->name, w->name) == 0)
      return o->value ? take_value(c, w, o->value) : take_flag(c, w, o->flag);
  bool found;
  int rc = take_global(c, w, &found);
  if (rc != CLI_GO_ON || found) return rc;
  if (!others) return cli_usage_error(c, w->argv[w->next - 1], "unknown option");
  const char *value = w->value;
  if (!value && w->next < w->argc) value = w->argv[w->next++];
  return others->take(others->self, w->name, value) ? CLI_USAGE : CLI_GO_ON;
}

int cli_options(struct cli *c, int *argc, char **argv, struct cli_syntax syntax) {
  int kept = 1, n = *argc;
  bool only_words = c->only_words;
  for (int i = 1; i < n;) {
    char *text = argv[i];
    if (!only_words && strcmp(text, "--") == 0) {
      only_words = true;
      ++i;
    } else if (only_words || text[0] != '-' || text[1] == '\0') {
      argv[kept++] = text;
      ++i;
    } else {
      struct word w;
      int rc = word_of(c, n, argv, i, &w);
      if (rc == CLI_GO_ON) rc = take_option(c, &w, syntax.options, syntax.others);
      if (rc != CLI_GO_ON) return rc;
      i = w.next;
    }
  }
  *argc = kept;
  argv[kept] = NULL;
  if (kept - 1 < syntax.least)
    return cli_usage_error(c, NULL, "an argument is missing: convkeep %s %s", c->command->name,
                           c->command->usage);
  if (syntax.most >= 0 && kept - 1 > syntax.most)
    return cli_usage_error(c, argv[syntax.most + 1], "unexpected argument");
  return CLI_GO_ON;
}

int cli_number(const struct cli *c, const char *option, const char *text, int64_t least,
               int64_t most, int64_t *value) {
  char *end;
  if (!text) return CLI_GO_ON;
  long long n = strtoll(text, &end, 10);
  if (*text < '0' || *text > '9' || *end || n < least || n > most)
    return cli_usage_error(c, option, "%s: must be a whole number from %lld to %lld", text,
                           (long long)least, (long long)most);
  *value = n;
  return CLI_GO_ON;
}

int cli_global_options(struct cli *c, int argc, char **argv, int *at) {
  for (int i = 1; i < argc;) {
    if (!c->only_words && strcmp(argv[i], "--") == 0) {
      c->only_words = true;
      ++i;
      continue;
    }
    if (c->only_words || argv[i][0] != '-') {
      *at = i;
      return CLI_GO_ON;
    }
    struct word w;
    int rc = word_of(c, argc, argv, i, &w);
    bool found;
    if (rc == CLI_GO_ON) rc = take_global(c, &w, &found);
    if (rc != CLI_GO_ON) return rc;
    if (!found) return cli_usage_error(c, argv[i], "unknown option");
    i = w.next;
  }
  short_help();
  return CLI_DONE;
}
