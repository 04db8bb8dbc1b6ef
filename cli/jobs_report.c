/* convkeep jobs report [--since TIME]: what the follow-ups have done, for whoever was away. */
#include <stdlib.h>
#include <string.h>
#include "cli/jobs.h"
#include "cli/out.h"
#include "cli/rows.h"
#include "cli/states.h"
#include "cli/time.h"
#include "proto/clock.h"
#include "proto/job_change.h"

/* Why something happened, and how often; most of them are alike. */
#define REASONS 5

struct night {
  int64_t since;
  size_t delivered, tried_again;
  double cost;
  int64_t tokens;
  bool knows_cost, knows_tokens;
  json_t *conversations;                 /* in which something was delivered: id → true */
  json_t *stopped, *failed, *superseded; /* reason → how often */
  size_t unknown, waiting, cancelled;
  size_t unexplained; /* of those that wait: renewd does not say for what */
};

static size_t count_of(const json_t *reasons) {
  const char *reason;
  json_t *n;
  size_t sum = 0;
  json_object_foreach((json_t *)(uintptr_t)reasons, reason, n) {
    sum += (size_t)json_integer_value(n);
  }
  return sum;
}

static void count(json_t *reasons, const char *reason) {
  json_int_t before = json_integer_value(json_object_get(reasons, reason));
  json_object_set_new(reasons, reason, json_integer(before + 1));
}

/* ---- attempts ---- */

static void take_attempt(struct night *n, const json_t *line) {
  const char *outcome = cli_member(line, "outcome");
  const json_t *cost = json_object_get(line, "cost"), *tokens = json_object_get(line, "tokens");
  n->knows_cost |= json_is_number(cost);
  n->knows_tokens |= json_is_integer(tokens);
  n->cost += json_number_value(cost);
  n->tokens += json_integer_value(tokens);
  n->tried_again += strcmp(outcome, "retry") == 0 || strcmp(outcome, "unreached") == 0;
  if (strcmp(outcome, "done") != 0) return;
  n->delivered++;
  json_object_set_new(n->conversations, cli_member(line, "local_conversation_id"), json_true());
}

static int take_attempts(struct cli *c, struct night *n) {
  size_t i;
  const json_t *line;
  json_t *lines = NULL;
  int rc = cli_attempts(c, NULL, n->since, &lines);
  if (rc == CLI_GO_ON) {
    json_array_foreach(lines, i, line) take_attempt(n, line);
  }
  json_decref(lines);
  return rc;
}

/* ---- jobs ---- */

static const char *reason_of(const json_t *job) {
  const char *error = cli_member(job, "last_error");
  bool superseded = strncmp(error, CK_SUPERSEDED, strlen(CK_SUPERSEDED)) == 0;
  return superseded ? error + strlen(CK_SUPERSEDED) : *error ? error : "no reason was given";
}

/* By a person; else it would count as a fault. */
static bool is_cancelled(const json_t *job) {
  return strcmp(cli_member(job, "status"), "failed") == 0 &&
         strncmp(cli_member(job, "last_error"), CK_JOB_CANCELLED, strlen(CK_JOB_CANCELLED)) == 0;
}

static void take_job(struct night *n, const json_t *info, const json_t *job) {
  const char *state = cli_member(job, "state");
  const json_t *held = ck_job_held(info, cli_member(job, "job_id"));
  bool is_new = cli_member_int(job, "finished_at", 0) >= n->since;
  if (strcmp(state, "unknown") == 0)
    n->unknown++;
  else if (strcmp(state, "stopped") == 0)
    count(n->stopped, *cli_member(held, "reason") ? cli_member(held, "reason") : "stopped");
  else if (strcmp(cli_member(job, "status"), "pending") == 0)
    n->waiting++;
  else if (is_new && strcmp(state, "superseded") == 0)
    count(n->superseded, reason_of(job));
  else if (is_new && is_cancelled(job))
    n->cancelled++;
  else if (is_new && strcmp(state, "failed") == 0)
    count(n->failed, reason_of(job));
}

static int take_status(struct cli *c, struct night *n, const json_t *info, const char *status) {
  json_t *jobs, *job;
  size_t i, unexplained;
  const struct cli_filter filter = {"status", status, 0};
  int rc = cli_query_all(c, "renewal_jobs", &filter, 1, &jobs);
  if (rc == CLI_GO_ON) rc = cli_add_states(c, jobs, &unexplained);
  if (rc == CLI_GO_ON) n->unexplained += unexplained;
  if (rc == CLI_GO_ON) {
    json_array_foreach(jobs, i, job) take_job(n, info, job);
  }
  json_decref(jobs);
  return rc;
}

static int take_jobs(struct cli *c, struct night *n) {
  json_t *info = NULL;
  int rc = cli_status_of(c, &info);
  if (rc == CLI_GO_ON) rc = take_status(c, n, info, "pending");
  if (rc == CLI_GO_ON) rc = take_status(c, n, info, "running");
  if (rc == CLI_GO_ON) rc = take_status(c, n, info, "failed");
  json_decref(info);
  return rc;
}

/* ---- what is said ---- */

static json_t *night_json(const struct night *n) {
  json_t *o = json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:O, s:O, s:O}", "since",
                        (json_int_t)n->since, "delivered", (json_int_t)n->delivered,
                        "conversations", (json_int_t)json_object_size(n->conversations),
                        "tried_again", (json_int_t)n->tried_again, "unknown",
                        (json_int_t)n->unknown, "waiting", (json_int_t)n->waiting, "unexplained",
                        (json_int_t)n->unexplained, "cancelled", (json_int_t)n->cancelled,
                        "stopped", n->stopped, "failed", n->failed, "superseded", n->superseded);
  if (n->knows_cost) json_object_set_new(o, "cost", json_real(n->cost));
  if (n->knows_tokens) json_object_set_new(o, "tokens", json_integer(n->tokens));
  return o;
}

/* A line of how many there were, and below it why. */
static void add_reasons(struct cli_table *t, const char *what, enum cli_style style,
                        const json_t *reasons, const char *next) {
  struct ck_buf text = {0};
  const char *reason;
  json_t *n;
  size_t shown = 0;
  if (!json_object_size(reasons)) return;
  ck_buf_count(&text, count_of(reasons));
  if (next) ck_buf_printf(&text, "; %s", next);
  cli_line(t, what, style, &text);
  json_object_foreach((json_t *)(uintptr_t)reasons, reason, n) {
    if (shown++ == REASONS) break;
    ck_buf_count(&text, (uint64_t)json_integer_value(n));
    ck_buf_text(&text, ": ");
    ck_buf_summary(&text, ck_str_of(reason), 120);
    cli_line(t, "", CLI_PLAIN, &text);
  }
  if (json_object_size(reasons) > REASONS) {
    ck_buf_printf(&text, "and %zu other reasons", json_object_size(reasons) - REASONS);
    cli_line(t, "", CLI_DIM, &text);
  }
  ck_buf_free(&text);
}

static void add_number(struct cli_table *t, const char *what, enum cli_style style, size_t n,
                       const char *more) {
  struct ck_buf text = {0};
  if (!n) return;
  ck_buf_count(&text, n);
  ck_buf_text(&text, more);
  cli_line(t, what, style, &text);
  ck_buf_free(&text);
}

static void add_spent(struct cli_table *t, const struct night *n) {
  struct ck_buf text = {0};
  if (n->knows_cost) ck_buf_printf(&text, "%.2f", n->cost);
  if (n->knows_cost && n->knows_tokens) ck_buf_text(&text, ", ");
  if (n->knows_tokens) ck_buf_count(&text, (uint64_t)n->tokens);
  if (n->knows_tokens) ck_buf_text(&text, " tokens");
  if (text.len) cli_line(t, "spent", CLI_PLAIN, &text);
  ck_buf_free(&text);
}

static void print_night(const struct night *n) {
  struct cli_table *t = cli_table_new(2, NULL);
  struct ck_buf text = {0};
  cli_time_text(&text, n->since);
  cli_line(t, "since", CLI_DIM, &text);
  ck_buf_count(&text, n->delivered);
  ck_buf_printf(&text, " in %zu %s", json_object_size(n->conversations),
                ck_noun(json_object_size(n->conversations), "conversation", "conversations"));
  cli_line(t, "delivered", CLI_PLAIN, &text);
  add_spent(t, n);
  add_number(t, "tried again", CLI_PLAIN, n->tried_again, "");
  add_number(t, "unknown", CLI_RED, n->unknown,
             ", which may have arrived; convkeep list jobs --status unknown");
  add_reasons(t, "stopped", CLI_YELLOW, n->stopped, "convkeep list jobs --status stopped");
  add_reasons(t, "failed", CLI_RED, n->failed, "convkeep list jobs --status failed");
  add_reasons(t, "superseded", CLI_PLAIN, n->superseded, NULL);
  add_number(t, "cancelled", CLI_PLAIN, n->cancelled, "");
  add_number(t, "waiting", CLI_PLAIN, n->waiting, "");
  add_number(t, "not known", CLI_YELLOW, n->unexplained,
             " of these may be stopped: renewd does not say; convkeep status");
  ck_buf_free(&text);
  cli_table_print(&t);
}

int cli_jobs_report(struct cli *c, int64_t since) {
  struct night n = {.since = since,
                    .conversations = json_object(),
                    .stopped = json_object(),
                    .failed = json_object(),
                    .superseded = json_object()};
  int rc = take_attempts(c, &n);
  if (rc == CLI_GO_ON) rc = take_jobs(c, &n);
  if (rc == CLI_GO_ON && c->json) {
    json_t *said = night_json(&n);
    cli_json_line(said);
    json_decref(said);
  } else if (rc == CLI_GO_ON) {
    print_night(&n);
  }
  json_decref(n.conversations);
  json_decref(n.stopped);
  json_decref(n.failed);
  json_decref(n.superseded);
  return rc == CLI_GO_ON ? CLI_DONE : rc;
}
