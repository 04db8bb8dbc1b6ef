/* The daemons as children: started, watched, restarted, ended. `up` holds all four of them in the foreground; a command that finds no ring
 * holds a store (and an ingest, for import) for its own duration.
 *
 *   start: the store; when it is ready the others, side by side. end: the others; when they are gone the store.
 *   A part that dies is started again after 100 ms, doubling to 5 s, from the beginning after 10 s of life.
 *
 * Children die with this process (PR_SET_PDEATHSIG), write to logs/NAME.log, and are of their own process groups, so that a terminal's ^C comes here only.
 */
#ifndef CLI_RING_H
#define CLI_RING_H

#include <poll.h>
#include "cli/cli.h"

enum cli_part { CLI_STORE, CLI_INGEST, CLI_RENEWD, CLI_SYNCD, CLI_PARTS };
#define CLI_PART(which) (1u << (which))
extern const char *const cli_part_names[CLI_PARTS];

struct cli_ring;

/* Starts the parts of the mask, in the data folder. death_signal: what they get when this process
 * dies. signals: SIGINT, SIGTERM and SIGHUP come to the ring, see cli_ring_asked_to_end. NULL with
 * the reason. Call it before the first socket is made where that is possible. */
struct cli_ring *cli_ring_new(struct cli *c, unsigned parts, int death_signal, bool signals,
                              struct ck_err *err);

/* What to wait for; at most CLI_RING_FDS of them. Returns their number. */
#define CLI_RING_FDS (1 + CLI_PARTS)
int cli_ring_fds(const struct cli_ring *r, struct pollfd *fds);
/* Does what is to be done now, without waiting. Returns the milliseconds after which it has to be
 * called again (-1: only when an fd is readable). */
int cli_ring_step(struct cli_ring *r);

bool cli_ring_ready(const struct cli_ring *r); /* each part has been ready once */
bool cli_ring_asked_to_end(const struct cli_ring *r);
/* The ring cannot come up: a part fails again and again before it was ready once. */
bool cli_ring_failed(const struct cli_ring *r, struct ck_err *err);
/* The store could not start because another process runs one on this folder. */
bool cli_ring_elsewhere(const struct cli_ring *r);
/* When the part was last started (ck_now_ms), 0 while it does not run. */
int64_t cli_ring_started(const struct cli_ring *r, enum cli_part which);

/* Ends all parts within 5 s, and takes away what they left in run/. */
void cli_ring_end(struct cli_ring **r);

/* Held by `up` for as long as it runs. */
#define CLI_UP_LOCK "run/up.pid"

/* Takes it until the process ends or ck_unlock_file. 0: *fd holds it. -1: the reason is in err,
 * also where another process has it. */
int cli_up_lock(int *fd, struct ck_err *err);

#endif
