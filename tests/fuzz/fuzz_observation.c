/* Any bytes as a file: reading it whole and in pieces gives the same. Also any JSON as one
 * observation. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "ingest/files/reader.h"
#include "tests/fuzz/ingest_visitor.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct sum read_in(const uint8_t *data, size_t size, size_t piece) {
  struct sum s = {0};
  struct ingest_visitor visitor = {&s,          sum_begin, sum_end, sum_observation,
                                   sum_failure, sum_note,  sum_rows};
  struct ingest_reader *r = ingest_reader_new("-", &visitor);
  for (size_t at = 0; at < size; at += piece)
    if (!ingest_reader_feed(r, (const char *)data + at, size - at < piece ? size - at : piece))
      break;
  ingest_reader_end(r);
  sum_add(&s, ck_str_of(ingest_reader_format(r)), ck_str_of(ingest_reader_error(r)));
  ingest_reader_free(&r);
  return s;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (!size) return 0;
  struct sum whole = read_in(data, size, size), parts = read_in(data, size, 1 + size % 13);
  assert(memcmp(whole.id, parts.id, sizeof whole.id) == 0);
  sum_source(&ingest_source_jsonl, data, size);
  return 0;
}
