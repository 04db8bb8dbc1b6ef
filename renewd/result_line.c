/* See result_line.h. */
#include "renewd/result_line.h"

#include <jansson.h>
#include <math.h>
#include <string.h>

#include "proto/clock.h"
#include "proto/error.h"

#define TIME_MAX INT64_C(253402300799999) /* the end of the year 9999 */
/* How long a limit whose end is not told, or past, is left alone. */
#define LIMIT_MS 900000

static const struct {
  const char *word;
  enum renew_outcome outcome;
  int64_t wait; /* milliseconds, if `until` does not say */
} outcomes[] = {
    {"done", RENEW_DONE, 0},         {"retry", RENEW_RETRY, 0},
    {"failed", RENEW_FAILED, 0},     {"unknown", RENEW_UNKNOWN, 0},
    {"released", RENEW_RELEASED, 0}, {"limit", RENEW_RELEASED, LIMIT_MS},
};
#define OUTCOMES (sizeof outcomes / sizeof *outcomes)

static struct ck_str text_of(const json_t *v) {
  return (struct ck_str){json_string_value(v), json_string_length(v)};
}

static int read_outcome(struct renew_result *r, const json_t *o, struct ck_err *err) {
  const char *word = json_string_value(json_object_get(o, "outcome"));
  size_t i = word ? 0 : OUTCOMES;
  while (i < OUTCOMES && strcmp(outcomes[i].word, word) != 0) i++;
  if (i == OUTCOMES)
    return ck_fail(err,
                   "outcome: must be done, retry, failed, unknown, released or limit,"
                   " not %.60s",
                   word ? word : "something else than a text");
  r->outcome = outcomes[i].outcome;
  r->retry_after = outcomes[i].wait;
  r->limit = outcomes[i].wait > 0;
  return 0;
}

static int read_until(struct renew_result *r, const json_t *v, int64_t now, struct ck_err *err) {
  int64_t until;
  if (!v || json_is_null(v)) return 0;
  if (json_is_integer(v))
    until = json_integer_value(v);
  else if (!json_is_string(v) || ck_time_parse(text_of(v).s, text_of(v).n, &until))
    return ck_fail(err, "until: must be milliseconds since the epoch, or ISO 8601");
  if (until < 0 || until > TIME_MAX) return ck_fail(err, "until: is out of range");
  if (until > now) r->retry_after = until - now;
  if (r->limit) r->limit_until = until;
  return 0;
}

static int read_spent(struct renew_result *r, const json_t *o, struct ck_err *err) {
  const json_t *cost = json_object_get(o, "cost"), *tokens = json_object_get(o, "tokens");
  if (cost && !json_is_null(cost)) {
    r->cost = json_is_number(cost) ? json_number_value(cost) : -1;
    if (!(r->cost >= 0) || isinf(r->cost)) return ck_fail(err, "cost: must be a number from 0 on");
  }
  if (tokens && !json_is_null(tokens)) {
    r->tokens = json_is_integer(tokens) ? json_integer_value(tokens) : -1;
    if (r->tokens < 0) return ck_fail(err, "tokens: must be an integer from 0 on");
  }
  return 0;
}

static int read_text(struct renew_result *r, const json_t *v, struct ck_err *err) {
  if (!v || json_is_null(v)) return 0;
  if (!json_is_string(v)) return ck_fail(err, "text: must be a text");
  renew_words(r->text, text_of(v));
  return 0;
}

/* It was to be a result, but was cut off. */
static bool begins_as_result(struct ck_str line) {
  if (!line.n || line.s[0] != '{') return false;
  return ck_str_starts(ck_trim((struct ck_str){line.s + 1, line.n - 1}), "\"outcome\"");
}

bool renew_result_line(struct renew_result *r, struct ck_str line, int64_t now) {
  struct ck_err err;
  json_t *o = line.n && line.s[0] == '{' ? json_loadb(line.s, line.n, JSON_ALLOW_NUL, NULL) : NULL;
  bool is_result = json_object_get(o, "outcome") != NULL;
  if (!o && begins_as_result(line)) {
    renew_result_set(r, RENEW_UNKNOWN, "the result that it printed is cut off, or no JSON");
    return true;
  }
  if (is_result) {
    renew_result_set(r, RENEW_UNKNOWN, "%s", "");
    if (read_outcome(r, o, &err) || read_until(r, json_object_get(o, "until"), now, &err) ||
        read_spent(r, o, &err) || read_text(r, json_object_get(o, "text"), &err))
      renew_result_set(r, RENEW_UNKNOWN, "the result that it printed is wrong: %s", err.text);
    else if (r->outcome != RENEW_DONE)
      renew_result_error(r, r->text);
  }
  json_decref(o);
  return is_result;
}
