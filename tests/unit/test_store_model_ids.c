/* Ids that two conversations use, and messages that a conversation has copied from another. */
#include "test_store_model_rules.h"

static bool differ(struct m_value a, struct ck_str b) {
  return a.is == M_STR && b.n && !same_text(a.s, b);
}

static bool is_at_home(const struct model *m, struct m_record *message) {
  return !differ(*m_at(message, MESSAGES, "platform"), m->platform) &&
         !differ(*m_at(message, MESSAGES, "conversation_id"), m->conversation);
}

static struct ck_str derived(struct model *m, struct ck_str id, const struct ck_str *parts,
                             size_t n) {
  char hash[33];
  struct ck_buf b = {0};
  ck_hash_id(hash, parts, n);
  ck_buf_str(&b, id);
  ck_buf_printf(&b, "@%.16s", hash);
  struct ck_str made = ck_arena_copy(m->arena, ck_buf_view(&b));
  ck_buf_free(&b);
  return made;
}

static void mean(struct model *m, bool makes, struct m_value *id) {
  if (id->is != M_STR || !m->platform.n) return;
  struct m_record *r = m_find(&m->now, MESSAGES, id->s);
  const struct m_gone *gone = r ? NULL : m_away(m, MESSAGES, id->s);
  bool elsewhere =
      gone && (differ(gone->platform, m->platform) || differ(gone->conversation, m->conversation));
  if (r ? is_at_home(m, r) : !elsewhere) return;
  struct ck_str parts[] = {m->platform, m->conversation, id->s};
  struct ck_str made = derived(m, id->s, parts, 3);
  if (makes || m_find(&m->now, MESSAGES, made)) *id = text_of(made);
}

/* An execution that comes before any message belongs to the changeset's session. */
static void search_home(struct model *m) {
  struct m_value given[M_COLUMNS];
  for (int i = 0; i < m->mutations && !m->platform.n; ++i) {
    const struct m_mutation *w = &m->list[i];
    if (w->kind != CK_OP_PUT || w->table != SESSIONS || !m_read_write(w, given)) continue;
    m->platform = text_or_none(given[m_column(SESSIONS, "platform")]);
    m->conversation = text_or_none(given[m_column(SESSIONS, "conversation_id")]);
    return;
  }
}

static struct m_value with_source_id(struct model *m, struct m_value details, struct ck_str id) {
  struct ck_str old = details.is == M_STR ? details.s : CK_LIT("{}");
  struct ck_buf b = {0}, plain = {0};
  ck_buf_str(&plain, old);
  bool has = strstr(ck_buf_cstr(&plain), "\"source_id\":") != NULL;
  ck_buf_free(&plain);
  if (old.n < 2 || old.s[0] != '{' || has) return details;
  ck_buf_text(&b, "{\"source_id\":");
  ck_buf_json_str(&b, id);
  if (old.s[1] != '}') ck_buf_text(&b, ",");
  ck_buf_add(&b, old.s + 1, old.n - 1);
  struct m_value made = text_of(ck_arena_copy(m->arena, ck_buf_view(&b)));
  ck_buf_free(&b);
  return made;
}

static void find_message(struct model *m, struct writing *w) {
  struct m_value *details = &w->given[m_column(MESSAGES, "details")];
  struct ck_str id = w->given[0].s;
  m->platform = text_or_none(w->given[m_column(MESSAGES, "platform")]);
  m->conversation = text_or_none(w->given[m_column(MESSAGES, "conversation_id")]);
  mean(m, true, &w->given[0]);
  mean(m, false, &w->given[m_column(MESSAGES, "parent_id")]);
  if (same_text(w->given[0].s, id)) return;
  w->details = with_source_id(m, null(), id);
  if (details->is == M_STR) *details = with_source_id(m, *details, id);
}

void m_find_ids(struct model *m, int table, struct writing *w) {
  int message = m_column(EXECUTIONS, "message_id");
  if (table == MESSAGES) find_message(m, w);
  if (table == SESSIONS) {
    m->platform = text_or_none(w->given[m_column(SESSIONS, "platform")]);
    m->conversation = text_or_none(w->given[m_column(SESSIONS, "conversation_id")]);
  }
  if (table == CONVERSATIONS) mean(m, false, &w->given[m_column(table, "last_message_id")]);
  if (table != EXECUTIONS) return;
  search_home(m);
  mean(m, false, &w->given[message]);
  struct m_record *old = m_find(&m->now, EXECUTIONS, w->given[0].s);
  struct ck_str parts[] = {text_or_none(w->given[message]), w->given[0].s};
  if (old && differ(old->v[message], parts[0]))
    w->given[0] = text_of(derived(m, w->given[0].s, parts, 2));
}

bool m_turn_children(struct model *m, struct ck_str from, struct m_value to) {
  for (uint64_t after = 0;;) {
    struct m_record *next = NULL;
    for (int i = 0; i < m->now.rows[MESSAGES]; ++i) {
      struct m_record *r = &m->now.row[MESSAGES][i];
      bool child = same(*m_at(r, MESSAGES, "parent_id"), text_of(from)) &&
                   same_text(text_or_none(*m_at(r, MESSAGES, "platform")), m->platform) &&
                   same_text(text_or_none(*m_at(r, MESSAGES, "conversation_id")), m->conversation);
      if (child && r->version > after && (!next || r->version < next->version)) next = r;
    }
    if (!next) return true;
    after = next->version;
    struct m_record r = *next;
    *m_at(&r, MESSAGES, "parent_id") = to;
    if (!m_store(m, MESSAGES, next, &r)) return false;
  }
}

/* An execution is of the conversation of its message. */
void m_note_known(struct model *m, int table, struct m_record *old) {
  bool execution = table == EXECUTIONS;
  struct m_record *message =
      execution ? m_find(&m->now, MESSAGES, m_at(old, EXECUTIONS, "message_id")->s) : old;
  if ((table != MESSAGES && !execution) || !message) return;
  if (execution ? !is_at_home(m, message) : m->copies)
    m->run_copied = true;
  else
    m_note_own(m, message);
}

static bool begins(struct ck_str s, struct ck_str with) {
  return s.n >= with.n && (!with.n || memcmp(s.s, with.s, with.n) == 0);
}

/* Is there such a message in another conversation? */
const struct m_record *m_copied(struct model *m, const struct m_mutation *w,
                                const struct m_value *given) {
  int platform = m_column(MESSAGES, "platform"), home = m_column(MESSAGES, "conversation_id"),
      role = m_column(MESSAGES, "role"), text = m_column(MESSAGES, "raw_text"),
      time = m_column(MESSAGES, "observed_at");
  const struct m_record *r = m_find(&m->now, MESSAGES, given[0].s);
  if (!r || !same(r->v[platform], given[platform]) || !same(r->v[role], given[role]) ||
      given[home].is != M_STR || !differ(r->v[home], given[home].s))
    return NULL;
  if (w->timed && (given[time].is != M_INT || given[time].i != r->v[time].i)) return NULL;
  struct ck_str a = text_or_none(r->v[text]), b = text_or_none(given[text]);
  return begins(a, b) || begins(b, a) ? r : NULL;
}
