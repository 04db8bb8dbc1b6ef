/* What every measurement needs: samples and what is said of them, a data folder of its own on the
 * real disk, daemons as children, and the tables of the report.
 *
 * A measurement is one file with a main(). It writes its part of docs/bench.md, Markdown, to
 * standard output, and what went wrong to standard error (exit 1). A file with a header beside it
 * is shared.
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
void bench_add_all(struct bench_series *into, struct bench_series *from); /* frees `from` */
/* The value below which this share of the samples lies: 0.5 the median, 0 the least, 1 the
 * greatest. Between two samples it is on the line between them, so the median of an even number is
 * the mean of the middle two. Sorts them. 0 when there is none. */
double bench_share(struct bench_series *s, double share);
void bench_free(struct bench_series *s);

int bench_rounds(void); /* BENCH_ROUNDS, else 5 */

/* Text for a cell, valid while one line is printed. "7,120 (6,900 to 7,300)": median and spread;
 * one number without a spread where there is but one sample. */
const char *bench_cell(struct bench_series *s, int decimals);
const char *bench_number(double value, int decimals);
/* A bound and whether it holds: "0.70 at least: kept" or "…: **missed**". Notes it with `what`,
 * which names it without the text around it, for the list at the head of the report (bench/run.sh).
 */
const char *bench_verdict(const char *what, double value, bool at_least, double target,
                          const char *unit);
/* The same of a bound that holds if one of two does; either with bench_verdict and no `what`, which
 * notes nothing. */
void bench_note(const char *what, const char *said, bool kept);

/* ---- the disk ---- */

/* A fresh folder NAME is the working directory now, made ready for daemons. */
void bench_enter(const char *name);
void bench_leave(void); /* puts it aside, large files deleted; the rest is deleted by whoever made
                           CONVKEEP_BENCH_DATA */
void bench_return(const char *name); /* to a folder that was entered before and not left */
/* Settings of that folder, the same during the process's life. */
const struct ck_settings *bench_settings(void);
/* Waits until the disk has nothing left of what went before. */
void bench_calm(void);
/* What the disk alone takes: writes of so many bytes and an fdatasync each, to a file in the
 * working directory, always in the same place or behind the file's end. */
struct bench_probe {
  int fd;
  size_t bytes;
  bool append;
  char *block;
  off_t at;
  struct bench_series us; /* microseconds of each; outlives bench_probe_close, bench_free it */
};
void bench_probe_open(struct bench_probe *p, size_t bytes, bool append);
void bench_probe(struct bench_probe *p);
void bench_probe_close(struct bench_probe *p);
/* Microseconds of one of 4 KiB, without a pause between them. Median of 300. */
double bench_fdatasync(bool append);

/* ---- processes ---- */

/* libexec/convkeep/NAME on the working directory, until it is ready. */
pid_t bench_daemon(const char *name);
/* Any program, found by PATH unless it has a slash; its output goes to the file (NULL: to
 * /dev/null), errors to standard error. It dies with this process. */
pid_t bench_spawn(const char *output, const char *const argv[]);
/* SIGTERM, and its end. */
void bench_stop(pid_t *pid);
/* True once it has ended; *code its exit code. */
bool bench_ended(pid_t pid, int *code);
struct bench_use {
  double cpu_us;  /* processor time */
  double written; /* bytes that it gave to write() */
};
/* What one thread of a process has used. */
struct bench_use bench_use_of(pid_t pid, pid_t thread);
/* What the threads have used that it has now, but those whose names begin with a word of this list,
 * which ends with NULL. */
struct bench_use bench_use_but(pid_t pid, const char *const names[]);
/* b - a, for each of so many. */
struct bench_use bench_use_each(struct bench_use a, struct bench_use b, size_t n);
/* A line of /proc/PID/status ("VmRSS", "VmHWM") in MiB. */
double bench_memory(pid_t pid, const char *line);
/* build/bin/convkeep and its like: a path relative to this program's folder. On the heap. */
char *bench_program(const char *relative);

#endif
