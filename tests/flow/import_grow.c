/* One account, seen at ten times of its life: exports with renames, edits, regenerations and
 * branches, and live observations between them. They go in in any order, and give the same. */
#include <stdlib.h>
#include <string.h>

#include "tests/harness/base.h"
#include "tests/harness/database.h"
#include "tests/harness/ring.h"

enum { TIMES = 10, CONVERSATIONS = 4, MESSAGES = 200, FILES = 2 * TIMES };

struct message {
  char id[24];
  int parent; /* -1: none */
  bool user;
  int64_t at;
  unsigned edits;
};

struct conversation {
  const char *id;
  unsigned titles; /* how often it was renamed */
  struct message messages[MESSAGES];
  int count, current;
  int copied; /* the first messages, which are another conversation's */
  const char *forked_from;
  int64_t updated;
};

struct account {
  struct conversation conversations[CONVERSATIONS];
  int64_t clock;
  unsigned serial;
};

/* ---- its life ---- */

static int64_t tick(struct account *a) { return a->clock += 1000 + (int64_t)t_random_below(30000); }

static int add(struct account *a, struct conversation *c, int parent, bool user) {
  T_CHECK(c->count < MESSAGES, "a conversation has too many messages");
  struct message *m = &c->messages[c->count];
  *m = (struct message){.parent = parent, .user = user, .at = tick(a)};
  snprintf(m->id, sizeof m->id, "m%u", a->serial++);
  return c->current = c->count++;
}

static void add_turn(struct account *a, struct conversation *c, int parent) {
  add(a, c, add(a, c, parent, true), false);
}

static bool is_leaf(const struct conversation *c, int at) {
  for (int i = 0; i < c->count; ++i)
    if (c->messages[i].parent == at) return false;
  return true;
}

static void live(struct account *a) {
  struct conversation *c = &a->conversations[t_random_below(CONVERSATIONS)];
  int at = c->current, above = c->messages[at].parent;
  switch (at < c->copied ? 0 : t_random_below(6)) {
  case 0:
    add_turn(a, c, at);
    break;
  case 1:
    ++c->titles;
    break;
  case 2:
    add(a, c, above, c->messages[at].user);
    break; /* regenerated */
  case 3:
    add_turn(a, c, above < 0 ? -1 : c->messages[above].parent);
    break; /* edited */
  case 4:  /* back to another branch */
    do at = (int)t_random_below((uint64_t)c->count);
    while (!is_leaf(c, at));
    c->current = at;
    break;
  default:
    ++c->messages[at].edits;
    break;
  }
  c->updated = tick(a);
}

static void begin(struct account *a) {
  static const char *const ids[CONVERSATIONS] = {"c0", "c1", "c2", "c3"};
  *a = (struct account){.clock = INT64_C(1767225600000)};
  for (int i = 0; i < CONVERSATIONS; ++i) {
    struct conversation *c = &a->conversations[i];
    c->id = ids[i];
    if (i >= 2) { /* c2 is a copy of c0 that nobody calls so, c3 a fork of c1 */
      const struct conversation *other = &a->conversations[i - 2];
      memcpy(c->messages, other->messages, 2 * sizeof *c->messages);
      c->count = c->copied = 2;
      c->current = 1;
      c->forked_from = i == 3 ? other->id : NULL;
    }
    add_turn(a, c, i >= 2 ? 1 : -1);
    c->updated = tick(a);
  }
}

/* ---- its files ---- */

static json_t *text_of(const struct message *m) {
  return json_sprintf("%s %s, version %u", m->user ? "question" : "answer", m->id, m->edits);
}

static json_t *node_of(const struct conversation *c, int i) {
  const struct message *m = &c->messages[i];
  json_t *metadata = json_object();
  if (c->forked_from && i == c->copied - 1)
    json_object_set_new(metadata, "branching_from_conversation_id", json_string(c->forked_from));
  /* Of some no export says when they were said. */
  json_t *time = m->at % 2 ? json_real((double)m->at / 1000) : json_null();
  return json_pack("{s:{s:s,s:{s:s},s:o,s:{s:s,s:[o]},s:o},s:s?}", "message", "id", m->id, "author",
                   "role", m->user ? "user" : "assistant", "create_time", time, "content",
                   "content_type", "text", "parts", text_of(m), "metadata", metadata, "parent",
                   m->parent < 0 ? NULL : c->messages[m->parent].id);
}

static json_t *element_of(const struct conversation *c) {
  json_t *mapping = json_object();
  for (int i = 0; i < c->count; ++i) json_object_set_new(mapping, c->messages[i].id, node_of(c, i));
  return json_pack("{s:s,s:o,s:f,s:f,s:o,s:s}", "conversation_id", c->id, "title",
                   json_sprintf("%s, named %u times", c->id, c->titles), "create_time",
                   1767225600.0, "update_time", (double)c->updated / 1000, "mapping", mapping,
                   "current_node", c->messages[c->current].id);
}

static void write_json(const char *name, json_t *value) {
  char *dump = json_dumps(value, JSON_COMPACT);
  t_write_text(name, dump);
  free(dump);
  json_decref(value);
}

static void export(const struct account *a, const char *name) {
  json_t *all = json_array();
  for (int i = 0; i < CONVERSATIONS; ++i)
    json_array_append_new(all, element_of(&a->conversations[i]));
  write_json(name, all);
}

/* Somebody looks at the page. */
static void observe(struct account *a, const char *name) {
  const struct conversation *c = &a->conversations[t_random_below(CONVERSATIONS)];
  if (c->current < c->copied) c = &a->conversations[0];
  const struct message *m = &c->messages[c->current];
  write_json(name, json_pack("{s:s,s:s,s:s,s:s,s:o,s:I,s:o,s:o}", "platform", "chatgpt",
                             "conversation_id", c->id, "message_id", m->id, "role",
                             m->user ? "user" : "assistant", "text", text_of(m), "observed_at",
                             (json_int_t)tick(a), "page_url",
                             json_sprintf("https://chatgpt.com/c/%s", c->id), "page_title",
                             json_sprintf("%s, named %u times", c->id, c->titles)));
}

static void write_files(char names[FILES][24]) {
  struct account *a = ck_zalloc(sizeof *a);
  begin(a);
  for (int i = 0; i < TIMES; ++i) {
    snprintf(names[2 * i], sizeof names[0], "export-%d.json", i);
    snprintf(names[2 * i + 1], sizeof names[0], "live-%d.jsonl", i);
    export(a, names[2 * i]);
    for (int n = 0; n < 4; ++n) live(a);
    observe(a, names[2 * i + 1]);
    for (int n = 0; n < 2; ++n) live(a);
  }
  free(a);
}

/* ---- orders ---- */

static void import_in_any_order(char (*names)[24], size_t n) {
  const char *words[FILES + 2] = {"import"};
  for (size_t i = 0; i < n; ++i) words[i + 1] = names[i];
  for (size_t i = n; i > 1; --i) {
    size_t k = 1 + t_random_below(i);
    const char *word = words[i];
    words[i] = words[k];
    words[k] = word;
  }
  t_do_words(0, NULL, words);
}

/* A new version of any record raises this. */
static int64_t versions(const char *file) {
  return t_sql_int(file, "SELECT (SELECT sum(version) FROM messages) + (SELECT sum(version) FROM "
                         "local_conversations) + (SELECT sum(version) FROM conversation_links) + "
                         "(SELECT sum(version) FROM sessions)");
}

static void fill(const char *folder, char (*names)[24], size_t n) {
  char file[64];
  snprintf(file, sizeof file, "%s/artifact.db", folder);
  setenv("CONVKEEP_DATA", folder, 1);
  import_in_any_order(names, n);
  int64_t before = versions(file);
  import_in_any_order(names, n);
  T_CHECK(before > 0 && versions(file) == before,
          "the same files in another order made versions: %lld after %lld",
          (long long)versions(file), (long long)before);
}

/* What must not depend on the order: all but what the store counts and clocks, by the ids that the
 * sources gave. */
#define MESSAGES_BY_SOURCE \
  "WITH s AS (SELECT *, ifnull(json_extract(details, '$.source_id'), id) AS source FROM " \
  "messages) "
static const char *const pictures[] = {
    MESSAGES_BY_SOURCE
    "SELECT m.conversation_id, m.source, m.role, m.raw_text, m.summary, m.page_url, m.page_title, "
    "m.position, ifnull(p.source, m.parent_id) AS parent, "
    "json_remove(ifnull(m.details, '{}'), '$.source_id') AS details "
    "FROM s m LEFT JOIN s p ON p.id = m.parent_id ORDER BY 1, 2",
    MESSAGES_BY_SOURCE "SELECT conversation_id, source, observed_at FROM s ORDER BY 1, 2",
    "SELECT c.local_conversation_id, c.title, ifnull(json_extract(m.details, '$.source_id'), m.id) "
    "AS last, c.last_message_at, c.created_at, c.newest_at, c.details, c.automation_status "
    "FROM local_conversations c LEFT JOIN messages m ON m.id = c.last_message_id ORDER BY 1",
    "SELECT link_id, local_conversation_id, remote_conversation_id, page_url, page_title, "
    "route_path, observed_at FROM conversation_links ORDER BY 1",
    "SELECT id, conversation_id, started_at, last_activity_at, message_count FROM sessions "
    "ORDER BY 1"};

static void compare(const char *one, const char *other, size_t picture) {
  json_t *a = t_sql(one, pictures[picture]), *b = t_sql(other, pictures[picture]);
  T_CHECK(json_array_size(a) > 0 && json_array_size(a) == json_array_size(b),
          "%zu rows of %s, %zu of %s: %s", json_array_size(a), one, json_array_size(b), other,
          pictures[picture]);
  for (size_t k = 0; k < json_array_size(a); ++k)
    T_CHECK(json_equal(json_array_get(a, k), json_array_get(b, k)), "%s says\n%s\n%s says\n%s", one,
            json_dumps(json_array_get(a, k), 0), other, json_dumps(json_array_get(b, k), 0));
  json_decref(a);
  json_decref(b);
}

/* And nothing that an earlier file says otherwise is left: the last ones give the same messages,
 * but for the time at which somebody looked at one. */
T_STORY(import_grow, in_any_order, 120) {
  char names[FILES][24], *data = ck_strdup(getenv("CONVKEEP_DATA"));
  write_files(names);
  fill("one", names, FILES);
  fill("two", names, FILES);
  fill("last", names + FILES - 2, 2);
  for (size_t i = 0; i < sizeof pictures / sizeof *pictures; ++i)
    compare("one/artifact.db", "two/artifact.db", i);
  compare("one/artifact.db", "last/artifact.db", 0);
  setenv("CONVKEEP_DATA", data, 1);
  free(data);
}
