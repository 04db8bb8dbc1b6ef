/* What a word of the command line may become, from the tables of commands and options. Declared in
 * manual.h. */
#include "cli/manual.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>
#include "cli/out.h"

#define ROWS 1000 /* the newest of a table, among which titles and ids are looked for */

struct completion {
  struct cli *c;
  const char *typed; /* so far, of the value */
  const char *lead;  /* stands before each candidate: "--name=" if the value is part of the word */
  bool connected;
};

/* ---- candidates ---- */

static bool may_become(const struct completion *k, const char *value) {
  return strncasecmp(value, k->typed, strlen(k->typed)) == 0;
}

/* A value is put on the command line as it is: one that a terminal would obey is none. */
static bool is_plain(const char *text) {
  struct ck_buf shown = {0};
  cli_safe_text(&shown, ck_str_of(text), false);
  bool plain = *text && *text != ':' && strcmp(ck_buf_cstr(&shown), text) == 0;
  ck_buf_free(&shown);
  return plain;
}

static void offer(const struct completion *k, const char *value, const char *about) {
  if (!may_become(k, value) || !is_plain(value)) return;
  printf("%s%s", k->lead, value);
  if (about && *about) {
    struct ck_buf shown = {0};
    cli_safe_text(&shown, ck_str_of(about), false);
    printf("\t%s", ck_buf_cstr(&shown));
    ck_buf_free(&shown);
  }
  putchar('\n');
}

/* Of "a|b|c"; a word in capitals stands for something. */
static void offer_choices(const struct completion *k, const char *choices) {
  for (const char *p = choices; p && *p;) {
    size_t n = strcspn(p, "|");
    char one[64];
    snprintf(one, sizeof one, "%.*s", (int)n, p);
    if (!(one[0] >= 'A' && one[0] <= 'Z')) offer(k, one, NULL);
    p += n + (p[n] == '|');
  }
}

/* ---- what the store has ---- */

static json_t *newest(struct completion *k, const char *table) {
  json_t *rows = NULL;
  if (!k->connected && cli_connect(k->c, false, CLI_PART(CLI_STORE)) != CLI_GO_ON) return NULL;
  k->connected = true;
  return cli_query(k->c, &(struct cli_query){table, NULL, 0, ROWS, 0}, &rows) == CLI_GO_ON ? rows
                                                                                           : NULL;
}

/* Of each conversation the title, if it begins as what is typed, else the id, if that does. */
static void offer_conversations(struct completion *k) {
  json_t *rows = newest(k, "local_conversations"), *row;
  size_t i;
  json_array_foreach(rows, i, row) {
    const char *id = cli_member(row, "local_conversation_id"), *title = cli_member(row, "title");
    if (is_plain(title) && may_become(k, title))
      offer(k, title, cli_member(row, "platform"));
    else
      offer(k, id, title);
  }
  json_decref(rows);
}

static void offer_ids(struct completion *k, enum ck_table table, const char *about) {
  const char *id = ck_tables[table].fields[ck_tables[table].key].name;
  json_t *rows = newest(k, ck_tables[table].name), *row;
  size_t i;
  json_array_foreach(rows, i, row) offer(k, cli_member(row, id), cli_member(row, about));
  json_decref(rows);
}

static void offer_platforms(struct completion *k) {
  json_t *rows = newest(k, "local_conversations"), *row, *seen = json_object();
  size_t i;
  json_array_foreach(rows, i, row) {
    const char *platform = cli_member(row, "platform");
    if (!json_object_get(seen, platform)) offer(k, platform, NULL);
    json_object_set_new(seen, platform, json_true());
  }
  json_decref(seen);
  json_decref(rows);
}

static void offer_settings(const struct completion *k) {
  struct ck_err err;
  struct ck_setting_view v;
  struct ck_settings *settings = ck_settings_load(NULL, &err);
  for (int i = 0; settings && ck_settings_view(settings, i, &v); ++i) {
    char name[128];
    snprintf(name, sizeof name, "%s=", v.name);
    offer(k, name, v.help);
  }
  ck_settings_free(&settings);
}

static void offer_values(struct completion *k, enum cli_kind_of kind, const char *word,
                         const char *choices) {
  switch (kind) {
  case CLI_CHOICE:
  case CLI_NUMBER:
    offer_choices(k, choices ? choices : word);
    break;
  case CLI_FILE:
    puts(":files");
    break;
  case CLI_FOLDER:
    puts(":folders");
    break;
  case CLI_CONVERSATION:
    if (word && strstr(word, "PLATFORM")) offer_platforms(k);
    offer_conversations(k);
    break;
  case CLI_MESSAGE:
    offer_ids(k, CK_MESSAGES, "summary");
    break;
  case CLI_EXECUTION:
    offer_ids(k, CK_EXECUTIONS, "tool");
    break;
  case CLI_SESSION:
    offer_ids(k, CK_SESSIONS, "platform");
    break;
  case CLI_LINK:
    offer_ids(k, CK_LINKS, "page_title");
    break;
  case CLI_JOB:
    offer_ids(k, CK_JOBS, "status");
    break;
  case CLI_PLATFORM:
    offer_platforms(k);
    break;
  case CLI_SETTING:
    offer_settings(k);
    break;
  case CLI_RECORD:
    offer_conversations(k);
    offer_ids(k, CK_MESSAGES, "summary");
    break;
  case CLI_SWITCH:
  case CLI_TEXT:
  case CLI_WORDS:
  case CLI_TIME:
  case CLI_ID:
    break;
  }
}

/* ---- options ---- */

struct tables {
  const struct cli_option *of[3]; /* the command's, its filters, the global ones */
};

static const struct cli_option *option_of(const struct tables *t, const char *word, size_t n) {
  for (int i = 0; i < 3; ++i)
    for (const struct cli_option *o = t->of[i]; o && o->name; ++o) {
      bool is_long = n > 2 && strncmp(word, "--", 2) == 0 && strlen(o->name) == n - 2 &&
                     strncmp(o->name, word + 2, n - 2) == 0;
      if (is_long || (o->letter && n == 2 && word[0] == '-' && word[1] == o->letter)) return o;
    }
  return NULL;
}

static void offer_options(const struct completion *k, const struct tables *t) {
  char name[80];
  for (int i = 0; i < 3; ++i)
    for (const struct cli_option *o = t->of[i]; o && o->name; ++o) {
      snprintf(name, sizeof name, "--%s", o->name);
      offer(k, name, o->help);
    }
}

/* ---- the words ---- */

/* What the words before the last one say. */
struct before {
  const struct cli_command *command;
  struct tables tables;
  const struct cli_option *wants; /* the last of them is this option, without its value */
  int arguments;
  bool only_words; /* "--" came */
};

static void take_global(struct cli *c, const struct cli_option *o, const char *value) {
  if (strcmp(o->name, "data") == 0) c->data_flag = value;
  if (strcmp(o->name, "config") == 0) c->config_flag = value;
}

static void take_option(struct cli *c, struct before *b, const char *word) {
  size_t n = strcspn(word, "=");
  const struct cli_option *o = option_of(&b->tables, word, n);
  if (!o || o->kind == CLI_SWITCH) return;
  if (word[n])
    take_global(c, o, word + n + 1);
  else
    b->wants = o;
}

static void take_argument(struct before *b, const char *word) {
  if (!b->command) {
    b->command = cli_command_named(word);
    b->tables.of[0] = b->command ? b->command->options : NULL;
    if (!b->command) b->arguments++;
    return;
  }
  const struct cli_kind *kind = b->command == &cli_list ? cli_kind_named(word) : NULL;
  if (kind && b->arguments == 0) b->tables.of[1] = kind->filters;
  b->arguments++;
}

static void read_before(struct cli *c, struct before *b, int count, char **words) {
  for (int i = 0; i < count; ++i) {
    const char *word = words[i];
    if (b->wants) {
      take_global(c, b->wants, word);
      b->wants = NULL;
    } else if (!b->only_words && strcmp(word, "--") == 0 && b->command) {
      b->only_words = true;
    } else if (!b->only_words && word[0] == '-' && word[1]) {
      take_option(c, b, word);
    } else {
      take_argument(b, word);
    }
  }
}

static void complete_command(const struct completion *k) {
  for (const struct cli_command *const *p = cli_commands; *p; ++p)
    offer(k, (*p)->name, (*p)->brief);
}

static void complete_argument(struct completion *k, const struct before *b) {
  const struct cli_argument *a = b->command->arguments;
  for (int i = 0; a && a->word && i < b->arguments && !(a->flags & CLI_MANY); ++i) ++a;
  if (a && a->word) offer_values(k, a->kind, a->word, a->choices);
}

static void complete(struct completion *k, const struct before *b, const char *last) {
  size_t n = strcspn(last, "=");
  const struct cli_option *o =
      last[0] == '-' && last[n] && !b->only_words ? option_of(&b->tables, last, n) : b->wants;
  char lead[80] = "";
  if (o && o != b->wants) {
    snprintf(lead, sizeof lead, "%.*s=", (int)n, last);
    k->lead = lead;
    k->typed = last + n + 1;
  }
  if (o)
    offer_values(k, o->kind, o->word, NULL);
  else if (last[0] == '-' && !b->only_words)
    offer_options(k, &b->tables);
  else if (!b->command && b->arguments == 0)
    complete_command(k);
  else if (b->command)
    complete_argument(k, b);
}

int cli_complete(struct cli *c, int count, char **words) {
  struct before b = {.tables.of = {[2] = cli_globals}};
  const char *last = count ? words[count - 1] : "";
  struct completion k = {.c = c, .typed = last, .lead = ""};
  int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
  if (null >= 0) dup2(null, STDERR_FILENO);
  if (null >= 0) close(null);
  read_before(c, &b, count ? count - 1 : 0, words);
  c->command = b.command;
  complete(&k, &b, last);
  return CLI_DONE;
}
