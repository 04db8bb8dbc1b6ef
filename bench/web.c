/* webd: observations over HTTP beside Redis, what readers of events that rest take, and what a page
 * that is read all the time costs the writers.
 *   web [observations | idle | writers]    one of them
 *   web reader CONVERSATION | spin SHARE   processes that it starts */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench/common.h"
#include "bench/http.h"
#include "bench/observation.h"
#include "bench/producer.h"
#include "bench/redis.h"
#include "proto/clock.h"
#include "proto/json.h"

/* ---- observations ---- */

#define CONNECTIONS 16
#define OBSERVATIONS 20000

static char **requests_of(const struct bench_load *load) {
  char *who = bench_http_token("capture"), **requests = ck_alloc(load->n * sizeof *requests);
  for (size_t i = 0; i < load->n; ++i) {
    json_t *value = ck_json_of(load->observations[i]);
    char *body = json_dumps(value, JSON_COMPACT);
    requests[i] = bench_http_request("POST", "/v1/observations", who, body);
    free(body);
    json_decref(value);
  }
  free(who);
  return requests;
}

static void free_requests(char **requests, size_t n) {
  for (size_t i = 0; i < n; ++i) free(requests[i]);
  free(requests);
}

/* store: whether it takes the observations meanwhile, as it does unless it is away. */
static double observe(uint64_t seed, bool with_store, struct bench_series *ms, double cpu_us[2]) {
  struct bench_load load = bench_load_make(OBSERVATIONS, seed);
  bench_enter("web");
  pid_t store = bench_daemon("store"), webd = bench_http_webd(), ingest = bench_daemon("ingest");
  char **requests = requests_of(&load);
  bench_http_each(requests, 1, 1, NULL);
  if (!with_store) bench_stop(&store);
  bench_calm();
  double before[2] = {bench_cpu(webd), bench_cpu(ingest)};
  double rate = bench_http_each(requests + 1, load.n - 1, CONNECTIONS, ms);
  cpu_us[0] = (bench_cpu(webd) - before[0]) * 1e6 / OBSERVATIONS;
  cpu_us[1] = (bench_cpu(ingest) - before[1]) * 1e6 / OBSERVATIONS;
  bench_stop(&webd);
  bench_stop(&ingest);
  bench_stop(&store);
  bench_leave();
  free_requests(requests, load.n);
  bench_load_free(&load);
  return rate;
}

struct observed {
  struct bench_series rate, ratio, ms, webd, ingest;
};

static void add(struct observed *o, uint64_t seed, bool with_store, double redis) {
  double cpu_us[2], rate = observe(seed, with_store, &o->ms, cpu_us);
  bench_add(&o->rate, rate);
  bench_add(&o->ratio, rate / redis);
  bench_add(&o->webd, cpu_us[0]);
  bench_add(&o->ingest, cpu_us[1]);
}

static void tell(const char *store, struct observed *o) {
  printf("| %s | %s | %s | %s | %s | %s | **%s** |\n", store, bench_cell(&o->rate, 0),
         bench_number(bench_share(&o->ms, 0.5), 2), bench_number(bench_share(&o->ms, 0.99), 2),
         bench_cell(&o->webd, 1), bench_cell(&o->ingest, 1), bench_cell(&o->ratio, 2));
}

static void observations(void) {
  struct observed with = {0}, without = {0};
  struct bench_series redis = {0};
  if (!bench_redis_there()) bench_fail("Redis is not installed");
  for (int i = 0; i < bench_rounds(); ++i) {
    double rate = bench_redis(OBSERVATIONS, CONNECTIONS, 1);
    bench_add(&redis, rate);
    add(&with, 4000 + 10 * (uint64_t)i, true, rate);
    add(&without, 4001 + 10 * (uint64_t)i, false, rate);
  }
  printf("### Observations\n\n"
         "POST /v1/observations, one message of %d bytes a request, over %d connections that stay "
         "open; each is durable in ingest's spool when it is answered. Beside it XADD of as many "
         "bytes in Redis, appendfsync always, by redis-benchmark with %d clients over a Unix "
         "socket: %s a second. The store takes them from the spool meanwhile, or is away.\n\n"
         "| store | observations a second | median ms | p99 ms | webd, µs | ingest, µs "
         "| of Redis |\n"
         "|:--|--:|--:|--:|--:|--:|--:|\n",
         BENCH_TEXT, CONNECTIONS, CONNECTIONS, bench_cell(&redis, 0));
  tell("takes them", &with);
  tell("away", &without);
  printf("\nAway, as Redis has nothing behind it either: %s. Beside the store: %s.\n\n",
         bench_verdict("Observations over HTTP, the store away, of Redis with as many clients",
                       bench_share(&without.ratio, 0.5), true, 0.6, ""),
         bench_verdict("Observations over HTTP, beside the store, of Redis with as many clients",
                       bench_share(&with.ratio, 0.5), true, 0.6, ""));
}

/* ---- readers of events that rest ---- */

#define READERS 1000
#define IDLE_MS 20000 /* longer than the 15 s after which each gets a comment */

static void wait_for_head(int fd) {
  char answer[4096];
  size_t n = 0;
  answer[0] = '\0';
  while (!strstr(answer, "\r\n\r\n")) {
    ssize_t got = recv(fd, answer + n, sizeof answer - 1 - n, 0);
    if (got <= 0) bench_fail("webd does not answer a reader of events");
    answer[n += (size_t)got] = '\0';
  }
  if (strncmp(answer, "HTTP/1.1 200 ", 13) != 0) bench_fail("webd answers %s", answer);
}

static void idle(void) {
  struct rlimit files;
  int fds[READERS];
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  bench_enter("web");
  pid_t store = bench_daemon("store"), webd = bench_http_webd();
  char *who = bench_http_token("read");
  char *request = bench_http_request("GET", "/v1/events", who, NULL);
  double before = bench_memory(webd, "VmRSS");
  for (int i = 0; i < READERS; ++i) {
    fds[i] = bench_http_connect();
    if (send(fds[i], request, strlen(request), MSG_NOSIGNAL) < 0) bench_fail("send");
    wait_for_head(fds[i]);
  }
  double cpu = bench_cpu(webd);
  poll(NULL, 0, IDLE_MS);
  double after = bench_memory(webd, "VmRSS"), percent = (bench_cpu(webd) - cpu) * 1e5 / IDLE_MS;
  for (int i = 0; i < READERS; ++i) close(fds[i]);
  bench_stop(&webd);
  bench_stop(&store);
  bench_leave();
  free(request);
  free(who);
  printf("### Readers that rest\n\n"
         "%d readers of /v1/events to whom nothing is told but a comment every 15 s: webd has "
         "%s MiB more than without them, %s in all, and takes %s %% of a processor. %s.\n\n",
         READERS, bench_number(after - before, 1), bench_number(after, 1), bench_number(percent, 2),
         bench_verdict("Memory of 1,000 readers of events that rest", after - before, false, 20,
                       " MiB"));
}

/* ---- a busy page beside the writers ---- */

#define PAGE_CONNECTIONS 4
#define CHANGESETS 20000
#define IN_FLIGHT 256
#define SPINNERS 2

/* Reads as a person does, again and again, without a pause: the timeline, a search, a conversation.
 */
_Noreturn static void reader(const char *conversation) {
  enum { WAYS = 3, TURNS = 1000 };
  char *who = bench_http_session(), *path = ck_sprintf("/c/%s", conversation);
  char *ways[WAYS] = {bench_http_request("GET", "/", who, NULL),
                      bench_http_request("GET", "/s?q=conversation", who, NULL),
                      bench_http_request("GET", path, who, NULL)};
  char *requests[WAYS * TURNS];
  for (int i = 0; i < WAYS * TURNS; ++i) requests[i] = ways[i % WAYS];
  bench_http_each(requests, WAYS, 1, NULL);
  puts("reads");
  fflush(stdout);
  for (;;) bench_http_each(requests, WAYS * TURNS, PAGE_CONNECTIONS, NULL);
}

/* Takes this share of a processor, until it is killed. */
_Noreturn static void spin(double share) {
  int64_t began = ck_mono_us();
  puts("spins");
  fflush(stdout);
  for (;;) {
    double due = (double)(ck_mono_us() - began) / 1e6 * share;
    while (bench_cpu(getpid()) < due) continue;
    poll(NULL, 0, 1);
  }
}

/* A copy of this program that has said on its output that it is at work. */
static pid_t start(const char *what, const char *argument, int k) {
  char said[32];
  char *self = bench_program("web");
  struct stat st;
  snprintf(said, sizeof said, "run/%s-%d", what, k);
  pid_t pid = bench_spawn(said, (const char *const[]){self, what, argument, NULL});
  for (int i = 0; i < 1000; ++i, usleep(10000))
    if (stat(said, &st) == 0 && st.st_size > 0) {
      free(self);
      return pid;
    }
  bench_fail("%s does not begin", what);
}

enum beside { ALONE, PAGE, LOOP, BESIDES };

/* Changesets a second; the share of a processor that webd and its reader took, and the seconds of
 * processor time of the store for a changeset. */
struct run {
  double rate, share, store;
};

/* loop: the share of a processor that the busy loop takes. */
static struct run write_beside(enum beside beside, double loop, uint64_t seed) {
  struct bench_load before = bench_load_make(CHANGESETS, seed),
                    load = bench_load_make(CHANGESETS, seed + 1);
  struct bench_pushed pushed;
  const struct bench_pace pace = {.in_flight = IN_FLIGHT};
  struct run r;
  pid_t pids[SPINNERS] = {0};
  char share[24];
  snprintf(share, sizeof share, "%.4f", loop / SPINNERS);
  bench_enter("web");
  pid_t store = bench_daemon("store"), webd = bench_http_webd();
  bench_push(&before, &pace, &pushed);
  bench_free(&pushed.latency_ms);
  bench_wait_files();
  char *conversation = bench_sql_text("SELECT min(local_conversation_id) FROM local_conversations");
  if (beside == PAGE) pids[0] = start("reader", conversation, 0);
  for (int k = 0; beside == LOOP && k < SPINNERS; ++k) pids[k] = start("spin", share, k);
  int64_t began = ck_mono_us();
  double at = bench_cpu(store), others = bench_cpu(webd) + (pids[0] ? bench_cpu(pids[0]) : 0);
  bench_push(&load, &pace, &pushed);
  r.rate = pushed.rate;
  double seconds = (double)(ck_mono_us() - began) / 1e6;
  r.store = (bench_cpu(store) - at) / CHANGESETS;
  r.share = (bench_cpu(webd) + (pids[0] ? bench_cpu(pids[0]) : 0) - others) / seconds;
  for (int k = 0; k < SPINNERS; ++k) bench_stop(&pids[k]);
  bench_stop(&webd);
  bench_stop(&store);
  bench_leave();
  bench_free(&pushed.latency_ms);
  bench_load_free(&before);
  bench_load_free(&load);
  free(conversation);
  return r;
}

/* What the store itself takes for the page counts as the page's, and is what it takes more than
 * alone. */
static void writers(void) {
  struct bench_series rate[BESIDES] = {0}, share = {0}, loss = {0};
  static const char *const names[BESIDES] = {"nothing", "the page", "a busy loop"};
  for (int i = 0; i < bench_rounds(); ++i) {
    uint64_t seed = 5000 + 10 * (uint64_t)i;
    struct run alone = write_beside(ALONE, 0, seed), page = write_beside(PAGE, 0, seed);
    double more = page.store > alone.store ? page.store - alone.store : 0;
    double taken = page.share + more * page.rate;
    struct run loop = write_beside(LOOP, taken, seed);
    bench_add(&rate[ALONE], alone.rate);
    bench_add(&rate[PAGE], page.rate);
    bench_add(&rate[LOOP], loop.rate);
    bench_add(&share, taken);
    bench_add(&loss, 100 * (1 - page.rate / loop.rate));
  }
  printf("### The page beside the writers\n\n"
         "Changesets a second at %d in flight while %d connections load the timeline, a search and "
         "a conversation without a pause, and beside a busy loop that takes as much of the "
         "processors as webd, the reader and the store's answers do: %s of one.\n\n"
         "| beside | changesets a second |\n|:--|--:|\n",
         IN_FLIGHT, PAGE_CONNECTIONS, bench_cell(&share, 2));
  for (int i = 0; i < BESIDES; ++i) printf("| %s | %s |\n", names[i], bench_cell(&rate[i], 0));
  printf("\nLess than beside the loop: %s %%; %s.\n\n", bench_cell(&loss, 1),
         bench_verdict("What a busy page costs the writers more than a busy loop",
                       bench_share(&loss, 0.5), false, 10, " %"));
}

int main(int argc, char **argv) {
  const char *only = argc > 1 ? argv[1] : "";
  if (strcmp(only, "reader") == 0 && argc > 2) reader(argv[2]);
  if (strcmp(only, "spin") == 0 && argc > 2) spin(strtod(argv[2], NULL));
  printf("## The page, and HTTP\n\n");
  if (!*only || strcmp(only, "observations") == 0) observations();
  if (!*only || strcmp(only, "idle") == 0) idle();
  if (!*only || strcmp(only, "writers") == 0) writers();
  return 0;
}
