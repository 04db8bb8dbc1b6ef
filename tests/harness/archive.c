/* See archive.h. */
#include "tests/harness/archive.h"

#include <archive.h>
#include <archive_entry.h>
#include <stdio.h>
#include <stdlib.h>

static void check(bool ok, struct archive *a) {
  if (ok) return;
  fprintf(stderr, "libarchive: %s\n", archive_error_string(a));
  abort();
}

static void add(struct archive *a, const struct t_member *file) {
  struct archive_entry *e = archive_entry_new();
  archive_entry_set_pathname(e, file->name);
  archive_entry_set_filetype(e, AE_IFREG);
  archive_entry_set_perm(e, 0600);
  archive_entry_set_size(e, (la_int64_t)file->bytes.n);
  check(archive_write_header(a, e) == ARCHIVE_OK, a);
  check(archive_write_data(a, file->bytes.s, file->bytes.n) == (la_ssize_t)file->bytes.n, a);
  archive_entry_free(e);
}

struct ck_buf t_archive(int format, int filter, const struct t_member *files, size_t n) {
  size_t room = 1 << 20, used = 0;
  for (size_t i = 0; i < n; ++i) room += files[i].bytes.n;
  struct ck_buf b = {0};
  char *bytes = ck_alloc(room);
  struct archive *a = archive_write_new();
  archive_write_add_filter(a, filter);
  archive_write_set_format(a, format ? format : ARCHIVE_FORMAT_RAW);
  check(archive_write_open_memory(a, bytes, room, &used) == ARCHIVE_OK, a);
  for (size_t i = 0; i < n; ++i) add(a, &files[i]);
  check(archive_write_close(a) == ARCHIVE_OK, a);
  archive_write_free(a);
  ck_buf_add(&b, bytes, used);
  free(bytes);
  return b;
}
