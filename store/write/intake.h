/* The intake: receives changesets, applies them as one batch, commits once, and publishes receipts
 * and changes. There is no timer: a batch is what came while the last commit ran. The writer's
 * thread. */
#ifndef CK_STORE_INTAKE_H
#define CK_STORE_INTAKE_H

#include "store/write/apply.h"
#include "store/write/feed.h"
#include "store/read/reports.h"
#include "store/context.h"

struct intake;

/* The parts of the store that changesets and their receipts go through. */
struct intake_parts {
  struct context *context;
  struct system_tables *system;
  struct apply *apply;
  struct feed *feed;
  struct reports *reports;
};

/* Binds door.intake. The parts are borrowed. NULL with the reason. */
struct intake *intake_open(const struct intake_parts *parts, struct ck_err *err);
void intake_close(struct intake **i);
void *intake_socket(struct intake *i);
/* One batch. Returns whether more is waiting. hold: nothing may be written now, so what came is
 * dropped, as if the disk were full; without receipts, its producers send it again. *retry_in:
 * after so many milliseconds call again, even if nothing comes (the batch was dropped); or -1. */
bool intake_turn(struct intake *i, bool hold, int *retry_in);
/* Is something forgotten still to be deleted? */
bool intake_forgets(const struct intake *i);
/* Deletes a piece of it. *retry_in: it failed, call it again after so many milliseconds; or -1. */
void intake_forget_piece(struct intake *i, int *retry_in);
/* Has something been deleted to its last piece since the last call? */
bool intake_forgot(struct intake *i);

/* Answers HELLO or LAST, which the snapshot thread passes on. Appends the answer's frame. */
void intake_answer(struct intake *i, const struct ck_message *m, struct ck_buf *frame);

#endif
