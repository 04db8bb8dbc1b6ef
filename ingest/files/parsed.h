/* A piece of a file, parsed: what a source reads. */
#ifndef INGEST_FILES_PARSED_H
#define INGEST_FILES_PARSED_H

#include "ingest/sources/source.h"

struct ingest_parsed {
  struct ingest_element element; /* json NULL: it is no object */
  struct ingest_outline outline;
};

/* Parses bytes, which must be an object; by its outline, if they are more than outline_from.
 * replaced, err and what happens to bytes: as with ingest_json_parse. Both are borrowed, and so is
 * place, until ingest_parsed_free, which is to be called also after -1. */
int ingest_parsed_read(struct ingest_parsed *p, char *bytes, size_t n,
                       const struct ingest_place *place, size_t outline_from, unsigned *replaced,
                       struct ck_err *err);
void ingest_parsed_free(struct ingest_parsed *p);

#endif
