/* What every measurement needs: samples and their statistics, text for the report, a data folder of
 * its own on the real disk, and daemons as child processes.
 *
 * A measurement is one file with a main(). It prints its part of docs/bench.md, in Markdown, to
 * standard output; on an error it prints the reason to standard error and exits with 1.
 *
 * Environment: CONVKEEP_BENCH_DATA (where the data folders are created), BENCH_ROUNDS.
 */
#ifndef BENCH_COMMON_H
#define BENCH_COMMON_H

#include <jansson.h>
#include <sys/types.h>
#include "proto/settings.h"
#include "proto/text.h"

/* Prints the error and ends the process; its daemons die with it. */
_Noreturn void bench_fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* ---- samples ---- */

struct bench_series {
  double *at;
  size_t n, cap;
  bool sorted;
};
void bench_add(struct bench_series *s, double value);
void bench_add_all(struct bench_series *into, struct bench_series *from); /* and frees `from` */
/* The quantile of this share: 0.5 is the median, 0 the least, 1 the greatest sample. Between two
 * samples it interpolates, so the median of an even number is the mean of the middle two. Sorts the
 * samples. 0 if there are none. */
double bench_share(struct bench_series *s, double share);
void bench_free(struct bench_series *s);

int bench_rounds(void); /* BENCH_ROUNDS, else 5 */

/* Text for a table cell, in a static buffer that only lasts while one line is printed.
 * bench_cell: median and spread, "7,120 (6,900 to 7,300)"; of a single sample, only the number. */
const char *bench_cell(struct bench_series *s, int decimals);
const char *bench_number(double value, int decimals);
/* A bound and whether it holds: "0.70 at least: kept" or "…: **missed**". Notes it for the list
 * of missed bounds at the head of the report (bench/run.sh). what: its name there, understandable
 * by itself; NULL: notes nothing. */
const char *bench_verdict(const char *what, double value, bool at_least, double target,
                          const char *unit);
/* Notes a bound directly, such as one that holds if either of two does; get the text of each from
 * bench_verdict with `what` NULL. */
void bench_note(const char *what, const char *said, bool kept);
/* Notes a comparison that has no bound, but that a reader should see first. */
void bench_tell(const char *what, const char *said);

/* ---- the disk ---- */

/* Creates a new data folder NAME and makes it the working directory. */
void bench_enter(const char *name);
/* Ends its use: renames it and deletes its large files. bench/run.sh deletes the rest at the end.
 */
void bench_leave(void);
/* Makes a folder that was entered before and not left the working directory again. */
void bench_return(const char *name);
/* The settings for such a folder. Loaded once per process. */
const struct ck_settings *bench_settings(void);
/* Waits until everything written before is on the disk. */
void bench_calm(void);
/* What the disk alone takes: writes of `bytes` bytes, each followed by an fdatasync, to a file in
 * the working directory, always at the same place or appended. */
struct bench_probe {
  int fd;
  size_t bytes;
  bool append;
  char *block;
  off_t at;
  struct bench_series us; /* the time of each; free it with bench_free after bench_probe_close */
};
void bench_probe_open(struct bench_probe *p, size_t bytes, bool append);
void bench_probe(struct bench_probe *p);
void bench_probe_close(struct bench_probe *p);
/* The median time in microseconds of 300 such writes of 4 KiB, without pauses. */
double bench_fdatasync(bool append);

/* ---- processes ---- */

/* Starts libexec/convkeep/NAME on the working directory and waits until it is ready. */
pid_t bench_daemon(const char *name);
/* Starts a program, found in PATH unless its name has a slash. Its standard output goes to the file
 * (NULL: /dev/null), its standard error to ours. It dies with this process. */
pid_t bench_spawn(const char *output, const char *const argv[]);
/* Sends SIGTERM and waits for the end. */
void bench_stop(pid_t *pid);
/* Whether it has ended; *code is its exit code. */
bool bench_ended(pid_t pid, int *code);
/* Starts a program as bench_spawn does, and waits for its end. Returns the seconds that it took.
 * Fails if its exit code is not 0. */
double bench_run(const char *output, const char *const argv[]);
/* A port of this machine that nobody has at present. */
unsigned bench_free_port(void);

/* The processor time, of user and system, in seconds: of a process, with its threads that have
 * ended; of all children of this one that have ended and were waited for. */
double bench_cpu(pid_t pid);
double bench_cpu_children(void);
/* How often the process's main thread has waited, in all. */
double bench_waits(pid_t pid);
/* The number that a query of the working directory's artifact.db gives; a program beside asks. */
double bench_sql(const char *query);
/* The same as text; the caller frees it. */
char *bench_sql_text(const char *query);
/* The bytes of this file after `zstd -3`. */
double bench_zstd(const char *file);
struct bench_use {
  double cpu_us;  /* processor time */
  double written; /* bytes passed to write() */
};
/* What one thread of a process has used so far. */
struct bench_use bench_use_of(pid_t pid, pid_t thread);
/* What all current threads of a process have used so far, except those whose names start with a
 * word of the list, which ends with NULL. */
struct bench_use bench_use_but(pid_t pid, const char *const names[]);
/* (b - a) / n */
struct bench_use bench_use_each(struct bench_use a, struct bench_use b, size_t n);
/* A line of /proc/PID/status, such as "VmRSS" or "VmHWM", in MiB. */
double bench_memory(pid_t pid, const char *line);
/* A path relative to this program's folder, such as ../bin/convkeep. The caller frees it. */
char *bench_program(const char *relative);

/* The answer of the command `one`, with an argument or NULL, and --json; the caller decrefs. */
json_t *bench_ask(const char *one, const char *two);

#endif
