/* The rules of docs/records.md through the real doors: a store alone, changesets made by hand, the
 * tables read back. */
#include "tests/harness/base.h"
#include "tests/harness/database.h"
#include "tests/harness/ring.h"
#include "tests/harness/talk.h"

#define MESSAGE "'platform': 'chatgpt', 'role': 'user', 'raw_text': 'hi', 'observed_at': 1000"
#define CONVERSATION "'local_conversation_id': 'l1', 'platform': 'chatgpt'"
#define EXECUTION \
  "'message_id': 'm1', 'target': 'python', 'tool': 'run', 'result_ok': 1, 'executed_at': 1000"

static struct t_producer *store_alone(void) {
  t_daemon("store", NULL);
  return t_producer("test");
}

static int64_t head(void) { return t_status_int("version", -1); }

static void check_int(const char *table, const char *key, const char *column, int64_t want) {
  json_t *row = t_record(table, key);
  T_CHECK(row != NULL, "%s has no %s", table, key);
  json_t *got = json_object_get(row, column);
  T_CHECK(json_is_integer(got) && json_integer_value(got) == want, "%s.%s of %s is %lld, not %lld",
          table, column, key, (long long)json_integer_value(got), (long long)want);
  json_decref(row);
}

/* want: NULL for SQL NULL. */
static void check_text(const char *table, const char *key, const char *column, const char *want) {
  json_t *row = t_record(table, key);
  T_CHECK(row != NULL, "%s has no %s", table, key);
  const char *got = t_text_at(row, column);
  bool same = want ? got && strcmp(got, want) == 0 : json_is_null(json_object_get(row, column));
  T_CHECK(same, "%s.%s of %s is \"%s\", not \"%s\"", table, column, key, got ? got : "NULL",
          want ? want : "NULL");
  json_decref(row);
}

/* What a source does not say it does not clear either; what is nobody's but the owner's, NULL
 * clears.
 */
T_STORY(rules, left_out_and_null_say_nothing, 30) {
  struct t_producer *p = store_alone();
  t_taken(p, 'n', "messages",
          "{'id': 'm1', " MESSAGE
          ", 'page_title': 'Title', 'page_url': 'url', 'conversation_id': 'c1'}");
  t_taken(p, '=', "messages", "{'id': 'm1', " MESSAGE ", 'page_url': null}");
  check_text("messages", "m1", "page_title", "Title");
  check_text("messages", "m1", "conversation_id", "c1");
  check_text("messages", "m1", "page_url", "url");
  t_taken(p, 'n', "local_conversations", "{" CONVERSATION ", 'title': 'T', 'cooldown_until': 5}");
  t_taken(p, 'u', "local_conversations", "{" CONVERSATION ", 'cooldown_until': null}");
  check_text("local_conversations", "l1", "title", "T");
  check_text("local_conversations", "l1", "cooldown_until", NULL);
}

T_STORY(rules, text_is_trimmed, 30) {
  struct t_producer *p = store_alone();
  t_taken(p, 'n', "messages",
          "{'id': ' \\u00a0m1\\u3000\\n', 'platform': '\\tchatgpt ', 'role': ' user', 'raw_text': "
          "'  kept \\n', 'observed_at': 1, 'page_title': ' \\u2003 ', "
          "'page_url': ' s '}");
  check_text("messages", "m1", "platform", "chatgpt");
  check_text("messages", "m1", "role", "user");
  check_text("messages", "m1", "raw_text", "  kept \n");
  check_text("messages", "m1", "page_title", NULL);
  check_text("messages", "m1", "page_url", "s");
  t_refused(
      p, "platform", "messages",
      "{'id': 'm2', 'platform': ' \\u00a0', 'role': 'user', 'raw_text': '', 'observed_at': 1}");
  t_refused(p, "id", "messages", "{'id': '\\u2028', " MESSAGE "}");
  t_taken(p, 'n', "messages",
          "{'id': 'm3', 'platform': 'x', 'role': 'system', 'raw_text': '', 'observed_at': 1}");
  check_text("messages", "m3", "raw_text", "");
  t_taken(p, '=', "messages",
          "{'id': 'm1', 'platform': 'chatgpt', 'role': 'user', 'raw_text': '  kept \\n', "
          "'observed_at': 1, 'page_url': '   '}");
  check_text("messages", "m1", "page_url", "s");
}

T_STORY(rules, what_is_required, 30) {
  struct t_producer *p = store_alone();
  t_refused(p, "role", "messages",
            "{'id': 'm1', 'platform': 'x', 'raw_text': 'a', 'observed_at': 1}");
  t_refused(p, "role", "messages",
            "{'id': 'm1', 'platform': 'x', 'role': null, 'raw_text': 'a', 'observed_at': 1}");
  t_refused(p, "raw_text", "messages",
            "{'id': 'm1', 'platform': 'x', 'role': 'user', 'observed_at': 1}");
  t_refused(p, "observed_at", "messages",
            "{'id': 'm1', 'platform': 'x', 'role': 'user', 'raw_text': 'a'}");
  t_refused(p, "id", "messages",
            "{'platform': 'x', 'role': 'user', 'raw_text': 'a', 'observed_at': 1}");
  t_refused(p, "started_at", "sessions", "{'id': 's', 'platform': 'x', 'last_activity_at': 1}");
  t_refused(p, "observed_at", "conversation_links",
            "{'link_id': 'k', 'local_conversation_id': 'l', 'platform': 'x'}");
  T_CHECK(t_count("messages") == 0 && t_count("sessions") == 0,
          "something of a refused write was kept");
  T_CHECK(head() == 0, "a refused write made a version");
}

T_STORY(rules, defaults, 30) {
  struct t_producer *p = store_alone();
  int64_t before = ck_now_ms();
  t_taken(p, 'n', "messages", "{'id': 'm1', " MESSAGE "}");
  t_taken(p, 'n', "executions", "{'instruction_id': 'e1', " EXECUTION "}");
  t_taken(p, 'n', "sessions",
          "{'id': 's1', 'platform': 'x', 'started_at': 1, 'last_activity_at': 2}");
  t_taken(p, 'n', "local_conversations", "{" CONVERSATION "}");
  t_taken(
      p, 'n', "conversation_links",
      "{'link_id': 'k1', 'local_conversation_id': 'l1', 'platform': 'chatgpt', 'observed_at': 1}");
  t_taken(
      p, 'n', "renewal_jobs",
      "{'job_id': 'j1', 'local_conversation_id': 'l1', 'message_id': 'm1', 'payload': ' go on '}");
  check_text("executions", "e1", "params_kind", "none");
  check_int("sessions", "s1", "message_count", 0);
  check_int("sessions", "s1", "execution_count", 0);
  check_text("local_conversations", "l1", "automation_status", "manual");
  check_int("conversation_links", "k1", "is_active", 1);
  check_text("renewal_jobs", "j1", "status", "pending");
  check_text("renewal_jobs", "j1", "payload", " go on ");
  check_text("renewal_jobs", "j1", "payload_kind", "text");
  check_int("renewal_jobs", "j1", "attempt_count", 0);
  check_int("renewal_jobs", "j1", "max_attempts", 3);
  json_t *job = t_record("renewal_jobs", "j1");
  T_CHECK(t_int_at(job, "next_attempt_at", 0) == t_int_at(job, "created_at", 1),
          "a job's next_attempt_at is not its created_at");
  T_CHECK(t_int_at(job, "created_at", 0) >= before && t_int_at(job, "created_at", 0) <= ck_now_ms(),
          "created_at is not now");
  json_decref(job);
  json_t *message = t_record("messages", "m1");
  const char *path = t_text_at(message, "static_path");
  T_CHECK(path && strncmp(path, "msg/", 4) == 0, "static_path is %s", path ? path : "NULL");
  json_decref(message);
}

T_STORY(rules, choices_and_integers, 30) {
  struct t_producer *p = store_alone();
  t_taken(p, 'n', "messages", "{'id': 'm1', " MESSAGE "}");
  t_taken(p, 'n', "local_conversations", "{" CONVERSATION "}");
  t_refused(p, "automation_status", "local_conversations",
            "{" CONVERSATION ", 'automation_status': 'Auto'}");
  t_refused(p, "params_kind", "executions",
            "{'instruction_id': 'e1', " EXECUTION ", 'params_kind': 'xml'}");
  t_refused(p, "result_ok", "executions",
            "{'instruction_id': 'e1', 'message_id': 'm1', 'target': 'a', 'tool': 'b', "
            "'result_ok': 2, 'executed_at': 1}");
  t_refused(p, "observed_at", "messages",
            "{'id': 'm2', 'platform': 'x', 'role': 'user', 'raw_text': 'a', 'observed_at': 1.5}");
  t_refused(p, "observed_at", "messages",
            "{'id': 'm2', 'platform': 'x', 'role': 'user', 'raw_text': 'a', 'observed_at': '1'}");
  t_refused(p, "role", "messages",
            "{'id': 'm2', 'platform': 'x', 'role': 7, 'raw_text': 'a', 'observed_at': 1}");
  const char *job = "'local_conversation_id': 'l1', 'message_id': 'm1', 'payload': 'x'";
  t_refused(p, "status", "renewal_jobs", "{'job_id': 'j', %s, 'status': 'unknown'}", job);
  t_refused(p, "payload_kind", "renewal_jobs", "{'job_id': 'j', %s, 'payload_kind': 'html'}", job);
  t_refused(p, "attempt_count", "renewal_jobs", "{'job_id': 'j', %s, 'attempt_count': -1}", job);
  t_refused(p, "max_attempts", "renewal_jobs", "{'job_id': 'j', %s, 'max_attempts': 0}", job);
  t_refused(p, "payload", "renewal_jobs",
            "{'job_id': 'j', 'local_conversation_id': 'l1', 'message_id': 'm1', "
            "'payload': ' \\n\\u00a0'}");
  T_CHECK(t_count("renewal_jobs") == 0 && t_count("executions") == 0, "a refused row was kept");
}

T_STORY(rules, unknown_names, 30) {
  struct t_producer *p = store_alone();
  t_refused(p, "colour", "messages", "{'id': 'm1', " MESSAGE ", 'colour': 'red'}");
  t_refused(p, "version", "messages", "{'id': 'm1', " MESSAGE ", 'version': 1}");
  t_refused(p, "producers", "producers", "{'id': 'x'}");
  t_refused(p, "sqlite_master", "sqlite_master", "{'name': 'x'}");
  /* A column given twice is refused: which one counted would be chance. */
  struct ck_buf b = {0};
  ck_put_array(&b, 4), ck_put_uint(&b, CK_OP_PUT), ck_put_text(&b, "messages");
  ck_put_map(&b, 6);
  const char *names[] = {"id", "platform", "role", "raw_text", "role"};
  for (int i = 0; i < 5; i++) ck_put_text(&b, names[i]), ck_put_text(&b, "x");
  ck_put_text(&b, "observed_at"), ck_put_int(&b, 1);
  ck_put_int(&b, 0);
  t_mutate_raw(p, ck_buf_view(&b));
  T_CHECK(t_commit(p) == 'r' && strstr(t_refusal(p), "role"), "a column given twice: %s",
          t_refusal(p));
  ck_buf_free(&b);
  T_CHECK(t_count("messages") == 0, "something of it was kept");
}

T_STORY(rules, references_must_exist, 30) {
  struct t_producer *p = store_alone();
  t_refused(p, "message_id", "executions", "{'instruction_id': 'e1', " EXECUTION "}");
  t_refused(p, "local_conversation_id", "conversation_links",
            "{'link_id': 'k', 'local_conversation_id': 'l1', 'platform': 'x', 'observed_at': 1}");
  t_refused(p, "_id", "renewal_jobs",
            "{'job_id': 'j', 'local_conversation_id': 'l1', 'message_id': 'm1', 'payload': 'x'}");
  t_taken(p, 'n', "local_conversations", "{" CONVERSATION "}");
  t_refused(p, "message_id", "renewal_jobs",
            "{'job_id': 'j', 'local_conversation_id': 'l1', 'message_id': 'm1', 'payload': 'x'}");
  /* Within one changeset the parent may come with the child. */
  t_put(p, "messages", "{'id': 'm1', " MESSAGE "}");
  t_put(p, "executions", "{'instruction_id': 'e1', " EXECUTION "}");
  T_CHECK(t_commit(p) == 'n', "parent and child in one changeset: %s", t_refusal(p));
  t_check_database("artifact.db");
}

T_STORY(rules, all_or_none, 30) {
  struct t_producer *p = store_alone(), *other = t_producer("other");
  t_put(p, "messages", "{'id': 'm1', " MESSAGE "}");
  t_put(p, "messages", "{'id': 'm2', " MESSAGE "}");
  t_put(p, "executions",
        "{'instruction_id': 'e1', 'message_id': 'gone', 'target': 'a', 'tool': 'b', "
        "'result_ok': 1, 'executed_at': 1}");
  T_CHECK(t_commit(p) == 'r', "a changeset with one bad mutation went in");
  T_CHECK(t_count("messages") == 0, "half of a refused changeset was kept");
  t_taken(other, 'n', "messages", "{'id': 'm3', " MESSAGE "}");
  t_taken(p, 'n', "messages", "{'id': 'm1', " MESSAGE "}");
  json_t *refusals = t_query("refusals", "{'producer': 'test'}", 20, 0);
  T_CHECK(json_array_size(refusals) == 1 && t_int_at(refusals, "0.number", 0) == 1,
          "the refusal is not kept: %s", json_dumps(refusals, 0));
  T_CHECK(t_text_at(refusals, "0.reason") != NULL, "a refusal without a reason");
  json_decref(refusals);
}

T_STORY(rules, a_write_without_effect_makes_no_version, 30) {
  struct t_producer *p = store_alone();
  t_taken(p, 'n', "messages", "{'id': 'm1', " MESSAGE ", 'page_title': 'T'}");
  t_taken(p, 'n', "local_conversations", "{" CONVERSATION ", 'title': 'T', 'updated_at': 5000}");
  int64_t before = head();
  t_taken(p, '=', "messages", "{'id': ' m1 ', " MESSAGE "}");
  t_taken(p, '=', "messages", "{'id': 'm1', " MESSAGE ", 'page_title': ' T ', 'created_at': 77}");
  t_taken(p, '=', "local_conversations", "{" CONVERSATION ", 'title': 'T', 'updated_at': 9000}");
  T_CHECK(head() == before, "a write that changed nothing made version %lld after %lld",
          (long long)head(), (long long)before);
  check_int("local_conversations", "l1", "updated_at", 5000);
  t_taken(p, 'u', "local_conversations", "{" CONVERSATION ", 'title': 'U', 'updated_at': 9000}");
  check_int("local_conversations", "l1", "updated_at", 9000);
  T_CHECK(head() == before + 1, "one change made %lld versions", (long long)(head() - before));
}

T_STORY(rules, created_at_stays, 30) {
  struct t_producer *p = store_alone();
  t_taken(p, 'n', "messages", "{'id': 'm1', " MESSAGE ", 'created_at': 42}");
  t_taken(p, 'u', "messages",
          "{'id': 'm1', 'platform': 'chatgpt', 'role': 'user', 'raw_text': 'longer now', "
          "'observed_at': 2000, 'created_at': 99}");
  check_int("messages", "m1", "created_at", 42);
  check_text("messages", "m1", "raw_text", "longer now");
  check_int("messages", "m1", "observed_at", 2000);
}

T_STORY(rules, a_late_write_fills_only_what_is_missing, 30) {
  struct t_producer *p = store_alone();
  t_taken(p, 'n', "messages",
          "{'id': 'm1', 'platform': 'chatgpt', 'role': 'user', 'raw_text': 'new', "
          "'observed_at': 2000}");
  t_taken(p, 'u', "messages",
          "{'id': 'm1', 'platform': 'chatgpt', 'role': 'user', 'raw_text': 'old', "
          "'observed_at': 1000, 'page_title': 'found late'}");
  check_text("messages", "m1", "raw_text", "new");
  check_int("messages", "m1", "observed_at", 2000);
  check_text("messages", "m1", "page_title", "found late");
  t_taken(p, 'n', "local_conversations",
          "{" CONVERSATION ", 'title': 'New', 'last_message_id': 'm9', 'last_message_at': 2000}");
  t_taken(p, 'u', "local_conversations",
          "{" CONVERSATION
          ", 'title': 'Old', 'summary': 's', 'last_message_id': 'm1', 'last_message_at': 1000}");
  check_text("local_conversations", "l1", "last_message_id", "m9");
  check_int("local_conversations", "l1", "last_message_at", 2000);
  check_text("local_conversations", "l1", "summary", "s");
  t_taken(p, 'n', "sessions",
          "{'id': 's1', 'platform': 'x', 'started_at': 1000, 'last_activity_at': 2000}");
  t_taken(p, 'u', "sessions",
          "{'id': 's1', 'platform': 'x', 'started_at': 500, 'last_activity_at': 600}");
  check_int("sessions", "s1", "started_at", 500);
  check_int("sessions", "s1", "last_activity_at", 2000);
  t_taken(p, 'n', "conversation_links",
          "{'link_id': 'k1', 'local_conversation_id': 'l1', 'platform': 'x', "
          "'remote_conversation_id': 'r', 'observed_at': 2000}");
  t_taken(p, 'u', "conversation_links",
          "{'link_id': 'k1', 'local_conversation_id': 'l1', 'platform': 'x', "
          "'remote_conversation_id': 'r', 'observed_at': 1000, 'page_title': 'P'}");
  check_int("conversation_links", "k1", "observed_at", 2000);
  check_text("conversation_links", "k1", "page_title", "P");
  t_taken(p, 'u', "local_conversations",
          "{" CONVERSATION ", 'last_message_id': 'm10', 'last_message_at': 3000}");
  check_text("local_conversations", "l1", "last_message_id", "m10");
}

T_STORY(rules, json_fields_take_any_value, 30) {
  struct t_producer *p = store_alone();
  t_taken(p, 'n', "local_conversations", "{" CONVERSATION "}");
  t_taken(p, 'n', "conversation_links",
          "{'link_id': 'k1', 'local_conversation_id': 'l1', 'platform': 'x', 'observed_at': 1, "
          "'route_params': {'a': [1, true, null]}, 'target_payload': 'as { it is'}");
  check_text("conversation_links", "k1", "target_payload", "as { it is");
  json_t *row = t_record("conversation_links", "k1"),
         *params = json_loads(t_text_at(row, "route_params"), 0, NULL),
         *want = t_json("{'a': [1, true, null]}");
  T_CHECK(params && json_equal(params, want), "route_params became %s",
          t_text_at(row, "route_params"));
  json_decref(row), json_decref(params), json_decref(want);
  t_taken(p, 'u', "conversation_links",
          "{'link_id': 'k1', 'local_conversation_id': 'l1', 'platform': 'x', 'observed_at': 2, "
          "'route_params': 12, 'target_payload': false}");
  check_text("conversation_links", "k1", "route_params", "12");
  check_text("conversation_links", "k1", "target_payload", "false");
}

T_STORY(rules, a_link_is_found_by_its_remote_id_first, 30) {
  struct t_producer *p = store_alone();
  t_taken(p, 'n', "local_conversations", "{" CONVERSATION "}");
  t_taken(p, 'n', "local_conversations", "{'local_conversation_id': 'l2', 'platform': 'chatgpt'}");
  const char *link = "'platform': 'chatgpt', 'observed_at': 1";
  t_taken(p, 'n', "conversation_links",
          "{'link_id': 'k1', 'local_conversation_id': 'l1', 'remote_conversation_id': 'r1', %s}",
          link);
  t_taken(p, 'u', "conversation_links",
          "{'link_id': 'other', 'local_conversation_id': 'l1', 'remote_conversation_id': 'r1', "
          "'page_title': 'P', %s}",
          link);
  T_CHECK(t_count("conversation_links") == 1, "the same remote conversation has two links");
  check_text("conversation_links", "k1", "page_title", "P");
  /* No remote id: by link_id. */
  t_taken(p, 'u', "conversation_links",
          "{'link_id': 'k1', 'local_conversation_id': 'l1', 'client_id': 'b', %s}", link);
  check_text("conversation_links", "k1", "client_id", "b");
  check_text("conversation_links", "k1", "remote_conversation_id", "r1");
  /* The same id on another platform is another conversation. */
  t_taken(p, 'n', "conversation_links",
          "{'link_id': 'k2', 'local_conversation_id': 'l2', 'platform': 'claude', "
          "'remote_conversation_id': 'r1', 'observed_at': 1}");
  /* A known link takes a remote id that no link has yet. */
  t_taken(p, 'n', "conversation_links", "{'link_id': 'k3', 'local_conversation_id': 'l1', %s}",
          link);
  t_taken(p, 'u', "conversation_links",
          "{'link_id': 'k3', 'local_conversation_id': 'l1', 'remote_conversation_id': 'r3', %s}",
          link);
  check_text("conversation_links", "k3", "remote_conversation_id", "r3");
  t_check_database("artifact.db");
}

T_STORY(rules, jobs, 30) {
  struct t_producer *p = store_alone();
  t_taken(p, 'n', "messages", "{'id': 'm1', " MESSAGE "}");
  t_taken(p, 'n', "messages", "{'id': 'm2', " MESSAGE "}");
  t_taken(p, 'n', "local_conversations", "{" CONVERSATION "}");
  t_updated(p, 'r', "j1", "renewal_jobs", "{'job_id': 'j1', 'status': 'done'}");
  t_taken(p, 'n', "renewal_jobs",
          "{'job_id': 'j1', 'local_conversation_id': 'l1', 'message_id': 'm1', 'payload': 'go', "
          "'next_attempt_at': null}");
  check_text("renewal_jobs", "j1", "next_attempt_at", NULL);
  int64_t before = head();
  t_taken(p, '=', "renewal_jobs",
          "{'job_id': 'j1', 'local_conversation_id': 'l1', 'message_id': 'm1', 'payload': 'go'}");
  T_CHECK(head() == before, "the same job again made a version");
  t_refused(p, "message_id", "renewal_jobs",
            "{'job_id': 'j2', 'local_conversation_id': 'l1', 'message_id': 'm1', 'payload': 'go'}");
  t_taken(p, 'n', "renewal_jobs",
          "{'job_id': 'j2', 'local_conversation_id': 'l1', 'message_id': 'm2', 'payload': 'go', "
          "'next_attempt_at': 7}");
  t_updated(p, 'u', "", "renewal_jobs",
            "{'job_id': 'j2', 'status': 'failed', 'last_error': 'why', 'next_attempt_at': null}");
  check_text("renewal_jobs", "j2", "status", "failed");
  check_text("renewal_jobs", "j2", "next_attempt_at", NULL);
  check_text("renewal_jobs", "j2", "payload", "go");
  t_updated(p, 'r', "status", "renewal_jobs", "{'job_id': 'j2', 'status': 'lost'}");
  json_t *was = t_record("renewal_jobs", "j2");
  t_update(p, "renewal_jobs",
           "{'job_id': 'j2', 'message_id': 'm1', 'created_at': 1, 'last_error': 'other'}");
  t_commit(p); /* refused, or those two are ignored: either way they never change */
  json_t *is = t_record("renewal_jobs", "j2");
  T_CHECK(strcmp(t_text_at(is, "message_id"), "m2") == 0, "a job's message changed");
  T_CHECK(t_int_at(is, "created_at", 0) == t_int_at(was, "created_at", 1),
          "a job's created_at changed");
  json_decref(was), json_decref(is);
}

/* A session's counts: the messages and executions that the same changeset inserted, once each. */
T_STORY(rules, session_counts, 30) {
  struct t_producer *p = store_alone();
  for (int again = 0; again < 2; again++) {
    t_put(p, "messages", "{'id': 'm1', " MESSAGE "}");
    t_put(p, "executions", "{'instruction_id': 'e1', " EXECUTION "}");
    t_put(p, "sessions",
          "{'id': 's1', 'platform': 'chatgpt', 'started_at': 1000, 'last_activity_at': 1000}");
    T_CHECK(t_commit(p) == (again ? '=' : 'n'), "the observation, time %d: %s", again + 1,
            t_refusal(p));
  }
  t_put(p, "messages", "{'id': 'm2', " MESSAGE "}");
  t_put(p, "sessions",
        "{'id': 's1', 'platform': 'chatgpt', 'started_at': 1000, 'last_activity_at': 1000}");
  T_CHECK(t_commit(p) == 'n', "the second message: %s", t_refusal(p));
  check_int("sessions", "s1", "message_count", 2);
  check_int("sessions", "s1", "execution_count", 1);
}
