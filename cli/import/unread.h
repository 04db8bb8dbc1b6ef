/* What another data folder has accepted and its database has not: it is in the spool only, which
 * import does not read. */
#ifndef CLI_IMPORT_UNREAD_H
#define CLI_IMPORT_UNREAD_H

#include <stdint.h>

/* If the path is a segment of a spool: how many changesets in it have no receipt of that folder's
 * store, as far as it was noted; else 0. dir: where a relative path begins. */
uint64_t cli_unread(int dir, const char *path);

#endif
