/* SQLite without the store; see bare.h. */
#include "bench/bare.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "proto/clock.h"
#include "store/database/db.h"
#include "store/format/migrations.h"

static const char producer[] =
    "INSERT INTO producers (id, epoch, applied, refused, results, counts)"
    " VALUES ('bare', 1, ?1, 0, '', '')"
    " ON CONFLICT (id) DO UPDATE SET applied = excluded.applied";
static const char counts[] = "UPDATE store SET messages = messages + ?1";
static const char key[] =
    "INSERT INTO message_keys_new (version, id, layer) VALUES (?1, ?2, 0)"; /* store/keys/ */

enum { BEGIN = BENCH_ROWS, COMMIT, PRODUCER, COUNTS, KEY, STATEMENTS };

struct bench_bare {
  sqlite3 *db;
  sqlite3_stmt *stmt[STATEMENTS];
  struct bench_rows rows;
  struct bench_group group;
  int64_t version;
};

static sqlite3_stmt *prepare(struct bench_bare *b, const char *sql) {
  struct ck_err err;
  sqlite3_stmt *s = db_prepare(b->db, sql, &err);
  if (!s) bench_fail("bare: %s", err.text);
  return s;
}

static void prepare_all(struct bench_bare *b) {
  for (int i = 0; i < BENCH_ROWS; ++i) {
    enum ck_table t = b->rows.at[0][i].table;
    struct ck_buf sql = {0};
    ck_buf_printf(&sql, "INSERT INTO %s (version, ", ck_tables[t].name);
    db_columns(&sql, t, "");
    ck_buf_text(&sql, ") VALUES (?1");
    for (int c = 0; c < ck_tables[t].columns; ++c) ck_buf_printf(&sql, ", ?%d", c + 2);
    ck_buf_printf(&sql, ") %s", bench_merges[i] ? bench_merges[i] : "");
    b->stmt[i] = prepare(b, ck_buf_cstr(&sql));
    ck_buf_free(&sql);
  }
  b->stmt[BEGIN] = prepare(b, "BEGIN IMMEDIATE");
  b->stmt[COMMIT] = prepare(b, "COMMIT");
  b->stmt[PRODUCER] = prepare(b, producer);
  b->stmt[COUNTS] = prepare(b, counts);
  b->stmt[KEY] = prepare(b, key);
}

static void run(struct bench_bare *b, int which) {
  if (sqlite3_step(b->stmt[which]) != SQLITE_DONE)
    bench_fail("bare: %s: %s", sqlite3_sql(b->stmt[which]), sqlite3_errmsg(b->db));
  sqlite3_reset(b->stmt[which]);
}

static void write_row(struct bench_bare *b, int which, const struct ck_row *row) {
  sqlite3_stmt *s = b->stmt[which];
  sqlite3_bind_int64(s, 1, ++b->version);
  for (int c = 0; c < ck_tables[row->table].columns; ++c) db_bind_value(s, c + 2, &row->v[c]);
  run(b, which);
  if (row->table != CK_MESSAGES) return;
  sqlite3_bind_int64(b->stmt[KEY], 1, b->version);
  db_bind_value(b->stmt[KEY], 2, &row->v[CK_MESSAGES_ID]);
  run(b, KEY);
}

static void number(struct bench_bare *b, int which, int64_t value) {
  sqlite3_bind_int64(b->stmt[which], 1, value);
  run(b, which);
}

static void write_each(struct bench_bare *b, size_t from, size_t to) {
  for (size_t i = from; i < to; ++i) {
    for (int k = 0; k < BENCH_ROWS; ++k) write_row(b, k, &b->rows.at[i][k]);
    number(b, PRODUCER, (int64_t)i + 1);
  }
}

static void write_once(struct bench_bare *b, size_t from, size_t to) {
  bench_group_make(&b->group, &b->rows, from, to);
  for (size_t i = from; i < to; ++i) write_row(b, 0, &b->rows.at[i][0]);
  for (int k = 1; k < BENCH_ROWS; ++k)
    for (size_t i = 0; i < b->group.n; ++i) {
      struct ck_row row = bench_group_row(&b->group, i, k);
      write_row(b, k, &row);
    }
  number(b, PRODUCER, (int64_t)to);
}

static void commit(struct bench_bare *b, size_t from, size_t to, enum bench_bare_rows how) {
  run(b, BEGIN);
  if (how == BENCH_BARE_EACH)
    write_each(b, from, to);
  else
    write_once(b, from, to);
  number(b, COUNTS, (int64_t)(to - from));
  run(b, COMMIT);
}

struct bench_bare *bench_bare_open(const struct bench_load *load) {
  struct bench_bare *b = ck_zalloc(sizeof *b);
  struct ck_err err;
  b->rows = bench_rows_of(load);
  b->group = bench_group_new(&b->rows);
  if (db_open_writer(&b->db, store_migrations,
                     (int)ck_set_int(bench_settings(), CK_SET_STORE_CACHE), &err) ||
      db_grow_wal(b->db, &err))
    bench_fail("bare: %s", err.text);
  prepare_all(b);
  return b;
}

sqlite3 *bench_bare_db(struct bench_bare *b) { return b->db; }

const struct ck_row *bench_bare_write(struct bench_bare *b, size_t i, int k) {
  write_row(b, k, &b->rows.at[i][k]);
  return &b->rows.at[i][k];
}

void bench_bare_close(struct bench_bare **b) {
  db_close(&(*b)->db);
  bench_group_free(&(*b)->group);
  bench_rows_free(&(*b)->rows);
  free(*b);
  *b = NULL;
}

struct bench_bared bench_bare(const struct bench_load *load, unsigned per_commit,
                              enum bench_bare_rows how, struct bench_series *commit_ms) {
  struct bench_bare *b = bench_bare_open(load);
  struct bench_bared out;
  pid_t self = getpid(); /* the main thread, which does the work */
  bench_calm();
  struct bench_use before = bench_use_of(self, self);
  int64_t began = ck_mono_us();
  for (size_t i = 0; i < load->n; i += per_commit) {
    int64_t at = ck_mono_us();
    commit(b, i, i + per_commit < load->n ? i + per_commit : load->n, how);
    bench_add(commit_ms, (double)(ck_mono_us() - at) / 1000);
  }
  out.rate = (double)load->n * 1e6 / (double)(ck_mono_us() - began);
  out.use = bench_use_each(before, bench_use_of(self, self), load->n);
  bench_bare_close(&b);
  return out;
}
