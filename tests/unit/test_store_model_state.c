/* What the model has: records searched one by one, and what must hold for a changed one. */
#include "test_store_model_rules.h"

#include <stdlib.h>

struct m_record *m_find(struct m_state *s, int table, struct ck_str key) {
  for (int i = 0; i < s->rows[table]; ++i)
    if (same_text(s->row[table][i].v[0].s, key)) return &s->row[table][i];
  return NULL;
}

struct m_value *m_at(struct m_record *r, int table, const char *column) {
  return &r->v[m_column(table, column)];
}

/* ---- what must hold for a changed record ---- */

static bool there(struct m_state *s, int table, struct m_value key) {
  return m_find(s, table, key.s) != NULL;
}

struct m_record *m_link_of(struct m_state *s, struct m_value platform, struct m_value remote) {
  if (platform.is != M_STR || remote.is != M_STR) return NULL;
  for (int i = 0; i < s->rows[LINKS]; ++i) {
    struct m_record *r = &s->row[LINKS][i];
    if (same(*m_at(r, LINKS, "platform"), platform) &&
        same(*m_at(r, LINKS, "remote_conversation_id"), remote))
      return r;
  }
  return NULL;
}

static bool is_sound(struct m_state *s, int table, struct m_record *r) {
  if (table == EXECUTIONS) return there(s, MESSAGES, *m_at(r, table, "message_id"));
  if (table == LINKS) {
    struct m_record *other =
        m_link_of(s, *m_at(r, table, "platform"), *m_at(r, table, "remote_conversation_id"));
    return there(s, CONVERSATIONS, *m_at(r, table, "local_conversation_id")) &&
           (!other || same(other->v[0], r->v[0]));
  }
  if (table == JOBS)
    return there(s, MESSAGES, *m_at(r, table, "message_id")) &&
           there(s, CONVERSATIONS, *m_at(r, table, "local_conversation_id"));
  return true;
}

/* ---- the store's own tables ---- */

static struct m_automation *automation_of(struct m_state *s, struct ck_str id) {
  for (int i = 0; i < M_FEW; ++i)
    if (s->automation[i].conversation.n == 0 || same_text(s->automation[i].conversation, id))
      return &s->automation[i];
  abort(); /* There is a row for each conversation. */
}

static void follow_automation(struct model *m, bool was, struct m_record *r) {
  bool is = is_text(m_at(r, CONVERSATIONS, "automation_status")->s, "auto");
  if (is == was) return;
  *automation_of(&m->now, r->v[0].s) =
      (struct m_automation){r->v[0].s, is, (int64_t)m->now.head + 1};
}

struct m_lease *m_lease_of(struct m_state *s, struct ck_str job) {
  for (int i = 0; i < M_FEW; ++i)
    if (s->lease[i].job.n == 0 || same_text(s->lease[i].job, job)) return &s->lease[i];
  abort(); /* There is a row for each job. */
}

/* ---- writing ---- */

void m_note_own(struct model *m, struct m_record *message) {
  struct m_value observed = *m_at(message, MESSAGES, "observed_at");
  int64_t from = observed.is == M_INT ? observed.i : INT64_MAX;
  if (!m->run_own || from < m->run_own_from) m->run_own_from = from;
  m->run_own = true;
}

bool m_store(struct model *m, int table, struct m_record *old, struct m_record *changed) {
  if (!is_sound(&m->now, table, changed)) return false;
  if (table == CONVERSATIONS)
    follow_automation(m, old && is_text(m_at(old, table, "automation_status")->s, "auto"), changed);
  if (table == JOBS && old && is_text(m_at(old, table, "status")->s, "running") &&
      !is_text(m_at(changed, table, "status")->s, "running"))
    m_lease_of(&m->now, changed->v[0].s)->state = NULL;
  m_follow_wait(m, table, old, changed);
  changed->version = ++m->now.head;
  if (old) {
    *old = *changed;
    m->updated = true;
    return true;
  }
  if (table == MESSAGES) m->fresh[m->fresh_messages++] = changed->v[0].s;
  m->fresh_executions += table == EXECUTIONS;
  m->run_messages += table == MESSAGES;
  if (table == MESSAGES) m_note_own(m, changed);
  m->run_executions += table == EXECUTIONS;
  m->now.row[table][m->now.rows[table]++] = *changed;
  m->inserted = true;
  return true;
}

void m_copy(struct m_state *to, const struct m_state *from) {
  for (int t = 0; t < TABLES; ++t)
    memcpy(to->row[t], from->row[t], (size_t)from->rows[t] * sizeof from->row[t][0]);
  memcpy(to->rows, from->rows, sizeof to->rows);
  memcpy(to->lease, from->lease, sizeof to->lease);
  memcpy(to->automation, from->automation, sizeof to->automation);
  memcpy(to->wait, from->wait, sizeof to->wait);
  memcpy(to->gone, from->gone, (size_t)from->gones * sizeof from->gone[0]);
  to->gones = from->gones;
  to->cursor = from->cursor;
  to->head = from->head;
}
