/* Days and dates of the Gregorian calendar, also of times before it was in use. Pure. */
#ifndef CK_PROTO_CALENDAR_H
#define CK_PROTO_CALENDAR_H

#include <stdint.h>

#define CK_DAY_MS INT64_C(86400000) /* a day of UTC in milliseconds, without leap seconds */

/* a / b, rounded down. b: positive. */
int64_t ck_floor_div(int64_t a, int64_t b);
/* The days from 1970-01-01 to that date; negative before it. month: 1 to 12; day: from 1 on, also
 * one that is beyond the month's end. */
int64_t ck_days_of(int64_t year, int month, int day);
/* The date of that day. */
void ck_date_of(int64_t days, int64_t *year, int *month, int *day);

#endif
