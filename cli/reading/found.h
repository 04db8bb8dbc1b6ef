/* How the hits of a search are shown to people: grouped by conversation, the found words marked.
 * Pure. All text is from outside, and is made safe. */
#ifndef CLI_READING_FOUND_H
#define CLI_READING_FOUND_H

#include <jansson.h>
#include "proto/text.h"

struct cli_found_style {
  bool colour;    /* found words and titles are bold */
  bool whole_ids; /* else their beginnings, which `read` takes */
  size_t width;   /* of the lines, in columns */
};

/* Appends the hits, an array of what proto/hit.h describes: each conversation once, where its first
 * hit is, with all that are in the array. */
void cli_found_text(struct ck_buf *b, const json_t *hits, const struct cli_found_style *style);

/* Appends a snippet, broken into lines of `width` columns; those after the first are indented by
 * `indent`, and the first has only what `used` columns leave. */
void cli_found_snippet(struct ck_buf *b, const json_t *hit, size_t indent, size_t used,
                       const struct cli_found_style *style);

#endif
