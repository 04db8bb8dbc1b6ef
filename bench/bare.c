#include "bench/bare.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/clock.h"
#include "store/db.h"

/* What a later observation of the same conversation changes. */
static const char *const merges[BENCH_ROWS] = {
    NULL,
    "ON CONFLICT (id) DO UPDATE SET version = excluded.version, last_activity_at = excluded.last_activity_at,"
    " message_count = message_count + excluded.message_count",
    "ON CONFLICT (local_conversation_id) DO UPDATE SET version = excluded.version, last_message_id = excluded.last_message_id,"
    " last_message_at = excluded.last_message_at, updated_at = excluded.updated_at",
    "ON CONFLICT (platform, remote_conversation_id) DO UPDATE SET version = excluded.version, observed_at = excluded.observed_at,"
    " updated_at = excluded.updated_at",
};
static const char producer[] = "INSERT INTO producers (id, epoch, applied, refused, results) VALUES ('bare', 1, ?1, 0, '')"
                               " ON CONFLICT (id) DO UPDATE SET applied = excluded.applied";
static const char counts[] = "UPDATE store SET messages = messages + ?1";
static const char key[] = "INSERT INTO message_keys_new (version, id, layer) VALUES (?1, ?2, 0)"; /* store/keys/ */

enum { BEGIN = BENCH_ROWS, COMMIT, PRODUCER, COUNTS, KEY, STATEMENTS };

struct bench_bare {
  sqlite3 *db;
  sqlite3_stmt *stmt[STATEMENTS];
  struct ck_row (*rows)[BENCH_ROWS];
  struct ck_arena arena; /* their text */
  int64_t version;
  /* The newest row of each conversation in this commit, and how many messages it had. */
  const struct ck_row *newest[BENCH_CONVERSATIONS];
  int64_t messages[BENCH_CONVERSATIONS];
};

static sqlite3_stmt *prepare(struct bench_bare *b, const char *sql) {
  struct ck_err err;
  sqlite3_stmt *s = db_prepare(b->db, sql, &err);
  if (!s) bench_fail("bare: %s", err.text);
  return s;
}

static void prepare_all(struct bench_bare *b) {
  for (int i = 0; i < BENCH_ROWS; ++i) {
    enum ck_table t = b->rows[0][i].table;
    struct ck_buf sql = {0};
    ck_buf_printf(&sql, "INSERT INTO %s (version, ", ck_tables[t].name);
    db_columns(&sql, t, "");
    ck_buf_text(&sql, ") VALUES (?1");
    for (int c = 0; c < ck_tables[t].columns; ++c) ck_buf_printf(&sql, ", ?%d", c + 2);
    ck_buf_printf(&sql, ") %s", merges[i] ? merges[i] : "");
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
  if (sqlite3_step(b->stmt[which]) != SQLITE_DONE) bench_fail("bare: %s: %s", sqlite3_sql(b->stmt[which]), sqlite3_errmsg(b->db));
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
    for (int k = 0; k < BENCH_ROWS; ++k) write_row(b, k, &b->rows[i][k]);
    number(b, PRODUCER, (int64_t)i + 1);
  }
}

/* The load's conversation ids end in their number. */
static size_t conversation_of(const struct ck_row rows[BENCH_ROWS]) {
  struct ck_str id = ck_row_text(&rows[0], CK_MESSAGES_CONVERSATION_ID);
  char digits[13] = "";
  memcpy(digits, id.s + id.n - 12, 12);
  return strtoul(digits, NULL, 16);
}

static void write_once(struct bench_bare *b, size_t from, size_t to) {
  memset(b->newest, 0, sizeof b->newest);
  memset(b->messages, 0, sizeof b->messages);
  for (size_t i = from; i < to; ++i) {
    size_t c = conversation_of(b->rows[i]);
    write_row(b, 0, &b->rows[i][0]);
    b->newest[c] = b->rows[i];
    ++b->messages[c];
  }
  for (int k = 1; k < BENCH_ROWS; ++k)
    for (size_t c = 0; c < BENCH_CONVERSATIONS; ++c) {
      if (!b->newest[c]) continue;
      struct ck_row row = b->newest[c][k];
      if (row.table == CK_SESSIONS) row.v[CK_SESSIONS_MESSAGE_COUNT] = ck_int(b->messages[c]);
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
  b->rows = ck_alloc(load->n * sizeof *b->rows);
  for (size_t i = 0; i < load->n; ++i) bench_load_rows(b->rows[i], load->changesets[i], &b->arena);
  if (db_open_writer(&b->db, (int)ck_set_int(bench_settings(), CK_SET_STORE_CACHE), &err) || db_grow_wal(b->db, &err)) bench_fail("bare: %s", err.text);
  prepare_all(b);
  return b;
}

sqlite3 *bench_bare_db(struct bench_bare *b) { return b->db; }

const struct ck_row *bench_bare_write(struct bench_bare *b, size_t i, int k) {
  write_row(b, k, &b->rows[i][k]);
  return &b->rows[i][k];
}

void bench_bare_close(struct bench_bare **b) {
  db_close(&(*b)->db);
  free((*b)->rows);
  ck_arena_free(&(*b)->arena);
  free(*b);
  *b = NULL;
}

double bench_bare(const struct bench_load *load, unsigned per_commit, enum bench_bare_rows how, struct bench_series *commit_ms) {
  struct bench_bare *b = bench_bare_open(load);
  bench_calm();
  int64_t began = ck_mono_us();
  for (size_t i = 0; i < load->n; i += per_commit) {
    int64_t at = ck_mono_us();
    commit(b, i, i + per_commit < load->n ? i + per_commit : load->n, how);
    bench_add(commit_ms, (double)(ck_mono_us() - at) / 1000);
  }
  double seconds = (double)(ck_mono_us() - began) / 1e6;
  bench_bare_close(&b);
  return (double)load->n / seconds;
}
