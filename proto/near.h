/* The word that somebody meant who wrote another: "did you mean". Pure. */
#ifndef CK_PROTO_NEAR_H
#define CK_PROTO_NEAR_H

#include "proto/text.h"

/* Looks for the nearest of several words. Words are compared without regard to upper and lower
 * case, '-' and '_'; by the letters that would have to be added, removed, changed or exchanged with
 * the next one. */
struct ck_near {
  struct ck_str written; /* borrowed */
  struct ck_str best;    /* borrowed from what was tried; empty: none is near */
  size_t distance;       /* of the best */
};

/* Starts with what was written. */
struct ck_near ck_near_to(struct ck_str written);
/* Looks at one word. It is near if it begins with what was written (3 letters at least), or if at
 * most a third of its letters differ. Of words that are as near, the first is kept. */
void ck_near_try(struct ck_near *n, struct ck_str word);
/* Looks at each of "a|b|c". */
void ck_near_try_all(struct ck_near *n, const char *choices);
/* Appends "; did you mean WORD?" with this text before the word; nothing if none is near. */
void ck_near_text(struct ck_buf *b, const struct ck_near *n, const char *before);

/* How many letters differ between the two, counted as above: characters of UTF-8, at most 64 of
 * each. */
size_t ck_near_distance(struct ck_str a, struct ck_str b);

#endif
