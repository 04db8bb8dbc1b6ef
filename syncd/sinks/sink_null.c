/* The null sink accepts everything and keeps nothing: for measuring what comes before a sink,
 * and for those who want no mirror. */
#include "syncd/sinks/sink.h"

static int null_open(void **self, const struct ck_settings *s, struct ck_err *err) {
  static char nothing;
  (void)s, (void)err;
  *self = &nothing;
  return 0;
}

static void null_begin(void *self, struct sync_slice *slice) { (void)self, (void)slice; }

static bool null_step(void *self, struct sync_answer *answer) {
  (void)self;
  *answer = (struct sync_answer){.class = SYNC_DONE};
  return true;
}

static void null_wait(void *self, struct ck_wait *w) {
  (void)self;
  ck_wait_within(w, 0);
}

static void null_close(void **self) { *self = NULL; }

const struct sync_sink sync_sink_null = {.name = "null",
                                         .open = null_open,
                                         .begin = null_begin,
                                         .step = null_step,
                                         .wait = null_wait,
                                         .close = null_close};
