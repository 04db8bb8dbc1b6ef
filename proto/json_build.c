/* A recursive-descent parser that builds jansson values. Each build_… function returns NULL or
 * false if the text is not valid at b->p; ck_json_build then gives up. */
#include "proto/json_build.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MARK "\xef\xbb\xbf" /* the byte order mark */

struct build {
  const char *p, *end;
  const char *breath; /* where the last breath was drawn */
  unsigned depth;     /* levels left */
  size_t values;      /* likewise */
  unsigned *replaced; /* counts what is read as U+FFFD; NULL: that is not valid */
  struct ck_buf text; /* scratch: a string with escapes, or a number */
  bool checks;        /* nothing is built: null stands for whatever is valid */
  const struct ck_json_text *of;
  json_t *root; /* the object whose children the outline may leave out */
};

static json_t *build_value(struct build *b);

static void pass_space(struct build *b) {
  while (b->p < b->end && (*b->p == ' ' || *b->p == '\n' || *b->p == '\t' || *b->p == '\r')) ++b->p;
}

/* Steps over c and the space after it. */
static bool step_over(struct build *b, char c) {
  if (b->p == b->end || *b->p != c) return false;
  ++b->p;
  pass_space(b);
  return true;
}

/* ---- text ---- */

/* The four hex digits at p, or -1. */
static int unit_at(const char *p) {
  int unit = 0;
  for (int i = 0; i < 4; ++i) {
    char c = p[i];
    int digit = c >= '0' && c <= '9'   ? c - '0'
                : c >= 'a' && c <= 'f' ? c - 'a' + 10
                : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                       : -1;
    if (digit < 0) return -1;
    unit = unit * 16 + digit;
  }
  return unit;
}

/* At the digits of \uXXXX: adds the character, or the one that a surrogate pair makes. */
static bool build_unicode(struct build *b) {
  int unit = b->end - b->p >= 4 ? unit_at(b->p) : -1;
  if (unit < 0) return false;
  b->p += 4;
  if (unit < 0xd800 || unit > 0xdfff) {
    ck_buf_utf8(&b->text, (unsigned)unit);
    return true;
  }
  int low = unit < 0xdc00 && b->end - b->p >= 6 && b->p[0] == '\\' && b->p[1] == 'u'
                ? unit_at(b->p + 2)
                : -1;
  if (low < 0xdc00 || low > 0xdfff) {
    if (!b->replaced) return false;
    ++*b->replaced;
    ck_buf_utf8(&b->text, 0xfffd);
    return true;
  }
  b->p += 6;
  ck_buf_utf8(&b->text, 0x10000u + ((unsigned)unit - 0xd800) * 0x400 + ((unsigned)low - 0xdc00));
  return true;
}

/* At the byte after a backslash. */
static bool build_escape(struct build *b) {
  static const char letters[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
  if (b->p == b->end) return false;
  char c = *b->p++;
  if (c == 'u') return build_unicode(b);
  const char *at = c ? strchr(letters, c) : NULL;
  if (at) ck_buf_add(&b->text, &meant[at - letters], 1);
  return at;
}

/* True if any of the eight bytes is a quote, a backslash or below 0x20; exact. */
static bool has_special(uint64_t eight) {
  const uint64_t ones = 0x0101010101010101u, tops = 0x8080808080808080u;
  uint64_t quote = eight ^ ones * '"', backslash = eight ^ ones * '\\';
  return ((((quote - ones) & ~quote) | ((backslash - ones) & ~backslash) |
           ((eight - ones * 0x20) & ~eight)) &
          tops) != 0;
}

const char *ck_json_plain(const char *p, const char *end) {
  for (uint64_t eight; (size_t)(end - p) >= sizeof eight; p += sizeof eight) {
    memcpy(&eight, p, sizeof eight);
    if (has_special(eight)) break;
  }
  while (p < end && *p != '"' && *p != '\\' && (unsigned char)*p >= 0x20) ++p;
  return p;
}

/* At the byte after the opening quote: reads to after the closing one. *s points into the input, or
 * into b->text if the string has escapes. */
static bool build_text(struct build *b, struct ck_str *s) {
  const char *from = b->p;
  b->p = ck_json_plain(b->p, b->end);
  *s = (struct ck_str){from, (size_t)(b->p - from)};
  if (b->p < b->end && *b->p == '"') {
    ++b->p;
    return true;
  }
  ck_buf_clear(&b->text);
  while (b->p < b->end) {
    ck_buf_add(&b->text, from, (size_t)(b->p - from));
    char c = *b->p++;
    if (c == '"') {
      *s = ck_buf_view(&b->text);
      return true;
    }
    if (c != '\\' || !build_escape(b)) return false;
    from = b->p;
    b->p = ck_json_plain(b->p, b->end);
  }
  return false;
}

static json_t *build_string(struct build *b) {
  struct ck_str s;
  ++b->p;
  if (!build_text(b, &s)) return NULL;
  return b->checks ? json_null() : json_stringn_nocheck(s.n ? s.s : "", s.n);
}

/* ---- numbers and words ---- */

static size_t digits_at(const char *p, const char *end) {
  const char *from = p;
  while (p < end && *p >= '0' && *p <= '9') ++p;
  return (size_t)(p - from);
}

/* The length of the number at p; 0 if there is none. *whole: no fraction, no exponent. */
static size_t number_at(const char *p, const char *end, bool *whole) {
  const char *from = p;
  if (p < end && *p == '-') ++p;
  size_t n = digits_at(p, end);
  if (!n || (*p == '0' && n > 1)) return 0;
  p += n;
  *whole = true;
  if (p < end && *p == '.') {
    *whole = false;
    if (!(n = digits_at(p + 1, end))) return 0;
    p += 1 + n;
  }
  if (p < end && (*p == 'e' || *p == 'E')) {
    *whole = false;
    ++p;
    if (p < end && (*p == '+' || *p == '-')) ++p;
    if (!(n = digits_at(p, end))) return 0;
    p += n;
  }
  return (size_t)(p - from);
}

static json_t *build_number(struct build *b) {
  bool whole;
  size_t n = number_at(b->p, b->end, &whole);
  if (!n) return NULL;
  ck_buf_clear(&b->text);
  ck_buf_add(&b->text, b->p, n);
  b->p += n;
  errno = 0;
  long long integer = whole ? strtoll(ck_buf_cstr(&b->text), NULL, 10) : 0;
  if (whole && !errno) return b->checks ? json_null() : json_integer(integer);
  double real = strtod(ck_buf_cstr(&b->text), NULL);
  if (!isfinite(real)) return NULL;
  return b->checks ? json_null() : json_real(real);
}

static json_t *build_word(struct build *b) {
  static const struct {
    const char *word;
    size_t n;
    json_t *(*make)(void);
  } words[] = {{"true", 4, json_true}, {"false", 5, json_false}, {"null", 4, json_null}};
  for (size_t i = 0; i < sizeof words / sizeof *words; ++i) {
    if ((size_t)(b->end - b->p) < words[i].n || memcmp(b->p, words[i].word, words[i].n) != 0)
      continue;
    b->p += words[i].n;
    return words[i].make();
  }
  return NULL;
}

/* ---- arrays and objects ---- */

static void breathe(struct build *b) {
  if (!b->of->breathe || (size_t)(b->p - b->breath) < b->of->breath_bytes) return;
  b->breath = b->p;
  b->of->breathe();
}

/* One more value. False: there are too many. */
static bool count(struct build *b) {
  if (!b->values) return false;
  --b->values;
  return true;
}

static bool build_element(struct build *b, json_t *array) {
  json_t *value = build_value(b);
  return value && (b->checks || json_array_append_new(array, value) == 0);
}

/* A member's name ends at its NUL in jansson, so that is read as U+FFFD. NULL: it may have none.
 * The caller frees it. */
static char *name_of(struct build *b, struct ck_str s) {
  struct ck_buf name = {0};
  if (!s.n || !memchr(s.s, '\0', s.n)) return ck_str_dup(s);
  if (!b->replaced) return NULL;
  *b->replaced += ck_buf_without_nul(&name, s);
  char *text = ck_str_dup(ck_buf_view(&name));
  ck_buf_free(&name);
  return text;
}

static json_t *value_of(struct build *b, const char *name) {
  (void)name;
  return build_value(b);
}

static bool take_member(struct build *b, json_t *object,
                        json_t *(*take)(struct build *b, const char *name)) {
  struct ck_str s;
  if (b->p == b->end || *b->p++ != '"' || !build_text(b, &s)) return false;
  char *name = name_of(b, s);
  if (!name) return false;
  pass_space(b);
  json_t *value = step_over(b, ':') && count(b) ? take(b, name) : NULL;
  bool ok = value && (b->checks || json_object_set_new_nocheck(object, name, value) == 0);
  free(name);
  return ok;
}

static bool build_member(struct build *b, json_t *object) {
  return take_member(b, object, value_of);
}

static json_t *build_all(struct build *b, json_t *container, char end,
                         bool (*each)(struct build *b, json_t *container)) {
  ++b->p;
  pass_space(b);
  bool enters = b->depth && count(b), ok = enters && step_over(b, end), more = enters && !ok;
  --b->depth;
  while (more) {
    breathe(b);
    ok = each(b, container) && (pass_space(b), b->p < b->end) &&
         (*b->p == end || (*b->p == ',' && count(b)));
    more = ok && *b->p == ',';
    if (ok) ++b->p;
    if (ok) pass_space(b);
  }
  ++b->depth;
  if (ok) return container;
  json_decref(container);
  return NULL;
}

static json_t *build_value(struct build *b) {
  if (b->p == b->end) return NULL;
  switch (*b->p) {
  case '"':
    return build_string(b);
  case '{':
    return build_all(b, b->checks ? json_null() : json_object(), '}', build_member);
  case '[':
    return build_all(b, b->checks ? json_null() : json_array(), ']', build_element);
  case 't':
  case 'f':
  case 'n':
    return build_word(b);
  default:
    return build_number(b);
  }
}

/* ---- an outline ---- */

static json_t *outline_child(struct build *b, const char *name) {
  const char *from = b->p;
  (void)name;
  b->checks = true;
  json_t *checked = build_value(b);
  b->checks = false;
  if (!checked) return NULL;
  const struct ck_json_outline *o = b->of->outline;
  return o->child(o->self, (size_t)(from - b->of->bytes), (size_t)(b->p - b->of->bytes));
}

static bool outline_member(struct build *b, json_t *object) {
  return take_member(b, object, outline_child);
}

static bool outline_element(struct build *b, json_t *array) {
  json_t *child = outline_child(b, NULL);
  return child && json_array_append_new(array, child) == 0;
}

static json_t *root_value(struct build *b, const char *name) {
  const struct ck_json_outline *o = b->of->outline;
  char first = b->p < b->end && o->leaves_out(b->root, name) ? *b->p : '\0';
  if (first == '{') return build_all(b, json_object(), '}', outline_member);
  if (first == '[') return build_all(b, json_array(), ']', outline_element);
  return build_value(b);
}

static bool root_member(struct build *b, json_t *object) {
  return take_member(b, object, root_value);
}

static json_t *build_root(struct build *b) {
  if (!b->of->outline || b->p == b->end || *b->p != '{') return build_value(b);
  return build_all(b, b->root = json_object(), '}', root_member);
}

json_t *ck_json_build(const struct ck_json_text *text, size_t *end) {
  struct build b = {.p = text->bytes,
                    .end = text->bytes + text->n,
                    .breath = text->bytes,
                    .depth = text->depth,
                    .values = text->values,
                    .replaced = text->replaced,
                    .of = text};
  if (ck_str_starts((struct ck_str){text->bytes, text->n}, MARK)) b.p += sizeof MARK - 1;
  pass_space(&b);
  json_t *value = build_root(&b);
  pass_space(&b);
  if (value && b.p < b.end) {
    json_decref(value);
    value = NULL;
  }
  if (end) *end = (size_t)(b.p - text->bytes);
  ck_buf_free(&b.text);
  return value;
}
