/* Opening the spool, and repairing what a crash or a bad disk left.
 *
 * A crash during a write leaves a torn tail in the newest segment. Nobody was told that its records
 * are durable: it is cut off, and a copy goes to damaged/. Any other damage would leave a gap in
 * the numbers, which no store accepts. Then, as after a renounced id, the spool begins a new life:
 * a new producer id, and numbers from 1 for all records that can be read. The old segments go to
 * damaged/. The store identifies rows by their own ids, so a record that it had before changes
 * nothing.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ingest/spool/spool_internal.h"
#include "proto/file.h"
#include "proto/log.h"

/* What was found in the folder. */
struct found {
  struct spool_segment *list;
  size_t n, room;
  bool named; /* spool/producer was there */
  bool whole; /* all valid, all of this producer, no gap; a torn tail is allowed */
};

/* ---- notes and the quarantine ---- */

static int store_producer(struct ingest_spool *s, struct ck_err *err) {
  return spool_note_write(s, CK_SPOOL_PRODUCER, s->producer)
             ? ck_fail(err, "spool/producer: %s", strerror(errno))
             : 0;
}

/* Whether the id was given up, because somebody else uses it. */
static bool renounced(struct ingest_spool *s) {
  struct ck_buf b = {0};
  ck_spool_read_note(s->dir, CK_SPOOL_RENOUNCED, &b);
  bool yes = s->producer[0] && ck_str_is(ck_buf_view(&b), s->producer);
  ck_buf_free(&b);
  return yes;
}

static int new_producer(struct ingest_spool *s, struct ck_err *err) {
  char id[33];
  ck_random_id(id);
  snprintf(s->producer, sizeof s->producer, "ingest-%.16s", id);
  s->answered = true;
  return store_producer(s, err);
}

/* Moves a file to damaged/. */
static void quarantine(struct ingest_spool *s, const char *name) {
  char *to = ck_sprintf("damaged/%s", name);
  mkdirat(s->dir, "damaged", 0700);
  if (renameat(s->dir, name, s->dir, to))
    ck_log(CK_ERROR, name, "not_set_aside", "reason=%s", ck_quotedz(strerror(errno)));
  free(to);
}

static void keep_tail(struct ingest_spool *s, const char *name, struct ck_str tail) {
  char *to = ck_sprintf("damaged/%s.tail-%zu", name, tail.n);
  ck_log(CK_WARN, name, "torn_tail_cut", "bytes=%zu kept=%s", tail.n, to);
  mkdirat(s->dir, "damaged", 0700);
  int fd = ck_open_file(s->dir, to, O_WRONLY | O_CREAT | O_TRUNC, NULL);
  if (fd < 0 || write(fd, tail.s, tail.n) != (ssize_t)tail.n)
    ck_log(CK_WARN, name, "tail_not_kept", "reason=%s", ck_quotedz(strerror(errno)));
  if (fd >= 0) close(fd);
  free(to);
}

/* ---- the segments ---- */

static int by_first(const void *a, const void *b) {
  const struct spool_segment *x = a, *y = b;
  return x->first != y->first ? (x->first > y->first) - (x->first < y->first)
                              : strcmp(x->name, y->name);
}

static int list_segments(struct ingest_spool *s, struct found *found, struct ck_err *err) {
  int fd = openat(s->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *dir = fd < 0 ? NULL : fdopendir(fd);
  uint64_t number;
  if (!dir) return ck_fail(err, "spool: %s", strerror(errno));
  for (struct dirent *e; (e = readdir(dir));) {
    if (!ck_spool_is_segment(e->d_name, &number)) continue;
    if (found->n == found->room)
      found->list = ck_realloc(found->list, (found->room = found->room ? found->room * 2 : 8) *
                                                sizeof *found->list);
    struct spool_segment *segment = &found->list[found->n++];
    *segment = (struct spool_segment){.first = number, .last = number - 1};
    memcpy(segment->name, e->d_name,
           strlen(e->d_name)); /* ck_spool_is_segment has checked the length */
  }
  closedir(dir);
  if (found->n) qsort(found->list, found->n, sizeof *found->list, by_first);
  return 0;
}

/* Cuts the newest segment's torn tail, and writes its head again if a crash left it incomplete. */
static int cut_tail(struct ingest_spool *s, struct spool_segment *segment, struct ck_str file,
                    struct ingest_scan *scan, struct ck_err *err) {
  char head[INGEST_SEGMENT_HEAD];
  int fd = ck_open_file(s->dir, segment->name, O_RDWR, NULL);
  if (scan->torn) keep_tail(s, segment->name, (struct ck_str){file.s + scan->good, scan->torn});
  if (scan->good < INGEST_SEGMENT_HEAD) scan->good = 0;
  ingest_segment_head(head, s->producer);
  bool ok = fd >= 0 && ftruncate(fd, (off_t)scan->good) == 0;
  if (ok && !scan->good) ok = pwrite(fd, head, sizeof head, 0) == (ssize_t)sizeof head;
  ok = ok && fsync(fd) == 0;
  if (fd >= 0) close(fd);
  if (!scan->good) scan->good = INGEST_SEGMENT_HEAD;
  return ok ? 0 : ck_fail(err, "spool/%s: %s", segment->name, strerror(errno));
}

/* Checks one segment. 0: valid; 1: not; -1: error. */
static int check(struct ingest_spool *s, struct found *found, size_t i, struct ck_buf *file,
                 struct ck_err *err) {
  struct spool_segment *segment = &found->list[i];
  struct ingest_scan scan;
  bool newest = i + 1 == found->n;
  if (ck_read_file(s->dir, segment->name, 0, SIZE_MAX, file, err))
    return ck_fail_in(err, "spool/%s", segment->name);
  ingest_segment_scan(ck_buf_view(file), &scan, NULL, NULL);
  bool unborn = newest && !scan.records &&
                file->len < INGEST_SEGMENT_HEAD; /* a crash came while its head was written */
  if (!s->producer[0] && scan.producer[0] && ck_spool_producer_ok(ck_str_of(scan.producer)))
    snprintf(s->producer, sizeof s->producer, "%.47s", scan.producer);
  if (scan.damaged || (!unborn && strcmp(scan.producer, s->producer) != 0)) return 1;
  if (scan.records && scan.first != segment->first) return 1;
  s->written = file->len;
  if (scan.torn || unborn) {
    if (!newest) return 1;
    if (cut_tail(s, segment, ck_buf_view(file), &scan, err)) return -1;
    s->written = scan.good;
  }
  segment->size = scan.good;
  if (scan.records) segment->last = scan.last;
  return i && segment->first != found->list[i - 1].last + 1;
}

static int check_all(struct ingest_spool *s, struct found *found, struct ck_err *err) {
  struct ck_buf file = {0};
  int rc = 0;
  for (size_t i = 0; i < found->n && rc == 0; ++i) rc = check(s, found, i, &file, err);
  ck_buf_free(&file);
  found->whole = rc == 0;
  return rc < 0 ? -1 : 0;
}

/* ---- continuing, or a new life ---- */

static int go_on(struct ingest_spool *s, struct found *found, struct ck_err *err) {
  struct spool_segment *last = &found->list[found->n - 1];
  for (size_t i = 0; i < found->n; ++i) *spool_add_segment(s) = found->list[i];
  s->active = ck_open_file(s->dir, last->name, O_RDWR, err);
  if (s->active < 0) return ck_fail_in(err, "spool/%s", last->name);
  if (s->released < found->list[0].first - 1) s->released = found->list[0].first - 1;
  if (s->released > last->last)
    s->released = last->last; /* the disk lost numbers that the store has; its answer will tell */
  spool_drop_released(s);
  uint64_t unsent = ck_spool_read_number(s->dir, CK_SPOOL_UNSENT, s->producer);
  s->unsent = unsent > 0;
  s->known = unsent && unsent <= last->last ? unsent - 1 : last->last;
  return found->named ? 0 : store_producer(s, err);
}

struct rescue {
  struct ingest_spool *s;
  uint64_t released, rescued, last, missing; /* last: the previous number */
  struct ck_err err;
  bool failed;
};

static void rescue_one(void *self, uint64_t number, struct ck_str payload) {
  struct rescue *r = self;
  uint64_t fresh;
  if (number <= r->released || r->failed) return;
  if (number > r->last + 1) r->missing += number - r->last - 1;
  r->last = number;
  if (ingest_spool_add(r->s, payload, &fresh, &r->err)) return;
  ++r->rescued;
  if (ingest_spool_unsynced(r->s) > SPOOL_READ_AHEAD)
    r->failed = ingest_spool_sync(r->s, &r->err) != INGEST_SYNCED;
}

static int begin_life(struct ingest_spool *s, struct found *found, struct ck_err *err) {
  struct rescue r = {.s = s, .released = s->released, .last = s->released};
  if (found->n && r.last < found->list[0].first - 1) r.last = found->list[0].first - 1;
  struct ck_buf file = {0};
  char id[33];
  ck_random_id(id);
  snprintf(s->producer, sizeof s->producer, "ingest-%.16s", id);
  s->released = 0;
  s->answered = true;
  if (spool_roll(s, 1)) return ck_fail(err, "spool: %s", strerror(errno));
  for (size_t i = 0; i < found->n && !r.failed; ++i) {
    struct ingest_scan scan;
    if (ck_read_file(s->dir, found->list[i].name, 0, SIZE_MAX, &file, NULL) == 0)
      ingest_segment_scan(ck_buf_view(&file), &scan, rescue_one, &r);
  }
  ck_buf_free(&file);
  if (!r.failed) r.failed = ingest_spool_sync(s, &r.err) != INGEST_SYNCED;
  if (r.failed) return ck_fail(err, "%s", r.err.text);
  if (store_producer(s, err)) return -1; /* from here on the new segments are the spool */
  for (size_t i = 0; i < found->n; ++i) quarantine(s, found->list[i].name);
  unlinkat(s->dir, CK_SPOOL_UNSENT, 0), unlinkat(s->dir, CK_SPOOL_RENOUNCED, 0);
  /* A power cut could bring the old files back among the new ones. If this fails, their records are
   * rescued twice, no worse. */
  if (fsync(s->dir))
    ck_log(CK_WARN, s->producer, "not_synced", "reason=%s", ck_quotedz(strerror(errno)));
  ck_log(r.missing ? CK_ERROR : CK_WARN, s->producer, "spool_rescued",
         "segments=%zu changesets=%llu missing=%llu", found->n, (unsigned long long)r.rescued,
         (unsigned long long)r.missing);
  return 0;
}

static int recover(struct ingest_spool *s, struct ck_err *err) {
  struct found found = {0};
  if (ck_spool_check_notes(s->dir, err)) return -1;
  ck_spool_read_producer(s->dir, s->producer);
  found.named = s->producer[0];
  int rc = list_segments(s, &found, err) || check_all(s, &found, err) ? -1 : 0;
  s->released = ck_spool_read_number(s->dir, CK_SPOOL_RELEASED, s->producer);
  if (renounced(s)) found.whole = false;
  if (rc == 0 && found.n == 0) {
    /* No segment says how far the numbers went: a new id, and numbers from 1. */
    s->released = 0;
    rc = new_producer(s, err);
    if (rc == 0 && spool_roll(s, 1)) rc = ck_fail(err, "spool: %s", strerror(errno));
  } else if (rc == 0) {
    rc = found.whole ? go_on(s, &found, err) : begin_life(s, &found, err);
  }
  free(found.list);
  return rc;
}

struct ingest_spool *ingest_spool_open(const char *dir, const struct ingest_spool_ops *ops,
                                       struct ck_err *err) {
  struct ingest_spool *s = ck_zalloc(sizeof *s);
  s->ops = *ops;
  s->active = s->reading = -1;
  s->dir = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (s->dir < 0)
    ck_fail(err, "%s: %s", dir, strerror(errno));
  else if (recover(s, err) == 0)
    return s;
  s->noted = s->released;
  ingest_spool_close(&s);
  return NULL;
}
