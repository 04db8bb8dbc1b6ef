/* See attachments.h. */
#include "store/files/attachments.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/file.h"
#include "proto/sha256.h"
#include "store/database/db.h"

#define OPEN_MAX 64 /* attachments that come at the same time; each has a descriptor */
#define BLOCK (64u << 10)
#define FEW 4 /* files that are synced one by one; of more, the file system */

/* One that comes in parts. */
struct coming {
  char hash[CK_SHA256_HEX + 1];
  int fd; /* -1: this place is free */
  uint64_t next;
  struct ck_sha256 sum; /* of the parts before `next` */
  bool dirty;           /* something of it is not durable */
  bool fresh;           /* nor is its name */
  bool whole;           /* it is to get its place */
  uint64_t used;        /* when it was last, by `turn` */
};

struct attachments {
  int folder; /* -1: closed */
  struct coming coming[OPEN_MAX];
  size_t count;
  uint64_t turn;
};

static int fail(struct ck_err *err, const char *hash) {
  int why = errno;
  ck_fail_write(err, CK_PLACE_ATTACHMENTS "/", why, strerror(why));
  return ck_fail_in(err, CK_PLACE_ATTACHMENTS "/%.*s", CK_SHA256_HEX, hash);
}

/* Adds so many bytes from the beginning of the file to the sum. 0; 1: it has fewer; -1: see errno.
 */
static int sum_file(struct ck_sha256 *sum, int fd, uint64_t bytes) {
  char block[BLOCK];
  for (uint64_t at = 0; at < bytes;) {
    size_t n = bytes - at < BLOCK ? (size_t)(bytes - at) : BLOCK;
    ssize_t k = pread(fd, block, n, (off_t)at);
    if (k < 0 && errno == EINTR) continue;
    if (k <= 0) return k < 0 ? -1 : 1;
    ck_sha256_add(sum, (struct ck_str){block, (size_t)k});
    at += (uint64_t)k;
  }
  return 0;
}

static void there_sql(sqlite3_context *context, int count, sqlite3_value **of) {
  (void)count;
  struct ck_str hash = {(const char *)sqlite3_value_text(of[0]),
                        (size_t)sqlite3_value_bytes(of[0])};
  int folder = ck_attachments_open(AT_FDCWD, false);
  bool there = folder >= 0 && hash.s &&
               ck_attachment_there(folder, hash, (uint64_t)sqlite3_value_int64(of[1]));
  if (folder >= 0) close(folder);
  sqlite3_result_int(context, there);
}

int attachment_sql(sqlite3 *db, struct ck_err *err) {
  int rc = sqlite3_create_function(db, "attachment_there", 2, SQLITE_UTF8 | SQLITE_DIRECTONLY, NULL,
                                   there_sql, NULL, NULL);
  return rc == SQLITE_OK ? 0 : db_fail(db, "attachment_there", err);
}

/* ---- those that come in parts ---- */

struct attachments *attachments_new(void) {
  struct attachments *a = ck_zalloc(sizeof *a);
  a->folder = -1;
  return a;
}

static void forget(struct coming *c) {
  if (c->fd >= 0) close(c->fd);
  c->fd = -1;
}

/* Closes the gaps that `forget` has left. */
static void compact(struct attachments *a) {
  size_t kept = 0;
  for (size_t i = 0; i < a->count; ++i)
    if (a->coming[i].fd >= 0) a->coming[kept++] = a->coming[i];
  a->count = kept;
}

static void close_folder(struct attachments *a) {
  if (a->folder >= 0) close(a->folder);
  a->folder = -1;
}

void attachments_abandon(struct attachments *a) {
  for (size_t i = 0; i < a->count; ++i)
    if (a->coming[i].dirty) forget(&a->coming[i]);
  compact(a);
  close_folder(a);
}

void attachments_free(struct attachments **attachments) {
  struct attachments *a = *attachments;
  if (!a) return;
  for (size_t i = 0; i < a->count; ++i) forget(&a->coming[i]);
  close_folder(a);
  free(a);
  *attachments = NULL;
}

/* Between two commits the folder is closed: somebody may have replaced it. */
static int enter(struct attachments *a) {
  if (a->folder < 0) a->folder = ck_attachments_open(AT_FDCWD, true);
  return a->folder < 0 ? -1 : 0;
}

static struct coming *find(struct attachments *a, struct ck_str hash) {
  for (size_t i = 0; i < a->count; ++i)
    if (ck_str_is(hash, a->coming[i].hash)) return &a->coming[i];
  return NULL;
}

/* Of those that were begun and are durable, the one that came last is the last to be closed. */
static int make_room(struct attachments *a, struct ck_err *err) {
  if (a->count < OPEN_MAX) return 0;
  if (attachments_sync(a, err) || enter(a)) return -1;
  struct coming *oldest = NULL;
  for (size_t i = 0; i < a->count; ++i)
    if (!oldest || a->coming[i].used < oldest->used) oldest = &a->coming[i];
  if (oldest) forget(oldest);
  compact(a);
  return 0;
}

/* Opens the file of the parts, of which those before `part` are to be there already. 0; 1: they are
 * not; -1 with errno. */
static int open_parts(struct attachments *a, struct coming *c, uint64_t part) {
  char path[CK_ATTACHMENT_PATH];
  struct stat st;
  ck_attachment_path(path, ck_str_of(c->hash), false);
  c->fresh = fstatat(a->folder, path, &st, AT_SYMLINK_NOFOLLOW) != 0;
  if (c->fresh && part) return errno == ENOENT ? 1 : -1;
  c->fd = ck_open_file(a->folder, path, O_RDWR | O_CREAT | O_NOFOLLOW, NULL);
  if (c->fd < 0) return -1;
  ck_sha256_begin(&c->sum);
  c->next = part;
  return sum_file(&c->sum, c->fd, part * CK_ATTACHMENT_PART);
}

/* *found: NULL if parts before this one are missing. 0, or -1 with errno. */
static int begin(struct attachments *a, const struct ck_attachment *m, struct coming **found) {
  struct ck_err ignored;
  *found = find(a, m->hash);
  if (*found) return 0;
  if (make_room(a, &ignored)) return -1;
  struct coming c = {.fd = -1};
  snprintf(c.hash, sizeof c.hash, "%.*s", (int)m->hash.n, m->hash.s);
  int rc = open_parts(a, &c, m->part);
  if (rc) {
    int why = errno;
    forget(&c);
    errno = why;
    return rc < 0 ? -1 : 0;
  }
  a->coming[a->count] = c;
  *found = &a->coming[a->count++];
  return 0;
}

static int write_part(int fd, uint64_t part, struct ck_str data) {
  off_t at = (off_t)(part * CK_ATTACHMENT_PART);
  while (data.n) {
    ssize_t k = pwrite(fd, data.s, data.n, at);
    if (k < 0 && errno == EINTR) continue;
    if (k <= 0) return -1;
    data = (struct ck_str){data.s + k, data.n - (size_t)k};
    at += k;
  }
  return 0;
}

/* Is it what its hash says? A file of parts may be longer than it: somebody had begun another. */
static enum attachment_put finish(struct attachments *a, struct coming *c, uint64_t bytes) {
  char path[CK_ATTACHMENT_PATH], hex[CK_SHA256_HEX + 1];
  struct ck_sha256 sum = c->sum;
  ck_sha256_end_hex(&sum, hex);
  if (strcmp(hex, c->hash) == 0) {
    if (ftruncate(c->fd, (off_t)bytes)) return ATTACHMENT_FAILED;
    c->whole = true;
    return ATTACHMENT_WHOLE;
  }
  ck_attachment_path(path, ck_str_of(c->hash), false);
  unlinkat(a->folder, path, 0);
  forget(c);
  compact(a);
  return ATTACHMENT_OTHER;
}

/* The file may have got its name by a commit that failed afterwards. */
static bool has_its_name(struct attachments *a, const struct ck_attachment *m) {
  struct ck_err ignored;
  return ck_attachment_verify(a->folder, m->hash, m->bytes, NULL, NULL, &ignored) ==
         CK_ATTACHMENT_SOUND;
}

static enum attachment_put put(struct attachments *a, const struct ck_attachment *m,
                               struct ck_str data) {
  struct coming *c;
  bool last = m->part + 1 == ck_attachment_parts(m->bytes);
  if (enter(a) || begin(a, m, &c)) return ATTACHMENT_FAILED;
  if (!c || m->part > c->next)
    return last && has_its_name(a, m) ? ATTACHMENT_WHOLE : ATTACHMENT_MISSING;
  c->used = ++a->turn;
  if (m->part == c->next) {
    if (write_part(c->fd, m->part, data)) return ATTACHMENT_FAILED;
    ck_sha256_add(&c->sum, data);
    c->dirty = true;
    ++c->next;
  }
  return last ? finish(a, c, m->bytes) : ATTACHMENT_TAKEN;
}

enum attachment_put attachments_put(struct attachments *a, const struct ck_attachment *m,
                                    struct ck_str data, struct ck_err *err) {
  enum attachment_put rc = put(a, m, data);
  if (rc == ATTACHMENT_FAILED) fail(err, m->hash.s);
  return rc;
}

int attachments_delete(struct attachments *a, struct ck_str hash, struct ck_err *err) {
  char path[CK_ATTACHMENT_PATH];
  struct coming *c = find(a, hash);
  int folder = ck_attachments_open(AT_FDCWD, false), rc = 0;
  if (c) forget(c);
  compact(a);
  if (folder < 0) return errno == ENOENT ? 0 : fail(err, "");
  for (int whole = 0; whole < 2 && rc == 0; ++whole) {
    ck_attachment_path(path, hash, whole);
    rc = unlinkat(folder, path, 0) && errno != ENOENT ? fail(err, hash.s) : 0;
  }
  close(folder);
  return rc;
}

/* ---- durable ---- */

/* The contents. One call for the whole file system costs about as much as one for a file. */
static int sync_contents(struct attachments *a) {
  size_t dirty = 0;
  for (size_t i = 0; i < a->count; ++i) dirty += a->coming[i].dirty;
  if (dirty > FEW) return syncfs(a->folder);
  for (size_t i = 0; i < a->count; ++i)
    if (a->coming[i].dirty && fdatasync(a->coming[i].fd)) return -1;
  return 0;
}

/* The names: those of whole ones, and of files that are new. */
static int sync_names(struct attachments *a) {
  size_t whole = 0;
  bool fresh = false;
  for (size_t i = 0; i < a->count; ++i) {
    whole += a->coming[i].whole;
    fresh |= a->coming[i].fresh;
  }
  int rc = 0;
  for (size_t i = 0; i < a->count && rc == 0; ++i) {
    int in = -1;
    if (!a->coming[i].whole) continue;
    rc = ck_attachment_place(a->folder, ck_str_of(a->coming[i].hash), &in);
    if (rc == 0 && whole <= FEW) rc = fsync(in);
    int why = errno;
    if (in >= 0) close(in);
    errno = why;
  }
  if (rc) return -1;
  if (whole > FEW) return syncfs(a->folder);
  return whole || fresh ? fsync(a->folder) : 0;
}

int attachments_sync(struct attachments *a, struct ck_err *err) {
  if (a->folder < 0) return 0;
  if (sync_contents(a) || sync_names(a)) {
    fail(err, "");
    attachments_abandon(a);
    return -1;
  }
  for (size_t i = 0; i < a->count; ++i) {
    struct coming *c = &a->coming[i];
    if (c->whole) forget(c);
    c->dirty = c->fresh = false;
  }
  compact(a);
  close_folder(a);
  return 0;
}
