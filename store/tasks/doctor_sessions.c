/* Doctor's check of what sessions count: together as many messages and executions as their
 * conversation has. Only a note: a producer may say counts of its own, and another database's
 * sessions keep theirs. */
#include "store/tasks/doctor_internal.h"

#define ADVICE \
  "import what is missing again; if nothing is, delete the rows of its sessions by hand while the" \
  " ring is down, and import it again: what is there is counted then"

/* Conversations that have sessions, and whose counts differ; the one that differs most first. */
static const char differing[] =
    "SELECT coalesce(conversation, platform), messages, executions, counted_messages,"
    " counted_executions, count(*) OVER ()"
    " FROM (SELECT conversation, platform, sum(m) AS messages, sum(e) AS executions,"
    " sum(cm) AS counted_messages, sum(ce) AS counted_executions, max(session) AS session"
    " FROM (SELECT conversation_id AS conversation, platform, 1 AS m,"
    " (SELECT count(*) FROM executions WHERE message_id = messages.id) AS e,"
    " 0 AS cm, 0 AS ce, 0 AS session FROM messages"
    " UNION ALL SELECT conversation_id, platform, 0, 0, message_count, execution_count, 1"
    " FROM sessions) GROUP BY conversation, platform)"
    " WHERE session AND (messages <> counted_messages OR executions <> counted_executions)"
    " ORDER BY abs(messages - counted_messages) + abs(executions - counted_executions) DESC,"
    " conversation, platform LIMIT 1";

int doctor_sessions(struct doctor *d, struct ck_err *err) {
  sqlite3_stmt *s = db_prepare(d->db, differing, err);
  if (!s) return -1;
  int rc = sqlite3_step(s);
  if (rc == SQLITE_ROW) {
    int64_t n[6];
    for (int i = 1; i < 6; ++i) n[i] = sqlite3_column_int64(s, i);
    struct ck_str name = ck_utf8_cut(db_str(s, 0), 100);
    doctor_say(d, "sessions", CK_FOUND_NOTE, ADVICE,
               "%lld wrong; the first is of %.*s, which has %lld %s and %lld %s: "
               "they count %lld and %lld",
               (long long)n[5], (int)name.n, name.s, (long long)n[1],
               ck_noun((uint64_t)n[1], "message", "messages"), (long long)n[2],
               ck_noun((uint64_t)n[2], "execution", "executions"), (long long)n[3],
               (long long)n[4]);
  } else if (rc == SQLITE_DONE) {
    doctor_say(d, "sessions", CK_FOUND_OK, "",
               "each conversation's sessions count the messages and executions that it has");
  }
  int bad = rc == SQLITE_ROW || rc == SQLITE_DONE ? 0 : db_fail(d->db, "reading", err);
  sqlite3_finalize(s);
  return bad;
}
