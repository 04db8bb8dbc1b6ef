/* doctor's check that the stored filter knows every id. It takes a share of all hashes at a time,
 * to need little memory. */
#include <stdlib.h>

#include "store/keys/bloom.h"
#include "store/keys/filter_internal.h"
#include "store/keys/keys.h"

#define CHECKED_BYTES (16 << 20)

/* Share `at` of `of` shares of all hashes; `of` is a power of two. */
struct share {
  uint64_t at, of;
};

struct denied {
  uint64_t count;
  char *id;
};

static bool is_in(uint64_t hash, struct share s) { return (hash >> 32) * s.of >> 32 == s.at; }

/* Loads only the parts that the share's hashes select; memory that is not touched costs nothing. */
static int load_share(struct filter *f, struct share s, struct ck_err *err) {
  uint64_t first = (s.at << 32) / s.of, end = ((s.at + 1) << 32) / s.of;
  for (int i = 0; i < f->layers; ++i) {
    const struct filter_layer *l = &f->layer[i];
    size_t from = bloom_block(l->bytes, first << 32), to = bloom_block(l->bytes, (end - 1) << 32);
    for (size_t p = from / l->part_bytes; p <= to / l->part_bytes; ++p)
      if (filter_load_part(f, i, (int64_t)p, err)) return -1;
  }
  return filter_add_all(f, FILTER_NOT_STORED, f->sweep.layer, err);
}

/* A missing layer denies every id. */
static bool is_denied(const struct filter *f, int64_t layer, uint64_t hash) {
  return layer < 0 || layer >= f->layers || !filter_may_have(f, (int)layer, hash);
}

static int check_share(struct filter *f, struct share share, struct denied *d, struct ck_err *err) {
  const char *all = FILTER_SORTED " UNION ALL SELECT layer, id FROM message_keys_new";
  if (load_share(f, share, err)) return -1;
  sqlite3_stmt *s = db_prepare(f->db, all, err);
  if (!s) return -1;
  int rc;
  while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
    struct ck_str id = db_str(s, 1);
    uint64_t hash = bloom_hash(id);
    if (!is_in(hash, share) || !is_denied(f, sqlite3_column_int64(s, 0), hash)) continue;
    if (d->count++ == 0) d->id = ck_sprintf("%.*s", (int)id.n, id.s);
  }
  int bad = rc == SQLITE_DONE ? 0 : db_fail(f->db, "message_keys", err);
  sqlite3_finalize(s);
  return bad;
}

/* The first share decides how many there are. */
static int check_some(sqlite3 *db, struct share *share, struct denied *d, struct ck_err *err) {
  struct filter *f = filter_open(db, err);
  if (!f) return -1;
  while (share->at == 0 && filter_bytes(f) / share->of > CHECKED_BYTES) share->of *= 2;
  int rc = filter_exists(f) ? check_share(f, *share, d, err) : 0;
  filter_free(&f);
  return rc;
}

int keys_check_filter(sqlite3 *db, uint64_t *count, char **denied, struct ck_err *err) {
  struct denied d = {0};
  int rc = 0;
  for (struct share share = {0, 1}; share.at < share.of && rc == 0; ++share.at)
    rc = check_some(db, &share, &d, err);
  *count = d.count;
  *denied = d.id;
  return rc;
}
