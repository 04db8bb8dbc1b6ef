/* A client that delivers over HTTP: what it says counts once, also when its answer was lost. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/harness/base.h"
#include "tests/harness/ring.h"
#include "tests/harness/talk.h"
#include "tests/web/client.h"

static const char *token;

static void begin(void) {
  t_set("renew.delay", "200ms");
  t_up();
  token = t_token("extension", "deliver");
}

static void message(int n, char letter, const char *role) {
  t_import_lines(0,
                 "{'platform': 'chatgpt', 'conversation_id': 'conv-%d', 'message_id': '%c%d', "
                 "'role': '%s', 'text': 'said', 'observed_at': %lld, 'client_id': 'ff1', "
                 "'page_url': 'https://chatgpt.com/c/conv-%d'}\n",
                 n, letter, n, role, (long long)ck_now_ms(), n);
}

/* A conversation on auto whose last message, of the assistant, has the client's page. */
static void await_follow_up(int n) {
  char local[64];
  snprintf(local, sizeof local, "chatgpt:conv-%d", n);
  message(n, 'q', "user");
  t_do(0, "set", local, "--automation", "auto");
  message(n, 'a', "assistant");
}

/* ---- requests ---- */

/* As a client should: the same again until there is an answer that is no 503. Returns its status;
 * *said: borrowed. */
static int say(const char *method, const char *path, const char *body, json_t **said) {
  int64_t until = ck_boot_ms() + 30000 * T_SLOWER;
  for (;;) {
    struct t_reply r = {0};
    int fd = t_web_try();
    if (fd >= 0) r = t_ask_web_on(fd, method, path, token, "", body);
    if (r.status && r.status != 503) {
      int status = r.status;
      *said = t_reply_json(&r);
      t_reply_free(&r);
      return status;
    }
    t_reply_free(&r);
    T_CHECK(ck_boot_ms() < until, "%s %s has no answer", method, path);
    t_pause(20);
  }
}

static json_t *waiting(int seconds) {
  char path[80];
  json_t *said = NULL;
  snprintf(path, sizeof path, "/v1/deliveries?client=ff1&wait=%d", seconds);
  T_CHECK(say("GET", path, NULL, &said) == 200, "deliveries are refused");
  return json_object_get(said, "deliveries");
}

static json_t *the_offer(void) {
  json_t *all = waiting(20);
  T_CHECK(json_array_size(all) == 1, "%zu deliveries wait", json_array_size(all));
  return json_array_get(all, 0);
}

static int tell(json_t *offer, const char *verb, json_t **said, const char *fmt, ...) {
  char path[200], body[600];
  va_list ap;
  va_start(ap, fmt);
  vsnprintf(body, sizeof body, fmt, ap);
  va_end(ap);
  for (char *c = body; *c; ++c)
    if (*c == '\'') *c = '"';
  snprintf(path, sizeof path, "/v1/deliveries/%s/%s", t_text_at(offer, "job_id"), verb);
  return say("POST", path, body, said);
}

static int claim(json_t *offer, const char *secret, int lease, json_t **said) {
  return tell(offer, "claim", said,
              "{'client': 'ff1', 'offer': '%s', 'token': '%s', 'lease_ms': %d}",
              t_text_at(offer, "offer"), secret, lease);
}

static int end(json_t *offer, const char *secret, const char *outcome, json_t **said) {
  return tell(offer, "end", said, "{'attempt': %d, 'token': '%s', 'outcome': '%s'}",
              (int)t_int_at(offer, "delivery.attempt", -1), secret, outcome);
}

static void refused(int status, json_t **said, const char *part) {
  const char *reason = t_text_at(*said, "reason");
  T_CHECK(status == 409 && reason && strstr(reason, part), "%d %s, not refused with %s", status,
          reason ? reason : "", part);
}

static const char *status_of(json_t *offer) {
  char filter[100];
  static char status[20];
  snprintf(filter, sizeof filter, "{'job_id': '%s'}", t_text_at(offer, "job_id"));
  json_t *jobs = t_query("renewal_jobs", filter, 1, 0), *leases = t_query("leases", filter, 1, 0);
  const char *state = t_text_at(leases, "0.state");
  bool unknown = state && strcmp(state, "unknown") == 0;
  snprintf(status, sizeof status, "%s", unknown ? "unknown" : t_text_at(jobs, "0.status"));
  json_decref(jobs), json_decref(leases);
  return status;
}

/* ---- stories ---- */

T_STORY(web_deliveries, claimed_extended_ended, 60) {
  json_t *said = NULL;
  begin();
  T_CHECK(json_array_size(waiting(0)) == 0, "something waits");
  await_follow_up(1);
  json_t *offer = the_offer();
  T_CHECK(strcmp(t_text_at(offer, "delivery.conversation_id"), "conv-1") == 0 &&
              strcmp(t_text_at(offer, "delivery.payload"), "continue") == 0,
          "the delivery is %s", json_dumps(offer, 0));
  refused(
      tell(offer, "claim", &said, "{'client': 'ff2', 'offer': '%s'}", t_text_at(offer, "offer")),
      &said, "claim.client");
  refused(tell(offer, "claim", &said, "{'client': 'ff1', 'offer': 'other'}"), &said, "claim.offer");
  /* Without a token one is made. */
  T_CHECK(tell(offer, "claim", &said, "{'client': 'ff1', 'offer': '%s'}",
               t_text_at(offer, "offer")) == 200,
          "%s", t_text_at(said, "reason"));
  char secret[64];
  snprintf(secret, sizeof secret, "%s", t_text_at(said, "token"));
  T_CHECK(strlen(secret) == 32 && t_int_at(said, "lease_ms", 0) == 60000, "the answer is %s",
          json_dumps(said, 0));
  refused(claim(offer, "another", 0, &said), &said, "renewal_jobs.status");
  T_CHECK(tell(offer, "extend", &said, "{'attempt': 1, 'token': '%s', 'lease_ms': 1000000}",
               secret) == 200 &&
              t_int_at(said, "lease_ms", 0) == 600000,
          "not extended");
  refused(tell(offer, "extend", &said, "{'attempt': 1, 'token': 'x'}"), &said, "extend.token");
  refused(end(offer, "x", "done", &said), &said, "end.token");
  refused(end(offer, secret, "retry", &said), &said, "end.outcome");
  T_CHECK(strcmp(status_of(offer), "running") == 0, "it is %s", status_of(offer));
  T_CHECK(end(offer, secret, "done", &said) == 200, "not ended");
  T_CHECK(strcmp(status_of(offer), "done") == 0, "it is %s", status_of(offer));
}

/* What was said and is said again is 200, and changes nothing; what differs is refused. */
T_STORY(web_deliveries, the_same_again, 60) {
  json_t *said = NULL;
  begin();
  await_follow_up(1);
  json_t *offer = the_offer();
  for (int i = 0; i < 3; ++i)
    T_CHECK(claim(offer, "mine", 0, &said) == 200 && strcmp(t_text_at(said, "token"), "mine") == 0,
            "claim %d: %s", i, t_text_at(said, "reason"));
  refused(claim(offer, "other", 0, &said), &said, "renewal_jobs.status");
  for (int i = 0; i < 3; ++i)
    T_CHECK(end(offer, "mine", "done", &said) == 200, "end %d: %s", i, t_text_at(said, "reason"));
  refused(end(offer, "mine", "released", &said), &said, "end.token");
  refused(claim(offer, "mine", 0, &said), &said, "renewal_jobs.status");
  json_t *attempts = t_query("attempts", NULL, 10, 0);
  T_CHECK(json_array_size(attempts) == 1, "%zu attempts", json_array_size(attempts));
  json_decref(attempts);
}

T_STORY(web_deliveries, badly_said, 60) {
  static const char *const bodies[] = {
      "",
      "[]",
      "{\"client\": \"ff1\"}",
      "{\"client\": 1, \"offer\": \"o\"}",
      "{\"client\": \"ff1\", \"offer\": \"o\", \"more\": 1}",
      "{\"client\": \"ff1\", \"offer\": \"o\", \"token\": \"\"}",
      "{\"client\": \"ff1\", \"offer\": \"o\", \"lease_ms\": -1}",
      "{\"client\": \"ff1\", \"client\": \"ff1\", \"offer\": \"o\"}"};
  begin();
  for (size_t i = 0; i < sizeof bodies / sizeof *bodies; ++i)
    t_web_says(400, "syntax", "POST", "/v1/deliveries/j/claim", token, "", bodies[i]);
  t_web_says(400, "argument", "GET", "/v1/deliveries", token, "", NULL);
  t_web_says(400, "argument", "GET", "/v1/deliveries?client=a&wait=61", token, "", NULL);
  t_web_says(409, "refused", "POST", "/v1/deliveries/none/claim", token, "",
             "{\"client\": \"ff1\", \"offer\": \"o\"}");
  const char *other = t_token("other", "read,capture,admin");
  t_web_says(403, "scope", "GET", "/v1/deliveries?client=a", other, "", NULL);
  t_web_says(403, "scope", "POST", "/v1/deliveries/j/claim", other, "", "{}");
}

/* Each delivery goes out once, whatever is killed while the client works; what its client never
 * ended is unknown. */
T_STORY(web_deliveries, through_kills, 240) {
  enum { MOST = 12, SILENT = 5 };
  static const char *const victims[] = {"webd", "store"};
  int sent[MOST] = {0}, done = 0, kills = 0;
  json_t *said = NULL, *silent = NULL;
  begin();
  for (int i = 0; i < MOST; ++i) await_follow_up(i);
  for (int64_t until = ck_boot_ms() + 120000 * T_SLOWER; done < MOST;) {
    T_CHECK(ck_boot_ms() < until, "%d are delivered", done);
    json_t *offer = json_array_get(waiting(5), 0);
    if (!offer) continue;
    char secret[33];
    ck_random_id(secret);
    int n = atoi(t_text_at(offer, "delivery.conversation_id") + strlen("conv-"));
    bool dies = n == SILENT;
    if (kills < 8) t_kill(victims[kills++ % 2], SIGKILL);
    if (claim(offer, secret, dies ? 1000 : 0, &said) != 200) continue; /* offered again since */
    T_CHECK(sent[n]++ == 0, "delivery %d goes out twice", n);
    ++done;
    if (dies) {
      silent = json_incref(offer);
      continue;
    }
    if (kills < 8) t_kill(victims[kills++ % 2], SIGKILL);
    T_CHECK(end(offer, secret, "done", &said) == 200, "delivery %d: %s", n,
            t_text_at(said, "reason"));
  }
  T_UNTIL(20000, strcmp(status_of(silent), "unknown") == 0, "it is %s", status_of(silent));
  json_t *jobs = t_query("renewal_jobs", "{'status': 'done'}", 100, 0);
  T_CHECK(json_array_size(jobs) == MOST - 1, "%zu are done", json_array_size(jobs));
  json_decref(jobs), json_decref(silent);
  T_CHECK(json_array_size(waiting(0)) == 0, "something waits still");
}

/* One that waits is answered as soon as there is a delivery, and at once when webd is stopped. */
T_STORY(web_deliveries, waiting_for_one, 60) {
  char ask[400];
  begin();
  int n = snprintf(ask, sizeof ask,
                   "GET /v1/deliveries?client=ff1&wait=60 HTTP/1.1\r\nHost: %s\r\n"
                   "Authorization: Bearer %s\r\n\r\n",
                   t_web_host(), token);
  int fd = t_web_connect();
  t_web_send(fd, ask, (size_t)n);
  await_follow_up(1);
  struct t_reply r = t_web_read(fd, 20000);
  T_CHECK(r.status == 200 && json_array_size(t_at(t_reply_json(&r), "deliveries")) == 1, "%d %s",
          r.status, r.body);
  t_reply_free(&r);
  close(fd);
  fd = t_web_connect();
  snprintf(ask, sizeof ask,
           "GET /v1/deliveries?client=nobody&wait=60 HTTP/1.1\r\nHost: %s\r\n"
           "Authorization: Bearer %s\r\n\r\n",
           t_web_host(), token);
  t_web_send(fd, ask, strlen(ask));
  T_CHECK(!t_web_closes(fd, 300), "it does not wait");
  t_down();
  r = t_web_read(fd, 10000);
  T_CHECK(r.status == 200 && json_array_size(t_at(t_reply_json(&r), "deliveries")) == 0, "%d %s",
          r.status, r.body ? r.body : "");
  t_reply_free(&r);
  close(fd);
}
