/* Lists of ranges and of rows (verify.h). */
#include "syncd/tasks/verify.h"

#include <stdlib.h>
#include <string.h>

void verify_range_add(struct verify_ranges *s, struct ck_str after, struct ck_str upto,
                      uint64_t rows, size_t longest) {
  if (s->n == s->cap) {
    s->cap = s->cap ? s->cap * 2 : 64;
    s->at = ck_realloc(s->at, s->cap * sizeof *s->at);
  }
  s->at[s->n++] =
      (struct verify_range){ck_arena_copy(&s->arena, after), ck_arena_copy(&s->arena, upto), rows};
  s->rows += rows;
  s->bytes += after.n + upto.n;
  if (longest > s->longest) s->longest = longest;
}

void verify_ranges_clear(struct verify_ranges *s) {
  ck_arena_reset(&s->arena);
  s->n = s->longest = s->bytes = 0;
  s->rows = 0;
}

void verify_ranges_free(struct verify_ranges *s) {
  ck_arena_free(&s->arena);
  free(s->at);
  *s = (struct verify_ranges){0};
}

void verify_row_add(struct verify_rows *r, enum ck_table t, struct ck_str key, int64_t version) {
  if (r->n == r->cap) {
    r->cap = r->cap ? r->cap * 2 : 64;
    r->at = ck_realloc(r->at, r->cap * sizeof *r->at);
  }
  r->at[r->n++] = (struct verify_row){t, ck_arena_copy(&r->arena, key), version};
}

void verify_rows_free(struct verify_rows *r) {
  ck_arena_free(&r->arena);
  free(r->at);
  *r = (struct verify_rows){0};
}
