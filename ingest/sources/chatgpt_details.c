/* What a message and a conversation say beyond the mirrored columns, as docs/formats.md lists it.
 */
#include "ingest/sources/chatgpt.h"

#include "ingest/parse/json.h"

/* ---- of a message ---- */

/* Somebody's words, which may have pictures among them. */
static bool is_plain(struct ck_str type) {
  return ck_str_is(type, "text") || ck_str_is(type, "multimodal_text");
}

static const char *kind_of(const struct chatgpt_node *node) {
  struct ck_str type = node->label->type;
  const char *kind = chatgpt_kind_of_type(type);
  if (chatgpt_is_call(node)) return "call";
  if (*kind) return kind;
  if (!chatgpt_knows_type(type)) return "other";
  if (chatgpt_is_result(node)) return "result";
  return ck_str_is(node->label->role, "system") ? "context" : "";
}

/* ---- attachments ---- */

struct attachments {
  struct ck_buf *b;
  bool any;
  const json_t *named; /* the message's own list, whose files are not listed again */
};

static void open_attachment(struct attachments *a) {
  if (!a->any) ingest_details_list(a->b, "attachments");
  a->any = true;
  ingest_details_item(a->b);
}

static struct ck_str file_of(const json_t *attachment) {
  struct ck_str file = ingest_json_text(attachment, "file_id");
  return file.n ? file : ingest_json_text(attachment, "id");
}

static void add_size(struct ck_buf *b, const json_t *size) {
  if (json_is_integer(size)) ingest_details_int(b, "size", json_integer_value(size));
}

static void add_named(struct attachments *a) {
  for (size_t i = 0; i < json_array_size(a->named); ++i) {
    const json_t *attachment = json_array_get(a->named, i);
    if (!json_is_object(attachment)) continue;
    open_attachment(a);
    ingest_details_text(a->b, "name", ingest_json_text(attachment, "name"));
    ingest_details_text(a->b, "type", ingest_json_text(attachment, "mime_type"));
    add_size(a->b, json_object_get(attachment, "size"));
    ingest_details_text(a->b, "file", file_of(attachment));
    ingest_details_item_end(a->b);
  }
}

static bool is_named(const struct attachments *a, struct ck_str file) {
  size_t n = json_array_size(a->named);
  for (size_t i = 0; i < n && i < 64; ++i)
    if (ck_str_eq(file_of(json_array_get(a->named, i)), file)) return true;
  return false;
}

/* A generated image has the words that it was made from. */
static struct ck_str prompt_of(const json_t *part) {
  const json_t *metadata = json_object_get(part, "metadata");
  return ingest_json_text(json_object_get(metadata, "dalle"), "prompt");
}

static void add_pointed(struct attachments *a, const json_t *part) {
  struct ck_str file = chatgpt_pointer(part);
  const json_t *inner = json_object_get(part, "audio_asset_pointer");
  if (!file.n || is_named(a, file)) return;
  open_attachment(a);
  ingest_details_text(a->b, "type", ck_str_of(chatgpt_asset_word(part)));
  add_size(a->b, json_object_get(inner ? inner : part, "size_bytes"));
  ingest_details_text(a->b, "file", file);
  ingest_details_text(a->b, "prompt", prompt_of(part));
  ingest_details_item_end(a->b);
}

/* A program's output names the pictures that it drew. */
static void add_drawn(struct attachments *a, const json_t *output) {
  struct ck_str pointer = ingest_json_text(output, "image_url");
  json_t *part = pointer.n ? json_pack("{s:s%,s:s}", "asset_pointer", pointer.s, pointer.n,
                                       "content_type", "image_asset_pointer")
                           : NULL;
  if (part) add_pointed(a, part);
  json_decref(part);
}

static void add_attachments(struct ck_buf *b, const struct chatgpt_node *node) {
  const json_t *content = json_object_get(node->message, "content"),
               *parts = json_object_get(content, "parts"),
               *outputs = json_object_get(chatgpt_metadata(node, "aggregate_result"), "messages");
  struct attachments a = {.b = b, .named = chatgpt_metadata(node, "attachments")};
  add_named(&a);
  for (size_t i = 0; i < json_array_size(parts); ++i) add_pointed(&a, json_array_get(parts, i));
  add_pointed(&a, json_object_get(content, "screenshot"));
  for (size_t i = 0; i < json_array_size(outputs); ++i) add_drawn(&a, json_array_get(outputs, i));
  if (a.any) ingest_details_list_end(b);
}

/* ---- the whole ---- */

static void add_texts(struct ck_buf *b, const struct chatgpt_node *node) {
  const json_t *author = json_object_get(node->message, "author"),
               *content = json_object_get(node->message, "content");
  struct ck_str type = node->label->type, status = ingest_json_text(node->message, "status"),
                language = ingest_json_text(content, "language");
  ingest_details_text(b, "kind", ck_str_of(kind_of(node)));
  if (!is_plain(type)) ingest_details_text(b, "type", type);
  ingest_details_text(b, "model", ingest_json_str(chatgpt_metadata(node, "model_slug")));
  ingest_details_text(b, "channel", ingest_json_text(node->message, "channel"));
  ingest_details_text(b, "name", ingest_json_text(author, "name"));
  if (!ck_str_is(language, "unknown")) ingest_details_text(b, "language", language);
  if (!ck_str_is(status, "finished_successfully")) ingest_details_text(b, "status", status);
}

static void add_flags(struct ck_buf *b, const struct chatgpt_node *node) {
  const json_t *weight = json_object_get(node->message, "weight");
  ingest_details_true(b, "hidden", node->hidden);
  if (json_is_number(weight) && !(json_number_value(weight) > 0))
    ingest_details_int(b, "weight", 0);
  if (node->told == INGEST_NO_TIME) ingest_details_false(b, "time_known");
  ingest_details_time(b, "updated_at", json_object_get(node->message, "update_time"));
}

static void add_place(struct ck_buf *b, const struct chatgpt_node *node) {
  if (!ck_str_eq(node->id, node->source_id)) ingest_details_text(b, "source_id", node->source_id);
  if (!ck_str_is(node->source_id, node->key)) ingest_details_text(b, "place", ck_str_of(node->key));
}

struct ck_str chatgpt_message_details(struct chatgpt *c, const struct chatgpt_node *node,
                                      struct ck_str text) {
  struct ck_buf b = {0};
  add_texts(&b, node);
  add_flags(&b, node);
  add_attachments(&b, node);
  chatgpt_add_citations(&b, node, text);
  ingest_details_json(&b, "canvas", chatgpt_metadata(node, "canvas"));
  ingest_details_text(&b, "async_task_title",
                      ingest_json_str(chatgpt_metadata(node, "async_task_title")));
  add_place(&b, node);
  return ingest_details_end(&b, &c->one);
}

/* ---- of the conversation ---- */

/* A project is a gizmo as a custom GPT is, of a type of its own. */
static void add_gizmo(struct ck_buf *b, const json_t *conversation) {
  struct ck_str gizmo = ck_trim(ingest_json_text(conversation, "gizmo_id"));
  if (!gizmo.n) gizmo = ck_trim(ingest_json_text(conversation, "conversation_template_id"));
  bool project = ck_str_starts(gizmo, "g-p-") ||
                 ck_str_is(ingest_json_text(conversation, "gizmo_type"), "snorlax");
  ingest_details_text(b, project ? "project" : "gizmo", gizmo);
  ingest_details_text(b, "project_name", ck_trim(ingest_json_text(conversation, "project_title")));
}

/* Flags that keep the source's names, where they say something. */
static void add_named_flags(struct ck_buf *b, const json_t *conversation) {
  static const char *const names[] = {"is_do_not_remember",
                                      "is_study_mode",
                                      "is_temporary_chat",
                                      "is_read_only",
                                      "atlas_mode_enabled",
                                      "memory_scope",
                                      "voice",
                                      "async_status",
                                      "conversation_origin",
                                      "context_scopes",
                                      "disabled_tool_ids",
                                      "plugin_ids",
                                      "pinned_time",
                                      "owner"};
  for (size_t i = 0; i < sizeof names / sizeof *names; ++i)
    ingest_details_json(b, names[i], json_object_get(conversation, names[i]));
}

struct ck_str chatgpt_conversation_details(struct chatgpt *c) {
  struct ck_buf b = {0};
  add_gizmo(&b, c->json);
  ingest_details_text(&b, "model", ingest_json_text(c->json, "default_model_slug"));
  ingest_details_true(&b, "archived", json_is_true(json_object_get(c->json, "is_archived")));
  ingest_details_true(&b, "starred", json_is_true(json_object_get(c->json, "is_starred")));
  ingest_details_time(&b, "created_at", json_object_get(c->json, "create_time"));
  ingest_details_time(&b, "updated_at", json_object_get(c->json, "update_time"));
  if (c->fork_count) ingest_details_text(&b, "forked_from", c->forks[c->fork_count - 1].id);
  add_named_flags(&b, c->json);
  return ingest_details_end(&b, &c->arena);
}
