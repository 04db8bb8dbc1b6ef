/* See quiet.h. */
#include "proto/quiet.h"

#include "proto/calendar.h"
#include "proto/log.h"

#define DAY_S 86400

/* Takes "23:00" from the beginning of s, as minutes of the day. -1: there is none. */
static int take_minute(struct ck_str *s) {
  if (s->n < 5 || s->s[2] != ':') return -1;
  int digits[4] = {s->s[0] - '0', s->s[1] - '0', s->s[3] - '0', s->s[4] - '0'};
  for (int i = 0; i < 4; i++)
    if (digits[i] < 0 || digits[i] > 9) return -1;
  int hour = 10 * digits[0] + digits[1], minute = 10 * digits[2] + digits[3];
  s->s += 5;
  s->n -= 5;
  return hour < 24 && minute < 60 ? 60 * hour + minute : -1;
}

int ck_quiet_read(struct ck_quiet *q, struct ck_str text, struct ck_err *err) {
  struct ck_str rest = ck_trim(text);
  q->from = take_minute(&rest);
  bool dash = q->from >= 0 && rest.n && rest.s[0] == '-';
  if (dash) rest = (struct ck_str){rest.s + 1, rest.n - 1};
  q->to = dash ? take_minute(&rest) : -1;
  bool ends = rest.n == 0 || rest.s[0] == ' ';
  q->zone = ck_trim(rest);
  if (q->to >= 0 && q->to != q->from && ends) return 0;
  return ck_fail(err,
                 "must be hours, and may have a time zone, as in 23:00-07:00 Europe/Berlin,"
                 " not %s",
                 ck_quoted(text));
}

int64_t ck_quiet_until(const struct ck_quiet *q, const struct ck_zone *zone, int64_t now) {
  int64_t utc = ck_floor_div(now, 1000), shown = utc + ck_zone_offset(zone, utc),
          day = ck_floor_div(shown, DAY_S), minute = (shown - day * DAY_S) / 60;
  bool over_midnight = q->from > q->to;
  bool within =
      over_midnight ? minute >= q->from || minute < q->to : minute >= q->from && minute < q->to;
  if (!within) return 0;
  if (over_midnight && minute >= q->from) day++;
  int64_t end = ck_zone_utc(zone, day * DAY_S + q->to * 60) * 1000;
  /* Where the clocks are put back, the hours may begin again before that. */
  return end > now ? end : now + 60000;
}
