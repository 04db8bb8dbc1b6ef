/* The clocks, and times as text. */
#include "proto/clock.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "proto/calendar.h"

static int64_t read_ms(clockid_t id) {
  struct timespec t;
  clock_gettime(id, &t);
  return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int64_t real_wall(void) { return read_ms(CLOCK_REALTIME); }
static int64_t real_boot(void) { return read_ms(CLOCK_BOOTTIME); }

static int64_t (*wall_clock)(void) = real_wall;
static int64_t (*boot_clock)(void) = real_boot;

int64_t ck_now_ms(void) { return wall_clock(); }
int64_t ck_boot_ms(void) { return boot_clock(); }
int64_t ck_boot_after(int64_t ms) { return boot_clock() + ms + 1; }

const char *ck_boot_id(void) {
  static char id[40];
  FILE *f = id[0] ? NULL : fopen("/proc/sys/kernel/random/boot_id", "re");
  if (f && !fgets(id, sizeof id, f)) id[0] = '\0';
  if (f) fclose(f);
  id[strcspn(id, "\n")] = '\0';
  return id;
}

static int64_t read_us(clockid_t id) {
  struct timespec t;
  clock_gettime(id, &t);
  return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int64_t ck_mono_us(void) { return read_us(CLOCK_MONOTONIC); }
int64_t ck_thread_us(void) { return read_us(CLOCK_THREAD_CPUTIME_ID); }

void ck_clock_replace(int64_t (*wall)(void), int64_t (*boot)(void)) {
  wall_clock = wall ? wall : real_wall;
  boot_clock = boot ? boot : real_boot;
}

/* ---- writing ---- */

void ck_time_text(char out[CK_TIME_TEXT], int64_t ms) {
  /* days * CK_DAY_MS does not fit where ms is the least. */
  int64_t days = ck_floor_div(ms, CK_DAY_MS), rest = ms % CK_DAY_MS, year;
  if (rest < 0) rest += CK_DAY_MS;
  int month, day;
  ck_date_of(days, &year, &month, &day);
  int s = (int)(rest / 1000);
  char text[64];
  snprintf(text, sizeof text, "%04lld-%02d-%02dT%02d:%02d:%02d.%03dZ", (long long)year, month, day,
           s / 3600, s / 60 % 60, s % 60, (int)(rest % 1000));
  /* No int64_t needs more than 30 characters, which the compiler cannot know. */
  memcpy(out, text, CK_TIME_TEXT - 1);
  out[CK_TIME_TEXT - 1] = '\0';
}

/* ---- reading ---- */

struct text {
  const char *p, *end;
};

static bool one_of(struct text *t, const char *any) {
  if (t->p == t->end || *t->p == '\0' || !strchr(any, *t->p)) return false;
  t->p++;
  return true;
}

static bool number(struct text *t, int digits, int least, int most, int *value) {
  int v = 0;
  for (int i = 0; i < digits; i++, t->p++) {
    if (t->p == t->end || *t->p < '0' || *t->p > '9') return false;
    v = v * 10 + (*t->p - '0');
  }
  *value = v;
  return v >= least && v <= most;
}

static int days_in(int year, int month) {
  static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
  return month == 2 && leap ? 29 : days[month - 1];
}

/* .123456 */
static bool fraction(struct text *t, int *ms) {
  int unit = 100, digits = 0;
  *ms = 0;
  for (; t->p < t->end && *t->p >= '0' && *t->p <= '9'; t->p++, digits++, unit /= 10)
    *ms += (*t->p - '0') * unit;
  return digits > 0;
}

static bool clock_time(struct text *t, int64_t *ms) {
  int hour, minute, second = 0, milli = 0;
  if (!number(t, 2, 0, 23, &hour) || !one_of(t, ":") || !number(t, 2, 0, 59, &minute)) return false;
  if (one_of(t, ":")) {
    if (!number(t, 2, 0, 60, &second)) return false;
    if (one_of(t, ".,") && !fraction(t, &milli)) return false;
  }
  *ms = ((hour * 60 + minute) * INT64_C(60) + second) * 1000 + milli;
  return true;
}

static bool zone(struct text *t, int64_t *ms) {
  *ms = 0;
  if (t->p == t->end || one_of(t, "Zz")) return true;
  bool minus = *t->p == '-';
  int hour, minute = 0;
  if (!one_of(t, "+-") || !number(t, 2, 0, 23, &hour)) return false;
  if (t->p < t->end) {
    one_of(t, ":");
    if (!number(t, 2, 0, 59, &minute)) return false;
  }
  *ms = (hour * 60 + minute) * INT64_C(60000) * (minus ? -1 : 1);
  return true;
}

int ck_time_parse(const char *s, size_t n, int64_t *ms) {
  struct text t = {s, s ? s + n : s};
  int year, month, day;
  int64_t time = 0, offset = 0;
  if (!number(&t, 4, 0, 9999, &year) || !one_of(&t, "-") || !number(&t, 2, 1, 12, &month) ||
      !one_of(&t, "-"))
    return -1;
  if (!number(&t, 2, 1, days_in(year, month), &day)) return -1;
  if (one_of(&t, "Tt ") && (!clock_time(&t, &time) || !zone(&t, &offset))) return -1;
  if (t.p != t.end) return -1;
  *ms = ck_days_of(year, month, day) * CK_DAY_MS + time - offset;
  return 0;
}
