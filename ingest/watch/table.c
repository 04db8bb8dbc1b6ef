/* The rows and how they are found. table_file.c has them on the disk. */
#include <stdlib.h>
#include <string.h>

#include "ingest/watch/table_inner.h"

#define LEAST 64 /* buckets */

int64_t watch_mtime_ns(const struct stat *st) {
  return (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec;
}

/* ---- buckets ---- */

static uint64_t mixed(uint64_t v) {
  v ^= v >> 33;
  v *= UINT64_C(0xff51afd7ed558ccd);
  return v ^ v >> 33;
}

static uint64_t path_key(const char *path) {
  uint64_t key = UINT64_C(14695981039346656037);
  for (; *path; ++path) key = (key ^ (unsigned char)*path) * UINT64_C(1099511628211);
  return mixed(key);
}
static uint64_t inode_key(uint64_t inode) { return mixed(inode); }
static uint64_t stamp_key(uint64_t size, int64_t mtime_ns) {
  return mixed(size ^ mixed((uint64_t)mtime_ns));
}

static struct watch_row **bucket(const struct watch_table *t, enum watch_key which, uint64_t key) {
  return &t->buckets[which][key & (t->room - 1)];
}

static uint64_t key_of(const struct watch_row *row, enum watch_key which) {
  if (which == WATCH_PATH) return path_key(row->path);
  return which == WATCH_INODE ? inode_key(row->inode) : stamp_key(row->size, row->mtime_ns);
}

static void link_row(struct watch_table *t, struct watch_row *row, enum watch_key which) {
  struct watch_row **at = bucket(t, which, key_of(row, which));
  row->links[which].next = *at;
  row->links[which].back = at;
  if (*at) (*at)->links[which].back = &row->links[which].next;
  *at = row;
}

static void unlink_row(struct watch_row *row, enum watch_key which) {
  struct watch_row *next = row->links[which].next;
  *row->links[which].back = next;
  if (next) next->links[which].back = row->links[which].back;
}

static void make_room(struct watch_table *t, size_t room) {
  struct watch_row **old = t->buckets[WATCH_PATH], *row;
  size_t before = t->room;
  t->room = room;
  for (int k = 0; k < WATCH_KEYS; ++k) {
    if (k != WATCH_PATH) free(t->buckets[k]);
    t->buckets[k] = ck_zalloc(room * sizeof(struct watch_row *));
  }
  for (size_t i = 0; i < before; ++i)
    while ((row = old[i])) {
      old[i] = row->links[WATCH_PATH].next;
      for (int k = 0; k < WATCH_KEYS; ++k) link_row(t, row, (enum watch_key)k);
    }
  free(old);
}

/* ---- rows ---- */

struct watch_row *watch_table_at(const struct watch_table *t, const char *path) {
  struct watch_row *row = *bucket(t, WATCH_PATH, path_key(path));
  while (row && strcmp(row->path, path) != 0) row = row->links[WATCH_PATH].next;
  return row;
}

struct watch_row *watch_table_inode(const struct watch_table *t, const struct watch_root *root,
                                    uint64_t inode) {
  struct watch_row *row = *bucket(t, WATCH_INODE, inode_key(inode));
  while (row && !(row->inode == inode && row->root == root)) row = row->links[WATCH_INODE].next;
  return row;
}

struct watch_row *watch_table_like(const struct watch_table *t, uint64_t size, int64_t mtime_ns,
                                   struct watch_row *after) {
  struct watch_row *row =
      after ? after->links[WATCH_STAMP].next : *bucket(t, WATCH_STAMP, stamp_key(size, mtime_ns));
  while (row && !(row->size == size && row->mtime_ns == mtime_ns && row->taken_at))
    row = row->links[WATCH_STAMP].next;
  return row;
}

struct watch_row *watch_row_add(struct watch_table *t, struct ck_str path) {
  struct watch_row *row = ck_zalloc(sizeof *row);
  if (t->count >= t->room) make_room(t, t->room * 2);
  row->path = ck_str_dup(path);
  for (int k = 0; k < WATCH_KEYS; ++k) link_row(t, row, (enum watch_key)k);
  ++t->count;
  return row;
}

struct watch_row *watch_table_add(struct watch_table *t, const char *path) {
  return watch_row_add(t, ck_str_of(path));
}

void watch_row_drop(struct watch_table *t, struct watch_row *row) {
  for (int k = 0; k < WATCH_KEYS; ++k) unlink_row(row, (enum watch_key)k);
  --t->count;
  free(row->path);
  free(row);
}

void watch_row_set(struct watch_table *t, struct watch_row *row, uint64_t inode, uint64_t size,
                   int64_t mtime_ns) {
  unlink_row(row, WATCH_INODE);
  unlink_row(row, WATCH_STAMP);
  row->inode = inode;
  row->size = size;
  row->mtime_ns = mtime_ns;
  link_row(t, row, WATCH_INODE);
  link_row(t, row, WATCH_STAMP);
}

void watch_table_move(struct watch_table *t, struct watch_row *row, const char *path) {
  watch_file_remove(t, row);
  unlink_row(row, WATCH_PATH);
  free(row->path);
  row->path = ck_strdup(path);
  link_row(t, row, WATCH_PATH);
  watch_file_put(t, row);
}

void watch_table_taken(struct watch_table *t, struct watch_row *row, const struct stat *st,
                       const struct watch_mark *mark) {
  watch_row_set(t, row, (uint64_t)st->st_ino, (uint64_t)st->st_size, watch_mtime_ns(st));
  row->mark = *mark;
  row->taken_at = ck_now_ms();
  watch_file_put(t, row);
}

void watch_table_born(struct watch_table *t, struct watch_row *row, const struct stat *st) {
  const struct ck_str nothing = {0};
  const uint64_t hash = ck_hash_64(&nothing, 1);
  watch_row_set(t, row, (uint64_t)st->st_ino, 0, 0);
  row->mark = (struct watch_mark){.head = hash, .tail = hash};
  row->taken_at = ck_now_ms();
  watch_file_put(t, row);
}

void watch_table_remove(struct watch_table *t, struct watch_row *row) {
  watch_file_remove(t, row);
  watch_row_drop(t, row);
}

void watch_table_each(struct watch_table *t, void (*each)(void *self, struct watch_row *row),
                      void *self) {
  struct watch_row *next;
  for (size_t i = 0; i < t->room; ++i)
    for (struct watch_row *row = t->buckets[WATCH_PATH][i]; row; row = next) {
      next = row->links[WATCH_PATH].next;
      each(self, row);
    }
}

size_t watch_table_count(const struct watch_table *t) { return t->count; }

/* ---- the table ---- */

static void forget(void *self, struct watch_row *row) {
  struct watch_table *t = self;
  row->taken_at = 0;
  if (!row->root) watch_row_drop(t, row);
}

bool watch_table_of(struct watch_table *t, const char *store, const char *readers) {
  bool same = strcmp(t->store, store) == 0 && strcmp(t->readers, readers) == 0;
  if (same) return false;
  snprintf(t->store, sizeof t->store, "%s", store);
  snprintf(t->readers, sizeof t->readers, "%s", readers);
  watch_table_each(t, forget, t);
  watch_file_write_again(t);
  return true;
}

struct watch_table *watch_table_open(const char *dir) {
  struct watch_table *t = ck_zalloc(sizeof *t);
  t->path = ck_sprintf("%s/" WATCH_FILE, dir);
  t->fd = -1;
  make_room(t, LEAST);
  watch_file_read(t);
  return t;
}

static void free_row(void *self, struct watch_row *row) {
  (void)self;
  free(row->path);
  free(row);
}

void watch_table_close(struct watch_table **table) {
  struct watch_table *t = *table;
  if (!t) return;
  watch_table_each(t, free_row, NULL);
  watch_file_close(t);
  for (int k = 0; k < WATCH_KEYS; ++k) free(t->buckets[k]);
  free(t->path);
  free(t);
  *table = NULL;
}
