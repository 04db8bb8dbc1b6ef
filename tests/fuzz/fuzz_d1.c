/* Any bytes as what D1 answers to a request of two statements: what came of it is one of the
 * classes, in words that may go on in frames. */
#include "syncd/sinks/d1_answer.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  static const long codes[] = {200, 400, 401, 404, 413, 429, 500, 503};
  static const struct sync_statement statements[2] = {{SYNC_UPSERT_CAUTIOUS, CK_EXECUTIONS, 0, 2},
                                                      {SYNC_ORPHANS, CK_EXECUTIONS, 0, 2}};
  struct sync_row rows[2] = {{.state = SYNC_ROW_OPEN}, {.state = SYNC_ROW_OPEN}},
                  *places[2] = {&rows[0], &rows[1]};
  struct sync_slice slice = {.rows = places, .n = 2, .caution = CK_CAUTION_UNIQUE};
  struct sync_answer a = {0};
  if (!n) return 0;
  struct ck_str body = {(const char *)data + 1, n - 1};
  sync_d1_answer(&a, codes[data[0] & 7], body, &slice, statements, data[0] & 8 ? 2 : 1);
  if (a.class >= SYNC_CLASSES || !ck_utf8_ok(ck_str_of(a.text))) abort();
  for (int i = 0; i < 2; ++i) {
    if (a.class != SYNC_DONE && rows[i].state != SYNC_ROW_OPEN) abort();
    sync_row_mark(&rows[i], SYNC_ROW_OPEN, NULL);
  }
  return 0;
}
