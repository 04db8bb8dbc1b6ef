/* What is waited for: the answer to a query, the receipt of a mutation, the result of a send. A
 * ticket is part of the object that waits; its number goes out with the effect and comes back with
 * the event. A number that nobody waits for any more is not found. Pure. */
#ifndef RENEWD_CORE_TICKET_H
#define RENEWD_CORE_TICKET_H

#include <stddef.h>
#include <stdint.h>

/* Which object a ticket is part of, and for what. */
enum renew_owner {
  RENEW_OF_JOB,      /* struct renew_job: what its phase waits for */
  RENEW_OF_PROPOSAL, /* struct renew_job: the receipt of a SUPERSEDE */
  RENEW_OF_TURN,     /* struct renew_conversation: what its turn waits for */
  RENEW_OF_LINK,     /* struct renew_conversation: its link */
  RENEW_OF_OFFERS,   /* struct renew_offers: a page of them */
  RENEW_OF_LIMITS,   /* struct renew_limits: a page of them */
  RENEW_OF_WAITS,    /* struct renew_waits: a page of them */
  RENEW_OF_DOUBTS,   /* struct renew_doubts: a page of them */
  RENEW_OF_UPCOMING, /* struct renew_upcoming: a page of them */
  RENEW_OF_BEGUN,    /* struct renew_begun: a page of them */
  RENEW_OF_RESOLVE   /* struct renew_job: the receipt of a RESOLVE, in `proposal` */
};

/* Zero-initialise. */
struct renew_ticket {
  uint64_t number; /* 0: nothing is waited for */
  enum renew_owner owner;
  struct renew_ticket *next;
};

/* Those that are waited for. Zero-initialise. */
struct renew_tickets {
  struct renew_ticket **slots;
  size_t size, count; /* size is a power of two, or 0 */
  uint64_t given;     /* the last number */
};

/* Gives t a number that none had before, and returns it; what t waited for until then is not waited
 * for any more. */
uint64_t renew_ticket_take(struct renew_tickets *all, struct renew_ticket *t,
                           enum renew_owner owner);
/* Nothing is waited for any more; does nothing if nothing was. */
void renew_ticket_drop(struct renew_tickets *all, struct renew_ticket *t);
/* NULL: nobody waits for that number. */
struct renew_ticket *renew_ticket_find(const struct renew_tickets *all, uint64_t number);
/* Frees the table, not the tickets. */
void renew_tickets_free(struct renew_tickets *all);

#endif
