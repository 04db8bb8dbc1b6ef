/* Any bytes as a page's address. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "ingest/route.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void inside(struct ck_str part, struct ck_str url) {
  assert(part.n == 0 || ck_str_is(part, "/") ||
         (part.s >= url.s && part.s + part.n <= url.s + url.n));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct ck_str url = {(const char *)data, size};
  struct ingest_route r;
  struct ck_buf b = {0};
  if (ingest_route(url, &r)) {
    assert(r.platform && (r.kind == INGEST_ROUTE_CONVERSATION) == (r.id.n > 0));
    inside(r.path, url);
    inside(r.id, url);
    assert(r.id.n <= 200 && !memchr(r.id.s ? r.id.s : "", ':', r.id.n));
    for (int i = 0; i < r.param_count; ++i) inside(r.params[i].value, url);
    ingest_route_pattern(&b, &r);
    if (ck_utf8_ok(url)) ingest_route_params(&b, &r);
  }
  ck_buf_free(&b);
  return 0;
}
