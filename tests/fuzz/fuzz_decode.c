/* Any bytes as what a tool was told or has answered. */
#include "store/search/decode.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  struct ck_str text = {(const char *)data, n};
  struct ck_buf out = {0};
  search_decode(&out, text);
  if (out.len > n) abort();
  if (ck_utf8_ok(text) && !ck_utf8_ok(ck_buf_view(&out))) abort();
  ck_buf_free(&out);
  return 0;
}
