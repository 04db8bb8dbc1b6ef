/* Pauses, for the command line and for webd: whom one holds, and what begins and ends one, as
 * mutations. A conversation that is paused without an end has the status `paused`; every other
 * pause is a state of the store's. Each function appends one mutation. Pure. */
#ifndef CK_PROTO_PAUSE_CHANGE_H
#define CK_PROTO_PAUSE_CHANGE_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/text.h"

/* Whom pauses may hold: a job, or a conversation; what is empty is held by no pause of its kind. */
struct ck_pausable {
  struct ck_str platform, account, conversation, job;
};

/* A pause of that kind and name holds it. */
bool ck_pause_holds(struct ck_str kind, struct ck_str name, const struct ck_pausable *what);
/* A pause until then lasts longer than the other; wall times in milliseconds, 0: without an end. */
bool ck_pause_outlasts(int64_t until, int64_t other);

/* It begins, or its end moves. */
void ck_pause_put(struct ck_buf *mutations, const char *kind, const char *name, int64_t until);
void ck_pause_put_end(struct ck_buf *mutations, const char *kind, const char *name);
/* The limit of an account, which ends with its pause. */
void ck_pause_put_limit_end(struct ck_buf *mutations, const char *account);
/* The conversation has that status from now on; now: wall time in milliseconds. */
void ck_pause_put_status(struct ck_buf *mutations, const char *conversation, const char *status,
                         int64_t now);
/* One that is on auto goes on, if it was stopped. */
void ck_pause_put_going_on(struct ck_buf *mutations, const char *conversation);

#endif
