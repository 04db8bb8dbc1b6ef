/* What a person may have done with a follow-up job, as the changeset for it: for the command line
 * and for webd. Each function appends the changeset's mutations, an encoded array, unless it
 * returns something else than CK_JOB_CHANGED. Times are wall times in milliseconds. Pure. */
#ifndef CK_PROTO_JOB_CHANGE_H
#define CK_PROTO_JOB_CHANGE_H

#include "proto/error.h"
#include "proto/text.h"

/* The job as it is. Texts are borrowed. */
struct ck_job_now {
  struct ck_str id, status; /* pending, running, done, failed; or unknown: of a running one, the
                             * lease's state is unknown */
  uint64_t attempt;         /* of its lease; 0: it has none */
  struct ck_str token;
};

#define CK_JOB_CANCELLED "cancelled by hand" /* the beginning of such a job's last_error */

enum ck_job_change {
  CK_JOB_REFUSED = -1, /* with the reason */
  CK_JOB_CHANGED,
  CK_JOB_SAME /* it is so already: there is nothing to send */
};

/* It is due at once; an unknown one is sent again. anyway: also if it is superseded or stopped. */
enum ck_job_change ck_job_retry(struct ck_buf *mutations, const struct ck_job_now *j, bool anyway,
                                int64_t now, struct ck_err *err);
/* Nobody wants it any more. */
enum ck_job_change ck_job_cancel(struct ck_buf *mutations, const struct ck_job_now *j, int64_t now,
                                 struct ck_err *err);
/* It is not due before that time. */
enum ck_job_change ck_job_snooze(struct ck_buf *mutations, const struct ck_job_now *j, bool anyway,
                                 int64_t until, struct ck_err *err);
/* An unknown one has arrived. */
enum ck_job_change ck_job_arrived(struct ck_buf *mutations, const struct ck_job_now *j, int64_t now,
                                  struct ck_err *err);

#endif
