/* JSON and MessagePack behind one interface. */
#include "ingest/value.h"

#include <stdlib.h>
#include <string.h>

#include "ingest/parse/json.h"

struct ingest_value ingest_value_json(const json_t *json) {
  static const enum ingest_type types[] = {
      [JSON_OBJECT] = INGEST_OBJECT,   [JSON_ARRAY] = INGEST_ARRAY,   [JSON_STRING] = INGEST_TEXT,
      [JSON_INTEGER] = INGEST_INTEGER, [JSON_REAL] = INGEST_FRACTION, [JSON_TRUE] = INGEST_TRUE,
      [JSON_FALSE] = INGEST_FALSE,     [JSON_NULL] = INGEST_NULL};
  struct ingest_value v = {.json = json};
  if (!json) return v;
  v.type = types[json_typeof(json)];
  if (v.type == INGEST_TEXT) v.text = ingest_json_str(json);
  if (v.type == INGEST_INTEGER) v.integer = json_integer_value(json);
  v.number = json_number_value(json);
  return v;
}

/* Numbers beyond int64_t, fractions, bytes and extensions: the value is what their JSON is. */
static void by_json(struct ingest_value *v, struct ck_arena *arena) {
  struct ck_reader r = ck_reader_of(v->packed);
  struct ck_buf json = {0};
  ck_read_json(&r, &json);
  struct ck_str text = ck_buf_view(&json);
  if (ck_str_is(text, "null")) {
    v->type = INGEST_NULL;
  } else if (ck_str_starts(text, "\"")) {
    v->type = INGEST_TEXT;
    v->text = ck_arena_copy(arena, (struct ck_str){text.s + 1, text.n - 2});
  } else {
    const char *digits = ck_buf_cstr(&json);
    bool whole =
        strspn(digits + (*digits == '-'), "0123456789") == text.n - (*digits == '-') && text.n < 19;
    v->type = whole ? INGEST_INTEGER : INGEST_FRACTION;
    v->integer = whole ? strtoll(digits, NULL, 10) : 0;
    v->number = strtod(digits, NULL);
  }
  ck_buf_free(&json);
}

struct ingest_value ingest_value_packed(struct ck_str packed, struct ck_arena *arena) {
  struct ingest_value v = {.packed = packed};
  struct ck_reader r = ck_reader_of(packed);
  struct ck_item item;
  if (ck_read(&r, &item)) return v;
  switch (item.type) {
  case CK_T_NIL:
    v.type = INGEST_NULL;
    break;
  case CK_T_BOOL:
    v.type = item.as.b ? INGEST_TRUE : INGEST_FALSE;
    break;
  case CK_T_INT:
    v.type = INGEST_INTEGER;
    v.integer = item.as.i;
    v.number = (double)item.as.i;
    break;
  case CK_T_STR:
    v.type = ck_utf8_ok(item.as.str) ? INGEST_TEXT : INGEST_NOT_UTF8;
    v.text = item.as.str;
    break;
  case CK_T_ARRAY:
    v.type = INGEST_ARRAY;
    break;
  case CK_T_MAP:
    v.type = INGEST_OBJECT;
    break;
  default:
    by_json(&v, arena);
    break;
  }
  return v;
}

const char *ingest_value_type(const struct ingest_value *v) {
  static const char *const names[] = {
      [INGEST_MISSING] = "missing",     [INGEST_NULL] = "null",
      [INGEST_TEXT] = "text",           [INGEST_INTEGER] = "an integer",
      [INGEST_FRACTION] = "a fraction", [INGEST_TRUE] = "true",
      [INGEST_FALSE] = "false",         [INGEST_OBJECT] = "an object",
      [INGEST_ARRAY] = "an array",      [INGEST_NOT_UTF8] = "text that is not UTF-8"};
  return names[v->type];
}

/* By way of jansson, so that equal values give equal text whether JSON or MessagePack. */
static int any_packed(const struct ingest_value *v, struct ck_str *text, struct ck_arena *arena,
                      struct ck_err *err) {
  struct ck_reader r = ck_reader_of(v->packed);
  struct ck_buf json = {0};
  json_t *parsed = NULL;
  if (ck_read_json(&r, &json))
    ck_fail(err, "cannot be written as JSON");
  else
    parsed = ingest_json_parse(json.data, json.len, 0, NULL, NULL, err);
  if (parsed) *text = ingest_json_any(parsed, arena);
  json_decref(parsed);
  ck_buf_free(&json);
  return parsed ? 0 : -1;
}

int ingest_value_any(const struct ingest_value *v, struct ck_str *text, struct ck_arena *arena,
                     struct ck_err *err) {
  *text = (struct ck_str){0};
  if (v->type == INGEST_MISSING || v->type == INGEST_NULL) return 0;
  if (v->type == INGEST_TEXT)
    *text = v->text;
  else if (v->json)
    *text = ingest_json_any(v->json, arena);
  else
    return any_packed(v, text, arena, err);
  return 0;
}

/* ---- members ---- */

struct ingest_members ingest_members_of(const struct ingest_value *object) {
  struct ingest_members m = {0};
  if (object->json) {
    m.json = (json_t *)(uintptr_t)object->json;
    m.next = json_object_iter(m.json);
  } else {
    m.reader = ck_reader_of(object->packed);
    if (ck_read_map(&m.reader, &m.left)) m.left = 0;
  }
  return m;
}

static bool next_json(struct ingest_members *m, struct ck_str *name) {
  if (!m->next) return false;
  *name = ck_str_of(json_object_iter_key(m->next));
  m->value = json_object_iter_value(m->next);
  m->next = json_object_iter_next(m->json, m->next);
  return true;
}

static bool next_packed(struct ingest_members *m, struct ck_str *name) {
  struct ck_str other;
  if (!m->left) return false;
  --m->left;
  *name = (struct ck_str){0};
  return (ck_read_str(&m->reader, name) == 0 || ck_read_raw(&m->reader, &other) == 0) &&
         ck_read_raw(&m->reader, &m->packed) == 0;
}

bool ingest_members_next(struct ingest_members *m, struct ck_str *name) {
  return m->json ? next_json(m, name) : next_packed(m, name);
}

struct ingest_value ingest_members_value(const struct ingest_members *m, struct ck_arena *arena) {
  return m->json ? ingest_value_json(m->value) : ingest_value_packed(m->packed, arena);
}
