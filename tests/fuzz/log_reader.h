/* Any lines as a log whose lines depend on those before them. */
#ifndef CK_TESTS_FUZZ_LOG_READER_H
#define CK_TESTS_FUZZ_LOG_READER_H

#include "ingest/files/reader.h"
#include "tests/fuzz/ingest_visitor.h"

static void begin_original(void *self, const char *id, struct ck_str bytes, bool kept,
                           const char *reader, const struct ck_original *run) {
  (void)self, (void)id, (void)bytes, (void)kept, (void)reader, (void)run;
}
static void end_original(void *self) { (void)self; }
static void whole_original(void *self, uint64_t messages) { (void)self, (void)messages; }

/* Reads the lines at once, or with a pause after each. Must end. */
static void read_log(const char *name, struct ck_str bytes, bool pauses) {
  struct sum s = {.id = ""};
  const struct ingest_visitor visitor = {&s,          sum_begin, sum_end, sum_observation,
                                         sum_failure, sum_note,  sum_rows};
  const struct ingest_originals_ops ops = {NULL, begin_original, end_original, whole_original};
  struct ingest_reader *r = ingest_reader_new(name, &visitor);
  ingest_reader_originals(r, &ops, false, 0);
  for (size_t at = 0, n; at < bytes.n; at += n) {
    const char *end = memchr(bytes.s + at, '\n', bytes.n - at);
    n = pauses && end ? (size_t)(end + 1 - bytes.s) - at : bytes.n - at;
    ingest_reader_feed(r, bytes.s + at, n);
    if (!pauses) continue;
    ingest_reader_pause(r);
    ingest_reader_go(r, false);
  }
  ingest_reader_end(r);
  ingest_reader_go(r, false);
  assert(ingest_reader_done(r) || !bytes.n);
  ingest_reader_free(&r);
  ingest_changeset_free(&s.many);
}

#endif
