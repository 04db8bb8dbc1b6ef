/* A sink's answer to a slice or a question: its class, and what the sink said. What each class does
 * to a slice is in slice.h; which class an error has is in sinks/errors.h. */
#ifndef SYNCD_ANSWER_H
#define SYNCD_ANSWER_H

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
  SYNC_WITNESS,     /* its witness is not as expected: the store has to say what follows */

  /* About what was sent: other slices may get through. */
  SYNC_SPLIT, /* too much for one request: send half */
  SYNC_TABLE, /* this table needs a person */
  SYNC_EARLY, /* perhaps too early: its parents may be in another batch */
  SYNC_ROW,   /* one row is itself at fault */
  SYNC_ODD,   /* an unknown error: send the same again; if it persists, find the row */
  SYNC_CLASSES
};

/* In lower case, for the log; "?" for anything else. */
const char *sync_class_name(enum sync_class c);

#define SYNC_TEXT 320 /* bytes of an error text, with its end */

struct sync_answer {
  enum sync_class class;
  int64_t wait_ms;      /* how long to wait at least, if the sink said it; 0: it did not */
  uint64_t written;     /* rows written, as the sink says; D1 counts those of indexes too */
  char text[SYNC_TEXT]; /* why it failed, as the sink said it */
  bool foreign;         /* something else than the sink gave it: a proxy, say */
  bool rate_said;       /* the sink said that it takes rate_left more requests within rate_ms */
  int64_t rate_left, rate_ms;
};

/* Copies a text, cut if it is too long. The copy is valid UTF-8, because it goes into frames. */
void sync_text_copy(char out[SYNC_TEXT], const char *text);

/* Sets the answer's class and text. Always returns true. */
bool sync_answer_text(struct sync_answer *a, enum sync_class class, const char *text);

#endif
