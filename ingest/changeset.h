/* Turns observations into the mutations of changesets: one observation that stands alone into one
 * changeset, the messages of a conversation into few. Pure: even the time is an argument.
 * docs/cli.md lists an observation's names, docs/records.md the columns. */
#ifndef INGEST_CHANGESET_H
#define INGEST_CHANGESET_H

#include "ingest/observation.h"
#include "ingest/route.h"

/* A changeset of many messages is closed before it gets more. */
#define INGEST_CHANGESET_BYTES (256u << 10)
#define INGEST_CHANGESET_MESSAGES 256

struct ingest_moment {
  int64_t told; /* as the source says it; INGEST_NO_TIME: it does not */
  int64_t at;   /* told, else what is assumed */
  bool is_now;  /* at is the clock's: the source does not even let it be assumed */
};

/* A changeset in the making. Zero-initialise; ingest_changeset_free frees it. Between begin and the
 * last close it may become several changesets. */
struct ingest_changeset {
  struct ck_buf out;   /* the encoded array of mutations; whole once it is closed */
  unsigned messages;   /* PUTs of messages in it; kept until the next changeset begins */
  unsigned executions; /* likewise */
  bool cut; /* something of the conversation or of the last row was left out: it is too large */

  /* ---- its own ---- */
  size_t opened;
  uint32_t mutations;
  struct ck_arena context, passing; /* text of the conversation; of one observation */
  bool alone;                       /* one observation */
  bool known;  /* the message is there: rows of executions have only what is said of them now */
  bool to_end; /* the conversation is told to its end, as it was at `age` */
  bool given;  /* the conversation has rows, here or in changesets before */
  int64_t now, age;
  int64_t row_age; /* of a message and its executions */
  struct ck_str original;
  /* The row that was made last and is not kept yet. */
  struct ck_buf row;
  size_t room; /* its most bytes */
  bool row_is_message;
  /* Of the last message. */
  struct ck_str message_id;
  struct ingest_moment time;
  unsigned calls;    /* executions of it so far */
  int64_t called_at; /* what the last of them told; INGEST_NO_TIME: none did */
  unsigned same;     /* how many in a row before it told that, too */
  /* Who and where. */
  bool routed; /* the page's host is known, and route is set */
  struct ingest_route route;
  enum ingest_copies copies;
  struct ck_str platform;
  struct ck_value remote; /* the platform's id of the conversation */
  struct ck_str local;    /* our id of it; empty: the conversation is unknown */
  struct ck_value title, url, client, summary, details, target_kind, target_id, target_payload;
  /* What the rows of conversation and link say of the messages. */
  struct ck_str wanted; /* the id of the last message, if the source says it */
  struct ck_buf last;   /* the id of the last message, as far as it is there */
  int64_t last_at;      /* its time; here and below INGEST_NO_TIME if none was told */
  int64_t created_at, newest_at, seen_at;
  int64_t assumed_at; /* the time of what was told without one */
  /* The session: a run of messages of one day. */
  char day[sizeof "YYYY-MM-DD"]; /* "": none has begun */
  int64_t day_first, day_last, day_at;
};

void ingest_changeset_free(struct ingest_changeset *s);

/* Begins with messages of this conversation, whose text must last until the last close. now:
 * milliseconds since the epoch, for what has no time. original: the id of what they are read from,
 * or empty. */
void ingest_changeset_begin(struct ingest_changeset *s, const struct ingest_conversation *c,
                            struct ck_str original, int64_t now);

/* Makes the PUT of the observation's message; then that of an execution of that message. It is
 * added by ingest_changeset_keep. -1: it cannot be a record, err says why. */
int ingest_changeset_message(struct ingest_changeset *s, const struct ingest_observation *o,
                             struct ck_err *err);
int ingest_changeset_execution(struct ingest_changeset *s, const struct ingest_execution *e,
                               struct ck_err *err);
/* The executions that come next are of this observation's message, which is there. */
void ingest_changeset_known(struct ingest_changeset *s, const struct ingest_observation *o);
/* True if the changeset has to be closed before it can keep what was made last. */
bool ingest_changeset_is_full(const struct ingest_changeset *s);
void ingest_changeset_keep(struct ingest_changeset *s);
/* Adds session, conversation and link: `out` is then whole. last: of this conversation, so it says
 * which message is the last one; a conversation without messages is kept by it alone. False: there
 * is nothing in it. */
bool ingest_changeset_close(struct ingest_changeset *s, bool last);
/* Begins the next changeset of the same conversation. */
void ingest_changeset_next(struct ingest_changeset *s);

struct ingest_changeset_facts {
  struct ck_str message_id; /* valid until the next call */
  bool homeless; /* it has a target but no conversation to attach it to: the target is dropped */
};

/* The changeset of an observation that stands alone, in `out`: a PUT for each row it has something
 * to say about, in the order messages, executions, sessions, local_conversations,
 * conversation_links. age: for an observation without a time, how new it is; 0: unknown, so of two
 * versions of its message or execution the one that stands later in a file is the newer. -1: err
 * names the field. */
int ingest_changeset_alone(struct ingest_changeset *s, const struct ingest_observation *o,
                           struct ck_str original, int64_t now, int64_t age,
                           struct ingest_changeset_facts *facts, struct ck_err *err);

#endif
