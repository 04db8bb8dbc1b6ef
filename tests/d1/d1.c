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

#include "proto/mirror.h"

#define DATABASE "db-test"

static struct {
  struct t_process *peer, *proxy;
  int port;
  int commands; /* to the proxy */
  int said;
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
  snprintf(command, sizeof command, "exec %s/tests/d1/peer/d1-peer run --port %d --state %s/d1 --control-fd 3 3>%s", t_root(), d1.port, t_folder(), listening);
  d1.peer = t_start("d1-peer", NULL, false, (const char *[]){"/bin/bash", "-c", command, NULL});
  T_UNTIL(10000, port_of(listening) != 0 || t_ended(d1.peer), "the D1 peer does not say where it listens");
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
  t_set("sync.sink", "d1");
  t_set("sync.backoff_max", "200ms");
  t_set("d1.rate", "0");
  t_set("d1.account", "account");
  t_set("d1.database", DATABASE);
  t_set("d1.token", "peer-token");
  set_endpoint(d1.port);
}

void d1_kill(void) {
  t_signal(d1.peer, SIGKILL);
  t_wait_end(d1.peer, 5000);
}

void d1_again(void) { run_peer(); }

void d1_stop(void) {
  t_down();
  if (d1.proxy) {
    close(d1.commands);
    t_wait_end(d1.proxy, 5000);
  }
  d1_kill();
}

/* ---- the proxy ---- */

static int proxy_lines(void) {
  char *text = t_read_file(d1.proxy->out, NULL);
  int n = 0;
  for (const char *c = text; c && *c; ++c) n += *c == '\n';
  free(text);
  return n;
}

void d1_proxy(void) {
  char program[PATH_MAX], source[PATH_MAX], fifo[PATH_MAX], port[16];
  snprintf(program, sizeof program, "%s/out/faultproxy", t_folder());
  snprintf(source, sizeof source, "%s/tests/d1/peer/faultproxy.c", t_root());
  snprintf(fifo, sizeof fifo, "%s/out/commands", t_folder());
  snprintf(port, sizeof port, "%d", d1.port);
  struct t_result r = t_run("cc", NULL, 60000, (const char *[]){"/usr/bin/cc", "-std=c17", "-D_GNU_SOURCE", "-O1", "-o", program, source, NULL});
  T_CHECK(r.code == 0, "the faultproxy does not compile: %s", r.err);
  t_result_free(&r);
  T_CHECK(mkfifo(fifo, 0600) == 0, "cannot make %s", fifo);
  d1.commands = open(fifo, O_RDWR | O_CLOEXEC);
  d1.proxy = t_start("faultproxy", fifo, false, (const char *[]){program, "0", port, NULL});
  T_UNTIL(5000, proxy_lines() == 1, "the faultproxy does not say where it listens");
  d1.said = 1;
  char *text = t_read_file(d1.proxy->out, NULL);
  set_endpoint(atoi(text + strlen("port ")));
  free(text);
}

void d1_proxy_say(const char *command) {
  T_CHECK(dprintf(d1.commands, "%s\n", command) > 0, "the faultproxy takes no command");
  ++d1.said;
  T_UNTIL(5000, proxy_lines() == d1.said, "the faultproxy did not obey %s", command);
}

/* ---- requests of the test's own ---- */

static size_t take(char *data, size_t size, size_t n, void *self) {
  ck_buf_add(self, data, size * n);
  return size * n;
}

/* NULL: no answer, or none that is JSON. */
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
  curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take);
  curl_easy_setopt(c, CURLOPT_WRITEDATA, &answer);
  curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, 20000L);
  if (body) curl_easy_setopt(c, CURLOPT_POSTFIELDS, body);
  json_t *value = curl_easy_perform(c) == CURLE_OK ? json_loadb(answer.data, answer.len, JSON_ALLOW_NUL, NULL) : NULL;
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
  json_t *answer = request("/client/v4/accounts/account/d1/database/" DATABASE "/query", ck_buf_cstr(&body));
  char *said = answer ? json_dumps(answer, 0) : NULL;
  T_CHECK(json_is_true(json_object_get(answer, "success")), "D1 says %s to %s", said ? said : "nothing", sql);
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
  json_object_foreach(row, name, value) n = json_is_integer(value) ? json_integer_value(value) : (int64_t)json_number_value(value);
  json_decref(result);
  return n;
}

void d1_schema(bool old) {
  struct ck_buf sql = {0};
  ck_mirror_schema(&sql, CK_MIRROR_SQLITE, old);
  json_decref(d1_sql("%s", ck_buf_cstr(&sql)));
  ck_buf_free(&sql);
}

/* The tables as the predecessor had them: the same columns, foreign keys, no version. */
static const char predecessor[] =
    "CREATE TABLE messages (id TEXT PRIMARY KEY, platform TEXT NOT NULL, conversation_id TEXT, role TEXT NOT NULL, raw_text TEXT NOT NULL, summary TEXT, "
    "observed_at INTEGER NOT NULL, static_path TEXT NOT NULL, page_url TEXT, page_title TEXT, organization_id TEXT, created_at INTEGER NOT NULL);"
    "CREATE INDEX idx_messages_conversation ON messages (conversation_id, observed_at);"
    "CREATE TABLE executions (instruction_id TEXT PRIMARY KEY, message_id TEXT NOT NULL, target TEXT NOT NULL, tool TEXT NOT NULL, params TEXT, params_kind TEXT NOT NULL, "
    "result_ok INTEGER NOT NULL, result_data TEXT, result_summary TEXT, result_error TEXT, http_status INTEGER, executed_at INTEGER NOT NULL, static_path TEXT NOT NULL, "
    "created_at INTEGER NOT NULL, FOREIGN KEY (message_id) REFERENCES messages (id));"
    "CREATE TABLE sessions (id TEXT PRIMARY KEY, platform TEXT NOT NULL, conversation_id TEXT, started_at INTEGER NOT NULL, last_activity_at INTEGER NOT NULL, "
    "message_count INTEGER NOT NULL DEFAULT 0, execution_count INTEGER NOT NULL DEFAULT 0, summary TEXT, static_path TEXT NOT NULL, created_at INTEGER NOT NULL);"
    "CREATE TABLE local_conversations (local_conversation_id TEXT PRIMARY KEY, platform TEXT NOT NULL, automation_status TEXT NOT NULL DEFAULT 'manual', title TEXT, "
    "summary TEXT, last_message_id TEXT, last_message_at INTEGER, cooldown_until INTEGER, paused_at INTEGER, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL);"
    "CREATE TABLE conversation_links (link_id TEXT PRIMARY KEY, local_conversation_id TEXT NOT NULL, platform TEXT NOT NULL, remote_conversation_id TEXT, client_id TEXT, "
    "page_url TEXT, page_title TEXT, route_path TEXT, route_pattern TEXT, route_params TEXT, target_kind TEXT, target_id TEXT, target_payload TEXT, "
    "is_active INTEGER NOT NULL DEFAULT 1, observed_at INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL, "
    "UNIQUE (platform, remote_conversation_id), FOREIGN KEY (local_conversation_id) REFERENCES local_conversations (local_conversation_id));"
    "CREATE TABLE renewal_jobs (job_id TEXT PRIMARY KEY, local_conversation_id TEXT NOT NULL, message_id TEXT NOT NULL UNIQUE, status TEXT NOT NULL DEFAULT 'pending', "
    "payload TEXT NOT NULL, payload_kind TEXT NOT NULL DEFAULT 'text', target_snapshot TEXT, attempt_count INTEGER NOT NULL DEFAULT 0, "
    "max_attempts INTEGER NOT NULL DEFAULT 3, next_attempt_at INTEGER, last_attempt_at INTEGER, last_error TEXT, log_path TEXT, started_at INTEGER, finished_at INTEGER, "
    "created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL, FOREIGN KEY (local_conversation_id) REFERENCES local_conversations (local_conversation_id), "
    "FOREIGN KEY (message_id) REFERENCES messages (id));";

/* It has rows of its own: an old state of a conversation that is written again, a link that another id holds now, and a message nobody writes again. */
void d1_predecessor(void) {
  json_decref(d1_sql("%s", predecessor));
  json_decref(d1_sql(
      "INSERT INTO messages VALUES ('m1-0','p','r1','user','old',NULL,1,'msg/x.txt',NULL,NULL,NULL,1), ('other','p',NULL,'user','kept',NULL,1,'msg/y.txt',NULL,NULL,NULL,1);"
      "INSERT INTO local_conversations VALUES ('c1','p','manual','old',NULL,NULL,NULL,NULL,NULL,1,1), ('c-old','p','manual','old',NULL,NULL,NULL,NULL,NULL,1,1);"
      "INSERT INTO conversation_links VALUES ('l-old','c-old','p','r2',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,1,1,1,1);"));
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

/* ---- the ring ---- */

void d1_ring(void) {
  d1_schema(false);
  t_daemon("store", NULL);
  t_daemon("syncd", NULL);
}

static void put(struct t_producer *p, const char *table, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static void put(struct t_producer *p, const char *table, const char *fmt, ...) {
  char row[2048];
  va_list ap;
  va_start(ap, fmt);
  vsnprintf(row, sizeof row, fmt, ap);
  va_end(ap);
  t_put(p, table, row);
}

static void write_conversation(struct t_producer *p, int i, int v) {
  for (int k = 0; k < 3; ++k)
    put(p, "messages",
        "{'id':'m%d-%d','platform':'p','conversation_id':'r%d','role':'%s','raw_text':'text %d of %d \\u0000\\u00e9\\ud83d\\ude00','observed_at':%d,'page_title':'0123'}",
        i, k, i, k % 2 ? "assistant" : "user", k, v, 1000 + k);
  put(p, "executions", "{'instruction_id':'e%d','message_id':'m%d-1','target':'t','tool':'x','result_ok':1,'params':'{\\\"a\\\":[%d]}','executed_at':2000}", i,
      i, v);
  put(p, "sessions", "{'id':'s%d','platform':'p','conversation_id':'r%d','started_at':1000,'last_activity_at':%d}", i, i, 3000 + v);
  put(p, "local_conversations", "{'local_conversation_id':'c%d','platform':'p','title':'title %d','last_message_id':'m%d-2','last_message_at':1002}", i, v, i);
  put(p, "conversation_links",
      "{'link_id':'l%d','local_conversation_id':'c%d','platform':'p','remote_conversation_id':'r%d','route_params':{'v':%d},'observed_at':%d}", i, i, i, v,
      1000 + v);
  put(p, "renewal_jobs", "{'job_id':'j%d','local_conversation_id':'c%d','message_id':'m%d-1','payload':'continue','next_attempt_at':9007199254740993}", i, i,
      i);
}

void d1_write(struct t_producer *p, int first, int n, int variant) {
  for (int i = first; i < first + n; ++i) {
    write_conversation(p, i, variant);
    char result = t_commit(p);
    T_CHECK(result != 'r', "conversation %d is refused: %s", i, t_refusal(p));
  }
}

void d1_write_together(struct t_producer *p, int first, int n, int variant) {
  for (int i = first; i < first + n; ++i) write_conversation(p, i, variant);
  char result = t_commit(p);
  T_CHECK(result != 'r', "conversations %d to %d are refused: %s", first, first + n - 1, t_refusal(p));
}

static bool mirrored(void) {
  json_t *s = t_status(2000);
  bool yes = t_int_at(s, "version", -1) >= 0 && t_int_at(s, "sync.cursor", -2) == t_int_at(s, "version", -1);
  json_decref(s);
  return yes;
}

const char *d1_last_error(void) {
  static char text[400];
  json_t *s = t_status(2000);
  json_t *entry = t_daemon_entry(s, "syncd", 0);
  const char *said = t_text_at(entry, "info.last_error");
  snprintf(text, sizeof text, "%s", said ? said : "");
  json_decref(s);
  return text;
}

const char *d1_state(void) {
  static char text[40];
  json_t *s = t_status(2000);
  const char *said = t_text_at(t_daemon_entry(s, "syncd", 0), "info.state");
  snprintf(text, sizeof text, "%s", said ? said : "");
  json_decref(s);
  return text;
}

static const char *where(void) {
  static char text[600];
  json_t *s = t_status(2000);
  snprintf(text, sizeof text, "version %lld, cursor %lld, %s: %s", (long long)t_int_at(s, "version", -1), (long long)t_int_at(s, "sync.cursor", -1), d1_state(),
           d1_last_error());
  json_decref(s);
  return text;
}

void d1_settle(int ms) { T_UNTIL(ms, mirrored(), "after %d ms not everything is in D1: %s", ms, where()); }

void d1_same(int ms) {
  d1_settle(ms);
  json_t *answer = d1_control("file?database=" DATABASE, NULL);
  char file[PATH_MAX];
  snprintf(file, sizeof file, "%s/d1/%s", t_folder(), t_text_at(answer, "file"));
  json_decref(answer);
  T_CHECK(t_exists(file), "D1's file is not at %s", file);
  t_check_mirror("artifact.db", file);
}
