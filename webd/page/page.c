/* The routes for people, and what all pages have. */
#include "webd/page/page.h"

#include <stdio.h>

#include "proto/clock.h"

#define FORM_BYTES 65536

const struct web_route web_page_routes[] = {
    {WEB_GET, "/", CK_SCOPE_READ, WEB_PAGE, 0, page_timeline, NULL},
    {WEB_GET, "/c/{id}", CK_SCOPE_READ, WEB_PAGE, 0, page_conversation, NULL},
    {WEB_GET, "/message/{id}", CK_SCOPE_READ, WEB_PAGE, 0, page_message, NULL},
    {WEB_GET, "/s", CK_SCOPE_READ, WEB_PAGE, 0, page_search, NULL},
    {WEB_GET, "/j", CK_SCOPE_READ, WEB_PAGE, 0, page_jobs, NULL},
    {WEB_GET, "/j/plan", CK_SCOPE_READ, WEB_PAGE, 0, page_jobs_plan, NULL},
    {WEB_GET, "/j/all", CK_SCOPE_READ, WEB_PAGE, 0, page_jobs_many, NULL},
    {WEB_POST, "/j/all", CK_SCOPE_ADMIN, WEB_PAGE, FORM_BYTES, page_change_jobs, NULL},
    {WEB_POST, "/j/{job}", CK_SCOPE_ADMIN, WEB_PAGE, FORM_BYTES, page_change_job, NULL},
    {WEB_POST, "/c/{id}", CK_SCOPE_ADMIN, WEB_PAGE, FORM_BYTES, page_change_conversation, NULL},
    {WEB_POST, "/c/{id}/renew", CK_SCOPE_ADMIN, WEB_PAGE, FORM_BYTES, page_renew, NULL},
    {WEB_POST, "/pause", CK_SCOPE_ADMIN, WEB_PAGE, FORM_BYTES, page_pause, NULL},
    {WEB_POST, "/resume", CK_SCOPE_ADMIN, WEB_PAGE, FORM_BYTES, page_resume, NULL},
    {WEB_GET, "/i", CK_SCOPE_READ, WEB_PAGE, 0, page_import, NULL},
    {WEB_POST, "/i", CK_SCOPE_CAPTURE, WEB_PAGE | WEB_UPLOAD, PAGE_UPLOAD_BYTES, page_upload, NULL},
    {WEB_GET, "/i/{id}", CK_SCOPE_READ, WEB_PAGE, 0, page_imported, NULL},
    {WEB_GET, "/m", CK_SCOPE_READ, WEB_PAGE, 0, page_mirrors, NULL},
    {WEB_POST, "/m/retry", CK_SCOPE_ADMIN, WEB_PAGE, 65536, page_retry, NULL},
    {WEB_GET, "/h", CK_SCOPE_READ, WEB_PAGE, 0, page_health, NULL},
    {WEB_POST, "/h/doctor", CK_SCOPE_ADMIN, WEB_PAGE, 4096, page_examine, NULL},
    {WEB_GET, "/a/{hash}", CK_SCOPE_READ, WEB_PAGE | WEB_BYTES, 0, page_attachment, NULL},
    {WEB_GET, "/o/{id}", CK_SCOPE_READ, WEB_PAGE | WEB_BYTES, 0, page_original, NULL},
    {WEB_GET, "/open/{link}", 0, WEB_OPEN | WEB_PAGE | WEB_NO_HEAD, 0, page_open, NULL},
    {WEB_POST, "/leave", CK_SCOPE_READ, WEB_PAGE, 4096, page_leave, NULL},
    {WEB_GET, "/static/{name}", 0, WEB_OPEN, 0, page_static, NULL},
    {0}};

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
    const char *version = web_arg(r, "v");
    bool same = version && strcmp(version, f->version) == 0;
    web_answer_header(r, "Cache-Control", same ? "max-age=31536000, immutable" : "no-cache");
    web_answer_static(r, f->type, (struct ck_str){(const char *)f->bytes, f->n});
    return;
  }
  web_refuse(r, WEB_REFUSED_PATH, "there is nothing here");
}
