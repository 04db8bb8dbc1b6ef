/* What the records of a batch point to: the messages and conversations that a sink with foreign
 * keys must have before it takes them. A record stands at its newest version only, so a
 * conversation that goes on lies far behind its links, perhaps at the other end of a backlog. Used
 * by the work thread only. */
#ifndef CK_STORE_PARENTS_H
#define CK_STORE_PARENTS_H

#include "store/database/db.h"

struct parents; /* belongs to one connection */

struct parents *parents_new(sqlite3 *db, struct ck_err *err);
void parents_free(struct parents **p);

/* Begins anew, for a batch behind `after`. floor: everything up to there is in the sink. */
void parents_begin(struct parents *p, uint64_t after, uint64_t floor);
/* Notes what the record points to, except what is in the sink or came before it in this batch.
 * Inside the read transaction. -1 with the reason. */
int parents_note(struct parents *p, uint64_t version, const struct ck_row *row, struct ck_err *err);
/* Bytes of what was noted, as it would be in a list of changes. */
size_t parents_bytes(const struct parents *p);
/* Appends what was noted and is not itself in the batch, which ends at upto, to its changes, as far
 * as the frame holds it. Returns how many; *all: nothing had to be left out. */
uint32_t parents_put(const struct parents *p, uint64_t upto, struct ck_buf *changes, bool *all);

#endif
