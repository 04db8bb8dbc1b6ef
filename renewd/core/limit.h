/* The words of a limit: does an answer say that an account's limit is reached, and until when?
 * Claude Code and Codex put that where an answer would be. Pure. */
#ifndef RENEWD_CORE_LIMIT_H
#define RENEWD_CORE_LIMIT_H

#include <stdbool.h>

#include "proto/zone.h"

enum renew_limit_kind {
  RENEW_NO_LIMIT,
  RENEW_LIMIT_PASSES, /* with time */
  RENEW_LIMIT_LASTS   /* until a person does something: money, a plan */
};

struct renew_limit {
  enum renew_limit_kind kind;
  int64_t until; /* of one that passes: wall time in milliseconds, maybe past; 0: it does not say */
};

/* What a message's source says of the limit with which the turn was refused (`limit` in its
 * details, docs/formats.md). */
struct renew_refusal {
  bool refused;
  bool lasts;    /* it is about money or a plan */
  int64_t until; /* wall: its end; 0: it does not say */
};

/* The time zone of that name; NULL with the reason. A pure function of the name. */
struct renew_clocks {
  const struct ck_zone *(*zone)(const void *self, struct ck_str name, struct ck_err *err);
  const void *self;
};

/* text: an answer. It has to begin with the words of a limit, and to be nothing else: what merely
 * speaks of one is none. rejected: its source says that the turn was rejected; then more may
 * follow, in any words. said_at: wall time; "resets 3pm" is the next such time after it. A time
 * without a zone, or with one that is not known, is by the clocks of this machine. */
struct renew_limit renew_limit_read(struct ck_str text, bool rejected, int64_t said_at,
                                    const struct renew_clocks *clocks);

/* The same of an answer of which its source may say more: that goes before the words, but for the
 * end, which is the words' if the source does not have it. */
struct renew_limit renew_limit_of(struct ck_str text, const struct renew_refusal *refusal,
                                  bool rejected, int64_t said_at,
                                  const struct renew_clocks *clocks);

#endif
