/* What `sync` has syncd do once: libexec/convkeep/syncd verify|repair|schema. */
#ifndef CLI_SYNC_H
#define CLI_SYNC_H

#include "cli/client.h"

/* Each gives the exit code. */
int cli_sync_check(struct cli *c, bool mend, bool deep);
int cli_sync_apply(struct cli *c);

#endif
