/* A job that is running and not ours belongs to a dead run, and it is unknown whether its delivery
 * arrived. If sending it again does no harm, it is released; otherwise it waits for a person. A
 * lease in state `unknown` waits already. A client's attempt goes on without renewd.
 *
 * Most of these jobs are found at the start. The store may also apply a claim of the last run
 * later, until it gets this run's HELLO. */
#include "renewd/renewd.h"

#include <stdlib.h>

#include "proto/clock.h"
#include "proto/log.h"
#include "proto/map.h"
#include "renewd/attempts.h"

struct recovered {
  struct renew_waiter waiter; /* first */
  struct renewd *r;
  char *job_id, *conversation_id;
  bool open;    /* there is a lease, in state `running` */
  bool clients; /* that is a client's */
  int64_t attempt;
  char *token, *message_id;
  struct renew_target target;
};

static void recovered_free(struct renew_waiter *w) {
  struct recovered *x = (struct recovered *)w;
  free(x->job_id);
  free(x->conversation_id);
  free(x->token);
  free(x->message_id);
  renew_target_free(&x->target);
  free(x);
}

static void over(struct recovered *x) {
  x->r->recovering--;
  renew_state_recovered(&x->r->state, ck_str_of(x->job_id), renew_now());
  renew_waiter_remove(&x->waiter);
  recovered_free(&x->waiter);
}

static void ended(void *self, char result, struct ck_str reason, uint64_t version) {
  (void)version;
  struct recovered *x = self;
  if (result == 'r') ck_log(CK_WARN, x->job_id, "recovery_refused", "reason=%s", ck_quoted(reason));
  over(x);
}

static void end(struct recovered *x) {
  struct renewd *r = x->r;
  int64_t now = ck_now_ms();
  const struct renew_channel *c = renew_channel_of(&x->target);
  struct renew_result result;
  renew_result_set(&result, RENEW_UNKNOWN, "renewd ended during the attempt");
  struct renew_verdict verdict = renew_recover(c && c->repeatable(r->settings, &x->target), now);
  result.outcome = verdict.outcome;
  ck_log(CK_WARN, x->job_id, "recovered", "attempt=%lld outcome=%s", (long long)x->attempt,
         renew_outcome_name(verdict.outcome));
  renew_attempt_log(&(struct renew_attempt){now,
                                            x->attempt,
                                            ck_str_of(x->job_id),
                                            ck_str_of(x->conversation_id),
                                            ck_str_of(x->message_id),
                                            &x->target,
                                            &result,
                                            &verdict,
                                            -1,
                                            {0}});
  renew_outcomes_end(r->outcomes,
                     &(struct renew_ending){ck_str_of(x->job_id), ck_str_of(x->token), x->attempt,
                                            now, &result, &verdict},
                     ended, x);
}

/* The attempt is its client's, and goes on. */
static void leave(struct recovered *x) {
  struct renewd *r = x->r;
  char *job_id = ck_strdup(x->job_id);
  over(x);
  struct renew_job *j = renew_state_job(&r->state, ck_str_of(job_id));
  if (j && j->running && j->state == RENEW_JOB_FREE) renew_offer_taken(r, j);
  free(job_id);
}

static void decide(void *self, const char *problem) {
  struct recovered *x = self;
  (void)problem; /* then the lease is not known to be open */
  if (x->open && x->clients)
    leave(x);
  else if (x->open)
    end(x);
  else
    over(x);
}

static void lease_came(void *self, const struct renew_reply *reply) {
  struct recovered *x = self;
  x->open = ck_str_is(ck_map_str(reply->first, "state"), "running");
  x->clients = ck_map_str(reply->first, "client").n > 0;
  x->attempt = ck_map_int(reply->first, "attempt", 0);
  x->token = ck_str_dup(ck_map_str(reply->first, "token"));
  if (!reply->rows)
    ck_log(CK_WARN, x->job_id, "running_without_lease", "conversation=%s",
           ck_quotedz(x->conversation_id));
}

static void job_came(void *self, const struct renew_reply *reply) {
  struct recovered *x = self;
  struct ck_err err;
  x->message_id = ck_str_dup(ck_map_str(reply->first, "message_id"));
  struct ck_str snapshot = ck_map_str(reply->first, "target_snapshot");
  if (snapshot.n && renew_target_parse(&x->target, snapshot, &err))
    ck_log(CK_WARN, x->job_id, "no_target", "reason=%s", ck_quotedz(err.text));
}

static void recover_job(void *self, struct renew_node *node) {
  struct renewd *r = self;
  struct renew_job *j = (struct renew_job *)node;
  if (!renew_state_recover(j)) return;
  struct recovered *x = ck_zalloc(sizeof *x);
  x->r = r;
  x->job_id = ck_strdup(node->id);
  x->conversation_id = ck_strdup(j->of->node.id);
  renew_waiter_add(&r->waiters, &x->waiter, recovered_free);
  r->recovering++;
  struct ck_value id = ck_textz(x->job_id);
  const struct renew_query queries[] = {{"leases", {{"job_id", id}}, lease_came},
                                        {"renewal_jobs", {{"job_id", id}}, job_came}};
  renew_query_all(r->queries, queries, 2, decide, x);
}

void renew_recover_all(struct renewd *r) {
  r->recovered = true;
  renew_index_each(&r->state.jobs, recover_job, r);
}

void renew_recover_row(struct renewd *r, const struct ck_row *row) {
  struct renew_job *j = renew_state_job(&r->state, ck_row_key(row));
  if (r->recovered && j) recover_job(r, &j->node);
}
