/* One account as it grows, exported ten times, with live observations in between: whatever the
 * order in which all that is imported, the same records come of it. */
#include <string.h>

#include "tests/harness/base.h"
#include "tests/harness/database.h"
#include "tests/harness/ring.h"

#define CONVERSATIONS 24
#define MESSAGES 40 /* of one conversation, at most */
#define EXPORTS 10
#define STEPS 30 /* between two exports */
#define ORDERS 4
#define FIRST_AT INT64_C(1767265200000) /* 2026-01-01, 11:00 */
#define ROOT "00000000-0000-4000-8000-000000000000"

struct message {
  char id[40];
  int parent; /* -1: none */
  bool assistant;
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
  int64_t created_at, updated_at;
  bool archived;
};

static struct {
  struct conversation list[CONVERSATIONS];
  int count;
  int64_t at;
  struct ck_buf live; /* observations since the last export */
  unsigned serial;
} account;

static int below(int n) { return (int)t_random_below((uint64_t)n); }

static void new_id(char id[40]) {
  snprintf(id, 40, "%08x-0000-4000-9000-%012x", (unsigned)t_random_below(1u << 31),
           ++account.serial);
}

/* ---- what happens in the account ---- */

/* Said in the page while it is open, and seen by a browser there: without its place. */
static void observe(const struct conversation *c, const struct message *m) {
  ck_buf_printf(&account.live,
                "{\"platform\":\"%s\",\"conversation_id\":\"%s\",\"message_id\":\"%s\","
                "\"role\":\"%s\",\"text\":\"%s\",\"page_title\":\"%s\",\"observed_at\":%lld}\n",
                c->claude ? "claude" : "chatgpt", c->id, m->id, m->assistant ? "assistant" : "user",
                m->text, c->title, (long long)account.at);
}

/* copied: the id of a message of another conversation; NULL: a new one. */
static void say(struct conversation *c, int parent, bool assistant, const char *copied) {
  struct message *m = &c->messages[c->count];
  if (c->count == MESSAGES) return;
  *m = (struct message){.parent = parent, .assistant = assistant, .at = account.at};
  new_id(m->id);
  if (copied) snprintf(m->id, sizeof m->id, "%s", copied);
  snprintf(m->text, sizeof m->text, "message %u of %s", account.serial, c->title);
  m->calls = assistant && below(4) == 0;
  c->current = c->count++;
  if (below(3) == 0) observe(c, m);
}

static void begin(void) {
  struct conversation *c = &account.list[account.count];
  if (account.count == CONVERSATIONS) return;
  *c = (struct conversation){.claude = account.count % 2, .current = -1};
  ++account.count;
  new_id(c->id);
  snprintf(c->title, sizeof c->title, "talk %u", account.serial);
  c->created_at = account.at;
  /* Some services give the copy of a conversation the ids of the first one. */
  const struct conversation *from = &account.list[below(account.count)];
  say(c, -1, false, from != c && from->claude == c->claude ? from->messages[0].id : NULL);
}

static void happen(void) {
  account.at += 60000 + below(60000);
  if (account.count < 3 || below(8) == 0) begin();
  struct conversation *c = &account.list[below(account.count)];
  struct message *m = &c->messages[below(c->count)];
  switch (below(8)) {
  case 0:
    snprintf(c->title, sizeof c->title, "renamed %d", below(1000));
    break;
  case 1: /* the words of a message are changed in place */
    snprintf(m->text, sizeof m->text, "edited %d", below(1000));
    break;
  case 2: /* another answer, or another question, beside one that is there */
    say(c, m->parent, m->assistant, NULL);
    break;
  case 3: /* the owner turns to an older branch */
    c->current = below(c->count);
    break;
  case 4:
    c->archived = !c->archived;
    break;
  case 5:
    m->answered = true;
    break;
  default:
    say(c, c->current, c->current >= 0 && !c->messages[c->current].assistant, NULL);
  }
  c->updated_at = account.at;
}

/* ---- exports ---- */

static double seconds(int64_t ms) { return (double)ms / 1000; }

static json_t *iso(int64_t ms) {
  char text[CK_TIME_TEXT];
  ck_time_text(text, ms);
  return json_string(text);
}

static json_t *chatgpt_message(const struct message *m) {
  json_t *o = json_pack("{s:s, s:{s:s}, s:f, s:{s:s, s:[s]}, s:{}, s:s}", "id", m->id, "author",
                        "role", m->assistant ? "assistant" : "user", "create_time", seconds(m->at),
                        "content", "content_type", "text", "parts", m->text, "metadata",
                        "recipient", m->calls ? "python" : "all");
  return o;
}

static void chatgpt_node(json_t *mapping, const char *id, json_t *message, const char *parent) {
  json_object_set_new(
      mapping, id, json_pack("{s:s, s:o, s:s?}", "id", id, "message", message, "parent", parent));
}

static json_t *chatgpt_conversation(const struct conversation *c) {
  json_t *mapping = json_object();
  for (int i = 0; i < c->count; ++i) {
    const struct message *m = &c->messages[i];
    chatgpt_node(mapping, m->id, chatgpt_message(m),
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
  for (int i = account.count; i--;)
    if (account.list[i].claude == claude)
      json_array_append_new(all, claude ? claude_conversation(&account.list[i])
                                        : chatgpt_conversation(&account.list[i]));
  char *text = json_dumps(all, 0);
  t_write_text(path, text);
  free(text);
  json_decref(all);
}

static int write_files(char files[][40]) {
  int n = 0;
  account.at = FIRST_AT;
  for (int e = 0; e < EXPORTS; ++e) {
    for (int s = 0; s < STEPS; ++s) happen();
    snprintf(files[n], 40, "chatgpt-%d.json", e);
    write_export(files[n++], false);
    snprintf(files[n], 40, "claude-%d.json", e);
    write_export(files[n++], true);
    if (!account.live.len) continue;
    snprintf(files[n], 40, "live-%d.jsonl", e);
    t_write_file(files[n++], account.live.data, account.live.len);
    ck_buf_clear(&account.live);
  }
  ck_buf_free(&account.live);
  return n;
}

/* ---- what comes of it ---- */

static void run(const char *folder, const char *const words[], int n) {
  const char *argv[3 * EXPORTS + 8] = {0};
  char program[4096];
  snprintf(program, sizeof program, "%s/bin/convkeep", t_build());
  argv[0] = program;
  argv[1] = "--data";
  argv[2] = folder;
  for (int i = 0; i < n; ++i) argv[3 + i] = words[i];
  struct t_result r = t_run(words[0], NULL, 120000, argv);
  T_CHECK(r.code == 0, "%s exits with %d: %s%s", words[0], r.code, r.out, r.err);
  t_result_free(&r);
}

static void import(const char *folder, char files[][40], const int *order, int n) {
  const char *words[3 * EXPORTS + 1] = {"import"};
  for (int i = 0; i < n; ++i) words[1 + i] = files[order[i]];
  run(folder, words, n + 1);
}

/* An id that another conversation has too is known by what the source calls it. */
#define SOURCE(column) \
  "CASE instr(" column ", '@') WHEN 0 THEN " column " ELSE substr(" column ", 1, instr(" column \
  ", '@') - 1) END AS " column

static const char *const selects[] = {
    "SELECT platform, conversation_id, " SOURCE(
        "id") ", role, raw_text, summary, observed_at,"
              " page_url, page_title, " SOURCE(
                  "parent_id") ", position,"
                               " nullif(json_remove(details, '$.source_id'), '{}') AS details FROM "
                               "messages"
                               " ORDER BY platform, conversation_id, 3",
    "SELECT conversation_id, " SOURCE("instruction_id") ", " SOURCE(
        "message_id") ", target, tool, params, params_kind, result_ok, result_data, result_error, "
                      "executed_at"
                      " FROM executions JOIN (SELECT id, conversation_id FROM messages) ON id = "
                      "message_id"
                      " ORDER BY 1, 2, 3",
    "SELECT id, platform, conversation_id, started_at, last_activity_at, message_count,"
    " execution_count, summary FROM sessions ORDER BY id",
    "SELECT local_conversation_id, platform, automation_status, title, summary, " SOURCE(
        "last_message_id") ", last_message_at, created_at, details, newest_at"
                           " FROM local_conversations ORDER BY 1",
    "SELECT link_id, local_conversation_id, platform, remote_conversation_id, page_url, page_title,"
    " route_path, is_active, observed_at FROM conversation_links ORDER BY 1"};

static json_t *records(const char *folder, int table) {
  char path[200];
  snprintf(path, sizeof path, "%s/artifact.db", folder);
  return t_sql(path, selects[table]);
}

static void compare(const char *folder, int table) {
  json_t *first = records("0", table), *other = records(folder, table);
  size_t n = json_array_size(first);
  T_CHECK(n > 0 && json_array_size(other) == n, "order %s: %zu rows, not %zu: %s", folder,
          json_array_size(other), n, selects[table]);
  for (size_t i = 0; i < n; ++i) {
    json_t *a = json_array_get(first, i), *b = json_array_get(other, i);
    T_CHECK(json_equal(a, b), "order %s:\n%s\nnot\n%s", folder, json_dumps(b, 0), json_dumps(a, 0));
  }
  json_decref(first);
  json_decref(other);
}

/* The current branch is what the last export says. */
static void check_current(const char *folder) {
  char path[200], sql[300];
  snprintf(path, sizeof path, "%s/artifact.db", folder);
  for (int i = 0; i < account.count; ++i) {
    const struct conversation *c = &account.list[i];
    snprintf(sql, sizeof sql,
             "SELECT count(*) FROM local_conversations WHERE local_conversation_id = '%s:%s'"
             " AND title = '%s' AND last_message_id LIKE '%s%%'",
             c->claude ? "claude" : "chatgpt", c->id, c->title, c->messages[c->current].id);
    T_CHECK(t_sql_int(path, sql) == 1,
            "order %s, conversation %s: its title should be '%s' and "
            "its last message %s",
            folder, c->id, c->title, c->messages[c->current].id);
  }
}

static int64_t newest_version(const char *folder) {
  static const char *const tables[] = {"messages", "executions", "sessions", "local_conversations",
                                       "conversation_links"};
  char path[200], sql[100];
  int64_t newest = 0;
  snprintf(path, sizeof path, "%s/artifact.db", folder);
  for (size_t t = 0; t < sizeof tables / sizeof *tables; ++t) {
    snprintf(sql, sizeof sql, "SELECT max(version) FROM %s", tables[t]);
    int64_t version = t_sql_int(path, sql);
    if (version > newest) newest = version;
  }
  return newest;
}

T_STORY(growing, exports_in_any_order_give_the_same_records, 240) {
  static char files[3 * EXPORTS][40];
  int order[3 * EXPORTS], n = write_files(files);
  for (int i = 0; i < n; ++i) order[i] = i;
  for (int o = 0; o < ORDERS; ++o) {
    char folder[8];
    snprintf(folder, sizeof folder, "%d", o);
    import(folder, files, order, n);
    for (int t = 0; o && t < (int)(sizeof selects / sizeof *selects); ++t) compare(folder, t);
    check_current(folder);
    int64_t version = newest_version(folder);
    import(folder, files, order, n);
    run(folder, (const char *const[]){"rebuild", "messages"}, 2);
    T_CHECK(newest_version(folder) == version, "order %d: reading all of it again changes records",
            o);
    for (int i = n; --i > 0;) {
      int k = below(i + 1), was = order[i];
      order[i] = order[k];
      order[k] = was;
    }
  }
}
