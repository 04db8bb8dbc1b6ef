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
  char *name;                 /* on the heap */
  json_t *conversation, *job; /* if it is one */
};

static void meant_free(struct meant *m) {
  free(m->name);
  json_decref(m->conversation);
  json_decref(m->job);
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
  m->job = job;
  free(id);
  return rc;
}

/* One that `list accounts` has, or that is paused. */
static int find_account(struct cli *c, const char *word, struct meant *m) {
  json_t *accounts, *pauses, *one;
  size_t i;
  int rc = cli_accounts(c, word, &accounts);
  if (rc == CLI_GO_ON && json_array_size(accounts)) mean(m, "account", word);
  json_decref(accounts);
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

/* A pause also holds for what comes later; but what has no such name may be mistyped. */
static int warn_of_nothing(const struct wish *w) {
  struct meant m = {0};
  bool platform = false;
  int rc = w->platform  ? is_platform(w->c, w->platform, &platform)
           : w->account ? find_account(w->c, w->account, &m)
                        : CLI_GO_ON;
  if (rc == CLI_GO_ON && w->platform && !platform)
    cli_warn(w->c, "--platform",
             "no conversation is of the platform %.200s; it is paused for those"
             " that come",
             w->platform);
  if (rc == CLI_GO_ON && w->account && !m.kind)
    cli_warn(w->c, "--account",
             "no account has the name %.200s; it is paused for those that come; "
             "convkeep list accounts has the names",
             w->account);
  meant_free(&m);
  return rc;
}

static int begin(const struct wish *w, const struct meant *m) {
  if (m->job && strcmp(cli_member(m->job, "status"), "done") == 0) {
    cli_error(w->c, m->name, "it was delivered: there is nothing left to pause");
    return CLI_FAILED;
  }
  if (m->conversation && !w->until) return cli_status_turn_one(w->c, m->conversation, "paused");
  int rc = warn_of_nothing(w);
  if (rc == CLI_GO_ON) rc = cli_pause_begin(w->c, m->kind, m->name, w->until);
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
  size_t i, ended = 0, turned = 0;
  int rc = cli_query_all(w->c, "pauses", NULL, 0, &rows);
  json_array_foreach(rows, i, row) {
    struct meant m = {0};
    bool was = false;
    if (rc != CLI_GO_ON) break;
    rc = cli_pause_end(w->c, cli_member(row, "kind"), cli_member(row, "name"), &was);
    mean(&m, cli_member(row, "kind"), cli_member(row, "name"));
    if (was && w->c->json) say_json(&m, false, 0);
    if (was && !w->c->json) say(&m, "resumed", 0);
    ended += was;
    meant_free(&m);
  }
  json_decref(rows);
  if (rc == CLI_GO_ON) rc = cli_status_turn_many(w->c, "paused", w->to, &turned);
  if (rc == CLI_DONE && !ended && !turned && !w->c->json) puts("nothing to do: nothing is paused");
  return rc;
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

static int check_for(struct wish *w, int64_t now) {
  struct ck_err err;
  int64_t length;
  if (ck_length_parse(w->for_text, &length, &err))
    return cli_usage_error(w->c, "--for", "%s", err.text);
  if (!length) return cli_usage_error(w->c, "--for", "%.200s is no time at all", w->for_text);
  w->until = now + length;
  return CLI_GO_ON;
}

static int check_until(struct wish *w) {
  struct ck_err err;
  int64_t now = ck_now_ms();
  if (w->until_text && w->for_text)
    return cli_usage_error(w->c, "--for", "either --until or --for");
  if (w->for_text) return check_for(w, now);
  if (!w->until_text) return CLI_GO_ON;
  if (ck_moment_parse(w->until_text, now, &w->until, &err))
    return cli_usage_error(w->c, "--until", "%s", err.text);
  return w->until > now ? CLI_GO_ON
                        : cli_usage_error(w->c, "--until", "%.200s has passed", w->until_text);
}

static int to_is_of_a_conversation(const struct wish *w) {
  return cli_usage_error(w->c, "--to", "goes with a CONVERSATION or --all");
}

static int check(const struct wish *w, const char *word) {
  int named = (word != NULL) + (w->platform != NULL) + (w->account != NULL) + w->all;
  if (named > 1) return cli_usage_error(w->c, NULL, "only one can be named");
  if (w->account) return cli_account_check(w->c, "--account", w->account);
  const char *name = w->platform ? w->platform : word;
  if (name && (!ck_trim(ck_str_of(name)).n || strlen(name) > CK_PAUSE_NAME))
    return cli_usage_error(w->c, w->platform ? "--platform" : NULL,
                           "a name must have 1 to %d bytes, and be no blanks", CK_PAUSE_NAME);
  return w->to && !w->all && !word ? to_is_of_a_conversation(w) : CLI_GO_ON;
}

static int run(struct wish *w, const char *word,
               int (*act)(const struct wish *w, const struct meant *m)) {
  struct meant m = {0};
  int rc = check(w, word);
  if (rc == CLI_GO_ON) rc = check_until(w);
  if (rc == CLI_GO_ON) rc = cli_connect(w->c, false, CLI_PART(CLI_STORE));
  if (rc == CLI_GO_ON && !w->all) rc = find(w, word, &m);
  if (rc == CLI_GO_ON && w->to && !w->all && !m.conversation) rc = to_is_of_a_conversation(w);
  if (!w->to) w->to = "auto";
  if (rc == CLI_GO_ON && w->all) return end_all(w);
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
  struct wish w = {.c = c};
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
    "pause follow-ups: all, or of a platform, account, conversation, job",
    arguments,
    pause_options,
    "Without an argument, everything is paused. A pause holds for all that there is and that\n"
    "comes: no delivery begins, offers are taken back, jobs wait; one that is under way is\n"
    "finished. It holds until `resume`, or until the time that is given, through restarts.\n\n"
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
