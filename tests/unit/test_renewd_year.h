/* The simulated year of test_renewd_schedule.c: the world, its events, and who acts in them.
 * test_renewd_year_store.c is the store and the people, test_renewd_year_client.c a client,
 * test_renewd_year_renewd.c renewd with its other targets. */
#ifndef CK_TEST_RENEWD_YEAR_H
#define CK_TEST_RENEWD_YEAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/clock.h"
#include "proto/heap.h"
#include "renewd/core/core.h"

#define MINUTE INT64_C(60000)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)
#define YEAR (365 * DAY)
#define EPOCH INT64_C(1790000000000)
#define CONVERSATIONS 1000
#define DELAY 2000
#define JOBS_MAX 60000
#define TARGETS 7
/* The last of them is a client, with a lease of so many milliseconds. */
#define CLIENTS_LEASE (60 * INT64_C(1000))
#define SPACING 2000
/* Milliseconds from the store to the follower; receipts take 0 to 6, so either may come first. */
#define FOLLOW_LAG 3
/* Milliseconds for which a job that is due and free may go unclaimed. */
#define LATE_MAX 50
/* And after a step of the wall clock. */
#define STEP_SEEN (500 + LATE_MAX)

struct conversation {
  enum renew_automation automation;
  int last_message;   /* -1: none */
  int64_t auto_since; /* wall */
  int64_t cooldown_until;
  int text; /* the last message's: another number after each growth */
  /* the referee's */
  unsigned sending, with_client;
  int64_t free_since;        /* boot */
  int64_t known_until, rest; /* the last cooldown that the running renewd was told; as boot time */
  int64_t done_at;           /* boot, of its last delivery's end */
  unsigned done_run;
  enum renew_automation told;
  int told_last;      /* the last message that the running renewd was told; -1: none */
  int64_t changed_at; /* boot, when it was told that the last message is new or has grown */
};

struct message {
  bool assistant;
  int64_t created_at, observed_at;
};

enum status { PENDING, RUNNING, OVER };

struct job {
  int conversation, message;
  bool automatic, anyway;
  enum status status;
  bool unknown; /* the lease is in that state */
  int64_t next, attempts, created_at;
  int64_t unreached, unreached_since; /* wall */
  char token[33];
  int64_t last_attempt_at;
  uint64_t version;       /* of its last change */
  uint64_t offer;         /* the number of the offer that waits; 0: none */
  uint64_t taken;         /* the number of the client's attempt that runs; 0: none does */
  int64_t lease_until;    /* wall */
  struct renew_node node; /* its id is the name below */
  char name[48];
  /* the referee's */
  bool may_have_arrived, was_unreached;
  int64_t known_next, due; /* the last time that the running renewd was told; as boot time */
};

enum kind {
  MESSAGE,
  AUTOMATE,
  BY_HAND,
  STEP,
  CRASH,
  START,
  PERSON,
  GROW,
  /* the client's */
  CLIENT_CLAIM,
  CLIENT_END,
  /* to renewd */
  FOLLOW_M,
  FOLLOW_C,
  FOLLOW_J,
  ANSWER,
  RECEIPT,
  SENT,
  /* from renewd to the store */
  QUERY,
  PUT,
  CLAIM,
  END,
  SUPERSEDE,
  OFFER,
  WITHDRAW
};

struct event {
  struct ck_timer timer; /* first */
  enum kind kind;
  unsigned run; /* the process that it is for or from; 0: the world */
  int id, message;
  int of; /* RECEIPT: the conversation */
  uint64_t ticket, version;
  unsigned parts; /* QUERY */
  char result;    /* RECEIPT */
  char token[33];
  struct renew_verdict verdict;
  int64_t next;
  struct conversation c;
  struct job j;
};

/* What the running renewd does with it, for the referee. */
struct target {
  int64_t at; /* boot, of the last beginning; 0: none */
  int sending;
};

struct world {
  struct ck_random random;
  int64_t boot, offset;
  struct ck_heap events;
  uint64_t version, offers, taken;
  struct conversation c[CONVERSATIONS];
  struct job *j;
  struct message *m;
  int jobs, messages;
  int *job_of_message;
  struct target begun[TARGETS];
  struct renew_index names; /* of the jobs */
  struct renew_core core;
  struct renew_effects effects;
  unsigned run;
  bool up;
  int64_t stepped_at; /* boot */
  /* what happened */
  long claimed_by_client, expired, withdrawn;
  long sent, done, crashes, unknown, refused, checked, superseded, declined, released, anyway;
  int64_t latest;
};
extern struct world world;

extern const struct renew_rules rules;

static inline struct renew_now now(void) {
  return (struct renew_now){world.boot + world.offset, world.boot};
}
static inline int64_t chance(int64_t most) { return ck_random_upto(&world.random, most); }
static inline bool one_in(int64_t n) { return chance(n - 1) == 0; }

/* ---- events ---- */

/* Plans an event in so many milliseconds, for the caller to complete. */
struct event *year_add(enum kind kind, int64_t in, unsigned run, int id);
/* The next event, for the caller to free. There must be one. */
struct event *year_take(void);

/* ---- the store and the people ---- */

/* renewd is to be told the conversation's row. */
void year_changed_conversation(int id);
void year_conversation_name(char out[40], int id);
void year_message_name(char out[40], int id);
/* Their numbers. */
int year_conversation_of(struct ck_str name);
int year_message_of(struct ck_str name);
int year_job_of(struct ck_str name);
int year_new_job(int conversation, int message, bool automatic, int64_t next);
void year_message(int id, bool assistant);
/* The last message grows. */
void year_grow(int id);
/* Nobody wants the job any more, by what the store knows. */
bool year_is_superseded(const struct job *j);
/* Queries and mutations reach the store. */
void year_queried_in_store(const struct event *e);
void year_put(const struct event *e);
void year_claimed_in_store(const struct event *e);
void year_end_in_store(const struct event *e);
void year_supersede_in_store(const struct event *e);
/* The job's row has changed, which withdraws its offer. */
void year_changed_job(int id);
/* The receipt of the mutation `of`, with the store's newest version. */
void year_receipt(const struct event *of, char result);
/* A person decides about a job whose end is unknown. */
void year_person(int id);
void year_automate(int id);

/* The job's target: its number, as a snapshot, and whether it knows a delivery that it has. */
static inline int year_target_of(const struct job *j) { return j->conversation % TARGETS; }
bool year_is_repeatable(const struct job *j);
static inline bool year_is_clients(const struct job *j) { return year_target_of(j) == TARGETS - 1; }
void year_target(char out[48], const struct job *j);
/* What the store says to the question of this QUERY, now. The texts are valid until the next
 * call. */
struct renew_answer year_answer(const struct event *query);

/* ---- the client, and what the store does for it ---- */

void year_offer(const struct event *e);
void year_withdraw(const struct event *e);
void year_client_claim(const struct event *e);
void year_client_end(const struct event *e);
/* renewd says that the client's lease has run out. False: it has not, or has been ended. */
bool year_expire(int id);
/* The lease, if the client has one. */
void year_client_lease(const struct job *j, struct renew_lease *lease);
/* The offers that wait, as job ids; valid until the next call. */
size_t year_offers(const struct ck_str **ids);

/* ---- renewd ---- */

void year_start(void);
void year_crash(void);
/* An event of FOLLOW_M to SENT reaches renewd. */
void year_happens(const struct event *e);
/* Time has passed. */
void year_tick(void);
/* When renewd has something to do by itself. */
int64_t year_wakes(void);

#endif
