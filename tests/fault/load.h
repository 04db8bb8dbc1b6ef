/* A stream of observations through ingest's own door, with a ledger of what was acknowledged, and a
 * follower beside it that sees every version. What may happen to the ring meanwhile is the
 * caller's.
 *
 * Every tenth changes what was said some 500 before, at the same time of observation: a changeset
 * that is applied again, late, would bring the old text back.
 */
#ifndef CK_TESTS_FAULT_LOAD_H
#define CK_TESTS_FAULT_LOAD_H

#include <stdbool.h>
#include <stddef.h>

struct load;

/* The ring is up. text: bytes of each observation's text, at least 40. */
struct load *load_new(unsigned observations, size_t text);
/* Sends, takes answers, sends again what has none, follows; for at most 20 ms. */
void load_step(struct load *l);
void load_step_within(struct load *l, int ms); /* the same, for so long at most */
unsigned load_sent(const struct load *l);      /* first sent, whatever came of it */
unsigned load_taken(const struct load *l);     /* acknowledged */
unsigned load_problems(const struct load *l);  /* answered with a PROBLEM */
const char *load_last_problem(const struct load *l);
bool load_done(const struct load *l); /* all acknowledged */
void load_allow(struct load *l,
                unsigned n); /* no more than so many are sent, until the next call */
/* No new observation is sent from now on; what is under way is. */
void load_stop(struct load *l);
bool load_quiet(const struct load *l); /* everything sent is acknowledged */
/* Waits until the ring has nothing left to do (fails after ms), and then: every acknowledged
 * observation is there once and as it was last said, no number was given twice, the follower has
 * seen exactly what the database holds, and mirror, artifacts and database are whole. Frees. */
void load_check(struct load **load, int ms);

#endif
