/* See echo.h. */
#include "store/read/echo.h"

#include <jansson.h>

static size_t skip_space(struct ck_str *s) {
  size_t skipped = 0;
  for (size_t n; (n = ck_space_at(*s)); skipped += n) *s = (struct ck_str){s->s + n, s->n - n};
  return skipped;
}

bool echo_same(struct ck_str a, struct ck_str b) {
  a = ck_trim(a);
  b = ck_trim(b);
  while (a.n && b.n) {
    bool space = skip_space(&a) > 0;
    if (space != (skip_space(&b) > 0)) return false;
    if (space) continue;
    if (*a.s != *b.s) return false;
    a = (struct ck_str){a.s + 1, a.n - 1};
    b = (struct ck_str){b.s + 1, b.n - 1};
  }
  return a.n == b.n;
}

static bool has_text(json_t *v, struct ck_str text) {
  size_t i;
  const char *name;
  json_t *member;
  if (json_is_string(v))
    return echo_same((struct ck_str){json_string_value(v), json_string_length(v)}, text);
  json_array_foreach(v, i, member) {
    if (has_text(member, text)) return true;
  }
  json_object_foreach(v, name, member) {
    if (has_text(member, text)) return true;
  }
  return false;
}

/* A payload that is not the JSON that it is said to be is never sent. */
static bool json_has_text(struct ck_str payload, struct ck_str text) {
  json_t *v = json_loadb(payload.s, payload.n, JSON_ALLOW_NUL | JSON_DECODE_ANY, NULL);
  bool has = has_text(v, text);
  json_decref(v);
  return has;
}

bool echo_of(struct ck_str payload, struct ck_str kind, struct ck_str text) {
  text = ck_trim(text);
  if (!text.n || !payload.n) return false;
  if (echo_same(payload, text)) return true;
  return ck_str_is(kind, "json") && json_has_text(payload, text);
}
