/* A batch frame becomes request bodies: decoding, order, cutting into slices, JSON. */
#include "tests/unit/test_syncd_help.h"

#include <criterion/criterion.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static const struct sync_limits d1_like = {
    .text = 2000000, .row = 2000000, .param = 1900000, .json = true};

/* ---- decoding ---- */

static void refused(struct ck_str frame, const char *part) {
  struct sync_batch b;
  struct ck_err err = {{0}};
  cr_assert_eq(sync_batch_decode(&b, frame, &err), -1, "taken, but should be refused: %s", part);
  cr_assert(strstr(err.text, part), "'%s' is not in '%s'", part, err.text);
  sync_batch_free(&b);
}

static void refused_change(void (*encode)(struct ck_buf *), const char *part) {
  struct help_batch h;
  help_open(&h);
  encode(&h.changes);
  h.n = 1;
  refused(help_close(&h, "d1", 1, 0, 9), part);
  help_free(&h);
}

static void strange_table(struct ck_buf *b) {
  ck_put_array(b, 3);
  ck_put_uint(b, 1);
  ck_put_text(b, "sqlite_master");
  ck_put_map(b, 0);
}

static void with_column(struct ck_buf *b, const char *column) {
  struct ck_row row = help_row(CK_MESSAGES, "m");
  struct ck_buf map = {0};
  ck_put_array(b, 3);
  ck_put_uint(b, 1);
  ck_put_text(b, "messages");
  ck_row_encode(&map, &row);
  map.data[0] = (char)(map.data[0] + 1); /* one pair more in the map; it has fewer than 15 */
  ck_put_text(&map, column);
  ck_put_int(&map, 1);
  ck_buf_str(b, ck_buf_view(&map));
  ck_buf_free(&map);
}

static void strange_column(struct ck_buf *b) { with_column(b, "secret"); }
static void version_as_column(struct ck_buf *b) { with_column(b, "version"); }

static void column_left_out(struct ck_buf *b) {
  struct ck_row row = help_row(CK_MESSAGES, "m");
  row.v[CK_MESSAGES_PAGE_URL].state = CK_LEFT_OUT;
  ck_change_encode(b, 1, &row);
}

static void beyond_the_range(struct ck_buf *b) {
  struct ck_row row = help_row(CK_SESSIONS, "s");
  ck_change_encode(b, 10, &row);
}

static void beyond_all_numbers(struct ck_buf *b) {
  struct ck_row row = help_row(CK_MESSAGES, "m");
  ck_change_encode(b, (uint64_t)INT64_MAX + 1, &row);
}

static void key_is_null(struct ck_buf *b) {
  struct ck_row row = help_row(CK_MESSAGES, "m");
  row.v[CK_MESSAGES_ID] = ck_null();
  ck_change_encode(b, 1, &row);
}

Test(syncd_plan, only_the_six_tables_and_their_columns_pass) {
  refused_change(strange_table, "change 0");
  refused_change(strange_column, "secret");
  refused_change(version_as_column, "version");
  refused_change(column_left_out, "messages.page_url");
  refused_change(beyond_the_range, "version 10");
  refused_change(beyond_all_numbers, "version 9223372036854775808");
  refused_change(key_is_null, "id");
}

/* Before the range or after it: the conversation that a link points to is sent first. */
Test(syncd_plan, what_records_point_to_may_be_of_any_version) {
  struct help_batch h;
  struct sync_batch b;
  struct sync_slices slices;
  const struct sync_limits limits = {.param = 1900000, .json = true};
  struct ck_row link = help_row(CK_LINKS, "l"), conversation = help_row(CK_CONVERSATIONS, "c"),
                message = help_row(CK_MESSAGES, "m");
  help_open(&h);
  help_add(&h, 6, &link);
  help_add(&h, 900, &conversation);
  help_add(&h, 2, &message);
  cr_assert_eq(sync_batch_decode(&b, help_close(&h, "d1", 1, 5, 7), NULL), 0);
  sync_plan(&b, &limits, &slices);
  cr_assert(slices.n == 1 && slices.at[0].n == 3);
  cr_expect(slices.at[0].rows[0]->row.table == CK_MESSAGES &&
            slices.at[0].rows[1]->version == 900 && slices.at[0].rows[2]->row.table == CK_LINKS);
  sync_slices_free(&slices);
  sync_batch_free(&b);
  help_free(&h);
}

Test(syncd_plan, another_message_and_noise_are_refused) {
  struct ck_buf b = {0};
  struct ck_message m = {.kind = CK_MSG_BEAT};
  ck_message_encode(&b, &m);
  refused(ck_buf_view(&b), "a batch was expected");
  ck_buf_free(&b);
  refused(CK_LIT(""), "");
  refused(CK_LIT("\xdd\xff\xff\xff\xff"), "");
}

Test(syncd_plan, every_cut_of_a_frame_is_refused) {
  struct help_batch h;
  struct sync_batch b;
  help_messages(&h, &b, 1, 3);
  sync_batch_free(&b);
  for (size_t n = 0; n < h.frame.len; ++n) {
    char *cut = malloc(n + 1); /* so that a sanitizer sees a read beyond the end */
    memcpy(cut, h.frame.data, n);
    cr_assert_eq(sync_batch_decode(&b, (struct ck_str){cut, n}, NULL), -1, "%zu bytes", n);
    sync_batch_free(&b);
    free(cut);
  }
  help_free(&h);
}

/* ---- order and cutting ---- */

Test(syncd_plan, parents_go_first_and_versions_ascend) {
  static const struct {
    enum ck_table t;
    const char *key;
  } rows[] = {{CK_JOBS, "j"},        {CK_EXECUTIONS, "e2"},   {CK_LINKS, "l"},
              {CK_EXECUTIONS, "e1"}, {CK_CONVERSATIONS, "c"}, {CK_MESSAGES, "m"},
              {CK_SESSIONS, "s"}};
  static const char *const wanted[] = {"m", "e2", "e1", "s", "c", "l", "j"};
  struct help_batch h;
  struct sync_batch b;
  struct sync_slices slices;
  help_open(&h);
  for (size_t i = 0; i < 7; ++i) {
    struct ck_row row = help_row(rows[i].t, rows[i].key);
    help_add(&h, i + 1, &row);
  }
  cr_assert_eq(sync_batch_decode(&b, help_close(&h, "d1", 1, 0, 7), NULL), 0);
  sync_plan(&b, &d1_like, &slices);
  cr_assert_eq(slices.n, 1);
  cr_assert_eq(slices.at[0].n, 7);
  for (size_t i = 0; i < 7; ++i)
    cr_expect(ck_str_is(ck_row_key(&slices.at[0].rows[i]->row), wanted[i]), "%zu", i);
  struct sync_statement st[SYNC_STATEMENTS_MAX];
  cr_expect_eq(sync_statements(&slices.at[0], &d1_like, st), 6);
  slices.at[0].caution = CK_CAUTION_UNIQUE;
  cr_expect_eq(sync_statements(&slices.at[0], &d1_like, st), 7, "links may let go");
  slices.at[0].caution = CK_CAUTION_PARENTS;
  cr_expect_eq(sync_statements(&slices.at[0], &d1_like, st), 10, "and three tables have parents");
  sync_slices_free(&slices);
  sync_batch_free(&b);
  help_free(&h);
}

/* Every row is in exactly one slice, and no parameter is larger than the limit, except that of a
 * row sent alone. */
Test(syncd_plan, slices_are_cut_by_bytes) {
  const struct sync_limits limits = {.text = 100000, .row = 100000, .param = 5000, .json = true};
  static char text[20000];
  struct help_batch h;
  struct sync_batch b;
  struct sync_slices slices;
  memset(text, '"', sizeof text); /* twice as long in JSON */
  help_open(&h);
  for (uint64_t i = 1; i <= 200; ++i) {
    char *key = ck_sprintf("m%d", (int)i);
    struct ck_row row = help_row(CK_MESSAGES, key);
    row.v[CK_MESSAGES_RAW_TEXT] =
        ck_text((struct ck_str){text, (size_t)(i * i * 7919) % (i % 10 ? 1500 : sizeof text)});
    help_add(&h, i, &row);
    free(key);
  }
  cr_assert_eq(sync_batch_decode(&b, help_close(&h, "d1", 1, 0, 200), NULL), 0);
  sync_plan(&b, &limits, &slices);
  size_t rows = 0;
  for (size_t i = 0; i < slices.n; ++i) {
    size_t bytes = 1;
    for (size_t k = 0; k < slices.at[i].n; ++k) bytes += slices.at[i].rows[k]->json_bytes + 1;
    cr_expect(bytes <= limits.param || slices.at[i].n == 1, "%zu bytes in %zu rows", bytes,
              slices.at[i].n);
    rows += slices.at[i].n;
  }
  cr_expect_eq(rows, 200);
  cr_expect_gt(slices.n, 20);
  sync_slices_free(&slices);
  sync_batch_free(&b);
  help_free(&h);
}

Test(syncd_plan, what_can_never_be_taken_is_a_dead_letter_before_it_is_sent) {
  struct help_batch h;
  struct sync_batch b;
  struct sync_slices slices;
  static char text[2000001];
  memset(text, 'a', sizeof text);
  help_messages(&h, &b, 1, 4);
  b.rows[1].row.v[CK_MESSAGES_RAW_TEXT] = ck_text((struct ck_str){text, sizeof text});
  b.rows[2].row.v[CK_MESSAGES_RAW_TEXT] = ck_text(CK_LIT("\xed\xa0\x80")); /* a lone surrogate */
  b.rows[3].row.v[CK_MESSAGES_RAW_TEXT] = ck_text((struct ck_str){text, 2000000});
  b.rows[3].bytes += 2000000;
  sync_plan(&b, &d1_like, &slices);
  cr_assert_eq(slices.n, 1);
  cr_expect_eq(slices.at[0].n, 1);
  cr_expect(strstr(b.rows[1].reason, "raw_text has 2000001 bytes"), "%s", b.rows[1].reason);
  cr_expect(strstr(b.rows[2].reason, "raw_text is not UTF-8"), "%s", b.rows[2].reason);
  cr_expect(strstr(b.rows[3].reason, "the row has 2000"), "%s", b.rows[3].reason);
  sync_slices_free(&slices);
  sync_batch_free(&b);
  help_free(&h);
}

Test(syncd_plan, what_is_kept_outlives_its_frame) {
  struct help_batch h;
  struct sync_batch b;
  struct sync_slices slices;
  help_messages(&h, &b, 1, 5);
  sync_plan(&b, &d1_like, &slices);
  sync_row_mark(&b.rows[3], SYNC_ROW_EARLY, "why");
  struct sync_row *rows[] = {&b.rows[3], &b.rows[0]};
  char *json = ck_str_dup(b.rows[3].json);
  struct sync_row *kept = sync_batch_keep(&b, rows, 2);
  memset(h.frame.data, 0, h.frame.len);
  help_free(&h);
  cr_expect_eq(b.n, 2);
  cr_expect(ck_str_is(ck_row_key(&kept[0].row), "m4") && ck_str_is(ck_row_key(&kept[1].row), "m1"));
  cr_expect_str_eq(kept[0].reason, "why");
  cr_expect(ck_str_is(kept[0].json, json));
  free(json);
  sync_slices_free(&slices);
  sync_batch_free(&b);
}

/* ---- bytes ---- */

static json_t *body_of(const struct sync_slice *s) {
  struct sync_statement st[SYNC_STATEMENTS_MAX];
  struct ck_buf body = {0};
  size_t n = sync_statements(s, &d1_like, st);
  sync_plan_body(&body, s, st, n);
  json_error_t err;
  json_t *root = json_loadb(body.data, body.len, JSON_ALLOW_NUL, &err);
  cr_assert(root, "%s", err.text);
  ck_buf_free(&body);
  return root;
}

Test(syncd_plan, one_statement_is_a_query_and_several_are_a_batch) {
  struct help_batch h;
  struct sync_batch b;
  struct sync_slices slices;
  help_messages(&h, &b, 1, 2);
  sync_plan(&b, &d1_like, &slices);
  json_t *one = body_of(&slices.at[0]);
  cr_expect(json_is_string(json_object_get(one, "sql")));
  cr_expect_eq(json_array_size(json_object_get(one, "params")), 1);
  b.rows[1].row.table = CK_SESSIONS;
  json_t *two = body_of(&slices.at[0]);
  cr_expect_eq(json_array_size(json_object_get(two, "batch")), 2);
  json_decref(one);
  json_decref(two);
  sync_slices_free(&slices);
  sync_batch_free(&b);
  help_free(&h);
}

/* The parameter is JSON inside JSON: parsed twice, it is the row again. */
Test(syncd_plan, rows_survive_being_json_in_json) {
  static const char text[] =
      "\"\\\b\f\n\r\t\x01\x7f\0/\xc3\xa9\xe2\x80\xa8\xf0\x9f\x98\x80'; DROP TABLE messages; --";
  struct ck_str raw = {text, sizeof text - 1};
  struct help_batch h;
  struct sync_batch b;
  struct sync_slices slices;
  help_messages(&h, &b, 41, 1);
  b.rows[0].row.v[CK_MESSAGES_RAW_TEXT] = ck_text(raw);
  b.rows[0].row.v[CK_MESSAGES_OBSERVED_AT] = ck_int(INT64_MIN);
  b.rows[0].row.v[CK_MESSAGES_CREATED_AT] = ck_int(INT64_MAX);
  b.rows[0].row.v[CK_MESSAGES_PAGE_URL] = ck_textz("");
  sync_plan(&b, &d1_like, &slices);
  json_t *root = body_of(&slices.at[0]);
  const json_t *param = json_array_get(json_object_get(root, "params"), 0);
  json_t *rows =
      json_loadb(json_string_value(param), json_string_length(param), JSON_ALLOW_NUL, NULL);
  const json_t *row = json_array_get(rows, 0);
  cr_assert_eq(json_array_size(row), ck_tables[CK_MESSAGES].mirrored + 1);
  const json_t *got = json_array_get(row, CK_MESSAGES_RAW_TEXT);
  cr_expect(ck_str_eq((struct ck_str){json_string_value(got), json_string_length(got)}, raw));
  cr_expect_eq(json_integer_value(json_array_get(row, CK_MESSAGES_OBSERVED_AT)), INT64_MIN);
  cr_expect_eq(json_integer_value(json_array_get(row, CK_MESSAGES_CREATED_AT)), INT64_MAX);
  cr_expect_eq(json_string_length(json_array_get(row, CK_MESSAGES_PAGE_URL)), 0);
  cr_expect(json_is_string(json_array_get(row, CK_MESSAGES_PAGE_URL)));
  cr_expect(json_is_null(json_array_get(row, CK_MESSAGES_PAGE_TITLE)));
  cr_expect_eq(json_integer_value(json_array_get(row, ck_tables[CK_MESSAGES].mirrored)), 41);
  json_decref(rows);
  json_decref(root);
  sync_slices_free(&slices);
  sync_batch_free(&b);
  help_free(&h);
}

Test(syncd_plan, a_row_too_large_for_a_parameter_goes_column_by_column) {
  static char text[1950000];
  memset(text, 'a', sizeof text);
  struct help_batch h;
  struct sync_batch b;
  struct sync_slices slices;
  help_messages(&h, &b, 1, 3);
  b.rows[1].row.v[CK_MESSAGES_RAW_TEXT] = ck_text((struct ck_str){text, sizeof text});
  b.rows[1].row.v[CK_MESSAGES_OBSERVED_AT] = ck_int(INT64_MAX);
  sync_plan(&b, &d1_like, &slices);
  cr_assert_eq(slices.n, 3);
  json_t *root = body_of(&slices.at[1]);
  const json_t *params = json_object_get(root, "params");
  cr_expect_eq(json_array_size(params), ck_tables[CK_MESSAGES].mirrored + 1);
  cr_expect_str_eq(json_string_value(json_array_get(params, CK_MESSAGES_OBSERVED_AT)),
                   "9223372036854775807");
  cr_expect_str_eq(json_string_value(json_array_get(params, ck_tables[CK_MESSAGES].mirrored)), "2");
  json_decref(root);
  b.rows[1].row = help_row(CK_LINKS, "large");
  slices.at[1].caution = CK_CAUTION_UNIQUE;
  struct sync_statement st[SYNC_STATEMENTS_MAX];
  cr_expect_eq(sync_statements(&slices.at[1], &d1_like, st), 2);
  cr_expect(st[0].kind == SYNC_RELEASE_ONE && st[1].kind == SYNC_UPSERT_UNIQUE_ONE);
  root = body_of(&slices.at[1]);
  for (size_t i = 0; i < 2; ++i)
    cr_expect_eq(json_array_size(
                     json_object_get(json_array_get(json_object_get(root, "batch"), i), "params")),
                 ck_tables[CK_LINKS].mirrored + 1);
  json_decref(root);
  sync_slices_free(&slices);
  sync_batch_free(&b);
  help_free(&h);
}
