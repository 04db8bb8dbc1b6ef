/* What webd says of itself in status. */
#include "webd/webd.h"

#include "proto/map.h"

static void put_refused(struct ck_map *m, const struct web_counts *n) {
  struct ck_map refused = ck_pair_map(m, "refused");
  for (int i = 0; i < WEB_REFUSALS; ++i)
    if (n->refused[i]) ck_pair_uint(&refused, web_refusal_words[i], n->refused[i]);
  ck_map_close(&refused);
}

static void put_answers(struct ck_map *m, const struct web_counts *n) {
  static const char *const classes[] = {NULL, NULL, "2xx", "3xx", "4xx", "5xx"};
  struct ck_map answers = ck_pair_map(m, "answers");
  for (size_t i = 2; i < sizeof classes / sizeof *classes; ++i)
    ck_pair_uint(&answers, classes[i], n->answers[i]);
  ck_map_close(&answers);
}

void web_put_report(const struct webd *w, struct ck_buf *b) {
  const struct web_counts *n = web_http_counts(w->http);
  const struct web_names *names = web_http_names(w->http);
  const char *trouble = web_http_trouble(w->http), *access = web_access_trouble(w->access);
  struct ck_map m = ck_map_open(b);
  ck_pair_text_or_nil(&m, "address", trouble || !names ? NULL : web_names_address(names));
  ck_pair_uint(&m, "tokens", web_access_tokens(w->access));
  ck_pair_uint(&m, "connections", n->open);
  ck_pair_uint(&m, "streams", n->streams);
  ck_pair_uint(&m, "connected", n->connections);
  ck_pair_uint(&m, "requests", n->requests);
  put_answers(&m, n);
  put_refused(&m, n);
  ck_pair_text(&m, "last_error", trouble ? trouble : access ? access : "");
  ck_pair_int(&m, "last_error_at", trouble ? w->trouble_at : 0);
  ck_map_close(&m);
}
