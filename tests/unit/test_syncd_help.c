/* Batches for the tests of syncd (test_syncd_help.h). */
#include "tests/unit/test_syncd_help.h"

#include <criterion/criterion.h>
#include <stdio.h>

struct ck_row help_row(enum ck_table t, const char *key) {
  const struct ck_table_info *info = &ck_tables[t];
  struct ck_row row = {.table = t};
  for (int c = 0; c < info->mirrored; ++c) {
    const struct ck_field *f = &info->fields[c];
    if (f->flags & CK_KEY)
      row.v[c] = ck_textz(key);
    else if (f->flags & CK_OPTIONAL)
      row.v[c] = ck_null();
    else
      row.v[c] = ck_kind_is_int(f->kind) ? ck_int(1) : ck_textz("x");
  }
  return row;
}

void help_open(struct help_batch *h) {
  *h = (struct help_batch){0};
  h->opened = ck_open_array(&h->changes);
}

void help_add(struct help_batch *h, uint64_t version, const struct ck_row *row) {
  ck_change_encode(&h->changes, version, row);
  ++h->n;
}

struct ck_str help_close(struct help_batch *h, const char *sink, uint64_t generation,
                         uint64_t after, uint64_t upto) {
  struct ck_message m = {.kind = CK_MSG_BATCH};
  ck_close_array(&h->changes, h->opened, h->n);
  m.as.batch = (struct ck_batch){.store_id = CK_LIT("store"),
                                 .sink = ck_str_of(sink),
                                 .generation = generation,
                                 .after = after,
                                 .upto = upto,
                                 .changes = ck_buf_view(&h->changes),
                                 .parents = h->parents};
  ck_message_encode(&h->frame, &m);
  return ck_buf_view(&h->frame);
}

void help_free(struct help_batch *h) {
  ck_buf_free(&h->changes);
  ck_buf_free(&h->frame);
}

void help_messages(struct help_batch *h, struct sync_batch *b, uint64_t first, size_t n) {
  struct ck_err err = {{0}};
  help_open(h);
  for (size_t i = 0; i < n; ++i) {
    char key[32];
    snprintf(key, sizeof key, "m%zu", i + 1);
    struct ck_row row = help_row(CK_MESSAGES, key);
    help_add(h, first + i, &row);
  }
  struct ck_str frame = help_close(h, "sqlite", 1, first - 1, first - 1 + n);
  cr_assert_eq(sync_batch_decode(b, frame, &err), 0, "%s", err.text);
}
