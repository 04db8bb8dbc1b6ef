/* key=value log lines on standard error: time, level, daemon, the item's id first, then what
 * happened.
 *
 *   2026-11-22T20:02:00.123Z info store id=job_1 event=claimed attempt=2
 */
#ifndef CK_PROTO_LOG_H
#define CK_PROTO_LOG_H

#include "proto/text.h"

enum ck_level { CK_DEBUG, CK_INFO, CK_WARN, CK_ERROR };

void ck_log_setup(const char *daemon, enum ck_level least);
int ck_log_level_parse(const char *name, enum ck_level *level); /* debug|info|warn|error; 0 or -1 */

/* id: what the line is about (a job, a producer, a batch, a file), "-" where there is none. fmt…:
 * further key=value pairs, values without blanks, or made with ck_quoted. */
void ck_log(enum ck_level level, const char *id, const char *event, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* A value in quotes with control characters and quotes escaped, cut at 300 bytes. Valid until the
 * fourth call after (per thread). */
const char *ck_quoted(struct ck_str s);
const char *ck_quotedz(const char *s);

#endif
