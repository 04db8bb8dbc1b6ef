/* Attempts of somebody else: of a client, or of a run of renewd that is dead.
 *
 * A client's goes on without renewd, which only sees to it that it is ended when its lease has run
 * out. Of a dead run's it is not known whether the delivery arrived: if sending it again does no
 * harm, it is released; otherwise it waits for a person. A lease in state `unknown` waits already.
 *
 * Most of what a dead run left is found at the start. The store may also apply a claim of the last
 * run later, until it gets this run's HELLO. */
#include "renewd/core/inner.h"

#include <stdio.h>

void renew_look(struct renew_core *core, struct renew_job *j, const struct renew_event *e) {
  (void)e;
  j->unleased = false;
  renew_query(core->out, renew_job_await(core, j, RENEW_LOOKING),
              &(struct renew_question){.parts = RENEW_ABOUT_LEASE | RENEW_ABOUT_JOB,
                                       .job_id = ck_str_of(j->node.id)});
  renew_conversation_place(core, j->of);
}

void renew_look_at_run(struct renew_core *core, struct renew_job *j, const struct renew_event *e) {
  if (core->recovered) renew_look(core, j, e);
}

static void look_at_all(void *self, struct renew_node *n) {
  struct renew_job *j = (struct renew_job *)n;
  if (j->status == RENEW_RUNNING && j->phase == RENEW_WAITS)
    renew_job_step(self, j, RENEW_JOB_RUNNING, NULL);
}

void renew_recover_all(struct renew_core *core) {
  core->recovered = true;
  renew_index_each(&core->jobs, look_at_all, core);
}

/* ---- what was seen ---- */

static void leave(struct renew_core *core, struct renew_job *j, int64_t until) {
  renew_job_enter(core, j, RENEW_TAKEN);
  ck_heap_set(&core->taken, &j->timer, until);
}

static void expire(struct renew_core *core, struct renew_job *j, const struct renew_lease *lease) {
  const struct renew_verdict v = {.outcome = RENEW_UNKNOWN};
  struct renew_result result;
  renew_result_set(&result, v.outcome, "the client claimed it, and its lease ran out");
  renew_job_tell_end(core, j, lease, &v, &result, -1);
}

static void recover(struct renew_core *core, struct renew_job *j, const struct renew_answer *a) {
  struct renew_target target;
  struct renew_result result;
  struct ck_err err;
  struct ck_str snapshot = a->job.snapshot;
  if (renew_target_parse(&target, snapshot, &err) && snapshot.n)
    renew_say_text(core->out, renew_say(core->out, RENEW_SAY_WARN, j->node.id, "no_target"),
                   "reason", ck_str_of(err.text));
  struct renew_verdict v =
      renew_recover(core->set.repeatable(core->set.self, &target), core->now.wall);
  renew_target_free(&target);
  renew_result_set(&result, v.outcome, "renewd ended during the attempt");
  struct renew_line *l = renew_say(core->out, RENEW_SAY_WARN, j->node.id, "recovered");
  renew_say_number(l, "attempt", a->lease.attempt);
  renew_say_word(core->out, l, "outcome", renew_outcome_name(v.outcome));
  renew_job_tell_end(core, j, &a->lease, &v, &result, -1);
}

/* The store's clock and ours are the same one, unless the store is elsewhere: then the END of a
 * lease that has run out by our clock may be refused, and is tried again after a while (hold). */
void renew_looked(struct renew_core *core, struct renew_job *j, const struct renew_event *e) {
  const struct renew_answer *a = e->as.answer;
  struct renew_now now = core->now;
  bool clients = a->lease.client.n > 0;
  int64_t left = a->lease.left < CK_CLIENT_LEASE_MAX_MS ? a->lease.left : CK_CLIENT_LEASE_MAX_MS;
  int64_t until = clients ? now.boot + left : now.boot;
  if (j->hold > until) until = j->hold;
  if (a->problem) {
    renew_core_error(core, a->problem);
    leave(core, j, now.boot + RENEW_AGAIN_MS);
  } else if (a->lease.unknown) {
    renew_doubt_begin(core, j);
    renew_job_rest(core, j, e);
  } else if (!a->lease.running) {
    j->unleased = true; /* it has ended, and its row comes */
    renew_job_follow(core, j, a->head);
  } else if (until > now.boot) {
    leave(core, j, until);
  } else if (clients) {
    expire(core, j, &a->lease);
  } else {
    recover(core, j, a);
  }
}
