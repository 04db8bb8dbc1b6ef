/* What the store and ingest say, as answers. */
#include "webd/webd.h"

#include <stdlib.h>

/* Codes of PROBLEM that are about what was asked. */
static const struct {
  const char *code;
  enum web_refusal why;
} codes[] = {{CK_BAD_CURSOR, WEB_REFUSED_ARGUMENT},
             {"bad_request", WEB_REFUSED_ARGUMENT},
             {"query", WEB_REFUSED_ARGUMENT},
             {"ambiguous", WEB_REFUSED_ARGUMENT},
             {"busy", WEB_REFUSED_BUSY},
             {"refused", WEB_REFUSED_REFUSED}};

void web_refuse_said(struct web_request *r, const char *who, const struct web_said *said) {
  enum web_refusal why = WEB_REFUSED_FAILED;
  if (!said->code.n) {
    web_refuse_for(r, WEB_REFUSED_AWAY, 2, "%s does not answer", who);
    return;
  }
  for (size_t i = 0; i < sizeof codes / sizeof *codes; ++i)
    if (ck_str_is(said->code, codes[i].code)) why = codes[i].why;
  if (why == WEB_REFUSED_BUSY)
    web_refuse_for(r, why, 1, "%.*s", (int)said->reason.n, said->reason.s);
  else
    web_refuse(r, why, "%.*s", (int)said->reason.n, said->reason.s);
}

void web_refuse_strange(struct web_request *r, const char *who) {
  web_refuse(r, WEB_REFUSED_FAILED, "%s answers something else than what was asked", who);
}

void web_refuse_changed(struct web_request *r, const struct web_changed *how, const char *where) {
  switch (how->end) {
  case WEB_DONE:
    break;
  case WEB_NONE:
    web_refuse(r, WEB_REFUSED_MISSING, "%s", how->reason);
    break;
  case WEB_DENIED:
    web_refuse(r, WEB_REFUSED_REFUSED, "%s", how->reason);
    break;
  case WEB_INVALID:
    web_refuse(r, WEB_REFUSED_SYNTAX, "%s%s", where, how->reason);
    break;
  case WEB_SILENCE:
    web_refuse_for(r, WEB_REFUSED_AWAY, 2,
                   "the store has not answered, and may still do it; the same again is harmless");
    break;
  }
}

void web_answer_json(struct web_request *r, unsigned status, json_t *value) {
  struct ck_buf b = {0};
  char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
  if (text) ck_buf_text(&b, text);
  ck_buf_text(&b, "\n");
  free(text);
  json_decref(value);
  web_answer(r, status, WEB_JSON, &b);
}

void web_answer_packed(struct web_request *r, struct ck_str value) {
  struct ck_buf b = {0};
  struct ck_reader in = ck_reader_of(value);
  if (ck_read_json(&in, &b)) {
    ck_buf_free(&b);
    web_refuse(r, WEB_REFUSED_FAILED, "the answer cannot be shown as JSON");
    return;
  }
  ck_buf_text(&b, "\n");
  web_answer(r, 200, WEB_JSON, &b);
}
