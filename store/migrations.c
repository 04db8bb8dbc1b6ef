/* The stored format.
 *
 * To change it: add a string at the END of the list. It must bring a database of the number before to the next one inside one transaction, keep every row, and
 * work on ten million of them. Never edit one that has been released: databases out there have run it. Then change proto/records.h to match (a unit test
 * compares), and docs/store.md. The number is PRAGMA user_version.
 *
 * A record's version is its rowid: the tables are their own change log, in version order, with nothing to prune and no second copy. Where a message stands, its
 * id tells by the tables of store/keys/, because an index on random text would cost every message a page; so nothing can refer to messages (id) by a foreign
 * key, and that parents exist is seen to by store/apply_record.c alone.
 */
#include "store/migrations.h"

#include <stddef.h>

#include "store/keys/keys.h"

static const char m0001[] =
    "CREATE TABLE messages (version INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, platform TEXT NOT NULL, conversation_id TEXT,"
    " role TEXT NOT NULL, raw_text TEXT NOT NULL, summary TEXT, observed_at INTEGER NOT NULL, static_path TEXT NOT NULL, page_url TEXT,"
    " page_title TEXT, organization_id TEXT, created_at INTEGER NOT NULL) STRICT;"
    "CREATE INDEX messages_conversation ON messages (conversation_id, observed_at);"
    "CREATE INDEX messages_platform ON messages (platform, observed_at);"

    "CREATE TABLE executions (version INTEGER PRIMARY KEY, instruction_id TEXT NOT NULL UNIQUE,"
    " message_id TEXT NOT NULL REFERENCES messages (id), target TEXT NOT NULL, tool TEXT NOT NULL, params TEXT, params_kind TEXT NOT NULL,"
    " result_ok INTEGER NOT NULL, result_data TEXT, result_summary TEXT, result_error TEXT, http_status INTEGER,"
    " executed_at INTEGER NOT NULL, static_path TEXT NOT NULL, created_at INTEGER NOT NULL) STRICT;"
    "CREATE INDEX executions_message ON executions (message_id);"
    "CREATE INDEX executions_target ON executions (target, tool);"
    "CREATE INDEX executions_executed ON executions (executed_at);"

    "CREATE TABLE sessions (version INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, platform TEXT NOT NULL, conversation_id TEXT,"
    " started_at INTEGER NOT NULL, last_activity_at INTEGER NOT NULL, message_count INTEGER NOT NULL, execution_count INTEGER NOT NULL,"
    " summary TEXT, static_path TEXT NOT NULL, created_at INTEGER NOT NULL) STRICT;"
    "CREATE INDEX sessions_platform ON sessions (platform, last_activity_at DESC);"
    "CREATE INDEX sessions_conversation ON sessions (conversation_id);"

    "CREATE TABLE local_conversations (version INTEGER PRIMARY KEY, local_conversation_id TEXT NOT NULL UNIQUE, platform TEXT NOT NULL,"
    " automation_status TEXT NOT NULL, title TEXT, summary TEXT, last_message_id TEXT, last_message_at INTEGER, cooldown_until INTEGER,"
    " paused_at INTEGER, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL) STRICT;"
    "CREATE INDEX conversations_status ON local_conversations (automation_status, updated_at DESC);"
    "CREATE INDEX conversations_platform ON local_conversations (platform, updated_at DESC);"
    "CREATE INDEX conversations_last_message ON local_conversations (last_message_at DESC);"

    "CREATE TABLE conversation_links (version INTEGER PRIMARY KEY, link_id TEXT NOT NULL UNIQUE,"
    " local_conversation_id TEXT NOT NULL REFERENCES local_conversations (local_conversation_id), platform TEXT NOT NULL,"
    " remote_conversation_id TEXT, client_id TEXT, page_url TEXT, page_title TEXT, route_path TEXT, route_pattern TEXT, route_params TEXT,"
    " target_kind TEXT, target_id TEXT, target_payload TEXT, is_active INTEGER NOT NULL, observed_at INTEGER NOT NULL,"
    " created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL, UNIQUE (platform, remote_conversation_id)) STRICT;"
    "CREATE INDEX links_conversation ON conversation_links (local_conversation_id, is_active, updated_at DESC);"
    "CREATE INDEX links_client ON conversation_links (client_id, updated_at DESC);"

    "CREATE TABLE renewal_jobs (version INTEGER PRIMARY KEY, job_id TEXT NOT NULL UNIQUE,"
    " local_conversation_id TEXT NOT NULL REFERENCES local_conversations (local_conversation_id),"
    " message_id TEXT NOT NULL UNIQUE REFERENCES messages (id), status TEXT NOT NULL, payload TEXT NOT NULL, payload_kind TEXT NOT NULL,"
    " target_snapshot TEXT, attempt_count INTEGER NOT NULL, max_attempts INTEGER NOT NULL, next_attempt_at INTEGER,"
    " last_attempt_at INTEGER, last_error TEXT, log_path TEXT, started_at INTEGER, finished_at INTEGER, created_at INTEGER NOT NULL,"
    " updated_at INTEGER NOT NULL) STRICT;"
    "CREATE INDEX jobs_status ON renewal_jobs (status, next_attempt_at, created_at);"
    "CREATE INDEX jobs_conversation ON renewal_jobs (local_conversation_id, status, created_at DESC);";

/* Of the project's own, never mirrored. */
static const char m0002[] =
    "CREATE TABLE store (one INTEGER PRIMARY KEY CHECK (one = 1), store_id TEXT NOT NULL, created_at INTEGER NOT NULL,"
    " runs INTEGER NOT NULL, messages INTEGER NOT NULL, executions INTEGER NOT NULL, sessions INTEGER NOT NULL,"
    " local_conversations INTEGER NOT NULL, conversation_links INTEGER NOT NULL, renewal_jobs INTEGER NOT NULL) STRICT;"
    "CREATE TABLE producers (id TEXT PRIMARY KEY, epoch INTEGER NOT NULL, applied INTEGER NOT NULL, refused INTEGER NOT NULL,"
    " results TEXT NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE TABLE refusals (producer TEXT NOT NULL, number INTEGER NOT NULL, reason TEXT NOT NULL, at INTEGER NOT NULL,"
    " PRIMARY KEY (producer, number)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE automation (local_conversation_id TEXT PRIMARY KEY, baseline_message_id TEXT, since INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE TABLE leases (job_id TEXT PRIMARY KEY, attempt INTEGER NOT NULL, token TEXT NOT NULL, state TEXT NOT NULL, at INTEGER NOT NULL)"
    " STRICT, WITHOUT ROWID;"
    "CREATE TABLE sinks (name TEXT PRIMARY KEY, cursor INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE TABLE dead_letters (sink TEXT NOT NULL, tbl TEXT NOT NULL, key TEXT NOT NULL, version INTEGER NOT NULL, reason TEXT NOT NULL,"
    " at INTEGER NOT NULL, PRIMARY KEY (sink, tbl, key)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE cursors (follower TEXT PRIMARY KEY, store_id TEXT NOT NULL, version INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
    "INSERT INTO store VALUES (1, lower(hex(randomblob(16))), CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER), 0, 0, 0, 0, 0, 0, 0);";

/* The head is at least this: versions that a database had before a copy of it was restored are never given to something else. */
static const char m0003[] = "ALTER TABLE store ADD COLUMN version_floor INTEGER NOT NULL DEFAULT 0;";

/* What each mirror has cost, by days (UTC, since 1970). */
static const char m0004[] =
    "CREATE TABLE spent (sink TEXT NOT NULL, day INTEGER NOT NULL, requests INTEGER NOT NULL, rows INTEGER NOT NULL, written INTEGER NOT NULL,"
    " PRIMARY KEY (sink, day)) STRICT, WITHOUT ROWID;";

/* messages without UNIQUE (id), executions and renewal_jobs without a reference to it; the ids in tables of their own. */
static const char m0005[] =
    "CREATE TABLE message_keys_large (id TEXT PRIMARY KEY, version INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE TABLE message_keys_small (id TEXT PRIMARY KEY, version INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE TABLE message_keys_new (version INTEGER PRIMARY KEY, id TEXT NOT NULL) STRICT;"
    "CREATE TABLE message_keys_pass (target TEXT PRIMARY KEY, cursor TEXT NOT NULL, began INTEGER NOT NULL, upto INTEGER NOT NULL) STRICT;"
    "INSERT INTO message_keys_pass VALUES ('message_keys_small', '', 0, 0), ('message_keys_large', '', 0, 0);"
    "INSERT INTO message_keys_large SELECT id, version FROM messages ORDER BY id;"

    "CREATE TABLE executions_next (version INTEGER PRIMARY KEY, instruction_id TEXT NOT NULL UNIQUE, message_id TEXT NOT NULL, target TEXT NOT NULL,"
    " tool TEXT NOT NULL, params TEXT, params_kind TEXT NOT NULL, result_ok INTEGER NOT NULL, result_data TEXT, result_summary TEXT, result_error TEXT,"
    " http_status INTEGER, executed_at INTEGER NOT NULL, static_path TEXT NOT NULL, created_at INTEGER NOT NULL) STRICT;"
    "INSERT INTO executions_next SELECT * FROM executions ORDER BY version;"
    "DROP TABLE executions;"
    "ALTER TABLE executions_next RENAME TO executions;"
    "CREATE INDEX executions_message ON executions (message_id);"
    "CREATE INDEX executions_target ON executions (target, tool);"
    "CREATE INDEX executions_executed ON executions (executed_at);"

    "CREATE TABLE renewal_jobs_next (version INTEGER PRIMARY KEY, job_id TEXT NOT NULL UNIQUE,"
    " local_conversation_id TEXT NOT NULL REFERENCES local_conversations (local_conversation_id), message_id TEXT NOT NULL UNIQUE, status TEXT NOT NULL,"
    " payload TEXT NOT NULL, payload_kind TEXT NOT NULL, target_snapshot TEXT, attempt_count INTEGER NOT NULL, max_attempts INTEGER NOT NULL,"
    " next_attempt_at INTEGER, last_attempt_at INTEGER, last_error TEXT, log_path TEXT, started_at INTEGER, finished_at INTEGER,"
    " created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL) STRICT;"
    "INSERT INTO renewal_jobs_next SELECT * FROM renewal_jobs ORDER BY version;"
    "DROP TABLE renewal_jobs;"
    "ALTER TABLE renewal_jobs_next RENAME TO renewal_jobs;"
    "CREATE INDEX jobs_status ON renewal_jobs (status, next_attempt_at, created_at);"
    "CREATE INDEX jobs_conversation ON renewal_jobs (local_conversation_id, status, created_at DESC);"

    "CREATE TABLE messages_next (version INTEGER PRIMARY KEY, id TEXT NOT NULL, platform TEXT NOT NULL, conversation_id TEXT, role TEXT NOT NULL,"
    " raw_text TEXT NOT NULL, summary TEXT, observed_at INTEGER NOT NULL, static_path TEXT NOT NULL, page_url TEXT, page_title TEXT, organization_id TEXT,"
    " created_at INTEGER NOT NULL) STRICT;"
    "INSERT INTO messages_next SELECT * FROM messages ORDER BY version;"
    "DROP TABLE messages;"
    "ALTER TABLE messages_next RENAME TO messages;"
    "CREATE INDEX messages_conversation ON messages (conversation_id, observed_at);"
    "CREATE INDEX messages_platform ON messages (platform, observed_at);";

/* The filter of the ids, which the store itself makes of those that are there; the small table's count. */
static const char m0006[] =
    "CREATE TABLE message_keys_layers (layer INTEGER PRIMARY KEY, ids INTEGER NOT NULL, parts INTEGER NOT NULL, part_bytes INTEGER NOT NULL) STRICT;"
    "CREATE TABLE message_keys_filter (layer_part INTEGER PRIMARY KEY, bits BLOB NOT NULL) STRICT;"
    "ALTER TABLE message_keys_pass ADD COLUMN held INTEGER NOT NULL DEFAULT 0;"
    "UPDATE message_keys_pass SET held = (SELECT count(*) FROM message_keys_small) WHERE target = 'message_keys_small';"
    "INSERT INTO message_keys_pass VALUES ('message_keys_filter', '', 0, 0, 0);";

/* The ids in layers, which the filter tells apart: what is there is the first. The store makes the filter anew. */
static const char m0007[] =
    "CREATE TABLE message_keys_sorted (layer INTEGER NOT NULL, id TEXT NOT NULL, version INTEGER NOT NULL, PRIMARY KEY (layer, id)) STRICT, WITHOUT ROWID;"
    "INSERT INTO message_keys_sorted (layer, id, version) SELECT 0, id, version FROM (SELECT id, version FROM message_keys_large"
    " UNION SELECT id, version FROM message_keys_small ORDER BY id);"
    "DROP TABLE message_keys_large;"
    "DROP TABLE message_keys_small;"
    "ALTER TABLE message_keys_new ADD COLUMN layer INTEGER NOT NULL DEFAULT 0;"
    "DELETE FROM message_keys_filter;"
    "DELETE FROM message_keys_layers;"
    "DELETE FROM message_keys_pass WHERE target = 'message_keys_large';"
    "UPDATE message_keys_pass SET target = 'message_keys_sorted' WHERE target = 'message_keys_small';"
    "ALTER TABLE message_keys_pass DROP COLUMN held;";

const char *const store_migrations[] = {m0001, m0002, m0003, m0004, m0005, m0006, m0007, keys_schema, NULL};
