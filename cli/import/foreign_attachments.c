/* See foreign_attachments.h. */
#include "cli/import/foreign_attachments.h"

#include <string.h>
#include "cli/import/foreign_table.h"
#include "proto/wire.h"

/* Text without NUL, of at most `most` bytes; else NULL. */
static const char *text_at(sqlite3_stmt *s, int column, size_t most) {
  if (sqlite3_column_type(s, column) != SQLITE_TEXT) return NULL;
  const char *text = (const char *)sqlite3_column_text(s, column);
  size_t n = (size_t)sqlite3_column_bytes(s, column);
  return text && n <= most && strlen(text) == n && ck_utf8_ok((struct ck_str){text, n}) ? text
                                                                                        : NULL;
}

static bool row_at(sqlite3_stmt *s, struct attach_row *row) {
  int64_t bytes = sqlite3_column_int64(s, 1);
  *row = (struct attach_row){.hash = text_at(s, 0, CK_SHA256_HEX),
                             .bytes = (uint64_t)bytes,
                             .type = text_at(s, 2, CK_ATTACHMENT_NAME),
                             .name = text_at(s, 3, CK_ATTACHMENT_NAME),
                             .file = text_at(s, 4, CK_ATTACHMENT_NAME)};
  return row->hash && row->type && row->name && *row->name && row->file && bytes >= 0 &&
         (uint64_t)bytes <= CK_ATTACHMENT_MAX && ck_sha256_is_hex(ck_str_of(row->hash));
}

static int read_rows(sqlite3 *db, bool (*row)(void *self, const struct attach_row *row), void *self,
                     uint64_t *bad, struct ck_err *err) {
  struct attach_row one;
  sqlite3_stmt *s = foreign_prepare(db,
                                    "SELECT a.hash, a.bytes, a.type, n.name, n.file"
                                    " FROM main.attachments a JOIN main.attachment_names n"
                                    " ON n.hash = a.hash",
                                    err);
  if (!s) return -1;
  int rc = SQLITE_DONE;
  bool room = true;
  while (room && (rc = sqlite3_step(s)) == SQLITE_ROW)
    if (row_at(s, &one))
      room = row(self, &one);
    else
      ++*bad;
  if (!room)
    ck_fail(err, "it lists too many attachments: the others are left out");
  else if (rc != SQLITE_DONE)
    ck_fail(err, "%s", foreign_why(db));
  sqlite3_finalize(s);
  return room && rc == SQLITE_DONE ? 0 : -1;
}

int foreign_attachments_read(const char *file,
                             bool (*row)(void *self, const struct attach_row *row), void *self,
                             uint64_t *bad, struct ck_err *err) {
  static const char *const tables[] = {"attachments", "attachment_names"};
  sqlite3 *db;
  const char *is;
  int there = 1;
  *bad = 0;
  if (foreign_open(file, &db, err)) return -1;
  for (size_t i = 0; there > 0 && i < sizeof tables / sizeof *tables; ++i)
    there = foreign_is_plain(db, tables[i], &is, err);
  int rc = there > 0 ? read_rows(db, row, self, bad, err) : there;
  sqlite3_close(db);
  return rc;
}
