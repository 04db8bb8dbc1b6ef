/* What a daemon is at when it is killed, as the kernel sees its threads: so that a campaign can say
 * whether its moments were as random as it meant them. */
#ifndef CK_TESTS_FAULT_MOMENT_H
#define CK_TESTS_FAULT_MOMENT_H

#include <stdbool.h>
#include <sys/types.h>

enum moment {
  MOMENT_START_UP,
  MOMENT_WAL,
  MOMENT_CHECKPOINT,
  MOMENT_SPOOL,
  MOMENT_NEW_SEGMENT,
  MOMENT_WAITING,
  MOMENT_RUNNING,
  MOMENTS
};

/* As a report names it. */
const char *moment_name(enum moment moment);
/* ready: whether it has said so. A call that only just began or ended is taken for running. */
enum moment moment_of(pid_t pid, bool ready);

#endif
