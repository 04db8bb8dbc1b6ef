/* The ends of clients' attempts, for the log. The store keeps each one until renewd says that it is
 * in the log, so none is lost while renewd is down. One that renewd logged just before its death is
 * logged again. */
#include "renewd/renewd.h"

#include <stdio.h>
#include <stdlib.h>

#include "proto/log.h"
#include "proto/map.h"
#include "renewd/attempts.h"

struct ended {
  struct renew_waiter waiter; /* first */
  struct renewd *r;
  char *job_id, *error, *sent_id;
  int64_t at, attempt, began, next_attempt_at;
  enum renew_outcome outcome;
};

static void ended_free(struct renew_waiter *w) {
  struct ended *e = (struct ended *)w;
  free(e->job_id);
  free(e->error);
  free(e->sent_id);
  free(e);
}

static void over(struct ended *e) {
  e->r->ended.out--;
  renew_waiter_remove(&e->waiter);
  ended_free(&e->waiter);
}

static void forgotten(void *self, char result, struct ck_str reason, uint64_t version) {
  struct ended *e = self;
  (void)version;
  if (result == 'r') ck_log(CK_WARN, e->job_id, "logged_refused", "reason=%s", ck_quoted(reason));
  over(e);
}

static void log_it(const struct ended *e, struct ck_str job) {
  static const char *const whys[] = {[RENEW_DONE] = "the client delivered it",
                                     [RENEW_RELEASED] = "the client sent nothing; not charged",
                                     [RENEW_UNKNOWN] = "it may have arrived; waits for a person"};
  struct renew_target target;
  struct renew_result result;
  struct renew_verdict v = {.outcome = e->outcome};
  renew_target_parse(&target, ck_map_str(job, "target_snapshot"), NULL);
  renew_result_set(&result, e->outcome, "%s", e->error);
  if (e->outcome == RENEW_RELEASED) v.next_attempt_at = e->next_attempt_at;
  snprintf(v.why, sizeof v.why, "%s", whys[e->outcome]);
  if (result.error[0]) renew_outcomes_error(e->r->outcomes, result.error);
  ck_log(e->outcome == RENEW_DONE ? CK_INFO : CK_WARN, e->job_id, "attempted",
         "attempt=%lld channel=%s outcome=%s error=%s", (long long)e->attempt,
         target.kind ? target.kind : "-", renew_outcome_name(e->outcome), ck_quotedz(result.error));
  renew_attempt_log(
      &(struct renew_attempt){.at = e->at,
                              .attempt = e->attempt,
                              .job_id = ck_str_of(e->job_id),
                              .conversation_id = ck_map_str(job, "local_conversation_id"),
                              .message_id = ck_map_str(job, "message_id"),
                              .sent_id = ck_str_of(e->sent_id),
                              .target = &target,
                              .result = &result,
                              .verdict = &v,
                              .took_ms = e->at - e->began});
  renew_target_free(&target);
}

static void job_came(void *self, const struct renew_reply *reply) {
  struct ended *e = self;
  if (!reply->problem) log_it(e, reply->first);
}

static void job_known(void *self, const char *problem) {
  struct ended *e = self;
  struct renewd *r = e->r;
  if (problem) {
    renew_outcomes_error(r->outcomes, problem);
    r->ended.look = true;
    over(e);
    return;
  }
  struct ck_mutation m = {.kind = CK_OP_LOGGED};
  m.as.logged = (struct ck_logged){ck_str_of(e->job_id), e->at};
  renew_outcomes_add(r->outcomes, &m, forgotten, e);
}

static void take(struct renewd *r, struct ck_str row) {
  struct ck_str outcome = ck_map_str(row, "outcome");
  struct ended *e = ck_zalloc(sizeof *e);
  *e = (struct ended){.r = r,
                      .job_id = ck_str_dup(ck_map_str(row, "job_id")),
                      .error = ck_str_dup(ck_map_str(row, "error")),
                      .sent_id = ck_str_dup(ck_map_str(row, "message_id")),
                      .at = ck_map_int(row, "at", 0),
                      .attempt = ck_map_int(row, "attempt", 0),
                      .began = ck_map_int(row, "began", 0),
                      .next_attempt_at = ck_map_int(row, "next_attempt_at", 0),
                      .outcome = ck_str_is(outcome, "done")       ? RENEW_DONE
                                 : ck_str_is(outcome, "released") ? RENEW_RELEASED
                                                                  : RENEW_UNKNOWN};
  const struct renew_query job = {"renewal_jobs", {{"job_id", ck_textz(e->job_id)}}, job_came};
  renew_waiter_add(&r->waiters, &e->waiter, ended_free);
  r->ended.out++;
  renew_query_all(r->queries, &job, 1, job_known, e);
}

static void page_came(void *self, const struct renew_reply *reply) {
  struct renewd *r = self;
  struct ck_reader rows = ck_reader_of(reply->all);
  struct ck_str row;
  uint32_t n = 0;
  if (ck_read_array(&rows, &n)) n = 0;
  if (n == RENEW_PAGE) r->ended.look = true;
  for (; n && ck_read_raw(&rows, &row) == 0; n--) take(r, row);
}

static void page_known(void *self, const char *problem) {
  struct renewd *r = self;
  if (problem) r->ended.look = true;
  r->ended.out--;
}

/* One page at a time, so that no end is read again before the store has forgotten it. */
void renew_ended_step(struct renewd *r) {
  if (!r->ended.look || r->ended.out) return;
  r->ended.look = false;
  r->ended.out++;
  renew_query_page(r->queries, "ended", 0, page_came, page_known, r);
}

void renew_ended_row(struct renewd *r, const struct ck_row *row) {
  const struct renew_job *j = renew_state_job(&r->state, ck_row_key(row));
  if (j && j->client) r->ended.look = true;
}
