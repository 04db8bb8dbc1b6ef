/* A table of a foreign database: whether it is there as a plain one, and which of its columns are
 * those of a record. */
#ifndef CLI_IMPORT_FOREIGN_TABLE_H
#define CLI_IMPORT_FOREIGN_TABLE_H

#include <sqlite3.h>
#include <stdbool.h>

#include "proto/error.h"
#include "proto/records.h"

struct foreign_table {
  enum ck_table table;
  bool there;  /* a plain table with every column that a record must have */
  char *fault; /* why it is not read, though there is something of that name; or NULL */
  bool has[CK_COLUMNS_MAX]; /* its columns */
  const char *rowid;        /* a name of its rowid, or NULL: it is WITHOUT ROWID */
};

/* SQLite's instructions between two calls of a progress handler. */
#define FOREIGN_STEP 10000

/* Opens the database, a private copy, for reading. What is asked of it ends, with an error, once
 * the command is interrupted. 0, or -1; then *db is NULL. */
int foreign_open(const char *file, sqlite3 **db, struct ck_err *err);

/* Why the last call failed, valid until the next one. */
const char *foreign_why(sqlite3 *db);

/* Whether there is a plain table of that name: 1, or 0; then *is says what it is instead, if there
 * is something ("a view", "a virtual table"), else it is NULL. -1: the schema cannot be read. */
int foreign_is_plain(sqlite3 *db, const char *name, const char **is, struct ck_err *err);

/* Looks at the table. 0, or -1: the schema cannot be read. Free *t in either case. */
int foreign_table_look(sqlite3 *db, enum ck_table table, struct foreign_table *t,
                       struct ck_err *err);
void foreign_table_free(struct foreign_table *t);

/* Prepares a statement for the rows from rowid ?1 on, in that order: the rowid (NULL if it has
 * none), then, if `columns`, those of the record's columns that it has, in their order. NULL with
 * the reason. */
sqlite3_stmt *foreign_table_rows(sqlite3 *db, const struct foreign_table *t, bool columns,
                                 struct ck_err *err);

/* Prepares one of our own statements. NULL with SQLite's reason. */
sqlite3_stmt *foreign_prepare(sqlite3 *db, const char *sql, struct ck_err *err);

#endif
