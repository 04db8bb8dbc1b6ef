/* convkeep search WORDS…: the messages and titles that have them (docs/search.md). */
#include "cli/reading/found.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "cli/client.h"
#include "cli/ids.h"
#include "cli/out.h"
#include "cli/pager.h"
#include "cli/resolve.h"
#include "cli/rows.h"
#include "cli/task.h"
#include "cli/reading/question.h"
#include "proto/json.h"

#define LIMIT_MAX 1000
#define WIDTH 100 /* where there is no terminal */
#define LOOK_MS 100

/* As typed. */
struct wish {
  const char *in, *platform, *role, *since, *until, *limit, *next;
  bool rank, no_pager;
};

/* What is asked, and what came. */
struct search {
  struct cli *c;
  struct ck_buf query;
  struct ck_search asked;
  json_t *conversation; /* --in */
  int64_t limit;
  json_t *hits;
  char *next; /* cursor; "": there are no more */
  uint64_t count, behind;
  bool more, cut, timed_out;
};

/* ---- asking ---- */

/* Asks for so many hits after s->next. */
static int ask(struct search *s, uint64_t limit) {
  struct ck_message request = {.kind = CK_MSG_SEARCH}, answer;
  zmq_msg_t frame;
  request.as.search = s->asked;
  request.as.search.limit = limit;
  request.as.search.cursor = ck_str_of(s->next);
  int rc = cli_ask(s->c, &request, &answer, &frame);
  if (rc != CLI_GO_ON) return rc;
  const struct ck_found *found = &answer.as.found;
  json_t *hits = answer.kind == CK_MSG_FOUND ? ck_json_of(found->hits) : NULL;
  bool good = json_is_array(hits);
  if (good) {
    json_array_extend(s->hits, hits);
    size_t shown = json_array_size(s->hits);
    s->more = found->more;
    s->count = s->more && found->count < shown ? shown : found->count;
    s->behind = found->behind;
    s->cut = found->cut;
    s->timed_out = found->timed_out;
    if (limit) free(s->next);
    if (limit) s->next = ck_str_dup(found->cursor);
  }
  json_decref(hits);
  zmq_msg_close(&frame);
  if (good) return CLI_GO_ON;
  return cli_fail(s->c, CLI_FAILED, cli_store_place(s->c),
                  "unexpected answer: are the store and this program the same version?");
}

/* A store that was started for this command has nothing else to do: what it is to find is put into
 * its index first. */
static int wait_for_index(struct search *s) {
  uint64_t most = 0;
  if (!s->c->client->ring) return CLI_GO_ON;
  for (;;) {
    int rc = ask(s, 0);
    if (rc != CLI_GO_ON || s->behind == 0) {
      cli_progress_clear();
      return rc;
    }
    if (s->behind > most) most = s->behind;
    cli_progress("indexing", most - s->behind, most);
    cli_ring_step(s->c->client->ring);
    poll(NULL, 0, LOOK_MS);
  }
}

static int ask_all(struct search *s) {
  int rc = wait_for_index(s);
  while (rc == CLI_GO_ON) {
    int64_t wanted = s->limit - (int64_t)json_array_size(s->hits);
    rc = ask(s, (uint64_t)(wanted < CK_SEARCH_MAX ? wanted : CK_SEARCH_MAX));
    bool enough = (int64_t)json_array_size(s->hits) >= s->limit;
    if (enough || !*s->next) break;
  }
  return rc == CLI_GO_ON ? cli_first_questions(s->c, s->hits) : rc;
}

/* ---- for people ---- */

/* "12 found", "more than 1,000 found, 20 shown" */
static void put_count(struct ck_buf *b, const struct search *s) {
  size_t shown = json_array_size(s->hits);
  if (shown == 0 && !*s->next && !s->more) {
    ck_buf_text(b, "nothing found\n");
    return;
  }
  ck_buf_text(b, s->more ? "\nmore than " : "\n");
  ck_buf_count(b, s->count);
  ck_buf_text(b, " found");
  if (shown < s->count || s->more) {
    ck_buf_text(b, ", ");
    ck_buf_count(b, shown);
    ck_buf_text(b, " shown");
  }
  ck_buf_text(b, "\n");
  if (*s->next) ck_buf_printf(b, "the next ones: the same with --next '%s'\n", s->next);
}

static void put_notes(struct ck_buf *b, const struct search *s) {
  if (s->cut) ck_buf_text(b, "only the beginning of so long a query counts\n");
  if (s->timed_out)
    ck_buf_text(
        b, "the search took too long and was cut short: newer or better ones may be missing\n");
  if (s->behind == 0) return;
  ck_buf_text(b, "the newest ");
  if (s->behind > 1) ck_buf_count(b, s->behind);
  ck_buf_text(b, ck_noun(s->behind, "change is", " changes are"));
  ck_buf_text(b, " not searched yet\n");
}

static void print_for_people(const struct search *s, bool no_pager) {
  struct cli_pager pager = {.terminal = -1};
  struct ck_buf out = {0};
  size_t width = cli_terminal_width();
  struct cli_found_style style = {
      .colour = cli_colour(), .whole_ids = width == 0, .width = width ? width : WIDTH};
  cli_found_text(&out, s->hits, &style);
  put_count(&out, s);
  put_notes(&out, s);
  if (!no_pager) cli_pager_begin(&pager);
  cli_print(&out);
  cli_pager_end(&pager);
  ck_buf_free(&out);
}

/* ---- JSON ---- */

/* The last object says how to go on. */
static void print_json(const struct search *s) {
  static const char *const names[] = {
      "message_id", "local_conversation_id", "title",   "first_question", "platform",
      "role",       "observed_at",           "snippet", "ranges"};
  size_t i, n = json_array_size(s->hits);
  const json_t *hit;
  json_array_foreach(s->hits, i, hit) {
    json_t *object = json_object();
    for (size_t k = 0; k < sizeof names / sizeof *names; ++k) {
      bool conversation = strncmp(names[k], "local_", 6) == 0;
      json_object_set(object, conversation ? names[k] + 6 : names[k],
                      json_object_get(hit, names[k]));
    }
    if (i + 1 == n && *s->next) json_object_set_new(object, "next", json_string(s->next));
    cli_json_line(object);
    json_decref(object);
  }
}

/* Said where it does not stand between the hits. */
static void warn(const struct search *s) {
  struct ck_buf notes = {0};
  put_notes(&notes, s);
  char *text = ck_strdup(ck_buf_cstr(&notes));
  for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
    cli_warn(s->c, NULL, "%s", line);
  free(text);
  ck_buf_free(&notes);
}

/* ---- the command ---- */

static bool says_words(int argc, char **argv) {
  for (int i = 1; i < argc; ++i)
    if (ck_trim(ck_str_of(argv[i])).n) return true;
  return false;
}

static int read_wish(struct cli *c, int *argc, char **argv, struct wish *w, struct search *s) {
  int rc = cli_options(c, argc, argv, w);
  if (rc == CLI_GO_ON) rc = cli_number(c, "--limit", w->limit, 1, LIMIT_MAX, &s->limit);
  if (rc == CLI_GO_ON) rc = cli_moment(c, "--since", w->since, &s->asked.since);
  if (rc == CLI_GO_ON) rc = cli_moment(c, "--until", w->until, &s->asked.until);
  bool any = says_words(*argc, argv) || w->in || w->platform || w->role || w->since || w->until;
  if (rc == CLI_GO_ON && !any)
    return cli_usage_error(c, NULL, "nothing to look for; convkeep search WORDS…");
  return rc;
}

static void join_words(struct ck_buf *query, int argc, char **argv) {
  for (int i = 1; i < argc; ++i) {
    if (i > 1) ck_buf_text(query, " ");
    ck_buf_text(query, argv[i]);
  }
}

/* Arguments are bytes; the store takes text. */
static int check_text(const struct cli *c, const char *option, struct ck_str text) {
  return ck_utf8_ok(text) ? CLI_GO_ON : cli_usage_error(c, option, "it is not UTF-8");
}

static int fill(struct search *s, const struct wish *w, int argc, char **argv) {
  join_words(&s->query, argc, argv);
  s->asked.query = ck_buf_view(&s->query);
  s->asked.platform = ck_str_of(w->platform);
  s->asked.role = ck_str_of(w->role);
  s->asked.rank = w->rank;
  s->next = ck_strdup(w->next ? w->next : "");
  int rc = check_text(s->c, "WORDS", s->asked.query);
  if (rc == CLI_GO_ON) rc = check_text(s->c, "--platform", s->asked.platform);
  if (rc == CLI_GO_ON) rc = check_text(s->c, "--role", s->asked.role);
  if (rc == CLI_GO_ON) rc = check_text(s->c, "--next", ck_str_of(s->next));
  return rc;
}

static int search(struct search *s, const struct wish *w) {
  int rc = cli_connect(s->c, false, CLI_PART(CLI_STORE));
  if (rc == CLI_GO_ON && w->in) rc = cli_resolve(s->c, w->in, "conversation", &s->conversation);
  s->asked.conversation = ck_str_of(cli_member(s->conversation, "local_conversation_id"));
  if (rc == CLI_GO_ON) rc = ask_all(s);
  if (rc != CLI_GO_ON) return rc;
  if (s->c->json) {
    print_json(s);
    warn(s);
  } else {
    print_for_people(s, w->no_pager);
  }
  return CLI_DONE;
}

static int run(struct cli *c, int argc, char **argv) {
  struct wish w = {0};
  struct search s = {.c = c, .limit = 20, .hits = json_array()};
  int rc = read_wish(c, &argc, argv, &w, &s);
  if (rc == CLI_GO_ON) rc = fill(&s, &w, argc, argv);
  if (rc == CLI_GO_ON) rc = search(&s, &w);
  json_decref(s.hits);
  json_decref(s.conversation);
  ck_buf_free(&s.query);
  free(s.next);
  return rc;
}

static const struct cli_argument arguments[] = {
    CLI_ARGUMENT("WORDS", CLI_WORDS, CLI_MANY | CLI_OPTIONAL | CLI_MINUS), {0}};
static const struct cli_option options[] = {
    CLI_VALUE("in", CLI_CONVERSATION, "CONVERSATION", struct wish, in, "only in this one"),
    CLI_VALUE("platform", CLI_PLATFORM, "NAME", struct wish, platform, "only of this platform"),
    CLI_VALUE("role", CLI_TEXT, "NAME", struct wish, role,
              "only of this role: user, assistant, system, tool"),
    CLI_VALUE("since", CLI_TIME, "TIME", struct wish, since, "of that time or later"),
    CLI_VALUE("until", CLI_TIME, "TIME", struct wish, until, "of before that time"),
    CLI_VALUE("limit", CLI_NUMBER, "N", struct wish, limit, "at most so many; 20, at most 1000"),
    CLI_FLAG("rank", struct wish, rank, "the best first; otherwise the newest"),
    CLI_VALUE("next", CLI_TEXT, "CURSOR", struct wish, next,
              "those after the ones that an earlier answer has shown, which names the CURSOR"),
    CLI_FLAG("no-pager", struct wish, no_pager, "straight to the terminal"),
    {0}};

const struct cli_command cli_search = {
    "search",
    CLI_TO_READ,
    "find messages and conversations by their words",
    arguments,
    options,
    "Finds messages that have all the words, and titles; the newest first, those of a "
    "conversation\n"
    "together. What tools were told and answered is left out unless it is asked for.\n\n"
    "  word  \"some words\"  word*  -word     with it, in this order, beginning so, without it\n"
    "  title:word  tool:word  is:title  is:tool\n"
    "  platform:NAME  role:NAME  in:CONVERSATION  after:TIME  before:TIME\n\n"
    "The shell takes quotation marks away: convkeep search '\"disk full\" -backup'\n\n"
    "CONVERSATION: " CLI_HELP_CONVERSATION "\n"
    "TIME: " CLI_HELP_TIME "\n\n"
    "Nothing found is no failure: the exit code is 0. With --json each line is a hit; ranges are\n"
    "the found words in characters of the snippet, and the last one has `next` if there are more.",
    run,
    NULL};
