/* renewd's decisions: what follows from an event. Everything that the daemon may include of this
 * folder is here.
 *
 * Pure: no clock, no I/O, and no randomness but the seed's, so the same events give the same
 * effects, to the byte. The daemon listens, and does what the effects say:
 *
 *   rows, answers, receipts, results ──► renew_step ──► queries, mutations, deliveries, log lines
 */
#ifndef RENEWD_CORE_CORE_H
#define RENEWD_CORE_CORE_H

#include "renewd/core/held.h"
#include "renewd/core/notices.h"
#include "renewd/core/resolve.h"
#include "renewd/core/result.h"
#include "renewd/core/state.h"

/* Zero-initialised memory becomes a core that knows nothing. The settings' texts must outlive it.
 */
void renew_core_init(struct renew_core *core, const struct renew_settings *set, uint64_t seed);
/* Frees everything. */
void renew_core_free(struct renew_core *core);

/* What follows from the event: it changes the core, and adds to effects, which are to be done after
 * it and before the next TICK. An answer, receipt or result that nobody waits for is ignored. */
void renew_step(struct renew_core *core, const struct renew_event *event, struct renew_now now,
                struct renew_effects *effects);
/* The boot time of the next TICK that would do something; RENEW_NEVER when that takes another event
 * first. */
int64_t renew_core_wakes(const struct renew_core *core);

/* ---- looking ---- */

/* The boot time at which the next job may be claimed; RENEW_NEVER when that takes a row or a free
 * slot first. */
int64_t renew_core_due(const struct renew_core *core);
/* Some attempt of ours is claimed, or about to be, and its END has no receipt. */
bool renew_core_unfinished(const struct renew_core *core);
/* Conversations whose last message settles or is judged, and those whose target is looked for. */
uint64_t renew_core_undecided(const struct renew_core *core);
/* Something is under way with one of its jobs, so none other has its turn. */
bool renew_conversation_is_busy(const struct renew_conversation *c);
/* NULL: not known, which means manual and without jobs. */
struct renew_conversation *renew_core_conversation(const struct renew_core *core, struct ck_str id);
/* NULL: done, failed, or unknown. */
struct renew_job *renew_core_job(const struct renew_core *core, struct ck_str id);
/* A limit of the account is not known to be over: it lasts, or a delivery tries it, or will. */
bool renew_core_limited(const struct renew_core *core, struct ck_str account);

#endif
