/* The filter from its tables: what a start loads at once, and what it loads later. */
#include <stdlib.h>

#include "store/keys/bloom.h"
#include "store/keys/filter_internal.h"

#define FIRST_LAYER 131072 /* ids; 256 KiB */
/* One commit loads this share of the largest filter, 16 MiB: until a layer is loaded every new id
 * is looked up in it, which costs more than one longer commit. */
#define LOAD_COMMITS 4

static const char *const statements[] = {
#define FILTER_SQL(NAME, sql) sql,
    FILTER_LIST(FILTER_SQL)
#undef FILTER_SQL
};

/* ---- parts ---- */

/* Keeps the bits in memory: ids may have been added before the part was loaded. */
static int add_bits(struct filter_layer *l, int64_t part, sqlite3_stmt *s) {
  size_t n = (size_t)sqlite3_column_bytes(s, 0);
  const unsigned char *from = sqlite3_column_blob(s, 0);
  unsigned char *to = l->bits + (size_t)part * l->part_bytes;
  if (!from || n != l->part_bytes) return -1;
  for (size_t i = 0; i < n; ++i) to[i] |= from[i];
  return 0;
}

int filter_load_part(struct filter *f, int layer, int64_t part, struct ck_err *err) {
  sqlite3_stmt *s = f->stmt[READ_PART];
  sqlite3_bind_int64(s, 1, filter_part_key(layer, part));
  int rc = sqlite3_step(s), bad = 0;
  if (rc != SQLITE_ROW && rc != SQLITE_DONE)
    bad = db_fail(f->db, "message_keys_filter", err);
  else if (rc == SQLITE_DONE || add_bits(&f->layer[layer], part, s))
    bad = ck_fail(err, "message_keys_filter: part %lld of layer %d is missing", (long long)part,
                  layer);
  sqlite3_reset(s);
  return bad;
}

static int load_layer(struct filter *f, int layer, struct ck_err *err) {
  for (int64_t p = 0; p < f->layer[layer].parts; ++p)
    if (filter_load_part(f, layer, p, err)) return -1;
  return 0;
}

int filter_load_some(struct filter *f, struct ck_err *err) {
  size_t most = filter_bytes_max(f) / LOAD_COMMITS;
  for (size_t n = 0; n < most && f->load_layer < f->load_end;) {
    if (filter_load_part(f, f->load_layer, f->load_part, err)) return -1;
    n += f->layer[f->load_layer].part_bytes;
    if (++f->load_part < f->layer[f->load_layer].parts) continue;
    ++f->load_layer;
    f->load_part = 0;
  }
  return 0;
}

/* ---- opening ---- */

static bool is_sound(int64_t parts, int64_t part_bytes) {
  return parts >= 1 && parts <= UINT16_MAX && part_bytes >= (int64_t)BLOOM_BLOCK &&
         part_bytes <= PART_BYTES && part_bytes % BLOOM_BLOCK == 0;
}

static int open_layers(struct filter *f, struct ck_err *err) {
  sqlite3_stmt *s = db_prepare(
      f->db, "SELECT ids, parts, part_bytes FROM message_keys_layers ORDER BY layer", err);
  if (!s) return -1;
  int rc;
  while ((rc = sqlite3_step(s)) == SQLITE_ROW && f->layers < LAYERS_MAX) {
    int64_t parts = sqlite3_column_int64(s, 1), part_bytes = sqlite3_column_int64(s, 2);
    if (!is_sound(parts, part_bytes)) break;
    filter_layer_begin(f, (size_t)part_bytes, parts, sqlite3_column_int64(s, 0));
  }
  int bad = 0;
  if (rc == SQLITE_ROW)
    bad = ck_fail(err, "message_keys_layers: a row is invalid");
  else if (rc != SQLITE_DONE)
    bad = db_fail(f->db, "message_keys_layers", err);
  sqlite3_finalize(s);
  return bad;
}

static int check_sweep(const struct filter *f, struct ck_err *err) {
  const struct filter_sweep *w = &f->sweep;
  bool open = w->layer >= 0 && w->layer <= w->newest && w->layer >= w->newest - 1;
  if (!f->layers || (open && w->part < f->layer[w->layer].parts)) return 0;
  return ck_fail(err, "message_keys_sweeps: the filter has no such part");
}

static int open_sweep(struct filter *f, struct ck_err *err) {
  sqlite3_stmt *s = db_prepare(f->db,
                               "SELECT cursor, started_version, stored_version"
                               " FROM message_keys_sweeps WHERE target = 'message_keys_filter'",
                               err);
  if (!s) return -1;
  int rc = sqlite3_step(s) == SQLITE_ROW ? 0 : db_fail(f->db, "message_keys_sweeps", err);
  if (rc == 0) {
    int64_t key = sqlite3_column_int64(s, 0);
    f->sweep = (struct filter_sweep){
        .layer = f->layers ? (int)(key >> 32) : -1,
        .newest = f->layers - 1,
        .part = key & UINT32_MAX,
        .started_version = (uint64_t)sqlite3_column_int64(s, 1),
        .stored_version = (uint64_t)sqlite3_column_int64(s, 2),
    };
    rc = check_sweep(f, err);
  }
  sqlite3_finalize(s);
  return rc;
}

struct filter *filter_open(sqlite3 *db, struct ck_err *err) {
  struct filter *f = ck_zalloc(sizeof *f);
  f->db = db;
  f->first_layer = FIRST_LAYER;
  f->sweep.layer = f->sweep.newest = -1;
  f->committed = f->sweep;
  int rc = 0;
  for (int i = 0; i < FILTER_STATEMENTS && rc == 0; ++i)
    rc = (f->stmt[i] = db_prepare(db, statements[i], err)) ? 0 : -1;
  if (rc == 0) rc = open_layers(f, err) || open_sweep(f, err) ? -1 : 0;
  if (rc) filter_free(&f);
  return f;
}

int filter_add_all(struct filter *f, const char *sql, int64_t least, struct ck_err *err) {
  sqlite3_stmt *s = db_prepare(f->db, sql, err);
  if (!s) return -1;
  int rc;
  while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
    int64_t layer = sqlite3_column_int64(s, 0);
    if (layer < least || layer >= f->layers) continue;
    filter_layer_add(&f->layer[layer], bloom_hash(db_str(s, 1)));
    ++f->sweep.credit;
  }
  int bad = rc == SQLITE_DONE ? 0 : db_fail(f->db, "message_keys", err);
  sqlite3_finalize(s);
  return bad;
}

struct filter *filter_new(sqlite3 *db, struct ck_err *err) {
  struct filter *f = filter_open(db, err);
  if (!f || !filter_exists(f)) return f;
  f->load_end = f->sweep.layer;
  int rc = filter_add_all(f, FILTER_NOT_STORED, f->sweep.layer, err);
  for (int i = f->sweep.layer; i < f->layers && rc == 0; ++i) rc = load_layer(f, i, err);
  if (rc)
    filter_free(&f);
  else
    filter_committed(f);
  return f;
}

void filter_free(struct filter **filter) {
  struct filter *f = *filter;
  if (!f) return;
  for (int i = 0; i < FILTER_STATEMENTS; ++i) sqlite3_finalize(f->stmt[i]);
  for (int i = 0; i < f->layers; ++i) free(f->layer[i].bits);
  free(f);
  *filter = NULL;
}
