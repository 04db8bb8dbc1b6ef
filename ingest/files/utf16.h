/* Turns a file that is UTF-16 into UTF-8 while it arrives in pieces. */
#ifndef INGEST_FILES_UTF16_H
#define INGEST_FILES_UTF16_H

#include "proto/text.h"

#define INGEST_UTF16_HEAD 4 /* bytes that ingest_utf16_is needs */

struct ingest_utf16 {
  bool big;           /* the greater byte comes first */
  bool odd;           /* a unit has begun: */
  unsigned char half; /* its first byte */
  unsigned high;      /* the first half of a surrogate pair, else 0 */
};

/* True if a file that begins so, with a byte order mark or with JSON, is UTF-16. Begins *u. */
bool ingest_utf16_is(struct ingest_utf16 *u, struct ck_str head);

/* Appends the next bytes of the file to out, as UTF-8. Half a surrogate pair becomes U+FFFD, and
 * *replaced counts it. */
void ingest_utf16_feed(struct ingest_utf16 *u, struct ck_str bytes, struct ck_buf *out,
                       unsigned *replaced);
/* The end of the file: what has only begun becomes U+FFFD. */
void ingest_utf16_end(struct ingest_utf16 *u, struct ck_buf *out, unsigned *replaced);

#endif
