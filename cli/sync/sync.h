/* The sub-commands of `sync` other than status. Each returns the exit code. */
#ifndef CLI_SYNC_SYNC_H
#define CLI_SYNC_SYNC_H

#include "cli/client.h"

/* The sinks that a sub-command is for, in the order of sync.sinks. */
struct cli_sinks {
  const char *at[CK_SINKS_MAX];
  size_t n;
};
/* named: --sink; NULL: it was not given. Then all are meant, or with `one` only one can be. Loads
 * the settings. Returns CLI_GO_ON, or the exit code after reporting which there are. */
int cli_sinks(struct cli *c, const char *named, bool one, struct cli_sinks *sinks);

/* Run by a separate syncd process for each sink, one after the other
 * (libexec/convkeep/syncd repair|verify|schema|show|print). mend: repair instead of verify. deep:
 * compare every column. indexes: the predecessor's other ones, too. apply makes what the mirror's
 * database lacks, show prints it, print prints all of it. */
int cli_sync_check(struct cli *c, const struct cli_sinks *sinks, bool mend, bool deep);
int cli_sync_apply(struct cli *c, const struct cli_sinks *sinks, bool indexes);
int cli_sync_show(struct cli *c, const char *sink, bool indexes);
int cli_sync_print(struct cli *c, const char *sink, bool indexes);

/* Has the store send dead letters again: all, or those of the record `key` (if not NULL). */
int cli_sync_retry(struct cli *c, const struct cli_sinks *sinks, const char *key);

/* Has the store send everything to the mirror once more, and waits, showing progress. adopt: also
 * if its witness does not fit. */
int cli_sync_backfill(struct cli *c, const char *sink, bool adopt);

#endif
