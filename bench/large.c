/* Filled by SQL before the store starts; see large.h. */
#include "bench/large.h"

#include <stdlib.h>
#include <unistd.h>

#include "bench/common.h"
#include "proto/calendar.h"
#include "proto/clock.h"
#include "proto/wire.h"
#include "store/database/db.h"
#include "store/format/migrations.h"

#define MESSAGES 1000000
#define PATIENCE_S 900

size_t bench_large_messages(void) {
  const char *given = getenv("BENCH_VIEWS");
  return given && *given ? strtoull(given, NULL, 10) : MESSAGES;
}

static void sql(sqlite3 *db, const char *text) {
  struct ck_err err;
  if (db_exec(db, text, &err)) bench_fail("%s", err.text);
}

static void fill_messages(sqlite3 *db, size_t n) {
  char *text = ck_sprintf(
      "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)"
      " INSERT INTO local_conversations (version, local_conversation_id, platform,"
      " automation_status, title, last_message_id, newest_at, created_at, updated_at)"
      " SELECT i, 'chat:' || i, iif(i %% 100, 'chatgpt', 'rare'), 'auto',"
      " iif(i %% 2, 'Conversation ' || i, NULL), 'm' || i, i, i, i FROM n;"
      "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)"
      " INSERT INTO conversation_links (version, link_id, local_conversation_id, platform,"
      " remote_conversation_id, is_active, observed_at, created_at, updated_at)"
      " SELECT %d + i, 'link' || i, 'chat:' || i, iif(i %% 100, 'chatgpt', 'rare'), i, 1, i, i, i"
      " FROM n;"
      "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %zu)"
      " INSERT INTO messages (version, id, platform, conversation_id, role, raw_text, observed_at,"
      " static_path, created_at, live)"
      " SELECT 1000000 + i, 'm' || i, iif((i %% %d) %% 100, 'chatgpt', 'rare'), i %% %d,"
      " iif(i %% 3, 'user', 'assistant'), 'What was said as number ' || i || ', and some more',"
      " i, 'msg/2025/01/01/x.txt', i, 1 FROM n;",
      BENCH_LARGE_CHATS, BENCH_LARGE_CHATS, BENCH_LARGE_CHATS, n, BENCH_LARGE_CHATS,
      BENCH_LARGE_CHATS);
  sql(db, text);
  free(text);
}

/* Of each 20: 12 were delivered, 5 wait (of 1 in 20 the time has come, and they have no target), 2
 * failed, 1 is superseded. */
static void fill_jobs(sqlite3 *db) {
  char *text = ck_sprintf(
      "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d),"
      " j (i, k, status) AS (SELECT i, i %% 20, CASE WHEN i %% 20 < 12 THEN 'done'"
      "  WHEN i %% 20 < 17 THEN 'pending' ELSE 'failed' END FROM n)"
      " INSERT INTO renewal_jobs (version, job_id, local_conversation_id, message_id, status,"
      " payload, payload_kind, target_snapshot, attempt_count, max_attempts, next_attempt_at,"
      " last_error, finished_at, created_at, updated_at)"
      " SELECT 20000000 + i, 'hand_' || i, 'chat:' || (i %% %d + 1), 'm' || i, status, 'go on',"
      " 'text', '{\"kind\":\"webhook\",\"payload\":{\"url\":\"http://127.0.0.1:9/' || i || '\"}}',"
      " status <> 'pending', 3, CASE WHEN status = 'pending' THEN iif(k = 12 AND i / 20 %% 5 = 0, "
      "1, "
      "%lld + i * 60000) END, CASE WHEN k = 19 THEN '" CK_SUPERSEDED "somebody has answered'"
      " WHEN status = 'failed' THEN 'HTTP 500' END, iif(status <> 'pending', i, NULL), i, i FROM "
      "j;",
      BENCH_LARGE_JOBS, BENCH_LARGE_CHATS, (long long)(ck_now_ms() + CK_DAY_MS));
  sql(db, text);
  free(text);
}

/* Questions and answers by turns, each below the one before it. */
static void fill_long(sqlite3 *db) {
  char *text = ck_sprintf(
      "INSERT INTO local_conversations (version, local_conversation_id, platform,"
      " automation_status, title, last_message_id, newest_at, created_at, updated_at)"
      " VALUES (30000000, 'chat:long', 'chatgpt', 'manual', 'A long conversation', 'long%d', 1, 1, "
      "1);"
      "INSERT INTO conversation_links (version, link_id, local_conversation_id, platform,"
      " remote_conversation_id, is_active, observed_at, created_at, updated_at)"
      " VALUES (30000001, 'linklong', 'chat:long', 'chatgpt', 'long', 1, 1, 1, 1);"
      "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)"
      " INSERT INTO messages (version, id, platform, conversation_id, role, raw_text, observed_at,"
      " static_path, created_at, live, parent_id, position)"
      " SELECT 30000001 + i, 'long' || i, 'chatgpt', 'long', iif(i %% 2, 'user', 'assistant'),"
      " iif(i %% 2, 'What comes after step ' || i || ', and how is it done?',"
      "  '**Step ' || i || '.** ' || replace(hex(zeroblob(8)), '00', 'Some words about how. ') ||"
      "  char(10, 10) || '- first this' || char(10) || '- then that' || char(10, 10) ||"
      "  iif(i %% 8, 'It is `done` then.', '```c' || char(10) || 'int step = ' || i || ';' ||"
      "   char(10) || 'do_it(step);' || char(10) || '```' || char(10))),"
      " i, 'msg/2025/01/01/x.txt', i, 0, iif(i > 1, 'long' || (i - 1), NULL), i - 1 FROM n;",
      BENCH_LARGE_LONG, BENCH_LARGE_LONG);
  sql(db, text);
  free(text);
}

/* The ids of the long conversation and of the first messages are known (store/keys/): the others
 * are never asked for. */
static void fill_keys(sqlite3 *db) {
  sql(db, "INSERT INTO message_keys_new (version, id, layer) SELECT version, id, 0 FROM messages"
          " WHERE version <= 1020000 OR version > 30000000");
}

void bench_large_fill(size_t n) {
  sqlite3 *db;
  struct ck_err err;
  if (db_open_writer(&db, store_migrations, 512, &err)) bench_fail("%s", err.text);
  sql(db, "PRAGMA wal_checkpoint(TRUNCATE); PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;"
          "BEGIN");
  fill_messages(db, n);
  fill_jobs(db);
  fill_long(db);
  fill_keys(db);
  sql(db, "COMMIT; PRAGMA journal_mode = WAL");
  db_close(&db);
}

void bench_large_calm(void) {
  int64_t began = ck_mono_us();
  for (json_int_t behind = 1; behind;) {
    json_t *status = bench_ask("status", NULL);
    behind = json_integer_value(json_object_get(json_object_get(status, "search"), "behind"));
    json_decref(status);
    if (ck_mono_us() - began > PATIENCE_S * 1000000ll) bench_fail("the index is not made");
    if (behind) usleep(500000);
  }
}
