/* The skeleton of a daemon: flags, settings, data folder, one instance, signals, readiness, the
 * loop and the exit codes. A daemon's main.c is a table of these and one call.
 *
 * Flags: --data DIR, --config FILE, --set NAME=VALUE, --help, --version. The working directory
 * becomes the data folder. One instance a data folder and name, by a lock on run/NAME.pid (several
 * for syncd: run/syncd-K.pid). Ready: one line "ready\n" on the file descriptor named by
 * CONVKEEP_READY_FD, or "failed REASON\n" where it cannot start on this folder. SIGTERM and SIGINT:
 * the loop ends after stop() says so, within 4 s. Exit: 0 ended as asked, 1 failed, 2 bad flags or
 * settings, 4 another instance runs.
 */
#ifndef CK_PROTO_DAEMON_H
#define CK_PROTO_DAEMON_H

#include "proto/push.h"
#include "proto/settings.h"
#include <zmq.h>

#define CK_ITEMS_MAX 24

/* What one turn of the loop waits for. */
struct ck_wait {
  zmq_pollitem_t items[CK_ITEMS_MAX];
  int count;
  int64_t until; /* ck_boot_ms() at which to wake up at the latest; INT64_MAX: never */
};
void ck_wait_for(struct ck_wait *w, void *socket, int fd, short events);
void ck_wait_until(struct ck_wait *w, int64_t boot_ms);
void ck_wait_within(struct ck_wait *w, int ms); /* -1: no limit */

struct ck_daemon {
  const char *name;
  bool many; /* several instances a data folder are fine */
  /* Called once, in the data folder, settings read. *self is handed to the others. -1: err says
   * why, exit 1. */
  int (*start)(void **self, const struct ck_settings *s, struct ck_err *err);
  /* Says what to wait for. */
  void (*wait)(void *self, struct ck_wait *w);
  /* Something happened, or the time has come: does what can be done without waiting. -1 ends the
   * process with exit 1 (the reason is logged). */
  int (*turn)(void *self);
  /* True once start() is complete enough to be used; asked after each turn until it says so. */
  bool (*ready)(void *self);
  /* Asked to end: true when there is nothing left that should be finished first. Called after each
   * turn; after 4 s it ends anyway. */
  bool (*stop)(void *self);
  void (*end)(void *self);
  /* What it does instead of all this when words stand behind its flags: once, beside running
   * daemons, without lock, loop and readiness. Gives the exit code. NULL: words are refused. */
  int (*task)(const struct ck_settings *s, int argc, char **argv);
};

/* A task's answer to whoever started it: one line on standard output, at once. */
void ck_task_say(struct ck_str line);

int ck_daemon_main(int argc, char **argv, const struct ck_daemon *d);

/* This process's facts for REPORT. */
const char *ck_hostname(void);
int64_t ck_up_since(void);

/* The data folder by flag (may be NULL), environment and default; copied to the heap. */
char *ck_data_dir(const char *flag);
/* Makes the folder and its run/, logs/, keys/, spool/, artifacts/ with their modes, and enters it.
 */
int ck_data_enter(const char *dir, struct ck_err *err);

#define CK_VERSION_TEXT "0.1.0"

#endif
