/* Items of Codex: what was said, thought, called and answered. */
#include <stdlib.h>
#include <string.h>

#include "ingest/sources/codex.h"

/* ---- messages ---- */

/* A text that came as an item and as an event, or twice. */
struct twin {
  struct ck_str id;
  struct code_place *above; /* the message that has it stands below this */
  unsigned items, events;
};

/* "data:image/png;base64,…" as an image that code.h reads. */
static json_t *image_of(struct ck_str url) {
  static const char base64[] = ";base64,";
  const char *at = url.n > 5 ? memmem(url.s, url.n, base64, sizeof base64 - 1) : NULL;
  if (!at || !ck_str_starts(url, "data:"))
    return json_pack("{s:s, s:{s:s, s:s%}}", "type", "image", "source", "type", "url", "file_id",
                     url.s ? url.s : "", url.n);
  const char *data = at + sizeof base64 - 1;
  return json_pack("{s:s, s:{s:s, s:s%, s:s%}}", "type", "image", "source", "type", "base64",
                   "media_type", url.s + 5, (size_t)(at - url.s) - 5, "data", data,
                   (size_t)(url.s + url.n - data));
}

static struct ck_str url_of(const json_t *part) {
  struct ck_str url = ingest_json_text(part, "image_url");
  return url.n ? url : ingest_json_text(json_object_get(part, "image_url"), "url");
}

static void take_part(struct codex_line *l, struct code_content *to, const json_t *part) {
  struct ck_str type = ingest_json_text(part, "type"), text = ingest_json_text(part, "text");
  if (json_is_string(part)) {
    code_content_text(to, ingest_json_str(part));
  } else if (text.n || json_object_get(part, "text")) {
    code_content_text(to, text);
  } else if (ck_str_is(type, "input_image") || ck_str_is(type, "image")) {
    struct ck_str url = url_of(part);
    json_t *image = url.n ? image_of(url) : NULL;
    if (image) code_content_block(&l->code, to, image);
    json_decref(image);
  } else if (!ck_str_is(type, "encrypted_content")) {
    code_content_block(&l->code, to, part);
  }
}

static void take_parts(struct codex_line *l, struct code_content *to, const json_t *parts) {
  if (json_is_string(parts)) take_part(l, to, parts);
  for (size_t i = 0; i < json_array_size(parts); ++i) take_part(l, to, json_array_get(parts, i));
}

/* Has the text come before, in the other form? An item pairs with an event of the same turn. *twin:
 * what is known of it. */
static bool is_repeated(struct codex_line *l, struct ck_str role, struct ck_str text, bool event,
                        struct twin **twin) {
  struct codex *f = l->f;
  struct ck_buf name = {0};
  ck_buf_str(&name, role);
  ck_buf_text(&name, "\n");
  ck_buf_str(&name, text);
  struct ck_str turn = ck_buf_view(&f->turn), key = ck_buf_view(&name);
  *twin = session_get(&f->code.table, 'p', turn, key);
  if (!*twin) {
    *twin = ck_arena_get(&f->code.lasting, sizeof **twin);
    **twin = (struct twin){.above = l->code.above};
    session_set(&f->code.table, 'p', turn, key, *twin);
  }
  ck_buf_free(&name);
  unsigned *own = event ? &(*twin)->events : &(*twin)->items;
  unsigned other = event ? (*twin)->items : (*twin)->events;
  return ++*own <= other;
}

static const char *name_of_role(struct ck_str role) {
  static const char *const names[] = {"developer", "system", "tool"};
  for (size_t i = 0; i < sizeof names / sizeof *names; ++i)
    if (ck_str_is(role, names[i])) return names[i];
  return "user";
}

static void say_user(struct codex_line *l, struct ck_str role, struct code_content *content,
                     struct twin *twin, bool repeated) {
  struct codex *f = l->f;
  bool user = ck_str_is(role, "user"), words = content->text.len || content->attached;
  bool context = !user || !words;
  const char *name = name_of_role(role);
  codex_settle(l);
  codex_end_answer(l);
  l->code.above = f->chat->last_line;
  if (repeated) { /* the item says more than the event */
    struct code_line again = l->code;
    again.id = twin->id;
    again.above = twin->above;
    code_message(&again, name, NULL, false, content);
    return;
  }
  if (!context) {
    ck_buf_add(&f->turns, &l->code.above, sizeof l->code.above);
    twin->id = ck_arena_copy(&f->code.lasting, l->code.id);
    twin->above = l->code.above;
  }
  if (l->code.time_assumed) code_note(&l->code, "message without a time");
  code_message(&l->code, name, context ? "context" : NULL, context, content);
  code_place_set(&l->code, l->code.id, code_depth(&l->code));
}

static void say_answer(struct codex_line *l, const struct code_content *content) {
  struct codex *f = l->f;
  if (f->spoken) codex_end_answer(l);
  codex_settle(l);
  f->spoken = true;
  json_t *message =
      json_pack("{s:[{s:s, s:s%}]}", "content", "type", "text", "text",
                content->text.len ? content->text.data : "", (size_t)content->text.len);
  codex_answer(l, message);
  json_decref(message);
}

void codex_said(struct codex_line *l, struct ck_str role, const json_t *parts, bool event) {
  struct code_content content = {0};
  struct twin *twin = NULL;
  bool answer = ck_str_is(role, "assistant"), repeated = false;
  take_parts(l, &content, parts);
  struct ck_str text = ck_buf_view(&content.text);
  bool words = text.n || content.attached;
  if (words && (answer || ck_str_is(role, "user")))
    repeated = is_repeated(l, role, text, event, &twin);
  if (words && !event) l->f->assistant_items |= answer;
  if (words && !event) l->f->user_items |= ck_str_is(role, "user");
  if (answer && words && !repeated) {
    say_answer(l, &content);
  } else if (!answer && (words || content.hidden.len) && !(repeated && event)) {
    say_user(l, role, &content, twin, repeated);
  }
  code_content_free(&content);
}

/* A message of nobody who takes part in the conversation: below what came before it. */
static void say_beside(struct codex_line *l, const char *role, const char *kind,
                       const struct code_content *content) {
  codex_settle(l);
  codex_end_answer(l);
  l->code.above = l->f->chat->last_line;
  if (l->code.time_assumed) code_note(&l->code, "message without a time");
  code_message(&l->code, role, kind, false, content);
  code_place_set(&l->code, l->code.id, code_depth(&l->code));
}

void codex_told(struct codex_line *l, bool envelope) {
  struct code_content content = {.author = ingest_json_text(l->payload, "author")};
  struct twin *twin = NULL;
  take_parts(l, &content, json_object_get(l->payload, "content"));
  if (!content.text.len)
    code_note(&l->code, "encrypted message of an agent");
  else if (!is_repeated(l, CK_LIT("agent"), ck_buf_view(&content.text), envelope, &twin))
    say_beside(l, "user", "context", &content);
  code_content_free(&content);
}

void codex_failed(struct codex_line *l, struct ck_str text, const struct code_limit *limit) {
  struct code_content content = {.turn = "failed", .limit = *limit};
  code_content_text(&content, text);
  say_beside(l, "system", "error", &content);
  code_content_free(&content);
}

static void read_message(struct codex_line *l) {
  struct ck_str role = ingest_json_text(l->payload, "role");
  if (!role.n) role = CK_LIT("user");
  codex_said(l, role, json_object_get(l->payload, "content"), false);
}

/* ---- thoughts ---- */

static void add_thought(struct ck_buf *b, const json_t *part) {
  struct ck_str text =
      json_is_string(part) ? ingest_json_str(part) : ingest_json_text(part, "text");
  if (!text.n) return;
  if (b->len) ck_buf_text(b, "\n\n");
  ck_buf_str(b, text);
}

void codex_thought(struct codex_line *l, const json_t *parts) {
  for (size_t i = 0; i < json_array_size(parts); ++i)
    add_thought(&l->f->thought, json_array_get(parts, i));
}

void codex_settle(struct codex_line *l) {
  struct codex *f = l->f;
  if (!f->thought.len) return;
  json_t *message = json_pack("{s:[{s:s, s:s%}]}", "content", "type", "thinking", "thinking",
                              f->thought.data, (size_t)f->thought.len);
  ck_buf_clear(&f->thought);
  codex_answer(l, message);
  json_decref(message);
}

static void read_reasoning(struct codex_line *l) {
  l->f->thoughts = true;
  codex_thought(l, json_object_get(l->payload, "summary"));
  codex_thought(l, json_object_get(l->payload, "content"));
}

/* ---- tools ---- */

/* A tool's parameters: JSON, as an object; else text. */
static json_t *params_of(const json_t *given) {
  struct ck_str text = ingest_json_str(given);
  struct ck_err err;
  if (!json_is_string(given)) return json_incref((json_t *)(uintptr_t)given);
  char *copy = ck_str_dup(text); /* it is changed by being parsed */
  json_t *json = text.n && (text.s[0] == '{' || text.s[0] == '[')
                     ? ingest_json_parse(copy, text.n, 0, NULL, NULL, &err)
                     : NULL;
  free(copy);
  return json ? json : json_incref((json_t *)(uintptr_t)given);
}

static struct ck_str call_id(struct codex_line *l) {
  struct ck_str id = ingest_json_text(l->payload, "call_id");
  return id.n ? id : l->code.id;
}

/* "mcp__server" and "tool" are "mcp__server__tool". */
static json_t *name_of(struct codex_line *l, const char *otherwise) {
  struct ck_str name = ingest_json_text(l->payload, "name"),
                space = ingest_json_text(l->payload, "namespace");
  struct ck_buf b = {0};
  if (space.n && !ck_str_starts(name, "mcp__")) ck_buf_str(&b, space);
  if (b.len && !ck_str_ends(ck_buf_view(&b), "__")) ck_buf_text(&b, "__");
  if (name.n)
    ck_buf_str(&b, name);
  else
    ck_buf_text(&b, otherwise);
  json_t *all = json_stringn(b.data, b.len);
  ck_buf_free(&b);
  return all;
}

static bool read_call(struct codex_line *l, const char *name, const char *params) {
  struct codex *f = l->f;
  struct ck_str id = call_id(l);
  if (session_get(&f->code.table, 'c', f->chat->id, id)) return false; /* it is repeated */
  codex_settle(l);
  const json_t *given = json_object_get(l->payload, params);
  json_t *block =
      json_pack("{s:s, s:s%, s:o}", "type", "tool_use", "id", id.s, id.n, "name", name_of(l, name));
  if (given) json_object_set_new(block, "input", params_of(given));
  json_t *message = json_pack("{s:[o]}", "content", block);
  codex_answer(l, message);
  json_decref(message);
  return true;
}

/* The number after it, if the text begins with such a line; else 0. */
static long exit_code(struct ck_str text) {
  static const char *const marks[] = {"Exit code: ", "Process exited with code "};
  for (size_t i = 0; i < sizeof marks / sizeof *marks; ++i) {
    struct ck_str head = ck_utf8_cut(text, 400);
    const char *at = head.n ? memmem(head.s, head.n, marks[i], strlen(marks[i])) : NULL;
    char number[12] = "";
    if (!at || (at != text.s && at[-1] != '\n')) continue;
    at += strlen(marks[i]);
    size_t n = (size_t)(text.s + text.n - at);
    memcpy(number, at, n < sizeof number - 1 ? n : sizeof number - 1);
    return strtol(number, NULL, 10);
  }
  return 0;
}

/* The text that an output is, or begins with. */
static struct ck_str first_text(const json_t *output) {
  const json_t *inner = json_object_get(output, "content");
  if (inner) output = inner;
  if (json_is_array(output)) output = json_array_get(output, 0);
  return json_is_object(output) ? ingest_json_text(output, "text") : ingest_json_str(output);
}

/* Old outputs are JSON in a text: {"output":…,"metadata":{"exit_code":…}}. */
static bool has_failed(const json_t *output) {
  struct ck_str text = first_text(output);
  if (json_is_false(json_object_get(output, "success"))) return true;
  if (!json_is_string(output) || !text.n || text.s[0] != '{') return exit_code(text) != 0;
  json_t *json = params_of(output);
  const json_t *code = json_object_get(json_object_get(json, "metadata"), "exit_code");
  bool failed = json_is_integer(code) && json_integer_value(code) != 0;
  json_decref(json);
  return failed;
}

static json_t *text_block(struct ck_str text) {
  return json_pack("{s:s, s:s%}", "type", "text", "text", text.n ? text.s : "", text.n);
}

static json_t *output_part(const json_t *part) {
  struct ck_str type = ingest_json_text(part, "type");
  if (ck_str_is(type, "input_image")) return json_pack("{s:s}", "type", "image");
  if (json_object_get(part, "text")) return text_block(ingest_json_text(part, "text"));
  return json_incref((json_t *)(uintptr_t)part);
}

/* As a list of blocks, or text. */
static json_t *output_of(const json_t *output) {
  const json_t *inner = json_object_get(output, "content");
  if (inner) output = inner;
  if (json_is_object(output) && json_object_get(output, "type"))
    return json_pack("[o]", output_part(output));
  if (!json_is_array(output)) return json_incref((json_t *)(uintptr_t)output);
  json_t *list = json_array();
  for (size_t i = 0; i < json_array_size(output); ++i)
    json_array_append_new(list, output_part(json_array_get(output, i)));
  return list;
}

static void give_result(struct codex_line *l, const json_t *output, bool failed) {
  struct ck_str id = call_id(l);
  json_t *block = json_pack("{s:s, s:s%, s:b}", "type", "tool_result", "tool_use_id", id.s, id.n,
                            "is_error", failed);
  if (output) json_object_set_new(block, "content", output_of(output));
  if (!code_result(&l->code, block, NULL)) code_note(&l->code, "tool result without a call");
  json_decref(block);
}

static void read_output(struct codex_line *l) {
  const json_t *output = json_object_get(l->payload, "output");
  give_result(l, output, has_failed(output));
}

static void read_function(struct codex_line *l) { read_call(l, "function", "arguments"); }
static void read_custom(struct codex_line *l) { read_call(l, "custom", "input"); }
static void read_shell(struct codex_line *l) { read_call(l, "local_shell", "action"); }
static void read_tools(struct codex_line *l) { read_call(l, "tool_search", "arguments"); }
static void read_found_tools(struct codex_line *l) {
  give_result(l, json_object_get(l->payload, "tools"), false);
}

/* Calls whose item has the result, too, or says that there is one. */
static void read_done(struct codex_line *l, const char *name, const char *params) {
  struct ck_str status = ingest_json_text(l->payload, "status");
  if (read_call(l, name, params) && (ck_str_is(status, "completed") || ck_str_is(status, "failed")))
    give_result(l, NULL, ck_str_is(status, "failed"));
}

static void read_search(struct codex_line *l) { read_done(l, "web_search", "action"); }
static void read_image(struct codex_line *l) { read_done(l, "image_generation", "revised_prompt"); }
static void read_told(struct codex_line *l) { codex_told(l, false); }

static const struct codex_entry items[] = {
    {"message", read_message},
    {"agent_message", read_told},
    {"reasoning", read_reasoning},
    {"function_call", read_function},
    {"function_call_output", read_output},
    {"custom_tool_call", read_custom},
    {"custom_tool_call_output", read_output},
    {"local_shell_call", read_shell},
    {"local_shell_call_output", read_output},
    {"tool_search_call", read_tools},
    {"tool_search_output", read_found_tools},
    {"web_search_call", read_search},
    {"image_generation_call", read_image},
    {"ghost_snapshot", codex_read_nothing},
    {"compaction", codex_read_nothing},
    {"compaction_summary", codex_read_nothing},
    {NULL, NULL},
};

void codex_read_item(struct codex_line *l) {
  struct ck_str type = ingest_json_text(l->payload, "type");
  const struct codex_entry *item = codex_entry_of(items, type);
  if (item)
    item->read(l);
  else
    code_note_of(&l->code, "item not taken", type);
}
