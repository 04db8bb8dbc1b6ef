/* Mutations of the limits of accounts. renewd decides what they are; they are kept here so that
 * they survive it, in one changeset with what it has decided of a job. */
#include "store/write/apply_internal.h"

/* The most bytes of a reason, so that a page of limits fits a frame. */
#define REASON_MAX 400
/* What is over is kept for so long; only within an hour does it matter (renewd/core/limits.c). */
#define KEPT_MS (30 * 24 * INT64_C(3600000))

static int check_account(struct ck_str account, const char *of, struct ck_err *err) {
  if (account.n && account.n <= CK_ACCOUNT_MAX) return 0;
  return ck_fail(err, "%s.account: must have 1 to %d bytes", of, CK_ACCOUNT_MAX);
}

int mutate_limit(struct apply *a, const struct ck_limit *m, struct ck_err *err) {
  if (check_account(m->account, "limit", err) || apply_savepoint(a, err)) return -1;
  if (system_run(a->system, SYSTEM_LIMIT_SAVE, err, "siiiisii", m->account, m->until, m->since,
                 m->times, (int64_t)m->over, ck_utf8_cut(m->reason, REASON_MAX), m->at, a->now))
    return apply_failed(a);
  a->updated |= sqlite3_changes(a->db) > 0;
  return system_run(a->system, SYSTEM_LIMITS_PRUNE, err, "i", KEPT_MS) ? apply_failed(a) : 0;
}

int mutate_unlimit(struct apply *a, const struct ck_unlimit *m, struct ck_err *err) {
  if (check_account(m->account, "unlimit", err) || apply_savepoint(a, err)) return -1;
  if (system_run(a->system, SYSTEM_LIMIT_END, err, "si", m->account, a->now))
    return apply_failed(a);
  bool ended = sqlite3_changes(a->db) > 0;
  a->updated |= ended;
  a->pauses_changed |= ended; /* renewd looks at both */
  return 0;
}
