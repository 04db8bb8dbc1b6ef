/* The forms of the page that change one thing: a job, a conversation, a pause. What they do is what
 * /v1 does (webd/ask/); what is new is that one comes back to where the form was. */
#include "webd/page/act.h"

#include <stdlib.h>

#include "proto/clock.h"
#include "proto/moment.h"

struct web_store page_store(const struct webd *w) {
  return (struct web_store){w->store, w->write};
}

char *page_field(const struct web_request *r, const char *name) {
  char *value = web_field(r, name);
  return value ? value : ck_strdup("");
}

bool page_field_time(struct web_request *r, const char *name, int64_t *ms) {
  char *text = page_field(r, name);
  struct ck_err err;
  int64_t now = ck_now_ms();
  bool given = ck_trim(ck_str_of(text)).n > 0;
  *ms = 0;
  bool bad = given && ck_moment_parse(text, now, ms, &err);
  if (bad) web_refuse(r, WEB_REFUSED_ARGUMENT, "%s: %s", name, err.text);
  bool passed = !bad && given && *ms <= now;
  if (passed) web_refuse(r, WEB_REFUSED_ARGUMENT, "%s: %.100s has passed", name, text);
  free(text);
  return !bad && !passed;
}

/* ---- coming back ---- */

/* An address of this server's views, of characters that stand in one. */
static bool leads_here(const char *path) {
  if (path[0] != '/' || path[1] == '/') return false;
  for (const char *c = path; *c; ++c)
    if (*c <= ' ' || *c > '~' || strchr("\\#\"<>", *c)) return false;
  return true;
}

struct page_act *page_act_new(struct webd *w, struct web_request *r, const char *place) {
  struct page_act *a = ck_zalloc(sizeof *a);
  char *back = page_field(r, "back");
  struct ck_buf b = {0};
  ck_buf_text(&b, leads_here(back) ? back : "/j");
  if (*place) {
    ck_buf_text(&b, "#");
    page_encode(&b, ck_str_of(place));
  }
  *a = (struct page_act){w, r, ck_str_dup(ck_buf_view(&b))};
  ck_buf_free(&b);
  free(back);
  return a;
}

void page_act_done(void *act, const struct web_changed *how) {
  struct page_act *a = act;
  if (how->end == WEB_DONE)
    web_redirect(a->r, a->back);
  else
    web_refuse_changed(a->r, how, "");
  free(a->back);
  free(a);
}

/* ---- one job ---- */

static const struct page_verb verbs[] = {
    {"arrived",
     WEB_JOB_ARRIVED,
     false,
     "It arrived",
     {"is known to have arrived", "It arrived"},
     {"are known to have arrived", "They arrived"}},
    {"retry", WEB_JOB_RETRY, false, "Send now", {"is due now", "Send"}, {"are due now", "Send"}},
    {"again",
     WEB_JOB_RETRY,
     false,
     "Send again",
     {"is due again", "Send again"},
     {"are due again", "Send again"}},
    {"anyway",
     WEB_JOB_RETRY,
     true,
     "Send anyway",
     {"is due, whatever was said", "Send anyway"},
     {"are due, whatever was said", "Send anyway"}},
    {"snooze",
     WEB_JOB_SNOOZE,
     false,
     "Later",
     {"waits longer", "Let it wait"},
     {"wait longer", "Let them wait"}},
    {"cancel",
     WEB_JOB_CANCEL,
     false,
     "Cancel",
     {"was cancelled", "Cancel"},
     {"were cancelled", "Cancel"}}};

const struct page_verb *page_verb(const char *word) {
  for (size_t i = 0; i < sizeof verbs / sizeof *verbs; ++i)
    if (strcmp(verbs[i].word, word) == 0) return &verbs[i];
  return NULL;
}

void page_change_job(void *self, struct web_request *r) {
  struct webd *w = self;
  const struct web_store store = page_store(w);
  struct web_job_wish wish = {0};
  char *word = page_field(r, "do");
  const struct page_verb *verb = page_verb(word);
  free(word);
  if (!web_args_known(r, "")) return;
  if (!verb) {
    web_refuse(r, WEB_REFUSED_ARGUMENT, "do: it names nothing that is done with a follow-up");
    return;
  }
  wish.verb = verb->verb;
  wish.anyway = verb->anyway;
  if (verb->verb == WEB_JOB_SNOOZE && !page_field_time(r, "until", &wish.until)) return;
  if (verb->verb == WEB_JOB_SNOOZE && !wish.until) {
    web_refuse(r, WEB_REFUSED_ARGUMENT, "until: when? a time, such as +2h");
    return;
  }
  char *place = ck_sprintf("j-%.*s", PAGE_STR(web_part(r, 0)));
  web_change_job(&store, web_part(r, 0), &wish, WEB_ANSWER_MS, page_act_done,
                 page_act_new(w, r, place));
  free(place);
}

/* ---- pauses ---- */

static void change_pause(struct webd *w, struct web_request *r, bool paused) {
  const struct web_store store = page_store(w);
  struct web_pause_wish wish = {.paused = paused};
  if (!web_args_known(r, "") || !page_field_time(r, "until", &wish.until)) return;
  char *kind = page_field(r, "kind"), *name = page_field(r, "name"), *to = page_field(r, "to");
  wish.kind = kind;
  wish.name = name;
  if (strcmp(to, "auto") == 0 || strcmp(to, "manual") == 0) wish.to = to;
  web_change_pause(&store, &wish, WEB_ANSWER_MS, page_act_done, page_act_new(w, r, ""));
  free(kind);
  free(name);
  free(to);
}

void page_pause(void *self, struct web_request *r) { change_pause(self, r, true); }
void page_resume(void *self, struct web_request *r) { change_pause(self, r, false); }

/* ---- a conversation ---- */

/* A field that is there is given; an empty one is as default says, "none" for what has no default.
 */
static const char *given(json_t *texts, const struct web_request *r, const char *name,
                         const char *empty) {
  char *value = web_field(r, name);
  if (!value) return NULL;
  struct ck_str trimmed = ck_trim(ck_str_of(value));
  json_object_set_new(texts, name,
                      trimmed.n ? json_stringn(trimmed.s, trimmed.n) : json_string(empty));
  free(value);
  return json_string_value(json_object_get(texts, name));
}

static void read_change(json_t *texts, const struct web_request *r,
                        struct ck_conversation_change *c) {
  c->automation = given(texts, r, "automation", "");
  c->until = given(texts, r, "until", "none");
  c->after = given(texts, r, "stop_after", "default");
  c->alike = given(texts, r, "stop_alike", "default");
  c->per_day = given(texts, r, "per_day", "default");
  c->cost_per_day = given(texts, r, "cost_per_day", "default");
  c->tokens_per_day = given(texts, r, "tokens_per_day", "default");
  c->text = given(texts, r, "stop_text", "default");
  c->question = given(texts, r, "stop_question", "default");
  c->quiet = given(texts, r, "quiet", "default");
  c->payload = given(texts, r, "payload", "default");
  c->account = given(texts, r, "account", "default");
}

static bool is_answer(const char *text) {
  return !text || strcmp(text, "yes") == 0 || strcmp(text, "no") == 0 ||
         strcmp(text, "default") == 0;
}

void page_change_conversation(void *self, struct web_request *r) {
  struct webd *w = self;
  const struct web_store store = page_store(w);
  struct ck_conversation_change change = {0};
  if (!web_args_known(r, "")) return;
  json_t *texts = json_object();
  read_change(texts, r, &change);
  if (!is_answer(change.question))
    web_refuse(r, WEB_REFUSED_ARGUMENT, "stop_question: it is yes, no or default");
  else if (!ck_changes_anything(&change))
    web_refuse(r, WEB_REFUSED_ARGUMENT, "there is nothing to change");
  else
    web_change_conversation(&store, web_part(r, 0), &change, json_incref(texts), WEB_ANSWER_MS,
                            page_act_done, page_act_new(w, r, "follow-ups"));
  json_decref(texts);
}

void page_renew(void *self, struct web_request *r) {
  struct webd *w = self;
  const struct web_store store = page_store(w);
  struct web_renew_wish wish = {.max_attempts = ck_set_int(w->settings, CK_SET_RENEW_MAX_ATTEMPTS)};
  if (!web_args_known(r, "") || !page_field_time(r, "at", &wish.at)) return;
  if (!wish.at) wish.at = ck_now_ms();
  char *payload = page_field(r, "payload");
  wish.payload = payload;
  if (!ck_trim(ck_str_of(payload)).n)
    web_refuse(r, WEB_REFUSED_ARGUMENT, "payload: what is to be said?");
  else
    web_renew(&store, w->renewd, web_part(r, 0), &wish, WEB_ANSWER_MS, page_act_done,
              page_act_new(w, r, "follow-ups"));
  free(payload);
}
