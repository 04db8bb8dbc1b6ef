/* The door `observe`: single observations, files, and the question how it goes. */
#ifndef INGEST_DOOR_H
#define INGEST_DOOR_H

#include "ingest/import.h"
#include "proto/settings.h"

struct ingest_door;

/* NULL: err says why. taker and imports are borrowed. info is asked for STATUS: it appends a map.
 */
struct ingest_door *ingest_door_open(const struct ck_settings *s, struct ingest_acceptor *acceptor,
                                     struct ingest_imports *imports,
                                     void (*info)(void *self, struct ck_buf *map), void *self,
                                     struct ck_err *err);
void ingest_door_close(struct ingest_door **door);
void *ingest_door_socket(struct ingest_door *door);

/* Reads what has come, up to a bound. True: there may be more. */
bool ingest_door_read(struct ingest_door *door);
/* Tells those whose observations were read whether they are durable. */
void ingest_door_answer(struct ingest_door *door, bool durable);

#endif
