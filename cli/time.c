/* Prints times; see time.h. */
#include "cli/time.h"

#include "proto/moment.h"

void cli_time_text(struct ck_buf *b, int64_t ms) { ck_moment_text(b, ms); }

void cli_minute_text(struct ck_buf *b, int64_t ms) {
  cli_time_text(b, ms);
  if (b->len > sizeof ":SS" - 1) b->len -= sizeof ":SS" - 1;
}

void cli_day_text(struct ck_buf *b, int64_t ms) {
  cli_minute_text(b, ms);
  if (b->len > sizeof " HH:MM" - 1) b->len -= sizeof " HH:MM" - 1;
}

void cli_duration_text(struct ck_buf *b, int64_t ms) {
  if (ms < 0) ms = -ms;
  int i = 0;
  while (i < CK_UNITS - 1 && ms < ck_units[i].ms) ++i;
  ck_buf_printf(b, "%lld %s", (long long)(ms / ck_units[i].ms), ck_units[i].name);
  if (i >= CK_UNITS - 2) return;
  int64_t rest = ms % ck_units[i].ms / ck_units[i + 1].ms;
  if (rest) ck_buf_printf(b, " %lld %s", (long long)rest, ck_units[i + 1].name);
}

void cli_seconds_text(struct ck_buf *b, int64_t ms) {
  if (ms > -1000 && ms < 1000)
    ck_buf_text(b, "0 s");
  else
    cli_duration_text(b, ms / 1000 * 1000);
}

void cli_relative_text(struct ck_buf *b, int64_t ms, int64_t now) {
  int64_t away = ms - now;
  if (away > -1000 && away < 1000) {
    ck_buf_text(b, "now");
    return;
  }
  if (away > 0) ck_buf_text(b, "in ");
  cli_seconds_text(b, away);
  if (away < 0) ck_buf_text(b, " ago");
}
