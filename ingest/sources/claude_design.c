/* Design chats of a Claude.ai export: turned into the form of its conversations. */
#include <stdlib.h>
#include <string.h>

#include "ingest/sources/claude.h"

static json_t *block_of(const char *type) {
  json_t *block = json_object();
  json_object_set_new_nocheck(block, "type", json_string(type));
  return block;
}

static void add_text(json_t *blocks, json_t *text) {
  json_t *block = block_of("text");
  if (text) json_object_set_nocheck(block, "text", text);
  json_array_append_new(blocks, block);
}

/* A call has its result within it. */
static void add_call(json_t *blocks, const json_t *call) {
  json_t *use = block_of("tool_use"), *error = json_object_get(call, "error");
  bool failed = json_is_true(json_object_get(call, "isError")) || (error && !json_is_null(error));
  claude_share(use, "id", call, "id");
  claude_share(use, "name", call, "name");
  claude_share(use, "input", call, "input");
  json_array_append_new(blocks, use);
  if (!failed && !json_object_get(call, "output")) return;
  json_t *result = block_of("tool_result");
  claude_share(result, "tool_use_id", call, "id");
  claude_share(result, "name", call, "name");
  claude_share(result, "content", call, "error");
  claude_share(result, "content", call, "output");
  if (failed) json_object_set_new_nocheck(result, "is_error", json_true());
  json_array_append_new(blocks, result);
}

static void add_attachments(json_t *message, const json_t *attachments) {
  static const char *const names[][2] = {{"file_name", "name"},
                                         {"file_type", "type"},
                                         {"file_uuid", "filePath"},
                                         {"file_uuid", "path"},
                                         {"extracted_content", "content"}};
  json_t *list = json_array();
  for (size_t i = 0; i < json_array_size(attachments); ++i) {
    const json_t *attachment = json_array_get(attachments, i);
    json_t *file = json_object();
    for (size_t k = 0; k < sizeof names / sizeof *names; ++k)
      claude_share(file, names[k][0], attachment, names[k][1]);
    if (json_object_size(file)) json_array_append(list, file);
    json_decref(file);
  }
  json_object_set_new_nocheck(message, "attachments", list);
}

/* What the user said while the assistant was at work: a message of its own, after the assistant's.
 */
static void add_interjection(json_t *list, const json_t *above, size_t n, json_t *said) {
  json_t *message = json_object(), *blocks = json_array();
  struct ck_str id = ck_trim(ingest_json_text(above, "uuid"));
  struct ck_arena arena = {0};
  if (id.n) {
    id = claude_numbered(&arena, id, "interjection", n);
    json_object_set_new_nocheck(message, "uuid", json_stringn_nocheck(id.s, id.n));
  }
  ck_arena_free(&arena);
  json_object_set_new_nocheck(message, "sender", json_string("user"));
  json_object_set_new_nocheck(message, "type", json_string("interjection"));
  claude_share(message, "created_at", said, "timestamp");
  add_text(blocks, json_is_string(said) ? said : json_object_get(said, "content"));
  json_object_set_new_nocheck(message, "content", blocks);
  add_attachments(message, json_object_get(said, "attachments"));
  json_array_append_new(list, message);
}

/* Adds a block; true: it has words. */
static bool add_block(json_t *blocks, json_t *block) {
  struct ck_str type = ingest_json_text(block, "type");
  json_t *call = json_object_get(block, "toolCall");
  if (ck_str_is(type, "tool_call") && json_is_object(call)) {
    add_call(blocks, call);
  } else if (ck_str_is(type, "error") && json_is_string(json_object_get(block, "message"))) {
    add_text(blocks, json_object_get(block, "message"));
    return true;
  } else if (ck_str_is(type, "thinking")) {
    json_t *thinking = block_of("thinking");
    claude_share(thinking, "thinking", block, "text");
    claude_share(thinking, "thinking", block, "thinking");
    json_array_append_new(blocks, thinking);
  } else {
    json_array_append(blocks, block);
    return ck_str_is(type, "text");
  }
  return false;
}

static json_t *blocks_of(const json_t *content) {
  json_t *blocks = json_array(), *text = json_object_get(content, "content"), *list;
  bool words = false;
  if (json_is_string(content)) {
    add_text(blocks, (json_t *)(uintptr_t)content);
    return blocks;
  }
  list = json_is_array(content) ? (json_t *)(uintptr_t)content
                                : json_object_get(content, "contentBlocks");
  for (size_t i = 0; i < json_array_size(list); ++i) {
    json_t *block = json_array_get(list, i);
    if (!ck_str_is(ingest_json_text(block, "type"), "user_interjection"))
      words |= add_block(blocks, block);
  }
  if (!words && json_is_string(text) && json_string_length(text)) add_text(blocks, text);
  return blocks;
}

static void add_interjections(json_t *list, const json_t *message, const json_t *content) {
  const json_t *blocks = json_object_get(content, "contentBlocks");
  size_t n = 0;
  for (size_t i = 0; i < json_array_size(blocks); ++i) {
    const json_t *block = json_array_get(blocks, i);
    if (ck_str_is(ingest_json_text(block, "type"), "user_interjection"))
      add_interjection(list, message, ++n, json_object_get(block, "message"));
  }
}

/* What the chat's page shows beside the words. */
static const char *const fields[] = {"type",        "pill",  "authorName",     "authorAccountUuid",
                                     "model",       "error", "questionRecord", "questionReceipt",
                                     "turnChanges", NULL};

static void add_message(json_t *list, json_t *message) {
  const json_t *content = json_object_get(message, "content");
  if (!json_is_object(message)) {
    json_array_append(list, message);
    return;
  }
  json_t *out = json_object();
  claude_share(out, "uuid", message, "uuid");
  claude_share(out, "sender", content, "role");
  claude_share(out, "sender", message, "role");
  claude_share(out, "created_at", content, "timestamp");
  claude_share(out, "created_at", message, "created_at");
  for (size_t i = 1; fields[i]; ++i) claude_share(out, fields[i], content, fields[i]);
  if (!ck_str_is(ingest_json_text(content, "kind"), "chat"))
    claude_share(out, "type", content, "kind");
  json_object_set_new_nocheck(out, "content", blocks_of(content));
  add_attachments(out, json_object_get(content, "attachments"));
  json_array_append_new(list, out);
  add_interjections(list, message, content);
}

static json_t *design_as_chat(const json_t *design) {
  static const char *const same[] = {"uuid", "created_at", "updated_at", "project", "account"};
  const json_t *messages = json_object_get(design, "messages");
  json_t *chat = json_object(), *list = json_array();
  for (size_t i = 0; i < sizeof same / sizeof *same; ++i)
    claude_share(chat, same[i], design, same[i]);
  claude_share(chat, "name", design, "name");
  claude_share(chat, "name", design, "title");
  json_object_set_new_nocheck(chat, "type", json_string("design chat"));
  for (size_t i = 0; i < json_array_size(messages); ++i)
    add_message(list, json_array_get(messages, i));
  json_object_set_new_nocheck(chat, "chat_messages", list);
  return chat;
}

static void read_design(const struct ingest_visitor *visitor,
                        const struct ingest_element *element) {
  json_t *chat = design_as_chat(element->json);
  struct claude_chat c = {.visitor = visitor,
                          .place = element->place,
                          .json = chat,
                          .element = "design chat",
                          .fields = fields};
  claude_read(&c);
  json_decref(chat);
}

static bool knows(const json_t *o) {
  const json_t *messages = json_object_get(o, "messages"), *first = json_array_get(messages, 0);
  return json_object_get(o, "uuid") && json_object_get(o, "created_at") &&
         json_is_array(messages) &&
         (json_object_get(o, "project") || json_object_get(o, "title")) &&
         (!first || !json_is_object(first) || json_object_get(first, "uuid"));
}

const struct ingest_source ingest_source_claude_design = {.name = "claude design chat",
                                                          .version = 1,
                                                          .element = "design chat",
                                                          .knows = knows,
                                                          .read = read_design};
