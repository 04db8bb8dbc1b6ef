/* See exports.h. */
#include "tests/flow/exports.h"

#include <limits.h>

#include "tests/harness/base.h"
#include "tests/harness/database.h"
#include "tests/harness/ring.h"

const char *input_file(const char *name) {
  static char path[PATH_MAX];
  if (t_inputs() == NULL) t_skip("../shared/inputs is not there");
  snprintf(path, sizeof path, "%s/%s", t_inputs(), name);
  if (!t_exists(path)) t_skip("../shared/inputs/%s is not there", name);
  return path;
}

/* Requests that syncd has sent, by a report of its own from here on. */
static int64_t sync_requests(void) {
  int64_t asked = ck_now_ms(), n = -1;
  bool reported = false;
  for (int64_t until = ck_boot_ms() + 20000 * T_SLOWER; !reported; t_pause(10)) {
    T_CHECK(ck_boot_ms() < until, "syncd does not report");
    json_t *status = t_status(1000), *syncd = t_daemon_entry(status, "syncd", 0);
    reported = t_int_at(syncd, "seen_at", 0) > asked;
    n = t_int_at(syncd, "info.requests", -1);
    json_decref(status);
  }
  return n;
}

static int64_t mirror_rows(void) {
  return t_sql_int(
      "mirror.db",
      "SELECT (SELECT count(*) FROM messages) + (SELECT count(*) FROM executions) "
      "+ (SELECT count(*) FROM sessions) + (SELECT count(*) FROM local_conversations) "
      "+ (SELECT count(*) FROM conversation_links) + (SELECT count(*) FROM renewal_jobs)");
}

void check_again(const char *path) {
  t_settle(10000);
  int64_t head = t_status_int("version", -1), rows = mirror_rows(), requests = sync_requests();
  json_t *line = t_import(0, path);
  T_CHECK(t_int_at(line, "new", -1) == 0 && t_int_at(line, "updated", -1) == 0 &&
              t_int_at(line, "unchanged", 0) > 0,
          "%s again: %s", path, json_dumps(line, 0));
  json_decref(line);
  t_settle(10000);
  T_CHECK(t_status_int("version", -2) == head, "the same file again made versions: %lld after %lld",
          (long long)t_status_int("version", -2), (long long)head);
  T_CHECK(mirror_rows() == rows, "the same file again made rows in the mirror");
  int64_t after = sync_requests();
  T_CHECK(requests > 0 && after == requests,
          "the sink had %lld requests, and after the same file again %lld", (long long)requests,
          (long long)after);
}

void check_export(const char *path, const char *platform, int conversations, int messages,
                  int failed) {
  json_t *line = t_import(failed ? 1 : 0, path);
  char *said = json_dumps(line, 0), sql[256];
  T_CHECK(t_int_at(line, "failed", -1) == failed, "%s: %d failures were expected: %s", path, failed,
          said);
  if (failed)
    T_CHECK(t_text_at(line, "failures.0.place") && t_text_at(line, "failures.0.reason"),
            "the failure is not named: %s", said);
  T_CHECK(t_int_at(line, "new", -1) == messages, "%s: %d messages were expected to be new: %s",
          path, messages, said);
  free(said);
  json_decref(line);
  snprintf(sql, sizeof sql, "SELECT count(*) FROM messages WHERE platform = '%s'", platform);
  T_CHECK(t_sql_int("artifact.db", sql) == messages,
          "%s: %d messages were expected, %lld are there", path, messages,
          (long long)t_sql_int("artifact.db", sql));
  snprintf(sql, sizeof sql,
           "SELECT count(DISTINCT conversation_id) FROM messages WHERE platform = '%s'", platform);
  T_CHECK(t_sql_int("artifact.db", sql) == conversations,
          "%s: %d conversations were expected, %lld are there", path, conversations,
          (long long)t_sql_int("artifact.db", sql));
  t_whole(20000);
}
