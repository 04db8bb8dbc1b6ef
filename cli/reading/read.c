/* convkeep read CONVERSATION: all of it, in reading order. */
#include "cli/reading/reading.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include "cli/reading/kept.h"
#include "cli/reading/message.h"
#include "cli/out.h"
#include "cli/pager.h"
#include "cli/resolve.h"
#include "cli/rows.h"
#include "cli/reading/question.h"

#define WIDTH 100 /* of a folded line where there is no terminal */

struct choice {
  bool full, no_pager, reverse;
  const char *branch_text, *last_text; /* as given */
  size_t branch;                       /* 0: all */
  size_t last;                         /* only so many messages; 0: all */
};

enum printed { NOTHING, FOLDED, BRANCH, WHOLE };

/* What is being printed. */
struct view {
  struct cli *c;
  const struct cli_reading *r;
  const struct choice *choice;
  struct render_style style;
  struct ck_buf out;
  struct ck_leaving leaving;    /* empty: all branches are read */
  size_t hidden;                /* messages that were not shown, since the last that was */
  enum printed above;           /* what was printed last */
  struct render *render;        /* knows which results were shown with their calls */
  const struct ck_step *before; /* the last one that was taken */
  json_t *kept;                 /* which files of its attachments are here (kept.h) */
  int rc;                       /* of asking for these */
};

/* ---- which messages ---- */

static size_t choose(const struct cli_reading *r, const struct choice *choice, size_t **chosen) {
  if (choice->branch == 0) return cli_reading_all(r, choice->reverse, chosen);
  size_t n = ck_reading_along(r->order, choice->branch, chosen);
  if (choice->last && choice->last < n) {
    memmove(*chosen, *chosen + n - choice->last, choice->last * sizeof **chosen);
    n = choice->last;
  }
  if (choice->reverse) cli_reading_turn(*chosen, n);
  return n;
}

/* ---- for people ---- */

/* An empty line, unless one folded thing follows another, or one branch that leaves the next. */
static void gap(struct view *v, enum printed next) {
  if (v->above != NOTHING && (v->above != next || next == WHOLE)) ck_buf_text(&v->out, "\n");
  v->above = next;
}

static void line(struct view *v, enum printed kind, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static void line(struct view *v, enum printed kind, const char *fmt, ...) {
  char *text;
  va_list args;
  va_start(args, fmt);
  int n = vasprintf(&text, fmt, args);
  va_end(args);
  if (n < 0) return;
  gap(v, kind);
  render_text_line(&v->out, &v->style, ck_str_of(text));
  free(text);
}

static void put_hidden(struct view *v) {
  if (v->hidden)
    line(v, FOLDED, "%zu hidden %s; --full shows %s", v->hidden,
         ck_noun(v->hidden, "message", "messages"), ck_noun(v->hidden, "it", "them"));
  v->hidden = 0;
}

static void put_branch(struct view *v, size_t n) {
  if (n == 1) return;
  render_branch(v->render, n, v->r->branch_count, v->r->branches[n - 1].after);
  v->above = WHOLE;
}

/* Where messages of another conversation begin, or of this one again. */
static void put_conversation(struct view *v, const struct ck_step *step) {
  struct ck_buf text = {0};
  if (cli_reading_say_conversation(&text, v->r, v->before, step))
    line(v, FOLDED, "%s", ck_buf_cstr(&text));
  ck_buf_free(&text);
}

/* The branches that go on after the step with this index, other than the one that is read. */
static void put_leaving(struct view *v, size_t step) {
  bool beginning = step == v->r->count;
  for (size_t n = v->leaving.first ? v->leaving.first[step] : 0; n; n = v->leaving.next[n - 1]) {
    const struct ck_branch *b = &v->r->branches[n - 1];
    bool own = !beginning && v->r->steps[step].branch == n;
    size_t count = own ? b->first + b->count - 1 - step : b->count;
    put_hidden(v);
    line(v, BRANCH, "branch %zu of %zu %s: %zu %s; --branch %zu", n, v->r->branch_count,
         beginning ? "has another beginning" : "goes on here", count,
         ck_noun(count, "message", "messages"), n);
  }
}

static void put_missing(struct view *v, const struct ck_branch *b) {
  struct ck_buf text = {0};
  if (cli_reading_say_missing(&text, b)) line(v, FOLDED, "%s", ck_buf_cstr(&text));
  ck_buf_free(&text);
}

static bool print(struct view *v) {
  if (v->out.len) cli_print(&v->out);
  return !ferror(stdout);
}

static void put_message(struct view *v, const struct render_message *m) {
  bool folded = !v->style.full && render_is_aside(m);
  if (render_is_repeated(v->render, m) && !v->style.full) return;
  json_decref(v->kept);
  v->rc = cli_kept_of(v->c, m->attachments, &v->kept);
  if (v->rc != CLI_GO_ON) return;
  gap(v, folded ? FOLDED : WHOLE);
  render_text_message(&v->out, m, &v->style);
}

static bool take(void *self, const struct ck_step *step, json_t *message) {
  struct view *v = self;
  struct cli_message of;
  cli_message_of(&of, message, step);
  const struct ck_branch *b = &v->r->branches[step->branch - 1];
  bool first = step == &v->r->steps[b->first];
  bool begins = !v->before || v->before->branch != step->branch;
  bool hidden = !v->choice->full && of.m.hidden;
  if (!hidden || begins || (v->before && v->before->conversation != step->conversation))
    put_hidden(v);
  if (begins && v->choice->branch == 0) put_branch(v, step->branch);
  put_conversation(v, step);
  if (first && !v->choice->reverse) put_missing(v, b);
  if (hidden)
    v->hidden++;
  else
    put_message(v, &of.m);
  put_leaving(v, (size_t)(step - v->r->steps));
  if (first && v->choice->reverse) put_missing(v, b);
  v->before = step;
  cli_message_free(&of);
  return print(v) && v->rc == CLI_GO_ON;
}

static void begin_view(struct view *v) {
  size_t *way, width = cli_terminal_width();
  v->style = (struct render_style){.terminal = true,
                                   .full = v->choice->full,
                                   .colour = cli_colour(),
                                   .width = width ? width : WIDTH,
                                   .has_tree = v->r->has_tree,
                                   .attached = cli_is_kept,
                                   .attached_self = &v->kept};
  v->render = render_new(RENDER_TEXT, &v->out, &v->style);
  if (v->choice->branch == 0 || v->r->count == 0) return;
  size_t n = ck_reading_along(v->r->order, v->choice->branch, &way);
  ck_leaving_find(&v->leaving, v->r->order, way, n);
  free(way);
}

static void end_view(struct view *v) {
  put_hidden(v);
  print(v);
  ck_buf_free(&v->out);
  render_free(&v->render);
  ck_leaving_free(&v->leaving);
  json_decref(v->kept);
}

static int print_for_people(struct view *v, const json_t *conversation, const size_t *chosen,
                            size_t count) {
  struct cli_pager pager = {.terminal = -1};
  begin_view(v);
  if (!v->choice->no_pager) cli_pager_begin(&pager);
  cli_conversation_begin(v->render, conversation, v->r, v->r->count);
  v->above = WHOLE;
  if (!v->choice->last && !v->choice->reverse) put_leaving(v, v->r->count);
  int rc = print(v) ? cli_reading_walk(v->c, v->r, chosen, count, take, v) : CLI_GO_ON;
  if (rc == CLI_GO_ON) rc = v->rc;
  if (!v->choice->last && v->choice->reverse) put_leaving(v, v->r->count);
  end_view(v);
  cli_pager_end(&pager);
  return rc;
}

/* ---- JSON ---- */

static bool take_json(void *self, const struct ck_step *step, json_t *message) {
  const struct view *v = self;
  json_t *object = cli_message_json(step, v->r->branch_count, message);
  cli_json_line(object);
  json_decref(object);
  return !ferror(stdout);
}

/* ---- the command ---- */

/* Without --branch, people read the current one; --json has them all, as each says its own. */
static int read_choice(struct cli *c, int *argc, char **argv, struct choice *choice) {
  int64_t n = 0;
  int rc = cli_options(c, argc, argv, choice);
  choice->branch = c->json && !choice->last_text ? 0 : 1;
  if (rc == CLI_GO_ON) rc = cli_number(c, "--last", choice->last_text, 1, INT32_MAX, &n);
  if (rc == CLI_GO_ON) rc = cli_reading_branch(c, choice->branch_text, &choice->branch);
  if (rc == CLI_GO_ON && n && choice->branch == 0)
    return cli_usage_error(c, "--last", "it goes with one branch, not with --branch all");
  choice->last = (size_t)n;
  return rc;
}

static int read_conversation(struct cli *c, const json_t *conversation, struct choice *choice) {
  struct cli_reading r;
  size_t *chosen = NULL;
  int rc = cli_reading_load(c, conversation, &r);
  if (rc != CLI_GO_ON) return rc;
  struct view v = {.c = c, .r = &r, .choice = choice, .rc = CLI_GO_ON};
  rc = cli_reading_has_branch(c, conversation, &r, choice->branch);
  if (rc == CLI_GO_ON) {
    size_t n = r.count ? choose(&r, choice, &chosen) : 0;
    rc = c->json ? cli_reading_walk(c, &r, chosen, n, take_json, &v)
                 : print_for_people(&v, conversation, chosen, n);
  }
  free(chosen);
  cli_reading_free(&r);
  return rc;
}

static int run(struct cli *c, int argc, char **argv) {
  struct choice choice = {0};
  json_t *conversation = NULL;
  int rc = read_choice(c, &argc, argv, &choice);
  if (rc == CLI_GO_ON) rc = cli_connect(c, false, CLI_PART(CLI_STORE));
  if (rc == CLI_GO_ON) rc = cli_resolve(c, argv[1], "conversation", &conversation);
  if (rc == CLI_GO_ON) rc = cli_first_question(c, conversation);
  if (rc == CLI_GO_ON) rc = read_conversation(c, conversation, &choice);
  json_decref(conversation);
  return rc == CLI_GO_ON ? CLI_DONE : rc;
}

static const struct cli_argument arguments[] = {CLI_ARGUMENT("CONVERSATION", CLI_CONVERSATION, 0),
                                                {0}};
static const struct cli_option options[] = {
    CLI_FLAG("full", struct choice, full,
             "thinking, tools and hidden messages whole; otherwise a line each"),
    CLI_VALUE("branch", CLI_NUMBER, "N|all", struct choice, branch_text,
              "along branch N, instead of the current one, which is 1; all: the current branch, "
              "then the others"),
    CLI_VALUE("last", CLI_NUMBER, "N", struct choice, last_text,
              "only the last N messages of the branch"),
    CLI_FLAG("reverse", struct choice, reverse, "the last message first"),
    CLI_FLAG("no-pager", struct choice, no_pager, "straight to the terminal"),
    {0}};

const struct cli_command cli_read = {
    "read",
    CLI_TO_READ,
    "read a conversation from its beginning to its end",
    arguments,
    options,
    "CONVERSATION: " CLI_HELP_CONVERSATION "\n"
    "On a terminal the answer goes through $PAGER, or less -R.\n\n"
    "With --json each line is a message, whole, with its branch, details and executions; all\n"
    "branches, unless --branch or --last chooses one.",
    run,
    NULL};
