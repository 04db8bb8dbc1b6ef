/* jansson, as the sources use it: pieces of a file that nobody has looked at yet, and values of any
 * type where one was expected. */
#ifndef INGEST_JSON_H
#define INGEST_JSON_H

#include <jansson.h>
#include "proto/error.h"
#include "proto/text.h"

#define INGEST_JSON_DEPTH 256
#define INGEST_JSON_VALUES 2000000 /* each costs some 100 bytes once it is parsed */

/* Makes jansson allocate like everybody here. Once, at the start. */
void ingest_json_setup(void);

/* Parses exactly one value. Half a surrogate pair, which real exports have, becomes U+FFFD, in
 * place; \u0000 stays. NULL: err says what, with the offset in the piece, to which `base` (where
 * the piece begins in its file) is added. The caller decrefs. */
json_t *ingest_json_parse(char *bytes, size_t n, uint64_t base, unsigned *replaced,
                          struct ck_err *err);

/* The string under name, or the empty view where there is none or it is something else. */
struct ck_str ingest_json_text(const json_t *object, const char *name);
struct ck_str ingest_json_str(const json_t *value);

/* Text: a string as it is, anything else as compact JSON in the arena; null and missing are empty.
 */
struct ck_str ingest_json_any(const json_t *value, struct ck_arena *arena);

/* A point in time as exports write it: seconds since the epoch with a fraction, or ISO 8601. False:
 * neither. */
bool ingest_json_time(const json_t *value, int64_t *ms);

/* A time that this system can keep: from 1970 to the year 9999. */
bool ingest_time_ok(int64_t ms);

/* Copies s into buf, cut between characters and terminated, with a question mark for each byte that
 * is no UTF-8: what quotes a broken file must not break the answer. buf may be where s lies. */
struct ck_str ingest_clean(char *buf, size_t room, struct ck_str s);

const char *ingest_json_type(const json_t *value); /* "an object", "null", … */

#endif
