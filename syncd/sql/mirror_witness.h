/* The mirror's witness: one row in a table of its own, which says what store fills the mirror, in
 * which run, and up to which version. Every request that writes checks it and brings it up to date,
 * in its own transaction, so that nothing is written into a mirror that another store fills, or
 * that was set back or emptied. The texts are the same for every dialect. */
#ifndef SYNCD_MIRROR_WITNESS_H
#define SYNCD_MIRROR_WITNESS_H

#include "proto/error.h"
#include "proto/text.h"

#define CK_MIRROR_WITNESS "convkeep_mirror"
/* The statement that reads it: store_id, run, version, as texts. */
#define CK_MIRROR_WITNESS_READ \
  "SELECT store_id, run, CAST(version AS TEXT) AS version FROM " CK_MIRROR_WITNESS

struct ck_mirror_witness {
  char store_id[33], run[17]; /* of the store now; run "": the mirror has no witness */
  char before[80];            /* STORE_ID/RUN: another that may be there; or CK_WITNESS_ANY */
  uint64_t least;             /* the version that is there at least */
  uint64_t version;           /* that is to be there at least afterwards */
};

/* Copies them, which come from a frame. -1 with the reason: a text is not what it has to be. */
int ck_mirror_witness_set(struct ck_mirror_witness *w, struct ck_str store_id, struct ck_str run,
                          struct ck_str before, uint64_t least, uint64_t version,
                          struct ck_err *err);
/* Is there one? w may be NULL. */
bool ck_mirror_witness_kept(const struct ck_mirror_witness *w);

/* Appends the table. integer, text, table_end: as the dialect has them. */
void ck_mirror_witness_table(struct ck_buf *sql, const char *integer, const char *text,
                             const char *table_end);
/* Appends the statements that say, in the transaction that makes tables, that the mirror is to be
 * filled again. made: the witness's own table is one of them. */
void ck_mirror_witness_refill(struct ck_buf *sql, bool made);
/* Appends the statement that brings it up to date. It fails, and with it its transaction, if the
 * witness is not as expected: NULL is not allowed in its column store_id. */
void ck_mirror_witness_write(struct ck_buf *sql, const struct ck_mirror_witness *w);
/* Appends a condition to a WHERE clause: the witness is as expected. */
void ck_mirror_witness_holds(struct ck_buf *sql, const struct ck_mirror_witness *w);

#endif
