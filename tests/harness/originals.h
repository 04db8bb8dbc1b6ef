/* Originals that a test puts into the store itself, as ingest does. */
#ifndef CK_TESTS_HARNESS_ORIGINALS_H
#define CK_TESTS_HARNESS_ORIGINALS_H

#include "proto/originals.h"
#include "proto/sha256.h"
#include "tests/harness/talk.h"

/* The id of an original with these bytes. Valid for seven more calls. */
const char *t_original_id(struct ck_str bytes);

/* Sends these originals as one block, in parts of part_bytes, one changeset each, and fails unless
 * all are taken. id, at and bytes of the entries are filled in. */
void t_block(struct t_producer *p, struct ck_original *originals, const struct ck_str *bytes,
             uint32_t n, size_t part_bytes);

/* n bytes of text that compress to about a third. The caller frees. */
char *t_prose(size_t n);

#endif
