/* The sqlite sink: values come back as they went, and a refused row harms no other. */
#include "syncd/sinks/sink.h"
#include "tests/unit/test_syncd_help.h"

#include <criterion/criterion.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Values through all of syncd with its sqlite sink, and back. */

static char folder[64];
static struct ck_settings *settings;
static void *sink;

static void setup(void) {
  struct ck_err err;
  strcpy(folder, "/tmp/syncd-values-XXXXXX");
  cr_assert(mkdtemp(folder));
  cr_assert_eq(chdir(folder), 0);
  settings = ck_settings_load("none.conf", &err);
  cr_assert(settings, "%s", err.text);
  cr_assert_eq(sync_sink_sqlite.open(&sink, settings, &err), 0, "%s", err.text);
}

static void teardown(void) {
  if (sink) sync_sink_sqlite.close(&sink);
  ck_settings_free(&settings);
  const char *left[] = {"mirror.db", "mirror.db-lock", "mirror.db-wal", "mirror.db-shm"};
  for (size_t i = 0; i < 4; ++i) unlink(left[i]);
  cr_expect_eq(rmdir(folder), 0);
}

TestSuite(syncd_values, .init = setup, .fini = teardown);

/* ---- random values ---- */

static uint64_t seed = 88172645463325252u;
static uint64_t dice(uint64_t n) {
  seed ^= seed << 13;
  seed ^= seed >> 7;
  seed ^= seed << 17;
  return seed % n;
}

static void put_utf8(struct ck_buf *b, uint32_t c) {
  char s[4];
  size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
  for (size_t i = n; i-- > 1; c >>= 6) s[i] = (char)(0x80 | (c & 0x3f));
  s[0] = (char)(n == 1 ? c : (0xf0u << (4 - n) & 0xffu) | c);
  ck_buf_add(b, s, n);
}

/* Any character of any plane, more often one that is special to SQL, JSON or C. */
static uint32_t any_char(void) {
  static const char special[] = "\0\x01\t\n\r\"\\'/;%_[]{},:\x7f";
  uint32_t c;
  if (dice(3) == 0) return (unsigned char)special[dice(sizeof special)];
  if (dice(2) == 0) return (uint32_t)(' ' + dice(95));
  do c = (uint32_t)dice(0x110000);
  while (c >= 0xd800 && c < 0xe000);
  return c;
}

static struct ck_value any_text(struct ck_arena *arena) {
  static const char *const odd[] = {"",
                                    "0123",
                                    "1e3",
                                    "null",
                                    "true",
                                    "{\"a\":1}",
                                    "[1]",
                                    "\"quoted\"",
                                    "9223372036854775808",
                                    "-0",
                                    " ",
                                    "NaN",
                                    "\xef\xbb\xbf"
                                    "bom"};
  struct ck_buf b = {0};
  if (dice(4) == 0) return ck_textz(odd[dice(sizeof odd / sizeof *odd)]);
  for (size_t n = (size_t)dice(dice(50) ? 30 : 3000); n; --n) put_utf8(&b, any_char());
  struct ck_value v = ck_text(ck_arena_copy(arena, ck_buf_view(&b)));
  ck_buf_free(&b);
  return v;
}

static struct ck_value any_int(void) {
  static const int64_t odd[] = {0,
                                1,
                                -1,
                                INT64_MAX,
                                INT64_MIN,
                                INT64_MAX - 1,
                                INT64_MIN + 1,
                                9007199254740993,
                                -9007199254740993,
                                1LL << 53,
                                4294967296};
  return ck_int(dice(2) ? odd[dice(sizeof odd / sizeof *odd)] : (int64_t)(seed * 2654435761u));
}

static struct ck_row any_row(struct ck_arena *arena, enum ck_table t, const char *key) {
  struct ck_row row = help_row(t, key);
  for (int c = 0; c < ck_tables[t].mirrored; ++c) {
    const struct ck_field *f = &ck_tables[t].fields[c];
    if (f->flags & CK_KEY) continue;
    if (f->flags & CK_OPTIONAL && dice(4) == 0) continue;
    row.v[c] = ck_kind_is_int(f->kind) ? any_int() : any_text(arena);
  }
  if (t == CK_LINKS) row.v[CK_LINKS_REMOTE_CONVERSATION_ID] = ck_textz(key); /* unique */
  if (t == CK_JOBS) row.v[CK_JOBS_MESSAGE_ID] = ck_textz(key);
  return row;
}

/* ---- there and back ---- */

static void apply(struct ck_str frame) {
  struct sync_batch b;
  struct sync_slices slices;
  struct ck_err err;
  cr_assert_eq(sync_batch_decode(&b, frame, &err), 0, "%s", err.text);
  sync_plan(&b, &sync_sink_sqlite.limits, &slices);
  for (size_t i = 0; i < slices.n; ++i) {
    struct sync_answer a;
    sync_sink_sqlite.begin(sink, &slices.at[i]);
    cr_assert(sync_sink_sqlite.step(sink, &a));
    cr_assert_eq(a.class, SYNC_DONE, "%s", a.text);
  }
  for (size_t i = 0; i < b.n; ++i)
    cr_assert_eq(b.rows[i].state, SYNC_ROW_OPEN, "%s", b.rows[i].reason);
  sync_slices_free(&slices);
  sync_batch_free(&b);
}

static struct ck_value column(sqlite3_stmt *st, int c) {
  switch (sqlite3_column_type(st, c)) {
  case SQLITE_INTEGER:
    return ck_int(sqlite3_column_int64(st, c));
  case SQLITE_TEXT:
    return ck_text((struct ck_str){(const char *)sqlite3_column_text(st, c),
                                   (size_t)sqlite3_column_bytes(st, c)});
  case SQLITE_NULL:
    return ck_null();
  default:
    return (struct ck_value){0};
  }
}

static void compare(sqlite3 *db, const struct ck_row *row, uint64_t version) {
  const struct ck_table_info *info = &ck_tables[row->table];
  char *sql = ck_sprintf("SELECT * FROM %s WHERE %s = '%.*s'", info->name,
                         info->fields[info->key].name, (int)ck_row_key(row).n, ck_row_key(row).s);
  sqlite3_stmt *st;
  cr_assert_eq(sqlite3_prepare_v2(db, sql, -1, &st, NULL), SQLITE_OK, "%s", sqlite3_errmsg(db));
  cr_assert_eq(sqlite3_step(st), SQLITE_ROW, "%s", sql);
  for (int c = 0; c < info->mirrored; ++c) {
    struct ck_value got = column(st, c);
    cr_assert(ck_value_eq(got, row->v[c]), "%s.%s of %.*s", info->name, info->fields[c].name,
              (int)ck_row_key(row).n, ck_row_key(row).s);
  }
  cr_assert_eq((uint64_t)sqlite3_column_int64(st, info->mirrored), version);
  sqlite3_finalize(st);
  free(sql);
}

#define ROUNDS 20
#define ROWS 600

Test(syncd_values, come_back_as_they_went) {
  static struct ck_row rows[ROWS];
  struct ck_arena arena = {0};
  sqlite3 *db = NULL;
  cr_assert_eq(sqlite3_open_v2("mirror.db", &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
  for (uint64_t round = 0; round < ROUNDS; ++round) {
    struct help_batch h;
    help_open(&h);
    for (unsigned i = 0; i < ROWS; ++i) {
      char key[16];
      snprintf(key, sizeof key, "k%u", i); /* the same keys each round, so there are updates too */
      rows[i] = any_row(&arena, (enum ck_table)(i % CK_TABLES),
                        ck_arena_copy(&arena, (struct ck_str){key, strlen(key) + 1}).s);
      help_add(&h, round * ROWS + i + 1, &rows[i]);
    }
    apply(help_close(&h, "sqlite", round + 1, round * ROWS, (round + 1) * ROWS));
    for (unsigned i = 0; i < ROWS; ++i) compare(db, &rows[i], round * ROWS + i + 1);
    help_free(&h);
    ck_arena_reset(&arena);
  }
  sqlite3_close(db);
  ck_arena_free(&arena);
}

Test(syncd_values, a_text_of_2_mb_and_nul_stay_whole) {
  static char text[2000000];
  struct help_batch h;
  memset(text, 0, sizeof text);
  memcpy(text + sizeof text - 3, "end", 3);
  struct ck_row row = help_row(CK_MESSAGES, "large");
  row.v[CK_MESSAGES_RAW_TEXT] = ck_text((struct ck_str){text, sizeof text});
  help_open(&h);
  help_add(&h, 1, &row);
  apply(help_close(&h, "sqlite", 1, 0, 1));
  sqlite3 *db;
  cr_assert_eq(sqlite3_open_v2("mirror.db", &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
  compare(db, &row, 1);
  sqlite3_close(db);
  help_free(&h);
}

/* A row that the mirror refuses is marked; the others of its transaction are kept. */
Test(syncd_values, a_row_that_is_refused_harms_no_other) {
  struct help_batch h;
  struct sync_batch b;
  struct sync_slices slices;
  struct sync_answer a;
  help_messages(&h, &b, 1, 5);
  b.rows[2].row.v[CK_MESSAGES_ROLE] = ck_null();
  sync_plan(&b, &sync_sink_sqlite.limits, &slices);
  sync_sink_sqlite.begin(sink, &slices.at[0]);
  cr_assert(sync_sink_sqlite.step(sink, &a));
  cr_expect_eq(a.class, SYNC_DONE, "%s", a.text);
  cr_expect_eq(a.written, 4);
  cr_expect_eq(b.rows[2].state, SYNC_ROW_DEAD);
  cr_expect(strstr(b.rows[2].reason, "messages.role"), "%s", b.rows[2].reason);
  sync_slices_free(&slices);
  sync_batch_free(&b);
  help_free(&h);
}

Test(syncd_values, a_table_that_is_gone_is_said_and_undoes_the_slice) {
  struct help_batch h;
  struct sync_batch b;
  struct sync_slices slices;
  struct sync_answer a;
  sqlite3 *db;
  cr_assert_eq(sqlite3_open("mirror.db", &db), SQLITE_OK);
  cr_assert_eq(sqlite3_exec(db, "DROP TABLE messages", NULL, NULL, NULL), SQLITE_OK);
  sqlite3_close(db);
  help_messages(&h, &b, 1, 5);
  sync_plan(&b, &sync_sink_sqlite.limits, &slices);
  sync_sink_sqlite.begin(sink, &slices.at[0]);
  cr_assert(sync_sink_sqlite.step(sink, &a));
  cr_expect_eq(a.class, SYNC_TABLE, "%s", a.text);
  sync_slices_free(&slices);
  sync_batch_free(&b);
  help_free(&h);
}
