/* The environment that a daemon gives its children. */
#include "proto/child.h"

#include <string.h>
#include <unistd.h>

#include "proto/secrets.h"
#include "proto/text.h"

static const char *const own[] = {"CONVKEEP_READY_FD=", NULL};
static const char *const secret[] = {
    "CONVKEEP_D1_TOKEN=", "CONVKEEP_POSTGRES_PASSWORD=", "CONVKEEP_READY_FD=", NULL};

static bool is_one_of(const char *variable, const char *const *names) {
  for (; *names; ++names)
    if (strncmp(variable, *names, strlen(*names)) == 0) return true;
  return false;
}

static char **without(const char *const *names, bool secrets, const char *sink) {
  size_t n = 0, kept = 0;
  while (environ[n]) ++n;
  char **env = ck_alloc((n + CK_SECRETS + 1) * sizeof *env);
  for (size_t i = 0; i < n; ++i)
    if (!is_one_of(environ[i], names)) env[kept++] = environ[i];
  for (int i = 0; i < CK_SECRETS && secrets; ++i)
    if (ck_secrets_given(i) && (!sink || ck_secrets_open(i, sink)))
      env[kept++] = ck_secrets_given(i);
  env[kept] = NULL;
  return env;
}

char **ck_child_env(void) { return without(secret, false, NULL); }

char **ck_own_env(const char *sink) { return without(own, true, sink); }
