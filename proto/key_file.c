/* See key_file.h. */
#include "proto/key_file.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "proto/file.h"

#define INDENT 4 /* spaces a level */

static size_t blanks(struct ck_str line, size_t at) {
  while (at < line.n && (line.s[at] == ' ' || line.s[at] == '\t' || line.s[at] == '\r')) ++at;
  return at;
}

/* Nothing but blanks and a comment is left. */
static bool is_over(struct ck_str line, size_t at) {
  at = blanks(line, at);
  return at == line.n || line.s[at] == '#';
}

static bool is_value(struct ck_str line, size_t at) {
  char quote = at < line.n ? line.s[at] : '\0';
  if (quote != '"' && quote != '\'') return true; /* up to a comment, whatever it is */
  const char *end = memchr(line.s + at + 1, quote, line.n - at - 1);
  return end && is_over(line, (size_t)(end - line.s) + 1);
}

static size_t name_end(struct ck_str line, size_t at) {
  while (at < line.n && (isalnum((unsigned char)line.s[at]) || strchr("-_.", line.s[at]))) ++at;
  return at;
}

/* *level: the deepest that the line may have; then that of the next one. */
static bool is_line(struct ck_str line, size_t *level) {
  size_t at = 0;
  while (at < line.n && line.s[at] == ' ') ++at;
  if (at % INDENT || memchr(line.s, '\0', line.n)) return false;
  if (is_over(line, at)) return true;
  size_t end = name_end(line, at), value = blanks(line, end);
  if (at / INDENT > *level || end == at) return false;
  *level = at / INDENT + 1;
  if (value == line.n || line.s[value] != '=') return is_over(line, value);
  return is_value(line, blanks(line, value + 1));
}

int ck_key_text_check(struct ck_str text, struct ck_err *err) {
  size_t level = 0;
  for (unsigned number = 1; text.n; ++number) {
    const char *end = memchr(text.s, '\n', text.n);
    struct ck_str line = {text.s, end ? (size_t)(end - text.s) : text.n};
    if (!is_line(line, &level)) return ck_fail(err, "line %u is not as it was written", number);
    size_t taken = line.n + (end != NULL);
    text = (struct ck_str){text.s + taken, text.n - taken};
  }
  return 0;
}

int ck_key_file_check(const char *path, struct ck_err *err) {
  struct ck_buf bytes = {0};
  int rc = ck_read_file(AT_FDCWD, path, 0, CK_KEY_FILE_BYTES, &bytes, err);
  if (rc && errno == ENOENT) rc = 0;
  if (rc == 0) rc = ck_key_text_check(ck_buf_view(&bytes), err);
  if (bytes.data) explicit_bzero(bytes.data, bytes.len);
  ck_buf_free(&bytes);
  return rc ? ck_fail_in(err, "%s", path) : 0;
}
