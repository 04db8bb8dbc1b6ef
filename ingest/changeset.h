/* One observation → the mutations of one changeset. Pure: the time is an argument. */
#ifndef INGEST_CHANGESET_H
#define INGEST_CHANGESET_H

#include "ingest/observation.h"

struct ingest_changeset_facts {
  struct ck_str message_id; /* in the arena */
  bool homeless; /* it names a target, but nothing that would reach a conversation: the target is
                    not kept */
};

/* Appends an encoded array of mutations: PUT messages, executions, sessions, local_conversations,
 * conversation_links, as far as there is something to say. 0, or -1: err names the field. */
int ingest_changeset(struct ck_buf *out, const struct ingest_observation *o, int64_t now,
                     struct ck_arena *arena, struct ingest_changeset_facts *facts,
                     struct ck_err *err);

#endif
