/* The kind `webhook`: an HTTP POST. libcurl does the protocol; the meaning of an answer is decided
 * here. */
#include "renewd/channel.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

#include "proto/clock.h"
#include "proto/curl_loop.h"
#include "proto/daemon.h"

#define CONNECT_MS_MAX 10000
#define ANSWER_MAX 65536 /* bytes of an answer that are read */
#define ANSWER_KEPT 300
#define SPARE 64 /* handles that are kept: as many as there are deliveries at once */

struct post {
  struct webhook *webhook;
  struct post *next;
  CURL *easy;
  CURLU *url;
  struct curl_slist *headers;
  struct ck_buf body, answer;
  size_t answered; /* bytes */
  bool repeatable, added, is_over;
  struct renew_result result;
};

struct webhook {
  const struct ck_settings *settings;
  struct ck_curl_loop *loop;
  struct post *all;
  CURL *spare[SPARE]; /* handles of deliveries that are over; their connections are closed */
  size_t spares;
};

/* ---- the channel ---- */

static void *webhook_open(const struct renew_channel_env *env, struct ck_err *err) {
  struct ck_curl_loop *loop = ck_curl_loop_new(err);
  if (!loop) return NULL;
  struct webhook *w = ck_zalloc(sizeof *w);
  w->settings = env->settings;
  w->loop = loop;
  return w;
}

static CURL *easy_get(struct webhook *w) {
  if (!w->spares) return curl_easy_init();
  CURL *easy = w->spare[--w->spares];
  curl_easy_reset(easy);
  return easy;
}

static void easy_put(struct webhook *w, CURL *easy) {
  if (easy && w->spares < SPARE)
    w->spare[w->spares++] = easy;
  else
    curl_easy_cleanup(easy);
}

static void post_free(struct post *p) {
  struct post **at = &p->webhook->all;
  while (*at != p) at = &(*at)->next;
  *at = p->next;
  if (p->added) ck_curl_remove(p->webhook->loop, p->easy);
  easy_put(p->webhook, p->easy);
  curl_url_cleanup(p->url);
  curl_slist_free_all(p->headers);
  ck_buf_free(&p->body);
  ck_buf_free(&p->answer);
  free(p);
}

static void webhook_close(void *channel) {
  struct webhook *w = channel;
  while (w->all) post_free(w->all);
  while (w->spares) curl_easy_cleanup(w->spare[--w->spares]);
  ck_curl_loop_free(&w->loop);
  free(w);
}

static int webhook_fd(void *channel) { return ck_curl_fd(((struct webhook *)channel)->loop); }
static int64_t webhook_until(void *channel) {
  return ck_curl_until(((struct webhook *)channel)->loop);
}

/* ---- the result ---- */

static size_t answer_came(char *bytes, size_t one, size_t n, void *self) {
  (void)one;
  struct post *p = self;
  size_t room = p->answer.len < ANSWER_KEPT ? ANSWER_KEPT - p->answer.len : 0;
  ck_buf_add(&p->answer, bytes, n < room ? n : room);
  p->answered += n;
  return p->answered > ANSWER_MAX ? 0 : n; /* 0 ends the transfer; the status is known by then */
}

static void judge_status(struct post *p, int status) {
  char words[RENEW_WORDS];
  renew_words(words, ck_buf_view(&p->answer));
  enum renew_outcome outcome = renew_http_outcome(status);
  if (outcome == RENEW_DONE)
    renew_result_set(&p->result, outcome, "%s", "");
  else
    renew_result_set(&p->result, outcome, "http %d%s%s", status, words[0] ? ": " : "", words);
  p->result.http_status = status;
  curl_off_t seconds = 0;
  curl_easy_getinfo(p->easy, CURLINFO_RETRY_AFTER, &seconds);
  if (seconds > 0)
    p->result.retry_after =
        seconds < INT32_MAX ? (int64_t)seconds * 1000 : INT64_C(1000) * INT32_MAX;
  p->result.limit = seconds > 0 && (status == 429 || status == 503);
  if (p->result.limit) p->result.limit_until = ck_now_ms() + p->result.retry_after;
}

/* Without a status it matters whether any byte of the request was sent. */
static void judge_silence(struct post *p, CURLcode code) {
  long sent = 0;
  curl_easy_getinfo(p->easy, CURLINFO_REQUEST_SIZE, &sent);
  const char *what = curl_easy_strerror(code);
  if (sent == 0)
    renew_result_set(&p->result, RENEW_UNREACHED, "not sent: %s", what);
  else if (p->repeatable)
    renew_result_set(&p->result, RENEW_RETRY,
                     "sent, no answer: %s; the target recognises a delivery it already has", what);
  else
    renew_result_set(&p->result, RENEW_UNKNOWN, "sent, no answer: %s", what);
}

static void post_done(struct post *p, CURLcode code) {
  long status = 0;
  curl_easy_getinfo(p->easy, CURLINFO_RESPONSE_CODE, &status);
  p->is_over = true;
  if (status >= 200)
    judge_status(p, (int)status);
  else
    judge_silence(p, code == CURLE_OK ? CURLE_GOT_NOTHING : code);
}

static void webhook_pump(void *channel) {
  struct webhook *w = channel;
  CURL *easy;
  CURLcode code;
  char *p;
  ck_curl_turn(w->loop);
  while (ck_curl_done(w->loop, &easy, &code))
    if (curl_easy_getinfo(easy, CURLINFO_PRIVATE, &p) == CURLE_OK)
      post_done((struct post *)(void *)p, code);
}

/* ---- one delivery ---- */

/* Each delivery has a connection of its own: on a reused one that was cut, libcurl may send the
 * request a second time, which a delivery must not be. No proxy: the settings name where a delivery
 * may go. */
static void set_up(struct post *p) {
  CURL *e = p->easy;
  long timeout = (long)ck_set_int(p->webhook->settings, CK_SET_RENEW_TIMEOUT);
  curl_easy_setopt(e, CURLOPT_PRIVATE, p);
  curl_easy_setopt(e, CURLOPT_CURLU, p->url);
  curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(e, CURLOPT_PROXY, "");
  curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
  curl_easy_setopt(e, CURLOPT_FRESH_CONNECT, 1L);
  curl_easy_setopt(e, CURLOPT_FORBID_REUSE, 1L);
  curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, timeout);
  curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS,
                   timeout < CONNECT_MS_MAX ? timeout : (long)CONNECT_MS_MAX);
  curl_easy_setopt(e, CURLOPT_POST, 1L);
  curl_easy_setopt(e, CURLOPT_POSTFIELDS, p->body.data);
  curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)p->body.len);
  curl_easy_setopt(e, CURLOPT_HTTPHEADER, p->headers);
  curl_easy_setopt(e, CURLOPT_USERAGENT, "convkeep/" CK_VERSION_TEXT);
  curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, answer_came);
  curl_easy_setopt(e, CURLOPT_WRITEDATA, p);
}

static void add_header(struct post *p, const char *name, const char *value) {
  char *line = ck_sprintf("%s: %s", name, value);
  struct curl_slist *longer = curl_slist_append(p->headers, line);
  if (longer) p->headers = longer;
  free(line);
}

/* An id may be any text, but a header's value may not. */
static bool fits_header(const char *s) {
  for (; *s; s++)
    if ((unsigned char)*s < 0x20 || *s == 0x7f) return false;
  return true;
}

static struct post *post_new(struct webhook *w, const struct renew_parcel *parcel,
                             const char *url) {
  struct post *p = ck_zalloc(sizeof *p);
  p->webhook = w;
  p->next = w->all;
  w->all = p;
  p->repeatable = renew_url_allowed(w->settings, CK_SET_RENEW_WEBHOOK_IDEMPOTENT, url);
  ck_buf_str(&p->body, parcel->body);
  add_header(p, "Content-Type", "application/json");
  add_header(p, "Idempotency-Key", parcel->job_id);
  struct curl_slist *longer = curl_slist_append(p->headers, "Expect:");
  if (longer) p->headers = longer;
  p->url = curl_url();
  p->easy = easy_get(w);
  if (p->easy && p->url &&
      curl_url_set(p->url, CURLUPART_URL, url, CURLU_DISALLOW_USER) == CURLUE_OK) {
    set_up(p);
    p->added = ck_curl_add(w->loop, p->easy) == 0;
  }
  return p;
}

static int webhook_serves(const struct ck_settings *s, const struct renew_target *target,
                          struct ck_err *err) {
  if (!target->url) return ck_fail(err, "its target, of kind webhook, has no url in its payload");
  return renew_url_allowed(s, CK_SET_RENEW_WEBHOOK_ALLOW, target->url)
             ? 0
             : ck_fail(err, "not below any prefix of renew.webhook.allow: %.200s", target->url);
}

static void *webhook_start(void *channel, const struct renew_parcel *parcel,
                           struct renew_result *result) {
  struct webhook *w = channel;
  struct post *p = NULL;
  if (!fits_header(parcel->job_id))
    renew_result_set(result, RENEW_FAILED, "job_id: has characters that no header can carry");
  else
    p = post_new(w, parcel, parcel->target->url);
  if (p && !p->added) {
    renew_result_set(result, RENEW_FAILED, "libcurl refuses the request");
    post_free(p);
    p = NULL;
  }
  return p;
}

/* What was sent by then may have arrived. */
static void webhook_cancel(void *delivery) {
  struct post *p = delivery;
  long sent = 0;
  if (p->is_over) return;
  curl_easy_getinfo(p->easy, CURLINFO_REQUEST_SIZE, &sent);
  ck_curl_remove(p->webhook->loop, p->easy);
  p->added = false;
  p->is_over = true;
  renew_result_set(&p->result, sent ? RENEW_UNKNOWN : RENEW_UNREACHED,
                   sent ? "cancelled after it was sent" : "cancelled before it was sent");
}

static void webhook_abandon(void *delivery) { post_free(delivery); }

static bool webhook_over(void *delivery, struct renew_result *result) {
  struct post *p = delivery;
  if (!p->is_over) return false;
  *result = p->result;
  post_free(p);
  return true;
}

static bool webhook_repeatable(const struct ck_settings *s, const struct renew_target *target) {
  return target->url && renew_url_allowed(s, CK_SET_RENEW_WEBHOOK_IDEMPOTENT, target->url);
}

const struct renew_channel renew_channel_webhook = {
    .kind = "webhook",
    .serves = webhook_serves,
    .open = webhook_open,
    .close = webhook_close,
    .fd = webhook_fd,
    .until = webhook_until,
    .pump = webhook_pump,
    .start = webhook_start,
    .over = webhook_over,
    .cancel = webhook_cancel,
    .abandon = webhook_abandon,
    .repeatable = webhook_repeatable,
};
