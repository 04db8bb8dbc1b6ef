/* The base of every test with real processes: a folder of its own, failures that say where to look,
 * waiting with a deadline, files, JSON, and random numbers from a seed.
 *
 *   T_STORY(suite, name, SECONDS) { … }
 *
 * defines a Criterion test whose body runs in a new data folder (the working directory), without
 * the caller's CONVKEEP_ variables. When the body ends, the ring is stopped, and it is a failure if
 * a process, a socket or a half-written file is left; then the folder is removed. After a failure
 * the folder is kept and its path printed, with the end of the output of the last processes.
 */
#ifndef CK_TESTS_HARNESS_BASE_H
#define CK_TESTS_HARNESS_BASE_H

#include <criterion/criterion.h>
#include <jansson.h>
#include "proto/clock.h"
#include "proto/text.h"

#define T_STORY(suite, name, seconds) \
  static void suite##_##name(void); \
  Test(suite, name, .fini = t_after, .timeout = (seconds)*4) { \
    t_begin(#suite "." #name); \
    suite##_##name(); \
    t_end(); \
  } \
  static void suite##_##name(void)

/* Fails the test, and ends it, unless the condition holds. The rest is a printf format and its
 * arguments: what is wrong. */
#define T_CHECK(condition, ...) \
  do { \
    if (!(condition)) T_FAIL(__VA_ARGS__); \
  } while (0)
#define T_FAIL(...) \
  do { \
    t_failing(__VA_ARGS__); \
    cr_assert_fail("%s", t_reason()); \
  } while (0)

/* Checks every 10 ms until the condition holds; fails after ms. The rest: what did not happen. */
#define T_UNTIL(ms, condition, ...) \
  do { \
    int64_t t_until_ = ck_boot_ms() + (int64_t)(ms)*T_SLOWER; \
    while (!(condition)) { \
      if (ck_boot_ms() > t_until_) T_FAIL(__VA_ARGS__); \
      t_pause(10); \
    } \
  } while (0)

/* The factor by which deadlines are longer if the ring's programs are built with a sanitizer:
 * deadlines are there to find hangs, not to measure speed. */
int t_slower(void);
#define T_SLOWER t_slower()
/* ThreadSanitizer's copy of memory is several times as large as what it stands for, so no bound on
 * memory holds with it. */
bool t_tsan(void);

/* Adds an option of AddressSanitizer ("NAME=VALUE") for every process started from now on. */
void t_asan_option(const char *option);

void t_begin(const char *story);
void t_end(void);
void t_after(void); /* cleans up, also after a failure */

void t_failing(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
const char *t_reason(void);
bool t_has_failed(void);
/* Prints a line to standard error: a measurement, or what was left out and why. */
void t_note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Ends the test as skipped, with the reason. */
_Noreturn void t_skip(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Absolute paths. t_folder: the test's folder, with out/ (the output of processes) and data/ (the
 * working directory). t_build: $CONVKEEP_BUILD. t_root: the project. t_inputs: third-party input
 * files, from CONVKEEP_TEST_INPUTS, else ../shared/inputs beside the project; NULL if there are
 * none. */
const char *t_folder(void);
const char *t_build(void);
const char *t_root(void);
const char *t_inputs(void);

bool t_long(void); /* run the long variant: CONVKEEP_FAULT=long or CONVKEEP_LONG=1 */
/* CONVKEEP_TEST_KILLS, CONVKEEP_TEST_DELIVERIES, CONVKEEP_TEST_ROUNDS, CONVKEEP_TEST_MINUTES,
 * CONVKEEP_TEST_FLIPS: how many; 0 if not set. */
unsigned t_kills(void);
unsigned t_deliveries(void);
unsigned t_rounds(void);
unsigned t_minutes(void);
unsigned t_flips(void);

void t_pause(int ms);

/* Sets a setting, by an environment variable, for every process started from now on and for the
 * connections that the test itself opens. */
void t_set(const char *name, const char *value);
void t_setf(const char *name, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Files, relative to the data folder. t_read_file: the whole file with a NUL after it, which the
 * caller frees; NULL if there is none. size may be NULL. */
char *t_read_file(const char *path, size_t *size);
void t_write_file(const char *path, const void *bytes, size_t size);
void t_write_text(const char *path, const char *text);
bool t_exists(const char *path);
/* Calls each() for every file below dir, but not for folders. Returns their number. each may be
 * NULL. */
int t_walk(const char *dir, void (*each)(const char *path, void *self), void *self);
/* The file's lines, parsed as JSON, as an array that the caller decrefs. A line that is not JSON
 * fails the test; a missing file gives an empty array. */
json_t *t_read_lines(const char *path);

/* Formats and parses JSON written with ' instead of ". The caller decrefs. */
json_t *t_json(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* The value at a path like "sync.cursor" or "daemons.0.pid"; NULL if missing. Borrowed. */
json_t *t_at(json_t *from, const char *path);
int64_t t_int_at(json_t *from, const char *path, int64_t otherwise);
const char *t_text_at(json_t *from, const char *path); /* NULL: missing or not text */

/* Random numbers. The seed is CONVKEEP_TEST_SEED, else from the clock; it is printed at first use.
 */
uint64_t t_random(void);
uint64_t t_random_below(uint64_t n);
uint64_t t_seed(void);

#endif
