/* The routes for people, and what all pages have. */
#include "webd/page/page.h"

#include <stdio.h>

#include "proto/clock.h"

const struct web_route web_page_routes[] = {
    {WEB_GET, "/", CK_SCOPE_READ, WEB_PAGE, 0, page_timeline},
    {WEB_GET, "/open/{link}", 0, WEB_OPEN | WEB_PAGE, 0, page_open},
    {WEB_POST, "/leave", CK_SCOPE_READ, WEB_PAGE, 4096, page_leave},
    {WEB_GET, "/static/{name}", 0, WEB_OPEN, 0, page_static},
    {0}};

void page_text(struct ck_buf *b, struct ck_str text) {
  for (size_t i = 0; i < text.n; ++i) {
    char c = text.s[i];
    if (c == '&') ck_buf_text(b, "&amp;");
    if (c == '<') ck_buf_text(b, "&lt;");
    if (c == '>') ck_buf_text(b, "&gt;");
    if (c == '"') ck_buf_text(b, "&quot;");
    if (c == '\'') ck_buf_text(b, "&#39;");
    bool control = (unsigned char)c < 32 && c != '\n' && c != '\t';
    if (!strchr("&<>\"'", c) && !control && c != 127) ck_buf_add(b, &c, 1);
  }
}

void page_begin(struct ck_buf *b, const char *title) {
  ck_buf_text(b, "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                 "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
                 "<link rel=\"stylesheet\" href=\"/static/style.css\">\n<title>");
  page_text(b, ck_str_of(title));
  ck_buf_text(b, "</title>\n</head>\n<body>\n<main>\n");
}

void page_end(struct ck_buf *b) { ck_buf_text(b, "</main>\n</body>\n</html>\n"); }

void page_form_field(struct ck_buf *b, const struct web_request *r) {
  char secret[CK_SHA256_HEX + 1];
  web_form_secret(secret, web_cookie(r));
  ck_buf_printf(b, "<input type=\"hidden\" name=\"" WEB_FORM_FIELD "\" value=\"%s\">", secret);
}

void web_page_refusal(struct ck_buf *b, unsigned status, const char *word, const char *reason) {
  (void)status;
  page_begin(b, "convkeep");
  ck_buf_text(b, "<h1>convkeep</h1>\n<p>");
  page_text(b, ck_str_of(reason));
  ck_buf_text(b, "</p>\n<p class=\"word\">");
  page_text(b, ck_str_of(word));
  ck_buf_text(b, "</p>\n");
  page_end(b);
}

/* ---- signing in and out ---- */

static void set_cookie(struct web_request *r, const char *secret, int64_t seconds) {
  char name[WEB_COOKIE_NAME], line[300];
  web_session_cookie(r, name);
  snprintf(line, sizeof line, "%s=%s; Path=/; HttpOnly; SameSite=Strict; Max-Age=%lld%s", name,
           secret, (long long)seconds, strncmp(name, "__Host-", 7) == 0 ? "; Secure" : "");
  web_answer_header(r, "Set-Cookie", line);
}

#define SESSION_SECONDS (30 * 86400)

void page_open(void *self, struct web_request *r) {
  struct webd *w = self;
  char secret[CK_SECRET_TEXT];
  struct ck_err err;
  bool fits;
  if (web_access_sign_in(w->access, web_part(r, 0), ck_now_ms(), &fits, secret, &err)) {
    web_refuse(r, WEB_REFUSED_FAILED, "%s", err.text);
  } else if (!fits) {
    web_refuse(r, WEB_REFUSED_CODE,
               "this link was used, or is too old: convkeep open gives another");
  } else {
    set_cookie(r, secret, SESSION_SECONDS);
    web_redirect(r, "/");
  }
  explicit_bzero(secret, sizeof secret);
}

void page_leave(void *self, struct web_request *r) {
  struct webd *w = self;
  struct ck_err err;
  if (web_access_sign_out(w->access, web_whose(r), ck_now_ms(), &err)) {
    web_refuse(r, WEB_REFUSED_FAILED, "%s", err.text);
    return;
  }
  set_cookie(r, "", 0);
  web_redirect(r, "/");
}

/* ---- embedded files ---- */

void page_static(void *self, struct web_request *r) {
  (void)self;
  for (const struct page_file *f = page_files; f->name; ++f) {
    if (!ck_str_is(web_part(r, 0), f->name)) continue;
    web_answer_header(r, "Cache-Control", "no-cache");
    web_answer_static(r, f->type, (struct ck_str){(const char *)f->bytes, f->n});
    return;
  }
  web_refuse(r, WEB_REFUSED_PATH, "there is nothing here");
}
