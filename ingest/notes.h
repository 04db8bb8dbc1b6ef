/* Notes: things that went in and that a person may want to know of, counted by their kind. */
#ifndef INGEST_NOTES_H
#define INGEST_NOTES_H

#include "proto/text.h"
#include "proto/wire.h"

/* Zero-initialise; free with ingest_notes_free. */
struct ingest_notes {
  struct ingest_note {
    char *kind;
    uint64_t count;
  } list[CK_NOTES_MAX];
  unsigned kinds;
  uint64_t others; /* of kinds that had no room */
};

/* Counts n of a kind, which is text for people. It is copied, and cut after 200 bytes. */
void ingest_notes_add(struct ingest_notes *notes, struct ck_str kind, uint64_t n);
/* Appends a map from kind to count, in the order in which they came; CK_NOTES_OTHER comes last. */
void ingest_notes_encode(struct ck_buf *b, const struct ingest_notes *notes);
void ingest_notes_free(struct ingest_notes *notes);

#endif
