/* Follows the daemons' logs with inotify; see tail.h. */
#include "cli/tail.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>
#include "proto/file.h"
#include "proto/text.h"

#define LINE_MAX_BYTES 65536

struct followed {
  const char *name;
  ino_t inode;
  off_t at;
  struct ck_buf line; /* an incomplete line */
  struct ck_buf said; /* the last line shown, without its time */
};

struct cli_tail {
  int inotify, count;
  struct followed *files;
};

static void path_of(char path[128], const char *name) { snprintf(path, 128, "logs/%s.log", name); }

struct cli_tail *cli_tail_new(const char *const *names, int count, struct ck_err *err) {
  struct cli_tail *t = ck_zalloc(sizeof *t);
  t->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
  t->count = count;
  t->files = ck_zalloc((size_t)count * sizeof *t->files);
  for (int i = 0; i < count; ++i) {
    char path[128];
    struct stat st;
    t->files[i].name = names[i];
    path_of(path, names[i]);
    if (stat(path, &st)) continue;
    t->files[i].inode = st.st_ino;
    t->files[i].at = st.st_size;
  }
  if (t->inotify >= 0 && inotify_add_watch(t->inotify, "logs", IN_MODIFY | IN_CREATE) >= 0)
    return t;
  ck_fail(err, "logs: cannot watch it: %s", strerror(errno));
  cli_tail_free(&t);
  return NULL;
}

void cli_tail_free(struct cli_tail **tail) {
  struct cli_tail *t = *tail;
  if (!t) return;
  if (t->inotify >= 0) close(t->inotify);
  for (int i = 0; i < t->count; ++i) {
    ck_buf_free(&t->files[i].line);
    ck_buf_free(&t->files[i].said);
  }
  free(t->files);
  free(t);
  *tail = NULL;
}

int cli_tail_fd(const struct cli_tail *t) { return t->inotify; }

/* "2026-11-22T20:02:00.123Z info store id=…": the second word is the level. */
static bool worth_showing(struct ck_str line) {
  if (line.n == 0) return false;
  const char *blank = memchr(line.s, ' ', line.n);
  bool dated = blank && blank - line.s >= 20 && line.s[4] == '-' && line.s[10] == 'T';
  if (!dated) return true;
  struct ck_str rest = {blank + 1, line.n - (size_t)(blank + 1 - line.s)};
  return ck_str_starts(rest, "error ");
}

/* Shows a repeated line only once: a part that cannot start logs the reason at each attempt. */
static void show(struct followed *f) {
  struct ck_str line = ck_buf_view(&f->line), rest = line;
  const char *blank = memchr(line.s, ' ', line.n);
  if (blank) rest = (struct ck_str){blank, line.n - (size_t)(blank - line.s)};
  if (ck_str_eq(rest, ck_buf_view(&f->said))) return;
  ck_buf_clear(&f->said);
  ck_buf_str(&f->said, rest);
  fprintf(stderr, "%.*s\n", (int)line.n, line.s);
}

static void add_bytes(struct followed *f, const char *bytes, size_t n) {
  while (n) {
    const char *end = memchr(bytes, '\n', n);
    size_t k = end ? (size_t)(end - bytes) : n;
    if (f->line.len + k <= LINE_MAX_BYTES) ck_buf_add(&f->line, bytes, k);
    if (!end) return;
    if (worth_showing(ck_buf_view(&f->line))) show(f);
    ck_buf_clear(&f->line);
    bytes += k + 1;
    n -= k + 1;
  }
}

static void read_on(struct followed *f) {
  char path[128], bytes[8192];
  struct stat st;
  path_of(path, f->name);
  int fd = ck_open_file(AT_FDCWD, path, O_RDONLY, NULL);
  if (fd < 0) return;
  if (fstat(fd, &st) == 0 && (st.st_ino != f->inode || st.st_size < f->at)) {
    f->inode = st.st_ino;
    f->at = 0;
  }
  for (ssize_t n; (n = pread(fd, bytes, sizeof bytes, f->at)) > 0; f->at += n)
    add_bytes(f, bytes, (size_t)n);
  close(fd);
}

void cli_tail_step(struct cli_tail *t) {
  char events[4096];
  while (read(t->inotify, events, sizeof events) > 0)
    ;
  for (int i = 0; i < t->count; ++i) read_on(&t->files[i]);
}
