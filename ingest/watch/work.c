/* The files that have changed. Each waits for a moment, so that what is written in a burst is read
 * at once; then it is opened, and read piece by piece beside the others, until the store has all of
 * it. What is known of its lines is kept for when it grows, of so many files as there is room. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ingest/parse/json.h"
#include "ingest/watch/watch_inner.h"
#include "proto/clock.h"
#include "proto/file.h"
#include "proto/log.h"

#define DELAY_MS 100 /* from the first sign of a change to the reading */
#define REST_MS 3000 /* after which a half line is looked at */
#define OPEN_MOST 192
#define BUSY_MOST 128
#define BEGINS_A_TURN 200
#define RETRY_MS 10000 /* after which a failure that may pass is tried again */
#define DOUBLED_MOST 8 /* times, of a file that stays damaged */
#define PIECE_BYTES (256u << 10)
#define PATH_BYTES 200          /* of a path that an error names */
#define WAITING_MOST (8u << 20) /* bytes of all files that wait for the store's answers */

/* ---- what is due ---- */

void watch_due(struct ingest_watch *w, struct watch_row *row) {
  if (row->due_at) return;
  row->due_at = ck_boot_ms() + DELAY_MS;
  row->next_due = NULL;
  if (!w->due) w->due_end = &w->due;
  *w->due_end = row;
  w->due_end = &row->next_due;
}

static struct watch_row *take_due(struct ingest_watch *w) {
  struct watch_row *row = w->due;
  w->due = row->next_due;
  row->due_at = 0;
  return row;
}

void watch_error(char *out, size_t room, const char *path, const char *reason) {
  char text[PATH_BYTES + sizeof(struct ck_err) + sizeof ": "];
  int n = (int)ck_utf8_cut(ck_str_of(path), PATH_BYTES).n;
  snprintf(text, sizeof text, "%.*s: %s", n, path, reason);
  ingest_clean(out, room, ck_str_of(text));
}

void watch_bad(struct watch_row *row, const char *reason) {
  struct watch_root *root = row->root;
  bool was = row->bad;
  row->bad = reason != NULL;
  if (!root) return;
  if (was != row->bad) root->bad = row->bad ? root->bad + 1 : root->bad - 1;
  if (reason) watch_error(root->bad_error, sizeof root->bad_error, row->path, reason);
}

/* ---- opening ---- */

static bool is_busy(const struct watch_open *o) { return o->state != WATCH_IDLE; }

static size_t busy_count(const struct ingest_watch *w) {
  size_t n = 0;
  for (const struct watch_open *o = w->opens; o; o = o->next) n += is_busy(o);
  return n;
}

void watch_close(struct ingest_watch *w, struct watch_open *o) {
  struct watch_open **at = &w->opens;
  struct watch_row *row = o->row;
  bool half_unseen = o->rest_at != 0;
  bool again = (o->again || half_unseen) && !row->gone;
  while (*at != o) at = &(*at)->next;
  *at = o->next;
  --w->open_count;
  if (half_unseen || !o->settled) row->half_seen = false;
  ingest_blocks_flush(&o->reading->blocks); /* their messages are on their way already */
  watch_open_free(o);
  if (again) watch_due(w, row);
  if (row->gone) watch_row_remove(w, row);
}

/* The file that grew longest ago is not kept open any more. */
static void make_slot(struct ingest_watch *w) {
  struct watch_open *oldest = NULL;
  for (struct watch_open *o = w->opens; o; o = o->next)
    if (!is_busy(o) && (!oldest || o->used_at < oldest->used_at)) oldest = o;
  if (oldest) watch_close(w, oldest);
}

static struct watch_open *add_open(struct ingest_watch *w, struct watch_row *row, int fd,
                                   const struct stat *st) {
  if (w->open_count >= OPEN_MOST) make_slot(w);
  struct watch_open *o = watch_open_new(w->readings, row, fd, st);
  o->next = w->opens;
  w->opens = o;
  ++w->open_count;
  w->used += watch_open_memory(o);
  return o;
}

/* Only its name or its place on the disk is another one. */
static bool is_same(const struct watch_row *row, int fd, const struct stat *st) {
  return row->taken_at && row->size == (uint64_t)st->st_size &&
         row->mtime_ns == watch_mtime_ns(st) && watch_mark_fits(&row->mark, fd);
}

/* The bytes are those that were taken. They are read again only if the last line has no end, and
 * turns out to be a whole one. Takes fd over. */
static void begin_same(struct ingest_watch *w, struct watch_row *row, int fd,
                       const struct stat *st) {
  const struct watch_mark mark = row->mark;
  bool half = watch_row_is_half(row);
  if (half && watch_line_is_whole(fd, mark.taken, row->size)) {
    add_open(w, row, fd, st)->once = true;
    return;
  }
  watch_table_taken(w->table, row, st, &mark);
  row->half_seen = half;
  close(fd);
}

/* Will the same file be read one day, though neither it nor its rights have changed? */
static bool may_pass(int why) {
  return why != EACCES && why != EPERM && why != ELOOP && why != EINVAL;
}

static void retry_by(struct ingest_watch *w, const struct watch_row *row) {
  if (!w->retry_at || row->retry_at < w->retry_at) w->retry_at = row->retry_at;
}

static void failed(struct ingest_watch *w, struct watch_row *row, bool passing,
                   const struct ck_err *err) {
  watch_bad(row, err->text);
  row->passing = passing;
  row->retry_at = ck_boot_ms() + RETRY_MS;
  if (passing) retry_by(w, row);
}

/* What was read of it is no whole zstd file: the disk may have given other bytes than are there.
 * What stays so is read less and less often. */
static void failed_damaged(struct ingest_watch *w, struct watch_row *row,
                           const struct ck_err *err) {
  unsigned doubled = row->damaged < DOUBLED_MOST ? row->damaged : DOUBLED_MOST;
  ++row->damaged;
  watch_bad(row, err->text);
  row->passing = true;
  row->retry_at = ck_boot_ms() + ((int64_t)RETRY_MS << doubled);
  retry_by(w, row);
}

static int open_row(const struct watch_row *row, struct stat *st, struct ck_err *err) {
  int fd = ck_open_file(AT_FDCWD, row->path, O_RDONLY | O_NOFOLLOW, err);
  if (fd < 0 || fstat(fd, st) == 0) return fd;
  int why = errno;
  ck_fail(err, "%s", strerror(why));
  close(fd);
  errno = why;
  return -1;
}

static void begin(struct ingest_watch *w, struct watch_row *row) {
  struct ck_err err;
  struct stat st;
  struct watch_open *o = row->open;
  int fd = open_row(row, &st, &err);
  if (fd < 0) {
    if (errno == ENOENT || errno == ENOTDIR)
      watch_lost(w, row);
    else
      failed(w, row, may_pass(errno), &err);
    return;
  }
  watch_bad(row, NULL);
  if (o && watch_open_continues(o, fd, &st)) {
    watch_open_grow(o, fd);
  } else if (o) {
    o->again = true;
    if (o->state != WATCH_ENDING) watch_open_end(o);
    close(fd);
  } else if (is_same(row, fd, &st)) {
    begin_same(w, row, fd, &st);
  } else {
    add_open(w, row, fd, &st);
  }
}

static void begin_due(struct ingest_watch *w) {
  int64_t now = ck_boot_ms();
  for (int n = 0; n < BEGINS_A_TURN && w->due && w->due->due_at <= now; ++n) {
    if (busy_count(w) >= BUSY_MOST || !watch_memory_may_begin(w)) return;
    begin(w, take_due(w));
  }
}

static void retry(void *self, struct watch_row *row) {
  if (!row->bad || !row->passing || row->gone || !row->root || row->due_at) return;
  if (row->retry_at <= ck_boot_ms())
    watch_due(self, row);
  else
    retry_by(self, row);
}

static void retry_due(struct ingest_watch *w) {
  if (!w->retry_at || w->retry_at > ck_boot_ms()) return;
  w->retry_at = 0;
  watch_table_each(w->table, retry, w);
}

/* ---- a file ---- */

/* The store has all of it. */
static void settled(struct ingest_watch *w, struct watch_open *o) {
  struct watch_row *row = o->row;
  struct watch_mark mark;
  o->settled = true;
  row->damaged = 0;
  if (!row->gone && o->fd >= 0 && watch_open_mark(o, &mark) == 0) {
    watch_table_taken(w->table, row, &o->st, &mark);
    if (row->root) row->root->taken_at = row->taken_at;
  } else if (!row->gone) {
    o->again = true;
  }
  if (o->state == WATCH_ENDING || o->again) {
    watch_close(w, o);
    return;
  }
  watch_open_rest(o);
  row->half_seen = watch_open_is_half(o);
  if (row->half_seen) o->rest_at = ck_boot_ms() + REST_MS;
}

static size_t waiting(const struct ingest_watch *w) {
  size_t bytes = 0;
  for (const struct watch_open *o = w->opens; o; o = o->next) bytes += watch_open_waiting(o);
  return bytes;
}

static void step_open(struct ingest_watch *w, struct watch_open *o, struct ingest_lookup *lookup,
                      bool room) {
  struct ck_err err;
  bool reads =
      o->state == WATCH_READING && waiting(w) < WAITING_MOST && watch_memory_may_read(w, o);
  size_t before = watch_open_memory(o);
  if (reads && !room) {
    w->held = true;
    return;
  }
  if (reads && watch_open_read(o, PIECE_BYTES, &err)) {
    bool damaged = errno == 0;
    ck_log(CK_WARN, "-", "watch_not_read", "file=%s reason=%s", ck_quotedz(o->row->path),
           ck_quotedz(err.text));
    if (damaged)
      failed_damaged(w, o->row, &err);
    else
      failed(w, o->row, true, &err);
    watch_close(w, o);
    return;
  }
  w->used += watch_open_memory(o) - before;
  if (watch_open_settle(o, lookup)) settled(w, o);
}

/* Nothing has come to its half line. If that is a whole one, nothing need come. */
static void rest(struct ingest_watch *w, struct watch_open *o) {
  struct ck_err err;
  struct stat st;
  int fd = open_row(o->row, &st, &err);
  o->rest_at = 0;
  if (fd < 0) {
    watch_due(w, o->row);
  } else if (!watch_open_continues(o, fd, &st) || (uint64_t)st.st_size != o->fed) {
    close(fd);
    watch_due(w, o->row);
  } else if (watch_open_half_is_whole(o, fd)) {
    watch_open_grow(o, fd);
    watch_open_end(o);
  } else {
    close(fd);
  }
}

void watch_work_step(struct ingest_watch *w, struct ingest_lookup *lookup, bool room) {
  struct watch_open *next;
  w->held = !lookup || !room;
  if (!lookup) return;
  retry_due(w);
  if (room) begin_due(w);
  for (struct watch_open *o = w->opens; o; o = next) {
    next = o->next;
    if (is_busy(o))
      step_open(w, o, lookup, room);
    else if (o->rest_at && o->rest_at <= ck_boot_ms())
      rest(w, o);
  }
  watch_memory_turn(w);
}

static int64_t sooner(int64_t a, int64_t b) { return a < b ? a : b; }

/* While the store or the disk has to be waited for, nothing here ends the waiting. */
int64_t watch_work_until(const struct ingest_watch *w) {
  int64_t until = INT64_MAX;
  size_t busy = busy_count(w);
  bool reads = waiting(w) < WAITING_MOST;
  if (w->held) return until;
  if (w->retry_at) until = w->retry_at;
  if (w->due && busy < BUSY_MOST && watch_memory_may_begin(w))
    until = sooner(until, w->due->due_at);
  for (const struct watch_open *o = w->opens; o; o = o->next) {
    if (o->rest_at) until = sooner(until, o->rest_at);
    if (is_busy(o)) until = sooner(until, ingest_reading_until(o->reading));
    if (o->state == WATCH_READING && reads) until = 0;
  }
  return until;
}

void watch_work_end(struct ingest_watch *w) {
  while (w->opens) watch_close(w, w->opens);
  while (w->due) take_due(w);
  w->retry_at = 0;
}
