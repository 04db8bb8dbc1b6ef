/* What keeps a conversation's follow-ups stopped, whoever says something in it. */
#include <criterion/criterion.h>

#include "cli/rows.h"
#include "cli/stays.h"

#define NOW INT64_C(1796000000000)

static void stays(const char *renewal, const char *reason, const char *command) {
  json_t *row = json_pack("{s:s}", "renewal", renewal);
  struct ck_buf why = {0}, help = {0};
  cr_expect(cli_stays_stopped(row, NOW, &why, &help), "%s", renewal);
  cr_expect(strstr(ck_buf_cstr(&why), reason), "%s: %s", renewal, ck_buf_cstr(&why));
  cr_expect(strstr(ck_buf_cstr(&help), command), "%s: %s", renewal, ck_buf_cstr(&help));
  ck_buf_free(&why);
  ck_buf_free(&help);
  json_decref(row);
}

static void goes_on(const char *renewal) {
  json_t *row = json_pack("{s:s}", "renewal", renewal);
  struct ck_buf why = {0}, help = {0};
  cr_expect_not(cli_stays_stopped(row, NOW, &why, &help), "%s: %s", renewal, ck_buf_cstr(&why));
  cr_expect(!why.len && !help.len);
  json_decref(row);
}

Test(cli_stays, its_end_or_what_cannot_be_read) {
  stays("{\"until\":1795999999999}", "the time has come", "--until TIME moves it");
  stays("{\"until\":1796000000000}", "the time has come", "--until none");
  stays("{\"in_a_row\":0}", "renewal.in_a_row: must be", "leaves out what cannot be read");
  stays("[]", "no JSON object", "leaves out what cannot be read");
  stays("{\"quiet\":\"at night\"}", "its quiet hours", "--quiet default");
  goes_on("");
  goes_on("{\"until\":1796000000001,\"in_a_row\":1}");
  goes_on("{\"quiet\":\"23:00-07:00 UTC\"}");
}

Test(cli_stays, what_is_shown) {
  json_t *row = json_pack("{s:s}", "renewal", "{\"in_a_row\":0}");
  struct ck_buf text = {0};
  cli_follow_ups_text(&text, row);
  cr_expect_str_eq(ck_buf_cstr(&text),
                   "cannot be read: renewal.in_a_row: must be an integer from 1 to 1000");
  ck_buf_free(&text);
  json_decref(row);
}
