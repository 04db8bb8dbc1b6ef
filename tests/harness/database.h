/* Reads and checks the ring's files, even while it runs: the database, the mirror and the
 * artifacts. Databases are opened read-only (except by t_sql_run), and closing them checkpoints
 * nothing. */
#ifndef CK_TESTS_HARNESS_DATABASE_H
#define CK_TESTS_HARNESS_DATABASE_H

#include <jansson.h>
#include <stdint.h>

/* The first value of a statement's first row; NULL or no row gives 0. Fails if it cannot be read.
 */
int64_t t_sql_int(const char *file, const char *sql);
/* A statement's rows as an array of objects that the caller decrefs. */
json_t *t_sql(const char *file, const char *sql);
/* Runs statements on a database, which is created if missing. Fails at the first error. */
void t_sql_run(const char *file, const char *statements);
/* The same, so that pages have the seals that convkeep gives them (proto/sqlite_pages.h). */
void t_sql_run_sealed(const char *file, const char *statements);
/* The row with this key in one of the six tables of artifact.db, as an object that the caller
 * decrefs; NULL if there is none. */
json_t *t_record(const char *table, const char *key);
/* The number of rows of a table in artifact.db. */
int64_t t_count(const char *table);

/* The first difference between two databases in the six tables, comparing every column and the
 * version; the caller frees it. NULL if there is none. */
char *t_difference(const char *one, const char *other);

/* Fails unless integrity_check and foreign_key_check pass, and the versions of the records are
 * distinct and none is above the head. */
void t_check_database(const char *file);
/* Fails unless the mirror is the same as the database (t_difference). */
void t_check_mirror(const char *file, const char *mirror);
/* Fails unless the readable files, in the form that the settings say, agree with the database and
 * there are no others: a .md and a .json for each conversation; or a .txt and a .json for each
 * message, execution and session, and session/latest.*. */
void t_check_artifacts(const char *file);

#endif
