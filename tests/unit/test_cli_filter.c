/* The filters of `list`: names, values and refusals (cli/rows.c). */
#include <criterion/criterion.h>
#include <string.h>
#include "cli/rows.h"

static int parse(const char *kind, const char *name, const char *value, struct cli_filter *f,
                 struct ck_err *err) {
  return cli_filter_parse(cli_kind_named(kind), name, value, 1000, f, err);
}

static void expect_text(const char *kind, const char *name, const char *value, const char *column) {
  struct cli_filter f;
  struct ck_err err = {{0}};
  cr_assert_eq(parse(kind, name, value, &f, &err), 0, "%s %s: %s", kind, name, err.text);
  cr_expect_str_eq(f.name, column);
  cr_expect_str_eq(f.text, value);
}

Test(cli_filter, both_spellings_of_a_column) {
  expect_text("messages", "conversation-id", "c1", "conversation_id");
  expect_text("messages", "conversation_id", "c1", "conversation_id");
  expect_text("conversations", "automation-status", "auto", "automation_status");
  expect_text("links", "remote-conversation-id", "r", "remote_conversation_id");
  expect_text("executions", "tool", "python", "tool");
  expect_text("local_conversations", "platform", "chatgpt", "platform");
  expect_text("dead-letters", "sink", "d1", "sink");
}

Test(cli_filter, numbers_are_sent_as_numbers) {
  struct cli_filter f;
  struct ck_err err;
  cr_assert_eq(parse("links", "is-active", "1", &f, &err), 0);
  cr_expect_null(f.text);
  cr_expect_eq(f.number, 1);
  cr_assert_eq(parse("jobs", "next-attempt-at-max", "+1s", &f, &err), 0);
  cr_expect_str_eq(f.name, "next_attempt_at_max");
  cr_expect_null(f.text);
  cr_expect_eq(f.number, 2000);
}

Test(cli_filter, refuses_and_names_what_is_allowed) {
  static const struct {
    const char *kind, *name, *value, *said;
  } cases[] = {
      {"messages", "role", "user",
       "those are --conversation-id, --platform, --since, --until, --id, and --limit"},
      {"jobs", "next-attempt-at", "1", "--next-attempt-at-max"},
      {"jobs", "status", "late", "pending|running|done|failed"},
      {"messages", "platfrom", "x", "did you mean --platform?"},
      {"messages", "limt", "x", "did you mean --limit?"},
      {"conversations", "sort", "creatd", "did you mean created?"},
      {"jobs", "status", "wating", "did you mean waiting?"},
      {"links", "is-active", "yes", "must be 0|1"},
      {"jobs", "status", NULL, "it needs a value"},
      {"jobs", "next-attempt-at-max", "soon", "is not a time"},
      {"messages", "", "x", "not a filter"},
      {"messages", "id-max", "x", "not a filter"},
      {"dead-letters", "key", "x", "those are --sink, --mirror, and --limit"},
      {"messages", "a-name-that-is-longer-than-any-column-of-any-table-could-ever-be-xxxxxxxxx",
       "x", "not a filter"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
    struct cli_filter f;
    struct ck_err err = {{0}};
    cr_expect_eq(parse(cases[i].kind, cases[i].name, cases[i].value, &f, &err), -1);
    cr_expect(strstr(err.text, cases[i].said), "%s --%s: %s", cases[i].kind, cases[i].name,
              err.text);
  }
}

Test(cli_filter, every_list_can_be_filtered_by_its_key_or_its_owner) {
  static const char *const names[CLI_KINDS] = {"local_conversation_id",
                                               "id",
                                               "instruction_id",
                                               "id",
                                               "link_id",
                                               "job_id",
                                               "account",
                                               "file",
                                               "sink",
                                               "producer"};
  for (int k = 0; k < CLI_KINDS; ++k) expect_text(cli_kinds[k].word, names[k], "x", names[k]);
}
