/* Archives for tests, made with libarchive's writer. */
#ifndef CK_TESTS_HARNESS_ARCHIVE_H
#define CK_TESTS_HARNESS_ARCHIVE_H

#include "proto/text.h"

struct t_member {
  const char *name;
  struct ck_str bytes;
};

/* The files in an archive of this format and filter, ARCHIVE_FORMAT_… and ARCHIVE_FILTER_…; format
 * 0: the first file alone, compressed. The caller frees it. Aborts if libarchive cannot. */
struct ck_buf t_archive(int format, int filter, const struct t_member *files, size_t n);

#endif
