/* Rows of another database (ADOPT): they are merged, and nothing that comes so is sent. */
#include "test_store_apply.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One row as a changeset. remote: of the row's conversation, on platform p; "": unknown. */
static char adopt(enum ck_table t, const char *remote, const char *json) {
  struct ck_buf row = {0};
  struct ck_mutation m = {.kind = CK_OP_ADOPT};
  struct ck_row parsed = sh_row(t, json);
  ck_row_encode(&row, &parsed);
  m.as.adopt = (struct ck_adopt){ck_str_of(ck_tables[t].name), ck_buf_view(&row), 0,
                                 *remote ? CK_LIT("p") : CK_LIT(""), ck_str_of(remote)};
  char result = ap_mutate(m);
  ck_buf_free(&row);
  return result;
}

static char adopt_message(const char *id, const char *more) {
  char *json = ck_sprintf("{'id':'%s','platform':'p','conversation_id':'r1','role':'assistant',"
                          "'raw_text':'t','observed_at':500,'created_at':501%s}",
                          id, more);
  char result = adopt(CK_MESSAGES, "r1", json);
  free(json);
  return result;
}

static char adopt_conversation(const char *id, const char *more) {
  char *json = ck_sprintf("{'local_conversation_id':'%s','platform':'p'%s}", id, more);
  char result = adopt(CK_CONVERSATIONS, "r1", json);
  free(json);
  return result;
}

static char adopt_job(const char *id, const char *status) {
  char *json = ck_sprintf("{'job_id':'%s','local_conversation_id':'c1','message_id':'m1',"
                          "'payload':'go','status':'%s','next_attempt_at':1}",
                          id, status);
  char result = adopt(CK_JOBS, "r1", json);
  free(json);
  return result;
}

static void is_paused(const char *id, const char *status) {
  sh_is(&s, CK_CONVERSATIONS, id, "automation_status", status);
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM automation"), strcmp(status, "auto") == 0);
}

/* The path of a row that gets another id here would be that of another row. */
Test(apply, a_path_fits_the_id_that_a_row_has_here) {
#define PATH "'static_path':'msg/1970/01/01/m.txt'"
  cr_assert_eq(adopt_message("m", "," PATH), 'n', "%s", s.reason.text);
  sh_is(&s, CK_MESSAGES, "m", "static_path", "msg/1970/01/01/m.txt");
  cr_assert_eq(adopt(CK_MESSAGES, "r2",
                     "{'id':'m','platform':'p','conversation_id':'r2','role':'user','raw_text':'u',"
                     "'observed_at':500," PATH "}"),
               'n', "%s", s.reason.text);
  cr_expect_eq(sh_int(&s, "SELECT count(DISTINCT static_path) FROM messages"), 2);
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM messages WHERE static_path LIKE"
                          " 'msg/1970/01/01/m\\%40%.txt' ESCAPE '\\'"),
               1);
}

Test(apply, what_was_on_auto_elsewhere_comes_paused) {
  cr_assert_eq(adopt_conversation("c1", ",'automation_status':'auto'"), 'n', "%s", s.reason.text);
  is_paused("c1", "paused");
  sh_is(&s, CK_CONVERSATIONS, "c1", "paused_at", "1000");
  cr_expect_eq(adopt_conversation("c1", ",'automation_status':'auto'"), '=');
  cr_assert_eq(adopt_conversation("c2", ",'automation_status':'manual'"), 'n');
  sh_is(&s, CK_CONVERSATIONS, "c2", "automation_status", "manual");
  cr_assert_eq(adopt_conversation("c3", ",'automation_status':'paused','paused_at':7"), 'n');
  sh_is(&s, CK_CONVERSATIONS, "c3", "paused_at", "7");
}

Test(apply, a_conversation_that_is_here_keeps_its_automation) {
  sh_conversation(&s, "c1", ",'automation_status':'auto'");
  cr_expect_eq(adopt_conversation("c1", ",'automation_status':'manual','cooldown_until':9000"),
               '=');
  is_paused("c1", "auto");
  sh_is(&s, CK_CONVERSATIONS, "c1", "cooldown_until", "NULL");
}

/* On auto here, and its last message comes from elsewhere: renewd could take it for the end of a
 * turn. */
Test(apply, a_last_message_from_elsewhere_pauses) {
  sh_conversation(&s, "c1", ",'automation_status':'auto'");
  sh_link(&s, "l1", "c1", "r1", "");
  cr_assert_eq(adopt_message("m1", ""), 'n', "%s", s.reason.text);
  is_paused("c1", "auto");
  cr_expect_eq(adopt_conversation("c1", ",'last_message_id':'m1','last_message_at':500"), 'u');
  is_paused("c1", "paused");
  sh_update(&s, CK_CONVERSATIONS, "{'local_conversation_id':'c1','automation_status':'auto'}");
  cr_expect_eq(sh_apply(&s), 'u');
  cr_assert_eq(sh_commit(&s), 0);
  cr_expect_eq(adopt_message("m1", ""), '=');
  cr_expect_eq(adopt_conversation("c1", ",'last_message_id':'m1','last_message_at':500"), '=');
  is_paused("c1", "auto");
  cr_expect_eq(adopt_message("m1", ",'page_title':'grown'"), 'u', "%s", s.reason.text);
  is_paused("c1", "paused");
}

/* The last message was known by its id only. */
Test(apply, the_last_message_itself_from_elsewhere_pauses) {
  sh_conversation(&s, "c1", ",'automation_status':'auto','last_message_id':'m1'");
  sh_link(&s, "l1", "c1", "r1", "");
  cr_assert_eq(adopt_message("m1", ""), 'n', "%s", s.reason.text);
  is_paused("c1", "paused");
}

Test(apply, a_message_from_elsewhere_never_came_later_than_now) {
  cr_assert_eq(adopt_message("m1", ""), 'n', "%s", s.reason.text);
  sh_is(&s, CK_MESSAGES, "m1", "created_at", "501");
  cr_assert_eq(adopt(CK_MESSAGES, "",
                     "{'id':'m2','platform':'p','role':'assistant','raw_text':'',"
                     "'observed_at':99998,'created_at':99999}"),
               'n');
  sh_is(&s, CK_MESSAGES, "m2", "created_at", "1000");
}

Test(apply, jobs_from_elsewhere_wait_or_are_over) {
  adopt_message("m1", "");
  sh_message(&s, "m2", 1, "");
  adopt_conversation("c1", ",'automation_status':'manual'");
  cr_assert_eq(adopt_job("j1", "running"), 'n', "%s", s.reason.text);
  sh_is(&s, CK_JOBS, "j1", "status", "failed");
  sh_is(&s, CK_JOBS, "j1", "next_attempt_at", "NULL");
  sh_is(&s, CK_JOBS, "j1", "finished_at", "1000");
  cr_expect(strstr(sh_field(&s, CK_JOBS, "j1", "last_error"), "while it was running"));
  sh_is(&s, CK_CONVERSATIONS, "c1", "automation_status", "manual");
  cr_expect_eq(adopt_job("j1", "running"), '=', "the same again");
  cr_expect_eq(adopt(CK_JOBS, "r1",
                     "{'job_id':'j2','local_conversation_id':'c1','message_id':'m2','payload':'go',"
                     "'next_attempt_at':1}"),
               'n');
  sh_is(&s, CK_JOBS, "j2", "status", "pending");
  sh_is(&s, CK_CONVERSATIONS, "c1", "automation_status", "paused");
  sh_update(&s, CK_CONVERSATIONS, "{'local_conversation_id':'c1','automation_status':'manual'}");
  sh_apply(&s);
  sh_commit(&s);
  cr_expect_eq(adopt(CK_JOBS, "r1",
                     "{'job_id':'j2','local_conversation_id':'c1','message_id':'m2','payload':'go',"
                     "'next_attempt_at':1}"),
               '=');
  sh_is(&s, CK_CONVERSATIONS, "c1", "automation_status", "manual");
}

Test(apply, jobs_that_are_over_stay_so) {
  adopt_message("m1", "");
  adopt_conversation("c1", "");
  cr_assert_eq(adopt_job("j1", "done"), 'n', "%s", s.reason.text);
  sh_is(&s, CK_JOBS, "j1", "status", "done");
  sh_is(&s, CK_CONVERSATIONS, "c1", "automation_status", "manual");
}

/* Here it is c1, by its link; elsewhere it is old. */
Test(apply, a_conversation_that_is_here_under_another_id) {
  sh_conversation(&s, "c1", "");
  sh_link(&s, "l1", "c1", "r1", "");
  adopt_message("m1", "");
  cr_assert_eq(adopt_conversation("old", ",'title':'kept'"), 'u', "%s", s.reason.text);
  sh_is(&s, CK_CONVERSATIONS, "c1", "title", "kept");
  sh_is(&s, CK_CONVERSATIONS, "old", "title", "none");
  adopt(
      CK_LINKS, "r1",
      "{'link_id':'l9','local_conversation_id':'old','platform':'p','remote_conversation_id':'r1',"
      "'page_title':'theirs','observed_at':900}");
  sh_is(&s, CK_LINKS, "l1", "local_conversation_id", "c1");
  sh_is(&s, CK_LINKS, "l1", "page_title", "theirs");
  cr_assert_eq(adopt(CK_JOBS, "r1",
                     "{'job_id':'j1','local_conversation_id':'old','message_id':'m1',"
                     "'payload':'go'}"),
               'n', "%s", s.reason.text);
  sh_is(&s, CK_JOBS, "j1", "local_conversation_id", "c1");
  sh_is(&s, CK_CONVERSATIONS, "c1", "automation_status", "paused");
}

/* What is observed after the predecessor's database came goes on in its conversation. */
Test(apply, an_observed_conversation_is_the_one_that_its_link_names) {
  adopt_conversation("old", ",'title':'theirs'");
  adopt(
      CK_LINKS, "r1",
      "{'link_id':'l9','local_conversation_id':'old','platform':'p','remote_conversation_id':'r1',"
      "'observed_at':900}");
  cr_assert_eq(sh_write(&s, CK_CONVERSATIONS,
                        "{'local_conversation_id':'p:r1','platform':'p','last_message_id':'m1',"
                        "'last_message_at':950}"),
               'u', "%s", s.reason.text);
  sh_is(&s, CK_CONVERSATIONS, "old", "last_message_id", "m1");
  sh_is(&s, CK_CONVERSATIONS, "p:r1", "title", "none");
  cr_expect_neq(sh_link(&s, "link:p:r1", "p:r1", "r1", ",'page_title':'t'"), 'r', "%s",
                s.reason.text);
  sh_is(&s, CK_LINKS, "l9", "local_conversation_id", "old");
  cr_expect_eq(sh_write(&s, CK_CONVERSATIONS, "{'local_conversation_id':'p:r2','platform':'p'}"),
               'n', "another one is new");
}

/* Their m1 and our m1 are of two conversations. */
Test(apply, ids_of_another_database_mean_what_they_mean_here) {
  char derived[80], json[400];
  struct ck_str parts[] = {CK_LIT("p"), CK_LIT("r1"), CK_LIT("m1")};
  memcpy(derived, "m1@", 3);
  ck_hash_id(derived + 3, parts, 3);
  derived[3 + 16] = '\0';
  cr_assert_eq(adopt(CK_MESSAGES, "r9",
                     "{'id':'m1','platform':'p','conversation_id':'r9','role':"
                     "'user','raw_text':'ours','observed_at':5}"),
               'n');
  for (int there = 0; there < 2; ++there) {
    const char *id = there ? derived : "m1"; /* with us it is derived, with them it is or is not */
    cr_expect_eq(adopt_message(id, ""), there ? '=' : 'n', "%s", s.reason.text);
    sh_is(&s, CK_MESSAGES, "m1", "raw_text", "ours");
    sh_is(&s, CK_MESSAGES, derived, "raw_text", "t");
    snprintf(json, sizeof json,
             "{'instruction_id':'e1','message_id':'%s','target':'t','tool':'t','executed_at':5}",
             id);
    cr_expect_eq(adopt(CK_EXECUTIONS, "r1", json), there ? '=' : 'n', "%s", s.reason.text);
    sh_is(&s, CK_EXECUTIONS, "e1", "message_id", derived);
    snprintf(json, sizeof json, ",'last_message_id':'%s','last_message_at':500", id);
    cr_expect_eq(adopt_conversation("c1", json), there ? '=' : 'n', "%s", s.reason.text);
    sh_is(&s, CK_CONVERSATIONS, "c1", "last_message_id", derived);
    snprintf(json, sizeof json,
             "{'job_id':'j1','local_conversation_id':'c1','message_id':'%s','payload':'go'}", id);
    cr_expect_eq(adopt(CK_JOBS, "r1", json), there ? '=' : 'n', "%s", s.reason.text);
    sh_is(&s, CK_JOBS, "j1", "message_id", derived);
  }
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM messages"), 2);
}

Test(apply, what_the_owner_said_here_stays) {
  cr_assert_eq(adopt_conversation("c1", ",'title':'theirs','ages':'owner'"), 'n', "%s",
               s.reason.text);
  sh_is(&s, CK_CONVERSATIONS, "c1", "ages", "owner");
  sh_update(&s, CK_CONVERSATIONS, "{'local_conversation_id':'c1','title':'here'}");
  cr_assert_eq(sh_apply(&s), 'u', "%s", s.reason.text);
  cr_assert_eq(sh_commit(&s), 0);
  cr_expect_eq(adopt_conversation("c1", ",'title':'theirs','ages':'owner'"), '=', "%s",
               s.reason.text);
  sh_is(&s, CK_CONVERSATIONS, "c1", "title", "here");
}

/* Each value keeps the age that it had. */
Test(apply, a_row_of_another_store_has_ages_of_its_own) {
  cr_assert_eq(adopt_message("m1", ",'page_title':'new','ages':'500 page_title=900'"), 'n', "%s",
               s.reason.text);
  sh_is(&s, CK_MESSAGES, "m1", "ages", "500 page_title=900");
  cr_expect_eq(adopt_message("m1", ",'page_title':'zz','page_url':'u','ages':'800'"), 'u', "%s",
               s.reason.text);
  sh_is(&s, CK_MESSAGES, "m1", "page_title", "new");
  sh_is(&s, CK_MESSAGES, "m1", "page_url", "u");
}

Test(apply, a_session_keeps_the_greater_counts) {
  static const char *const json =
      "{'id':'s1','platform':'p','started_at':1,'last_activity_at':5,'message_count':%d,"
      "'execution_count':2,'static_path':'elsewhere/s1'}";
  for (int n = 6; n >= 4; n -= 2) {
    char *row = ck_sprintf(json, n);
    cr_expect_eq(adopt(CK_SESSIONS, "", row), n == 6 ? 'n' : '=', "%s", s.reason.text);
    free(row);
  }
  sh_is(&s, CK_SESSIONS, "s1", "message_count", "6");
  sh_is(&s, CK_SESSIONS, "s1", "static_path", "session/1970/01/01/s1.txt");
}

Test(apply, what_cannot_be_adopted_is_refused) {
  cr_expect_eq(adopt(CK_EXECUTIONS, "",
                     "{'instruction_id':'e','message_id':'gone','target':'t','tool':'t',"
                     "'result_ok':1,'executed_at':1}"),
               'r');
  cr_expect(strstr(s.reason.text, "executions.message_id: 'gone' is not in messages"), "%s",
            s.reason.text);
  cr_expect_eq(adopt_conversation(" ", ""), 'r');
  cr_expect_eq(adopt_job("j1", "pending"), 'r');
}

/* Another database has the conversation by an id of its own. */
Test(apply, a_forgotten_conversation_comes_from_no_other_database) {
  static const char link[] = "{'link_id':'l9','local_conversation_id':'lc-9','platform':'p',"
                             "'remote_conversation_id':'r1','observed_at':500}";
  cr_assert_eq(adopt_conversation("c1", ""), 'n', "%s", s.reason.text);
  sh_link(&s, "l9", "c1", "r1", "");
  cr_assert_eq(adopt_message("m1", ""), 'n', "%s", s.reason.text);
  struct ck_mutation m = {.kind = CK_OP_FORGET};
  m.as.forget = (struct ck_forget){CK_LIT("conversation"), CK_LIT("c1"), false};
  cr_assert_eq(ap_mutate(m), 'n', "%s", s.reason.text);
  cr_expect_eq(adopt_conversation("lc-9", ",'title':'a secret','summary':'of it'"), '=');
  cr_expect_eq(adopt(CK_LINKS, "r1", link), '=');
  cr_expect_eq(adopt_message("m2", ""), '=');
  cr_expect_eq(adopt(CK_JOBS, "r1",
                     "{'job_id':'j9','local_conversation_id':'lc-9','message_id':'m2',"
                     "'payload':'a secret'}"),
               '=', "%s", s.reason.text);
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM local_conversations"), 0);
}

/* The owner has changed what it says here; the other database is imported once more. */
Test(apply, a_job_that_is_here_keeps_its_payload) {
  sh_conversation(&s, "c1", "");
  sh_message(&s, "m1", 10, "");
  cr_assert_eq(adopt_job("j1", "pending"), 'n', "%s", s.reason.text);
  sh_update(&s, CK_JOBS, "{'job_id':'j1','payload':'other','payload_kind':'json'}");
  cr_assert_eq(sh_apply(&s), 'u');
  cr_expect_eq(adopt_job("j1", "pending"), '=', "%s", s.reason.text);
  sh_is(&s, CK_JOBS, "j1", "payload", "other");
}

/* NULL where a value must be is refused in each table, whoever writes it, whether or not the record
 * is there: nothing is taken for it. */
Test(apply, null_for_a_required_column_is_refused) {
  static const char *const rows[CK_FORGOTTEN] = {
      [CK_MESSAGES] = "{'id':'m1','platform':'p','role':'user','raw_text':'t','observed_at':1}",
      [CK_EXECUTIONS] = "{'instruction_id':'e1','message_id':'m1','target':'t','tool':'u',"
                        "'executed_at':1}",
      [CK_SESSIONS] = "{'id':'s1','platform':'p','started_at':1,'last_activity_at':1}",
      [CK_CONVERSATIONS] = "{'local_conversation_id':'c1','platform':'p'}",
      [CK_LINKS] = "{'link_id':'l1','local_conversation_id':'c1','platform':'p','observed_at':1}",
      [CK_JOBS] = "{'job_id':'j1','local_conversation_id':'c1','message_id':'m1','payload':'go'}"};
  static const enum ck_mutation_kind kinds[] = {CK_OP_PUT, CK_OP_UPDATE, CK_OP_ADOPT};
  int tried = 0;
  for (int there = 0; there < 2; ++there) {
    for (int t = 0; t < CK_FORGOTTEN; ++t)
      for (int c = 0; c < ck_tables[t].columns; ++c)
        for (size_t k = 0; k < 3; ++k) {
          const struct ck_field *f = &ck_tables[t].fields[c];
          struct ck_row row = sh_row((enum ck_table)t, rows[t]);
          struct ck_buf bytes = {0};
          struct ck_mutation m = {.kind = kinds[k]};
          char expected[120];
          /* When it came and whether it was live is what the store says of an adopted one. */
          if (f->flags & CK_OPTIONAL || (kinds[k] == CK_OP_ADOPT && f->flags & CK_LOCAL)) continue;
          row.v[c] = ck_null();
          ck_row_encode(&bytes, &row);
          struct ck_str table = ck_str_of(ck_tables[t].name), packed = ck_buf_view(&bytes);
          if (kinds[k] == CK_OP_PUT) m.as.put = (struct ck_put){.table = table, .row = packed};
          if (kinds[k] == CK_OP_UPDATE)
            m.as.update = (struct ck_update){.table = table, .row = packed};
          if (kinds[k] == CK_OP_ADOPT)
            m.as.adopt = (struct ck_adopt){.table = table, .row = packed};
          snprintf(expected, sizeof expected, "%s.%s: must not be NULL", ck_tables[t].name,
                   f->name);
          char result = ap_mutate(m);
          cr_expect(result == 'r' && strstr(s.reason.text, expected), "%s, kind %d: %c %s",
                    expected, (int)kinds[k], result, s.reason.text);
          ++tried;
          ck_buf_free(&bytes);
        }
    for (int t = 0; t < CK_FORGOTTEN && !there; ++t)
      cr_assert_eq(sh_write(&s, (enum ck_table)t, rows[t]), 'n', "%s", s.reason.text);
  }
  cr_expect_gt(tried, 200);
}
