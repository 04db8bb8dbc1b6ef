/* The imports that are under way: each has its file, its source and its tally. */
#ifndef INGEST_IMPORT_H
#define INGEST_IMPORT_H

#include "ingest/accept.h"
#include "proto/wire.h"

#define INGEST_IMPORTS_MAX 64

struct ingest_import;

struct ingest_imports {
  struct ingest_acceptor *acceptor;
  struct ingest_import *head;
  unsigned count;
};

/* A peer opens a file. NULL: err says why not. The peer's identity is copied. */
struct ingest_import *ingest_import_open(struct ingest_imports *all, struct ck_str peer,
                                         const struct ck_open *open, struct ck_err *err);
/* NULL: there is none such. */
struct ingest_import *ingest_import_find(struct ingest_imports *all, struct ck_str peer,
                                         uint64_t request);
/* The next bytes. A piece that is out of order ends the file with an error. */
void ingest_import_piece(struct ingest_imports *all, struct ingest_import *import, uint64_t piece,
                         struct ck_str bytes, bool last);

/* A number has its receipt. refused_place and reason: with result r. */
void ingest_imports_receipt(struct ingest_imports *all, uint64_t number, char result,
                            struct ck_str refused_place, struct ck_str reason);
void ingest_imports_renumbered(struct ingest_imports *all, uint64_t from, uint64_t by);

/* Says what there is to say: MORE where a piece may come (room), and every half second; IMPORTED
 * where everything has its receipt. Ends imports whose peer has gone. */
void ingest_imports_answer(struct ingest_imports *all, void *router, bool room);
/* ck_boot_ms() at which ingest_imports_answer has something to do at the latest; INT64_MAX: never.
 */
int64_t ingest_imports_until(const struct ingest_imports *all);
void ingest_imports_free(struct ingest_imports *all);

#endif
