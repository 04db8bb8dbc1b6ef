/* Reads and writes times; see moment.h. */
#include "proto/moment.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "proto/clock.h"

const struct ck_unit ck_units[CK_UNITS] = {
    {"d", 86400000}, {"h", 3600000}, {"min", 60000}, {"s", 1000}, {"ms", 1}};
/* The end of the year 9999. Anything later is a typing error, and this is far from overflow. */
#define LATEST INT64_C(253402300799999)

static const struct ck_unit *unit_at(const char *p, size_t *n) {
  for (*n = 0; isalpha((unsigned char)p[*n]); ++*n)
    ;
  for (int i = 0; i < CK_UNITS; ++i)
    if (strlen(ck_units[i].name) == *n && memcmp(ck_units[i].name, p, *n) == 0) return &ck_units[i];
  return NULL;
}

static int number_at(const char **p, int64_t *value) {
  if (!isdigit((unsigned char)**p)) return -1;
  int64_t v = 0;
  for (; isdigit((unsigned char)**p); ++*p) {
    v = v * 10 + (**p - '0');
    if (v > LATEST) return -1;
  }
  *value = v;
  return 0;
}

/* Parses "1h30min". 0 or -1. */
static int length_parse(const char *p, int64_t *ms) {
  if (!*p) return -1;
  *ms = 0;
  while (*p) {
    int64_t count;
    size_t n;
    if (number_at(&p, &count)) return -1;
    const struct ck_unit *u = unit_at(p, &n);
    if (!u || count > LATEST / u->ms) return -1;
    *ms += count * u->ms;
    if (*ms > LATEST) return -1;
    p += n;
  }
  return 0;
}

/* "2026" or "2026-11": its first day. 0 or -1. */
static int month_parse(const char *text, int64_t *ms) {
  size_t n = strlen(text);
  if (n != 4 && n != 7) return -1;
  char day[16];
  snprintf(day, sizeof day, "%s%s", text, n == 4 ? "-01-01" : "-01");
  return ck_time_parse(day, strlen(day), ms);
}

/* "2026-11-22T20:02:00Z", "… +01:00": after the date there is a zone. */
static bool names_zone(const char *text) {
  size_t date = sizeof "2026-11-22" - 1;
  return strlen(text) > date && strpbrk(text + date, "Zz+-") != NULL;
}

/* The time at which a clock says here what it says in UTC at `ms`. */
static int64_t from_local(int64_t ms) {
  time_t seconds = (time_t)(ms / 1000 - (ms % 1000 < 0));
  struct tm t;
  if (!gmtime_r(&seconds, &t)) return ms;
  t.tm_isdst = -1;
  time_t here = mktime(&t);
  return here == (time_t)-1 ? ms : (int64_t)here * 1000 + (ms - (int64_t)seconds * 1000);
}

/* A date, with or without a time and a zone. */
static int date_parse(const char *text, int64_t *ms) {
  if (month_parse(text, ms) && ck_time_parse(text, strlen(text), ms)) return -1;
  if (!names_zone(text)) *ms = from_local(*ms);
  return 0;
}

int ck_moment_parse(const char *text, int64_t now, int64_t *ms, struct ck_err *err) {
  int64_t length;
  const char *p = text;
  if (strcmp(text, "now") == 0) {
    *ms = now;
    return 0;
  }
  if ((*text == '+' || *text == '-') && length_parse(text + 1, &length) == 0) {
    *ms = *text == '+' ? now + length : now - length;
    return 0;
  }
  if (date_parse(text, ms) == 0) return 0;
  if (number_at(&p, ms) == 0 && *p == '\0') return 0;
  return ck_fail(err,
                 "%s is not a time; write 2026-11-22 20:02, 2026-11-22T20:02:00Z, milliseconds "
                 "since 1970, or +10min (ms, s, min, h, d)",
                 text);
}

int ck_length_parse(const char *text, int64_t *ms, struct ck_err *err) {
  if (length_parse(text, ms) == 0) return 0;
  return ck_fail(
      err, "%.200s is not a length of time; write 90min, 2d or 1h30min (ms, s, min, h, d)", text);
}

void ck_moment_text(struct ck_buf *b, int64_t ms) {
  time_t seconds = (time_t)(ms / 1000 - (ms % 1000 < 0));
  struct tm t;
  char text[64];
  if (localtime_r(&seconds, &t) && strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &t))
    ck_buf_text(b, text);
}
