/* The ages of values: docs/records.md, written a second time. */
#include "test_store_model_rules.h"

#include <inttypes.h>

bool m_is_beyond(const struct model *m, int64_t time, int64_t most) {
  return time > m->clock && time - most > m->clock;
}

bool m_is_ahead(const struct model *m, int64_t time) { return m_is_beyond(m, time, 2000); }

static int64_t known_age(const struct model *m, int64_t age) {
  return age < 0 || m_is_beyond(m, age, A_DAY) ? 0 : age;
}

/* ---- as text ---- */

static bool has_age(int table, const struct m_record *r, int c) {
  return strchr(m_tables[table].column[c].rule, 'a') && r->v[c].is != M_NULL &&
         !m_is_made(table, r, c);
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
void m_write_ages(struct model *m, int table, struct m_record *r) {
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
void m_read_ages(int table, struct ck_str text, int64_t age[M_COLUMNS]) {
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

/* ---- of a write ---- */

const char *m_own_time(int table) { return m_tables[table].own_time; }

void m_set_ages(struct model *m, int table, struct writing *w, int64_t age) {
  int at = m_column(table, "ages"),
      own = m_own_time(table) ? m_column(table, m_own_time(table)) : -1;
  age = known_age(m, age);
  if (age == 0 && !w->made_up && own >= 0 && w->given[own].is == M_INT)
    age = known_age(m, w->given[own].i);
  for (int c = 0; c < M_COLUMNS; ++c) w->age[c] = w->owner ? M_OWNER : at < 0 ? 0 : age;
  if (at >= 0 && w->given[at].is == M_STR) {
    m_read_ages(table, w->given[at].s, w->age);
    for (int c = 0; c < M_COLUMNS; ++c)
      if (w->age[c] != M_NONE && w->age[c] != M_OWNER) w->age[c] = known_age(m, w->age[c]);
  }
  if (w->made_up) w->age[own] = M_NONE;
}
