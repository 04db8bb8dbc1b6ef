/* The tree of a conversation. Parents are read; `children`, which may be missing in the file or
 * disagree, only for a node that says nothing of its parent. Everything here is the same for any
 * order of the file's nodes, so that every export places a message alike. */
#include "ingest/sources/chatgpt.h"

#include <stdlib.h>
#include <string.h>

#include "ingest/parse/json.h"

static void note(const struct chatgpt *c, const char *kind) {
  c->visitor->note(c->visitor->self, kind, 1);
}

/* ---- the nodes ---- */

static int by_key(const void *a, const void *b) {
  const struct chatgpt_node *const *x = a, *const *y = b;
  return strcmp((*x)->key, (*y)->key);
}

/* The first node of a list in the order of `text` that has this text; or NULL. */
static struct chatgpt_node *first_of(struct chatgpt_node *const *list, size_t n, struct ck_str name,
                                     struct ck_str (*text)(const struct chatgpt_node *node)) {
  size_t low = 0, high = n;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (ck_str_order(text(list[middle]), name) < 0)
      low = middle + 1;
    else
      high = middle;
  }
  return low < n && ck_str_eq(text(list[low]), name) ? list[low] : NULL;
}

static struct ck_str key_of(const struct chatgpt_node *node) { return ck_str_of(node->key); }
static struct ck_str id_of(const struct chatgpt_node *node) { return node->source_id; }

static struct chatgpt_node *find(const struct chatgpt *c, struct ck_str name) {
  struct chatgpt_node *node = name.n ? first_of(c->by_key, c->count, name, key_of) : NULL;
  return node || !name.n ? node : first_of(c->by_id, c->kept, name, id_of);
}

/* The node that a member names: by its key, and where that is not the message's id, by the id. */
static struct chatgpt_node *named(const struct chatgpt *c, struct ck_str text, struct ck_str id) {
  struct chatgpt_node *node = find(c, text);
  return node || ck_str_eq(text, id) ? node : find(c, id);
}

static void fail_node(const struct chatgpt *c, const char *key) {
  struct ck_buf b = {0};
  ck_buf_text(&b, c->where);
  ck_buf_text(&b, ", node ");
  ck_buf_str(&b, ck_utf8_cut(ck_str_of(key), 200));
  c->visitor->failure(c->visitor->self, ck_buf_cstr(&b), "the node or its message is not an object",
                      (struct ck_str){0});
  ck_buf_free(&b);
}

static void read_node(struct chatgpt *c, const char *key, json_t *value) {
  struct chatgpt_node *node = &c->nodes[c->count];
  *node = (struct chatgpt_node){.key = key, .value = value};
  chatgpt_open(c, node);
  const json_t *json = node->json, *message = json_object_get(json, "message");
  if (json_is_null(json)) note(c, "null in the place of a node");
  if (message && !json_is_null(message) && !node->message) fail_node(c, key);
  if (!json_is_object(json) && !json_is_null(json)) fail_node(c, key);
  chatgpt_read_node(c, node);
  chatgpt_close(node);
  c->by_key[c->count++] = node;
}

/* Was a said before b? What has no time comes last; among equals the key decides. */
static bool is_earlier(const struct chatgpt_node *a, const struct chatgpt_node *b) {
  if (a->told == b->told) return strcmp(a->key, b->key) < 0;
  return b->told == INGEST_NO_TIME || (a->told != INGEST_NO_TIME && a->told < b->told);
}

static bool key_is_id(const struct chatgpt_node *node) {
  return ck_str_is(node->source_id, node->key);
}

static int by_id(const void *a, const void *b) {
  const struct chatgpt_node *x = *(struct chatgpt_node *const *)a,
                            *y = *(struct chatgpt_node *const *)b;
  int order = ck_str_order(x->source_id, y->source_id);
  if (!order) order = key_is_id(y) - key_is_id(x);
  return order ? order : is_earlier(x, y) ? -1 : 1;
}

/* Fills c->by_id, unless each key is the id: those are told apart by the file. */
static void sort_by_id(struct chatgpt *c) {
  bool differs = false;
  for (size_t i = 0; i < c->count; ++i)
    differs = differs || (c->nodes[i].kept && !key_is_id(&c->nodes[i]));
  if (!differs) return;
  c->by_id = ck_arena_get(&c->arena, (c->count + 1) * sizeof *c->by_id);
  for (size_t i = 0; i < c->count; ++i)
    if (c->nodes[i].kept) c->by_id[c->kept++] = &c->nodes[i];
  qsort(c->by_id, c->kept, sizeof *c->by_id, by_id);
}

static void read_nodes(struct chatgpt *c, const json_t *mapping) {
  const char *key;
  json_t *value;
  size_t n = json_object_size(mapping) + 1;
  c->mapping = mapping;
  c->nodes = ck_arena_get(&c->arena, n * sizeof *c->nodes);
  c->by_key = ck_arena_get(&c->arena, n * sizeof *c->by_key);
  c->order = ck_arena_get(&c->arena, n * sizeof *c->order);
  json_object_foreach((json_t *)(uintptr_t)mapping, key, value) read_node(c, key, value);
  qsort(c->by_key, c->count, sizeof *c->by_key, by_key);
  sort_by_id(c);
}

/* ---- parents ---- */

/* A node that says nothing of its parent is below the one that has it among its children. */
static void link_children(struct chatgpt *c) {
  for (size_t i = 0; i < c->count; ++i) {
    struct chatgpt_node *parent = c->by_key[i];
    chatgpt_open(c, parent);
    const json_t *children = json_object_get(parent->json, "children");
    for (size_t k = 0; k < json_array_size(children); ++k) {
      struct chatgpt_node *child = find(c, ingest_json_str(json_array_get(children, k)));
      if (child && !child->parent && !child->parent_id.n) child->parent = parent;
    }
    chatgpt_close(parent);
  }
}

static void link_nodes(struct chatgpt *c) {
  size_t roots = 0, silent = 0;
  for (size_t i = 0; i < c->count; ++i) {
    struct chatgpt_node *node = &c->nodes[i];
    node->parent = named(c, node->parent_text, node->parent_id);
    if (!node->parent && node->parent_id.n) note(c, "message whose parent is missing");
    roots += !node->parent;
    silent += !node->parent_id.n;
  }
  if (roots > 1 && silent) link_children(c);
}

/* ---- cycles ---- */

/* The earliest node of the cycle becomes its root. */
static void cut_cycle(struct chatgpt *c, struct chatgpt_node *start) {
  struct chatgpt_node *earliest = start;
  for (struct chatgpt_node *at = start->parent; at != start; at = at->parent)
    if (is_earlier(at, earliest)) earliest = at;
  earliest->parent = NULL;
  note(c, "cycle of parents, cut before its earliest message");
}

/* After this every chain of parents ends. */
static void cut_cycles(struct chatgpt *c) {
  for (size_t i = 0; i < c->count; ++i) {
    struct chatgpt_node *at = &c->nodes[i];
    while (at && !at->walk) {
      at->walk = i + 1;
      if (at->parent && at->parent->walk == i + 1) cut_cycle(c, at);
      at = at->parent;
    }
  }
}

/* ---- order and places ---- */

/* Appends a node to the order, after all nodes above it. Returns the new length. */
static size_t add_path(struct chatgpt *c, struct chatgpt_node *end, size_t ordered) {
  size_t n = 0;
  for (struct chatgpt_node *at = end; at && !at->done; at = at->parent) {
    at->done = true;
    ++n;
  }
  size_t place = ordered + n;
  for (struct chatgpt_node *at = end; place > ordered; at = at->parent) c->order[--place] = at;
  return ordered + n;
}

/* The branch that the page shows from top to bottom, then the others. */
static void put_in_order(struct chatgpt *c, struct chatgpt_node *current) {
  size_t ordered = add_path(c, current, 0);
  for (size_t i = 0; i < c->count; ++i) ordered = add_path(c, &c->nodes[i], ordered);
}

static void place_nodes(struct chatgpt *c) {
  for (size_t i = 0; i < c->count; ++i) {
    struct chatgpt_node *node = c->order[i], *parent = node->parent;
    if (parent) node->above = parent->kept ? parent : parent->above;
    if (node->above) node->position = node->above->position + 1;
    node->at = node->told != INGEST_NO_TIME ? node->told : node->above ? node->above->at : c->at;
    node->leaf = node->kept;
    if (node->leaf && node->above) node->above->leaf = false;
  }
}

/* ---- the end of the current branch ---- */

static bool is_newer(const struct chatgpt_node *a, const struct chatgpt_node *b) {
  if (a->at != b->at) return a->at > b->at;
  if (a->position != b->position) return a->position > b->position;
  return strcmp(a->key, b->key) > 0;
}

static struct chatgpt_node *newest_leaf(const struct chatgpt *c) {
  struct chatgpt_node *newest = NULL;
  for (size_t i = 0; i < c->count; ++i)
    if (c->nodes[i].leaf && (!newest || is_newer(&c->nodes[i], newest))) newest = &c->nodes[i];
  return newest;
}

static void find_current(struct chatgpt *c, struct chatgpt_node *end) {
  c->current = end && !end->kept ? end->above : end;
  if (c->current) return;
  c->current = newest_leaf(c);
  if (c->current) note(c, "conversation without a current branch; its newest is taken");
}

/* ---- times ---- */

int64_t chatgpt_newest(const struct chatgpt *c) {
  int64_t newest = 0;
  for (size_t i = 0; i < c->count; ++i)
    if (c->nodes[i].told > newest) newest = c->nodes[i].told;
  return newest;
}

/* The conversation's own time; else the earliest of its messages; else the epoch, which is at least
 * the same at every import. */
static int64_t conversation_time(const struct chatgpt *c) {
  int64_t at, earliest = INT64_MAX;
  if (ingest_json_time(json_object_get(c->json, "create_time"), &at)) return at;
  if (ingest_json_time(json_object_get(c->json, "update_time"), &at)) return at;
  for (size_t i = 0; i < c->count; ++i)
    if (c->nodes[i].told != INGEST_NO_TIME && c->nodes[i].told < earliest)
      earliest = c->nodes[i].told;
  return earliest == INT64_MAX ? 0 : earliest;
}

/* ---- ids ---- */

/* A conversation without an id is known by its first message: that one never changes. */
static void name_conversation(struct chatgpt *c) {
  const struct chatgpt_node *first = NULL;
  for (size_t i = 0; i < c->count; ++i) {
    const struct chatgpt_node *node = &c->nodes[i];
    if (node->kept && !node->above && (!first || is_earlier(node, first))) first = node;
  }
  if (!first) return;
  struct ck_buf b = {0};
  ck_buf_text(&b, "first-");
  ck_buf_str(&b, first->source_id);
  c->id = ck_arena_keep(&c->arena, &b);
  note(c, "conversation without an id, known by its first message");
}

static void derive_id(struct chatgpt *c, struct chatgpt_node *node) {
  struct ck_str conversation = node->fork ? node->fork->id : c->id;
  struct ck_str parts[] = {CK_LIT("chatgpt"), conversation, node->source_id, ck_str_of(node->key)};
  node->id = ck_derived_id(&c->arena, node->source_id, parts, sizeof parts / sizeof *parts);
}

/* Of several nodes with one id, the one whose key it is keeps it, else the earliest; the others get
 * ids derived from their keys. */
static void tell_ids_apart(struct chatgpt *c) {
  for (size_t i = 1; i < c->kept; ++i)
    if (ck_str_eq(c->by_id[i]->source_id, c->by_id[i - 1]->source_id)) derive_id(c, c->by_id[i]);
}

/* ---- forks ---- */

/* The last message that was copied before the conversation went its own way. ChatGPT marks it, or
 * the first own one, which is the user's, and then may name it. */
static struct chatgpt_node *last_copied(struct chatgpt_node *marked) {
  struct ck_str from = marked->origin->message;
  struct chatgpt_node *at = marked;
  for (int steps = 0; from.n && at && steps < 16; at = at->above, ++steps)
    if (ck_str_eq(at->source_id, from)) return at;
  return ck_str_is(marked->label->role, "user") ? marked->above : marked;
}

static struct chatgpt_fork *fork_of(struct chatgpt *c, struct ck_str id) {
  for (size_t i = 0; i < c->fork_count; ++i)
    if (ck_str_eq(c->forks[i].id, id)) return &c->forks[i];
  if (c->fork_count == CHATGPT_FORKS) return NULL;
  c->forks[c->fork_count].id = id;
  return &c->forks[c->fork_count++];
}

/* Everything down to a mark is the other conversation's, but for what an earlier mark has given to
 * a third. */
static void find_forks(struct chatgpt *c) {
  for (size_t i = 0; i < c->count; ++i) {
    struct chatgpt_node *node = c->order[i];
    const struct chatgpt_origin *origin = node->origin;
    if (!origin || ck_str_eq(origin->conversation, c->id)) continue;
    struct chatgpt_node *last = last_copied(node);
    struct chatgpt_fork *fork = fork_of(c, origin->conversation);
    if (!fork) continue;
    if (!fork->title.n) fork->title = origin->title;
    if (last && !last->fork) fork->last = last;
    for (; last && !last->fork; last = last->above) last->fork = fork;
  }
}

void chatgpt_read_tree(struct chatgpt *c, const json_t *mapping) {
  read_nodes(c, mapping);
  link_nodes(c);
  cut_cycles(c);
  c->at = conversation_time(c);
  struct chatgpt_node *end = named(c, ingest_json_text(c->json, "current_node"),
                                   ingest_json_id(c->json, "current_node", &c->arena));
  put_in_order(c, end);
  place_nodes(c);
  find_current(c, end);
  if (!c->id.n) name_conversation(c);
  find_forks(c);
  tell_ids_apart(c);
}
