/* One account at two services as it grows, exported ten times, with live observations between:
 * whatever the order in which all that is imported, the same records come of it. */
#include <stdlib.h>
#include <string.h>

#include "tests/harness/base.h"
#include "tests/harness/database.h"
#include "tests/harness/ring.h"

#define CONVERSATIONS 24
#define MESSAGES 40 /* of one conversation, at most */
#define EXPORTS 10
#define FILES (3 * EXPORTS)
#define STEPS 15 /* from an export to the end of the observations, and from there to the next */
#define ORDERS 4
#define FIRST_AT INT64_C(1767265200000) /* 2026-01-01, 11:00 */
#define ROOT "00000000-0000-4000-8000-000000000000"

struct message {
  char id[40];
  int parent; /* -1: none */
  bool assistant;
  bool untimed; /* no export says when it was said */
  char text[80];
  int64_t at;
  bool calls; /* has a tool call, whose result comes with a later export */
  bool answered;
};

struct conversation {
  bool claude;
  char id[40], title[60];
  struct message messages[MESSAGES];
  int count, current;
  int copied; /* so many messages, the first ones, are those of forked_from */
  const struct conversation *forked_from;
  int64_t created_at, updated_at;
  bool archived;
  /* As the files tell it last. */
  char told_title[60], told_current[40];
  json_t *told; /* its element of the newest export */
};

static struct {
  struct conversation list[CONVERSATIONS];
  int count;
  int64_t at;
  struct ck_buf live; /* observations since the last export */
  unsigned serial;
} account;

static int below(int n) { return (int)t_random_below((uint64_t)n); }

static int64_t tick(void) { return account.at += 10000 + below(60000); }

static void new_id(char id[40]) {
  snprintf(id, 40, "%08x-0000-4000-9000-%012x", (unsigned)t_random_below(1u << 31),
           ++account.serial);
}

/* ---- what happens in the account ---- */

/* Said in the page while it is open, and seen by a browser there: without its place. */
static void observe(struct conversation *c, const struct message *m) {
  ck_buf_printf(&account.live,
                "{\"platform\":\"%s\",\"conversation_id\":\"%s\",\"message_id\":\"%s\","
                "\"role\":\"%s\",\"text\":\"%s\",\"page_title\":\"%s\",\"observed_at\":%lld}\n",
                c->claude ? "claude" : "chatgpt", c->id, m->id, m->assistant ? "assistant" : "user",
                m->text, c->title, (long long)account.at);
  memcpy(c->told_title, c->title, sizeof c->title);
  memcpy(c->told_current, m->id, sizeof m->id);
}

static void say(struct conversation *c, int parent, bool assistant) {
  struct message *m = &c->messages[c->count];
  if (c->count == MESSAGES) return;
  *m = (struct message){.parent = parent, .assistant = assistant, .at = tick()};
  new_id(m->id);
  snprintf(m->text, sizeof m->text, "message %u of %s", account.serial, c->title);
  m->calls = assistant && below(4) == 0;
  m->untimed = !c->claude && below(4) == 0;
  c->current = c->count++;
  if (below(3) == 0) observe(c, m);
}

/* Its first messages, with their ids: the source calls it a fork, or says nothing of it. */
static void copy(struct conversation *c, const struct conversation *from) {
  while (c->count < 2 && c->count < from->count &&
         from->messages[c->count].parent == c->count - 1) {
    c->messages[c->count] = from->messages[c->count];
    c->messages[c->count].calls = false;
    c->current = c->count++;
  }
  if (c->claude || from->copied || below(2)) return;
  c->copied = c->count;
  c->forked_from = from;
}

static void begin(void) {
  struct conversation *c = &account.list[account.count];
  if (account.count == CONVERSATIONS) return;
  *c = (struct conversation){.claude = account.count % 2, .current = -1};
  c->created_at = tick();
  new_id(c->id);
  snprintf(c->title, sizeof c->title, "talk %u", account.serial);
  const struct conversation *from = &account.list[below(++account.count)];
  if (from != c && from->claude == c->claude) copy(c, from);
  say(c, c->current, c->current >= 0 && !c->messages[c->current].assistant);
  c->updated_at = tick();
}

static void happen(void) {
  if (account.count < 3 || below(8) == 0) begin();
  struct conversation *c = &account.list[below(account.count)];
  int at = c->copied + below(c->count - c->copied);
  struct message *m = &c->messages[at];
  tick();
  switch (below(9)) {
  case 0:
    snprintf(c->title, sizeof c->title, "renamed %d", below(1000));
    break;
  case 1: /* the words of a message are changed in place */
    snprintf(m->text, sizeof m->text, "edited %d", below(1000));
    break;
  case 2: /* another answer, or another question, beside one that is there */
    say(c, m->parent, m->assistant);
    break;
  case 3: /* the owner turns to an older branch */
    c->current = at;
    break;
  case 4:
    c->archived = !c->archived;
    break;
  case 5:
    m->answered = true;
    break;
  case 6: /* somebody looks at the page, which changes nothing in it */
    observe(c, &c->messages[c->current]);
    return;
  default:
    say(c, c->current, !c->messages[c->current].assistant);
  }
  c->updated_at = tick();
}

/* ---- exports ---- */

static double seconds(int64_t ms) { return (double)ms / 1000; }

static json_t *iso(int64_t ms) {
  char text[CK_TIME_TEXT];
  ck_time_text(text, ms);
  return json_string(text);
}

static json_t *chatgpt_message(const struct conversation *c, const struct message *m) {
  json_t *metadata = json_object();
  if (c->forked_from && m == &c->messages[c->copied - 1])
    json_object_set_new(metadata, "branching_from_conversation_id",
                        json_string(c->forked_from->id));
  return json_pack("{s:s, s:{s:s}, s:o, s:{s:s, s:[s]}, s:o, s:s}", "id", m->id, "author", "role",
                   m->assistant ? "assistant" : "user", "create_time",
                   m->untimed ? json_null() : json_real(seconds(m->at)), "content", "content_type",
                   "text", "parts", m->text, "metadata", metadata, "recipient",
                   m->calls ? "python" : "all");
}

static void chatgpt_node(json_t *mapping, const char *id, json_t *message, const char *parent) {
  json_object_set_new(
      mapping, id, json_pack("{s:s, s:o, s:s?}", "id", id, "message", message, "parent", parent));
}

static json_t *chatgpt_conversation(const struct conversation *c) {
  json_t *mapping = json_object();
  for (int i = 0; i < c->count; ++i) {
    const struct message *m = &c->messages[i];
    chatgpt_node(mapping, m->id, chatgpt_message(c, m),
                 m->parent >= 0 ? c->messages[m->parent].id : NULL);
    if (!m->calls || !m->answered) continue;
    char id[60];
    snprintf(id, sizeof id, "%s-result", m->id);
    json_t *result =
        json_pack("{s:s, s:{s:s, s:s}, s:f, s:{s:s, s:s}, s:{}, s:s}", "id", id, "author", "role",
                  "tool", "name", "python", "create_time", seconds(m->at + 500), "content",
                  "content_type", "execution_output", "text", "42", "metadata", "recipient", "all");
    chatgpt_node(mapping, id, result, m->id);
  }
  return json_pack("{s:s, s:s, s:f, s:f, s:o, s:s, s:b}", "conversation_id", c->id, "title",
                   c->title, "create_time", seconds(c->created_at), "update_time",
                   seconds(c->updated_at), "mapping", mapping, "current_node",
                   c->messages[c->current].id, "is_archived", c->archived);
}

static json_t *claude_message(const struct conversation *c, const struct message *m) {
  json_t *content = json_pack("[{s:s, s:s}]", "type", "text", "text", m->text);
  if (m->calls)
    json_array_append_new(content,
                          json_pack("{s:s, s:s+, s:s, s:{s:s}}", "type", "tool_use", "id", "use-",
                                    m->id, "name", "artifacts", "input", "content", "source"));
  if (m->calls && m->answered)
    json_array_append_new(content, json_pack("{s:s, s:s+, s:s, s:[{s:s, s:s}]}", "type",
                                             "tool_result", "tool_use_id", "use-", m->id, "name",
                                             "artifacts", "content", "type", "text", "text", "OK"));
  return json_pack("{s:s, s:s, s:s, s:o, s:o, s:s, s:o, s:[], s:[]}", "uuid", m->id, "text",
                   m->text, "sender", m->assistant ? "assistant" : "human", "created_at",
                   iso(m->at), "updated_at", iso(m->at), "parent_message_uuid",
                   m->parent >= 0 ? c->messages[m->parent].id : ROOT, "content", content,
                   "attachments", "files");
}

static json_t *claude_conversation(const struct conversation *c) {
  json_t *messages = json_array();
  for (int i = 0; i < c->count; ++i)
    json_array_append_new(messages, claude_message(c, &c->messages[i]));
  return json_pack("{s:s, s:s, s:s, s:o, s:o, s:{s:s}, s:o, s:s}", "uuid", c->id, "name", c->title,
                   "summary", "", "created_at", iso(c->created_at), "updated_at",
                   iso(c->updated_at), "account", "uuid", "the-account", "chat_messages", messages,
                   "current_leaf_message_uuid", c->messages[c->current].id);
}

static void write_export(const char *path, bool claude) {
  json_t *all = json_array();
  for (int i = account.count; i--;) {
    struct conversation *c = &account.list[i];
    if (c->claude != claude) continue;
    json_decref(c->told);
    c->told = claude ? claude_conversation(c) : chatgpt_conversation(c);
    json_array_append(all, c->told);
    memcpy(c->told_title, c->title, sizeof c->title);
    memcpy(c->told_current, c->messages[c->current].id, sizeof c->told_current);
  }
  char *text = json_dumps(all, 0);
  t_write_text(path, text);
  free(text);
  json_decref(all);
}

static void write_files(char files[FILES][40]) {
  account.at = FIRST_AT;
  for (int e = 0; e < EXPORTS; ++e, files += 3) {
    for (int s = 0; s < STEPS; ++s) happen();
    snprintf(files[0], 40, "chatgpt-%d.json", e);
    snprintf(files[1], 40, "claude-%d.json", e);
    snprintf(files[2], 40, "live-%d.jsonl", e);
    write_export(files[0], false);
    write_export(files[1], true);
    for (int s = 0; s < STEPS; ++s) happen();
    t_write_file(files[2], account.live.data, account.live.len);
    ck_buf_clear(&account.live);
  }
  ck_buf_free(&account.live);
}

/* ---- what comes of it ---- */

static void shuffle(const char **words, int n) {
  for (int i = n; --i > 0;) {
    int k = below(i + 1);
    const char *was = words[i];
    words[i] = words[k];
    words[k] = was;
  }
}

/* All but what the store counts and clocks. An id that another conversation has too is known by
 * what the source calls it. */
#define BY_SOURCE \
  "WITH m AS (SELECT *, substr(id, 1, instr(id || '@', '@') - 1) AS source," \
  " substr(parent_id, 1, instr(parent_id || '@', '@') - 1) AS parent FROM messages) "
static const char *const selects[] = {
    BY_SOURCE "SELECT platform, conversation_id, source, role, raw_text, summary, page_url,"
              " page_title, parent, position,"
              " nullif(json_remove(details, '$.source_id'), '{}') AS details"
              " FROM m ORDER BY 1, 2, 3",
    BY_SOURCE "SELECT conversation_id, source, target, tool, params, params_kind, result_ok,"
              " substr(instruction_id, 1, instr(instruction_id || '@', '@') - 1) AS instruction,"
              " result_data, result_error, executed_at"
              " FROM executions JOIN m ON m.id = message_id ORDER BY 1, 2, instruction",
    BY_SOURCE "SELECT conversation_id, source, observed_at FROM m ORDER BY 1, 2",
    "SELECT id, platform, conversation_id, started_at, last_activity_at, message_count,"
    " execution_count, summary FROM sessions ORDER BY id",
    "SELECT local_conversation_id, platform, automation_status, title, summary, last_message_at,"
    " substr(last_message_id, 1, instr(last_message_id || '@', '@') - 1) AS last, created_at,"
    " details, newest_at FROM local_conversations ORDER BY 1",
    "SELECT link_id, local_conversation_id, platform, remote_conversation_id, page_url, page_title,"
    " route_path, is_active, observed_at FROM conversation_links ORDER BY 1"};

/* The first two do not depend on what earlier files say. */
enum { TIMELESS = 2, TABLES = sizeof selects / sizeof *selects };

static void compare(const char *folder, int tables) {
  char path[40];
  snprintf(path, sizeof path, "%s/artifact.db", folder);
  for (int t = 0; t < tables; ++t) {
    json_t *first = t_sql("0/artifact.db", selects[t]), *other = t_sql(path, selects[t]);
    size_t n = json_array_size(first);
    T_CHECK(n > 0 && json_array_size(other) == n, "order %s: %zu rows, not %zu: %s", folder,
            json_array_size(other), n, selects[t]);
    for (size_t i = 0; i < n; ++i) {
      json_t *a = json_array_get(first, i), *b = json_array_get(other, i);
      T_CHECK(json_equal(a, b), "order %s:\n%s\nnot\n%s", folder, json_dumps(b, 0),
              json_dumps(a, 0));
    }
    json_decref(first);
    json_decref(other);
  }
}

/* The title and the end of the current branch are what was told last. */
static void check_current(const char *folder) {
  char path[40], sql[300];
  snprintf(path, sizeof path, "%s/artifact.db", folder);
  for (int i = 0; i < account.count; ++i) {
    const struct conversation *c = &account.list[i];
    if (!*c->told_current) continue;
    snprintf(sql, sizeof sql,
             "SELECT count(*) FROM local_conversations WHERE local_conversation_id = '%s:%s'"
             " AND title = '%s' AND last_message_id LIKE '%s%%'",
             c->claude ? "claude" : "chatgpt", c->id, c->told_title, c->told_current);
    T_CHECK(t_sql_int(path, sql) == 1,
            "order %s, conversation %s: its title should be '%s' and its last message %s", folder,
            c->id, c->told_title, c->told_current);
  }
}

/* A new version of any record raises this. */
static int64_t versions(const char *folder) {
  char path[40];
  snprintf(path, sizeof path, "%s/artifact.db", folder);
  int64_t sum = t_sql_int(path, "SELECT (SELECT sum(version) FROM messages)"
                                " + (SELECT sum(version) FROM executions)"
                                " + (SELECT sum(version) FROM sessions)"
                                " + (SELECT sum(version) FROM local_conversations)"
                                " + (SELECT sum(version) FROM conversation_links)");
  T_CHECK(sum > 0, "order %s: no records", folder);
  return sum;
}

static void import(const char *folder, const char *files[], int n) {
  const char *words[FILES + 2] = {"import"};
  shuffle(files, n);
  memcpy(words + 1, files, (size_t)n * sizeof *files);
  setenv("CONVKEEP_DATA", folder, 1);
  t_do_words(0, NULL, words);
}

/* Reading all of it again, in another order and from the originals, changes nothing. */
static void check_again(const char *folder, const char *files[FILES]) {
  int64_t before = versions(folder);
  import(folder, files, FILES);
  T_CHECK(versions(folder) == before, "order %s: the same files again change records", folder);
  json_t *lines = t_lines(0, "rebuild", "messages");
  int64_t originals = t_int_at(lines, "0.originals", 0), read = t_int_at(lines, "0.unchanged", 0);
  T_CHECK(originals >= account.count && read > 0 && versions(folder) == before,
          "order %s: %lld originals with %lld messages that have not changed; versions %lld, "
          "not %lld",
          folder, (long long)originals, (long long)read, (long long)versions(folder),
          (long long)before);
  json_decref(lines);
}

/* What a conversation came from last comes back. */
static void check_originals(void) {
  for (int i = 0; i < account.count; ++i) {
    struct conversation *c = &account.list[i];
    if (!c->told) continue;
    struct t_result r = t_convkeep("original", c->id);
    json_t *original = r.code == 0 ? json_loads(r.out, 0, NULL) : NULL;
    T_CHECK(json_equal(original, c->told), "conversation %s: exit %d, %s%s", c->id, r.code, r.out,
            r.err);
    json_decref(original);
    t_result_free(&r);
    json_decref(c->told);
  }
}

T_STORY(growing, exports_in_any_order_give_the_same_records, 240) {
  static char names[FILES][40];
  const char *files[FILES], *last[3];
  char *data = ck_strdup(getenv("CONVKEEP_DATA")), folder[8];
  write_files(names);
  for (int i = 0; i < FILES; ++i) files[i] = names[i];
  for (int i = 0; i < 3; ++i) last[i] = names[FILES - 3 + i];
  for (int o = 0; o < ORDERS; ++o) {
    snprintf(folder, sizeof folder, "%d", o);
    import(folder, files, FILES);
    compare(folder, TABLES);
    check_current(folder);
    check_again(folder, files);
  }
  check_originals();
  import("last", last, 3);
  compare("last", TIMELESS);
  setenv("CONVKEEP_DATA", data, 1);
  free(data);
}
