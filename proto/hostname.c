/* See hostname.h. */
#include "proto/hostname.h"

#include <limits.h>
#include <stdio.h>
#include <unistd.h>

const char *ck_hostname(void) {
  static char name[HOST_NAME_MAX + 1];
  if (!name[0] && gethostname(name, sizeof name - 1)) snprintf(name, sizeof name, "localhost");
  return name;
}
