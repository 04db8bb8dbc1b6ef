/* POST /v1/deliveries/JOB/claim, extend, end: a client's attempt, as docs/wire.md has it. Each is a
 * changeset, answered after its receipt.
 *
 * Each may come again, because its answer was lost. The same EXTEND changes nothing. A claim that
 * was taken is refused the second time, as the job runs; then an EXTEND with the same token tells
 * whether it runs by that claim. An END that counted is refused the second time, as the attempt is
 * over; then the attempt's row tells whether it has ended like that. */
#include "webd/api/api.h"

#include <stdlib.h>

#include "proto/json.h"
#include "proto/map.h"

#define TOKEN_MAX 200
#define ROWS_MAX 1000

enum verb { CLAIM, EXTEND, END };

struct wish {
  struct webd *webd;
  struct web_request *r;
  enum verb verb;
  json_t *body; /* keeps the texts */
  const char *client, *offer, *token, *outcome, *error, *message_id;
  char made[33]; /* a token */
  json_int_t attempt, lease, next_attempt_at, cooldown_until;
  json_t *result; /* borrowed from body; NULL: none */
  char *refusal;  /* of the store, until it is known whether it was the same again */
};

static void wish_free(struct wish *w) {
  json_decref(w->body);
  free(w->refusal);
  free(w);
}

static struct ck_str job_of(const struct wish *w) { return web_part(w->r, 0); }

/* ---- answers ---- */

static void answer(struct wish *w) {
  struct ck_str job = job_of(w);
  json_t *said = json_pack("{s:s%}", "job_id", job.s, job.n);
  if (w->verb != END) json_object_set_new(said, "token", json_string(w->token));
  if (w->verb != END && w->lease)
    json_object_set_new(
        said, "lease_ms",
        json_integer(w->lease < CK_CLIENT_LEASE_MAX_MS ? w->lease : CK_CLIENT_LEASE_MAX_MS));
  if (w->verb != END && !w->lease)
    json_object_set_new(said, "lease_ms", json_integer(CK_CLIENT_LEASE_MS));
  if (w->verb == END) json_object_set_new(said, "outcome", json_string(w->outcome));
  web_answer_json(w->r, 200, said);
  wish_free(w);
}

static void refuse(struct wish *w) {
  web_refuse(w->r, WEB_REFUSED_REFUSED, "%s", w->refusal);
  wish_free(w);
}

static void refuse_away(struct wish *w) {
  web_refuse_for(w->r, WEB_REFUSED_AWAY, 2,
                 "the store has not answered, and may still take it; say the same again");
  wish_free(w);
}

/* ---- is it the same again? ---- */

static void query(struct wish *w, const char *table, web_heard *heard) {
  struct ck_buf filters = {0};
  struct ck_map map = ck_map_open(&filters);
  struct ck_message m = {.kind = CK_MSG_QUERY};
  ck_pair_str(&map, "job_id", job_of(w));
  ck_map_close(&map);
  m.as.query = (struct ck_query){
      .table = ck_str_of(table), .filters = ck_buf_view(&filters), .limit = ROWS_MAX};
  int rc = web_ask(w->webd->store, &m, WEB_ANSWER_MS, heard, w);
  ck_buf_free(&filters);
  if (rc) refuse(w);
}

/* The last of the rows that the store gave; NULL: none. The caller decrefs. */
static json_t *last_row(const struct web_said *said) {
  if (!said->answer || said->answer->kind != CK_MSG_ROWS) return NULL;
  json_t *rows = ck_json_of(said->answer->as.rows.rows);
  json_t *row = json_incref(json_array_get(rows, json_array_size(rows) - 1));
  json_decref(rows);
  return row;
}

static bool is(const json_t *row, const char *name, const char *text) {
  const char *value = json_string_value(json_object_get(row, name));
  return value && strcmp(value, text) == 0;
}

static void attempts_heard(void *self, const struct web_said *said) {
  struct wish *w = self;
  json_t *row = last_row(said);
  bool same = row && json_integer_value(json_object_get(row, "attempt")) == w->attempt &&
              is(row, "outcome", w->outcome) && json_is_string(json_object_get(row, "client"));
  json_decref(row);
  if (!said->answer)
    refuse_away(w);
  else if (same)
    answer(w);
  else
    refuse(w);
}

static void change(struct wish *w, const struct ck_mutation *m, web_receipted *done) {
  struct ck_buf mutations = {0};
  ck_put_array(&mutations, 1);
  ck_mutation_encode(&mutations, m);
  int rc = web_write(w->webd->write, ck_buf_view(&mutations), WEB_ANSWER_MS, done, w);
  ck_buf_free(&mutations);
  if (rc == 0) return;
  web_refuse(w->r, WEB_REFUSED_BODY, "it is larger than a changeset can be");
  wish_free(w);
}

static struct ck_mutation extension(const struct wish *w) {
  struct ck_mutation m = {.kind = CK_OP_EXTEND};
  m.as.extend =
      (struct ck_extend){job_of(w), (uint64_t)w->attempt, ck_str_of(w->token), (uint64_t)w->lease};
  return m;
}

static void extended_again(void *self, const struct web_receipt *r) {
  struct wish *w = self;
  if (r->result == '?')
    refuse_away(w);
  else if (r->result == 'r')
    refuse(w);
  else
    answer(w);
}

static void lease_heard(void *self, const struct web_said *said) {
  struct wish *w = self;
  json_t *row = last_row(said);
  bool ours = row && is(row, "client", w->client);
  w->attempt = json_integer_value(json_object_get(row, "attempt"));
  json_decref(row);
  struct ck_mutation m = extension(w);
  if (!said->answer)
    refuse_away(w);
  else if (ours)
    change(w, &m, extended_again);
  else
    refuse(w);
}

static bool begins(struct ck_str s, const char *with) {
  size_t n = strlen(with);
  return s.n >= n && memcmp(s.s, with, n) == 0;
}

static void receipted(void *self, const struct web_receipt *r) {
  struct wish *w = self;
  if (r->result == '?') {
    refuse_away(w);
  } else if (r->result != 'r') {
    answer(w);
  } else {
    w->refusal = ck_str_dup(r->reason);
    if (w->verb == CLAIM && begins(r->reason, "renewal_jobs.status:"))
      query(w, "leases", lease_heard);
    else if (w->verb == END && begins(r->reason, "end.token:"))
      query(w, "attempts", attempts_heard);
    else
      refuse(w);
  }
}

/* ---- the request ---- */

static void claim(struct wish *w) {
  struct ck_mutation m = {.kind = CK_OP_CLAIM};
  m.as.claim = (struct ck_claim){.job_id = job_of(w),
                                 .token = ck_str_of(w->token),
                                 .client = ck_str_of(w->client),
                                 .offer = ck_str_of(w->offer),
                                 .lease = (uint64_t)w->lease};
  change(w, &m, receipted);
}

static void end(struct wish *w) {
  struct ck_buf result = {0};
  struct ck_mutation m = {.kind = CK_OP_END};
  m.as.end = (struct ck_end){.job_id = job_of(w),
                             .attempt = (uint64_t)w->attempt,
                             .token = ck_str_of(w->token),
                             .outcome = ck_str_of(w->outcome),
                             .error = ck_str_of(w->error),
                             .next_attempt_at = w->next_attempt_at,
                             .cooldown_until = w->cooldown_until,
                             .message_id = ck_str_of(w->message_id)};
  if (w->result && ck_put_json(&result, w->result) == 0) m.as.end.result = ck_buf_view(&result);
  change(w, &m, receipted);
  ck_buf_free(&result);
}

/* What the body may have besides what each verb needs. */
static int unpack(struct wish *w, json_error_t *e) {
  switch (w->verb) {
  case CLAIM:
    return json_unpack_ex(w->body, e, JSON_STRICT, "{s:s, s:s, s?s, s?I}", "client", &w->client,
                          "offer", &w->offer, "token", &w->token, "lease_ms", &w->lease);
  case EXTEND:
    return json_unpack_ex(w->body, e, JSON_STRICT, "{s:I, s:s, s?I}", "attempt", &w->attempt,
                          "token", &w->token, "lease_ms", &w->lease);
  case END:
    return json_unpack_ex(w->body, e, JSON_STRICT, "{s:I, s:s, s:s, s?s, s?s, s?I, s?I, s?o}",
                          "attempt", &w->attempt, "token", &w->token, "outcome", &w->outcome,
                          "error", &w->error, "message_id", &w->message_id, "next_attempt_at",
                          &w->next_attempt_at, "cooldown_until", &w->cooldown_until, "result",
                          &w->result);
  }
  return -1;
}

static const char *wrong(const struct wish *w) {
  if (w->verb == CLAIM && (!*w->client || !*w->offer)) return "client, offer: must not be empty";
  if (!*w->token || strlen(w->token) > TOKEN_MAX) return "token: must have 1 to 200 bytes";
  if (w->lease < 0) return "lease_ms: must not be negative";
  if (w->attempt < 0) return "attempt: must not be negative";
  if (w->next_attempt_at < 0 || w->cooldown_until < 0)
    return "next_attempt_at, cooldown_until: must not be negative";
  if (w->result && !json_is_object(w->result)) return "result: must be an object";
  return NULL;
}

static void begin(struct webd *webd, struct web_request *r, enum verb verb) {
  json_error_t error = {0};
  struct ck_str body = web_body(r);
  struct wish *w = ck_zalloc(sizeof *w);
  *w = (struct wish){.webd = webd, .r = r, .verb = verb, .error = "", .message_id = ""};
  ck_random_id(w->made);
  w->token = verb == CLAIM ? w->made : "";
  w->body = json_loadb(body.s ? body.s : "", body.n, JSON_REJECT_DUPLICATES, &error);
  const char *why = !w->body || unpack(w, &error) ? error.text : wrong(w);
  if (why) {
    web_refuse(r, WEB_REFUSED_SYNTAX, "the body: %s", why);
    wish_free(w);
  } else if (verb == CLAIM) {
    claim(w);
  } else if (verb == EXTEND) {
    struct ck_mutation m = extension(w);
    change(w, &m, receipted);
  } else {
    end(w);
  }
}

void web_api_claim(void *self, struct web_request *r) { begin(self, r, CLAIM); }
void web_api_extend(void *self, struct web_request *r) { begin(self, r, EXTEND); }
void web_api_end(void *self, struct web_request *r) { begin(self, r, END); }
