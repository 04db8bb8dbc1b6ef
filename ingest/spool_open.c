/* Opening the spool: what a crash or a bad disk left is put right here.
 *
 * A torn tail of the newest segment is what a crash while writing leaves: nobody was told that it is taken. It is cut off, and put into damaged/ all the same.
 * Anything else that is not sound would leave a gap in the numbers, which no store accepts: what can be read gets a new life, that is a new producer id and
 * numbers from 1, and the old segments go to damaged/. So it is when the id was renounced. The store knows records by their own ids, so that what it had before
 * changes nothing there.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ingest/crc32c.h"
#include "ingest/spool_own.h"
#include "proto/file.h"
#include "proto/log.h"

/* What lies in the folder. */
struct lie {
  struct spool_segment *list;
  size_t n, room;
  bool named; /* spool/producer was there */
  bool whole; /* numbers without gap, all sound, all of this producer; a torn tail is allowed */
};

/* ---- small files ---- */

/* The whole file into b. 0, or -1 with the reason in err, which may be NULL. */
static int load(int dir, const char *name, struct ck_buf *b, struct ck_err *err) {
  struct stat st;
  int fd = ck_open_file(dir, name, O_RDONLY, err);
  ck_buf_clear(b);
  if (fd < 0) return -1;
  size_t wanted = fstat(fd, &st) ? 0 : (size_t)st.st_size;
  ck_buf_room(b, wanted + 1);
  ssize_t n = 0;
  while (b->len < wanted && (n = read(fd, b->data + b->len, wanted - b->len)) > 0) b->len += (size_t)n;
  int why = errno;
  close(fd);
  return n < 0 ? ck_fail(err, "%s", strerror(why)) : 0;
}

int spool_write_note(struct ingest_spool *s, const char *name, const char *line) {
  char fresh[32], text[128];
  snprintf(fresh, sizeof fresh, "%s.new", name);
  int n = snprintf(text, sizeof text, "%s\n", line);
  int fd = ck_open_file(s->dir, fresh, O_WRONLY | O_CREAT | O_TRUNC, NULL);
  errno = fd < 0 ? errno : ENOSPC; /* what a write that is cut short does not say */
  bool ok = fd >= 0 && write(fd, text, (size_t)n) == n && fsync(fd) == 0;
  int error = errno;
  if (fd >= 0) close(fd);
  errno = error;
  return ok && renameat(s->dir, fresh, s->dir, name) == 0 && fsync(s->dir) == 0 ? 0 : -1;
}

/* As long for every number, because it is written over the one before. */
int spool_number_line(char out[SPOOL_LINE], const char *producer, uint64_t number) {
  int n = snprintf(out, SPOOL_LINE, "%s %020llu", producer, (unsigned long long)number);
  return n + snprintf(out + n, SPOOL_LINE - (size_t)n, " %08x", (unsigned)ingest_crc32c(0, out, (size_t)n));
}

static int store_producer(struct ingest_spool *s, struct ck_err *err) {
  return spool_write_note(s, "producer", s->producer) ? ck_fail(err, "spool/producer: %s", strerror(errno)) : 0;
}

static bool producer_ok(struct ck_str id) {
  static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789-";
  char text[48];
  if (id.n < 8 || id.n >= sizeof text || !ck_str_starts(id, "ingest-")) return false;
  memcpy(text, id.s, id.n);
  text[id.n] = '\0';
  return strspn(text, allowed) == id.n;
}

static void load_producer(struct ingest_spool *s) {
  struct ck_buf b = {0};
  s->producer[0] = '\0';
  if (load(s->dir, "producer", &b, NULL) == 0) {
    struct ck_str id = ck_trim(ck_buf_view(&b));
    if (producer_ok(id)) snprintf(s->producer, sizeof s->producer, "%.*s", (int)id.n, id.s);
  }
  ck_buf_free(&b);
}

/* 0: there is none, it is damaged, or it is the note of another life, which says nothing here. */
static uint64_t load_number(struct ingest_spool *s, const char *name) {
  struct ck_buf b = {0};
  char line[SPOOL_LINE];
  size_t id = strlen(s->producer);
  uint64_t number = 0;
  if (load(s->dir, name, &b, NULL) == 0 && id && b.len > id) number = strtoull(ck_buf_cstr(&b) + id, NULL, 10);
  spool_number_line(line, s->producer, number);
  if (!ck_str_is(ck_trim(ck_buf_view(&b)), line)) number = 0;
  ck_buf_free(&b);
  return number;
}

/* Whether the id was given up, because somebody else uses it. */
static bool renounced(struct ingest_spool *s) {
  struct ck_buf b = {0};
  bool yes = load(s->dir, "renounced", &b, NULL) == 0 && s->producer[0] && ck_str_is(ck_trim(ck_buf_view(&b)), s->producer);
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

/* Something goes to damaged/, where it harms nobody. */
static void set_aside(struct ingest_spool *s, const char *name) {
  char *to = ck_sprintf("damaged/%s", name);
  mkdirat(s->dir, "damaged", 0700);
  if (renameat(s->dir, name, s->dir, to)) ck_log(CK_ERROR, name, "not_set_aside", "reason=%s", ck_quotedz(strerror(errno)));
  free(to);
}

static void keep_tail(struct ingest_spool *s, const char *name, struct ck_str tail) {
  char *to = ck_sprintf("damaged/%s.tail-%zu", name, tail.n);
  ck_log(CK_WARN, name, "torn_tail_cut", "bytes=%zu kept=%s", tail.n, to);
  mkdirat(s->dir, "damaged", 0700);
  int fd = ck_open_file(s->dir, to, O_WRONLY | O_CREAT | O_TRUNC, NULL);
  if (fd < 0 || write(fd, tail.s, tail.n) != (ssize_t)tail.n) ck_log(CK_WARN, name, "tail_not_kept", "reason=%s", ck_quotedz(strerror(errno)));
  if (fd >= 0) close(fd);
  free(to);
}

/* ---- what lies there ---- */

static bool number_of(const char *name, uint64_t *number) {
  size_t n = strlen(name);
  const char *dash = strchr(name, '-');
  if (n < 26 || n >= sizeof((struct spool_segment *)0)->name || !dash || strcmp(name + n - 4, ".seg") != 0 || strspn(dash + 1, "0123456789") != 20)
    return false;
  *number = strtoull(dash + 1, NULL, 10);
  return true;
}

static int by_first(const void *a, const void *b) {
  const struct spool_segment *x = a, *y = b;
  return x->first != y->first ? (x->first > y->first) - (x->first < y->first) : strcmp(x->name, y->name);
}

static int list_segments(struct ingest_spool *s, struct lie *lie, struct ck_err *err) {
  int fd = openat(s->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *dir = fd < 0 ? NULL : fdopendir(fd);
  uint64_t number;
  if (!dir) return ck_fail(err, "spool: %s", strerror(errno));
  for (struct dirent *e; (e = readdir(dir));) {
    if (!number_of(e->d_name, &number)) continue;
    if (lie->n == lie->room) lie->list = ck_realloc(lie->list, (lie->room = lie->room ? lie->room * 2 : 8) * sizeof *lie->list);
    struct spool_segment *segment = &lie->list[lie->n++];
    *segment = (struct spool_segment){.first = number, .last = number - 1};
    memcpy(segment->name, e->d_name, strlen(e->d_name)); /* number_of has seen that it fits */
  }
  closedir(dir);
  if (lie->n) qsort(lie->list, lie->n, sizeof *lie->list, by_first);
  return 0;
}

/* The newest segment's tail is cut. A head that a crash left unwritten is written again. */
static int cut_tail(struct ingest_spool *s, struct spool_segment *segment, struct ck_str file, struct ingest_scan *scan, struct ck_err *err) {
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

/* One segment is looked at. 0 sound, 1 not, -1 error. */
static int check(struct ingest_spool *s, struct lie *lie, size_t i, struct ck_buf *file, struct ck_err *err) {
  struct spool_segment *segment = &lie->list[i];
  struct ingest_scan scan;
  bool newest = i + 1 == lie->n;
  if (load(s->dir, segment->name, file, err)) return ck_fail_in(err, "spool/%s", segment->name);
  ingest_segment_scan(ck_buf_view(file), &scan, NULL, NULL);
  bool unborn = newest && !scan.records && file->len < INGEST_SEGMENT_HEAD; /* the crash came while its head was written */
  if (!s->producer[0] && scan.producer[0] && producer_ok(ck_str_of(scan.producer))) snprintf(s->producer, sizeof s->producer, "%.47s", scan.producer);
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
  return i && segment->first != lie->list[i - 1].last + 1;
}

static int check_all(struct ingest_spool *s, struct lie *lie, struct ck_err *err) {
  struct ck_buf file = {0};
  int rc = 0;
  for (size_t i = 0; i < lie->n && rc == 0; ++i) rc = check(s, lie, i, &file, err);
  ck_buf_free(&file);
  lie->whole = rc == 0;
  return rc < 0 ? -1 : 0;
}

/* ---- going on, or a new life ---- */

static int go_on(struct ingest_spool *s, struct lie *lie, struct ck_err *err) {
  struct spool_segment *last = &lie->list[lie->n - 1];
  for (size_t i = 0; i < lie->n; ++i) *spool_add_segment(s) = lie->list[i];
  s->active = ck_open_file(s->dir, last->name, O_RDWR, err);
  if (s->active < 0) return ck_fail_in(err, "spool/%s", last->name);
  if (s->released < lie->list[0].first - 1) s->released = lie->list[0].first - 1;
  if (s->released > last->last) s->released = last->last; /* the disk lost numbers that the store has: it will say so */
  spool_drop_released(s);
  uint64_t unsent = load_number(s, "unsent");
  s->unsent = unsent > 0;
  s->known = unsent && unsent <= last->last ? unsent - 1 : last->last;
  return lie->named ? 0 : store_producer(s, err);
}

struct rescue {
  struct ingest_spool *s;
  uint64_t released, rescued, last, missing; /* last: the number before */
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
  if (ingest_spool_unsynced(r->s) > SPOOL_READ_AHEAD) r->failed = ingest_spool_sync(r->s, &r->err) != INGEST_SYNCED;
}

static int begin_life(struct ingest_spool *s, struct lie *lie, struct ck_err *err) {
  struct rescue r = {.s = s, .released = s->released, .last = s->released};
  if (lie->n && r.last < lie->list[0].first - 1) r.last = lie->list[0].first - 1;
  struct ck_buf file = {0};
  char id[33];
  ck_random_id(id);
  snprintf(s->producer, sizeof s->producer, "ingest-%.16s", id);
  s->released = 0;
  s->answered = true;
  if (spool_roll(s, 1)) return ck_fail(err, "spool: %s", strerror(errno));
  for (size_t i = 0; i < lie->n && !r.failed; ++i) {
    struct ingest_scan scan;
    if (load(s->dir, lie->list[i].name, &file, NULL) == 0) ingest_segment_scan(ck_buf_view(&file), &scan, rescue_one, &r);
  }
  ck_buf_free(&file);
  if (!r.failed) r.failed = ingest_spool_sync(s, &r.err) != INGEST_SYNCED;
  if (r.failed) return ck_fail(err, "%s", r.err.text);
  if (store_producer(s, err)) return -1; /* from here on the new segments are the spool */
  for (size_t i = 0; i < lie->n; ++i) set_aside(s, lie->list[i].name);
  unlinkat(s->dir, "unsent", 0), unlinkat(s->dir, "renounced", 0);
  /* A power cut could bring them back, among what this life has taken by then. If this fails, they are only rescued twice. */
  if (fsync(s->dir)) ck_log(CK_WARN, s->producer, "not_synced", "reason=%s", ck_quotedz(strerror(errno)));
  ck_log(r.missing ? CK_ERROR : CK_WARN, s->producer, "spool_rescued", "segments=%zu changesets=%llu missing=%llu", lie->n, (unsigned long long)r.rescued,
         (unsigned long long)r.missing);
  return 0;
}

/* A note that is damaged says nothing, and is written anew. In place of something else that would not do. */
static int check_notes(const struct ingest_spool *s, struct ck_err *err) {
  static const char *const notes[] = {"producer", "released", "unsent", "renounced"};
  for (size_t i = 0; i < sizeof notes / sizeof *notes; ++i)
    if (ck_no_other_kind(s->dir, notes[i], err)) return ck_fail_in(err, "spool/%s", notes[i]);
  return 0;
}

static int recover(struct ingest_spool *s, struct ck_err *err) {
  struct lie lie = {0};
  if (check_notes(s, err)) return -1;
  load_producer(s);
  lie.named = s->producer[0];
  int rc = list_segments(s, &lie, err) || check_all(s, &lie, err) ? -1 : 0;
  s->released = load_number(s, "released");
  if (renounced(s)) lie.whole = false;
  if (rc == 0 && lie.n == 0) {
    /* Nothing says how far the numbers went: an id of its own, and 1. */
    s->released = 0;
    rc = new_producer(s, err);
    if (rc == 0 && spool_roll(s, 1)) rc = ck_fail(err, "spool: %s", strerror(errno));
  } else if (rc == 0) {
    rc = lie.whole ? go_on(s, &lie, err) : begin_life(s, &lie, err);
  }
  free(lie.list);
  return rc;
}

struct ingest_spool *ingest_spool_open(const char *dir, const struct ingest_spool_ops *ops, struct ck_err *err) {
  struct ingest_spool *s = ck_zalloc(sizeof *s);
  s->ops = *ops;
  s->active = s->reading = -1;
  s->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (s->dir < 0)
    ck_fail(err, "%s: %s", dir, strerror(errno));
  else if (recover(s, err) == 0)
    return s;
  s->noted = s->released;
  ingest_spool_close(&s);
  return NULL;
}
