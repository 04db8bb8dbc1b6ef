/* D1's answers to writes, and to any request that fails (d1_answer.h). */
#include "syncd/sinks/d1_answer.h"

#include <stdio.h>
#include <string.h>

/* "7500 no such table: x; 10000 …", as much as fits. */
static void collect_errors(const json_t *root, char out[SYNC_TEXT]) {
  size_t i, n = 0;
  json_t *e;
  out[0] = '\0';
  json_array_foreach(json_object_get(root, "errors"), i, e) {
    const char *message = json_string_value(json_object_get(e, "message"));
    int wrote =
        snprintf(out + n, SYNC_TEXT - n, "%s%lld %s", n ? "; " : "",
                 (long long)json_integer_value(json_object_get(e, "code")), message ? message : "");
    if (wrote < 0 || (n += (size_t)wrote) >= SYNC_TEXT) return;
  }
}

/* Every answer of the API has `success`; one that refuses says why, with a code and a message for
 * each reason. JSON without these is another service's. */
static bool is_refusal(const json_t *root) {
  const json_t *errors = json_object_get(root, "errors");
  size_t i;
  json_t *e;
  if (!json_is_false(json_object_get(root, "success"))) return false;
  json_array_foreach(errors, i, e) if (!json_is_integer(json_object_get(e, "code")) ||
                                       !json_is_string(json_object_get(e, "message"))) return false;
  return json_array_size(errors) > 0;
}

/* A proxy's or a front door's page, JSON of another service, or half an answer. */
static void not_the_apis(struct sync_answer *a, long http, struct ck_str body) {
  char text[SYNC_TEXT];
  struct ck_str cut = ck_utf8_ok(body) ? ck_utf8_cut(body, 100) : (struct ck_str){0};
  snprintf(text, sizeof text, "HTTP %ld, not an answer of D1's API%s%.*s", http, cut.n ? ": " : "",
           (int)cut.n, cut.n ? cut.s : "");
  a->foreign = true;
  sync_answer_text(a, sync_classify_foreign(http, &a->wait_ms), text);
}

static void refused(struct sync_answer *a, long http, const json_t *root, struct ck_str body) {
  char text[SYNC_TEXT];
  if (!is_refusal(root)) {
    not_the_apis(a, http, body);
    return;
  }
  collect_errors(root, text);
  sync_answer_text(a, sync_classify(http, ck_str_of(text), &a->wait_ms), text);
}

/* Marks the rows that were skipped, from the query after their upsert. */
static bool take_orphans(const json_t *result, struct sync_slice *slice,
                         const struct sync_statement *st) {
  const json_t *rows = json_object_get(result, "results");
  size_t i;
  json_t *row;
  if (!json_is_array(rows)) return false;
  json_array_foreach(rows, i, row) {
    const json_t *place = json_object_get(row, "place");
    json_int_t at = json_is_integer(place) ? json_integer_value(place) : -1;
    if (at < 0 || (size_t)at >= st->n) return false;
    sync_row_mark(slice->rows[st->from + (size_t)at], SYNC_ROW_EARLY,
                  "FOREIGN KEY: what this row points to is not in the mirror");
  }
  return true;
}

static bool take_results(struct sync_answer *a, const json_t *root, struct sync_slice *slice,
                         const struct sync_statement *st, size_t n) {
  const json_t *results = json_object_get(root, "result");
  size_t all = n + ck_mirror_witness_kept(slice->witness);
  if (json_array_size(results) != all) return false;
  for (size_t i = 0; i < all; ++i) {
    const json_t *result = json_array_get(results, i);
    if (!json_is_true(json_object_get(result, "success"))) return false;
    json_int_t written =
        json_integer_value(json_object_get(json_object_get(result, "meta"), "rows_written"));
    if (written > 0) a->written += (uint64_t)written;
    if (i < n && st[i].kind == SYNC_ORPHANS && !take_orphans(result, slice, &st[i])) return false;
  }
  return true;
}

json_t *sync_d1_success(struct sync_answer *a, long http, struct ck_str body) {
  *a = (struct sync_answer){.class = SYNC_DONE};
  json_t *root =
      body.n ? json_loadb(body.s, body.n, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL) : NULL;
  if (http == 200 && json_is_true(json_object_get(root, "success"))) return root;
  refused(a, http, root, body);
  json_decref(root);
  return NULL;
}

void sync_d1_answer(struct sync_answer *a, long http, struct ck_str body, struct sync_slice *slice,
                    const struct sync_statement *st, size_t n) {
  json_t *root = sync_d1_success(a, http, body);
  if (root && !take_results(a, root, slice, st, n)) {
    a->foreign = true; /* perhaps: `success` is a common word */
    sync_answer_text(a, SYNC_UNKNOWN, "the answer does not fit the request");
  }
  if (a->class != SYNC_DONE)
    for (size_t i = 0; i < slice->n; ++i) sync_row_mark(slice->rows[i], SYNC_ROW_OPEN, NULL);
  json_decref(root);
}
