/* HTML of what anybody may have written (proto/render/html*.c): a list of known attacks, each as a
 * message, a title and all else that comes from outside. What is looked at is not the text of the
 * answer, but what a browser would see in it: its tags, attributes and addresses. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <strings.h>
#include <time.h>
#include "proto/render/html_link.h"
#include "proto/render/inner.h"

/* ---- what a browser sees ---- */

static bool is_in(struct ck_str word, const char *words) {
  char *all = ck_sprintf(" %s ", words), *one = ck_sprintf(" %.*s ", (int)word.n, word.s);
  bool in = strstr(all, one) != NULL;
  free(all);
  free(one);
  return in;
}

static struct ck_str word_at(const char *p) {
  return (struct ck_str){p, strspn(p, "abcdefghijklmnopqrstuvwxyz0123456789-")};
}

static void expect_address(struct ck_str value, const char *of) {
  struct ck_buf b = {0};
  for (size_t i = 0; i < value.n; ++i) {
    const char *end = value.s[i] == '&' ? memchr(value.s + i, ';', value.n - i) : NULL;
    if (!end) {
      ck_buf_add(&b, value.s + i, 1);
      continue;
    }
    struct ck_str reference = {value.s + i, (size_t)(end - value.s) - i + 1};
    cr_expect(is_in(reference, "&amp; &lt; &gt; &quot; &#39;"), "%s: %.*s", of, (int)reference.n,
              reference.s);
    render_html_resolve(&b, reference);
    i += reference.n - 1;
  }
  const char *url = ck_buf_cstr(&b);
  bool ok = strncasecmp(url, "http://", 7) == 0 || strncasecmp(url, "https://", 8) == 0 ||
            strncasecmp(url, "mailto:", 7) == 0;
  for (size_t i = 0; i < b.len; ++i) ok &= (unsigned char)url[i] > ' ' && url[i] != 0x7f;
  cr_expect(ok, "%s leads to %s", of, url);
  ck_buf_free(&b);
}

#define TAGS \
  "a article blockquote body br code del details div em h1 h2 h3 h4 h5 h6 head header hr html li " \
  "main meta ol p pre small span strong style summary table tbody td th thead title tr ul"

/* One tag; returns what stands after it. */
static const char *expect_tag(const char *p, const char *of) {
  bool closing = *p == '/';
  struct ck_str name = word_at(p += closing);
  cr_assert(name.n && is_in(name, TAGS), "%s: a tag <%.20s", of, p);
  p += name.n;
  while (*p == ' ') {
    struct ck_str attribute = word_at(++p);
    cr_assert(!closing && is_in(attribute, "class dir href rel start tabindex title"),
              "%s: an attribute %.20s", of, p);
    p += attribute.n;
    cr_assert(p[0] == '=' && p[1] == '"', "%s: an attribute without quotes: %.20s", of, p);
    const char *end = strchr(p += 2, '"');
    cr_assert(end, "%s: an open attribute", of);
    cr_assert_not(memchr(p, '<', (size_t)(end - p)), "%s", of);
    if (is_in(attribute, "href")) expect_address((struct ck_str){p, (size_t)(end - p)}, of);
    p = end + 1;
  }
  cr_assert_eq(*p, '>', "%s: a tag that does not end: %.20s", of, p);
  return p + 1;
}

/* Only our tags with our attributes, and links that lead where they may. */
static void expect_harmless(const char *html, const char *of) {
  int open_anchors = 0;
  for (const char *p = html; *p;) {
    unsigned char c = (unsigned char)*p;
    cr_assert(c >= ' ' || c == '\n' || c == '\t', "%s: a control character %d", of, c);
    if (c == '<') {
      open_anchors += strncmp(p, "<a ", 3) == 0;
      open_anchors -= strncmp(p, "</a>", 4) == 0;
      cr_assert(open_anchors >= 0 && open_anchors <= 1, "%s: a link in a link", of);
      p = expect_tag(p + 1, of);
      continue;
    }
    cr_assert_neq(c, '>', "%s: a bare >", of);
    ++p;
  }
  cr_assert_eq(open_anchors, 0, "%s: an open link", of);
}

/* ---- attacks ---- */

static const char *const attacks[] = {
    /* scripts and events */
    "<script>alert(1)</script>", "<SCRIPT SRC=https://evil.example/x.js></SCRIPT>",
    "<scr<script>ipt>alert(1)</scr</script>ipt>", "<img src=x onerror=alert(1)>",
    "<IMG \"\"\"><SCRIPT>alert(1)</SCRIPT>\"\\>", "<svg/onload=alert(1)>",
    "<svg><script>alert&#40;1)</script>", "<body onload=alert(1)>",
    "<iframe src=\"javascript:alert(1)\"></iframe>", "<iframe srcdoc='<script>alert(1)</script>'>",
    "<object data=\"data:text/html;base64,PHNjcmlwdD4=\"></object>", "<embed src=\"//evil\">",
    "<link rel=stylesheet href=//evil.example/x.css>", "<style>@import '//evil.example';</style>",
    "<meta http-equiv=refresh content='0;url=javascript:alert(1)'>", "<base href=//evil.example/>",
    "<form action=//evil.example><input type=submit>", "<a href=javascript:alert(1)>x</a>",
    "<details open ontoggle=alert(1)>", "<math><mi//xlink:href=\"data:x,<script>alert(1)\">",
    "<video><source onerror=\"alert(1)\">", "<a\x0bhref=javascript:alert(1)>x", "<!--><img src=x>",
    "<!-- --!><img src=x onerror=alert(1)>-->", "<![CDATA[<script>alert(1)</script>]]>",
    "<?xml-stylesheet href=\"javascript:alert(1)\"?>", "</code></pre><script>alert(1)</script>",
    "</div></article></main></body><script>alert(1)</script>", "</title><script>alert(1)</script>",
    "</style><script>alert(1)</script>", "\"><script>alert(1)</script>", "' onmouseover='alert(1)",
    "\" onfocus=\"alert(1)\" autofocus=\"", "{{constructor}}",
    "<noscript><p title=\"</noscript><img src=x onerror=alert(1)>\">", "<x\nonclick=alert(1)>y",
    "<div style=\"background:url(https://evil.example)\">", "\x3cscript\x3e", "&lt;script&gt;",
    "&#60;script&#62;alert(1)", "<<script>alert(1)//<</script>", "<p><a href=\"x\" <b>",
    /* addresses */
    "[x](javascript:alert(1))", "[x](JaVaScRiPt:alert(1))", "[x](<javascript:alert(1)>)",
    "[x]( javascript:alert(1))", "[x](<java\tscript:alert(1)>)", "[x](\\javascript:alert(1))",
    "[x](&#106;avascript:alert(1))", "[x](&#x6A;avascript:alert(1))",
    "[x](&#x6A&#x61vascript:alert(1))", "[x](&#0000106avascript:alert(1))",
    "[x](javascript&colon;alert(1))", "[x](javascript&#58;alert(1))",
    "[x](java&Tab;script:alert(1))", "[x](java&NewLine;script:alert(1))",
    "[x](&#1;javascript:alert(1))", "[x](&#x20;javascript:alert(1))", "[x](https:&#10;//a.example)",
    "[x](\x01javascript:alert(1))", "[x](javascript%3Aalert(1))", "[x](vbscript:msgbox(1))",
    "[x](VBSCRIPT:x)", "[x](data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==)",
    "[x](data:,x)", "[x](file:///etc/passwd)", "[x](blob:https://a.example/1)",
    "[x](view-source:https://a.example)", "[x](//evil.example)", "[x](/relative)", "[x](#anchor)",
    "[x](?query)", "[x](\\\\evil\\share)", "[x](http:javascript:alert(1))",
    "[x](https:/evil.example)", "[x](https://a.example/&NewLine;x)",
    "[x](feed:javascript:alert(1))", "[x](intent://x#Intent;scheme=http;end)",
    "[x](jar:https://a.example!/b)", "[x](https://a.example\" onclick=\"alert(1))",
    "[x](https://a.example/'onclick='alert(1))", "[x](<https://a.example\"onclick=\"alert(1)>)",
    "[x](https://a.example/&quot;onclick=&quot;x)",
    "[x](https://a.example \"title\\\" onclick=\\\"alert(1)\")",
    "[x](https://a.example '\"><script>alert(1)</script>')",
    "[x](https://a.example \"&quot;&gt;&lt;script&gt;\")", "[x](https://a.example\n\"t\")",
    "<javascript:alert(1)>", "<JAVASCRIPT:alert(1)>", "<data:text/html,x>", "<x:y>",
    "<https://a.example/\"onclick=\"alert(1)>", "<a@b.example\"onclick=\"x>",
    "https://a.example/\"onmouseover=\"alert(1)", "www.a.example/<script>", "javascript:alert(1)",
    "http://a.example/?a=1&lt;script&gt;", "mailto:a@b.example?body=<script>", "a@b.example",
    "[x]\n\n[x]: javascript:alert(1)", "[x][y]\n\n[y]: <javascript:alert(1)> \"t\"",
    "[x][]\n\n[x]: data:text/html,x",
    "[x]: https://a.example '\"><img src=x onerror=alert(1)>'\n[x]",
    "[a](javascript:x \"b\" [c](https://a.example))", "[![x](javascript:alert(1))](javascript:y)",
    "[![x](https://a.example/i.png)](https://b.example)",
    "[a [b](https://a.example)](javascript:x)",
    "![a [b](https://a.example) c](https://b.example/x.png)", "[^1]\n\n[^1]: javascript:alert(1)",
    /* images */
    "![x](https://evil.example/pixel.gif)", "![x](javascript:alert(1))",
    "![x](data:image/svg+xml,x)", "![\"onerror=\"alert(1)](https://a.example/x.png)",
    "![x](x \"onerror=alert(1)\")", "![x][i]\n\n[i]: //evil.example/x.png",
    "![<img src=x onerror=alert(1)>](x)",
    /* blocks */
    "```\"><script>alert(1)</script>\nx\n```", "```html\n<script>alert(1)</script>\n```",
    "~~~ x\" onclick=\"alert(1)\n</code></pre><script>\n~~~", "    <script>alert(1)</script>",
    "```js\n", "`<script>`", "``</code><script>``", "# <script>alert(1)</script>",
    "| <script> | \" |\n|---|:-:|\n| [x](javascript:y) | ![x](//z) |",
    "> <script>alert(1)</script>", "- <img src=x onerror=alert(1)>", "- [x] <script>",
    "99999999999999. x", "1<script>. x", "x\n<script>alert(1)\n===", "$<script>alert(1)</script>$",
    "$$</code><script>$$", "~~<script>~~", "**<script>**", "<div>\n\n<script>\n\n</div>",
    "a  \n<script>", "\\<script>", "\\[x](javascript:y)", "\\(<script>\\)", "&", "&#", "&#x",
    "&#xFFFFFFFFFF;", "&#0;", "&#27;[31m", "&amp;lt;script&amp;gt;", "&bogus;", "&colon", "<", "<>",
    "< script>", "</", "<a", "]]>", "-->", "\x1b]0;title\x07", "\xEF\xBB\xBF<script>",
    "\xC0\xBCscript\xC0\xBE", "\xFF\xFE<script>", "\xE2\x80\xAE<script>",
    "+ADw-script+AD4-alert(1)+ADw-/script+AD4-", "\xEF\xBC\x9Cscript\xEF\xBC\x9E",
    "\xEE\x88\x80"
    "cite"
    "\xEE\x88\x82"
    "<script>"
    "\xEE\x88\x81",
    "【<script>】"};
#define ATTACKS (sizeof attacks / sizeof *attacks)

Test(render_html, no_markdown_does_anything) {
  for (size_t i = 0; i < ATTACKS; ++i) {
    struct ck_buf b = {0};
    render_html_markdown(&b, ck_str_of(attacks[i]));
    expect_harmless(ck_buf_cstr(&b), attacks[i]);
    ck_buf_free(&b);
  }
}

/* One after another, so that what one leaves open meets the next. */
Test(render_html, nor_any_two_of_them) {
  for (size_t i = 0; i < ATTACKS; ++i)
    for (size_t k = 0; k < ATTACKS; ++k) {
      struct ck_buf text = {0}, b = {0};
      ck_buf_printf(&text, "%s%s%s", attacks[i], (i + k) % 3 ? "\n" : "", attacks[k]);
      render_html_markdown(&b, ck_buf_view(&text));
      expect_harmless(ck_buf_cstr(&b), ck_buf_cstr(&text));
      ck_buf_free(&b);
      ck_buf_free(&text);
    }
}

/* A page in which everything that comes from outside is this text. */
static void put_page(struct ck_buf *out, const char *text, const char *role, const char *kind) {
  struct render_style style = {.has_tree = true};
  struct render *r = render_new(RENDER_HTML, out, &style);
  struct ck_str t = ck_str_of(text);
  struct render_conversation c = {.id = t,
                                  .platform = t,
                                  .title = t,
                                  .summary = t,
                                  .url = t,
                                  .project = t,
                                  .model = t,
                                  .created_at = 1,
                                  .newest_at = 2};
  struct ck_row row = {.table = CK_MESSAGES}, execution = {.table = CK_EXECUTIONS};
  json_t *s = json_string(text), *details;
  if (!s) s = json_string("not UTF-8");
  details = json_pack("{s:s, s:O, s:O, s:O, s:[O], s:[{s:O,s:O,s:O,s:O}], s:[{s:O,s:O}]}", "kind",
                      kind, "type", s, "model", s, "name", s, "thinking", s, "attachments", "name",
                      s, "type", s, "file", s, "text", s, "citations", "title", s, "url", s);
  char *json = json_dumps(details, 0);
  row.v[CK_MESSAGES_ID] = row.v[CK_MESSAGES_RAW_TEXT] = ck_text(t);
  row.v[CK_MESSAGES_ROLE] = ck_textz(*role ? role : text);
  row.v[CK_MESSAGES_DETAILS] = ck_textz(json);
  for (int column = 0; column < CK_EXECUTIONS_COLUMNS; ++column)
    if (!ck_kind_is_int(ck_tables[CK_EXECUTIONS].fields[column].kind))
      execution.v[column] = ck_text(t);
  struct render_message m;
  render_begin(r, &c);
  render_message_of(&m, &row, &execution, 1);
  m.placed = false;
  render_message(r, &m);
  render_branch(r, 2, 3, t);
  render_note(r, t);
  render_end(r);
  render_message_free(&m);
  render_free(&r);
  json_decref(details);
  json_decref(s);
  free(json);
}

/* The page's head is ours alone, but for the title. */
static void expect_head(struct ck_buf *page, const char *of) {
  const char *html = ck_buf_cstr(page), *style = strstr(html, "<style>"),
             *end = strstr(html, "</style>");
  cr_assert(style && end && style < strstr(html, "<header") && end < strstr(html, "<header"));
  cr_assert(strstr(html, "default-src 'none'"));
  size_t from = (size_t)(style - html) + 7, n = (size_t)(end - style) - 7;
  memset(page->data + from, 'x', n);
  for (char *meta = page->data; (meta = strstr(meta, "<meta ")) != NULL;)
    memset(meta, ' ', strcspn(meta, ">") + 1);
  char *doctype = strstr(page->data, "<!doctype html>");
  cr_assert_eq(doctype, page->data, "%s", of);
  memset(doctype, ' ', 15);
}

Test(render_html, nothing_of_a_page_does_anything) {
  static const char *const kinds[] = {"text",    "call",  "result", "thinking",
                                      "context", "error", "other"};
  static const char *const roles[] = {"user", "assistant", "tool", "system", ""};
  for (size_t i = 0; i < ATTACKS; ++i)
    for (size_t k = 0; k < 7; ++k) {
      struct ck_buf b = {0};
      put_page(&b, attacks[i], roles[(i + k) % 5], kinds[k]);
      expect_head(&b, attacks[i]);
      expect_harmless(ck_buf_cstr(&b), attacks[i]);
      ck_buf_free(&b);
    }
}

/* ---- what is right ---- */

static void expect(const char *text, const char *want) {
  struct ck_buf b = {0};
  render_html_markdown(&b, ck_str_of(text));
  cr_expect_str_eq(ck_buf_cstr(&b), want, "%s becomes\n%s\nnot\n%s", text, ck_buf_cstr(&b), want);
  ck_buf_free(&b);
}

#define A "<a rel=\"noopener noreferrer nofollow\" href=\""

Test(render_html, markdown_is_what_it_means) {
  expect("Hello *you* **there** ~~x~~ `a<b`\nnext",
         "<p>Hello <em>you</em> <strong>there</strong> <del>x</del> <code>a&lt;b</code><br>\nnext"
         "</p>\n");
  expect("# One", "<h3>One</h3>\n");
  expect("```c\nint x;\n```",
         "<pre tabindex=\"0\"><span class=\"language\">c</span><code>int x;\n</code></pre>\n");
  expect("[a](https://a.example/?x=1&y=2 \"t\")",
         "<p>" A "https://a.example/?x=1&amp;y=2\" title=\"t\">a</a></p>\n");
  expect("https://a.example/x", "<p>" A "https://a.example/x\">https://a.example/x</a></p>\n");
  expect("![cat](https://a.example/c.png)",
         "<p>" A "https://a.example/c.png\">[image] cat</a></p>\n");
  expect("[a](javascript:x)", "<p>a <code>javascript:x</code></p>\n");
  expect("<b>x</b>", "<p>&lt;b&gt;x&lt;/b&gt;</p>\n");
  expect("\\(a_1\\) and \\[b\\] and \\*", "<p>\\(a_1\\) and \\[b\\] and *</p>\n");
  expect("- [x] done\n- [ ] not", "<ul><li class=\"task\">☑ done</li>\n"
                                  "<li class=\"task\">☐ not</li>\n</ul>\n");
  expect("3. c", "<ol start=\"3\">\n<li>c</li>\n</ol>\n");
  expect("|a|b|\n|---|--:|\n|1|2|",
         "<table tabindex=\"0\"><thead><tr><th>a</th><th class=\"right\">b</th></tr>\n</thead>\n"
         "<tbody><tr><td>1</td><td class=\"right\">2</td></tr>\n</tbody>\n</table>\n");
}

/* ---- texts that would become very much ---- */

static void expect_bounded(const char *unit, size_t times) {
  struct ck_buf text = {0}, b = {0};
  clock_t begun = clock();
  for (size_t i = 0; i < times; ++i) ck_buf_text(&text, unit);
  render_html_markdown(&b, ck_buf_view(&text));
  double seconds = (double)(clock() - begun) / CLOCKS_PER_SEC;
  cr_expect_leq(b.len, text.len * 70 + 70000, "%s: %zu of %zu", unit, b.len, text.len);
  cr_expect_lt(seconds, 5.0, "%s: %.1f s for %zu bytes", unit, seconds, text.len);
  ck_buf_free(&text);
  ck_buf_free(&b);
}

Test(render_html, no_text_becomes_very_much) {
  static const char *const units[] = {"> ",   "[",     "![",     "*a ",       "_a__b",  "`",
                                      "``a",  "- ",    "1. ",    "[a](",      "[a](<b", "<",
                                      "<a",   "&",     "$",      "~~a",       "|",      "\\",
                                      "*a_ ", "a**b",  "[^",     "]",         "<!--",   "<![CDATA[",
                                      "<?",   "**x* ", "[a](b)", "https://a", "a@",     "![[]()"};
  for (size_t i = 0; i < sizeof units / sizeof *units; ++i) expect_bounded(units[i], 50000);
  struct ck_buf table = {0}, references = {0};
  for (int i = 0; i < 2000; ++i) ck_buf_text(&table, "a|");
  ck_buf_text(&table, "\n");
  for (int i = 0; i < 2000; ++i) ck_buf_text(&table, "-|");
  ck_buf_text(&table, "\n");
  for (int i = 0; i < 20000; ++i) ck_buf_text(&table, "x\n");
  expect_bounded(ck_buf_cstr(&table), 1);
  ck_buf_text(&references, "[a]: https://a.example/");
  for (int i = 0; i < 20000; ++i) ck_buf_text(&references, "x");
  ck_buf_text(&references, "\n\n");
  for (int i = 0; i < 20000; ++i) ck_buf_text(&references, "[a]");
  expect_bounded(ck_buf_cstr(&references), 1);
  ck_buf_free(&table);
  ck_buf_free(&references);
}
