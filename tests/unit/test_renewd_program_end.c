/* What Claude Code and Codex print of their end. */
#include <criterion/criterion.h>

#include <string.h>

#include "renewd/program_end.h"

#define NOW INT64_C(1796000000000)
#define EPOCH "1796010000" /* 10,000 s later */
#define UNTIL INT64_C(1796010000000)
#define SESSION "You've hit your session limit \xc2\xb7 resets 1:10am (UTC)"

static struct renew_result r;

/* True: it is one of theirs. */
static bool ends(struct renew_printed p) {
  renew_result_set(&r, RENEW_UNKNOWN, "as it was");
  bool is = renew_program_end(&r, &p, NOW);
  if (!is) cr_expect_str_eq(r.error, "as it was");
  return is;
}

static bool line(const char *last) {
  return ends((struct renew_printed){.last = ck_str_of(last), .alone = true});
}

static void expect(enum renew_outcome outcome, bool limit, const char *text, double cost,
                   int64_t tokens) {
  cr_expect_eq(r.outcome, outcome, "%s: %s", renew_outcome_name(r.outcome), r.error);
  cr_expect_eq(r.limit, limit);
  cr_expect_str_eq(r.text, text);
  cr_expect_eq((int64_t)(r.cost * 1000), (int64_t)(cost * 1000));
  cr_expect_eq(r.tokens, tokens);
}

Test(program_end, claude_has_answered) {
  cr_expect(line("{\"duration_ms\":167,\"is_error\":false,\"subtype\":\"success\","
                 "\"result\":\"Done.\",\"type\":\"result\",\"total_cost_usd\":0.25,\"usage\":{"
                 "\"input_tokens\":3,\"output_tokens\":4,\"cache_read_input_tokens\":5,"
                 "\"server_tool_use\":{\"web_search_requests\":1}}}"));
  expect(RENEW_DONE, false, "Done.", 0.25, 12);
  cr_expect_str_eq(r.error, "");
  /* Also if it speaks of a limit. */
  cr_expect(line("{\"type\":\"result\",\"is_error\":false,\"result\":\"" SESSION "\"}"));
  expect(RENEW_DONE, false, SESSION, -1, -1);
}

Test(program_end, claude_was_refused) {
  cr_expect(line(
      "{\"type\":\"result\",\"subtype\":\"success\",\"is_error\":true,"
      "\"api_error_status\":429,\"num_turns\":1,\"total_cost_usd\":0,\"result\":\"" SESSION "\"}"));
  expect(RENEW_RELEASED, true, SESSION, 0, -1);
  cr_expect_eq(r.limit_until, 0, "the words have it");
  cr_expect_str_eq(r.error, SESSION);
  cr_expect(line("{\"type\":\"result\",\"is_error\":true,\"result\":\"" SESSION "\"}"));
  expect(RENEW_RELEASED, true, SESSION, -1, -1);
  cr_expect(line("{\"type\":\"result\",\"is_error\":true,\"api_error_status\":429}"));
  cr_expect(r.limit);
  cr_expect_eq(r.retry_after, 900000);
}

Test(program_end, claude_says_until_when) {
  static const char event[] =
      "{\"type\":\"rate_limit_event\",\"rate_limit_info\":{\"status\":"
      "\"rejected\",\"resetsAt\":" EPOCH ",\"rateLimitType\":\"five_hour\"}}";
  static const char result[] = "{\"type\":\"result\",\"is_error\":true,\"result\":\"Not now.\"}";
  cr_expect(ends((struct renew_printed){.last = CK_LIT(result), .refusal = CK_LIT(event)}));
  expect(RENEW_RELEASED, true, "Not now.", -1, -1);
  cr_expect_eq(r.limit_until, UNTIL);
  cr_expect_eq(r.retry_after, 10000000);
  char *list = ck_sprintf("[{\"type\":\"system\"},%s,%s]", event, result);
  cr_expect(line(list));
  cr_expect_eq(r.limit_until, UNTIL);
  free(list);
}

/* The limit is nearly used up, or used up by what others pay. */
Test(program_end, claude_was_warned) {
  static const char warned[] = "{\"type\":\"rate_limit_event\",\"rate_limit_info\":{\"status\":"
                               "\"allowed_warning\",\"resetsAt\":" EPOCH "}}",
                    rejected[] = "{\"type\":\"rate_limit_event\",\"rate_limit_info\":{\"status\":"
                                 "\"rejected\",\"resetsAt\":" EPOCH "}}";
  cr_expect(ends((struct renew_printed){
      .last = CK_LIT("{\"type\":\"result\",\"is_error\":true,\"result\":\"No.\"}"),
      .refusal = CK_LIT(warned)}));
  expect(RENEW_FAILED, false, "No.", -1, -1);
  cr_expect(ends((struct renew_printed){
      .last = CK_LIT("{\"type\":\"result\",\"is_error\":false,\"result\":\"Yes.\"}"),
      .refusal = CK_LIT(rejected)}));
  expect(RENEW_DONE, false, "Yes.", -1, -1);
}

Test(program_end, claude_has_failed) {
  cr_expect(line("{\"type\":\"result\",\"is_error\":true,\"api_error_status\":529,"
                 "\"result\":\"API Error: 529 Overloaded\"}"));
  expect(RENEW_RETRY, false, "API Error: 529 Overloaded", -1, -1);
  cr_expect(line("{\"type\":\"result\",\"is_error\":true,\"api_error_status\":401,"
                 "\"result\":\"Please run /login\"}"));
  expect(RENEW_FAILED, false, "Please run /login", -1, -1);
  cr_expect_str_eq(r.error, "Please run /login");
  cr_expect(line("{\"type\":\"result\",\"subtype\":\"error_during_execution\",\"is_error\":true,"
                 "\"errors\":[\"It broke\"]}"));
  expect(RENEW_FAILED, false, "It broke", -1, -1);
  cr_expect(line("{\"type\":\"result\",\"is_error\":true}"));
  expect(RENEW_FAILED, false, "", -1, -1);
  cr_expect_str_eq(r.error, "its turn has failed");
}

/* Its owner has said how long it may work: the follow-up has arrived. */
Test(program_end, claude_has_worked_as_long_as_it_may) {
  cr_expect(line("{\"type\":\"result\",\"subtype\":\"error_max_turns\",\"is_error\":true,"
                 "\"num_turns\":9,\"total_cost_usd\":1.5}"));
  expect(RENEW_DONE, false, "", 1.5, -1);
}

Test(program_end, codex) {
  cr_expect(line("{\"type\":\"turn.completed\",\"usage\":{\"input_tokens\":20,"
                 "\"cached_input_tokens\":10,\"output_tokens\":5}}"));
  expect(RENEW_DONE, false, "", -1, 25);
  cr_expect(line("{\"type\":\"turn.failed\",\"error\":{\"message\":\"You've hit your usage limit. "
                 "Try again at 7:58 PM.\"}}"));
  expect(RENEW_RELEASED, true, "You've hit your usage limit. Try again at 7:58 PM.", -1, -1);
  cr_expect(line("{\"type\":\"turn.failed\",\"error\":{\"message\":\"model refused\"}}"));
  expect(RENEW_FAILED, false, "model refused", -1, -1);
  cr_expect(line("{\"type\":\"turn.failed\",\"error\":\"in another form\"}"));
  expect(RENEW_FAILED, false, "", -1, -1);
}

/* ---- text ---- */

Test(program_end, words_alone) {
  cr_expect(line(SESSION));
  expect(RENEW_RELEASED, true, SESSION, -1, -1);
  cr_expect_not(ends((struct renew_printed){.last = CK_LIT(SESSION), .said = CK_LIT(SESSION)}),
                "it is the end of an answer");
  cr_expect_not(line(SESSION ", it says."), "it is about a limit");
  cr_expect_not(line("Done."));
  cr_expect_not(line(""));
}

Test(program_end, words_of_an_error) {
  struct renew_printed p = {.last = CK_LIT("I look."),
                            .alone = true,
                            .said = CK_LIT("ERROR: You've hit your usage limit. Try again later."),
                            .failed = true};
  cr_expect(ends(p));
  expect(RENEW_RELEASED, true, "ERROR: You've hit your usage limit. Try again later.", -1, -1);
  p.failed = false;
  cr_expect_not(ends(p));
  p.failed = true;
  p.said = CK_LIT("No conversation found with session ID: 5f0c");
  cr_expect_not(ends(p));
}

Test(program_end, what_is_none) {
  static const char *const lines[] = {"{",
                                      "[]",
                                      "[1]",
                                      "{}",
                                      "null",
                                      "{\"type\":\"result\"}",
                                      "{\"type\":\"result\",\"is_error\":\"true\"}",
                                      "{\"is_error\":true}",
                                      "{\"type\":\"error\",\"message\":\"Reconnecting\"}",
                                      "{\"type\":\"item.completed\"}",
                                      "{\"type\":7,\"is_error\":true}"};
  for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
    cr_expect_not(line(lines[i]), "%s", lines[i]);
}

Test(program_end, numbers_that_are_none) {
  cr_expect(ends((struct renew_printed){
      .last = CK_LIT("{\"type\":\"result\",\"is_error\":true,\"total_cost_usd\":-1,"
                     "\"usage\":{\"input_tokens\":-5}}"),
      .refusal = CK_LIT("{\"type\":\"rate_limit_event\",\"rate_limit_info\":{\"status\":"
                        "\"rejected\",\"resetsAt\":99999999999999}}")}));
  expect(RENEW_RELEASED, true, "", -1, -1);
  cr_expect_eq(r.limit_until, 0);
  cr_expect_str_eq(r.error, "the limit of its account is reached");
}
