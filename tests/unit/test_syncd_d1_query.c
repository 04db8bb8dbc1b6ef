/* Queries to D1 as requests of its REST API, and the possible answers. */
#include "syncd/sinks/d1_query.h"
#include "tests/unit/test_syncd_help.h"

#include <criterion/criterion.h>
#include <jansson.h>
#include <string.h>

static struct sync_range ranges[2];
static struct ck_buf seen;

static void setup(void) {
  ranges[0] = (struct sync_range){.after = CK_LIT(""), .upto = CK_LIT("a\"b")};
  ranges[1] = (struct sync_range){.after = CK_LIT("a\"b")};
  ck_buf_clear(&seen);
}

static void teardown(void) { ck_buf_free(&seen); }

TestSuite(d1_query, .init = setup, .fini = teardown);

static void found(void *self, size_t range, struct ck_str key, int64_t version) {
  ck_buf_printf(self, "%zu:", range);
  ck_buf_str(self, key);
  ck_buf_printf(self, "=%lld ", (long long)version);
}

static struct sync_query ask_of(enum sync_query_kind kind) {
  return (struct sync_query){.kind = kind,
                             .table = CK_MESSAGES,
                             .ranges = ranges,
                             .range_count = 2,
                             .longest = 3,
                             .limit = 50,
                             .found = found,
                             .self = &seen};
}

static json_t *body_of(const struct sync_query *query) {
  static const struct sync_limits limits = {.param = 1900000, .json = true};
  struct ck_buf body = {0};
  sync_d1_query_body(&body, query, &limits);
  json_t *json = json_loadb(body.data, body.len, 0, NULL);
  cr_assert(json_is_string(json_object_get(json, "sql")), "%s", ck_buf_cstr(&body));
  ck_buf_free(&body);
  return json;
}

Test(d1_query, ranges_go_as_one_parameter) {
  struct sync_query query = ask_of(SYNC_QUERY_DIGESTS);
  json_t *body = body_of(&query);
  json_t *params = json_object_get(body, "params");
  cr_assert_eq(json_array_size(params), 1);
  cr_expect_str_eq(json_string_value(json_array_get(params, 0)),
                   "[[\"\",\"a\\\"b\"],[\"a\\\"b\",null]]");
  json_decref(body);
  query = ask_of(SYNC_QUERY_VERSIONS);
  body = body_of(&query);
  cr_expect(strstr(json_string_value(json_object_get(body, "sql")), "LIMIT 50"));
  json_decref(body);
}

Test(d1_query, versions_in_a_reset_stay_whole) {
  const struct sync_known known[] = {{CK_LIT("k"), INT64_MAX}, {CK_LIT("l"), INT64_MIN}};
  struct sync_query query = {
      .kind = SYNC_QUERY_RESET, .table = CK_SESSIONS, .known = known, .known_count = 2};
  json_t *body = body_of(&query);
  cr_expect_str_eq(json_string_value(json_array_get(json_object_get(body, "params"), 0)),
                   "[[\"k\",9223372036854775807],[\"l\",-9223372036854775808]]");
  cr_expect_eq(strncmp(json_string_value(json_object_get(body, "sql")),
                       "UPDATE sessions SET version = 0", 31),
               0);
  json_decref(body);
  query.kind = SYNC_QUERY_DELETE;
  body = body_of(&query);
  cr_expect_eq(strncmp(json_string_value(json_object_get(body, "sql")), "DELETE FROM sessions", 20),
               0);
  json_decref(body);
}

#define RESULT(rows) \
  "{\"success\":true,\"result\":[{\"success\":true,\"results\":[" rows \
  "],\"meta\":{\"rows_written\":7}}]}"

static enum sync_class class_of(struct sync_query *query, const char *answer) {
  struct sync_answer a;
  sync_d1_query_answer(&a, 200, ck_str_of(answer), query);
  return a.class;
}

Test(d1_query, digests_of_all_ranges_or_none) {
  struct sync_query query = ask_of(SYNC_QUERY_DIGESTS);
  cr_expect_eq(class_of(&query, RESULT("{\"d\":\"2 30 -4\"},{\"d\":\"0 0 0\"}")), SYNC_DONE);
  cr_expect(ranges[0].digest.count == 2 && ranges[0].digest.sum == 30 &&
            ranges[0].digest.mix == -4);
  static const char *const bad[] = {RESULT("{\"d\":\"2 30 -4\"}"),
                                    RESULT("{\"d\":\"2 30\"},{\"d\":\"0 0 0\"}"),
                                    RESULT("{\"d\":\"2 30 4 5\"},{\"d\":\"0 0 0\"}"),
                                    RESULT("{\"d\":\"-1 0 0\"},{\"d\":\"0 0 0\"}"),
                                    RESULT("{\"d\":null},{\"d\":\"0 0 0\"}"),
                                    RESULT("{},{}"),
                                    "{\"success\":true,\"result\":[]}",
                                    "{\"success\":true}",
                                    "{\"success\":true,\"result\":[{\"results\":5}]}",
                                    "{\"success\":tr"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; ++i)
    cr_expect_eq(class_of(&query, bad[i]), SYNC_UNKNOWN, "%s", bad[i]);
}

Test(d1_query, versions_belong_to_ranges_that_were_asked_for) {
  struct sync_query query = ask_of(SYNC_QUERY_VERSIONS);
  cr_expect_eq(class_of(&query, RESULT("{\"place\":0,\"k\":\"a\",\"v\":\"9223372036854775807\"},{"
                                       "\"place\":1,\"k\":\"b\\u0000c\",\"v\":\"-1\"}")),
               SYNC_DONE);
  cr_expect_eq(seen.len, strlen("0:a=9223372036854775807 1:b?c=-1 "));
  static const char *const bad[] = {RESULT("{\"place\":2,\"k\":\"a\",\"v\":\"1\"}"),
                                    RESULT("{\"place\":-1,\"k\":\"a\",\"v\":\"1\"}"),
                                    RESULT("{\"place\":\"0\",\"k\":\"a\",\"v\":\"1\"}"),
                                    RESULT("{\"place\":0,\"k\":7,\"v\":\"1\"}"),
                                    RESULT("{\"place\":0,\"k\":\"a\",\"v\":1}"),
                                    RESULT("5")};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; ++i)
    cr_expect_eq(class_of(&query, bad[i]), SYNC_UNKNOWN, "%s", bad[i]);
}

Test(d1_query, rows_that_are_named_are_marked) {
  struct help_batch h;
  struct sync_batch b;
  struct sync_slices slices;
  static const struct sync_limits limits = {.param = 1900000, .json = true};
  help_messages(&h, &b, 1, 3);
  sync_plan(&b, &limits, &slices);
  struct sync_query query = {
      .kind = SYNC_QUERY_COMPARE, .table = CK_MESSAGES, .slice = &slices.at[0]};
  json_t *body = body_of(&query);
  cr_expect(strstr(json_string_value(json_object_get(body, "sql")), "WHERE NOT EXISTS"));
  json_decref(body);
  cr_expect_eq(class_of(&query, RESULT("{\"place\":1}")), SYNC_DONE);
  for (size_t i = 0; i < 3; ++i)
    cr_expect_eq(slices.at[0].rows[i]->state, i == 1 ? SYNC_ROW_DIFFERENT : SYNC_ROW_OPEN);
  cr_expect_eq(class_of(&query, RESULT("{\"place\":3}")), SYNC_UNKNOWN);
  sync_slices_free(&slices);
  sync_batch_free(&b);
  help_free(&h);
}

Test(d1_query, an_error_is_read_like_every_other) {
  struct sync_query query = ask_of(SYNC_QUERY_DIGESTS);
  struct sync_answer a;
  sync_d1_query_answer(&a, 400,
                       CK_LIT("{\"success\":false,\"errors\":[{\"code\":7500,\"message\":\"no such "
                              "table: messages\"}]}"),
                       &query);
  cr_expect_eq(a.class, SYNC_TABLE);
  sync_d1_query_answer(&a, 502, CK_LIT("<html>"), &query);
  cr_expect_eq(a.class, SYNC_UNKNOWN);
}
