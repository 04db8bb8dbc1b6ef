/* SQL of the store's own tables: producers, refusals, automation, older, leases, attempts,
 * captures, sources, anyway, unreached, waits, limits, offers, pauses, sent, sinks, dead letters,
 * cursors, attachments and counts. Each statement has a name and is written here once. The writer's
 * connection only. */
#ifndef CK_STORE_SYSTEM_TABLES_H
#define CK_STORE_SYSTEM_TABLES_H

#include "proto/records.h"
#include "store/database/moment.h"

/* No record has the dead letter's version: a later change has replaced it. */
#define SYSTEM_GONE(TABLE, table, word) \
  " AND NOT EXISTS (SELECT 1 FROM " #table " WHERE version = dead_letters.version)"
/* Adds a parameter to a table's count; the parameters have the tables' order. */
#define SYSTEM_COUNT_ADD(TABLE, table, word) ", " #table " = " #table " + ?"

/* How many more rows were counted than are there. */
#define SYSTEM_MISSING_IN(table) ", " #table " - (SELECT count(*) FROM " #table ")"

/* Of a row that is written: the start and boot of store/database/moment.h. */
#define SYSTEM_MOMENT MOMENT_STARTS ", " MOMENT_BOOT

#define SYSTEM_NEWEST_ATTEMPT "number = (SELECT max(number) FROM attempts WHERE job_id = ?1)"

/* L(NAME, sql) */
#define SYSTEM_LIST(L) \
  L(BEGIN, "BEGIN IMMEDIATE") \
  L(DATA_VERSION, "PRAGMA data_version") \
  L(COMMIT, "COMMIT") \
  L(ROLLBACK, "ROLLBACK") \
  L(SAVEPOINT, "SAVEPOINT changeset") \
  L(UNDO, "ROLLBACK TO changeset") \
  L(RELEASE, "RELEASE changeset") \
  L(PRODUCERS, "SELECT id, epoch, applied, refused, results, counts FROM producers") \
  L(PRODUCER_SAVE, \
    "INSERT INTO producers VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (id) DO UPDATE" \
    " SET epoch = ?2, applied = ?3, refused = ?4, results = ?5, counts = ?6") \
  L(REFUSAL_SAVE, "INSERT OR REPLACE INTO refusals VALUES (?1, ?2, ?3, ?4)") \
  L(REFUSALS_PRUNE, "DELETE FROM refusals WHERE producer = ?1 AND number <= ?2") \
  L(REFUSALS_SINCE, "SELECT number, reason FROM refusals WHERE producer = ?1 AND number >= ?2" \
                    " ORDER BY number LIMIT 2000") \
  L(AUTO_ON, "INSERT OR REPLACE INTO automation VALUES (?1, ?2, ?2)") \
  L(AUTO_RESUMED, "UPDATE automation SET resumed = ?2 WHERE local_conversation_id = ?1") \
  L(AUTO_OFF, "DELETE FROM automation WHERE local_conversation_id = ?1") \
  L(OLDER_NOTE, "INSERT OR IGNORE INTO older SELECT ?1, ?2 FROM automation" \
                " WHERE local_conversation_id = ?1 AND since > ?3") \
  L(OLDER_END, "DELETE FROM older WHERE local_conversation_id = ?1") \
  L(LEASE_SAVE, "INSERT OR REPLACE INTO leases VALUES" \
                " (?1, ?2, ?3, 'running', ?4, ?5, ?6, ?7, ?8, " SYSTEM_MOMENT ")") \
  L(LEASE_GET, \
    "SELECT attempt, token, state, client, " MOMENT_LEFT ", rest, (SELECT " MOMENT_AGE( \
        "t.begun", "t.start", \
        "t.boot") " FROM attempts t WHERE t.job_id = ?1 ORDER BY t.number DESC LIMIT 1)" \
                  " FROM leases WHERE job_id = ?1") \
  L(LEASE_UNKNOWN, "UPDATE leases SET state = 'unknown', at = ?2 WHERE job_id = ?1") \
  L(LEASE_EXTEND, "UPDATE leases SET until = ?2, written = ?3, (start, boot) = (" SYSTEM_MOMENT \
                  ") WHERE job_id = ?1") \
  L(LEASE_END, "DELETE FROM leases WHERE job_id = ?1") \
  L(ATTEMPT_BEGINS, \
    "INSERT INTO attempts (version, job_id, attempt, token, client, local_conversation_id," \
    " message_id, channel, target, charged, claimed, begun, at, start, boot) VALUES" \
    " (?1, ?2, ?3, ?4, ?5, ?6, ?7, nullif(?8, ''), nullif(?9, ''), 1, ?1, ?10, " \
    "?10, " SYSTEM_MOMENT ")") \
  L(DOUBT_GET, "SELECT a.attempt, l.token, a.claimed, a.begun, a.ended, a.local_conversation_id" \
               " FROM attempts a JOIN leases l ON l.job_id = a.job_id AND l.state = 'unknown'" \
               " WHERE a.outcome = 'unknown' AND a." SYSTEM_NEWEST_ATTEMPT) \
  L(DOUBT_MESSAGES, \
    "SELECT m.id, m.raw_text, m.observed_at, m.role FROM conversation_links k JOIN messages m" \
    " ON m.conversation_id = k.remote_conversation_id AND m.platform = k.platform" \
    " WHERE k.local_conversation_id = ?2 AND m.version > ?3 AND m.created_at >= ?4" \
    " AND (m.parent_id IN" \
    "   (SELECT message_id FROM sent s WHERE s.job_id = ?1 AND s.at >= ?4)" \
    "  OR m.role IN ('user', 'human')" \
    "   AND coalesce(CASE WHEN json_valid(m.details) THEN m.details ->> '$.kind' END, '')" \
    "    NOT IN ('context', 'hidden')" \
    "   AND NOT EXISTS (SELECT 1 FROM sent s WHERE s.message_id = m.id" \
    "    AND NOT (s.job_id = ?1 AND s.at >= ?4)))" \
    " ORDER BY m.version") \
  L(CAPTURE_AGE, \
    "SELECT max(c.age) FROM conversation_links k JOIN captures c ON c.platform = k.platform" \
    " AND c.conversation = k.remote_conversation_id WHERE k.local_conversation_id = ?1") \
  L(CAPTURE_SAVE, \
    "INSERT INTO captures SELECT ?1, ?2, ?3 WHERE EXISTS (SELECT 1 FROM conversation_links k" \
    " JOIN attempts a ON a.local_conversation_id = k.local_conversation_id" \
    " WHERE k.platform = ?1 AND k.remote_conversation_id = ?2)" \
    " ON CONFLICT DO UPDATE SET age = CASE WHEN age > ?4 THEN excluded.age" \
    "  ELSE max(age, excluded.age) END") \
  L(SOURCE_SAVE, "INSERT INTO sources VALUES (?1, ?2)" \
                 " ON CONFLICT DO UPDATE SET captured_at = excluded.captured_at") \
  L(ATTEMPT_ENDS, \
    "UPDATE attempts SET version = ?2, ended = coalesce(ended, ?3), at = ?3, outcome = ?4," \
    " charged = CASE WHEN outcome = 'unknown' AND NOT ?17 THEN charged ELSE ?5 END," \
    " http_status = coalesce(nullif(?6, 0), http_status), exit = coalesce(nullif(?7, -1), exit)," \
    " error = coalesce(nullif(?8, ''), error), cost = coalesce(?9, cost)," \
    " tokens = coalesce(nullif(?10, -1), tokens), text = coalesce(nullif(?11, ''), text)," \
    " took_ms = CASE WHEN ended IS NOT NULL THEN coalesce(took_ms, nullif(?12, -1))" \
    "  WHEN ?12 >= 0 THEN ?12 WHEN client <> '' THEN max(?3 - begun, 0) END," \
    " next_attempt_at = nullif(?13, 0)," \
    " cooldown_until = coalesce(nullif(?14, 0), cooldown_until)," \
    " sent_message_id = coalesce(nullif(?15, ''), sent_message_id), why = nullif(?16, '')" \
    " WHERE " SYSTEM_NEWEST_ATTEMPT) \
  L(ATTEMPT_TAKEN, \
    "UPDATE attempts SET version = ?2, ended = ?3, at = ?3, outcome = 'unknown', why = ?4" \
    " WHERE ended IS NULL AND " SYSTEM_NEWEST_ATTEMPT) \
  L(ATTEMPTS_PRUNE, "DELETE FROM attempts WHERE number IN" \
                    " (SELECT number FROM attempts ORDER BY number LIMIT 64)" \
                    " AND " MOMENT_AGE("begun", "start", "boot") " > ?1") \
  L(ANYWAY_ON, "INSERT OR IGNORE INTO anyway VALUES (?1)") \
  L(ANYWAY_GET, "SELECT 1 FROM anyway WHERE job_id = ?1") \
  L(ANYWAY_OFF, "DELETE FROM anyway WHERE job_id = ?1") \
  L(UNREACHED_SAVE, \
    "INSERT INTO unreached VALUES (?1, 1, ?2, " SYSTEM_MOMENT ") ON CONFLICT (job_id) DO UPDATE" \
    " SET count = count + 1") \
  L(UNREACHED_END, "DELETE FROM unreached WHERE job_id = ?1") \
  L(UNREACHED_GET, \
    "SELECT count, " MOMENT_AGE("since", "start", "boot") " FROM unreached WHERE job_id = ?1") \
  L(LIMIT_SAVE, \
    "INSERT INTO limits VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, " SYSTEM_MOMENT ")" \
    " ON CONFLICT (account) DO UPDATE SET" \
    " until = ?2, since = ?3, times = ?4, over = ?5, reason = ?6, at = ?7, written = ?8," \
    " (start, boot) = (" SYSTEM_MOMENT ") WHERE at < ?7") \
  L(LIMITS_PRUNE, \
    "DELETE FROM limits WHERE " MOMENT_AGE( \
        "written", "start", "boot") " > ?1 AND (over OR until > 0 AND " MOMENT_LEFT " < -?1)") \
  L(LIMIT_END, "UPDATE limits SET until = ?2, written = ?2, (start, boot) = (" SYSTEM_MOMENT \
               ") WHERE account = ?1 AND NOT over AND (until = 0 OR " MOMENT_LEFT " > 0)") \
  L(WAIT_SAVE, "INSERT OR REPLACE INTO waits (kind, id, until, length, written, start, boot)" \
               " VALUES (?1, ?2, ?3, nullif(?4, -1), ?5, " SYSTEM_MOMENT ")") \
  L(WAIT_LEFT, \
    "SELECT length - " MOMENT_AGE("written", "start", "boot") " FROM waits" \
                                                              " WHERE kind = ?1 AND id = ?2") \
  L(WAIT_END, "DELETE FROM waits WHERE kind = ?1 AND id = ?2") \
  L(WAITS_PRUNE, "DELETE FROM waits WHERE number IN" \
                 " (SELECT number FROM waits INDEXED BY waits_lasting" \
                 "  WHERE length IS NOT NULL ORDER BY number LIMIT 64)" \
                 " AND length <= " MOMENT_AGE("written", "start", "boot")) \
  L(OFFER_SAVE, "INSERT OR REPLACE INTO offers VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)") \
  L(OFFER_GET, "SELECT client, offer, body, rest, account FROM offers WHERE job_id = ?1") \
  L(OFFER_END, "DELETE FROM offers WHERE job_id = ?1") \
  L(PAUSE_SAVE, "INSERT INTO pauses VALUES (?1, ?2, ?3, nullif(?4, 0))" \
                " ON CONFLICT (kind, name) DO UPDATE SET until = nullif(?4, 0)") \
  L(PAUSE_END, "DELETE FROM pauses WHERE kind = ?1 AND name = ?2") \
  L(PAUSES_PRUNE, "DELETE FROM pauses WHERE until <= ?1") \
  L(PAUSE_GET, "SELECT 1 FROM pauses" \
               " WHERE kind = ?1 AND name = ?2 AND (until IS NULL OR until > ?3)") \
  L(SENT_SAVE, "INSERT OR IGNORE INTO sent VALUES (?1, ?2, ?3)") \
  L(SINK_GET, "SELECT cursor FROM sinks WHERE name = ?1") \
  L(SINK_SAVE, "INSERT INTO sinks (name, cursor, written) VALUES (?1, ?2, ?3)" \
               " ON CONFLICT (name) DO UPDATE SET cursor = ?2, written = max(written, ?3)") \
  L(SINK_WITNESS, "SELECT written, taken, alarm FROM sinks WHERE name = ?1") \
  L(SINK_FITS, "INSERT INTO sinks (name, cursor) VALUES (?1, 0) ON CONFLICT (name) DO UPDATE" \
               " SET alarm = '', taken = 0") \
  L(SINK_PROVEN, "UPDATE sinks SET unproven = ?2 WHERE name = ?1") \
  L(CHECK_BEGIN, "INSERT INTO checks VALUES (?1, '', ?2, 0, 0, 0) ON CONFLICT DO NOTHING") \
  L(CHECK_SAVE, "INSERT OR REPLACE INTO checks VALUES (?1, ?2, ?3, ?4, ?5, ?6)") \
  L(CHECK_GET, "SELECT c.at, s.unproven, c.task = 'repair deep' AND c.wrong > 0 FROM sinks s " \
               "JOIN checks c ON c.sink = s.name" \
               " WHERE s.name = ?1") \
  L(SINK_ALARM, "INSERT INTO sinks (name, cursor, alarm, alarm_at) VALUES (?1, 0, ?2, ?3)" \
                " ON CONFLICT (name) DO UPDATE SET alarm = ?2, alarm_at = ?3") \
  L(SINK_RESTART, "INSERT INTO sinks (name, cursor) VALUES (?1, 0) ON CONFLICT (name) DO UPDATE" \
                  " SET cursor = 0, written = 0") \
  L(SINK_TAKE, "INSERT INTO sinks (name, cursor, taken) VALUES (?1, 0, 1)" \
               " ON CONFLICT (name) DO UPDATE SET cursor = 0, written = 0, taken = 1") \
  L(RUN_GET, "SELECT coalesce(last, ?3) FROM runs WHERE run = ?1 AND store_id = ?2 UNION ALL" \
             " SELECT last FROM runs WHERE run = '*' AND store_id = ?2 AND last >= ?4 LIMIT 1") \
  L(RUN_SAVE, "INSERT INTO runs (run, store_id, first) VALUES (?1, ?2, ?3)" \
              " ON CONFLICT DO NOTHING") \
  L(RUNS_PRUNE, "DELETE FROM runs WHERE number <= (SELECT max(number) FROM runs) - 4096") \
  L(RUNS_OF, "SELECT 1 FROM runs WHERE store_id = ?1") \
  L(FLOOR_RAISE, "UPDATE store SET version_floor = max(version_floor, ?1)") \
  L(SPENT_ADD, "INSERT INTO spent VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (sink, day) DO UPDATE" \
               " SET requests = requests + ?3, rows = rows + ?4, written = written + ?5") \
  L(DEAD_SAVE, "INSERT OR REPLACE INTO dead_letters VALUES (?1, ?2, ?3, ?4, ?5, ?6)") \
  L(DEAD_DROP, "DELETE FROM dead_letters WHERE sink = ?1 AND table_name = ?2 AND key = ?3") \
  L(DEAD_PASSED, "DELETE FROM dead_letters WHERE sink = ?1" CK_TABLE_LIST(SYSTEM_GONE)) \
  L(BACKFILL_GET, "SELECT version FROM cursors WHERE follower = 'backfill ' || ?1") \
  L(BACKFILL_SAVE, "INSERT OR REPLACE INTO cursors VALUES ('backfill ' || ?1, '', ?2)") \
  L(CURSOR_SAVE, "INSERT OR REPLACE INTO cursors VALUES (?1, ?2, ?3)") \
  L(ATTACHMENT_GET, "SELECT attachment_there(hash, bytes) FROM attachments" \
                    " WHERE hash = ?1 AND bytes = ?2") \
  L(ATTACHMENT_SAVE, "INSERT INTO attachments VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING") \
  L(ATTACHMENT_NAME, \
    "INSERT INTO attachment_names VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING") \
  L(FILE_FORGOTTEN, "SELECT 1 FROM forgotten_files WHERE hash = ?1") \
  L(FORGETTING, "SELECT 1 FROM forgetting LIMIT 1") \
  L(FORGETTING_HOME, "SELECT 1 FROM forgetting_homes WHERE platform = ?1 AND conversation = ?2") \
  L(FORGETTING_IS, "SELECT 1 FROM forgetting WHERE forgotten_with = ?1") \
  L(MESSAGES_FORGOTTEN, \
    "SELECT 1 FROM forgotten WHERE conversation_id IS nullif(?2, '')" \
    " AND platform = ?1 AND table_name = 'messages' AND NOT taken_back LIMIT 1") \
  L(LINKS_OF, "SELECT link_id FROM conversation_links WHERE local_conversation_id = ?1") \
  L(PARENTS_IN, \
    "SELECT parent_id FROM messages WHERE conversation_id IS nullif(?2, '') AND +platform = ?1" \
    " AND parent_id IS NOT NULL") \
  L(CHILDREN_IN, \
    "SELECT id FROM messages WHERE conversation_id IS nullif(?2, '') AND +platform = ?1" \
    " AND parent_id = ?3") \
  L(SESSION_COUNTS, \
    "SELECT count(*), sum((SELECT count(*) FROM executions WHERE message_id = m.id))" \
    " FROM messages m WHERE conversation_id IS nullif(?1, '') AND +platform = ?2" \
    " AND substr(static_path, 1, length(?3)) = ?3 AND observed_at BETWEEN ?4 AND ?5") \
  L(MISSING, "SELECT 0" SYSTEM_MISSING_IN(executions) SYSTEM_MISSING_IN(sessions) \
                 SYSTEM_MISSING_IN(local_conversations) SYSTEM_MISSING_IN(conversation_links) \
                     SYSTEM_MISSING_IN(renewal_jobs) SYSTEM_MISSING_IN(forgotten) " FROM store") \
  L(COUNTS_ADD, "UPDATE store SET one = 1" CK_TABLE_LIST(SYSTEM_COUNT_ADD))

enum system_statement {
#define SYSTEM_STATEMENT(NAME, sql) SYSTEM_##NAME,
  SYSTEM_LIST(SYSTEM_STATEMENT)
#undef SYSTEM_STATEMENT
      SYSTEM_STATEMENTS
};

struct system_tables;

/* Prepares all statements. NULL with the reason. */
struct system_tables *system_new(sqlite3 *db, struct ck_err *err);
void system_free(struct system_tables **l);

/* Runs a statement that yields no rows. types: one letter for each argument, s for a struct ck_str,
 * i for an int64_t, d for a double (NaN: NULL). 0, or -1 with the reason. */
int system_run(struct system_tables *l, enum system_statement name, struct ck_err *err,
               const char *types, ...);

/* Begins a statement that yields rows. Step it with system_step (1: a row; 0: the end; -1: see
 * err), read columns with db_str and sqlite3_column_int64, and call system_done at the end. */
sqlite3_stmt *system_query(struct system_tables *l, enum system_statement name, const char *types,
                           ...);
int system_step(struct system_tables *l, sqlite3_stmt *s, struct ck_err *err);
void system_done(sqlite3_stmt *s);

#endif
