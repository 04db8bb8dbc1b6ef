/* The page's views, with many messages and follow-ups: how long webd takes for an
 * answer, from the request to its last byte, with the store and renewd that it asks.
 * Environment: BENCH_VIEWS, the messages: 1000000. */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/common.h"
#include "bench/large.h"
#include "proto/clock.h"

#define REQUESTS 100

static const struct view {
  const char *name, *path;
  double bound; /* ms, of 95 of 100; 0: none */
} views[] = {
    {"all states", "/j", 50},
    {"waiting, the first page", "/j?status=waiting", 50},
    {"waiting, of one platform in 100", "/j?status=waiting&platform=rare", 0},
    {"failed", "/j?status=failed", 0},
    {"delivered", "/j?status=done", 0},
    {"how many wait, before all are cancelled", "/j/all?do=cancel&status=waiting", 50},
    {"how many have failed", "/j/all?do=again&status=failed", 50},
    {"how many wait, of one platform in 100", "/j/all?do=cancel&status=waiting&platform=rare", 0},
    {"conversations", "/", 10},
    {"one conversation", "/c/chat:7", 0}};

/* ---- asking ---- */

static char host[32];

static void choose_port(void) {
  snprintf(host, sizeof host, "127.0.0.1:%u", bench_free_port());
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

int main(void) {
  static const char *const names[] = {"store", "renewd", "webd"};
  pid_t pids[3];
  size_t n = bench_large_messages();
  choose_port();
  bench_enter("views");
  setenv("CONVKEEP_ARTIFACTS_FORM", "none", 1);
  bench_large_fill(n);
  char *token = new_token();
  for (int i = 0; i < 3; ++i) pids[i] = bench_daemon(names[i]);
  bench_large_calm();
  bench_calm();
  CURL *curl = curl_easy_init();
  struct curl_slist *headers = curl_slist_append(NULL, token);
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
  printf("## The page: answers\n\n"
         "%s messages, and %s follow-ups in %s conversations: of 20 of these 12 were delivered, 5 "
         "wait, 2 failed, 1 is superseded; of those that wait some are due and held. Each view "
         "is asked for %d times over one connection, and measured from the request to its last "
         "byte: webd, the store, and what renewd reports.\n\n"
         "| view | path | KiB | median ms | 95 of 100, ms |\n|:--|:--|--:|--:|:--|\n",
         bench_number((double)n, 0), bench_number(BENCH_LARGE_JOBS, 0),
         bench_number(BENCH_LARGE_CHATS, 0), REQUESTS);
  for (size_t i = 0; i < sizeof views / sizeof *views; ++i) measure(curl, &views[i]);
  printf("\n");
  curl_slist_free_all(headers);
  curl_easy_cleanup(curl);
  free(token);
  for (int i = 2; i >= 0; --i) bench_stop(&pids[i]);
  bench_leave();
  return 0;
}
