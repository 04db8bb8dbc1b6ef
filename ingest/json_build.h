/* JSON text → jansson's values, several times as fast as jansson reads it: whole runs of text at
 * once, not a character at a time. It takes what is sound and plain; for anything else jansson
 * itself is asked, which then says what is wrong. */
#ifndef INGEST_JSON_BUILD_H
#define INGEST_JSON_BUILD_H

#include <jansson.h>

/* bytes: UTF-8, brackets no deeper than `depth`. The value that jansson would give; the caller
 * decrefs. NULL: no value, deeper, a number that neither an int64_t nor a double holds, or a
 * member's name with a NUL. */
json_t *ingest_json_build(const char *bytes, size_t n, unsigned depth);

/* The first byte that text in JSON cannot have as it is: a quote, a backslash, below 0x20; or end.
 */
const char *ingest_json_plain(const char *p, const char *end);

#endif
