/* The names that users have given to threads of Codex, in its database state_N.sqlite. */
#ifndef CLI_IMPORT_FOREIGN_NAMES_H
#define CLI_IMPORT_FOREIGN_NAMES_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/error.h"

/* Writes them to `to`, one a line, as Codex's session_index.jsonl has them. file: a private copy of
 * the database. *is: it is such a database; *count: the lines. 0, or -1 with the reason: it cannot
 * be read, or the file not written. */
int foreign_names_write(const char *file, int to, bool *is, uint64_t *count, struct ck_err *err);

#endif
