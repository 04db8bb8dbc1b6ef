/* The stored format, as the steps that make it.
 *
 * To change it, add a step at the END of the list at the bottom. It must bring a database of the
 * previous format to the next, keep every row, and work on ten million of them. Until the first
 * release no user has stored data, so a change of proto/records.h simply changes the first step.
 * For the release, replace the first step by the SQL that it makes that day, and never edit it
 * again; a unit test compares what the steps make with proto/records.h.
 *
 * A record's version is its rowid, so the tables are their own change log, in version order:
 * nothing to prune, no second copy. The tables of store/keys/ find a message by its id, because an
 * index on random text would cost a page for every message. So SQLite does not see that messages
 * (id) is unique, no foreign key can refer to it, and only store/write/apply_record.c checks that a
 * message exists. */
#include "store/format/migrations.h"

#include "proto/records.h"
#include "proto/wire.h"
#include "store/database/scan.h"
#include "store/keys/keys.h"
#include "store/originals/originals.h"

/* ---- the six tables ---- */

static void references(struct ck_buf *sql, enum ck_table t, int column) {
  const struct ck_reference *r = ck_reference_in(t, column);
  if (!r || r->parent == CK_MESSAGES) return;
  const struct ck_table_info *parent = &ck_tables[r->parent];
  ck_buf_printf(sql, " REFERENCES %s (%s)", parent->name, parent->fields[parent->key].name);
}

static void column(struct ck_buf *sql, enum ck_table t, int c) {
  const struct ck_field *f = &ck_tables[t].fields[c];
  ck_buf_printf(sql, ", %s %s", f->name, ck_kind_is_int(f->kind) ? "INTEGER" : "TEXT");
  if (!(f->flags & CK_OPTIONAL)) ck_buf_text(sql, " NOT NULL");
  if ((f->flags & CK_KEY) && t != CK_MESSAGES) ck_buf_text(sql, " UNIQUE");
  references(sql, t, c);
}

static void create_table(struct ck_buf *sql, enum ck_table t) {
  ck_buf_printf(sql, "CREATE TABLE %s (version INTEGER PRIMARY KEY", ck_tables[t].name);
  for (int c = 0; c < ck_tables[t].columns; ++c) column(sql, t, c);
  if (ck_uniques[t].columns) {
    ck_buf_text(sql, ", UNIQUE (");
    ck_unique_names(sql, t);
    ck_buf_text(sql, ")");
  }
  ck_buf_text(sql, ") STRICT;");
}

static void create_index(struct ck_buf *sql, const struct ck_index *index) {
  ck_buf_printf(sql, "CREATE INDEX %s ", index->name);
  ck_index_sql(sql, index);
  ck_buf_text(sql, ";");
}

/* ---- the store's own tables, never mirrored ---- */

/* store: version_floor: the head is at least this, so that a restored copy never reuses versions
 * that the database gave after the copy was made. alarm: how it is known that the database was
 * older than it had been, and when that was noticed; "": it never was. spool_receipt: see
 * witness.h.
 *
 * start, starts: which start of the machine this is, and how many there were: a table with the
 * columns start and boot says with them when its row (leases, limits: its `until`) was written
 * (store/database/moment.h). start_wall, start_boot: both clocks when the database was first opened
 * in this start.
 *
 * automation: since: the version of the conversation when it was put on auto.
 *
 * older: messages that came before their conversation was put on auto, and have changed since, so
 * that their version does not say it; and what was its last message then.
 *
 * leases: client: whose lease it is; empty: renewd's. until: when a client's lease runs out; 0:
 * never. rest: how long the conversation rests after a client's delivery.
 *
 * attempts: every attempt of a follow-up, in the order in which they began, for a year
 * (store/write/apply_attempts.c). version: that of its job's row when it last changed. at: when
 * that was. charged: it counts against the job's attempts and the conversation's rates. claimed:
 * the version of its claim.
 *
 * captures: up to when a source has told a conversation whole, if follow-ups of it were tried.
 *
 * sources: of each platform when the newest of its messages came, or was changed: within a second
 * (store/write/apply_sources.c).
 *
 * waits: of jobs their next_attempt_at, of conversations their cooldown_until, as long as it may
 * last (store/write/apply_waits.c), one for each at most. length: how long it was to last from
 * then on; NULL: it is a calendar time. A commit that writes one looks at the 64
 * oldest with a length and deletes those that are over. If all 64 last longer, what is over behind
 * them stays, and readers leave it out.
 *
 * limits: of accounts, also those that are over, which tell how the next one is taken (LIMIT).
 *
 * sent: the messages that deliveries made, as clients say.
 *
 * conversations_last: the order of the list of conversations (store/read/lists.c); it has the
 * titles, so that those without the wanted words are not fetched.
 *
 * messages_organization: finds the account of a conversation (store/read/lists.c).
 *
 * jobs_listed: the newest jobs of a status, without sorting all of them.
 *
 * attachments: files that lay beside conversations (store/files/attachments.h), by their SHA-256.
 * attachment_names: by which names they came. file: the id by which messages name it; "": unknown.
 *
 * sinks: each mirror. written: the version that its witness has at least. taken: a person has said
 * that it is this store's, whatever its witness says. unproven: another history has written to it,
 * and it was not repaired deeply since. alarm: why the witness does not fit, a word and a sentence;
 * "": it does, as far as is known.
 *
 * runs: those in which a mirror was written to (store/write/apply_witness.c). first, last: the head
 * when that began, and when the next run began; last NULL: the present one. run "*": any of that
 * store, up to `last`.
 *
 * forgotten_files: attachments that are kept out, because the messages that named them were
 * forgotten.
 *
 * forgetting: what is still being deleted (store/write/forget_pieces.c). step: of its steps the
 * present one. upto: all messages up to this version were looked through for the files. messages:
 * how many there were. records: how many are gone. forgetting_homes: whose messages those are.
 * forgetting_files: the files that they named.
 *
 * checks: how the last comparison of each mirror ended (CHECKED); task "": there was none yet.
 *
 * spent: what each mirror has cost, by day (UTC, days since 1970). */
static const char system_tables[] =
    "CREATE TABLE store (one INTEGER PRIMARY KEY CHECK (one = 1), store_id TEXT NOT NULL,"
    " created_at INTEGER NOT NULL, runs INTEGER NOT NULL DEFAULT 0,"
    " version_floor INTEGER NOT NULL DEFAULT 0, alarm TEXT NOT NULL DEFAULT '',"
    " alarm_at INTEGER NOT NULL DEFAULT 0, spool_receipt INTEGER NOT NULL DEFAULT 0,"
    " start TEXT NOT NULL DEFAULT '', starts INTEGER NOT NULL DEFAULT 0,"
    " start_wall INTEGER NOT NULL DEFAULT 0, start_boot INTEGER NOT NULL DEFAULT 0"
#define COUNT(TABLE, sql, word) ", " #sql " INTEGER NOT NULL DEFAULT 0"
    CK_TABLE_LIST(COUNT)
#undef COUNT
        ") STRICT;"
        "INSERT INTO store (one, store_id, created_at) VALUES (1, lower(hex(randomblob(16))),"
        " CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER));"
        "CREATE TABLE producers (id TEXT PRIMARY KEY, epoch INTEGER NOT NULL,"
        " applied INTEGER NOT NULL, refused INTEGER NOT NULL,"
        " results TEXT NOT NULL, counts TEXT NOT NULL) STRICT, WITHOUT ROWID;"
        "CREATE TABLE refusals (producer TEXT NOT NULL, number INTEGER NOT NULL,"
        " reason TEXT NOT NULL, at INTEGER NOT NULL,"
        " PRIMARY KEY (producer, number)) STRICT, WITHOUT ROWID;"
        "CREATE TABLE automation (local_conversation_id TEXT PRIMARY KEY,"
        " since INTEGER NOT NULL, resumed INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
        "CREATE TABLE older (local_conversation_id TEXT NOT NULL, message_id TEXT NOT NULL,"
        " PRIMARY KEY (local_conversation_id, message_id)) STRICT, WITHOUT ROWID;"
        "CREATE TABLE anyway (job_id TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;"
        "CREATE TABLE unreached (job_id TEXT PRIMARY KEY, count INTEGER NOT NULL,"
        " since INTEGER NOT NULL, start INTEGER NOT NULL, boot INTEGER NOT NULL)"
        " STRICT, WITHOUT ROWID;"
        "CREATE TABLE offers (job_id TEXT PRIMARY KEY, client TEXT NOT NULL, offer TEXT NOT NULL,"
        " body TEXT NOT NULL, rest INTEGER NOT NULL, at INTEGER NOT NULL, account TEXT NOT NULL)"
        " STRICT;"
        "CREATE INDEX offers_client ON offers (client);"
        "CREATE TABLE pauses (kind TEXT NOT NULL, name TEXT NOT NULL, at INTEGER NOT NULL,"
        " until INTEGER, PRIMARY KEY (kind, name)) STRICT, WITHOUT ROWID;"
        "CREATE TABLE sent (message_id TEXT PRIMARY KEY, job_id TEXT NOT NULL,"
        " at INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
        "CREATE INDEX conversations_last ON local_conversations"
        " (coalesce(newest_at, last_message_at, created_at), platform, title);"
        "CREATE INDEX messages_organization ON messages (conversation_id, observed_at)"
        " WHERE organization_id <> '';"
        "CREATE INDEX jobs_listed ON renewal_jobs (status, created_at, updated_at);"
        "CREATE INDEX jobs_superseded ON renewal_jobs (status)"
        " WHERE last_error GLOB '" CK_SUPERSEDED "*';"
        "CREATE TABLE sinks (name TEXT PRIMARY KEY, cursor INTEGER NOT NULL,"
        " written INTEGER NOT NULL DEFAULT 0, taken INTEGER NOT NULL DEFAULT 0,"
        " unproven INTEGER NOT NULL DEFAULT 0,"
        " alarm TEXT NOT NULL DEFAULT '', alarm_at INTEGER NOT NULL DEFAULT 0)"
        " STRICT, WITHOUT ROWID;"
        "CREATE TABLE spent (sink TEXT NOT NULL, day INTEGER NOT NULL, requests INTEGER NOT NULL,"
        " rows INTEGER NOT NULL, written INTEGER NOT NULL,"
        " PRIMARY KEY (sink, day)) STRICT, WITHOUT ROWID;"
        "CREATE TABLE dead_letters (sink TEXT NOT NULL, table_name TEXT NOT NULL,"
        " key TEXT NOT NULL, version INTEGER NOT NULL, reason TEXT NOT NULL, at INTEGER NOT NULL,"
        " PRIMARY KEY (sink, table_name, key)) STRICT, WITHOUT ROWID;"
        "CREATE TABLE attachments (hash TEXT PRIMARY KEY, bytes INTEGER NOT NULL,"
        " type TEXT NOT NULL, added_at INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
        "CREATE TABLE attachment_names (name TEXT NOT NULL, hash TEXT NOT NULL,"
        " file TEXT NOT NULL, added_at INTEGER NOT NULL,"
        " PRIMARY KEY (name, hash)) STRICT, WITHOUT ROWID;"
        "CREATE INDEX attachment_names_hash ON attachment_names (hash);"
        "CREATE INDEX attachment_names_file ON attachment_names (file);"
        "CREATE TABLE cursors (follower TEXT PRIMARY KEY, store_id TEXT NOT NULL,"
        " version INTEGER NOT NULL) STRICT, WITHOUT ROWID;";

/* Strings of their own: compilers need not take one of more than 4,095 bytes. */
static const char wait_tables[] =
    "CREATE TABLE leases (job_id TEXT PRIMARY KEY, attempt INTEGER NOT NULL,"
    " token TEXT NOT NULL, state TEXT NOT NULL, at INTEGER NOT NULL, client TEXT NOT NULL,"
    " until INTEGER NOT NULL, rest INTEGER NOT NULL, written INTEGER NOT NULL,"
    " start INTEGER NOT NULL, boot INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE TABLE waits (number INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL,"
    " id TEXT NOT NULL, until INTEGER NOT NULL, length INTEGER, written INTEGER NOT NULL,"
    " start INTEGER NOT NULL, boot INTEGER NOT NULL, UNIQUE (kind, id)) STRICT;"
    "CREATE INDEX waits_lasting ON waits (number) WHERE length IS NOT NULL;";

static const char account_tables[] =
    "CREATE TABLE limits (account TEXT PRIMARY KEY, until INTEGER NOT NULL,"
    " since INTEGER NOT NULL, times INTEGER NOT NULL, over INTEGER NOT NULL,"
    " reason TEXT NOT NULL, at INTEGER NOT NULL, written INTEGER NOT NULL,"
    " start INTEGER NOT NULL, boot INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE TABLE forgotten_files (hash TEXT NOT NULL, forgotten_with TEXT NOT NULL,"
    " PRIMARY KEY (hash, forgotten_with)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE forgetting (number INTEGER PRIMARY KEY AUTOINCREMENT,"
    " forgotten_with TEXT NOT NULL UNIQUE, step INTEGER NOT NULL, upto INTEGER NOT NULL,"
    " at INTEGER NOT NULL, messages INTEGER NOT NULL, records INTEGER NOT NULL) STRICT;"
    "CREATE TABLE forgetting_homes (conversation TEXT NOT NULL, platform TEXT NOT NULL,"
    " number INTEGER NOT NULL, PRIMARY KEY (conversation, platform, number))"
    " STRICT, WITHOUT ROWID;"
    "CREATE TABLE forgetting_files (number INTEGER NOT NULL, hash TEXT NOT NULL,"
    " PRIMARY KEY (number, hash)) STRICT, WITHOUT ROWID;";

static const char mirror_tables[] =
    "CREATE TABLE runs (number INTEGER PRIMARY KEY, run TEXT NOT NULL, store_id TEXT NOT NULL,"
    " first INTEGER NOT NULL, last INTEGER, UNIQUE (run, store_id)) STRICT;"
    "CREATE TABLE checks (sink TEXT PRIMARY KEY, task TEXT NOT NULL, at INTEGER NOT NULL,"
    " records INTEGER NOT NULL, wrong INTEGER NOT NULL, skipped INTEGER NOT NULL)"
    " STRICT, WITHOUT ROWID;";

static const char attempt_tables[] =
    "CREATE TABLE attempts (number INTEGER PRIMARY KEY, version INTEGER NOT NULL,"
    " job_id TEXT NOT NULL, attempt INTEGER NOT NULL, token TEXT NOT NULL,"
    " client TEXT NOT NULL, local_conversation_id TEXT NOT NULL, message_id TEXT NOT NULL,"
    " channel TEXT, target TEXT, charged INTEGER NOT NULL, claimed INTEGER NOT NULL,"
    " begun INTEGER NOT NULL,"
    " ended INTEGER, at INTEGER NOT NULL, outcome TEXT, http_status INTEGER, exit INTEGER,"
    " error TEXT, cost REAL, tokens INTEGER, text TEXT, took_ms INTEGER,"
    " next_attempt_at INTEGER, cooldown_until INTEGER, sent_message_id TEXT,"
    " why TEXT, start INTEGER NOT NULL, boot INTEGER NOT NULL) STRICT;"
    "CREATE INDEX attempts_version ON attempts (version);"
    "CREATE INDEX attempts_job ON attempts (job_id);"
    "CREATE INDEX attempts_conversation ON attempts (local_conversation_id, charged);"
    "CREATE INDEX attempts_unknown ON attempts (job_id) WHERE outcome = 'unknown';"
    "CREATE INDEX attempts_sent ON attempts (sent_message_id) WHERE sent_message_id IS NOT NULL;"
    "CREATE INDEX sent_job ON sent (job_id);"
    "CREATE INDEX older_message ON older (message_id);"
    "CREATE TABLE captures (platform TEXT NOT NULL, conversation TEXT NOT NULL,"
    " age INTEGER NOT NULL, PRIMARY KEY (platform, conversation)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE sources (platform TEXT PRIMARY KEY, captured_at INTEGER NOT NULL)"
    " STRICT, WITHOUT ROWID;";

/* ---- the steps ---- */

static void first_format(struct ck_buf *sql) {
  for (enum ck_table t = 0; t < CK_TABLES; ++t) create_table(sql, t);
  for (size_t i = 0; i < CK_INDEXES; ++i)
    if (ck_indexes[i].where & CK_INDEX_STORE) create_index(sql, &ck_indexes[i]);
  ck_buf_text(sql, system_tables);
  ck_buf_text(sql, wait_tables);
  ck_buf_text(sql, account_tables);
  ck_buf_text(sql, mirror_tables);
  ck_buf_text(sql, attempt_tables);
  ck_buf_text(sql, keys_schema);
  ck_buf_text(sql, originals_schema);
  ck_buf_text(sql, scan_schema);
}

migration *const store_migrations[] = {first_format, NULL};
