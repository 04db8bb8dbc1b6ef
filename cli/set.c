/* convkeep set CONVERSATION --automation …: changes columns of one conversation. */
#include "cli/rows.h"

#include <stdlib.h>
#include <string.h>
#include "cli/accounts.h"
#include "cli/out.h"
#include "cli/resolve.h"
#include "cli/stays.h"
#include "cli/target.h"
#include "cli/time.h"
#include "proto/check.h"
#include "proto/clock.h"
#include "proto/pattern.h"
#include "proto/renewal.h"

struct change {
  const char *automation, *title, *summary, *cooldown;
  /* Of the follow-ups; `default`: as the settings say. */
  const char *until, *after, *alike, *per_day, *text, *question, *quiet, *payload, *payload_kind,
      *account;
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

/* ---- follow-ups ---- */

static bool changes_renewal(const struct change *h) {
  return h->until || h->after || h->alike || h->per_day || h->text || h->question || h->quiet ||
         h->payload || h->payload_kind || h->account;
}

static bool is_default(const char *word) { return strcmp(word, "default") == 0; }

/* word: NULL changes nothing. least: of the number; `default` becomes `otherwise`. */
static int change_number(struct cli *c, const char *option, const char *word, int64_t least,
                         int64_t otherwise, int64_t *number) {
  char *end;
  if (!word) return CLI_GO_ON;
  *number = otherwise;
  if (is_default(word)) return CLI_GO_ON;
  *number = strtol(word, &end, 10);
  if (*word && !*end && *number >= least && *number <= CK_RENEWAL_NUMBER_MAX) return CLI_GO_ON;
  return cli_usage_error(c, option, "must be a number from %lld to %d, or default, not %s",
                         (long long)least, CK_RENEWAL_NUMBER_MAX, word);
}

static void change_text(const char *word, char **text) {
  if (!word) return;
  free(*text);
  *text = is_default(word) ? NULL : ck_strdup(word);
}

static int change_until(struct cli *c, const char *word, int64_t *until) {
  if (!word) return CLI_GO_ON;
  *until = 0;
  if (strcmp(word, "none") == 0) return CLI_GO_ON;
  int rc = cli_moment(c, "--until", word, until);
  if (rc != CLI_GO_ON || *until > 0) return rc;
  return cli_usage_error(c, "--until", "must be after 1970-01-01, or none, not %s", word);
}

static int change_payload(struct cli *c, const struct change *h, struct ck_renewal *r) {
  struct ck_err err;
  if (!h->payload) return CLI_GO_ON;
  change_text(h->payload, &r->payload);
  r->payload_kind = CK_PAYLOAD_TEXT;
  if (h->payload_kind)
    r->payload_kind = (enum ck_payload_kind)ck_payload_kind(ck_str_of(h->payload_kind));
  if (!r->payload || ck_payload_check(ck_str_of(r->payload), r->payload_kind, &err) == 0)
    return CLI_GO_ON;
  return cli_usage_error(c, "--payload", "%s", err.text);
}

/* What is not given stays as it was. */
static int change_renewal(struct cli *c, const struct change *h, struct ck_renewal *r) {
  struct ck_err err;
  if (h->text && !is_default(h->text) && ck_pattern_check(ck_str_of(h->text), &err))
    return cli_usage_error(c, "--stop-text", "%s", err.text);
  if (h->quiet && *h->quiet && !is_default(h->quiet) && ck_check_quiet(ck_str_of(h->quiet), &err))
    return cli_usage_error(c, "--quiet", "%s", err.text);
  int rc = change_until(c, h->until, &r->until);
  if (rc == CLI_GO_ON) rc = change_number(c, "--stop-after", h->after, 1, 0, &r->in_a_row);
  if (rc == CLI_GO_ON) rc = change_number(c, "--stop-alike", h->alike, 0, -1, &r->alike);
  if (rc == CLI_GO_ON) rc = change_number(c, "--per-day", h->per_day, 0, -1, &r->per_day);
  if (rc != CLI_GO_ON) return rc;
  if (h->question)
    r->question = is_default(h->question)           ? CK_AS_SET
                  : strcmp(h->question, "yes") == 0 ? CK_WISHED
                                                    : CK_UNWISHED;
  change_text(h->text, &r->text);
  change_text(h->quiet, &r->quiet);
  change_text(h->account, &r->account);
  return change_payload(c, h, r);
}

/* Sets the column in row. *json is what it borrows. */
static int change_follow_ups(struct cli *c, const struct change *h, const json_t *conversation,
                             struct ck_row *row, struct ck_buf *json) {
  struct ck_renewal r;
  struct ck_err err;
  if (!changes_renewal(h)) return CLI_GO_ON;
  if (ck_renewal_read(&r, ck_str_of(cli_member(conversation, "renewal")), &err))
    cli_warn(c, cli_member(conversation, "local_conversation_id"),
             "%s; what is wrong there is left out", err.text);
  int rc = change_renewal(c, h, &r);
  ck_renewal_json(json, &r);
  row->v[CK_CONVERSATIONS_RENEWAL] = json->len ? ck_text(ck_buf_view(json)) : ck_null();
  ck_renewal_free(&r);
  return rc;
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
  /* Already paused: keep its paused_at. */
  bool still = ck_str_is(ck_row_text(row, CK_CONVERSATIONS_AUTOMATION_STATUS), "paused") &&
               strcmp(cli_member(conversation, "automation_status"), "paused") == 0;
  if (still) row->v[CK_CONVERSATIONS_PAUSED_AT] = (struct ck_value){0};
  bool again = ck_str_is(ck_row_text(row, CK_CONVERSATIONS_AUTOMATION_STATUS), "auto") &&
               strcmp(cli_member(conversation, "automation_status"), "auto") == 0;
  int rc = cli_write_row(c, CK_OP_UPDATE, row, id, &result);
  if (rc == CLI_GO_ON && again) rc = cli_go_on(c, id);
  if (rc == CLI_GO_ON) rc = answer(c, id, row, result, again);
  if (rc == CLI_DONE && ck_str_is(ck_row_text(row, CK_CONVERSATIONS_AUTOMATION_STATUS), "auto")) {
    fflush(stdout);
    if (warn_without_target(c, id) != CLI_GO_ON) rc = CLI_FAILED;
  }
  return rc;
}

static int apply(struct cli *c, const char *name, const struct change *change, struct ck_row *row) {
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
  struct change change = {0};
  struct ck_row row = {0};
  int rc = cli_options(c, &argc, argv, &change);
  if (rc != CLI_GO_ON) return rc;
  if (change.payload_kind && (!change.payload || is_default(change.payload)))
    return cli_usage_error(c, "--payload-kind", "goes with --payload TEXT");
  if (change.account) rc = cli_account_check(c, "--account", change.account);
  if (rc != CLI_GO_ON) return rc;
  if (!change.automation && !change.title && !change.summary && !change.cooldown &&
      !changes_renewal(&change))
    return cli_usage_error(c, argv[1], "nothing to change; name an option");
  rc = change_row(c, &change, ck_now_ms(), &row);
  if (rc == CLI_GO_ON) rc = cli_connect(c, false, CLI_PART(CLI_STORE));
  return rc == CLI_GO_ON ? apply(c, argv[1], &change, &row) : rc;
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
    CLI_VALUE("until", CLI_TIME, "TIME|none", struct change, until,
              "no automatic follow-up from that TIME on"),
    CLI_VALUE("stop-after", CLI_NUMBER, "N|default", struct change, after,
              "so many in a row with no person in between, instead of renew.in_a_row"),
    CLI_VALUE("stop-text", CLI_TEXT, "TEXT|default", struct change, text,
              "stop at an answer that has this, instead of renew.stop_text; /…/ is a pattern; an "
              "empty text stops at none"),
    CLI_VALUE("stop-alike", CLI_NUMBER, "N|default", struct change, alike,
              "stop after so many answers alike, instead of renew.alike; 0: never"),
    CLI_VALUE("stop-question", CLI_CHOICE, "yes|no|default", struct change, question,
              "stop at a question, instead of what renew.question says"),
    CLI_VALUE("quiet", CLI_TEXT, "HOURS|default", struct change, quiet,
              "none in these hours, instead of renew.quiet: 23:00-07:00, and perhaps a time zone; "
              "an empty text: at any hour"),
    CLI_VALUE("per-day", CLI_NUMBER, "N|default", struct change, per_day,
              "so many within 24 hours, instead of renew.per_day; 0: any number"),
    CLI_VALUE("payload", CLI_TEXT, "TEXT|default", struct change, payload,
              "what a follow-up says, instead of renew.payload"),
    CLI_VALUE("payload-kind", CLI_CHOICE, CK_PAYLOAD_KINDS, struct change, payload_kind,
              "what the payload is; text unless it is given; a template may have {title}, {last}, "
              "{count}, {date} and {time}"),
    CLI_VALUE("account", CLI_TEXT, "NAME|default", struct change, account,
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
