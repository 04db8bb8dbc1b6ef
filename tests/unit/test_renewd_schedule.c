/* A year of a thousand conversations, with crashes at any moment, steps of the wall clock by up to
 * a day, and a store whose receipts and rows arrive late. The decisions are renewd's own (state.c,
 * due.c); the store, the targets and the people are simulated. A referee checks each event. A
 * failure names its seed, and CONVKEEP_TEST_SEED=N repeats it. */
#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/clock.h"
#include "renewd/due.h"
#include "renewd/state.h"

#define MINUTE INT64_C(60000)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)
#define YEAR (365 * DAY)
#define EPOCH INT64_C(1790000000000)
#define CONVERSATIONS 1000
#define JOBS_MAX 60000
/* Milliseconds from the store to the follower; receipts take 0 to 6, so either may come first. */
#define FOLLOW_LAG 3
/* Milliseconds for which a job that is due and free may go unclaimed. */
#define LATE_MAX 50

struct conversation {
  enum renew_automation automation;
  int last_message, baseline; /* -1: none */
  bool assistant;             /* the last message is the assistant's */
  int64_t last_created, cooldown_until;
  /* the referee's */
  unsigned sending;
  int64_t free_since;        /* boot */
  int64_t known_until, rest; /* the last cooldown that the running renewd was told; as boot time */
  int64_t done_at;           /* boot, of its last delivery's end */
  unsigned done_run;
  enum renew_automation told;
};

enum status { PENDING, RUNNING, OVER };

struct job {
  int conversation, message;
  bool automatic, repeatable;
  enum status status;
  bool unknown; /* the lease is in that state */
  int64_t next, attempts, created_at;
  uint64_t token;
  /* the referee's */
  bool may_have_arrived;
  int64_t known_next, due; /* the last time that the running renewd was told; as boot time */
};

enum kind {
  MESSAGE,
  AUTOMATE,
  BY_HAND,
  STEP,
  CRASH,
  START,
  PERSON,
  FOLLOW_C,
  FOLLOW_J,
  PUT,
  CLAIM,
  CLAIMED,
  SENT,
  END,
  ENDED,
  SETTLE
};

struct event {
  int64_t at;
  uint64_t order;
  enum kind kind;
  unsigned run; /* the process that it is for or from; 0: the world */
  int id, message;
  bool recovers; /* the END of a dead run's attempt; nobody waits for its receipt */
  uint64_t token, version;
  struct renew_verdict verdict;
  int64_t next;
  struct conversation c;
  struct job j;
};

static struct {
  struct ck_random random;
  int64_t boot, offset;
  struct event **heap;
  size_t events, room;
  uint64_t orders, version, tokens;
  struct conversation c[CONVERSATIONS];
  struct job *j;
  int jobs, messages;
  int *job_of_message;
  struct renew_state state;
  unsigned run;
  bool up, recovered;
  int64_t up_since;
  uint64_t followed;
  int64_t stepped_at; /* boot */
  /* what happened */
  long sent, done, crashes, unknown, refused, checked;
  int64_t latest;
} w;

static const struct renew_rules rules = {.delay = 2000,
                                         .cooldown = MINUTE,
                                         .backoff = 1000,
                                         .backoff_max = 15 * MINUTE,
                                         .max_attempts = 4};

static struct renew_now now(void) { return (struct renew_now){w.boot + w.offset, w.boot}; }
static int64_t chance(int64_t most) { return ck_random_upto(&w.random, most); }
static bool one_in(int64_t n) { return chance(n - 1) == 0; }

/* ---- events ---- */

static bool earlier(const struct event *a, const struct event *b) {
  return a->at != b->at ? a->at < b->at : a->order < b->order;
}

static struct event *add(enum kind kind, int64_t in, unsigned run, int id) {
  struct event *e = calloc(1, sizeof *e);
  e->at = w.boot + in;
  e->order = ++w.orders;
  e->kind = kind;
  e->run = run;
  e->id = id;
  if (w.events == w.room)
    w.heap = realloc(w.heap, (w.room = w.room ? w.room * 2 : 1024) * sizeof(struct event *));
  size_t i = w.events++;
  for (; i && earlier(e, w.heap[(i - 1) / 2]); i = (i - 1) / 2) w.heap[i] = w.heap[(i - 1) / 2];
  w.heap[i] = e;
  return e;
}

static struct event *take(void) {
  struct event *top = w.heap[0], *last = w.heap[--w.events];
  size_t i = 0;
  for (size_t child; (child = 2 * i + 1) < w.events; i = child) {
    if (child + 1 < w.events && earlier(w.heap[child + 1], w.heap[child])) child++;
    if (!earlier(w.heap[child], last)) break;
    w.heap[i] = w.heap[child];
  }
  w.heap[i] = last;
  return top;
}

/* ---- the store ---- */

static void changed_conversation(int id) {
  struct event *e = add(FOLLOW_C, FOLLOW_LAG, w.run, id);
  e->c = w.c[id];
  e->version = ++w.version;
}

static void changed_job(int id) {
  struct event *e = add(FOLLOW_J, FOLLOW_LAG, w.run, id);
  e->j = w.j[id];
  e->version = ++w.version;
}

static void conversation_name(char out[40], int id) { snprintf(out, 40, "sim:%d", id); }
static void message_name(char out[40], int id) { snprintf(out, 40, "m%d", id); }

static void job_name(char out[48], int id) {
  char message[40];
  message_name(message, w.j[id].message);
  if (w.j[id].automatic)
    ck_job_id(out, ck_str_of(message));
  else
    snprintf(out, 48, "hand-%d", id);
}

static int new_job(int conversation, int message, bool automatic, int64_t next) {
  cr_assert_lt(w.jobs, JOBS_MAX);
  int id = w.jobs++;
  w.j[id] = (struct job){.conversation = conversation,
                         .message = message,
                         .automatic = automatic,
                         .repeatable = one_in(3),
                         .next = next,
                         .created_at = now().wall,
                         .known_next = -1};
  w.job_of_message[message] = id;
  changed_job(id);
  return id;
}

static void message(int id, bool assistant) {
  struct conversation *c = &w.c[id];
  cr_assert_lt(w.messages, JOBS_MAX);
  c->last_message = w.messages++;
  w.job_of_message[c->last_message] = -1;
  c->assistant = assistant;
  c->last_created = now().wall;
  changed_conversation(id);
}

/* ---- rows reach renewd ---- */

static void follow_conversation(int id, const struct conversation *c) {
  static const char *const words[] = {"manual", "auto", "paused"};
  char name[40], last[40];
  conversation_name(name, id);
  struct ck_row row = {.table = CK_CONVERSATIONS};
  row.v[CK_CONVERSATIONS_LOCAL_CONVERSATION_ID] = ck_textz(name);
  row.v[CK_CONVERSATIONS_AUTOMATION_STATUS] = ck_textz(words[c->automation]);
  if (c->last_message >= 0) {
    message_name(last, c->last_message);
    row.v[CK_CONVERSATIONS_LAST_MESSAGE_ID] = ck_textz(last);
  }
  row.v[CK_CONVERSATIONS_COOLDOWN_UNTIL] =
      c->cooldown_until ? ck_int(c->cooldown_until) : ck_null();
  renew_state_row(&w.state, &row, now());
  w.c[id].told = c->automation;
  if (w.c[id].known_until != c->cooldown_until) {
    w.c[id].known_until = c->cooldown_until;
    w.c[id].rest = w.boot + c->cooldown_until - now().wall;
  }
  w.c[id].free_since = w.boot; /* whatever has changed, nothing is late at this instant */
}

static void follow_job(int id, const struct job *j) {
  static const char *const words[] = {"pending", "running", "done"};
  char name[48], conversation[40], of[40];
  job_name(name, id);
  conversation_name(conversation, j->conversation);
  message_name(of, j->message);
  struct ck_row row = {.table = CK_JOBS};
  row.v[CK_JOBS_JOB_ID] = ck_textz(name);
  row.v[CK_JOBS_LOCAL_CONVERSATION_ID] = ck_textz(conversation);
  row.v[CK_JOBS_MESSAGE_ID] = ck_textz(of);
  row.v[CK_JOBS_STATUS] = ck_textz(words[j->status]);
  row.v[CK_JOBS_ATTEMPT_COUNT] = ck_int(j->attempts);
  row.v[CK_JOBS_NEXT_ATTEMPT_AT] = ck_int(j->next);
  row.v[CK_JOBS_CREATED_AT] = ck_int(j->created_at);
  renew_state_row(&w.state, &row, now());
  w.c[j->conversation].free_since = w.boot;
  if (j->status != OVER && w.j[id].known_next != j->next) {
    w.j[id].known_next = j->next;
    w.j[id].due = w.boot + j->next - now().wall;
  }
}

/* ---- renewd, as deliver.c, consider.c and recover.c drive it ---- */

static struct event *send_op(enum kind kind, int id, uint64_t token,
                             const struct renew_verdict *v) {
  struct event *e = add(kind, chance(4), w.run, id);
  e->token = token;
  if (v) e->verdict = *v;
  return e;
}

static void consider(void) {
  for (struct renew_conversation *c; (c = renew_state_consider(&w.state));) {
    int id = atoi(c->node.id + 4), last = atoi(c->last_message_id + 1);
    struct renew_facts facts = {true, w.c[id].assistant ? CK_LIT("assistant") : CK_LIT("user"),
                                w.c[id].baseline == last, w.job_of_message[last] >= 0};
    if (w.c[id].last_message == last && !renew_declined(&facts)) {
      struct event *e = add(PUT, chance(4), w.run, id);
      e->message = last;
      e->next = renew_first_due(&rules, w.c[id].last_created, c->cooldown_until);
    }
    char name[40];
    conversation_name(name, id);
    renew_state_considered(&w.state, ck_str_of(name));
  }
}

static int job_number(const struct renew_job *j) {
  for (int id = w.jobs; id--;) {
    char name[48];
    if (w.j[id].status == OVER) continue;
    job_name(name, id);
    if (strcmp(name, j->node.id) == 0) return id;
  }
  cr_assert_fail("claims a job that is over");
  return -1;
}

static void claim(void) {
  for (struct renew_job *j; (j = renew_state_claim(&w.state, now()));) {
    int id = job_number(j);
    const struct job *of = &w.j[id];
    const struct conversation *c = &w.c[of->conversation];
    bool calendar = !of->automatic && j->attempt_count == 0;
    cr_assert(calendar ? now().wall >= of->known_next : w.boot >= of->due,
              "before its time: job %d by %lld ms", id,
              (long long)(calendar ? of->known_next - now().wall : of->due - w.boot));
    cr_assert(!of->automatic || !c->known_until || w.boot >= c->rest,
              "conversation %d was not left to rest", of->conversation);
    bool fresh =
        c->done_run == w.run &&
        w.stepped_at < c->done_at; /* so that no step and no restart has moved the rest's end */
    cr_assert(!of->automatic || !fresh || w.boot >= c->done_at + rules.cooldown - 10,
              "conversation %d was claimed before its rest was known", of->conversation);
    cr_assert(c->told != RENEW_PAUSED && (!of->automatic || c->told == RENEW_AUTO),
              "conversation %d was claimed though it is not on auto", of->conversation);
    cr_assert_eq(c->sending, 0, "two at once in conversation %d", of->conversation);
    send_op(CLAIM, id, ++w.tokens, NULL);
  }
}

static void work(void) {
  if (!w.up) return;
  consider();
  claim();
}

static void settle(int id, int64_t hold) {
  char name[48];
  job_name(name, id);
  renew_state_settle(&w.state, ck_str_of(name), hold, now());
  w.c[w.j[id].conversation].free_since = w.boot > hold ? w.boot : hold;
}

static void transmit(int id, uint64_t token) {
  struct job *j = &w.j[id];
  cr_assert_eq(w.c[j->conversation].sending, 0, "two at once in conversation %d", j->conversation);
  cr_assert(!j->may_have_arrived || j->repeatable, "job %d was sent blindly again", id);
  cr_assert_eq(j->status, RUNNING);
  cr_assert_eq(j->token, token, "job %d sent without its lease", id);
  w.c[j->conversation].sending++;
  w.sent++;
  j->may_have_arrived = true;
  add(SENT, 5 + chance(one_in(50) ? 30000 : 400), w.run, id)->token = token;
}

static void sent(int id, uint64_t token) {
  struct job *j = &w.j[id];
  struct renew_result r = {.exit_code = -1};
  int64_t dice = chance(99);
  r.outcome = dice < 80   ? RENEW_DONE
              : dice < 95 ? RENEW_RETRY
              : dice < 98 ? RENEW_FAILED
                          : RENEW_UNKNOWN;
  if (one_in(20)) r.retry_after = 1000 * chance(120);
  if (r.outcome == RENEW_RETRY) j->may_have_arrived = false; /* the target refused it */
  struct renew_verdict v =
      renew_judge(&rules, &w.random, &r, j->attempts, rules.max_attempts, now().wall);
  w.c[j->conversation].sending--;
  send_op(END, id, token, &v);
}

static void recover(void) {
  for (int id = 0; id < w.jobs; id++)
    if (w.j[id].status == RUNNING && !w.j[id].unknown) {
      struct renew_verdict v = renew_recover(w.j[id].repeatable, now().wall);
      send_op(END, id, w.j[id].token, &v)->recovers = true;
    }
}

static void start(void) {
  w.up = true;
  w.run++;
  w.up_since = w.boot;
  memset(&w.state, 0, sizeof w.state);
  w.state.slots = 16;
  for (int id = 0; id < w.jobs; id++) w.j[id].known_next = -1;
  for (int id = 0; id < w.jobs; id++)
    if (w.j[id].status != OVER) follow_job(id, &w.j[id]);
  for (int id = 0; id < CONVERSATIONS; id++) {
    w.c[id].known_until = 0;
    follow_conversation(id, &w.c[id]);
  }
  w.followed = w.version;
  recover();
}

static void crash(void) {
  renew_state_free(&w.state);
  w.up = false;
  w.crashes++;
  for (int id = 0; id < CONVERSATIONS; id++) w.c[id].sending = 0;
  /* Each mutation on its way to the store arrives, or does not. */
  for (size_t i = 0; i < w.events; i++) {
    struct event *e = w.heap[i];
    if (e->run == w.run && (e->kind == PUT || e->kind == CLAIM || e->kind == END) && one_in(2))
      e->run = 0;
  }
  add(START, 10 + chance(one_in(10) ? 10 * MINUTE : 2000), 0, 0);
}

/* ---- what the store does with mutations ---- */

static void put(const struct event *e) {
  if (w.job_of_message[e->message] >= 0)
    w.refused++;
  else
    new_job(e->id, e->message, true, e->next);
}

static void claimed_in_store(const struct event *e) {
  struct job *j = &w.j[e->id];
  bool granted = j->status == PENDING;
  if (granted) {
    j->status = RUNNING;
    j->unknown = false;
    j->attempts++;
    j->token = e->token;
    changed_job(e->id);
  } else {
    w.refused++;
  }
  if (e->run) add(CLAIMED, chance(6), w.run, e->id)->token = granted ? e->token : 0;
}

static void end_in_store(const struct event *e) {
  struct job *j = &w.j[e->id];
  const struct renew_verdict *v = &e->verdict;
  if (j->status == RUNNING && j->token == e->token) {
    j->status = v->outcome == RENEW_DONE || v->outcome == RENEW_FAILED ? OVER
                : v->outcome == RENEW_UNKNOWN                          ? RUNNING
                                                                       : PENDING;
    j->unknown = v->outcome == RENEW_UNKNOWN;
    if (j->status == PENDING) j->next = v->next_attempt_at;
    if (v->outcome == RENEW_RELEASED) j->attempts--;
    w.done += v->outcome == RENEW_DONE;
    if (v->outcome == RENEW_DONE) {
      w.c[j->conversation].done_at = w.boot;
      w.c[j->conversation].done_run = e->run;
    }
    w.unknown += j->unknown;
    if (j->unknown) add(PERSON, HOUR, 0, e->id);
    if (v->cooldown_until) {
      w.c[j->conversation].cooldown_until = v->cooldown_until;
      changed_conversation(j->conversation);
    }
    changed_job(e->id);
  } else {
    w.refused++;
  }
  if (e->run && !e->recovers) add(ENDED, chance(6), w.run, e->id);
}

static void person(int id) {
  struct job *j = &w.j[id];
  if (j->status != RUNNING || !j->unknown) return;
  j->unknown = j->may_have_arrived = false;
  j->status = one_in(2) ? OVER : PENDING;
  j->next = now().wall;
  changed_job(id);
}

static void automate(int id) {
  struct conversation *c = &w.c[id];
  enum renew_automation to = one_in(5) ? RENEW_MANUAL : one_in(4) ? RENEW_PAUSED : RENEW_AUTO;
  if (to == RENEW_AUTO && c->automation != RENEW_AUTO) c->baseline = c->last_message;
  c->automation = to;
  changed_conversation(id);
}

/* ---- the referee ---- */

static bool blocked_by_order(int id) {
  const struct job *j = &w.j[id];
  if (j->attempts > 0) return false;
  for (int other = 0; other < w.jobs; other++)
    if (w.j[other].conversation == j->conversation && w.j[other].status == PENDING &&
        w.j[other].attempts > 0)
      return true;
  return false;
}

static void check_lateness(void) {
  if (!w.up || w.state.ours >= w.state.slots) return;
  w.checked++;
  for (int id = 0; id < w.jobs; id++) {
    const struct job *j = &w.j[id];
    const struct conversation *c = &w.c[j->conversation];
    char name[48];
    if (j->status != PENDING || j->known_next != j->next)
      continue; /* else renewd cannot know yet */
    if (c->automation == RENEW_PAUSED || (j->automatic && c->automation != RENEW_AUTO)) continue;
    job_name(name, id);
    char conversation[40];
    conversation_name(conversation, j->conversation);
    const struct renew_conversation *known =
        renew_state_conversation(&w.state, ck_str_of(conversation));
    if (known && renew_state_busy(known)) continue;
    bool calendar = !j->automatic && j->attempts == 0;
    if (calendar && now().wall < j->next + LATE_MAX) continue;
    int64_t from = calendar ? 0 : j->due;
    if (j->automatic && known && known->rest > from) from = known->rest;
    if (c->free_since > from) from = c->free_since;
    cr_assert(w.boot <= from + LATE_MAX || blocked_by_order(id), "job %d is late by %lld ms", id,
              (long long)(w.boot - from));
  }
}

static void check_once(void) {
  int *count = calloc((size_t)w.messages, sizeof *count);
  for (int id = 0; id < w.jobs; id++)
    if (w.j[id].message >= 0) count[w.j[id].message]++;
  for (int m = 0; m < w.messages; m++)
    cr_assert_leq(count[m], 1, "message %d has %d jobs", m, count[m]);
  free(count);
}

/* ---- the run ---- */

static void happen_to_renewd(const struct event *e) {
  if (e->kind == FOLLOW_C) follow_conversation(e->id, &e->c);
  if (e->kind == FOLLOW_J) follow_job(e->id, &e->j);
  if (e->kind == FOLLOW_C || e->kind == FOLLOW_J) w.followed = e->version;
  if (e->kind == CLAIMED && e->token) transmit(e->id, e->token);
  if (e->kind == CLAIMED && !e->token) settle(e->id, w.boot + 1000);
  if (e->kind == SENT) sent(e->id, e->token);
  if (e->kind == ENDED) add(SETTLE, 1, w.run, e->id)->version = w.version;
  if (e->kind == SETTLE && w.followed < e->version)
    add(SETTLE, 1, w.run, e->id)->version = e->version;
  if (e->kind == SETTLE && w.followed >= e->version) settle(e->id, 0);
}

static void happen(const struct event *e) {
  bool from_dead = e->run && (e->run != w.run || !w.up);
  switch (e->kind) {
  case MESSAGE:
    message(e->id, !one_in(4));
    break;
  case AUTOMATE:
    automate(e->id);
    break;
  case BY_HAND:
    message(e->id, false);
    new_job(e->id, w.c[e->id].last_message, false, now().wall + chance(3 * DAY));
    break;
  case STEP:
    w.offset += chance(2 * DAY) - DAY;
    w.stepped_at = w.boot;
    break;
  case CRASH:
    if (w.up) crash();
    break;
  case START:
    start();
    break;
  case PERSON:
    person(e->id);
    break;
  case PUT:
    if (!from_dead) put(e);
    break;
  case CLAIM:
    if (!from_dead) claimed_in_store(e);
    break;
  case END:
    if (!from_dead) end_in_store(e);
    break;
  default:
    if (!from_dead) happen_to_renewd(e);
  }
}

static void plan_the_year(void) {
  for (int id = 0; id < CONVERSATIONS; id++) {
    w.c[id] = (struct conversation){
        .automation = one_in(10) ? RENEW_MANUAL : RENEW_AUTO, .last_message = -1, .baseline = -1};
    for (int64_t i = chance(24); i >= 0; i--) {
      int64_t at = chance(YEAR);
      for (int64_t burst = chance(3); burst >= 0; burst--)
        add(MESSAGE, at + chance(one_in(2) ? 5000 : 10 * MINUTE), 0, id);
    }
    if (one_in(3)) add(AUTOMATE, chance(YEAR), 0, id);
    if (one_in(3)) add(BY_HAND, chance(YEAR), 0, id);
  }
  for (int i = 0; i < 60; i++) add(STEP, chance(YEAR), 0, 0);
}

/* A third of the crashes come shortly after an event, where the windows for mistakes are. */
static void maybe_crash(const struct event *e) {
  bool touchy = e->kind == PUT || e->kind == CLAIM || e->kind == CLAIMED || e->kind == SENT ||
                e->kind == END || e->kind == ENDED;
  if (w.up && one_in(touchy ? 300 : 3000)) add(CRASH, chance(5), 0, 0);
}

static void run_year(uint64_t seed) {
  memset(&w, 0, sizeof w);
  w.random.state = seed;
  w.offset = EPOCH;
  w.j = calloc(JOBS_MAX, sizeof *w.j);
  w.job_of_message = calloc(JOBS_MAX, sizeof *w.job_of_message);
  plan_the_year();
  start();
  while (w.events && w.boot < YEAR + 30 * DAY) {
    int64_t due = w.up ? renew_state_due(&w.state, now()) : RENEW_NEVER;
    if (due < w.heap[0]->at) {
      w.boot = due > w.boot ? due : w.boot;
      work();
      continue;
    }
    struct event *e = take();
    w.boot = e->at;
    happen(e);
    work();
    maybe_crash(e);
    if (one_in(40)) check_lateness();
    free(e);
  }
  check_once();
}

static void clean_up(void) {
  while (w.events) free(w.heap[--w.events]);
  free(w.heap);
  free(w.j);
  free(w.job_of_message);
  if (w.up) renew_state_free(&w.state);
}

Test(renewd_schedule, a_year, .timeout = 120) {
  const char *given = getenv("CONVKEEP_TEST_SEED");
  uint64_t seed = given ? strtoull(given, NULL, 10) : (uint64_t)ck_now_ms();
  fprintf(stderr, "renewd_schedule: CONVKEEP_TEST_SEED=%llu\n", (unsigned long long)seed);
  run_year(seed);
  fprintf(stderr,
          "renewd_schedule: %d messages, %d jobs, %ld sent, %ld done, %ld crashes, %ld unknown, "
          "%ld refused, %ld looks\n",
          w.messages, w.jobs, w.sent, w.done, w.crashes, w.unknown, w.refused, w.checked);
  cr_assert_gt(w.done, 5000);
  cr_assert_gt(w.crashes, 50);
  cr_assert_gt(w.unknown, 10);
  int left = 0;
  for (int id = 0; id < w.jobs; id++) {
    const struct job *j = &w.j[id];
    bool waits = w.c[j->conversation].automation != RENEW_AUTO;
    if (j->status != OVER && !waits) left++;
  }
  cr_assert_leq(left, w.jobs / 100, "%d jobs were forgotten", left);
  clean_up();
}
