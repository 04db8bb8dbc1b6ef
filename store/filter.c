#include "store/filter.h"

#include <stdlib.h>
#include <string.h>

#include "store/bloom.h"

#define FIRST 131072 /* ids; 256 KiB */
#define BYTES_AN_ID 2
/* Each layer is twice the one before, so many times: up to a million ids. With LAYERS of them, or where what was there before had larger ones with fewer, there
 * are MOST times as many ids as in the first: 64 MiB. */
#define DOUBLINGS 3
#define LAYERS 34
#define MOST 256
#define PART_BYTES (64 << 10)
#define PARTS_LEAST 4
/* A quarter of what may be there is read in one commit, 16 MiB: while a layer is not read every new id is looked for in it, which takes a commit longer. */
#define READ_IN 4
/* Parts written in one commit at most: 256 KiB. */
#define WRITTEN_AT_ONCE 4
#define CHECKED_AT_ONCE (16 << 20)

#define FILTER_LIST(S) \
  S(READ, "SELECT bits FROM message_keys_filter WHERE layer_part = ?1") \
  S(WRITE, "UPDATE message_keys_filter SET bits = ?2 WHERE layer_part = ?1") \
  S(BEGIN_PART, "INSERT INTO message_keys_filter (layer_part, bits) VALUES (?1, ?2)") \
  S(BEGIN_LAYER, "INSERT INTO message_keys_layers (layer, ids, parts, part_bytes) VALUES (?1, ?2, ?3, ?4)") \
  S(COUNT, "UPDATE message_keys_layers SET ids = ?2 WHERE layer = ?1") \
  S(GO_ON, "UPDATE message_keys_pass SET cursor = ?1, began = ?2, upto = ?3 WHERE target = 'message_keys_filter'")

enum {
#define FILTER_NAME(NAME, sql) NAME,
  FILTER_LIST(FILTER_NAME)
#undef FILTER_NAME
      STATEMENTS
};

static const char *const statements[] = {
#define FILTER_SQL(NAME, sql) sql,
    FILTER_LIST(FILTER_SQL)
#undef FILTER_SQL
};

#define NOT_STORED "SELECT n.layer, n.id FROM message_keys_pass p JOIN message_keys_new n ON n.version > p.upto WHERE p.target = 'message_keys_filter'"
#define SORTED "SELECT layer, id FROM message_keys_sorted"

struct layer {
  unsigned char *bits;
  size_t bytes, part_bytes;
  int64_t parts, ids;
};

/* What a rollback brings back. */
struct pass {
  int writing, adding; /* layers: the pass writes one, new ids come into one; the same, but while a full one is passed over for the last time. -1: none */
  int64_t part;        /* the next */
  uint64_t began, upto;
  int64_t due; /* messages that were written since a part was */
};

struct filter {
  sqlite3 *db;
  sqlite3_stmt *stmt[STATEMENTS];
  struct layer layer[LAYERS];
  int layers;
  int64_t first;
  struct pass pass, committed;
  int reading, unread; /* layers from this one on to that one, exclusive, are still to be read, and of the first this part and what follows */
  int64_t reading_part;
};

/* ---- layers ---- */

static struct layer *begin_layer(struct filter *f, size_t part_bytes, int64_t parts, int64_t ids) {
  struct layer *l = &f->layer[f->layers++];
  *l = (struct layer){.bytes = part_bytes * (size_t)parts, .part_bytes = part_bytes, .parts = parts, .ids = ids};
  l->bits = ck_zalloc(l->bytes);
  return l;
}

static size_t bytes_of(const struct filter *f) {
  size_t bytes = 0;
  for (int i = 0; i < f->layers; ++i) bytes += f->layer[i].bytes;
  return bytes;
}

static size_t most_bytes(const struct filter *f) { return (size_t)f->first * BYTES_AN_ID * MOST; }

static size_t next_bytes(const struct filter *f) { return (size_t)(f->first << (f->layers < DOUBLINGS ? f->layers : DOUBLINGS)) * BYTES_AN_ID; }

static bool has_room(const struct filter *f) { return f->layers < LAYERS && bytes_of(f) + next_bytes(f) <= most_bytes(f); }

/* The next in the row; larger where it has so many ids already and there is room. */
static void begin_next(struct filter *f, int64_t ids) {
  size_t bytes = next_bytes(f), wanted = (size_t)ids * BYTES_AN_ID, taken = bytes_of(f), room = most_bytes(f) > taken ? most_bytes(f) - taken : 0;
  if (wanted > room) wanted = room;
  if (bytes < wanted) bytes = wanted;
  size_t part = bytes / PARTS_LEAST;
  if (part > PART_BYTES) part = PART_BYTES;
  part -= part % BLOOM_BLOCK;
  if (part < BLOOM_BLOCK) part = BLOOM_BLOCK;
  begin_layer(f, part, (int64_t)((bytes + part - 1) / part), 0);
}

static bool is_full(const struct layer *l) { return l->ids >= (int64_t)(l->bytes / BYTES_AN_ID); }

static void add_to(struct layer *l, uint64_t hash) {
  if (bloom_perhaps(l->bits, l->bytes, hash)) return;
  bloom_add(l->bits, l->bytes, hash);
  ++l->ids;
}

static bool perhaps_in(const struct filter *f, int layer, uint64_t hash) { return bloom_perhaps(f->layer[layer].bits, f->layer[layer].bytes, hash); }

bool filter_exists(const struct filter *f) { return f->pass.writing >= 0; }

static bool is_read(const struct filter *f, int layer) { return layer < f->reading || layer >= f->unread; }

bool filter_misses(const struct filter *f, struct ck_str id) {
  if (!filter_exists(f) || f->reading < f->unread) return false;
  uint64_t hash = bloom_hash(id);
  for (int i = f->pass.adding; i >= 0; --i)
    if (perhaps_in(f, i, hash)) return false;
  return true;
}

int filter_layer_below(const struct filter *f, int layer, struct ck_str id) {
  uint64_t hash = bloom_hash(id);
  for (int i = layer <= f->pass.adding ? layer - 1 : f->pass.adding; i >= 0; --i)
    if (!is_read(f, i) || perhaps_in(f, i, hash)) return i;
  return -1;
}

int filter_newest(const struct filter *f) { return filter_exists(f) ? f->pass.adding : 0; }

void filter_add(struct filter *f, int64_t layer, struct ck_str id) {
  if (!filter_exists(f)) return;
  if (layer >= f->pass.writing) add_to(&f->layer[layer], bloom_hash(id));
  ++f->pass.due;
}

/* ---- reading ---- */

static sqlite3_int64 place_of(int layer, int64_t part) { return (sqlite3_int64)layer << 32 | part; }

static int read_part(struct filter *f, int layer, int64_t part, struct ck_err *err) {
  const struct layer *l = &f->layer[layer];
  sqlite3_stmt *s = f->stmt[READ];
  sqlite3_bind_int64(s, 1, place_of(layer, part));
  int rc = sqlite3_step(s);
  size_t n = rc == SQLITE_ROW ? (size_t)sqlite3_column_bytes(s, 0) : 0;
  const unsigned char *from = n ? sqlite3_column_blob(s, 0) : NULL;
  unsigned char *to = l->bits + (size_t)part * l->part_bytes;
  if (from && n == l->part_bytes)
    for (size_t i = 0; i < n; ++i) to[i] |= from[i];
  int bad = 0;
  if (rc != SQLITE_ROW && rc != SQLITE_DONE)
    bad = db_fail(f->db, "message_keys_filter", err);
  else if (n != l->part_bytes)
    bad = ck_fail(err, "message_keys_filter: part %lld of layer %d is not there", (long long)part, layer);
  sqlite3_reset(s);
  return bad;
}

static int read_layer(struct filter *f, int layer, struct ck_err *err) {
  for (int64_t p = 0; p < f->layer[layer].parts; ++p)
    if (read_part(f, layer, p, err)) return -1;
  return 0;
}

static int read_some(struct filter *f, struct ck_err *err) {
  for (size_t n = 0; n < most_bytes(f) / READ_IN && f->reading < f->unread;) {
    if (read_part(f, f->reading, f->reading_part, err)) return -1;
    n += f->layer[f->reading].part_bytes;
    if (++f->reading_part < f->layer[f->reading].parts) continue;
    ++f->reading;
    f->reading_part = 0;
  }
  return 0;
}

/* What the layers are, without their bits. */
static int read_layers(struct filter *f, struct ck_err *err) {
  sqlite3_stmt *s = db_prepare(f->db, "SELECT ids, parts, part_bytes FROM message_keys_layers ORDER BY layer", err);
  int rc = SQLITE_ERROR;
  while (s && (rc = sqlite3_step(s)) == SQLITE_ROW && f->layers < LAYERS) {
    int64_t ids = sqlite3_column_int64(s, 0), parts = sqlite3_column_int64(s, 1), part = sqlite3_column_int64(s, 2);
    if (parts < 1 || parts > UINT16_MAX || part < (int64_t)BLOOM_BLOCK || part > PART_BYTES || part % BLOOM_BLOCK) break;
    begin_layer(f, (size_t)part, parts, ids);
  }
  int bad = !s || rc == SQLITE_DONE ? 0 : rc == SQLITE_ROW ? ck_fail(err, "message_keys_layers: no such layer") : db_fail(f->db, "message_keys_layers", err);
  sqlite3_finalize(s);
  return s ? bad : -1;
}

static int read_pass(struct filter *f, struct ck_err *err) {
  sqlite3_stmt *s = db_prepare(f->db, "SELECT cursor, began, upto FROM message_keys_pass WHERE target = 'message_keys_filter'", err);
  if (!s) return -1;
  int rc = sqlite3_step(s) == SQLITE_ROW ? 0 : db_fail(f->db, "message_keys_pass", err);
  if (rc == 0) {
    int64_t place = sqlite3_column_int64(s, 0);
    f->pass = (struct pass){.writing = f->layers ? (int)(place >> 32) : -1, .adding = f->layers - 1, .part = place & UINT32_MAX};
    f->pass.began = (uint64_t)sqlite3_column_int64(s, 1);
    f->pass.upto = (uint64_t)sqlite3_column_int64(s, 2);
    int behind = f->pass.adding - f->pass.writing;
    if (f->layers && (behind < 0 || behind > 1 || f->pass.part >= f->layer[f->pass.writing].parts))
      rc = ck_fail(err, "message_keys_pass: the filter has no such part");
  }
  sqlite3_finalize(s);
  return rc;
}

/* Every id that the query gives, into its layer, where that is one from `least` on. */
static int add_all(struct filter *f, const char *sql, int64_t least, struct ck_err *err) {
  sqlite3_stmt *s = db_prepare(f->db, sql, err);
  int rc = SQLITE_ERROR;
  while (s && (rc = sqlite3_step(s)) == SQLITE_ROW) {
    int64_t layer = sqlite3_column_int64(s, 0);
    if (layer < least || layer >= f->layers) continue;
    add_to(&f->layer[layer], bloom_hash(db_str(s, 1)));
    ++f->pass.due;
  }
  int bad = !s ? -1 : rc == SQLITE_DONE ? 0 : db_fail(f->db, "message_keys", err);
  sqlite3_finalize(s);
  return bad;
}

static struct filter *prepare(sqlite3 *db, struct ck_err *err) {
  struct filter *f = ck_zalloc(sizeof *f);
  f->db = db;
  f->first = FIRST;
  f->pass.writing = f->pass.adding = f->committed.writing = f->committed.adding = -1;
  int rc = 0;
  for (int i = 0; i < STATEMENTS && rc == 0; ++i) rc = (f->stmt[i] = db_prepare(db, statements[i], err)) ? 0 : -1;
  if (rc == 0) rc = read_layers(f, err) || read_pass(f, err) ? -1 : 0;
  if (rc) filter_free(&f);
  return f;
}

struct filter *filter_new(sqlite3 *db, struct ck_err *err) {
  struct filter *f = prepare(db, err);
  if (!f || !filter_exists(f)) return f;
  f->unread = f->pass.writing;
  int rc = add_all(f, NOT_STORED, f->pass.writing, err);
  for (int i = f->pass.writing; i < f->layers && rc == 0; ++i) rc = read_layer(f, i, err);
  if (rc)
    filter_free(&f);
  else
    filter_committed(f);
  return f;
}

void filter_free(struct filter **filter) {
  struct filter *f = *filter;
  if (!f) return;
  for (int i = 0; i < STATEMENTS; ++i) sqlite3_finalize(f->stmt[i]);
  for (int i = 0; i < f->layers; ++i) free(f->layer[i].bits);
  free(f);
  *filter = NULL;
}

void filter_keep(struct filter *f, int64_t first) { f->first = first; }

/* ---- writing ---- */

static int run(struct filter *f, int which, struct ck_err *err) {
  sqlite3_stmt *s = f->stmt[which];
  int rc = sqlite3_step(s) == SQLITE_DONE ? 0 : db_fail(f->db, "message_keys_filter", err);
  sqlite3_reset(s);
  if (rc == 0 && sqlite3_changes(f->db) != 1) rc = ck_fail(err, "message_keys_filter: what is to be written is not there");
  return rc;
}

static int write_part(struct filter *f, int which, int layer, int64_t part, struct ck_err *err) {
  const struct layer *l = &f->layer[layer];
  sqlite3_bind_int64(f->stmt[which], 1, place_of(layer, part));
  sqlite3_bind_blob64(f->stmt[which], 2, l->bits + (size_t)part * l->part_bytes, l->part_bytes, SQLITE_STATIC);
  return run(f, which, err);
}

static int write_new_layer(struct filter *f, int layer, struct ck_err *err) {
  const struct layer *l = &f->layer[layer];
  const int64_t values[] = {layer, l->ids, l->parts, (int64_t)l->part_bytes};
  for (int i = 0; i < 4; ++i) sqlite3_bind_int64(f->stmt[BEGIN_LAYER], i + 1, values[i]);
  if (run(f, BEGIN_LAYER, err)) return -1;
  for (int64_t p = 0; p < l->parts; ++p)
    if (write_part(f, BEGIN_PART, layer, p, err)) return -1;
  return 0;
}

static int write_count(struct filter *f, int layer, struct ck_err *err) {
  sqlite3_bind_int64(f->stmt[COUNT], 1, layer);
  sqlite3_bind_int64(f->stmt[COUNT], 2, f->layer[layer].ids);
  return run(f, COUNT, err);
}

static int write_pass(struct filter *f, struct ck_err *err) {
  sqlite3_bind_int64(f->stmt[GO_ON], 1, place_of(f->pass.writing, f->pass.part));
  sqlite3_bind_int64(f->stmt[GO_ON], 2, (sqlite3_int64)f->pass.began);
  sqlite3_bind_int64(f->stmt[GO_ON], 3, (sqlite3_int64)f->pass.upto);
  return run(f, GO_ON, err);
}

/* All that was written when the pass began is stored. Where the layer was full before that, what came since is in the next, and none of that is stored. */
static int end_pass(struct filter *f, uint64_t head, struct ck_err *err) {
  struct pass *p = &f->pass;
  p->upto = p->began;
  p->began = head;
  p->part = 0;
  if (write_count(f, p->writing, err)) return -1;
  if (p->adding != p->writing) {
    p->writing = p->adding;
    return 0;
  }
  /* A rollback may have left one. */
  bool left = f->layers > p->writing + 1;
  if (!is_full(&f->layer[p->writing]) || (!left && !has_room(f))) return 0;
  if (!left) begin_next(f, 0);
  p->adding = p->writing + 1;
  return write_new_layer(f, p->adding, err);
}

int filter_save(struct filter *f, uint64_t head, int64_t round, struct ck_err *err) {
  if (!filter_exists(f)) return 0;
  struct pass *p = &f->pass;
  int written = 0;
  for (; written < WRITTEN_AT_ONCE; ++written) {
    int64_t each = round / f->layer[p->writing].parts, enough = each > 0 ? each : 1;
    if (p->due < enough) break;
    p->due -= enough;
    if (write_part(f, WRITE, p->writing, p->part, err) || (++p->part == f->layer[p->writing].parts && end_pass(f, head, err))) return -1;
  }
  if (written && write_pass(f, err)) return -1;
  return read_some(f, err);
}

/* As many layers as there are ids of, each as large as these want it. */
static int begin_layers(struct filter *f, struct ck_err *err) {
  int64_t last;
  if (db_int(f->db, "SELECT max((SELECT coalesce(max(layer), 0) FROM message_keys_sorted), (SELECT coalesce(max(layer), 0) FROM message_keys_new))", 0, &last,
             err))
    return -1;
  if (last < 0 || last >= LAYERS) return ck_fail(err, "message_keys_sorted: layer %lld cannot be", (long long)last);
  for (int64_t i = 0, ids; i <= last; ++i) {
    char *sql = ck_sprintf("SELECT count(*) FROM message_keys_sorted WHERE layer = %lld", (long long)i);
    int rc = db_int(f->db, sql, 0, &ids, err);
    free(sql);
    if (rc) return -1;
    begin_next(f, ids);
  }
  return 0;
}

int filter_make(struct filter *f, struct ck_err *err) {
  int64_t newest;
  if (db_exec(f->db, "DELETE FROM message_keys_filter; DELETE FROM message_keys_layers", err) ||
      db_int(f->db, "SELECT max(version) FROM messages", 0, &newest, err))
    return -1;
  while (f->layers) free(f->layer[--f->layers].bits);
  if (begin_layers(f, err) || add_all(f, SORTED " UNION ALL SELECT layer, id FROM temp.message_keys", 0, err)) return -1;
  for (int i = 0; i < f->layers; ++i)
    if (write_new_layer(f, i, err)) return -1;
  f->pass = (struct pass){.writing = f->layers - 1, .adding = f->layers - 1, .began = (uint64_t)newest, .upto = (uint64_t)newest};
  f->reading = f->unread = 0;
  return write_pass(f, err);
}

void filter_committed(struct filter *f) { f->committed = f->pass; }

void filter_undone(struct filter *f) { f->pass = f->committed; }

/* ---- looking through it ---- */

static bool is_of(uint64_t hash, uint64_t share, uint64_t shares) { return (hash >> 32) * shares >> 32 == share; }

/* The parts in which the ids of one of so many shares (a power of two) lie, and no others: memory that is never touched costs none. */
static int read_share(struct filter *f, uint64_t share, uint64_t shares, struct ck_err *err) {
  uint64_t first = (share << 32) / shares, last = ((share + 1) << 32) / shares;
  for (int i = 0; i < f->layers; ++i) {
    const struct layer *l = &f->layer[i];
    size_t from = bloom_block(l->bytes, first << 32), to = bloom_block(l->bytes, (last - 1) << 32);
    for (size_t p = from / l->part_bytes; p <= to / l->part_bytes; ++p)
      if (read_part(f, i, (int64_t)p, err)) return -1;
  }
  return add_all(f, NOT_STORED, f->pass.writing, err);
}

/* An id of a layer that is not there is missed too. */
static bool is_missed(const struct filter *f, int64_t layer, uint64_t hash) { return layer < 0 || layer >= f->layers || !perhaps_in(f, (int)layer, hash); }

static int check_share(struct filter *f, uint64_t share, uint64_t shares, uint64_t *count, char **missed, struct ck_err *err) {
  if (read_share(f, share, shares, err)) return -1;
  sqlite3_stmt *s = db_prepare(f->db, SORTED " UNION ALL SELECT layer, id FROM message_keys_new", err);
  int rc = SQLITE_ERROR;
  while (s && (rc = sqlite3_step(s)) == SQLITE_ROW) {
    struct ck_str id = db_str(s, 1);
    uint64_t hash = bloom_hash(id);
    if (!is_of(hash, share, shares) || !is_missed(f, sqlite3_column_int64(s, 0), hash)) continue;
    if ((*count)++ == 0) *missed = ck_sprintf("%.*s", (int)id.n, id.s);
  }
  int bad = !s ? -1 : rc == SQLITE_DONE ? 0 : db_fail(f->db, "message_keys", err);
  sqlite3_finalize(s);
  return bad;
}

int filter_check(sqlite3 *db, uint64_t *count, char **missed, struct ck_err *err) {
  *count = 0;
  *missed = NULL;
  for (uint64_t i = 0, all = 1; i < all; ++i) {
    struct filter *f = prepare(db, err);
    int rc = f ? 0 : -1;
    if (rc == 0 && i == 0) {
      while (bytes_of(f) / all > CHECKED_AT_ONCE) all *= 2;
    }
    if (rc == 0 && filter_exists(f)) rc = check_share(f, i, all, count, missed, err);
    filter_free(&f);
    if (rc) return -1;
  }
  return 0;
}
