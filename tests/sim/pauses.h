/* The table of pauses: what the store has of it, what renewd was told of it, and the owner who
 * pauses and resumes. */
#ifndef CK_SIM_PAUSES_H
#define CK_SIM_PAUSES_H

#include "tests/sim/sim.h"

#define PLATFORMS 3
static inline int sim_platform_of(int conversation) { return conversation % PLATFORMS; }
void sim_platform_name(char out[8], int platform);

void sim_pauses_begin(void);
void sim_pauses_free(void);

/* ---- the store ---- */

/* One holds for the job, now; account: what it is charged to, -1: nothing. */
bool sim_is_paused(const struct job *j, int account);
/* The job is over, and so is its pause. */
void sim_pause_ends(int job);

/* ---- the owner ---- */

/* Pauses everything, a platform, an account, this conversation, or a job of it. */
void sim_owner_pauses(int conversation);
/* Pauses that job, and makes others of its conversation. */
void sim_owner_holds(int job);
/* Ends a pause; all: in the end, most of them. */
void sim_owner_ends_pauses(bool all);

/* ---- renewd ---- */

/* The store's heartbeat says that pauses have changed, or a limit was ended. */
void sim_beat(int64_t in);
/* It came; and the pauses that renewd has asked for. */
void sim_beats(void);
void sim_pauses_come(const struct event *e);
/* At a start, before renewd is connected. */
void sim_pauses_told(void);

/* ---- the referee ---- */

/* As renewd was told. */
bool sim_told_paused(const struct job *j, int account);
/* Boot: since when it is not; RENEW_NEVER: it is; 0: no such pause has passed. */
int64_t sim_unpaused_since(const struct job *j, int account);
/* Boot: since when it is, as renewd was told; RENEW_NEVER: it is not. */
int64_t sim_paused_since(const struct job *j, int account);

#endif
