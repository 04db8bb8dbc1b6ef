/* What a text says: of JSON, its strings decoded. Pure. */
#ifndef CK_STORE_SEARCH_DECODE_H
#define CK_STORE_SEARCH_DECODE_H

#include "proto/text.h"

/* Appends the text. If it is an array or an object of JSON, also one that is cut off, all escapes
 * of its strings are decoded, and the rest stays: so a line break between two words parts them. The
 * text must be UTF-8, and so is what is appended, which is no longer. Half a surrogate pair and
 * U+0000 become U+FFFD. */
void search_decode(struct ck_buf *out, struct ck_str text);

#endif
