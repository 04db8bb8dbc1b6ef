/* Claude.ai's files: what ingest says of each conversation, against a reading of the same file that
 * shares nothing with ingest but the parser. It knows only how the page finds the branch that it
 * shows: from its last message up, by parent_message_uuid. */
#include <criterion/criterion.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ingest/files/reader.h"
#include "tests/golden/sources.h"

/* ---- what ingest says ----
 * {"CONVERSATION": {"title": …, "current": ID, "messages": {ID: {"parent": …, "text": …}}}} */

struct told {
  json_t *conversations, *messages;
  unsigned message_count, executions, without_result, failures;
};

static json_t *text_of(struct ck_str s) { return json_stringn(s.n ? s.s : "", s.n); }

static void on_begin(void *self, const struct ingest_conversation *c, const char *place) {
  struct told *t = self;
  json_t *conversation = json_object();
  (void)place;
  t->messages = json_object();
  json_object_set_new(conversation, "title", text_of(c->title));
  json_object_set_new(conversation, "current", text_of(c->current));
  json_object_set_new(conversation, "messages", t->messages);
  json_object_setn_new(t->conversations, c->id.s, c->id.n, conversation);
}

static void on_end(void *self) { (void)self; }

static void on_observation(void *self, const struct ingest_observation *o, const char *place) {
  struct told *t = self;
  json_t *message = json_object();
  (void)place;
  json_object_set_new(message, "parent", text_of(o->parent_id));
  json_object_set_new(message, "text", text_of(o->text));
  json_object_set_new(message, "role", text_of(o->role));
  json_object_set_new(message, "position", json_integer(o->placed ? o->position : -1));
  json_object_setn_new(t->messages, o->message_id.s, o->message_id.n, message);
  ++t->message_count;
  t->executions += (unsigned)o->execution_count;
  for (size_t i = 0; i < o->execution_count; ++i) t->without_result += o->executions[i].no_result;
}

static void on_failure(void *self, const char *place, const char *reason, struct ck_str raw) {
  struct told *t = self;
  (void)place;
  (void)reason;
  (void)raw;
  ++t->failures;
}

static void on_note(void *self, const char *kind, uint64_t n) {
  (void)self;
  (void)kind;
  (void)n;
}

static void read_file(struct told *t, const char *path, struct ck_str bytes, char format[32]) {
  const struct ingest_visitor visitor = {t,          on_begin, on_end, on_observation,
                                         on_failure, on_note,  NULL};
  *t = (struct told){.conversations = json_object()};
  struct ingest_reader *r = ingest_reader_new(path, &visitor);
  ingest_reader_feed(r, bytes.s, bytes.n);
  ingest_reader_end(r);
  cr_expect_str_eq(ingest_reader_error(r), "", "%s: %s", path, ingest_reader_error(r));
  snprintf(format, 32, "%s", ingest_reader_format(r));
  ingest_reader_free(&r);
}

/* ---- the independent reading ---- */

#define ROOT "00000000-0000-4000-8000-000000000000"

static const char *text_at(const json_t *object, const char *name) {
  const char *text = json_string_value(json_object_get(object, name));
  return text ? text : "";
}

static const json_t *by_uuid(const json_t *messages, const char *uuid) {
  size_t i;
  const json_t *message;
  json_array_foreach(messages, i,
                     message) if (*uuid && !strcmp(text_at(message, "uuid"), uuid)) return message;
  return NULL;
}

static bool is_parent(const json_t *messages, const json_t *of) {
  size_t i;
  const json_t *message;
  json_array_foreach(messages, i, message) if (!strcmp(text_at(message, "parent_message_uuid"),
                                                       text_at(of, "uuid"))) return true;
  return false;
}

/* The page's last message: the one that the conversation names, else of those that nothing follows
 * the newest. */
static const json_t *last_of(const json_t *conversation, const json_t *messages) {
  const json_t *last = by_uuid(messages, text_at(conversation, "current_leaf_message_uuid")),
               *message;
  size_t i;
  if (last) return last;
  json_array_foreach(messages, i, message) if (!is_parent(messages, message) &&
                                               (!last || strcmp(text_at(message, "created_at"),
                                                                text_at(last, "created_at")) >= 0))
      last = message;
  return last;
}

/* After all that were said before it or at the same time. */
static void add_by_time(json_t *branch, const json_t *message) {
  size_t at = json_array_size(branch);
  const char *time = text_at(message, "created_at");
  if (!json_is_object(message)) return;
  while (at && *time && strcmp(text_at(json_array_get(branch, at - 1), "created_at"), time) > 0)
    --at;
  json_array_insert(branch, at, (json_t *)(uintptr_t)message);
}

/* The branch that the page shows, from its first message. */
static json_t *branch_of(const json_t *conversation) {
  const json_t *messages = json_object_get(conversation, "chat_messages"), *message;
  json_t *branch = json_array();
  bool tree = false;
  size_t i;
  json_array_foreach(messages, i, message) tree |= *text_at(message, "parent_message_uuid") != 0;
  if (!tree) {
    json_array_foreach(messages, i, message) add_by_time(branch, message);
    return branch;
  }
  for (message = last_of(conversation, messages); message;
       message = by_uuid(messages, text_at(message, "parent_message_uuid")))
    json_array_insert(branch, 0, (json_t *)(uintptr_t)message);
  return branch;
}

/* The words of a message: its blocks of text, one a line; else its text. */
static void words_of(struct ck_buf *words, const json_t *message) {
  const json_t *content = json_object_get(message, "content"), *block;
  size_t i, n = 0;
  json_array_foreach(content, i, block) if (!strcmp(text_at(block, "type"), "text")) {
    if (n++) ck_buf_text(words, "\n");
    ck_buf_text(words, text_at(block, "text"));
  }
  if (!words->len) ck_buf_text(words, text_at(message, "text"));
}

static size_t count_blocks(const json_t *conversations, const char *type) {
  size_t c, m, b, n = 0;
  const json_t *conversation, *message, *block;
  json_array_foreach(conversations, c, conversation)
      json_array_foreach(json_object_get(conversation, "chat_messages"), m, message)
          json_array_foreach(json_object_get(message, "content"), b, block) n +=
      !strcmp(text_at(block, "type"), type);
  return n;
}

/* ---- the comparison ---- */

static void same_message(const char *path, const json_t *read, const json_t *told, size_t position,
                         const char *parent) {
  struct ck_buf words = {0};
  const char *id = text_at(read, "uuid");
  words_of(&words, read);
  cr_expect_eq(strncmp(text_at(told, "text"), ck_buf_cstr(&words), words.len), 0,
               "%s, %s says '%s', not '%s'", path, id, text_at(told, "text"), ck_buf_cstr(&words));
  cr_expect_eq(json_integer_value(json_object_get(told, "position")), (json_int_t)position,
               "%s, %s is at %lld, not %zu", path, id,
               (long long)json_integer_value(json_object_get(told, "position")), position);
  cr_expect_str_eq(text_at(told, "parent"), parent, "%s, %s is below '%s'", path, id,
                   text_at(told, "parent"));
  cr_expect_str_eq(text_at(told, "role"),
                   strcmp(text_at(read, "sender"), "human") ? text_at(read, "sender") : "user");
  ck_buf_free(&words);
}

static void same_branch(const char *path, const json_t *read, const json_t *told) {
  json_t *branch = branch_of(read);
  const json_t *messages = json_object_get(told, "messages"), *message;
  const char *parent = "", *id = "";
  size_t i;
  cr_expect_str_eq(text_at(told, "title"), text_at(read, "name"));
  json_array_foreach(branch, i, message) {
    id = text_at(message, "uuid");
    cr_assert(json_object_get(messages, id) != NULL, "%s, message %s is not told", path, id);
    same_message(path, message, json_object_get(messages, id), i, parent);
    parent = id;
  }
  cr_expect_str_eq(text_at(told, "current"), id, "%s ends at %s, not %s", path,
                   text_at(told, "current"), id);
  json_decref(branch);
}

/* The conversations of a file: an array, an object with one, a line each, or a single one. */
static json_t *conversations_of(struct ck_str bytes) {
  json_t *list = json_array();
  for (size_t at = 0; at < bytes.n;) {
    json_error_t e;
    json_t *piece = json_loadb(bytes.s + at, bytes.n - at, JSON_DISABLE_EOF_CHECK, &e);
    if (!piece) break;
    at += (size_t)e.position;
    if (json_is_array(piece))
      json_array_extend(list, piece);
    else if (json_object_get(piece, "conversations"))
      json_array_extend(list, json_object_get(piece, "conversations"));
    else
      json_array_append(list, piece);
    json_decref(piece);
  }
  return list;
}

struct expected {
  const char *path;
  unsigned conversations, messages, executions, without_result, failures;
};

static void same_reading(const struct expected *x, struct ck_str bytes) {
  struct told told;
  char format[32];
  json_t *list = conversations_of(bytes);
  const json_t *conversation;
  size_t i;
  read_file(&told, x->path, bytes, format);
  cr_expect_str_eq(format, "claude", "%s is %s", x->path, format);
  cr_expect_eq(json_object_size(told.conversations), x->conversations, "%s has %zu conversations",
               x->path, json_object_size(told.conversations));
  cr_expect_eq(told.message_count, x->messages, "%s has %u messages", x->path, told.message_count);
  cr_expect_eq(told.executions, x->executions, "%s has %u executions", x->path, told.executions);
  cr_expect_eq(told.without_result, x->without_result, "%s", x->path);
  cr_expect_eq(told.failures, x->failures, "%s has %u failures", x->path, told.failures);
  cr_expect_geq(told.executions, count_blocks(list, "tool_use"), "%s", x->path);
  json_array_foreach(list, i, conversation) {
    const json_t *same = json_object_get(told.conversations, text_at(conversation, "uuid"));
    if (json_is_array(json_object_get(conversation, "chat_messages"))) {
      cr_assert(same != NULL, "%s, conversation %zu is not told", x->path, i + 1);
      same_branch(x->path, conversation, same);
    }
  }
  json_decref(told.conversations);
  json_decref(list);
}

static const struct expected own[] = {
    {"claude-branches.json", 2, 8, 0, 0, 0}, {"claude-content.json", 1, 8, 1, 1, 0},
    {"claude-live.json", 1, 2, 0, 0, 0},     {"claude-lines.jsonl", 2, 2, 0, 0, 0},
    {"claude-wrapped.json", 2, 2, 0, 0, 0},
};

Test(golden_claude, own_files) {
  for (size_t i = 0; i < sizeof own / sizeof *own; ++i) {
    struct ck_buf b = {0};
    cr_assert(sources_load(&b, own[i].path), "%s is not there", own[i].path);
    same_reading(&own[i], ck_buf_view(&b));
    ck_buf_free(&b);
  }
}

static const struct expected others[] = {
    {"claude-ai/owi-real-claude-430k.json", 85, 557, 0, 0, 0},
    {"claude-ai/simonw-artifacts.json", 1, 20, 0, 0, 0},
    {"claude-ai/simonw-example.json", 1, 2, 0, 0, 0},
    {"claude-ai/structurer-example.json", 1, 4, 0, 0, 0},
    {"cases/claude-artifact-2025-noids.json", 1, 2, 2, 0, 0},
    {"cases/claude-artifact-no-result.json", 1, 2, 1, 1, 0},
    {"cases/claude-branches.json", 1, 5, 0, 0, 0},
    {"cases/claude-dup-msg-uuid.json", 2, 5, 0, 0, 0},
    {"cases/claude-equal-times.json", 1, 4, 0, 0, 0},
    {"cases/claude-files-only.json", 1, 3, 0, 0, 0},
    {"cases/claude-live-api.json", 1, 1, 0, 0, 0},
    {"cases/claude-live-api-noaccount.json", 1, 1, 0, 0, 0},
    {"cases/claude-ndjson.jsonl", 3, 3, 0, 0, 0},
    {"cases/claude-nulls.json", 2, 2, 0, 0, 1},
    {"cases/claude-thinking.json", 1, 2, 0, 0, 0},
    {"cases/claude-websearch.json", 1, 2, 1, 0, 0},
    {"cases/claude-wrapped.json", 1, 1, 0, 0, 0},
};

Test(golden_claude, files_of_others) {
  for (size_t i = 0; i < sizeof others / sizeof *others; ++i) {
    struct ck_buf b = {0};
    if (sources_load_input(&b, others[i].path))
      same_reading(&others[i], ck_buf_view(&b));
    else
      fprintf(stderr, "../shared/inputs/%s is not there: left out\n", others[i].path);
    ck_buf_free(&b);
  }
}
