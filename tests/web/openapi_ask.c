/* See openapi_ask.h. */
#include "tests/web/openapi_ask.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/text.h"
#include "tests/harness/base.h"
#include "tests/web/client.h"

static json_t *doc, *good; /* good: {"POST /v1/pause": [{path, body}]} */
static const char *everything;

static const char *text(const json_t *o, const char *name) {
  const char *value = json_string_value(json_object_get(o, name));
  return value ? value : "";
}

void o_open(void) {
  char *why, *path = ck_sprintf("%s/docs/openapi.yaml", t_root());
  doc = t_openapi_read(path, &why);
  T_CHECK(doc, "%s: %s", path, why ? why : "is not there");
  good = json_object();
  free(path);
}

void o_close(void) {
  json_decref(doc);
  json_decref(good);
}

const json_t *o_document(void) { return doc; }
void o_use(const char *token) { everything = token; }

/* ---- what is documented ---- */

struct operation o_operation(const char *method, const char *path) {
  bool get = strcmp(method, "GET") == 0;
  const json_t *item = json_object_get(json_object_get(doc, "paths"), path),
               *as = json_object_get(item, get ? "get" : "post");
  T_CHECK(as, "%s %s is not documented", method, path);
  return (struct operation){get ? "GET" : "POST", path, as};
}

static const json_t *schema_of(const json_t *at, const char *type) {
  return json_object_get(json_object_get(json_object_get(at, "content"), type), "schema");
}

const json_t *o_body(const struct operation *o) {
  return schema_of(json_object_get(o->as, "requestBody"), "application/json");
}

const json_t *o_events(const struct operation *o) {
  return schema_of(json_object_get(json_object_get(o->as, "responses"), "200"),
                   "text/event-stream");
}

char *o_path(const char *of, const char *part) {
  const char *open = strchr(of, '{'), *close = strchr(of, '}');
  return open ? ck_sprintf("%.*s%s%s", (int)(open - of), of, part, close + 1) : ck_strdup(of);
}

/* ---- one answer ---- */

static void is_documented(const struct operation *o, const char *path, const struct t_reply *r) {
  char code[12], type[60];
  const char *is = t_reply_header(r, "Content-Type"), *name;
  snprintf(code, sizeof code, "%d", r->status);
  snprintf(type, sizeof type, "%.*s", is ? (int)strcspn(is, ";") : 0, is ? is : "");
  const json_t *answers = json_object_get(o->as, "responses"),
               *answer = t_openapi_of(doc, json_object_get(answers, code)),
               *media = json_object_get(json_object_get(answer, "content"), type);
  json_t *one;
  T_CHECK(answer, "%s %s is answered with %s, which is not documented: %.400s", o->method, path,
          code, r->body);
  T_CHECK(media, "%s %s: %s of the type '%s' is not documented", o->method, path, code, type);
  json_object_foreach(json_object_get(answer, "headers"), name, one)
      T_CHECK(t_reply_header(r, name), "%s %s: %s without %s", o->method, path, code, name);
  if (strcmp(type, "application/json") != 0) return;
  char *wrong = t_openapi_wrong(doc, json_object_get(media, "schema"), t_reply_json(r));
  T_CHECK(!wrong, "%s %s: %s%s\n%.2000s", o->method, path, code, wrong, r->body);
}

json_t *o_ask(const struct operation *o, int status, const char *path, const char *token,
              const char *headers, const char *body) {
  struct t_reply r = t_ask_web(o->method, path, token, headers, body);
  T_CHECK(!status || r.status == status, "%s %s %.200s: %d, not %d: %.400s", o->method, path,
          body ? body : "", r.status, status, r.body ? r.body : "");
  is_documented(o, path, &r);
  json_t *said = r.body && *r.body == '{' ? t_reply_json(&r) : NULL;
  t_reply_free(&r);
  return said;
}

/* ---- what is taken ---- */

json_t *o_take(int status, const char *method, const char *of, const char *path, const char *body) {
  const struct operation o = o_operation(method, of);
  char *json = body ? ck_strdup(body) : NULL, *key = ck_sprintf("%s %s", method, of);
  for (char *c = json; c && *c; ++c)
    if (*c == '\'') *c = '"';
  json_t *sent = json ? json_loads(json, 0, NULL) : NULL, *all = json_object_get(good, key);
  char *wrong = sent ? t_openapi_wrong(doc, o_body(&o), sent) : NULL;
  T_CHECK(!wrong, "%s %s: what is sent is documented otherwise%s", method, of, wrong);
  json_t *said = o_events(&o) ? NULL : o_ask(&o, status, path, everything, "", json);
  if (!all) json_object_set_new(good, key, all = json_array());
  json_array_append_new(all, json_pack("{s:s, s:o?}", "path", path, "body", sent));
  free(json), free(key);
  return said;
}

const json_t *o_taken(const struct operation *o) {
  char *key = ck_sprintf("%s %s", o->method, o->path);
  const json_t *all = json_object_get(good, key);
  T_CHECK(all, "%s was never taken", key);
  free(key);
  return all;
}

const char *o_first_path(const struct operation *o) {
  return text(json_array_get(o_taken(o), 0), "path");
}

char *o_first_body(const struct operation *o) {
  const json_t *body = json_object_get(json_array_get(o_taken(o), 0), "body");
  return json_is_object(body) || json_is_array(body) ? json_dumps(body, JSON_COMPACT) : NULL;
}

int o_send(const struct operation *o) {
  char *body = o_first_body(o),
       *request = ck_sprintf("%s %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\n"
                             "Content-Length: %zu\r\n\r\n%s",
                             o->method, o_first_path(o), t_web_host(), everything,
                             body ? strlen(body) : 0, body ? body : "");
  int fd = t_web_connect();
  t_web_send(fd, request, strlen(request));
  free(request), free(body);
  return fd;
}

int o_receive(const struct operation *o, int fd) {
  struct t_reply r = t_web_read(fd, 20000);
  is_documented(o, o->path, &r);
  int status = r.status;
  t_reply_free(&r);
  close(fd);
  return status;
}
