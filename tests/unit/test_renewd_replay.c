/* The same events with the same seed give the same effects, to the byte. */
#include <criterion/criterion.h>

#include <string.h>

#include "proto/wire.h"
#include "test_renewd_core.h"

#define EVENTS 6000
#define SEEDS 10
#define NAMES 6

struct recorded {
  struct renew_event event;
  struct renew_now now;
  struct ck_row row;
  struct renew_answer answer;
  struct renew_result result;
};
static struct recorded all[EVENTS];
static struct ck_arena texts;
static struct ck_random dice;

static int64_t chance(int64_t most) { return ck_random_upto(&dice, most); }

static const char *const conversations[NAMES] = {"c0", "c1", "c2", "c3", "c4", "c5"};
static const char *const messages[NAMES] = {"m0", "m1", "m2", "m3", "m4", "m5"};
static const char *const targets[] = {TARGET, REPEATABLE, CLIENTS, "{}"};

/* ---- effects as bytes ---- */

static void put(struct ck_buf *b, struct ck_str s) {
  ck_buf_printf(b, "%zu:%.*s ", s.n, (int)s.n, s.s);
}

static void put_line(struct ck_buf *b, const struct renew_line *l) {
  ck_buf_printf(b, "say %d %s ", l->level, l->event);
  put(b, l->subject);
  for (unsigned i = 0; i < l->n; i++) {
    ck_buf_printf(b, "%s=%lld ", l->pairs[i].name, (long long)l->pairs[i].number);
    put(b, l->pairs[i].text);
  }
}

static void put_effect(struct ck_buf *b, const struct renew_effect *e) {
  ck_buf_printf(b, "\n%d %llu ", e->kind, (unsigned long long)e->ticket);
  if (e->kind == RENEW_QUERY) {
    ck_buf_printf(b, "%u %llu ", e->as.query.parts, (unsigned long long)e->as.query.page);
    put(b, e->as.query.job_id);
    put(b, e->as.query.conversation_id);
    put(b, e->as.query.message_id);
  } else if (e->kind == RENEW_TELL && e->as.tell.row) {
    ck_mutation_row(b, e->as.tell.mutation.kind, e->as.tell.row);
  } else if (e->kind == RENEW_TELL) {
    ck_mutation_encode(b, &e->as.tell.mutation);
  } else if (e->kind == RENEW_SEND) {
    put(b, e->as.send.job_id);
    put(b, e->as.send.snapshot);
    put(b, e->as.send.letter);
  } else if (e->kind == RENEW_SAY) {
    put_line(b, &e->as.say);
  }
}

/* ---- events ---- */

static struct ck_str job_of(int i) {
  char id[37];
  ck_job_id(id, ck_str_of(messages[i]));
  return ck_arena_copy(&texts, i % 3 ? ck_str_of(id) : ck_str_of(conversations[i]));
}

static void any_row(struct ck_row *r) {
  static const char *const automations[] = {"auto", "auto", "auto", "paused", "manual"};
  static const char *const statuses[] = {"pending", "pending", "pending", "running", "done"};
  int i = (int)chance(NAMES - 1), last = (int)chance(NAMES - 1);
  int64_t kind = chance(9);
  if (kind < 4) {
    r->table = CK_CONVERSATIONS;
    r->v[CK_CONVERSATIONS_LOCAL_CONVERSATION_ID] = ck_textz(conversations[i]);
    r->v[CK_CONVERSATIONS_AUTOMATION_STATUS] = ck_textz(automations[chance(4)]);
    r->v[CK_CONVERSATIONS_LAST_MESSAGE_ID] = ck_textz(messages[chance(3) ? i : last]);
  } else if (kind < 8) {
    r->table = CK_JOBS;
    r->v[CK_JOBS_JOB_ID] = ck_text(job_of(i));
    r->v[CK_JOBS_LOCAL_CONVERSATION_ID] = ck_textz(conversations[i]);
    r->v[CK_JOBS_MESSAGE_ID] = ck_textz(messages[i]);
    r->v[CK_JOBS_STATUS] = ck_textz(statuses[chance(4)]);
    r->v[CK_JOBS_ATTEMPT_COUNT] = ck_int(chance(2));
    r->v[CK_JOBS_NEXT_ATTEMPT_AT] = ck_int(at.wall + chance(300));
    r->v[CK_JOBS_TARGET_SNAPSHOT] = ck_textz(targets[chance(3)]);
  } else {
    r->table = kind == 8 ? CK_LINKS : CK_MESSAGES;
    if (kind == 8)
      r->v[CK_LINKS_LOCAL_CONVERSATION_ID] = ck_textz(conversations[i]);
    else
      r->v[CK_MESSAGES_ID] = ck_textz(messages[i]);
    if (kind == 9) r->v[CK_MESSAGES_RAW_TEXT] = ck_textz(messages[last]);
  }
}

static void any_answer(struct renew_answer *a, const struct renew_question *q) {
  const struct renew_job *j = renew_core_job(&core, q->job_id);
  *a = (struct renew_answer){.head = core.version + (uint64_t)chance(2), .has_link = chance(1)};
  if (chance(20) == 0) a->problem = "no answer";
  if (q->parts & RENEW_ABOUT_DOUBTS) {
    struct renew_doubt *doubts = ck_arena_get(&texts, NAMES * sizeof *doubts);
    for (a->n = 0; a->n < NAMES; a->n++)
      doubts[a->n] = (struct renew_doubt){job_of((int)a->n), chance(9), at.wall + chance(9) - 4};
    a->doubts = doubts;
  }
  if (q->parts & (RENEW_ABOUT_OFFERS | RENEW_ABOUT_LIMITS | RENEW_ABOUT_DOUBTS | RENEW_ABOUT_WAITS))
    return;
  a->facts = (struct renew_facts){.found = true,
                                  .role = CK_LIT("assistant"),
                                  .created_at = at.wall,
                                  .observed_at = at.wall - 5,
                                  .live = chance(5),
                                  .on_auto = true};
  a->link.client_id = CK_LIT("ff1");
  a->past.in_a_row = chance(20) == 0 ? 10 : 0;
  a->past.text = ck_str_of(chance(5) ? "Done." : "Which one?");
  a->lease = (struct renew_lease){.running = chance(4), .left = chance(200), .attempt = 1};
  if (j && j->trying) a->lease.token = ck_arena_copy(&texts, ck_str_of(j->trying->token));
  if (!(j && j->trying) && chance(1)) a->lease.client = CK_LIT("ff1");
  if (!a->lease.running) a->lease.unknown = chance(1);
  a->job = (struct renew_row){.head = a->head,
                              .payload = CK_LIT("go on"),
                              .payload_kind = CK_LIT("text"),
                              .snapshot = ck_str_of(targets[j && j->client ? 2 : chance(1)]),
                              .max_attempts = 3};
}

/* What comes of the effect. */
static void event_of(struct recorded *r, const struct renew_effect *e) {
  r->event.ticket = e->ticket;
  if (e->kind == RENEW_QUERY) {
    r->event.kind = RENEW_ANSWER;
    any_answer(&r->answer, &e->as.query);
  } else if (e->kind == RENEW_TELL) {
    r->event.kind = RENEW_RECEIPT;
    r->event.as.receipt.result = "uu=r"[chance(3)];
    r->event.as.receipt.version = core.version + (uint64_t)chance(2);
  } else {
    r->event.kind = RENEW_RESULT;
    renew_result_set(&r->result, (enum renew_outcome)chance(3), "%s", "words");
  }
}

static size_t seen; /* of the effects */

static void record(struct recorded *r) {
  at.boot += chance(60);
  at.wall += chance(60);
  r->now = at;
  while (seen < effects.n && effects.v[seen].ticket == 0) seen++;
  int64_t which = chance(9);
  if (which < 5 && seen < effects.n) {
    event_of(r, &effects.v[seen++]);
  } else if (which < 8) {
    r->event.kind = RENEW_ROW;
    any_row(&r->row);
  } else if (chance(60) == 0) {
    r->event.kind = chance(1) ? RENEW_RESET : RENEW_LOST;
  } else if (chance(4) == 0) {
    r->event.kind = RENEW_CONNECTED;
  } else {
    r->event.kind = RENEW_FOLLOWED;
    r->event.as.followed.version = core.version + 1;
    r->event.as.followed.live = true;
  }
}

static void step(struct recorded *r) {
  if (r->event.kind == RENEW_ROW) r->event.as.row = &r->row;
  if (r->event.kind == RENEW_ANSWER) r->event.as.answer = &r->answer;
  if (r->event.kind == RENEW_RESULT) r->event.as.result = &r->result;
  renew_step(&core, &r->event, r->now, &effects);
}

static void all_effects(struct ck_buf *b) {
  for (size_t i = 0; i < effects.n; i++) put_effect(b, &effects.v[i]);
}

static bool phases[RENEW_PHASES]; /* in which a job was */

static void note_phases(void) {
  for (int n = 0; n < NAMES; n++) {
    const struct renew_job *j = renew_core_job(&core, job_of(n));
    if (j) phases[j->phase] = true;
  }
}

static void replay(uint64_t seed) {
  struct ck_buf first = {0}, second = {0};
  memset(all, 0, sizeof all);
  dice.state = seed;
  seen = 0;
  core_new();
  for (int i = 0; i < EVENTS; i++) {
    record(&all[i]);
    step(&all[i]);
    note_phases();
  }
  all_effects(&first);
  core_new();
  for (int i = 0; i < EVENTS; i++) step(&all[i]);
  all_effects(&second);
  cr_assert_gt(first.len, 100000);
  cr_assert(first.len == second.len && memcmp(first.data, second.data, first.len) == 0, "seed %llu",
            (unsigned long long)seed);
  core_end();
  ck_buf_free(&first);
  ck_buf_free(&second);
  ck_arena_free(&texts);
}

Test(renewd_replay, the_same_to_the_byte, .timeout = 120) {
  for (uint64_t seed = 1; seed <= SEEDS; seed++) replay(seed);
  for (int p = 0; p < RENEW_PHASES; p++) cr_assert(phases[p], "no job was in phase %d", p);
}
