/* What must never be told: looked for on the command lines of all processes while a test goes on,
 * and in everything that the ring wrote and said. */
#ifndef CK_TESTS_HARNESS_SECRET_H
#define CK_TESTS_HARNESS_SECRET_H

/* From now on reads /proc/PID/cmdline of all processes over and over, for either of these. One
 * watch at a time. */
void t_secret_watch(const char *secret, const char *other);
/* Ends it. Fails when one was seen, or when the watch never saw the daemons and the commands of
 * t_secret_ask_all: then it would prove nothing. */
void t_secret_unwatched(void);
/* Fails when one of them stands in a file below the test's folder, whose names these are not (where
 * it belongs; with / a folder; NULL ends them): logs, outputs, databases. */
void t_secret_nowhere(const char *secret, const char *other, const char *const except[]);
/* Runs every command that says something of the mirror, with and without --json; how they end is
 * not looked at. */
void t_secret_ask_all(void);

#endif
