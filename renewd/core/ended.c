/* The ends of clients' attempts, for the log. The store keeps each one until renewd says that it is
 * in the log, so none is lost while renewd is down. One that renewd logged just before its death is
 * logged again.
 *
 *   look ──► QUERY page ──► for each end: QUERY job ──► RECORD, TELL LOGGED ──► receipt: forgotten
 */
#include "renewd/core/inner.h"

#include <stdio.h>
#include <stdlib.h>

static void end_free(struct renew_core *core, struct renew_end *x) {
  struct renew_end **at = &core->ends.all;
  while (*at != x) at = &(*at)->next;
  *at = x->next;
  renew_ticket_drop(&core->tickets, &x->ticket);
  free(x->job_id);
  free(x->error);
  free(x->sent_id);
  free(x);
}

static void look_again(struct renew_core *core) {
  core->ends.look = true;
  core->ends.look_at = core->now.boot + RENEW_AGAIN_MS;
}

void renew_ended_row(struct renew_core *core, const struct ck_row *row) {
  const struct renew_job *j = renew_core_job(core, ck_row_key(row));
  if (j && j->client) core->ends.look = true;
}

/* One page at a time, so that no end is read again before the store has forgotten it. */
void renew_ended_step(struct renew_core *core) {
  struct renew_ends *ends = &core->ends;
  if (!ends->look || ends->all || ends->ticket.number || core->now.boot < ends->look_at) return;
  ends->look = false;
  renew_query(core->out, renew_ticket_take(&core->tickets, &ends->ticket, RENEW_OF_ENDS),
              &(struct renew_question){.parts = RENEW_ABOUT_ENDS});
}

static void read_job(struct renew_core *core, const struct renew_ended *of) {
  struct renew_end *x = ck_zalloc(sizeof *x);
  *x = (struct renew_end){.next = core->ends.all,
                          .job_id = ck_str_dup(of->job_id),
                          .error = ck_str_dup(of->error),
                          .sent_id = ck_str_dup(of->sent_id),
                          .at = of->at,
                          .attempt = of->attempt,
                          .began = of->began,
                          .next_attempt_at = of->next_attempt_at,
                          .outcome = of->outcome};
  core->ends.all = x;
  renew_query(core->out, renew_ticket_take(&core->tickets, &x->ticket, RENEW_OF_END),
              &(struct renew_question){.parts = RENEW_ABOUT_JOB, .job_id = of->job_id});
}

void renew_ended_page(struct renew_core *core, const struct renew_answer *a) {
  if (a->problem) look_again(core);
  if (a->n == RENEW_PAGE) core->ends.look = true;
  for (size_t i = 0; i < a->n; i++) read_job(core, &a->ends[i]);
}

static void log_it(struct renew_core *core, const struct renew_end *x,
                   const struct renew_row *job) {
  static const char *const whys[] = {[RENEW_DONE] = "the client delivered it",
                                     [RENEW_RELEASED] = "the client sent nothing; not charged",
                                     [RENEW_UNKNOWN] = "it may have arrived; waits for a person"};
  struct renew_target target;
  struct renew_attempt a = {.at = x->at,
                            .attempt = x->attempt,
                            .job_id = ck_str_of(x->job_id),
                            .conversation_id = job->conversation_id,
                            .message_id = job->message_id,
                            .snapshot = job->snapshot,
                            .verdict = {.outcome = x->outcome},
                            .took_ms = x->at - x->began,
                            .sent_id = ck_str_of(x->sent_id)};
  renew_result_set(&a.result, x->outcome, "%s", x->error);
  if (x->outcome == RENEW_RELEASED) a.verdict.next_attempt_at = x->next_attempt_at;
  snprintf(a.verdict.why, sizeof a.verdict.why, "%s", whys[x->outcome]);
  if (a.result.error[0]) renew_core_error(core, a.result.error);
  renew_target_parse(&target, job->snapshot, NULL);
  struct renew_line *l =
      renew_say(core->out, x->outcome == RENEW_DONE ? RENEW_SAY_INFO : RENEW_SAY_WARN, x->job_id,
                "attempted");
  renew_say_number(l, "attempt", x->attempt);
  renew_say_word(core->out, l, "channel", target.kind ? target.kind : "-");
  renew_say_word(core->out, l, "outcome", renew_outcome_name(x->outcome));
  renew_say_text(core->out, l, "error", ck_str_of(a.result.error));
  renew_target_free(&target);
  renew_record(core->out, &a);
}

void renew_end_job_known(struct renew_core *core, struct renew_end *x,
                         const struct renew_answer *a) {
  if (a->problem) {
    renew_core_error(core, a->problem);
    look_again(core);
    end_free(core, x);
    return;
  }
  struct ck_mutation m = {.kind = CK_OP_LOGGED};
  log_it(core, x, &a->job);
  m.as.logged = (struct ck_logged){ck_str_of(x->job_id), x->at};
  renew_tell(core->out, renew_ticket_take(&core->tickets, &x->ticket, RENEW_OF_END), &m);
}

void renew_end_logged(struct renew_core *core, struct renew_end *x, const struct renew_event *e) {
  if (e->as.receipt.result == 'r')
    renew_say_text(core->out, renew_say(core->out, RENEW_SAY_WARN, x->job_id, "logged_refused"),
                   "reason", e->as.receipt.reason);
  end_free(core, x);
}

void renew_ends_free(struct renew_core *core) {
  while (core->ends.all) end_free(core, core->ends.all);
}
