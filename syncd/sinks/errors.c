/* The tables of errors, one for each kind of answer, and their look-up (errors.h). */
#include "syncd/sinks/errors.h"

#include <string.h>

#include "syncd/sql/mirror_witness.h"

#define SECOND 1000
#define MINUTE (60 * SECOND)

/* The first row whose text occurs in the message counts, so the more specific texts come first. All
 * are in lower case. */
static const struct known {
  const char *text;
  enum sync_class class;
  int64_t wait_ms;
} known[] = {
    /* Its table is missing, or its column may not be NULL */
    {CK_MIRROR_WITNESS, SYNC_WITNESS, 0},
    /* Specific resets, before "caused object to be reset" */
    {"storage operation exceeded timeout", SYNC_SPLIT, 0},
    {"exceeded its memory limit", SYNC_SPLIT, 0},
    {"memory limit would be exceeded", SYNC_SPLIT, 0},
    {"exceeded its cpu time limit", SYNC_SPLIT, 0},
    {"out of memory", SYNC_SPLIT, 0},
    {"statement too long", SYNC_SPLIT, 0},
    {"request entity too large", SYNC_SPLIT, 0},
    /* Try again: outcome unknown */
    {"network connection lost", SYNC_UNKNOWN, 0},
    {"caused object to be reset", SYNC_UNKNOWN, 0},
    {"reset because its code was updated", SYNC_UNKNOWN, 0},
    {"replica disconnected from primary", SYNC_UNKNOWN, 0},
    {"can't read from request stream because client disconnected", SYNC_UNKNOWN, 0},
    {"internal error; reference", SYNC_UNKNOWN, 0},
    {"disk i/o error", SYNC_UNKNOWN, 0},
    /* Try again: not applied */
    {"cannot resolve d1 db due to transient issue", SYNC_NOT_APPLIED, 0},
    {"database is locked", SYNC_NOT_APPLIED, 0},
    {"database table is locked", SYNC_NOT_APPLIED, 0},
    {"requests queued for too long", SYNC_LESS, 0},
    {"too many requests queued", SYNC_LESS, 0},
    {"d1 db is overloaded", SYNC_LESS, 0},
    {"too many concurrent storage operations", SYNC_LESS, 0},
    {"generating too much load", SYNC_LESS, 0},
    /* Wait */
    {"currently processing a long-running export", SYNC_WAIT, 10 * SECOND},
    {"currently processing a long-running import", SYNC_WAIT, 10 * SECOND},
    {"throttling your request speed", SYNC_WAIT, MINUTE},
    {"rate limit", SYNC_WAIT, MINUTE},
    {"daily row write limit", SYNC_QUOTA, 0},
    {"daily row read limit", SYNC_QUOTA, 0},
    {"daily limit", SYNC_QUOTA, 0},
    {"daily quota", SYNC_QUOTA, 0},
    /* Needs a person */
    {"authentication error", SYNC_STOP, 0},
    {"unable to authenticate", SYNC_STOP, 0},
    {"invalid api token", SYNC_STOP, 0},
    {"invalid access token", SYNC_STOP, 0},
    {"not authorized to access this service", SYNC_STOP, 0},
    {"invalid request headers", SYNC_STOP, 0},
    {"could not be found", SYNC_STOP, 0},
    {"could not route to", SYNC_STOP, 0},
    {"exceeded maximum db size", SYNC_STOP, 0},
    {"maximum account storage limit", SYNC_STOP, 0},
    {"database or disk is full", SYNC_STOP, 0},
    {"readonly database", SYNC_STOP, 0},
    {"unable to open database", SYNC_STOP, 0},
    {"file is not a database", SYNC_STOP, 0},
    {"database disk image is malformed", SYNC_STOP, 0},
    /* The table's fault */
    {"no such table", SYNC_TABLE, 0},
    {"no such column", SYNC_TABLE, 0},
    {"has no column named", SYNC_TABLE, 0},
    {"on conflict clause does not match", SYNC_TABLE, 0},
    {"no such function", SYNC_TABLE, 0},
    {"not authorized", SYNC_TABLE, 0},
    {"cannot modify", SYNC_TABLE, 0},
    {"syntax error", SYNC_TABLE, 0},
    /* Perhaps only early */
    {"foreign key constraint failed", SYNC_EARLY, 0},
    {"unique constraint failed", SYNC_EARLY, 0},
    /* The row's fault */
    {"constraint failed", SYNC_ROW, 0},
    {"sqlite_constraint", SYNC_ROW, 0},
    {"string or blob too big", SYNC_ROW, 0},
    {"sqlite_toobig", SYNC_ROW, 0},
    {"datatype mismatch", SYNC_ROW, 0},
    {"cannot store", SYNC_ROW, 0},
    {"d1_type_error", SYNC_ROW, 0},
    {"integer overflow", SYNC_ROW, 0},
};

struct status {
  long from, to;
  enum sync_class class;
  int64_t wait_ms;
};

/* By HTTP status, if no text is known. */
static const struct status statuses[] = {
    {401, 401, SYNC_STOP, 0},  {403, 404, SYNC_STOP, 0},    {408, 408, SYNC_UNKNOWN, 0},
    {413, 413, SYNC_SPLIT, 0}, {425, 425, SYNC_UNKNOWN, 0}, {429, 429, SYNC_WAIT, MINUTE},
    {300, 399, SYNC_STOP, 0},  {500, 599, SYNC_UNKNOWN, 0}, {200, 200, SYNC_UNKNOWN, 0},
};

/* By HTTP status, of an answer that is not the API's: a proxy, a front door or another service gave
 * it. Its 404 says nothing about the database, and with any other status the API may be back at
 * once. */
static const struct status foreign[] = {
    {300, 399, SYNC_STOP, 0},  {401, 401, SYNC_STOP, 0},  {403, 403, SYNC_STOP, 0},
    {407, 407, SYNC_STOP, 0},  {413, 413, SYNC_SPLIT, 0}, {429, 429, SYNC_WAIT, MINUTE},
    {0, 999, SYNC_UNKNOWN, 0},
};

/* By CURLcode; with any other the request may have arrived. */
static const struct curl {
  int code;
  enum sync_class class;
} curls[] = {
    {1, SYNC_STOP},         /* UNSUPPORTED_PROTOCOL */
    {3, SYNC_STOP},         /* URL_MALFORMAT */
    {5, SYNC_NOT_APPLIED},  /* COULDNT_RESOLVE_PROXY */
    {6, SYNC_NOT_APPLIED},  /* COULDNT_RESOLVE_HOST */
    {7, SYNC_NOT_APPLIED},  /* COULDNT_CONNECT */
    {35, SYNC_NOT_APPLIED}, /* SSL_CONNECT_ERROR */
    {58, SYNC_STOP},        /* SSL_CERTPROBLEM */
    {60, SYNC_STOP},        /* PEER_FAILED_VERIFICATION */
    {77, SYNC_STOP},        /* SSL_CACERT_BADFILE */
    {83, SYNC_STOP},        /* SSL_ISSUER_ERROR */
    {90, SYNC_STOP},        /* SSL_PINNEDPUBKEYNOTMATCH */
};

/* By SQLSTATE, or by its class, which is its first two characters. The first row that the state
 * begins with counts. */
static const struct sqlstate {
  const char *begins;
  enum sync_class class;
  int64_t wait_ms;
} sqlstates[] = {
    {"08001", SYNC_NOT_APPLIED, 0}, /* the connection was not made */
    {"08004", SYNC_NOT_APPLIED, 0}, /* … was refused */
    {"08", SYNC_UNKNOWN, 0},        /* … was lost */
    {"09", SYNC_ROW, 0},            /* triggered action exception */
    {"21", SYNC_ROW, 0},            /* cardinality violation */
    {"22", SYNC_ROW, 0},            /* data: too long, out of range, not UTF-8 */
    {"23503", SYNC_EARLY, 0},       /* foreign key */
    {"23505", SYNC_EARLY, 0},       /* unique */
    {"23", SYNC_ROW, 0},            /* other constraints */
    {"25006", SYNC_STOP, 0},        /* read-only: a standby */
    {"25", SYNC_UNKNOWN, 0},        /* transaction state */
    {"28", SYNC_STOP, 0},           /* authentication */
    {"3D", SYNC_STOP, 0},           /* no such database */
    {"3F", SYNC_STOP, 0},           /* no such schema */
    {"40003", SYNC_UNKNOWN, 0},     /* commit outcome unknown */
    {"40", SYNC_NOT_APPLIED, 0},    /* serialization, deadlock */
    {"42", SYNC_TABLE, 0},          /* undefined table, column, type, constraint; no privilege */
    {"44", SYNC_ROW, 0},            /* WITH CHECK OPTION */
    {"53100", SYNC_STOP, 0},        /* disk full */
    {"53200", SYNC_SPLIT, 0},       /* out of memory */
    {"53300", SYNC_WAIT, SECOND},   /* too many connections */
    {"53400", SYNC_STOP, 0},        /* a configured limit */
    {"53", SYNC_LESS, 0},           /* other resources */
    {"54001", SYNC_SPLIT, 0},       /* statement too complex */
    {"54", SYNC_ROW, 0},            /* a limit of the server: an index row too large */
    {"55", SYNC_NOT_APPLIED, 0},    /* lock, object in use */
    {"57014", SYNC_SPLIT, 0},       /* cancelled: statement_timeout */
    {"57P03", SYNC_NOT_APPLIED, 0}, /* starting, stopping, recovering */
    {"57P04", SYNC_STOP, 0},        /* database dropped */
    {"57", SYNC_UNKNOWN, 0},        /* shut down, crashed, idle too long */
    {"58", SYNC_UNKNOWN, 0},        /* I/O error */
    {"0A", SYNC_TABLE, 0},          /* not supported, as on a view or a foreign table */
    {"72", SYNC_NOT_APPLIED, 0},    /* snapshot too old */
    {"F0", SYNC_STOP, 0},           /* configuration file */
    {"P0001", SYNC_ROW, 0},         /* RAISE in a trigger */
    {"XX001", SYNC_STOP, 0},        /* data corrupted */
    {"XX002", SYNC_STOP, 0},        /* index corrupted */
};

/* What libpq says if no server gave a state: these are faults of the configuration; with anything
 * else the server cannot be reached. */
static const char *const misconfigured[] = {
    "certificate verify failed", "does not match host name",
    "does not support ssl",      "root certificate file",
    "no password supplied",      "certificate file",
    "private key file",          "sslmode value",
    "invalid port number",       "authentication method",
    "requires a valid server",   "invalid connection option",
    "invalid integer value",     "server's encoding",
};

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define READ_MAX 2000

static size_t lower(char out[READ_MAX], struct ck_str s) {
  size_t n = s.n < READ_MAX ? s.n : READ_MAX;
  for (size_t i = 0; i < n; ++i)
    out[i] = s.s[i] >= 'A' && s.s[i] <= 'Z' ? (char)(s.s[i] + 32) : s.s[i];
  return n;
}

static bool about_sql(enum sync_class c) {
  return c == SYNC_TABLE || c == SYNC_EARLY || c == SYNC_ROW;
}
/* With these the request was refused before any SQL ran, whatever the answer says. */
static bool before_sql(long http) {
  return http == 401 || http == 403 || http == 404 || http == 429;
}

static enum sync_class by_status(const struct status *table, size_t n, long http, int64_t *wait) {
  for (size_t i = 0; i < n; ++i) {
    if (http < table[i].from || http > table[i].to) continue;
    *wait = table[i].wait_ms;
    return table[i].class;
  }
  return SYNC_ODD;
}

enum sync_class sync_classify_foreign(long http, int64_t *wait_ms) {
  return by_status(foreign, COUNT(foreign), http, wait_ms);
}

enum sync_class sync_classify(long http, struct ck_str message, int64_t *wait_ms) {
  char text[READ_MAX];
  int64_t nothing;
  int64_t *wait = wait_ms ? wait_ms : &nothing;
  size_t n = lower(text, message);
  *wait = 0;
  for (size_t i = 0; i < COUNT(known); ++i) {
    if (!memmem(text, n, known[i].text, strlen(known[i].text))) continue;
    if (about_sql(known[i].class) && before_sql(http)) break;
    *wait = known[i].wait_ms;
    return known[i].class;
  }
  return by_status(statuses, COUNT(statuses), http, wait);
}

enum sync_class sync_classify_curl(int code) {
  for (size_t i = 0; i < COUNT(curls); ++i)
    if (curls[i].code == code) return curls[i].class;
  return SYNC_UNKNOWN;
}

static enum sync_class classify_connection(struct ck_str message) {
  char text[READ_MAX];
  size_t n = lower(text, message);
  for (size_t i = 0; i < COUNT(misconfigured); ++i)
    if (memmem(text, n, misconfigured[i], strlen(misconfigured[i]))) return SYNC_STOP;
  return SYNC_NOT_APPLIED;
}

enum sync_class sync_classify_postgres(const char *state, struct ck_str message, int64_t *wait_ms) {
  if (wait_ms) *wait_ms = 0;
  if (!state) return classify_connection(message);
  if (message.n && memmem(message.s, message.n, CK_MIRROR_WITNESS, sizeof CK_MIRROR_WITNESS - 1))
    return SYNC_WITNESS;
  for (size_t i = 0; i < COUNT(sqlstates); ++i) {
    if (strncmp(state, sqlstates[i].begins, strlen(sqlstates[i].begins)) != 0) continue;
    if (wait_ms) *wait_ms = sqlstates[i].wait_ms;
    return sqlstates[i].class;
  }
  return SYNC_ODD;
}
