/* Reads what import sends; see source.h. */
#include "cli/import/source.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/import/attach_name.h"
#include "cli/import/name.h"
#include "proto/file.h"

#define BLOCK (64u << 10) /* bytes read of a pipe at a time, while it is looked at */

/* Without O_TMPFILE, a file that is unlinked at once does the same. */
int cli_nameless(struct ck_err *err) {
  int fd = open("run", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (fd >= 0) return fd;
  char path[] = "run/import-XXXXXX";
  fd = mkostemp(path, O_CLOEXEC);
  if (fd < 0) return ck_fail(err, "run: %s", strerror(errno));
  unlink(path);
  return fd;
}

static ssize_t read_at(int fd, off_t at, char *bytes, size_t n, struct ck_err *err) {
  ssize_t got = ck_pread_all(fd, bytes, n, at);
  return got < 0 ? ck_fail(err, "%s", strerror(errno)) : got;
}

static int keep(const struct cli_source *s, const char *bytes, size_t n, struct ck_err *err) {
  if (ck_pwrite_all(s->kept, (struct ck_str){bytes, n}, s->read_at) == 0) return 0;
  return ck_fail(err, "run: cannot keep a copy of the input, for sending it again: %s",
                 strerror(errno));
}

/* Reads what the pipe has now, without waiting for more. */
static ssize_t read_pipe(struct cli_source *s, char *bytes, size_t n, bool *wait,
                         struct ck_err *err) {
  struct pollfd fd = {s->fd, POLLIN, 0};
  if (s->ended) return 0;
  if (poll(&fd, 1, 0) == 0) {
    *wait = true;
    return 0;
  }
  ssize_t k = read(s->fd, bytes, n);
  if (k < 0 && (errno == EINTR || errno == EAGAIN)) {
    *wait = true;
    return 0;
  }
  if (k < 0) return ck_fail(err, "%s", strerror(errno));
  s->ended = k == 0;
  if (k > 0 && keep(s, bytes, (size_t)k, err)) return -1;
  s->read_at += k;
  return k;
}

static ssize_t read_member(struct cli_source *s, off_t at, char *bytes, size_t n,
                           struct ck_err *err) {
  if (at == 0 && s->read_at) {
    if (cli_archive_rewind(s->archive, err)) return -1;
    s->read_at = 0;
  }
  ssize_t k = cli_archive_read(s->archive, bytes, n, err);
  if (k > 0) s->read_at += k;
  return k;
}

ssize_t cli_source_read(struct cli_source *s, off_t at, char *bytes, size_t n, bool *wait,
                        struct ck_err *err) {
  *wait = false;
  if (s->archive) return read_member(s, at, bytes, n, err);
  if (s->kept < 0) return read_at(s->fd, at, bytes, n, err);
  if (at >= s->read_at) return read_pipe(s, bytes, n, wait, err);
  off_t left = s->read_at - at;
  return read_at(s->kept, at, bytes, left < (off_t)n ? (size_t)left : n, err);
}

/* ---- opening ---- */

/* Waits for the pipe and reads on until `upto` bytes have come, or its end. */
static int fill(struct cli_source *s, off_t upto, struct ck_err *err) {
  char *bytes = ck_alloc(BLOCK);
  int rc = 0;
  while (rc == 0 && !s->ended && s->read_at < upto) {
    bool wait;
    struct pollfd fd = {s->fd, POLLIN, 0};
    if (poll(&fd, 1, -1) < 0 && errno == EINTR) rc = ck_fail(err, "interrupted");
    if (rc == 0 && read_pipe(s, bytes, BLOCK, &wait, err) < 0) rc = -1;
  }
  free(bytes);
  return rc;
}

static int read_head(struct cli_source *s, off_t upto, struct ck_err *err) {
  if (s->kept >= 0 && fill(s, upto, err)) return -1;
  ssize_t n = read_at(s->kept >= 0 ? s->kept : s->fd, 0, s->head, sizeof s->head, err);
  if (n < 0) return -1;
  s->head_n = (size_t)n;
  return 0;
}

/* A line of JSON may be all that comes for now; what begins otherwise is waited for. */
static bool begins_json(const struct cli_source *s) {
  return s->head_n && s->head[0] && strchr("{[ \t\r\n\xef\xff\xfe", s->head[0]);
}

/* Looks at the first bytes, and opens an archive. */
static int look(struct cli_source *s, struct ck_err *err) {
  if (read_head(s, CLI_ARCHIVE_LITTLE, err)) return -1;
  if (!begins_json(s) && read_head(s, CLI_ARCHIVE_HEAD, err)) return -1;
  int fd = s->kept >= 0 ? s->kept : s->fd;
  if (!cli_archive_is((struct ck_str){s->head, s->head_n})) return 0;
  if (s->kept >= 0 && fill(s, INT64_MAX, err)) return -1;
  if (lseek(fd, 0, SEEK_SET) < 0) return ck_fail(err, "%s", strerror(errno));
  s->archive = cli_archive_new(fd, cli_attach_opens);
  s->read_at = s->size = 0;
  return 0;
}

static int open_file(struct cli *c, struct cli_source *s, struct ck_err *err) {
  struct stat st;
  bool standard = strcmp(s->file, "-") == 0;
  s->fd = standard ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)
                   : openat(c->cwd, s->file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
  if (s->fd < 0 || fstat(s->fd, &st)) return ck_fail(err, "%s", strerror(errno));
  if (S_ISDIR(st.st_mode)) return ck_fail(err, "it is a folder");
  if (S_ISREG(st.st_mode) && (!standard || lseek(s->fd, 0, SEEK_CUR) == 0)) {
    s->size = st.st_size;
    return 0;
  }
  s->kept = cli_nameless(err);
  return s->kept < 0 ? -1 : 0;
}

int cli_source_open_plain(struct cli *c, struct cli_source *s, const char *file,
                          struct ck_err *err) {
  *s = (struct cli_source){.name = cli_name_text(file), .file = file, .fd = -1, .kept = -1};
  return open_file(c, s, err);
}

int cli_source_open(struct cli *c, struct cli_source *s, const char *file, struct ck_err *err) {
  return cli_source_open_plain(c, s, file, err) || look(s, err) ? -1 : 0;
}

void cli_source_close(struct cli_source *s) {
  cli_archive_free(&s->archive);
  if (s->fd >= 0) close(s->fd);
  if (s->kept >= 0) close(s->kept);
  s->fd = s->kept = -1;
  free(s->name);
  s->name = NULL;
}

struct ck_str cli_source_head(const struct cli_source *s) {
  return s->archive ? cli_archive_head(s->archive) : (struct ck_str){s->head, s->head_n};
}

int cli_source_restart(struct cli_source *s, struct ck_err *err) {
  s->read_at = 0;
  return cli_archive_restart(s->archive, err);
}

int cli_source_next(struct cli_source *s, struct ck_err *err) {
  const char *member;
  int rc = cli_archive_next(s->archive, &member, err);
  s->read_at = 0;
  free(s->name);
  char *file = cli_name_text(s->file);
  s->alone = !*member;
  s->name = s->alone ? ck_strdup(file) : ck_sprintf("%s: %s", file, member);
  free(file);
  return rc;
}
