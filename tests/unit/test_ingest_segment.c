/* A segment is damaged where its numbers do not go on one by one, however sound each record is. */
#include <criterion/criterion.h>

#include "ingest/spool/segment.h"

/* A segment with these numbers, 0 ends the list; then `torn` bytes that are no record.
 */
static struct ingest_scan scan_of(const uint64_t *numbers, size_t torn) {
  struct ck_buf file = {0};
  struct ingest_scan scan;
  char head[INGEST_SEGMENT_HEAD];
  ingest_segment_head(head, "ingest-0123456789abcdef");
  ck_buf_add(&file, head, sizeof head);
  for (; *numbers; ++numbers) ingest_record_add(&file, *numbers, CK_LIT("payload"));
  for (; torn; --torn) ck_buf_text(&file, "x");
  ingest_segment_scan(ck_buf_view(&file), &scan, NULL, NULL);
  ck_buf_free(&file);
  return scan;
}
#define SCAN(torn, ...) scan_of((const uint64_t[]){__VA_ARGS__, 0}, torn)

Test(ingest_segment, numbers_that_go_on) {
  struct ingest_scan scan = SCAN(0, 7, 8, 9);
  cr_expect(!scan.damaged && scan.records == 3 && scan.first == 7 && scan.last == 9);
}

Test(ingest_segment, a_torn_tail_is_no_damage) {
  struct ingest_scan scan = SCAN(5, 7, 8, 9);
  cr_expect(!scan.damaged && scan.records == 3 && scan.torn == 5);
}

Test(ingest_segment, a_jump_is_damage) {
  struct ingest_scan scan = SCAN(0, 7, 8, 10);
  cr_expect(scan.damaged, "9 is missing");
  cr_expect(scan.records == 3 && scan.first == 7 && scan.last == 10);
}

Test(ingest_segment, a_number_twice_is_damage) {
  cr_expect(SCAN(0, 7, 8, 8).damaged);
  cr_expect(SCAN(0, 7, 8, 7).damaged);
}
