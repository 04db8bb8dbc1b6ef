/* Times as the page shows them; see page.h. */
#include "webd/page/page.h"

#include <stdio.h>

#include "proto/calendar.h"
#include "proto/moment.h"

static const char *const months[] = {"January",   "February", "March",    "April",
                                     "May",       "June",     "July",     "August",
                                     "September", "October",  "November", "December"};
static const char *const days[] = {"Thursday", "Friday",  "Saturday", "Sunday",
                                   "Monday",   "Tuesday", "Wednesday"};

/* A time as ck_moment_text has it, in parts. */
struct shown {
  int year, month, day, hour, minute, second;
};

static struct shown shown_of(int64_t ms) {
  struct ck_buf text = {0};
  struct shown t = {.year = 1970, .month = 1, .day = 1};
  ck_moment_text(&text, ms);
  if (sscanf(ck_buf_cstr(&text), "%d-%d-%d %d:%d:%d", &t.year, &t.month, &t.day, &t.hour, &t.minute,
             &t.second) != 6 ||
      t.month < 1 || t.month > 12)
    t = (struct shown){.year = 1970, .month = 1, .day = 1};
  ck_buf_free(&text);
  return t;
}

void page_day(char day[PAGE_DAY], int64_t ms) {
  struct ck_buf text = {0};
  ck_moment_text(&text, ms);
  snprintf(day, PAGE_DAY, "%.10s", ck_buf_cstr(&text));
  ck_buf_free(&text);
}

void page_minute(struct ck_buf *b, int64_t ms) {
  struct shown t = shown_of(ms);
  ck_buf_printf(b, "%02d:%02d", t.hour, t.minute);
}

void page_day_words(struct ck_buf *b, int64_t ms) {
  struct shown t = shown_of(ms);
  int64_t day = ck_days_of(t.year, t.month, t.day);
  ck_buf_printf(b, "%s, %d %s %d", days[day - 7 * ck_floor_div(day, 7)], t.day, months[t.month - 1],
                t.year);
}

void page_month_words(struct ck_buf *b, int64_t ms) {
  struct shown t = shown_of(ms);
  ck_buf_printf(b, "%s %d", months[t.month - 1], t.year);
}

void page_short_day(struct ck_buf *b, int64_t ms) {
  struct shown t = shown_of(ms);
  ck_buf_printf(b, "%d %.3s", t.day, months[t.month - 1]);
}

void page_year(struct ck_buf *b, int64_t ms) { ck_buf_printf(b, "%d", shown_of(ms).year); }

void page_time_begin(struct ck_buf *b, int64_t ms) {
  struct shown t = shown_of(ms);
  ck_buf_printf(b, "<time datetime=\"%04d-%02d-%02dT%02d:%02d:%02d\">", t.year, t.month, t.day,
                t.hour, t.minute, t.second);
}

void page_moment_words(struct ck_buf *b, int64_t ms) {
  page_time_begin(b, ms);
  page_day_words(b, ms);
  ck_buf_text(b, ", ");
  page_minute(b, ms);
  ck_buf_text(b, "</time>");
}

void page_moment(struct ck_buf *b, int64_t ms, int64_t now) {
  char day[PAGE_DAY], today[PAGE_DAY];
  page_day(day, ms);
  page_day(today, now);
  page_time_begin(b, ms);
  if (strcmp(day, today) != 0) {
    page_short_day(b, ms);
    ck_buf_text(b, " ");
  }
  page_minute(b, ms);
  ck_buf_text(b, "</time>");
}

void page_countdown(struct ck_buf *b, int64_t ms, int64_t now) {
  struct shown t = shown_of(ms);
  int64_t away = (ms - now) / 1000, s = away < 0 ? -away : away;
  ck_buf_printf(b, "<time data-at=\"%lld\" datetime=\"%04d-%02d-%02dT%02d:%02d:%02d\">",
                (long long)ms, t.year, t.month, t.day, t.hour, t.minute, t.second);
  if (away == 0) ck_buf_text(b, "now");
  if (away > 0) ck_buf_text(b, "in ");
  if (away && s < 60) ck_buf_printf(b, "%lld s", (long long)s);
  if (s >= 60 && s < 3600)
    ck_buf_printf(b, "%lld min %lld s", (long long)(s / 60), (long long)(s % 60));
  if (s >= 3600 && s < 86400)
    ck_buf_printf(b, "%lld h %lld min", (long long)(s / 3600), (long long)(s / 60 % 60));
  if (s >= 86400)
    ck_buf_printf(b, "%lld d %lld h", (long long)(s / 86400), (long long)(s / 3600 % 24));
  if (away < 0) ck_buf_text(b, " ago");
  ck_buf_text(b, "</time>");
}
