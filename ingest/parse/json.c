/* Parses a piece, and says what is wrong with one that cannot be; and reads its values. */
#include "ingest/parse/json.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "ingest/parse/breath.h"
#include "ingest/parse/json_pool.h"
#include "proto/clock.h"
#include "proto/json_build.h"

void ingest_json_setup(void) {
  json_set_alloc_funcs(ingest_json_pool_alloc, ingest_json_pool_free);
}

/* ---- what is not valid JSON, or too much of it: a pass over the text says what is wrong ---- */

struct pass {
  char *p, *end, *start;
  uint64_t base;
  unsigned depth;
  size_t values;
};

/* The offset of the first byte that is not valid UTF-8. */
static size_t bad_byte(struct ck_str s) {
  size_t at = 0;
  while (at < s.n) {
    unsigned char c = (unsigned char)s.s[at];
    size_t len = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    if (len > s.n - at || !ck_utf8_ok((struct ck_str){s.s + at, len})) return at;
    at += len;
  }
  return at;
}

struct ck_str ingest_clean(char *buf, size_t room, struct ck_str s) {
  struct ck_str kept = ck_utf8_cut(s, room - 1);
  if (kept.n) memmove(buf, kept.s, kept.n);
  buf[kept.n] = '\0';
  for (size_t at = 0; at < kept.n; ++at) {
    at += bad_byte((struct ck_str){buf + at, kept.n - at});
    if (at < kept.n) buf[at] = '?';
  }
  return (struct ck_str){buf, kept.n};
}

/* The four hex digits of \uXXXX at p, or -1. */
static int unit_at(const char *p, const char *end) {
  int v = 0;
  if (end - p < 6 || p[0] != '\\' || p[1] != 'u') return -1;
  for (int i = 2; i < 6; ++i) {
    if (!isxdigit((unsigned char)p[i])) return -1;
    v = v * 16 + (isdigit((unsigned char)p[i]) ? p[i] - '0' : (p[i] | 32) - 'a' + 10);
  }
  return v;
}

/* At a backslash: steps over the escape. Half of a surrogate pair alone is replaced, and NUL, which
 * may be in a name. */
static void pass_escape(struct pass *s) {
  int unit = unit_at(s->p, s->end);
  if (unit && (unit < 0xd800 || unit > 0xdfff)) {
    s->p += 2;
    return;
  }
  int low = unit_at(s->p + 6, s->end);
  if (unit && unit < 0xdc00 && low >= 0xdc00 && low <= 0xdfff) {
    s->p += 12;
    return;
  }
  memcpy(s->p, "\\ufffd", 6); /* jansson would take offence at it, not at what is wrong */
  s->p += 6;
}

static void pass_string(struct pass *s) {
  ++s->p;
  while (s->p < s->end) { /* an escape may step past the end */
    s->p += ck_json_plain(s->p, s->end) - s->p;
    if (s->p == s->end || *s->p == '"') break;
    if (*s->p == '\\')
      pass_escape(s);
    else
      ++s->p;
  }
  ++s->p;
}

static size_t values_in(size_t bytes) { return INGEST_JSON_VALUES + bytes / INGEST_JSON_DENSE; }

static int pass_all(struct pass *s, struct ck_err *err) {
  size_t most = values_in((size_t)(s->end - s->start));
  while (s->p < s->end) {
    char c = *s->p;
    if (c == '"') {
      pass_string(s);
      continue;
    }
    if (c == '{' || c == '[') ++s->depth;
    if ((c == '}' || c == ']') && s->depth) --s->depth;
    if (c == '{' || c == '[' || c == ',' || c == ':') ++s->values;
    if (s->depth > INGEST_JSON_DEPTH)
      return ck_fail(err, "byte %llu of the file: nested deeper than %d",
                     (unsigned long long)(s->base + (uint64_t)(s->p - s->start)),
                     INGEST_JSON_DEPTH);
    if (s->values > most)
      return ck_fail(err, "more than %zu values in %zu bytes", most, (size_t)(s->end - s->start));
    ++s->p;
  }
  return 0;
}

static json_t *build(struct ck_str text, unsigned *replaced, struct ingest_outline *outline) {
  const struct ck_json_text from = {.bytes = text.s,
                                    .n = text.n,
                                    .depth = INGEST_JSON_DEPTH,
                                    .values = values_in(text.n),
                                    .replaced = replaced,
                                    .breathe = ingest_breathe,
                                    .breath_bytes = INGEST_BREATH_BYTES};
  return outline ? ingest_outline_build(outline, &from) : ck_json_build(&from, NULL);
}

json_t *ingest_json_parse(char *bytes, size_t n, uint64_t base, unsigned *replaced,
                          struct ingest_outline *outline, struct ck_err *err) {
  struct ck_str all = {bytes, n};
  if (!ck_utf8_ok(all)) {
    ck_fail(err, "byte %llu of the file: not UTF-8", (unsigned long long)(base + bad_byte(all)));
    return NULL;
  }
  unsigned changed = 0;
  json_t *value = build(all, &changed, outline);
  if (value && replaced) *replaced += changed;
  if (value) return value;
  struct pass s = {.p = bytes, .end = bytes + n, .start = bytes, .base = base};
  if (pass_all(&s, err)) return NULL;
  if (outline) { /* jansson would build all that comes before */
    ck_fail(err, "byte %llu of the file: not valid JSON",
            (unsigned long long)(base + outline->end));
    return NULL;
  }
  json_error_t e;
  value = json_loadb(bytes, n, JSON_ALLOW_NUL | JSON_DECODE_ANY, &e);
  if (value) { /* jansson steps over a zero byte that stands after a number or a word */
    const char *zero = memchr(bytes, '\0', n);
    json_decref(value);
    ck_fail(err, "byte %llu of the file: not valid JSON",
            (unsigned long long)(base + (zero ? (size_t)(zero - bytes) : n)));
    return NULL;
  }
  /* jansson quotes the offending text, and may cut it inside a character. */
  ingest_clean(e.text, sizeof e.text, ck_str_of(e.text));
  ck_fail(err, "byte %llu of the file: %s",
          (unsigned long long)(base + (e.position > 0 ? (uint64_t)e.position : 0)), e.text);
  return NULL;
}

/* ---- values ---- */

struct ck_str ingest_json_str(const json_t *value) {
  if (!json_is_string(value)) return (struct ck_str){0};
  return (struct ck_str){json_string_value(value), json_string_length(value)};
}

struct ck_str ingest_json_text(const json_t *object, const char *name) {
  return ingest_json_str(json_object_get(object, name));
}

struct ck_str ingest_json_id(const json_t *object, const char *name, struct ck_arena *arena) {
  const json_t *value = json_object_get(object, name);
  struct ck_str text = ck_trim(ingest_json_str(value));
  struct ck_buf b = {0};
  if (json_is_integer(value))
    ck_buf_printf(&b, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
  else if (!text.n || !memchr(text.s, '\0', text.n))
    return text;
  else
    ck_buf_without_nul(&b, text);
  return ck_arena_keep(arena, &b);
}

static int add_to_buf(const char *bytes, size_t n, void *buf) {
  ck_buf_add(buf, bytes, n);
  return 0;
}

void ingest_json_add(struct ck_buf *b, const json_t *value) {
  json_dump_callback(value, add_to_buf, b, JSON_COMPACT | JSON_ENCODE_ANY);
}

struct ck_str ingest_json_any(const json_t *value, struct ck_arena *arena) {
  if (!value || json_is_null(value)) return (struct ck_str){0};
  if (json_is_string(value)) return ingest_json_str(value);
  struct ck_buf b = {0};
  ingest_json_add(&b, value);
  return ck_arena_keep(arena, &b);
}

bool ingest_time_ok(int64_t ms) { return ms >= 0 && ms < INT64_C(253402300800000); }

#define SECONDS_END 253402300800.0 /* of the year 9999 */

bool ingest_time_number(double number, int64_t *ms) {
  double scale = 1000;
  if (!(number > 0 && number < (double)INT64_MAX)) return false;
  for (double end = SECONDS_END; number >= end; end *= 1000) scale /= 1000;
  *ms = (int64_t)(number * scale + 0.5);
  return ingest_time_ok(*ms);
}

bool ingest_time_digits(struct ck_str text, double *number) {
  char digits[40];
  text = ck_trim(text);
  if (text.n == 0 || text.n >= sizeof digits) return false;
  memcpy(digits, text.s, text.n);
  digits[text.n] = '\0';
  if (strspn(digits, "0123456789.") != text.n || strchr(digits, '.') != strrchr(digits, '.'))
    return false;
  *number = strtod(digits, NULL);
  return true;
}

bool ingest_json_time(const json_t *value, int64_t *ms) {
  if (json_is_number(value)) return ingest_time_number(json_number_value(value), ms);
  struct ck_str s = ck_trim(ingest_json_str(value));
  double number;
  int64_t at;
  if (ingest_time_digits(s, &number)) return ingest_time_number(number, ms);
  if (!s.n || ck_time_parse(s.s, s.n, &at) || !ingest_time_ok(at)) return false;
  *ms = at;
  return true;
}

const char *ingest_json_type(const json_t *value) {
  static const char *const names[] = {
      [JSON_OBJECT] = "an object",   [JSON_ARRAY] = "an array",  [JSON_STRING] = "text",
      [JSON_INTEGER] = "an integer", [JSON_REAL] = "a fraction", [JSON_TRUE] = "true",
      [JSON_FALSE] = "false",        [JSON_NULL] = "null"};
  return value ? names[json_typeof(value)] : "missing";
}
