/* Reads and prints times; see time.h. */
#include "cli/time.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include "proto/clock.h"

struct unit {
  const char *name;
  int64_t ms;
};

/* Ascending. */
static const struct unit units[] = {
    {"ms", 1}, {"s", 1000}, {"min", 60000}, {"h", 3600000}, {"d", 86400000}};
#define UNITS ((int)(sizeof units / sizeof *units))
/* The end of the year 9999. Anything later is a typing error, and this is far from overflow. */
#define LATEST INT64_C(253402300799999)

static const struct unit *unit_at(const char *p, size_t *n) {
  for (*n = 0; isalpha((unsigned char)p[*n]); ++*n)
    ;
  for (int i = 0; i < UNITS; ++i)
    if (strlen(units[i].name) == *n && memcmp(units[i].name, p, *n) == 0) return &units[i];
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
    const struct unit *u = unit_at(p, &n);
    if (!u || count > LATEST / u->ms) return -1;
    *ms += count * u->ms;
    if (*ms > LATEST) return -1;
    p += n;
  }
  return 0;
}

int cli_time_parse(const char *text, int64_t now, int64_t *ms, struct ck_err *err) {
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
  if (number_at(&p, ms) == 0 && *p == '\0') return 0;
  if (ck_time_parse(text, strlen(text), ms) == 0) return 0;
  return ck_fail(err,
                 "%s is not a time; write 2026-11-22T20:02:00Z, milliseconds since 1970, or +10min "
                 "(ms, s, min, h, d)",
                 text);
}

void cli_time_text(struct ck_buf *b, int64_t ms) {
  char text[CK_TIME_TEXT];
  ck_time_text(text, ms);
  char *t = strchr(text, 'T');
  char *dot = strchr(text, '.');
  if (t) *t = ' ';
  if (dot) strcpy(dot, "Z");
  ck_buf_text(b, text);
}

void cli_duration_text(struct ck_buf *b, int64_t ms) {
  if (ms < 0) ms = -ms;
  int i = UNITS - 1;
  while (i > 0 && ms < units[i].ms) --i;
  ck_buf_printf(b, "%lld %s", (long long)(ms / units[i].ms), units[i].name);
  if (i < 2) return;
  int64_t rest = ms % units[i].ms / units[i - 1].ms;
  if (rest) ck_buf_printf(b, " %lld %s", (long long)rest, units[i - 1].name);
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
