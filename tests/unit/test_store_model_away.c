/* What was forgotten, and what is left out because of that: docs/store.md, "Forgetting", and
 * docs/cli.md, "forget", written a second time. All of a FORGET is done at once here. */
#include "test_store_model_rules.h"

#include <stdlib.h>

/* ---- what is away ---- */

static struct ck_str joined(struct model *m, struct ck_str a, const char *by, struct ck_str b) {
  struct ck_buf all = {0};
  ck_buf_str(&all, a);
  ck_buf_text(&all, by);
  ck_buf_str(&all, b);
  struct ck_str id = ck_arena_copy(m->arena, ck_buf_view(&all));
  ck_buf_free(&all);
  return id;
}

static struct ck_str record_id(struct model *m, const char *table, struct ck_str key) {
  return joined(m, ck_str_of(table), "/", key);
}

static struct ck_str home_id(struct model *m, struct ck_str platform, struct ck_str conversation) {
  return joined(m, platform, ":", conversation);
}

static struct m_gone *gone_of(struct model *m, struct ck_str id) {
  for (int i = 0; i < m->now.gones; ++i)
    if (same_text(m->now.gone[i].id, id)) return &m->now.gone[i];
  return NULL;
}

const struct m_gone *m_away(struct model *m, int table, struct ck_str key) {
  const struct m_gone *g =
      m->now.gones ? gone_of(m, record_id(m, m_tables[table].name, key)) : NULL;
  return g && !g->back ? g : NULL;
}

static bool home_away(struct model *m, struct ck_str platform, struct ck_str conversation) {
  if (!platform.n || !conversation.n || !m->now.gones) return false;
  const struct m_gone *g = gone_of(m, record_id(m, M_REMOTE, home_id(m, platform, conversation)));
  return g && !g->back;
}

static bool is_away(struct model *m, int table, struct m_value key) {
  return key.is == M_STR && m_away(m, table, key.s);
}

static struct ck_str text_at(int table, const struct m_value v[], const char *column) {
  return text_or_none(v[m_column(table, column)]);
}

/* By what it belongs to. */
static bool owner_away(struct model *m, int table, const struct m_value v[]) {
  switch (table) {
  case MESSAGES:
  case SESSIONS:
    return home_away(m, text_at(table, v, "platform"), text_at(table, v, "conversation_id"));
  case EXECUTIONS:
    return is_away(m, MESSAGES, v[m_column(table, "message_id")]) ||
           home_away(m, m->platform, m->conversation);
  case CONVERSATIONS:
    return home_away(m, m->platform, m->conversation);
  case LINKS:
    return home_away(m, text_at(table, v, "platform"),
                     text_at(table, v, "remote_conversation_id")) ||
           is_away(m, CONVERSATIONS, v[m_column(table, "local_conversation_id")]);
  default:
    return false;
  }
}

bool m_leaves_out(struct model *m, int table, const struct m_value v[]) {
  return is_away(m, table, v[0]) || owner_away(m, table, v);
}

/* Whichever part of a write is taken, none leads to what is away. */
bool m_leads_away(struct model *m, const struct m_record *old, int table,
                  const struct m_value given[]) {
  if (!old || (table != MESSAGES && table != SESSIONS && table != LINKS)) return false;
  int platform = m_column(table, "platform");
  for (int parts = 1; parts < 4; ++parts) {
    struct m_record mixed = *old;
    for (int c = 1; m_tables[table].column[c].name; ++c)
      if (given[c].is == M_STR && (parts & (c == platform ? 1 : 2))) mixed.v[c] = given[c];
    if (owner_away(m, table, mixed.v)) return true;
  }
  return false;
}

/* A message of the conversation is; if that is null, one that has none. */
static bool misses_message(struct model *m, struct m_value platform, struct m_value conversation) {
  for (int i = 0; i < m->now.gones; ++i) {
    const struct m_gone *g = &m->now.gone[i];
    if (is_text(g->table, "messages") && !g->back && platform.is == M_STR &&
        same(g->platform, platform) && same(g->conversation, conversation))
      return true;
  }
  return false;
}

/* Whichever part of a write is taken. */
static bool session_misses(struct model *m, const struct m_record *old,
                           const struct m_value given[]) {
  int platform = m_column(SESSIONS, "platform"), home = m_column(SESSIONS, "conversation_id");
  struct m_value platforms[] = {given[platform], old ? old->v[platform] : given[platform]},
                 homes[] = {given[home], old ? old->v[home] : given[home]};
  if (old && platforms[0].is != M_STR) platforms[0] = platforms[1];
  for (int i = 0; i < 2; ++i) {
    if (homes[i].is != M_STR) homes[i] = old ? old->v[home] : null();
    for (int k = 0; k < 2; ++k)
      if (misses_message(m, platforms[k], homes[i])) return true;
  }
  return false;
}

void m_drop_away(struct model *m, const struct m_record *old, int table, struct m_value given[]) {
  if (table != CONVERSATIONS && table != SESSIONS) return;
  struct m_value *summary = &given[m_column(table, "summary")];
  bool known = m->platform.n && m->conversation.n,
       misses = table == SESSIONS
                    ? session_misses(m, old, given)
                    : known && misses_message(m, text_of(m->platform), text_of(m->conversation));
  if (misses && summary->is == M_STR) summary->is = M_OUT;
  struct m_value *last = table == CONVERSATIONS ? &given[m_column(table, "last_message_id")] : NULL;
  if (last && is_away(m, MESSAGES, *last)) last->is = last[1].is = M_OUT;
}

/* ---- keeping away ---- */

static void keep_away(struct model *m, struct ck_str with, struct m_gone g) {
  struct m_gone *old = gone_of(m, g.id);
  if (!old && m->now.gones == M_GONE) abort();
  *(old ? &m->updated : &m->inserted) = true;
  if (!old) old = &m->now.gone[m->now.gones++];
  g.with = with;
  g.at = m->clock;
  g.version = ++m->now.head;
  *old = g;
}

static struct m_value or_null(int table, const struct m_record *r, const char *column) {
  int c = m_column(table, column);
  return c < 0 || r->v[c].is != M_STR ? null() : r->v[c];
}

static void keep_record_away(struct model *m, struct ck_str with, int table,
                             const struct m_record *r) {
  bool home = table == MESSAGES || table == SESSIONS || table == LINKS || table == CONVERSATIONS;
  keep_away(
      m, with,
      (struct m_gone){.id = record_id(m, m_tables[table].name, r->v[0].s),
                      .table = ck_str_of(m_tables[table].name),
                      .key = r->v[0].s,
                      .platform = home ? or_null(table, r, "platform") : null(),
                      .conversation = or_null(
                          table, r, table == LINKS ? "remote_conversation_id" : "conversation_id"),
                      .path = or_null(table, r, "static_path")});
}

static void keep_home_away(struct model *m, struct ck_str with, struct ck_str key,
                           struct m_value platform, struct m_value conversation) {
  keep_away(m, with,
            (struct m_gone){.id = record_id(m, M_REMOTE, key),
                            .table = ck_str_of(M_REMOTE),
                            .key = key,
                            .platform = platform,
                            .conversation = conversation,
                            .path = null()});
}

/* ---- what goes ---- */

#define HOMES 16

struct goes {
  struct ck_str with, id; /* id: of the conversation, or the message */
  bool conversation;
  struct {
    struct m_value platform, conversation;
  } home[HOMES];
  int homes;
};

static bool is_home(const struct goes *g, int table, const struct m_record *r) {
  for (int i = 0; i < g->homes; ++i)
    if (same(r->v[m_column(table, "platform")], g->home[i].platform) &&
        same(r->v[m_column(table, "conversation_id")], g->home[i].conversation))
      return true;
  return false;
}

static bool message_goes(struct model *m, const struct goes *g, struct ck_str id) {
  if (!g->conversation) return same_text(id, g->id);
  const struct m_record *r = m_find(&m->now, MESSAGES, id);
  return r && is_home(g, MESSAGES, r);
}

static bool record_goes(struct model *m, const struct goes *g, int table,
                        const struct m_record *r) {
  bool of_message = table == EXECUTIONS || table == JOBS,
       of_conversation = table == LINKS || table == JOBS || table == CONVERSATIONS;
  if (table == MESSAGES) return message_goes(m, g, r->v[0].s);
  if (of_message && message_goes(m, g, text_at(table, r->v, "message_id"))) return true;
  if (!g->conversation) return false;
  if (table == SESSIONS) return is_home(g, table, r);
  return of_conversation && same_text(text_at(table, r->v, "local_conversation_id"), g->id);
}

static void note_end(struct model *m, int table, struct ck_str id) {
  for (int i = 0; i < M_FEW && table == JOBS; ++i)
    if (same_text(m->now.lease[i].job, id)) m->now.lease[i].state = NULL;
  for (int i = 0; i < M_FEW && table == CONVERSATIONS; ++i)
    if (same_text(m->now.automation[i].conversation, id)) m->now.automation[i].on = false;
  for (int i = 0; i < M_WAITS; ++i)
    if (m->now.wait[i].table == table && same_text(m->now.wait[i].id, id))
      m->now.wait[i].is = M_OVER, m->now.wait[i].length = 0;
}

/* Children first, each table in the order of its keys. What goes is decided before anything does.
 */
static void remove_all(struct model *m, const struct goes *g) {
  struct m_record *gone[TABLES];
  int n[TABLES] = {0};
  for (int t = 0; t < TABLES; ++t) {
    gone[t] = ck_zalloc(sizeof *gone[t] * M_ROWS);
    for (int i = 0; i < m->now.rows[t]; ++i)
      if (record_goes(m, g, t, &m->now.row[t][i])) gone[t][n[t]++] = m->now.row[t][i];
  }
  for (int t = TABLES - 1; t >= 0; --t) {
    qsort(gone[t], (size_t)n[t], sizeof *gone[t], m_by_key);
    for (int i = 0; i < n[t]; ++i) {
      struct m_record *r = m_find(&m->now, t, gone[t][i].v[0].s);
      note_end(m, t, r->v[0].s);
      *r = m->now.row[t][--m->now.rows[t]];
      keep_record_away(m, g->with, t, &gone[t][i]);
    }
    free(gone[t]);
  }
}

static bool is_running(struct model *m, const struct goes *g) {
  for (int i = 0; i < m->now.rows[JOBS]; ++i) {
    const struct m_record *j = &m->now.row[JOBS][i];
    if (is_text(text_at(JOBS, j->v, "status"), "running") && record_goes(m, g, JOBS, j))
      return true;
  }
  return false;
}

/* ---- a conversation ---- */

static int by_home(const void *a, const void *b) {
  struct m_record x = *(const struct m_record *)a, y = *(const struct m_record *)b;
  int remote = m_column(LINKS, "remote_conversation_id"), platform = m_column(LINKS, "platform");
  x.v[0] = x.v[remote];
  y.v[0] = y.v[remote];
  int order = m_by_key(&x, &y);
  x.v[0] = x.v[platform];
  y.v[0] = y.v[platform];
  return order ? order : m_by_key(&x, &y);
}

/* What its platforms call it. */
static void find_homes(struct model *m, struct goes *g) {
  struct m_record *links = ck_zalloc(sizeof *links * M_ROWS);
  int n = 0, remote = m_column(LINKS, "remote_conversation_id");
  for (int i = 0; i < m->now.rows[LINKS]; ++i) {
    const struct m_record *r = &m->now.row[LINKS][i];
    if (same_text(text_at(LINKS, r->v, "local_conversation_id"), g->id) && r->v[remote].is == M_STR)
      links[n++] = *r;
  }
  qsort(links, (size_t)n, sizeof *links, by_home);
  for (int i = 0; i < n && i < HOMES; ++i) {
    g->home[g->homes].platform = links[i].v[m_column(LINKS, "platform")];
    g->home[g->homes++].conversation = links[i].v[remote];
  }
  free(links);
}

static bool forget_conversation(struct model *m, struct goes *g) {
  find_homes(m, g);
  if (is_running(m, g)) return false;
  remove_all(m, g);
  for (int i = 0; i < g->homes; ++i)
    keep_home_away(m, g->with, home_id(m, g->home[i].platform.s, g->home[i].conversation.s),
                   g->home[i].platform, g->home[i].conversation);
  return true;
}

/* ---- a message ---- */

/* What a session counts, whose id ends with a day, is not modelled
 * (unit/test_store_apply_forget.c). */
static bool forget_message(struct model *m, struct goes *g, struct m_record gone) {
  if (is_running(m, g)) return false;
  remove_all(m, g);
  m_mend_sessions(m, &gone);
  m_mend_conversations(m, &gone);
  return true;
}

/* ---- the mutations ---- */

static bool begin(struct model *m, struct goes *g, struct ck_str kind, struct ck_str id) {
  g->conversation = is_text(kind, "conversation");
  g->id = m_trimmed(id);
  g->with = record_id(m, m_tables[g->conversation ? CONVERSATIONS : MESSAGES].name, g->id);
  return g->id.n && (g->conversation || is_text(kind, "message"));
}

/* As if it had been there; with what its platform calls it, if its id is that. */
static void keep_absent_away(struct model *m, const struct goes *g) {
  bool linked = false;
  for (int i = 0; i < m->now.rows[LINKS]; ++i) {
    const struct m_record *r = &m->now.row[LINKS][i];
    struct ck_str remote = text_at(LINKS, r->v, "remote_conversation_id");
    linked |= remote.n && same_text(home_id(m, text_at(LINKS, r->v, "platform"), remote), g->id);
  }
  if (g->conversation && !linked) keep_home_away(m, g->with, g->id, null(), null());
  int table = g->conversation ? CONVERSATIONS : MESSAGES;
  keep_away(m, g->with,
            (struct m_gone){.id = g->with,
                            .table = ck_str_of(m_tables[table].name),
                            .key = g->id,
                            .platform = null(),
                            .conversation = null(),
                            .path = null()});
}

bool m_forget(struct model *m, const struct ck_forget *w) {
  struct goes g = {0};
  if (!begin(m, &g, w->kind, w->id)) return false;
  int table = g.conversation ? CONVERSATIONS : MESSAGES;
  const struct m_record *r = m_find(&m->now, table, g.id);
  if (r) return g.conversation ? forget_conversation(m, &g) : forget_message(m, &g, *r);
  if (m_away(m, table, g.id)) return true;
  if (w->absent) keep_absent_away(m, &g);
  return w->absent;
}

bool m_remember(struct model *m, const struct ck_remember *w) {
  struct goes g = {0};
  bool any = false;
  if (!begin(m, &g, w->kind, w->id)) return false;
  for (uint64_t after = 0;;) {
    struct m_gone *next = NULL;
    for (int i = 0; i < m->now.gones; ++i) {
      struct m_gone *one = &m->now.gone[i];
      bool its = same_text(one->with, g.with);
      any |= its;
      if (its && !one->back && one->version > after && (!next || one->version < next->version))
        next = one;
    }
    if (!next) return any;
    after = next->version;
    next->back = true;
    next->version = ++m->now.head;
    m->updated = true;
  }
}
