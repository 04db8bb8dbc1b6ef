/* The tree of a Claude.ai conversation: which message follows which. */
#include <stdlib.h>
#include <string.h>

#include "ingest/sources/claude.h"

/* The parent of a conversation's first messages. */
#define ROOT "00000000-0000-4000-8000-000000000000"

void claude_place(const struct claude_chat *c, char out[CLAUDE_PLACE_TEXT], size_t n,
                  struct ck_str id) {
  struct ck_buf b = {0};
  ingest_place_text(out, c->place, c->element, c->id);
  ck_buf_text(&b, out);
  ck_buf_printf(&b, ", message %zu", n);
  if (id.n) ck_buf_text(&b, " ");
  ck_buf_str(&b, ck_utf8_cut(id, 200));
  memcpy(out, ck_buf_cstr(&b), b.len + 1);
  ck_buf_free(&b);
}

/* ---- the messages ---- */

void claude_open(struct claude_chat *c, struct claude_message *m) {
  if (!m->opened++) m->json = ingest_outline_child(c->outline, m->value);
}

void claude_close(struct claude_message *m) {
  if (--m->opened) return;
  json_decref(m->json);
  m->json = NULL;
}

struct ck_str claude_lasting(struct claude_chat *c, struct ck_str s) {
  return c->outline && s.n ? ck_arena_copy(&c->arena, s) : s;
}

static int by_id(const void *a, const void *b) {
  const struct claude_message *const *x = a, *const *y = b;
  int order = ck_str_order((*x)->source_id, (*y)->source_id);
  return order ? order : ((*x)->n > (*y)->n) - ((*x)->n < (*y)->n);
}

static void refuse(struct claude_chat *c, const json_t *element, size_t n) {
  char where[CLAUDE_PLACE_TEXT];
  if (json_is_null(element)) {
    c->visitor->note(c->visitor->self, "null in the place of a message", 1);
    return;
  }
  claude_place(c, where, n, (struct ck_str){0});
  c->visitor->failure(c->visitor->self, where, "a message must be an object", (struct ck_str){0});
}

/* What is known of a message that is not open. */
static void read_message(struct claude_chat *c, struct claude_message *m) {
  m->source_id = claude_lasting(c, ingest_json_id(m->json, "uuid", &c->arena));
  /* Without an id, the position in the list: it is the same in the next export. */
  if (!m->source_id.n) m->source_id = claude_numbered(&c->arena, c->id, "message", m->n);
  m->id = m->source_id;
  m->says_parent = json_object_get(m->json, "parent_message_uuid") != NULL;
  m->parent_told = claude_lasting(c, ingest_json_id(m->json, "parent_message_uuid", &c->arena));
  if (!ingest_json_time(json_object_get(m->json, "created_at"), &m->told)) m->told = INGEST_NO_TIME;
  claude_find_tools(c, m);
}

static void list_messages(struct claude_chat *c, const json_t *list) {
  size_t n = json_array_size(list);
  c->messages = ck_arena_get(&c->arena, (n + 1) * sizeof *c->messages);
  for (size_t i = 0; i < n; ++i) {
    struct claude_message *m = &c->messages[c->count];
    *m = (struct claude_message){.value = json_array_get(list, i), .n = i + 1};
    claude_open(c, m);
    if (json_is_object(m->json)) {
      read_message(c, m);
      ++c->count;
    } else {
      refuse(c, m->json, i + 1);
    }
    claude_close(m);
  }
}

static struct claude_message **sorted(struct claude_chat *c) {
  struct claude_message **all = ck_arena_get(&c->arena, (c->count + 1) * sizeof *all);
  for (size_t i = 0; i < c->count; ++i) all[i] = &c->messages[i];
  qsort(all, c->count, sizeof *all, by_id);
  return all;
}

/* A second message with the id of another gets an id of its own, which is the same in the next
 * export. */
static void derive_ids(struct claude_chat *c, struct claude_message **all) {
  const struct claude_message *first = NULL;
  size_t times = 0;
  for (size_t i = 0; i < c->count; ++i) {
    struct claude_message *m = all[i];
    if (!first || !ck_str_eq(first->source_id, m->source_id)) {
      first = m;
      times = 1;
      continue;
    }
    char number[24];
    snprintf(number, sizeof number, "%zu", ++times);
    struct ck_str parts[] = {CK_LIT("claude"), c->id, first->id, ck_str_of(number)};
    m->id = ck_derived_id(&c->arena, first->id, parts, sizeof parts / sizeof *parts);
    c->visitor->note(c->visitor->self, "message with the id of another in its conversation", 1);
  }
}

/* ---- parents ---- */

static struct claude_message *find(const struct claude_chat *c, struct claude_message **all,
                                   struct ck_str id) {
  size_t low = 0, high = c->count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (ck_str_order(all[middle]->source_id, id) < 0)
      low = middle + 1;
    else
      high = middle;
  }
  return low < c->count && ck_str_eq(all[low]->source_id, id) ? all[low] : NULL;
}

static bool has_parents(const struct claude_chat *c) {
  for (size_t i = 0; i < c->count; ++i)
    if (c->messages[i].parent_told.n) return true;
  return false;
}

static int by_time(const void *a, const void *b) {
  const struct claude_message *const *x = a, *const *y = b;
  int order = ((*x)->at > (*y)->at) - ((*x)->at < (*y)->at);
  return order ? order : ((*x)->n > (*y)->n) - ((*x)->n < (*y)->n);
}

/* Without parents in the file the path goes by time, since files of 2024 have messages in the wrong
 * place; at the same time, as question and answer often are, by the order of the file. */
static void make_path(struct claude_chat *c) {
  struct claude_message **path = ck_arena_get(&c->arena, (c->count + 1) * sizeof *path);
  for (size_t i = 0; i < c->count; ++i) {
    struct claude_message *m = path[i] = &c->messages[i];
    m->at = m->told == INGEST_NO_TIME && i ? m[-1].at : m->told;
  }
  if (c->by_time) qsort(path, c->count, sizeof *path, by_time);
  for (size_t i = 1; i < c->count; ++i) path[i]->parent = path[i - 1];
}

/* A message of a tree that does not say its parent follows the one before it. */
static void find_parents(struct claude_chat *c, struct claude_message **all) {
  if (c->unordered) return;
  if (!has_parents(c)) {
    make_path(c);
    return;
  }
  for (size_t i = 0; i < c->count; ++i) {
    struct claude_message *m = &c->messages[i];
    struct ck_str name = m->parent_told;
    if (!m->says_parent) {
      m->parent = i ? m - 1 : NULL;
    } else if (name.n && !ck_str_is(name, ROOT)) {
      m->parent = find(c, all, name);
      m->parent_id = name;
    }
  }
}

/* The first message of the cycle, in the order of the file, becomes its root. */
static void cut_cycle(struct claude_chat *c, struct claude_message *start) {
  struct claude_message *first = start;
  for (struct claude_message *at = start->parent; at != start; at = at->parent)
    if (at->n < first->n) first = at;
  first->parent = NULL;
  first->parent_id = (struct ck_str){0};
  c->visitor->note(c->visitor->self, "cycle of parents, cut before its earliest message", 1);
}

/* Only a broken file has cycles of parents. After this every way up ends. */
static void cut_cycles(struct claude_chat *c) {
  for (size_t i = 0; i < c->count; ++i) {
    struct claude_message *at = &c->messages[i];
    while (at && !at->walk) {
      at->walk = i + 1;
      if (at->parent && at->parent->walk == i + 1) cut_cycle(c, at);
      at = at->parent;
    }
  }
}

/* ---- positions and times ---- */

/* Of a message whose parent has both already. */
static void place_below(struct claude_chat *c, struct claude_message *m) {
  const struct claude_message *above = m->parent;
  if (above) m->parent_id = above->id;
  m->placed = above ? above->placed : !m->parent_id.n && !c->unordered;
  m->position = m->placed && above ? above->position + 1 : 0;
  m->timed = m->told != INGEST_NO_TIME;
  m->at = m->timed ? m->told : above ? above->at : c->at;
}

/* Each after the one above it, wherever in the list that is. path is scratch. */
static void place_messages(struct claude_chat *c, struct claude_message **path) {
  for (size_t i = 0; i < c->count; ++i) {
    size_t n = 0;
    for (struct claude_message *at = &c->messages[i]; at && at->walk; at = at->parent) {
      at->walk = 0;
      path[n++] = at;
    }
    while (n--) place_below(c, path[n]);
    if (c->messages[i].parent) c->messages[i].parent->inner = true;
  }
}

/* The earliest time of a message, for a conversation without one. */
static int64_t earliest(const struct claude_chat *c) {
  int64_t first = INT64_MAX;
  for (size_t i = 0; i < c->count; ++i)
    if (c->messages[i].told != INGEST_NO_TIME && c->messages[i].told < first)
      first = c->messages[i].told;
  return first == INT64_MAX ? 0 : first;
}

void claude_tree(struct claude_chat *c, const json_t *list) {
  list_messages(c, list);
  if (!ingest_json_time(json_object_get(c->json, "created_at"), &c->at) &&
      !ingest_json_time(json_object_get(c->json, "updated_at"), &c->at))
    c->at = earliest(c);
  struct claude_message **all = sorted(c);
  derive_ids(c, all);
  find_parents(c, all);
  cut_cycles(c);
  place_messages(c, all);
}

const struct claude_message *claude_current(struct claude_chat *c) {
  struct ck_str told = ingest_json_id(c->json, "current_leaf_message_uuid", &c->arena);
  const struct claude_message *newest = NULL;
  if (c->unordered) return NULL;
  for (size_t i = 0; i < c->count; ++i) {
    const struct claude_message *m = &c->messages[i];
    if (told.n && ck_str_eq(m->id, told)) return m;
    if (!m->inner && (!newest || m->at >= newest->at)) newest = m;
  }
  if (told.n && newest)
    c->visitor->note(c->visitor->self, "current message that is not in the conversation", 1);
  return newest;
}
