/* What becomes of conversations and sessions of which a message goes: docs/cli.md, "forget",
 * written a second time. */
#include "test_store_model_rules.h"

int m_by_key(const void *a, const void *b) {
  struct ck_str x = ((const struct m_record *)a)->v[0].s, y = ((const struct m_record *)b)->v[0].s;
  int order = memcmp(x.s, y.s, x.n < y.n ? x.n : y.n);
  return order ? order : x.n < y.n ? -1 : x.n > y.n;
}

static bool is_beside(const struct m_record *gone, const struct m_record *r) {
  int platform = m_column(MESSAGES, "platform"), home = m_column(MESSAGES, "conversation_id");
  return same(r->v[platform], gone->v[platform]) && same(r->v[home], gone->v[home]);
}

/* The one above it; else the newest one of its conversation, if that is known. */
static const struct m_record *last_before(struct model *m, const struct m_record *gone) {
  const struct m_record *best = NULL;
  struct m_value above = gone->v[m_column(MESSAGES, "parent_id")];
  int at = m_column(MESSAGES, "observed_at");
  bool known = gone->v[m_column(MESSAGES, "conversation_id")].is == M_STR;
  for (int i = 0; i < m->now.rows[MESSAGES]; ++i) {
    const struct m_record *r = &m->now.row[MESSAGES][i];
    if (!is_beside(gone, r)) continue;
    if (same(r->v[0], above)) return r;
    bool later = !best || r->v[at].i > best->v[at].i ||
                 (r->v[at].i == best->v[at].i && r->version > best->version);
    if (known && later) best = r;
  }
  return best;
}

static void mend_conversation(struct model *m, const struct m_record *gone, struct m_record *old) {
  struct m_record r = *old;
  struct m_value *last = m_at(&r, CONVERSATIONS, "last_message_id"),
                 *summary = m_at(&r, CONVERSATIONS, "summary");
  bool was_last = same(*last, gone->v[0]);
  if (!was_last && summary->is != M_STR) return;
  *summary = null();
  if (was_last) {
    const struct m_record *now = last_before(m, gone);
    *last = now ? now->v[0] : null();
    *m_at(&r, CONVERSATIONS, "last_message_at") =
        now ? now->v[m_column(MESSAGES, "observed_at")] : null();
    if (is_text(m_at(&r, CONVERSATIONS, "automation_status")->s, "auto")) {
      *m_at(&r, CONVERSATIONS, "automation_status") = words("paused");
      *m_at(&r, CONVERSATIONS, "paused_at") = number(m->clock);
    }
  }
  *m_at(&r, CONVERSATIONS, "updated_at") = number(m->clock);
  m_write_ages(m, CONVERSATIONS, &r);
  m_store(m, CONVERSATIONS, old, &r);
}

void m_mend_conversations(struct model *m, const struct m_record *gone) {
  bool done[M_ROWS] = {false};
  for (;;) {
    struct m_record *next = NULL;
    for (int i = 0; i < m->now.rows[CONVERSATIONS]; ++i) {
      struct m_record *r = &m->now.row[CONVERSATIONS][i];
      struct m_record *link = m_link_of(&m->now, gone->v[m_column(MESSAGES, "platform")],
                                        gone->v[m_column(MESSAGES, "conversation_id")]);
      bool its = same(*m_at(r, CONVERSATIONS, "last_message_id"), gone->v[0]) ||
                 (link && same(*m_at(link, LINKS, "local_conversation_id"), r->v[0]));
      if (its && !done[i] && (!next || m_by_key(r, next) < 0)) next = r;
    }
    if (!next) return;
    done[next - m->now.row[CONVERSATIONS]] = true;
    mend_conversation(m, gone, next);
    m_forget_errors(m, next->v[0].s);
  }
}

void m_mend_sessions(struct model *m, const struct m_record *gone) {
  int platform = m_column(SESSIONS, "platform"), home = m_column(SESSIONS, "conversation_id"),
      summary = m_column(SESSIONS, "summary");
  for (;;) {
    struct m_record *next = NULL;
    for (int i = 0; i < m->now.rows[SESSIONS]; ++i) {
      struct m_record *r = &m->now.row[SESSIONS][i];
      bool its = same(r->v[platform], gone->v[m_column(MESSAGES, "platform")]) &&
                 same(r->v[home], gone->v[m_column(MESSAGES, "conversation_id")]);
      if (its && r->v[summary].is == M_STR && (!next || m_by_key(r, next) < 0)) next = r;
    }
    if (!next) return;
    struct m_record r = *next;
    r.v[summary] = null();
    m_store(m, SESSIONS, next, &r);
  }
}
