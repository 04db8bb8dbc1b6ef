/* Rows as JSON, which `convkeep import` takes again (ingest/sources/convkeep.c); see render.h. */
#include "proto/render/inner.h"

#include <stdlib.h>

#include "proto/ages.h"

/* The store's own, which mean nothing elsewhere: the original is a row of this store's, and what is
 * imported is not live. */
static bool is_left_out(enum ck_table t, int c) {
  return (t == CK_MESSAGES && (c == CK_MESSAGES_ORIGINAL || c == CK_MESSAGES_LIVE)) ||
         (t == CK_EXECUTIONS && c == CK_EXECUTIONS_ORIGINAL);
}

/* Without that of the original. */
static void put_ages(struct ck_buf *b, const struct ck_row *row) {
  struct ck_row kept = *row;
  int64_t ages[CK_COLUMNS_MAX];
  char out[CK_AGES_BYTES];
  for (int c = 0; c < ck_tables[row->table].columns; ++c)
    if (is_left_out(row->table, c)) kept.v[c] = ck_null();
  ck_ages_read(ages, &kept);
  ck_buf_json_str(b, ck_ages_write(out, &kept, ages));
}

static void put_details(struct ck_buf *b, struct ck_str text) {
  json_t *details = json_loadb(text.s, text.n, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
  char *dumped = details ? json_dumps(details, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
  if (dumped)
    ck_buf_text(b, dumped);
  else
    ck_buf_json_str(b, text);
  free(dumped);
  json_decref(details);
}

static void put_value(struct ck_buf *b, const struct ck_row *row, int c) {
  const struct ck_table_info *info = &ck_tables[row->table];
  const struct ck_value *v = &row->v[c];
  if (v->state == CK_INT)
    ck_buf_printf(b, "%lld", (long long)v->as.i);
  else if (c == info->ages)
    put_ages(b, row);
  else if (strcmp(info->fields[c].name, "details") == 0)
    put_details(b, v->as.s);
  else
    ck_buf_json_str(b, v->as.s);
}

void render_json_record(struct ck_buf *b, const struct ck_row *row) {
  const struct ck_table_info *info = &ck_tables[row->table];
  const char *comma = "{";
  for (int c = 0; c < info->columns; ++c) {
    if ((row->v[c].state != CK_INT && row->v[c].state != CK_TEXT) || is_left_out(row->table, c))
      continue;
    ck_buf_printf(b, "%s\"%s\":", comma, info->fields[c].name);
    put_value(b, row, c);
    comma = ",";
  }
  ck_buf_text(b, *comma == '{' ? "{}" : "}");
}

void render_json_message(struct ck_buf *b, const struct ck_row *row,
                         const struct ck_row *executions, size_t count) {
  render_json_record(b, row);
  if (count == 0) return;
  b->len--; /* the brace */
  for (size_t i = 0; i < count; ++i) {
    ck_buf_text(b, i ? "," : ",\"executions\":[");
    render_json_record(b, &executions[i]);
  }
  ck_buf_text(b, "]}");
}

static int by_key(const void *x, const void *y) {
  const struct ck_row *const *a = x, *const *b = y;
  return ck_str_order(ck_row_key(*a), ck_row_key(*b));
}

void render_json_rows(struct ck_buf *b, const char *name, const struct ck_row *rows, size_t count) {
  const struct ck_row **sorted = ck_alloc(count * sizeof(const struct ck_row *));
  for (size_t i = 0; i < count; ++i) sorted[i] = &rows[i];
  qsort(sorted, count, sizeof *sorted, by_key);
  ck_buf_printf(b, ",\n\"%s\":[", name);
  for (size_t i = 0; i < count; ++i) {
    if (i) ck_buf_text(b, ",");
    render_json_record(b, sorted[i]);
  }
  ck_buf_text(b, "]");
  free(sorted);
}
