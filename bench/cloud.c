/* Starting and querying the D1 peer; see cloud.h. */
#include "bench/cloud.h"

#include <curl/curl.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include "syncd/sql/mirror.h"

#define TOKEN "peer-token"
#define START_MS 10000

static struct {
  pid_t pid;
  int port;
  char database[64];
  CURL *easy;
  struct curl_slist *headers;
  struct ck_buf answer;
  sqlite3 *file;
  sqlite3_stmt *rows;
} cloud;

/* ---- requests ---- */

static size_t keep_bytes(char *data, size_t size, size_t n, void *self) {
  ck_buf_add(self, data, size * n);
  return size * n;
}

static void open_client(void) {
  cloud.easy = curl_easy_init();
  cloud.headers = curl_slist_append(NULL, "Authorization: Bearer " TOKEN);
  cloud.headers = curl_slist_append(cloud.headers, "Content-Type: application/json");
  cloud.headers = curl_slist_append(cloud.headers, "Expect:");
  curl_easy_setopt(cloud.easy, CURLOPT_HTTPHEADER, cloud.headers);
  curl_easy_setopt(cloud.easy, CURLOPT_PROXY, "");
  curl_easy_setopt(cloud.easy, CURLOPT_WRITEFUNCTION, keep_bytes);
  curl_easy_setopt(cloud.easy, CURLOPT_WRITEDATA, &cloud.answer);
  curl_easy_setopt(cloud.easy, CURLOPT_TCP_NODELAY, 1L);
}

/* NULL: no answer, or it is not JSON. */
static json_t *request(const char *path, struct ck_str body) {
  char url[256];
  snprintf(url, sizeof url, "http://127.0.0.1:%d%s", cloud.port, path);
  ck_buf_clear(&cloud.answer);
  curl_easy_setopt(cloud.easy, CURLOPT_URL, url);
  curl_easy_setopt(cloud.easy, CURLOPT_HTTPGET, 1L);
  if (body.s) {
    curl_easy_setopt(cloud.easy, CURLOPT_POST, 1L);
    curl_easy_setopt(cloud.easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.n);
    curl_easy_setopt(cloud.easy, CURLOPT_POSTFIELDS, body.s);
  }
  return curl_easy_perform(cloud.easy) == CURLE_OK
             ? json_loadb(cloud.answer.data, cloud.answer.len, JSON_ALLOW_NUL, NULL)
             : NULL;
}

void cloud_send(struct ck_str body) {
  char path[160];
  snprintf(path, sizeof path, "/client/v4/accounts/account/d1/database/%s/query", cloud.database);
  json_t *answer = request(path, body);
  if (!json_is_true(json_object_get(answer, "success")))
    bench_fail("D1 says %s", ck_buf_cstr(&cloud.answer));
  json_decref(answer);
}

static json_t *control(const char *path, const char *body) {
  char whole[160];
  snprintf(whole, sizeof whole, "/control/%s", path);
  return request(whole, body ? ck_str_of(body) : (struct ck_str){0});
}

void cloud_control(const char *path, const char *body) {
  json_t *answer = control(path, body);
  if (!answer || json_object_get(answer, "error"))
    bench_fail("/control/%s: %s", path, ck_buf_cstr(&cloud.answer));
  json_decref(answer);
}

int64_t cloud_stat(const char *name) {
  json_t *answer = control("stats", NULL);
  int64_t n = json_integer_value(json_object_get(answer, name));
  json_decref(answer);
  return n;
}

/* ---- the process ---- */

static int port_of(const char *file) {
  char text[256] = "";
  FILE *f = fopen(file, "re");
  if (f && !fgets(text, sizeof text, f)) text[0] = '\0';
  if (f) fclose(f);
  const char *at = strstr(text, "\"port\":");
  return at ? atoi(at + 7) : 0;
}

static bool installed(const char *peer) {
  int code;
  const char *argv[] = {peer, "install", NULL};
  pid_t pid = bench_spawn(NULL, argv);
  while (!bench_ended(pid, &code)) usleep(10000);
  if (code)
    fprintf(stderr,
            "bench: THE D1 PEER IS NOT INSTALLED (npm, %s install): nothing of D1 is measured\n",
            peer);
  return code == 0;
}

static bool answers(void) {
  json_t *stats = control("stats", NULL);
  json_decref(stats);
  return stats != NULL;
}

bool cloud_start(void) {
  char command[PATH_MAX + 200];
  char *peer = bench_program("../../tests/d1/peer/d1-peer");
  if (!installed(peer)) {
    free(peer);
    return false;
  }
  snprintf(command, sizeof command, "exec %s run --port 0 --state d1 --control-fd 3 3>listening",
           peer);
  free(peer);
  unlink("listening");
  cloud.pid = bench_spawn(NULL, (const char *const[]){"/bin/bash", "-c", command, NULL});
  open_client();
  for (int i = 0; i < START_MS / 5 && !((cloud.port = port_of("listening")) && answers()); ++i)
    usleep(5000);
  if (!answers()) bench_fail("the D1 peer does not start");
  return true;
}

static void close_file(void) {
  sqlite3_finalize(cloud.rows);
  sqlite3_close(cloud.file);
  cloud.rows = NULL;
  cloud.file = NULL;
}

void cloud_stop(void) {
  close_file();
  curl_slist_free_all(cloud.headers);
  curl_easy_cleanup(cloud.easy);
  ck_buf_free(&cloud.answer);
  bench_stop(&cloud.pid);
  memset(&cloud, 0, sizeof cloud);
}

static void set_daemons(int rate) {
  char endpoint[64], text[16];
  snprintf(endpoint, sizeof endpoint, "http://127.0.0.1:%d/client/v4", cloud.port);
  snprintf(text, sizeof text, "%d", rate);
  setenv("CONVKEEP_SYNC_SINKS", "d1", 1);
  setenv("CONVKEEP_D1_ENDPOINT", endpoint, 1);
  setenv("CONVKEEP_D1_ACCOUNT", "account", 1);
  setenv("CONVKEEP_D1_DATABASE", cloud.database, 1);
  setenv("CONVKEEP_D1_TOKEN", TOKEN, 1);
  setenv("CONVKEEP_D1_RATE", text, 1);
}

void cloud_use(const char *database, int rate) {
  struct ck_buf sql = {0}, body = {0};
  snprintf(cloud.database, sizeof cloud.database, "db-%s", database);
  ck_mirror_schema(&sql, CK_MIRROR_SQLITE, false);
  ck_buf_text(&body, "{\"sql\":");
  ck_buf_json_str(&body, ck_buf_view(&sql));
  ck_buf_text(&body, "}");
  cloud_send(ck_buf_view(&body));
  ck_buf_free(&sql);
  ck_buf_free(&body);
  close_file();
  set_daemons(rate);
}

/* Messages are never deleted here, so the greatest rowid is their number, without a full scan. */
static void open_file(void) {
  char path[100], file[PATH_MAX];
  snprintf(path, sizeof path, "file?database=%s", cloud.database);
  json_t *answer = control(path, NULL);
  snprintf(file, sizeof file, "d1/%s", json_string_value(json_object_get(answer, "file")));
  json_decref(answer);
  if (sqlite3_open_v2(file, &cloud.file, SQLITE_OPEN_READONLY, NULL) ||
      sqlite3_prepare_v2(cloud.file, "SELECT coalesce(max(rowid), 0) FROM messages", -1,
                         &cloud.rows, NULL))
    bench_fail("%s: %s", file, sqlite3_errmsg(cloud.file));
}

int64_t cloud_rows(void) {
  if (!cloud.file) open_file();
  int64_t n = sqlite3_step(cloud.rows) == SQLITE_ROW ? sqlite3_column_int64(cloud.rows, 0) : 0;
  sqlite3_reset(cloud.rows);
  return n;
}
