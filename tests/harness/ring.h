/* The ring in the test's data folder: starting, querying, waiting, killing. It uses only documented
 * interfaces: the program `convkeep`, the daemons' flags, the snapshot door, run/NAME.pid.
 */
#ifndef CK_TESTS_HARNESS_RING_H
#define CK_TESTS_HARNESS_RING_H

#include <jansson.h>
#include <signal.h>
#include "proto/settings.h"
#include "tests/harness/process.h"

/* Starts `convkeep up` and waits until it is ready. Returns the milliseconds that took. */
int t_up(void);
struct t_process *t_up_process(void);
/* Stops what t_up (SIGINT) and t_daemon (SIGTERM) started; fails unless each exits with 0 within
 * 5.5 s. Does nothing if nothing is running. */
void t_down(void);

/* Starts one daemon without `up` and waits until it is ready: libexec/convkeep/NAME --data FOLDER,
 * with further arguments (NULL: none). */
struct t_process *t_daemon(const char *name, const char *const more[]);
/* The same without waiting, for a start that should be refused. */
struct t_process *t_daemon_try(const char *name, const char *const more[]);

/* The pid in run/NAME.pid (for "syncd": run/syncd-SINK-0.pid, with the test's first sink, for
 * "syncd-SINK" with that one); 0 if missing, or if the process is gone. */
pid_t t_pid(const char *name);
/* Sends a signal to that daemon; fails if it is not running. SIGSTOP: returns when it stands still.
 * Returns the pid. */
pid_t t_kill(const char *name, int sig);
/* Waits until NAME runs with a pid other than `old` and is listed in the status. */
void t_wait_other(const char *name, pid_t old, int ms);

/* Runs `convkeep` with these arguments on the test's data folder. input: as for t_start. */
#define t_convkeep(...) t_convkeep_words(NULL, (const char *const[]){__VA_ARGS__, NULL})
#define t_convkeep_in(input, ...) t_convkeep_words(input, (const char *const[]){__VA_ARGS__, NULL})
struct t_result t_convkeep_words(const char *input, const char *const words[]);
/* The same; fails unless the exit code is `code`. */
#define t_do(code, ...) t_do_words(code, NULL, (const char *const[]){__VA_ARGS__, NULL})
#define t_do_in(code, input, ...) t_do_words(code, input, (const char *const[]){__VA_ARGS__, NULL})
void t_do_words(int code, const char *input, const char *const words[]);
/* The same with --json: the lines of standard output as an array that the caller decrefs. */
#define t_lines(code, ...) \
  t_lines_words(code, NULL, (const char *const[]){__VA_ARGS__, "--json", NULL})
#define t_lines_in(code, input, ...) \
  t_lines_words(code, input, (const char *const[]){__VA_ARGS__, "--json", NULL})
json_t *t_lines_words(int code, const char *input, const char *const words[]);
/* Runs convkeep with these words. Fails unless it exits with `code` and its output, or its errors,
 * have `part`. */
#define t_says(code, part, ...) t_says_words(code, part, (const char *const[]){__VA_ARGS__, NULL})
void t_says_words(int code, const char *part, const char *const words[]);
/* Imports lines of JSON (a format, with ' instead of ") through `import -`. */
void t_import_lines(int code, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The one line of `import FILE --json`, which the caller decrefs. Fails unless the exit code is
 * `code`. Members: new, updated, unchanged, failed, failures. */
json_t *t_import(int code, const char *file);
/* Imports a file and fails unless the counts are these. */
void t_import_counts(const char *file, int added, int updated, int unchanged, int failed);

/* `import -` with --json, from a pipe that this file comes through. */
struct t_result t_import_pipe(const char *file);

/* Fails unless doctor exits with `code` and has a line with this check and result, and `part` in
 * its text. */
void t_doctor_finds(int code, const char *check, const char *result, const char *part);

/* The snapshot door's answer to STATUS, which the caller decrefs; NULL if none within ms. */
json_t *t_status(int ms);
/* The path of a member of the mirror's: "sync.SINK.MEMBER", with the test's first sink. Valid until
 * the sixteenth call after it. */
const char *t_sync(const char *member);
/* An integer of it, as t_int_at. */
int64_t t_status_int(const char *path, int64_t otherwise);
/* Of the mirror in that sink: the number in status; -1: none. */
int64_t t_mirror_int(const char *sink, const char *member);
/* Is the text in status this one? word NULL: is there none? */
bool t_mirror_says(const char *sink, const char *member, const char *word);
/* Has it every version? */
bool t_mirror_has_all(const char *sink);
/* The k-th entry (from 0) of the daemon NAME in it, or NULL. Borrowed from status. */
json_t *t_daemon_entry(json_t *status, const char *name, int k);

/* Waits until nothing is left to do: the spool is empty, everything is mirrored, the readable files
 * are written. Fails if none of this goes on for ms. */
void t_settle(int ms);
/* t_settle and t_down, with the readable files recorded as durable in artifacts/.cursor, so that
 * the next start does not repair what the test then does to them. */
void t_down_marked(void);
/* t_settle, then fails unless the database is sound and mirror and artifacts agree with it. */
void t_whole(int ms);

/* Makes t_settings read the settings again. */
void t_settings_changed(void);
/* The settings that the ring has, for the test's own connections. */
const struct ck_settings *t_settings(void);
/* Closes the test's own connections to the ring and frees its settings. */
void t_ring_forget(void);

#endif
