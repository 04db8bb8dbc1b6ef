/* Lists have the orders, filters and limits of docs/records.md; pages neither repeat nor skip. */
#include "store/read/has_words.h"
#include "test_store_help.h"

#include "proto/map.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct sh_store s;

static struct ck_buf cursor; /* of the last answer */

/* The keys of the rows, separated by blanks; or "CODE: reason". Valid until the next call. after:
 * a cursor, or NULL. */
static const char *list_after(const char *table, const char *filters, uint64_t limit,
                              uint64_t offset, const char *after) {
  static char out[4096];
  struct ck_buf map = {0}, rows = {0}, json = {0};
  struct list_answer answer = {&rows, &cursor};
  struct ck_err err = {{0}};
  const char *code = "";
  if (filters) sh_pack(&map, filters);
  struct ck_query q = {1, ck_str_of(table), ck_buf_view(&map), limit, offset, ck_str_of(after)};
  out[0] = '\0';
  if (sh_query(&s, &q, &answer, &code, &err)) {
    snprintf(out, sizeof out, "%s: %s", code, err.text);
  } else {
    struct ck_reader r = ck_reader_of(ck_buf_view(&rows));
    cr_assert_eq(ck_scan(rows.data, rows.len, &err), 0, "%s", err.text);
    cr_assert_eq(ck_read_json(&r, &json), 0);
    json_t *all = json_loads(ck_buf_cstr(&json), 0, NULL), *row;
    size_t i;
    enum ck_table t = ck_table_named(ck_str_of(table));
    json_array_foreach(all, i, row) {
      const char *key =
          t < CK_TABLES
              ? json_string_value(json_object_get(row, ck_tables[t].fields[ck_tables[t].key].name))
              : json_string_value(json_object_iter_value(json_object_iter(row)));
      if (t < CK_TABLES)
        cr_expect_eq(json_object_size(row), ck_tables[t].columns + (t == CK_LINKS),
                     "all columns, a link's account, and no other");
      snprintf(out + strlen(out), sizeof out - strlen(out), "%s%s", i ? " " : "", key);
    }
    json_decref(all);
  }
  ck_buf_free(&map), ck_buf_free(&rows), ck_buf_free(&json);
  return out;
}

static const char *list(const char *table, const char *filters, uint64_t limit, uint64_t offset) {
  return list_after(table, filters, limit, offset, NULL);
}

/* The rows after the last one of the last answer. */
static const char *list_on(const char *table, const char *filters, uint64_t limit) {
  char *after = ck_str_dup(ck_buf_view(&cursor));
  const char *got = list_after(table, filters, limit, 0, after);
  free(after);
  return got;
}

#define expect(table, filters, limit, offset, expected) \
  do { \
    const char *got = list(table, filters, limit, offset); \
    cr_expect_str_eq(got, expected, "%s %s: %s, not %s", table, filters ? filters : "", got, \
                     expected); \
  } while (0)
#define expect_refused(table, filters, limit, offset, part) \
  do { \
    const char *got = list(table, filters, limit, offset); \
    cr_expect(strncmp(got, part, strlen(part)) == 0, "%s %s: %s, not %s", table, \
              filters ? filters : "", got, part); \
  } while (0)

/* The one row of job_count. */
static void expect_count(const char *filters, int64_t expected) {
  struct ck_buf map = {0}, rows = {0};
  struct list_answer answer = {&rows, &cursor};
  struct ck_err err = {{0}};
  const char *code = "";
  sh_pack(&map, filters);
  struct ck_query q = {.table = CK_LIT("job_count"), .filters = ck_buf_view(&map), .limit = 1};
  cr_assert_eq(sh_query(&s, &q, &answer, &code, &err), 0, "%s", err.text);
  struct ck_reader r = ck_reader_of(ck_buf_view(&rows));
  struct ck_str row = {0};
  uint32_t n = 0;
  cr_assert(ck_read_array(&r, &n) == 0 && n == 1 && ck_read_raw(&r, &row) == 0);
  cr_expect_eq(ck_map_int(row, "jobs", -1), expected, "%s: %lld", filters,
               (long long)ck_map_int(row, "jobs", -1));
  cr_expect_eq(cursor.len, 0);
  ck_buf_free(&map), ck_buf_free(&rows);
}

static void open_it(void) {
  struct ck_err err;
  sh_open(&s);
  cr_assert_eq(has_words_sql(s.db, &err), 0, "%s", err.text);
}
static void close_it(void) {
  ck_buf_free(&cursor);
  sh_close(&s);
}

TestSuite(lists, .init = open_it, .fini = close_it);

Test(lists, messages) {
  sh_message(&s, "m1", 10, ",'conversation_id':'a'");
  sh_message(&s, "m3", 30, ",'conversation_id':'b'");
  sh_message(&s, "m2b", 20, ",'conversation_id':'a'");
  sh_message(&s, "m2a", 20, ",'conversation_id':'a'");
  sh_message(&s, "m0", 40, "");
  expect("messages", NULL, 0, 0, "m0 m3 m2a m2b m1");
  expect("messages", "{'conversation_id':'a'}", 0, 0, "m2a m2b m1");
  expect("messages", "{'conversation_id':null}", 0, 0, "m0");
  expect("messages", "{'platform':'p','conversation_id':'b'}", 0, 0, "m3");
  expect("messages", "{'platform':'q'}", 0, 0, "");
  expect("messages", "{'id':'m1'}", 0, 0, "m1");
  expect("messages", "{}", 2, 0, "m0 m3");
  expect("messages", NULL, 2, 2, "m2a m2b");
  expect("messages", NULL, 2, 4, "m1");
  expect("messages", NULL, 2, 6, "");
  expect("messages", NULL, 1000, INT64_MAX, "");
}

Test(lists, executions) {
  static const char *const more[] = {
      "'e1','message_id':'m1','target':'a','tool':'x','executed_at':1",
      "'e3','message_id':'m1','target':'a','tool':'y','executed_at':2",
      "'e2','message_id':'m2','target':'b','tool':'x','executed_at':2"};
  sh_message(&s, "m1", 10, "");
  sh_message(&s, "m2", 10, "");
  for (int i = 0; i < 3; ++i) {
    char *json = ck_sprintf("{'instruction_id':%s,'result_ok':1}", more[i]);
    cr_assert_eq(sh_write(&s, CK_EXECUTIONS, json), 'n');
    free(json);
  }
  expect("executions", NULL, 0, 0, "e2 e3 e1");
  expect("executions", "{'target':'a'}", 0, 0, "e3 e1");
  expect("executions", "{'target':'a','tool':'x'}", 0, 0, "e1");
  expect("executions", "{'message_id':'m2'}", 0, 0, "e2");
}

Test(lists, sessions) {
  for (int i = 0; i < 4; ++i) {
    char *json = ck_sprintf(
        "{'id':'s%d','platform':'%s','conversation_id':'c','started_at':1,'last_activity_at':%d}",
        i, i % 2 ? "p" : "q", i / 2);
    cr_assert_eq(sh_write(&s, CK_SESSIONS, json), 'n');
    free(json);
  }
  expect("sessions", NULL, 0, 0, "s2 s3 s0 s1");
  expect("sessions", "{'platform':'p'}", 0, 0, "s3 s1");
  expect("sessions", "{'conversation_id':'c','platform':'q'}", 0, 0, "s2 s0");
}

Test(lists, conversations) {
  sh_conversation(&s, "c1", ",'updated_at':5,'created_at':1");
  sh_conversation(&s, "c2", ",'updated_at':5,'created_at':2,'automation_status':'auto'");
  sh_conversation(&s, "c4", ",'updated_at':9,'created_at':1,'automation_status':'auto'");
  sh_conversation(&s, "c3", ",'updated_at':9,'created_at':1");
  expect("local_conversations", "{'sort':'updated'}", 0, 0, "c3 c4 c2 c1");
  expect("conversations", "{'sort':'updated'}", 0, 0, "c3 c4 c2 c1");
  expect("local_conversations", "{'automation_status':'auto','sort':'updated'}", 0, 0, "c4 c2");
  expect("local_conversations", "{'sort':'updated','automation_status':'manual','platform':'p'}", 1,
         1, "c1");
}

/* By the newest message, or what comes nearest to it. */
Test(lists, conversations_by_their_times) {
  sh_conversation(&s, "c1", ",'updated_at':9,'created_at':10,'newest_at':70");
  sh_conversation(&s, "c2", ",'updated_at':8,'created_at':20,'last_message_at':60");
  sh_conversation(&s, "c3", ",'updated_at':7,'created_at':65");
  expect("local_conversations", NULL, 0, 0, "c1 c3 c2");
  expect("local_conversations", "{'sort':'last'}", 0, 0, "c1 c3 c2");
  expect("local_conversations", "{'sort':'created'}", 0, 0, "c3 c2 c1");
  expect("local_conversations", "{'since':65}", 0, 0, "c1 c3");
  expect("local_conversations", "{'until':65}", 0, 0, "c2");
  expect("local_conversations", "{'until':70,'since':61}", 0, 0, "c3");
  expect("local_conversations", "{'since':20,'sort':'created'}", 0, 0, "c3 c2");
  expect("local_conversations", "{'since':8,'sort':'updated'}", 1, 1, "c2");
  expect_refused("local_conversations", "{'sort':'title'}", 0, 0,
                 "bad_request: query.filters: sort: must be last|updated|created");
  expect_refused("local_conversations", "{'sort':['last']}", 0, 0, "bad_request");
  expect_refused("local_conversations", "{'since':[1,2]}", 0, 0, "bad_request");
}

Test(lists, conversations_by_their_words) {
  sh_conversation(&s, "abcdefgh-1", ",'title':'Übersetzung of a Letter'");
  sh_conversation(&s, "abcdefgh-2", ",'title':'a letter home'");
  sh_conversation(&s, "abcdefxx-3", ",'title':null");
  expect("local_conversations", "{'title':'LETTER a','sort':'updated'}", 0, 0,
         "abcdefgh-1 abcdefgh-2");
  expect("local_conversations", "{'title':'übersetzung'}", 0, 0, "abcdefgh-1");
  expect("local_conversations", "{'title':'letters'}", 0, 0, "");
  expect("local_conversations", "{'begins':'abcdefgh'}", 0, 0, "abcdefgh-1 abcdefgh-2");
  expect("local_conversations", "{'begins':'abcdef%'}", 0, 0, "");
  expect("local_conversations", "{'begins':'abcdefgh-1x'}", 0, 0, "");
  sh_link(&s, "l1", "abcdefgh-1", "remote-77", "");
  expect("conversation_links", "{'begins':'remote-'}", 0, 0, "l1");
  expect("conversation_links", "{'begins':'emote-'}", 0, 0, "");
}

/* A message of the user's that is said, among the first ones; and when the last message came. */
Test(lists, questions) {
  for (int i = 0; i < 3; ++i) {
    char *conversation = ck_sprintf("c%d", i);
    char *link = ck_sprintf("{'link_id':'l%d','local_conversation_id':'c%d','platform':'p',"
                            "'remote_conversation_id':'r%d','observed_at':1}",
                            i, i, i);
    sh_conversation(&s, conversation, "");
    cr_assert_eq(sh_write(&s, CK_LINKS, link), 'n');
    free(conversation);
    free(link);
  }
  static const char *const said[] = {
      "'a','platform':'q','conversation_id':'r0','role':'user','raw_text':'another platform'",
      "'b','platform':'p','conversation_id':'r0','role':'assistant','raw_text':'hello'",
      "'c','platform':'p','conversation_id':'r0','role':'user','raw_text':' '",
      "'d','platform':'p','conversation_id':'r0','role':'user','raw_text':'who I am',"
      "'details':{'kind':'context'}",
      "'e','platform':'p','conversation_id':'r0','role':'human','raw_text':'how many?'",
      "'f','platform':'p','conversation_id':'r0','role':'user','raw_text':'and now?'",
      "'g','platform':'p','conversation_id':'r1','role':'assistant','raw_text':'hello'"};
  for (size_t i = 0; i < sizeof said / sizeof *said; ++i) {
    char *json = ck_sprintf("{'id':%s,'observed_at':%zu,'created_at':%zu}", said[i], i, 100 + i);
    cr_assert_eq(sh_write(&s, CK_MESSAGES, json), 'n', "%s", s.reason.text);
    free(json);
  }
  struct ck_buf map = {0}, rows = {0}, json = {0};
  struct ck_err err;
  const char *code;
  sh_pack(&map, "{'local_conversation_id':['c0','c1']}");
  struct list_answer answer = {&rows, &cursor};
  struct ck_query q = {.table = CK_LIT("questions"), .filters = ck_buf_view(&map)};
  cr_assert_eq(sh_query(&s, &q, &answer, &code, &err), 0, "%s", err.text);
  struct ck_reader r = ck_reader_of(ck_buf_view(&rows));
  cr_assert_eq(ck_read_json(&r, &json), 0);
  cr_expect_str_eq(ck_buf_cstr(&json),
                   "[{\"local_conversation_id\":\"c0\",\"first_question\":\"how many?\","
                   "\"last_came_at\":105},{\"local_conversation_id\":\"c1\","
                   "\"first_question\":null,\"last_came_at\":106}]");
  ck_buf_free(&map), ck_buf_free(&rows), ck_buf_free(&json);
}

/* When something of a platform came, also without a conversation: not when it was said. One that
 * has many messages at once is written once. */
Test(lists, sources) {
  static const char captured[] = "SELECT captured_at FROM sources WHERE platform = 'q'";
  sh_message(&s, "m1", 10, "");
  cr_assert_eq(sh_write(&s, CK_MESSAGES,
                        "{'id':'m2','platform':'q','role':'user','raw_text':'x','observed_at':1}"),
               'n');
  expect("sources", "{}", 0, 0, "p q");
  cr_expect_eq(sh_int(&s, captured), 1000);
  s.now = 1500;
  cr_assert_eq(sh_write(&s, CK_MESSAGES,
                        "{'id':'m3','platform':'q','role':'user','raw_text':'x','observed_at':1}"),
               'n');
  cr_expect_eq(sh_int(&s, captured), 1000);
  s.now = 2500;
  cr_assert_eq(sh_write(&s, CK_MESSAGES,
                        "{'id':'m3','platform':'q','role':'user','raw_text':'x','observed_at':1}"),
               '=');
  cr_expect_eq(sh_int(&s, captured), 1000, "nothing has come");
  cr_assert_eq(sh_write(&s, CK_MESSAGES,
                        "{'id':'m4','platform':'q','role':'user','raw_text':'x','observed_at':1}"),
               'n');
  cr_expect_eq(sh_int(&s, captured), 2500);
}

Test(lists, places_and_bodies) {
  sh_message(&s, "m1", 10, ",'conversation_id':'a','position':0");
  sh_message(&s, "m2", 10, ",'conversation_id':'a','parent_id':'m1'");
  sh_message(&s, "m3", 5, ",'conversation_id':'a'");
  sh_message(&s, "m4", 5, ",'conversation_id':'b'");
  expect("places", "{'conversation_id':'a','platform':'p'}", 0, 0, "m3 m1 m2");
  expect("places", "{'conversation_id':'a','platform':'q'}", 0, 0, "");
  expect("places", "{'conversation_id':'a'}", 1, 0, "m3");
  cr_expect_str_eq(list_on("places", "{'conversation_id':'a'}", 1), "m1");
  cr_expect_str_eq(list_on("places", "{'conversation_id':'a'}", 1), "m2");
  cr_expect_eq(cursor.len, 0);
  expect("bodies", "{'version':[4,1]}", 0, 0, "m1 m4");
  expect("bodies", "{'version':2}", 0, 0, "m2");
  expect("bodies", "{'version':[]}", 0, 0, "");
  for (int i = 1; i <= 3; ++i) {
    char *json = ck_sprintf("{'instruction_id':'e%d','message_id':'m%d','target':'t','tool':'x',"
                            "'executed_at':%d,'result_ok':1}",
                            i, i, 9 - i);
    cr_assert_eq(sh_write(&s, CK_EXECUTIONS, json), 'n');
    free(json);
  }
  expect("executions", "{'message_id':['m1','m2']}", 0, 0, "e1 e2");
  expect("executed", "{'message_id':['m1','m3']}", 0, 0, "e1 e3");
  expect("executed", "{'message_id':['m1','m3']}", 1, 0, "e1");
  cr_expect_str_eq(list_on("executed", "{'message_id':['m1','m3']}", 0), "e3");
  expect_refused("places", "{'raw_text':'x'}", 0, 0, "unknown_filter");
}

static void limit(const char *account, int64_t until, int64_t at) {
  struct ck_mutation m = {.kind = CK_OP_LIMIT};
  m.as.limit = (struct ck_limit){.account = ck_str_of(account),
                                 .until = until,
                                 .since = 1,
                                 .times = 1,
                                 .reason = CK_LIT("no"),
                                 .at = at};
  sh_mutate(&s, &m);
  cr_assert_eq(sh_apply(&s), 'u', "%s", s.reason.text);
}

/* However their ends move meanwhile, pages by name neither skip nor repeat one. */
Test(lists, limits_of_accounts) {
  limit("b", 1000, 1);
  limit("d", 2000, 1);
  limit("a", 3000, 1);
  limit("c", 4000, 1);
  expect("limits", NULL, 2, 0, "a b");
  limit("c", 9000, 2);
  limit("a", 1, 2);
  cr_expect_str_eq(list_on("limits", NULL, 2), "c d");
  cr_expect_eq(cursor.len, 0);
}

/* The account of the link's row in the answer; empty: none. */
static void account_is(const char *link, const char *account) {
  struct ck_buf map = {0}, rows = {0};
  struct ck_err err;
  const char *code;
  char *filters = ck_sprintf("{'link_id':'%s'}", link);
  sh_pack(&map, filters);
  struct list_answer answer = {&rows, &cursor};
  struct ck_query q = {.table = CK_LIT("links"), .filters = ck_buf_view(&map)};
  cr_assert_eq(sh_query(&s, &q, &answer, &code, &err), 0, "%s", err.text);
  struct ck_reader r = ck_reader_of(ck_buf_view(&rows));
  uint32_t n;
  struct ck_str row;
  cr_assert(ck_read_array(&r, &n) == 0 && n == 1 && ck_read_raw(&r, &row) == 0);
  cr_expect(ck_str_is(ck_map_str(row, "account"), account), "%s", link);
  free(filters);
  ck_buf_free(&map), ck_buf_free(&rows);
}

/* That of its newest message, else of its conversation. */
Test(lists, the_account_of_a_link) {
  sh_conversation(&s, "c1", ",'details':{'account':'a1'}");
  sh_conversation(&s, "c2", "");
  sh_conversation(&s, "c3", ",'details':'no JSON'");
  sh_link(&s, "l1", "c1", "r1", "");
  sh_link(&s, "l2", "c2", "r2", "");
  sh_link(&s, "l3", "c3", "r3", "");
  account_is("l1", "a1");
  account_is("l2", "");
  account_is("l3", "");
  sh_message(&s, "m1", 10, ",'conversation_id':'r2','organization_id':'o1'");
  sh_message(&s, "m2", 20, ",'conversation_id':'r2','organization_id':'o2'");
  sh_message(&s, "m3", 30, ",'conversation_id':'r1'");
  account_is("l1", "a1");
  account_is("l2", "o2");
  sh_message(&s, "m4", 40, ",'conversation_id':'r1','organization_id':'o1'");
  account_is("l1", "o1");
  sh_message(&s, "m5", 50, ",'conversation_id':'r1'");
  sh_message(&s, "m6", 60, ",'conversation_id':'r1','organization_id':''");
  account_is("l1", "o1");
  sh_conversation(&s, "c4", ",'details':{'account':''}");
  sh_link(&s, "l4", "c4", "r4", "");
  account_is("l4", "");
}

Test(lists, links) {
  sh_conversation(&s, "c1", "");
  sh_conversation(&s, "c2", "");
  sh_link(&s, "l1", "c1", "r1", ",'updated_at':5,'client_id':'x'");
  sh_link(&s, "l2", "c1", "r2", ",'updated_at':6,'is_active':0");
  sh_link(&s, "l4", "c2", "r4", ",'updated_at':5,'client_id':'x'");
  expect("conversation_links", NULL, 0, 0, "l2 l1 l4");
  expect("links", "{'local_conversation_id':'c1'}", 0, 0, "l2 l1");
  expect("conversation_links", "{'platform':'p','remote_conversation_id':'r4'}", 0, 0, "l4");
  expect("conversation_links", "{'client_id':'x'}", 0, 0, "l1 l4");
  expect("conversation_links", "{'client_id':null}", 0, 0, "l2");
  expect("conversation_links", "{'is_active':0}", 0, 0, "l2");
  expect("conversation_links", "{'is_active':true}", 0, 0, "l1 l4");
}

Test(lists, jobs) {
  sh_conversation(&s, "c1", "");
  for (int i = 1; i <= 5; ++i) {
    char m[16];
    snprintf(m, sizeof m, "m%d", i);
    sh_message(&s, m, i, "");
  }
  sh_job(&s, "j1", "c1", "m1", ",'created_at':1,'updated_at':1,'next_attempt_at':30");
  sh_job(&s, "j2", "c1", "m2", ",'created_at':2,'updated_at':1,'next_attempt_at':20");
  sh_job(&s, "j3", "c1", "m3", ",'created_at':2,'updated_at':2,'next_attempt_at':null");
  sh_job(&s, "j5", "c1", "m4", ",'created_at':1,'updated_at':1,'next_attempt_at':20");
  sh_job(&s, "j4", "c1", "m5",
         ",'created_at':1,'updated_at':1,'next_attempt_at':20,'status':'done'");
  expect("renewal_jobs", NULL, 0, 0, "j3 j2 j1 j4 j5");
  expect("renewal_jobs", "{'next_attempt_at_max':25}", 0, 0, "j4 j5 j2");
  expect("renewal_jobs", "{'next_attempt_at_max':30,'status':'pending'}", 0, 0, "j5 j2 j1");
  expect("renewal_jobs", "{'next_attempt_at_max':30,'status':'pending'}", 1, 1, "j2");
  expect("renewal_jobs", "{'next_attempt_at_max':19}", 0, 0, "");
  expect("renewal_jobs", "{'next_attempt_at_max':null,'status':'pending'}", 0, 0, "j3");
  expect("renewal_jobs", "{'message_id':'m3'}", 0, 0, "j3");
  expect("renewal_jobs", "{'local_conversation_id':'c1','status':'done'}", 0, 0, "j4");
  expect("jobs", "{'job_id':'j5'}", 0, 0, "j5");
}

/* How many there are, by the filters of the list of jobs. */
Test(lists, jobs_are_counted) {
  sh_conversation(&s, "c1", "");
  sh_conversation(&s, "c2", "");
  for (int i = 1; i <= 4; ++i) {
    char m[16];
    snprintf(m, sizeof m, "m%d", i);
    sh_message(&s, m, i, "");
  }
  expect_count("{}", 0);
  sh_job(&s, "j1", "c1", "m1", ",'next_attempt_at':30");
  sh_job(&s, "j2", "c2", "m2", ",'next_attempt_at':20");
  sh_job(&s, "j3", "c1", "m3", ",'next_attempt_at':null");
  sh_job(&s, "j4", "c1", "m4", ",'next_attempt_at':20,'status':'failed','last_error':'no'");
  expect_count("{}", 4);
  expect_count("{'status':'pending'}", 3);
  expect_count("{'status':'pending','local_conversation_id':'c1'}", 2);
  expect_count("{'status':'failed','superseded':'no'}", 1);
  expect_count("{'status':'failed','superseded':'yes'}", 0);
  expect_count("{'status':'pending','platform':'nobody'}", 0);
  expect_refused("job_count", "{'message_id':'m1'}", 0, 0, "unknown_filter");
}

/* What renewd asks for: every pending job is in `upcoming` or comes with SINCE, however brief. */
Test(lists, jobs_as_renewd_needs_them) {
  sh_conversation(&s, "c1", "");
  sh_message(&s, "m1", 1, "");
  for (int i = 2; i <= 7; ++i) {
    char m[16];
    snprintf(m, sizeof m, "m%d", i);
    sh_message(&s, m, i, "");
  }
  sh_job(&s, "hand_b", "c1", "m1", ",'created_at':1,'next_attempt_at':30");
  sh_job(&s, "hand_a", "c1", "m2", ",'created_at':1,'next_attempt_at':30");
  sh_job(&s, "far-1", "c1", "m3", ",'created_at':1,'next_attempt_at':20");
  sh_job(&s, "tried", "c1", "m4", ",'created_at':1,'next_attempt_at':20,'last_attempt_at':1");
  sh_job(&s, "job_x", "c1", "m5", ",'created_at':1,'next_attempt_at':20");
  sh_job(&s, "never", "c1", "m6", ",'created_at':1,'next_attempt_at':null");
  sh_job(&s, "over", "c1", "m7", ",'created_at':1,'next_attempt_at':20,'status':'done'");
  expect("upcoming", "{'next_attempt_at_min':0}", 2, 0, "far-1 hand_a");
  const char *rest = list_on("upcoming", "{'next_attempt_at_min':0}", 2);
  cr_expect_str_eq(rest, "hand_b");
  cr_expect_eq(cursor.len, 0, "that was the last page");
  expect("upcoming", "{'next_attempt_at_min':30}", 0, 0, "hand_a hand_b");
  expect("upcoming", "{'next_attempt_at_min':31}", 0, 0, "");
  struct ck_err err;
  cr_assert_eq(
      db_exec(s.db, "INSERT INTO offers VALUES ('far-1', 'ff1', 'o', '{}', 0, 5, '')", &err), 0);
  expect("offered", NULL, 0, 0, "far-1");
}

Test(lists, system_tables) {
  sh_conversation(&s, "c1", ",'automation_status':'auto'");
  sh_refused(&s, "is not in local_conversations", CK_LINKS,
             "{'link_id':'l','local_conversation_id':'no','platform':'p','observed_at':1}");
  expect("automation", NULL, 0, 0, "c1");
  expect("automation", "{'local_conversation_id':'c2'}", 0, 0, "");
  expect("refusals", "{'producer':'test'}", 0, 0, "test");
  expect("leases", NULL, 0, 0, "");
  expect("dead_letters", NULL, 0, 0, "");
}

Test(lists, limits) {
  for (int i = 0; i < 25; ++i) {
    char m[16];
    snprintf(m, sizeof m, "m%02d", i);
    sh_message(&s, m, 5, "");
  }
  expect("messages", NULL, 0, 0,
         "m00 m01 m02 m03 m04 m05 m06 m07 m08 m09 m10 m11 m12 m13 m14 m15 m16 m17 m18 m19");
  expect("messages", NULL, 0, 20, "m20 m21 m22 m23 m24");
  expect("messages", NULL, 1000, 24, "m24");
  expect_refused("messages", NULL, 1001, 0, "bad_request: query.limit");
  expect_refused("messages", NULL, UINT64_MAX, 0, "bad_request: query.limit");
  expect_refused("messages", NULL, 0, UINT64_MAX, "bad_request: query.offset");
}

Test(lists, unknown_names_and_bad_filters_are_refused_by_name) {
  expect_refused("message", NULL, 0, 0, "unknown_table: 'message' is not a table");
  expect_refused("producers", NULL, 0, 0, "unknown_table");
  expect_refused("store", NULL, 0, 0, "unknown_table");
  expect_refused("", NULL, 0, 0, "unknown_table");
  expect_refused("messages", "{'role':'user'}", 0, 0,
                 "unknown_filter: messages cannot be filtered by 'role'");
  expect_refused("messages", "{'':'user'}", 0, 0, "unknown_filter");
  expect_refused("messages", "{'id platform':'user'}", 0, 0, "unknown_filter");
  expect_refused("messages", "{'1=1; DROP TABLE messages; --':'user'}", 0, 0, "unknown_filter");
  expect_refused("messages", "{'next_attempt_at_max':5}", 0, 0, "unknown_filter");
  expect_refused("renewal_jobs", "{'next_attempt_at':5}", 0, 0, "unknown_filter");
  expect_refused("messages", "{'id':['a']}", 0, 0, "bad_request: query.filters");
  expect_refused("executions", "{'message_id':[[]]}", 0, 0, "bad_request: query.filters");
  expect_refused("messages", "{'id':{}}", 0, 0, "bad_request: query.filters");
  expect_refused("messages", "{'id':1.5}", 0, 0, "bad_request: query.filters");
  expect_refused("messages", "[1]", 0, 0, "bad_request: query.filters");
  expect_refused("messages", "'id'", 0, 0, "bad_request: query.filters");
  expect("messages", "null", 0, 0, "");
}

/* Many equal times: pages of any size put together are the whole list. */
Test(lists, pages_neither_repeat_nor_skip) {
  for (int i = 0; i < 60; ++i) {
    char *json =
        ck_sprintf("{'id':'m%02d','platform':'p','role':'user','raw_text':'','observed_at':%d}",
                   (i * 37) % 60, (int)sh_below(4));
    sh_put(&s, CK_MESSAGES, json);
    free(json);
  }
  sh_apply(&s);
  sh_commit(&s);
  char whole[4096], pages[4096];
  snprintf(whole, sizeof whole, "%s", list("messages", NULL, 1000, 0));
  for (unsigned size = 1; size < 20; ++size) {
    pages[0] = '\0';
    for (unsigned at = 0; at < 60; at += size)
      snprintf(pages + strlen(pages), sizeof pages - strlen(pages), "%s%s", at ? " " : "",
               list("messages", NULL, size, at));
    cr_expect_str_eq(pages, whole);
  }
}

/* Every list goes on where its last answer ended, to its end, in its own order. */
Test(lists, cursors_neither_repeat_nor_skip) {
  static const struct {
    const char *table, *filters;
  } lists[] = {{"messages", NULL},
               {"messages", "{'platform':'p'}"},
               {"messages", "{'since':1,'until':3}"},
               {"messages", "{'conversation_id':'a'}"},
               {"places", "{'conversation_id':'a'}"},
               {"local_conversations", NULL},
               {"local_conversations", "{'sort':'updated'}"},
               {"local_conversations", "{'sort':'created','title':'fish'}"},
               {"conversation_links", NULL},
               {"renewal_jobs", NULL},
               {"renewal_jobs", "{'next_attempt_at_max':3}"},
               {"renewal_jobs", "{'next_attempt_at_max':null}"}};
  static const char *const times[] = {"null", "1", "2", "3"};
  for (int i = 0; i < 60; ++i) {
    char id[16], text[200];
    snprintf(id, sizeof id, "m%02d", (i * 37) % 60);
    sh_message(&s, id, (int)sh_below(4), i % 3 ? ",'conversation_id':'a'" : "");
    snprintf(text, sizeof text, ",'title':'%s','updated_at':%d,'created_at':%d,'newest_at':%d",
             i % 2 ? "Fish" : "tank", (int)sh_below(3), 1 + (int)sh_below(2), (int)sh_below(3));
    id[0] = 'c';
    sh_conversation(&s, id, text);
    snprintf(text, sizeof text,
             "{'job_id':'j%s','local_conversation_id':'%s','message_id':'m%s','payload':'x',"
             "'status':'pending','created_at':%d,'next_attempt_at':%s}",
             id + 1, id, id + 1, (int)sh_below(3), times[sh_below(4)]);
    cr_assert_eq(sh_write(&s, CK_JOBS, text), 'n', "%s", s.reason.text);
  }
  for (size_t i = 0; i < sizeof lists / sizeof *lists; ++i) {
    char whole[4096], pages[4096];
    snprintf(whole, sizeof whole, "%s", list(lists[i].table, lists[i].filters, 1000, 0));
    cr_expect_eq(cursor.len, 0);
    for (unsigned size = 1; size < 20; ++size) {
      snprintf(pages, sizeof pages, "%s", list(lists[i].table, lists[i].filters, size, 0));
      while (cursor.len)
        snprintf(pages + strlen(pages), sizeof pages - strlen(pages), " %s",
                 list_on(lists[i].table, lists[i].filters, size));
      cr_expect_str_eq(pages, whole, "%s %s, %u a page:\n%s\n%s", lists[i].table,
                       lists[i].filters ? lists[i].filters : "", size, pages, whole);
    }
  }
}

/* What comes or goes in between moves no other row to another page. */
Test(lists, a_page_begins_where_the_last_one_ended) {
  for (int i = 0; i < 6; ++i) {
    char id[16];
    snprintf(id, sizeof id, "m%d", i);
    sh_message(&s, id, 10 * i, "");
  }
  expect("messages", NULL, 2, 0, "m5 m4");
  sh_message(&s, "m9", 90, "");
  sh_message(&s, "m3b", 35, "");
  cr_expect_str_eq(list_on("messages", NULL, 2), "m3b m3");
  cr_expect_str_eq(list_on("messages", "{'since':10}", 9), "m2 m1");
}

static void expect_no_cursor(const char *table, const char *filters, const char *after) {
  const char *got = list_after(table, filters, 0, 0, after);
  cr_expect(strncmp(got, "bad_cursor: this cursor is none", 31) == 0, "%s %s: %s", table, after,
            got);
}

/* Also one of another list with as many values, and of this list in another order. */
Test(lists, what_is_no_cursor_is_refused) {
  static const char *const bad[] = {"x",  "0",    "90",       "92",         "9205",
                                    "FF", "93c0", "9205a16d", "92a1ffa16d", "930005a16d"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; ++i) expect_no_cursor("executed", NULL, bad[i]);
  sh_message(&s, "m1", 1, "");
  sh_message(&s, "m2", 2, "");
  sh_conversation(&s, "c1", "");
  sh_conversation(&s, "c2", "");
  expect("messages", NULL, 1, 0, "m2");
  char *after = ck_str_dup(ck_buf_view(&cursor));
  expect_no_cursor("sessions", NULL, after);
  cr_expect_str_eq(list_after("messages", "{'platform':'p'}", 0, 0, after), "m1");
  after[strlen(after) - 2] = '\0';
  expect_no_cursor("messages", NULL, after);
  free(after);
  list("local_conversations", "{'sort':'updated'}", 1, 0);
  after = ck_str_dup(ck_buf_view(&cursor));
  cr_expect(*after);
  expect_no_cursor("local_conversations", "{'sort':'created'}", after);
  expect_no_cursor("local_conversations", NULL, after);
  free(after);
}

/* A row is where it was, whatever has become of it. */
Test(lists, a_cursor_outlives_its_row) {
  sh_conversation(&s, "c", "");
  for (int i = 0; i < 4; ++i) {
    char m[8], job[200];
    snprintf(m, sizeof m, "m%d", i);
    sh_message(&s, m, i, "");
    snprintf(job, sizeof job,
             "{'job_id':'j%d','local_conversation_id':'c','message_id':'m%d','payload':'x',"
             "'status':'pending','created_at':%d,'next_attempt_at':0}",
             i, i, i);
    cr_assert_eq(sh_write(&s, CK_JOBS, job), 'n', "%s", s.reason.text);
  }
  expect("renewal_jobs", "{'status':'pending'}", 2, 0, "j3 j2");
  sh_update(&s, CK_JOBS, "{'job_id':'j2','status':'failed','last_error':'x'}");
  cr_assert_neq(sh_apply(&s), 'r', "%s", s.reason.text);
  cr_assert_eq(sh_commit(&s), 0);
  cr_expect_str_eq(list_on("renewal_jobs", "{'status':'pending'}", 2), "j1 j0");
}

/* Any single record can be asked for, however large; rows that do not fit into a frame are refused,
 * not cut off. */
Test(lists, large_rows) {
  size_t n = (8u << 20) - (66u << 10);
  char *text = ck_alloc(n + 1);
  memset(text, 'x', n);
  text[n] = '\0';
  for (int i = 0; i < 2; ++i) {
    char *json = ck_sprintf(
        "{'id':'m%d','platform':'p','role':'user','raw_text':'%s','observed_at':%d}", i, text, i);
    cr_assert_eq(sh_write(&s, CK_MESSAGES, json), 'n', "%s", s.reason.text);
    free(json);
  }
  free(text);
  expect("messages", "{'id':'m1'}", 0, 0, "m1");
  expect_refused("messages", NULL, 0, 0, "too_large");
  expect("bodies", "{'version':[1,2]}", 0, 0, "m0");
  cr_expect_str_eq(list_on("bodies", "{'version':[1,2]}", 0), "m1");
  cr_expect_eq(cursor.len, 0);
}

/* ---- what a list costs ---- */

static char *traced;

static int trace(unsigned what, void *self, void *statement, void *sql) {
  (void)what, (void)self, (void)sql;
  const char *text = sqlite3_sql(statement);
  if (!traced && strncmp(text, "SELECT", 6) == 0) traced = ck_strdup(text);
  return 0;
}

/* How the rows of a list are chosen: the plan of the part that says which versions, a line each. */
static char *plan_of(const char *table, const char *filters) {
  struct ck_buf plan = {0};
  sqlite3_stmt *explain;
  traced = NULL;
  sqlite3_trace_v2(s.db, SQLITE_TRACE_STMT, trace, NULL);
  const char *got = list(table, filters, 20, 0);
  sqlite3_trace_v2(s.db, 0, NULL, NULL);
  cr_assert(traced, "%s %s: %s", table, filters ? filters : "", got);
  char *sql = ck_sprintf("EXPLAIN QUERY PLAN %s", traced);
  cr_assert_eq(sqlite3_prepare_v2(s.db, sql, -1, &explain, NULL), SQLITE_OK, "%s", sql);
  bool chooses = strstr(traced, "version IN (SELECT");
  while (sqlite3_step(explain) == SQLITE_ROW)
    if (!chooses || sqlite3_column_int(explain, 1)) /* not of the rows that were chosen */
      ck_buf_printf(&plan, "%s\n", (const char *)sqlite3_column_text(explain, 3));
  sqlite3_finalize(explain);
  free(sql);
  free(traced);
  ck_buf_cstr(&plan);
  return plan.data;
}

/* The rows come from this index. ordered: in its order, so that a list ends when it is full; its
 * last columns may have to be sorted among rows of the same time. */
static void expect_plan(const char *table, const char *filters, const char *index, bool ordered) {
  char *plan = plan_of(table, filters);
  const char *what = filters ? filters : "";
  char *by = ck_sprintf("USING INDEX %s", index);
  cr_expect(strstr(plan, by), "%s %s does not go by %s:\n%s", table, what, index, plan);
  cr_expect_eq(!strstr(plan, "USE TEMP B-TREE FOR ORDER BY"), ordered, "%s %s sorts:\n%s", table,
               what, plan);
  free(by);
  free(plan);
}

/* Filters by which only a few rows are found may sort them; all others must not. */
Test(lists, none_is_read_to_its_end) {
  static const struct {
    const char *table, *filters, *index;
    bool sorts;
  } plans[] = {
      {"messages", NULL, "messages_observed", false},
      {"messages", "{'platform':'p'}", "messages_observed", false},
      {"messages", "{'since':5}", "messages_observed", false},
      {"messages", "{'until':5,'since':1,'platform':'p'}", "messages_observed", false},
      {"messages", "{'conversation_id':'c'}", "messages_conversation", false},
      {"messages", "{'conversation_id':'c','platform':'p','until':5}", "messages_conversation",
       false},
      {"executions", NULL, "executions_executed", false},
      {"executions", "{'target':'t'}", "executions_executed", false},
      {"executions", "{'tool':'t','since':5}", "executions_executed", false},
      {"executions", "{'target':'t','tool':'u'}", "executions_executed", false},
      {"executions", "{'message_id':'m'}", "executions_message", true},
      {"sessions", NULL, "sessions_activity", false},
      {"sessions", "{'platform':'p','until':5}", "sessions_activity", false},
      {"sessions", "{'conversation_id':'c'}", "sessions_conversation", true},
      {"local_conversations", NULL, "conversations_last", false},
      {"local_conversations", "{'platform':'p'}", "conversations_last", false},
      {"local_conversations", "{'since':5,'until':9}", "conversations_last", false},
      {"local_conversations", "{'sort':'updated'}", "conversations_updated", false},
      {"local_conversations", "{'sort':'updated','since':5}", "conversations_updated", false},
      {"local_conversations", "{'sort':'updated','platform':'p'}", "conversations_updated", false},
      {"local_conversations", "{'sort':'created'}", "conversations_created", false},
      {"local_conversations", "{'sort':'created','since':5,'platform':'p'}",
       "conversations_created", false},
      {"local_conversations", "{'title':'fish'}", "conversations_last", false},
      {"local_conversations", "{'title':'fish','sort':'created'}", "conversations_created", false},
      {"local_conversations", "{'automation_status':'auto'}", "conversations_status", true},
      {"local_conversations", "{'begins':'chatgpt:'}", "sqlite_autoindex_local_conversations_1",
       true},
      {"conversation_links", "{'local_conversation_id':'c'}", "links_conversation", true},
      {"conversation_links", "{'remote_conversation_id':'c'}",
       "sqlite_autoindex_conversation_links_2", true},
      {"conversation_links", "{'begins':'c'}", "sqlite_autoindex_conversation_links_2", true},
      {"conversation_links", "{'client_id':'c'}", "links_client", true},
      {"conversation_links", NULL, "links_observed", false},
      {"conversation_links", "{'platform':'p'}", "links_observed", false},
      {"conversation_links", "{'platform':'p','remote_conversation_id':'c'}",
       "sqlite_autoindex_conversation_links_2", true},
      {"conversation_links", "{'platform':'p','begins':'c'}",
       "sqlite_autoindex_conversation_links_2", true},
      {"conversation_links", "{'since':5,'until':9}", "links_observed", false},
      {"conversation_links", "{'is_active':1}", "links_observed", false},
      {"renewal_jobs", NULL, "jobs_created", false},
      {"renewal_jobs", "{'since':5}", "jobs_created", false},
      {"renewal_jobs", "{'status':'pending'}", "jobs_listed", false},
      {"renewal_jobs", "{'status':'failed','superseded':'no'}", "jobs_listed", false},
      {"renewal_jobs", "{'status':'pending','next_attempt_at_max':5}", "jobs_status", false},
      {"renewal_jobs", "{'local_conversation_id':'c'}", "jobs_conversation", true},
      {"renewal_jobs", "{'message_id':'m'}", "sqlite_autoindex_renewal_jobs_2", false},
      {"upcoming", "{'next_attempt_at_min':5}", "jobs_status", false},
      {"begun", NULL, "sqlite_autoindex_renewal_jobs_1", false},
      {"waits", "{'kind':'job','id':'j'}", "sqlite_autoindex_waits_1", false},
  };
  for (size_t i = 0; i < sizeof plans / sizeof *plans; ++i)
    expect_plan(plans[i].table, plans[i].filters, plans[i].index, !plans[i].sorts);
}

/* `since` and `until` are about the time by which a list is sorted. */
Test(lists, by_their_times) {
  sh_message(&s, "m1", 10, "");
  sh_message(&s, "m2", 20, "");
  sh_message(&s, "m3", 30, "");
  expect("messages", "{'since':20}", 0, 0, "m3 m2");
  expect("messages", "{'until':20}", 0, 0, "m1");
  expect("messages", "{'since':11,'until':30}", 0, 0, "m2");
}
