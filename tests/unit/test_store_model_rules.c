/* The model's rules: docs/records.md, "How a write changes a record", written a second time. */
#include "test_store_model.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

const struct m_table m_tables[TABLES] = {
    {"messages",
     "observed_at",
     "msg",
     {{"id", 'K', 0},
      {"platform", 't', 0},
      {"conversation_id", 'o', 0},
      {"role", 't', 0},
      {"raw_text", 'r', 0},
      {"summary", 'o', 0},
      {"observed_at", 'i', 0},
      {"static_path", '/', 0},
      {"page_url", 'o', 0},
      {"page_title", 'o', 0},
      {"organization_id", 'o', 0},
      {"created_at", 'n', 0}}},
    {"executions",
     "executed_at",
     "exec",
     {{"instruction_id", 'K', 0},
      {"message_id", 't', 0},
      {"target", 't', 0},
      {"tool", 't', 0},
      {"params", 'o', 0},
      {"params_kind", 'c', "none|body|inline_json|inline_string"},
      {"result_ok", 'b', 0},
      {"result_data", 'o', 0},
      {"result_summary", 'o', 0},
      {"result_error", 'o', 0},
      {"http_status", 'y', 0},
      {"executed_at", 'i', 0},
      {"static_path", '/', 0},
      {"created_at", 'n', 0}}},
    {"sessions",
     "last_activity_at",
     "session",
     {{"id", 'K', 0},
      {"platform", 't', 0},
      {"conversation_id", 'o', 0},
      {"started_at", 'i', 0},
      {"last_activity_at", 'i', 0},
      {"message_count", '#', 0},
      {"execution_count", '#', 0},
      {"summary", 'o', 0},
      {"static_path", '/', 0},
      {"created_at", 'n', 0}}},
    {"local_conversations",
     "last_message_at",
     NULL,
     {{"local_conversation_id", 'K', 0},
      {"platform", 't', 0},
      {"automation_status", 'c', "manual|auto|paused"},
      {"title", 'o', 0},
      {"summary", 'o', 0},
      {"last_message_id", 'o', 0},
      {"last_message_at", 'y', 0},
      {"cooldown_until", 'y', 0},
      {"paused_at", 'y', 0},
      {"created_at", 'n', 0},
      {"updated_at", 'u', 0}}},
    {"conversation_links",
     "observed_at",
     NULL,
     {{"link_id", 'K', 0},
      {"local_conversation_id", 't', 0},
      {"platform", 't', 0},
      {"remote_conversation_id", 'o', 0},
      {"client_id", 'o', 0},
      {"page_url", 'o', 0},
      {"page_title", 'o', 0},
      {"route_path", 'o', 0},
      {"route_pattern", 'o', 0},
      {"route_params", 'j', 0},
      {"target_kind", 'o', 0},
      {"target_id", 'o', 0},
      {"target_payload", 'j', 0},
      {"is_active", 'B', 0},
      {"observed_at", 'i', 0},
      {"created_at", 'n', 0},
      {"updated_at", 'u', 0}}},
    {"renewal_jobs",
     NULL,
     NULL,
     {{"job_id", 'K', 0},
      {"local_conversation_id", 't', 0},
      {"message_id", 't', 0},
      {"status", 'c', "pending|running|done|failed"},
      {"payload", 'p', 0},
      {"payload_kind", 'c', "text|json"},
      {"target_snapshot", 'j', 0},
      {"attempt_count", '#', 0},
      {"max_attempts", '+', 0},
      {"next_attempt_at", 'y', 0},
      {"last_attempt_at", 'y', 0},
      {"last_error", 'o', 0},
      {"log_path", 'o', 0},
      {"started_at", 'y', 0},
      {"finished_at", 'y', 0},
      {"created_at", 'n', 0},
      {"updated_at", 'u', 0}}},
};

static bool same_text(struct ck_str a, struct ck_str b) {
  return a.n == b.n && (a.n == 0 || memcmp(a.s, b.s, a.n) == 0);
}
static bool is_text(struct ck_str a, const char *b) {
  return a.n == strlen(b) && memcmp(a.s, b, a.n) == 0;
}
static struct m_value null(void) { return (struct m_value){.is = M_NULL}; }
static struct m_value number(int64_t i) { return (struct m_value){.is = M_INT, .i = i}; }
static struct m_value plus(int64_t i, int64_t more) {
  return number(i > INT64_MAX - more ? INT64_MAX : i + more);
}
static struct m_value words(const char *s) {
  return (struct m_value){.is = M_STR, .s = {s, strlen(s)}};
}
static struct m_value text_of(struct ck_str s) { return (struct m_value){.is = M_STR, .s = s}; }

static bool same(struct m_value a, struct m_value b) {
  if (a.is != b.is) return false;
  return a.is == M_INT ? a.i == b.i : a.is != M_STR || same_text(a.s, b.s);
}

int m_column(int table, const char *name) {
  for (int c = 0; m_tables[table].column[c].name; ++c)
    if (strcmp(m_tables[table].column[c].name, name) == 0) return c;
  return -1;
}

struct m_record *m_find(struct m_state *s, int table, struct ck_str key) {
  for (int i = 0; i < s->rows[table]; ++i)
    if (same_text(s->row[table][i].v[0].s, key)) return &s->row[table][i];
  return NULL;
}

static struct m_value *at(struct m_record *r, int table, const char *column) {
  return &r->v[m_column(table, column)];
}

/* ---- a given value ---- */

/* White_Space of Unicode and U+FEFF, spelt out as UTF-8. */
static const char *const blanks[] = {
    "\t",           "\n",           "\v",           "\f",           "\r",           " ",
    "\xc2\x85",     "\xc2\xa0",     "\xe1\x9a\x80", "\xe2\x80\x80", "\xe2\x80\x81", "\xe2\x80\x82",
    "\xe2\x80\x83", "\xe2\x80\x84", "\xe2\x80\x85", "\xe2\x80\x86", "\xe2\x80\x87", "\xe2\x80\x88",
    "\xe2\x80\x89", "\xe2\x80\x8a", "\xe2\x80\xa8", "\xe2\x80\xa9", "\xe2\x80\xaf", "\xe2\x81\x9f",
    "\xe3\x80\x80", "\xef\xbb\xbf"};

static struct ck_str trimmed(struct ck_str s) {
  for (bool again = true; again;) {
    again = false;
    for (size_t i = 0; i < sizeof blanks / sizeof *blanks; ++i) {
      size_t n = strlen(blanks[i]);
      if (s.n >= n && memcmp(s.s, blanks[i], n) == 0) {
        s.s += n;
        s.n -= n;
        again = true;
      }
      if (s.n >= n && memcmp(s.s + s.n - n, blanks[i], n) == 0) {
        s.n -= n;
        again = true;
      }
    }
  }
  return s;
}

static bool is_choice(const char *choices, struct ck_str s) {
  for (const char *p = choices; *p;) {
    size_t n = strcspn(p, "|");
    if (s.n == n && memcmp(p, s.s, n) == 0) return true;
    p += n + (p[n] == '|');
  }
  return false;
}

/* Of the random paths, those inside the folder. */
static bool is_inside(const char *folder, struct ck_str s) {
  size_t n = strlen(folder);
  if (s.n < n + 2 || memcmp(s.s, folder, n) != 0 || s.s[n] != '/') return false;
  for (size_t i = 0; i + 1 < s.n; ++i)
    if (s.s[i] == '/' && (s.s[i + 1] == '/' || s.s[i + 1] == '.')) return false;
  return s.s[s.n - 1] != '/';
}

static bool clean_text(const struct m_table *t, const struct m_column *c, struct m_value *v) {
  struct ck_str inside = trimmed(v->s);
  switch (c->kind) {
  case 'r':
    return true;
  case 'p':
    return inside.n > 0;
  case 'j':
    if (inside.n == 0) *v = null();
    return true;
  case 'o':
    *v = inside.n ? text_of(inside) : null();
    return true;
  case 'K':
  case 't':
    v->s = inside;
    return inside.n > 0;
  case 'c':
    v->s = inside;
    return is_choice(c->choices, inside);
  case '/':
    v->s = inside;
    return is_inside(t->folder, inside);
  default:
    return false; /* text instead of an integer */
  }
}

static bool clean_int(const struct m_column *c, struct m_value *v) {
  switch (c->kind) {
  case 'b':
  case 'B':
    return v->i == 0 || v->i == 1;
  case '#':
    return v->i >= 0;
  case '+':
    return v->i >= 1;
  default:
    return strchr("iynu", c->kind) != NULL;
  }
}

static bool clean(const struct m_table *t, const struct m_column *c, struct m_value *v) {
  switch (v->is) {
  case M_NULL:
    return strchr("oyj", c->kind) != NULL;
  case M_STR:
    return clean_text(t, c, v);
  case M_INT:
    if (c->kind != 'j') return clean_int(c, v);
    v->is = M_STR;
    return true;
  case M_BOOL:
    if (c->kind == 'b' || c->kind == 'B') {
      v->is = M_INT;
      return true;
    }
    break;
  case M_BAD_UTF8:
    return false;
  default:
    break;
  }
  /* Anything as a JSON field's value: v->s has its JSON text. */
  if (c->kind != 'j') return false;
  v->is = M_STR;
  return true;
}

static bool read_write(const struct m_mutation *w, struct m_value given[M_COLUMNS]) {
  if (w->table == TABLES) return false;
  for (int c = 0; c < M_COLUMNS; ++c) given[c] = (struct m_value){.is = M_OUT};
  for (int f = 0; f < w->fields; ++f) {
    int c = m_column(w->table, w->field[f].column);
    if (c < 0 || given[c].is != M_OUT) return false;
    given[c] = w->field[f].v;
    if (!clean(&m_tables[w->table], &m_tables[w->table].column[c], &given[c])) return false;
  }
  return given[0].is == M_STR;
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
  return NULL;
}

static void follow_automation(struct model *m, bool was, struct m_record *r) {
  bool is = is_text(at(r, CONVERSATIONS, "automation_status")->s, "auto");
  if (is == was) return;
  struct m_automation *a = automation_of(&m->now, r->v[0].s);
  *a = (struct m_automation){r->v[0].s, is, *at(r, CONVERSATIONS, "last_message_id"),
                             (int64_t)m->now.head + 1};
}

static struct m_lease *lease_of(struct m_state *s, struct ck_str job) {
  for (int i = 0; i < M_ROWS; ++i)
    if (s->lease[i].job.n == 0 || same_text(s->lease[i].job, job)) return &s->lease[i];
  return NULL;
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
  for (size_t i = 0; i < v[0].s.n; ++i) {
    unsigned char c = (unsigned char)v[0].s.s[i];
    bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                 c == '_' || c == '-' || (c == '.' && i);
    ck_buf_printf(&b, plain ? "%c" : "%%%02X", c);
  }
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
    if (col->kind == 'B') r.v[c] = number(1);
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

static bool merge(struct model *m, int table, struct m_record *old, const struct m_value given[]) {
  struct m_record r = *old;
  const struct m_table *t = &m_tables[table];
  int own = t->own_time ? m_column(table, t->own_time) : -1;
  bool timed = own >= 0 && given[own].is == M_INT && old->v[own].is == M_INT, changed = false;
  bool late = timed && given[own].i < old->v[own].i,
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
  struct m_value created = given[m_column(table, "created_at")];
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
  bool late = old && given[own].is == M_INT && given[own].i < old->v[own].i;
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
  if (!read_write(w, given)) return false;
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
  if (!read_write(w, given)) return false;
  struct m_record *old = m_find(&m->now, w->table, given[0].s);
  return old && merge(m, w->table, old, given);
}

static bool claim(struct model *m, const struct ck_claim *w) {
  struct m_record *old = m_find(&m->now, JOBS, w->job_id);
  if (!old || !is_text(at(old, JOBS, "status")->s, "pending") || w->token.n == 0) return false;
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
  if (!old || !is_choice("done|retry|failed|unknown|released", w->outcome)) return false;
  struct m_lease *lease = lease_of(&m->now, w->job_id);
  if (!lease->state || lease->attempt != w->attempt || !same_text(lease->token, w->token) ||
      !is_text(at(old, JOBS, "status")->s, "running"))
    return false;
  struct m_record r = *old;
  bool finished = is_choice("done|failed", w->outcome), unknown = is_text(w->outcome, "unknown");
  struct ck_str error = trimmed(w->error);
  *at(&r, JOBS, "status") = finished ? text_of(w->outcome) : words(unknown ? "running" : "pending");
  *at(&r, JOBS, "last_error") = error.n ? text_of(error) : null();
  if (w->log_path.n) *at(&r, JOBS, "log_path") = text_of(w->log_path);
  if (finished) *at(&r, JOBS, "finished_at") = number(w->at);
  if (finished) *at(&r, JOBS, "next_attempt_at") = null();
  if (!finished && !unknown) *at(&r, JOBS, "next_attempt_at") = number(w->next_attempt_at);
  if (is_text(w->outcome, "released") && at(&r, JOBS, "attempt_count")->i > 0)
    at(&r, JOBS, "attempt_count")->i -= 1;
  *at(&r, JOBS, "updated_at") = number(m->clock);
  if (unknown) {
    lease->state = "unknown";
    lease->at = w->at;
  }
  if (!store(m, JOBS, old, &r)) return false;
  if (!w->cooldown_until) return true;
  struct m_value given[M_COLUMNS] = {{0}};
  given[m_column(CONVERSATIONS, "cooldown_until")] = number(w->cooldown_until);
  return merge(m, CONVERSATIONS,
               m_find(&m->now, CONVERSATIONS, at(&r, JOBS, "local_conversation_id")->s), given);
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
