/* The summaries of sessions, which their source made of all messages, also of a forgotten one. */
#include "test_store_apply.h"

#include <stdlib.h>
#include <string.h>

static void forget_message(const char *id) {
  struct ck_mutation m = {.kind = CK_OP_FORGET};
  m.as.forget = (struct ck_forget){CK_LIT("message"), ck_str_of(id), false};
  cr_assert_eq(ap_mutate(m), 'n', "%s", s.reason.text);
}

static void remember_message(const char *id) {
  struct ck_mutation m = {.kind = CK_OP_REMEMBER};
  m.as.remember = (struct ck_remember){CK_LIT("message"), ck_str_of(id)};
  cr_assert_eq(ap_mutate(m), 'u', "%s", s.reason.text);
}

static char put_session(const char *json) {
  sh_put(&s, CK_SESSIONS, json);
  char letter = sh_apply(&s);
  cr_assert_eq(sh_commit(&s), 0, "%s", s.reason.text);
  return letter;
}

/* As another database has them: two days of the conversation a, one of b, and one of none. */
static char put_summaries(void) {
  static const char *const sessions[][2] = {{"p:a@1970-01-01", "'a'"},
                                            {"p:a@1969-12-31", "'a'"},
                                            {"p:b@1970-01-01", "'b'"},
                                            {"none", "null"}};
  for (size_t i = 0; i < sizeof sessions / sizeof *sessions; ++i) {
    char *json = ck_sprintf("{'id':'%s','platform':'p','conversation_id':%s,'started_at':500,"
                            "'last_activity_at':600,'message_count':2,'summary':'of the secret'}",
                            sessions[i][0], sessions[i][1]);
    sh_put(&s, CK_SESSIONS, json);
    free(json);
  }
  char letter = sh_apply(&s);
  cr_assert_eq(sh_commit(&s), 0, "%s", s.reason.text);
  return letter;
}

static void has_summary(const char *id, bool has) {
  sh_is(&s, CK_SESSIONS, id, "summary", has ? "of the secret" : "NULL");
}

static void put_all(void) {
  cr_assert_eq(sh_message(&s, "a1", 500, ",'conversation_id':'a'"), 'n', "%s", s.reason.text);
  cr_assert_eq(sh_message(&s, "b1", 500, ",'conversation_id':'b'"), 'n', "%s", s.reason.text);
  cr_assert_eq(sh_message(&s, "x", 500, ""), 'n', "%s", s.reason.text);
  cr_assert_eq(put_summaries(), 'n', "%s", s.reason.text);
}

Test(apply, no_session_sums_up_a_forgotten_message) {
  put_all();
  uint64_t head = apply_head(s.apply);
  forget_message("a1");
  ap_check_versions(head + 4); /* two summaries, a count, and that it was forgotten */
  for (int again = 0; again < 2; ++again) {
    has_summary("p:a@1970-01-01", false);
    has_summary("p:a@1969-12-31", false);
    has_summary("p:b@1970-01-01", true);
    has_summary("none", true);
    if (!again) put_summaries();
  }
  remember_message("a1");
  cr_expect_eq(put_summaries(), 'u', "%s", s.reason.text);
  has_summary("p:a@1970-01-01", true);
  has_summary("p:a@1969-12-31", true);
}

Test(apply, a_session_of_no_conversation_sums_up_no_forgotten_one) {
  put_all();
  forget_message("x");
  has_summary("none", false);
  cr_expect_eq(put_summaries(), '=', "%s", s.reason.text);
  has_summary("none", false);
  has_summary("p:a@1970-01-01", true);
}

/* A row need not say of which conversation it is, or says another one than the record. */
Test(apply, a_summary_stays_away_however_its_session_is_known) {
  static const char *const rows[] = {
      "{'id':'new','platform':'p','conversation_id':'a','started_at':5,'last_activity_at':6,"
      "'summary':'secret'}",
      "{'id':'p:a@1970-01-01','platform':'p','started_at':5,'last_activity_at':6,"
      "'summary':'secret'}",
      "{'id':'p:a@1970-01-01','platform':'o','conversation_id':'Z','started_at':5,"
      "'last_activity_at':6,'summary':'secret'}",
      "{'id':'p:b@1970-01-01','platform':'o','conversation_id':'a','started_at':5,"
      "'last_activity_at':6,'summary':'secret'}"};
  put_all();
  forget_message("a1");
  for (size_t i = 0; i < sizeof rows / sizeof *rows; ++i) {
    cr_expect(strchr("nu=", put_session(rows[i])), "%s", s.reason.text);
    cr_expect_eq(sh_int(&s, "SELECT count(*) FROM sessions WHERE summary = 'secret'"), 0, "%s",
                 rows[i]);
  }
}
