/* What a follow-up says. */
#include <criterion/criterion.h>

#include <string.h>

#include "proto/payload.h"

static const struct ck_payload_facts facts = {
    .title = {"Fish tank", 9}, .last = {" Shall I go on?\n", 16}, .count = 3, .shown = 1796022300};

static void fills(const char *template, const char *text) {
  struct ck_buf b = {0};
  ck_payload_fill(&b, ck_str_of(template), &facts);
  cr_expect_str_eq(ck_buf_cstr(&b), text);
  ck_buf_free(&b);
}

Test(payload, a_template_is_filled_in) {
  fills("go on", "go on");
  fills("{title}", "Fish tank");
  fills("{count}. of {title}, {date} {time}: go on", "3. of Fish tank, 2026-11-30 07:05: go on");
  fills("You asked: {last} Yes.", "You asked: Shall I go on? Yes.");
  fills("{{title} {{{count}}", "{title} {3}");
  fills("{other} { } {titl", "{other} { } {titl");
}

Test(payload, what_is_filled_in_is_not_looked_at_again) {
  struct ck_buf b = {0};
  ck_payload_fill(
      &b, CK_LIT("{last}{title}"),
      &(struct ck_payload_facts){.title = CK_LIT("{count}"), .last = CK_LIT("{{date}")});
  cr_expect_str_eq(ck_buf_cstr(&b), "{{date}{count}");
  ck_buf_free(&b);
}

Test(payload, a_conversation_without_a_title) {
  struct ck_buf b = {0};
  ck_payload_fill(&b, CK_LIT("{title}{last}"), &(struct ck_payload_facts){0});
  cr_expect_str_eq(ck_buf_cstr(&b), "untitled");
  ck_buf_free(&b);
}

/* It is cut between characters. */
Test(payload, of_a_long_message_the_end) {
  char last[3 * 1000 + 1] = "";
  struct ck_buf b = {0};
  for (int i = 0; i < 1000; ++i) strcat(last, "好");
  ck_payload_fill(&b, CK_LIT("{last}"), &(struct ck_payload_facts){.last = ck_str_of(last)});
  cr_expect_eq(b.len, strlen("…") + 3 * (CK_PAYLOAD_LAST / 3));
  cr_expect_eq(strncmp(ck_buf_cstr(&b), "…好", 6), 0);
  ck_buf_free(&b);
}

static void wrong(const char *payload, enum ck_payload_kind kind, const char *why) {
  struct ck_err err;
  cr_expect_eq(ck_payload_check(ck_str_of(payload), kind, &err), -1, "%s", payload);
  cr_expect(strstr(err.text, why), "%s: %s", payload, err.text);
}

static void right(const char *payload, enum ck_payload_kind kind) {
  struct ck_err err;
  cr_expect_eq(ck_payload_check(ck_str_of(payload), kind, &err), 0, "%s: %s", payload, err.text);
}

Test(payload, what_cannot_be_sent_is_refused) {
  right("{go} on", CK_PAYLOAD_TEXT);
  right("{\"go\":\"on\"}", CK_PAYLOAD_JSON);
  right("{title}: {{go} on, {count}", CK_PAYLOAD_TEMPLATE);
  wrong(" \n", CK_PAYLOAD_TEXT, "must not be blank");
  wrong("{go} on", CK_PAYLOAD_JSON, "is not JSON");
  wrong("{title}: {go} on", CK_PAYLOAD_TEMPLATE, "{go} is not known");
  wrong("on {", CK_PAYLOAD_TEMPLATE, "{ is not known");
  cr_expect_eq(ck_payload_kind(CK_LIT("html")), -1);
}
