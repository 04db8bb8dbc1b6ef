/* Any bytes as a segment of the spool. Also valid records made from any bytes, some of them then
 * corrupted: every record reported as valid must be one that was written. */
#include "ingest/spool/segment.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

struct seen {
  struct ck_str written; /* the source of all payloads; s is NULL if it is unknown */
  uint64_t records, first, last;
};

static void each(void *self, uint64_t number, struct ck_str payload) {
  struct seen *s = self;
  if (!s->records++) s->first = number;
  s->last = number;
  if (s->written.s && payload.n && !memmem(s->written.s, s->written.n, payload.s, payload.n))
    abort();
}

static void scan(struct ck_str file, struct ck_str written) {
  struct seen seen = {.written = written};
  struct ingest_scan scan;
  ingest_segment_scan(file, &scan, each, &seen);
  if (scan.records != seen.records || scan.first != seen.first || scan.last != seen.last) abort();
  if (scan.good > file.n || scan.torn > file.n - scan.good) abort();
  if (!scan.damaged && scan.records && scan.last != scan.first + scan.records - 1) abort();
}

/* The first byte is the payload length, the last six choose the corrupted bytes and where the file
 * ends. */
static void corrupted(const uint8_t *data, size_t n) {
  struct ck_buf file = {0};
  char head[INGEST_SEGMENT_HEAD];
  const uint8_t *choice = data + n - 6;
  size_t piece = 1 + data[0], left = n - 7;
  ingest_segment_head(head, "ingest-0123456789abcdef");
  ck_buf_add(&file, head, sizeof head);
  for (uint64_t number = 1; left; ++number) {
    size_t now = left < piece ? left : piece;
    ingest_record_add(&file, number, (struct ck_str){(const char *)data + n - 6 - left, now});
    left -= now;
  }
  scan(ck_buf_view(&file), (struct ck_str){(const char *)data + 1, n - 7});
  for (int i = 0; i < 2; ++i)
    file.data[((size_t)choice[2 * i] << 8 | choice[2 * i + 1]) % file.len] ^= (char)choice[4];
  file.len -= choice[5] % file.len;
  scan(ck_buf_view(&file), (struct ck_str){(const char *)data + 1, n - 7});
  ck_buf_free(&file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  scan((struct ck_str){(const char *)data, n}, (struct ck_str){0});
  if (n > 7) corrupted(data, n);
  return 0;
}
