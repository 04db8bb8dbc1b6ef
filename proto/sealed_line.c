/* See sealed_line.h. */
#include "proto/sealed_line.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "proto/crc32c.h"
#include "proto/file.h"
#include "proto/lock.h"

#define SEAL_BYTES 17 /* ,"sum":"01234567"} without the brace of the object */

void ck_line_seal(char seal[CK_LINE_SEAL], struct ck_str object) {
  snprintf(seal, CK_LINE_SEAL, ",\"sum\":\"%08x\"}",
           (unsigned)ck_crc32c(0, object.s, object.n - 1));
}

bool ck_line_sound(struct ck_str line) {
  char seal[CK_LINE_SEAL];
  if (line.n < SEAL_BYTES + 2) return false;
  size_t n = line.n - SEAL_BYTES; /* of the object, if its brace is counted */
  ck_line_seal(seal, (struct ck_str){line.s, n});
  return memcmp(line.s + n - 1, seal, SEAL_BYTES + 1) == 0;
}

static void look(struct ck_str text, uint64_t *bad, uint64_t *first) {
  for (uint64_t number = 1; text.n; ++number) {
    const char *end = memchr(text.s, '\n', text.n);
    size_t n = end ? (size_t)(end - text.s) : text.n;
    if ((!end || !ck_line_sound((struct ck_str){text.s, n})) && (*bad)++ == 0) *first = number;
    text.s += end ? n + 1 : n;
    text.n -= end ? n + 1 : n;
  }
}

int ck_lines_check(const char *path, uint64_t *bad, uint64_t *first, struct ck_err *err) {
  struct ck_buf text = {0};
  *bad = *first = 0;
  int fd = ck_open_file(AT_FDCWD, path, O_RDONLY | O_NOFOLLOW, err);
  if (fd < 0) return errno == ENOENT ? 0 : ck_fail_in(err, "%s", path);
  ck_turn_wait(fd);
  int rc = ck_read_file(AT_FDCWD, path, O_NOFOLLOW, SIZE_MAX, &text, err);
  ck_turn_end(fd);
  close(fd);
  if (rc == 0) look(ck_buf_view(&text), bad, first);
  ck_buf_free(&text);
  return rc ? ck_fail_in(err, "%s", path) : 0;
}
