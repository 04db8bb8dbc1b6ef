/* Time zones: what the clocks of a place show at a time, and when they show it. From the files of
 * tzdata (RFC 9636), so that a rule for the night follows summer time, wherever the program runs.
 *
 * All times are whole seconds; UTC counts from 1970-01-01. */
#ifndef CK_PROTO_ZONE_H
#define CK_PROTO_ZONE_H

#include <stdint.h>

#include "proto/error.h"
#include "proto/text.h"

struct ck_zone;

/* Reads the zone of that name, "Europe/Berlin", from /usr/share/zoneinfo; the empty name: that of
 * this process (what the variable TZ names; if it is not set /etc/localtime; without that, UTC).
 * The caller frees. NULL with the reason: it is no such name, or its file cannot be read. */
struct ck_zone *ck_zone_open(struct ck_str name, struct ck_err *err);
/* The same of a file's bytes. Pure. */
struct ck_zone *ck_zone_read(struct ck_str bytes, struct ck_err *err);
/* Sets *zone to NULL, which it may be. */
void ck_zone_free(struct ck_zone **zone);

/* How many seconds the clocks there are ahead of UTC at that time. */
int64_t ck_zone_offset(const struct ck_zone *zone, int64_t utc);

/* The first time at which the clocks there show what a clock in UTC shows at `shown`. Where they
 * skip that, when summer time begins: the time that is as much later than the skip as `shown` is
 * later than its beginning. */
int64_t ck_zone_utc(const struct ck_zone *zone, int64_t shown);

#endif
