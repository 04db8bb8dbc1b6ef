/* Follow-ups; see check.h. */
#include "proto/check.h"

#include <stdlib.h>
#include <string.h>

#include "proto/cost.h"
#include "proto/pattern.h"
#include "proto/payload.h"
#include "proto/quiet.h"
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

/* renew.exec.NAME.timeout and the like are of a renew.exec.NAME; a folder is absolute. */
static void check_exec(const struct ck_check *k) {
  static const char exec[] = "renew.exec.";
  struct ck_setting_view v;
  for (int i = CK_SETTINGS; ck_settings_view(k->s, i, &v); ++i) {
    const char *name = v.name + sizeof exec - 1, *dot;
    struct ck_exec of;
    struct ck_err err;
    if (strncmp(v.name, exec, sizeof exec - 1) != 0 || !(dot = strchr(name, '.'))) continue;
    char *of_name = ck_str_dup((struct ck_str){name, (size_t)(dot - name)});
    bool wrong = false;
    if (!ck_set_exec(k->s, of_name, &of))
      wrong = ck_fail(&err, "there is no setting %s%.100s", exec, of_name);
    else if (strcmp(dot, ".folder") == 0 && v.value[0] && v.value[0] != '/' && v.value[0] != '{')
      wrong = ck_fail(&err, "must be an absolute path, or a {placeholder} that is one");
    if (wrong) ck_check_stops(k, (enum ck_setting)i, &err);
    free(of_name);
  }
}

int ck_check_quiet(struct ck_str hours, struct ck_err *err) {
  struct ck_quiet q;
  if (ck_quiet_read(&q, hours, err)) return -1;
  struct ck_zone *zone = ck_zone_open(q.zone, err);
  int rc = zone ? 0 : -1;
  ck_zone_free(&zone);
  return rc;
}

static void check_quiet(const struct ck_check *k) {
  struct ck_str hours = ck_str_of(ck_set_text(k->s, CK_SET_RENEW_QUIET));
  struct ck_err err;
  if (hours.n && ck_check_quiet(hours, &err)) ck_check_stops(k, CK_SET_RENEW_QUIET, &err);
}

/* renew.exec.NAME is there, or it is an address; whether that may be reached is said by renewd. */
static void check_notify(const struct ck_check *k) {
  static const char exec[] = "exec ";
  const char *set = ck_set_text(k->s, CK_SET_RENEW_NOTIFY);
  struct ck_exec of;
  struct ck_err err;
  struct ck_url u;
  if (!*set) return;
  if (strncmp(set, exec, sizeof exec - 1) == 0) {
    if (ck_set_exec(k->s, set + sizeof exec - 1, &of)) return;
    ck_fail(&err, "there is no setting renew.exec.%.100s", set + sizeof exec - 1);
    ck_check_stops(k, CK_SET_RENEW_NOTIFY, &err);
    return;
  }
  if (ck_url_parse(&u, set) || u.user) {
    ck_fail(&err, "neither exec NAME nor an http or https address without user: %.200s", set);
    ck_check_stops(k, CK_SET_RENEW_NOTIFY, &err);
  }
  ck_url_free(&u);
}

void ck_check_renewal(const struct ck_check *k) {
  struct ck_err err;
  check_prefixes(k, CK_SET_RENEW_WEBHOOK_ALLOW);
  check_prefixes(k, CK_SET_RENEW_WEBHOOK_IDEMPOTENT);
  check_exec(k);
  check_notify(k);
  if (ck_pattern_check(ck_str_of(ck_set_text(k->s, CK_SET_RENEW_STOP_TEXT)), &err))
    ck_check_stops(k, CK_SET_RENEW_STOP_TEXT, &err);
  check_quiet(k);
  int64_t cost;
  if (ck_cost_parse(ck_str_of(ck_set_text(k->s, CK_SET_RENEW_COST_PER_DAY)), &cost, &err))
    ck_check_stops(k, CK_SET_RENEW_COST_PER_DAY, &err);
  if (ck_payload_check(ck_str_of(ck_set_text(k->s, CK_SET_RENEW_PAYLOAD)),
                       (enum ck_payload_kind)ck_set_int(k->s, CK_SET_RENEW_PAYLOAD_KIND), &err))
    ck_check_stops(k, CK_SET_RENEW_PAYLOAD, &err);
}
