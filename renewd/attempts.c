/* One JSON object for each attempt, appended to the day's file. */
#include "renewd/attempts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/clock.h"
#include "proto/file.h"
#include "proto/log.h"
#include "proto/places.h"

void renew_log_path(char path[RENEW_LOG_PATH], int64_t at) {
  char time[CK_TIME_TEXT];
  ck_time_text(time, at);
  snprintf(path, RENEW_LOG_PATH, CK_PLACE_ATTEMPTS "/%.10s.jsonl", time);
}

static void put_target(struct ck_buf *b, struct ck_str snapshot) {
  struct renew_target t;
  renew_target_parse(&t, snapshot, NULL);
  ck_buf_text(b, ",\"channel\":");
  if (t.kind)
    ck_buf_json_str(b, ck_str_of(t.kind));
  else
    ck_buf_text(b, "null");
  char *url = renew_target_url(&t);
  const char *client = renew_target_client(&t);
  const char *where = client ? client : url ? url : t.id;
  if (where) ck_buf_json_member(b, "target", ck_str_of(where));
  free(url);
  renew_target_free(&t);
}

void renew_attempt_json(struct ck_buf *b, const struct renew_attempt *a) {
  const struct renew_result *r = &a->result;
  const struct renew_verdict *v = &a->verdict;
  char time[CK_TIME_TEXT];
  ck_time_text(time, a->at);
  ck_buf_printf(b, "{\"at\":%lld,\"time\":\"%s\"", (long long)a->at, time);
  ck_buf_json_member(b, "job_id", a->job_id);
  ck_buf_json_member(b, "delivery_id", a->job_id);
  ck_buf_printf(b, ",\"attempt\":%lld", (long long)a->attempt);
  ck_buf_json_member(b, "local_conversation_id", a->conversation_id);
  if (a->message_id.n) ck_buf_json_member(b, "message_id", a->message_id);
  put_target(b, a->snapshot);
  ck_buf_json_member(b, "outcome", ck_str_of(renew_outcome_name(v->outcome)));
  if (r->http_status) ck_buf_printf(b, ",\"http_status\":%d", r->http_status);
  if (r->exit_code >= 0) ck_buf_printf(b, ",\"exit\":%d", r->exit_code);
  if (r->error[0]) ck_buf_json_member(b, "error", ck_str_of(r->error));
  if (r->cost >= 0) ck_buf_printf(b, ",\"cost\":%.12g", r->cost);
  if (r->tokens >= 0) ck_buf_printf(b, ",\"tokens\":%lld", (long long)r->tokens);
  if (r->text[0]) ck_buf_json_member(b, "text", ck_str_of(r->text));
  if (a->took_ms >= 0) ck_buf_printf(b, ",\"took_ms\":%lld", (long long)a->took_ms);
  if (v->next_attempt_at)
    ck_buf_printf(b, ",\"next_attempt_at\":%lld", (long long)v->next_attempt_at);
  if (v->cooldown_until) ck_buf_printf(b, ",\"cooldown_until\":%lld", (long long)v->cooldown_until);
  if (a->sent_id.n) ck_buf_json_member(b, "sent_message_id", a->sent_id);
  ck_buf_json_member(b, "why", ck_str_of(v->why));
  ck_buf_text(b, "}");
}

void renew_attempt_log(const struct renew_attempt *a) {
  char path[RENEW_LOG_PATH];
  renew_log_path(path, a->at);
  struct ck_buf line = {0};
  renew_attempt_json(&line, a);
  ck_buf_text(&line, "\n");
  struct ck_err err = {{0}};
  int fd = ck_open_file(AT_FDCWD, path, O_WRONLY | O_APPEND | O_CREAT, &err);
  if (fd >= 0 && write(fd, line.data, line.len) != (ssize_t)line.len)
    ck_fail(&err, "%s", strerror(errno));
  if (err.text[0]) ck_log(CK_WARN, path, "not_logged", "reason=%s", ck_quotedz(err.text));
  if (fd >= 0) close(fd);
  ck_buf_free(&line);
}
