/* A record is inserted, or a write is merged into it: docs/records.md, written a second time. */
#include "test_store_model_rules.h"

#include <stdio.h>
#include <time.h>

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

/* As written, unless that is ahead of the clock. */
static struct m_value touched_at(const struct model *m, struct m_value given) {
  return given.is == M_INT && given.i <= m->clock ? given : number(m->clock);
}

bool m_insert(struct model *m, int table, const struct writing *w) {
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
    *m_at(&r, JOBS, "next_attempt_at") = *m_at(&r, JOBS, "created_at");
  int details = m_column(MESSAGES, "details");
  if (table == MESSAGES && r.v[details].is == M_NULL && w->details.is == M_STR) {
    r.v[details] = w->details;
    r.age[details] = M_NONE;
  }
  m_make_summary(m->arena, table, NULL, &r);
  m_write_ages(m, table, &r);
  return m_store(m, table, NULL, &r);
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
  return m_is_ahead(m, old) && !m_is_ahead(m, given) && given >= m->clock - 3600000;
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
      if (is_text(m_at(r, MESSAGES, "role")->s, roles[k])) turn[i] = k;
  }
  return turn[0] - turn[1];
}

/* Is what a source gives newer than what there is, or as new and greater? */
static bool wins(const struct model *m, struct m_value given, int64_t age, struct m_value old,
                 int64_t old_age, int turn) {
  if (given.is == M_NULL) return false;
  if (old.is == M_NULL) return true;
  bool unknown = age == 0 && old_age != M_OWNER && m_is_beyond(m, old_age, A_DAY);
  if (age == old_age || unknown) return turn ? turn > 0 : order_of(given, old) > 0;
  bool sources = age != M_OWNER && old_age != M_OWNER && age != M_NONE;
  return age > old_age || (sources && gives_way(m, old_age, age));
}

static int64_t known_title(const struct model *m, int64_t age) {
  return age != M_OWNER && m_is_ahead(m, age) ? 0 : age;
}

/* Of two titles of the same known age the greater text; of the same text that of the lesser age. */
static bool stays(const struct model *m, struct m_value best, int64_t best_age, struct m_value v,
                  int64_t age) {
  int64_t known = known_title(m, age), other = known_title(m, best_age);
  int order = order_of(v, best);
  if (known != other) return known < other;
  return order ? order < 0 : age >= best_age;
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
    if (r->v[c].is == M_STR && stays(m, r->v[c], best, link->v[page], link->age[page])) continue;
    r->v[c] = link->v[page];
    r->age[c] = best = link->age[page];
  }
}

static void merge_extreme(const struct model *m, int table, struct m_value *v, struct m_value given,
                          bool greatest) {
  if (given.is != M_INT) return;
  if (v->is == M_INT && greatest) {
    bool far = m_is_beyond(m, given.i, A_DAY), was_far = m_is_beyond(m, v->i, A_DAY);
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
  bool own = m_own_time(table) && c == m_column(table, m_own_time(table));
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
  struct m_value *created = m_at(r, MESSAGES, "created_at"),
                 own = *m_at(r, MESSAGES, "observed_at");
  if (same(*m_at(old, MESSAGES, "created_at"), *m_at(old, MESSAGES, "observed_at")))
    *created = own;
  else if (same(*created, own))
    *created = plus(own.i, 1);
}

bool m_merge(struct model *m, int table, struct m_record *old, const struct writing *w) {
  struct m_record r = *old;
  const struct m_table *t = &m_tables[table];
  bool changed = false, quiet = false;
  for (int c = 1; t->column[c].name; ++c) {
    if (w->given[c].is == M_OUT || strchr(t->column[c].rule, 'x')) continue;
    if ((t->column[c].kind == 'A' || strchr(t->column[c].rule, 's')) && w->owner) return false;
    if (strchr(t->column[c].rule, 'j') && !same(w->given[c], old->v[c])) return false;
    if (t->column[c].kind != 'A' && !strchr(t->column[c].rule, 'u') && !m_is_made(table, &r, c))
      merge_column(m, table, &r, w, c);
  }
  if (table == MESSAGES) keep_apart(&r, old);
  m_make_summary(m->arena, table, old, &r);
  m_write_ages(m, table, &r);
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
  return m_store(m, table, old, &r);
}
