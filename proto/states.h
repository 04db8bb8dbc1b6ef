/* States of which only some may follow each other. The owner has a table with the states that may
 * follow each one, which its head or header draws:
 *
 *   static const unsigned may_become[] = {[REST] = CK_TO(BUSY), [BUSY] = CK_TO(REST)};
 *   …
 *   CK_BECOME(may_become, d->state, BUSY);
 */
#ifndef CK_PROTO_STATES_H
#define CK_PROTO_STATES_H

#include <assert.h>

/* A state as a member of such a set. A table's states are fewer than 32. */
#define CK_TO(state) (1u << (state))

/* Goes from `state`, a variable, to `next`. A step that is not in the table is a mistake in this
 * program, and ends it. */
#define CK_BECOME(may_become, state, next) \
  do { \
    assert((may_become)[state] & CK_TO(next)); \
    (state) = (next); \
  } while (0)

#endif
