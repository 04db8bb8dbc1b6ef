/* The rows of attempts: what they have after each claim and end, and how long they are kept. */
#include "test_store_apply.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/map.h"

#define WEBHOOK \
  ",'target_snapshot':{'kind':'webhook','id':'w','payload':{'url':'http://a/b'}}," \
  "'next_attempt_at':1000"

static void one_job(const char *more) {
  sh_conversation(&s, "c1", "");
  sh_message(&s, "m1", 10, "");
  cr_assert_eq(sh_job(&s, "j1", "c1", "m1", more), 'n');
}

/* The job's newest attempt. */
static int64_t number_at(const char *column) {
  char *sql = ck_sprintf("SELECT coalesce(%s, -7) FROM attempts ORDER BY number DESC", column);
  int64_t n = sh_int(&s, sql);
  free(sql);
  return n;
}

static void check_text(const char *column, const char *text) {
  char *sql = ck_sprintf("SELECT count(*) FROM attempts WHERE %s IS %s%s%s AND number ="
                         " (SELECT max(number) FROM attempts)",
                         column, text ? "'" : "", text ? text : "NULL", text ? "'" : "");
  cr_expect_eq(sh_int(&s, sql), 1, "%s is not %s", column, text ? text : "NULL");
  free(sql);
}

#define NONE (-7)

/* An END with everything that a target can say. */
static struct ck_mutation full_end(struct ck_buf *result) {
  struct ck_map map = ck_map_open(result);
  ck_pair_int(&map, "http_status", 503);
  ck_pair_int(&map, "exit", 0);
  ck_pair_name(&map, "cost");
  ck_put_float(result, 0.25);
  ck_pair_int(&map, "tokens", 12);
  ck_pair_text(&map, "text", "busy");
  ck_pair_int(&map, "took_ms", 40);
  ck_pair_text(&map, "why", "again in a while");
  ck_map_close(&map);
  struct ck_mutation m = ap_end_of("j1", 1, "t1", "retry");
  m.as.end.error = CK_LIT(" http 503 ");
  m.as.end.next_attempt_at = 9000;
  m.as.end.result = ck_buf_view(result);
  return m;
}

Test(apply, an_attempt_is_a_row_from_its_claim_on) {
  one_job(WEBHOOK);
  cr_assert_eq(ap_mutate(ap_claim_of("j1", "t1", 2000)), 'u');
  cr_expect_eq(number_at("begun"), 2000);
  cr_expect_eq(number_at("ended"), NONE);
  cr_expect_eq(number_at("charged"), 1);
  cr_expect_eq(number_at("version"), (int64_t)apply_head(s.apply), "that of the job's row");
  check_text("local_conversation_id", "c1");
  check_text("message_id", "m1");
  check_text("channel", "webhook");
  check_text("target", "http://a/b");
  check_text("outcome", NULL);
  struct ck_buf result = {0};
  cr_assert_eq(ap_mutate(full_end(&result)), 'u', "%s", s.reason.text);
  ck_buf_free(&result);
  cr_expect_eq(number_at("ended"), 5000);
  cr_expect_eq(number_at("at"), 5000);
  cr_expect_eq(number_at("http_status"), 503);
  cr_expect_eq(number_at("exit"), 0);
  cr_expect_eq(number_at("cost = 0.25"), 1);
  cr_expect_eq(number_at("tokens"), 12);
  cr_expect_eq(number_at("took_ms"), 40);
  cr_expect_eq(number_at("next_attempt_at"), 9000);
  cr_expect_eq(number_at("cooldown_until"), NONE);
  cr_expect_eq(number_at("version"), (int64_t)apply_head(s.apply));
  check_text("outcome", "retry");
  check_text("error", "http 503");
  check_text("text", "busy");
  check_text("why", "again in a while");
  check_text("sent_message_id", NULL);
  cr_assert_eq(ap_mutate(ap_claim_of("j1", "t2", 9000)), 'u', "%s", s.reason.text);
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM attempts"), 2);
  check_text("outcome", NULL);
}

Test(apply, what_is_not_said_of_an_attempt_is_not_there) {
  one_job("");
  ap_mutate(ap_claim_of("j1", "t1", 2000));
  cr_assert_eq(ap_mutate(ap_end_of("j1", 1, "t1", "released")), 'u');
  static const char *const columns[] = {"channel", "target",         "http_status", "exit",
                                        "error",   "cost",           "tokens",      "text",
                                        "took_ms", "next_attempt_at"};
  for (size_t i = 0; i < sizeof columns / sizeof *columns; i++) check_text(columns[i], NULL);
  cr_expect_eq(number_at("charged"), 0);
  check_text("why", "nothing was sent; not charged");
}

Test(apply, a_result_that_is_no_map_of_text_and_numbers) {
  one_job("");
  ap_mutate(ap_claim_of("j1", "t1", 2000));
  struct ck_buf result = {0};
  struct ck_map map = ck_map_open(&result);
  ck_pair_text(&map, "cost", "much");
  ck_pair_str(&map, "text", (struct ck_str){"\xff", 1});
  ck_map_close(&map);
  struct ck_mutation m = ap_end_of("j1", 1, "t1", "done");
  m.as.end.result = ck_buf_view(&result);
  ap_refused(m, "end.result.text: is not UTF-8");
  check_text("outcome", NULL);
  ck_buf_clear(&result);
  map = ck_map_open(&result);
  ck_pair_text(&map, "cost", "much");
  ck_pair_int(&map, "text", 5);
  ck_map_close(&map);
  m.as.end.result = ck_buf_view(&result);
  cr_expect_eq(ap_mutate(m), 'u', "%s", s.reason.text);
  check_text("cost", NULL);
  check_text("text", NULL);
  ck_buf_free(&result);
}

/* A late answer, which counts until a person has decided. */
Test(apply, an_unknown_attempt_that_turns_out_to_be_done) {
  one_job("");
  ap_mutate(ap_claim_of("j1", "t1", 2000));
  struct ck_mutation m = ap_end_of("j1", 1, "t1", "unknown");
  cr_assert_eq(ap_mutate(m), 'u');
  check_text("why", "it may have arrived; waits for a person");
  int64_t version = number_at("version");
  m = ap_end_of("j1", 1, "t1", "done");
  m.as.end.at = 8000;
  m.as.end.message_id = CK_LIT("m2");
  cr_assert_eq(ap_mutate(m), 'u', "%s", s.reason.text);
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM attempts"), 1);
  check_text("outcome", "done");
  check_text("sent_message_id", "m2");
  cr_expect_eq(number_at("ended"), 5000, "it ended then");
  cr_expect_eq(number_at("at"), 8000);
  cr_expect_gt(number_at("version"), version);
}

/* What is known of it stays: only a proof that nothing was sent makes it no delivery. */
Test(apply, an_unknown_attempt_that_a_person_decides_about) {
  one_job(WEBHOOK);
  ap_mutate(ap_claim_of("j1", "t1", 2000));
  struct ck_buf result = {0};
  struct ck_mutation m = full_end(&result);
  m.as.end.outcome = CK_LIT("unknown");
  cr_assert_eq(ap_mutate(m), 'u', "%s", s.reason.text);
  ck_buf_free(&result);
  m = ap_end_of("j1", 1, "t1", "released");
  m.as.end.at = 9000000;
  cr_assert_eq(ap_mutate(m), 'u', "%s", s.reason.text);
  check_text("outcome", "released");
  cr_expect_eq(number_at("charged"), 1, "it may have arrived");
  cr_expect_eq(number_at("http_status"), 503);
  cr_expect_eq(number_at("exit"), 0);
  cr_expect_eq(number_at("cost = 0.25"), 1);
  cr_expect_eq(number_at("tokens"), 12);
  cr_expect_eq(number_at("took_ms"), 40);
  cr_expect_eq(number_at("ended"), 5000);
  check_text("error", "http 503");
  check_text("text", "busy");
}

Test(apply, a_claim_s_texts_are_cut_at_a_character) {
  static char more[1700], address[1600];
  memset(address, 'a', sizeof address - 1);
  memcpy(address + 399, "\xc3\xa4", 2);
  snprintf(more, sizeof more,
           ",'target_snapshot':{'kind':'webhook','payload':{'url':'%s'}},'next_attempt_at':1000",
           address);
  one_job(more);
  cr_assert_eq(ap_mutate(ap_claim_of("j1", "t1", 2000)), 'u', "%s", s.reason.text);
  cr_expect_eq(number_at("length(CAST(target AS BLOB))"), 399);
}

/* A line of the log has a greatest length, and a page of rows fits a frame. */
Test(apply, a_row_of_the_log_has_ids_that_are_cut) {
  static char id[2001];
  memset(id, 'j', sizeof id - 1);
  sh_conversation(&s, "c1", "");
  sh_message(&s, "m1", 10, "");
  cr_assert_eq(sh_job(&s, id, "c1", "m1", ",'next_attempt_at':1000"), 'n');
  cr_assert_eq(ap_mutate(ap_claim_of(id, "t1", 2000)), 'u', "%s", s.reason.text);
  struct ck_buf filters = {0}, rows = {0}, cursor = {0};
  struct list_answer answer = {&rows, &cursor};
  struct ck_err err = {{0}};
  const char *code = "";
  char *filter = ck_sprintf("{'job_id':'%s'}", id);
  sh_pack(&filters, filter);
  const struct ck_query q = {1, CK_LIT("attempts"), ck_buf_view(&filters), 1,
                             0, (struct ck_str){0}};
  cr_assert_eq(sh_query(&s, &q, &answer, &code, &err), 0, "%s", err.text);
  struct ck_reader r = ck_reader_of(ck_buf_view(&rows));
  struct ck_str row;
  uint32_t n;
  cr_assert(ck_read_array(&r, &n) == 0 && n == 1 && ck_read_raw(&r, &row) == 0);
  cr_expect_eq(ck_map_str(row, "job_id").n, 400);
  cr_expect_eq(ck_map_str(row, "delivery_id").n, 400);
  cr_expect(ck_str_is(ck_map_str(row, "message_id"), "m1"));
  ck_buf_free(&filters), ck_buf_free(&rows), ck_buf_free(&cursor);
  free(filter);
}

/* Somebody else writes the job's row while it runs. */
Test(apply, an_attempt_that_was_taken_away) {
  one_job("");
  ap_mutate(ap_claim_of("j1", "t1", 2000));
  sh_update(&s, CK_JOBS, "{'job_id':'j1','status':'pending'}");
  cr_assert_eq(sh_apply(&s), 'u');
  sh_commit(&s);
  check_text("outcome", "unknown");
  cr_expect_eq(number_at("version"), (int64_t)apply_head(s.apply));
  ap_refused(ap_end_of("j1", 1, "t1", "done"), "end.token");
  check_text("outcome", "unknown");
}

Test(apply, a_refused_changeset_leaves_the_attempts) {
  one_job("");
  struct ck_mutation claim = ap_claim_of("j1", "t1", 2000),
                     wrong = ap_end_of("j1", 1, "t2", "done");
  sh_mutate(&s, &claim);
  sh_mutate(&s, &wrong);
  cr_expect_eq(sh_apply(&s), 'r');
  sh_commit(&s);
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM attempts"), 0);
}

static void attempt_at(int64_t now) {
  s.now = now;
  cr_assert_eq(ap_mutate(ap_claim_of("j1", "t", now)), 'u', "%s", s.reason.text);
  struct ck_mutation m = ap_end_of("j1", 1, "t", "released");
  m.as.end.at = now;
  cr_assert_eq(ap_mutate(m), 'u', "%s", s.reason.text);
}

Test(apply, no_step_of_the_clock_deletes_an_attempt) {
  const int64_t years = INT64_C(3650) * 86400000;
  one_job("");
  attempt_at(1000000);
  s.behind = -years;
  attempt_at(1000001 + years);
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM attempts"), 2);
}

Test(apply, attempts_are_kept_for_a_year) {
  const int64_t year = INT64_C(365) * 86400000;
  one_job("");
  for (int64_t day = 0; day < 20; day++) attempt_at(1000000 + day);
  attempt_at(1000000 + year);
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM attempts"), 21);
  attempt_at(1000000 + year + 10);
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM attempts"), 12);
  attempt_at(1000000 + year + 1000);
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM attempts"), 3);
}
