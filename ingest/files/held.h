/* Failures of a file whose format is not known yet. If an element is recognised later, they are bad
 * lines of a good file, and each is reported. If none is, the file as a whole is wrong, and one
 * error says so. */
#ifndef INGEST_FILES_HELD_H
#define INGEST_FILES_HELD_H

#include "ingest/observation.h"
#include "ingest/place.h"

struct ingest_held_failure {
  char place[INGEST_PLACE_TEXT];
  struct ck_err reason;
  struct ck_str raw; /* in the arena */
};

/* Zero-initialise; free with ingest_held_free. */
struct ingest_held {
  struct ingest_held_failure *failures;
  size_t count, room, bytes; /* bytes: of what is raw */
  struct ck_arena raw;
};

/* What is copied, of raw as much as there is room for. False: there are so many that the format
 * counts as unknown. */
bool ingest_held_add(struct ingest_held *h, const char *place, const char *reason,
                     struct ck_str raw);
/* Reports all, and forgets them. */
void ingest_held_tell(struct ingest_held *h, const struct ingest_visitor *visitor);
void ingest_held_free(struct ingest_held *h);

#endif
