/* What Claude Code and Codex print of their own end. Their exit codes do not tell it: Claude Code
 * has ended with 0 when a limit refused the turn.
 *
 *   claude -p                             the answer, or the words of a limit and nothing else
 *   claude -p --output-format json        {"type": "result", "is_error": …, "result": …}, last in a
 *                                         list if it says all
 *   claude -p --output-format stream-json the same as the last line; before it, if a limit refuses
 *                                         the turn, {"type": "rate_limit_event", …}
 *   codex exec                            the answer; the words of an error on standard error
 *   codex exec --json                     {"type": "turn.completed", …} or
 *                                         {"type": "turn.failed", "error": {"message": …}}
 * Pure. */
#ifndef RENEWD_PROGRAM_END_H
#define RENEWD_PROGRAM_END_H

#include "renewd/core/core.h"

struct renew_printed {
  struct ck_str last;    /* the last line of its standard output */
  bool alone;            /* nothing else is there */
  struct ck_str said;    /* the last line of standard error, else of the other */
  struct ck_str refusal; /* the last line of standard output that may be a rate_limit_event */
  bool failed;           /* it has ended by itself, and with another code than 0 */
};

/* False: it is none of these, and r is as it was. now: wall time in milliseconds. */
bool renew_program_end(struct renew_result *r, const struct renew_printed *p, int64_t now);

#endif
