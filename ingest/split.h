/* Finds the elements of a JSON file of any size while it comes in pieces, with the memory of one element.
 *
 *   [ … , … ]                       each element of the top-level array
 *   {"conversations": [ … , … ]}    each element of that array; the rest of the object is passed over
 *   { … }                           the object
 *   { … } newline { … }             each line (JSON lines); also what begins with anything else
 *
 * What a piece contains and where it was cut makes no difference. Elements are not parsed here: strings, escapes and brackets are followed, nothing more.
 */
#ifndef INGEST_SPLIT_H
#define INGEST_SPLIT_H

#include "proto/text.h"

#define INGEST_ELEMENT_MAX (48u << 20)

struct ingest_place {
  uint64_t index;  /* of the element, from 1 */
  uint64_t line;   /* where it begins, from 1 */
  uint64_t offset; /* of its first byte in the file */
  bool lines;      /* the file is JSON lines */
};

struct ingest_split_ops {
  void *self;
  /* One element. bytes may be changed in place, and are gone after the call. */
  void (*element)(void *self, char *bytes, size_t n, const struct ingest_place *place);
  /* Something between the elements, or an element that is too large. */
  void (*fault)(void *self, const char *reason, const struct ingest_place *place);
};

struct ingest_split;

/* lines: it is JSON lines, whatever it looks like. */
struct ingest_split *ingest_split_new(const struct ingest_split_ops *ops, bool lines);
void ingest_split_free(struct ingest_split **split);
void ingest_split_feed(struct ingest_split *split, const char *bytes, size_t n);
/* n bytes that are not fed, for the offsets that are told. */
void ingest_split_skip(struct ingest_split *split, size_t n);
/* The end of the file. False: it was cut off, *offset says where it ended and *index in which
 * element (0: between elements). */
bool ingest_split_end(struct ingest_split *split, uint64_t *offset, uint64_t *index);

#endif
