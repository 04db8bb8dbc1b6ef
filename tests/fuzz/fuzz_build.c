/* Any UTF-8 as JSON: the fast parser gives the same value as jansson, which knows no byte order
 * mark. */
#include "proto/json_build.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ingest/parse/json.h"

#define MARK "\xef\xbb\xbf"
#define FLAGS (JSON_DECODE_ANY | JSON_ALLOW_NUL)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* True if jansson prints the value as exactly the same text: then no number in it was out of range.
 */
static int is_plain(const json_t *value, const char *bytes, size_t n) {
  char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
  int plain = text && strlen(text) == n && memcmp(text, bytes, n) == 0;
  free(text);
  return plain;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  const char *bytes = (const char *)data;
  json_error_t e;
  if (!n || !ck_utf8_ok((struct ck_str){bytes, n})) return 0;
  size_t mark = ck_str_starts((struct ck_str){bytes, n}, MARK) ? sizeof MARK - 1 : 0;
  const struct ck_json_text text = {
      .bytes = bytes, .n = n, .depth = INGEST_JSON_DEPTH, .values = SIZE_MAX};
  json_t *built = ck_json_build(&text, NULL),
         *loaded = json_loadb(bytes + mark, n - mark, FLAGS, &e);
  if (built && !loaded && json_error_code(&e) != json_error_numeric_overflow) abort();
  if (built && loaded && !json_equal(built, loaded)) abort();
  if (!built && loaded && n < INGEST_JSON_DEPTH && is_plain(loaded, bytes + mark, n - mark))
    abort();
  json_decref(built);
  json_decref(loaded);
  return 0;
}
