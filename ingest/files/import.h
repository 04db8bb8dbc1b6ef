/* The imports in progress. Each is one file that a peer sends in pieces; the tally of its receipts
 * goes back in MORE and IMPORTED. */
#ifndef INGEST_FILES_IMPORT_H
#define INGEST_FILES_IMPORT_H

#include "ingest/files/reading.h"
#include "proto/wire.h"

#define INGEST_IMPORTS_MAX 64

struct ingest_import;

struct ingest_imports {
  struct ingest_readings *readings; /* to which those of the imports go */
  struct ingest_import *head;
  unsigned count;
};

/* A peer opens a file. Its identity is copied. NULL: too many imports are running, err says so. */
struct ingest_import *ingest_import_open(struct ingest_imports *all, struct ck_str peer,
                                         const struct ck_open *open, struct ck_err *err);
/* NULL: the peer has no running import with this request number. */
struct ingest_import *ingest_import_find(struct ingest_imports *all, struct ck_str peer,
                                         uint64_t request);
/* The next piece. A piece out of order ends the import with an error. */
void ingest_import_piece(struct ingest_import *import, uint64_t piece, struct ck_str bytes,
                         bool last);

/* The next attachments, as ingest_import_piece takes the next piece; an import has either.
 * attachments: of ATTACH. */
void ingest_import_attach(struct ingest_import *import, uint64_t piece, struct ck_str attachments,
                          bool last);

/* Tells every import whose last answer is a while ago that it goes on. */
void ingest_imports_tell(struct ingest_imports *all, void *router);
/* Sends what is due: questions about originals; MORE to an import that may send its next piece, and
 * to every import each half second; IMPORTED once every changeset has its receipt. Frees imports
 * that are finished or whose peer is gone. room: the spool is not so full that imports have to wait
 * for the store.
 *
 * away: nobody can say when the store will give receipts. Imports whose peer does not wait for them
 * then go on as long as the disk has room, and end once all is durable.
 *
 * lookup: NULL if the store does not answer now; then all is read without asking. */
void ingest_imports_answer(struct ingest_imports *all, void *router, struct ingest_lookup *lookup,
                           bool room, bool away);
/* ck_boot_ms() by which ingest_imports_answer must be called again; INT64_MAX: no import runs. */
int64_t ingest_imports_until(const struct ingest_imports *all);
void ingest_imports_free(struct ingest_imports *all);

#endif
