/* The model's rules: docs/records.md, "How a write changes a record", written a second time. */
#include "test_store_model_values.h"

#include <stdlib.h>
#include <time.h>

struct m_record *m_find(struct m_state *s, int table, struct ck_str key) {
  for (int i = 0; i < s->rows[table]; ++i)
    if (same_text(s->row[table][i].v[0].s, key)) return &s->row[table][i];
  return NULL;
}

static struct m_value *at(struct m_record *r, int table, const char *column) {
  return &r->v[m_column(table, column)];
}

/* ---- what must hold for a changed record ---- */

static bool there(struct m_state *s, int table, struct m_value key) {
  return m_find(s, table, key.s) != NULL;
}

static struct m_record *link_of(struct m_state *s, struct m_value platform, struct m_value remote) {
  if (platform.is != M_STR || remote.is != M_STR) return NULL;
  for (int i = 0; i < s->rows[LINKS]; ++i) {
    struct m_record *r = &s->row[LINKS][i];
    if (same(*at(r, LINKS, "platform"), platform) &&
        same(*at(r, LINKS, "remote_conversation_id"), remote))
      return r;
  }
  return NULL;
}

static bool is_sound(struct m_state *s, int table, struct m_record *r) {
  if (table == EXECUTIONS) return there(s, MESSAGES, *at(r, table, "message_id"));
  if (table == LINKS) {
    struct m_record *other =
        link_of(s, *at(r, table, "platform"), *at(r, table, "remote_conversation_id"));
    return there(s, CONVERSATIONS, *at(r, table, "local_conversation_id")) &&
           (!other || same(other->v[0], r->v[0]));
  }
  if (table == JOBS)
    return there(s, MESSAGES, *at(r, table, "message_id")) &&
           there(s, CONVERSATIONS, *at(r, table, "local_conversation_id"));
  return true;
}

/* ---- the store's own tables ---- */

static struct m_automation *automation_of(struct m_state *s, struct ck_str id) {
  for (int i = 0; i < M_ROWS; ++i)
    if (s->automation[i].conversation.n == 0 || same_text(s->automation[i].conversation, id))
      return &s->automation[i];
  abort(); /* There is a row for each conversation. */
}

static void follow_automation(struct model *m, bool was, struct m_record *r) {
  bool is = is_text(at(r, CONVERSATIONS, "automation_status")->s, "auto");
  if (!is && !was) return;
  struct m_automation *a = automation_of(&m->now, r->v[0].s);
  if (is && was && a->since > m->clock + 60000) a->since = m->clock - 1;
  if (is == was) return;
  *a = (struct m_automation){r->v[0].s, is, m->clock};
}

static struct m_lease *lease_of(struct m_state *s, struct ck_str job) {
  for (int i = 0; i < M_ROWS; ++i)
    if (s->lease[i].job.n == 0 || same_text(s->lease[i].job, job)) return &s->lease[i];
  abort(); /* There is a row for each job. */
}

/* ---- writing ---- */

static bool store(struct model *m, int table, struct m_record *old, struct m_record *changed) {
  if (!is_sound(&m->now, table, changed)) return false;
  if (table == CONVERSATIONS)
    follow_automation(m, old && is_text(at(old, table, "automation_status")->s, "auto"), changed);
  if (table == JOBS && old && is_text(at(old, table, "status")->s, "running") &&
      !is_text(at(changed, table, "status")->s, "running"))
    lease_of(&m->now, changed->v[0].s)->state = NULL;
  changed->version = ++m->now.head;
  if (old) {
    *old = *changed;
    m->updated = true;
    return true;
  }
  if (table == MESSAGES) m->fresh[m->fresh_messages++] = changed->v[0].s;
  m->fresh_executions += table == EXECUTIONS;
  m->now.row[table][m->now.rows[table]++] = *changed;
  m->inserted = true;
  return true;
}

static struct m_value made_path(struct model *m, int table, const struct m_value v[]) {
  static const char *const times[] = {"observed_at", "executed_at", "started_at"};
  struct ck_buf b = {0};
  int64_t ms = v[m_column(table, times[table])].i;
  ck_buf_printf(&b, "%s/", m_tables[table].folder);
  if (ms < -62135596800000 || ms >= 253402300800000) {
    ck_buf_text(&b, "undated/");
  } else {
    time_t seconds = (time_t)(ms >= 0 ? ms / 1000 : -((-ms + 999) / 1000));
    struct tm tm;
    gmtime_r(&seconds, &tm);
    ck_buf_printf(&b, "%04d/%02d/%02d/", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday);
  }
  m_escaped(&b, v[0].s);
  ck_buf_text(&b, ".txt");
  struct m_value made = text_of(ck_arena_copy(m->arena, ck_buf_view(&b)));
  ck_buf_free(&b);
  return made;
}

static bool insert(struct model *m, int table, const struct m_value given[]) {
  struct m_record r = {0};
  for (int c = 0; m_tables[table].column[c].name; ++c) {
    const struct m_column *col = &m_tables[table].column[c];
    r.v[c] = given[c];
    if (given[c].is != M_OUT) continue;
    if (strchr("Ktrpib", col->kind)) return false;
    if (strchr("oyj", col->kind)) r.v[c] = null();
    if (strchr("nu", col->kind)) r.v[c] = number(m->clock);
    if (col->kind == '#') r.v[c] = number(0);
    if (col->kind == '+') r.v[c] = number(3);
    if (col->kind == 'B') r.v[c] = number(strcmp(col->name, "is_active") == 0);
    if (col->kind == 'c')
      r.v[c] = text_of((struct ck_str){col->choices, strcspn(col->choices, "|")});
    if (col->kind == '/') r.v[c] = made_path(m, table, given);
  }
  if (table == JOBS && given[m_column(JOBS, "next_attempt_at")].is == M_OUT)
    *at(&r, JOBS, "next_attempt_at") = *at(&r, JOBS, "created_at");
  return store(m, table, NULL, &r);
}

static bool is_fresh(const struct model *m, struct ck_str message) {
  for (int i = 0; i < m->fresh_messages; ++i)
    if (same_text(m->fresh[i], message)) return true;
  return false;
}

/* What one field of an existing record becomes. */
static struct m_value merged(const struct m_column *col, bool own, bool late, bool repeats,
                             struct m_value old, struct m_value given) {
  bool last_message = strcmp(col->name, "last_message_id") == 0;
  if (late && (own || last_message || !strchr("oyj", col->kind) || old.is != M_NULL)) return old;
  if (repeats && old.is == M_STR && given.is == M_STR &&
      (last_message || strcmp(col->name, "title") == 0 || strcmp(col->name, "summary") == 0))
    return old;
  return given;
}

static bool is_ahead(const struct model *m, int64_t time) { return time > m->clock + 60000; }

/* A write of about now is not late, however far ahead of the clock the record is. */
static bool is_late(const struct model *m, int64_t given, int64_t old) {
  bool overtakes = is_ahead(m, old) && !is_ahead(m, given) && given >= m->clock - 3600000;
  return given < old && !overtakes;
}

static bool merge(struct model *m, int table, struct m_record *old, const struct m_value given[]) {
  struct m_record r = *old;
  const struct m_table *t = &m_tables[table];
  int own = t->own_time ? m_column(table, t->own_time) : -1;
  bool timed = own >= 0 && given[own].is == M_INT && old->v[own].is == M_INT, changed = false;
  bool late = timed && is_late(m, given[own].i, old->v[own].i),
       same_time = timed && given[own].i == old->v[own].i;
  int last = m_column(table, "last_message_id");
  bool repeats = table == CONVERSATIONS && same_time &&
                 !(given[last].is == M_STR && is_fresh(m, given[last].s));
  for (int c = 1; t->column[c].name; ++c) {
    const struct m_column *col = &t->column[c];
    if (given[c].is == M_OUT || strchr("n/u", col->kind)) continue;
    if (table == JOBS &&
        (c == m_column(JOBS, "message_id") || c == m_column(JOBS, "local_conversation_id"))) {
      if (!same(given[c], old->v[c])) return false;
      continue;
    }
    bool home = table == MESSAGES &&
                (strcmp(col->name, "platform") == 0 || strcmp(col->name, "conversation_id") == 0);
    if (home && given[c].is == M_STR && old->v[c].is == M_STR && !same(given[c], old->v[c]))
      return false;
    if (table == SESSIONS && strcmp(col->name, "started_at") == 0)
      r.v[c] = given[c].i < old->v[c].i ? given[c] : old->v[c];
    else
      r.v[c] = merged(col, c == own, late, repeats, old->v[c], given[c]);
    changed |= !same(r.v[c], old->v[c]);
  }
  if (!changed) return true;
  int touched = m_column(table, "updated_at");
  if (touched >= 0) r.v[touched] = given[touched].is == M_INT ? given[touched] : number(m->clock);
  return store(m, table, old, &r);
}

/* ---- one mutation ---- */

/* Counts grow by what this changeset inserted, however often it names the session. */
static void count(struct model *m, struct m_record *old, struct m_value given[]) {
  int mc = m_column(SESSIONS, "message_count"), ec = m_column(SESSIONS, "execution_count"), i = 0;
  while (m->counted[i].id.n && !same_text(m->counted[i].id, given[0].s)) ++i;
  given[mc] = plus(old ? old->v[mc].i : 0, m->fresh_messages - m->counted[i].messages);
  given[ec] = plus(old ? old->v[ec].i : 0, m->fresh_executions - m->counted[i].executions);
  m->counted[i].id = given[0].s;
  m->counted[i].messages = m->fresh_messages;
  m->counted[i].executions = m->fresh_executions;
}

/* A write that gives created_at instead of its own time has that time, if it says something new. */
static void put_time(struct model *m, int table, const struct m_record *old,
                     struct m_value given[]) {
  static const char *const own[] = {"observed_at", "executed_at", "last_activity_at",
                                    "last_message_at", "observed_at"};
  if (table == JOBS) return;
  struct m_value *at = &given[m_column(table, own[table])],
                 *last = table == CONVERSATIONS ? &given[m_column(table, "last_message_id")] : NULL;
  struct m_value *first = &given[m_column(table, "created_at")];
  if (table == MESSAGES && !old && at->is == M_INT && at->i < INT64_MAX &&
      at->i == (first->is == M_INT ? first->i : m->clock))
    *first = number(at->i + 1);
  if (table != MESSAGES && table != EXECUTIONS && at->is == M_INT && is_ahead(m, at->i)) {
    at->is = M_OUT;
    if (table == SESSIONS) given[m_column(table, "started_at")].is = M_OUT;
    if (first->is != M_INT || is_ahead(m, first->i)) *first = number(m->clock);
  }
  struct m_value created = *first;
  if (at->is != M_OUT || created.is != M_INT || (last && last->is != M_STR)) return;
  bool news = last ? is_fresh(m, last->s) : m->fresh_messages + m->fresh_executions > 0;
  bool takes = !old || (news && table != MESSAGES && table != EXECUTIONS);
  if (!takes && last) {
    static const char *const said[] = {"title", "summary"};
    last->is = M_OUT;
    for (int i = 0; i < 2; ++i)
      if (old->v[m_column(table, said[i])].is == M_STR) given[m_column(table, said[i])].is = M_OUT;
  }
  if (!takes) return;
  *at = created;
  if (table == SESSIONS && given[m_column(table, "started_at")].is == M_OUT)
    given[m_column(table, "started_at")] = created;
}

static bool put_session(struct model *m, struct m_value given[]) {
  int own = m_column(SESSIONS, "last_activity_at");
  bool counted = given[m_column(SESSIONS, "message_count")].is == M_OUT &&
                 given[m_column(SESSIONS, "execution_count")].is == M_OUT;
  struct m_record *old = m_find(&m->now, SESSIONS, given[0].s);
  if (!old && counted && m->known && m->fresh_messages + m->fresh_executions == 0) return true;
  put_time(m, SESSIONS, old, given);
  struct m_value counts[M_COLUMNS] = {[0] = given[0]};
  if (counted) count(m, old, counts);
  bool late = old && given[own].is == M_INT && is_late(m, given[own].i, old->v[own].i);
  for (int c = 1; c < M_COLUMNS && counted && !late; ++c)
    if (counts[c].is != M_OUT) given[c] = counts[c];
  if (!old) return insert(m, SESSIONS, given);
  if (!merge(m, SESSIONS, old, given)) return false;
  /* A late write leaves the counts, but what came with it is counted, by a second change. */
  return counted && late ? merge(m, SESSIONS, old, counts) : true;
}

static bool put_job(struct model *m, const struct m_value given[]) {
  int message = m_column(JOBS, "message_id");
  struct m_record *old = m_find(&m->now, JOBS, given[0].s);
  if (old) return same(old->v[message], given[message]);
  for (int i = 0; i < m->now.rows[JOBS]; ++i)
    if (same(m->now.row[JOBS][i].v[message], given[message])) return false;
  return insert(m, JOBS, given);
}

static bool put(struct model *m, const struct m_mutation *w) {
  struct m_value given[M_COLUMNS];
  if (!m_read_write(w, given)) return false;
  if (w->table == SESSIONS) return put_session(m, given);
  if (w->table == JOBS) return put_job(m, given);
  struct m_record *old = NULL;
  if (w->table == LINKS)
    old = link_of(&m->now, given[m_column(LINKS, "platform")],
                  given[m_column(LINKS, "remote_conversation_id")]);
  if (!old) old = m_find(&m->now, w->table, given[0].s);
  m->known |= old && (w->table == MESSAGES || w->table == EXECUTIONS);
  put_time(m, w->table, old, given);
  return old ? merge(m, w->table, old, given) : insert(m, w->table, given);
}

static bool update(struct model *m, const struct m_mutation *w) {
  struct m_value given[M_COLUMNS];
  if (!m_read_write(w, given)) return false;
  struct m_record *old = m_find(&m->now, w->table, given[0].s);
  return old && merge(m, w->table, old, given);
}

static bool claim(struct model *m, const struct ck_claim *w) {
  struct m_record *old = m_find(&m->now, JOBS, w->job_id);
  if (!old || !is_text(at(old, JOBS, "status")->s, "pending") || w->token.n == 0) return false;
  struct m_record *of = m_find(&m->now, CONVERSATIONS, at(old, JOBS, "local_conversation_id")->s);
  if (!of || is_text(at(of, CONVERSATIONS, "automation_status")->s, "paused")) return false;
  struct m_record r = *old;
  *at(&r, JOBS, "status") = words("running");
  *at(&r, JOBS, "attempt_count") = plus(at(&r, JOBS, "attempt_count")->i, 1);
  *at(&r, JOBS, "last_attempt_at") = number(w->at);
  *at(&r, JOBS, "updated_at") = number(m->clock);
  if (at(&r, JOBS, "started_at")->is == M_NULL) *at(&r, JOBS, "started_at") = number(w->at);
  *lease_of(&m->now, w->job_id) = (struct m_lease){
      old->v[0].s, w->token, (uint64_t)at(&r, JOBS, "attempt_count")->i, "running", w->at};
  return store(m, JOBS, old, &r);
}

static bool end(struct model *m, const struct ck_end *w) {
  struct m_record *old = m_find(&m->now, JOBS, w->job_id);
  if (!old || !m_is_choice("done|retry|failed|unknown|released|unreached", w->outcome))
    return false;
  struct m_lease *lease = lease_of(&m->now, w->job_id);
  if (!lease->state || lease->attempt != w->attempt || !same_text(lease->token, w->token) ||
      !is_text(at(old, JOBS, "status")->s, "running"))
    return false;
  struct m_record r = *old;
  bool finished = m_is_choice("done|failed", w->outcome), unknown = is_text(w->outcome, "unknown");
  struct ck_str error = m_trimmed(w->error);
  *at(&r, JOBS, "status") = finished ? text_of(w->outcome) : words(unknown ? "running" : "pending");
  *at(&r, JOBS, "last_error") = error.n ? text_of(error) : null();
  if (w->log_path.n) *at(&r, JOBS, "log_path") = text_of(w->log_path);
  if (finished) *at(&r, JOBS, "finished_at") = number(w->at);
  if (finished) *at(&r, JOBS, "next_attempt_at") = null();
  if (!finished && !unknown) *at(&r, JOBS, "next_attempt_at") = number(w->next_attempt_at);
  if (m_is_choice("released|unreached", w->outcome) && at(&r, JOBS, "attempt_count")->i > 0)
    at(&r, JOBS, "attempt_count")->i -= 1;
  *at(&r, JOBS, "updated_at") = number(m->clock);
  if (unknown) {
    lease->state = "unknown";
    lease->at = w->at;
  }
  if (!store(m, JOBS, old, &r)) return false;
  if (!w->cooldown_until) return true;
  struct m_record *of = m_find(&m->now, CONVERSATIONS, at(&r, JOBS, "local_conversation_id")->s);
  if (!of) return false;
  const struct m_value *rest = at(of, CONVERSATIONS, "cooldown_until");
  if ((rest->is == M_INT ? rest->i : 0) >= w->cooldown_until) return true;
  struct m_value given[M_COLUMNS] = {{0}};
  given[m_column(CONVERSATIONS, "cooldown_until")] = number(w->cooldown_until);
  return merge(m, CONVERSATIONS, of, given);
}

static bool apply_one(struct model *m, const struct m_mutation *w) {
  switch (w->kind) {
  case CK_OP_PUT:
    return put(m, w);
  case CK_OP_UPDATE:
    return update(m, w);
  case CK_OP_CLAIM:
    return claim(m, &w->claim);
  case CK_OP_END:
    return end(m, &w->end);
  case CK_OP_CURSOR:
    if (w->cursor.follower.n == 0) return false;
    m->now.cursor = number((int64_t)w->cursor.version);
    return true;
  case CK_OP_SYNCED:
    return false; /* the model has no leases of the mirror */
  default:
    return true;
  }
}

char m_apply(struct model *m, const struct m_mutation *list, int n, int64_t clock) {
  m->before = m->now;
  m->clock = clock;
  m->fresh_messages = m->fresh_executions = 0;
  m->inserted = m->updated = m->known = false;
  memset(m->counted, 0, sizeof m->counted);
  for (int i = 0; i < n; ++i)
    if (!apply_one(m, &list[i])) {
      m->now = m->before;
      return 'r';
    }
  return m->inserted ? 'n' : m->updated ? 'u' : '=';
}
