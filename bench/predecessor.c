/* The predecessor's way; see predecessor.h. */
#include "bench/predecessor.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench/bare.h"
#include "bench/common.h"
#include "proto/clock.h"
#include "store/database/db.h"

/* A queue entry is the table, the record's id, the operation and the row's columns:
 * docs/records.md, Mirroring. */
static const char queue_table[] =
    "CREATE TABLE outbox (id INTEGER PRIMARY KEY AUTOINCREMENT, tbl TEXT NOT NULL, record_id TEXT "
    "NOT NULL, operation TEXT NOT NULL, payload TEXT NOT NULL,"
    " created_at INTEGER NOT NULL) STRICT";
static const char queue_one[] = "INSERT INTO outbox (tbl, record_id, operation, payload, "
                                "created_at) VALUES (?1, ?2, 'insert', ?3, ?4)";

static void row_json(struct ck_buf *out, const struct ck_row *row) {
  const struct ck_table_info *info = &ck_tables[row->table];
  for (int c = 0; c < info->columns; ++c) {
    ck_buf_printf(out, "%s\"%s\":", c ? "," : "{", info->fields[c].name);
    if (row->v[c].state == CK_TEXT)
      ck_buf_json_str(out, row->v[c].as.s);
    else if (row->v[c].state == CK_INT)
      ck_buf_printf(out, "%lld", (long long)row->v[c].as.i);
    else
      ck_buf_text(out, "null");
  }
  ck_buf_text(out, "}");
}

static void queue(sqlite3 *db, sqlite3_stmt *s, const struct ck_row *row, struct ck_str json) {
  const struct ck_table_info *info = &ck_tables[row->table];
  db_bind_str(s, 1, ck_str_of(info->name));
  db_bind_value(s, 2, &row->v[info->key]);
  db_bind_str(s, 3, json);
  sqlite3_bind_int64(s, 4, ck_now_ms());
  if (sqlite3_step(s) != SQLITE_DONE) bench_fail("predecessor: %s", sqlite3_errmsg(db));
  sqlite3_reset(s);
}

static void make_folders(char *path) {
  for (char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
    *slash = '\0';
    if (mkdir(path, 0700) && errno != EEXIST) bench_fail("%s: %s", path, strerror(errno));
    *slash = '/';
  }
}

static void write_file(const char *path, struct ck_str content) {
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0 || write(fd, content.s, content.n) != (ssize_t)content.n || close(fd))
    bench_fail("%s: %s", path, strerror(errno));
}

static void write_files(const struct ck_row *message, struct ck_str json) {
  char path[PATH_MAX];
  struct ck_str at = ck_row_text(message, CK_MESSAGES_STATIC_PATH);
  int n = snprintf(path, sizeof path, "artifacts/%.*s", (int)at.n, at.s);
  make_folders(path);
  write_file(path, ck_row_text(message, CK_MESSAGES_RAW_TEXT));
  memcpy(path + n - 3, "json", 5);
  write_file(path, json);
}

double bench_predecessor(const struct bench_load *load, bool full) {
  struct bench_bare *b = bench_bare_open(load);
  struct ck_buf json = {0};
  struct ck_err err;
  sqlite3 *db = bench_bare_db(b);
  sqlite3_stmt *entry = NULL;
  if (db_exec(db, full ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL", &err) ||
      db_exec(db, queue_table, &err) || !(entry = db_prepare(db, queue_one, &err)))
    bench_fail("predecessor: %s", err.text);
  bench_calm();
  int64_t began = ck_mono_us();
  for (size_t i = 0; i < load->n; ++i) {
    for (int k = 0; k < BENCH_ROWS; ++k) {
      const struct ck_row *row = bench_bare_write(b, i, k);
      ck_buf_clear(&json);
      row_json(&json, row);
      if (row->table == CK_MESSAGES) write_files(row, ck_buf_view(&json));
      queue(db, entry, row, ck_buf_view(&json));
    }
  }
  double seconds = (double)(ck_mono_us() - began) / 1e6;
  bench_bare_close(&b); /* finalizes every statement */
  ck_buf_free(&json);
  return (double)load->n / seconds;
}
