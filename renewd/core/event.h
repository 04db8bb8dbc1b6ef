/* What happens to renewd, as the core is told it. All texts are borrowed, and valid during the
 * step. Pure. */
#ifndef RENEWD_CORE_EVENT_H
#define RENEWD_CORE_EVENT_H

#include "proto/records.h"
#include "renewd/core/due.h"
#include "renewd/core/limits.h"
#include "renewd/core/pause.h"
#include "renewd/core/stop.h"
#include "renewd/core/target.h"

/* Both clocks. Wall: milliseconds since the Unix epoch. Boot: milliseconds of CLOCK_BOOTTIME. */
struct renew_now {
  int64_t wall, boot; /* ck_now_ms(), ck_boot_ms() */
};

/* ---- questions to the store, and the facts in its answers ---- */

/* The parts of a question, a bit mask; the key of each is in parentheses. */
enum renew_part {
  RENEW_ABOUT_MESSAGE = 1 << 0,        /* (message) */
  RENEW_ABOUT_CONVERSATION = 1 << 1,   /* (conversation) */
  RENEW_ABOUT_AUTOMATION = 1 << 2,     /* since when it is on auto (conversation) */
  RENEW_ABOUT_JOB_OF_MESSAGE = 1 << 3, /* (message) */
  RENEW_ABOUT_LINK = 1 << 4,           /* the active one that was observed last (conversation) */
  RENEW_ABOUT_PAST = 1 << 5,           /* what may stop it (conversation, message, rules) */
  RENEW_ABOUT_LEASE = 1 << 6,          /* (job) */
  RENEW_ABOUT_UNREACHED = 1 << 7,      /* (job) */
  RENEW_ABOUT_JOB = 1 << 8,            /* (job) */
  RENEW_ABOUT_OFFERS = 1 << 9,         /* jobs that are offered (cursor) */
  RENEW_ABOUT_LIMITS = 1 << 10,        /* limits of accounts, by name (cursor) */
  RENEW_ABOUT_DOUBTS = 1 << 11,        /* a page of what may tell unknown ends (page) */
  RENEW_ABOUT_UPCOMING = 1 << 12,      /* jobs by hand that were not tried (since, cursor) */
  RENEW_ABOUT_BEGUN = 1 << 13,         /* jobs of the newest attempts (cursor) */
  RENEW_ABOUT_WAITS = 1 << 14          /* the wait of a job or conversation (job or
                                          conversation), or a page of those that last (number) */
};
#define RENEW_PARTS 15

struct renew_question {
  unsigned parts;
  struct ck_str job_id, conversation_id, message_id;
  const struct renew_stop_rules *rules; /* NULL: none is asked about */
  uint64_t page;                        /* from 0 */
  uint64_t number;                      /* the first that is asked for */
  int64_t since;                        /* wall: what is due since then */
  struct ck_str cursor;                 /* of the page before; empty: from the first on */
};

/* How many rows a page by number has; one with fewer is the last. */
#define RENEW_PAGE 200

/* The lease of a job. */
struct renew_lease {
  bool running;         /* it is there, and in that state */
  bool unknown;         /* it is there, and in that state */
  struct ck_str token;  /* empty: a client's, which is told to nobody */
  struct ck_str client; /* empty: it is a renewd's */
  int64_t attempt;
  int64_t left; /* milliseconds until it runs out; only a client's does */
};

/* A job's row in the store. */
struct renew_row {
  uint64_t head; /* the store's version when it was read */
  struct ck_str conversation_id, message_id, payload, payload_kind, snapshot;
  int64_t attempt_count, max_attempts;
};

/* A deadline in a row, and how long it is until then: the wall clock may have been stepped since.
 */
struct renew_wait_row {
  uint64_t number;
  bool of_job;      /* else of a conversation */
  struct ck_str id; /* of that */
  int64_t until;    /* wall; the deadline that it is about */
  bool calendar;    /* it is not a wait, but a calendar time */
  int64_t left;     /* milliseconds */
};

/* An attempt whose end is unknown, and the newest of what may tell it. */
struct renew_doubt {
  struct ck_str job_id;
  int64_t said;     /* the version of the conversation's newest message; 0: none since its claim */
  int64_t captured; /* wall: up to when a source has told all of the conversation; 0: none has */
};

/* Without payload. */
struct renew_job_row {
  uint64_t version;
  struct ck_row row;
  int64_t age; /* BEGUN: of the attempt, in milliseconds */
};

/* Of what was not asked about, or is not there, the facts are 0. */
struct renew_answer {
  const char *problem; /* NULL; or why the store did not answer some part */
  uint64_t head;       /* the greatest of its versions when the parts were read */
  struct renew_facts facts;
  bool paused, manual; /* the conversation */
  struct ck_str last_message_id;
  struct ck_str renewal;        /* what the conversation's owner says of its follow-ups */
  struct ck_str title;          /* of the conversation */
  struct ck_str text;           /* of the message */
  struct renew_refusal refusal; /* likewise */
  int64_t delivered;            /* follow-ups of the conversation */
  bool has_link;
  struct renew_link link;
  struct renew_past past;
  struct renew_lease lease;
  int64_t unreached, unreached_age; /* as in struct renew_count */
  struct renew_row job;
  const struct renew_limit_row *limits;
  const struct renew_doubt *doubts;
  const struct renew_wait_row *waits;
  const struct renew_job_row *jobs;
  size_t n;             /* of the page */
  struct ck_str cursor; /* of jobs and limits: for the next page; empty: this is the last one */
};

/* ---- events ---- */

enum renew_event_kind {
  RENEW_ROW,       /* a row was followed. Of messages, only rows that are new or change: they tell
                      that a message still grows */
  RENEW_FOLLOWED,  /* all rows up to a version were */
  RENEW_RESET,     /* another history begins: all its rows will come */
  RENEW_CONNECTED, /* the store can be told things, and its rows come as they change */
  RENEW_LOST,      /* not any more */
  RENEW_ANSWER,    /* to a QUERY */
  RENEW_RECEIPT,   /* of a TELL */
  RENEW_RESULT,    /* of a SEND */
  RENEW_PAUSES,    /* all pauses that there are now, instead of those before */
  RENEW_STOP,      /* renewd is to end: nothing is claimed or offered any more */
  RENEW_END,       /* it ends now, whatever is under way */
  RENEW_TICK       /* time has passed */
};

struct renew_event {
  enum renew_event_kind kind;
  uint64_t ticket; /* of ANSWER, RECEIPT, RESULT: that of the effect */
  union {
    const struct ck_row *row;
    struct {
      uint64_t version;
      bool live; /* that is all there is */
    } followed;
    const struct renew_answer *answer;
    struct {
      char result;          /* as in RECEIPT: r is refused, = changed nothing, ? is not known */
      struct ck_str reason; /* of r */
      uint64_t version;     /* whoever has followed up to it has seen what came of it */
      const struct renew_answer *claimed; /* what a CLAIM found: its lease, job and conversation in
                                             its transaction; NULL: it is not said */
    } receipt;
    const struct renew_result *result;
    struct {
      const struct renew_pause_row *rows;
      size_t n;
    } pauses;
  } as;
};

#endif
