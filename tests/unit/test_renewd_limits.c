/* The limits of accounts: how their times are taken, and what waits for them. */
#include <criterion/criterion.h>

#include <stdio.h>
#include <string.h>

#include "test_renewd_core.h"

#define MINUTE INT64_C(60000)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)

/* ---- times ---- */

static struct renew_limited l;
static int64_t now;

static void limited(int64_t told, int64_t wait, int64_t times) {
  renew_limit_take(&l, told ? now + told : 0, now);
  cr_expect_eq(l.until - now, wait, "%lld ms, not %lld", (long long)(l.until - now),
               (long long)wait);
  cr_expect_eq(l.times, times, "%lld times", (long long)l.times);
  cr_expect_not(l.over);
}

static void begin_times(void) {
  l = (struct renew_limited){0};
  now = INT64_C(1796000000000);
}

Test(renewd_limits, a_time_that_is_told, .init = begin_times) {
  limited(5 * HOUR, 5 * HOUR, 1);
  cr_expect_eq(l.since, now);
  now += HOUR; /* a delivery that had begun before */
  limited(4 * HOUR, 4 * HOUR, 1);
  now += 2 * DAY;
  limited(5 * HOUR, 5 * HOUR, 1);
  cr_expect_eq(l.since, now);
}

Test(renewd_limits, no_time_or_one_that_is_past, .init = begin_times) {
  int64_t since = now, wait = 15 * MINUTE;
  for (int i = 1; i <= 8; i++) {
    limited(i % 2 ? 0 : -MINUTE, wait, i);
    cr_expect_eq(l.since, since);
    now = l.until + 1000;
    wait = wait < 2 * HOUR ? 2 * wait : 4 * HOUR;
  }
}

/* Each time that it ends it is said to end later. */
Test(renewd_limits, a_time_that_slides, .init = begin_times) {
  limited(5 * HOUR, 5 * HOUR, 1);
  static const int64_t waits[] = {HOUR, 2 * HOUR, 4 * HOUR, 5 * HOUR, 5 * HOUR};
  for (int i = 0; i < 5; i++) {
    now = l.until + 1000;
    limited(5 * HOUR, waits[i], i + 2);
  }
}

/* The first one is honest; and of one that is told again and again nobody asks each second. */
Test(renewd_limits, a_short_time_that_is_told_again, .init = begin_times) {
  limited(1000, 1000, 1);
  static const int64_t waits[] = {1, 2, 4, 8, 16, 32, 60, 60};
  for (int i = 0; i < 8; i++) {
    now = l.until;
    limited(1000, waits[i] * MINUTE, i + 2);
  }
  now += MINUTE; /* a delivery that had begun before */
  limited(1000, 59 * MINUTE, 9);
}

/* Something arrives each time: it is no limit that never ends. */
Test(renewd_limits, a_short_time_after_something_has_arrived, .init = begin_times) {
  for (int i = 0; i < 5; i++) {
    limited(1000, 1000, 1);
    now = l.until;
    l.over = true;
  }
  limited(1000, 1000, 1);
  now = l.until;
  limited(1000, MINUTE, 2);
}

/* A plan of five hours that is used up 40 minutes after each of its ends, and says so. */
Test(renewd_limits, an_account_that_is_used_much, .init = begin_times) {
  for (int i = 0; i < 20; i++) {
    now += 40 * MINUTE;
    limited(4 * HOUR + 20 * MINUTE, 4 * HOUR + 20 * MINUTE, 1);
    cr_expect_eq(l.since, now);
    cr_expect_not(renew_limit_is_hopeless(&l, 12 * HOUR, now));
    now = l.until;
    l.over = true; /* something arrives */
  }
}

Test(renewd_limits, one_that_comes_again_at_once, .init = begin_times) {
  limited(0, 15 * MINUTE, 1);
  now = l.until + 1000;
  limited(0, 30 * MINUTE, 2);
  now = l.until + 1000;
  l.over = true;
  limited(0, 15 * MINUTE, 1);
  now = l.until + HOUR;
  limited(0, 15 * MINUTE, 1);
}

Test(renewd_limits, weeks_away, .init = begin_times) {
  limited(60 * DAY, 8 * DAY, 1);
  now = l.until + 1000;
  limited(60 * DAY, HOUR, 2);
}

Test(renewd_limits, what_is_learned_later_has_a_later_time, .init = begin_times) {
  limited(HOUR, HOUR, 1);
  int64_t first = l.at;
  limited(HOUR, HOUR, 1);
  cr_expect_gt(l.at, first);
  l.over = true;
  now -= DAY; /* the clock was ahead */
  first = l.at;
  limited(HOUR, HOUR, 1);
  cr_expect_gt(l.at, first);
}

/* ---- in the core ---- */

#define X "{\"kind\":\"exec\",\"id\":\"it\",\"payload\":{\"account\":\"x\"}}"
#define Y "{\"kind\":\"exec\",\"id\":\"it\",\"payload\":{\"account\":\"y\"}}"
#define CLIENTS_X "{\"kind\":\"feed\",\"client_id\":\"ff1\",\"payload\":{\"account\":\"x\"}}"

static void job(const char *id, const char *target) {
  row_job((struct row_of_job){.id = id, .of = id, .message = id, .target = target});
}

/* The delivery comes back so; and the END with what is told of the account. */
static const struct ck_limit *comes_back(const struct renew_effect *send, bool limit,
                                         int64_t until) {
  struct renew_result r;
  renew_result_set(&r, limit ? RENEW_RELEASED : RENEW_DONE, "%s", limit ? "no more today" : "");
  r.limit = limit;
  r.limit_until = until;
  cr_assert_not_null(send);
  renew_step(&core, &(struct renew_event){RENEW_RESULT, send->ticket, {.result = &r}}, at,
             &effects);
  const struct renew_effect *end = told(CK_OP_END);
  cr_assert_not_null(end);
  const struct ck_end *e = &end->as.tell.mutation.as.end;
  cr_assert(ck_str_is(e->outcome, limit ? "released" : "done"));
  const struct ck_mutation *told = end->as.tell.limit;
  struct ck_str id = e->job_id;
  receipt(end, 'u', 9);
  struct row_of_job row = {.id = id.s, .of = id.s, .message = id.s, .target = X};
  row.status = limit ? "pending" : "done";
  row.next = ck_int(e->next_attempt_at);
  row_job(row);
  follow(9);
  return told ? &told->as.limit : NULL;
}

/* The account x has a limit for an hour. */
static void limit_x(void) {
  job("a", X);
  claims("a");
  const struct ck_limit *told = comes_back(sends("a", X), true, at.wall + HOUR);
  cr_assert_not_null(told);
  cr_assert(ck_str_is(told->account, "x"));
  cr_assert(ck_str_is(told->reason, "no more today"));
  cr_assert_eq(told->until, at.wall + HOUR);
  cr_assert_eq(told->times, 1);
  cr_assert_not(told->over);
  cr_assert_str_eq(core.last_error, "", "a limit is no error: it has its own line");
}

static void held(const char *id, const char *state) {
  struct renew_held h = {0};
  bool is = renew_is_held(&h, &core, renew_core_job(&core, ck_str_of(id)), at);
  cr_expect_eq(is, state != NULL, "%s: %s", id, is ? h.state : "goes");
  if (is && state) cr_expect_str_eq(h.state, state);
}

Test(renewd_limits, cools_that_account_only, .init = core_begin, .fini = core_end) {
  limit_x();
  job("b", X);
  job("c", Y);
  job("d", TARGET);
  claims("c");
  claims("d");
  claims(NULL);
  held("a", "limited");
  held("b", "limited");
  cr_assert_eq(renew_core_due(&core), at.boot + HOUR);
}

/* The others follow once it has arrived. */
Test(renewd_limits, one_delivery_tries_whether_it_is_over, .init = core_begin, .fini = core_end) {
  limit_x();
  job("b", X);
  pass(HOUR - 1);
  claims(NULL);
  pass(1);
  claims("a");
  held("b", "limited");
  const struct renew_effect *probe = sends("a", X);
  claims(NULL);
  const struct ck_limit *told = comes_back(probe, false, 0);
  cr_assert(told && told->over);
  claims("b");
}

Test(renewd_limits, it_goes_on_if_that_is_rejected, .init = core_begin, .fini = core_end) {
  limit_x();
  job("b", X);
  pass(HOUR);
  claims("a");
  const struct ck_limit *told = comes_back(sends("a", X), true, at.wall + 2 * HOUR);
  cr_assert_not_null(told);
  cr_assert_eq(told->times, 2);
  cr_assert_eq(told->until, at.wall + HOUR, "a time that slides is asked about sooner");
  claims(NULL);
  pass(HOUR);
  claims("b");
}

/* The limit has ended, and is reached again by that job: the wall clock was stepped meanwhile. */
static void again_after_a_step(int64_t step, const char *id) {
  at.wall += 10 * DAY;
  limit_x();
  pass(HOUR);
  at.wall += step;
  job("b", X);
  claims(id);
  const struct ck_limit *told = comes_back(sends(id, X), true, 0);
  cr_assert_not_null(told);
  cr_expect_eq(told->times, 2);
  cr_expect_eq(told->until, at.wall + 30 * MINUTE);
  cr_expect_eq(told->since, at.wall - HOUR);
  pass(30 * MINUTE - 1);
  claims(NULL);
  held(id, "limited");
  pass(1);
  held(id, NULL);
}

Test(renewd_limits, after_a_step_back, .init = core_begin, .fini = core_end) {
  again_after_a_step(-3 * DAY, "b");
}

Test(renewd_limits, after_a_step_forward, .init = core_begin, .fini = core_end) {
  again_after_a_step(3 * DAY, "a");
}

/* Its beginning was before the limit: it tells nothing of it. */
Test(renewd_limits, a_delivery_that_was_under_way, .init = core_begin, .fini = core_end) {
  job("b", X);
  claims("b");
  const struct renew_effect *before = sends("b", X);
  limit_x();
  cr_assert_null(comes_back(before, false, 0));
  claims(NULL);
  held("a", "limited");
}

/* One that was claimed, but not sent. */
Test(renewd_limits, nothing_is_sent_after_it, .init = core_begin, .fini = core_end) {
  job("b", X);
  claims("b");
  answer(past_query(), (struct renew_answer){0});
  receipt(told(CK_OP_CLAIM), 'u', 1);
  const struct renew_effect *lease = queried(LEASE);
  limit_x();
  answer(lease, leased("b", X));
  cr_assert_null(sent());
  const struct renew_effect *end = told(CK_OP_END);
  cr_assert(end && ck_str_is(end->as.tell.mutation.as.end.outcome, "released"));
}

static struct renew_answer stored(bool over, int64_t wait, int64_t later) {
  static struct renew_limit_row row;
  row = (struct renew_limit_row){
      CK_LIT("x"), CK_LIT("no more"), {at.wall + wait, at.wall, 1, at.wall + later, over}, wait};
  return (struct renew_answer){.limits = &row, .n = 1};
}

/* Nothing is claimed before the store has said which limits there are. */
Test(renewd_limits, after_a_restart, .init = core_new, .fini = core_end) {
  job("a", X);
  job("c", Y);
  happen(RENEW_CONNECTED);
  follow(1);
  page();
  answer(queried(RENEW_ABOUT_OFFERS), (struct renew_answer){0});
  claims(NULL);
  answer(queried(RENEW_ABOUT_LIMITS), stored(false, HOUR, 0));
  claims("c");
  claims(NULL);
  held("a", "limited");
  pass(HOUR);
  claims("a");
}

/* What the core itself has told since does not count as ended. */
Test(renewd_limits, a_person_ends_it, .init = core_begin, .fini = core_end) {
  limit_x();
  job("b", X);
  claims(NULL);
  cr_assert_null(queried(RENEW_ABOUT_LIMITS));
  happen(RENEW_PAUSES);
  answer(queried(RENEW_ABOUT_LIMITS), stored(false, 0, -2000));
  claims(NULL);
  happen(RENEW_PAUSES);
  answer(queried(RENEW_ABOUT_LIMITS), stored(false, 0, 0));
  claims("a");
  claims(NULL);
  held("b", "limited");
  const struct ck_limit *told = comes_back(sends("a", X), false, 0);
  cr_assert(told && told->over);
  claims("b");
}

/* However many they are, each page is asked for once. */
Test(renewd_limits, many_of_them, .init = core_new, .fini = core_end) {
  static struct renew_limit_row rows[RENEW_PAGE];
  static char names[RENEW_PAGE][8];
  for (int i = 0; i < RENEW_PAGE; i++) {
    snprintf(names[i], sizeof names[i], "x%d", i);
    rows[i] = (struct renew_limit_row){
        ck_str_of(names[i]), CK_LIT("no more"), {at.wall + HOUR, at.wall, 1, at.wall, false}, HOUR};
  }
  happen(RENEW_CONNECTED);
  follow(1);
  page();
  answer(queried(RENEW_ABOUT_OFFERS), (struct renew_answer){0});
  for (int round = 0; round < 2; round++) {
    const struct renew_effect *first = queried(RENEW_ABOUT_LIMITS);
    cr_assert(first && !first->as.query.cursor.n);
    answer(first, (struct renew_answer){.limits = rows, .n = RENEW_PAGE, .cursor = CK_LIT("x199")});
    answer(queried(RENEW_ABOUT_LIMITS), (struct renew_answer){.problem = "busy"});
    pass(1000);
    happen(RENEW_TICK);
    const struct renew_effect *second = queried(RENEW_ABOUT_LIMITS);
    cr_assert(second && ck_str_is(second->as.query.cursor, "x199"));
    answer(second, (struct renew_answer){.limits = rows, .n = 1});
    happen(RENEW_TICK);
    cr_assert_null(queried(RENEW_ABOUT_LIMITS));
    cr_assert(core.limits.loaded);
    happen(RENEW_PAUSES);
  }
}

/* A clock that was ahead once holds up nobody for ever. */
Test(renewd_limits, a_stored_end_in_another_century, .init = core_new, .fini = core_end) {
  job("a", X);
  happen(RENEW_CONNECTED);
  follow(1);
  page();
  answer(queried(RENEW_ABOUT_OFFERS), (struct renew_answer){0});
  answer(queried(RENEW_ABOUT_LIMITS), stored(false, 40000 * DAY, 0));
  pass(8 * DAY);
  claims("a");
}

Test(renewd_limits, an_offer_is_withdrawn, .init = core_begin, .fini = core_end) {
  job("o", CLIENTS_X);
  claims("o");
  answer(past_query(), (struct renew_answer){0});
  answer(queried(OFFER), leased("o", CLIENTS_X));
  receipt(told(CK_OP_OFFER), 'u', 1);
  cr_assert_eq(phase("o"), RENEW_OPEN);
  limit_x();
  cr_assert_not_null(told(CK_OP_WITHDRAW));
}

static void account_of(const char *conversation, const char *renewal) {
  struct ck_row r = {.table = CK_CONVERSATIONS};
  r.v[CK_CONVERSATIONS_LOCAL_CONVERSATION_ID] = ck_textz(conversation);
  r.v[CK_CONVERSATIONS_AUTOMATION_STATUS] = ck_textz("manual");
  r.v[CK_CONVERSATIONS_RENEWAL] = ck_textz(renewal);
  renew_step(&core, &(struct renew_event){.kind = RENEW_ROW, .as.row = &r}, at, &effects);
}

/* Its turn was that of the account before. */
Test(renewd_limits, another_account_during_the_turn, .init = core_begin, .fini = core_end) {
  core.pace.account_slots = 1;
  job("a", X);
  claims("a");
  const struct renew_effect *send = sends("a", X);
  job("b", Y);
  claims("b");
  account_of("b", "{\"account\":\"x\"}");
  answer(past_query(), (struct renew_answer){.past = {.renewal = CK_LIT("{\"account\":\"x\"}")}});
  cr_expect_null(told(CK_OP_CLAIM));
  held("b", "account_slots");
  comes_back(send, false, 0);
  claims("b");
}

/* What its owner says goes before what the target says. */
Test(renewd_limits, the_account_of_a_conversation, .init = core_begin, .fini = core_end) {
  limit_x();
  job("b", TARGET);
  claims("b");
  answer(past_query(), (struct renew_answer){.past = {.renewal = CK_LIT("{\"account\":\"x\"}")}});
  cr_assert_null(told(CK_OP_CLAIM));
  held("b", "limited");
  account_of("b", "{\"account\":\"y\"}");
  claims("b");
}

/* What a client claimed before the limit, and delivers after its end, tells nothing of it. */
Test(renewd_limits, a_client_that_began_before, .init = core_begin, .fini = core_end) {
  limit_x();
  int64_t claimed[] = {at.wall - 1000, at.wall + HOUR + 1};
  pass(HOUR + 10);
  for (int i = 0; i < 2; i++) {
    row_job((struct row_of_job){.id = "o", .of = "o", .message = "o", .target = CLIENTS_X});
    row_job((struct row_of_job){.id = "o",
                                .of = "o",
                                .message = "o",
                                .target = CLIENTS_X,
                                .status = "done",
                                .last_attempt_at = claimed[i]});
    const struct renew_effect *alone = told(CK_OP_LIMIT);
    cr_assert_eq(alone != NULL, i);
    if (alone) cr_expect(alone->as.tell.mutation.as.limit.over);
  }
}

/* With it the limit that went along was refused. */
Test(renewd_limits, an_end_that_is_refused, .init = core_begin, .fini = core_end) {
  struct renew_result r;
  renew_result_set(&r, RENEW_RELEASED, "no more today");
  r.limit = true;
  r.limit_until = at.wall + HOUR;
  job("a", X);
  claims("a");
  const struct renew_effect *send = sends("a", X);
  cr_assert_not_null(send);
  renew_step(&core, &(struct renew_event){RENEW_RESULT, send->ticket, {.result = &r}}, at,
             &effects);
  const struct renew_effect *end = told(CK_OP_END);
  cr_assert(end && end->as.tell.limit);
  receipt(end, 'r', 9);
  const struct renew_effect *alone = told(CK_OP_LIMIT);
  cr_assert_not_null(alone);
  cr_expect(ck_str_is(alone->as.tell.mutation.as.limit.account, "x"));
  cr_expect_eq(alone->as.tell.mutation.as.limit.until, at.wall + HOUR);
  cr_expect_null(told(CK_OP_LIMIT));
}

/* ---- an answer that is a limit's text ---- */

static const struct ck_zone *utc(const void *self, struct ck_str name, struct ck_err *err) {
  (void)self, (void)name;
  ck_fail(err, "UTC");
  return NULL;
}

/* 1970-01-01 00:16:40 */
#define TEXT "You've hit your session limit \xc2\xb7 resets 1:15am (UTC)"
#define ENDS (75 * MINUTE + MINUTE)

static struct renew_answer said_so(const char *role, const char *text, const char *account) {
  static char payload[64];
  snprintf(payload, sizeof payload, "{\"account\":\"%s\"}", account);
  struct renew_answer a = {.facts = {.found = true,
                                     .role = ck_str_of(role),
                                     .created_at = at.wall - 10,
                                     .observed_at = at.wall - 20,
                                     .last_message_at = at.wall,
                                     .live = true,
                                     .on_auto = true},
                           .text = ck_str_of(text),
                           .has_link = true,
                           .link = {.target_kind = CK_LIT("exec"), .target_id = CK_LIT("it")}};
  if (*account) a.link.target_payload = ck_str_of(payload);
  return a;
}

/* What is told of the job, NULL: nothing. */
static const struct renew_effect *judged(struct renew_answer a) {
  static char message[2] = "l";
  message[0]++;
  core.set.stops.zone = utc;
  row_conversation("c", "auto", message, 0);
  happen(RENEW_TICK);
  answer(queried(TURN), a);
  return told(CK_OP_PUT);
}

Test(renewd_limits, observed, .init = core_begin, .fini = core_end) {
  const struct renew_effect *put = judged(said_so("assistant", TEXT, "x"));
  cr_assert_not_null(put);
  cr_assert_not_null(put->as.tell.limit);
  const struct ck_limit *told = &put->as.tell.limit->as.limit;
  cr_assert(ck_str_is(told->account, "x"));
  cr_assert_eq(told->until, ENDS);
  job("b", X);
  claims(NULL);
  job("d", Y);
  claims("d");
  pass(ENDS - at.wall);
  claims("b");
}

Test(renewd_limits, observed_by_a_job_that_is_refused, .init = core_begin, .fini = core_end) {
  const struct renew_effect *put = judged(said_so("assistant", TEXT, "x"));
  cr_assert(put && put->as.tell.limit);
  receipt(put, 'r', 9);
  const struct renew_effect *alone = told(CK_OP_LIMIT);
  cr_assert(alone && alone->as.tell.mutation.as.limit.until == ENDS);
}

/* Codex's stands in a message of the system, which says that it is an error. */
Test(renewd_limits, observed_as_an_error, .init = core_begin, .fini = core_end) {
  struct renew_answer a = said_so("system", TEXT, "x");
  cr_assert_null(judged(a));
  a.facts.failed = true;
  const struct renew_effect *put = judged(a);
  cr_assert(put && put->as.tell.limit);
}

Test(renewd_limits, merely_spoken_of, .init = core_begin, .fini = core_end) {
  const struct renew_effect *put =
      judged(said_so("assistant", TEXT ", says Claude Code. Shall I wait?", "x"));
  cr_assert_not_null(put);
  cr_assert_null(put->as.tell.limit);
  job("b", X);
  claims("b");
}

/* Then it waits by itself. */
Test(renewd_limits, observed_without_an_account, .init = core_begin, .fini = core_end) {
  const struct renew_effect *put = judged(said_so("assistant", TEXT, ""));
  cr_assert_not_null(put);
  cr_assert_null(put->as.tell.limit);
  cr_assert_eq(put->as.tell.row->v[CK_JOBS_NEXT_ATTEMPT_AT].as.i, ENDS);
}
