/* The six tables: every column, reference and unique key, written down once. From these lists come
 * the rows in memory, their form on the wire, the tables of the database and those of the mirror.
 *
 *   F(TABLE, COLUMN, name, kind, flags, choices, default)
 *
 * To add a column, append it at the END of its table's list, or of its mirrored part (CK_LOCAL),
 * and add a line to docs/records.md. The list is also the order of the SQL columns. Once a format
 * has been released, the database also needs a step in store/format/migrations.c, and a name keeps
 * its meaning for ever.
 */
#ifndef CK_PROTO_RECORDS_H
#define CK_PROTO_RECORDS_H

#include "proto/error.h"
#include "proto/pack.h"
#include "proto/text.h"

/* The kinds of values. */
enum ck_kind {
  /* text */
  CK_K_TEXT,    /* trimmed; empty counts as missing */
  CK_K_RAW,     /* kept to the byte; may be empty */
  CK_K_PAYLOAD, /* kept to the byte; must not be blank */
  CK_K_PATH,    /* trimmed; relative, in the folder `choices`, no ".."; made if left out */
  CK_K_JSON,    /* text as given; any other value as its JSON text */
  CK_K_CHOICE,  /* one of `choices`, "a|b|c" */
  CK_K_AGES,    /* the ages of the CK_AGED columns; made by the store (docs/records.md) */
  /* integers */
  CK_K_TIME,        /* milliseconds since the Unix epoch, UTC */
  CK_K_COUNT,       /* at least 0 */
  CK_K_POSITIVE,    /* at least 1 */
  CK_K_STATUS_CODE, /* an HTTP status */
  CK_K_BOOL         /* 0 or 1 */
};

/* How a column behaves. One that has none of CK_KEY to CK_AGED takes what it is given. */
enum {
  CK_KEY = 1,           /* the table's key: always given, never changed */
  CK_REQUIRED = 2,      /* NOT NULL without a default: an insert must give it */
  CK_OPTIONAL = 4,      /* may be NULL */
  CK_DEFAULT = 8,       /* NOT NULL; left out of an insert: `dflt`, or the first of `choices` */
  CK_DEFAULT_NOW = 16,  /* NOT NULL; left out of an insert: the store's clock */
  CK_FIXED = 32,        /* keeps its first value */
  CK_AGED = 64,         /* keeps what was said with the greatest age, then the greatest value */
  CK_FOLLOWS = 128,     /* belongs to the CK_AGED column before it and changes only with it */
  CK_EARLIEST = 256,    /* keeps the smaller of old and new */
  CK_GREATEST = 512,    /* keeps the greater of old and new */
  CK_TOUCHED = 1024,    /* updated_at: as written, or now; does not count as a change by itself */
  CK_DATES_PATH = 2048, /* the time whose day is the folder within the table's CK_K_PATH column */
  CK_FILTER = 4096,     /* a QUERY may ask for the rows that have this value */
  CK_FILTER_MAX = 8192, /* …that have at most this value; the filter's name is COLUMN_max */
  CK_LOCAL = 16384, /* the store's own: neither followers nor mirrors get it; at the list's end */
  CK_QUIET = 32768, /* a change of nothing but such columns makes no new version */
  CK_ADDED = 65536  /* the predecessor's tables do not have it */
};

/* Clocks differ: a time is ahead of the clock if it is later by more than this. */
#define CK_AHEAD_MS 2000

/* The folder of messages within artifacts/. */
#define CK_MESSAGES_FOLDER "msg/"

#define CK_MESSAGES_FIELDS(F) \
  F(MESSAGES, ID, id, CK_K_TEXT, CK_KEY | CK_REQUIRED | CK_FILTER, NULL, 0) \
  F(MESSAGES, PLATFORM, platform, CK_K_TEXT, CK_REQUIRED | CK_FILTER | CK_AGED, NULL, 0) \
  F(MESSAGES, CONVERSATION_ID, conversation_id, CK_K_TEXT, CK_OPTIONAL | CK_FILTER | CK_AGED, \
    NULL, 0) \
  F(MESSAGES, ROLE, role, CK_K_TEXT, CK_REQUIRED | CK_AGED, NULL, 0) \
  F(MESSAGES, RAW_TEXT, raw_text, CK_K_RAW, CK_REQUIRED | CK_AGED, NULL, 0) \
  F(MESSAGES, SUMMARY, summary, CK_K_TEXT, CK_OPTIONAL, NULL, 0) \
  F(MESSAGES, OBSERVED_AT, observed_at, CK_K_TIME, CK_REQUIRED | CK_AGED | CK_DATES_PATH, NULL, 0) \
  F(MESSAGES, STATIC_PATH, static_path, CK_K_PATH, CK_DEFAULT | CK_FIXED, CK_MESSAGES_FOLDER, 0) \
  F(MESSAGES, PAGE_URL, page_url, CK_K_TEXT, CK_OPTIONAL | CK_AGED, NULL, 0) \
  F(MESSAGES, PAGE_TITLE, page_title, CK_K_TEXT, CK_OPTIONAL | CK_AGED, NULL, 0) \
  F(MESSAGES, ORGANIZATION_ID, organization_id, CK_K_TEXT, CK_OPTIONAL | CK_AGED, NULL, 0) \
  F(MESSAGES, CREATED_AT, created_at, CK_K_TIME, CK_DEFAULT_NOW | CK_FIXED, NULL, 0) \
  F(MESSAGES, PARENT_ID, parent_id, CK_K_TEXT, CK_OPTIONAL | CK_AGED | CK_ADDED, NULL, 0) \
  F(MESSAGES, POSITION, position, CK_K_COUNT, CK_OPTIONAL | CK_AGED | CK_ADDED, NULL, 0) \
  F(MESSAGES, DETAILS, details, CK_K_JSON, CK_OPTIONAL | CK_LOCAL | CK_AGED, NULL, 0) \
  F(MESSAGES, ORIGINAL, original, CK_K_TEXT, CK_OPTIONAL | CK_LOCAL | CK_AGED | CK_QUIET, NULL, 0) \
  F(MESSAGES, AGES, ages, CK_K_AGES, CK_OPTIONAL | CK_LOCAL | CK_QUIET, NULL, 0) \
  F(MESSAGES, LIVE, live, CK_K_BOOL, CK_DEFAULT | CK_FIXED | CK_LOCAL, NULL, 1)

#define CK_EXECUTIONS_FIELDS(F) \
  F(EXECUTIONS, INSTRUCTION_ID, instruction_id, CK_K_TEXT, CK_KEY | CK_REQUIRED | CK_FILTER, NULL, \
    0) \
  F(EXECUTIONS, MESSAGE_ID, message_id, CK_K_TEXT, CK_REQUIRED | CK_FILTER | CK_AGED, NULL, 0) \
  F(EXECUTIONS, TARGET, target, CK_K_TEXT, CK_REQUIRED | CK_FILTER | CK_AGED, NULL, 0) \
  F(EXECUTIONS, TOOL, tool, CK_K_TEXT, CK_REQUIRED | CK_FILTER | CK_AGED, NULL, 0) \
  F(EXECUTIONS, PARAMS, params, CK_K_TEXT, CK_OPTIONAL | CK_AGED, NULL, 0) \
  F(EXECUTIONS, PARAMS_KIND, params_kind, CK_K_CHOICE, CK_DEFAULT | CK_AGED, \
    "none|body|inline_json|inline_string", 0) \
  F(EXECUTIONS, RESULT_OK, result_ok, CK_K_BOOL, CK_DEFAULT | CK_AGED, NULL, 0) \
  F(EXECUTIONS, RESULT_DATA, result_data, CK_K_TEXT, CK_OPTIONAL | CK_AGED, NULL, 0) \
  F(EXECUTIONS, RESULT_SUMMARY, result_summary, CK_K_TEXT, CK_OPTIONAL | CK_AGED, NULL, 0) \
  F(EXECUTIONS, RESULT_ERROR, result_error, CK_K_TEXT, CK_OPTIONAL | CK_AGED, NULL, 0) \
  F(EXECUTIONS, HTTP_STATUS, http_status, CK_K_STATUS_CODE, CK_OPTIONAL | CK_AGED, NULL, 0) \
  F(EXECUTIONS, EXECUTED_AT, executed_at, CK_K_TIME, CK_REQUIRED | CK_AGED | CK_DATES_PATH, NULL, \
    0) \
  F(EXECUTIONS, STATIC_PATH, static_path, CK_K_PATH, CK_DEFAULT | CK_FIXED, "exec/", 0) \
  F(EXECUTIONS, CREATED_AT, created_at, CK_K_TIME, CK_DEFAULT_NOW | CK_FIXED, NULL, 0) \
  F(EXECUTIONS, ORIGINAL, original, CK_K_TEXT, CK_OPTIONAL | CK_LOCAL | CK_AGED | CK_QUIET, NULL, \
    0) \
  F(EXECUTIONS, AGES, ages, CK_K_AGES, CK_OPTIONAL | CK_LOCAL | CK_QUIET, NULL, 0)

#define CK_SESSIONS_FIELDS(F) \
  F(SESSIONS, ID, id, CK_K_TEXT, CK_KEY | CK_REQUIRED | CK_FILTER, NULL, 0) \
  F(SESSIONS, PLATFORM, platform, CK_K_TEXT, CK_REQUIRED | CK_FILTER | CK_AGED, NULL, 0) \
  F(SESSIONS, CONVERSATION_ID, conversation_id, CK_K_TEXT, CK_OPTIONAL | CK_FILTER | CK_AGED, \
    NULL, 0) \
  F(SESSIONS, STARTED_AT, started_at, CK_K_TIME, CK_REQUIRED | CK_EARLIEST | CK_DATES_PATH, NULL, \
    0) \
  F(SESSIONS, LAST_ACTIVITY_AT, last_activity_at, CK_K_TIME, CK_REQUIRED | CK_GREATEST, NULL, 0) \
  F(SESSIONS, MESSAGE_COUNT, message_count, CK_K_COUNT, CK_DEFAULT | CK_GREATEST, NULL, 0) \
  F(SESSIONS, EXECUTION_COUNT, execution_count, CK_K_COUNT, CK_DEFAULT | CK_GREATEST, NULL, 0) \
  F(SESSIONS, SUMMARY, summary, CK_K_TEXT, CK_OPTIONAL | CK_AGED, NULL, 0) \
  F(SESSIONS, STATIC_PATH, static_path, CK_K_PATH, CK_DEFAULT | CK_FIXED, "session/", 0) \
  F(SESSIONS, CREATED_AT, created_at, CK_K_TIME, CK_DEFAULT_NOW | CK_FIXED, NULL, 0)

#define CK_CONVERSATIONS_FIELDS(F) \
  F(CONVERSATIONS, LOCAL_CONVERSATION_ID, local_conversation_id, CK_K_TEXT, \
    CK_KEY | CK_REQUIRED | CK_FILTER, NULL, 0) \
  F(CONVERSATIONS, PLATFORM, platform, CK_K_TEXT, CK_REQUIRED | CK_FILTER | CK_AGED, NULL, 0) \
  F(CONVERSATIONS, AUTOMATION_STATUS, automation_status, CK_K_CHOICE, CK_DEFAULT | CK_FILTER, \
    "manual|auto|paused", 0) \
  F(CONVERSATIONS, TITLE, title, CK_K_TEXT, CK_OPTIONAL | CK_AGED, NULL, 0) \
  F(CONVERSATIONS, SUMMARY, summary, CK_K_TEXT, CK_OPTIONAL | CK_AGED, NULL, 0) \
  F(CONVERSATIONS, LAST_MESSAGE_ID, last_message_id, CK_K_TEXT, CK_OPTIONAL | CK_AGED, NULL, 0) \
  F(CONVERSATIONS, LAST_MESSAGE_AT, last_message_at, CK_K_TIME, CK_OPTIONAL | CK_FOLLOWS, NULL, 0) \
  F(CONVERSATIONS, COOLDOWN_UNTIL, cooldown_until, CK_K_TIME, CK_OPTIONAL, NULL, 0) \
  F(CONVERSATIONS, PAUSED_AT, paused_at, CK_K_TIME, CK_OPTIONAL, NULL, 0) \
  F(CONVERSATIONS, CREATED_AT, created_at, CK_K_TIME, CK_DEFAULT_NOW | CK_EARLIEST, NULL, 0) \
  F(CONVERSATIONS, UPDATED_AT, updated_at, CK_K_TIME, CK_DEFAULT_NOW | CK_TOUCHED, NULL, 0) \
  F(CONVERSATIONS, DETAILS, details, CK_K_JSON, CK_OPTIONAL | CK_LOCAL | CK_AGED, NULL, 0) \
  F(CONVERSATIONS, NEWEST_AT, newest_at, CK_K_TIME, CK_OPTIONAL | CK_LOCAL | CK_GREATEST, NULL, 0) \
  F(CONVERSATIONS, AGES, ages, CK_K_AGES, CK_OPTIONAL | CK_LOCAL | CK_QUIET, NULL, 0) \
  F(CONVERSATIONS, RENEWAL, renewal, CK_K_JSON, CK_OPTIONAL | CK_LOCAL, NULL, 0)

#define CK_LINKS_FIELDS(F) \
  F(LINKS, LINK_ID, link_id, CK_K_TEXT, CK_KEY | CK_REQUIRED | CK_FILTER, NULL, 0) \
  F(LINKS, LOCAL_CONVERSATION_ID, local_conversation_id, CK_K_TEXT, \
    CK_REQUIRED | CK_FILTER | CK_AGED, NULL, 0) \
  F(LINKS, PLATFORM, platform, CK_K_TEXT, CK_REQUIRED | CK_FILTER | CK_AGED, NULL, 0) \
  F(LINKS, REMOTE_CONVERSATION_ID, remote_conversation_id, CK_K_TEXT, \
    CK_OPTIONAL | CK_FILTER | CK_AGED, NULL, 0) \
  F(LINKS, CLIENT_ID, client_id, CK_K_TEXT, CK_OPTIONAL | CK_FILTER | CK_AGED, NULL, 0) \
  F(LINKS, PAGE_URL, page_url, CK_K_TEXT, CK_OPTIONAL | CK_AGED, NULL, 0) \
  F(LINKS, PAGE_TITLE, page_title, CK_K_TEXT, CK_OPTIONAL | CK_AGED, NULL, 0) \
  F(LINKS, ROUTE_PATH, route_path, CK_K_TEXT, CK_OPTIONAL | CK_AGED, NULL, 0) \
  F(LINKS, ROUTE_PATTERN, route_pattern, CK_K_TEXT, CK_OPTIONAL | CK_AGED, NULL, 0) \
  F(LINKS, ROUTE_PARAMS, route_params, CK_K_JSON, CK_OPTIONAL | CK_AGED, NULL, 0) \
  F(LINKS, TARGET_KIND, target_kind, CK_K_TEXT, CK_OPTIONAL | CK_AGED, NULL, 0) \
  F(LINKS, TARGET_ID, target_id, CK_K_TEXT, CK_OPTIONAL | CK_AGED, NULL, 0) \
  F(LINKS, TARGET_PAYLOAD, target_payload, CK_K_JSON, CK_OPTIONAL | CK_AGED, NULL, 0) \
  F(LINKS, IS_ACTIVE, is_active, CK_K_BOOL, CK_DEFAULT | CK_FILTER | CK_AGED, NULL, 1) \
  F(LINKS, OBSERVED_AT, observed_at, CK_K_TIME, CK_REQUIRED | CK_GREATEST, NULL, 0) \
  F(LINKS, CREATED_AT, created_at, CK_K_TIME, CK_DEFAULT_NOW | CK_FIXED, NULL, 0) \
  F(LINKS, UPDATED_AT, updated_at, CK_K_TIME, CK_DEFAULT_NOW | CK_TOUCHED, NULL, 0) \
  F(LINKS, AGES, ages, CK_K_AGES, CK_OPTIONAL | CK_LOCAL | CK_QUIET, NULL, 0)

#define CK_JOBS_FIELDS(F) \
  F(JOBS, JOB_ID, job_id, CK_K_TEXT, CK_KEY | CK_REQUIRED | CK_FILTER, NULL, 0) \
  F(JOBS, LOCAL_CONVERSATION_ID, local_conversation_id, CK_K_TEXT, \
    CK_REQUIRED | CK_FIXED | CK_FILTER, NULL, 0) \
  F(JOBS, MESSAGE_ID, message_id, CK_K_TEXT, CK_REQUIRED | CK_FIXED | CK_FILTER, NULL, 0) \
  F(JOBS, STATUS, status, CK_K_CHOICE, CK_DEFAULT | CK_FILTER, "pending|running|done|failed", 0) \
  F(JOBS, PAYLOAD, payload, CK_K_PAYLOAD, CK_REQUIRED, NULL, 0) \
  F(JOBS, PAYLOAD_KIND, payload_kind, CK_K_CHOICE, CK_DEFAULT, "text|json", 0) \
  F(JOBS, TARGET_SNAPSHOT, target_snapshot, CK_K_JSON, CK_OPTIONAL, NULL, 0) \
  F(JOBS, ATTEMPT_COUNT, attempt_count, CK_K_COUNT, CK_DEFAULT, NULL, 0) \
  F(JOBS, MAX_ATTEMPTS, max_attempts, CK_K_POSITIVE, CK_DEFAULT, NULL, 3) \
  F(JOBS, NEXT_ATTEMPT_AT, next_attempt_at, CK_K_TIME, CK_OPTIONAL | CK_FILTER_MAX, NULL, 0) \
  F(JOBS, LAST_ATTEMPT_AT, last_attempt_at, CK_K_TIME, CK_OPTIONAL, NULL, 0) \
  F(JOBS, LAST_ERROR, last_error, CK_K_TEXT, CK_OPTIONAL, NULL, 0) \
  F(JOBS, LOG_PATH, log_path, CK_K_TEXT, CK_OPTIONAL, NULL, 0) \
  F(JOBS, STARTED_AT, started_at, CK_K_TIME, CK_OPTIONAL, NULL, 0) \
  F(JOBS, FINISHED_AT, finished_at, CK_K_TIME, CK_OPTIONAL, NULL, 0) \
  F(JOBS, CREATED_AT, created_at, CK_K_TIME, CK_DEFAULT_NOW | CK_FIXED, NULL, 0) \
  F(JOBS, UPDATED_AT, updated_at, CK_K_TIME, CK_DEFAULT_NOW | CK_TOUCHED, NULL, 0)

/* What was forgotten: one record for each that was deleted, which keeps it away (FORGET). It has
 * nothing of what was said, only keys. A record of the same key with a higher version was taken in
 * again afterwards. */
#define CK_FORGOTTEN_FIELDS(F) \
  F(FORGOTTEN, FORGOTTEN_ID, forgotten_id, CK_K_TEXT, CK_KEY | CK_REQUIRED | CK_FILTER, NULL, 0) \
  F(FORGOTTEN, TABLE_NAME, table_name, CK_K_TEXT, CK_REQUIRED | CK_FIXED | CK_FILTER, NULL, 0) \
  F(FORGOTTEN, RECORD_KEY, record_key, CK_K_TEXT, CK_REQUIRED | CK_FIXED, NULL, 0) \
  F(FORGOTTEN, FORGOTTEN_WITH, forgotten_with, CK_K_TEXT, CK_REQUIRED | CK_FILTER, NULL, 0) \
  F(FORGOTTEN, PLATFORM, platform, CK_K_TEXT, CK_OPTIONAL, NULL, 0) \
  F(FORGOTTEN, CONVERSATION_ID, conversation_id, CK_K_TEXT, CK_OPTIONAL, NULL, 0) \
  F(FORGOTTEN, FORGOTTEN_AT, forgotten_at, CK_K_TIME, CK_REQUIRED, NULL, 0) \
  F(FORGOTTEN, TAKEN_BACK, taken_back, CK_K_BOOL, CK_DEFAULT, NULL, 0) \
  F(FORGOTTEN, STATIC_PATH, static_path, CK_K_TEXT, CK_OPTIONAL | CK_LOCAL, NULL, 0)

/* T(TABLE, SQL name, word on the command line). A table comes after the tables that it refers to.
 */
#define CK_TABLE_LIST(T) \
  T(MESSAGES, messages, "messages") \
  T(EXECUTIONS, executions, "executions") \
  T(SESSIONS, sessions, "sessions") \
  T(CONVERSATIONS, local_conversations, "conversations") \
  T(LINKS, conversation_links, "links") \
  T(JOBS, renewal_jobs, "jobs") \
  T(FORGOTTEN, forgotten, "forgotten")

/* R(TABLE, COLUMN, PARENT): the column has the key of a record of PARENT, which must exist before
 * this one is written. */
#define CK_REFERENCE_LIST(R) \
  R(EXECUTIONS, MESSAGE_ID, MESSAGES) \
  R(LINKS, LOCAL_CONVERSATION_ID, CONVERSATIONS) \
  R(JOBS, LOCAL_CONVERSATION_ID, CONVERSATIONS) \
  R(JOBS, MESSAGE_ID, MESSAGES)

/* U(TABLE, columns …): the unique key, besides the table's own key: no two records have the same
 * text in all of these columns. A record with NULL in one of them has no unique key. A record
 * releases its unique key when the CK_OPTIONAL one of the columns becomes NULL or another text;
 * without such a column it keeps it for ever. At most one line for each table. */
#define CK_UNIQUE_LIST(U) \
  U(LINKS, CK_LINKS_PLATFORM, CK_LINKS_REMOTE_CONVERSATION_ID) \
  U(JOBS, CK_JOBS_MESSAGE_ID)

/* I(WHERE, TABLE, name, columns …): an index. A column with CK_DESC is in descending order.
 *
 * Each index of a mirror costs one more written row, which is paid for, at every insert and at
 * every change of its columns. So a mirror has only those that the reader of a conversation needs,
 * and none on a column that changes with every message (updated_at, last_activity_at).
 *
 * The store's begin with the time by which a list is sorted: a list takes its first rows from the
 * end of the index, and what it is filtered by stands there, too.
 *
 * Those that are EXTRA the predecessor's databases have besides; a mirror gets them on demand. */
#define CK_INDEX_LIST(I) \
  I(BOTH, MESSAGES, "messages_conversation", CK_MESSAGES_CONVERSATION_ID, CK_MESSAGES_OBSERVED_AT) \
  I(STORE, MESSAGES, "messages_observed", CK_MESSAGES_OBSERVED_AT, CK_MESSAGES_PLATFORM) \
  I(EXTRA, MESSAGES, "messages_platform", CK_MESSAGES_PLATFORM, CK_MESSAGES_OBSERVED_AT) \
  I(BOTH, EXECUTIONS, "executions_message", CK_EXECUTIONS_MESSAGE_ID) \
  I(STORE, EXECUTIONS, "executions_executed", CK_EXECUTIONS_EXECUTED_AT, CK_EXECUTIONS_TARGET, \
    CK_EXECUTIONS_TOOL) \
  I(EXTRA, EXECUTIONS, "executions_target", CK_EXECUTIONS_TARGET, CK_EXECUTIONS_TOOL) \
  I(EXTRA, EXECUTIONS, "executions_time", CK_EXECUTIONS_EXECUTED_AT) \
  I(STORE, SESSIONS, "sessions_activity", CK_SESSIONS_LAST_ACTIVITY_AT, CK_SESSIONS_PLATFORM) \
  I(BOTH, SESSIONS, "sessions_conversation", CK_SESSIONS_CONVERSATION_ID) \
  I(EXTRA, SESSIONS, "sessions_platform", CK_SESSIONS_PLATFORM, \
    CK_DESC | CK_SESSIONS_LAST_ACTIVITY_AT) \
  I(STORE_EXTRA, CONVERSATIONS, "conversations_status", CK_CONVERSATIONS_AUTOMATION_STATUS, \
    CK_DESC | CK_CONVERSATIONS_UPDATED_AT) \
  I(STORE, CONVERSATIONS, "conversations_updated", CK_CONVERSATIONS_UPDATED_AT, \
    CK_CONVERSATIONS_PLATFORM, CK_CONVERSATIONS_TITLE) \
  I(STORE, CONVERSATIONS, "conversations_created", CK_CONVERSATIONS_CREATED_AT, \
    CK_CONVERSATIONS_PLATFORM, CK_CONVERSATIONS_TITLE) \
  I(EXTRA, CONVERSATIONS, "conversations_platform", CK_CONVERSATIONS_PLATFORM, \
    CK_DESC | CK_CONVERSATIONS_UPDATED_AT) \
  I(EXTRA, CONVERSATIONS, "conversations_last_message", \
    CK_DESC | CK_CONVERSATIONS_LAST_MESSAGE_AT) \
  I(STORE_EXTRA, LINKS, "links_conversation", CK_LINKS_LOCAL_CONVERSATION_ID, CK_LINKS_IS_ACTIVE, \
    CK_DESC | CK_LINKS_UPDATED_AT) \
  I(STORE_EXTRA, LINKS, "links_client", CK_LINKS_CLIENT_ID, CK_DESC | CK_LINKS_UPDATED_AT) \
  I(STORE, LINKS, "links_observed", CK_LINKS_OBSERVED_AT, CK_LINKS_PLATFORM) \
  I(MIRROR, LINKS, "conversation_links_conversation", CK_LINKS_LOCAL_CONVERSATION_ID) \
  I(STORE_EXTRA, JOBS, "jobs_status", CK_JOBS_STATUS, CK_JOBS_NEXT_ATTEMPT_AT, CK_JOBS_CREATED_AT) \
  I(STORE_EXTRA, JOBS, "jobs_conversation", CK_JOBS_LOCAL_CONVERSATION_ID, CK_JOBS_STATUS, \
    CK_DESC | CK_JOBS_CREATED_AT) \
  I(STORE, JOBS, "jobs_created", CK_JOBS_CREATED_AT) \
  I(MIRROR, JOBS, "renewal_jobs_conversation", CK_JOBS_LOCAL_CONVERSATION_ID) \
  I(STORE, FORGOTTEN, "forgotten_with", CK_FORGOTTEN_FORGOTTEN_WITH) \
  I(STORE, FORGOTTEN, "forgotten_conversation", CK_FORGOTTEN_CONVERSATION_ID) \
  I(STORE, FORGOTTEN, "forgotten_at", CK_FORGOTTEN_FORGOTTEN_AT)

enum ck_table {
#define CK_T(TABLE, sql, word) CK_##TABLE,
  CK_TABLE_LIST(CK_T)
#undef CK_T
      CK_TABLES
};

/* CK_MESSAGES_ID, CK_MESSAGES_PLATFORM, … : a column's place in its table. */
#define CK_F(TABLE, COLUMN, name, kind, flags, choices, dflt) CK_##TABLE##_##COLUMN,
enum { CK_MESSAGES_FIELDS(CK_F) CK_MESSAGES_COLUMNS };
enum { CK_EXECUTIONS_FIELDS(CK_F) CK_EXECUTIONS_COLUMNS };
enum { CK_SESSIONS_FIELDS(CK_F) CK_SESSIONS_COLUMNS };
enum { CK_CONVERSATIONS_FIELDS(CK_F) CK_CONVERSATIONS_COLUMNS };
enum { CK_LINKS_FIELDS(CK_F) CK_LINKS_COLUMNS };
enum { CK_JOBS_FIELDS(CK_F) CK_JOBS_COLUMNS };
enum { CK_FORGOTTEN_FIELDS(CK_F) CK_FORGOTTEN_COLUMNS };
#undef CK_F

/* The columns of the widest table. */
#define CK_T(TABLE, sql, word) char sql[CK_##TABLE##_COLUMNS];
enum { CK_COLUMNS_MAX = sizeof(union {CK_TABLE_LIST(CK_T)}) };
#undef CK_T

/* ---- the lists as tables ---- */

struct ck_field {
  const char *name;
  size_t name_bytes;
  enum ck_kind kind;
  unsigned flags;
  const char *choices; /* of CK_K_CHOICE; for CK_K_PATH the folder; else NULL */
  int64_t dflt;
  const char *filter; /* the name of its filter in a QUERY; NULL: none */
};

struct ck_table_info {
  const char *name; /* in SQL, on the wire and in D1 */
  const char *word; /* on the command line */
  const struct ck_field *fields;
  int columns;
  int mirrored;  /* the first columns, without those that are CK_LOCAL */
  int key;       /* the key's column */
  int ages;      /* the column with the ages of the CK_AGED ones, or -1 */
  int path;      /* the CK_K_PATH column, or -1: records of this table have no files */
  int path_time; /* the CK_DATES_PATH column, or -1 */
};

extern const struct ck_table_info ck_tables[CK_TABLES];

/* The column of `table` has the key of a record of `parent`. */
struct ck_reference {
  enum ck_table table;
  int column;
  enum ck_table parent;
};

#define CK_R(TABLE, COLUMN, PARENT) +1
enum { CK_REFERENCES = 0 CK_REFERENCE_LIST(CK_R) };
#undef CK_R
extern const struct ck_reference ck_references[CK_REFERENCES];

/* The most columns of a unique key. */
#define CK_UNIQUE_MAX 2

struct ck_unique {
  int columns; /* 0: the table has no unique key */
  int column[CK_UNIQUE_MAX];
};

extern const struct ck_unique ck_uniques[CK_TABLES];

/* Who has an index. */
enum ck_index_where {
  CK_INDEX_STORE = 1,
  CK_INDEX_MIRROR = 2,
  CK_INDEX_BOTH = 3,
  CK_INDEX_EXTRA = 4, /* a mirror for which somebody asks for it */
  CK_INDEX_STORE_EXTRA = 5
};

/* The most columns of an index. */
#define CK_INDEX_MAX 3
#define CK_DESC 64 /* added to a column */
_Static_assert((int)CK_COLUMNS_MAX <= CK_DESC, "a column must leave the bit CK_DESC free");

struct ck_index {
  enum ck_index_where where;
  enum ck_table table;
  const char *name;
  int columns;
  int column[CK_INDEX_MAX]; /* possibly with CK_DESC */
};

#define CK_I(WHERE, TABLE, ...) +1
enum { CK_INDEXES = 0 CK_INDEX_LIST(CK_I) };
#undef CK_I
extern const struct ck_index ck_indexes[CK_INDEXES];

/* The table of that SQL name or command line word; CK_TABLES when there is none. */
enum ck_table ck_table_named(struct ck_str name);
/* The column of that name, or -1. */
int ck_column_named(enum ck_table t, struct ck_str name);
/* True for kinds that are integers, false for text. */
bool ck_kind_is_int(enum ck_kind kind);
/* True when value is one of the choices "a|b|c". */
bool ck_choice_ok(const char *choices, struct ck_str value);

/* The reference that this column is; NULL: none. */
const struct ck_reference *ck_reference_in(enum ck_table t, int column);
/* True for a column that ties a record to others: a reference, or one of the unique key's. */
bool ck_is_tie(enum ck_table t, int column);
/* True when records of this table refer to others. */
bool ck_has_parents(enum ck_table t);
/* True when records of another table refer to records of this one. */
bool ck_is_parent(enum ck_table t);
/* The column of the unique key that may become NULL to release it; -1: none. */
int ck_release_column(enum ck_table t);
/* Appends the unique key's column names, "a, b"; nothing when the table has none. */
void ck_unique_names(struct ck_buf *b, enum ck_table t);
/* Appends what SQL says of an index after its name: "ON table (a, b DESC)". */
void ck_index_sql(struct ck_buf *b, const struct ck_index *index);

/* ---- rows ---- */

/* A column that is left out keeps its value; one that is given as NULL becomes NULL. */
enum ck_state { CK_LEFT_OUT = 0, CK_NULL, CK_INT, CK_TEXT };

struct ck_value {
  enum ck_state state;
  union {
    int64_t i;
    struct ck_str s; /* borrowed */
  } as;
};

/* A record, or the part of it that is to be written. Zero-initialised, all columns are left out. */
struct ck_row {
  enum ck_table table;
  struct ck_value v[CK_COLUMNS_MAX];
};

/* Values; text is borrowed. ck_textz(NULL) is CK_NULL. */
struct ck_value ck_int(int64_t i);
struct ck_value ck_text(struct ck_str s);
struct ck_value ck_textz(const char *terminated);
struct ck_value ck_null(void);
bool ck_value_eq(struct ck_value a, struct ck_value b);
/* The column's text, or the empty view when it is not CK_TEXT. */
struct ck_str ck_row_text(const struct ck_row *row, int column);
/* The column's integer, or `otherwise` when it is not CK_INT. */
int64_t ck_row_int(const struct ck_row *row, int column, int64_t otherwise);
/* The text of the key's column. */
struct ck_str ck_row_key(const struct ck_row *row);
/* True when the row has text in every column of its table's unique key. */
bool ck_row_has_unique(const struct ck_row *row);
/* True when two rows of one table have the same unique key. */
bool ck_row_same_unique(const struct ck_row *a, const struct ck_row *b);

/* A record that a row refers to. */
struct ck_parent {
  enum ck_table table;
  struct ck_str key; /* borrowed from the row */
};
/* Fills `out` with the records that the row refers to; returns how many. */
size_t ck_row_parents(const struct ck_row *row, struct ck_parent out[CK_REFERENCES]);

/* Appends the row as it is on the wire: a map from column name to nil, integer or text, without the
 * columns that are left out. */
void ck_row_encode(struct ck_buf *b, const struct ck_row *row);
/* The same without CK_LOCAL columns: what followers and mirrors get. */
void ck_row_encode_mirrored(struct ck_buf *b, const struct ck_row *row);
/* An upper bound of its bytes there. */
size_t ck_row_room(const struct ck_row *row);

/* Reads a row's map, which must be all of `map`. Text is borrowed from it; only a JSON column's
 * value that is not text is converted, into `arena`. 0; or -1, and err names table and column: an
 * unknown column, a column given twice, a wrong type, text that is not UTF-8. What text may say
 * (trim, blank, choices) is checked by the store. */
int ck_row_decode(struct ck_row *row, enum ck_table table, struct ck_str map,
                  struct ck_arena *arena, struct ck_err *err);
/* The same for the next value of a reader. bytes: text may be any bytes, for callers that check it
 * themselves and would rather lose one row than all that came with it. */
int ck_row_read(struct ck_row *row, enum ck_table table, struct ck_reader *r, bool bytes,
                struct ck_arena *arena, struct ck_err *err);
/* The key in a row's map, to name a row that could not be decoded. Empty when there is none. */
struct ck_str ck_row_key_in(enum ck_table table, struct ck_str map);

#define CK_DERIVED_DIGITS 16
/* The id of a record where another one has its source's id: that id, '@', and so many digits of the
 * hash of n parts. In the arena. */
struct ck_str ck_derived_id(struct ck_arena *arena, struct ck_str id, const struct ck_str *parts,
                            size_t n);

/* How the ids of jobs begin: those that renewd makes, and those that `convkeep renew` makes. Jobs
 * of other programs may begin with either. */
#define CK_JOB_OF_RENEWD "job_"
#define CK_JOB_BY_HAND "hand_"

/* The id of the job that renewd makes for a message: CK_JOB_OF_RENEWD and a hash of the message's
 * id, terminated. A person made every job that has another id. */
void ck_job_id(char out[37], struct ck_str message_id);
/* The id of what was forgotten: appends the table's name, "/" and the record's key. */
void ck_forgotten_id(struct ck_buf *b, enum ck_table t, struct ck_str key);
/* What `forgotten` has as the table of a platform's conversation, which is no record itself. Its
 * key is PLATFORM:CONVERSATION; a record of local_conversations may have that key, too, and belong
 * to another conversation. */
#define CK_FORGOTTEN_HOME "remote_conversations"
/* Its id: as of a record. */
void ck_forgotten_home_id(struct ck_buf *b, struct ck_str key);

/* True for a job that renewd made. */
bool ck_job_is_automatic(struct ck_str job_id, struct ck_str message_id);

/* True for the kinds of target whose deliveries a client takes: `feed`, and all that begin with
 * `browser.` */
bool ck_kind_is_clients(struct ck_str kind);

/* Appends the row as one JSON object: all mirrored columns that are not left out, in the list's
 * order. */
void ck_row_json(struct ck_buf *b, const struct ck_row *row);

#endif
