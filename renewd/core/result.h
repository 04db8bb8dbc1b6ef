/* How an attempt's result is filled, and a target's words made fit for it; pure. */
#ifndef RENEWD_CORE_RESULT_H
#define RENEWD_CORE_RESULT_H

#include "renewd/core/due.h"

/* Sets the outcome and the error text, which is truncated to fit and made valid UTF-8. */
void renew_result_set(struct renew_result *r, enum renew_outcome outcome, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Sets the error text alone, in the same way. */
void renew_result_error(struct renew_result *r, const char *text);

/* Makes text that was cut to fit valid UTF-8: an incomplete character at its end is dropped. */
void renew_make_utf8(char *text);

/* Copies a target's answer into out, safe for a log line and a TEXT column: valid UTF-8, trimmed,
 * without control characters, at most 300 bytes, NUL-terminated. */
void renew_words(char out[RENEW_WORDS], struct ck_str bytes);

#endif
