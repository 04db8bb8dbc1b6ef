/* The sub-commands of `sync` other than status. Each returns the exit code. */
#ifndef CLI_SYNC_SYNC_H
#define CLI_SYNC_SYNC_H

#include "cli/client.h"

/* Run by a separate syncd process (libexec/convkeep/syncd repair|verify|schema|print). mend: repair
 * instead of verify. deep: compare every column. old: the SQL for the predecessor's database. */
int cli_sync_check(struct cli *c, bool mend, bool deep);
int cli_sync_apply(struct cli *c);
int cli_sync_print(struct cli *c, bool old);

/* Has the store send dead letters again: all, or those of the record `key` (if not NULL). */
int cli_sync_retry(struct cli *c, const char *key);

/* Has the store send everything to the mirror once more, and waits, showing progress. adopt: also
 * if its witness does not fit. */
int cli_sync_backfill(struct cli *c, bool adopt);

#endif
