/* What an error means, as one table. The message is read, never the code: D1's 7500 covers everything, and its transient faults come as HTTP 400. */
#ifndef SYNCD_ERRORS_H
#define SYNCD_ERRORS_H

#include "proto/text.h"

enum sync_class {
  SYNC_DONE,        /* it is in the mirror */
  SYNC_UNKNOWN,     /* perhaps applied, perhaps not: the same again, after a while */
  SYNC_NOT_APPLIED, /* surely not applied: the same again, after a while */
  SYNC_LESS,        /* not applied, the other side is overloaded: less at a time, after a while */
  SYNC_SPLIT,       /* too much for one request: half of it */
  SYNC_WAIT,        /* nothing helps but to wait: as long as was said */
  SYNC_QUOTA,       /* nothing helps until the day (UTC) is over */
  SYNC_STOP,        /* a person has to mend something: tried again every 30 s */
  SYNC_TABLE,       /* a person has to mend this table; the others go on */
  SYNC_EARLY,       /* perhaps only early: a parent, or what must go first, may be in another batch */
  SYNC_ROW,         /* one row's own fault */
  SYNC_ODD,         /* nobody knows this error: the same again; if it stays, taken apart until the row is found, which then waits alone */
  SYNC_CLASSES
};

/* http: the status, 0 where there was none. message: what the other side says, need not be terminated, may be empty. *wait_ms, unless NULL, becomes how
 * long to wait at least where the other side does not say it itself. */
enum sync_class sync_classify(long http, struct ck_str message, int64_t *wait_ms);

/* code: a CURLcode of a request without an answer. */
enum sync_class sync_classify_curl(int code);

/* state: the five characters of PostgreSQL's SQLSTATE; NULL where the connection failed before one was said: then the message is read. *wait_ms as above. */
enum sync_class sync_classify_postgres(const char *state, struct ck_str message, int64_t *wait_ms);

const char *sync_class_name(enum sync_class c);

#endif
