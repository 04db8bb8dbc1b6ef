/* See unread.h. */
#include "cli/import/unread.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/spool_files.h"

static uint64_t count(int spool, const char *segment) {
  char producer[CK_SPOOL_ID_MAX];
  ck_spool_read_producer(spool, producer);
  return ck_spool_count_above(spool, segment,
                              ck_spool_read_number(spool, CK_SPOOL_RELEASED, producer));
}

uint64_t cli_unread(int dir, const char *path) {
  const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
  uint64_t first, n = 0;
  if (!ck_spool_is_segment(name, &first)) return 0;
  char *folder = slash ? ck_str_dup((struct ck_str){path, (size_t)(name - path)}) : ck_strdup(".");
  int spool = openat(dir, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (spool >= 0) n = count(spool, name);
  if (spool >= 0) close(spool);
  free(folder);
  return n;
}
