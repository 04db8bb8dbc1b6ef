/* A stream of observations through ingest's own door, with a ledger of those that were
 * acknowledged, and a follower that sees every version. The caller decides what happens to the ring
 * meanwhile.
 *
 * Every tenth observation changes the text of one some 500 before, with the same time of
 * observation: of two texts of one age the greater counts, and the new one is that.
 */
#ifndef CK_TESTS_FAULT_LOAD_H
#define CK_TESTS_FAULT_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct load;

/* The ring is up. text: bytes of each observation's text, at least 40. */
struct load *load_new(unsigned observations, size_t text);
/* From now on, observations say times of a clock that is off by so many seconds. */
void load_set_clock(struct load *l, int64_t seconds);
/* One step of at most 20 ms: sends, reads answers, sends again what has none, follows. */
void load_step(struct load *l);
/* The same, of at most `ms` milliseconds. */
void load_step_within(struct load *l, int ms);
/* Limits how many observations are sent in all, until the next call. */
void load_allow(struct load *l, unsigned n);
/* No new observation is sent from now on; those without an answer are still sent again. */
void load_stop(struct load *l);

unsigned load_sent(const struct load *l);     /* sent at least once */
unsigned load_taken(const struct load *l);    /* acknowledged */
unsigned load_problems(const struct load *l); /* answered with a PROBLEM */
const char *load_last_problem(const struct load *l);
bool load_done(const struct load *l);  /* all observations are acknowledged */
bool load_quiet(const struct load *l); /* all that were sent are acknowledged */

/* Waits until the ring has nothing left to do; fails after `ms` milliseconds. Then checks that
 * every acknowledged observation is stored once, with its last text; that no number was given
 * twice; that the follower has seen exactly what the database has; and that mirror, artifacts and
 * database are whole. Frees the load. */
void load_check(struct load **load, int ms);

#endif
