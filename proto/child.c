/* The environment that a daemon gives its children. */
#include "proto/child.h"

#include <string.h>
#include <unistd.h>

#include "proto/text.h"

static int kept_back(const char *variable) {
  static const char *const names[] = {
      "CONVKEEP_D1_TOKEN=", "CONVKEEP_POSTGRES_PASSWORD=", "CONVKEEP_READY_FD="};
  for (size_t i = 0; i < sizeof names / sizeof *names; ++i)
    if (strncmp(variable, names[i], strlen(names[i])) == 0) return 1;
  return 0;
}

char **ck_child_env(void) {
  size_t n = 0, kept = 0;
  while (environ[n]) ++n;
  char **env = ck_alloc((n + 1) * sizeof *env);
  for (size_t i = 0; i < n; ++i)
    if (!kept_back(environ[i])) env[kept++] = environ[i];
  env[kept] = NULL;
  return env;
}
