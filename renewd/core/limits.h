/* A limit of an account, and how the next one is taken. Pure; wall time in milliseconds. */
#ifndef RENEWD_CORE_LIMITS_H
#define RENEWD_CORE_LIMITS_H

#include <stdbool.h>

#include "proto/text.h"

/* As the store keeps it (LIMIT in proto/wire.h). times 0: there is none. until 0: it has no end. */
struct renew_limited {
  int64_t until, since, times, at;
  bool over;
};

/* A delivery came back with a limit, of which it is told that it ends at `told` (0: nothing). */
void renew_limit_take(struct renew_limited *l, int64_t told, int64_t now);
/* Likewise one that time does not end. */
void renew_limit_take_lasting(struct renew_limited *l, int64_t now);
/* It has ended so often, and was reached again each time, for give_up ms at least, that it is taken
 * for one that time does not end. */
bool renew_limit_is_hopeless(const struct renew_limited *l, int64_t give_up, int64_t now);
/* There is one, and it has no end. */
bool renew_limit_lasts(const struct renew_limited *l);

/* A row of the store's. */
struct renew_limit_row {
  struct ck_str account, reason;
  struct renew_limited limit;
  int64_t left; /* milliseconds until `until` */
};

#endif
