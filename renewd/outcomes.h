/* Everything that renewd tells the store: one changeset for each mutation, kept in memory and sent
 * until the store has given a receipt. The receipts are passed on in order. */
#ifndef RENEWD_OUTCOMES_H
#define RENEWD_OUTCOMES_H

#include "proto/push.h"
#include "renewd/core/core.h"

struct renew_outcomes;

/* ticket: that of the effect. result and reason: as for ck_unacked.receipt. version: a follower
 * that has reached it has seen everything that the changeset changed; 0 when it changed nothing.
 * claimed: of a CLAIM, what the receipt says that it found; NULL: nothing. Called only from
 * renew_outcomes_step. */
typedef void renew_receipted(void *self, uint64_t ticket, char result, struct ck_str reason,
                             uint64_t version, const struct ck_claimed *claimed);

/* receipted: called with self for each receipt. NULL with the reason: no producer id is free, or a
 * door cannot be connected. */
struct renew_outcomes *renew_outcomes_new(const struct ck_settings *s, renew_receipted *receipted,
                                          void *self, struct ck_err *err);
/* Sets *o to NULL; *o may be NULL. Drops changesets without a receipt. */
void renew_outcomes_free(struct renew_outcomes **o);

/* Adds a changeset with the mutation of this TELL, encoded at once; PUT and END with the path of
 * today's log of attempts. */
void renew_outcomes_tell(struct renew_outcomes *o, const struct renew_effect *tell);

/* The producer, to wait on and to report with. It belongs to o. */
struct ck_push *renew_outcomes_push(struct renew_outcomes *o);
/* How many changesets have no receipt yet. */
size_t renew_outcomes_pending(const struct renew_outcomes *o);
/* As ck_push_step; all receipts are passed on from here. followed: up to which version the store is
 * followed. A receipt that says what a claim found waits, with those behind it, until its
 * version is followed, but only for a moment. */
int renew_outcomes_step(struct renew_outcomes *o, uint64_t followed);

#endif
