/* The postgres sink: any server that speaks PostgreSQL's protocol, by libpq. One connection; one
 * request at a time, sent as one pipeline, so a slice is one round trip however many tables it has.
 * This file has the connection and its states; sink_postgres_send.c has the statements.
 *
 *   off ──► connecting ──► ready ──► sent ──► answer
 *    ▲                                 │
 *    └── lost, or no answer in time ◄──┴──► refused ──► rolling back ──► answer
 */
#include "syncd/sinks/sink_postgres_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/check.h"
#include "proto/clock.h"
#include "proto/loopback.h"
#include "proto/states.h"

#define CONNECT_MS 10000
/* The wait while libpq has no descriptor to wait for. */
#define POLL_MS 20
#define LOST_MS "10000"

/*                  request      libpq is    sent        all results    ROLLBACK     lost, or no
 *                  begins       connected               came           is answered  answer in time
 *   OFF            CONNECTING
 *   CONNECTING                  READY                                               OFF
 *   READY                                   SENT                                    OFF
 *   SENT                                                READY (1)                   OFF
 *   ROLLING_BACK                                                       READY        OFF
 *
 * 1: ROLLING_BACK if the transaction was refused and is still open. */
enum pg_state { PG_OFF, PG_CONNECTING, PG_READY, PG_SENT, PG_ROLLING_BACK };

static const unsigned may_become[] = {
    [PG_OFF] = CK_TO(PG_CONNECTING),
    [PG_CONNECTING] = CK_TO(PG_READY) | CK_TO(PG_OFF),
    [PG_READY] = CK_TO(PG_SENT) | CK_TO(PG_OFF),
    [PG_SENT] = CK_TO(PG_READY) | CK_TO(PG_ROLLING_BACK) | CK_TO(PG_OFF),
    [PG_ROLLING_BACK] = CK_TO(PG_READY) | CK_TO(PG_OFF),
};

struct pg_sink {
  const struct ck_settings *settings;
  enum pg_state state;
  PGconn *conn;
  PostgresPollingStatusType poll;
  int64_t deadline, connected_by; /* boot ms */
  struct pg_request request;
  struct sync_answer answer;
  bool answered; /* begin() or query() has the answer already */
};

static void become(struct pg_sink *k, enum pg_state next) { CK_BECOME(may_become, k->state, next); }

/* ---- the connection ---- */

static void silent(void *self, const PGresult *result) { (void)self, (void)result; }

/* libpq takes a host that begins so for the folder of a Unix socket. */
static bool is_folder(struct ck_str host) {
  return host.n && (host.s[0] == '/' || host.s[0] == '@');
}

const char *pg_ssl_mode(const char *hosts) {
  bool folders = true, loopback = true;
  for (const char *at = hosts, *comma; at; at = comma ? comma + 1 : NULL) {
    comma = strchr(at, ',');
    struct ck_str host = {at, comma ? (size_t)(comma - at) : strlen(at)};
    folders = folders && is_folder(host);
    loopback = loopback && (is_folder(host) || ck_is_loopback(host));
  }
  return folders ? "disable" : loopback ? "prefer" : "verify-full";
}

/* PGHOSTADDR and libpq's service file can make libpq connect elsewhere than to `host`. */
const char *pg_ssl_mode_here(const char *hosts) {
  PQconninfoOption *defaults = PQconndefaults();
  const char *mode = defaults ? pg_ssl_mode(hosts) : "verify-full";
  for (const PQconninfoOption *o = defaults; o && o->keyword; ++o)
    if (strcmp(o->keyword, "hostaddr") == 0 && o->val && *o->val) mode = pg_ssl_mode(o->val);
  PQconninfoFree(defaults);
  return mode;
}

static int missing_setting(const struct ck_settings *s, struct ck_err *err) {
  return ck_check_is_set(s, CK_SET_POSTGRES_HOST, "postgres", err) ||
         ck_check_is_set(s, CK_SET_POSTGRES_DATABASE, "postgres", err) ||
         ck_check_is_set(s, CK_SET_POSTGRES_USER, "postgres", err);
}

static void wipe(char *secret) {
  if (secret) explicit_bzero(secret, strlen(secret));
  free(secret);
}

/* The password is read for each connection, so that it can be changed without a restart. libpq
 * keeps a copy as long as the connection lives. */
static PGconn *connect_start(const struct ck_settings *s, struct ck_err *err) {
  char port[16];
  char *password = missing_setting(s, err) ? NULL : ck_settings_postgres_password(s, err);
  if (!password) return NULL;
  snprintf(port, sizeof port, "%lld", (long long)ck_set_int(s, CK_SET_POSTGRES_PORT));
  const char *host = ck_set_text(s, CK_SET_POSTGRES_HOST);
  const char *const pairs[][2] = {
      {"host", host},
      {"port", port},
      {"dbname", ck_set_text(s, CK_SET_POSTGRES_DATABASE)},
      {"user", ck_set_text(s, CK_SET_POSTGRES_USER)},
      {"sslmode", pg_ssl_mode_here(host)},
      {"sslrootcert", ck_set_text(s, CK_SET_POSTGRES_ROOT_CERT)},
      {"gssencmode", "disable"},
      {"client_encoding", "UTF8"},
      {"application_name", "convkeep"},
      {"target_session_attrs", "read-write"},
      {"tcp_user_timeout", LOST_MS},
      {"passfile", "/nonexistent"}, /* the settings are its only source */
      {"password", password},
  };
  const char *names[sizeof pairs / sizeof *pairs + 1] = {NULL},
                                                   *values[sizeof pairs / sizeof *pairs + 1] = {
                                                       NULL};
  for (size_t i = 0; i < sizeof pairs / sizeof *pairs; ++i) {
    names[i] = pairs[i][0];
    values[i] = pairs[i][1];
  }
  PGconn *conn = PQconnectStartParams(names, values, 0);
  wipe(password);
  if (conn) {
    PQsetErrorVerbosity(conn, PQERRORS_VERBOSE); /* with the SQLSTATE */
    PQsetNoticeReceiver(conn, silent, NULL);
  } else {
    ck_fail(err, "libpq does not start");
  }
  return conn;
}

static void disconnect(struct pg_sink *k) {
  if (k->conn) PQfinish(k->conn);
  k->conn = NULL;
  if (k->state != PG_OFF) become(k, PG_OFF);
}

/* ---- what went wrong ---- */

/* Finds the SQLSTATE in "…FATAL: 28P01: password authentication failed for user "x"\nLOCATION: …";
 * NULL if there is none. */
static const char *state_in(const char *message, char state[6]) {
  for (const char *at = strstr(message, ":  "); at; at = strstr(at + 1, ":  "))
    if (strspn(at + 3, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") == 5 && at[8] == ':') {
      memcpy(state, at + 3, 5);
      state[5] = '\0';
      return state;
    }
  return NULL;
}

/* Fills the answer with the message, as one line, and its class. */
static void fail_text(struct pg_sink *k, const char *state, const char *message) {
  char text[2 * SYNC_TEXT];
  const char *end = strstr(message, "\nLOCATION:");
  size_t n = end ? (size_t)(end - message) : strlen(message);
  while (n && message[n - 1] == '\n') --n;
  snprintf(text, sizeof text, "%.*s", (int)(n < sizeof text ? n : sizeof text - 1), message);
  for (char *c = text; *c; ++c)
    if (*c == '\n' || *c == '\t') *c = ' ';
  k->answer.class = sync_classify_postgres(state, ck_str_of(text), &k->answer.wait_ms);
  sync_answer_text(&k->answer, k->answer.class, text);
}

static void connection_failed(struct pg_sink *k) {
  char state[6];
  const char *message = PQerrorMessage(k->conn);
  fail_text(k, state_in(message, state), message);
  disconnect(k);
}

/* For use after something was sent: it may have arrived. */
static void connection_lost(struct pg_sink *k) {
  fail_text(k, "08006", PQerrorMessage(k->conn));
  disconnect(k);
}

static void refused(struct pg_sink *k, const PGresult *result) {
  char text[SYNC_TEXT];
  const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE),
             *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
  if (k->answer.class != SYNC_DONE) return; /* the first error is the reason */
  snprintf(text, sizeof text, "%s %s", state ? state : "08006",
           message ? message : PQresultErrorMessage(result));
  fail_text(k, state ? state : "08006", text);
}

static void too_late(struct pg_sink *k) {
  bool sent = k->state == PG_SENT;
  fail_text(k, sent ? "08006" : "08001", sent ? "no answer in time" : "no connection in time");
  disconnect(k);
}

/* ---- a request ---- */

/* A connection that was closed while idle is no failure of this request. */
static bool still_there(struct pg_sink *k) {
  return k->conn && PQconsumeInput(k->conn) && PQstatus(k->conn) == CONNECTION_OK;
}

static void make_ready(struct pg_sink *k, int64_t timeout) {
  k->answer = (struct sync_answer){.class = SYNC_DONE};
  k->deadline = ck_boot_ms() + timeout;
  k->connected_by = ck_boot_ms() + (timeout < CONNECT_MS ? timeout : CONNECT_MS);
  if (k->state != PG_READY || !still_there(k)) disconnect(k);
}

/* ---- steps: each returns true when the answer is complete ---- */

static bool step_connect(struct pg_sink *k) {
  struct ck_err err = {{0}};
  k->conn = connect_start(k->settings, &err);
  if (!k->conn) return sync_answer_text(&k->answer, SYNC_STOP, err.text);
  become(k, PG_CONNECTING);
  k->poll = PGRES_POLLING_WRITING;
  if (PQstatus(k->conn) != CONNECTION_BAD) return false;
  connection_failed(k);
  return true;
}

static bool step_connecting(struct pg_sink *k) {
  k->poll = PQconnectPoll(k->conn);
  if (k->poll == PGRES_POLLING_FAILED) {
    connection_failed(k);
    return true;
  }
  if (k->poll != PGRES_POLLING_OK) return false;
  const char *encoding = PQparameterStatus(k->conn, "server_encoding");
  if (encoding && strcmp(encoding, "UTF8") != 0) {
    fail_text(k, NULL, "the server's encoding of this database is not UTF8");
    disconnect(k);
    return true;
  }
  PQsetnonblocking(k->conn, 1);
  become(k, PG_READY);
  return false;
}

static bool step_send(struct pg_sink *k) {
  become(k, PG_SENT);
  if (pg_send(k->conn, &k->request)) return false;
  connection_lost(k);
  return true;
}

static void on_result(struct pg_sink *k, PGresult *result) {
  switch (PQresultStatus(result)) {
  case PGRES_COMMAND_OK:
  case PGRES_TUPLES_OK:
  case PGRES_EMPTY_QUERY:
    if (k->state == PG_SENT && k->answer.class == SYNC_DONE &&
        !pg_take(&k->request, result, &k->answer))
      sync_answer_text(&k->answer, SYNC_UNKNOWN, "the answer does not fit the request");
    break;
  case PGRES_PIPELINE_SYNC:
  case PGRES_PIPELINE_ABORTED:
    break;
  default:
    refused(k, result);
  }
}

/* True once everything is answered. The results of a statement end with NULL, those of a pipeline
 * with its sync. */
static bool take_results(struct pg_sink *k) {
  bool pipeline = PQpipelineStatus(k->conn) != PQ_PIPELINE_OFF;
  while (!PQisBusy(k->conn)) {
    PGresult *result = PQgetResult(k->conn);
    bool ended = result ? PQresultStatus(result) == PGRES_PIPELINE_SYNC : !pipeline;
    if (result)
      on_result(k, result);
    else if (k->request.at + 1 < k->request.count)
      ++k->request.at;
    PQclear(result);
    if (ended || PQstatus(k->conn) == CONNECTION_BAD) return true;
  }
  return false;
}

static void forget_marks(struct pg_sink *k) {
  struct sync_slice *s = k->request.query ? k->request.query->slice : k->request.slice;
  for (size_t i = 0; s && i < s->n; ++i) sync_row_mark(s->rows[i], SYNC_ROW_OPEN, NULL);
}

/* A refused transaction stays open until it is rolled back. */
static bool settled(struct pg_sink *k) {
  if (k->answer.class != SYNC_DONE) {
    k->answer.written = 0;
    forget_marks(k);
  }
  if (PQstatus(k->conn) == CONNECTION_BAD ||
      (PQpipelineStatus(k->conn) != PQ_PIPELINE_OFF && !PQexitPipelineMode(k->conn))) {
    disconnect(k);
    return true;
  }
  if (PQtransactionStatus(k->conn) == PQTRANS_IDLE) {
    become(k, PG_READY);
    return true;
  }
  if (k->state == PG_ROLLING_BACK || !PQsendQuery(k->conn, "ROLLBACK")) {
    disconnect(k);
    return true;
  }
  become(k, PG_ROLLING_BACK);
  return false;
}

/* If the server gave a reason before it closed the connection, that is the better one. */
static bool gone(struct pg_sink *k) {
  for (size_t i = 0; i < 2 * PG_EXPECTED_MAX && k->answer.class == SYNC_DONE && !PQisBusy(k->conn);
       ++i) {
    PGresult *result = PQgetResult(k->conn);
    if (result) on_result(k, result);
    PQclear(result);
  }
  if (k->answer.class == SYNC_DONE)
    connection_lost(k);
  else
    disconnect(k);
  k->answer.written = 0;
  forget_marks(k);
  return true;
}

static bool step_answers(struct pg_sink *k) {
  if (PQflush(k->conn) < 0 || !PQconsumeInput(k->conn)) return gone(k);
  return take_results(k) && settled(k);
}

static bool advance(struct pg_sink *k) {
  static bool (*const steps[])(struct pg_sink *) = {[PG_OFF] = step_connect,
                                                    [PG_CONNECTING] = step_connecting,
                                                    [PG_READY] = step_send,
                                                    [PG_SENT] = step_answers,
                                                    [PG_ROLLING_BACK] = step_answers};
  enum pg_state before;
  bool done;
  do {
    before = k->state;
    done = steps[before](k);
  } while (!done && k->state != before);
  int64_t now = ck_boot_ms();
  if (!done && (now >= k->deadline || (k->state <= PG_CONNECTING && now >= k->connected_by))) {
    too_late(k);
    forget_marks(k);
    done = true;
  }
  return done;
}

/* Sends what it can at once: waiting for the server would not wake anybody before the server has
 * been sent something. */
static void postgres_begin(void *self, struct sync_slice *slice) {
  struct pg_sink *k = self;
  k->request = (struct pg_request){.slice = slice};
  make_ready(k, ck_set_int(k->settings, CK_SET_POSTGRES_TIMEOUT));
  k->answered = advance(k);
}

static void postgres_query(void *self, struct sync_query *query) {
  struct pg_sink *k = self;
  int64_t timeout = ck_set_int(k->settings, CK_SET_POSTGRES_TIMEOUT);
  k->request = (struct pg_request){.query = query};
  make_ready(k, query->timeout && query->timeout < timeout ? query->timeout : timeout);
  k->answered = advance(k);
}

static bool postgres_step(void *self, struct sync_answer *answer) {
  struct pg_sink *k = self;
  if (!k->answered && !advance(k)) return false;
  k->answered = false;
  *answer = k->answer;
  return true;
}

static void postgres_wait(void *self, struct ck_wait *w) {
  struct pg_sink *k = self;
  if (k->answered) ck_wait_within(w, 0);
  int fd = k->conn ? PQsocket(k->conn) : -1;
  bool out = k->state == PG_CONNECTING ? k->poll == PGRES_POLLING_WRITING
                                       : k->conn && PQflush(k->conn) == 1;
  bool in = k->state != PG_CONNECTING || k->poll == PGRES_POLLING_READING;
  if (fd >= 0)
    ck_wait_for(w, NULL, fd, (short)((in ? ZMQ_POLLIN : 0) | (out ? ZMQ_POLLOUT : 0)));
  else
    ck_wait_within(w, POLL_MS);
  ck_wait_until(w, k->state == PG_CONNECTING ? k->connected_by : k->deadline);
}

/* ---- opening ---- */

static int postgres_open(void **self, const struct ck_settings *s, struct ck_err *err) {
  struct pg_sink *k = ck_zalloc(sizeof *k);
  k->settings = s;
  *self = k;
  if (missing_setting(s, err)) return 1;
  char *password = ck_settings_postgres_password(s, err);
  int rc = password ? 0 : 1;
  wipe(password);
  return rc;
}

static void postgres_close(void **self) {
  struct pg_sink *k = *self;
  if (!k) return;
  disconnect(k);
  free(k);
  *self = NULL;
}

const struct sync_sink sync_sink_postgres = {
    .name = "postgres",
    .limits = {.no_nul = true},
    .dialect = CK_MIRROR_POSTGRES,
    .open = postgres_open,
    .begin = postgres_begin,
    .query = postgres_query,
    .step = postgres_step,
    .wait = postgres_wait,
    .close = postgres_close,
};
