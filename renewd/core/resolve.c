/* See resolve.h. */
#include "renewd/core/resolve.h"

int renew_resolve_target(const struct renew_settings *set, const struct renew_target *t,
                         struct ck_err *err) {
  if (!t->kind)
    return ck_fail(err, "its active link names no target: import an observation of it with "
                        "`target` or `client_id`");
  if (!renew_target_of_client(t)) return set->serves(set->self, t, err);
  return renew_target_client(t)
             ? 0
             : ck_fail(err, "its target, of kind %.100s, has neither client_id nor id", t->kind);
}

int renew_resolve_link(const struct renew_settings *set, const struct renew_link *link,
                       struct ck_buf *snapshot, struct ck_err *err) {
  if (!link)
    return ck_fail(err, "it has no active link: import an observation of it with `target` or "
                        "`client_id`");
  size_t from = snapshot->len;
  renew_snapshot(snapshot, link);
  struct ck_str appended = {snapshot->data + from, snapshot->len - from};
  struct renew_target t;
  int rc = renew_target_parse(&t, appended, err);
  if (rc == 0) rc = renew_resolve_target(set, &t, err);
  if (!t.kind) snapshot->len = from;
  renew_target_free(&t);
  return rc;
}
