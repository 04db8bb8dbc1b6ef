/* The filter into its tables: sweeps, new layers, and building it if there was none. */
#include <stdlib.h>

#include "store/keys/filter_internal.h"

/* One commit stores at most so many parts: 256 KiB. */
#define PARTS_PER_COMMIT 4

/* ---- rows ---- */

/* Each of these statements changes one row. */
static int run(struct filter *f, int which, struct ck_err *err) {
  sqlite3_stmt *s = f->stmt[which];
  int rc = sqlite3_step(s) == SQLITE_DONE ? 0 : db_fail(f->db, "message_keys_filter", err);
  sqlite3_reset(s);
  if (rc == 0 && sqlite3_changes(f->db) != 1)
    rc = ck_fail(err, "message_keys_filter: a row to update is missing");
  return rc;
}

/* which: NEW_PART or WRITE_PART. */
static int write_part(struct filter *f, int which, int layer, int64_t part, struct ck_err *err) {
  const struct filter_layer *l = &f->layer[layer];
  const unsigned char *bits = l->bits + (size_t)part * l->part_bytes;
  sqlite3_bind_int64(f->stmt[which], 1, filter_part_key(layer, part));
  sqlite3_bind_blob64(f->stmt[which], 2, bits, l->part_bytes, SQLITE_STATIC);
  return run(f, which, err);
}

static int write_new_layer(struct filter *f, int layer, struct ck_err *err) {
  const struct filter_layer *l = &f->layer[layer];
  const int64_t values[] = {layer, l->ids, l->parts, (int64_t)l->part_bytes};
  for (int i = 0; i < 4; ++i) sqlite3_bind_int64(f->stmt[NEW_LAYER], i + 1, values[i]);
  if (run(f, NEW_LAYER, err)) return -1;
  for (int64_t p = 0; p < l->parts; ++p)
    if (write_part(f, NEW_PART, layer, p, err)) return -1;
  return 0;
}

static int write_ids(struct filter *f, int layer, struct ck_err *err) {
  sqlite3_bind_int64(f->stmt[WRITE_IDS], 1, layer);
  sqlite3_bind_int64(f->stmt[WRITE_IDS], 2, f->layer[layer].ids);
  return run(f, WRITE_IDS, err);
}

static int write_sweep(struct filter *f, struct ck_err *err) {
  const struct filter_sweep *w = &f->sweep;
  sqlite3_bind_int64(f->stmt[WRITE_SWEEP], 1, filter_part_key(w->layer, w->part));
  sqlite3_bind_int64(f->stmt[WRITE_SWEEP], 2, (sqlite3_int64)w->started_version);
  sqlite3_bind_int64(f->stmt[WRITE_SWEEP], 3, (sqlite3_int64)w->stored_version);
  return run(f, WRITE_SWEEP, err);
}

/* ---- sweeps ---- */

/* A rolled-back transaction may have left the next layer in memory. */
static int begin_next_layer(struct filter *f, struct ck_err *err) {
  int next = f->sweep.layer + 1;
  if (f->layers == next) {
    if (!filter_has_room(f)) return 0;
    filter_layer_next(f, 0);
  }
  f->sweep.newest = next;
  return write_new_layer(f, next, err);
}

/* The layer's parts now hold all that was written when the sweep began. If the layer is closing, no
 * id has come to it since, so it is closed now, and the next sweep stores the newest layer, of
 * which nothing is stored yet. */
static int end_sweep(struct filter *f, uint64_t head, struct ck_err *err) {
  struct filter_sweep *w = &f->sweep;
  w->stored_version = w->started_version;
  w->started_version = head;
  w->part = 0;
  if (write_ids(f, w->layer, err)) return -1;
  bool closing = w->newest != w->layer;
  if (closing) w->layer = w->newest;
  return !closing && filter_layer_full(&f->layer[w->layer]) ? begin_next_layer(f, err) : 0;
}

static int store_part(struct filter *f, uint64_t head, struct ck_err *err) {
  struct filter_sweep *w = &f->sweep;
  if (write_part(f, WRITE_PART, w->layer, w->part, err)) return -1;
  return ++w->part == f->layer[w->layer].parts ? end_sweep(f, head, err) : 0;
}

int filter_store(struct filter *f, uint64_t head, int64_t sweep_ids, struct ck_err *err) {
  if (!filter_exists(f)) return 0;
  int stored = 0;
  for (; stored < PARTS_PER_COMMIT; ++stored) {
    int64_t share = sweep_ids / f->layer[f->sweep.layer].parts, price = share > 0 ? share : 1;
    if (f->sweep.credit < price) break;
    f->sweep.credit -= price;
    if (store_part(f, head, err)) return -1;
  }
  if (stored && write_sweep(f, err)) return -1;
  return filter_load_some(f, err);
}

/* ---- building ---- */

static int last_layer(struct filter *f, int64_t *last, struct ck_err *err) {
  if (db_int(f->db,
             "SELECT max((SELECT coalesce(max(layer), 0) FROM message_keys_sorted),"
             " (SELECT coalesce(max(layer), 0) FROM message_keys_new))",
             0, last, err))
    return -1;
  if (*last >= 0 && *last < LAYERS_MAX) return 0;
  return ck_fail(err, "message_keys_sorted: layer %lld is out of range", (long long)*last);
}

/* Begins as many layers as the tables have, each large enough for its ids. */
static int begin_layers(struct filter *f, struct ck_err *err) {
  int64_t last;
  if (last_layer(f, &last, err)) return -1;
  for (int64_t i = 0, ids; i <= last; ++i) {
    char *sql =
        ck_sprintf("SELECT count(*) FROM message_keys_sorted WHERE layer = %lld", (long long)i);
    int rc = db_int(f->db, sql, 0, &ids, err);
    free(sql);
    if (rc) return -1;
    filter_layer_next(f, ids);
  }
  return 0;
}

int filter_build(struct filter *f, struct ck_err *err) {
  int64_t head;
  if (db_exec(f->db, "DELETE FROM message_keys_filter; DELETE FROM message_keys_layers", err) ||
      db_int(f->db, "SELECT max(version) FROM messages", 0, &head, err))
    return -1;
  while (f->layers) free(f->layer[--f->layers].bits);
  const char *all = FILTER_SORTED " UNION ALL SELECT layer, id FROM temp.message_keys_memory";
  if (begin_layers(f, err) || filter_add_all(f, all, 0, err)) return -1;
  for (int i = 0; i < f->layers; ++i)
    if (write_new_layer(f, i, err)) return -1;
  f->sweep = (struct filter_sweep){.layer = f->layers - 1,
                                   .newest = f->layers - 1,
                                   .started_version = (uint64_t)head,
                                   .stored_version = (uint64_t)head};
  f->load_layer = f->load_end = 0;
  return write_sweep(f, err);
}
