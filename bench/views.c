/* The page's list of follow-ups, with many of them beside many messages: how long webd takes for an
 * answer, from the request to its last byte, with the store and renewd that it asks.
 * Environment: BENCH_VIEWS, the messages: 1000000. */
#include <arpa/inet.h>
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/common.h"
#include "proto/calendar.h"
#include "proto/clock.h"
#include "proto/wire.h"
#include "store/database/db.h"
#include "store/format/migrations.h"

#define MESSAGES 1000000
#define JOBS 100000
#define CHATS 10000
#define REQUESTS 100
#define PATIENCE_S 900

static const struct view {
  const char *name, *path;
  double bound; /* ms, of 95 of 100; 0: none */
} views[] = {{"all states", "/j", 50},
             {"waiting, the first page", "/j?status=waiting", 50},
             {"waiting, of one platform in 100", "/j?status=waiting&platform=rare", 0},
             {"failed", "/j?status=failed", 0},
             {"delivered", "/j?status=done", 0},
             {"how many wait, before all are cancelled", "/j/all?do=cancel&status=waiting", 0},
             {"one conversation", "/c/chat:7", 0}};

static size_t messages(void) {
  const char *given = getenv("BENCH_VIEWS");
  return given && *given ? strtoull(given, NULL, 10) : MESSAGES;
}

/* ---- filling ---- */

static void sql(sqlite3 *db, const char *text) {
  struct ck_err err;
  if (db_exec(db, text, &err)) bench_fail("%s", err.text);
}

static void fill_messages(sqlite3 *db, size_t n) {
  char *text = ck_sprintf(
      "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)"
      " INSERT INTO local_conversations (version, local_conversation_id, platform,"
      " automation_status, title, last_message_id, newest_at, created_at, updated_at)"
      " SELECT i, 'chat:' || i, iif(i %% 100, 'chatgpt', 'rare'), 'auto',"
      " iif(i %% 2, 'Conversation ' || i, NULL), 'm' || i, i, i, i FROM n;"
      "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)"
      " INSERT INTO conversation_links (version, link_id, local_conversation_id, platform,"
      " remote_conversation_id, is_active, observed_at, created_at, updated_at)"
      " SELECT %d + i, 'link' || i, 'chat:' || i, iif(i %% 100, 'chatgpt', 'rare'), i, 1, i, i, i"
      " FROM n;"
      "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %zu)"
      " INSERT INTO messages (version, id, platform, conversation_id, role, raw_text, observed_at,"
      " static_path, created_at, live)"
      " SELECT 1000000 + i, 'm' || i, iif((i %% %d) %% 100, 'chatgpt', 'rare'), i %% %d,"
      " iif(i %% 3, 'user', 'assistant'), 'What was said as number ' || i || ', and some more',"
      " i, 'msg/2025/01/01/x.txt', i, 1 FROM n;",
      CHATS, CHATS, CHATS, n, CHATS, CHATS);
  sql(db, text);
  free(text);
}

/* Of each 20: 12 were delivered, 5 wait (of 1 in 20 the time has come, and they have no target), 2
 * failed, 1 is superseded. */
static void fill_jobs(sqlite3 *db) {
  char *text = ck_sprintf(
      "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d),"
      " j (i, k, status) AS (SELECT i, i %% 20, CASE WHEN i %% 20 < 12 THEN 'done'"
      "  WHEN i %% 20 < 17 THEN 'pending' ELSE 'failed' END FROM n)"
      " INSERT INTO renewal_jobs (version, job_id, local_conversation_id, message_id, status,"
      " payload, payload_kind, target_snapshot, attempt_count, max_attempts, next_attempt_at,"
      " last_error, finished_at, created_at, updated_at)"
      " SELECT 20000000 + i, 'hand_' || i, 'chat:' || (i %% %d + 1), 'm' || i, status, 'go on',"
      " 'text', '{\"kind\":\"webhook\",\"payload\":{\"url\":\"http://127.0.0.1:9/' || i || '\"}}',"
      " status <> 'pending', 3, CASE WHEN status = 'pending' THEN iif(k = 12 AND i / 20 %% 5 = 0, "
      "1, "
      "%lld + i * 60000) END, CASE WHEN k = 19 THEN '" CK_SUPERSEDED "somebody has answered'"
      " WHEN status = 'failed' THEN 'HTTP 500' END, iif(status <> 'pending', i, NULL), i, i FROM "
      "j;",
      JOBS, CHATS, (long long)(ck_now_ms() + CK_DAY_MS));
  sql(db, text);
  free(text);
}

static void fill(size_t n) {
  sqlite3 *db;
  struct ck_err err;
  if (db_open_writer(&db, store_migrations, 512, &err)) bench_fail("%s", err.text);
  sql(db, "PRAGMA wal_checkpoint(TRUNCATE); PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;"
          "BEGIN");
  fill_messages(db, n);
  fill_jobs(db);
  sql(db, "COMMIT; PRAGMA journal_mode = WAL");
  db_close(&db);
}

/* ---- asking ---- */

static char host[32];

static void choose_port(void) {
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t n = sizeof at;
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0 || bind(fd, (struct sockaddr *)&at, n) || getsockname(fd, (struct sockaddr *)&at, &n))
    bench_fail("no port");
  snprintf(host, sizeof host, "127.0.0.1:%d", ntohs(at.sin_port));
  close(fd);
  setenv("CONVKEEP_WEB_LISTEN", host, 1);
}

/* The line of a header with a token that reads. */
static char *new_token(void) {
  char *program = bench_program("../bin/convkeep"), line[400];
  const char *const argv[] = {program, "--data", ".",       "web",  "token",
                              "add",   "bench",  "--scope", "read", NULL};
  bench_run("token", argv);
  FILE *f = fopen("token", "r");
  char *at = f && fgets(line, sizeof line, f) ? strstr(line, "ck_") : NULL;
  if (!at) bench_fail("no token");
  char *header = ck_sprintf("Authorization: Bearer %.*s", (int)strcspn(at, " \n\""), at);
  fclose(f);
  free(program);
  return header;
}

static size_t count_bytes(char *bytes, size_t size, size_t n, void *sum) {
  (void)bytes;
  *(size_t *)sum += size * n;
  return size * n;
}

static double ask(CURL *curl, const char *path, size_t *bytes) {
  char *url = ck_sprintf("http://%s%s", host, path);
  long status = 0;
  *bytes = 0;
  curl_easy_setopt(curl, CURLOPT_URL, url);
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, count_bytes);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, bytes);
  int64_t began = ck_mono_us();
  CURLcode rc = curl_easy_perform(curl);
  double ms = (double)(ck_mono_us() - began) / 1000;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
  if (rc || status != 200) bench_fail("%s: %s, %ld", path, curl_easy_strerror(rc), status);
  free(url);
  return ms;
}

static void measure(CURL *curl, const struct view *view) {
  struct bench_series ms = {0};
  size_t bytes;
  for (int i = 0; i < 5; ++i) ask(curl, view->path, &bytes);
  for (int i = 0; i < REQUESTS; ++i) bench_add(&ms, ask(curl, view->path, &bytes));
  double most = bench_share(&ms, 0.95);
  char *name = ck_sprintf("%s: ms of 95 of 100", view->path);
  printf("| %s | `%s` | %zu | %.1f | %.1f%s%s |\n", view->name, view->path, bytes / 1024,
         bench_share(&ms, 0.5), most, view->bound > 0 ? "; " : "",
         view->bound > 0 ? bench_verdict(name, most, false, view->bound, "") : "");
  free(name);
  bench_free(&ms);
}

/* The index of the search is made in the background after the start. */
static void await_calm(void) {
  int64_t began = ck_mono_us();
  for (json_int_t behind = 1; behind;) {
    json_t *status = bench_ask("status", NULL);
    behind = json_integer_value(json_object_get(json_object_get(status, "search"), "behind"));
    json_decref(status);
    if (ck_mono_us() - began > PATIENCE_S * 1000000ll) bench_fail("the index is not made");
    if (behind) usleep(500000);
  }
}

int main(void) {
  static const char *const names[] = {"store", "renewd", "webd"};
  pid_t pids[3];
  size_t n = messages();
  choose_port();
  bench_enter("views");
  setenv("CONVKEEP_ARTIFACTS_FORM", "none", 1);
  fill(n);
  char *token = new_token();
  for (int i = 0; i < 3; ++i) pids[i] = bench_daemon(names[i]);
  await_calm();
  bench_calm();
  CURL *curl = curl_easy_init();
  struct curl_slist *headers = curl_slist_append(NULL, token);
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
  printf("## Follow-ups on the page\n\n"
         "%s messages, and %s follow-ups in %s conversations: of 20 of these 12 were delivered, 5 "
         "wait, 2 failed, 1 is superseded; of those that wait some are due and held. Each view "
         "is asked for %d times over one connection, and measured from the request to its last "
         "byte: webd, the store, and what renewd reports.\n\n"
         "| view | path | KiB | median ms | 95 of 100, ms |\n|:--|:--|--:|--:|:--|\n",
         bench_number((double)n, 0), bench_number(JOBS, 0), bench_number(CHATS, 0), REQUESTS);
  for (size_t i = 0; i < sizeof views / sizeof *views; ++i) measure(curl, &views[i]);
  printf("\n");
  curl_slist_free_all(headers);
  curl_easy_cleanup(curl);
  free(token);
  for (int i = 2; i >= 0; --i) bench_stop(&pids[i]);
  bench_leave();
  return 0;
}
