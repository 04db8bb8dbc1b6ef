/* What the store says about a conversation's deliveries, for renewd's brake. */
#include "test_store_apply.h"

#include <stdio.h>
#include <stdlib.h>

#include "proto/map.h"

static struct {
  bool has_sixtieth, resumed, anyway;
  int64_t sixtieth, in_a_row, per_day, day, alike, came_at;
  int64_t cost, cost_age, tokens, tokens_age;
  char text[400], waits[40], turn[40], renewal[200];
} past;

/* What is looked for. */
struct wanted {
  int64_t in_a_row, per_day, alike, cost, tokens;
  const char *message, *job;
};

static void take_text(char *out, size_t room, struct ck_str text) {
  snprintf(out, room, "%.*s", (int)text.n, text.s ? text.s : "");
}

static void take(struct ck_str row) {
  past.in_a_row = ck_map_int(row, "in_a_row", -1);
  past.sixtieth = ck_map_int(row, "sixtieth_age", -1);
  past.has_sixtieth = past.sixtieth != -1;
  past.per_day = ck_map_int(row, "per_day", -1);
  past.day = ck_map_int(row, "day_age", -1);
  past.cost = ck_map_int(row, "cost_per_day", -1);
  past.cost_age = ck_map_int(row, "cost_age", -1);
  past.tokens = ck_map_int(row, "tokens_per_day", -1);
  past.tokens_age = ck_map_int(row, "tokens_age", -1);
  past.alike = ck_map_int(row, "alike", -1);
  past.came_at = ck_map_int(row, "came_at", -1);
  past.resumed = ck_map_int(row, "resumed", 0);
  past.anyway = ck_map_int(row, "anyway", 0);
  take_text(past.text, sizeof past.text, ck_map_str(row, "text"));
  take_text(past.waits, sizeof past.waits, ck_map_str(row, "waits"));
  take_text(past.turn, sizeof past.turn, ck_map_str(row, "turn"));
  take_text(past.renewal, sizeof past.renewal, ck_map_str(row, "renewal"));
}

static void ask_for(const struct wanted *w) {
  struct ck_buf filters = {0}, rows = {0};
  struct ck_err err = {{0}};
  const char *code = "";
  struct ck_map m = ck_map_open(&filters);
  ck_pair_text(&m, "local_conversation_id", "c1");
  if (w->message) ck_pair_text(&m, "message_id", w->message);
  if (w->job) ck_pair_text(&m, "job_id", w->job);
  ck_pair_int(&m, "in_a_row", w->in_a_row);
  ck_pair_int(&m, "per_day", w->per_day);
  ck_pair_int(&m, "alike", w->alike);
  ck_pair_int(&m, "cost_per_day", w->cost);
  ck_pair_int(&m, "tokens_per_day", w->tokens);
  ck_map_close(&m);
  struct ck_buf cursor = {0};
  ck_buf_text(&cursor, "of another list");
  struct list_answer answer = {&rows, &cursor};
  struct ck_query q = {.table = CK_LIT("brakes"), .filters = ck_buf_view(&filters), .limit = 1};
  cr_assert_eq(sh_query(&s, &q, &answer, &code, &err), 0, "%s: %s", code, err.text);
  struct ck_reader r = ck_reader_of(ck_buf_view(&rows));
  struct ck_str row;
  uint32_t n;
  cr_assert(ck_read_array(&r, &n) == 0 && n == 1 && ck_read_raw(&r, &row) == 0);
  take(row);
  cr_assert_eq(cursor.len, 0);
  ck_buf_free(&cursor);
  ck_buf_free(&filters);
  ck_buf_free(&rows);
}

static void ask(int64_t in_a_row) { ask_for(&(struct wanted){.in_a_row = in_a_row}); }

static bool stopped(int64_t in_a_row) {
  ask(in_a_row);
  return past.in_a_row > 0;
}

static void begin(void) {
  sh_conversation(&s, "c1", ",'automation_status':'auto'");
  sh_link(&s, "l1", "c1", "r1", "");
}

static void says(const char *id, const char *role, const char *text) {
  char *more = ck_sprintf(",'conversation_id':'r1','role':'%s','raw_text':'%s'", role, text);
  cr_assert_neq(sh_message(&s, id, 20, more), 'r', "%s", s.reason.text);
  free(more);
}

/* A follow-up of the message with this number, with an attempt that ends so. */
static void deliver(int i, bool automatic, const char *outcome, int64_t at) {
  char message[16], id[37];
  s.now = at;
  snprintf(message, sizeof message, "m%d", i);
  says(message, "assistant", "said");
  if (automatic)
    ck_job_id(id, ck_str_of(message));
  else
    snprintf(id, sizeof id, "hand%d", i);
  sh_conversation(&s, "c1", "");
  char *last = ck_sprintf(",'last_message_id':'%s','last_message_at':%d", message, 100 + i);
  sh_conversation(&s, "c1", last);
  free(last);
  cr_assert_eq(sh_job(&s, id, "c1", message, ",'payload':'go on'"), 'n', "%s", s.reason.text);
  cr_assert_eq(ap_mutate(ap_claim_of(id, "t", at)), 'u', "%s", s.reason.text);
  cr_assert_eq(ap_mutate(ap_end_of(id, 1, "t", outcome)), 'u', "%s", s.reason.text);
}

Test(apply, brake_deliveries_in_a_row) {
  begin();
  cr_expect_not(stopped(1));
  deliver(1, true, "done", 1000);
  deliver(2, true, "unknown", 2000);
  cr_expect_not(stopped(3));
  cr_expect(stopped(2));
  deliver(3, false, "done", 3000);
  deliver(4, true, "released", 4000);
  deliver(5, true, "unreached", 5000);
  cr_expect_not(stopped(3), "by hand, or nothing got there");
  deliver(6, true, "failed", 6000);
  cr_expect(stopped(3), "the target may answer itself and fail");
  deliver(7, true, "retry", 7000);
  cr_expect_not(stopped(4), "a job is not in its own way");
}

Test(apply, brake_what_a_person_said_before_is_not_new) {
  static const char old[] = ",'conversation_id':'r1','role':'user','raw_text':'do it'"
                            ",'created_at':20,'page_title':'%s'";
  begin();
  for (int i = 0; i < 2; i++) {
    char *more = ck_sprintf(old, i ? "a title, changed" : "a title");
    cr_expect_eq(sh_message(&s, "u1", 10, more), "nu"[i], "%s", s.reason.text);
    free(more);
    if (i == 0) deliver(1, true, "done", 1000);
  }
  cr_expect(stopped(1));
}

/* An export brings what was said long ago, and branches that nobody sees any more. */
Test(apply, brake_what_is_imported_is_nobody_s_answer) {
  begin();
  deliver(1, true, "done", 1000);
  cr_expect(stopped(1));
  cr_expect_eq(
      sh_message(&s, "u1", 10, ",'conversation_id':'r1','role':'user','raw_text':'do it','live':0"),
      'n');
  cr_expect(stopped(1));
  cr_expect_eq(sh_message(&s, "u2", 10, ",'conversation_id':'r1','role':'user','raw_text':'do it'"),
               'n');
  cr_expect_not(stopped(1));
}

Test(apply, brake_a_person_ends_the_row) {
  begin();
  deliver(1, true, "done", 1000);
  deliver(2, true, "done", 2000);
  cr_expect(stopped(2));
  says("echo", "user", " go on ");
  cr_expect(stopped(2), "that is the follow-up itself, as the page shows it");
  says("typed", "user", "go on, as the page has it");
  cr_assert_eq(sqlite3_exec(s.db, "INSERT INTO sent VALUES ('typed', 'j2', 1)", NULL, NULL, NULL),
               SQLITE_OK);
  cr_expect(stopped(2), "that is the follow-up itself, as its client said");
  says("u1", "user", "go on please");
  cr_expect_not(stopped(2));
  deliver(3, true, "done", 3000);
  cr_expect_not(stopped(2));
  deliver(4, true, "done", 4000);
  cr_expect(stopped(2));
  struct ck_mutation m = {.kind = CK_OP_RESUME};
  m.as.resume = (struct ck_resume){CK_LIT("c1")};
  int64_t since = sh_int(&s, "SELECT since FROM automation");
  uint64_t head = apply_head(s.apply);
  cr_expect_eq(ap_mutate(m), 'u', "%s", s.reason.text);
  cr_expect_eq(apply_head(s.apply), head + 1, "whoever follows the conversation sees it");
  cr_expect_eq(sh_int(&s, "SELECT since FROM automation"), since);
  cr_expect_not(stopped(2));
  cr_expect(stopped(2) == false && sh_int(&s, "SELECT count(*) FROM automation") == 1);
  deliver(5, true, "done", 5000);
  deliver(6, true, "done", 6000);
  cr_expect(stopped(2));
  sh_conversation(&s, "c1", ",'automation_status':'manual'");
  cr_expect_eq(ap_mutate(m), '=', "not on auto");
  sh_conversation(&s, "c1", ",'automation_status':'auto'");
  cr_expect_not(stopped(2), "put on auto again");
  m.as.resume = (struct ck_resume){CK_LIT("nobody")};
  cr_expect_eq(ap_mutate(m), 'r');
}

Test(apply, brake_the_sixtieth_newest) {
  begin();
  for (int i = 1; i <= 59; i++) deliver(i, i % 2, "done", 1000 * i);
  ask(1000);
  cr_expect_not(past.has_sixtieth);
  deliver(60, false, "retry", 60000);
  ask(1000);
  cr_expect(past.has_sixtieth && past.sixtieth == 59000, "%d", (int)past.sixtieth);
  deliver(61, true, "done", 61000);
  ask(1000);
  cr_expect_eq(past.sixtieth, 59000);
  s.now -= 10 * 365 * INT64_C(86400000);
  s.behind = 10 * 365 * INT64_C(86400000) + 1000;
  ask(1000);
  cr_expect_eq(past.sixtieth, 60000, "the wall clock has gone back");
  sh_machine_starts(&s, "another", 1000);
  ask(1000);
  cr_expect_eq(past.sixtieth, 0, "nobody knows");
  s.now += 3600000;
  ask(1000);
  cr_expect_eq(past.sixtieth, 3600000, "an hour later they are an hour old");
  s.now += INT64_C(86400000);
  s.behind -= INT64_C(86400000);
  ask(1000);
  cr_expect_eq(past.sixtieth, 3600000, "the clock is put right");
}

/* Neither a row that changes late, nor one that gets all its attempts again, hides a delivery. */
Test(apply, brake_attempts_by_their_time) {
  begin();
  deliver(1, true, "retry", 1000);
  deliver(2, true, "failed", 2000);
  deliver(3, true, "done", 3000);
  char first[37], second[37];
  ck_job_id(first, CK_LIT("m1"));
  ck_job_id(second, CK_LIT("m2"));
  cr_expect_eq(ap_mutate(ap_requeue_of(second, true, 4000)), 'u', "%s", s.reason.text);
  cr_expect_eq(ap_mutate(ap_requeue_of(first, true, 4000)), 'u', "%s", s.reason.text);
  for (int64_t n = 1; n <= 3; n++) {
    ask_for(&(struct wanted){.per_day = n});
    cr_expect(past.per_day == n && past.day == 1000 * (n - 1), "%d: %d", (int)n, (int)past.day);
  }
  cr_expect_eq(ap_mutate(ap_claim_of(second, "t", 5000)), 'u', "%s", s.reason.text);
  cr_expect_eq(ap_mutate(ap_end_of(second, 1, "t", "released")), 'u', "%s", s.reason.text);
  ask_for(&(struct wanted){.per_day = 1});
  cr_expect_eq(past.day, 0, "what was not charged does not count");
}

Test(apply, brake_so_many_a_day) {
  begin();
  deliver(1, true, "done", 1000);
  deliver(2, false, "done", 2000);
  ask_for(&(struct wanted){.per_day = 3});
  cr_expect(past.per_day == 0 && past.day == -1);
  ask_for(&(struct wanted){.per_day = 2});
  cr_expect(past.per_day == 2 && past.day == 1000);
  sh_conversation(&s, "c1", ",'renewal':{'per_day':1}");
  ask_for(&(struct wanted){.per_day = 2});
  cr_expect(past.per_day == 1 && past.day == 0, "the conversation's own number counts");
  cr_expect_str_eq(past.renewal, "{\"per_day\":1}");
}

static void run(const char *sql) {
  struct ck_err err;
  cr_assert_eq(db_exec(s.db, sql, &err), 0, "%s", err.text);
}

/* What its target says of it. */
static void cost(int i, double cost, int64_t tokens) {
  char *sql = ck_sprintf("UPDATE attempts SET cost = %.2f, tokens = %lld WHERE message_id = 'm%d'",
                         cost, (long long)tokens, i);
  run(sql);
  free(sql);
}

/* Of the newest, as many as together reach it. */
Test(apply, brake_a_budget) {
  begin();
  for (int i = 1; i <= 3; i++) deliver(i, true, i == 2 ? "failed" : "done", 1000 * i);
  ask_for(&(struct wanted){.cost = 1, .tokens = 1});
  cr_expect(past.cost == 0 && past.cost_age == -1 && past.tokens == 0 && past.tokens_age == -1,
            "no target says anything");
  cost(1, 0.7, 10);
  cost(2, 0.1, 20);
  ask_for(&(struct wanted){.cost = 800001, .tokens = 31});
  cr_expect(past.cost == 0 && past.tokens == 0);
  ask_for(&(struct wanted){.cost = 800000, .tokens = 20});
  cr_expect(past.cost == 800000 && past.cost_age == 2000, "0.7 and 0.1 are 0.8: %d",
            (int)past.cost_age);
  cr_expect(past.tokens == 20 && past.tokens_age == 1000);
  ask_for(&(struct wanted){0});
  cr_expect(past.cost == 0 && past.tokens == 0, "nothing is looked for");
  sh_conversation(&s, "c1", ",'renewal':{'cost_per_day':0.05,'tokens_per_day':30}");
  ask_for(&(struct wanted){.cost = 1000000, .tokens = 1});
  cr_expect(past.cost == 50000 && past.cost_age == 1000 && past.tokens == 30 &&
                past.tokens_age == 2000,
            "the conversation's own numbers count");
  s.now = INT64_C(86400000) + 1999;
  ask_for(&(struct wanted){0});
  cr_expect(past.cost == 50000 && past.tokens == 0, "the first is older than a day");
  s.now++;
  ask_for(&(struct wanted){0});
  cr_expect(past.cost == 0, "so is the second");
}

/* A target that says more than any budget. */
Test(apply, brake_a_budget_of_much) {
  begin();
  deliver(1, true, "done", 1000);
  deliver(2, true, "done", 2000);
  run("UPDATE attempts SET cost = 1e300, tokens = 9223372036854775807");
  ask_for(&(struct wanted){.cost = INT64_C(1000000000000), .tokens = INT64_C(1000000000000)});
  cr_expect(past.cost_age == 0 && past.tokens_age == 0);
}

static int64_t alike(const char *message, int64_t n) {
  ask_for(&(struct wanted){.alike = n, .message = message});
  return past.alike;
}

static void says_with(const char *id, const char *details) {
  char *more = ck_sprintf(",'conversation_id':'r1','role':'user','raw_text':'of %s'"
                          ",'details':%s",
                          id, details);
  cr_assert_neq(sh_message(&s, id, 20, more), 'r', "%s", s.reason.text);
  free(more);
}

Test(apply, brake_what_is_for_the_model_is_nobody_s) {
  begin();
  deliver(1, true, "done", 1000);
  says_with("u1", "{'kind':'context'}");
  says_with("u2", "{'kind':'result'}");
  says_with("u3", "{'hidden':true}");
  cr_expect(stopped(1));
  says_with("u4", "{'kind':'other','hidden':false}");
  cr_expect_not(stopped(1));
}

/* The page shows a follow-up with other white space, and of JSON only its text. */
Test(apply, brake_a_follow_up_is_not_a_person_s) {
  char id[37];
  ck_job_id(id, CK_LIT("m1"));
  begin();
  says("m1", "assistant", "said");
  sh_conversation(&s, "c1", ",'last_message_id':'m1','last_message_at':101");
  cr_assert_eq(sh_job(&s, id, "c1", "m1",
                      ",'payload':'{\\\"do\\\":[{\\\"text\\\":\\\"go on,\\\\n now\\\"}]}'"
                      ",'payload_kind':'json'"),
               'n', "%s", s.reason.text);
  cr_assert_eq(ap_mutate(ap_claim_of(id, "t", 1000)), 'u', "%s", s.reason.text);
  cr_assert_eq(ap_mutate(ap_end_of(id, 1, "t", "done")), 'u', "%s", s.reason.text);
  says("u1", "user", "go on, now\\n");
  cr_expect(stopped(1));
  says("u2", "user", "text");
  cr_expect_not(stopped(1), "the name of a member is not said");
}

/* The message, and those before it that were followed up. */
Test(apply, brake_answers_alike) {
  begin();
  deliver(1, true, "done", 1000);
  deliver(2, true, "done", 2000);
  says("m3", "assistant", " said ");
  says("m4", "assistant", "something else");
  cr_expect_eq(alike("m3", 3), 3);
  cr_expect_eq(alike("m3", 4), 0);
  cr_expect_eq(alike("m4", 2), 0);
  cr_expect_eq(alike("m3", 0), 0);
  sh_conversation(&s, "c1", ",'renewal':{'alike':0}");
  cr_expect_eq(alike("m3", 3), 0, "the conversation's own number counts");
}

Test(apply, brake_the_message) {
  begin();
  deliver(1, true, "done", 1000);
  cr_expect_eq(sh_message(&s, "m2", 20,
                          ",'conversation_id':'r1','role':'assistant',"
                          "'raw_text':'May I?','details':{'waits':'plan','turn':'open'}"),
               'n');
  ask_for(&(struct wanted){.message = "m2"});
  cr_expect_str_eq(past.text, "May I?");
  cr_expect_str_eq(past.waits, "plan");
  cr_expect_str_eq(past.turn, "open");
  cr_expect_eq(past.came_at, sh_int(&s, "SELECT created_at FROM messages WHERE id = 'm2'"));
  cr_expect_not(past.resumed);
  struct ck_mutation m = {.kind = CK_OP_RESUME};
  m.as.resume = (struct ck_resume){CK_LIT("c1")};
  cr_expect_eq(ap_mutate(m), 'u');
  ask_for(&(struct wanted){.message = "m2"});
  cr_expect(past.resumed);
  says("m3", "assistant", "said");
  ask_for(&(struct wanted){.message = "m3"});
  cr_expect_not(past.resumed, "the next one came after that");
  ask_for(&(struct wanted){.message = "nothing"});
  cr_expect_str_eq(past.text, "");
}

Test(apply, brake_a_job_that_is_wanted_anyway) {
  begin();
  deliver(1, true, "retry", 1000);
  char id[37];
  ck_job_id(id, CK_LIT("m1"));
  ask_for(&(struct wanted){.job = id});
  cr_expect_not(past.anyway);
  cr_expect_eq(ap_mutate(ap_requeue_of(id, false, 2000)), 'u', "%s", s.reason.text);
  ask_for(&(struct wanted){.job = id});
  cr_expect_not(past.anyway);
  cr_expect_eq(ap_mutate(ap_requeue_of(id, true, 3000)), 'u', "%s", s.reason.text);
  ask_for(&(struct wanted){.job = id});
  cr_expect(past.anyway);
  ask_for(&(struct wanted){.job = "another"});
  cr_expect_not(past.anyway);
}

Test(apply, brake_a_question_without_conversation_is_refused) {
  struct ck_buf rows = {0}, cursor = {0};
  struct list_answer answer = {&rows, &cursor};
  struct ck_query q = {.table = CK_LIT("brakes"), .limit = 1};
  struct ck_err err;
  const char *code = "";
  cr_expect_eq(sh_query(&s, &q, &answer, &code, &err), -1);
  cr_expect_str_eq(code, "bad_request");
  ck_buf_free(&rows);
}
