/* Lines, indentation, names and values; what the names mean is for settings.c. */
#include "proto/zpl.h"

#include <string.h>

#define INDENT 4
#define LINE_MAX_BYTES 1000
#define LEVELS (LINE_MAX_BYTES / INDENT + 1)

struct zpl {
  struct ck_buf line, name, value;
  size_t ends[LEVELS]; /* for each level, where the name of its last item ends in `name` */
  size_t level;        /* the deepest level that the next item may have */
};

static const char name_bytes[] =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";

/* After a value in quotes, or a name alone, only a comment may follow. */
static bool is_rest(const char *p) {
  p += strspn(p, " \t");
  return *p == '\0' || *p == '#';
}

/* Reads the value at p, after the "=". NULL, or what is wrong. */
static const char *take_value(struct zpl *z, const char *p) {
  ck_buf_clear(&z->value);
  p += strspn(p, " \t");
  if (*p == '"' || *p == '\'') {
    const char *close = strchr(p + 1, *p);
    if (!close) return "the quote is not closed";
    if (!is_rest(close + 1)) return "there is something after the closing quote";
    ck_buf_add(&z->value, p + 1, (size_t)(close - p - 1));
    return NULL;
  }
  size_t n = strcspn(p, "#");
  while (n && strchr(" \t", p[n - 1])) --n;
  ck_buf_add(&z->value, p, n);
  return NULL;
}

/* Reads `name`, `name = value` or `name = "value"`. NULL, or what is wrong. */
static const char *take_item(struct zpl *z, size_t level, const char *p, bool *given) {
  size_t n = strspn(p, name_bytes);
  if (n == 0) return "a name was expected";
  z->name.len = level ? z->ends[level - 1] : 0;
  if (level) ck_buf_add(&z->name, ".", 1);
  ck_buf_add(&z->name, p, n);
  z->ends[level] = z->name.len;
  z->level = level + 1;
  p += n + strspn(p + n, " \t");
  *given = *p == '=';
  if (*given) return take_value(z, p + 1);
  return is_rest(p) ? NULL : "\"=\" was expected after the name";
}

/* Reads a line that is neither empty nor a comment. NULL, or what is wrong. */
static const char *take_line(struct zpl *z, struct ck_str line, bool *given) {
  if (line.n > LINE_MAX_BYTES) return "the line is too long";
  if (memchr(line.s, '\0', line.n) || !ck_utf8_ok(line)) return "the line is not UTF-8 text";
  ck_buf_clear(&z->line);
  ck_buf_str(&z->line, line);
  const char *text = ck_buf_cstr(&z->line);
  size_t indent = strspn(text, " "), level = indent / INDENT;
  if (text[indent] == '\t' || indent % INDENT) return "must be indented by 4 blanks a level";
  if (level > z->level) return "is indented too far";
  return take_item(z, level, text + indent, given);
}

/* Removes the next line from text and returns it, without its line break and the blanks before
 * it. */
static struct ck_str next_line(struct ck_str *text) {
  const char *eol = memchr(text->s, '\n', text->n);
  struct ck_str line = {text->s, eol ? (size_t)(eol - text->s) : text->n};
  size_t taken = line.n + (eol ? 1 : 0);
  text->s += taken;
  text->n -= taken;
  while (line.n && memchr(" \t\r", line.s[line.n - 1], 3)) --line.n;
  return line;
}

static bool says_nothing(struct ck_str line) {
  size_t i = 0;
  while (i < line.n && line.s[i] == ' ') ++i;
  return i == line.n || line.s[i] == '#';
}

int ck_zpl_read(const char *path, struct ck_str text, const struct ck_zpl_visitor *visitor,
                struct ck_err *err) {
  struct zpl z = {.level = 0};
  int rc = 0;
  for (int number = 1; text.n && rc == 0; ++number) {
    struct ck_str line = next_line(&text);
    bool given = false;
    if (says_nothing(line)) continue;
    const char *wrong = take_line(&z, line, &given);
    if (wrong) {
      rc = ck_fail(err, "%s:%d: %s", path, number, wrong);
      continue;
    }
    const char *value = given ? ck_buf_cstr(&z.value) : NULL;
    struct ck_zpl_item item = {number, ck_buf_cstr(&z.name), value};
    rc = visitor->item(visitor->self, &item, err);
  }
  ck_buf_free(&z.line);
  ck_buf_free(&z.name);
  ck_buf_free(&z.value);
  return rc ? -1 : 0;
}
