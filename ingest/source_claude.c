/* Claude.ai's conversations.json in its forms of 2024 (text only), 2025 (content blocks) and 2026
 * (blocks with ids). Every message becomes one observation; tool uses that have a
 * result become its executions.
 * docs/formats.md describes the format. */
#include "ingest/source.h"

#include <stdlib.h>
#include <string.h>

#include "ingest/json.h"
#include "proto/text.h"

/* A tool result and the id of the tool use it answers. */
struct result {
  struct ck_str use;
  const json_t *block;
};

struct conversation {
  const struct ingest_visitor *visitor;
  const struct ingest_place *place;
  struct ck_arena arena; /* lives as long as the conversation */
  struct ck_arena one;   /* reset after each message */
  struct ck_str id, name, url;
  int64_t at;             /* time of the previous message, else of the conversation */
  struct result *results; /* sorted by use */
  size_t result_count;
};

static bool is_type(const json_t *block, const char *type) {
  return ck_str_is(ingest_json_text(block, "type"), type);
}

static void add_line(struct ck_buf *b, struct ck_str text) {
  if (b->len) ck_buf_text(b, "\n");
  ck_buf_str(b, text);
}

static struct ck_str kept(struct ck_arena *arena, struct ck_buf *b) {
  struct ck_str text = ck_arena_copy(arena, ck_buf_view(b));
  ck_buf_free(b);
  return text;
}

/* ---- text ---- */

static void add_attachments(struct ck_buf *b, const json_t *attachments) {
  for (size_t i = 0; i < json_array_size(attachments); ++i) {
    const json_t *a = json_array_get(attachments, i);
    struct ck_str content = ingest_json_text(a, "extracted_content");
    add_line(b, CK_LIT("[attachment: "));
    ck_buf_str(b, ingest_json_text(a, "file_name"));
    ck_buf_text(b, "]");
    if (content.n) add_line(b, content);
  }
}

/* The text blocks and attachments. If there are no text blocks, the plain text that older exports
 * have and newer ones keep in addition. */
static struct ck_str text_of(struct conversation *c, const json_t *message) {
  const json_t *content = json_object_get(message, "content");
  struct ck_buf b = {0};
  bool any = false;
  for (size_t i = 0; i < json_array_size(content); ++i) {
    const json_t *block = json_array_get(content, i);
    if (!is_type(block, "text")) continue;
    if (any) ck_buf_text(&b, "\n");
    ck_buf_str(&b, ingest_json_text(block, "text"));
    any = true;
  }
  if (!any)
    ck_buf_str(&b, json_is_string(content) ? ingest_json_str(content)
                                           : ingest_json_text(message, "text"));
  add_attachments(&b, json_object_get(message, "attachments"));
  return kept(&c->one, &b);
}

static struct ck_str result_text(struct conversation *c, const json_t *content) {
  struct ck_buf b = {0};
  if (!json_is_array(content)) return ingest_json_any(content, &c->one);
  for (size_t i = 0; i < json_array_size(content); ++i) {
    const json_t *piece = json_array_get(content, i);
    struct ck_str text = ingest_json_text(piece, "text");
    add_line(&b, text.n ? text : ingest_json_any(piece, &c->one));
  }
  return kept(&c->one, &b);
}

/* ---- tools ---- */

static int by_use(const void *a, const void *b) {
  const struct result *x = a, *y = b;
  size_t n = x->use.n < y->use.n ? x->use.n : y->use.n;
  int order = n ? memcmp(x->use.s, y->use.s, n) : 0;
  return order ? order : (x->use.n > y->use.n) - (x->use.n < y->use.n);
}

static size_t each_result(struct conversation *c, const json_t *messages, bool store) {
  size_t found = 0;
  for (size_t m = 0; m < json_array_size(messages); ++m) {
    const json_t *content = json_object_get(json_array_get(messages, m), "content");
    for (size_t i = 0; i < json_array_size(content); ++i) {
      const json_t *block = json_array_get(content, i);
      struct ck_str use = ingest_json_text(block, "tool_use_id");
      if (!is_type(block, "tool_result") || !use.n) continue;
      if (store) c->results[found] = (struct result){use, block};
      ++found;
    }
  }
  return found;
}

static void read_results(struct conversation *c, const json_t *messages) {
  c->result_count = each_result(c, messages, false);
  c->results = ck_arena_get(&c->arena, (c->result_count + 1) * sizeof *c->results);
  each_result(c, messages, true);
  qsort(c->results, c->result_count, sizeof *c->results, by_use);
}

/* The result of the tool use at content[at]: the one with its id, anywhere in the conversation;
 * else the next result without an id in the same message. *unnamed is the index after the last of
 * those already used. */
static const json_t *result_of(const struct conversation *c, const json_t *content, size_t at,
                               size_t *unnamed) {
  struct result key = {ingest_json_text(json_array_get(content, at), "id"), NULL};
  if (key.use.n) {
    const struct result *hit = bsearch(&key, c->results, c->result_count, sizeof key, by_use);
    if (hit) return hit->block;
  }
  for (size_t i = *unnamed > at ? *unnamed : at + 1; i < json_array_size(content); ++i) {
    const json_t *block = json_array_get(content, i);
    if (!is_type(block, "tool_result") || ingest_json_text(block, "tool_use_id").n) continue;
    *unnamed = i + 1;
    return block;
  }
  return NULL;
}

static void read_execution(struct conversation *c, struct ingest_execution *e, const json_t *use,
                           const json_t *result) {
  struct ck_str integration = ck_trim(ingest_json_text(use, "integration_name")),
                name = ck_trim(ingest_json_text(use, "name"));
  const json_t *input = json_object_get(use, "input");
  *e = (struct ingest_execution){.instruction_id = ck_trim(ingest_json_text(use, "id")),
                                 .executed_at = INGEST_NO_TIME};
  e->tool = name.n ? name : CK_LIT("tool");
  e->target = integration.n ? integration : e->tool;
  e->params = ingest_json_any(input, &c->one);
  if (e->params.n) e->params_kind = json_is_string(input) ? "inline_string" : "inline_json";
  e->ok = !json_is_true(json_object_get(result, "is_error"));
  e->result = result_text(c, json_object_get(result, "content"));
  if (!e->ok) e->error = e->result.n ? e->result : CK_LIT("failed");
  if (!ingest_json_time(json_object_get(result, "stop_timestamp"), &e->executed_at))
    e->executed_at = INGEST_NO_TIME;
}

static struct ck_str numbered_id(struct conversation *c, struct ck_str of, const char *what,
                                 size_t n) {
  struct ck_buf b = {0};
  ck_buf_str(&b, of);
  ck_buf_printf(&b, "-%s-%zu", what, n);
  return kept(&c->one, &b);
}

static void read_executions(struct conversation *c, const json_t *content,
                            struct ingest_observation *o) {
  size_t n = json_array_size(content), uses = 0, count = 0, unnamed = 0;
  struct ingest_execution *list = ck_arena_get(&c->one, (n + 1) * sizeof *list);
  for (size_t i = 0; i < n; ++i) {
    const json_t *use = json_array_get(content, i);
    if (!is_type(use, "tool_use")) continue;
    ++uses;
    const json_t *result = result_of(c, content, i, &unnamed);
    if (!result) continue;
    struct ingest_execution *e = &list[count++];
    read_execution(c, e, use, result);
    if (!e->instruction_id.n) e->instruction_id = numbered_id(c, o->message_id, "tool", uses);
  }
  o->executions = list;
  o->execution_count = count;
}

/* ---- messages ---- */

static const struct {
  const char *sender, *role;
} roles[] = {{"human", "user"}, {"assistant", "assistant"}};

static struct ck_str role_of(const json_t *message) {
  struct ck_str sender = ingest_json_text(message, "sender");
  for (size_t i = 0; i < sizeof roles / sizeof *roles; ++i)
    if (ck_str_is(sender, roles[i].sender)) return ck_str_of(roles[i].role);
  return sender;
}

static void message_place(struct conversation *c, char out[INGEST_PLACE_TEXT * 2], size_t n,
                          struct ck_str id) {
  struct ck_buf b = {0};
  ingest_place_text(out, c->place, "conversation", c->id);
  ck_buf_text(&b, out);
  ck_buf_printf(&b, ", message %zu", n);
  if (id.n) ck_buf_text(&b, " ");
  ck_buf_str(&b, ck_utf8_cut(id, 200));
  memcpy(out, ck_buf_cstr(&b), b.len + 1);
  ck_buf_free(&b);
}

static void take_message(struct conversation *c, const json_t *message, size_t n) {
  struct ingest_observation o = {.platform = CK_LIT("claude"), .has_text = true};
  char where[INGEST_PLACE_TEXT * 2];
  o.message_id = ck_trim(ingest_json_text(message, "uuid"));
  message_place(c, where, n, o.message_id);
  if (!json_is_object(message)) {
    c->visitor->failure(c->visitor->self, where, "a message must be an object", (struct ck_str){0});
    return;
  }
  /* Without an id, use the position in the conversation: it is the same in the next export. */
  if (!o.message_id.n && c->id.n) o.message_id = numbered_id(c, c->id, "message", n);
  ingest_json_time(json_object_get(message, "created_at"), &c->at);
  o.observed_at = c->at;
  o.role = role_of(message);
  o.text = text_of(c, message);
  if (c->id.n) o.conversation_id = ck_text(c->id);
  if (c->url.n) o.page_url = ck_text(c->url);
  if (c->name.n) o.page_title = ck_text(c->name);
  read_executions(c, json_object_get(message, "content"), &o);
  c->visitor->observation(c->visitor->self, &o, where);
  ck_arena_reset(&c->one);
}

static void find_names(struct conversation *c, const json_t *element) {
  c->id = ck_trim(ingest_json_text(element, "uuid"));
  c->name = ck_trim(ingest_json_text(element, "name"));
  if (!ingest_json_time(json_object_get(element, "created_at"), &c->at) &&
      !ingest_json_time(json_object_get(element, "updated_at"), &c->at))
    c->at = 0;
  if (!c->id.n) return;
  struct ck_buf b = {0};
  ck_buf_text(&b, "https://claude.ai/chat/");
  ck_buf_str(&b, c->id);
  c->url = kept(&c->arena, &b);
}

static void read_element(const struct ingest_visitor *visitor, const json_t *element,
                         struct ck_str raw, const struct ingest_place *place) {
  struct conversation c = {.visitor = visitor, .place = place};
  const json_t *messages = json_object_get(element, "chat_messages");
  (void)raw;
  find_names(&c, element);
  if (json_is_array(messages)) {
    read_results(&c, messages);
    for (size_t i = 0; i < json_array_size(messages); ++i)
      take_message(&c, json_array_get(messages, i), i + 1);
  } else {
    char where[INGEST_PLACE_TEXT];
    ingest_place_text(where, place, "conversation", c.id);
    visitor->failure(visitor->self, where,
                     messages && !json_is_null(messages) ? "chat_messages is not an array"
                                                         : "chat_messages is missing",
                     (struct ck_str){0});
  }
  ck_arena_free(&c.one);
  ck_arena_free(&c.arena);
}

static bool knows(const json_t *element) {
  return json_object_get(element, "chat_messages") ||
         (json_object_get(element, "uuid") && json_object_get(element, "account") &&
          json_object_get(element, "name"));
}

const struct ingest_source ingest_source_claude = {
    .name = "claude", .element = "conversation", .knows = knows, .read = read_element};
