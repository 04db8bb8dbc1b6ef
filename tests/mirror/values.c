/* Any value a record may hold is the same in the mirror as in the database, or is refused and
 * named. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/mirror/stories.h"

/* ---- random values ---- */

static bool nul, long_indexed; /* can the mirror store U+0000? texts of any length in an index? */

static void put_utf8(struct ck_buf *b, uint32_t c) {
  char s[4];
  size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
  for (size_t i = n; i-- > 1; c >>= 6) s[i] = (char)(0x80 | (c & 0x3f));
  s[0] = (char)(n == 1 ? c : (0xf0u << (4 - n) & 0xffu) | c);
  ck_buf_add(b, s, n);
}

/* Characters of every plane, and troublesome ones: NUL, quotes, characters special to LIKE and
 * JSON, digits, noncharacters, the neighbours of the surrogates. */
static uint32_t any_character(void) {
  static const uint32_t odd[] = {
      0,      1,      '\t',    '\n',    '\r',    0x1b,     0x1f,   '"',    '\\',   '\'',   '/',
      ';',    '%',    '_',     '[',     ']',     '{',      '}',    ',',    ':',    0x7f,   0x80,
      0x7ff,  0x800,  0xd7ff,  0xe000,  0xfeff,  0xfffd,   0xfffe, 0xffff, 0x2028, 0x2029, 0x200b,
      0x202e, 0x0301, 0x10000, 0x1f600, 0x1fffe, 0x10ffff, 0xfdd0, '0',    '9'};
  uint32_t c = (uint32_t)(t_random_below(17) << 16 | t_random_below(0x10000));
  uint64_t kind = t_random_below(3);
  if (kind == 0) c = odd[t_random_below(sizeof odd / sizeof *odd)];
  if (kind == 1) c = (uint32_t)(' ' + t_random_below(95));
  return c >= 0xd800 && c < 0xe000 ? 0xfffd : c || nul ? c : 1;
}

/* Where a text is required, it starts with a letter, because one that is trimmed to nothing would
 * count as missing. */
static struct ck_str any_text(struct ck_buf *b, bool required, uint64_t most) {
  static const char *const words[] = {
      "null", "NULL", "true", "0",  "1",    "-1", "1e3",     "0x1f", "9223372036854775808",
      "1.0",  " ",    "{}",   "[]", "\"\"", "'",  "\\u0000", "%00"};
  size_t at = b->len;
  uint64_t n = t_random_below(t_random_below(60) ? 24 : most);
  if (required) ck_buf_add(b, "t", 1);
  if (t_random_below(8) == 0)
    ck_buf_text(b, words[t_random_below(sizeof words / sizeof *words)]);
  else
    while (n--) put_utf8(b, any_character());
  return (struct ck_str){(const char *)at,
                         b->len - at}; /* an offset for now, because the buffer moves */
}

static int64_t any_integer(void) {
  static const int64_t odd[] = {0,
                                1,
                                -1,
                                INT64_MAX,
                                INT64_MIN,
                                INT64_MAX - 1,
                                INT64_MIN + 1,
                                9007199254740991,
                                9007199254740993,
                                -9007199254740993,
                                INT32_MAX,
                                INT32_MIN,
                                4294967295,
                                4294967296,
                                1000000000000};
  return t_random_below(2) ? odd[t_random_below(sizeof odd / sizeof *odd)] : (int64_t)t_random();
}

static struct ck_value any_choice(const char *choices) {
  const char *at = choices;
  for (uint64_t skip = t_random_below(8); skip; --skip)
    at = strchr(at, '|') ? strchr(at, '|') + 1 : choices;
  return ck_text((struct ck_str){at, strcspn(at, "|")});
}

static struct ck_value any_value(struct ck_buf *b, const struct ck_field *f) {
  if ((f->flags & CK_OPTIONAL) && t_random_below(3) == 0) return ck_null();
  bool indexed = strcmp(f->name, "platform") == 0 || strcmp(f->name, "conversation_id") == 0;
  switch (f->kind) {
  case CK_K_TEXT:
  case CK_K_PAYLOAD:
    return ck_text(any_text(b, true, indexed && !long_indexed ? 24 : 3000));
  case CK_K_RAW:
  case CK_K_JSON:
    return ck_text(any_text(b, false, 3000));
  case CK_K_CHOICE:
    return any_choice(f->choices);
  case CK_K_BOOL:
    return ck_int((int64_t)t_random_below(2));
  case CK_K_COUNT:
    return ck_int(any_integer() & INT64_MAX);
  case CK_K_POSITIVE:
    return ck_int((any_integer() & INT64_MAX) | 1);
  default:
    return ck_int(any_integer());
  }
}

/* ---- rows ---- */

/* The text of a column that refers to another record, or is unique; else empty. */
static struct ck_str fixed_text(enum ck_table t, int c, int i) {
  static char text[4][40];
  static int at;
  const char *name = ck_tables[t].fields[c].name;
  char letter = 0;
  if (c == ck_tables[t].key)
    letter = t == CK_MESSAGES ? 'm' : t == CK_CONVERSATIONS ? 'c' : t == CK_LINKS ? 'l' : 'k';
  if (t != CK_MESSAGES && strcmp(name, "message_id") == 0) letter = 'm';
  if (t != CK_CONVERSATIONS && strcmp(name, "local_conversation_id") == 0) letter = 'c';
  if (!letter) return (struct ck_str){0};
  char *s = text[at++ % 4];
  snprintf(s, sizeof text[0], "%c%d", letter, i);
  return ck_str_of(s);
}

/* A path must name its record. */
static struct ck_value path_of(struct ck_buf *b, const struct ck_field *f, struct ck_str key) {
  size_t at = b->len;
  ck_buf_printf(b, "%s%.*s", f->choices, (int)key.n, key.s);
  return ck_text((struct ck_str){(const char *)at, b->len - at}); /* an offset, as any_text's */
}

/* Writes a row; returns how many values it has. */
static int put_row(struct t_producer *p, enum ck_table t, int i) {
  const struct ck_table_info *info = &ck_tables[t];
  struct ck_buf texts = {0}, mutation = {0};
  struct ck_row row = {.table = t};
  bool here[CK_COLUMNS_MAX] = {false};
  for (int c = 0; c < info->mirrored; ++c) {
    struct ck_str fixed = fixed_text(t, c, i);
    enum ck_kind kind = info->fields[c].kind;
    const struct ck_field *f = &info->fields[c];
    row.v[c] = fixed.n             ? ck_text(fixed)
               : kind == CK_K_PATH ? path_of(&texts, f, fixed_text(t, info->key, i))
                                   : any_value(&texts, f);
    here[c] = !fixed.n && row.v[c].state == CK_TEXT && kind != CK_K_CHOICE;
  }
  for (int c = 0; c < info->mirrored; ++c)
    if (here[c]) row.v[c].as.s.s = texts.data ? texts.data + (size_t)row.v[c].as.s.s : "";
  /* The pair is unique, and the store would find the record by it before it looks at the key. */
  if (t == CK_LINKS && row.v[CK_LINKS_REMOTE_CONVERSATION_ID].state == CK_TEXT)
    row.v[CK_LINKS_REMOTE_CONVERSATION_ID] = ck_text(fixed_text(t, CK_LINKS_LINK_ID, i));
  ck_mutation_row(&mutation, CK_OP_PUT, &row);
  t_mutate_raw(p, ck_buf_view(&mutation));
  ck_buf_free(&texts);
  ck_buf_free(&mutation);
  return info->mirrored;
}

#define ROUND 60

/* Parents first, all in one changeset. */
static int64_t put_round(struct t_producer *p, int first) {
  int64_t values = 0;
  for (int t = 0; t < CK_FORGOTTEN; ++t)
    for (int i = first; i < first + ROUND; ++i) values += put_row(p, (enum ck_table)t, i);
  char result = t_commit(p);
  T_CHECK(result == 'n', "the store does not take it: %s", t_refusal(p));
  return values;
}

void story_values_are_the_same(const struct mirror *m) {
  int64_t values = 0, wanted = t_long() ? 1000000 : 50000;
  nul = m->nul;
  long_indexed = m->indexed;
  mirror_ring(m);
  struct t_producer *p = t_producer("test");
  for (int first = 0; values < wanted; first += ROUND) values += put_round(p, first);
  mirror_same(m, 300000);
  mirror_none_dead();
  /* The mirror itself compares every column too. */
  json_decref(t_lines(0, "sync", "verify", "--deep"));
  t_note("%lld values are the same", (long long)values);
  mirror_stop(m);
}

/* Bad bytes, put into the database by hand: they cannot go into a frame, and harm no other row. */
void story_bad_bytes_in_the_database_are_dead_letters(const struct mirror *m) {
  mirror_ring(m);
  struct t_producer *p = t_producer("test");
  mirror_write(p, 1, 30, 0);
  mirror_settle(10000);
  t_ring_forget();
  t_down();
  t_sql_run("artifact.db",
            "UPDATE messages SET version = 1 + (SELECT max(version) FROM"
            " (SELECT version FROM messages UNION SELECT version FROM renewal_jobs)),"
            " raw_text = CAST(x'61eda080ff' AS TEXT) WHERE id = 'm7-1';"
            "UPDATE message_keys_new SET version ="
            " (SELECT version FROM messages WHERE id = 'm7-1') WHERE id = 'm7-1';"
            "UPDATE message_keys_sorted SET version ="
            " (SELECT version FROM messages WHERE id = 'm7-1') WHERE id = 'm7-1'");
  t_do(0, "rebuild", "seals"); /* of the pages that were written past the store */
  t_daemon("store", NULL);
  t_daemon("syncd", NULL);
  p = t_producer("test2");
  mirror_write(p, 31, 30, 0);
  mirror_settle(10000);
  mirror_one_dead("m7-1", "raw_text is not UTF-8");
  t_taken(p, 'u', "messages",
          "{'id':'m7-1','platform':'p','conversation_id':'r7','role':'assistant',"
          "'raw_text':'mended','observed_at':9000}");
  mirror_same(m, 10000);
  mirror_stop(m);
}

/* ---- large texts ---- */

void story_put_long(struct t_producer *p, const char *id, size_t bytes, const char *filled) {
  struct ck_row row = {.table = CK_MESSAGES};
  struct ck_buf mutation = {0};
  size_t n = strlen(filled);
  char *text = malloc(bytes + n);
  for (size_t at = 0; at < bytes; at += n) memcpy(text + at, filled, n);
  row.v[CK_MESSAGES_ID] = ck_textz(id);
  row.v[CK_MESSAGES_PLATFORM] = ck_textz("p");
  row.v[CK_MESSAGES_ROLE] = ck_textz("user");
  row.v[CK_MESSAGES_RAW_TEXT] = ck_text((struct ck_str){text, bytes});
  row.v[CK_MESSAGES_OBSERVED_AT] = ck_int(INT64_MAX);
  ck_mutation_row(&mutation, CK_OP_PUT, &row);
  t_mutate_raw(p, ck_buf_view(&mutation));
  free(text);
  ck_buf_free(&mutation);
  char result = t_commit(p);
  T_CHECK(result == 'n', "the store does not take it: %s", t_refusal(p));
}

void story_texts_of_7_mb_are_the_same(const struct mirror *m) {
  mirror_ring(m);
  struct t_producer *p = t_producer("test");
  story_put_long(p, "large", 7000000, "\xf0\x9f\x98\x80 a");
  story_put_long(p, "quotes", 4000000, "\"");
  mirror_write(p, 1, 3, 0);
  mirror_same(m, 20000);
  json_decref(t_lines(0, "sync", "verify", "--deep"));
  mirror_stop(m);
}
