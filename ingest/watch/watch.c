/* The folders that are followed, and what ingest's loop calls. */
#include "ingest/watch/watch_inner.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ingest/parse/json.h"
#include "ingest/sources/source.h"
#include "proto/clock.h"
#include "proto/log.h"
#include "proto/map.h"

/* Files that an older reader has read are read again by a newer one, so the table is of readers. */
static void name_readers(char out[33]) {
  struct ck_buf all = {0};
  for (const struct ingest_source *const *s = ingest_sources; *s; ++s)
    ck_buf_printf(&all, "%s %u\n", (*s)->name, (*s)->version);
  const struct ck_str part = ck_buf_view(&all);
  ck_hash_id(out, &part, 1);
  ck_buf_free(&all);
}

struct ingest_watch *ingest_watch_new(struct ingest_readings *readings, const char *dir) {
  struct ingest_watch *w = ck_zalloc(sizeof *w);
  w->readings = readings;
  w->memory = INGEST_WATCH_MEMORY;
  w->table = watch_table_open(dir);
  name_readers(w->readers);
  w->fd = -1;
  return w;
}

/* ---- which folders ---- */

static void unroot(void *self, struct watch_row *row) {
  (void)self;
  watch_row_of(row, NULL);
}

static void end_roots(struct ingest_watch *w) {
  watch_work_end(w);
  watch_table_each(w->table, unroot, NULL);
  for (size_t i = 0; i < w->root_count; ++i) w->roots[i].once_more = w->roots[i].whole = false;
  watch_scan_end(w);
  watch_folders_end(w);
  for (size_t i = 0; i < w->root_count; ++i) {
    free(w->roots[i].of.name);
    free(w->roots[i].of.folder);
  }
  free(w->roots);
  w->roots = NULL;
  w->root_count = 0;
}

void ingest_watch_free(struct ingest_watch **watch) {
  if (!*watch) return;
  end_roots(*watch);
  watch_table_close(&(*watch)->table);
  free(*watch);
  *watch = NULL;
}

static void find_root(void *self, struct watch_row *row) {
  struct ingest_watch *w = self;
  for (size_t i = 0; i < w->root_count; ++i) {
    const char *folder = w->roots[i].of.folder;
    size_t n = strlen(folder);
    if (strncmp(row->path, folder, n) == 0 && row->path[n] == '/') watch_row_of(row, &w->roots[i]);
  }
}

void ingest_watch_follow(struct ingest_watch *w, const struct ck_watched *list, size_t n) {
  end_roots(w);
  if (!n) return;
  w->roots = ck_zalloc(n * sizeof *w->roots);
  w->root_count = n;
  watch_folders_begin(w);
  for (size_t i = 0; i < n; ++i) {
    struct watch_root *root = &w->roots[i];
    root->of =
        (struct ck_watched){ck_strdup(list[i].name), ck_strdup(list[i].folder), list[i].given};
    ck_log(CK_INFO, "-", "watching", "name=%s folder=%s", root->of.name,
           ck_quotedz(root->of.folder));
  }
  watch_table_each(w->table, find_root, w);
  for (size_t i = 0; i < n; ++i) watch_scan_root(w, &w->roots[i]);
}

/* ---- the loop ---- */

int ingest_watch_fd(const struct ingest_watch *w) { return w->fd; }

int64_t ingest_watch_until(const struct ingest_watch *w) {
  int64_t until = w->scans ? 0 : watch_work_until(w);
  for (size_t i = 0; i < w->root_count; ++i)
    if (w->roots[i].rescan_at && w->roots[i].rescan_at < until) until = w->roots[i].rescan_at;
  return until;
}

static void scan_due(struct ingest_watch *w) {
  int64_t now = ck_boot_ms();
  bool missing = w->missing, all = true;
  w->missing = false;
  for (size_t i = 0; i < w->root_count; ++i) {
    struct watch_root *root = &w->roots[i];
    bool due = root->rescan_at && root->rescan_at <= now;
    if (due || (missing && !root->there)) watch_scan_root(w, root);
    all &= root->there;
  }
  if (all) watch_folders_alone(w);
}

/* The store has another id: what this one has, nobody knows. */
static void of_store(struct ingest_watch *w, const char *store) {
  if (!watch_table_of(w->table, store, w->readers)) return;
  watch_work_end(w);
  for (size_t i = 0; i < w->root_count; ++i) watch_scan_root(w, &w->roots[i]);
}

void ingest_watch_step(struct ingest_watch *w, const char *store, struct ingest_lookup *lookup,
                       bool room) {
  if (!w->root_count) return;
  if (*store) of_store(w, store);
  watch_folders_read(w);
  watch_remove_gone(w);
  scan_due(w);
  watch_scan_step(w);
  watch_work_step(w, *store ? lookup : NULL, room);
}

/* ---- what is said of it ---- */

static uint64_t more(uint64_t size, uint64_t taken) { return size > taken ? size - taken : 0; }

/* What the store has of a file that is being read. When it has all that was read, the half line at
 * the end counts as taken: only the writer can go on. */
static uint64_t stored(const struct watch_open *o) {
  if (o->settled) return o->fed;
  return o->marked ? o->mark.taken : 0;
}

static uint64_t behind(const struct ingest_watch *w, const struct watch_root *root) {
  uint64_t bytes = 0;
  for (const struct watch_row *row = w->due; row; row = row->next_due)
    if (row->root == root && !row->gone && !row->open)
      bytes += more(row->seen_size, row->mark.taken);
  for (const struct watch_open *o = w->opens; o; o = o->next)
    if (o->row->root == root && !o->row->gone) bytes += more(o->row->seen_size, stored(o));
  return bytes;
}

/* A path need not be UTF-8; what INFO says must be. */
static void pair_path(struct ck_map *m, const char *name, const char *path) {
  char shown[PATH_MAX];
  ck_pair_str(m, name, ingest_clean(shown, sizeof shown, ck_str_of(path)));
}

static void encode_root(struct ck_buf *out, const struct ingest_watch *w,
                        const struct watch_root *root) {
  struct ck_map m = ck_map_open(out);
  ck_pair_text(&m, "name", root->of.name);
  pair_path(&m, "folder", root->of.folder);
  ck_pair_bool(&m, "there", root->there);
  ck_pair_text(&m, "how", root->slow ? "rescans" : "events");
  ck_pair_text_or_nil(&m, "slow", root->slow);
  ck_pair_uint(&m, "files", root->files);
  ck_pair_bool(&m, "scanning", root->left > 0);
  ck_pair_uint(&m, "behind", behind(w, root));
  ck_pair_int(&m, "taken_at", root->taken_at);
  ck_pair_uint(&m, "unreadable", root->bad);
  ck_pair_text_or_nil(&m, "error",
                      root->error[0] ? root->error
                      : root->bad    ? root->bad_error
                                     : NULL);
  ck_map_close(&m);
}

void ingest_watch_encode(struct ck_buf *out, const struct ingest_watch *w) {
  ck_put_array(out, (uint32_t)w->root_count);
  for (size_t i = 0; i < w->root_count; ++i) encode_root(out, w, &w->roots[i]);
}
