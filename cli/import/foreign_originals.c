/* See foreign_originals.h. A block is a compressed file, so archive.h unpacks it, within its
 * bounds. */
#include "cli/import/foreign_originals.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "cli/import/archive.h"
#include "cli/import/foreign_table.h"
#include "cli/import/source.h"
#include "proto/file.h"

#define BATCH (64 << 20) /* bytes that are written before the batch ends */
#define PIECE (256u << 10)

/* The runs of a log are those of a file, or of several that begin alike (docs/store.md). `before`:
 * what is before a run in its file; that of the chain, or else the last one before it. `files`:
 * each file by its last run. */
static const char list_sql[] =
    "WITH RECURSIVE before (run, last) AS MATERIALIZED (SELECT r.original, coalesce("
    "(SELECT p.original FROM main.originals p WHERE p.log = r.log AND p.age < r.age"
    " AND r.window > 0 AND p.window BETWEEN 1 AND r.window AND p.age + p.lines = r.age"
    " AND p.chain_end = r.chain ORDER BY p.window DESC LIMIT 1),"
    "(SELECT p.original FROM main.originals p WHERE p.log = r.log AND p.age < r.age"
    " AND p.age + max(p.lines, 1) <= r.age ORDER BY p.age DESC LIMIT 1),"
    "(SELECT p.original FROM main.originals p WHERE p.log = r.log AND p.age < r.age"
    " ORDER BY p.age DESC LIMIT 1)) FROM main.originals r WHERE r.log <> 0),"
    " files (file, run) AS (SELECT run, run FROM before"
    " WHERE run NOT IN (SELECT last FROM before WHERE last IS NOT NULL)"
    " UNION ALL SELECT f.file, b.last FROM files f JOIN before b USING (run)"
    " WHERE b.last IS NOT NULL)"
    " SELECT block, at, bytes, reader, iif(conversation = 0, max(age, 1), 0), log, file"
    " FROM (SELECT *, 0 AS file FROM main.originals WHERE log = 0"
    " UNION ALL SELECT o.*, file FROM files JOIN main.originals o ON o.original = run)"
    " ORDER BY log, file, iif(log = 0, 0, age), iif(log = 0, reader, ''), block, at";

struct foreign_originals {
  sqlite3 *db;
  sqlite3_stmt *list, *part;
  bool pending;      /* the list is at a row that was not written yet */
  bool over;         /* the list cannot be read on */
  char *reader;      /* of the batch */
  int64_t log, file; /* likewise */
  int packed;        /* a nameless file with the data of a block */
  struct cli_archive *archive;
  int64_t block; /* that is being unpacked */
  int64_t at;    /* bytes of it so far */
  char *bytes;   /* PIECE of them */
};

/* ---- opening ---- */

static int prepare(struct foreign_originals *o, struct ck_err *err) {
  static const char *const tables[] = {"originals", "block_parts"};
  for (size_t i = 0; i < sizeof tables / sizeof *tables; ++i) {
    const char *is;
    if (foreign_is_plain(o->db, tables[i], &is, err) <= 0) return -1;
  }
  o->list = foreign_prepare(o->db, list_sql, err);
  o->part = foreign_prepare(
      o->db, "SELECT data FROM main.block_parts WHERE block = ?1 ORDER BY part", err);
  return o->list && o->part && (o->packed = cli_nameless(err)) >= 0 ? 0 : -1;
}

struct foreign_originals *foreign_originals_open(const char *file, struct ck_err *err) {
  struct foreign_originals *o = ck_zalloc(sizeof *o);
  o->packed = -1;
  o->bytes = ck_alloc(PIECE);
  err->text[0] = '\0';
  if (foreign_open(file, &o->db, err) || prepare(o, err)) foreign_originals_free(&o);
  return o;
}

void foreign_originals_free(struct foreign_originals **originals) {
  struct foreign_originals *o = *originals;
  if (!o) return;
  cli_archive_free(&o->archive);
  sqlite3_finalize(o->list);
  sqlite3_finalize(o->part);
  sqlite3_close(o->db);
  if (o->packed >= 0) close(o->packed);
  free(o->reader);
  free(o->bytes);
  free(o);
  *originals = NULL;
}

/* ---- bytes ---- */

static int write_all(int fd, const char *bytes, size_t n, struct ck_err *err) {
  if (ck_write_all(fd, (struct ck_str){bytes, n}) == 0) return 0;
  return ck_fail(err, "run: %s", strerror(errno));
}

/* What is in a block is handed over as it is. */
static bool opens_nothing(const char *name) {
  (void)name;
  return false;
}

/* Writes the block's data into the nameless file, and begins to unpack it. */
static int open_block(struct foreign_originals *o, int64_t block, struct ck_err *err) {
  const char *name;
  cli_archive_free(&o->archive);
  o->at = 0;
  o->block = block;
  if (ftruncate(o->packed, 0) || lseek(o->packed, 0, SEEK_SET) < 0)
    return ck_fail(err, "run: %s", strerror(errno));
  sqlite3_bind_int64(o->part, 1, block);
  int rc, bad = 0;
  while (bad == 0 && (rc = sqlite3_step(o->part)) != SQLITE_DONE)
    bad = rc == SQLITE_ROW ? write_all(o->packed, sqlite3_column_blob(o->part, 0),
                                       (size_t)sqlite3_column_bytes(o->part, 0), err)
                           : ck_fail(err, "%s", foreign_why(o->db));
  sqlite3_reset(o->part);
  if (bad) return -1;
  if (lseek(o->packed, 0, SEEK_SET) < 0) return ck_fail(err, "run: %s", strerror(errno));
  o->archive = cli_archive_new(o->packed, opens_nothing);
  rc = cli_archive_next(o->archive, &name, err);
  return rc > 0 ? 0 : rc < 0 ? -1 : ck_fail(err, "it is empty");
}

/* Reads on in the block: n bytes, to the file, or nowhere if it is -1. */
static int pass_on(struct foreign_originals *o, int64_t n, int to, struct ck_err *err) {
  while (n > 0) {
    size_t most = n < (int64_t)PIECE ? (size_t)n : PIECE;
    ssize_t k = cli_archive_read(o->archive, o->bytes, most, err);
    if (k <= 0) return k < 0 ? -1 : ck_fail(err, "it ends too soon");
    if (to >= 0 && write_all(to, o->bytes, (size_t)k, err)) return -1;
    o->at += k;
    n -= k;
  }
  return 0;
}

/* Writes the original that the list is at. */
static int write_one(struct foreign_originals *o, int to, struct ck_err *err) {
  int64_t block = sqlite3_column_int64(o->list, 0), at = sqlite3_column_int64(o->list, 1),
          bytes = sqlite3_column_int64(o->list, 2);
  bool goes_on = o->archive && o->block == block && o->at <= at;
  int rc = at < 0 || bytes < 0 ? ck_fail(err, "it is nowhere") : 0;
  if (rc == 0 && !goes_on) rc = open_block(o, block, err);
  if (rc == 0) rc = pass_on(o, at - o->at, -1, err);
  if (rc == 0) rc = pass_on(o, bytes, to, err);
  if (rc == 0) return write_all(to, "\n", 1, err);
  cli_archive_free(&o->archive);
  return ck_fail_in(err, "an original in block %lld", (long long)block);
}

/* ---- batches ---- */

static bool is_of_batch(struct foreign_originals *o, uint64_t count, uint64_t *first) {
  const char *reader = (const char *)sqlite3_column_text(o->list, 3);
  int64_t own = sqlite3_column_int64(o->list, 4), log = sqlite3_column_int64(o->list, 5),
          file = sqlite3_column_int64(o->list, 6);
  if (!reader) reader = "";
  if (count && o->log) return log == o->log && file == o->file;
  if (count) return *first == 0 && own <= 0 && strcmp(o->reader, reader) == 0;
  *first = own > 0 ? (uint64_t)own : 0;
  o->log = log;
  o->file = file;
  free(o->reader);
  o->reader = ck_strdup(reader);
  return true;
}

/* SQLITE_ROW: the list is at the next one. */
static int next_row(struct foreign_originals *o) {
  int rc = o->pending ? SQLITE_ROW : sqlite3_step(o->list);
  o->pending = rc == SQLITE_ROW;
  return rc;
}

int foreign_originals_next(struct foreign_originals *o, int to, uint64_t *count, uint64_t *first,
                           struct ck_err *err) {
  int rc;
  *count = *first = 0;
  if (o->over) return 0;
  while ((rc = next_row(o)) == SQLITE_ROW && is_of_batch(o, *count, first)) {
    off_t begun = lseek(to, 0, SEEK_CUR);
    if (begun >= BATCH && !o->log) break;
    o->pending = false;
    if (write_one(o, to, err)) {
      bool cut = ftruncate(to, begun) == 0 && lseek(to, begun, SEEK_SET) == begun;
      return cut ? -1 : ck_fail(err, "run: %s", strerror(errno));
    }
    ++*count;
  }
  o->over = rc != SQLITE_ROW; /* after its end a statement would begin again */
  if (rc == SQLITE_ROW || rc == SQLITE_DONE) return *count > 0;
  return ck_fail(err, "originals: %s", foreign_why(o->db));
}
