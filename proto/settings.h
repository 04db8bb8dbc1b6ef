/* Settings: one table with the name, type, default, limits and help of each. From it they are read,
 * checked, shown by `convkeep config` and documented in a new convkeep.conf.
 *
 * A flag goes before the environment, the environment before the file, the file before the default.
 * In the environment d1.token_file is CONVKEEP_D1_TOKEN_FILE. In the file (proto/zpl.h) it is
 * either of
 *
 *   d1.token_file = "/etc/token"
 *
 *   d1
 *       token_file = "/etc/token"
 *
 * An unknown name or a bad value is refused, with its file and line.
 */
#ifndef CK_PROTO_SETTINGS_H
#define CK_PROTO_SETTINGS_H

#include "proto/error.h"
#include "proto/payload.h"
#include "proto/text.h"

#define CK_SETTINGS_FILE_MAX (1u << 20) /* bytes */

/* S(ENUM, "name", type, "default", min, max, "a|b|c" or NULL, "help"). min and max are for INT and
 * DURATION. Types:
 *
 *   TEXT      any UTF-8
 *   INT       an integer
 *   DURATION  a number and ms, s, min, h or d, as in 15min; kept in milliseconds
 *   CHOICE    one of the choices
 *   LIST      words separated by blanks; with choices: at least one of these, none twice */
#define CK_SETTING_LIST(S) \
  S(DOOR_INTAKE, "door.intake", TEXT, "ipc://run/intake", 0, 0, NULL, \
    "where the store accepts changesets") \
  S(DOOR_FEED, "door.feed", TEXT, "ipc://run/feed", 0, 0, NULL, \
    "where the store publishes changes, receipts and heartbeats") \
  S(DOOR_WORK, "door.work", TEXT, "ipc://run/work", 0, 0, NULL, \
    "where the store hands out sync batches") \
  S(DOOR_SNAPSHOT, "door.snapshot", TEXT, "ipc://run/snapshot", 0, 0, NULL, \
    "where the store answers questions") \
  S(DOOR_OBSERVE, "door.observe", TEXT, "ipc://run/observe", 0, 0, NULL, \
    "where ingest accepts observations and files") \
  S(DOOR_CURVE, "door.curve", CHOICE, "auto", 0, 0, "auto|on|off", \
    "CURVE on tcp doors; auto: on, except on loopback") \
  S(LOG_LEVEL, "log.level", CHOICE, "info", 0, 0, "debug|info|warn|error", \
    "the lowest level that is logged") \
  S(STORE_BATCH, "store.batch", INT, "4096", 1, 100000, NULL, "most changesets in one commit") \
  S(STORE_CACHE, "store.cache", INT, "16", 1, 4096, NULL, "MiB of SQLite page cache") \
  S(STORE_WAL_LIMIT, "store.wal_limit", INT, "1024", 96, 1048576, NULL, \
    "MiB of WAL; beyond it the store accepts nothing while another process's read transaction" \
    " is open") \
  S(INGEST_WINDOW, "ingest.window", INT, "256", 1, 4096, NULL, \
    "most changesets sent to the store ahead of their receipts") \
  S(INGEST_BACKLOG, "ingest.backlog", INT, "16384", 64, 10000000, NULL, \
    "observations in the spool; beyond it an import waits for the store, unless that is away") \
  S(INGEST_WATCH, "ingest.watch", CHOICE, "off", 0, 0, "on|off", \
    "follow the sessions of Claude Code and Codex on this machine, and the folders of watch.NAME" \
    " (convkeep watch on)") \
  S(IMPORT_ATTACHMENTS, "import.attachments", CHOICE, "on", 0, 0, "on|off", \
    "keep the files that lie beside the conversations of an export: images, documents, audio") \
  S(ARTIFACTS_FORM, "artifacts.form", CHOICE, "conversations", 0, 0, "records|conversations|none", \
    "the readable files: two for each message, call and session; two for each conversation; or" \
    " none") \
  S(SYNC_SINKS, "sync.sinks", LIST, "sqlite", 0, 0, "sqlite|d1|postgres|null", \
    "where mirrors are kept: one or several, each with a syncd of its own") \
  S(SYNC_BATCH, "sync.batch", INT, "1900000", 1000, 1900000, NULL, \
    "most bytes of rows in one batch") \
  S(SYNC_BACKOFF_MAX, "sync.backoff_max", DURATION, "30s", 50, 86400000, NULL, \
    "longest wait between two tries of a batch") \
  S(SYNC_SQLITE_FILE, "sync.sqlite.file", TEXT, "mirror.db", 0, 0, NULL, \
    "the embedded mirror; relative to the data folder") \
  S(D1_ENDPOINT, "d1.endpoint", TEXT, "https://api.cloudflare.com/client/v4", 0, 0, NULL, \
    "base address of the D1 REST API; http only on loopback") \
  S(D1_ACCOUNT, "d1.account", TEXT, "", 0, 0, NULL, "Cloudflare account id") \
  S(D1_DATABASE, "d1.database", TEXT, "", 0, 0, NULL, "D1 database id") \
  S(D1_TOKEN_FILE, "d1.token_file", TEXT, "", 0, 0, NULL, \
    "file whose first line is the API token (or the token itself in CONVKEEP_D1_TOKEN)") \
  S(D1_RATE, "d1.rate", INT, "1050", 0, 100000000, NULL, \
    "most requests in 5 minutes by all workers together (Cloudflare allows 1,200); 0: no limit") \
  S(D1_TIMEOUT, "d1.timeout", DURATION, "100s", 100, 600000, NULL, \
    "how long one request may take") \
  S(POSTGRES_HOST, "postgres.host", TEXT, "", 0, 0, NULL, \
    "host, or the folder of the server's Unix socket;" \
    " of several, separated by commas, the first that accepts writes") \
  S(POSTGRES_PORT, "postgres.port", INT, "5432", 1, 65535, NULL, "its port") \
  S(POSTGRES_DATABASE, "postgres.database", TEXT, "", 0, 0, NULL, \
    "database; its encoding must be UTF8") \
  S(POSTGRES_USER, "postgres.user", TEXT, "", 0, 0, NULL, "user") \
  S(POSTGRES_PASSWORD_FILE, "postgres.password_file", TEXT, "", 0, 0, NULL, \
    "file whose first line is the password" \
    " (or the password itself in CONVKEEP_POSTGRES_PASSWORD); none: the server asks for none") \
  S(POSTGRES_ROOT_CERT, "postgres.root_cert", TEXT, "/etc/ssl/certs/ca-certificates.crt", 0, 0, \
    NULL, \
    "file of the authorities that may sign the server's certificate;" \
    " TLS is verified except over a Unix socket or loopback") \
  S(POSTGRES_TIMEOUT, "postgres.timeout", DURATION, "100s", 100, 600000, NULL, \
    "how long one request may take") \
  S(RENEW_PAYLOAD, "renew.payload", TEXT, "continue", 0, 0, NULL, "what a follow-up says") \
  S(RENEW_PAYLOAD_KIND, "renew.payload_kind", CHOICE, "text", 0, 0, CK_PAYLOAD_KINDS, \
    "what renew.payload is; a template may have {title}, {last}, {count}, {date} and {time}") \
  S(RENEW_MAX_AGE, "renew.max_age", DURATION, "1h", 1000, 31536000000, NULL, \
    "a message that was observed longer than this before it came gets no follow-up") \
  S(RENEW_DELAY, "renew.delay", DURATION, "5s", 0, 31536000000, NULL, \
    "how long a message must be unchanged before it gets a follow-up") \
  S(RENEW_COOLDOWN, "renew.cooldown", DURATION, "60s", 0, 31536000000, NULL, \
    "how long a conversation rests after a delivery") \
  S(RENEW_SPACING, "renew.spacing", DURATION, "2s", 0, 86400000, NULL, \
    "how far apart deliveries to one target begin") \
  S(RENEW_ACCOUNT_SLOTS, "renew.account.slots", INT, "2", 1, 64, NULL, \
    "deliveries of one account under way at once") \
  S(RENEW_ACCOUNT_SPACING, "renew.account.spacing", DURATION, "2s", 0, 86400000, NULL, \
    "how far apart deliveries of one account begin") \
  S(RENEW_IN_A_ROW, "renew.in_a_row", INT, "10", 1, 1000, NULL, \
    "automatic deliveries to a conversation without a person in between") \
  S(RENEW_ALIKE, "renew.alike", INT, "3", 0, 1000, NULL, \
    "answers with the same text, one after the other, after which follow-ups stop; 0: never") \
  S(RENEW_PER_DAY, "renew.per_day", INT, "0", 0, 1000, NULL, \
    "deliveries to a conversation within 24 hours; 0: any number") \
  S(RENEW_COST_PER_DAY, "renew.cost_per_day", TEXT, "0", 0, 0, NULL, \
    "what a conversation's deliveries within 24 hours may cost, as far as targets say, as 2.5; 0:" \
    " anything") \
  S(RENEW_TOKENS_PER_DAY, "renew.tokens_per_day", INT, "0", 0, 1000000000000, NULL, \
    "how many tokens they may use, as far as targets say; 0: any number") \
  S(RENEW_STOP_TEXT, "renew.stop_text", TEXT, "", 0, 0, NULL, \
    "follow-ups stop at an answer that has this text; /…/ is a pattern (PCRE2)") \
  S(RENEW_QUIET, "renew.quiet", TEXT, "", 0, 0, NULL, \
    "hours without automatic deliveries, as 23:00-07:00 or 23:00-07:00 Europe/Berlin") \
  S(RENEW_QUESTION, "renew.question", CHOICE, "stop", 0, 0, "stop|ignore", \
    "what to do at an answer that waits for the owner, or whose last sentence is a question") \
  S(RENEW_QUESTION_OK, "renew.question_ok", TEXT, \
    "continue, go on, go ahead, keep going, proceed, 继续, 繼續, 続け, weiter, fortfahren", 0, 0, \
    NULL, "a question for yes or no with one of these, separated by commas, is no reason to stop") \
  S(RENEW_MAX_ATTEMPTS, "renew.max_attempts", INT, "3", 1, 1000, NULL, \
    "attempts before a job fails") \
  S(RENEW_BACKOFF, "renew.backoff", DURATION, "1s", 1, 86400000, NULL, \
    "first wait after a failed attempt; doubles each time, with full jitter") \
  S(RENEW_BACKOFF_MAX, "renew.backoff_max", DURATION, "15min", 1, 86400000, NULL, \
    "longest wait after a failed attempt") \
  S(RENEW_GIVE_UP, "renew.give_up", DURATION, "12h", 0, 31536000000, NULL, \
    "how long a target that nothing reaches, or whose limit goes on, is tried") \
  S(RENEW_TIMEOUT, "renew.timeout", DURATION, "30s", 10, 3600000, NULL, \
    "how long one delivery may take") \
  S(RENEW_STOP_GRACE, "renew.stop_grace", DURATION, "2s", 0, 600000, NULL, \
    "how long a program (renew.exec.NAME) may go on after SIGTERM when renewd is stopped") \
  S(RENEW_NOTIFY, "renew.notify", TEXT, "", 0, 0, NULL, \
    "who is told of what needs a person: exec NAME (renew.exec.NAME), or an address below" \
    " renew.webhook.allow; empty: nobody") \
  S(RENEW_WEBHOOK_ALLOW, "renew.webhook.allow", LIST, "", 0, 0, NULL, \
    "URL prefixes that a webhook may reach; empty: none") \
  S(RENEW_WEBHOOK_IDEMPOTENT, "renew.webhook.idempotent", LIST, "", 0, 0, NULL, \
    "URL prefixes whose server honours Idempotency-Key:" \
    " an attempt whose end is unknown is sent there again") \
  S(WEB_LISTEN, "web.listen", TEXT, "127.0.0.1:7411", 0, 0, NULL, \
    "where webd serves the page and /v1; port 0: any free one; beyond loopback only with" \
    " web.behind_proxy") \
  S(WEB_BEHIND_PROXY, "web.behind_proxy", TEXT, "", 0, 0, NULL, \
    "the address, https://NAME, at which a proxy with TLS in front of webd is reached") \
  S(WEB_PUBLISHED_ON_LOOPBACK, "web.published_on_loopback", CHOICE, "off", 0, 0, "on|off", \
    "webd is in a container, and its port is published on 127.0.0.1 with the same number") \
  S(WEB_CONNECTIONS, "web.connections", INT, "2048", 8, 60000, NULL, \
    "most connections to webd at once") \
  S(WEB_RATE, "web.rate", INT, "1000", 0, 1000000, NULL, \
    "most requests in a second with one token, or from one page; 0: any number")

enum ck_setting {
#define CK_S(ENUM, name, type, dflt, min, max, choices, help) CK_SET_##ENUM,
  CK_SETTING_LIST(CK_S)
#undef CK_S
      CK_SETTINGS
};

enum ck_source { CK_FROM_DEFAULT, CK_FROM_FILE, CK_FROM_ENV, CK_FROM_FLAG };

struct ck_settings; /* opaque */

/* Reads the file, which may be missing (or NULL), and the environment. The caller frees. NULL at
 * the first bad value; err names the file and line, or the variable. */
struct ck_settings *ck_settings_load(const char *file, struct ck_err *err);
/* Sets *s to NULL; *s may be NULL. */
void ck_settings_free(struct ck_settings **s);
/* Sets one setting, as a flag does. 0, or -1 with the reason. */
int ck_settings_flag(struct ck_settings *s, const char *name, const char *value,
                     struct ck_err *err);
/* The same for "NAME=VALUE", the argument of --set; the value may contain further "=". */
int ck_settings_assign(struct ck_settings *s, const char *assignment, struct ck_err *err);

/* What these return belongs to s, and is valid until the setting is set again or s is freed. */

/* The value as text, for any type; never NULL. */
const char *ck_set_text(const struct ck_settings *s, enum ck_setting which);
/* The value of an INT; of a DURATION, in milliseconds. */
int64_t ck_set_int(const struct ck_settings *s, enum ck_setting which);
/* Word number i of a LIST, from 0; NULL after the last. */
const char *ck_set_word(const struct ck_settings *s, enum ck_setting which, int i);
/* What a program of renew.exec.NAME gets, in the order of the setting's words. */
enum ck_exec_input {
  CK_EXEC_DELIVERY, /* the delivery, a line of JSON, on its standard input */
  CK_EXEC_PAYLOAD,  /* the payload alone, on its standard input */
  CK_EXEC_NONE,
  CK_EXEC_ARGUMENT /* the payload as its last argument */
};
#define CK_EXEC_INPUTS "delivery|payload|none|argument"

/* renew.exec.NAME and what belongs to it. */
struct ck_exec {
  char *const *argv;  /* NULL-terminated; at least one word */
  char *const *env;   /* NAME=VALUE, NULL-terminated; NULL: nothing */
  const char *folder; /* NULL: the data folder */
  int64_t timeout;    /* milliseconds */
  enum ck_exec_input input;
};
/* False: renew.exec.NAME is not set. */
bool ck_set_exec(const struct ck_settings *s, const char *name, struct ck_exec *exec);

/* True if some renew.exec.NAME is set. */
bool ck_set_has_exec(const struct ck_settings *s);

/* What the name of a folder's setting begins with: watch.NAME (proto/watched.h). */
#define CK_WATCH "watch."

/* One setting, for `convkeep config`. */
struct ck_setting_view {
  const char *name, *value, *help;
  const char *from; /* "default", "FILE:LINE", "CONVKEEP_…" or "flag" */
};
/* Setting number i, from 0: the table's, then each renew.exec.NAME, renew.exec.NAME.timeout … and
 * watch.NAME. False after the last. */
bool ck_settings_view(const struct ck_settings *s, int i, struct ck_setting_view *view);

/* Writes a settings file with mode 0600 that has every setting commented out; an existing file is
 * left alone. 0, or -1 with the reason. */
int ck_settings_write_default(const char *file, struct ck_err *err);

/* Sets a setting in the file, which is made if it is missing: the line that has it is changed, or
 * the one where it is commented out; else a line is added. The value must be one that the setting
 * can have, without quotes and line feeds. 0, or -1 with the reason. */
int ck_settings_write(const char *file, const char *name, const char *value, struct ck_err *err);

/* The D1 token: CONVKEEP_D1_TOKEN, else the first line of d1.token_file. On the heap; the caller
 * wipes and frees. NULL with the reason: neither is set, the file cannot be read, or it is no
 * token. */
char *ck_settings_d1_token(const struct ck_settings *s, struct ck_err *err);
/* The PostgreSQL password: CONVKEEP_POSTGRES_PASSWORD, else the first line of
 * postgres.password_file; empty when neither is set. On the heap; the caller wipes and frees. NULL
 * with the reason: the file cannot be read, or is empty. */
char *ck_settings_postgres_password(const struct ck_settings *s, struct ck_err *err);
/* The most words that sync.sinks can have. */
#define CK_SINKS_MAX 4
/* Is it one of sync.sinks? */
bool ck_settings_has_sink(const struct ck_settings *s, const char *sink);
/* The sink of a program that serves one: the only word of sync.sinks. NULL, with the reason: there
 * are several. Belongs to s, as ck_set_word's. */
const char *ck_settings_sink(const struct ck_settings *s, struct ck_err *err);
/* The name of a sink's mirror: the sink, and for a sink with many databases its database too, since
 * another database is another mirror. "sqlite", "d1:ID", "postgres:HOST:PORT/DATABASE", "null". On
 * the heap; the caller frees. */
char *ck_settings_mirror(const struct ck_settings *s, const char *sink);

#endif
