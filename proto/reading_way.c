/* Ways through a conversation: along a branch, and what leaves it; see reading.h. */
#include "proto/reading.h"

#include <stdlib.h>

static void turn(size_t *steps, size_t count) {
  for (size_t i = 0; i < count / 2; ++i) {
    size_t first = steps[i];
    steps[i] = steps[count - 1 - i];
    steps[count - 1 - i] = first;
  }
}

size_t ck_reading_along(const struct ck_reading *r, size_t branch, size_t **chosen) {
  size_t count = 0, upto = CK_NO_STEP, at, step_count, branch_count;
  const struct ck_step *steps = ck_reading_steps(r, &step_count);
  const struct ck_branch *branches = ck_reading_branches(r, &branch_count);
  *chosen = ck_alloc(step_count * sizeof **chosen);
  /* From the end: the branch's own steps, then those of the branch that it leaves, and so on. */
  for (size_t i = branch - 1;; i = steps[upto].branch - 1) {
    const struct ck_branch *b = &branches[i];
    at = upto == CK_NO_STEP ? b->first + b->count : upto + 1;
    while (at-- > b->first) (*chosen)[count++] = at;
    upto = b->after_step;
    if (upto == CK_NO_STEP) break;
  }
  turn(*chosen, count);
  return count;
}

static void add_leaving(struct ck_leaving *l, size_t step, size_t branch) {
  l->next[branch - 1] = l->first[step];
  l->first[step] = branch;
}

void ck_leaving_find(struct ck_leaving *l, const struct ck_reading *r, const size_t *way,
                     size_t count) {
  size_t step_count, branch_count;
  const struct ck_step *steps = ck_reading_steps(r, &step_count);
  const struct ck_branch *branches = ck_reading_branches(r, &branch_count);
  bool *on_way = ck_zalloc((branch_count + 1) * sizeof *on_way);
  l->first = ck_zalloc((step_count + 1) * sizeof *l->first);
  l->next = ck_zalloc((branch_count + 1) * sizeof *l->next);
  for (size_t i = 0; i < count; ++i) on_way[steps[way[i]].branch - 1] = true;
  for (size_t n = branch_count; n > 0; --n) {
    size_t after = branches[n - 1].after_step;
    if (!on_way[n - 1]) add_leaving(l, after == CK_NO_STEP ? step_count : after, n);
  }
  for (size_t i = 1; i < count; ++i) {
    size_t left = steps[way[i - 1]].branch;
    const struct ck_branch *b = &branches[left - 1];
    if (steps[way[i]].branch != left && way[i - 1] + 1 < b->first + b->count)
      add_leaving(l, way[i - 1], left);
  }
  free(on_way);
}

void ck_leaving_free(struct ck_leaving *l) {
  free(l->first);
  free(l->next);
  *l = (struct ck_leaving){0};
}
