/* Which jobs are due by their row, but do not go, and why: for people. Pure. */
#ifndef RENEWD_CORE_HELD_H
#define RENEWD_CORE_HELD_H

#include "renewd/core/state.h"

struct renew_held {
  const char *state;  /* one word: stopped, settling, resting, no_target, busy, limited, slots,
                       * spacing, account_slots, account_spacing, offered, paused */
  const char *reason; /* more about it, valid as long as the job is unchanged; NULL: nothing */
  int64_t until;      /* boot; RENEW_NEVER: not known */
};
/* The boot time of the job's next attempt by its row, whatever else it waits for. */
int64_t renew_job_due(const struct renew_job *j, struct renew_now now);
/* False: the job goes, is not due by its row, or waits for something that its row says. */
bool renew_is_held(struct renew_held *h, const struct renew_core *core, const struct renew_job *j,
                   struct renew_now now);
/* The job is due and goes without anybody's doing: at once, or when its message has settled or its
 * target's spacing is over. */
bool renew_goes_soon(const struct renew_core *core, const struct renew_job *j,
                     struct renew_now now);

#endif
