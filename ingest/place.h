/* Where in a file an element is, for people who look for what was refused. */
#ifndef INGEST_PLACE_H
#define INGEST_PLACE_H

#include "proto/text.h"

struct ingest_place {
  uint64_t index;  /* of the element, from 1 */
  uint64_t line;   /* the line it begins on, from 1 */
  uint64_t offset; /* of its first byte in the file */
  bool lines;      /* the file is JSON lines */
};

/* Writes a place for people: "conversation 3 (id abc)", "line 12", "element 4". id may be empty. */
#define INGEST_PLACE_TEXT 320
void ingest_place_text(char out[INGEST_PLACE_TEXT], const struct ingest_place *place,
                       const char *element, struct ck_str id);

#endif
