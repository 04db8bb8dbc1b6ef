/* What an error means. For D1 the message decides, never the code: its code 7500 stands for
 * everything, and its transient faults come as HTTP 400. What each class does to a slice is in
 * slice.h. */
#ifndef SYNCD_ERRORS_H
#define SYNCD_ERRORS_H

#include "proto/text.h"

enum sync_class {
  SYNC_DONE, /* the slice is in the mirror */

  /* About the sink as a whole: nothing else would get through either. */
  SYNC_UNKNOWN,     /* perhaps applied: send the same again after a while */
  SYNC_NOT_APPLIED, /* certainly not applied: send the same again after a while */
  SYNC_LESS,        /* not applied, the sink is overloaded: send less after a while */
  SYNC_WAIT,        /* wait as long as the sink says */
  SYNC_QUOTA,       /* wait until the day ends (UTC) */
  SYNC_STOP,        /* it needs a person: try again every 30 s */

  /* About what was sent: other slices may get through. */
  SYNC_SPLIT, /* too much for one request: send half */
  SYNC_TABLE, /* this table needs a person */
  SYNC_EARLY, /* perhaps too early: what must come first may be in another batch */
  SYNC_ROW,   /* one row is itself at fault */
  SYNC_ODD,   /* an unknown error: send the same again; if it persists, find the row */
  SYNC_CLASSES
};

/* The class of an HTTP answer that is no success. http: its status, 0 if there was none. message:
 * what the server says; it need not be terminated and may be empty. *wait_ms (unless NULL): how
 * long to wait at least if the answer does not say it; ms. */
enum sync_class sync_classify(long http, struct ck_str message, int64_t *wait_ms);

/* The class of a request without an answer. code: its CURLcode. */
enum sync_class sync_classify_curl(int code);

/* The class of a PostgreSQL error. state: the five characters of its SQLSTATE, or NULL if the
 * connection failed before there was one; then the message decides. *wait_ms as above. */
enum sync_class sync_classify_postgres(const char *state, struct ck_str message, int64_t *wait_ms);

/* In lower case, for the log; "?" for anything else. */
const char *sync_class_name(enum sync_class c);

#endif
