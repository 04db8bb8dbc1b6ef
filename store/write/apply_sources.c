/* When something came last, by platform: what tells that a source has gone silent. */
#include "store/write/apply_internal.h"

#include <stdlib.h>

#define APART_MS 1000

/* An import has thousands of messages of one platform, of which one in a second writes. */
static bool was_just_noted(const struct apply *a, struct ck_str platform) {
  int64_t since = a->now - a->source_at;
  return since >= 0 && since < APART_MS && ck_str_eq(ck_buf_view(&a->source), platform);
}

int source_changes(struct apply *a, const struct ck_row *after, struct ck_err *err) {
  struct ck_str platform = ck_row_text(after, CK_MESSAGES_PLATFORM);
  if (after->table != CK_MESSAGES || !platform.n || was_just_noted(a, platform)) return 0;
  if (apply_savepoint(a, err)) return -1;
  if (system_run(a->system, SYSTEM_SOURCE_SAVE, err, "si", platform, a->now))
    return apply_failed(a);
  ck_buf_clear(&a->source);
  ck_buf_str(&a->source, platform);
  a->source_at = a->now;
  return 0;
}
