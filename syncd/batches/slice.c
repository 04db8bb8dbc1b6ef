/* Rows and slices, and the moves of the table in slice.h as data. */
#include "syncd/batches/slice.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* ---- rows ---- */

void sync_row_mark(struct sync_row *r, enum sync_row_state state, const char *reason) {
  free(r->reason);
  r->reason = reason ? ck_strdup(reason) : NULL;
  r->state = state;
}

/* ---- slices ---- */

struct sync_slice sync_slice_from(struct sync_row *const *rows, size_t n) {
  struct sync_slice s = {.rows = ck_alloc(n * sizeof *s.rows), .n = n};
  memcpy(s.rows, rows, n * sizeof *s.rows);
  return s;
}

void sync_slice_free(struct sync_slice *s) {
  free(s->rows);
  *s = (struct sync_slice){0};
}

/* A slice in the state of s, with these rows. */
static struct sync_slice like(const struct sync_slice *s, struct sync_row **rows, size_t n) {
  struct sync_slice copy = *s;
  copy.rows = rows;
  copy.n = n;
  copy.next = NULL;
  return copy;
}

struct sync_slice sync_slice_halve(struct sync_slice *s, size_t n) {
  struct sync_slice rest = sync_slice_from(s->rows + n, s->n - n);
  rest = like(s, rest.rows, rest.n);
  s->n = n;
  return rest;
}

size_t sync_slice_same_table(const struct sync_slice *s) {
  size_t n = 1;
  while (n < s->n && s->rows[n]->row.table == s->rows[0]->row.table) ++n;
  return n;
}

struct sync_slice sync_slice_of(const struct sync_slice *s, enum sync_row_state state) {
  struct sync_slice picked = like(s, NULL, 0);
  for (size_t i = 0; i < s->n; ++i) {
    if (s->rows[i]->state != state) continue;
    if (!picked.rows) picked.rows = ck_alloc((s->n - i) * sizeof *picked.rows);
    picked.rows[picked.n++] = s->rows[i];
  }
  return picked;
}

/* ---- states ---- */

#define READY (1u << SYNC_SLICE_READY)
#define SUSPECT (1u << SYNC_SLICE_SUSPECT)
#define EARLY (1u << SYNC_SLICE_EARLY)
#define PAUSED (1u << SYNC_SLICE_PAUSED)
#define STUCK (1u << SYNC_SLICE_STUCK)
#define GONE (1u << SYNC_SLICE_GONE)
#define FROM_ANY(to) \
  { (to), (to), (to), (to), (to), 0 }

/* The states a slice may move to: [class of the answer][its state]. A class without an entry moves
 * nothing. */
static const unsigned moves[SYNC_CLASSES][SYNC_SLICE_STATES] = {
    [SYNC_DONE] = {EARLY | GONE, EARLY | GONE, EARLY | GONE, READY | EARLY | GONE, EARLY | GONE, 0},
    [SYNC_UNKNOWN] = FROM_ANY(STUCK),
    [SYNC_NOT_APPLIED] = FROM_ANY(STUCK),
    [SYNC_SPLIT] = FROM_ANY(STUCK),
    [SYNC_TABLE] = FROM_ANY(PAUSED),
    [SYNC_EARLY] = FROM_ANY(EARLY | GONE),
    [SYNC_ROW] = {SUSPECT | GONE, GONE, GONE, GONE, GONE, 0},
    [SYNC_ODD] = FROM_ANY(STUCK),
};

void sync_slice_move(struct sync_slice *s, enum sync_class cause, enum sync_slice_state to) {
  assert(moves[cause][s->state] & (1u << to));
  s->state = to;
}

bool sync_slice_waits(const struct sync_slice *s) {
  return s->state == SYNC_SLICE_EARLY || s->state == SYNC_SLICE_PAUSED ||
         s->state == SYNC_SLICE_STUCK;
}
