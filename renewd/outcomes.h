/* What renewd tells the store: one changeset a mutation, kept in memory and sent again until the
 * store has answered, answered in order. */
#ifndef RENEWD_OUTCOMES_H
#define RENEWD_OUTCOMES_H

#include "proto/push.h"
#include "renewd/due.h"

struct renew_outcomes;

struct renew_outcomes *renew_outcomes_new(const struct ck_settings *s, struct ck_err *err);
void renew_outcomes_free(
    struct renew_outcomes **o); /* what has no receipt is forgotten, unanswered */

/* result and reason as in ck_unacked.receipt. version: who has followed up to it has seen all that
 * came of it; 0 where nothing did. Never called from within renew_outcomes_add, _row or _end. */
typedef void renew_receipt(void *self, char result, struct ck_str reason, uint64_t version);

void renew_outcomes_add(struct renew_outcomes *o, const struct ck_mutation *m,
                        renew_receipt *receipt, void *self); /* receipt may be NULL */
void renew_outcomes_row(struct renew_outcomes *o, enum ck_mutation_kind kind,
                        const struct ck_row *row, renew_receipt *receipt, void *self);

/* The store's END of an attempt. error is cut to what a row takes. */
struct renew_ending {
  struct ck_str job_id, token;
  int64_t attempt, at;
  const struct renew_result *result;
  const struct renew_verdict *verdict;
};
void renew_outcomes_end(struct renew_outcomes *o, const struct renew_ending *e,
                        renew_receipt *receipt, void *self);

/* What went wrong last, for `status`; cut to 199 bytes. */
void renew_outcomes_error(struct renew_outcomes *o, const char *what);
const char *renew_outcomes_last_error(const struct renew_outcomes *o); /* empty: nothing did */

struct ck_push *renew_outcomes_push(struct renew_outcomes *o); /* to wait on, and to report with */
size_t renew_outcomes_pending(const struct renew_outcomes *o);
uint64_t renew_outcomes_told(
    const struct renew_outcomes *o);               /* how many receipts have been told of so far */
int renew_outcomes_step(struct renew_outcomes *o); /* as ck_push_step */

#endif
