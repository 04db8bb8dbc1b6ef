/* convkeep pause and convkeep resume: pauses of everything, a platform, an account, a conversation
 * or a job.
 *
 * A conversation has a status of its own, `paused`. Every other pause, and one of a conversation
 * that has an end, is a state that the store keeps (pauses.h). */
#include "cli/pauses.h"

#include <stdlib.h>
#include <string.h>
#include "cli/accounts.h"
#include "cli/ids.h"
#include "cli/out.h"
#include "cli/resolve.h"
#include "cli/rows.h"
#include "cli/stays.h"
#include "cli/turn_status.h"
#include "proto/clock.h"
#include "proto/moment.h"

struct wish {
  struct cli *c;
  const char *until_text, *for_text, *platform, *account, *to;
  bool all;
  int64_t until; /* 0: without an end */
};

/* What is meant. */
struct meant {
  const char *kind;
  char *name;           /* on the heap */
  json_t *conversation; /* if it is one */
};

static void meant_free(struct meant *m) {
  free(m->name);
  json_decref(m->conversation);
}

static void mean(struct meant *m, const char *kind, const char *name) {
  free(m->name);
  m->kind = kind;
  m->name = ck_strdup(name);
}

/* ---- the word ---- */

static int is_platform(struct cli *c, const char *word, bool *yes) {
  json_t *row;
  int rc = cli_query_one(c, "local_conversations", "platform", word, &row);
  *yes = row != NULL;
  json_decref(row);
  return rc;
}

static int find_job(struct cli *c, const char *word, struct meant *m) {
  char *id = NULL;
  json_t *job = NULL;
  int rc = cli_id_of(c, CK_JOBS, word, &id);
  if (rc == CLI_GO_ON) rc = cli_query_one(c, "renewal_jobs", "job_id", id, &job);
  if (rc == CLI_GO_ON && job) mean(m, "job", id);
  json_decref(job);
  free(id);
  return rc;
}

/* An account's name is known once it has had a limit, or while it is paused. */
static int find_account(struct cli *c, const char *word, struct meant *m) {
  json_t *limit, *pauses, *one;
  size_t i;
  int rc = cli_query_one(c, "limits", "account", word, &limit);
  if (limit) mean(m, "account", word);
  json_decref(limit);
  if (rc != CLI_GO_ON || m->kind) return rc;
  rc = cli_query_all(c, "pauses", &(struct cli_filter){"kind", "account", 0}, 1, &pauses);
  json_array_foreach(rc == CLI_GO_ON ? pauses : NULL, i, one) {
    if (!m->kind && strcmp(cli_member(one, "name"), word) == 0) mean(m, "account", word);
  }
  json_decref(pauses);
  return rc;
}

/* The word may be a conversation's id, a job's id or the beginning of one, a platform, an account,
 * or another name of a conversation; it is tried in this order. */
static int find_word(struct cli *c, const char *word, struct meant *m) {
  bool platform = false;
  int rc = cli_query_one(c, "local_conversations", "local_conversation_id", word, &m->conversation);
  if (rc == CLI_GO_ON && !m->conversation) rc = find_job(c, word, m);
  if (rc != CLI_GO_ON || m->kind) return rc;
  if (!m->conversation) rc = is_platform(c, word, &platform);
  if (rc == CLI_GO_ON && platform) mean(m, "platform", word);
  if (rc == CLI_GO_ON && !platform && !m->conversation) rc = find_account(c, word, m);
  if (rc == CLI_GO_ON && !m->kind && !m->conversation)
    rc = cli_resolve(c, word, "platform, account, conversation or job", &m->conversation);
  if (rc == CLI_GO_ON && m->conversation)
    mean(m, "conversation", cli_member(m->conversation, "local_conversation_id"));
  return rc;
}

static int find(const struct wish *w, const char *word, struct meant *m) {
  if (w->platform)
    mean(m, "platform", w->platform);
  else if (w->account)
    mean(m, "account", w->account);
  else if (!word)
    mean(m, "everything", "");
  else
    return find_word(w->c, word, m);
  return CLI_GO_ON;
}

/* ---- doing it ---- */

/* "everything", "the platform x", then `what`. */
static void say(const struct meant *m, const char *what, int64_t until) {
  struct ck_buf b = {0};
  json_t *row = json_pack("{s:s, s:s}", "kind", m->kind, "name", m->name);
  if (until) json_object_set_new(row, "until", json_integer(until));
  cli_pause_text(&b, row);
  printf("%s: %s\n", what, ck_buf_cstr(&b));
  json_decref(row);
  ck_buf_free(&b);
}

static void say_json(const struct meant *m, bool paused, int64_t until) {
  json_t *row = json_pack("{s:s, s:s, s:b, s:o}", "kind", m->kind, "name", m->name, "paused",
                          paused, "until", until ? json_integer(until) : json_null());
  cli_json_line(row);
  json_decref(row);
}

static int begin(const struct wish *w, const struct meant *m) {
  if (m->conversation && !w->until) return cli_status_turn_one(w->c, m->conversation, "paused");
  int rc = cli_pause_begin(w->c, m->kind, m->name, w->until);
  if (rc != CLI_GO_ON) return rc;
  if (w->c->json)
    say_json(m, true, w->until);
  else
    say(m, "paused", w->until);
  return CLI_DONE;
}

/* Every pause there is, and every conversation on `paused`. */
static int end_all(const struct wish *w) {
  json_t *rows, *row;
  size_t i;
  int rc = cli_query_all(w->c, "pauses", NULL, 0, &rows);
  json_array_foreach(rows, i, row) {
    struct meant m = {NULL, NULL, NULL};
    bool was;
    if (rc != CLI_GO_ON) break;
    rc = cli_pause_end(w->c, cli_member(row, "kind"), cli_member(row, "name"), &was);
    mean(&m, cli_member(row, "kind"), cli_member(row, "name"));
    if (rc == CLI_GO_ON && w->c->json) say_json(&m, false, 0);
    if (rc == CLI_GO_ON && !w->c->json) say(&m, "resumed", 0);
    meant_free(&m);
  }
  json_decref(rows);
  return rc == CLI_GO_ON ? cli_status_turn_many(w->c, "paused", w->to) : rc;
}

/* Those that stay paused are told: a pause that was made by itself is ended by itself. */
static int tell_others(struct cli *c) {
  json_t *rows, *row;
  const struct cli_query query = {
      "local_conversations", &(struct cli_filter){"automation_status", "paused", 0}, 1, 1000, 0};
  struct ck_buf b = {0};
  size_t i;
  int rc = cli_pauses(c, &rows);
  json_array_foreach(rows, i, row) {
    if (b.len) ck_buf_text(&b, ", ");
    if (i == 10) ck_buf_text(&b, "…");
    if (i < 10) cli_pause_text(&b, row);
    if (i == 10) break;
  }
  json_decref(rows);
  if (rc == CLI_GO_ON) rc = cli_query(c, &query, &rows);
  if (rc == CLI_GO_ON && json_array_size(rows)) {
    size_t n = json_array_size(rows);
    ck_buf_printf(&b, "%s%zu%s %s", b.len ? ", " : "", n, n == 1000 ? " or more" : "",
                  ck_noun(n, "conversation", "conversations"));
  }
  if (rc == CLI_GO_ON) json_decref(rows);
  if (b.len)
    printf("still paused: %s; convkeep resume --all lets everything go on\n", ck_buf_cstr(&b));
  ck_buf_free(&b);
  return rc;
}

/* The conversation's own status, unless the pause was all that it had. */
static int end_conversation(const struct wish *w, const struct meant *m, bool was) {
  bool own = strcmp(cli_member(m->conversation, "automation_status"), "paused") == 0;
  if (was && !own && !w->c->json) say(m, "resumed", 0);
  if (was && !own && w->c->json) {
    cli_record_line(CK_CONVERSATIONS, m->conversation);
    return CLI_DONE;
  }
  return was && !own ? CLI_DONE : cli_status_turn_one(w->c, m->conversation, w->to);
}

static int end(const struct wish *w, const struct meant *m) {
  bool was;
  int rc = cli_pause_end(w->c, m->kind, m->name, &was);
  if (rc != CLI_GO_ON) return rc;
  if (m->conversation) return end_conversation(w, m, was);
  bool limited = false;
  if (strcmp(m->kind, "account") == 0) rc = cli_end_limit(w->c, m->name, &limited);
  if (rc != CLI_GO_ON) return rc;
  if (w->c->json) {
    say_json(m, false, 0);
    return CLI_DONE;
  }
  if (was || !limited) say(m, was ? "resumed" : "nothing to do: no pause of", 0);
  rc = tell_others(w->c);
  return rc == CLI_GO_ON ? CLI_DONE : rc;
}

/* ---- the commands ---- */

static int check_until(struct wish *w) {
  struct ck_err err;
  int64_t now = ck_now_ms();
  if (w->until_text && w->for_text)
    return cli_usage_error(w->c, "--for", "either --until or --for");
  const char *option = w->for_text ? "--for" : "--until";
  char *text = w->for_text     ? ck_sprintf("+%s", w->for_text)
               : w->until_text ? ck_strdup(w->until_text)
                               : NULL;
  if (!text) return CLI_GO_ON;
  int bad = ck_moment_parse(text, now, &w->until, &err);
  free(text);
  if (bad) return cli_usage_error(w->c, option, "%s", err.text);
  return w->until > now ? CLI_GO_ON : cli_usage_error(w->c, option, "has passed");
}

static int check(const struct wish *w, const char *word) {
  int named = (word != NULL) + (w->platform != NULL) + (w->account != NULL) + w->all;
  return named > 1 ? cli_usage_error(w->c, NULL, "only one can be named") : CLI_GO_ON;
}

static int run(struct wish *w, const char *word,
               int (*act)(const struct wish *w, const struct meant *m)) {
  struct meant m = {NULL, NULL, NULL};
  int rc = check(w, word);
  if (rc == CLI_GO_ON) rc = check_until(w);
  if (rc == CLI_GO_ON) rc = cli_connect(w->c, false, CLI_PART(CLI_STORE));
  if (rc == CLI_GO_ON && w->all) return end_all(w);
  if (rc == CLI_GO_ON) rc = find(w, word, &m);
  if (rc == CLI_GO_ON) rc = act(w, &m);
  meant_free(&m);
  return rc;
}

static int run_pause(struct cli *c, int argc, char **argv) {
  struct wish w = {.c = c};
  int rc = cli_options(c, &argc, argv, &w);
  return rc == CLI_GO_ON ? run(&w, argc > 1 ? argv[1] : NULL, begin) : rc;
}

static int run_resume(struct cli *c, int argc, char **argv) {
  struct wish w = {.c = c, .to = "auto"};
  int rc = cli_options(c, &argc, argv, &w);
  return rc == CLI_GO_ON ? run(&w, argc > 1 ? argv[1] : NULL, end) : rc;
}

static const struct cli_argument arguments[] = {
    CLI_ARGUMENT("PLATFORM|ACCOUNT|CONVERSATION|JOB", CLI_CONVERSATION, CLI_OPTIONAL), {0}};
static const struct cli_option pause_options[] = {
    CLI_VALUE("platform", CLI_PLATFORM, "PLATFORM", struct wish, platform, "a platform"),
    CLI_VALUE("account", CLI_TEXT, "NAME", struct wish, account, "an account"),
    CLI_VALUE("until", CLI_TIME, "TIME", struct wish, until_text, "until then"),
    CLI_VALUE("for", CLI_TEXT, "DURATION", struct wish, for_text, "so long, as 90min or 2d"),
    {0}};
static const struct cli_option resume_options[] = {
    CLI_VALUE("platform", CLI_PLATFORM, "PLATFORM", struct wish, platform, "a platform"),
    CLI_VALUE("account", CLI_TEXT, "NAME", struct wish, account, "an account"),
    CLI_FLAG("all", struct wish, all, "every pause that there is, and every paused conversation"),
    CLI_VALUE("to", CLI_CHOICE, "auto|manual", struct wish, to,
              "what a paused conversation becomes; auto unless it is given"),
    {0}};

const struct cli_command cli_pause = {
    "pause",
    CLI_TO_FOLLOW_UP,
    "stop follow-ups: everywhere, on a platform, in a conversation",
    arguments,
    pause_options,
    "Without an argument, everything is paused. A pause holds for all that there is and that\n"
    "comes: no delivery begins, offers are taken back, jobs wait; one that is under way is\n"
    "finished. It holds until `resume`, or until the time that is given, through restarts.\n"
    "A pause of an account holds once renewd has heard of it, which is at once if it runs.\n\n"
    "A CONVERSATION gets the status `paused`, also from `manual`; with --until or --for it keeps\n"
    "its status, and goes on by itself.\n\n"
    "CONVERSATION: " CLI_HELP_CONVERSATION "\n\n"
    "TIME: " CLI_HELP_TIME,
    run_pause,
    NULL};

const struct cli_command cli_resume = {
    "resume",
    CLI_TO_FOLLOW_UP,
    "end a pause",
    arguments,
    resume_options,
    "Ends the pause of everything, or of what is named, and says what else stays paused. A\n"
    "CONVERSATION that is paused becomes `auto`, or `manual` with --to manual: its earlier status\n"
    "is not stored; pause prints it. Messages that arrived meanwhile get no follow-up; jobs that\n"
    "waited are delivered. One that is on `auto` already, but was stopped, goes on too.\n\n"
    "With an account, its limit ends, too: one delivery goes out, and the others when that\n"
    "has arrived. `list accounts` has the accounts.",
    run_resume,
    NULL};
