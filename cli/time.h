/* Reads and prints times and durations for people. Times are in ms since the epoch. */
#ifndef CLI_TIME_H
#define CLI_TIME_H

#include "proto/error.h"
#include "proto/text.h"

/* Accepts "now", milliseconds since the epoch, ISO 8601 (UTC unless an offset is given), and times
 * relative to `now`: +10min, +1h30min, -2d (units ms, s, min, h, d). 0, or -1 with the reason in
 * err. */
int cli_time_parse(const char *text, int64_t now, int64_t *ms, struct ck_err *err);

/* Appends "2026-11-22 20:02:05Z". */
void cli_time_text(struct ck_buf *b, int64_t ms);

/* Appends a duration in its one or two largest units: "3 h 12 min", "5 s", "40 ms". The sign is
 * ignored. */
void cli_duration_text(struct ck_buf *b, int64_t ms);

/* The same, in whole seconds. */
void cli_seconds_text(struct ck_buf *b, int64_t ms);

/* Appends "in 5 s", "3 min ago" or "now". */
void cli_relative_text(struct ck_buf *b, int64_t ms, int64_t now);

#endif
