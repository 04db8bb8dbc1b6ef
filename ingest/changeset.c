/* Ids first (which conversation, which message), then one row for each table. */
#include "ingest/changeset.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "ingest/route.h"
#include "proto/clock.h"
#include "proto/wire.h"

#define ID_MAX 200  /* a longer id is shortened */
#define ID_KEPT 160 /* bytes of it that are kept, before the hash */
#define SUMMARY_MAX 200

/* What the rows of one observation have in common. */
struct builder {
  const struct ingest_observation *o;
  struct ck_arena *arena;
  struct ck_buf *out;
  uint32_t mutations;
  int64_t at;   /* the observation's time, or now */
  int64_t told; /* the same, if the source says it; else INGEST_NO_TIME */
  bool routed;  /* the page's host is known, and route is set */
  struct ingest_route route;
  struct ck_str platform, message_id;
  struct ck_value remote; /* the platform's id of the conversation */
  struct ck_str local;    /* our id of it; empty: the conversation is unknown */
};

/* The text of a value, trimmed; empty if it is missing or null. */
static struct ck_str given(struct ck_value v) {
  return v.state == CK_TEXT ? ck_trim(v.as.s) : (struct ck_str){0};
}

/* Shortens a long id, which every index would carry: its beginning, "~" and a hash of the whole. */
static struct ck_str fit(struct builder *s, struct ck_str id) {
  if (id.n <= ID_MAX) return id;
  char hash[33];
  struct ck_buf b = {0};
  ck_hash_id(hash, &id, 1);
  ck_buf_str(&b, ck_utf8_cut(id, ID_KEPT));
  ck_buf_text(&b, "~");
  ck_buf_text(&b, hash);
  struct ck_str fitted = ck_arena_copy(s->arena, ck_buf_view(&b));
  ck_buf_free(&b);
  return fitted;
}

static struct ck_str join(struct builder *s, struct ck_str a, const char *between,
                          struct ck_str b) {
  size_t middle = strlen(between), n = a.n + middle + b.n;
  char *all = ck_arena_get(s->arena, n);
  if (a.n) memcpy(all, a.s, a.n);
  memcpy(all + a.n, between, middle);
  if (b.n) memcpy(all + a.n + middle, b.s, b.n);
  return (struct ck_str){all, n};
}

static struct ck_str hashed(struct builder *s, const char *prefix, const struct ck_str *parts,
                            size_t n) {
  char hash[33];
  ck_hash_id(hash, parts, n);
  return join(s, ck_str_of(prefix), "", ck_str_of(hash));
}

static struct ck_value summary_of(struct builder *s, struct ck_str text) {
  struct ck_buf b = {0};
  ck_buf_summary(&b, text, SUMMARY_MAX);
  struct ck_str summary = ck_arena_copy(s->arena, ck_buf_view(&b));
  ck_buf_free(&b);
  return summary.n ? ck_text(summary) : (struct ck_value){0};
}

static struct ck_value text_or_nothing(struct ck_str text) {
  return text.n ? ck_text(text) : (struct ck_value){0};
}

/* Sets the time columns `own` and `also`; they differ only for a session, which also has a
 * beginning. Without a time both stay unset, and `created` gets the assumed time, which the store
 * then uses as the time of a new row only: the same observation sent again changes nothing. */
static void put_times(const struct builder *s, struct ck_row *r, int own, int also, int created,
                      int64_t at) {
  if (at != INGEST_NO_TIME)
    r->v[own] = r->v[also] = ck_int(at);
  else
    r->v[created] = ck_int(s->at);
}

static void put(struct builder *s, const struct ck_row *row) {
  ck_mutation_row(s->out, CK_OP_PUT, row);
  ++s->mutations;
}

/* ---- who and where ---- */

static bool is_web(struct ck_str url) {
  return (url.n > 8 && strncasecmp(url.s, "https://", 8) == 0) ||
         (url.n > 7 && strncasecmp(url.s, "http://", 7) == 0);
}

static struct ck_str without_fragment(struct ck_str url) {
  const char *hash = url.n ? memchr(url.s, '#', url.n) : NULL;
  return hash ? (struct ck_str){url.s, (size_t)(hash - url.s)} : url;
}

/* Identifies the conversation: by conversation_id, else by the id in page_url, else by page_url
 * itself, unless it is a known page that identifies nothing (INGEST_ROUTE_NOWHERE). */
static void find_conversation(struct builder *s) {
  struct ck_str page = given(s->o->page_url), remote = given(s->o->conversation_id);
  s->routed = page.n && ingest_route(page, &s->route);
  if (ingest_provisional(remote)) remote = (struct ck_str){0};
  if (!remote.n && s->routed && s->route.kind == INGEST_ROUTE_CONVERSATION) remote = s->route.id;
  if (remote.n) {
    remote = fit(s, remote);
    s->remote = ck_text(remote);
    s->local = fit(s, join(s, s->platform, ":", remote));
    return;
  }
  if (s->o->conversation_id.state == CK_NULL) s->remote = ck_null();
  if (!is_web(page) || (s->routed && s->route.kind != INGEST_ROUTE_PAGE)) return;
  struct ck_str parts[] = {s->platform, without_fragment(page)};
  s->local = fit(s, join(s, s->platform, ":page-", hashed(s, "", parts, 2)));
}

/* The message's id; if the source has none, a hash of what identifies the message. */
static void find_message(struct builder *s) {
  const struct ingest_observation *o = s->o;
  struct ck_str id = ck_trim(o->message_id);
  char at[24] = "";
  if (id.n) {
    s->message_id = fit(s, id);
    return;
  }
  if (s->told != INGEST_NO_TIME) snprintf(at, sizeof at, "%lld", (long long)s->told);
  struct ck_str parts[] = {s->platform,        given(o->conversation_id),
                           given(o->page_url), ck_trim(o->role),
                           ck_str_of(at),      o->text};
  s->message_id = hashed(s, "msg_", parts, sizeof parts / sizeof *parts);
}

static struct ck_str role_of(const struct ingest_observation *o) {
  struct ck_str role = ck_trim(o->role);
  return role.n ? role : CK_LIT("unknown");
}

/* ---- the rows ---- */

static void put_message(struct builder *s) {
  const struct ingest_observation *o = s->o;
  if (!o->has_text) return;
  struct ck_row r = {.table = CK_MESSAGES};
  r.v[CK_MESSAGES_ID] = ck_text(s->message_id);
  r.v[CK_MESSAGES_PLATFORM] = ck_text(s->platform);
  r.v[CK_MESSAGES_CONVERSATION_ID] = s->remote;
  r.v[CK_MESSAGES_ROLE] = ck_text(role_of(o));
  r.v[CK_MESSAGES_RAW_TEXT] = ck_text(o->text);
  r.v[CK_MESSAGES_SUMMARY] = summary_of(s, o->text);
  put_times(s, &r, CK_MESSAGES_OBSERVED_AT, CK_MESSAGES_OBSERVED_AT, CK_MESSAGES_CREATED_AT,
            s->told);
  r.v[CK_MESSAGES_PAGE_URL] = o->page_url;
  r.v[CK_MESSAGES_PAGE_TITLE] = o->page_title;
  r.v[CK_MESSAGES_ORGANIZATION_ID] = o->organization_id;
  r.v[CK_MESSAGES_PARENT_ID] = text_or_nothing(fit(s, ck_trim(o->parent_id)));
  if (o->placed) r.v[CK_MESSAGES_POSITION] = ck_int(o->position);
  r.v[CK_MESSAGES_DETAILS] = text_or_nothing(o->details);
  put(s, &r);
}

static struct ck_str execution_id(struct builder *s, const struct ingest_execution *e) {
  struct ck_str id = ck_trim(e->instruction_id);
  struct ck_str parts[] = {s->message_id, e->target, e->tool, e->params};
  return id.n ? fit(s, id) : hashed(s, "exec_", parts, sizeof parts / sizeof *parts);
}

static void put_execution(struct builder *s, const struct ingest_execution *e) {
  struct ck_row r = {.table = CK_EXECUTIONS};
  r.v[CK_EXECUTIONS_INSTRUCTION_ID] = ck_text(execution_id(s, e));
  r.v[CK_EXECUTIONS_MESSAGE_ID] = ck_text(s->message_id);
  r.v[CK_EXECUTIONS_TARGET] = ck_text(e->target);
  r.v[CK_EXECUTIONS_TOOL] = ck_text(e->tool);
  r.v[CK_EXECUTIONS_PARAMS] = text_or_nothing(e->params);
  r.v[CK_EXECUTIONS_PARAMS_KIND] = ck_textz(e->params_kind ? e->params_kind : "none");
  if (!e->no_result) r.v[CK_EXECUTIONS_RESULT_OK] = ck_int(e->ok);
  r.v[CK_EXECUTIONS_RESULT_DATA] = text_or_nothing(e->result);
  r.v[CK_EXECUTIONS_RESULT_SUMMARY] = summary_of(s, e->result);
  r.v[CK_EXECUTIONS_RESULT_ERROR] = text_or_nothing(e->error);
  r.v[CK_EXECUTIONS_HTTP_STATUS] = e->http_status;
  put_times(s, &r, CK_EXECUTIONS_EXECUTED_AT, CK_EXECUTIONS_EXECUTED_AT, CK_EXECUTIONS_CREATED_AT,
            e->executed_at == INGEST_NO_TIME ? s->told : e->executed_at);
  put(s, &r);
}

/* A session is one conversation (or, if unknown, platform) on one UTC day. */
static void put_session(struct builder *s) {
  struct ck_row r = {.table = CK_SESSIONS};
  char date[CK_TIME_TEXT];
  ck_time_text(date, s->at);
  struct ck_str day = {date, 10};
  r.v[CK_SESSIONS_ID] = ck_text(join(s, s->local.n ? s->local : s->platform, "@", day));
  r.v[CK_SESSIONS_PLATFORM] = ck_text(s->platform);
  r.v[CK_SESSIONS_CONVERSATION_ID] = s->remote;
  put_times(s, &r, CK_SESSIONS_LAST_ACTIVITY_AT, CK_SESSIONS_STARTED_AT, CK_SESSIONS_CREATED_AT,
            s->told);
  put(s, &r);
}

static void put_conversation(struct builder *s) {
  struct ck_row r = {.table = CK_CONVERSATIONS};
  r.v[CK_CONVERSATIONS_LOCAL_CONVERSATION_ID] = ck_text(s->local);
  r.v[CK_CONVERSATIONS_PLATFORM] = ck_text(s->platform);
  r.v[CK_CONVERSATIONS_TITLE] = s->o->page_title;
  if (s->o->has_text) {
    r.v[CK_CONVERSATIONS_LAST_MESSAGE_ID] = ck_text(s->message_id);
    put_times(s, &r, CK_CONVERSATIONS_LAST_MESSAGE_AT, CK_CONVERSATIONS_LAST_MESSAGE_AT,
              CK_CONVERSATIONS_CREATED_AT, s->told);
  }
  put(s, &r);
}

static void route_columns(struct builder *s, struct ck_row *r) {
  if (!s->routed) return;
  struct ck_buf b = {0};
  r->v[CK_LINKS_ROUTE_PATH] = ck_text(s->route.path);
  ingest_route_pattern(&b, &s->route);
  if (b.len) r->v[CK_LINKS_ROUTE_PATTERN] = ck_text(ck_arena_copy(s->arena, ck_buf_view(&b)));
  ck_buf_clear(&b);
  ingest_route_params(&b, &s->route);
  if (s->route.param_count)
    r->v[CK_LINKS_ROUTE_PARAMS] = ck_text(ck_arena_copy(s->arena, ck_buf_view(&b)));
  ck_buf_free(&b);
}

static void put_link(struct builder *s) {
  struct ck_row r = {.table = CK_LINKS};
  r.v[CK_LINKS_LINK_ID] = ck_text(join(s, CK_LIT("link"), ":", s->local));
  r.v[CK_LINKS_LOCAL_CONVERSATION_ID] = ck_text(s->local);
  r.v[CK_LINKS_PLATFORM] = ck_text(s->platform);
  r.v[CK_LINKS_REMOTE_CONVERSATION_ID] = s->remote;
  r.v[CK_LINKS_CLIENT_ID] = s->o->client_id;
  r.v[CK_LINKS_PAGE_URL] = s->o->page_url;
  r.v[CK_LINKS_PAGE_TITLE] = s->o->page_title;
  route_columns(s, &r);
  r.v[CK_LINKS_TARGET_KIND] = s->o->target_kind;
  r.v[CK_LINKS_TARGET_ID] = s->o->target_id;
  r.v[CK_LINKS_TARGET_PAYLOAD] = s->o->target_payload;
  put_times(s, &r, CK_LINKS_OBSERVED_AT, CK_LINKS_OBSERVED_AT, CK_LINKS_CREATED_AT, s->told);
  put(s, &r);
}

static int check(const struct ingest_observation *o, struct ck_err *err) {
  if (!ck_trim(o->platform).n) return ck_fail(err, "platform: missing");
  if (!o->has_text && !o->execution_count) return ck_fail(err, "text: missing");
  if (!o->has_text && !ck_trim(o->message_id).n)
    return ck_fail(err, "message_id: missing; an execution without text must name its message");
  return 0;
}

int ingest_changeset(struct ck_buf *out, const struct ingest_observation *o, int64_t now,
                     struct ck_arena *arena, struct ingest_changeset_facts *facts,
                     struct ck_err *err) {
  if (check(o, err)) return -1;
  struct builder s = {.o = o,
                      .arena = arena,
                      .out = out,
                      .at = o->observed_at == INGEST_NO_TIME ? now : o->observed_at,
                      .told = o->time_assumed ? INGEST_NO_TIME : o->observed_at};
  s.platform = ck_trim(o->platform);
  if (s.platform.n > 64) return ck_fail(err, "platform: %zu bytes, at most 64", s.platform.n);
  find_conversation(&s);
  find_message(&s);
  size_t opened = ck_open_array(out);
  put_message(&s);
  for (size_t i = 0; i < o->execution_count; ++i) put_execution(&s, &o->executions[i]);
  put_session(&s);
  if (s.local.n) put_conversation(&s);
  if (s.local.n) put_link(&s);
  ck_close_array(out, opened, s.mutations);
  facts->message_id = s.message_id;
  facts->homeless = !s.local.n && (given(o->target_kind).n || given(o->target_id).n ||
                                   given(o->target_payload).n);
  return 0;
}
