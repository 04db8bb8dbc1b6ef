/* A batch: decoding it, its slices, its dead letters, and shrinking it while it waits (batch.h). */
#include "syncd/batches/batch.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static size_t bytes_of(const struct ck_row *row) {
  size_t bytes = 8; /* the version */
  for (int c = 0; c < ck_tables[row->table].mirrored; ++c)
    bytes += row->v[c].state == CK_TEXT ? row->v[c].as.s.n : 8;
  return bytes;
}

/* A change carries the whole record: a missing column would be cleared in the mirror. */
static int whole(const struct ck_row *row, struct ck_err *err) {
  const struct ck_table_info *info = &ck_tables[row->table];
  for (int c = 0; c < info->mirrored; ++c)
    if (row->v[c].state == CK_LEFT_OUT)
      return ck_fail(err, "%s.%s: is missing", info->name, info->fields[c].name);
  if (row->v[info->key].state != CK_TEXT)
    return ck_fail(err, "%s.%s: a key must be text", info->name, info->fields[info->key].name);
  return 0;
}

static int decode_row(struct sync_batch *b, struct ck_reader *r, struct sync_row *out,
                      struct ck_err *err) {
  if (ck_change_decode_bytes(r, &out->version, &out->row, &b->arena, err) || whole(&out->row, err))
    return -1;
  bool inside = out->version > b->after && out->version <= b->upto;
  if ((!inside && !ck_is_parent(out->row.table)) || out->version > INT64_MAX)
    return ck_fail(err, "version %llu is outside (%llu, %llu]", (unsigned long long)out->version,
                   (unsigned long long)b->after, (unsigned long long)b->upto);
  out->bytes = bytes_of(&out->row);
  return 0;
}

static int decode_rows(struct sync_batch *b, struct ck_str changes, struct ck_err *err) {
  struct ck_reader r = ck_reader_of(changes);
  uint32_t n;
  if (ck_read_array(&r, &n)) return ck_fail(err, "changes: must be an array");
  if (n > changes.n) return ck_fail(err, "changes: claims more than it holds");
  b->rows = ck_zalloc((n ? n : 1) * sizeof *b->rows);
  for (; b->n < n; ++b->n)
    if (decode_row(b, &r, &b->rows[b->n], err)) return ck_fail_in(err, "change %zu", b->n);
  return 0;
}

int sync_batch_decode(struct sync_batch *b, struct ck_str frame, struct ck_err *err) {
  struct ck_message m;
  *b = (struct sync_batch){0};
  if (ck_message_decode(&m, frame.s, frame.n, err)) return -1;
  if (m.kind != CK_MSG_BATCH)
    return ck_fail(err, "%s: a batch was expected", ck_message_name(m.kind));
  b->sink = ck_str_dup(m.as.batch.sink);
  b->generation = m.as.batch.generation;
  b->after = m.as.batch.after;
  b->upto = m.as.batch.upto;
  b->parents = m.as.batch.parents;
  if (b->upto < b->after) return ck_fail(err, "upto: is less than after");
  if (ck_mirror_witness_set(&b->witness, m.as.batch.store_id, m.as.batch.run, m.as.batch.before,
                            m.as.batch.least, b->upto, err))
    return -1;
  return decode_rows(b, m.as.batch.changes, err);
}

/* ---- its slices and dead letters ---- */

static void slice_delete(struct sync_slice *s) {
  sync_slice_free(s);
  free(s);
}

static void rows_free(struct sync_row *rows, size_t n) {
  for (size_t i = 0; i < n; ++i) free(rows[i].reason);
  free(rows);
}

void sync_batch_free(struct sync_batch *b) {
  for (struct sync_slice *s = b->slices, *next; s; s = next) {
    next = s->next;
    slice_delete(s);
  }
  rows_free(b->rows, b->n);
  ck_arena_free(&b->arena);
  ck_buf_free(&b->json);
  ck_buf_free(&b->frame);
  ck_buf_free(&b->dead_letters);
  free(b->sink);
  *b = (struct sync_batch){0};
}

enum sync_batch_state sync_batch_state(const struct sync_batch *b) {
  enum sync_batch_state state = SYNC_BATCH_BLOCKED;
  if (!b->slices) return SYNC_BATCH_ANSWERED;
  for (const struct sync_slice *s = b->slices; s; s = s->next) {
    if (!sync_slice_waits(s)) return SYNC_BATCH_ACTIVE;
    if (s->state == SYNC_SLICE_EARLY) state = SYNC_BATCH_PARKED;
  }
  return state;
}

struct sync_slice *sync_batch_insert(struct sync_batch *b, struct sync_slice *place,
                                     struct sync_slice slice) {
  struct sync_slice **at = place ? &place->next : &b->slices, *s = ck_alloc(sizeof *s);
  *s = slice;
  s->next = *at;
  *at = s;
  return s;
}

void sync_batch_remove(struct sync_batch *b, struct sync_slice *s, enum sync_class cause) {
  struct sync_slice **at = &b->slices;
  sync_slice_move(s, cause, SYNC_SLICE_GONE);
  while (*at != s) at = &(*at)->next;
  *at = s->next;
  slice_delete(s);
}

void sync_batch_dead_letter(struct sync_batch *b, const struct sync_row *r) {
  assert(r->state == SYNC_ROW_DEAD);
  struct ck_str key = ck_row_key(&r->row);
  struct ck_dead_letter letter = {r->row.table, ck_utf8_ok(key) ? key : CK_LIT("(not UTF-8)"),
                                  r->version, ck_str_of(r->reason ? r->reason : "")};
  ck_dead_letter_encode(&b->dead_letters, &letter);
  ++b->dead_letter_count;
}

/* ---- shrinking ---- */

static void row_copy(struct ck_arena *arena, struct sync_row *to, const struct sync_row *from) {
  *to = *from;
  to->reason = from->reason ? ck_strdup(from->reason) : NULL;
  to->json = ck_arena_copy(arena, from->json);
  for (int c = 0; c < ck_tables[from->row.table].mirrored; ++c)
    if (from->row.v[c].state == CK_TEXT)
      to->row.v[c].as.s = ck_arena_copy(arena, from->row.v[c].as.s);
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

/* The rows of all slices in order. *n: how many. The caller frees the array. */
static struct sync_row **rows_left(const struct sync_batch *b, size_t *n) {
  *n = 0;
  for (const struct sync_slice *s = b->slices; s; s = s->next) *n += s->n;
  struct sync_row **rows = ck_alloc(*n * sizeof *rows), **end = rows;
  for (const struct sync_slice *s = b->slices; s; s = s->next) {
    memcpy(end, s->rows, s->n * sizeof *rows);
    end += s->n;
  }
  return rows;
}

void sync_batch_shrink(struct sync_batch *b) {
  enum sync_batch_state state = sync_batch_state(b);
  if (!b->frame.cap || (state != SYNC_BATCH_PARKED && state != SYNC_BATCH_BLOCKED)) return;
  size_t n;
  struct sync_row **rows = rows_left(b, &n), *kept = sync_batch_keep(b, rows, n);
  free(rows);
  b->bytes = 0;
  for (struct sync_slice *s = b->slices; s; s = s->next)
    for (size_t i = 0; i < s->n; ++i, ++kept) {
      b->bytes += kept->bytes + kept->json.n + sizeof *kept;
      s->rows[i] = kept;
    }
  ck_buf_free(&b->frame);
}
