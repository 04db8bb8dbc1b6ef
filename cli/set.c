/* convkeep set CONVERSATION --automation …: changes columns of one conversation. */
#include "cli/rows.h"

#include <stdlib.h>
#include <string.h>
#include "cli/out.h"
#include "cli/resolve.h"
#include "cli/target.h"
#include "cli/time.h"
#include "proto/clock.h"

struct change {
  const char *automation, *title, *summary, *cooldown;
};

/* An empty text clears what the owner gave. */
static struct ck_value text_or_null(const char *text) { return *text ? ck_textz(text) : ck_null(); }

/* Fills row with the columns to change; the others stay CK_LEFT_OUT. */
static int change_row(struct cli *c, const struct change *change, int64_t now, struct ck_row *row) {
  int64_t until = 0;
  if (change->automation) {
    row->v[CK_CONVERSATIONS_AUTOMATION_STATUS] = ck_textz(change->automation);
    row->v[CK_CONVERSATIONS_PAUSED_AT] =
        strcmp(change->automation, "paused") == 0 ? ck_int(now) : ck_null();
  }
  if (change->title) row->v[CK_CONVERSATIONS_TITLE] = text_or_null(change->title);
  if (change->summary) row->v[CK_CONVERSATIONS_SUMMARY] = text_or_null(change->summary);
  if (!change->cooldown) return CLI_GO_ON;
  if (strcmp(change->cooldown, "none") == 0) {
    row->v[CK_CONVERSATIONS_COOLDOWN_UNTIL] = ck_null();
    return CLI_GO_ON;
  }
  int rc = cli_moment(c, "--cooldown-until", change->cooldown, &until);
  row->v[CK_CONVERSATIONS_COOLDOWN_UNTIL] = ck_int(until);
  return rc;
}

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
    if (again) ck_buf_text(&line, "; its deliveries in a row count from now on");
    ck_buf_text(&line, "\n");
    cli_print(&line);
    ck_buf_free(&line);
  }
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

static int apply(struct cli *c, const char *name, struct ck_row *row) {
  json_t *conversation;
  char result;
  int rc = cli_resolve(c, name, "conversation", &conversation);
  if (rc != CLI_GO_ON) return rc;
  const char *id = cli_member(conversation, "local_conversation_id");
  row->table = CK_CONVERSATIONS;
  row->v[CK_CONVERSATIONS_LOCAL_CONVERSATION_ID] = ck_textz(id);
  /* Already paused: keep its paused_at. */
  bool still = ck_str_is(ck_row_text(row, CK_CONVERSATIONS_AUTOMATION_STATUS), "paused") &&
               strcmp(cli_member(conversation, "automation_status"), "paused") == 0;
  if (still) row->v[CK_CONVERSATIONS_PAUSED_AT] = (struct ck_value){0};
  bool again = ck_str_is(ck_row_text(row, CK_CONVERSATIONS_AUTOMATION_STATUS), "auto") &&
               strcmp(cli_member(conversation, "automation_status"), "auto") == 0;
  rc = cli_write_row(c, CK_OP_UPDATE, row, id, &result);
  if (rc == CLI_GO_ON && again) rc = cli_go_on(c, id);
  if (rc == CLI_GO_ON) rc = answer(c, id, row, result, again);
  if (rc == CLI_DONE && ck_str_is(ck_row_text(row, CK_CONVERSATIONS_AUTOMATION_STATUS), "auto")) {
    fflush(stdout);
    if (warn_without_target(c, id) != CLI_GO_ON) rc = CLI_FAILED;
  }
  json_decref(conversation);
  return rc;
}

static int run(struct cli *c, int argc, char **argv) {
  struct change change = {0};
  struct ck_row row = {0};
  int rc = cli_options(c, &argc, argv, &change);
  if (rc != CLI_GO_ON) return rc;
  if (!change.automation && !change.title && !change.summary && !change.cooldown)
    return cli_usage_error(c, argv[1], "nothing to change; name an option");
  rc = change_row(c, &change, ck_now_ms(), &row);
  if (rc == CLI_GO_ON) rc = cli_connect(c, false, CLI_PART(CLI_STORE));
  return rc == CLI_GO_ON ? apply(c, argv[1], &row) : rc;
}

static const struct cli_argument arguments[] = {CLI_ARGUMENT("CONVERSATION", CLI_CONVERSATION, 0),
                                                {0}};
static const struct cli_option options[] = {
    CLI_VALUE("automation", CLI_CHOICE, "manual|auto|paused", struct change, automation,
              "whether its messages get follow-ups"),
    CLI_VALUE("title", CLI_TEXT, "TEXT", struct change, title,
              "an empty text clears it; the title is then the page's again"),
    CLI_VALUE("summary", CLI_TEXT, "TEXT", struct change, summary, "an empty text clears it"),
    CLI_VALUE("cooldown-until", CLI_TIME, "TIME|none", struct change, cooldown,
              "no automatic follow-up before that TIME"),
    {0}};

const struct cli_command cli_set = {
    "set",
    CLI_TO_FOLLOW_UP,
    "change a conversation",
    arguments,
    options,
    "CONVERSATION: " CLI_HELP_CONVERSATION "\n\n"
    "auto    each turn of the assistant that ends from now on gets a follow-up; a line on\n"
    "        standard error says so if nothing can be sent yet; if it was stopped after\n"
    "        renew.in_a_row deliveries, it goes on\n"
    "paused  no follow-up is made or delivered; jobs wait\n"
    "manual  no follow-up is made; jobs made by hand are delivered\n\n"
    "TIME: " CLI_HELP_TIME,
    run,
    NULL};
