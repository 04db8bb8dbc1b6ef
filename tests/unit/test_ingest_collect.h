/* Reads a file with ingest's reader and collects the results as text that tests can compare. */
#ifndef CK_TESTS_UNIT_INGEST_COLLECT_H
#define CK_TESTS_UNIT_INGEST_COLLECT_H

#include <stdbool.h>
#include <stddef.h>
#include "proto/text.h"

struct collected {
  struct ck_buf text; /* one line for each observation and failure, and one for the end */
  unsigned observations, executions, failures, hidden, unknown;
  char format[32], error[320], first_failure[640];
};

/* piece: bytes per feed; 0: all at once. */
void collect(struct collected *c, const char *name, struct ck_str bytes, size_t piece);
void collect_text(struct collected *c, const char *name, const char *text);
void collected_free(struct collected *c);
/* True if reading in pieces of 1, 7 and 4096 bytes gives the same as reading the whole, and so do
 * the outlines of its elements, if all of them are valid. */
bool collect_same(const char *name, struct ck_str bytes);

/* Reads a file of the project (samples/…), or of ../shared/inputs, into b. False: it is missing. */
bool load_own(struct ck_buf *b, const char *path);
bool load_input(struct ck_buf *b, const char *path);

#endif
