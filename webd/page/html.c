/* Writing HTML, and the frame of every page; see page.h. */
#include "webd/page/state.h"

#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>

#include "proto/render/render.h"

void page_text(struct ck_buf *b, struct ck_str text) { render_html_text(b, text); }

/* The values that a template's placeholders stand for. */
struct values {
  va_list list;
};

/* One placeholder, whose sign has been read. Returns what follows it. */
static const char *put_value(struct ck_buf *b, const char *at, struct values *v) {
  if (*at == '%') {
    ck_buf_text(b, "%");
    return at + 1;
  }
  if (*at == 's') {
    page_text(b, ck_str_of(va_arg(v->list, const char *)));
    return at + 1;
  }
  if (strncmp(at, ".*s", 3) == 0) {
    int n = va_arg(v->list, int);
    const char *s = va_arg(v->list, const char *);
    page_text(b, (struct ck_str){s, (size_t)n});
    return at + 3;
  }
  if (strncmp(at, "lld", 3) == 0) {
    ck_buf_printf(b, "%lld", va_arg(v->list, long long));
    return at + 3;
  }
  assert(strncmp(at, "zu", 2) == 0);
  ck_buf_printf(b, "%zu", va_arg(v->list, size_t));
  return at + 2;
}

void page_put(struct ck_buf *b, const char *template, ...) {
  struct values v;
  va_start(v.list, template);
  while (*template) {
    size_t n = strcspn(template, "%");
    ck_buf_add(b, template, n);
    template += n;
    if (*template) template = put_value(b, template + 1, &v);
  }
  va_end(v.list);
}

void page_encode(struct ck_buf *b, struct ck_str text) {
  for (size_t i = 0; i < text.n; ++i) {
    unsigned char c = (unsigned char)text.s[i];
    bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                 (c && strchr("-._~", c));
    if (plain)
      ck_buf_add(b, text.s + i, 1);
    else
      ck_buf_printf(b, "%%%02X", c);
  }
}

/* ---- addresses of this server's ---- */

void page_part(struct ck_buf *b, struct ck_str part) {
  size_t n = 0;
  while (n < part.n && part.s[n] == '~') ++n;
  struct ck_str rest = {part.s + n, part.n - n};
  if (ck_str_is(rest, ".") || ck_str_is(rest, "..")) ck_buf_text(b, "~");
  page_encode(b, part);
}

void page_conversation_path(struct ck_buf *b, struct ck_str id) {
  ck_buf_text(b, "/c/");
  page_part(b, id);
}

void page_message_path(struct ck_buf *b, struct ck_str conversation, struct ck_str message) {
  if (!conversation.n) {
    ck_buf_text(b, "/message/");
    page_part(b, message);
    return;
  }
  page_conversation_path(b, conversation);
  if (!message.n) return;
  ck_buf_text(b, "?m=");
  page_encode(b, message);
  ck_buf_text(b, "#m-");
  page_encode(b, message);
}

void page_query(struct ck_buf *b, const char *path, const struct page_arg *args, const char *name,
                const char *value) {
  const char *before = "?";
  ck_buf_text(b, path);
  for (const struct page_arg *arg = args; arg->name; ++arg) {
    const char *says = strcmp(arg->name, name) == 0 ? value : arg->value;
    if (!says || !*says) continue;
    ck_buf_text(b, before);
    page_encode(b, ck_str_of(arg->name));
    ck_buf_text(b, "=");
    page_encode(b, ck_str_of(says));
    before = "&amp;";
  }
}

/* ---- the frame ---- */

static const struct {
  enum page_here here;
  const char *path, *name;
} views[] = {{PAGE_TIMELINE, "/", "Conversations"}, {PAGE_SEARCH, "/s", "Search"},
             {PAGE_JOBS, "/j", "Follow-ups"},       {PAGE_IMPORT, "/i", "Import"},
             {PAGE_MIRRORS, "/m", "Mirrors"},       {PAGE_HEALTH, "/h", "Health"}};

static void put_navigation(struct ck_buf *b, const struct page_frame *f) {
  ck_buf_text(b, "<header class=\"bar\">\n<a class=\"home\" href=\"/\">convkeep</a>\n"
                 "<nav aria-label=\"Views\">\n");
  for (size_t i = 0; i < sizeof views / sizeof *views; ++i) {
    const char *current = views[i].here == f->here ? " aria-current=\"page\"" : "";
    ck_buf_printf(b, "<a href=\"%s\"%s>%s</a>\n", views[i].path, current, views[i].name);
  }
  ck_buf_text(b, "</nav>\n");
  if (f->request) page_switch(b, f->request);
  ck_buf_text(b, "<form class=\"find\" action=\"/s\" role=\"search\">"
                 "<label class=\"unseen\" for=\"q\">Words to search for</label>");
  for (const struct page_arg *arg = f->kept; arg && arg->name; ++arg)
    if (strcmp(arg->name, "q") != 0 && *arg->value)
      page_put(b, "<input type=\"hidden\" name=\"%s\" value=\"%s\">", arg->name, arg->value);
  page_put(b,
           "<input id=\"q\" name=\"q\" type=\"search\" value=\"%s\" maxlength=\"1000\" "
           "placeholder=\"Search\" autocomplete=\"off\" spellcheck=\"false\">"
           "<button>Search</button></form>\n</header>\n",
           f->query ? f->query : "");
}

/* A browser keeps the file until another program of convkeep names another version. */
static void put_static(struct ck_buf *b, const char *before, const char *name) {
  const struct page_file *f = page_files;
  while (strcmp(f->name, name) != 0) ++f;
  ck_buf_printf(b, "%s\"/static/%s?v=%s\"", before, name, f->version);
}

void page_begin(struct ck_buf *b, const struct page_frame *f) {
  ck_buf_text(b, "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                 "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
                 "<meta name=\"color-scheme\" content=\"light dark\">\n");
  put_static(b, "<link rel=\"stylesheet\" href=", "style.css");
  put_static(b, ">\n<script type=\"module\" src=", "page.js");
  put_static(b, "></script>\n<link rel=\"icon\" href=", "icon.svg");
  ck_buf_text(b, ">\n");
  page_put(b, "<title>%s</title>\n</head>\n<body>\n", f->title);
  ck_buf_text(b, "<a class=\"skip\" href=\"#main\">Skip to the content</a>\n");
  if (f->request || f->links) put_navigation(b, f);
  ck_buf_text(b, "<main id=\"main\" tabindex=\"-1\">\n");
}

void page_form_field(struct ck_buf *b, const struct web_request *r) {
  char secret[CK_SHA256_HEX + 1];
  web_form_secret(secret, web_cookie(r));
  page_put(b, "<input type=\"hidden\" name=\"" WEB_FORM_FIELD "\" value=\"%s\">", secret);
}

void page_end(struct ck_buf *b, const struct page_frame *f) {
  ck_buf_text(b, "</main>\n");
  if (f->request) {
    ck_buf_text(b, "<footer class=\"end\"><p class=\"letters\" hidden><span>Keys: <kbd>j</kbd> "
                   "<kbd>k</kbd> up and down, <kbd>o</kbd> open, <kbd>/</kbd> search, </span>"
                   "<button type=\"button\" class=\"quiet\">All keys</button></p>"
                   "<form method=\"post\" action=\"/leave\">");
    page_form_field(b, f->request);
    ck_buf_text(b, "<button class=\"quiet\">Sign out</button></form></footer>\n");
  }
  ck_buf_text(b, "</body>\n</html>\n");
}

/* ---- refusals ---- */

static const char *refusal_title(unsigned status) {
  switch (status) {
  case 401:
    return "Not signed in";
  case 404:
    return "Not here";
  case 429:
  case 503:
    return "Not now";
  case 500:
    return "Something does not work";
  default:
    return "This was not done";
  }
}

void web_page_refusal(struct ck_buf *b, const struct web_request *r, unsigned status,
                      const char *word, const char *reason) {
  const char *title = refusal_title(status);
  const struct page_frame frame = {.title = title, .links = web_cookie(r).n > 0};
  page_begin(b, &frame);
  page_put(b, "<div class=\"refusal\">\n<h1>%s</h1>\n<p dir=\"auto\">%s</p>\n", title, reason);
  page_put(b, "<p class=\"word\">%lld %s</p>\n", (long long)status, word);
  ck_buf_text(b, "<p><a href=\"/\">All conversations</a></p>\n</div>\n");
  page_end(b, &frame);
}
