/* Checks that secrets do not leak: searches the command lines of all processes while a test runs,
 * and everything that the ring has written. Always two secrets: `secret` and `other`. */
#ifndef CK_TESTS_HARNESS_SECRET_H
#define CK_TESTS_HARNESS_SECRET_H

/* Starts a thread that keeps searching /proc/PID/cmdline of the test's processes for the secrets,
 * which must stay valid. One watch at a time. */
void t_secret_watch(const char *secret, const char *other);
/* Ends the watch. Fails if it saw a secret, or if it did not see the daemons and the commands of
 * t_secret_ask_all, because then it proves nothing. */
void t_secret_unwatched(void);
/* Fails if the environment of a process of the ring, which is up, has a secret (/proc/PID/environ).
 */
void t_secret_in_no_environment(const char *secret, const char *other);
/* Fails if a file in the test's folder (a log, an output, a database) contains a secret. except:
 * the names of files, or of folders with a trailing /, where a secret belongs; NULL ends the list.
 */
void t_secret_nowhere(const char *secret, const char *other, const char *const except[]);
/* Runs every command that prints something about the mirror, with and without --json, whatever
 * their exit codes. */
void t_secret_ask_all(void);

#endif
