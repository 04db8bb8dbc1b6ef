/* What an error means. For D1 the message decides, never the code: its code 7500 stands for
 * everything, and its transient faults come as HTTP 400. The classes are in batches/answer.h, and
 * what each does to a slice is in batches/slice.h. */
#ifndef SYNCD_ERRORS_H
#define SYNCD_ERRORS_H

#include "proto/text.h"
#include "syncd/batches/answer.h"

/* The class of an answer of D1's API, or of SQLite, that is no success. http: its status, 0 if
 * there was none. message: what it says; it need not be terminated and may be empty. *wait_ms
 * (unless NULL): how long to wait at least if the answer does not say it; ms. */
enum sync_class sync_classify(long http, struct ck_str message, int64_t *wait_ms);

/* The class of an HTTP answer that is not of the API's form: its words, which may be anybody's, are
 * not read. *wait_ms: as above. */
enum sync_class sync_classify_foreign(long http, int64_t *wait_ms);

/* The class of a request without an answer. code: its CURLcode. */
enum sync_class sync_classify_curl(int code);

/* The class of a PostgreSQL error. state: the five characters of its SQLSTATE, or NULL if the
 * connection failed before there was one; then the message decides. *wait_ms as above. */
enum sync_class sync_classify_postgres(const char *state, struct ck_str message, int64_t *wait_ms);

#endif
