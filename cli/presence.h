/* Which daemons of the data folder run on this machine, told without the store: from their locks,
 * from the kernel, and from what `up` notes in run/up.json. */
#ifndef CLI_PRESENCE_H
#define CLI_PRESENCE_H

#include "cli/ring.h"

enum cli_life {
  CLI_STOPPED,    /* no process, and nobody is going to start one */
  CLI_RESTARTING, /* no process; `up` starts it again */
  CLI_STARTING,   /* a process that `up` has started, not ready yet */
  CLI_RUNNING,    /* a process */
  CLI_STILL       /* a process that does nothing: a signal has stopped it, or it does not answer */
};

struct cli_process {
  enum cli_life life;
  bool stopped_by_signal;
  pid_t pid;          /* 0: none, or unknown */
  int64_t since;      /* its start, or that of `up`'s last try; wall clock */
  int64_t restart_at; /* CLI_RESTARTING: when `up` starts it; 0: unknown */
  int failures;       /* in a row, without ever being ready in between */
  char reason[256];   /* of the last one; "" if none is known */
};

struct cli_presence {
  const struct ck_settings *settings;
  struct cli_process up, parts[CLI_DAEMONS_MAX]; /* by their numbers in a ring (ring.h) */
  int n;
};

/* Looks. The working directory must be the data folder. Borrows c->settings. */
void cli_presence_look(const struct cli *c, struct cli_presence *p);
/* The daemon's process, for a signal; 0: none of its name has that number here, as when it runs in
 * another container. */
pid_t cli_presence_pid(const struct cli_presence *p, int which);
/* Anything of the ring runs, or `up` is going to start it. */
bool cli_presence_any(const struct cli_presence *p);
/* Notes that the daemon does not answer or report; a process that has just started gets time first.
 */
void cli_presence_still(struct cli_presence *p, int which);

/* Appends the state of the daemon, and what to do about it if something is wrong. */
void cli_presence_text(struct ck_buf *b, const struct cli_presence *p, int which, int64_t now);
/* `ring` in the answer of status (docs/cli.md). The caller decrefs it. */
json_t *cli_presence_json(const struct cli_presence *p);

/* Writes run/up.json; removes it. A note that cannot be written is left out: then the locks tell
 * what there is to tell. */
void cli_presence_note(const struct cli_ring *r);
void cli_presence_forget(void);

#endif
