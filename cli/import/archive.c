/* A stack of readers: the lowest one reads the file, each other one the current member of the one
 * below it. They are libarchive's, but for what is compressed with gzip, zstd or xz (inflate.h). */
#include "cli/import/archive.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/import/inflate.h"
#include "cli/import/name.h"

#define BLOCK (64u << 10)
/* libarchive is given so many bytes at a time: when unpacking fails, it loses what came of them. */
#define SLICE (4u << 10)
/* In the head of a tar file's member: the mark, which old ones lack, and the sum of all its bytes,
 * in which the sum itself counts as blanks. */
#define TAR_MARK_AT 257
#define TAR_SUM_AT 148
#define TAR_SUM_BYTES 8

struct level {
  struct cli_archive *of;
  struct level *below;
  struct archive *reader;
  struct cli_inflate *inflate; /* not NULL: instead of the reader */
  bool entered;                /* that, and its only member has begun */
  char *input;                 /* BLOCK bytes that were read for either */
  const char *rest;            /* rest_n of them, which the reader has not been given */
  size_t rest_n;
  /* The current member: */
  char *name;                  /* "" for that of a compressed file */
  char head[CLI_ARCHIVE_HEAD]; /* its first bytes, which are looked at before anybody reads it */
  size_t head_n, head_at;
  const char *block; /* block_n bytes of it, the reader's */
  size_t block_n;
  int64_t gap;      /* zeroes that stand before the block: of a sparse file */
  int64_t unpacked; /* bytes of it so far */
  int64_t began;    /* bytes of the file that had been read when it began */
  char *damage;     /* why nothing more of it can be read, or why it is not what was packed */
};

struct cli_archive {
  int fd;
  bool (*opens)(const char *name);
  struct level *top;
  unsigned depth;
  bool begun;
  uint64_t count;   /* files that were handed over */
  int64_t consumed; /* bytes of the file that were read */
  int64_t unpacked; /* bytes of all members, on all levels */
  struct ck_buf name;
};

#define SEVEN "7z\xbc\xaf\x27\x1c" /* how a 7z file begins */

static bool is_tar(struct ck_str head) {
  if (head.n < CLI_ARCHIVE_HEAD) return false;
  if (memcmp(head.s + TAR_MARK_AT, "ustar", 5) == 0) return true;
  char text[TAR_SUM_BYTES + 1] = "", *end;
  unsigned long sum = ' ' * TAR_SUM_BYTES;
  memcpy(text, head.s + TAR_SUM_AT, TAR_SUM_BYTES);
  for (size_t i = 0; i < CLI_ARCHIVE_HEAD; ++i)
    if (i < TAR_SUM_AT || i >= TAR_SUM_AT + TAR_SUM_BYTES) sum += (unsigned char)head.s[i];
  return *head.s && strtoul(text, &end, 8) == sum && end > text;
}

bool cli_archive_is(struct ck_str head) {
  static const struct {
    const char *bytes;
    size_t n;
  } magics[] = {{"PK\3\4", 4},
                {"PK\5\6", 4},
                {"PK\7\10", 4},
                {"\x1f\x8b", 2},
                {"BZh", 3},
                {"\x28\xb5\x2f\xfd", 4},
                {"\xfd"
                 "7zXZ",
                 5},
                {SEVEN, sizeof SEVEN - 1}};
  for (size_t i = 0; i < sizeof magics / sizeof *magics; ++i)
    if (head.n >= magics[i].n && memcmp(head.s, magics[i].bytes, magics[i].n) == 0) return true;
  return is_tar(head);
}

/* ---- a member's bytes ---- */

/* Many members, each of which is none: of all together no more is read. */
static bool are_bombs(const struct cli_archive *a) {
  return a->unpacked > CLI_ARCHIVE_FREE_ALL && a->unpacked / CLI_ARCHIVE_RATIO > a->consumed;
}

static int is_too_much(struct ck_err *err) {
  return ck_fail(err, "it unpacks to more than %d times its size: not read", CLI_ARCHIVE_RATIO);
}

static int reader_failed(struct level *l, struct ck_err *err) {
  if (are_bombs(l->of)) return is_too_much(err);
  const char *why = archive_error_string(l->reader);
  return ck_fail(err, "%s", why ? why : "it cannot be unpacked");
}

static bool is_bomb(const struct level *l) {
  return l->unpacked > CLI_ARCHIVE_FREE &&
         l->unpacked / CLI_ARCHIVE_RATIO > l->of->consumed - l->began;
}

static int next_inflated(struct level *l, struct ck_err *err) {
  ssize_t n = cli_inflate_read(l->inflate, &l->block, err);
  l->block_n = n > 0 ? (size_t)n : 0;
  return n > 0 ? 1 : (int)n;
}

/* Gets the next block of the member. 1; 0 at its end; -1 with the reason, again at each call.
 * A warning is about a checksum or a size: it comes with the last block, or at the end, and the
 * bytes are not those that were packed. */
static int next_block(struct level *l, struct ck_err *err) {
  const void *block;
  la_int64_t at;
  if (l->inflate) return next_inflated(l, err);
  if (l->damage) return ck_fail(err, "%s", l->damage);
  int rc = archive_read_data_block(l->reader, &block, &l->block_n, &at);
  if (rc == ARCHIVE_RETRY) rc = archive_read_data_block(l->reader, &block, &l->block_n, &at);
  if (rc != ARCHIVE_OK && rc != ARCHIVE_EOF) {
    reader_failed(l, err);
    l->damage = ck_strdup(err->text);
  }
  if (rc != ARCHIVE_OK && rc != ARCHIVE_WARN) {
    l->block_n = 0;
    return rc == ARCHIVE_EOF ? 0 : -1;
  }
  l->block = block;
  l->gap = at > l->unpacked ? at - l->unpacked : 0;
  return 1;
}

/* Reads on in the member from libarchive or inflate, at most to the end of a block: so what stands
 * before a damage is had. */
static ssize_t unpack(struct level *l, char *bytes, size_t n, struct ck_err *err) {
  int rc = 1;
  while (rc == 1 && !l->gap && !l->block_n) rc = next_block(l, err);
  if (rc != 1) return rc;
  size_t got = l->gap ? (size_t)l->gap : l->block_n;
  if (got > n) got = n;
  if (l->gap) {
    memset(bytes, 0, got);
    l->gap -= (int64_t)got;
  } else {
    memcpy(bytes, l->block, got);
    l->block += got;
    l->block_n -= got;
  }
  l->unpacked += (int64_t)got;
  l->of->unpacked += (int64_t)got;
  if (is_bomb(l) || are_bombs(l->of)) return is_too_much(err);
  return (ssize_t)got;
}

static ssize_t member_read(struct level *l, char *bytes, size_t n, struct ck_err *err) {
  size_t left = l->head_n - l->head_at;
  if (left == 0) return unpack(l, bytes, n, err);
  if (n > left) n = left;
  memcpy(bytes, l->head + l->head_at, n);
  l->head_at += n;
  return (ssize_t)n;
}

/* ---- levels ---- */

/* The next bytes of the file, or of the member below. */
static ssize_t next_input(void *self, const char **bytes, struct ck_err *err) {
  struct level *l = self;
  ssize_t n;
  *bytes = l->input;
  if (l->below) return member_read(l->below, l->input, BLOCK, err);
  do n = read(l->of->fd, l->input, BLOCK);
  while (n < 0 && errno == EINTR);
  if (n < 0) return ck_fail(err, "%s", strerror(errno));
  l->of->consumed += n;
  return n;
}

static la_ssize_t give_input(struct archive *reader, void *self, const void **bytes) {
  struct level *l = self;
  struct ck_err err;
  if (!l->rest_n) {
    ssize_t n = next_input(l, &l->rest, &err);
    if (n < 0) {
      archive_set_error(reader, EIO, "%s", err.text);
      return ARCHIVE_FATAL;
    }
    l->rest_n = (size_t)n;
  }
  size_t given = l->rest_n < SLICE ? l->rest_n : SLICE;
  *bytes = l->rest;
  l->rest += given;
  l->rest_n -= given;
  return (la_ssize_t)given;
}

static la_int64_t seek_file(struct archive *reader, void *self, la_int64_t offset, int whence) {
  struct level *l = self;
  if (whence == SEEK_CUR) offset -= (la_int64_t)l->rest_n;
  l->rest_n = 0;
  off_t at = lseek(l->of->fd, offset, whence);
  if (at >= 0) return at;
  archive_set_error(reader, errno, "%s", strerror(errno));
  return ARCHIVE_FATAL;
}

static void pop(struct cli_archive *a) {
  struct level *l = a->top;
  archive_read_free(l->reader);
  cli_inflate_free(&l->inflate);
  a->top = l->below;
  --a->depth;
  free(l->name);
  free(l->damage);
  free(l->input);
  free(l);
}

/* The filters are named one by one: some of those of archive_read_support_filter_all would start
 * programs. */
static int open_reader(struct level *l) {
  struct archive *r = l->reader = archive_read_new();
  archive_read_support_filter_bzip2(r);
  archive_read_support_format_zip(r);
  if (!l->below) archive_read_support_format_7zip(r); /* which seeks */
  archive_read_support_format_tar(r);
  archive_read_support_format_raw(r);
  archive_read_support_format_empty(r);
  archive_read_set_callback_data(r, l);
  archive_read_set_read_callback(r, give_input);
  if (!l->below) archive_read_set_seek_callback(r, seek_file);
  return archive_read_open1(r);
}

/* The first bytes of the file, or of the current member. *fixed: room for those of the file. */
static struct ck_str head_of(const struct cli_archive *a, char fixed[CLI_ARCHIVE_LITTLE]) {
  if (a->top) return cli_archive_head(a);
  ssize_t n = pread(a->fd, fixed, CLI_ARCHIVE_LITTLE, 0);
  return (struct ck_str){fixed, n > 0 ? (size_t)n : 0};
}

/* Opens the file, or the current member, as an archive. */
static int push(struct cli_archive *a, struct ck_err *err) {
  if (a->depth == CLI_ARCHIVE_DEPTH)
    return ck_fail(err, "archives inside each other, more than %d deep: not read",
                   CLI_ARCHIVE_DEPTH);
  char fixed[CLI_ARCHIVE_LITTLE];
  struct ck_str head = head_of(a, fixed);
  if (a->top && ck_str_starts(head, SEVEN))
    return ck_fail(err, "a 7z file inside an archive: unpack it, and import what comes out");
  struct level *l = ck_zalloc(sizeof *l);
  l->of = a;
  l->below = a->top;
  l->name = ck_strdup("");
  l->input = ck_alloc(BLOCK);
  a->top = l;
  ++a->depth;
  l->inflate = cli_inflate_new(head, next_input, l);
  if (l->inflate || open_reader(l) == ARCHIVE_OK) return 0;
  reader_failed(l, err);
  pop(a);
  return -1;
}

struct cli_archive *cli_archive_new(int fd, bool (*opens)(const char *name)) {
  struct cli_archive *a = ck_zalloc(sizeof *a);
  a->fd = fd;
  a->opens = opens;
  return a;
}

static void close_all(struct cli_archive *a) {
  while (a->top) pop(a);
}

void cli_archive_free(struct cli_archive **archive) {
  struct cli_archive *a = *archive;
  if (!a) return;
  close_all(a);
  ck_buf_free(&a->name);
  free(a);
  *archive = NULL;
}

/* ---- members ---- */

static char *name_of(struct archive_entry *entry) {
  const char *name = archive_entry_pathname_utf8(entry);
  if (!name) name = archive_entry_pathname(entry);
  char *text = cli_name_text(name ? name : "(without a name)");
  char *cut = ck_str_dup(ck_utf8_cut(ck_str_of(text), CLI_ARCHIVE_NAME));
  free(text);
  return cut;
}

/* Looks at the first bytes of the member that begins here. */
static int look_at_member(struct level *l, struct ck_err *err) {
  while (l->head_n < CLI_ARCHIVE_HEAD) {
    ssize_t n = unpack(l, l->head + l->head_n, CLI_ARCHIVE_HEAD - l->head_n, err);
    if (n < 0 && !l->head_n) return -1;
    if (n <= 0) break; /* what is wrong is said again when the head has been read */
    l->head_n += (size_t)n;
  }
  return 0;
}

static int enter_member(struct level *l, struct archive_entry *entry, struct ck_err *err) {
  bool raw = archive_format(l->reader) == ARCHIVE_FORMAT_RAW;
  free(l->name);
  l->name = raw ? ck_strdup("") : name_of(entry);
  free(l->damage);
  l->damage = NULL;
  l->head_n = l->head_at = 0;
  l->block_n = 0;
  l->gap = l->unpacked = 0;
  l->began = l->of->consumed;
  if (raw && archive_filter_code(l->reader, 0) == ARCHIVE_FILTER_NONE)
    return ck_fail(err, "it begins like an archive, and is none that can be read");
  if (archive_entry_is_encrypted(entry))
    return ck_fail(err, "it is encrypted: unpack it with its password, and import what comes out");
  return look_at_member(l, err);
}

/* The path to the current member, from the lowest level up. */
static void put_name(struct ck_buf *b, const struct level *l) {
  if (!l) return;
  put_name(b, l->below);
  if (b->len && *l->name) ck_buf_text(b, ": ");
  ck_buf_text(b, l->name);
}

static const char *named(struct cli_archive *a) {
  ck_buf_clear(&a->name);
  put_name(&a->name, a->top);
  return ck_buf_cstr(&a->name);
}

/* What is compressed is one file. */
static int advance_inflated(struct cli_archive *a, struct ck_err *err) {
  struct level *l = a->top;
  if (l->entered) {
    pop(a);
    return 0;
  }
  l->entered = true;
  l->began = a->consumed;
  return look_at_member(l, err) ? -1 : 1;
}

/* The next header of the top level. 1: a file begins, and is looked at. 0: the level has ended and
 * is closed. 2: it was no file. -1 with the reason. */
static int advance(struct cli_archive *a, struct ck_err *err) {
  struct level *l = a->top;
  struct archive_entry *entry;
  if (l->inflate) return advance_inflated(a, err);
  int rc = archive_read_next_header(l->reader, &entry);
  if (rc == ARCHIVE_EOF) {
    pop(a);
    return 0;
  }
  if (rc < ARCHIVE_WARN) {
    reader_failed(l, err);
    pop(a);
    return -1;
  }
  if (archive_entry_filetype(entry) != AE_IFREG) return 2;
  return enter_member(l, entry, err) ? -1 : 1;
}

/* The current member is an archive, and one that is wanted. */
static bool is_opened(const struct cli_archive *a) {
  const struct level *l = a->top;
  return cli_archive_is((struct ck_str){l->head, l->head_n}) && (!a->opens || a->opens(l->name));
}

int cli_archive_next(struct cli_archive *a, const char **name, struct ck_err *err) {
  *name = "";
  if (!a->begun) {
    a->begun = true;
    if (push(a, err)) return -1;
  }
  if (are_bombs(a)) close_all(a);
  while (a->top) {
    int rc = advance(a, err);
    if (rc != 1 && rc != -1) continue;
    *name = named(a);
    if (rc == -1) return -1;
    if (!is_opened(a)) {
      ++a->count;
      return 1;
    }
    if (push(a, err)) return -1;
  }
  return 0;
}

struct ck_str cli_archive_head(const struct cli_archive *a) {
  return (struct ck_str){a->top->head, a->top->head_n};
}

ssize_t cli_archive_read(struct cli_archive *a, char *bytes, size_t n, struct ck_err *err) {
  return member_read(a->top, bytes, n, err);
}

int cli_archive_restart(struct cli_archive *a, struct ck_err *err) {
  close_all(a);
  if (lseek(a->fd, 0, SEEK_SET) < 0) return ck_fail(err, "%s", strerror(errno));
  a->begun = false;
  a->count = 0;
  a->consumed = a->unpacked = 0;
  return 0;
}

int cli_archive_rewind(struct cli_archive *a, struct ck_err *err) {
  const char *name;
  uint64_t goal = a->count;
  if (cli_archive_restart(a, err)) return -1;
  while (a->count < goal)
    if (cli_archive_next(a, &name, err) == 0)
      return ck_fail(err, "the archive was changed while it was read");
  return 0;
}
