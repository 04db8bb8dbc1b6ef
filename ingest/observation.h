/* What the sources make of their files, and what changeset.c makes a changeset of. All text is
 * borrowed: it lives as long as the call that carries it. */
#ifndef INGEST_OBSERVATION_H
#define INGEST_OBSERVATION_H

#include <jansson.h>
#include "proto/error.h"
#include "proto/records.h"

/* A time that the source does not give. */
#define INGEST_NO_TIME INT64_MIN

struct ingest_execution {
  struct ck_str instruction_id; /* empty: made from what identifies it */
  struct ck_str target, tool;
  struct ck_str params;
  const char *params_kind; /* NULL: none */
  bool ok;
  struct ck_str result, error; /* empty: none */
  struct ck_value http_status;
  int64_t executed_at; /* INGEST_NO_TIME: the observation's */
};

/* One message that was seen, or one execution of a message that was seen before. A value's state
 * says whether the source left the field out or gave null. */
struct ingest_observation {
  struct ck_str platform, role, message_id;
  bool has_text;
  struct ck_str text;
  int64_t observed_at;
  struct ck_value conversation_id, page_url, page_title, client_id, organization_id;
  struct ck_value target_kind, target_id, target_payload;
  const struct ingest_execution *executions;
  size_t execution_count;
  unsigned unknown;     /* names that cli.md does not know */
  struct ck_str raw;    /* the observation as it came, as JSON; empty for exports */
  struct ck_str packed; /* the same as MessagePack, where it came so: raw is made of it when
                           somebody wants it */
};

/* Where a source hands over what it found. */
struct ingest_visitor {
  void *self;
  /* place: where in the file, for people. */
  void (*observation)(void *self, const struct ingest_observation *o, const char *place);
  /* Something that cannot become an observation. raw: the piece of the file, empty where that would
   * not help. */
  void (*failure)(void *self, const char *place, const char *reason, struct ck_str raw);
};

/* Reads an object with the names of docs/cli.md. `arena` holds what must outlive the call, `o`
 * borrows from it and from `object`. -1: err names the field. */
int ingest_observation_read(struct ingest_observation *o, const json_t *object,
                            struct ck_arena *arena, struct ck_err *err);
/* The same of MessagePack, one value that ck_scan has passed; o borrows from it. */
int ingest_observation_unpack(struct ingest_observation *o, struct ck_str packed,
                              struct ck_arena *arena, struct ck_err *err);

#endif
