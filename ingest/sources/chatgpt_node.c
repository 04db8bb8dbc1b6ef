/* What the message of a node says of itself. */
#include "ingest/sources/chatgpt.h"

#include <string.h>

#include "ingest/parse/json.h"

void chatgpt_open(struct chatgpt *c, struct chatgpt_node *node) {
  node->json = ingest_outline_child(c->outline, node->value);
  json_t *message = json_object_get(node->json, "message");
  node->message = json_is_object(message) ? message : NULL;
}

void chatgpt_close(struct chatgpt_node *node) {
  json_decref(node->json);
  node->json = NULL;
  node->message = NULL;
}

const json_t *chatgpt_metadata(const struct chatgpt_node *node, const char *name) {
  return json_object_get(json_object_get(node->message, "metadata"), name);
}

/* What lasts longer than the node is open. */
static struct ck_str lasting(struct chatgpt *c, struct ck_str s) {
  return c->outline && s.n ? ck_arena_copy(&c->arena, s) : s;
}

/* The same for a name that is, as a rule, a key of the mapping. */
static struct ck_str lasting_key(struct chatgpt *c, struct ck_str s) {
  void *iter = c->outline && s.n ? json_object_iter_at((json_t *)(uintptr_t)c->mapping, s.s) : NULL;
  const char *key = iter ? json_object_iter_key(iter) : NULL;
  return key && ck_str_is(s, key) ? ck_str_of(key) : lasting(c, s);
}

static void read_parent(struct chatgpt *c, struct chatgpt_node *node) {
  struct ck_str id = ingest_json_id(node->json, "parent", &c->arena);
  node->parent_text = lasting_key(c, ingest_json_text(node->json, "parent"));
  node->parent_id = ck_str_eq(id, node->parent_text) ? node->parent_text : lasting(c, id);
}

static bool same_label(const struct chatgpt_label *a, const struct chatgpt_label *b) {
  return ck_str_eq(a->role, b->role) && ck_str_eq(a->author, b->author) &&
         ck_str_eq(a->recipient, b->recipient) && ck_str_eq(a->type, b->type);
}

static const struct chatgpt_label *label_of(struct chatgpt *c, const json_t *message) {
  const json_t *author = json_object_get(message, "author");
  struct chatgpt_label label = {
      .role = ingest_json_text(author, "role"),
      .author = ck_trim(ingest_json_text(author, "name")),
      .recipient = ck_trim(ingest_json_text(message, "recipient")),
      .type = ingest_json_text(json_object_get(message, "content"), "content_type")};
  for (size_t i = 0; i < CHATGPT_LABELS && c->labels[i]; ++i)
    if (same_label(c->labels[i], &label)) return c->labels[i];
  struct chatgpt_label *made = ck_arena_get(&c->arena, sizeof *made);
  *made = (struct chatgpt_label){lasting(c, label.role), lasting(c, label.author),
                                 lasting(c, label.recipient), lasting(c, label.type)};
  c->labels[c->label_count++ % CHATGPT_LABELS] = made;
  return made;
}

static void read_origin(struct chatgpt *c, struct chatgpt_node *node) {
  struct ck_str from =
      ck_trim(ingest_json_str(chatgpt_metadata(node, "branching_from_conversation_id")));
  if (!from.n) return;
  struct chatgpt_origin *origin = ck_arena_get(&c->arena, sizeof *origin);
  origin->conversation = lasting(c, from);
  origin->title = lasting(
      c, ck_trim(ingest_json_str(chatgpt_metadata(node, "branching_from_conversation_title"))));
  origin->message =
      lasting(c, ingest_json_str(chatgpt_metadata(node, "branching_from_message_id")));
  node->origin = origin;
}

static int64_t told_time(const json_t *message) {
  int64_t at;
  return ingest_json_time(json_object_get(message, "create_time"), &at) ? at : INGEST_NO_TIME;
}

void chatgpt_read_node(struct chatgpt *c, struct chatgpt_node *node) {
  const json_t *message = node->message;
  read_parent(c, node);
  node->told = told_time(message);
  node->kept = message != NULL;
  if (!message) return;
  struct ck_str id = ingest_json_id(message, "id", &c->arena);
  bool is_key = !id.n || ck_str_is(id, node->key);
  node->id = node->source_id = is_key ? ck_str_of(node->key) : lasting(c, id);
  node->label = label_of(c, message);
  node->hidden = json_is_true(chatgpt_metadata(node, "is_visually_hidden_from_conversation"));
  read_origin(c, node);
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
  return node->hidden || strcmp(chatgpt_kind_of_type(node->label->type), "thinking") == 0;
}
