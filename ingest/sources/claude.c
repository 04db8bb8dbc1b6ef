/* Claude.ai's conversations: conversations.json of an export, in its forms of 2024 (text only),
 * 2025 (blocks) and 2026 (blocks with ids, a tree of messages), and what the page itself fetches.
 * Every message becomes one observation, with its place in the conversation and its tools'
 * executions. docs/formats.md describes the format. */
#include "ingest/sources/claude.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "ingest/route.h"
#include "ingest/sources/details.h"

/* ---- messages ---- */

static const struct {
  const char *sender, *role;
} roles[] = {{"human", "user"}, {"assistant", "assistant"}};

static struct ck_str role_of(const json_t *message) {
  struct ck_str sender = ck_trim(ingest_json_text(message, "sender"));
  for (size_t i = 0; i < sizeof roles / sizeof *roles; ++i)
    if (sender.n == strlen(roles[i].sender) &&
        strncasecmp(sender.s, roles[i].sender, sender.n) == 0)
      return ck_str_of(roles[i].role);
  return sender;
}

static void give_notes(const struct claude_chat *c, const struct claude_message *m) {
  const json_t *time = json_object_get(m->json, "created_at");
  if (!m->timed)
    c->visitor->note(c->visitor->self,
                     !time || json_is_null(time) ? "message without a time"
                                                 : "message whose time cannot be read",
                     1);
  if (!m->parent && m->parent_id.n)
    c->visitor->note(c->visitor->self, "message whose parent is missing", 1);
}

static void give_message(struct claude_chat *c, struct claude_message *m) {
  struct ingest_observation o = {.platform = CK_LIT("claude"), .message_id = m->id};
  char where[CLAUDE_PLACE_TEXT];
  claude_open(c, m);
  claude_place(c, where, m->n, ingest_json_id(m->json, "uuid", &c->one));
  o.role = role_of(m->json);
  o.observed_at = m->at;
  o.time_assumed = !m->timed;
  o.placed = m->placed;
  o.position = m->position;
  o.parent_id = m->parent_id;
  o.conversation_id = ck_text(c->id);
  if (c->page.n) o.page_url = ck_text(c->page);
  if (c->name.n) o.page_title = ck_text(c->name);
  claude_content(c, m, &o);
  claude_executions(c, m, &o);
  give_notes(c, m);
  c->visitor->observation(c->visitor->self, &o, where);
  ck_arena_reset(&c->one);
  claude_close(m);
}

/* ---- the conversation ---- */

/* A conversation without an id is known by its first message, which no rename and no further
 * message changes; if that has no id either, by its content. */
static struct ck_str made_id(struct claude_chat *c, const json_t *list) {
  json_t *first = ingest_outline_child(c->outline, json_array_get(list, 0));
  struct ck_str id = claude_lasting(c, ingest_json_id(first, "uuid", &c->arena));
  char hash[33];
  struct ck_buf b = {0};
  if (!id.n) {
    struct ck_str content = ingest_json_any(first, &c->arena);
    ck_hash_id(hash, &content, 1);
    id = ck_str_of(hash);
  }
  json_decref(first);
  ck_buf_text(&b, "first-");
  ck_buf_str(&b, id);
  c->visitor->note(c->visitor->self, "conversation without an id, known by its first message", 1);
  return ck_arena_keep(&c->arena, &b);
}

static void find_names(struct claude_chat *c, const json_t *list) {
  struct ck_buf b = {0};
  c->id = ingest_json_id(c->json, "uuid", &c->arena);
  c->name = ck_trim(ingest_json_text(c->json, "name"));
  if (!c->url) c->page = ingest_json_text(c->json, "page");
  if (!c->id.n) {
    c->id = made_id(c, list);
  } else if (c->url && ingest_route_fits(c->id)) {
    ck_buf_text(&b, c->url);
    ck_buf_str(&b, c->id);
    c->page = ck_arena_keep(&c->arena, &b);
  }
}

/* An account is an object in exports, text in files that tools made of them. */
static struct ck_str uuid_of(const json_t *value) {
  return json_is_string(value) ? ingest_json_str(value) : ingest_json_text(value, "uuid");
}

static struct ck_str details_of(struct claude_chat *c) {
  static const char *const same[][2] = {
      {"type", "type"},
      {"model", "model"},
      {"starred", "is_starred"},
      {"archived", "is_archived"},
      {"is_temporary", "is_temporary"},
      {"is_private", "is_private"},
      {"is_starter_project", "is_starter_project"},
      {"settings", "settings"},
  };
  const json_t *project = json_object_get(c->json, "project");
  struct ck_str project_id = uuid_of(project);
  struct ck_buf details = {0};
  if (!project_id.n) project_id = ingest_json_text(c->json, "project_uuid");
  ingest_details_text(&details, "project", project_id);
  ingest_details_text(&details, "project_name", ingest_json_text(project, "name"));
  ingest_details_text(&details, "account", uuid_of(json_object_get(c->json, "account")));
  for (size_t i = 0; i < sizeof same / sizeof *same; ++i)
    ingest_details_json(&details, same[i][0], json_object_get(c->json, same[i][1]));
  ingest_details_time(&details, "created_at", json_object_get(c->json, "created_at"));
  ingest_details_time(&details, "updated_at", json_object_get(c->json, "updated_at"));
  return ingest_details_end(&details, &c->arena);
}

/* The time of the conversation's last change, else of its newest message. */
static int64_t age_of(const struct claude_chat *c) {
  int64_t age = 0;
  if (ingest_json_time(json_object_get(c->json, "updated_at"), &age)) return age;
  for (size_t i = 0; i < c->count; ++i)
    if (c->messages[i].timed && c->messages[i].at > age) age = c->messages[i].at;
  return age;
}

static void begin(struct claude_chat *c) {
  const struct claude_message *current = claude_current(c);
  struct ingest_conversation about = {.platform = CK_LIT("claude"),
                                      .id = c->id,
                                      .title = c->name,
                                      .url = c->page,
                                      .age = age_of(c),
                                      .to_end = true};
  char where[INGEST_PLACE_TEXT];
  ingest_place_text(where, c->place, c->element, c->id);
  about.summary = ck_trim(ingest_json_text(c->json, "summary"));
  about.details = details_of(c);
  if (current) about.current = current->id;
  if (!ingest_json_time(json_object_get(c->json, "created_at"), &about.created_at))
    about.created_at = INGEST_NO_TIME;
  c->visitor->begin(c->visitor->self, &about, where);
}

void claude_read(struct claude_chat *c) {
  const json_t *list = json_object_get(c->json, "chat_messages");
  find_names(c, list);
  claude_tree(c, list);
  claude_tools(c);
  begin(c);
  for (size_t i = 0; i < c->count; ++i) give_message(c, &c->messages[i]);
  c->visitor->end(c->visitor->self);
  ck_buf_free(&c->uses);
  ck_buf_free(&c->results);
  ck_arena_free(&c->one);
  ck_arena_free(&c->arena);
}

/* ---- conversations.json ---- */

static void read_element(const struct ingest_visitor *visitor,
                         const struct ingest_element *element) {
  static const char *const fields[] = {"model",     "stop_reason",        "input_mode",
                                       "truncated", "sync_sources",       "chat_feedback",
                                       "metadata",  "compaction_summary", NULL};
  struct claude_chat c = {.visitor = visitor,
                          .place = element->place,
                          .json = element->json,
                          .outline = element->outline,
                          .element = "conversation",
                          .url = "https://claude.ai/chat/",
                          .fields = fields,
                          .by_time = true};
  const json_t *messages = json_object_get(c.json, "chat_messages");
  char where[INGEST_PLACE_TEXT];
  if (json_is_array(messages)) {
    claude_read(&c);
    return;
  }
  ingest_place_text(where, element->place, "conversation",
                    ingest_json_id(c.json, "uuid", &c.arena));
  visitor->failure(visitor->self, where,
                   messages && !json_is_null(messages) ? "chat_messages is not an array"
                                                       : "chat_messages is missing",
                   (struct ck_str){0});
  ck_arena_free(&c.arena);
}

static bool knows(const json_t *element) {
  return json_object_get(element, "chat_messages") ||
         (json_object_get(element, "uuid") && json_object_get(element, "account") &&
          json_object_get(element, "name"));
}

const struct ingest_source ingest_source_claude = {.name = "claude",
                                                   .version = 1,
                                                   .element = "conversation",
                                                   .knows = knows,
                                                   .read = read_element,
                                                   .outlines = true};
