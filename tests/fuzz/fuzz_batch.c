/* Any bytes as a batch of changes: refused whole, or cut into requests that are JSON and hold each
 * row once, or set it aside with a reason. */
#include "syncd/batches/plan.h"

#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static size_t send(const struct sync_slice *slice, const struct sync_limits *limits) {
  struct sync_statement statements[SYNC_STATEMENTS_MAX];
  struct ck_buf body = {0};
  json_error_t err;
  sync_plan_body(&body, slice, statements, sync_statements(slice, limits, statements));
  json_t *tree = json_loadb(body.data, body.len, 0, &err);
  if (!tree) abort();
  json_decref(tree);
  ck_buf_free(&body);
  return slice->n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  static const struct sync_limits limits = {.text = 200, .row = 400, .param = 600, .json = true};
  struct sync_batch b = {0};
  struct ck_err err;
  if (sync_batch_decode(&b, (struct ck_str){(const char *)data, n}, &err) == 0) {
    struct sync_slices slices = {0};
    size_t rows = 0;
    sync_plan(&b, &limits, &slices);
    for (size_t i = 0; i < slices.n; ++i) rows += send(&slices.at[i], &limits);
    for (size_t i = 0; i < b.n; ++i) {
      if (b.rows[i].state == SYNC_ROW_DEAD && !b.rows[i].reason) abort();
      rows += b.rows[i].state == SYNC_ROW_DEAD;
    }
    if (rows != b.n) abort();
    sync_slices_free(&slices);
  }
  sync_batch_free(&b);
  return 0;
}
