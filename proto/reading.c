/* The reading order; see reading.h. Messages are sorted by id, to find parents, and by time, for
 * the order of those that have one parent; everything else is a walk. */
#include "proto/reading.h"

#include <stdlib.h>

enum mark { NEW, WALKED, DONE, ON_PATH };

struct node {
  struct ck_place place; /* text in the arena */
  size_t row, step;
  unsigned conversation;
  bool placed; /* it says its place, or another message follows it */
  enum mark mark;
  uint32_t walk;                         /* which walk met it, while cycles are looked for */
  struct node *parent;                   /* NULL: none here */
  struct node *first_child, *last_child; /* by time */
  struct node *sibling;                  /* the next child of its parent */
};

struct ck_reading {
  struct node *nodes; /* in the order in which they were added */
  size_t count, room;
  struct ck_arena arena;
  struct node **by_id;            /* without those whose id was added before */
  struct node **by_time;          /* the same */
  size_t known;                   /* how many these two hold */
  struct node *roots, *last_root; /* by time: those of conversation 0 without a parent here */
  struct node **path;
  size_t path_count;
  struct node **waiting; /* the first messages of branches that are still to be shown */
  size_t waiting_count;
  struct ck_step *steps;
  size_t step_count;
  struct ck_branch *branches;
  size_t branch_count, branch_room;
  bool has_tree;
};

int ck_turn_of(struct ck_str role) {
  static const struct {
    const char *role;
    int turn;
  } turns[] = {{"system", 0},    {"developer", 0}, {"user", 1}, {"human", 1},
               {"assistant", 2}, {"model", 2},     {"tool", 3}, {"function", 3}};
  for (size_t i = 0; i < sizeof turns / sizeof *turns; ++i)
    if (ck_str_is(role, turns[i].role)) return turns[i].turn;
  return 4;
}

struct ck_reading *ck_reading_new(void) {
  return ck_zalloc(sizeof(struct ck_reading));
}

static void forget_order(struct ck_reading *r) {
  free(r->by_id);
  free(r->by_time);
  free(r->path);
  free(r->waiting);
  free(r->steps);
  free(r->branches);
  r->by_id = r->by_time = r->path = r->waiting = NULL;
  r->steps = NULL;
  r->branches = NULL;
  r->roots = r->last_root = NULL;
  r->known = r->path_count = r->waiting_count = 0;
  r->step_count = r->branch_count = r->branch_room = 0;
  r->has_tree = false;
}

void ck_reading_free(struct ck_reading **reading) {
  struct ck_reading *r = *reading;
  if (!r) return;
  forget_order(r);
  free(r->nodes);
  ck_arena_free(&r->arena);
  free(r);
  *reading = NULL;
}

void ck_reading_add(struct ck_reading *r, const struct ck_place *place, unsigned conversation) {
  forget_order(r);
  if (r->count == r->room) {
    r->room = r->room ? r->room * 2 : 64;
    r->nodes = ck_realloc(r->nodes, r->room * sizeof *r->nodes);
  }
  struct node *n = &r->nodes[r->count];
  *n = (struct node){.place = *place, .row = r->count, .conversation = conversation};
  n->place.id = ck_arena_copy(&r->arena, place->id);
  n->place.parent_id = ck_arena_copy(&r->arena, place->parent_id);
  r->count++;
}

/* ---- order of ids and times ---- */

static int by_id(const void *x, const void *y) {
  const struct node *a = *(struct node *const *)x, *b = *(struct node *const *)y;
  int c = ck_str_order(a->place.id, b->place.id);
  return c ? c : (a->row > b->row) - (a->row < b->row);
}

static int compare_times(const struct node *a, const struct node *b) {
  if (a->place.at != b->place.at) return a->place.at < b->place.at ? -1 : 1;
  if (a->place.turn != b->place.turn) return a->place.turn - b->place.turn;
  return ck_str_order(a->place.id, b->place.id);
}

static int by_time(const void *x, const void *y) {
  return compare_times(*(struct node *const *)x, *(struct node *const *)y);
}

static struct node *find(const struct ck_reading *r, struct ck_str id) {
  size_t from = 0, upto = r->known;
  while (from < upto) {
    size_t middle = from + (upto - from) / 2;
    int c = ck_str_order(r->by_id[middle]->place.id, id);
    if (c == 0) return r->by_id[middle];
    if (c < 0)
      from = middle + 1;
    else
      upto = middle;
  }
  return NULL;
}

/* ---- parents ---- */

static void sort(struct ck_reading *r) {
  struct node **nodes = ck_alloc(r->count * sizeof *nodes);
  for (size_t i = 0; i < r->count; ++i) {
    struct node *n = nodes[i] = &r->nodes[i];
    n->placed = n->place.parent_id.n > 0 || n->place.position >= 0;
    n->mark = NEW;
    n->walk = 0;
    n->step = CK_NO_STEP;
    n->parent = n->first_child = n->last_child = n->sibling = NULL;
  }
  qsort(nodes, r->count, sizeof *nodes, by_id);
  for (size_t i = 0; i < r->count; ++i) {
    bool again = r->known && ck_str_eq(nodes[i]->place.id, nodes[r->known - 1]->place.id);
    if (!again) nodes[r->known++] = nodes[i];
  }
  r->by_id = nodes;
  r->by_time = ck_alloc(r->known * sizeof *r->by_time);
  for (size_t i = 0; i < r->known; ++i) r->by_time[i] = nodes[i];
  qsort(r->by_time, r->known, sizeof *r->by_time, by_time);
}

static void find_parents(struct ck_reading *r) {
  for (size_t i = 0; i < r->known; ++i) {
    struct node *n = r->by_id[i];
    if (n->place.parent_id.n) n->parent = find(r, n->place.parent_id);
    if (n->parent) n->parent->placed = true;
    if (n->conversation == 0 && n->placed) r->has_tree = true;
  }
}

/* The message of the cycle that comes first by time. */
static struct node *first_of_cycle(struct node *n) {
  struct node *first = n;
  for (struct node *m = n->parent; m != n; m = m->parent)
    if (compare_times(m, first) < 0) first = m;
  return first;
}

/* Makes the first message of each cycle a beginning. */
static void cut_cycles(struct ck_reading *r) {
  for (size_t i = 0; i < r->known; ++i) {
    struct node *n = r->by_id[i];
    uint32_t walk = (uint32_t)i + 1;
    while (n && n->mark == NEW) {
      n->mark = WALKED;
      n->walk = walk;
      n = n->parent;
    }
    if (n && n->walk == walk) first_of_cycle(n)->parent = NULL;
  }
}

/* Newest first, so that each list of children is in the order of time. */
static void find_children(struct ck_reading *r) {
  for (size_t i = r->known; i-- > 0;) {
    struct node *n = r->by_time[i];
    if (n->conversation != 0 || !n->placed) continue;
    struct node **first = n->parent ? &n->parent->first_child : &r->roots;
    struct node **last = n->parent ? &n->parent->last_child : &r->last_root;
    n->sibling = *first;
    *first = n;
    if (!*last) *last = n;
  }
}

/* ---- the current branch ---- */

/* The newest message without a child. */
static struct node *newest_end(const struct ck_reading *r) {
  for (size_t i = r->known; i-- > 0;) {
    struct node *n = r->by_time[i];
    if (n->conversation == 0 && n->placed && !n->first_child) return n;
  }
  return NULL;
}

static void find_path(struct ck_reading *r, struct ck_str last) {
  struct node *end = find(r, last);
  if (!end || end->conversation != 0 || !end->placed) end = newest_end(r);
  size_t n = 0;
  for (struct node *m = end; m; m = m->parent) ++n;
  r->path = ck_alloc(n * sizeof *r->path);
  r->path_count = n;
  for (struct node *m = end; m; m = m->parent) {
    m->mark = ON_PATH;
    r->path[--n] = m;
  }
}

/* ---- steps ---- */

static void add_step(struct ck_reading *r, struct node *n) {
  struct ck_branch *b = &r->branches[r->branch_count - 1];
  n->step = r->step_count++;
  r->steps[n->step] = (struct ck_step){.id = n->place.id,
                                       .row = n->row,
                                       .conversation = n->conversation,
                                       .branch = (unsigned)r->branch_count,
                                       .placed = n->placed};
  b->count++;
}

/* Begins a branch. first: its first message with a place; NULL: it has none. */
static void add_branch(struct ck_reading *r, const struct node *first) {
  if (r->branch_count == r->branch_room) {
    r->branch_room = r->branch_room ? r->branch_room * 2 : 8;
    r->branches = ck_realloc(r->branches, r->branch_room * sizeof *r->branches);
  }
  struct ck_branch *b = &r->branches[r->branch_count++];
  *b = (struct ck_branch){.first = r->step_count, .after_step = CK_NO_STEP};
  if (first && first->parent) {
    b->after = first->parent->place.id;
    b->after_step = first->parent->step;
  }
  if (first && !first->parent && first->place.position > 0)
    b->missing_before = first->place.position;
}

/* The index of the last message of the path that is not later than `at`, from index `from` on;
 * earliest[i]: the earliest time of path[i] and those after it. */
static size_t place_for(const struct ck_reading *r, const int64_t *earliest, size_t from,
                        int64_t at) {
  while (from < r->path_count && earliest[from] <= at) ++from;
  return from;
}

/* The current branch, and in it, by their times, the messages whose place is unknown. */
static void show_current(struct ck_reading *r) {
  int64_t *earliest = ck_alloc((r->path_count + 1) * sizeof *earliest);
  for (size_t i = r->path_count; i-- > 0;) {
    int64_t at = r->path[i]->place.at;
    earliest[i] = i + 1 < r->path_count && earliest[i + 1] < at ? earliest[i + 1] : at;
  }
  add_branch(r, r->path_count ? r->path[0] : NULL);
  size_t shown = 0;
  for (size_t i = 0; i < r->known; ++i) {
    struct node *n = r->by_time[i];
    if (n->conversation != 0 || n->placed) continue;
    size_t upto = place_for(r, earliest, shown, n->place.at);
    while (shown < upto) add_step(r, r->path[shown++]);
    add_step(r, n);
  }
  while (shown < r->path_count) add_step(r, r->path[shown++]);
  free(earliest);
}

/* ---- the other branches ---- */

/* Adds the siblings from `child` on, apart from `except` and what is on the path. */
static void put_waiting(struct ck_reading *r, struct node *child, const struct node *except) {
  for (; child; child = child->sibling)
    if (child != except && child->mark != ON_PATH) r->waiting[r->waiting_count++] = child;
}

/* What was added from `from` on comes in the order in which it was added. */
static void turn_waiting(struct ck_reading *r, size_t from) {
  for (size_t upto = r->waiting_count; from + 1 < upto; ++from) {
    struct node *first = r->waiting[from];
    r->waiting[from] = r->waiting[--upto];
    r->waiting[upto] = first;
  }
}

/* Follows the newest child at each fork; the others wait. */
static void show_branch(struct ck_reading *r, struct node *first) {
  size_t from = r->waiting_count;
  add_branch(r, first);
  for (struct node *n = first; n; n = n->last_child) {
    add_step(r, n);
    put_waiting(r, n->first_child, n->last_child);
  }
  turn_waiting(r, from);
}

static void show_others(struct ck_reading *r) {
  put_waiting(r, r->roots, NULL);
  for (size_t i = 0; i < r->path_count; ++i) put_waiting(r, r->path[i]->first_child, NULL);
  for (size_t i = 0; i < r->known; ++i) {
    const struct node *n = r->by_time[i];
    if (n->conversation != 0 && n->mark != ON_PATH) put_waiting(r, n->first_child, NULL);
  }
  turn_waiting(r, 0);
  while (r->waiting_count) show_branch(r, r->waiting[--r->waiting_count]);
}

void ck_reading_order(struct ck_reading *r, struct ck_str last) {
  forget_order(r);
  if (r->count == 0) return;
  sort(r);
  find_parents(r);
  cut_cycles(r);
  find_children(r);
  find_path(r, last);
  r->steps = ck_alloc(r->known * sizeof *r->steps);
  r->waiting = ck_alloc(r->known * sizeof *r->waiting);
  show_current(r);
  show_others(r);
}

/* ---- the result ---- */

const struct ck_step *ck_reading_steps(const struct ck_reading *r, size_t *count) {
  *count = r->step_count;
  return r->steps;
}

const struct ck_branch *ck_reading_branches(const struct ck_reading *r, size_t *count) {
  *count = r->branch_count;
  return r->branches;
}

bool ck_reading_has_tree(const struct ck_reading *r) { return r->has_tree; }

struct ck_str ck_reading_open_end(const struct ck_reading *r) {
  struct ck_str none = {NULL, 0};
  if (!r->path_count || r->path[0]->parent) return none;
  struct ck_str id = r->path[0]->place.parent_id;
  return find(r, id) ? none : id; /* it is here if a cycle was cut */
}
