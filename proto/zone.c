/* See zone.h. A file has the times at which the offset changes, and after them a rule for all later
 * years, in the language of POSIX's TZ. Nothing in it is trusted. */
#include "proto/zone.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/calendar.h"
#include "proto/file.h"
#include "proto/log.h"

#define FOLDER "/usr/share/zoneinfo/"
#define FILE_MAX (1u << 20)
#define DAY 86400
#define OFFSET_MAX (48 * 3600)

/* When in a year a change happens: by the clocks as they are before it. */
struct rule {
  enum { MONTH_WEEK_DAY, DAY_OF_365, DAY_OF_YEAR } kind;
  int month, week,
      day;      /* week: 1 to 5, the last; day: of the week from Sunday = 0, or of the year */
  int64_t time; /* seconds from midnight on; may be negative */
};

/* The rule for what comes after the last change. */
struct later {
  bool is_there, has_summer;
  int64_t standard, summer; /* offsets */
  struct rule begins, ends; /* of summer time */
};

struct ck_zone {
  size_t changes;
  int64_t *at;      /* UTC, ascending */
  int64_t *offset;  /* from at[i] on */
  int64_t earliest; /* the offset before the first */
  struct later later;
};

/* ---- the rule ---- */

struct text {
  const char *p, *end;
};

static bool take(struct text *t, char c) {
  if (t->p == t->end || *t->p != c) return false;
  t->p++;
  return true;
}

static bool number(struct text *t, int least, int most, int *value) {
  int v = 0;
  const char *from = t->p;
  for (; t->p < t->end && *t->p >= '0' && *t->p <= '9'; t->p++) {
    v = v * 10 + (*t->p - '0');
    if (v > most) return false;
  }
  *value = v;
  return t->p > from && v >= least;
}

/* A name: letters, or anything in <>. */
static bool skip_name(struct text *t) {
  const char *from = t->p;
  if (take(t, '<')) {
    while (t->p < t->end && *t->p != '>') t->p++;
    return take(t, '>');
  }
  while (t->p < t->end && ((*t->p >= 'A' && *t->p <= 'Z') || (*t->p >= 'a' && *t->p <= 'z')))
    t->p++;
  return t->p - from >= 3;
}

/* hh, hh:mm or hh:mm:ss, with a sign. */
static bool span(struct text *t, int64_t *seconds) {
  int h, m = 0, s = 0;
  bool minus = take(t, '-');
  if (!minus) take(t, '+');
  if (!number(t, 0, 167, &h)) return false;
  if (take(t, ':') && !number(t, 0, 59, &m)) return false;
  if (take(t, ':') && !number(t, 0, 59, &s)) return false;
  *seconds = (h * 60 + m) * 60 + s;
  if (minus) *seconds = -*seconds;
  return true;
}

/* POSIX counts offsets to the west. */
static bool offset(struct text *t, int64_t *seconds) {
  if (!span(t, seconds)) return false;
  *seconds = -*seconds;
  return *seconds >= -OFFSET_MAX && *seconds <= OFFSET_MAX;
}

static bool day_rule(struct text *t, struct rule *r) {
  if (take(t, 'M')) {
    r->kind = MONTH_WEEK_DAY;
    return number(t, 1, 12, &r->month) && take(t, '.') && number(t, 1, 5, &r->week) &&
           take(t, '.') && number(t, 0, 6, &r->day);
  }
  bool julian = take(t, 'J');
  r->kind = julian ? DAY_OF_365 : DAY_OF_YEAR;
  return number(t, julian, 365, &r->day);
}

static bool rule(struct text *t, struct rule *r) {
  r->time = 2 * 3600;
  return take(t, ',') && day_rule(t, r) && (!take(t, '/') || span(t, &r->time));
}

static bool read_later(struct later *l, struct text t) {
  l->is_there = t.p < t.end;
  if (!l->is_there) return true;
  if (!skip_name(&t) || !offset(&t, &l->standard)) return false;
  l->has_summer = t.p < t.end;
  if (!l->has_summer) return true;
  if (!skip_name(&t)) return false;
  l->summer = l->standard + 3600;
  if (t.p < t.end && *t.p != ',' && !offset(&t, &l->summer)) return false;
  return rule(&t, &l->begins) && rule(&t, &l->ends) && t.p == t.end;
}

static bool is_leap(int64_t year) { return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0); }

static int64_t day_of_rule(const struct rule *r, int64_t year) {
  int64_t first = ck_days_of(year, 1, 1);
  if (r->kind == DAY_OF_YEAR) return first + r->day;
  if (r->kind == DAY_OF_365) return first + r->day - 1 + (is_leap(year) && r->day >= 60);
  int64_t begins = ck_days_of(year, r->month, 1),
          next = r->month < 12 ? ck_days_of(year, r->month + 1, 1) : ck_days_of(year + 1, 1, 1);
  int64_t weekday = ((begins + 4) % 7 + 7) % 7; /* 1970-01-01 was a Thursday */
  int64_t day = begins + (r->day - weekday + 7) % 7 + 7 * (r->week - 1);
  return day < next ? day : day - 7;
}

static int64_t later_offset(const struct later *l, int64_t utc) {
  if (!l->has_summer) return l->standard;
  int64_t year;
  int month, day;
  ck_date_of(ck_floor_div(utc + l->standard, DAY), &year, &month, &day);
  int64_t begins = day_of_rule(&l->begins, year) * DAY + l->begins.time - l->standard,
          ends = day_of_rule(&l->ends, year) * DAY + l->ends.time - l->summer;
  bool summer = begins < ends ? utc >= begins && utc < ends : utc >= begins || utc < ends;
  return summer ? l->summer : l->standard;
}

/* ---- the file ---- */

/* A block of the file: six counts, then their contents. */
struct block {
  const unsigned char *counts, *at, *types, *kinds;
  size_t width; /* of a time */
  uint32_t ut_flags, standard_flags, leaps, times, type_count, characters;
  size_t bytes; /* in all, with the header */
};

static uint32_t big32(const unsigned char *p) {
  return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static int64_t big(const unsigned char *p, size_t width) {
  if (width == 4) return (int32_t)big32(p);
  return (int64_t)((uint64_t)big32(p) << 32 | big32(p + 4));
}

#define HEADER 44

static bool read_block(struct block *b, struct ck_str bytes, size_t width) {
  if (bytes.n < HEADER || memcmp(bytes.s, "TZif", 4) != 0) return false;
  const unsigned char *p = (const unsigned char *)bytes.s;
  *b = (struct block){.width = width,
                      .ut_flags = big32(p + 20),
                      .standard_flags = big32(p + 24),
                      .leaps = big32(p + 28),
                      .times = big32(p + 32),
                      .type_count = big32(p + 36),
                      .characters = big32(p + 40)};
  b->at = p + HEADER;
  b->types = b->at + b->times * width;
  b->kinds = b->types + b->times;
  b->bytes = HEADER + b->times * (width + 1) + b->type_count * (size_t)6 + b->characters +
             b->leaps * (width + 4) + b->standard_flags + b->ut_flags;
  return b->type_count > 0 && b->type_count <= 256 && b->bytes <= bytes.n;
}

static bool read_types(struct ck_zone *z, const struct block *b) {
  int64_t before = INT64_MIN;
  z->changes = b->times;
  z->at = ck_alloc(b->times * sizeof *z->at);
  z->offset = ck_alloc(b->times * sizeof *z->offset);
  z->earliest = (int32_t)big32(b->kinds);
  for (size_t i = 0; i < b->times; i++) {
    z->at[i] = big(b->at + i * b->width, b->width);
    if (b->types[i] >= b->type_count || z->at[i] <= before) return false;
    before = z->at[i];
    z->offset[i] = (int32_t)big32(b->kinds + b->types[i] * (size_t)6);
    if (z->offset[i] < -OFFSET_MAX || z->offset[i] > OFFSET_MAX) return false;
  }
  return z->earliest >= -OFFSET_MAX && z->earliest <= OFFSET_MAX;
}

/* The line feed, the rule, and a line feed at the end of the file. */
static bool read_footer(struct ck_zone *z, struct ck_str rest) {
  const char *end = rest.n > 1 && rest.s[0] == '\n' ? memchr(rest.s + 1, '\n', rest.n - 1) : NULL;
  return end && read_later(&z->later, (struct text){rest.s + 1, end});
}

static bool read_file(struct ck_zone *z, struct ck_str bytes) {
  struct block b;
  if (!read_block(&b, bytes, 4)) return false;
  if (bytes.s[4] < '2') return read_types(z, &b);
  /* All is there once more, with times of 64 bits. */
  struct ck_str second = {bytes.s + b.bytes, bytes.n - b.bytes};
  return read_block(&b, second, 8) && read_types(z, &b) &&
         read_footer(z, (struct ck_str){second.s + b.bytes, second.n - b.bytes});
}

struct ck_zone *ck_zone_read(struct ck_str bytes, struct ck_err *err) {
  struct ck_zone *z = ck_zalloc(sizeof *z);
  if (read_file(z, bytes)) return z;
  ck_fail(err, "it is no file of a time zone");
  ck_zone_free(&z);
  return NULL;
}

void ck_zone_free(struct ck_zone **zone) {
  if (!*zone) return;
  free((*zone)->at);
  free((*zone)->offset);
  free(*zone);
  *zone = NULL;
}

/* Letters, digits and -_+ in parts between slashes. */
static bool is_name(struct ck_str name) {
  static const char allowed[] =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_+/";
  if (name.n > 100 || name.s[0] == '/') return false;
  for (size_t i = 0; i < name.n; i++)
    if (!name.s[i] || !strchr(allowed, name.s[i])) return false;
  return true;
}

static struct ck_zone *of_file(const char *path, struct ck_err *err) {
  struct ck_buf bytes = {0};
  struct ck_zone *z = NULL;
  if (ck_read_file(AT_FDCWD, path, 0, FILE_MAX, &bytes, err) == 0)
    z = ck_zone_read(ck_buf_view(&bytes), err);
  ck_buf_free(&bytes);
  return z;
}

static struct ck_zone *of_name(struct ck_str name, struct ck_err *err) {
  char *path = ck_sprintf(FOLDER "%.*s", (int)name.n, name.s);
  struct ck_zone *z = of_file(path, err);
  free(path);
  return z;
}

/* A rule for all years, in TZ itself: CET-1CEST,M3.5.0,M10.5.0/3. */
static struct ck_zone *of_rule(struct ck_str rule) {
  struct ck_zone *z = ck_zalloc(sizeof *z);
  if (!rule.n || !read_later(&z->later, (struct text){rule.s, rule.s + rule.n})) ck_zone_free(&z);
  return z;
}

/* As the C library reads TZ: a name, a path or a rule, each perhaps with a colon before it; UTC if
 * it is empty. */
static struct ck_zone *of_variable(const char *tz, struct ck_err *err) {
  struct ck_str text = ck_str_of(tz + (*tz == ':'));
  if (!text.n) return of_name(CK_LIT("UTC"), err);
  struct ck_zone *z = NULL;
  ck_fail(err, "it is neither the name of a time zone nor a rule for one");
  if (text.s[0] == '/')
    z = of_file(text.s, err);
  else if (is_name(text))
    z = of_name(text, err);
  if (!z) z = of_rule(text);
  if (!z) ck_fail_in(err, "the time zone in TZ, %s", ck_quoted(text));
  return z;
}

static struct ck_zone *of_machine(struct ck_err *err) {
  static const char path[] = "/etc/localtime";
  const char *tz = getenv("TZ");
  if (tz) return of_variable(tz, err);
  if (access(path, F_OK)) return of_name(CK_LIT("UTC"), err);
  struct ck_zone *z = of_file(path, err);
  if (!z) ck_fail_in(err, "the time zone %s", path);
  return z;
}

struct ck_zone *ck_zone_open(struct ck_str name, struct ck_err *err) {
  if (!name.n) return of_machine(err);
  if (!is_name(name)) {
    ck_fail(err, "%s is no name of a time zone", ck_quoted(name));
    return NULL;
  }
  struct ck_zone *z = of_name(name, err);
  if (!z) ck_fail_in(err, "the time zone %.*s", (int)name.n, name.s);
  return z;
}

/* ---- looking ---- */

int64_t ck_zone_offset(const struct ck_zone *z, int64_t utc) {
  size_t low = 0, high = z->changes;
  if (z->changes && z->later.is_there && utc >= z->at[z->changes - 1])
    return later_offset(&z->later, utc);
  if (!z->changes && z->later.is_there) return later_offset(&z->later, utc);
  while (low < high) {
    size_t middle = (low + high) / 2;
    if (z->at[middle] <= utc)
      low = middle + 1;
    else
      high = middle;
  }
  return low ? z->offset[low - 1] : z->earliest;
}

/* The offsets a day before and after are those on both sides of a change that may be near. */
int64_t ck_zone_utc(const struct ck_zone *z, int64_t shown) {
  int64_t before = ck_zone_offset(z, shown - OFFSET_MAX / 2),
          after = ck_zone_offset(z, shown + OFFSET_MAX / 2);
  if (ck_zone_offset(z, shown - before) == before) return shown - before;
  if (ck_zone_offset(z, shown - after) == after) return shown - after;
  return shown - before;
}
