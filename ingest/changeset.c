/* Ids first (which conversation, which message), then one row for each table. */
#include "ingest/changeset.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "ingest/spool/spool.h"
#include "proto/clock.h"
#include "proto/wire.h"

#define ID_MAX 200  /* a longer id is shortened */
#define ID_KEPT 160 /* bytes of it that are kept, before the hash */
#define PLATFORM_MAX 64
/* Most bytes of a record. Less than the store accepts, because it adds columns of its own. */
#define ROW_MAX (CK_FRAME_MAX - (128u << 10))
/* Most bytes of a conversation's title and summary, and of its details. */
#define TITLE_MAX (64u << 10)
#define DETAILS_MAX (1u << 20)

/* ---- text and ids ---- */

/* The text of a value, trimmed; empty if it is missing or null. */
static struct ck_str given(struct ck_value v) {
  return v.state == CK_TEXT ? ck_trim(v.as.s) : (struct ck_str){0};
}

static struct ck_value text_or_nothing(struct ck_str text) {
  return text.n ? ck_text(text) : (struct ck_value){0};
}

static struct ck_str without_nul(struct ck_arena *arena, struct ck_str id) {
  struct ck_buf b = {0};
  if (!id.n || !memchr(id.s, '\0', id.n)) return id;
  ck_buf_without_nul(&b, id);
  return ck_arena_keep(arena, &b);
}

/* An id that every place can hold: neither a command line nor PostgreSQL takes a NUL. Shortens a
 * long one, which every index would carry: its beginning, "~" and a hash of the whole. */
static struct ck_str fit(struct ck_arena *arena, struct ck_str id) {
  id = without_nul(arena, id);
  if (id.n <= ID_MAX) return id;
  char hash[33];
  struct ck_buf b = {0};
  ck_hash_id(hash, &id, 1);
  ck_buf_str(&b, ck_utf8_cut(id, ID_KEPT));
  ck_buf_text(&b, "~");
  ck_buf_text(&b, hash);
  return ck_arena_keep(arena, &b);
}

static struct ck_str join(struct ck_arena *arena, struct ck_str a, const char *between,
                          struct ck_str b) {
  size_t middle = strlen(between), n = a.n + middle + b.n;
  char *all = ck_arena_get(arena, n);
  if (a.n) memcpy(all, a.s, a.n);
  memcpy(all + a.n, between, middle);
  if (b.n) memcpy(all + a.n + middle, b.s, b.n);
  return (struct ck_str){all, n};
}

static struct ck_str hashed(struct ck_arena *arena, const char *prefix, const struct ck_str *parts,
                            size_t n) {
  char hash[33];
  ck_hash_id(hash, parts, n);
  return join(arena, ck_str_of(prefix), "", ck_str_of(hash));
}

/* ---- where ---- */

static bool is_web(struct ck_str url) {
  return (url.n > 8 && strncasecmp(url.s, "https://", 8) == 0) ||
         (url.n > 7 && strncasecmp(url.s, "http://", 7) == 0);
}

static struct ck_str without_fragment(struct ck_str url) {
  const char *hash = url.n ? memchr(url.s, '#', url.n) : NULL;
  return hash ? (struct ck_str){url.s, (size_t)(hash - url.s)} : url;
}

/* Identifies the conversation: by the platform's id of it, else by the id in the page's address,
 * else by an id that is made of the address itself, unless it is a known page that identifies
 * nothing (INGEST_ROUTE_NOWHERE). */
static void find_conversation(struct ingest_changeset *s, struct ck_value id) {
  struct ck_str page = given(s->url), remote = given(id);
  s->routed = page.n && ingest_route(page, &s->route);
  if (ingest_provisional(remote)) remote = (struct ck_str){0};
  if (!remote.n && s->routed && s->route.kind == INGEST_ROUTE_CONVERSATION) remote = s->route.id;
  if (!remote.n && is_web(page) && (!s->routed || s->route.kind == INGEST_ROUTE_PAGE)) {
    struct ck_str parts[] = {s->platform, without_fragment(page)};
    remote = hashed(&s->context, "page-", parts, 2);
  }
  if (remote.n) {
    remote = fit(&s->context, remote);
    s->remote = ck_text(remote);
    s->local = fit(&s->context, join(&s->context, s->platform, ":", remote));
  } else if (id.state == CK_NULL) {
    s->remote = ck_null();
  }
}

/* ---- beginning ---- */

void ingest_changeset_next(struct ingest_changeset *s) {
  ck_buf_clear(&s->out);
  s->opened = ck_open_array(&s->out);
  s->mutations = 0;
  s->messages = s->executions = 0;
}

/* Forgets the last conversation. */
static void start(struct ingest_changeset *s, struct ck_str original, int64_t now) {
  struct ck_buf out = s->out, row = s->row, last = s->last;
  struct ck_arena context = s->context, passing = s->passing;
  ck_arena_reset(&context);
  ck_arena_reset(&passing);
  ck_buf_clear(&row);
  ck_buf_clear(&last);
  *s = (struct ingest_changeset){.out = out,
                                 .row = row,
                                 .last = last,
                                 .context = context,
                                 .passing = passing,
                                 .room = ROW_MAX,
                                 .original = original,
                                 .now = now,
                                 .last_at = INGEST_NO_TIME,
                                 .created_at = INGEST_NO_TIME,
                                 .newest_at = INGEST_NO_TIME,
                                 .seen_at = INGEST_NO_TIME,
                                 .assumed_at = now};
  ingest_changeset_next(s);
}

void ingest_changeset_free(struct ingest_changeset *s) {
  ck_buf_free(&s->out);
  ck_buf_free(&s->row);
  ck_buf_free(&s->last);
  ck_arena_free(&s->context);
  ck_arena_free(&s->passing);
}

/* Text of a conversation that must fit beside any message. */
static struct ck_value short_enough(struct ingest_changeset *s, struct ck_str text) {
  s->cut |= text.n > TITLE_MAX;
  return text_or_nothing(ck_utf8_cut(text, TITLE_MAX));
}

void ingest_changeset_begin(struct ingest_changeset *s, const struct ingest_conversation *c,
                            struct ck_str original, int64_t now) {
  start(s, original, now);
  s->age = s->row_age = c->age;
  s->to_end = c->to_end;
  s->copies = c->copies;
  s->platform = ck_utf8_cut(ck_trim(c->platform), PLATFORM_MAX);
  s->title = short_enough(s, c->title);
  s->summary = short_enough(s, c->summary);
  s->url = text_or_nothing(c->url.n > TITLE_MAX ? (struct ck_str){0} : c->url);
  s->details = text_or_nothing(c->details.n > DETAILS_MAX ? (struct ck_str){0} : c->details);
  s->cut |= c->url.n > TITLE_MAX || c->details.n > DETAILS_MAX;
  s->wanted = fit(&s->context, ck_trim(c->current));
  s->created_at = c->created_at;
  s->target_kind = text_or_nothing(c->target_kind);
  s->target_id = text_or_nothing(c->target_id);
  s->target_payload = text_or_nothing(c->target_payload);
  find_conversation(s, text_or_nothing(c->id));
  /* Beside a row, its changeset has what is said of the conversation, the title and the address in
   * two rows. */
  size_t beside = 2 * (s->title.as.s.n + s->url.as.s.n) + s->summary.as.s.n + s->details.as.s.n +
                  s->target_payload.as.s.n;
  size_t room = INGEST_RECORD_MAX - beside - 16384;
  if (s->room > room) s->room = room;
}

/* ---- rows ---- */

/* Said by somebody, or by a tool: kept to the byte. */
static bool is_content(enum ck_table table, int column) {
  return table == CK_EXECUTIONS &&
         (column == CK_EXECUTIONS_PARAMS || column == CK_EXECUTIONS_RESULT_DATA ||
          column == CK_EXECUTIONS_RESULT_ERROR);
}

/* PostgreSQL takes no row with a NUL: with one in its title, which each message repeats, it would
 * take nothing of a conversation. */
static void clean_names(struct ingest_changeset *s, struct ck_row *row) {
  const struct ck_table_info *info = &ck_tables[row->table];
  for (int c = 0; c < info->columns; ++c) {
    struct ck_value *v = &row->v[c];
    if (v->state == CK_TEXT && info->fields[c].kind == CK_K_TEXT && !is_content(row->table, c))
      v->as.s = without_nul(&s->passing, v->as.s);
  }
}

static void put(struct ingest_changeset *s, struct ck_row *row) {
  clean_names(s, row);
  ck_mutation_put(&s->out, row, s->age);
  ++s->mutations;
}

/* The next row, until it is kept. -1: it is too large for a record. */
static int make(struct ingest_changeset *s, struct ck_row *row, int64_t age, struct ck_err *err) {
  if (!age) age = s->row_age;
  clean_names(s, row);
  ck_buf_clear(&s->row);
  if (row->table == CK_MESSAGES && s->copies)
    ck_mutation_copy(&s->row, row, age, s->copies == INGEST_COPIES_TIMED);
  else
    ck_mutation_put(&s->row, row, age);
  if (s->row.len <= s->room) return 0;
  return ck_fail(err, "too large: %zu bytes once it is packed, at most %zu", s->row.len, s->room);
}

/* Sets the time columns `own` and `also`; they differ only for a session, which also has a
 * beginning. Without a time both stay unset, and `created` gets the assumed time, which the store
 * then uses as the time of a new row only: the same observation sent again changes nothing. */
static void put_times(struct ck_row *r, int own, int also, int created, int64_t told,
                      int64_t assumed) {
  if (told != INGEST_NO_TIME)
    r->v[own] = r->v[also] = ck_int(told);
  else
    r->v[created] = ck_int(assumed);
}

static struct ingest_moment moment_of(const struct ingest_changeset *s,
                                      const struct ingest_observation *o) {
  bool is_now = o->observed_at == INGEST_NO_TIME;
  return (struct ingest_moment){.told = o->time_assumed ? INGEST_NO_TIME : o->observed_at,
                                .at = is_now ? s->now : o->observed_at,
                                .is_now = is_now};
}

static struct ck_value or_else(struct ck_value v, struct ck_value otherwise) {
  return v.state == CK_LEFT_OUT ? otherwise : v;
}

/* The message's id; if the source has none, a hash of what identifies the message. */
static struct ck_str message_id(struct ingest_changeset *s, const struct ingest_observation *o) {
  struct ck_str id = ck_trim(o->message_id);
  char at[24] = "";
  if (id.n) return fit(&s->passing, id);
  if (s->time.told != INGEST_NO_TIME) snprintf(at, sizeof at, "%lld", (long long)s->time.told);
  struct ck_str parts[] = {s->platform,
                           given(s->alone ? o->conversation_id : s->remote),
                           given(s->alone ? o->page_url : s->url),
                           ck_trim(o->role),
                           ck_str_of(at),
                           o->text};
  return hashed(&s->passing, "msg_", parts, sizeof parts / sizeof *parts);
}

void ingest_changeset_known(struct ingest_changeset *s, const struct ingest_observation *o) {
  ck_arena_reset(&s->passing);
  s->known = !o->has_text && !s->alone;
  s->time = moment_of(s, o);
  s->message_id = message_id(s, o);
  s->calls = 0;
  s->called_at = INGEST_NO_TIME;
}

static struct ck_str role_of(const struct ingest_observation *o) {
  struct ck_str role = ck_trim(o->role);
  return role.n ? role : CK_LIT("unknown");
}

int ingest_changeset_message(struct ingest_changeset *s, const struct ingest_observation *o,
                             struct ck_err *err) {
  struct ck_row r = {.table = CK_MESSAGES};
  ingest_changeset_known(s, o);
  s->row_is_message = true;
  r.v[CK_MESSAGES_ID] = ck_text(s->message_id);
  r.v[CK_MESSAGES_PLATFORM] = ck_text(s->platform);
  r.v[CK_MESSAGES_CONVERSATION_ID] = s->remote;
  r.v[CK_MESSAGES_ROLE] = ck_text(role_of(o));
  r.v[CK_MESSAGES_RAW_TEXT] = ck_text(o->text);
  put_times(&r, CK_MESSAGES_OBSERVED_AT, CK_MESSAGES_OBSERVED_AT, CK_MESSAGES_CREATED_AT,
            s->time.told, s->time.at);
  r.v[CK_MESSAGES_PAGE_URL] = or_else(o->page_url, s->url);
  r.v[CK_MESSAGES_PAGE_TITLE] = or_else(o->page_title, s->title);
  r.v[CK_MESSAGES_ORGANIZATION_ID] = o->organization_id;
  r.v[CK_MESSAGES_PARENT_ID] = text_or_nothing(fit(&s->passing, ck_trim(o->parent_id)));
  if (o->placed) r.v[CK_MESSAGES_POSITION] = ck_int(o->position);
  r.v[CK_MESSAGES_DETAILS] = text_or_nothing(o->details);
  r.v[CK_MESSAGES_ORIGINAL] = text_or_nothing(s->original);
  if (!s->alone || o->seen != INGEST_SEEN_AS_SOURCE)
    r.v[CK_MESSAGES_LIVE] = ck_int(o->seen == INGEST_SEEN_LIVE);
  if (make(s, &r, o->age, err) == 0) return 0;
  r.v[CK_MESSAGES_DETAILS] = (struct ck_value){0};
  s->cut |= o->details.n > 0;
  return make(s, &r, o->age, err);
}

static struct ck_str execution_id(struct ingest_changeset *s, const struct ingest_execution *e) {
  struct ck_str id = ck_trim(e->instruction_id);
  struct ck_str parts[] = {s->message_id, e->target, e->tool, e->params};
  return id.n ? fit(&s->passing, id)
              : hashed(&s->passing, "exec_", parts, sizeof parts / sizeof *parts);
}

/* When it was executed: at a time of its own, or of the message. Neighbours of one time
 * are a millisecond apart, so that they stay in their order. */
static struct ingest_moment execution_time(struct ingest_changeset *s, int64_t told) {
  struct ingest_moment time = s->time;
  unsigned later = s->calls++;
  if (told != INGEST_NO_TIME) {
    later = s->same = told == s->called_at ? s->same + 1 : 0;
    time.told = s->called_at = told;
  }
  if (time.told != INGEST_NO_TIME) time.told += later;
  time.at += later;
  return time;
}

int ingest_changeset_execution(struct ingest_changeset *s, const struct ingest_execution *e,
                               struct ck_err *err) {
  struct ck_row r = {.table = CK_EXECUTIONS};
  struct ingest_moment time = execution_time(s, e->executed_at);
  s->row_is_message = false;
  r.v[CK_EXECUTIONS_INSTRUCTION_ID] = ck_text(execution_id(s, e));
  r.v[CK_EXECUTIONS_MESSAGE_ID] = ck_text(s->message_id);
  r.v[CK_EXECUTIONS_TARGET] = ck_text(e->target);
  r.v[CK_EXECUTIONS_TOOL] = ck_text(e->tool);
  r.v[CK_EXECUTIONS_PARAMS] = text_or_nothing(e->params);
  if (e->params_kind || !s->known)
    r.v[CK_EXECUTIONS_PARAMS_KIND] = ck_textz(e->params_kind ? e->params_kind : "none");
  if (!e->no_result) r.v[CK_EXECUTIONS_RESULT_OK] = ck_int(e->ok);
  r.v[CK_EXECUTIONS_RESULT_DATA] = text_or_nothing(e->result);
  r.v[CK_EXECUTIONS_RESULT_ERROR] = text_or_nothing(e->error);
  r.v[CK_EXECUTIONS_HTTP_STATUS] = e->http_status;
  put_times(&r, CK_EXECUTIONS_EXECUTED_AT, CK_EXECUTIONS_EXECUTED_AT, CK_EXECUTIONS_CREATED_AT,
            time.told, time.at);
  r.v[CK_EXECUTIONS_ORIGINAL] = text_or_nothing(s->original);
  return make(s, &r, e->age, err);
}

/* ---- what the rows of session, conversation and link say of the messages ---- */

static int64_t later(int64_t a, int64_t b) { return a > b ? a : b; } /* INGEST_NO_TIME is least */
static int64_t earlier(int64_t a, int64_t b) {
  return a == INGEST_NO_TIME || (b != INGEST_NO_TIME && b < a) ? b : a;
}

/* A session is one conversation (or, if unknown, platform) on one UTC day. */
static void put_session(struct ingest_changeset *s) {
  struct ck_row r = {.table = CK_SESSIONS};
  if (!s->day[0]) return;
  r.v[CK_SESSIONS_ID] =
      ck_text(join(&s->passing, s->local.n ? s->local : s->platform, "@", ck_str_of(s->day)));
  r.v[CK_SESSIONS_PLATFORM] = ck_text(s->platform);
  r.v[CK_SESSIONS_CONVERSATION_ID] = s->remote;
  put_times(&r, CK_SESSIONS_LAST_ACTIVITY_AT, CK_SESSIONS_STARTED_AT, CK_SESSIONS_CREATED_AT,
            s->day_last, s->day_at);
  if (s->day_first != INGEST_NO_TIME) r.v[CK_SESSIONS_STARTED_AT] = ck_int(s->day_first);
  put(s, &r);
  s->day[0] = '\0';
}

/* What the rows say of it. An export's time that is assumed is the same each time it is read, so it
 * counts as one that was told; the clock is not. */
static int64_t time_of(const struct ingest_changeset *s) {
  return s->time.is_now ? INGEST_NO_TIME : s->time.at;
}

/* The store counts what came since the last session of the changeset: so that of the day before
 * comes first. */
static void note_day(struct ingest_changeset *s) {
  char date[CK_TIME_TEXT];
  ck_time_text(date, s->time.at);
  if (s->day[0] && memcmp(s->day, date, sizeof s->day - 1) != 0) put_session(s);
  if (!s->day[0]) {
    memcpy(s->day, date, sizeof s->day - 1);
    s->day[sizeof s->day - 1] = '\0';
    s->day_first = s->day_last = INGEST_NO_TIME;
  }
  s->day_first = earlier(s->day_first, time_of(s));
  s->day_last = later(s->day_last, time_of(s));
  s->day_at = s->assumed_at = s->time.at;
  s->seen_at = later(s->seen_at, time_of(s));
}

static void note_message(struct ingest_changeset *s) {
  bool is_last =
      s->wanted.n ? ck_str_eq(s->message_id, s->wanted) : !s->last.len || time_of(s) >= s->last_at;
  if (is_last) {
    ck_buf_clear(&s->last);
    ck_buf_str(&s->last, s->message_id);
    s->last_at = time_of(s);
  }
  s->created_at = earlier(s->created_at, s->time.told);
  s->newest_at = later(s->newest_at, time_of(s));
}

bool ingest_changeset_is_full(const struct ingest_changeset *s) {
  return s->mutations && (s->out.len + s->row.len > INGEST_CHANGESET_BYTES ||
                          s->messages == INGEST_CHANGESET_MESSAGES);
}

void ingest_changeset_keep(struct ingest_changeset *s) {
  s->given = true;
  note_day(s);
  if (s->row_is_message) note_message(s);
  ck_buf_str(&s->out, ck_buf_view(&s->row));
  ++s->mutations;
  s->messages += s->row_is_message;
  s->executions += !s->row_is_message;
}

static void put_conversation(struct ingest_changeset *s, bool last) {
  struct ck_row r = {.table = CK_CONVERSATIONS};
  r.v[CK_CONVERSATIONS_LOCAL_CONVERSATION_ID] = ck_text(s->local);
  r.v[CK_CONVERSATIONS_PLATFORM] = ck_text(s->platform);
  r.v[CK_CONVERSATIONS_TITLE] = s->title;
  r.v[CK_CONVERSATIONS_SUMMARY] = s->summary;
  r.v[CK_CONVERSATIONS_DETAILS] = s->details;
  if (last && s->last.len) {
    r.v[CK_CONVERSATIONS_LAST_MESSAGE_ID] = ck_text(ck_buf_view(&s->last));
    if (s->last_at != INGEST_NO_TIME) r.v[CK_CONVERSATIONS_LAST_MESSAGE_AT] = ck_int(s->last_at);
  }
  if (s->newest_at != INGEST_NO_TIME) r.v[CK_CONVERSATIONS_NEWEST_AT] = ck_int(s->newest_at);
  if (s->created_at != INGEST_NO_TIME)
    r.v[CK_CONVERSATIONS_CREATED_AT] = ck_int(s->created_at);
  else if (s->last.len)
    r.v[CK_CONVERSATIONS_CREATED_AT] = ck_int(s->assumed_at);
  put(s, &r);
}

static void route_columns(struct ingest_changeset *s, struct ck_row *r) {
  if (!s->routed) return;
  struct ck_buf b = {0};
  r->v[CK_LINKS_ROUTE_PATH] = ck_text(s->route.path);
  ingest_route_pattern(&b, &s->route);
  if (b.len) r->v[CK_LINKS_ROUTE_PATTERN] = ck_text(ck_arena_copy(&s->passing, ck_buf_view(&b)));
  ck_buf_clear(&b);
  ingest_route_params(&b, &s->route);
  if (s->route.param_count)
    r->v[CK_LINKS_ROUTE_PARAMS] = ck_text(ck_arena_copy(&s->passing, ck_buf_view(&b)));
  ck_buf_free(&b);
}

static void put_link(struct ingest_changeset *s) {
  struct ck_row r = {.table = CK_LINKS};
  r.v[CK_LINKS_LINK_ID] = ck_text(join(&s->passing, CK_LIT("link"), ":", s->local));
  r.v[CK_LINKS_LOCAL_CONVERSATION_ID] = ck_text(s->local);
  r.v[CK_LINKS_PLATFORM] = ck_text(s->platform);
  r.v[CK_LINKS_REMOTE_CONVERSATION_ID] = s->remote;
  r.v[CK_LINKS_CLIENT_ID] = s->client;
  r.v[CK_LINKS_PAGE_URL] = s->url;
  r.v[CK_LINKS_PAGE_TITLE] = s->title;
  route_columns(s, &r);
  r.v[CK_LINKS_TARGET_KIND] = s->target_kind;
  r.v[CK_LINKS_TARGET_ID] = s->target_id;
  r.v[CK_LINKS_TARGET_PAYLOAD] = s->target_payload;
  put_times(&r, CK_LINKS_OBSERVED_AT, CK_LINKS_OBSERVED_AT, CK_LINKS_CREATED_AT, s->seen_at,
            s->assumed_at);
  put(s, &r);
}

static void put_captured(struct ingest_changeset *s) {
  struct ck_mutation m = {.kind = CK_OP_CAPTURED};
  m.as.captured = (struct ck_captured){s->platform, s->remote.as.s, s->age};
  ck_mutation_encode(&s->out, &m);
  ++s->mutations;
}

bool ingest_changeset_close(struct ingest_changeset *s, bool last) {
  bool bare = last && s->local.n && !s->given && !s->alone;
  if (!s->mutations && !bare) return false;
  if (bare) s->seen_at = s->created_at;
  put_session(s);
  if (s->local.n) put_conversation(s, last);
  if (s->local.n) put_link(s);
  if (last && s->to_end && s->age > 0 && s->remote.state == CK_TEXT) put_captured(s);
  ck_close_array(&s->out, s->opened, s->mutations);
  return true;
}

/* ---- an observation that stands alone ---- */

static int check(const struct ingest_observation *o, struct ck_err *err) {
  struct ck_str platform = ck_trim(o->platform);
  if (!platform.n) return ck_fail(err, "platform: missing");
  if (platform.n > PLATFORM_MAX)
    return ck_fail(err, "platform: %zu bytes, at most %d", platform.n, PLATFORM_MAX);
  if (!o->has_text && !o->execution_count) return ck_fail(err, "text: missing");
  if (!o->has_text && !ck_trim(o->message_id).n)
    return ck_fail(err, "message_id: missing; an execution without text must name its message");
  return 0;
}

int ingest_changeset_alone(struct ingest_changeset *s, const struct ingest_observation *o,
                           struct ck_str original, int64_t now, int64_t age,
                           struct ingest_changeset_facts *facts, struct ck_err *err) {
  if (check(o, err)) return -1;
  start(s, original, now);
  s->alone = true;
  s->age = o->time_assumed || o->observed_at == INGEST_NO_TIME ? age : o->observed_at;
  s->row_age = s->age ? s->age : (int64_t)o->number;
  s->platform = ck_trim(o->platform);
  s->title = o->page_title;
  s->url = o->page_url;
  s->client = o->client_id;
  s->target_kind = o->target_kind;
  s->target_id = o->target_id;
  s->target_payload = o->target_payload;
  find_conversation(s, o->conversation_id);
  if (o->has_text) {
    if (ingest_changeset_message(s, o, err)) return -1;
    ingest_changeset_keep(s);
  } else {
    ingest_changeset_known(s, o);
  }
  for (size_t i = 0; i < o->execution_count; ++i) {
    if (ingest_changeset_execution(s, &o->executions[i], err)) return -1;
    ingest_changeset_keep(s);
  }
  ingest_changeset_close(s, true);
  facts->message_id = s->message_id;
  facts->homeless = !s->local.n && (given(o->target_kind).n || given(o->target_id).n ||
                                    given(o->target_payload).n);
  return 0;
}
