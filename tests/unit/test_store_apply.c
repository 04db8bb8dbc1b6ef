/* Changesets applied to a real database: versions without gaps, all or nothing, what is refused,
 * and the counts of sessions. */
#include "test_store_apply.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/write/producers.h"

struct sh_store s;

static void open_it(void) { sh_open(&s); }
static void close_it(void) { sh_close(&s); }

TestSuite(apply, .init = open_it, .fini = close_it);

/* Each version above `after` is in exactly one record, except those that a later one replaced; the
 * newest is the head. */
void ap_check_versions(uint64_t expected_head) {
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
  ap_check_versions(1);
  cr_expect_eq(sh_message(&s, "m1", 10, ""), '=');
  ap_check_versions(1);
  cr_expect_eq(sh_message(&s, "m1", 10, ",'page_title':' x '"), 'u');
  ap_check_versions(2);
  cr_expect_eq(sh_message(&s, "m1", 10, ",'page_title':'x'"), '=');
  sh_refused(&s, "messages.page_title must be text", CK_MESSAGES, "{'id':'m1','page_title':5}");
  cr_expect_eq(sh_message(&s, "m2", 10, ""), 'n');
  ap_check_versions(3);
  sh_is(&s, CK_MESSAGES, "m1", "page_title", "x");
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

static char says_title(int64_t age, const char *title) {
  char *json = ck_sprintf("{'local_conversation_id':'c1','platform':'p','title':'%s'}", title);
  sh_put_aged(&s, CK_CONVERSATIONS, age, json);
  free(json);
  char letter = sh_apply(&s);
  cr_assert_eq(sh_commit(&s), 0);
  return letter;
}

static void says_page_title(const char *link, int64_t age, const char *title) {
  char *json = ck_sprintf("{'link_id':'%s','local_conversation_id':'c1','platform':'p',"
                          "'observed_at':1,'page_title':'%s'}",
                          link, title);
  sh_put_aged(&s, CK_LINKS, age, json);
  free(json);
}

static void owner_says(const char *title) {
  char *json = ck_sprintf("{'local_conversation_id':'c1','title':%s}", title);
  sh_update(&s, CK_CONVERSATIONS, json);
  free(json);
  cr_expect_eq(sh_apply(&s), 'u');
}

/* A rename alone takes effect, an older export does not undo it, and what the owner gave stays
 * until he clears it. */
Test(apply, the_newest_title_counts_and_the_owners_above_all) {
  s.now = 1000;
  cr_expect_eq(says_title(10, "old"), 'n');
  cr_expect_eq(says_title(20, "new"), 'u');
  cr_expect_eq(says_title(10, "older"), '=');
  sh_is(&s, CK_CONVERSATIONS, "c1", "title", "new");
  owner_says("'mine'");
  sh_commit(&s);
  cr_expect_eq(says_title(900, "newest"), '=');
  sh_is(&s, CK_CONVERSATIONS, "c1", "title", "mine");
  says_page_title("l1", 20, "new");
  says_page_title("l2", 900, "newest");
  cr_expect_eq(sh_apply(&s), 'n');
  sh_commit(&s);
  owner_says("null");
  sh_commit(&s);
  sh_is(&s, CK_CONVERSATIONS, "c1", "title", "newest");
  cr_expect_eq(says_title(899, "older"), '=', "it has its age again");
  cr_expect_eq(says_title(901, "next"), 'u');
}

/* The link is not in the database yet. */
Test(apply, a_title_comes_back_from_a_link_of_the_same_commit) {
  says_title(10, "old");
  owner_says("'mine'");
  says_page_title("l1", 20, "new");
  cr_expect_eq(sh_apply(&s), 'n');
  owner_says("null");
  sh_commit(&s);
  sh_is(&s, CK_CONVERSATIONS, "c1", "title", "new");
  owner_says("'mine'");
  sh_update(&s, CK_LINKS, "{'link_id':'l1','page_title':'x'}");
  sh_update(&s, CK_LINKS, "{'link_id':'l1','page_title':null}");
  cr_expect_eq(sh_apply(&s), 'u');
  owner_says("null");
  sh_commit(&s);
  sh_is(&s, CK_CONVERSATIONS, "c1", "title", "NULL");
}

/* ---- ages alone ---- */

/* Written, so that the newest source wins whenever it came, but nobody hears of it. */
Test(apply, a_write_that_changes_only_ages_makes_no_version) {
  static const char same[] = "{'id':'m1','platform':'p','role':'user','raw_text':'a',"
                             "'observed_at':10,'original':'%s'}";
  bool constraint;
  size_t n;
  for (int i = 0; i < 3; ++i) {
    char *json = ck_sprintf(same, i == 2 ? "0002" : "0001");
    sh_put_aged(&s, CK_MESSAGES, 10 + i, json);
    free(json);
    cr_expect_eq(sh_apply(&s), "n=="[i]);
    cr_assert_eq(apply_commit(s.apply, s.producers, &constraint, &s.reason), 0);
    apply_changes(s.apply, &n);
    cr_expect_eq(n, i == 0 ? 1 : 0, "%zu changes are published", n);
    sh_committed(&s);
    ap_check_versions(1);
  }
  sh_is(&s, CK_MESSAGES, "m1", "original", "0002");
  sh_is(&s, CK_MESSAGES, "m1", "ages", "12");
  sh_reopen(&s);
  sh_put_aged(&s, CK_MESSAGES, 11, "{'id':'m1','raw_text':'z'}");
  cr_expect_eq(sh_apply(&s), '=');
  sh_put_aged(&s, CK_MESSAGES, 13, "{'id':'m1','raw_text':'a'}");
  cr_expect_eq(sh_apply(&s), '=');
  sh_put_aged(&s, CK_MESSAGES, 13, "{'id':'m1','raw_text':'b'}");
  cr_expect_eq(sh_apply(&s), 'u', "in the same commit");
  sh_commit(&s);
  ap_check_versions(2);
  sh_is(&s, CK_MESSAGES, "m1", "raw_text", "b");
  sh_is(&s, CK_MESSAGES, "m1", "ages", "12 raw_text=13");
  sh_check_keys(&s);
}

/* A refused changeset leaves no ages either. */
Test(apply, ages_are_undone_with_their_changeset) {
  sh_message(&s, "m1", 10, "");
  sh_put_aged(&s, CK_MESSAGES, 50, "{'id':'m1','role':'assistant'}");
  sh_put(&s, CK_MESSAGES, "{}");
  cr_expect_eq(sh_apply(&s), 'r');
  sh_commit(&s);
  sh_is(&s, CK_MESSAGES, "m1", "ages", "10");
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
  m.as.put = (struct ck_put){CK_LIT("producers"), CK_LIT("\x80"), 0};
  sh_mutate(&s, &m);
  cr_expect_eq(sh_apply(&s), 'r');
  cr_expect(strstr(s.reason.text, "'producers' is not a table"), "%s", s.reason.text);
  sh_commit(&s);
  ap_check_versions(0);
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

struct ck_mutation ap_claim_of(const char *job, const char *token, int64_t at) {
  struct ck_mutation m = {.kind = CK_OP_CLAIM};
  m.as.claim = (struct ck_claim){.job_id = ck_str_of(job), .token = ck_str_of(token), .at = at};
  return m;
}

struct ck_mutation ap_supersede_of(const char *job, int64_t at) {
  struct ck_mutation m = {.kind = CK_OP_SUPERSEDE};
  m.as.supersede = (struct ck_supersede){ck_str_of(job), at};
  return m;
}

struct ck_mutation ap_cancel_of(const char *job, const char *reason, int64_t at) {
  struct ck_mutation m = {.kind = CK_OP_CANCEL};
  m.as.cancel = (struct ck_cancel){ck_str_of(job), ck_str_of(reason), at, false};
  return m;
}

struct ck_mutation ap_requeue_of(const char *job, bool anyway, int64_t at) {
  struct ck_mutation m = {.kind = CK_OP_REQUEUE};
  m.as.requeue = (struct ck_requeue){.job_id = ck_str_of(job), .anyway = anyway, .at = at};
  return m;
}

struct ck_mutation ap_end_of(const char *job, uint64_t attempt, const char *token,
                             const char *outcome) {
  struct ck_mutation m = {.kind = CK_OP_END};
  m.as.end = (struct ck_end){.job_id = ck_str_of(job),
                             .attempt = attempt,
                             .token = ck_str_of(token),
                             .outcome = ck_str_of(outcome),
                             .at = 5000};
  return m;
}

char ap_mutate(struct ck_mutation m) {
  sh_mutate(&s, &m);
  char letter = sh_apply(&s);
  cr_assert_eq(sh_commit(&s), 0, "%s", s.reason.text);
  return letter;
}

Test(apply, all_or_none_across_all_tables) {
  struct ck_mutation claim = ap_claim_of("j1", "token", 5), cursor = {.kind = CK_OP_CURSOR},
                     offer = {.kind = CK_OP_OFFER};
  cursor.as.cursor = (struct ck_cursor){CK_LIT("f"), CK_LIT("store"), 5};
  offer.as.offer = (struct ck_offer){CK_LIT("j1"), CK_LIT("browser"), CK_LIT("o1"), CK_LIT("{}"), 0,
                                     UINT64_MAX,   CK_LIT("")};
  claim.as.claim.client = CK_LIT("browser");
  claim.as.claim.offer = CK_LIT("o1");
  put_everything();
  sh_mutate(&s, &offer);
  sh_mutate(&s, &claim);
  sh_mutate(&s, &cursor);
  sh_put(&s, CK_EXECUTIONS,
         "{'instruction_id':'e2','message_id':'none','target':'t','tool':'u','result_ok':true,'"
         "executed_at':10}");
  cr_expect_eq(sh_apply(&s), 'r');
  cr_expect(strstr(s.reason.text, "executions.message_id: 'none' is not in messages"), "%s",
            s.reason.text);
  cr_assert_eq(sh_commit(&s), 0);
  ap_check_versions(0);
  cr_expect_eq(rows(), 0);
  size_t n;
  apply_published(s.apply, &n);
  cr_expect_eq(n, 0);
  cr_expect_eq(sh_int(&s, "SELECT messages + executions + sessions + local_conversations +"
                          " conversation_links + renewal_jobs FROM store"),
               0);
  put_everything();
  sh_mutate(&s, &offer);
  sh_mutate(&s, &claim);
  cr_expect_eq(sh_apply(&s), 'n', "%s", s.reason.text);
  const struct ck_delivery *p = apply_published(s.apply, &n);
  cr_assert_eq(n, 1);
  cr_expect(ck_str_is(p->client, "browser") && ck_str_is(p->body, "{}"));
  cr_assert_eq(sh_commit(&s), 0);
  cr_expect_eq(rows(), 8);
  ap_check_versions(7);
  cr_expect_eq(sh_int(&s, "SELECT messages + executions + sessions + local_conversations + "
                          "conversation_links + renewal_jobs FROM store"),
               6);
}

Test(apply, many_changesets_a_commit_and_a_refused_one_harms_no_other) {
  put_everything();
  cr_expect_eq(sh_apply(&s), 'n');
  sh_put(&s, CK_MESSAGES, "{'id':'m1','page_title':'lost'}");
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
  ap_check_versions(8);
  sh_is(&s, CK_MESSAGES, "m1", "page_title", "NULL");
  sh_is(&s, CK_MESSAGES, "m1", "page_url", "kept");
  sh_is(&s, CK_CONVERSATIONS, "c1", "automation_status", "auto");
  sh_is(&s, CK_LINKS, "l1", "page_title", "t");
  sh_is(&s, CK_LINKS, "l1", "remote_conversation_id", "r1");
  sh_is(&s, CK_LINKS, "other", "page_title", "none");
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM automation"), 1);
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

/* Unlike one of another day, on which the message was only seen again. */
Test(apply, a_session_that_was_deleted_by_hand_is_made_again) {
  static const char session[] = "{'id':'x@1970-01-01','platform':'p','conversation_id':'k',"
                                "'started_at':10,'last_activity_at':10}";
  for (int i = 0; i < 3; ++i) {
    char *json = ck_sprintf("{'id':'m%d','platform':'p','conversation_id':'k','role':'user',"
                            "'raw_text':'','observed_at':10}",
                            i);
    sh_put(&s, CK_MESSAGES, json);
    sh_put(&s, CK_SESSIONS, session);
    cr_expect_eq(sh_apply(&s), 'n');
    free(json);
  }
  cr_assert_eq(sh_commit(&s), 0);
  sqlite3 *hand = NULL;
  cr_assert_eq(sqlite3_open(DB_FILE, &hand), SQLITE_OK);
  cr_assert_eq(sqlite3_exec(hand, "DELETE FROM sessions", NULL, NULL, NULL), SQLITE_OK);
  sqlite3_close(hand);
  for (int i = 0; i < 2; ++i) {
    sh_put(&s, CK_MESSAGES, "{'id':'m1','platform':'p','role':'user','observed_at':90000000}");
    sh_put(&s, CK_SESSIONS,
           i ? session
             : "{'id':'x@1970-01-02','platform':'p','conversation_id':'k',"
               "'started_at':90000000,'last_activity_at':90000000}");
    sh_apply(&s);
    cr_assert_eq(sh_commit(&s), 0);
    cr_expect_eq(sh_int(&s, "SELECT count(*) FROM sessions"), i);
  }
  sh_is(&s, CK_SESSIONS, "x@1970-01-01", "message_count", "3");
}

/* ---- rows that were deleted by hand come back ---- */

static void by_hand(const char *sql) {
  sqlite3 *hand = NULL;
  cr_assert_eq(sqlite3_open(DB_FILE, &hand), SQLITE_OK);
  cr_assert_eq(sqlite3_exec(hand, sql, NULL, NULL, NULL), SQLITE_OK, "%s", sqlite3_errmsg(hand));
  sqlite3_close(hand);
}

/* Message n of one day with `executions` executions, as ingest says it. */
static void say_of_day(int n, int executions) {
  char *json = ck_sprintf("{'id':'m%d','platform':'p','conversation_id':'k','role':'user',"
                          "'raw_text':'','observed_at':%d}",
                          n, 10 + n);
  sh_put(&s, CK_MESSAGES, json);
  free(json);
  for (int e = 0; e < executions; ++e) {
    json = ck_sprintf("{'instruction_id':'e%d.%d','message_id':'m%d','target':'t','tool':'u',"
                      "'result_ok':1,'executed_at':%d}",
                      n, e, n, 10 + n);
    sh_put(&s, CK_EXECUTIONS, json);
    free(json);
  }
}

static void say_day(void) {
  sh_put(&s, CK_SESSIONS,
         "{'id':'x@1970-01-01','platform':'p','conversation_id':'k','started_at':10,"
         "'last_activity_at':20}");
  cr_assert_neq(sh_apply(&s), 'r', "%s", s.reason.text);
}

static void say_whole_day(bool at_once) {
  for (int n = 0; n < 6; ++n) {
    say_of_day(n, n % 3);
    if (!at_once) say_day();
    if (!at_once && n % 2) cr_assert_eq(sh_commit(&s), 0);
  }
  if (!at_once) return;
  say_day();
  cr_assert_eq(sh_commit(&s), 0);
}

static void expect_day(int messages, int executions) {
  cr_expect_eq(sh_int(&s, "SELECT message_count FROM sessions"), messages);
  cr_expect_eq(sh_int(&s, "SELECT execution_count FROM sessions"), executions);
  cr_expect_eq(sh_int(&s, "SELECT messages FROM store"), messages);
  cr_expect_eq(sh_int(&s, "SELECT executions FROM store"), executions);
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM messages"), messages);
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM executions"), executions);
}

/* Whether what comes again comes in one changeset or in several, and whether the store was down
 * when it was deleted. */
Test(apply, what_comes_back_is_not_counted_twice) {
  static const char *const gone[] = {
      "DELETE FROM messages WHERE id = 'm3'",
      "DELETE FROM executions WHERE instruction_id = 'e2.1'",
      "DELETE FROM executions WHERE message_id = 'm5'; DELETE FROM messages WHERE id = 'm5'",
      "DELETE FROM messages WHERE id > 'm1'; DELETE FROM executions WHERE instruction_id <> 'e1.0'",
      "DELETE FROM messages; DELETE FROM executions"};
  say_whole_day(true);
  expect_day(6, 6);
  for (size_t i = 0; i < 4 * sizeof gone / sizeof *gone; ++i) {
    by_hand(gone[i / 4]);
    if (i % 2) sh_reopen(&s);
    say_whole_day(i / 2 % 2);
    expect_day(6, 6);
  }
}

/* A conversation with its session, its link and a job of its first message. */
static void say_everything(int message, bool refused) {
  char *last =
      ck_sprintf("{'local_conversation_id':'p:k','platform':'p','last_message_id':'m%d'}", message);
  say_of_day(message, 1);
  sh_put(&s, CK_SESSIONS,
         "{'id':'x@1970-01-01','platform':'p','conversation_id':'k','started_at':10,"
         "'last_activity_at':20}");
  sh_put(&s, CK_CONVERSATIONS, last);
  sh_put(&s, CK_LINKS,
         "{'link_id':'l','local_conversation_id':'p:k','platform':'p',"
         "'remote_conversation_id':'k','observed_at':10}");
  sh_put(&s, CK_JOBS,
         "{'job_id':'j','local_conversation_id':'p:k','message_id':'m0','payload':'go on'}");
  if (refused) sh_put(&s, CK_MESSAGES, "{'id':'bad'}");
  cr_assert_eq(sh_apply(&s) == 'r', refused, "%s", s.reason.text);
  free(last);
}

static void expect_counted(void) {
  static const char *const tables[] = {"messages",           "executions",
                                       "sessions",           "local_conversations",
                                       "conversation_links", "renewal_jobs"};
  for (size_t i = 0; i < sizeof tables / sizeof *tables; ++i) {
    char *sql =
        ck_sprintf("SELECT (SELECT count(*) FROM %s) - %s FROM store", tables[i], tables[i]);
    cr_expect_eq(sh_int(&s, sql), 0, "%s", tables[i]);
    free(sql);
  }
}

/* Records of every table, whether the store was down, and what was refused or new between. */
Test(apply, a_record_of_any_table_that_comes_back_is_counted_once) {
  static const char *const gone[] = {
      "DELETE FROM sessions", "DELETE FROM conversation_links", "DELETE FROM renewal_jobs",
      "DELETE FROM conversation_links; DELETE FROM renewal_jobs; DELETE FROM local_conversations",
      "DELETE FROM renewal_jobs; DELETE FROM conversation_links; DELETE FROM local_conversations;"
      "DELETE FROM sessions; DELETE FROM executions; DELETE FROM messages"};
  say_everything(0, false);
  cr_assert_eq(sh_commit(&s), 0);
  for (size_t i = 0; i < 2 * sizeof gone / sizeof *gone; ++i) {
    by_hand(gone[i / 2]);
    if (i % 2) sh_reopen(&s);
    say_everything(0, true);
    say_everything(0, false);
    cr_assert_eq(sh_commit(&s), 0);
    expect_counted();
  }
  /* What is new meanwhile is counted: the doctor goes on to miss what does not come back. */
  by_hand("DELETE FROM sessions");
  sh_put(&s, CK_MESSAGES, "{'id':'n','platform':'p','role':'user','raw_text':'','observed_at':1}");
  sh_put(&s, CK_SESSIONS, "{'id':'n','platform':'p','started_at':1,'last_activity_at':1}");
  cr_assert_eq(sh_apply(&s), 'n');
  cr_assert_eq(sh_commit(&s), 0);
  cr_expect_eq(sh_int(&s, "SELECT sessions FROM store"), 2);
}

/* While rows are missing, what comes with a new message in the changeset of a known one is new. */
Test(apply, what_is_new_beside_what_is_known_does_not_come_back) {
  say_everything(0, false);
  cr_assert_eq(sh_commit(&s), 0);
  int64_t executions = sh_int(&s, "SELECT count(*) FROM executions");
  by_hand("DELETE FROM executions; DELETE FROM sessions");
  say_of_day(0, 0);
  sh_put(&s, CK_MESSAGES,
         "{'id':'n','platform':'p','role':'user','raw_text':'','observed_at':90000000}");
  sh_put(&s, CK_EXECUTIONS,
         "{'instruction_id':'en','message_id':'n','target':'t','tool':'u','result_ok':1,"
         "'executed_at':90000000}");
  sh_put(&s, CK_SESSIONS,
         "{'id':'p@1970-01-02','platform':'p','started_at':90000000,"
         "'last_activity_at':90000000}");
  cr_assert_eq(sh_apply(&s), 'n', "%s", s.reason.text);
  cr_assert_eq(sh_commit(&s), 0);
  cr_expect_eq(sh_int(&s, "SELECT executions FROM store"), executions + 1);
  say_everything(0, false);
  cr_assert_eq(sh_commit(&s), 0);
  expect_counted();
}

/* Also if its record went with them; and what is new is counted beside what comes back. */
Test(apply, a_session_that_comes_back_counts_what_is_there) {
  say_whole_day(true);
  for (int at_once = 0; at_once < 2; ++at_once) {
    by_hand("DELETE FROM messages WHERE id IN ('m1', 'm4'); DELETE FROM sessions");
    say_whole_day(at_once);
    cr_expect_eq(sh_int(&s, "SELECT message_count FROM sessions"), 6);
    cr_expect_eq(sh_int(&s, "SELECT execution_count FROM sessions"), 6);
  }
  by_hand("DELETE FROM messages WHERE id = 'm1'; DELETE FROM executions WHERE message_id = 'm2';"
          "UPDATE store SET sessions = 1");
  say_of_day(1, 2);
  say_of_day(2, 3);
  say_of_day(6, 1);
  say_day();
  cr_assert_eq(sh_commit(&s), 0);
  expect_day(7, 9);
}

/* An execution of a message that is there is new as a rule; also when its changeset is refused
 * first, and when it comes on another day. */
Test(apply, a_late_execution_is_counted_once) {
  say_whole_day(true);
  say_of_day(0, 1);
  sh_put(&s, CK_SESSIONS,
         "{'id':'x@1970-01-01','platform':'p','conversation_id':'k','started_at':10,"
         "'last_activity_at':20}");
  sh_put(&s, CK_MESSAGES, "{'id':'bad'}");
  cr_expect_eq(sh_apply(&s), 'r');
  cr_assert_eq(sh_commit(&s), 0);
  expect_day(6, 6);
  say_of_day(0, 1);
  say_day();
  cr_assert_eq(sh_commit(&s), 0);
  expect_day(6, 7);
  say_of_day(0, 2);
  sh_put(&s, CK_SESSIONS,
         "{'id':'x@1970-01-02','platform':'p','conversation_id':'k','started_at':90000000,"
         "'last_activity_at':90000000}");
  cr_expect_eq(sh_apply(&s), 'n');
  cr_assert_eq(sh_commit(&s), 0);
  cr_expect_eq(sh_int(&s, "SELECT sum(message_count) FROM sessions"), 6);
  cr_expect_eq(sh_int(&s, "SELECT sum(execution_count) FROM sessions"), 8);
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
  /* of counts that are given the greater is kept */
  put_observation("m3", NULL, 30, ",'message_count':50");
  cr_expect_eq(sh_apply(&s), 'n');
  sh_commit(&s);
  expect_counts("50", "2");
  put_observation("m4", NULL, 29, ",'message_count':7,'execution_count':7");
  put_observation("m5", NULL, 29, ",'execution_count':8");
  cr_expect_eq(sh_apply(&s), 'n');
  sh_commit(&s);
  expect_counts("50", "8");
  /* refused ones are not counted */
  put_observation("m6", NULL, 40, "");
  sh_put(&s, CK_MESSAGES, "{}");
  cr_expect_eq(sh_apply(&s), 'r');
  put_observation("m7", NULL, 41, "");
  cr_expect_eq(sh_apply(&s), 'n');
  sh_commit(&s);
  expect_counts("51", "8");
}

/* Whoever comes first: of two last messages of one age it is the greater id. */
Test(apply, of_last_messages_of_one_age_the_greater_id_counts) {
  sh_conversation(&s, "c1", ",'last_message_id':'m2','last_message_at':10");
  cr_expect_eq(sh_conversation(&s, "c1", ",'last_message_id':'m1','last_message_at':10"), '=');
  cr_expect_eq(sh_conversation(&s, "c1", ",'last_message_id':'m3','last_message_at':10"), 'u');
  sh_is(&s, CK_CONVERSATIONS, "c1", "last_message_id", "m3");
}

/* ---- many messages in one changeset ---- */

static void put_day(const char *ids, int day) {
  int64_t at = day * INT64_C(86400000);
  for (const char *id = ids; *id; ++id) {
    char *json = ck_sprintf("{'id':'%c','platform':'p','conversation_id':'k','role':'user',"
                            "'raw_text':'','observed_at':%" PRId64 "}",
                            *id, at + *id);
    sh_put(&s, CK_MESSAGES, json);
    free(json);
  }
  char *json = ck_sprintf("{'id':'k@1970-01-0%d','platform':'p','conversation_id':'k',"
                          "'started_at':%" PRId64 ",'last_activity_at':%" PRId64 "}",
                          day + 1, at, at);
  sh_put(&s, CK_SESSIONS, json);
  free(json);
}

/* Each session counts what came since the one before it. */
Test(apply, sessions_of_several_days_in_one_changeset) {
  put_day("abc", 0);
  put_day("de", 1);
  put_day("f", 3);
  cr_expect_eq(sh_apply(&s), 'n');
  sh_commit(&s);
  for (int again = 0; again < 2; ++again) {
    sh_is(&s, CK_SESSIONS, "k@1970-01-01", "message_count", "3");
    sh_is(&s, CK_SESSIONS, "k@1970-01-02", "message_count", "2");
    sh_is(&s, CK_SESSIONS, "k@1970-01-04", "message_count", "1");
    put_day("abc", 0);
    put_day("de", 1);
    put_day("f", 3);
    cr_expect_eq(sh_apply(&s), '=');
    sh_commit(&s);
  }
  put_day("ab", 2); /* seen again on another day, which is no session of theirs */
  put_day("dg", 1);
  cr_expect_eq(sh_apply(&s), 'n');
  sh_commit(&s);
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM sessions"), 3);
  sh_is(&s, CK_SESSIONS, "k@1970-01-02", "message_count", "3");
}

/* A line with too few numbers must not take those of the next. */
Test(apply, counts_that_are_no_counts_are_left_out) {
  struct ck_err err;
  sh_message(&s, "m1", 1, "");
  cr_assert_eq(db_exec(s.db,
                       "UPDATE producers SET counts = '1 2 3 4' || char(10) || '5 6 7 8 9' ||"
                       " char(10) || 'x 1 1 1 1' || char(10) || '6 1 -1 1 1' || char(10) ||"
                       " '7 1 1 1 99999999999999999999' || char(10) || '8 1 1 1 1'",
                       &err),
               0, "%s", err.text);
  struct system_tables *tables = system_new(s.db, &err);
  struct producers *p = producers_load(tables, &err);
  cr_assert_not_null(p, "%s", err.text);
  const struct producer *one = producers_at(p, 0);
  cr_assert_eq(one->counts_len, 1);
  cr_expect_eq(one->counts[0].number, 5);
  cr_expect_eq(one->counts[0].forgotten, 9);
  producers_free(&p);
  system_free(&tables);
}
