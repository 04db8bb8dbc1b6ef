/* What every measurement needs: samples and what is said of them, a data folder of its own on the real disk, daemons as children, and the tables of the report.
 *
 * A measurement is one file with a main(). It writes its part of docs/bench.md, Markdown, to standard output, and what went wrong to standard error (exit 1).
 * A file with a header beside it is shared.
 *
 * Environment: CONVKEEP_BENCH_DATA (the folder in which the folders are made), BENCH_ROUNDS.
 */
#ifndef BENCH_COMMON_H
#define BENCH_COMMON_H

#include <sys/types.h>
#include "proto/settings.h"
#include "proto/text.h"

/* Says what and ends the process. Daemons die with it. */
_Noreturn void bench_fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* ---- samples ---- */

struct bench_series {
  double *at;
  size_t n, cap;
  bool sorted;
};
void bench_add(struct bench_series *s, double value);
/* The value below which this share of the samples lies: 0.5 the median, 0 the least, 1 the greatest. 0 when there is none. */
double bench_share(struct bench_series *s, double share);
void bench_free(struct bench_series *s);

int bench_rounds(void); /* BENCH_ROUNDS, else 5 */

/* Text for a cell, valid while one line is printed. "7,120 (6,900 to 7,300)": median and spread; one number without a spread where there is but one sample. */
const char *bench_cell(struct bench_series *s, int decimals);
const char *bench_number(double value, int decimals);
/* "0.70 at least: kept" or "…: **missed**". */
const char *bench_verdict(double value, bool at_least, double target, const char *unit);

/* ---- the disk ---- */

/* A fresh folder NAME of that kind is the working directory now, made ready for daemons. The former one is deleted. */
void bench_enter(const char *name);
void bench_leave(void);              /* deletes it */
void bench_return(const char *name); /* to a folder that was entered before and not left */
/* Settings of that folder, the same during the process's life. */
const struct ck_settings *bench_settings(void);
/* Waits until the disk has nothing left of what went before. */
void bench_calm(void);
/* Microseconds of one fdatasync of 4 KiB: in place, or behind the file's end. Median of 300. */
double bench_fdatasync(bool append, int pause_ms);

/* ---- processes ---- */

/* libexec/convkeep/NAME on the working directory, until it is ready. */
pid_t bench_daemon(const char *name);
/* Any program, found by PATH unless it has a slash; its output goes to the file (NULL: to /dev/null), errors to standard error. It dies with this process. */
pid_t bench_spawn(const char *output, const char *const argv[]);
/* SIGTERM, and its end. */
void bench_stop(pid_t *pid);
/* True once it has ended; *code its exit code. */
bool bench_ended(pid_t pid, int *code);
/* A line of /proc/PID/status ("VmRSS", "VmHWM") in MiB. */
double bench_memory(pid_t pid, const char *line);
/* build/bin/convkeep and its like: a path relative to this program's folder. On the heap. */
char *bench_program(const char *relative);

#endif
