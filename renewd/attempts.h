/* The log of attempts, logs/renewal/DATE.jsonl: a line for each, with its time, target, outcome,
 * and what happens next and why. */
#ifndef RENEWD_ATTEMPTS_H
#define RENEWD_ATTEMPTS_H

#include "renewd/core/core.h"

#define RENEW_LOG_PATH 40
/* The file of that day (UTC), relative to the data folder. at: wall time. */
void renew_log_path(char path[RENEW_LOG_PATH], int64_t at);

/* Appends the line, without its line break. */
void renew_attempt_json(struct ck_buf *json, const struct renew_attempt *a);
/* Appends the line to its day's file. A failure is logged and otherwise ignored: the store has the
 * outcome. */
void renew_attempt_log(const struct renew_attempt *a);

#endif
