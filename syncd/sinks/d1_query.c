/* A question to D1 as JSON, and its answer (d1_query.h). */
#include "syncd/sinks/d1_query.h"

#include <stdlib.h>
#include <string.h>

#include "syncd/sinks/d1_answer.h"
#include "syncd/sql/mirror.h"

/* ---- the request ---- */

static void put_ranges(struct ck_buf *json, const struct sync_query *query) {
  for (size_t i = 0; i < query->range_count; ++i) {
    ck_buf_text(json, i ? ",[" : "[");
    ck_buf_json_str(json, query->ranges[i].after);
    ck_buf_text(json, ",");
    if (query->ranges[i].upto.n)
      ck_buf_json_str(json, query->ranges[i].upto);
    else
      ck_buf_text(json, "null");
    ck_buf_text(json, "]");
  }
}

static void put_known(struct ck_buf *json, const struct sync_query *query) {
  for (size_t i = 0; i < query->known_count; ++i) {
    ck_buf_text(json, i ? ",[" : "[");
    ck_buf_json_str(json, query->known[i].key);
    ck_buf_printf(json, ",%lld]", (long long)query->known[i].version);
  }
}

static void put_statement(struct ck_buf *sql, struct ck_buf *param,
                          const struct sync_query *query) {
  ck_buf_text(param, "[");
  if (query->kind == SYNC_QUERY_RESET || query->kind == SYNC_QUERY_DELETE) {
    ck_mirror_reset(sql, query->table, query->kind == SYNC_QUERY_DELETE);
    if (ck_mirror_witness_kept(query->witness)) ck_mirror_witness_holds(sql, query->witness);
    put_known(param, query);
  } else {
    if (query->kind == SYNC_QUERY_DIGESTS)
      ck_mirror_digests(sql, query->table, query->longest);
    else
      ck_mirror_versions(sql, query->table, query->limit);
    put_ranges(param, query);
  }
  ck_buf_text(param, "]");
}

void sync_d1_query_body(struct ck_buf *body, const struct sync_query *query,
                        const struct sync_limits *limits) {
  struct ck_buf sql = {0}, param = {0};
  if (query->kind == SYNC_QUERY_COMPARE) {
    struct sync_statement st = sync_compare_statement(query->slice, limits);
    sync_plan_body(body, query->slice, &st, 1);
    return;
  }
  if (query->kind == SYNC_QUERY_SQL)
    ck_buf_text(&sql, query->sql);
  else
    put_statement(&sql, &param, query);
  ck_buf_text(body, "{\"sql\":");
  ck_buf_json_str(body, ck_buf_view(&sql));
  if (param.len) {
    ck_buf_text(body, ",\"params\":[");
    ck_buf_json_str(body, ck_buf_view(&param));
    ck_buf_text(body, "]");
  }
  ck_buf_text(body, "}");
  ck_buf_free(&sql);
  ck_buf_free(&param);
}

/* ---- the answer: one function for each kind of question ---- */

static struct ck_str text_of(const json_t *value) {
  return (struct ck_str){json_string_value(value), json_string_length(value)};
}

static bool integer(struct ck_str *s, int64_t *n) {
  char digits[24] = "";
  char *end;
  if (s->n) memcpy(digits, s->s, s->n < sizeof digits - 1 ? s->n : sizeof digits - 1);
  *n = strtoll(digits, &end, 10);
  size_t used = (size_t)(end - digits);
  if (used == 0) return false;
  *s = (struct ck_str){s->s + used, s->n - used};
  if (s->n && s->s[0] == ' ') *s = (struct ck_str){s->s + 1, s->n - 1};
  return true;
}

static bool take_digests(struct sync_query *query, const json_t *rows) {
  size_t i;
  const json_t *row;
  if (json_array_size(rows) != query->range_count) return false;
  json_array_foreach(rows, i, row) {
    struct ck_str text = text_of(json_object_get(row, "d"));
    struct ck_digest *d = &query->ranges[i].digest;
    int64_t count;
    if (!integer(&text, &count) || !integer(&text, &d->sum) || !integer(&text, &d->mix) || text.n ||
        count < 0)
      return false;
    d->count = (uint64_t)count;
  }
  return true;
}

static bool place_of(const json_t *row, size_t below, size_t *place) {
  const json_t *value = json_object_get(row, "place");
  if (!json_is_integer(value) || json_integer_value(value) < 0 ||
      (uint64_t)json_integer_value(value) >= below)
    return false;
  *place = (size_t)json_integer_value(value);
  return true;
}

static bool take_versions(struct sync_query *query, const json_t *rows) {
  size_t i, place;
  const json_t *row;
  json_array_foreach(rows, i, row) {
    struct ck_str version = text_of(json_object_get(row, "v"));
    int64_t n;
    if (!json_is_string(json_object_get(row, "k")) || !place_of(row, query->range_count, &place) ||
        !integer(&version, &n))
      return false;
    query->found(query->self, place, text_of(json_object_get(row, "k")), n);
  }
  return true;
}

static bool take_places(struct sync_query *query, const json_t *rows) {
  size_t i, place;
  const json_t *row;
  json_array_foreach(rows, i, row) {
    if (!place_of(row, query->slice->n, &place)) return false;
    sync_row_mark(query->slice->rows[place], SYNC_ROW_DIFFERENT, NULL);
  }
  return true;
}

static bool take_nothing(struct sync_query *query, const json_t *rows) {
  (void)query;
  return rows != NULL;
}

static bool take_rows(struct sync_query *query, const json_t *rows) {
  size_t i;
  const json_t *row, *value;
  const char *name;
  json_array_foreach(rows, i, row) {
    struct ck_str cells[CK_COLUMNS_MAX + 1];
    size_t n = 0;
    json_object_foreach((json_t *)(uintptr_t)row, name, value) if (n <= CK_COLUMNS_MAX) cells[n++] =
        text_of(value);
    if (query->row) query->row(query->self, cells, n);
  }
  return true;
}

static bool (*const takers[])(struct sync_query *query, const json_t *rows) = {
    [SYNC_QUERY_DIGESTS] = take_digests, [SYNC_QUERY_VERSIONS] = take_versions,
    [SYNC_QUERY_COMPARE] = take_places,  [SYNC_QUERY_RESET] = take_nothing,
    [SYNC_QUERY_DELETE] = take_nothing,  [SYNC_QUERY_SQL] = take_rows,
};

void sync_d1_query_answer(struct sync_answer *a, long http, struct ck_str body,
                          struct sync_query *query) {
  json_t *root = sync_d1_success(a, http, body);
  if (!root) return;
  const json_t *results = json_object_get(root, "result"), *result;
  size_t i;
  json_array_foreach(results, i, result) {
    json_int_t written =
        json_integer_value(json_object_get(json_object_get(result, "meta"), "rows_written"));
    if (written > 0) a->written += (uint64_t)written;
  }
  size_t n = json_array_size(results);
  const json_t *rows = n ? json_object_get(json_array_get(results, n - 1), "results") : NULL;
  if (!json_is_array(rows) || !takers[query->kind](query, rows)) {
    a->foreign = true;
    sync_answer_text(a, SYNC_UNKNOWN, "the answer does not fit the question");
  }
  json_decref(root);
}
