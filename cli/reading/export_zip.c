/* See export_zip.h. */
#include "cli/reading/export_zip.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "proto/file.h"

struct export_zip {
  struct archive *archive;
  int fd;
  int error; /* of the first write that failed */
};

static int failed(const struct export_zip *z, struct ck_err *err) {
  int error = z->error ? z->error : archive_errno(z->archive);
  const char *why = archive_error_string(z->archive);
  return ck_fail(err, "%s", error > 0 ? strerror(error) : why ? why : "the zip cannot be written");
}

/* A failure is kept and not told to libarchive, which would end without freeing its compressor. */
static la_ssize_t write_block(struct archive *archive, void *self, const void *bytes, size_t n) {
  struct export_zip *z = self;
  (void)archive;
  if (!z->error && ck_write_all(z->fd, (struct ck_str){bytes, n})) z->error = errno;
  return (la_ssize_t)n;
}

struct export_zip *export_zip_new(int fd, struct ck_err *err) {
  struct export_zip *z = ck_zalloc(sizeof *z);
  z->fd = fd;
  z->archive = archive_write_new();
  if (z->archive && archive_write_set_format_zip(z->archive) == ARCHIVE_OK &&
      archive_write_set_options(z->archive, "zip:hdrcharset=UTF-8") == ARCHIVE_OK &&
      archive_write_set_bytes_in_last_block(z->archive, 1) == ARCHIVE_OK &&
      archive_write_open(z->archive, z, NULL, write_block, NULL) == ARCHIVE_OK)
    return z;
  failed(z, err);
  export_zip_free(&z);
  return NULL;
}

void export_zip_free(struct export_zip **zip) {
  struct export_zip *z = *zip;
  if (!z) return;
  archive_write_free(z->archive);
  free(z);
  *zip = NULL;
}

int export_zip_begin(struct export_zip *z, const char *name, int64_t at, struct ck_err *err) {
  struct archive_entry *entry = archive_entry_new();
  archive_entry_set_pathname_utf8(entry, name);
  archive_entry_set_filetype(entry, AE_IFREG);
  archive_entry_set_perm(entry, 0644);
  if (at > 0) archive_entry_set_mtime(entry, at / 1000, 0);
  int rc = archive_write_header(z->archive, entry);
  archive_entry_free(entry);
  return rc == ARCHIVE_OK && !z->error ? 0 : failed(z, err);
}

int export_zip_write(struct export_zip *z, struct ck_str bytes, struct ck_err *err) {
  while (bytes.n) {
    la_ssize_t n = archive_write_data(z->archive, bytes.s, bytes.n);
    if (n <= 0 || z->error) return failed(z, err);
    bytes.s += n;
    bytes.n -= (size_t)n;
  }
  return 0;
}

int export_zip_close(struct export_zip *z, struct ck_err *err) {
  return archive_write_close(z->archive) == ARCHIVE_OK && !z->error ? 0 : failed(z, err);
}
