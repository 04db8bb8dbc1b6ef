/* See html_link.h. */
#include "proto/render/html_link.h"

#include <stdlib.h>
#include <strings.h>
#include "proto/visible.h"

void render_html_text(struct ck_buf *b, struct ck_str text) {
  struct ck_buf safe = {0};
  ck_visible_text(&safe, text, false);
  size_t from = 0;
  for (size_t i = 0; i < safe.len; ++i) {
    char c = safe.data[i];
    const char *put = c == '&'    ? "&amp;"
                      : c == '<'  ? "&lt;"
                      : c == '>'  ? "&gt;"
                      : c == '"'  ? "&quot;"
                      : c == '\'' ? "&#39;"
                                  : NULL;
    if (!put) continue;
    ck_buf_add(b, safe.data + from, i - from);
    ck_buf_text(b, put);
    from = i + 1;
  }
  ck_buf_add(b, safe.data + from, safe.len - from);
  ck_buf_free(&safe);
}

/* ---- addresses ---- */

bool render_is_address(struct ck_str url) {
  static const char *const schemes[] = {"http://", "https://", "mailto:"};
  bool known = false;
  for (size_t i = 0; i < sizeof schemes / sizeof *schemes; ++i) {
    size_t n = strlen(schemes[i]);
    known |= url.n > n && strncasecmp(url.s, schemes[i], n) == 0;
  }
  for (size_t i = 0; i < url.n; ++i) {
    unsigned char c = (unsigned char)url.s[i];
    if (c <= ' ' || c == 0x7f) return false;
  }
  return known && ck_utf8_ok(url);
}

/* Percent-encodes what an address cannot have; what was encoded stays. */
static void put_address(struct ck_buf *b, struct ck_str url) {
  for (size_t i = 0; i < url.n; ++i) {
    unsigned char c = (unsigned char)url.s[i];
    if (c == '&')
      ck_buf_text(b, "&amp;");
    else if (c >= 0x80 || strchr("\"'<>\\^`{|}", c))
      ck_buf_printf(b, "%%%02X", c);
    else
      ck_buf_add(b, url.s + i, 1);
  }
}

void render_html_anchor(struct ck_buf *b, struct ck_str url, struct ck_str title) {
  ck_buf_text(b, "<a rel=\"noopener noreferrer nofollow\" href=\"");
  put_address(b, url);
  if (title.n) {
    ck_buf_text(b, "\" title=\"");
    render_html_text(b, title);
  }
  ck_buf_text(b, "\">");
}

/* ---- character references ---- */

/* The number of "&#58;" or "&#x3a;"; 0: it is none. */
static unsigned long number_of(struct ck_str reference) {
  char text[16] = "";
  if (reference.n < 4 || reference.n > sizeof text || reference.s[1] != '#') return 0;
  memcpy(text, reference.s + 2, reference.n - 3);
  bool hex = text[0] == 'x' || text[0] == 'X';
  return strtoul(text + hex, NULL, hex ? 16 : 10);
}

static const struct {
  const char *name;
  char c;
} names[] = {{"&amp;", '&'},   {"&lt;", '<'},     {"&gt;", '>'},   {"&quot;", '"'},
             {"&apos;", '\''}, {"&colon;", ':'},  {"&Tab;", '\t'}, {"&NewLine;", '\n'},
             {"&sol;", '/'},   {"&lpar;", '('},   {"&rpar;", ')'}, {"&num;", '#'},
             {"&quest;", '?'}, {"&equals;", '='}, {"&AMP;", '&'},  {"&period;", '.'},
             {"&comma;", ','}, {"&lowbar;", '_'}, {"&plus;", '+'}, {"&percnt;", '%'},
             {"&semi;", ';'},  {"&commat;", '@'}};

void render_html_resolve(struct ck_buf *b, struct ck_str reference) {
  unsigned long code = number_of(reference);
  if (code && code <= 0x10FFFF && !(code >= 0xD800 && code <= 0xDFFF)) {
    ck_buf_utf8(b, (unsigned)code);
    return;
  }
  for (size_t i = 0; i < sizeof names / sizeof *names; ++i) {
    if (!ck_str_is(reference, names[i].name)) continue;
    ck_buf_add(b, &names[i].c, 1);
    return;
  }
  ck_buf_str(b, reference);
}
