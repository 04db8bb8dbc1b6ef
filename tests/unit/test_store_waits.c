/* What a deadline stands for: how long a wait was to last, on the clock that no step moves, and
 * what is a calendar time; and which messages came before their conversation was put on auto. */
#include <criterion/criterion.h>

#include <stdlib.h>
#include <string.h>

#include "proto/map.h"
#include "test_store_apply.h"

#define YEAR (365 * INT64_C(86400000))

static struct ck_buf rows;

/* Asks for the list's rows about that id. Returns how many there are, and the last. */
static uint32_t ask(const char *list, const char *column, const char *id, struct ck_str *found) {
  struct ck_buf filters = {0}, cursor = {0};
  struct ck_err err = {{0}};
  const char *code = "";
  struct ck_map m = ck_map_open(&filters);
  if (column) ck_pair_text(&m, column, id);
  ck_map_close(&m);
  ck_buf_clear(&rows);
  struct list_answer answer = {&rows, &cursor};
  struct ck_query q = {
      .table = ck_str_of(list), .filters = ck_buf_view(&filters), .limit = LIST_LIMIT};
  cr_assert_eq(sh_query(&s, &q, &answer, &code, &err), 0, "%s: %s", code, err.text);
  struct ck_reader r = ck_reader_of(ck_buf_view(&rows));
  struct ck_str row;
  uint32_t n, same = 0;
  cr_assert_eq(ck_read_array(&r, &n), 0);
  for (; n; n--) {
    cr_assert_eq(ck_read_raw(&r, &row), 0);
    if (column || ck_str_is(ck_map_str(row, "id"), id)) {
      *found = row;
      same++;
    }
  }
  ck_buf_free(&filters);
  ck_buf_free(&cursor);
  return same;
}

/* Milliseconds; -1: it is over, or there is none; INT64_MAX: it is a calendar time. */
static int64_t left(const char *id) {
  struct ck_str row;
  uint32_t n = ask("waits", NULL, id, &row);
  cr_assert_leq(n, 1);
  return n ? ck_map_int(row, "left", INT64_MAX) : -1;
}

static void steps_by(int64_t ms) {
  s.now += ms;
  s.behind -= ms;
}

static char automatic[37];

static void begin(void) {
  ck_job_id(automatic, CK_LIT("m1"));
  sh_conversation(&s, "c1", ",'automation_status':'auto'");
  sh_link(&s, "l1", "c1", "r1", "");
  sh_message(&s, "m1", 20, ",'conversation_id':'r1','role':'assistant'");
  sh_conversation(&s, "c1", ",'last_message_id':'m1','last_message_at':20");
  cr_assert_eq(sh_job(&s, automatic, "c1", "m1", ",'next_attempt_at':1000"), 'n', "%s",
               s.reason.text);
  cr_assert_eq(left(automatic), -1);
}

static void end_of(const char *outcome, int64_t next, int64_t rest) {
  cr_assert_eq(ap_mutate(ap_claim_of(automatic, "t", s.now)), 'u', "%s", s.reason.text);
  struct ck_mutation end = ap_end_of(automatic, 1, "t", outcome);
  end.as.end.at = s.now;
  end.as.end.next_attempt_at = next;
  end.as.end.cooldown_until = rest;
  cr_assert_eq(ap_mutate(end), 'u', "%s", s.reason.text);
}

/* Another write of the row, after a step, leaves it as long as it was. */
Test(apply, a_wait_lasts_as_long_as_it_was_to_last) {
  begin();
  end_of("retry", s.now + 60000, 0);
  cr_expect_eq(left(automatic), 60000);
  static const int64_t steps[] = {1000, -1000, 3600000, -3600000, 10 * YEAR, -10 * YEAR};
  for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
    steps_by(steps[i]);
    cr_expect_eq(left(automatic), 60000, "after a step by %lld ms", (long long)steps[i]);
  }
  steps_by(-10 * YEAR);
  s.now += 1000;
  char *update = ck_sprintf("{'job_id':'%s','target_snapshot':'{}'}", automatic);
  sh_update(&s, CK_JOBS, update);
  free(update);
  cr_assert_eq(sh_apply(&s), 'u', "%s", s.reason.text);
  cr_assert_eq(sh_commit(&s), 0);
  cr_expect_eq(left(automatic), 59000);
  s.now += 59000;
  cr_expect_eq(left(automatic), -1);
}

Test(apply, a_rest_lasts_as_long_as_it_was_to_last) {
  begin();
  end_of("done", 0, s.now + 60000);
  cr_expect_eq(left(automatic), -1);
  steps_by(-YEAR);
  cr_expect_eq(left("c1"), 60000);
  sh_conversation(&s, "c1", ",'title':'another'");
  s.now += 10000;
  cr_expect_eq(left("c1"), 50000);
}

/* Whatever the clock showed when the other one began. */
Test(apply, the_later_of_two_rests_after_a_step) {
  static const int64_t steps[] = {-10 * YEAR, -1000, 0, 1000, 10 * YEAR};
  begin();
  for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
    int64_t first = 60000, second = i % 2 ? 20000 : 80000;
    end_of("released", s.now, s.now + first);
    s.now += 10000;
    steps_by(steps[i]);
    end_of("released", s.now, s.now + second);
    cr_expect_eq(left("c1"), i % 2 ? 50000 : 80000, "after a step by %lld ms, %lld are left",
                 (long long)steps[i], (long long)left("c1"));
    s.now += 80000;
    cr_expect_eq(left("c1"), -1);
  }
}

/* Whoever follows the row learns of the new wait, because its end has another name. */
Test(apply, a_rest_that_ends_when_the_one_before_did_by_a_clock_that_was_set_back) {
  begin();
  int64_t until = s.now + 60000;
  end_of("released", s.now, until);
  s.now += 30000;
  steps_by(-30000);
  end_of("released", s.now, until);
  cr_expect_eq(left("c1"), 60001);
  char *name = ck_sprintf("%lld", (long long)until + 1);
  sh_is(&s, CK_CONVERSATIONS, "c1", "cooldown_until", name);
  free(name);
}

Test(apply, a_job_that_waits_until_the_time_that_had_come_by_a_clock_that_was_set_back) {
  begin();
  int64_t next = s.now + 60000;
  end_of("retry", next, 0);
  s.now = next;
  cr_expect_eq(left(automatic), -1);
  cr_assert_eq(ap_mutate(ap_claim_of(automatic, "t", s.now)), 'u', "%s", s.reason.text);
  steps_by(-60000);
  struct ck_mutation end = ap_end_of(automatic, 2, "t", "retry");
  end.as.end.at = s.now;
  end.as.end.next_attempt_at = next;
  cr_assert_eq(ap_mutate(end), 'u', "%s", s.reason.text);
  cr_expect_eq(left(automatic), 60000);
}

/* It was told before the clock was stepped, or a while ago. */
Test(apply, a_wait_that_was_told_before) {
  begin();
  int64_t next = s.now + 60000;
  cr_assert_eq(ap_mutate(ap_claim_of(automatic, "t", s.now)), 'u', "%s", s.reason.text);
  struct ck_mutation end = ap_end_of(automatic, 1, "t", "retry");
  end.as.end.at = s.now;
  end.as.end.next_attempt_at = next;
  steps_by(-YEAR);
  cr_assert_eq(ap_mutate(end), 'u', "%s", s.reason.text);
  cr_expect_eq(left(automatic), 60000);
}

/* The machine has been started again: its clock counts from 0, and how long it was away only the
 * wall clock can tell. */
Test(apply, a_wait_through_another_start_of_the_machine) {
  sh_machine_starts(&s, "first", s.now);
  begin();
  end_of("retry", s.now + 60000, 0);
  sh_machine_starts(&s, "first", s.now);
  cr_expect_eq(left(automatic), 60000, "it has not been");
  sh_machine_starts(&s, "second", s.now + 10000);
  cr_expect_eq(left(automatic), 50000);
  s.now += 1000;
  steps_by(YEAR);
  cr_expect_eq(left(automatic), 49000, "it is put right after the start");
  steps_by(-2 * YEAR);
  cr_expect_eq(left(automatic), 49000);
  sh_machine_starts(&s, "third", s.now);
  cr_expect_eq(left(automatic), 60000, "no longer than it was to be");
  s.now += 59999;
  cr_expect_eq(left(automatic), 1, "it goes on, though the wall clock is behind");
  s.now++;
  cr_expect_eq(left(automatic), -1);
}

Test(apply, a_person_s_times_are_calendar_times) {
  begin();
  sh_message(&s, "m2", 20, ",'conversation_id':'r1','role':'assistant'");
  sh_job(&s, "hand", "c1", "m2", ",'next_attempt_at':500000");
  cr_expect_eq(left("hand"), -1, "renewd knows of itself that it is one");
  struct ck_mutation m = ap_requeue_of(automatic, false, 700000);
  m.as.requeue.due_only = true;
  cr_assert_eq(ap_mutate(m), 'u', "%s", s.reason.text);
  cr_expect_eq(left(automatic), INT64_MAX);
  s.now = 800000;
  cr_expect_eq(left(automatic), INT64_MAX, "also when it has come");
  m.as.requeue.at = s.now;
  cr_assert_eq(ap_mutate(m), 'u', "%s", s.reason.text);
  cr_expect_eq(left(automatic), -1);
}

/* However many calendar times are the oldest. */
Test(apply, what_is_over_is_deleted_behind_calendar_times) {
  begin();
  for (int i = 0; i < 20; i++)
    cr_assert_eq(sqlite3_exec(s.db,
                              "INSERT INTO waits (kind, id, until, written, start, boot)"
                              " VALUES ('job', 'x' || random(), 9, 9, 1, 9)",
                              NULL, NULL, NULL),
                 SQLITE_OK);
  cr_assert_eq(sqlite3_exec(s.db,
                            "INSERT INTO waits (kind, id, until, length, written, start, boot)"
                            " SELECT 'job', 'over', 9, 1, 8, starts - 1, 8 FROM store",
                            NULL, NULL, NULL),
               SQLITE_OK);
  end_of("retry", s.now + 60000, 0);
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM waits WHERE id = 'over'"), 0);
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM waits WHERE length IS NULL"), 20);
}

Test(apply, a_job_that_is_over_waits_for_nothing) {
  begin();
  struct ck_mutation m = ap_requeue_of(automatic, false, s.now + 700000);
  m.as.requeue.due_only = true;
  cr_assert_eq(ap_mutate(m), 'u', "%s", s.reason.text);
  cr_expect_eq(left(automatic), INT64_MAX);
  char *update = ck_sprintf("{'job_id':'%s','status':'failed'}", automatic);
  sh_update(&s, CK_JOBS, update);
  free(update);
  cr_assert_eq(sh_apply(&s), 'u', "%s", s.reason.text);
  cr_assert_eq(sh_commit(&s), 0);
  cr_expect_eq(left(automatic), -1);
}

Test(apply, the_age_of_an_attempt) {
  struct ck_str row;
  begin();
  end_of("done", 0, 0);
  steps_by(-YEAR);
  s.now += 5000;
  cr_assert_eq(ask("begun", NULL, "", &row), 1);
  cr_expect_eq(ck_map_int(row, "age", -1), 5000);
  cr_expect(ck_str_is(ck_map_str(row, "job_id"), automatic));
}

/* ---- before auto ---- */

static bool is_older(void) {
  struct ck_str row;
  cr_assert_eq(ask("automation", "local_conversation_id", "c1", &row), 1);
  return ck_map_int(row, "last_is_older", 0);
}

static void says(const char *id, const char *text) {
  char *more = ck_sprintf(",'conversation_id':'r1','role':'assistant','raw_text':'%s'", text);
  cr_assert_neq(sh_message(&s, id, 20, more), 'r', "%s", s.reason.text);
  free(more);
}

static void is_last(const char *id) {
  char *update = ck_sprintf("{'local_conversation_id':'c1','last_message_id':'%s'}", id);
  sh_update(&s, CK_CONVERSATIONS, update);
  free(update);
  cr_assert_eq(sh_apply(&s), 'u', "%s", s.reason.text);
  cr_assert_eq(sh_commit(&s), 0);
}

static void put_on(const char *automation) {
  char *more = ck_sprintf(",'automation_status':'%s'", automation);
  sh_conversation(&s, "c1", more);
  free(more);
}

/* No clock does. */
Test(apply, what_came_before_auto_is_told_by_versions) {
  sh_conversation(&s, "c1", "");
  sh_link(&s, "l1", "c1", "r1", "");
  says("m1", "one");
  says("m2", "two");
  is_last("m2");
  steps_by(-YEAR);
  put_on("auto");
  cr_expect(is_older());
  says("m2", "two, and more");
  cr_expect(is_older(), "it has grown since");
  is_last("m1");
  cr_expect(is_older());
  says("m1", "one, and more");
  cr_expect(is_older(), "it has changed since, and was not the last one then");
  says("m3", "three");
  is_last("m3");
  cr_expect_not(is_older());
  says("m3", "three, and more");
  cr_expect_not(is_older());
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM older"), 2);
  put_on("manual");
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM older"), 0);
  put_on("auto");
  cr_expect(is_older());
  says("m3", "three, and much more");
  cr_expect(is_older());
}
