/* Any JSON as what `convkeep export --json` writes. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "tests/fuzz/ingest_visitor.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size) sum_source(&ingest_source_convkeep, data, size);
  return 0;
}
