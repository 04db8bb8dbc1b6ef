/* See cache.h: two hash tables over the entries, a journal for the rollback, a list of the changed.
 */
#include "store/write/cache.h"

#include <stdlib.h>
#include <string.h>

#define BUCKETS 65536u
/* If there are more entries after a commit, all are forgotten. */
#define KEPT_MAX 20000u

struct saved {
  struct entry *entry;
  struct ck_row row;
  char *text;
  uint64_t version, born;
  bool exists, dirty;
};

struct cache {
  struct entry *by_key[BUCKETS], *by_unique[BUCKETS];
  size_t count;
  struct saved *journal;
  size_t journal_len, journal_cap;
  struct entry **dirty;
  size_t dirty_len, dirty_cap;
  /* Entries added since the last commit: those to be forgotten then are among them, so no
   * walk through all buckets is needed. */
  struct entry **recent;
  size_t recent_len, recent_cap;
};

/* FNV-1a over the parts and their lengths; end_hash folds the high bits into the low ones, which
 * choose the bucket. */
static uint64_t mix(uint64_t h, struct ck_str s) {
  for (size_t i = 0; i < s.n; ++i) h = (h ^ (unsigned char)s.s[i]) * 1099511628211u;
  return (h ^ s.n) * 1099511628211u;
}

static uint64_t begin_hash(enum ck_table t) { return 14695981039346656037u ^ (uint64_t)t; }

static uint64_t end_hash(uint64_t h) {
  h ^= h >> 32;
  return h ? h : 1;
}

static uint64_t hash_key(enum ck_table t, struct ck_str key) {
  return end_hash(mix(begin_hash(t), key));
}

static uint64_t hash_unique(const struct ck_row *row) {
  const struct ck_unique *u = &ck_uniques[row->table];
  uint64_t h = begin_hash(row->table);
  for (int i = 0; i < u->columns; ++i) h = mix(h, ck_row_text(row, u->column[i]));
  return end_hash(h);
}

struct cache *cache_new(void) {
  return ck_zalloc(sizeof(struct cache));
}

void cache_free(struct cache **c) {
  if (!*c) return;
  cache_clear(*c);
  free((*c)->journal);
  free((*c)->dirty);
  free((*c)->recent);
  free(*c);
  *c = NULL;
}

struct entry *cache_find(struct cache *c, enum ck_table t, struct ck_str key) {
  uint64_t h = hash_key(t, key);
  for (struct entry *e = c->by_key[h % BUCKETS]; e; e = e->next)
    if (e->hash == h && e->row.table == t && ck_str_eq(ck_row_key(&e->row), key)) return e;
  return NULL;
}

struct entry *cache_find_unique(struct cache *c, const struct ck_row *row) {
  uint64_t h = hash_unique(row);
  for (struct entry *e = c->by_unique[h % BUCKETS]; e; e = e->next_unique)
    if (e->unique_hash == h && e->row.table == row->table && ck_row_same_unique(&e->row, row))
      return e;
  return NULL;
}

static void unlink_unique(struct cache *c, struct entry *e) {
  if (!e->unique_hash) return;
  struct entry **at = &c->by_unique[e->unique_hash % BUCKETS];
  while (*at != e) at = &(*at)->next_unique;
  *at = e->next_unique;
  e->unique_hash = 0;
}

static void link_unique(struct cache *c, struct entry *e) {
  unlink_unique(c, e);
  if (!e->exists || !ck_row_has_unique(&e->row)) return;
  e->unique_hash = hash_unique(&e->row);
  struct entry **bucket = &c->by_unique[e->unique_hash % BUCKETS];
  e->next_unique = *bucket;
  *bucket = e;
}

/* Copies the row, and all its text into one block that the entry owns. */
static void own_copy(struct entry *e, const struct ck_row *row) {
  size_t total = 1;
  int columns = ck_tables[row->table].columns;
  for (int i = 0; i < columns; ++i)
    if (row->v[i].state == CK_TEXT) total += row->v[i].as.s.n;
  char *text = ck_alloc(total), *at = text;
  struct ck_row copy = *row;
  for (int i = 0; i < columns; ++i) {
    if (row->v[i].state != CK_TEXT) continue;
    size_t n = row->v[i].as.s.n;
    if (n) memcpy(at, row->v[i].as.s.s, n);
    copy.v[i].as.s.s = at;
    at += n;
  }
  e->row = copy;
  e->text = text;
}

static void push(struct entry ***list, size_t *len, size_t *cap, struct entry *e) {
  if (*len == *cap) {
    *cap = *cap ? *cap * 2 : 256;
    *list = ck_realloc(*list, *cap * sizeof **list);
  }
  (*list)[(*len)++] = e;
}

struct entry *cache_remember(struct cache *c, const struct ck_row *row, uint64_t version) {
  struct entry *e = ck_zalloc(sizeof *e);
  own_copy(e, row);
  e->exists = version > 0;
  e->version = e->stored = version;
  e->hash = hash_key(row->table, ck_row_key(row));
  struct entry **bucket = &c->by_key[e->hash % BUCKETS];
  e->next = *bucket;
  *bucket = e;
  ++c->count;
  link_unique(c, e);
  e->stored_unique = e->unique_hash;
  push(&c->recent, &c->recent_len, &c->recent_cap, e);
  return e;
}

static void save(struct cache *c, struct entry *e) {
  if (c->journal_len == c->journal_cap) {
    c->journal_cap = c->journal_cap ? c->journal_cap * 2 : 64;
    c->journal = ck_realloc(c->journal, c->journal_cap * sizeof *c->journal);
  }
  c->journal[c->journal_len++] =
      (struct saved){e, e->row, e->text, e->version, e->born, e->exists, e->dirty};
}

static void list_dirty(struct cache *c, struct entry *e) {
  e->dirty = true;
  if (e->listed) return;
  e->listed = true;
  push(&c->dirty, &c->dirty_len, &c->dirty_cap, e);
}

static bool same_ties(const struct ck_row *a, const struct ck_row *b) {
  for (int i = 0; i < CK_REFERENCES; ++i) {
    const struct ck_reference *r = &ck_references[i];
    if (r->table == a->table && !ck_value_eq(a->v[r->column], b->v[r->column])) return false;
  }
  const struct ck_unique *u = &ck_uniques[a->table];
  for (int i = 0; i < u->columns; ++i)
    if (!ck_value_eq(a->v[u->column[i]], b->v[u->column[i]])) return false;
  return true;
}

void cache_change(struct cache *c, struct entry *e, const struct ck_row *row, uint64_t version,
                  uint64_t born) {
  save(c, e);
  e->moved |= !same_ties(&e->row, row);
  own_copy(e, row);
  e->exists = true;
  e->version = version;
  e->born = born;
  list_dirty(c, e);
  link_unique(c, e);
}

void cache_mark(struct cache *c) {
  for (size_t i = 0; i < c->journal_len; ++i) free(c->journal[i].text);
  c->journal_len = 0;
}

void cache_rollback(struct cache *c) {
  while (c->journal_len) {
    const struct saved *s = &c->journal[--c->journal_len];
    struct entry *e = s->entry;
    free(e->text);
    e->row = s->row;
    e->text = s->text;
    e->version = s->version;
    e->born = s->born;
    e->exists = s->exists;
    e->dirty = s->dirty;
    link_unique(c, e);
  }
}

static int by_version(const void *a, const void *b) {
  const struct entry *x = *(struct entry *const *)a, *y = *(struct entry *const *)b;
  return x->version < y->version ? -1 : x->version > y->version;
}

struct entry **cache_dirty(struct cache *c, size_t *n) {
  size_t kept = 0;
  for (size_t i = 0; i < c->dirty_len; ++i) {
    struct entry *e = c->dirty[i];
    if (e->dirty)
      c->dirty[kept++] = e;
    else
      e->listed = false;
  }
  c->dirty_len = kept;
  if (kept) qsort(c->dirty, kept, sizeof *c->dirty, by_version);
  *n = kept;
  return c->dirty;
}

static void forget(struct cache *c, struct entry *e) {
  struct entry **at = &c->by_key[e->hash % BUCKETS];
  while (*at != e) at = &(*at)->next;
  *at = e->next;
  unlink_unique(c, e);
  free(e->text);
  free(e);
  --c->count;
}

static void forget_all(struct cache *c) {
  for (size_t b = 0; b < BUCKETS; ++b)
    while (c->by_key[b]) forget(c, c->by_key[b]);
  c->recent_len = 0;
}

static void forget_short_lived(struct cache *c) {
  for (size_t i = 0; i < c->recent_len; ++i) {
    struct entry *e = c->recent[i];
    if (!e->exists || e->row.table == CK_MESSAGES || e->row.table == CK_EXECUTIONS) forget(c, e);
  }
  c->recent_len = 0;
}

void cache_committed(struct cache *c) {
  cache_mark(c);
  for (size_t i = 0; i < c->dirty_len; ++i) {
    struct entry *e = c->dirty[i];
    e->dirty = e->listed = e->moved = false;
    e->stored = e->version;
    e->stored_unique = e->unique_hash;
    e->born = 0;
  }
  c->dirty_len = 0;
  if (c->count > KEPT_MAX)
    forget_all(c);
  else
    forget_short_lived(c);
}

void cache_clear(struct cache *c) {
  cache_mark(c);
  c->dirty_len = 0;
  forget_all(c);
}
