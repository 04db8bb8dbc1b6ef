/* Ordering, cutting, and the statements of a slice with their JSON (plan.h). */
#include "syncd/batches/plan.h"

#include <stdlib.h>
#include <string.h>

#include "syncd/sql/mirror.h"

/* ---- what a sink can never take ---- */

static bool check_value(const struct ck_value *v, const struct sync_limits *limits,
                        struct ck_err *err, const char *name) {
  if (v->state != CK_TEXT) return true;
  if (!ck_utf8_ok(v->as.s)) {
    ck_fail(err, "%s is not UTF-8", name);
    return false;
  }
  if (limits->no_nul && v->as.s.n && memchr(v->as.s.s, 0, v->as.s.n)) {
    ck_fail(err, "%s has a U+0000, which the sink cannot store", name);
    return false;
  }
  if (limits->text && v->as.s.n > limits->text) {
    ck_fail(err, "%s has %zu bytes, the sink takes %zu", name, v->as.s.n, limits->text);
    return false;
  }
  return true;
}

static bool check_row(struct sync_row *r, const struct sync_limits *limits) {
  const struct ck_table_info *info = &ck_tables[r->row.table];
  struct ck_err err = {{0}};
  bool fine = true;
  for (int c = 0; fine && c < info->mirrored; ++c)
    fine = check_value(&r->row.v[c], limits, &err, info->fields[c].name);
  if (fine && limits->row && r->bytes > limits->row) {
    ck_fail(&err, "the row has %zu bytes, the sink takes %zu", r->bytes, limits->row);
    fine = false;
  }
  if (!fine) sync_row_mark(r, SYNC_ROW_DEAD, err.text);
  return fine;
}

/* ---- order and JSON ---- */

static int compare(const void *a, const void *b) {
  const struct sync_row *x = *(struct sync_row *const *)a, *y = *(struct sync_row *const *)b;
  if (x->row.table != y->row.table) return x->row.table < y->row.table ? -1 : 1;
  return x->version < y->version ? -1 : x->version > y->version;
}

static void put_json(struct ck_buf *b, const struct sync_row *r) {
  for (int c = 0; c < ck_tables[r->row.table].mirrored; ++c) {
    const struct ck_value *v = &r->row.v[c];
    ck_buf_add(b, c ? "," : "[", 1);
    if (v->state == CK_TEXT)
      ck_buf_json_str(b, v->as.s);
    else if (v->state == CK_INT)
      ck_buf_printf(b, "%lld", (long long)v->as.i);
    else
      ck_buf_add(b, "null", 4);
  }
  ck_buf_printf(b, ",%llu]", (unsigned long long)r->version);
}

/* The rows' JSON is a string inside JSON, so it is escaped once more. Only quotes and backslashes
 * can need that, because control characters in it are escaped already. */
static void put_escaped(struct ck_buf *b, struct ck_str json) {
  char *p = ck_buf_room(b, 2 * json.n), *from = p;
  for (size_t i = 0; i < json.n; ++i) {
    if (json.s[i] == '"' || json.s[i] == '\\') *p++ = '\\';
    *p++ = json.s[i];
  }
  b->len += (size_t)(p - from);
}

/* Done when the batch arrives, while the sink is busy with the previous one: a request is then put
 * together by copying. The buffer moves while it grows, so pointers into it are set at the end. */
static void make_json(struct sync_batch *b, struct sync_row **rows, size_t n) {
  struct ck_buf plain = {0};
  for (size_t i = 0; i < n; ++i) {
    size_t at = b->json.len;
    ck_buf_clear(&plain);
    put_json(&plain, rows[i]);
    put_escaped(&b->json, ck_buf_view(&plain));
    rows[i]->json_bytes = plain.len;
    rows[i]->json = (struct ck_str){NULL, b->json.len - at};
  }
  ck_buf_free(&plain);
  const char *p = b->json.data;
  for (size_t i = 0; i < n; ++i) {
    rows[i]->json.s = p;
    p += rows[i]->json.n;
  }
}

/* ---- slices ---- */

/* With its comma; the enclosing brackets fit into the margin of the limit itself. */
static size_t size_of(const struct sync_row *r, const struct sync_limits *limits) {
  return limits->json ? r->json_bytes + 1 : r->bytes;
}

static bool goes_alone(const struct sync_row *r, const struct sync_limits *limits) {
  return limits->param && size_of(r, limits) + 2 > limits->param;
}

static void cut(struct sync_row **rows, size_t n, const struct sync_limits *limits,
                struct sync_slices *out) {
  out->at = ck_zalloc((n ? n : 1) * sizeof *out->at);
  for (size_t from = 0, to; from < n; from = to) {
    size_t bytes = 2 + size_of(rows[from], limits);
    bool alone = goes_alone(rows[from], limits);
    for (to = from + 1; to < n && !alone; ++to) {
      bytes += size_of(rows[to], limits);
      if (limits->param && (bytes > limits->param || goes_alone(rows[to], limits))) break;
    }
    out->at[out->n++] = sync_slice_from(rows + from, to - from);
  }
}

void sync_plan(struct sync_batch *b, const struct sync_limits *limits, struct sync_slices *out) {
  *out = (struct sync_slices){0};
  struct sync_row **rows = ck_alloc((b->n ? b->n : 1) * sizeof *rows);
  size_t n = 0;
  for (size_t i = 0; i < b->n; ++i)
    if (check_row(&b->rows[i], limits)) rows[n++] = &b->rows[i];
  qsort(rows, n, sizeof *rows, compare);
  if (limits->json) make_json(b, rows, n);
  cut(rows, n, limits, out);
  free(rows);
}

void sync_slices_free(struct sync_slices *s) {
  for (size_t i = 0; i < s->n; ++i) sync_slice_free(&s->at[i]);
  free(s->at);
  *s = (struct sync_slices){0};
}

/* ---- statements ---- */

size_t sync_statements(const struct sync_slice *s, const struct sync_limits *limits,
                       struct sync_statement out[SYNC_STATEMENTS_MAX]) {
  static const enum sync_statement_kind upserts[][2] = {
      [CK_CAUTION_NONE] = {SYNC_UPSERT, SYNC_UPSERT_ONE},
      [CK_CAUTION_UNIQUE] = {SYNC_UPSERT_UNIQUE, SYNC_UPSERT_UNIQUE_ONE},
      [CK_CAUTION_PARENTS] = {SYNC_UPSERT_CAUTIOUS, SYNC_UPSERT_UNIQUE_ONE},
  };
  size_t n = 0;
  for (size_t from = 0, to; from < s->n; from = to) {
    enum ck_table t = s->rows[from]->row.table;
    for (to = from + 1; to < s->n && s->rows[to]->row.table == t; ++to) {
    }
    bool one = to - from == 1 && goes_alone(s->rows[from], limits);
    if (s->caution && ck_release_column(t) >= 0)
      out[n++] = (struct sync_statement){one ? SYNC_RELEASE_ONE : SYNC_RELEASE, t, from, to - from};
    out[n++] = (struct sync_statement){upserts[s->caution][one], t, from, to - from};
    if (s->caution == CK_CAUTION_PARENTS && !one && ck_has_parents(t))
      out[n++] = (struct sync_statement){SYNC_ORPHANS, t, from, to - from};
    for (int gone = CK_FORGOTTEN - 1; t == CK_FORGOTTEN && gone >= 0; --gone)
      out[n++] = (struct sync_statement){SYNC_FORGET, (enum ck_table)gone, from, to - from};
  }
  return n;
}

struct sync_statement sync_compare_statement(const struct sync_slice *s,
                                             const struct sync_limits *limits) {
  bool one = s->n == 1 && goes_alone(s->rows[0], limits);
  return (struct sync_statement){one ? SYNC_COMPARE_ONE : SYNC_COMPARE, s->rows[0]->row.table, 0,
                                 s->n};
}

void sync_statement_sql(struct ck_buf *sql, const struct sync_statement *st) {
  static void (*const makers[])(struct ck_buf *, enum ck_table) = {
      [SYNC_UPSERT] = ck_mirror_upsert,
      [SYNC_UPSERT_ONE] = ck_mirror_upsert_one,
      [SYNC_UPSERT_UNIQUE] = ck_mirror_upsert_unique,
      [SYNC_UPSERT_UNIQUE_ONE] = ck_mirror_upsert_unique_one,
      [SYNC_UPSERT_CAUTIOUS] = ck_mirror_upsert_cautious,
      [SYNC_RELEASE] = ck_mirror_release,
      [SYNC_RELEASE_ONE] = ck_mirror_release_one,
      [SYNC_ORPHANS] = ck_mirror_orphans,
      [SYNC_FORGET] = ck_mirror_forget,
      [SYNC_COMPARE] = ck_mirror_compare,
      [SYNC_COMPARE_ONE] = ck_mirror_compare_one,
  };
  makers[st->kind](sql, st->table);
}

static void put_many(struct ck_buf *body, const struct sync_slice *s,
                     const struct sync_statement *st) {
  ck_buf_text(body, "\"[");
  for (size_t i = st->from; i < st->from + st->n; ++i) {
    if (i > st->from) ck_buf_add(body, ",", 1);
    ck_buf_str(body, s->rows[i]->json);
  }
  ck_buf_text(body, "]\"");
}

/* Integers are sent as text, because a JSON number arrives as a double. */
static void put_one(struct ck_buf *body, const struct sync_row *r) {
  for (int c = 0; c < ck_tables[r->row.table].mirrored; ++c) {
    const struct ck_value *v = &r->row.v[c];
    if (v->state == CK_TEXT)
      ck_buf_json_str(body, v->as.s);
    else if (v->state == CK_INT)
      ck_buf_printf(body, "\"%lld\"", (long long)v->as.i);
    else
      ck_buf_text(body, "null");
    ck_buf_add(body, ",", 1);
  }
  ck_buf_printf(body, "\"%llu\"", (unsigned long long)r->version);
}

static bool is_of_one(enum sync_statement_kind kind) {
  return kind == SYNC_UPSERT_ONE || kind == SYNC_UPSERT_UNIQUE_ONE || kind == SYNC_RELEASE_ONE ||
         kind == SYNC_COMPARE_ONE;
}

static void put_statement(struct ck_buf *body, const struct sync_slice *s,
                          const struct sync_statement *st) {
  struct ck_buf sql = {0};
  sync_statement_sql(&sql, st);
  ck_buf_text(body, "{\"sql\":");
  ck_buf_json_str(body, ck_buf_view(&sql));
  ck_buf_text(body, ",\"params\":[");
  if (is_of_one(st->kind))
    put_one(body, s->rows[st->from]);
  else
    put_many(body, s, st);
  ck_buf_text(body, "]}");
  ck_buf_free(&sql);
}

static void put_witness(struct ck_buf *body, const struct ck_mirror_witness *w) {
  struct ck_buf sql = {0};
  ck_mirror_witness_write(&sql, w);
  ck_buf_text(body, ",{\"sql\":");
  ck_buf_json_str(body, ck_buf_view(&sql));
  ck_buf_text(body, "}");
  ck_buf_free(&sql);
}

void sync_plan_body(struct ck_buf *body, const struct sync_slice *s,
                    const struct sync_statement *st, size_t n) {
  bool witness = ck_mirror_witness_kept(s->witness);
  if (n == 1 && !witness) {
    put_statement(body, s, st);
    return;
  }
  ck_buf_text(body, "{\"batch\":[");
  for (size_t i = 0; i < n; ++i) {
    if (i) ck_buf_add(body, ",", 1);
    put_statement(body, s, &st[i]);
  }
  if (witness) put_witness(body, s->witness);
  ck_buf_text(body, "]}");
}
