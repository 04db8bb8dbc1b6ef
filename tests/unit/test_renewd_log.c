/* The log of attempts: its lines, and where it goes on. */
#include <criterion/criterion.h>

#include <jansson.h>
#include <string.h>

#include "proto/map.h"
#include "renewd/attempts.h"

static void open_row(struct ck_map *m, const char *outcome) {
  ck_pair_int(m, "at", 1790000000000);
  ck_pair_text(m, "job_id", "j");
  ck_pair_nil(m, "channel");
  ck_pair_text_or_nil(m, "outcome", outcome);
}

Test(renewd_log, a_line_of_the_log) {
  struct ck_buf row = {0}, line = {0};
  struct ck_map m = ck_map_open(&row);
  open_row(&m, "retry");
  ck_pair_name(&m, "cost");
  ck_put_float(&row, 0.05);
  ck_pair_text(&m, "error", "a \"word\"\n");
  ck_pair_int(&m, "version", 7);
  ck_map_close(&m);
  cr_assert_eq(renew_log_line(&line, ck_buf_view(&row)), 0);
  cr_expect_str_eq(ck_buf_cstr(&line),
                   "{\"at\":1790000000000,\"job_id\":\"j\",\"outcome\":\"retry\",\"cost\":0.05,"
                   "\"error\":\"a \\\"word\\\"\\n\",\"version\":7}");
  ck_buf_free(&row);
  ck_buf_free(&line);
}

Test(renewd_log, an_attempt_that_has_not_ended_has_no_line) {
  struct ck_buf row = {0}, line = {0};
  struct ck_map m = ck_map_open(&row);
  open_row(&m, "");
  ck_map_close(&m);
  cr_expect_eq(renew_log_line(&line, ck_buf_view(&row)), -1);
  cr_expect_eq(line.len, 0);
  ck_buf_free(&row);
}

Test(renewd_log, a_file_for_each_day) {
  char path[RENEW_LOG_PATH];
  renew_log_path(path, 1790000000000);
  cr_assert_str_eq(path, "logs/renewal/2026-09-21.jsonl");
}
