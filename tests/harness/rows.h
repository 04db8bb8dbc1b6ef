/* The rows that an import gives, so that what another way gave can be compared with them. */
#ifndef CK_TESTS_HARNESS_ROWS_H
#define CK_TESTS_HARNESS_ROWS_H

#include <jansson.h>

/* All that a source says in the database's rows: not what the store counts and clocks, nor which
 * piece of a file a row came from. The caller decrefs. */
json_t *t_rows(const char *file);
/* Waits until the rows of artifact.db are these; after ms it fails with the first difference. */
void t_wait_rows(const json_t *expected, int ms);

#endif
