/* What the core needs of the settings. */
#include "renewd/renewd.h"

#include "proto/cost.h"

/* Zones stay open: there are few of them. */
static struct open_zone {
  struct open_zone *next;
  char *name;
  struct ck_zone *zone;
} * zones;

static const struct ck_zone *zone_named(const void *self, struct ck_str name, struct ck_err *err) {
  (void)self;
  struct open_zone *z = zones;
  while (z && !ck_str_is(name, z->name)) z = z->next;
  if (z) return z->zone;
  struct ck_zone *zone = ck_zone_open(name, err);
  if (!zone) return NULL;
  z = ck_zalloc(sizeof *z);
  *z = (struct open_zone){zones, ck_str_dup(name), zone};
  zones = z;
  return zone;
}

/* Jobs by hand that are held though they are not due: some 5 MB of them. */
#define AHEAD 10000

/* Another text is no setting that renewd starts with. */
static int64_t cost_of(const char *set) {
  int64_t cost;
  return ck_cost_parse(ck_str_of(set), &cost, NULL) ? 0 : cost;
}

struct renew_settings renew_settings_of(const struct ck_settings *s) {
  return (struct renew_settings){
      .rules = {.max_age = ck_set_int(s, CK_SET_RENEW_MAX_AGE),
                .cooldown = ck_set_int(s, CK_SET_RENEW_COOLDOWN),
                .backoff = ck_set_int(s, CK_SET_RENEW_BACKOFF),
                .backoff_max = ck_set_int(s, CK_SET_RENEW_BACKOFF_MAX),
                .max_attempts = ck_set_int(s, CK_SET_RENEW_MAX_ATTEMPTS),
                .give_up = ck_set_int(s, CK_SET_RENEW_GIVE_UP)},
      .stops = {.in_a_row = ck_set_int(s, CK_SET_RENEW_IN_A_ROW),
                .alike = ck_set_int(s, CK_SET_RENEW_ALIKE),
                .per_day = ck_set_int(s, CK_SET_RENEW_PER_DAY),
                .cost_per_day = cost_of(ck_set_text(s, CK_SET_RENEW_COST_PER_DAY)),
                .tokens_per_day = ck_set_int(s, CK_SET_RENEW_TOKENS_PER_DAY),
                .question = ck_set_int(s, CK_SET_RENEW_QUESTION) == 0,
                .quiet = ck_str_of(ck_set_text(s, CK_SET_RENEW_QUIET)),
                .zone = zone_named,
                .question_ok = ck_str_of(ck_set_text(s, CK_SET_RENEW_QUESTION_OK)),
                .text = ck_str_of(ck_set_text(s, CK_SET_RENEW_STOP_TEXT))},
      .delay = ck_set_int(s, CK_SET_RENEW_DELAY),
      .spacing = ck_set_int(s, CK_SET_RENEW_SPACING),
      .account_spacing = ck_set_int(s, CK_SET_RENEW_ACCOUNT_SPACING),
      .ahead = AHEAD,
      .account_slots = (unsigned)ck_set_int(s, CK_SET_RENEW_ACCOUNT_SLOTS),
      .payload = ck_set_text(s, CK_SET_RENEW_PAYLOAD),
      .payload_kind = (enum ck_payload_kind)ck_set_int(s, CK_SET_RENEW_PAYLOAD_KIND),
      .self = s,
      .serves = renew_channels_serve,
      .repeatable = renew_channels_repeat};
}
