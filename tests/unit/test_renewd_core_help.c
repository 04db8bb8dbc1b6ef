/* See test_renewd_core.h. */
#include "test_renewd_core.h"

#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>

struct renew_core core;
struct renew_effects effects;
struct renew_now at;
static bool found[100000]; /* of the effects */
static uint64_t version;
#define BEFORES 16
static struct ck_row before[BEFORES]; /* of jobs, before the core was live */
static size_t befores;
bool knows_waits = true;
/* What the rows stand for. */
static struct {
  char id[64];
  bool of_job, calendar;
  int64_t until, ends; /* ends: boot */
} waits[2048];
static size_t waits_n;

static int serves(const void *self, const struct renew_target *t, struct ck_err *err) {
  (void)self;
  if (strcmp(t->kind, "exec") == 0 || strcmp(t->kind, "null") == 0) return 0;
  return ck_fail(err, "no channel serves it");
}

static bool repeatable(const void *self, const struct renew_target *t) {
  (void)self;
  return t->kind && strcmp(t->kind, "null") == 0;
}

/* UTC. */
static const struct ck_zone *no_zone(const void *self, struct ck_str name, struct ck_err *err) {
  (void)self, (void)name;
  ck_fail(err, "there is none");
  return NULL;
}

void core_new(void) {
  const struct renew_settings set = {.rules = {.max_age = 3600000,
                                               .cooldown = 60000,
                                               .backoff = 1000,
                                               .backoff_max = 60000,
                                               .max_attempts = 3,
                                               .give_up = 3600000},
                                     .stops = {.in_a_row = 10, .question = true, .zone = no_zone},
                                     .ahead = 100,
                                     .payload = "continue",
                                     .serves = serves,
                                     .repeatable = repeatable};
  core_end();
  memset(&core, 0, sizeof core);
  renew_core_init(&core, &set, 7);
  at = (struct renew_now){1000000, 5000};
  version = 0;
  befores = 0;
  waits_n = 0;
}

void core_connect(void) {
  happen(RENEW_CONNECTED);
  follow(version);
  page();
  const struct renew_effect *offers = queried(RENEW_ABOUT_OFFERS),
                            *limits = queried(RENEW_ABOUT_LIMITS);
  if (limits) answer(limits, (struct renew_answer){0});
  if (offers) answer(offers, (struct renew_answer){0});
}

void core_begin(void) {
  core_new();
  core_connect();
}

void core_end(void) {
  renew_core_free(&core);
  renew_effects_free(&effects);
  memset(found, 0, sizeof found);
}

void pass(int64_t ms) {
  at.wall += ms;
  at.boot += ms;
}

/* ---- what the rows stand for ---- */

static void note_wait(const char *id, bool of_job, bool calendar, int64_t until) {
  size_t i = 0;
  while (i < waits_n && (waits[i].of_job != of_job || strcmp(waits[i].id, id) != 0)) i++;
  cr_assert_lt(i, sizeof waits / sizeof *waits);
  if (i == waits_n)
    waits_n++;
  else if (waits[i].until == until)
    return;
  snprintf(waits[i].id, sizeof waits[i].id, "%s", id);
  waits[i].of_job = of_job;
  waits[i].calendar = calendar && until > at.wall;
  waits[i].until = until;
  bool ends = until >= 0 && until <= INT64_MAX / 2;
  waits[i].ends = ends ? at.boot + (until - at.wall) : until;
}

static void answer_waits(const struct renew_effect *asked) {
  static struct renew_wait_row rows[sizeof waits / sizeof *waits];
  size_t n = 0;
  const struct renew_question *q = &asked->as.query;
  struct ck_str id = q->job_id.n ? q->job_id : q->conversation_id;
  for (size_t i = 0; i < waits_n; i++)
    if ((waits[i].calendar || waits[i].ends > at.boot) &&
        (!id.n || (ck_str_is(id, waits[i].id) && waits[i].of_job == (q->job_id.n > 0)))) {
      rows[n] = (struct renew_wait_row){.number = n + 1,
                                        .of_job = waits[i].of_job,
                                        .id = ck_str_of(waits[i].id),
                                        .until = waits[i].until,
                                        .calendar = waits[i].calendar,
                                        .left = waits[i].ends - at.boot};
      n++;
    }
  answer(asked, (struct renew_answer){.waits = rows, .n = n});
}

/* ---- events ---- */

static void step(const struct renew_event *e) {
  renew_step(&core, e, at, &effects);
  cr_assert_lt(effects.n, sizeof found);
  const struct renew_effect *asked = knows_waits ? queried(RENEW_ABOUT_WAITS) : NULL;
  if (asked) answer_waits(asked); /* and the next one */
}

void happen(enum renew_event_kind kind) { step(&(struct renew_event){.kind = kind}); }

void follow(uint64_t upto) {
  version = upto;
  step(&(struct renew_event){.kind = RENEW_FOLLOWED, .as.followed = {upto, true}});
}

void answer(const struct renew_effect *query, struct renew_answer a) {
  cr_assert_not_null(query, "nothing was asked");
  step(&(struct renew_event){RENEW_ANSWER, query->ticket, {.answer = &a}});
}

void receipt(const struct renew_effect *tell, char letter, uint64_t upto) {
  cr_assert_not_null(tell, "nothing was told");
  struct ck_str reason = letter == 'r' ? CK_LIT("refused") : (struct ck_str){0};
  step(&(struct renew_event){
      RENEW_RECEIPT, tell->ticket, {.receipt = {letter, reason, upto, NULL}}});
}

void receipt_found(const struct renew_effect *claim, uint64_t upto, struct renew_answer a) {
  cr_assert_not_null(claim, "nothing was claimed");
  step(&(struct renew_event){
      RENEW_RECEIPT, claim->ticket, {.receipt = {'u', (struct ck_str){0}, upto, &a}}});
}

void result(const struct renew_effect *send, enum renew_outcome outcome) {
  struct renew_result r;
  cr_assert_not_null(send, "nothing was sent");
  renew_result_set(&r, outcome, "%s", outcome == RENEW_DONE ? "" : "words");
  step(&(struct renew_event){RENEW_RESULT, send->ticket, {.result = &r}});
}

static void row(const struct ck_row *r) {
  step(&(struct renew_event){.kind = RENEW_ROW, .as.row = r});
}

void row_message(const char *id, const char *text) {
  struct ck_row r = {.table = CK_MESSAGES};
  r.v[CK_MESSAGES_ID] = ck_textz(id);
  r.v[CK_MESSAGES_RAW_TEXT] = ck_textz(text);
  row(&r);
}

void row_conversation(const char *id, const char *automation, const char *last,
                      int64_t cooldown_until) {
  struct ck_row r = {.table = CK_CONVERSATIONS};
  r.v[CK_CONVERSATIONS_LOCAL_CONVERSATION_ID] = ck_textz(id);
  r.v[CK_CONVERSATIONS_AUTOMATION_STATUS] = ck_textz(automation);
  r.v[CK_CONVERSATIONS_LAST_MESSAGE_ID] = ck_textz(last);
  r.v[CK_CONVERSATIONS_COOLDOWN_UNTIL] = cooldown_until ? ck_int(cooldown_until) : ck_null();
  note_wait(id, false, false, cooldown_until);
  row(&r);
}

static struct ck_row job_row(struct row_of_job j) {
  struct ck_row r = {.table = CK_JOBS};
  r.v[CK_JOBS_JOB_ID] = ck_textz(j.id);
  r.v[CK_JOBS_LOCAL_CONVERSATION_ID] = ck_textz(j.of);
  r.v[CK_JOBS_MESSAGE_ID] = ck_textz(j.message);
  r.v[CK_JOBS_STATUS] = ck_textz(j.status ? j.status : "pending");
  r.v[CK_JOBS_ATTEMPT_COUNT] = ck_int(j.attempts);
  r.v[CK_JOBS_NEXT_ATTEMPT_AT] = j.next.state == CK_LEFT_OUT ? ck_int(at.wall) : j.next;
  r.v[CK_JOBS_CREATED_AT] = ck_int(j.created_at ? j.created_at : 1000);
  r.v[CK_JOBS_TARGET_SNAPSHOT] = ck_textz(j.target ? j.target : TARGET);
  bool automatic = ck_job_is_automatic(ck_str_of(j.id), ck_str_of(j.message));
  if (j.attempts && !j.last_attempt_at) j.last_attempt_at = 1;
  note_wait(j.id, true, !automatic && !j.last_attempt_at,
            ck_row_int(&r, CK_JOBS_NEXT_ATTEMPT_AT, 0));
  if (j.last_attempt_at) r.v[CK_JOBS_LAST_ATTEMPT_AT] = ck_int(j.last_attempt_at);
  return r;
}

void row_job(struct row_of_job j) {
  struct ck_row r = job_row(j);
  if (!core.recovered && befores < BEFORES) before[befores++] = r;
  row(&r);
}

struct renew_job_row listed(uint64_t upto, struct row_of_job j) {
  return (struct renew_job_row){.version = upto, .row = job_row(j)};
}

void page(void) {
  const struct renew_effect *query = queried(RENEW_ABOUT_UPCOMING);
  struct renew_job_row rows[BEFORES];
  size_t n = 0;
  for (size_t i = 0; i < befores; i++)
    if (ck_str_is(ck_row_text(&before[i], CK_JOBS_STATUS), "pending"))
      rows[n++] = (struct renew_job_row){.row = before[i]};
  if (query) answer(query, (struct renew_answer){.jobs = rows, .n = n});
}

void row_link(const char *of) {
  struct ck_row r = {.table = CK_LINKS};
  r.v[CK_LINKS_LOCAL_CONVERSATION_ID] = ck_textz(of);
  row(&r);
}

const char *automatic(const char *message) {
  static char ids[64][37];
  static unsigned n;
  char *id = ids[n++ % 64];
  ck_job_id(id, ck_str_of(message));
  return id;
}

/* ---- effects ---- */

static const struct renew_effect *find(enum renew_effect_kind kind,
                                       bool (*fits)(const struct renew_effect *e, const void *what),
                                       const void *what) {
  for (size_t i = 0; i < effects.n; i++)
    if (!found[i] && effects.v[i].kind == kind && (!fits || fits(&effects.v[i], what))) {
      found[i] = true;
      struct renew_effect *copy = ck_arena_get(&effects.arena, sizeof *copy);
      *copy = effects.v[i]; /* the list may move */
      return copy;
    }
  return NULL;
}

static bool has_parts(const struct renew_effect *e, const void *what) {
  return e->as.query.parts == *(const unsigned *)what;
}
static bool has_kind(const struct renew_effect *e, const void *what) {
  return e->as.tell.mutation.kind == *(const enum ck_mutation_kind *)what;
}
static bool has_event(const struct renew_effect *e, const void *what) {
  return strcmp(e->as.say.event, what) == 0;
}

const struct renew_effect *queried(unsigned parts) { return find(RENEW_QUERY, has_parts, &parts); }
const struct renew_effect *told(enum ck_mutation_kind kind) {
  return find(RENEW_TELL, has_kind, &kind);
}
const struct renew_effect *sent(void) { return find(RENEW_SEND, NULL, NULL); }
const struct renew_effect *abandoned(void) { return find(RENEW_ABANDON, NULL, NULL); }
const struct renew_line *said(const char *event) {
  const struct renew_effect *e = find(RENEW_SAY, has_event, event);
  return e ? &e->as.say : NULL;
}

/* ---- what is often looked for ---- */

enum renew_phase phase(const char *job) {
  const struct renew_job *j = renew_core_job(&core, ck_str_of(job));
  cr_assert_not_null(j, "there is no job %s", job);
  return j->phase;
}

static const struct renew_effect *past; /* of the job that claims found last */

void claims(const char *job) {
  happen(RENEW_TICK);
  const struct renew_effect *next = queried(PAST);
  if (!job) {
    cr_assert_null(next, "a job of %s has its turn", next->as.query.conversation_id.s);
    return;
  }
  cr_assert_not_null(next, "no job has its turn, nor %s", job);
  past = next;
  const struct renew_conversation *c =
      renew_core_conversation(&core, past->as.query.conversation_id);
  const struct renew_job *j = c->jobs;
  while (j && j->ticket.number != past->ticket) j = j->next;
  cr_assert(j && strcmp(j->node.id, job) == 0, "%s has its turn, not %s", j ? j->node.id : "none",
            job);
}

const struct renew_effect *past_query(void) { return past; }

struct renew_answer leased(const char *job, const char *target) {
  const struct renew_job *j = renew_core_job(&core, ck_str_of(job));
  struct renew_answer a = {.head = version};
  a.lease.running = true;
  a.lease.attempt = j->attempt_count + 1;
  if (j->trying) a.lease.token = ck_str_of(j->trying->token);
  a.job = (struct renew_row){.head = version,
                             .conversation_id = ck_str_of(j->of->node.id),
                             .payload = CK_LIT("go on"),
                             .payload_kind = CK_LIT("text"),
                             .snapshot = ck_str_of(target),
                             .attempt_count = j->attempt_count,
                             .max_attempts = 3};
  return a;
}

const struct renew_effect *sends(const char *job, const char *target) {
  answer(past, (struct renew_answer){0});
  receipt(told(CK_OP_CLAIM), 'u', version + 1);
  answer(queried(LEASE), leased(job, target));
  cr_assert_eq(phase(job), RENEW_SENDING);
  return sent();
}

void ends(const char *job, enum renew_outcome outcome, const char *status) {
  const struct renew_job *j = renew_core_job(&core, ck_str_of(job));
  char *of = ck_strdup(j->of->node.id), *id = ck_strdup(job);
  result(sends(job, TARGET), outcome);
  receipt(told(CK_OP_END), 'u', version + 2);
  row_job((struct row_of_job){
      .id = id, .of = of, .message = id, .status = status, .next = ck_int(at.wall)});
  follow(version + 2);
  free(of);
  free(id);
}
