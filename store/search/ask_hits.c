/* Which entries of a part the words are in: what FTS5 gives of its two tables, each in ascending
 * order, is brought together here.
 *
 * FTS5 brings all words of a part that begin so together before it gives the first hit. So if words
 * are asked for by their beginnings, the hits of a part are gathered once, and not for each of its
 * blocks. */
#include <stdlib.h>
#include <string.h>

#include "store/search/ask_internal.h"
#include "store/search/index.h"

/* A list that is so many hits behind another is begun again where that one is, which takes as long
 * as to go on for so many. */
#define LEAP 400
/* If more blocks of a part are asked for, hits are rare, and all of the part are gathered. */
#define BLOCKS_ALONE 8
#define END INT64_MAX

/* Those before UNWANTED must all have the entry, the others must not. */
enum { WORDS, RUNS, UNWANTED, UNWANTED_RUNS = UNWANTED + 1, LISTS };

struct list {
  sqlite3_stmt *s; /* NULL: nothing is asked of it, or it is not prepared */
  bool prefix;     /* to begin again would cost as much as to go on */
  int64_t at;      /* the hit that it is at; END: there are no more */
};

struct part {
  struct list lists[LISTS];
  bool prepared;
  int blocks;        /* that were asked for */
  int64_t last;      /* of the range that is gathered */
  int64_t *gathered; /* all hits, ascending; NULL: not known */
  size_t count;
};

struct ask_hits {
  sqlite3 *index;
  struct ck_str match[LISTS];
  bool others; /* what is not wanted is gathered */
  bool by_part;
  int64_t first, last;
  struct part *parts;
  int64_t part_count;
};

static bool has_prefix(struct ck_str match) {
  return match.n && memmem(match.s, match.n, "\"*", 2);
}

int ask_hits_open(struct ask_hits **out, sqlite3 *index, const struct search_chosen *c,
                  int64_t first, int64_t last, struct ck_err *err) {
  struct ask_hits *h = *out = ck_zalloc(sizeof *h);
  h->index = index;
  h->match[WORDS] = ck_buf_view(&c->wanted.words);
  h->match[RUNS] = ck_buf_view(&c->wanted.runs);
  h->match[UNWANTED] = ck_buf_view(&c->unwanted.words);
  h->match[UNWANTED_RUNS] = ck_buf_view(&c->unwanted.runs);
  h->others = c->choice == SEARCH_CHOICE_OTHERS;
  for (int i = 0; i < LISTS; ++i) h->by_part |= has_prefix(h->match[i]);
  h->first = first;
  h->last = last;
  if (search_index_parts(index, &h->part_count, err)) return -1;
  h->parts = ck_zalloc((size_t)(h->part_count + 1) * sizeof *h->parts);
  return 0;
}

void ask_hits_close(struct ask_hits **hits) {
  struct ask_hits *h = *hits;
  if (!h) return;
  for (int64_t i = 0; h->parts && i < h->part_count; ++i) {
    for (int l = 0; l < LISTS; ++l) sqlite3_finalize(h->parts[i].lists[l].s);
    free(h->parts[i].gathered);
  }
  free(h->parts);
  free(h);
  *hits = NULL;
}

int64_t ask_hits_parts(const struct ask_hits *h) { return h->part_count; }

bool ask_hits_by_part(const struct ask_hits *h) { return h->by_part; }

int ask_ended(sqlite3 *index, int rc, struct ck_err *err) {
  if (rc == SQLITE_DONE) return 0;
  return (rc & 0xff) == SQLITE_INTERRUPT ? 1 : db_fail(index, "search", err);
}

/* ---- one list ---- */

static int prepare(struct ask_hits *h, int64_t number, struct ck_err *err) {
  static const char *const tables[] = {"SELECT rowid FROM words# WHERE words# MATCH ?1"
                                       " AND rowid BETWEEN ?2 AND ?3 ORDER BY rowid",
                                       "SELECT rowid FROM runs# WHERE runs# MATCH ?1"
                                       " AND rowid BETWEEN ?2 AND ?3 ORDER BY rowid"};
  struct part *p = &h->parts[number];
  for (int i = 0; i < LISTS && !p->prepared; ++i) {
    if (h->match[i].n == 0) continue;
    p->lists[i].s = search_index_part(h->index, tables[i % 2], number, err);
    if (!p->lists[i].s) return -1;
    p->lists[i].prefix = has_prefix(h->match[i]);
    db_bind_str(p->lists[i].s, 1, h->match[i]);
  }
  p->prepared = true;
  return 0;
}

/* To the next hit. 0; 1: the time is over; -1. */
static int advance(struct ask_hits *h, struct list *l, struct ck_err *err) {
  int rc = sqlite3_step(l->s);
  if (rc == SQLITE_ROW) {
    l->at = sqlite3_column_int64(l->s, 0);
    return 0;
  }
  l->at = END;
  int end = ask_ended(h->index, rc, err);
  sqlite3_reset(l->s);
  return end;
}

static int begin(struct ask_hits *h, struct list *l, int64_t first, int64_t last,
                 struct ck_err *err) {
  sqlite3_reset(l->s);
  sqlite3_bind_int64(l->s, 2, first);
  sqlite3_bind_int64(l->s, 3, last);
  return advance(h, l, err);
}

/* To the first hit that is not before this entry. */
static int reach(struct ask_hits *h, struct list *l, int64_t entry, int64_t last,
                 struct ck_err *err) {
  int end = 0;
  for (int n = 1; l->at < entry && end == 0; ++n)
    end = n % LEAP == 0 && !l->prefix ? begin(h, l, entry, last, err) : advance(h, l, err);
  return end;
}

/* ---- all lists of a part ---- */

/* The first entry from *entry on that all wanted lists have; END: there is none. */
static int next_wanted(struct ask_hits *h, struct part *p, int64_t *entry, struct ck_err *err) {
  for (bool again = true; again && *entry < END;) {
    again = false;
    for (int i = 0; i < UNWANTED; ++i) {
      struct list *l = &p->lists[i];
      int end = l->s ? reach(h, l, *entry, p->last, err) : 0;
      if (end) return end;
      again |= l->s && l->at > *entry;
      if (l->s) *entry = l->at;
    }
  }
  return 0;
}

/* Whether an unwanted list has this entry; *next: the first one from it on that one of them has. */
static int is_unwanted(struct ask_hits *h, struct part *p, int64_t entry, int64_t *next,
                       struct ck_err *err) {
  *next = END;
  for (int i = UNWANTED; i < LISTS; ++i) {
    struct list *l = &p->lists[i];
    int end = l->s ? reach(h, l, entry, p->last, err) : 0;
    if (end) return end;
    if (l->s && l->at < *next) *next = l->at;
  }
  return 0;
}

static int begin_lists(struct ask_hits *h, struct part *p, int64_t first, int64_t last,
                       struct ck_err *err) {
  int end = 0;
  p->last = last;
  for (int i = 0; i < LISTS && end == 0; ++i)
    if (p->lists[i].s) end = begin(h, &p->lists[i], first, last, err);
  return end;
}

static void end_lists(struct part *p) {
  for (int i = 0; i < LISTS; ++i)
    if (p->lists[i].s) sqlite3_reset(p->lists[i].s);
}

/* Gathers the hits among a part's entries from first to last, at most `most`, ascending. *n: how
 * many. 0; 1: the time is over; -1. */
static int gather(struct ask_hits *h, int64_t number, int64_t first, int64_t last, int64_t *out,
                  size_t most, size_t *n, struct ck_err *err) {
  struct part *p = &h->parts[number];
  *n = 0;
  if (prepare(h, number, err)) return -1;
  int end = begin_lists(h, p, first, last, err);
  for (int64_t entry = first, not ; *n < most && end == 0; ++entry) {
    if (!h->others) end = next_wanted(h, p, &entry, err);
    if (end || entry == END) break;
    end = is_unwanted(h, p, entry, &not, err);
    if (end || (h->others && not == END)) break;
    if (h->others) entry = not ;
    if (h->others || not != entry) out[(*n)++] = entry;
  }
  end_lists(p);
  return end;
}

int ask_hits_gather(struct ask_hits *h, int64_t number, size_t most, struct ck_err *err) {
  struct part *p = &h->parts[number];
  int64_t first = number * SEARCH_PART, last = first + SEARCH_PART - 1;
  if (first < h->first) first = h->first;
  if (last > h->last) last = h->last;
  size_t n = 0, room = most < SEARCH_PART ? most + 1 : SEARCH_PART;
  int64_t *hits = ck_alloc(room * sizeof *hits);
  int end = first > last ? 0 : gather(h, number, first, last, hits, room, &n, err);
  if (end >= 0 && n <= most) {
    p->gathered = ck_realloc(hits, (n + 1) * sizeof *hits);
    p->count = n;
  } else {
    free(hits);
  }
  return end;
}

const int64_t *ask_hits_gathered(const struct ask_hits *h, int64_t number, size_t *n) {
  *n = h->parts[number].count;
  return h->parts[number].gathered;
}

size_t ask_hits_before(const int64_t *hits, size_t n, int64_t entry) {
  size_t low = 0;
  while (low < n) {
    size_t middle = (low + n) / 2;
    if (hits[middle] < entry)
      low = middle + 1;
    else
      n = middle;
  }
  return low;
}

int ask_hits_of_block(struct ask_hits *h, int64_t first, int64_t last, int64_t *room,
                      const int64_t **hits, size_t *n, struct ck_err *err) {
  int64_t number = first / SEARCH_PART;
  struct part *p = &h->parts[number];
  bool whole = !p->gathered && (h->by_part || p->blocks++ == BLOCKS_ALONE);
  int end = whole ? ask_hits_gather(h, number, SEARCH_PART, err) : 0;
  *hits = room;
  *n = 0;
  if (end) return end;
  if (!p->gathered) return gather(h, number, first, last, room, SEARCH_BLOCK, n, err);
  size_t from = ask_hits_before(p->gathered, p->count, first);
  *hits = p->gathered + from;
  *n = ask_hits_before(p->gathered, p->count, last + 1) - from;
  return 0;
}
