/* See foreign_value.h. */
#include "cli/import/foreign_value.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "proto/clock.h"
#include "proto/visible.h"

#define KEPT (64u << 10) /* bytes of a row's JSON */
#define NUMBER_MAX 40    /* bytes of a number that is text */
#define LARGEST 9.2e18   /* no whole number above it is an int64_t */

/* ---- text ---- */

static struct ck_str with_replacements(struct ck_str s, struct ck_arena *arena) {
  struct ck_buf b = {0};
  for (size_t i = 0; i < s.n;) {
    size_t n = ck_character(s.s + i, s.n - i);
    if (n)
      ck_buf_add(&b, s.s + i, n);
    else
      ck_buf_text(&b, "\xef\xbf\xbd");
    i += n ? n : 1;
  }
  struct ck_str clean = ck_arena_copy(arena, ck_buf_view(&b));
  ck_buf_free(&b);
  return clean;
}

static struct ck_str bytes_of(sqlite3_stmt *s, int i) {
  bool blob = sqlite3_column_type(s, i) == SQLITE_BLOB;
  const char *p = blob ? sqlite3_column_blob(s, i) : (const char *)sqlite3_column_text(s, i);
  return (struct ck_str){p ? p : "", p ? (size_t)sqlite3_column_bytes(s, i) : 0};
}

static bool names_a_record(const struct ck_field *field) {
  return (field->flags & (CK_KEY | CK_FILTER)) != 0;
}

static int take_text(struct ck_value *v, const struct ck_field *field, sqlite3_stmt *s, int i,
                     bool *replaced, struct ck_arena *arena, struct ck_err *err) {
  struct ck_str text = bytes_of(s, i);
  if (!ck_utf8_ok(text)) {
    if (names_a_record(field)) return ck_fail(err, "is not UTF-8");
    text = with_replacements(text, arena);
    *replaced = true;
  }
  if (field->kind == CK_K_CHOICE && !ck_choice_ok(field->choices, ck_trim(text))) {
    struct ck_str shown = ck_utf8_cut(text, 40);
    return ck_fail(err, "'%.*s' is not one of %s", (int)shown.n, shown.s, field->choices);
  }
  *v = ck_text(text);
  return 0;
}

/* ---- integers ---- */

static int take_number(struct ck_value *v, const struct ck_field *field, double number,
                       struct ck_err *err) {
  if (field->kind == CK_K_TIME) number = floor(number);
  if (!(number > -LARGEST && number < LARGEST) || number != floor(number))
    return ck_fail(err, "%.17g is no integer", number);
  *v = ck_int((int64_t)number);
  return 0;
}

static bool is_word(struct ck_str s, const char *word) {
  return s.n == strlen(word) && strncasecmp(s.s, word, s.n) == 0;
}

/* An integer, a number with a fraction, a truth, or a time as ISO 8601 writes it. */
static int read_number(struct ck_value *v, const struct ck_field *field, struct ck_str text,
                       struct ck_err *err) {
  struct ck_str shown = ck_utf8_cut(ck_utf8_ok(text) ? text : CK_LIT("(not UTF-8)"), NUMBER_MAX);
  char copy[NUMBER_MAX + 1], *end;
  int64_t at;
  if (field->kind == CK_K_BOOL && (is_word(text, "true") || is_word(text, "false"))) {
    *v = ck_int(is_word(text, "true"));
    return 0;
  }
  if (field->kind == CK_K_TIME && text.n > 4 && text.s[4] == '-' &&
      ck_time_parse(text.s, text.n, &at) == 0) {
    *v = ck_int(at);
    return 0;
  }
  size_t n = text.n <= NUMBER_MAX ? text.n : 0;
  memcpy(copy, text.s, n);
  copy[n] = '\0';
  if (n && strspn(copy, "0123456789+-.eE") == n) {
    errno = 0;
    int64_t whole = strtoll(copy, &end, 10);
    if (!*end && !errno) {
      *v = ck_int(whole);
      return 0;
    }
    double number = strtod(copy, &end);
    if (!*end) return take_number(v, field, number, err);
  }
  return ck_fail(err, "'%.*s' is no %s", (int)shown.n, shown.s,
                 field->kind == CK_K_TIME ? "time" : "integer");
}

static int take_integer(struct ck_value *v, const struct ck_field *field, sqlite3_stmt *s, int i,
                        struct ck_err *err) {
  switch (sqlite3_column_type(s, i)) {
  case SQLITE_INTEGER:
    *v = ck_int(sqlite3_column_int64(s, i));
    return 0;
  case SQLITE_FLOAT:
    return take_number(v, field, sqlite3_column_double(s, i), err);
  default:
    return read_number(v, field, ck_trim(bytes_of(s, i)), err);
  }
}

int foreign_value(struct ck_value *v, const struct ck_field *field, sqlite3_stmt *s, int i,
                  bool *replaced, struct ck_arena *arena, struct ck_err *err) {
  *v = (struct ck_value){0};
  int type = sqlite3_column_type(s, i);
  if (type == SQLITE_NULL) return 0;
  bool text = type == SQLITE_TEXT || type == SQLITE_BLOB,
       whole = field->kind == CK_K_RAW || field->kind == CK_K_PAYLOAD;
  if (text && !whole && ck_trim(bytes_of(s, i)).n == 0 &&
      (field->flags & (CK_OPTIONAL | CK_DEFAULT | CK_DEFAULT_NOW)))
    return 0;
  return ck_kind_is_int(field->kind) ? take_integer(v, field, s, i, err)
                                     : take_text(v, field, s, i, replaced, arena, err);
}

/* ---- for people ---- */

static void value_json(struct ck_buf *b, sqlite3_stmt *s, int i, size_t room) {
  struct ck_arena arena = {0};
  struct ck_str text;
  switch (sqlite3_column_type(s, i)) {
  case SQLITE_NULL:
    ck_buf_text(b, "null");
    break;
  case SQLITE_INTEGER:
    ck_buf_printf(b, "%lld", (long long)sqlite3_column_int64(s, i));
    break;
  case SQLITE_BLOB:
    ck_buf_printf(b, "\"(%d bytes)\"", sqlite3_column_bytes(s, i));
    break;
  default: /* a REAL as text, because JSON has no infinity */
    text = bytes_of(s, i);
    if (text.n > room) text.n = room;
    ck_buf_json_str(b, with_replacements(text, &arena));
  }
  ck_arena_free(&arena);
}

void foreign_row_json(struct ck_buf *b, sqlite3_stmt *s) {
  size_t begun = b->len;
  const char *comma = "{";
  for (int i = 0; i < sqlite3_data_count(s); ++i) {
    size_t used = b->len - begun;
    if (used >= KEPT) break;
    ck_buf_text(b, comma);
    ck_buf_json_str(b, ck_str_of(sqlite3_column_name(s, i)));
    ck_buf_text(b, ":");
    value_json(b, s, i, KEPT - used);
    comma = ",";
  }
  ck_buf_text(b, *comma == '{' ? "{}" : "}");
}
