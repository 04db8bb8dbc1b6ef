/* Builds jansson values from JSON text, several times as fast as jansson's own parser, because it
 * reads text in runs, not character by character. If it returns NULL, the caller lets jansson
 * parse, which says what is wrong. */
#ifndef CK_PROTO_JSON_BUILD_H
#define CK_PROTO_JSON_BUILD_H

#include <jansson.h>
#include <stdbool.h>

#include "proto/text.h"

/* Members of the outermost object may be built as an outline: of each of their children, only
 * whether it is valid is looked at, and something else stands for it. */
struct ck_json_outline {
  void *self;
  /* Is this member one of them? root: the object, with the members before it. */
  bool (*leaves_out)(const json_t *root, const char *name);
  /* What stands for the child that is at text->bytes from `at` to before `end`. The builder takes
   * it over. */
  json_t *(*child)(void *self, size_t at, size_t end);
};

struct ck_json_text {
  /* UTF-8; may begin with the byte order mark, as a line does that was the first of a file. */
  const char *bytes;
  size_t n;
  unsigned depth; /* brackets within brackets, at most */
  size_t values;  /* opening brackets, commas and colons, at most */
  /* Half of a surrogate pair alone, and U+0000 in a member's name, are read as U+FFFD and counted;
   * NULL: they are not valid. */
  unsigned *replaced;
  const struct ck_json_outline *outline; /* NULL: all is built */
  /* Called each time that so many bytes have been read; NULL: never. */
  void (*breathe)(void);
  size_t breath_bytes;
};

/* The value that jansson would give for the same text. The caller decrefs. *end, unless end is
 * NULL: where in the text the value ends; or about where it is not valid.
 * NULL: not valid JSON, too deep, too many values, or a number that fits neither int64_t nor
 * double. */
json_t *ck_json_build(const struct ck_json_text *text, size_t *end);

/* The first byte that a JSON string must escape (a quote, a backslash, or below 0x20), or end. */
const char *ck_json_plain(const char *p, const char *end);

#endif
