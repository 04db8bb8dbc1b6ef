/* What an import brings again of what was forgotten may be kept as it came, because it has unknown
 * names: once the store says that it left messages out, their lines are taken out. */
#ifndef INGEST_FORGOTTEN_H
#define INGEST_FORGOTTEN_H

#include "ingest/accept.h"

/* Zero-initialise; free with ingest_forgotten_free. */
struct ingest_forgotten {
  struct ck_str *ids;
  size_t n;
  struct ck_arena arena;
};

/* The messages of this changeset, some of which were left out. */
void ingest_forgotten_note(struct ingest_forgotten *f, struct ingest_spool *spool, uint64_t number);
/* Takes the lines of those that were noted out. What fails is logged, and done with the next call.
 */
void ingest_forgotten_clean(struct ingest_forgotten *f);
void ingest_forgotten_free(struct ingest_forgotten *f);

#endif
