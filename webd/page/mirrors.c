/* /m: the mirrors. What the store says of them, and the rows that they refuse; these can be sent
 * again. */
#include "webd/page/mirrors.h"

#include <stdlib.h>

#include "proto/clock.h"
#include "proto/json.h"

/* ---- the page ---- */

struct asking {
  struct webd *w;
  struct web_request *r;
  json_t *info;
};

static void asking_free(void *self) {
  struct asking *a = self;
  json_decref(a->info);
  free(a);
}

static void heard_letters(void *self, const struct web_said *said) {
  struct asking *a = self;
  struct page_rows rows;
  struct ck_buf b = {0};
  if (!page_heard_rows(a->r, said, &rows, asking_free, a)) return;
  json_t *letters = ck_json_of(said->answer->as.rows.rows);
  page_mirrors_html(&b, a->r, a->info, letters, ck_now_ms());
  web_answer(a->r, 200, WEB_HTML, &b);
  json_decref(letters);
  asking_free(a);
}

static void heard_status(void *self, const struct web_said *said) {
  struct asking *a = self;
  const struct ck_query query = {.table = CK_LIT("dead_letters"), .limit = PAGE_LETTERS};
  a->info = said->answer && said->answer->kind == CK_MSG_INFO
                ? ck_json_of(said->answer->as.info.info)
                : NULL;
  if (a->info && page_ask(a->w, a->r, &query, heard_letters, a)) return;
  if (!said->answer)
    web_refuse_said(a->r, "the store", said);
  else if (!a->info)
    web_refuse_strange(a->r, "the store");
  asking_free(a);
}

void page_mirrors(void *self, struct web_request *r) {
  struct webd *w = self;
  struct ck_message request = {.kind = CK_MSG_STATUS};
  if (!web_args_known(r, "again")) return;
  struct asking *a = ck_zalloc(sizeof *a);
  *a = (struct asking){.w = w, .r = r};
  web_ask(w->store, &request, WEB_ANSWER_MS, heard_status, a);
}

/* ---- sending again ---- */

struct retry {
  struct web_request *r;
  long long retried;
  char *error;
};

static void heard_retry(void *self, json_t *line, bool error) {
  struct retry *retry = self;
  if (error) {
    free(retry->error);
    retry->error = ck_strdup(page_member(line, "error"));
  } else {
    retry->retried = page_number(line, "retried");
  }
}

static void retried(void *self, int code) {
  struct retry *retry = self;
  char *back = ck_sprintf("/m?again=%lld", retry->retried);
  if (code == 0)
    web_redirect(retry->r, back);
  else if (code == 3 || code < 0)
    web_refuse_for(retry->r, WEB_REFUSED_AWAY, 2, "%s",
                   retry->error ? retry->error : "it was not sent again");
  else
    web_refuse(retry->r, WEB_REFUSED_REFUSED, "%s", retry->error ? retry->error : "it failed");
  free(back);
  free(retry->error);
  free(retry);
}

void page_retry(void *self, struct web_request *r) {
  struct webd *w = self;
  char *sink = web_field(r, "sink"), *key = web_field(r, "key");
  struct ck_err err;
  const char *const words[] = {"sync", "retry", "--sink", sink, key ? "--" : NULL, key, NULL};
  if (!sink || !ck_settings_has_sink(w->settings, sink)) {
    web_refuse(r, WEB_REFUSED_MISSING, "sync.sinks names no such mirror");
  } else {
    struct retry *retry = ck_zalloc(sizeof *retry);
    retry->r = r;
    const struct web_command_wish wish = {
        .words = words, .line = heard_retry, .ended = retried, .self = retry};
    if (web_command(w->commands, &wish, &err)) {
      web_refuse_for(r, WEB_REFUSED_BUSY, 2, "%s", err.text);
      free(retry);
    }
  }
  free(sink);
  free(key);
}
