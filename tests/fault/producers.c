/* Misbehaving producers: they resend, reorder, jump ahead, invent numbers and epochs, and share an
 * id. The test keeps its own copy of the rule: a changeset is applied only if it has the newest
 * epoch and the number after the last. Nothing else may leave a trace, and no receipt may claim
 * more.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/wire.h"
#include "tests/harness/base.h"
#include "tests/harness/database.h"
#include "tests/harness/ring.h"
#include "tests/harness/talk.h"

#define STEPS 3000
#define IDS 3
#define HANDS 6 /* two of them share an id */

struct hand {
  const char *id;
  void *intake;
  uint64_t epoch;
};

/* For each id, the state that the rule gives. */
struct known {
  uint64_t epoch, applied;
};

static const char *const ids[IDS] = {"one", "two", "three"};
static struct hand hands[HANDS];
static struct known known[IDS];
static unsigned sent;

static struct known *known_of(const struct hand *h) { return &known[(h - hands) % IDS]; }

/* Each changeset has a message of its own, whose id has the producer, the number and a counter. */
static void send_one(struct hand *h, uint64_t epoch, uint64_t number) {
  t_raw_message(h->intake, h->id, epoch, number,
                "{'id': '%s:%" PRIu64
                ":%u', 'platform': 'x', 'role': 'user', 'raw_text': 'a', 'observed_at': 1}",
                h->id, number, sent++);
  struct known *k = known_of(h);
  if (epoch == k->epoch && number == k->applied + 1) ++k->applied;
}

static uint64_t stored(const char *id) {
  char sql[100];
  snprintf(sql, sizeof sql, "SELECT applied FROM producers WHERE id = '%s'", id);
  return (uint64_t)t_sql_int("artifact.db", sql);
}

/* Waits until everything this id sent is applied, then says HELLO: from now on this hand owns the
 * id, and the epochs of other hands with the same id are over. */
static void take_over(struct hand *h) {
  struct known *k = known_of(h);
  struct ck_message hello = {.kind = CK_MSG_HELLO}, answer;
  struct ck_err err;
  zmq_msg_t frame;
  if (k->epoch)
    T_UNTIL(20000, stored(h->id) == k->applied, "%s: %" PRIu64 " are applied, not %" PRIu64, h->id,
            stored(h->id), k->applied);
  /* The store answers HELLO with the number it knows, not with the one that HELLO claims. */
  hello.as.hello = (struct ck_hello){0, ck_str_of(h->id), t_random_below(k->applied + 2)};
  T_CHECK(t_ask(CK_DOOR_SNAPSHOT, &hello, &answer, &frame, 5000, &err) == 0, "HELLO: %s", err.text);
  T_CHECK(answer.as.welcome.applied == k->applied,
          "%s: WELCOME says %" PRIu64 ", applied are %" PRIu64, h->id, answer.as.welcome.applied,
          k->applied);
  T_CHECK(answer.as.welcome.epoch > k->epoch, "%s: epoch %" PRIu64 " after %" PRIu64, h->id,
          answer.as.welcome.epoch, k->epoch);
  h->epoch = k->epoch = answer.as.welcome.epoch;
  zmq_msg_close(&frame);
}

static void out_of_order(struct hand *h, uint64_t from) {
  uint64_t order[4] = {from, from + 1, from + 2, from + 3};
  for (uint64_t i = 3; i > 0; i--) {
    uint64_t other = t_random_below(i + 1), held = order[i];
    order[i] = order[other], order[other] = held;
  }
  for (int i = 0; i < 4; i++) send_one(h, h->epoch, order[i]);
}

static void misbehave(struct hand *h) {
  static const uint64_t absurd[] = {
      0, UINT64_MAX, UINT64_MAX - 1, UINT64_C(1) << 63, UINT64_C(1) << 62, INT64_MAX};
  const struct known *k = known_of(h);
  uint64_t next = k->applied + 1;
  switch (t_random_below(8)) {
  case 0:
    send_one(h, h->epoch, 1 + t_random_below(next));
    break; /* again */
  case 1:
    send_one(h, h->epoch, next + 1 + t_random_below(5000));
    break; /* ahead */
  case 2:
    out_of_order(h, next);
    break;
  case 3:
    send_one(h, h->epoch, absurd[t_random_below(sizeof absurd / sizeof *absurd)]);
    break;
  case 4:
    send_one(h, k->epoch + 1000 + t_random_below(3), next);
    break; /* an epoch that never begins */
  case 5:
    send_one(h, t_random_below(k->epoch), next);
    break; /* an epoch that is over */
  default:
    for (uint64_t n = next; n < next + 5; n++) send_one(h, h->epoch, n);
  }
}

/* No receipt may claim more than the rule gives when the receipt is read. */
static void check_receipts(void *feed) {
  struct ck_buf b = {0};
  struct ck_message m;
  struct ck_err err;
  while (t_raw_recv(feed, &b, 0)) {
    T_CHECK(ck_message_decode(&m, b.data, b.len, &err) == 0 && m.kind == CK_MSG_RECEIPT,
            "not a receipt: %s", err.text);
    for (int i = 0; i < IDS; i++)
      if (ck_str_is(m.as.receipt.producer, ids[i]))
        T_CHECK(m.as.receipt.applied <= known[i].applied,
                "%s: a receipt up to %" PRIu64 ", and %" PRIu64 " can be applied", ids[i],
                m.as.receipt.applied, known[i].applied);
  }
  ck_buf_free(&b);
}

/* Every number has exactly one message, and none is missing. */
static void check_stored(void) {
  int64_t all = 0;
  for (int i = 0; i < IDS; i++) {
    char sql[300];
    T_UNTIL(20000, stored(ids[i]) == known[i].applied, "%s: %" PRIu64 " are applied, not %" PRIu64,
            ids[i], stored(ids[i]), known[i].applied);
    snprintf(sql, sizeof sql,
             "SELECT count(DISTINCT CAST(substr(id, length('%s') + 2) AS INTEGER)) FROM messages "
             "WHERE id LIKE '%s:%%'",
             ids[i], ids[i]);
    T_CHECK(t_sql_int("artifact.db", sql) == (int64_t)known[i].applied,
            "%s: %lld numbers have a message, %" PRIu64 " were applied", ids[i],
            (long long)t_sql_int("artifact.db", sql), known[i].applied);
    all += (int64_t)known[i].applied;
  }
  T_CHECK(t_count("messages") == all, "%lld messages of %lld changesets",
          (long long)t_count("messages"), (long long)all);
  T_CHECK(t_sql_int("artifact.db", "SELECT max(version) FROM messages") == all,
          "versions have gaps");
  t_check_database("artifact.db");
}

T_STORY(producers, that_resend_reorder_jump_and_lie, 120) {
  struct t_process *store = t_daemon("store", NULL);
  void *feed = t_raw_socket(CK_DOOR_FEED, ZMQ_SUB);
  zmq_setsockopt(feed, ZMQ_SUBSCRIBE, CK_TOPIC_RECEIPT, strlen(CK_TOPIC_RECEIPT));
  for (int i = 0; i < HANDS; i++) {
    hands[i] = (struct hand){.id = ids[i % IDS], .intake = t_raw_socket(CK_DOOR_INTAKE, ZMQ_PUSH)};
    take_over(&hands[i]);
  }
  for (int i = 0; i < STEPS; i++) {
    struct hand *h = &hands[t_random_below(HANDS)];
    if (t_random_below(60) == 0) take_over(h);
    misbehave(h);
    check_receipts(feed);
  }
  check_stored();
  unsigned lies = sent - (unsigned)(known[0].applied + known[1].applied + known[2].applied);
  t_note("%u changesets, %u of them that must not be applied", sent, lies);
  T_CHECK(lies > STEPS / 4, "only %u lies", lies);
  t_raw_close(feed);
  for (int i = 0; i < HANDS; i++) t_raw_close(hands[i].intake);
  t_talk_forget();
  t_signal(store, SIGTERM);
  T_CHECK(t_wait_end(store, 10000) == 0, "the store did not end well");
}
