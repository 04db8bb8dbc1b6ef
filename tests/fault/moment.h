/* What a daemon is doing when it is killed, as the kernel sees its threads. Shows whether the kills
 * of a campaign were as varied as intended. */
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

/* Its name in a report. */
const char *moment_name(enum moment moment);
/* The moment at which the process is now. ready: it has reported that it is ready; if not, the
 * answer is MOMENT_START_UP. A system call that has just begun or ended counts as
 * MOMENT_RUNNING. */
enum moment moment_of(pid_t pid, bool ready);

#endif
