/* A settings file of any content: it is read or refused with its line, and says nothing on standard
 * output. */
#include "proto/settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  char path[64];
  struct ck_err err = {{0}};
  int fd = memfd_create("settings", MFD_CLOEXEC);
  if (fd < 0 || fchmod(fd, 0600) || write(fd, data, n) != (ssize_t)n) abort();
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  struct ck_settings *s = ck_settings_load(path, &err);
  close(fd);
  if (!s) {
    size_t at = strlen(path);
    if (strncmp(err.text, path, at) != 0 || err.text[at] != ':' || err.text[at + 1] < '1' ||
        err.text[at + 1] > '9')
      abort();
    return 0;
  }
  struct ck_setting_view v;
  for (int i = 0; ck_settings_view(s, i, &v); i++)
    if (!v.name || !v.value || !v.from || !v.help) abort();
  ck_settings_free(&s);
  return 0;
}
