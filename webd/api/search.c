/* GET /v1/search: the messages and titles that a query finds (docs/search.md). */
#include "webd/api/api.h"

#include <stdlib.h>

#include "proto/json.h"

#define LIMIT 20

static void answer(struct web_request *r, const struct ck_found *found) {
  json_t *hits = ck_json_of(found->hits);
  char *next = found->cursor.n ? ck_str_dup(found->cursor) : NULL;
  if (!json_is_array(hits)) {
    json_decref(hits);
    web_refuse_strange(r, "the store");
  } else {
    web_answer_json(r, 200,
                    json_pack("{s:o, s:I, s:b, s:s?, s:I, s:b, s:b}", "hits", hits, "count",
                              (json_int_t)found->count, "more", found->more, "next", next, "behind",
                              (json_int_t)found->behind, "cut", found->cut, "timed_out",
                              found->timed_out));
  }
  free(next);
}

static void heard(void *self, const struct web_said *said) {
  struct web_request *r = self;
  if (!said->answer)
    web_refuse_said(r, "the store", said);
  else if (said->answer->kind != CK_MSG_FOUND)
    web_refuse_strange(r, "the store");
  else
    answer(r, &said->answer->as.found);
}

static struct ck_str text_of(const struct web_request *r, const char *name) {
  return ck_str_of(web_arg(r, name));
}

void web_api_search(void *self, struct web_request *r) {
  struct webd *w = self;
  struct ck_message m = {.kind = CK_MSG_SEARCH};
  struct ck_search *s = &m.as.search;
  *s = (struct ck_search){0};
  int64_t limit = LIMIT, rank = 0;
  if (!web_arg_number(r, "limit", 1, CK_SEARCH_MAX, &limit) ||
      !web_arg_number(r, "rank", 0, 1, &rank) || !web_arg_moment(r, "since", &s->since) ||
      !web_arg_moment(r, "until", &s->until))
    return;
  s->query = text_of(r, "q");
  s->limit = (uint64_t)limit;
  s->cursor = text_of(r, "cursor");
  s->rank = rank != 0;
  s->conversation = text_of(r, "conversation");
  s->platform = text_of(r, "platform");
  s->role = text_of(r, "role");
  if (web_ask(w->store, &m, WEB_ANSWER_MS, heard, r))
    web_refuse(r, WEB_REFUSED_ARGUMENT, "the query is too long");
}
