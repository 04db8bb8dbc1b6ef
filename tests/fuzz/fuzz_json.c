/* Any bytes as a MessagePack value written as JSON, also bytes that ck_scan refuses. */
#include "proto/pack.h"

#include <jansson.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  struct ck_str bytes = {(const char *)data, n}, raw;
  struct ck_reader r = ck_reader_of(bytes), whole = r;
  struct ck_buf json = {0};
  bool sound = ck_scan(data, n, NULL) == 0;
  bool read = ck_read_raw(&whole, &raw) == 0;
  if (sound && (!read || whole.p != whole.end)) abort();
  if (ck_read_json(&r, &json) == 0) {
    if (!read || r.p != whole.p) abort();
    if (json.len > 6 * n + 64) abort();
    json_error_t err;
    /* JSON_DECODE_INT_AS_REAL: jansson has no integers above INT64_MAX. */
    json_t *tree = json_loadb(json.data, json.len,
                              JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL | JSON_ALLOW_NUL, &err);
    if (!tree && json_error_code(&err) != json_error_null_byte_in_key) abort();
    json_decref(tree);
  } else if (json.len) {
    abort();
  }
  ck_buf_free(&json);
  return 0;
}
