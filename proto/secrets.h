/* The secrets in the environment, which only syncd needs: the D1 token and the PostgreSQL password.
 * What opens the mirror is read by settings.h (ck_settings_d1_token,
 * ck_settings_postgres_password).
 *
 * Everybody who may look at a process of this user reads its environment (/proc/PID/environ, ps e),
 * and a core file has it. So a process takes them out of there when it starts. */
#ifndef CK_PROTO_SECRETS_H
#define CK_PROTO_SECRETS_H

#include <stdbool.h>

#define CK_SECRETS 2

/* Takes the secrets out of the environment and overwrites them there. To be called once, before
 * there are threads. keep: they stay available to this process and to what it starts with
 * ck_secrets_given; if there is one, the process leaves no core file, and only root may look into
 * it. */
void ck_secrets_take(bool keep);
/* As above, also if there is no secret yet: one may be read from a file. */
void ck_secrets_keep_in(void);

/* "NAME=secret" of the i-th one that was taken and kept; NULL: there is none. Valid until the
 * process ends. */
char *ck_secrets_given(int i);
/* True: the i-th one opens this sink. */
bool ck_secrets_open(int i, const char *sink);

#endif
