/* What keeps a conversation's follow-ups stopped whatever a person says in it, and what helps. */
#ifndef CLI_STAYS_H
#define CLI_STAYS_H

#include "cli/client.h"
#include "proto/error.h"
#include "proto/text.h"

/* True if no resume lets the conversation's automatic follow-ups go on: its end has come, or what
 * is said of its follow-ups cannot be read. row: of local_conversations; now: wall time in
 * milliseconds. Appends to `help` the commands that let them go on, and to `why` the reason; either
 * may be NULL. Otherwise appends nothing. */
bool cli_stays_stopped(const json_t *row, int64_t now, struct ck_buf *why, struct ck_buf *help);
/* Says so on standard error. */
void cli_warn_stopped(const struct cli *c, const json_t *row);

/* What a resume of a conversation that is on auto does, as its answer says it. */
#define CLI_GOES_ON \
  "its last answer goes on whatever it says, and its deliveries in a row count from now on"

#endif
