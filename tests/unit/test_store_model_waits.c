/* How long what is written waits: docs/renewal.md, "Clocks". A wait has a length, and a moment on
 * the clock that nobody steps from which that counts; what its record says is a name for its end.
 */
#include "test_store_model_rules.h"

#include <stdlib.h>

#define LONGEST (31 * (int64_t)A_DAY)

static struct m_wait *wait_of(struct m_state *s, int table, struct ck_str id) {
  for (int i = 0; i < M_WAITS; ++i)
    if (s->wait[i].id.n == 0 || (s->wait[i].table == table && same_text(s->wait[i].id, id)))
      return &s->wait[i];
  abort(); /* There is a place for each job and conversation. */
}

static int64_t left_of(const struct model *m, const struct m_wait *w) {
  return w->is == M_LASTS ? w->length - (m->boot - w->from) : 0;
}

bool m_is_waited(const struct model *m, const struct m_wait *w, int64_t *left) {
  *left = left_of(m, w);
  return w->id.n && (w->is == M_CALENDAR || *left > 0);
}

/* What a record names as the end of its wait; 0: it waits for nothing. */
static int64_t named(struct m_record *r, int table) {
  struct m_value *v = m_at(r, table, table == JOBS ? "next_attempt_at" : "cooldown_until");
  if (table == JOBS && m_is_choice("done|failed", m_at(r, JOBS, "status")->s)) return 0;
  return v->is == M_INT ? v->i : 0;
}

static bool is_pending(struct m_record *job) {
  return is_text(m_at(job, JOBS, "status")->s, "pending");
}

static int64_t begins_at(const struct model *m) {
  return m->ends && m->decided > m->clock ? m->decided : m->clock;
}

void m_follow_wait(struct model *m, int table, struct m_record *old, struct m_record *changed) {
  if (table != JOBS && table != CONVERSATIONS) return;
  bool job = table == JOBS, ended = job && m->ends && is_pending(changed);
  int64_t until = named(changed, table);
  if (!ended && until == (old ? named(old, table) : 0)) return;
  struct m_wait *w = wait_of(&m->now, table, changed->v[0].s);
  *w = (struct m_wait){.id = changed->v[0].s, .table = table, .until = until};
  /* A job by hand that was not tried is due at a calendar time, which needs no row. */
  bool untried = job && m_at(changed, JOBS, "last_attempt_at")->is != M_INT;
  if (untried || until <= begins_at(m)) return;
  w->is = job && old && is_pending(old) && is_pending(changed) ? M_CALENDAR : M_LASTS;
  w->length = until - begins_at(m);
  if (!m->ends && w->length > LONGEST) w->length = LONGEST;
  w->from = m->boot;
  w->written = m->clock;
}

bool m_rest(struct model *m, struct m_record *conversation, int64_t until) {
  int64_t left = left_of(m, wait_of(&m->now, CONVERSATIONS, conversation->v[0].s));
  struct m_value *named_until = m_at(conversation, CONVERSATIONS, "cooldown_until");
  bool over = until <= begins_at(m), again = named_until->is == M_INT && named_until->i == until;
  if (left > 0 && (over || until - begins_at(m) <= left)) return true;
  struct writing w = {.owner = true};
  /* The same name does not tell that it is another rest. */
  w.given[m_column(CONVERSATIONS, "cooldown_until")] = plus(until, again && !over);
  return m_merge(m, CONVERSATIONS, conversation, &w);
}

void m_machine_starts(struct model *m, m_kept *kept) {
  for (int i = 0; i < M_WAITS; ++i) {
    struct m_wait *w = &m->now.wait[i];
    int64_t away = m->clock > w->written ? m->clock - w->written : 0;
    if (w->is != M_LASTS) continue;
    w->from = m->boot - away;
    if (!kept(w)) w->is = M_OVER;
  }
}
