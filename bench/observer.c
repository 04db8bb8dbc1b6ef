/* A client of ingest's door; see observer.h. */
#include "bench/observer.h"

#include <stdlib.h>

#include "proto/clock.h"
#include "proto/doors.h"
#include "proto/wire.h"

#define AGAIN_MS 1000
#define STALL_MS 20000

struct observer {
  const struct bench_load *load;
  enum bench_until until;
  struct bench_observed *out;
  void *door, *feed;
  size_t sent, taken, receipted;
  int64_t *sent_at, progress_at, again_at;
  uint64_t *numbers,
      applied; /* the observations' numbers in the store's receipts; the last receipted one */
  bool beats;
  struct ck_buf frame;
};

static bool send_one(struct observer *b, size_t i) {
  struct ck_message m = {.kind = CK_MSG_OBSERVE};
  m.as.observe = (struct ck_observe){i + 1, b->load->observations[i]};
  ck_buf_clear(&b->frame);
  ck_message_encode(&b->frame, &m);
  return ck_send(b->door, ck_buf_view(&b->frame)) == 0;
}

static bool send_next(struct observer *b) {
  if (!send_one(b, b->sent)) return false;
  b->sent_at[b->sent++] = ck_mono_us();
  return true;
}

/* Sends unanswered observations again. They are the same messages, so they get new numbers but
 * change nothing. */
static void send_again(struct observer *b) {
  b->out->lost += b->sent - b->taken;
  for (size_t i = b->taken; i < b->sent && send_one(b, i); ++i) b->again_at = ck_boot_ms();
}

static double since_ms(const struct observer *b, size_t i) {
  return (double)(ck_mono_us() - b->sent_at[i]) / 1000;
}

static void decode(struct ck_message *m, zmq_msg_t *frame) {
  struct ck_err err;
  struct ck_str bytes = ck_frame(frame);
  if (ck_message_decode(m, bytes.s, bytes.n, &err)) bench_fail("%s", err.text);
}

/* Answers arrive in the order of the requests, so one that is missing before this one is lost; its
 * number is between those of its neighbours. */
static void take_answer(struct observer *b, const struct ck_taken *t) {
  if (t->request > b->taken + 1) b->out->lost += t->request - b->taken - 1;
  while (b->taken < t->request) {
    b->numbers[b->taken] = t->number - (t->request - b->taken - 1);
    bench_add(&b->out->taken_ms, since_ms(b, b->taken++));
  }
  b->progress_at = b->again_at = ck_boot_ms();
}

static void hear_door(struct observer *b) {
  zmq_msg_t frame;
  while (ck_recv(b->door, &frame) == 0) {
    struct ck_message m;
    decode(&m, &frame);
    if (m.kind == CK_MSG_PROBLEM)
      bench_fail("ingest refuses: %.*s", (int)m.as.problem.reason.n, m.as.problem.reason.s);
    if (m.kind == CK_MSG_TAKEN) take_answer(b, &m.as.taken);
    zmq_msg_close(&frame);
  }
}

static void hear_feed(struct observer *b) {
  zmq_msg_t topic, frame;
  while (b->feed && ck_recv2(b->feed, &topic, &frame) == 0) {
    struct ck_message m;
    decode(&m, &frame);
    b->beats |= m.kind == CK_MSG_BEAT;
    if (m.kind == CK_MSG_RECEIPT && ck_str_starts(m.as.receipt.producer, "ingest"))
      b->applied = m.as.receipt.applied;
    zmq_msg_close(&topic);
    zmq_msg_close(&frame);
  }
  for (; b->receipted < b->taken && b->numbers[b->receipted] <= b->applied; ++b->receipted) {
    bench_add(&b->out->receipt_ms, since_ms(b, b->receipted));
    b->progress_at = ck_boot_ms();
  }
}

static size_t ended(const struct observer *b) {
  return b->until == BENCH_TAKEN ? b->taken : b->receipted;
}

/* Runs until `count` observations are no longer in flight. */
static void go_on(struct observer *b, size_t count, unsigned in_flight) {
  zmq_pollitem_t items[2] = {{b->door, 0, ZMQ_POLLIN, 0}, {b->feed, 0, ZMQ_POLLIN, 0}};
  b->progress_at = b->again_at = ck_boot_ms();
  while (ended(b) < count || (b->feed && !b->beats)) {
    size_t before = ended(b);
    bool full = false;
    while (!full && b->sent < count && b->sent - ended(b) < in_flight) full = !send_next(b);
    hear_door(b);
    hear_feed(b);
    if (ended(b) != before) continue;
    if (b->sent > b->taken && ck_boot_ms() > b->again_at + AGAIN_MS) send_again(b);
    if (ck_boot_ms() > b->progress_at + STALL_MS)
      bench_fail("nothing for %d s at %zu of %zu", STALL_MS / 1000, before, count);
    zmq_poll(items, b->feed ? 2 : 1, full ? 1 : AGAIN_MS);
  }
}

static void open_sockets(struct observer *b) {
  struct ck_err err;
  b->door = ck_door_connect(bench_settings(), CK_DOOR_OBSERVE, &err);
  if (b->door && b->until == BENCH_RECEIPT)
    b->feed = ck_door_connect(bench_settings(), CK_DOOR_FEED, &err);
  if (!b->door || (b->until == BENCH_RECEIPT && !b->feed)) bench_fail("%s", err.text);
  if (!b->feed) return;
  ck_subscribe(b->feed, CK_TOPIC_RECEIPT);
  ck_subscribe(b->feed, CK_TOPIC_BEAT);
}

void bench_observe(const struct bench_load *load, unsigned in_flight, enum bench_until until,
                   struct bench_observed *out) {
  struct observer b = {.load = load, .until = until, .out = out};
  *out = (struct bench_observed){0};
  b.sent_at = ck_alloc(load->n * sizeof *b.sent_at);
  b.numbers = ck_alloc(load->n * sizeof *b.numbers);
  open_sockets(&b);
  go_on(&b, 1, 1);
  out->taken_ms.n = out->receipt_ms.n = 0;
  bench_calm();
  int64_t began = ck_mono_us();
  go_on(&b, load->n, in_flight);
  out->rate = (double)(load->n - 1) * 1e6 / (double)(ck_mono_us() - began);
  ck_door_close(&b.door, 0);
  ck_door_close(&b.feed, 0);
  ck_buf_free(&b.frame);
  free(b.sent_at);
  free(b.numbers);
}
