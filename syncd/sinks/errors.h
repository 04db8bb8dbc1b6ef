/* What an error means. The message is read, never the code: D1's code 7500 stands for everything,
 * and its transient faults come as HTTP 400. What each class does to a slice is in slice.h. */
#ifndef SYNCD_ERRORS_H
#define SYNCD_ERRORS_H

#include "proto/text.h"

enum sync_class {
  SYNC_DONE, /* it is in the mirror */

  /* The sink as a whole: nothing else would get through either. */
  SYNC_UNKNOWN,     /* perhaps applied: send the same again, after a while */
  SYNC_NOT_APPLIED, /* surely not applied: send the same again, after a while */
  SYNC_LESS,        /* not applied, the other side is overloaded: send less, after a while */
  SYNC_WAIT,        /* wait as long as the other side says */
  SYNC_QUOTA,       /* wait until the day (UTC) is over */
  SYNC_STOP,        /* a person has to mend something: try again every 30 s */

  /* What was sent: other slices may get through. */
  SYNC_SPLIT, /* too much for one request: send half */
  SYNC_TABLE, /* a person has to mend this table */
  SYNC_EARLY, /* perhaps only early: something that must come first may be in another batch */
  SYNC_ROW,   /* one row is itself at fault */
  SYNC_ODD,   /* nobody knows this error: send the same again; if it stays, find the row */
  SYNC_CLASSES
};

/* The class of an HTTP answer that is no success. http: its status, 0 where there was none.
 * message: what the other side says; it need not be terminated and may be empty. *wait_ms (unless
 * NULL) becomes how long to wait at least, in ms, where the other side does not say it. */
enum sync_class sync_classify(long http, struct ck_str message, int64_t *wait_ms);

/* The class of a request that had no answer. code: its CURLcode. */
enum sync_class sync_classify_curl(int code);

/* The class of a PostgreSQL error. state: the five characters of its SQLSTATE, or NULL where the
 * connection failed before there was one; then the message is read. *wait_ms as above. */
enum sync_class sync_classify_postgres(const char *state, struct ck_str message, int64_t *wait_ms);

/* In lower case, as in the log; "?" for what is no class. */
const char *sync_class_name(enum sync_class c);

#endif
