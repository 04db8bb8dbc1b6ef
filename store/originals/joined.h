/* The text of runs of a log that follow one another, while it is put together. Which lines are
 * before a place is known by their chain (proto/originals.h): of two logs that begin alike, or of
 * two versions of one, a run has its place in one only, unless both have the same lines up to it.
 */
#ifndef CK_STORE_JOINED_H
#define CK_STORE_JOINED_H

#include "store/originals/internal.h"

#define JOINED_MAX (32u << 20)  /* bytes */
#define JOINED_LINES (1u << 17) /* of a run with more the lines are not looked at */

/* A run of a log, as is said of it. */
struct joined_run {
  uint64_t first, lines, bytes;
  unsigned char key[ORIGINAL_KEY], chain[CK_ORIGINAL_CHAIN], chain_end[CK_ORIGINAL_CHAIN];
};

struct joined_line {
  size_t end;                             /* where it ends */
  unsigned char chain[CK_ORIGINAL_CHAIN]; /* after it */
};

/* Zero-initialise; free with joined_free. */
struct joined {
  struct ck_buf bytes;
  struct joined_line *lines;
  size_t count, room;
  uint64_t first;
  unsigned char chain[CK_ORIGINAL_CHAIN]; /* before the first line */
};

void joined_free(struct joined *j);
/* Begins with this run; text: its bytes. False: they are not what is said of it, or too many. */
bool joined_begin(struct joined *j, const struct joined_run *r, struct ck_str text);
/* Does the run lie within it? Its bytes are not needed: they have its hash. *at: where. */
bool joined_holds(const struct joined *j, const struct joined_run *r, size_t *at);
/* Does the run begin within it, or right after it, and go further? */
bool joined_reaches(const struct joined *j, const struct joined_run *r);
/* Adds the lines by which such a run goes further. False: it says something else of the lines that
 * both have, or is not what is said of it; then all stays as it was. */
bool joined_extend(struct joined *j, const struct joined_run *r, struct ck_str text);
/* Does the run begin after the first of its lines, and before its end? Then they are of two logs,
 * or versions of one, that have the lines before the run in common. */
bool joined_forks(const struct joined *j, const struct joined_run *r);
/* Has such a run instead of the lines from there on. Likewise; but if it is false, the lines in
 * common are what is left. */
bool joined_fork(struct joined *j, const struct joined_run *r, struct ck_str text);
/* The chain after its last line. */
const unsigned char *joined_chain_end(const struct joined *j);

#endif
