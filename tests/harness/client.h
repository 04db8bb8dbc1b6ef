/* A client that claims follow-ups, as a browser's extension does: it takes the offers made to it,
 * begins an attempt with CLAIM, and ends it with END, all as docs/wire.md has it. It never waits:
 * the test's loop calls t_client_step.
 *
 *   offer ──CLAIM──► claiming ──receipt──► holding ──time──► ended
 *                        │ refused            │ what the test says: typed, not sent, may have been
 *                        ▼                    │ sent, or the client forgets it (as if it died)
 *                     dropped                 ▼
 */
#ifndef CK_TESTS_HARNESS_CLIENT_H
#define CK_TESTS_HARNESS_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct t_client;

enum t_client_end { T_SENT, T_NOT_SENT, T_MAY_BE_SENT, T_FORGOTTEN };
/* What the test wants of one delivery. */
struct t_client_plan {
  enum t_client_end end;
  int hold_ms;  /* from the claim's receipt to the typing */
  bool types;   /* the text arrives; always with T_SENT, never with T_NOT_SENT */
  int lease_ms; /* 0: the store's own; it is extended once while holding */
};

/* One text that was typed into its page. */
struct t_typed {
  char *job_id, *body; /* body: the delivery as JSON */
  int64_t at;          /* ck_now_ms() */
};

/* Subscribes, and looks for the offers that wait. plan: called for each offer that it claims. */
struct t_client *t_client_new(const char *id,
                              struct t_client_plan (*plan)(void *self, const char *job_id),
                              void *self);
/* Does what can be done without waiting, except that a query for offers, twice a second, waits up
 * to 100 ms for a store that is away. */
void t_client_step(struct t_client *c);
/* Deliveries that are claimed or being claimed. */
int t_client_busy(const struct t_client *c);
/* What was typed, in order; *n is their number. Valid until the next step. */
const struct t_typed *t_client_typed(const struct t_client *c, size_t *n);
/* How many offers were claimed, and how many claims were refused. */
unsigned t_client_claimed(const struct t_client *c);
unsigned t_client_refused(const struct t_client *c);
void t_client_free(struct t_client **c);

#endif
