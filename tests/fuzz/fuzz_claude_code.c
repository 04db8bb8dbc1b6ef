/* Any lines as a Claude Code file, read in two ways: at once, and with a pause after each line.
 * Both must end. */
#include <stddef.h>
#include <stdint.h>

#include "tests/fuzz/log_reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NAME "/h/.claude/projects/x/s/subagents/workflows/w/agent-a.jsonl"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct ck_str bytes = {(const char *)data, size};
  read_log(NAME, bytes, false);
  read_log(NAME, bytes, true);
  return 0;
}
