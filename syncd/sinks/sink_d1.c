/* The D1 sink: Cloudflare's D1 over its REST API, by libcurl. One request for each slice or
 * question, over one connection; the loop runs meanwhile. */
#include "syncd/sinks/sink.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "proto/check.h"
#include "proto/clock.h"
#include "proto/curl_loop.h"
#include "syncd/sinks/d1_answer.h"
#include "syncd/sinks/d1_query.h"

#define ANSWER_MAX (16u << 20)
#define CONNECT_MS 10000
/* A whole body at a time, as far as the socket takes it; the most that libcurl allows. */
#define UPLOAD_BYTES (2L << 20)

struct d1_sink {
  const struct ck_settings *settings;
  struct ck_curl_loop *loop;
  CURL *easy;
  struct curl_slist *headers;
  bool reread; /* access was refused, or there is no token: read the token's file again, a person
                  may have changed it */
  struct ck_err missing; /* why nothing can be sent, while url or headers are NULL */
  char *url;
  struct ck_buf body, answer;
  struct sync_slice *slice;
  bool rate_said;
  int64_t rate_left, rate_ms;
  struct sync_statement statements[SYNC_STATEMENTS_MAX];
  size_t n;
  struct sync_query *query;
  char error[CURL_ERROR_SIZE];
};

/* ---- opening ---- */

static int make_url(struct d1_sink *k, const struct ck_settings *s, struct ck_err *err) {
  const char *endpoint = ck_set_text(s, CK_SET_D1_ENDPOINT);
  const char *account = ck_set_text(s, CK_SET_D1_ACCOUNT),
             *database = ck_set_text(s, CK_SET_D1_DATABASE);
  if (ck_check_is_set(s, CK_SET_D1_ACCOUNT, "d1", err) ||
      ck_check_is_set(s, CK_SET_D1_DATABASE, "d1", err))
    return -1;
  char *a = curl_easy_escape(k->easy, account, 0), *d = curl_easy_escape(k->easy, database, 0);
  size_t n = strlen(endpoint);
  while (n && endpoint[n - 1] == '/') --n;
  k->url =
      ck_sprintf("%.*s/accounts/%s/d1/database/%s/query", (int)n, endpoint, a ? a : "", d ? d : "");
  curl_free(a);
  curl_free(d);
  return 0;
}

static void wipe(char *secret) {
  if (secret) explicit_bzero(secret, strlen(secret));
  free(secret);
}

static void drop_headers(struct d1_sink *k) {
  for (struct curl_slist *h = k->headers; h; h = h->next) explicit_bzero(h->data, strlen(h->data));
  curl_slist_free_all(k->headers);
  k->headers = NULL;
}

static int make_headers(struct d1_sink *k, struct ck_err *err) {
  char *token = ck_settings_d1_token(k->settings, err);
  if (!token) return -1;
  if (strpbrk(token, "\r\n")) {
    wipe(token);
    return ck_fail(err, "the D1 token: must be one line");
  }
  char *line = ck_sprintf("Authorization: Bearer %s", token);
  drop_headers(k);
  k->headers = curl_slist_append(NULL, line);
  k->headers = curl_slist_append(k->headers, "Content-Type: application/json");
  k->headers = curl_slist_append(k->headers, "Expect:"); /* workerd never answers 100-continue */
  curl_easy_setopt(k->easy, CURLOPT_HTTPHEADER, k->headers);
  wipe(token);
  wipe(line);
  return 0;
}

static size_t take_answer(char *data, size_t size, size_t n, void *self) {
  struct d1_sink *k = self;
  if (k->answer.len + size * n > ANSWER_MAX) return 0;
  ck_buf_add(&k->answer, data, size * n);
  return size * n;
}

/* Ratelimit: "default";r=50;t=30 (draft-ietf-httpapi-ratelimit-headers). */
static size_t take_header(char *data, size_t size, size_t n, void *self) {
  struct d1_sink *k = self;
  char line[200];
  long long left, seconds;
  snprintf(line, sizeof line, "%.*s", (int)(size * n < sizeof line ? size * n : sizeof line - 1),
           data);
  const char *r = strncasecmp(line, "ratelimit:", 10) == 0 ? strstr(line, ";r=") : NULL;
  if (r && sscanf(r, ";r=%10lld;t=%10lld", &left, &seconds) == 2 && left >= 0 && seconds >= 0) {
    k->rate_said = true;
    k->rate_left = left;
    k->rate_ms = seconds * 1000;
  }
  return size * n;
}

static void set_options(struct d1_sink *k, bool clear) {
  curl_easy_setopt(k->easy, CURLOPT_URL, k->url);
  curl_easy_setopt(k->easy, CURLOPT_PROTOCOLS_STR, clear ? "http" : "https");
  curl_easy_setopt(k->easy, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(k->easy, CURLOPT_SSL_VERIFYPEER, 1L);
  curl_easy_setopt(k->easy, CURLOPT_SSL_VERIFYHOST, 2L);
  if (clear) curl_easy_setopt(k->easy, CURLOPT_PROXY, "");
  curl_easy_setopt(k->easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(k->easy, CURLOPT_POST, 1L);
  curl_easy_setopt(k->easy, CURLOPT_WRITEFUNCTION, take_answer);
  curl_easy_setopt(k->easy, CURLOPT_WRITEDATA, k);
  curl_easy_setopt(k->easy, CURLOPT_HEADERFUNCTION, take_header);
  curl_easy_setopt(k->easy, CURLOPT_HEADERDATA, k);
  curl_easy_setopt(k->easy, CURLOPT_ERRORBUFFER, k->error);
  curl_easy_setopt(k->easy, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
  curl_easy_setopt(k->easy, CURLOPT_TCP_NODELAY, 1L);
  curl_easy_setopt(k->easy, CURLOPT_UPLOAD_BUFFERSIZE, UPLOAD_BYTES);
  curl_easy_setopt(k->easy, CURLOPT_TCP_KEEPALIVE, 1L);
  curl_easy_setopt(k->easy, CURLOPT_USERAGENT, "convkeep/" CK_VERSION_TEXT);
}

static void d1_close(void **self) {
  struct d1_sink *k = *self;
  if (!k) return;
  if (k->loop && k->easy) ck_curl_remove(k->loop, k->easy);
  if (k->easy) curl_easy_cleanup(k->easy);
  drop_headers(k);
  free(k->url);
  ck_buf_free(&k->body);
  ck_buf_free(&k->answer);
  ck_curl_loop_free(&k->loop);
  free(k);
  *self = NULL;
}

static int d1_open(void **self, const struct ck_settings *s, struct ck_err *err) {
  struct d1_sink *k = ck_zalloc(sizeof *k);
  bool clear = false;
  *self = k;
  k->settings = s;
  k->loop = ck_curl_loop_new(err);
  k->easy = k->loop ? curl_easy_init() : NULL;
  int rc = k->easy ? 0 : ck_fail(err, "libcurl cannot be started");
  if (!rc) rc = ck_check_d1_endpoint(s, &clear, err);
  if (rc) {
    d1_close(self);
    return rc;
  }
  k->reread = make_url(k, s, &k->missing) || make_headers(k, &k->missing);
  if (k->url) set_options(k, clear);
  return k->reread ? (ck_fail(err, "%s", k->missing.text), 1) : 0;
}

static bool is_complete(const struct d1_sink *k) { return k->url && k->headers; }

/* ---- a request ---- */

static void prepare(struct d1_sink *k) {
  if (k->reread && k->url)
    make_headers(k, k->headers ? NULL
                               : &k->missing); /* if the token cannot be read, the old one stays */
  ck_buf_clear(&k->body);
  ck_buf_clear(&k->answer);
  k->error[0] = '\0';
}

static void post(struct d1_sink *k, int64_t timeout) {
  k->rate_said = false;
  if (!is_complete(k)) return;
  curl_easy_setopt(k->easy, CURLOPT_TIMEOUT_MS, (long)timeout);
  curl_easy_setopt(k->easy, CURLOPT_POSTFIELDS, k->body.data);
  curl_easy_setopt(k->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)k->body.len);
  ck_curl_add(k->loop, k->easy);
}

static void d1_begin(void *self, struct sync_slice *slice) {
  struct d1_sink *k = self;
  k->slice = slice;
  k->n = sync_statements(slice, &sync_sink_d1.limits, k->statements);
  prepare(k);
  sync_plan_body(&k->body, slice, k->statements, k->n);
  post(k, ck_set_int(k->settings, CK_SET_D1_TIMEOUT));
}

static void d1_query(void *self, struct sync_query *query) {
  struct d1_sink *k = self;
  k->query = query;
  prepare(k);
  sync_d1_query_body(&k->body, query, &sync_sink_d1.limits);
  int64_t timeout = ck_set_int(k->settings, CK_SET_D1_TIMEOUT);
  post(k, query->timeout && query->timeout < timeout ? query->timeout : timeout);
}

static void without_answer(struct d1_sink *k, CURLcode code, struct sync_answer *a) {
  char text[CURL_ERROR_SIZE + 32];
  snprintf(text, sizeof text, "curl %d %s", (int)code,
           k->error[0] ? k->error : curl_easy_strerror(code));
  *a = (struct sync_answer){0};
  sync_answer_text(a, sync_classify_curl((int)code), text);
}

static void answered(struct d1_sink *k, CURLcode code, struct sync_answer *a) {
  long http = 0;
  curl_off_t after = 0;
  if (code != CURLE_OK) {
    without_answer(k, code, a);
    return;
  }
  curl_easy_getinfo(k->easy, CURLINFO_RESPONSE_CODE, &http);
  curl_easy_getinfo(k->easy, CURLINFO_RETRY_AFTER, &after);
  if (k->query)
    sync_d1_query_answer(a, http, ck_buf_view(&k->answer), k->query);
  else
    sync_d1_answer(a, http, ck_buf_view(&k->answer), k->slice, k->statements, k->n);
  if (a->class != SYNC_DONE && after > 0 && after < 86400) a->wait_ms = (int64_t)after * 1000;
  a->rate_said = k->rate_said && !a->foreign;
  a->rate_left = k->rate_left;
  a->rate_ms = k->rate_ms;
}

/* A large buffer is not kept while nothing is sent. */
static void shrink(struct ck_buf *b) {
  if (b->cap > (1u << 20)) ck_buf_free(b);
}

static bool d1_step(void *self, struct sync_answer *answer) {
  struct d1_sink *k = self;
  CURL *easy;
  CURLcode code;
  if (!is_complete(k)) {
    *answer = (struct sync_answer){0};
    k->slice = NULL;
    k->query = NULL;
    return sync_answer_text(answer, SYNC_STOP, k->missing.text);
  }
  ck_curl_turn(k->loop);
  if (!ck_curl_done(k->loop, &easy, &code)) return false;
  answered(k, code, answer);
  ck_curl_remove(k->loop, easy);
  k->reread = answer->class == SYNC_STOP;
  k->slice = NULL;
  k->query = NULL;
  shrink(&k->body);
  shrink(&k->answer);
  return true;
}

static void d1_wait(void *self, struct ck_wait *w) {
  const struct d1_sink *k = self;
  ck_curl_wait(k->loop, w);
  if (!is_complete(k)) ck_wait_within(w, 0);
}

const struct sync_sink sync_sink_d1 = {
    .name = "d1",
    /* D1 takes 2,000,000 bytes a value and a row; a smaller limit for a parameter leaves room for
     * its brackets, and for another way of counting. */
    .limits = {.text = 2000000, .row = 2000000, .param = 1900000, .json = true},
    .counted = true,
    .open = d1_open,
    .begin = d1_begin,
    .query = d1_query,
    .step = d1_step,
    .wait = d1_wait,
    .close = d1_close,
};
