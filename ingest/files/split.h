/* Splits a JSON file of any size into elements while it arrives in pieces. Memory is bounded by one
 * element.
 *
 *   [ … , … ]                      the elements of the top-level array
 *   {"conversations": [ … , … ]}   the elements of that array; the rest of the object is skipped
 *   [ … ] [ … ]                    those of all of them: files that were put one after another
 *   { … }                          the object
 *   { … } newline { … }            each line (JSON lines); so too if the file begins otherwise
 *
 * The result does not depend on where the pieces were cut. Elements are not parsed here: the
 * splitter only follows strings, escapes and brackets.
 */
#ifndef INGEST_FILES_SPLIT_H
#define INGEST_FILES_SPLIT_H

#include "proto/text.h"
#include "ingest/place.h"

#define INGEST_ELEMENT_MAX (512u << 20)
#define INGEST_SPLIT_HEAD 256 /* bytes with which an element begins that is too large */

struct ingest_split_ops {
  void *self;
  /* One element. bytes may be changed in place, and are invalid after the call, unless they were
   * taken over (ingest_split_take). */
  void (*element)(void *self, char *bytes, size_t n, const struct ingest_place *place);
  /* Something that does not belong between elements, or an element that is too large. head: with
   * what such an element begins; else empty. */
  void (*fault)(void *self, const char *reason, struct ck_str head,
                const struct ingest_place *place);
};

struct ingest_split;

/* lines: read the file as JSON lines, whatever it looks like. */
struct ingest_split *ingest_split_new(const struct ingest_split_ops *ops, bool lines);
void ingest_split_free(struct ingest_split **split);
/* Elements above so many bytes are too large from here on; at first it is INGEST_ELEMENT_MAX. */
void ingest_split_most(struct ingest_split *split, size_t bytes);
/* Within the call of `element`: takes the buffer over that holds the element's bytes. */
struct ck_buf ingest_split_take(struct ingest_split *split);
void ingest_split_feed(struct ingest_split *split, const char *bytes, size_t n);
/* How much memory the present element takes. */
size_t ingest_split_memory(const struct ingest_split *split);
/* Advances the offsets by n bytes of the file that are not fed. */
void ingest_split_skip(struct ingest_split *split, size_t n);
/* The end of the file. False: the file is cut off. *offset is its length, *index the element it
 * ends in (0: between elements). */
bool ingest_split_end(struct ingest_split *split, uint64_t *offset, uint64_t *index);

#endif
