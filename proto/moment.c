/* Reads times; see moment.h. */
#include "proto/moment.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

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
  if (month_parse(text, ms) == 0) return 0;
  if (number_at(&p, ms) == 0 && *p == '\0') return 0;
  if (ck_time_parse(text, strlen(text), ms) == 0) return 0;
  return ck_fail(err,
                 "%s is not a time; write 2026-11-22T20:02:00Z, milliseconds since 1970, or +10min "
                 "(ms, s, min, h, d)",
                 text);
}
