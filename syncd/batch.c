#include "syncd/batch.h"

#include <stdlib.h>
#include <string.h>

#include "proto/mirror.h"

void sync_row_mark(struct sync_row *r, enum sync_row_state state, const char *reason) {
  free(r->reason);
  r->reason = reason ? ck_strdup(reason) : NULL;
  r->state = state;
}

static size_t bytes_of(const struct ck_row *row) {
  size_t bytes = 8; /* the version */
  for (int c = 0; c < ck_tables[row->table].columns; ++c) bytes += row->v[c].state == CK_TEXT ? row->v[c].as.s.n : 8;
  return bytes;
}

/* A change carries the whole record: a column that is not there would be cleared in the mirror. */
static int whole(const struct ck_row *row, struct ck_err *err) {
  const struct ck_table_info *info = &ck_tables[row->table];
  for (int c = 0; c < info->columns; ++c)
    if (row->v[c].state == CK_LEFT_OUT) return ck_fail(err, "%s.%s: is missing", info->name, info->fields[c].name);
  if (row->v[info->key].state != CK_TEXT) return ck_fail(err, "%s.%s: a key must be text", info->name, info->fields[info->key].name);
  return 0;
}

static int decode_row(struct sync_batch *b, struct ck_reader *r, struct sync_row *out, struct ck_err *err) {
  if (ck_change_decode_bytes(r, &out->version, &out->row, &b->arena, err) || whole(&out->row, err)) return -1;
  bool inside = out->version > b->after && out->version <= b->upto;
  if ((!inside && !ck_mirror_is_parent(out->row.table)) || out->version > INT64_MAX)
    return ck_fail(err, "version %llu is out of (%llu, %llu]", (unsigned long long)out->version, (unsigned long long)b->after, (unsigned long long)b->upto);
  out->bytes = bytes_of(&out->row);
  return 0;
}

static int decode_rows(struct sync_batch *b, struct ck_str changes, struct ck_err *err) {
  struct ck_reader r = ck_reader_of(changes);
  uint32_t n;
  if (ck_read_array(&r, &n)) return ck_fail(err, "changes: must be an array");
  if (n > changes.n) return ck_fail(err, "changes: counts more than it holds");
  b->rows = ck_zalloc((n ? n : 1) * sizeof *b->rows);
  for (; b->n < n; ++b->n)
    if (decode_row(b, &r, &b->rows[b->n], err)) return ck_fail_in(err, "change %zu", b->n);
  return 0;
}

int sync_batch_decode(struct sync_batch *b, struct ck_str frame, struct ck_err *err) {
  struct ck_message m;
  *b = (struct sync_batch){0};
  if (ck_message_decode(&m, frame.s, frame.n, err)) return -1;
  if (m.kind != CK_MSG_BATCH) return ck_fail(err, "%s: a batch is wanted", ck_message_name(m.kind));
  b->sink = ck_str_dup(m.as.batch.sink);
  b->generation = m.as.batch.generation;
  b->after = m.as.batch.after;
  b->upto = m.as.batch.upto;
  b->parents = m.as.batch.parents;
  if (b->upto < b->after) return ck_fail(err, "upto: is before after");
  return decode_rows(b, m.as.batch.changes, err);
}

static void rows_free(struct sync_row *rows, size_t n) {
  for (size_t i = 0; i < n; ++i) free(rows[i].reason);
  free(rows);
}

void sync_batch_free(struct sync_batch *b) {
  rows_free(b->rows, b->n);
  ck_arena_free(&b->arena);
  ck_buf_free(&b->json);
  free(b->sink);
  *b = (struct sync_batch){0};
}

static void row_copy(struct ck_arena *arena, struct sync_row *to, const struct sync_row *from) {
  *to = *from;
  to->reason = from->reason ? ck_strdup(from->reason) : NULL;
  to->json = ck_arena_copy(arena, from->json);
  for (int c = 0; c < ck_tables[from->row.table].columns; ++c)
    if (from->row.v[c].state == CK_TEXT) to->row.v[c].as.s = ck_arena_copy(arena, from->row.v[c].as.s);
}

struct sync_row *sync_batch_keep(struct sync_batch *b, struct sync_row *const *rows, size_t n) {
  struct ck_arena arena = {0};
  struct sync_row *copies = ck_zalloc((n ? n : 1) * sizeof *copies);
  for (size_t i = 0; i < n; ++i) row_copy(&arena, &copies[i], rows[i]);
  rows_free(b->rows, b->n);
  ck_arena_free(&b->arena);
  ck_buf_free(&b->json);
  b->arena = arena;
  b->rows = copies;
  b->n = n;
  return copies;
}
