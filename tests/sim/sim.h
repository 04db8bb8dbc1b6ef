/* A simulation of renewals: renewd's core with models of the store and its disk, the targets, the
 * clients, the owner and both clocks. One seed decides everything. A referee, which knows what the
 * owner did and what the targets got, checks each step. README.md tells more.
 *
 *   owner.c ──► store.c, store_tell.c ◄──► renewd.c with the core ──► target.c, client.c
 *                                     referee.c looks at all of it
 */
#ifndef CK_SIM_H
#define CK_SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/clock.h"
#include "proto/heap.h"
#include "renewd/core/core.h"

#define SECOND INT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)
#define YEAR (365 * DAY)
#define EPOCH INT64_C(1790000000000)

/* ---- the settings ---- */

#define DELAY 2000
#define SPACING 500
#define IN_A_ROW 10
#define ALIKE 3
#define PER_DAY 45
#define HOURLY 60
#define STOP_TEXT "ALL DONE"
#define QUIET "22:00-04:00 UTC"
extern const struct renew_rules sim_rules;
extern struct renew_settings sim_settings; /* of the running renewd */

/* ---- what the store has ---- */

enum says { PLAIN, ASKS, ASKS_TO_CONTINUE, FINISHED, WAITS_FOR_OWNER, ALIKE_TEXT };

struct message {
  int conversation, number; /* of the conversation's messages, from 0 */
  bool assistant, live, has_job;
  enum says says;
  int text; /* another number after each growth */
  int64_t created_at, observed_at;
  int64_t at;              /* boot: when it came */
  int64_t last_message_at; /* the conversation's then */
  bool entitled;           /* by what the store said when it was judged */
  unsigned judged;         /* renewd.knows then; 0: it was not */
  uint64_t version, came;  /* came: its first */
};

enum status { PENDING, RUNNING, OVER };

/* What is under way with a job, as far as it can be seen from outside of the core. */
enum stage {
  STAGE_NONE,
  STAGE_ASKED,
  STAGE_CLAIMING,
  STAGE_LEASING,
  STAGE_SENDING,
  STAGE_ENDING,
  STAGE_FOLLOWING,
  STAGE_READING,
  STAGE_OFFERING,
  STAGE_OPEN,
  STAGE_WITHDRAWING,
  STAGE_LOOKING
};

/* A wall time that stands for the end of a wait: when it is over in truth. */
struct wait {
  int64_t until;   /* boot */
  int64_t stored;  /* boot: the same, as the store knows it */
  bool calendar;   /* it is none, but a calendar time */
  int64_t length;  /* of the whole, as the store knows it */
  int64_t written; /* wall: when it wrote that down */
  unsigned by;     /* what set it, as renewd.knows; 0: another than renewd */
};

struct job {
  const char *name;                  /* its id */
  int conversation, message, target; /* target -1: none */
  int older;                         /* of the same conversation; -1: none */
  bool automatic, anyway;
  enum status status;
  bool unknown; /* its lease is in that state */
  bool failed;  /* over: it is that, not done */
  int64_t next, attempts, created_at, updated_at, last_attempt_at;
  int64_t attempt_at; /* boot; of the last one */
  uint64_t attempt_number;
  int64_t unreached, unreached_at; /* boot */
  int64_t unreached_since;         /* wall: the same */
  uint64_t version;
  char token[33];
  unsigned lease_run;  /* the renewd that has it; 0: a client */
  uint64_t offer;      /* the number of the offer that waits; 0: none */
  uint64_t taken;      /* the number of the client's attempt; 0: none */
  int offered_to;      /* the account of the offer */
  unsigned offer_run;  /* the renewd that made it */
  int64_t offer_start; /* of the machine: when it was made (world.started) */
  struct wait lease;   /* the same, in truth */

  /* The referee's: the truth. */
  struct wait wait;      /* that next stands for */
  bool accepted;         /* the target has it, and there is no reason to send it again */
  bool may_have_arrived; /* as far as renewd can know */
  int released;          /* how often in a row its target sent nothing, in this run */
  int64_t made_at;       /* boot */
  int wishes;            /* how often its owner began it anew; of an attempt: then */
  int leased_wishes;     /* of its attempt */
  bool taken_away;       /* its owner has cancelled it during that */
  /* The running renewd's: as it was told, and what it does. */
  unsigned told_run, stage_run;
  uint64_t told_version;
  int64_t told_next;
  enum stage stage;
  uint64_t ticket;  /* that the stage waits for */
  bool answered;    /* what the stage waited for is there: it ends, unless the core goes on */
  uint64_t follows; /* FOLLOWING: up to this version */
  int slot;         /* the target of which it has a slot; -1: none */
  bool sent;        /* with the slot */
  bool may_go;      /* by its conversation's past, as the referee sees it */
  int told_target;  /* of its row */
  int charged;      /* the account, as it was when its past was told; -1: none */
  int maybe[2];     /* ASKED: the accounts of which one may be its; -1: none */
  int64_t begun_at; /* boot: of the delivery */
  bool told_over;   /* while it has an attempt of this run's */
  bool ours;        /* LEASING: the answer says so */
  char tried[33];   /* the token of its claim */
  bool lasts;       /* the limit in its result */
  struct {          /* the conversation, as it was read with the lease */
    bool paused, superseded;
  } read;
  int64_t lag;                /* of the answer about its lease */
  struct renew_result result; /* that renewd was told */
  bool has_result;
};

struct attempt {
  int64_t at, boot; /* when it began; at: wall */
  int job;
  int64_t known; /* boot: the same, as the store knows it */
};

struct conversation {
  enum renew_automation automation;
  int last; /* message; -1: none */
  int messages;
  uint64_t auto_since; /* version */
  int64_t cooldown_until, updated_at;
  uint64_t version;
  uint64_t person;  /* the version at which a person was last there */
  uint64_t resumed; /* at which one let it go on */
  int target;       /* of its link; -1: it has none */
  int account;      /* as its owner says; -1: nothing */
  int64_t until;    /* the owner's rules; 0: none */
  bool quiet, asks_freely;
  int in_a_row;
  char renewal[128]; /* the same as JSON */
  int newest;        /* job; -1: none */
  int oldest;        /* all jobs before this one are over; they are not all */
  int alike;         /* how many of the last answers have the same text */
  int running;       /* the job that has a lease; -1: none */
  struct attempt attempts[HOURLY + 4];
  int attempts_n;

  /* The truth. */
  struct wait rest;
  /* The running renewd's. */
  unsigned told_run, under_run;
  int under; /* jobs with something under way */
  uint64_t told_version;
  enum renew_automation told;
  int told_last, told_account;
  int64_t changed_at; /* boot: when it was told that the last message is new or has grown */
  int64_t told_until;
  int64_t calm_since;   /* boot: of the last thing that renewd was told of it */
  int64_t braked_until; /* boot; RENEW_NEVER: until a row comes */
  bool braked_calendar;
  bool braked_all;
  int stood_still; /* how often the owner found it so */
};

enum channel { NULLS, SURE_WEBHOOK, WEBHOOK, COMMAND, BROWSER };

struct target {
  enum channel channel;
  int account; /* -1: none */
  char snapshot[128];
  int64_t limited_until; /* boot; of one without an account */
  /* The running renewd's. */
  unsigned run;
  int before, sending; /* jobs before their first byte; with it, up to the end of its slot */
  int64_t begun_at;    /* boot: the last one of any run; 0: none */
  int64_t calm_since;
  struct leased {
    int job;        /* -1: none */
    int64_t at;     /* boot */
    int64_t begun;  /* wall: the same, as whoever claimed it said */
    int64_t offset; /* of the wall clock then */
    unsigned run;
  } leased, former; /* the last lease; and the last one of an earlier run */
};

/* ---- what renewd tells the store ---- */

enum tell {
  TELL_PUT,
  TELL_UPDATE,
  TELL_CLAIM,
  TELL_END,
  TELL_SUPERSEDE,
  TELL_OFFER,
  TELL_WITHDRAW,
  TELL_CANCEL,
  TELL_LIMIT
};
#define TELLS 9

struct telling {
  struct telling *next;
  unsigned run;
  uint64_t number, ticket;
  enum tell kind;
  int job, conversation, message, target;
  int account; /* that is charged, or has the limit; -1: none */
  bool limits; /* with a limit, or nothing but one: */
  struct renew_limited limit;
  int64_t learned; /* boot: when that was */
  int64_t next_at, cooldown_until, attempt, at;
  struct wait wait;
  int64_t told; /* wall: when it was */
  enum renew_outcome outcome;
  char token[33];
  uint64_t version;
  char result;            /* as RECEIPT says it */
  struct question *found; /* what a claim has found, on the heap; NULL: the receipt does not tell */
};

/* ---- events ---- */

enum kind {
  /* of the world */
  LIFE,
  ANSWERS,
  GROWS,
  DECIDES,
  MEDDLES,
  MAKES,
  HOLDS,
  UNPAUSES,
  UNLIMITS,
  DISASTER,
  ARRIVES,
  CLIENT_CLAIMS,
  CLIENT_ENDS,
  STEP,
  SUSPEND,
  REBOOT,
  RENEWD_DIES,
  RENEWD_STARTS,
  RENEWD_STOPS,
  RENEWD_ENDS,
  STORE_DIES,
  STORE_STARTS,
  HISTORY,
  /* to the store */
  ASK,
  TOLD,
  COMMIT,
  /* to renewd */
  NOTICES,
  CONNECTS,
  BEATS,
  PAUSED,
  FEED,
  ANSWER,
  RECEIPT,
  RESULT,
  KINDS
};

struct question;

struct event {
  struct ck_timer timer; /* first */
  enum kind kind;
  unsigned run;  /* the renewd that it is for or from; 0: the world */
  unsigned life; /* the store's, likewise */
  int id;
  uint64_t number, ticket, version;
  char result;
  bool accepts;
  struct question *question;
  struct renew_result *outcome;
  void *pauses; /* all of them; on the heap */
};

/* ---- the world ---- */

struct figures {
  long long events, steps, deliveries, accepted, accepted_again, done, failed, unknown, refused,
      retried, unreached, released, superseded, declined, braked, stopped, offers, claimed, expired,
      by_hand, renewd_kills, renewd_stops, store_kills, clock_steps, suspends, lost, problems,
      doubled, histories, reboots, resumed, cancelled, snoozed, anyway, checked, recovered, paused,
      unpaused, limits, lasting, unlimited, over, tried, cancelled_running;
};

struct world {
  struct ck_random random;
  uint64_t seed;
  int conversations_n, targets_n;
  long long deliveries_wanted;
  bool ending; /* no more faults, and nothing new */
  int64_t ending_at;
  int64_t boot, offset;
  int64_t started;    /* boot: when the machine was started last */
  unsigned steps;     /* of the wall clock so far */
  int64_t stepped_at; /* boot, of the last one */
  struct ck_heap events;
  struct conversation *c;
  struct job *j;
  int jobs, jobs_room;
  struct message *m;
  int messages, messages_room;
  struct target *t;
  struct account *a;
  int accounts_n;
  struct renew_index names; /* of the jobs */
  struct figures n;
  unsigned runs;            /* of renewd, before this world */
  int64_t disasters[KINDS]; /* that came right after such an event */
  uint64_t hash;            /* of everything that happened */
  void *trace;              /* FILE; NULL: nobody reads it */
};
extern struct world world;

/* world.boot goes on through all starts of the machine; its own clock counts from the last one. */
static inline struct renew_now now(void) {
  return (struct renew_now){world.boot + world.offset, world.boot - world.started};
}
static inline int64_t chance(int64_t most) { return ck_random_upto(&world.random, most); }
static inline bool one_in(int64_t n) { return chance(n - 1) == 0; }

/* A wait from now on; by: what sets it, as renewd.knows, 0: another. */
static inline struct wait sim_wait(int64_t ms, unsigned by) {
  return (struct wait){world.boot + ms, world.boot + ms, false, ms, now().wall, by};
}

/* ---- events.c ---- */

/* Plans an event in so many milliseconds, for the caller to complete. */
struct event *sim_add(enum kind kind, int64_t in, int id);
void sim_event_free(struct event *e);
/* The next event; NULL: there is none. */
struct event *sim_take(void);
/* Adds to the trace. */
__attribute__((format(printf, 1, 2))) void sim_note(const char *fmt, ...);
void sim_note_effect(const struct renew_effect *e);
/* The run has failed: says so with the seed, and ends the program with code 1. */
__attribute__((format(printf, 1, 2), noreturn)) void sim_fail(const char *fmt, ...);
#define SIM_CHECK(is, ...) ((is) ? (void)0 : sim_fail(__VA_ARGS__))

/* ---- store.c: the tables, and what they answer ---- */

extern struct store {
  bool up;
  unsigned life;   /* another one after each death */
  int64_t started; /* boot: in which start of the machine it has been up */
  uint64_t version;
  unsigned producer; /* the renewd whose changesets are taken */
  uint64_t last;     /* number of its last changeset; durable */
  uint64_t offers, taken, attempts;
} store;

void sim_conversation_name(char out[24], int id);
void sim_message_name(char out[32], int id);
int sim_conversation_of(struct ck_str name);
int sim_message_of(struct ck_str name);
int sim_job_of(struct ck_str name);
bool sim_repeatable(int target);

/* A row has changed, durably: it gets a version, and renewd is told. */
void sim_conversation_changed(int id);
void sim_message_changed(int id);
void sim_job_changed(int id);
void sim_link_changed(int id);
/* A new message, which becomes the last one; observed_at: wall. */
int sim_new_message(int id, bool assistant, bool live, enum says says, int64_t observed_at);
int sim_new_job(int conversation, int message, bool automatic, int target, int64_t next,
                struct wait wait);
/* Nobody wants the job any more. */
bool sim_is_superseded(const struct job *j);

/* A question about a job, a message or a conversation (-1: none), and its answer. */
struct question {
  struct renew_question q;                 /* its texts are below */
  int job, conversation, message, wait_of; /* wait_of: a job */
  struct renew_answer a;
  char texts[6][40], snapshot[128], payload[64], renewal[128], said[48];
  /* Of the past: what the conversation's owner said. */
  int account;
  int64_t until;
  bool quiet, asks_freely;
  struct renew_job_row *rows;     /* on the heap; NULL: not asked for */
  char cursor[48], next[48];      /* of the page before, and of the one after */
  struct renew_wait_row *waits;   /* as rows; their names are valid up to the next answer */
  struct renew_limit_row *limits; /* as rows */
  int64_t asked_at;
};
/* What the store says now. */
void sim_answer(struct question *q);
/* What the receipt of a claim tells; on the heap. */
struct question *sim_found(int job);
void sim_question_free(struct question *q);
/* pages.c: a page of jobs. */
void sim_page(struct question *q);

/* ---- store_tell.c: mutations, commits, death ---- */

void sim_told(const struct event *e);
void sim_commit(const struct event *e);
/* Of what renewd tells, it is ready to take this run's; its dead run's is not taken any more. */
void sim_store_welcome(unsigned run);
void sim_store_dies(void);
void sim_store_starts(void);
/* What the store keeps of a wait that ends at that wall time, and was told then; 0: now. */
void sim_store_wait(struct wait *w, int64_t until, int64_t told);
/* A claim is granted. */
void sim_lease(int id, struct attempt attempt);
/* An attempt has ended: as `END` says. */
void sim_end(int id, enum renew_outcome outcome, int64_t next, struct wait wait);
void sim_rest(int conversation, int64_t until, struct wait wait);
/* Frees what waits. */
void sim_store_free(void);

/* ---- reboot.c ---- */

/* The machine is down for a while, and its wall clock may show anything then. */
void sim_reboot(void);
/* The store is opened for the first time since: how long it was away it knows by that clock. */
void sim_store_looks(void);

/* ---- renewd.c ---- */

extern struct renewd {
  bool up, connected, stopping;
  unsigned run;
  unsigned knows; /* another number whenever it has forgotten what it knew of waits */
  struct renew_core core;
  struct renew_effects effects;
  uint64_t cursor;
  bool asks_waits;              /* it has asked about waits, and has no answer */
  int64_t waits_at;             /* boot: when it had one, or may ask again */
  int64_t lag;                  /* of the slowest answer about waits since the last connection */
  int64_t began_offset;         /* of the wall clock, when it was told of everything */
  int64_t up_since, calm_since; /* boot; calm: connected, and no disaster since */
  int64_t pauses_at;            /* boot: when it was told of them */
  int unserved;                 /* the target that its settings do not have; -1: none */
  struct telling *head, **tail;
  uint64_t numbers, sent; /* of the tellings; sent: up to this one, by this connection */
  int64_t order[KINDS];   /* boot: when the last message of that kind arrives */
} renewd;

/* An event for renewd, and what follows. */
void sim_step(const struct renew_event *e);
/* A message between renewd and the store, in so many milliseconds at least. */
struct event *sim_between(enum kind kind, int64_t in);

/* ---- follow.c ---- */

/* What the store publishes: row is 'c', 'm', 'j' or 'l'. */
void sim_publish(char row, int id, uint64_t version);
/* What was published since is on its way. */
void sim_feed(void);
/* Up to that version; current: only rows that are so still, as a reader of the database finds them.
 */
void sim_follow(uint64_t upto, bool current);
void sim_follow_all(void);
void sim_follow_begin(void);
void sim_follow_free(void);

/* ---- effects.c ---- */

void sim_do_effect(const struct renew_effect *e);
void sim_send_window(void);
/* The telling with that number; NULL: it has its receipt. */
const struct telling *sim_telling(unsigned run, uint64_t number);
/* found: what the claim found; the event frees it. */
void sim_receipt(unsigned run, uint64_t number, char result, struct question *found);

/* The connection to the store is gone; it may be when the store has refused a claim. */
void sim_disconnect(void);
void sim_refusal_is_on_its_way(void);
void sim_renewd_starts(void);
void sim_renewd_dies(void);
/* An event for renewd. */
void sim_renewd_event(struct event *e);
/* Time has passed; when it has something to do by itself (boot). */
void sim_tick(void);
int64_t sim_wakes(void);
void sim_renewd_free(void);

/* ---- target.c, client.c ---- */

void sim_targets_begin(void);
/* As JSON; empty: it has none. */
void sim_target_payload(char out[64], int target);
/* A delivery begins; in so many milliseconds its result is there. */
void sim_deliver(int job, uint64_t ticket);
void sim_arrives(const struct event *e);
/* A limit that a delivery of the account has met, and renewd does not know yet, comes now. */
void sim_limit_comes(int account);
/* renewd wants that delivery to end. */
void sim_delivery_ends(uint64_t ticket);
/* What is on its way when renewd dies. */
void sim_targets_cut(struct event *e);
void sim_offered(int job);
void sim_client_claims(const struct event *e);
void sim_client_ends(const struct event *e);
/* renewd says that the client's lease has run out; false: it has not. */
bool sim_expires(int job);

/* main.c: the wall clock is stepped by so much. */
void sim_steps_clock(int64_t by);

/* ---- owner.c ---- */

void sim_owner_begins(void);
void sim_life(int conversation);
/* The other side goes on after a delivery. */
void sim_other_side(int conversation);
void sim_answers(int conversation);
void sim_grows(int conversation);
void sim_decides(int job);
/* Just when a job has its turn or is claimed, the owner does something with its conversation. */
void sim_meddles(int conversation);
/* He makes jobs by hand; and some in a conversation whose target has that account. */
void sim_makes(int conversation);
void sim_makes_under(int account);

/* ---- stage.c: what is under way, as it can be seen from outside ---- */

enum stage sim_stage(const struct job *j);
void sim_set_stage(int job, enum stage stage);
/* It waits for this. */
void sim_awaits(int job, uint64_t ticket);
/* Its delivery has a result. */
void sim_stage_resulted(int job);
/* That has come (false: it waits for something else); and afterwards, if the core did nothing more
 * with it. */
bool sim_stage_answered(int job, uint64_t ticket);
void sim_stage_settles(int job, uint64_t head);
/* A row of the job came. */
void sim_stage_told(int job, enum status status);
/* It is over when that version has been followed; and what has been followed. */
void sim_follows(int job, uint64_t version);
void sim_followed(void);
void sim_another_history(int job);
/* The target, as the running renewd uses it. */
struct target *sim_target(int id);
/* Jobs that hold slots; and attempts of others that renewd looks at or ends, with the time at which
 * that was last so. */
int sim_slots(void);
bool sim_recovers(int64_t *last);

/* ---- pauses.c, accounts.c: have headers of their own ---- */

void sim_unpauses(const struct event *e);
void sim_unlimits(const struct event *e);

/* ---- referee.c ---- */

/* What renewd is told; account: as the conversation's owner says. */
void sim_tells_conversation(int id, uint64_t version, enum renew_automation automation, int last,
                            int account, int64_t cooldown_until);
void sim_tells_job(int id, uint64_t version, enum status status, int64_t next, int target);
void sim_tells_message(int conversation, int message);
/* Something may keep the conversation from going on for so many milliseconds. */
void sim_held(int conversation, int64_t ms);
/* The conversation, as the running renewd was told of it. */
struct conversation *sim_told_conversation(int id);
/* What it asks, and what it says. */
void sim_check_judged(int conversation, int message);
void sim_check_put(int conversation, int message, int64_t wait);
void sim_check_claim(int job);
void sim_check_lease(int job);
void sim_check_send(int job);
/* limit: told with it; NULL: none. */
void sim_check_end(int job, const struct telling *t, const struct ck_limit *limit);
/* It is about to get the answer about a conversation's past; or about its link and what its owner
 * says of the account. */
void sim_past_known(const struct question *q);
void sim_account_known(const struct question *q);

/* ---- late.c: what should have been done ---- */

/* By one conversation. */
void sim_check(int conversation);
void sim_check_at_end(void);
/* The message gets a follow-up. */
bool sim_is_entitled(int message);

#endif
