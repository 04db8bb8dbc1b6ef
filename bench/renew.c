/* Follow-ups: a start with many pending jobs, how late a delivery is beside them, deliveries a
 * second beside a bare loop of libcurl, and what rest costs.
 * Environment: BENCH_RENEW, the pending jobs: 1000000. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/common.h"
#include "bench/producer.h"
#include "bench/receiver.h"
#include "proto/calendar.h"
#include "proto/clock.h"
#include "proto/curl_loop.h"
#include "proto/wire.h"
#include "store/database/db.h"
#include "store/format/migrations.h"

#define PENDING 1000000
#define PENDING_CHATS 100000 /* conversations on auto that have them */
#define FAR_MS (30 * CK_DAY_MS)
#define READY_S 2.0
#define MEMORY_MIB 64.0
#define TIMED 100 /* deliveries at a time of their own, this far apart: */
#define TIMED_MS 100
#define TIMED_FIRST_MS 1000
#define RECEIPTS 200
#define RATE 10000
#define RATE_CHATS 1000
#define TARGETS 64
#define AT_ONCE 256 /* deliveries, as renewd has */
#define REST_SECONDS 20
#define REST_WAKES 10.0
#define REST_PERCENT 0.2
#define PATIENCE_S 1800

static struct bench_receiver *receiver;

static size_t pending(void) {
  const char *given = getenv("BENCH_RENEW");
  return given ? strtoull(given, NULL, 10) : PENDING;
}

/* ---- jobs ---- */

static char *target_of(size_t i) {
  return ck_sprintf("{\"kind\":\"webhook\",\"payload\":{\"url\":\"http://127.0.0.1:%d/%zu?%zu\"}}",
                    bench_receiver_port(receiver), i % TARGETS, i);
}

static void sql(sqlite3 *db, const char *text) {
  struct ck_err err;
  if (db_exec(db, text, &err)) bench_fail("%s", err.text);
}

/* Jobs that are not due, put into the database of a store that does not run. */
static void fill_pending(void) {
  sqlite3 *db;
  struct ck_err err;
  uint64_t head;
  if (db_open_writer(&db, store_migrations, 256, &err) || db_head(db, &head, &err))
    bench_fail("%s", err.text);
  char *text = ck_sprintf(
      "PRAGMA synchronous = OFF; BEGIN;"
      "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)"
      " INSERT INTO local_conversations (version, local_conversation_id, platform,"
      " automation_status, last_message_id, created_at, updated_at)"
      " SELECT %llu + i, 'far:' || i, 'chatgpt', 'auto', 'last-' || lower(hex(randomblob(12))),"
      " 1, 1 FROM n;"
      "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %zu)"
      " INSERT INTO renewal_jobs (version, job_id, local_conversation_id, message_id, status,"
      " payload, payload_kind, target_snapshot, attempt_count, max_attempts, next_attempt_at,"
      " created_at, updated_at)"
      " SELECT %llu + i, 'far-' || i, 'far:' || (i %% %d + 1), 'far-m' || i, 'pending', 'continue',"
      " 'text', '%s', 0, 3, %lld + i, 1, 1 FROM n;"
      "COMMIT; PRAGMA wal_checkpoint(TRUNCATE)",
      PENDING_CHATS, (unsigned long long)head, pending(), (unsigned long long)head + PENDING_CHATS,
      PENDING_CHATS, target_of(0), (long long)(ck_now_ms() + FAR_MS));
  sql(db, text);
  free(text);
  db_close(&db);
}

static void add_conversation(struct ck_buf *b, const char *id) {
  struct ck_row row = {.table = CK_CONVERSATIONS};
  row.v[CK_CONVERSATIONS_LOCAL_CONVERSATION_ID] = ck_textz(id);
  row.v[CK_CONVERSATIONS_PLATFORM] = ck_textz("chatgpt");
  ck_mutation_row(b, CK_OP_PUT, &row);
}

static void add_link(struct ck_buf *b, const char *conversation) {
  struct ck_row row = {.table = CK_LINKS};
  row.v[CK_LINKS_LINK_ID] = ck_textz(conversation);
  row.v[CK_LINKS_LOCAL_CONVERSATION_ID] = ck_textz(conversation);
  row.v[CK_LINKS_PLATFORM] = ck_textz("chatgpt");
  row.v[CK_LINKS_REMOTE_CONVERSATION_ID] = ck_textz(conversation);
  row.v[CK_LINKS_OBSERVED_AT] = ck_int(1);
  ck_mutation_row(b, CK_OP_PUT, &row);
}

static void add_message(struct ck_buf *b, const char *id, const char *conversation) {
  struct ck_row row = {.table = CK_MESSAGES};
  row.v[CK_MESSAGES_ID] = ck_textz(id);
  row.v[CK_MESSAGES_PLATFORM] = ck_textz("chatgpt");
  row.v[CK_MESSAGES_CONVERSATION_ID] = ck_textz(conversation);
  row.v[CK_MESSAGES_ROLE] = ck_textz("assistant");
  row.v[CK_MESSAGES_RAW_TEXT] = ck_textz("Shall I go on?");
  row.v[CK_MESSAGES_OBSERVED_AT] = ck_int(ck_now_ms());
  ck_mutation_row(b, CK_OP_PUT, &row);
}

static void add_job(struct ck_buf *b, const char *id, size_t i, const char *conversation,
                    int64_t due) {
  struct ck_row row = {.table = CK_JOBS};
  char *target = target_of(i);
  row.v[CK_JOBS_JOB_ID] = ck_textz(id);
  row.v[CK_JOBS_MESSAGE_ID] = ck_textz(id);
  row.v[CK_JOBS_LOCAL_CONVERSATION_ID] = ck_textz(conversation);
  row.v[CK_JOBS_PAYLOAD] = ck_textz("continue");
  row.v[CK_JOBS_TARGET_SNAPSHOT] = ck_textz(target);
  row.v[CK_JOBS_NEXT_ATTEMPT_AT] = ck_int(due);
  ck_mutation_row(b, CK_OP_PUT, &row);
  free(target);
}

/* Jobs by hand to this web server, at /TARGET?NUMBER, put by the store that runs. */
static void put_jobs(const char *name, size_t n, size_t chats, int64_t first_at, int64_t apart) {
  struct bench_load load = {.n = n};
  struct bench_pushed pushed;
  struct ck_buf b = {0};
  load.changesets = ck_zalloc(n * sizeof *load.changesets);
  for (size_t i = 0; i < n; ++i) {
    char *id = ck_sprintf("%s-%zu", name, i), *chat = ck_sprintf("%s:%zu", name, i % chats);
    ck_buf_clear(&b);
    ck_put_array(&b, 4);
    add_conversation(&b, chat);
    add_link(&b, chat);
    add_message(&b, id, chat);
    add_job(&b, id, i, chat, first_at + (int64_t)i * apart);
    load.changesets[i] = ck_arena_copy(&load.arena, ck_buf_view(&b));
    free(id);
    free(chat);
  }
  bench_push(&load, &(struct bench_pace){.in_flight = 256}, &pushed);
  bench_free(&pushed.latency_ms);
  free(load.changesets);
  ck_arena_free(&load.arena);
  ck_buf_free(&b);
}

static void enter(const char *name) {
  char allow[64];
  bench_enter(name);
  snprintf(allow, sizeof allow, "http://127.0.0.1:%d/", bench_receiver_port(receiver));
  setenv("CONVKEEP_RENEW_WEBHOOK_ALLOW", allow, 1);
  setenv("CONVKEEP_RENEW_SPACING", "0s", 1);
  setenv("CONVKEEP_ARTIFACTS_FORM", "none", 1);
}

static void await(size_t n) {
  int64_t began = ck_mono_us();
  while (bench_receiver_count(receiver) < n) {
    if (ck_mono_us() - began > PATIENCE_S * 1000000ll)
      bench_fail("%zu of %zu were delivered", bench_receiver_count(receiver), n);
    usleep(1000);
  }
}

/* ---- many that are pending ---- */

/* From the time at which each was due, in milliseconds. */
static void add_lateness(struct bench_series *ms, int64_t first_at) {
  for (size_t i = 0; i < bench_receiver_count(receiver); ++i) {
    size_t number;
    int64_t at = bench_receiver_at(receiver, i, &number);
    bench_add(ms, (double)(at - (first_at + (int64_t)number * TIMED_MS) * 1000) / 1000);
  }
}

static double receipt_ms(void) {
  struct bench_load load = bench_load_make(RECEIPTS, 1);
  struct bench_pushed pushed;
  bench_push(&load, &(struct bench_pace){.in_flight = 1, .pause_ms = 5}, &pushed);
  double ms = bench_share(&pushed.latency_ms, 0.5);
  bench_free(&pushed.latency_ms);
  bench_load_free(&load);
  return ms;
}

/* Waits until the last messages of all conversations are judged, as they are after each start. */
static void await_judged(void) {
  int64_t left = 1;
  while (left) {
    json_t *status = bench_ask("status", NULL), *one, *renewd = NULL;
    size_t i;
    json_array_foreach(json_object_get(status, "daemons"), i,
                       one) if (strcmp(json_string_value(json_object_get(one, "name")), "renewd") ==
                                0) renewd = one;
    const json_t *info = json_object_get(renewd, "info");
    left = json_is_true(json_object_get(info, "live"))
               ? json_integer_value(json_object_get(info, "undecided"))
               : 1;
    json_decref(status);
    if (left) usleep(100000);
  }
}

/* The messages that came with the jobs go into the index of words meanwhile, which is no part of a
 * delivery. */
static void await_indexed(void) {
  int64_t behind = 1;
  while (behind) {
    json_t *status = bench_ask("status", NULL);
    behind = json_integer_value(json_object_get(json_object_get(status, "search"), "behind"));
    json_decref(status);
    if (behind) usleep(10000);
  }
}

static void measure_pending(void) {
  struct bench_series late = {0};
  enter("renew-pending");
  pid_t store = bench_daemon("store");
  bench_stop(&store);
  fill_pending();
  store = bench_daemon("store");
  int64_t began = ck_mono_us();
  pid_t renewd = bench_daemon("renewd");
  double ready_s = (double)(ck_mono_us() - began) / 1e6;
  await_judged();
  double judged_s = (double)(ck_mono_us() - began) / 1e6;
  double receipt = receipt_ms();
  int64_t first_at = ck_now_ms() + TIMED_FIRST_MS;
  put_jobs("timed", TIMED, TIMED, first_at, TIMED_MS);
  bench_receiver_clear(receiver);
  await(TIMED);
  add_lateness(&late, first_at);
  double memory = bench_memory(renewd, "VmHWM"), most = 2 * receipt + 1,
         median = bench_share(&late, 0.5), least = bench_share(&late, 0);
  bench_stop(&renewd);
  bench_stop(&store);
  bench_leave();
  printf(
      "With %s pending jobs of %s conversations on auto, none of them due, renewd is ready after "
      "%s s (%s), and needs %s MiB (%s); the last message of each is judged after %s s.\n\n",
      bench_number((double)pending(), 0), bench_number(PENDING_CHATS, 0), bench_number(ready_s, 1),
      bench_verdict("Follow-ups: ready with a million pending", ready_s, false, READY_S, " s"),
      bench_number(memory, 0),
      bench_verdict("Follow-ups: memory with a million pending", memory, false, MEMORY_MIB, " MiB"),
      bench_number(judged_s, 1));
  printf("Beside them, %d jobs at a time of their own were received %s ms after it at the median "
         "(%s; a changeset's receipt took %s ms), at most %s ms, and never before it: %s.\n\n",
         TIMED, bench_number(median, 2),
         bench_verdict("Follow-ups: received after they were due, at the median", median, false,
                       most, " ms"),
         bench_number(receipt, 2), bench_number(bench_share(&late, 1), 1),
         bench_verdict("Follow-ups: the earliest after it was due", least, true, 0, " ms"));
  bench_free(&late);
}

/* ---- the rate ---- */

/* Of the requests that came, from the first to the last. */
static double rate_of(void) {
  size_t n = bench_receiver_count(receiver), number;
  return (double)(n - 1) * 1e6 /
         (double)(bench_receiver_at(receiver, n - 1, &number) -
                  bench_receiver_at(receiver, 0, &number));
}

/* Processor time of a delivery, in milliseconds. */
struct cost {
  struct bench_series renewd, store;
};

static double renewd_rate(struct cost *cost) {
  enter("renew-rate");
  bench_receiver_clear(receiver);
  pid_t store = bench_daemon("store");
  put_jobs("due", RATE, RATE_CHATS, 1, 0);
  await_indexed();
  double before = bench_cpu(store);
  pid_t renewd = bench_daemon("renewd");
  await(RATE);
  double rate = rate_of();
  bench_add(&cost->renewd, bench_cpu(renewd) * 1000 / RATE);
  bench_add(&cost->store, (bench_cpu(store) - before) * 1000 / RATE);
  bench_stop(&renewd);
  bench_stop(&store);
  bench_leave();
  return rate;
}

struct post {
  CURL *easy;
  char url[64];
};

static size_t no_answer(char *bytes, size_t one, size_t n, void *self) {
  (void)bytes, (void)one, (void)self;
  return n;
}

static void begin_post(struct ck_curl_loop *l, struct post *p, size_t number, bool reuse) {
  static const char body[] =
      "{\"delivery_id\":\"due-12345\",\"job_id\":\"due-12345\",\"attempt\":1,\"platform\":null,"
      "\"conversation_id\":null,\"local_conversation_id\":\"due:123\",\"payload\":\"continue\","
      "\"payload_kind\":\"text\"}";
  if (!p->easy) p->easy = curl_easy_init();
  snprintf(p->url, sizeof p->url, "http://127.0.0.1:%d/%zu?%zu", bench_receiver_port(receiver),
           number % TARGETS, number);
  curl_easy_setopt(p->easy, CURLOPT_PRIVATE, p);
  curl_easy_setopt(p->easy, CURLOPT_URL, p->url);
  curl_easy_setopt(p->easy, CURLOPT_PROXY, "");
  curl_easy_setopt(p->easy, CURLOPT_POSTFIELDS, body);
  curl_easy_setopt(p->easy, CURLOPT_WRITEFUNCTION, no_answer);
  curl_easy_setopt(p->easy, CURLOPT_FRESH_CONNECT, reuse ? 0L : 1L);
  curl_easy_setopt(p->easy, CURLOPT_FORBID_REUSE, reuse ? 0L : 1L);
  if (ck_curl_add(l, p->easy)) bench_fail("libcurl refuses a request");
}

static double bare_rate(bool reuse) {
  struct ck_err err;
  struct ck_curl_loop *l = ck_curl_loop_new(&err);
  struct post posts[AT_ONCE] = {{0}}, *p;
  size_t begun = 0, ended = 0;
  CURL *easy;
  CURLcode code;
  if (!l) bench_fail("%s", err.text);
  bench_receiver_clear(receiver);
  for (; begun < AT_ONCE; ++begun) begin_post(l, &posts[begun], begun, reuse);
  while (ended < RATE) {
    ck_curl_turn(l);
    while (ck_curl_done(l, &easy, &code)) {
      if (code != CURLE_OK) bench_fail("%s", curl_easy_strerror(code));
      curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&p);
      ck_curl_remove(l, easy);
      ++ended;
      if (begun < RATE) begin_post(l, p, begun++, reuse);
    }
  }
  for (size_t i = 0; i < AT_ONCE; ++i) curl_easy_cleanup(posts[i].easy);
  ck_curl_loop_free(&l);
  return rate_of();
}

static void measure_rate(void) {
  struct bench_series ours = {0}, bare = {0}, reused = {0}, ratio = {0};
  struct cost cost = {{0}, {0}};
  for (int r = 0; r < bench_rounds(); ++r) {
    bench_add(&bare, bare_rate(false));
    bench_add(&reused, bare_rate(true));
    bench_add(&ours, renewd_rate(&cost));
    bench_add(&ratio, ours.at[r] / bare.at[r]);
  }
  printf("%s due jobs of %s conversations go to %d addresses of one web server, %d at once, each "
         "on a connection of its own and each claimed before it and ended after it on disk.\n\n"
         "| deliveries a second | |\n|---|--:|\n"
         "| renewd | %s |\n",
         bench_number(RATE, 0), bench_number(RATE_CHATS, 0), TARGETS, AT_ONCE,
         bench_cell(&ours, 0));
  printf("| a loop of libcurl, a connection each, nothing written | %s |\n", bench_cell(&bare, 0));
  printf("| the same, connections used again | %s |\n", bench_cell(&reused, 0));
  printf("\nThat is %s of the loop's rate: %s. A delivery takes %s ms of processor time in renewd "
         "and %s ms in the store.\n\n",
         bench_cell(&ratio, 2),
         bench_verdict("Follow-ups: deliveries a second, of a bare loop of libcurl",
                       bench_share(&ratio, 0.5), true, 0.5, ""),
         bench_cell(&cost.renewd, 3), bench_cell(&cost.store, 3));
  bench_free(&ours), bench_free(&bare), bench_free(&reused), bench_free(&ratio);
  bench_free(&cost.renewd), bench_free(&cost.store);
}

/* ---- rest ---- */

static void measure_rest(void) {
  enter("renew-rest");
  pid_t store = bench_daemon("store"), renewd = bench_daemon("renewd");
  put_jobs("far", 2, 2, ck_now_ms() + FAR_MS, 0);
  sleep(3);
  double wakes = bench_waits(renewd), cpu = bench_cpu(renewd), stores = bench_cpu(store);
  sleep(REST_SECONDS);
  wakes = (bench_waits(renewd) - wakes) / REST_SECONDS;
  cpu = (bench_cpu(renewd) - cpu) * 100 / REST_SECONDS;
  stores = (bench_cpu(store) - stores) * 100 / REST_SECONDS;
  bench_stop(&renewd);
  bench_stop(&store);
  bench_leave();
  printf(
      "At rest, with two jobs that wait, renewd wakes up %s times a second (%s: a heartbeat is on "
      "two sockets, five times a second) and takes %s %% of a processor (%s); the store takes "
      "%s %%.\n\n",
      bench_number(wakes, 1),
      bench_verdict("Follow-ups: wake-ups of renewd at rest", wakes, false, REST_WAKES, ""),
      bench_number(cpu, 2),
      bench_verdict("Follow-ups: processor time of renewd at rest", cpu, false, REST_PERCENT, " %"),
      bench_number(stores, 2));
}

int main(int argc, char **argv) {
  const char *part = argc > 1 ? argv[1] : "";
  receiver = bench_receiver_start(RATE);
  printf("## Follow-ups\n\n");
  if ((!part[0] || strcmp(part, "pending") == 0) && pending()) measure_pending();
  if (strcmp(part, "pending") != 0 && strcmp(part, "rest") != 0) measure_rate();
  if (!part[0] || strcmp(part, "rest") == 0) measure_rest();
  bench_receiver_stop(&receiver);
  return 0;
}
