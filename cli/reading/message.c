/* See message.h. */
#include "cli/reading/message.h"

#include <stdlib.h>
#include "cli/out.h"
#include "cli/rows.h"
#include "proto/json.h"

void cli_message_of(struct cli_message *message, const json_t *object, const struct ck_step *step) {
  const json_t *executions = json_object_get(object, "executions");
  size_t n = json_array_size(executions);
  cli_row_of(&message->row, CK_MESSAGES, object);
  message->executions = ck_alloc(n * sizeof *message->executions);
  for (size_t i = 0; i < n; ++i)
    cli_row_of(&message->executions[i], CK_EXECUTIONS, json_array_get(executions, i));
  render_message_of(&message->m, &message->row, message->executions, n);
  message->m.placed = step->placed;
}

void cli_message_free(struct cli_message *message) {
  render_message_free(&message->m);
  free(message->executions);
}

void cli_conversation_begin(struct render *render, const json_t *conversation,
                            const struct cli_reading *r, size_t messages) {
  struct ck_row row, link = {.table = CK_LINKS};
  struct render_conversation of;
  const json_t *first = json_array_get(r->conversations, 0);
  cli_row_of(&row, CK_CONVERSATIONS, conversation);
  link.v[CK_LINKS_PAGE_URL] = ck_textz(cli_member(first, "page_url"));
  render_conversation_of(&of, &row, &link);
  of.question = ck_str_of(cli_member(conversation, "first_question"));
  of.messages = messages;
  of.branches = r->branch_count;
  render_begin(render, &of);
  render_conversation_free(&of);
}

static void put_list(json_t *out, json_t *rest, const char *name) {
  json_t *list = json_object_get(rest, name);
  json_object_set_new(out, name, list ? json_incref(list) : json_array());
  json_object_del(rest, name);
}

json_t *cli_message_json(const struct ck_step *step, size_t branches, const json_t *object) {
  struct cli_message message;
  cli_message_of(&message, object, step);
  const struct render_message *m = &message.m;
  json_t *out = ck_record_json(CK_MESSAGES, object), *rest = json_deep_copy(m->details),
         *executions = json_array(), *execution;
  size_t i;
  json_object_set_new(
      out, "branch",
      json_pack("{s:I, s:I}", "n", (json_int_t)step->branch, "of", (json_int_t)branches));
  json_object_set_new(out, "placed", json_boolean(step->placed));
  json_t *kind = json_object_get(rest, "kind"), *model = json_object_get(rest, "model");
  json_object_set_new(out, "kind", json_is_string(kind) ? json_incref(kind) : json_string("text"));
  json_object_set_new(out, "model", model ? json_incref(model) : json_null());
  put_list(out, rest, "thinking");
  put_list(out, rest, "attachments");
  put_list(out, rest, "citations");
  json_array_foreach(json_object_get(object, "executions"), i, execution)
      json_array_append_new(executions, ck_record_json(CK_EXECUTIONS, execution));
  json_object_set_new(out, "executions", executions);
  json_object_del(rest, "kind");
  json_object_del(rest, "model");
  json_object_set_new(out, "details", rest);
  cli_message_free(&message);
  return out;
}

size_t cli_messages_take_hidden(json_t *rows) {
  static const struct ck_step nowhere = {.placed = true};
  size_t hidden = 0;
  for (size_t i = 0; i < json_array_size(rows);) {
    struct cli_message message;
    cli_message_of(&message, json_array_get(rows, i), &nowhere);
    bool is = message.m.hidden;
    cli_message_free(&message);
    if (is) json_array_remove(rows, i);
    hidden += is;
    i += !is;
  }
  return hidden;
}
