/* Errors: a line for people, an object for programs. Declared in cli.h. */
#include "cli/cli.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "cli/out.h"

#define TEXT_BYTES 1024

/* Appends s as it is safe to print, on one line. */
static void add(struct ck_buf *b, const char *s) { cli_safe_text(b, ck_str_of(s), false); }

static void print_line(const struct cli *c, const char *where, const char *text) {
  struct ck_buf line = {0};
  ck_buf_text(&line, "convkeep: ");
  if (c->command) ck_buf_printf(&line, "%s: ", c->command->name);
  if (where && *where) {
    add(&line, where);
    ck_buf_text(&line, ": ");
  }
  add(&line, text);
  ck_buf_text(&line, "\n");
  fwrite(line.data, 1, line.len, stderr);
  ck_buf_free(&line);
}

/* As it is; what is not UTF-8 as it is printed. */
static json_t *json_of(const char *s, size_t n) {
  struct ck_buf shown = {0};
  if (ck_utf8_ok((struct ck_str){s, n})) return json_stringn(s, n);
  cli_safe_text(&shown, (struct ck_str){s, n}, false);
  json_t *value = json_stringn(ck_buf_cstr(&shown), shown.len);
  ck_buf_free(&shown);
  return value;
}

static void print_json(enum cli_exit code, const char *where, const char *text) {
  const char *hint = strstr(text, "; ");
  json_t *o = json_object();
  json_object_set_new(o, "error", json_of(text, hint ? (size_t)(hint - text) : strlen(text)));
  json_object_set_new(o, "where", where && *where ? json_of(where, strlen(where)) : json_null());
  json_object_set_new(o, "hint", hint ? json_of(hint + 2, strlen(hint + 2)) : json_null());
  json_object_set_new(o, "code", json_integer((json_int_t)code));
  char *line = json_dumps(o, JSON_COMPACT);
  if (line) fprintf(stderr, "%s\n", line);
  free(line);
  json_decref(o);
}

__attribute__((format(printf, 4, 0))) static void
report(const struct cli *c, enum cli_exit code, const char *where, const char *fmt, va_list args) {
  char text[TEXT_BYTES];
  vsnprintf(text, sizeof text, fmt, args);
  if (c->json || c->json_errors)
    print_json(code, where, text);
  else
    print_line(c, where, text);
}

int cli_fail(const struct cli *c, enum cli_exit code, const char *where, const char *fmt, ...) {
  va_list args;
  va_start(args, fmt);
  report(c, code, where, fmt, args);
  va_end(args);
  return (int)code;
}

void cli_error(const struct cli *c, const char *where, const char *fmt, ...) {
  va_list args;
  va_start(args, fmt);
  report(c, CLI_FAILED, where, fmt, args);
  va_end(args);
}

void cli_warn(const struct cli *c, const char *where, const char *fmt, ...) {
  va_list args;
  va_start(args, fmt);
  report(c, CLI_DONE, where, fmt, args);
  va_end(args);
}

int cli_usage_error(const struct cli *c, const char *where, const char *fmt, ...) {
  va_list args;
  va_start(args, fmt);
  char text[TEXT_BYTES];
  vsnprintf(text, sizeof text, fmt, args);
  va_end(args);
  size_t n = strlen(text);
  return cli_fail(c, CLI_USAGE, where, "%s%s see convkeep %s%s--help", text,
                  n && text[n - 1] == '?' ? "" : ";", c->command ? c->command->name : "",
                  c->command ? " " : "");
}
