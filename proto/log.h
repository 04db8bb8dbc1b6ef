/* Log lines on standard error: time, level, daemon, then key=value pairs: first id, what the line
 * is about, then event, what happened.
 *
 *   2026-11-22T20:02:00.123Z info store id=job_1 event=claimed attempt=2
 *
 * Each line is one write, so several processes can share a file. A line is cut at 4,095 bytes.
 */
#ifndef CK_PROTO_LOG_H
#define CK_PROTO_LOG_H

#include "proto/text.h"

enum ck_level { CK_DEBUG, CK_INFO, CK_WARN, CK_ERROR };

/* The daemon's name in each line (cut at 31 bytes, copied), and the lowest level that is written.
 * Before the first call: "-" and CK_INFO. */
void ck_log_setup(const char *daemon, enum ck_level least);
/* Reads debug, info, warn or error. 0, or -1 when it is none of these. */
int ck_log_level_parse(const char *name, enum ck_level *level);

/* Writes one line. id: a job, producer, batch or file; "-" or NULL when the line is about none;
 * quoted when it has blanks or control characters. fmt…: further key=value pairs; a value with
 * blanks comes from ck_quoted. */
void ck_log(enum ck_level level, const char *id, const char *event, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* The value in quotes, with quotes, backslashes and control characters escaped, and cut after 300
 * bytes. The text stays valid until the fourth call after it in the same thread. ck_quotedz: for
 * terminated text. */
const char *ck_quoted(struct ck_str s);
const char *ck_quotedz(const char *s);

#endif
