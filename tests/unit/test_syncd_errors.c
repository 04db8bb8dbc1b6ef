/* The class of every known error message, HTTP status and curl code (errors.h). */
#include "syncd/sinks/errors.h"

#include <criterion/criterion.h>
#include <curl/curl.h>

static const struct {
  long http;
  const char *message;
  enum sync_class class;
} cases[] = {
    /* Try again: outcome unknown. D1 gives these, too, the status 400. */
    {400, "D1_ERROR: Network connection lost.", SYNC_UNKNOWN},
    {400, "Internal error in D1 DB storage caused object to be reset.", SYNC_UNKNOWN},
    {400, "Internal error while starting up D1 DB storage caused object to be reset.",
     SYNC_UNKNOWN},
    {400, "D1 DB reset because its code was updated.", SYNC_UNKNOWN},
    {400, "Replica disconnected from primary.", SYNC_UNKNOWN},
    {400, "Can't read from request stream because client disconnected.", SYNC_UNKNOWN},
    {400, "internal error; reference = 0123456789abcdef", SYNC_UNKNOWN},
    {400, "disk I/O error: SQLITE_IOERR", SYNC_UNKNOWN},
    {425, "", SYNC_UNKNOWN},
    {500, "", SYNC_UNKNOWN},
    {502, "<html>Bad gateway</html>", SYNC_UNKNOWN},
    {503, "", SYNC_UNKNOWN},
    {504, "", SYNC_UNKNOWN},
    {522, "error code: 522", SYNC_UNKNOWN},
    {408, "", SYNC_UNKNOWN},
    {200, "", SYNC_UNKNOWN},
    {200, "{\"succ", SYNC_UNKNOWN},
    /* Try again: not applied */
    {400, "Cannot resolve D1 DB due to transient issue on remote node.", SYNC_NOT_APPLIED},
    {0, "database is locked", SYNC_NOT_APPLIED},
    {400, "database table is locked: messages: SQLITE_LOCKED", SYNC_NOT_APPLIED},
    {400, "D1 DB is overloaded. Requests queued for too long.", SYNC_LESS},
    {400, "D1 DB is overloaded. Too many requests queued.", SYNC_LESS},
    {429, "D1 DB is overloaded. Too many requests queued.", SYNC_LESS},
    {400,
     "Your account is doing too many concurrent storage operations. Please back off and try again "
     "later.",
     SYNC_LESS},
    {400, "Requests queued for too long", SYNC_LESS},
    {400, "Too many requests queued", SYNC_LESS},
    {400, "D1 DB is overloaded", SYNC_LESS},
    {400, "Your account is generating too much load on D1. Please back off and try again later.",
     SYNC_LESS},
    /* Split */
    {400, "D1 DB exceeded its memory limit and was reset.", SYNC_SPLIT},
    {400, "Memory limit would be exceeded before EOF.", SYNC_SPLIT},
    {400, "out of memory: SQLITE_NOMEM", SYNC_SPLIT},
    {400, "Request entity too large", SYNC_SPLIT},
    {400, "D1 DB's isolate exceeded its memory limit and was reset.", SYNC_SPLIT},
    {400, "D1 DB exceeded its CPU time limit and was reset.", SYNC_SPLIT},
    {400, "D1 DB storage operation exceeded timeout which caused object to be reset.", SYNC_SPLIT},
    {413, "", SYNC_SPLIT},
    {400, "statement too long: SQLITE_TOOBIG", SYNC_SPLIT},
    /* Wait */
    {429, "", SYNC_WAIT},
    {429, "Please wait and consider throttling your request speed", SYNC_WAIT},
    {400, "D1_ERROR: Currently processing a long-running export.", SYNC_WAIT},
    {400, "D1_ERROR: Currently processing a long-running import.", SYNC_WAIT},
    {400, "Rate limit exceeded", SYNC_WAIT},
    {400, "971 Please wait and consider throttling your request speed", SYNC_WAIT},
    {400, "You have exceeded the daily limit of your plan", SYNC_QUOTA},
    {400, "D1 daily quota exceeded", SYNC_QUOTA},
    {400,
     "Your account has exceeded D1's free tier daily row write limit. Upgrade to a paid plan or "
     "wait until tomorrow (midnight UTC) to continue.",
     SYNC_QUOTA},
    {429,
     "Your account has exceeded D1's free tier daily row read limit. Upgrade to a paid plan or "
     "wait until tomorrow (midnight UTC) to continue.",
     SYNC_QUOTA},
    /* Needs a person */
    {401, "", SYNC_STOP},
    {403, "", SYNC_STOP},
    {403, "10000 Authentication error", SYNC_STOP},
    {400, "10000 Authentication error", SYNC_STOP},
    {400, "6003 Invalid request headers", SYNC_STOP},
    {400, "10001 Unable to authenticate request", SYNC_STOP},
    {400, "1000 Invalid API Token", SYNC_STOP},
    {400, "9109 Invalid access token", SYNC_STOP},
    {400,
     "7003 Could not route to /accounts/x/d1/database/y/query, perhaps your object identifier is "
     "invalid?",
     SYNC_STOP},
    {400, "7404 The database 1234 could not be found", SYNC_STOP},
    {403, "7403 The given account is not valid or is not authorized to access this service",
     SYNC_STOP},
    {403, "not authorized", SYNC_STOP},
    {400, "7403 The given account is not valid or is not authorized to access this service",
     SYNC_STOP},
    {404, "", SYNC_STOP},
    {404, "7404 The database 1234 could not be found", SYNC_STOP},
    {404, "no such table: x", SYNC_STOP},
    {302, "", SYNC_STOP},
    {400, "Exceeded maximum DB size.", SYNC_STOP},
    {400,
     "Your account has exceeded D1's maximum account storage limit, please contact Cloudflare to "
     "raise your limit.",
     SYNC_STOP},
    {0, "database or disk is full", SYNC_STOP},
    {0, "attempt to write a readonly database", SYNC_STOP},
    {0, "unable to open database file", SYNC_STOP},
    {0, "file is not a database", SYNC_STOP},
    {0, "database disk image is malformed", SYNC_STOP},
    /* The table's fault */
    {400, "7500 no such table: sessions: SQLITE_ERROR", SYNC_TABLE},
    {400, "7500 no such column: version: SQLITE_ERROR", SYNC_TABLE},
    {400, "table messages has no column named version: SQLITE_ERROR", SYNC_TABLE},
    {400, "ON CONFLICT clause does not match any PRIMARY KEY or UNIQUE constraint: SQLITE_ERROR",
     SYNC_TABLE},
    {400, "near \"FROM\": syntax error at offset 12: SQLITE_ERROR", SYNC_TABLE},
    {400, "no such function: json_each: SQLITE_ERROR", SYNC_TABLE},
    {400, "not authorized: SQLITE_AUTH", SYNC_TABLE},
    {400, "cannot modify messages because it is a view: SQLITE_ERROR", SYNC_TABLE},
    /* Perhaps only early */
    {400, "FOREIGN KEY constraint failed: SQLITE_CONSTRAINT", SYNC_EARLY},
    {400, "UNIQUE constraint failed: renewal_jobs.message_id: SQLITE_CONSTRAINT", SYNC_EARLY},
    /* The row's fault */
    {400, "NOT NULL constraint failed: messages.role: SQLITE_CONSTRAINT", SYNC_ROW},
    {400, "CHECK constraint failed: status IN ('pending'): SQLITE_CONSTRAINT", SYNC_ROW},
    {400, "cannot store TEXT value in INTEGER column messages.observed_at: SQLITE_CONSTRAINT",
     SYNC_ROW},
    {400, "string or blob too big: SQLITE_TOOBIG", SYNC_ROW},
    {400, "datatype mismatch: SQLITE_MISMATCH", SYNC_ROW},
    {400, "D1_TYPE_ERROR: Type 'undefined' not supported for value 'undefined'", SYNC_ROW},
    {400, "a trigger says no: SQLITE_CONSTRAINT (extended: SQLITE_CONSTRAINT_TRIGGER)", SYNC_ROW},
    {400, "too much: SQLITE_TOOBIG", SYNC_ROW},
    {400, "string or blob too big", SYNC_ROW},
    {400, "CHECK constraint failed: x", SYNC_ROW},
    {400, "cannot store TEXT value in INTEGER column messages.observed_at", SYNC_ROW},
    {400, "integer overflow: SQLITE_ERROR", SYNC_ROW},
    /* Unknown */
    {400, "something that was never heard of", SYNC_ODD},
    {400, "", SYNC_ODD},
    {0, "", SYNC_ODD},
};

Test(syncd_errors, every_message_has_its_class) {
  for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
    enum sync_class got = sync_classify(cases[i].http, ck_str_of(cases[i].message), NULL);
    cr_expect_eq(got, cases[i].class, "%ld %s: %s, not %s", cases[i].http, cases[i].message,
                 sync_class_name(got), sync_class_name(cases[i].class));
  }
}

Test(syncd_errors, waits_are_said_where_the_answer_may_not_say_them) {
  int64_t wait = -1;
  sync_classify(400, ck_str_of("Currently processing a long-running export."), &wait);
  cr_expect_eq(wait, 10000);
  sync_classify(429, ck_str_of(""), &wait);
  cr_expect_eq(wait, 60000);
  sync_classify(500, ck_str_of(""), &wait);
  cr_expect_eq(wait, 0);
}

Test(syncd_errors, only_what_cannot_have_arrived_is_not_applied) {
  static const CURLcode unknown[] = {CURLE_OPERATION_TIMEDOUT, CURLE_GOT_NOTHING,  CURLE_RECV_ERROR,
                                     CURLE_SEND_ERROR,         CURLE_PARTIAL_FILE, CURLE_HTTP2,
                                     CURLE_WRITE_ERROR,        CURLE_HTTP2_STREAM};
  static const CURLcode not_applied[] = {CURLE_COULDNT_CONNECT, CURLE_COULDNT_RESOLVE_HOST,
                                         CURLE_COULDNT_RESOLVE_PROXY, CURLE_SSL_CONNECT_ERROR};
  static const CURLcode stop[] = {CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CERTPROBLEM,
                                  CURLE_URL_MALFORMAT, CURLE_UNSUPPORTED_PROTOCOL};
  for (size_t i = 0; i < sizeof unknown / sizeof *unknown; ++i)
    cr_expect_eq(sync_classify_curl((int)unknown[i]), SYNC_UNKNOWN, "%d", (int)unknown[i]);
  for (size_t i = 0; i < sizeof not_applied / sizeof *not_applied; ++i)
    cr_expect_eq(sync_classify_curl((int)not_applied[i]), SYNC_NOT_APPLIED);
  for (size_t i = 0; i < sizeof stop / sizeof *stop; ++i)
    cr_expect_eq(sync_classify_curl((int)stop[i]), SYNC_STOP);
}
