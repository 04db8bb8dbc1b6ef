/* See attachment.h. */
#include "proto/attachment.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/file.h"
#include "proto/sha256.h"

#define BLOCK (64u << 10)

void ck_attachment_path(char path[CK_ATTACHMENT_PATH], struct ck_str hash, bool whole) {
  int n = ck_sha256_is_hex(hash) ? CK_SHA256_HEX : 0;
  if (whole)
    snprintf(path, CK_ATTACHMENT_PATH, "%.*s/%.*s", n ? 2 : 0, hash.s, n, hash.s);
  else
    snprintf(path, CK_ATTACHMENT_PATH, "%.*s" CK_ATTACHMENT_PART_END, n, hash.s);
}

int ck_attachments_open(int dir, bool make) {
  const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
  int fd = openat(dir, CK_PLACE_ATTACHMENTS, flags);
  if (fd >= 0 || !make || errno != ENOENT || mkdirat(dir, CK_PLACE_ATTACHMENTS, 0700)) return fd;
  return openat(dir, CK_PLACE_ATTACHMENTS, flags);
}

bool ck_attachment_there(int folder, struct ck_str hash, uint64_t bytes) {
  char path[CK_ATTACHMENT_PATH];
  struct stat st;
  if (!ck_sha256_is_hex(hash)) return false;
  ck_attachment_path(path, hash, true);
  return fstatat(folder, path, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) &&
         (uint64_t)st.st_size == bytes;
}

int ck_attachment_place(int folder, struct ck_str hash, int *in) {
  char from[CK_ATTACHMENT_PATH], to[CK_ATTACHMENT_PATH], sub[3];
  *in = -1;
  ck_attachment_path(from, hash, false);
  ck_attachment_path(to, hash, true);
  snprintf(sub, sizeof sub, "%.2s", to);
  if (mkdirat(folder, sub, 0700) && errno != EEXIST) return -1;
  *in = openat(folder, sub, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  return *in < 0 ? -1 : renameat(folder, from, *in, strchr(to, '/') + 1);
}

/* ---- reading one ---- */

/* An attachment that is being read, and perhaps copied. */
struct reading {
  int fd, to; /* to: -1: it is not copied */
  struct ck_str hash;
  uint64_t bytes;
  bool (*cancelled)(void *self);
  void *self;
};

static enum ck_attachment_state unread(struct ck_err *err, const char *why) {
  ck_fail(err, "%s", why);
  return CK_ATTACHMENT_UNREAD;
}

static enum ck_attachment_state read_whole(const struct reading *r, struct ck_err *err) {
  char block[BLOCK], hex[CK_SHA256_HEX + 1];
  struct ck_sha256 sum;
  uint64_t left = r->bytes;
  ck_sha256_begin(&sum);
  while (left) {
    ssize_t n = read(r->fd, block, left < BLOCK ? (size_t)left : BLOCK);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return unread(err, strerror(errno));
    if (n == 0) return CK_ATTACHMENT_DAMAGED;
    ck_sha256_add(&sum, (struct ck_str){block, (size_t)n});
    if (r->to >= 0 && ck_write_all(r->to, (struct ck_str){block, (size_t)n}))
      return unread(err, strerror(errno));
    left -= (uint64_t)n;
    if (r->cancelled && r->cancelled(r->self)) return unread(err, "cancelled");
  }
  ck_sha256_end_hex(&sum, hex);
  return ck_str_is(r->hash, hex) ? CK_ATTACHMENT_SOUND : CK_ATTACHMENT_DAMAGED;
}

/* Opens it. SOUND: it has the right size. */
static enum ck_attachment_state open_one(int folder, struct reading *r, struct ck_err *err) {
  char path[CK_ATTACHMENT_PATH];
  struct stat st;
  if (!ck_sha256_is_hex(r->hash)) return CK_ATTACHMENT_MISSING;
  ck_attachment_path(path, r->hash, true);
  r->fd = ck_open_file(folder, path, O_RDONLY | O_NOFOLLOW, err);
  if (r->fd < 0 && errno == ENOENT) return CK_ATTACHMENT_MISSING;
  if (r->fd < 0)
    return errno == EINVAL || errno == ELOOP ? CK_ATTACHMENT_DAMAGED : CK_ATTACHMENT_UNREAD;
  if (fstat(r->fd, &st)) return unread(err, strerror(errno));
  return (uint64_t)st.st_size == r->bytes ? CK_ATTACHMENT_SOUND : CK_ATTACHMENT_DAMAGED;
}

enum ck_attachment_state ck_attachment_verify(int folder, struct ck_str hash, uint64_t bytes,
                                              bool (*cancelled)(void *self), void *self,
                                              struct ck_err *err) {
  struct reading r = {-1, -1, hash, bytes, cancelled, self};
  enum ck_attachment_state state = open_one(folder, &r, err);
  if (state == CK_ATTACHMENT_SOUND) state = read_whole(&r, err);
  if (r.fd >= 0) close(r.fd);
  return state;
}

/* ---- copying one ---- */

/* The copy is whole: makes it durable and gives it its name. */
static int keep_copy(const struct reading *r, int to) {
  int in = -1;
  if (fsync(r->to)) return -1;
  int rc = ck_attachment_place(to, r->hash, &in) || fsync(in) || fsync(to) ? -1 : 0;
  int why = errno;
  if (in >= 0) close(in);
  errno = why;
  return rc;
}

enum ck_attachment_state ck_attachment_copy(int from, int to, struct ck_str hash, uint64_t bytes,
                                            bool (*cancelled)(void *self), void *self,
                                            struct ck_err *err) {
  struct reading r = {-1, -1, hash, bytes, cancelled, self};
  char path[CK_ATTACHMENT_PATH];
  enum ck_attachment_state state = open_one(from, &r, err);
  ck_attachment_path(path, hash, false);
  if (state == CK_ATTACHMENT_SOUND) {
    r.to = ck_open_file(to, path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, err);
    state = r.to < 0 ? CK_ATTACHMENT_UNREAD : read_whole(&r, err);
  }
  if (state == CK_ATTACHMENT_SOUND && keep_copy(&r, to)) state = unread(err, strerror(errno));
  if (r.to >= 0 && state != CK_ATTACHMENT_SOUND) unlinkat(to, path, 0);
  if (r.to >= 0) close(r.to);
  if (r.fd >= 0) close(r.fd);
  return state;
}
