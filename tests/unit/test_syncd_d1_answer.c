/* The class, the counts and the error text read from the body of each kind of D1 answer. */
#include "syncd/sinks/d1_answer.h"
#include "tests/unit/test_syncd_help.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

/* Two executions sent with caution: an upsert and the query for orphans. */
static struct sync_row rows[2];
static struct sync_row *places[2] = {&rows[0], &rows[1]};
static struct sync_slice slice = {.rows = places, .n = 2, .caution = CK_CAUTION_UNIQUE};
static const struct sync_statement careful[2] = {{SYNC_UPSERT_CAUTIOUS, CK_EXECUTIONS, 0, 2},
                                                 {SYNC_ORPHANS, CK_EXECUTIONS, 0, 2}};

static struct sync_answer answer(long http, const char *body, size_t statements) {
  struct sync_answer a;
  for (int i = 0; i < 2; ++i) sync_row_mark(&rows[i], SYNC_ROW_OPEN, NULL);
  sync_d1_answer(&a, http, ck_str_of(body), &slice, careful, statements);
  return a;
}

static void clean(void) {
  for (int i = 0; i < 2; ++i) sync_row_mark(&rows[i], SYNC_ROW_OPEN, NULL);
}

TestSuite(syncd_d1_answer, .fini = clean);

#define WELL "{\"success\":true,\"results\":[],\"meta\":{\"rows_written\":3}}"

Test(syncd_d1_answer, rows_written_are_summed) {
  struct sync_answer a = answer(200, "{\"success\":true,\"errors\":[],\"result\":[" WELL "]}", 1);
  cr_expect_eq(a.class, SYNC_DONE, "%s", a.text);
  cr_expect_eq(a.written, 3);
  a = answer(200, "{\"success\":true,\"result\":[" WELL "," WELL "]}", 2);
  cr_expect_eq(a.class, SYNC_DONE, "%s", a.text);
  cr_expect_eq(a.written, 6);
}

Test(syncd_d1_answer, orphans_are_marked) {
  struct sync_answer a = answer(200,
                                "{\"success\":true,\"result\":[" WELL
                                ",{\"success\":true,\"results\":[{\"place\":1}],\"meta\":{}}]}",
                                2);
  cr_expect_eq(a.class, SYNC_DONE, "%s", a.text);
  cr_expect_eq(rows[0].state, SYNC_ROW_OPEN);
  cr_expect_eq(rows[1].state, SYNC_ROW_EARLY);
}

/* Each of these requests may have been applied. */
Test(syncd_d1_answer, what_cannot_be_understood_is_unknown) {
  static const char *const bodies[] = {
      "",
      "{",
      "{\"success\":true,\"errors\":[],\"result\":[" WELL,
      "[]",
      "true",
      "{\"success\":true}",
      "{\"success\":true,\"result\":{}}",
      "{\"success\":true,\"result\":[]}",
      "{\"success\":true,\"result\":[" WELL "]}",
      "{\"success\":true,\"result\":[" WELL ",{\"success\":false}]}",
      "{\"success\":true,\"result\":[" WELL ",{\"success\":true,\"meta\":{}}]}",
      "{\"success\":true,\"result\":[" WELL
      ",{\"success\":true,\"results\":[{\"place\":0},{\"place\":2}]}]}",
      "{\"success\":true,\"result\":[" WELL ",{\"success\":true,\"results\":[{\"place\":-1}]}]}",
      "{\"success\":true,\"result\":[" WELL ",{\"success\":true,\"results\":[7]}]}",
  };
  for (size_t i = 0; i < sizeof bodies / sizeof *bodies; ++i) {
    struct sync_answer a = answer(200, bodies[i], 2);
    cr_expect_eq(a.class, SYNC_UNKNOWN, "%s: %s", bodies[i], sync_class_name(a.class));
    cr_expect(a.text[0] != '\0');
    cr_expect_eq(rows[0].state, SYNC_ROW_OPEN);
  }
}

Test(syncd_d1_answer, the_message_counts_and_is_kept) {
  struct sync_answer a = answer(400,
                                "{\"success\":false,\"errors\":[{\"code\":7500,\"message\":\"no "
                                "such table: messages: SQLITE_ERROR\"}],\"result\":[]}",
                                2);
  cr_expect_eq(a.class, SYNC_TABLE);
  cr_expect_str_eq(a.text, "7500 no such table: messages: SQLITE_ERROR");
  a = answer(
      400,
      "{\"success\":false,\"errors\":[{\"code\":7500,\"message\":\"Network connection lost.\"}]}",
      2);
  cr_expect_eq(a.class, SYNC_UNKNOWN);
  a = answer(200,
             "{\"success\":false,\"errors\":[{\"code\":7500,\"message\":\"D1 DB is overloaded. Too "
             "many requests queued.\"}]}",
             2);
  cr_expect_eq(a.class, SYNC_LESS);
  a = answer(502, "<html>Bad \xff gateway</html>", 2);
  cr_expect_eq(a.class, SYNC_UNKNOWN);
  cr_expect_str_eq(a.text, "HTTP 502, not an answer of D1's API");
  a = answer(429, "", 2);
  cr_expect_eq(a.class, SYNC_WAIT);
  cr_expect_gt(a.wait_ms, 0);
  a = answer(302, "", 2);
  cr_expect_eq(a.class, SYNC_STOP);
}

/* Only the API speaks for D1: a proxy, a front door, a captive portal, another service or half an
 * answer may have the same words. */
Test(syncd_d1_answer, what_is_not_the_apis_goes_by_its_status) {
  static const char *const bodies[] = {
      "<html>rate limit: the database could not be found, no such table</html>",
      "rate limit: the database could not be found, no such table",
      "{\"error\":\"rate limit\"}",
      "{\"success\":false,\"error\":\"Authentication error, no such table\"}",
      "{\"success\":false,\"errors\":[]}",
      "{\"success\":false,\"errors\":[\"rate limit\"]}",
      "{\"success\":false,\"errors\":[{\"message\":\"could not be found\"}]}",
      "{\"success\":false,\"errors\":[{\"code\":\"7404\",\"message\":\"could not be found\"}]}",
      "{\"success\":false,\"errors\":[{\"code\":7404,\"message\":\"could not be found\"},7]}",
      "{\"success\":false,\"errors\":{\"code\":7404,\"message\":\"could not be found\"}}",
      "{\"errors\":[{\"code\":7404,\"message\":\"could not be found\"}]}",
      "{\"success\":\"no\",\"errors\":[{\"code\":10,\"message\":\"rate limit\"}]}",
      "[{\"code\":7404,\"message\":\"could not be found\"}]",
      "\"rate limit\"",
      "{\"success\":false,\"errors\":[{\"code\":7404,\"message\":\"could not be found\"}",
  };
  static const struct {
    long http;
    enum sync_class class;
  } statuses[] = {{200, SYNC_UNKNOWN}, {204, SYNC_UNKNOWN}, {302, SYNC_STOP},
                  {400, SYNC_UNKNOWN}, {401, SYNC_STOP},    {403, SYNC_STOP},
                  {404, SYNC_UNKNOWN}, {407, SYNC_STOP},    {413, SYNC_SPLIT},
                  {418, SYNC_UNKNOWN}, {429, SYNC_WAIT},    {502, SYNC_UNKNOWN},
                  {503, SYNC_UNKNOWN}, {511, SYNC_UNKNOWN}, {530, SYNC_UNKNOWN}};
  for (size_t i = 0; i < sizeof bodies / sizeof *bodies; ++i)
    for (size_t k = 0; k < sizeof statuses / sizeof *statuses; ++k) {
      struct sync_answer a = answer(statuses[k].http, bodies[i], 2);
      cr_expect_eq(a.class, statuses[k].class, "%ld %s: %s", statuses[k].http, bodies[i],
                   sync_class_name(a.class));
      cr_expect_eq(a.wait_ms, statuses[k].http == 429 ? 60000 : 0);
      cr_expect(a.foreign && strstr(a.text, "not an answer of D1's API"), "it says %s", a.text);
    }
  struct sync_answer a =
      answer(503, "{\"success\":false,\"errors\":[{\"code\":971,\"message\":\"rate limit\"}]}", 2);
  cr_expect(a.class == SYNC_WAIT && a.wait_ms == 60000 && !a.foreign, "the API is not believed");
}

Test(syncd_d1_answer, long_errors_are_cut) {
  struct ck_buf b = {0};
  ck_buf_text(&b, "{\"success\":false,\"errors\":[");
  for (int i = 0; i < 100; ++i)
    ck_buf_printf(&b, "%s{\"code\":%d,\"message\":\"nothing that is known\"}", i ? "," : "", i);
  ck_buf_text(&b, "]}");
  struct sync_answer a = answer(400, ck_buf_cstr(&b), 2);
  cr_expect_eq(a.class, SYNC_ODD);
  cr_expect_eq(strlen(a.text), 319);
  ck_buf_free(&b);
}

Test(syncd_d1_answer, what_is_kept_is_utf8) {
  char out[SYNC_TEXT], in[SYNC_TEXT + 10];
  memset(in, 'a', sizeof in);
  memcpy(in + SYNC_TEXT - 3, "\xf0\x9f\x98\x80", 5);
  sync_text_copy(out, in);
  cr_expect_eq(strlen(out), SYNC_TEXT - 3);
  sync_text_copy(out, "a\xff"
                      "bcdefg\xc3\xa9");
  cr_expect_str_eq(out, "a?bcdefg??");
  sync_text_copy(out, "");
  cr_expect_str_eq(out, "");
}
