/* Any JSON as what a Claude.ai export has: a conversation, a project, memories, a design chat. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "tests/fuzz/ingest_visitor.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const struct ingest_source *const sources[] = {
      &ingest_source_claude, &ingest_source_claude_project, &ingest_source_claude_memories,
      &ingest_source_claude_design};
  for (size_t i = 0; size && i < sizeof sources / sizeof *sources; ++i)
    sum_source(sources[i], data, size);
  return 0;
}
