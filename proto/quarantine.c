/* See quarantine.h. Nothing here fails: what cannot be written goes to the log. */
#include "proto/quarantine.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "proto/file.h"
#include "proto/lock.h"
#include "proto/log.h"
#include "proto/sealed_line.h"

void ck_quarantine_init(struct ck_quarantine *q, const char *path, uint64_t max) {
  *q = (struct ck_quarantine){.path = ck_strdup(path), .fd = -1, .max = max};
}

static void shut(struct ck_quarantine *q) {
  if (q->fd >= 0) close(q->fd);
  q->fd = -1;
}

void ck_quarantine_free(struct ck_quarantine *q) {
  if (q->path) shut(q);
  free(q->path);
  q->path = NULL;
}

static int open_file(struct ck_quarantine *q, struct ck_err *err) {
  if (q->fd < 0) q->fd = ck_open_file(AT_FDCWD, q->path, O_WRONLY | O_CREAT | O_APPEND, err);
  if (q->fd < 0) return -1;
  ck_turn_wait(q->fd);
  return 0;
}

/* Opens the file of that name, and locks it: another process may have renamed it meanwhile. */
static int enter(struct ck_quarantine *q, struct ck_err *err) {
  while (open_file(q, err) == 0) {
    if (ck_has_name(q->fd, q->path)) return 0;
    shut(q);
  }
  return -1;
}

static int make_room(struct ck_quarantine *q, size_t n, off_t *size, struct ck_err *err) {
  struct stat st;
  if (enter(q, err)) return -1;
  if (fstat(q->fd, &st)) return ck_fail(err, "%s", strerror(errno));
  *size = st.st_size;
  if (st.st_size == 0 || (uint64_t)st.st_size + n <= q->max) return 0;
  char *old = ck_sprintf("%s.old", q->path);
  int rc = rename(q->path, old), why = errno;
  free(old);
  shut(q);
  *size = 0;
  return rc ? ck_fail(err, "%s", strerror(why)) : enter(q, err);
}

void ck_quarantine_add(struct ck_quarantine *q, struct ck_str line) {
  char seal[CK_LINE_SEAL];
  ck_line_seal(seal, line);
  struct iovec parts[] = {
      {(void *)(uintptr_t)line.s, line.n - 1}, {seal, strlen(seal)}, {(void *)(uintptr_t) "\n", 1}};
  size_t bytes = line.n + strlen(seal);
  off_t size = 0;
  struct ck_err err = {{0}};
  ssize_t n = make_room(q, bytes, &size, &err) ? -1 : writev(q->fd, parts, 3);
  int why = errno;
  bool whole = n == (ssize_t)bytes;
  /* Cut off a partial line: it would make the next one unreadable. */
  if (!whole && n > 0 && ftruncate(q->fd, size)) why = errno;
  if (q->fd >= 0) ck_turn_end(q->fd);
  if (whole) return;
  const char *reason = err.text[0] ? err.text : n < 0 ? strerror(why) : "no room";
  ck_log(CK_ERROR, q->path, "not_kept", "reason=%s line=%s", ck_quotedz(reason), ck_quoted(line));
  shut(q);
}

/* ---- taking lines out ---- */

#define MOST_READINGS 4

struct cleaning {
  const char *path;
  const struct ck_str *ids; /* ascending */
  size_t n;
};

static int by_bytes(const void *a, const void *b) {
  return ck_str_order(*(const struct ck_str *)a, *(const struct ck_str *)b);
}

static bool has_piece(const struct cleaning *c, struct ck_str line) {
  for (size_t at = 0; at < line.n;) {
    size_t end = at;
    while (end < line.n && line.s[end] != '"' && line.s[end] != '\\') ++end;
    struct ck_str piece = {line.s + at, end - at};
    if (piece.n && bsearch(&piece, c->ids, c->n, sizeof *c->ids, by_bytes)) return true;
    at = end + 1;
  }
  return false;
}

/* Ids that have what divides the pieces. */
static bool has_odd(const struct cleaning *c, struct ck_str line) {
  for (size_t i = 0; i < c->n; ++i) {
    struct ck_str id = c->ids[i];
    if (!memchr(id.s, '"', id.n) && !memchr(id.s, '\\', id.n)) continue;
    for (const char *at = line.s, *end = line.s + line.n;
         (at = memmem(at, (size_t)(end - at), id.s, id.n)); ++at)
      if (at > line.s && at[-1] == '"' && at + id.n < end && at[id.n] == '"') return true;
  }
  return false;
}

static unsigned hex4(struct ck_str s, size_t at) {
  unsigned code = 0;
  for (size_t i = at; i < at + 4; ++i) {
    const char *digits = "0123456789abcdef",
               *digit = i < s.n && s.s[i] ? strchr(digits, s.s[i] | 0x20) : NULL;
    if (!digit) return UINT_MAX;
    code = code * 16 + (unsigned)(digit - digits);
  }
  return code;
}

static void add_utf8(struct ck_buf *b, unsigned code) {
  char bytes[4];
  size_t n = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
  static const unsigned char first[] = {0, 0, 0xc0, 0xe0, 0xf0};
  for (size_t i = n; i-- > 1; code >>= 6) bytes[i] = (char)(0x80 | (code & 0x3f));
  bytes[0] = (char)(first[n] | code);
  ck_buf_add(b, bytes, n);
}

/* Appends what the escape at `at` (its backslash) means; returns where the text goes on. */
static size_t unescape_one(struct ck_buf *b, struct ck_str s, size_t at) {
  static const char letters[] = "bfnrt", mean[] = "\b\f\n\r\t";
  char c = at + 1 < s.n ? s.s[at + 1] : '\\';
  const char *letter = c ? strchr(letters, c) : NULL;
  unsigned code = c == 'u' ? hex4(s, at + 2) : UINT_MAX, low = 0;
  if (code == UINT_MAX) {
    ck_buf_add(b, letter ? &mean[letter - letters] : &c, 1);
    return at + 2;
  }
  at += 6;
  bool pair = code >= 0xd800 && code < 0xdc00 && at + 1 < s.n && s.s[at] == '\\' &&
              s.s[at + 1] == 'u' && (low = hex4(s, at + 2)) >= 0xdc00 && low < 0xe000;
  add_utf8(b, pair ? 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00) : code);
  return pair ? at + 6 : at;
}

static void unescape(struct ck_buf *b, struct ck_str s) {
  for (size_t at = 0; at < s.n;) {
    const char *next = memchr(s.s + at, '\\', s.n - at);
    size_t end = next ? (size_t)(next - s.s) : s.n;
    ck_buf_add(b, s.s + at, end - at);
    at = next ? unescape_one(b, s, end) : end;
  }
}

/* A line may have what came as a text, which has texts itself: with each reading its escapes are
 * one less. */
static bool is_gone(const struct cleaning *c, struct ck_str line) {
  struct ck_buf plain = {0}, next = {0};
  bool gone = has_piece(c, line);
  ck_buf_str(&plain, line);
  for (int i = 0; i < MOST_READINGS && !gone && memchr(plain.data, '\\', plain.len); ++i) {
    ck_buf_clear(&next);
    unescape(&next, ck_buf_view(&plain));
    gone = has_piece(c, ck_buf_view(&next)) || has_odd(c, ck_buf_view(&next));
    struct ck_buf other = plain;
    plain = next;
    next = other;
  }
  ck_buf_free(&plain);
  ck_buf_free(&next);
  return gone;
}

/* Appends the lines that stay. True: some do not. */
static bool keep_lines(const struct cleaning *c, struct ck_str text, struct ck_buf *kept) {
  bool some = false;
  while (text.n) {
    const char *end = memchr(text.s, '\n', text.n);
    size_t n = end ? (size_t)(end - text.s) + 1 : text.n;
    bool gone = is_gone(c, (struct ck_str){text.s, end ? n - 1 : n});
    if (!gone) ck_buf_add(kept, text.s, n);
    some |= gone;
    text = (struct ck_str){text.s + n, text.n - n};
  }
  return some;
}

static int replace(const char *path, struct ck_str text, struct ck_err *err) {
  char *draft = ck_sprintf("%s.draft", path);
  int fd = ck_open_file(AT_FDCWD, draft, O_WRONLY | O_CREAT | O_TRUNC, err), rc = -1;
  if (fd >= 0) {
    rc = ck_write_all(fd, text) || fsync(fd) || rename(draft, path) ? -1 : 0;
    if (rc) ck_fail(err, "%s", strerror(errno));
    if (rc) unlink(draft);
    close(fd);
  }
  free(draft);
  return rc;
}

/* What a kill has left of writing one. */
static void remove_draft(const char *path) {
  char *draft = ck_sprintf("%s.draft", path);
  unlink(draft);
  free(draft);
}

/* Under the lock of the file that has the name: whoever waits for it finds that its name is
 * another's then. */
static int clean(const struct cleaning *c, struct ck_err *err) {
  struct ck_quarantine q = {.path = (char *)(uintptr_t)c->path, .fd = -1, .max = UINT64_MAX};
  struct ck_buf text = {0}, kept = {0};
  if (access(c->path, F_OK)) return errno == ENOENT ? 0 : ck_fail(err, "%s", strerror(errno));
  if (enter(&q, err)) return -1;
  remove_draft(c->path);
  int rc = ck_read_file(AT_FDCWD, c->path, O_NOFOLLOW, SIZE_MAX, &text, err);
  if (rc == 0 && keep_lines(c, ck_buf_view(&text), &kept))
    rc = replace(c->path, ck_buf_view(&kept), err);
  ck_turn_end(q.fd);
  shut(&q);
  ck_buf_free(&text);
  ck_buf_free(&kept);
  return rc;
}

int ck_quarantine_forget(const char *path, struct ck_str *ids, size_t n, struct ck_err *err) {
  char *old = ck_sprintf("%s.old", path);
  const struct cleaning both[] = {{path, ids, n}, {old, ids, n}};
  int rc = 0;
  if (n) qsort(ids, n, sizeof *ids, by_bytes);
  for (size_t i = 0; i < 2 && n && rc == 0; ++i)
    if ((rc = clean(&both[i], err))) ck_fail_in(err, "%s", both[i].path);
  free(old);
  return rc;
}
