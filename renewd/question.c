/* A table of the parts: which table of the store has each, by which key, and what its rows say. */
#include "renewd/question.h"

#include <assert.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "proto/map.h"

/* The most that a QUERY may ask for. */
#define JOBS_PAGE 1000

struct asked {
  uint64_t ticket;
  struct renew_answer answer;
  struct ck_arena arena; /* its texts */
  renew_answered *answered;
  void *self;
};

static struct ck_str text(struct asked *a, struct ck_str row, const char *column) {
  return ck_arena_copy(&a->arena, ck_map_str(row, column));
}

static void note_head(struct asked *a, const struct renew_reply *reply) {
  if (reply->head > a->answer.head) a->answer.head = reply->head;
}

/* ---- what the rows say ---- */

static json_t *json_of(struct ck_str text) {
  return json_loadb(text.s ? text.s : "", text.n, JSON_ALLOW_NUL, NULL);
}

static void take_refusal(struct renew_refusal *r, const json_t *limit) {
  json_int_t until = json_integer_value(json_object_get(limit, "until"));
  *r = (struct renew_refusal){.refused = json_is_object(limit),
                              .lasts = json_is_true(json_object_get(limit, "lasts")),
                              .until = until > 0 ? until : 0};
}

static void take_details(struct renew_answer *a, struct ck_str details) {
  struct renew_facts *f = &a->facts;
  json_t *d = json_of(details);
  const char *turn = json_string_value(json_object_get(d, "turn"));
  f->open = turn && strcmp(turn, "open") == 0 && !json_object_get(d, "waits");
  f->failed = turn && strcmp(turn, "failed") == 0;
  take_refusal(&a->refusal, json_object_get(d, "limit"));
  json_decref(d);
}

static void message_came(void *self, const struct renew_reply *reply) {
  struct asked *a = self;
  struct renew_facts *f = &a->answer.facts;
  note_head(a, reply);
  f->found = reply->rows > 0;
  f->role = text(a, reply->first, "role");
  f->created_at = ck_map_int(reply->first, "created_at", 0);
  f->observed_at = ck_map_int(reply->first, "observed_at", 0);
  f->live = ck_map_int(reply->first, "live", 0);
  a->answer.text = text(a, reply->first, "raw_text");
  take_details(&a->answer, ck_map_str(reply->first, "details"));
}

static void conversation_came(void *self, const struct renew_reply *reply) {
  struct asked *a = self;
  struct ck_str automation = ck_map_str(reply->first, "automation_status");
  note_head(a, reply);
  a->answer.paused = ck_str_is(automation, "paused");
  a->answer.manual = !a->answer.paused && !ck_str_is(automation, "auto");
  a->answer.last_message_id = text(a, reply->first, "last_message_id");
  a->answer.renewal = text(a, reply->first, "renewal");
  a->answer.title = text(a, reply->first, "title");
  a->answer.facts.last_message_at = ck_map_int(reply->first, "last_message_at", 0);
}

static void automation_came(void *self, const struct renew_reply *reply) {
  struct asked *a = self;
  note_head(a, reply);
  a->answer.facts.on_auto = reply->rows > 0;
  a->answer.facts.older = ck_map_int(reply->first, "last_is_older", 0);
  a->answer.delivered = ck_map_int(reply->first, "delivered", 0);
}

static void job_of_message_came(void *self, const struct renew_reply *reply) {
  struct asked *a = self;
  note_head(a, reply);
  a->answer.facts.has_job = reply->rows > 0;
}

struct renew_link renew_link_of(struct ck_str row) {
  return (struct renew_link){.target_kind = ck_map_str(row, "target_kind"),
                             .target_id = ck_map_str(row, "target_id"),
                             .target_payload = ck_map_str(row, "target_payload"),
                             .client_id = ck_map_str(row, "client_id"),
                             .platform = ck_map_str(row, "platform"),
                             .remote_conversation_id = ck_map_str(row, "remote_conversation_id"),
                             .page_url = ck_map_str(row, "page_url"),
                             .page_title = ck_map_str(row, "page_title"),
                             .route_path = ck_map_str(row, "route_path"),
                             .route_pattern = ck_map_str(row, "route_pattern"),
                             .route_params = ck_map_str(row, "route_params"),
                             .account = ck_map_str(row, "account")};
}

static void link_came(void *self, const struct renew_reply *reply) {
  struct asked *a = self;
  note_head(a, reply);
  a->answer.has_link = reply->rows > 0;
  a->answer.link = renew_link_of(ck_arena_copy(&a->arena, reply->first));
}

static void past_came(void *self, const struct renew_reply *reply) {
  struct asked *a = self;
  struct renew_past *past = &a->answer.past;
  note_head(a, reply);
  past->sixtieth_age = ck_map_int(reply->first, "sixtieth_age", -1);
  past->has_sixtieth = past->sixtieth_age >= 0;
  past->platform = text(a, reply->first, "platform");
  past->renewal = text(a, reply->first, "renewal");
  past->in_a_row = ck_map_int(reply->first, "in_a_row", 0);
  past->per_day = ck_map_int(reply->first, "per_day", 0);
  past->day_age = ck_map_int(reply->first, "day_age", 0);
  past->cost_per_day = ck_map_int(reply->first, "cost_per_day", 0);
  past->cost_age = ck_map_int(reply->first, "cost_age", 0);
  past->tokens_per_day = ck_map_int(reply->first, "tokens_per_day", 0);
  past->tokens_age = ck_map_int(reply->first, "tokens_age", 0);
  past->alike = ck_map_int(reply->first, "alike", 0);
  past->text = text(a, reply->first, "text");
  past->waits = text(a, reply->first, "waits");
  past->turn = text(a, reply->first, "turn");
  json_t *limit = json_of(ck_map_str(reply->first, "limit"));
  take_refusal(&past->refusal, limit);
  json_decref(limit);
  past->came_at = ck_map_int(reply->first, "came_at", 0);
  past->resumed = ck_map_int(reply->first, "resumed", 0);
  past->anyway = ck_map_int(reply->first, "anyway", 0);
}

static void lease_came(void *self, const struct renew_reply *reply) {
  struct asked *a = self;
  struct ck_str state = ck_map_str(reply->first, "state");
  note_head(a, reply);
  a->answer.lease = (struct renew_lease){.running = ck_str_is(state, "running"),
                                         .unknown = ck_str_is(state, "unknown"),
                                         .token = text(a, reply->first, "token"),
                                         .client = text(a, reply->first, "client"),
                                         .attempt = ck_map_int(reply->first, "attempt", 0),
                                         .left = ck_map_int(reply->first, "left", 0)};
}

static void unreached_came(void *self, const struct renew_reply *reply) {
  struct asked *a = self;
  note_head(a, reply);
  a->answer.unreached = ck_map_int(reply->first, "count", 0);
  a->answer.unreached_age = ck_map_int(reply->first, "age", 0);
}

static void job_came(void *self, const struct renew_reply *reply) {
  struct asked *a = self;
  struct ck_str row = reply->first;
  note_head(a, reply);
  a->answer.job = (struct renew_row){.head = reply->head,
                                     .conversation_id = text(a, row, "local_conversation_id"),
                                     .message_id = text(a, row, "message_id"),
                                     .payload = text(a, row, "payload"),
                                     .payload_kind = text(a, row, "payload_kind"),
                                     .snapshot = text(a, row, "target_snapshot"),
                                     .attempt_count = ck_map_int(row, "attempt_count", 0),
                                     .max_attempts = ck_map_int(row, "max_attempts", 1)};
}

/* Each row of a page becomes an element of `size` bytes. Returns the array, and how many in the
 * answer. */
static void *page_of(struct asked *a, const struct renew_reply *reply, size_t size,
                     void (*fill)(struct asked *a, struct ck_str row, void *one)) {
  struct ck_reader rows = ck_reader_of(reply->all);
  char *all = ck_arena_get(&a->arena, (reply->rows + 1) * size);
  struct ck_str row;
  uint32_t n = 0;
  note_head(a, reply);
  if (ck_read_array(&rows, &n)) n = 0;
  for (; n && ck_read_raw(&rows, &row) == 0; n--) fill(a, row, all + a->answer.n++ * size);
  return all;
}

static void fill_limit(struct asked *a, struct ck_str row, void *one) {
  *(struct renew_limit_row *)one =
      (struct renew_limit_row){.account = text(a, row, "account"),
                               .reason = text(a, row, "reason"),
                               .limit = {.until = ck_map_int(row, "until", 0),
                                         .since = ck_map_int(row, "since", 0),
                                         .times = ck_map_int(row, "times", 0),
                                         .over = ck_map_int(row, "over", 0),
                                         .at = ck_map_int(row, "at", 0)},
                               .left = ck_map_int(row, "left", 0)};
}

static void limits_came(void *self, const struct renew_reply *reply) {
  struct asked *a = self;
  a->answer.limits = page_of(a, reply, sizeof *a->answer.limits, fill_limit);
  a->answer.cursor = ck_arena_copy(&a->arena, reply->cursor);
}

static void fill_wait(struct asked *a, struct ck_str row, void *one) {
  int64_t left = ck_map_int(row, "left", INT64_MIN);
  *(struct renew_wait_row *)one =
      (struct renew_wait_row){.number = (uint64_t)ck_map_int(row, "number", 0),
                              .of_job = ck_str_is(ck_map_str(row, "kind"), "job"),
                              .id = text(a, row, "id"),
                              .until = ck_map_int(row, "until", 0),
                              .calendar = left == INT64_MIN,
                              .left = left};
}

static void waits_came(void *self, const struct renew_reply *reply) {
  struct asked *a = self;
  a->answer.waits = page_of(a, reply, sizeof *a->answer.waits, fill_wait);
}

static void fill_doubt(struct asked *a, struct ck_str row, void *one) {
  *(struct renew_doubt *)one = (struct renew_doubt){
      text(a, row, "job_id"), ck_map_int(row, "said", 0), ck_map_int(row, "captured", 0)};
}

static void doubts_came(void *self, const struct renew_reply *reply) {
  struct asked *a = self;
  a->answer.doubts = page_of(a, reply, sizeof *a->answer.doubts, fill_doubt);
}

struct renew_answer renew_answer_of_claim(const struct ck_claimed *c, uint64_t head) {
  return (struct renew_answer){.head = head,
                               .paused = ck_str_is(c->automation_status, "paused"),
                               .manual = !ck_str_is(c->automation_status, "paused") &&
                                         !ck_str_is(c->automation_status, "auto"),
                               .last_message_id = c->last_message_id,
                               .lease = {.running = true, .token = c->token, .attempt = c->attempt},
                               .unreached = c->unreached,
                               .unreached_age = c->unreached_age,
                               .job = {.head = head,
                                       .message_id = c->message_id,
                                       .payload = c->payload,
                                       .payload_kind = c->payload_kind,
                                       .snapshot = c->target_snapshot,
                                       .attempt_count = c->attempt,
                                       .max_attempts = c->max_attempts}};
}

/* Columns of the list that are not the table's, and those that the list leaves out, do not matter.
 */
static void fill_job(struct asked *a, struct ck_str row, void *one) {
  struct renew_job_row *r = one;
  *r = (struct renew_job_row){.version = (uint64_t)ck_map_int(row, "version", 0),
                              .row = {.table = CK_JOBS},
                              .age = ck_map_int(row, "age", 0)};
  struct ck_reader pairs = ck_reader_of(row);
  struct ck_str name, value;
  uint32_t n;
  if (ck_read_map(&pairs, &n)) return;
  for (; n && ck_read_str(&pairs, &name) == 0 && ck_read_raw(&pairs, &value) == 0; n--) {
    int c = ck_column_named(CK_JOBS, name);
    if (c < 0) continue;
    struct ck_reader v = ck_reader_of(value);
    struct ck_str s;
    int64_t number;
    if (ck_kind_is_int(ck_tables[CK_JOBS].fields[c].kind)) {
      if (ck_read_int(&v, &number) == 0) r->row.v[c] = ck_int(number);
    } else if (ck_read_str(&v, &s) == 0 && s.n) {
      r->row.v[c] = ck_text(ck_arena_copy(&a->arena, s));
    }
  }
}

static void jobs_came(void *self, const struct renew_reply *reply) {
  struct asked *a = self;
  a->answer.jobs = page_of(a, reply, sizeof *a->answer.jobs, fill_job);
  a->answer.cursor = ck_arena_copy(&a->arena, reply->cursor);
}

/* ---- the parts ---- */

/* JOBS: pages of these, some from a time on. */
enum key { NO_KEY, JOB, CONVERSATION, MESSAGE, JOBS };

static const struct part {
  enum renew_part part;
  const char *table, *column;
  enum key key;
  void (*take)(void *self, const struct renew_reply *reply);
} parts[RENEW_PARTS] = {
    {RENEW_ABOUT_MESSAGE, "messages", "id", MESSAGE, message_came},
    {RENEW_ABOUT_CONVERSATION, "local_conversations", "local_conversation_id", CONVERSATION,
     conversation_came},
    {RENEW_ABOUT_AUTOMATION, "automation", "local_conversation_id", CONVERSATION, automation_came},
    {RENEW_ABOUT_JOB_OF_MESSAGE, "renewal_jobs", "message_id", MESSAGE, job_of_message_came},
    {RENEW_ABOUT_LINK, "conversation_links", "local_conversation_id", CONVERSATION, link_came},
    {RENEW_ABOUT_PAST, "brakes", "local_conversation_id", CONVERSATION, past_came},
    {RENEW_ABOUT_LEASE, "leases", "job_id", JOB, lease_came},
    {RENEW_ABOUT_UNREACHED, "unreached", "job_id", JOB, unreached_came},
    {RENEW_ABOUT_JOB, "renewal_jobs", "job_id", JOB, job_came},
    {RENEW_ABOUT_LIMITS, "limits", NULL, NO_KEY, limits_came},
    {RENEW_ABOUT_DOUBTS, "doubts", NULL, NO_KEY, doubts_came},
    {RENEW_ABOUT_OFFERS, "offered", NULL, JOBS, jobs_came},
    {RENEW_ABOUT_UPCOMING, "upcoming", "next_attempt_at_min", JOBS, jobs_came},
    {RENEW_ABOUT_BEGUN, "begun", NULL, JOBS, jobs_came},
    {RENEW_ABOUT_WAITS, "waits", NULL, NO_KEY, waits_came},
};

/* The store lists links by observed_at, newest first, and a query takes the first. */
struct renew_query renew_link_query(struct ck_str conversation_id,
                                    void (*take)(void *self, const struct renew_reply *reply)) {
  return (struct renew_query){
      .table = "conversation_links",
      .filters = {{"local_conversation_id", ck_text(conversation_id)}, {"is_active", ck_int(1)}},
      .take = take};
}

/* The wait of a job, or of a conversation; of neither: a page of all. */
static void add_waits(struct renew_query *query, const struct renew_question *q) {
  struct ck_str id = q->job_id.n ? q->job_id : q->conversation_id;
  query->filters[0] =
      id.n ? (struct renew_filter){"kind", ck_textz(q->job_id.n ? "job" : "conversation")}
           : (struct renew_filter){"number_min", ck_int((int64_t)q->number)};
  if (id.n) query->filters[1] = (struct renew_filter){"id", ck_text(id)};
}

static struct renew_query query_of(const struct part *p, const struct renew_question *q) {
  const struct ck_str keys[] = {
      [JOB] = q->job_id, [CONVERSATION] = q->conversation_id, [MESSAGE] = q->message_id};
  if (p->part == RENEW_ABOUT_LINK) return renew_link_query(q->conversation_id, p->take);
  struct renew_query query = {.table = p->table, .take = p->take};
  if (p->key == JOBS) {
    if (p->column) query.filters[0] = (struct renew_filter){p->column, ck_int(q->since)};
    query.limit = JOBS_PAGE;
    query.cursor = q->cursor;
  } else if (p->key != NO_KEY) {
    query.filters[0] = (struct renew_filter){p->column, ck_text(keys[p->key])};
  } else {
    query.limit = RENEW_PAGE;
    query.offset = q->page * RENEW_PAGE;
    query.cursor = q->cursor;
  }
  if (p->part == RENEW_ABOUT_WAITS) add_waits(&query, q);
  if (p->part != RENEW_ABOUT_PAST) return query;
  query.filters[1] = (struct renew_filter){"job_id", ck_text(q->job_id)};
  if (!q->rules) return query;
  query.filters[2] = (struct renew_filter){"in_a_row", ck_int(q->rules->in_a_row)};
  query.filters[3] = (struct renew_filter){"per_day", ck_int(q->rules->per_day)};
  query.filters[4] = (struct renew_filter){"alike", ck_int(q->rules->alike)};
  query.filters[5] = (struct renew_filter){"message_id", ck_text(q->message_id)};
  query.filters[6] = (struct renew_filter){"cost_per_day", ck_int(q->rules->cost_per_day)};
  query.filters[7] = (struct renew_filter){"tokens_per_day", ck_int(q->rules->tokens_per_day)};
  return query;
}

/* ---- the whole ---- */

static void decide(void *self, const char *problem) {
  struct asked *a = self;
  a->answer.problem = problem;
  a->answered(a->self, a->ticket, &a->answer);
}

static void forget(void *self) {
  struct asked *a = self;
  ck_arena_free(&a->arena);
  free(a);
}

void renew_question_send(struct renew_queries *queries, uint64_t ticket,
                         const struct renew_question *q, renew_answered *answered, void *self) {
  struct renew_query list[RENEW_PARTS];
  unsigned n = 0;
  for (size_t i = 0; i < RENEW_PARTS; i++)
    if (q->parts & parts[i].part) list[n++] = query_of(&parts[i], q);
  assert(n);
  struct asked *a = ck_zalloc(sizeof *a);
  a->ticket = ticket;
  a->answered = answered;
  a->self = self;
  renew_query_all(queries, list, n, decide, forget, a);
}
