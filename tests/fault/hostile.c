/* Malformed and hostile frames at every door: all are refused and counted, no daemon dies. */
#include <inttypes.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proto/originals.h"
#include "tests/harness/base.h"
#include "tests/harness/database.h"
#include "tests/harness/ring.h"
#include "tests/harness/talk.h"

#define PARTS 5
static const char *const parts[PARTS] = {"store", "ingest", "renewd", "syncd", "webd"};
static pid_t pids[PARTS];

static void remember(void) {
  for (int i = 0; i < PARTS; i++)
    T_CHECK((pids[i] = t_pid(parts[i])) != 0, "%s does not run", parts[i]);
}

/* Fails unless all daemons live and do good work as before. */
static void check_unharmed(void) {
  static int round;
  struct ck_err err = {""};
  char good[200];
  snprintf(good, sizeof good,
           "{'platform': 'x', 'text': 'good', 'role': 'user',"
           " 'message_id': 'good-%d', 'conversation_id': 'c', 'observed_at': 1}",
           ++round);
  T_CHECK(t_observe(good, &err) > 0, "a good observation is not taken any more: %s", err.text);
  struct t_producer *p = t_producer("good");
  char result = t_write(p, "messages",
                        "{'id': 'direct-%d', 'platform': 'x', 'role': 'user',"
                        " 'raw_text': 'good', 'observed_at': 1}",
                        round);
  T_CHECK(result == 'n', "a good changeset gave '%c': %s", result, t_refusal(p));
  t_whole(20000);
  for (int i = 0; i < PARTS; i++) T_CHECK(t_pid(parts[i]) == pids[i], "%s died of it", parts[i]);
}

/* ---- good frames, to be spoilt ---- */

#define SAMPLES 24
static struct ck_buf samples[SAMPLES];
static int sample_count;

static void sample(const struct ck_message *m) { ck_message_encode(&samples[sample_count++], m); }

#define SAMPLE(KIND, member, ...) \
  do { \
    struct ck_message m = {.kind = CK_MSG_##KIND}; \
    m.as.member = (struct ck_##member){__VA_ARGS__}; \
    sample(&m); \
  } while (0)

static void sample_mutation(const struct ck_mutation *mutation) {
  struct ck_buf mutations = {0};
  ck_put_array(&mutations, 1);
  ck_mutation_encode(&mutations, mutation);
  SAMPLE(CHANGESET, changeset, CK_LIT("hostile"), 1, 1, ck_buf_view(&mutations));
  ck_buf_free(&mutations);
}

#define HASH "00112233445566778899aabbccddeeff"

/* A block of bytes that do not unpack, the first part of an attachment, a row of elsewhere. */
static void sample_files(struct ck_str row) {
  struct ck_buf list = {0}, data = {0};
  const struct ck_original one = {.id = CK_LIT(HASH), .bytes = 9, .reader = CK_LIT("chatgpt 1")};
  ck_put_array(&list, 1);
  ck_original_encode(&list, &one);
  ck_put_bin(&data, CK_LIT("\x28\xb5\x2f\xfd no frame of zstd"));
  struct ck_mutation m = {.kind = CK_OP_BLOCK};
  m.as.block = (struct ck_block){CK_LIT(HASH), 0, 1, 9, ck_buf_view(&data), ck_buf_view(&list)};
  sample_mutation(&m);
  m.kind = CK_OP_ATTACHMENT;
  m.as.attachment = (struct ck_attachment){
      CK_LIT(HASH HASH), 20, 0, CK_LIT("../../x.png"), CK_LIT("file-x"), CK_LIT(""),
      ck_buf_view(&data)};
  sample_mutation(&m);
  m.kind = CK_OP_ADOPT;
  m.as.adopt = (struct ck_adopt){CK_LIT("messages"), row, 1, CK_LIT("x"), CK_LIT("c")};
  sample_mutation(&m);
  ck_buf_free(&list), ck_buf_free(&data);
}

/* The frames that the store's doors accept. */
static void sample_store(struct ck_str row, struct ck_str map) {
  struct ck_buf mutations = {0}, leases = {0}, ids = {0};
  struct ck_mutation put = {.kind = CK_OP_PUT};
  put.as.put = (struct ck_put){CK_LIT("messages"), row, 0};
  ck_put_array(&mutations, 1);
  ck_mutation_encode(&mutations, &put);
  ck_put_array(&leases, 1);
  ck_lease_encode(&leases, &(struct ck_lease){1, 0, 10});
  struct ck_str list = ck_buf_view(&leases);
  ck_put_array(&ids, 1);
  ck_put_text(&ids, HASH);
  SAMPLE(CHANGESET, changeset, CK_LIT("hostile"), 1, 1, ck_buf_view(&mutations));
  SAMPLE(HELLO, hello, 1, CK_LIT("hostile"), 1);
  SAMPLE(LAST, last, 1, CK_LIT("hostile"), 1);
  SAMPLE(SINCE, since, 1, CK_LIT(""), 0, 0, UINT64_MAX);
  SAMPLE(QUERY, query, 1, CK_LIT("messages"), map, 20, 0, CK_LIT(""));
  SAMPLE(QUERY, query, 1, CK_LIT("executed"), (struct ck_str){"\x80", 1}, 20, 0, CK_LIT("91a16d"));
  SAMPLE(HAVE, have, 1, CK_LIT("chatgpt 1"), ck_buf_view(&ids));
  SAMPLE(FETCH, fetch, 1, CK_LIT(HASH), CK_LIT("chatgpt"), CK_LIT("c"), 0, 1024);
  SAMPLE(STATUS, status, 1);
  SAMPLE(REPORT, report, CK_LIT("syncd"), CK_LIT("liar"), CK_LIT("h"), 1, 1, map);
  SAMPLE(HELD, held, CK_LIT("liar"), CK_LIT("sqlite"), list, list, list, true, true);
  sample_files(row);
  ck_buf_free(&mutations), ck_buf_free(&leases), ck_buf_free(&ids);
}

/* The frames that ingest's door accepts, and those that the daemons get from each other. */
static void sample_others(struct ck_str row, struct ck_str map, struct ck_str observation) {
  SAMPLE(OBSERVE, observe, 1, observation);
  SAMPLE(OPEN, open, 1, CK_LIT("x.json"), false, false, 0);
  SAMPLE(PIECE, piece, 1, 1, true, row);
  SAMPLE(RECEIPT, receipt, CK_LIT("good"), 1, 1, 9, CK_LIT("nnnnnnnnn"), map, 9, map, map);
  SAMPLE(BEAT, beat, CK_LIT("other"), 1000000, 0, 1, 0);
}

static void pack_text(struct ck_buf *b, const char *text) {
  json_t *json = t_json("%s", text);
  t_pack(b, json);
  json_decref(json);
}

static void make_samples(void) {
  struct ck_buf row = {0}, map = {0}, observation = {0};
  pack_text(&row, "{'id': 'hostile', 'platform': 'x', 'role': 'user', 'raw_text': 'a text', "
                  "'observed_at': 1}");
  pack_text(&observation, "{'platform': 'x', 'text': 'hostile', 'message_id': 'h'}");
  ck_put_map(&map, 0);
  sample_store(ck_buf_view(&row), ck_buf_view(&map));
  sample_others(ck_buf_view(&row), ck_buf_view(&map), ck_buf_view(&observation));
  ck_buf_free(&row), ck_buf_free(&map), ck_buf_free(&observation);
}

static void be_random(struct ck_buf *b, size_t n) {
  for (size_t i = 0; i < n; i++) {
    unsigned char c = (unsigned char)t_random();
    ck_buf_add(b, &c, 1);
  }
}

/* Makes a frame: random bytes, or a good frame that is cut short, lengthened or changed. */
static void one_frame(struct ck_buf *b) {
  const struct ck_buf *good = &samples[t_random_below((uint64_t)sample_count)];
  ck_buf_clear(b);
  switch (t_random_below(5)) {
  case 0:
    be_random(b, t_random_below(64));
    return;
  case 1:
    ck_buf_add(b, good->data, t_random_below(good->len));
    return;
  case 2:
    ck_buf_add(b, good->data, good->len);
    be_random(b, 1 + t_random_below(8));
    return;
  default:
    ck_buf_add(b, good->data, good->len);
    for (uint64_t n = 1 + t_random_below(4); n > 0; n--)
      b->data[t_random_below(b->len)] = (char)t_random();
  }
}

/* Small frames that claim to be large, bytes that MessagePack does not allow, and deep nesting. */
static void send_bombs(void *socket) {
  static const unsigned char bombs[][8] = {{0xdd, 0xff, 0xff, 0xff, 0xff},
                                           {0xdf, 0xff, 0xff, 0xff, 0xff},
                                           {0xdb, 0xff, 0xff, 0xff, 0xff},
                                           {0xc6, 0x7f, 0xff, 0xff, 0xff},
                                           {0x92, 0x01, 0xdd, 0xff, 0xff, 0xff, 0xf0},
                                           {0x95, 0x01, 0x01, 0xdf, 0x80, 0, 0, 0},
                                           {0xc1},
                                           {0xc9, 0xff, 0xff, 0xff, 0xff, 1}};
  for (size_t i = 0; i < sizeof bombs / sizeof *bombs; i++)
    t_raw_send(socket, bombs[i], sizeof bombs[i]);
  struct ck_buf deep = {0};
  for (int i = 0; i < 200000; i++) ck_put_array(&deep, 1);
  t_raw_send(socket, deep.data, deep.len);
  ck_buf_clear(&deep);
  ck_put_array(&deep, 3), ck_put_uint(&deep, CK_WIRE), ck_put_uint(&deep, CK_MSG_OBSERVE),
      ck_put_uint(&deep, 1);
  for (int i = 0; i < 1000; i++) ck_put_map(&deep, 1), ck_put_text(&deep, "a");
  t_raw_send(socket, deep.data, deep.len);
  ck_buf_free(&deep);
}

static void send_parts(void *socket) {
  for (int i = 0; i < 20; i++) {
    int n = 2 + i % 4;
    for (int k = 0; k < n; k++) zmq_send(socket, "part", 4, k + 1 < n ? ZMQ_SNDMORE : 0);
  }
}

static void drain(void *socket) {
  struct ck_buf b = {0};
  while (t_raw_recv(socket, &b, 0)) continue;
  ck_buf_free(&b);
}

/* The socket stays open until the story ends: when a sender closes a connection, libzmq discards
 * what a full receiver has not read from it, LINGER or not. */
static void storm(enum ck_door door, int type, int frames) {
  void *socket = t_raw_socket(door, type);
  struct ck_buf b = {0};
  send_bombs(socket);
  send_parts(socket);
  for (int i = 0; i < frames; i++) {
    one_frame(&b);
    t_raw_send(socket, b.data, b.len);
    if (type == ZMQ_DEALER && i % 50 == 0) drain(socket);
  }
  ck_buf_free(&b);
  if (type == ZMQ_DEALER) drain(socket);
}

T_STORY(hostile, the_intake, 90) {
  make_samples();
  t_up();
  remember();
  int64_t before = t_status_int("rejected", -1);
  storm(CK_DOOR_INTAKE, ZMQ_PUSH, 3000);
  T_UNTIL(20000, t_status_int("rejected", -1) > before + 1000,
          "%lld frames are counted as rejected", (long long)t_status_int("rejected", -1));
  check_unharmed();
}

T_STORY(hostile, the_snapshot, 90) {
  make_samples();
  t_up();
  remember();
  int64_t before = t_status_int("rejected", -1);
  storm(CK_DOOR_SNAPSHOT, ZMQ_DEALER, 3000);
  T_UNTIL(20000, t_status_int("rejected", -1) > before + 500, "%lld frames are counted as rejected",
          (long long)t_status_int("rejected", -1));
  check_unharmed();
}

T_STORY(hostile, the_observations, 90) {
  make_samples();
  t_up();
  remember();
  storm(CK_DOOR_OBSERVE, ZMQ_DEALER, 3000);
  json_t *status = NULL;
  int64_t rejected = 0;
  for (int64_t until = ck_boot_ms() + 20000; rejected == 0 && ck_boot_ms() < until; t_pause(50)) {
    status = t_status(1000);
    rejected = t_int_at(t_daemon_entry(status, "ingest", 0), "info.rejected", 0);
    json_decref(status);
  }
  T_CHECK(rejected > 500, "ingest counts %lld rejected frames", (long long)rejected);
  check_unharmed();
}

/* The feed publishes. It gets subscriptions of any bytes and number, and other frames. */
T_STORY(hostile, the_feed, 90) {
  make_samples();
  t_up();
  remember();
  void *socket = t_raw_socket(CK_DOOR_FEED, ZMQ_XSUB);
  struct ck_buf b = {0};
  for (int i = 0; i < 3000; i++) {
    one_frame(&b);
    if (b.len && i % 2) b.data[0] = (char)(i % 4 == 1);
    t_raw_send(socket, b.data, b.len);
  }
  ck_buf_clear(&b);
  be_random(&b, 60000); /* far more overflows the stack of the subscriber in libzmq 4.3.4 */
  b.data[0] = 1;
  t_raw_send(socket, b.data, b.len);
  storm(CK_DOOR_FEED, ZMQ_XSUB, 500);
  /* A subscriber to everything that never reads. */
  void *idle = t_raw_socket(CK_DOOR_FEED, ZMQ_SUB);
  zmq_setsockopt(idle, ZMQ_SUBSCRIBE, "", 0);
  struct t_producer *p = t_producer("many");
  for (int i = 0; i < 3000; i++) {
    char row[200];
    snprintf(row, sizeof row,
             "{'id': 'f%d', 'platform': 'x', 'role': 'user',"
             " 'raw_text': 'a text of some length to fill the pipe', 'observed_at': %d}",
             i, i);
    t_put(p, "messages", row);
    if (i % 10 == 9) T_CHECK(t_commit(p) == 'n', "row %d: %s", i, t_refusal(p));
  }
  ck_buf_free(&b);
  check_unharmed();
}

static void demand(void *socket, uint64_t batches, const char *sink) {
  struct ck_message m = {.kind = CK_MSG_DEMAND};
  struct ck_buf b = {0};
  m.as.demand = (struct ck_demand){1, CK_LIT("hoarder"), ck_str_of(sink), batches, 0, false, 0};
  ck_message_encode(&b, &m);
  t_raw_send(socket, b.data, b.len);
  ck_buf_free(&b);
}

/* Demands as much of everything as a number can say, and a pause for ever. */
static void demand_all(void *socket) {
  struct ck_message m = {.kind = CK_MSG_DEMAND};
  struct ck_buf b = {0};
  m.as.demand = (struct ck_demand){UINT64_MAX, CK_LIT("glutton"), CK_LIT("sqlite"), 0, UINT64_MAX,
                                   true,       UINT64_MAX};
  ck_message_encode(&b, &m);
  t_raw_send(socket, b.data, b.len);
  ck_buf_free(&b);
}

/* Two of the lists are good; in the third, a lease lacks a number. */
static void hold_badly(void *socket) {
  struct ck_message m = {.kind = CK_MSG_HELD};
  struct ck_buf b = {0};
  m.as.held = (struct ck_held){CK_LIT("liar"), CK_LIT("sqlite"),           CK_LIT("\x90"),
                               CK_LIT("\x90"), CK_LIT("\x91\x92\x01\x02"), false,
                               false};
  ck_message_encode(&b, &m);
  t_raw_send(socket, b.data, b.len);
  ck_buf_free(&b);
}

/* The work door gives batches to any client: one that never reports an outcome, one that lies about
 * it, and some whose demands make no sense. */
T_STORY(hostile, the_work, 120) {
  make_samples();
  t_up();
  remember();
  void *hoarder = t_raw_socket(CK_DOOR_WORK, ZMQ_DEALER);
  void *wrong = t_raw_socket(CK_DOOR_WORK, ZMQ_DEALER);
  t_raw_send(wrong, "x", 1);
  int64_t rejected = t_status_int("rejected", -1);
  hold_badly(wrong);
  T_UNTIL(20000, t_status_int("rejected", -1) > rejected,
          "a HELD with half a lease is not counted as rejected");
  demand(wrong, UINT64_MAX, "nowhere");
  demand_all(wrong);
  storm(CK_DOOR_WORK, ZMQ_DEALER, 1000);
  demand(hoarder, UINT64_MAX, "sqlite");
  t_pause(200);
  struct t_producer *p = t_producer("many");
  for (int i = 0; i < 50; i++)
    t_taken(p, 'n', "messages",
            "{'id': 'w%d', 'platform': 'x', 'role': 'user', 'raw_text': 'x', 'observed_at': 1}", i);
  struct ck_buf b = {0};
  int taken = 0;
  while (t_raw_recv(hoarder, &b, 100) && taken < 50) taken++;
  t_note("%d batches went to a worker that keeps them", taken);
  int64_t cursor = t_status_int(t_sync("cursor"), -1), head = t_status_int("version", -1);
  for (int i = 0; i < 3; i++) {
    struct ck_mutation lie = {.kind = CK_OP_SYNCED};
    struct ck_buf none = {0};
    ck_put_array(&none, 0);
    lie.as.synced = (struct ck_synced){i == 2 ? CK_LIT("nowhere") : CK_LIT("sqlite"),
                                       i ? 1u : UINT64_MAX,
                                       (uint64_t)cursor,
                                       (uint64_t)head,
                                       ck_buf_view(&none),
                                       0};
    t_mutate(p, &lie);
    T_CHECK(t_commit(p) == 'r', "a lie about generation %" PRIu64 " was believed",
            lie.as.synced.generation);
    ck_buf_free(&none);
  }
  t_raw_close(hoarder), t_raw_close(wrong);
  ck_buf_free(&b);
  t_settle(30000);
  check_unharmed();
}

/* Frames above the largest size. */
T_STORY(hostile, oversized, 90) {
  make_samples();
  t_up();
  remember();
  static const struct {
    enum ck_door door;
    int type;
  } doors[] = {{CK_DOOR_INTAKE, ZMQ_PUSH},
               {CK_DOOR_SNAPSHOT, ZMQ_DEALER},
               {CK_DOOR_OBSERVE, ZMQ_DEALER},
               {CK_DOOR_FEED, ZMQ_XSUB}};
  size_t sizes[] = {CK_FRAME_MAX + 1, CK_FRAME_MAX + 4096, 24u << 20};
  char *bytes = ck_zalloc(sizes[2]);
  for (size_t d = 0; d < 4; d++) {
    void *socket = t_raw_socket(doors[d].door, doors[d].type);
    for (size_t s = 0; s < 3; s++) t_raw_send(socket, bytes, sizes[s]);
    t_pause(100);
    t_raw_close(socket);
  }
  free(bytes);
  check_unharmed();
  /* Below the limit, a large frame is refused or taken like any other, and not lost in silence. */
  struct ck_err err = {""};
  struct ck_buf text = {0};
  ck_buf_text(&text, "{'platform': 'x', 'message_id': 'large', 'role': 'user',"
                     " 'observed_at': 1, 'text': '");
  for (int i = 0; i < 6 << 20; i++) ck_buf_add(&text, "y", 1);
  ck_buf_text(&text, "'}");
  uint64_t number = t_observe(ck_buf_cstr(&text), &err);
  T_CHECK(number > 0 || err.text[0], "6 MiB: neither taken nor refused");
  t_note("an observation of 6 MiB: %s", number ? "taken" : err.text);
  ck_buf_free(&text);
  check_unharmed();
}

/* Below ZeroMQ: many connections at once that send no greeting, or half a greeting and then
 * nothing. */
T_STORY(hostile, connections, 90) {
  t_up();
  remember();
  static const enum ck_door doors[] = {CK_DOOR_INTAKE, CK_DOOR_FEED, CK_DOOR_WORK, CK_DOOR_SNAPSHOT,
                                       CK_DOOR_OBSERVE};
  static const unsigned char greeting[] = {0xff, 0,    0, 0, 0,   0,   0,   0,
                                           1,    0x7f, 3, 0, 'N', 'U', 'L', 'L'};
  int open[300], n = 0;
  struct ck_buf b = {0};
  for (int i = 0; i < 300; i++) {
    int fd = t_plain_connect(doors[i % 5]);
    if (fd < 0) continue;
    ck_buf_clear(&b);
    be_random(&b, 200);
    if (i % 3 == 0) (void)!send(fd, b.data, b.len, MSG_NOSIGNAL);
    if (i % 3 == 1) (void)!send(fd, greeting, sizeof greeting, MSG_NOSIGNAL);
    if (i % 3 == 2) (void)!send(fd, "GET / HTTP/1.1\r\nHost: x\r\n\r\n", 27, MSG_NOSIGNAL);
    open[n++] = fd;
  }
  T_CHECK(n > 100, "only %d connections were made", n);
  check_unharmed();
  for (int i = 0; i < n; i++) close(open[i]);
  ck_buf_free(&b);
  check_unharmed();
}

/* Good frames with bad contents: each is refused with a reason, uses up its number, and blocks no
 * other producer. */
T_STORY(hostile, changesets, 90) {
  t_up();
  remember();
  struct t_producer *p = t_producer("liar");
  struct ck_buf b = {0};
  struct {
    const char *what;
    unsigned char bytes[24];
    size_t n;
  } wrong[] = {
      {"not an array", {0x01}, 1},
      {"an unknown kind", {0x92, 0x63, 0xa1, 'x'}, 4},
      {"a kind that is text", {0x93, 0xa1, 'x', 0xc0, 0xc0}, 5},
      {"no fields", {0x91, 0x01}, 2},
      {"a row that is no map",
       {0x94, 0x01, 0xa8, 'm', 'e', 's', 's', 'a', 'g', 'e', 's', 0x05, 0x00},
       13},
      {"a table that is no text", {0x94, 0x01, 0x05, 0x80, 0x00}, 5},
      {"an empty row", {0x94, 0x01, 0xa8, 'm', 'e', 's', 's', 'a', 'g', 'e', 's', 0x80, 0x00}, 13}};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    t_mutate_raw(p, (struct ck_str){(const char *)wrong[i].bytes, wrong[i].n});
    char result = t_commit(p);
    T_CHECK(result == 'r' && t_refusal(p)[0], "%s: '%c' \"%s\"", wrong[i].what, result,
            t_refusal(p));
  }
  char result = t_write(p, "messages",
                        "{'id': 'after', 'platform': 'x', 'role': 'user',"
                        " 'raw_text': 'x', 'observed_at': 1}");
  T_CHECK(result == 'n', "the liar's next good changeset: %s", t_refusal(p));
  /* Text that is not UTF-8. */
  ck_put_array(&b, 4), ck_put_uint(&b, CK_OP_PUT), ck_put_text(&b, "messages"), ck_put_map(&b, 5);
  ck_put_text(&b, "id"), ck_put_text(&b, "bad"), ck_put_text(&b, "platform"), ck_put_text(&b, "x"),
      ck_put_text(&b, "role"), ck_put_text(&b, "user");
  ck_put_text(&b, "raw_text"), ck_put_text(&b, "\xc3\x28"), ck_put_text(&b, "observed_at"),
      ck_put_int(&b, 1);
  ck_put_int(&b, 0);
  t_mutate_raw(p, ck_buf_view(&b));
  T_CHECK(t_commit(p) == 'r' && strstr(t_refusal(p), "raw_text"), "text that is not UTF-8: %s",
          t_refusal(p));
  ck_buf_free(&b);
  json_t *refusals = t_query("refusals", "{'producer': 'liar'}", 100, 0);
  T_CHECK(json_array_size(refusals) == 8, "%zu refusals are kept, not 8",
          json_array_size(refusals));
  json_decref(refusals);
  check_unharmed();
}

/* HELLO with names that no producer may have, and with any number. */
T_STORY(hostile, greetings, 90) {
  t_up();
  remember();
  char *name = ck_zalloc(100001);
  memset(name, 'n', 100000);
  struct ck_str names[] = {{"", 0}, {"a\0b", 3}, {name, 100000}, {"../../x", 7}, {"receipt/", 8}};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    static const uint64_t nexts[] = {0, 1, UINT64_MAX, UINT64_C(1) << 63};
    for (size_t k = 0; k < 4; k++) {
      struct ck_message hello = {.kind = CK_MSG_HELLO}, answer;
      hello.as.hello = (struct ck_hello){0, names[i], nexts[k]};
      zmq_msg_t frame;
      struct ck_err err;
      int64_t begin = ck_boot_ms();
      int rc = t_ask(CK_DOOR_SNAPSHOT, &hello, &answer, &frame, 3000, &err);
      T_CHECK(ck_boot_ms() - begin < 2500 * T_SLOWER,
              "HELLO with name %zu and next %" PRIu64 " was not answered", i, nexts[k]);
      if (rc == 0) zmq_msg_close(&frame);
    }
  }
  free(name);
  check_unharmed();
}

static int greet(const char *id, uint64_t next, uint64_t *applied, struct ck_err *err) {
  struct ck_message hello = {.kind = CK_MSG_HELLO}, answer;
  zmq_msg_t frame;
  hello.as.hello = (struct ck_hello){0, ck_str_of(id), next};
  if (t_ask(CK_DOOR_SNAPSHOT, &hello, &answer, &frame, 3000, err)) return -1;
  *applied = answer.as.welcome.applied;
  zmq_msg_close(&frame);
  return 0;
}

/* Somebody who greets with another's id leaves it numbers to go on with. */
T_STORY(hostile, a_greeting_far_ahead, 60) {
  static const uint64_t far[] = {(UINT64_C(1) << 40) + 1, UINT64_C(1) << 62, UINT64_C(1) << 63,
                                 UINT64_MAX};
  struct ck_err err;
  uint64_t applied = 1;
  t_up();
  for (size_t i = 0; i < sizeof far / sizeof *far; i++) {
    T_CHECK(greet("newcomer", far[i], &applied, &err) == -1 && strstr(err.text, "hello.next"),
            "next %" PRIu64 ": %s", far[i], err.text);
    T_CHECK(greet("newcomer", 0, &applied, &err) == 0 && applied == 0,
            "after %" PRIu64 " its number is %" PRIu64, far[i], applied);
  }
  T_CHECK(greet("newcomer", UINT64_C(1) << 40, &applied, &err) == 0, "%s", err.text);
  T_CHECK(applied == (UINT64_C(1) << 40) - 1, "it is at %" PRIu64, applied);
  T_CHECK(greet("newcomer", UINT64_C(1) << 40, &applied, &err) == 0, "%s", err.text);
  T_CHECK(greet("newcomer", (UINT64_C(1) << 40) + 1, &applied, &err) == -1, "it moved again");
}
