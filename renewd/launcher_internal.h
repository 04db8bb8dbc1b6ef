/* What renewd and the launcher say to each other: a datagram each, over a pair of sockets.
 *
 *   renewd ──► RUN id name, with a file: the delivery, then the payload
 *              CANCEL id · KILL id · STOP
 *   renewd ◄── END id, with the last lines of the output
 */
#ifndef RENEWD_LAUNCHER_INTERNAL_H
#define RENEWD_LAUNCHER_INTERNAL_H

#include "renewd/launcher.h"

#define LAUNCH_NAME_MAX 256
#define LAUNCH_OUT_MAX (64u << 10) /* bytes of the newest standard output that are kept */
#define LAUNCH_ERR_MAX 4096        /* likewise of standard error */

enum launch_what { LAUNCH_RUN, LAUNCH_CANCEL, LAUNCH_KILL, LAUNCH_STOP };

struct launch_request {
  uint64_t id;
  enum launch_what what;
  size_t delivery_bytes, payload_bytes; /* of RUN */
  char name[LAUNCH_NAME_MAX];           /* of RUN, terminated */
};

/* After it come `last`, `said` and `refusal`. */
struct launch_report {
  uint64_t id;
  enum renew_command_end end;
  int code;
  bool never_will, alone;
  size_t last_bytes, said_bytes, refusal_bytes;
};
#define LAUNCH_REPORT_MAX (sizeof(struct launch_report) + LAUNCH_OUT_MAX + 2 * LAUNCH_ERR_MAX)

/* ---- launcher_loop.c: the life of the launcher ---- */

/* Runs until the other end of the socket is closed. */
__attribute__((noreturn)) void launcher_loop(const struct ck_settings *s, int socket);

/* ---- launcher_child.c ---- */

/* A command that runs. */
struct launch_child {
  int pid;
  int pidfd, out, err; /* out, err: nonblocking */
};

/* Starts the command of renew.exec.NAME. 0; or -1 with why it does not run, and *never_will is set
 * if that will stay so. */
int launch_child_start(struct launch_child *c, const struct ck_exec *exec, struct ck_str delivery,
                       struct ck_str payload, bool *never_will, struct ck_err *err);

#endif
