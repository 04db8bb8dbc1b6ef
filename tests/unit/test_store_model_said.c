#include "test_store_model_said.h"

#include <inttypes.h>

const char *m_said(const struct m_value *v) {
  if (v->is == M_INT) return ck_sprintf("%" PRId64, v->i);
  return v->is == M_STR ? ck_sprintf("'%.*s' (%zu bytes)", (int)v->s.n, v->s.s, v->s.n) : "NULL";
}

struct m_value m_stored(sqlite3_stmt *q, int c) {
  int type = sqlite3_column_type(q, c);
  if (type == SQLITE_INTEGER) return (struct m_value){.is = M_INT, .i = sqlite3_column_int64(q, c)};
  return type == SQLITE_NULL ? (struct m_value){.is = M_NULL}
                             : (struct m_value){.is = M_STR, .s = db_str(q, c)};
}

const char *m_named(const struct m_mutation *list, int n) {
  static struct ck_buf b;
  ck_buf_clear(&b);
  for (int i = 0; i < n; ++i) {
    const struct m_mutation *w = &list[i];
    struct ck_str key = w->kind == CK_OP_FORGET     ? w->forget.id
                        : w->kind == CK_OP_REMEMBER ? w->remember.id
                        : w->fields                 ? w->field[0].v.s
                                                    : (struct ck_str){0};
    ck_buf_printf(&b, " %s %s '%.*s'", ck_mutation_name(w->kind),
                  w->fields && w->table < TABLES ? m_tables[w->table].name : "", (int)key.n,
                  key.s ? key.s : "");
  }
  return ck_buf_cstr(&b);
}

char *m_lease_differs(const struct m_state *s, sqlite3_stmt *row) {
  const struct m_lease *l = s->lease, *end = s->lease + M_FEW;
  while (l < end && !(l->state && ck_str_eq(l->job, db_str(row, 0)))) ++l;
  if (l == end) return ck_strdup("one that should not be");
  bool is = (uint64_t)sqlite3_column_int64(row, 1) == l->attempt &&
            ck_str_eq(db_str(row, 2), l->token) && ck_str_is(db_str(row, 3), l->state) &&
            sqlite3_column_int64(row, 4) == l->at;
  return is ? NULL : ck_sprintf("that of '%.*s' is another one", (int)l->job.n, l->job.s);
}

char *m_automation_differs(const struct m_state *s, sqlite3_stmt *row) {
  const struct m_automation *a = s->automation, *end = s->automation + M_FEW;
  while (a < end && !(a->on && ck_str_eq(a->conversation, db_str(row, 0)))) ++a;
  if (a == end) return ck_strdup("one that should not be");
  int64_t since = sqlite3_column_int64(row, 1);
  return since == a->since ? NULL : ck_sprintf("since %" PRId64 ", not %" PRId64, since, a->since);
}

static bool is_text(sqlite3_stmt *row, int column, const struct m_value *v) {
  bool null = sqlite3_column_type(row, column) == SQLITE_NULL;
  return v->is == M_STR ? !null && ck_str_eq(db_str(row, column), v->s) : null;
}

char *m_gone_differs(const struct m_state *s, sqlite3_stmt *row) {
  struct ck_str id = db_str(row, 0);
  const struct m_gone *g = s->gone;
  while (g < s->gone + s->gones && !ck_str_eq(g->id, id)) ++g;
  if (g == s->gone + s->gones) return ck_sprintf("'%.*s' was not forgotten", (int)id.n, id.s);
  uint64_t version = (uint64_t)sqlite3_column_int64(row, 9);
  if (version != g->version)
    return ck_sprintf("'%.*s' has version %" PRIu64 ", not %" PRIu64, (int)id.n, id.s, version,
                      g->version);
  bool is = ck_str_eq(db_str(row, 1), g->table) && ck_str_eq(db_str(row, 2), g->key) &&
            ck_str_eq(db_str(row, 3), g->with) && is_text(row, 4, &g->platform) &&
            is_text(row, 5, &g->conversation) && is_text(row, 6, &g->path) &&
            sqlite3_column_int64(row, 7) == g->at && (sqlite3_column_int(row, 8) != 0) == g->back;
  return is ? NULL : ck_sprintf("'%.*s' was forgotten with other values", (int)id.n, id.s);
}
