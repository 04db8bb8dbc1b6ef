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
/* Keeps the other runs of their logs out too, and deletes all that are kept out, with their bytes:
 * a block that has others too is compressed again. */
int forgotten_drop(struct forgotten *f, struct ck_str with, struct ck_err *err);
/* The block has become whole: the same for what is in it. */
int forgotten_look(struct forgotten *f, int64_t block, struct ck_err *err);

/* Grows when originals are deleted: what was read of them before must not be written again. Any
 * thread. */
extern _Atomic uint64_t originals_forgotten;

#endif
