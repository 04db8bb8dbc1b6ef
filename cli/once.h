/* `up --once`: is anything left to do, and does it get done? */
#ifndef CLI_ONCE_H
#define CLI_ONCE_H

#include "cli/client.h"

/* How often to call cli_once_look. */
#define CLI_ONCE_LOOK_MS 200

struct cli_once {
  struct cli *c;
  const struct cli_ring *ring;
  void *snapshot; /* the connection to the store */
  /* Boot clock, ms; 0: not so now. */
  int64_t look_at, idle_since, stuck_since;
  int64_t moved_at;       /* when `progress` last changed */
  struct ck_buf progress; /* all the counts that work makes move */
};

/* Looks, if that is due. CLI_DONE if nothing has been left for a while; CLI_FAILED, after reporting
 * what is left, if it cannot be done or nothing of it has moved for a minute; else CLI_GO_ON. */
int cli_once_look(struct cli_once *o);
void cli_once_end(struct cli_once *o);

#endif
