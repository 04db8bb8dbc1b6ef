/* Parses the command line. Declared in cli.h; --help is in help.c, errors in errors.c. */
#include "cli/cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "proto/clock.h"
#include "proto/daemon.h"
#include "proto/moment.h"
#include "proto/near.h"
#include "proto/records.h"

const char *cli_store_place(const struct cli *c) {
  return ck_set_text(c->settings, CK_SET_DOOR_SNAPSHOT);
}

/* Where the global options go. */
struct globals {
  bool json, help, version;
  const char *data, *config, *set;
};

const struct cli_option cli_globals[] = {
    CLI_VALUE("data", CLI_FOLDER, "DIR", struct globals, data,
              "the data folder; default: $CONVKEEP_DATA, else $XDG_DATA_HOME/convkeep, else "
              "~/.local/share/convkeep"),
    CLI_VALUE("config", CLI_FILE, "FILE", struct globals, config,
              "the settings file; default: DIR/convkeep.conf"),
    {"set", CLI_SETTING, "NAME=VALUE", offsetof(struct globals, set),
     "overrides one setting; may be repeated", 0, CLI_MANY},
    CLI_FLAG("json", struct globals, json, "one JSON object a line, times in milliseconds"),
    {"help", CLI_SWITCH, NULL, offsetof(struct globals, help), "explains the command", 'h', 0},
    CLI_FLAG("version", struct globals, version, "the version"),
    {0}};

void cli_add_set(struct cli *c, const char *value) {
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

/* Finds the option of that name; NULL: there is none. */
static const struct cli_option *option_named(const struct cli_option *options, const char *name) {
  for (const struct cli_option *o = options; o && o->name; ++o)
    if (strcmp(o->name, name) == 0) return o;
  return NULL;
}

static const struct cli_option *option_lettered(const struct cli_option *options, char letter) {
  for (const struct cli_option *o = options; o && o->name; ++o)
    if (o->letter && o->letter == letter) return o;
  return NULL;
}

static const struct cli_option *options_of(const struct cli *c) {
  return c->command ? c->command->options : NULL;
}

/* text: "--name" or "--name=value". */
static int unknown_option(const struct cli *c, const char *text) {
  struct ck_near near = ck_near_to((struct ck_str){text + 2, strcspn(text + 2, "=")});
  struct ck_buf meant = {0};
  for (const struct cli_option *o = options_of(c); o && o->name; ++o)
    ck_near_try(&near, ck_str_of(o->name));
  for (const struct cli_option *o = cli_globals; o->name; ++o)
    ck_near_try(&near, ck_str_of(o->name));
  ck_near_text(&meant, &near, "--");
  int rc = cli_usage_error(c, text, "unknown option%s", ck_buf_cstr(&meant));
  ck_buf_free(&meant);
  return rc;
}

/* `-o` stands for the option with that letter. */
static int short_word(const struct cli *c, const char *text, struct word *w) {
  const struct cli_option *o = NULL;
  if (text[1] && !text[2]) {
    o = option_lettered(options_of(c), text[1]);
    if (!o) o = option_lettered(cli_globals, text[1]);
  }
  if (!o) return cli_usage_error(c, text, "unknown option");
  snprintf(w->name, sizeof w->name, "%s", o->name);
  w->value = NULL;
  return CLI_GO_ON;
}

static int word_of(const struct cli *c, int argc, char **argv, int at, struct word *w) {
  const char *text = argv[at];
  w->argc = argc;
  w->argv = argv;
  w->next = at + 1;
  if (strncmp(text, "--", 2) != 0) return short_word(c, text, w);
  const char *equals = strchr(text, '=');
  size_t n = equals ? (size_t)(equals - text - 2) : strlen(text + 2);
  if (n == 0 || n >= sizeof w->name) return unknown_option(c, text);
  memcpy(w->name, text + 2, n);
  w->name[n] = '\0';
  w->value = equals ? equals + 1 : NULL;
  return CLI_GO_ON;
}

static int take_value(const struct cli *c, struct word *w, const char **value) {
  if (!w->value && w->next < w->argc) w->value = w->argv[w->next++];
  if (!w->value) return cli_usage_error(c, w->argv[w->next - 1], "it needs a value");
  *value = w->value;
  return CLI_GO_ON;
}

int cli_choice(const struct cli *c, const char *option, const char *value, const char *choices) {
  struct ck_near near = ck_near_to(ck_str_of(value));
  struct ck_buf meant = {0};
  if (ck_choice_ok(choices, ck_str_of(value))) return CLI_GO_ON;
  ck_near_try_all(&near, choices);
  ck_near_text(&meant, &near, "");
  int rc = option
               ? cli_usage_error(c, option, "%s: must be %s%s", value, choices, ck_buf_cstr(&meant))
               : cli_usage_error(c, value, "must be %s%s", choices, ck_buf_cstr(&meant));
  ck_buf_free(&meant);
  return rc;
}

/* Puts a switch or a value where the option says. */
static int take(const struct cli *c, struct word *w, const struct cli_option *o, void *into) {
  char *place = (char *)into + o->at, flag[sizeof w->name + 2];
  if (o->kind == CLI_SWITCH) {
    if (w->value) return cli_usage_error(c, w->argv[w->next - 1], "--%s takes no value", w->name);
    *(bool *)(void *)place = true;
    return CLI_GO_ON;
  }
  bool again = *(const char **)(void *)place != NULL;
  int rc = take_value(c, w, (const char **)(void *)place);
  snprintf(flag, sizeof flag, "--%s", o->name);
  if (rc == CLI_GO_ON && again) return cli_usage_error(c, flag, "it is given twice");
  return rc == CLI_GO_ON && o->kind == CLI_CHOICE ? cli_choice(c, flag, w->value, o->word) : rc;
}

static int apply_globals(struct cli *c, const struct word *w, const struct globals *g) {
  bool data = strcmp(w->name, "data") == 0, config = strcmp(w->name, "config") == 0;
  if ((data || config) && !*w->value)
    return cli_usage_error(c, data ? "--data" : "--config", "the value must not be empty");
  if (data) c->data_flag = g->data;
  if (config) c->config_flag = g->config;
  if (g->json) c->json = true;
  if (g->set && !strchr(g->set, '=')) return cli_usage_error(c, g->set, "--set takes NAME=VALUE");
  if (g->set) cli_add_set(c, g->set);
  if (g->help && c->command) cli_help(c->command);
  if (g->help && !c->command) cli_help_all();
  if (g->version) puts("convkeep " CK_VERSION_TEXT);
  return g->help || g->version ? CLI_DONE : CLI_GO_ON;
}

/* *found: whether it is a global option. */
static int take_global(struct cli *c, struct word *w, bool *found) {
  struct globals g = {0};
  const struct cli_option *o = option_named(cli_globals, w->name);
  *found = o != NULL;
  int rc = o ? take(c, w, o, &g) : CLI_GO_ON;
  return o && rc == CLI_GO_ON ? apply_globals(c, w, &g) : rc;
}

static int take_option(struct cli *c, struct word *w, void *into, const struct cli_others *others) {
  const struct cli_option *o = option_named(c->command->options, w->name);
  if (o) return take(c, w, o, into);
  const char *text = w->argv[w->next - 1];
  bool found;
  int rc = take_global(c, w, &found);
  if (rc != CLI_GO_ON || found) return rc;
  if (!others) return unknown_option(c, text);
  const char *value = w->value;
  if (!value && w->next < w->argc) value = w->argv[w->next++];
  return others->take(others->self, w->name, value) ? CLI_USAGE : CLI_GO_ON;
}

static int missing(const struct cli *c) {
  struct ck_buf usage = {0};
  cli_usage(&usage, c->command);
  int rc = cli_usage_error(c, NULL, "an argument is missing: convkeep %s", ck_buf_cstr(&usage));
  ck_buf_free(&usage);
  return rc;
}

/* Whether there are enough of them, not too many, and each one of its choices. */
static int check_arguments(const struct cli *c, int argc, char **argv) {
  const struct cli_argument *a = c->command->arguments;
  for (int i = 1;; ++i) {
    bool there = a && a->word;
    if (i >= argc) {
      bool wanted = there && !(a->flags & CLI_OPTIONAL) && !(a->flags & CLI_MANY && i > 1);
      return wanted ? missing(c) : CLI_GO_ON;
    }
    if (!there) return cli_usage_error(c, argv[i], "unexpected argument");
    int rc = a->kind == CLI_CHOICE ? cli_choice(c, NULL, argv[i], a->choices ? a->choices : a->word)
                                   : CLI_GO_ON;
    if (rc != CLI_GO_ON) return rc;
    if (!(a->flags & CLI_MANY)) ++a;
  }
}

/* -word, where a command takes such words. A letter that stands for an option is one. */
static bool is_minus(const struct cli *c, const char *text) {
  const struct cli_argument *a = c->command->arguments;
  bool letter = !text[2] && option_lettered(cli_globals, text[1]);
  return a && a->flags & CLI_MINUS && text[1] != '-' && !letter;
}

int cli_options_and(struct cli *c, int *argc, char **argv, void *into,
                    const struct cli_others *others) {
  int kept = 1, n = *argc;
  bool only_words = c->only_words;
  for (int i = 1; i < n;) {
    char *text = argv[i];
    if (!only_words && strcmp(text, "--") == 0) {
      only_words = true;
      ++i;
    } else if (only_words || text[0] != '-' || text[1] == '\0' || is_minus(c, text)) {
      argv[kept++] = text;
      ++i;
    } else {
      struct word w;
      int rc = word_of(c, n, argv, i, &w);
      if (rc == CLI_GO_ON) rc = take_option(c, &w, into, others);
      if (rc != CLI_GO_ON) return rc;
      i = w.next;
    }
  }
  *argc = kept;
  argv[kept] = NULL;
  c->json_errors = c->json;
  return check_arguments(c, kept, argv);
}

int cli_options(struct cli *c, int *argc, char **argv, void *into) {
  return cli_options_and(c, argc, argv, into, NULL);
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

int cli_moment(const struct cli *c, const char *option, const char *text, int64_t *ms) {
  struct ck_err err;
  if (!text || ck_moment_parse(text, ck_now_ms(), ms, &err) == 0) return CLI_GO_ON;
  return cli_usage_error(c, option, "%s", err.text);
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
    if (!found) return unknown_option(c, argv[i]);
    i = w.next;
  }
  cli_help_short();
  return CLI_DONE;
}
