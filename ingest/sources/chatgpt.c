/* ChatGPT's conversations.json: each conversation is a tree of nodes (`mapping`). Every node with a
 * message becomes one observation; a tool call's results become its executions.
 * docs/formats.md describes the format. */
#include "ingest/sources/chatgpt.h"

#include <stdio.h>
#include <string.h>

#include "ingest/parse/json.h"
#include "ingest/route.h"

/* ---- names ---- */

static struct ck_str own_id(struct chatgpt *c) {
  struct ck_str id = ingest_json_id(c->json, "conversation_id", &c->arena);
  return id.n ? id : ingest_json_id(c->json, "id", &c->arena);
}

/* The page of a conversation. An id that the file lacks, or that is none of an address, leads to
 * none. */
static struct ck_str url_of(struct chatgpt *c, struct ck_str id) {
  struct ck_buf b = {0};
  if (!ingest_route_fits(id)) return (struct ck_str){0};
  ck_buf_text(&b, "https://chatgpt.com/c/");
  ck_buf_str(&b, id);
  return ck_arena_keep(&c->arena, &b);
}

/* ---- messages ---- */

static void note(const struct chatgpt *c, const char *kind) {
  c->visitor->note(c->visitor->self, kind, 1);
}

/* Nearly every conversation begins with messages of the system that say nothing, at no time. */
static bool says_something(const struct ingest_observation *o) {
  return o->text.n || !ck_str_is(o->role, "system");
}

static void give_notes(const struct chatgpt *c, const struct chatgpt_node *node,
                       const struct ingest_observation *o) {
  if (node->told == INGEST_NO_TIME && says_something(o)) {
    const json_t *time = json_object_get(node->message, "create_time");
    note(c, !time || json_is_null(time) ? "message without a time"
                                        : "message whose time cannot be read");
  }
  if (chatgpt_is_call(node) && !node->output) note(c, "tool call without a result");
  if (chatgpt_is_result(node) && !node->call) note(c, "tool result without a call");
}

static void give_message(struct chatgpt *c, struct chatgpt_node *node,
                         const struct ingest_conversation *of) {
  struct ingest_observation o = {.platform = of->platform, .has_text = true};
  struct ck_buf where = {0};
  chatgpt_open(c, node);
  o.message_id = node->id;
  o.role = node->label->role;
  o.placed = !c->is_page;
  o.position = (int64_t)node->position;
  if (node->above)
    o.parent_id = node->above->id;
  else if (c->is_page)
    o.parent_id = ck_trim(ingest_json_str(chatgpt_metadata(node, "parent_id")));
  o.text = chatgpt_text(c, node->message, true);
  o.details = chatgpt_message_details(c, node, o.text);
  o.observed_at = node->at;
  o.time_assumed = node->told == INGEST_NO_TIME;
  if (of->id.n) o.conversation_id = ck_text(of->id);
  if (of->url.n) o.page_url = ck_text(of->url);
  if (of->title.n) o.page_title = ck_text(of->title);
  if (chatgpt_is_call(node)) chatgpt_read_executions(c, node, &o);
  give_notes(c, node, &o);
  ck_buf_text(&where, c->where);
  ck_buf_text(&where, ", message ");
  ck_buf_str(&where, ck_utf8_cut(node->id, 200));
  c->visitor->observation(c->visitor->self, &o, ck_buf_cstr(&where));
  ck_buf_free(&where);
  ck_arena_reset(&c->one);
  chatgpt_close(node);
}

/* ---- conversations ---- */

/* The messages that are of one conversation: of the file's, or of one that it is copied from. */
static void give_conversation(struct chatgpt *c, const struct ingest_conversation *of,
                              const struct chatgpt_fork *fork) {
  c->visitor->begin(c->visitor->self, of, c->where);
  for (size_t i = 0; i < c->count; ++i)
    if (c->order[i]->kept && c->order[i]->fork == fork) give_message(c, c->order[i], of);
  c->visitor->end(c->visitor->self);
}

/* What a copy says of another conversation is as old as its newest message, so that whatever that
 * conversation says itself is newer. */
static void give_fork(struct chatgpt *c, const struct chatgpt_fork *fork) {
  struct ingest_conversation of = {.platform = CK_LIT("chatgpt"),
                                   .id = fork->id,
                                   .title = fork->title,
                                   .url = url_of(c, fork->id),
                                   .current = fork->last->id,
                                   .created_at = INGEST_NO_TIME};
  for (size_t i = 0; i < c->count; ++i)
    if (c->order[i]->fork == fork && c->order[i]->told > of.age) of.age = c->order[i]->told;
  give_conversation(c, &of, fork);
}

static void give_own(struct chatgpt *c) {
  struct ingest_conversation of = {.platform = CK_LIT("chatgpt"), .id = c->id, .to_end = true};
  of.title = ck_trim(ingest_json_text(c->json, "title"));
  of.url = url_of(c, own_id(c));
  if (c->current) of.current = c->current->id;
  of.details = chatgpt_conversation_details(c);
  if (!ingest_json_time(json_object_get(c->json, "create_time"), &of.created_at))
    of.created_at = INGEST_NO_TIME;
  if (!ingest_json_time(json_object_get(c->json, "update_time"), &of.age))
    of.age = chatgpt_newest(c);
  give_conversation(c, &of, NULL);
}

/* ---- elements ---- */

/* The page loads a conversation as a list of messages, which name their parents in their metadata.
 * This makes the mapping that it stands for; the caller decrefs. */
static json_t *mapping_of(struct chatgpt *c, const json_t *messages) {
  json_t *mapping = json_object();
  const char *before = NULL;
  for (size_t i = 0; i < json_array_size(messages); ++i) {
    json_t *message = ingest_outline_child(c->outline, json_array_get(messages, i));
    const json_t *metadata = json_object_get(message, "metadata");
    const char *key = json_string_value(json_object_get(message, "id")),
               *parent = json_string_value(json_object_get(metadata, "parent_id"));
    char number[32];
    snprintf(number, sizeof number, "message %zu", i + 1);
    if (!key || json_object_get(mapping, key)) key = number;
    json_object_set_new(
        mapping, key,
        json_pack("{s:o,s:s?}", "message", message, "parent", parent ? parent : before));
    before = json_object_iter_key(json_object_iter_at(mapping, key));
  }
  c->outline = NULL; /* this is whole */
  return mapping;
}

static void read_mapping(struct chatgpt *c, const json_t *mapping) {
  chatgpt_read_tree(c, mapping);
  chatgpt_pair_tools(c);
  for (size_t i = 0; i < c->fork_count; ++i)
    if (c->forks[i].last) give_fork(c, &c->forks[i]);
  if (c->id.n) give_own(c);
}

static void fail_mapping(const struct chatgpt *c, const json_t *mapping) {
  c->visitor->failure(c->visitor->self, c->where,
                      mapping && !json_is_null(mapping) ? "mapping is not an object"
                                                        : "mapping is missing",
                      (struct ck_str){0});
}

static void read_element(const struct ingest_visitor *visitor,
                         const struct ingest_element *element) {
  struct chatgpt c = {.visitor = visitor, .json = element->json, .outline = element->outline};
  const json_t *mapping = json_object_get(c.json, "mapping"),
               *messages = json_object_get(c.json, "messages"),
               *page = json_object_get(c.json, "page_info");
  json_t *made = NULL;
  if (!json_is_object(mapping) && json_is_array(messages)) made = mapping_of(&c, messages);
  c.id = own_id(&c);
  ingest_place_text(c.where, element->place, "conversation", c.id);
  c.is_page = made && json_is_true(json_object_get(page, "has_previous_page"));
  if (made || json_is_object(mapping))
    read_mapping(&c, made ? made : mapping);
  else
    fail_mapping(&c, mapping);
  json_decref(made);
  ck_arena_free(&c.one);
  ck_arena_free(&c.arena);
}

static bool knows(const json_t *element) {
  if (json_object_get(element, "mapping")) return true;
  return json_object_get(element, "conversation_id") &&
         (json_object_get(element, "create_time") || json_object_get(element, "current_node"));
}

const struct ingest_source ingest_source_chatgpt = {.name = "chatgpt",
                                                    .version = 1,
                                                    .element = "conversation",
                                                    .knows = knows,
                                                    .read = read_element,
                                                    .outlines = true};
