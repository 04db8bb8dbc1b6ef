/* What `watch` and `status` print of the folders that ingest follows. */
#ifndef CLI_WATCH_H
#define CLI_WATCH_H

#include "cli/out.h"

/* Appends how it is with one folder: an entry of `watch` in ingest's INFO. */
void cli_watch_text(struct ck_buf *b, const json_t *folder, int64_t now);
/* Lines for a table of two columns: each folder that is there, or that cannot be read. watch: of
 * ingest's INFO; may be NULL. */
void cli_watch_lines(struct cli_table *t, const json_t *watch, int64_t now);
/* Appends "12 MiB". */
void cli_size_text(struct ck_buf *b, uint64_t bytes);

#endif
