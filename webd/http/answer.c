/* Answers, and refusals. */
#include "webd/http/internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

const char *const web_refusal_words[WEB_REFUSALS] = {
#define WEB_R(NAME, word, status, what) word,
    WEB_REFUSAL_LIST(WEB_R)
#undef WEB_R
};
static const unsigned statuses[WEB_REFUSALS] = {
#define WEB_R(NAME, word, status, what) status,
    WEB_REFUSAL_LIST(WEB_R)
#undef WEB_R
};

/* A browser tells nobody else where it was. With "no-referrer" it would call the Origin of this
 * server's own forms "null". */
#define REFERRER "same-origin"

/* What a page may load, and where it may send: only here. */
#define POLICY \
  "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; " \
  "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

void web_count_refusal(struct web_http *h, enum web_refusal why) { ++h->counts.refused[why]; }

void web_answer_header(struct web_request *r, const char *name, const char *value) {
  struct header *one = ck_alloc(sizeof *one);
  *one = (struct header){r->headers, ck_strdup(name), ck_strdup(value)};
  r->headers = one;
}

static void add_headers(struct web_request *r, struct MHD_Response *response, const char *type) {
  static const char *const always[][2] = {{"Cache-Control", "no-store"},
                                          {"X-Content-Type-Options", "nosniff"},
                                          {"X-Frame-Options", "DENY"},
                                          {"Referrer-Policy", REFERRER},
                                          {"Cross-Origin-Resource-Policy", "same-origin"}};
  bool cached = false;
  for (const struct header *one = r->headers; one; one = one->next) {
    /* HEAD changes nothing, in a browser either. */
    if (r->head_only && strcmp(one->name, "Set-Cookie") == 0) continue;
    MHD_add_response_header(response, one->name, one->value);
    cached |= strcmp(one->name, always[0][0]) == 0;
  }
  for (size_t i = cached; i < sizeof always / sizeof *always; ++i)
    MHD_add_response_header(response, always[i][0], always[i][1]);
  if (type) MHD_add_response_header(response, "Content-Type", type);
  if (type && strncmp(type, "text/html", 9) == 0)
    MHD_add_response_header(response, "Content-Security-Policy", POLICY);
  if (r->extension || r->pairing) {
    MHD_add_response_header(response, "Access-Control-Allow-Origin", web_header(r, "Origin"));
    MHD_add_response_header(response, "Vary", "Origin");
  }
}

/* The answer goes out at once if its handler is being called, else after the resumption. */
void web_reply(struct web_request *r, unsigned status, const char *type,
               struct MHD_Response *response) {
  if (!response) ck_no_memory();
  add_headers(r, response, type);
  r->reply = (struct web_reply){response, status};
  if (!r->suspended) return;
  r->suspended = false;
  r->http->again = true;
  MHD_resume_connection(r->mhd);
}

enum MHD_Result web_queue(struct web_request *r) {
  struct MHD_Response *response = r->reply.response;
  unsigned class = r->reply.status / 100;
  enum MHD_Result rc = MHD_queue_response(r->mhd, r->reply.status, response);
  MHD_destroy_response(response);
  r->reply.response = NULL;
  ++r->http->counts.answers[class < 6 ? class : 0];
  web_time_note(r->http, r);
  web_connection_phase(r->on, r->stream ? WEB_STREAM : WEB_SENDING);
  return rc;
}

void web_answer(struct web_request *r, unsigned status, const char *type, struct ck_buf *body) {
  enum MHD_ResponseMemoryMode mode = body->len ? MHD_RESPMEM_MUST_FREE : MHD_RESPMEM_PERSISTENT;
  size_t n = body->len;
  void *data = body->data;
  if (n == 0) ck_buf_free(body);
  *body = (struct ck_buf){0};
  web_reply(r, status, type, MHD_create_response_from_buffer(n, n ? data : NULL, mode));
}

void web_answer_static(struct web_request *r, const char *type, struct ck_str bytes) {
  void *data = (void *)(uintptr_t)bytes.s;
  web_reply(r, MHD_HTTP_OK, type,
            MHD_create_response_from_buffer(bytes.n, data, MHD_RESPMEM_PERSISTENT));
}

void web_answer_file(struct web_request *r, const char *type, int fd, uint64_t bytes) {
  web_reply(r, MHD_HTTP_OK, type, MHD_create_response_from_fd64(bytes, fd));
}

/* A name for both old and new readers of headers (RFC 6266). */
void web_answer_foreign(struct web_request *r, bool shown, struct ck_str name) {
  struct ck_buf b = {0};
  ck_buf_text(&b, shown ? "inline" : "attachment");
  if (name.n) ck_buf_text(&b, "; filename*=UTF-8''");
  for (size_t i = 0; i < name.n; ++i) {
    unsigned char c = (unsigned char)name.s[i];
    bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                 (c && strchr("-._", c));
    ck_buf_printf(&b, plain ? "%c" : "%%%02X", c);
  }
  web_answer_header(r, "Content-Disposition", ck_buf_cstr(&b));
  web_answer_header(r, "Content-Security-Policy", "default-src 'none'; sandbox");
  ck_buf_free(&b);
}

void web_redirect(struct web_request *r, const char *path) {
  struct ck_buf none = {0};
  web_answer_header(r, "Location", path);
  web_answer(r, MHD_HTTP_SEE_OTHER, NULL, &none);
}

static void count(struct web_request *r, enum web_refusal why) {
  r->refused = true;
  web_count_refusal(r->http, why);
}

static void refuse(struct web_request *r, enum web_refusal why, const char *fmt, va_list ap) {
  char reason[600];
  struct ck_buf b = {0};
  vsnprintf(reason, sizeof reason, fmt, ap);
  struct ck_str text = ck_utf8_cut(ck_str_of(reason), sizeof reason);
  count(r, why);
  if (r->for_page) {
    r->http->ops.page(&b, r, statuses[why], web_refusal_words[why], reason);
    web_answer(r, statuses[why], WEB_HTML, &b);
    return;
  }
  ck_buf_text(&b, "{");
  ck_buf_json_member(&b, "error", ck_str_of(web_refusal_words[why]));
  ck_buf_json_member(&b, "reason", ck_utf8_ok(text) ? text : CK_LIT("it is no UTF-8"));
  ck_buf_text(&b, "}\n");
  web_answer(r, statuses[why], WEB_JSON, &b);
}

void web_refuse(struct web_request *r, enum web_refusal why, const char *fmt, ...) {
  va_list ap;
  va_start(ap, fmt);
  refuse(r, why, fmt, ap);
  va_end(ap);
}

void web_refuse_json(struct web_request *r, enum web_refusal why, const char *reason,
                     json_t *more) {
  struct ck_buf b = {0};
  json_t *all = json_pack("{s:s, s:s}", "error", web_refusal_words[why], "reason", reason);
  if (!all) all = json_pack("{s:s}", "error", web_refusal_words[why]);
  if (more) json_object_update_missing(all, more);
  char *text = json_dumps(all, JSON_COMPACT);
  count(r, why);
  if (text) ck_buf_text(&b, text);
  ck_buf_text(&b, "\n");
  web_answer(r, statuses[why], WEB_JSON, &b);
  free(text);
  json_decref(all);
  json_decref(more);
}

void web_refuse_for(struct web_request *r, enum web_refusal why, unsigned seconds, const char *fmt,
                    ...) {
  char text[16];
  va_list ap;
  snprintf(text, sizeof text, "%u", seconds);
  web_answer_header(r, "Retry-After", text);
  va_start(ap, fmt);
  refuse(r, why, fmt, ap);
  va_end(ap);
}
