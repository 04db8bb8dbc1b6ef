/* POST /v1/pair: an extension gets a token for the code that a person has typed into it. */
#include "webd/api/api.h"

#include "proto/clock.h"

static json_t *words_of(unsigned scopes) {
  json_t *list = json_array();
  struct ck_buf words = {0};
  ck_scopes_text(&words, scopes);
  ck_buf_cstr(&words);
  char *rest = words.data;
  for (char *word; (word = strsep(&rest, ","));) json_array_append_new(list, json_string(word));
  ck_buf_free(&words);
  return list;
}

/* "1234 5678" is how it is shown. */
static void digits_of(struct ck_buf *b, const char *code) {
  for (; *code; ++code)
    if (*code != ' ') ck_buf_add(b, code, 1);
}

static void pair(struct webd *w, struct web_request *r, const char *code, const char *name) {
  char secret[CK_SECRET_TEXT];
  struct ck_buf digits = {0};
  struct ck_err err;
  struct web_who who;
  bool fits;
  digits_of(&digits, code);
  int rc = web_access_pair(w->access, ck_buf_view(&digits), ck_str_of(name), web_origin(r),
                           ck_now_ms(), &fits, secret, &err);
  ck_buf_free(&digits);
  if (rc) {
    web_refuse(r, WEB_REFUSED_REFUSED, "%s", err.text);
  } else if (!fits) {
    web_refuse(r, WEB_REFUSED_CODE,
               "this is not the code, or it was used, or is too old; after five tries a new one is "
               "needed: convkeep browser pair");
  } else {
    web_access_token(w->access, ck_str_of(secret), ck_now_ms(), &who);
    web_answer_json(r, 200,
                    json_pack("{s:s, s:o}", "token", secret, "scopes", words_of(who.scopes)));
  }
  explicit_bzero(secret, sizeof secret);
}

void web_api_pair(void *self, struct web_request *r) {
  json_error_t error;
  struct ck_str body = web_body(r);
  json_t *given = json_loadb(body.s ? body.s : "", body.n, JSON_REJECT_DUPLICATES, &error);
  const char *code, *name;
  if (!given ||
      json_unpack_ex(given, &error, JSON_STRICT, "{s:s, s:s}", "code", &code, "name", &name))
    web_refuse(r, WEB_REFUSED_SYNTAX, "the body must be {\"code\": text, \"name\": text}: %s",
               error.text);
  else
    pair(self, r, code, name);
  json_decref(given);
}
