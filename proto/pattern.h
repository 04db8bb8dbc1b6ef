/* A text to look for, as an owner writes it: DONE, or a pattern between slashes (PCRE2), with an i
 * after the second one to ignore case: /^done\b/i. In a pattern ^ and $ are the ends of lines. What
 * looks like a pattern and is none, as // and /x/m, is refused, so that it is not taken for a text.
 * Pure, but that a search is given up after some processor time. */
#ifndef CK_PROTO_PATTERN_H
#define CK_PROTO_PATTERN_H

#include "proto/error.h"
#include "proto/text.h"

/* 0 if `wanted` can be looked for; -1 with the reason. */
int ck_pattern_check(struct ck_str wanted, struct ck_err *err);

/* 1: the text has it; 0: it has not; -1 with the reason: it is no pattern, or the search for it
 * takes more than 50 ms of processor time or 256 MiB. Nothing is found if nothing is wanted. */
int ck_pattern_in(struct ck_str text, struct ck_str wanted, struct ck_err *err);

#endif
