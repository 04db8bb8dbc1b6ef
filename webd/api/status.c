/* GET /v1/status: what the store says of itself and of the daemons that have reported to it. */
#include "webd/api/api.h"

static void heard(void *self, const struct web_said *said) {
  struct web_request *r = self;
  if (!said->answer)
    web_refuse_said(r, "the store", said);
  else if (said->answer->kind != CK_MSG_INFO)
    web_refuse_strange(r, "the store");
  else
    web_answer_packed(r, said->answer->as.info.info);
}

void web_api_status(void *self, struct web_request *r) {
  struct webd *w = self;
  struct ck_message request = {.kind = CK_MSG_STATUS};
  web_ask(w->store, &request, WEB_ANSWER_MS, heard, r);
}
