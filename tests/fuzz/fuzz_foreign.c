/* A foreign database of any bytes: reading it ends, and every row that it hands over can be sent.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/import/foreign_rows.h"
#include "proto/wire.h"

static int take_row(void *self, const struct foreign_row *row, const char *place) {
  struct ck_buf b = {0};
  struct ck_arena arena = {0};
  struct ck_row back;
  struct ck_err err;
  (void)self;
  ck_row_encode(&b, &row->row);
  if (!ck_utf8_ok(ck_str_of(place)) ||
      ck_row_decode(&back, row->row.table, ck_buf_view(&b), &arena, &err))
    abort();
  ck_buf_free(&b);
  ck_arena_free(&arena);
  return 0;
}
static void take_failure(void *self, enum ck_table table, const char *place, const char *reason,
                         struct ck_str raw) {
  (void)self;
  if (table >= CK_TABLES || !*place || !ck_utf8_ok(ck_str_of(reason)) || !ck_utf8_ok(raw)) abort();
}
static void take_note(void *self, const char *text) {
  (void)self;
  if (!ck_utf8_ok(ck_str_of(text))) abort();
}
static int go_on(void *self) {
  (void)self;
  return 0;
}

static void remove_it(const char *path) {
  static const char *const ends[] = {"", "-wal", "-shm", "-journal"};
  char name[64];
  for (size_t i = 0; i < sizeof ends / sizeof *ends; ++i) {
    snprintf(name, sizeof name, "%s%s", path, ends[i]);
    unlink(name);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
  static const struct foreign_visitor visitor = {NULL, take_row, take_failure, take_note, go_on};
  char path[] = "/tmp/convkeep-fuzz-foreign-XXXXXX";
  struct ck_err err;
  int fd = mkstemp(path);
  if (fd < 0 || write(fd, bytes, n) != (ssize_t)n) abort();
  close(fd);
  foreign_rows_read(path, &visitor, &err);
  remove_it(path);
  return 0;
}
