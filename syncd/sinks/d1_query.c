/* A question to D1 as JSON, and its answer (d1_query.h). */
#include "syncd/sinks/d1_query.h"

#include <stdlib.h>
#include <string.h>

#include "syncd/sinks/d1_answer.h"
#include "syncd/sql/mirror.h"

/* ---- the request ---- */

static void put_ranges(struct ck_buf *json, const struct sync_ask *ask) {
  for (size_t i = 0; i < ask->range_count; ++i) {
    ck_buf_text(json, i ? ",[" : "[");
    ck_buf_json_str(json, ask->ranges[i].after);
    ck_buf_text(json, ",");
    if (ask->ranges[i].upto.n)
      ck_buf_json_str(json, ask->ranges[i].upto);
    else
      ck_buf_text(json, "null");
    ck_buf_text(json, "]");
  }
}

static void put_known(struct ck_buf *json, const struct sync_ask *ask) {
  for (size_t i = 0; i < ask->known_count; ++i) {
    ck_buf_text(json, i ? ",[" : "[");
    ck_buf_json_str(json, ask->known[i].key);
    ck_buf_printf(json, ",%lld]", (long long)ask->known[i].version);
  }
}

static void put_statement(struct ck_buf *sql, struct ck_buf *param, const struct sync_ask *ask) {
  ck_buf_text(param, "[");
  if (ask->kind == SYNC_ASK_RESET || ask->kind == SYNC_ASK_DELETE) {
    ck_mirror_reset(sql, ask->table, ask->kind == SYNC_ASK_DELETE);
    put_known(param, ask);
  } else {
    if (ask->kind == SYNC_ASK_DIGESTS)
      ck_mirror_digests(sql, ask->table, ask->longest);
    else
      ck_mirror_versions(sql, ask->table, ask->limit);
    put_ranges(param, ask);
  }
  ck_buf_text(param, "]");
}

void sync_d1_ask_body(struct ck_buf *body, const struct sync_ask *ask,
                      const struct sync_limits *limits) {
  struct ck_buf sql = {0}, param = {0};
  if (ask->kind == SYNC_ASK_COMPARE) {
    struct sync_statement st = sync_compare_statement(ask->slice, limits);
    sync_plan_body(body, ask->slice, &st, 1);
    return;
  }
  if (ask->kind == SYNC_ASK_SQL)
    ck_buf_text(&sql, ask->sql);
  else
    put_statement(&sql, &param, ask);
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

static bool take_digests(struct sync_ask *ask, const json_t *rows) {
  size_t i;
  const json_t *row;
  if (json_array_size(rows) != ask->range_count) return false;
  json_array_foreach(rows, i, row) {
    struct ck_str text = text_of(json_object_get(row, "d"));
    struct ck_digest *d = &ask->ranges[i].digest;
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

static bool take_versions(struct sync_ask *ask, const json_t *rows) {
  size_t i, place;
  const json_t *row;
  json_array_foreach(rows, i, row) {
    struct ck_str version = text_of(json_object_get(row, "v"));
    int64_t n;
    if (!json_is_string(json_object_get(row, "k")) || !place_of(row, ask->range_count, &place) ||
        !integer(&version, &n))
      return false;
    ask->found(ask->self, place, text_of(json_object_get(row, "k")), n);
  }
  return true;
}

static bool take_places(struct sync_ask *ask, const json_t *rows) {
  size_t i, place;
  const json_t *row;
  json_array_foreach(rows, i, row) {
    if (!place_of(row, ask->slice->n, &place)) return false;
    sync_row_mark(ask->slice->rows[place], SYNC_ROW_DIFFERENT, NULL);
  }
  return true;
}

static bool take_nothing(struct sync_ask *ask, const json_t *rows) {
  (void)ask;
  return rows != NULL;
}

static bool take_rows(struct sync_ask *ask, const json_t *rows) {
  size_t i;
  const json_t *row, *value;
  const char *name;
  json_array_foreach(rows, i, row) {
    struct ck_str cells[CK_COLUMNS_MAX + 1];
    size_t n = 0;
    json_object_foreach((json_t *)(uintptr_t)row, name, value) if (n <= CK_COLUMNS_MAX) cells[n++] =
        text_of(value);
    if (ask->row) ask->row(ask->self, cells, n);
  }
  return true;
}

static bool (*const takers[])(struct sync_ask *ask, const json_t *rows) = {
    [SYNC_ASK_DIGESTS] = take_digests, [SYNC_ASK_VERSIONS] = take_versions,
    [SYNC_ASK_COMPARE] = take_places,  [SYNC_ASK_RESET] = take_nothing,
    [SYNC_ASK_DELETE] = take_nothing,  [SYNC_ASK_SQL] = take_rows,
};

void sync_d1_ask_answer(struct sync_answer *a, long http, struct ck_str body,
                        struct sync_ask *ask) {
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
  if (!json_is_array(rows) || !takers[ask->kind](ask, rows))
    sync_answer_text(a, SYNC_UNKNOWN, "the answer does not fit the question");
  json_decref(root);
}
