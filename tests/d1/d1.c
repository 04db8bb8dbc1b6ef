/* The D1 peer beside a ring: starting it, asking it, comparing (d1.h), and D1 as a mirror under
 * test. */
#include "tests/d1/d1.h"

#include <curl/curl.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "syncd/sql/mirror.h"

#define DATABASE "db-test"

static struct {
  struct t_process *peer;
  int port;
} d1;

/* ---- the peer ---- */

static int port_of(const char *file) {
  char *text = t_read_file(file, NULL);
  const char *at = text ? strstr(text, "\"port\":") : NULL;
  int port = at ? atoi(at + 7) : 0;
  free(text);
  return port;
}

static bool answers(void) {
  json_t *stats = d1_control("stats", NULL);
  bool yes = stats != NULL;
  json_decref(stats);
  return yes;
}

static void run_peer(void) {
  char command[3 * PATH_MAX], listening[PATH_MAX];
  snprintf(listening, sizeof listening, "%s/out/listening", t_folder());
  unlink(listening);
  snprintf(command, sizeof command,
           "exec %s/tests/d1/peer/d1-peer run --port %d --state %s/d1 --control-fd 3 3>%s",
           t_root(), d1.port, t_folder(), listening);
  d1.peer = t_start("d1-peer", NULL, false, (const char *[]){"/bin/bash", "-c", command, NULL});
  T_UNTIL(10000, port_of(listening) != 0 || t_ended(d1.peer),
          "the D1 peer does not say where it listens");
  T_CHECK(!t_ended(d1.peer), "the D1 peer ended");
  d1.port = port_of(listening);
  T_UNTIL(10000, answers(), "the D1 peer does not answer");
}

static void set_endpoint(int port) { t_setf("d1.endpoint", "http://127.0.0.1:%d/client/v4", port); }

void d1_start(void) {
  char peer[PATH_MAX];
  snprintf(peer, sizeof peer, "%s/tests/d1/peer/d1-peer", t_root());
  struct t_result r = t_run("d1-install", NULL, 120000, (const char *[]){peer, "install", NULL});
  T_CHECK(r.code == 0, "the D1 peer cannot be installed: %s", r.err);
  t_result_free(&r);
  d1.port = 0;
  run_peer();
  t_set("sync.sinks", "d1");
  t_set("sync.backoff_max", "200ms");
  t_set("d1.rate", "0");
  t_set("d1.account", "account");
  t_set("d1.database", DATABASE);
  t_set("d1.token", "peer-token");
  set_endpoint(d1.port);
}

void d1_kill(void) {
  t_signal(d1.peer, SIGKILL);
  t_wait_end(d1.peer, 20000);
}

void d1_again(void) { run_peer(); }

void d1_stop(void) {
  t_down();
  mirror_proxy_end();
  d1_kill();
}

/* ---- the proxy ---- */

void d1_proxy(void) { set_endpoint(mirror_proxy(d1.port)); }

/* ---- requests that the test itself sends ---- */

static size_t keep_bytes(char *data, size_t size, size_t n, void *self) {
  ck_buf_add(self, data, size * n);
  return size * n;
}

/* NULL if there is no answer, or none that is JSON. */
static json_t *request(const char *path, const char *body) {
  char url[256];
  struct ck_buf answer = {0};
  CURL *c = curl_easy_init();
  struct curl_slist *headers = curl_slist_append(NULL, "Authorization: Bearer peer-token");
  headers = curl_slist_append(headers, "Expect:");
  snprintf(url, sizeof url, "http://127.0.0.1:%d%s", d1.port, path);
  curl_easy_setopt(c, CURLOPT_URL, url);
  curl_easy_setopt(c, CURLOPT_PROXY, "");
  curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers);
  curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, keep_bytes);
  curl_easy_setopt(c, CURLOPT_WRITEDATA, &answer);
  curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, 20000L);
  if (body) curl_easy_setopt(c, CURLOPT_POSTFIELDS, body);
  json_t *value = curl_easy_perform(c) == CURLE_OK
                      ? json_loadb(answer.data, answer.len, JSON_ALLOW_NUL, NULL)
                      : NULL;
  curl_slist_free_all(headers);
  curl_easy_cleanup(c);
  ck_buf_free(&answer);
  return value;
}

json_t *d1_sql(const char *fmt, ...) {
  va_list ap;
  va_start(ap, fmt);
  char *sql = NULL;
  T_CHECK(vasprintf(&sql, fmt, ap) >= 0, "no memory");
  va_end(ap);
  struct ck_buf body = {0};
  ck_buf_text(&body, "{\"sql\":");
  ck_buf_json_str(&body, ck_str_of(sql));
  ck_buf_text(&body, "}");
  json_t *answer =
      request("/client/v4/accounts/account/d1/database/" DATABASE "/query", ck_buf_cstr(&body));
  char *said = answer ? json_dumps(answer, 0) : NULL;
  T_CHECK(json_is_true(json_object_get(answer, "success")), "D1 says %s to %s",
          said ? said : "nothing", sql);
  json_t *result = json_incref(json_object_get(answer, "result"));
  json_decref(answer);
  ck_buf_free(&body);
  free(said);
  free(sql);
  return result;
}

int64_t d1_int(const char *sql) {
  json_t *result = d1_sql("%s", sql), *row = t_at(result, "0.results.0"), *value;
  const char *name;
  int64_t n = -1;
  json_object_foreach(row, name, value) n =
      json_is_integer(value) ? json_integer_value(value) : (int64_t)json_number_value(value);
  json_decref(result);
  return n;
}

void d1_schema(void) {
  struct ck_buf sql = {0};
  ck_mirror_schema(&sql, CK_MIRROR_SQLITE, false);
  json_decref(d1_sql("%s", ck_buf_cstr(&sql)));
  ck_buf_free(&sql);
}

void d1_bring_up(void) {
  struct t_result r = t_convkeep("sync", "schema", "--old");
  T_CHECK(r.code == 0, "sync schema --old ended with %d: %s", r.code, r.err);
  json_decref(d1_sql("%s", r.out));
  t_result_free(&r);
}

/* The tables as the predecessor had them: the same columns, with foreign keys, without version. */
static const char predecessor[] =
    "CREATE TABLE messages (id TEXT PRIMARY KEY, platform TEXT NOT NULL, conversation_id TEXT, "
    "role TEXT NOT NULL, raw_text TEXT NOT NULL, summary TEXT, "
    "observed_at INTEGER NOT NULL, static_path TEXT NOT NULL, page_url TEXT, page_title TEXT, "
    "organization_id TEXT, created_at INTEGER NOT NULL);"
    "CREATE INDEX idx_messages_conversation ON messages (conversation_id, observed_at);"
    "CREATE TABLE executions (instruction_id TEXT PRIMARY KEY, message_id TEXT NOT NULL, target "
    "TEXT NOT NULL, tool TEXT NOT NULL, params TEXT, params_kind TEXT NOT NULL, "
    "result_ok INTEGER NOT NULL, result_data TEXT, result_summary TEXT, result_error TEXT, "
    "http_status INTEGER, executed_at INTEGER NOT NULL, static_path TEXT NOT NULL, "
    "created_at INTEGER NOT NULL, FOREIGN KEY (message_id) REFERENCES messages (id));"
    "CREATE TABLE sessions (id TEXT PRIMARY KEY, platform TEXT NOT NULL, conversation_id TEXT, "
    "started_at INTEGER NOT NULL, last_activity_at INTEGER NOT NULL, "
    "message_count INTEGER NOT NULL DEFAULT 0, execution_count INTEGER NOT NULL DEFAULT 0, summary "
    "TEXT, static_path TEXT NOT NULL, created_at INTEGER NOT NULL);"
    "CREATE TABLE local_conversations (local_conversation_id TEXT PRIMARY KEY, platform TEXT NOT "
    "NULL, automation_status TEXT NOT NULL DEFAULT 'manual', title TEXT, "
    "summary TEXT, last_message_id TEXT, last_message_at INTEGER, cooldown_until INTEGER, "
    "paused_at INTEGER, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL);"
    "CREATE TABLE conversation_links (link_id TEXT PRIMARY KEY, local_conversation_id TEXT NOT "
    "NULL, platform TEXT NOT NULL, remote_conversation_id TEXT, client_id TEXT, "
    "page_url TEXT, page_title TEXT, route_path TEXT, route_pattern TEXT, route_params TEXT, "
    "target_kind TEXT, target_id TEXT, target_payload TEXT, "
    "is_active INTEGER NOT NULL DEFAULT 1, observed_at INTEGER NOT NULL, created_at INTEGER NOT "
    "NULL, updated_at INTEGER NOT NULL, "
    "UNIQUE (platform, remote_conversation_id), FOREIGN KEY (local_conversation_id) REFERENCES "
    "local_conversations (local_conversation_id));"
    "CREATE TABLE renewal_jobs (job_id TEXT PRIMARY KEY, local_conversation_id TEXT NOT NULL, "
    "message_id TEXT NOT NULL UNIQUE, status TEXT NOT NULL DEFAULT 'pending', "
    "payload TEXT NOT NULL, payload_kind TEXT NOT NULL DEFAULT 'text', target_snapshot TEXT, "
    "attempt_count INTEGER NOT NULL DEFAULT 0, "
    "max_attempts INTEGER NOT NULL DEFAULT 3, next_attempt_at INTEGER, last_attempt_at INTEGER, "
    "last_error TEXT, log_path TEXT, started_at INTEGER, finished_at INTEGER, "
    "created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL, FOREIGN KEY (local_conversation_id) "
    "REFERENCES local_conversations (local_conversation_id), "
    "FOREIGN KEY (message_id) REFERENCES messages (id));";

/* Its rows: an old state of a conversation that is written again, a link whose remote id another
 * link has now, and a message that is never written again. */
void d1_predecessor(void) {
  json_decref(d1_sql("%s", predecessor));
  json_decref(
      d1_sql("INSERT INTO messages VALUES "
             "('m1-0','p','r1','user','old',NULL,1,'msg/x.txt',NULL,NULL,NULL,1), "
             "('other','p',NULL,'user','kept',NULL,1,'msg/y.txt',NULL,NULL,NULL,1);"
             "INSERT INTO local_conversations VALUES "
             "('c1','p','manual','old',NULL,NULL,NULL,NULL,NULL,1,1), "
             "('c-old','p','manual','old',NULL,NULL,NULL,NULL,NULL,1,1);"
             "INSERT INTO conversation_links VALUES "
             "('l-old','c-old','p','r2',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,1,1,1,1);"));
}

json_t *d1_control(const char *path, const char *body) {
  char whole[256];
  snprintf(whole, sizeof whole, "/control/%s", path);
  char *text = body ? ck_strdup(body) : NULL;
  for (char *c = text; c && *c; ++c)
    if (*c == '\'') *c = '"';
  json_t *answer = request(whole, text);
  free(text);
  return answer;
}

void d1_fault(const char *faults) {
  json_t *answer = d1_control("faults", faults);
  T_CHECK(t_at(answer, "faults_left") != NULL, "the peer does not take the fault %s", faults);
  json_decref(answer);
}

int64_t d1_stat(const char *name) {
  json_t *stats = d1_control("stats", NULL);
  int64_t n = t_int_at(stats, name, -1);
  json_decref(stats);
  return n;
}

/* ---- D1 as a mirror under test ---- */

static void schema(void) { d1_schema(); }

void d1_ring(void) {
  schema();
  t_daemon("store", NULL);
  t_daemon("syncd", NULL);
}

static void sql(const char *text) { json_decref(d1_sql("%s", text)); }

static void compare(void) {
  char file[PATH_MAX];
  json_t *answer = d1_control("file?database=" DATABASE, NULL);
  snprintf(file, sizeof file, "%s/d1/%s", t_folder(), t_text_at(answer, "file"));
  json_decref(answer);
  T_CHECK(t_exists(file), "D1's file is not at %s", file);
  t_check_mirror("artifact.db", file);
}

void d1_same(int ms) { mirror_same(&mirror_d1, ms); }

static int64_t written(void) { return d1_stat("rows_written"); }

static void slow(int ms) {
  char body[40];
  snprintf(body, sizeof body, "{'latency_ms':%d}", ms);
  json_decref(d1_control("settings", body));
}

static void refuse(const char *what) {
  json_decref(d1_sql(
      "CREATE TRIGGER bad BEFORE INSERT ON messages WHEN (SELECT %s FROM (SELECT NEW.id AS id, "
      "NEW.raw_text AS raw_text)) BEGIN SELECT raise(ABORT, 'CHECK constraint failed: bad'); END",
      what));
}

static void accept_again(void) { sql("DROP TRIGGER bad"); }

static void watch(void) {
  sql("CREATE TABLE stale (tbl TEXT, old INTEGER, new INTEGER)");
  for (int t = 0; t < CK_TABLES; ++t)
    json_decref(
        d1_sql("CREATE TRIGGER watch_%s BEFORE UPDATE ON %s WHEN NEW.version <= OLD.version BEGIN "
               "INSERT INTO stale VALUES ('%s', OLD.version, NEW.version); END",
               ck_tables[t].name, ck_tables[t].name, ck_tables[t].name));
}

#define A_TIME 100000

static void fill(int n) {
  for (int from = 1; from <= n; from += A_TIME) {
    int to = from + A_TIME - 1 < n ? from + A_TIME - 1 : n;
    json_decref(
        d1_sql("INSERT INTO messages (" MIRROR_FILLED_COLUMNS
               ") WITH RECURSIVE n (i) AS (SELECT %d UNION ALL SELECT i + 1 FROM n WHERE i < %d)"
               " SELECT " MIRROR_FILLED_IN_SQLITE " FROM n",
               from, to));
  }
}

static const char *place(void) { return "d1:" DATABASE; }

/* A query for whole rows looks up one key after another. */
static void hold(const char *table) {
  char fault[160];
  const struct ck_table_info *info = &ck_tables[ck_table_named(ck_str_of(table))];
  snprintf(fault, sizeof fault,
           "{'match':'FROM %s m WHERE m.%s =','count':1,'delay_before_ms':60000}", table,
           info->fields[info->key].name);
  d1_fault(fault);
}

static bool holds(void) { return d1_stat("faults_left") == 0; }
static void release(void) {} /* the fault held one request only */

static int64_t requests(void) { return d1_stat("requests"); }

const struct mirror mirror_d1 = {.name = "d1",
                                 .nul = true,
                                 .indexed = true,
                                 .start = d1_start,
                                 .schema = schema,
                                 .stop = d1_stop,
                                 .sql = sql,
                                 .number = d1_int,
                                 .compare = compare,
                                 .written = written,
                                 .requests = requests,
                                 .slow = slow,
                                 .refuse = refuse,
                                 .accept = accept_again,
                                 .watch = watch,
                                 .fill = fill,
                                 .place = place,
                                 .proxy = d1_proxy,
                                 .timeout = "d1.timeout",
                                 .refused = "constraint failed",
                                 .no_table = "no such table: sessions",
                                 .hold = hold,
                                 .holds = holds,
                                 .release = release};
