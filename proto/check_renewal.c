/* Follow-ups; see check.h. */
#include "proto/check.h"

#include "proto/url.h"

static void check_prefixes(const struct ck_check *k, enum ck_setting which) {
  const char *prefix;
  for (int i = 0; (prefix = ck_set_word(k->s, which, i)); ++i) {
    struct ck_url u;
    struct ck_err err;
    if (ck_url_parse(&u, prefix) || u.user || u.query) {
      ck_fail(&err, "not an http or https address without user and query: %s", prefix);
      ck_check_stops(k, which, &err);
    }
    ck_url_free(&u);
  }
}

void ck_check_renewal(const struct ck_check *k) {
  struct ck_err err;
  check_prefixes(k, CK_SET_RENEW_WEBHOOK_ALLOW);
  check_prefixes(k, CK_SET_RENEW_WEBHOOK_IDEMPOTENT);
  if (ck_trim(ck_str_of(ck_set_text(k->s, CK_SET_RENEW_PAYLOAD))).n) return;
  ck_fail(&err, "must not be blank");
  ck_check_stops(k, CK_SET_RENEW_PAYLOAD, &err);
}
