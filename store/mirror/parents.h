/* What the records of a batch point to: the messages and conversations that a sink with foreign
 * keys must have before it accepts those records. A record has its newest version only, so an
 * active conversation comes long after its links, perhaps at the other end of a backlog; parents
 * that are not in the sink yet are therefore sent along. Used by the work thread only. */
#ifndef CK_STORE_PARENTS_H
#define CK_STORE_PARENTS_H

#include "store/database/db.h"

struct parents; /* belongs to one connection */

struct parents *parents_new(sqlite3 *db, struct ck_err *err);
void parents_free(struct parents **p);

/* Starts a batch of records above version `after`. floor: everything up to it is in the sink. */
void parents_begin(struct parents *p, uint64_t after, uint64_t floor);
/* Notes the record's parents, except those that are in the sink or came earlier in this batch.
 * Must be called inside the read transaction. -1 with the reason. */
int parents_note(struct parents *p, uint64_t version, const struct ck_row *row, struct ck_err *err);
/* The size in bytes of the noted parents, encoded as changes. */
size_t parents_bytes(const struct parents *p);
/* Appends to `changes` the noted parents that are not themselves in the batch, which ends at
 * `upto`, as far as the frame has room. Returns how many; *all: none had to be left out. */
uint32_t parents_put(const struct parents *p, uint64_t upto, struct ck_buf *changes, bool *all);

#endif
