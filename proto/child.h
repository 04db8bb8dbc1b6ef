/* What a program that a daemon starts may see of it. */
#ifndef CK_PROTO_CHILD_H
#define CK_PROTO_CHILD_H

/* This process's environment without its secrets (CONVKEEP_D1_TOKEN) and without what is meant for
 * it alone (CONVKEEP_READY_FD). The array is the caller's (free), its strings are the environment's
 * own. */
char **ck_child_env(void);

#endif
