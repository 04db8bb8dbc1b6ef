/* ChatGPT's conversations.json: each conversation is a tree of nodes (`mapping`). Every node with a
 * message becomes one observation; a tool call is joined with its result, found below it, to an
 * execution. docs/formats.md describes the format. */
#include "ingest/source.h"

#include <stdlib.h>
#include <string.h>

#include "ingest/json.h"
#include "proto/text.h"

/* How many levels below a call its result is searched for. */
#define CALLS_IN_A_ROW 64

struct node {
  const char *key;
  const json_t *json, *message; /* message is NULL for a node without one */
  struct node *parent;
  struct node *children, *sibling; /* in the order of the file */
  int64_t at;                      /* INGEST_NO_TIME until time_of sets it */
  size_t walk;                     /* the last walk of cut_cycles that visited it; 0: none */
  bool done;                       /* its observation was given, or is about to be */
  bool claimed;                    /* a tool result that is joined to a call */
};

struct conversation {
  const struct ingest_visitor *visitor;
  const struct ingest_place *place;
  struct ck_arena arena;
  const json_t *json;
  struct ck_str id, title, url;
  int64_t at;                   /* for messages without a time of their own or above them */
  struct node *nodes, **by_key; /* in the order of the file; sorted by key */
  size_t count;
};

/* ---- text ---- */

/* Text joined from lines. `any` tells no line from an empty one. */
struct lines {
  struct ck_buf b;
  bool any;
};

static void add_line(struct lines *l, struct ck_str text) {
  if (l->any) ck_buf_text(&l->b, "\n");
  ck_buf_str(&l->b, text);
  l->any = true;
}

/* How parts that are not text are shown, as in "[image: POINTER]". */
static const struct {
  const char *type, *word;
} assets[] = {{"image_asset_pointer", "image"},
              {"audio_asset_pointer", "audio"},
              {"real_time_user_audio_video_asset_pointer", "audio"},
              {"video_container_asset_pointer", "video"}};

static struct ck_str asset_of(const json_t *part) {
  struct ck_str pointer = ingest_json_text(part, "asset_pointer");
  return pointer.n
             ? pointer
             : ingest_json_text(json_object_get(part, "audio_asset_pointer"), "asset_pointer");
}

static void add_asset(struct lines *l, const json_t *part, struct ck_str pointer) {
  struct ck_str type = ingest_json_text(part, "content_type");
  const char *word = "asset";
  for (size_t i = 0; i < sizeof assets / sizeof *assets; ++i)
    if (ck_str_is(type, assets[i].type)) word = assets[i].word;
  add_line(l, CK_LIT(""));
  ck_buf_printf(&l->b, "[%s: ", word);
  ck_buf_str(&l->b, pointer);
  ck_buf_text(&l->b, "]");
}

static void add_value(struct lines *l, const json_t *value);

static void add_fields(struct lines *l, const json_t *object, const char *const *names) {
  for (; *names; ++names) {
    const json_t *value = json_object_get(object, *names);
    add_value(l, value);
  }
}

static void add_value(struct lines *l, const json_t *value) {
  static const char *const names[] = {"title", "url", "summary", "content", "text", NULL};
  if (json_is_string(value)) add_line(l, ingest_json_str(value));
  for (size_t i = 0; i < json_array_size(value); ++i) add_value(l, json_array_get(value, i));
  if (!json_is_object(value)) return;
  struct ck_str pointer = asset_of(value);
  if (pointer.n)
    add_asset(l, value, pointer);
  else
    add_fields(l, value, names);
}

/* Which fields of a message's content are its text, by content_type. Of any other type, the text is
 * the content's JSON, so that nothing of it is lost. */
static const struct {
  const char *type;
  const char *fields[6];
} contents[] = {
    {"text", {"parts"}},
    {"multimodal_text", {"parts"}},
    {"code", {"text"}},
    {"execution_output", {"text"}},
    {"thoughts", {"thoughts", "parts"}},
    {"reasoning_recap", {"content", "parts"}},
    {"user_editable_context", {"user_profile", "user_instructions"}},
    {"tether_quote", {"title", "url", "text"}},
    {"tether_browsing_display", {"summary", "result"}},
    {"system_error", {"name", "text"}},
    {"computer_output", {"screenshot", "state"}},
    {"citable_code_output", {"output_str"}},
    {"model_editable_context", {"model_set_context", "repo_summary"}},
    {"sonic_webpage", {"title", "url", "text"}},
};
/* Of a content without a type. */
static const char *const any_fields[] = {"parts", "text", "content", "result", "summary", NULL};

static struct ck_str text_of(struct conversation *c, const json_t *message) {
  const json_t *content = json_object_get(message, "content");
  struct ck_str type = ingest_json_text(content, "content_type");
  struct lines l = {0};
  size_t i = 0, n = sizeof contents / sizeof *contents;
  while (i < n && !ck_str_is(type, contents[i].type)) ++i;
  if (json_is_string(content)) add_value(&l, content);
  if (i == n && type.n) return ingest_json_any(content, &c->arena);
  add_fields(&l, content, i < n ? contents[i].fields : any_fields);
  struct ck_str text = ck_arena_copy(&c->arena, ck_buf_view(&l.b));
  ck_buf_free(&l.b);
  return text;
}

/* ---- the tree ---- */

static int by_key(const void *a, const void *b) {
  const struct node *const *x = a, *const *y = b;
  return strcmp((*x)->key, (*y)->key);
}

static int key_to_node(const void *key, const void *node) {
  return strcmp(key, (*(struct node *const *)node)->key);
}

static struct node *find(const struct conversation *c, const json_t *key) {
  const char *name = json_string_value(key);
  struct node **hit =
      name ? bsearch(name, c->by_key, c->count, sizeof *c->by_key, key_to_node) : NULL;
  return hit ? *hit : NULL;
}

static void fail_node(const struct conversation *c, const char *key) {
  char where[INGEST_PLACE_TEXT];
  struct ck_buf b = {0};
  ingest_place_text(where, c->place, "conversation", c->id);
  ck_buf_text(&b, where);
  ck_buf_text(&b, ", node ");
  ck_buf_str(&b, ck_utf8_cut(ck_str_of(key), 200));
  c->visitor->failure(c->visitor->self, ck_buf_cstr(&b), "the node or its message is not an object",
                      (struct ck_str){0});
  ck_buf_free(&b);
}

static void read_nodes(struct conversation *c, const json_t *mapping) {
  const char *key;
  json_t *value;
  size_t n = json_object_size(mapping);
  c->nodes = ck_arena_get(&c->arena, (n + 1) * sizeof *c->nodes);
  c->by_key = ck_arena_get(&c->arena, (n + 1) * sizeof *c->by_key);
  json_object_foreach((json_t *)(uintptr_t)mapping, key, value) {
    struct node *node = &c->nodes[c->count];
    const json_t *message = json_object_get(value, "message");
    if (!json_is_object(value) || (message && !json_is_object(message) && !json_is_null(message)))
      fail_node(c, key);
    *node = (struct node){.key = key,
                          .json = value,
                          .message = json_is_object(message) ? message : NULL,
                          .at = INGEST_NO_TIME};
    c->by_key[c->count++] = node;
  }
  qsort(c->by_key, c->count, sizeof *c->by_key, by_key);
  for (size_t i = 0; i < c->count; ++i)
    c->nodes[i].parent = find(c, json_object_get(c->nodes[i].json, "parent"));
}

/* Cuts cycles of parents, which only a broken file has: after this every chain of parents ends. */
static void cut_cycles(struct conversation *c) {
  for (size_t i = 0; i < c->count; ++i) {
    struct node *at = &c->nodes[i];
    while (at && !at->walk) {
      at->walk = i + 1;
      if (at->parent && at->parent->walk == i + 1) at->parent = NULL;
      at = at->parent;
    }
  }
}

/* By the nodes' parents: `children` may be missing in the file, or disagree. */
static void find_children(struct conversation *c) {
  for (size_t i = c->count; i--;) {
    struct node *node = &c->nodes[i];
    if (!node->parent) continue;
    node->sibling = node->parent->children;
    node->parent->children = node;
  }
}

/* ---- times ---- */

static int64_t own_time(const struct node *node) {
  int64_t at;
  return node->message && ingest_json_time(json_object_get(node->message, "create_time"), &at)
             ? at
             : INGEST_NO_TIME;
}

/* A message without a time gets that of the nearest one above it, so that the order holds, and
 * importing the file again changes nothing. */
static int64_t time_of(struct conversation *c, struct node *node) {
  struct node *dated = node;
  while (dated && dated->at == INGEST_NO_TIME && (dated->at = own_time(dated)) == INGEST_NO_TIME)
    dated = dated->parent;
  int64_t at = dated ? dated->at : c->at;
  for (struct node *n = node; n != dated; n = n->parent) n->at = at;
  return at;
}

/* The conversation's own time; else the earliest of its messages; else the epoch, which is at least
 * the same at every import. */
static int64_t conversation_time(const struct conversation *c) {
  int64_t at, earliest = INT64_MAX;
  if (ingest_json_time(json_object_get(c->json, "create_time"), &at)) return at;
  if (ingest_json_time(json_object_get(c->json, "update_time"), &at)) return at;
  for (size_t i = 0; i < c->count; ++i)
    if ((at = own_time(&c->nodes[i])) != INGEST_NO_TIME && at < earliest) earliest = at;
  return earliest == INT64_MAX ? 0 : earliest;
}

/* ---- calls and their results ---- */

static struct ck_str role_of(const struct node *n) {
  return ingest_json_text(json_object_get(n->message, "author"), "role");
}
static struct ck_str author_of(const struct node *n) {
  return ingest_json_text(json_object_get(n->message, "author"), "name");
}

/* The tool that a message is addressed to; empty if it is for everybody. */
static struct ck_str tool_called(const struct node *n) {
  struct ck_str to = ck_trim(ingest_json_text(n->message, "recipient"));
  return ck_str_is(to, "all") || ck_str_is(to, "assistant") ? (struct ck_str){0} : to;
}

static bool is_call(const struct node *n) {
  if (!n->message || !ck_str_is(role_of(n), "assistant")) return false;
  return tool_called(n).n ||
         ck_str_is(ingest_json_text(json_object_get(n->message, "content"), "content_type"),
                   "code");
}

/* Several calls may come before their results. Then the tool's name must match, if both give it.
 * Each result answers only one call. */
static bool answers(const struct node *result, const struct node *call, bool others_between) {
  struct ck_str name = author_of(result), tool = tool_called(call);
  if (!ck_str_is(role_of(result), "tool") || result->claimed) return false;
  return !others_between || !name.n || !tool.n || ck_str_eq(name, tool);
}

/* Walks down from a call to its result. Other calls and results may come between; anything else
 * ends the search. */
static struct node *result_of(const struct node *call) {
  const struct node *at = call;
  bool others_between = false;
  for (int steps = 0; at && steps < CALLS_IN_A_ROW; ++steps) {
    const struct node *next = NULL;
    for (struct node *below = at->children; below; below = below->sibling) {
      if (below->message && answers(below, call, others_between)) return below;
      bool passes = !below->message || is_call(below) || ck_str_is(role_of(below), "tool");
      if (passes && !next) next = below;
    }
    if (next && next->message) others_between = true;
    at = next;
  }
  return NULL;
}

/* False if the result reports a failure. The message of the failure is its text. */
static bool result_ok(const json_t *result) {
  const json_t *metadata = json_object_get(result, "metadata");
  struct ck_str status = ingest_json_text(json_object_get(metadata, "aggregate_result"), "status");
  if (status.n) return ck_str_is(status, "success");
  return !ck_str_is(ingest_json_text(json_object_get(result, "content"), "content_type"),
                    "system_error");
}

static void join_result(struct conversation *c, struct node *call, struct ck_str params,
                        struct ingest_observation *o, struct ingest_execution *e) {
  struct node *result = is_call(call) ? result_of(call) : NULL;
  if (!result) return;
  result->claimed = true;
  struct ck_str tool = tool_called(call), name = ck_trim(author_of(result));
  if (!tool.n) tool = name.n ? name : CK_LIT("tool");
  *e = (struct ingest_execution){.instruction_id = o->message_id,
                                 .target = tool,
                                 .tool = tool,
                                 .params = params,
                                 .params_kind = "body"};
  e->ok = result_ok(result->message);
  e->result = text_of(c, result->message);
  if (!e->ok) e->error = e->result.n ? e->result : CK_LIT("failed");
  e->executed_at = time_of(c, result);
  o->executions = e;
  o->execution_count = 1;
}

/* ---- messages ---- */

static void give(struct conversation *c, struct node *node) {
  struct ingest_observation o = {.platform = CK_LIT("chatgpt"), .has_text = true};
  struct ingest_execution execution;
  char place[INGEST_PLACE_TEXT], where[INGEST_PLACE_TEXT + 220];
  o.message_id = ck_trim(ingest_json_text(node->message, "id"));
  if (!o.message_id.n) o.message_id = ck_str_of(node->key);
  o.role = role_of(node);
  o.text = text_of(c, node->message);
  o.observed_at = time_of(c, node);
  if (c->id.n) o.conversation_id = ck_text(c->id);
  if (c->url.n) o.page_url = ck_text(c->url);
  if (c->title.n) o.page_title = ck_text(c->title);
  join_result(c, node, o.text, &o, &execution);
  ingest_place_text(place, c->place, "conversation", c->id);
  struct ck_buf b = {0};
  ck_buf_text(&b, place);
  ck_buf_text(&b, ", message ");
  ck_buf_str(&b, ck_utf8_cut(o.message_id, 200));
  memcpy(where, ck_buf_cstr(&b), b.len + 1);
  ck_buf_free(&b);
  c->visitor->observation(c->visitor->self, &o, where);
}

/* Gives a node, after all nodes above it that were not given before. path is scratch. */
static void give_path(struct conversation *c, struct node *leaf, struct node **path) {
  size_t n = 0;
  for (struct node *at = leaf; at && !at->done; at = at->parent) {
    at->done = true;
    path[n++] = at;
  }
  while (n--)
    if (path[n]->message) give(c, path[n]);
}

static void read_mapping(struct conversation *c, const json_t *mapping) {
  read_nodes(c, mapping);
  cut_cycles(c);
  find_children(c);
  c->at = conversation_time(c);
  struct node **path = ck_arena_get(&c->arena, (c->count + 1) * sizeof *path);
  /* First the branch that the page shows, from top to bottom; then the others. */
  give_path(c, find(c, json_object_get(c->json, "current_node")), path);
  for (size_t i = 0; i < c->count; ++i) give_path(c, &c->nodes[i], path);
}

static void find_names(struct conversation *c) {
  c->id = ck_trim(ingest_json_text(c->json, "conversation_id"));
  if (!c->id.n) c->id = ck_trim(ingest_json_text(c->json, "id"));
  c->title = ck_trim(ingest_json_text(c->json, "title"));
  if (!c->id.n) return;
  struct ck_buf b = {0};
  ck_buf_text(&b, "https://chatgpt.com/c/");
  ck_buf_str(&b, c->id);
  c->url = ck_arena_copy(&c->arena, ck_buf_view(&b));
  ck_buf_free(&b);
}

static void read_element(const struct ingest_visitor *visitor, const json_t *element,
                         struct ck_str raw, const struct ingest_place *place) {
  struct conversation c = {.visitor = visitor, .place = place, .json = element};
  const json_t *mapping = json_object_get(element, "mapping");
  (void)raw;
  find_names(&c);
  if (json_is_object(mapping)) {
    read_mapping(&c, mapping);
  } else {
    char where[INGEST_PLACE_TEXT];
    ingest_place_text(where, place, "conversation", c.id);
    visitor->failure(visitor->self, where,
                     mapping && !json_is_null(mapping) ? "mapping is not an object"
                                                       : "mapping is missing",
                     (struct ck_str){0});
  }
  ck_arena_free(&c.arena);
}

static bool knows(const json_t *element) {
  if (json_object_get(element, "mapping")) return true;
  return json_object_get(element, "conversation_id") &&
         (json_object_get(element, "create_time") || json_object_get(element, "current_node"));
}

const struct ingest_source ingest_source_chatgpt = {
    .name = "chatgpt", .element = "conversation", .knows = knows, .read = read_element};
