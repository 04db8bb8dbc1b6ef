/* Who pushes, and how far each has come: epochs, numbers, the letters of the last results. In
 * memory while the store runs; written with the commit. */
#ifndef CK_STORE_PRODUCERS_H
#define CK_STORE_PRODUCERS_H

#include "proto/wire.h"
#include "store/write/system_tables.h"

/* Letters that a WELCOME can still tell, should a receipt have been lost: more than any producer
 * has under way. */
#define PRODUCER_TAIL 1024

struct producer {
  char *id;
  uint64_t epoch, applied, refused;
  char tail[PRODUCER_TAIL]; /* results of the numbers up to `applied`, the newest last */
  unsigned tail_len;
  bool dirty;             /* to be written with this commit */
  bool owes;              /* a receipt is to be published */
  uint64_t owes_from;     /* the first number it covers */
  struct ck_buf refusals; /* encoded [number, reason] of this batch */
  uint32_t refusal_count;
};

struct producers;

struct producers *producers_load(struct system_tables *l, struct ck_err *err);
void producers_free(struct producers **p);
struct producer *producers_find(struct producers *p, struct ck_str id); /* NULL when unknown */
struct producer *producers_add(struct producers *p, struct ck_str id);
struct producer *producers_at(struct producers *p, size_t i); /* NULL behind the last */

/* The number's result (n u = r): applied moves to it. reason only for r. */
void producer_result(struct producer *p, uint64_t number, char result, struct ck_str reason);
/* Writes the dirty ones; inside the transaction. */
int producers_save(struct producers *p, struct system_tables *l, struct ck_err *err);

/* Messages about a producer; views into it, valid until its next change. refused must outlive the
 * message. The caller fills in `version`. */
void producer_receipt(const struct producer *p, struct ck_receipt *r, struct ck_buf *refused);
int producer_welcome(const struct producer *p, struct system_tables *l, struct ck_welcome *w,
                     struct ck_buf *refused, struct ck_err *err);
void producers_receipted(struct producers *p); /* the receipts of this batch are out */

#endif
