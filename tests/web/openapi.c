/* docs/openapi.yaml against webd: each operation is really asked, well and badly, and each answer
 * has a status, a type and members that are documented. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/text.h"
#include "tests/harness/base.h"
#include "tests/harness/ring.h"
#include "tests/harness/talk.h"
#include "tests/web/client.h"
#include "tests/web/follow_up.h"
#include "tests/web/openapi_ask.h"
#include "tests/web/stream.h"

#define SCOPES "capture,deliver,read,admin"

static const char *token, *reader, *writer; /* with all scopes; with one */

static const char *text(const json_t *o, const char *name) {
  const char *value = json_string_value(json_object_get(o, name));
  return value ? value : "";
}

/* ---- what is taken ---- */

/* An export may have any member; so what was taken is compared with this schema alone. */
static void is_an_observation(const char *path) {
  const struct operation o = o_operation("POST", path);
  json_t *schema = json_pack("{s:s}", "$ref", "#/components/schemas/Observation");
  const json_t *body = json_object_get(json_array_get(o_taken(&o), 0), "body");
  char *wrong = t_openapi_wrong(o_document(), schema, body);
  T_CHECK(!wrong, "an observation%s", wrong);
  json_decref(schema);
}

static void observations(void) {
  static const char at[] = "/v1/observations";
  o_take(200, "POST", at, at,
         "{'platform': 'y', 'text': 'Hi', 'role': 'assistant', 'conversation_id': 'c',"
         " 'parent_id': 'p', 'message_id': 'all', 'observed_at': 1700000000000,"
         " 'page_url': 'https://y.example/c', 'page_title': 'T', 'client_id': 'ff2',"
         " 'organization_id': 'o', 'target': {'kind': 'client', 'id': 'ff2', 'payload': {'a': 1}},"
         " 'execution': {'instruction_id': 'i', 'target': 't', 'tool': 'u', 'params': {'b': 2},"
         " 'result_ok': true, 'result': 'r', 'error': 'e', 'http_status': 200, 'executed_at': 1}}");
  is_an_observation(at);
  o_take(200, "POST", at, at,
         "[{'platform': 'y', 'text': 'one'}, {'platform': 'y', 'text': 'two'}]");
  const struct operation o = o_operation("POST", at);
  o_ask(&o, 200, "/v1/observations?name=lines", token, "Content-Type: application/x-ndjson\r\n",
        "{\"platform\":\"y\",\"text\":\"a\"}\n{\"platform\":\"y\",\"text\":\"b\"}\n");
  o_ask(&o, 207, at, token, "", "[{\"platform\":\"y\",\"text\":\"c\"}, 7]");
  o_ask(&o, 422, at, token, "", "{\"text\":\"no platform\"}");
  o_ask(&o, 422, at, token, "", "{\"nothing\":\"that anybody knows\"}");
  char *path = ck_sprintf("%s/samples/chatgpt.json", t_root()), *export = t_read_file(path, NULL);
  o_ask(&o, 200, at, token, "", export);
  free(path), free(export);
}

static json_t *with(int status, const char *of, const char *part, const char *body) {
  char *path = o_path(of, part);
  json_t *said = o_take(status, "POST", of, path, body);
  free(path);
  return said;
}

static json_t *the_offer(void) {
  json_t *said = NULL;
  T_UNTIL(20000,
          (said = o_take(200, "GET", "/v1/deliveries", "/v1/deliveries?client=ff1&wait=5", NULL),
           t_at(said, "deliveries.0")),
          "nothing is offered");
  return t_at(said, "deliveries.0");
}

static void deliveries(const char *id) {
  char *body = ck_sprintf("{'client': 'ff1', 'offer': '%s', 'token': 't', 'lease_ms': 60000}",
                          t_text_at(the_offer(), "offer"));
  with(200, "/v1/deliveries/{job}/claim", id, body);
  with(200, "/v1/deliveries/{job}/extend", id, "{'attempt': 1, 'token': 't', 'lease_ms': 60000}");
  with(200, "/v1/deliveries/{job}/end", id,
       "{'attempt': 1, 'token': 't', 'outcome': 'released', 'error': 'not yet', 'message_id': 'm',"
       " 'next_attempt_at': 4000000000000, 'cooldown_until': 1, 'result': {'cost': 1}}");
  free(body);
}

static void changes(const char *id) {
  with(200, "/v1/conversations/{id}", "x:c1",
       "{'automation': 'auto', 'title': 'T', 'summary': 'S', 'cooldown_until': '+1h',"
       " 'until': 4000000000000, 'stop_after': 5, 'stop_alike': '3', 'per_day': 7,"
       " 'cost_per_day': 2.5, 'tokens_per_day': 1000, 'stop_text': 'DONE', 'stop_question': false,"
       " 'quiet': '23:00-07:00', 'payload': 'go', 'payload_kind': 'text', 'account': 'work'}");
  with(200, "/v1/jobs/{job}/snooze", id, "{'until': '+2h', 'anyway': true}");
  with(200, "/v1/jobs/{job}/cancel", id, "{}");
  with(200, "/v1/jobs/{job}/retry", id, "{'anyway': true}");
  with(200, "/v1/pause", "", "{'kind': 'platform', 'name': 'y', 'until': '+1h'}");
  with(200, "/v1/resume", "", "{'kind': 'conversation', 'name': 'x:c1', 'to': 'manual'}");
}

static void reading(void) {
  static const char *const paths[] = {
      "/v1/status", "/v1/conversations",        "/v1/messages", "/v1/jobs", "/v1/search?q=said",
      "/metrics",   "/v1/deliveries?client=ff1"};
  for (size_t i = 0; i < sizeof paths / sizeof *paths; ++i) {
    char *of = ck_sprintf("%.*s", (int)strcspn(paths[i], "?"), paths[i]);
    o_take(200, "GET", of, paths[i], NULL);
    free(of);
  }
  o_take(200, "GET", "/v1/events", "/v1/events", NULL);
  o_take(200, "GET", "/v1/conversations/{id}", "/v1/conversations/x%3Ac1", NULL);
}

static void pairing(void) {
  json_t *said = t_lines(0, "browser", "pair");
  char *body = ck_sprintf("{'code': '%s', 'name': 'paired'}", t_text_at(said, "0.code"));
  o_take(200, "POST", "/v1/pair", "/v1/pair", body);
  const struct operation o = o_operation("POST", "/v1/pair");
  o_ask(&o, 403, "/v1/pair", NULL, "", "{\"code\":\"00000000\",\"name\":\"other\"}");
  free(body);
  json_decref(said);
}

/* ---- arguments ---- */

/* The path of the operation with what it needs, then that argument. */
static char *path_with(const struct operation *o, const char *name, const char *value) {
  const char *path = o_first_path(o);
  const json_t *one;
  struct ck_buf b = {0};
  size_t i, n = 0;
  char *encoded = t_in_query(value);
  ck_buf_add(&b, path, strcspn(path, "?"));
  json_array_foreach(json_object_get(o->as, "parameters"), i, one) {
    const json_t *p = t_openapi_of(o_document(), one);
    bool needed = json_is_true(json_object_get(p, "required")) && !strcmp(text(p, "in"), "query");
    if (needed && strcmp(text(p, "name"), name) != 0)
      ck_buf_printf(&b, "%c%s=ff1", n++ ? '&' : '?', text(p, "name"));
  }
  ck_buf_printf(&b, "%c%s=%s", n ? '&' : '?', name, encoded);
  char *whole = ck_strdup(ck_buf_cstr(&b));
  ck_buf_free(&b);
  free(encoded);
  return whole;
}

/* What an event has is documented. */
static void read_stream(const struct operation *o, const char *path, const char *last) {
  struct t_stream *s = t_stream(path, token, last);
  for (int i = 0; i < (last || strstr(path, "after=") ? 4 : 1); ++i) {
    const struct t_event *e = t_stream_next(s, 10000);
    T_CHECK(e, "%s has no event %d", path, i);
    char *wrong = t_openapi_wrong(o_document(), o_events(o), e->data);
    T_CHECK(!wrong, "%s: an event %s%s", path, e->event, wrong);
  }
  t_stream_close(&s);
}

static void argument(const struct operation *o, int status, const char *name, const char *value) {
  char *path = path_with(o, name, value), *json = o_first_body(o);
  if (o_events(o) && status == 200)
    read_stream(o, path, NULL);
  else
    o_ask(o, status, path, token, "", json);
  free(json);
  free(path);
}

static void number(const struct operation *o, const char *name, const json_t *schema) {
  static const struct {
    const char *bound;
    int beyond;
  } bounds[] = {{"minimum", -1}, {"maximum", 1}};
  for (size_t i = 0; i < 2; ++i) {
    const json_t *bound = json_object_get(schema, bounds[i].bound);
    char value[24];
    if (!bound) continue;
    snprintf(value, sizeof value, "%lld", (long long)json_integer_value(bound));
    argument(o, 200, name, value);
    snprintf(value, sizeof value, "%lld", (long long)json_integer_value(bound) + bounds[i].beyond);
    argument(o, 400, name, value);
  }
}

/* The cursor of a page with one row. */
static void cursor(const struct operation *o) {
  const char *path = o_first_path(o);
  char *one = ck_sprintf("%s%climit=1", path, strchr(path, '?') ? '&' : '?');
  const char *next = t_text_at(o_ask(o, 200, one, token, "", NULL), "next");
  T_CHECK(next, "%s has no next", one);
  char *after = t_in_query(next), *whole = ck_sprintf("%s&cursor=%s", one, after);
  o_ask(o, 200, whole, token, "", NULL);
  free(one), free(after), free(whole);
}

static const char *sample(const char *name) {
  static const char *const samples[][2] = {{"since", "2001-01-01"},
                                           {"until", "+1h"},
                                           {"next_attempt_at_max", "+1d"},
                                           {"q", "said"},
                                           {"tables", "messages,sessions"},
                                           {"after", "0"},
                                           {"client", "ff1"}};
  for (size_t i = 0; i < sizeof samples / sizeof *samples; ++i)
    if (strcmp(samples[i][0], name) == 0) return samples[i][1];
  return "x";
}

static void parameter(const struct operation *o, const json_t *p) {
  const char *name = text(p, "name"), *in = text(p, "in");
  const json_t *schema = json_object_get(p, "schema"), *choice;
  size_t i;
  if (strcmp(in, "header") == 0) {
    read_stream(o, o->path, "0");
  } else if (strcmp(in, "query") != 0) {
    return;
  } else if (strcmp(name, "cursor") == 0) {
    cursor(o);
  } else if (strcmp(text(schema, "type"), "integer") == 0) {
    number(o, name, schema);
  } else if (json_object_get(schema, "enum")) {
    json_array_foreach(json_object_get(schema, "enum"), i, choice)
        argument(o, 200, name, json_string_value(choice));
  } else {
    argument(o, 200, name, sample(name));
  }
}

/* ---- what is documented, and what is refused ---- */

/* Each member of the schema has been sent. place: for people. */
static void all_sent(const json_t *schema, const json_t *sent, const char *place) {
  const json_t *s = t_openapi_of(o_document(), schema), *one;
  const char *name;
  json_t *of;
  size_t i;
  json_array_foreach(json_object_get(s, "anyOf"), i, one) all_sent(one, sent, place);
  json_object_foreach(json_object_get(s, "properties"), name, of) {
    json_t *values = json_array();
    char *within = ck_sprintf("%s.%s", place, name);
    json_array_foreach(sent, i, one) {
      json_t *value = json_object_get(one, name);
      if (value) json_array_append(values, value);
    }
    T_CHECK(json_array_size(values), "%s is documented, and is not tried here", within);
    all_sent(of, values, within);
    json_decref(values);
    free(within);
  }
}

/* What the body may have is documented: anything else is refused, if the schema says so. */
static void body_of(const struct operation *o) {
  const json_t *schema = o_body(o), *one;
  json_t *bodies = json_array(), *body;
  size_t i;
  if (!schema) return;
  json_array_foreach(o_taken(o), i, one) json_array_append(bodies, json_object_get(one, "body"));
  all_sent(schema, bodies, o->path);
  json_decref(bodies);
  if (!json_is_false(json_object_get(schema, "additionalProperties"))) return;
  one = json_array_get(o_taken(o), 0);
  body = json_deep_copy(json_object_get(one, "body"));
  json_object_set_new(body, "undocumented", json_true());
  char *json = json_dumps(body, JSON_COMPACT);
  o_ask(o, 400, text(one, "path"), token, "", json);
  o_ask(o, 400, text(one, "path"), token, "", "no JSON");
  free(json);
  json_decref(body);
}

/* A token that lets what this does not want. */
static const char *other_token(const struct operation *o) {
  const char *scope = json_string_value(json_array_get(json_object_get(o->as, "x-scopes"), 0));
  return strcmp(scope, "read") == 0 ? writer : reader;
}

/* What every operation refuses, before it looks at what is asked. */
static void refusals(const struct operation *o) {
  const char *path = o_first_path(o);
  bool open = json_array_size(json_object_get(o->as, "x-scopes")) == 0;
  char *bare = ck_sprintf("%.*s", (int)strcspn(path, "?"), path),
       *more = ck_sprintf("%s?undocumented=1", bare);
  o_ask(o, 421, path, token, "Host: evil.example\r\n", NULL);
  o_ask(o, 403, path, token, "Origin: http://evil.example\r\n", NULL);
  if (!open) o_ask(o, 401, path, NULL, "", NULL);
  if (!open) o_ask(o, 403, path, other_token(o), "", NULL);
  o_ask(o, 413, path, token, "Content-Length: 99999999999\r\n", NULL);
  o_ask(o, 400, more, token, "", strcmp(o->method, "GET") == 0 ? NULL : "{}");
  const struct operation put = {"PUT", o->path, o->as};
  o_ask(&put, 405, path, token, "", NULL);
  free(bare), free(more);
}

/* What there is not is 404, or, of an attempt, refused by the store. */
static void missing(const struct operation *o) {
  if (!strchr(o->path, '{')) return;
  char *json = o_first_body(o), *path = o_path(o->path, "none");
  bool attempt = strncmp(o->path, "/v1/deliveries/", 15) == 0;
  o_ask(o, attempt ? 409 : 404, path, token, "", json);
  free(json), free(path);
}

static void try_all(void *self, const char *method, const char *path, const json_t *as) {
  const struct operation o = {method, path, as};
  const json_t *one;
  size_t i;
  (void)self;
  if (o_events(&o)) read_stream(&o, path, NULL);
  json_array_foreach(json_object_get(as, "parameters"), i, one)
      parameter(&o, t_openapi_of(o_document(), one));
  body_of(&o);
  missing(&o);
  refusals(&o);
}

/* Nothing of it was unknown to ingest, and nobody is in trouble for what was sent. */
static void nobody_is_in_trouble(void) {
  json_t *status = t_status(5000), *one;
  size_t i;
  T_CHECK(t_int_at(t_daemon_entry(status, "ingest", 0), "info.unknown_names", -1) == 0,
          "ingest does not know a name that is documented");
  json_array_foreach(json_object_get(status, "daemons"), i, one) {
    const char *error = t_text_at(one, "info.last_error");
    T_CHECK(!error || !*error, "%s says '%s'", t_text_at(one, "name"), error);
  }
  json_decref(status);
}

struct waiting {
  struct operation of;
  int fd;
};
struct all_waiting {
  struct waiting list[50];
  size_t n;
};

static void send_one(void *self, const char *method, const char *path, const json_t *as) {
  struct all_waiting *all = self;
  const struct operation o = {method, path, as};
  if (o_events(&o)) return;
  all->list[all->n++] = (struct waiting){o_operation(method, path), o_send(&o)};
}

/* Each waits as long as it may, all at once. */
static void without_the_store(void) {
  struct all_waiting all = {.n = 0};
  size_t away = 0;
  t_signal(t_up_process(), SIGSTOP);
  t_talk_forget();
  t_kill("store", SIGKILL);
  t_openapi_each(o_document(), send_one, &all);
  for (size_t i = 0; i < all.n; ++i) away += o_receive(&all.list[i].of, all.list[i].fd) == 503;
  T_CHECK(away > 10, "only %zu of %zu say that the store is away", away, all.n);
  t_signal(t_up_process(), SIGCONT);
}

T_STORY(web_openapi, each_operation_as_documented, 120) {
  o_open();
  t_up();
  token = t_token("everything", SCOPES);
  o_use(token);
  reader = t_token("reader", "read");
  writer = t_token("writer", "admin");
  t_say("x", 5);
  char *unknown = t_renew("x:c0", "now");
  t_web_unknown(unknown);
  with(200, "/v1/jobs/{job}/resolve", unknown, "{'arrived': true}");
  char *job = t_renew("x:c2", "now"), *later = t_renew("x:c3", "+1h");
  observations();
  deliveries(job);
  changes(later);
  free(t_renew("x:c4", "now"));
  the_offer();
  T_UNTIL(10000,
          t_int_at(o_take(200, "GET", "/v1/search", "/v1/search?q=said", NULL), "count", 0) > 4,
          "the index is behind");
  reading();
  pairing();
  t_openapi_each(o_document(), try_all, NULL);
  nobody_is_in_trouble();
  without_the_store();
  free(unknown), free(job), free(later);
  o_close();
}
