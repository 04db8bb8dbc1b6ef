/* convkeep pause and convkeep resume: change the automation status of one or many conversations. */
#include "cli/rows.h"

#include <stdlib.h>
#include <string.h>
#include "cli/ids.h"
#include "cli/out.h"
#include "cli/resolve.h"
#include "cli/stays.h"
#include "proto/clock.h"

#define CHUNK 1000 /* conversations per changeset */

struct turn {
  struct cli *c;
  const char *from; /* changes only conversations in this status; NULL: in any */
  const char *to;
  int64_t now;
};

static void put_update(struct ck_buf *b, const struct turn *t, const char *id) {
  struct ck_row row = {.table = CK_CONVERSATIONS};
  row.v[CK_CONVERSATIONS_LOCAL_CONVERSATION_ID] = ck_textz(id);
  row.v[CK_CONVERSATIONS_AUTOMATION_STATUS] = ck_textz(t->to);
  row.v[CK_CONVERSATIONS_PAUSED_AT] = strcmp(t->to, "paused") == 0 ? ck_int(t->now) : ck_null();
  ck_mutation_row(b, CK_OP_UPDATE, &row);
}

/* Changes rows [from, from + CHUNK) in one changeset: all of them or none. */
static int turn_chunk(const struct turn *t, const json_t *rows, size_t from) {
  struct ck_buf mutations = {0};
  size_t n = json_array_size(rows) - from;
  if (n > CHUNK) n = CHUNK;
  ck_put_array(&mutations, (uint32_t)n);
  for (size_t i = from; i < from + n; ++i)
    put_update(&mutations, t, cli_member(json_array_get(rows, i), "local_conversation_id"));
  char result;
  struct ck_err err;
  int rc = cli_write(t->c, ck_buf_view(&mutations), &result, &err);
  ck_buf_free(&mutations);
  if (rc != CLI_GO_ON || result != 'r') return rc;
  cli_error(t->c, NULL, "%s", err.text);
  return CLI_FAILED;
}

static int say(const struct turn *t, const json_t *rows) {
  size_t i;
  json_t *row;
  json_array_foreach(rows, i, row) {
    const char *id = cli_member(row, "local_conversation_id");
    if (t->c->json) {
      json_t *now;
      int rc = cli_query_one(t->c, "local_conversations", "local_conversation_id", id, &now);
      if (rc != CLI_GO_ON) return rc;
      cli_record_line(CK_CONVERSATIONS, now);
      json_decref(now);
      continue;
    }
    struct ck_buf line = {0};
    cli_safe_text(&line, ck_str_of(id), false);
    printf("%s: %s, was %s\n", ck_buf_cstr(&line), t->to, cli_member(row, "automation_status"));
    ck_buf_free(&line);
  }
  if (json_array_size(rows) == 0 && !t->c->json)
    puts(strcmp(t->to, "paused") == 0 ? "nothing to do: no such conversation is on auto"
                                      : "nothing to do: no such conversation is paused");
  return CLI_DONE;
}

static int turn_rows(const struct turn *t, json_t *rows) {
  for (size_t i = json_array_size(rows); i-- > 0;) {
    const char *status = cli_member(json_array_get(rows, i), "automation_status");
    if (strcmp(status, t->to) == 0 || (t->from && strcmp(status, t->from) != 0))
      json_array_remove(rows, i);
  }
  for (size_t from = 0; from < json_array_size(rows); from += CHUNK) {
    int rc = turn_chunk(t, rows, from);
    if (rc != CLI_GO_ON) return rc;
  }
  return say(t, rows);
}

/* Changes all conversations in status t->from, on this platform (NULL: on any). */
static int turn_many(const struct turn *t, const char *platform) {
  json_t *rows;
  struct cli_filter filters[] = {{"automation_status", t->from, 0}, {"platform", platform, 0}};
  int rc = cli_query_all(t->c, "local_conversations", filters, platform ? 2 : 1, &rows);
  if (rc == CLI_GO_ON) rc = turn_rows(t, rows);
  json_decref(rows);
  return rc;
}

int cli_go_on(struct cli *c, const char *conversation_id) {
  struct ck_buf mutations = {0};
  struct ck_mutation m = {.kind = CK_OP_RESUME};
  m.as.resume = (struct ck_resume){ck_str_of(conversation_id)};
  ck_put_array(&mutations, 1);
  ck_mutation_encode(&mutations, &m);
  char result;
  struct ck_err err;
  int rc = cli_write(c, ck_buf_view(&mutations), &result, &err);
  ck_buf_free(&mutations);
  if (rc != CLI_GO_ON || result != 'r') return rc;
  cli_error(c, conversation_id, "%s", err.text);
  return CLI_FAILED;
}

/* It is on auto already, but renewd may have stopped it. */
static int go_on(const struct turn *t, const json_t *conversation) {
  const char *id = cli_member(conversation, "local_conversation_id");
  int rc = cli_go_on(t->c, id);
  if (rc == CLI_GO_ON) cli_warn_stopped(t->c, conversation);
  if (rc != CLI_GO_ON || t->c->json) return rc == CLI_GO_ON ? CLI_DONE : rc;
  struct ck_buf line = {0};
  cli_safe_text(&line, ck_str_of(id), false);
  printf("%s: on auto already; " CLI_GOES_ON "\n", ck_buf_cstr(&line));
  ck_buf_free(&line);
  return CLI_DONE;
}

static int turn_one(struct turn *t, json_t *conversation) {
  if (strcmp(t->to, "auto") == 0 &&
      strcmp(cli_member(conversation, "automation_status"), "auto") == 0)
    return go_on(t, conversation);
  json_t *rows = json_array();
  json_array_append(rows, conversation);
  /* A conversation given by name is paused even from manual, so that jobs made by hand wait. */
  if (strcmp(t->to, "paused") == 0) t->from = NULL;
  int rc = turn_rows(t, rows);
  json_decref(rows);
  return rc;
}

static int is_platform(struct cli *c, const char *word, bool *yes) {
  json_t *row;
  int rc = cli_query_one(c, "local_conversations", "platform", word, &row);
  *yes = row != NULL;
  json_decref(row);
  return rc;
}

/* *conversation: that of the job with this id, or with an id that begins so; NULL: there is none.
 */
static int by_job(struct cli *c, const char *word, json_t **conversation) {
  char *id = NULL;
  json_t *job = NULL;
  int rc = cli_id_of(c, CK_JOBS, word, &id);
  if (rc == CLI_GO_ON) rc = cli_query_one(c, "renewal_jobs", "job_id", id, &job);
  if (rc == CLI_GO_ON && job)
    rc = cli_query_one(c, "local_conversations", "local_conversation_id",
                       cli_member(job, "local_conversation_id"), conversation);
  json_decref(job);
  free(id);
  return rc;
}

/* The word may be a conversation's id, a job's id or the beginning of one, a platform, or another
 * name of a conversation; it is tried in this order. */
static int turn_word(struct turn *t, const char *word) {
  json_t *conversation = NULL;
  bool platform = false;
  int rc = cli_query_one(t->c, "local_conversations", "local_conversation_id", word, &conversation);
  if (rc == CLI_GO_ON && !conversation) rc = by_job(t->c, word, &conversation);
  if (rc == CLI_GO_ON && !conversation) rc = is_platform(t->c, word, &platform);
  if (rc == CLI_GO_ON && !conversation && !platform)
    rc = cli_resolve(t->c, word, "platform, conversation or job", &conversation);
  if (rc == CLI_GO_ON) rc = conversation ? turn_one(t, conversation) : turn_many(t, word);
  json_decref(conversation);
  return rc;
}

static int turn(struct cli *c, int argc, char **argv, const char *from, const char *to) {
  struct turn t = {c, from, to, ck_now_ms()};
  int rc = cli_connect(c, false, CLI_PART(CLI_STORE));
  if (rc != CLI_GO_ON) return rc;
  return argc > 1 ? turn_word(&t, argv[1]) : turn_many(&t, NULL);
}

static int run_pause(struct cli *c, int argc, char **argv) {
  int rc = cli_options(c, &argc, argv, NULL);
  return rc == CLI_GO_ON ? turn(c, argc, argv, "auto", "paused") : rc;
}

struct wish {
  const char *to;
};

static int run_resume(struct cli *c, int argc, char **argv) {
  struct wish wish = {.to = "auto"};
  int rc = cli_options(c, &argc, argv, &wish);
  return rc == CLI_GO_ON ? turn(c, argc, argv, "paused", wish.to) : rc;
}

static const struct cli_argument arguments[] = {
    CLI_ARGUMENT("PLATFORM|CONVERSATION|JOB", CLI_CONVERSATION, CLI_OPTIONAL), {0}};
static const struct cli_option resume_options[] = {
    CLI_VALUE("to", CLI_CHOICE, "auto|manual", struct wish, to,
              "what the conversations become; auto unless it is given"),
    {0}};

const struct cli_command cli_pause = {
    "pause",
    CLI_TO_FOLLOW_UP,
    "stop follow-ups: everywhere, on a platform, in a conversation",
    arguments,
    NULL,
    "Without an argument, pauses every conversation on `auto`; with a platform, those of that\n"
    "platform. A CONVERSATION, given by itself or by one of its jobs, is paused whatever its\n"
    "status.\n\n"
    "In a paused conversation no follow-up is made or delivered, and its jobs wait. A delivery in\n"
    "progress is finished. Conversations on `manual` are not changed unless named. Conversations\n"
    "set to `auto` later are not paused.\n\n"
    "CONVERSATION: " CLI_HELP_CONVERSATION,
    run_pause,
    NULL};

const struct cli_command cli_resume = {
    "resume",
    CLI_TO_FOLLOW_UP,
    "let paused conversations continue",
    arguments,
    resume_options,
    "Sets paused conversations (all, those of a platform, or one) to `auto`, or to `manual` with\n"
    "--to manual. Their earlier status is not stored; pause prints it. Messages that arrived\n"
    "during the pause get no follow-up; jobs that waited are delivered. One conversation that is\n"
    "on `auto` already, but was stopped, goes on too.",
    run_resume,
    NULL};
