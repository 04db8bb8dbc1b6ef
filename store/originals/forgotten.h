/* Originals that are kept out, because something in them was forgotten (forget.c). For the writer's
 * connection, within its transaction. Functions that return int return -1 with the reason in err.
 * with: the id of what was forgotten, as in the table `forgotten`. */
#ifndef CK_STORE_ORIGINALS_FORGOTTEN_H
#define CK_STORE_ORIGINALS_FORGOTTEN_H

#include "store/originals/internal.h"

struct forgotten;

struct forgotten *forgotten_new(sqlite3 *db, struct ck_err *err);
void forgotten_free(struct forgotten **f);

/* 1: the original of this id, or a run of this log, is kept out; 0. */
int forgotten_has(struct forgotten *f, struct ck_str id, struct ck_err *err);
int forgotten_has_log(struct forgotten *f, uint64_t log, struct ck_err *err);
/* 1: something is kept out; 0. */
int forgotten_any(struct forgotten *f, struct ck_err *err);

/* Keeps the original of this id out from now on; and those of a conversation that are there. */
int forgotten_add(struct forgotten *f, struct ck_str id, struct ck_str with, struct ck_err *err);
int forgotten_add_conversation(struct forgotten *f, struct ck_str platform,
                               struct ck_str conversation, struct ck_str with, struct ck_err *err);
/* Nothing is kept out because of this any more. */
int forgotten_allow(struct forgotten *f, struct ck_str with, struct ck_err *err);

/* No record names this original any more. */
int forgotten_unname(struct forgotten *f, struct ck_str id, struct ck_err *err);
/* Deletes those of this block that are kept out: if it has others too, it is compressed again
 * without them, else it is marked as gone. */
int forgotten_clean(struct forgotten *f, int64_t block, struct ck_err *err);
/* After any of them: nothing waits to be packed of which nothing is left. */
int forgotten_settle(struct forgotten *f, struct ck_err *err);
/* The block has become whole: both for what is in it, but if nothing is left of it, it is deleted.
 */
int forgotten_look(struct forgotten *f, int64_t block, struct ck_err *err);

/* ---- forget_some.c ---- */

/* Keeps the other runs of their logs out too. Then no record names any of all those any more, and
 * they are deleted with their bytes: as much as *budget allows, which is lowered by what was done.
 * 1: nothing is left to do; 0. db: f's. */
int forgotten_some(struct forgotten *f, sqlite3 *db, struct ck_str with, int64_t *budget,
                   struct ck_err *err);

/* Grows when originals are deleted: what was read of them before must not be written again. Any
 * thread. */
extern _Atomic uint64_t originals_forgotten;

#endif
