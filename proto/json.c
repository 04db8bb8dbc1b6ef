/* See json.h. */
#include "proto/json.h"

#include "proto/json_build.h"

#define DEPTH 256 /* what is deeper is left to jansson */

json_t *ck_json_parse(struct ck_str text, json_error_t *error) {
  const struct ck_json_text from = {
      .bytes = text.s, .n = text.n, .depth = DEPTH, .values = SIZE_MAX};
  json_t *value = text.n && ck_utf8_ok(text) ? ck_json_build(&from, NULL) : NULL;
  if (value) return value;
  return json_loadb(text.n ? text.s : "", text.n, JSON_DECODE_ANY | JSON_ALLOW_NUL, error);
}

json_t *ck_json_of(struct ck_str value) {
  struct ck_buf text = {0};
  struct ck_reader r = ck_reader_of(value);
  json_error_t error;
  json_t *json = NULL;
  if (ck_read_json(&r, &text) == 0) json = ck_json_parse(ck_buf_view(&text), &error);
  ck_buf_free(&text);
  return json;
}

static int put(struct ck_buf *b, const json_t *value, int depth);

static int put_object(struct ck_buf *b, const json_t *object, int depth) {
  ck_put_map(b, (uint32_t)json_object_size(object));
  /* jansson's iterators take no const, and change nothing. */
  json_t *o = (json_t *)(uintptr_t)object;
  for (void *at = json_object_iter(o); at; at = json_object_iter_next(o, at)) {
    ck_put_text(b, json_object_iter_key(at));
    if (put(b, json_object_iter_value(at), depth)) return -1;
  }
  return 0;
}

static int put_array(struct ck_buf *b, const json_t *array, int depth) {
  ck_put_array(b, (uint32_t)json_array_size(array));
  for (size_t i = 0; i < json_array_size(array); ++i)
    if (put(b, json_array_get(array, i), depth)) return -1;
  return 0;
}

static int put(struct ck_buf *b, const json_t *value, int depth) {
  if (depth == CK_DEPTH_MAX) return -1;
  switch (json_typeof(value)) {
  case JSON_OBJECT:
    return put_object(b, value, depth + 1);
  case JSON_ARRAY:
    return put_array(b, value, depth + 1);
  case JSON_STRING:
    ck_put_str(b, (struct ck_str){json_string_value(value), json_string_length(value)});
    return 0;
  case JSON_INTEGER:
    ck_put_int(b, json_integer_value(value));
    return 0;
  case JSON_REAL:
    ck_put_float(b, json_real_value(value));
    return 0;
  case JSON_TRUE:
  case JSON_FALSE:
    ck_put_bool(b, json_is_true(value));
    return 0;
  case JSON_NULL:
    break;
  }
  ck_put_nil(b);
  return 0;
}

int ck_put_json(struct ck_buf *b, const json_t *value) {
  size_t before = b->len;
  int rc = put(b, value, 0);
  if (rc) b->len = before;
  return rc;
}

json_t *ck_record_json(enum ck_table which, const json_t *row) {
  const struct ck_table_info *info = &ck_tables[which];
  json_t *record = json_object();
  for (int i = 0; i < info->mirrored; ++i) {
    json_t *value = json_object_get(row, info->fields[i].name);
    if (value) json_object_set(record, info->fields[i].name, value);
  }
  const char *renewal = json_string_value(json_object_get(row, "renewal"));
  json_t *said = renewal && *renewal ? json_loads(renewal, 0, NULL) : NULL;
  if (said) json_object_set_new(record, "renewal", said);
  return record;
}
