/* Any text as where a follow-up goes, and as what it says: the letter is one JSON object on one
 * line, or there is none. */
#include "renewd/core/target.h"

#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void write_letter(const struct renew_target *t, struct ck_str payload, const char *kind) {
  const struct renew_letter letter = {.job_id = CK_LIT("job"),
                                      .conversation_id = CK_LIT("x:1"),
                                      .payload = payload,
                                      .payload_kind = ck_str_of(kind),
                                      .attempt = 1,
                                      .target = t,
                                      .message_id = payload,
                                      .last_message_id = payload};
  struct ck_buf b = {0};
  struct ck_err err;
  json_error_t why;
  if (renew_letter_json(&b, &letter, &err) == 0) {
    json_t *tree = json_loadb(b.data, b.len, JSON_ALLOW_NUL, &why);
    if (!json_is_object(tree) || memchr(b.data, '\n', b.len)) abort();
    json_decref(tree);
  }
  ck_buf_free(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  struct ck_str text = {(const char *)data, n};
  struct renew_target t = {0};
  struct ck_err err;
  if (!ck_utf8_ok(text)) return 0; /* both are columns of a record, and those are UTF-8 */
  if (renew_target_parse(&t, text, &err) == 0) write_letter(&t, CK_LIT("go on"), "text");
  renew_target_free(&t);
  t = (struct renew_target){0};
  write_letter(&t, text, "json");
  write_letter(&t, text, "text");
  return 0;
}
