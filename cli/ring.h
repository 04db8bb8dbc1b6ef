/* Supervises the daemons as child processes: starts, watches, restarts and stops them. `up` runs
 * all in the foreground; a command that finds no ring runs only the parts it needs (a store, and an
 * ingest for import or the syncds for backfill) until it ends. There is a syncd for each of
 * sync.sinks.
 *
 *   Start: the store first; once it is ready, the others in parallel.
 *   Stop:  the others first; once they are gone, the store.
 *   A part that dies is restarted after 100 ms, doubling to 5 s; after 10 s of life the delay
 * starts over.
 *
 * Children die with this process (PR_SET_PDEATHSIG) and write to logs/NAME.log. Each has its own
 * process group, so ^C at the terminal reaches only this process.
 */
#ifndef CLI_RING_H
#define CLI_RING_H

#include <poll.h>
#include "cli/cli.h"
#include "proto/places.h"

enum cli_part { CLI_STORE, CLI_INGEST, CLI_RENEWD, CLI_WEBD, CLI_SYNCD, CLI_PARTS };
#define CLI_PART(which) (1u << (which))
extern const char *const cli_part_names[CLI_PARTS];
/* What the part locks (proto/lock.h), so that it runs once on a data folder. NULL for syncd, which
 * may run many times. */
extern const char *const cli_part_places[CLI_PARTS];

/* The daemons of a ring are numbered: one of each part but syncd, then a syncd for each sink. */
#define CLI_DAEMONS_MAX (CLI_SYNCD + CK_SINKS_MAX)
int cli_daemons(const struct ck_settings *s);
enum cli_part cli_daemon_part(int i);
/* The sink that it serves; NULL: it is no syncd. */
const char *cli_daemon_sink(const struct ck_settings *s, int i);
/* "store", or "syncd-d1": how its pid file and up's lines call it. */
#define CLI_LABEL_MAX 24
void cli_daemon_label(const struct ck_settings *s, int i, char out[CLI_LABEL_MAX]);

struct cli_ring;

/* Starts the parts in the mask; the working directory must be the data folder. death_signal: the
 * signal they get when this process dies. signals: the ring also handles SIGINT, SIGTERM and
 * SIGHUP, see cli_ring_asked_to_end. NULL with the reason in err. If possible, call it before
 * creating the first socket. */
struct cli_ring *cli_ring_new(struct cli *c, unsigned parts, int death_signal, bool signals,
                              struct ck_err *err);

/* Fills fds (room for CLI_RING_FDS) with what to poll for. Returns their number. */
#define CLI_RING_FDS (1 + CLI_DAEMONS_MAX)
int cli_ring_fds(const struct cli_ring *r, struct pollfd *fds);
/* Does what is due, without blocking. Call it again when an fd is readable, or after the returned
 * number of milliseconds (-1: no limit). */
int cli_ring_step(struct cli_ring *r);

bool cli_ring_ready(const struct cli_ring *r); /* every part has been ready once */
/* SIGINT, SIGTERM or SIGHUP arrived. */
bool cli_ring_asked_to_end(const struct cli_ring *r);
/* The ring cannot start: a part keeps failing and has never been ready. */
bool cli_ring_failed(const struct cli_ring *r, struct ck_err *err);
/* The store or ingest cannot start because another process runs one on this folder. */
bool cli_ring_elsewhere(const struct cli_ring *r);
/* How often what cli_ring_json says has changed. */
unsigned cli_ring_changes(const struct cli_ring *r);
/* What only the ring knows: {"up": {"pid", "since"}, "parts": {LABEL: {"pid", "since", "ready",
 * "restart_at", "failures", "reason"}}}. Times are wall clock, 0 what is not known or not so. The
 * caller decrefs it. */
json_t *cli_ring_json(const struct cli_ring *r);
/* When daemon number i was last started (ck_now_ms), or 0 if it is not running. */
int64_t cli_ring_started(const struct cli_ring *r, int i);

/* Stops all parts within 5 s, removes what they left in run/, and frees the ring. */
void cli_ring_end(struct cli_ring **r);

/* `up` holds this lock while it runs: the data folder's. */
#define CLI_UP_LOCK "."
#define CLI_UP_PID CK_PLACE_PID("up")

#endif
