/* Starts processes for a test. Their output goes to files in the test's folder, they die with the
 * test, and none may be left at its end. ms: a deadline, multiplied by T_SLOWER. */
#ifndef CK_TESTS_HARNESS_PROCESS_H
#define CK_TESTS_HARNESS_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct t_process {
  char name[48];
  pid_t pid;
  bool running;
  int status; /* from waitpid, once it has ended */
  int ready;  /* read end of its CONVKEEP_READY_FD, or -1 */
  char out[512], err[512];
};

/* Starts argv[0]. name: for the names of its output files. input: the file for standard input, NULL
 * for /dev/null. ready: gives it a CONVKEEP_READY_FD. The result is valid until the test ends. */
struct t_process *t_start(const char *name, const char *input, bool ready,
                          const char *const argv[]);
/* Waits for "ready" on the ready descriptor; fails if the process ends first, or after ms. */
void t_wait_ready(struct t_process *p, int ms);
/* True once it has ended. Does not wait. */
bool t_ended(struct t_process *p);
/* Waits for its end; fails after ms. Returns the exit code, or 128 + signal. */
int t_wait_end(struct t_process *p, int ms);
void t_signal(struct t_process *p, int sig);
/* Whether its standard output has a line that is exactly this text, or contains this text. */
bool t_said_line(struct t_process *p, const char *line);
bool t_said(struct t_process *p, const char *part);
bool t_complained(struct t_process *p, const char *part); /* its standard error contains it */

/* The result of a command: its exit code (or 128 + signal) and its output, each with a NUL after
 * it. The caller frees it with t_result_free. */
struct t_result {
  int code;
  char *out, *err;
  size_t out_size, err_size;
};
/* Runs a command to its end; fails after ms. */
struct t_result t_run(const char *name, const char *input, int ms, const char *const argv[]);
void t_result_free(struct t_result *r);

/* Finds processes, other than the test itself, whose working directory or command line is in the
 * test's folder. Stores at most max pids in found; returns their number, which may be greater. */
int t_processes_here(pid_t *found, int max);
/* The most memory that the process has had, in MiB (VmHWM); fails if it is gone. */
long t_memory_mib(pid_t pid);
void t_processes_kill(void); /* kills the processes that this test started, and their children */
void t_processes_tell(void); /* prints the end of their outputs and logs */
/* Fails if a process, a socket or a half-written file is left, or a sanitizer reported an error. */
void t_check_left(void);

#endif
