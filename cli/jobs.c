/* convkeep jobs retry|cancel|snooze|why|report: acts on one follow-up job or on many, or explains
 * its state. */
#include "cli/jobs.h"

#include <stdlib.h>
#include <string.h>
#include "cli/declined.h"
#include "cli/ids.h"
#include "cli/out.h"
#include "cli/resolve.h"
#include "cli/rows.h"
#include "cli/states.h"
#include "proto/clock.h"
#include "proto/job_change.h"
#include "proto/moment.h"

/* What is asked for. */
struct wish {
  struct cli *c;
  bool anyway, yes;
  const char *status, *platform, *conversation; /* which jobs, if none is named */
  const char *until_text, *since_text;
  int64_t until; /* of snooze */
  int64_t since; /* of report */
};

void cli_job_free(struct cli_job *j) {
  json_decref(j->row);
  json_decref(j->lease);
}

int cli_job_of(struct cli *c, json_t *row, struct cli_job *j) {
  *j = (struct cli_job){.id = cli_member(row, "job_id"), .row = json_incref(row)};
  j->status = cli_member(row, "status");
  int rc = CLI_GO_ON;
  if (strcmp(j->status, "running") == 0)
    rc = cli_query_one(c, "leases", "job_id", j->id, &j->lease);
  if (rc == CLI_GO_ON && strcmp(cli_member(j->lease, "state"), "unknown") == 0)
    j->status = "unknown";
  return rc;
}

int cli_job_find(struct cli *c, const char *id, struct cli_job *j) {
  json_t *row;
  *j = (struct cli_job){.id = id};
  int rc = cli_query_one(c, "renewal_jobs", "job_id", id, &row);
  if (rc == CLI_GO_ON && row) rc = cli_job_of(c, row, j);
  json_decref(row);
  return rc;
}

static int answer(struct cli *c, const char *id, const char *said) {
  json_t *row;
  int rc = cli_query_one(c, "renewal_jobs", "job_id", id, &row);
  if (rc != CLI_GO_ON) return rc;
  if (c->json)
    cli_record_line(CK_JOBS, row);
  else
    printf("%s: %s\n", id, said);
  json_decref(row);
  return CLI_DONE;
}

/* ---- one job ---- */

static struct ck_job_now now_of(const struct cli_job *j) {
  return (struct ck_job_now){ck_str_of(j->id), ck_str_of(j->status),
                             (uint64_t)cli_member_int(j->lease, "attempt", 0),
                             ck_str_of(cli_member(j->lease, "token"))};
}

/* Writes the changeset, says what became of the job, and frees the mutations. */
static int write_job(struct cli *c, const struct cli_job *j, struct ck_buf *mutations,
                     const char *said) {
  struct ck_err err;
  char result;
  int rc = cli_write(c, ck_buf_view(mutations), &result, &err);
  ck_buf_free(mutations);
  if (rc != CLI_GO_ON) return rc;
  if (result != 'r') return answer(c, j->id, said);
  bool superseded = strncmp(err.text, CK_SUPERSEDED, strlen(CK_SUPERSEDED)) == 0;
  cli_error(c, j->id, "%s%s", err.text,
            superseded ? "; convkeep jobs retry JOB --anyway sends it all the same" : "");
  return CLI_FAILED;
}

static int refuse(struct cli *c, const struct cli_job *j, const char *why) {
  cli_error(c, j->id, "%s", why);
  return CLI_FAILED;
}

/* *reason: on the heap, why the job waits for a person, or some time; NULL: it does not, as far as
 * renewd says. */
static int stopped(struct cli *c, const struct cli_job *j, char **reason) {
  json_t *info = NULL;
  *reason = NULL;
  int rc = strcmp(j->status, "pending") == 0 ? cli_status_of(c, &info) : CLI_GO_ON;
  const json_t *held = info ? ck_job_held(info, j->id) : NULL;
  if (strcmp(cli_member(held, "state"), "stopped") == 0)
    *reason = ck_strdup(cli_member(held, "reason"));
  json_decref(info);
  return rc;
}

static int retry_stopped(struct cli *c, const struct cli_job *j, struct ck_buf *mutations,
                         const char *reason) {
  char *said = ck_sprintf("is due, but stays stopped: %s; convkeep jobs why JOB says what lets it"
                          " go on, and convkeep jobs retry JOB --anyway sends it whatever was said",
                          reason);
  int rc = write_job(c, j, mutations, said);
  free(said);
  return rc;
}

static int retry(const struct wish *w, const struct cli_job *j) {
  struct cli *c = w->c;
  struct ck_err err;
  struct ck_buf mutations = {0};
  const struct ck_job_now job = now_of(j);
  if (ck_job_retry(&mutations, &job, w->anyway, ck_now_ms(), &err)) return refuse(c, j, err.text);
  char *reason = NULL;
  int rc = w->anyway ? CLI_GO_ON : stopped(c, j, &reason);
  if (rc != CLI_GO_ON) {
    ck_buf_free(&mutations);
    return rc;
  }
  bool unknown = strcmp(j->status, "unknown") == 0;
  rc = reason ? retry_stopped(c, j, &mutations, reason)
              : write_job(c, j, &mutations, unknown ? "will be sent again" : "is due now");
  free(reason);
  return rc;
}

static int cancel(const struct wish *w, const struct cli_job *j) {
  struct ck_err err;
  struct ck_buf mutations = {0};
  const struct ck_job_now job = now_of(j);
  switch (ck_job_cancel(&mutations, &job, ck_now_ms(), &err)) {
  case CK_JOB_REFUSED:
    return refuse(w->c, j, err.text);
  case CK_JOB_SAME:
    return answer(w->c, j->id, "had failed already");
  case CK_JOB_CHANGED:
    break;
  }
  return write_job(w->c, j, &mutations,
                   strcmp(j->status, "running") == 0
                       ? "is cancelled; its attempt is ended, and may have arrived"
                       : "is cancelled");
}

static int snooze(const struct wish *w, const struct cli_job *j) {
  struct ck_err err;
  struct ck_buf mutations = {0}, said = {0};
  const struct ck_job_now job = now_of(j);
  if (ck_job_snooze(&mutations, &job, w->anyway, w->until, &err)) return refuse(w->c, j, err.text);
  ck_buf_text(&said, "waits until ");
  ck_moment_text(&said, w->until);
  int rc = write_job(w->c, j, &mutations, ck_buf_cstr(&said));
  ck_buf_free(&said);
  return rc;
}

static int why(const struct wish *w, const struct cli_job *j) { return cli_job_why(w->c, j); }

/* The last night. */
#define SINCE_MS INT64_C(43200000)

static const struct verb {
  const char *word, *question; /* question: what is asked before it is done to many; NULL: it is
                                  not done to many */
  int (*run)(const struct wish *w, const struct cli_job *j);
} verbs[] = {{"retry", "Send them", retry},
             {"cancel", "Cancel them", cancel},
             {"snooze", "Let them wait", snooze},
             {"why", NULL, why},
             {"report", NULL, NULL}};

static int one(const struct wish *w, const struct verb *verb, const char *name) {
  struct cli_job j = {0};
  char *id = NULL;
  int rc = cli_id_of(w->c, CK_JOBS, name, &id);
  if (rc == CLI_GO_ON) rc = cli_job_find(w->c, id, &j);
  if (rc == CLI_GO_ON && j.row) {
    rc = verb->run(w, &j);
  } else if (rc == CLI_GO_ON && !verb->question) {
    rc = cli_why_conversation(w->c, name);
  } else if (rc == CLI_GO_ON) {
    cli_error(w->c, name, "no such job; convkeep list jobs shows them");
    rc = CLI_FAILED;
  }
  cli_job_free(&j);
  free(id);
  return rc;
}

/* ---- many jobs ---- */

/* Leaves those of the platform's conversations. */
static int keep_platform(struct cli *c, const char *platform, json_t *jobs) {
  json_t *rows, *row, *ids = json_object();
  size_t i;
  const struct cli_filter filter = {"platform", platform, 0};
  int rc = cli_query_all(c, "local_conversations", &filter, 1, &rows);
  if (rc == CLI_GO_ON && json_array_size(rows) == 0) {
    cli_error(c, "--platform", "no conversation is of the platform %s", platform);
    rc = CLI_FAILED;
  }
  if (rc == CLI_GO_ON) {
    json_array_foreach(rows, i, row) {
      json_object_set_new(ids, cli_member(row, "local_conversation_id"), json_true());
    }
    for (i = json_array_size(jobs); i-- > 0;)
      if (!json_object_get(ids, cli_member(json_array_get(jobs, i), "local_conversation_id")))
        json_array_remove(jobs, i);
  }
  json_decref(rows);
  json_decref(ids);
  return rc;
}

static int keep_state(struct cli *c, const char *state, json_t *jobs) {
  size_t unexplained;
  int rc = cli_add_states(c, jobs, &unexplained);
  if (rc == CLI_GO_ON) rc = cli_states_known(c, state, unexplained);
  for (size_t i = json_array_size(jobs); rc == CLI_GO_ON && i-- > 0;)
    if (!cli_state_is(json_array_get(jobs, i), state)) json_array_remove(jobs, i);
  return rc;
}

/* *jobs: those that the options name. */
static int find_jobs(const struct wish *w, json_t **jobs) {
  const char *status = cli_state_status(w->status);
  json_t *conversation = NULL;
  struct cli_filter filters[2] = {{"status", status ? status : w->status, 0}};
  size_t n = 1;
  int rc = CLI_GO_ON;
  *jobs = NULL;
  if (w->conversation) {
    rc = cli_resolve(w->c, w->conversation, "conversation", &conversation);
    filters[n++] = (struct cli_filter){"local_conversation_id",
                                       cli_member(conversation, "local_conversation_id"), 0};
  }
  if (rc == CLI_GO_ON) rc = cli_query_all(w->c, "renewal_jobs", filters, n, jobs);
  if (rc == CLI_GO_ON && w->platform) rc = keep_platform(w->c, w->platform, *jobs);
  if (rc == CLI_GO_ON && status) rc = keep_state(w->c, w->status, *jobs);
  json_decref(conversation);
  return rc;
}

/* CLI_GO_ON: it is agreed. */
static int agree(const struct wish *w, const struct verb *verb, size_t n) {
  if (w->yes) return CLI_GO_ON;
  char *question = ck_sprintf(
      "%zu %s %s. %s?%s", n, w->status, ck_noun(n, "job", "jobs"), verb->question,
      strcmp(w->status, "unknown") == 0 && verb->run == retry ? " They may have arrived already."
                                                              : "");
  int rc = cli_agreed(w->c, question);
  free(question);
  return rc;
}

/* Every job is tried, whatever becomes of the others. */
static int act_on_all(const struct wish *w, const struct verb *verb, const json_t *jobs) {
  int worst = CLI_DONE;
  size_t i;
  json_t *row;
  json_array_foreach(jobs, i, row) {
    struct cli_job j;
    int rc = cli_job_of(w->c, row, &j);
    if (rc == CLI_GO_ON) rc = verb->run(w, &j);
    cli_job_free(&j);
    if (rc != CLI_DONE) worst = rc;
    if (rc != CLI_DONE && rc != CLI_FAILED) break;
  }
  return worst;
}

static int many(const struct wish *w, const struct verb *verb) {
  json_t *jobs;
  int rc = find_jobs(w, &jobs);
  size_t n = json_array_size(jobs);
  if (rc == CLI_GO_ON && n) rc = agree(w, verb, n);
  if (rc == CLI_GO_ON && !n && !w->c->json) puts("nothing to do: there is no such job");
  if (rc == CLI_GO_ON) rc = act_on_all(w, verb, jobs);
  json_decref(jobs);
  return rc;
}

/* ---- the command ---- */

static int check_report(struct wish *w, bool named) {
  struct ck_err err;
  int64_t now = ck_now_ms();
  w->since = now - SINCE_MS;
  if (named || w->status || w->platform || w->conversation || w->yes || w->anyway || w->until_text)
    return cli_usage_error(w->c, NULL, "report takes --since only");
  if (!w->since_text || ck_moment_parse(w->since_text, now, &w->since, &err) == 0) return CLI_GO_ON;
  return cli_usage_error(w->c, "--since", "%s", err.text);
}

static int check(struct wish *w, const struct verb *verb, bool named) {
  struct cli *c = w->c;
  if (!verb->run) return check_report(w, named);
  if (w->since_text) return cli_usage_error(c, "--since", "goes with report only");
  bool sends = verb->run == retry || verb->run == snooze, filters = w->platform || w->conversation;
  struct ck_err err;
  if (w->anyway && !sends) return cli_usage_error(c, "--anyway", "goes with retry and snooze only");
  if (named && (w->status || filters || w->yes))
    return cli_usage_error(c, NULL, "either a JOB, or --status and what narrows it down");
  if (!named && !verb->question) return cli_usage_error(c, NULL, "why needs a JOB or CONVERSATION");
  if (!named && !w->status)
    return cli_usage_error(c, NULL, "needs a JOB, or --status for all jobs that are in a state");
  if (verb->run != snooze)
    return w->until_text ? cli_usage_error(c, "--until", "goes with snooze only") : CLI_GO_ON;
  if (!w->until_text) return cli_usage_error(c, NULL, "snooze needs --until TIME");
  int64_t now = ck_now_ms();
  if (ck_moment_parse(w->until_text, now, &w->until, &err))
    return cli_usage_error(c, "--until", "%s", err.text);
  return w->until < now ? cli_usage_error(c, "--until", "has passed; retry makes a job due at once")
                        : CLI_GO_ON;
}

static int run(struct cli *c, int argc, char **argv) {
  struct wish w = {.c = c};
  int rc = cli_options(c, &argc, argv, &w);
  if (rc != CLI_GO_ON) return rc;
  const struct verb *verb = verbs;
  while (strcmp(verb->word, argv[1]) != 0) ++verb; /* it is one of the argument's choices */
  rc = check(&w, verb, argc > 2);
  if (rc == CLI_GO_ON) rc = cli_connect(c, false, CLI_PART(CLI_STORE));
  if (rc != CLI_GO_ON) return rc;
  if (!verb->run) return cli_jobs_report(c, w.since);
  return argc > 2 ? one(&w, verb, argv[2]) : many(&w, verb);
}

static const struct cli_argument arguments[] = {
    CLI_ARGUMENT("retry|cancel|snooze|why|report", CLI_CHOICE, 0),
    CLI_ARGUMENT("JOB|CONVERSATION", CLI_JOB, CLI_OPTIONAL),
    {0}};
static const struct cli_option options[] = {
    CLI_FLAG("anyway", struct wish, anyway,
             "retry, snooze: also a job that is superseded or stopped"),
    CLI_VALUE("until", CLI_TIME, "TIME", struct wish, until_text, "snooze: until when"),
    CLI_VALUE("since", CLI_TIME, "TIME", struct wish, since_text,
              "report: since when; 12 hours ago unless it is given"),
    CLI_VALUE("status", CLI_CHOICE, "pending|failed|waiting|stopped|running|unknown|superseded",
              struct wish, status, "all jobs in this state, instead of one"),
    CLI_VALUE("platform", CLI_PLATFORM, "PLATFORM", struct wish, platform,
              "of these only those of a platform's conversations"),
    CLI_VALUE("local-conversation-id", CLI_CONVERSATION, "CONVERSATION", struct wish, conversation,
              "of these only those of a conversation"),
    CLI_FLAG("yes", struct wish, yes, "does not ask"),
    {0}};

const struct cli_command cli_jobs = {
    "jobs",
    CLI_TO_FOLLOW_UP,
    "act on follow-ups, explain their state, report on a night",
    arguments,
    options,
    "  retry    A failed job gets all its attempts again; a waiting one is due now. One whose\n"
    "           outcome is unknown is sent again: look at the target first, it may have arrived.\n"
    "           It goes to the conversation's present target. A job that was delivered is never\n"
    "           sent again. One that is superseded (somebody answered, another message is the\n"
    "           last one, or the conversation is not on `auto`), or is stopped, is sent only with\n"
    "           --anyway.\n"
    "  cancel   A job that waits, or whose outcome is unknown, ends as failed. So does one that "
    "is\n"
    "           being delivered: its command is stopped, its transfer cut off, its client's lease\n"
    "           taken away. It may have arrived by then, and says so.\n"
    "  snooze   A job that waits is not due before --until TIME.\n"
    "  why      Shows what the job waits for, and each attempt that has ended: when, by which\n"
    "           channel, the result, and what comes next. With --json the attempts, one a line.\n"
    "           Of a CONVERSATION: why its last message gets no follow-up, and the command that\n"
    "           sends one.\n"
    "  report   What was delivered since a time, what stopped or failed and why, what waits.\n\n"
    "With --status instead of a JOB, all jobs in that state: it says how many, and asks once.\n"
    "`convkeep list jobs` shows the jobs.",
    run,
    NULL};
