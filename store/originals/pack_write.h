/* A pack into the tables, step by step: the writer's part of packing. Each step is a transaction of
 * its own, of a few milliseconds; until the last one everything is as it was. */
#ifndef CK_STORE_PACK_WRITE_H
#define CK_STORE_PACK_WRITE_H

#include "store/originals/pack.h"

struct pack_writer;

/* db: the writer's connection. Takes for gone what a crash has left half done. NULL with the
 * reason.
 */
struct pack_writer *pack_writer_new(sqlite3 *db, struct ck_err *err);
void pack_writer_free(struct pack_writer **w);

/* Is there anything to pack at once (*any)? Has any log grown that is above `after`; NULL: any at
 * all (*logs)? 0 or -1. */
int pack_waits(struct pack_writer *w, const int64_t *after, bool *any, bool *logs,
               struct ck_err *err);
/* Goes on with the pack. 1: there is more to do; 0: it is done; -1: the step is undone, and what is
 * left of the pack removed at the next start. */
int pack_write_step(struct pack_writer *w, struct pack *k, struct ck_err *err);
/* Removes some of what is gone. Likewise. */
int pack_drop_step(struct pack_writer *w, struct ck_err *err);

#endif
