/* Writes and reads the bytes that segment.h describes. */
#include "ingest/spool/segment.h"

#include "ingest/spool/spool.h"

#include <stdio.h>
#include <string.h>

#define TITLE CK_SPOOL_TITLE
#define MAGIC CK_SPOOL_MAGIC
enum { AT_LENGTH = 4, AT_NUMBER = 8, AT_CRC = 16 };

static void put_le(char *out, uint64_t v, int bytes) {
  for (int i = 0; i < bytes; ++i) out[i] = (char)(v >> 8 * i & 0xff);
}

/* ---- the head ---- */

void ingest_segment_head(char out[INGEST_SEGMENT_HEAD], const char *producer) {
  memset(out, 0, INGEST_SEGMENT_HEAD);
  snprintf(out, INGEST_SEGMENT_HEAD, TITLE "%s", producer);
}

bool ingest_segment_producer(char out[INGEST_SEGMENT_HEAD], struct ck_str file) {
  const size_t title = sizeof TITLE - 1;
  out[0] = '\0';
  if (file.n < INGEST_SEGMENT_HEAD || memcmp(file.s, TITLE, title) != 0 ||
      file.s[INGEST_SEGMENT_HEAD - 1])
    return false;
  snprintf(out, INGEST_SEGMENT_HEAD, "%s", file.s + title);
  return out[0] != '\0';
}

/* ---- records ---- */

void ingest_record_add(struct ck_buf *b, uint64_t number, struct ck_str payload) {
  char *record = ck_buf_room(b, INGEST_RECORD_HEAD + payload.n);
  memcpy(record, MAGIC, 4);
  put_le(record + AT_LENGTH, payload.n, 4);
  if (payload.n) memcpy(record + INGEST_RECORD_HEAD, payload.s, payload.n);
  ingest_record_renumber(record, number);
  b->len += INGEST_RECORD_HEAD + payload.n;
}

void ingest_record_renumber(char *record, uint64_t number) {
  put_le(record + AT_NUMBER, number, 8);
  struct ck_spool_record head;
  ck_spool_record_head(record, &head);
  put_le(record + AT_CRC, ck_spool_record_crc(record, head.length), 4);
}

int64_t ingest_record_length(const char head[INGEST_RECORD_HEAD]) {
  struct ck_spool_record record;
  bool is = ck_spool_record_head(head, &record) && record.length <= INGEST_RECORD_MAX;
  return is ? (int64_t)record.length : -1;
}

size_t ingest_record_read(struct ck_str bytes, uint64_t *number, struct ck_str *payload) {
  struct ck_spool_record head;
  int64_t n = bytes.n < INGEST_RECORD_HEAD ? -1 : ingest_record_length(bytes.s);
  if (n < 0 || (size_t)n > bytes.n - INGEST_RECORD_HEAD) return 0;
  ck_spool_record_head(bytes.s, &head);
  if (ck_spool_record_crc(bytes.s, (size_t)n) != head.crc) return 0;
  *number = head.number;
  *payload = (struct ck_str){bytes.s + INGEST_RECORD_HEAD, (size_t)n};
  return INGEST_RECORD_HEAD + (size_t)n;
}

/* ---- a whole file ---- */

static struct ck_str from(struct ck_str file, size_t at) {
  return (struct ck_str){file.s + at, file.n - at};
}

/* The offset of the first valid record at or after `at`; the file's end if there is none. */
static size_t next_valid(struct ck_str file, size_t at) {
  uint64_t number;
  struct ck_str payload;
  while (at < file.n) {
    const char *hit = memmem(file.s + at, file.n - at, MAGIC, 4);
    if (!hit) break;
    at = (size_t)(hit - file.s);
    if (ingest_record_read(from(file, at), &number, &payload)) return at;
    ++at;
  }
  return file.n;
}

static size_t without_zeroes(const char *bytes, size_t n) {
  while (n && !bytes[n - 1]) --n;
  return n;
}

void ingest_segment_scan(struct ck_str file, struct ingest_scan *scan,
                         void (*each)(void *self, uint64_t number, struct ck_str payload),
                         void *self) {
  uint64_t number;
  struct ck_str payload;
  *scan = (struct ingest_scan){0};
  bool headed = ingest_segment_producer(scan->producer, file);
  size_t at = headed ? INGEST_SEGMENT_HEAD : 0;
  scan->good = at;
  while (at < file.n) {
    size_t n = ingest_record_read(from(file, at), &number, &payload);
    if (!n) {
      at = next_valid(file, at);
      scan->damaged |= at < file.n;
      continue;
    }
    scan->damaged |= scan->records && number != scan->last + 1;
    if (!scan->records++) scan->first = number;
    scan->last = number;
    scan->good = at += n;
    if (each) each(self, number, payload);
  }
  scan->torn = without_zeroes(file.s + scan->good, file.n - scan->good);
}
