/* See folder.h. The path is walked one folder at a time, so that nothing can be put in place of
 * what was checked. */
#include "proto/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/file.h"
#include "proto/text.h"

#define LINKS_MAX 40 /* as the kernel's own limit */

char *ck_data_dir(const char *flag, struct ck_err *err) {
  const char *env = getenv("CONVKEEP_DATA"), *xdg = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
  if (flag) return ck_strdup(flag);
  if (env && *env) return ck_strdup(env);
  if (xdg && *xdg == '/') return ck_sprintf("%s/convkeep", xdg);
  if (home && *home == '/') return ck_sprintf("%s/.local/share/convkeep", home);
  ck_fail(err, "there is no data folder: HOME %s; name the folder with --data DIR or CONVKEEP_DATA",
          home && *home ? "is not an absolute path" : "is not set");
  return NULL;
}

/* ---- the way there ---- */

struct walk {
  int fd;              /* of the folder so far */
  char rest[PATH_MAX]; /* what is still to be walked */
  int links;
  bool make;
};

/* Takes the next name off the rest. false: there is none. *last: nothing follows it. */
static bool next_name(struct walk *w, char name[PATH_MAX], bool *last) {
  char *at = w->rest + strspn(w->rest, "/");
  size_t n = strcspn(at, "/");
  memcpy(name, at, n);
  name[n] = '\0';
  at += n;
  at += strspn(at, "/");
  *last = *at == '\0';
  memmove(w->rest, at, strlen(at) + 1);
  return n > 0;
}

static int step_to(struct walk *w, int fd) {
  close(w->fd);
  w->fd = fd;
  return 0;
}

static int start_at(struct walk *w, const char *path, struct ck_err *err) {
  int fd = open(*path == '/' ? "/" : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return ck_fail(err, "%s", strerror(errno));
  return step_to(w, fd);
}

static int follow(struct walk *w, int link, const struct stat *st, struct ck_err *err) {
  char target[PATH_MAX], rest[2 * PATH_MAX];
  ssize_t n = readlinkat(link, "", target, sizeof target - 1);
  if (n < 0) return ck_fail(err, "%s", strerror(errno));
  target[n] = '\0';
  if (st->st_uid != geteuid() && st->st_uid != 0)
    return ck_fail(err,
                   "a symbolic link of another user's (%d) is on the way: use the path that "
                   "it leads to, %.100s",
                   (int)st->st_uid, target);
  int all = snprintf(rest, sizeof rest, "%s/%s", target, w->rest);
  if (++w->links > LINKS_MAX || (size_t)all >= sizeof w->rest)
    return ck_fail(err, "%s", strerror(w->links > LINKS_MAX ? ELOOP : ENAMETOOLONG));
  memcpy(w->rest, rest, (size_t)all + 1);
  return *target == '/' ? start_at(w, target, err) : 0;
}

static int open_next(const struct walk *w, const char *name, bool last) {
  const int flags = O_PATH | O_NOFOLLOW | O_CLOEXEC;
  int fd = openat(w->fd, name, flags);
  if (fd >= 0 || errno != ENOENT || !w->make) return fd;
  if (mkdirat(w->fd, name, last ? 0700 : 0755) && errno != EEXIST) return -1;
  return openat(w->fd, name, flags);
}

/* 0; 1: there is no such folder; -1 with the reason. */
static int step(struct walk *w, const char *name, bool last, struct ck_err *err) {
  struct stat st;
  int fd = open_next(w, name, last);
  if (fd < 0 && errno == ENOENT) return 1;
  if (fd < 0 || fstat(fd, &st)) return ck_fail(err, "%.100s: %s", name, strerror(errno));
  if (S_ISDIR(st.st_mode)) return step_to(w, fd);
  int rc = S_ISLNK(st.st_mode) ? follow(w, fd, &st, err)
                               : ck_fail(err, "%.100s: %s", name, strerror(ENOTDIR));
  close(fd);
  return rc;
}

static int walk(struct walk *w, const char *dir, struct ck_err *err) {
  char name[PATH_MAX];
  bool last;
  if (strlen(dir) >= sizeof w->rest) return ck_fail(err, "the path is too long");
  strcpy(w->rest, dir);
  int rc = start_at(w, dir, err);
  while (rc == 0 && next_name(w, name, &last)) rc = step(w, name, last, err);
  return rc;
}

/* ---- in it ---- */

/* Checks it and goes there. 1: there is none. -1 with the reason, without the folder's name. */
static int enter(const char *dir, bool make, struct ck_err *err) {
  struct walk w = {.fd = -1, .make = make};
  int rc = walk(&w, dir, err);
  if (rc == 0) rc = ck_check_owner(w.fd, err);
  if (rc == 0 && fchdir(w.fd)) rc = ck_fail(err, "%s", strerror(errno));
  if (w.fd >= 0) close(w.fd);
  return rc;
}

static int cannot_make(const char *name, struct ck_err *err) {
  struct stat st;
  int why = errno;
  if (why == EACCES && stat(".", &st) == 0)
    return ck_fail(err,
                   "%s: %s: the folder belongs to user %d, and this is user %d; give it to "
                   "this one (chown)",
                   name, strerror(why), (int)st.st_uid, (int)geteuid());
  ck_fail_write(err, name, why, strerror(why));
  return ck_fail_in(err, "%s", name);
}

static int make_inside(const char *name, struct ck_err *err) {
  if (mkdir(name, 0700) && errno != EEXIST) return cannot_make(name, err);
  int fd = open(name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0 && errno == ENOTDIR)
    return ck_fail(err, "%s: it must be a folder, and no symbolic link to one", name);
  if (fd < 0) return cannot_make(name, err);
  int rc = ck_check_owner(fd, err);
  close(fd);
  return rc ? ck_fail_in(err, "%s", name) : 0;
}

int ck_data_enter(const char *dir, struct ck_err *err) {
  static const char *const inside[] = {"run",  "logs",         "logs/renewal",
                                       "keys", "keys/clients", "spool",
                                       "web",  "artifacts",    "attachments"};
  int rc = enter(dir, true, err);
  if (rc > 0) rc = ck_fail(err, "%s", strerror(ENOENT));
  for (size_t i = 0; i < sizeof inside / sizeof *inside && rc == 0; ++i)
    rc = make_inside(inside[i], err);
  return rc ? ck_fail_in(err, "%.150s", dir) : 0;
}

int ck_data_visit(const char *dir, struct ck_err *err) {
  int rc = enter(dir, false, err);
  return rc < 0 ? ck_fail_in(err, "%.150s", dir) : rc;
}
