/* Any lines as a Codex file, read in two ways: at once, and with a pause after each line. Both
 * must end. */
#include <stddef.h>
#include <stdint.h>

#include "tests/fuzz/log_reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NAME \
  "/h/.codex/sessions/2026/10/07/" \
  "rollout-2026-10-07T09-00-00-01a0c2de-0000-7000-8000-00000000000a.jsonl"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct ck_str bytes = {(const char *)data, size};
  read_log(NAME, bytes, false);
  read_log(NAME, bytes, true);
  return 0;
}
