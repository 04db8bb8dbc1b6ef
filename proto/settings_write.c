/* Changing one setting in the settings file; see settings.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/file.h"
#include "proto/settings.h"
#include "proto/zpl.h"

/* Looks for the line that has the setting. */
struct finding {
  const char *name;
  int line; /* from 1; 0: none has it */
};

static int look(void *self, const struct ck_zpl_item *item, struct ck_err *err) {
  struct finding *f = self;
  (void)err;
  if (item->value && strcmp(item->name, f->name) == 0) f->line = item->line;
  return 0;
}

/* The line that begins at `at`, without its line feed. */
static struct ck_str line_at(struct ck_str text, size_t at) {
  const char *end = memchr(text.s + at, '\n', text.n - at);
  return (struct ck_str){text.s + at, end ? (size_t)(end - text.s) - at : text.n - at};
}

static bool is_comment_of(struct ck_str line, const char *name) {
  size_t n = strlen(name);
  struct ck_str left;
  if (!line.n || line.s[0] != '#') return false;
  left = ck_trim((struct ck_str){line.s + 1, line.n - 1});
  if (left.n < n || memcmp(left.s, name, n) != 0) return false;
  left = ck_trim((struct ck_str){left.s + n, left.n - n});
  return left.n && left.s[0] == '=';
}

/* Where the line begins that is to be replaced; text.n: none. */
static size_t place_of(struct ck_str text, const struct finding *f) {
  size_t at = 0, comment = text.n;
  for (int line = 1; at < text.n; ++line) {
    struct ck_str here = line_at(text, at);
    if (line == f->line) return at;
    if (is_comment_of(here, f->name)) comment = at;
    at += here.n + 1;
  }
  return f->line ? text.n : comment;
}

/* The line with its new value: in a section, the indented last part of the name stays. */
static void add_line(struct ck_buf *out, struct ck_str old, const struct finding *f,
                     const char *value) {
  const char *equals = f->line ? memchr(old.s, '=', old.n) : NULL;
  struct ck_str name = equals ? (struct ck_str){old.s, (size_t)(equals - old.s)} : CK_LIT("");
  while (name.n && name.s[name.n - 1] == ' ') --name.n;
  if (!equals) name = ck_str_of(f->name);
  ck_buf_str(out, name);
  bool bare = *value && !strpbrk(value, "#\"' ");
  ck_buf_printf(out, bare ? " = %s\n" : " = \"%s\"\n", value);
}

static int fill(int fd, const char *place, struct ck_str text, struct ck_err *err) {
  if (ck_take_place(fd, AT_FDCWD, place, err)) return -1;
  if (ck_write_all(fd, text) || fsync(fd)) return ck_fail_write(err, place, errno, strerror(errno));
  return 0;
}

static int replace(const char *file, struct ck_str text, struct ck_err *err) {
  char *real = realpath(file, NULL), *place = real ? real : ck_strdup(file);
  char *beside = ck_sprintf("%s.new", place);
  int fd = ck_open_file(AT_FDCWD, beside, O_WRONLY | O_CREAT | O_TRUNC, err);
  int rc = fd < 0 ? -1 : fill(fd, place, text, err);
  if (fd >= 0 && close(fd) && rc == 0) rc = ck_fail_write(err, place, errno, strerror(errno));
  if (rc == 0 && rename(beside, place)) rc = ck_fail_write(err, place, errno, strerror(errno));
  if (rc) {
    ck_fail_in(err, "%s", place);
    if (fd >= 0) unlink(beside);
  }
  free(beside);
  free(place);
  return rc;
}

int ck_settings_write(const char *file, const char *name, const char *value, struct ck_err *err) {
  struct ck_buf old = {0}, text = {0};
  struct finding f = {name, 0};
  const struct ck_zpl_visitor visitor = {look, &f};
  if (ck_settings_write_default(file, err)) return -1;
  int rc = ck_read_own_file(file, CK_SETTINGS_FILE_MAX, &old, err);
  if (rc) ck_fail_in(err, "%s", file);
  if (rc == 0) rc = ck_zpl_read(file, ck_buf_view(&old), &visitor, err);
  if (rc == 0) {
    struct ck_str before = ck_buf_view(&old), line = {0};
    size_t at = place_of(before, &f);
    if (at < before.n) line = line_at(before, at);
    ck_buf_add(&text, before.s, at);
    if (text.len && text.data[text.len - 1] != '\n') ck_buf_text(&text, "\n");
    add_line(&text, line, &f, value);
    if (at + line.n + 1 < before.n)
      ck_buf_add(&text, before.s + at + line.n + 1, before.n - at - line.n - 1);
    rc = replace(file, ck_buf_view(&text), err);
  }
  ck_buf_free(&old);
  ck_buf_free(&text);
  return rc;
}
