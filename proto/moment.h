/* Times and lengths of time as people write them. */
#ifndef CK_PROTO_MOMENT_H
#define CK_PROTO_MOMENT_H

#include <stdint.h>

#include "proto/error.h"
#include "proto/text.h"

/* The units of time: d, h, min, s, ms. */
struct ck_unit {
  const char *name;
  int64_t ms;
};
#define CK_UNITS 5
extern const struct ck_unit ck_units[CK_UNITS]; /* the longest first */

/* Accepts "now", milliseconds since the epoch, ISO 8601 (in the local time zone unless it names
 * one), a year or a month of one (2026, 2026-11: when it begins), and times relative to `now`:
 * +10min, +1h30min, -2d. *ms: since the epoch. 0, or -1 with the reason in err, and *ms may have
 * changed. */
int ck_moment_parse(const char *text, int64_t now, int64_t *ms, struct ck_err *err);

/* Reads a length of time in these units: 90min, 2d, 1h30min. *ms: 0 or more. 0, or -1 with the
 * reason in err, and *ms may have changed. */
int ck_length_parse(const char *text, int64_t *ms, struct ck_err *err);

/* Appends "2026-11-22 20:02:05", in the local time zone. */
void ck_moment_text(struct ck_buf *b, int64_t ms);

#endif
