/* convkeep jobs why JOB: its attempts, and what it waits for. */
#include "cli/accounts.h"
#include "cli/jobs.h"

#include <stdlib.h>
#include <string.h>
#include "cli/accounts.h"
#include "cli/out.h"
#include "cli/pauses.h"
#include "cli/rows.h"
#include "cli/states.h"
#include "cli/stays.h"
#include "cli/target.h"
#include "cli/time.h"
#include "proto/clock.h"
#include "proto/job_words.h"
#include "proto/moment.h"

/* What is known about a job, for `why`. */
struct known {
  json_t *conversation, *info; /* info: the answer to STATUS */
  json_t *unreached;           /* the store's row about it, or NULL */
  char *no_target;             /* why it has nowhere to go, or NULL */
  char *target;                /* the snapshot of where it goes, or NULL */
  json_t *pauses;
  struct ck_buf pause; /* what pauses it, as a sentence; empty: nothing but its conversation */
  char *account;       /* the name of the one that it is charged to; empty: none */
};

/* Appends the result of an attempt: its error, HTTP status or exit code. */
static void what_came(struct ck_buf *b, const json_t *line) {
  const json_t *http = json_object_get(line, "http_status"), *code = json_object_get(line, "exit");
  if (*cli_member(line, "error"))
    ck_buf_text(b, cli_member(line, "error"));
  else if (json_is_integer(http))
    ck_buf_printf(b, "HTTP %lld", (long long)json_integer_value(http));
  else if (json_is_integer(code))
    ck_buf_printf(b, "exit %lld", (long long)json_integer_value(code));
}

static void print_attempts(const json_t *lines) {
  static const char *const titles[] = {"when", "attempt", "channel", "outcome", "result", "next"};
  struct cli_table *t = cli_table_new(6, titles);
  struct ck_buf b = {0};
  size_t i;
  const json_t *line;
  json_array_foreach(lines, i, line) {
    const char *members[] = {"at", "attempt", "channel", "outcome", "error", "why"};
    for (int k = 0; k < 6; ++k) {
      const json_t *value = json_object_get(line, members[k]);
      ck_buf_clear(&b);
      if (k == 0 && json_is_integer(value))
        cli_time_text(&b, json_integer_value(value));
      else if (k == 4)
        what_came(&b, line);
      else
        cli_json_text(&b, value);
      cli_table_cell(t, k == 0 ? CLI_DIM : CLI_PLAIN, ck_buf_view(&b));
    }
  }
  ck_buf_free(&b);
  cli_table_print(&t);
}

/* Appends what lets a stopped job of the conversation go on; until: when it goes by itself. */
static void add_help(struct ck_buf *b, const json_t *conversation, int64_t until, int64_t now) {
  ck_buf_text(b, "; ");
  if (until) {
    ck_buf_text(b, "it goes ");
    cli_relative_text(b, until, now);
  } else if (!cli_stays_stopped(conversation, now, NULL, b)) {
    ck_buf_text(b, "a message of a person, or convkeep resume CONVERSATION, lets it go on");
  }
}

static void limit_text(struct ck_buf *b, const json_t *held, const char *account, int64_t until,
                       int64_t now) {
  struct ck_buf command = {0};
  ck_buf_text(b, "the limit of its account is reached");
  if (until > now) {
    ck_buf_text(b, ", until ");
    ck_moment_text(b, until);
  } else if (!until) {
    ck_buf_text(b, ", and waiting does not cure that");
  } else {
    ck_buf_text(b, "; a delivery tries whether that is over");
  }
  ck_buf_text(b, ": ");
  cli_safe_text(b, ck_str_of(cli_member(held, "reason")), false);
  cli_resume_text(&command, "account", account);
  ck_buf_text(b, "; ");
  cli_safe_text(b, ck_buf_view(&command), false);
  ck_buf_text(b, " ends it");
  ck_buf_free(&command);
}

/* Appends what renewd says about a job that is due. */
static void held_text(struct ck_buf *b, const json_t *held, const struct known *k, int64_t now) {
  const char *state = cli_member(held, "state");
  int64_t until = cli_member_int(held, "until", 0);
  const char *words = ck_job_held_words(ck_str_of(state));
  if (!words) words = "it is due, and goes at its turn";
  if (strcmp(state, "no_target") == 0) words = cli_member(held, "reason");
  if (strcmp(state, "limited") == 0) {
    limit_text(b, held, k->account, until, now);
    return;
  }
  if (strcmp(state, "stopped") != 0) {
    cli_safe_text(b, ck_str_of(words), false);
    return;
  }
  ck_buf_text(b, "stopped: ");
  cli_safe_text(b, ck_str_of(cli_member(held, "reason")), false);
  add_help(b, k->conversation, until, now);
}

static bool has_client(const struct known *k) {
  json_t *target = json_loads(k->target ? k->target : "", 0, NULL);
  bool has = ck_kind_is_clients(ck_str_of(cli_member(target, "kind")));
  json_decref(target);
  return has;
}

/* What a pending job waits for: the first reason that applies; NULL: what renewd says of it. */
static const char *waits_for(const struct cli_job *j, const struct known *k, int64_t now) {
  const json_t *next = json_object_get(j->row, "next_attempt_at");
  if (strcmp(cli_member(k->conversation, "automation_status"), "paused") == 0)
    return "its conversation is paused; convkeep resume CONVERSATION continues it";
  if (k->pause.len) return k->pause.data;
  if (k->no_target) return k->no_target;
  if (json_is_null(next)) return "it has no due time; convkeep jobs retry makes it due now";
  if (json_integer_value(next) > now && k->unreached)
    return has_client(k) ? "its client has not sent it; it is offered again when due"
                         : "nothing reached its target; it is tried again when due, up to "
                           "renew.give_up";
  if (json_integer_value(next) > now) return "it is not due yet";
  if (!ck_renewd_info(k->info)) return "renewd is not running; convkeep up starts it";
  if (ck_job_held(k->info, j->id)) return NULL;
  if (ck_job_is_automatic(ck_str_of(j->id), ck_str_of(cli_member(j->row, "message_id"))) &&
      cli_member_int(k->conversation, "cooldown_until", 0) > now)
    return "its conversation is in its cooldown (cooldown_until)";
  return "it is due, and goes at its turn";
}

static void add_waiting(struct ck_buf *b, const struct cli_job *j, const struct known *k,
                        int64_t now) {
  const char *words = waits_for(j, k, now);
  ck_buf_text(b, "waiting: ");
  if (words)
    cli_safe_text(b, ck_str_of(words), false);
  else
    held_text(b, ck_job_held(k->info, j->id), k, now);
  ck_buf_text(b, "\n");
}

static void print_why(const struct cli_job *j, const struct known *k, const json_t *lines) {
  int64_t now = ck_now_ms();
  struct ck_buf b = {0};
  bool superseded = ck_job_is_superseded(j->row);
  ck_buf_printf(&b, "%s: %s, attempt %lld of %lld", j->id, superseded ? "superseded" : j->status,
                (long long)cli_member_int(j->row, "attempt_count", 0),
                (long long)cli_member_int(j->row, "max_attempts", 0));
  int64_t next = cli_member_int(j->row, "next_attempt_at", 0);
  if (strcmp(j->status, "pending") == 0 && next) {
    ck_buf_text(&b, ", due ");
    cli_relative_text(&b, next, now);
  }
  ck_buf_text(&b, "\n");
  if (*cli_member(j->row, "last_error")) {
    ck_buf_text(&b, "last error: ");
    cli_safe_text(&b, ck_str_of(cli_member(j->row, "last_error")), false);
    ck_buf_text(&b, "\n");
  }
  if (strcmp(j->status, "pending") == 0) add_waiting(&b, j, k, now);
  bool running = strcmp(j->status, "running") == 0;
  if (running) {
    ck_buf_text(&b, "under way: its attempt began ");
    cli_relative_text(&b, cli_member_int(j->row, "last_attempt_at", now), now);
    ck_buf_text(&b, "\n");
  }
  const json_t *held = ck_job_held(k->info, j->id);
  if (strcmp(cli_member(held, "state"), "offered") == 0) {
    ck_buf_text(&b, "client: ");
    cli_safe_text(&b, ck_str_of(cli_member(held, "reason")), false);
    ck_buf_text(&b, "\n");
  }
  if (superseded)
    ck_buf_text(&b, "Nobody wants it any more; convkeep jobs retry JOB --anyway sends it all the "
                    "same.\n");
  if (strcmp(j->status, "unknown") == 0)
    ck_buf_text(&b, "The outcome of the last attempt is unknown, so it is not sent again "
                    "automatically. Look at the target, then use jobs retry or jobs cancel.\n");
  cli_print(&b);
  ck_buf_free(&b);
  if (json_array_size(lines) == 0) {
    if (!running) puts("no attempt yet");
    return;
  }
  puts("");
  print_attempts(lines);
}

/* Where it goes, or why it has nowhere to go: also known while the job is not due, and while renewd
 * does not run, or has not written yet where one without a target goes. */
static int learn_target(struct cli *c, const struct cli_job *j, struct known *k) {
  const char *own = cli_member(j->row, "target_snapshot");
  char *links = NULL;
  int rc = CLI_GO_ON;
  if (strcmp(j->status, "pending") == 0)
    rc = cli_target(c, cli_member(j->row, "local_conversation_id"), &links, &k->no_target);
  if (*own && !(links && strcmp(own, links) == 0)) {
    free(k->no_target);
    k->no_target = NULL;
  }
  if (*own || links) k->target = ck_strdup(*own ? own : links);
  free(links);
  return rc;
}

static int learn_pause(struct cli *c, const struct cli_job *j, struct known *k) {
  int rc = cli_pauses(c, &k->pauses);
  k->account = cli_account_of(k->conversation, k->target ? k->target : "");
  const json_t *pause = cli_pause_of(k->pauses, j->row, k->conversation, k->account);
  if (!pause) return rc;
  ck_buf_text(&k->pause, "paused: ");
  cli_pause_text(&k->pause, pause);
  ck_buf_text(&k->pause, "; ");
  cli_resume_text(&k->pause, cli_member(pause, "kind"), cli_member(pause, "name"));
  ck_buf_text(&k->pause, " ends that");
  ck_buf_cstr(&k->pause);
  return rc;
}

static int learn(struct cli *c, const struct cli_job *j, struct known *k) {
  int rc = cli_query_one(c, "local_conversations", "local_conversation_id",
                         cli_member(j->row, "local_conversation_id"), &k->conversation);
  if (rc == CLI_GO_ON) rc = cli_query_one(c, "unreached", "job_id", j->id, &k->unreached);
  if (rc == CLI_GO_ON) rc = cli_status_of(c, &k->info);
  if (rc == CLI_GO_ON) rc = learn_target(c, j, k);
  return rc == CLI_GO_ON ? learn_pause(c, j, k) : rc;
}

int cli_job_why(struct cli *c, const struct cli_job *j) {
  json_t *lines = NULL;
  struct known k = {0};
  size_t i;
  const json_t *line;
  int rc = cli_attempts(c, j->id, 0, &lines);
  if (rc == CLI_GO_ON && c->json) {
    json_array_foreach(lines, i, line) cli_json_line(line);
  } else if (rc == CLI_GO_ON) {
    rc = learn(c, j, &k);
    if (rc == CLI_GO_ON) print_why(j, &k, lines);
  }
  free(k.no_target);
  free(k.target);
  json_decref(k.pauses);
  ck_buf_free(&k.pause);
  free(k.account);
  json_decref(lines);
  json_decref(k.conversation);
  json_decref(k.unreached);
  json_decref(k.info);
  return rc == CLI_GO_ON ? CLI_DONE : rc;
}
