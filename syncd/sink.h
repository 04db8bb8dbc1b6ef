/* Where the mirror is kept: a table of operations. One slice at a time; nothing here waits, except sqlite for its own disk. */
#ifndef SYNCD_SINK_H
#define SYNCD_SINK_H

#include "proto/daemon.h"
#include "proto/settings.h"
#include "syncd/errors.h"
#include "syncd/plan.h"

#define SYNC_TEXT 320

struct sync_answer {
  enum sync_class class;
  int64_t wait_ms;      /* how long to wait at least, where the other side said it; 0: not said */
  uint64_t written;     /* rows that the sink says it wrote, its indexes' included where it counts them */
  char text[SYNC_TEXT]; /* why not, as the sink said it */
};

struct sync_sink {
  const char *name; /* on the wire and in sync.sink */
  struct sync_limits limits;
  bool remote; /* its requests are worth counting */
  int (*open)(void **self, const struct ck_settings *s, struct ck_err *err);
  /* Starts to apply the slice, all of it or nothing. The slice stays as it is until step() has answered. */
  void (*begin)(void *self, struct sync_slice *slice);
  /* Goes on; true when *answer is filled. With SYNC_DONE, rows of the slice that are not in the mirror after all are marked. */
  bool (*step)(void *self, struct sync_answer *answer);
  void (*wait)(void *self, struct ck_wait *w); /* what step() waits for; called only between begin() and its answer */
  void (*close)(void **self);
};

extern const struct sync_sink sync_sink_sqlite, sync_sink_d1, sync_sink_null;

/* By the name in sync.sink; NULL when there is none. */
const struct sync_sink *sync_sink_named(const char *name);

/* Copies, cut where it is too long; what comes out is UTF-8, because it goes on in frames. */
void sync_text_copy(char out[SYNC_TEXT], const char *text);

/* Fills the answer from what the other side said. Always returns true. */
bool sync_answer_text(struct sync_answer *a, enum sync_class class, const char *text);

#endif
