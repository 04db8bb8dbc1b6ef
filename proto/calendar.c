/* See calendar.h. In eras of 400 years; a year begins in March here, so that the leap day is its
 * last. */
#include "proto/calendar.h"

#define ERA_DAYS 146097

int64_t ck_floor_div(int64_t a, int64_t b) { return a / b - (a % b < 0); }

void ck_date_of(int64_t days, int64_t *year, int *month, int *day) {
  int64_t z = days + 719468;
  int64_t era = ck_floor_div(z, ERA_DAYS);
  int64_t doe = z - era * ERA_DAYS;
  int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
  int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
  int64_t mp = (5 * doy + 2) / 153;
  *day = (int)(doy - (153 * mp + 2) / 5 + 1);
  *month = (int)(mp < 10 ? mp + 3 : mp - 9);
  *year = yoe + era * 400 + (*month <= 2);
}

int64_t ck_days_of(int64_t year, int month, int day) {
  int64_t y = year - (month <= 2);
  int64_t era = ck_floor_div(y, 400);
  int64_t yoe = y - era * 400;
  int64_t doy = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
  int64_t doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
  return era * ERA_DAYS + doe - 719468;
}
