/* The table's file: frames, one after another. Each has a length and a CRC-32C, 4 bytes each, and
 * an array: the first one [store, readers]; the others [path] of a file that is forgotten, or
 * [path, inode, size, mtime, taken, head, tail, taken_at]. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ingest/watch/table_inner.h"
#include "proto/crc32c.h"
#include "proto/file.h"
#include "proto/log.h"
#include "proto/pack.h"

#define HEAD 8
#define SPARE 1000 /* frames that may be superfluous whatever the number of rows */

/* ---- writing ---- */

static void put_u32(char *out, uint32_t v) {
  for (int i = 0; i < 4; ++i) out[i] = (char)(v >> 8 * i);
}

static uint32_t get_u32(const char *in) {
  uint32_t v = 0;
  for (int i = 0; i < 4; ++i) v |= (uint32_t)(unsigned char)in[i] << 8 * i;
  return v;
}

/* Frames are gathered in t->out; this one begins at t->begun. */
static void begin_frame(struct watch_table *t) {
  t->begun = t->out.len;
  ck_buf_room(&t->out, HEAD);
  t->out.len += HEAD;
}

/* Without the file, what is read is read again after a restart. */
static void give_up(struct watch_table *t) {
  ck_log(CK_WARN, "-", "watch_table_not_written", "file=%s reason=%s", t->path,
         ck_quotedz(strerror(errno)));
  close(t->fd);
  unlink(t->path);
  t->fd = -1;
}

static void end_frame(struct watch_table *t) {
  char *frame = t->out.data + t->begun;
  size_t n = t->out.len - t->begun - HEAD;
  put_u32(frame, (uint32_t)n);
  put_u32(frame + 4, ck_crc32c(0, frame + HEAD, n));
  ++t->frames;
}

static void write_out(struct watch_table *t) {
  if (t->fd >= 0 && ck_write_all(t->fd, ck_buf_view(&t->out))) give_up(t);
  ck_buf_clear(&t->out);
}

static void put_head(struct watch_table *t) {
  begin_frame(t);
  ck_put_array(&t->out, 2);
  ck_put_text(&t->out, t->store);
  ck_put_text(&t->out, t->readers);
  end_frame(t);
}

static void put_row(struct watch_table *t, const struct watch_row *row) {
  begin_frame(t);
  ck_put_array(&t->out, 8);
  ck_put_bin(&t->out, ck_str_of(row->path));
  ck_put_uint(&t->out, row->inode);
  ck_put_uint(&t->out, row->size);
  ck_put_int(&t->out, row->mtime_ns);
  ck_put_uint(&t->out, row->mark.taken);
  ck_put_uint(&t->out, row->mark.head);
  ck_put_uint(&t->out, row->mark.tail);
  ck_put_int(&t->out, row->taken_at);
  end_frame(t);
}

static void put_one(void *self, struct watch_row *row) {
  if (row->taken_at) put_row(self, row);
}

void watch_file_write_again(struct watch_table *t) {
  char *beside = ck_sprintf("%s.new", t->path);
  if (t->fd >= 0) close(t->fd);
  t->frames = 0;
  t->fd = ck_open_file(AT_FDCWD, beside, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, NULL);
  ck_buf_clear(&t->out);
  put_head(t);
  watch_table_each(t, put_one, t);
  write_out(t);
  ck_buf_free(&t->out); /* which was as large as the file */
  if (t->fd < 0 || rename(beside, t->path)) {
    if (t->fd >= 0) give_up(t);
    unlink(beside);
  }
  free(beside);
}

/* With too many frames that say nothing any more, the file is written again. */
static bool is_long(const struct watch_table *t) { return t->frames > 2 * t->count + SPARE; }

void watch_file_put(struct watch_table *t, const struct watch_row *row) {
  if (!row->taken_at) return;
  if (is_long(t)) {
    watch_file_write_again(t);
    return;
  }
  put_row(t, row);
  write_out(t);
}

void watch_file_remove(struct watch_table *t, const struct watch_row *row) {
  if (!row->taken_at) return;
  begin_frame(t);
  ck_put_array(&t->out, 1);
  ck_put_bin(&t->out, ck_str_of(row->path));
  end_frame(t);
  write_out(t);
}

void watch_file_close(struct watch_table *t) {
  if (t->fd >= 0) close(t->fd);
  ck_buf_free(&t->out);
}

/* ---- reading ---- */

static int read_head(struct watch_table *t, struct ck_reader *r) {
  struct ck_str store, readers;
  if (ck_read_str(r, &store) || ck_read_str(r, &readers) || store.n >= sizeof t->store ||
      readers.n >= sizeof t->readers)
    return -1;
  snprintf(t->store, sizeof t->store, "%.*s", (int)store.n, store.s);
  snprintf(t->readers, sizeof t->readers, "%.*s", (int)readers.n, readers.s);
  return 0;
}

static int read_row(struct watch_table *t, struct ck_reader *r, uint32_t n) {
  struct ck_str path;
  uint64_t inode, size;
  int64_t mtime_ns;
  if (ck_read_bin(r, &path)) return -1;
  char *name = ck_str_dup(path);
  struct watch_row *row = watch_table_at(t, name);
  free(name);
  if (n == 1) {
    if (row) watch_row_drop(t, row);
    return 0;
  }
  if (!row) row = watch_row_add(t, path);
  if (ck_read_uint(r, &inode) || ck_read_uint(r, &size) || ck_read_int(r, &mtime_ns) ||
      ck_read_uint(r, &row->mark.taken) || ck_read_uint(r, &row->mark.head) ||
      ck_read_uint(r, &row->mark.tail) || ck_read_int(r, &row->taken_at)) {
    watch_row_drop(t, row);
    return -1;
  }
  watch_row_set(t, row, inode, size, mtime_ns);
  return 0;
}

static int read_frame(struct watch_table *t, struct ck_str frame) {
  struct ck_reader r = ck_reader_of(frame);
  uint32_t n;
  if (ck_read_array(&r, &n)) return -1;
  if (!t->frames) return n == 2 ? read_head(t, &r) : -1;
  return n == 1 || n == 8 ? read_row(t, &r, n) : -1;
}

/* The bytes of the frames that are whole. */
static size_t read_frames(struct watch_table *t, struct ck_str all) {
  size_t at = 0;
  while (all.n - at >= HEAD) {
    size_t n = get_u32(all.s + at);
    const char *frame = all.s + at + HEAD;
    if (n > all.n - at - HEAD || ck_crc32c(0, frame, n) != get_u32(all.s + at + 4) ||
        read_frame(t, (struct ck_str){frame, n}))
      break;
    ++t->frames;
    at += HEAD + n;
  }
  return at;
}

void watch_file_read(struct watch_table *t) {
  struct ck_buf all = {0};
  if (ck_read_file(AT_FDCWD, t->path, O_NOFOLLOW, SIZE_MAX, &all, NULL)) ck_buf_clear(&all);
  size_t whole = read_frames(t, ck_buf_view(&all));
  if (whole < all.len)
    ck_log(CK_WARN, "-", "watch_table_cut", "file=%s bytes=%zu of=%zu", t->path, whole, all.len);
  if (whole == all.len && whole && !is_long(t))
    t->fd = ck_open_file(AT_FDCWD, t->path, O_WRONLY | O_APPEND | O_NOFOLLOW, NULL);
  else
    watch_file_write_again(t);
  ck_buf_free(&all);
}
