/* See renewal_help.h. */
#include "tests/flow/renewal_help.h"

int64_t r_now_plus(int64_t ms) { return ck_now_ms() + ms; }

void r_say(const char *id, const char *role, const char *target) {
  t_import_lines(
      0,
      "{'platform': 'chatgpt', 'conversation_id': 'conv-1', 'message_id': '%s', "
      "'role': '%s', 'text': 'said in %s', 'observed_at': %lld, 'client_id': 'browser-1'%s%s}\n",
      id, role, id, (long long)r_now_plus(0), target ? ", 'target': " : "", target ? target : "");
}

void r_put_on_auto(const char *target) {
  r_say("m-user", "user", target);
  t_do(0, "set", CONVERSATION, "--automation", "auto");
}

struct t_http *r_web(const char *script, char target[160]) {
  struct t_http *h = t_http_start(script);
  snprintf(target, 160, "{'kind': 'webhook', 'id': 'hook', 'payload': {'url': '%shook'}}",
           t_http_url(h));
  t_set("renew.webhook.allow", t_http_url(h));
  return h;
}

json_t *r_job_of(const char *message) {
  char filter[96];
  snprintf(filter, sizeof filter, "{'message_id': '%s'}", message);
  json_t *rows = t_query("renewal_jobs", filter, 20, 0);
  T_CHECK(json_array_size(rows) <= 1, "%s has %zu jobs", message, json_array_size(rows));
  json_t *job = json_incref(json_array_get(rows, 0));
  json_decref(rows);
  return job;
}

bool r_has_status(const char *message, const char *status) {
  json_t *job = r_job_of(message);
  const char *is = t_text_at(job, "status");
  bool yes = is && strcmp(is, status) == 0;
  json_decref(job);
  return yes;
}

void r_wait_status(const char *message, const char *status, int ms) {
  T_UNTIL(ms, r_has_status(message, status), "the job of %s is not %s after %d ms: %s", message,
          status, ms, json_dumps(r_job_of(message), 0));
}

static void read_log(const char *path, void *self) {
  if (strstr(path, ".jsonl") == NULL) return;
  json_t *lines = t_read_lines(path);
  json_array_extend(self, lines);
  json_decref(lines);
}

json_t *r_attempts(const char *message) {
  json_t *all = json_array(), *mine = json_array(), *job = r_job_of(message), *line;
  size_t i;
  t_walk("logs/renewal", read_log, all);
  json_array_foreach(all, i, line) {
    const char *id = t_text_at(line, "job_id"), *event = t_text_at(line, "outcome");
    if (id && event && job && strcmp(id, t_text_at(job, "job_id")) == 0)
      json_array_append(mine, line);
  }
  json_decref(all), json_decref(job);
  return mine;
}

json_t *r_wait_attempts(const char *message, size_t n) {
  json_t *lines = r_attempts(message);
  T_UNTIL(20000,
          json_array_size(lines) >= n || (json_decref(lines), lines = r_attempts(message), 0),
          "%zu attempts in the log, not %zu", json_array_size(lines), n);
  return lines;
}

void r_check_log(const char *message, const char *const outcomes[], size_t n) {
  json_t *lines = r_wait_attempts(message, n);
  char *said = json_dumps(lines, 0);
  T_CHECK(json_array_size(lines) == n, "%zu attempts in the log, not %zu: %s",
          json_array_size(lines), n, said);
  for (size_t i = 0; i < n; i++) {
    json_t *line = json_array_get(lines, i);
    T_CHECK(strcmp(t_text_at(line, "outcome"), outcomes[i]) == 0, "attempt %zu is %s, not %s: %s",
            i + 1, t_text_at(line, "outcome"), outcomes[i], said);
    T_CHECK(t_int_at(line, "attempt", 0) == (int64_t)i + 1, "attempt %zu has another number: %s",
            i + 1, said);
    T_CHECK(t_at(line, "at") && t_at(line, "channel"),
            "the log does not say when and by which channel: %s", said);
  }
  free(said);
  json_decref(lines);
}

void r_check_quiet(struct t_http *h, int requests, int ms) {
  int64_t until = ck_boot_ms() + ms;
  while (ck_boot_ms() < until) {
    T_CHECK(t_http_count(h) == requests, "%d requests, not %d", t_http_count(h), requests);
    t_pause(20);
  }
}
