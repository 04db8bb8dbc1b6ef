/* The core's state: its copy of what the store has (the conversations on auto or paused, and the
 * jobs that are pending or running), and what is under way. It is built from followed rows at every
 * start. Only the core changes it; the daemon may look. Pure.
 *
 * Two clocks. A stored deadline is wall time. One that a person set for a calendar time
 * (`renew --at`, `jobs snooze`) is compared with the wall clock each time, so it follows a step of
 * that clock. A wait (cooldown, backoff) is converted to CLOCK_BOOTTIME when its row arrives, or
 * the store says how much is left of it, so a step neither lengthens nor shortens it.
 */
#ifndef RENEWD_CORE_STATE_H
#define RENEWD_CORE_STATE_H

#include "proto/heap.h"
#include "proto/payload.h"
#include "renewd/core/effect.h"
#include "renewd/core/index.h"
#include "renewd/core/pace.h"
#include "renewd/core/pause.h"
#include "renewd/core/ticket.h"

/* What the core needs of the settings. */
struct renew_settings {
  struct renew_rules rules;
  struct renew_stop_rules stops;
  int64_t delay, spacing, account_spacing; /* milliseconds */
  unsigned account_slots;
  size_t ahead; /* jobs by hand that are held though they are not due yet */
  const char *payload;
  enum ck_payload_kind payload_kind;
  /* Pure functions of the settings: what they say of a target that renewd itself delivers to. */
  const void *self;
  /* 0: something serves it; -1 with what is missing. */
  int (*serves)(const void *self, const struct renew_target *t, struct ck_err *err);
  /* An attempt with an unknown end may be sent again. */
  bool (*repeatable)(const void *self, const struct renew_target *t);
};

/* ---- jobs ---- */

/* As the job's row says; OVER: done, failed, or of a history that was reset. */
enum renew_status { RENEW_PENDING, RENEW_RUNNING, RENEW_OVER };

/* What is under way with a job. job.c has the table of what follows from what. */
enum renew_phase {
  RENEW_WAITS, /* nothing */
  /* One attempt of ours, with a slot of its lane. */
  RENEW_QUERIED,  /* its turn has come: the conversation's past is asked for */
  RENEW_CLAIMING, /* CLAIM has no receipt yet */
  RENEW_LEASING,  /* the lease and what is to be sent are asked for */
  RENEW_SENDING,  /* its channel has it */
  /* With a slot after an attempt of ours; without, of somebody else's. */
  RENEW_ENDING,    /* END has no receipt yet */
  RENEW_FOLLOWING, /* what came of it is not followed yet */
  /* One offer. */
  RENEW_READING,     /* what it is to say is asked for */
  RENEW_OFFERING,    /* OFFER has no receipt yet */
  RENEW_OPEN,        /* the client may claim it */
  RENEW_WITHDRAWING, /* WITHDRAW or CANCEL has no receipt yet */
  /* Somebody else's attempt. */
  RENEW_TAKEN,  /* its client has it, up to a time at which the lease is looked at again */
  RENEW_LOOKING /* whose it is, and how far, is asked for */
};
#define RENEW_PHASES 13

/* Of one attempt of ours, from its claim to its end. */
struct renew_trying {
  char token[33];
  struct renew_count count;
  char *channel;      /* its target's kind; NULL: nothing was sent */
  int64_t started_at; /* boot; 0: nothing was sent */
  bool cancelled;     /* a person ended the job meanwhile: the store knows no end of the attempt */
};

/* The end of a wait on both clocks, as it was when it began: the wall clock may be stepped since.
 */
struct renew_wait {
  int64_t wall, boot; /* wall 0: none */
};

struct renew_conversation;

struct renew_job {
  struct renew_node node; /* its id is job_id; first, so that a node is its job */
  struct renew_conversation *of;
  struct renew_job *next; /* of the same conversation */
  bool automatic;         /* renewd made it, and it may be superseded; a person made the others */
  bool anyway;            /* a person wants it although it is superseded or stopped */
  enum renew_status status;
  enum renew_phase phase;
  struct renew_ticket ticket;   /* what its phase waits for */
  struct renew_ticket proposal; /* a SUPERSEDE or RESOLVE */
  bool in_doubt;           /* the end of its attempt is unknown; said, captured: of those that */
  int64_t said, captured;  /* may tell it (struct renew_doubt), what the last RESOLVE was about */
  struct ck_timer timer;   /* FOLLOWING: a version, among `following`; TAKEN: boot, in `taken` */
  char *account;           /* that its target names (proto/account.h); NULL: none */
  struct renew_lane *lane; /* of its target and account */
  struct renew_lane *slot; /* while it has one: the lane in which its turn came; else NULL */
  bool begun;              /* with a slot: its delivery has begun */
  bool left;               /* with a slot: another delivery may have that, since this one is over;
                              its attempt is ours all the same, until it is followed */
  bool unleased;           /* it runs by its row, but the store has no lease of it */
  struct renew_trying *trying; /* from CLAIMING to SENDING; else NULL */
  int64_t next_attempt_at;     /* wall; RENEW_NEVER: none */
  int64_t due;                 /* boot: next_attempt_at, converted when its row came */
  struct renew_wait told;      /* next_attempt_at, as the last END had it */
  bool calendar;               /* a person has said when: next_attempt_at follows the wall clock */
  uint32_t unsure; /* what next_attempt_at stands for is asked for in this round (waits.c); 0: it
                      is known */
  int64_t hold;    /* boot: not before; after a refusal */
  int64_t created_at;
  int64_t attempt_count;
  bool tried;       /* an attempt of it has begun, charged or not */
  int64_t released; /* how often in a row its target has said that nothing was sent */
  char *client;     /* who delivers it (target.h); NULL: renewd does */
  char *no_target;  /* why nothing can be sent (resolve.h); NULL: it has a target */
  bool upcoming;    /* it counts as held in struct renew_upcoming */
};

/* ---- conversations ---- */

enum renew_automation { RENEW_MANUAL, RENEW_AUTO, RENEW_PAUSED };

/* How far renewd is with the last message of a conversation on auto, which is judged once, when it
 * has been unchanged for `delay`. turn.c has the table. */
enum renew_turn {
  RENEW_QUIET,
  RENEW_UNSETTLED, /* in the heap `unsettled` */
  RENEW_ASSESSED,  /* the facts about it are asked for */
  RENEW_MAKING     /* its job's PUT has no receipt yet */
};
#define RENEW_TURNS 4

/* Whether the link of a conversation is looked for, since a job of it has nowhere to go. */
enum renew_addressing {
  RENEW_ADDRESSED,   /* no */
  RENEW_UNADDRESSED, /* in the queue `unaddressed` */
  RENEW_ADDRESSING   /* the link is asked for */
};

/* Why a conversation's deliveries wait for a person, or for some time to pass: decided by
 * renew_stop (stop.h) from what the store knows, and forgotten with the next row of the
 * conversation, of its last message, or of a job of renewd's that waits. */
struct renew_braked {
  enum renew_brake brake;
  bool all;      /* also jobs by hand */
  bool calendar; /* until is a time of the day: another one after a step of the wall clock */
  int64_t until; /* boot; RENEW_NEVER: until a person lets it go on */
  char *why;
};

struct renew_conversation {
  struct renew_node node;  /* its id is local_conversation_id; first */
  struct ck_timer timer;   /* boot: when its next job may be claimed, but for the lane's pace */
  struct renew_lane *lane; /* the lane of that job, where the timer is; NULL: there is none */
  const struct renew_job *next; /* that job, to compare with only */
  const char *platform; /* one of `platforms`; NULL: not known; that of one on manual is asked for
                           with its past */
  /* The last message; it has been unchanged for `delay` at boot time `settled`. */
  struct renew_node last; /* its id: NULL for none */
  uint64_t last_text;     /* a hash of its text; 0: not known */
  int64_t settled;
  struct ck_timer unsettled;
  struct renew_ticket turn_ticket;
  char *made_for; /* MAKING: the message */

  char *account; /* as its owner says, instead of the jobs'; NULL: nothing. Of one on manual that is
                    asked for with its past, or when the limit of a job's account holds it up */
  int64_t cooldown_until; /* wall, 0 for none */
  int64_t rest;           /* boot: cooldown_until, converted when its row came */
  struct renew_wait told; /* cooldown_until, as the last END had it */
  struct renew_wait made; /* next_attempt_at of the job that was made last */
  struct renew_job *jobs;
  struct renew_braked braked;
  struct renew_conversation *next_touched;
  struct renew_ticket link_ticket;
  struct renew_conversation *next_unaddressed;
  struct renew_conversation *next_asked;
  uint32_t unsure; /* what cooldown_until stands for is asked for, as in struct renew_job */
  /* There may be very many conversations: few bits each. */
  enum renew_automation automation : 4;
  enum renew_turn turn : 4;
  enum renew_decline declined : 8; /* as it was judged */
  enum renew_addressing addressing : 8;
  bool judged : 1;
  bool changed : 1;  /* a row that may end the brake has come since it was last asked about */
  bool calendar : 1; /* its next job waits for a calendar time */
  bool touched : 1;  /* in the queue `touched` */
  bool asked : 1;    /* in the queue of `waits` */
  bool account_known : 1;
  bool account_asked : 1; /* with its link */
};

/* A queue through a member of its conversations. Zero-initialise. */
struct renew_queue {
  struct renew_conversation *head, *tail;
};

/* ---- the whole ---- */

/* Jobs by hand that were not tried yet. upcoming.c has what is held of them. */
#define RENEW_NO_HORIZON INT64_MIN
struct renew_upcoming {
  struct renew_ticket ticket;
  int64_t horizon; /* wall: what is due by then is held; RENEW_NEVER: whatever has a time */
  char *cursor;    /* where the next page begins; NULL: at the horizon */
  size_t held;
  bool ready; /* at some time everything that was due was held */
  int64_t at; /* boot: no page before */
  /* Jobs that were over since a page was asked for, which may have them nevertheless. */
  struct renew_index over;
};

/* Attempts that a former run began. begun.c */
struct renew_begun {
  struct renew_ticket ticket;
  bool loaded;
  size_t news;  /* how many of age 0 there were */
  char *cursor; /* where the next page begins; NULL: at the first */
  int64_t at;   /* boot: not before */
};

/* The offers that a former run made. */
struct renew_offers {
  struct renew_ticket ticket;
  bool loaded;
  char *cursor; /* where the next page begins; NULL: at the first */
  int64_t at;   /* boot: not before */
};

/* An account that has had a limit. limits.c has what follows. */
struct renew_account {
  struct renew_node node; /* its id is its name; first */
  struct renew_limited limit;
  int64_t until; /* boot */
  int64_t known; /* boot: the limit's `at` */
  char *reason;  /* in the target's words */
  char *why;     /* the account, and the reason */
  bool counted;  /* it is not known to be over */
  uint64_t with; /* the ticket of the TELL that LIMIT went along with last; 0: it went alone */
};

/* The limits that the store has. */
struct renew_limits {
  struct renew_ticket ticket;
  bool loaded;
  bool look;       /* a person may have ended one */
  bool more;       /* the next page is to be asked for */
  char *cursor;    /* of that page; NULL: the first one */
  int64_t look_at; /* boot: not before */
};

/* How long what the rows say is to be waited for, which the store knows. waits.c has what follows.
 */
struct renew_waits {
  struct renew_ticket ticket;
  struct renew_queue queue; /* conversations with an unsure row */
  size_t asked;             /* how many they are */
  size_t rows;              /* how many such rows they have, or more */
  bool started;             /* a round has ended since this history began */
  char *one;                /* what is asked for alone; NULL: nothing */
  bool of_job;              /* that is a job */
  bool wanted;     /* a row has come since the last round began that renewd knows too little of */
  uint32_t round;  /* the one that is under way, or was last */
  bool more;       /* it is under way */
  uint64_t number; /* the next one */
  int64_t at;      /* boot: not before */
};

/* Unknown ends, of which the store is asked now and then whether something has come that may tell
 * them. */
struct renew_doubts {
  struct renew_ticket ticket;
  size_t jobs;                /* how many jobs have one */
  uint64_t page;              /* the next one */
  int64_t at, asked_at, wait; /* boot: not before; when it was asked last; how long after that */
};

struct renew_core {
  struct renew_settings set;
  struct ck_random random;
  struct renew_index conversations, jobs;
  struct renew_index lasts;     /* conversations by their last message */
  struct renew_index platforms; /* each by its name */
  struct renew_pace pace;
  struct renew_pauses pauses;
  struct renew_tickets tickets;
  struct ck_heap unsettled; /* conversations, by when their last message has settled */
  struct ck_heap taken;     /* jobs, by when their leases are looked at again */
  struct ck_heap following; /* jobs in FOLLOWING, by that version */
  struct renew_queue touched, unaddressed;
  struct renew_index accounts;
  struct renew_limits limits;
  struct renew_offers offers;
  struct renew_waits waits;
  struct renew_doubts doubts;
  struct renew_upcoming upcoming;
  struct renew_begun begun;

  bool connected, live, stopping;
  bool recovered;   /* this history's rows are all there, and what runs was looked at */
  uint64_t version; /* that has been followed */

  unsigned assessing;     /* conversations in ASSESSED or MAKING */
  unsigned addressing;    /* in ADDRESSING */
  int64_t address_at;     /* boot: the store is asked about no link before that */
  size_t unfinished;      /* jobs with a slot before FOLLOWING */
  size_t recovering;      /* jobs LOOKING, or ENDING without a slot */
  size_t declined;        /* conversations whose last message was declined for a reason that people
                             are told */
  size_t without_address; /* not ADDRESSED */
  size_t calendars;       /* conversations whose next job waits for a calendar time */
  int64_t offset;         /* wall − boot when those were last placed in their lanes */
  int64_t clock_at;       /* boot: when it was last looked whether that has changed */
  struct {
    uint32_t id;
    uint64_t text;
  } seen;               /* hashes of the message whose row came last */
  char last_error[200]; /* for `status` */

  /* Of the step under way. */
  struct renew_now now;
  struct renew_effects *out;
};

#endif
