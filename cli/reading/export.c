/* convkeep export CONVERSATION…|--all: conversations as Markdown, HTML, text or JSON. */
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>
#include "cli/out.h"
#include "cli/reading/export_document.h"
#include "cli/reading/reading.h"
#include "cli/resolve.h"
#include "cli/rows.h"
#include "cli/task.h"
#include "cli/reading/question.h"

#define PAGE 1000

struct export {
  struct cli *c;
  struct export_choice choice;
  enum export_place place;
  bool all, force, md, html, txt;
  const char *since, *until, *path, *branch;
  json_t *ids; /* of the conversations, in the order in which they are written */
  struct export_out *out;
  size_t done; /* conversations */
  bool begun;  /* something is written */
};

static volatile sig_atomic_t interrupted;

static void on_signal(int number) {
  (void)number;
  interrupted = 1;
}

/* ---- which conversations ---- */

static void keep_id(struct export *e, const json_t *row) {
  json_t *id = json_object_get(row, "local_conversation_id");
  size_t i;
  const json_t *have;
  if (!e->all) json_array_foreach(e->ids, i, have) if (json_equal(have, id)) return;
  json_array_append(e->ids, id);
}

static int find_named(struct export *e, int argc, char **argv) {
  int rc = CLI_GO_ON;
  for (int i = 1; i < argc && rc == CLI_GO_ON; ++i) {
    json_t *row;
    rc = cli_resolve(e->c, argv[i], "conversation", &row);
    if (rc != CLI_GO_ON) break;
    keep_id(e, row);
    json_decref(row);
  }
  return rc;
}

static int read_time(struct export *e, const char *option, const char *text,
                     struct cli_filter filters[2], size_t *count) {
  if (!text) return CLI_GO_ON;
  struct cli_filter *filter = &filters[(*count)++];
  *filter = (struct cli_filter){option + 2, NULL, 0};
  return cli_moment(e->c, option, text, &filter->number);
}

/* The oldest first. */
static int find_all(struct export *e, const struct cli_filter *filters, size_t count) {
  const struct cli_query query = {"local_conversations", filters, count, PAGE, 0};
  char *next = NULL;
  int rc;
  do {
    json_t *rows, *row;
    size_t i;
    rc = cli_query_next(e->c, &query, &next, &rows);
    if (rc != CLI_GO_ON) break;
    json_array_foreach(rows, i, row) keep_id(e, row);
    json_decref(rows);
  } while (next);
  free(next);
  if (rc != CLI_GO_ON) return rc;
  json_t *turned = json_array();
  for (size_t i = json_array_size(e->ids); i-- > 0;)
    json_array_append(turned, json_array_get(e->ids, i));
  json_decref(e->ids);
  e->ids = turned;
  return CLI_GO_ON;
}

/* ---- writing ---- */

static int lost(struct export *e, const struct ck_err *err) {
  cli_progress_clear();
  return cli_fail(e->c, CLI_FAILED, e->place == EXPORT_STDOUT ? "standard output" : e->path, "%s",
                  err->text);
}

static bool is_one_file(const struct export *e) {
  return e->place == EXPORT_STDOUT || e->place == EXPORT_FILE;
}

static int put(struct export *e, const char *text, struct ck_err *err) {
  if (!e->choice.json) return CLI_GO_ON;
  return export_out_write(e->out, ck_str_of(text), err) ? CLI_FAILED : CLI_GO_ON;
}

/* What stands before a conversation in JSON. */
static int begin_json(struct export *e, struct ck_err *err) {
  const char *text = is_one_file(e) && e->begun ? RENDER_JSON_BETWEEN : RENDER_JSON_BEGIN;
  e->begun = true;
  return put(e, text, err);
}

static int begin_document(struct export *e, const json_t *conversation, struct ck_err *err) {
  struct ck_row row;
  struct render_conversation of;
  struct ck_buf name = {0};
  cli_row_of(&row, CK_CONVERSATIONS, conversation);
  render_conversation_of(&of, &row, NULL);
  of.question = ck_str_of(cli_member(conversation, "first_question"));
  render_file_name(&name, &of);
  int rc =
      export_out_begin(e->out, ck_buf_cstr(&name),
                       e->choice.json ? "json" : render_ending(e->choice.form), of.newest_at, err);
  render_conversation_free(&of);
  ck_buf_free(&name);
  return rc ? CLI_FAILED : begin_json(e, err);
}

static int end_document(struct export *e, struct ck_err *err) {
  if (!is_one_file(e) && put(e, RENDER_JSON_END, err) != CLI_GO_ON) return CLI_FAILED;
  return export_out_end(e->out, err) ? CLI_FAILED : CLI_GO_ON;
}

/* err->text stays empty if what is wrong was reported. */
static int write_one(struct export *e, const json_t *conversation, struct ck_err *err) {
  int rc = begin_document(e, conversation, err);
  if (rc == CLI_GO_ON)
    rc = e->choice.json ? export_json(e->c, conversation, &e->choice, e->out, err)
                        : export_document(e->c, conversation, &e->choice, e->out, err);
  if (rc == CLI_GO_ON) rc = end_document(e, err);
  return rc;
}

/* All of JSON has also what belongs to no conversation. */
static int write_loose(struct export *e, struct ck_err *err) {
  bool some = false;
  int rc = CLI_GO_ON;
  if (!e->choice.json || !e->all || e->since || e->until) return rc;
  rc = export_has_loose(e->c, &some);
  if (rc != CLI_GO_ON || !some) return rc;
  if (export_out_begin(e->out, "messages without a conversation", "json", 0, err))
    return CLI_FAILED;
  rc = begin_json(e, err);
  if (rc == CLI_GO_ON) rc = export_loose(e->c, e->out, err);
  return rc == CLI_GO_ON ? end_document(e, err) : rc;
}

static int stopped(const struct export *e, struct ck_err *err) {
  ck_fail(err, e->place == EXPORT_STDOUT ? "interrupted; what was written is not all"
                                         : "interrupted; nothing was exported");
  return CLI_FAILED;
}

/* Those that are gone by now are left out. */
static int write_all(struct export *e) {
  struct ck_err err = {.text = ""};
  int rc = CLI_GO_ON;
  size_t i, n = json_array_size(e->ids);
  const json_t *id;
  json_array_foreach(e->ids, i, id) {
    json_t *row;
    if (e->place != EXPORT_STDOUT && n > 1) cli_progress("export", i, n);
    if (interrupted) rc = stopped(e, &err);
    if (rc == CLI_GO_ON)
      rc = cli_query_one(e->c, "local_conversations", "local_conversation_id",
                         json_string_value(id), &row);
    if (rc != CLI_GO_ON) break;
    if (row && !e->choice.json) rc = cli_first_question(e->c, row);
    if (row && rc == CLI_GO_ON) rc = write_one(e, row, &err);
    e->done += row != NULL;
    json_decref(row);
    if (rc != CLI_GO_ON) break;
  }
  if (rc == CLI_GO_ON) rc = write_loose(e, &err);
  if (rc == CLI_GO_ON && !e->begun && is_one_file(e)) rc = begin_json(e, &err);
  if (rc == CLI_GO_ON && is_one_file(e)) rc = put(e, RENDER_JSON_END, &err);
  if (rc == CLI_GO_ON && export_out_finish(e->out, &err)) rc = CLI_FAILED;
  cli_progress_clear();
  return rc != CLI_GO_ON && err.text[0] ? lost(e, &err) : rc;
}

static void say_done(const struct export *e) {
  struct ck_buf line = {0};
  if (e->place == EXPORT_STDOUT) return;
  cli_safe_text(&line, ck_str_of(e->path), false);
  ck_buf_text(&line, ": ");
  ck_buf_count(&line, e->done);
  ck_buf_text(&line, ck_noun(e->done, " conversation\n", " conversations\n"));
  cli_print(&line);
  ck_buf_free(&line);
}

static int run_export(struct export *e) {
  struct ck_err err;
  signal(SIGINT, on_signal);
  signal(SIGTERM, on_signal);
  e->out = export_out_new(e->place, e->c->cwd, e->path, e->force, &err);
  if (!e->out) return lost(e, &err);
  int rc = write_all(e);
  export_out_free(&e->out);
  if (rc == CLI_GO_ON) say_done(e);
  return rc == CLI_GO_ON ? CLI_DONE : rc;
}

/* ---- the words ---- */

/* A name that ends as one of the forms does, so that nobody expects a folder. */
static bool is_file_name(struct ck_str path) {
  static const char *const endings[] = {".md", ".html", ".txt", ".json"};
  for (size_t i = 0; i < sizeof endings / sizeof *endings; ++i)
    if (ck_str_ends(path, endings[i])) return true;
  return false;
}

static int choose_place(struct export *e) {
  struct ck_str path = ck_str_of(e->path);
  bool several = e->all || json_array_size(e->ids) > 1;
  e->choice.terminal = !e->path && isatty(STDOUT_FILENO);
  if (!e->path && several && !e->choice.json)
    return cli_usage_error(e->c, NULL, "several conversations need -o FOLDER or -o FILE.zip");
  e->place = !e->path                                                     ? EXPORT_STDOUT
             : ck_str_ends(path, ".zip")                                  ? EXPORT_ZIP
             : ck_str_ends(path, "/")                                     ? EXPORT_FOLDER
             : !several || (e->choice.json && ck_str_ends(path, ".json")) ? EXPORT_FILE
                                                                          : EXPORT_FOLDER;
  if (e->place == EXPORT_FOLDER && is_file_name(path))
    return cli_usage_error(e->c, "-o",
                           "several conversations make several files: name a FOLDER/ or FILE.zip");
  return CLI_GO_ON;
}

/* One form, as it is said, or as the file's name ends. */
static int choose_form(struct export *e) {
  const bool said[] = {[RENDER_TEXT] = e->txt, [RENDER_MD] = e->md, [RENDER_HTML] = e->html};
  const struct ck_str path = ck_str_of(e->path);
  int n = e->c->json;
  for (int f = 0; f < 3; ++f) n += said[f];
  if (n > 1) return cli_usage_error(e->c, NULL, "only one of --md, --html, --txt and --json");
  e->choice.json = e->c->json || (!n && ck_str_ends(path, ".json"));
  for (int f = 0; f < 3; ++f) {
    char *end = ck_sprintf(".%s", render_ending((enum render_form)f));
    if (said[f] || (!n && ck_str_ends(path, end))) e->choice.form = (enum render_form)f, n = -1;
    free(end);
  }
  if (n == 0 && !e->choice.json)
    return cli_usage_error(e->c, NULL, "say --md, --html, --txt or --json");
  return CLI_GO_ON;
}

static int choose(struct export *e, int argc, struct cli_filter filters[2], size_t *count) {
  int rc = choose_form(e);
  e->choice.branch = e->choice.json ? 0 : 1;
  if (rc == CLI_GO_ON) rc = cli_reading_branch(e->c, e->branch, &e->choice.branch);
  if (rc == CLI_GO_ON) rc = read_time(e, "--since", e->since, filters, count);
  if (rc == CLI_GO_ON) rc = read_time(e, "--until", e->until, filters, count);
  e->all |= *count > 0 && argc < 2;
  if (rc == CLI_GO_ON && (e->all ? argc > 1 : argc < 2))
    rc = cli_usage_error(e->c, NULL, "name conversations, or --all");
  if (rc == CLI_GO_ON && *count && !e->all)
    rc = cli_usage_error(e->c, e->since ? "--since" : "--until", "goes with --all");
  return rc;
}

static int run(struct cli *c, int argc, char **argv) {
  struct export e = {.c = c, .ids = json_array()};
  struct cli_filter filters[2];
  size_t count = 0;
  int rc = cli_options(c, &argc, argv, &e);
  if (e.path && strcmp(e.path, "-") == 0) e.path = NULL;
  if (rc == CLI_GO_ON) rc = choose(&e, argc, filters, &count);
  if (rc == CLI_GO_ON) rc = cli_connect(c, false, CLI_PART(CLI_STORE));
  if (rc == CLI_GO_ON) rc = e.all ? find_all(&e, filters, count) : find_named(&e, argc, argv);
  if (rc == CLI_GO_ON) rc = choose_place(&e);
  if (rc == CLI_GO_ON) rc = run_export(&e);
  json_decref(e.ids);
  return rc;
}

static const struct cli_argument arguments[] = {
    CLI_ARGUMENT("CONVERSATION", CLI_CONVERSATION, CLI_OPTIONAL | CLI_MANY), {0}};
static const struct cli_option options[] = {
    CLI_FLAG("md", struct export, md, "Markdown with front matter, as Obsidian knows it"),
    CLI_FLAG("html", struct export, html, "one page that needs nothing else, and asks for nothing"),
    CLI_FLAG("txt", struct export, txt, "plain text"),
    CLI_FLAG("all", struct export, all, "every conversation"),
    CLI_VALUE("since", CLI_TIME, "TIME", struct export, since,
              "of all, those whose last message is of that time, or later"),
    CLI_VALUE("until", CLI_TIME, "TIME", struct export, until, "of all, those before that time"),
    CLI_VALUE("branch", CLI_NUMBER, "N|all", struct export, branch,
              "along branch N, instead of the current one, which is 1; all: the current branch, "
              "then the others. JSON has all unless told otherwise"),
    {"output", CLI_FILE, "FILE", offsetof(struct export, path),
     "into a file, a folder (FOLDER/) with a file for each, named by day and title, or a zip "
     "(FILE.zip) of them; -: to standard output",
     'o', 0},
    CLI_FLAG("force", struct export, force, "replaces a FILE that exists"),
    {0}};

const struct cli_command cli_export = {
    "export",
    CLI_TO_READ,
    "write conversations as Markdown, HTML, text or JSON",
    arguments,
    options,
    "Nothing is cut: thinking, tools and their results are there, folded where the form can fold.\n"
    "CONVERSATION: " CLI_HELP_CONVERSATION "\n\n"
    "The form is --md, --html, --txt or --json, or what the ending of FILE says. --json has all\n"
    "columns of all rows, and `convkeep import` takes it again. Without -o one conversation goes\n"
    "to standard output, and JSON of several. Several in another form are several files, so they\n"
    "need a FOLDER/ or FILE.zip. What -o names is there only once all of it is written.",
    run,
    NULL};
