/* Prints times and durations for people. Times are in ms since the epoch. Reading them:
 * proto/moment.h. */
#ifndef CLI_TIME_H
#define CLI_TIME_H

#include "proto/text.h"

/* Appends "2026-11-22 20:02:05", in the local time zone. */
void cli_time_text(struct ck_buf *b, int64_t ms);
/* The same without seconds, and only the day. */
void cli_minute_text(struct ck_buf *b, int64_t ms);
void cli_day_text(struct ck_buf *b, int64_t ms);

/* Appends a duration in its one or two largest units: "3 h 12 min", "5 s", "40 ms". The sign is
 * ignored. */
void cli_duration_text(struct ck_buf *b, int64_t ms);

/* The same, in whole seconds. */
void cli_seconds_text(struct ck_buf *b, int64_t ms);

/* Appends "in 5 s", "3 min ago" or "now". */
void cli_relative_text(struct ck_buf *b, int64_t ms, int64_t now);

#endif
