/* Citations in the place of their markers; see render.h. */
#include "proto/render/inner.h"

#include <ctype.h>

/* ChatGPT's markers: U+E200 … U+E201 (U+E202 between their parts), and before them 【…】. */
static const char *const opens[] = {"\xEE\x88\x80", "\xE3\x80\x90"};
static const char *const closes[] = {"\xEE\x88\x81", "\xE3\x80\x91"};
#define BETWEEN "\xEE\x88\x82"
#define MARK 3 /* bytes of each */
#define MARKER_MOST 2000

/* The marker with which text begins; empty if it begins with none. *kind: of opens. */
static struct ck_str marker(struct ck_str text, size_t *kind) {
  for (*kind = 0; *kind < sizeof opens / sizeof *opens; ++*kind) {
    if (!ck_str_starts(text, opens[*kind])) continue;
    size_t most = text.n < MARKER_MOST ? text.n : MARKER_MOST;
    const char *end = memmem(text.s, most, closes[*kind], MARK);
    if (end) return (struct ck_str){text.s, (size_t)(end - text.s) + MARK};
  }
  return (struct ck_str){NULL, 0};
}

/* A title, or an address in its place, that Markdown takes as it is. */
static void put_escaped(struct ck_buf *b, struct ck_str text) {
  for (size_t i = 0; i < text.n; ++i) {
    char c = text.s[i] == '\n' || text.s[i] == '\r' ? ' ' : text.s[i];
    if (strchr("\\`*_[]<>&~$|#!", c) && c) ck_buf_text(b, "\\");
    ck_buf_add(b, &c, 1);
  }
}

static void put_address(struct ck_buf *b, struct ck_str url) {
  for (size_t i = 0; i < url.n; ++i) {
    unsigned char c = (unsigned char)url.s[i];
    if (c <= ' ' || c == '<' || c == '>' || c == '\\' || c == '(' || c == ')' || c == 0x7f)
      ck_buf_printf(b, "%%%02X", c);
    else
      ck_buf_add(b, url.s + i, 1);
  }
}

static void put_citation_md(struct ck_buf *b, struct ck_str title, struct ck_str url) {
  ck_buf_text(b, url.n ? "[" : "");
  put_escaped(b, title.n ? title : url);
  if (url.n) {
    ck_buf_text(b, "](");
    put_address(b, url);
    ck_buf_text(b, ")");
  }
}

void render_citation(struct ck_buf *b, const json_t *citation, bool md) {
  struct ck_str title = render_member(citation, "title"), url = render_member(citation, "url");
  if (md) {
    put_citation_md(b, title, url);
    return;
  }
  if (title.n) {
    ck_buf_text(b, "[");
    ck_buf_str(b, title);
    ck_buf_text(b, "]");
  }
  if (url.n) {
    ck_buf_text(b, title.n ? "(" : "<");
    ck_buf_str(b, url);
    ck_buf_text(b, title.n ? ")" : ">");
  }
}

/* A marker stands at the end of a word, and a title there would be a part of that word. */
static bool wants_space(const struct ck_buf *b) {
  unsigned char last = b->len ? (unsigned char)b->data[b->len - 1] : ' ';
  return last >= 0x80 || isalnum(last) || (last && strchr(".,;:!?)*_%`", last));
}

/* Appends all citations with this marker; false if there is none that says anything. */
static bool put_cited(struct ck_buf *b, struct ck_str text, const json_t *citations, bool md,
                      bool *used) {
  size_t i, before = b->len;
  const json_t *citation;
  json_array_foreach(citations, i, citation) {
    if (!ck_str_eq(render_member(citation, "text"), text)) continue;
    if (b->len > before || (wants_space(b) && render_member(citation, "url").n))
      ck_buf_text(b, " ");
    render_citation(b, citation, md);
    if (used) used[i] = true;
  }
  return b->len > before;
}

/* A marker of which nothing is known: "[cite turn0search1]". */
static void put_unknown(struct ck_buf *b, struct ck_str text) {
  ck_buf_text(b, "[");
  for (size_t i = MARK; i < text.n - MARK;) {
    bool between = ck_str_starts((struct ck_str){text.s + i, text.n - i}, BETWEEN);
    ck_buf_add(b, between ? " " : text.s + i, 1);
    i += between ? MARK : 1;
  }
  ck_buf_text(b, "]");
}

void render_cited(struct ck_buf *b, struct ck_str text, const json_t *citations, bool md,
                  bool *used) {
  size_t from = 0, kind;
  for (size_t i = 0; i < text.n;) {
    unsigned char c = (unsigned char)text.s[i];
    struct ck_str found = {NULL, 0};
    if (c == 0xEE || c == 0xE3) found = marker((struct ck_str){text.s + i, text.n - i}, &kind);
    if (found.n == 0) {
      ++i;
      continue;
    }
    ck_buf_add(b, text.s + from, i - from);
    if (!put_cited(b, found, citations, md, used)) {
      if (kind == 0)
        put_unknown(b, found);
      else
        ck_buf_str(b, found);
    }
    from = i += found.n;
  }
  ck_buf_add(b, text.s + from, text.n - from);
}
