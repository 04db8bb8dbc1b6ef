/* See artifact_cursor.h. */
#include "store/files/artifact_cursor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/crc32c.h"
#include "proto/file.h"

#define CURSOR_BYTES 256
#define BOOT_BYTES 64
#define WRITTEN "written "
#define SUM_BYTES 9 /* of a line: a blank and the CRC-32C of what is before it */

/* Names this boot of the machine; "" if it has no name. */
static void boot_id(char id[BOOT_BYTES]) {
  struct ck_buf b = {0};
  int rc = ck_read_file(AT_FDCWD, "/proc/sys/kernel/random/boot_id", 0, BOOT_BYTES - 1, &b, NULL);
  snprintf(id, BOOT_BYTES, "%.*s", rc ? 0 : (int)strcspn(ck_buf_cstr(&b), "\n"), ck_buf_cstr(&b));
  ck_buf_free(&b);
}

/* ---- lines, each with its sum ---- */

static unsigned sum_of(const char *line, size_t n) { return (unsigned)ck_crc32c(0, line, n); }

/* Ends the line that begins at `from`. */
static void end_line(struct ck_buf *b, size_t from) {
  ck_buf_printf(b, " %08x\n", sum_of(b->data + from, b->len - from));
}

/* False unless the text begins with a line that has the right sum. *rest: after it. */
static bool is_whole(const char *text, const char **rest) {
  const char *end = strchr(text, '\n');
  char sum[SUM_BYTES + 2];
  if (!end || end - text < SUM_BYTES) return false;
  snprintf(sum, sizeof sum, " %08x\n", sum_of(text, (size_t)(end - text) - SUM_BYTES));
  *rest = end + 1;
  return strncmp(end - SUM_BYTES, sum, SUM_BYTES + 1) == 0;
}

void artifact_cursor_text(struct ck_buf *b, const char *store_id, const char *form,
                          uint64_t version, uint64_t written) {
  char boot[BOOT_BYTES];
  size_t from = b->len;
  ck_buf_printf(b, "%s %llu %s", store_id, (unsigned long long)version, form);
  end_line(b, from);
  boot_id(boot);
  from = b->len;
  if (!written || !*boot) return;
  ck_buf_printf(b, WRITTEN "%llu %s", (unsigned long long)written, boot);
  end_line(b, from);
}

/* True if the text begins with the word, and a blank or the line's end follows. *end: after it. */
static bool is_word(const char *text, const char *word, const char **end) {
  size_t n = strcspn(text, " \n");
  *end = text + n;
  return n > 0 && (!word || (strlen(word) == n && strncmp(text, word, n) == 0));
}

static bool is_number(const char *text, uint64_t *n, const char **end) {
  char *after;
  if (*text < '0' || *text > '9') return false;
  errno = 0;
  *n = strtoull(text, &after, 10);
  *end = after;
  return errno == 0;
}

/* The first line: "STORE_ID VERSION FORM SUM". *end: after it. False unless it is whole, and of
 * this store and form. */
static bool first_line(const char *text, const char *store_id, const char *form, uint64_t *version,
                       const char **end) {
  return is_whole(text, end) && is_word(text, store_id, &text) && *text == ' ' &&
         is_number(text + 1, version, &text) && *text == ' ' && is_word(text + 1, form, &text);
}

/* The second: "written VERSION BOOT SUM". 0 unless it is there, whole, and of this boot. */
static uint64_t second_line(const char *text) {
  char boot[BOOT_BYTES];
  uint64_t version;
  if (strncmp(text, WRITTEN, sizeof WRITTEN - 1) != 0) return 0;
  boot_id(boot);
  const char *rest;
  bool whole = *boot && is_whole(text, &rest) && !*rest &&
               is_number(text + sizeof WRITTEN - 1, &version, &text) && *text == ' ' &&
               is_word(text + 1, boot, &text);
  return whole ? version : 0;
}

int artifact_cursor_read(int fd, const char *store_id, const char *form, uint64_t *version,
                         uint64_t *written, struct ck_err *err) {
  *version = *written = 0;
  int file = ck_open_file(fd, ARTIFACT_CURSOR, O_RDONLY | O_NOFOLLOW, err);
  if (file < 0) return errno == ENOENT ? 0 : ck_fail_in(err, ARTIFACT_FOLDER "/" ARTIFACT_CURSOR);
  char text[CURSOR_BYTES] = {0};
  const char *rest;
  ssize_t n = read(file, text, sizeof text - 1);
  int why = errno;
  close(file);
  errno = why;
  if (n < 0) return ck_fail(err, ARTIFACT_FOLDER "/" ARTIFACT_CURSOR ": %s", strerror(why));
  if (first_line(text, store_id, form, version, &rest))
    *written = second_line(rest);
  else
    *version = 0;
  errno = why;
  return 0;
}

uint64_t artifact_folder_saved_cursor(const char *folder, const char *store_id) {
  uint64_t version = 0, written;
  int fd = open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) return 0;
  if (artifact_cursor_read(fd, store_id, NULL, &version, &written, NULL)) version = 0;
  close(fd);
  return version;
}
