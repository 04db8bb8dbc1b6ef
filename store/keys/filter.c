/* The filter in memory: its layers, and what they say about an id. */
#include <stdlib.h>

#include "store/keys/bloom.h"
#include "store/keys/filter_internal.h"

/* So often a layer is twice as large as the one before: from 131,072 ids to a million. */
#define DOUBLINGS 3
/* All layers together take this many times the ids of the first: 33 million, in 64 MiB. That is
 * LAYERS_MAX layers, or fewer if filter_build made some larger. */
#define FIRST_LAYERS_MAX 256
#define PARTS_MIN 4

/* ---- layers ---- */

void filter_layer_begin(struct filter *f, size_t part_bytes, int64_t parts, int64_t ids) {
  struct filter_layer *l = &f->layer[f->layers++];
  *l = (struct filter_layer){.part_bytes = part_bytes, .parts = parts, .ids = ids};
  l->bytes = part_bytes * (size_t)parts;
  l->bits = ck_zalloc(l->bytes);
}

size_t filter_bytes(const struct filter *f) {
  size_t bytes = 0;
  for (int i = 0; i < f->layers; ++i) bytes += f->layer[i].bytes;
  return bytes;
}

size_t filter_bytes_max(const struct filter *f) {
  return (size_t)f->first_layer * BYTES_PER_ID * FIRST_LAYERS_MAX;
}

static size_t next_bytes(const struct filter *f) {
  int doublings = f->layers < DOUBLINGS ? f->layers : DOUBLINGS;
  return (size_t)(f->first_layer << doublings) * BYTES_PER_ID;
}

bool filter_has_room(const struct filter *f) {
  return f->layers < LAYERS_MAX && filter_bytes(f) + next_bytes(f) <= filter_bytes_max(f);
}

static size_t part_bytes_of(size_t bytes) {
  size_t part = bytes / PARTS_MIN;
  if (part > PART_BYTES) part = PART_BYTES;
  part -= part % BLOOM_BLOCK;
  return part < BLOOM_BLOCK ? BLOOM_BLOCK : part;
}

void filter_layer_next(struct filter *f, int64_t ids) {
  size_t bytes = next_bytes(f), wanted = (size_t)ids * BYTES_PER_ID;
  size_t most = filter_bytes_max(f), taken = filter_bytes(f),
         room = most > taken ? most - taken : 0;
  if (wanted > room) wanted = room;
  if (bytes < wanted) bytes = wanted;
  size_t part = part_bytes_of(bytes);
  filter_layer_begin(f, part, (int64_t)((bytes + part - 1) / part), 0);
}

bool filter_layer_full(const struct filter_layer *l) {
  return l->ids >= (int64_t)(l->bytes / BYTES_PER_ID);
}

void filter_layer_add(struct filter_layer *l, uint64_t hash) {
  if (bloom_perhaps(l->bits, l->bytes, hash)) return;
  bloom_add(l->bits, l->bytes, hash);
  ++l->ids;
}

/* ---- an id ---- */

bool filter_may_have(const struct filter *f, int layer, uint64_t hash) {
  return bloom_perhaps(f->layer[layer].bits, f->layer[layer].bytes, hash);
}

bool filter_exists(const struct filter *f) { return f->sweep.layer >= 0; }

static bool is_loaded(const struct filter *f, int layer) {
  return layer < f->load_layer || layer >= f->load_end;
}

bool filter_absent(const struct filter *f, struct ck_str id) {
  if (!filter_exists(f) || f->load_layer < f->load_end) return false;
  uint64_t hash = bloom_hash(id);
  for (int i = f->sweep.newest; i >= 0; --i)
    if (filter_may_have(f, i, hash)) return false;
  return true;
}

int filter_candidate_below(const struct filter *f, int layer, struct ck_str id) {
  uint64_t hash = bloom_hash(id);
  for (int i = layer <= f->sweep.newest ? layer - 1 : f->sweep.newest; i >= 0; --i)
    if (!is_loaded(f, i) || filter_may_have(f, i, hash)) return i;
  return -1;
}

int filter_newest(const struct filter *f) { return filter_exists(f) ? f->sweep.newest : 0; }

/* A closed layer takes no new ids: an id of that layer is in its filter already. */
void filter_add(struct filter *f, int64_t layer, struct ck_str id) {
  if (!filter_exists(f)) return;
  if (layer >= f->sweep.layer) filter_layer_add(&f->layer[layer], bloom_hash(id));
  ++f->sweep.credit;
}

void filter_resize(struct filter *f, int64_t first_layer) { f->first_layer = first_layer; }

void filter_committed(struct filter *f) { f->committed = f->sweep; }

void filter_rolled_back(struct filter *f) { f->sweep = f->committed; }
