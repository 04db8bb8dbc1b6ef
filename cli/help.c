/* What --help and `convkeep` alone say, from the tables of commands and options. Declared in
 * cli.h. */
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>
#include "cli/out.h"
#include "proto/visible.h"

#define COLUMNS 80
#define INDENT 2
#define SHORT_INDENT 4  /* of a usage in which the usual one leaves no room for a word */
#define OPTION_WIDTH 16 /* of what stands before the sentences, if it is not longer */

const char *const cli_group_names[CLI_GROUPS] = {
    [CLI_TO_READ] = "Take in, find and read",
    [CLI_TO_FOLLOW_UP] = "Follow-ups",
    [CLI_TO_RUN] = "The ring and the mirror",
    [CLI_TO_KEEP] = "Upkeep",
};

/* ---- wrapping ---- */

static void blanks(struct ck_buf *b, size_t n) {
  while (n--) ck_buf_text(b, " ");
}

/* Appends the words, broken before COLUMNS; `at` columns of the line are taken, and the following
 * lines begin after `indent`. */
static void wrap(struct ck_buf *b, const char *text, size_t at, size_t indent) {
  for (const char *p = text; *p;) {
    size_t n = strcspn(p, " "), width = ck_text_width((struct ck_str){p, n});
    if (at > indent && at + 1 + width > COLUMNS) {
      ck_buf_text(b, "\n");
      blanks(b, indent);
      at = indent;
    } else if (p != text) {
      ck_buf_text(b, " ");
      ++at;
    }
    ck_buf_add(b, p, n);
    at += width;
    p += n + (p[n] == ' ');
  }
}

/* ---- reflowing ----
 *
 * Help texts are paragraphs, and lists of the form "  word   what it is". Lines that follow begin
 * in the column of the text. */

struct line {
  struct ck_str words;
  size_t indent; /* blanks before it */
  size_t hang;   /* the column in which the lines that follow it begin */
};

static struct line line_at(const char *p) {
  struct line l = {.words = {p, strcspn(p, "\n")}};
  l.indent = strspn(p, " ");
  l.hang = l.indent;
  for (size_t i = l.indent; i + 2 < l.words.n; ++i) {
    if (p[i] != ' ' || p[i + 1] != ' ') continue;
    l.hang = i + strspn(p + i, " ");
    break;
  }
  return l;
}

/* True for a line that goes on with what the line before began. */
static bool goes_on(const struct line *before, const struct line *l) {
  return before->words.n && l->words.n && l->hang == l->indent && l->indent == before->hang;
}

bool cli_help_next(const char **p, struct cli_help_item *item) {
  if (!**p) return false;
  struct line first = line_at(*p), next;
  item->indent = first.indent;
  item->hang = first.hang;
  ck_buf_clear(&item->head);
  ck_buf_clear(&item->text);
  ck_buf_add(&item->head, *p + first.indent, first.hang - first.indent);
  ck_buf_add(&item->text, *p + first.hang, first.words.n - first.hang);
  *p += first.words.n + ((*p)[first.words.n] == '\n');
  for (; **p && (next = line_at(*p), goes_on(&first, &next));
       *p += next.words.n + ((*p)[next.words.n] != 0)) {
    ck_buf_text(&item->text, " ");
    ck_buf_add(&item->text, *p + next.indent, next.words.n - next.indent);
  }
  return true;
}

void cli_help_item_free(struct cli_help_item *item) {
  ck_buf_free(&item->head);
  ck_buf_free(&item->text);
}

void cli_help_text(struct ck_buf *b, const char *text) {
  struct cli_help_item item = {0};
  for (const char *p = text; cli_help_next(&p, &item);) {
    blanks(b, item.indent);
    ck_buf_str(b, ck_buf_view(&item.head));
    wrap(b, ck_buf_cstr(&item.text), item.hang, item.hang);
    ck_buf_text(b, "\n");
  }
  cli_help_item_free(&item);
}

/* ---- usage ---- */

static void add_argument(struct ck_buf *b, const struct cli_argument *a) {
  bool optional = a->flags & CLI_OPTIONAL;
  ck_buf_printf(b, " %s%s%s%s", optional ? "[" : "", a->word, a->flags & CLI_MANY ? "…" : "",
                optional ? "]" : "");
}

/* As the usage shows it. between: stands before the value. */
static void add_option(struct ck_buf *b, const struct cli_option *o, const char *between) {
  if (o->letter)
    ck_buf_printf(b, "-%c", o->letter);
  else
    ck_buf_printf(b, "--%s", o->name);
  if (o->word) ck_buf_printf(b, "%s%s", between, o->word);
}

static void add_usage(struct ck_buf *b, const struct cli_command *command, const char *between) {
  ck_buf_text(b, command->name);
  for (const struct cli_argument *a = command->arguments; a && a->word; ++a) add_argument(b, a);
  for (const struct cli_option *o = command->options; o && o->name; ++o) {
    bool required = o->flags & CLI_REQUIRED;
    ck_buf_text(b, required ? " " : " [");
    add_option(b, o, between);
    ck_buf_text(b, required ? "" : "]");
  }
}

void cli_usage(struct ck_buf *b, const struct cli_command *command) { add_usage(b, command, " "); }

/* The width of the widest word. */
static size_t widest(const char *text) {
  size_t most = 0;
  for (const char *p = text; *p;) {
    size_t n = strcspn(p, " "), width = ck_text_width((struct ck_str){p, n});
    if (width > most) most = width;
    p += n + (p[n] == ' ');
  }
  return most;
}

/* '\1' is the blank between an option and its value, at which wrap() does not break a line. */
void cli_help_usage(struct ck_buf *b, const struct cli_command *command) {
  static const char begin[] = "usage: convkeep ";
  struct ck_buf usage = {0};
  size_t from = b->len, at = sizeof begin - 1;
  ck_buf_text(b, begin);
  add_usage(&usage, command, "\1");
  const char *words = ck_buf_cstr(&usage);
  wrap(b, words, at, at + widest(words) <= COLUMNS ? at : SHORT_INDENT);
  for (size_t i = from; i < b->len; ++i)
    if (b->data[i] == '\1') b->data[i] = ' ';
  ck_buf_text(b, "\n");
  ck_buf_free(&usage);
}

/* ---- options ---- */

void cli_help_option(struct ck_buf *b, const struct cli_option *o) {
  if (o->letter) {
    add_option(b, o, " ");
    ck_buf_text(b, ", ");
  }
  ck_buf_printf(b, "--%s", o->name);
  if (o->word) ck_buf_printf(b, " %s", o->word);
}

void cli_help_options(struct ck_buf *b, const struct cli_option *options) {
  size_t at = OPTION_WIDTH;
  for (const struct cli_option *o = options; o && o->name; ++o) {
    struct ck_buf how = {0};
    cli_help_option(&how, o);
    size_t width = ck_text_width(ck_buf_view(&how));
    blanks(b, INDENT);
    ck_buf_str(b, ck_buf_view(&how));
    if (width > at) ck_buf_text(b, "\n");
    blanks(b, (width > at ? INDENT + at : at - width) + 2);
    wrap(b, o->help, INDENT + at + 2, INDENT + at + 2);
    ck_buf_text(b, "\n");
    ck_buf_free(&how);
  }
}

static void print_options(const struct cli_option *options) {
  struct ck_buf b = {0};
  cli_help_options(&b, options);
  if (b.len) cli_print(&b);
  ck_buf_free(&b);
}

void cli_help(const struct cli_command *command) {
  struct ck_buf b = {0};
  cli_help_usage(&b, command);
  ck_buf_text(&b, "\n");
  cli_help_text(&b, command->help);
  if (command->options) ck_buf_text(&b, "\n");
  cli_help_options(&b, command->options);
  if (command->more) command->more(&b);
  cli_print(&b);
  ck_buf_free(&b);
}

/* ---- all of it ---- */

static void print_commands(void) {
  for (int g = 0; g < CLI_GROUPS; ++g) {
    printf("%s%s\n", g ? "\n" : "", cli_group_names[g]);
    for (const struct cli_command *const *p = cli_commands; *p; ++p)
      if ((int)(*p)->group == g) printf("  %-9s %s\n", (*p)->name, (*p)->brief);
  }
}

void cli_help_all(void) {
  puts("usage: convkeep [--data DIR] [--config FILE] [--json] COMMAND …\n\n"
       "Keeps AI chat conversations in a database and in readable files on this machine,\n"
       "mirrors them to another database, and sends follow-ups.\n");
  print_commands();
  puts("\nEvery command takes");
  print_options(cli_globals);
  puts("\n"
       "`convkeep COMMAND --help` explains a command.\n"
       "Exit codes: 0 done, 1 something failed, 2 wrong usage, 3 nobody answers.\n"
       "First steps: `convkeep import export.zip`, `convkeep list conversations`,\n"
       "`convkeep read TITLE`. `convkeep up` runs all parts: capture, mirror, follow-ups.");
}

void cli_help_short(void) {
  puts("convkeep keeps AI chat conversations in a database and in readable files on this\n"
       "machine.\n\n"
       "To begin with:\n"
       "  convkeep import export.zip     takes in an export, as it was downloaded\n"
       "  convkeep list conversations    shows what there is, the newest first\n"
       "  convkeep search WORDS          finds messages by their words\n"
       "  convkeep read TITLE            shows a conversation, from its beginning\n"
       "  convkeep up                    runs all parts: capture, mirror, follow-ups\n");
  print_commands();
  puts("\nconvkeep COMMAND --help explains one; convkeep --help lists what all take.");
}
