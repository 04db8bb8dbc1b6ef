/* See attach_rows.h. */
#include "cli/import/attach_rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/import/name.h"
#include "proto/attachment.h"

static const char *keep(struct attach_rows *rows, struct ck_str text) {
  rows->bytes += text.n;
  return ck_arena_copy(&rows->texts, text).s;
}

/* The path of the attachment with this hash, beside the database of that path. */
static const char *beside(struct attach_rows *rows, const char *database, const char *hash) {
  char path[CK_ATTACHMENT_PATH];
  struct ck_buf b = {0};
  ck_attachment_path(path, ck_str_of(hash), true);
  ck_buf_add(&b, database, (size_t)(cli_name_own(database) - database));
  ck_buf_text(&b, CK_PLACE_ATTACHMENTS "/");
  ck_buf_text(&b, path);
  rows->bytes += b.len;
  return ck_arena_keep(&rows->texts, &b).s;
}

bool attach_rows_add(struct attach_rows *rows, const struct attach_row *row, const char *database,
                     const char *container) {
  if (rows->bytes + rows->count * sizeof *row > ATTACH_ROWS_BYTES) return false;
  if (rows->count == rows->room)
    rows->list =
        ck_realloc(rows->list, (rows->room = rows->room ? rows->room * 2 : 64) * sizeof *row);
  rows->list[rows->count++] =
      (struct attach_row){.path = beside(rows, database, row->hash),
                          .container = container ? beside(rows, container, row->hash) : NULL,
                          .hash = keep(rows, ck_str_of(row->hash)),
                          .name = keep(rows, ck_str_of(row->name)),
                          .file = keep(rows, ck_str_of(row->file)),
                          .type = keep(rows, ck_str_of(row->type)),
                          .bytes = row->bytes};
  return true;
}

static int by_path(const void *a, const void *b) {
  const struct attach_row *x = a, *y = b;
  int order = strcmp(x->path, y->path);
  return order ? order : strcmp(x->name, y->name);
}

void attach_rows_sort(struct attach_rows *rows) {
  size_t kept = 0;
  if (rows->count) qsort(rows->list, rows->count, sizeof *rows->list, by_path);
  for (size_t i = 0; i < rows->count; ++i)
    if (!kept || by_path(&rows->list[i], &rows->list[kept - 1]) != 0)
      rows->list[kept++] = rows->list[i];
  rows->count = kept;
}

struct attach_row *attach_rows_find(const struct attach_rows *rows, const char *path, size_t *n) {
  size_t low = 0, high = rows->count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (strcmp(rows->list[middle].path, path) < 0)
      low = middle + 1;
    else
      high = middle;
  }
  for (*n = 0; low + *n < rows->count && strcmp(rows->list[low + *n].path, path) == 0;) ++*n;
  return *n ? &rows->list[low] : NULL;
}

void attach_rows_free(struct attach_rows *rows) {
  free(rows->list);
  ck_arena_free(&rows->texts);
  *rows = (struct attach_rows){0};
}

bool attach_is_place(const char *path) {
  struct ck_str all = ck_str_of(path), hash = ck_str_of(cli_name_own(path));
  char own[CK_ATTACHMENT_PATH], end[sizeof CK_PLACE_ATTACHMENTS + CK_ATTACHMENT_PATH];
  if (!ck_sha256_is_hex(hash)) return false;
  ck_attachment_path(own, hash, true);
  int n = snprintf(end, sizeof end, CK_PLACE_ATTACHMENTS "/%s", own);
  if (!ck_str_ends(all, end)) return false;
  return all.n == (size_t)n || strchr("/ ", all.s[all.n - (size_t)n - 1]);
}
