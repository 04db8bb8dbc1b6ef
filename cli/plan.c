/* convkeep plan: what would be sent until a time, when, where, what holds it, which rule ends it.
 * A renewd of its own finds that out, and writes nothing (renewd/plan.c). */
#include "cli/rows.h"

#include <stdlib.h>
#include <string.h>
#include "cli/daemon_task.h"
#include "cli/ids.h"
#include "cli/out.h"
#include "cli/time.h"
#include "proto/calendar.h"
#include "proto/clock.h"
#include "proto/cost.h"
#include "proto/job_words.h"
#include "proto/renewal.h"

#define AHEAD_MS CK_DAY_MS /* unless --until is given */

struct wish {
  const char *until;
};

struct plan {
  struct cli *c;
  json_t *goes, *waits;
};

static void take(void *self, const char *name, const json_t *value) {
  struct plan *p = self;
  json_t *copy = json_deep_copy(value);
  if (strcmp(name, "goes") == 0) json_array_append(p->goes, copy);
  if (strcmp(name, "waits") == 0) json_array_append(p->waits, copy);
  json_decref(copy);
}

/* ---- what is known besides ---- */

static void another(struct ck_buf *b) {
  if (b->len) ck_buf_text(b, ", ");
}

static void add_budget(const struct cli *c, struct ck_buf *b, const struct ck_renewal *own) {
  int64_t cost = own->cost_per_day, tokens = own->tokens_per_day;
  if (tokens < 0) tokens = ck_set_int(c->settings, CK_SET_RENEW_TOKENS_PER_DAY);
  if (cost < 0 &&
      ck_cost_parse(ck_str_of(ck_set_text(c->settings, CK_SET_RENEW_COST_PER_DAY)), &cost, NULL))
    cost = 0;
  if (cost) ck_buf_text(b, ", a cost of ");
  if (cost) ck_cost_text(b, cost);
  if (cost) ck_buf_text(b, " a day");
  if (tokens) ck_buf_printf(b, ", %lld tokens a day", (long long)tokens);
}

/* Those that look at the answers. */
static void add_answers(const struct cli *c, struct ck_buf *b, const struct ck_renewal *own) {
  bool question = own->question == CK_AS_SET ? ck_set_int(c->settings, CK_SET_RENEW_QUESTION) == 0
                                             : own->question == CK_WISHED;
  int64_t alike = own->alike;
  if (alike < 0) alike = ck_set_int(c->settings, CK_SET_RENEW_ALIKE);
  if (alike) ck_buf_printf(b, ", %lld alike", (long long)alike);
  if (question) ck_buf_text(b, ", a question");
}

/* Appends the rules by which the conversation's automatic follow-ups end. */
static void add_rules(const struct cli *c, struct ck_buf *b, const json_t *conversation) {
  struct ck_renewal own;
  struct ck_err err;
  ck_renewal_read(&own, ck_str_of(cli_member(conversation, "renewal")), &err);
  int64_t per_day = own.per_day >= 0 ? own.per_day : ck_set_int(c->settings, CK_SET_RENEW_PER_DAY);
  const char *text = own.text ? own.text : ck_set_text(c->settings, CK_SET_RENEW_STOP_TEXT),
             *quiet = own.quiet ? own.quiet : ck_set_text(c->settings, CK_SET_RENEW_QUIET);
  if (own.until) {
    ck_buf_text(b, "until ");
    cli_minute_text(b, own.until);
  }
  int64_t in_a_row = own.in_a_row ? own.in_a_row : ck_set_int(c->settings, CK_SET_RENEW_IN_A_ROW);
  another(b);
  ck_buf_printf(b, "%lld in a row", (long long)in_a_row);
  add_answers(c, b, &own);
  if (per_day) ck_buf_printf(b, ", %lld a day", (long long)per_day);
  add_budget(c, b, &own);
  if (text && *text) ck_buf_printf(b, ", text %s", text);
  if (quiet && *quiet) ck_buf_printf(b, ", quiet %s", quiet);
  ck_renewal_free(&own);
}

/* Adds to each what its conversation says: `title`, `platform`, and `ends` if it is automatic. */
static int add_conversations(struct cli *c, json_t *lines) {
  size_t i;
  json_t *line;
  json_array_foreach(lines, i, line) {
    json_t *row;
    struct ck_buf ends = {0};
    int rc = cli_query_one(c, "local_conversations", "local_conversation_id",
                           cli_member(line, "local_conversation_id"), &row);
    if (rc != CLI_GO_ON) return rc;
    json_object_set_new(line, "title", json_string(cli_member(row, "title")));
    if (json_is_true(json_object_get(line, "automatic"))) add_rules(c, &ends, row);
    json_object_set_new(line, "ends", ends.len ? json_string(ck_buf_cstr(&ends)) : json_null());
    ck_buf_free(&ends);
    json_decref(row);
  }
  return CLI_GO_ON;
}

/* ---- for people ---- */

static void cell(struct cli_table *t, enum cli_style style, const char *text) {
  cli_table_cell(t, style, ck_str_of(text));
}

static void conversation_cell(struct cli_table *t, const json_t *line) {
  const char *title = cli_member(line, "title");
  cell(t, CLI_PLAIN, *title ? title : cli_member(line, "local_conversation_id"));
}

static void where_cell(struct cli_table *t, const json_t *line) {
  struct ck_buf b = {0};
  ck_job_place(&b, ck_str_of(cli_member(line, "snapshot")));
  cli_table_cell(t, CLI_PLAIN, ck_buf_view(&b));
  ck_buf_free(&b);
}

static void print_goes(const json_t *lines) {
  static const char *const titles[] = {"=when", "conversation", "where", "~what", "ends"};
  struct cli_table *t = cli_table_new(5, titles);
  struct ck_buf when = {0};
  size_t i;
  const json_t *line;
  json_array_foreach(lines, i, line) {
    ck_buf_clear(&when);
    cli_time_text(&when, cli_member_int(line, "at", 0));
    cli_table_cell(t, CLI_DIM, ck_buf_view(&when));
    conversation_cell(t, line);
    where_cell(t, line);
    cell(t, CLI_PLAIN, cli_member(line, "payload"));
    cell(t, CLI_DIM, cli_member(line, "ends"));
  }
  cli_table_print(&t);
  ck_buf_free(&when);
}

static void print_waits(const json_t *lines) {
  static const char *const titles[] = {"waits", "conversation", "=job", "~why"};
  struct cli_table *t = cli_table_new(4, titles);
  struct ck_buf why = {0};
  size_t i;
  const json_t *line;
  json_array_foreach(lines, i, line) {
    int64_t due = cli_member_int(line, "due", 0), until = cli_member_int(line, "until", 0);
    ck_buf_clear(&why);
    ck_buf_text(&why, cli_member(line, "reason"));
    if (until || (!why.len && due)) {
      ck_buf_text(&why, why.len ? ", until " : until ? "until " : "due ");
      cli_time_text(&why, until ? until : due);
    }
    cell(t, CLI_YELLOW, cli_member(line, "state"));
    conversation_cell(t, line);
    cell(t, CLI_DIM, cli_member(line, "short"));
    cli_table_cell(t, CLI_PLAIN, ck_buf_view(&why));
  }
  cli_table_print(&t);
  ck_buf_free(&why);
}

static void print_all(const struct plan *p, int64_t until) {
  struct ck_buf b = {0};
  if (json_array_size(p->goes)) print_goes(p->goes);
  if (json_array_size(p->goes)) puts("");
  if (json_array_size(p->waits)) print_waits(p->waits);
  if (json_array_size(p->waits)) puts("");
  ck_buf_printf(&b, "%zu %s until ", json_array_size(p->goes),
                ck_noun(json_array_size(p->goes), "delivery", "deliveries"));
  cli_time_text(&b, until);
  ck_buf_text(&b, json_array_size(p->goes) ? "\nAfter each, its conversation waits for an answer.\n"
                                           : "\n");
  cli_print(&b);
  ck_buf_free(&b);
}

static void print_json(const struct plan *p) {
  size_t i;
  json_t *line;
  json_array_foreach(p->goes, i, line) {
    json_object_set_new(line, "state", json_string("goes"));
    cli_json_line(line);
  }
  json_array_foreach(p->waits, i, line) cli_json_line(line);
}

/* ---- the command ---- */

static int make(struct plan *p, int64_t until) {
  char number[32];
  json_t *result = NULL;
  snprintf(number, sizeof number, "%lld", (long long)until);
  const char *const words[] = {"--", "plan", number, NULL};
  const struct cli_daemon_task task = {
      .daemon = "renewd", .words = words, .label = "plan", .line = take, .self = p};
  int rc = cli_daemon_task(p->c, &task, &result);
  json_decref(result);
  if (rc == CLI_GO_ON) rc = add_conversations(p->c, p->goes);
  return rc == CLI_GO_ON ? add_conversations(p->c, p->waits) : rc;
}

static int run(struct cli *c, int argc, char **argv) {
  struct wish w = {0};
  struct plan p = {c, json_array(), json_array()};
  int64_t now = ck_now_ms(), until = now + AHEAD_MS;
  int rc = cli_options(c, &argc, argv, &w);
  if (rc == CLI_GO_ON) rc = cli_moment(c, "--until", w.until, &until);
  if (rc == CLI_GO_ON && until <= now) rc = cli_usage_error(c, "--until", "has passed");
  if (rc == CLI_GO_ON) rc = cli_connect(c, false, CLI_PART(CLI_STORE));
  if (rc == CLI_GO_ON) rc = make(&p, until);
  if (rc == CLI_GO_ON && c->json) print_json(&p);
  if (rc == CLI_GO_ON && !c->json) rc = cli_ids_shorten(c, p.waits, "job_id", "short", CK_JOBS);
  if (rc == CLI_GO_ON && !c->json) print_all(&p, until);
  json_decref(p.goes);
  json_decref(p.waits);
  return rc == CLI_GO_ON ? CLI_DONE : rc;
}

static const struct cli_option options[] = {
    CLI_VALUE("until", CLI_TIME, "TIME", struct wish, until,
              "up to then; 24 hours from now unless it is given"),
    {0}};

const struct cli_command cli_plan = {
    "plan",
    CLI_TO_FOLLOW_UP,
    "what would be sent, when and where, and what waits for what",
    NULL,
    options,
    "Nothing is sent or written. What is shown is what renewd would do if nobody said anything: "
    "in\n"
    "the order of time, where each follow-up would go, what it would say, and by which rules the\n"
    "conversation's follow-ups end; then each job that would still wait, and what holds it. After\n"
    "a delivery a conversation waits for an answer, so only its next one is known.\n\n"
    "TIME: " CLI_HELP_TIME,
    run,
    NULL};
