/* The tools of a Claude.ai conversation: each call becomes an execution of its message, joined with
 * its result. Results name their call by its id; those of 2025, without ids, follow their calls in
 * order. Nothing is left out: a call may have no result, or several, and a result no call. */
#include <stdlib.h>
#include <string.h>

#include "ingest/sources/claude.h"

/* How far a result without an id looks for its call: open calls of a message, messages above. */
#define LOOK 64

/* ---- finding ---- */

static void find_use(struct claude_chat *c, struct claude_message *m, const json_t *block,
                     size_t at) {
  struct claude_use use = {.message = m, .at = at, .n = ++m->use_count};
  use.id = claude_lasting(c, ingest_json_id(block, "id", &c->arena));
  use.name = claude_lasting(c, ingest_json_text(block, "name"));
  ck_buf_add(&c->uses, &use, sizeof use);
}

static void find_result(struct claude_chat *c, struct claude_message *m, const json_t *block,
                        size_t at) {
  struct claude_result result = {.message = m, .at = at};
  result.use_id = claude_lasting(c, ingest_json_id(block, "tool_use_id", &c->arena));
  result.name = claude_lasting(c, ingest_json_text(block, "name"));
  ++m->result_count;
  ck_buf_add(&c->results, &result, sizeof result);
}

void claude_find_tools(struct claude_chat *c, struct claude_message *m) {
  const json_t *content = json_object_get(m->json, "content");
  for (size_t k = 0; k < json_array_size(content); ++k) {
    const json_t *block = json_array_get(content, k);
    if (claude_is_call(block))
      find_use(c, m, block, k);
    else if (claude_is_result(block))
      find_result(c, m, block, k);
  }
}

/* All calls; *n of them. */
static struct claude_use *uses_of(const struct claude_chat *c, size_t *n) {
  *n = c->uses.len / sizeof(struct claude_use);
  return (struct claude_use *)(void *)c->uses.data;
}

static struct claude_result *results_of(const struct claude_chat *c, size_t *n) {
  *n = c->results.len / sizeof(struct claude_result);
  return (struct claude_result *)(void *)c->results.data;
}

/* Of an open message. */
static const json_t *block_of(const struct claude_message *m, size_t at) {
  return json_array_get(json_object_get(m->json, "content"), at);
}

/* ---- pairing by id ---- */

/* Calls are in the order of the file. */
static int by_id(const void *a, const void *b) {
  const struct claude_use *const *x = a, *const *y = b;
  int order = ck_str_order((*x)->id, (*y)->id);
  return order ? order : (*x > *y) - (*x < *y);
}

static bool same(const struct claude_use *a, const struct claude_use *b) {
  return a->message == b->message && a->id.n && ck_str_eq(a->id, b->id);
}

/* Of calls with one id in one message, which end at by_ids[i]: the first without a result. */
static struct claude_use *open_of(struct claude_use **by_ids, size_t i) {
  for (int steps = 0; i && steps < LOOK; ++steps, --i)
    if (!same(by_ids[i - 1], by_ids[i]) || by_ids[i - 1]->first) break;
  return by_ids[i];
}

/* The call with the result's id: if several messages have it, the nearest before the result. */
static struct claude_use *named(struct claude_use **by_ids, size_t n,
                                const struct claude_result *result) {
  size_t low = 0, high = n;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    const struct claude_use *use = by_ids[middle];
    int order = ck_str_order(use->id, result->use_id);
    if (order < 0 || (order == 0 && use->message->n <= result->message->n))
      low = middle + 1;
    else
      high = middle;
  }
  if (low && ck_str_eq(by_ids[low - 1]->id, result->use_id)) return open_of(by_ids, low - 1);
  return low < n && ck_str_eq(by_ids[low]->id, result->use_id) ? by_ids[low] : NULL;
}

static void join(struct claude_use *use, struct claude_result *result) {
  result->use = use;
  if (use->last)
    use->last->next = result;
  else
    use->first = result;
  use->last = result;
}

static void join_named(struct claude_chat *c) {
  size_t n, count;
  struct claude_use *uses = uses_of(c, &n),
                    **by_ids = ck_arena_get(&c->arena, (n + 1) * sizeof *by_ids);
  struct claude_result *results = results_of(c, &count);
  for (size_t i = 0; i < n; ++i) by_ids[i] = &uses[i];
  qsort(by_ids, n, sizeof *by_ids, by_id);
  for (size_t i = 1; i < n; ++i) by_ids[i]->repeated = same(by_ids[i - 1], by_ids[i]);
  for (size_t i = 0; i < count; ++i) {
    struct claude_use *use = results[i].use_id.n ? named(by_ids, n, &results[i]) : NULL;
    if (use) join(use, &results[i]);
  }
}

/* ---- pairing by order ---- */

static bool fits(const struct claude_use *use, const struct claude_result *result) {
  struct ck_str a = use->name, b = result->name;
  if (result->use_id.n && use->id.n) return false;
  return !a.n || !b.n || ck_str_eq(a, b);
}

static struct claude_use *open_call(const struct claude_message *m,
                                    const struct claude_result *result) {
  size_t open = 0;
  for (size_t i = 0; i < m->use_count && open < LOOK; ++i) {
    struct claude_use *use = &m->uses[i];
    if (m == result->message && use->at > result->at) return NULL;
    if (use->first) continue;
    if (fits(use, result)) return use;
    ++open;
  }
  return NULL;
}

/* The first open call of the result's message, else of the nearest message above. */
static void join_in_order(struct claude_result *result) {
  const struct claude_message *m = result->message;
  for (int steps = 0; m && steps < LOOK; ++steps, m = m->parent) {
    struct claude_use *use = open_call(m, result);
    if (!use) continue;
    join(use, result);
    return;
  }
}

void claude_tools(struct claude_chat *c) {
  size_t n;
  struct claude_use *use = uses_of(c, &n);
  struct claude_result *results = results_of(c, &n), *result = results;
  for (size_t i = 0; i < c->count; ++i) {
    struct claude_message *m = &c->messages[i];
    m->uses = use;
    m->results = result;
    if (m->use_count) use += m->use_count;
    if (m->result_count) result += m->result_count;
  }
  join_named(c);
  for (size_t i = 0; i < n; ++i)
    if (!results[i].use) join_in_order(&results[i]);
}

/* ---- executions ---- */

static void fill_call(struct ingest_execution *e, struct ck_arena *arena, struct ck_str name,
                      struct ck_str integration, const json_t *input) {
  name = ck_trim(name);
  integration = ck_trim(integration);
  *e = (struct ingest_execution){.executed_at = INGEST_NO_TIME, .no_result = true};
  e->tool = name.n ? name : CK_LIT("tool");
  e->target = integration.n ? integration : e->tool;
  e->params = ingest_json_any(input, arena);
  if (e->params.n) e->params_kind = json_is_string(input) ? "inline_string" : "inline_json";
}

static void fill_outcome(struct ingest_execution *e, struct ck_str text, bool is_error) {
  e->no_result = false;
  e->ok = !is_error;
  e->result = text;
  if (is_error) e->error = text.n ? text : CK_LIT("failed");
}

static void add_line(struct ck_buf *b, struct ck_str line) {
  if (b->len) ck_buf_text(b, "\n");
  ck_buf_str(b, line);
}

/* A piece of a result: title, address and text, of those that it has, and the pieces in it; else
 * its JSON. */
static void add_piece(struct ck_buf *b, struct ck_arena *arena, const json_t *piece) {
  static const char *const fields[] = {"title", "url", "text"};
  const json_t *inner = json_object_get(piece, "content");
  bool any = false;
  for (size_t i = 0; i < sizeof fields / sizeof *fields; ++i) {
    struct ck_str line = ingest_json_text(piece, fields[i]);
    if (!line.n) continue;
    add_line(b, line);
    any = true;
  }
  if (any && json_is_string(inner)) add_line(b, ingest_json_str(inner));
  for (size_t i = 0; any && i < json_array_size(inner); ++i)
    add_piece(b, arena, json_array_get(inner, i));
  if (any && json_is_object(inner)) add_piece(b, arena, inner);
  if (!any && !claude_is_type(piece, "text")) add_line(b, ingest_json_any(piece, arena));
}

static struct ck_str result_text(struct claude_chat *c, const json_t *block) {
  static const char *const elsewhere[] = {"structured_content", "display_content"};
  const json_t *content = json_object_get(block, "content");
  struct ck_buf b = {0};
  if (json_is_array(content)) {
    for (size_t i = 0; i < json_array_size(content); ++i)
      add_piece(&b, &c->one, json_array_get(content, i));
  } else if (claude_is_type(content, "text")) {
    add_piece(&b, &c->one, content);
  } else {
    ck_buf_str(&b, ingest_json_any(content, &c->one));
  }
  for (size_t i = 0; !b.len && i < sizeof elsewhere / sizeof *elsewhere; ++i)
    ck_buf_str(&b, ingest_json_any(json_object_get(block, elsewhere[i]), &c->one));
  return ck_arena_keep(&c->one, &b);
}

/* A result says so, or its content is an error. */
static bool is_error(const json_t *block) {
  struct ck_str type = ingest_json_text(json_object_get(block, "content"), "type");
  return json_is_true(json_object_get(block, "is_error")) || ck_str_ends(type, "_error");
}

static struct ck_str integration_of(const json_t *block) {
  struct ck_str name = ingest_json_text(block, "integration_name");
  return name.n ? name : ingest_json_text(block, "server_name");
}

static void add_result(struct claude_chat *c, struct ingest_execution *e,
                       const struct claude_result *result) {
  claude_open(c, result->message);
  const json_t *block = block_of(result->message, result->at);
  fill_outcome(e, result_text(c, block), is_error(block));
  if (!ingest_json_time(json_object_get(block, "stop_timestamp"), &e->executed_at))
    e->executed_at = INGEST_NO_TIME;
  claude_close(result->message);
}

/* An execution for a call, and one more for each further result. */
static size_t add_use(struct claude_chat *c, const struct claude_use *use,
                      struct ingest_execution *out) {
  const json_t *block = block_of(use->message, use->at);
  size_t n = 1;
  fill_call(out, &c->one, use->name, integration_of(block), json_object_get(block, "input"));
  out->instruction_id = use->id.n && !use->repeated
                            ? use->id
                            : claude_numbered(&c->one, use->message->id, "tool", use->n);
  if (!use->first) {
    c->visitor->note(c->visitor->self, "tool call without a result", 1);
    return n;
  }
  add_result(c, out, use->first);
  for (const struct claude_result *more = use->first->next; more; more = more->next) {
    struct ingest_execution *e = &out[n++];
    fill_call(e, &c->one, out->tool, out->target, NULL);
    e->instruction_id = claude_numbered(&c->one, out->instruction_id, "result", n);
    add_result(c, e, more);
    c->visitor->note(c->visitor->self, "further result of a tool call", 1);
  }
  return n;
}

static void add_orphan(struct claude_chat *c, const struct claude_result *result, size_t n,
                       struct ingest_execution *e) {
  struct ck_str name = ck_trim(result->name);
  const json_t *block = block_of(result->message, result->at);
  fill_call(e, &c->one, name.n ? name : CK_LIT("unknown"), integration_of(block), NULL);
  e->instruction_id = result->use_id.n ? result->use_id
                                       : claude_numbered(&c->one, result->message->id, "result", n);
  add_result(c, e, result);
  c->visitor->note(c->visitor->self, "tool result without a call", 1);
}

/* The number of executions that a message has. */
static size_t count_of(const struct claude_message *m) {
  size_t n = m->result_count; /* without a call */
  for (size_t i = 0; i < m->use_count; ++i) {
    ++n;
    for (const struct claude_result *r = m->uses[i].first; r; r = r->next) ++n;
  }
  return n;
}

void claude_executions(struct claude_chat *c, const struct claude_message *m,
                       struct ingest_observation *o) {
  struct ingest_execution *list = ck_arena_get(&c->one, (count_of(m) + 1) * sizeof *list);
  size_t count = 0;
  for (size_t i = 0; i < m->use_count; ++i) count += add_use(c, &m->uses[i], &list[count]);
  for (size_t i = 0; i < m->result_count; ++i)
    if (!m->results[i].use) add_orphan(c, &m->results[i], i + 1, &list[count++]);
  o->executions = list;
  o->execution_count = count;
}
