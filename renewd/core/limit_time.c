/* See limit_time.h. */
#include "renewd/core/limit_time.h"

#include "proto/calendar.h"

#define SECOND_MS INT64_C(1000)
#define MINUTE_MS (60 * SECOND_MS)
#define DAY_S INT64_C(86400)
/* A time of the day that passed so recently is that one, not tomorrow's: the answer and its limit's
 * end may be of the same minute, and clocks differ. */
#define JUST_PASSED_S INT64_C(600)
/* A date without a year that is longer ago is next year's. */
#define LAST_YEAR_S (31 * DAY_S)

static unsigned char lower(char c) {
  return (unsigned char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}
static bool is_digit(char c) { return c >= '0' && c <= '9'; }
static bool is_word(char c) { return is_digit(c) || (lower(c) >= 'a' && lower(c) <= 'z'); }

static void skip(struct ck_str *s, size_t n) { *s = (struct ck_str){s->s + n, s->n - n}; }

void renew_take_space(struct ck_str *s) {
  for (size_t n; (n = ck_space_at(*s)) > 0;) skip(s, n);
}

/* One character of the words. */
static bool take_one(struct ck_str *s, char c) {
  size_t before = s->n;
  if (c == ' ') {
    renew_take_space(s);
    return s->n < before;
  }
  if (c == '\'' && ck_str_starts(*s, "\xe2\x80\x99")) {
    skip(s, 3);
    return true;
  }
  if (!s->n || lower(s->s[0]) != (unsigned char)c) return false;
  skip(s, 1);
  return true;
}

bool renew_take_words(struct ck_str *s, const char *words) {
  struct ck_str rest = *s;
  const char *w = words;
  while (*w)
    if (!take_one(&rest, *w++)) return false;
  if (w > words && is_word(w[-1]) && rest.n && is_word(rest.s[0])) return false;
  *s = rest;
  return true;
}

static bool take_number(struct ck_str *s, int64_t most, int64_t *number) {
  size_t n = 0;
  int64_t value = 0;
  while (n < s->n && is_digit(s->s[n]) && value <= most) value = 10 * value + (s->s[n++] - '0');
  if (n == 0 || value > most) return false;
  skip(s, n);
  *number = value;
  return true;
}

/* ---- lengths of time ---- */

static bool take_unit(struct ck_str *s, int64_t *seconds) {
  static const struct {
    const char *name;
    int64_t seconds;
  } units[] = {{"days", DAY_S}, {"day", DAY_S}, {"d", DAY_S}, {"hours", 3600}, {"hour", 3600},
               {"hrs", 3600},   {"hr", 3600},   {"h", 3600},  {"minutes", 60}, {"minute", 60},
               {"mins", 60},    {"min", 60},    {"m", 60},    {"seconds", 1},  {"second", 1},
               {"secs", 1},     {"sec", 1},     {"s", 1}};
  renew_take_space(s);
  for (size_t i = 0; i < sizeof units / sizeof *units; i++)
    if (renew_take_words(s, units[i].name)) {
      *seconds = units[i].seconds;
      return true;
    }
  return false;
}

/* "3 days 4 hours", "2h 5m", "an hour", "less than a minute" */
static bool take_length(struct ck_str *s, int64_t *ms) {
  struct ck_str rest = *s;
  int64_t number, unit, sum = 0;
  bool any = false;
  if (renew_take_words(&rest, "less than ")) renew_take_space(&rest);
  for (;;) {
    struct ck_str before = rest;
    bool one = renew_take_words(&rest, "an ") || renew_take_words(&rest, "a ");
    number = 1;
    if ((!one && !take_number(&rest, 9999, &number)) || !take_unit(&rest, &unit)) {
      rest = before;
      break;
    }
    any = true;
    sum += number * unit;
    *s = rest;
    renew_take_space(&rest);
    if (renew_take_words(&rest, "and ")) renew_take_space(&rest);
  }
  *ms = sum * SECOND_MS;
  return any;
}

/* ---- times of the day, and dates ---- */

struct shown {
  int64_t year; /* 0: it is not said */
  int month;    /* 0: likewise */
  int64_t day;
  int64_t days_on; /* of today */
  int64_t second;  /* of the day */
  struct ck_str zone;
};

static bool take_noon(struct ck_str *s, bool *pm) {
  renew_take_space(s);
  static const char *const forms[2][2] = {{"am", "a.m."}, {"pm", "p.m."}};
  for (int half = 0; half < 2; half++)
    for (int form = 0; form < 2; form++)
      if (renew_take_words(s, forms[half][form])) {
        *pm = half == 1;
        return true;
      }
  return false;
}

/* "3pm", "7:58 PM", "15:04"; not "3". */
static bool take_clock(struct ck_str *s, int64_t *second) {
  struct ck_str rest = *s;
  int64_t hour, minute = 0;
  bool pm;
  if (!take_number(&rest, 24, &hour)) return false;
  bool colon = rest.n && rest.s[0] == ':';
  if (colon) {
    skip(&rest, 1);
    if (!take_number(&rest, 59, &minute)) return false;
  }
  struct ck_str before = rest;
  bool half = take_noon(&rest, &pm);
  if (!half) rest = before;
  if (half ? hour < 1 || hour > 12 : !colon || hour > 23) return false;
  if (half) hour = hour % 12 + (pm ? 12 : 0);
  *second = 3600 * hour + 60 * minute;
  *s = rest;
  return true;
}

static int take_month(struct ck_str *s) {
  static const char *const names[12][2] = {
      {"january", "jan"},   {"february", "feb"}, {"march", "mar"},    {"april", "apr"},
      {"may", "may"},       {"june", "jun"},     {"july", "jul"},     {"august", "aug"},
      {"september", "sep"}, {"october", "oct"},  {"november", "nov"}, {"december", "dec"}};
  for (int i = 0; i < 12; i++)
    if (renew_take_words(s, names[i][0]) || renew_take_words(s, names[i][1])) return i + 1;
  return 0;
}

static void take_ordinal(struct ck_str *s) {
  static const char *const ends[] = {"st", "nd", "rd", "th"};
  for (int i = 0; i < 4; i++)
    if (renew_take_words(s, ends[i])) return;
}

/* What is between a date and a time. */
static void take_between(struct ck_str *s) {
  renew_take_space(s);
  if (s->n && s->s[0] == ',') skip(s, 1);
  renew_take_space(s);
  if (renew_take_words(s, "at ")) renew_take_space(s);
}

/* "Oct 9", "Sep 3rd, 2026", "2026-10-09" */
static bool take_date(struct ck_str *s, struct shown *t) {
  struct ck_str rest = *s;
  int64_t month;
  if (take_number(&rest, 9999, &t->year) && renew_take_words(&rest, "-") &&
      take_number(&rest, 12, &month) && renew_take_words(&rest, "-") &&
      take_number(&rest, 31, &t->day)) {
    t->month = (int)month;
    *s = rest;
    return month > 0;
  }
  rest = *s;
  t->year = 0;
  t->month = take_month(&rest);
  if (t->month && rest.n && rest.s[0] == '.') skip(&rest, 1);
  renew_take_space(&rest);
  if (!t->month || !take_number(&rest, 31, &t->day)) {
    t->month = 0;
    return false;
  }
  take_ordinal(&rest);
  *s = rest;
  /* A year, unless it is the beginning of a time. */
  take_between(&rest);
  if (rest.n > 3 && is_digit(rest.s[2]) && is_digit(rest.s[3]) &&
      take_number(&rest, 9999, &t->year))
    *s = rest;
  return true;
}

static void take_zone(struct ck_str *s, struct shown *t) {
  struct ck_str rest = *s;
  renew_take_space(&rest);
  if (renew_take_words(&rest, "utc") || renew_take_words(&rest, "gmt")) {
    t->zone = CK_LIT("UTC");
    *s = rest;
    return;
  }
  if (!rest.n || rest.s[0] != '(') return;
  const char *end = memchr(rest.s, ')', rest.n);
  if (!end) return;
  t->zone = ck_trim((struct ck_str){rest.s + 1, (size_t)(end - rest.s) - 1});
  skip(&rest, (size_t)(end - rest.s) + 1);
  *s = rest;
}

static bool take_shown(struct ck_str *s, struct shown *t) {
  struct ck_str rest = *s;
  bool dated = take_date(&rest, t);
  if (!dated && renew_take_words(&rest, "tomorrow"))
    t->days_on = 1, dated = true;
  else if (!dated && renew_take_words(&rest, "today"))
    dated = true;
  struct ck_str day = rest;
  take_between(&rest);
  bool clock = take_clock(&rest, &t->second);
  if (!clock && !t->month) return false; /* a day alone has to be a date: it begins at midnight */
  if (!clock) rest = day;
  take_zone(&rest, t);
  *s = rest;
  return true;
}

/* ---- what they mean ---- */

static const struct ck_zone *zone_of(struct ck_str name, const struct renew_clocks *clocks) {
  struct ck_err err;
  const struct ck_zone *z = clocks->zone(clocks->self, name, &err);
  return z || !name.n ? z : clocks->zone(clocks->self, (struct ck_str){0}, &err);
}

static int64_t utc_of(const struct ck_zone *z, int64_t days, int64_t second) {
  int64_t shown = days * DAY_S + second;
  return z ? ck_zone_utc(z, shown) : shown;
}

static int64_t mean(const struct shown *t, int64_t said, const struct ck_zone *z) {
  int64_t year, here = said + (z ? ck_zone_offset(z, said) : 0), today = ck_floor_div(here, DAY_S);
  int month, day;
  ck_date_of(today, &year, &month, &day);
  if (t->month && t->year) return utc_of(z, ck_days_of(t->year, t->month, (int)t->day), t->second);
  if (t->month) {
    int64_t at;
    year--;
    do {
      at = utc_of(z, ck_days_of(year++, t->month, (int)t->day), t->second);
    } while (at < said - LAST_YEAR_S);
    return at;
  }
  if (t->days_on) return utc_of(z, today + t->days_on, t->second);
  /* Yesterday's may have just passed, too, shortly after midnight. */
  for (int64_t d = today - 1; d <= today; d++)
    if (utc_of(z, d, t->second) >= said - JUST_PASSED_S) return utc_of(z, d, t->second);
  return utc_of(z, today + 1, t->second);
}

static bool take_epoch(struct ck_str *s, int64_t *until) {
  struct ck_str rest = *s;
  int64_t number;
  if (!take_number(&rest, INT64_C(9999999999999), &number) || number < INT64_C(1000000000))
    return false;
  *until = number < INT64_C(100000000000) ? number * SECOND_MS : number;
  *s = rest;
  return true;
}

bool renew_take_time(struct ck_str *s, int64_t said_at, const struct renew_clocks *clocks,
                     int64_t *until) {
  struct shown t = {0};
  struct ck_str rest = *s;
  int64_t length;
  if (renew_take_words(&rest, "in ") && take_length(&rest, &length)) {
    *until = said_at + length;
    *s = rest;
    return true;
  }
  rest = *s;
  if (renew_take_words(&rest, "at ") || renew_take_words(&rest, "on ")) renew_take_space(&rest);
  if (take_epoch(&rest, until)) {
    *s = rest;
    return true;
  }
  if (!take_shown(&rest, &t)) return false;
  *until =
      mean(&t, ck_floor_div(said_at, SECOND_MS), zone_of(t.zone, clocks)) * SECOND_MS + MINUTE_MS;
  *s = rest;
  return true;
}
