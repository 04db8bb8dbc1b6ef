/* Ids that two conversations use: nothing is refused for one, and each conversation is whole. */
#include "test_store_apply.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/test_sanitized.h"

/* ids: the messages' ids, the first being the root; the age is 10. */
static void put_chain(const char *conversation, const char *ids, const char *more) {
  char parent[20] = "null";
  int position = 0;
  for (const char *id = ids; *id; ++id, ++position) {
    char *json =
        ck_sprintf("{'id':'%c','platform':'p','conversation_id':'%s','role':'user',"
                   "'raw_text':'%s says %c','observed_at':%d,'parent_id':%s,"
                   "'position':%d%s}",
                   *id, conversation, conversation, *id, position + 1, parent, position, more);
    sh_put_aged(&s, CK_MESSAGES, 10, json);
    free(json);
    snprintf(parent, sizeof parent, "'%c'", *id);
  }
}

static void put_rest(const char *conversation, char last) {
  char *json = ck_sprintf("{'id':'%s@1970-01-01','platform':'p','conversation_id':'%s',"
                          "'started_at':1,'last_activity_at':1}",
                          conversation, conversation);
  sh_put_aged(&s, CK_SESSIONS, 10, json);
  free(json);
  json = ck_sprintf("{'local_conversation_id':'p:%s','platform':'p','last_message_id':'%c',"
                    "'last_message_at':1}",
                    conversation, last);
  sh_put_aged(&s, CK_CONVERSATIONS, 10, json);
  free(json);
}

static char whole(const char *conversation, const char *ids) {
  put_chain(conversation, ids, "");
  put_rest(conversation, ids[strlen(ids) - 1]);
  char letter = sh_apply(&s);
  cr_assert_eq(sh_commit(&s), 0, "%s", s.reason.text);
  cr_assert_neq(letter, 'r', "%s", s.reason.text);
  return letter;
}

/* The conversation as its source has it: texts from the root, by the parents. */
static const char *read_up(const char *conversation) {
  static char text[200];
  sqlite3_stmt *q;
  struct ck_err err;
  q = db_prepare(s.db,
                 "WITH RECURSIVE up(id, parent_id, raw_text, n) AS (SELECT id, parent_id, raw_text,"
                 " 0 FROM messages WHERE id = (SELECT last_message_id FROM local_conversations"
                 " WHERE local_conversation_id = 'p:' || ?1) UNION ALL SELECT m.id, m.parent_id,"
                 " m.raw_text, n + 1 FROM messages m JOIN up ON m.id = up.parent_id)"
                 " SELECT group_concat(raw_text, ', ') FROM (SELECT raw_text FROM up ORDER BY n"
                 " DESC)",
                 &err);
  cr_assert(q, "%s", err.text);
  sqlite3_bind_text(q, 1, conversation, -1, SQLITE_STATIC);
  cr_assert_eq(sqlite3_step(q), SQLITE_ROW);
  struct ck_str all = db_str(q, 0);
  snprintf(text, sizeof text, "%.*s", (int)all.n, all.s);
  sqlite3_finalize(q);
  return text;
}

#define reads(conversation, expected) \
  cr_expect_str_eq(read_up(conversation), expected, "%s reads '%s'", conversation, \
                   read_up(conversation))

static int64_t count(const char *table) {
  char *sql = ck_sprintf("SELECT count(*) FROM %s", table);
  int64_t n = sh_int(&s, sql);
  free(sql);
  return n;
}

Test(apply, a_copied_conversation_is_whole_and_stays_so) {
  cr_expect_eq(whole("a", "123"), 'n');
  cr_expect_eq(whole("b", "1234"), 'n');
  for (int again = 0; again < 2; ++again) {
    reads("a", "a says 1, a says 2, a says 3");
    reads("b", "b says 1, b says 2, b says 3, b says 4");
    cr_expect_eq(count("messages"), 7);
    sh_is(&s, CK_SESSIONS, "b@1970-01-01", "message_count", "4");
    sh_reopen(&s);
    uint64_t head = apply_head(s.apply);
    cr_expect_eq(whole("b", "1234"), '=');
    cr_expect_eq(whole("a", "123"), '=');
    cr_expect_eq(apply_head(s.apply), head);
  }
  cr_expect_eq(whole("b", "12345"), 'n');
  reads("b", "b says 1, b says 2, b says 3, b says 4, b says 5");
  sh_check_keys(&s);
}

/* ---- copies that a platform makes ---- */

static void put_copy(const char *conversation, const char *id, const char *role, const char *text,
                     int at, bool timed) {
  struct ck_buf row = {0};
  char *json = ck_sprintf("{'id':'%s','platform':'p','conversation_id':'%s','role':'%s',"
                          "'raw_text':'%s','observed_at':%d}",
                          id, conversation, role, text, at);
  sh_pack(&row, json);
  struct ck_mutation m = {.kind = CK_OP_COPY};
  m.as.copy = (struct ck_copy){ck_buf_view(&row), 10, timed};
  sh_mutate(&s, &m);
  ck_buf_free(&row);
  free(json);
}

static char applied(void) {
  char letter = sh_apply(&s);
  cr_assert_eq(sh_commit(&s), 0, "%s", s.reason.text);
  return letter;
}

static char copy(const char *conversation, const char *id, const char *role, const char *text,
                 int at, bool timed) {
  put_copy(conversation, id, role, text, at, timed);
  return applied();
}

Test(apply, a_copy_is_the_message_that_is_there) {
  cr_expect_eq(copy("a", "1", "user", "hello", 5, true), 'n');
  cr_expect_eq(copy("b", "1", "user", "hello", 5, true), '=');
  cr_expect_eq(copy("b", " 1 ", " user ", "hello", 5, true), '=');
  cr_expect_eq(copy("b", "1", "user", "hello", 6, false), '=');
  sh_is(&s, CK_MESSAGES, "1", "observed_at", "5");
  cr_expect_eq(count("messages"), 1);
  sh_is(&s, CK_MESSAGES, "1", "conversation_id", "a");
  cr_expect_eq(copy("b", "2", "user", "more", 7, true), 'n');
  sh_is(&s, CK_MESSAGES, "2", "conversation_id", "b");
}

static void put_session_of_b(int from, int to) {
  char *json = ck_sprintf("{'id':'b@1970-01-01','platform':'p','conversation_id':'b',"
                          "'started_at':%d,'last_activity_at':%d}",
                          from, to);
  sh_put(&s, CK_SESSIONS, json);
  free(json);
}

/* Of the messages that it has copied, a fork's session does not say when that was, in however many
 * changesets they come, and however often. */
Test(apply, a_session_of_a_fork_begins_with_its_own) {
  static const char call[] = "{'instruction_id':'c','message_id':'2','target':'t','tool':'ls',"
                             "'executed_at':7}";
  copy("a", "1", "user", "hello", 5, true);
  put_copy("a", "2", "user", "again", 6, true);
  sh_put(&s, CK_EXECUTIONS, call);
  cr_expect_eq(applied(), 'n');
  put_copy("b", "1", "user", "hello", 1000, false);
  put_session_of_b(1000, 1000);
  cr_expect_eq(applied(), '=');
  put_copy("b", "2", "user", "again", 2000, false);
  put_copy("b", "own", "user", "more", 3000, false);
  put_session_of_b(2000, 3000);
  cr_expect_eq(applied(), 'n');
  for (int again = 0; again < 2; ++again) {
    sh_is(&s, CK_SESSIONS, "b@1970-01-01", "started_at", "3000");
    sh_is(&s, CK_SESSIONS, "b@1970-01-01", "message_count", "1");
    put_copy("b", "1", "user", "hello", 1000, false);
    put_session_of_b(1000, 1000);
    cr_expect_eq(applied(), '=');
    sh_put(&s, CK_EXECUTIONS, call);
    put_session_of_b(1500, 1500);
    cr_expect_eq(applied(), '=');
  }
}

/* An answer of which only the beginning was copied, or of which the copy has come first. */
Test(apply, the_longer_text_of_a_copy_stays) {
  cr_expect_eq(copy("a", "1", "assistant", "It", 5, true), 'n');
  cr_expect_eq(copy("b", "1", "assistant", "It works", 5, true), 'u');
  cr_expect_eq(copy("a", "1", "assistant", "It", 5, true), '=');
  sh_is(&s, CK_MESSAGES, "1", "raw_text", "It works");
}

/* Of one id, and yet others. */
Test(apply, what_differs_is_no_copy) {
  cr_expect_eq(copy("a", "1", "user", "hello", 5, true), 'n');
  cr_expect_eq(copy("b", "1", "user", "hello", 6, true), 'n', "at another time");
  cr_expect_eq(copy("c", "1", "assistant", "hello", 5, true), 'n', "by another one");
  cr_expect_eq(copy("d", "1", "user", "bye", 5, false), 'n', "another text");
  cr_expect_eq(count("messages"), 4);
  cr_expect_eq(copy("b", "1", "user", "hello", 6, true), '=');
  cr_expect_eq(count("messages"), 4);
}

/* What follows in the changeset belongs to the conversation that the copy has come with. */
Test(apply, after_a_copy_ids_mean_what_they_mean_here) {
  whole("a", "12");
  whole("b", "2");
  copy("b", "1", "user", "a says 1", 1, true);
  put_rest("b", '2');
  cr_expect_neq(sh_apply(&s), 'r', "%s", s.reason.text);
  sh_commit(&s);
  reads("b", "b says 2");
}

/* Three conversations, the second in the same commit as the first. */
Test(apply, each_conversation_has_ids_of_its_own) {
  put_chain("a", "1", "");
  cr_expect_eq(sh_apply(&s), 'n');
  put_chain("b", "1", "");
  cr_expect_eq(sh_apply(&s), 'n');
  sh_commit(&s);
  cr_expect_eq(whole("c", "1"), 'n');
  cr_expect_eq(count("messages"), 3);
  cr_expect_eq(sh_int(&s, "SELECT count(DISTINCT substr(id, 1, 2)) FROM messages"), 2,
               "the id, or the id and '@'");
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM messages WHERE length(id) = 18"), 2);
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM messages WHERE details = '{\"source_id\":\"1\"}'"),
               2);
}

/* Of another platform it is another message too. */
Test(apply, ids_of_another_platform_are_others) {
  whole("a", "1");
  sh_put(&s, CK_MESSAGES, "{'id':'1','platform':'q','role':'user','raw_text':'q','observed_at':1}");
  cr_expect_eq(sh_apply(&s), 'n', "%s", s.reason.text);
  sh_commit(&s);
  cr_expect_eq(count("messages"), 2);
}

/* Details keep what the source says, and a source that says none takes nothing away. */
Test(apply, details_name_the_id_of_the_source) {
  whole("a", "1");
  put_chain("b", "1", "");
  sh_apply(&s);
  put_chain("b", "1", ",'details':'{\\\"model\\\":\\\"m\\\"}'");
  cr_expect_eq(sh_apply(&s), 'u');
  sh_commit(&s);
  cr_expect_eq(sh_int(&s, "SELECT details = '{\"source_id\":\"1\",\"model\":\"m\"}' FROM messages"
                          " WHERE id <> '1'"),
               1);
  put_chain("b", "1", ",'details':'{\\\"n\\\":1}'");
  cr_expect_eq(sh_apply(&s), 'u', "of one age the greater bytes");
  put_chain("b", "1", ",'details':'{\\\"z\\\":1,\\\"source_id\\\":\\\"node\\\"}'");
  cr_expect_eq(sh_apply(&s), 'u');
  sh_commit(&s);
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM messages WHERE details ="
                          " '{\"z\":1,\"source_id\":\"node\"}'"),
               1, "one that has it already");
}

/* ---- executions ---- */

static void put_execution(const char *id, const char *message) {
  char *json = ck_sprintf("{'instruction_id':'%s','message_id':'%s','target':'t','tool':'u',"
                          "'executed_at':1}",
                          id, message);
  sh_put_aged(&s, CK_EXECUTIONS, 10, json);
  free(json);
}

static int64_t executions_of(const char *conversation) {
  char *sql = ck_sprintf("SELECT count(*) FROM executions e JOIN messages m ON m.id = e.message_id"
                         " WHERE m.conversation_id = '%s'",
                         conversation);
  int64_t n = sh_int(&s, sql);
  free(sql);
  return n;
}

static void put_calls(const char *conversation) {
  put_chain(conversation, "1", "");
  put_execution("call", "1");
  put_rest(conversation, '1');
}

Test(apply, executions_go_with_their_message) {
  for (int again = 0; again < 2; ++again) {
    put_calls("a");
    cr_expect_eq(sh_apply(&s), "n="[again]);
    put_calls("b");
    cr_expect_eq(sh_apply(&s), "n="[again], "%s", s.reason.text);
    sh_commit(&s);
    cr_expect_eq(executions_of("a"), 1);
    cr_expect_eq(executions_of("b"), 1);
    sh_is(&s, CK_SESSIONS, "b@1970-01-01", "execution_count", "1");
  }
  /* without its message, in a later changeset of its conversation */
  put_execution("late", "1");
  put_rest("b", '1');
  cr_expect_eq(sh_apply(&s), 'n', "%s", s.reason.text);
  sh_commit(&s);
  cr_expect_eq(executions_of("b"), 2);
  cr_expect_eq(executions_of("a"), 1);
}

/* A message that does not say whose it is leaves that to the changeset's session, whatever came
 * before it. */
Test(apply, executions_after_a_nameless_message_are_their_sessions) {
  whole("a", "1");
  whole("b", "1");
  for (int before = 0; before < 2; ++before) {
    if (before) put_execution("before", "1");
    sh_put_aged(&s, CK_MESSAGES, 10, "{'id':'1','page_title':'of a'}");
    put_execution(before ? "after" : "alone", "1");
    put_rest("b", '1');
    cr_expect_eq(applied(), 'n', "%s", s.reason.text);
  }
  cr_expect_eq(executions_of("b"), 3);
  cr_expect_eq(executions_of("a"), 0);
  sh_is(&s, CK_MESSAGES, "1", "page_title", "of a");
}

/* Within a conversation too. */
Test(apply, an_instruction_id_of_two_messages_is_two_executions) {
  put_chain("a", "12", "");
  put_execution("call", "1");
  put_execution("call", "2");
  put_execution("call", "1");
  cr_expect_eq(sh_apply(&s), 'n', "%s", s.reason.text);
  put_execution("call", "2");
  cr_expect_eq(sh_apply(&s), '=', "%s", s.reason.text);
  sh_commit(&s);
  cr_expect_eq(count("executions"), 2);
}

/* ---- forks ---- */

static void put_child(const char *id, const char *conversation, const char *parent) {
  char *json = ck_sprintf("{'id':'%s','platform':'p','conversation_id':'%s','role':'user',"
                          "'raw_text':'%s says %s','observed_at':5,'parent_id':'%s',"
                          "'position':3}",
                          id, conversation, conversation, id, parent);
  sh_put_aged(&s, CK_MESSAGES, 10, json);
  free(json);
}

/* The parent is another conversation's, and stays it. */
Test(apply, a_fork_points_into_the_other_conversation) {
  whole("a", "123");
  put_child("f", "fork", "2");
  put_rest("fork", 'f');
  cr_expect_eq(sh_apply(&s), 'n');
  sh_commit(&s);
  sh_is(&s, CK_MESSAGES, "f", "parent_id", "2");
  reads("fork", "a says 1, a says 2, fork says f");
}

/* The parent's own copy comes later: in the database, in the same commit, in the same changeset. */
Test(apply, children_turn_to_a_derived_message) {
  for (int when = 0; when < 3; ++when) {
    char copy[2] = {(char)('x' + when), 0}, child[2] = {(char)('f' + when), 0};
    whole("a", "12");
    put_child(child, copy, "2");
    if (when < 2) cr_expect_eq(sh_apply(&s), 'n');
    if (when == 0) sh_commit(&s);
    put_chain(copy, "12", "");
    put_rest(copy, child[0]);
    cr_expect_eq(sh_apply(&s), 'n', "%s", s.reason.text);
    sh_commit(&s);
    char *expected = ck_sprintf("%s says 1, %s says 2, %s says %s", copy, copy, copy, child);
    reads(copy, expected);
    free(expected);
    reads("a", "a says 1, a says 2");
    ap_check_versions(apply_head(s.apply));
  }
}

/* A conversation that comes without messages is known by its own id. */
Test(apply, a_last_message_is_meant_in_its_conversation) {
  whole("a", "12");
  whole("b", "12");
  sh_put_aged(&s, CK_CONVERSATIONS, 20,
              "{'local_conversation_id':'p:b','platform':'p','last_message_id':'1',"
              "'last_message_at':1}");
  cr_expect_eq(sh_apply(&s), 'u');
  sh_commit(&s);
  reads("b", "b says 1");
  reads("a", "a says 1, a says 2");
}

/* A refused changeset takes its derived messages with it. */
Test(apply, derived_ids_are_undone_with_their_changeset) {
  whole("a", "1");
  put_child("f", "b", "1");
  sh_apply(&s);
  put_chain("b", "1", "");
  sh_put(&s, CK_MESSAGES, "{}");
  cr_expect_eq(sh_apply(&s), 'r');
  sh_commit(&s);
  cr_expect_eq(count("messages"), 2);
  sh_is(&s, CK_MESSAGES, "f", "parent_id", "1");
}

/* Not the time of a look for each of them. */
Test(apply, a_long_copy_is_quick, .timeout = 60 * SLOWER) {
  for (int c = 0; c < 2; ++c) {
    for (int i = 0; i < 20000; ++i) {
      char *json = ck_sprintf("{'id':'m%d','platform':'p','conversation_id':'c%d','role':'user',"
                              "'raw_text':'','observed_at':1,'parent_id':'m%d','position':%d}",
                              i, c, i - 1, i);
      sh_put_aged(&s, CK_MESSAGES, 10, json);
      free(json);
      if (i % 256 != 255 && i != 19999) continue;
      cr_assert_eq(sh_apply(&s), 'n', "%s", s.reason.text);
      cr_assert_eq(sh_commit(&s), 0);
    }
  }
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM messages WHERE conversation_id = 'c1'"
                          " AND length(id) > 17 AND (length(parent_id) > 17 OR id LIKE 'm0@%')"),
               20000);
}
