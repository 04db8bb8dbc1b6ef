/* The first of all hits. Up to GATHER_MAX hits are all looked at, if they are soon counted. Else
 * the blocks are walked, the one with the newest entry first, until no other can have a newer entry
 * than those that were found. */
#include <stdlib.h>
#include <string.h>

#include "proto/clock.h"
#include "store/search/ask_internal.h"
#include "store/search/index.h"

#define GATHER_MAX 50000
/* So long are hits counted: common words may have to be looked at in all parts although they are
 * hardly ever in one text. Of the processor, so that what else runs changes no answer. */
#define COUNT_US 20000

/* ---- the heap ---- */

/* Less than 0: a comes before b. */
static int order(const struct ask_entry *a, const struct ask_entry *b) {
  if (a->key != b->key) return a->key > b->key ? -1 : 1;
  return a->entry == b->entry ? 0 : a->entry > b->entry ? -1 : 1;
}

static int order_any(const void *a, const void *b) { return order(a, b); }

static void swap(struct ask_entry *a, struct ask_entry *b) {
  struct ask_entry c = *a;
  *a = *b;
  *b = c;
}

static void sink(struct ask_pick *p) {
  for (size_t i = 0;;) {
    size_t last = i, left = 2 * i + 1, right = left + 1;
    if (left < p->count && order(&p->at[left], &p->at[last]) > 0) last = left;
    if (right < p->count && order(&p->at[right], &p->at[last]) > 0) last = right;
    if (last == i) return;
    swap(&p->at[i], &p->at[last]);
    i = last;
  }
}

static void rise(struct ask_pick *p) {
  for (size_t i = p->count - 1; i > 0;) {
    size_t up = (i - 1) / 2;
    if (order(&p->at[i], &p->at[up]) <= 0) return;
    swap(&p->at[i], &p->at[up]);
    i = up;
  }
}

void ask_pick_add(struct ask_pick *p, const struct ask_entry *e) {
  ++p->found;
  if (order(e, &p->after) <= 0) return;
  if (p->count < p->most) {
    p->at[p->count++] = *e;
    rise(p);
    return;
  }
  p->left = true;
  if (order(e, &p->at[0]) >= 0) return;
  p->at[0] = *e;
  sink(p);
}

void ask_pick_sort(struct ask_pick *p) { qsort(p->at, p->count, sizeof *p->at, order_any); }

void ask_pick_cut(struct ask_pick *p) {
  p->more = p->left = p->cut = true;
  p->known = INT64_MAX;
}

size_t ask_pick_known(const struct ask_pick *p) {
  size_t n = p->cut ? 0 : p->count;
  while (p->cut && n < p->count && p->at[n].key > p->known) ++n;
  return n;
}

/* ---- one entry ---- */

#define ENTRY "e.entry, e.version, e.at, e.place, e.role, e.sum"

/* Reads a row of ENTRY. False: it is not wanted. */
static bool read_entry(sqlite3_stmt *s, const struct ask_filter *f, struct ask_entry *e) {
  int64_t sum = sqlite3_column_int64(s, 5);
  bool dated = sqlite3_column_type(s, 2) != SQLITE_NULL;
  *e = (struct ask_entry){.entry = sqlite3_column_int64(s, 0),
                          .version = sqlite3_column_int64(s, 1),
                          .key = dated ? sqlite3_column_int64(s, 2) : INT64_MIN,
                          .place = sqlite3_column_int64(s, 3),
                          .has_tool = sum & SEARCH_HAS_TOOL,
                          .is_title = sqlite3_column_type(s, 4) == SQLITE_NULL};
  if (e->is_title ? !f->titles : !f->messages) return false;
  if (sum == 0 || (f->tools && !(sum & SEARCH_HAS_TOOL))) return false;
  if (e->key < f->since || (e->key >= f->until && f->until < INT64_MAX)) return false;
  if (f->by_place && !bits_has(&f->places, e->place)) return false;
  return !f->by_role || (!e->is_title && bits_has(&f->roles, sqlite3_column_int64(s, 4)));
}

/* ---- looking at entries ---- */

struct search {
  sqlite3 *index;
  enum search_choice choice;
  const struct ask_filter *filter;
  struct ask_pick *pick;
  struct ask_hits *hits;
  sqlite3_stmt *entry, *entries;
};

static void search_close(struct search *s) {
  ask_hits_close(&s->hits);
  sqlite3_finalize(s->entry);
  sqlite3_finalize(s->entries);
}

static int search_open(struct search *s, const struct search_chosen *c, struct ck_err *err) {
  if (ask_hits_open(&s->hits, s->index, c, s->filter->first, s->filter->last, err)) return -1;
  s->entry = db_prepare(s->index, "SELECT " ENTRY " FROM entries e WHERE e.entry = ?1", err);
  if (s->entry)
    s->entries = db_prepare(s->index,
                            "SELECT " ENTRY " FROM entries e WHERE e.entry BETWEEN ?1 AND ?2"
                            " ORDER BY e.entry",
                            err);
  return s->entries ? 0 : -1;
}

/* What has not been looked at when the time is over counts as more. */
static int over(const struct search *s, int end) {
  if (end > 0) ask_pick_cut(s->pick);
  return end;
}

static int ended(const struct search *s, int rc, struct ck_err *err) {
  return over(s, ask_ended(s->index, rc, err));
}

/* Looks at entries one by one. 0; 1: the time is over; -1. */
static int take_each(struct search *s, const int64_t *entries, size_t n, struct ck_err *err) {
  for (size_t i = 0; i < n; ++i) {
    struct ask_entry e;
    sqlite3_bind_int64(s->entry, 1, entries[i]);
    int rc = sqlite3_step(s->entry);
    if (rc == SQLITE_ROW && read_entry(s->entry, s->filter, &e)) ask_pick_add(s->pick, &e);
    int end = rc == SQLITE_ROW ? 0 : ended(s, rc, err);
    sqlite3_reset(s->entry);
    if (end) return end;
  }
  return 0;
}

/* Looks at all entries of a block but `unwanted`, which are in ascending order. */
static int take_others(struct search *s, int64_t first, int64_t last, const int64_t *unwanted,
                       size_t n, struct ck_err *err) {
  int rc;
  size_t i = 0;
  sqlite3_bind_int64(s->entries, 1, first);
  sqlite3_bind_int64(s->entries, 2, last);
  while ((rc = sqlite3_step(s->entries)) == SQLITE_ROW) {
    struct ask_entry e;
    bool wanted = read_entry(s->entries, s->filter, &e);
    while (i < n && unwanted[i] < e.entry) ++i;
    if (wanted && (i == n || unwanted[i] != e.entry)) ask_pick_add(s->pick, &e);
  }
  int end = ended(s, rc, err);
  sqlite3_reset(s->entries);
  return end;
}

/* ---- block by block ---- */

struct block {
  int64_t number, newest;
};

struct blocks {
  struct block *at;
  size_t n, cap;
};

/* Those that may have wanted entries, the newest first. */
static int read_blocks(struct search *s, struct blocks *b, struct ck_err *err) {
  const struct ask_filter *f = s->filter;
  sqlite3_stmt *q = db_prepare(s->index,
                               "SELECT block, newest FROM blocks WHERE newest >= ?1 AND oldest < ?2"
                               " AND oldest <= ?3 AND block BETWEEN ?4 AND ?5 ORDER BY newest DESC",
                               err);
  if (!q) return -1;
  sqlite3_bind_int64(q, 1, f->since);
  sqlite3_bind_int64(q, 2, f->until);
  /* Of others, all are counted. */
  sqlite3_bind_int64(q, 3, s->choice == SEARCH_CHOICE_THOSE ? s->pick->after.key : INT64_MAX);
  sqlite3_bind_int64(q, 4, f->first / SEARCH_BLOCK);
  sqlite3_bind_int64(q, 5, f->last / SEARCH_BLOCK);
  int rc;
  while ((rc = sqlite3_step(q)) == SQLITE_ROW) {
    if (b->n == b->cap) {
      b->cap = b->cap ? 2 * b->cap : 1024;
      b->at = ck_realloc(b->at, b->cap * sizeof *b->at);
    }
    b->at[b->n++] = (struct block){sqlite3_column_int64(q, 0), sqlite3_column_int64(q, 1)};
  }
  int end = ended(s, rc, err);
  sqlite3_finalize(q);
  return end;
}

static int take_block(struct search *s, const struct block *b, struct ck_err *err) {
  int64_t room[SEARCH_BLOCK], first = b->number * SEARCH_BLOCK, last = first + SEARCH_BLOCK - 1;
  const int64_t *hits = room;
  size_t n = 0;
  int end = 0;
  if (first / SEARCH_PART >= ask_hits_parts(s->hits)) return 0;
  if (s->choice != SEARCH_CHOICE_ALL)
    end = over(s, ask_hits_of_block(s->hits, first, last, room, &hits, &n, err));
  if (end) return end;
  return s->choice == SEARCH_CHOICE_THOSE ? take_each(s, hits, n, err)
                                          : take_others(s, first, last, hits, n, err);
}

/* No entry of a block can be among the first. */
static bool is_late(const struct ask_pick *p, const struct block *b) {
  return p->count == p->most && p->at[0].key > b->newest;
}

/* If the time is over in a block, those that are newer than it are all known. */
static int walk_blocks(struct search *s, struct ck_err *err) {
  struct blocks b = {0};
  int end = read_blocks(s, &b, err);
  for (size_t i = 0; i < b.n && end == 0; ++i) {
    if (is_late(s->pick, &b.at[i])) {
      s->pick->more = s->pick->left = true;
      break;
    }
    end = take_block(s, &b.at[i], err);
    if (end > 0) s->pick->known = b.at[i].newest;
  }
  free(b.at);
  return end < 0 ? -1 : 0;
}

/* ---- both ways ---- */

/* Takes from *n the gathered hits that are dead. */
static int leave_out_dead(struct search *s, uint64_t *n, struct ck_err *err) {
  sqlite3_stmt *dead = db_prepare(s->index, "SELECT entry FROM dead ORDER BY entry", err);
  int rc;
  if (!dead) return -1;
  while ((rc = sqlite3_step(dead)) == SQLITE_ROW) {
    int64_t entry = sqlite3_column_int64(dead, 0), part = entry / SEARCH_PART;
    if (part >= ask_hits_parts(s->hits)) break;
    size_t count, i;
    const int64_t *hits = ask_hits_gathered(s->hits, part, &count);
    i = ask_hits_before(hits, count, entry);
    if (i < count && hits[i] == entry) --*n;
  }
  if (rc == SQLITE_ROW) rc = SQLITE_DONE;
  int end = ask_ended(s->index, rc, err); /* the first hits are known */
  sqlite3_finalize(dead);
  return end < 0 ? -1 : 0;
}

/* All n hits are known. If each is wanted, only the first are looked at, block by block. */
static int pick_gathered(struct search *s, uint64_t n, struct ck_err *err) {
  int end = 0;
  for (int64_t i = 0; i < ask_hits_parts(s->hits) && end == 0 && !s->filter->all; ++i) {
    size_t count;
    const int64_t *hits = ask_hits_gathered(s->hits, i, &count);
    end = take_each(s, hits, count, err);
  }
  if (!s->filter->all) return end < 0 ? -1 : 0;
  if (walk_blocks(s, err) || leave_out_dead(s, &n, err)) return -1;
  s->pick->found = n;
  s->pick->more = false;
  return 0;
}

/* Gathers the hits of the last parts, until they are more than GATHER_MAX or COUNT_US are over. *n:
 * so many; *all: they are all. 0; 1: the time is over; -1. */
static int gather_last(struct search *s, uint64_t *n, bool *all, struct ck_err *err) {
  int end = 0;
  bool by_part = ask_hits_by_part(s->hits);
  int64_t until = ck_thread_us() + COUNT_US, i = ask_hits_parts(s->hits);
  *n = 0;
  *all = true;
  while (*all && end == 0 && i-- > 0) {
    size_t count;
    end = over(s, ask_hits_gather(s->hits, i, by_part ? SEARCH_PART : GATHER_MAX - *n, err));
    *n += ask_hits_gathered(s->hits, i, &count) ? count : GATHER_MAX;
    *all = ask_hits_gathered(s->hits, i, &count) && *n <= GATHER_MAX &&
           (i == 0 || ck_thread_us() < until);
  }
  return end;
}

static int pick_newest(struct search *s, struct ck_err *err) {
  uint64_t n;
  bool all;
  if (s->choice != SEARCH_CHOICE_THOSE) return walk_blocks(s, err);
  int end = gather_last(s, &n, &all, err);
  if (end < 0) return -1;
  if (all || end) {
    if (pick_gathered(s, n, err)) return -1;
    if (end) s->pick->more = true;
    return 0;
  }
  if (walk_blocks(s, err) || leave_out_dead(s, &n, err)) return -1;
  if (n > GATHER_MAX) n = GATHER_MAX;
  /* Blocks that are newer than the cursor were not counted. */
  if (s->pick->after.key < INT64_MAX) s->pick->more = true;
  if (s->filter->all && s->pick->more && s->pick->found < n) s->pick->found = n;
  return 0;
}

int ask_pick_newest(struct ask_pick *p, sqlite3 *index, const struct search_chosen *c,
                    const struct ask_filter *f, struct ck_err *err) {
  struct search s = {.index = index, .choice = c->choice, .filter = f, .pick = p};
  int rc = search_open(&s, c, err) || pick_newest(&s, err) ? -1 : 0;
  search_close(&s);
  return rc;
}
