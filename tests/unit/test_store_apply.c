/* Changesets applied to a real database: all or nothing, versions without gaps, links, jobs,
 * automation, counts, and what a rollback and a restart leave. */
#include "test_store_help.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static struct sh_store s;

static void open_it(void) { sh_open(&s); }
static void close_it(void) { sh_close(&s); }

TestSuite(apply, .init = open_it, .fini = close_it);

/* Each version above `after` is in exactly one record, except those that a later one replaced; the
 * newest is the head. */
static void check_versions(uint64_t expected_head) {
  cr_expect_eq(apply_head(s.apply), expected_head, "head %llu, not %llu",
               (unsigned long long)apply_head(s.apply), (unsigned long long)expected_head);
  uint64_t stored;
  struct ck_err err;
  cr_expect_eq(db_head(s.db, &stored, &err), 0);
  cr_expect_eq(stored, expected_head, "the database's head %llu, not %llu",
               (unsigned long long)stored, (unsigned long long)expected_head);
}

/* ---- one record ---- */

Test(apply, letters_and_versions) {
  cr_expect_eq(sh_message(&s, "m1", 10, ""), 'n');
  check_versions(1);
  cr_expect_eq(sh_message(&s, "m1", 10, ""), '=');
  check_versions(1);
  cr_expect_eq(sh_message(&s, "m1", 10, ",'summary':' x '"), 'u');
  check_versions(2);
  cr_expect_eq(sh_message(&s, "m1", 10, ",'summary':'x'"), '=');
  sh_refused(&s, "messages.summary must be text", CK_MESSAGES, "{'id':'m1','summary':5}");
  cr_expect_eq(sh_message(&s, "m2", 10, ""), 'n');
  check_versions(3);
  sh_is(&s, CK_MESSAGES, "m1", "summary", "x");
  sh_is(&s, CK_MESSAGES, "m1", "created_at", "1000");
  sh_is(&s, CK_MESSAGES, "m1", "static_path", "msg/1970/01/01/m1.txt");
  cr_expect_eq(sh_int(&s, "SELECT messages FROM store"), 2);
  cr_expect_eq(sh_int(&s, "SELECT applied FROM producers"), 6);
  cr_expect_eq(sh_int(&s, "SELECT refused FROM producers"), 1);
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM refusals WHERE number = 5"), 1);
}

Test(apply, a_no_op_leaves_updated_at) {
  sh_conversation(&s, "c1", ",'title':'t'");
  s.now = 2000;
  cr_expect_eq(sh_conversation(&s, "c1", ",'title':'t','updated_at':1500"), '=');
  sh_is(&s, CK_CONVERSATIONS, "c1", "updated_at", "1000");
  cr_expect_eq(sh_conversation(&s, "c1", ",'title':'u'"), 'u');
  sh_is(&s, CK_CONVERSATIONS, "c1", "updated_at", "2000");
  sh_is(&s, CK_CONVERSATIONS, "c1", "created_at", "1000");
}

/* An older observation must not undo a title that the owner gave later. */
Test(apply, a_title_changes_with_a_new_message_only) {
  const char *said = "{'local_conversation_id':'c1','platform':'p','title':'theirs','last_message_"
                     "id':'m1','last_message_at':10}";
  const char *timeless = "{'local_conversation_id':'c1','platform':'p','title':'theirs','last_"
                         "message_id':'m1','created_at':5}";
  sh_message(&s, "m1", 10, "");
  cr_expect_eq(sh_write(&s, CK_CONVERSATIONS,
                        "{'local_conversation_id':'c1','platform':'p','last_message_id':'m1','last_"
                        "message_at':10}"),
               'n');
  cr_expect_eq(sh_write(&s, CK_CONVERSATIONS, said), 'u', "what is missing is filled");
  sh_update(&s, CK_CONVERSATIONS, "{'local_conversation_id':'c1','title':'mine'}");
  cr_expect_eq(sh_apply(&s), 'u');
  cr_expect_eq(sh_commit(&s), 0);
  cr_expect_eq(sh_write(&s, CK_CONVERSATIONS, said), '=');
  cr_expect_eq(sh_write(&s, CK_CONVERSATIONS, timeless), '=');
  sh_is(&s, CK_CONVERSATIONS, "c1", "title", "mine");
  sh_put(&s, CK_MESSAGES,
         "{'id':'m2','platform':'p','role':'user','raw_text':'x','observed_at':10}");
  sh_put(&s, CK_CONVERSATIONS,
         "{'local_conversation_id':'c1','platform':'p','title':'new','last_message_id':'m2','last_"
         "message_at':10}");
  cr_expect_eq(sh_apply(&s), 'n');
  cr_expect_eq(sh_commit(&s), 0);
  sh_is(&s, CK_CONVERSATIONS, "c1", "title", "new");
}

Test(apply, what_is_refused_names_field_and_place) {
  sh_refused(&s, "messages has no column \"colour\"", CK_MESSAGES, "{'id':'m1','colour':'red'}");
  sh_refused(&s, "messages.id: is required", CK_MESSAGES, "{'role':'user'}");
  sh_refused(&s, "messages.role: is required (id m1)", CK_MESSAGES,
             "{'id':'m1','platform':'p','raw_text':'','observed_at':1}");
  sh_refused(&s, "messages.observed_at must be an integer", CK_MESSAGES,
             "{'id':'m1','observed_at':'5'}");
  sh_refused(&s, "executions.message_id: 'm9' is not in messages", CK_EXECUTIONS,
             "{'instruction_id':'e1','message_id':'m9','target':'t','tool':'u','result_ok':1,'"
             "executed_at':1}");
  struct ck_mutation m = {.kind = CK_OP_PUT};
  m.as.put = (struct ck_put){CK_LIT("producers"), CK_LIT("\x80")};
  sh_mutate(&s, &m);
  cr_expect_eq(sh_apply(&s), 'r');
  cr_expect(strstr(s.reason.text, "'producers' is not a table"), "%s", s.reason.text);
  sh_commit(&s);
  check_versions(0);
}

/* ---- all or none ---- */

static void put_everything(void) {
  sh_put(&s, CK_MESSAGES,
         "{'id':'m1','platform':'p','role':'user','raw_text':'','observed_at':10}");
  sh_put(&s, CK_EXECUTIONS,
         "{'instruction_id':'e1','message_id':'m1','target':'t','tool':'u','result_ok':true,'"
         "executed_at':10}");
  sh_put(&s, CK_SESSIONS, "{'id':'s1','platform':'p','started_at':10,'last_activity_at':10}");
  sh_put(&s, CK_CONVERSATIONS,
         "{'local_conversation_id':'c1','platform':'p','automation_status':'auto','last_message_id'"
         ":'m1','last_message_at':10}");
  sh_put(&s, CK_LINKS,
         "{'link_id':'l1','local_conversation_id':'c1','platform':'p','remote_conversation_id':'r1'"
         ",'observed_at':10}");
  sh_put(&s, CK_JOBS,
         "{'job_id':'j1','local_conversation_id':'c1','message_id':'m1','payload':'go on'}");
}

static int64_t rows(void) {
  return sh_int(&s,
                "SELECT (SELECT count(*) FROM messages) + (SELECT count(*) FROM executions) +"
                " (SELECT count(*) FROM sessions) + (SELECT count(*) FROM local_conversations) +"
                " (SELECT count(*) FROM conversation_links) + (SELECT count(*) FROM renewal_jobs) +"
                " (SELECT count(*) FROM automation) + (SELECT count(*) FROM leases) +"
                " (SELECT count(*) FROM cursors) + (SELECT count(*) FROM dead_letters)");
}

static struct ck_mutation claim_of(const char *job, const char *token, int64_t at) {
  struct ck_mutation m = {.kind = CK_OP_CLAIM};
  m.as.claim = (struct ck_claim){ck_str_of(job), ck_str_of(token), at};
  return m;
}

static struct ck_mutation end_of(const char *job, uint64_t attempt, const char *token,
                                 const char *outcome) {
  struct ck_mutation m = {.kind = CK_OP_END};
  m.as.end = (struct ck_end){.job_id = ck_str_of(job),
                             .attempt = attempt,
                             .token = ck_str_of(token),
                             .outcome = ck_str_of(outcome),
                             .at = 5000};
  return m;
}

Test(apply, all_or_none_across_all_tables) {
  struct ck_mutation claim = claim_of("j1", "token", 5), cursor = {.kind = CK_OP_CURSOR},
                     publish = {.kind = CK_OP_PUBLISH};
  cursor.as.cursor = (struct ck_cursor){CK_LIT("f"), CK_LIT("store"), 5};
  publish.as.publish = (struct ck_publish){CK_LIT("browser"), CK_LIT("{}")};
  put_everything();
  sh_mutate(&s, &claim);
  sh_mutate(&s, &cursor);
  sh_mutate(&s, &publish);
  sh_put(&s, CK_EXECUTIONS,
         "{'instruction_id':'e2','message_id':'none','target':'t','tool':'u','result_ok':true,'"
         "executed_at':10}");
  cr_expect_eq(sh_apply(&s), 'r');
  cr_expect(strstr(s.reason.text, "executions.message_id: 'none' is not in messages"), "%s",
            s.reason.text);
  cr_assert_eq(sh_commit(&s), 0);
  check_versions(0);
  cr_expect_eq(rows(), 0);
  size_t n;
  apply_published(s.apply, &n);
  cr_expect_eq(n, 0);
  cr_expect_eq(sh_int(&s, "SELECT messages + executions + sessions + local_conversations +"
                          " conversation_links + renewal_jobs FROM store"),
               0);
  put_everything();
  sh_mutate(&s, &claim);
  sh_mutate(&s, &publish);
  cr_expect_eq(sh_apply(&s), 'n', "%s", s.reason.text);
  const struct published *p = apply_published(s.apply, &n);
  cr_assert_eq(n, 1);
  cr_expect(ck_str_is(p->client_id, "browser") && ck_str_is(p->body, "{}"));
  cr_assert_eq(sh_commit(&s), 0);
  cr_expect_eq(rows(), 8);
  check_versions(7);
  cr_expect_eq(sh_int(&s, "SELECT messages + executions + sessions + local_conversations + "
                          "conversation_links + renewal_jobs FROM store"),
               6);
}

Test(apply, many_changesets_a_commit_and_a_refused_one_harms_no_other) {
  put_everything();
  cr_expect_eq(sh_apply(&s), 'n');
  sh_put(&s, CK_MESSAGES, "{'id':'m1','summary':'lost'}");
  sh_update(&s, CK_CONVERSATIONS, "{'local_conversation_id':'c1','automation_status':'manual'}");
  sh_put(&s, CK_LINKS, "{'link_id':'l1','remote_conversation_id':'r2'}");
  sh_put(&s, CK_LINKS,
         "{'link_id':'l2','local_conversation_id':'c9','platform':'p','observed_at':1}");
  cr_expect_eq(sh_apply(&s), 'r');
  sh_put(&s, CK_MESSAGES, "{'id':'m1','page_url':'kept'}");
  sh_put(&s, CK_LINKS,
         "{'link_id':'other','local_conversation_id':'c1','platform':'p','remote_conversation_id':'"
         "r1','observed_at':11,'page_title':'t'}");
  cr_expect_eq(sh_apply(&s), 'u', "%s", s.reason.text);
  cr_assert_eq(sh_commit(&s), 0, "%s", s.reason.text);
  check_versions(8);
  sh_is(&s, CK_MESSAGES, "m1", "summary", "NULL");
  sh_is(&s, CK_MESSAGES, "m1", "page_url", "kept");
  sh_is(&s, CK_CONVERSATIONS, "c1", "automation_status", "auto");
  sh_is(&s, CK_LINKS, "l1", "page_title", "t");
  sh_is(&s, CK_LINKS, "l1", "remote_conversation_id", "r1");
  sh_is(&s, CK_LINKS, "other", "page_title", "none");
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM automation WHERE baseline_message_id = 'm1'"), 1);
}

Test(apply, what_is_broken_is_refused_whole) {
  static const unsigned char broken[][8] = {{0x91, 0x01},
                                            {0x92, 0x63, 0xc0},
                                            {0xc0},
                                            {0x93, 0x01, 0xa1, 'x', 0x80},
                                            {0x93, 0x01, 0xa4, 'j', 'o', 'b', 's', 0xc0}};
  static const size_t sizes[] = {2, 3, 1, 5, 8};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; ++i) {
    sh_put(&s, CK_MESSAGES,
           "{'id':'m1','platform':'p','role':'user','raw_text':'','observed_at':10}");
    ck_buf_add(&s.mutations, broken[i], sizes[i]);
    ++s.count;
    cr_expect_eq(sh_apply(&s), 'r', "%zu", i);
    cr_expect_neq(s.reason.text[0], '\0');
    cr_assert_eq(sh_commit(&s), 0);
  }
  cr_expect_eq(rows(), 0);
}

Test(apply, a_record_fits_into_a_frame) {
  size_t n = CK_FRAME_MAX - (66u << 10);
  char *text = ck_alloc(n + 1), *json;
  memset(text, 'x', n);
  text[n] = '\0';
  json =
      ck_sprintf("{'id':'m1','platform':'p','role':'user','raw_text':'%s','observed_at':1}", text);
  cr_expect_eq(sh_write(&s, CK_MESSAGES, json), 'n', "%s", s.reason.text);
  free(json);
  text[4000] = '\0';
  json = ck_sprintf("{'id':'m1','page_title':'%s'}", text);
  sh_refused(&s, "messages: the record has ", CK_MESSAGES, json);
  free(json);
  free(text);
}

/* ---- counts ---- */

static void put_observation(const char *message, const char *execution, int64_t at,
                            const char *more) {
  char *json =
      ck_sprintf("{'id':'%s','platform':'p','role':'user','raw_text':'','observed_at':%" PRId64 "}",
                 message, at);
  sh_put(&s, CK_MESSAGES, json);
  free(json);
  if (execution) {
    json = ck_sprintf("{'instruction_id':'%s','message_id':'%s','target':'t','tool':'u','result_ok'"
                      ":1,'executed_at':%" PRId64 "}",
                      execution, message, at);
    sh_put(&s, CK_EXECUTIONS, json);
    free(json);
  }
  json = ck_sprintf("{'id':'s1','platform':'p','started_at':%" PRId64 ",'last_activity_at':%" PRId64
                    "%s}",
                    at, at, more);
  sh_put(&s, CK_SESSIONS, json);
  free(json);
}

static void expect_counts(const char *messages, const char *executions) {
  sh_is(&s, CK_SESSIONS, "s1", "message_count", messages);
  sh_is(&s, CK_SESSIONS, "s1", "execution_count", executions);
}

Test(apply, a_session_counts_what_is_new) {
  put_observation("m1", "e1", 10, "");
  cr_expect_eq(sh_apply(&s), 'n');
  put_observation("m2", NULL, 20, "");
  cr_expect_eq(sh_apply(&s), 'n');
  sh_commit(&s);
  expect_counts("2", "1");
  uint64_t head = apply_head(s.apply);
  put_observation("m1", "e1", 10, "");
  put_observation("m2", NULL, 20, "");
  cr_expect_eq(sh_apply(&s), '=');
  sh_commit(&s);
  expect_counts("2", "1");
  cr_expect_eq(apply_head(s.apply), head);
  /* late, but counted */
  put_observation("m0", "e0", 5, ",'summary':'late'");
  cr_expect_eq(sh_apply(&s), 'n');
  sh_commit(&s);
  expect_counts("3", "2");
  sh_is(&s, CK_SESSIONS, "s1", "started_at", "5");
  sh_is(&s, CK_SESSIONS, "s1", "last_activity_at", "20");
  /* given counts are accepted, late ones are not */
  put_observation("m3", NULL, 30, ",'message_count':50");
  cr_expect_eq(sh_apply(&s), 'n');
  sh_commit(&s);
  expect_counts("50", "2");
  put_observation("m4", NULL, 29, ",'message_count':7,'execution_count':7");
  put_observation("m5", NULL, 29, ",'execution_count':8");
  cr_expect_eq(sh_apply(&s), 'n');
  sh_commit(&s);
  expect_counts("50", "2");
  /* refused ones are not counted */
  put_observation("m6", NULL, 40, "");
  sh_put(&s, CK_MESSAGES, "{}");
  cr_expect_eq(sh_apply(&s), 'r');
  put_observation("m7", NULL, 41, "");
  cr_expect_eq(sh_apply(&s), 'n');
  sh_commit(&s);
  expect_counts("51", "2");
}

Test(apply, on_equal_times_the_new_message_is_the_last) {
  sh_conversation(&s, "c1", ",'last_message_id':'m1','last_message_at':10");
  sh_message(&s, "m2", 10, "");
  cr_expect_eq(sh_conversation(&s, "c1", ",'last_message_id':'m2','last_message_at':10"), '=');
  sh_put(&s, CK_MESSAGES,
         "{'id':'m3','platform':'p','role':'user','raw_text':'','observed_at':10}");
  sh_put(
      &s, CK_CONVERSATIONS,
      "{'local_conversation_id':'c1','platform':'p','last_message_id':'m3','last_message_at':10}");
  cr_expect_eq(sh_apply(&s), 'n');
  sh_put(
      &s, CK_CONVERSATIONS,
      "{'local_conversation_id':'c1','platform':'p','last_message_id':'m2','last_message_at':10}");
  cr_expect_eq(sh_apply(&s), '=');
  sh_commit(&s);
  sh_is(&s, CK_CONVERSATIONS, "c1", "last_message_id", "m3");
}

/* ---- links ---- */

static void two_links(void) {
  sh_conversation(&s, "c1", "");
  sh_conversation(&s, "c2", "");
  cr_assert_eq(sh_link(&s, "l1", "c1", "r1", ""), 'n');
  cr_assert_eq(sh_link(&s, "l2", "c1", "r2", ""), 'n');
}

static void put_link(const char *id, const char *remote, const char *more) {
  char *json = ck_sprintf("{'link_id':'%s','local_conversation_id':'c1','platform':'p','remote_"
                          "conversation_id':%s,'observed_at':10%s}",
                          id, remote, more);
  sh_put(&s, CK_LINKS, json);
  free(json);
}

Test(apply, a_link_is_found_by_its_remote_id_first) {
  two_links();
  cr_expect_eq(sh_link(&s, "another", "c2", "r1", ",'page_title':'t'"), 'u');
  sh_is(&s, CK_LINKS, "l1", "page_title", "t");
  sh_is(&s, CK_LINKS, "l1", "local_conversation_id", "c2");
  sh_is(&s, CK_LINKS, "another", "page_title", "none");
  cr_expect_eq(sh_link(&s, "l1", "c1", "r2", ",'page_title':'second'"), 'u',
               "r2 is l2's, whatever id comes");
  sh_is(&s, CK_LINKS, "l2", "page_title", "second");
  cr_expect_eq(sh_link(&s, "l1", "c1", "r9", ""), 'u', "nobody has r9: by link_id");
  sh_is(&s, CK_LINKS, "l1", "remote_conversation_id", "r9");
  cr_expect_eq(sh_link(&s, "l3", "c1", "r1", ""), 'n', "r1 is free again");
  cr_expect_eq(sh_write(&s, CK_LINKS,
                        "{'link_id':'q1','local_conversation_id':'c1','platform':'q','remote_"
                        "conversation_id':'r1','observed_at':1}"),
               'n', "of another platform");
}

Test(apply, links_within_one_changeset) {
  sh_conversation(&s, "c1", "");
  put_link("a", "'r1'", "");
  put_link("b", "'r1'", ",'page_title':'t'");
  put_link("a", "'r2'", "");
  put_link("c", "'r1'", "");
  cr_expect_eq(sh_apply(&s), 'n', "%s", s.reason.text);
  cr_assert_eq(sh_commit(&s), 0, "%s", s.reason.text);
  sh_is(&s, CK_LINKS, "a", "remote_conversation_id", "r2");
  sh_is(&s, CK_LINKS, "a", "page_title", "t");
  sh_is(&s, CK_LINKS, "c", "remote_conversation_id", "r1");
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM conversation_links"), 2);
}

/* Unique keys go round in a ring: no key has two holders at any moment, although in order of
 * version it would. */
Test(apply, links_hand_on_their_remote_ids) {
  two_links();
  for (int together = 0; together < 2; ++together) {
    put_link("l1", "'r3'", "");
    if (!together) cr_expect_eq(sh_apply(&s), 'u', "%s", s.reason.text);
    put_link("l2", together ? "'r2'" : "'r1'", "");
    if (!together) cr_expect_eq(sh_apply(&s), 'u', "%s", s.reason.text);
    put_link("l1", together ? "'r1'" : "'r2'", "");
    cr_expect_eq(sh_apply(&s), 'u', "%s", s.reason.text);
    cr_assert_eq(sh_commit(&s), 0, "%s", s.reason.text);
    sh_is(&s, CK_LINKS, "l1", "remote_conversation_id", together ? "r1" : "r2");
    sh_is(&s, CK_LINKS, "l2", "remote_conversation_id", together ? "r2" : "r1");
  }
  /* the one that gave its key up changes again after the other took it */
  put_link("l1", "'r5'", "");
  put_link("l2", "'r1'", "");
  put_link("l1", "'r5'", ",'page_title':'again'");
  cr_expect_eq(sh_apply(&s), 'u', "%s", s.reason.text);
  cr_assert_eq(sh_commit(&s), 0, "%s", s.reason.text);
  sh_is(&s, CK_LINKS, "l2", "remote_conversation_id", "r1");
  sh_reopen(&s);
  put_link("l2", "null", "");
  put_link("l1", "'r1'", "");
  cr_expect_eq(sh_apply(&s), 'u', "%s", s.reason.text);
  cr_assert_eq(sh_commit(&s), 0, "%s", s.reason.text);
  sh_is(&s, CK_LINKS, "l1", "remote_conversation_id", "r1");
}

Test(apply, no_two_links_have_one_remote_id) {
  two_links();
  sh_update(&s, CK_LINKS, "{'link_id':'l2','remote_conversation_id':'r1'}");
  cr_expect_eq(sh_apply(&s), 'r');
  cr_expect(strstr(s.reason.text, "conversation_links.remote_conversation_id: belongs to another "
                                  "link of this platform (l1)"),
            "%s", s.reason.text);
  sh_write(&s, CK_LINKS,
           "{'link_id':'q1','local_conversation_id':'c1','platform':'q','remote_conversation_id':'"
           "r1','observed_at':1}");
  sh_refused(&s, "conversation_links.remote_conversation_id: belongs to another link", CK_LINKS,
             "{'link_id':'q1','platform':'p'}");
  sh_is(&s, CK_LINKS, "q1", "platform", "q");
}

/* ---- jobs ---- */

static void one_job(const char *more) {
  sh_conversation(&s, "c1", "");
  sh_message(&s, "m1", 10, "");
  cr_assert_eq(sh_job(&s, "j1", "c1", "m1", more), 'n');
}

static char mutate(struct ck_mutation m) {
  sh_mutate(&s, &m);
  char letter = sh_apply(&s);
  cr_assert_eq(sh_commit(&s), 0, "%s", s.reason.text);
  return letter;
}

#define refused(m, part) \
  do { \
    cr_expect_eq(mutate(m), 'r'); \
    cr_expect(strstr(s.reason.text, part), "%s", s.reason.text); \
  } while (0)

Test(apply, a_message_is_followed_up_at_most_once) {
  one_job("");
  cr_expect_eq(sh_job(&s, "j1", "c1", "m1", ",'payload_kind':'json'"), '=',
               "the same again is no update");
  sh_refused(&s, "renewal_jobs.message_id: the message already has a job (j1)", CK_JOBS,
             "{'job_id':'j2','local_conversation_id':'c1','message_id':'m1','payload':'x'}");
  sh_message(&s, "m2", 10, "");
  sh_refused(&s, "renewal_jobs.job_id: this id belongs to a job for another message", CK_JOBS,
             "{'job_id':'j1','local_conversation_id':'c1','message_id':'m2','payload':'x'}");
  sh_refused(&s, "renewal_jobs.message_id: 'm9' is not in messages", CK_JOBS,
             "{'job_id':'j2','local_conversation_id':'c1','message_id':'m9','payload':'x'}");
  sh_refused(&s, "renewal_jobs.local_conversation_id: 'c9' is not in local_conversations", CK_JOBS,
             "{'job_id':'j2','local_conversation_id':'c9','message_id':'m2','payload':'x'}");
  sh_reopen(&s);
  sh_refused(&s, "the message already has a job (j1)", CK_JOBS,
             "{'job_id':'j2','local_conversation_id':'c1','message_id':'m1','payload':'x'}");
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM renewal_jobs"), 1);
}

Test(apply, a_job_is_updated_only_if_it_exists) {
  one_job("");
  sh_update(&s, CK_JOBS, "{'job_id':'j9','status':'done'}");
  cr_expect_eq(sh_apply(&s), 'r');
  cr_expect(strstr(s.reason.text, "renewal_jobs.job_id: there is no 'j9' to update"), "%s",
            s.reason.text);
  sh_update(&s, CK_JOBS, "{'job_id':'j1','status':'done','created_at':1}");
  cr_expect_eq(sh_apply(&s), 'u');
  sh_update(&s, CK_JOBS, "{'job_id':'j1','message_id':'m2'}");
  cr_expect_eq(sh_apply(&s), 'r');
  sh_commit(&s);
  sh_is(&s, CK_JOBS, "j1", "status", "done");
  sh_is(&s, CK_JOBS, "j1", "created_at", "1000");
}

Test(apply, a_job_s_life) {
  one_job("");
  refused(end_of("j1", 1, "t1", "done"), "end.token: the attempt is not the job's current one");
  refused(claim_of("j1", "", 2000), "claim.token");
  refused(claim_of("j9", "t1", 2000), "there is no 'j9'");
  cr_expect_eq(mutate(claim_of("j1", "t1", 2000)), 'u');
  sh_is(&s, CK_JOBS, "j1", "status", "running");
  sh_is(&s, CK_JOBS, "j1", "attempt_count", "1");
  sh_is(&s, CK_JOBS, "j1", "started_at", "2000");
  sh_is(&s, CK_JOBS, "j1", "last_attempt_at", "2000");
  refused(claim_of("j1", "t2", 2000), "renewal_jobs.status: the job is running, not pending");
  refused(end_of("j1", 1, "t2", "done"), "end.token");
  refused(end_of("j1", 2, "t1", "done"), "end.token");
  refused(end_of("j1", 1, "t1", "well"), "end.outcome: 'well' is not one of");
  struct ck_mutation retry = end_of("j1", 1, "t1", "retry");
  retry.as.end.error = CK_LIT(" timeout ");
  retry.as.end.next_attempt_at = 7000;
  retry.as.end.log_path = CK_LIT("logs/x");
  cr_expect_eq(mutate(retry), 'u');
  sh_is(&s, CK_JOBS, "j1", "status", "pending");
  sh_is(&s, CK_JOBS, "j1", "next_attempt_at", "7000");
  sh_is(&s, CK_JOBS, "j1", "last_error", "timeout");
  sh_is(&s, CK_JOBS, "j1", "log_path", "logs/x");
  refused(retry, "end.token");
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM leases"), 0);
  cr_expect_eq(mutate(claim_of("j1", "t2", 8000)), 'u');
  struct ck_mutation done = end_of("j1", 2, "t2", "done");
  done.as.end.cooldown_until = 9000;
  cr_expect_eq(mutate(done), 'u');
  sh_is(&s, CK_JOBS, "j1", "status", "done");
  sh_is(&s, CK_JOBS, "j1", "attempt_count", "2");
  sh_is(&s, CK_JOBS, "j1", "started_at", "2000");
  sh_is(&s, CK_JOBS, "j1", "finished_at", "5000");
  sh_is(&s, CK_JOBS, "j1", "next_attempt_at", "NULL");
  sh_is(&s, CK_JOBS, "j1", "last_error", "NULL");
  sh_is(&s, CK_CONVERSATIONS, "c1", "cooldown_until", "9000");
  refused(claim_of("j1", "t3", 9000), "the job is done, not pending");
}

Test(apply, an_attempt_whose_end_is_unknown_waits) {
  one_job("");
  mutate(claim_of("j1", "t1", 2000));
  cr_expect_eq(mutate(end_of("j1", 1, "t1", "unknown")), 'u');
  sh_is(&s, CK_JOBS, "j1", "status", "running");
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM leases WHERE state = 'unknown' AND attempt = 1"),
               1);
  refused(claim_of("j1", "t2", 3000), "not pending");
  sh_reopen(&s);
  struct ck_mutation released = end_of("j1", 1, "t1", "released");
  released.as.end.next_attempt_at = 6000;
  cr_expect_eq(mutate(released), 'u');
  sh_is(&s, CK_JOBS, "j1", "status", "pending");
  sh_is(&s, CK_JOBS, "j1", "attempt_count", "0");
  sh_is(&s, CK_JOBS, "j1", "next_attempt_at", "6000");
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM leases"), 0);
}

/* An update that ends a running job ends its attempt too: a late END of the attempt is refused. */
Test(apply, an_update_that_ends_a_job_ends_its_attempt) {
  one_job("");
  mutate(claim_of("j1", "t1", 2000));
  mutate(end_of("j1", 1, "t1", "unknown"));
  sh_update(&s, CK_JOBS, "{'job_id':'j1','status':'failed','attempt_count':0}");
  cr_expect_eq(sh_apply(&s), 'u');
  sh_commit(&s);
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM leases"), 0);
  refused(end_of("j1", 1, "t1", "done"), "end.token");
  sh_is(&s, CK_JOBS, "j1", "status", "failed");
}

Test(apply, released_never_makes_the_count_negative) {
  one_job("");
  mutate(claim_of("j1", "t1", 2000));
  sh_update(&s, CK_JOBS, "{'job_id':'j1','attempt_count':0}");
  cr_expect_eq(sh_apply(&s), 'u');
  sh_commit(&s);
  cr_expect_eq(mutate(end_of("j1", 1, "t1", "released")), 'u', "%s", s.reason.text);
  sh_is(&s, CK_JOBS, "j1", "attempt_count", "0");
}

/* Claimed, released and ended by hand in one changeset: the lease begins and ends within it, and a
 * refusal undoes it. */
Test(apply, leases_obey_their_changeset) {
  one_job("");
  struct ck_mutation claim = claim_of("j1", "t1", 2000), end = end_of("j1", 1, "t1", "released"),
                     wrong = end_of("j1", 1, "t9", "done");
  sh_mutate(&s, &claim);
  sh_mutate(&s, &wrong);
  cr_expect_eq(sh_apply(&s), 'r');
  sh_commit(&s);
  sh_is(&s, CK_JOBS, "j1", "status", "pending");
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM leases"), 0);
  sh_mutate(&s, &claim);
  sh_mutate(&s, &end);
  sh_update(&s, CK_JOBS, "{'job_id':'j1','status':'failed'}");
  cr_expect_eq(sh_apply(&s), 'u', "%s", s.reason.text);
  sh_commit(&s);
  sh_is(&s, CK_JOBS, "j1", "status", "failed");
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM leases"), 0);
}

/* ---- automation ---- */

Test(apply, automation_begins_after_the_last_message) {
  sh_conversation(&s, "c1", ",'last_message_id':'m5','last_message_at':10");
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM automation"), 0);
  sh_conversation(&s, "c1", ",'automation_status':'auto'");
  cr_expect_eq(sh_int(&s, "SELECT since FROM automation WHERE baseline_message_id = 'm5'"),
               (int64_t)apply_head(s.apply));
  sh_conversation(&s, "c1", ",'last_message_id':'m6','last_message_at':20");
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM automation WHERE baseline_message_id = 'm5'"), 1,
               "stays while it is on auto");
  sh_conversation(&s, "c1", ",'automation_status':'paused'");
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM automation"), 0);
  sh_conversation(&s, "c1", ",'automation_status':'auto'");
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM automation WHERE baseline_message_id = 'm6'"), 1);
  sh_conversation(&s, "c2", ",'automation_status':'auto'");
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM automation WHERE baseline_message_id IS NULL"), 1);
}

/* ---- sync ---- */

static struct lease grant(struct leases *l, uint64_t upto, int64_t now) {
  size_t in_flight;
  return leases_grant(l, leases_next(l, &in_flight), upto, now);
}

static struct ck_mutation synced(struct lease l) {
  static const unsigned char none = 0x90;
  struct ck_mutation m = {.kind = CK_OP_SYNCED};
  m.as.synced =
      (struct ck_synced){CK_LIT("sqlite"), l.generation, l.after, l.upto, {(const char *)&none, 1}};
  return m;
}

Test(apply, a_sync_lease_ends_with_its_commit) {
  for (int i = 0; i < 4; ++i) {
    char id[16];
    snprintf(id, sizeof id, "m%d", i);
    sh_message(&s, id, 1, "");
  }
  struct lease a = grant(s.leases, 2, 0), b = grant(s.leases, 4, 0);
  struct ck_mutation end_a = synced(a), end_b = synced(b);
  /* with a refused changeset */
  sh_mutate(&s, &end_a);
  sh_put(&s, CK_MESSAGES, "{}");
  cr_expect_eq(sh_apply(&s), 'r');
  sh_commit(&s);
  cr_expect_eq(leases_cursor(s.leases), 0);
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM sinks"), 0);
  /* with a batch that is abandoned */
  sh_mutate(&s, &end_a);
  cr_expect_eq(sh_apply(&s), '=', "%s", s.reason.text);
  apply_abandon(s.apply);
  s.begun = false;
  cr_expect_eq(leases_cursor(s.leases), 0);
  /* then both in one commit, the later one first */
  cr_expect_eq(mutate(end_b), '=', "%s", s.reason.text);
  cr_expect_eq(leases_cursor(s.leases), 0);
  cr_expect_eq(mutate(end_a), '=', "%s", s.reason.text);
  cr_expect_eq(leases_cursor(s.leases), 4);
  cr_expect_eq(sh_int(&s, "SELECT cursor FROM sinks WHERE name = 'sqlite'"), 4);
  refused(end_a, "synced.generation");
  struct ck_mutation bad = synced(a);
  bad.as.synced.dead = (struct ck_str){"\x91\x91\xa1x", 4};
  refused(bad, "synced.dead[0]");
}

Test(apply, a_backfill_begins_with_its_commit) {
  struct ck_mutation m = {.kind = CK_OP_BACKFILL};
  uint64_t after, upto;
  m.as.backfill.sink = CK_LIT("d1");
  sh_message(&s, "m1", 1, "");
  sh_message(&s, "m2", 1, "");
  refused(m, "backfill.sink");
  apply_set_mirror(s.apply, "d1:db");
  struct lease a = grant(s.leases, 1, 0), b = grant(s.leases, 2, 0);
  struct ck_mutation end_a = synced(a), end_b = synced(b);
  cr_expect_eq(mutate(end_a), '=', "%s", s.reason.text);
  cr_expect_eq(leases_cursor(s.leases), 1);
  /* with a batch that is abandoned */
  sh_mutate(&s, &m);
  cr_expect_eq(sh_apply(&s), '=', "%s", s.reason.text);
  apply_abandon(s.apply);
  s.begun = false;
  cr_expect_eq(leases_cursor(s.leases), 1);
  /* then with an outcome from before in the same commit */
  sh_mutate(&s, &m);
  cr_expect_eq(sh_apply(&s), '=', "%s", s.reason.text);
  sh_mutate(&s, &end_b);
  cr_expect_eq(sh_apply(&s), 'r');
  cr_assert_eq(sh_commit(&s), 0);
  cr_expect_eq(sh_int(&s, "SELECT cursor FROM sinks WHERE name = 'd1:db'"), 0);
  cr_assert(leases_backlog_next(s.leases, true, &after, &upto) && after == 0 && upto == 2);
  /* Again while it is under way: no effect. */
  struct lease piece = leases_grant(s.leases, 0, 1, 0);
  struct ck_mutation end_piece = synced(piece);
  cr_expect_eq(mutate(end_piece), '=', "%s", s.reason.text);
  cr_expect_eq(mutate(m), '=');
  cr_expect_eq(leases_cursor(s.leases), 1);
}

/* ---- commits that fail ---- */

/* A constraint of the database that the rules do not know. */
static void forbid(const char *id) {
  struct ck_err err;
  char *sql = ck_sprintf("CREATE TRIGGER forbidden BEFORE INSERT ON messages WHEN new.id = '%s' "
                         "BEGIN SELECT RAISE(ABORT, 'forbidden'); END",
                         id);
  cr_assert_eq(db_exec(s.db, sql, &err), 0, "%s", err.text);
  free(sql);
}

Test(apply, a_retry_gives_the_record_a_new_version_and_forgets_the_dead_letter) {
  struct ck_mutation m = {.kind = CK_OP_RETRY};
  m.as.retry = (struct ck_retry){CK_LIT("d1"), CK_LIT("messages"), CK_LIT("m1")};
  sh_message(&s, "m1", 10, "");
  sh_message(&s, "m2", 10, "");
  cr_assert_eq(
      sqlite3_exec(s.db,
                   "INSERT INTO dead_letters VALUES"
                   " ('d1', 'messages', 'm1', 1, 'r', 1), ('null', 'messages', 'm1', 1, 'r', 1)",
                   NULL, NULL, NULL),
      0);
  sh_mutate(&s, &m);
  cr_expect_eq(sh_apply(&s), 'u');
  cr_assert_eq(sh_commit(&s), 0);
  cr_expect_eq(sh_int(&s, "SELECT version FROM messages WHERE id = 'm1'"), 3);
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM dead_letters"), 1,
               "the other sink's is not this one's");
  sh_mutate(&s, &m);
  cr_expect_eq(sh_apply(&s), '=');
  cr_assert_eq(sh_commit(&s), 0);
  m.as.retry.table = CK_LIT("sinks");
  refused(m, "retry.table");
}

Test(apply, a_constraint_undoes_the_batch_and_it_goes_on) {
  sh_conversation(&s, "c1", ",'title':'before'");
  forbid("bad");
  sh_update(&s, CK_CONVERSATIONS, "{'local_conversation_id':'c1','title':'with'}");
  cr_expect_eq(sh_apply(&s), 'u');
  sh_put(&s, CK_MESSAGES,
         "{'id':'good','platform':'p','role':'user','raw_text':'','observed_at':10}");
  cr_expect_eq(sh_apply(&s), 'n');
  sh_put(&s, CK_MESSAGES,
         "{'id':'bad','platform':'p','role':'user','raw_text':'','observed_at':10}");
  cr_expect_eq(sh_apply(&s), 'n');
  cr_expect_eq(sh_commit(&s), 1);
  cr_expect(strstr(s.reason.text, "forbidden"), "%s", s.reason.text);
  check_versions(1);
  cr_expect_eq(sh_int(&s, "SELECT applied FROM producers"), 1);
  sh_is(&s, CK_CONVERSATIONS, "c1", "title", "before");
  cr_expect_eq(sh_message(&s, "good", 10, ""), 'n');
  cr_expect_eq(sh_conversation(&s, "c1", ",'title':'after'"), 'u');
  check_versions(3);
  sh_is(&s, CK_CONVERSATIONS, "c1", "title", "after");
}

Test(apply, a_full_disk_undoes_the_batch_and_it_goes_on) {
  struct ck_err err;
  sh_message(&s, "m1", 10, "");
  cr_assert_eq(db_exec(s.db, "PRAGMA wal_checkpoint(TRUNCATE); PRAGMA max_page_count = 1", &err), 0,
               "%s", err.text);
  char *text = ck_alloc(100001);
  memset(text, 'x', 100000);
  text[100000] = '\0';
  char *json =
      ck_sprintf("{'id':'m2','platform':'p','role':'user','raw_text':'%s','observed_at':10}", text);
  sh_put(&s, CK_MESSAGES, json);
  cr_expect_eq(sh_apply(&s), 'n');
  cr_expect_eq(sh_commit(&s), -1);
  cr_expect(strstr(s.reason.text, "full"), "%s", s.reason.text);
  check_versions(1);
  cr_assert_eq(db_exec(s.db, "PRAGMA max_page_count = 1000000", &err), 0);
  cr_expect_eq(sh_write(&s, CK_MESSAGES, json), 'n');
  check_versions(2);
  free(json);
  free(text);
}

/* A statement that is left on a row would keep a read transaction open for ever: the WAL could
 * never restart, and would grow without end. */
Test(apply, the_wal_does_not_grow_without_end) {
  char *text = ck_alloc(20001);
  memset(text, 'x', 20000);
  text[20000] = '\0';
  sh_conversation(&s, "c1", "");
  sh_reopen(&s);
  sh_conversation(&s, "c1", ",'title':'found in the database'");
  for (int i = 0; i < 3000; ++i) {
    char *json = ck_sprintf(
        "{'id':'m%d','platform':'p','role':'user','raw_text':'%s','observed_at':10}", i, text);
    sh_put(&s, CK_MESSAGES, json);
    free(json);
    sh_apply(&s);
    if (i % 20 == 0) cr_assert_eq(sh_commit(&s), 0);
  }
  sh_commit(&s);
  struct stat st;
  cr_assert_eq(stat(DB_FILE "-wal", &st), 0);
  cr_expect_lt(st.st_size, 32 << 20, "%lld bytes", (long long)st.st_size);
  free(text);
}

/* ---- any history ---- */

/* All that the six tables hold, as one text. */
static char *everything(void) {
  struct ck_buf all = {0};
  struct ck_err err;
  for (int t = 0; t < CK_TABLES; ++t) {
    char *sql = ck_sprintf("SELECT * FROM %s ORDER BY version", ck_tables[t].name);
    sqlite3_stmt *q = db_prepare(s.db, sql, &err);
    free(sql);
    while (sqlite3_step(q) == SQLITE_ROW) {
      struct ck_row row;
      db_row(q, 1, (enum ck_table)t, &row);
      ck_buf_printf(&all, "%lld ", (long long)sqlite3_column_int64(q, 0));
      ck_row_json(&all, &row);
      ck_buf_text(&all, "\n");
    }
    sqlite3_finalize(q);
  }
  char *text = ck_strdup(ck_buf_cstr(&all));
  ck_buf_free(&all);
  return text;
}

static void put_any(void) {
  unsigned a = (unsigned)sh_below(6), b = (unsigned)sh_below(6), at = (unsigned)sh_below(30);
  char *json = NULL;
  enum ck_table t = (enum ck_table)sh_below(CK_TABLES);
  switch (t) {
  case CK_MESSAGES:
    json = ck_sprintf("{'id':'m%u','platform':'p','role':'user','raw_text':'%u','observed_at':%u}",
                      a, b, at);
    break;
  case CK_EXECUTIONS:
    json = ck_sprintf("{'instruction_id':'e%u','message_id':'m%u','target':'t','tool':'%u','result_"
                      "ok':1,'executed_at':%u}",
                      a, b, at, at);
    break;
  case CK_SESSIONS:
    json = ck_sprintf("{'id':'s%u','platform':'p','started_at':%u,'last_activity_at':%u}", a, at,
                      at + b);
    break;
  case CK_CONVERSATIONS:
    json = ck_sprintf("{'local_conversation_id':'c%u','platform':'p','title':'%u','last_message_id'"
                      ":'m%u','last_message_at':%u}",
                      a, at, b, at);
    break;
  case CK_LINKS:
    json = ck_sprintf("{'link_id':'l%u','local_conversation_id':'c%u','platform':'p','%s':'r%u','"
                      "observed_at':%u}",
                      a, b, at % 7 ? "remote_conversation_id" : "client_id", (unsigned)sh_below(6),
                      at);
    break;
  default:
    json = ck_sprintf(
        "{'job_id':'j%u','local_conversation_id':'c%u','message_id':'m%u','payload':'x'}", a, b,
        (unsigned)sh_below(6));
  }
  sh_put(&s, t, json);
  free(json);
}

static void expect_committed(void) {
  cr_assert_eq(sh_commit(&s), 0, "%s", s.reason.text);
  uint64_t stored;
  struct ck_err err;
  cr_assert_eq(db_head(s.db, &stored, &err), 0);
  cr_assert_eq(stored, apply_head(s.apply), "no record has the newest version");
  cr_assert_eq(sh_int(&s, "SELECT count(*) FROM (SELECT version FROM messages"
                          " UNION SELECT version FROM executions UNION SELECT version FROM sessions"
                          " UNION SELECT version FROM local_conversations"
                          " UNION SELECT version FROM conversation_links"
                          " UNION SELECT version FROM renewal_jobs)"),
               sh_int(&s, "SELECT messages + executions + sessions + local_conversations + "
                          "conversation_links + renewal_jobs FROM store"),
               "versions are not distinct, or the counts are wrong");
  cr_assert_eq(sh_int(&s, "SELECT count(*) FROM pragma_foreign_key_check"), 0);
}

/* The same changesets give the same database, whether each has a commit and a process of its own,
 * or many share one. */
Test(apply, any_history_is_the_same_however_it_is_cut_into_commits, .timeout = 120) {
  char *texts[2] = {NULL, NULL};
  uint64_t seed = sh_random();
  for (int way = 0; way < 2; ++way) {
    if (way) {
      sh_close(&s);
      sh_open(&s);
    }
    sh_seed(seed);
    for (int i = 0; i < 600; ++i) {
      for (unsigned n = 1 + (unsigned)sh_below(4); n; --n) put_any();
      uint64_t head = apply_head(s.apply);
      char letter = sh_apply(&s);
      cr_assert(letter && strchr("nu=r", letter));
      if (letter == '=' || letter == 'r')
        cr_assert_eq(apply_head(s.apply), head, "a version for nothing");
      if (letter == 'r') cr_assert_neq(s.reason.text[0], '\0');
      bool commit = sh_below(20) == 0;
      if (way == 0 || commit) expect_committed();
      if (way == 0 && i % 50 == 49) sh_reopen(&s);
    }
    if (s.begun) expect_committed();
    texts[way] = everything();
  }
  cr_expect_str_eq(texts[0], texts[1]);
  cr_expect_gt(strlen(texts[0]), 1000);
  free(texts[0]);
  free(texts[1]);
}

/* What a mirror costs is added up by day. */
Test(apply, what_is_spent_is_added_up) {
  struct ck_mutation m = {.kind = CK_OP_SPENT};
  m.as.spent = (struct ck_spent){CK_LIT("sqlite"), 2, 30, 90};
  for (int i = 0; i < 3; ++i) cr_expect_eq(mutate(m), '=');
  cr_expect_eq(sh_int(&s, "SELECT written FROM spent"
                          " WHERE sink = 'sqlite' AND day = 0 AND requests = 6 AND rows = 90"),
               270);
  m.as.spent.written = UINT64_MAX;
  cr_expect_eq(mutate(m), 'r');
  cr_expect_eq(sh_int(&s, "SELECT sum(written) FROM spent"), 270);
}
