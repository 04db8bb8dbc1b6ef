/* One daemon as a child process, and its log file. */
#ifndef CLI_SPAWN_H
#define CLI_SPAWN_H

#include <signal.h>
#include <sys/stat.h>
#include <sys/types.h>
#include "cli/cli.h"

/* The exit code of a child whose program could not be executed. */
#define CLI_SPAWN_FAILED 127

/* The daemon's program: ../libexec/convkeep/NAME beside this one's. Copied to the heap. NULL with
 * the reason. */
char *cli_daemon_path(const char *name, struct ck_err *err);

/* Starts it on c's data folder (the working directory), standard error to logs/NAME.log. *ready: a
 * non-blocking pipe on which one line comes when it is ready or cannot start (proto/daemon.h), and
 * the end when it is gone. mask: the signals that it shall have blocked. The process id, or -1. */
pid_t cli_spawn(const struct cli *c, const char *name, int death_signal, const sigset_t *mask,
                int *ready, struct ck_err *err);

/* Starts the daemon's program for a task (NULL-terminated words), which says what it has to say on
 * *lines: JSON, one object a line. The process id, or -1. */
pid_t cli_spawn_task(const struct cli *c, const char *name, const char *const *words, int *lines,
                     struct ck_err *err);

/* logs/NAME.log for appending; what is longer than 16 MiB is moved to logs/NAME.log.1 first. -1
 * with the reason. */
int cli_log_open(const char *name, struct ck_err *err);

#endif
