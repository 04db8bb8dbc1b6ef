/* The manual pages, convkeep(1) and convkeep.conf(5), in roff's man macros, from the tables that
 * --help and `config` are made from. Declared in manual.h. */
#include "cli/manual.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include "cli/out.h"
#include "proto/daemon.h"

/* ---- roff ---- */

/* Appends text in which nothing is a command to roff. A line may not begin with '.' or '\''. */
static void add_text(struct ck_buf *b, const char *text) {
  for (const char *p = text; *p; ++p) {
    bool begins = !b->len || b->data[b->len - 1] == '\n';
    if (begins && (*p == '.' || *p == '\'')) ck_buf_text(b, "\\&");
    if (*p == '\\')
      ck_buf_text(b, "\\e");
    else if (*p == '-')
      ck_buf_text(b, "\\-");
    else if (*p == '\'')
      ck_buf_text(b, "\\(aq");
    else if (*p == '`')
      ck_buf_text(b, "\\(ga");
    else if (*p == '^')
      ck_buf_text(b, "\\(ha");
    else if (*p == '~')
      ck_buf_text(b, "\\(ti");
    else
      ck_buf_add(b, p, 1);
  }
}

static void add_line(struct ck_buf *b, const char *macro, const char *text) {
  ck_buf_text(b, macro);
  add_text(b, text);
  ck_buf_text(b, "\n");
}

/* A paragraph under a heading of its own; both are text. */
static void add_item(struct ck_buf *b, const char *head, const char *text) {
  add_line(b, ".TP\n", head);
  add_line(b, "", text);
}

static void add_heading(struct ck_buf *b, const char *page, int section) {
  ck_buf_printf(b, ".TH %s %d \"\" \"convkeep %s\"\n", page, section, CK_VERSION_TEXT);
}

/* ---- the tables ---- */

/* A help text: its paragraphs, and its lists, which stand deeper. */
static void add_help(struct ck_buf *b, const char *text) {
  struct cli_help_item item = {0};
  bool deeper = false;
  for (const char *p = text; cli_help_next(&p, &item);) {
    bool is_item = item.head.len > 0;
    if (!item.text.len) continue;
    if (is_item && !deeper) ck_buf_text(b, ".RS\n");
    if (!is_item) ck_buf_text(b, deeper ? ".RE\n.PP\n" : ".PP\n");
    deeper = is_item;
    if (is_item)
      add_item(b, ck_buf_cstr(&item.head), ck_buf_cstr(&item.text));
    else
      add_line(b, "", ck_buf_cstr(&item.text));
  }
  if (deeper) ck_buf_text(b, ".RE\n");
  cli_help_item_free(&item);
}

static void add_options(struct ck_buf *b, const struct cli_option *options) {
  struct ck_buf how = {0};
  for (const struct cli_option *o = options; o && o->name; ++o) {
    ck_buf_clear(&how);
    cli_help_option(&how, o);
    ck_buf_text(b, ".TP\n.B ");
    add_line(b, "", ck_buf_cstr(&how));
    add_line(b, "", o->help);
  }
  ck_buf_free(&how);
}

static void add_filters(struct ck_buf *b) {
  for (int i = 0; i < CLI_KINDS; ++i) {
    ck_buf_printf(b, ".PP\nFilters of %s:\n.RS\n", cli_kinds[i].word);
    add_options(b, cli_kinds[i].filters);
    ck_buf_text(b, ".RE\n");
  }
}

static void add_command(struct ck_buf *b, const struct cli_command *command) {
  struct ck_buf usage = {0};
  cli_usage(&usage, command);
  ck_buf_printf(b, ".SS convkeep %s\n.B ", command->name);
  add_line(b, "convkeep ", ck_buf_cstr(&usage));
  add_help(b, command->help);
  add_options(b, command->options);
  if (command == &cli_list) add_filters(b);
  ck_buf_free(&usage);
}

static void add_commands(struct ck_buf *b) {
  for (int g = 0; g < CLI_GROUPS; ++g) {
    ck_buf_text(b, ".SH ");
    for (const char *p = cli_group_names[g]; *p; ++p)
      ck_buf_add(b, &(char){(char)toupper((unsigned char)*p)}, 1);
    ck_buf_text(b, "\n");
    for (const struct cli_command *const *p = cli_commands; *p; ++p)
      if ((int)(*p)->group == g) add_command(b, *p);
  }
}

/* ---- the pages ---- */

static void add_overview(struct ck_buf *b) {
  ck_buf_text(b,
              ".SH NAME\nconvkeep \\- keeps, shows and continues conversations with AI chats\n"
              ".SH SYNOPSIS\n.B convkeep\n"
              "[\\-\\-data DIR] [\\-\\-config FILE] [\\-\\-json] COMMAND \\&...\n"
              ".SH DESCRIPTION\n"
              "convkeep keeps AI chat conversations in a database and in readable files on this\n"
              "machine, mirrors them to another database, and sends follow\\-ups.\n");
  for (const struct cli_command *const *p = cli_commands; *p; ++p)
    add_item(b, (*p)->name, (*p)->brief);
}

static void add_rest(struct ck_buf *b) {
  ck_buf_text(b, ".SH OPTIONS OF EVERY COMMAND\n");
  add_options(b, cli_globals);
  ck_buf_text(b, ".SH EXIT STATUS\n");
  add_item(b, "0", "done");
  add_item(b, "1", "something failed; the error says what");
  add_item(b, "2", "the command line is wrong");
  add_item(b, "3", "nobody answers");
  ck_buf_text(b, ".SH ENVIRONMENT\n");
  add_item(b, "CONVKEEP_DATA", "the data folder, unless --data names one");
  add_item(b, "CONVKEEP_…", "each setting of convkeep.conf(5)");
  add_item(b, "NO_COLOR", "if it is set, nothing is coloured");
  add_item(b, "PAGER", "what shows long answers on a terminal; less -R if it is not set");
  ck_buf_text(b, ".SH SEE ALSO\n.BR convkeep.conf (5)\n");
}

static void add_settings(struct ck_buf *b, const struct ck_settings *settings) {
  struct ck_setting_view v;
  for (int i = 0; ck_settings_view(settings, i, &v); ++i) {
    struct ck_buf text = {0};
    ck_buf_text(&text, v.help);
    if (*v.value) ck_buf_printf(&text, " (default: %s)", v.value);
    ck_buf_text(b, ".TP\n.B ");
    add_line(b, "", v.name);
    add_line(b, "", ck_buf_cstr(&text));
    ck_buf_free(&text);
  }
}

static void add_conf(struct ck_buf *b, const struct ck_settings *settings) {
  ck_buf_text(
      b, ".SH NAME\nconvkeep.conf \\- settings of convkeep\n"
         ".SH DESCRIPTION\n"
         "The file is DIR/convkeep.conf, or what \\-\\-config names, in ZPL: a setting a line,\n"
         "its parts indented. The first \\(lqconvkeep up\\(rq writes it, with every setting in\n"
         "it, commented out. \\(lqconvkeep config\\(rq shows all of them.\n");
  add_help(b, cli_config.help);
  ck_buf_text(b, ".SH SETTINGS\n");
  add_settings(b, settings);
  ck_buf_text(b, ".SH SEE ALSO\n.BR convkeep (1)\n");
}

int cli_manual(struct cli *c, const char *page) {
  struct ck_buf b = {0};
  struct ck_err err;
  if (strcmp(page, "convkeep.1") == 0) {
    add_heading(&b, "CONVKEEP", 1);
    add_overview(&b);
    add_commands(&b);
    add_rest(&b);
  } else if (strcmp(page, "convkeep.conf.5") == 0) {
    struct ck_settings *settings = ck_settings_load(NULL, &err);
    if (!settings) return cli_fail(c, CLI_FAILED, NULL, "%s", err.text);
    add_heading(&b, "CONVKEEP.CONF", 5);
    add_conf(&b, settings);
    ck_settings_free(&settings);
  } else {
    return cli_usage_error(c, page, "no such page; those are convkeep.1 and convkeep.conf.5");
  }
  cli_print(&b);
  ck_buf_free(&b);
  return CLI_DONE;
}
