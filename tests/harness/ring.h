/* The ring in the test's data folder: start, ask, wait, kill. Everything goes by the documented
 * ways: the program `convkeep`, the daemons' flags, the snapshot door, run/NAME.pid.
 */
#ifndef CK_TESTS_HARNESS_RING_H
#define CK_TESTS_HARNESS_RING_H

#include <jansson.h>
#include <signal.h>
#include "proto/settings.h"
#include "tests/harness/process.h"

/* `convkeep up`, until it says ready. Returns the milliseconds that took. */
int t_up(void);
struct t_process *t_up_process(void);
/* Ends what t_up and t_daemon started (SIGINT, SIGTERM); fails unless each ends with 0 within 5 s.
 * Does nothing when nothing runs. */
void t_down(void);

/* One daemon without `up`: libexec/convkeep/NAME --data FOLDER and these further arguments (NULL:
 * none), until it is ready. */
struct t_process *t_daemon(const char *name, const char *const more[]);
/* The same, not waiting: for a start that is to be refused. */
struct t_process *t_daemon_try(const char *name, const char *const more[]);

/* From run/NAME.pid ("syncd": run/syncd-0.pid); 0 when there is none or that process is gone. */
pid_t t_pid(const char *name);
/* kill(2) by that name; fails when there is none. Returns the pid. */
pid_t t_kill(const char *name, int sig);
/* Waits until NAME runs with another pid than this one and shows up in the status. */
void t_wait_other(const char *name, pid_t old, int ms);

/* `convkeep` with these words; the data folder is set in the environment. */
#define t_convkeep(...) t_convkeep_words(NULL, (const char *const[]){__VA_ARGS__, NULL})
#define t_convkeep_in(input, ...) t_convkeep_words(input, (const char *const[]){__VA_ARGS__, NULL})
struct t_result t_convkeep_words(const char *input, const char *const words[]);
/* Fails unless it ends with this code. */
#define t_do(code, ...) t_do_words(code, NULL, (const char *const[]){__VA_ARGS__, NULL})
#define t_do_in(code, input, ...) t_do_words(code, input, (const char *const[]){__VA_ARGS__, NULL})
void t_do_words(int code, const char *input, const char *const words[]);
/* --json is added; the lines of standard output as an array. The caller decrefs. */
#define t_lines(code, ...) \
  t_lines_words(code, NULL, (const char *const[]){__VA_ARGS__, "--json", NULL})
#define t_lines_in(code, input, ...) \
  t_lines_words(code, input, (const char *const[]){__VA_ARGS__, "--json", NULL})
json_t *t_lines_words(int code, const char *input, const char *const words[]);
/* Sends lines of JSON (a format, ' for ") to `import -`; fails unless it ends with code. */
void t_import_lines(int code, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* `import FILE --json`: its one line. Fails unless it ends with code. The caller decrefs. Members:
 * new, updated, unchanged, failed, failures. */
json_t *t_import(int code, const char *file);
/* …and the four counts are these. */
void t_import_counts(const char *file, int added, int updated, int unchanged, int failed);

/* What the snapshot door answers to STATUS. NULL when nobody answers within ms. The caller decrefs.
 */
json_t *t_status(int ms);
int64_t t_status_int(const char *path, int64_t otherwise);
/* A daemon's entry in it, by name and K (0: the first); NULL. Borrowed from status. */
json_t *t_daemon_entry(json_t *status, const char *name, int k);

/* Waits until nothing is left to do: spool empty, everything mirrored, artifacts written. Fails
 * after ms. */
void t_settle(int ms);
/* t_settle and t_down, with the readable files on the disk for good (artifacts/.cursor): what a
 * test does to them then, no start makes good by itself. */
void t_down_marked(void);
/* t_settle, and then: mirror, artifacts and log say the same as the database. */
void t_whole(int ms);

/* What the test opens towards the ring from now on reads its settings anew. */
void t_settings_changed(void);
const struct ck_settings *t_settings(void);
/* Closes what the test itself has open towards the ring. */
void t_ring_forget(void);

#endif
