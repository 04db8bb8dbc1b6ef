/* The text of a file while it arrives in pieces: its first bytes are looked at before anything is
 * split, a byte order mark is skipped, and UTF-16 becomes UTF-8. */
#ifndef INGEST_FILES_DECODE_H
#define INGEST_FILES_DECODE_H

#include "ingest/files/split.h"
#include "ingest/files/utf16.h"

#define INGEST_DECODE_HEAD INGEST_UTF16_HEAD /* as many as ingest_sniff_bytes needs, too */

/* Zero-initialise; free with ingest_decode_free. */
struct ingest_decode {
  char head[INGEST_DECODE_HEAD]; /* the first bytes, until there are enough to look at */
  size_t head_n;
  bool begun; /* they were */
  bool is_utf16;
  struct ingest_utf16 utf16;
  struct ck_buf utf8; /* what has come of a UTF-16 file, as UTF-8 */
  unsigned replaced;  /* half surrogate pairs */
};

/* Takes what is missing of the head from the bytes. True once it is there, and not begun. */
bool ingest_decode_head(struct ingest_decode *d, const char **bytes, size_t *n);
/* The head is good: feeds the splitter with it. */
void ingest_decode_begin(struct ingest_decode *d, struct ingest_split *split);
/* The next bytes after the head. */
void ingest_decode_feed(struct ingest_decode *d, struct ingest_split *split, struct ck_str bytes);
/* The file has ended: with a character that a UTF-16 file has only begun. */
void ingest_decode_end(struct ingest_decode *d, struct ingest_split *split);
void ingest_decode_free(struct ingest_decode *d);

#endif
