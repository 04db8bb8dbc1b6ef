/* The model's rules: docs/records.md, "How a write changes a record", written a second time. */
#include "test_store_model_values.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define A_DAY (24 * 3600 * 1000)

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
  for (int i = 0; i < M_FEW; ++i)
    if (s->automation[i].conversation.n == 0 || same_text(s->automation[i].conversation, id))
      return &s->automation[i];
  abort(); /* There is a row for each conversation. */
}

static void follow_automation(struct model *m, bool was, struct m_record *r) {
  bool is = is_text(at(r, CONVERSATIONS, "automation_status")->s, "auto");
  if (is == was) return;
  *automation_of(&m->now, r->v[0].s) =
      (struct m_automation){r->v[0].s, is, (int64_t)m->now.head + 1};
}

static struct m_lease *lease_of(struct m_state *s, struct ck_str job) {
  for (int i = 0; i < M_FEW; ++i)
    if (s->lease[i].job.n == 0 || same_text(s->lease[i].job, job)) return &s->lease[i];
  abort(); /* There is a row for each job. */
}

/* ---- writing ---- */

static bool has_age(int table, const struct m_record *r, int c) {
  return strchr(m_tables[table].column[c].rule, 'a') && r->v[c].is != M_NULL;
}

static void write_age(struct ck_buf *b, int64_t age) {
  if (age == M_NONE)
    ck_buf_text(b, "none");
  else if (age == M_OWNER)
    ck_buf_text(b, "owner");
  else
    ck_buf_printf(b, "%" PRId64, age);
}

/* The age that most columns have, then the others. */
static void write_ages(struct model *m, int table, struct m_record *r) {
  int at = m_column(table, "ages"), most = 0;
  int64_t common = M_NONE;
  struct ck_buf b = {0};
  if (at < 0) memset(r->age, 0, sizeof r->age); /* nobody remembers them */
  if (at < 0) return;
  for (int c = 0; m_tables[table].column[c].name; ++c) {
    int same_age = 0;
    for (int d = 0; m_tables[table].column[d].name; ++d)
      same_age += has_age(table, r, d) && r->age[d] == r->age[c];
    if (!has_age(table, r, c) || same_age < most || (same_age == most && r->age[c] < common))
      continue;
    most = same_age;
    common = r->age[c];
  }
  write_age(&b, common);
  for (int c = 0; m_tables[table].column[c].name; ++c)
    if (has_age(table, r, c) && r->age[c] != common) {
      ck_buf_printf(&b, " %s=", m_tables[table].column[c].name);
      write_age(&b, r->age[c]);
    }
  r->v[at] = text_of(ck_arena_copy(m->arena, ck_buf_view(&b)));
  ck_buf_free(&b);
}

static void note_own(struct model *m, struct m_record *message) {
  struct m_value observed = *at(message, MESSAGES, "observed_at");
  int64_t from = observed.is == M_INT ? observed.i : INT64_MAX;
  if (!m->run_own || from < m->run_own_from) m->run_own_from = from;
  m->run_own = true;
}

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
  m->run_messages += table == MESSAGES;
  if (table == MESSAGES) note_own(m, changed);
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
  to->cursor = from->cursor;
  to->head = from->head;
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

/* ---- ages ---- */

/* A write, as far as the rules look at it. */
struct writing {
  struct m_value given[M_COLUMNS];
  int64_t age[M_COLUMNS]; /* of each value that is given */
  bool owner, news, made_up;
  struct m_value details; /* of a message, if nobody gives some */
};

static bool is_beyond(const struct model *m, int64_t time, int64_t most) {
  return time > m->clock && time - most > m->clock;
}

static bool is_ahead(const struct model *m, int64_t time) { return is_beyond(m, time, 2000); }

static int64_t known_age(const struct model *m, int64_t age) {
  return age < 0 || is_beyond(m, age, A_DAY) ? 0 : age;
}

static int64_t read_age(struct ck_str word) {
  int64_t age = 0;
  if (is_text(word, "none")) return M_NONE;
  if (is_text(word, "owner")) return M_OWNER;
  for (size_t i = 0; i < word.n; ++i) {
    if (word.s[i] < '0' || word.s[i] > '9' || age > (INT64_MAX - 9) / 10) return 0;
    age = age * 10 + (word.s[i] - '0');
  }
  return age;
}

/* Another store's ages: the first word for all columns, NAME=AGE for one. */
static void read_ages(int table, struct ck_str text, int64_t age[M_COLUMNS]) {
  bool first = true;
  for (size_t from = 0; from < text.n || first;) {
    size_t to = from;
    while (to < text.n && text.s[to] != ' ') ++to;
    struct ck_str word = {text.s + from, to - from};
    const char *is = word.n ? memchr(word.s, '=', word.n) : NULL;
    for (int c = 0; m_tables[table].column[c].name; ++c) {
      size_t n = strlen(m_tables[table].column[c].name);
      bool named = is && (size_t)(is - word.s) == n &&
                   memcmp(word.s, m_tables[table].column[c].name, n) == 0;
      if (first) age[c] = read_age(word);
      if (!first && named) age[c] = read_age((struct ck_str){is + 1, word.n - n - 1});
    }
    first = false;
    from = to + 1;
  }
}

static const char *own_time(int table) { return m_tables[table].own_time; }

static void set_ages(struct model *m, int table, struct writing *w, int64_t age) {
  int at = m_column(table, "ages"), own = own_time(table) ? m_column(table, own_time(table)) : -1;
  age = known_age(m, age);
  if (age == 0 && !w->made_up && own >= 0 && w->given[own].is == M_INT)
    age = known_age(m, w->given[own].i);
  for (int c = 0; c < M_COLUMNS; ++c) w->age[c] = w->owner ? M_OWNER : at < 0 ? 0 : age;
  if (at >= 0 && w->given[at].is == M_STR) {
    read_ages(table, w->given[at].s, w->age);
    for (int c = 0; c < M_COLUMNS; ++c)
      if (w->age[c] != M_NONE && w->age[c] != M_OWNER) w->age[c] = known_age(m, w->age[c]);
  }
  if (w->made_up) w->age[own] = M_NONE;
}

/* As written, unless that is ahead of the clock. */
static struct m_value touched_at(const struct model *m, struct m_value given) {
  return given.is == M_INT && given.i <= m->clock ? given : number(m->clock);
}

static bool insert(struct model *m, int table, const struct writing *w) {
  struct m_record r = {0};
  for (int c = 0; m_tables[table].column[c].name; ++c) {
    const struct m_column *col = &m_tables[table].column[c];
    r.v[c] = col->kind == 'u' ? touched_at(m, w->given[c]) : w->given[c];
    r.age[c] = w->age[c];
    if (w->given[c].is != M_OUT) continue;
    r.age[c] = M_NONE;
    if (strchr("Ktrpib", col->kind)) return false;
    if (strchr("oyjNA", col->kind)) r.v[c] = null();
    if (col->kind == 'n') r.v[c] = number(m->clock);
    if (col->kind == '#') r.v[c] = number(0);
    if (col->kind == '+') r.v[c] = number(3);
    if (col->kind == 'B') r.v[c] = number(strcmp(col->name, "result_ok") != 0);
    if (col->kind == 'c')
      r.v[c] = text_of((struct ck_str){col->choices, strcspn(col->choices, "|")});
    if (col->kind == '/') r.v[c] = made_path(m, table, w->given);
  }
  if (table == JOBS && w->given[m_column(JOBS, "next_attempt_at")].is == M_OUT)
    *at(&r, JOBS, "next_attempt_at") = *at(&r, JOBS, "created_at");
  int details = m_column(MESSAGES, "details");
  if (table == MESSAGES && r.v[details].is == M_NULL && w->details.is == M_STR) {
    r.v[details] = w->details;
    r.age[details] = M_NONE;
  }
  write_ages(m, table, &r);
  return store(m, table, NULL, &r);
}

static bool is_fresh(const struct model *m, struct ck_str message) {
  for (int i = 0; i < m->fresh_messages; ++i)
    if (same_text(m->fresh[i], message)) return true;
  return false;
}

/* ---- merging ---- */

static int order_of(struct m_value a, struct m_value b) {
  if (a.is == M_INT) return a.i < b.i ? -1 : a.i > b.i;
  size_t n = a.s.n < b.s.n ? a.s.n : b.s.n;
  int order = n ? memcmp(a.s.s, b.s.s, n) : 0;
  return order ? order : a.s.n < b.s.n ? -1 : a.s.n > b.s.n;
}

/* What is ahead of the clock gives way to what is of about now. */
static bool gives_way(const struct model *m, int64_t old, int64_t given) {
  return is_ahead(m, old) && !is_ahead(m, given) && given >= m->clock - 3600000;
}

/* Of two last messages: below 0 if the first is that of a role that comes earlier. */
static int turn_between(struct model *m, struct m_value a, struct m_value b) {
  static const char *const roles[] = {"system", "user", "assistant", "tool"};
  const struct m_value *of[] = {&a, &b};
  int turn[2] = {4, 4};
  for (int i = 0; i < 2; ++i) {
    struct m_record *r = of[i]->is == M_STR ? m_find(&m->now, MESSAGES, of[i]->s) : NULL;
    if (!r) return 0;
    for (int k = 0; k < 4; ++k)
      if (is_text(at(r, MESSAGES, "role")->s, roles[k])) turn[i] = k;
  }
  return turn[0] - turn[1];
}

/* Is what a source gives newer than what there is, or as new and greater? */
static bool wins(const struct model *m, struct m_value given, int64_t age, struct m_value old,
                 int64_t old_age, int turn) {
  if (given.is == M_NULL) return false;
  if (old.is == M_NULL) return true;
  bool unknown = age == 0 && old_age != M_OWNER && is_beyond(m, old_age, A_DAY);
  if (age == old_age || unknown) return turn ? turn > 0 : order_of(given, old) > 0;
  bool sources = age != M_OWNER && old_age != M_OWNER && age != M_NONE;
  return age > old_age || (sources && gives_way(m, old_age, age));
}

static int64_t known_title(const struct model *m, int64_t age) {
  return age != M_OWNER && is_ahead(m, age) ? 0 : age;
}

/* The title that the sources last gave, by the links' page_title. */
static void clear_owners(struct model *m, int table, struct m_record *r, int c) {
  int64_t best = M_NONE;
  int home = m_column(LINKS, "local_conversation_id"), page = m_column(LINKS, "page_title");
  if (r->age[c] != M_OWNER) return;
  r->v[c] = null();
  r->age[c] = M_NONE;
  if (table != CONVERSATIONS || strcmp(m_tables[table].column[c].name, "title") != 0) return;
  for (int i = 0; i < m->now.rows[LINKS]; ++i) {
    struct m_record *link = &m->now.row[LINKS][i];
    if (!same(link->v[home], r->v[0]) || link->v[page].is != M_STR) continue;
    int64_t age = known_title(m, link->age[page]), other = known_title(m, best);
    if (r->v[c].is == M_STR && (age != other ? age < other : order_of(link->v[page], r->v[c]) <= 0))
      continue;
    r->v[c] = link->v[page];
    r->age[c] = best = link->age[page];
  }
}

static void merge_extreme(const struct model *m, int table, struct m_value *v, struct m_value given,
                          bool greatest) {
  if (given.is != M_INT) return;
  if (v->is == M_INT && greatest) {
    bool far = is_beyond(m, given.i, A_DAY), was_far = is_beyond(m, v->i, A_DAY);
    bool later = far != was_far ? was_far : given.i > v->i;
    if (!later && !(table == LINKS && gives_way(m, v->i, given.i))) return;
  } else if (v->is == M_INT && given.i >= v->i) {
    return;
  }
  *v = given;
}

/* last_message_at goes with last_message_id. */
static void merge_aged(struct model *m, int table, struct m_record *r, const struct writing *w,
                       int c) {
  bool pair = m_tables[table].column[c + 1].name &&
              strchr(m_tables[table].column[c + 1].rule, 'f') && w->given[c + 1].is != M_OUT;
  bool again = w->given[c].is == M_STR && same(w->given[c], r->v[c]) && w->age[c] == r->age[c];
  bool last = table == CONVERSATIONS && c == m_column(table, "last_message_id");
  int turn = last ? turn_between(m, w->given[c], r->v[c]) : 0;
  if (wins(m, w->given[c], w->age[c], r->v[c], r->age[c], turn)) {
    r->v[c] = w->given[c];
    r->age[c] = w->age[c];
    if (pair) r->v[c + 1] = w->given[c + 1];
  } else if (pair && again) {
    merge_extreme(m, table, &r->v[c + 1],
                  w->given[c + 1].is == M_INT && r->v[c + 1].is == M_INT &&
                          w->given[c + 1].i <= r->v[c + 1].i
                      ? null()
                      : w->given[c + 1],
                  true);
  }
}

static void merge_column(struct model *m, int table, struct m_record *r, const struct writing *w,
                         int c) {
  const char *rule = m_tables[table].column[c].rule;
  bool own = own_time(table) && c == m_column(table, own_time(table));
  if (strchr(rule, 'a') && w->owner) {
    if (w->given[c].is == M_NULL) {
      clear_owners(m, table, r, c);
      return;
    }
    r->v[c] = w->given[c];
    r->age[c] = M_OWNER;
  } else if (w->owner) {
    r->v[c] = w->given[c];
  } else if (own && w->made_up) {
    if (r->age[c] == M_NONE) merge_extreme(m, table, &r->v[c], w->given[c], false);
  } else if (strchr(rule, 'a')) {
    merge_aged(m, table, r, w, c);
  } else if (strchr(rule, 'e') || strchr(rule, 'g')) {
    merge_extreme(m, table, &r->v[c], w->given[c], strchr(rule, 'g') != NULL);
  } else if (!strchr(rule, 'f')) {
    r->v[c] = w->given[c];
  }
}

/* A message that came without its time stays one; one that came with it stays apart from those. */
static void keep_apart(struct m_record *r, struct m_record *old) {
  struct m_value *created = at(r, MESSAGES, "created_at"), own = *at(r, MESSAGES, "observed_at");
  if (same(*at(old, MESSAGES, "created_at"), *at(old, MESSAGES, "observed_at")))
    *created = own;
  else if (same(*created, own))
    *created = plus(own.i, 1);
}

static bool merge(struct model *m, int table, struct m_record *old, const struct writing *w) {
  struct m_record r = *old;
  const struct m_table *t = &m_tables[table];
  bool changed = false, quiet = false;
  for (int c = 1; t->column[c].name; ++c) {
    if (w->given[c].is == M_OUT || strchr(t->column[c].rule, 'x')) continue;
    if (t->column[c].kind == 'A' && w->owner) return false;
    if (strchr(t->column[c].rule, 'j') && !same(w->given[c], old->v[c])) return false;
    if (t->column[c].kind != 'A' && !strchr(t->column[c].rule, 'u'))
      merge_column(m, table, &r, w, c);
  }
  if (table == MESSAGES) keep_apart(&r, old);
  write_ages(m, table, &r);
  for (int c = 1; t->column[c].name; ++c)
    if (!same(r.v[c], old->v[c])) {
      quiet = true;
      changed |= !strchr(t->column[c].rule, 'q');
    }
  if (!changed) {
    if (quiet) *old = r;
    return true;
  }
  int touched = m_column(table, "updated_at");
  if (touched >= 0) r.v[touched] = touched_at(m, w->given[touched]);
  return store(m, table, old, &r);
}

/* ---- times ---- */

/* A write that gives created_at instead of its own time has that time, if it says something new. */
static void put_time(struct model *m, int table, const struct m_record *old, struct writing *w) {
  struct m_value *given = w->given, *at = &given[m_column(table, own_time(table))],
                 *last = table == CONVERSATIONS ? &given[m_column(table, "last_message_id")] : NULL,
                 *newest = table == CONVERSATIONS ? &given[m_column(table, "newest_at")] : NULL;
  struct m_value *first = &given[m_column(table, "created_at")];
  bool its_own = table == MESSAGES || table == EXECUTIONS;
  int ages = m_column(table, "ages");
  if (its_own && at->is == M_INT && given[ages].is == M_STR) {
    int64_t age[M_COLUMNS];
    read_ages(table, given[ages].s, age);
    w->made_up = age[m_column(table, own_time(table))] == M_NONE;
  }
  if (table == MESSAGES && !old && !w->made_up && at->is == M_INT && at->i < INT64_MAX &&
      at->i == (first->is == M_INT ? first->i : m->clock))
    *first = number(at->i + 1);
  if (newest && newest->is == M_INT && is_beyond(m, newest->i, A_DAY)) newest->is = M_OUT;
  if (last && at->is == M_INT && is_beyond(m, at->i, A_DAY)) at->is = M_NULL;
  if (newest && newest->is == M_OUT && at->is == M_INT) *newest = *at;
  struct m_value clock = number(m->clock);
  if ((last || table == LINKS) && at->is == M_INT && is_ahead(m, at->i) &&
      !is_beyond(m, at->i, A_DAY)) {
    at->is = M_OUT;
    first = &clock;
  }
  if (at->is == M_OUT && its_own && first->is == M_INT) {
    w->made_up = true;
    *at = *first;
  } else if (at->is == M_OUT && !its_own && (!last || last->is == M_STR)) {
    bool takes = !old || w->news;
    if (!takes && last) last->is = M_OUT;
    if (takes && first->is == M_INT) *at = last && is_beyond(m, first->i, A_DAY) ? null() : *first;
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
  set_ages(m, SESSIONS, w, age);
  if (counted) count(m, old, w->given);
  return old ? merge(m, SESSIONS, old, w) : insert(m, SESSIONS, w);
}

static bool put_job(struct model *m, const struct writing *w) {
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
  return insert(m, JOBS, w);
}

/* ---- ids that two conversations use ---- */

static bool differ(struct m_value a, struct ck_str b) {
  return a.is == M_STR && b.n && !same_text(a.s, b);
}

static bool is_at_home(const struct model *m, struct m_record *message) {
  return !differ(*at(message, MESSAGES, "platform"), m->platform) &&
         !differ(*at(message, MESSAGES, "conversation_id"), m->conversation);
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
  if (!r || is_at_home(m, r)) return;
  struct ck_str parts[] = {m->platform, m->conversation, id->s};
  struct ck_str made = derived(m, id->s, parts, 3);
  if (makes || m_find(&m->now, MESSAGES, made)) *id = text_of(made);
}

static struct ck_str text_or_none(struct m_value v) {
  return v.is == M_STR ? v.s : (struct ck_str){0};
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

static void find_ids(struct model *m, int table, struct writing *w) {
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

/* Those that have the id as their parent have the derived one from here on, by version. */
static bool turn_children(struct model *m, struct ck_str from, struct m_value to) {
  for (uint64_t after = 0;;) {
    struct m_record *next = NULL;
    for (int i = 0; i < m->now.rows[MESSAGES]; ++i) {
      struct m_record *r = &m->now.row[MESSAGES][i];
      bool child = same(*at(r, MESSAGES, "parent_id"), text_of(from)) &&
                   same_text(text_or_none(*at(r, MESSAGES, "platform")), m->platform) &&
                   same_text(text_or_none(*at(r, MESSAGES, "conversation_id")), m->conversation);
      if (child && r->version > after && (!next || r->version < next->version)) next = r;
    }
    if (!next) return true;
    after = next->version;
    struct m_record r = *next;
    *at(&r, MESSAGES, "parent_id") = to;
    if (!store(m, MESSAGES, next, &r)) return false;
  }
}

/* An execution is of the conversation of its message. */
static void note_known(struct model *m, int table, struct m_record *old) {
  bool execution = table == EXECUTIONS;
  struct m_record *message =
      execution ? m_find(&m->now, MESSAGES, at(old, EXECUTIONS, "message_id")->s) : old;
  if ((table != MESSAGES && !execution) || !message) return;
  if (execution ? !is_at_home(m, message) : m->copies)
    m->run_copied = true;
  else
    note_own(m, message);
}

static bool put_given(struct model *m, const struct m_mutation *mutation, struct writing w) {
  int table = mutation->table;
  struct ck_str id = w.given[0].s;
  if (table == JOBS) return put_job(m, &w);
  find_ids(m, table, &w);
  if (!same_text(id, w.given[0].s)) w.given[m_column(table, "static_path")] = (struct m_value){0};
  struct m_record *old = NULL;
  if (table == LINKS)
    old = link_of(&m->now, w.given[m_column(LINKS, "platform")],
                  w.given[m_column(LINKS, "remote_conversation_id")]);
  if (!old) old = m_find(&m->now, table, w.given[0].s);
  struct m_value last =
      table == CONVERSATIONS ? w.given[m_column(table, "last_message_id")] : null();
  w.news = table == CONVERSATIONS ? is_fresh(m, last.s)
           : table == SESSIONS    ? m->run_messages + m->run_executions > 0
                                  : m->fresh_messages + m->fresh_executions > 0;
  if (table == SESSIONS) {
    bool ok = put_session(m, old, &w, mutation->age);
    m->run_messages = m->run_executions = 0;
    m->known = m->run_copied = m->run_own = false;
    return ok;
  }
  if (old) note_known(m, table, old);
  m->known |= old && (table == MESSAGES || table == EXECUTIONS);
  put_time(m, table, old, &w);
  set_ages(m, table, &w, mutation->age);
  if (old) return merge(m, table, old, &w);
  if (!insert(m, table, &w)) return false;
  bool turns = table == MESSAGES && !same_text(id, w.given[0].s);
  return !turns || turn_children(m, id, w.given[0]);
}

static bool put(struct model *m, const struct m_mutation *mutation) {
  struct writing w = {0};
  return m_read_write(mutation, w.given) && put_given(m, mutation, w);
}

static bool begins(struct ck_str s, struct ck_str with) {
  return s.n >= with.n && (!with.n || memcmp(s.s, with.s, with.n) == 0);
}

/* Is there such a message in another conversation? */
static const struct m_record *copied(struct model *m, const struct m_mutation *w,
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

static bool copy(struct model *m, const struct m_mutation *mutation) {
  struct writing w = {0};
  if (!m_read_write(mutation, w.given)) return false;
  int home = m_column(MESSAGES, "conversation_id"), time = m_column(MESSAGES, "observed_at");
  struct m_value given = w.given[home];
  const struct m_record *of = copied(m, mutation, w.given);
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
  set_ages(m, mutation->table, &w, 0);
  return old && merge(m, mutation->table, old, &w);
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
  struct writing given = {.owner = true};
  given.given[m_column(CONVERSATIONS, "cooldown_until")] = number(w->cooldown_until);
  return merge(m, CONVERSATIONS, of, &given);
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
  m_copy(&m->before, &m->now);
  m->clock = clock;
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
