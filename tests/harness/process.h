/* Processes that a test starts: their output goes to files in the test's folder, they die with the
 * test, and none may be left. */
#ifndef CK_TESTS_HARNESS_PROCESS_H
#define CK_TESTS_HARNESS_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct t_process {
  char name[48];
  pid_t pid;
  bool running;
  int status; /* as waitpid gives it, once it has ended */
  int ready;  /* read end of its CONVKEEP_READY_FD, or -1 */
  char out[512], err[512];
};

/* input: a file for standard input, NULL for /dev/null. ready: give it a CONVKEEP_READY_FD. Valid
 * until the test's end. */
struct t_process *t_start(const char *name, const char *input, bool ready,
                          const char *const argv[]);
/* Waits for the line on the ready descriptor; fails when it ends before, or after ms. */
void t_wait_ready(struct t_process *p, int ms);
/* True once it has ended. Does not wait. */
bool t_ended(struct t_process *p);
/* Waits for the end; fails after ms. Returns the exit code, or 128 + signal. */
int t_wait_end(struct t_process *p, int ms);
void t_signal(struct t_process *p, int sig);
/* True when the file of its standard output has a line that is exactly this text, or contains it.
 */
bool t_said_line(struct t_process *p, const char *line);
bool t_said(struct t_process *p, const char *part);
bool t_complained(struct t_process *p, const char *part); /* standard error */

/* A command that runs to its end. out and err are terminated and the caller's (t_result_free). */
struct t_result {
  int code;
  char *out, *err;
  size_t out_size, err_size;
};
struct t_result t_run(const char *name, const char *input, int ms, const char *const argv[]);
void t_result_free(struct t_result *r);

/* Processes whose working directory or command line is below the test's folder; pids into found, at
 * most max. The test itself does not count. */
int t_processes_here(pid_t *found, int max);
void t_processes_kill(void); /* everything this test started, and what that left */
void t_processes_tell(void); /* the ends of their outputs, on standard error */
/* Fails when a process, a socket or a half-written file is left. */
void t_check_left(void);

#endif
