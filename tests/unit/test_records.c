/* The tables, and rows as MessagePack and as JSON. */
#include "proto/records.h"

#include <criterion/criterion.h>
#include <string.h>

Test(records, tables_are_what_the_lists_say) {
  static const int ages[CK_TABLES] = {
      CK_MESSAGES_AGES, CK_EXECUTIONS_AGES, -1, CK_CONVERSATIONS_AGES, CK_LINKS_AGES, -1, -1};
  for (int t = 0; t < CK_TABLES; t++) {
    cr_expect_leq(ck_tables[t].columns, CK_COLUMNS_MAX);
    cr_expect_eq(ck_tables[t].key, 0);
    cr_expect_eq(ck_tables[t].ages, ages[t], "%s: %d", ck_tables[t].name, ck_tables[t].ages);
    cr_expect_eq(ck_table_named(ck_str_of(ck_tables[t].name)), t);
    cr_expect_eq(ck_table_named(ck_str_of(ck_tables[t].word)), t);
    for (int c = 0; c < ck_tables[t].columns; c++) {
      const struct ck_field *f = &ck_tables[t].fields[c];
      cr_expect_eq(ck_column_named((enum ck_table)t, ck_str_of(f->name)), c);
      unsigned presence = f->flags & (CK_REQUIRED | CK_OPTIONAL | CK_DEFAULT | CK_DEFAULT_NOW);
      cr_expect(presence && (presence & (presence - 1)) == 0,
                "%s.%s: one of required, optional, default", ck_tables[t].name, f->name);
      cr_expect_eq(f->choices != NULL, f->kind == CK_K_CHOICE || f->kind == CK_K_PATH);
    }
  }
  cr_assert_eq(ck_table_named(CK_LIT("outbox")), CK_TABLES);
  cr_assert_eq(ck_table_named(CK_LIT("")), CK_TABLES);
  cr_assert_eq(ck_column_named(CK_MESSAGES, CK_LIT("i")), -1);
}

Test(records, choices) {
  cr_assert(ck_choice_ok("a|bc|d", CK_LIT("a")));
  cr_assert(ck_choice_ok("a|bc|d", CK_LIT("bc")));
  cr_assert(ck_choice_ok("a|bc|d", CK_LIT("d")));
  cr_assert_not(ck_choice_ok("a|bc|d", CK_LIT("")));
  cr_assert_not(ck_choice_ok("a|bc|d", CK_LIT("b")));
  cr_assert_not(ck_choice_ok("a|bc|d", CK_LIT("a|bc")));
}

Test(records, a_row_comes_back) {
  for (int t = 0; t < CK_TABLES; t++) {
    struct ck_row row = {.table = (enum ck_table)t}, back;
    for (int c = 0; c < ck_tables[t].columns; c++) {
      if (c % 4 == 3) continue;
      row.v[c] = c % 4 == 2                                    ? ck_null()
                 : ck_kind_is_int(ck_tables[t].fields[c].kind) ? ck_int(-c)
                                                               : ck_text(CK_LIT(" té\n"));
    }
    struct ck_buf b = {0};
    struct ck_arena arena = {0};
    struct ck_err err;
    ck_row_encode(&b, &row);
    cr_assert_eq(ck_row_decode(&back, row.table, ck_buf_view(&b), &arena, &err), 0, "%s", err.text);
    cr_assert_eq(back.table, t);
    for (int c = 0; c < CK_COLUMNS_MAX; c++)
      cr_assert(ck_value_eq(row.v[c], back.v[c]), "%s %d", ck_tables[t].name, c);
    cr_assert_null(arena.head, "text is borrowed");
    ck_buf_free(&b);
  }
}

/* Decodes the map in b. Returns what is wrong with it, "" for nothing. */
static const char *wrong(struct ck_buf *b, enum ck_table t, struct ck_row *row,
                         struct ck_arena *arena) {
  static struct ck_err err;
  err.text[0] = '\0';
  cr_assert_eq(ck_scan(b->data, b->len, NULL), 0);
  ck_row_decode(row, t, ck_buf_view(b), arena, &err);
  return err.text;
}

Test(records, order_does_not_matter) {
  struct ck_buf b = {0};
  struct ck_arena arena = {0};
  struct ck_row row;
  ck_put_map(&b, 3);
  ck_put_text(&b, "updated_at");
  ck_put_int(&b, 5);
  ck_put_text(&b, "job_id");
  ck_put_text(&b, "j");
  ck_put_text(&b, "message_id");
  ck_put_nil(&b);
  cr_assert_str_eq(wrong(&b, CK_JOBS, &row, &arena), "");
  cr_assert(ck_str_is(ck_row_key(&row), "j"));
  cr_assert_eq(ck_row_int(&row, CK_JOBS_UPDATED_AT, 0), 5);
  cr_assert_eq(row.v[CK_JOBS_MESSAGE_ID].state, CK_NULL);
  cr_assert_eq(row.v[CK_JOBS_PAYLOAD].state, CK_LEFT_OUT);
  cr_assert_eq(ck_row_int(&row, CK_JOBS_CREATED_AT, 9), 9);
  cr_assert_eq(ck_row_text(&row, CK_JOBS_PAYLOAD).n, 0);
  ck_buf_free(&b);
}

Test(records, json_fields_take_any_value) {
  struct ck_buf b = {0};
  struct ck_arena arena = {0};
  struct ck_row row;
  ck_put_map(&b, 3);
  ck_put_text(&b, "link_id");
  ck_put_text(&b, "l");
  ck_put_text(&b, "route_params");
  ck_put_map(&b, 1);
  ck_put_text(&b, "a");
  ck_put_float(&b, 1.5);
  ck_put_text(&b, "target_payload");
  ck_put_text(&b, "{not json, kept}");
  cr_assert_str_eq(wrong(&b, CK_LINKS, &row, &arena), "");
  cr_assert(ck_str_is(ck_row_text(&row, CK_LINKS_ROUTE_PARAMS), "{\"a\":1.5}"));
  cr_assert(ck_str_is(ck_row_text(&row, CK_LINKS_TARGET_PAYLOAD), "{not json, kept}"));
  struct ck_buf json = {0};
  ck_row_json(&json, &row);
  cr_assert_str_eq(ck_buf_cstr(&json), "{\"link_id\":\"l\",\"route_params\":\"{\\\"a\\\":1.5}\","
                                       "\"target_payload\":\"{not json, kept}\"}");
  ck_buf_free(&json);
  ck_buf_free(&b);
  ck_arena_free(&arena);
}

Test(records, json_of_rows) {
  struct ck_buf b = {0};
  struct ck_row row = {.table = CK_SESSIONS};
  ck_row_json(&b, &row);
  cr_assert_str_eq(ck_buf_cstr(&b), "{}");
  ck_buf_clear(&b);
  row.v[CK_SESSIONS_ID] = ck_textz("s\n");
  row.v[CK_SESSIONS_SUMMARY] = ck_textz(NULL);
  row.v[CK_SESSIONS_MESSAGE_COUNT] = ck_int(3);
  ck_row_json(&b, &row);
  cr_assert_str_eq(ck_buf_cstr(&b), "{\"id\":\"s\\n\",\"message_count\":3,\"summary\":null}");
  ck_buf_free(&b);
}

static void refused(enum ck_table t, const char *column, struct ck_str value, const char *reason) {
  struct ck_buf b = {0};
  struct ck_arena arena = {0};
  struct ck_row row;
  ck_put_map(&b, 1);
  ck_put_text(&b, column);
  ck_put_raw(&b, value);
  const char *why = wrong(&b, t, &row, &arena);
  cr_expect_str_eq(why, reason, "\"%s\", not \"%s\"", why, reason);
  ck_buf_free(&b);
  ck_arena_free(&arena);
}

Test(records, wrong_values_name_table_and_column) {
  refused(CK_MESSAGES, "observed_at", CK_LIT("\xcb\x3f\xf0\0\0\0\0\0\0"),
          "messages.observed_at must be an integer");
  refused(CK_MESSAGES, "observed_at",
          CK_LIT("\xa1"
                 "1"),
          "messages.observed_at must be an integer");
  refused(CK_MESSAGES, "observed_at", CK_LIT("\xc3"), "messages.observed_at must be an integer");
  refused(CK_MESSAGES, "observed_at", CK_LIT("\xcf\xff\xff\xff\xff\xff\xff\xff\xff"),
          "messages.observed_at is larger than a 64 bit integer");
  refused(CK_MESSAGES, "platform", CK_LIT("\x01"), "messages.platform must be text");
  refused(CK_MESSAGES, "platform",
          CK_LIT("\xc4\x01"
                 "a"),
          "messages.platform must be text");
  refused(CK_MESSAGES, "platform", CK_LIT("\xa1\xff"), "messages.platform is not UTF-8");
  refused(CK_MESSAGES, "colour", CK_LIT("\x01"), "messages has no column \"colour\"");
  refused(CK_MESSAGES, "\xff", CK_LIT("\x01"), "messages has no column \"(not UTF-8)\"");
  refused(CK_LINKS, "route_params", CK_LIT("\x91\xa1\xff"),
          "conversation_links.route_params cannot be written as JSON");
  refused(CK_EXECUTIONS, "result_ok", CK_LIT("\xc3"), "");
}

Test(records, broken_maps) {
  struct ck_buf b = {0};
  struct ck_arena arena = {0};
  struct ck_row row;
  ck_put_int(&b, 3);
  cr_assert_str_eq(wrong(&b, CK_MESSAGES, &row, &arena), "messages: a row must be a map");
  ck_buf_clear(&b);
  ck_put_map(&b, 1);
  ck_put_int(&b, 1);
  ck_put_int(&b, 1);
  cr_assert_str_eq(wrong(&b, CK_MESSAGES, &row, &arena), "messages: a column's name must be text");
  ck_buf_clear(&b);
  ck_put_map(&b, 2);
  for (int i = 0; i < 2; i++) {
    ck_put_text(&b, "id");
    ck_put_nil(&b);
  }
  cr_assert_str_eq(wrong(&b, CK_MESSAGES, &row, &arena), "messages.id is given twice");
  cr_assert_eq(ck_row_decode(&row, CK_MESSAGES, ck_buf_view(&b), &arena, NULL), -1);
  ck_buf_free(&b);
}

/* renewd makes it, and the command line tells by it who made a job: it must never change. */
Test(records, the_id_of_an_automatic_job) {
  char id[37], other[37];
  ck_job_id(id, CK_LIT("m1"));
  ck_job_id(other, CK_LIT("m2"));
  cr_expect_str_eq(id, "job_19095d89e0979d8ce1336c46b4d880ec", "%s", id);
  cr_expect_str_neq(id, other);
}
