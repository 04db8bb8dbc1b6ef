/* The model's rules: docs/records.md, "How a write changes a record", written a second time. */
#include "test_store_model_rules.h"

/* ---- times ---- */

/* A write that gives created_at instead of its own time has that time, if it says something new. */
static void put_time(struct model *m, int table, const struct m_record *old, struct writing *w) {
  struct m_value *given = w->given, *at = &given[m_column(table, m_own_time(table))],
                 *last = table == CONVERSATIONS ? &given[m_column(table, "last_message_id")] : NULL,
                 *newest = table == CONVERSATIONS ? &given[m_column(table, "newest_at")] : NULL;
  struct m_value *first = &given[m_column(table, "created_at")];
  bool its_own = table == MESSAGES || table == EXECUTIONS;
  int ages = m_column(table, "ages");
  if (its_own && at->is == M_INT && given[ages].is == M_STR) {
    int64_t age[M_COLUMNS];
    m_read_ages(table, given[ages].s, age);
    w->made_up = age[m_column(table, m_own_time(table))] == M_NONE;
  }
  if (table == MESSAGES && !old && !w->made_up && at->is == M_INT && at->i < INT64_MAX &&
      at->i == (first->is == M_INT ? first->i : m->clock))
    *first = number(at->i + 1);
  if (newest && newest->is == M_INT && m_is_beyond(m, newest->i, A_DAY)) newest->is = M_OUT;
  if (last && at->is == M_INT && m_is_beyond(m, at->i, A_DAY)) at->is = M_NULL;
  if (newest && newest->is == M_OUT && at->is == M_INT) *newest = *at;
  struct m_value clock = number(m->clock);
  if ((last || table == LINKS) && at->is == M_INT && m_is_ahead(m, at->i) &&
      !m_is_beyond(m, at->i, A_DAY)) {
    at->is = M_OUT;
    first = &clock;
  }
  if (at->is == M_OUT && its_own && first->is == M_INT) {
    w->made_up = true;
    *at = *first;
  } else if (at->is == M_OUT && !its_own && (!last || last->is == M_STR)) {
    bool takes = !old || w->news;
    if (!takes && last) last->is = M_OUT;
    if (takes && first->is == M_INT)
      *at = last && m_is_beyond(m, first->i, A_DAY) ? null() : *first;
    if (takes && first->is != M_INT && last && w->news) *at = number(m->clock);
    if (at->is == M_INT && table == SESSIONS && given[m_column(table, "started_at")].is == M_OUT)
      given[m_column(table, "started_at")] = *at;
  }
  if (newest && newest->is == M_OUT && at->is == M_INT) *newest = *at;
}

/* ---- one mutation ---- */

/* Counts grow by what this changeset inserted since its last session. */
static void count(struct model *m, struct m_record *old, struct m_value given[]) {
  int mc = m_column(SESSIONS, "message_count"), ec = m_column(SESSIONS, "execution_count");
  given[mc] = plus(old ? old->v[mc].i : 0, m->run_messages);
  given[ec] = plus(old ? old->v[ec].i : 0, m->run_executions);
}

static bool put_session(struct model *m, struct m_record *old, struct writing *w, int64_t age) {
  bool counted = w->given[m_column(SESSIONS, "message_count")].is == M_OUT &&
                 w->given[m_column(SESSIONS, "execution_count")].is == M_OUT;
  if (!old && counted && m->known && m->run_messages + m->run_executions == 0) return true;
  struct m_value *started = &w->given[m_column(SESSIONS, "started_at")];
  if (counted && m->run_copied) {
    if (!m->run_own && m->run_executions == 0) return true;
    if (m->run_own && started->is == M_INT && started->i < m->run_own_from)
      started->i = m->run_own_from;
  }
  put_time(m, SESSIONS, old, w);
  m_set_ages(m, SESSIONS, w, age);
  if (counted) count(m, old, w->given);
  return old ? m_merge(m, SESSIONS, old, w) : m_insert(m, SESSIONS, w);
}

static bool is_fresh(const struct model *m, struct ck_str message) {
  for (int i = 0; i < m->fresh_messages; ++i)
    if (same_text(m->fresh[i], message)) return true;
  return false;
}

static void end_run(struct model *m) {
  m->run_messages = m->run_executions = 0;
  m->known = m->run_copied = m->run_own = false;
}

/* What was forgotten is left out. */
static bool leave_out(struct model *m, int table) {
  if (table == SESSIONS) end_run(m);
  return true;
}

static bool put_given(struct model *m, const struct m_mutation *mutation, struct writing w) {
  int table = mutation->table;
  struct ck_str id = w.given[0].s;
  if (table == JOBS) return m_put_job(m, &w);
  m_find_ids(m, table, &w);
  if (!same_text(id, w.given[0].s)) w.given[m_column(table, "static_path")] = (struct m_value){0};
  if (m_leaves_out(m, table, w.given)) return leave_out(m, table);
  struct m_record *old = NULL;
  if (table == LINKS)
    old = m_link_of(&m->now, w.given[m_column(LINKS, "platform")],
                    w.given[m_column(LINKS, "remote_conversation_id")]);
  if (!old) old = m_find(&m->now, table, w.given[0].s);
  m_drop_away(m, old, table, w.given);
  if (m_leads_away(m, old, table, w.given)) return leave_out(m, table);
  struct m_value last =
      table == CONVERSATIONS ? w.given[m_column(table, "last_message_id")] : null();
  w.news = table == CONVERSATIONS ? is_fresh(m, last.s)
           : table == SESSIONS    ? m->run_messages + m->run_executions > 0
                                  : m->fresh_messages + m->fresh_executions > 0;
  if (table == SESSIONS) {
    bool ok = put_session(m, old, &w, mutation->age);
    end_run(m);
    return ok;
  }
  if (old) m_note_known(m, table, old);
  m->known |= old && (table == MESSAGES || table == EXECUTIONS);
  put_time(m, table, old, &w);
  m_set_ages(m, table, &w, mutation->age);
  if (old) return m_merge(m, table, old, &w);
  if (!m_insert(m, table, &w)) return false;
  bool turns = table == MESSAGES && !same_text(id, w.given[0].s);
  return !turns || m_turn_children(m, id, w.given[0]);
}

static bool put(struct model *m, const struct m_mutation *mutation) {
  struct writing w = {0};
  return m_read_write(mutation, w.given) && put_given(m, mutation, w);
}

/* What it may be a copy of was forgotten: that is known of the platform's id, wherever it comes. */
static bool copies_away(struct model *m, const struct m_value given[]) {
  const struct m_gone *gone = m_away(m, MESSAGES, given[0].s);
  struct m_value platform = given[m_column(MESSAGES, "platform")];
  if (!gone) return false;
  bool other =
      gone->platform.is == M_STR && platform.is == M_STR && !same(gone->platform, platform);
  if (other) return false;
  m->platform = text_or_none(platform);
  m->conversation = text_or_none(given[m_column(MESSAGES, "conversation_id")]);
  return true;
}

static bool copy(struct model *m, const struct m_mutation *mutation) {
  struct writing w = {0};
  if (!m_read_write(mutation, w.given)) return false;
  int home = m_column(MESSAGES, "conversation_id"), time = m_column(MESSAGES, "observed_at");
  if (copies_away(m, w.given)) return true;
  struct m_value given = w.given[home];
  const struct m_record *of = m_copied(m, mutation, w.given);
  if (of) w.given[home] = of->v[home];
  if (of) w.given[time] = of->v[time];
  struct m_mutation oldest = *mutation;
  if (of && !mutation->timed) oldest.age = 1;
  m->copies = of != NULL;
  bool ok = put_given(m, &oldest, w);
  m->copies = false;
  if (!ok) return false;
  m->conversation = text_or_none(given);
  return true;
}

static bool update(struct model *m, const struct m_mutation *mutation) {
  struct writing w = {.owner = true};
  if (!m_read_write(mutation, w.given)) return false;
  struct m_record *old = m_find(&m->now, mutation->table, w.given[0].s);
  m_set_ages(m, mutation->table, &w, 0);
  if (m_leads_away(m, old, mutation->table, w.given)) return false;
  return old && m_merge(m, mutation->table, old, &w);
}

static bool apply_one(struct model *m, const struct m_mutation *w) {
  switch (w->kind) {
  case CK_OP_PUT:
    return put(m, w);
  case CK_OP_COPY:
    return copy(m, w);
  case CK_OP_UPDATE:
    return update(m, w);
  case CK_OP_CLAIM:
    return m_claim(m, &w->claim);
  case CK_OP_END:
    return m_end(m, &w->end);
  case CK_OP_CURSOR:
    if (w->cursor.follower.n == 0) return false;
    m->now.cursor = number((int64_t)w->cursor.version);
    return true;
  case CK_OP_FORGET:
    return m_forget(m, &w->forget);
  case CK_OP_REMEMBER:
    return m_remember(m, &w->remember);
  case CK_OP_SYNCED:
    return false; /* the model has no leases of the mirror */
  default:
    return true;
  }
}

char m_apply(struct model *m, const struct m_mutation *list, int n) {
  m_copy(&m->before, &m->now);
  m->fresh_messages = m->fresh_executions = m->run_messages = m->run_executions = 0;
  m->inserted = m->updated = m->known = m->run_copied = m->run_own = false;
  m->platform = m->conversation = (struct ck_str){0};
  m->list = list;
  m->mutations = n;
  for (int i = 0; i < n; ++i)
    if (!apply_one(m, &list[i])) {
      m_copy(&m->now, &m->before);
      return 'r';
    }
  return m->inserted ? 'n' : m->updated ? 'u' : '=';
}
