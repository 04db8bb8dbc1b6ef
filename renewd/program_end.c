/* See program_end.h. */
#include "renewd/program_end.h"

#include <jansson.h>
#include <string.h>

/* How long a limit whose end is not told, or past, is left alone, without an account. */
#define LIMIT_MS 900000
#define SECONDS_MAX INT64_C(9999999999) /* the year 2286 */

/* ---- what is in the lines ---- */

static json_t *json_of(struct ck_str line) {
  bool may = line.n && (line.s[0] == '{' || line.s[0] == '[');
  return may ? json_loadb(line.s, line.n, JSON_ALLOW_NUL, NULL) : NULL;
}

static bool is_type(const json_t *o, const char *type) {
  const char *its = json_string_value(json_object_get(o, "type"));
  return its && strcmp(its, type) == 0;
}

static struct ck_str text_in(const json_t *o, const char *name) {
  const json_t *v = json_object_get(o, name);
  return (struct ck_str){json_string_value(v), json_string_length(v)};
}

/* Whether it is a limit does not depend on where its times are; those are read later. */
static const struct ck_zone *no_zone(const void *self, struct ck_str name, struct ck_err *err) {
  (void)self, (void)name;
  ck_fail(err, "it is not asked for");
  return NULL;
}

static bool is_limit(struct ck_str text, bool rejected, int64_t now) {
  return renew_limit_read(text, rejected, now, &(struct renew_clocks){no_zone, NULL}).kind !=
         RENEW_NO_LIMIT;
}

/* ---- results ---- */

static void limited(struct renew_result *r, struct ck_str text, int64_t until, int64_t now) {
  renew_result_set(r, RENEW_RELEASED, "%s", "");
  r->limit = true;
  r->limit_until = until;
  r->retry_after = until > now ? until - now : LIMIT_MS;
  renew_words(r->text, text);
  renew_result_error(r, r->text[0] ? r->text : "the limit of its account is reached");
}

static void failed(struct renew_result *r, enum renew_outcome outcome, struct ck_str text) {
  renew_result_set(r, outcome, "%s", "");
  renew_words(r->text, text);
  renew_result_error(r, r->text[0] ? r->text : "its turn has failed");
}

static int64_t sum(const json_t *usage, const char *const *names) {
  int64_t all = -1;
  for (; *names; names++) {
    json_int_t n = json_integer_value(json_object_get(usage, *names));
    if (n < 0 || n > INT32_MAX || !json_is_integer(json_object_get(usage, *names))) continue;
    all = (all < 0 ? 0 : all) + n;
  }
  return all;
}

/* ---- Claude Code ---- */

/* The end of the limit that has refused; *refused: one has. */
static int64_t refused_until(const json_t *event, bool *refused) {
  const json_t *info = json_object_get(event, "rate_limit_info");
  json_int_t at = json_integer_value(json_object_get(info, "resetsAt"));
  *refused = is_type(event, "rate_limit_event") && ck_str_is(text_in(info, "status"), "rejected");
  return *refused && at > 0 && at <= SECONDS_MAX ? at * 1000 : 0;
}

static struct ck_str words_of(const json_t *result) {
  struct ck_str text = text_in(result, "result");
  const json_t *first = json_array_get(json_object_get(result, "errors"), 0);
  if (text.n || !json_is_string(first)) return text;
  return (struct ck_str){json_string_value(first), json_string_length(first)};
}

/* It has worked as long as its owner lets it: error_max_turns, error_max_budget_usd. */
static bool has_worked(const json_t *result) {
  return !json_is_true(json_object_get(result, "is_error")) ||
         ck_str_starts(text_in(result, "subtype"), "error_max_");
}

static void read_claude(struct renew_result *r, const json_t *result, const json_t *event,
                        int64_t now) {
  static const char *const names[] = {"input_tokens", "output_tokens",
                                      "cache_creation_input_tokens", "cache_read_input_tokens",
                                      NULL};
  struct ck_str text = words_of(result);
  json_int_t status = json_integer_value(json_object_get(result, "api_error_status"));
  bool refused;
  int64_t until = refused_until(event, &refused);
  if (has_worked(result)) {
    renew_result_set(r, RENEW_DONE, "%s", "");
    renew_words(r->text, text);
  } else if (refused || status == 429 || is_limit(text, true, now)) {
    limited(r, text, until, now);
  } else {
    failed(r, status >= 400 && status <= 599 ? renew_http_outcome((int)status) : RENEW_FAILED,
           text);
  }
  const json_t *cost = json_object_get(result, "total_cost_usd");
  if (json_is_number(cost) && json_number_value(cost) >= 0) r->cost = json_number_value(cost);
  r->tokens = sum(json_object_get(result, "usage"), names);
}

/* The result, which may be the last of a list in which the event is, too. */
static const json_t *result_in(const json_t *json, const json_t **event) {
  size_t i, n = json_array_size(json);
  const json_t *one;
  if (!json_is_array(json)) return json;
  json_array_foreach(json, i, one) if (is_type(one, "rate_limit_event")) *event = one;
  return n ? json_array_get(json, n - 1) : NULL;
}

/* ---- Codex ---- */

static void read_codex_end(struct renew_result *r, const json_t *end) {
  static const char *const names[] = {"input_tokens", "output_tokens", NULL};
  renew_result_set(r, RENEW_DONE, "%s", "");
  r->tokens = sum(json_object_get(end, "usage"), names);
}

static void read_codex_failure(struct renew_result *r, const json_t *end, int64_t now) {
  struct ck_str text = text_in(json_object_get(end, "error"), "message");
  if (is_limit(text, true, now))
    limited(r, text, 0, now);
  else
    failed(r, RENEW_FAILED, text);
}

/* ---- the whole ---- */

static bool read_json(struct renew_result *r, const struct renew_printed *p, int64_t now) {
  json_t *json = json_of(p->last), *before = json_of(p->refusal);
  const json_t *event = before, *end = result_in(json, &event);
  bool is = true;
  if (is_type(end, "result") && json_is_boolean(json_object_get(end, "is_error")))
    read_claude(r, end, event, now);
  else if (is_type(end, "turn.completed"))
    read_codex_end(r, end);
  else if (is_type(end, "turn.failed"))
    read_codex_failure(r, end, now);
  else
    is = false;
  json_decref(before);
  json_decref(json);
  return is;
}

bool renew_program_end(struct renew_result *r, const struct renew_printed *p, int64_t now) {
  if (read_json(r, p, now)) return true;
  bool answer = p->alone && is_limit(p->last, p->failed, now),
       error = p->failed && is_limit(p->said, true, now);
  if (answer || error) limited(r, answer ? p->last : p->said, 0, now);
  return answer || error;
}
