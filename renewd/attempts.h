/* The log of attempts, logs/renewal/DATE.jsonl, which is made from the store's rows of them: a line
 * whenever the row of one that has ended is new or changes. Where to go on is what the files say:
 * each line has the version of its row, so a line is written once, whatever interrupts it. */
#ifndef RENEWD_ATTEMPTS_H
#define RENEWD_ATTEMPTS_H

#include "renewd/query.h"

#define RENEW_LOG_PATH 40
/* The file of that day (UTC), relative to the data folder. at: wall time. */
void renew_log_path(char path[RENEW_LOG_PATH], int64_t at);

struct renew_log;

/* Reads where the log ends; a line that was cut off is taken away. queries must outlive it but for
 * renew_log_free. */
struct renew_log *renew_log_new(struct renew_queries *queries);
/* After the queries. Sets *l to NULL; *l may be NULL. */
void renew_log_free(struct renew_log **l);

/* The row of an attempt may have changed. */
void renew_log_look(struct renew_log *l);
/* The job was forgotten: its lines go, too. */
void renew_log_forget(struct renew_log *l, struct ck_str job_id);
/* Asks the store for what is not in the log, and writes it when it comes. If that fails, it is
 * logged and tried again. */
void renew_log_step(struct renew_log *l);
/* The boot time of the next step; INT64_MAX: after something else. */
int64_t renew_log_until(const struct renew_log *l);
/* All that is known to have changed is in the log. */
bool renew_log_is_whole(const struct renew_log *l);

/* Appends the line of a row, without its line break; 0. -1: the row has not ended, or is none. */
int renew_log_line(struct ck_buf *json, struct ck_str row);
/* ---- lines of jobs that were forgotten: attempts_forget.c ---- */

struct renew_forgotten;
/* The log's lines of this job are to go. *f is made if it is NULL. */
void renew_forgotten_add(struct renew_forgotten **f, struct ck_str job_id);
void renew_forgotten_free(struct renew_forgotten **f);
/* Writes the files again that have such lines. 0, and *f is NULL; -1: something was logged, and it
 * has to be called again. */
int renew_forgotten_clean(struct renew_forgotten **f);

/* Why lines cannot be written: nothing is lost, they are made of the rows later. Empty: they are
 * written. log may be NULL. */
const char *renew_log_problem(const struct renew_log *l);

#endif
