/* What syncd does once, asked by a person, beside the daemons that mirror: verify, repair, schema, print. It asks the store on its snapshot door and the sink itself,
 * one question after the other, and waits for each; what it says goes as lines of JSON to whoever started it.
 *
 *   {"done": n, "total": n}                                         how far it is
 *   {"found": {table, key, how, version, mirror_version, mended}}   a row that is not as it should be
 *   {"did": {table, what}}                                          schema: what was changed
 *   {"result": {…}}                                                 the last line when it came to its end
 *   {"error": "…"}                                                  the last line when it did not
 */
#ifndef SYNCD_TASK_H
#define SYNCD_TASK_H

#include "proto/random.h"
#include "proto/wire.h"
#include "syncd/sinks/sink.h"

struct sync_task {
  const struct ck_settings *settings;
  const struct sync_sink *sink;
  void *sink_self;
  void *store;     /* DEALER to the snapshot door */
  void *work;      /* DEALER to the work door, where the sink counts requests; NULL: it does not */
  uint64_t cursor; /* as the store's last answer said it: all up to it was in the mirror before
                      anything that is asked of the sink from now on */
  uint64_t head;
  char store_id[33];
  uint64_t requests; /* to the sink */
  struct ck_random random;
  struct ck_buf line;
};

/* words: verify [deep] | repair [deep] | schema | print [old]. The exit code: 0 all is as it should
 * be, 1 not all is, or the reason was said. (task_run.c) */
int sync_task_main(const struct ck_settings *s, int argc, char **argv);

/* ---- the store. -1 with the reason when it does not answer or refuses. *frame is the caller's to
 * close (zmq_msg_close) after 0; the answer points into it.
 * ---- */
int sync_task_store(struct sync_task *t, struct ck_message *request, struct ck_message *answer,
                    zmq_msg_t *frame, struct ck_err *err);
/* RANGE; notes cursor and head. */
int sync_task_range(struct sync_task *t, const struct ck_range *q, struct ck_ranges *answer,
                    zmq_msg_t *frame, struct ck_err *err);

/* ---- the sink: waits, and tries again what may be tried again. The answer's class is SYNC_DONE,
 * or one that the caller can do something about (SPLIT: with half of it; EARLY, ROW, TABLE). -1
 * with the reason for all others. ---- */
int sync_task_ask(struct sync_task *t, struct sync_ask *ask, struct sync_answer *a,
                  struct ck_err *err);
int sync_task_write(struct sync_task *t, struct sync_slice *slice, struct sync_answer *a,
                    struct ck_err *err);
/* What an answer that nothing can be done about is in words. Returns -1. */
int sync_task_refused(const struct sync_answer *a, struct ck_err *err);

void sync_task_pause(int64_t ms);

/* ---- saying: open a line, fill it with ck_buf_…, close it ---- */
struct ck_buf *sync_task_line(struct sync_task *t);
void sync_task_say(struct sync_task *t);
void sync_task_progress(struct sync_task *t, uint64_t done, uint64_t total);
/* Appends text as a JSON string, whatever bytes it has. */
void sync_task_text(struct ck_buf *b, struct ck_str text);

#endif
