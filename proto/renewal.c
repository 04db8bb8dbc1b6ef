/* See renewal.h. */
#include "proto/renewal.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "proto/cost.h"
#include "proto/moment.h"

static int read_number(const json_t *o, const char *name, int64_t least, int64_t most,
                       int64_t *number, struct ck_err *err) {
  const json_t *v = json_object_get(o, name);
  if (!v) return 0;
  int64_t n = json_integer_value(v);
  if (json_is_integer(v) && n >= least && n <= most) {
    *number = n;
    return 0;
  }
  return ck_fail(err, "renewal.%s: must be an integer from %lld to %lld", name, (long long)least,
                 (long long)most);
}

/* The range is that of cost.h. A number so small that it would be none, which is any, is wrong. */
static int read_cost(const json_t *o, const char *name, int64_t *cost, struct ck_err *err) {
  const json_t *v = json_object_get(o, name);
  if (!v) return 0;
  double n = json_number_value(v);
  bool vanishes = n > 0 && ck_cost_of(n) == 0;
  if (!json_is_number(v) || n < 0 || n > (double)(CK_COST_MAX / CK_COST_ONE) || vanishes)
    return ck_fail(err, "renewal.%s: must be a number from 0 to %lld", name,
                   (long long)(CK_COST_MAX / CK_COST_ONE));
  *cost = ck_cost_of(n);
  return 0;
}

static int read_text(const json_t *o, const char *name, char **text, struct ck_err *err) {
  const json_t *v = json_object_get(o, name);
  if (!v) return 0;
  if (!json_is_string(v)) return ck_fail(err, "renewal.%s: must be a text", name);
  *text = ck_str_dup((struct ck_str){json_string_value(v), json_string_length(v)});
  return 0;
}

static int read_kind(const json_t *o, enum ck_payload_kind *kind, struct ck_err *err) {
  const json_t *v = json_object_get(o, "payload_kind");
  const char *word = json_string_value(v);
  int read = word ? ck_payload_kind(ck_str_of(word)) : -1;
  if (read >= 0) *kind = (enum ck_payload_kind)read;
  if (!v || read >= 0) return 0;
  return ck_fail(err, "renewal.payload_kind: must be one of " CK_PAYLOAD_KINDS);
}

static int read_question(const json_t *o, enum ck_wished *question, struct ck_err *err) {
  const json_t *v = json_object_get(o, "question");
  if (!v) return 0;
  if (!json_is_boolean(v)) return ck_fail(err, "renewal.question: must be true or false");
  *question = json_is_true(v) ? CK_WISHED : CK_UNWISHED;
  return 0;
}

static const struct ck_renewal nothing_said = {
    .alike = -1, .per_day = -1, .cost_per_day = -1, .tokens_per_day = -1};

/* Every member is read, also after one that is wrong. */
static int read_all(struct ck_renewal *r, const json_t *o, struct ck_err *first) {
  struct ck_err err[12];
  int wrong[12], rc = 0;
  wrong[0] = read_number(o, "until", 1, INT64_C(253402300799999), &r->until, &err[0]);
  wrong[1] = read_number(o, "in_a_row", 1, CK_RENEWAL_NUMBER_MAX, &r->in_a_row, &err[1]);
  wrong[2] = read_number(o, "alike", 0, CK_RENEWAL_NUMBER_MAX, &r->alike, &err[2]);
  wrong[3] = read_number(o, "per_day", 0, CK_RENEWAL_NUMBER_MAX, &r->per_day, &err[3]);
  wrong[4] = read_cost(o, "cost_per_day", &r->cost_per_day, &err[4]);
  wrong[5] =
      read_number(o, "tokens_per_day", 0, CK_RENEWAL_TOKENS_MAX, &r->tokens_per_day, &err[5]);
  wrong[6] = read_question(o, &r->question, &err[6]);
  wrong[7] = read_text(o, "text", &r->text, &err[7]);
  wrong[8] = read_text(o, "quiet", &r->quiet, &err[8]);
  wrong[9] = read_text(o, "payload", &r->payload, &err[9]);
  wrong[10] = read_kind(o, &r->payload_kind, &err[10]);
  wrong[11] = read_text(o, "account", &r->account, &err[11]);
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong && rc == 0; i++)
    if (wrong[i]) rc = ck_fail(first, "%s", err[i].text);
  return rc;
}

int ck_renewal_read(struct ck_renewal *r, struct ck_str json, struct ck_err *err) {
  *r = nothing_said;
  if (!json.n) return 0;
  json_t *o = json_loadb(json.s, json.n, 0, NULL);
  int rc = json_is_object(o) ? read_all(r, o, err) : ck_fail(err, "renewal: is no JSON object");
  json_decref(o);
  return rc;
}

void ck_renewal_free(struct ck_renewal *r) {
  free(r->text);
  free(r->quiet);
  free(r->payload);
  free(r->account);
  *r = nothing_said;
}

static void add_number(json_t *o, const char *name, bool said, int64_t number) {
  if (said) json_object_set_new(o, name, json_integer(number));
}

/* A whole number is one in JSON, too. */
static void add_cost(json_t *o, const char *name, int64_t cost) {
  if (cost < 0) return;
  bool whole = cost % CK_COST_ONE == 0;
  json_object_set_new(o, name,
                      whole ? json_integer(cost / CK_COST_ONE)
                            : json_real((double)cost / (double)CK_COST_ONE));
}

void ck_renewal_json(struct ck_buf *b, const struct ck_renewal *r) {
  json_t *o = json_object();
  add_number(o, "until", r->until > 0, r->until);
  add_number(o, "in_a_row", r->in_a_row > 0, r->in_a_row);
  add_number(o, "alike", r->alike >= 0, r->alike);
  add_number(o, "per_day", r->per_day >= 0, r->per_day);
  add_cost(o, "cost_per_day", r->cost_per_day);
  add_number(o, "tokens_per_day", r->tokens_per_day >= 0, r->tokens_per_day);
  if (r->question != CK_AS_SET)
    json_object_set_new(o, "question", json_boolean(r->question == CK_WISHED));
  if (r->text) json_object_set_new(o, "text", json_string_nocheck(r->text));
  if (r->quiet) json_object_set_new(o, "quiet", json_string_nocheck(r->quiet));
  if (r->payload) json_object_set_new(o, "payload", json_string_nocheck(r->payload));
  if (r->payload && r->payload_kind != CK_PAYLOAD_TEXT)
    json_object_set_new(o, "payload_kind", json_string(ck_payload_kind_name(r->payload_kind)));
  if (r->account) json_object_set_new(o, "account", json_string_nocheck(r->account));
  char *text = json_object_size(o) ? json_dumps(o, JSON_COMPACT | JSON_REAL_PRECISION(15)) : NULL;
  if (text) ck_buf_text(b, text);
  free(text);
  json_decref(o);
}

static void between(struct ck_buf *b, size_t from) {
  if (b->len > from) ck_buf_text(b, ", ");
}

static void say_number(struct ck_buf *b, size_t from, int64_t n, const char *none,
                       const char *before, const char *after) {
  if (n < 0) return;
  between(b, from);
  if (n == 0)
    ck_buf_text(b, none);
  else
    ck_buf_printf(b, "%s%lld%s", before, (long long)n, after);
}

static void say_cost(struct ck_buf *b, size_t from, int64_t cost) {
  if (cost < 0) return;
  between(b, from);
  ck_buf_text(b, cost ? "a cost of " : "at any cost");
  if (cost) ck_cost_text(b, cost);
  if (cost) ck_buf_text(b, " a day");
}

static void say_text(struct ck_buf *b, size_t from, const char *before, const char *text) {
  between(b, from);
  ck_buf_text(b, before);
  ck_buf_summary(b, ck_str_of(text), 80);
}

void ck_renewal_text(struct ck_buf *b, const struct ck_renewal *r) {
  size_t from = b->len;
  if (r->until) {
    ck_buf_text(b, "until ");
    ck_moment_text(b, r->until);
  }
  if (r->in_a_row) say_number(b, from, r->in_a_row, "", "", " in a row");
  if (r->text && *r->text) say_text(b, from, "until the answer has ", r->text);
  if (r->text && !*r->text) say_text(b, from, "whatever the answer has", "");
  say_number(b, from, r->alike, "also after answers alike", "until ", " answers are alike");
  say_number(b, from, r->per_day, "any number a day", "", " a day");
  say_cost(b, from, r->cost_per_day);
  say_number(b, from, r->tokens_per_day, "any number of tokens a day", "", " tokens a day");
  if (r->question != CK_AS_SET)
    say_text(b, from, r->question == CK_WISHED ? "until a question" : "also after a question", "");
  if (r->quiet && *r->quiet) say_text(b, from, "not ", r->quiet);
  if (r->quiet && !*r->quiet) say_text(b, from, "at any hour", "");
  if (r->payload) say_text(b, from, "saying ", r->payload);
  if (r->account) say_text(b, from, "charged to the account ", r->account);
}
