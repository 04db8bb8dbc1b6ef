/* The files that the ring leaves, read beside it: the database, the mirror and the artifacts.
 * Everything is opened read-only and checkpoints nothing. */
#ifndef CK_TESTS_HARNESS_DATABASE_H
#define CK_TESTS_HARNESS_DATABASE_H

#include <jansson.h>
#include <stdint.h>

/* One number, from one statement. Fails when it cannot be read; NULL reads as 0. */
int64_t t_sql_int(const char *file, const char *sql);
/* The rows as an array of objects. The caller decrefs. */
json_t *t_sql(const char *file, const char *sql);
/* Runs statements on a database of the test's own, made where there is none; fails at the first
 * error. */
void t_sql_run(const char *file, const char *statements);
/* One row of one of the six tables by key, as an object; NULL when there is none. */
json_t *t_record(const char *table, const char *key);
int64_t t_count(const char *table);

/* NULL, or the first difference between two files in the six tables, every column and the version
 * (on the heap). */
char *t_difference(const char *one, const char *other);

/* integrity_check, foreign_key_check; the versions of the records are distinct and none is above
 * the head. */
void t_check_database(const char *file);
void t_check_mirror(const char *file, const char *mirror);
/* A .txt and a .json for each message, execution and session, saying what the record says, and no
 * other file but session/latest.*. */
void t_check_artifacts(const char *file);

#endif
