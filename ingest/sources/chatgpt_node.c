/* What the message of a node says of itself. */
#include "ingest/sources/chatgpt.h"

#include <string.h>

#include "ingest/parse/json.h"

struct ck_str chatgpt_role(const struct chatgpt_node *node) {
  return ingest_json_text(json_object_get(node->message, "author"), "role");
}

struct ck_str chatgpt_content_type(const struct chatgpt_node *node) {
  return ingest_json_text(json_object_get(node->message, "content"), "content_type");
}

const json_t *chatgpt_metadata(const struct chatgpt_node *node, const char *name) {
  return json_object_get(json_object_get(node->message, "metadata"), name);
}

bool chatgpt_is_hidden(const struct chatgpt_node *node) {
  return json_is_true(chatgpt_metadata(node, "is_visually_hidden_from_conversation"));
}

const char *chatgpt_kind_of_type(struct ck_str type) {
  static const struct {
    const char *type, *kind;
  } kinds[] = {{"thoughts", "thinking"},
               {"reasoning_recap", "thinking"},
               {"user_editable_context", "context"},
               {"model_editable_context", "context"},
               {"system_error", "error"}};
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; ++i)
    if (ck_str_is(type, kinds[i].type)) return kinds[i].kind;
  return "";
}

bool chatgpt_may_come_between(const struct chatgpt_node *node) {
  return chatgpt_is_hidden(node) ||
         strcmp(chatgpt_kind_of_type(chatgpt_content_type(node)), "thinking") == 0;
}
