/* Lists of records through the real doors: filters, order, pages, and queries that are refused. */
#include "tests/harness/base.h"
#include "tests/harness/database.h"
#include "tests/harness/ring.h"
#include "tests/harness/talk.h"

#define EXECUTION \
  "'message_id': 'm1', 'target': 'python', 'tool': 'run', 'result_ok': 1, 'executed_at': 1000"

static struct t_producer *store_alone(void) {
  t_daemon("store", NULL);
  return t_producer("test");
}

static void check_order(const char *table, const char *filters, unsigned limit, unsigned offset,
                        const char *key, const char *want) {
  json_t *rows = t_query(table, filters, limit, offset), *row;
  char got[512] = "";
  size_t i;
  json_array_foreach(rows, i, row) snprintf(got + strlen(got), sizeof got - strlen(got), "%s%s",
                                            i ? " " : "", t_text_at(row, key));
  T_CHECK(strcmp(got, want) == 0, "%s %s limit %u offset %u gives \"%s\", not \"%s\"", table,
          filters ? filters : "", limit, offset, got, want);
  json_decref(rows);
}

T_STORY(rules, lists, 30) {
  struct t_producer *p = store_alone();
  for (int i = 0; i < 5; i++)
    t_taken(p, 'n', "messages",
            "{'id': 'm%d', 'platform': '%s', 'role': 'user', 'raw_text': 'x', 'observed_at': %d, "
            "'conversation_id': 'c%d'}",
            i, i < 3 ? "chatgpt" : "claude", i == 4 ? 3000 : i * 1000, i % 2);
  check_order("messages", NULL, 20, 0, "id", "m3 m4 m2 m1 m0");
  check_order("messages", NULL, 2, 0, "id", "m3 m4");
  check_order("messages", NULL, 2, 2, "id", "m2 m1");
  check_order("messages", NULL, 2, 4, "id", "m0");
  check_order("messages", NULL, 2, 9, "id", "");
  check_order("messages", "{'platform': 'chatgpt'}", 20, 0, "id", "m2 m1 m0");
  check_order("messages", "{'platform': 'claude', 'conversation_id': 'c1'}", 20, 0, "id", "m3");
  t_taken(p, 'n', "executions", "{'instruction_id': 'e1', " EXECUTION "}");
  t_taken(p, 'n', "executions",
          "{'instruction_id': 'e2', 'message_id': 'm2', 'target': 'web', 'tool': 'get', "
          "'result_ok': 0, 'executed_at': 2000}");
  check_order("executions", NULL, 20, 0, "instruction_id", "e2 e1");
  check_order("executions", "{'target': 'web'}", 20, 0, "instruction_id", "e2");
  check_order("executions", "{'message_id': 'm1', 'tool': 'run'}", 20, 0, "instruction_id", "e1");
  for (int i = 1; i < 4; i++)
    t_taken(p, 'n', "local_conversations",
            "{'local_conversation_id': 'l%d', 'platform': 'chatgpt', 'updated_at': %d, "
            "'automation_status': '%s'}",
            i, i * 10, i == 2 ? "auto" : "manual");
  check_order("local_conversations", NULL, 20, 0, "local_conversation_id", "l3 l2 l1");
  check_order("local_conversations", "{'automation_status': 'auto'}", 20, 0,
              "local_conversation_id", "l2");
  for (int i = 1; i < 4; i++)
    t_taken(
        p, 'n', "conversation_links",
        "{'link_id': 'k%d', 'local_conversation_id': 'l%d', 'platform': 'chatgpt', "
        "'remote_conversation_id': 'r%d', 'client_id': 'b', 'is_active': %d, 'observed_at': %d}",
        i, i, i, i != 2, i);
  check_order("conversation_links", "{'client_id': 'b'}", 20, 0, "link_id", "k3 k2 k1");
  check_order("conversation_links", "{'is_active': 1}", 20, 0, "link_id", "k3 k1");
  check_order("conversation_links", "{'platform': 'chatgpt', 'remote_conversation_id': 'r2'}", 20,
              0, "link_id", "k2");
  static const char *const due[] = {"300", "100", "null", "200"};
  for (int i = 0; i < 4; i++)
    t_taken(p, 'n', "renewal_jobs",
            "{'job_id': 'j%d', 'local_conversation_id': 'l1', 'message_id': 'm%d', 'payload': 'x', "
            "'next_attempt_at': %s, 'created_at': %d}",
            i, i, due[i], 10 + i);
  check_order("renewal_jobs", "{'next_attempt_at_max': 250}", 20, 0, "job_id", "j1 j3");
  check_order("renewal_jobs", "{'next_attempt_at_max': 1000, 'status': 'pending'}", 20, 0, "job_id",
              "j1 j3 j0");
  check_order("renewal_jobs", "{'message_id': 'm2'}", 20, 0, "job_id", "j2");
  check_order("renewal_jobs", "{'status': 'pending'}", 20, 0, "job_id", "j3 j2 j1 j0");
  t_taken(p, 'n', "sessions",
          "{'id': 's1', 'platform': 'x', 'started_at': 1, 'last_activity_at': 5}");
  t_taken(p, 'n', "sessions",
          "{'id': 's2', 'platform': 'y', 'started_at': 1, 'last_activity_at': 6}");
  check_order("sessions", NULL, 20, 0, "id", "s2 s1");
  check_order("sessions", "{'platform': 'x'}", 20, 0, "id", "s1");
}

/* Paging through records of equal times neither repeats nor skips one. */
T_STORY(rules, pages, 30) {
  struct t_producer *p = store_alone();
  for (int i = 0; i < 53; i++) {
    char row[256];
    snprintf(row, sizeof row,
             "{'id': 'm%02d', 'platform': 'x', 'role': 'user', 'raw_text': 'x', 'observed_at': %d}",
             i, i / 20);
    t_put(p, "messages", row);
  }
  T_CHECK(t_commit(p) == 'n', "53 messages: %s", t_refusal(p));
  bool seen[53] = {false};
  int all = 0;
  for (unsigned offset = 0;; offset += 10) {
    json_t *rows = t_query("messages", NULL, 10, offset), *row;
    size_t i;
    json_array_foreach(rows, i, row) {
      int n = atoi(t_text_at(row, "id") + 1);
      T_CHECK(!seen[n], "m%02d is on two pages", n);
      seen[n] = true;
      all++;
    }
    bool last = json_array_size(rows) < 10;
    json_decref(rows);
    if (last) break;
  }
  T_CHECK(all == 53, "the pages hold %d of 53", all);
  json_t *rows = t_query("messages", NULL, 0, 0);
  T_CHECK(json_array_size(rows) == 20, "limit 0, that is none told, gives %zu",
          json_array_size(rows));
  json_decref(rows);
}

T_STORY(rules, refused_queries, 30) {
  store_alone();
  char code[64];
  struct ck_err reason;
  t_query_refused("colours", NULL, 20, 0, code, &reason);
  T_CHECK(strcmp(code, "unknown_table") == 0 && strstr(reason.text, "colours"),
          "unknown table: %s: %s", code, reason.text);
  t_query_refused("sqlite_master", NULL, 20, 0, code, &reason);
  T_CHECK(strcmp(code, "unknown_table") == 0, "sqlite_master: %s: %s", code, reason.text);
  t_query_refused("messages", "{'raw_text': 'x'}", 20, 0, code, &reason);
  T_CHECK(strcmp(code, "unknown_filter") == 0 && strstr(reason.text, "raw_text"),
          "unknown filter: %s: %s", code, reason.text);
  t_query_refused("messages", "{'platform) OR 1=1 --': 'x'}", 20, 0, code, &reason);
  T_CHECK(strcmp(code, "unknown_filter") == 0, "a filter that is SQL: %s: %s", code, reason.text);
  t_query_refused("messages", "{'platform': {'a': 1}}", 20, 0, code, &reason);
  T_CHECK(strcmp(code, "bad_request") == 0 || strcmp(code, "unknown_filter") == 0,
          "a filter that is a map: %s: %s", code, reason.text);
}
