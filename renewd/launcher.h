/* The process that runs the commands of renew.exec.NAME. renewd forks it at its start, before it
 * has threads and before it has opened anything; it takes only a NAME and bytes, and makes the
 * command line from the settings itself, so that what renewd may do later does not bind commands,
 * and what becomes of renewd cannot make it run others.
 *
 * A command has a process group of its own, none of renewd's files, and an environment without
 * secrets. When it ends, its group ends with it; when renewd ends, all of them do. */
#ifndef RENEWD_LAUNCHER_H
#define RENEWD_LAUNCHER_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/error.h"
#include "proto/settings.h"

struct renew_launcher;

/* Forks it. The settings are those that it keeps. NULL with the reason. */
struct renew_launcher *renew_launcher_start(const struct ck_settings *s, struct ck_err *err);
/* Ends it, and with it every command that still runs. Sets *l to NULL, which it may be. */
void renew_launcher_end(struct renew_launcher **l);

/* Begins to run renew.exec.NAME; id names the run in what follows. delivery: the letter (target.h);
 * payload: what it says. Both are copied. 0; or -1 with the reason: nothing was begun. */
int renew_launcher_run(struct renew_launcher *l, uint64_t id, const char *name,
                       struct ck_str delivery, struct ck_str payload, struct ck_err *err);
/* Kills the run at once; nothing is said of its end. */
void renew_launcher_kill(struct renew_launcher *l, uint64_t id);
/* The run gets SIGTERM, 2 s later SIGKILL; its end is reported. */
void renew_launcher_cancel(struct renew_launcher *l, uint64_t id);
/* All runs get SIGTERM, and SIGKILL when renew.stop_grace is over. */
void renew_launcher_stop(struct renew_launcher *l);

/* How a run ended. */
enum renew_command_end {
  RENEW_COMMAND_NOT_RUN,   /* `said` is why */
  RENEW_COMMAND_EXITED,    /* code: its exit code */
  RENEW_COMMAND_SIGNALLED, /* code: the signal */
  RENEW_COMMAND_TIMED_OUT, /* its time was over, so it was made to end */
  RENEW_COMMAND_CANCELLED, /* renew_launcher_cancel: it was made to end */
  RENEW_COMMAND_STOPPED    /* renewd stops, so it was made to end */
};
struct renew_launched {
  uint64_t id;
  enum renew_command_end end;
  int code;
  struct ck_str last;    /* the last line of its standard output; of one that is longer than 64 KiB
                            the first 32 bytes */
  bool alone;            /* nothing else is there */
  struct ck_str said;    /* the last line that it printed, on standard error if there is one */
  struct ck_str refusal; /* among the newest 64 KiB of its standard output, the last line of at most
                            4 KiB with "rate_limit_event" in it (program_end.h); empty: none */
  bool never_will;       /* of RENEW_COMMAND_NOT_RUN: trying again would not help */
};
/* The next run that has ended; texts are valid until the next call. False: none has. */
bool renew_launcher_ended(struct renew_launcher *l, struct renew_launched *ended);

/* Readable when renew_launcher_ended has something to say. */
int renew_launcher_fd(const struct renew_launcher *l);
/* The process has ended, which it does not do by itself: no command can be run any more. */
bool renew_launcher_is_lost(const struct renew_launcher *l);

#endif
