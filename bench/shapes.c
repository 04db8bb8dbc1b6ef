/* The plain ways to bring messages to D1; see shapes.h. */
#include "bench/shapes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/cloud.h"
#include "proto/clock.h"
#include "proto/random.h"
#include "proto/wire.h"
#include "syncd/sql/mirror.h"

#define FIRST_AT 1767247200000
/* The most that fit into 100 parameters. */
#define VALUES_ROWS (96 / ((size_t)ck_tables[CK_MESSAGES].mirrored + 1))
#define BATCH_ROWS 1000

/* ---- messages ---- */

struct maker {
  struct ck_random random;
  size_t text, made;
  char id[40], conversation[40], path[64];
  char *words;
};

static struct maker maker_of(size_t text, uint64_t seed) {
  return (struct maker){.random = {seed}, .text = text, .words = ck_alloc(text + 1)};
}

/* A complete message row, as the store has it. Valid until the next call. */
static struct ck_row make_row(struct maker *m) {
  struct ck_row row = {.table = CK_MESSAGES};
  snprintf(m->id, sizeof m->id, "%016llx%016llx", (unsigned long long)ck_random_next(&m->random),
           (unsigned long long)ck_random_next(&m->random));
  snprintf(m->path, sizeof m->path, "msg/2026/01/01/%s.txt", m->id);
  snprintf(m->conversation, sizeof m->conversation, "6f9619ff-8b86-4d01-b42d-%012llx",
           (unsigned long long)(ck_random_next(&m->random) % 50));
  for (size_t k = 0; k < m->text; ++k)
    m->words[k] = k % 7 == 6 ? ' ' : (char)('a' + ck_random_next(&m->random) % 26);
  for (int c = 0; c < ck_tables[CK_MESSAGES].mirrored; ++c) row.v[c] = ck_null();
  row.v[CK_MESSAGES_ID] = ck_textz(m->id);
  row.v[CK_MESSAGES_PLATFORM] = ck_textz("chatgpt");
  row.v[CK_MESSAGES_CONVERSATION_ID] = ck_textz(m->conversation);
  row.v[CK_MESSAGES_ROLE] = ck_textz("assistant");
  row.v[CK_MESSAGES_RAW_TEXT] = ck_text((struct ck_str){m->words, m->text});
  row.v[CK_MESSAGES_OBSERVED_AT] = ck_int(FIRST_AT + (int64_t)m->made);
  row.v[CK_MESSAGES_STATIC_PATH] = ck_textz(m->path);
  row.v[CK_MESSAGES_CREATED_AT] = ck_int(FIRST_AT + (int64_t)m->made);
  ++m->made;
  return row;
}

struct bench_load shapes_load(size_t n, size_t text, size_t per_changeset, uint64_t seed) {
  struct maker m = maker_of(text, seed);
  struct bench_load load = {.n = (n + per_changeset - 1) / per_changeset};
  load.changesets = ck_alloc(load.n * sizeof *load.changesets);
  for (size_t i = 0; i < load.n; ++i) {
    struct ck_buf b = {0};
    size_t rows = n - i * per_changeset < per_changeset ? n - i * per_changeset : per_changeset;
    ck_put_array(&b, (uint32_t)rows);
    for (size_t k = 0; k < rows; ++k) {
      struct ck_row row = make_row(&m);
      ck_mutation_row(&b, CK_OP_PUT, &row);
    }
    load.changesets[i] = ck_arena_copy(&load.arena, ck_buf_view(&b));
    ck_buf_free(&b);
  }
  free(m.words);
  return load;
}

/* ---- requests ---- */

static void put_value(struct ck_buf *b, const struct ck_value *v) {
  if (v->state == CK_TEXT)
    ck_buf_json_str(b, v->as.s);
  else if (v->state == CK_INT)
    ck_buf_printf(b, "%lld", (long long)v->as.i);
  else
    ck_buf_text(b, "null");
}

static void put_values(struct ck_buf *b, const struct ck_row *row, size_t version) {
  for (int c = 0; c < ck_tables[row->table].mirrored; ++c) {
    put_value(b, &row->v[c]);
    ck_buf_text(b, ",");
  }
  ck_buf_printf(b, "%zu", version);
}

/* Cuts an upsert of the mirror at its source of rows: of the whole text, what is before `from` and
 * what begins with its ON CONFLICT. What it checks about rows that were forgotten is left out. */
static void put_upsert(struct ck_buf *sql, const char *upsert, const char *from,
                       const char *source) {
  const char *at = strstr(upsert, from), *conflict = at ? strstr(at, " ON CONFLICT") : NULL;
  if (!conflict) bench_fail("the upsert has no '%s' or no ON CONFLICT: %s", from, upsert);
  ck_buf_add(sql, upsert, (size_t)(at - upsert));
  ck_buf_text(sql, source);
  ck_buf_text(sql, conflict);
}

/* The guarded upsert of `rows` rows in VALUES. */
static void put_sql(struct ck_buf *b, size_t rows) {
  struct ck_buf one = {0}, values = {0}, sql = {0};
  const size_t width = (size_t)ck_tables[CK_MESSAGES].mirrored;
  ck_mirror_upsert_one(&one, CK_MESSAGES);
  ck_buf_text(&values, " VALUES ");
  for (size_t r = 0; r < rows; ++r) {
    ck_buf_text(&values, r ? ", (" : "(");
    for (size_t c = 0; c <= width; ++c)
      ck_buf_printf(&values, "%s?%zu", c ? ", " : "", r * (width + 1) + c + 1);
    ck_buf_text(&values, ")");
  }
  put_upsert(&sql, ck_buf_cstr(&one), " SELECT ", ck_buf_cstr(&values));
  ck_buf_json_str(b, ck_buf_view(&sql));
  ck_buf_free(&one);
  ck_buf_free(&values);
  ck_buf_free(&sql);
}

static void put_statement(struct ck_buf *b, struct maker *m, size_t rows) {
  ck_buf_text(b, "{\"sql\":");
  put_sql(b, rows);
  ck_buf_text(b, ",\"params\":[");
  for (size_t r = 0; r < rows; ++r) {
    struct ck_row row = make_row(m);
    if (r) ck_buf_text(b, ",");
    put_values(b, &row, m->made);
  }
  ck_buf_text(b, "]}");
}

static void put_json_statement(struct ck_buf *b, struct maker *m, size_t rows) {
  struct ck_buf whole = {0}, sql = {0}, param = {0};
  ck_mirror_upsert(&whole, CK_MESSAGES);
  put_upsert(&sql, ck_buf_cstr(&whole), " WHERE ", " WHERE true");
  ck_buf_text(b, "{\"sql\":");
  ck_buf_json_str(b, ck_buf_view(&sql));
  ck_buf_text(b, ",\"params\":[");
  for (size_t r = 0; r < rows; ++r) {
    struct ck_row row = make_row(m);
    ck_buf_text(&param, r ? ",[" : "[[");
    put_values(&param, &row, m->made);
    ck_buf_text(&param, "]");
  }
  ck_buf_text(&param, "]");
  ck_buf_json_str(b, ck_buf_view(&param));
  ck_buf_text(b, "]}");
  ck_buf_free(&whole);
  ck_buf_free(&sql);
  ck_buf_free(&param);
}

static void put_batch(struct ck_buf *b, struct maker *m, size_t statements, size_t rows,
                      void (*put)(struct ck_buf *, struct maker *, size_t)) {
  ck_buf_text(b, "{\"batch\":[");
  for (size_t i = 0; i < statements; ++i) {
    size_t from = rows * i / statements, to = rows * (i + 1) / statements;
    if (i) ck_buf_text(b, ",");
    put(b, m, to - from);
  }
  ck_buf_text(b, "]}");
}

struct shape_bodies shapes_make(enum shape shape, size_t n, size_t text, size_t per_request,
                                size_t params, uint64_t seed) {
  struct maker m = maker_of(text, seed);
  size_t each = shape == SHAPE_ONE      ? 1
                : shape == SHAPE_VALUES ? VALUES_ROWS
                : shape == SHAPE_BATCH  ? BATCH_ROWS
                                        : per_request;
  struct shape_bodies b = {.n = (n + each - 1) / each, .rows = n};
  b.at = ck_zalloc(b.n * sizeof *b.at);
  for (size_t i = 0; i < b.n; ++i) {
    size_t rows = n - i * each < each ? n - i * each : each;
    if (shape == SHAPE_BATCH)
      put_batch(&b.at[i], &m, rows, rows, put_statement);
    else if (shape == SHAPE_JSON && params > 1)
      put_batch(&b.at[i], &m, params, rows, put_json_statement);
    else if (shape == SHAPE_JSON)
      put_json_statement(&b.at[i], &m, rows);
    else
      put_statement(&b.at[i], &m, rows);
  }
  free(m.words);
  return b;
}

void shapes_free(struct shape_bodies *b) {
  for (size_t i = 0; i < b->n; ++i) ck_buf_free(&b->at[i]);
  free(b->at);
  *b = (struct shape_bodies){0};
}

double shapes_send(const struct shape_bodies *b) {
  int64_t began = ck_mono_us();
  for (size_t i = 0; i < b->n; ++i) cloud_send(ck_buf_view(&b->at[i]));
  return (double)b->rows * 1e6 / (double)(ck_mono_us() - began);
}
