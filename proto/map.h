/* MessagePack maps whose keys are text: looking up a pair by name, and writing a map without
 * counting its pairs first.
 *
 *   struct ck_map m = ck_map_open(b);
 *   ck_pair_text(&m, "state", "running");
 *   ck_pair_uint(&m, "done", 12);
 *   ck_pair_name(&m, "lines");          its value is the one value that is written to b next
 *   ck_put_array(b, 0);
 *   ck_map_close(&m);
 */
#ifndef CK_PROTO_MAP_H
#define CK_PROTO_MAP_H

#include "proto/pack.h"

/* ---- reading: the first pair of that name in an encoded map ---- */

/* True: *value reads exactly that pair's value. False: there is no such pair, `map` is not a map,
 * or a key before the pair is not text. */
bool ck_map_find(struct ck_str map, const char *name, struct ck_reader *value);
/* The value if there is one of that type; else empty, false, or `otherwise`. Text points into
 * map. */
struct ck_str ck_map_str(struct ck_str map, const char *name);
bool ck_map_bool(struct ck_str map, const char *name);
int64_t ck_map_int(struct ck_str map, const char *name, int64_t otherwise);
uint64_t ck_map_uint(struct ck_str map, const char *name, uint64_t otherwise);

/* ---- writing ---- */

/* A map that is being written at the end of a buffer. Values may be appended to the buffer
 * directly, and maps within this one may be opened; inner maps are closed first. Nothing to
 * free. */
struct ck_map {
  struct ck_buf *b;
  size_t at;      /* where its head is */
  uint32_t pairs; /* so far */
};

struct ck_map ck_map_open(struct ck_buf *b);
/* Writes the number of pairs in its shortest form: the same bytes as with ck_put_map. */
void ck_map_close(struct ck_map *m);

/* Appends a name; the caller appends one value next. */
void ck_pair_name(struct ck_map *m, const char *name);
void ck_pair_nil(struct ck_map *m, const char *name);
void ck_pair_bool(struct ck_map *m, const char *name, bool v);
void ck_pair_int(struct ck_map *m, const char *name, int64_t v);
void ck_pair_uint(struct ck_map *m, const char *name, uint64_t v);
void ck_pair_str(struct ck_map *m, const char *name, struct ck_str v);
void ck_pair_text(struct ck_map *m, const char *name, const char *terminated);
/* The text, or nil when it is empty or NULL. */
void ck_pair_text_or_nil(struct ck_map *m, const char *name, const char *terminated);
/* A name, and opens the map that is its value; close it before the next pair of m. */
struct ck_map ck_pair_map(struct ck_map *m, const char *name);

#endif
