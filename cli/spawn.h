/* Starts one daemon's program as a child process, and opens its log file. ring.h restarts and stops
 * the daemons. */
#ifndef CLI_SPAWN_H
#define CLI_SPAWN_H

#include <signal.h>
#include <sys/stat.h>
#include <sys/types.h>
#include "cli/cli.h"

/* The child's exit code if its program could not be executed. */
#define CLI_SPAWN_FAILED 127

/* The path of the daemon's program: ../libexec/convkeep/NAME, relative to this program's folder.
 * The caller frees it. NULL with the reason in err. */
char *cli_daemon_path(const char *name, struct ck_err *err);

/* Starts a daemon on the data folder (the working directory), standard error to logs/NAME.log.
 * *ready: a non-blocking pipe that delivers one line when the daemon is ready or cannot start
 * (proto/daemon.h), and end of file when it is gone; the caller closes it. sink: the
 * only one of its sync.sinks; NULL: they are as here. mask: the signals that are blocked in the
 * daemon. Returns the process id, or -1 with the reason in err. */
pid_t cli_spawn(const struct cli *c, const char *name, const char *sink, int death_signal,
                const sigset_t *mask, int *ready, struct ck_err *err);

/* Starts the daemon's program for a one-off task; sink: as for cli_spawn; words are its arguments,
 * NULL-terminated. logged: its standard error goes to logs/NAME.log, else to ours. Its output
 * arrives on *lines, one JSON object a line; the caller closes it. Returns the process id, or -1
 * with the reason in err. */
pid_t cli_spawn_task(const struct cli *c, const char *name, const char *sink,
                     const char *const *words, bool logged, int *lines, struct ck_err *err);

/* Opens logs/NAME.log for appending, after renaming it to logs/NAME.log.1 if it exceeds 16 MiB.
 * Returns the descriptor, or -1 with the reason in err. */
int cli_log_open(const char *name, struct ck_err *err);

#endif
