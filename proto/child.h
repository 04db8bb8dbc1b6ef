/* The environment of a program that a daemon starts: an exec target of renewd, or itself. */
#ifndef CK_PROTO_CHILD_H
#define CK_PROTO_CHILD_H

/* This process's environment without its secrets (CONVKEEP_D1_TOKEN, CONVKEEP_POSTGRES_PASSWORD)
 * and without CONVKEEP_READY_FD, which is meant for this process alone. NULL-terminated. The caller
 * frees the array, but not its strings, which belong to the environment. */
char **ck_child_env(void);
/* The same with the secrets, for this program once more, and for a syncd: with those that open this
 * sink; NULL: all. */
char **ck_own_env(const char *sink);

#endif
