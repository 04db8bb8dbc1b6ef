/* POST /v1/conversations/ID: what `convkeep set` changes. */
#include "webd/api/api.h"

#include <stdio.h>
#include <stdlib.h>

#include "proto/payload.h"

/* A number as a person writes it: 2.5, not 2.500000000. */
static json_t *number_of(json_t *value) {
  char number[400];
  int n = json_is_integer(value)
              ? snprintf(number, sizeof number, "%lld", (long long)json_integer_value(value))
              : snprintf(number, sizeof number, "%.9f", json_real_value(value));
  if (json_is_real(value)) {
    while (number[n - 1] == '0') --n;
    if (number[n - 1] == '.') --n;
  }
  return json_stringn(number, (size_t)n);
}

/* A value as a person writes it; text, a number or a truth value. It is kept in texts. NULL: it is
 * none of these. */
static const char *word_of(json_t *texts, const char *name, json_t *value) {
  json_t *text = json_is_string(value)   ? json_incref(value)
                 : json_is_number(value) ? number_of(value)
                 : json_is_true(value)   ? json_string("yes")
                 : json_is_false(value)  ? json_string("no")
                                         : NULL;
  if (text) json_object_set_new(texts, name, text);
  return json_string_value(text);
}

static const char **place_of(struct ck_conversation_change *c, const char *name) {
#define CK_F(field, option, member) \
  if (strcmp(name, member) == 0) return &c->field;
  CK_CONVERSATION_CHANGES(CK_F)
#undef CK_F
  return NULL;
}

static int check_words(const struct ck_conversation_change *c, struct ck_err *err) {
  static const char *const answers[] = {"yes", "no", "default"};
  bool known = !c->question;
  for (size_t i = 0; i < sizeof answers / sizeof *answers; ++i)
    known |= c->question && strcmp(c->question, answers[i]) == 0;
  if (!known) return ck_fail(err, "stop_question: must be true, false or \"default\"");
  if (c->payload_kind && ck_payload_kind(ck_str_of(c->payload_kind)) < 0)
    return ck_fail(err, "payload_kind: must be one of " CK_PAYLOAD_KINDS);
  if (!ck_changes_anything(c)) return ck_fail(err, "there is nothing to change");
  return 0;
}

static int read_change(json_t *body, json_t *texts, struct ck_conversation_change *c,
                       struct ck_err *err) {
  const char *name;
  json_t *value;
  json_object_foreach(body, name, value) {
    const char **place = place_of(c, name);
    if (!place) return ck_fail(err, "%.60s: there is no such member", name);
    *place = word_of(texts, name, value);
    if (!*place) return ck_fail(err, "%s: must be text or a number", name);
  }
  return check_words(c, err);
}

static void changed(void *self, const struct web_changed *how) {
  web_answer_changed(self, CK_CONVERSATIONS, how);
}

void web_api_set(void *self, struct web_request *r) {
  struct webd *w = self;
  const struct web_store store = {w->store, w->write};
  struct ck_conversation_change change = {0};
  struct ck_err err;
  json_t *body = web_json_body(r), *texts = json_object();
  if (body && read_change(body, texts, &change, &err) == 0)
    web_change_conversation(&store, web_part(r, 0), &change, json_incref(texts), WEB_ANSWER_MS,
                            changed, r);
  else if (body)
    web_refuse(r, WEB_REFUSED_SYNTAX, "the body: %s", err.text);
  json_decref(texts);
  json_decref(body);
}
