/* A store with ten million messages, compared with an empty one: changesets a second, memory, and
 * how soon it is ready after a kill.
 *
 *   growth          does both of the following, and leaves nothing
 *   growth fill     makes the large store in CONVKEEP_BENCH_DATA, which takes minutes
 *   growth measure  measures with it; may be repeated, but every round adds messages
 *
 * BENCH_GROWTH: the number of messages. They are inserted by SQL, in the state in which a store
 * that has grown to this size would have them. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "bench/common.h"
#include "bench/producer.h"
#include "proto/clock.h"
#include "store/format/migrations.h"
#include "store/keys/keys.h"

#define MESSAGES 10000000
#define FIRST_CHANGESETS 1000
#define FIRST_LAYER 131072
/* Enough that reading pages from the disk after the start hardly counts; fewer than the ids that
 * the empty store keeps in memory. */
#define CHANGESETS 60000
#define IN_FLIGHT 256
#define FILL_CACHE_MIB 1024
#define FIRST_AT INT64_C(1735700000000)

struct filling {
  sqlite3 *db;
  sqlite3_stmt *insert;
  struct ck_row row;
  uint64_t first, version;
};

static void sql(sqlite3 *db, const char *text) {
  struct ck_err err;
  if (db_exec(db, text, &err)) bench_fail("%s", err.text);
}

/* ---- filling ---- */

/* The ids ascend, so that they need not be sorted, and are random within each step. */
static void put_message(struct filling *f, uint64_t i, uint64_t n, uint64_t *chance) {
  char id[40], text[BENCH_TEXT + 1], conversation[64], path[80];
  *chance = *chance * 6364136223846793005u + 1442695040888963407u;
  snprintf(id, sizeof id, "%016llx%016llx",
           (unsigned long long)((double)i / (double)n * 18446744073709549568.0),
           (unsigned long long)*chance);
  snprintf(conversation, sizeof conversation, "chatgpt:6f9619ff-8b86-4d01-b42d-%012x",
           (unsigned)(*chance >> 33) % BENCH_CONVERSATIONS);
  snprintf(path, sizeof path, "msg/2025/01/01/%s.txt", id);
  for (size_t k = 0; k < BENCH_TEXT; ++k) text[k] = k % 7 == 6 ? ' ' : (char)('a' + k % 26);
  text[BENCH_TEXT] = '\0';
  f->row.v[CK_MESSAGES_ID] = ck_textz(id);
  f->row.v[CK_MESSAGES_CONVERSATION_ID] = ck_textz(conversation);
  f->row.v[CK_MESSAGES_STATIC_PATH] = ck_textz(path);
  f->row.v[CK_MESSAGES_RAW_TEXT] = ck_textz(text);
  f->row.v[CK_MESSAGES_OBSERVED_AT] = ck_int(FIRST_AT + (int64_t)i);
  sqlite3_bind_int64(f->insert, 1, (sqlite3_int64)++f->version);
  for (int k = 0; k < ck_tables[CK_MESSAGES].columns; ++k)
    db_bind_value(f->insert, k + 2, &f->row.v[k]);
  if (sqlite3_step(f->insert) != SQLITE_DONE) bench_fail("messages: %s", sqlite3_errmsg(f->db));
  sqlite3_reset(f->insert);
}

static void put_messages(struct filling *f, uint64_t n) {
  struct ck_buf b = {0};
  struct ck_err err;
  uint64_t chance = 1;
  ck_buf_text(&b, "INSERT INTO messages (version, ");
  db_columns(&b, CK_MESSAGES, "");
  ck_buf_text(&b, ") VALUES (?1");
  for (int c = 0; c < ck_tables[CK_MESSAGES].columns; ++c) ck_buf_printf(&b, ", ?%d", c + 2);
  ck_buf_text(&b, ")");
  f->insert = db_prepare(f->db, ck_buf_cstr(&b), &err);
  ck_buf_free(&b);
  if (!f->insert) bench_fail("%s", err.text);
  for (uint64_t i = 0; i < n; ++i) put_message(f, i, n, &chance);
}

/* Makes the key tables as the sweep of store/keys/ leaves them: layers of one, two, four and then
 * eight times FIRST_LAYER ids. Of the newest part, ids are still in memory: most of those just
 * ahead of the sweep (here it is at its start), few of those that it passed last. Pages are filled
 * in no order. An id's layer is chosen by its version modulo the number of parts, so that every
 * layer has ids from everywhere. */
static void put_keys(const struct filling *f, uint64_t n) {
  uint64_t parts = (n + FIRST_LAYER - 1) / FIRST_LAYER;
  char *text =
      ck_sprintf("CREATE TEMP TABLE k AS SELECT id, version, CASE WHEN part = 0 THEN 0 WHEN part < "
                 "3 THEN 1 WHEN part < 7 THEN 2 ELSE 3 + (part - 7) / 8 END AS layer,"
                 " CASE WHEN part = %llu AND turn %% 16 >= instr('0123456789abcdef', substr(id, 1, "
                 "1)) - 1 THEN 0 WHEN turn %% 10 < 6 THEN 1 ELSE 2 END AS level"
                 " FROM (SELECT id, version, version %% %llu AS part, version / %llu AS turn FROM "
                 "messages WHERE version > %llu);"
                 "INSERT INTO message_keys_new (version, id, layer) SELECT version, id, layer FROM "
                 "k WHERE level = 0;"
                 "INSERT INTO message_keys_sorted (layer, id, version) SELECT layer, id, version "
                 "FROM k WHERE level = 1 ORDER BY layer, id;"
                 "INSERT INTO message_keys_sorted (layer, id, version) SELECT layer, id, version "
                 "FROM k WHERE level = 2 ORDER BY layer, substr(id, 17);"
                 "DROP TABLE k;"
                 "DELETE FROM message_keys_filter; DELETE FROM message_keys_layers",
                 (unsigned long long)parts - 1, (unsigned long long)parts,
                 (unsigned long long)parts, (unsigned long long)f->first);
  sql(f->db, text);
  free(text);
}

/* Makes the filter now; otherwise the store would do so at its first start, for half a minute. */
static void make_filter(sqlite3 *db) {
  struct ck_err err;
  struct keys *k = keys_new(db, &err);
  if (!k) bench_fail("%s", err.text);
  keys_free(&k);
}

/* Records the readable files of the inserted messages as written. */
static void mark_artifacts(const struct filling *f) {
  struct ck_err err;
  sqlite3_stmt *q = db_prepare(f->db, "SELECT store_id FROM store", &err);
  FILE *cursor = fopen("artifacts/.cursor", "w");
  if (!q || sqlite3_step(q) != SQLITE_ROW || !cursor) bench_fail("artifacts/.cursor");
  fprintf(cursor, "%s %llu conversations\n", (const char *)sqlite3_column_text(q, 0),
          (unsigned long long)f->version);
  fclose(cursor);
  sqlite3_finalize(q);
}

static void fill(const struct ck_row *like, uint64_t n) {
  struct filling f = {.row = *like};
  struct ck_err err;
  if (db_open_writer(&f.db, store_migrations, FILL_CACHE_MIB, &err) ||
      db_head(f.db, &f.first, &err))
    bench_fail("%s", err.text);
  sql(f.db, "PRAGMA wal_checkpoint(TRUNCATE); PRAGMA journal_mode = DELETE; PRAGMA journal_mode = "
            "OFF; PRAGMA synchronous = OFF; PRAGMA temp_store = FILE; BEGIN");
  f.version = f.first;
  put_messages(&f, n);
  put_keys(&f, n);
  char *text =
      ck_sprintf("UPDATE store SET messages = messages + %llu; COMMIT", (unsigned long long)n);
  sql(f.db, text);
  free(text);
  make_filter(f.db);
  mark_artifacts(&f);
  sqlite3_finalize(f.insert);
  db_close(&f.db);
}

/* The store itself makes the conversations first. */
static void make_grown(uint64_t n) {
  struct bench_load load = bench_load_make(FIRST_CHANGESETS, 1);
  struct bench_pace pace = {.in_flight = IN_FLIGHT};
  struct bench_pushed pushed;
  bench_enter("grown");
  pid_t store = bench_daemon("store");
  bench_push(&load, &pace, &pushed);
  bench_stop(&store);
  struct bench_rows rows = bench_rows_of(&load);
  fill(&rows.at[0][0], n);
  bench_free(&pushed.latency_ms);
  bench_rows_free(&rows);
  bench_load_free(&load);
}

/* ---- measuring ---- */

struct figures {
  struct bench_series rate, memory, ready_ms;
};

static void round_of(struct figures *f, uint64_t seed) {
  struct bench_load load =
      bench_load_of((struct bench_kind){.n = CHANGESETS, .seed = seed, .at = ck_now_ms()});
  struct bench_pushed pushed;
  struct bench_pace pace = {.in_flight = IN_FLIGHT};
  pid_t store = bench_daemon("store");
  bench_push(&load, &pace, &pushed);
  bench_add(&f->rate, pushed.rate);
  bench_add(&f->memory, bench_memory(store, "VmHWM"));
  kill(store, SIGKILL);
  waitpid(store, NULL, 0);
  int64_t began = ck_mono_us();
  store = bench_daemon("store");
  bench_add(&f->ready_ms, (double)(ck_mono_us() - began) / 1000);
  bench_stop(&store);
  bench_free(&pushed.latency_ms);
  bench_load_free(&load);
}

static void measure(uint64_t n) {
  uint64_t seed = (uint64_t)ck_now_ms();
  struct figures none = {0}, grown = {0};
  struct bench_series ratio = {0};
  for (int r = 0; r < bench_rounds(); ++r) {
    bench_enter("none");
    round_of(&none, seed++);
    bench_leave();
    bench_return("grown");
    round_of(&grown, seed++);
    bench_add(&ratio, grown.rate.at[r] / none.rate.at[r]);
  }
  printf("## Growth\n\nChangesets a second at %d in flight, %s in each round. The large store was "
         "filled by SQL; as many of its pages as fit were in the page cache.\n\n"
         "| messages stored | changesets a second | memory at most MiB | ready after a kill ms |\n"
         "|--:|--:|--:|--:|\n",
         IN_FLIGHT, bench_number(CHANGESETS, 0));
  printf("| 0 | %s | %s | %s |\n", bench_cell(&none.rate, 0), bench_cell(&none.memory, 1),
         bench_cell(&none.ready_ms, 0));
  printf("| %s | %s | %s | %s |\n", bench_number((double)n, 0), bench_cell(&grown.rate, 0),
         bench_cell(&grown.memory, 1), bench_cell(&grown.ready_ms, 0));
  printf("\nThe rate is %s of that with none: %s. Memory: %s. Ready: %s.\n", bench_cell(&ratio, 2),
         bench_verdict("Growth: the rate with the large store, of that with none",
                       bench_share(&ratio, 0.5), true, 0.6, ""),
         bench_verdict("Growth: memory", bench_share(&grown.memory, 1), false, 128, " MiB"),
         bench_verdict("Growth: ready after a kill", bench_share(&grown.ready_ms, 1), false, 1000,
                       " ms"));
}

int main(int argc, char **argv) {
  const char *given = getenv("BENCH_GROWTH"), *part = argc > 1 ? argv[1] : "";
  uint64_t n = given ? strtoull(given, NULL, 10) : MESSAGES;
  bool fills = strcmp(part, "measure") != 0, measures = strcmp(part, "fill") != 0;
  if (fills) make_grown(n);
  if (measures) measure(n);
  if (fills && measures) bench_leave();
  return 0;
}
