/* POST /v1/jobs/JOB/retry, cancel, snooze, resolve; /v1/pause and /v1/resume: what `convkeep jobs`,
 * `pause` and `resume` do. The answer is the record as it is afterwards; the same again is
 * harmless. */
#include "webd/api/api.h"

#include <stdlib.h>

#include "proto/clock.h"
#include "proto/json.h"
#include "proto/moment.h"

/* ---- answers ---- */

void web_answer_changed(struct web_request *r, enum ck_table table, const struct web_changed *how) {
  if (how->end == WEB_DONE)
    web_answer_json(r, 200, ck_record_json(table, how->row));
  else
    web_refuse_changed(r, how, "the body: ");
}

static void job_changed(void *self, const struct web_changed *how) {
  web_answer_changed(self, CK_JOBS, how);
}

/* ---- bodies ---- */

json_t *web_json_body(struct web_request *r) {
  json_error_t error;
  struct ck_str body = web_body(r);
  if (!body.n) return json_object();
  json_t *value = json_loadb(body.s, body.n, JSON_REJECT_DUPLICATES, &error);
  if (json_is_object(value)) return value;
  web_refuse(r, WEB_REFUSED_SYNTAX, "the body: %s", value ? "must be an object" : error.text);
  json_decref(value);
  return NULL;
}

/* A TIME as text, or milliseconds; missing: 0. */
static int read_time(const json_t *value, int64_t *ms, struct ck_err *err) {
  *ms = json_integer_value(value);
  if (!value || (json_is_integer(value) && *ms > 0)) return 0;
  if (json_is_string(value)) return ck_moment_parse(json_string_value(value), ck_now_ms(), ms, err);
  return ck_fail(err, "must be a TIME, or milliseconds");
}

static struct web_store store_of(const struct webd *w) {
  return (struct web_store){w->store, w->write};
}

/* ---- jobs ---- */

static int read_wish(json_t *body, struct web_job_wish *wish, struct ck_err *err) {
  json_error_t error;
  json_t *until = NULL;
  int anyway = 0, arrived = -1, rc = 0;
  switch (wish->verb) {
  case WEB_JOB_RETRY:
    rc = json_unpack_ex(body, &error, JSON_STRICT, "{s?b}", "anyway", &anyway);
    break;
  case WEB_JOB_CANCEL:
    rc = json_unpack_ex(body, &error, JSON_STRICT, "{}");
    break;
  case WEB_JOB_SNOOZE:
    rc =
        json_unpack_ex(body, &error, JSON_STRICT, "{s:o, s?b}", "until", &until, "anyway", &anyway);
    break;
  case WEB_JOB_ARRIVED:
    rc = json_unpack_ex(body, &error, JSON_STRICT, "{s:b}", "arrived", &arrived);
    if (arrived == 0) wish->verb = WEB_JOB_RETRY;
    break;
  }
  if (rc) return ck_fail(err, "%s", error.text);
  wish->anyway = anyway;
  if (read_time(until, &wish->until, err)) return ck_fail_in(err, "until");
  if (until && wish->until < ck_now_ms())
    return ck_fail(err, "until: has passed; retry makes a job due at once");
  return 0;
}

static void change_job(struct webd *w, struct web_request *r, enum web_job_verb verb) {
  struct web_store store = store_of(w);
  struct web_job_wish wish = {.verb = verb};
  struct ck_err err;
  json_t *body = web_json_body(r);
  if (!body) return;
  if (read_wish(body, &wish, &err))
    web_refuse(r, WEB_REFUSED_SYNTAX, "the body: %s", err.text);
  else
    web_change_job(&store, web_part(r, 0), &wish, WEB_ANSWER_MS, job_changed, r);
  json_decref(body);
}

void web_api_retry(void *self, struct web_request *r) { change_job(self, r, WEB_JOB_RETRY); }
void web_api_cancel(void *self, struct web_request *r) { change_job(self, r, WEB_JOB_CANCEL); }
void web_api_snooze(void *self, struct web_request *r) { change_job(self, r, WEB_JOB_SNOOZE); }
void web_api_resolve(void *self, struct web_request *r) { change_job(self, r, WEB_JOB_ARRIVED); }

/* ---- pauses ---- */

struct pause {
  struct web_request *r;
  json_t *said; /* the answer */
};

static void pause_changed(void *self, const struct web_changed *how) {
  struct pause *p = self;
  if (how->end == WEB_DONE)
    web_answer_json(p->r, 200, json_incref(p->said));
  else
    web_refuse_changed(p->r, how, "the body: ");
  json_decref(p->said);
  free(p);
}

static int read_pause(json_t *body, struct web_pause_wish *wish, struct ck_err *err) {
  json_error_t error;
  json_t *until = NULL;
  int rc = wish->paused ? json_unpack_ex(body, &error, JSON_STRICT, "{s:s, s?s, s?o}", "kind",
                                         &wish->kind, "name", &wish->name, "until", &until)
                        : json_unpack_ex(body, &error, JSON_STRICT, "{s:s, s?s, s?s}", "kind",
                                         &wish->kind, "name", &wish->name, "to", &wish->to);
  if (rc) return ck_fail(err, "%s", error.text);
  if (wish->to && strcmp(wish->to, "auto") != 0 && strcmp(wish->to, "manual") != 0)
    return ck_fail(err, "to: must be auto or manual");
  if (read_time(until, &wish->until, err)) return ck_fail_in(err, "until");
  return 0;
}

static void change_pause(struct webd *w, struct web_request *r, bool paused) {
  struct web_store store = store_of(w);
  struct web_pause_wish wish = {.kind = "", .name = "", .paused = paused};
  struct ck_err err;
  json_t *body = web_json_body(r);
  if (!body) return;
  if (read_pause(body, &wish, &err)) {
    web_refuse(r, WEB_REFUSED_SYNTAX, "the body: %s", err.text);
  } else {
    struct pause *p = ck_zalloc(sizeof *p);
    *p = (struct pause){r, json_pack("{s:s, s:s, s:b, s:o}", "kind", wish.kind, "name", wish.name,
                                     "paused", paused, "until",
                                     wish.until ? json_integer(wish.until) : json_null())};
    web_change_pause(&store, &wish, WEB_ANSWER_MS, pause_changed, p);
  }
  json_decref(body);
}

void web_api_pause(void *self, struct web_request *r) { change_pause(self, r, true); }
void web_api_resume(void *self, struct web_request *r) { change_pause(self, r, false); }
