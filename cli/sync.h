/* The words of `sync` that are more than a look. */
#ifndef CLI_SYNC_H
#define CLI_SYNC_H

#include "cli/client.h"

/* Each gives the exit code. What syncd does once, libexec/convkeep/syncd
 * verify|repair|schema|print: */
int cli_sync_check(struct cli *c, bool mend, bool deep);
int cli_sync_apply(struct cli *c);
int cli_sync_print(struct cli *c, bool old);

/* What the store does: dead letters again, all or (key not NULL) that record's. */
int cli_sync_retry(struct cli *c, const char *key);

/* … fills the mirror anew, and waits until that is done, with progress. */
int cli_sync_backfill(struct cli *c);

#endif
