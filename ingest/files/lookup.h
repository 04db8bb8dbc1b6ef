/* Asks the store which originals it has (HAVE and HAD). */
#ifndef INGEST_FILES_LOOKUP_H
#define INGEST_FILES_LOOKUP_H

#include "proto/settings.h"
#include "proto/wire.h"
#include <zmq.h>

struct ingest_lookup;

/* s must outlive it. NULL: err says why the door cannot be connected. */
struct ingest_lookup *ingest_lookup_new(const struct ck_settings *s, struct ck_err *err);
void ingest_lookup_free(struct ingest_lookup **lookup);
void *ingest_lookup_socket(struct ingest_lookup *lookup);

/* ids: an encoded array; reader: as in HAVE. Returns the question's number; 0: it cannot be sent.
 */
uint64_t ingest_lookup_ask(struct ingest_lookup *lookup, const char *reader, struct ck_str ids);
/* The next answer that has come: the question's number, and HAD's list, which is empty if the store
 * does not say, and valid until the next call. False: there is none. */
bool ingest_lookup_next(struct ingest_lookup *lookup, uint64_t *number, struct ck_str *had);

#endif
