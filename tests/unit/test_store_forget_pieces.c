/* What a FORGET leaves to be done after its own transaction: it is done in pieces of any size,
 * whatever comes between them and whenever the store is killed, and nothing of it can be used
 * meanwhile. */
#include "test_store_apply.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/file.h"

enum { MESSAGES = 7, JOBS = 4, OTHERS = 120 };

static struct ck_mutation forget_of(const char *kind, const char *id) {
  struct ck_mutation m = {.kind = CK_OP_FORGET};
  m.as.forget = (struct ck_forget){ck_str_of(kind), ck_str_of(id), false};
  return m;
}

static struct ck_mutation remember_of(const char *kind, const char *id) {
  struct ck_mutation m = {.kind = CK_OP_REMEMBER};
  m.as.remember = (struct ck_remember){ck_str_of(kind), ck_str_of(id)};
  return m;
}

static int64_t count(const char *table) {
  char *sql = ck_sprintf("SELECT count(*) FROM %s", table);
  int64_t n = sh_int(&s, sql);
  free(sql);
  return n;
}

static void put(enum ck_table t, char *json) {
  sh_put(&s, t, json);
  free(json);
}

static char commit(void) {
  char letter = sh_apply(&s);
  cr_assert_eq(sh_commit(&s), 0, "%s", s.reason.text);
  return letter;
}

/* One execution for each message but the first, which has five. */
static char put_all(const char *id) {
  for (int i = 0; i < MESSAGES; ++i) {
    put(CK_MESSAGES, ck_sprintf("{'id':'%s%d','platform':'p','conversation_id':'%s','role':'user',"
                                "'raw_text':'the secret','observed_at':%d}",
                                id, i, id, 500 + i));
    for (int k = 0; k < (i ? 1 : 5); ++k)
      put(CK_EXECUTIONS, ck_sprintf("{'instruction_id':'%se%d-%d','message_id':'%s%d',"
                                    "'target':'t','tool':'x','params':'the secret',"
                                    "'executed_at':600}",
                                    id, i, k, id, i));
  }
  put(CK_SESSIONS, ck_sprintf("{'id':'p:%s@1970-01-01','platform':'p','conversation_id':'%s',"
                              "'started_at':500,'last_activity_at':600}",
                              id, id));
  put(CK_CONVERSATIONS,
      ck_sprintf("{'local_conversation_id':'p:%s','platform':'p','title':'the secret',"
                 "'last_message_id':'%s0','last_message_at':600}",
                 id, id));
  put(CK_LINKS, ck_sprintf("{'link_id':'%sl','local_conversation_id':'p:%s','platform':'p',"
                           "'remote_conversation_id':'%s','observed_at':600}",
                           id, id, id));
  return commit();
}

static void put_jobs(const char *id) {
  for (int i = 0; i < JOBS; ++i) {
    char *job = ck_sprintf("%sj%d", id, i), *of = ck_sprintf("p:%s", id),
         *message = ck_sprintf("%s%d", id, i);
    cr_assert_eq(sh_job(&s, job, of, message, ""), 'n', "%s", s.reason.text);
    free(job);
    free(of);
    free(message);
  }
}

/* The database is sound between any two pieces. */
static void is_sound(void) {
  cr_expect_eq(
      sh_int(&s, "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok'"), 0);
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM pragma_foreign_key_check"), 0);
  cr_expect_eq(sh_int(&s, "SELECT (SELECT count(*) FROM messages) = messages"
                          " AND (SELECT count(*) FROM executions) = executions"
                          " AND (SELECT count(*) FROM renewal_jobs) = renewal_jobs"
                          " AND (SELECT count(*) FROM forgotten) = forgotten FROM store"),
               1, "the counts");
  cr_expect_eq(count("executions WHERE message_id NOT IN (SELECT id FROM messages)"), 0);
  sh_check_keys(&s);
}

/* Whatever the conversation still has: nobody gets at it, and nothing is added. */
static void is_closed(const char *id) {
  cr_expect_eq(put_all(id), '=', "%s", s.reason.text);
  char *of = ck_sprintf("p:%s", id), *job = ck_sprintf("%sj1", id);
  char *json = ck_sprintf("{'local_conversation_id':'%s','automation_status':'auto'}", of);
  sh_update(&s, CK_CONVERSATIONS, json);
  cr_expect_eq(commit(), 'r', "it can be changed");
  ap_refused(ap_claim_of(job, "token", 1000), "there is no");
  sh_put(&s, CK_LINKS,
         "{'link_id':'new','local_conversation_id':'p:a','platform':'p',"
         "'remote_conversation_id':'another','observed_at':600}");
  cr_expect_neq(commit(), 'n');
  cr_expect_eq(ap_mutate(forget_of("conversation", of)), '=', "it is forgotten already");
  ap_refused(remember_of("conversation", of), "still being forgotten");
  free(of);
  free(job);
  free(json);
}

static bool has_text(const char *text) {
  struct ck_err err;
  cr_assert_eq(db_exec(s.db, "PRAGMA wal_checkpoint(TRUNCATE)", &err), 0);
  struct ck_buf bytes = {0};
  cr_assert_eq(ck_read_file(AT_FDCWD, DB_FILE, 0, 16u << 20, &bytes, &err), 0, "%s", err.text);
  bool has = memmem(bytes.data, bytes.len, text, strlen(text));
  ck_buf_free(&bytes);
  return has;
}

static void is_gone(void) {
  cr_expect_eq(count("messages"), 0);
  cr_expect_eq(count("executions"), 0);
  cr_expect_eq(count("sessions"), 0);
  cr_expect_eq(count("local_conversations"), 0);
  cr_expect_eq(count("conversation_links"), 0);
  cr_expect_eq(count("renewal_jobs"), 0);
  cr_expect_eq(count("forgetting"), 0);
  cr_expect_eq(count("forgetting_homes"), 0);
  cr_expect_eq(count("forgotten"), MESSAGES + MESSAGES + 4 + JOBS + 4);
  cr_expect(!has_text("the secret"));
}

static void forget_in_pieces(int64_t rows, bool killed) {
  put_all("a");
  put_jobs("a");
  apply_resize_forget(s.apply, rows);
  cr_assert_eq(ap_mutate(forget_of("conversation", "p:a")), 'n', "%s", s.reason.text);
  cr_expect(apply_forgets(s.apply));
  int pieces = 1;
  do {
    is_closed("a");
    is_sound();
    if (killed) sh_reopen(&s);
    apply_resize_forget(s.apply, rows);
    ++pieces;
  } while (sh_forget_piece(&s));
  cr_expect_geq(pieces, 20 / rows);
  cr_expect(apply_forgot(s.apply), "the WAL is not emptied");
  is_sound();
  is_gone();
  cr_expect_eq(put_all("a"), '=');
}

Test(apply, a_conversation_goes_row_by_row) { forget_in_pieces(1, false); }
Test(apply, a_conversation_goes_in_pieces) { forget_in_pieces(3, false); }
Test(apply, a_conversation_goes_in_pieces_of_a_store_that_is_killed) { forget_in_pieces(4, true); }

/* The order in which they are named is not that in which they go. */
Test(apply, two_are_forgotten_at_a_time) {
  put_all("a");
  put_all("b");
  put_all("c");
  apply_resize_forget(s.apply, 2);
  cr_assert_eq(ap_mutate(forget_of("conversation", "p:a")), 'n', "%s", s.reason.text);
  cr_assert_eq(ap_mutate(forget_of("conversation", "p:b")), 'n', "%s", s.reason.text);
  cr_expect_eq(ap_mutate(forget_of("message", "a6")), '=', "it goes with its conversation");
  cr_assert_eq(ap_mutate(forget_of("message", "c0")), 'n', "%s", s.reason.text);
  is_closed("a");
  is_closed("b");
  while (sh_forget_piece(&s)) is_sound();
  is_sound();
  cr_expect_eq(count("forgetting"), 0);
  cr_expect_eq(count("messages"), MESSAGES - 1);
  cr_expect_eq(count("local_conversations"), 1);
  cr_expect_eq(ap_mutate(remember_of("conversation", "p:b")), 'u', "%s", s.reason.text);
  cr_expect_eq(put_all("b"), 'n', "%s", s.reason.text);
}

/* What is still there is as if it were not: nothing is added to it, and its keys lead no other rows
 * to it. */
Test(apply, what_is_still_there_is_not_to_be_had) {
  put_all("a");
  put_jobs("a");
  apply_resize_forget(s.apply, 1);
  ap_mutate(forget_of("conversation", "p:a"));
  sh_put(&s, CK_EXECUTIONS,
         "{'instruction_id':'late','message_id':'a5','target':'t','tool':'x',"
         "'params':'the secret','executed_at':600}");
  cr_expect_eq(commit(), '=');
  sh_put(&s, CK_EXECUTIONS,
         "{'instruction_id':'ae5-0','message_id':'a5','target':'t','tool':'x',"
         "'params':'the secret','executed_at':900}");
  cr_expect_eq(commit(), '=');
  sh_put(&s, CK_SESSIONS,
         "{'id':'p:a@1970-01-01','platform':'p','conversation_id':'b',"
         "'started_at':500,'last_activity_at':900}");
  cr_expect_eq(commit(), '=');
  put(CK_CONVERSATIONS,
      ck_sprintf("{'local_conversation_id':'p:b','platform':'p','title':'another'}"));
  cr_expect_eq(commit(), 'n', "%s", s.reason.text);
  sh_put(&s, CK_LINKS,
         "{'link_id':'al','local_conversation_id':'p:b','platform':'p',"
         "'remote_conversation_id':'b','observed_at':600}");
  cr_expect_eq(commit(), '=');
  /* Not even into the link of the same conversation, as a row of another id is. */
  sh_put(&s, CK_LINKS,
         "{'link_id':'bl','local_conversation_id':'p:b','platform':'p',"
         "'remote_conversation_id':'b','observed_at':600}");
  cr_expect_eq(commit(), 'n', "%s", s.reason.text);
  sh_put(&s, CK_LINKS,
         "{'link_id':'al','local_conversation_id':'nowhere','platform':'p',"
         "'remote_conversation_id':'b','page_title':'the secret','observed_at':700}");
  cr_expect_eq(commit(), '=', "%s", s.reason.text);
  sh_is(&s, CK_LINKS, "bl", "page_title", "NULL");
  sh_refused(&s, "is not in messages", CK_JOBS,
             "{'job_id':'new','local_conversation_id':'p:b','message_id':'a5',"
             "'target_snapshot':'{}','payload':'x','next_attempt_at':1}");
  while (sh_forget_piece(&s)) is_sound();
  cr_expect_eq(count("executions"), 0);
  cr_expect_eq(count("sessions"), 0);
  cr_expect_eq(count("conversation_links"), 1);
  cr_expect(!has_text("the secret"));
}

/* A message is gone at once; its originals and files follow. */
Test(apply, a_copy_of_what_is_being_forgotten_is_left_out) {
  put_all("a");
  struct ck_err err;
  ap_mutate(forget_of("message", "a3"));
  cr_assert_eq(db_exec(s.db,
                       "INSERT INTO forgetting (forgotten_with, step, upto, at, messages, records)"
                       " VALUES ('messages/a3', 1, 0, 1, 0, 0)",
                       &err),
               0, "%s", err.text);
  struct ck_buf row = {0};
  struct ck_mutation m = {.kind = CK_OP_COPY};
  sh_pack(&row, "{'id':'a3','platform':'p','conversation_id':'fork','role':'user',"
                "'raw_text':'the secret','observed_at':503}");
  m.as.copy.row = ck_buf_view(&row);
  cr_expect_eq(ap_mutate(m), '=', "%s", s.reason.text);
  ck_buf_free(&row);
  ap_refused(remember_of("message", "a3"), "still being forgotten");
  while (sh_forget_piece(&s)) is_sound();
  cr_expect_eq(ap_mutate(remember_of("message", "a3")), 'u', "%s", s.reason.text);
}

/* A row need not say all of whose it is: what is there already says the rest. */
Test(apply, nothing_joins_what_was_forgotten) {
  put_all("a");
  cr_assert_eq(sh_message(&s, "x", 500, ""), 'n', "%s", s.reason.text);
  ap_mutate(forget_of("conversation", "p:a"));
  sh_put(&s, CK_MESSAGES, "{'id':'x','conversation_id':'a','role':'user','raw_text':'t'}");
  cr_expect_eq(commit(), '=', "%s", s.reason.text);
  sh_update(&s, CK_MESSAGES, "{'id':'x','conversation_id':'a'}");
  cr_expect_eq(commit(), 'r');
  sh_is(&s, CK_MESSAGES, "x", "conversation_id", "NULL");
}

#define HASH "1111111111111111111111111111111111111111111111111111111111111111"

/* The look for other messages that name a file takes several pieces. One that comes meanwhile, or
 * that names it only then, is seen. */
static void look_for_names(const char *sql, int64_t left) {
  struct ck_err err;
  put_all("a");
  for (int i = 0; i < OTHERS; ++i) {
    char *id = ck_sprintf("other-%d", i);
    sh_message(&s, id, 500 + i, ",'conversation_id':'b'");
    free(id);
  }
  cr_assert_eq(db_exec(s.db,
                       "INSERT INTO attachments VALUES ('" HASH "', 1, 't', 1);"
                       "INSERT INTO attachment_names VALUES ('n', '" HASH "', 'f1', 1);"
                       "UPDATE messages SET details = '{\"attachments\":[{\"file\":\"f1\"}]}'"
                       " WHERE id = 'a0'",
                       &err),
               0, "%s", err.text);
  apply_resize_forget(s.apply, 1);
  ap_mutate(forget_of("conversation", "p:a"));
  while (count("forgetting WHERE upto = 0") && sh_forget_piece(&s)) {
  }
  cr_expect_eq(count("attachments"), 1);
  cr_assert_eq(db_exec(s.db, sql, &err), 0, "%s", err.text);
  while (sh_forget_piece(&s)) {
  }
  cr_expect_eq(count("attachments"), left);
  cr_expect_eq(count("attachment_names"), left);
  cr_expect_eq(count("forgotten_files"), !left);
  cr_expect_eq(count("forgetting_files"), 0);
}

Test(apply, a_file_that_nothing_else_names_goes) { look_for_names("SELECT 1", 0); }
Test(apply, a_file_that_is_named_meanwhile_stays) {
  look_for_names("UPDATE messages SET details = '{\"attachments\":[{\"file\":\"f1\"}]}'"
                 " WHERE id = 'other-110'",
                 1);
}
