/* The model's summaries: the beginning of a text, in 200 bytes at most. */
#include "test_store_model_values.h"

#define SUMMARY_BYTES 200
#define ELLIPSIS "\xe2\x80\xa6"

/* How many bytes the character at s has. */
static size_t character(const char *s) {
  unsigned char c = (unsigned char)*s;
  return c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
}

/* Trimmed, and each run of blanks one space. */
static void fold(struct ck_buf *b, struct ck_str text) {
  text = m_trimmed(text);
  while (text.n) {
    size_t n = character(text.s);
    if (m_trimmed((struct ck_str){text.s, n}).n == 0) {
      ck_buf_text(b, " ");
      text = m_trimmed(text);
      continue;
    }
    ck_buf_add(b, text.s, n);
    text.s += n;
    text.n -= n;
  }
}

static void cut(struct ck_buf *b) {
  size_t n = 0, most = SUMMARY_BYTES - strlen(ELLIPSIS);
  if (b->len <= SUMMARY_BYTES) return;
  while (n + character(b->data + n) <= most) n += character(b->data + n);
  if (n && b->data[n - 1] == ' ') --n;
  b->len = n;
  ck_buf_text(b, ELLIPSIS);
}

static void replace_nuls(struct ck_buf *b) {
  struct ck_buf without = {0};
  for (size_t i = 0; i < b->len; ++i)
    ck_buf_add(&without, b->data[i] ? b->data + i : "\xef\xbf\xbd", b->data[i] ? 1 : 3);
  ck_buf_free(b);
  *b = without;
}

static struct m_value summary_of(struct ck_arena *arena, struct ck_str text) {
  struct ck_buf b = {0};
  fold(&b, text);
  cut(&b);
  replace_nuls(&b);
  cut(&b);
  struct m_value made = b.len ? text_of(ck_arena_copy(arena, ck_buf_view(&b))) : null();
  ck_buf_free(&b);
  return made;
}

bool m_is_made(int table, const struct m_record *r, int column) {
  return strchr(m_tables[table].column[column].rule, 's') && r->v[column - 1].is == M_STR;
}

void m_make_summary(struct ck_arena *arena, int table, const struct m_record *old,
                    struct m_record *r) {
  for (int c = 1; m_tables[table].column[c].name; ++c) {
    if (m_is_made(table, r, c))
      r->v[c] = summary_of(arena, r->v[c - 1].s);
    else if (old && m_is_made(table, old, c))
      r->v[c] = null();
  }
}
