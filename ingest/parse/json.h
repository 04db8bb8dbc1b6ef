/* jansson for the sources: parses untrusted pieces of a file, and reads values whose type may not
 * be the expected one. */
#ifndef INGEST_PARSE_JSON_H
#define INGEST_PARSE_JSON_H

#include <jansson.h>
#include "ingest/parse/outline.h"
#include "proto/error.h"
#include "proto/text.h"

#define INGEST_JSON_DEPTH 256
/* A piece may have so many values, and one more for each INGEST_JSON_DENSE bytes. Each costs some
 * 100 bytes once it is parsed, so a piece that is built whole costs at most 200 MB and 13 times its
 * size. */
#define INGEST_JSON_VALUES 2000000
#define INGEST_JSON_DENSE 8

/* Gives jansson its own pool of memory (json_pool.h). Call once, at the start; one thread. */
void ingest_json_setup(void);

/* Parses exactly one value, at most INGEST_JSON_DEPTH deep. A lone half of a surrogate pair, which
 * real exports have, and \u0000 in a member's name are read as U+FFFD and counted in *replaced (may
 * be NULL); in text \u0000 stays. Only if the piece is not valid are they replaced in `bytes`. The
 * caller decrefs the value. outline: only that is built of the value, and lives as long as bytes;
 * NULL: the whole.
 * NULL: err says what is wrong and at which byte of the file; `base` is the offset of the piece in
 * the file. */
json_t *ingest_json_parse(char *bytes, size_t n, uint64_t base, unsigned *replaced,
                          struct ingest_outline *outline, struct ck_err *err);

/* The string under name; empty if it is missing or not a string. Borrows from the object. */
struct ck_str ingest_json_text(const json_t *object, const char *name);
/* The same of the value itself. */
struct ck_str ingest_json_str(const json_t *value);

/* The id under name: text, trimmed, with U+FFFD for NUL as in the name of a member; or the digits
 * of an integer. Empty: there is none. In the arena, or borrowed. */
struct ck_str ingest_json_id(const json_t *object, const char *name, struct ck_arena *arena);

/* Appends the value as compact JSON. */
void ingest_json_add(struct ck_buf *b, const json_t *value);

/* A string as it is, anything else as compact JSON in the arena; null and missing are empty text.
 */
struct ck_str ingest_json_any(const json_t *value, struct ck_arena *arena);

/* Reads a time as exports write it: a number since the epoch (ingest_time_number), also as text, or
 * ISO 8601. *ms is in milliseconds. False: it is none. */
bool ingest_json_time(const json_t *value, int64_t *ms);

/* A number since the epoch, in seconds, milliseconds, microseconds or nanoseconds: in the first
 * unit in which it is before the year 10000, because in a finer one it would be before 1979, when
 * nobody chatted. False: it is not positive, or beyond all of them. */
bool ingest_time_number(double number, int64_t *ms);
/* Reads text that is one such number, and nothing else. */
bool ingest_time_digits(struct ck_str text, double *number);

/* True for times the system can store: from 1970 through the year 9999. */
bool ingest_time_ok(int64_t ms);

/* Copies s into buf, cut at a character boundary to fit and terminated, with a question mark for
 * each byte that is not UTF-8: an answer that quotes a broken file must itself be valid. buf and s
 * may overlap. */
struct ck_str ingest_clean(char *buf, size_t room, struct ck_str s);

const char *ingest_json_type(const json_t *value); /* "an object", "null", … */

#endif
