/* See rejected.h. */
#include "store/rejected.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/clock.h"
#include "proto/file.h"
#include "proto/log.h"

#define REJECTED_FILE "logs/rejected.jsonl"
#define REJECTED_MAX (16 << 20)
#define REJECTED_SHOWN 4096

void rejected_keep(const char *door, struct ck_str frame, const char *reason) {
  struct stat st;
  if (stat(REJECTED_FILE, &st) == 0 && st.st_size > REJECTED_MAX)
    rename(REJECTED_FILE, REJECTED_FILE ".1");
  struct ck_buf line = {0};
  ck_buf_printf(&line,
                "{\"at\":%lld,\"door\":\"%s\",\"bytes\":%zu,\"reason\":", (long long)ck_now_ms(),
                door, frame.n);
  ck_buf_json_str(&line, ck_str_of(reason));
  ck_buf_text(&line, ",\"frame\":\"");
  ck_buf_hex(&line, frame.s, frame.n < REJECTED_SHOWN ? frame.n : REJECTED_SHOWN);
  ck_buf_text(&line, "\"}\n");
  struct ck_err err = {{0}};
  int fd = ck_open_file(AT_FDCWD, REJECTED_FILE, O_WRONLY | O_APPEND | O_CREAT, &err);
  if (fd >= 0 && write(fd, line.data, line.len) != (ssize_t)line.len)
    ck_fail(&err, "%s", strerror(errno));
  if (err.text[0]) ck_log(CK_WARN, door, "rejected_not_kept", "reason=%s", ck_quotedz(err.text));
  if (fd >= 0) close(fd);
  ck_buf_free(&line);
}
