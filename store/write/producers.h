/* The producers that push changesets: each one's epoch, the last number applied, and the letters of
 * its last results. Kept in memory, and written with each commit, so that no changeset is applied
 * twice. */
#ifndef CK_STORE_PRODUCERS_H
#define CK_STORE_PRODUCERS_H

#include "proto/wire.h"
#include "store/write/system_tables.h"

/* How many result letters a WELCOME can repeat in case receipts were lost: more than any producer
 * has in flight. */
#define PRODUCER_TAIL 1024

struct producer {
  char *id;
  uint64_t epoch;           /* counts its runs */
  uint64_t applied;         /* the last number, applied or refused */
  uint64_t refused;         /* how many were refused */
  char tail[PRODUCER_TAIL]; /* results of the numbers up to `applied`, the newest last */
  unsigned tail_len;
  bool dirty;             /* to be written with this commit */
  bool owes;              /* a receipt is to be published */
  uint64_t owes_from;     /* the first number it covers */
  struct ck_buf refusals; /* encoded [number, reason] of this batch */
  uint32_t refusal_count;
  struct ck_buf claims; /* encoded struct ck_claimed of this batch */
  uint32_t claim_count;
  struct ck_counts *counts; /* of the numbers in `tail` that have some, ascending */
  unsigned counts_len, counts_cap;
};

struct producers;

/* NULL with the reason. */
struct producers *producers_load(struct system_tables *l, struct ck_err *err);
void producers_free(struct producers **p);
struct producer *producers_find(struct producers *p, struct ck_str id); /* NULL: unknown */
struct producer *producers_add(struct producers *p, struct ck_str id);
struct producer *producers_at(struct producers *p, size_t i); /* NULL: no more */

/* Notes the result of the next number (n, u, = or r, see apply_changeset). reason: for r only.
 * counts: see apply_counts. */
void producer_result(struct producer *p, uint64_t number, char result, struct ck_str reason,
                     const struct ck_counts *counts);
/* What that number's claim found, for the receipt of this batch; left out if it is large. */
void producer_claimed(struct producer *p, uint64_t number, const struct ck_claimed *claimed);
/* Writes the dirty ones, inside the transaction. 0, or -1 with the reason. */
int producers_save(struct producers *p, struct system_tables *l, struct ck_err *err);

/* Fill in a RECEIPT or a WELCOME, except for its `version`. The message views the producer, until
 * its next change, and the buffers. */
void producer_receipt(const struct producer *p, struct ck_receipt *r, struct ck_buf *refused,
                      struct ck_buf *counts, struct ck_buf *claims);
int producer_welcome(const struct producer *p, struct system_tables *l, struct ck_welcome *w,
                     struct ck_buf *refused, struct ck_buf *counts, struct ck_err *err);
/* To be called when the receipts of a batch are out: nothing is dirty or owed any more. */
void producers_receipted(struct producers *p);

#endif
