/* Markdown as HTML that can do nothing: md4c parses, and what it finds is written here. Raw HTML is
 * text, an image is a link, and a link leads only where render_is_address() lets it.
 *
 * A text may be made to become very much, or very deep. Then it is shown as it was written. */
#include <md4c.h>
#include <stdlib.h>

#include "proto/render/html_link.h"
#include "proto/render/inner.h"

#define DEPTH_MOST 64      /* of blocks in each other, and of spans */
#define GROWTH_MOST 64     /* bytes for each of the text … */
#define GROWTH_LEAST 65536 /* … and so many in any case */

struct page {
  struct ck_buf *out;
  struct ck_str text;
  size_t begin; /* of what is written, in out */
  unsigned depth;
  /* The parser may leave a span open in the cell of a table, or close it in the next. */
  struct {
    MD_SPANTYPE type;
    bool anchor;
    char *shown;  /* of a link that is none: its address, which is shown after it; NULL: none */
    size_t begin; /* of what is in it, in out */
  } spans[DEPTH_MOST]; /* that are open */
  unsigned count;
  unsigned within; /* open anchors */
};

static bool is_too_much(const struct page *p) {
  return p->depth > DEPTH_MOST || p->out->len - p->begin > p->text.n * GROWTH_MOST + GROWTH_LEAST;
}

/* ---- attributes ---- */

/* The value as a browser would have it. */
static void resolve(struct ck_buf *b, const MD_ATTRIBUTE *a) {
  for (size_t i = 0; a->size && a->substr_offsets[i] < a->size; ++i) {
    MD_OFFSET from = a->substr_offsets[i], to = a->substr_offsets[i + 1];
    struct ck_str part = {a->text + from, to - from};
    if (a->substr_types[i] == MD_TEXT_NULLCHAR)
      ck_buf_text(b, "\xEF\xBF\xBD");
    else if (a->substr_types[i] == MD_TEXT_ENTITY)
      render_html_resolve(b, part);
    else
      ck_buf_str(b, part);
  }
}

static void open_link(struct page *p, const MD_ATTRIBUTE *href, const MD_ATTRIBUTE *title,
                      bool image) {
  struct ck_buf url = {0}, words = {0};
  resolve(&url, href);
  resolve(&words, title);
  bool anchor = !p->within && render_is_address(ck_buf_view(&url));
  p->spans[p->count - 1].anchor = anchor;
  p->within += anchor;
  if (anchor) {
    render_html_anchor(p->out, ck_buf_view(&url), ck_buf_view(&words));
  } else if (url.len) {
    struct ck_buf shown = {0};
    render_html_text(&shown, ck_buf_view(&url));
    p->spans[p->count - 1].shown = ck_str_dup(ck_buf_view(&shown));
    ck_buf_free(&shown);
  }
  if (image) ck_buf_text(p->out, "[image] ");
  p->spans[p->count - 1].begin = p->out->len;
  ck_buf_free(&url);
  ck_buf_free(&words);
}

static void open_code(struct page *p, const MD_BLOCK_CODE_DETAIL *d) {
  struct ck_buf language = {0};
  resolve(&language, &d->lang);
  ck_buf_text(p->out, "<pre" RENDER_MOVED ">");
  if (language.len) {
    ck_buf_text(p->out, "<span class=\"language\">");
    render_html_text(p->out, ck_buf_view(&language));
    ck_buf_text(p->out, "</span>");
  }
  ck_buf_text(p->out, "<code>");
  ck_buf_free(&language);
}

static void open_item(struct page *p, const MD_BLOCK_LI_DETAIL *d) {
  if (d->is_task)
    ck_buf_printf(p->out, "<li class=\"task\">%s ", d->task_mark == ' ' ? "☐" : "☑");
  else
    ck_buf_text(p->out, "<li>");
}

static void open_cell(struct page *p, const char *name, const MD_BLOCK_TD_DETAIL *d) {
  ck_buf_printf(p->out, "<%s%s>", name,
                d->align == MD_ALIGN_CENTER  ? " class=\"center\""
                : d->align == MD_ALIGN_RIGHT ? " class=\"right\""
                                             : "");
}

/* ---- spans ---- */

static const char *span_name(MD_SPANTYPE type) {
  return type == MD_SPAN_EM       ? "em"
         : type == MD_SPAN_STRONG ? "strong"
         : type == MD_SPAN_DEL    ? "del"
                                  : "code";
}

static int enter_span(MD_SPANTYPE type, void *detail, void *self) {
  struct page *p = self;
  if (p->count == DEPTH_MOST) return 1;
  p->spans[p->count].anchor = false;
  p->spans[p->count].shown = NULL;
  p->spans[p->count++].type = type;
  if (type == MD_SPAN_A) {
    const MD_SPAN_A_DETAIL *d = detail;
    open_link(p, &d->href, &d->title, false);
  } else if (type == MD_SPAN_IMG) {
    const MD_SPAN_IMG_DETAIL *d = detail;
    open_link(p, &d->src, &d->title, true);
  } else if (type == MD_SPAN_LATEXMATH || type == MD_SPAN_LATEXMATH_DISPLAY) {
    ck_buf_text(p->out, type == MD_SPAN_LATEXMATH ? "$" : "$$");
  } else {
    ck_buf_printf(p->out, "<%s>", span_name(type));
  }
  return is_too_much(p);
}

/* An address that is the text of its link is not shown twice. */
static void put_shown(struct page *p, char *shown, size_t begin) {
  struct ck_str text = {p->out->data + begin, p->out->len - begin};
  if (!ck_str_is(text, shown)) ck_buf_printf(p->out, " <code>%s</code>", shown);
  free(shown);
}

static void close_last(struct page *p) {
  MD_SPANTYPE type = p->spans[--p->count].type;
  bool anchor = p->spans[p->count].anchor;
  p->within -= anchor;
  if (p->spans[p->count].shown) put_shown(p, p->spans[p->count].shown, p->spans[p->count].begin);
  if (anchor)
    ck_buf_text(p->out, "</a>");
  else if (type == MD_SPAN_LATEXMATH || type == MD_SPAN_LATEXMATH_DISPLAY)
    ck_buf_text(p->out, type == MD_SPAN_LATEXMATH ? "$" : "$$");
  else if (type != MD_SPAN_A && type != MD_SPAN_IMG)
    ck_buf_printf(p->out, "</%s>", span_name(type));
}

static int leave_span(MD_SPANTYPE type, void *detail, void *self) {
  struct page *p = self;
  (void)detail;
  unsigned i = p->count;
  while (i > 0 && p->spans[i - 1].type != type) --i;
  while (i > 0 && p->count >= i) close_last(p);
  return is_too_much(p);
}

/* ---- blocks ---- */

/* Headings of a text are below that of its message. */
static unsigned level_of(const void *detail) {
  unsigned level = ((const MD_BLOCK_H_DETAIL *)detail)->level + 2;
  return level > 6 ? 6 : level;
}

static const char *const blocks[] = {[MD_BLOCK_QUOTE] = "blockquote",
                                     [MD_BLOCK_UL] = "ul",
                                     [MD_BLOCK_P] = "p",
                                     [MD_BLOCK_TABLE] = "table",
                                     [MD_BLOCK_THEAD] = "thead",
                                     [MD_BLOCK_TBODY] = "tbody",
                                     [MD_BLOCK_TR] = "tr"};

static int enter_block(MD_BLOCKTYPE type, void *detail, void *self) {
  struct page *p = self;
  switch (type) {
  case MD_BLOCK_DOC:
  case MD_BLOCK_HTML:
    break;
  case MD_BLOCK_HR:
    ck_buf_text(p->out, "<hr>\n");
    break;
  case MD_BLOCK_OL:
    ck_buf_printf(p->out, "<ol start=\"%u\">\n", ((const MD_BLOCK_OL_DETAIL *)detail)->start);
    break;
  case MD_BLOCK_LI:
    open_item(p, detail);
    break;
  case MD_BLOCK_H:
    ck_buf_printf(p->out, "<h%u>", level_of(detail));
    break;
  case MD_BLOCK_CODE:
    open_code(p, detail);
    break;
  case MD_BLOCK_TABLE:
    ck_buf_text(p->out, "<table" RENDER_MOVED ">");
    break;
  case MD_BLOCK_TH:
  case MD_BLOCK_TD:
    open_cell(p, type == MD_BLOCK_TH ? "th" : "td", detail);
    break;
  default:
    ck_buf_printf(p->out, "<%s>", blocks[type]);
  }
  ++p->depth;
  return is_too_much(p);
}

static int leave_block(MD_BLOCKTYPE type, void *detail, void *self) {
  struct page *p = self;
  --p->depth;
  while (p->count) close_last(p);
  switch (type) {
  case MD_BLOCK_DOC:
  case MD_BLOCK_HTML:
  case MD_BLOCK_HR:
    break;
  case MD_BLOCK_OL:
    ck_buf_text(p->out, "</ol>\n");
    break;
  case MD_BLOCK_LI:
    ck_buf_text(p->out, "</li>\n");
    break;
  case MD_BLOCK_H:
    ck_buf_printf(p->out, "</h%u>\n", level_of(detail));
    break;
  case MD_BLOCK_CODE:
    ck_buf_text(p->out, "</code></pre>\n");
    break;
  case MD_BLOCK_TH:
    ck_buf_text(p->out, "</th>");
    break;
  case MD_BLOCK_TD:
    ck_buf_text(p->out, "</td>");
    break;
  default:
    ck_buf_printf(p->out, "</%s>\n", blocks[type]);
  }
  return is_too_much(p);
}

/* ---- text ---- */

/* Formulas are written \(…\) and \[…\]: Markdown would take these backslashes away. */
static bool is_formula(const struct page *p, const MD_CHAR *text, MD_SIZE n) {
  return n && text > p->text.s && text < p->text.s + p->text.n && text[-1] == '\\' &&
         strchr("()[]", *text) && *text;
}

static int words(MD_TEXTTYPE type, const MD_CHAR *text, MD_SIZE n, void *self) {
  struct page *p = self;
  switch (type) {
  case MD_TEXT_NULLCHAR:
    ck_buf_text(p->out, "\xEF\xBF\xBD");
    break;
  case MD_TEXT_BR:
  case MD_TEXT_SOFTBR:
    ck_buf_text(p->out, "<br>\n");
    break;
  case MD_TEXT_ENTITY:
    ck_buf_add(p->out, text, n); /* "&name;", or a number: the browser's to read */
    break;
  default:
    if (type == MD_TEXT_NORMAL && is_formula(p, text, n)) ck_buf_text(p->out, "\\");
    render_html_text(p->out, (struct ck_str){text, n});
  }
  return is_too_much(p);
}

void render_html_plain(struct ck_buf *b, struct ck_str text) {
  ck_buf_text(b, "<div class=\"plain\">");
  render_html_text(b, text);
  ck_buf_text(b, "</div>\n");
}

void render_html_markdown(struct ck_buf *b, struct ck_str text) {
  const MD_PARSER parser = {.flags = MD_DIALECT_GITHUB | MD_FLAG_NOHTML | MD_FLAG_LATEXMATHSPANS,
                            .enter_block = enter_block,
                            .leave_block = leave_block,
                            .enter_span = enter_span,
                            .leave_span = leave_span,
                            .text = words};
  struct page p = {.out = b, .text = text, .begin = b->len};
  if (md_parse(text.s ? text.s : "", (MD_SIZE)text.n, &parser, &p) == 0) return;
  while (p.count) close_last(&p);
  b->len = p.begin;
  render_html_plain(b, text);
}
