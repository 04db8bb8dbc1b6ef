/* What a Claude.ai export has beside its conversations: projects and memories. Each becomes a
 * conversation of its own, so that it is kept, found and shown like the others. */
#include <stdlib.h>
#include <string.h>

#include "ingest/route.h"
#include "ingest/sources/claude.h"

static json_t *text_of(struct ck_str s) { return json_stringn_nocheck(s.n ? s.s : "", s.n); }

static void set(json_t *object, const char *name, const char *value) {
  json_object_set_new_nocheck(object, name, json_string(value));
}

/* Two texts one after another. */
static json_t *joined(const char *first, struct ck_str second) {
  struct ck_buf b = {0};
  ck_buf_text(&b, first);
  ck_buf_str(&b, second);
  json_t *text = text_of(ck_buf_view(&b));
  ck_buf_free(&b);
  return text;
}

static json_t *message_of(const char *role, const char *type) {
  json_t *message = json_object();
  set(message, "sender", role);
  set(message, "type", type);
  return message;
}

static void add_file(json_t *message, const json_t *name, const json_t *id) {
  json_t *file = json_object();
  if (name) json_object_set_nocheck(file, "file_name", (json_t *)(uintptr_t)name);
  if (id) json_object_set_nocheck(file, "file_uuid", (json_t *)(uintptr_t)id);
  json_object_set_new_nocheck(message, "files", json_pack("[o]", file));
}

/* ---- projects ---- */

/* A text of the project itself. */
static void add_own(json_t *list, const json_t *project, const char *field, const char *type) {
  struct ck_str id = ck_trim(ingest_json_text(project, "uuid"));
  struct ck_buf b = {0};
  if (!ingest_json_text(project, field).n) return;
  json_t *message = message_of("project", type);
  if (id.n) {
    ck_buf_str(&b, id);
    ck_buf_printf(&b, "-%s", type);
    json_object_set_new_nocheck(message, "uuid", text_of(ck_buf_view(&b)));
    ck_buf_free(&b);
  }
  claude_share(message, "text", project, field);
  claude_share(message, "created_at", project, "created_at");
  json_array_append_new(list, message);
}

static void add_document(json_t *list, const json_t *document) {
  json_t *message = message_of("document", "document");
  claude_share(message, "uuid", document, "uuid");
  claude_share(message, "text", document, "content");
  claude_share(message, "created_at", document, "created_at");
  add_file(message, json_object_get(document, "filename"), json_object_get(document, "uuid"));
  json_array_append_new(list, message);
}

static json_t *project_as_chat(const json_t *project) {
  static const char *const same[] = {"name",        "created_at", "updated_at",        "is_starred",
                                     "is_archived", "is_private", "is_starter_project"};
  const json_t *documents = json_object_get(project, "docs");
  struct ck_str id = ck_trim(ingest_json_text(project, "uuid"));
  json_t *chat = json_object(), *list = json_array(), *itself = json_object();
  for (size_t i = 0; i < sizeof same / sizeof *same; ++i)
    claude_share(chat, same[i], project, same[i]);
  if (id.n) {
    json_object_set_new_nocheck(chat, "uuid", joined("project:", id));
    if (ingest_route_fits(id))
      json_object_set_new_nocheck(chat, "page", joined("https://claude.ai/project/", id));
  }
  claude_share(itself, "uuid", project, "uuid");
  claude_share(itself, "name", project, "name");
  json_object_set_new_nocheck(chat, "project", itself);
  claude_share(chat, "account", project, "creator");
  set(chat, "type", "project");
  add_own(list, project, "description", "description");
  add_own(list, project, "prompt_template", "instructions");
  for (size_t i = 0; i < json_array_size(documents); ++i)
    if (json_is_object(json_array_get(documents, i)))
      add_document(list, json_array_get(documents, i));
  json_object_set_new_nocheck(chat, "chat_messages", list);
  return chat;
}

static void read_project(const struct ingest_visitor *visitor,
                         const struct ingest_element *element) {
  static const char *const fields[] = {"type", NULL};
  json_t *chat = project_as_chat(element->json);
  struct claude_chat c = {.visitor = visitor,
                          .place = element->place,
                          .json = chat,
                          .element = "project",
                          .fields = fields};
  claude_read(&c);
  json_decref(chat);
}

static bool knows_project(const json_t *o) {
  return json_object_get(o, "uuid") && json_object_get(o, "name") &&
         !json_object_get(o, "chat_messages") &&
         (json_object_get(o, "prompt_template") || json_object_get(o, "is_starter_project") ||
          json_is_array(json_object_get(o, "docs")));
}

const struct ingest_source ingest_source_claude_project = {.name = "claude project",
                                                           .version = 1,
                                                           .element = "project",
                                                           .knows = knows_project,
                                                           .read = read_project};

/* ---- memories ----
 * A memory has no id, and most have no time. It is known by its words, so a memory that was changed
 * is another one, and both are kept. */

static json_t *add_memory(json_t *list, struct ck_str account, const char *of, struct ck_str which,
                          const json_t *value) {
  struct ck_arena arena = {0};
  struct ck_str text = ingest_json_any(value, &arena);
  json_t *message = NULL;
  if (text.n) {
    struct ck_str parts[] = {account, ck_str_of(of), which, text};
    char hash[33];
    ck_hash_id(hash, parts, 4);
    message = message_of("memory", of);
    json_object_set_new_nocheck(message, "uuid", joined("memory-", ck_str_of(hash)));
    json_object_set_new_nocheck(message, "text", text_of(text));
    json_array_append_new(list, message);
  }
  ck_arena_free(&arena);
  return message;
}

static void add_of_projects(json_t *list, struct ck_str account, const json_t *memories) {
  const char *project;
  json_t *text;
  json_object_foreach((json_t *)(uintptr_t)memories, project, text) {
    json_t *message = add_memory(list, account, "project memory", ck_str_of(project), text);
    if (message) set(message, "project", project);
  }
}

static void add_files(json_t *list, struct ck_str account, const json_t *files) {
  for (size_t i = 0; i < json_array_size(files); ++i) {
    const json_t *file = json_array_get(files, i), *content = json_object_get(file, "content");
    json_t *message = add_memory(list, account, "memory file", ingest_json_text(file, "path"),
                                 content ? content : file);
    if (!message) continue;
    add_file(message, json_object_get(file, "path"), NULL);
    claude_share(message, "created_at", file, "created_at");
    claude_share(message, "created_at", file, "updated_at");
  }
}

/* Memories of a kind that is not known: their JSON. */
static void add_unknown(json_t *list, struct ck_str account, const char *name, json_t *value) {
  json_t *message = add_memory(list, account, name, (struct ck_str){0}, value);
  if (!message || json_is_string(value)) return;
  json_object_del(message, "text");
  json_object_del(message, "type");
  json_object_set_new_nocheck(message, "content",
                              json_pack("[{s:s,s:O}]", "type", name, "value", value));
}

static json_t *memories_as_chat(const json_t *memories) {
  struct ck_str account = ck_trim(ingest_json_text(memories, "account_uuid"));
  json_t *chat = json_object(), *list = json_array(), *value;
  const char *name;
  json_object_set_new_nocheck(chat, "uuid", joined(account.n ? "memories:" : "memories", account));
  set(chat, "name", "Memories");
  set(chat, "type", "memories");
  claude_share(chat, "account", memories, "account_uuid");
  json_object_foreach((json_t *)(uintptr_t)memories, name, value) {
    if (strcmp(name, "account_uuid") == 0) continue;
    if (strcmp(name, "conversations_memory") == 0 && json_is_string(value))
      add_memory(list, account, "memory", (struct ck_str){0}, value);
    else if (strcmp(name, "project_memories") == 0 && json_is_object(value))
      add_of_projects(list, account, value);
    else if (strcmp(name, "memory_files") == 0 && json_is_array(value))
      add_files(list, account, value);
    else
      add_unknown(list, account, name, value);
  }
  json_object_set_new_nocheck(chat, "chat_messages", list);
  return chat;
}

static void read_memories(const struct ingest_visitor *visitor,
                          const struct ingest_element *element) {
  static const char *const fields[] = {"type", "project", NULL};
  json_t *chat = memories_as_chat(element->json);
  struct claude_chat c = {.visitor = visitor,
                          .place = element->place,
                          .json = chat,
                          .element = "account",
                          .fields = fields,
                          .unordered = true};
  claude_read(&c);
  json_decref(chat);
}

static bool knows_memories(const json_t *o) {
  return json_object_get(o, "conversations_memory") ||
         (json_object_get(o, "account_uuid") &&
          (json_object_get(o, "project_memories") || json_object_get(o, "memory_files")));
}

const struct ingest_source ingest_source_claude_memories = {.name = "claude memories",
                                                            .version = 1,
                                                            .element = "account",
                                                            .knows = knows_memories,
                                                            .read = read_memories};
