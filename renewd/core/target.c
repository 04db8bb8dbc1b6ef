/* Snapshots and letters, as JSON. */
#include "renewd/core/target.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "proto/records.h"

static json_t *text_value(struct ck_str s) { return json_stringn_nocheck(s.s ? s.s : "", s.n); }

static void put_text(json_t *object, const char *name, struct ck_str s) {
  if (s.n) json_object_set_new_nocheck(object, name, text_value(s));
}

/* A JSON column has text as it was given, and any other value as its JSON text. So what is not JSON
 * is text. */
static json_t *any_value(struct ck_str s) {
  json_t *v = json_loadb(s.s, s.n, JSON_DECODE_ANY, NULL);
  return v ? v : text_value(s);
}

static char *dump(const json_t *v) { return json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY); }

static void put_page(json_t *o, const struct renew_link *link) {
  put_text(o, "page_url", link->page_url);
  put_text(o, "page_title", link->page_title);
  put_text(o, "route_path", link->route_path);
  put_text(o, "route_pattern", link->route_pattern);
  if (link->route_params.n)
    json_object_set_new_nocheck(o, "route_params", any_value(link->route_params));
}

void renew_snapshot(struct ck_buf *out, const struct renew_link *link) {
  json_t *o = json_object();
  struct ck_str kind = link->target_kind.n ? link->target_kind
                       : link->client_id.n ? CK_LIT("feed")
                                           : (struct ck_str){0};
  put_text(o, "kind", kind);
  put_text(o, "id", link->target_id);
  if (link->target_payload.n)
    json_object_set_new_nocheck(o, "payload", any_value(link->target_payload));
  put_text(o, "client_id", link->client_id);
  put_text(o, "platform", link->platform);
  put_text(o, "remote_conversation_id", link->remote_conversation_id);
  put_text(o, "account", link->account);
  if (ck_kind_is_clients(kind)) put_page(o, link);
  char *text = dump(o);
  ck_buf_text(out, text ? text : "{}");
  free(text);
  json_decref(o);
}

static char *take_text(const json_t *o, const char *name) {
  const json_t *v = json_object_get(o, name);
  return json_string_length(v) ? ck_strdup(json_string_value(v)) : NULL;
}

static char *take_json(const json_t *o, const char *name) {
  const json_t *v = json_object_get(o, name);
  return v ? dump(v) : NULL;
}

/* The payload may be an object that was given as text. */
static char *take_url(const json_t *payload) {
  if (!json_is_string(payload)) return take_text(payload, "url");
  json_t *inner = json_loads(json_string_value(payload), 0, NULL);
  char *url = take_text(inner, "url");
  json_decref(inner);
  return url;
}

int renew_target_parse(struct renew_target *t, struct ck_str snapshot, struct ck_err *err) {
  memset(t, 0, sizeof *t);
  json_error_t e;
  if (!snapshot.n) return ck_fail(err, "it has no target");
  json_t *o = json_loadb(snapshot.s ? snapshot.s : "", snapshot.n, 0, &e);
  if (!json_is_object(o)) {
    ck_fail(err, "target_snapshot: %s", o ? "not an object" : e.text);
    json_decref(o);
    return -1;
  }
  t->kind = take_text(o, "kind");
  t->id = take_text(o, "id");
  t->client_id = take_text(o, "client_id");
  t->platform = take_text(o, "platform");
  t->remote_conversation_id = take_text(o, "remote_conversation_id");
  t->account = take_text(o, "account");
  t->payload = take_json(o, "payload");
  t->url = take_url(json_object_get(o, "payload"));
  t->page_url = take_text(o, "page_url");
  t->page_title = take_text(o, "page_title");
  t->route_path = take_text(o, "route_path");
  t->route_pattern = take_text(o, "route_pattern");
  t->route_params = take_json(o, "route_params");
  json_decref(o);
  return 0;
}

void renew_target_free(struct renew_target *t) {
  free(t->kind);
  free(t->id);
  free(t->client_id);
  free(t->platform);
  free(t->remote_conversation_id);
  free(t->account);
  free(t->payload);
  free(t->url);
  free(t->page_url);
  free(t->page_title);
  free(t->route_path);
  free(t->route_pattern);
  free(t->route_params);
  memset(t, 0, sizeof *t);
}

bool renew_target_of_client(const struct renew_target *t) {
  return ck_kind_is_clients(ck_str_of(t->kind));
}

bool renew_target_is_command(const struct renew_target *t) {
  return t->kind && strcmp(t->kind, "exec") == 0;
}

const char *renew_target_client(const struct renew_target *t) {
  if (!renew_target_of_client(t)) return NULL;
  return t->client_id ? t->client_id : t->id;
}

static bool is_of_client(const char *kind) {
  return strcmp(kind, "feed") == 0 || strncmp(kind, "browser.", 8) == 0;
}

void renew_target_key(struct ck_buf *key, const struct renew_target *t) {
  if (!t->kind) return;
  const char *url = strcmp(t->kind, "webhook") == 0 ? t->url : NULL;
  const char *id = url                                     ? url
                   : is_of_client(t->kind) && t->client_id ? t->client_id
                   : t->id                                 ? t->id
                                                           : "";
  ck_buf_text(key, is_of_client(t->kind) ? "client" : t->kind);
  ck_buf_text(key, " ");
  ck_buf_add(key, id, url ? strcspn(id, "?#") : strlen(id));
}

static void member_or_null(struct ck_buf *b, const char *name, const char *text) {
  if (text)
    ck_buf_json_member(b, name, ck_str_of(text));
  else
    ck_buf_printf(b, ",\"%s\":null", name);
}

/* Appends the payload's own bytes, so that its numbers stay as they are. In JSON a line break can
 * only be between tokens, so a blank may take its place. */
static int payload_json(struct ck_buf *b, struct ck_str payload, struct ck_err *err) {
  json_error_t e;
  json_t *v = json_loadb(payload.s ? payload.s : "", payload.n, JSON_DECODE_ANY, &e);
  if (!v) return ck_fail(err, "payload: not the JSON that payload_kind says: %s", e.text);
  json_decref(v);
  ck_buf_text(b, ",\"payload\":");
  for (size_t i = 0; i < payload.n; i++)
    ck_buf_add(b, payload.s[i] == '\n' || payload.s[i] == '\r' ? " " : &payload.s[i], 1);
  return 0;
}

static void json_or_null(struct ck_buf *b, const char *name, const char *json) {
  ck_buf_printf(b, "\"%s\":%s", name, json ? json : "null");
}

static void put_target(struct ck_buf *b, const struct renew_target *t) {
  ck_buf_text(b, ",\"target\":{\"kind\":");
  ck_buf_json_str(b, ck_str_of(t->kind));
  member_or_null(b, "id", t->id);
  ck_buf_text(b, ",");
  json_or_null(b, "payload", t->payload);
  ck_buf_text(b, "}");
}

/* What a client with several pages needs to find the one, and to see that nobody has answered. */
static void put_client(struct ck_buf *b, const struct renew_letter *l) {
  const struct renew_target *t = l->target;
  ck_buf_json_member(b, "message_id", l->message_id);
  ck_buf_json_member(b, "last_message_id", l->last_message_id);
  member_or_null(b, "client_id", renew_target_client(t));
  put_target(b, t);
  member_or_null(b, "page_url", t->page_url);
  member_or_null(b, "page_title", t->page_title);
  member_or_null(b, "route_path", t->route_path);
  member_or_null(b, "route_pattern", t->route_pattern);
  ck_buf_text(b, ",");
  json_or_null(b, "route_params", t->route_params);
}

int renew_letter_json(struct ck_buf *b, const struct renew_letter *l, struct ck_err *err) {
  ck_buf_text(b, "{");
  ck_buf_json_member(b, "delivery_id", l->job_id);
  ck_buf_json_member(b, "job_id", l->job_id);
  ck_buf_printf(b, ",\"attempt\":%lld", (long long)l->attempt);
  member_or_null(b, "platform", l->target->platform);
  member_or_null(b, "conversation_id", l->target->remote_conversation_id);
  ck_buf_json_member(b, "local_conversation_id", l->conversation_id);
  if (!ck_str_is(l->payload_kind, "json"))
    ck_buf_json_member(b, "payload", l->payload);
  else if (payload_json(b, l->payload, err))
    return -1;
  ck_buf_json_member(b, "payload_kind", l->payload_kind);
  if (renew_target_of_client(l->target)) put_client(b, l);
  if (renew_target_is_command(l->target)) put_target(b, l->target);
  ck_buf_text(b, "}");
  return 0;
}
