/* Batches for the tests of syncd. */
#ifndef TEST_SYNCD_HELP_H
#define TEST_SYNCD_HELP_H

#include "syncd/batches/plan.h"

/* A complete row of the table: the key, and a fitting value in every other column that may not be
 * NULL. Texts are borrowed. */
struct ck_row help_row(enum ck_table t, const char *key);

/* A BATCH frame under construction: open, add rows, close. */
struct help_batch {
  struct ck_buf changes, frame;
  size_t opened;
  uint32_t n;
  bool parents; /* as in the frame */
};
void help_open(struct help_batch *h);
void help_add(struct help_batch *h, uint64_t version, const struct ck_row *row);
struct ck_str help_close(struct help_batch *h, const char *sink, uint64_t generation,
                         uint64_t after, uint64_t upto);
void help_free(struct help_batch *h);

/* Messages m1 … mN with versions first … first+N-1, decoded. Fails the test if they cannot be. */
void help_messages(struct help_batch *h, struct sync_batch *b, uint64_t first, size_t n);

#endif
