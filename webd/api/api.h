/* The handlers of /v1, as the table of routes has them (api.c). */
#ifndef WEBD_API_H
#define WEBD_API_H

#include "webd/webd.h"

void web_api_status(void *self, struct web_request *r);
void web_api_events(void *self, struct web_request *r);
void web_api_deliveries(void *self, struct web_request *r);
void web_api_claim(void *self, struct web_request *r);
void web_api_extend(void *self, struct web_request *r);
void web_api_end(void *self, struct web_request *r);
void web_api_metrics(void *self, struct web_request *r);
void web_api_set(void *self, struct web_request *r);
void web_api_retry(void *self, struct web_request *r);
void web_api_cancel(void *self, struct web_request *r);
void web_api_snooze(void *self, struct web_request *r);
void web_api_resolve(void *self, struct web_request *r);
void web_api_pause(void *self, struct web_request *r);
void web_api_resume(void *self, struct web_request *r);
void web_api_pair(void *self, struct web_request *r);
void web_api_conversations(void *self, struct web_request *r);
void web_api_conversation(void *self, struct web_request *r);
void web_api_messages(void *self, struct web_request *r);
void web_api_jobs(void *self, struct web_request *r);
void web_api_search(void *self, struct web_request *r);

/* A list of observations in an array has WEB_ARRAY_BYTES at most: it is read as a whole. */
#define WEB_OBSERVATIONS_BYTES ((size_t)64 << 20)
#define WEB_ARRAY_BYTES ((size_t)16 << 20)
void web_api_observations(void *self, struct web_request *r);

/* Gives each conversation without a title the member `first_question`, the beginning of its first
 * user's message, if it has one. done is called once; trouble: what the store said instead; NULL:
 * all is well. */
void web_first_questions(struct webd *w, json_t *records,
                         void (*done)(void *self, const struct web_said *trouble), void *self);

/* Gives each job `state` and `reason` (proto/job_state.h). done: as above. */
void web_job_states(struct webd *w, json_t *jobs,
                    void (*done)(void *self, const struct web_said *trouble), void *self);

/* ---- what several of them need ---- */

/* Reads the argument as a number from least to most, or as a moment (proto/moment.h); without it
 * *value stays. False: it is none, and the request is refused. */
bool web_arg_number(struct web_request *r, const char *name, int64_t least, int64_t most,
                    int64_t *value);
bool web_arg_moment(struct web_request *r, const char *name, int64_t *ms);

/* The record of a table as it is after a change; or why it was refused. */
void web_answer_changed(struct web_request *r, enum ck_table table, const struct web_changed *how);
/* The body, an object; an empty one if there is none. The caller decrefs. NULL: it was refused. */
json_t *web_json_body(struct web_request *r);

#endif
