/* See wal_mend.h. The form of a WAL: https://www.sqlite.org/fileformat2.html#walformat */
#include "store/database/wal_mend.h"

#include <endian.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/log.h"
#include "proto/text.h"
#include "store/database/db.h"

#define WAL_FILE DB_FILE "-wal"
#define MAGIC 0x377f0682u
enum {
  HEAD = 32,
  HEAD_SUMMED = 24,
  FRAME_HEAD = 24,
  FRAME_SUMMED = 8,
  AT_COMMIT = 4,
  AT_SALT = 8,
  AT_SUM = 16
};
enum { AT_PAGE_SIZE = 8 };
enum { SALT = 8, SUM = 8, PAGE_MIN = 512, PAGE_MAX = 65536 };

struct sum {
  uint32_t a, b;
};

struct wal {
  int fd;
  bool big_sums; /* sums are of big-endian words */
  size_t page;
  unsigned char head[HEAD];
  unsigned char *frame; /* its head and its page */
};

static uint32_t word_at(const unsigned char *p, bool big) {
  uint32_t word;
  memcpy(&word, p, sizeof word);
  return big ? be32toh(word) : le32toh(word);
}

static uint32_t number_at(const unsigned char *p) { return word_at(p, true); }

static struct sum add(struct sum s, const unsigned char *p, size_t n, bool big) {
  for (size_t i = 0; i < n; i += 8) {
    s.a += word_at(p + i, big) + s.b;
    s.b += word_at(p + i + 4, big) + s.a;
  }
  return s;
}

static bool is_sum(struct sum s, const unsigned char *at) {
  return number_at(at) == s.a && number_at(at + 4) == s.b;
}

static bool head_fits(const unsigned char *h) {
  uint32_t magic = number_at(h);
  return (magic & ~1u) == MAGIC &&
         is_sum(add((struct sum){0, 0}, h, HEAD_SUMMED, magic & 1), h + HEAD_SUMMED);
}

static const unsigned char *salt_of(const struct wal *w) { return w->head + HEAD - SUM - SALT; }

static struct sum frame_sum(const struct wal *w, struct sum before) {
  struct sum s = add(before, w->frame, FRAME_SUMMED, w->big_sums);
  return add(s, w->frame + FRAME_HEAD, w->page, w->big_sums);
}

static bool frame_fits(const struct wal *w, struct sum before) {
  return memcmp(w->frame + AT_SALT, salt_of(w), SALT) == 0 &&
         is_sum(frame_sum(w, before), w->frame + AT_SUM);
}

enum found { NO_BIT, ONE_BIT, MANY_BITS };

/* Turns bit after bit of n bytes. ONE_BIT: it fits with that one alone, which is turned. */
static enum found find_bit(unsigned char *bytes, size_t n,
                           bool (*fits)(const struct wal *, struct sum), const struct wal *w,
                           struct sum before, size_t *bit) {
  unsigned found = 0;
  for (size_t i = 0; i < n * 8 && found < 2; ++i) {
    bytes[i / 8] ^= (unsigned char)(1u << i % 8);
    if (fits(w, before) && found++ == 0) *bit = i;
    bytes[i / 8] ^= (unsigned char)(1u << i % 8);
  }
  if (found == 1) bytes[*bit / 8] ^= (unsigned char)(1u << *bit % 8);
  return found == 0 ? NO_BIT : found == 1 ? ONE_BIT : MANY_BITS;
}

static void write_back(const struct wal *w, const unsigned char *bytes, size_t bit, off_t at) {
  off_t place = at + (off_t)(bit / 8);
  if (pwrite(w->fd, bytes + bit / 8, 1, place) == 1 && fdatasync(w->fd) == 0)
    ck_log(CK_ERROR, WAL_FILE, "wal_mended", "byte=%lld bit=%zu", (long long)place, bit % 8);
}

static bool this_head_fits(const struct wal *w, struct sum unused) {
  (void)unused;
  return head_fits(w->head);
}

static enum found mend_head(struct wal *w) {
  size_t bit;
  if (head_fits(w->head)) return ONE_BIT;
  enum found found = find_bit(w->head, HEAD, this_head_fits, w, (struct sum){0, 0}, &bit);
  if (found == ONE_BIT) write_back(w, w->head, bit, 0);
  return found;
}

static bool read_frame(struct wal *w, off_t at) {
  return pread(w->fd, w->frame, FRAME_HEAD + w->page, at) == (ssize_t)(FRAME_HEAD + w->page);
}

/* A frame of another time has other salts, and most of their bits differ. */
static bool is_near(const unsigned char *a, const unsigned char *b) {
  int bits = 0;
  for (int i = 0; i < SALT; ++i) bits += __builtin_popcount((unsigned)(a[i] ^ b[i]));
  return bits <= 1;
}

static struct sum said_sum(const struct wal *w) {
  return (struct sum){number_at(w->frame + AT_SUM), number_at(w->frame + AT_SUM + 4)};
}

/* Does a whole commit follow the one that has the frame at `at`? */
static bool has_commit_after(struct wal *w, off_t at) {
  unsigned commits = 0;
  struct sum before = {0, 0};
  for (bool first = true; read_frame(w, at); at += (off_t)(FRAME_HEAD + w->page), first = false) {
    if (!first && !frame_fits(w, before)) return false;
    before = said_sum(w);
    commits += number_at(w->frame + AT_COMMIT) != 0;
    if (commits == 2) return true;
  }
  return false;
}

/* True: go on. */
static bool mend_frame(struct wal *w, struct sum before, off_t at, bool *lost) {
  size_t bit;
  if (!is_near(w->frame + AT_SALT, salt_of(w))) return false;
  enum found found = find_bit(w->frame, FRAME_HEAD + w->page, frame_fits, w, before, &bit);
  if (found == ONE_BIT) write_back(w, w->frame, bit, at);
  *lost = found == MANY_BITS || (found == NO_BIT && has_commit_after(w, at));
  return found == ONE_BIT;
}

/* The place from which the WAL is lost; -1: none. */
static off_t mend_frames(struct wal *w) {
  struct sum sum = {number_at(w->head + HEAD_SUMMED), number_at(w->head + HEAD_SUMMED + 4)};
  bool lost = false;
  for (off_t at = HEAD; read_frame(w, at); at += (off_t)(FRAME_HEAD + w->page)) {
    if (!frame_fits(w, sum) && !mend_frame(w, sum, at, &lost)) return lost ? at : -1;
    sum = said_sum(w);
  }
  return -1;
}

static off_t mend(struct wal *w) {
  enum found head = pread(w->fd, w->head, HEAD, 0) == HEAD ? mend_head(w) : NO_BIT;
  if (head != ONE_BIT) return head == MANY_BITS ? 0 : -1;
  w->big_sums = number_at(w->head) & 1;
  w->page = number_at(w->head + AT_PAGE_SIZE);
  if (w->page < PAGE_MIN || w->page > PAGE_MAX || (w->page & (w->page - 1))) return -1;
  w->frame = ck_alloc(FRAME_HEAD + w->page);
  off_t lost = mend_frames(w);
  free(w->frame);
  return lost;
}

bool wal_mend(struct ck_err *why) {
  struct wal w = {.fd = open(WAL_FILE, O_RDWR | O_CLOEXEC | O_NOFOLLOW)};
  if (w.fd < 0) return false;
  off_t lost = mend(&w);
  close(w.fd);
  if (lost >= 0)
    ck_fail(why, WAL_FILE " was damaged at byte %lld, and what was committed from there on is lost",
            (long long)lost);
  return lost >= 0;
}
