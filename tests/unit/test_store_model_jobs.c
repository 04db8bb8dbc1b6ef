/* Jobs: made, claimed, ended. */
#include "test_store_model_rules.h"

bool m_put_job(struct model *m, const struct writing *w) {
  int message = m_column(JOBS, "message_id");
  struct m_record *old = m_find(&m->now, JOBS, w->given[0].s);
  static const char *const kept[] = {"local_conversation_id", "payload", "payload_kind"};
  for (int i = 0; old && i < 3; ++i) {
    int c = m_column(JOBS, kept[i]);
    if (w->given[c].is != M_OUT && !same(old->v[c], w->given[c])) return false;
  }
  if (old) return same(old->v[message], w->given[message]);
  for (int i = 0; i < m->now.rows[JOBS]; ++i)
    if (same(m->now.row[JOBS][i].v[message], w->given[message])) return false;
  return m_insert(m, JOBS, w);
}

bool m_claim(struct model *m, const struct ck_claim *w) {
  struct m_record *old = m_find(&m->now, JOBS, w->job_id);
  if (!old || !is_text(m_at(old, JOBS, "status")->s, "pending") || w->token.n == 0) return false;
  struct m_record *of = m_find(&m->now, CONVERSATIONS, m_at(old, JOBS, "local_conversation_id")->s);
  if (!of || is_text(m_at(of, CONVERSATIONS, "automation_status")->s, "paused")) return false;
  struct m_record r = *old;
  *m_at(&r, JOBS, "status") = words("running");
  *m_at(&r, JOBS, "attempt_count") = plus(m_at(&r, JOBS, "attempt_count")->i, 1);
  *m_at(&r, JOBS, "last_attempt_at") = number(w->at);
  *m_at(&r, JOBS, "updated_at") = number(m->clock);
  if (m_at(&r, JOBS, "started_at")->is == M_NULL) *m_at(&r, JOBS, "started_at") = number(w->at);
  *m_lease_of(&m->now, w->job_id) = (struct m_lease){
      old->v[0].s, w->token, (uint64_t)m_at(&r, JOBS, "attempt_count")->i, "running", w->at};
  return m_store(m, JOBS, old, &r);
}

static bool end(struct model *m, const struct ck_end *w) {
  struct m_record *old = m_find(&m->now, JOBS, w->job_id);
  if (!old || !m_is_choice("done|retry|failed|unknown|released|unreached", w->outcome))
    return false;
  struct m_lease *lease = m_lease_of(&m->now, w->job_id);
  if (!lease->state || lease->attempt != w->attempt || !same_text(lease->token, w->token) ||
      !is_text(m_at(old, JOBS, "status")->s, "running"))
    return false;
  struct m_record r = *old;
  bool finished = m_is_choice("done|failed", w->outcome), unknown = is_text(w->outcome, "unknown");
  struct ck_str error = m_trimmed(w->error);
  *m_at(&r, JOBS, "status") =
      finished ? text_of(w->outcome) : words(unknown ? "running" : "pending");
  *m_at(&r, JOBS, "last_error") = error.n ? text_of(error) : null();
  if (w->log_path.n) *m_at(&r, JOBS, "log_path") = text_of(w->log_path);
  if (finished) *m_at(&r, JOBS, "finished_at") = number(w->at);
  if (finished) *m_at(&r, JOBS, "next_attempt_at") = null();
  if (!finished && !unknown) *m_at(&r, JOBS, "next_attempt_at") = number(w->next_attempt_at);
  if (m_is_choice("released|unreached", w->outcome) && m_at(&r, JOBS, "attempt_count")->i > 0)
    m_at(&r, JOBS, "attempt_count")->i -= 1;
  *m_at(&r, JOBS, "updated_at") = number(m->clock);
  if (unknown) {
    lease->state = "unknown";
    lease->at = w->at;
  }
  if (!m_store(m, JOBS, old, &r)) return false;
  if (!w->cooldown_until) return true;
  struct m_record *of = m_find(&m->now, CONVERSATIONS, m_at(&r, JOBS, "local_conversation_id")->s);
  return of && m_rest(m, of, w->cooldown_until);
}

bool m_end(struct model *m, const struct ck_end *w) {
  m->ends = true;
  m->decided = w->at;
  bool ok = end(m, w);
  m->ends = false;
  return ok;
}

/* Has it an error that is not the store's own word? */
static bool has_words(struct m_record *job, struct ck_str conversation) {
  const struct m_value *error = m_at(job, JOBS, "last_error");
  return same_text(m_at(job, JOBS, "local_conversation_id")->s, conversation) &&
         error->is == M_STR && !ck_str_starts(error->s, "superseded: ") &&
         !ck_str_starts(error->s, "cancelled by hand");
}

/* In the order of their ids. */
void m_forget_errors(struct model *m, struct ck_str conversation) {
  for (;;) {
    struct m_record *next = NULL;
    for (int i = 0; i < m->now.rows[JOBS]; ++i) {
      struct m_record *job = &m->now.row[JOBS][i];
      if (has_words(job, conversation) && (!next || ck_str_order(job->v[0].s, next->v[0].s) < 0))
        next = job;
    }
    if (!next) return;
    struct m_record r = *next;
    *m_at(&r, JOBS, "last_error") = null();
    *m_at(&r, JOBS, "updated_at") = number(m->clock);
    m_store(m, JOBS, next, &r);
  }
}
