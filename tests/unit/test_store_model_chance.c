/* Random changesets, most of which make sense in the state that there is. */
#include "test_store_model_chance.h"

#include <string.h>

static const char *const columns[] = {"id",      "job_id", "platform",   "status",
                                      "version", "rowid",  "created_at", "updated_at",
                                      "",        "ID",     "summary"};
static const char *const outcomes[] = {"done",      "retry", "failed", "unknown", "released",
                                       "released",  "retry", "done",   "retry",   "unknown",
                                       "unreached", "lost",  ""};

/* How often a column is given, in percent. */
static unsigned odds(char kind, bool exists) {
  switch (kind) {
  case 'K':
    return 100;
  case 't':
  case 'r':
  case 'p':
  case 'i':
  case 'b':
    return exists ? 70 : 100;
  case '/':
  case 'n':
    return 4;
  case '#':
    return 8;
  case 'A':
    return 3;
  default:
    return 30;
  }
}

static void give(struct m_mutation *m, const char *column, struct m_value v) {
  m->field[m->fields++] = (struct m_field){column, v};
}

static const struct m_record *record_of(const struct m_state *s, int table, struct ck_str id) {
  for (int i = 0; i < s->rows[table]; ++i)
    if (ck_str_eq(s->row[table][i].v[0].s, id)) return &s->row[table][i];
  return NULL;
}

static void make_row(const struct m_state *s, struct m_mutation *m, enum ck_mutation_kind kind,
                     int table, struct ck_arena *arena) {
  *m = (struct m_mutation){.kind = kind, .table = table, .age = m_some_age()};
  struct ck_str key = m_some_key(table);
  bool exists = record_of(s, table, key) != NULL;
  if (exists && table == JOBS && !one_in(8)) m->kind = CK_OP_UPDATE;
  if (!exists && !one_in(8)) m->kind = CK_OP_PUT;
  for (int c = 0; m_tables[table].column[c].name; ++c) {
    const struct m_column *col = &m_tables[table].column[c];
    if (sh_below(100) >= odds(col->kind, exists)) continue;
    if (m->kind == CK_OP_UPDATE && strchr(col->rule, 's') && !one_in(12)) continue; /* refused */
    /* A job's message and conversation cannot be changed: most updates leave them out. */
    if (table == JOBS && exists && col->kind == 't' && !one_in(8)) continue;
    give(m, col->name,
         c == 0             ? some(key)
         : col->kind == '/' ? m_some_path(table, key, arena)
                            : m_some_value(table, col, arena));
  }
  if (one_in(60)) m->field[sh_below((uint64_t)m->fields)].v = m_some_nonsense();
  if (one_in(200)) give(m, ANY(columns), some(CK_LIT("a")));
  if (one_in(300)) m->table = TABLES;
  if (one_in(100) && m->fields > 1) {
    struct m_field last = m->field[--m->fields];
    m->field[sh_below((uint64_t)m->fields)] = last;
  }
  /* Blanks around a key belong to no other key. */
  if (one_in(30) && m->fields && m->field[0].v.is == M_STR) {
    struct ck_buf b = {0};
    ck_buf_text(&b, " \xc2\xa0");
    ck_buf_str(&b, m->field[0].v.s);
    ck_buf_text(&b, "\n");
    m->field[0].v.s = ck_arena_copy(arena, ck_buf_view(&b));
    ck_buf_free(&b);
  }
}

static void make_claim(const struct m_state *s, struct m_mutation *m) {
  *m = (struct m_mutation){.kind = CK_OP_CLAIM};
  int status = m_column(JOBS, "status"), tries = 0;
  m->claim = (struct ck_claim){.job_id = m_some_key(JOBS),
                               .token = one_in(30) ? (struct ck_str){0} : m_some_token(),
                               .at = m_some_time()};
  for (; tries < 20 && s->rows[JOBS] && !one_in(8); ++tries) {
    const struct m_record *r = &s->row[JOBS][sh_below((uint64_t)s->rows[JOBS])];
    if (!ck_str_is(r->v[status].s, "pending")) continue;
    m->claim.job_id = r->v[0].s;
    return;
  }
}

/* A wait that begins about now by the wall clock; another one may last still, or have the same end.
 */
static int64_t some_end(const struct model *m) {
  static const int64_t lengths[] = {-1000, 0, 1, 500, 1000, 3000, 20000, 86400000, 3456000000};
  return one_in(3) ? m_some_time() : m->clock + ANY(lengths);
}

/* Mostly about now. */
static int64_t some_moment(const struct model *m) {
  return one_in(4) ? m_some_time() : m->clock + (int64_t)sh_below(40) - 30;
}

/* The ends of the waits before, as a clock that was stepped back may. */
static void name_again(const struct m_state *s, struct ck_end *end) {
  const struct m_record *job = record_of(s, JOBS, end->job_id), *of;
  if (!job) return;
  of = record_of(s, CONVERSATIONS, job->v[m_column(JOBS, "local_conversation_id")].s);
  const struct m_value *next = &job->v[m_column(JOBS, "next_attempt_at")];
  if (next->is == M_INT && one_in(4)) end->next_attempt_at = next->i;
  if (!of) return;
  const struct m_value *rest = &of->v[m_column(CONVERSATIONS, "cooldown_until")];
  if (rest->is == M_INT && rest->i < INT64_MAX && one_in(4)) end->cooldown_until = rest->i;
}

/* Mostly for a running attempt, with its token. */
static void make_end(const struct model *of, struct m_mutation *m) {
  const struct m_state *s = &of->now;
  *m = (struct m_mutation){.kind = CK_OP_END};
  m->end = (struct ck_end){.job_id = m_some_key(JOBS),
                           .attempt = sh_below(3),
                           .token = m_some_token(),
                           .outcome = ck_str_of(ANY(outcomes)),
                           .error = m_some_words(),
                           .next_attempt_at = some_end(of),
                           .cooldown_until = one_in(2) ? 0 : some_end(of),
                           .log_path = m_some_words(),
                           .at = some_moment(of)};
  if (m->end.cooldown_until == INT64_MAX) m->end.cooldown_until--; /* it may get 1 ms more */
  const struct m_lease *l = &s->lease[sh_below(M_FEW)];
  for (int tries = 0; tries < 2 * M_FEW && !l->state; ++tries) l = &s->lease[sh_below(M_FEW)];
  if (!l->state && !one_in(10)) make_claim(s, m);
  if (!l->state || one_in(10)) return;
  m->end.job_id = l->job;
  m->end.attempt = l->attempt + one_in(12);
  m->end.token = one_in(12) ? m_some_token() : l->token;
  name_again(s, &m->end);
}

static void make_other(struct m_mutation *m) {
  static const struct ck_str followers[] = {TEXT("f"), TEXT("f"), TEXT("f"), TEXT("")};
  static const enum ck_mutation_kind kinds[] = {CK_OP_CURSOR, CK_OP_CURSOR, CK_OP_WITHDRAW,
                                                CK_OP_SYNCED};
  *m = (struct m_mutation){.kind = ANY(kinds)};
  m->cursor = (struct ck_cursor){ANY(followers), CK_LIT("store"), sh_below(1000)};
}

/* An observation that does not say when it was made. */
static void take_times(struct m_mutation *m, struct m_value created) {
  int kept = 0;
  for (int f = 0; f < m->fields; ++f) {
    size_t n = strlen(m->field[f].column);
    bool time = (n > 3 && strcmp(m->field[f].column + n - 3, "_at") == 0) ||
                strcmp(m->field[f].column, "cooldown_until") == 0;
    if (!time) m->field[kept++] = m->field[f];
  }
  m->fields = kept;
  give(m, "created_at", created);
}

/* A message, a session, a conversation and a link, as ingest sends them. */
static int make_observation(const struct m_state *s, struct m_mutation *list,
                            struct ck_arena *arena) {
  static const int order[] = {MESSAGES, EXECUTIONS, SESSIONS, CONVERSATIONS, LINKS};
  int n = 0;
  for (size_t i = 0; i < COUNT(order); ++i)
    if (order[i] != EXECUTIONS || one_in(3)) make_row(s, &list[n++], CK_OP_PUT, order[i], arena);
  struct m_value taken = some_int(m_some_time());
  bool timeless = one_in(3);
  for (int i = 0; timeless && i < n; ++i) take_times(&list[i], taken);
  return n;
}

/* Of what is there, of what went, or any. */
static struct ck_str some_forgettable(const struct m_state *s, int table, bool back) {
  if (back && s->gones && !one_in(8)) {
    const struct ck_str with = s->gone[sh_below((uint64_t)s->gones)].with;
    const char *id = memchr(with.s, '/', with.n);
    return (struct ck_str){id + 1, with.n - (size_t)(id + 1 - with.s)};
  }
  static const struct ck_str odd[] = {TEXT("p:r1"), TEXT("q:r2"), TEXT(" "),      TEXT(""),
                                      TEXT(" c1 "), TEXT("m1\n"), TEXT("nothing")};
  if (one_in(10)) return ANY(odd);
  if (s->rows[table] && !one_in(4)) return s->row[table][sh_below((uint64_t)s->rows[table])].v[0].s;
  return m_some_key(table);
}

struct m_mutation m_chance_forget(const struct model *m) {
  bool conversation = one_in(2), back = one_in(3);
  struct m_mutation w = {.kind = back ? CK_OP_REMEMBER : CK_OP_FORGET};
  struct ck_str kind = conversation ? CK_LIT("conversation") : CK_LIT("message"),
                id = some_forgettable(&m->now, conversation ? CONVERSATIONS : MESSAGES, back);
  if (one_in(60)) kind = CK_LIT("session");
  if (back)
    w.remember = (struct ck_remember){kind, id};
  else
    w.forget = (struct ck_forget){kind, id, one_in(4)};
  return w;
}

int m_chance(const struct model *m, struct m_mutation *list, int most, int64_t around) {
  static const int often[] = {MESSAGES,      EXECUTIONS,    SESSIONS, SESSIONS,
                              CONVERSATIONS, CONVERSATIONS, LINKS,    LINKS,
                              LINKS,         JOBS,          JOBS};
  const struct m_state *s = &m->now;
  struct ck_arena *arena = m->arena;
  m_base = around / 1000 * 1000 - 5000;
  if (one_in(200)) return 0;
  int n = one_in(4) && most >= 5 ? make_observation(s, list, arena) : 0;
  for (bool more = n == 0 || one_in(3); more && n < most; more = one_in(2)) {
    unsigned kind = (unsigned)sh_below(20);
    if (kind < 2)
      make_claim(s, &list[n]);
    else if (kind < 4)
      make_end(m, &list[n]);
    else if (kind == 4)
      make_other(&list[n]);
    else
      make_row(s, &list[n], kind < 16 ? CK_OP_PUT : CK_OP_UPDATE, ANY(often), arena);
    if (list[n].kind == CK_OP_PUT && list[n].table == MESSAGES && one_in(2)) {
      list[n].kind = CK_OP_COPY;
      list[n].timed = one_in(2);
    }
    ++n;
  }
  return n;
}
