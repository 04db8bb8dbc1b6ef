/* Hours of the day in which nothing is to be done: "23:00-07:00 Europe/Berlin", by the clocks of a
 * place (proto/zone.h); without a name, by those of this machine. Pure. */
#ifndef CK_PROTO_QUIET_H
#define CK_PROTO_QUIET_H

#include "proto/zone.h"

struct ck_quiet {
  int from, to;       /* minutes of the day; from > to: over midnight */
  struct ck_str zone; /* borrowed from the text; empty: this machine's */
};

/* 0; or -1 with the reason: it is no such text. That there is such a zone is not looked at. */
int ck_quiet_read(struct ck_quiet *q, struct ck_str text, struct ck_err *err);

/* When these hours end, if they are now; else 0. Wall time in milliseconds, as `now`. */
int64_t ck_quiet_until(const struct ck_quiet *q, const struct ck_zone *zone, int64_t now);

#endif
