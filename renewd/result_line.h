/* What a command says of its own end: the last line of its standard output, a JSON object
 *
 *   {"outcome": "limit", "until": "2026-11-30T04:20:00Z", "cost": 0.02, "tokens": 512, "text": "…"}
 *
 *   outcome  done, retry, failed, unknown, as an attempt ends (docs/renewal.md); released: nothing
 *            was sent; limit: nothing was sent, because the account has reached a limit
 *   until    of retry, released and limit: not again before; milliseconds since the epoch, or
 *            ISO 8601. One that has passed counts as none
 *   cost     what it cost, in the account's currency; tokens: how many it used; text: what was
 *            answered
 *
 * Only the outcome must be there; other members are ignored. Pure. */
#ifndef RENEWD_RESULT_LINE_H
#define RENEWD_RESULT_LINE_H

#include "renewd/core/core.h"

/* False: the line is no such object, and r is as it was. One whose members are wrong has the
 * outcome unknown, and an error that names the member. now: wall time in milliseconds. */
bool renew_result_line(struct renew_result *r, struct ck_str line, int64_t now);

#endif
