/* What the core needs of the settings. */
#include "renewd/renewd.h"

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
                .question = ck_set_int(s, CK_SET_RENEW_QUESTION) == 0,
                .question_ok = ck_str_of(ck_set_text(s, CK_SET_RENEW_QUESTION_OK)),
                .text = ck_str_of(ck_set_text(s, CK_SET_RENEW_STOP_TEXT))},
      .delay = ck_set_int(s, CK_SET_RENEW_DELAY),
      .spacing = ck_set_int(s, CK_SET_RENEW_SPACING),
      .payload = ck_set_text(s, CK_SET_RENEW_PAYLOAD),
      .self = s,
      .serves = renew_channels_serve,
      .repeatable = renew_channels_repeat};
}
