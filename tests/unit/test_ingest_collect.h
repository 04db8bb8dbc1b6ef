/* A file through ingest's reader, and what came of it as text that tests can compare. */
#ifndef CK_TESTS_UNIT_INGEST_COLLECT_H
#define CK_TESTS_UNIT_INGEST_COLLECT_H

#include <stdbool.h>
#include <stddef.h>
#include "proto/text.h"

struct collected {
  struct ck_buf text; /* a line an observation, failure, and the end */
  unsigned observations, executions, failures, hidden, unknown;
  char format[32], error[320], first_failure[640];
};

/* piece: bytes a feed, 0 for all at once. */
void collect(struct collected *c, const char *name, struct ck_str bytes, size_t piece);
void collect_text(struct collected *c, const char *name, const char *text);
void collected_free(struct collected *c);
/* True when pieces of 1, 7 and 4096 bytes give what the whole gives. */
bool collect_same(const char *name, struct ck_str bytes);

/* A file of the project (samples/…) or of ../shared/inputs into b. False: not there. */
bool load_own(struct ck_buf *b, const char *path);
bool load_input(struct ck_buf *b, const char *path);

#endif
