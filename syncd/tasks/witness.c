/* Whether the mirror is this store's, before a task writes to it: reads the witness, has the store
 * compare it, and notes what it has to be with each request (task.h). */
#include "syncd/tasks/task.h"

#include <stdio.h>
#include <unistd.h>

#include "proto/clock.h"
#include "proto/map.h"
#include "proto/push.h"
#include "syncd/sinks/witness_query.h"

#define RECEIPT_MS 60000 /* a store that is restarted is back by then */
#define STEP_MS 100

struct look {
  struct sync_task *t;
  struct sync_witness found;
};

static int read_mirror(struct look *l, struct ck_err *err) {
  struct sync_answer a;
  if (sync_task_query(l->t, &l->found.query, &a, err)) return -1;
  return a.class == SYNC_DONE ? 0 : sync_task_refused(&a, err);
}

static void receipted(void *self, uint64_t number, char result, struct ck_str reason) {
  (void)number, (void)result, (void)reason;
  *(bool *)self = true;
}

static int await_receipt(const bool *done, struct ck_push *push, struct ck_err *err) {
  for (int64_t until = ck_boot_ms() + RECEIPT_MS; !*done && ck_boot_ms() < until;) {
    zmq_pollitem_t items[2];
    int ms = ck_push_step(push);
    if (ck_push_usurped(push)) break;
    zmq_poll(items, ck_push_items(push, items), ms < 0 || ms > STEP_MS ? STEP_MS : ms);
  }
  return *done ? 0 : ck_fail(err, "the store did not answer what it was told");
}

/* Sends a changeset, and waits for its receipt. */
static int tell(struct sync_task *t, const struct ck_buf *mutations, struct ck_err *err) {
  bool done = false;
  struct ck_memory_unacked *kept = ck_memory_unacked_new(receipted, &done);
  struct ck_unacked unacked = ck_memory_unacked_ops(kept);
  char id[40];
  snprintf(id, sizeof id, "syncd-task-%d", (int)getpid());
  struct ck_push *push = ck_push_new(t->settings, id, &unacked, 1, err);
  ck_memory_unacked_add(kept, ck_buf_view(mutations));
  int rc = push ? await_receipt(&done, push, err) : -1;
  ck_push_free(&push);
  ck_memory_unacked_free(&kept);
  return rc;
}

static int tell_witness(struct look *l, struct ck_err *err) {
  struct ck_buf mutations = {0};
  sync_witness_encode(&l->found, l->t->sink->name, &mutations);
  int rc = tell(l->t, &mutations, err);
  ck_buf_free(&mutations);
  return rc;
}

int sync_task_checked(struct sync_task *t, const struct ck_checked *checked, struct ck_err *err) {
  struct ck_mutation m = {.kind = CK_OP_CHECKED};
  struct ck_buf mutations = {0};
  m.as.checked = *checked;
  ck_put_array(&mutations, 1);
  ck_mutation_encode(&mutations, &m);
  int rc = tell(t, &mutations, err);
  ck_buf_free(&mutations);
  return rc;
}

/* What the store says of it now. */
static int ask(struct sync_task *t, bool *fits, struct ck_err *err) {
  struct ck_message request = {.kind = CK_MSG_STATUS}, answer;
  struct ck_reader sync, mirror, witness;
  zmq_msg_t frame;
  if (sync_task_store(t, &request, &answer, &frame, err)) return -1;
  int rc = -1;
  if (answer.kind == CK_MSG_INFO && ck_map_find(answer.as.info.info, "sync", &sync) &&
      ck_map_find(ck_reader_rest(sync), t->sink->name, &mirror) &&
      ck_map_find(ck_reader_rest(mirror), "witness", &witness)) {
    struct ck_str w = ck_reader_rest(witness), id = ck_map_str(answer.as.info.info, "store_id"),
                  of = ck_map_str(w, "run"), reason = ck_map_str(w, "reason");
    uint64_t least = ck_map_uint(w, "least", 0);
    rc = ck_mirror_witness_set(&t->witness, id, of, ck_map_str(w, "before"), least, least, err);
    *fits = ck_str_is(ck_map_str(w, "state"), "fits");
    if (rc == 0 && !*fits && ck_str_is(ck_map_str(w, "state"), "held"))
      ck_fail(err, "%.*s; nothing was written", (int)reason.n, reason.n ? reason.s : "");
    else if (rc == 0 && !*fits)
      ck_fail(err, "the mirror is not this store's: %.*s; nothing was written", (int)reason.n,
              reason.n ? reason.s : "");
  } else if (answer.kind == CK_MSG_INFO) {
    ck_fail(err, "sync.sinks of the store does not have %s", t->sink->name);
  } else {
    ck_fail(err, "the store's answer was not understood: are all of one version?");
  }
  zmq_msg_close(&frame);
  return rc;
}

int sync_task_witness(struct sync_task *t, struct ck_err *err) {
  struct look l = {.t = t};
  bool fits;
  sync_witness_init(&l.found);
  if (ask(t, &fits, err)) return -1;
  if (!ck_mirror_witness_kept(&t->witness)) return 0;
  sync_witness_want(&l.found, ck_str_of(t->witness.run));
  return read_mirror(&l, err) || tell_witness(&l, err) || ask(t, &fits, err) || !fits ? -1 : 0;
}
