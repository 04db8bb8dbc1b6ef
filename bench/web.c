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
static double observe(uint64_t seed, bool with_store, struct bench_series *ms, double cpu_us[3]) {
  struct bench_load load = bench_load_make(OBSERVATIONS, seed);
  bench_enter("web");
  pid_t store = bench_daemon("store"), webd = bench_http_webd(), ingest = bench_daemon("ingest");
  char **requests = requests_of(&load);
  bench_http_each(requests, 1, 1, NULL);
  if (!with_store) bench_stop(&store);
  bench_calm();
  const pid_t daemons[3] = {webd, ingest, store};
  double before[3];
  for (int i = 0; i < 3; ++i) before[i] = daemons[i] ? bench_cpu(daemons[i]) : 0;
  double rate = bench_http_each(requests + 1, load.n - 1, CONNECTIONS, ms);
  for (int i = 0; i < 3; ++i)
    cpu_us[i] = daemons[i] ? (bench_cpu(daemons[i]) - before[i]) * 1e6 / OBSERVATIONS : 0;
  bench_stop(&webd);
  bench_stop(&ingest);
  bench_stop(&store);
  bench_leave();
  free_requests(requests, load.n);
  bench_load_free(&load);
  return rate;
}

struct observed {
  struct bench_series rate, ratio, over_unix, ms, webd, ingest, store;
};

static void add(struct observed *o, uint64_t seed, bool with_store, const double redis[2]) {
  double cpu_us[3], rate = observe(seed, with_store, &o->ms, cpu_us);
  bench_add(&o->rate, rate);
  bench_add(&o->ratio, rate / redis[BENCH_REDIS_TCP]);
  bench_add(&o->over_unix, rate / redis[BENCH_REDIS_UNIX]);
  bench_add(&o->webd, cpu_us[0]);
  bench_add(&o->ingest, cpu_us[1]);
  bench_add(&o->store, cpu_us[2]);
}

static void tell(const char *store, struct observed *o) {
  printf("| %s | %s | %s | %s | %s | %s | %s | **%s** | %s |\n", store, bench_cell(&o->rate, 0),
         bench_number(bench_share(&o->ms, 0.5), 2), bench_number(bench_share(&o->ms, 0.99), 2),
         bench_cell(&o->webd, 1), bench_cell(&o->ingest, 1), bench_cell(&o->store, 1),
         bench_cell(&o->ratio, 2), bench_cell(&o->over_unix, 2));
}

static void observations(void) {
  struct observed with = {0}, without = {0};
  struct bench_series redis[2] = {0};
  if (!bench_redis_there()) bench_fail("Redis is not installed");
  for (int i = 0; i < bench_rounds(); ++i) {
    double rate[2];
    for (enum bench_redis_by by = BENCH_REDIS_UNIX; by <= BENCH_REDIS_TCP; ++by) {
      rate[by] = bench_redis(by, OBSERVATIONS, CONNECTIONS, 1);
      bench_add(&redis[by], rate[by]);
    }
    add(&with, 4000 + 10 * (uint64_t)i, true, rate);
    add(&without, 4001 + 10 * (uint64_t)i, false, rate);
  }
  printf(
      "### Observations\n\n"
      "POST /v1/observations, one message of %d bytes a request, over %d connections that stay "
      "open; each is durable in ingest's spool when it is answered. Beside it XADD of as many "
      "bytes in Redis, appendfsync always, by redis-benchmark with %d clients, over TCP as HTTP "
      "is: %s a second; over a Unix socket %s. The store takes them from the spool meanwhile, or "
      "is away.\n\n"
      "| store | observations a second | median ms | p99 ms | webd, µs | ingest, µs "
      "| store, µs "
      "| of Redis | over a Unix socket |\n"
      "|:--|--:|--:|--:|--:|--:|--:|--:|--:|\n",
      BENCH_TEXT, CONNECTIONS, CONNECTIONS, bench_cell(&redis[BENCH_REDIS_TCP], 0),
      bench_cell(&redis[BENCH_REDIS_UNIX], 0));
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
#define BEFORE 20000 /* changesets that are there when it begins */
#define SEGMENT 8000 /* changesets of a segment */
#define CIRCLES 4    /* in a round */
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
  unlink(said);
  pid_t pid = bench_spawn(said, (const char *const[]){self, what, argument, NULL});
  for (int i = 0; i < 1000; ++i, usleep(10000))
    if (stat(said, &st) == 0 && st.st_size > 0) {
      free(self);
      return pid;
    }
  bench_fail("%s does not begin", what);
}

enum beside { ALONE, PAGE, LOOP, BESIDES };

/* Changesets a second of a segment; how long it took, in s; the processor time, in s, of the store
 * and of what was beside it. */
struct segment {
  double rate, seconds, store, beside;
};

/* A ring, and what it is read with. */
struct beside_ring {
  pid_t store, webd;
  char *conversation;
  uint64_t seed;
};

static double cpu_beside(const struct beside_ring *ring, const pid_t *pids) {
  double cpu = bench_cpu(ring->webd);
  for (int k = 0; k < SPINNERS && pids[k]; ++k) cpu += bench_cpu(pids[k]);
  return cpu;
}

/* loop: the share of a processor that the busy loop is to take. */
static struct segment write_beside(struct beside_ring *ring, enum beside beside, double loop) {
  struct bench_load load = bench_load_make(SEGMENT, ring->seed++);
  struct bench_pushed pushed;
  const struct bench_pace pace = {.in_flight = IN_FLIGHT};
  struct segment s;
  pid_t pids[SPINNERS] = {0};
  char share[24];
  snprintf(share, sizeof share, "%.4f", loop / SPINNERS);
  for (int k = 0; beside == LOOP && k < SPINNERS; ++k) pids[k] = start("spin", share, k);
  if (beside == PAGE) pids[0] = start("reader", ring->conversation, 0);
  int64_t began = ck_mono_us();
  double store = bench_cpu(ring->store), before = cpu_beside(ring, pids);
  bench_push(&load, &pace, &pushed);
  s.beside = cpu_beside(ring, pids) - before;
  s.store = bench_cpu(ring->store) - store;
  s.seconds = (double)(ck_mono_us() - began) / 1e6;
  s.rate = pushed.rate;
  for (int k = 0; k < SPINNERS; ++k) bench_stop(&pids[k]);
  bench_free(&pushed.latency_ms);
  bench_load_free(&load);
  return s;
}

static void open_ring(struct beside_ring *ring, uint64_t seed) {
  struct bench_load before = bench_load_make(BEFORE, seed);
  struct bench_pushed pushed;
  const struct bench_pace pace = {.in_flight = IN_FLIGHT};
  bench_enter("web");
  *ring = (struct beside_ring){
      .store = bench_daemon("store"), .webd = bench_http_webd(), .seed = seed + 1};
  bench_push(&before, &pace, &pushed);
  bench_free(&pushed.latency_ms);
  bench_load_free(&before);
  bench_wait_files();
  ring->conversation = bench_sql_text("SELECT min(local_conversation_id) FROM local_conversations");
}

static void close_ring(struct beside_ring *ring) {
  bench_stop(&ring->webd);
  bench_stop(&ring->store);
  bench_leave();
  free(ring->conversation);
}

struct writers {
  struct bench_series rate[BESIDES], share, looped, loss;
};

/* Alone, the page, the loop, and back again, in one ring, within a few seconds: so what else the
 * machine does, and that the store grows, is nearly the same for both, and its trend falls out.
 * What the store itself takes for the page counts as the page's, and is what it takes more than
 * alone. */
static void circle(struct beside_ring *ring, struct writers *w) {
  struct segment alone = write_beside(ring, ALONE, 0), page = write_beside(ring, PAGE, 0);
  double more = page.store > alone.store ? page.store - alone.store : 0;
  double taken = (page.beside + more) / page.seconds;
  struct segment loop = write_beside(ring, LOOP, taken), again = write_beside(ring, LOOP, taken),
                 last = write_beside(ring, PAGE, 0);
  bench_add(&w->rate[ALONE], alone.rate);
  bench_add(&w->rate[PAGE], page.rate), bench_add(&w->rate[PAGE], last.rate);
  bench_add(&w->rate[LOOP], loop.rate), bench_add(&w->rate[LOOP], again.rate);
  bench_add(&w->share, taken);
  bench_add(&w->looped, loop.beside / loop.seconds);
  bench_add(&w->looped, again.beside / again.seconds);
  bench_add(&w->loss, 100 * (1 - (page.rate + last.rate) / (loop.rate + again.rate)));
}

static void writers(void) {
  struct writers w = {0};
  static const char *const names[BESIDES] = {"nothing", "the page", "a busy loop"};
  for (int i = 0; i < bench_rounds(); ++i) {
    struct beside_ring ring;
    open_ring(&ring, 5000 + 100 * (uint64_t)i);
    for (int k = 0; k < CIRCLES; ++k) circle(&ring, &w);
    close_ring(&ring);
  }
  printf("### The page beside the writers\n\n"
         "Changesets a second at %d in flight while %d connections load the timeline, a search and "
         "a conversation without a pause, and beside a busy loop that is to take as much of the "
         "processors as webd, the reader and the store's answers do: %s of one; it got %s. "
         "By turns in one ring, %d changesets each: nothing, the page, the loop, the loop, the "
         "page; %d times.\n\n"
         "| beside | changesets a second |\n|:--|--:|\n",
         IN_FLIGHT, PAGE_CONNECTIONS, bench_cell(&w.share, 2), bench_cell(&w.looped, 2), SEGMENT,
         CIRCLES * bench_rounds());
  for (int i = 0; i < BESIDES; ++i) printf("| %s | %s |\n", names[i], bench_cell(&w.rate[i], 0));
  printf("\nLess than beside the loop: median %s %%, half of the times %s to %s, all %s to %s; "
         "%s.\n\n",
         bench_number(bench_share(&w.loss, 0.5), 1), bench_number(bench_share(&w.loss, 0.25), 1),
         bench_number(bench_share(&w.loss, 0.75), 1), bench_number(bench_share(&w.loss, 0), 1),
         bench_number(bench_share(&w.loss, 1), 1),
         bench_verdict("What a busy page costs the writers more than a busy loop",
                       bench_share(&w.loss, 0.5), false, 10, " %"));
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
