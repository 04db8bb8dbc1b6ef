/* Writes `details`, the JSON object that says what a source knows of a record beyond its mirrored
 * columns (docs/records.md). A member with nothing to say is left out, and the caller's order is
 * kept, so that equal details are equal bytes.
 *
 *   struct ck_buf b = {0};
 *   ingest_details_text(&b, "kind", kind);
 *   struct ck_str details = ingest_details_end(&b, arena);
 *
 * A list of objects is opened by ingest_details_list; each object by ingest_details_item, and then
 * its members, until ingest_details_item_end. */
#ifndef INGEST_SOURCES_DETAILS_H
#define INGEST_SOURCES_DETAILS_H

#include <jansson.h>
#include "proto/text.h"

/* Each appends one member, unless it has nothing to say: empty text, false, a value that is NULL,
 * null, or an empty array or object. */
void ingest_details_text(struct ck_buf *b, const char *name, struct ck_str text);
void ingest_details_true(struct ck_buf *b, const char *name, bool value);
void ingest_details_json(struct ck_buf *b, const char *name, const json_t *value);
/* Likewise, in milliseconds, unless the value is no time (ingest_json_time). */
void ingest_details_time(struct ck_buf *b, const char *name, const json_t *value);
/* Appends one member, whatever its value. */
void ingest_details_false(struct ck_buf *b, const char *name);
void ingest_details_int(struct ck_buf *b, const char *name, int64_t value);

void ingest_details_list(struct ck_buf *b, const char *name);
void ingest_details_item(struct ck_buf *b);
void ingest_details_item_end(struct ck_buf *b);
/* An element that is text. */
void ingest_details_line(struct ck_buf *b, struct ck_str text);
void ingest_details_list_end(struct ck_buf *b);

/* The whole object, in the arena, and frees b. Empty if no member was appended. */
struct ck_str ingest_details_end(struct ck_buf *b, struct ck_arena *arena);

#endif
