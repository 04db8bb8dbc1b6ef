/* logs/renewal/DATE.jsonl: one line an attempt: when, to whom, what came of it, what is next and
 * why. */
#ifndef RENEWD_ATTEMPTS_H
#define RENEWD_ATTEMPTS_H

#include "renewd/due.h"
#include "renewd/target.h"

#define RENEW_LOG_PATH 40
/* The file of the UTC day, below the data folder. */
void renew_log_path(char path[RENEW_LOG_PATH], int64_t at);

struct renew_attempt {
  int64_t at; /* wall, of its end */
  int64_t attempt;
  struct ck_str job_id, conversation_id, message_id;
  const struct renew_target *target; /* may be NULL: it is not known any more */
  const struct renew_result *result;
  const struct renew_verdict *verdict;
  int64_t took_ms; /* -1: not known */
};
/* Appends the line, without its end. */
void renew_attempt_json(struct ck_buf *json, const struct renew_attempt *a);
/* Appends the line to its day's file. What cannot be written is logged and otherwise ignored: the
 * store has the outcome. */
void renew_attempt_log(const struct renew_attempt *a);

#endif
