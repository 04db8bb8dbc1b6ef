/* convkeep renew CONVERSATION --payload TEXT: makes a follow-up job by hand. */
#include "cli/rows.h"

#include <stdlib.h>
#include <string.h>
#include "cli/accounts.h"
#include "cli/ids.h"
#include "cli/out.h"
#include "cli/pauses.h"
#include "cli/resolve.h"
#include "cli/target.h"
#include "cli/time.h"
#include "proto/clock.h"

struct wish {
  const char *payload, *kind, *message, *at_text, *attempts;
  int64_t at, max_attempts;
  bool dry;
};

static int target_of(struct cli *c, const char *id, char **snapshot) {
  char *missing;
  int rc = cli_target(c, id, snapshot, &missing);
  if (missing && *snapshot) cli_warn(c, id, "the job has to wait: %s", missing);
  if (missing && !*snapshot) {
    cli_error(c, id, "no target: %s", missing);
    rc = CLI_FAILED;
  }
  free(missing);
  return rc;
}

static int answer(struct cli *c, const char *job_id) {
  json_t *row;
  int rc = cli_query_one(c, "renewal_jobs", "job_id", job_id, &row);
  if (rc != CLI_GO_ON) return rc;
  if (c->json) {
    cli_record_line(CK_JOBS, row);
  } else {
    struct ck_buf when = {0};
    cli_relative_text(&when, cli_member_int(row, "next_attempt_at", 0), ck_now_ms());
    printf("%s: due %s\n", job_id, ck_buf_cstr(&when));
    ck_buf_free(&when);
  }
  json_decref(row);
  return CLI_DONE;
}

static int put_job(struct cli *c, const char *conversation, const char *message,
                   const char *snapshot, const struct wish *w) {
  char random[33], job_id[sizeof CK_JOB_BY_HAND + 32], result;
  ck_random_id(random);
  snprintf(job_id, sizeof job_id, CK_JOB_BY_HAND "%s", random);
  struct ck_row row = {.table = CK_JOBS};
  row.v[CK_JOBS_JOB_ID] = ck_textz(job_id);
  row.v[CK_JOBS_LOCAL_CONVERSATION_ID] = ck_textz(conversation);
  row.v[CK_JOBS_MESSAGE_ID] = ck_textz(message);
  row.v[CK_JOBS_PAYLOAD] = ck_textz(w->payload);
  row.v[CK_JOBS_PAYLOAD_KIND] = ck_textz(w->kind);
  row.v[CK_JOBS_TARGET_SNAPSHOT] = ck_textz(snapshot);
  row.v[CK_JOBS_MAX_ATTEMPTS] = ck_int(w->max_attempts);
  row.v[CK_JOBS_NEXT_ATTEMPT_AT] = ck_int(w->at);
  int rc = cli_write_row(c, CK_OP_PUT, &row, conversation, &result);
  return rc == CLI_GO_ON ? answer(c, job_id) : rc;
}

/* A message is followed up at most once: if it has a job, reports that job and fails. */
static int refuse_second(struct cli *c, const char *message) {
  json_t *job;
  int rc = cli_query_one(c, "renewal_jobs", "message_id", message, &job);
  if (rc != CLI_GO_ON || !job) return rc;
  cli_error(c, message,
            "the message already has a follow-up, %s (%s); name another message with --message, or "
            "use convkeep jobs retry %s",
            cli_member(job, "job_id"), cli_member(job, "status"), cli_member(job, "job_id"));
  json_decref(job);
  return CLI_FAILED;
}

/* Whether the message belongs to the link's conversation: by the remote conversation id, or by the
 * page if the message has no such id. */
static bool link_has(const json_t *link, const json_t *message) {
  if (strcmp(cli_member(link, "platform"), cli_member(message, "platform")) != 0) return false;
  const char *remote = cli_member(message, "conversation_id");
  if (*remote) return strcmp(remote, cli_member(link, "remote_conversation_id")) == 0;
  struct ck_buf said = {0}, links = {0};
  cli_url_page(&said, ck_str_of(cli_member(message, "page_url")));
  cli_url_page(&links, ck_str_of(cli_member(link, "page_url")));
  bool same = said.len > 0 && ck_str_eq(ck_buf_view(&said), ck_buf_view(&links));
  ck_buf_free(&said);
  ck_buf_free(&links);
  return same;
}

/* Refuses a message of another conversation: a typing error must not use up its only follow-up. */
static int check_message(struct cli *c, const char *conversation, const char *id) {
  json_t *message, *links;
  const json_t *link;
  size_t i;
  bool is_its = false;
  struct cli_filter filter = {"local_conversation_id", conversation, 0};
  int rc = cli_query_one(c, "messages", "id", id, &message);
  if (rc == CLI_GO_ON && !message) {
    cli_error(c, id, "no such message; convkeep list messages shows them");
    return CLI_FAILED;
  }
  if (rc != CLI_GO_ON) return rc;
  rc = cli_query(c, &(struct cli_query){"conversation_links", &filter, 1, 1000, 0}, &links);
  if (rc == CLI_GO_ON) {
    json_array_foreach(links, i, link) is_its |= link_has(link, message);
    json_decref(links);
    if (!is_its) {
      cli_error(c, id, "this message belongs to another conversation (%s %s), not to %s",
                cli_member(message, "platform"), cli_member(message, "conversation_id"),
                conversation);
      rc = CLI_FAILED;
    }
  }
  json_decref(message);
  return rc;
}

/* Why the job would wait at first; empty: for its time alone. */
static int find_pause(struct cli *c, const json_t *conversation, const char *account,
                      struct ck_buf *why) {
  json_t *rows;
  int rc = cli_pauses(c, &rows);
  if (rc != CLI_GO_ON) return rc;
  const json_t *pause = cli_pause_of(rows, NULL, conversation, account);
  if (strcmp(cli_member(conversation, "automation_status"), "paused") == 0)
    ck_buf_text(why, "the conversation");
  else if (pause)
    cli_pause_text(why, pause);
  json_decref(rows);
  return rc;
}

/* Appends the account, until when it has a limit, and in which words. One without an end is tried
 * by a job that is made now. */
static int find_limit(struct cli *c, const char *account, struct ck_buf *why) {
  json_t *limit = NULL;
  if (!*account) return CLI_GO_ON;
  int rc = cli_query_one(c, "limits", "account", account, &limit);
  int64_t until = cli_member_int(limit, "until", 0);
  if (limit && !cli_member_int(limit, "over", 0) && until > ck_now_ms()) {
    cli_safe_text(why, ck_str_of(account), false);
    ck_buf_text(why, " until ");
    cli_time_text(why, until);
    ck_buf_text(why, ": ");
    cli_safe_text(why, ck_str_of(cli_member(limit, "reason")), false);
  }
  json_decref(limit);
  return rc;
}

static int show_job(struct cli *c, const json_t *conversation, const char *message,
                    const char *snapshot, const struct wish *w) {
  struct ck_buf when = {0}, paused = {0}, limited = {0};
  char *account = cli_account_of(conversation, snapshot);
  int rc = find_pause(c, conversation, account, &paused);
  if (rc == CLI_GO_ON) rc = find_limit(c, account, &limited);
  cli_time_text(&when, w->at);
  if (rc == CLI_GO_ON && c->json) {
    json_t *o = json_pack("{s:s, s:s, s:s, s:s, s:s, s:I, s:s?, s:s?}", "local_conversation_id",
                          cli_member(conversation, "local_conversation_id"), "message_id", message,
                          "payload", w->payload, "payload_kind", w->kind, "target_snapshot",
                          snapshot, "next_attempt_at", (json_int_t)w->at, "paused",
                          paused.len ? ck_buf_cstr(&paused) : NULL, "limited",
                          limited.len ? ck_buf_cstr(&limited) : NULL);
    cli_json_line(o);
    json_decref(o);
  } else if (rc == CLI_GO_ON) {
    struct ck_buf b = {0};
    ck_buf_printf(&b, "would be sent at %s, after %s, to ", ck_buf_cstr(&when), message);
    cli_safe_text(&b, ck_str_of(snapshot), false);
    ck_buf_text(&b, ": ");
    cli_safe_text(&b, ck_str_of(w->payload), false);
    if (paused.len) ck_buf_printf(&b, "; it waits, paused is %s", ck_buf_cstr(&paused));
    if (limited.len) ck_buf_printf(&b, "; it waits, limited is %s", ck_buf_cstr(&limited));
    ck_buf_text(&b, "; nothing was written\n");
    cli_print(&b);
    ck_buf_free(&b);
  }
  ck_buf_free(&when);
  ck_buf_free(&paused);
  ck_buf_free(&limited);
  free(account);
  return rc == CLI_GO_ON ? CLI_DONE : rc;
}

static int make_job(struct cli *c, const char *name, const struct wish *w) {
  json_t *conversation;
  char *snapshot = NULL;
  int rc = cli_resolve(c, name, "conversation", &conversation);
  if (rc != CLI_GO_ON) return rc;
  const char *id = cli_member(conversation, "local_conversation_id");
  const char *message = w->message ? w->message : cli_member(conversation, "last_message_id");
  if (!*message) {
    cli_error(c, id, "it has no last message to follow up; name one with --message");
    rc = CLI_FAILED;
  }
  if (rc == CLI_GO_ON && w->message &&
      strcmp(message, cli_member(conversation, "last_message_id")) != 0)
    rc = check_message(c, id, message);
  if (rc == CLI_GO_ON) rc = refuse_second(c, message);
  if (rc == CLI_GO_ON) rc = target_of(c, id, &snapshot);
  if (rc == CLI_GO_ON)
    rc = w->dry ? show_job(c, conversation, message, snapshot, w)
                : put_job(c, id, message, snapshot, w);
  free(snapshot);
  json_decref(conversation);
  return rc;
}

static int check_words(struct cli *c, struct wish *w) {
  if (!w->payload || !*w->payload) return cli_usage_error(c, "--payload", "it needs a text");
  if (!w->kind) w->kind = "text";
  if (strcmp(w->kind, "json") == 0) {
    json_error_t wrong;
    json_t *value = json_loads(w->payload, JSON_DECODE_ANY | JSON_ALLOW_NUL, &wrong);
    if (!value)
      return cli_usage_error(c, "--payload", "not valid JSON at byte %d: %s", wrong.position,
                             wrong.text);
    json_decref(value);
  }
  w->at = ck_now_ms();
  int rc = cli_moment(c, "--at", w->at_text, &w->at);
  return rc == CLI_GO_ON ? cli_number(c, "--max-attempts", w->attempts, 1, 1000, &w->max_attempts)
                         : rc;
}

static int run(struct cli *c, int argc, char **argv) {
  struct wish w = {0};
  char *message = NULL;
  int rc = cli_options(c, &argc, argv, &w);
  if (rc == CLI_GO_ON) rc = check_words(c, &w);
  if (rc == CLI_GO_ON) rc = cli_connect(c, false, CLI_PART(CLI_STORE));
  if (rc == CLI_GO_ON && w.message) rc = cli_id_of(c, CK_MESSAGES, w.message, &message);
  if (rc != CLI_GO_ON) return rc;
  if (message) w.message = message;
  if (!w.attempts) w.max_attempts = ck_set_int(c->settings, CK_SET_RENEW_MAX_ATTEMPTS);
  rc = make_job(c, argv[1], &w);
  free(message);
  return rc;
}

static const struct cli_argument arguments[] = {CLI_ARGUMENT("CONVERSATION", CLI_CONVERSATION, 0),
                                                {0}};
static const struct cli_option options[] = {
    {"payload", CLI_TEXT, "TEXT", offsetof(struct wish, payload), "what is sent", 0, CLI_REQUIRED},
    CLI_VALUE("at", CLI_TIME, "TIME", struct wish, at_text, "when; now unless it is given"),
    CLI_VALUE("payload-kind", CLI_CHOICE, "text|json", struct wish, kind,
              "json: the payload is JSON"),
    CLI_VALUE("message", CLI_MESSAGE, "ID", struct wish, message,
              "the message that is followed up; the last one unless it is given"),
    CLI_VALUE("max-attempts", CLI_NUMBER, "N", struct wish, attempts,
              "instead of renew.max_attempts"),
    CLI_FLAG("dry-run", struct wish, dry,
             "says what would be sent, when and where, and writes nothing"),
    {0}};

const struct cli_command cli_renew = {
    "renew",
    CLI_TO_FOLLOW_UP,
    "make a follow-up by hand",
    arguments,
    options,
    "The job follows up the conversation's last message, or the one given by --message. It is\n"
    "sent where the newest active link says, now or at TIME; if nothing can be sent there yet,\n"
    "a line on standard error says so, and the job waits. It is delivered while the conversation\n"
    "is on `manual` or `auto`, and waits while it is on `paused`. A message is followed up at\n"
    "most once.\n\n"
    "CONVERSATION: " CLI_HELP_CONVERSATION "\n\n"
    "TIME: " CLI_HELP_TIME,
    run,
    NULL};
