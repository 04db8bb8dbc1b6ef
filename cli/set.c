/* convkeep set CONVERSATION --automation …: changes columns of one conversation. */
#include "cli/rows.h"

#include <stdlib.h>
#include <string.h>
#include "cli/out.h"
#include "cli/resolve.h"
#include "cli/stays.h"
#include "cli/target.h"
#include "cli/time.h"
#include "proto/clock.h"
#include "proto/conversation_change.h"
#include "proto/payload.h"

static int usage_error(const struct cli *c, const char *option, const char *reason) {
  char *name = ck_sprintf("--%s", option);
  int rc = cli_usage_error(c, name, "%s", reason);
  free(name);
  return rc;
}

/* Sets the column in row. *json is what it borrows. */
static int change_follow_ups(struct cli *c, const struct ck_conversation_change *change,
                             const json_t *conversation, struct ck_row *row, struct ck_buf *json) {
  struct ck_err bad, err;
  const char *option;
  int rc = ck_change_follow_ups(change, ck_str_of(cli_member(conversation, "renewal")), ck_now_ms(),
                                row, json, &bad, &option, &err);
  if (bad.text[0])
    cli_warn(c, cli_member(conversation, "local_conversation_id"),
             "%s; what is wrong there is left out", bad.text);
  return rc ? usage_error(c, option, err.text) : CLI_GO_ON;
}

/* ---- the answer ---- */

/* Appends the columns that were written, with the values that the record now has. */
static void add_settings(struct ck_buf *line, const struct ck_row *write, const json_t *row) {
  static const struct {
    int column;
    const char *word;
  } named[] = {{CK_CONVERSATIONS_AUTOMATION_STATUS, "automation"},
               {CK_CONVERSATIONS_TITLE, "title"},
               {CK_CONVERSATIONS_SUMMARY, "summary"},
               {CK_CONVERSATIONS_COOLDOWN_UNTIL, "cooldown until"}};
  const char *between = "";
  for (size_t i = 0; i < sizeof named / sizeof *named; ++i) {
    if (write->v[named[i].column].state == CK_LEFT_OUT) continue;
    const char *name = ck_tables[CK_CONVERSATIONS].fields[named[i].column].name;
    int64_t until = cli_member_int(row, name, INT64_MIN);
    ck_buf_printf(line, "%s%s ", between, named[i].word);
    if (until != INT64_MIN)
      cli_time_text(line, until);
    else
      cli_safe_text(line, ck_str_of(*cli_member(row, name) ? cli_member(row, name) : "none"),
                    false);
    between = ", ";
  }
  if (write->v[CK_CONVERSATIONS_RENEWAL].state == CK_LEFT_OUT) return;
  ck_buf_printf(line, "%sfollow-ups ", between);
  cli_follow_ups_text(line, row);
}

/* again: it was on auto already, and goes on if it was stopped. */
static int answer(struct cli *c, const char *id, const struct ck_row *write, char result,
                  bool again) {
  json_t *row;
  int rc = cli_query_one(c, "local_conversations", "local_conversation_id", id, &row);
  if (rc != CLI_GO_ON) return rc;
  if (c->json) {
    cli_record_line(CK_CONVERSATIONS, row);
  } else {
    struct ck_buf line = {0};
    cli_safe_text(&line, ck_str_of(id), false);
    ck_buf_text(&line, result == '=' ? ": already set: " : ": set: ");
    add_settings(&line, write, row);
    if (again) ck_buf_text(&line, "; " CLI_GOES_ON);
    ck_buf_text(&line, "\n");
    cli_print(&line);
    ck_buf_free(&line);
  }
  fflush(stdout);
  if (again || write->v[CK_CONVERSATIONS_RENEWAL].state != CK_LEFT_OUT) cli_warn_stopped(c, row);
  json_decref(row);
  return CLI_DONE;
}

/* On auto, but without a target that anything serves: the jobs will wait. */
static int warn_without_target(struct cli *c, const char *id) {
  char *snapshot, *missing;
  int rc = cli_target(c, id, &snapshot, &missing);
  if (missing) cli_warn(c, id, "it is on auto, but nothing can be sent yet: %s", missing);
  free(snapshot);
  free(missing);
  return rc;
}

static int write(struct cli *c, const json_t *conversation, struct ck_row *row) {
  char result;
  const char *id = cli_member(conversation, "local_conversation_id");
  row->table = CK_CONVERSATIONS;
  row->v[CK_CONVERSATIONS_LOCAL_CONVERSATION_ID] = ck_textz(id);
  bool again = ck_change_was(row, cli_member(conversation, "automation_status"));
  int rc = cli_write_row(c, CK_OP_UPDATE, row, id, &result);
  if (rc == CLI_GO_ON && again) rc = cli_go_on(c, id);
  if (rc == CLI_GO_ON) rc = answer(c, id, row, result, again);
  if (rc == CLI_DONE && ck_str_is(ck_row_text(row, CK_CONVERSATIONS_AUTOMATION_STATUS), "auto")) {
    fflush(stdout);
    if (warn_without_target(c, id) != CLI_GO_ON) rc = CLI_FAILED;
  }
  return rc;
}

static int apply(struct cli *c, const char *name, const struct ck_conversation_change *change,
                 struct ck_row *row) {
  json_t *conversation;
  struct ck_buf renewal = {0};
  int rc = cli_resolve(c, name, "conversation", &conversation);
  if (rc == CLI_GO_ON) rc = change_follow_ups(c, change, conversation, row, &renewal);
  if (rc == CLI_GO_ON) rc = write(c, conversation, row);
  ck_buf_free(&renewal);
  json_decref(conversation);
  return rc;
}

static int run(struct cli *c, int argc, char **argv) {
  struct ck_conversation_change change = {0};
  struct ck_row row = {0};
  struct ck_err err;
  const char *option;
  int rc = cli_options(c, &argc, argv, &change);
  if (rc != CLI_GO_ON) return rc;
  if (ck_change_check(&change, &option, &err)) return usage_error(c, option, err.text);
  if (!ck_changes_anything(&change))
    return cli_usage_error(c, argv[1], "nothing to change; name an option");
  if (ck_change_columns(&change, ck_now_ms(), &row, &option, &err))
    return usage_error(c, option, err.text);
  rc = cli_connect(c, false, CLI_PART(CLI_STORE));
  return rc == CLI_GO_ON ? apply(c, argv[1], &change, &row) : rc;
}

static const struct cli_argument arguments[] = {CLI_ARGUMENT("CONVERSATION", CLI_CONVERSATION, 0),
                                                {0}};
static const struct cli_option options[] = {
    CLI_VALUE("automation", CLI_CHOICE, "manual|auto|paused", struct ck_conversation_change,
              automation, "whether its messages get follow-ups"),
    CLI_VALUE("title", CLI_TEXT, "TEXT", struct ck_conversation_change, title,
              "an empty text clears it; the title is then the page's again"),
    CLI_VALUE("summary", CLI_TEXT, "TEXT", struct ck_conversation_change, summary,
              "an empty text clears it"),
    CLI_VALUE("cooldown-until", CLI_TIME, "TIME|none", struct ck_conversation_change, cooldown,
              "no automatic follow-up before that TIME"),
    CLI_VALUE("until", CLI_TIME, "TIME|none", struct ck_conversation_change, until,
              "no automatic follow-up from that TIME on"),
    CLI_VALUE("stop-after", CLI_NUMBER, "N|default", struct ck_conversation_change, after,
              "so many in a row with no person in between, instead of renew.in_a_row"),
    CLI_VALUE("stop-text", CLI_TEXT, "TEXT|default", struct ck_conversation_change, text,
              "stop at an answer that has this, instead of renew.stop_text; /…/ is a pattern; an "
              "empty text stops at none"),
    CLI_VALUE("stop-alike", CLI_NUMBER, "N|default", struct ck_conversation_change, alike,
              "stop after so many answers alike, instead of renew.alike; 0: never"),
    CLI_VALUE("stop-question", CLI_CHOICE, "yes|no|default", struct ck_conversation_change,
              question, "stop at a question, instead of what renew.question says"),
    CLI_VALUE("quiet", CLI_TEXT, "HOURS|default", struct ck_conversation_change, quiet,
              "none in these hours, instead of renew.quiet: 23:00-07:00, and perhaps a time zone; "
              "an empty text: at any hour"),
    CLI_VALUE("per-day", CLI_NUMBER, "N|default", struct ck_conversation_change, per_day,
              "so many within 24 hours, instead of renew.per_day; 0: any number"),
    CLI_VALUE(
        "cost-per-day", CLI_TEXT, "COST|default", struct ck_conversation_change, cost_per_day,
        "what its follow-ups may cost within 24 hours, as 2.5, instead of renew.cost_per_day; "
        "0: anything"),
    CLI_VALUE("tokens-per-day", CLI_NUMBER, "N|default", struct ck_conversation_change,
              tokens_per_day,
              "how many tokens they may use within 24 hours, instead of renew.tokens_per_day; 0: "
              "any number"),
    CLI_VALUE("payload", CLI_TEXT, "TEXT|default", struct ck_conversation_change, payload,
              "what a follow-up says, instead of renew.payload"),
    CLI_VALUE("payload-kind", CLI_CHOICE, CK_PAYLOAD_KINDS, struct ck_conversation_change,
              payload_kind,
              "what the payload is; text unless it is given; a template may have {title}, {last}, "
              "{count}, {date} and {time}"),
    CLI_VALUE("account", CLI_TEXT, "NAME|default", struct ck_conversation_change, account,
              "the account that its follow-ups are charged to, instead of the one that its target "
              "names"),
    {0}};

const struct cli_command cli_set = {
    "set",
    CLI_TO_FOLLOW_UP,
    "change a conversation",
    arguments,
    options,
    "CONVERSATION: " CLI_HELP_CONVERSATION "\n\n"
    "auto    each turn of the assistant that ends from now on gets a follow-up; a line on\n"
    "        standard error says so if nothing can be sent yet; if it was stopped, it goes on\n"
    "paused  no follow-up is made or delivered; jobs wait\n"
    "manual  no follow-up is made; jobs made by hand are delivered\n\n"
    "TIME: " CLI_HELP_TIME,
    run,
    NULL};
