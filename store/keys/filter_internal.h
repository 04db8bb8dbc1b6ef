/* The filter's state. Only for filter*.c and check_filter.c. */
#ifndef CK_STORE_KEYS_FILTER_INTERNAL_H
#define CK_STORE_KEYS_FILTER_INTERNAL_H

#include "store/keys/filter.h"

#define LAYERS_MAX 34
#define BYTES_PER_ID 2
#define PART_BYTES (64 << 10)

#define FILTER_LIST(S) \
  S(READ_PART, "SELECT bits FROM message_keys_filter WHERE layer_part = ?1") \
  S(WRITE_PART, "UPDATE message_keys_filter SET bits = ?2 WHERE layer_part = ?1") \
  S(NEW_PART, "INSERT INTO message_keys_filter (layer_part, bits) VALUES (?1, ?2)") \
  S(NEW_LAYER, \
    "INSERT INTO message_keys_layers (layer, ids, parts, part_bytes) VALUES (?1, ?2, ?3, ?4)") \
  S(WRITE_IDS, "UPDATE message_keys_layers SET ids = ?2 WHERE layer = ?1") \
  S(WRITE_SWEEP, "UPDATE message_keys_sweeps SET cursor = ?1, started_version = ?2," \
                 " stored_version = ?3 WHERE target = 'message_keys_filter'")

enum {
#define FILTER_NAME(NAME, sql) NAME,
  FILTER_LIST(FILTER_NAME)
#undef FILTER_NAME
      FILTER_STATEMENTS
};

/* Queries of `layer, id`: every id in a layer; every id that the stored parts do not hold yet. */
#define FILTER_SORTED "SELECT layer, id FROM message_keys_sorted"
#define FILTER_NOT_STORED \
  "SELECT n.layer, n.id FROM message_keys_sweeps s" \
  " JOIN message_keys_new n ON n.version > s.stored_version" \
  " WHERE s.target = 'message_keys_filter'"

struct filter_layer {
  unsigned char *bits;
  size_t bytes, part_bytes;
  int64_t parts, ids;
};

/* The part of the state that a rollback restores. */
struct filter_sweep {
  int layer;    /* whose parts it stores; -1: there is no filter */
  int newest;   /* takes new ids: `layer`, or the next if it is closing */
  int64_t part; /* the next to store */
  uint64_t started_version, stored_version; /* see schema.c */
  int64_t credit; /* ids written; each part that is stored uses up its share of them */
};

struct filter {
  sqlite3 *db;
  sqlite3_stmt *stmt[FILTER_STATEMENTS];
  struct filter_layer layer[LAYERS_MAX];
  int layers;
  int64_t first_layer; /* ids that the first layer takes */
  struct filter_sweep sweep, committed;
  /* Still to be loaded: the layers from load_layer to load_end (exclusive); of the first of them,
   * the parts from load_part. */
  int load_layer, load_end;
  int64_t load_part;
};

/* ---- filter.c ---- */

size_t filter_bytes(const struct filter *f);
size_t filter_bytes_max(const struct filter *f);
bool filter_has_room(const struct filter *f);
/* Adds a layer of this size, empty. */
void filter_layer_begin(struct filter *f, size_t part_bytes, int64_t parts, int64_t ids);
/* Adds the next layer, empty; larger than usual if it must take so many ids and there is room. */
void filter_layer_next(struct filter *f, int64_t ids);
bool filter_layer_full(const struct filter_layer *l);
void filter_layer_add(struct filter_layer *l, uint64_t hash);
bool filter_may_have(const struct filter *f, int layer, uint64_t hash);

/* ---- filter_load.c ---- */

/* A filter with its layers' sizes and its sweep, but no bits. NULL with the reason. */
struct filter *filter_open(sqlite3 *db, struct ck_err *err);
/* Adds the stored bits of a part to those in memory. */
int filter_load_part(struct filter *f, int layer, int64_t part, struct ck_err *err);
/* Loads a few of the parts that are still to be loaded. */
int filter_load_some(struct filter *f, struct ck_err *err);
/* Adds every id that the query yields (`layer, id`) and whose layer is `least` or higher. */
int filter_add_all(struct filter *f, const char *sql, int64_t least, struct ck_err *err);

static inline sqlite3_int64 filter_part_key(int layer, int64_t part) {
  return (sqlite3_int64)layer << 32 | part;
}

#endif
