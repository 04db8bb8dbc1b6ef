/* Random changesets: few keys, times and texts, so that writes meet; now and then, everything that
 * must be refused. */
#include <string.h>

#include "test_store_help.h"
#include "test_store_model.h"

#define COUNT(list) (sizeof(list) / sizeof *(list))
#define TEXT(literal) \
  { literal, sizeof(literal) - 1 }
#define ANY(list) ((list)[sh_below(COUNT(list))])

static const struct ck_str message_ids[] = {
    TEXT("m1"),  TEXT("m2"), TEXT("m3"), TEXT("m4"),  TEXT("m:5"),  TEXT("m/6"),
    TEXT(".m7"), TEXT("m8"), TEXT("m9"), TEXT("m10"), TEXT("m\0x"), TEXT("\xc3\xbc")};
static const struct ck_str execution_ids[] = {TEXT("e1"), TEXT("e2"), TEXT("e3"), TEXT("e4"),
                                              TEXT("e5"), TEXT("e6"), TEXT("E1"), TEXT("e 8")};
static const struct ck_str session_ids[] = {TEXT("s1"), TEXT("s2"), TEXT("s3"), TEXT("s4")};
static const struct ck_str conversation_ids[] = {TEXT("c1"), TEXT("c2"), TEXT("c3"), TEXT("c4"),
                                                 TEXT("c5")};
static const struct ck_str link_ids[] = {TEXT("l1"), TEXT("l2"), TEXT("l3"), TEXT("l4"),
                                         TEXT("l5"), TEXT("l6"), TEXT("l7")};
static const struct ck_str job_ids[] = {TEXT("j1"), TEXT("j2"), TEXT("j3"), TEXT("j4"),
                                        TEXT("j5"), TEXT("j6"), TEXT("j7"), TEXT("j8")};
static const struct ck_str remotes[] = {TEXT("r1"), TEXT("r2"), TEXT("r3"),
                                        TEXT("r4"), TEXT(" "),  TEXT("r1 ")};
static const struct ck_str platforms[] = {TEXT("p"), TEXT("p"), TEXT("p"), TEXT("q")};
static const struct ck_str tokens[] = {TEXT("token-1"), TEXT("token-2"), TEXT("token-3")};
static const struct ck_str texts[] = {TEXT("a"),
                                      TEXT("b"),
                                      TEXT("a "),
                                      TEXT(" b"),
                                      TEXT(""),
                                      TEXT(" "),
                                      TEXT("\t\n"),
                                      TEXT("\xe3\x80\x80"),
                                      TEXT("\xef\xbb\xbf"
                                           "a\xe2\x80\x83"),
                                      TEXT("\xe2\x80\x8b"),
                                      TEXT("\xe1\xa0\x8e"),
                                      TEXT("\xc2\xa0"
                                           "b"),
                                      TEXT("z\0z"),
                                      TEXT("0123"),
                                      TEXT("\xf0\x9f\x90\xa6 and more of it")};
static const struct ck_str choices[] = {
    TEXT("manual"),  TEXT("auto"),        TEXT("paused"),        TEXT("none"),
    TEXT("body"),    TEXT("inline_json"), TEXT("inline_string"), TEXT("text"),
    TEXT("json"),    TEXT("done"),        TEXT("failed"),        TEXT("pending"),
    TEXT("running"), TEXT(" auto "),      TEXT("Auto"),          TEXT("auto|pa"),
    TEXT(""),        TEXT("manual|auto"), TEXT("pending\0done")};
static const struct ck_str paths[] = {TEXT("msg/x/y.txt"),
                                      TEXT("exec/x.txt"),
                                      TEXT("session/day/s.txt"),
                                      TEXT(" msg/z "),
                                      TEXT("/msg/x"),
                                      TEXT("msg/../x"),
                                      TEXT("session//x"),
                                      TEXT("msg/"),
                                      TEXT("msg"),
                                      TEXT("message/x"),
                                      TEXT(""),
                                      TEXT("exec/./x"),
                                      TEXT("msg/.hidden/x"),
                                      TEXT("../msg/x.txt"),
                                      TEXT("exec/x/")};
static const char *const columns[] = {"id",      "job_id", "platform",   "status",
                                      "version", "rowid",  "created_at", "updated_at",
                                      "",        "ID",     "summary"};
static const char *const outcomes[] = {"done",      "retry", "failed", "unknown", "released",
                                       "released",  "retry", "done",   "retry",   "unknown",
                                       "unreached", "lost",  ""};

static const struct ck_str homes[] = {TEXT("r1"), TEXT("r2"), TEXT("r2 ")};
static const struct ck_str ages[] = {TEXT("5"),
                                     TEXT("none"),
                                     TEXT("owner"),
                                     TEXT("1700000003000 raw_text=none role=1700000001000"),
                                     TEXT("1700000003000 observed_at=none executed_at=none"),
                                     TEXT("0 title=owner page_title=owner  is_active=7"),
                                     TEXT("x y=z = title=99999999999999999999 role=2x"),
                                     TEXT("1800000000000 platform=9223372036854775807")};

static bool one_in(unsigned n) { return sh_below(n) == 0; }

static struct ck_str key_of(int table) {
  switch (table) {
  case MESSAGES:
    return ANY(message_ids);
  case EXECUTIONS:
    return ANY(execution_ids);
  case SESSIONS:
    return ANY(session_ids);
  case CONVERSATIONS:
    return ANY(conversation_ids);
  case LINKS:
    return ANY(link_ids);
  default:
    return ANY(job_ids);
  }
}

static struct m_value some(struct ck_str s) { return (struct m_value){.is = M_STR, .s = s}; }
static struct m_value some_int(int64_t i) { return (struct m_value){.is = M_INT, .i = i}; }

static int64_t some_time(void) {
  static const int64_t odd[] = {0,
                                -1,
                                INT64_MIN,
                                INT64_MAX,
                                253402300800000,
                                253402300799999,
                                -62135596800000,
                                -62135596800001,
                                86399999,
                                -86400001};
  return one_in(40) ? ANY(odd) : 1700000000000 + 1000 * (int64_t)sh_below(12);
}

static int64_t some_age(void) {
  static const int64_t far[] = {-1, INT64_MIN, INT64_MAX, 1700086407000, 1700086405000, 5};
  if (one_in(3)) return 0;
  return one_in(20) ? ANY(far) : 1700000000000 + 1000 * (int64_t)sh_below(8);
}

/* Text as an attacker or a web page may send it; now and then so long that it needs a page. */
static struct m_value some_text(struct ck_arena *arena) {
  if (!one_in(60)) return some(ANY(texts));
  size_t n = 1 + sh_below(6000);
  char *s = ck_arena_get(arena, n);
  memset(s, 'a' + (int)sh_below(26), n);
  return some((struct ck_str){s, n});
}

/* A value of another kind than the column's, or out of range. If it is no text, s has its JSON
 * text. */
static struct m_value some_nonsense(void) {
  static const struct m_value nonsense[] = {
      {.is = M_NULL},
      {.is = M_BOOL, .i = 1, .s = TEXT("true")},
      {.is = M_BOOL, .i = 0, .s = TEXT("false")},
      {.is = M_FLOAT, .s = TEXT("1.5")},
      {.is = M_BIG, .s = TEXT("18446744073709551615")},
      {.is = M_LIST, .s = TEXT("[1,{\"a\":\"b\"}]")},
      {.is = M_BAD_UTF8, .s = TEXT("\xc3(")},
      {.is = M_INT, .i = -1, .s = TEXT("-1")},
      {.is = M_INT, .i = 2, .s = TEXT("2")},
      {.is = M_STR, .s = TEXT("5")},
  };
  return ANY(nonsense);
}

static struct m_value some_json(void) {
  static const struct ck_str json[] = {
      TEXT("{\"a\": 1}"),        TEXT(" {} "), TEXT("not JSON"), TEXT(" "),
      TEXT("{\"source_id\":1}"), TEXT("{}"),   TEXT("{")};
  return one_in(3) ? some_nonsense() : some(ANY(json));
}

/* Mostly one of the column's choices. */
static struct m_value some_choice(const char *of) {
  size_t skip = sh_below(4);
  if (one_in(12)) return some(ANY(choices));
  while (skip-- && strchr(of, '|')) of = strchr(of, '|') + 1;
  return some((struct ck_str){of, strcspn(of, "|")});
}

static struct m_value reference(const char *column, struct m_value otherwise) {
  if (strcmp(column, "message_id") == 0 || strcmp(column, "last_message_id") == 0 ||
      strcmp(column, "parent_id") == 0)
    return some(ANY(message_ids));
  if (strcmp(column, "conversation_id") == 0) return some(ANY(homes));
  if (strcmp(column, "local_conversation_id") == 0) return some(ANY(conversation_ids));
  if (strcmp(column, "remote_conversation_id") == 0) return some(ANY(remotes));
  return strcmp(column, "platform") == 0 ? some(ANY(platforms)) : otherwise;
}

static struct m_value some_value(int table, const struct m_column *c, struct ck_arena *arena) {
  switch (c->kind) {
  case 'K':
    return some(key_of(table));
  case 't':
    return reference(c->name, one_in(30) ? some(ANY(texts)) : some(texts[sh_below(4)]));
  case 'o':
    return one_in(6) ? (struct m_value){.is = M_NULL} : reference(c->name, some_text(arena));
  case 'r':
    return some_text(arena);
  case 'p':
    return one_in(20) ? some(ANY(texts)) : some(texts[sh_below(4)]);
  case 'j':
    return some_json();
  case 'c':
    return some_choice(c->choices);
  case 'b':
  case 'B':
    return one_in(4) ? (struct m_value){.is = M_BOOL, .i = 1, .s = TEXT("true")}
                     : some_int((int64_t)sh_below(2));
  case 'A':
    return one_in(4) ? (struct m_value){.is = M_NULL} : some(ANY(ages));
  case 'N':
    return one_in(5) ? (struct m_value){.is = M_NULL} : some_int((int64_t)sh_below(9));
  case '#':
    return some_int(one_in(30) ? INT64_MAX : (int64_t)sh_below(5) - one_in(30));
  case '+':
    return some_int((int64_t)sh_below(5) + !one_in(20));
  case 'y':
    return one_in(5) ? (struct m_value){.is = M_NULL} : some_int(some_time());
  default:
    return some_int(some_time());
  }
}

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

/* A path that names its record, or one that may not. */
static struct m_value some_path(int table, struct ck_str key, struct ck_arena *arena) {
  if (one_in(2)) return some(ANY(paths));
  struct ck_buf b = {0};
  ck_buf_printf(&b, "%s/day/", m_tables[table].folder);
  ck_buf_str(&b, key);
  if (one_in(2)) ck_buf_text(&b, ".txt");
  struct m_value v = some(ck_arena_copy(arena, ck_buf_view(&b)));
  ck_buf_free(&b);
  return v;
}

static void make_row(const struct m_state *s, struct m_mutation *m, enum ck_mutation_kind kind,
                     int table, struct ck_arena *arena) {
  *m = (struct m_mutation){.kind = kind, .table = table, .age = some_age()};
  struct ck_str key = key_of(table);
  bool exists = false;
  for (int i = 0; i < s->rows[table] && !exists; ++i)
    exists = ck_str_eq(s->row[table][i].v[0].s, key);
  if (exists && table == JOBS && !one_in(8)) m->kind = CK_OP_UPDATE;
  if (!exists && !one_in(8)) m->kind = CK_OP_PUT;
  for (int c = 0; m_tables[table].column[c].name; ++c) {
    const struct m_column *col = &m_tables[table].column[c];
    if (sh_below(100) >= odds(col->kind, exists)) continue;
    /* A job's message and conversation cannot be changed: most updates leave them out. */
    if (table == JOBS && exists && col->kind == 't' && !one_in(8)) continue;
    give(m, col->name,
         c == 0             ? some(key)
         : col->kind == '/' ? some_path(table, key, arena)
                            : some_value(table, col, arena));
  }
  if (one_in(60)) m->field[sh_below((uint64_t)m->fields)].v = some_nonsense();
  if (one_in(200)) give(m, ANY(columns), some(texts[0]));
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
  m->claim = (struct ck_claim){.job_id = ANY(job_ids),
                               .token = one_in(30) ? (struct ck_str){0} : ANY(tokens),
                               .at = some_time()};
  for (; tries < 20 && s->rows[JOBS] && !one_in(8); ++tries) {
    const struct m_record *r = &s->row[JOBS][sh_below((uint64_t)s->rows[JOBS])];
    if (!ck_str_is(r->v[status].s, "pending")) continue;
    m->claim.job_id = r->v[0].s;
    return;
  }
}

/* Mostly for a running attempt, with its token. */
static void make_end(const struct m_state *s, struct m_mutation *m) {
  *m = (struct m_mutation){.kind = CK_OP_END};
  m->end = (struct ck_end){ANY(job_ids),
                           sh_below(3),
                           ANY(tokens),
                           ck_str_of(ANY(outcomes)),
                           ANY(texts),
                           some_time(),
                           one_in(2) ? 0 : some_time(),
                           ANY(texts),
                           some_time(),
                           {0},
                           {0}};
  const struct m_lease *l = &s->lease[sh_below(M_FEW)];
  for (int tries = 0; tries < 2 * M_FEW && !l->state; ++tries) l = &s->lease[sh_below(M_FEW)];
  if (!l->state && !one_in(10)) make_claim(s, m);
  if (!l->state || one_in(10)) return;
  m->end.job_id = l->job;
  m->end.attempt = l->attempt + one_in(12);
  m->end.token = one_in(12) ? ANY(tokens) : l->token;
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
  struct m_value taken = some_int(some_time());
  bool timeless = one_in(3);
  for (int i = 0; timeless && i < n; ++i) take_times(&list[i], taken);
  return n;
}

int m_chance(const struct m_state *s, struct m_mutation *list, int most, struct ck_arena *arena) {
  static const int often[] = {MESSAGES,      EXECUTIONS,    SESSIONS, SESSIONS,
                              CONVERSATIONS, CONVERSATIONS, LINKS,    LINKS,
                              LINKS,         JOBS,          JOBS};
  if (one_in(200)) return 0;
  int n = one_in(4) && most >= 5 ? make_observation(s, list, arena) : 0;
  for (bool more = n == 0 || one_in(3); more && n < most; more = one_in(2)) {
    unsigned kind = (unsigned)sh_below(20);
    if (kind < 2)
      make_claim(s, &list[n]);
    else if (kind < 4)
      make_end(s, &list[n]);
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

/* ---- the form on the wire ---- */

static void put_value(struct ck_buf *b, const struct m_value *v) {
  switch (v->is) {
  case M_NULL:
    ck_put_nil(b);
    break;
  case M_INT:
    ck_put_int(b, v->i);
    break;
  case M_BOOL:
    ck_put_bool(b, v->i != 0);
    break;
  case M_FLOAT:
    ck_put_float(b, 1.5);
    break;
  case M_BIG:
    ck_put_uint(b, UINT64_MAX);
    break;
  case M_LIST:
    sh_pack(b, "[1,{'a':'b'}]");
    break;
  default:
    ck_put_str(b, v->s);
  }
}

struct ck_mutation m_wire(const struct m_mutation *m, struct ck_buf *row) {
  struct ck_mutation w = {.kind = m->kind};
  if (m->kind == CK_OP_CLAIM) w.as.claim = m->claim;
  if (m->kind == CK_OP_END) w.as.end = m->end;
  if (m->kind == CK_OP_CURSOR) w.as.cursor = m->cursor;
  if (m->kind == CK_OP_WITHDRAW) w.as.withdraw.job_id = CK_LIT("j");
  if (m->kind == CK_OP_SYNCED)
    w.as.synced = (struct ck_synced){CK_LIT("null"), 7, 0, 1, CK_LIT("\x90"), 0};
  if (m->kind != CK_OP_PUT && m->kind != CK_OP_COPY && m->kind != CK_OP_UPDATE) return w;
  ck_buf_clear(row);
  ck_put_map(row, (uint32_t)m->fields);
  for (int f = 0; f < m->fields; ++f) {
    ck_put_text(row, m->field[f].column);
    put_value(row, &m->field[f].v);
  }
  struct ck_str table = ck_str_of(m->table == TABLES ? "producers" : m_tables[m->table].name);
  if (m->kind == CK_OP_PUT)
    w.as.put = (struct ck_put){table, ck_buf_view(row), m->age};
  else if (m->kind == CK_OP_COPY)
    w.as.copy = (struct ck_copy){ck_buf_view(row), m->age, m->timed};
  else
    w.as.update = (struct ck_update){table, ck_buf_view(row)};
  return w;
}
