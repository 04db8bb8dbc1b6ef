/* See open.h. */
#include "ingest/watch/open.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ingest/parse/json.h"
#include "ingest/watch/unpack.h"
#include "proto/clock.h"
#include "proto/file.h"
#include "proto/watched.h"

#define PIECE (64u << 10)
#define NAME_MAX_BYTES 4096
#define BORN_MS 300000              /* what was said so long before its file was made is a copy */
#define OLD_NS INT64_C(60000000000) /* a file that has not grown for so long is not kept open */

static bool is_packed(const char *path) { return ck_str_ends(ck_str_of(path), ".zst"); }

/* It is no log: it is read as a whole, and its last line need have no end. */
static bool is_object(const char *path) {
  const char *own = strrchr(path, '/');
  return ck_watched_is_beside(own ? own + 1 : path);
}

/* Its lines are live from here on: those that are not taken yet of a file that is known. */
static void follow(struct watch_open *o) {
  const struct watch_row *row = o->row;
  bool known = row->taken_at && !is_packed(row->path) && watch_mark_fits(&row->mark, o->fd);
  uint64_t history = known ? row->mark.taken : (uint64_t)o->st.st_size;
  if (is_packed(row->path)) history = UINT64_MAX;
  ingest_reading_follow(o->reading, history,
                        known && !history ? row->taken_at - BORN_MS : INT64_MIN);
}

struct watch_open *watch_open_new(struct ingest_readings *all, struct watch_row *row, int fd,
                                  const struct stat *st) {
  struct watch_open *o = ck_zalloc(sizeof *o);
  char name[NAME_MAX_BYTES];
  o->row = row;
  o->fd = fd;
  o->reading =
      ingest_reading_new(all, ingest_clean(name, sizeof name, ck_str_of(row->path)), false, 0);
  o->st = *st;
  follow(o);
  ingest_reader_is_log(o->reading->reader);
  if (is_packed(row->path)) o->unpack = watch_unpack_new();
  o->used_at = ck_boot_ms();
  row->open = o;
  return o;
}

static void let_go(struct watch_open *o) {
  if (o->fd >= 0) close(o->fd);
  o->fd = -1;
}

void watch_open_free(struct watch_open *o) {
  let_go(o);
  o->row->open = NULL;
  ingest_reading_free(&o->reading);
  watch_unpack_free(&o->unpack);
  free(o);
}

/* It was written to since its end was seen, and has not grown: something before has changed. */
static bool is_changed_within(const struct watch_open *o, const struct stat *st) {
  return o->state != WATCH_READING && (uint64_t)st->st_size == o->fed &&
         watch_mtime_ns(st) != watch_mtime_ns(&o->st);
}

bool watch_open_continues(const struct watch_open *o, int fd, const struct stat *st) {
  if (o->unpack || o->state == WATCH_ENDING || (uint64_t)st->st_size < o->fed) return false;
  if (st->st_ino != o->st.st_ino || is_changed_within(o, st)) return false;
  return !o->marked || (watch_mark_fits(&o->mark, fd) && watch_mark_fits(&o->fed_mark, fd));
}

void watch_open_grow(struct watch_open *o, int fd) {
  let_go(o);
  o->fd = fd;
  o->state = WATCH_READING;
  o->used_at = ck_boot_ms();
  o->rest_at = 0;
  o->settled = false;
}

/* ---- reading ---- */

static void feed(struct watch_open *o, const char *bytes, size_t n) {
  if (!o->enough && n) o->enough = !ingest_reader_feed(o->reading->reader, bytes, n);
}

static int read_failed(struct ck_err *err) {
  int why = errno;
  ck_fail(err, "%s", strerror(why));
  errno = why;
  return -1;
}

/* The next bytes. Returns how many; 0: the end; or -1 with errno. */
static ssize_t read_some(struct watch_open *o) {
  char bytes[PIECE];
  ssize_t n = ck_pread_all(o->fd, bytes, sizeof bytes, (off_t)o->fed);
  if (n <= 0) return n;
  const char *end = memrchr(bytes, '\n', (size_t)n);
  feed(o, bytes, (size_t)n);
  if (end) o->line_end = o->fed + (uint64_t)(end + 1 - bytes);
  o->fed += (uint64_t)n;
  return n;
}

static ssize_t unpack_some(struct watch_open *o, struct ck_err *err) {
  struct ck_str bytes;
  ssize_t n = watch_unpack_read(o->unpack, o->fd, &bytes, err);
  if (n <= 0) return n;
  feed(o, bytes.s, bytes.n);
  o->fed = watch_unpack_at(o->unpack);
  return (ssize_t)bytes.n + 1;
}

/* The reader of a log skips such a line. */
static bool is_too_long(uint64_t from, uint64_t to) { return to - from > INGEST_LOG_LINE_MAX; }

/* Nothing more is expected to come. */
static bool is_finished(const struct watch_open *o) {
  bool old = ck_now_ms() * 1000000 - watch_mtime_ns(&o->st) > OLD_NS;
  if (o->unpack || o->enough || o->again || is_object(o->row->path)) return true;
  if (!old && !o->once) return false;
  return !watch_open_is_half(o) || is_too_long(o->line_end, o->fed) ||
         watch_open_half_is_whole(o, o->fd);
}

/* At the end of what was there: has more come meanwhile, or is less there than was read? */
static int look_again(struct watch_open *o, struct ck_err *err) {
  if (fstat(o->fd, &o->st)) return read_failed(err);
  uint64_t size = (uint64_t)o->st.st_size;
  if (size < o->fed) o->again = true;
  if (size <= o->fed || o->enough) o->state = WATCH_SETTLING;
  if (o->enough) o->fed = o->line_end = size;
  if (o->state == WATCH_SETTLING && is_finished(o)) watch_open_end(o);
  return 0;
}

int watch_open_read(struct watch_open *o, size_t most, struct ck_err *err) {
  size_t got = 0;
  while (got < most) {
    ssize_t n = o->enough ? 0 : o->unpack ? unpack_some(o, err) : read_some(o);
    if (n < 0 && !o->unpack) return read_failed(err);
    if (n < 0) return -1;
    if (n == 0) return look_again(o, err);
    got += (size_t)n;
  }
  return 0;
}

size_t watch_open_memory(const struct watch_open *o) {
  return sizeof *o + ingest_reading_memory(o->reading) +
         (o->unpack ? watch_unpack_memory(o->unpack) : 0);
}

size_t watch_open_waiting(const struct watch_open *o) {
  return ingest_reader_waiting(o->reading->reader);
}

/* ---- giving it to the store ---- */

static void pause_and_go(struct watch_open *o, struct ingest_lookup *lookup) {
  ingest_reader_pause(o->reading->reader);
  ingest_reading_go(o->reading, lookup);
}

bool watch_open_settle(struct watch_open *o, struct ingest_lookup *lookup) {
  struct ingest_reader *reader = o->reading->reader;
  bool given;
  if (o->state == WATCH_READING) {
    ingest_reading_go(o->reading, lookup);
    return false;
  }
  if (o->state == WATCH_ENDING) {
    ingest_reader_end(reader);
    ingest_reading_go(o->reading, lookup);
    given = ingest_reader_done(reader);
  } else {
    pause_and_go(o, lookup);
    /* It may be known only now that it is a log, and then its lines are gathered. */
    if (ingest_reader_gathers(reader)) pause_and_go(o, lookup);
    given = !ingest_reader_waiting(reader) && !ingest_reader_gathers(reader);
  }
  if (given) ingest_blocks_flush(&o->reading->blocks);
  return given && ingest_reading_receipted(o->reading);
}

int watch_open_mark(struct watch_open *o, struct watch_mark *mark) {
  uint64_t taken = o->state == WATCH_ENDING ? o->fed : o->line_end;
  if (watch_mark_make(&o->mark, o->fd, taken)) return -1;
  if (watch_mark_make(&o->fed_mark, o->fd, o->fed)) return -1;
  o->marked = true;
  *mark = o->mark;
  return 0;
}

void watch_open_rest(struct watch_open *o) {
  let_go(o);
  o->state = WATCH_IDLE;
}

void watch_open_end(struct watch_open *o) {
  o->state = WATCH_ENDING;
  o->settled = false;
  o->rest_at = 0;
}

/* ---- a line that has no end ---- */

bool watch_row_is_half(const struct watch_row *row) {
  return row->mark.taken < row->size && !is_packed(row->path) && !is_object(row->path);
}

bool watch_open_is_half(const struct watch_open *o) {
  return !o->unpack && !o->enough && o->line_end < o->fed;
}

bool watch_line_is_whole(int fd, uint64_t from, uint64_t to) {
  size_t n = (size_t)(to - from);
  struct ck_err err;
  if (is_too_long(from, to)) return false;
  char *bytes = ck_alloc(n + 1);
  bool whole = ck_pread_all(fd, bytes, n, (off_t)from) == (ssize_t)n;
  if (whole) {
    json_t *json = ingest_json_parse(bytes, n, 0, NULL, NULL, &err);
    whole = json != NULL;
    json_decref(json);
  }
  free(bytes);
  return whole;
}

bool watch_open_half_is_whole(const struct watch_open *o, int fd) {
  return watch_line_is_whole(fd, o->line_end, o->fed);
}
