/* The first of all hits. Up to GATHER_MAX hits are all looked at. Of more, the blocks are walked,
 * the one with the newest entry first, until no other can have a newer entry than those that were
 * found.
 *
 * FTS5 brings all words of a part that begin so together before it gives the first hit. So if words
 * are asked for by their beginnings, the hits of a part are gathered once, and not for each of its
 * blocks. */
#include <stdlib.h>
#include <string.h>

#include "store/search/ask_internal.h"
#include "store/search/index.h"

#define GATHER_MAX 50000
/* How many hits are ranked: those that arrived last. */
#define RANK_MAX 10000
/* A word in a title is worth more than one in a text, and that more than one that a tool said. */
#define RANK "bm25(words#, 1.0, 4.0, 0.5)"
#define RANK_UNIT (-1e9) /* bm25 is a small negative number, the least is best */

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

static void add(struct ask_pick *p, const struct ask_entry *e) {
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
                          .is_title = sqlite3_column_type(s, 4) == SQLITE_NULL};
  if (e->is_title ? !f->titles : !f->messages) return false;
  if (sum == 0 || (f->tools && !(sum & SEARCH_HAS_TOOL))) return false;
  if (e->key < f->since || (e->key >= f->until && f->until < INT64_MAX)) return false;
  if (f->by_place && !bits_has(&f->places, e->place)) return false;
  return !f->by_role || (!e->is_title && bits_has(&f->roles, sqlite3_column_int64(s, 4)));
}

/* ---- hits ---- */

struct part {
  sqlite3_stmt *hits;
  int64_t *gathered; /* all hits, ascending; NULL: not known */
  size_t count;
};

struct search {
  sqlite3 *index;
  const struct ask_words *words;
  const struct ask_filter *filter;
  struct ask_pick *pick;
  sqlite3_stmt *entry, *entries;
  bool by_part; /* the hits of a part are gathered at once, however many they are */
  struct part *parts;
  int64_t part_count;
};

static void search_close(struct search *s) {
  for (int64_t i = 0; i < s->part_count; ++i) {
    sqlite3_finalize(s->parts[i].hits);
    free(s->parts[i].gathered);
  }
  free(s->parts);
  sqlite3_finalize(s->entry);
  sqlite3_finalize(s->entries);
}

static int search_open(struct search *s, struct ck_err *err) {
  if (search_index_parts(s->index, &s->part_count, err)) return -1;
  s->parts = ck_zalloc((size_t)(s->part_count + 1) * sizeof *s->parts);
  s->by_part = s->words->match.n && memmem(s->words->match.s, s->words->match.n, "\"*", 2);
  s->entry = db_prepare(s->index, "SELECT " ENTRY " FROM entries e WHERE e.entry = ?1", err);
  if (s->entry)
    s->entries = db_prepare(s->index,
                            "SELECT " ENTRY " FROM entries e WHERE e.entry BETWEEN ?1 AND ?2"
                            " ORDER BY e.entry",
                            err);
  return s->entries ? 0 : -1;
}

/* After a step that gave no row. 0: there are no more; 1: the time is over; -1. */
static int ended(const struct search *s, int rc, struct ck_err *err) {
  if (rc == SQLITE_DONE) return 0;
  if ((rc & 0xff) != SQLITE_INTERRUPT) return db_fail(s->index, "search", err);
  s->pick->more = s->pick->left = true;
  return 1;
}

/* Gathers the hits among a part's entries from first to last, at most `most`, ascending. *n: how
 * many. 0; 1: the time is over; -1. */
static int gather(struct search *s, int64_t part, int64_t first, int64_t last, int64_t *out,
                  size_t most, size_t *n, struct ck_err *err) {
  sqlite3_stmt **hits = &s->parts[part].hits;
  int rc = SQLITE_ROW;
  if (!*hits)
    *hits = search_index_part(s->index,
                              "SELECT rowid FROM words# WHERE words# MATCH ?1"
                              " AND rowid BETWEEN ?2 AND ?3 ORDER BY rowid",
                              part, err);
  if (!*hits) return -1;
  db_bind_str(*hits, 1, s->words->match);
  sqlite3_bind_int64(*hits, 2, first);
  sqlite3_bind_int64(*hits, 3, last);
  for (*n = 0; *n < most && (rc = sqlite3_step(*hits)) == SQLITE_ROW; ++*n)
    out[*n] = sqlite3_column_int64(*hits, 0);
  int end = rc == SQLITE_ROW ? 0 : ended(s, rc, err);
  sqlite3_reset(*hits);
  return end;
}

/* Gathers the wanted hits of a part, unless they are more than `most`. 0; 1: the time is over, and
 * those are not all; -1. */
static int gather_part(struct search *s, int64_t number, size_t most, struct ck_err *err) {
  struct part *p = &s->parts[number];
  int64_t first = number * SEARCH_PART, last = first + SEARCH_PART - 1;
  if (first < s->filter->first) first = s->filter->first;
  if (last > s->filter->last) last = s->filter->last;
  size_t n = 0, room = most < SEARCH_PART ? most + 1 : SEARCH_PART;
  int64_t *hits = ck_alloc(room * sizeof *hits);
  int end = first > last ? 0 : gather(s, number, first, last, hits, room, &n, err);
  if (end >= 0 && n <= most) {
    p->gathered = ck_realloc(hits, (n + 1) * sizeof *hits);
    p->count = n;
  } else {
    free(hits);
  }
  return end;
}

/* Looks at entries one by one. 0; 1: the time is over; -1. */
static int take_each(struct search *s, const int64_t *entries, size_t n, struct ck_err *err) {
  for (size_t i = 0; i < n; ++i) {
    struct ask_entry e;
    sqlite3_bind_int64(s->entry, 1, entries[i]);
    int rc = sqlite3_step(s->entry);
    if (rc == SQLITE_ROW && read_entry(s->entry, s->filter, &e)) add(s->pick, &e);
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
    if (wanted && (i == n || unwanted[i] != e.entry)) add(s->pick, &e);
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
  sqlite3_bind_int64(q, 3,
                     s->words->choice == SEARCH_CHOICE_THOSE ? s->pick->after.key : INT64_MAX);
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

/* How many of a part's gathered hits are before this entry. */
static size_t gathered_before(const struct part *p, int64_t entry) {
  size_t low = 0, high = p->count;
  while (low < high) {
    size_t middle = (low + high) / 2;
    if (p->gathered[middle] < entry)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

/* The hits of a block: those that were gathered, or in room[]. 0; 1: the time is over; -1. */
static int hits_of_block(struct search *s, int64_t first, int64_t last, int64_t room[SEARCH_BLOCK],
                         const int64_t **hits, size_t *n, struct ck_err *err) {
  int64_t part = first / SEARCH_PART;
  struct part *p = &s->parts[part];
  int end = s->by_part && !p->gathered ? gather_part(s, part, SEARCH_PART, err) : 0;
  *hits = room;
  if (end) return end;
  if (!p->gathered) return gather(s, part, first, last, room, SEARCH_BLOCK, n, err);
  size_t from = gathered_before(p, first);
  *hits = p->gathered + from;
  *n = gathered_before(p, last + 1) - from;
  return 0;
}

static int take_block(struct search *s, const struct block *b, struct ck_err *err) {
  int64_t room[SEARCH_BLOCK], first = b->number * SEARCH_BLOCK, last = first + SEARCH_BLOCK - 1;
  const int64_t *hits = room;
  size_t n = 0;
  int end = 0;
  if (first / SEARCH_PART >= s->part_count) return 0;
  if (s->words->choice != SEARCH_CHOICE_ALL)
    end = hits_of_block(s, first, last, room, &hits, &n, err);
  if (end) return end;
  return s->words->choice == SEARCH_CHOICE_THOSE ? take_each(s, hits, n, err)
                                                 : take_others(s, first, last, hits, n, err);
}

/* No entry of a block can be among the first. */
static bool is_late(const struct ask_pick *p, const struct block *b) {
  return p->count == p->most && p->at[0].key > b->newest;
}

static int walk_blocks(struct search *s, struct ck_err *err) {
  struct blocks b = {0};
  int end = read_blocks(s, &b, err);
  for (size_t i = 0; i < b.n && end == 0; ++i) {
    if (is_late(s->pick, &b.at[i])) {
      s->pick->more = s->pick->left = true;
      break;
    }
    end = take_block(s, &b.at[i], err);
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
    if (part >= s->part_count) break;
    const struct part *p = &s->parts[part];
    size_t i = gathered_before(p, entry);
    if (i < p->count && p->gathered[i] == entry) --*n;
  }
  if (rc == SQLITE_ROW) rc = SQLITE_DONE;
  int end = ended(s, rc, err);
  sqlite3_finalize(dead);
  return end < 0 ? -1 : 0;
}

/* All n hits are known. If each is wanted, only the first are looked at, block by block. */
static int pick_gathered(struct search *s, uint64_t n, struct ck_err *err) {
  int end = 0;
  for (int64_t i = 0; i < s->part_count && end == 0 && !s->filter->all; ++i)
    end = take_each(s, s->parts[i].gathered, s->parts[i].count, err);
  if (!s->filter->all) return end < 0 ? -1 : 0;
  if (walk_blocks(s, err) || leave_out_dead(s, &n, err)) return -1;
  s->pick->found = n;
  s->pick->more = false;
  return 0;
}

/* Gathers the hits of the last parts, until they are more than GATHER_MAX. *n: so many; above that
 * they are not all. 0; 1: the time is over; -1. */
static int gather_last(struct search *s, size_t *n, struct ck_err *err) {
  int end = 0;
  *n = 0;
  for (int64_t i = s->part_count; i-- > 0 && *n <= GATHER_MAX && end == 0;) {
    end = gather_part(s, i, s->by_part ? SEARCH_PART : GATHER_MAX - *n, err);
    *n += s->parts[i].gathered ? s->parts[i].count : GATHER_MAX + 1;
  }
  return end;
}

static int pick_newest(struct search *s, struct ck_err *err) {
  size_t n;
  if (s->words->choice != SEARCH_CHOICE_THOSE) return walk_blocks(s, err);
  int end = gather_last(s, &n, err);
  if (end < 0) return -1;
  if (n <= GATHER_MAX) {
    if (pick_gathered(s, n, err)) return -1;
    if (end) s->pick->more = true;
    return 0;
  }
  if (walk_blocks(s, err)) return -1;
  if (s->filter->all && s->pick->found < GATHER_MAX) s->pick->found = GATHER_MAX;
  return 0;
}

int ask_pick_newest(struct ask_pick *p, sqlite3 *index, const struct ask_words *words,
                    const struct ask_filter *f, struct ck_err *err) {
  struct search s = {.index = index, .words = words, .filter = f, .pick = p};
  int rc = search_open(&s, err) || pick_newest(&s, err) ? -1 : 0;
  search_close(&s);
  return rc;
}

/* ---- the best ---- */

/* *n: how many were ranked. 0; 1: there are more, or the time is over; -1. */
static int take_ranked(struct search *s, sqlite3_stmt *q, int *n, struct ck_err *err) {
  int rc = SQLITE_ROW;
  for (; *n < RANK_MAX && (rc = sqlite3_step(q)) == SQLITE_ROW; ++*n) {
    struct ask_entry e;
    if (!read_entry(q, s->filter, &e)) continue;
    e.key = (int64_t)(sqlite3_column_double(q, 6) * RANK_UNIT);
    add(s->pick, &e);
  }
  if (rc != SQLITE_ROW) return ended(s, rc, err);
  s->pick->more = true;
  return 1;
}

/* How rare a word is counts in each part by itself. */
int ask_pick_best(struct ask_pick *p, sqlite3 *index, const struct ask_words *words,
                  const struct ask_filter *f, struct ck_err *err) {
  struct search s = {.index = index, .words = words, .filter = f, .pick = p};
  int64_t parts;
  int n = 0, end = search_index_parts(index, &parts, err);
  while (parts-- > 0 && end == 0) {
    sqlite3_stmt *q = search_index_part(
        index,
        "SELECT " ENTRY ", " RANK " FROM words# CROSS JOIN entries e ON e.entry = words#.rowid"
        " WHERE words# MATCH ?1 AND words#.rowid BETWEEN ?2 AND ?3"
        " ORDER BY words#.rowid DESC",
        parts, err);
    if (!q) return -1;
    db_bind_str(q, 1, words->match);
    sqlite3_bind_int64(q, 2, f->first);
    sqlite3_bind_int64(q, 3, f->last);
    end = take_ranked(&s, q, &n, err);
    sqlite3_finalize(q);
  }
  return end < 0 ? -1 : 0;
}
