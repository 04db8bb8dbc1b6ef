/* The store's tables, all of them durable, and what it says to a question. */
#include "tests/sim/accounts.h"
#include "tests/sim/pauses.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct store store;

#define NAME 40 /* bytes of a job's id, with the terminator */

/* ---- names ---- */

void sim_conversation_name(char out[24], int id) { snprintf(out, 24, "sim:%d", id); }
void sim_message_name(char out[32], int id) { snprintf(out, 32, "m%d", id); }
int sim_conversation_of(struct ck_str name) { return atoi(name.s + 4); }
int sim_message_of(struct ck_str name) { return atoi(name.s + 1); }

int sim_job_of(struct ck_str name) {
  const struct renew_node *n = renew_index_find(&world.names, name);
  SIM_CHECK(n, "a job that nobody made: %.*s", (int)name.n, name.s);
  return atoi(n->id + NAME); /* see sim_new_job */
}

bool sim_repeatable(int target) {
  return world.t[target].channel == NULLS || world.t[target].channel == SURE_WEBHOOK;
}

/* ---- rows that change ---- */

void sim_conversation_changed(int id) {
  struct conversation *c = &world.c[id];
  c->version = ++store.version;
  c->updated_at = now().wall;
  sim_publish('c', id, c->version);
}

void sim_message_changed(int id) {
  struct message *m = &world.m[id];
  m->version = ++store.version;
  if (m->live && !m->assistant && m->says != ALIKE_TEXT)
    world.c[m->conversation].person = m->version;
  sim_publish('m', id, m->version);
}

/* Any change of a job's row withdraws its offer. */
void sim_job_changed(int id) {
  world.j[id].offer = 0;
  world.j[id].updated_at = now().wall;
  world.j[id].version = ++store.version;
  sim_publish('j', id, store.version);
  if (world.j[id].status == OVER) sim_pause_ends(id);
}

void sim_link_changed(int id) {
  ++store.version;
  sim_publish('l', id, store.version);
}

int sim_new_message(int id, bool assistant, bool live, enum says says, int64_t observed_at) {
  struct conversation *c = &world.c[id];
  if (world.messages == world.messages_room) {
    world.messages_room = world.messages_room ? 2 * world.messages_room : 4096;
    world.m = ck_realloc(world.m, (size_t)world.messages_room * sizeof *world.m);
  }
  int n = world.messages++;
  int64_t wall = now().wall;
  world.m[n] = (struct message){.conversation = id,
                                .number = c->messages++,
                                .assistant = assistant,
                                .live = live,
                                .says = says,
                                .created_at = wall,
                                .observed_at = observed_at,
                                .at = world.boot};
  if (assistant) c->alike = says == ALIKE_TEXT ? c->alike + 1 : 0;
  c->last = n;
  world.m[n].last_message_at = observed_at > wall ? wall : observed_at;
  sim_message_changed(n);
  world.m[n].came = world.m[n].version;
  sim_conversation_changed(id);
  return n;
}

int sim_new_job(int conversation, int message, bool automatic, int target, int64_t next,
                struct wait wait) {
  if (world.jobs == world.jobs_room) {
    world.jobs_room = world.jobs_room ? 2 * world.jobs_room : 4096;
    world.j = ck_realloc(world.j, (size_t)world.jobs_room * sizeof *world.j);
  }
  int id = world.jobs++;
  struct job *j = &world.j[id];
  *j = (struct job){.conversation = conversation,
                    .message = message,
                    .target = target,
                    .automatic = automatic,
                    .older = world.c[conversation].newest,
                    .next = next,
                    .wait = wait,
                    .created_at = now().wall,
                    .made_at = world.boot,
                    .charged = -1,
                    .maybe = {-1, -1}};
  /* The node's text is the id, and behind it the job's number. */
  struct renew_node *node = ck_zalloc(sizeof *node);
  node->id = ck_zalloc(NAME + 12);
  snprintf(node->id + NAME, 12, "%d", id);
  j->name = node->id;
  char of[32];
  sim_message_name(of, message);
  if (automatic)
    ck_job_id(node->id, ck_str_of(of));
  else
    snprintf(node->id, NAME, "hand-%d", id);
  SIM_CHECK(!renew_index_find(&world.names, ck_str_of(j->name)), "%s is there twice", j->name);
  renew_index_add(&world.names, node);
  world.c[conversation].newest = id;
  world.m[message].has_job = true;
  sim_job_changed(id);
  return id;
}

bool sim_is_superseded(const struct job *j) {
  const struct conversation *c = &world.c[j->conversation];
  return j->automatic && !j->anyway && (c->automation == RENEW_MANUAL || c->last != j->message);
}

/* ---- answers ---- */

static const char *text_of(struct question *q, const struct message *m) {
  static const char *const words[] = {[PLAIN] = "has been done.",
                                      [ASKS] = "has two ways. Which of them do you want?",
                                      [ASKS_TO_CONTINUE] = "has been done. Shall I continue?",
                                      [FINISHED] = "was the last. " STOP_TEXT,
                                      [WAITS_FOR_OWNER] = "is the plan.",
                                      [ALIKE_TEXT] = "has not been done."};
  snprintf(q->said, sizeof q->said, "Step %d %s", m->text, words[m->says]);
  return q->said;
}

static void about_message(struct question *q) {
  const struct message *m = &world.m[q->message];
  const struct conversation *c = &world.c[q->conversation];
  struct renew_facts *f = &q->a.facts;
  *f = (struct renew_facts){.found = true,
                            .live = m->live,
                            .role = m->assistant ? CK_LIT("assistant") : CK_LIT("user"),
                            .created_at = m->created_at,
                            .observed_at = m->observed_at,
                            .on_auto = c->automation == RENEW_AUTO,
                            .older = m->came < c->auto_since,
                            .has_job = m->has_job};
  f->last_message_at = world.m[c->last].last_message_at;
  world.m[q->message].entitled = sim_is_entitled(q->message);
  world.m[q->message].judged = renewd.knows;
}

/* Automatic deliveries since a person was there, as far as the rule counts. */
static int in_a_row(const struct conversation *c, int most) {
  int n = 0, looked = 0;
  for (int id = c->newest; id >= 0 && n < most && looked < 64; id = world.j[id].older, looked++) {
    const struct job *j = &world.j[id];
    n += j->automatic && j->attempts > 0 && j->status != PENDING && j->version > c->person;
  }
  return n;
}

static void about_past(struct question *q) {
  const struct conversation *c = &world.c[q->conversation];
  struct renew_past *p = &q->a.past;
  memcpy(q->renewal, c->renewal, sizeof q->renewal);
  p->renewal = ck_str_of(q->renewal);
  sim_platform_name(q->texts[0], sim_platform_of(q->conversation));
  p->platform = ck_str_of(q->texts[0]);
  q->account = c->account;
  q->until = c->until;
  q->quiet = c->quiet;
  q->asks_freely = c->asks_freely;
  p->has_sixtieth = c->attempts_n >= HOURLY;
  if (p->has_sixtieth) {
    p->sixtieth_age = world.boot - c->attempts[c->attempts_n - HOURLY].known;
  }
  p->anyway = q->job >= 0 && world.j[q->job].anyway;
  if (!q->q.rules) return;
  int most = c->in_a_row ? c->in_a_row : (int)q->q.rules->in_a_row, alike = (int)q->q.rules->alike,
      day = (int)q->q.rules->per_day;
  if (day && c->attempts_n >= day) {
    p->per_day = day;
    p->day_age = world.boot - c->attempts[c->attempts_n - day].known;
  }
  if (in_a_row(c, most) >= most) p->in_a_row = most;
  if (c->alike >= alike) p->alike = alike;
  if (q->message < 0) return;
  const struct message *m = &world.m[q->message];
  p->text = ck_str_of(text_of(q, m));
  if (m->says == WAITS_FOR_OWNER) p->waits = CK_LIT("question");
  p->resumed = c->resumed > m->version;
}

static void about_lease(struct question *q, const struct job *j) {
  snprintf(q->texts[0], sizeof q->texts[0], "%s", j->taken ? "" : j->token);
  q->a.lease = (struct renew_lease){.running = j->status == RUNNING && !j->unknown,
                                    .unknown = j->status == RUNNING && j->unknown,
                                    .token = ck_str_of(q->texts[0]),
                                    .attempt = j->attempts};
  if (!j->taken) return;
  q->a.lease.client = CK_LIT("browser");
  q->a.lease.left = j->lease.until - world.boot;
}

static void about_job(struct question *q, const struct job *j) {
  sim_conversation_name(q->texts[1], j->conversation);
  sim_message_name(q->texts[2], j->message);
  if (j->target >= 0) memcpy(q->snapshot, world.t[j->target].snapshot, sizeof q->snapshot);
  q->a.job = (struct renew_row){.head = store.version,
                                .conversation_id = ck_str_of(q->texts[1]),
                                .message_id = ck_str_of(q->texts[2]),
                                .payload = CK_LIT("continue"),
                                .payload_kind = CK_LIT("text"),
                                .snapshot = ck_str_of(q->snapshot),
                                .attempt_count = j->attempts,
                                .max_attempts = sim_rules.max_attempts};
}

static void about_conversation(struct question *q) {
  const struct conversation *c = &world.c[q->conversation];
  q->a.paused = c->automation == RENEW_PAUSED;
  q->a.manual = c->automation == RENEW_MANUAL;
  if (c->last >= 0) sim_message_name(q->texts[3], c->last);
  q->a.last_message_id = ck_str_of(q->texts[3]);
  memcpy(q->renewal, c->renewal, sizeof q->renewal);
  q->a.renewal = ck_str_of(q->renewal);
  q->account = c->account;
}

static void about_link(struct question *q) {
  const struct conversation *c = &world.c[q->conversation];
  q->a.has_link = c->target >= 0;
  if (c->target < 0) return;
  static const char *const kinds[] = {"null", "webhook", "webhook", "exec", "feed"};
  const struct target *t = &world.t[c->target];
  snprintf(q->texts[4], sizeof q->texts[4], "%d", c->target);
  sim_target_payload(q->payload, c->target);
  q->a.link.target_kind = ck_str_of(kinds[t->channel]);
  q->a.link.target_id = ck_str_of(q->texts[4]);
  q->a.link.target_payload = ck_str_of(q->payload);
}

static void add_wait(struct question *q, uint64_t number, bool of_job, const char *name,
                     int64_t until, const struct wait *w) {
  bool lasts = w->calendar || w->stored > world.boot;
  if (number < q->q.number || !lasts || q->a.n == RENEW_PAGE) return;
  q->waits[q->a.n++] = (struct renew_wait_row){.number = number,
                                               .of_job = of_job,
                                               .id = ck_str_of(name),
                                               .until = until,
                                               .calendar = w->calendar,
                                               .left = w->stored - world.boot};
}

static void about_wait_of_job(struct question *q, const struct job *j) {
  if (j->status == PENDING) add_wait(q, 0, true, j->name, j->next, &j->wait);
}

static void about_rest(struct question *q, char name[24], int id) {
  const struct conversation *c = &world.c[id];
  sim_conversation_name(name, id);
  if (c->cooldown_until) add_wait(q, 0, false, name, c->cooldown_until, &c->rest);
}

/* First those of the conversations. */
static void about_waits(struct question *q) {
  static char names[RENEW_PAGE][24];
  uint64_t jobs = (uint64_t)world.conversations_n;
  q->waits = ck_zalloc(RENEW_PAGE * sizeof *q->waits);
  q->a.waits = q->waits;
  if (q->wait_of >= 0) about_wait_of_job(q, &world.j[q->wait_of]);
  if (q->conversation >= 0) about_rest(q, names[0], q->conversation);
  if (q->wait_of >= 0 || q->conversation >= 0) return;
  for (uint64_t id = q->q.number; id < jobs && q->a.n < RENEW_PAGE; id++) {
    sim_conversation_name(names[q->a.n], (int)id);
    const struct conversation *c = &world.c[id];
    if (c->cooldown_until) add_wait(q, id, false, names[q->a.n], c->cooldown_until, &c->rest);
  }
  for (uint64_t id = q->q.number > jobs ? q->q.number - jobs : 0;
       id < (uint64_t)world.jobs && q->a.n < RENEW_PAGE; id++) {
    const struct job *j = &world.j[id];
    if (j->status == PENDING) add_wait(q, jobs + id, true, j->name, j->next, &j->wait);
  }
}

void sim_answer(struct question *q) {
  unsigned parts = q->q.parts;
  q->a.head = store.version;
  q->asked_at = world.boot;
  struct job *j = q->job >= 0 ? &world.j[q->job] : NULL;
  if (parts & RENEW_ABOUT_MESSAGE) about_message(q);
  if (parts & RENEW_ABOUT_CONVERSATION) about_conversation(q);
  if (parts & RENEW_ABOUT_LINK) about_link(q);
  if (parts & RENEW_ABOUT_PAST) about_past(q);
  if (parts & RENEW_ABOUT_LEASE) about_lease(q, j);
  if (parts & RENEW_ABOUT_JOB) about_job(q, j);
  if (parts & RENEW_ABOUT_UNREACHED) {
    q->a.unreached = j->unreached;
    q->a.unreached_age = world.boot - j->unreached_at;
    j->read.paused = world.c[j->conversation].automation == RENEW_PAUSED;
    j->read.superseded = sim_is_superseded(j);
  }
  if (parts & (RENEW_ABOUT_OFFERS | RENEW_ABOUT_UPCOMING | RENEW_ABOUT_BEGUN)) sim_page(q);
  if (parts & RENEW_ABOUT_WAITS) about_waits(q);
  if (parts & RENEW_ABOUT_LIMITS) sim_limits_page(q);
}

struct question *sim_found(int job) {
  struct question *q = ck_zalloc(sizeof *q);
  q->q.parts =
      RENEW_ABOUT_LEASE | RENEW_ABOUT_UNREACHED | RENEW_ABOUT_JOB | RENEW_ABOUT_CONVERSATION;
  q->job = job;
  q->message = -1;
  q->conversation = world.j[job].conversation;
  sim_answer(q);
  return q;
}

void sim_question_free(struct question *q) {
  if (q) free(q->rows);
  if (q) free(q->waits);
  if (q) free(q->limits);
  free(q);
}
