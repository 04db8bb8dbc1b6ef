/* Turns one observation into the mutations of one changeset. Pure: even the time is an argument.
 * docs/cli.md lists an observation's names, docs/records.md the columns. */
#ifndef INGEST_CHANGESET_H
#define INGEST_CHANGESET_H

#include "ingest/observation.h"

struct ingest_changeset_facts {
  struct ck_str message_id; /* in the arena */
  bool homeless; /* it has a target but no conversation to attach it to: the target is dropped */
};

/* Appends an encoded array of mutations: a PUT for each row the observation has something to say
 * about, in the order messages, executions, sessions, local_conversations, conversation_links.
 * now: milliseconds since the epoch, for an observation without a time. -1: err names the field. */
int ingest_changeset(struct ck_buf *out, const struct ingest_observation *o, int64_t now,
                     struct ck_arena *arena, struct ingest_changeset_facts *facts,
                     struct ck_err *err);

#endif
