/* Keeps the core's pauses as the store has them. */
#ifndef RENEWD_PAUSES_H
#define RENEWD_PAUSES_H

#include "renewd/renewd.h"

struct renew_paused;

/* r has to outlive it. */
struct renew_paused *renew_paused_new(struct renewd *r);
/* Sets *p to NULL; *p may be NULL. To be called after its queries are freed. */
void renew_paused_free(struct renew_paused **p);
/* A heartbeat said this number (CK_BEAT_FIELDS). */
void renew_paused_beat(struct renew_paused *p, uint64_t number);
/* Another history begins. */
void renew_paused_reset(struct renew_paused *p);
/* Asks if they have changed, and tells the core of the answer. */
void renew_paused_step(struct renew_paused *p);
/* The core knows those of this history. */
bool renew_paused_known(const struct renew_paused *p);

#endif
