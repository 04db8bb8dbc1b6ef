/* The door `observe`, ingest's ROUTER socket. It takes single observations (OBSERVE), files in
 * pieces (OPEN, PIECE), attachments (OPEN, ATTACH) and status queries (STATUS); proto/wire.h
 * describes the messages. */
#ifndef INGEST_FILES_DOOR_H
#define INGEST_FILES_DOOR_H

#include "ingest/files/import.h"
#include "proto/settings.h"

struct ingest_door;

/* What the messages of the door go to. */
struct ingest_door_ops {
  struct ingest_acceptor *acceptor;             /* OBSERVE */
  struct ingest_imports *imports;               /* OPEN, PIECE, ATTACH */
  void (*info)(void *self, struct ck_buf *map); /* STATUS: appends a map */
  void *self;                                   /* of info */
};

/* Binds the door. What ops points to is borrowed. NULL: err says why. */
struct ingest_door *ingest_door_open(const struct ck_settings *s, const struct ingest_door_ops *ops,
                                     struct ck_err *err);
void ingest_door_close(struct ingest_door **door);
void *ingest_door_socket(struct ingest_door *door);

/* Handles the frames that have arrived, up to a fixed number. True: there may be more. */
bool ingest_door_read(struct ingest_door *door);
/* Answers every OBSERVE accepted since the last call: TAKEN if it is durable, else PROBLEM. */
void ingest_door_answer(struct ingest_door *door, bool durable);

#endif
