/* The sub-commands of rebuild. */
#ifndef CLI_REBUILD_H
#define CLI_REBUILD_H

#include "cli/client.h"

/* Reads every original again through ingest, and says what came of it. Returns the exit code. */
int cli_rebuild_messages(struct cli *c);

#endif
