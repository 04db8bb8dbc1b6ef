/* An observation: what one message, or one execution of a known message, looked like when it was
 * seen. Sources and the door make observations; changeset.c turns each into a changeset. All text
 * is borrowed and lives only as long as the call that carries it. */
#ifndef INGEST_OBSERVATION_H
#define INGEST_OBSERVATION_H

#include <jansson.h>
#include "proto/error.h"
#include "proto/records.h"

/* The time of an observation or execution whose source gives none. */
#define INGEST_NO_TIME INT64_MIN

/* Was a message seen when it was said? As the source is: those of an export or a log are not, one
 * that stands alone is. */
enum ingest_seen { INGEST_SEEN_AS_SOURCE, INGEST_SEEN_LIVE, INGEST_SEEN_LATER };

struct ingest_execution {
  struct ck_str instruction_id; /* empty: changeset.c makes one */
  struct ck_str target, tool;
  struct ck_str params;
  const char *params_kind; /* NULL: none */
  bool no_result;          /* yet: then ok, result, error and http_status say nothing */
  bool ok;
  struct ck_str result, error; /* empty: none */
  struct ck_value http_status;
  int64_t executed_at; /* INGEST_NO_TIME: the observation's */
  int64_t age;         /* how new what is said here is; 0: as the conversation */
};

/* A ck_value's state tells a missing field from null. */
struct ingest_observation {
  struct ck_str platform, role, message_id;
  bool placed;             /* its place in the conversation is known: */
  int64_t position;        /* how many messages are above it */
  struct ck_str parent_id; /* the one above it; may be known without the position. Empty: none */
  struct ck_str details;   /* a JSON object (docs/records.md); empty: none */
  bool has_text;
  struct ck_str text;
  int64_t observed_at;
  bool time_assumed; /* the source says no time: observed_at is that of what stands before it */
  enum ingest_seen seen;
  uint64_t number; /* which one of its file it is, from 1; 0: it is of none */
  struct ck_value conversation_id, page_url, page_title, client_id, organization_id;
  struct ck_value target_kind, target_id, target_payload;
  int64_t age; /* how new what is said of the message is; 0: as the conversation, or its own time */
  const struct ingest_execution *executions;
  size_t execution_count;
  unsigned unknown;     /* number of names that are not in docs/cli.md */
  struct ck_str raw;    /* the observation as it was sent, as JSON; empty for exports */
  struct ck_str packed; /* the observation as MessagePack, if it was sent so; raw is made from it
                           when needed */
};

/* May other conversations of the platform have the same messages, with the same ids? If so, with
 * the same times, too? (COPY in proto/wire.h) */
enum ingest_copies { INGEST_NO_COPIES, INGEST_COPIES_TIMED, INGEST_COPIES };

/* What a source says about a conversation as a whole. */
struct ingest_conversation {
  struct ck_str platform, id; /* the platform's id of it */
  struct ck_str title, summary, url;
  struct ck_str current; /* the id of the message that ends the current branch; empty: unknown */
  struct ck_str details; /* a JSON object (docs/records.md); empty: none */
  int64_t created_at;    /* INGEST_NO_TIME: unknown */
  int64_t age;           /* how new all this is: the source's time of its last change; 0: unknown */
  struct ck_str target_kind, target_id,
      target_payload; /* how it is reached; empty: as the link says */
  bool to_end;        /* all that the conversation had then, up to its end, is told */
  bool partly;        /* its messages come in several originals, which are not of it alone */
  enum ingest_copies copies;
};

/* Rows of another store, as they stand there; they belong together. */
struct ingest_rows {
  const struct ck_row *rows;
  size_t count;
  struct ck_str platform, conversation; /* the platform's id of it; empty: unknown */
};

/* Receives what a source finds in a file. Observations between begin and end are messages of that
 * conversation; an observation of JSON lines stands alone, without them. */
struct ingest_visitor {
  void *self;
  void (*begin)(void *self, const struct ingest_conversation *c, const char *place);
  void (*end)(void *self);
  /* place: where in the file, for people. */
  void (*observation)(void *self, const struct ingest_observation *o, const char *place);
  /* A piece of the file that cannot become an observation. raw: its bytes; empty if they would not
   * help. */
  void (*failure)(void *self, const char *place, const char *reason, struct ck_str raw);
  /* Something that went in, n times, and that the report counts by its kind: "tool call without a
   * result". */
  void (*note)(void *self, const char *kind, uint64_t n);
  /* Rows to be adopted: never between begin and end. */
  void (*rows)(void *self, const struct ingest_rows *rows, const char *place);
};

/* Reads an object with the names of docs/cli.md. o borrows from `object`, and from `arena`, which
 * holds converted values. -1: err names the field. */
int ingest_observation_read(struct ingest_observation *o, const json_t *object,
                            struct ck_arena *arena, struct ck_err *err);
/* The same for MessagePack: exactly one value, already checked by ck_scan. o borrows from it. */
int ingest_observation_unpack(struct ingest_observation *o, struct ck_str packed,
                              struct ck_arena *arena, struct ck_err *err);

#endif
