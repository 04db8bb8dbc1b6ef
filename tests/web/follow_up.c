/* See follow_up.h. */
#include "tests/web/follow_up.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "proto/text.h"
#include "tests/harness/base.h"
#include "tests/harness/ring.h"
#include "tests/harness/talk.h"
#include "tests/web/client.h"

const char *t_person(void) {
  static const char *token;
  if (!token) token = t_token("person", "read,admin");
  return token;
}

char *t_view(const char *path) { return t_page(200, path, t_person(), AS_BROWSER); }

void t_view_has(const char *path, const char *part) {
  char *body = t_view(path);
  t_page_has(body, part);
  free(body);
}

void t_view_has_not(const char *path, const char *part) {
  char *body = t_view(path);
  t_page_has_not(body, part);
  free(body);
}

void t_form_leads(const char *to, const char *path, const char *form) {
  struct t_reply r = t_ask_web("POST", path, t_person(), AS_FORM, form);
  const char *location = t_reply_header(&r, "Location");
  T_CHECK(r.status == 303 && location && strcmp(location, to) == 0, "%s %s: %d %s, not to %s\n%s",
          path, form, r.status, location ? location : "nowhere", to, r.body);
  t_reply_free(&r);
}

void t_form_refused(int status, const char *part, const char *path, const char *form) {
  struct t_reply r = t_ask_web("POST", path, t_person(), AS_FORM, form);
  T_CHECK(r.status == status && strstr(r.body, part), "%s %s: %d, not %d with %s\n%s", path, form,
          r.status, status, part, r.body);
  t_reply_free(&r);
}

void t_say(const char *platform, int n) {
  struct ck_buf b = {0};
  for (int i = 0; i < n; ++i)
    ck_buf_printf(&b,
                  "{'platform': '%s', 'conversation_id': 'c%d', 'message_id': '%s-m%d', "
                  "'role': 'user', 'text': 'said %d', 'observed_at': %d, 'client_id': 'ff1', "
                  "'page_title': 'Work %d'}\n",
                  platform, i, platform, i, i, i + 1, i);
  t_import_lines(0, "%s", ck_buf_cstr(&b));
  ck_buf_free(&b);
}

char *t_job_of(const char *conversation) {
  char *filter = ck_sprintf("{'local_conversation_id': '%s'}", conversation);
  json_t *jobs = t_query("renewal_jobs", filter, 1, 0);
  const char *id = t_text_at(jobs, "0.job_id");
  T_CHECK(id, "%s has no follow-up", conversation);
  char *copy = ck_strdup(id);
  json_decref(jobs);
  free(filter);
  return copy;
}

char *t_renew(const char *conversation, const char *at) {
  t_do(0, "renew", conversation, "--payload", "go on", "--at", at);
  return t_job_of(conversation);
}
