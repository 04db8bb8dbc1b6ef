/* Few keys, times and texts, so that writes meet; now and then, everything that must be refused. */
#include "test_store_model_chance.h"

#include <string.h>

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
                                      TEXT("one\n\ttwo \xe3\x80\x80 three"),
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

static const struct ck_str homes[] = {TEXT("r1"), TEXT("r2"), TEXT("r2 ")};
static const struct ck_str ages[] = {TEXT("5"),
                                     TEXT("none"),
                                     TEXT("owner"),
                                     TEXT("1700000003000 raw_text=none role=1700000001000"),
                                     TEXT("1700000003000 observed_at=none executed_at=none"),
                                     TEXT("0 title=owner page_title=owner  is_active=7"),
                                     TEXT("x y=z = title=99999999999999999999 role=2x"),
                                     TEXT("1800000000000 platform=9223372036854775807")};

int64_t m_base;

struct ck_str m_some_key(int table) {
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

int64_t m_some_time(void) {
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
  return one_in(40) ? ANY(odd) : m_base + 1000 * (int64_t)sh_below(12);
}

int64_t m_some_age(void) {
  const int64_t far[] = {-1, INT64_MIN, INT64_MAX, m_base + 86407000, m_base + 86405000, 5};
  if (one_in(3)) return 0;
  return one_in(20) ? ANY(far) : m_base + 1000 * (int64_t)sh_below(8);
}

/* Text as an attacker or a web page may send it; now and then so long that it needs a page. */
static struct m_value some_text(struct ck_arena *arena) {
  if (!one_in(60)) return some(ANY(texts));
  size_t n = 1 + sh_below(6000);
  char *s = ck_arena_get(arena, n);
  memset(s, 'a' + (int)sh_below(26), n);
  for (unsigned blanks = (unsigned)sh_below(8); blanks; --blanks) s[sh_below(n)] = ' ';
  for (unsigned nuls = one_in(4) ? 8 : 0; nuls; --nuls) s[sh_below(n)] = '\0';
  for (unsigned pairs = n > 1 && one_in(2) ? 60 : 0; pairs; --pairs)
    memcpy(s + 2 * sh_below(n / 2), "\xc3\xa9", 2);
  return some((struct ck_str){s, n});
}

/* A value of another kind than the column's, or out of range. If it is no text, s has its JSON
 * text. */
struct m_value m_some_nonsense(void) {
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
  return one_in(3) ? m_some_nonsense() : some(ANY(json));
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

struct m_value m_some_value(int table, const struct m_column *c, struct ck_arena *arena) {
  switch (c->kind) {
  case 'K':
    return some(m_some_key(table));
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
    return one_in(5) ? (struct m_value){.is = M_NULL} : some_int(m_some_time());
  default:
    return some_int(m_some_time());
  }
}

/* A path that names its record, or one that may not. */
struct m_value m_some_path(int table, struct ck_str key, struct ck_arena *arena) {
  if (one_in(2)) return some(ANY(paths));
  struct ck_buf b = {0};
  ck_buf_printf(&b, "%s/day/", m_tables[table].folder);
  ck_buf_str(&b, key);
  if (one_in(2)) ck_buf_text(&b, ".txt");
  struct m_value v = some(ck_arena_copy(arena, ck_buf_view(&b)));
  ck_buf_free(&b);
  return v;
}

struct ck_str m_some_token(void) {
  return ANY(tokens);
}

struct ck_str m_some_words(void) {
  return ANY(texts);
}
