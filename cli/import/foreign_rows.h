/* The rows of a foreign database, one table after another, each table before those that refer to
 * it.
 *
 * The database was written by anybody. It is opened with SQLITE_DBCONFIG_DEFENSIVE, without a
 * trusted schema, triggers, views or extensions; only plain tables are read, by name, in the order
 * of their rowids; no value may have more than a frame has. A progress handler ends what takes for
 * ever. Where pages are damaged, the rows before and after them are read. */
#ifndef CLI_IMPORT_FOREIGN_ROWS_H
#define CLI_IMPORT_FOREIGN_ROWS_H

#include <stdbool.h>

#include "proto/error.h"
#include "proto/records.h"

#define FOREIGN_PLACE 160 /* bytes of a place, terminated */

/* A row as the database has it, in the form of the wire. Its texts are valid during the call. */
struct foreign_row {
  struct ck_row row;    /* columns that are missing or NULL there are left out */
  int64_t age;          /* how new what it says is; 0: unknown */
  struct ck_str remote; /* the remote conversation that it is of; empty: unknown */
  struct ck_str platform;
};

struct foreign_visitor {
  void *self;
  /* place: table, row and key, for people. Not 0: nothing more is read. */
  int (*row)(void *self, const struct foreign_row *row, const char *place);
  /* A row, or some of them, that cannot be read or does not fit. raw: the row as JSON, empty if it
   * cannot be read. */
  void (*failure)(void *self, enum ck_table table, const char *place, const char *reason,
                  struct ck_str raw);
  /* Something that is worth a word and no failure: counted by its text. */
  void (*note)(void *self, const char *text);
  /* Called every now and then while SQLite is at work. Not 0: nothing more is read. */
  int (*wait)(void *self);
};

/* Reads them all from the database file, a private copy. 0: to the end, or as far as it can be
 * read. 1: it has none of the tables. 2: the visitor has ended it. -1: it cannot be read at all.
 * err says why, if it is 1 or -1. */
int foreign_rows_read(const char *file, const struct foreign_visitor *visitor, struct ck_err *err);

#endif
