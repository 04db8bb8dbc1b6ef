/* Adding, syncing and reading back. Opening and repair are in spool_open.c. */
#include "ingest/spool/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ingest/spool/spool_internal.h"
#include "proto/clock.h"
#include "proto/file.h"
#include "proto/log.h"
#include "proto/places.h"

static bool no_room(int error) { return error == ENOSPC || error == EDQUOT || error == EFBIG; }

static struct spool_segment *newest(struct ingest_spool *s) { return &s->segments[s->count - 1]; }

uint64_t spool_last(const struct ingest_spool *s) {
  return s->count ? s->segments[s->count - 1].last : s->released;
}

/* ---- segments ---- */

struct spool_segment *spool_add_segment(struct ingest_spool *s) {
  if (s->count == s->room) {
    s->room = s->room ? s->room * 2 : 8;
    s->segments = ck_realloc(s->segments, s->room * sizeof *s->segments);
  }
  s->segments[s->count] = (struct spool_segment){0};
  return &s->segments[s->count++];
}

static void stop_reading(struct ingest_spool *s) {
  if (s->reading >= 0) close(s->reading);
  s->reading = -1;
  ck_buf_clear(&s->ahead);
}

static void drop_oldest(struct ingest_spool *s) {
  if (s->reading >= 0 && s->read_first == s->segments[0].first) stop_reading(s);
  if (unlinkat(s->dir, s->segments[0].name, 0))
    ck_log(CK_WARN, s->segments[0].name, "not_unlinked", "reason=%s", ck_quotedz(strerror(errno)));
  memmove(s->segments, s->segments + 1, --s->count * sizeof *s->segments);
}

void spool_drop_released(struct ingest_spool *s) {
  while (s->count > 1 && s->segments[0].last <= s->released) drop_oldest(s);
}

/* Removes the zeroes after the last record of the segment that grows. If that fails, they do no
 * harm. */
static void cut_zeroes(struct ingest_spool *s) {
  if (s->active >= 0 && s->count && s->written > newest(s)->size &&
      ftruncate(s->active, (off_t)newest(s)->size) == 0)
    s->written = newest(s)->size;
}

int spool_roll(struct ingest_spool *s, uint64_t first) {
  char head[INGEST_SEGMENT_HEAD], name[CK_SPOOL_NAME_MAX];
  ck_spool_segment_name(name, s->producer, first);
  ingest_segment_head(head, s->producer);
  int fd = ck_open_file(s->dir, name, O_RDWR | O_CREAT | O_TRUNC, NULL);
  if (fd < 0) return -1;
  if (pwrite(fd, head, sizeof head, 0) != (ssize_t)sizeof head || fsync(fd) || fsync(s->dir)) {
    int error = errno ? errno : ENOSPC;
    unlinkat(s->dir, name, 0);
    close(fd);
    errno = error;
    return -1;
  }
  cut_zeroes(s);
  if (s->active >= 0) close(s->active);
  s->active = fd;
  s->written = sizeof head;
  struct spool_segment *segment = spool_add_segment(s);
  *segment = (struct spool_segment){.first = first, .last = first - 1, .size = sizeof head};
  memcpy(segment->name, name, sizeof name);
  return 0;
}

/* ---- adding ---- */

int ingest_spool_add(struct ingest_spool *s, struct ck_str mutations, uint64_t *number,
                     struct ck_err *err) {
  if (mutations.n > INGEST_RECORD_MAX)
    return ck_fail(err, "too large: %zu bytes once it is packed, at most %u", mutations.n,
                   INGEST_RECORD_MAX);
  if (!s->batch.len) {
    s->batch_first = spool_last(s) + 1;
    s->batch_last = s->batch_first - 1;
  }
  *number = ++s->batch_last;
  ingest_record_add(&s->batch, *number, mutations);
  return 0;
}

/* Cuts off what a failed write has left after the last durable record, for the next try. */
static bool cut_failed(struct ingest_spool *s) {
  if (s->active < 0) return true;
  if (ftruncate(s->active, (off_t)newest(s)->size)) return false;
  s->written = newest(s)->size;
  return true;
}

static enum ingest_sync sync_failed(struct ingest_spool *s, const char *what, int error,
                                    struct ck_err *err) {
  bool cut = cut_failed(s);
  ck_fail_write(err, CK_PLACE_SPOOL "/", error, strerror(error));
  ck_fail_in(err, CK_PLACE_SPOOL "/%s: %s", s->count ? newest(s)->name : "", what);
  return cut && no_room(error) ? INGEST_NO_ROOM : INGEST_BROKEN;
}

/* How many zeroes to write after the batch. */
static size_t zeroes_ahead(const struct ingest_spool *s) {
  size_t batch = s->batch.len, ahead = batch * SPOOL_AHEAD_BATCHES;
  uint64_t end = s->segments[s->count - 1].size + batch;
  if (end <= s->written || batch > SPOOL_AHEAD_BATCH_MAX || end >= SPOOL_SEGMENT_MAX) return 0;
  if (ahead < SPOOL_AHEAD_MIN) ahead = SPOOL_AHEAD_MIN;
  if (ahead > SPOOL_AHEAD_MAX) ahead = SPOOL_AHEAD_MAX;
  return ahead < SPOOL_SEGMENT_MAX - end ? ahead : SPOOL_SEGMENT_MAX - end;
}

static int write_bytes(struct ingest_spool *s, size_t bytes) {
  uint64_t at = newest(s)->size;
  for (size_t done = 0; done < bytes;) {
    ssize_t n = pwrite(s->active, s->batch.data + done, bytes - done, (off_t)(at + done));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      if (n == 0) errno = ENOSPC;
      return -1;
    }
    done += (size_t)n;
  }
  if (s->written < at + bytes) s->written = at + bytes;
  return 0;
}

/* Writes the batch and zeroes; if the disk has no room for both, the batch alone. */
static int write_batch(struct ingest_spool *s) {
  size_t ahead = zeroes_ahead(s);
  if (ahead) {
    memset(ck_buf_room(&s->batch, ahead), 0, ahead);
    if (write_bytes(s, s->batch.len + ahead) == 0) return 0;
    int error = errno;
    if (!no_room(error) || !cut_failed(s)) {
      errno = error;
      return -1;
    }
  }
  return write_bytes(s, s->batch.len);
}

/* Until the store has answered in this run, nothing added can have reached it. If the spool was
 * restored from a backup, this tells the new numbers from those that the store applied from the
 * lost copy. The note is for the case that ingest restarts before the store answers. */
static int note_unsent(struct ingest_spool *s) {
  if (s->answered || s->unsent) return 0;
  if (spool_note_write_number(s, CK_SPOOL_UNSENT, s->known + 1)) return -1;
  s->unsent = true;
  return 0;
}

/* What was written is what the store gets next, if it has got all before: it need not be read back.
 * Before the segment's size counts it. */
static void keep_to_read(struct ingest_spool *s) {
  const struct spool_segment *n = newest(s);
  if (s->reading < 0 || s->read_first != n->first || s->ahead_at + s->ahead.len != n->size ||
      s->read_at < s->ahead_at || s->read_at > n->size)
    return;
  size_t read = (size_t)(s->read_at - s->ahead_at), left = s->ahead.len - read;
  if (left + s->batch.len > SPOOL_READ_AHEAD) return;
  if (left) memmove(s->ahead.data, s->ahead.data + read, left);
  s->ahead.len = left;
  s->ahead_at = s->read_at;
  ck_buf_str(&s->ahead, ck_buf_view(&s->batch));
}

enum ingest_sync ingest_spool_sync(struct ingest_spool *s, struct ck_err *err) {
  if (!s->batch.len) return INGEST_SYNCED;
  if (note_unsent(s)) return sync_failed(s, "cannot note what was not sent", errno, err);
  bool full =
      newest(s)->size + s->batch.len > SPOOL_SEGMENT_MAX && newest(s)->last >= newest(s)->first;
  if (full && spool_roll(s, s->batch_first))
    return sync_failed(s, "cannot make a new segment", errno, err);
  if (write_batch(s)) return sync_failed(s, "cannot write", errno, err);
  int64_t began = ck_mono_us();
  if (fdatasync(s->active)) return sync_failed(s, "cannot sync", errno, err);
  ck_histogram_note(&s->syncs, ck_mono_us() - began);
  keep_to_read(s);
  newest(s)->size += s->batch.len;
  newest(s)->last = s->batch_last;
  ck_buf_clear(&s->batch);
  if (s->batch.cap > SPOOL_SEGMENT_MAX) ck_buf_free(&s->batch);
  spool_drop_released(s);
  return INGEST_SYNCED;
}

size_t ingest_spool_unsynced(const struct ingest_spool *s) { return s->batch.len; }
uint64_t ingest_spool_durable(const struct ingest_spool *s) { return spool_last(s); }
uint64_t ingest_spool_pending(const struct ingest_spool *s) {
  return (s->batch.len ? s->batch_last : spool_last(s)) - s->released;
}

uint64_t ingest_spool_bytes(const struct ingest_spool *s) {
  uint64_t bytes = 0;
  for (size_t i = 0; i < s->count; ++i) bytes += s->segments[i].size;
  return bytes;
}

const struct ck_histogram *ingest_spool_syncs(const struct ingest_spool *s) { return &s->syncs; }
bool ingest_spool_broken(const struct ingest_spool *s) { return s->broken; }
const char *ingest_spool_producer(const struct ingest_spool *s) { return s->producer; }

/* ---- reading back: in order; to go back, from the beginning of the segment ---- */

static const struct spool_segment *segment_of(const struct ingest_spool *s, uint64_t number) {
  size_t low = 0, high = s->count;
  while (low < high) {
    size_t middle = (low + high) / 2;
    if (s->segments[middle].last < number)
      low = middle + 1;
    else
      high = middle;
  }
  return low < s->count && s->segments[low].first <= number ? &s->segments[low] : NULL;
}

/* n bytes at offset `at` of the segment that is read, from the read-ahead buffer. It never reads
 * beyond the segment's durable records: the bytes after them will change. NULL: not that many. */
static const char *bytes_at(struct ingest_spool *s, const struct spool_segment *segment,
                            uint64_t at, size_t n) {
  if (at + n > segment->size) return NULL;
  if (at < s->ahead_at || at + n > s->ahead_at + s->ahead.len) {
    size_t wanted = n > SPOOL_READ_AHEAD ? n : SPOOL_READ_AHEAD;
    if (wanted > segment->size - at) wanted = (size_t)(segment->size - at);
    ck_buf_clear(&s->ahead);
    if (s->ahead.cap > 4 * SPOOL_READ_AHEAD && n < SPOOL_READ_AHEAD) ck_buf_free(&s->ahead);
    ssize_t got = pread(s->reading, ck_buf_room(&s->ahead, wanted), wanted, (off_t)at);
    s->ahead.len = got > 0 ? (size_t)got : 0;
    s->ahead_at = at;
  }
  return at + n <= s->ahead_at + s->ahead.len ? s->ahead.data + (at - s->ahead_at) : NULL;
}

static int read_from(struct ingest_spool *s, const struct spool_segment *segment, uint64_t number) {
  if (s->reading >= 0 && s->read_first == segment->first && s->read_number <= number) return 0;
  if (s->reading < 0 || s->read_first != segment->first) {
    stop_reading(s);
    s->reading = ck_open_file(s->dir, segment->name, O_RDONLY, NULL);
  }
  s->read_first = s->read_number = segment->first;
  s->read_at = INGEST_SEGMENT_HEAD;
  return s->reading < 0 ? -1 : 0;
}

/* The bytes of the record at the reading position; empty if it cannot be read. */
static struct ck_str record_here(struct ingest_spool *s, const struct spool_segment *segment) {
  const char *head = bytes_at(s, segment, s->read_at, INGEST_RECORD_HEAD);
  int64_t n = head ? ingest_record_length(head) : -1;
  const char *all = n < 0 ? NULL : bytes_at(s, segment, s->read_at, INGEST_RECORD_HEAD + (size_t)n);
  return (struct ck_str){all, all ? INGEST_RECORD_HEAD + (size_t)n : 0};
}

bool ingest_spool_get(struct ingest_spool *s, uint64_t number, struct ck_str *mutations) {
  const struct spool_segment *segment = segment_of(s, number);
  uint64_t found = 0;
  if (!segment || number <= s->released) return false;
  if (s->known < number) s->known = number;
  if (read_from(s, segment, number) == 0) {
    struct ck_str record = record_here(s, segment);
    while (record.n && s->read_number < number) {
      s->read_at += record.n;
      ++s->read_number;
      record = record_here(s, segment);
    }
    if (record.n && ingest_record_read(record, &found, mutations) && found == number) {
      s->read_at += record.n;
      ++s->read_number;
      return true;
    }
  }
  ck_log(CK_ERROR, segment->name, "spool_unreadable", "number=%llu", (unsigned long long)number);
  s->broken = true;
  return false;
}

/* ---- struct ck_unacked ---- */

static uint64_t unacked_first(void *self) { return ((struct ingest_spool *)self)->released + 1; }
static uint64_t unacked_last(void *self) { return spool_last(self); }
static bool unacked_get(void *self, uint64_t number, struct ck_str *mutations) {
  return ingest_spool_get(self, number, mutations);
}

static void unacked_counts(void *self, const struct ck_counts *counts) {
  ((struct ingest_spool *)self)->counts = *counts;
}

static void unacked_receipt(void *self, uint64_t number, char result, struct ck_str reason) {
  struct ingest_spool *s = self;
  bool counted = s->counts.number == number;
  s->ops.receipt(s->ops.self, number, result, reason, counted ? &s->counts : NULL);
  s->released = number;
  spool_drop_released(s);
}

static void renumber_batch(struct ingest_spool *s, uint64_t first) {
  uint64_t number = first, by = first - s->batch_first;
  for (size_t at = 0; at < s->batch.len; ++number) {
    ingest_record_renumber(s->batch.data + at, number);
    at += INGEST_RECORD_HEAD + (size_t)ingest_record_length(s->batch.data + at);
  }
  s->ops.renumbered(s->ops.self, s->batch_first, by);
  s->batch_first = first;
  s->batch_last = number - 1;
}

/* The store has applied more numbers of this producer than there are here: continue after them.
 * Every durable record has its receipt by now. */
static void unacked_skip(void *self, uint64_t applied) {
  struct ingest_spool *s = self;
  if (applied <= spool_last(s)) return;
  ck_log(CK_WARN, s->producer, "numbers_skipped", "from=%llu to=%llu",
         (unsigned long long)spool_last(s) + 1, (unsigned long long)applied);
  if (spool_roll(s, applied + 1)) {
    ck_log(CK_ERROR, s->producer, "segment_not_made", "reason=%s", ck_quotedz(strerror(errno)));
    s->broken = true;
    return;
  }
  s->released = s->known = applied;
  spool_drop_released(s);
  if (s->batch.len) renumber_batch(s, applied + 1);
}

static uint64_t unacked_believe(void *self, uint64_t applied) {
  struct ingest_spool *s = self;
  if (applied > s->known && spool_last(s) > s->known) return s->known;
  s->answered = true;
  /* If a power cut brings it back, some records are sent twice. */
  if (s->unsent) unlinkat(s->dir, CK_SPOOL_UNSENT, 0);
  s->unsent = false;
  return applied;
}

struct ck_unacked ingest_spool_unacked(struct ingest_spool *s) {
  return (struct ck_unacked){s,
                             unacked_first,
                             unacked_last,
                             unacked_get,
                             unacked_receipt,
                             unacked_skip,
                             unacked_believe,
                             unacked_counts,
                             NULL};
}

int ingest_spool_renounce(struct ingest_spool *s, struct ck_err *err) {
  if (spool_note_write(s, CK_SPOOL_RENOUNCED, s->producer))
    return ck_fail(err, "spool/renounced: %s", strerror(errno));
  ck_log(CK_WARN, s->producer, "renounced", "last=%llu released=%llu",
         (unsigned long long)spool_last(s), (unsigned long long)s->released);
  return 0;
}

/* ---- the rest ---- */

void ingest_spool_rest(struct ingest_spool *s) {
  bool has_records = s->count && newest(s)->last >= newest(s)->first;
  if (s->batch.len || !has_records || s->released < spool_last(s)) return;
  if (spool_roll(s, spool_last(s) + 1) == 0) spool_drop_released(s);
}

void ingest_spool_note(struct ingest_spool *s) {
  if (s->noted != s->released && spool_note_overwrite(s, CK_SPOOL_RELEASED, s->released))
    s->noted = s->released;
}

void ingest_spool_close(struct ingest_spool **spool) {
  struct ingest_spool *s = *spool;
  if (!s) return;
  if (s->dir >= 0) ingest_spool_note(s);
  stop_reading(s);
  cut_zeroes(s);
  if (s->active >= 0) close(s->active);
  if (s->dir >= 0) close(s->dir);
  ck_buf_free(&s->batch);
  ck_buf_free(&s->ahead);
  free(s->segments);
  free(s);
  *spool = NULL;
}
