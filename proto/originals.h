/* Originals: the pieces of a source, as they came, from which records were read. An original is one
 * conversation of an export, or a run of lines of a log. It is known by its id, the first half of
 * the SHA-256 of its bytes in hexadecimal digits, and so is kept once however often it comes.
 *
 * The lists of BLOCK and HAD (proto/wire.h) consist of what is here. */
#ifndef CK_PROTO_ORIGINALS_H
#define CK_PROTO_ORIGINALS_H

#include "proto/error.h"
#include "proto/pack.h"

#define CK_ORIGINAL_ID 32       /* digits of an id, in lower case */
#define CK_ORIGINAL_BEGINNING 8 /* digits that may stand for an id, if no other begins so */
#define CK_ORIGINAL_CHAIN 16    /* bytes of a chain */

/* Writes the id of these bytes, terminated. Blocks are known by ids like these, too. */
void ck_original_id(char id[CK_ORIGINAL_ID + 1], struct ck_str bytes);
/* True for 32 hexadecimal digits in lower case. */
bool ck_original_is_id(struct ck_str s);

/* The chain of a log's lines says which lines are before a place: all 0 before the first one, then
 * after each line the hash of the chain before it and of the line, which comes without its line
 * feed. Goes on to the next line. */
void ck_original_chain(unsigned char chain[CK_ORIGINAL_CHAIN], struct ck_str line);

/* An original in a block: the entries of `originals` in BLOCK. */
struct ck_original {
  struct ck_str id;
  uint64_t at, bytes;                   /* its place in the block, uncompressed */
  struct ck_str platform, conversation; /* the platform's id of its conversation; both empty: none,
                                           or several */
  int64_t age;                          /* how new what it says is, ms (docs/records.md); of a log,
                                           the number of its first element in the file */
  struct ck_str reader;                 /* the name and number of the reader that read it */
  uint64_t messages, executions;        /* records that were read from it; 0 with a log */
  uint64_t log; /* a run of a log whose lines depend on those before them: which log's, a hash of
                   its first line; 0: none. A log's runs come in their order */
  uint64_t lines, window; /* of such a run: its elements are so many lines, and of the windows into
                             which the bytes of its file are divided they end in this one, from 1.
                             Runs of a window that follow one another may be joined. window 0: it
                             stays as it is */
  struct ck_str chain, chain_end; /* before the first of these lines, and after the last one;
                                     empty with window 0 */
};

void ck_original_encode(struct ck_buf *b, const struct ck_original *o);
/* Reads the next entry of a list; its texts are borrowed from the reader's bytes. 0, or -1 with the
 * reason: it is not such an array, or the id or an empty reader is none. */
int ck_original_decode(struct ck_reader *r, struct ck_original *o, struct ck_err *err);

/* What the store has of an original: the entries of `had` in HAD. */
enum ck_kept_state {
  CK_KEPT_NOTHING, /* nothing */
  CK_KEPT_BYTES,   /* its bytes; it is to be read, because its records are not all its own any more,
                     or another reader read it */
  CK_KEPT_WHOLE,   /* the same reader read it, and all records are there that it gave, with their
                     conversation, link and sessions: there is nothing to do */
  CK_KEPT_STATES
};

struct ck_kept {
  enum ck_kept_state state;
  uint64_t messages, executions; /* that were read from it; 0 if there is nothing */
  int64_t age;                   /* as in struct ck_original */
};

void ck_kept_encode(struct ck_buf *b, const struct ck_kept *kept);
/* Reads the next entry of a list. 0, or -1 with the reason: it is not such an array. */
int ck_kept_decode(struct ck_reader *r, struct ck_kept *kept, struct ck_err *err);

#endif
