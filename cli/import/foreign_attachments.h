/* The attachments that a convkeep database lists (docs/store.md). */
#ifndef CLI_IMPORT_FOREIGN_ATTACHMENTS_H
#define CLI_IMPORT_FOREIGN_ATTACHMENTS_H

#include "cli/import/attach_rows.h"
#include "proto/error.h"

/* Calls row() for each name of each; its texts are valid until it returns, and if that is false,
 * there is no room for more. file: the database, a private copy. *bad: how many rows are none. 0,
 * also if it lists none; -1 with the reason. */
int foreign_attachments_read(const char *file,
                             bool (*row)(void *self, const struct attach_row *row), void *self,
                             uint64_t *bad, struct ck_err *err);

#endif
