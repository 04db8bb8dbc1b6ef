/* Tasks: what syncd does once for a person, beside the workers: verify, repair, schema, show,
 * print. A task asks the store on its snapshot door, and the sink directly, one question at a time,
 * and waits for each answer. It says what it finds as lines of JSON, to the process that started
 * it:
 *
 *   {"done": n, "total": n}                               progress
 *   {"found": {table, key, how, version, mirror_version}} verify, repair: a row that is wrong
 *   {"left": {…}}                                         repair: a row that is still wrong after
 * it
 *   {"did": {table, what}}                                schema: what was made
 *   {"in_the_way": {table, key, shares}}                  schema: a row that prevents a unique
 * index
 *   {"result": {…}}                                       the last line, if the task was completed
 *   {"error": "…"}                                        the last line, if it was not
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
  void *work;      /* DEALER to the work door if the sink limits requests, else NULL */
  uint64_t cursor; /* as the store last said: every change up to it was in the mirror before
                      anything that is asked of the sink from now on */
  uint64_t head;   /* the database's version, likewise */
  char store_id[33];
  uint64_t requests;                /* sent to the sink */
  struct ck_mirror_witness witness; /* what writes; set by sync_task_witness */
  struct ck_random random;
  struct ck_buf line;
};

/* Runs the task. argv: verify [deep] | repair [deep] | schema [indexes] | show [indexes] | print
 * [indexes]. The exit code: 0 if all is as it should be; 1 if not, or if the task failed, which an
 * "error" line says. (task_run.c) */
int sync_task_main(const struct ck_settings *s, int argc, char **argv);

/* ---- the store ----
 *
 * Both wait for the answer and fill *answer, which points into *frame; the caller closes *frame
 * (zmq_msg_close) after 0. -1 with the reason if the store does not answer or refuses. */
int sync_task_store(struct sync_task *t, struct ck_message *request, struct ck_message *answer,
                    zmq_msg_t *frame, struct ck_err *err);
/* RANGE, with this sink's cursor; notes that and the head. Also fails if the database was replaced
 * by another. */
int sync_task_range(struct sync_task *t, const struct ck_range *q, struct ck_ranges *answer,
                    zmq_msg_t *frame, struct ck_err *err);

/* ---- the sink ----
 *
 * Both wait for the answer and try again what may be tried again. 0: *a is filled; its class is
 * SYNC_DONE or one that the caller can do something about (SPLIT: send half of it; EARLY, ROW,
 * TABLE). -1, with the reason, for all others. */
int sync_task_query(struct sync_task *t, struct sync_query *query, struct sync_answer *a,
                    struct ck_err *err);
int sync_task_write(struct sync_task *t, struct sync_slice *slice, struct sync_answer *a,
                    struct ck_err *err);
/* Fills err with an answer that nothing can be done about. Returns -1. */
int sync_task_refused(const struct sync_answer *a, struct ck_err *err);

/* To be called before anything is written: the mirror's witness is compared by the store, and
 * t->witness set. -1 with the reason if it does not fit. (witness.c) */
int sync_task_witness(struct sync_task *t, struct ck_err *err);

/* Tells the store how a comparison has ended. -1 with the reason. (witness.c) */
int sync_task_checked(struct sync_task *t, const struct ck_checked *checked, struct ck_err *err);

/* Waits for that long. */
void sync_task_pause(int64_t ms);

/* ---- saying ----
 *
 * sync_task_line opens a line: append to it, then sync_task_say sends it. */
struct ck_buf *sync_task_line(struct sync_task *t);
void sync_task_say(struct sync_task *t);
void sync_task_progress(struct sync_task *t, uint64_t done, uint64_t total);
/* Appends a JSON string. Text that is not UTF-8 is shown with ? in place of other bytes than
 * ASCII. */
void sync_task_text(struct ck_buf *b, struct ck_str text);

#endif
