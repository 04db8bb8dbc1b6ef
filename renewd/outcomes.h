/* Everything that renewd tells the store: one changeset for each mutation, kept in memory and sent
 * until the store has given a receipt. The receipts are passed on in order. */
#ifndef RENEWD_OUTCOMES_H
#define RENEWD_OUTCOMES_H

#include "proto/push.h"
#include "renewd/due.h"

struct renew_outcomes;

/* NULL with the reason: no producer id is free, or a door cannot be connected. */
struct renew_outcomes *renew_outcomes_new(const struct ck_settings *s, struct ck_err *err);
/* Sets *o to NULL; *o may be NULL. Drops changesets without a receipt; their callbacks are not
 * called. */
void renew_outcomes_free(struct renew_outcomes **o);

/* result and reason: as for ck_unacked.receipt. version: a follower that has reached it has seen
 * everything that the changeset changed; 0 when it changed nothing. Called only from
 * renew_outcomes_step. */
typedef void renew_receipt(void *self, char result, struct ck_str reason, uint64_t version);

/* Adds a changeset of one mutation, encoded at once. receipt: called with self; may be NULL. */
void renew_outcomes_add(struct renew_outcomes *o, const struct ck_mutation *m,
                        renew_receipt *receipt, void *self);
/* The same with a PUT or UPDATE of the row. */
void renew_outcomes_row(struct renew_outcomes *o, enum ck_mutation_kind kind,
                        const struct ck_row *row, renew_receipt *receipt, void *self);

/* The same with the END of an attempt. */
struct renew_ending {
  struct ck_str job_id, token;
  int64_t attempt, at;
  const struct renew_result *result;
  const struct renew_verdict *verdict;
};
void renew_outcomes_end(struct renew_outcomes *o, const struct renew_ending *e,
                        renew_receipt *receipt, void *self);

/* Remembers the last error for `status`, cut to 199 bytes. */
void renew_outcomes_error(struct renew_outcomes *o, const char *what);
/* Empty: none so far. */
const char *renew_outcomes_last_error(const struct renew_outcomes *o);

/* The producer, to wait on and to report with. It belongs to o. */
struct ck_push *renew_outcomes_push(struct renew_outcomes *o);
/* How many changesets have no receipt yet. */
size_t renew_outcomes_pending(const struct renew_outcomes *o);
/* How many receipts have been passed on so far. */
uint64_t renew_outcomes_told(const struct renew_outcomes *o);
/* As ck_push_step; all receipts are passed on from here. */
int renew_outcomes_step(struct renew_outcomes *o);

#endif
