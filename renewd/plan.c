/* What would be sent, by the core itself: see renewd.h. Its world is the store as it is, in which
 * every claim is granted and every delivery arrives at once; after one, a conversation waits for an
 * answer, which nobody knows. */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#include "proto/daemon.h"
#include "renewd/pauses.h"
#include "renewd/planned.h"
#include "renewd/renewd.h"

#define START_MS 60000  /* for the store's rows to have come */
#define SILENT_MS 10000 /* for an answer to come */
#define FAR_MS INT64_C(3153600000000)

struct plan {
  struct renewd r; /* without outcomes and channels */
  struct renew_planned planned;
  size_t asked; /* questions without an answer */
  struct ck_err error;
};

/* ---- lines ---- */

static void put(json_t *o, const char *name, struct ck_str text) {
  if (text.n) json_object_set_new_nocheck(o, name, json_stringn_nocheck(text.s, text.n));
}

static void say(const char *what, json_t *o) {
  json_t *line = json_pack("{s:o}", what, o);
  char *text = json_dumps(line, JSON_COMPACT);
  ck_task_say(ck_str_of(text));
  free(text);
  json_decref(line);
}

static json_t *line_of(const struct plan *p, const struct renew_job *j) {
  json_t *o = json_object();
  put(o, "job_id", ck_str_of(j->node.id));
  put(o, "local_conversation_id", ck_str_of(j->of->node.id));
  json_object_set_new(o, "automatic", json_boolean(j->automatic && !j->anyway));
  json_object_set_new(o, "made",
                      json_boolean(renew_planned_is_made(&p->planned, ck_str_of(j->node.id))));
  return o;
}

static void say_goes(struct plan *p, struct ck_str job_id, struct ck_str payload,
                     struct ck_str snapshot) {
  const struct renew_job *j = renew_core_job(&p->r.core, job_id);
  if (!j) return;
  json_t *o = line_of(p, j);
  json_object_set_new(o, "at", json_integer(renew_now().wall + p->r.ahead));
  put(o, "payload", payload);
  put(o, "snapshot", snapshot);
  say("goes", o);
}

/* The client finds what it needs in the body. */
static void say_offered(struct plan *p, const struct ck_offer *offer) {
  json_t *body = json_loadb(offer->body.s, offer->body.n, 0, NULL);
  const char *payload = json_string_value(json_object_get(body, "payload"));
  json_t *target = json_object_get(body, "target");
  json_object_set(target, "client_id", json_object_get(body, "client_id"));
  char *snapshot = json_dumps(target, JSON_COMPACT);
  say_goes(p, offer->job_id, ck_str_of(payload ? payload : ""),
           ck_str_of(snapshot ? snapshot : ""));
  free(snapshot);
  json_decref(body);
}

/* It does not go, and why is not in the core any more. */
static void say_ended(struct plan *p, struct ck_str job_id, const char *state,
                      struct ck_str reason) {
  const struct renew_job *j = renew_core_job(&p->r.core, job_id);
  if (!j) return;
  json_t *o = line_of(p, j);
  put(o, "state", ck_str_of(state));
  put(o, "reason", reason);
  say("waits", o);
}

static void say_waits(void *self, struct renew_node *node) {
  struct plan *p = self;
  const struct renew_job *j = (const struct renew_job *)node;
  struct renew_now now = p->r.core.now;
  struct renew_held h = {.state = "waiting", .until = RENEW_NEVER};
  if (j->status == RENEW_OVER || j->phase == RENEW_OPEN) return;
  json_t *o = line_of(p, j);
  if (j->status == RENEW_RUNNING) h.state = "running";
  if (j->in_doubt) h = (struct renew_held){"unknown", "it may have arrived", RENEW_NEVER};
  if (j->status == RENEW_PENDING) renew_is_held(&h, &p->r.core, j, now);
  put(o, "state", ck_str_of(h.state));
  put(o, "reason", ck_str_of(h.reason));
  if (h.until != RENEW_NEVER)
    json_object_set_new(o, "until", json_integer(now.wall + (h.until - now.boot)));
  if (j->status == RENEW_PENDING && j->next_attempt_at != RENEW_NEVER)
    json_object_set_new(o, "due", json_integer(now.wall + (renew_job_due(j, now) - now.boot)));
  say("waits", o);
}

/* ---- what the core asks ---- */

struct asked {
  struct plan *p;
  uint64_t ticket;
  unsigned parts;
  char *job_id;
};

static void happens_with(struct plan *p, enum renew_event_kind kind, uint64_t ticket,
                         const struct renew_answer *answer) {
  renew_happens(&p->r, &(struct renew_event){kind, ticket, {.answer = answer}});
}

/* The claim was granted; what runs is not ours to end, and what may have arrived waits. */
static void give_lease(struct renew_answer *a, const struct renew_job *j) {
  const char *token = j && j->trying ? j->trying->token : NULL;
  if (!token && a->lease.unknown) return;
  a->lease = (struct renew_lease){.running = true, .attempt = a->job.attempt_count + 1};
  if (token) {
    a->lease.token = ck_str_of(token);
  } else {
    a->lease.client = CK_LIT("somebody");
    a->lease.left = FAR_MS;
  }
}

static void answered(void *self, uint64_t ticket, const struct renew_answer *answer) {
  struct asked *q = self;
  struct plan *p = q->p;
  struct renew_answer a = *answer;
  p->asked--;
  if (q->parts & RENEW_ABOUT_JOB) renew_planned_give(&p->planned, ck_str_of(q->job_id), &a);
  if (q->parts & RENEW_ABOUT_LEASE)
    give_lease(&a, renew_core_job(&p->r.core, ck_str_of(q->job_id)));
  a.past.sixtieth_age += p->r.ahead;
  a.past.day_age += p->r.ahead;
  a.past.cost_age += p->r.ahead;
  a.past.tokens_age += p->r.ahead;
  if (q->parts & RENEW_ABOUT_OFFERS) { /* what is offered is offered once more */
    a.n = 0;
    a.cursor = (struct ck_str){0};
  }
  if (a.problem) ck_fail(&p->error, "%s", a.problem);
  happens_with(p, RENEW_ANSWER, ticket, &a);
  free(q->job_id);
  free(q);
}

/* What will be observed, which may tell an unknown end, nobody knows. */
static void query(struct plan *p, const struct renew_effect *e) {
  if (e->as.query.parts == RENEW_ABOUT_DOUBTS) {
    happens_with(p, RENEW_ANSWER, e->ticket, &(struct renew_answer){0});
    return;
  }
  struct asked *q = ck_zalloc(sizeof *q);
  *q = (struct asked){p, e->ticket, e->as.query.parts, ck_str_dup(e->as.query.job_id)};
  p->asked++;
  renew_question_send(p->r.queries, e->ticket, &e->as.query, answered, q);
}

/* ---- what the core tells ---- */

static void row_of(struct plan *p, struct ck_str job_id, const char *status,
                   struct ck_str snapshot) {
  const struct renew_job *j = renew_core_job(&p->r.core, job_id);
  struct ck_row row = {.table = CK_JOBS};
  if (!j) return;
  char *id = ck_str_dup(job_id), *conversation = ck_strdup(j->of->node.id);
  row.v[CK_JOBS_JOB_ID] = ck_textz(id);
  row.v[CK_JOBS_LOCAL_CONVERSATION_ID] = ck_textz(conversation);
  row.v[CK_JOBS_STATUS] = ck_textz(status);
  row.v[CK_JOBS_TARGET_SNAPSHOT] = ck_text(snapshot);
  row.v[CK_JOBS_ATTEMPT_COUNT] = ck_int(j->attempt_count);
  row.v[CK_JOBS_NEXT_ATTEMPT_AT] = ck_int(j->next_attempt_at);
  if (j->tried) row.v[CK_JOBS_LAST_ATTEMPT_AT] = ck_int(0); /* when does not matter */
  renew_happens(&p->r, &(struct renew_event){.kind = RENEW_ROW, .as.row = &row});
  free(id);
  free(conversation);
}

static void make(struct plan *p, const struct ck_row *given) {
  struct ck_row row = *given;
  renew_planned_make(&p->planned, given);
  row.v[CK_JOBS_STATUS] = ck_textz("pending");
  renew_happens(&p->r, &(struct renew_event){.kind = RENEW_ROW, .as.row = &row});
}

static void give_receipt(struct plan *p, uint64_t ticket, char result) {
  uint64_t version = p->r.core.version;
  if (ticket)
    renew_happens(&p->r,
                  &(struct renew_event){RENEW_RECEIPT,
                                        ticket,
                                        {.receipt = {result, (struct ck_str){0}, version, NULL}}});
}

/* The store ends it unless a person wants it anyway. */
static void past_known(void *self, uint64_t ticket, const struct renew_answer *a) {
  struct asked *q = self;
  struct plan *p = q->p;
  p->asked--;
  if (a->problem) ck_fail(&p->error, "%s", a->problem);
  if (!a->past.anyway) row_of(p, ck_str_of(q->job_id), "failed", (struct ck_str){0});
  give_receipt(p, ticket, a->past.anyway ? '=' : 'u');
  free(q->job_id);
  free(q);
}

static void supersede(struct plan *p, uint64_t ticket, struct ck_str job_id) {
  const struct renew_job *j = renew_core_job(&p->r.core, job_id);
  if (!j) return;
  struct asked *q = ck_zalloc(sizeof *q);
  *q = (struct asked){p, ticket, RENEW_ABOUT_PAST, ck_str_dup(job_id)};
  p->asked++;
  renew_question_send(p->r.queries, ticket,
                      &(struct renew_question){.parts = RENEW_ABOUT_PAST,
                                               .job_id = job_id,
                                               .conversation_id = ck_str_of(j->of->node.id),
                                               .message_id = ck_str_of(j->of->last.id),
                                               .rules = &p->r.core.set.stops},
                      past_known, q);
}

/* What nothing was sent of would be tried again; but in a world that stands still, with the same
 * end. */
static void end_attempt(struct plan *p, const struct ck_end *end) {
  bool done = ck_str_is(end->outcome, "done"), failed = ck_str_is(end->outcome, "failed");
  if (!done) say_ended(p, end->job_id, failed ? "failed" : "waiting", end->error);
  row_of(p, end->job_id, done ? "done" : "failed", (struct ck_str){0});
}

static void cancel(struct plan *p, const struct ck_cancel *c) {
  say_ended(p, c->job_id, "failed", c->reason);
  row_of(p, c->job_id, "failed", (struct ck_str){0});
}

static void address(struct plan *p, const struct ck_row *given) {
  struct ck_str snapshot = ck_row_text(given, CK_JOBS_TARGET_SNAPSHOT);
  renew_planned_address(&p->planned, ck_row_key(given), snapshot);
  row_of(p, ck_row_key(given), "pending", snapshot);
}

/* The store would take it. */
static void take(struct plan *p, const struct renew_effect *e) {
  const struct ck_mutation *m = &e->as.tell.mutation;
  const struct ck_row *row = e->as.tell.row;
  if (m->kind == CK_OP_PUT && row && row->table == CK_JOBS) make(p, row);
  if (m->kind == CK_OP_UPDATE && row && row->table == CK_JOBS) address(p, row);
  if (m->kind == CK_OP_SUPERSEDE) supersede(p, e->ticket, m->as.supersede.job_id);
  if (m->kind == CK_OP_END) end_attempt(p, &m->as.end);
  if (m->kind == CK_OP_CANCEL) cancel(p, &m->as.cancel);
  if (m->kind == CK_OP_OFFER) say_offered(p, &m->as.offer);
  if (m->kind != CK_OP_SUPERSEDE) give_receipt(p, e->ticket, 'u');
}

static void send_it(struct plan *p, const struct renew_effect *e) {
  struct renew_result done;
  renew_result_set(&done, RENEW_DONE, "%s", "");
  say_goes(p, e->as.send.job_id, e->as.send.payload, e->as.send.snapshot);
  renew_happens(&p->r, &(struct renew_event){RENEW_RESULT, e->ticket, {.result = &done}});
}

/* The list may grow meanwhile, and move. */
static bool do_effects(struct plan *p) {
  bool any = p->r.effects.n > 0;
  for (size_t i = 0; i < p->r.effects.n; i++) {
    const struct renew_effect e = p->r.effects.v[i];
    if (e.kind == RENEW_QUERY) query(p, &e);
    if (e.kind == RENEW_TELL) take(p, &e);
    if (e.kind == RENEW_SEND) send_it(p, &e);
  }
  renew_effects_clear(&p->r.effects);
  return any;
}

/* ---- its time ---- */

static void changed(void *self, uint64_t version, const struct ck_row *row) {
  struct plan *p = self;
  (void)version;
  if (!p->r.connected)
    renew_happens(&p->r, &(struct renew_event){.kind = RENEW_ROW, .as.row = row});
}

/* What comes after the start is not looked at: the plan is of one moment. */
static void upto(void *self, const char *store_id, uint64_t version, bool live) {
  struct plan *p = self;
  (void)store_id;
  if (p->r.connected) return;
  renew_happens(&p->r,
                &(struct renew_event){.kind = RENEW_FOLLOWED, .as.followed = {version, live}});
  p->r.live |= live;
}

static void reset(void *self, const char *store_id) {
  (void)self;
  (void)store_id;
}

static void wait_for_store(struct plan *p, int ms) {
  zmq_pollitem_t items[3];
  int n = p->r.connected ? 0 : ck_follow_items(p->r.follow, items);
  items[n++] = (zmq_pollitem_t){.socket = renew_queries_socket(p->r.queries), .events = ZMQ_POLLIN};
  zmq_poll(items, n, ms);
}

/* Until the rows and the pauses are known. */
static void begin(struct plan *p) {
  int64_t until = ck_boot_after(START_MS);
  while (!(p->r.live && renew_paused_known(p->r.paused)) && ck_boot_ms() < until) {
    ck_follow_step(p->r.follow);
    renew_paused_step(p->r.paused);
    renew_queries_step(p->r.queries);
    if (!do_effects(p)) wait_for_store(p, 100);
  }
  if (!p->r.live || !renew_paused_known(p->r.paused))
    ck_fail(&p->error, "the store does not answer");
  p->r.connected = true;
  renew_happens(&p->r, &(struct renew_event){.kind = RENEW_CONNECTED});
}

/* While the store is asked, no time passes but the real one; then all of it up to the next thing
 * that happens. */
static void run(struct plan *p, int64_t until) {
  int64_t silent_at = ck_boot_after(SILENT_MS);
  while (!p->error.text[0]) {
    renew_queries_step(p->r.queries);
    if (do_effects(p)) {
      silent_at = ck_boot_after(SILENT_MS);
      continue;
    }
    if (p->asked && ck_boot_ms() >= silent_at) ck_fail(&p->error, "the store does not answer");
    if (p->asked) {
      wait_for_store(p, 100);
      continue;
    }
    struct renew_now now = {renew_now().wall + p->r.ahead, renew_now().boot + p->r.ahead};
    int64_t wakes = renew_core_wakes(&p->r.core);
    if (wakes == RENEW_NEVER || now.wall + (wakes - now.boot) > until) return;
    if (wakes > now.boot) p->r.ahead += wakes - now.boot;
    renew_happens(&p->r, &(struct renew_event){.kind = RENEW_TICK});
    silent_at = ck_boot_after(SILENT_MS);
  }
}

static void end(struct plan *p) {
  ck_follow_free(&p->r.follow);
  renew_queries_free(&p->r.queries);
  renew_paused_free(&p->r.paused);
  renew_core_free(&p->r.core);
  renew_effects_free(&p->r.effects);
  renew_planned_free(&p->planned);
}

int renew_plan_main(const struct ck_settings *s, int argc, char **argv) {
  struct plan p = {.r.settings = s};
  char *rest;
  (void)argc;
  errno = 0;
  int64_t until = strtoll(argv[1], &rest, 10);
  if (errno || *rest || until <= 0) ck_fail(&p.error, "%.100s: it is no time", argv[1]);
  const struct renew_settings set = renew_settings_of(s);
  renew_core_init(&p.r.core, &set, 1);
  p.r.paused = renew_paused_new(&p.r);
  const struct ck_follow_ops ops = {&p, changed, upto, reset, NULL};
  if (!p.error.text[0]) p.r.queries = renew_queries_new(s, &p.error);
  if (p.r.queries) p.r.follow = ck_follow_new(s, &ops, RENEW_FOLLOWS, "", 0, &p.error);
  if (p.r.follow) ck_follow_brief(p.r.follow);
  if (p.r.follow) begin(&p);
  if (p.r.follow) run(&p, until);
  bool failed = p.error.text[0];
  if (failed)
    say("error", json_string(p.error.text));
  else
    renew_index_each(&p.r.core.jobs, say_waits, &p);
  if (!failed) say("result", json_object());
  end(&p);
  return failed;
}
