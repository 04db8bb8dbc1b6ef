/* What a person is told of: conversations and jobs that go on only if somebody does something. Each
 * is told once until it has changed; one message a minute at most has all that has come. Pure. */
#ifndef RENEWD_CORE_NOTICES_H
#define RENEWD_CORE_NOTICES_H

#include <stdbool.h>
#include <stdint.h>

#include "renewd/core/index.h"

#define RENEW_NOTICES_APART_MS 60000
#define RENEW_NOTICES_AWAY_MS 900000 /* how long a client may leave an offer */
#define RENEW_NOTICES_MISSED 3       /* looks after which a state is over */
#define RENEW_NOTICES_AT_ONCE 100    /* in a message; all are counted */

struct renew_notice {
  struct renew_node node; /* its id: kind, subject, digest, and the job of a state, which has no
                             reason if it is an account's; first */
  char *kind, *subject;   /* the conversation that it is about, or the account */
  char *job_id;           /* empty: no job's */
  char *reason;           /* may be a target's words: NULL once it is told */
  char digest[33];        /* of the reason: by this it is known again */
  int64_t at;             /* wall: since when */
  int64_t tell_at;        /* boot: not before */
  bool told, sending;     /* sending: it is in the message under way */
  bool stands;            /* it is a state, which is over when looks do not see it any more */
  unsigned missed;        /* looks in a row that did not see it */
};

/* Zero-initialise. */
struct renew_notices {
  struct renew_index all;
  int64_t next_at; /* boot: no message before */
  bool sending;
};

/* An attempt ended so: unknown or failed. */
void renew_notices_happened(struct renew_notices *n, const char *kind, struct ck_str conversation,
                            struct ck_str job, struct ck_str reason, int64_t at);
/* A delivery of the conversation has arrived: what happens next is news. */
void renew_notices_arrived(struct renew_notices *n, struct ck_str conversation);
/* At this look it is so, for `wait` ms before it is told. After a look, sweep. */
void renew_notices_stands(struct renew_notices *n, const char *kind, struct ck_str subject,
                          struct ck_str job, struct ck_str reason, int64_t wall, int64_t tell_at);
/* hidden: something else, such as a pause, hides whether a state stands: what was told is not over
 * then. True: something is over that was told. */
typedef bool renew_notices_hidden(const void *self, const struct renew_notice *notice);
bool renew_notices_sweep(struct renew_notices *n, renew_notices_hidden *hidden, const void *self);
/* It was told before, by another run. digest: its reason's. */
void renew_notices_told(struct renew_notices *n, const char *kind, struct ck_str subject,
                        struct ck_str job, struct ck_str digest, bool stands);
/* The job was forgotten at that wall time; or a message was (an empty id), of whichever
 * conversation: the reasons of what happened before may tell of it. True: something has changed. */
bool renew_notices_forget(struct renew_notices *n, struct ck_str job, int64_t at);
/* The last message of another run was at that wall time. */
void renew_notices_said_at(struct renew_notices *n, int64_t at, int64_t wall, int64_t boot);

/* How many are to be told now; 0: none, or it is too early. */
size_t renew_notices_due(struct renew_notices *n, int64_t boot);
/* The message under way has arrived, or has not: then it is sent again a minute later. */
void renew_notices_sent(struct renew_notices *n, bool arrived, int64_t boot);
void renew_notices_free(struct renew_notices *n);

#endif
