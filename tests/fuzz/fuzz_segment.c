/* Any bytes as a segment of the spool; and sound records, made of any bytes, of which then some are
 * spoiled: a record that is said to be sound is one that was written. */
#include "ingest/segment.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

struct seen {
  struct ck_str written; /* where payloads come from; s is NULL when that is not known */
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

/* The first byte says how long each payload is, the last six which bytes are spoiled and where the
 * file ends. */
static void spoiled(const uint8_t *data, size_t n) {
  struct ck_buf file = {0};
  char head[INGEST_SEGMENT_HEAD];
  const uint8_t *spoil = data + n - 6;
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
    file.data[((size_t)spoil[2 * i] << 8 | spoil[2 * i + 1]) % file.len] ^= (char)spoil[4];
  file.len -= spoil[5] % file.len;
  scan(ck_buf_view(&file), (struct ck_str){(const char *)data + 1, n - 7});
  ck_buf_free(&file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  scan((struct ck_str){(const char *)data, n}, (struct ck_str){0});
  if (n > 7) spoiled(data, n);
  return 0;
}
