/* What status says of a database that has lost something. */
#ifndef CLI_DAMAGE_LINE_H
#define CLI_DAMAGE_LINE_H

#include "cli/status.h"

/* True if the database is damaged, as far as the store has read it since it started, or was put
 * back or cut short: then nothing is to be made the same as it. */
bool cli_is_damaged(const json_t *info);
/* Adds the lines that say so. */
void cli_damage_line(struct cli_table *t, const json_t *info);

#endif
