/* The sum that `convkeep keys init` writes into each file of keys/ as metadata: the file goes to
 * other machines, where nothing else says whether it is as it was made. */
#ifndef CLI_KEY_SUM_H
#define CLI_KEY_SUM_H

#include <stdio.h>
#include <string.h>

#include "proto/crc32c.h"

#define CLI_KEY_SUM_NAME "sum"
#define CLI_KEY_SUM 9

static inline void cli_key_sum(char sum[CLI_KEY_SUM], const char *public_key) {
  snprintf(sum, CLI_KEY_SUM, "%08x", (unsigned)ck_crc32c(0, public_key, strlen(public_key)));
}

#endif
