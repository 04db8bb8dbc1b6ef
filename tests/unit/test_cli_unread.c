/* What is only in another data folder's spool is counted by the receipts that it noted. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "cli/import/unread.h"
#include "ingest/spool/segment.h"

#define PRODUCER "ingest-0123456789abcdef"

static char dir[] = "/tmp/ckunread.XXXXXX";
static char segment[CK_SPOOL_NAME_MAX];

static void write_file(const char *name, struct ck_str bytes) {
  char path[160];
  snprintf(path, sizeof path, "%s/%s", dir, name);
  FILE *f = fopen(path, "w");
  cr_assert(f && fwrite(bytes.s, 1, bytes.n, f) == bytes.n && fclose(f) == 0, "%s", path);
}

static void write_segment(size_t zeroes) {
  struct ck_buf file = {0};
  char head[INGEST_SEGMENT_HEAD];
  ingest_segment_head(head, PRODUCER);
  ck_buf_add(&file, head, sizeof head);
  for (uint64_t n = 7; n < 10; ++n) ingest_record_add(&file, n, CK_LIT("payload"));
  for (; zeroes; --zeroes) ck_buf_add(&file, "", 1);
  ck_spool_segment_name(segment, PRODUCER, 7);
  write_file(segment, ck_buf_view(&file));
  ck_buf_free(&file);
}

static void note_released(uint64_t number) {
  char line[CK_SPOOL_LINE_MAX];
  int n = ck_spool_number_line(line, PRODUCER, number);
  write_file(CK_SPOOL_RELEASED, (struct ck_str){line, (size_t)n});
}

static uint64_t unread(const char *name) {
  char path[160];
  snprintf(path, sizeof path, "%s/%s", dir, name);
  return cli_unread(AT_FDCWD, path);
}

Test(cli_unread, changesets_without_a_receipt) {
  cr_assert_not_null(mkdtemp(dir));
  write_segment(100);
  cr_expect_eq(unread(segment), 3, "without notes nothing is known of receipts");
  write_file(CK_SPOOL_PRODUCER, CK_LIT(PRODUCER "\n"));
  note_released(8);
  cr_expect_eq(unread(segment), 1);
  note_released(9);
  cr_expect_eq(unread(segment), 0);
  cr_expect_eq(unread(CK_SPOOL_RELEASED), 0, "not a segment");
  cr_expect_eq(unread("01234567-00000000000000000099.seg"), 0, "not there");
  int folder = open(dir, O_RDONLY | O_DIRECTORY);
  note_released(7);
  cr_expect_eq(cli_unread(folder, segment), 2);
  write_file(segment, CK_LIT("short"));
  cr_expect_eq(cli_unread(folder, segment), 0);
  static const char *const names[] = {CK_SPOOL_PRODUCER, CK_SPOOL_RELEASED, segment};
  for (int i = 0; i < 3; ++i) unlinkat(folder, names[i], 0);
  close(folder);
  rmdir(dir);
}
