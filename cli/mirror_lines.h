/* The lines about the mirrors, of `status` and `sync status`. */
#ifndef CLI_MIRROR_LINES_H
#define CLI_MIRROR_LINES_H

#include "cli/client.h"
#include "cli/out.h"

/* How far each mirror is, its alarm, dead letters and last error; then those that are not used.
 * info: a STATUS answer. only: the mirror in that sink, and nothing of those that are not used;
 * NULL: all. more: called after each one's lines, to add to them; NULL: nothing. */
void cli_mirror_lines(struct cli_table *t, const json_t *info, const char *only,
                      void (*more)(struct cli_table *t, const json_t *info, const char *sink,
                                   const json_t *mirror));

#endif
