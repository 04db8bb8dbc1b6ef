/* What every test with real processes stands on: a folder of its own, a way to fail that says where
 * to look, waiting with a deadline, and chance with a seed.
 *
 *   T_STORY(suite, name, SECONDS) { … }
 *
 * is a Criterion test whose body runs in a fresh data folder (the working directory) without any
 * CONVKEEP_ variable of the caller's. When it ends well, the ring is stopped, no process, socket or
 * half-written file may be left, and the folder goes. When it fails, the folder stays and is named,
 * with the end of every process's output.
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

/* Ends the test as failed when condition does not hold; the rest is a printf format that says what
 * was expected, of what. */
#define T_CHECK(condition, ...) \
  do { \
    if (!(condition)) T_FAIL(__VA_ARGS__); \
  } while (0)
#define T_FAIL(...) \
  do { \
    t_failing(__VA_ARGS__); \
    cr_assert_fail("%s", t_reason()); \
  } while (0)

/* Looks every 10 ms until condition holds; fails after ms. The rest says what was waited for. */
#define T_UNTIL(ms, condition, ...) \
  do { \
    int64_t t_until_ = ck_boot_ms() + (int64_t)(ms)*T_SLOWER; \
    while (!(condition)) { \
      if (ck_boot_ms() > t_until_) T_FAIL(__VA_ARGS__); \
      t_pause(10); \
    } \
  } while (0)

/* Deadlines are for hangs, not for speed: where the ring's programs are built with a sanitizer,
 * they are so many times longer. */
int t_slower(void);
#define T_SLOWER t_slower()

void t_begin(const char *story);
void t_end(void);
void t_after(void); /* what is left to do when the body did not come to its end */

void t_failing(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
const char *t_reason(void);
bool t_has_failed(void);
/* A line of the test's own on standard error: what was measured, what was left out and why. */
void t_note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Ends the test without a verdict; says why. */
_Noreturn void t_skip(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

const char *
t_folder(void); /* the test's folder: out/ (what processes said), data/ (the working directory) */
const char *t_build(void);  /* $CONVKEEP_BUILD, absolute */
const char *t_root(void);   /* the project */
const char *t_inputs(void); /* other people's files (CONVKEEP_TEST_INPUTS, else ../shared/inputs of
                               the project); NULL where there are none */
bool t_long(void);          /* the long variant is wanted: CONVKEEP_FAULT=long or CONVKEEP_LONG=1 */

unsigned t_kills(void); /* how many kills are wanted: CONVKEEP_TEST_KILLS; 0 where it is not set */

void t_pause(int ms);

/* A setting for everything that is started from now on, and for the test's own half of the doors.
 */
void t_set(const char *name, const char *value);
void t_setf(const char *name, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Files, relative to the data folder. Read: the whole file, terminated, on the heap; NULL when
 * there is none. */
char *t_read_file(const char *path, size_t *size);
void t_write_file(const char *path, const void *bytes, size_t size);
void t_write_text(const char *path, const char *text);
bool t_exists(const char *path);
/* Calls each() for every file below dir (not for folders); returns how many. each may be NULL. */
int t_walk(const char *dir, void (*each)(const char *path, void *self), void *self);
/* The file's lines that are JSON, as an array; a line that is none fails the test. A missing file
 * is no line. The caller decrefs. */
json_t *t_read_lines(const char *path);

/* JSON from a format with ' in place of ". The caller decrefs. */
json_t *t_json(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* The value below a path like "sync.cursor" or "daemons.0.pid"; NULL when it is not there.
 * Borrowed. */
json_t *t_at(json_t *from, const char *path);
int64_t t_int_at(json_t *from, const char *path, int64_t otherwise);
const char *t_text_at(json_t *from, const char *path); /* NULL: not there, or no text */

/* Chance. The seed is CONVKEEP_TEST_SEED, else the clock; it is printed at first use. */
uint64_t t_random(void);
uint64_t t_random_below(uint64_t n);
uint64_t t_seed(void);

#endif
