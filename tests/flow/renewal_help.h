/* What the stories of renewal share: a conversation of their own, its jobs, and the log of their
 * attempts. */
#ifndef CK_FLOW_RENEWAL_H
#define CK_FLOW_RENEWAL_H

#include "tests/harness/base.h"
#include "tests/harness/database.h"
#include "tests/harness/http.h"
#include "tests/harness/ring.h"
#include "tests/harness/talk.h"

#define CONVERSATION "chatgpt:conv-1"

int64_t r_now_plus(int64_t ms);
/* An observation of the conversation. target: JSON in single quotes, or NULL for none. */
void r_say(const char *id, const char *role, const char *target);
/* A user's message with this target, then the conversation is set to auto. */
void r_put_on_auto(const char *target);
/* A web server with this script, which the settings allow; `target` is the webhook on it. */
struct t_http *r_web(const char *script, char target[160]);

/* The message's job, for the caller to free; NULL while there is none. */
json_t *r_job_of(const char *message);
bool r_has_status(const char *message, const char *status);
void r_wait_status(const char *message, const char *status, int ms);

/* The log's lines for one message's job, in order, for the caller to free. */
json_t *r_attempts(const char *message);
/* The same once there are at least n. */
json_t *r_wait_attempts(const char *message, size_t n);
/* Fails unless the log has these attempts of the message's job. */
void r_check_log(const char *message, const char *const outcomes[], size_t n);
/* Fails if the server gets another number of requests within this time. */
void r_check_quiet(struct t_http *h, int requests, int ms);

#endif
