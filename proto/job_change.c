/* See job_change.h. */
#include "proto/job_change.h"

#include "proto/map.h"
#include "proto/wire.h"

/* The END of an attempt of unknown outcome, by its lease, so that a late result from renewd is
 * refused. */
static void end_attempt(struct ck_buf *mutations, const struct ck_job_now *j, const char *outcome,
                        const char *error, const char *why, int64_t now) {
  struct ck_mutation m = {.kind = CK_OP_END};
  struct ck_buf result = {0};
  struct ck_map map = ck_map_open(&result);
  ck_pair_text(&map, "why", why);
  ck_map_close(&map);
  m.as.end = (struct ck_end){.job_id = j->id,
                             .attempt = j->attempt,
                             .token = j->token,
                             .outcome = ck_str_of(outcome),
                             .error = ck_str_of(error),
                             .next_attempt_at = strcmp(outcome, "released") == 0 ? now : 0,
                             .at = now,
                             .result = ck_buf_view(&result)};
  ck_mutation_encode(mutations, &m);
  ck_buf_free(&result);
}

static void requeue(struct ck_buf *mutations, const struct ck_job_now *j, bool anyway, int64_t at,
                    bool due_only) {
  struct ck_mutation m = {.kind = CK_OP_REQUEUE};
  m.as.requeue =
      (struct ck_requeue){.job_id = j->id, .anyway = anyway, .at = at, .due_only = due_only};
  ck_mutation_encode(mutations, &m);
}

static bool is(const struct ck_job_now *j, const char *status) {
  return ck_str_is(j->status, status);
}

enum ck_job_change ck_job_retry(struct ck_buf *mutations, const struct ck_job_now *j, bool anyway,
                                int64_t now, struct ck_err *err) {
  if (is(j, "done"))
    return (enum ck_job_change)ck_fail(
        err, "it was delivered: a message is followed up at most once; follow up another "
             "message with convkeep renew");
  if (is(j, "running"))
    return (enum ck_job_change)ck_fail(err, "an attempt is under way: wait for its end");
  ck_put_array(mutations, is(j, "unknown") ? 2 : 1);
  if (is(j, "unknown"))
    end_attempt(mutations, j, "released", "", "a person has it sent again", now);
  requeue(mutations, j, anyway, now, false);
  return CK_JOB_CHANGED;
}

enum ck_job_change ck_job_cancel(struct ck_buf *mutations, const struct ck_job_now *j, int64_t now,
                                 struct ck_err *err) {
  struct ck_mutation m = {.kind = CK_OP_CANCEL};
  if (is(j, "done"))
    return (enum ck_job_change)ck_fail(err, "it was delivered: there is nothing left to cancel");
  if (is(j, "failed")) return CK_JOB_SAME;
  m.as.cancel = (struct ck_cancel){j->id, CK_LIT(CK_JOB_CANCELLED), now, true};
  ck_put_array(mutations, 1);
  if (is(j, "unknown"))
    end_attempt(mutations, j, "failed", CK_JOB_CANCELLED, "a person does not want it any more",
                now);
  else
    ck_mutation_encode(mutations, &m);
  return CK_JOB_CHANGED;
}

/* Its due time alone changes, so it is also the way to make a job wait less. */
enum ck_job_change ck_job_snooze(struct ck_buf *mutations, const struct ck_job_now *j, bool anyway,
                                 int64_t until, struct ck_err *err) {
  if (!is(j, "pending"))
    return (enum ck_job_change)ck_fail(err,
                                       "it does not wait, so it cannot be made to wait longer");
  ck_put_array(mutations, 1);
  requeue(mutations, j, anyway, until, true);
  return CK_JOB_CHANGED;
}

enum ck_job_change ck_job_arrived(struct ck_buf *mutations, const struct ck_job_now *j, int64_t now,
                                  struct ck_err *err) {
  if (is(j, "done")) return CK_JOB_SAME;
  if (!is(j, "unknown"))
    return (enum ck_job_change)ck_fail(
        err, "its outcome is not unknown: only of such a job a person says that it arrived");
  ck_put_array(mutations, 1);
  end_attempt(mutations, j, "done", "", "a person says that it arrived", now);
  return CK_JOB_CHANGED;
}
