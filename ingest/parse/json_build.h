/* Builds jansson values from JSON text, several times as fast as jansson's own parser, because it
 * reads text in runs, not character by character. If it returns NULL, the caller (json.c) lets
 * jansson parse, which says what is wrong. */
#ifndef INGEST_PARSE_JSON_BUILD_H
#define INGEST_PARSE_JSON_BUILD_H

#include <jansson.h>

#include "ingest/parse/outline.h"

/* The value that jansson would give for the same text. bytes must be UTF-8; they may begin with the
 * byte order mark, as a line does that was the first of a file. The caller decrefs.
 * replaced: half of a surrogate pair alone, and U+0000 in a member's name, are read as U+FFFD and
 * counted; NULL: they are not valid.
 * outline: the value is built as its outline, which is filled; NULL: it is built whole.
 * NULL: not valid JSON, nested deeper than `depth`, more than `values` values (the opening
 * brackets, commas and colons), or a number that fits neither int64_t nor double. */
json_t *ingest_json_build(const char *bytes, size_t n, unsigned depth, size_t values,
                          unsigned *replaced, struct ingest_outline *outline);

/* The first byte that a JSON string must escape (a quote, a backslash, or below 0x20), or end. */
const char *ingest_json_plain(const char *p, const char *end);

#endif
