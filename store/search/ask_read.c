/* What the texts of what was found have to be read for: whether they have a term as it stands
 * there, which FTS5 does not know of loose ones; and how well they fit. The newest are read first,
 * and no more than is needed. */
#include <stdlib.h>

#include "proto/clock.h"
#include "store/search/ask_internal.h"
#include "store/search/index.h"
#include "store/search/marks.h"

/* So many are picked at once. */
#define ROUND 2000
/* So long are texts read that are only counted; see COUNT_US of ask_pick.c. */
#define COUNT_US 25000
/* How many are ranked: the newest. */
#define RANK_MAX 3000

static bool is_over(const struct ask_reading *r) { return r->is_over(r->self); }

/* The first `most` after `after`, in their order. at[] is the caller's to free. */
static int pick(const struct ask_reading *r, struct ask_pick *p, size_t most,
                const struct ask_entry *after, struct ck_err *err) {
  struct ask_entry *at = p->at ? p->at : ck_alloc(most * sizeof *at);
  *p = (struct ask_pick){.at = at, .most = most, .after = *after};
  if (ask_pick_newest(p, r->index, r->chosen, r->filter, err)) return -1;
  ask_pick_sort(p);
  return 0;
}

/* ---- the newest ---- */

struct newest {
  const struct ask_reading *r;
  struct ask_check check;
  struct ask_pick *p, round;
  int64_t began;
};

static bool is_full(const struct newest *n) { return n->p->count == n->p->most; }

/* Enough is found, and to count the others would take long. */
static bool is_enough(const struct newest *n) {
  return is_full(n) && (n->round.left || ck_thread_us() - n->began >= COUNT_US);
}

/* 1: it is wanted; 0; -1. */
static int look(struct newest *n, const struct ask_entry *e, struct ck_err *err) {
  struct ck_str texts[SEARCH_COLUMNS];
  int rc = ask_texts_read(n->r->texts, e, n->check.tool, texts, err);
  return rc > 0 ? ask_check_ok(&n->check, texts) : rc;
}

/* *upto: the last one that was looked at. 0; 1: not all were, since it is enough, or the time is
 * over; -1. */
static int look_at_round(struct newest *n, struct ask_entry *upto, struct ck_err *err) {
  for (size_t i = 0; i < n->round.count; ++i) {
    const struct ask_entry *e = &n->round.at[i];
    if (is_enough(n) || is_over(n->r)) return 1;
    int rc = look(n, e, err);
    if (rc < 0) return is_over(n->r) ? 1 : -1;
    if (rc > 0) ask_pick_add(n->p, e);
    *upto = *e;
  }
  return 0;
}

int ask_read_newest(struct ask_pick *p, const struct ask_reading *r, struct ask_entry *upto,
                    struct ck_err *err) {
  struct newest n = {.r = r, .p = p, .began = ck_thread_us()};
  struct ask_entry last = p->after;
  int rc;
  ask_check_make(&n.check, r->query, r->chosen->loose);
  do {
    rc = pick(r, &n.round, ROUND, &last, err) ? -1 : look_at_round(&n, &last, err);
  } while (rc == 0 && n.round.left && n.round.count && !is_full(&n) && !is_over(r));
  if (rc > 0 || n.round.left) p->more = p->left = true;
  bool none = last.entry == p->after.entry;
  if (p->left && !is_full(&n) && !none) *upto = last;
  if (none && is_over(r) && p->left) ask_pick_cut(p);
  ask_check_free(&n.check);
  free(n.round.at);
  return rc < 0 ? -1 : 0;
}

/* ---- the best ---- */

/* As bm25 does it: a rare word counts more; one that comes often too, but each time less; in a long
 * text less than in a short one; and most in a title, least if a tool said it. */
#define OFTEN 1.2
#define LENGTH 0.75
#define USUAL_BYTES 1000
#define UNIT 1e9 /* of a score of 1 */
/* How rare a word is, is counted in one part, up to so many. */
#define COMMON 5000
static const double weights[SEARCH_COLUMNS] = {
    [SEARCH_TEXT] = 1.0, [SEARCH_TITLE] = 4.0, [SEARCH_TOOL] = 0.5};

struct scoring {
  double weight, times[SEARCH_TERMS_MAX];
};

static bool count(void *self, const struct search_mark *mark) {
  struct scoring *s = self;
  s->times[mark->term] += s->weight;
  return true;
}

/* The number of a term's hits in the newest full part; 0: it is not wanted among entries. */
static int count_hits(const struct ask_reading *r, size_t term, size_t *n, struct ck_err *err) {
  struct search_query one = {.terms = {r->query->terms[term]}, .term_count = 1};
  struct search_chosen c;
  struct ask_hits *h = NULL;
  *n = 0;
  search_query_entries(&one, &c);
  bool asks = c.choice == SEARCH_CHOICE_THOSE;
  int rc = asks ? ask_hits_open(&h, r->index, &c, 0, INT64_MAX, err) : 0;
  int64_t parts = h ? ask_hits_parts(h) : 0, part = parts > 1 ? parts - 2 : 0;
  if (rc == 0 && parts) {
    rc = ask_hits_gather(h, part, COMMON, err) < 0 ? -1 : 0;
    if (!ask_hits_gathered(h, part, n)) *n = COMMON;
  }
  ask_hits_close(&h);
  search_chosen_free(&c);
  return rc;
}

/* What a term counts; of a single one it does not matter. */
static int weigh(const struct ask_reading *r, double rare[SEARCH_TERMS_MAX], struct ck_err *err) {
  bool single = r->query->term_count == 1;
  size_t n = 0;
  for (size_t i = 0; i < r->query->term_count; ++i) {
    if (!single && !is_over(r) && count_hits(r, i, &n, err)) return -1;
    rare[i] = 64 - __builtin_clzll(1 + SEARCH_PART / (n + 1)); /* the logarithm, nearly */
  }
  return 0;
}

static double score(const struct search_marks *m, const double rare[SEARCH_TERMS_MAX],
                    const struct ck_str texts[SEARCH_COLUMNS]) {
  struct scoring s = {0};
  double bytes = 0, sum = 0;
  for (int c = 0; c < SEARCH_COLUMNS; ++c) {
    s.weight = weights[c];
    bytes += (double)texts[c].n;
    search_marks_find(m, texts[c], (enum search_column)c, count, &s);
  }
  double part = OFTEN * (1 - LENGTH + LENGTH * bytes / USUAL_BYTES);
  for (size_t i = 0; i < SEARCH_TERMS_MAX; ++i) sum += rare[i] * s.times[i] / (s.times[i] + part);
  return sum;
}

/* Reads the entry and adds it with its score, if it is wanted. */
static int take(struct ask_pick *p, const struct ask_reading *r, const struct ask_check *check,
                const struct search_marks *marks, const double rare[SEARCH_TERMS_MAX],
                struct ask_entry e, struct ck_err *err) {
  struct ck_str texts[SEARCH_COLUMNS];
  bool tool = search_marks_wanted(marks, SEARCH_TOOL) > 0;
  int rc = ask_texts_read(r->texts, &e, tool || check->tool, texts, err);
  if (rc <= 0) return rc;
  if (r->chosen->loose && !ask_check_ok(check, texts)) return 0;
  e.key = (int64_t)(score(marks, rare, texts) * UNIT);
  ask_pick_add(p, &e);
  return 0;
}

int ask_read_best(struct ask_pick *p, const struct ask_reading *r, struct ck_err *err) {
  struct ask_pick newest = {0};
  struct ask_check check;
  const struct ask_entry first = {.key = INT64_MAX, .entry = INT64_MAX};
  struct search_marks *marks = search_marks_new(r->query);
  double rare[SEARCH_TERMS_MAX] = {0};
  size_t i = 0;
  ask_check_make(&check, r->query, r->chosen->loose);
  int rc = weigh(r, rare, err) || pick(r, &newest, RANK_MAX, &first, err) ? -1 : 0;
  for (; i < newest.count && rc == 0 && !is_over(r); ++i)
    rc = take(p, r, &check, marks, rare, newest.at[i], err);
  if (i < newest.count || newest.cut) ask_pick_cut(p);
  if (newest.left) p->more = true;
  ask_check_free(&check);
  search_marks_free(&marks);
  free(newest.at);
  return rc;
}
