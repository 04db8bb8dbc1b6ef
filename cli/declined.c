/* See declined.h. */
#include "cli/declined.h"

#include <string.h>

#include "cli/out.h"
#include "cli/resolve.h"
#include "cli/rows.h"
#include "cli/states.h"

#define LINES_MAX 5

/* Appends the text as one word of a shell's command. */
static void shell_word(struct ck_buf *b, const char *text) {
  ck_buf_text(b, "'");
  for (const char *p = text; *p; ++p) {
    if (*p == '\'')
      ck_buf_text(b, "'\\''");
    else
      ck_buf_add(b, p, 1);
  }
  ck_buf_text(b, "'");
}

static void add_command(struct ck_buf *b, const struct cli *c, const char *conversation) {
  ck_buf_text(b, "convkeep renew ");
  shell_word(b, conversation);
  ck_buf_text(b, " --payload ");
  shell_word(b, ck_set_text(c->settings, CK_SET_RENEW_PAYLOAD));
}

void cli_declined_lines(struct cli_table *t, const struct cli *c, const json_t *info) {
  const json_t *own = ck_renewd_info(info), *one, *list = json_object_get(own, "declined");
  int64_t count = cli_member_int(own, "declined_count", 0);
  struct ck_buf text = {0};
  size_t i;
  json_array_foreach(list, i, one) {
    if (i == LINES_MAX) break;
    ck_buf_printf(&text, "%s: %s; ", cli_member(one, "local_conversation_id"),
                  cli_member(one, "reason"));
    add_command(&text, c, cli_member(one, "local_conversation_id"));
    ck_buf_text(&text, " sends it");
    cli_line(t, i ? "" : "no follow-up", CLI_YELLOW, &text);
  }
  if (count > (int64_t)i) {
    ck_buf_printf(&text, "and %lld more; convkeep jobs why CONVERSATION",
                  (long long)count - (long long)i);
    cli_line(t, "", CLI_YELLOW, &text);
  }
  ck_buf_free(&text);
}

/* ---- jobs why CONVERSATION ---- */

static const char *declined_reason(const json_t *own, const char *conversation) {
  size_t i;
  const json_t *one;
  json_array_foreach(json_object_get(own, "declined"), i, one) {
    if (strcmp(cli_member(one, "local_conversation_id"), conversation) == 0)
      return cli_member(one, "reason");
  }
  return NULL;
}

/* As renewd sees it. */
static bool is_in_turn(const json_t *message, const char *turn) {
  const json_t *details = json_object_get(message, "details");
  json_t *own = json_is_string(details) ? json_loads(json_string_value(details), 0, NULL) : NULL;
  if (own) details = own;
  bool is = strcmp(cli_member(details, "turn"), turn) == 0 && !json_object_get(details, "waits");
  json_decref(own);
  return is;
}

static bool may_get_one(const json_t *message) {
  const char *role = cli_member(message, "role");
  return strcmp(role, "assistant") == 0 || strcmp(role, "model") == 0 ||
         is_in_turn(message, "failed");
}

/* Why its last message has no follow-up: the first reason that applies. */
static const char *reason_of(const json_t *conversation, const json_t *message, const json_t *own) {
  const char *status = cli_member(conversation, "automation_status");
  const char *declined = declined_reason(own, cli_member(conversation, "local_conversation_id"));
  if (strcmp(status, "auto") != 0)
    return strcmp(status, "paused") == 0 ? "it is paused; convkeep resume CONVERSATION continues it"
                                         : "it is not on auto; convkeep set --automation auto";
  if (!message) return "it has no last message";
  if (!may_get_one(message)) return "its last message is not the assistant's";
  if (declined) return declined;
  if (is_in_turn(message, "open")) return "its turn goes on";
  if (!own) return "renewd is not running; convkeep up starts it";
  return "its last message came before it was put on auto, or has not been unchanged for "
         "renew.delay yet";
}

struct why {
  const json_t *conversation;
  json_t *message, *job, *info;
};

static int ask(struct cli *c, struct why *w) {
  const char *last = cli_member(w->conversation, "last_message_id");
  int rc = cli_status_of(c, &w->info);
  if (rc == CLI_GO_ON && *last) rc = cli_query_one(c, "messages", "id", last, &w->message);
  if (rc == CLI_GO_ON && *last) rc = cli_query_one(c, "renewal_jobs", "message_id", last, &w->job);
  if (rc != CLI_GO_ON || !w->job) return rc;
  size_t unexplained;
  json_t *one = json_array();
  json_array_append(one, w->job);
  rc = cli_add_states(c, one, &unexplained);
  json_decref(one);
  return rc;
}

static void print_json(const struct why *w, const char *reason, const char *command) {
  json_t *o = json_object();
  static const char *const members[] = {"local_conversation_id", "automation_status",
                                        "last_message_id"};
  for (size_t i = 0; i < 3; ++i)
    json_object_set(o, members[i], json_object_get(w->conversation, members[i]));
  json_object_set_new(o, "job_id",
                      w->job ? json_string(cli_member(w->job, "job_id")) : json_null());
  json_object_set_new(o, "reason", reason ? json_string(reason) : json_null());
  json_object_set_new(o, "command", command ? json_string(command) : json_null());
  cli_json_line(o);
  json_decref(o);
}

static void add_job(struct ck_buf *b, const json_t *job) {
  const char *why = cli_member(job, "why");
  ck_buf_printf(b, "its last message has a follow-up, which is %s", cli_member(job, "state"));
  if (*why) ck_buf_text(b, ", ");
  cli_safe_text(b, ck_str_of(why), false);
  ck_buf_printf(b, ": convkeep jobs why %s\n", cli_member(job, "job_id"));
}

static void print_text(const struct why *w, const char *reason, const char *command) {
  struct ck_buf b = {0};
  cli_safe_text(&b, ck_str_of(cli_member(w->conversation, "local_conversation_id")), false);
  ck_buf_printf(&b, ": %s\n", cli_member(w->conversation, "automation_status"));
  if (w->job) add_job(&b, w->job);
  if (reason) ck_buf_printf(&b, "no follow-up: %s\n", reason);
  if (command) {
    cli_safe_text(&b, ck_str_of(command), false);
    ck_buf_text(&b, " sends one\n");
  }
  cli_print(&b);
  ck_buf_free(&b);
}

static void say(const struct cli *c, const struct why *w) {
  struct ck_buf command = {0};
  const char *reason =
      w->job ? NULL : reason_of(w->conversation, w->message, ck_renewd_info(w->info));
  if (!w->job && w->message)
    add_command(&command, c, cli_member(w->conversation, "local_conversation_id"));
  (c->json ? print_json : print_text)(w, reason, command.len ? ck_buf_cstr(&command) : NULL);
  ck_buf_free(&command);
}

int cli_why_conversation(struct cli *c, const char *name) {
  json_t *conversation;
  int rc = cli_resolve(c, name, "job or conversation", &conversation);
  if (rc != CLI_GO_ON) return rc;
  struct why w = {.conversation = conversation};
  rc = ask(c, &w);
  if (rc == CLI_GO_ON) say(c, &w);
  json_decref(w.message);
  json_decref(w.job);
  json_decref(w.info);
  json_decref(conversation);
  return rc == CLI_GO_ON ? CLI_DONE : rc;
}
