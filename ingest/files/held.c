/* See held.h. */
#include "ingest/files/held.h"

#include <stdio.h>
#include <stdlib.h>

#define HELD_MAX 1000         /* failures */
#define HELD_BYTES (4u << 20) /* raw bytes of all of them */
#define HELD_RAW (64u << 10)  /* raw bytes of one */

bool ingest_held_add(struct ingest_held *h, const char *place, const char *reason,
                     struct ck_str raw) {
  if (h->count == h->room) {
    h->room = h->room ? h->room * 2 : 8;
    h->failures = ck_realloc(h->failures, h->room * sizeof *h->failures);
  }
  struct ingest_held_failure *f = &h->failures[h->count++];
  snprintf(f->place, sizeof f->place, "%s", place);
  ck_fail(&f->reason, "%s", reason);
  raw = ck_utf8_ok(raw) ? ck_utf8_cut(raw, HELD_RAW) : (struct ck_str){0};
  f->raw =
      raw.n && h->bytes + raw.n <= HELD_BYTES ? ck_arena_copy(&h->raw, raw) : (struct ck_str){0};
  h->bytes += f->raw.n;
  return h->count < HELD_MAX;
}

void ingest_held_tell(struct ingest_held *h, const struct ingest_visitor *visitor) {
  for (size_t i = 0; i < h->count; ++i) {
    const struct ingest_held_failure *f = &h->failures[i];
    visitor->failure(visitor->self, f->place, f->reason.text, f->raw);
  }
  ingest_held_free(h);
}

void ingest_held_free(struct ingest_held *h) {
  free(h->failures);
  h->failures = NULL;
  h->count = h->room = 0;
  ck_arena_free(&h->raw);
}
