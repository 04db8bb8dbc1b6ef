/* Settings: one table of name, type, default, limits and help. It reads itself from flags, environment and file, checks itself and prints itself.
 *
 * Order: flag, environment, file, default. The environment name of `d1.token_file` is CONVKEEP_D1_TOKEN_FILE. The file (proto/zpl.h):
 * `d1` with the line `    token_file = "/etc/token"` below it, or the dotted name on one line. Unknown names and bad values are refused with file and line.
 */
#ifndef CK_PROTO_SETTINGS_H
#define CK_PROTO_SETTINGS_H

#include "proto/error.h"
#include "proto/text.h"

/* S(ENUM, "name", type, "default", min, max, "choices or NULL", "help"). Types: TEXT, INT, DURATION
 * (text like 1s, 15min, 250ms → milliseconds), CHOICE, LIST (blank-separated words). */
#define CK_SETTING_LIST(S) \
  S(DOOR_INTAKE, "door.intake", TEXT, "ipc://run/intake", 0, 0, NULL, \
    "where the store takes changesets") \
  S(DOOR_FEED, "door.feed", TEXT, "ipc://run/feed", 0, 0, NULL, \
    "where the store publishes changes, receipts and heartbeats") \
  S(DOOR_WORK, "door.work", TEXT, "ipc://run/work", 0, 0, NULL, \
    "where the store hands out sync batches") \
  S(DOOR_SNAPSHOT, "door.snapshot", TEXT, "ipc://run/snapshot", 0, 0, NULL, \
    "where the store answers questions") \
  S(DOOR_OBSERVE, "door.observe", TEXT, "ipc://run/observe", 0, 0, NULL, \
    "where ingest takes observations and files") \
  S(DOOR_CURVE, "door.curve", CHOICE, "auto", 0, 0, "auto|on|off", \
    "CURVE on tcp doors; auto: on wherever a tcp door is not on loopback") \
  S(LOG_LEVEL, "log.level", CHOICE, "info", 0, 0, "debug|info|warn|error", \
    "the least level that is logged") \
  S(STORE_BATCH, "store.batch", INT, "4096", 1, 100000, NULL, "changesets in one commit at most") \
  S(STORE_CACHE, "store.cache", INT, "16", 1, 4096, NULL, "MiB of SQLite page cache") \
  S(STORE_WAL_LIMIT, "store.wal_limit", INT, "1024", 96, 1048576, NULL, \
    "MiB of WAL from which on nothing is taken while somebody else's read transaction is open") \
  S(INGEST_WINDOW, "ingest.window", INT, "256", 1, 4096, NULL, \
    "changesets under way to the store at most") \
  S(INGEST_BACKLOG, "ingest.backlog", INT, "16384", 64, 10000000, NULL, \
    "observations in the spool above which an import waits") \
  S(SYNC_SINK, "sync.sink", CHOICE, "sqlite", 0, 0, "sqlite|d1|postgres|null", \
    "where the mirror is kept") \
  S(SYNC_BATCH, "sync.batch", INT, "1900000", 1000, 1900000, NULL, \
    "bytes of rows in one batch at most") \
  S(SYNC_BACKOFF_MAX, "sync.backoff_max", DURATION, "30s", 50, 86400000, NULL, \
    "longest wait between two tries of a batch") \
  S(SYNC_SQLITE_FILE, "sync.sqlite.file", TEXT, "mirror.db", 0, 0, NULL, \
    "the embedded mirror, below the data folder unless absolute") \
  S(D1_ENDPOINT, "d1.endpoint", TEXT, "https://api.cloudflare.com/client/v4", 0, 0, NULL, \
    "base address of the D1 REST API; http only on loopback") \
  S(D1_ACCOUNT, "d1.account", TEXT, "", 0, 0, NULL, "Cloudflare account id") \
  S(D1_DATABASE, "d1.database", TEXT, "", 0, 0, NULL, "D1 database id") \
  S(D1_TOKEN_FILE, "d1.token_file", TEXT, "", 0, 0, NULL, \
    "file whose first line is the API token (or the token itself in CONVKEEP_D1_TOKEN)") \
  S(D1_RATE, "d1.rate", INT, "1050", 0, 100000000, NULL, \
    "requests in 5 minutes at most, of all workers together (Cloudflare: 1,200); 0: no limit") \
  S(D1_TIMEOUT, "d1.timeout", DURATION, "100s", 100, 600000, NULL, \
    "how long one request may take") \
  S(POSTGRES_HOST, "postgres.host", TEXT, "", 0, 0, NULL, \
    "host, or the folder of the server's Unix socket; several with commas: the first that takes " \
    "writes") \
  S(POSTGRES_PORT, "postgres.port", INT, "5432", 1, 65535, NULL, "its port") \
  S(POSTGRES_DATABASE, "postgres.database", TEXT, "", 0, 0, NULL, \
    "database; its encoding must be UTF8") \
  S(POSTGRES_USER, "postgres.user", TEXT, "", 0, 0, NULL, "user") \
  S(POSTGRES_PASSWORD_FILE, "postgres.password_file", TEXT, "", 0, 0, NULL, \
    "file whose first line is the password (or the password itself in " \
    "CONVKEEP_POSTGRES_PASSWORD); none: the server asks for none") \
  S(POSTGRES_ROOT_CERT, "postgres.root_cert", TEXT, "/etc/ssl/certs/ca-certificates.crt", 0, 0, \
    NULL, \
    "file of the authorities that may sign the server's certificate; TLS is verified except over " \
    "a Unix socket or loopback") \
  S(POSTGRES_TIMEOUT, "postgres.timeout", DURATION, "100s", 100, 600000, NULL, \
    "how long one request may take") \
  S(RENEW_PAYLOAD, "renew.payload", TEXT, "continue", 0, 0, NULL, "what a follow-up says") \
  S(RENEW_DELAY, "renew.delay", DURATION, "0s", 0, 31536000000, NULL, \
    "how long after the message it is due") \
  S(RENEW_COOLDOWN, "renew.cooldown", DURATION, "60s", 0, 31536000000, NULL, \
    "rest of a conversation after a delivery") \
  S(RENEW_MAX_ATTEMPTS, "renew.max_attempts", INT, "3", 1, 1000, NULL, \
    "attempts before a job fails") \
  S(RENEW_BACKOFF, "renew.backoff", DURATION, "1s", 1, 86400000, NULL, \
    "first wait after a failed attempt; doubles, full jitter") \
  S(RENEW_BACKOFF_MAX, "renew.backoff_max", DURATION, "15min", 1, 86400000, NULL, \
    "longest wait after a failed attempt") \
  S(RENEW_TIMEOUT, "renew.timeout", DURATION, "30s", 10, 3600000, NULL, \
    "how long one delivery may take") \
  S(RENEW_WEBHOOK_ALLOW, "renew.webhook.allow", LIST, "", 0, 0, NULL, \
    "URL prefixes that a webhook may reach; none unless named") \
  S(RENEW_WEBHOOK_IDEMPOTENT, "renew.webhook.idempotent", LIST, "", 0, 0, NULL, \
    "URL prefixes whose server honours Idempotency-Key: an attempt whose end is unknown is sent " \
    "there again")

enum ck_setting {
#define CK_S(ENUM, name, type, dflt, min, max, choices, help) CK_SET_##ENUM,
  CK_SETTING_LIST(CK_S)
#undef CK_S
      CK_SETTINGS
};

enum ck_source { CK_FROM_DEFAULT, CK_FROM_FILE, CK_FROM_ENV, CK_FROM_FLAG };

struct ck_settings; /* opaque */

/* Reads file (may be missing; then nothing of it is used) and environment. NULL on the first bad
 * value, err names file and line or the variable. */
struct ck_settings *ck_settings_load(const char *file, struct ck_err *err);
void ck_settings_free(struct ck_settings **s);
/* A flag's `name=value`. 0 or -1. */
int ck_settings_flag(struct ck_settings *s, const char *name, const char *value,
                     struct ck_err *err);
/* The same for one word "NAME=VALUE", as --set has it; the value may hold further signs "=". */
int ck_settings_assign(struct ck_settings *s, const char *assignment, struct ck_err *err);

const char *ck_set_text(const struct ck_settings *s, enum ck_setting which); /* never NULL */
int64_t ck_set_int(const struct ck_settings *s, enum ck_setting which); /* INT, DURATION in ms */
/* The setting is a LIST: the i-th word, NULL behind the last. */
const char *ck_set_word(const struct ck_settings *s, enum ck_setting which, int i);
/* renew.exec.NAME: the argv, NULL-terminated, or NULL when there is no such name. */
char *const *ck_set_exec(const struct ck_settings *s, const char *name);

/* For `convkeep config`: walks all, open-ended ones (renew.exec.NAME) included. */
struct ck_setting_view {
  const char *name, *value, *help, *from; /* from: "default", "FILE:LINE", "CONVKEEP_…", "flag" */
};
/* The i-th; false behind the last. */
bool ck_settings_view(const struct ck_settings *s, int i, struct ck_setting_view *view);

/* Writes a file with every setting commented out, mode 0600, unless there is one. 0 or -1. */
int ck_settings_write_default(const char *file, struct ck_err *err);

/* The D1 token: CONVKEEP_D1_TOKEN, or the first line of d1.token_file. Copied to the heap; the
 * caller frees. NULL with the reason. */
char *ck_settings_d1_token(const struct ck_settings *s, struct ck_err *err);
/* The PostgreSQL password: CONVKEEP_POSTGRES_PASSWORD, or the first line of postgres.password_file;
 * empty where neither is set. Copied to the heap; the caller wipes and frees. NULL with the reason.
 */
char *ck_settings_postgres_password(const struct ck_settings *s, struct ck_err *err);
/* What the mirror is known by: its sink, and where that can hold several its database. Another
 * database is another mirror. On the heap. */
char *ck_settings_mirror(const struct ck_settings *s);

#endif
