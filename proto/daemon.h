/* The skeleton that all daemons share: flags, settings, data folder, one instance, signals, the
 * loop, readiness, exit codes. A daemon fills a struct ck_daemon and calls ck_daemon_main.
 *
 *   flags      --data DIR, --config FILE, --set NAME=VALUE (any number), --help, --version
 *   folder     the working directory becomes the data folder
 *   instance   one for each file or folder that the daemon locks (proto/lock.h); it ends when that
 *              has lost its name, or when one of its doors has. run/NAME.pid has its pid. One that
 *              locks nothing may run many times; each has a number and a file run/NAME-K.pid, or
 *              run/NAME-WORD-K.pid
 *   readiness  the line "ready\n" on the file descriptor that CONVKEEP_READY_FD names, or
 *              "failed REASON\n" when it ends for a reason that its starter should know
 *   again      SIGHUP reads the settings again, for a daemon that wants that
 *   stopping   after SIGTERM or SIGINT the loop ends once stop() agrees, at the latest after 4 s,
 *              or a second after stop_ms()
 *   exit       0 stopped as asked, 1 failed, 2 bad flags or settings, 4 another instance runs,
 *              5 it must not be started again before a person has looked
 *
 * The loop:  turn() ─► ready() until it says so ─► stop() once asked ─► wait() and poll ─► again
 */
#ifndef CK_PROTO_DAEMON_H
#define CK_PROTO_DAEMON_H

#include "proto/check.h"
#include "proto/lock.h"
#include "proto/settings.h"
#include <zmq.h>

#define CK_ITEMS_MAX 24

/* What the loop waits for until the next turn. */
struct ck_wait {
  zmq_pollitem_t items[CK_ITEMS_MAX];
  int count;
  int64_t until; /* ck_boot_ms() at which to wake up at the latest; INT64_MAX: no limit */
};
/* Adds a socket, or a file descriptor when socket is NULL; events as for zmq_poll. At most
 * CK_ITEMS_MAX; more are ignored. */
void ck_wait_for(struct ck_wait *w, void *socket, int fd, short events);
/* Wakes up at that ck_boot_ms(), or earlier. */
void ck_wait_until(struct ck_wait *w, int64_t boot_ms);
/* Wakes up within CK_LAZY_MS after that ck_boot_ms(): what wakes the loop anyway comes first, as
 * the store's heartbeat does (every 200 ms). */
void ck_wait_lazily(struct ck_wait *w, int64_t boot_ms);
#define CK_LAZY_MS 250
/* Wakes up in so many milliseconds, or earlier. -1: no limit. */
void ck_wait_within(struct ck_wait *w, int ms);

/* What start and turn return for exit 5. */
#define CK_STAY_DOWN (-2)

struct ck_daemon {
  const char *name;
  bool keeps_secrets; /* it opens the mirror: for the others there are none (secrets.h) */
  /* What its start needs besides its doors; NULL: nothing. */
  ck_check_fn *check;
  /* What only one instance may use, relative to the data folder; or both NULL. The lock is taken
   * before start, and ended after end. The daemon itself checks whether a file still has its
   * name. */
  const char *locks_file, *locks_folder;
  /* Of one that may run many times: the word for what this instance serves; NULL: they all serve
   * the same. */
  const char *(*serves)(const struct ck_settings *s);
  /* Called once, in the data folder. s stays valid to the end; *self is passed to the others. -1:
   * err says why; exit 1. CK_STAY_DOWN: likewise; exit 5. */
  int (*start)(void **self, const struct ck_settings *s, struct ck_err *err);
  /* Adds what to wait for. */
  void (*wait)(void *self, struct ck_wait *w);
  /* Does what can be done without waiting, when something is ready or due. -1: exit 1; it has
   * logged the reason itself. CK_STAY_DOWN: exit 5, after ck_daemon_failed. */
  int (*turn)(void *self);
  /* True once the daemon can be used. Called after each turn until then. */
  bool (*ready)(void *self);
  /* Called after each turn once the daemon has been asked to stop: true when nothing is left to be
   * finished first. A second after stop_ms the loop ends anyway. */
  bool (*stop)(void *self);
  /* How long it may take to stop, in milliseconds; NULL: 3 s. */
  int64_t (*stop_ms)(const struct ck_settings *s);
  /* After SIGHUP: the settings as they are now, which are freed after the call. NULL: the signal
   * does nothing. Those that start was given stay valid, and as they were. */
  void (*again)(void *self, const struct ck_settings *s);
  /* Frees self. */
  void (*end)(void *self);
  /* Called instead of all these when there are words after the flags: a task that runs once, beside
   * running daemons, without lock, loop and readiness. Returns the exit code. NULL: words are
   * refused. */
  int (*task)(const struct ck_settings *s, int argc, char **argv);
};

/* Logs why the daemon ends, as an error, and tells the process that has started it. */
void ck_daemon_failed(const char *event, const char *reason);

/* Writes a line of a task's answer to standard output, and flushes it. */
void ck_task_say(struct ck_str line);

/* The whole life of a daemon. Returns the exit code. */
int ck_daemon_main(int argc, char **argv, const struct ck_daemon *d);

/* The flags that this daemon was given, for a command that it runs on the same data folder: --data,
 * --config and --set, with absolute paths; NULL-terminated. The caller frees the array and each
 * word. */
char **ck_daemon_flags(void);

/* The wall time at which ck_daemon_main began, for REPORT; 0 elsewhere. */
int64_t ck_up_since(void);

/* The lock of this daemon's instance; for a file that is to be replaced (ck_lock_replace). */
struct ck_lock *ck_daemon_lock(void);

#define CK_VERSION_TEXT "0.1.0"

#endif
