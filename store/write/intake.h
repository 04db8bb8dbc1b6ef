/* The intake: drains what has come, applies it, commits once, tells the feed. There is no timer: a
 * batch is what came while the last commit ran. */
#ifndef CK_STORE_INTAKE_H
#define CK_STORE_INTAKE_H

#include "store/write/apply.h"
#include "store/write/feed.h"
#include "store/read/reports.h"
#include "store/context.h"

struct intake;

struct intake *intake_open(struct context *context, struct system_tables *system,
                           struct apply *apply, struct leases *leases, struct feed *feed,
                           struct reports *reports, struct ck_err *err);
void intake_close(struct intake **i);
void *intake_socket(struct intake *i);
/* One batch. Returns whether more is waiting. hold: nothing may be written now; what came is let go
 * of, as by a full disk, and comes again. *retry_in: milliseconds after which to turn again
 * although nothing came (a full disk), or -1. */
bool intake_turn(struct intake *i, bool hold, int *retry_in);

/* HELLO and LAST, which the snapshot door hands over. Appends the answer's frame. */
void intake_answer(struct intake *i, const struct ck_message *m, struct ck_buf *frame);

#endif
